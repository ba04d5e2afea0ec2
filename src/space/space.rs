//! A space on this node: feeds of its writers, who of them counts, what they say, and what of it is readable here.
//!
//! Who owns what. The space owns the feeds' indexes, the access engine, the view and the content keys; bytes live in
//! the node's [`Files`], which are passed into every call, so that one journal record covers what belongs together.
//! Nothing here asks for time or randomness. After each call the owner drains [`Space::poll`].
//!
//! ```text
//! space/<key>/feeds      32 bytes each: feeds this space has opened
//! space/<key>/records    each: u32le length │ root record
//! space/<key>/manifest   signed value
//! space/<key>/forks      each: u32le length │ equivocation proof
//! space/<key>/lost       32 bytes each: feeds whose storage was damaged beyond mending
//! space/<key>/received   when feeds grew here: `received.rs`
//! space/<key>/sides      see branches
//! space/<key>/pins       root 32 │ hash of the record that names its successor 32, each
//! space/<key>/view/…     derived, and stored to be had again at once: see checkpoint
//! ```
//! Everything else (states, view, clocks) is computed from these and the feeds when a space is opened, and comes out
//! the same whatever order it all arrived in.

mod acts;
mod author;
mod backlog;
mod branches;
mod chain;
mod checkpoint;
mod create;
mod epochs;
mod former;
mod grants;
#[cfg(any(test, feature = "hostile"))]
mod hostile;
mod invites;
mod leave;
mod load;
mod members;
mod moves;
mod people;
mod pins;
mod quarantine;
mod reads;
mod received;
mod replay;
mod replicate;
mod roots;
mod seals;
mod secrets;
mod siblings;
mod sparse;
mod tail;
#[cfg(test)]
mod tests;
mod title;
mod touch;
mod trees;
mod write;
mod writers;

use std::collections::VecDeque;

pub use acts::{DeviceGrant, Install};
pub use grants::GrantInfo;
#[cfg(any(test, feature = "hostile"))]
pub use hostile::Hostile;
pub use invites::InviteInfo;
pub use members::Membership;
pub use people::Member;
pub use pins::PinnedReplica;
pub use siblings::{to_cut, to_grant};
pub use title::{MAX_TITLE, TITLE_KEY};
pub use writers::WriterInfo;

use self::{
    author::Own,
    backlog::Backlog,
    branches::Side,
    checkpoint::{Ledger, Restored},
    invites::Announced,
    members::Notes,
    pins::Pins,
    received::Received,
    seals::Epochs,
    tail::Tail,
    trees::{Claims, Numbers},
};
use super::{
    Access, Role, SpaceError, SpaceEvent,
    private::ContentKeys,
    view::{Causality, View},
};
use crate::{
    collections::{Map, Set},
    crypto::{Hash, MessageKey, PublicKey, Signer},
    feed::Feed,
    storage::{FileId, Files},
    value::SignedValue,
};

/// Secrets of this device in this space, in memory while it is unlocked.
pub struct Keys {
    /// Signs this device's entries.
    pub signer: Signer,
}

/// A space.
pub struct Space {
    key: PublicKey,
    access: Access,
    feeds: Map<PublicKey, Feed>,
    tails: Map<PublicKey, Tail>,
    claims: Claims,
    numbers: Numbers,
    view: View,
    /// Root records as they came, in the order they came.
    records: Vec<(Hash, Vec<u8>)>,
    /// Keys that may sign root records: the first root, and all that records name as successors.
    roots: Set<PublicKey>,
    /// Roots whose successor is pinned.
    pinned: Set<PublicKey>,
    /// A root that is not pinned named a successor.
    unpinned: bool,
    manifest: Option<SignedValue>,
    keys: Option<Keys>,
    /// Where own entries continue; `None`: to be read from the feed.
    own: Option<Own>,
    content: ContentKeys,
    epochs: Epochs,
    /// Feeds whose storage was damaged: nobody knows how long they were, so nothing is appended to them ever again.
    lost: Set<PublicKey>,
    /// Other branches of feeds whose authors signed several.
    sides: Map<PublicKey, Vec<Side>>,
    /// Lengths of the longest heads that were shown here, where they are past what is held.
    heard: Map<PublicKey, u64>,
    /// Proofs of two histories of writers that are not followed yet, the latest first.
    early: Vec<Vec<u8>>,
    /// Writers whose feeds grew since own entries named them.
    grown: Set<PublicKey>,
    /// Sign-in message keys found in counted private entries: writer number, index, operation.
    message_keys: Vec<(u32, u64, u32, MessageKey)>,
    /// Invites that entries announce.
    invites: Announced,
    /// Replicas that entries pin and unpin.
    pins: Pins,
    /// What private entries note about other spaces.
    notes: Notes,
    /// Rights may have changed: feeds to open, writers to tell of.
    stirred: bool,
    events: VecDeque<SpaceEvent>,
    received: Received,
    backlog: Backlog,
    ledger: Ledger,
    /// The view stands as stored while statuses are told anew.
    restoring: bool,
    /// The access engine is to be told all that is stored.
    whole: bool,
    /// Only some entries are here: those that are said to be are taken in.
    sparse: bool,
    files: SpaceFiles,
    #[cfg(any(test, feature = "hostile"))]
    hostile: Hostile,
}

/// Ids of the files that belong to the space alone.
struct SpaceFiles {
    feeds: FileId,
    records: FileId,
    manifest: FileId,
    forks: FileId,
    lost: FileId,
    pins: FileId,
    received: FileId,
    sides: FileId,
}

impl Space {
    /// Opens what is stored of a space, or begins an empty one.
    pub fn open(files: &mut Files, key: PublicKey) -> Result<Self, SpaceError> {
        Self::open_as(files, key, false)
    }

    fn open_as(files: &mut Files, key: PublicKey, sparse: bool) -> Result<Self, SpaceError> {
        let mut space = Self::empty(files, key, sparse);
        let mut restored = space.load(files)?;
        if restored == Restored::Changed {
            space = Self::empty(files, key, sparse);
            space.whole = true;
            restored = space.load(files)?;
        }
        if restored == Restored::Unfit {
            Self::drop_checkpoint(files, &key);
            space = Self::empty(files, key, sparse);
            space.load(files)?;
        }
        Ok(space)
    }

    fn empty(files: &mut Files, key: PublicKey, sparse: bool) -> Self {
        let mut file = |name| files.file(&format!("space/{key}/{name}"));
        let ids = SpaceFiles {
            feeds: file("feeds"),
            records: file("records"),
            manifest: file("manifest"),
            forks: file("forks"),
            lost: file("lost"),
            pins: file("pins"),
            received: file("received"),
            sides: file("sides"),
        };
        Self {
            key,
            access: Access::new(key),
            feeds: Map::new(),
            tails: Map::new(),
            claims: Claims::default(),
            numbers: Numbers::default(),
            view: View::default(),
            records: Vec::new(),
            roots: Set::from([key]),
            pinned: Set::new(),
            unpinned: false,
            manifest: None,
            keys: None,
            own: None,
            content: ContentKeys::default(),
            epochs: Epochs::default(),
            lost: Set::new(),
            sides: Map::new(),
            heard: Map::new(),
            early: Vec::new(),
            grown: Set::new(),
            message_keys: Vec::new(),
            invites: Announced::new(),
            pins: Pins::new(),
            notes: Notes::default(),
            stirred: false,
            events: VecDeque::new(),
            received: Received::default(),
            backlog: Backlog::default(),
            ledger: Ledger::new(files, &key),
            restoring: false,
            whole: false,
            sparse,
            files: ids,
            #[cfg(any(test, feature = "hostile"))]
            hostile: Hostile::default(),
        }
    }

    /// The key that names the space for ever.
    pub const fn key(&self) -> PublicKey {
        self.key
    }

    /// The last root key of the space: the first one until the passphrase was changed.
    pub fn root(&self) -> PublicKey {
        self.access.root()
    }

    /// Takes own keys into memory: seals addressed to them are opened, private entries enter the view. What of them is stored
    /// ([`Space::write_checkpoint`]) is read when it is asked for: a [`SpaceEvent::Changed`] without keys tells of that.
    pub fn unlock(&mut self, files: &mut Files, keys: Keys) -> Result<(), SpaceError> {
        if self.view.has_sealed() && self.writer() != Some(keys.signer.public()) {
            self.ledger.rekey_sealed();
        }
        self.keys = Some(keys);
        self.own = None;
        // Another key than before has named nothing yet.
        self.grown = self.feeds.keys().copied().collect();
        self.open_private(files)?;
        // What came since it was stored may stand beside what was written long ago.
        if self.has_asked() { self.settle(files, replay::Fresh::default()) } else { Ok(()) }
    }

    /// Wipes own keys and content keys; private entries leave the view.
    pub fn lock(&mut self) {
        self.keys = None;
        self.own = None;
        self.content.clear();
        self.message_keys.clear();
        self.backlog.seals.clear();
        self.backlog.private.clear();
        self.backlog.sealed = false;
        self.ledger.forget_sealed();
        self.notes = Notes::default();
        let judge = trees::Judge { access: &self.access, numbers: &self.numbers };
        if self.view.remove_private(&judge) {
            self.events.push_back(SpaceEvent::Changed { keys: Vec::new() });
        }
    }

    /// Whether own keys are in memory.
    pub const fn is_unlocked(&self) -> bool {
        self.keys.is_some()
    }

    /// This device's writer key, while unlocked.
    pub fn writer(&self) -> Option<PublicKey> {
        self.keys.as_ref().map(|keys| keys.signer.public())
    }

    /// What a writer may do; `None` if no grant of it counts.
    pub fn role(&self, writer: &PublicKey) -> Option<Role> {
        self.access.role(writer)
    }

    /// Whether this device can write now: unlocked, granted and not cut.
    pub fn is_writable(&self) -> bool {
        self.writer().is_some_and(|writer| self.is_active(&writer))
    }

    /// The sign-in message key, once a private entry with it could be opened.
    pub fn message_key(&self) -> Option<&MessageKey> {
        // Where there is nothing to choose, no clock is asked for.
        if let [(.., key)] = self.message_keys.as_slice() {
            return Some(key);
        }
        let rank = |entry: &&(u32, u64, u32, MessageKey)| {
            let (writer, index, op, _) = entry;
            let judge = trees::Judge { access: &self.access, numbers: &self.numbers };
            (judge.rank(*writer, *index), *op)
        };
        self.message_keys.iter().max_by_key(rank).map(|(.., key)| key)
    }

    /// Whether the space holds statements of a later version of this program.
    pub fn needs_update(&self) -> bool {
        self.access.needs_update()
    }

    /// Takes the next thing that happened.
    pub fn poll(&mut self) -> Option<SpaceEvent> {
        if let Some(event) = self.events.pop_front() {
            return Some(event);
        }
        let keys = self.view.take_touched();
        if keys.is_empty() { None } else { Some(SpaceEvent::Changed { keys }) }
    }

    /// What changed so far is no news: whoever opens a space reads it first.
    pub fn forget_changes(&mut self) {
        self.view.take_touched();
        self.events.retain(|event| !matches!(event, SpaceEvent::Changed { .. }));
    }

    /// Opens a feed though no grant of it is known: this device's own one while it asks.
    pub fn follow(&mut self, files: &mut Files, writer: PublicKey) -> Result<(), SpaceError> {
        self.open_feed(files, writer)?;
        self.advance(files, &writer)
    }

    fn unlocked(&self) -> Result<PublicKey, SpaceError> {
        self.writer().ok_or(SpaceError::Locked)
    }

    /// Fails unless a root key is the one whose acts count.
    fn check_root(&self, root: &Signer) -> Result<(), SpaceError> {
        let (expected, got) = (self.root(), root.public());
        if expected == got { Ok(()) } else { Err(SpaceError::Root { expected, got }) }
    }
}
