//! What comes: passed on, opened, and told.

use zeroize::Zeroizing;

use super::{Ephemeral, PageMessage, Party, Told};
use crate::{
    codec::decode_value,
    crypto::Signer,
    node::{
        accounts::request_queue::Via,
        links::peer_message::{Around, PeerMessage, public_key, topic},
        links::presence::{MAX_STATE, Present},
    },
    space::Space,
    sync::{Dropped, Envelope, EnvelopeKind, PeerId, Verdict, limits::MAX_HOPS},
};

impl Ephemeral {
    /// An envelope came from a peer.
    pub(in crate::node) fn receive(
        &mut self,
        from: PeerId,
        envelope: &Envelope,
        party: &Party<'_>,
        now: u64,
    ) {
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
                    Ok(plain) => {
                        self.relay.keep(envelope);
                        let via = Via { peer: from, passed_on: envelope.hops < MAX_HOPS };
                        self.told.push_back(Told::SignIn { plain, via });
                    }
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
}

/// Most epochs whose keys are tried on a message.
const MAX_EPOCHS_TRIED: usize = 64;
