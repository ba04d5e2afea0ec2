//! Pairing without a hub, for the page: a call gives the text to show, another one connects.

use crate::{
    crypto::PublicKey,
    mesh::{CloseReason, LinkId, PairError},
    node::{ErrorCode, Node, NodeError, Reply},
};

impl Node {
    /// Begins; the call is answered by [`Node::pairing_text`].
    pub(in crate::node) fn pair(
        &mut self,
        call: u32,
        space: Option<PublicKey>,
        offer: Option<&str>,
    ) -> Result<(), NodeError> {
        if !self.options.webrtc {
            let why = "this browser has no WebRTC, or it is switched off: pairing needs it";
            return Err(NodeError::new(ErrorCode::Unsupported, why));
        }
        let space = self.joined(space)?.space.key();
        let link = self.mesh.pair(space, offer, self.now).map_err(|error| refused(&error))?;
        self.pairings.push((link, call));
        Ok(())
    }

    /// A pairing has its text, or failed.
    pub(super) fn pairing_text(&mut self, link: LinkId, text: Result<String, CloseReason>) {
        let Some(at) = self.pairings.iter().position(|(one, _)| *one == link) else { return };
        let (_, call) = self.pairings.remove(at);
        let failed = |reason| NodeError::new(ErrorCode::Unsupported, format!("pairing: {reason}"));
        let reply = text.map(|text| Reply::Paired { pairing: link.0, text }).map_err(failed);
        self.reply(call, reply);
    }

    /// Connects it.
    pub(in crate::node) fn pair_with(
        &mut self,
        pairing: u64,
        answer: Option<&str>,
    ) -> Result<Reply, NodeError> {
        let link = LinkId(pairing);
        let id = self.mesh.connect(link, answer, self.now, self.entropy.as_mut());
        let id = id.map_err(|error| refused(&error))?;
        Ok(Reply::Paired { pairing, text: crate::crypto::hex(&id.0) })
    }
}

fn refused(error: &PairError) -> NodeError {
    let code = match error {
        PairError::Needless { .. } => ErrorCode::Conflict,
        PairError::Expired | PairError::Over => ErrorCode::Timeout,
        PairError::Full => ErrorCode::TooLarge,
        PairError::Foreign => ErrorCode::BadLink,
        PairError::Mismatch { .. } | PairError::NoTicket | PairError::Read(_) => ErrorCode::BadInput,
    };
    NodeError::new(code, error)
}
