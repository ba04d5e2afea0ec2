//! Replicas: what others promise to hold of one's own writes, what this node promises others, and the role itself.
//!
//! ```text
//! device    AskReceipt ─▶ ◀─ Receipt   Challenge ─▶ ◀─ Answer   …   `safety.rs`: it counts from here on
//! replica   holds spaces within quotas (`holding.rs`), signs and answers (`promising.rs`), knows no secret of a space
//! ```
//! Devices promise each other in the same way, by their writer keys. Nothing is promised to strangers: whoever asks has
//! proved to be a writer of the space.

pub(in crate::node) mod holding;
pub(in crate::node) mod promising;
pub(in crate::node) mod safety;
#[cfg(test)]
mod tests;

use self::{
    promising::{Question, Wish},
    safety::{Asking, Vouched},
};
use crate::{collections::Map, crypto::PublicKey, mesh::LinkId, node::Node, sync::Message};

/// All promises, by link and space, and by space.
#[derive(Default)]
pub(in crate::node) struct Promises {
    peers: Map<(LinkId, PublicKey), Peer>,
    spaces: Map<PublicKey, Vouched>,
    last_challenge: u64,
}

/// What is between this node and a peer about one space.
#[derive(Default)]
struct Peer {
    /// Keys that it has proved to hold.
    proven: Vec<PublicKey>,
    asking: Asking,
    /// What it wants a receipt for, by feed.
    wishes: Map<PublicKey, Wish>,
    /// What it wants to see, until that is read.
    question: Option<Question>,
}

impl Promises {
    /// A peer has proved a key.
    pub(in crate::node) fn proven(&mut self, link: LinkId, space: PublicKey, key: PublicKey) {
        let proven = &mut self.peers.entry((link, space)).or_default().proven;
        if !proven.contains(&key) {
            proven.push(key);
        }
    }

    /// A peer does not share a space any more.
    pub(in crate::node) fn gone(&mut self, link: LinkId, space: &PublicKey) {
        self.peers.remove(&(link, *space));
    }

    /// A link is gone.
    pub(in crate::node) fn dropped(&mut self, link: LinkId) {
        self.peers.retain(|(other, _), _| *other != link);
    }
}

impl Node {
    /// Does what is due about receipts; whether anything was sent.
    pub(in crate::node) fn tend_receipts(&mut self) -> bool {
        let mut messages = self.grant_wishes();
        messages.append(&mut self.answer_challenges());
        for space in self.spaces.keys() {
            messages.append(&mut self.ask_for_receipts(space));
            self.tell_safety(space);
        }
        let sent = !messages.is_empty();
        for (link, space, message) in messages {
            self.tell_peer(link, space, &message);
        }
        sent
    }

    /// A message about receipts came.
    pub(in crate::node) fn receipt_message(&mut self, link: LinkId, space: PublicKey, message: Message) {
        match message {
            Message::AskReceipt { feed, length, tree_hash } => {
                self.wished(link, space, feed, length, tree_hash);
            }
            Message::Challenge { id, feed, nonce, blocks } => {
                self.challenged(link, space, Question { id, feed, nonce, blocks });
            }
            Message::Receipt(receipt) => {
                if let Some(challenge) = self.promised(link, space, receipt) {
                    self.tell_peer(link, space, &challenge);
                }
            }
            Message::Answer { id, hash } => self.challenge_answered(link, space, id, hash),
            Message::Decline { why, .. } => self.declined(link, space, why),
            _ => {}
        }
    }

    fn tell_peer(&mut self, link: LinkId, space: PublicKey, message: &Message) {
        self.with_session(link, space, |session, channel| {
            // A peer that is full misses it; all of it is asked for again.
            let _ = session.send(channel, message);
        });
    }
}
