//! Taking a checkpoint: all of it, or nothing.

use super::{
    begins_with,
    facts::Fact,
    folder,
    state::{FeedState, State},
};
use crate::{
    collections::{Map, sort_by},
    crypto::PublicKey,
    space::{
        Access, Entry, SpaceError,
        space::{
            Space,
            replay::Fresh,
            trees::{FeedTrees, Numbers},
        },
    },
    storage::{Files, StorageError},
};

/// What became of a checkpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::space::space) enum Restored {
    /// There is none.
    Nothing,
    /// The space stands where it stood.
    Taken,
    /// It must be dropped, and so must this space be: it may have been taken in part.
    Unfit,
    /// What it says of judgements is not what would be judged now: they are to be made anew from its facts, in another space.
    Changed,
}

impl Space {
    /// Takes the checkpoint that is stored. The feeds are open; nothing was taken in yet.
    pub(in crate::space::space) fn take_checkpoint(
        &mut self,
        files: &mut Files,
    ) -> Result<Restored, SpaceError> {
        match self.try_restore(files) {
            // What is stored of it is not what was written. Pages that are not in memory are another thing.
            Err(SpaceError::Storage(StorageError::Damaged { .. } | StorageError::OutOfRange { .. })) => {
                Ok(Restored::Unfit)
            }
            Ok(Restored::Taken) => {
                self.restoring = true;
                let settled = self.settle(files, Fresh::default());
                self.restoring = false;
                settled?;
                // Facts that were needed are not what was written.
                Ok(if self.access.wants_history() { Restored::Unfit } else { Restored::Taken })
            }
            other => other,
        }
    }

    fn try_restore(&mut self, files: &mut Files) -> Result<Restored, SpaceError> {
        let folder = folder(&self.key);
        if files.len(self.ledger.state) == 0 {
            // Perhaps it is there, but cannot be told any more.
            return Ok(if files.names(&folder).is_empty() { Restored::Nothing } else { Restored::Unfit });
        }
        // Where records have gone, zeros stand in the place of what they held.
        if files.is_incomplete() || self.has_damaged_view(files) {
            return Ok(Restored::Unfit);
        }
        let length = usize::try_from(files.len(self.ledger.state)).unwrap_or(usize::MAX);
        let bytes = files.read(self.ledger.state, 0, length)?;
        let Ok(state) = State::decode(&bytes) else { return Ok(Restored::Unfit) };
        for feed in &state.feeds {
            let held = state.writers.get(usize::try_from(feed.writer).unwrap_or(usize::MAX));
            let fits = match held.and_then(|writer| self.feeds.get(writer)) {
                Some(held) => begins_with(held, files, feed.given, &feed.tree)?,
                None => false,
            };
            if !fits {
                return Ok(Restored::Unfit);
            }
        }
        self.ledger.state_length = files.len(self.ledger.state);
        (self.ledger.facts_length, self.ledger.acts_length) = (state.facts, state.acts);
        let acts = self.stored_acts(files)?;
        let covered: Map<u32, u64> = state.feeds.iter().map(|feed| (feed.writer, feed.given)).collect();
        if !self.view.open_base(files, &self.key, &state.base, covered) {
            return Ok(Restored::Unfit);
        }
        for writer in &state.writers {
            self.numbers.number(writer);
        }
        let numbers = &self.numbers;
        let shallow = !self.whole && !state.judged.is_empty();
        if shallow {
            let Ok(acts) = Fact::decode_all(&acts) else { return Ok(Restored::Unfit) };
            for fact in acts {
                let numbers = &self.numbers;
                let Ok((hash, entry)) = fact.entry(&|number| numbers.key(number)) else {
                    return Ok(Restored::Unfit);
                };
                let (writer, Some(entry)) = (self.numbers.key(fact.writer), entry) else { continue };
                self.access.add_act(&writer, fact.index, hash, &entry);
                self.note_entry(files, &writer, fact.index, &entry)?;
            }
            let (numbers, access) = (&self.numbers, &mut self.access);
            let trees = FeedTrees::new(files, &self.feeds, &self.claims, &self.sides);
            let number = &mut |key: &PublicKey| numbers.find(key).unwrap_or(u32::MAX);
            if !access.restore(&trees, &state.judged, &|number| numbers.key(number), number) {
                return Ok(Restored::Changed);
            }
        } else {
            let facts = self.stored_facts(files)?;
            let Some(told) = told(&mut self.access, numbers, &[&facts, &acts]) else {
                return Ok(Restored::Unfit);
            };
            for (writer, index, entry) in told {
                self.note_entry(files, &writer, index, &entry)?;
            }
        }
        for FeedState { writer, given, last_time, shown, .. } in state.feeds {
            let writer = self.numbers.key(writer);
            self.access.add_run(&writer, given);
            self.access.grew(&writer);
            self.grown.insert(writer);
            let tail = self.tails.entry(writer).or_default();
            (tail.given, tail.last_time, tail.shown) = (given, last_time, shown);
        }
        self.epochs.set_sealed(state.sealed);
        Ok(Restored::Taken)
    }

    /// Takes what an entry of which a fact is stored says besides what the access engine judges.
    fn note_entry(
        &mut self,
        files: &Files,
        writer: &PublicKey,
        index: u64,
        entry: &Entry,
    ) -> Result<(), SpaceError> {
        self.note_invites(writer, index, &entry.access);
        self.note_pins(writer, index, &entry.access);
        self.note_access(files, writer, index, entry)
    }

    fn stored_facts(&self, files: &Files) -> Result<Vec<u8>, SpaceError> {
        let length = usize::try_from(self.ledger.facts_length).unwrap_or(usize::MAX);
        Ok(files.read(self.ledger.facts_file, 0, length)?)
    }

    fn stored_acts(&self, files: &Files) -> Result<Vec<u8>, SpaceError> {
        let length = usize::try_from(self.ledger.acts_length).unwrap_or(usize::MAX);
        Ok(files.read(self.ledger.acts_file, 0, length)?)
    }

    /// An engine that was told all that was taken in so far, and judged it. `None` if what is stored of that is not what was
    /// written.
    fn whole_engine(&self, files: &Files, trees: &FeedTrees<'_>) -> Result<Option<Access>, SpaceError> {
        let (facts, acts) = match (self.stored_facts(files), self.stored_acts(files)) {
            (Ok(facts), Ok(acts)) => (facts, acts),
            (Err(error), _) | (_, Err(error)) if error.is_absent() => return Err(error),
            _ => return Ok(None),
        };
        let [new_facts, new_acts] = self
            .ledger
            .facts
            .encode(&|writer, index| self.access.is_proved(&self.numbers.key(writer), index));
        let mut access = self.access.fresh();
        let (facts, acts) = ([facts, new_facts].concat(), [acts, new_acts].concat());
        if told(&mut access, &self.numbers, &[&facts, &acts]).is_none() {
            return Ok(None);
        }
        for (writer, tail) in self.tails.iter() {
            access.add_run(writer, tail.given);
        }
        access.settle(trees);
        Ok(Some(access))
    }

    /// Puts an engine that knows all in the place of one that does not, and cannot judge on: what it finds is to be applied as
    /// when a checkpoint is taken. `false` if that is not to be had now: then the space waits.
    pub(in crate::space::space) fn deepen(&mut self, files: &mut Files) -> Result<bool, SpaceError> {
        let trees = FeedTrees::new(files, &self.feeds, &self.claims, &self.sides);
        let whole = match self.whole_engine(files, &trees) {
            Err(error) if error.is_absent() && !self.restoring => {
                self.backlog.history = true;
                return Ok(false);
            }
            whole => whole?,
        };
        let (missed, branches) = trees.missed();
        match whole {
            Some(whole) => self.access = whole,
            None if self.restoring => return Ok(false),
            None => {
                self.doubt(files, self.key);
                return Ok(false);
            }
        }
        self.backlog.trees.extend(missed);
        self.backlog.branches |= branches;
        self.stirred = true;
        Ok(true)
    }

    /// Whether what was just read asked for clocks that were not known, and they are now: then it is to be read again.
    pub(in crate::space::space) fn asks_again(&self, files: &Files) -> Result<bool, SpaceError> {
        if !self.access.take_asked() {
            return Ok(false);
        }
        let trees = self.trees(files);
        let whole = self.whole_engine(files, &trees)?;
        if trees.missed().0.first().is_some() {
            return Err(StorageError::Absent { pages: Vec::new() }.into());
        }
        let Some(whole) = whole else {
            return Err(StorageError::Damaged { what: self.view.spoil(&self.key) }.into());
        };
        self.access.set_past(whole);
        Ok(true)
    }
}

/// Tells an engine facts of both files; of those that are entries with something else than names, which. `None` if they
/// cannot be what was stored.
fn told(access: &mut Access, numbers: &Numbers, stored: &[&[u8]; 2]) -> Option<Vec<(PublicKey, u64, Entry)>> {
    let mut facts = Vec::new();
    for bytes in stored {
        facts.extend(Fact::decode_all(bytes).ok()?);
    }
    sort_by(&mut facts, |a, b| (a.writer, a.index).cmp(&(b.writer, b.index)));
    let mut told = Vec::new();
    for fact in facts {
        let (hash, entry) = fact.entry(&|number| numbers.key(number)).ok()?;
        let writer = numbers.key(fact.writer);
        access.add_run(&writer, fact.index);
        if !access.add_known(&writer, fact.index, hash, entry.as_ref(), fact.proved) {
            return None;
        }
        told.extend(entry.filter(|entry| !entry.access.is_empty()).map(|entry| (writer, fact.index, entry)));
    }
    Some(told)
}
