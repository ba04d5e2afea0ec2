//! What can go wrong with a feed.

use super::SignedHead;
use crate::{codec::DecodeError, crypto::BadSignature, storage::StorageError};

/// What a feed could not do. [`FeedError::is_peers_fault`] tells a bad proof from our own trouble.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FeedError {
    /// Nothing to append, prove or accept.
    #[error("nothing to do: no blocks and no upgrade")]
    Empty,
    /// More than allowed.
    #[error("{what}: at most {max}, got {got}")]
    TooLarge {
        /// What it counts.
        what: &'static str,
        /// The limit.
        max: u64,
        /// What came.
        got: u64,
    },
    /// The signer is not the feed's key.
    #[error("feed belongs to another key than the signer's")]
    NotOurs,
    /// Blocks past the end that the proof or request is for.
    #[error("blocks up to {got}, the feed has {length}")]
    OutOfRange {
        /// Blocks there are.
        length: u64,
        /// What was asked for.
        got: u64,
    },
    /// Blocks or tree nodes that are needed are not held.
    #[error("{what} {index} is not held")]
    NotHeld {
        /// Block, node or head.
        what: &'static str,
        /// Its index, for a head its length.
        index: u64,
    },
    /// What is stored contradicts itself.
    #[error("stored feed is damaged: {what}")]
    Damaged {
        /// Which part.
        what: &'static str,
    },
    /// A signature that does not verify.
    #[error(transparent)]
    Signature(#[from] BadSignature),
    /// A head with another fork number: under a key of a space this is equivocation by itself.
    #[error("head with fork {got}, the feed has {expected}")]
    ForkNumber {
        /// Ours.
        expected: u64,
        /// Theirs.
        got: u64,
    },
    /// Cutting back a feed that was not opened with [`Feed::open_alone`](super::Feed::open_alone).
    #[error("this feed only grows: it was not opened as one that stands alone")]
    OnlyGrows,
    /// A rightly signed head that does not extend what is held, as far as the proof shows.
    ///
    /// Either the proof is wrong or the author signed two branches. An
    /// [`EquivocationProof`](super::EquivocationProof) tells which.
    #[error("head of length {} does not extend the held one of length {}", theirs.length, ours.length)]
    Fork {
        /// The head that is held.
        ours: Box<SignedHead>,
        /// The head that came.
        theirs: Box<SignedHead>,
    },
    /// A proof that starts from a length we do not have, or for a head we have passed and cannot compare any more.
    #[error("proof from length {got}, held are {length}")]
    Stale {
        /// Blocks of our head.
        length: u64,
        /// Where the proof starts.
        got: u64,
    },
    /// A proof whose nodes are not those its range needs.
    #[error("proof needs {expected} nodes, got {got} or others")]
    ProofShape {
        /// Nodes needed.
        expected: usize,
        /// Nodes that came.
        got: usize,
    },
    /// Hashes that do not come out.
    #[error("proof does not verify at node {index}")]
    BadProof {
        /// Flat-tree index of the node, or of the last root for a tree hash.
        index: u64,
    },
    /// Two heads that do not contradict each other where the proof says they do.
    #[error("not an equivocation: {why}")]
    NoEquivocation {
        /// What is missing.
        why: &'static str,
    },
    /// Bytes that do not decode.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl FeedError {
    /// Whether it goes away once pages are read from the disk.
    pub const fn is_absent(&self) -> bool {
        matches!(self, Self::Storage(error) if error.is_absent())
    }

    /// Whether whoever sent the proof is to blame, rather than what we hold. A [`FeedError::Fork`] is not decided yet,
    /// [`FeedError::Stale`] happens to honest peers.
    pub const fn is_peers_fault(&self) -> bool {
        matches!(
            self,
            Self::BadProof { .. }
                | Self::Decode(_)
                | Self::NoEquivocation { .. }
                | Self::OutOfRange { .. }
                | Self::ProofShape { .. }
                | Self::Signature(_)
                | Self::TooLarge { .. }
        )
    }
}
