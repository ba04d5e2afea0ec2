//! What goes into a mesh and what comes out.

use super::{Carrier, Fingerprints, HubFrame, HubId, HubState, LinkId, NodeId, RtcCommand, RtcEvent};
use crate::{crypto::PublicKey, sync::Message};

/// What the driver reports.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum MeshInput {
    /// The page came back: `online`, `pageshow`, visible again. Hubs that wait are tried at once.
    Awake,
    /// A socket closed, failed, or could not be made. Not after [`MeshOutput::HubClose`].
    HubClosed {
        /// Whose.
        hub: HubId,
        /// The browser's close code, if any.
        code: Option<u16>,
        /// The hub's or browser's words, or nothing.
        reason: String,
    },
    /// A socket delivered a frame.
    HubFrame {
        /// Whose.
        hub: HubId,
        /// The frame.
        frame: HubFrame,
    },
    /// A socket opened.
    HubOpened {
        /// Whose.
        hub: HubId,
    },
    /// An RTCPeerConnection reports.
    Rtc {
        /// Whose.
        link: LinkId,
        /// What.
        event: RtcEvent,
    },
    /// A message on the BroadcastChannel.
    Tab {
        /// The message.
        bytes: Vec<u8>,
    },
}

/// What the driver is to do, and what the node hears.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum MeshOutput {
    /// For the node.
    Event(MeshEvent),
    /// Close the hub's socket; report nothing more of it.
    HubClose {
        /// Whose.
        hub: HubId,
    },
    /// Open a WebSocket; one that this hub still has is dropped without a word.
    HubOpen {
        /// For which hub.
        hub: HubId,
        /// `ws://…` or `wss://…`.
        url: String,
        /// Subprotocols to offer; none means none.
        protocols: Vec<String>,
    },
    /// Send a frame to a hub.
    HubSend {
        /// To which.
        hub: HubId,
        /// Text or binary.
        frame: HubFrame,
    },
    /// Send a frame to a hub, like `HubSend`: it carries bytes of a link.
    RelaySend {
        /// To which.
        hub: HubId,
        /// Text or binary.
        frame: HubFrame,
    },
    /// Send bytes as one binary message on a data channel; then report [`RtcEvent::Buffered`].
    LinkSend {
        /// The carrier's number; always WebRTC (a tab's bytes come as `TabPost`, a relay's as `RelaySend`).
        link: LinkId,
        /// At most [`super::MAX_FRAME`].
        bytes: Vec<u8>,
    },
    /// A command for the link's RTCPeerConnection.
    Rtc {
        /// Which link.
        link: LinkId,
        /// The command.
        command: RtcCommand,
    },
    /// Post a message on the BroadcastChannel.
    TabPost {
        /// The message.
        bytes: Vec<u8>,
    },
}

/// What the node hears.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum MeshEvent {
    /// A hub changed.
    HubState {
        /// Which.
        hub: HubId,
        /// As it was given.
        url: String,
        /// How it is.
        state: HubState,
        /// The last error, if there was one.
        error: Option<String>,
    },
    /// A link is gone.
    LinkClosed {
        /// Which.
        link: LinkId,
        /// Why.
        reason: CloseReason,
    },
    /// A further carrier of an open link is there: its session may move to it.
    CarrierOpen {
        /// Which link.
        link: LinkId,
        /// The carrier's number.
        via: LinkId,
        /// What it is.
        carrier: Carrier,
        /// For the prologue: both certificates' fingerprints, if it is WebRTC.
        fingerprints: Option<Fingerprints>,
        /// Whether this side speaks first: the lower id does.
        initiator: bool,
    },
    /// One carrier of a link is gone; another is there.
    CarrierClosed {
        /// Which link.
        link: LinkId,
        /// The carrier's number.
        via: LinkId,
    },
    /// Bytes arrived.
    LinkData {
        /// On which link.
        link: LinkId,
        /// Over which carrier.
        via: LinkId,
        /// At most [`super::MAX_FRAME`].
        bytes: Vec<u8>,
    },
    /// A link is ready for a handshake.
    LinkOpen {
        /// Which.
        link: LinkId,
        /// The carrier's number.
        via: LinkId,
        /// Over what.
        carrier: Carrier,
        /// For the prologue: both certificates' fingerprints; `None` for a tab.
        fingerprints: Option<Fingerprints>,
        /// Who is at the other end.
        remote: NodeId,
        /// Whether this side speaks first: the lower id does.
        initiator: bool,
        /// Spaces that the other side is known to be in too.
        spaces: Vec<PublicKey>,
    },
    /// The other side of an open link turned out to be in more of our spaces, or fewer.
    LinkSpaces {
        /// Which link.
        link: LinkId,
        /// All that are shared now.
        spaces: Vec<PublicKey>,
    },
    /// A pairing has a text to show, or failed.
    Pairing {
        /// Which.
        link: LinkId,
        /// The text.
        text: Result<String, CloseReason>,
    },
    /// A carrier that was full takes bytes again.
    LinkWritable {
        /// Of which link.
        link: LinkId,
        /// Which.
        via: LinkId,
    },
    /// Something for the mesh at the other end of a link, on the channel of a space.
    Neighbour {
        /// Which link.
        link: LinkId,
        /// Which space.
        space: PublicKey,
        /// Peers, or an extension.
        message: Box<Message>,
    },
}

/// Why a link is gone.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CloseReason {
    /// The data channel or connection closed.
    #[error("the connection closed")]
    Closed,
    /// The mesh was closed here.
    #[error("closed on this side")]
    Local,
    /// ICE failed and a restart did not help, or the browser refused a command.
    #[error("the connection failed: {what}")]
    Failed {
        /// The words.
        what: String,
    },
    /// The other side broke the rules.
    #[error("the other side sent {what}")]
    Fault {
        /// What it sent.
        what: &'static str,
    },
    /// The other side said goodbye.
    #[error("the other side closed the connection")]
    Remote,
    /// A newer connection with the same node took its place.
    #[error("replaced by a newer connection to the same node")]
    Replaced,
    /// Nothing was heard in time.
    #[error("no answer within {seconds} seconds")]
    Timeout {
        /// How long it was waited for.
        seconds: u64,
    },
    /// No space is shared any more.
    #[error("no space is shared any more")]
    Unshared,
}

/// Why something asked of a mesh was not done.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MeshError {
    /// The link's buffer is full; wait for [`MeshEvent::LinkWritable`].
    #[error("the link has {buffered} bytes waiting; it takes more once they are below {low}")]
    Full {
        /// Bytes waiting.
        buffered: u64,
        /// The low-water mark.
        low: u64,
    },
    /// No such hub.
    #[error("no such hub: {0:?}")]
    NoHub(HubId),
    /// No such link, or not open.
    #[error("no open link {0:?}")]
    NoLink(LinkId),
    /// A frame above the limit.
    #[error("a frame has at most {max} bytes, got {got}")]
    TooLarge {
        /// The limit.
        max: usize,
        /// What came.
        got: usize,
    },
    /// Too many hubs.
    #[error("at most {max} hubs at once")]
    TooManyHubs {
        /// The limit.
        max: usize,
    },
    /// Too many spaces.
    #[error("at most {max} spaces at once")]
    TooManySpaces {
        /// The limit.
        max: usize,
    },
}
