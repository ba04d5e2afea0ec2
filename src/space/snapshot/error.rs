//! Why a snapshot, or a part of it, is refused.

use crate::{
    codec::DecodeError,
    crypto::{Hash, PublicKey},
    space::SpaceError,
};

/// Why a snapshot, or a part of it, is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// A file is not what its name, or the snapshot's signed head, says.
    #[error("{what} of the snapshot is damaged (file {file}): it does not fit the signed head")]
    Damaged {
        /// Which part.
        what: &'static str,
        /// The file's name.
        file: Hash,
    },
    /// The head cannot be read.
    #[error("the snapshot's head cannot be read: {0}")]
    Head(#[from] DecodeError),
    /// It was replaced by an older one.
    #[error(
        "this snapshot is older than one that was read here before: writer {writer} had {known} entries, here it has {got}. The host shows an old copy"
    )]
    Older {
        /// Whose feed is shorter.
        writer: PublicKey,
        /// Its length before.
        known: u64,
        /// Its length here.
        got: u64,
    },
    /// It is of another space.
    #[error("the snapshot is of hypha://{got}, not of hypha://{expected}")]
    OtherSpace {
        /// The space read.
        expected: PublicKey,
        /// The snapshot's.
        got: PublicKey,
    },
    /// The head's signature is wrong.
    #[error("the snapshot's head is damaged or forged: its signature does not verify")]
    Signature,
    /// Whoever signed it is no writer of the space.
    #[error("the snapshot was signed by {signer}, which is no writer of this space")]
    Signer {
        /// The key.
        signer: PublicKey,
    },
    /// The space refused what is in it.
    #[error(transparent)]
    Space(#[from] SpaceError),
    /// Entries that say who may write are damaged.
    #[error(
        "the part of the snapshot that says who may write is damaged (file {file}), so nothing of it can be believed"
    )]
    Unjudged {
        /// The file.
        file: Hash,
    },
}
