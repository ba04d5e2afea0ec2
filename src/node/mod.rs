//! Accounts and flows: everything a page can ask for.
//!
//! [`Node`] owns the space of a domain, its peers and its person's keys. It is pure: the driver hands in what happened
//! ([`Input`]) and carries out what comes out ([`Output`]).

mod account;
mod acting;
mod approving;
mod calls;
mod chores;
mod created;
mod device_name;
mod devices;
mod drafts;
mod durable;
mod ephemeral;
mod error;
mod export;
mod following;
mod found;
#[cfg(any(test, feature = "hostile"))]
mod hostile;
mod input;
mod joining;
mod known_heads;
mod links;
mod locating;
mod lookup;
mod memberships;
#[expect(clippy::module_inception, reason = "the file is named for its noun")]
mod node;
mod options;
mod output;
pub(crate) mod peer_message;
mod persist;
mod presence;
mod reading;
mod recovering;
mod replica;
mod request_queue;
mod sign_in;
pub(crate) mod sign_in_message;
pub(crate) mod sign_up;
#[cfg(test)]
mod adversary;
#[cfg(test)]
mod crowd;
#[cfg(test)]
mod sim;
mod spaces;
mod state;
mod syncing;
mod talking;
#[cfg(test)]
mod tests;
mod writing;

pub use calls::CallId;
pub use ephemeral::{PageMessage, Refused};
pub use error::{ErrorCode, NodeError};
pub use export::{ExportCursor, Imported};
pub use found::Found;
pub use input::{Call, Input, SpaceCall};
pub use known_heads::KnownHead;
pub use links::PeerView;
pub use lookup::{Lookup, WellKnown};
pub use node::Node;
pub use options::Options;
pub use output::{Event, Output, Reply};
pub use peer_message::MAX_PAYLOAD;
pub use presence::{MAX_STATE, Present};
pub use reading::SpaceView;
pub use request_queue::{RequestInfo, Words};
pub use state::State;
