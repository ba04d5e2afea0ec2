//! What can be wrong with a signed value.

use crate::{
    codec::DecodeError,
    crypto::{BadSignature, PublicKey},
};

/// A signed value that cannot be made, read or taken.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// Value, salt, sequence or group over its limit.
    #[error("{what}: at most {max}, got {got}")]
    TooLarge {
        /// What it counts.
        what: &'static str,
        /// The limit.
        max: u64,
        /// What came.
        got: u64,
    },
    /// A group that nobody can sign for, or with a key twice.
    #[error("group of {keys} keys of which {needed} must sign: {why}")]
    Group {
        /// Signatures needed.
        needed: u8,
        /// Keys.
        keys: usize,
        /// What is wrong.
        why: &'static str,
    },
    /// A signature that does not verify.
    #[error(transparent)]
    Signature(#[from] BadSignature),
    /// Too few signatures.
    #[error("signatures: {expected} needed, got {got}")]
    Signatures {
        /// Needed.
        expected: usize,
        /// There are.
        got: usize,
    },
    /// A signer that is not an owner.
    #[error("{key} does not own this value")]
    NotOwner {
        /// The signer.
        key: PublicKey,
    },
    /// Another key, salt, or for merging of signatures another value.
    #[error("not the same value: {what} differs")]
    Other {
        /// What differs.
        what: &'static str,
    },
    /// Compare-and-swap: the held sequence is another (0: none is held).
    #[error("sequence {expected} was expected, {got} is held")]
    Swap {
        /// What the caller thought.
        expected: u64,
        /// What is held.
        got: u64,
    },
    /// Bytes that do not decode.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}
