//! What a device does for the others without being asked.

use super::{Event, Node, NodeError, State};
use crate::space::SpaceError;

/// When it is time for what.
pub(super) struct Chores {
    /// Seal content keys to writers who lack them, ms since 1970.
    pub(super) seal_at: Option<u64>,
    /// See whether there is something to acknowledge, ms since 1970.
    pub(super) acknowledge_at: u64,
}

impl Chores {
    pub(super) const fn new(now: u64) -> Self {
        Self { seal_at: None, acknowledge_at: now.saturating_add(FIRST_LOOK_MS) }
    }

    pub(super) fn deadline(&self) -> Option<u64> {
        self.seal_at.into_iter().chain([self.acknowledge_at]).min()
    }
}

impl Node {
    /// Who may write has changed: perhaps somebody lacks a content key. Whoever granted it seals too, so wait a while.
    pub(super) fn seal_later(&mut self) {
        let jitter = u64::from(self.entropy.below(20_000));
        self.chores.seal_at.get_or_insert(self.now.saturating_add(10_000 + jitter));
    }

    pub(super) fn do_chores(&mut self) {
        if self.chores.seal_at.take_if(|at| *at <= self.now).is_some() {
            self.chore(|node, home| home.maintain(&mut node.files, node.now, node.entropy.as_mut()));
        }
        if self.chores.acknowledge_at <= self.now {
            self.chores.acknowledge_at = self.now.saturating_add(LOOK_AGAIN_MS);
            let own = self.own_writer();
            let last = self
                .writers()
                .into_iter()
                .find(|writer| Some(writer.key) == own)
                .and_then(|own| own.last_time);
            if last.is_none_or(|last| self.now.saturating_sub(last) >= DAY_MS) {
                self.chore(|node, home| home.acknowledge(&mut node.files, node.now, node.entropy.as_mut()));
            }
        }
    }

    fn chore(&mut self, act: impl FnOnce(&mut Self, &mut crate::space::Space) -> Result<bool, SpaceError>) {
        if self.state() != State::Writer {
            return;
        }
        let Some(mut home) = self.home.take() else { return };
        let result = act(self, &mut home);
        self.home = Some(home);
        match result {
            Ok(wrote) => self.own_writes |= wrote,
            Err(error) => self.event(Event::Failed(NodeError::from(error))),
        }
    }
}

const DAY_MS: u64 = 24 * 3600 * 1000;
const FIRST_LOOK_MS: u64 = 60_000;
const LOOK_AGAIN_MS: u64 = 3600 * 1000;
