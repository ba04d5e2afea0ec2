//! One deterministic encoding, hard limits.
//!
//! Structures are fixed layouts written with [`Writer`] and read with [`Reader`]: a version byte, fixed-size
//! fields, shortest-form variable integers, length-prefixed bytes. Reading accepts only what writing produces, so
//! one structure has one encoding and one hash. What a page stores is a [`Value`] in deterministic CBOR.

mod cbor;
mod error;
mod reader;
mod value;
mod writer;

pub use cbor::{MAX_DEPTH, Plain, check_value, decode_value, encode_plain, encode_value, plain};
pub use error::DecodeError;
pub use reader::Reader;
pub use value::Value;
pub use writer::Writer;

/// Largest length, sequence, clock or time: JavaScript numbers hold it exactly.
pub const MAX_SAFE: u64 = (1 << 53) - 1;

/// The version byte in front of every stored and sent structure.
pub const VERSION: u8 = 1;
