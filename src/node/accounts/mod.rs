//! Whose node this is: from a domain and a passphrase to keys, devices and their requests.

pub(super) mod account;
pub(super) mod approving;
pub(super) mod created;
pub(super) mod device_name;
pub(super) mod devices;
pub(super) mod drafts;
pub(super) mod locating;
pub(super) mod lookup;
pub(super) mod recovering;
pub(super) mod request_queue;
pub(super) mod sign_in;
pub(crate) mod sign_in_message;
pub(crate) mod sign_up;

#[cfg(test)]
mod tests;
