//! Checkpoints of spaces are written when nothing else happens.

use crate::{
    node::{Event, Node, NodeError},
    storage::Files,
};

/// Milliseconds without a commit after which a checkpoint is written: whoever writes much is not held up.
const CALM_MS: u64 = 2000;
/// Milliseconds after which it is written at the latest.
const LATEST_MS: u64 = 30_000;
/// Milliseconds until pages that it needs are asked for again.
const AGAIN_MS: u64 = 1000;

impl Node {
    /// Something was stored: if a space has enough that is new, a checkpoint is written once it is calm.
    pub(in crate::node) fn checkpoint_later(&mut self) {
        if !self.spaces.iter_mut().any(|joined| joined.space.is_checkpoint_due()) {
            return;
        }
        let first = *self.chores.store_due.get_or_insert(self.now);
        let latest = first.saturating_add(LATEST_MS);
        self.chores.store_at = Some(self.now.saturating_add(CALM_MS).min(latest));
    }

    /// The page closes: what is due is written now, so that it is not computed when the page is opened again.
    pub(in crate::node) fn checkpoint_now(&mut self) {
        self.checkpoint_later();
        if self.chores.store_at.is_some() {
            self.chores.store_at = Some(self.now);
            self.store_checkpoints();
        }
    }

    /// Writes the checkpoints that are due.
    pub(in crate::node) fn store_checkpoints(&mut self) {
        if self.chores.store_at.take_if(|at| *at <= self.now).is_none() {
            return;
        }
        self.chores.store_due = None;
        if self.broken.is_some() || self.files.is_torn() {
            return;
        }
        let files: &mut Files = &mut self.files;
        let mut failed = Vec::new();
        for joined in self.spaces.iter_mut().filter(|joined| joined.space.is_checkpoint_due()) {
            match joined.space.write_checkpoint(files) {
                Ok(_) => {}
                Err(error) if error.is_absent() => {
                    self.chores.store_at = Some(self.now.saturating_add(AGAIN_MS));
                }
                Err(error) => failed.push(error),
            }
        }
        for error in failed {
            self.event(Event::Failed(NodeError::from(error)));
        }
    }
}
