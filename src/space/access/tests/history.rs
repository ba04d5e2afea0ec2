//! Random histories: devices with partial views, some of them hostile, and a root. Hostile ones omit deps, name
//! trees that nobody signed, fork, back-date, replay others' acts, shrink deps, and help each other.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    dice::Dice,
    world::{Entry, Op, Record, RootOp, Tree, World, tree_hash},
};

/// A branch of a device's feed.
#[derive(Clone)]
struct Branch {
    writer: String,
    leaves: Vec<String>,
    clock: BTreeMap<String, usize>,
    /// Writers of whom it names what is not signed.
    bogus: BTreeSet<String>,
    /// First index that an honest device does not take.
    bad: Option<usize>,
}

impl Branch {
    fn good(&self, n: usize) -> usize {
        self.bad.map_or(n, |bad| n.min(bad))
    }
}

/// What a device has of a feed: which branch, how much.
type View = BTreeMap<String, (usize, usize)>;

pub(crate) struct History {
    dice: Dice,
    world: World,
    branches: Vec<Branch>,
    active: BTreeMap<String, usize>,
    view: BTreeMap<String, View>,
    pool: Vec<String>,
    hostile: BTreeSet<String>,
    granted: BTreeSet<String>,
    root: String,
    links: Vec<String>,
    superseded: Vec<String>,
    cut_entries: Vec<String>,
    old_ops: Vec<Op>,
    names: Vec<String>,
    values: i64,
}

impl History {
    pub(crate) fn random(seed: u64, most: usize) -> World {
        Self::of(seed, most, true)
    }

    /// Nobody is hostile, and nobody signs two histories.
    pub(crate) fn kind(seed: u64, most: usize) -> World {
        Self::of(seed, most, false)
    }

    fn of(seed: u64, most: usize, any: bool) -> World {
        let mut dice = Dice::new(seed);
        let size = dice.between(2, 6);
        let mut names: Vec<String> = ('a'..='y').rev().map(String::from).collect();
        let pool: Vec<String> = (0..size).filter_map(|_| names.pop()).collect();
        let hostile = pool.iter().filter(|_| dice.chance(350) && any).cloned().collect();
        let (mixed, root_acts, forks) =
            (dice.chance(300), dice.pick(&[70, 40, 15, 0]), dice.pick(&[0, 20, 120]));
        let (root_acts, forks) = if any { (root_acts, forks) } else { (root_acts / 4, 0) };
        let drops = if dice.chance(300) && any { 100 } else { 0 };
        let steps = dice.between(6, most);
        let mut h = Self {
            dice,
            world: World { space: "root0".into(), ..World::default() },
            branches: Vec::new(),
            active: BTreeMap::new(),
            view: BTreeMap::new(),
            pool: pool.clone(),
            hostile,
            granted: BTreeSet::new(),
            root: "root0".into(),
            links: Vec::new(),
            superseded: Vec::new(),
            cut_entries: Vec::new(),
            old_ops: Vec::new(),
            names,
            values: 0,
        };
        pool.iter().for_each(|device| h.start(device));
        let first = &pool[0];
        h.record(grant(first, first, "admin"), true);
        if h.dice.chance(500) {
            let role = h.dice.pick(&["admin", "writer"]);
            h.record(grant(&pool[1], first, role), true);
        }
        if h.dice.chance(700) {
            let many = h.dice.between(2, size);
            for device in &pool[1..many] {
                if !h.granted.contains(device) {
                    let person = if h.dice.chance(700) { first } else { device };
                    let role = if mixed && h.dice.chance(600) { "writer" } else { "admin" };
                    let deps = h.honest_deps(first);
                    h.append(first, vec![grant_op(device, person, role)], deps, true);
                }
            }
            pool[1..].iter().for_each(|device| h.gossip(device, first));
        }
        for _ in 0..steps {
            h.step(forks, root_acts);
        }
        let mut world = h.world;
        world.trees = h
            .branches
            .into_iter()
            .filter(|branch| !branch.leaves.is_empty())
            .map(|branch| Tree { writer: branch.writer, leaves: branch.leaves })
            .collect();
        let mut dice = h.dice;
        world.entries.retain(|_| !dice.chance(drops));
        world
    }

    fn start(&mut self, device: &str) {
        self.active.insert(device.into(), self.branches.len());
        self.branches.push(Branch {
            writer: device.into(),
            leaves: Vec::new(),
            clock: BTreeMap::new(),
            bogus: BTreeSet::new(),
            bad: None,
        });
        self.view.insert(device.into(), View::new());
    }

    fn branch(&self, device: &str) -> &Branch {
        &self.branches[self.active[device]]
    }

    fn record(&mut self, op: RootOp, linked: bool) -> String {
        if let RootOp::Grant { key, .. } = &op {
            self.granted.insert(key.clone());
        }
        let links = if linked { self.links.clone() } else { Vec::new() };
        let record = Record { root: self.root.clone(), links, op };
        let hash = record.hash();
        self.world.records.push(record);
        if linked {
            self.links = vec![hash.clone()];
        }
        hash
    }

    fn append(&mut self, device: &str, ops: Vec<Op>, deps: BTreeMap<String, (usize, String)>, honest: bool) {
        let at = self.active[device];
        let mut deps = deps;
        let mut entry = Entry {
            writer: device.into(),
            index: self.branches[at].leaves.len(),
            deps: BTreeMap::new(),
            ops,
        };
        let skips = !honest && self.dice.chance(50);
        if entry.has_access() && !skips {
            let old = self.full_clock(at);
            deps = old.into_iter().chain(deps).collect();
        }
        entry.deps = deps;
        let hash = entry.hash();
        for op in &entry.ops {
            match op {
                Op::Put { .. } => continue,
                Op::Grant { key, .. } => {
                    self.granted.insert(key.clone());
                }
                Op::Cut { .. } => self.cut_entries.push(hash.clone()),
                _ => {}
            }
            self.old_ops.push(op.clone());
        }
        let branch = &mut self.branches[at];
        branch.leaves.push(hash);
        if !entry.deps.contains_key(device) {
            branch.clock.extend(entry.deps.iter().map(|(writer, (n, _))| (writer.clone(), *n)));
        }
        if branch.bad.is_none() && !branch.bogus.is_disjoint(&self.granted) {
            branch.bad = Some(entry.index);
        }
        let n = branch.leaves.len();
        self.view.get_mut(device).unwrap().insert(device.into(), (at, n));
        self.world.entries.push(entry);
    }

    /// Last dep that a branch names of each writer.
    fn full_clock(&self, at: usize) -> BTreeMap<String, (usize, String)> {
        let mut clock = BTreeMap::new();
        for leaf in &self.branches[at].leaves {
            let entry = self.world.entries.iter().find(|e| e.hash() == *leaf).unwrap();
            if !entry.deps.contains_key(&entry.writer) {
                clock.extend(entry.deps.clone());
            }
        }
        clock
    }

    fn honest_deps(&self, device: &str) -> BTreeMap<String, (usize, String)> {
        let clock = &self.branch(device).clock;
        self.view[device]
            .iter()
            .filter(|(w, (_, n))| *w != device && *n > clock.get(*w).copied().unwrap_or(0))
            .map(|(w, (at, n))| (w.clone(), (*n, tree_hash(&self.branches[*at].leaves[..*n]))))
            .collect()
    }

    fn hostile_deps(&mut self, device: &str) -> BTreeMap<String, (usize, String)> {
        let mut deps = self.honest_deps(device);
        deps.retain(|_, _| self.dice.chance(500));
        let clock = self.branch(device).clock.clone();
        for writer in deps.keys().cloned().collect::<Vec<_>>() {
            if self.dice.chance(300) {
                let (at, n) = self.view[device][&writer];
                let n = self.dice.between(clock.get(&writer).copied().unwrap_or(1).clamp(1, n), n);
                deps.insert(writer, (n, tree_hash(&self.branches[at].leaves[..n])));
            }
        }
        let at = self.active[device];
        match self.dice.below(100) {
            0..8 => {
                let others: Vec<String> = self.pool.iter().cloned().chain(["z".into(), "w".into()]).collect();
                let writer = self.dice.pick(&others);
                if writer != device {
                    let n = clock.get(&writer).copied().unwrap_or(0) + self.dice.between(1, 4);
                    self.branches[at].bogus.insert(writer.clone());
                    deps.insert(writer, (n, "f".repeat(12)));
                }
            }
            8..10 => {
                deps.insert(device.into(), (1, "e".repeat(12)));
            }
            10..12 if !clock.is_empty() => {
                let writers: Vec<String> = clock.keys().cloned().collect();
                let writer = self.dice.pick(&writers);
                let old = self.full_clock(at).remove(&writer).unwrap();
                deps.insert(writer, (old.0.saturating_sub(1), old.1));
            }
            12..18 => {
                let any = self.dice.below(self.branches.len());
                let branch = self.branches[any].clone();
                if branch.writer != device && !branch.leaves.is_empty() {
                    let n = self.dice.between(1, branch.leaves.len());
                    if n >= clock.get(&branch.writer).copied().unwrap_or(0) {
                        deps.insert(branch.writer.clone(), (n, tree_hash(&branch.leaves[..n])));
                        if branch.good(n) < n {
                            self.branches[at].bogus.insert(branch.writer);
                        }
                    }
                }
            }
            _ => {}
        }
        deps
    }

    /// A cut of a writer at some length that the device has, not below `low`.
    fn head(&mut self, device: &str, target: &str, low: usize) -> (usize, Option<String>) {
        let (at, n) = self.view[device].get(target).copied().unwrap_or((self.active[target], 0));
        let n = self.dice.between(low.min(n), n);
        (n, (n > 0).then(|| tree_hash(&self.branches[at].leaves[..n])))
    }

    fn seen(&self, device: &str, target: &str) -> usize {
        self.view[device].get(target).map_or(0, |(_, n)| *n)
    }

    fn other(&mut self, device: &str) -> String {
        let others: Vec<String> = self.pool.iter().filter(|other| *other != device).cloned().collect();
        self.dice.pick(&others)
    }

    fn access_op(&mut self, device: &str, honest: bool) -> Op {
        let target = self.other(device);
        if !honest && !self.old_ops.is_empty() && self.dice.chance(150) {
            return self.dice.pick(&self.old_ops.clone());
        }
        let first = self.pool[0].clone();
        match self.dice.below(12) {
            0..4 if !honest && self.dice.chance(350) => {
                let person = self.dice.pick(&[device.to_owned(), first]);
                grant_op(&target, &person, "admin")
            }
            0..4 => {
                let fresh: Vec<String> = self
                    .pool
                    .iter()
                    .filter(|w| *w != device && !self.granted.contains(*w))
                    .cloned()
                    .collect();
                let key =
                    if !fresh.is_empty() && self.dice.chance(800) { self.dice.pick(&fresh) } else { target };
                let person = self.dice.pick(&[device.to_owned(), first, key.clone()]);
                let role = self.dice.pick(&["admin", "admin", "writer"]);
                grant_op(&key, &person, role)
            }
            4..9 if !honest && self.dice.chance(100) => {
                Op::Cut { target, n: self.dice.between(1, 4), hash: Some("d".repeat(12)) }
            }
            4..9 => {
                let low = if honest {
                    self.seen(device, &target)
                } else {
                    let named = self.branch(device).clock.get(&target).copied().unwrap_or(0);
                    named.saturating_sub(self.dice.below(2))
                };
                let (n, hash) = self.head(device, &target, low);
                Op::Cut { target, n, hash }
            }
            9 => {
                let from = self.dice.between(0, self.seen(device, &target));
                Op::Hide { target, from: u64::try_from(from).unwrap() }
            }
            10 => Op::Unhide { target },
            _ => {
                let mut to = self.pool.clone();
                to.retain(|_| self.dice.chance(600));
                Op::Epoch { id: format!("epoch{}", self.dice.below(10)), to }
            }
        }
    }

    fn put(&mut self) -> Op {
        self.values += 1;
        Op::Put { key: format!("k{}", self.dice.below(3)), value: self.values }
    }

    fn step(&mut self, forks: usize, root_acts: usize) {
        let device = self.dice.pick(&self.pool.clone());
        let roll = self.dice.below(1000);
        if roll < 420 {
            for _ in 0..self.dice.between(1, 2) {
                let other = self.dice.pick(&self.pool.clone());
                self.gossip(&device, &other);
            }
        } else if roll < 1000 - root_acts {
            if self.hostile.contains(&device) {
                self.hostile_act(&device, forks);
            } else if self.granted.contains(&device) {
                let mut ops =
                    vec![if self.dice.chance(350) { self.access_op(&device, true) } else { self.put() }];
                if self.dice.chance(150) {
                    ops.push(self.put());
                }
                if self.dice.chance(20) {
                    let leaves = self.branch(&device).leaves.clone();
                    let hash = (!leaves.is_empty()).then(|| tree_hash(&leaves));
                    ops = vec![Op::Cut { target: device.clone(), n: leaves.len(), hash }];
                }
                let deps = self.honest_deps(&device);
                self.append(&device, ops, deps, true);
            }
        } else {
            self.root_act(&device);
        }
    }

    /// A device pulls what another has. The first branch seen is kept.
    fn gossip(&mut self, a: &str, b: &str) {
        if self.hostile.contains(a) && self.dice.chance(300) {
            return;
        }
        for (writer, (at, n)) in self.view[b].clone() {
            let n = self.branches[at].good(n);
            if writer == a || n == 0 {
                continue;
            }
            let mine = self.view[a].get(&writer).copied();
            let extends = |(had, m): (usize, usize)| {
                n > m && self.branches[at].leaves[..m] == self.branches[had].leaves[..m]
            };
            if mine.is_none_or(extends) {
                self.view.get_mut(a).unwrap().insert(writer, (at, n));
            }
        }
    }

    fn hostile_act(&mut self, device: &str, forks: usize) {
        let at = self.active[device];
        let roll = self.dice.below(1000);
        if roll < forks && !self.branches[at].leaves.is_empty() {
            let keep = self.dice.below(self.branches[at].leaves.len());
            let mut twin = self.branches[at].clone();
            twin.leaves.truncate(keep);
            twin.bad = twin.bad.filter(|bad| *bad < keep);
            self.active.insert(device.into(), self.branches.len());
            self.branches.push(twin);
            let new = self.active[device];
            self.branches[new].clock =
                self.full_clock(new).into_iter().map(|(writer, (n, _))| (writer, n)).collect();
            let ops = vec![self.put()];
            self.append(device, ops, BTreeMap::new(), false);
        } else if roll < 180 {
            // Two friends, one naming what the other will never sign.
            let friend = self.other(device);
            let named = self.branches[at].clock.get(&friend).copied().unwrap_or(0);
            let n = self.branch(&friend).leaves.len().max(named) + 3;
            self.branches[at].bogus.insert(friend.clone());
            let ops = vec![self.put()];
            self.append(device, ops, BTreeMap::from([(friend.clone(), (n, "c".repeat(12)))]), false);
            let m = self.branches[at].leaves.len();
            if self.hostile.contains(&friend)
                && m >= self.branch(&friend).clock.get(device).copied().unwrap_or(0)
            {
                let theirs = self.active[&friend];
                self.branches[theirs].bogus.insert(device.into());
                let hash = tree_hash(&self.branches[at].leaves);
                let ops = vec![self.put()];
                self.append(&friend, ops, BTreeMap::from([(device.to_owned(), (m, hash))]), false);
            }
        } else if roll < 220 {
            // A dep on a key that somebody may grant later.
            let mut fresh: Vec<String> =
                self.pool.iter().filter(|w| !self.granted.contains(*w)).cloned().collect();
            fresh.push("z".into());
            let key = self.dice.pick(&fresh);
            if key != device && !self.branches[at].clock.contains_key(&key) {
                self.branches[at].bogus.insert(key.clone());
                let n = self.dice.between(1, 5);
                let ops = vec![self.put()];
                self.append(device, ops, BTreeMap::from([(key, (n, "b".repeat(12)))]), false);
            }
        } else if roll < 260 {
            // A better role for a friend, who uses it at once.
            let friend = self.other(device);
            let deps = self.hostile_deps(device);
            let first = self.pool[0].clone();
            self.append(device, vec![grant_op(&friend, &first, "admin")], deps, false);
            self.gossip(&friend, device);
            let fresh: Vec<String> =
                self.pool.iter().filter(|w| !self.granted.contains(*w)).cloned().collect();
            if let (Some(key), false) = (fresh.first(), self.hostile.contains(&friend)) {
                let deps = self.honest_deps(&friend);
                self.append(&friend, vec![grant_op(key, key, "writer")], deps, true);
                self.gossip(key, &friend);
                let (ops, deps) = (vec![self.put()], self.honest_deps(key));
                self.append(key, ops, deps, true);
            }
        } else if roll < 320 {
            // Back to another branch.
            let mine: Vec<usize> =
                (0..self.branches.len()).filter(|at| self.branches[*at].writer == device).collect();
            let at = self.dice.pick(&mine);
            self.active.insert(device.into(), at);
            let n = self.branches[at].leaves.len();
            self.view.get_mut(device).unwrap().insert(device.into(), (at, n));
        } else {
            let mut ops =
                vec![if self.dice.chance(600) { self.access_op(device, false) } else { self.put() }];
            if self.dice.chance(200) {
                ops.push(self.access_op(device, false));
            }
            let deps = self.hostile_deps(device);
            self.append(device, ops, deps, false);
        }
    }

    fn root_act(&mut self, device: &str) {
        let linked = !self.dice.chance(150);
        let known: Vec<String> = self.pool.iter().filter(|w| self.granted.contains(*w)).cloned().collect();
        let mut voids = self.cut_entries.clone();
        self.dice.shuffle(&mut voids);
        voids.truncate(self.dice.between(1, 2));
        let first = self.pool[0].clone();
        match self.dice.below(120) {
            0..50 => {
                let target = self.dice.pick(&known);
                let low = if self.dice.chance(300) { 0 } else { self.seen(device, &target) };
                let (n, hash) = self.head(device, &target, low);
                if !self.dice.chance(400) {
                    voids.clear();
                }
                self.record(RootOp::Cut { target, n, hash, voids }, linked);
            }
            50..70 => {
                let (key, role) = (self.dice.pick(&self.pool.clone()), self.dice.pick(&["admin", "writer"]));
                self.record(grant(&key, &first, role), linked);
            }
            70..90 if !voids.is_empty() => {
                self.record(RootOp::Voids(voids), linked);
            }
            90..112 => {
                let Some(key) = self.names.pop() else { return };
                self.start(&key);
                let successor = self.dice.chance(550);
                if successor {
                    let (old, new) = (self.root.clone(), format!("{}'", self.root));
                    let hash = self.record(RootOp::Successor(new.clone()), true);
                    self.superseded.push(old.clone());
                    let rival = self.dice.chance(200);
                    if rival {
                        self.record(RootOp::Successor(format!("{new}rival")), false);
                    }
                    self.root = new;
                    self.links = vec![hash.clone()];
                    if self.dice.chance(600) {
                        self.world.pins.insert(old, hash);
                    }
                }
                if successor || self.dice.chance(500) {
                    for target in known {
                        let low = self.seen(device, &target);
                        let (n, hash) = self.head(device, &target, low);
                        self.record(RootOp::Cut { target, n, hash, voids: Vec::new() }, true);
                    }
                }
                self.record(grant(&key, &first, "admin"), true);
                let mut view = self.view[device].clone();
                view.retain(|_, (at, n)| {
                    *n = self.branches[*at].good(*n);
                    *n > 0
                });
                self.view.insert(key.clone(), view);
                self.pool.push(key);
            }
            _ if !self.superseded.is_empty() => {
                let old = self.dice.pick(&self.superseded.clone());
                let root = core::mem::replace(&mut self.root, old);
                let key = self.dice.pick(&self.pool.clone());
                if self.dice.chance(500) {
                    self.record(grant(&key, &key, "admin"), false);
                } else {
                    let (n, hash) = self.head(device, &key, 0);
                    self.record(RootOp::Cut { target: key, n, hash, voids: Vec::new() }, false);
                }
                self.root = root;
            }
            _ => {}
        }
    }
}

fn grant(key: &str, person: &str, role: &str) -> RootOp {
    RootOp::Grant { key: key.into(), person: format!("p:{person}"), role: role.into() }
}

fn grant_op(key: &str, person: &str, role: &str) -> Op {
    Op::Grant { key: key.into(), person: format!("p:{person}"), role: role.into() }
}
