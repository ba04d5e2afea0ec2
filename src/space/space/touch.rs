//! Reading what a change will read, so that pages that are not in memory are missed before anything is changed.

use super::Space;
use crate::{
    crypto::PublicKey,
    space::{Version, WriteOp},
    storage::Files,
};

impl Space {
    /// Reads what writing these operations, adopting that version, or appending any own entry reads first. What is missed
    /// the files want ([`Files::take_wanted`]).
    pub fn touch(&self, files: &Files, ops: &[WriteOp], version: Option<&Version>) {
        for op in ops {
            self.touch_write(files, op);
        }
        if let (None, Some(me)) = (&self.own, self.writer()) {
            let _ = self.read_own(files, &me);
        }
        if let Some(version) = version {
            let _ = self.entry(files, &version.writer, version.index);
        }
    }

    /// Reads what naming other feeds reads, as each append does.
    pub fn touch_deps(&self, files: &Files) {
        let Some(me) = self.writer() else { return };
        let own = self.own.clone().map_or_else(|| self.read_own(files, &me), Ok);
        let _ = own.and_then(|own| self.new_deps(files, &me, &own));
    }

    /// Reads what letting devices in, cutting them and changing the root read besides: where keys are sealed, and the ends of
    /// all feeds.
    pub fn touch_acts(&self, files: &Files) {
        self.touch_deps(files);
        for (writer, index) in &self.epochs.seals {
            let _ = self.entry(files, &self.numbers.key(*writer), *index);
        }
        for writer in self.feeds.keys() {
            let _ = self.cut_at(files, *writer, None);
        }
    }

    /// Keeps the tree of a feed in memory: its author signed two histories, or seems to, so that it is looked into here
    /// and there. Until it is all there, this space waits.
    pub fn keep_tree(&mut self, files: &mut Files, writer: &PublicKey) {
        if self.feeds.get(writer).is_some_and(|feed| !feed.keep_tree(files)) {
            self.backlog.kept.insert(*writer);
        }
    }

    /// Stored pages of a feed, or of the checkpoint, were found damaged: all is computed anew from what is left of them,
    /// which is as when it is found at opening. To be followed by [`Space::resume`].
    pub fn doubt(&mut self, files: &mut Files, owner: PublicKey) {
        if owner == self.key {
            Self::drop_checkpoint(files, &self.key);
        }
        let feed = self.feeds.keys().find(|key| **key == owner).or_else(|| self.feeds.keys().next());
        self.backlog.reopen = feed.copied();
    }
}
