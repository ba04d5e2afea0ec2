//! Signed values: one small value per key and salt, replaced by higher sequences.
//!
//! ```text
//! signed   ns(value) 32 | type u8 | key 32 | u16le salt length | salt | u64le seq | u32le size | value
//! encoded  version u8 | type u8 | owner | salt | varint seq | value | signatures      (salt, value: varint length first)
//!   type 1 owner: key 32                                      signatures: one
//!   type 2 owner: M u8 | N u8 | N keys 32, ascending          signatures: count u8, each key's place u8 | 64, ascending
//! ```
//!
//! The key of a group (type 2) is BLAKE2b-256(ns(value) | type | M | N | keys). The sequence is signed with the value, so
//! nobody but the owner can raise it. Higher sequence wins; at the same sequence, equal bytes are the same value, and of
//! different ones, which only an equivocating owner can sign, that with the higher BLAKE2b-256 wins everywhere.
//! Signatures are not part of a value's identity: a group's value may be signed by one set of keys here, another there.

mod error;
mod owner;
mod signed;
#[cfg(test)]
mod tests;
mod update;

pub use error::ValueError;
pub use owner::{Group, MAX_KEYS, Owner};
pub use signed::SignedValue;
pub use update::{Precedence, Update, next_seq};

/// Largest value, bytes.
pub const MAX_VALUE: usize = 16 * 1024;

/// Longest salt, bytes.
pub const MAX_SALT: usize = 64;
