//! One trait for every kind of signalling hub.
//!
//! An adapter is a pure state machine that knows one kind's language and nothing else: sockets, clocks, back-off
//! and what is inside the sealed messages are not its business. A new kind is one file and one arm in
//! [`HubKind`].

pub(super) mod base64url;
mod connection;
mod detect;
mod echo;
mod kind;
mod matchbox;
mod mqtt;
mod nostr;
mod peerjs;
mod pubsub;
mod pulse;
mod routes;
mod url;
mod wt;

pub(crate) use connection::{HubConnection, HubNews};
pub use kind::HubKind;
pub use url::{HubUrl, HubUrlError};

use super::Topic;
use super::json::Json;
use crate::collections::Map;
use crate::crypto::{blake2b_128, hex};

/// What speaks one kind of hub's language.
///
/// Topics joined are remembered by the adapter and joined again at every `opened`. Frames and events go to
/// [`HubOut`] in order.
pub trait HubAdapter {
    /// What this kind can do.
    fn caps(&self) -> Caps;
    /// The socket closed: forget what belonged to the connection, keep the topics.
    fn closed(&mut self);
    /// When [`HubAdapter::tick`] wants to run next; unix milliseconds.
    fn deadline(&self) -> Option<u64>;
    /// A frame arrived.
    fn frame(&mut self, frame: &HubFrame, now: u64, out: &mut HubOut);
    /// Receive what is published under a topic: a room, where many meet, or this node's inbox.
    fn join(&mut self, topic: Topic, is_room: bool, now: u64, out: &mut HubOut);
    /// No more of a topic.
    fn leave(&mut self, topic: &Topic, out: &mut HubOut);
    /// The socket opened.
    fn opened(&mut self, now: u64, out: &mut HubOut);
    /// Finds out soon whether the hub still answers: the page slept.
    fn probe(&mut self, now: u64, out: &mut HubOut);
    /// Sends sealed bytes to everybody under a topic. A kind without broadcast sends to every route that it knows.
    fn publish(&mut self, topic: &Topic, sealed: &[u8], now: u64, out: &mut HubOut);
    /// Sends sealed bytes to one: by its route where the kind addresses, else by publishing under its inbox.
    fn send_to(&mut self, route: Option<&Route>, inbox: &Topic, sealed: &[u8], now: u64, out: &mut HubOut);
    /// Where to open the next socket to.
    fn socket(&mut self) -> Socket;
    /// Time passed.
    fn tick(&mut self, now: u64, out: &mut HubOut);
}

/// What a WebSocket is opened to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Socket {
    /// `ws://…` or `wss://…`, without a fragment.
    pub url: String,
    /// The subprotocol to offer.
    pub protocol: Option<&'static str>,
}

/// What a kind of hub can do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Caps {
    /// Delivers to one by a [`Route`].
    pub addressed: bool,
    /// Delivers to everybody under a topic.
    pub broadcast: bool,
    /// Largest sealed message, in bytes.
    pub max_message: usize,
    /// May carry data when WebRTC fails.
    pub may_relay: bool,
    /// Candidates may follow an offer one by one; else they are gathered first, for every message counts against a limit.
    pub trickle: bool,
}

/// A socket's frame.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum HubFrame {
    /// Binary.
    Binary(Vec<u8>),
    /// UTF-8 text.
    Text(String),
}

/// How to reach one node on one hub, in the hub's own terms (a PeerJS id, a matchbox uuid, an offer id…).
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Route(pub String);

/// What an adapter noticed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum HubEvent {
    /// A frame that this kind of hub does not send.
    Garbage {
        /// What was wrong with it.
        what: &'static str,
    },
    /// A sealed message.
    Message {
        /// Under which topic.
        topic: Topic,
        /// How to answer its sender, if the kind addresses.
        route: Option<Route>,
        /// The bytes.
        sealed: Vec<u8>,
    },
    /// The hub answers in its kind's language and the topics are joined.
    Ready,
    /// The adapter wants another socket at once, to what [`HubAdapter::socket`] says now.
    Reopen,
    /// The hub refuses for good, in its own words.
    Refused {
        /// The words, cut short.
        reason: String,
    },
    /// A hub that had answered answers no more: the socket is dead.
    Silent,
    /// The hub asks for patience.
    Throttled {
        /// Milliseconds.
        wait_ms: u64,
    },
    /// What answers is not a hub of this kind.
    WrongKind,
}

/// What an adapter wants sent and noticed, in order.
#[derive(Debug, Default)]
pub struct HubOut {
    /// To send.
    pub frames: Vec<HubFrame>,
    /// Noticed.
    pub events: Vec<HubEvent>,
}

/// How a hub is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HubState {
    /// A socket is being opened, or the hub has not answered yet.
    Connecting,
    /// It sent too much that is no signalling; left alone for a while.
    Garbage {
        /// Until when; unix milliseconds.
        until: u64,
    },
    /// It answers.
    Open,
    /// It refused, or is no hub of this kind; left alone for a while.
    Refused {
        /// Until when; unix milliseconds.
        until: u64,
    },
    /// It failed; next try later.
    Waiting {
        /// When; unix milliseconds.
        until: u64,
    },
}

/// An id for one connection, 16 bytes: fresh for each `number` and hub, since the seed is drawn for one hub and
/// session.
fn fresh(seed: &[u8; 32], number: u64) -> [u8; 16] {
    blake2b_128(&[seed, &number.to_le_bytes()])
}

/// The name of a topic where names are free: 64 lower-case hexadecimal digits.
fn name(topic: &Topic) -> String {
    hex(&topic.0)
}

/// A frame's text. Some servers send what they relay as binary.
fn text(frame: &HubFrame) -> Result<&str, &'static str> {
    match frame {
        HubFrame::Text(text) => Ok(text),
        HubFrame::Binary(bytes) => core::str::from_utf8(bytes).map_err(|_| "bytes that are not UTF-8"),
    }
}

/// The members of a frame that is a JSON object.
fn members(frame: &HubFrame) -> Result<Map<String, Json<'_>>, &'static str> {
    Json::parse(text(frame)?).and_then(Json::into_object).ok_or("a frame that is no JSON object")
}

/// Takes a member that is a text.
fn word(members: &mut Map<String, Json<'_>>, name: &str) -> Option<String> {
    members.remove(name)?.into_text()
}

/// A hub's words, cut short.
fn cut(text: &str) -> String {
    text.chars().take(200).collect()
}

/// Largest frame that is read from a hub or sent to one, in bytes.
pub const MAX_HUB_FRAME: usize = 64 * 1024;
