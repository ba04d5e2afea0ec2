//! Values, operations and entries in JSON, so that both sides build the same thing from the same text.
//!
//! ```text
//! ["null"] ["bool", true] ["int", "-1"] ["float", "3ff8000000000000"] ["text", "…"] ["bytes", "…"]
//! ["array", […]] ["map", [["key", …], …]] ["date", "0"] ["object", "…"] ["blob", "…"]
//! ["inside arrays", 64, value]  the value inside so many arrays of one      ["inside maps", …]  under the key ""
//! ```
//! Integers are decimal text, floats the 64 bits big endian, bytes hexadecimal. A key twice is expressible.

use serde_json::{Value as Json, json};

use crate::{
    codec::{Value, decode_value},
    crypto::{Hash, hex},
    space::{AccessOp, Cut, Dep, Entry, Grant, Op, Role, RootItem, Seal},
};

pub(super) fn value(value: &Value) -> Json {
    if let Some(json) = inside(value) {
        return json;
    }
    match value {
        Value::Null => json!(["null"]),
        Value::Bool(yes) => json!(["bool", yes]),
        Value::Integer(number) => json!(["int", number.to_string()]),
        Value::Float(number) => json!(["float", hex(&number.to_bits().to_be_bytes())]),
        Value::Text(text) => json!(["text", text]),
        Value::Bytes(bytes) => json!(["bytes", hex(bytes)]),
        Value::Array(items) => json!(["array", items.iter().map(self::value).collect::<Vec<_>>()]),
        Value::Map(pairs) => {
            json!([
                "map",
                pairs.iter().map(|(key, value)| json!([key, self::value(value)])).collect::<Vec<_>>()
            ])
        }
        Value::Date(ms) => json!(["date", ms.to_string()]),
        Value::Object(id) => json!(["object", hex(id)]),
        Value::Blob(reference) => json!(["blob", hex(reference)]),
    }
}

/// Deep nesting by its count: readers of JSON have a limit of their own.
fn inside(value: &Value) -> Option<Json> {
    type Peel = fn(&Value) -> Option<&Value>;
    let array: Peel = |value| match value {
        Value::Array(items) if items.len() == 1 => items.first(),
        _ => None,
    };
    let map: Peel = |value| match value {
        Value::Map(pairs) => {
            pairs.first().filter(|(key, _)| key.is_empty() && pairs.len() == 1).map(|(_, value)| value)
        }
        _ => None,
    };
    [("inside arrays", array), ("inside maps", map)].into_iter().find_map(|(name, peel)| {
        let mut innermost = value;
        let mut levels = 0;
        while let Some(inner) = peel(innermost) {
            (innermost, levels) = (inner, levels + 1);
        }
        (levels > 8).then(|| json!([name, levels, self::value(innermost)]))
    })
}

pub(super) fn entry(entry: &Entry) -> Json {
    let dep = |dep: &Dep| json!({ "writer": dep.writer.to_string(), "length": dep.length, "tree_hash": dep.tree_hash.to_string() });
    json!({
        "full_clock": entry.full_clock,
        "deps": entry.deps.iter().map(dep).collect::<Vec<_>>(),
        "previous_access": entry.previous_access,
        "time": entry.time,
        "access": entry.access.iter().map(access).collect::<Vec<_>>(),
        "public": ops(&entry.public),
        "sealed": entry.sealed.as_ref().map(|sealed| json!({
            "epoch": sealed.epoch.to_string(), "nonce": hex(&sealed.nonce), "ciphertext": hex(&sealed.ciphertext),
        })),
    })
}

pub(super) fn ops(ops: &[Op]) -> Json {
    ops.iter()
        .map(|op| match op {
            Op::Put { key, value } => {
                json!({ "op": "put", "key": key, "value": self::value(&decode_value(value).unwrap()) })
            }
            Op::Delete { key } => json!({ "op": "delete", "key": key }),
            Op::MessageKey(key) => json!({ "op": "message key", "key": hex(key.as_slice()) }),
            Op::Adopted { original, key, value } => {
                let value = self::value(&decode_value(value).unwrap());
                json!({ "op": "adopted put", "original": original.to_string(), "key": key, "value": value })
            }
            Op::Membership { space, writer, left } => {
                json!({ "op": "membership", "space": space.to_string(), "writer": writer.to_string(), "left": left })
            }
            Op::SpaceSecret { space, sealed } => {
                json!({ "op": "space secret", "space": space.to_string(), "sealed": hex(sealed.as_slice()) })
            }
            Op::Unknown { kind, body } => json!({ "op": "unknown", "kind": kind, "body": hex(body) }),
        })
        .collect()
}

fn access(op: &AccessOp) -> Json {
    match op {
        AccessOp::Grant(grant) => self::grant(grant),
        AccessOp::Cut(cut) => self::cut(cut),
        AccessOp::Hide { writer, from } => {
            json!({ "op": "hide", "writer": writer.to_string(), "from": from })
        }
        AccessOp::Unhide { writer } => json!({ "op": "unhide", "writer": writer.to_string() }),
        AccessOp::Epoch { id, seals, root } => {
            json!({ "op": "epoch", "id": id.to_string(), "seals": self::seals(seals), "root": hex(root) })
        }
        AccessOp::Seal { epoch, seals, root } => {
            json!({ "op": "seal", "id": epoch.to_string(), "seals": self::seals(seals), "root": root.map(|root| hex(&root)) })
        }
        AccessOp::Invite(invite) => {
            let role = role(invite.role);
            json!({ "op": "invite", "key": invite.key.to_string(), "role": role, "uses": invite.uses, "expires": invite.expires })
        }
        AccessOp::Pin(pin) => {
            json!({ "op": "pin", "replica": pin.replica.to_string(), "label": pin.label })
        }
        AccessOp::Unpin { replica } => json!({ "op": "unpin", "replica": replica.to_string() }),
        AccessOp::Unknown { kind, body } => json!({ "op": "unknown", "kind": kind, "body": hex(body) }),
    }
}

pub(super) fn item(item: &RootItem) -> Json {
    let hashes = |hashes: &[Hash]| json!(hashes.iter().map(Hash::to_string).collect::<Vec<_>>());
    match item {
        RootItem::Grant(grant) => self::grant(grant),
        RootItem::Cut { cut, voids } => {
            let mut json = self::cut(cut);
            json["voids"] = hashes(voids);
            json
        }
        RootItem::Void(voids) => json!({ "op": "void", "voids": hashes(voids) }),
        RootItem::Successor(root) => json!({ "op": "successor", "root": root.to_string() }),
        RootItem::Unknown { kind, body } => json!({ "op": "unknown", "kind": kind, "body": hex(body) }),
    }
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Writer => "writer",
        Role::Admin => "admin",
    }
}

fn grant(grant: &Grant) -> Json {
    let mut json = json!({
        "op": "grant", "writer": grant.writer.to_string(), "person": grant.person.0.to_string(),
        "role": role(grant.role),
        "from_now_on": grant.from_now_on, "install_id": hex(&grant.install_id),
        "name": grant.name.as_ref().map(|name| json!({
            "epoch": name.epoch.to_string(), "nonce": hex(&name.nonce), "ciphertext": hex(&name.ciphertext),
        })),
    });
    if let Some(invite) = &grant.invite {
        json["invite"] = json!({ "key": invite.invite.to_string(), "signature": hex(&invite.signature.0) });
    }
    json
}

fn cut(cut: &Cut) -> Json {
    json!({
        "op": "cut", "writer": cut.writer.to_string(), "length": cut.length,
        "tree_hash": cut.tree_hash.to_string(), "head": hex(&cut.head), "proof": hex(&cut.proof),
    })
}

fn seals(seals: &[Seal]) -> Json {
    seals.iter().map(|seal| json!({ "writer": seal.writer.to_string(), "key": hex(&seal.key) })).collect()
}
