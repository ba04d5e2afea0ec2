//! Passing ephemeral messages on: each once, never in circles.
//!
//! A relay belongs to one space. It knows an envelope by the hash of everything but the hop limit. The first copy is
//! delivered and forwarded; a later copy that may travel farther than any before is forwarded again, so that a
//! short-lived copy cannot cut the flood short, but never delivered again; every other copy is dropped. Nothing goes back to
//! the peer it came from. What is remembered lapses with the envelope and is bounded. Sign-in messages that opened here
//! ([`Relay::keep`]) are kept across a reload ([`Relay::export`]), so that a request is not asked twice; others are not,
//! or a stranger could fill the storage of all.
//!
//! ```text
//! export   version u8 │ discovery key 32 │ count │ (id 32 │ kind u8 │ expiry varint │ hop limit u8)…
//! ```

use super::{
    Bucket, Envelope, EnvelopeKind,
    limits::{
        ENVELOPE_BURST, ENVELOPE_BYTES_BURST, ENVELOPE_BYTES_PER_SECOND, ENVELOPES_PER_SECOND, MAX_EXPIRY_MS,
        MAX_HOPS, MAX_KEPT, MAX_RELAY_PEERS, MAX_SEEN,
    },
};
use crate::{
    codec::{DecodeError, MAX_SAFE, Reader, Writer},
    collections::{Map, Set},
    crypto::Hash,
};

/// The owner's number for a peer.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PeerId(pub u64);

/// What to do with an envelope.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// New: open it, and send `forward`, if any, to every peer of the space but the one it came from.
    Deliver {
        /// The copy for the others.
        forward: Option<Envelope>,
    },
    /// Known, but this copy may go farther: send it to every peer of the space but the one it came from.
    Forward(Envelope),
    /// Nothing.
    Drop(Dropped),
}

/// Why an envelope goes nowhere.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dropped {
    /// Its time is over.
    Expired,
    /// Its expiry is more than five minutes ahead.
    TooFarAhead,
    /// Another space's.
    Foreign,
    /// A copy came before.
    Known,
    /// This peer, or all together, send too many.
    TooFast,
}

/// The relay of one space.
pub struct Relay {
    discovery: Hash,
    seen: Map<Hash, Seen>,
    by_expiry: Set<(u64, Hash)>,
    peers: Map<PeerId, Rates>,
    all: Option<Rates>,
    /// Whether what [`Relay::export`] gives has changed since it was asked.
    changed: bool,
}

/// How many messages and bytes may come.
struct Rates {
    count: Bucket,
    bytes: Bucket,
}

impl Rates {
    /// So many peers' worth.
    fn new(peers: u32, now: u64) -> Self {
        Self {
            count: Bucket::new(ENVELOPES_PER_SECOND * peers, ENVELOPE_BURST * peers, now),
            bytes: Bucket::new(ENVELOPE_BYTES_PER_SECOND * peers, ENVELOPE_BYTES_BURST * peers, now),
        }
    }

    fn take(&mut self, bytes: usize, now: u64) -> bool {
        self.count.take(now) && self.bytes.take_many(bytes, now)
    }
}

struct Seen {
    kind: EnvelopeKind,
    expiry: u64,
    hops: u8,
    /// Whether a reload must not forget it.
    kept: bool,
}

impl Relay {
    /// For the space with this discovery key.
    pub const fn new(discovery: Hash) -> Self {
        Self {
            discovery,
            seen: Map::new(),
            by_expiry: Set::new(),
            peers: Map::new(),
            all: None,
            changed: false,
        }
    }

    /// Judges an envelope that came from a peer at `now` (ms, corrected by the peers' median).
    pub fn receive(&mut self, from: PeerId, envelope: &Envelope, now: u64) -> Verdict {
        if envelope.discovery != self.discovery {
            return Verdict::Drop(Dropped::Foreign);
        }
        self.forget_expired(now);
        if !self.admit(from, envelope.size(), now) {
            return Verdict::Drop(Dropped::TooFast);
        }
        if envelope.expiry <= now {
            return Verdict::Drop(Dropped::Expired);
        }
        if envelope.expiry > now.saturating_add(MAX_EXPIRY_MS) {
            return Verdict::Drop(Dropped::TooFarAhead);
        }
        let forward = envelope.hops.checked_sub(1).map(|hops| envelope.with_hops(hops));
        let id = envelope.id();
        if let Some(seen) = self.seen.get_mut(&id) {
            if envelope.hops <= seen.hops {
                return Verdict::Drop(Dropped::Known);
            }
            seen.hops = envelope.hops;
            return forward.map_or(Verdict::Drop(Dropped::Known), Verdict::Forward);
        }
        let Envelope { kind, expiry, hops, .. } = *envelope;
        self.remember(id, Seen { kind, expiry, hops, kept: false });
        Verdict::Deliver { forward }
    }

    /// Notes an envelope of our own, so that it is not delivered when it comes back; or one that is not to be passed
    /// on, however far a later copy may go.
    pub fn publish(&mut self, envelope: &Envelope) {
        // No copy can go farther than the first one.
        let Envelope { kind, expiry, .. } = *envelope;
        self.remember(envelope.id(), Seen { kind, expiry, hops: MAX_HOPS, kept: false });
    }

    /// A reload must not forget that this envelope was seen.
    pub fn keep(&mut self, envelope: &Envelope) {
        if let Some(seen) = self.seen.get_mut(&envelope.id()) {
            seen.kept = true;
            self.changed = true;
        }
    }

    /// A peer is gone.
    pub fn forget_peer(&mut self, peer: PeerId) {
        self.peers.remove(&peer);
    }

    /// Envelopes remembered.
    pub fn len(&self) -> usize {
        self.seen.len()
    }

    /// Whether none is remembered.
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    /// Whether an envelope was kept since the last [`Relay::export`].
    pub const fn is_changed(&self) -> bool {
        self.changed
    }

    /// The envelopes to keep, for storage; those that last longest, if there are too many.
    pub fn export(&mut self) -> Vec<u8> {
        self.changed = false;
        let all = self.by_expiry.iter().rev().filter_map(|(_, id)| Some((id, self.seen.get(id)?)));
        let kept: Vec<_> = all.filter(|(_, seen)| seen.kept).take(MAX_KEPT).collect();
        let mut out = Writer::versioned();
        out.raw(&self.discovery.0).count(kept.len());
        for (id, seen) in kept {
            out.raw(&id.0).u8(seen.kind.byte()).varint(seen.expiry.min(MAX_SAFE)).u8(seen.hops);
        }
        out.finish()
    }

    /// What [`Relay::export`] wrote, without what has lapsed by `now` (ms).
    pub fn import(bytes: &[u8], now: u64) -> Result<Self, DecodeError> {
        let mut reader = Reader::versioned(bytes)?;
        let mut relay = Self::new(Hash(reader.array()?));
        for _ in 0..reader.count("envelopes", MAX_SEEN)? {
            let (id, byte) = (Hash(reader.array()?), reader.u8()?);
            let kind = EnvelopeKind::from_byte(byte)
                .ok_or(DecodeError::Unknown { what: "envelope kind", got: u64::from(byte) })?;
            let (expiry, hops) = (reader.varint()?, reader.u8()?);
            relay.remember(id, Seen { kind, expiry, hops, kept: true });
        }
        reader.end()?;
        relay.forget_expired(now);
        relay.changed = false;
        Ok(relay)
    }

    fn admit(&mut self, from: PeerId, bytes: usize, now: u64) -> bool {
        // The owner names live peers only; a bound is kept all the same.
        if self.peers.len() >= MAX_RELAY_PEERS && !self.peers.contains_key(&from) {
            self.peers.pop_first();
        }
        // The space as a whole may have four busy peers' worth.
        self.peers.entry(from).or_insert_with(|| Rates::new(1, now)).take(bytes, now)
            && self.all.get_or_insert_with(|| Rates::new(4, now)).take(bytes, now)
    }

    fn remember(&mut self, id: Hash, seen: Seen) {
        while self.seen.len() >= MAX_SEEN {
            let Some((_, first)) = self.by_expiry.pop_first() else { return };
            self.seen.remove(&first);
        }
        let expiry = seen.expiry;
        if let Some(before) = self.seen.insert(id, seen) {
            self.by_expiry.remove(&(before.expiry, id));
        }
        self.by_expiry.insert((expiry, id));
    }

    fn forget_expired(&mut self, now: u64) {
        while let Some((expiry, id)) = self.by_expiry.first().copied() {
            if expiry > now {
                return;
            }
            self.by_expiry.pop_first();
            self.seen.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{crypto::SecretKey32, testing::Seeded};
    use proptest::prelude::*;

    const SPACE: Hash = Hash([6; 32]);
    const A: PeerId = PeerId(1);
    const B: PeerId = PeerId(2);

    fn envelope(seed: u64, expiry: u64, hops: u8) -> Envelope {
        let mut made = Envelope::seal(
            EnvelopeKind::SignIn,
            SPACE,
            expiry,
            &SecretKey32([1; 32]),
            &seed.to_le_bytes(),
            &mut Seeded::new(seed),
        )
        .unwrap();
        made.hops = hops;
        made
    }

    #[test]
    fn delivers_once_and_forwards_again_only_what_goes_farther() {
        let mut relay = Relay::new(SPACE);
        let Verdict::Deliver { forward: Some(forward) } = relay.receive(A, &envelope(1, 100, 3), 0) else {
            panic!()
        };
        assert_eq!((forward.hops, forward.id()), (2, envelope(1, 100, 8).id()));
        for hops in 0..=3 {
            assert_eq!(relay.receive(B, &envelope(1, 100, hops), 0), Verdict::Drop(Dropped::Known));
        }
        let Verdict::Forward(again) = relay.receive(B, &envelope(1, 100, 8), 0) else { panic!() };
        assert_eq!(again.hops, 7);
        assert_eq!(relay.receive(A, &envelope(1, 100, 8), 0), Verdict::Drop(Dropped::Known));
        assert_eq!(relay.receive(A, &envelope(2, 100, 0), 0), Verdict::Deliver { forward: None });
    }

    #[test]
    fn time_and_space_are_checked_and_memory_lapses() {
        let mut relay = Relay::new(SPACE);
        assert_eq!(relay.receive(A, &envelope(1, 5, 1), 5), Verdict::Drop(Dropped::Expired));
        assert_eq!(
            relay.receive(A, &envelope(1, MAX_EXPIRY_MS + 1, 1), 0),
            Verdict::Drop(Dropped::TooFarAhead)
        );
        assert!(matches!(relay.receive(A, &envelope(1, MAX_EXPIRY_MS, 1), 0), Verdict::Deliver { .. }));
        let mut foreign = Relay::new(Hash([7; 32]));
        assert_eq!(foreign.receive(A, &envelope(1, 5, 1), 0), Verdict::Drop(Dropped::Foreign));
        assert_eq!(relay.len(), 1);
        relay.receive(A, &envelope(2, 5, 1), MAX_EXPIRY_MS);
        assert!(relay.is_empty());
    }

    #[test]
    fn one_loud_peer_does_not_silence_another_and_own_messages_do_not_come_back() {
        let mut relay = Relay::new(SPACE);
        let taken = (0..1_000)
            .filter(|seed| matches!(relay.receive(A, &envelope(*seed, 100, 1), 0), Verdict::Deliver { .. }))
            .count();
        assert_eq!(taken, usize::try_from(ENVELOPE_BURST).unwrap());
        assert!(matches!(relay.receive(B, &envelope(5_000, 100, 1), 0), Verdict::Deliver { .. }));
        let own = envelope(6_000, 100, 8);
        relay.publish(&own);
        assert_eq!(relay.receive(B, &own, 0), Verdict::Drop(Dropped::Known));
    }

    #[test]
    fn memory_survives_a_reload_and_is_bounded() {
        let mut relay = Relay::new(SPACE);
        for (seed, expiry) in [(1, 100), (2, 50), (3, 100)] {
            relay.receive(A, &envelope(seed, expiry, 3), 0);
        }
        // A flood that nobody could open is not stored.
        assert!(!relay.is_changed());
        relay.keep(&envelope(1, 100, 3));
        relay.keep(&envelope(2, 50, 3));
        relay.keep(&envelope(4, 50, 3));
        assert!(relay.is_changed());
        let mut again = Relay::import(&relay.export(), 60).unwrap();
        assert!(!relay.is_changed() && !again.is_changed());
        assert_eq!(again.len(), 1);
        assert_eq!(again.receive(B, &envelope(1, 100, 3), 60), Verdict::Drop(Dropped::Known));
        let mut full = Relay::new(SPACE);
        for at in 0..MAX_SEEN + 10 {
            let id = crate::crypto::blake2b(&[&at.to_le_bytes()]);
            let expiry = u64::try_from(at).unwrap() + 1;
            full.remember(id, Seen { kind: EnvelopeKind::Epoch, expiry, hops: 0, kept: true });
        }
        assert_eq!((full.len(), full.by_expiry.len()), (MAX_SEEN, MAX_SEEN));
        assert_eq!(full.by_expiry.first().map(|(expiry, _)| *expiry), Some(11));
        let bytes = full.export();
        assert!(bytes.len() < MAX_KEPT * 44);
        assert_eq!(Relay::import(&bytes, 0).unwrap().len(), MAX_KEPT);
    }

    // Every node forwards to all others but the one it came from, as fast as it can: a full mesh of relays.
    #[test]
    fn relays_in_a_ring_do_not_loop() {
        const NODES: u64 = 5;
        let mut relays: Vec<_> = (0..NODES).map(|_| Relay::new(SPACE)).collect();
        let first = envelope(1, 100, 8);
        relays[0].publish(&first);
        let mut wire: std::collections::VecDeque<_> = (1..NODES).map(|to| (0, to, first.clone())).collect();
        let (mut sent, mut delivered) = (0, 0);
        while let Some((from, to, envelope)) = wire.pop_front() {
            sent += 1;
            assert!(sent < 200, "loops");
            let forward = match relays[usize::try_from(to).unwrap()].receive(PeerId(from), &envelope, 0) {
                Verdict::Deliver { forward } => {
                    delivered += 1;
                    forward
                }
                Verdict::Forward(forward) => Some(forward),
                Verdict::Drop(_) => None,
            };
            let others = (0..NODES).filter(|peer| *peer != from && *peer != to);
            wire.extend(forward.iter().flat_map(|f| others.clone().map(move |peer| (to, peer, f.clone()))));
        }
        assert_eq!((delivered, wire.len()), (NODES - 1, 0));
        assert_eq!(sent, (NODES - 1) + (NODES - 1) * (NODES - 2));
    }

    proptest! {
        #[test]
        fn any_import_never_panics(bytes: Vec<u8>) {
            let _ = Relay::import(&[&[1], bytes.as_slice()].concat(), 0);
        }
    }
}
