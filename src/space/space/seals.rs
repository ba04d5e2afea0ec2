//! Seals that others made: noting them, opening those for this device, and what becomes readable by it.

use super::{Space, backlog::present};
use crate::{
    collections::{Map, Set},
    crypto::{Hash, PublicKey, Signer},
    space::{AccessOp, Entry, SpaceError, Status},
    storage::{Files, Spans},
};

/// Entries by their writers' numbers.
pub(super) type SealedAt = Map<u32, Spans>;

/// What entries say about epochs.
#[derive(Default)]
pub(super) struct Epochs {
    /// Entries with seals, whether they count or not: writer number, index.
    pub(super) seals: Vec<(u32, u64)>,
    /// Entries in the view by the epoch of their sealed part.
    sealed: Map<Hash, SealedAt>,
    /// Who sealed an epoch's key to the root.
    pub(super) rooted: Map<Hash, Set<u32>>,
}

impl Epochs {
    pub(super) fn note_sealed(&mut self, epoch: Hash, writer: u32, index: u64, shown: bool) {
        let entries = self.sealed.entry(epoch).or_default().entry(writer).or_default();
        entries.set(index..index.saturating_add(1), shown);
    }

    /// Entries in the view by the epoch of their sealed part.
    pub(super) const fn sealed(&self) -> &Map<Hash, SealedAt> {
        &self.sealed
    }

    /// Takes those that were stored.
    pub(super) fn set_sealed(&mut self, sealed: Map<Hash, SealedAt>) {
        self.sealed = sealed;
    }
}

impl Space {
    /// Notes an entry's seals, and opens those for this device.
    pub(super) fn note_seals(
        &mut self,
        files: &Files,
        writer: &PublicKey,
        index: u64,
        entry: &Entry,
    ) -> Result<(), SpaceError> {
        let mut any = false;
        let number = self.numbers.number(writer);
        for op in &entry.access {
            let (epoch, to_root) = match op {
                AccessOp::Epoch { id, .. } => (id, true),
                AccessOp::Seal { epoch, root, .. } => (epoch, root.is_some()),
                _ => continue,
            };
            any = true;
            if to_root {
                self.epochs.rooted.entry(*epoch).or_default().insert(number);
            }
        }
        if any {
            self.epochs.seals.push((number, index));
            if self.backlog.sealed {
                self.backlog.seals.insert((number, index));
                return Ok(());
            }
            let opened = self.open_entry_seals(entry);
            self.show_epochs(files, &opened)?;
        }
        Ok(())
    }

    /// Opens the seals in these entries that are for this device, of those that can be read now.
    pub(super) fn open_seals_of(
        &mut self,
        files: &Files,
        entries: impl IntoIterator<Item = (u32, u64)>,
    ) -> Result<(), SpaceError> {
        let mut opened = Vec::new();
        for (number, index) in entries {
            match present(self.entry(files, &self.numbers.key(number), index))? {
                Some(entry) => opened.extend(entry.iter().flat_map(|entry| self.open_entry_seals(entry))),
                None => {
                    self.backlog.seals.insert((number, index));
                }
            }
        }
        self.show_epochs(files, &opened)
    }

    /// Opens every seal that is for the root. Nothing is done if entries with seals are not in memory.
    pub(super) fn open_root_seals(&mut self, files: &Files, root: &Signer) -> Result<(), SpaceError> {
        let (mut opened, mut entries) = (Vec::new(), Vec::new());
        for (writer, index) in &self.epochs.seals {
            entries.extend(self.entry(files, &self.numbers.key(*writer), *index)?);
        }
        for entry in entries {
            for op in &entry.access {
                let (epoch, sealed) = match op {
                    AccessOp::Epoch { id, root, .. } => (id, root),
                    AccessOp::Seal { epoch, root: Some(root), .. } => (epoch, root),
                    _ => continue,
                };
                if self.content.open(epoch, sealed, root) {
                    opened.push(*epoch);
                }
            }
        }
        self.show_epochs(files, &opened)
    }

    fn open_entry_seals(&mut self, entry: &Entry) -> Vec<Hash> {
        let Some(keys) = &self.keys else { return Vec::new() };
        let me = keys.signer.public();
        let mut opened = Vec::new();
        for op in &entry.access {
            let (AccessOp::Epoch { id: epoch, seals, .. } | AccessOp::Seal { epoch, seals, .. }) = op else {
                continue;
            };
            for seal in seals.iter().filter(|seal| seal.writer == me) {
                if self.content.open(epoch, &seal.key, &keys.signer) {
                    opened.push(*epoch);
                }
            }
        }
        opened
    }

    /// Puts the private operations under newly opened epochs into the view.
    fn show_epochs(&mut self, files: &Files, opened: &[Hash]) -> Result<(), SpaceError> {
        for epoch in opened {
            let entries = self.epochs.sealed.get(epoch).cloned().unwrap_or_default();
            for (number, spans) in entries.iter() {
                self.place_sealed(files, spans.indexes().map(|index| ((*number, index), false)))?;
            }
        }
        Ok(())
    }

    /// The epochs that counted entries made or are sealed under, and whom counted entries seal each to.
    pub(super) fn recipients(&self, files: &Files) -> Result<Map<Hash, Set<PublicKey>>, SpaceError> {
        let made =
            self.access.epochs().into_iter().map(|epoch| (epoch.id, epoch.recipients.into_iter().collect()));
        let mut recipients: Map<Hash, Set<PublicKey>> = made.collect();
        // The entry that made an epoch may have been cut since, but others wrote under it before they knew.
        let used = |(epoch, entries): (&Hash, &SealedAt)| {
            entries.values().any(|spans| !spans.is_empty()).then_some(*epoch)
        };
        let orphans: Set<Hash> = self
            .epochs
            .sealed
            .iter()
            .filter_map(used)
            .filter(|epoch| !recipients.contains_key(epoch))
            .collect();
        if orphans.is_empty() {
            return Ok(recipients);
        }
        recipients.extend(orphans.iter().map(|epoch| (*epoch, Set::new())));
        for (number, index) in &self.epochs.seals {
            let writer = self.numbers.key(*number);
            if !matches!(self.access.status(&writer, *index), Some(Status::Counted | Status::Hidden)) {
                continue;
            }
            for op in self.entry(files, &writer, *index)?.into_iter().flat_map(|entry| entry.access) {
                let AccessOp::Seal { epoch, seals, .. } = op else { continue };
                if let (true, Some(to)) = (orphans.contains(&epoch), recipients.get_mut(&epoch)) {
                    to.extend(seals.iter().map(|seal| seal.writer));
                }
            }
        }
        Ok(recipients)
    }
}
