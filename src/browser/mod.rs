//! The only layer that touches web APIs: IndexedDB, WebRTC, WebSocket, BroadcastChannel, clock, randomness.
//!
//! It decides nothing. Each file wraps one API and reports by a callback or a future; handlers are kept in the
//! struct that they belong to and go with it, so that nothing fires for something that was closed.

pub mod clock;
pub mod driver;
pub mod idb;
pub mod keys;
mod later;
mod opening;
pub mod random;
pub mod rtc;
pub mod socket;
pub mod store;
pub mod tabs;
mod wake;
