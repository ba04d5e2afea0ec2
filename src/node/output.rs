//! What comes out of a node.

use zeroize::Zeroizing;

use super::{Found, Imported, NodeError, PageMessage, State, Words};
use crate::{
    crypto::{Hash, Host, PublicKey, Signature},
    mesh::MeshOutput,
    space::Why,
    storage::{Batch, Compaction, PageKey},
};

/// What the driver is to do, in this order.
pub enum Output {
    /// Store, then report [`Input::Committed`](super::Input::Committed).
    Commit(Batch),
    /// Fold stored records into pages, then report [`Input::Committed`](super::Input::Committed).
    Compact(Compaction),
    /// Run Argon2id in a worker ([`crate::crypto::request_words`]), then report [`Input::Words`](super::Input::Words).
    DeriveWords {
        /// Of what.
        hash: Hash,
    },
    /// Tell the page.
    Event(Event),
    /// Read page records, then report [`Input::Loaded`](super::Input::Loaded).
    Load(Vec<PageKey>),
    /// Fetch `/.well-known/dat` of this domain, then report [`Input::LookedUp`](super::Input::LookedUp).
    LookUp {
        /// The domain.
        domain: Host,
    },
    /// For sockets, peer connections and other tabs; never an event.
    Mesh(MeshOutput),
    /// Keep these bytes under a key that does not leave the browser, or forget what was kept.
    Remember(Option<Zeroizing<Vec<u8>>>),
    /// Answer a call.
    Reply {
        /// Of the call.
        id: u32,
        /// What came of it.
        result: Result<Reply, NodeError>,
    },
}

/// What a call gives.
// An invite is a secret: it is shown to nobody but its person.
#[cfg_attr(test, derive(Debug))]
#[derive(Clone)]
pub enum Reply {
    /// Done; nothing to say.
    Done,
    /// What was written.
    Found(Vec<Found>),
    /// What came of a part of a file.
    Imported(Imported),
    /// A pairing: its number, and the text to show or the other's id.
    Paired {
        /// Names the pairing.
        pairing: u64,
        /// What came of it.
        text: String,
    },
    /// Signed up; the signature claims the host's `.well-known/dat`.
    SignedUp {
        /// The space.
        key: PublicKey,
        /// Over ns(hypha/v1/claim) ‖ space key ‖ u16le length ‖ domain ‖ nonce.
        claim: Option<Signature>,
    },
    /// The text of an invite: whoever has it may join.
    Invite(Zeroizing<String>),
    /// A space that is read here from now on.
    Space(PublicKey),
    /// The four words to show while waiting.
    Words(Words),
}

/// What a page is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Values changed.
    Changed {
        /// In which space.
        space: PublicKey,
        /// Under which keys; none: it may be any.
        keys: Vec<String>,
    },
    /// A device was let in.
    Granted {
        /// In which space.
        space: PublicKey,
        /// Its writer key.
        writer: PublicKey,
        /// Whether it is this one.
        own: bool,
    },
    /// A device signed two histories.
    Equivocation {
        /// In which space.
        space: PublicKey,
        /// Its writer key.
        writer: PublicKey,
    },
    /// There is more of a space than this replica may hold.
    Full(PublicKey),
    /// Something went wrong that no call asked for.
    Failed(NodeError),
    /// Hubs changed.
    Hubs,
    /// A message of another page.
    Message {
        /// In which space.
        space: PublicKey,
        /// What it says.
        message: PageMessage,
    },
    /// Peers changed.
    Peers,
    /// Who is here changed.
    Presence(PublicKey),
    /// The requests that wait changed.
    Requests,
    /// A request of this device was answered with no.
    Denied,
    /// The passphrase alone let another device in.
    Recovered,
    /// Entries that were shown are not shown any more; they are in the quarantine.
    Retracted {
        /// In which space.
        space: PublicKey,
        /// Who wrote them.
        writer: PublicKey,
        /// How many.
        entries: u64,
        /// Keys that they wrote, as far as they can be read here.
        keys: Vec<String>,
        /// Why the first of them went; `None` if it turned out to be void or never let in.
        why: Option<Why>,
    },
    /// This device was removed.
    Revoked,
    /// What this device wrote in a space is held by more, or by fewer.
    Safety(PublicKey),
    /// The state changed.
    State(State),
    /// Other spaces than the domain's came, went, or let this device in.
    Spaces,
    /// The list of devices changed.
    Writers,
}
