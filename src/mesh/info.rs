//! What a mesh tells about itself.

use super::{Carrier, HubId, HubState, LinkId, NodeId};
use crate::crypto::PublicKey;

/// A node to which there is a link, or which is being dialled.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerInfo {
    /// Who.
    pub id: NodeId,
    /// The link.
    pub link: LinkId,
    /// Over what.
    pub carrier: Carrier,
    /// Whether that is WebRTC through a TURN server.
    pub turned: bool,
    /// How it is.
    pub state: LinkState,
    /// Since when the link exists; unix milliseconds.
    pub since: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Spaces known to be shared.
    pub spaces: Vec<PublicKey>,
}

/// How a link is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LinkState {
    /// Being dialled or answered.
    Connecting,
    /// Carries bytes.
    Open,
    /// Was open, lost its way, and looks for another.
    Recovering,
}

/// A hub.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HubInfo {
    /// Which.
    pub hub: HubId,
    /// As it was given.
    pub url: String,
    /// How it is.
    pub state: HubState,
    /// Whether it may carry data when WebRTC does not.
    pub may_relay: bool,
    /// The last error.
    pub error: Option<String>,
    /// Frames that were not what this kind of hub sends.
    pub garbage: u64,
}

/// What signalling dropped, in silence, and why.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    /// Sealed messages that were accepted.
    pub accepted: u64,
    /// Seen before: copies from several hubs, or replays.
    pub duplicate: u64,
    /// Above a hub's rate.
    pub flooded: u64,
    /// Not openable with the space's key or addressed to another, or malformed inside.
    pub foreign: u64,
    /// Our own, sent back.
    pub own: u64,
    /// Time or sequence too far off.
    pub stale: u64,
}
