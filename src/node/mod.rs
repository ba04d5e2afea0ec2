//! Accounts and flows: everything a page can ask for.
//!
//! [`Node`] owns the space of a domain, its peers and its person's keys. It is pure: the driver hands in what happened
//! ([`Input`]) and carries out what comes out ([`Output`]).

mod account;
mod approving;
mod chores;
mod device_name;
mod devices;
mod drafts;
mod durable;
mod error;
mod following;
mod found;
#[cfg(any(test, feature = "hostile"))]
mod hostile;
mod input;
mod links;
mod locating;
mod lookup;
#[expect(clippy::module_inception, reason = "the file is named for its noun")]
mod node;
mod options;
mod output;
mod persist;
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
mod sim;
mod state;
mod syncing;
#[cfg(test)]
mod tests;
mod writing;

pub use error::{ErrorCode, NodeError};
pub use found::Found;
pub use input::{Call, Input};
pub use links::PeerView;
pub use lookup::{Lookup, WellKnown};
pub use node::Node;
pub use options::Options;
pub use output::{Event, Output, Reply};
pub use request_queue::{RequestInfo, Words};
pub use state::State;
