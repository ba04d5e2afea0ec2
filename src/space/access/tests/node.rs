//! A node that receives a real history piece by piece, and can say what it makes of it in the vectors' words.

mod stored;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{
    dice::Dice,
    real::Real,
    world::{Op, RootOp, Tree, World, tree_hash as abstract_tree_hash},
};
use crate::{
    crypto::{Hash, PublicKey},
    space::{
        Entry, Role, RootRecord,
        access::{Access, Change, CutVerdict, GrantSource, Prefix, Signed, Status, Trees, WriterStanding},
    },
};

/// What is delivered at once.
#[derive(Clone, Default)]
pub(crate) struct Item {
    record: Option<usize>,
    pin: Option<String>,
    trees: Vec<Tree>,
    entry: Option<usize>,
}

/// Deliverable items: a cut travels with its head; a block with the tree up to it, or a tree without blocks.
pub(crate) fn items(world: &World) -> Vec<Item> {
    let mut heads = BTreeMap::new();
    for tree in &world.trees {
        for n in 1..=tree.leaves.len() {
            let leaves = tree.leaves[..n].to_vec();
            heads.insert((tree.writer.clone(), n, abstract_tree_hash(&leaves)), leaves);
        }
    }
    let carried = |target: &String, n: usize, hash: &Option<String>| -> Option<Tree> {
        let leaves = heads.get(&(target.clone(), n, hash.clone()?))?.clone();
        Some(Tree { writer: target.clone(), leaves })
    };
    let mut items = Vec::new();
    for (i, record) in world.records.iter().enumerate() {
        let trees = match &record.op {
            RootOp::Cut { target, n, hash, .. } => carried(target, *n, hash).into_iter().collect(),
            _ => Vec::new(),
        };
        items.push(Item { record: Some(i), trees, ..Item::default() });
    }
    items.extend(world.pins.keys().map(|root| Item { pin: Some(root.clone()), ..Item::default() }));
    let have: BTreeMap<String, usize> =
        world.entries.iter().enumerate().map(|(i, e)| (e.hash(), i)).collect();
    for tree in &world.trees {
        for n in 1..=tree.leaves.len() {
            let mut trees = vec![Tree { writer: tree.writer.clone(), leaves: tree.leaves[..n].to_vec() }];
            let entry = have.get(&tree.leaves[n - 1]).copied();
            for op in entry.iter().flat_map(|i| &world.entries[*i].ops) {
                if let Op::Cut { target, n, hash } = op {
                    trees.extend(carried(target, *n, hash));
                }
            }
            items.push(Item { trees, entry, ..Item::default() });
        }
    }
    items
}

/// Length of the longest tree in an item: to deliver in about the order of writing.
pub(crate) fn depth(item: &Item) -> usize {
    item.trees.first().map_or(0, |tree| tree.leaves.len())
}

pub(crate) struct Node<'a> {
    world: &'a World,
    real: &'a mut Real,
    pub(crate) access: Access,
    heads: Heads,
    /// What arrived.
    pub(crate) held: World,
    blocks: BTreeMap<String, usize>,
    /// What the engine was given, by writer.
    given: BTreeMap<String, Vec<String>>,
    strays: BTreeSet<String>,
    mirror: BTreeMap<(PublicKey, u64), (Status, Option<u64>)>,
    /// How often a shallow engine wanted to be told all.
    pub(crate) deepened: usize,
}

/// The signed heads that a node knows.
#[derive(Default)]
struct Heads {
    prefixes: BTreeMap<(PublicKey, u64, Hash), Vec<String>>,
    trees: BTreeMap<PublicKey, BTreeSet<Vec<String>>>,
}

fn common(a: &[String], b: &[String]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

fn long(n: usize) -> u64 {
    u64::try_from(n).unwrap()
}

impl Trees for Heads {
    fn length(&self, writer: &PublicKey) -> u64 {
        long(self.trees.get(writer).into_iter().flatten().map(Vec::len).max().unwrap_or(0))
    }

    fn fork(&self, writer: &PublicKey) -> Option<u64> {
        let trees = self.trees.get(writer)?;
        let longest = trees.iter().max_by_key(|tree| tree.len())?;
        let forks = trees.iter().map(|tree| (common(longest, tree), tree.len()));
        forks.filter(|(n, len)| n < len).map(|(n, _)| long(n)).min()
    }

    fn signed(&self, writer: &PublicKey, length: u64, tree_hash: &Hash) -> Signed {
        if self.prefixes.contains_key(&(*writer, length, *tree_hash)) {
            Signed::Yes
        } else if length <= self.length(writer) {
            Signed::Contradicted
        } else {
            Signed::Unknown
        }
    }

    fn shared(&self, writer: &PublicKey, a: &Prefix, b: &Prefix) -> u64 {
        let leaves = |p: &Prefix| &self.prefixes[&(*writer, p.length, p.tree_hash)];
        long(common(leaves(a), leaves(b)))
    }
}

impl<'a> Node<'a> {
    pub(crate) fn new(world: &'a World, real: &'a mut Real) -> Self {
        let access = Access::new(real.root(&world.space));
        let held = World { space: world.space.clone(), ..World::default() };
        Self {
            world,
            real,
            access,
            heads: Heads::default(),
            held,
            blocks: BTreeMap::new(),
            given: BTreeMap::new(),
            strays: BTreeSet::new(),
            mirror: BTreeMap::new(),
            deepened: 0,
        }
    }

    /// Takes items, and lets the engine know of them, without settling.
    pub(crate) fn receive(&mut self, item: &Item) {
        for tree in &item.trees {
            self.receive_tree(tree);
        }
        if let Some(i) = item.record {
            let record = &self.world.records[i];
            let bytes = &self.real.records[&record.hash()];
            let decoded = RootRecord::decode(&self.real.root(&self.world.space), bytes).unwrap();
            assert_eq!(
                self.access.add_record(&decoded),
                !self.held.records.iter().any(|r| r.hash() == record.hash())
            );
            self.held.records.push(record.clone());
        }
        if let Some(root) = &item.pin {
            let record = self.world.pins[root].clone();
            self.access.pin(self.real.root(root), self.real.record_hashes[&record]);
            self.held.pins.insert(root.clone(), record);
        }
        if let Some(i) = item.entry {
            let entry = &self.world.entries[i];
            if self.blocks.insert(entry.hash(), i).is_none() {
                self.held.entries.push(entry.clone());
            }
            let writer = entry.writer.clone();
            self.give(&writer);
        }
        for tree in &item.trees {
            self.give(&tree.writer);
        }
    }

    fn receive_tree(&mut self, tree: &Tree) {
        let key = self.real.keys[&tree.writer];
        for n in 1..=tree.leaves.len() {
            let hash = self.real.head(&tree.writer, &tree.leaves[..n]);
            self.heads.prefixes.insert((key, long(n), hash), tree.leaves[..n].to_vec());
        }
        self.heads.trees.entry(key).or_default().insert(tree.leaves.clone());
        self.held.trees.push(tree.clone());
        self.access.grew(&key);
    }

    /// Gives the engine the blocks that it expects of a feed.
    fn give(&mut self, writer: &str) {
        let key = self.real.keys[writer];
        let given = self.given.entry(writer.to_owned()).or_default();
        let next = usize::try_from(self.access.next(&key)).unwrap();
        given.truncate(next);
        let trees = self.heads.trees.get(&key);
        let trees: Vec<&Vec<String>> = trees.into_iter().flatten().collect();
        let pinned = self.access.branch(&key).filter(|pin| pin.length > 0);
        let pinned = pinned.map(|pin| &self.heads.prefixes[&(key, pin.length, pin.tree_hash)]);
        let fits = |tree: &&&Vec<String>| {
            common(tree, given) == given.len()
                && pinned.is_none_or(|pin| common(tree, pin) == pin.len().min(tree.len()))
        };
        if let Some(tree) = trees.iter().filter(fits).max_by_key(|tree| tree.len()) {
            for leaf in tree.iter().skip(given.len()) {
                if !self.blocks.contains_key(leaf) {
                    break;
                }
                let (block, hash) = &self.real.blocks[leaf];
                let entry = Entry::decode(block).unwrap();
                assert!(self.access.add_entry(&key, long(given.len()), *hash, Some(&entry)));
                given.push(leaf.clone());
            }
        }
        if let Some(fork) = self.heads.fork(&key) {
            let fork = usize::try_from(fork).unwrap();
            for leaf in trees.iter().flat_map(|tree| tree.iter().skip(fork)) {
                if self.blocks.contains_key(leaf) && self.strays.insert(leaf.clone()) {
                    let (block, hash) = &self.real.blocks[leaf];
                    self.access.add_stray(&key, *hash, &Entry::decode(block).unwrap());
                }
            }
        }
    }

    /// Settles until nothing is to be given again; checks what was reported against what is answered.
    pub(crate) fn settle(&mut self, all: bool) {
        loop {
            if all {
                self.access.judge_all(&self.heads);
            } else {
                self.access.settle(&self.heads);
            }
            if self.access.wants_history() {
                self.deepened += 1;
                self.restore();
                continue;
            }
            let mut again = BTreeSet::new();
            while let Some(change) = self.access.poll_change() {
                match change {
                    Change::Rewound { writer, from } => {
                        self.mirror.retain(|(key, index), _| *key != writer || *index < from);
                        again.insert(self.real.names[&writer].clone());
                    }
                    Change::Status { writer, from, to, status } => {
                        for index in from..to {
                            self.mirror.insert((writer, index), (status, self.access.order(&writer, index)));
                        }
                    }
                }
            }
            if again.is_empty() {
                break;
            }
            for writer in again {
                self.give(&writer);
            }
        }
        for (name, key) in &self.real.keys {
            for index in 0..self.access.next(key) {
                let status = self.access.status(key, index).unwrap();
                let (shown, order) = self.mirror[&(*key, index)];
                assert_eq!(status, shown, "{name} {index}: a change was not reported");
                if matches!(status, Status::Counted | Status::Hidden) {
                    assert_eq!(
                        order,
                        self.access.order(key, index),
                        "{name} {index}: a new order was not reported"
                    );
                }
            }
        }
    }

    /// What the engine makes of it, in the shape of a vector's `expected`.
    pub(crate) fn report(&self) -> Value {
        let (real, access) = (&*self.real, &self.access);
        let (mut entries, mut values) = (Map::new(), BTreeMap::new());
        let standing: BTreeMap<_, _> = access.writers().into_iter().map(|w| (w.key, w.standing)).collect();
        for e in &self.held.entries {
            let (key, hash) = (real.keys[&e.writer], e.hash());
            let given = self.given.get(&e.writer).and_then(|given| given.get(e.index)) == Some(&hash);
            let status = match (given, standing.get(&key)) {
                (true, _) => access.status(&key, long(e.index)).unwrap(),
                // Not on the branch that was given, or after a block that is not held.
                (false, Some(WriterStanding::Forked)) if self.is_stray(e.index, &key) => Status::Suspended,
                (false, Some(WriterStanding::RootCut)) if self.is_off(&key, e.index, &hash) => {
                    Status::Quarantined
                }
                (false, _) => Status::Pending,
            };
            let counts = matches!(status, Status::Counted | Status::Hidden);
            let order = counts.then(|| access.order(&key, long(e.index)).unwrap());
            entries.insert(hash.clone(), json!([status_name(status), order]));
            for (i, op) in e.ops.iter().enumerate().filter(|_| status == Status::Counted) {
                if let Op::Put { key: name, value } = op {
                    let new = ((order, key, i), *value, hash.clone());
                    let best = values.entry(name.clone()).or_insert_with(|| new.clone());
                    if new.0 > best.0 {
                        *best = new;
                    }
                }
            }
        }
        let mut writers = Map::new();
        for w in access.writers() {
            let mut persons: Vec<&String> = w.persons.iter().map(|p| &real.persons[p]).collect();
            persons.sort();
            let state = match w.standing {
                WriterStanding::Active => "active",
                WriterStanding::Cut => "cut",
                WriterStanding::RootCut => "root-cut",
                WriterStanding::Forked => "forked",
                WriterStanding::Suspended => "suspended",
                WriterStanding::Ungranted => "ungranted",
            };
            writers.insert(
                real.names[&w.key].clone(),
                json!({"state": state, "n": w.cut_at, "role": w.role.map(role_name), "persons": persons}),
            );
            assert_eq!(access.writer(&w.key).as_ref(), Some(&w));
        }
        let mut grants: Vec<[String; 4]> = Vec::new();
        for grant in access.grants() {
            if let GrantSource::Entry { hash, .. } = grant.source {
                let (key, person) = (&real.names[&grant.writer], &real.persons[&grant.person]);
                let role = role_name(grant.role).to_owned();
                grants.push([real.entry_names[&hash].clone(), key.clone(), person.clone(), role]);
            }
        }
        grants.sort();
        let mut cuts: Vec<(String, String, u64, &str)> = access
            .cuts()
            .iter()
            .map(|cut| {
                let verdict = verdict_name(cut.verdict);
                (real.entry_names[&cut.hash].clone(), real.names[&cut.target].clone(), cut.length, verdict)
            })
            .collect();
        cuts.sort();
        let mut epochs = Map::new();
        for epoch in access.epochs() {
            let what = json!({"author": real.names[&epoch.author], "usable": epoch.usable});
            epochs.insert(real.epoch_names[&epoch.id].clone(), what);
        }
        let values: Map<String, Value> =
            values.into_iter().map(|(key, (_, value, hash))| (key, json!([value, hash]))).collect();
        let contested: Vec<String> = access.contested().iter().map(|root| real.root_name(root)).collect();
        let records: BTreeSet<&String> =
            access.records().iter().map(|hash| &real.record_names[hash]).collect();
        json!({"root": real.root_name(&access.root()), "contested": contested, "records": records,
            "writers": writers, "entries": entries, "grants": grants, "cuts": cuts, "epochs": epochs,
            "values": values})
    }

    fn is_stray(&self, index: usize, key: &PublicKey) -> bool {
        self.heads.fork(key).is_some_and(|fork| long(index) >= fork)
    }

    /// Whether an entry is not among those that a root cut leaves.
    fn is_off(&self, key: &PublicKey, index: usize, hash: &String) -> bool {
        let cut_at = self.access.logs.find(key).place.length;
        let pin = self.access.branch(key).unwrap();
        long(index) >= cut_at
            || self.heads.prefixes[&(*key, pin.length, pin.tree_hash)].get(index) != Some(hash)
    }
}

/// Takes what is only a label from a report: entries that wait are pending to a node that has not looked further,
/// though they are void already.
pub(crate) fn soften(report: &mut Value, by: &Value) {
    for (hash, entry) in report["entries"].as_object_mut().unwrap() {
        if entry[0] == "void" && by["entries"][hash][0] == "pending" {
            entry[0] = json!("pending");
        }
    }
    let softer: BTreeSet<String> = by["cuts"].as_array().unwrap().iter().map(Value::to_string).collect();
    for cut in report["cuts"].as_array_mut().unwrap() {
        if cut[3] == "void" {
            let mut soft = cut.clone();
            soft[3] = json!("pending");
            if softer.contains(&soft.to_string()) {
                *cut = soft;
            }
        }
    }
    let mut cuts = report["cuts"].as_array().unwrap().clone();
    cuts.sort_by_key(|cut| (cut[0].to_string(), cut[1].to_string(), cut[2].as_u64(), cut[3].to_string()));
    report["cuts"] = json!(cuts);
}

/// Delivers a world in several orders and batchings, and compares on the way and at the end.
pub(crate) fn replay(name: &str, world: &World, expected: &Value, seed: u64, orders: usize) {
    let mut real = Real::build(world, seed);
    let mut dice = Dice::new(seed ^ 0xD1CE);
    for order in 0..orders {
        let mut items = items(world);
        dice.shuffle(&mut items);
        if order % 2 == 1 {
            items.sort_by_cached_key(|item| depth(item) + dice.below(5));
        }
        // Singly; in batches; all at once. Judging all, or only what can be.
        let batch = match order % 3 {
            0 => 1,
            1 => dice.between(2, 9),
            _ => items.len().max(1),
        };
        let all = dice.chance(300);
        let look = dice.below(items.len().div_ceil(batch).max(1));
        let mut node = Node::new(world, &mut real);
        for (at, batch) in items.chunks(batch).enumerate() {
            batch.iter().for_each(|item| node.receive(item));
            let all = all || dice.chance(100);
            node.settle(all);
            if dice.chance(150) {
                let before = node.report();
                node.restore();
                node.settle(all);
                let (mut before, after) = (before, node.report());
                if !all {
                    soften(&mut before, &after);
                }
                assert_same(name, seed, order, "restored", &before, &after);
            }
            if at == look {
                let (mut want, got) = (super::super::reference::evaluate(&node.held), node.report());
                if !all {
                    soften(&mut want, &got);
                }
                assert_same(name, seed, order, "on the way", &want, &got);
            }
        }
        let (mut want, got) = (expected.clone(), node.report());
        soften(&mut want, &got);
        assert_same(name, seed, order, "before judging all", &want, &got);
        node.settle(true);
        assert_same(name, seed, order, "at the end", expected, &node.report());
    }
}

fn assert_same(name: &str, seed: u64, order: usize, when: &str, want: &Value, got: &Value) {
    if want == got {
        return;
    }
    for (part, want) in want.as_object().unwrap() {
        if *want == got[part] {
            continue;
        }
        match (want.as_object(), got[part].as_object()) {
            (Some(want), Some(got)) => {
                let keys: BTreeSet<&String> = want.keys().chain(got.keys()).collect();
                for key in keys.into_iter().filter(|key| want.get(*key) != got.get(*key)) {
                    eprintln!("{part} {key}: want {:?} got {:?}", want.get(key), got.get(key));
                }
            }
            _ => eprintln!("{part}: want {want} got {}", got[part]),
        }
    }
    panic!("{name} seed {seed} order {order}: differs {when}");
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Admin => "admin",
        Role::Writer => "writer",
    }
}

fn status_name(status: Status) -> &'static str {
    match status {
        Status::Counted => "counted",
        Status::Hidden => "hidden",
        Status::Pending => "pending",
        Status::Void => "void",
        Status::Quarantined => "quarantined",
        Status::Suspended => "suspended",
        Status::Ungranted => "ungranted",
    }
}

fn verdict_name(verdict: CutVerdict) -> &'static str {
    match verdict {
        CutVerdict::Effective => "effective",
        CutVerdict::Pending => "pending",
        CutVerdict::Void => "void",
        CutVerdict::AuthorNotGranted => "author not granted",
        CutVerdict::AuthorCut => "author cut",
        CutVerdict::TargetNotGranted => "target not granted",
        CutVerdict::NoRight => "no right",
        CutVerdict::NoSuchHead => "void: no such head",
        CutVerdict::BelowAcknowledged => "void: below what it acknowledged",
        CutVerdict::Voided => "voided by root",
    }
}
