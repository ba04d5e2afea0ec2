//! Judges the next entry of a feed: its clipped past, its verdict, its acts.
//!
//! The clipped past is a least fixpoint: a dep is followed once a grant of its writer, right when made, lies in
//! what was gathered so far. Each feed is judged in its order; where a dep names entries that are not judged yet,
//! those come first. That ends, because an entry commits to its deps by hash.

use super::{
    Access,
    acts::{Act, Id},
    log::{Fact, Kind, Mark, Named, Open, Verdict},
    rights::{Dead, Holding, Past, RightGrant, may_cut},
    types::{CutVerdict, Prefix, Signed, Trees},
};
use crate::collections::{Map, sort};

/// What a followed dep comes to.
pub(super) enum Resolved {
    /// Adds the first entries of the feed, that many.
    Length(u64),
    /// Not proved, or not held.
    Missing {
        /// Nothing changes before the feed has this length. `u64::MAX` where only another branch helps.
        need: u64,
        /// The signed feed contradicts it.
        refuted: bool,
    },
}

/// What judging one entry came to.
enum Step {
    Judged(Weighed),
    /// No need to look at entries before this index: they add nothing but themselves.
    Run(u64),
    /// Waits for that length of that feed.
    Stalled(Id, u64),
    /// That length of that feed must be judged first.
    After(Id, u64),
}

/// The clipped past of an entry, and what is missing from it.
#[derive(Default)]
struct Weighed {
    raised: Map<Id, u64>,
    unfollowed: Vec<Id>,
    /// (writer, length needed).
    missing: Vec<(Id, u64)>,
    refuted: bool,
}

/// A feed to judge up to a length. `forced`: also past what is not held.
struct Frame {
    id: Id,
    to: u64,
    forced: bool,
}

impl Access {
    /// Judges a feed as far as it goes, and what that needs.
    pub(super) fn judge(&mut self, trees: &dyn Trees, id: Id, forced: bool) {
        let mut stack = vec![Frame { id, to: u64::MAX, forced }];
        while let Some(Frame { id, to, forced }) = stack.last() {
            let (id, forced, log) = (*id, *forced, self.logs.get_mut(*id));
            if log.judged >= (*to).min(log.held()) {
                log.busy = false;
                if log.judged < log.held() {
                    self.todo.insert(id);
                }
                stack.pop();
                continue;
            }
            (log.busy, log.stalled) = (true, false);
            self.outcome.touch(id);
            let step = self.step(trees, id, forced);
            if self.wants_history() {
                return;
            }
            match step {
                Step::Judged(weighed) => self.enter(trees, id, weighed),
                Step::Run(to) => self.logs.get_mut(id).judged = to,
                Step::After(id, to) => stack.push(Frame { id, to, forced: true }),
                Step::Stalled(on, need) => {
                    let log = self.logs.get_mut(id);
                    (log.stalled, log.busy) = (true, false);
                    let index = log.judged;
                    self.waiting.entry(on).or_default().insert((need, id, index));
                    stack.pop();
                }
            }
        }
    }

    /// What a followed dep comes to.
    pub(super) fn resolve(
        &self,
        trees: &dyn Trees,
        id: Id,
        Named { prefix, proved, .. }: &Named,
    ) -> Resolved {
        let log = self.logs.get(id);
        let place = &log.place;
        let signed = || match proved {
            true => Signed::Yes,
            false => trees.signed(&log.key, prefix.length, &prefix.tree_hash),
        };
        match signed() {
            Signed::Yes => {
                let shared = match (place.kind, place.fork, &place.branch) {
                    (Kind::Open, ..) => prefix.length,
                    (Kind::RootCut, Some(_), Some(branch)) if place.length > 0 => {
                        trees.shared(&log.key, prefix, branch).min(place.length)
                    }
                    _ => prefix.length.min(place.length),
                };
                match shared <= log.held() {
                    true => Resolved::Length(shared),
                    false => Resolved::Missing { need: shared, refuted: false },
                }
            }
            Signed::Contradicted if prefix.length <= place.length => {
                Resolved::Missing { need: u64::MAX, refuted: true }
            }
            _ => Resolved::Missing { need: prefix.length, refuted: false },
        }
    }

    /// Looks at the next entry of a feed.
    fn step(&self, trees: &dyn Trees, id: Id, forced: bool) -> Step {
        let log = self.logs.get(id);
        let index = log.judged;
        let fact = log.facts.get(log.cursor).filter(|fact| fact.index == index);
        let open = log.open.last();
        let (unfollowed, missing) =
            open.map_or((&[][..], &[][..]), |open| (open.unfollowed.as_ref(), open.missing.as_ref()));
        if !forced {
            let short = |on: &Id| self.lacks(*on, log.named_at(*on, index)?.prefix).map(|need| (*on, need));
            if let Some((on, need)) = missing.iter().find_map(short) {
                return Step::Stalled(on, need);
            }
        }
        // After an act the same deps may be followed, after a malformed entry the verdict is another.
        let before = log.cursor.checked_sub(1).and_then(|at| log.facts.get(at));
        let news =
            before.is_some_and(|fact| fact.index + 1 == index && (fact.malformed || !fact.acts.is_empty()));
        if fact.is_none() && !news && index > 0 {
            let next = log.facts.get(log.cursor).map_or(u64::MAX, |fact| fact.index);
            return Step::Run(next.min(log.held()));
        }

        let mut open: Vec<Id> = fact.map_or(&[][..], |fact| fact.changed.as_ref()).to_vec();
        open.extend(unfollowed.iter().chain(missing));
        sort(&mut open);
        open.dedup();
        let mut weighed = Weighed::default();
        loop {
            let (before, mut grew) = (open.len(), false);
            let mut left = Vec::with_capacity(open.len());
            for on in open {
                if !self.follows(id, index, &weighed.raised, on) {
                    left.push(on);
                    continue;
                }
                let Some(named) = log.named_at(on, index) else { continue };
                if !forced && let Some(need) = self.lacks(on, named.prefix) {
                    return Step::Stalled(on, need);
                }
                let other = self.logs.get(on);
                match self.resolve(trees, on, &named) {
                    // Nobody can sign a loop; should one be shown all the same, it is not followed round.
                    Resolved::Length(length) if length > other.judged && other.busy => {
                        weighed.missing.push((on, u64::MAX));
                    }
                    Resolved::Length(length) if length > other.judged => return Step::After(on, length),
                    Resolved::Length(length) => grew |= self.join(id, &mut weighed.raised, on, length),
                    Resolved::Missing { need, refuted } => {
                        weighed.missing.push((on, need));
                        weighed.refuted |= refuted;
                    }
                }
            }
            open = left;
            if !grew || open.is_empty() {
                break;
            }
            debug_assert!(open.len() <= before, "every round settles some");
        }
        weighed.unfollowed = open;
        Step::Judged(weighed)
    }

    /// Length that an open feed must have before a dep can be there, if it has less. Whatever its writer names
    /// of it later waits too, because lengths named never shrink.
    fn lacks(&self, on: Id, prefix: Prefix) -> Option<u64> {
        let log = self.logs.get(on);
        (log.place.kind == Kind::Open && log.place.fork.is_none() && prefix.length > log.given)
            .then_some(prefix.length)
    }

    /// Whether a dep on a writer is followed: granted by the root, or by a right grant in the past gathered so far.
    fn follows(&self, id: Id, index: u64, raised: &Map<Id, u64>, on: Id) -> bool {
        let length = |author: Id| self.gathered(id, index, raised, author);
        self.rights.root.contains_key(&on)
            || self.rights.right_grants(on).iter().any(|grant| grant.index < length(grant.author))
    }

    fn gathered(&self, id: Id, index: u64, raised: &Map<Id, u64>, other: Id) -> u64 {
        match raised.get(&other) {
            _ if other == id => index,
            Some(length) => *length,
            None => self.logs.get(id).other_now(other),
        }
    }

    /// Adds the first entries of a feed, and their pasts; whether that is news.
    fn join(&self, id: Id, raised: &mut Map<Id, u64>, on: Id, length: u64) -> bool {
        let has = self.gathered(id, 0, raised, on);
        if length <= has {
            return false;
        }
        raised.insert(on, length);
        let of = self.logs.get(on);
        if has < of.base {
            // The marks are not all here, but what they come to is: lengths never shrink.
            for other in of.columns.keys().filter(|other| **other != id) {
                let seen = of.other_at(*other, length - 1);
                if seen > self.gathered(id, 0, raised, *other) {
                    raised.insert(*other, seen);
                }
            }
            return true;
        }
        // What is gathered holds the pasts of its entries, so only what the new ones raised is to be added.
        let marks = &of.marks;
        let new = marks.iter().skip(marks.partition_point(|mark| mark.from < has));
        for (other, length) in new.take_while(|mark| mark.from < length).flat_map(|mark| &mark.raised) {
            if *other != id && *length > self.gathered(id, 0, raised, *other) {
                raised.insert(*other, *length);
            }
        }
        true
    }

    /// Enters the judgement of the next entry.
    fn enter(&mut self, trees: &dyn Trees, id: Id, weighed: Weighed) {
        let log = self.logs.get(id);
        let index = log.judged;
        let fact = log.facts.get(log.cursor).filter(|fact| fact.index == index);
        let verdict = match fact {
            Some(fact) if fact.malformed => Verdict::Void,
            _ if weighed.missing.is_empty() => Verdict::Ok,
            _ if weighed.refuted => Verdict::Void,
            _ => Verdict::Pending,
        };
        let was_missing = |on: &Id| log.open.last().is_some_and(|open| open.missing.contains(on));
        let is_news = |on: &Id| fact.is_some_and(|fact| fact.changed.contains(on)) || !was_missing(on);
        for (on, need) in weighed.missing.iter().filter(|(on, _)| is_news(on)) {
            self.waiting.entry(*on).or_default().insert((*need, id, index));
        }
        let gained: u64 = weighed.raised.iter().map(|(on, length)| length - log.other_now(*on)).sum();
        let others = log.marks.last().map_or(0, |mark| mark.others) + gained;

        for (on, length) in &weighed.raised {
            let other = self.logs.get_mut(*on);
            other.reach = other.reach.max(*length);
        }
        let log = self.logs.get_mut(id);
        // What was looked at and is not missing is signed.
        let at = log.cursor;
        let looked = log.facts.get(at).filter(|fact| fact.index == index).map(|fact| fact.changed.clone());
        let opened = log.open.last().map(|open| [&*open.unfollowed, &*open.missing].concat());
        for on in looked.iter().flatten().chain(opened.iter().flatten()) {
            if !weighed.unfollowed.contains(on) && weighed.missing.iter().all(|(other, _)| other != on) {
                log.prove(*on, index);
            }
        }
        let has_acts = match log.facts.get(log.cursor) {
            Some(fact) if fact.index == index => {
                log.cursor += 1;
                !fact.acts.is_empty()
            }
            _ => false,
        };
        for (on, length) in &weighed.raised {
            log.columns.entry(*on).or_default().push((index, *length));
        }
        if !weighed.raised.is_empty() || log.marks.is_empty() {
            log.marks.push(Mark { from: index, others, raised: weighed.raised.into_iter().collect() });
        }
        if log.verdicts.last().is_none_or(|(_, last)| *last != verdict) {
            log.verdicts.push((index, verdict));
        }
        let missing: Box<[Id]> = weighed.missing.iter().map(|(on, _)| *on).collect();
        let same = |open: &Open| *open.unfollowed == *weighed.unfollowed && open.missing == missing;
        if !log.open.last().map_or(weighed.unfollowed.is_empty() && missing.is_empty(), same) {
            log.open.push(Open { from: index, unfollowed: weighed.unfollowed.into(), missing });
        }
        log.judged = index + 1;
        if has_acts {
            self.judge_acts(trees, id, index, verdict);
        }
    }

    /// Judges the acts of an entry, all in the state of its past.
    pub(super) fn judge_acts(&mut self, trees: &dyn Trees, id: Id, index: u64, verdict: Verdict) {
        let past = Past::Of(id, index);
        let Some(fact) = self.logs.get(id).fact_at(index) else { return };
        let (mut granted, mut cuts, mut effective, mut headless) = (vec![], vec![], vec![], vec![]);
        let dead = if verdict == Verdict::Ok { self.dead_in(past) } else { Dead::new() };
        let mine = self.holding(id, past, &dead);
        let is_cut = self.cut_in(past, id).is_some_and(|cut| cut <= index);
        for (at, act) in fact.acts.iter().enumerate() {
            match act {
                Act::Grant { key, grant }
                    if verdict == Verdict::Ok
                        && !is_cut
                        && self.may_grant(&mine, *key, grant, past, &dead) =>
                {
                    let (person, role) = (grant.person, grant.role);
                    granted.push((*key, RightGrant { author: id, index, act: at, person, role }));
                }
                Act::Cut { target, length, tree_hash } => {
                    let found = match verdict {
                        Verdict::Pending => CutVerdict::Pending,
                        Verdict::Void => CutVerdict::Void,
                        Verdict::Ok if mine.role.is_none() => CutVerdict::AuthorNotGranted,
                        Verdict::Ok if is_cut => CutVerdict::AuthorCut,
                        Verdict::Ok => {
                            let theirs = self.holding(*target, past, &dead);
                            let prefix = Prefix { length: *length, tree_hash: *tree_hash };
                            self.judge_cut(trees, fact, (id, &mine), (*target, &theirs), &prefix)
                        }
                    };
                    cuts.push((at, found));
                    match found {
                        CutVerdict::Effective => effective.push((*target, *length)),
                        CutVerdict::NoSuchHead => headless.push(*target),
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        let hides = fact.acts.iter().any(|act| matches!(act, Act::Hide { .. } | Act::Unhide { .. }));
        if hides {
            self.rights.hiders.insert((id, index));
        }
        self.outcome.is_stale = true;
        for target in headless {
            self.headless.entry(target).or_default().insert((id, index));
        }
        for (target, length) in effective {
            self.outcome.touch(target);
            if self.logs.get(target).granted.last().is_some_and(|(last, _)| *last >= length) {
                self.rights.overhang.insert(target);
            }
            let cuts = self.rights.cuts.entry((target, id)).or_default();
            let lowest = cuts.last().map_or(length, |(_, lowest)| length.min(*lowest));
            cuts.push((index, lowest));
        }
        if !granted.is_empty() && self.rights.lowest_cut(id).is_some_and(|cut| cut <= index) {
            self.rights.overhang.insert(id);
        }
        let log = self.logs.get_mut(id);
        log.granted.extend(granted.iter().map(|(_, grant)| (index, grant.act)));
        let at = log.facts.partition_point(|fact| fact.index < index);
        if let Some(fact) = log.facts.get_mut(at) {
            fact.cuts = cuts;
        }
        for (key, grant) in granted {
            self.outcome.touch(key);
            self.rights.granted.entry(key).or_default().push(grant);
        }
    }

    fn judge_cut(
        &self,
        trees: &dyn Trees,
        fact: &Fact,
        (me, mine): (Id, &Holding),
        (target, theirs): (Id, &Holding),
        prefix: &Prefix,
    ) -> CutVerdict {
        let key = &self.logs.get(target).key;
        if theirs.role.is_none() {
            CutVerdict::TargetNotGranted
        } else if !may_cut(me, mine, target, theirs) {
            CutVerdict::NoRight
        } else if prefix.length > 0 && trees.signed(key, prefix.length, &prefix.tree_hash) != Signed::Yes {
            CutVerdict::NoSuchHead
        } else if prefix.length < self.length_in(Past::Of(me, fact.index), target) {
            CutVerdict::BelowAcknowledged
        } else if self.records.counted.voids.contains(&fact.hash) {
            CutVerdict::Voided
        } else {
            CutVerdict::Effective
        }
    }
}
