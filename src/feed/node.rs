//! Nodes of the Merkle tree and their hashes (those of hypercore-crypto 3).
//!
//! ```text
//! leaf    BLAKE2b-256( 00 | u64le size | block )
//! parent  BLAKE2b-256( 01 | u64le size of both | left hash | right hash )
//! tree    BLAKE2b-256( 02 | for each root: hash | u64le index | u64le size )
//! ```

use super::{FeedError, flat};
use crate::{
    codec::{DecodeError, MAX_SAFE, Reader, Writer},
    crypto::{Hash, Hasher, blake2b},
};

/// A node of a feed's tree.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Node {
    /// Flat-tree index: even for the leaf of block `index / 2`.
    pub index: u64,
    /// Leaf or parent hash.
    pub hash: Hash,
    /// Bytes of all blocks under it.
    pub size: u64,
}

impl Node {
    /// Bytes of a node in the tree file: hash, size.
    pub(super) const STORED: u64 = 40;

    /// The leaf of a block.
    pub fn leaf(block: u64, bytes: &[u8]) -> Self {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Self { index: flat::leaf(block), hash: blake2b(&[&[0], &size.to_le_bytes(), bytes]), size }
    }

    /// The parent of two siblings, left first; fails if their bytes exceed 2^53 − 1.
    pub fn parent(left: &Self, right: &Self) -> Result<Self, FeedError> {
        let size = left.size.saturating_add(right.size);
        if size > MAX_SAFE {
            return Err(FeedError::TooLarge { what: "bytes of a feed", max: MAX_SAFE, got: size });
        }
        let hash = blake2b(&[&[1], &size.to_le_bytes(), &left.hash.0, &right.hash.0]);
        Ok(Self { index: flat::parent(left.index), hash, size })
    }

    pub(super) fn to_stored(self) -> [u8; 40] {
        let mut out = [0; 40];
        let (hash, size) = out.split_at_mut(32);
        hash.copy_from_slice(&self.hash.0);
        size.copy_from_slice(&self.size.to_le_bytes());
        out
    }

    /// `None` for zeros: not there.
    pub(super) fn from_stored(index: u64, stored: &[u8; 40]) -> Option<Self> {
        let (hash, size) = stored.split_first_chunk::<32>()?;
        let size = u64::from_le_bytes(size.try_into().ok()?);
        (*hash != [0; 32]).then_some(Self { index, hash: Hash(*hash), size })
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.varint(self.index).raw(&self.hash.0).varint(self.size);
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { index: reader.varint()?, hash: Hash(reader.array()?), size: reader.varint()? })
    }
}

/// The tree hash of roots, left to right: it names all blocks under them.
pub fn tree_hash(roots: &[Node]) -> Hash {
    let mut hasher = Hasher::new().with(&[2]);
    for root in roots {
        hasher = hasher.with(&root.hash.0).with(&root.index.to_le_bytes()).with(&root.size.to_le_bytes());
    }
    hasher.finish()
}

/// Bytes under all of `nodes`.
pub(super) fn total(nodes: &[Node]) -> Result<u64, FeedError> {
    let sum = nodes.iter().fold(0_u64, |sum, node| sum.saturating_add(node.size));
    if sum > MAX_SAFE {
        return Err(FeedError::TooLarge { what: "bytes of a feed", max: MAX_SAFE, got: sum });
    }
    Ok(sum)
}
