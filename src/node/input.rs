//! What goes into a node.

use crate::{
    crypto::{Hash, KdfError, PublicKey, RootSecret},
    mesh::MeshInput,
    space::{InviteLink, Role, Version, WriteOp},
    storage::PageKey,
};

use super::{CallId, Lookup, Words};

/// What the driver reports.
pub enum Input {
    /// The page asks; answered by one [`Output::Reply`](super::Output::Reply) with the same id.
    Call {
        /// Chosen by the page.
        id: u32,
        /// What it asks.
        call: Call,
    },
    /// A batch could not be stored: the node writes no more, and for want of room it takes nothing more from peers.
    CommitFailed {
        /// Which.
        seq: u64,
        /// Whether there was no room left.
        quota: bool,
        /// The browser's words.
        error: String,
    },
    /// A batch is durable.
    Committed {
        /// Which: all up to it are.
        seq: u64,
    },
    /// Pages that were asked for could not be read, and will not be: the node writes no more.
    LoadFailed {
        /// The browser's words.
        error: String,
    },
    /// Answer to [`Output::Load`](super::Output::Load), or pages that a read missed.
    Loaded {
        /// Each with its record; `None` if there is none.
        pages: Vec<(PageKey, Option<Vec<u8>>)>,
    },
    /// Answer to [`Output::LookUp`](super::Output::LookUp).
    LookedUp(Lookup),
    /// From sockets, peer connections and other tabs.
    Mesh(MeshInput),
    /// The deadline has come.
    Tick,
    /// Answer to [`Output::DeriveWords`](super::Output::DeriveWords).
    Words {
        /// Of what.
        hash: Hash,
        /// The words.
        words: Result<Words, KdfError>,
    },
}

/// What a page asks.
pub enum Call {
    /// Join one more hub.
    AddHub {
        /// Its URL.
        url: String,
    },
    /// Let a device in.
    Approve {
        /// The request.
        request: [u8; 16],
        /// The words that the person picked, if asked.
        words: Option<[String; 4]>,
    },
    /// Stop asking.
    CancelSignIn,
    /// Put another passphrase in the place of the old one; all other devices sign in anew.
    ChangePassphrase {
        /// From the old one.
        old: RootSecret,
        /// From the new one.
        new: RootSecret,
    },
    /// Choose among rival new passphrases.
    ChooseRoot {
        /// The root key of the one to follow.
        root: PublicKey,
    },
    /// Make a space of this person's own.
    CreateSpace {
        /// What it is called; empty for nothing.
        title: String,
    },
    /// Do not let a device in.
    Deny {
        /// The request.
        request: [u8; 16],
        /// Show no further request of its key.
        block: bool,
    },
    /// Sign out: cut itself, wipe keys, keep public data.
    Forget,
    /// Something of one space.
    In {
        /// Which; the domain's if none is named.
        space: Option<PublicKey>,
        /// What.
        act: SpaceCall,
    },
    /// Hold a space, as a replica.
    Hold {
        /// Which.
        space: PublicKey,
        /// Bytes that may be held of it; if nothing is said, as of every other.
        quota: Option<u64>,
    },
    /// Take in one part of an exported file.
    Import {
        /// Checksum and body.
        part: Vec<u8>,
    },
    /// Read a space beside the domain's; with an invite, ask to be let in.
    Join {
        /// Which.
        space: PublicKey,
        /// What lets its holder in.
        invite: Option<InviteLink>,
    },
    /// Drop all keys from memory.
    Lock,
    /// Do something once: whatever comes with the same id is the same call.
    Once {
        /// The call's.
        id: CallId,
        /// It may have been done already, by a node on the same storage that could not say so.
        again: bool,
        /// What.
        call: Box<Call>,
    },
    /// Begin to pair without a hub, or answer another's offer; answered by the text to show.
    Pair {
        /// A space that both have; the domain's if none is named.
        space: Option<PublicKey>,
        /// The other's text.
        offer: Option<String>,
    },
    /// Connect a pairing; answered by the other's id.
    PairWith {
        /// Which.
        pairing: u64,
        /// The answer to what was shown here; `None` where an offer was answered.
        answer: Option<String>,
    },
    /// Give a pairing up.
    Unpair {
        /// Which.
        pairing: u64,
    },
    /// Read this space on this domain from now on; also resolves a key that changed.
    Pin {
        /// The space's key.
        key: PublicKey,
    },
    /// Let this device in by the passphrase alone.
    Recover {
        /// From the passphrase.
        secret: RootSecret,
        /// What this device is called.
        device: String,
        /// Stay signed in.
        remember: bool,
        /// Remove all other devices.
        cut_others: bool,
    },
    /// Leave a hub.
    RemoveHub {
        /// Its URL.
        url: String,
    },
    /// Ask to be let in.
    SignIn {
        /// From the passphrase.
        secret: RootSecret,
        /// What this device is called.
        device: String,
        /// Stay signed in.
        remember: bool,
    },
    /// Begin a space.
    SignUp {
        /// From the passphrase.
        secret: RootSecret,
        /// What this device is called.
        device: String,
        /// Stay signed in.
        remember: bool,
        /// Nonce of the host, if its `.well-known/dat` is to be claimed.
        claim: Option<[u8; 32]>,
    },
    /// Take the keys into memory again.
    Unlock {
        /// From the passphrase.
        secret: RootSecret,
    },
}

/// What a page asks of one space.
pub enum SpaceCall {
    /// Write again what is in the quarantine.
    Adopt {
        /// Where it stands.
        version: Version,
        /// On another branch of its feed than the one held.
        other_branch: bool,
    },
    /// Remove a device.
    Cut {
        /// Its writer key.
        writer: PublicKey,
        /// With it the cut is final, without it provisional. Only in the home space.
        secret: Option<RootSecret>,
        /// With all that it let in, and they.
        descendants: bool,
    },
    /// Show nothing that a writer wrote since a time.
    Hide {
        /// Its key.
        writer: PublicKey,
        /// ms since 1970.
        since: u64,
    },
    /// Send a message over the ephemeral channel; whoever is not there does not get it.
    Send {
        /// The value, encoded; at most [`super::MAX_PAYLOAD`] bytes.
        data: Vec<u8>,
        /// The only key that can read it.
        to: Option<PublicKey>,
        /// Whether only devices can read it; if nothing is said, where this is one of several.
        private: Option<bool>,
    },
    /// Say this of the node, again and again, until something else is said.
    SetPresence {
        /// The value, encoded, at most [`super::MAX_STATE`] bytes; `None`: nothing any more.
        state: Option<Vec<u8>>,
    },
    /// Give the space a title.
    SetTitle {
        /// The title; empty for none.
        title: String,
    },
    /// Show again what was hidden of a writer.
    Unhide {
        /// Its key.
        writer: PublicKey,
    },
    /// Announce an invite; answered by its text.
    Invite {
        /// What those who come by it may do.
        role: Role,
        /// How many it lets in; 0: any number.
        uses: u64,
        /// From when on it lets in nobody, ms since 1970; 0: never.
        expires: u64,
    },
    /// Read the space no more.
    Leave,
    /// Rely on a replica: its receipts count.
    PinReplica {
        /// Its key.
        replica: PublicKey,
        /// What people call it; anybody reads it.
        label: String,
    },
    /// Rely on a replica no more.
    UnpinReplica {
        /// Its key.
        replica: PublicKey,
    },
    /// Take an invite back.
    RevokeInvite {
        /// Public half of its key.
        key: PublicKey,
    },
    /// Resolve when level with every connected peer.
    Sync {
        /// For how long to try, in ms.
        timeout_ms: u64,
    },
    /// Write one entry.
    Write {
        /// All or nothing.
        ops: Vec<WriteOp>,
    },
}
