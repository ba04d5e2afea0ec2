//! The 32-byte prefixes in front of everything that is signed or hashed for a purpose.
//!
//! `bytes()` = BLAKE2b-256 of the label. No two purposes share one, so a signature made for one can never be
//! shown as another. A new purpose gets a new variant here and a line in the protocol text.

use super::hash::blake2b;

/// A purpose for which something is signed or hashed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Namespace {
    /// Answer to a sign-in request, signed by an admin device.
    Answer,
    /// What a replica answers to show that it holds blocks.
    Challenge,
    /// Tag by which a peer proves that it knows a space's key.
    Channel,
    /// Claim of a host's `.well-known/dat`, signed by the space key.
    Claim,
    /// Six words by which a space is found: hash of its key.
    Code,
    /// Associated data and id of an ephemeral envelope.
    Envelope,
    /// Epoch id: hash of the content key.
    Epoch,
    /// Signed head of a feed.
    Feed,
    /// A joiner's writer key, signed by an invite's key.
    Invite,
    /// Request to join a space, signed by the joining writer key.
    Join,
    /// Message of a device to all, signed inside its envelope.
    Message,
    /// Object id.
    Object,
    /// Pairing without a hub: key under which offer and answer are sealed.
    Pair,
    /// Person id: hash of the first writer key granted under it.
    Person,
    /// A writer's proof to a peer that it holds its key.
    Proof,
    /// Key of public ephemeral messages, derived from the space key.
    PublicMessage,
    /// A replica's receipt.
    Receipt,
    /// Sign-in request, signed by the asking writer key.
    Request,
    /// Root record.
    Root,
    /// Key sealed to a writer or root.
    Seal,
    /// Signalling: key under which broadcasts on a hub are sealed.
    Signal,
    /// Signalling: key between two peers.
    SignalPair,
    /// Head of a static snapshot, signed by a writer.
    Snapshot,
    /// Signalling: topic of a day.
    Topic,
    /// Signed value.
    Value,
    /// The four words that two screens show.
    Words,
}

impl Namespace {
    /// All of them, for the vectors.
    pub const ALL: [Self; 26] = [
        Self::Answer,
        Self::Challenge,
        Self::Channel,
        Self::Claim,
        Self::Code,
        Self::Envelope,
        Self::Epoch,
        Self::Feed,
        Self::Invite,
        Self::Join,
        Self::Message,
        Self::Object,
        Self::Pair,
        Self::Person,
        Self::Proof,
        Self::PublicMessage,
        Self::Receipt,
        Self::Request,
        Self::Root,
        Self::Seal,
        Self::Signal,
        Self::SignalPair,
        Self::Snapshot,
        Self::Topic,
        Self::Value,
        Self::Words,
    ];

    /// The label that is hashed.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Answer => "hypha/v1/answer",
            Self::Challenge => "hypha/v1/challenge",
            Self::Channel => "hypha/v1/channel",
            Self::Claim => "hypha/v1/claim",
            Self::Code => "hypha/v1/code",
            Self::Envelope => "hypha/v1/envelope",
            Self::Epoch => "hypha/v1/epoch",
            Self::Feed => "hypha/v1/feed",
            Self::Invite => "hypha/v1/invite",
            Self::Join => "hypha/v1/join",
            Self::Message => "hypha/v1/message",
            Self::Object => "hypha/v1/object",
            Self::Pair => "hypha/v1/pair",
            Self::Person => "hypha/v1/person",
            Self::Proof => "hypha/v1/proof",
            Self::PublicMessage => "hypha/v1/public-message",
            Self::Receipt => "hypha/v1/receipt",
            Self::Request => "hypha/v1/request",
            Self::Root => "hypha/v1/root",
            Self::Seal => "hypha/v1/seal",
            Self::Signal => "hypha/v1/signal",
            Self::SignalPair => "hypha/v1/signal-pair",
            Self::Snapshot => "hypha/v1/snapshot",
            Self::Topic => "hypha/v1/topic",
            Self::Value => "hypha/v1/value",
            Self::Words => "hypha/v1/words",
        }
    }

    /// BLAKE2b-256 of the label.
    pub fn bytes(self) -> [u8; 32] {
        blake2b(&[self.label().as_bytes()]).0
    }
}

#[cfg(test)]
mod tests {
    use super::Namespace;

    #[test]
    fn no_two_purposes_share_a_namespace() {
        let mut seen: Vec<_> = Namespace::ALL.iter().map(|n| n.bytes()).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), Namespace::ALL.len());
    }
}
