//! The chain of roots, as sign-in asks about it.

use super::{Space, replay::Fresh};
use crate::{
    crypto::{Hash, PublicKey},
    space::{RootItem, RootRecord, SpaceError},
    storage::Files,
};

impl Space {
    /// Whether this root key has handed the space over to another one.
    pub fn is_former_root(&self, root: &PublicKey) -> bool {
        let hands_over = |bytes: &[u8]| {
            RootRecord::decode(&self.key, bytes).is_ok_and(|record| {
                record.root == *root && record.items.iter().any(|item| matches!(item, RootItem::Successor(_)))
            })
        };
        *root != self.root() && self.records().any(hands_over)
    }

    /// Pins the record (by hash) in which a root named its successor, for good: the person's decision among rivals.
    pub fn pin(&mut self, files: &mut Files, root: PublicKey, successor: Hash) -> Result<(), SpaceError> {
        if self.pinned.contains(&root) {
            return Ok(());
        }
        let mut pin = root.0.to_vec();
        pin.extend_from_slice(&successor.0);
        let end = files.len(self.files.pins);
        files.write(self.files.pins, end, &pin)?;
        self.pinned.insert(root);
        self.access.pin(root, successor);
        self.stirred = true;
        self.settle(files, Fresh::default())
    }

    /// Roots with rival successors, of which none is pinned: the person must decide.
    pub fn contested(&self) -> &[PublicKey] {
        self.access.contested()
    }

    /// The rivals: of each contested root the records that name a successor, and whom.
    pub fn rivals(&self) -> Vec<(PublicKey, Hash, PublicKey)> {
        let mut rivals = Vec::new();
        // Every page that draws itself asks, and reading a record verifies a signature.
        if self.contested().is_empty() {
            return rivals;
        }
        for (hash, bytes) in &self.records {
            let Ok(record) = RootRecord::decode(&self.key, bytes) else { continue };
            if !self.contested().contains(&record.root) {
                continue;
            }
            for item in &record.items {
                if let RootItem::Successor(heir) = item {
                    rivals.push((record.root, *hash, *heir));
                }
            }
        }
        rivals
    }

    /// Whether a successor was named that is not pinned yet: [`Space::pin_followed`] is due.
    pub const fn is_unpinned(&self) -> bool {
        self.unpinned
    }

    /// Pins the successors that are followed, so that a rival who comes later changes nothing. It is called when all
    /// that a peer has is here: records come one by one, and of rivals the first one must not win by that.
    pub fn pin_followed(&mut self, files: &mut Files) -> Result<(), SpaceError> {
        if !core::mem::take(&mut self.unpinned) {
            return Ok(());
        }
        let mut heirs: Vec<(PublicKey, Hash)> = Vec::new();
        for (hash, bytes) in &self.records {
            let Ok(record) = RootRecord::decode(&self.key, bytes) else { continue };
            let names_one = record.items.iter().any(|item| matches!(item, RootItem::Successor(_)));
            if names_one && record.root != self.root() && !self.pinned.contains(&record.root) {
                heirs.push((record.root, *hash));
            }
        }
        for (root, heir) in &heirs {
            if heirs.iter().filter(|(other, _)| other == root).count() == 1
                && !self.contested().contains(root)
            {
                self.pin(files, *root, *heir)?;
            }
        }
        Ok(())
    }

    /// Reads the pins back.
    pub(super) fn load_pins(&mut self, files: &mut Files) -> Result<(), SpaceError> {
        files.heal(self.files.pins);
        for at in 0..files.len(self.files.pins) / 64 {
            let (mut root, mut heir) = (PublicKey([0; 32]), Hash([0; 32]));
            files.read_into(self.files.pins, at * 64, &mut root.0)?;
            files.read_into(self.files.pins, at * 64 + 32, &mut heir.0)?;
            if root.0 != [0; 32] {
                self.pinned.insert(root);
                self.access.pin(root, heir);
            }
        }
        Ok(())
    }
}
