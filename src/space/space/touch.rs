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
