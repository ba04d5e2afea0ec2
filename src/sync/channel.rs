//! Channels: the spaces that two nodes share, and who the peer is in them.
//!
//! ```text
//! tag    = BLAKE2b-256(key = space key, ns(hypha/v1/channel) ‖ handshake hash ‖ role byte)
//! proof  = signature over ns(hypha/v1/proof) ‖ handshake hash ‖ role byte ‖ space key
//! ```
//!
//! A channel opens when each side has shown the tag of its own role, so both know the space key, and neither can show
//! the other its own tag again. A discovery key that is not served and a tag that is wrong get the same answer: one who has
//! only the discovery key does not learn whether the space is here. Numbers are never used twice in a session, so
//! what was under way when a channel closed is told from nonsense.

use subtle::ConstantTimeEq;

use super::{
    Fault, HandshakeHash, Message, Role,
    limits::{MAX_CHANNELS, MAX_CHANNELS_EVER, MAX_PROVEN},
};
use crate::collections::{Map, Set};
use crate::crypto::{Hash, Namespace, PublicKey, Signature, Signer, keyed_parts};

/// Our number for a channel; unique in the life of a session.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ChannelId(pub u64);

/// What a message about channels leads to.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum ChannelEvent {
    Opened {
        channel: ChannelId,
        space: PublicKey,
    },
    Closed {
        channel: ChannelId,
        space: PublicKey,
    },
    Proven {
        channel: ChannelId,
        key: PublicKey,
    },
    Refused {
        space: PublicKey,
    },
    /// To be sent.
    Reply {
        channel: u64,
        message: Message,
    },
}

/// The channels of one session.
pub(super) struct Channels {
    hash: HandshakeHash,
    role: Role,
    /// Spaces that may be opened by the peer, by discovery key.
    served: Map<Hash, PublicKey>,
    channels: Map<ChannelId, Channel>,
    /// The peer's numbers, also of channels that are closed (`None`).
    remote: Map<u64, Option<ChannelId>>,
    next: u64,
}

struct Channel {
    space: PublicKey,
    discovery: Hash,
    /// The peer's number, once its tag was verified.
    remote: Option<u64>,
    proven: Set<PublicKey>,
}

/// Where a message belongs.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Place {
    Channel(ChannelId),
    /// It was closed; the peer had not heard of it yet.
    Gone,
}

impl Channels {
    pub(super) fn new(hash: HandshakeHash, role: Role) -> Self {
        Self { hash, role, served: Map::new(), channels: Map::new(), remote: Map::new(), next: 1 }
    }

    /// Answers the peer if it opens this space.
    pub(super) fn serve(&mut self, space: PublicKey) {
        self.served.insert(space.discovery_key(), space);
    }

    /// No longer answers for this space.
    pub(super) fn withdraw(&mut self, space: &PublicKey) {
        self.served.remove(&space.discovery_key());
    }

    /// Asks the peer to open this space; `None` if that was done already.
    pub(super) fn open(&mut self, space: PublicKey) -> Result<Option<(ChannelId, Message)>, Fault> {
        self.serve(space);
        if self.channels.values().any(|channel| channel.space == space) {
            return Ok(None);
        }
        self.offer(space, 0).map(Some)
    }

    fn offer(&mut self, space: PublicKey, answers: u64) -> Result<(ChannelId, Message), Fault> {
        if self.channels.len() >= MAX_CHANNELS {
            return Err(Fault::Limit { what: "channels", max: MAX_CHANNELS });
        }
        let id = ChannelId(self.next);
        self.next = self.next.saturating_add(1);
        let discovery = space.discovery_key();
        self.channels.insert(id, Channel { space, discovery, remote: None, proven: Set::new() });
        let tag = self.tag(&space, self.role);
        Ok((id, Message::Open { number: id.0, answers, discovery, tag }))
    }

    /// Closes a channel; the message to send if it was there.
    pub(super) fn close(&mut self, id: ChannelId) -> Option<Message> {
        let channel = self.channels.remove(&id)?;
        if let Some(number) = channel.remote {
            self.remote.insert(number, None);
        }
        Some(Message::CloseChannel)
    }

    /// Whether both sides have opened it.
    pub(super) fn is_open(&self, id: ChannelId) -> bool {
        self.channels.get(&id).is_some_and(|channel| channel.remote.is_some())
    }

    pub(super) fn open_count(&self) -> usize {
        self.channels.values().filter(|channel| channel.remote.is_some()).count()
    }

    /// The channel for the peer's number.
    pub(super) fn place(&self, number: u64) -> Result<Place, Fault> {
        match self.remote.get(&number) {
            Some(Some(id)) => Ok(Place::Channel(*id)),
            Some(None) => Ok(Place::Gone),
            None => Err(Fault::Channel { got: number }),
        }
    }

    /// What our signature over this session looks like to the peer.
    pub(super) fn prove(&self, id: ChannelId, signer: &Signer) -> Option<Message> {
        let space = self.channels.get(&id)?.space;
        let signature = signer.sign(&self.statement(&space, self.role));
        Some(Message::Prove { key: signer.public(), signature })
    }

    /// The peer opens a channel.
    pub(super) fn opened(
        &mut self,
        number: u64,
        answers: u64,
        discovery: Hash,
        tag: Hash,
    ) -> Result<Vec<ChannelEvent>, Fault> {
        if self.remote.contains_key(&number) {
            return Err(Fault::Unexpected { what: "channel number used twice" });
        }
        if self.remote.len() >= MAX_CHANNELS_EVER {
            return Err(Fault::Limit { what: "channels in one session", max: MAX_CHANNELS_EVER });
        }
        // It answers a channel that we closed meanwhile: the close is on its way to the peer.
        if answers != 0 && !self.channels.contains_key(&ChannelId(answers)) {
            self.remote.insert(number, None);
            return Ok(Vec::new());
        }
        let genuine = self.served.get(&discovery).copied().filter(|space| {
            let expected = self.tag(space, self.role.other());
            expected.0.ct_eq(&tag.0).into()
        });
        let Some(space) = genuine else {
            // Its messages on this number, if it sends any, go nowhere.
            self.remote.insert(number, None);
            return Ok(vec![ChannelEvent::Reply { channel: 0, message: Message::Refuse { discovery } }]);
        };
        let known = self.channels.iter().find(|(_, channel)| channel.space == space).map(|(id, _)| *id);
        let mut events = Vec::new();
        let id = match known {
            Some(id) => id,
            None => {
                let (id, message) = self.offer(space, number)?;
                events.push(ChannelEvent::Reply { channel: 0, message });
                id
            }
        };
        let channel = self.channels.get_mut(&id).ok_or(Fault::Channel { got: id.0 })?;
        if channel.remote.is_some() {
            return Err(Fault::Unexpected { what: "channel opened twice" });
        }
        channel.remote = Some(number);
        self.remote.insert(number, Some(id));
        events.push(ChannelEvent::Opened { channel: id, space });
        Ok(events)
    }

    /// The peer declines a space that we asked for. It may still open it later.
    pub(super) fn refused(&mut self, discovery: Hash) -> Vec<ChannelEvent> {
        let waiting = self.channels.iter().find(|(_, c)| c.discovery == discovery && c.remote.is_none());
        let Some(id) = waiting.map(|(id, _)| *id) else { return Vec::new() };
        self.channels
            .remove(&id)
            .map(|channel| ChannelEvent::Refused { space: channel.space })
            .into_iter()
            .collect()
    }

    /// The peer closes a channel.
    pub(super) fn closed(&mut self, number: u64, id: ChannelId) -> Vec<ChannelEvent> {
        self.remote.insert(number, None);
        let Some(channel) = self.channels.remove(&id) else { return Vec::new() };
        let reply = ChannelEvent::Reply { channel: id.0, message: Message::CloseChannel };
        vec![reply, ChannelEvent::Closed { channel: id, space: channel.space }]
    }

    /// The peer shows that it holds a writer's or replica's key.
    pub(super) fn proven(
        &mut self,
        id: ChannelId,
        key: PublicKey,
        signature: &Signature,
    ) -> Result<Vec<ChannelEvent>, Fault> {
        let space = self.channels.get(&id).ok_or(Fault::Channel { got: id.0 })?.space;
        key.verify(&self.statement(&space, self.role.other()), signature)
            .map_err(|error| Fault::Refused { what: "writer proof", detail: error.to_string() })?;
        let channel = self.channels.get_mut(&id).ok_or(Fault::Channel { got: id.0 })?;
        if !channel.proven.insert(key) {
            return Ok(Vec::new());
        }
        if channel.proven.len() > MAX_PROVEN {
            return Err(Fault::Limit { what: "writer proofs", max: MAX_PROVEN });
        }
        Ok(vec![ChannelEvent::Proven { channel: id, key }])
    }

    fn tag(&self, space: &PublicKey, role: Role) -> Hash {
        keyed_parts(&space.0, &[&Namespace::Channel.bytes(), &self.hash.0, &[role.byte()]])
    }

    fn statement(&self, space: &PublicKey, role: Role) -> Vec<u8> {
        [Namespace::Proof.bytes().as_slice(), &self.hash.0, &[role.byte()], &space.0].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Channels, Channels) {
        let hash = HandshakeHash([9; 64]);
        (Channels::new(hash, Role::Initiator), Channels::new(hash, Role::Responder))
    }

    fn space(seed: u8) -> PublicKey {
        Signer::from_seed(&[seed; 32]).public()
    }

    fn answer(to: &mut Channels, message: &Message) -> Result<Vec<ChannelEvent>, Fault> {
        let Message::Open { number, answers, discovery, tag } = *message else { panic!("{message:?}") };
        to.opened(number, answers, discovery, tag)
    }

    #[test]
    fn opens_only_with_the_tag_of_the_other_role() {
        let (mut alice, mut bob) = pair();
        let (_, open) = alice.open(space(1)).unwrap().unwrap();
        // Reflected to its author, it is worth nothing.
        let reflected = answer(&mut alice, &open).unwrap();
        assert!(matches!(
            reflected.as_slice(),
            [ChannelEvent::Reply { message: Message::Refuse { .. }, .. }]
        ));
        assert_eq!(alice.open_count(), 0);
        // Bob does not know the space: the same answer as to a wrong tag.
        let unknown = answer(&mut bob, &open).unwrap();
        assert_eq!(unknown, reflected);
        bob.serve(space(1));
        let Message::Open { discovery, .. } = open else { panic!() };
        assert_eq!(bob.opened(2, 0, discovery, Hash([1; 32])).unwrap(), reflected);
        let events = bob.opened(3, 0, discovery, bob.tag(&space(1), Role::Initiator)).unwrap();
        assert!(matches!(events.as_slice(), [ChannelEvent::Reply { .. }, ChannelEvent::Opened { .. }]));
    }

    #[test]
    fn proof_counts_for_its_author_on_this_session_only() {
        let (mut alice, mut bob) = pair();
        let (id, open) = alice.open(space(1)).unwrap().unwrap();
        bob.serve(space(1));
        answer(&mut bob, &open).unwrap();
        let writer = Signer::from_seed(&[8; 32]);
        let Some(Message::Prove { key, signature }) = alice.prove(id, &writer) else { panic!() };
        let at = ChannelId(1);
        assert_eq!(bob.proven(at, key, &signature).unwrap(), [ChannelEvent::Proven { channel: at, key }]);
        assert_eq!(bob.proven(at, key, &signature).unwrap(), []);
        assert!(alice.proven(id, key, &signature).is_err(), "reflected");
        let mut other = Channels::new(HandshakeHash([7; 64]), Role::Responder);
        let (id, _) = other.open(space(1)).unwrap().unwrap();
        assert!(other.proven(id, key, &signature).is_err(), "another session");
    }

    #[test]
    fn one_channel_past_the_limit_is_a_fault_and_numbers_are_not_reused() {
        let (mut alice, mut bob) = pair();
        for seed in 0..=MAX_CHANNELS {
            let seed = u8::try_from(seed).unwrap();
            bob.serve(space(seed));
            let discovery = space(seed).discovery_key();
            let result =
                bob.opened(u64::from(seed) + 1, 0, discovery, alice.tag(&space(seed), Role::Initiator));
            assert_eq!(result.is_ok(), usize::from(seed) < MAX_CHANNELS);
        }
        let (id, open) = alice.open(space(1)).unwrap().unwrap();
        alice.close(id);
        let (again, _) = alice.open(space(1)).unwrap().unwrap();
        assert_ne!(id, again);
        assert!(matches!(answer(&mut bob, &open), Err(Fault::Unexpected { .. })));
        assert_eq!(bob.place(77), Err(Fault::Channel { got: 77 }));
    }
}
