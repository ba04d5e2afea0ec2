//! Access: which entries count, whose, and why. Computed from a set, so every node computes the same.
//!
//! [`Access`] is told records, pins and entries as they come, asks a [`Trees`] about signed heads, and after
//! [`Access::settle`] answers for all it knows. It holds no blocks: an entry of plain data costs nothing but a
//! longer run, and only what names others or changes rights is kept.
//!
//! ```text
//! records   root records that count: chain of successors, pins
//! log       one feed: facts (given), clock marks and columns (judged)
//! settle    what came -> where each feed is closed -> what must be judged again
//! judge     clipped past of the next entry (least fixpoint), its verdict, its acts
//! rights    grants and cuts in a past: holdings, who may grant or cut, which right grants are dead
//! outcome   the same over everything held: statuses, hides, what hangs on a fork
//! shallow   judgements as they are stored, and an engine that goes on from them without its whole history
//! ```
//!
//! The judgement of an entry depends only on its past and on what is in every past (root records, forks), so it
//! stands until one of those changes; then it falls with all that have it in their past. A *right* grant is one
//! that was right when made. In any later state it counts unless it is *dead*: at or past a cut of its author, or
//! resting on dead grants. With no grant past a cut, nothing is dead, and a state costs nothing.

mod acts;
mod judge;
mod log;
mod outcome;
mod records;
#[cfg(test)]
mod reference;
mod rights;
mod settle;
mod shallow;
#[cfg(test)]
mod tests;
mod types;

use core::cell::{Cell, OnceCell};
use std::collections::VecDeque;

use acts::{Act, Id, Logs, has_unknown};
use log::{Fact, Log, Named};
use outcome::Outcome;
use records::Records;
use rights::Rights;
pub use types::{
    Change, Clock, CountedGrant, CutState, CutVerdict, EpochState, GrantSource, Prefix, Signed, Status,
    Trees, WriterStanding, WriterState,
};

use super::{Entry, Role, RootRecord, Why};
use crate::collections::{Map, Set, sort_by};
use crate::crypto::{Hash, PublicKey};

/// The access engine of one space.
///
/// `add_*`, [`pin`](Self::pin) and [`grew`](Self::grew) only take note; [`settle`](Self::settle) judges, once
/// for a whole batch. All answers are as of the last settling. Drain [`poll_change`](Self::poll_change) after it.
pub struct Access {
    records: Records,
    logs: Logs,
    rights: Rights,
    outcome: Outcome,
    /// Feeds whose heads, blocks or root cuts are news.
    grown: Set<Id>,
    records_grew: bool,
    /// All judgements are to fall.
    anew: bool,
    /// Feeds to judge on.
    todo: Set<Id>,
    /// By the writer waited for: (length needed, who waits, index).
    waiting: Map<Id, Set<(u64, Id, u64)>>,
    /// By the target: entries with a cut that shows a head nobody knows.
    headless: Map<Id, Set<(Id, u64)>>,
    changes: VecDeque<Change>,
    /// Not all facts were told: see `shallow`.
    is_shallow: bool,
    /// One that was told all, to ask about clocks that are not known here.
    past: OnceCell<Box<Self>>,
    /// Such a clock was asked for, and there was none to ask.
    asked: Cell<bool>,
}

impl Access {
    /// A space without records or entries.
    pub fn new(space: PublicKey) -> Self {
        Self {
            records: Records::new(space),
            logs: Logs::new(),
            rights: Rights::default(),
            outcome: Outcome::default(),
            grown: Set::new(),
            records_grew: false,
            anew: false,
            todo: Set::new(),
            waiting: Map::new(),
            headless: Map::new(),
            changes: VecDeque::new(),
            is_shallow: false,
            past: OnceCell::new(),
            asked: Cell::new(false),
        }
    }

    /// Adds a root record, whose signature was verified; whether it is new. Heads and proofs of its cuts belong
    /// in the [`Trees`] before settling.
    pub fn add_record(&mut self, record: &RootRecord) -> bool {
        let new = self.records.add(record);
        self.records_grew |= new;
        new
    }

    /// Pins the record (by hash) in which `root` named its successor, as this node verified first.
    pub fn pin(&mut self, root: PublicKey, successor_record: Hash) {
        self.records_grew |= self.records.pin(root, successor_record);
    }

    /// Adds the next entry of a feed's branch, `None` if the block does not decode; whether it was the next (see
    /// [`next`](Self::next)). `hash` is its leaf hash.
    pub fn add_entry(&mut self, writer: &PublicKey, index: u64, hash: Hash, entry: Option<&Entry>) -> bool {
        self.add_known(writer, index, hash, entry, false)
    }

    /// Adds entries of plain data up to a length: they name nobody and have no access operations. Fewer than were
    /// added change nothing.
    pub fn add_run(&mut self, writer: &PublicKey, length: u64) {
        let id = self.logs.intern(writer);
        let log = self.logs.get_mut(id);
        if log.given < length {
            log.given = length;
            self.grown.insert(id);
        }
    }

    /// As [`add_entry`](Self::add_entry); `proved` says that what the entry names was seen to be signed before
    /// (see [`is_proved`](Self::is_proved)).
    pub fn add_known(
        &mut self,
        writer: &PublicKey,
        index: u64,
        hash: Hash,
        entry: Option<&Entry>,
        proved: bool,
    ) -> bool {
        let id = self.logs.intern(writer);
        if self.logs.get(id).given != index {
            return false;
        }
        self.grown.insert(id);
        self.logs.get_mut(id).given = index.saturating_add(1);
        let Some(entry) = entry else {
            let fact = Fact::malformed(index, hash);
            self.logs.get_mut(id).facts.push(fact);
            return true;
        };
        let unknown = has_unknown(entry);
        if !Self::keeps(entry) {
            return true;
        }
        let acts = self.logs.acts(entry);
        let deps: Vec<(Id, Prefix)> = entry
            .deps
            .iter()
            .map(|dep| {
                let prefix = Prefix { length: dep.length, tree_hash: dep.tree_hash };
                (self.logs.intern(&dep.writer), prefix)
            })
            .collect();
        let log = self.logs.get_mut(id);
        log.add_fact(id, index, hash, &deps, acts, entry.full_clock, unknown);
        if proved {
            let changed = log.facts.last().map(|fact| fact.changed.clone()).unwrap_or_default();
            for on in &changed {
                log.prove(*on, index);
            }
        }
        true
    }

    /// Whether all that an entry names was seen to be signed: that is so for ever.
    pub fn is_proved(&self, writer: &PublicKey, index: u64) -> bool {
        let log = self.logs.find(writer);
        let proved = |on: &Id| log.named_at(*on, index).is_some_and(|named| named.proved);
        log.fact_at(index).is_none_or(|fact| fact.changed.iter().all(proved))
    }

    /// Whether the engine keeps an entry: all others cost nothing, and can be added as a run.
    pub fn keeps(entry: &Entry) -> bool {
        !entry.deps.is_empty() || !entry.access.is_empty() || entry.full_clock || has_unknown(entry)
    }

    /// Takes the entries of a feed up to `to` as such that say nothing of others: for readers of parts of a feed, which
    /// give those that do.
    pub fn skip(&mut self, writer: &PublicKey, to: u64) {
        let id = self.logs.intern(writer);
        let log = self.logs.get_mut(id);
        log.given = log.given.max(to);
        self.grown.insert(id);
    }

    /// Adds an entry that lies on another branch of a forked feed than the one that is given by index: what it
    /// grants is suspended, not unknown.
    pub fn add_stray(&mut self, writer: &PublicKey, hash: Hash, entry: &Entry) {
        let id = self.logs.intern(writer);
        let keys: Vec<Id> = self.logs.acts(entry).iter().filter_map(Act::granted).collect();
        self.logs.get_mut(id).strays.insert(hash, keys);
        self.grown.insert(id);
    }

    /// Something is new among the signed heads of a feed: a longer one, another branch, a proof.
    pub fn grew(&mut self, writer: &PublicKey) {
        let id = self.logs.intern(writer);
        self.grown.insert(id);
    }

    /// At the next settling everything is judged anew: an answer about what branches share was not the last word.
    pub fn judge_anew(&mut self) {
        self.anew = true;
        let all = self.logs.iter().map(|(id, _)| id);
        self.grown.extend(all.collect::<Vec<Id>>());
    }

    /// The next change of a status or order, or a feed to give again.
    pub fn poll_change(&mut self) -> Option<Change> {
        self.changes.pop_front()
    }

    /// Index of the entry that [`add_entry`](Self::add_entry) expects next of a feed.
    pub fn next(&self, writer: &PublicKey) -> u64 {
        self.logs.find(writer).given
    }

    /// The branch of a feed to give: one that holds this prefix. `None`: any (at or past a fork nothing counts).
    pub fn branch(&self, writer: &PublicKey) -> Option<Prefix> {
        self.logs.find(writer).place.branch
    }

    /// How an entry stands; `None` if it was not given.
    pub fn status(&self, writer: &PublicKey, index: u64) -> Option<Status> {
        self.logs.find(writer).status_at(index)
    }

    /// Why an entry is kept from view; `None` if it is shown, or waits, or never had a right.
    pub fn why(&self, writer: &PublicKey, index: u64) -> Option<Why> {
        self.why_of(self.logs.id(writer)?, index)
    }

    /// First index of a writer that a standing hide names.
    pub fn hidden_from(&self, writer: &PublicKey) -> Option<u64> {
        self.hidden_of(self.logs.id(writer)?)
    }

    /// Whether `author` may cut, hide or unhide `target` by all that is held. Being cut itself is another question.
    pub fn may_cut(&self, author: &PublicKey, target: &PublicKey) -> bool {
        let (Some(me), Some(them)) = (self.logs.id(author), self.logs.id(target)) else { return false };
        let mine = self.final_holding(me);
        mine.role.is_some() && rights::may_cut(me, &mine, them, &self.final_holding(them))
    }

    /// Number of entries in an entry's clipped past: entries sort by this, then by writer. `None` if it was not
    /// judged.
    pub fn order(&self, writer: &PublicKey, index: u64) -> Option<u64> {
        let log = self.logs.find(writer);
        if !log.is_known(index) {
            return self.past().and_then(|past| past.order(writer, index));
        }
        (index < log.judged).then(|| log.order(index))
    }

    /// Clipped past of an entry, itself not included; `None` if it was not judged.
    pub fn clock_of(&self, writer: &PublicKey, index: u64) -> Option<Clock> {
        let log = self.logs.find(writer);
        if !log.is_known(index) {
            return self.past().and_then(|past| past.clock_of(writer, index));
        }
        (index < log.judged).then_some(())?;
        let others = log.columns.keys().map(|id| (self.logs.get(*id).key, log.other_at(*id, index)));
        Some(others.chain([(*writer, index)]).filter(|(_, length)| *length > 0).collect())
    }

    /// Whether `index` of `other` lies in the past of an entry.
    pub fn precedes(&self, other: (&PublicKey, u64), entry: (&PublicKey, u64)) -> bool {
        if other.0 == entry.0 {
            return other.1 < entry.1;
        }
        let log = self.logs.find(entry.0);
        if !log.is_known(entry.1) {
            return self.past().is_some_and(|past| past.precedes(other, entry));
        }
        entry.1 < log.judged && self.logs.id(other.0).is_some_and(|id| log.other_at(id, entry.1) > other.1)
    }

    /// The last root of the chain.
    pub fn root(&self) -> PublicKey {
        self.records.root()
    }

    /// Roots that named rival successors, where this node pinned none. Empty or one.
    pub fn contested(&self) -> &[PublicKey] {
        &self.records.counted.contested
    }

    /// Hashes of the root records that count.
    pub fn records(&self) -> &Set<Hash> {
        &self.records.counted.records
    }

    /// Hashes of the held records that no other names, ascending: the next record's links.
    pub fn record_heads(&self) -> Vec<Hash> {
        self.records.heads()
    }

    /// All writers that are known, ascending by key.
    pub fn writers(&self) -> Vec<WriterState> {
        let mut all: Vec<_> = self.logs.iter().filter_map(|(id, _)| self.writer_state(id)).collect();
        sort_by(&mut all, |a, b| a.key.cmp(&b.key));
        all
    }

    /// One writer; `None` if nothing is known of it.
    pub fn writer(&self, key: &PublicKey) -> Option<WriterState> {
        self.writer_state(self.logs.id(key)?)
    }

    /// Highest role of a key's counted grants, whatever its standing.
    pub fn role(&self, writer: &PublicKey) -> Option<Role> {
        self.logs.id(writer).and_then(|id| self.final_holding(id).role)
    }

    /// Whether a feed is to be replicated: some grant of it was right when made, whatever was cut later.
    pub fn is_followed(&self, writer: &PublicKey) -> bool {
        self.logs.id(writer).is_some_and(|id| self.rights.is_granted(id))
    }

    /// Every key for which [`Access::is_followed`] holds, also one whose only grant stands past a cut: its cuts take
    /// effect, so its feed has to be had.
    pub fn followed(&self) -> Vec<PublicKey> {
        self.rights.granted_keys().map(|id| self.logs.get(id).key).collect()
    }

    /// Grants that count, of the root and of entries.
    pub fn grants(&self) -> Vec<CountedGrant> {
        self.counted_grants()
    }

    /// Device cuts in all entries that may count, with what became of them.
    pub fn cuts(&self) -> Vec<CutState> {
        self.all_cuts()
    }

    /// Content keys made by counted entries, ascending by order.
    pub fn epochs(&self) -> Vec<EpochState> {
        self.all_epochs()
    }

    /// Something that counts has operations of a later version.
    pub fn needs_update(&self) -> bool {
        self.records.counted.unknown
            || self.logs.iter().any(|(_, log)| {
                let shown = |index| matches!(log.status_at(index), Some(Status::Counted | Status::Hidden));
                log.facts.iter().any(|fact| fact.unknown && shown(fact.index))
            })
    }
}

impl Log {
    /// Keeps an entry that says something about others.
    #[expect(clippy::too_many_arguments, reason = "the parts of one entry")]
    fn add_fact(
        &mut self,
        id: Id,
        index: u64,
        hash: Hash,
        deps: &[(Id, Prefix)],
        acts: Box<[Act]>,
        full_clock: bool,
        unknown: bool,
    ) {
        let mut well_formed = acts.is_empty() || full_clock;
        let (mut old, mut news) = (0, Vec::new());
        for (writer, prefix) in deps {
            let last = self.named.get(writer).and_then(|column| column.last()).map(|named| named.prefix);
            old += usize::from(last.is_some());
            well_formed &= *writer != id && prefix.length >= last.map_or(1, |last| last.length);
            if last != Some(*prefix) {
                news.push((*writer, *prefix));
            }
        }
        // No writer is named twice in one entry, so the full clock holds all that was named before.
        well_formed &= !full_clock || old == self.named.len();
        if !well_formed {
            news.clear();
        }
        for (writer, prefix) in &news {
            self.named.entry(*writer).or_default().push(Named {
                from: index,
                prefix: *prefix,
                proved: false,
            });
        }
        let changed = news.iter().map(|(writer, _)| *writer).collect();
        if !acts.is_empty() {
            self.acting.push(self.facts.len());
        }
        self.facts.push(Fact {
            index,
            hash,
            malformed: !well_formed,
            changed,
            acts,
            unknown,
            cuts: Vec::new(),
        });
    }

    fn order(&self, index: u64) -> u64 {
        index.saturating_add(self.others_at(index))
    }
}
