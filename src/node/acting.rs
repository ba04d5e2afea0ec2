//! What a page asks of one space.

use super::{Node, NodeError, Reply, SpaceCall, syncing::Syncing};
use crate::crypto::PublicKey;

impl Node {
    /// Carries out what is asked of a space, the domain's if none is named; `None` if it is answered later.
    pub(super) fn act(
        &mut self,
        id: u32,
        space: Option<PublicKey>,
        act: SpaceCall,
    ) -> Result<Option<Reply>, NodeError> {
        let space = self.joined(space)?.space.key();
        match act {
            SpaceCall::Cut { writer, secret } => self.cut(space, writer, secret)?,
            SpaceCall::Sync { timeout_ms } => {
                self.syncing.push(Syncing { id, space, until: self.now.saturating_add(timeout_ms) });
                return Ok(None);
            }
            SpaceCall::Write { ops } => return self.accept_write(id, space, ops),
        }
        Ok(Some(Reply::Done))
    }
}
