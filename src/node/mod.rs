//! Accounts and flows: everything a page can ask for.
//!
//! [`Node`] owns the space of a domain, its peers and its person's keys. It is pure: the driver hands in what happened
//! ([`Input`]) and carries out what comes out ([`Output`]).

pub(crate) mod accounts;
mod calls;
mod chores;
mod durable;
mod error;
#[cfg(any(test, feature = "hostile"))]
mod hostile;
mod input;
pub(crate) mod links;
mod loading;
#[expect(clippy::module_inception, reason = "the file is named for its noun")]
mod node;
mod options;
mod output;
mod persist;
mod replicas;
mod secrets;
#[cfg(test)]
mod adversary;
#[cfg(test)]
mod crowd;
#[cfg(test)]
mod sim;
mod spaces;
mod state;
#[cfg(test)]
mod tests;

pub use accounts::lookup::{Lookup, WellKnown};
pub use accounts::request_queue::{RequestInfo, Words};
pub use calls::CallId;
pub use error::{ErrorCode, NodeError};
pub use input::{Call, Input, SpaceCall};
pub use links::PeerView;
pub use links::carriers::PeerPath;
pub use links::ephemeral::{PageMessage, Refused};
pub use links::known_heads::KnownHead;
pub use links::peer_message::MAX_PAYLOAD;
pub use links::presence::{MAX_STATE, Present};
pub use node::Node;
pub use options::Options;
pub use output::{Event, Output, Reply};
pub use replicas::holding::HeldSpace;
pub use replicas::safety::{ReplicaView, Safety};
pub use spaces::export::{ExportCursor, Imported};
pub use spaces::found::Found;
pub use spaces::reading::SpaceView;
pub use state::State;
