//! Calls that wait until this node is level with its peers.

use crate::crypto::PublicKey;
use crate::node::{ErrorCode, Node, NodeError, Reply};

/// A call that waits.
pub(in crate::node) struct Syncing {
    pub(in crate::node) id: u32,
    pub(in crate::node) space: PublicKey,
    /// ms since 1970.
    pub(in crate::node) until: u64,
}

impl Node {
    /// Answers those that are done or have waited long enough.
    pub(in crate::node) fn check_syncing(&mut self) {
        if self.syncing.is_empty() {
            return;
        }
        let now = self.now;
        for Syncing { id, space, until } in core::mem::take(&mut self.syncing) {
            // A head that was shown is not level before its blocks are here, whoever keeps them back.
            let fresh = self.spaces.get(&space).is_none_or(|joined| joined.space.is_fresh());
            if fresh && self.is_level(&space) {
                self.reply(id, Ok(Reply::Done));
            } else if now >= until {
                self.reply(
                    id,
                    Err(NodeError::new(
                        ErrorCode::Timeout,
                        "a connected device has entries that did not arrive in time; they still may",
                    )),
                );
            } else {
                self.syncing.push(Syncing { id, space, until });
            }
        }
    }
}
