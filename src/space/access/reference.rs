//! The rules once more, from scratch and without any cleverness, over abstract histories: the engine must agree.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use serde_json::{Map, Value, json};

use super::tests::world::{Entry, Op, RootOp, World, tree_hash};

type Past = BTreeSet<usize>;
/// (granting entry if any, person, role).
type Granted = (Option<usize>, String, String);
/// Lowest effective device cut by key; counted grants by key.
type State = (BTreeMap<String, usize>, BTreeMap<String, Vec<Granted>>);

const NO: usize = usize::MAX;

/// What follows from a world, in the shape of a vector's `expected`.
pub(super) fn evaluate(world: &World) -> Value {
    Model::new(world).report()
}

fn rank(role: Option<&str>) -> usize {
    role.map_or(0, |role| if role == "admin" { 2 } else { 1 })
}

fn common(a: &[String], b: &[String]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

struct RootFacts {
    records: BTreeSet<String>,
    root: String,
    contested: Vec<String>,
}

fn root_records(world: &World) -> RootFacts {
    let held: BTreeMap<String, _> = world.records.iter().map(|r| (r.hash(), r)).collect();
    let (mut root, mut counted, mut seen) = (world.space.clone(), BTreeSet::new(), BTreeSet::new());
    loop {
        seen.insert(root.clone());
        let mine = || held.iter().filter(|(_, r)| r.root == root);
        let heirs: Vec<(String, String)> = mine()
            .filter_map(|(h, r)| match &r.op {
                RootOp::Successor(next) if !seen.contains(next) => Some((h.clone(), next.clone())),
                _ => None,
            })
            .collect();
        let heir = match world.pins.get(&root) {
            Some(pin) => heirs.iter().find(|(h, _)| h == pin),
            None if heirs.len() == 1 => heirs.first(),
            None => None,
        };
        let Some((heir, next)) = heir.cloned() else {
            counted.extend(mine().map(|(h, _)| h.clone()));
            let contested = if heirs.is_empty() { vec![] } else { vec![root.clone()] };
            return RootFacts { records: counted, root, contested };
        };
        let (mut line, mut todo) = (BTreeSet::new(), vec![heir]);
        while let Some(h) = todo.pop() {
            if held.contains_key(&h) && line.insert(h.clone()) {
                todo.extend(held[&h].links.iter().cloned());
            }
        }
        counted.extend(mine().map(|(h, _)| h.clone()).filter(|h| line.contains(h)));
        root = next;
    }
}

struct Feed {
    heads: BTreeMap<(usize, Option<String>), Vec<String>>,
    canon: Vec<String>,
    kind: &'static str,
    held: usize,
}

#[derive(Clone)]
struct Judged {
    past: Past,
    verdict: &'static str,
}

type Deps = BTreeMap<String, (usize, String)>;

struct Model {
    root: RootFacts,
    root_grants: BTreeMap<String, Vec<Granted>>,
    root_cuts: BTreeMap<String, Vec<(usize, Option<String>)>>,
    voids: BTreeSet<String>,
    hashes: Vec<String>,
    entries: Vec<Entry>,
    block: BTreeMap<String, usize>,
    feeds: BTreeMap<String, Feed>,
    clocks: RefCell<BTreeMap<usize, (Deps, bool)>>,
    pasts: RefCell<BTreeMap<usize, Judged>>,
    states: RefCell<BTreeMap<usize, State>>,
    verdicts: RefCell<BTreeMap<(usize, usize), &'static str>>,
}

impl Model {
    fn new(world: &World) -> Self {
        let root = root_records(world);
        let (mut root_grants, mut root_cuts) =
            (BTreeMap::<_, Vec<Granted>>::new(), BTreeMap::<_, Vec<_>>::new());
        let mut voids_ = BTreeSet::new();
        for record in world.records.iter().filter(|r| root.records.contains(&r.hash())) {
            match &record.op {
                RootOp::Grant { key, person, role } => {
                    root_grants.entry(key.clone()).or_default().push((None, person.clone(), role.clone()));
                }
                RootOp::Cut { target, n, hash, voids } => {
                    root_cuts.entry(target.clone()).or_default().push((*n, hash.clone()));
                    voids_.extend(voids.iter().cloned());
                }
                RootOp::Voids(voids) => voids_.extend(voids.iter().cloned()),
                RootOp::Successor(_) => {}
            }
        }
        let mut block = BTreeMap::new();
        for (i, e) in world.entries.iter().enumerate() {
            block.insert(e.hash(), i);
        }
        let mut writers: BTreeSet<String> = root_cuts.keys().cloned().collect();
        writers.extend(world.trees.iter().map(|t| t.writer.clone()));
        writers.extend(world.entries.iter().map(|e| e.writer.clone()));
        let mut model = Self {
            root,
            root_grants,
            root_cuts,
            voids: voids_,
            hashes: world.entries.iter().map(Entry::hash).collect(),
            entries: world.entries.clone(),
            block,
            feeds: BTreeMap::new(),
            clocks: RefCell::default(),
            pasts: RefCell::default(),
            states: RefCell::default(),
            verdicts: RefCell::default(),
        };
        for w in writers {
            let feed = model.place(world, &w);
            model.feeds.insert(w, feed);
        }
        model
    }

    fn place(&self, world: &World, w: &str) -> Feed {
        let trees: BTreeSet<&Vec<String>> =
            world.trees.iter().filter(|t| t.writer == w).map(|t| &t.leaves).collect();
        let mut heads = BTreeMap::from([((0, None), Vec::new())]);
        for t in &trees {
            for n in 1..=t.len() {
                heads.insert((n, Some(tree_hash(&t[..n]))), t[..n].to_vec());
            }
        }
        let pins: Vec<&Vec<String>> =
            self.root_cuts.get(w).into_iter().flatten().filter_map(|cut| heads.get(cut)).collect();
        let (kind, canon) = if let Some(first) = pins.first() {
            let n = pins.iter().map(|pin| common(first, pin)).min().unwrap();
            ("root-cut", first[..n].to_vec())
        } else {
            let longest = trees.iter().max_by_key(|t| t.len()).map_or(Vec::new(), |t| (*t).clone());
            let forks = trees.iter().map(|t| (common(&longest, t), t.len()));
            match forks.filter(|(n, len)| n < len).map(|(n, _)| n).min() {
                None => ("open", longest),
                Some(fork) => ("forked", longest[..fork].to_vec()),
            }
        };
        let held = canon.iter().take_while(|h| self.block.contains_key(*h)).count();
        Feed { heads, canon, kind, held }
    }

    fn everything(&self) -> Past {
        self.feeds.values().flat_map(|f| f.canon[..f.held].iter().map(|h| self.block[h])).collect()
    }

    fn previous(&self, h: usize) -> Option<usize> {
        let e = &self.entries[h];
        Some(self.block[&self.feeds[&e.writer].canon[e.index.checked_sub(1)?]])
    }

    fn clock(&self, h: usize) -> (Deps, bool) {
        if let Some(known) = self.clocks.borrow().get(&h) {
            return known.clone();
        }
        let e = &self.entries[h];
        let old = self.previous(h).map_or(Deps::new(), |p| self.clock(p).0);
        let mut ok = !e.deps.contains_key(&e.writer)
            && e.deps.iter().all(|(w, (n, _))| *n >= old.get(w).map_or(1, |(n, _)| *n).max(1));
        if e.has_access() {
            ok &= old.keys().all(|w| e.deps.contains_key(w));
        }
        let mut clock = old;
        if ok {
            clock.extend(e.deps.clone());
        }
        self.clocks.borrow_mut().insert(h, (clock.clone(), ok));
        (clock, ok)
    }

    fn resolve(&self, w: &str, n: usize, tree: &str) -> Option<usize> {
        let feed = self.feeds.get(w)?;
        let named = feed.heads.get(&(n, Some(tree.to_owned())))?;
        let n = common(named, &feed.canon);
        (n <= feed.held).then_some(n)
    }

    fn judge(&self, h: usize) -> Judged {
        if let Some(known) = self.pasts.borrow().get(&h) {
            return known.clone();
        }
        let (prev, (clock, ok)) = (self.previous(h), self.clock(h));
        let mut past = prev.map_or(Past::new(), |p| &self.past(p) | &Past::from([p]));
        let (mut done, mut missing, mut grew) = (BTreeSet::new(), Vec::new(), true);
        while grew {
            grew = false;
            let known = self.known(&past);
            for (w, (n, tree)) in clock.iter().filter(|(w, _)| known.contains(*w)) {
                if !done.insert(w.clone()) {
                    continue;
                }
                match self.resolve(w, *n, tree) {
                    None => missing.push(w.clone()),
                    Some(0) => {}
                    Some(n) => {
                        let last = self.block[&self.feeds[w].canon[n - 1]];
                        past.extend(self.past(last));
                        past.insert(last);
                        grew = true;
                    }
                }
            }
        }
        let refuted = |w: &String| {
            let (n, tree) = &clock[w];
            self.feeds.get(w).is_some_and(|feed| {
                *n <= feed.canon.len() && !feed.heads.contains_key(&(*n, Some(tree.clone())))
            })
        };
        let verdict = match (ok, missing.is_empty()) {
            (false, _) => "void",
            (true, true) => "ok",
            (true, false) if missing.iter().any(refuted) => "void",
            (true, false) => "pending",
        };
        let judged = Judged { past, verdict };
        self.pasts.borrow_mut().insert(h, judged.clone());
        judged
    }

    fn past(&self, h: usize) -> Past {
        self.judge(h).past
    }

    fn usable(&self, h: usize) -> bool {
        self.judge(h).verdict == "ok"
    }

    fn order(&self, h: usize) -> usize {
        self.past(h).len()
    }

    fn known(&self, past: &Past) -> BTreeSet<String> {
        let mut known: BTreeSet<String> = self.root_grants.keys().cloned().collect();
        for h in past {
            for op in &self.entries[*h].ops {
                if let Op::Grant { key, .. } = op
                    && self.right_when_made(*h, op)
                {
                    known.insert(key.clone());
                }
            }
        }
        known
    }

    fn right_when_made(&self, h: usize, op: &Op) -> bool {
        let st = self.before(h);
        self.counts(h, &st) && self.may_grant(h, op, &st)
    }

    fn state(&self, past: &Past) -> State {
        let mut st: State = (BTreeMap::new(), self.root_grants.clone());
        for h in past {
            for (i, op) in self.entries[*h].ops.iter().enumerate() {
                if let Op::Cut { target, n, .. } = op
                    && self.verdict(*h, i) == "effective"
                {
                    let lowest = st.0.entry(target.clone()).or_insert(NO);
                    *lowest = (*lowest).min(*n);
                }
            }
        }
        let mut granting: Vec<usize> = past.iter().copied().collect();
        granting.retain(|h| self.entries[*h].ops.iter().any(|op| matches!(op, Op::Grant { .. })));
        granting.sort_by_key(|h| self.order(*h));
        for h in granting {
            if !self.counts(h, &st) {
                continue;
            }
            for op in &self.entries[h].ops {
                if let Op::Grant { key, person, role } = op
                    && self.may_grant(h, op, &st)
                {
                    st.1.entry(key.clone()).or_default().push((Some(h), person.clone(), role.clone()));
                }
            }
        }
        st
    }

    fn before(&self, h: usize) -> State {
        if let Some(known) = self.states.borrow().get(&h) {
            return known.clone();
        }
        let st = self.state(&self.past(h));
        self.states.borrow_mut().insert(h, st.clone());
        st
    }

    fn holds(&self, key: &str, h: usize, st: &State) -> (Option<String>, BTreeSet<String>) {
        let past = self.past(h);
        let mut held: (Option<String>, BTreeSet<String>) = (None, BTreeSet::new());
        for (src, person, role) in st.1.get(key).into_iter().flatten() {
            if src.is_none_or(|src| past.contains(&src)) {
                if rank(Some(role)) > rank(held.0.as_deref()) {
                    held.0 = Some(role.clone());
                }
                held.1.insert(person.clone());
            }
        }
        held
    }

    fn counts(&self, h: usize, st: &State) -> bool {
        let e = &self.entries[h];
        self.usable(h)
            && e.index < st.0.get(&e.writer).copied().unwrap_or(NO)
            && self.holds(&e.writer, h, st).0.is_some()
    }

    fn may_grant(&self, h: usize, op: &Op, st: &State) -> bool {
        let Op::Grant { key, person, role: new } = op else { return false };
        let (role, mine) = self.holds(&self.entries[h].writer, h, st);
        rank(Some(new)) <= rank(role.as_deref())
            && (mine.contains(person)
                || role.as_deref() == Some("admin")
                    && (*person == format!("p:{key}") || self.holds(key, h, st).1.contains(person)))
    }

    fn may_cut(&self, h: usize, target: &str, st: &State) -> bool {
        let me = &self.entries[h].writer;
        let ((role, mine), (their_role, theirs)) = (self.holds(me, h, st), self.holds(target, h, st));
        their_role.is_some()
            && (me == target
                || role.as_deref() == Some("admin")
                || theirs.is_subset(&mine) && rank(their_role.as_deref()) <= rank(role.as_deref()))
    }

    fn verdict(&self, h: usize, i: usize) -> &'static str {
        if let Some(known) = self.verdicts.borrow().get(&(h, i)) {
            return known;
        }
        let (st, e) = (self.before(h), &self.entries[h]);
        let Op::Cut { target, n, hash } = &e.ops[i] else { return "no cut" };
        let seen = match *target == e.writer {
            true => e.index,
            false => self.past(h).iter().filter(|x| self.entries[**x].writer == *target).count(),
        };
        let known_head = match self.feeds.get(target) {
            Some(feed) => feed.heads.contains_key(&(*n, hash.clone())),
            None => (*n, hash) == (0, &None),
        };
        let verdict = if !self.usable(h) {
            self.judge(h).verdict
        } else if self.holds(&e.writer, h, &st).0.is_none() {
            "author not granted"
        } else if e.index >= st.0.get(&e.writer).copied().unwrap_or(NO) {
            "author cut"
        } else if self.holds(target, h, &st).0.is_none() {
            "target not granted"
        } else if !self.may_cut(h, target, &st) {
            "no right"
        } else if !known_head {
            "void: no such head"
        } else if *n < seen {
            "void: below what it acknowledged"
        } else if self.voids.contains(&self.hashes[h]) {
            "voided by root"
        } else {
            "effective"
        };
        self.verdicts.borrow_mut().insert((h, i), verdict);
        verdict
    }

    fn report(&self) -> Value {
        let live = self.everything();
        let st = self.state(&live);
        let (cut, grants) = &st;
        let counted: BTreeSet<usize> = live.iter().copied().filter(|h| self.counts(*h, &st)).collect();
        let all = || self.entries.iter().enumerate();
        let off_canon = |h: usize| {
            let feed = &self.feeds[&self.entries[h].writer];
            !feed.canon.contains(&self.hashes[h])
        };
        let stray: BTreeSet<usize> = all()
            .filter(|(h, e)| self.feeds[&e.writer].kind == "forked" && off_canon(*h))
            .map(|(h, _)| h)
            .collect();
        let mut lost: BTreeSet<String> = BTreeSet::new();
        loop {
            let hangs = |h: usize, e: &Entry| {
                (lost.contains(&e.writer) && (live.contains(&h) || stray.contains(&h)))
                    || (grants.contains_key(&e.writer) && stray.contains(&h))
            };
            let mut hung = lost.clone();
            for (_, e) in all().filter(|(h, e)| hangs(*h, e)) {
                for op in &e.ops {
                    if let Op::Grant { key, .. } = op
                        && !grants.contains_key(key)
                    {
                        hung.insert(key.clone());
                    }
                }
            }
            if hung == lost {
                break;
            }
            lost = hung;
        }
        let hidden = self.hidden(&counted, &st);

        let (mut entries, mut values) = (Map::new(), BTreeMap::new());
        for (h, e) in all() {
            let (w, hash) = (&e.writer, &self.hashes[h]);
            let feed = &self.feeds[w];
            let past_cut = e.index >= cut.get(w).copied().unwrap_or(NO);
            let status = if stray.contains(&h) {
                "suspended"
            } else if off_canon(h) {
                if feed.kind == "root-cut" { "quarantined" } else { "pending" }
            } else if !live.contains(&h) {
                "pending"
            } else if !self.usable(h) {
                self.judge(h).verdict
            } else if counted.contains(&h) {
                let is_hidden = hidden.get(w).is_some_and(|from| u64::try_from(e.index).unwrap() >= *from);
                if is_hidden { "hidden" } else { "counted" }
            } else if past_cut {
                "quarantined"
            } else if lost.contains(w) {
                "suspended"
            } else if self.counts(h, &self.before(h)) {
                "quarantined"
            } else {
                "ungranted"
            };
            let order = counted.contains(&h).then(|| self.order(h));
            entries.insert(hash.clone(), json!([status, order]));
            for (i, op) in e.ops.iter().enumerate().filter(|_| status == "counted") {
                if let Op::Put { key, value } = op {
                    let new = ((self.order(h), w.clone(), i), *value, hash.clone());
                    let best = values.entry(key.clone()).or_insert_with(|| new.clone());
                    if new.0 > best.0 {
                        *best = new;
                    }
                }
            }
        }

        let mut writers = Map::new();
        let names: BTreeSet<&String> =
            self.feeds.keys().chain(grants.keys()).chain(cut.keys()).chain(&lost).collect();
        for w in names {
            let feed = self.feeds.get(w);
            let kind = feed.map_or("open", |feed| feed.kind);
            let closed = feed.filter(|_| kind != "open").map_or(NO, |feed| feed.canon.len());
            let n = closed.min(cut.get(w).copied().unwrap_or(NO));
            let state = match kind {
                "open" if cut.contains_key(w) => "cut",
                "open" if grants.contains_key(w) => "active",
                "open" if lost.contains(w) => "suspended",
                "open" => "ungranted",
                kind => kind,
            };
            let held = grants.get(w).map_or(&[][..], Vec::as_slice);
            let role = held.iter().map(|(_, _, role)| role.as_str()).max_by_key(|role| rank(Some(role)));
            let persons: BTreeSet<&String> = held.iter().map(|(_, person, _)| person).collect();
            let n = (n != NO).then_some(n);
            writers.insert(w.clone(), json!({"state": state, "n": n, "role": role, "persons": persons}));
        }
        let mut granted: Vec<[String; 4]> = Vec::new();
        for (key, by) in grants {
            for (src, person, role) in by {
                if let Some(src) = src {
                    granted.push([self.hashes[*src].clone(), key.clone(), person.clone(), role.clone()]);
                }
            }
        }
        granted.sort();
        let mut cuts = Vec::new();
        for h in &live {
            for (i, op) in self.entries[*h].ops.iter().enumerate() {
                if let Op::Cut { target, n, .. } = op {
                    cuts.push((self.hashes[*h].clone(), target.clone(), *n, self.verdict(*h, i)));
                }
            }
        }
        cuts.sort();
        let out = |w: &String| writers.get(w).is_some_and(|state| state["state"] != "active");
        let mut epochs = Map::new();
        let mut in_order: Vec<usize> = counted.iter().copied().collect();
        in_order.sort_by_key(|h| (self.order(*h), self.entries[*h].writer.clone()));
        for h in in_order {
            let author = &self.entries[h].writer;
            for op in &self.entries[h].ops {
                if let Op::Epoch { id, to } = op {
                    let usable = !out(author) && !to.iter().any(out);
                    epochs.insert(id.clone(), json!({"author": author, "usable": usable}));
                }
            }
        }
        let values: Map<String, Value> =
            values.into_iter().map(|(key, (_, value, hash))| (key, json!([value, hash]))).collect();
        json!({"root": self.root.root, "contested": self.root.contested, "records": self.root.records,
            "writers": writers, "entries": entries, "grants": granted, "cuts": cuts, "epochs": epochs,
            "values": values})
    }

    fn hidden(&self, counted: &BTreeSet<usize>, st: &State) -> BTreeMap<String, u64> {
        let (mut hides, mut undone) = (BTreeMap::<String, Vec<_>>::new(), BTreeMap::new());
        for h in counted {
            for (i, op) in self.entries[*h].ops.iter().enumerate() {
                let rank = (self.order(*h), self.entries[*h].writer.clone(), i);
                match op {
                    Op::Hide { target, from } if self.may_cut(*h, target, st) => {
                        hides.entry(target.clone()).or_default().push((rank, *from));
                    }
                    Op::Unhide { target } if self.may_cut(*h, target, st) => {
                        let last = undone.entry(target.clone()).or_insert_with(|| rank.clone());
                        *last = rank.max(last.clone());
                    }
                    _ => {}
                }
            }
        }
        let mut hidden = BTreeMap::new();
        for (target, hides) in hides {
            let standing =
                hides.iter().filter(|(rank, _)| undone.get(&target).is_none_or(|last| rank > last));
            if let Some(from) = standing.map(|(_, from)| *from).min() {
                hidden.insert(target, from);
            }
        }
        hidden
    }
}
