//! A history as the vectors write it: devices and roots by name, hashes short, a signature is "it is in the set".

use std::collections::BTreeMap;

use blake2::digest::{Digest, Update, consts::U6};
use serde_json::{Value, json};

/// Everything that a node may come to hold.
#[derive(Clone, Default)]
pub(crate) struct World {
    pub(crate) space: String,
    pub(crate) pins: BTreeMap<String, String>,
    pub(crate) records: Vec<Record>,
    pub(crate) trees: Vec<Tree>,
    pub(crate) entries: Vec<Entry>,
}

#[derive(Clone)]
pub(crate) struct Record {
    pub(crate) root: String,
    pub(crate) links: Vec<String>,
    pub(crate) op: RootOp,
}

#[derive(Clone)]
pub(crate) enum RootOp {
    Grant { key: String, person: String, role: String },
    Cut { target: String, n: usize, hash: Option<String>, voids: Vec<String> },
    Voids(Vec<String>),
    Successor(String),
}

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Tree {
    pub(crate) writer: String,
    pub(crate) leaves: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) writer: String,
    pub(crate) index: usize,
    pub(crate) deps: BTreeMap<String, (usize, String)>,
    pub(crate) ops: Vec<Op>,
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Put { key: String, value: i64 },
    Grant { key: String, person: String, role: String },
    Cut { target: String, n: usize, hash: Option<String> },
    Hide { target: String, from: u64 },
    Unhide { target: String },
    Epoch { id: String, to: Vec<String> },
}

impl World {
    pub(crate) fn parse(v: &Value) -> Self {
        Self {
            space: text(&v["space"]),
            pins: v["pins"].as_object().unwrap().iter().map(|(k, v)| (k.clone(), text(v))).collect(),
            records: list(&v["records"]).iter().map(Record::parse).collect(),
            trees: list(&v["trees"])
                .iter()
                .map(|t| Tree { writer: text(&t["writer"]), leaves: texts(&t["leaves"]) })
                .collect(),
            entries: list(&v["entries"]).iter().map(Entry::parse).collect(),
        }
    }
}

impl Record {
    fn parse(v: &Value) -> Self {
        let op = &v["op"];
        let op = if let Some(key) = op["grant"].as_str() {
            RootOp::Grant { key: key.into(), person: text(&op["person"]), role: text(&op["role"]) }
        } else if let Some(target) = op["cut"].as_str() {
            let voids = op.get("voids").map_or(Vec::new(), texts);
            RootOp::Cut { target: target.into(), n: number(&op["n"]), hash: maybe(&op["hash"]), voids }
        } else if let Some(root) = op["successor"].as_str() {
            RootOp::Successor(root.into())
        } else {
            RootOp::Voids(texts(&op["voids"]))
        };
        Self { root: text(&v["root"]), links: texts(&v["links"]), op }
    }

    pub(crate) fn hash(&self) -> String {
        let op = match &self.op {
            RootOp::Grant { key, person, role } => json!({"grant": key, "person": person, "role": role}),
            RootOp::Cut { target, n, hash, voids } if voids.is_empty() => {
                json!({"cut": target, "n": n, "hash": hash})
            }
            RootOp::Cut { target, n, hash, voids } => {
                json!({"cut": target, "n": n, "hash": hash, "voids": voids})
            }
            RootOp::Voids(voids) => json!({"voids": voids}),
            RootOp::Successor(root) => json!({"successor": root}),
        };
        digest(&json!(["record", {"root": self.root, "links": self.links, "op": op}]))
    }
}

impl Entry {
    fn parse(v: &Value) -> Self {
        let dep = |(w, d): (&String, &Value)| (w.clone(), (number(&d[0]), text(&d[1])));
        Self {
            writer: text(&v["writer"]),
            index: number(&v["index"]),
            deps: v["deps"].as_object().unwrap().iter().map(dep).collect(),
            ops: list(&v["ops"]).iter().map(Op::parse).collect(),
        }
    }

    pub(crate) fn hash(&self) -> String {
        let ops: Vec<Value> = self.ops.iter().map(Op::json).collect();
        let e = json!({"writer": self.writer, "index": self.index, "deps": self.deps, "ops": ops});
        digest(&json!(["entry", e]))
    }

    pub(crate) fn has_access(&self) -> bool {
        self.ops.iter().any(|op| !matches!(op, Op::Put { .. }))
    }
}

impl Op {
    fn parse(v: &Value) -> Self {
        let (kind, name) = ["put", "grant", "cut", "hide", "unhide", "epoch"]
            .iter()
            .find_map(|kind| Some((*kind, v.get(kind)?.as_str()?.to_owned())))
            .unwrap();
        match kind {
            "put" => Self::Put { key: name, value: v["value"].as_i64().unwrap() },
            "grant" => Self::Grant { key: name, person: text(&v["person"]), role: text(&v["role"]) },
            "cut" => Self::Cut { target: name, n: number(&v["n"]), hash: maybe(&v["hash"]) },
            "hide" => Self::Hide { target: name, from: v["from"].as_u64().unwrap() },
            "unhide" => Self::Unhide { target: name },
            _ => Self::Epoch { id: name, to: texts(&v["to"]) },
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Put { key, value } => json!({"put": key, "value": value}),
            Self::Grant { key, person, role } => json!({"grant": key, "person": person, "role": role}),
            Self::Cut { target, n, hash } => json!({"cut": target, "n": n, "hash": hash}),
            Self::Hide { target, from } => json!({"hide": target, "from": from}),
            Self::Unhide { target } => json!({"unhide": target}),
            Self::Epoch { id, to } => json!({"epoch": id, "to": to}),
        }
    }
}

pub(crate) fn tree_hash(leaves: &[String]) -> String {
    digest(&json!(["tree", leaves]))
}

fn digest(value: &Value) -> String {
    let mut hasher = blake2::Blake2b::<U6>::new();
    Update::update(&mut hasher, serde_json::to_string(value).unwrap().as_bytes());
    data_encoding::HEXLOWER.encode(&hasher.finalize())
}

fn text(v: &Value) -> String {
    v.as_str().unwrap().to_owned()
}

fn maybe(v: &Value) -> Option<String> {
    v.as_str().map(str::to_owned)
}

fn number(v: &Value) -> usize {
    usize::try_from(v.as_u64().unwrap()).unwrap()
}

fn list(v: &Value) -> &[Value] {
    v.as_array().unwrap()
}

pub(crate) fn texts(v: &Value) -> Vec<String> {
    list(v).iter().map(text).collect()
}
