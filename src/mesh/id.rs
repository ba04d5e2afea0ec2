//! Names of nodes, hubs, links and carriers.

use core::fmt;

use crate::crypto::{Namespace, blake2b_128, hex};

/// A node for one browser session: BLAKE2b-128 of its X25519 session key.
///
/// The key is drawn afresh with every start, so the id tracks nobody; and since it is a hash of the key, nobody
/// can speak under another's id.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct NodeId(pub [u8; 16]);

impl NodeId {
    /// The id of the node whose X25519 session key this is.
    pub fn of(session_key: &[u8; 32]) -> Self {
        Self(blake2b_128(&[&Namespace::Signal.bytes(), session_key]))
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({self})")
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

/// A hub of this mesh; stays the same over reconnections.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct HubId(pub u32);

/// One connection, or one attempt at it. Never used twice by a mesh, so a late event of an old
/// RTCPeerConnection cannot be taken for one of its successor.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LinkId(pub u64);

/// What a link runs over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Carrier {
    /// A hub that may relay.
    Relay,
    /// BroadcastChannel between tabs of one browser.
    Tab,
    /// An RTCPeerConnection's data channel.
    WebRtc,
}

impl Carrier {
    /// The name that goes into the handshake's prologue.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Tab => "tab",
            Self::WebRtc => "webrtc",
        }
    }
}
