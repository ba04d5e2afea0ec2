//! What an exchange needs from whoever holds the data of a space.

use core::ops::Range;

use super::{ItemKind, SideWanted};
use crate::{
    crypto::{Hash, PublicKey},
    feed::{Feed, FeedError, Proof, ProofRequest, SignedHead},
    storage::Files,
};

/// What is held of one feed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FeedStatus {
    /// The feed.
    pub feed: PublicKey,
    /// Blocks held from 0 on without a gap.
    pub contiguous: u64,
    /// The latest verified head; its blocks need not be held.
    pub head: SignedHead,
}

/// Why a replica did not take or give something.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ReplicaError {
    /// The peer sent something wrong: its session ends.
    #[error("{0}")]
    Peer(String),
    /// It contradicts what is held: the author signed two branches, or the proof is wrong. That feed is not asked of this
    /// peer for now; which of the two it is, a search for the fork tells.
    #[error("contradicts what is held")]
    Contradiction,
    /// Overtaken by what came from another peer: it is asked for anew.
    #[error("overtaken")]
    Stale,
    /// Not here.
    #[error("not held")]
    NotHeld,
    /// What it reads must be read from the disk first: it is to be asked again after that.
    #[error("not in memory")]
    Absent,
    /// Our own storage failed.
    #[error("{0}")]
    Local(String),
}

/// Where a peer's branch of a feed leaves ours, seen from one block.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Compared {
    /// Before that block.
    Earlier,
    /// At that block.
    Here,
    /// Not before it; or after it, or nowhere.
    Later {
        /// So many blocks are the same on both.
        same: u64,
    },
    /// Too little of our tree is held to say.
    Unknown,
}

/// The data of one space, as an exchange sees it. Everything taken in is verified by the implementer before it is kept.
pub trait Replica {
    /// Whether this space follows that feed: the feed of a granted writer, a blob feed that is referred to.
    fn wanted(&self, feed: &PublicKey) -> bool;

    /// Whether what came waits to be stored, so much of it that no more should be asked for until it is.
    fn is_behind(&self) -> bool {
        false
    }

    /// The first run of blocks within `within` that should be fetched and is not held. For feeds that are followed whole,
    /// the first gap; for others what was asked for.
    fn missing(&self, feed: &PublicKey, within: Range<u64>) -> Option<Range<u64>>;

    /// Every feed of which a head is held.
    fn status(&self) -> Vec<FeedStatus>;

    /// One feed; `None` if no head of it is held.
    fn feed(&self, feed: &PublicKey) -> Option<FeedStatus>;

    /// Whether the roots of the first `length` blocks are held, so that proofs against them can be verified.
    fn rooted(&self, feed: &PublicKey, length: u64) -> bool;

    /// Reads what taking a proof of so many blocks would read, where that may not be in memory.
    fn touch_proof(&self, _feed: &PublicKey, _proof: &Proof, _blocks: usize) {}

    /// Blocks from `blocks.start` on, at most `max_bytes` of them but at least one, with their proof: against the tree of
    /// `from` blocks if `blocks.end` is within it, else with the upgrade from there to the latest head.
    fn prove(
        &self,
        feed: &PublicKey,
        blocks: Range<u64>,
        from: u64,
        max_bytes: usize,
    ) -> Result<(Proof, Vec<Vec<u8>>), ReplicaError>;

    /// Verifies, then stores. Nothing is stored on an error.
    fn accept(&mut self, feed: &PublicKey, proof: &Proof, blocks: &[Vec<u8>]) -> Result<(), ReplicaError>;

    /// The signed head of exactly `to` blocks, with the proof that it extends the first `from`; without blocks. A replica
    /// that serves no such heads says [`ReplicaError::NotHeld`].
    fn prove_head(&self, _feed: &PublicKey, _from: u64, _to: u64) -> Result<Proof, ReplicaError> {
        Err(ReplicaError::NotHeld)
    }

    /// Verifies, then keeps a head that was asked for with [`super::Exchange::ask_head`]. Only a replica that asks needs it.
    fn accept_head(&mut self, _feed: &PublicKey, _proof: &Proof) -> Result<(), ReplicaError> {
        Err(ReplicaError::NotHeld)
    }

    /// Whether what is missing of a feed is fetched a little at a time: its author was cut, and goes on.
    fn rationed(&self, _feed: &PublicKey) -> bool {
        false
    }

    /// Where a peer shows another branch of a feed: the block to ask about first, since a fork is known there;
    /// [`u64::MAX`] if none is; `None` not to look.
    fn fork_bound(&self, _feed: &PublicKey) -> Option<u64> {
        None
    }

    /// Where a block stands in the tree of the latest head: an encoded [`crate::feed::Branch`].
    fn show_branch(&self, _feed: &PublicKey, _index: u64) -> Result<Vec<u8>, ReplicaError> {
        Err(ReplicaError::NotHeld)
    }

    /// Verifies what a peer shows of its branch, and compares it with ours. Where the first block differs, both make a
    /// proof, which is kept as an item.
    fn compare_branch(
        &mut self,
        _feed: &PublicKey,
        _index: u64,
        _bytes: &[u8],
    ) -> Result<Compared, ReplicaError> {
        Err(ReplicaError::NotHeld)
    }

    /// Other branches of a feed of which proofs are held and blocks are missing.
    fn sides_wanted(&self, _feed: &PublicKey) -> Vec<SideWanted> {
        Vec::new()
    }

    /// Blocks from `start` on of the branch whose block has that leaf, at most `max_bytes` of them but at least one: with
    /// a proof against the tree of `from` blocks if `start` is within it, else with the upgrade from there.
    fn prove_side(
        &self,
        _feed: &PublicKey,
        _branch: (u64, &Hash),
        _start: u64,
        _from: u64,
        _max_bytes: usize,
    ) -> Result<(Proof, Vec<Vec<u8>>), ReplicaError> {
        Err(ReplicaError::NotHeld)
    }

    /// Verifies, then stores blocks of another branch.
    fn accept_side(
        &mut self,
        _feed: &PublicKey,
        _index: u64,
        _leaf: &Hash,
        _proof: &Proof,
        _blocks: &[Vec<u8>],
    ) -> Result<(), ReplicaError> {
        Err(ReplicaError::NotHeld)
    }

    /// A peer shows a head of a wanted feed. It is not verified yet; blocks are asked for whatever comes of it.
    fn heard(&mut self, feed: &PublicKey, head: &SignedHead) -> Result<(), ReplicaError>;

    /// BLAKE2b-256 of every item of a kind that is held.
    fn items(&self, kind: ItemKind) -> Vec<Hash>;

    /// An item by its hash.
    fn item(&self, kind: ItemKind, hash: &Hash) -> Option<Vec<u8>>;

    /// Verifies, then stores an item; whether it is new.
    fn accept_item(&mut self, kind: ItemKind, bytes: &[u8]) -> Result<bool, ReplicaError>;
}

impl ReplicaError {
    /// Why a proof was not taken. One without a head is about a tree that the peer holds to be the same as ours: if it does
    /// not come out, the peer may honestly have another branch.
    pub fn of_proof(error: FeedError, proof: &Proof) -> Self {
        match error {
            FeedError::BadProof { .. } if proof.head.is_none() => Self::Contradiction,
            error => error.into(),
        }
    }
}

impl From<FeedError> for ReplicaError {
    fn from(error: FeedError) -> Self {
        match error {
            error if error.is_peers_fault() => Self::Peer(error.to_string()),
            // A head with another fork number is equivocation too.
            FeedError::Fork { .. } | FeedError::ForkNumber { .. } => Self::Contradiction,
            FeedError::Stale { .. } => Self::Stale,
            // The proof rests on nodes that are not held (any more).
            FeedError::NotHeld { .. } => Self::Stale,
            FeedError::Empty => Self::Peer(error.to_string()),
            error if error.is_absent() => Self::Absent,
            other => Self::Local(other.to_string()),
        }
    }
}

/// [`Replica::prove`] for a feed in files.
pub fn prove_from(
    feed: &Feed,
    files: &Files,
    blocks: Range<u64>,
    from: u64,
    max_bytes: usize,
) -> Result<(Proof, Vec<Vec<u8>>), ReplicaError> {
    let to = if blocks.end <= from { from } else { feed.length() };
    if to > feed.length() || blocks.end > to || from > to {
        return Err(ReplicaError::NotHeld);
    }
    let limit = blocks.start.saturating_add(u64::try_from(super::limits::MAX_BLOCKS).unwrap_or(u64::MAX));
    let local = |error: FeedError| match error {
        FeedError::NotHeld { .. } => ReplicaError::NotHeld,
        error if error.is_absent() => ReplicaError::Absent,
        error => ReplicaError::Local(error.to_string()),
    };
    let chunk = feed.data_range(files, blocks.start..blocks.end.min(limit), max_bytes).map_err(local)?;
    let found: Vec<Vec<u8>> = chunk.blocks().map(<[u8]>::to_vec).collect();
    if found.is_empty() {
        return Err(ReplicaError::NotHeld);
    }
    let request = ProofRequest { blocks: blocks.start..chunk.end(), from, to };
    Ok((feed.prove(files, &request).map_err(local)?, found))
}

/// [`Replica::prove_head`] for a feed in files.
pub fn prove_head_from(feed: &Feed, files: &Files, from: u64, to: u64) -> Result<Proof, ReplicaError> {
    let missed =
        |error: FeedError| if error.is_absent() { ReplicaError::Absent } else { ReplicaError::NotHeld };
    feed.prove(files, &ProofRequest { blocks: from..from, from, to }).map_err(missed)
}

/// [`Replica::missing`] for a feed that is followed whole.
pub fn first_gap(feed: &Feed, within: Range<u64>) -> Option<Range<u64>> {
    let start = feed.next_missing(within.start);
    if start >= within.end {
        return None;
    }
    Some(start..feed.next_held(start).unwrap_or(within.end).min(within.end))
}
