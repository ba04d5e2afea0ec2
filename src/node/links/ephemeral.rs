//! The ephemeral channel of one space: what passes through, what is for us, what we say.
//!
//! ```text
//! peers ── receive ──▶ relay ─ known, late, too fast ─▶ dropped
//!                        │ └─ forward ──▶ Told::Send
//!                        ▼ opens, signed by its sender, first of its id
//!                      Told::SignIn · Message · Join · Presence · Heads · Forked
//! page ── send, set_presence ──▶ pump: sealed, signed, paced ──▶ Told::Send
//! ```
//! Who owns what: the channel owns the relay with its memory, the peers' clocks, who is here and which heads were heard
//! of. The owner hands in envelopes, tells who comes and goes, calls [`Ephemeral::pump`] after every turn and at
//! [`Ephemeral::deadline`], and then drains [`Ephemeral::poll`]. The space and the device's keys are lent for each call
//! ([`Party`]). Sign-in envelopes that were seen are kept in the file `space/<key>/relay`, so that a reload does not
//! ask twice; everything else ends with the node. Nothing a peer sends is an error here: what does not open or hold is
//! counted ([`Refused`]) and shown to nobody.

mod hear;
mod say;

use std::collections::VecDeque;

use zeroize::Zeroizing;

use crate::node::{
    NodeError,
    accounts::request_queue::Via,
    links::known_heads::{KnownHead, KnownHeads},
    links::presence::{Presence, Present},
    persist::{replace, whole_or_anew},
    secrets::Secrets,
};
use crate::{
    collections::Set,
    crypto::{Entropy, Hash, PublicKey, SecretKey32, Signer},
    space::Space,
    storage::Files,
    sync::{Bucket, Envelope, Once, PeerClocks, PeerId, Relay},
};

/// What a message leads to.
pub(in crate::node) enum Told {
    /// Send this to every peer of the space, but for one.
    Send { envelope: Envelope, but: Option<PeerId> },
    /// A sign-in message that opened; its own signature is still to be checked.
    SignIn { plain: Zeroizing<Vec<u8>>, via: Via },
    /// For the page.
    Message(PageMessage),
    /// Somebody with an invite asks to be let in.
    Join { sender: PublicKey, payload: Vec<u8> },
    /// Who is here has changed.
    Presence,
    /// A head longer than what is held was heard of.
    Heads,
    /// A writer signed something else than is held.
    Forked { writer: PublicKey },
}

/// A message of another page.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PageMessage {
    /// A writer's key, or a visitor's for one browser session.
    pub from: PublicKey,
    /// Whether it is an active writer's.
    pub writer: bool,
    /// Whether only devices, or only this one, could read it.
    pub private: bool,
    /// When it was sent, by the sender's clock, ms since 1970.
    pub time: u64,
    /// The value, encoded.
    pub data: Vec<u8>,
}

/// What came and was shown to nobody, counted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Refused {
    /// Did not open though there is a key for its kind.
    pub unreadable: u64,
    /// Opened, but is no message, or not by whom it says, or not by one who may.
    pub forged: u64,
    /// Came too fast.
    pub too_fast: u64,
    /// Expired, or to expire too far ahead.
    pub untimely: u64,
}

/// The space, and what this device can open and sign in it now.
pub(in crate::node) struct Party<'a> {
    pub(in crate::node) space: &'a Space,
    pub(in crate::node) files: &'a Files,
    /// The device's keys, while they are in memory; it need not be granted.
    pub(in crate::node) secrets: Option<&'a Secrets>,
    /// Whether this is a device all the same where its words do not count: it is locked, or whoever let it in was cut.
    pub(in crate::node) device: bool,
}

impl Party<'_> {
    /// The device's key in this space, granted or not. Derived anew, so asked for only where something is to be signed.
    fn signer(&self) -> Option<Signer> {
        self.secrets.map(|secrets| secrets.keys(&self.space.key()).signer)
    }

    /// The writer's key if its messages count.
    fn active(&self) -> Option<PublicKey> {
        self.space.writer().filter(|writer| self.space.is_active(writer))
    }

    /// Devices, if this is one of several that keep keys, else everybody. Whether there is a key just now is another
    /// question: after two removals at once there may be none for a while, and nothing is said more loudly for that.
    fn audience(&self) -> Audience {
        let device = self.device || self.active().is_some();
        if device && self.space.has_epochs() { Audience::Devices } else { Audience::Everybody }
    }

    /// Whether devices would hear what is for them alone.
    fn reaches_devices(&self) -> bool {
        self.active().is_some() && self.space.usable_epoch().is_some()
    }

    fn message_key(&self) -> Option<SecretKey32> {
        let key = self.space.message_key().or_else(|| self.secrets?.message.as_ref());
        key.map(|key| SecretKey32(*key.as_bytes()))
    }
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Audience {
    /// Whoever holds the key that is for writing when it is said.
    Devices,
    Everybody,
    One(PublicKey),
}

struct Outgoing {
    topic: u8,
    payload: Vec<u8>,
    audience: Audience,
}

/// The channel of one space.
pub(in crate::node) struct Ephemeral {
    space: PublicKey,
    discovery: Hash,
    relay: Relay,
    clocks: PeerClocks,
    peers: Set<PeerId>,
    /// Messages delivered, by sender and their own id.
    once: Once,
    presence: Presence,
    /// Whether the presence was set among devices: then it is for them alone, also when this is none any more.
    presence_is_private: bool,
    heads: KnownHeads,
    /// Seed of the key that signs what a visitor says, until the page is closed.
    session: Zeroizing<[u8; 32]>,
    session_key: PublicKey,
    /// The key that presence was last said under, and the device's own at that time.
    said_as: Option<(PublicKey, Option<PublicKey>)>,
    /// Keys that peers have proven and that were not yet seen to be writers'.
    proven: Vec<(PeerId, PublicKey)>,
    waiting: VecDeque<Outgoing>,
    rate: Bucket,
    told: VecDeque<Told>,
    refused: Refused,
    /// Time of the last message sent, so that none is older than the one before.
    time: u64,
    /// Epoch of the last message that opened.
    epoch: Option<Hash>,
    save_at: Option<u64>,
}

impl Ephemeral {
    /// The channel of a space, with what was stored of it.
    pub(in crate::node) fn open(
        files: &mut Files,
        space: PublicKey,
        entropy: &mut dyn Entropy,
        now: u64,
    ) -> Result<Self, NodeError> {
        let discovery = space.discovery_key();
        // A file that cannot be read is worth no error: at worst a request is shown again.
        let relay =
            whole_or_anew(files, &file_name(&space))?.and_then(|bytes| Relay::import(&bytes, now).ok());
        let heads =
            whole_or_anew(files, &heads_name(&space))?.and_then(|bytes| KnownHeads::import(&bytes).ok());
        let heads = heads.unwrap_or_default();
        let session = Zeroizing::new(entropy.array32());
        Ok(Self {
            space,
            discovery,
            relay: relay.unwrap_or_else(|| Relay::new(discovery)),
            clocks: PeerClocks::default(),
            peers: Set::new(),
            once: Once::new(MAX_DELIVERED),
            presence: Presence::default(),
            presence_is_private: false,
            heads,
            session_key: Signer::from_seed(&session).public(),
            session,
            said_as: None,
            proven: Vec::new(),
            waiting: VecDeque::new(),
            rate: Bucket::new(SENDS_PER_SECOND, SENDS_AT_ONCE, now),
            told: VecDeque::new(),
            refused: Refused::default(),
            time: 0,
            epoch: None,
            save_at: None,
        })
    }

    /// A peer shares the space from now on.
    pub(in crate::node) fn peer_came(&mut self, peer: PeerId, now: u64) {
        self.peers.insert(peer);
        self.presence.newcomer(now);
        self.heads.newcomer();
    }

    /// A peer is gone.
    pub(in crate::node) fn peer_gone(&mut self, peer: PeerId) {
        self.peers.remove(&peer);
        self.relay.forget_peer(peer);
        self.clocks.forget(peer);
        self.proven.retain(|(other, _)| *other != peer);
    }

    /// By how much a peer's clock is ahead of ours, ms ([`crate::sync::Session::clock_offset`]).
    pub(in crate::node) fn peer_clock(&mut self, peer: PeerId, offset: i64) {
        if self.peers.contains(&peer) {
            self.clocks.heard(peer, offset);
        }
    }

    /// A peer has proven that it holds this key; whether that is a writer's may show later.
    pub(in crate::node) fn peer_proven(&mut self, peer: PeerId, key: PublicKey) {
        if self.peers.contains(&peer) {
            self.proven.push((peer, key));
        }
    }

    /// What time it is by the corrected clock.
    fn time(&mut self, space: &Space, now: u64) -> u64 {
        let clocks = &mut self.clocks;
        self.proven.retain(|(peer, key)| {
            let writer = space.is_active(key);
            if writer {
                clocks.proven(*peer);
            }
            !writer
        });
        self.clocks.corrected(now)
    }

    /// Who else is here.
    pub(in crate::node) fn presence(&self, now: u64) -> Vec<Present> {
        self.presence.list(self.clocks.corrected(now))
    }

    /// The key that names this node in what it sends now.
    pub(in crate::node) fn own_key(&self, party: &Party<'_>) -> PublicKey {
        party.active().unwrap_or(self.session_key)
    }

    /// Stores which sign-in envelopes were seen, if it is time.
    pub(in crate::node) fn save(&mut self, files: &mut Files, now: u64) {
        if self.save_at.take_if(|at| *at <= now).is_some() {
            replace(files, &file_name(&self.space), &self.relay.export());
        }
    }

    /// Stores heads that are longer than what is here, if there are new ones.
    pub(in crate::node) fn save_heads(&mut self, space: &Space, files: &mut Files) {
        if let Some(bytes) = self.heads.export(space) {
            replace(files, &heads_name(&self.space), &bytes);
        }
    }

    /// What is to be done next.
    pub(in crate::node) fn poll(&mut self) -> Option<Told> {
        self.told.pop_front()
    }

    /// When [`Ephemeral::pump`] and [`Ephemeral::save`] have something to do though nothing happened, by the node's
    /// own clock.
    pub(in crate::node) fn deadline(&self) -> Option<u64> {
        let lapses = self.presence.lapses();
        let lapses = lapses.map(|at| at.saturating_add_signed(self.clocks.correction().saturating_neg()));
        let waiting = (!self.waiting.is_empty()).then(|| self.rate.ready_at());
        let heads = (!self.peers.is_empty()).then(|| self.heads.deadline());
        [lapses, waiting, heads, self.presence.due(), self.save_at].into_iter().flatten().min()
    }

    /// Whether a device told of entries of an active writer that are not all here.
    pub(in crate::node) fn is_lacking(&self, space: &Space) -> bool {
        self.heads.is_lacking(space)
    }

    /// The longest head of a writer that a device told of.
    pub(in crate::node) fn known_head(&self, writer: &PublicKey) -> Option<&KnownHead> {
        self.heads.get(writer)
    }

    /// What came and was shown to nobody.
    pub(in crate::node) const fn refused(&self) -> Refused {
        self.refused
    }
}

fn heads_name(space: &PublicKey) -> String {
    format!("space/{space}/heads")
}

fn file_name(space: &PublicKey) -> String {
    format!("space/{space}/relay")
}

/// Most messages remembered as delivered.
const MAX_DELIVERED: usize = 8192;
/// Messages a second that a page may send in the long run: peers take fifty, of all nodes behind this one.
const SENDS_PER_SECOND: u32 = 10;
/// Messages that a page may send at once.
const SENDS_AT_ONCE: u32 = 30;

#[cfg(test)]
mod tests;
