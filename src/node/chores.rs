//! What a device does for the others without being asked.

use super::{Event, Node, NodeError, State};
use crate::{
    crypto::Entropy,
    space::{Space, SpaceError},
    storage::Files,
};

/// When it is time for what.
pub(super) struct Chores {
    /// Seal content keys to writers who lack them, ms since 1970.
    pub(super) seal_at: Option<u64>,
    /// See which of this person's devices belong in which spaces, ms since 1970.
    pub(super) members_at: Option<u64>,
    /// Write checkpoints of spaces, ms since 1970.
    pub(super) store_at: Option<u64>,
    /// Since when they are due.
    pub(super) store_due: Option<u64>,
    /// Fold the journal into pages, ms since 1970.
    pub(super) fold_at: Option<u64>,
    /// See whether there is something to acknowledge, ms since 1970.
    pub(super) acknowledge_at: u64,
}

impl Chores {
    pub(super) const fn new(now: u64) -> Self {
        let acknowledge_at = now.saturating_add(FIRST_LOOK_MS);
        Self {
            seal_at: None,
            members_at: None,
            store_at: None,
            store_due: None,
            fold_at: None,
            acknowledge_at,
        }
    }

    pub(super) fn deadline(&self) -> Option<u64> {
        self.seal_at
            .into_iter()
            .chain(self.members_at)
            .chain(self.store_at)
            .chain(self.fold_at)
            .chain([self.acknowledge_at])
            .min()
    }
}

impl Node {
    /// Who may write has changed, or did while this device could not write: perhaps somebody lacks a content key. Whoever
    /// granted it seals too, so wait a while.
    pub(super) fn seal_later(&mut self) {
        let jitter = u64::from(self.entropy.below(20_000));
        self.chores.seal_at.get_or_insert(self.now.saturating_add(10_000 + jitter));
    }

    pub(super) fn do_chores(&mut self) {
        self.store_checkpoints();
        if self.chores.fold_at.take_if(|at| *at <= self.now).is_some() {
            // What is pending now is stored at the end of this turn, and asks for it again.
            self.compact();
        }
        if self.chores.seal_at.take_if(|at| *at <= self.now).is_some() {
            // While this is no writer it comes to nothing: being opened or unlocked as one asks for it again.
            let waits = self.chore(|space, files, now, entropy| space.maintain(files, now, entropy));
            if waits {
                self.chores.seal_at = Some(self.now.saturating_add(AGAIN_MS));
            }
        }
        if self.chores.acknowledge_at <= self.now {
            self.chores.acknowledge_at = self.now.saturating_add(LOOK_AGAIN_MS);
            let waits = self.chore(|space, files, now, entropy| {
                let last = space.writer().and_then(|own| space.last_time(&own));
                let due = last.is_none_or(|last| now.saturating_sub(last) >= DAY_MS);
                if due { space.acknowledge(files, now, entropy) } else { Ok(false) }
            });
            if waits {
                self.chores.acknowledge_at = self.now.saturating_add(AGAIN_MS);
            }
        }
    }

    /// Does something in each space that this device may write to. Whether some of it waits for pages, which are wanted by
    /// then: it is to be done again.
    fn chore(&mut self, act: Act) -> bool {
        if self.state() != State::Writer {
            return false;
        }
        let (mut failed, mut waits) = (Vec::new(), false);
        for joined in self.spaces.iter_mut().filter(|joined| joined.space.is_writable()) {
            match act(&mut joined.space, &mut self.files, self.now, self.entropy.as_mut()) {
                Ok(wrote) => self.own_writes |= wrote,
                Err(error) if error.is_absent() => waits = true,
                Err(error) => failed.push(error),
            }
        }
        for error in failed {
            self.event(Event::Failed(NodeError::from(error)));
        }
        waits
    }
}

type Act = fn(&mut Space, &mut Files, u64, &mut dyn Entropy) -> Result<bool, SpaceError>;

const DAY_MS: u64 = 24 * 3600 * 1000;
const FIRST_LOOK_MS: u64 = 60_000;
const LOOK_AGAIN_MS: u64 = 3600 * 1000;
/// Pages come from the disk within so many ms.
const AGAIN_MS: u64 = 1000;
