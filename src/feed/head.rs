//! A signed head: what a feed's key says its feed is.
//!
//! ```text
//! signed   ns(feed) 32 | feed key 32 | tree hash 32 | u64le length | u64le fork
//! encoded  version u8 | varint length | varint fork | tree hash 32 | signature 64
//! ```

use crate::{
    codec::{DecodeError, Reader, Writer},
    crypto::{BadSignature, Hash, Namespace, PublicKey, Signature, Signer},
};

/// Length and tree hash of a feed, signed by its key. One is made per append, however many blocks it has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SignedHead {
    /// Blocks.
    pub length: u64,
    /// How often the feed was cut back; 0 for ever for feeds of spaces.
    pub fork: u64,
    /// Hash of all blocks.
    pub tree_hash: Hash,
    /// Of the feed's key over the above.
    pub signature: Signature,
}

impl SignedHead {
    /// Longest encoding, bytes.
    pub const MAX_ENCODED: usize = 1 + 8 + 8 + 32 + 64;

    /// Signs a head.
    pub fn sign(signer: &Signer, length: u64, fork: u64, tree_hash: Hash) -> Self {
        let signature = signer.sign(&signed_bytes(&signer.public(), length, fork, &tree_hash));
        Self { length, fork, tree_hash, signature }
    }

    /// Verifies the signature by the feed's key.
    pub fn verify(&self, key: &PublicKey) -> Result<(), BadSignature> {
        key.verify(&signed_bytes(key, self.length, self.fork, &self.tree_hash), &self.signature)
    }

    /// Whether two heads of one feed contradict each other by themselves: same length and fork, other blocks.
    pub fn contradicts(&self, other: &Self) -> bool {
        self.length == other.length && self.fork == other.fork && self.tree_hash != other.tree_hash
    }

    /// Encodes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::versioned();
        self.write(&mut writer);
        writer.finish()
    }

    /// Decodes; does not verify.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::versioned(bytes)?;
        let head = Self::read(&mut reader)?;
        reader.end()?;
        Ok(head)
    }

    /// Writes the fields, without a version, as part of another structure.
    pub fn write(&self, writer: &mut Writer) {
        writer.varint(self.length).varint(self.fork).raw(&self.tree_hash.0).raw(&self.signature.0);
    }

    /// Reads what [`SignedHead::write`] wrote.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            length: reader.varint()?,
            fork: reader.varint()?,
            tree_hash: Hash(reader.array()?),
            signature: Signature(reader.array()?),
        })
    }
}

fn signed_bytes(key: &PublicKey, length: u64, fork: u64, tree_hash: &Hash) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.raw(&Namespace::Feed.bytes()).raw(&key.0).raw(&tree_hash.0).u64(length).u64(fork);
    writer.finish()
}
