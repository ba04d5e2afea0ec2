//! Sealed signalling: what goes through a hub, and who can read it.
//!
//! ```text
//! envelope  nonce 24 │ sealed(plain)   key = BLAKE2b-256(key = space key, ns(hypha/v1/signal)), ad = topic 32
//! plain     u16 length │ payload │ zeros up to 256, 1024, 4096 or 16384
//! payload   version 1 │ kind u8 │ sender's X25519 key 32 │ time u64 │ sequence u64 │ …
//! hello     (kind 0, to a room)   … wants u8
//! direct    (kind 1, to an inbox) … recipient's id 16 │ nonce 24 │ sealed(verb u8 │ attempt │ round │ past │ body)
//!           key = BLAKE2b-256(ns(hypha/v1/signal-pair) ‖ X25519 ‖ sender's key ‖ recipient's key ‖ topic)
//!           ad = the payload up to the nonce; attempt, round, past: variable integers, 0 where without meaning
//! verb      0 here     body = wants u8
//!           1 offer    body = {"type":"offer","sdp":"…"}             RTCSessionDescription
//!           2 answer   body = {"type":"answer","sdp":"…"}
//!           3 candidates  body = [{"candidate":…,"sdpMid":…}, …]     RTCIceCandidateInit
//!           4 bye      body = why u8
//!           5 relay    bytes of a session; attempt, round and past as in `relay.rs`
//! ```
//! Integers are little endian. A hub sees topics, times and four sizes. Whoever has the link reads who is there,
//! and nothing of what two others tell each other: SDP holds addresses. A sender is named by its key, of which its
//! id is the hash; direct messages prove the key, a hello does not need to, since nothing follows from it but a
//! direct message to the key's owner. Copies from several hubs and replays are dropped by content, direct ones by
//! sequence too; what is more than a day and an hour off by our clock is stale.

use std::collections::VecDeque;

use x25519_dalek::{PublicKey as SessionKey, StaticSecret};
use zeroize::Zeroizing;

use super::json::{Json, array};
use super::relay::Packet;
use super::{
    Candidate, Counters, Description, MAX_CANDIDATE, MAX_CANDIDATES, MAX_SDP, NodeId, Topic, replay::Seen,
};
use crate::codec::{DecodeError, Reader, Writer};
use crate::crypto::{
    Entropy, NONCE_LENGTH, Namespace, PublicKey, TAG_LENGTH, blake2b_128, hash_to, keyed_parts, open, seal,
};

/// A node's signalling session: its key pair, its sequence, and what it has seen.
pub(crate) struct Signalling {
    secret: StaticSecret,
    public: [u8; 32],
    id: NodeId,
    sequence: u64,
    seen: Seen,
    /// What was agreed with those last spoken to, by their key, the latest at the end: an agreement costs as much as all
    /// else of a message twenty times over, and a dozen messages go between two that connect.
    agreed: VecDeque<([u8; 32], Zeroizing<[u8; 32]>)>,
    pub(crate) counters: Counters,
}

/// How much a node would like another link.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Wants {
    Nothing,
    /// Would take one.
    Some,
    /// Has fewer than three.
    Hungry,
}

/// Why one side does not want this connection, or no more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Bye {
    /// Closed or failed.
    Closed,
    /// Has as many links as it takes.
    Full,
    /// Connected in a better way.
    Unneeded,
}

/// A message to one node.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Direct {
    /// Answer to a hello.
    Here(Wants),
    /// An offer; `round` counts this side's offers within the attempt.
    Offer {
        attempt: u64,
        round: u64,
        description: Description,
    },
    /// The answer to the offer of that round; the answerer's own offers up to `past` are void.
    Answer {
        attempt: u64,
        round: u64,
        past: u64,
        description: Description,
    },
    Candidates {
        attempt: u64,
        candidates: Vec<Candidate>,
    },
    Bye {
        attempt: u64,
        why: Bye,
    },
    Relay {
        attempt: u64,
        packet: Packet,
    },
}

/// What came through a hub and is genuine.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) sender: [u8; 32],
    pub(crate) sequence: u64,
    pub(crate) content: Content,
}

#[derive(Debug)]
pub(crate) enum Content {
    Hello(Wants),
    Direct(Direct),
}

impl Signalling {
    pub(crate) fn new(entropy: &mut dyn Entropy) -> Self {
        let seed = Zeroizing::new(entropy.array32());
        let secret = StaticSecret::from(*seed);
        let public = SessionKey::from(&secret).to_bytes();
        Self {
            secret,
            public,
            id: NodeId::of(&public),
            sequence: 0,
            seen: Seen::default(),
            agreed: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    pub(crate) const fn id(&self) -> NodeId {
        self.id
    }

    /// This node's X25519 key for the session.
    pub(crate) const fn key(&self) -> [u8; 32] {
        self.public
    }

    /// A hello for several rooms of a space: one payload, so that whoever is in two of them hears it once.
    pub(crate) fn hello(
        &mut self,
        space: &PublicKey,
        rooms: &[Topic],
        wants: Wants,
        now: u64,
        entropy: &mut dyn Entropy,
    ) -> Vec<Vec<u8>> {
        let mut payload = self.header(HELLO, now);
        payload.u8(wants.to_u8());
        let payload = payload.finish();
        rooms.iter().filter_map(|room| envelope(space, room, &payload, entropy)).collect()
    }

    /// A message for one node's inbox in a space; `None` if it is too large or the key is none.
    pub(crate) fn direct(
        &mut self,
        space: &PublicKey,
        recipient: &[u8; 32],
        direct: &Direct,
        now: u64,
        entropy: &mut dyn Entropy,
    ) -> Option<(Topic, Vec<u8>)> {
        let to = NodeId::of(recipient);
        let topic = super::inbox(space, &to);
        let key = self.pair_key(recipient, &topic, Way::Out)?;
        let mut payload = self.header(DIRECT, now);
        payload.raw(&to.0);
        let nonce = entropy.array24();
        let sealed = seal(&key, &nonce, payload.as_slice(), &direct.encode()?);
        payload.raw(&nonce).raw(&sealed);
        Some((topic, envelope(space, &topic, payload.as_slice(), entropy)?))
    }

    /// Opens what came under a topic of a space. Everything that is not for us is counted and dropped.
    pub(crate) fn receive(
        &mut self,
        space: &PublicKey,
        topic: &Topic,
        sealed: &[u8],
        now: u64,
    ) -> Option<Received> {
        match self.try_receive(space, topic, sealed, now) {
            Ok(received) => {
                self.counters.accepted = self.counters.accepted.saturating_add(1);
                Some(received)
            }
            Err(dropped) => {
                self.count(dropped);
                None
            }
        }
    }

    /// Counts a drop that was decided elsewhere.
    pub(crate) const fn count(&mut self, dropped: Dropped) {
        let counter = match dropped {
            Dropped::Duplicate => &mut self.counters.duplicate,
            Dropped::Flooded => &mut self.counters.flooded,
            Dropped::Foreign => &mut self.counters.foreign,
            Dropped::Own => &mut self.counters.own,
            Dropped::Stale => &mut self.counters.stale,
        };
        *counter = counter.saturating_add(1);
    }

    fn try_receive(
        &mut self,
        space: &PublicKey,
        topic: &Topic,
        sealed: &[u8],
        now: u64,
    ) -> Result<Received, Dropped> {
        if sealed.len() > MAX_ENVELOPE {
            return Err(Dropped::Foreign);
        }
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_LENGTH>().ok_or(Dropped::Foreign)?;
        let plain = open(&broadcast_key(space), nonce, &topic.0, rest).map_err(|_| Dropped::Foreign)?;
        let mut plain = Reader::new(&plain);
        let length = usize::from(plain.u16()?);
        let payload = plain.raw(length)?;
        let mut reader = Reader::versioned(payload)?;
        let kind = reader.u8()?;
        let sender: [u8; 32] = reader.array()?;
        let (time, sequence) = (reader.u64()?, reader.u64()?);
        if sender == self.public {
            return Err(Dropped::Own);
        }
        if time.abs_diff(now) > MAX_SKEW_MS {
            return Err(Dropped::Stale);
        }
        let content = match kind {
            HELLO => {
                let wants = Wants::from_u8(reader.u8()?)?;
                reader.end()?;
                Content::Hello(wants)
            }
            DIRECT => {
                let to = reader.array()?;
                if to != self.id.0 {
                    return Err(Dropped::Foreign);
                }
                let header = payload.len().checked_sub(reader.remaining()).ok_or(Dropped::Foreign)?;
                let ad = payload.get(..header).ok_or(Dropped::Foreign)?;
                let nonce = reader.array()?;
                let key = self.pair_key(&sender, topic, Way::In).ok_or(Dropped::Foreign)?;
                let inner = open(&key, &nonce, ad, reader.rest()).map_err(|_| Dropped::Foreign)?;
                Content::Direct(Direct::decode(&inner)?)
            }
            _ => return Err(Dropped::Foreign),
        };
        // Last, so that only what opens takes a place in memory.
        if self.seen.insert(blake2b_128(&[payload])) {
            Ok(Received { sender, sequence, content })
        } else {
            Err(Dropped::Duplicate)
        }
    }

    fn header(&mut self, kind: u8, now: u64) -> Writer {
        self.sequence = self.sequence.saturating_add(1);
        let mut writer = Writer::versioned();
        writer.u8(kind).raw(&self.public).u64(now).u64(self.sequence);
        writer
    }

    /// The key of one direction between us and another; `None` if theirs is a point of small order.
    fn pair_key(&mut self, other: &[u8; 32], topic: &Topic, way: Way) -> Option<Zeroizing<[u8; 32]>> {
        let known = self.agreed.iter().position(|(key, _)| key == other);
        let shared = match known.and_then(|at| self.agreed.remove(at)) {
            Some((_, shared)) => shared,
            None => {
                let shared = self.secret.diffie_hellman(&SessionKey::from(*other));
                if !shared.was_contributory() {
                    return None;
                }
                Zeroizing::new(shared.to_bytes())
            }
        };
        if self.agreed.len() >= MAX_AGREED {
            self.agreed.pop_front();
        }
        self.agreed.push_back((*other, shared.clone()));
        let (from, to) = match way {
            Way::In => (other, &self.public),
            Way::Out => (&self.public, other),
        };
        let key = hash_to(Namespace::SignalPair, &[shared.as_slice(), from, to, &topic.0]);
        Some(Zeroizing::new(key.0))
    }
}

/// Why a message was dropped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Dropped {
    Duplicate,
    Flooded,
    Foreign,
    Own,
    Stale,
}

impl From<DecodeError> for Dropped {
    fn from(_: DecodeError) -> Self {
        Self::Foreign
    }
}

impl Wants {
    pub(crate) const fn to_u8(self) -> u8 {
        match self {
            Self::Nothing => 0,
            Self::Some => 1,
            Self::Hungry => 2,
        }
    }

    pub(crate) const fn from_u8(byte: u8) -> Result<Self, Dropped> {
        match byte {
            0 => Ok(Self::Nothing),
            1 => Ok(Self::Some),
            2 => Ok(Self::Hungry),
            _ => Err(Dropped::Foreign),
        }
    }
}

impl Bye {
    const fn to_u8(self) -> u8 {
        match self {
            Self::Closed => 0,
            Self::Full => 1,
            Self::Unneeded => 2,
        }
    }

    const fn from_u8(byte: u8) -> Result<Self, Dropped> {
        match byte {
            0 => Ok(Self::Closed),
            1 => Ok(Self::Full),
            2 => Ok(Self::Unneeded),
            _ => Err(Dropped::Foreign),
        }
    }
}

impl Direct {
    fn encode(&self) -> Option<Vec<u8>> {
        let (verb, attempt, round, past, body) = match self {
            Self::Here(wants) => (0, 0, 0, 0, vec![wants.to_u8()]),
            Self::Offer { attempt, round, description } => {
                (1, *attempt, *round, 0, description.to_json().into_bytes())
            }
            Self::Answer { attempt, round, past, description } => {
                (2, *attempt, *round, *past, description.to_json().into_bytes())
            }
            Self::Candidates { attempt, candidates } => (
                3,
                *attempt,
                0,
                0,
                array(&candidates.iter().map(Candidate::to_json).collect::<Vec<_>>(), "").into_bytes(),
            ),
            Self::Bye { attempt, why } => (4, *attempt, 0, 0, vec![why.to_u8()]),
            Self::Relay { attempt, packet } => {
                (5, *attempt, packet.number, packet.past, packet.bytes.clone())
            }
        };
        let mut writer = Writer::new();
        writer.u8(verb).varint(attempt).varint(round).varint(past).raw(&body);
        Some(writer.finish())
    }

    fn decode(bytes: &[u8]) -> Result<Self, Dropped> {
        let mut reader = Reader::new(bytes);
        let verb = reader.u8()?;
        let (attempt, round, past) = (reader.varint()?, reader.varint()?, reader.varint()?);
        let body = reader.rest();
        let description = || -> Result<Description, Dropped> {
            let json = Json::parse_bytes(body).ok_or(Dropped::Foreign)?;
            let description = Description::from_json(json).ok_or(Dropped::Foreign)?;
            if description.sdp.len() <= MAX_SDP { Ok(description) } else { Err(Dropped::Foreign) }
        };
        let byte = || body.first().copied().ok_or(Dropped::Foreign);
        Ok(match verb {
            0 => Self::Here(Wants::from_u8(byte()?)?),
            1 => Self::Offer { attempt, round, description: description()? },
            2 => Self::Answer { attempt, round, past, description: description()? },
            3 => {
                let items = Json::parse_bytes(body).and_then(Json::into_array).ok_or(Dropped::Foreign)?;
                let candidates: Option<Vec<Candidate>> =
                    items.into_iter().map(Candidate::from_json).collect();
                let candidates = candidates.ok_or(Dropped::Foreign)?;
                let fits = |candidate: &Candidate| candidate.candidate.len() <= MAX_CANDIDATE;
                if candidates.len() > MAX_CANDIDATES || !candidates.iter().all(fits) {
                    return Err(Dropped::Foreign);
                }
                Self::Candidates { attempt, candidates }
            }
            4 => Self::Bye { attempt, why: Bye::from_u8(byte()?)? },
            5 => Self::Relay { attempt, packet: Packet { number: round, past, bytes: body.to_vec() } },
            _ => return Err(Dropped::Foreign),
        })
    }
}

enum Way {
    In,
    Out,
}

fn broadcast_key(space: &PublicKey) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(keyed_parts(&space.0, &[&Namespace::Signal.bytes()]).0)
}

/// Pads and seals; `None` above the largest bucket.
fn envelope(space: &PublicKey, topic: &Topic, payload: &[u8], entropy: &mut dyn Entropy) -> Option<Vec<u8>> {
    let length = u16::try_from(payload.len()).ok()?;
    let bucket = BUCKETS.into_iter().find(|bucket| payload.len().saturating_add(2) <= *bucket)?;
    let mut plain = Writer::new();
    plain.u16(length).raw(payload);
    let mut plain = plain.finish();
    plain.resize(bucket, 0);
    let nonce = entropy.array24();
    let mut out = nonce.to_vec();
    out.extend(seal(&broadcast_key(space), &nonce, &topic.0, &plain));
    Some(out)
}

const HELLO: u8 = 0;
const DIRECT: u8 = 1;
/// With how many it is kept what was agreed: more than are dialled at a time.
const MAX_AGREED: usize = 16;
/// Sizes of what is sealed.
const BUCKETS: [usize; 4] = [256, 1024, 4096, 16384];
/// Bytes of a sealed hello: it fits the smallest size.
pub(crate) const MAX_HELLO: usize = NONCE_LENGTH + 256 + TAG_LENGTH;
const MAX_ENVELOPE: usize = NONCE_LENGTH + 16384 + TAG_LENGTH;
/// Clocks may be a day apart; an hour for the way.
const MAX_SKEW_MS: u64 = 25 * 3_600_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::{SdpType, room};
    use crate::testing::Seeded;

    const SPACE: PublicKey = PublicKey([7; 32]);
    const NOW: u64 = 1_800_000_000_000;

    fn pair() -> (Signalling, Signalling, Seeded) {
        let mut entropy = Seeded::new(1);
        (Signalling::new(&mut entropy), Signalling::new(&mut entropy), entropy)
    }

    fn offer(size: usize) -> Direct {
        let description = Description { sdp_type: SdpType::Offer, sdp: "x".repeat(size) };
        Direct::Offer { attempt: 3, round: 1, description }
    }

    #[test]
    fn a_hello_is_heard_once_by_link_holders_only() {
        let (mut alice, mut bob, mut entropy) = pair();
        let rooms = [room(&SPACE, 1), room(&SPACE, 2)];
        let sealed = alice.hello(&SPACE, &rooms, Wants::Hungry, NOW, &mut entropy);
        assert!(MAX_HELLO == 24 + 256 + 16 && sealed.iter().all(|s| s.len() == MAX_HELLO));
        assert!(bob.receive(&PublicKey([8; 32]), &rooms[0], &sealed[0], NOW).is_none());
        assert!(bob.receive(&SPACE, &rooms[1], &sealed[0], NOW).is_none(), "another topic");
        let got = bob.receive(&SPACE, &rooms[0], &sealed[0], NOW).unwrap();
        assert_eq!(NodeId::of(&got.sender), alice.id());
        assert!(matches!(got.content, Content::Hello(Wants::Hungry)));
        assert!(bob.receive(&SPACE, &rooms[1], &sealed[1], NOW).is_none(), "copy");
        assert!(alice.receive(&SPACE, &rooms[0], &sealed[0], NOW).is_none());
        let expected = Counters { accepted: 1, duplicate: 1, foreign: 2, ..Counters::default() };
        assert_eq!(bob.counters, expected);
        assert_eq!(alice.counters, Counters { own: 1, ..Counters::default() });
    }

    #[test]
    fn clocks_a_day_apart_are_fine_and_older_is_stale() {
        let (mut alice, mut bob, mut entropy) = pair();
        for (skew, heard) in [(0, true), (86_400_000, true), (26 * 3_600_000, false)] {
            let topic = room(&SPACE, 1);
            let sealed = alice.hello(&SPACE, &[topic], Wants::Some, NOW, &mut entropy);
            assert_eq!(bob.receive(&SPACE, &topic, &sealed[0], NOW + skew).is_some(), heard, "{skew}");
        }
        assert_eq!(bob.counters.stale, 1);
    }

    #[test]
    fn a_direct_message_opens_for_its_recipient_only() {
        let (mut alice, mut bob, mut entropy) = pair();
        let mut eve = Signalling::new(&mut entropy);
        for (size, bucket) in [(10, 256), (700, 1024), (3_000, 4096), (12_000, 16384)] {
            let (topic, sealed) = alice.direct(&SPACE, &bob.public, &offer(size), NOW, &mut entropy).unwrap();
            assert_eq!(sealed.len(), 24 + bucket + 16);
            assert!(eve.receive(&SPACE, &topic, &sealed, NOW).is_none());
            let got = bob.receive(&SPACE, &topic, &sealed, NOW).unwrap();
            assert!(matches!(got.content, Content::Direct(direct) if direct == offer(size)));
            assert!(bob.receive(&SPACE, &topic, &sealed, NOW).is_none(), "replay");
            for at in (0..sealed.len()).step_by(97) {
                let mut bad = sealed.clone();
                bad[at] ^= 1;
                assert!(bob.receive(&SPACE, &topic, &bad, NOW).is_none());
            }
        }
        assert!(alice.direct(&SPACE, &bob.public, &offer(20_000), NOW, &mut entropy).is_none());
        assert!(alice.direct(&SPACE, &[0; 32], &offer(1), NOW, &mut entropy).is_none(), "small order");
    }

    #[test]
    fn inside_is_what_browsers_and_webrtc_rs_write() {
        let json = r#"[{"candidate":"candidate:1 1 udp 1 10.0.0.1 9 typ host","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"ab"}]"#;
        let candidates: Vec<Candidate> = serde_json::from_str(json).unwrap();
        let direct = Direct::Candidates { attempt: 1, candidates };
        let bytes = direct.encode().unwrap();
        assert_eq!(core::str::from_utf8(&bytes[4..]).unwrap(), json);
        assert_eq!(Direct::decode(&bytes), Ok(direct));
        assert_eq!(&offer(1).encode().unwrap()[4..], br#"{"type":"offer","sdp":"x"}"#);
        let bare: Candidate = serde_json::from_str(r#"{"candidate":"x"}"#).unwrap();
        assert_eq!((bare.sdp_mid, bare.username_fragment), (None, None));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_never_panic(bytes: Vec<u8>, payload: Vec<u8>) {
            let (_, mut bob, mut entropy) = pair();
            let topic = room(&SPACE, 1);
            let _ = bob.receive(&SPACE, &topic, &bytes, NOW);
            let _ = Direct::decode(&bytes);
            if let Some(sealed) = envelope(&SPACE, &topic, &payload, &mut entropy) {
                let _ = bob.receive(&SPACE, &topic, &sealed, NOW);
            }
        }
    }
}
