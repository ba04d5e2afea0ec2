//! Hypha: a complete peer-to-peer node that lives in a browser tab.
//!
//! Layers, ground floor first; each knows only the ones above it in this list. Everything down to `node` is
//! pure: no clock, no randomness, no I/O, no async. They are handed in, so the same state machines run in a
//! test, in a simulator, under a fuzzer and in the page. `browser` and `js` are the only users of web APIs.
//!
//! ```text
//! words    sorted maps and sets in little code (collections)
//! crypto   passphrase, key tree, signatures, sealing, hashing
//! codec    one deterministic encoding, hard limits
//! storage  random-access files in pages
//! feed     Merkle tree, bitfield, log, proofs      value   small signed values
//! space    entries, clocks, access, views
//! sync     one peer: handshake, channels, exchange of feeds
//! mesh     many peers: hubs, signalling, who to connect to
//! node     accounts, flows, all a page can ask for
//! ─────────────────────────────────────────────────────────
//! browser  IndexedDB, WebRTC, WebSocket, BroadcastChannel
//! js       the wasm-bindgen face
//! ```
//!
//! Units: times are milliseconds since 1970 (UTC), sizes are bytes, lengths and indexes count blocks; none
//! exceeds 2^53 − 1, so that JavaScript numbers hold them exactly.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::as_conversions, reason = "numbers in tests are chosen, not received"))]

pub mod collections;
pub mod crypto;
pub mod codec;
pub mod storage;
pub mod feed;
pub mod value;
pub mod space;
pub mod sync;
pub mod mesh;
pub mod node;
#[cfg(target_arch = "wasm32")]
pub mod browser;
#[cfg(target_arch = "wasm32")]
pub mod js;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod vectors;
