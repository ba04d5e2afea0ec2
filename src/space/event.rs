//! What happened in a space.

use crate::crypto::PublicKey;

/// Something the owner should know.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SpaceEvent {
    /// Keys whose values may have changed, ascending.
    Changed {
        /// The keys.
        keys: Vec<String>,
    },
    /// A writer signed two histories.
    Equivocation {
        /// Who.
        writer: PublicKey,
    },
    /// A feed is followed from now on.
    Follows {
        /// Its key.
        writer: PublicKey,
    },
    /// The manifest is another one.
    Manifest,
    /// Entries that were shown no longer count.
    Retracted {
        /// Whose.
        writer: PublicKey,
        /// First index.
        from: u64,
        /// First index past them.
        to: u64,
    },
    /// Rights may have changed: of this device or of others.
    Writers,
}
