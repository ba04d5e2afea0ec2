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

use std::collections::VecDeque;

use zeroize::Zeroizing;

use super::{
    ErrorCode, NodeError,
    known_heads::{KnownHead, KnownHeads},
    node::Secrets,
    peer_message::{Around, MAX_PAYLOAD, PeerMessage, public_key, topic},
    persist::{replace, whole},
    presence::{LIFE_MS, MAX_STATE, Presence, Present},
};
use crate::{
    codec::decode_value,
    collections::Set,
    crypto::{Entropy, Hash, PublicKey, SecretKey32, Signer},
    space::Space,
    storage::Files,
    sync::{Bucket, Dropped, Envelope, EnvelopeKind, Once, PeerClocks, PeerId, Relay, Verdict},
};

/// What a message leads to.
pub(super) enum Told {
    /// Send this to every peer of the space, but for one.
    Send { envelope: Envelope, but: Option<PeerId> },
    /// A sign-in message that opened; its own signature is still to be checked.
    SignIn { plain: Zeroizing<Vec<u8>>, from: PeerId },
    /// For the page.
    Message(PageMessage),
    /// Somebody with an invite asks to be let in.
    #[cfg_attr(not(test), expect(dead_code, reason = "for spaces that are joined by invite"))]
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
pub(super) struct Party<'a> {
    pub(super) space: &'a Space,
    pub(super) files: &'a Files,
    /// The device's keys, while they are in memory; it need not be granted.
    pub(super) secrets: Option<&'a Secrets>,
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

    /// Devices if there is a key that they share, else everybody.
    fn audience(&self) -> Audience {
        let epoch = self.active().and_then(|_| self.space.usable_epoch());
        epoch.map_or(Audience::Everybody, Audience::Devices)
    }

    fn message_key(&self) -> Option<SecretKey32> {
        let key = self.space.message_key().or_else(|| self.secrets?.message.as_ref());
        key.map(|key| SecretKey32(*key.as_bytes()))
    }
}

#[derive(Clone, Copy)]
enum Audience {
    Devices(Hash),
    Everybody,
    One(PublicKey),
}

struct Outgoing {
    topic: u8,
    payload: Vec<u8>,
    audience: Audience,
}

/// The channel of one space.
pub(super) struct Ephemeral {
    space: PublicKey,
    discovery: Hash,
    relay: Relay,
    clocks: PeerClocks,
    peers: Set<PeerId>,
    /// Messages delivered, by sender and their own id.
    once: Once,
    presence: Presence,
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
    pub(super) fn open(
        files: &mut Files,
        space: PublicKey,
        entropy: &mut dyn Entropy,
        now: u64,
    ) -> Result<Self, NodeError> {
        let discovery = space.discovery_key();
        // A file that cannot be read is worth no error: at worst a request is shown again.
        let relay = whole(files, &file_name(&space))?.and_then(|bytes| Relay::import(&bytes, now).ok());
        let session = Zeroizing::new(entropy.array32());
        Ok(Self {
            space,
            discovery,
            relay: relay.unwrap_or_else(|| Relay::new(discovery)),
            clocks: PeerClocks::default(),
            peers: Set::new(),
            once: Once::new(MAX_DELIVERED),
            presence: Presence::default(),
            heads: KnownHeads::default(),
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
    pub(super) fn peer_came(&mut self, peer: PeerId, now: u64) {
        self.peers.insert(peer);
        self.presence.newcomer(now);
        self.heads.newcomer();
    }

    /// A peer is gone.
    pub(super) fn peer_gone(&mut self, peer: PeerId) {
        self.peers.remove(&peer);
        self.relay.forget_peer(peer);
        self.clocks.forget(peer);
        self.proven.retain(|(other, _)| *other != peer);
    }

    /// By how much a peer's clock is ahead of ours, ms ([`crate::sync::Session::clock_offset`]).
    pub(super) fn peer_clock(&mut self, peer: PeerId, offset: i64) {
        if self.peers.contains(&peer) {
            self.clocks.heard(peer, offset);
        }
    }

    /// A peer has proven that it holds this key; whether that is a writer's may show later.
    pub(super) fn peer_proven(&mut self, peer: PeerId, key: PublicKey) {
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

    /// An envelope came from a peer.
    pub(super) fn receive(&mut self, from: PeerId, envelope: &Envelope, party: &Party<'_>, now: u64) {
        let now = self.time(party.space, now);
        let (forward, new) = match self.relay.receive(from, envelope, now) {
            Verdict::Deliver { forward } => (forward, true),
            Verdict::Forward(forward) => (Some(forward), false),
            Verdict::Drop(why) => {
                match why {
                    Dropped::TooFast => self.refused.too_fast += 1,
                    Dropped::Expired | Dropped::TooFarAhead => self.refused.untimely += 1,
                    Dropped::Foreign | Dropped::Known => {}
                }
                return;
            }
        };
        if new && !self.take(from, envelope, party, now) {
            // Anybody can see that it is junk: it goes no farther, however far a later copy may go.
            self.relay.publish(envelope);
            return;
        }
        self.told.extend(forward.map(|envelope| Told::Send { envelope, but: Some(from) }));
    }

    /// Opens what is for us; whether the envelope is to be passed on.
    fn take(&mut self, from: PeerId, envelope: &Envelope, party: &Party<'_>, now: u64) -> bool {
        let mut around = Around {
            discovery: self.discovery,
            kind: envelope.kind,
            expiry: envelope.expiry,
            recipient: None,
        };
        let (plain, forged_travels) = match envelope.kind {
            EnvelopeKind::SignIn => {
                let Some(key) = party.message_key() else { return true };
                match envelope.open(&key) {
                    Ok(plain) => self.told.push_back(Told::SignIn { plain, from }),
                    // Perhaps under the key of another passphrase.
                    Err(_) => self.refused.unreadable += 1,
                }
                return true;
            }
            EnvelopeKind::Epoch => match self.open_as_device(envelope, party.space) {
                Some(plain) => (plain, false),
                // Perhaps of an epoch that is not here yet.
                None => {
                    self.refused.unreadable += u64::from(party.active().is_some());
                    return true;
                }
            },
            EnvelopeKind::Public => match envelope.open(&public_key(&self.space)) {
                Ok(plain) => (plain, false),
                Err(_) => {
                    self.refused.unreadable += 1;
                    return false;
                }
            },
            EnvelopeKind::Addressed => {
                let session = Signer::from_seed(&self.session);
                let own = party.signer().into_iter().chain([session]);
                let opened = own.filter_map(|own| Some((own.public(), envelope.open_as_writer(&own).ok()?)));
                let Some((recipient, plain)) = { opened }.next() else { return true };
                around.recipient = Some(recipient);
                // Goes on in any case: where it stops nobody shall see.
                (plain, true)
            }
        };
        match PeerMessage::decode(&around, &plain) {
            Ok(message) => {
                if self.once.first(message.name(), envelope.expiry, now) {
                    self.deliver(message, &around, party, now);
                }
                true
            }
            Err(_) => {
                self.refused.forged += 1;
                forged_travels
            }
        }
    }

    fn open_as_device(&mut self, envelope: &Envelope, space: &Space) -> Option<Zeroizing<Vec<u8>>> {
        let held = space.held_epochs().filter(|epoch| Some(*epoch) != self.epoch);
        for epoch in self.epoch.into_iter().chain(held).take(MAX_EPOCHS_TRIED) {
            if let Some(plain) = space.content_key(&epoch).and_then(|key| envelope.open(key).ok()) {
                self.epoch = Some(epoch);
                return Some(plain);
            }
        }
        None
    }

    fn deliver(&mut self, message: PeerMessage, around: &Around, party: &Party<'_>, now: u64) {
        let PeerMessage { topic, sender, time, payload, .. } = message;
        let writer = party.space.is_active(&sender);
        let private = around.kind != EnvelopeKind::Public;
        if party.space.writer() == Some(sender) || self.session_key == sender {
            return;
        }
        // Whoever was removed may still have a key of devices.
        let may = writer || around.kind != EnvelopeKind::Epoch;
        let holds = may
            && match topic {
                topic::APP => {
                    let value = decode_value(&payload).is_ok();
                    if value {
                        let message = PageMessage { from: sender, writer, private, time, data: payload };
                        self.told.push_back(Told::Message(message));
                    }
                    value
                }
                topic::PRESENCE => {
                    let value =
                        payload.is_empty() || payload.len() <= MAX_STATE && decode_value(&payload).is_ok();
                    let said = Present { key: sender, writer, private, state: payload, time };
                    if value && self.presence.heard(said, around.expiry, now) {
                        self.told.push_back(Told::Presence);
                    }
                    value
                }
                topic::HEADS if writer => {
                    match self.heads.heard(party.space, party.files, &sender, &payload, now) {
                        Ok(heard) => {
                            self.told.extend(heard.news.then_some(Told::Heads));
                            self.told.extend(heard.forks.into_iter().map(|writer| Told::Forked { writer }));
                            true
                        }
                        Err(_) => false,
                    }
                }
                topic::HEADS => false,
                topic::JOIN => {
                    self.told.push_back(Told::Join { sender, payload });
                    true
                }
                // Of a later version.
                _ => true,
            };
        self.refused.forged += u64::from(!holds);
    }

    /// Takes a value to send: to one key, or to devices only (`private`), or to everybody; if nothing is said, to devices
    /// where this is one of several. Whoever is not there does not get it.
    pub(super) fn send(
        &mut self,
        data: Vec<u8>,
        to: Option<PublicKey>,
        private: Option<bool>,
        party: &Party<'_>,
    ) -> Result<(), NodeError> {
        let audience = match (to, private) {
            (Some(key), _) if key.is_valid() => Audience::One(key),
            (Some(_), _) => return Err(NodeError::bad_input("this is not the key of a writer or a visitor")),
            (None, Some(false)) => Audience::Everybody,
            (None, None) => party.audience(),
            (None, Some(true)) => match party.audience() {
                Audience::Everybody => {
                    return Err(NodeError::new(
                        ErrorCode::NotAuthorised,
                        "there is no key yet that only the devices of this space have; sign in, or write something private first",
                    ));
                }
                devices => devices,
            },
        };
        self.queue(topic::APP, data, audience)
    }

    /// Asks to be let in by an invite: to everybody, signed by the device's key, granted or not.
    #[cfg_attr(not(test), expect(dead_code, reason = "for spaces that are joined by invite"))]
    pub(super) fn send_join(&mut self, payload: Vec<u8>) -> Result<(), NodeError> {
        self.queue(topic::JOIN, payload, Audience::Everybody)
    }

    fn queue(&mut self, topic: u8, payload: Vec<u8>, audience: Audience) -> Result<(), NodeError> {
        if payload.len() > MAX_PAYLOAD {
            return Err(too_large("a message", MAX_PAYLOAD, payload.len()));
        }
        if self.waiting.len() >= MAX_WAITING {
            return Err(NodeError::bad_input(format!(
                "{MAX_WAITING} messages wait to be sent; at most {SENDS_PER_SECOND} a second leave"
            )));
        }
        self.waiting.push_back(Outgoing { topic, payload, audience });
        Ok(())
    }

    /// Says this of the node from now on, or nothing any more.
    pub(super) fn set_presence(&mut self, state: Option<Vec<u8>>, now: u64) -> Result<(), NodeError> {
        if let Some(state) = state.as_ref().filter(|state| state.len() > MAX_STATE) {
            return Err(too_large("a presence", MAX_STATE, state.len()));
        }
        self.presence.set(state, now);
        Ok(())
    }

    /// Who else is here.
    pub(super) fn presence(&self, now: u64) -> Vec<Present> {
        self.presence.list(self.clocks.corrected(now))
    }

    /// The key that names this node in what it sends now.
    pub(super) fn own_key(&self, party: &Party<'_>) -> PublicKey {
        party.active().unwrap_or(self.session_key)
    }

    /// Seals a sign-in message and sends it.
    pub(super) fn send_sign_in(
        &mut self,
        plain: &[u8],
        party: &Party<'_>,
        entropy: &mut dyn Entropy,
        now: u64,
    ) {
        let Some(key) = party.message_key() else { return };
        let expiry = self.time(party.space, now).saturating_add(SIGN_IN_LIFE_MS);
        // Fails only for a message far larger than these.
        if let Ok(envelope) =
            Envelope::seal(EnvelopeKind::SignIn, self.discovery, expiry, &key, plain, entropy)
        {
            self.publish(envelope);
        }
    }

    /// Says what is due: presence, heads, what waits. Cheap if nothing is.
    pub(super) fn pump(&mut self, party: &Party<'_>, entropy: &mut dyn Entropy, now: u64) {
        if self.presence.expire(self.clocks.corrected(now)) {
            self.told.push_back(Told::Presence);
        }
        if self.relay.is_changed() {
            self.save_at.get_or_insert(now.saturating_add(SAVE_MS));
        }
        let presence = self.presence.due().is_some_and(|due| due <= now);
        if let Some((key, device)) = self.said_as
            && (presence || device != party.space.writer())
            && self.own_key(party) != key
        {
            // A visitor became a writer, or the other way about: it is not here twice.
            self.said_as = None;
            if key == self.session_key {
                let session = Signer::from_seed(&self.session);
                self.say(
                    topic::PRESENCE,
                    Vec::new(),
                    Audience::Everybody,
                    &session,
                    party.space,
                    entropy,
                    now,
                );
            }
            self.presence.newcomer(now);
        }
        if let Some(state) = self.presence.next(now) {
            self.said_as = (!state.is_empty()).then(|| (self.own_key(party), party.space.writer()));
            self.say_as_self(topic::PRESENCE, state, party.audience(), party, entropy, now);
        }
        if !self.peers.is_empty()
            && self.heads.deadline() <= now
            && let Some(heads) = self.heads.next(party.space, party.active().as_ref(), now)
        {
            self.say_as_self(topic::HEADS, heads, party.audience(), party, entropy, now);
        }
        while !self.waiting.is_empty() && self.rate.take(now) {
            let Some(Outgoing { topic, payload, audience }) = self.waiting.pop_front() else { break };
            self.say_as_self(topic, payload, audience, party, entropy, now);
        }
    }

    /// Stores which sign-in envelopes were seen, if it is time.
    pub(super) fn save(&mut self, files: &mut Files, now: u64) {
        if self.save_at.take_if(|at| *at <= now).is_some() {
            replace(files, &file_name(&self.space), &self.relay.export());
        }
    }

    /// This node goes, or its keys do: tells those who saw it.
    pub(super) fn leave(&mut self, party: &Party<'_>, entropy: &mut dyn Entropy, now: u64) {
        if self.presence.leave() {
            self.said_as = None;
            self.say_as_self(topic::PRESENCE, Vec::new(), party.audience(), party, entropy, now);
        }
    }

    /// What is to be done next.
    pub(super) fn poll(&mut self) -> Option<Told> {
        self.told.pop_front()
    }

    /// When [`Ephemeral::pump`] and [`Ephemeral::save`] have something to do though nothing happened, by the node's
    /// own clock.
    pub(super) fn deadline(&self) -> Option<u64> {
        let lapses = self.presence.lapses();
        let lapses = lapses.map(|at| at.saturating_add_signed(self.clocks.correction().saturating_neg()));
        let waiting = (!self.waiting.is_empty()).then(|| self.rate.ready_at());
        let heads = (!self.peers.is_empty()).then(|| self.heads.deadline());
        [lapses, waiting, heads, self.presence.due(), self.save_at].into_iter().flatten().min()
    }

    /// Whether a device told of entries of an active writer that are not all here.
    pub(super) fn is_lacking(&self, space: &Space) -> bool {
        self.heads.is_lacking(space)
    }

    /// The longest head of a writer that a device told of.
    pub(super) fn known_head(&self, writer: &PublicKey) -> Option<&KnownHead> {
        self.heads.get(writer)
    }

    /// What came and was shown to nobody.
    pub(super) const fn refused(&self) -> Refused {
        self.refused
    }

    fn say_as_self(
        &mut self,
        topic: u8,
        payload: Vec<u8>,
        audience: Audience,
        party: &Party<'_>,
        entropy: &mut dyn Entropy,
        now: u64,
    ) {
        // Nobody is there.
        if self.peers.is_empty() {
            return;
        }
        // Who asks to be let in shows the key that is to be.
        let device = topic == topic::JOIN || party.active().is_some();
        let signer = if device { party.signer() } else { None };
        let signer = signer.unwrap_or_else(|| Signer::from_seed(&self.session));
        self.say(topic, payload, audience, &signer, party.space, entropy, now);
    }

    #[expect(clippy::too_many_arguments, reason = "what a message is, who says it, and what is handed in")]
    fn say(
        &mut self,
        topic: u8,
        payload: Vec<u8>,
        audience: Audience,
        signer: &Signer,
        space: &Space,
        entropy: &mut dyn Entropy,
        now: u64,
    ) {
        let now = self.time(space, now);
        self.time = now.max(self.time.saturating_add(1));
        let life = if topic == topic::PRESENCE { LIFE_MS } else { MESSAGE_LIFE_MS };
        let (kind, recipient) = match audience {
            Audience::Devices(_) => (EnvelopeKind::Epoch, None),
            Audience::Everybody => (EnvelopeKind::Public, None),
            Audience::One(key) => (EnvelopeKind::Addressed, Some(key)),
        };
        let expiry = now.saturating_add(life);
        let around = Around { discovery: self.discovery, kind, expiry, recipient };
        let message =
            PeerMessage { topic, sender: signer.public(), id: entropy.array16(), time: self.time, payload };
        let plain = Zeroizing::new(message.sign(&around, signer));
        let sealed = match audience {
            Audience::One(key) => Envelope::seal_to_writer(self.discovery, expiry, &key, &plain, entropy),
            Audience::Everybody => {
                let key = public_key(&self.space);
                Envelope::seal(kind, self.discovery, expiry, &key, &plain, entropy)
            }
            Audience::Devices(epoch) => {
                // Locked meanwhile: then nobody hears it.
                let Some(key) = space.content_key(&epoch) else { return };
                Envelope::seal(kind, self.discovery, expiry, key, &plain, entropy)
            }
        };
        // Sizes and keys were checked when it was taken.
        if let Ok(envelope) = sealed {
            self.publish(envelope);
        }
    }

    fn publish(&mut self, envelope: Envelope) {
        self.relay.publish(&envelope);
        self.told.push_back(Told::Send { envelope, but: None });
    }
}

fn too_large(what: &str, max: usize, got: usize) -> NodeError {
    NodeError::new(ErrorCode::TooLarge, format!("{what} of {got} bytes: at most {max}"))
}

fn file_name(space: &PublicKey) -> String {
    format!("space/{space}/relay")
}

/// A sign-in message lives this long on its way; it is sent again as long as it is not answered.
const SIGN_IN_LIFE_MS: u64 = 4 * 60_000;
/// Other messages live this long: they reach who is there.
const MESSAGE_LIFE_MS: u64 = 2 * 60_000;
/// From a sign-in envelope to its being stored.
const SAVE_MS: u64 = 3_000;
/// Most messages remembered as delivered.
const MAX_DELIVERED: usize = 8192;
/// Most epochs whose keys are tried on a message.
const MAX_EPOCHS_TRIED: usize = 64;
/// Messages of a page that wait to be sent.
const MAX_WAITING: usize = 100;
/// Messages a second that a page may send in the long run: peers take fifty, of all nodes behind this one.
const SENDS_PER_SECOND: u32 = 10;
/// Messages that a page may send at once.
const SENDS_AT_ONCE: u32 = 30;

#[cfg(test)]
mod tests;
