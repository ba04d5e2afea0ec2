//! What a page asks of one space.

use crate::node::{
    Node, NodeError, Reply, SpaceCall, accounts::approving::no_space, links::syncing::Syncing,
};
use crate::{
    crypto::{Entropy, PublicKey},
    space::{Space, SpaceError},
    storage::Files,
};

impl Node {
    /// Carries out what is asked of a space, the domain's if none is named; `None` if it is answered later.
    pub(in crate::node) fn act(
        &mut self,
        id: u32,
        space: Option<PublicKey>,
        act: SpaceCall,
    ) -> Result<Option<Reply>, NodeError> {
        let space = self.joined(space)?.space.key();
        match act {
            SpaceCall::Adopt { version, other_branch } => {
                let adopted = self.writing(space, |space, files, now, entropy| {
                    space.adopt(files, now, entropy, &version, other_branch)
                })?;
                return Ok(Some(Reply::Found(self.found_items(self.joined(Some(space))?, vec![adopted]))));
            }
            SpaceCall::Cut { writer, secret, descendants } => self.cut(space, writer, secret, descendants)?,
            SpaceCall::Hide { writer, since } => {
                self.writing(space, |space, files, now, entropy| {
                    space.hide_since(files, now, entropy, writer, since)
                })?;
            }
            SpaceCall::Unhide { writer } => {
                self.writing(space, |space, files, now, entropy| space.unhide(files, now, entropy, writer))?;
            }
            SpaceCall::Invite { role, uses, expires } => {
                let link = self.writing(space, |space, files, now, entropy| {
                    space.invite(files, now, entropy, role, uses, expires)
                })?;
                return Ok(Some(Reply::Invite(link.to_text())));
            }
            SpaceCall::Leave => return self.leave(space).map(Some),
            SpaceCall::PinReplica { replica, label } => self.pin_replica(space, replica, &label)?,
            SpaceCall::UnpinReplica { replica } => self.unpin_replica(space, replica)?,
            SpaceCall::RevokeInvite { key } => {
                self.writing(space, |space, files, now, entropy| {
                    space.revoke_invite(files, now, entropy, key)
                })?;
            }
            SpaceCall::Send { data, to, private } => self.send_message(space, data, to, private)?,
            SpaceCall::SetPresence { state } => self.set_presence(space, state)?,
            SpaceCall::SetTitle { title } => {
                self.writing(space, |space, files, now, entropy| {
                    space.set_title(files, now, entropy, &title)
                })?;
            }
            SpaceCall::Sync { timeout_ms } => {
                self.syncing.push(Syncing { id, space, until: self.now.saturating_add(timeout_ms) });
                return Ok(None);
            }
            SpaceCall::Write { ops } => return self.accept_write(id, space, ops),
        }
        Ok(Some(Reply::Done))
    }

    /// Does something in a space that this device may write to.
    pub(in crate::node) fn writing<T>(
        &mut self,
        space: PublicKey,
        act: impl FnOnce(&mut Space, &mut Files, u64, &mut dyn Entropy) -> Result<T, SpaceError>,
    ) -> Result<T, NodeError> {
        self.require_writer()?;
        let joined = self.spaces.get_mut(&space).ok_or_else(no_space)?;
        let done = act(&mut joined.space, &mut self.files, self.now, self.entropy.as_mut())?;
        self.own_writes = true;
        Ok(done)
    }
}
