//! Checkpoints: what was computed from the feeds, stored, so that opening a space need not read all of them again.
//!
//! Nothing here is part of the protocol, and nothing depends on it: a checkpoint that is missing, of another version,
//! damaged, or not of these feeds is thrown away, and all is computed from the feeds as if there had been none.
//!
//! ```text
//! space/<key>/view/state   what the rest belongs to, written anew each time: `state.rs`
//! space/<key>/view/facts   entries that only name others, in the order they were given: `facts.rs`
//! space/<key>/view/acts    the other ones that say something about others, or nothing: the same
//! space/<key>/view/run-N   places of the view by key: `space/view/run.rs`
//! space/<key>/view/sealed  the state of what came out of sealed parts, sealed itself: `sealed.rs`
//! space/<key>/view/sealed-N   its places by key, in sealed runs
//! ```
//! It is written in the same batch as all else of its moment, and only when [`Space::is_checkpoint_due`]: a writing
//! costs what changed since the last one, merging of runs aside, which makes that log n times as much in all.
//!
//! When it is read, the access engine takes the judgements that are in the state, and the acts; facts stay on the disk until
//! somebody asks for more than that (`space/access/shallow.rs`). Root records, pins and proofs of forks may have come
//! since: then it is told all facts and judges by what is known now. What it then shows otherwise than the checkpoint does
//! is moved in the view entry by entry, as when it happens while the space is open. Entries past the checkpoint are taken
//! in as ever. What came out of sealed parts is stored only sealed, and written only while the space is unlocked; which
//! entries have one is told in clear, as it is in the feeds, so that what came or went in between is found when it is
//! unlocked again.

mod facts;
#[cfg(test)]
mod lazy_tests;
#[cfg(test)]
mod opening_tests;
mod restore;
mod sealed;
#[cfg(test)]
mod sealed_tests;
#[cfg(test)]
mod shallow_tests;
mod state;
#[cfg(test)]
pub(super) mod tests;

pub(super) use facts::Facts;
pub(super) use restore::Restored;

use super::{Space, trees::Judge};
use crate::{
    collections::Map,
    crypto::{Hash, PublicKey},
    feed::Feed,
    space::SpaceError,
    storage::{Damage, FileId, Files},
};

/// Entries after which a checkpoint is due, if its state is small.
const EVERY: u64 = 1024;
/// Bytes of state that put it off by one entry: writing it again must not cost more than what is new.
const BYTES_PER_ENTRY: u64 = 64;
/// Bytes of entries after which it is due all the same.
const BYTES: u64 = 4 << 20;

/// How often runs that are to be merged may be found not to be in memory, one time after the other.
const PATIENCE: u8 = 4;

/// What the next checkpoint has to tell.
pub(super) struct Ledger {
    state: FileId,
    facts_file: FileId,
    acts_file: FileId,
    sealed_file: FileId,
    facts: Facts,
    /// Bytes of facts that are stored.
    facts_length: u64,
    acts_length: u64,
    /// Bytes of state at the last writing.
    state_length: u64,
    /// Entries taken in since the last writing, and their bytes.
    entries: u64,
    bytes: u64,
    /// Bytes of the sealed state at its last writing, and sealed parts placed since then.
    sealed_length: u64,
    sealed: u64,
    /// How often runs that were to be merged were not in memory.
    missed: u8,
}

impl Ledger {
    pub(super) fn new(files: &mut Files, space: &PublicKey) -> Self {
        Self {
            state: files.file(&format!("{}state", folder(space))),
            facts_file: files.file(&format!("{}facts", folder(space))),
            acts_file: files.file(&format!("{}acts", folder(space))),
            sealed_file: files.file(&format!("{}sealed", folder(space))),
            facts: Facts::default(),
            facts_length: 0,
            acts_length: 0,
            state_length: 0,
            entries: 0,
            bytes: 0,
            sealed_length: 0,
            sealed: 0,
            missed: 0,
        }
    }

    /// Notes an entry that was taken in.
    pub(super) const fn count(&mut self, bytes: u64) {
        self.entries = self.entries.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Notes a sealed part that was opened and placed.
    pub(super) const fn count_sealed(&mut self) {
        self.sealed = self.sealed.saturating_add(1);
    }

    /// What is stored of sealed parts is to be sealed under another key: soon.
    pub(super) const fn rekey_sealed(&mut self) {
        self.sealed = u64::MAX;
    }

    /// Nothing that came out of sealed parts is in the view any more.
    pub(super) const fn forget_sealed(&mut self) {
        self.sealed = 0;
    }

    /// What is to be stored of the entries taken in.
    pub(super) const fn facts(&mut self) -> &mut Facts {
        &mut self.facts
    }
}

impl Space {
    /// Whether enough came since the last checkpoint for a new one to be worth its writing.
    pub fn is_checkpoint_due(&self) -> bool {
        let ledger = &self.ledger;
        let every = |length: u64| EVERY.saturating_add(length / BYTES_PER_ENTRY);
        let sealed = self.view.has_sealed() && ledger.sealed >= every(ledger.sealed_length);
        let public = ledger.entries >= every(ledger.state_length) || ledger.bytes >= BYTES;
        (public || sealed) && !self.sparse && !self.is_waiting()
    }

    /// Stores what was computed so far, so that the space opens from there. To be called when it is due and there is
    /// time. Nothing has changed if it fails, as it does with [`SpaceError::is_absent`] if runs that are to be merged are
    /// not in memory: to be called again when they are. If that never comes they are left as they are. `false` if
    /// something waits: then the view is not what it should be.
    pub fn write_checkpoint(&mut self, files: &mut Files) -> Result<bool, SpaceError> {
        if self.is_waiting() || self.sparse {
            return Ok(false);
        }
        let merge = self.ledger.missed < PATIENCE;
        let planned = self.view.plan(files, merge).inspect_err(|error| {
            self.ledger.missed += u8::from(error.is_absent());
        })?;
        let mut trees: Map<PublicKey, Hash> = Map::new();
        for (writer, tail) in self.tails.iter().filter(|(_, tail)| tail.given > 0) {
            let hash = self.feeds.get(writer).map(|feed| feed.tree_hash_at(files, tail.given)).transpose()?;
            trees.insert(*writer, hash.flatten().unwrap_or_default());
        }
        let mut covered = Map::new();
        for (writer, tail) in self.tails.iter().filter(|(_, tail)| tail.given > 0) {
            covered.insert(self.numbers.number(writer), tail.given);
        }
        let numbers = &self.numbers;
        let proved = |writer, index| self.access.is_proved(&numbers.key(writer), index);
        let [facts, acts] = self.ledger.facts.encode(&proved);
        files.write(self.ledger.facts_file, self.ledger.facts_length, &facts)?;
        files.write(self.ledger.acts_file, self.ledger.acts_length, &acts)?;
        self.ledger.facts_length = files.len(self.ledger.facts_file);
        self.ledger.acts_length = files.len(self.ledger.acts_file);
        let judge = Judge { access: &self.access, numbers: &self.numbers };
        self.view.write(files, &self.key, planned, &covered, &judge)?;
        self.store_sealed(files, &trees)?;
        let state = self.encode_state(&trees);
        files.truncate(self.ledger.state, 0);
        files.write(self.ledger.state, 0, &state)?;
        self.ledger.facts = Facts::default();
        self.ledger.state_length = files.len(self.ledger.state);
        (self.ledger.entries, self.ledger.bytes, self.ledger.missed) = (0, 0, 0);
        Ok(true)
    }

    /// Whether a page of the checkpoint was found damaged.
    fn has_damaged_view(&self, files: &Files) -> bool {
        let ours = folder(&self.key);
        let is_ours =
            |damage: &Damage| matches!(damage, Damage::Page { file, .. } if file.starts_with(&ours));
        !files.damage().is_empty() && files.damage().iter().any(is_ours)
    }

    /// Throws the checkpoint away: at the next opening all is computed from the feeds.
    pub fn drop_checkpoint(files: &mut Files, space: &PublicKey) {
        for name in files.names(&folder(space)) {
            let file = files.file(&name);
            // What is damaged is told of no more.
            files.heal(file);
            files.truncate(file, 0);
        }
    }
}

/// Where the files of a checkpoint are.
pub(super) fn folder(space: &PublicKey) -> String {
    format!("space/{space}/view/")
}

/// Whether a feed begins with that many blocks under that tree hash, all of them held.
fn begins_with(feed: &Feed, files: &Files, length: u64, tree: &Hash) -> Result<bool, SpaceError> {
    Ok(feed.contiguous() >= length && feed.tree_hash_at(files, length)? == Some(*tree))
}
