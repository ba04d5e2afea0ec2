//! One connection between two nodes: who is there, what both share, and how the data gets across.
//!
//! ```text
//! carrier bytes ⇄ Session   handshake, frames, heartbeats, channels, rates
//!                    ⇅ messages
//!                 Exchange  one per session and space: heads, requests, blocks with proofs, small signed items
//!                    ⇅ Replica (implemented above, over the space's feeds)   Wants (shared by all peers of a space)
//!                 Relay     one per space: ephemeral messages, each once
//! ```
//!
//! A peer is never trusted: every length is capped before anything is allocated ([`limits`]), nothing is stored before
//! it is verified, and what is wrong is a [`Fault`] that names the offence and ends that one session.

mod bucket;
mod channel;
mod clock;
mod ephemeral;
mod exchange;
mod fault;
mod frame;
mod handshake;
pub mod limits;
mod message;
mod once;
mod relay;
mod replica;
mod resolver;
mod session;
#[cfg(test)]
mod testing;
mod wants;

pub use bucket::Bucket;
pub use channel::ChannelId;
pub use clock::PeerClocks;
pub use ephemeral::{Envelope, EnvelopeError, EnvelopeKind};
#[cfg(test)]
pub(crate) use exchange::digest_of;
pub use exchange::{Exchange, HeadWanted, SideWanted};
pub use fault::{CloseReason, Fault, Goodbye};
pub use handshake::{Carrier, HandshakeHash, NodeKey, PROTOCOL_VERSION, Role};
pub use message::{Announcement, Answers, Declined, ItemKind, Kind, Message};
pub use once::Once;
pub use relay::{Dropped, PeerId, Relay, Verdict};
pub use replica::{Compared, FeedStatus, Replica, ReplicaError, first_gap, prove_from, prove_head_from};
pub use session::{FrameCounts, NextCarrier, SendError, Session, SessionConfig, SessionOutput};
pub use wants::Wants;
