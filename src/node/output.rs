//! What comes out of a node.

use zeroize::Zeroizing;

use super::{Found, NodeError, PageMessage, State, Words};
use crate::{
    crypto::{Hash, Host, PublicKey, Signature},
    mesh::MeshOutput,
    storage::{Batch, Compaction},
};

/// What the driver is to do, in this order.
pub enum Output {
    /// Store, then report [`Input::Committed`](super::Input::Committed).
    Commit(Batch),
    /// Fold stored records into pages; nothing waits for it.
    Compact(Compaction),
    /// Run Argon2id in a worker ([`crate::crypto::request_words`]), then report [`Input::Words`](super::Input::Words).
    DeriveWords {
        /// Of what.
        hash: Hash,
    },
    /// Tell the page.
    Event(Event),
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
#[derive(Clone, Debug)]
pub enum Reply {
    /// Done; nothing to say.
    Done,
    /// What was written.
    Found(Vec<Found>),
    /// Signed up; the signature claims the host's `.well-known/dat`.
    SignedUp {
        /// The space.
        key: PublicKey,
        /// Over ns(hypha/v1/claim) ‖ space key ‖ u16le length ‖ domain ‖ nonce.
        claim: Option<Signature>,
    },
    /// The four words to show while waiting.
    Words(Words),
}

/// What a page is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Values under these keys changed.
    Changed(Vec<String>),
    /// A device was let in.
    Granted {
        /// Its writer key.
        writer: PublicKey,
        /// Whether it is this one.
        own: bool,
    },
    /// A device signed two histories.
    Equivocation {
        /// Its writer key.
        writer: PublicKey,
    },
    /// Something went wrong that no call asked for.
    Failed(NodeError),
    /// Hubs changed.
    Hubs,
    /// A message of another page.
    Message(PageMessage),
    /// Peers changed.
    Peers,
    /// Who is here changed.
    Presence,
    /// The requests that wait changed.
    Requests,
    /// A request of this device was answered with no.
    Denied,
    /// The passphrase alone let another device in.
    Recovered,
    /// This device was removed.
    Revoked,
    /// The state changed.
    State(State),
    /// The list of devices changed.
    Writers,
}
