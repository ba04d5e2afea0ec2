//! The state over everything held: statuses, hides, what hangs on a fork. Reports what changed.

use super::{
    Access,
    acts::{Act, Id},
    log::{Fact, Kind, Log, Verdict},
    rights::{Dead, Holding, Past, may_cut},
    types::{
        Change, CountedGrant, CutState, CutVerdict, EpochState, GrantSource, Status, WriterStanding,
        WriterState,
    },
};
use crate::collections::{Map, Set, sort, sort_by};
use crate::crypto::{Hash, PublicKey};
use crate::space::Why;

/// What follows from all judgements together.
#[derive(Default)]
pub(super) struct Outcome {
    /// Some act came, went or was judged otherwise.
    pub(super) is_stale: bool,
    /// Feeds whose statuses may have changed.
    touched: Set<Id>,
    /// Forked feeds that no root cut pins.
    pub(super) forks: Set<Id>,
    /// Right grants that do not count.
    dead: Dead,
    /// First index of each feed that is not shown.
    hidden: Map<Id, u64>,
    /// Keys whose grants hang on a fork.
    lost: Set<Id>,
}

impl Outcome {
    pub(super) fn touch(&mut self, id: Id) {
        self.touched.insert(id);
    }

    pub(super) fn has_forks(&self) -> bool {
        !self.forks.is_empty()
    }
}

/// Runs of statuses, and where the last one ends.
#[derive(Default)]
struct Runs {
    runs: Vec<(u64, Status)>,
    end: u64,
}

impl Runs {
    fn push(&mut self, to: u64, status: Status) {
        if to <= self.end {
            return;
        }
        if self.runs.last().is_none_or(|(_, last)| *last != status) {
            self.runs.push((self.end, status));
        }
        self.end = to;
    }
}

impl Access {
    /// Works out what follows, and queues what changed.
    pub(super) fn report(&mut self) {
        if core::mem::take(&mut self.outcome.is_stale) {
            let dead = self.dead_in(Past::All);
            let changed: Vec<_> = dead.symmetric_difference(&self.outcome.dead).copied().collect();
            for (author, index, act) in changed {
                if let Some((key, _)) = self.grant_act(author, index, act) {
                    self.outcome.touch(key);
                }
            }
            self.outcome.dead = dead;
            let hidden = self.hidden();
            let was = core::mem::take(&mut self.outcome.hidden);
            for id in hidden.keys().chain(was.keys()) {
                if hidden.get(id) != was.get(id) {
                    self.outcome.touch(*id);
                }
            }
            self.outcome.hidden = hidden;
            let lost = self.lost();
            let was = core::mem::take(&mut self.outcome.lost);
            self.outcome.touched.extend(lost.symmetric_difference(&was));
            self.outcome.lost = lost;
        }
        for id in core::mem::take(&mut self.outcome.touched) {
            self.report_feed(id);
        }
    }

    pub(super) fn final_holding(&self, id: Id) -> Holding {
        self.holding(id, Past::All, &self.outcome.dead)
    }

    pub(super) fn hidden_of(&self, id: Id) -> Option<u64> {
        self.outcome.hidden.get(&id).copied()
    }

    pub(super) fn why_of(&self, id: Id, index: u64) -> Option<Why> {
        let log = self.logs.get(id);
        let closed = index >= log.place.length;
        match log.status_at(index)? {
            Status::Hidden => Some(Why::Hidden),
            Status::Quarantined if closed && log.place.kind == Kind::RootCut => Some(Why::RootCut),
            Status::Quarantined if self.cut_in(Past::All, id).is_some_and(|cut| index >= cut) => {
                Some(Why::Cut)
            }
            Status::Suspended if closed && log.place.kind == Kind::Forked => Some(Why::Fork),
            Status::Quarantined | Status::Suspended => Some(Why::Grant),
            Status::Counted | Status::Pending | Status::Void | Status::Ungranted => None,
        }
    }

    fn is_counted(&self, id: Id, index: u64) -> bool {
        index < self.logs.get(id).judged
            && self.logs.get(id).verdict_at(index) == Verdict::Ok
            && self.cut_in(Past::All, id).is_none_or(|cut| index < cut)
            && self.holding(id, Past::Of(id, index), &self.outcome.dead).role.is_some()
    }

    /// First index of each feed that a standing hide names.
    fn hidden(&self) -> Map<Id, u64> {
        type Rank = (u64, PublicKey, usize);
        let mut hides: Map<Id, Vec<(Rank, u64)>> = Map::new();
        let mut undone: Map<Id, Rank> = Map::new();
        for (author, index) in self.rights.hiders.iter().filter(|(id, index)| self.is_counted(*id, *index)) {
            let log = self.logs.get(*author);
            let past = Past::Of(*author, *index);
            let mine = self.holding(*author, past, &self.outcome.dead);
            let Some(fact) = log.fact_at(*index) else { continue };
            for (at, act) in fact.acts.iter().enumerate() {
                let (target, from) = match act {
                    Act::Hide { target, from } => (*target, Some(*from)),
                    Act::Unhide { target } => (*target, None),
                    _ => continue,
                };
                if !may_cut(*author, &mine, target, &self.holding(target, past, &self.outcome.dead)) {
                    continue;
                }
                let rank = (log.order(*index), log.key, at);
                match from {
                    Some(from) => hides.entry(target).or_default().push((rank, from)),
                    None => {
                        let last = undone.entry(target).or_insert(rank);
                        *last = rank.max(*last);
                    }
                }
            }
        }
        let lowest = |(target, hides): (Id, Vec<(Rank, u64)>)| {
            let stands = |(rank, _): &&(Rank, u64)| undone.get(&target).is_none_or(|last| rank > last);
            Some((target, hides.iter().filter(stands).map(|(_, from)| *from).min()?))
        };
        hides.into_iter().filter_map(lowest).collect()
    }

    /// Keys that have no counted grant, but one that lies at or past a fork, or that hangs on such a key.
    fn lost(&self) -> Set<Id> {
        let mut lost = Set::new();
        let is_granted = |id: Id| self.final_holding(id).role.is_some();
        let grants = |fact: &Fact| fact.acts.iter().filter_map(Act::granted).collect::<Vec<Id>>();
        let stray = |id: Id, log: &Log| -> Vec<Id> {
            if !self.outcome.forks.contains(&id) {
                return Vec::new();
            }
            let past_fork = log.acts().filter(|fact| fact.index >= log.place.length).flat_map(grants);
            past_fork.chain(log.strays.values().flatten().copied()).collect()
        };
        let mut todo: Vec<Id> = Vec::new();
        for id in &self.outcome.forks {
            if is_granted(*id) {
                todo.extend(stray(*id, self.logs.get(*id)));
            }
        }
        while let Some(id) = todo.pop() {
            if is_granted(id) || !lost.insert(id) {
                continue;
            }
            let log = self.logs.get(id);
            todo.extend(log.acts().filter(|fact| fact.index < log.held()).flat_map(grants));
            todo.extend(stray(id, log));
        }
        lost
    }

    /// Statuses of a feed's given entries.
    fn statuses(&self, id: Id) -> Runs {
        let log = self.logs.get(id);
        let cut = self.cut_in(Past::All, id).unwrap_or(u64::MAX);
        let hidden = self.outcome.hidden.get(&id).copied().unwrap_or(u64::MAX);
        let granted = self.granted_from(id);
        let is_lost = self.outcome.lost.contains(&id);
        let mut runs = Runs::default();
        let ends = log.verdicts.iter().skip(1).map(|(from, _)| *from).chain([log.judged]);
        for ((_, verdict), end) in log.verdicts.iter().zip(ends) {
            match verdict {
                Verdict::Pending => runs.push(end, Status::Pending),
                Verdict::Void => runs.push(end, Status::Void),
                Verdict::Ok => {
                    let live = end.min(cut);
                    let early = live.min(granted);
                    if is_lost {
                        runs.push(early, Status::Suspended);
                    } else if runs.end < early {
                        self.never_counted(id, early, &mut runs);
                    }
                    runs.push(live.min(hidden), Status::Counted);
                    runs.push(live, Status::Hidden);
                    runs.push(end, Status::Quarantined);
                }
            }
        }
        runs.push(log.held(), Status::Pending);
        let closed = match log.place.kind {
            Kind::Open => Status::Pending,
            Kind::Forked => Status::Suspended,
            Kind::RootCut => Status::Quarantined,
        };
        runs.push(log.given, closed);
        runs
    }

    /// First index of a feed whose past holds a counted grant of its writer.
    fn granted_from(&self, id: Id) -> u64 {
        if self.rights.root.contains_key(&id) {
            return 0;
        }
        let log = self.logs.get(id);
        let counted = self
            .rights
            .right_grants(id)
            .iter()
            .filter(|grant| !self.outcome.dead.contains(&(grant.author, grant.index, grant.act)));
        let first = |author: Id, index: u64| match author == id {
            true => Some(index.saturating_add(1)),
            false => log.first_with(author, index),
        };
        counted.filter_map(|grant| first(grant.author, grant.index)).min().unwrap_or(u64::MAX)
    }

    /// Entries below every cut without a counted grant: quarantined if one counted in their own past.
    fn never_counted(&self, id: Id, end: u64, runs: &mut Runs) {
        if self.rights.right_grants(id).is_empty() {
            return runs.push(end, Status::Ungranted);
        }
        let log = self.logs.get(id);
        log.check(runs.end >= log.base);
        while runs.end < end {
            let past = Past::Of(id, runs.end);
            let counted = self.holding(id, past, &self.dead_in(past)).role.is_some();
            // The past changes at the next mark, or with the author's own next act.
            let mark = log.marks.partition_point(|mark| mark.from <= runs.end);
            let next = log.marks.get(mark).map_or(end, |mark| mark.from);
            let act =
                log.acting.partition_point(|at| log.facts.get(*at).is_some_and(|fact| fact.index < runs.end));
            let own =
                log.acting.get(act).and_then(|at| log.facts.get(*at)).map_or(end, |fact| fact.index + 1);
            let status = if counted { Status::Quarantined } else { Status::Ungranted };
            runs.push(next.min(own).min(end), status);
        }
    }

    /// Queues what changed in a feed since it was reported.
    fn report_feed(&mut self, id: Id) {
        let new = self.statuses(id);
        let log = self.logs.get_mut(id);
        let old = Runs { runs: core::mem::take(&mut log.runs), end: log.shown };
        let reordered = log.reordered().unwrap_or(u64::MAX);
        let writer = log.key;
        let status_of = |runs: &Runs, at: u64| match at < runs.end {
            false => None,
            true => {
                let after = runs.runs.partition_point(|(from, _)| *from <= at);
                runs.runs.get(after.checked_sub(1)?).map(|(_, status)| *status)
            }
        };
        // What both begin with did not change.
        let same = new.runs.iter().zip(&old.runs).take_while(|(a, b)| a == b).count();
        let first = match (new.runs.get(same), old.runs.get(same)) {
            (None, None) => new.end.min(old.end),
            (a, b) => a.map_or(new.end, |(from, _)| *from).min(b.map_or(old.end, |(from, _)| *from)),
        };
        let first = first.min(reordered);
        let starts = |runs: &Runs| {
            let after = runs.runs.partition_point(|(from, _)| *from < first);
            runs.runs.iter().skip(after).map(|(from, _)| *from).collect::<Vec<_>>()
        };
        let mut points: Set<u64> = starts(&new).into_iter().chain(starts(&old)).collect();
        points.extend([first, reordered, old.end, new.end]);
        let points: Vec<u64> = points.into_iter().filter(|at| *at >= first && *at <= new.end).collect();
        let mut queued: Option<(u64, u64, Status)> = None;
        for (from, to) in points.iter().zip(points.iter().skip(1)) {
            let Some(status) = status_of(&new, *from) else { continue };
            let shows = matches!(status, Status::Counted | Status::Hidden);
            if status_of(&old, *from) == Some(status) && !(shows && *from >= reordered) {
                continue;
            }
            match &mut queued {
                Some((_, end, last)) if end == from && *last == status => *end = *to,
                _ => {
                    let done = queued.replace((*from, *to, status));
                    self.changes.extend(done.map(|(from, to, status)| Change::Status {
                        writer,
                        from,
                        to,
                        status,
                    }));
                }
            }
        }
        self.changes.extend(queued.map(|(from, to, status)| Change::Status { writer, from, to, status }));
        log.runs = new.runs;
        log.shown = new.end;
    }

    pub(super) fn writer_state(&self, id: Id) -> Option<WriterState> {
        let log = self.logs.get(id);
        let Holding { role, mut persons } = self.final_holding(id);
        let cut = self.cut_in(Past::All, id);
        let is_lost = self.outcome.lost.contains(&id);
        let root_cut = self.records.counted.cuts.contains_key(&log.key);
        if !log.listed && role.is_none() && cut.is_none() && !is_lost && !root_cut {
            return None;
        }
        sort(&mut persons);
        let (standing, closed) = match log.place.kind {
            Kind::Forked => (WriterStanding::Forked, Some(log.place.length)),
            Kind::RootCut => (WriterStanding::RootCut, Some(log.place.length)),
            Kind::Open if cut.is_some() => (WriterStanding::Cut, None),
            Kind::Open if role.is_some() => (WriterStanding::Active, None),
            Kind::Open if is_lost => (WriterStanding::Suspended, None),
            Kind::Open => (WriterStanding::Ungranted, None),
        };
        let cut_at = cut.into_iter().chain(closed).min();
        Some(WriterState { key: log.key, standing, cut_at, role, persons })
    }

    pub(super) fn counted_grants(&self) -> Vec<CountedGrant> {
        let mut all: Vec<CountedGrant> = self.records.counted.grants.values().flatten().cloned().collect();
        for grant in self.rights.granted.values().flatten() {
            let (author, index, act) = (grant.author, grant.index, grant.act);
            if self.outcome.dead.contains(&(author, index, act)) {
                continue;
            }
            let log = self.logs.get(author);
            let (Some(fact), Some((_, grant))) = (log.fact_at(index), self.grant_act(author, index, act))
            else {
                continue;
            };
            all.push(CountedGrant {
                source: GrantSource::Entry { writer: log.key, index, hash: fact.hash },
                writer: grant.writer,
                person: grant.person,
                role: grant.role,
                from_now_on: grant.from_now_on,
                install_id: grant.install_id,
                name: grant.name.clone(),
                invite: grant.invite,
            });
        }
        all
    }

    pub(super) fn all_cuts(&self) -> Vec<CutState> {
        let mut all = Vec::new();
        for (_, log) in self.logs.iter() {
            for fact in log.acts().take_while(|fact| fact.index < log.held()) {
                for (at, act) in fact.acts.iter().enumerate() {
                    let Act::Cut { target, length, .. } = act else { continue };
                    let judged = fact.cuts.iter().find(|(place, _)| *place == at);
                    all.push(CutState {
                        author: log.key,
                        index: fact.index,
                        hash: fact.hash,
                        target: self.logs.get(*target).key,
                        length: *length,
                        verdict: judged.map_or(CutVerdict::Pending, |(_, verdict)| *verdict),
                    });
                }
            }
        }
        all
    }

    pub(super) fn all_epochs(&self) -> Vec<EpochState> {
        type Rank = (u64, PublicKey, usize);
        let mut made: Map<Hash, (Rank, u64, &[Id])> = Map::new();
        let mut sealed: Map<Hash, Set<Id>> = Map::new();
        for (id, log) in self.logs.iter() {
            for fact in log.acts() {
                let is_key = |act: &Act| matches!(act, Act::Epoch { .. } | Act::Seal { .. });
                if !fact.acts.iter().any(is_key) || !self.is_counted(id, fact.index) {
                    continue;
                }
                for (at, act) in fact.acts.iter().enumerate() {
                    match act {
                        Act::Epoch { id, to } => {
                            let this = ((log.order(fact.index), log.key, at), fact.index, to.as_ref());
                            let last = made.entry(*id).or_insert(this);
                            *last = this.max(*last);
                        }
                        Act::Seal { epoch, to } => sealed.entry(*epoch).or_default().extend(to),
                        _ => {}
                    }
                }
            }
        }
        let is_active =
            |id: Id| self.writer_state(id).is_none_or(|writer| writer.standing == WriterStanding::Active);
        let mut epochs: Vec<EpochState> = made
            .into_iter()
            .map(|(id, ((order, author, _), index, to))| {
                let mut keys = sealed.remove(&id).unwrap_or_default();
                keys.extend(to);
                let usable =
                    self.logs.id(&author).is_some_and(is_active) && keys.iter().all(|key| is_active(*key));
                let mut recipients: Vec<_> = keys.iter().map(|key| self.logs.get(*key).key).collect();
                sort(&mut recipients);
                EpochState { id, author, index, order, usable, recipients }
            })
            .collect();
        sort_by(&mut epochs, |a, b| (a.order, a.author).cmp(&(b.order, b.author)));
        epochs
    }
}

impl Log {
    /// First index whose order is not as it was reported. Forgets what was reported.
    fn reordered(&mut self) -> Option<u64> {
        let former = self.former.take()?;
        let mut points: Set<u64> = former.others.iter().map(|(from, _)| *from).collect();
        let after = self.marks.partition_point(|mark| mark.from <= former.from);
        points.extend(self.marks.iter().skip(after).map(|mark| mark.from));
        points.into_iter().find(|at| {
            let after = former.others.partition_point(|(from, _)| from <= at);
            let was = after.checked_sub(1).and_then(|at| former.others.get(at)).map(|(_, others)| *others);
            *at < self.judged && was != Some(self.others_at(*at))
        })
    }
}
