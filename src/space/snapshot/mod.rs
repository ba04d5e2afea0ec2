//! A static snapshot: a space's feeds as a few files that any host serves, read by ranges and verified.
//!
//! ```text
//! head       signed; names the map. The one file that changes: all others are named by their BLAKE2b-256, in hex
//! map        per feed: its segments, the groups of its tree, where its access operations are; pages of the index
//! segment    whole groups of blocks of one feed: leaf hash 32 │ u32 size, each; then the blocks, end to end
//! run        pages of the index, end to end: key → entries that hold it
//! ```
//! A reader gets head and map, one or two pages, the leaves of the groups that they point to, and the blocks: kilobytes
//! of a space of any length. Every block is proved against its author's signed head as if a peer had sent it, and who may
//! write is judged from the entries with access operations by the engine that every node has. The index is only as good
//! as whoever signed the head: it can leave out, and cannot make up. A host can do neither, only keep an older snapshot.

mod error;
mod export;
mod gather;
mod head;
mod map;
mod reader;

pub use error::SnapshotError;
pub use export::SnapshotPlan;
pub use head::SnapshotHead;
pub use reader::{Listing, Piece, SnapshotReader};

use crate::crypto::Hash;

/// Bytes of a leaf in a segment.
const LEAF: u64 = 36;

/// Largest head or map, bytes.
pub const MAX_HEAD: usize = 16 << 20;

/// Most feeds of a snapshot.
const MAX_FEEDS: usize = 10_000;

/// A feed of a snapshot: its segments and what its tree is made of.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct FeedMap {
    /// Names of the segments, and the groups in each.
    segments: Vec<(Hash, u64)>,
    /// See [`crate::feed::Groups`].
    groups: Vec<(Hash, u64)>,
    /// Indexes of entries with access operations, ascending. A hint: their links are what is believed.
    access: Vec<u64>,
}
