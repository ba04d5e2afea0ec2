//! Taking a checkpoint: all of it, or nothing.

use super::{
    begins_with,
    facts::Fact,
    folder,
    state::{FeedState, State},
};
use crate::{
    collections::Map,
    space::{
        SpaceError,
        space::{Space, replay::Fresh},
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
                settled.map(|()| Restored::Taken)
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
        let facts_length = usize::try_from(state.facts).unwrap_or(usize::MAX);
        let facts = files.read(self.ledger.facts_file, 0, facts_length)?;
        self.ledger.facts_length = state.facts;
        let covered: Map<u32, u64> = state.feeds.iter().map(|feed| (feed.writer, feed.given)).collect();
        if !self.view.open_base(files, &self.key, &state.base, covered) {
            return Ok(Restored::Unfit);
        }
        for writer in &state.writers {
            self.numbers.number(writer);
        }
        let Ok(facts) = Fact::decode_all(&facts) else { return Ok(Restored::Unfit) };
        for fact in facts {
            if !self.retell(files, &fact)? {
                return Ok(Restored::Unfit);
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

    /// Takes in an entry of which a fact is stored; whether it is one that can follow what was told before.
    fn retell(&mut self, files: &Files, fact: &Fact<'_>) -> Result<bool, SpaceError> {
        let numbers = &self.numbers;
        let Ok((hash, entry)) = fact.entry(&|number| numbers.key(number)) else { return Ok(false) };
        let writer = self.numbers.key(fact.writer);
        self.access.add_run(&writer, fact.index);
        if !self.access.add_known(&writer, fact.index, hash, entry.as_ref(), fact.proved) {
            return Ok(false);
        }
        if let Some(entry) = &entry {
            self.note_invites(&writer, fact.index, &entry.access);
            self.note_pins(&writer, fact.index, &entry.access);
            self.note_access(files, &writer, fact.index, entry)?;
        }
        Ok(true)
    }
}
