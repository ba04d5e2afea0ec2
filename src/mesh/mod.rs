//! Many peers: hubs, signalling, who to connect to.
//!
//! Who owns what: [`Mesh`] is the one state machine that a node drives. It owns
//! - one connection per hub ([`HubAdapter`] speaks the hub's language; back-off and health are the mesh's),
//! - the sealed signalling that goes through hubs (topics, hellos, offers, answers, candidates),
//! - one negotiator per peer that is dialled over WebRTC, and the tabs of this browser,
//! - conversations over hubs that may relay, which begin a session at once and take it back when WebRTC fails,
//! - the links: at most one per pair of nodes, whatever spaces, hubs or tabs they share,
//! - what neighbours in a space do for each other: introductions, and signalling without a hub.
//!
//! It knows nothing else of what travels on a link. No socket, clock or randomness inside: [`MeshInput`] goes in with
//! `now` and an entropy, [`MeshOutput`] comes out of [`Mesh::poll`].
//!
//! ```text
//!  driver ──HubOpened, HubFrame, HubClosed──▶ ┌──────┐ ──HubOpen, HubSend, HubClose──▶ WebSocket
//!         ──Rtc { link, event }─────────────▶ │ Mesh │ ──Rtc { link, command }───────▶ RTCPeerConnection
//!         ──Tab { bytes }───────────────────▶ │      │ ──TabPost { bytes }───────────▶ BroadcastChannel
//!  node   ──send, close, join, neighbour────▶ └──────┘ ──LinkSend, Event─────────────▶ data channel, node
//! ```

mod backoff;
mod bucket;
mod event;
#[cfg(test)]
pub(crate) mod fake;
mod hub;
mod id;
mod info;
mod json;
mod links;
mod membership;
#[expect(clippy::module_inception, reason = "one noun per file, and this one is the layer's")]
mod mesh;
mod negotiate;
mod neighbours;
mod pairing;
mod peer;
pub(crate) mod relay;
mod relaying;
mod replay;
mod reports;
mod rtc;
mod sdp;
pub(crate) mod signal;
pub(crate) mod tabs;
pub(crate) mod ticket;
mod topic;

pub use event::{CloseReason, MeshError, MeshEvent, MeshInput, MeshOutput};
pub use hub::{
    Caps, HubAdapter, HubEvent, HubFrame, HubKind, HubOut, HubState, HubUrl, HubUrlError, MAX_HUB_FRAME,
    Route, Socket,
};
pub use id::{Carrier, HubId, LinkId, NodeId};
pub use info::{Counters, HubInfo, LinkState, PeerInfo};
pub use mesh::Mesh;
pub use relaying::Relaying;
pub use rtc::{Candidate, Description, RtcCommand, RtcEvent, RtcState, SdpType};
pub use rtc::{HIGH_WATER, LOW_WATER, MAX_CANDIDATE, MAX_CANDIDATES, MAX_FRAME, MAX_SDP};
pub use sdp::{Fingerprints, SdpError, fingerprint};
pub use ticket::PairError;
pub use topic::{Topic, days, inbox, room};

#[cfg(test)]
mod tests;
