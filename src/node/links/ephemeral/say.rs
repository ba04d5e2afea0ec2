//! What this node says: the page's messages, presence, heads, sign-in messages.

use zeroize::Zeroizing;

use super::{Audience, Ephemeral, Outgoing, Party, SENDS_PER_SECOND, Told};
use crate::{
    crypto::{Entropy, PublicKey, Signer},
    node::{
        ErrorCode, NodeError,
        links::peer_message::{Around, MAX_PAYLOAD, PeerMessage, public_key, topic},
        links::presence::{LIFE_MS, MAX_STATE},
    },
    space::Space,
    sync::{Envelope, EnvelopeKind},
};

impl Ephemeral {
    /// Takes a value to send: to one key, or to devices only (`private`), or to everybody; if nothing is said, to devices
    /// where this is one of several. Whoever is not there does not get it.
    pub(in crate::node) fn send(
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
            (None, Some(true)) => Audience::Devices,
        };
        if audience == Audience::Devices && !party.reaches_devices() {
            let (code, why) = match party.device && party.secrets.is_none() {
                true => (ErrorCode::Locked, "this device is locked: unlock it"),
                false => (
                    ErrorCode::NotAuthorised,
                    "there is no key that only the devices of this space have: sign in, or write something private first",
                ),
            };
            return Err(NodeError::new(code, format!("{why}; `private: false` sends it to everybody")));
        }
        self.queue(topic::APP, data, audience)
    }

    /// Asks those who may decide to be let in by an invite, signed by the device's key, granted or not.
    pub(in crate::node) fn send_join(
        &mut self,
        payload: &[u8],
        admins: &[PublicKey],
    ) -> Result<(), NodeError> {
        admins.iter().try_for_each(|admin| self.queue(topic::JOIN, payload.to_vec(), Audience::One(*admin)))
    }

    pub(super) fn queue(&mut self, topic: u8, payload: Vec<u8>, audience: Audience) -> Result<(), NodeError> {
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

    /// Says this of the node from now on, or nothing any more: to devices if this is one of several, else to everybody,
    /// and never to more than those whom it was meant for when it was set.
    pub(in crate::node) fn set_presence(
        &mut self,
        state: Option<Vec<u8>>,
        party: &Party<'_>,
        now: u64,
    ) -> Result<(), NodeError> {
        if let Some(state) = state.as_ref().filter(|state| state.len() > MAX_STATE) {
            return Err(too_large("a presence", MAX_STATE, state.len()));
        }
        self.presence.set(state, now);
        let private = party.audience() == Audience::Devices;
        if core::mem::replace(&mut self.presence_is_private, private) != private {
            // The same value may be meant for others now.
            self.presence.newcomer(now);
        }
        Ok(())
    }

    /// Seals a sign-in message and sends it.
    pub(in crate::node) fn send_sign_in(
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
    pub(in crate::node) fn pump(&mut self, party: &Party<'_>, entropy: &mut dyn Entropy, now: u64) {
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
        if let Some(state) = self.presence.next(now)
            && self.may_be_present(party)
        {
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

    /// This node goes, or its keys do: tells those who saw it.
    pub(in crate::node) fn leave(&mut self, party: &Party<'_>, entropy: &mut dyn Entropy, now: u64) {
        if self.presence.leave() && self.may_be_present(party) {
            self.said_as = None;
            self.say_as_self(topic::PRESENCE, Vec::new(), party.audience(), party, entropy, now);
        }
    }

    /// Whether the presence would be heard by those alone whom it is for. From then on it is for no others: who becomes
    /// a device with it speaks as one.
    fn may_be_present(&mut self, party: &Party<'_>) -> bool {
        let private = party.audience() == Audience::Devices;
        self.presence_is_private |= private;
        if self.presence_is_private { private && party.reaches_devices() } else { true }
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
            Audience::Devices => (EnvelopeKind::Epoch, None),
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
            Audience::Devices => {
                // Not the key of when it was queued: somebody may have been removed since. Without one nobody hears it.
                let Some(key) = space.usable_epoch().and_then(|epoch| space.content_key(&epoch)) else {
                    return;
                };
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

/// A sign-in message lives this long on its way; it is sent again as long as it is not answered.
const SIGN_IN_LIFE_MS: u64 = 4 * 60_000;
/// Other messages live this long: they reach who is there.
const MESSAGE_LIFE_MS: u64 = 2 * 60_000;
/// Messages of a page that wait to be sent.
pub(super) const MAX_WAITING: usize = 100;
/// From a sign-in envelope to its being stored.
const SAVE_MS: u64 = 3_000;
