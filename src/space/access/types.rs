//! What goes into the access engine and what comes out of it.

use crate::{
    collections::Map,
    crypto::{Hash, PublicKey},
    space::{Citation, PersonId, Role, SealedName},
};

/// What is known about signed feeds: heads and the tree nodes under them, with or without the blocks.
///
/// The owner answers from its feeds and calls [`Access::grew`](super::Access::grew) when an answer changes.
pub trait Trees {
    /// Length of the longest signed head of the feed (any branch); 0 if none is known.
    fn length(&self, writer: &PublicKey) -> u64;

    /// First index at which two branches that the writer signed differ, the lowest of all; `None` without a fork.
    fn fork(&self, writer: &PublicKey) -> Option<u64>;

    /// Whether the feed's writer signed, at `length` or past it, a head whose first `length` blocks have this
    /// tree hash. `length` is at least 1.
    fn signed(&self, writer: &PublicKey, length: u64, tree_hash: &Hash) -> Signed;

    /// Length of what two signed prefixes share. Asked only where [`fork`](Self::fork) answers, and only for
    /// prefixes that are [`Signed::Yes`].
    fn shared(&self, writer: &PublicKey, a: &Prefix, b: &Prefix) -> u64;
}

/// First blocks of a feed, named by their number and their tree hash.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Prefix {
    /// Number of blocks; 0 has a tree hash of zeros.
    pub length: u64,
    /// Tree hash of the feed at that length.
    pub tree_hash: Hash,
}

/// What is known of a prefix of a feed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Signed {
    /// It lies under a known signed head.
    Yes,
    /// A signed head reaches that far, its tree hash there is known, and neither it nor any other branch has
    /// this one.
    Contradicted,
    /// No signed head reaches that far, or its tree nodes are not held.
    Unknown,
}

/// How an entry stands.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Status {
    /// It counts and is shown.
    Counted,
    /// It counts, its acts stand, its data is not shown.
    Hidden,
    /// Something that its own clock names is not held or not proved. Counts for nothing until it is; may turn
    /// out [`Void`](Self::Void) then.
    Pending,
    /// Malformed, or it names a tree that the signed feed contradicts.
    Void,
    /// At or past a cut, or its grant is.
    Quarantined,
    /// At or past a fork that no root cut pinned, or its grant is.
    Suspended,
    /// No grant that was right lies in its past.
    Ungranted,
}

/// What [`Access::settle`](super::Access::settle) changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change {
    /// Status, or order, of the entries `from..to` of a feed changed; this is their status now.
    Status {
        /// Whose feed.
        writer: PublicKey,
        /// First index.
        from: u64,
        /// Index past the last.
        to: u64,
        /// Status of all of them.
        status: Status,
    },
    /// Another branch of a forked feed counts now, or none does. Whatever was given from this index on is
    /// forgotten, and its statuses with it: give the entries of [`branch`](super::Access::branch) from here on,
    /// and settle.
    Rewound {
        /// Whose feed.
        writer: PublicKey,
        /// First index to give again.
        from: u64,
    },
}

/// How a writer stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WriterStanding {
    /// A counted grant, no cut.
    Active,
    /// Cut by a device.
    Cut,
    /// Closed by the root.
    RootCut,
    /// Signed two branches, and no root cut pinned one.
    Forked,
    /// Its grant hangs on a fork.
    Suspended,
    /// No counted grant.
    Ungranted,
}

/// A writer as the engine sees it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WriterState {
    /// Its key.
    pub key: PublicKey,
    /// How it stands.
    pub standing: WriterStanding,
    /// First index that does not count, by cut, root cut or fork.
    pub cut_at: Option<u64>,
    /// Highest role of its counted grants, whatever its standing.
    pub role: Option<Role>,
    /// Persons of its counted grants, ascending.
    pub persons: Vec<PersonId>,
}

/// Who granted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum GrantSource {
    /// A root record.
    Root {
        /// Its hash.
        record: Hash,
    },
    /// An entry.
    Entry {
        /// Its author.
        writer: PublicKey,
        /// Its index.
        index: u64,
        /// Its hash.
        hash: Hash,
    },
}

/// A grant that counts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CountedGrant {
    /// Who granted.
    pub source: GrantSource,
    /// The granted key.
    pub writer: PublicKey,
    /// Whose key it is.
    pub person: PersonId,
    /// What it may do.
    pub role: Role,
    /// It gets no epoch older than this grant.
    pub from_now_on: bool,
    /// Sixteen random bytes made at sign-in.
    pub install_id: [u8; 16],
    /// Device name, sealed.
    pub name: Option<SealedName>,
    /// The invite that it cites.
    pub invite: Option<Citation>,
}

/// Why a device cut takes effect, or does not.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum CutVerdict {
    /// It cuts.
    Effective,
    /// Its entry is pending (or not judged yet because what it names is not held).
    Pending,
    /// Its entry is void.
    Void,
    /// Its author had no counted grant.
    AuthorNotGranted,
    /// Its author was cut before.
    AuthorCut,
    /// Its target was not granted.
    TargetNotGranted,
    /// Its author may not cut that target.
    NoRight,
    /// The target never signed a head that shows this prefix, as far as is known.
    NoSuchHead,
    /// It would take what its author had acknowledged.
    BelowAcknowledged,
    /// The root voided the entry's cuts.
    Voided,
}

/// A device cut.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CutState {
    /// Author of the entry.
    pub author: PublicKey,
    /// Its index.
    pub index: u64,
    /// Its hash.
    pub hash: Hash,
    /// Whom it cuts.
    pub target: PublicKey,
    /// First index that it cuts.
    pub length: u64,
    /// Whether it does.
    pub verdict: CutVerdict,
}

/// A content key of a counted entry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EpochState {
    /// Hash of the key.
    pub id: Hash,
    /// Who made it.
    pub author: PublicKey,
    /// Index of the author's entry that made it.
    pub index: u64,
    /// Order of that entry.
    pub order: u64,
    /// May be written under: its author is active and so is everyone it is sealed to.
    pub usable: bool,
    /// Whom it is sealed to by counted entries, ascending.
    pub recipients: Vec<PublicKey>,
}

/// A set of entries that is closed under "in the past of": length of each writer's feed in it.
pub type Clock = Map<PublicKey, u64>;
