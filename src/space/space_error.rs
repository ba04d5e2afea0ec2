//! What a space refuses.

use super::{InviteFault, RecordError, Version};
use crate::{codec::DecodeError, crypto::PublicKey, feed::FeedError, storage::StorageError};

/// What a space could not do.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SpaceError {
    /// An own entry cannot be appended: the feed is longer elsewhere and those blocks are not here yet.
    #[error("this device's own feed has {length} entries, of which {held} are here: it must catch up first")]
    Behind {
        /// Length that was signed.
        length: u64,
        /// Entries here.
        held: u64,
    },
    /// The key does not hold what the writer expected.
    #[error("key {key:?} holds {}, not what was expected", got.map_or("nothing".to_owned(), |v| format!("version {v}")))]
    Conflict {
        /// The key.
        key: String,
        /// What it holds.
        got: Option<Version>,
    },
    /// A key of no bytes.
    #[error("a key has 1 to 1024 bytes, this one has none")]
    EmptyKey,
    /// A feed could not be read, or what a peer sent about it is wrong.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// Nobody is let in by this invite.
    #[error("invite {invite}: {fault}")]
    Invite {
        /// Its key.
        invite: PublicKey,
        /// Why not.
        fault: InviteFault,
    },
    /// Own keys are not in memory.
    #[error("the space is locked: unlock it with the passphrase")]
    Locked,
    /// A manifest that is not to be believed.
    #[error("manifest: {0}")]
    Manifest(#[from] super::ManifestError),
    /// No content key is held though the space has some, or one of them is needed.
    #[error("no content key can be opened yet: another device must seal one to this one")]
    NoContentKey,
    /// Own feed may not write, or not do this.
    #[error("this device ({writer}) may not do this: {why}")]
    NotAuthorised {
        /// Own feed.
        writer: PublicKey,
        /// What it lacks.
        why: &'static str,
    },
    /// No such writer, or none of its feed is known.
    #[error("writer {writer} is not known here")]
    NoWriter {
        /// Its key.
        writer: PublicKey,
    },
    /// Nothing to adopt: no such operation was taken away.
    #[error("{version} is no value that was taken away, so there is nothing to adopt")]
    NotQuarantined {
        /// What was asked for.
        version: Version,
    },
    /// A root record that is not to be believed.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The root key handed in is not the last one of this space.
    #[error("this is not the root key of the space: expected {expected}, got {got}")]
    Root {
        /// The space's.
        expected: PublicKey,
        /// What was handed in.
        got: PublicKey,
    },
    /// Sealing failed: a recipient's key is no key.
    #[error("a key cannot be sealed to {recipient}: it is not a valid key")]
    Seal {
        /// To whom.
        recipient: PublicKey,
    },
    /// Storage is damaged.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Something exceeds its limit.
    #[error("{what} of {got} bytes: at most {max}")]
    TooLarge {
        /// What.
        what: &'static str,
        /// The limit, bytes.
        max: usize,
        /// What came, bytes.
        got: usize,
    },
    /// More operations than one entry takes.
    #[error("{got} {what} in one entry: at most {max}")]
    TooMany {
        /// What.
        what: &'static str,
        /// The limit.
        max: usize,
        /// What came.
        got: usize,
    },
    /// A value that is not deterministic CBOR.
    #[error("value: {0}")]
    Value(DecodeError),
}
