//! Append-only feeds: a Merkle tree over blocks, a signed head, proofs.
//!
//! A feed is written by one key. [`Feed::append`] adds blocks and signs the new head once; [`Feed::prove`] makes a
//! [`Proof`] that some blocks stand where they stand, and that a longer feed extends a shorter one; [`Feed::accept`]
//! checks all of that before it stores anything. Any block can be held without its neighbours. A feed that stands alone
//! can be cut back, by a head with a higher fork number; one of a space never is.
//!
//! ```text
//! feed/<hex key>/data    blocks, end to end                tree   node i at 40·i: hash 32 | u64le size
//!                bits    bit i: block i is held            head   the latest signed head
//!                heads   signed heads kept for others, in slots
//! ```
//!
//! Hashes are those of hypercore-crypto 3, so others can recompute them. Invariants: the roots of the head's length are
//! held; with a node its sibling and its parent are held; so the place of a held block in `data` is always known from
//! sizes that are part of the hashes. Lengths and indexes count blocks, sizes and offsets bytes.

mod accept;
mod append;
mod audit;
mod bitfield;
mod byte;
mod equivocation;
mod error;
mod flat;
mod graft;
mod groups;
mod head;
mod held;
mod log;
mod node;
mod paths;
mod plan;
mod proof;
mod prove;
mod read;
mod truncate;
#[cfg(test)]
mod tests;

pub use accept::Accepted;
pub use audit::Audit;
pub use equivocation::{Branch, EquivocationProof, ForkSearch, Side};
pub use error::FeedError;
pub use groups::{GROUP, Groups};
pub use head::SignedHead;
pub use log::{Feed, HeadCheck};
pub use node::{Node, tree_hash};
pub use paths::want_opening;
pub use proof::{Proof, ProofRequest};
pub use read::{Blocks, Chunk};

/// Largest block, bytes.
pub const MAX_BLOCK: usize = 1024 * 1024;

/// Longest feed, blocks: the tree file of it stays below 2^53 bytes.
pub const MAX_LENGTH: u64 = 1 << 46;

/// Most blocks proved or accepted at a time.
pub const MAX_PROOF_BLOCKS: u64 = 65_536;

/// Most tree nodes in a proof: two paths of old and two of new tree.
pub const MAX_PROOF_NODES: usize = 4 * 47;

/// Most heads kept besides the latest.
pub const MAX_KEPT_HEADS: usize = 65_536;

/// Blocks of whatever kind as bytes, for what is compiled once.
fn slices<B: AsRef<[u8]>>(blocks: &[B]) -> Vec<&[u8]> {
    blocks.iter().map(AsRef::as_ref).collect()
}

/// A count in memory as a 64-bit number: `usize` is never wider.
fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
