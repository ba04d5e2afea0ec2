//! What happened in a space.

use super::Why;
use crate::crypto::PublicKey;

/// Something the owner should know.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SpaceEvent {
    /// Keys whose values may have changed, ascending.
    Changed {
        /// The keys; none: it may be any.
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
    /// What this person's devices say of other spaces.
    Memberships,
    /// Entries that were shown are not shown any more: a cut came late, a fork, a hide. They can be looked at in the
    /// quarantine.
    Retracted {
        /// Whose.
        writer: PublicKey,
        /// Index of the first of them.
        from: u64,
        /// First index past the last.
        to: u64,
        /// How many of those were shown and said anything.
        entries: u64,
        /// Keys that they wrote, as far as they can be read here, ascending. What each holds now may be another's value.
        keys: Vec<String>,
        /// Why the first of them went; `None` if it turned out to be void or never granted.
        why: Option<Why>,
    },
    /// Rights may have changed: of this device or of others.
    Writers,
}
