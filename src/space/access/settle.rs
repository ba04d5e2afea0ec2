//! What came: where each feed is closed now, and which judgements fall by it.

use super::{
    Access,
    acts::{Act, Id},
    judge::Resolved,
    log::{Kind, Log, Place},
    rights::Rights,
    types::{Change, Prefix, Signed, Trees},
};
use crate::collections::Set;

impl Access {
    /// Judges all that came since the last settling.
    ///
    /// A feed that names blocks which are not held is judged up to there only: the rest is
    /// [`Pending`](super::Status::Pending), and costs nothing until the blocks come.
    pub fn settle(&mut self, trees: &dyn Trees) {
        self.settle_to(trees, false);
    }

    /// The same, and judges pending entries too: tells those that turn out void whatever comes.
    pub fn judge_all(&mut self, trees: &dyn Trees) {
        self.settle_to(trees, true);
    }

    fn settle_to(&mut self, trees: &dyn Trees, all: bool) {
        if self.wants_history() {
            return;
        }
        let mut fall = core::mem::take(&mut self.records_grew) && self.recount();
        fall |= core::mem::take(&mut self.anew);
        let grown = core::mem::take(&mut self.grown);
        let mut rewound = Vec::new();
        for id in &grown {
            let (falls, from) = self.place(trees, *id);
            fall |= falls;
            rewound.extend(from.map(|from| (*id, from)));
        }
        if fall && self.is_shallow {
            self.logs.wants.set(true);
            return;
        }
        if fall {
            self.fall_all();
        }
        for (id, from) in rewound {
            let log = self.logs.get_mut(id);
            log.forget(from);
            self.changes.push_back(Change::Rewound { writer: log.key, from });
        }
        for id in &grown {
            if !fall {
                self.wake(trees, *id);
            }
            let log = self.logs.get(*id);
            if log.judged < log.held() && !log.stalled {
                self.todo.insert(*id);
            }
            self.outcome.touch(*id);
        }
        if all {
            let unjudged = |(id, log): (Id, &Log)| (log.judged < log.held()).then_some(id);
            self.todo.extend(self.logs.iter().filter_map(unjudged));
        }
        while let Some(id) = self.todo.pop_first() {
            self.judge(trees, id, all);
        }
        if self.wants_history() {
            return;
        }
        if self.outcome.has_forks() && !grown.is_empty() {
            // Whatever is given of a forked feed, or of a key that it granted, may change what hangs on the fork.
            self.outcome.is_stale = true;
        }
        self.report();
    }

    /// Whether something was asked that only an engine can tell that was told all facts. Nothing is judged until then.
    pub fn wants_history(&self) -> bool {
        self.logs.wants.get()
    }

    /// Works out anew which root records count; whether judgements fall by it.
    pub(super) fn recount(&mut self) -> bool {
        let old = core::mem::take(&mut self.records.counted);
        self.records.recount();
        let cut: Set<_> = old.cuts.keys().chain(self.records.counted.cuts.keys()).copied().collect();
        for key in cut {
            if old.cuts.get(&key) != self.records.counted.cuts.get(&key) {
                let id = self.logs.intern(&key);
                self.grown.insert(id);
            }
        }
        let mut root = Rights::default().root;
        for (key, grants) in &self.records.counted.grants {
            let id = self.logs.intern(key);
            root.insert(id, grants.iter().map(|grant| (grant.person, grant.role)).collect());
        }
        let falls = root != self.rights.root || old.voids != self.records.counted.voids;
        self.rights.root = root;
        falls
    }

    /// Where a feed is closed: (whether all judgements fall by a change, index from which to give it again).
    fn place(&mut self, trees: &dyn Trees, id: Id) -> (bool, Option<u64>) {
        let log = self.logs.get(id);
        let (key, old) = (log.key, log.place);
        let fork = trees.fork(&key);
        let proved =
            |pin: &&Prefix| pin.length == 0 || trees.signed(&key, pin.length, &pin.tree_hash) == Signed::Yes;
        let pins: Vec<&Prefix> =
            self.records.counted.cuts.get(&key).into_iter().flatten().filter(proved).collect();
        // The branch stays if it can, so that nothing is given again without need.
        let kept = pins.iter().find(|pin| Some(***pin) == old.branch);
        let place = match (kept.or(pins.last()), fork) {
            (Some(branch), _) => {
                let shared = |pin: &&Prefix| match fork {
                    Some(_) if pin.length.min(branch.length) > 0 => trees.shared(&key, pin, branch),
                    _ => pin.length.min(branch.length),
                };
                let length = pins.iter().map(shared).min().unwrap_or(0);
                Place { kind: Kind::RootCut, length, branch: Some(**branch), fork }
            }
            (None, Some(length)) => Place { kind: Kind::Forked, length, branch: None, fork },
            (None, None) => Place { kind: Kind::Open, length: trees.length(&key), branch: None, fork },
        };
        let log = self.logs.get_mut(id);
        log.listed = trees.length(&key) > 0 || log.given > 0 || !log.strays.is_empty();
        log.place = place;
        if place.kind == Kind::Forked {
            self.outcome.forks.insert(id);
        } else {
            self.outcome.forks.remove(&id);
        }
        let only_longer = place.kind == Kind::Open && old.kind == Kind::Open && place.length >= old.length;
        // Also where nothing is to be forgotten: its owner may hold blocks of the branch that counts now.
        let given = log.given;
        let again = fork.filter(|_| place.branch != old.branch).map(|fork| fork.min(given));
        (place != old && !only_longer, again)
    }

    /// Judges again what waited for a feed that grew.
    fn wake(&mut self, trees: &dyn Trees, id: Id) {
        let log = self.logs.get(id);
        // Among branches, any head may answer anything.
        let key = log.key;
        let reach = if log.place.fork.is_some() { u64::MAX } else { trees.length(&key).max(log.given) };
        let waiting: Vec<(u64, Id, u64)> = match self.waiting.get(&id) {
            Some(waiting) => waiting.range(..=(reach, Id::MAX, u64::MAX)).copied().collect(),
            None => Vec::new(),
        };
        for (need, waiter, index) in waiting {
            let log = self.logs.get(waiter);
            let keep = if index >= log.judged {
                if index == log.judged && log.stalled {
                    self.logs.get_mut(waiter).stalled = false;
                    self.todo.insert(waiter);
                }
                false
            } else if log.is_missing(id, index) {
                let now = log.named_at(id, index).map(|named| self.resolve(trees, id, &named));
                let same = match now {
                    Some(Resolved::Missing { refuted, .. }) => refuted == (need == u64::MAX),
                    Some(Resolved::Length(_)) | None => false,
                };
                if !same {
                    self.fall(waiter, index);
                }
                same
            } else {
                false
            };
            if !keep && let Some(waiting) = self.waiting.get_mut(&id) {
                waiting.remove(&(need, waiter, index));
            }
        }
        let shown = |prefix: &Prefix| trees.signed(&key, prefix.length, &prefix.tree_hash) == Signed::Yes;
        let headless: Vec<(Id, u64)> = self.headless.get(&id).into_iter().flatten().copied().collect();
        for (author, index) in headless {
            let log = self.logs.get(author);
            let shows_head = |act: &Act| match act {
                Act::Cut { target, length, tree_hash } => {
                    *target == id && *length > 0 && shown(&Prefix { length: *length, tree_hash: *tree_hash })
                }
                _ => false,
            };
            let judged = index < log.judged;
            if judged && !log.fact_at(index).is_some_and(|fact| fact.acts.iter().any(shows_head)) {
                continue;
            }
            if let Some(headless) = self.headless.get_mut(&id) {
                headless.remove(&(author, index));
            }
            if judged {
                self.fall(author, index);
            }
        }
    }

    /// Takes back the judgements of a feed from an index on, and of all that have that in their past.
    fn fall(&mut self, id: Id, index: u64) {
        let mut work = vec![(id, index)];
        while let Some((id, index)) = work.pop() {
            if index < self.logs.get(id).base {
                self.logs.wants.set(true);
                return;
            }
            if index < self.logs.get(id).judged {
                self.take_back(id, index);
            }
            self.todo.insert(id);
            if self.logs.get(id).reach <= index {
                continue;
            }
            for (other, log) in self.logs.iter() {
                if let Some(from) = log.first_with(id, index) {
                    work.push((other, from));
                }
            }
            self.logs.get_mut(id).reach = index;
        }
    }

    fn take_back(&mut self, id: Id, index: u64) {
        let log = self.logs.get(id);
        for (at, act) in log.granted.iter().rev().take_while(|(at, _)| *at >= index) {
            let Some(Act::Grant { key, .. }) = log.fact_at(*at).and_then(|fact| fact.acts.get(*act)) else {
                continue;
            };
            if let Some(grants) = self.rights.granted.get_mut(key) {
                grants.retain(|grant| grant.author != id || grant.index < index);
                if grants.is_empty() {
                    self.rights.granted.remove(key);
                }
            }
            self.outcome.touch(*key);
        }
        for fact in log.acts().rev().take_while(|fact| fact.index >= index) {
            self.outcome.is_stale = true;
            self.rights.hiders.remove(&(id, fact.index));
            for act in &fact.acts {
                let Act::Cut { target, .. } = act else { continue };
                self.outcome.touch(*target);
                if let Some(cuts) = self.rights.cuts.get_mut(&(*target, id)) {
                    while cuts.pop_if(|(at, _)| *at >= index).is_some() {}
                    if cuts.is_empty() {
                        self.rights.cuts.remove(&(*target, id));
                    }
                }
            }
        }
        self.logs.get_mut(id).cut_back(index);
        self.outcome.touch(id);
    }

    /// Takes back every judgement.
    fn fall_all(&mut self) {
        for id in 0..self.logs.count() {
            let log = self.logs.get_mut(id);
            log.cut_back(0);
            log.stalled = false;
            log.reach = 0;
            if log.held() > 0 {
                self.todo.insert(id);
            }
            self.outcome.touch(id);
        }
        let root = core::mem::take(&mut self.rights.root);
        self.rights = Rights { root, ..Rights::default() };
        self.waiting.clear();
        self.headless.clear();
        self.outcome.is_stale = true;
    }
}
