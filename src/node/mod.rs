//! Accounts and flows: everything a page can ask for.
mod account;
mod device_name;
mod drafts;
mod error;
mod lookup;
mod request_queue;
pub(crate) mod sign_in_message;

pub use error::{ErrorCode, NodeError};
pub use lookup::{Lookup, WellKnown};
pub use request_queue::{RequestInfo, Words};
