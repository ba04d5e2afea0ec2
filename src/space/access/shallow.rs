//! An engine that does not know its whole history: what a checkpoint stores of judgements, so that opening need not judge
//! every fact again.
//!
//! ```text
//! known   of every feed all facts with acts, the last that it named of each writer, verdicts, clocks of the entries with
//!         acts and of the last judged one, where the past first holds a right grant of its writer
//! gone    facts that only name, and the clocks of those: below `base`, the length that was judged then
//! ```
//! Entries past the base are judged as ever: their past is what they name of others, and what the last judged ones hold.
//! Whatever would need more is not answered but noted: what is *asked* goes to an engine that was told all
//! ([`Access::set_past`]), since judgements below the base stand; what *falls* below it makes this engine useless
//! ([`Access::wants_history`]), and one that is told all takes its place. So a shallow engine never answers otherwise than
//! a full one. It is stored only while nothing waits, hangs on a fork, or is void, and taken only if, when its acts were
//! judged again by what is known now, it says again, byte by byte, what was stored.
//!
//! ```text
//! hash 32 of the rest
//! root 32 │ varint records that count │ hashes 32, ascending
//! feeds, ascending by number, each: varint number │ place │ varint judged │ clocks │ named │ outcomes of acts; varint u32::MAX
//! place     u8 0: open, 1: closed by the root │ varint length │ [1: pinned length varint │ tree hash 32]
//! clocks    varint marks, each: varint from │ varint entries of others
//!           varint writers, by number, each: varint number │ varint steps, each: varint from │ varint length
//! named     varint writers, by number, each: varint number │ varint length │ tree hash 32 │ u8 1: not granted in the past
//! outcomes  varint right grants, each: varint index │ varint act
//!           varint cuts, each: varint index │ varint act │ u8 verdict
//! ```

use super::{
    Access, Fact, Id, Log, Named,
    log::{Kind, Mark, Open, Place, Verdict},
    types::{CutVerdict, Prefix, Trees},
};
use crate::{
    codec::{DecodeError, Reader, Writer},
    collections::{Map, Set, sort, sort_by},
    crypto::{Hash, PublicKey, blake2b},
    space::Entry,
};

/// No feed has this number: there are no more.
const END: u64 = 0xffff_ffff;

/// Gives every writer a small number, always the same.
pub(super) type Number<'a> = dyn FnMut(&PublicKey) -> u32 + 'a;

impl Access {
    /// Whether facts were left out.
    pub const fn is_shallow(&self) -> bool {
        self.is_shallow
    }

    /// Facts that are in memory.
    #[cfg(test)]
    pub(crate) fn facts(&self) -> usize {
        self.logs.iter().map(|(_, log)| log.facts.len()).sum()
    }

    /// An engine that was told nothing of entries yet, but all else that this one was told.
    pub fn fresh(&self) -> Self {
        let mut new = Self::new(self.records.root());
        new.records = self.records.clone();
        new.records_grew = true;
        for (_, log) in self.logs.iter() {
            let id = new.logs.intern(&log.key);
            new.grown.insert(id);
            for (hash, keys) in &log.strays {
                let keys = keys.iter().map(|key| new.logs.intern(&self.logs.get(*key).key)).collect();
                new.logs.get_mut(id).strays.insert(*hash, keys);
            }
        }
        new
    }

    /// Takes an engine that was told and has judged all that this one knows, to ask it.
    pub fn set_past(&self, past: Self) {
        drop(self.past.set(Box::new(past)));
    }

    /// Nothing is judged any more until an engine that knows all takes the place of this one.
    pub fn want_history(&self) {
        self.logs.wants.set(true);
    }

    /// Whether a clock was asked for that nobody here knows, since the last call: then what came of it is wrong.
    pub fn take_asked(&self) -> bool {
        self.asked.take()
    }

    /// Whether such a clock was asked for.
    pub const fn has_asked(&self) -> bool {
        self.asked.get()
    }

    pub(super) fn past(&self) -> Option<&Self> {
        let past = self.past.get();
        self.asked.set(self.asked.get() || past.is_none());
        past.map(Box::as_ref)
    }

    /// What is judged here, for [`Access::restore`]; `None` if something is not as simple as it has to be for that.
    pub fn summary(&self, number: &mut dyn FnMut(&PublicKey) -> u32) -> Option<Vec<u8>> {
        let waits = self.waiting.values().any(|waiting| waiting.first().is_some());
        let news =
            self.records_grew || self.anew || self.grown.first().is_some() || self.todo.first().is_some();
        let plain = |(_, log): (Id, &Log)| {
            log.strays.is_empty()
                && log.place.fork.is_none()
                && log.place.kind != Kind::Forked
                && log.judged == log.held()
                && log.verdicts.iter().all(|(_, verdict)| *verdict == Verdict::Ok)
                && log.open.last().is_none_or(|open| open.missing.is_empty())
        };
        let contested = !self.contested().is_empty();
        if waits
            || news
            || contested
            || self.wants_history()
            || self.outcome.has_forks()
            || !self.logs.iter().all(plain)
        {
            return None;
        }
        let mut out = Writer::new();
        out.raw(&self.root().0).count(self.records().len());
        for hash in self.records() {
            out.raw(&hash.0);
        }
        let mut logs: Vec<(u32, Id)> = Vec::new();
        for (id, log) in self.logs.iter() {
            if log.given > 0 || log.place.kind != Kind::Open {
                logs.push((number(&log.key), id));
            }
        }
        sort(&mut logs);
        for (at, id) in logs {
            out.varint(u64::from(at));
            self.write_log(id, number, &mut out);
        }
        out.varint(END);
        let told = out.finish();
        Some([&blake2b(&[&told]).0, told.as_slice()].concat())
    }

    fn write_log(&self, id: Id, number: &mut Number<'_>, out: &mut Writer) {
        let log = self.logs.get(id);
        let mut numbered = |ids: Vec<Id>| {
            let mut ids: Vec<(u32, Id)> =
                ids.into_iter().map(|id| (number(&self.logs.get(id).key), id)).collect();
            sort(&mut ids);
            ids
        };
        out.u8(u8::from(log.place.kind != Kind::Open)).varint(log.place.length);
        if let Some(branch) = &log.place.branch {
            out.varint(branch.length).raw(&branch.tree_hash.0);
        }
        out.varint(log.judged);
        // Where clocks are to be known.
        let mut known: Vec<u64> =
            log.facts.iter().filter(|fact| is_kept(fact)).map(|fact| fact.index).collect();
        known.retain(|index| *index < log.judged);
        known.extend(log.judged.checked_sub(1));
        let before = |from: &dyn Fn(usize) -> Option<u64>| {
            let mut places: Set<usize> = Set::new();
            let mut at = 0;
            for index in &known {
                while from(at).is_some_and(|from| from <= *index) {
                    at += 1;
                }
                places.extend(at.checked_sub(1));
            }
            places
        };
        let marks = before(&|at| log.marks.get(at).map(|mark| mark.from));
        out.count(marks.len());
        for mark in marks.iter().filter_map(|at| log.marks.get(*at)) {
            out.varint(mark.from).varint(mark.others);
        }
        let columns = numbered(log.columns.keys().copied().collect());
        out.count(columns.len());
        for (at, other) in columns {
            let column = log.columns.get(&other).map_or(&[][..], Vec::as_slice);
            let mut places = before(&|at| column.get(at).map(|(from, _)| *from));
            for grant in self.rights.right_grants(id).iter().filter(|grant| grant.author == other) {
                let first = column.partition_point(|(_, has)| *has <= grant.index);
                places.extend(Some(first).filter(|first| *first < column.len()));
            }
            out.varint(u64::from(at)).count(places.len());
            for (from, length) in places.iter().filter_map(|at| column.get(*at)) {
                out.varint(*from).varint(*length);
            }
        }
        let named = numbered(log.named.keys().copied().collect());
        out.count(named.len());
        for (at, other) in named {
            if let Some(last) = log.named.get(&other).and_then(|named| named.last()) {
                let open = log.open.last().is_some_and(|open| open.unfollowed.contains(&other));
                out.varint(u64::from(at)).varint(last.prefix.length).raw(&last.prefix.tree_hash.0);
                out.u8(u8::from(open));
            }
        }
        out.count(log.granted.len());
        for (index, act) in &log.granted {
            out.varint(*index).count(*act);
        }
        let cuts = || log.facts.iter().flat_map(|fact| fact.cuts.iter().map(|cut| (fact.index, cut)));
        out.count(cuts().count());
        for (index, (act, verdict)) in cuts() {
            out.varint(index).count(*act).u8(code(*verdict));
        }
    }

    /// Takes an entry that was kept of a feed's past; for [`Access::restore`], ascending by index.
    pub fn add_act(&mut self, writer: &PublicKey, index: u64, hash: Hash, entry: &Entry) {
        let id = self.logs.intern(writer);
        let acts = self.logs.acts(entry);
        let log = self.logs.get_mut(id);
        if !acts.is_empty() {
            log.acting.push(log.facts.len());
        }
        let (changed, cuts) = (Box::default(), Vec::new());
        let unknown = super::has_unknown(entry);
        log.facts.push(Fact { index, hash, malformed: false, changed, acts, unknown, cuts });
    }

    /// Takes what [`Access::summary`] told, all records, pins and kept entries having been added, and nothing else; whether
    /// it can be. If not, this engine is of no use.
    pub fn restore(
        &mut self,
        trees: &dyn Trees,
        stored: &[u8],
        key: &dyn Fn(u32) -> PublicKey,
        number: &mut Number<'_>,
    ) -> bool {
        self.records_grew = false;
        self.recount();
        let whole = stored.split_at_checked(32).filter(|(hash, told)| blake2b(&[told]).0 == **hash);
        let Some((_, told)) = whole else { return false };
        let Ok(logs) = self.read_logs(told, key) else { return false };
        self.is_shallow = true;
        let mut acts: Vec<((u64, PublicKey), Id, u64)> = Vec::new();
        for id in &logs {
            let log = self.logs.get(*id);
            for fact in log.acts().filter(|fact| fact.index < log.judged) {
                acts.push(((log.order(fact.index), log.key), *id, fact.index));
            }
        }
        // Whatever an act rests on is of lower order.
        sort_by(&mut acts, |a, b| a.0.cmp(&b.0));
        for (_, id, index) in acts {
            self.judge_acts(trees, id, index, Verdict::Ok);
        }
        let news = core::mem::take(&mut self.grown);
        let same = self.summary(number).is_some_and(|now| now == stored);
        self.grown = news;
        self.grown.extend(logs);
        same
    }

    fn read_logs(&mut self, stored: &[u8], key: &dyn Fn(u32) -> PublicKey) -> Result<Vec<Id>, DecodeError> {
        let (mut reader, max) = (Reader::new(stored), stored.len());
        let records = reader.raw(32).and_then(|_| reader.count("records", max))?;
        for _ in 0..records {
            reader.raw(32)?;
        }
        let mut logs = Vec::new();
        loop {
            let number = reader.varint()?;
            if number == END {
                break;
            }
            let id = self.logs.intern(&key(u32::try_from(number).unwrap_or(u32::MAX)));
            self.read_log(id, &mut reader, max, key)?;
            logs.push(id);
        }
        reader.end()?;
        // Nobody's past holds more than was judged then.
        for id in &logs {
            for (other, column) in &self.logs.get(*id).columns {
                let last = column.last().map_or(0, |(_, length)| *length);
                if last > self.logs.get(*other).judged {
                    return Err(DecodeError::Unknown { what: "length in a past", got: last });
                }
            }
        }
        for id in &logs {
            let last = |(other, column): (&Id, &Vec<(u64, u64)>)| Some((*other, column.last()?.1));
            let reached: Vec<(Id, u64)> = self.logs.get(*id).columns.iter().filter_map(last).collect();
            for (other, length) in reached {
                let other = self.logs.get_mut(other);
                other.reach = other.reach.max(length);
            }
        }
        Ok(logs)
    }

    fn read_log(
        &mut self,
        id: Id,
        reader: &mut Reader<'_>,
        max: usize,
        key: &dyn Fn(u32) -> PublicKey,
    ) -> Result<(), DecodeError> {
        let (kind, length) = match reader.u8()? {
            0 => (Kind::Open, reader.varint()?),
            _ => (Kind::RootCut, reader.varint()?),
        };
        let prefix = |reader: &mut Reader<'_>| -> Result<Prefix, DecodeError> {
            Ok(Prefix { length: reader.varint()?, tree_hash: Hash(reader.array()?) })
        };
        let branch = if kind == Kind::Open { None } else { Some(prefix(reader)?) };
        let judged = reader.varint()?;
        let mut marks = Vec::new();
        for _ in 0..reader.count("marks", max)? {
            marks.push(Mark { from: reader.varint()?, others: reader.varint()?, raised: Box::default() });
        }
        let writer = |logs: &mut super::Logs, reader: &mut Reader<'_>| -> Result<Id, DecodeError> {
            Ok(logs.intern(&key(u32::try_from(reader.varint()?).unwrap_or(u32::MAX))))
        };
        let mut columns: Map<Id, Vec<(u64, u64)>> = Map::new();
        for _ in 0..reader.count("columns", max)? {
            let other = writer(&mut self.logs, reader)?;
            let column = columns.entry(other).or_default();
            for _ in 0..reader.count("steps", max)? {
                column.push((reader.varint()?, reader.varint()?));
            }
        }
        let (mut named, mut unfollowed) = (Map::new(), Vec::new());
        for _ in 0..reader.count("named", max)? {
            let other = writer(&mut self.logs, reader)?;
            named.insert(other, vec![Named { from: 0, prefix: prefix(reader)?, proved: false }]);
            if reader.u8()? > 0 {
                unfollowed.push(other);
            }
        }
        // What came of the acts is found again.
        for _ in 0..reader.count("right grants", max)? {
            reader.varint().and_then(|_| reader.varint())?;
        }
        for _ in 0..reader.count("cuts", max)? {
            reader.varint().and_then(|_| reader.varint()).and_then(|_| reader.u8())?;
        }
        let log = self.logs.get_mut(id);
        log.place = Place { kind, length, branch, fork: None };
        (log.base, log.judged, log.given) = (judged, judged, judged);
        (log.marks, log.columns, log.named) = (marks, columns, named);
        log.cursor = log.facts.partition_point(|fact| fact.index < judged);
        if judged > 0 {
            log.verdicts = vec![(0, Verdict::Ok)];
        }
        if !unfollowed.is_empty() {
            let from = judged.saturating_sub(1);
            log.open = vec![Open { from, unfollowed: unfollowed.into(), missing: Box::default() }];
        }
        Ok(())
    }
}

/// Whether a fact is kept for ever: there are as many as there are decisions of people.
fn is_kept(fact: &Fact) -> bool {
    !fact.acts.is_empty() || fact.unknown
}

fn code(verdict: CutVerdict) -> u8 {
    const ALL: [CutVerdict; 10] = [
        CutVerdict::Effective,
        CutVerdict::Pending,
        CutVerdict::Void,
        CutVerdict::AuthorNotGranted,
        CutVerdict::AuthorCut,
        CutVerdict::TargetNotGranted,
        CutVerdict::NoRight,
        CutVerdict::NoSuchHead,
        CutVerdict::BelowAcknowledged,
        CutVerdict::Voided,
    ];
    ALL.iter().zip(0..).find(|(other, _)| **other == verdict).map_or(u8::MAX, |(_, code)| code)
}
