//! One feed: what was given of it, and what was judged of that.
//!
//! Only entries that say something about others are kept (*facts*); a run of plain data entries costs nothing.
//! The clipped past of an entry is a clock, kept as *marks* (what a fact's entry raised, row by row) and as
//! *columns* (for each other writer: from which index on its length is what). Everything below "judged" is
//! derived, ends at `judged`, and is cut back by [`Log::cut_back`] when a judgement falls.

use super::{
    acts::{Act, Id},
    types::{CutVerdict, Prefix, Status},
};
use std::rc::Rc;

use core::cell::Cell;

use crate::collections::Map;
use crate::crypto::{Hash, PublicKey};

/// One feed.
pub(super) struct Log {
    pub(super) key: PublicKey,
    /// Somebody showed a head or a block of it, or a root record cuts it.
    pub(super) listed: bool,
    /// Below this index of judged entries only part is known: facts with acts, and clocks where those are (see `shallow`).
    pub(super) base: u64,
    /// Something was asked that is not known.
    pub(super) wants: Rc<Cell<bool>>,
    /// Entries given so far.
    pub(super) given: u64,
    /// Given entries that say something about others, ascending by index.
    pub(super) facts: Vec<Fact>,
    /// Places in `facts` of those with acts, ascending.
    pub(super) acting: Vec<usize>,
    /// For each writer that the feed names: what it named, from which index on. Ascending.
    pub(super) named: Map<Id, Vec<Named>>,
    /// Entries of other branches, by hash: keys that they grant.
    pub(super) strays: Map<Hash, Vec<Id>>,
    pub(super) place: Place,

    /// Entries judged so far.
    pub(super) judged: u64,
    /// Facts among them.
    pub(super) cursor: usize,
    /// Waits, unjudged, for blocks of another feed.
    pub(super) stalled: bool,
    /// Being judged further up the stack.
    pub(super) busy: bool,
    /// Where the clipped past takes in more than the author's own next entry. Ascending.
    pub(super) marks: Vec<Mark>,
    /// For each other writer: its length in the past, from which index on. Ascending in both.
    pub(super) columns: Map<Id, Vec<(u64, u64)>>,
    /// Runs of verdicts: each from an index on.
    pub(super) verdicts: Vec<(u64, Verdict)>,
    /// Deps that add nothing yet, where that changes.
    pub(super) open: Vec<Open>,
    /// Right grants that it made: index, place among the entry's acts. Ascending.
    pub(super) granted: Vec<(u64, usize)>,
    /// No judged past holds more of this feed.
    pub(super) reach: u64,

    /// Statuses as last reported: each from an index on.
    pub(super) runs: Vec<(u64, Status)>,
    /// Entries covered by `runs`.
    pub(super) shown: u64,
    /// Orders that were reported from the given index on and may have changed: (index, sum of others).
    pub(super) former: Option<Former>,
}

/// Which part of a feed may count.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Place {
    pub(super) kind: Kind,
    /// Length of what may count.
    pub(super) length: u64,
    /// The prefix that a root cut pins (what counts may be shorter, if another root cut disagrees).
    pub(super) branch: Option<Prefix>,
    pub(super) fork: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Kind {
    #[default]
    Open,
    Forked,
    RootCut,
}

/// An entry that says something about others.
pub(super) struct Fact {
    pub(super) index: u64,
    pub(super) hash: Hash,
    /// Malformed entries are void; nothing else of them is kept.
    pub(super) malformed: bool,
    /// Writers about whom it names something new.
    pub(super) changed: Box<[Id]>,
    pub(super) acts: Box<[Act]>,
    /// It has operations of a later version.
    pub(super) unknown: bool,
    /// Judged: verdicts of the cuts among the acts, by place.
    pub(super) cuts: Vec<(usize, CutVerdict)>,
}

/// A dep, from an index on.
#[derive(Clone, Copy)]
pub(super) struct Named {
    pub(super) from: u64,
    pub(super) prefix: Prefix,
    /// It was seen to be signed: which it is for ever, so nobody has to look again.
    pub(super) proved: bool,
}

/// The past grows here.
pub(super) struct Mark {
    pub(super) from: u64,
    /// Entries of all other writers in the past, from here on.
    pub(super) others: u64,
    /// New lengths.
    pub(super) raised: Box<[(Id, u64)]>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    Ok,
    Pending,
    Void,
}

/// Deps named so far that add nothing, from an index on.
pub(super) struct Open {
    pub(super) from: u64,
    /// Of writers that are not granted in the past.
    pub(super) unfollowed: Box<[Id]>,
    /// Not proved, or not held.
    pub(super) missing: Box<[Id]>,
}

/// Orders as they were reported.
pub(super) struct Former {
    /// From here on they may have changed.
    pub(super) from: u64,
    /// (index, entries of others in the past) as it was, first at or before `from`.
    pub(super) others: Vec<(u64, u64)>,
}

impl Fact {
    /// A block that does not decode.
    pub(super) fn malformed(index: u64, hash: Hash) -> Self {
        Self {
            index,
            hash,
            malformed: true,
            changed: Box::default(),
            acts: Box::default(),
            unknown: false,
            cuts: Vec::new(),
        }
    }
}

impl Log {
    pub(super) fn new(key: PublicKey, wants: Rc<Cell<bool>>) -> Self {
        Self {
            key,
            listed: false,
            base: 0,
            wants,
            given: 0,
            facts: Vec::new(),
            acting: Vec::new(),
            named: Map::new(),
            strays: Map::new(),
            place: Place::default(),
            judged: 0,
            cursor: 0,
            stalled: false,
            busy: false,
            marks: Vec::new(),
            columns: Map::new(),
            verdicts: Vec::new(),
            open: Vec::new(),
            granted: Vec::new(),
            reach: 0,
            runs: Vec::new(),
            shown: 0,
            former: None,
        }
    }

    /// Entries that are given and may count.
    pub(super) fn held(&self) -> u64 {
        self.given.min(self.place.length)
    }

    /// Whether the clock at an index is known.
    pub(super) fn is_known(&self, index: u64) -> bool {
        index.saturating_add(1) >= self.base || self.fact_at(index).is_some()
    }

    /// Notes that the whole history is wanted, unless that is so.
    pub(super) fn check(&self, is_known: bool) {
        if !is_known {
            self.wants.set(true);
        }
    }

    /// What the feed last named of a writer, at or before an index.
    pub(super) fn named_at(&self, writer: Id, index: u64) -> Option<Named> {
        self.check(index >= self.base);
        let column = self.named.get(&writer)?;
        let after = column.partition_point(|named| named.from <= index);
        column.get(after.checked_sub(1)?).copied()
    }

    /// Notes that what the feed last named of a writer, at or before an index, is signed.
    pub(super) fn prove(&mut self, writer: Id, index: u64) {
        let Some(column) = self.named.get_mut(&writer) else { return };
        let after = column.partition_point(|named| named.from <= index);
        if let Some(named) = after.checked_sub(1).and_then(|at| column.get_mut(at)) {
            named.proved = true;
        }
    }

    /// Length of another writer's feed in the past of an entry (judged, or being judged with its mark made).
    pub(super) fn other_at(&self, writer: Id, index: u64) -> u64 {
        self.check(self.is_known(index));
        self.columns.get(&writer).map_or(0, |column| {
            let after = column.partition_point(|(from, _)| *from <= index);
            after.checked_sub(1).and_then(|at| column.get(at)).map_or(0, |(_, length)| *length)
        })
    }

    /// Length of another writer's feed in the past of the last judged entry.
    pub(super) fn other_now(&self, writer: Id) -> u64 {
        self.columns.get(&writer).and_then(|column| column.last()).map_or(0, |(_, length)| *length)
    }

    /// First judged index whose past holds more than `length` entries of another writer.
    pub(super) fn first_with(&self, writer: Id, length: u64) -> Option<u64> {
        let column = self.columns.get(&writer)?;
        column.get(column.partition_point(|(_, has)| *has <= length)).map(|(from, _)| *from)
    }

    /// Entries of all others in the past of an entry.
    pub(super) fn others_at(&self, index: u64) -> u64 {
        self.check(self.is_known(index));
        let after = self.marks.partition_point(|mark| mark.from <= index);
        after.checked_sub(1).and_then(|at| self.marks.get(at)).map_or(0, |mark| mark.others)
    }

    pub(super) fn verdict_at(&self, index: u64) -> Verdict {
        let after = self.verdicts.partition_point(|(from, _)| *from <= index);
        after
            .checked_sub(1)
            .and_then(|at| self.verdicts.get(at))
            .map_or(Verdict::Pending, |(_, verdict)| *verdict)
    }

    /// Whether the dep on a writer is missing in the past of a judged entry.
    pub(super) fn is_missing(&self, writer: Id, index: u64) -> bool {
        let after = self.open.partition_point(|open| open.from <= index);
        let open = after.checked_sub(1).and_then(|at| self.open.get(at));
        open.is_some_and(|open| open.missing.contains(&writer))
    }

    pub(super) fn fact_at(&self, index: u64) -> Option<&Fact> {
        let at = self.facts.partition_point(|fact| fact.index < index);
        self.facts.get(at).filter(|fact| fact.index == index)
    }

    /// The judged facts with acts.
    pub(super) fn acts(&self) -> impl DoubleEndedIterator<Item = &Fact> {
        self.acting.iter().filter_map(|at| self.facts.get(*at))
    }

    /// Status as last reported.
    pub(super) fn status_at(&self, index: u64) -> Option<Status> {
        let after = self.runs.partition_point(|(from, _)| *from <= index);
        (index < self.shown).then_some(())?;
        self.runs.get(after.checked_sub(1)?).map(|(_, status)| *status)
    }

    /// Takes back every judgement from an index on. Answers the right grants and the effective cuts that went
    /// are the caller's to take out of its own tables.
    pub(super) fn cut_back(&mut self, index: u64) {
        if index >= self.judged {
            return;
        }
        self.check(index >= self.base);
        if self.former.as_ref().is_none_or(|former| index < former.from) {
            self.keep_former(index);
        }
        self.judged = index;
        self.stalled = false;
        self.cursor = self.facts.partition_point(|fact| fact.index < index);
        for fact in self.facts.iter_mut().skip(self.cursor) {
            fact.cuts.clear();
        }
        while let Some(mark) = self.marks.pop_if(|mark| mark.from >= index) {
            for (writer, _) in &mark.raised {
                let Some(column) = self.columns.get_mut(writer) else { continue };
                column.pop_if(|(from, _)| *from == mark.from);
                if column.is_empty() {
                    self.columns.remove(writer);
                }
            }
        }
        while self.verdicts.pop_if(|(from, _)| *from >= index).is_some() {}
        while self.open.pop_if(|open| open.from >= index).is_some() {}
        while self.granted.pop_if(|(at, _)| *at >= index).is_some() {}
    }

    /// Remembers what was reported of the orders from an index on, so that a change is seen.
    fn keep_former(&mut self, index: u64) {
        let after = self.marks.partition_point(|mark| mark.from <= index);
        let kept = self.former.take();
        let end = kept.as_ref().map_or(u64::MAX, |former| former.from);
        let mut others = vec![(index, self.others_at(index))];
        others.extend(
            self.marks.iter().skip(after).take_while(|mark| mark.from < end).map(|m| (m.from, m.others)),
        );
        others.extend(kept.into_iter().flat_map(|former| former.others));
        self.former = Some(Former { from: index, others });
    }

    /// Forgets given entries from an index on. Their judgements must be gone.
    pub(super) fn forget(&mut self, index: u64) {
        self.check(index >= self.base);
        self.given = self.given.min(index);
        self.shown = self.shown.min(index);
        while self.runs.pop_if(|(from, _)| *from >= index).is_some() {}
        while self.facts.pop_if(|fact| fact.index >= index).is_some() {}
        let facts = self.facts.len();
        while self.acting.pop_if(|at| *at >= facts).is_some() {}
        self.named.retain(|_, column| {
            while column.pop_if(|named| named.from >= index).is_some() {}
            !column.is_empty()
        });
    }
}
