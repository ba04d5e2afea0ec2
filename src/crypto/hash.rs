//! BLAKE2b, as libsodium's `crypto_generichash` computes it.

use core::fmt;

use blake2::digest::{Digest, KeyInit, Mac, Update, consts::U32};

/// A BLAKE2b-256 hash, 32 bytes.
#[derive(Clone, Copy, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&super::hex(&self.0))
    }
}

/// Incremental BLAKE2b-256 without a key.
#[derive(Clone, Default)]
pub struct Hasher(blake2::Blake2b256);

impl Hasher {
    /// An empty hasher.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes; returns itself, so that calls chain.
    #[must_use]
    pub fn with(mut self, bytes: &[u8]) -> Self {
        Update::update(&mut self.0, bytes);
        self
    }

    /// The hash of all that was added.
    pub fn finish(self) -> Hash {
        Hash(self.0.finalize().into())
    }
}

/// BLAKE2b-256 of the concatenation of `parts`.
pub fn blake2b(parts: &[&[u8]]) -> Hash {
    parts.iter().fold(Hasher::new(), |hasher, part| hasher.with(part)).finish()
}

/// BLAKE2b-128 of the concatenation of `parts`.
pub fn blake2b_128(parts: &[&[u8]]) -> [u8; 16] {
    let mut hasher = blake2::Blake2b128::new();
    for part in parts {
        Update::update(&mut hasher, part);
    }
    hasher.finalize().into()
}

/// BLAKE2b-256 with a 32-byte key: the primitive's own keyed mode.
pub fn keyed(key: &[u8; 32], message: &[u8]) -> Hash {
    keyed_parts(key, &[message])
}

/// BLAKE2b-256 with a 32-byte key over the concatenation of `parts`.
pub fn keyed_parts(key: &[u8; 32], parts: &[&[u8]]) -> Hash {
    // A 32-byte key is within BLAKE2b's 64, so this never fails.
    let Ok(mut mac) = blake2::Blake2bMac::<U32>::new_from_slice(key) else { return Hash::default() };
    for part in parts {
        Mac::update(&mut mac, part);
    }
    Hash(mac.finalize().into_bytes().into())
}

/// A namespaced hash: BLAKE2b-256 of the 32-byte namespace and the parts.
pub fn hash_to(namespace: super::Namespace, parts: &[&[u8]]) -> Hash {
    parts.iter().fold(Hasher::new().with(&namespace.bytes()), |hasher, part| hasher.with(part)).finish()
}
