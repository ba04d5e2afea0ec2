//! The channels of several nodes, connected by hand.
//!
//! The first tests name the faults of the originals' extension for ephemeral messages, their dedup and their sign-in
//! requests, each as what is so here.

use std::collections::VecDeque;

use super::*;
use crate::{
    crypto::MessageKey,
    node::{
        Call, State,
        sim::{World, post, secret},
    },
    space::{DeviceGrant, Expect, Keys, Role, WriteOp},
    storage::MemoryBackend,
    sync::{
        limits::{
            ENVELOPE_BURST, ENVELOPE_BYTES_BURST, ENVELOPE_BYTES_PER_SECOND, ENVELOPES_PER_SECOND,
            MAX_EXPIRY_MS, MAX_HOPS,
        },
        prove_from,
    },
    testing::Seeded,
};

const START: u64 = 1_800_000_000_000;

struct Node {
    files: Files,
    space: Space,
    channel: Ephemeral,
    entropy: Seeded,
    secrets: Option<Secrets>,
    /// By how much its clock is wrong, ms.
    wrong: i64,
    heard: Vec<PageMessage>,
    sign_ins: Vec<Vec<u8>>,
    told: Vec<&'static str>,
    joins: Vec<(PublicKey, Vec<u8>)>,
}

impl Node {
    fn party(&self) -> Party<'_> {
        Party { space: &self.space, files: &self.files, secrets: self.secrets.as_ref() }
    }

    /// The channel and what it is lent.
    fn parts(&mut self) -> (&mut Ephemeral, Party<'_>, &mut Seeded) {
        let Self { channel, space, files, secrets, entropy, .. } = self;
        (channel, Party { space, files, secrets: secrets.as_ref() }, entropy)
    }

    fn key(&self) -> PublicKey {
        self.channel.own_key(&self.party())
    }
}

fn secrets(seed: u8) -> Secrets {
    let message = Some(MessageKey::from_bytes([9; 32]));
    Secrets { install: crate::crypto::InstallSecret::from_bytes([seed; 32]), message }
}

/// The key of the device with these secrets.
fn device(seed: u8) -> Signer {
    secrets(seed).keys(&root().public()).signer
}

fn root() -> Signer {
    Signer::from_seed(&[200; 32])
}

/// Nodes, who is linked to whom, and what is under way.
struct Net {
    nodes: Vec<Node>,
    links: Vec<(usize, usize)>,
    wire: VecDeque<(usize, usize, Envelope)>,
    now: u64,
    /// Envelopes carried.
    carried: usize,
    /// Every one of them.
    log: Vec<(usize, usize, Envelope)>,
}

impl Net {
    /// So many devices of the space, the first of which began it, then so many visitors; nobody is linked.
    fn new(devices: u8, visitors: u8) -> Self {
        let nodes = (0..devices + visitors).map(|at| Self::node(at, at < devices)).collect();
        let mut net =
            Self { nodes, links: Vec::new(), wire: VecDeque::new(), now: START, carried: 0, log: Vec::new() };
        let first = &mut net.nodes[0];
        let grant = |at: u8| {
            let writer = device(at + 1).public();
            DeviceGrant { writer, install_id: [at; 16], name: format!("device {at}") }
        };
        let keys = Keys { signer: device(1) };
        let message = MessageKey::from_bytes([9; 32]);
        let Node { files, space, entropy, .. } = first;
        space.found(files, START, entropy, &root(), &grant(0), keys, &message, "example.org").unwrap();
        for at in 1..devices {
            space.grant(files, START, entropy, &grant(at), Role::Admin).unwrap();
        }
        for at in 1..net.nodes.len() {
            net.level(0, at);
            if at < usize::from(devices) {
                let Node { files, space, .. } = &mut net.nodes[at];
                let keys = Keys { signer: device(u8::try_from(at).unwrap() + 1) };
                space.unlock(files, keys).unwrap();
                assert!(space.is_writable() && space.usable_epoch().is_some());
            }
        }
        net
    }

    fn node(at: u8, device: bool) -> Node {
        let mut files = Files::load(MemoryBackend::new().snapshot()).unwrap();
        let mut entropy = Seeded::new(u64::from(at) + 77);
        let space = Space::open(&mut files, root().public()).unwrap();
        let channel = Ephemeral::open(&mut files, root().public(), &mut entropy, START).unwrap();
        Node {
            files,
            space,
            channel,
            entropy,
            secrets: device.then(|| secrets(at + 1)),
            wrong: 0,
            heard: Vec::new(),
            sign_ins: Vec::new(),
            told: Vec::new(),
            joins: Vec::new(),
        }
    }

    /// Gives everything that one node holds of the space to another.
    fn level(&mut self, from: usize, to: usize) {
        let records: Vec<_> = self.nodes[from].space.records().map(<[u8]>::to_vec).collect();
        for record in records {
            let Node { files, space, .. } = &mut self.nodes[to];
            space.add_record(files, &record).unwrap();
        }
        for _ in 0..3 {
            let feeds: Vec<PublicKey> = self.nodes[from].space.feeds().map(crate::feed::Feed::key).collect();
            for key in feeds {
                let have = self.nodes[to].space.feed(&key).map_or(0, crate::feed::Feed::length);
                let Node { files, space, .. } = &self.nodes[from];
                let feed = space.feed(&key).unwrap();
                if feed.length() > have && self.nodes[to].space.followed(&key) {
                    let (proof, blocks) =
                        prove_from(feed, files, have..feed.length(), have, usize::MAX).unwrap();
                    let Node { files, space, .. } = &mut self.nodes[to];
                    space.accept(files, &key, &proof, &blocks).unwrap();
                }
            }
        }
    }

    fn write(&mut self, at: usize, key: &str) {
        let Node { files, space, entropy, .. } = &mut self.nodes[at];
        let value = cbor(key);
        let put = WriteOp::Put { key: key.to_owned(), value, private: false, expect: Expect::Any };
        space.write(files, START, entropy, vec![put]).unwrap();
    }

    fn link(&mut self, one: usize, other: usize) {
        self.links.push((one, other));
        for (at, peer) in [(one, other), (other, one)] {
            let now = self.time(at);
            let offset = i64::try_from(self.time(peer)).unwrap() - i64::try_from(now).unwrap();
            let key = self.nodes[peer].space.writer();
            let channel = &mut self.nodes[at].channel;
            channel.peer_came(peer_id(peer), now);
            channel.peer_clock(peer_id(peer), offset);
            if let Some(key) = key {
                channel.peer_proven(peer_id(peer), key);
            }
        }
    }

    fn cut_link(&mut self, one: usize, other: usize) {
        self.links.retain(|link| *link != (one, other));
        self.nodes[one].channel.peer_gone(peer_id(other));
        self.nodes[other].channel.peer_gone(peer_id(one));
    }

    fn full_mesh(&mut self) {
        for one in 0..self.nodes.len() {
            for other in 0..one {
                self.link(other, one);
            }
        }
    }

    fn time(&self, at: usize) -> u64 {
        self.now.checked_add_signed(self.nodes[at].wrong).unwrap()
    }

    fn peers(&self, at: usize) -> Vec<usize> {
        let other = |(a, b): &(usize, usize)| match at {
            at if at == *a => Some(*b),
            at if at == *b => Some(*a),
            _ => None,
        };
        self.links.iter().filter_map(other).collect()
    }

    /// Pumps every node and carries envelopes until nothing moves.
    fn settle(&mut self) {
        loop {
            for at in 0..self.nodes.len() {
                let now = self.time(at);
                let (channel, party, entropy) = self.nodes[at].parts();
                channel.pump(&party, entropy, now);
                let Node { channel, files, .. } = &mut self.nodes[at];
                channel.save(files, now);
                self.drain(at);
            }
            if self.wire.is_empty() {
                return;
            }
            while let Some((from, to, envelope)) = self.wire.pop_front() {
                self.deliver(from, to, &envelope);
            }
        }
    }

    fn deliver(&mut self, from: usize, to: usize, envelope: &Envelope) {
        self.carried += 1;
        assert!(self.carried < 100_000, "goes in circles");
        self.log.push((from, to, envelope.clone()));
        let envelope = Envelope::decode(&envelope.encode()).unwrap();
        let now = self.time(to);
        let (channel, party, _) = self.nodes[to].parts();
        channel.receive(peer_id(from), &envelope, &party, now);
        self.drain(to);
    }

    fn drain(&mut self, at: usize) {
        while let Some(told) = self.nodes[at].channel.poll() {
            let node = &mut self.nodes[at];
            match told {
                Told::Send { envelope, but } => {
                    for peer in self.peers(at) {
                        if but != Some(peer_id(peer)) {
                            self.wire.push_back((at, peer, envelope.clone()));
                        }
                    }
                }
                Told::SignIn { plain, .. } => node.sign_ins.push(plain.to_vec()),
                Told::Message(message) => node.heard.push(message),
                Told::Join { sender, payload } => node.joins.push((sender, payload)),
                Told::Presence => node.told.push("presence"),
                Told::Heads => node.told.push("heads"),
                Told::Forked { .. } => node.told.push("forked"),
            }
        }
    }

    /// Lets time pass, second by second, and heartbeats with it.
    fn run(&mut self, ms: u64) {
        for _ in 0..ms / 1000 {
            self.now += 1000;
            for (one, other) in self.links.clone() {
                for (at, peer) in [(one, other), (other, one)] {
                    let offset =
                        i64::try_from(self.time(peer)).unwrap() - i64::try_from(self.time(at)).unwrap();
                    self.nodes[at].channel.peer_clock(peer_id(peer), offset);
                }
            }
            self.settle();
        }
    }

    fn send(
        &mut self,
        at: usize,
        text: &str,
        to: Option<PublicKey>,
        private: Option<bool>,
    ) -> Result<(), ErrorCode> {
        let (channel, party, _) = self.nodes[at].parts();
        channel.send(cbor(text), to, private, &party).map_err(|error| error.code)
    }

    fn sign_in(&mut self, at: usize, text: &[u8]) {
        let now = self.time(at);
        let (channel, party, entropy) = self.nodes[at].parts();
        // Who has only the link has the message key from elsewhere.
        let keys = secrets(0);
        let party = Party { secrets: party.secrets.or(Some(&keys)), ..party };
        channel.send_sign_in(text, &party, entropy, now);
        self.drain(at);
        self.settle();
    }

    fn set(&mut self, at: usize, state: Option<&str>) {
        let now = self.time(at);
        self.nodes[at].channel.set_presence(state.map(cbor), now).unwrap();
        self.settle();
    }

    /// Who is here, as one node sees it.
    fn here(&self, at: usize) -> Vec<(PublicKey, String)> {
        let present = self.nodes[at].channel.presence(self.time(at));
        present.into_iter().map(|one| (one.key, text(&one.state))).collect()
    }

    fn heard(&self, at: usize) -> Vec<String> {
        self.nodes[at].heard.iter().map(|message| text(&message.data)).collect()
    }

    /// Closes and opens the page of a node: what was not stored is gone.
    fn reload(&mut self, at: usize) {
        let now = self.time(at);
        let Node { files, channel, entropy, .. } = &mut self.nodes[at];
        *channel = Ephemeral::open(files, root().public(), entropy, now).unwrap();
        for peer in self.peers(at) {
            self.nodes[at].channel.peer_came(peer_id(peer), now);
        }
    }

    /// The last envelope that a node sent.
    fn last_from(&self, at: usize) -> Envelope {
        self.log.iter().rev().find(|(from, ..)| *from == at).unwrap().2.clone()
    }
}

fn peer_id(at: usize) -> PeerId {
    PeerId(u64::try_from(at).unwrap())
}

fn cbor(text: &str) -> Vec<u8> {
    crate::codec::encode_value(&crate::codec::Value::Text(text.to_owned())).unwrap()
}

fn text(bytes: &[u8]) -> String {
    let crate::codec::Value::Text(text) = decode_value(bytes).unwrap() else { panic!() };
    text
}

/// Junk that no key opens, of a kind.
fn junk(kind: EnvelopeKind, size: usize, seed: u64, now: u64) -> Envelope {
    let key = SecretKey32(crate::crypto::blake2b(&[&seed.to_le_bytes()]).0);
    let discovery = root().public().discovery_key();
    Envelope::seal(kind, discovery, now + 60_000, &key, &vec![7; size], &mut Seeded::new(seed)).unwrap()
}

// ── H13: the extension for ephemeral messages ──

#[test]
fn h13_1_a_bad_tag_is_an_error_and_what_is_under_it_is_never_parsed() {
    let mut net = Net::new(2, 0);
    net.full_mesh();
    net.send(0, "hello", None, None).unwrap();
    net.settle();
    assert_eq!(net.heard(1), ["hello"]);
    // Each byte of the ciphertext, changed: refused by its tag, not because it is no text.
    let sent = net.log.iter().find(|(from, _, sent)| *from == 0 && sent.size() > 150).unwrap().2.clone();
    for kind in [EnvelopeKind::Epoch, EnvelopeKind::Public, EnvelopeKind::SignIn] {
        let good = if kind == sent.kind { sent.clone() } else { junk(kind, 200, 1, net.now) };
        let bytes = good.encode();
        for at in (bytes.len() - good.size()..bytes.len()).step_by(40) {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            let before = net.nodes[1].channel.refused();
            net.deliver(0, 1, &Envelope::decode(&bad).unwrap());
            let after = net.nodes[1].channel.refused();
            assert_eq!(after, Refused { unreadable: before.unreadable + 1, ..before }, "{kind:?} byte {at}");
        }
    }
    assert_eq!((net.heard(1).len(), net.nodes[1].sign_ins.len()), (1, 0));
}

#[test]
fn h13_2_relays_do_not_loop_and_nothing_is_reflected_to_its_sender() {
    // Two visitors, as relays, between two devices; everybody is linked to everybody.
    let mut net = Net::new(2, 2);
    net.full_mesh();
    net.settle();
    (net.carried, net.log) = (0, Vec::new());
    net.send(0, "once", None, None).unwrap();
    net.settle();
    assert_eq!(net.heard(1), ["once"]);
    // Three of the first, two more of each of the others: each node once to each but the one it came from.
    assert_eq!(net.carried, 9);
    assert!(net.log.iter().all(|(_, to, _)| *to != 0), "reflected");
    // Two relays in a ring alone, and a message that both see first from the other side.
    let mut net = Net::new(2, 2);
    for (one, other) in [(0, 2), (2, 3), (3, 1), (0, 3), (2, 1)] {
        net.link(one, other);
    }
    net.settle();
    net.carried = 0;
    net.send(0, "through", None, None).unwrap();
    net.settle();
    assert_eq!((net.heard(1).as_slice(), net.wire.len()), (["through".to_owned()].as_slice(), 0));
    assert!(net.carried <= 2 * net.links.len(), "{} over {} links", net.carried, net.links.len());
}

#[test]
fn h13_2_a_message_ends_after_its_hops() {
    let mut net = Net::new(1, 12);
    for at in 1..13 {
        net.link(at - 1, at);
    }
    net.send(0, "far", None, Some(false)).unwrap();
    net.settle();
    let reached = (1..13).filter(|at| !net.nodes[*at].heard.is_empty()).count();
    assert_eq!(reached, usize::from(MAX_HOPS) + 1);
}

#[test]
fn h13_3_bytes_that_nobody_can_open_are_limited_in_size_number_and_rate() {
    // A relay between a flooder without any key, and a device.
    let mut net = Net::new(1, 2);
    net.link(2, 1);
    net.link(1, 0);
    net.settle();
    net.log.clear();
    let flood = |net: &mut Net, size: usize, count: u64, seed: u64| {
        for seed in seed..seed + count {
            let envelope = junk(EnvelopeKind::SignIn, size, seed, net.now);
            net.deliver(2, 1, &envelope);
        }
        net.settle();
        let passed: Vec<usize> = net
            .log
            .drain(..)
            .filter(|(from, to, _)| (*from, *to) == (1, 0))
            .map(|(.., e)| e.size())
            .collect();
        (passed.len(), passed.iter().sum::<usize>())
    };
    let (count, _) = flood(&mut net, 10, 1_000, 0);
    assert_eq!(count, usize::try_from(ENVELOPE_BURST).unwrap());
    net.now += 1_000;
    assert_eq!(flood(&mut net, 10, 1_000, 2_000).0, usize::try_from(ENVELOPES_PER_SECOND).unwrap());
    // Large ones: so many bytes, then so many a second.
    net.now += 60_000;
    let (_, bytes) = flood(&mut net, 16_000, 200, 4_000);
    let burst = usize::try_from(ENVELOPE_BYTES_BURST).unwrap();
    assert!(bytes <= burst && bytes > burst - 17_000, "{bytes}");
    net.now += 1_000;
    assert!(flood(&mut net, 16_000, 200, 6_000).1 <= usize::try_from(ENVELOPE_BYTES_PER_SECOND).unwrap());
    // Who has nothing to do with it is heard all the same.
    net.sign_in(1, b"honest");
    assert_eq!(net.nodes[0].sign_ins, [b"honest"]);
    assert!(net.nodes[1].channel.refused().too_fast > 1_000);
    // What all can see to be junk goes nowhere at all, however often and however far it may travel.
    net.now += 60_000;
    let public = junk(EnvelopeKind::Public, 10, 9_000, net.now);
    net.log.clear();
    net.deliver(2, 1, &public.with_hops(3));
    net.deliver(2, 1, &public);
    net.settle();
    assert!(net.log.iter().all(|(from, ..)| *from == 2));
}

#[test]
fn h13_3_a_message_that_does_not_decode_takes_nothing_down() {
    let mut net = Net::new(2, 1);
    net.full_mesh();
    net.settle();
    let (space, entropy) = (root().public(), &mut Seeded::new(5));
    let discovery = space.discovery_key();
    let expiry = net.now + 60_000;
    let epoch = net.nodes[0].space.usable_epoch().unwrap();
    let content = net.nodes[0].space.content_key(&epoch).unwrap().clone();
    let sender = device(1);
    let keys = [
        (EnvelopeKind::SignIn, SecretKey32([9; 32])),
        (EnvelopeKind::Epoch, content),
        (EnvelopeKind::Public, public_key(&space)),
    ];
    // Under good keys: no message at all, then well signed ones with a payload that is none of its topic.
    let mut bad = Vec::new();
    for (kind, key) in &keys {
        for plain in [vec![], vec![1], vec![2; 300], vec![1; 16_000]] {
            bad.push(Envelope::seal(*kind, discovery, expiry, key, &plain, entropy).unwrap());
        }
        let around = Around { discovery, kind: *kind, expiry, recipient: None };
        for (topic, payload) in [
            (topic::APP, vec![]),
            (topic::APP, vec![0xff]),
            (topic::PRESENCE, vec![0x18]),
            (topic::PRESENCE, cbor(&"x".repeat(5_000))),
            (topic::HEADS, vec![]),
            (topic::HEADS, vec![1, 0]),
            (topic::HEADS, vec![1, 101]),
        ] {
            let id = entropy.array16();
            let message = PeerMessage { topic, sender: sender.public(), id, time: 1, payload };
            let plain = message.sign(&around, &sender);
            bad.push(Envelope::seal(*kind, discovery, expiry, key, &plain, entropy).unwrap());
        }
    }
    for envelope in &bad {
        net.deliver(2, 1, envelope);
    }
    let refused = net.nodes[1].channel.refused();
    assert_eq!((refused.forged, refused.unreadable), (2 * 11, 0));
    assert!(net.nodes[1].heard.is_empty() && net.here(1).is_empty());
    // All goes on, over the same link too.
    net.send(2, "still here", None, None).unwrap();
    net.settle();
    assert_eq!((net.heard(0), net.heard(1)), (vec!["still here".to_owned()], vec!["still here".to_owned()]));
}

#[test]
fn h13_6_an_envelope_of_one_space_kind_or_expiry_opens_in_no_other() {
    let mut net = Net::new(2, 0);
    net.full_mesh();
    net.settle();
    let sent = net.last_from(0);
    assert_eq!(sent.kind, EnvelopeKind::Epoch, "heads");
    let key = net.nodes[0].space.content_key(&net.nodes[0].space.usable_epoch().unwrap()).unwrap().clone();
    assert!(sent.open(&key).is_ok());
    let other = |change: &dyn Fn(&mut Envelope)| {
        let mut changed = sent.clone();
        change(&mut changed);
        changed
    };
    for changed in [
        other(&|e| e.kind = EnvelopeKind::Public),
        other(&|e| e.kind = EnvelopeKind::SignIn),
        other(&|e| e.discovery = Hash([7; 32])),
        other(&|e| e.expiry += 1),
    ] {
        assert!(changed.open(&key).is_err());
    }
    // One who has the key seals the signed message anew: for later, and as another kind. The signature does not hold.
    let plain = sent.open(&key).unwrap();
    for (kind, key, expiry) in [
        (EnvelopeKind::Epoch, key.clone(), sent.expiry + 1),
        (EnvelopeKind::Public, public_key(&root().public()), sent.expiry),
    ] {
        let anew = Envelope::seal(kind, sent.discovery, expiry, &key, &plain, &mut Seeded::new(1)).unwrap();
        let before = net.nodes[1].channel.refused().forged;
        net.deliver(0, 1, &anew);
        assert_eq!(net.nodes[1].channel.refused().forged, before + 1, "{kind:?}");
    }
    // A message addressed to one, opened by it and sealed to another.
    let (one, two) = (device(1), device(2));
    net.send(0, "to you", Some(two.public()), None).unwrap();
    net.settle();
    assert_eq!(net.heard(1), ["to you"]);
    let sent = net.log.iter().rev().find(|(.., e)| e.kind == EnvelopeKind::Addressed).unwrap().2.clone();
    let plain = sent.open_as_writer(&two).unwrap();
    let mut third = Net::new(3, 0);
    third.full_mesh();
    let to = device(3).public();
    let anew =
        Envelope::seal_to_writer(sent.discovery, sent.expiry, &to, &plain, &mut Seeded::new(1)).unwrap();
    third.deliver(1, 2, &anew);
    assert_eq!((third.nodes[2].heard.len(), third.nodes[2].channel.refused().forged), (0, 1));
    assert!(sent.open_as_writer(&one).is_err());
}

#[test]
fn h13_6_a_message_expires_and_none_lasts_long() {
    let mut net = Net::new(2, 0);
    net.link(0, 1);
    net.send(0, "now", None, None).unwrap();
    net.settle();
    let sent = net.log.iter().rev().find(|(from, _, e)| *from == 0 && e.size() > 150).unwrap().2.clone();
    net.now = sent.expiry;
    net.deliver(0, 1, &sent);
    let far = Envelope::seal(
        EnvelopeKind::Public,
        sent.discovery,
        net.now + MAX_EXPIRY_MS + 1,
        &public_key(&root().public()),
        b"",
        &mut Seeded::new(1),
    );
    net.deliver(0, 1, &far.unwrap());
    assert_eq!((net.heard(1), net.nodes[1].channel.refused().untimely), (vec!["now".to_owned()], 2));
}

#[test]
fn h13_7_the_sender_is_proven_though_all_share_the_key() {
    let mut net = Net::new(3, 1);
    net.full_mesh();
    net.settle();
    let (expiry, discovery) = (net.now + 60_000, root().public().discovery_key());
    let epoch = net.nodes[1].space.usable_epoch().unwrap();
    let content = net.nodes[1].space.content_key(&epoch).unwrap().clone();
    let kind = EnvelopeKind::Epoch;
    let around = Around { discovery, kind, expiry, recipient: None };
    let mut entropy = Seeded::new(3);
    let mut forge = |net: &mut Net, sender: PublicKey, signer: &Signer| {
        let id = entropy.array16();
        let message = PeerMessage { topic: topic::APP, sender, id, time: 1, payload: cbor("forged") };
        let plain = message.sign(&around, signer);
        let sealed = Envelope::seal(kind, discovery, expiry, &content, &plain, &mut entropy).unwrap();
        net.deliver(1, 2, &sealed);
    };
    // A device in the name of another; a stranger who got hold of the key.
    forge(&mut net, device(1).public(), &device(2));
    let stranger = Signer::from_seed(&[99; 32]);
    forge(&mut net, stranger.public(), &stranger);
    assert_eq!((net.nodes[2].heard.len(), net.nodes[2].channel.refused().forged), (0, 2));
    forge(&mut net, device(2).public(), &device(2));
    assert_eq!(net.nodes[2].heard.len(), 1);
    // A device that was removed still has the key.
    let Node { files, space, entropy, .. } = &mut net.nodes[0];
    space.cut(files, START, entropy, device(2).public()).unwrap();
    net.level(0, 2);
    net.send(1, "I am still here", None, None).unwrap();
    net.settle();
    assert_eq!((net.nodes[2].heard.len(), net.nodes[2].channel.refused().forged), (1, 3));
}

// ── H14: dedup ──

#[test]
fn h14_a_message_is_delivered_once_however_often_it_is_sealed() {
    let mut net = Net::new(2, 1);
    net.full_mesh();
    net.send(0, "once", None, Some(false)).unwrap();
    net.settle();
    let sent = net.log.iter().find(|(.., e)| e.kind == EnvelopeKind::Public).unwrap().2.clone();
    let key = public_key(&root().public());
    let plain = sent.open(&key).unwrap();
    for seed in 0..5 {
        let mut entropy = Seeded::new(seed);
        let anew =
            Envelope::seal(sent.kind, sent.discovery, sent.expiry, &key, &plain, &mut entropy).unwrap();
        assert_ne!(anew.id(), sent.id());
        net.deliver(2, 1, &anew);
    }
    net.settle();
    assert_eq!((net.heard(1), net.heard(2)), (vec!["once".to_owned()], vec!["once".to_owned()]));
    assert!(net.heard(0).is_empty(), "one's own does not come back");
}

#[test]
fn h14_the_memory_of_sign_in_messages_survives_a_reload_and_lapses() {
    let mut net = Net::new(1, 1);
    net.link(0, 1);
    net.sign_in(1, b"let me in");
    assert_eq!(net.nodes[0].sign_ins.len(), 1);
    let sent = net.log.iter().find(|(.., e)| e.kind == EnvelopeKind::SignIn).unwrap().2.clone();
    let file = net.nodes[0].files.file(&file_name(&root().public()));
    // Written at most every few seconds, and only if there is something new.
    assert!(net.nodes[0].files.len(file) == 0);
    net.run(4_000);
    assert!(net.nodes[0].files.len(file) > 0);
    net.reload(0);
    net.deliver(1, 0, &sent);
    assert_eq!(net.nodes[0].sign_ins.len(), 1, "asked twice");
    net.now = sent.expiry;
    net.reload(0);
    assert!(net.nodes[0].channel.relay.is_empty());
    // A file that is junk is no reason to stop.
    replace(&mut net.nodes[0].files, &file_name(&root().public()), &[1, 2, 3]);
    net.reload(0);
    net.sign_in(1, b"again");
    assert_eq!(net.nodes[0].sign_ins.len(), 2);
}

/// A device, and another that asks to be let in; the first knows of the request.
fn asked(seed: u64) -> (World, usize, usize, PublicKey) {
    let mut world = World::new(seed);
    let first = world.browser(None);
    world.until("looked up", |world| world.node(first).is_ready());
    let call = Call::SignUp { secret: secret(1), device: "First".into(), remember: true, claim: None };
    let Ok(crate::node::Reply::SignedUp { key, .. }) = world.call(first, call) else { panic!() };
    let second = world.browser(Some(key));
    world.until("read", |world| world.node(second).writers().len() == 1);
    ask(&mut world, second, "Second");
    world.until("request shown", |world| !world.node(first).requests().is_empty());
    (world, first, second, key)
}

fn ask(world: &mut World, at: usize, device: &str) {
    let call = Call::SignIn { secret: secret(1), device: device.into(), remember: true };
    world.call(at, call).unwrap();
}

#[test]
fn h14_a_request_that_was_answered_does_not_ask_again_after_a_reload() {
    let (mut world, first, second, _) = asked(31);
    let request = world.node(first).requests().remove(0);
    world.kill(second);
    world.run(40_000);
    world.call(first, Call::Deny { request: request.id, block: false }).unwrap();
    world.run(5_000);
    world.reload(first);
    // The device comes back, has not heard of the answer, and asks on.
    world.start(second);
    world.until("told", |world| world.node(second).state() == State::Visitor);
    world.run(60_000);
    assert!(world.node(first).requests().is_empty());
}

// ── H15: requests ──

#[test]
fn h15_a_second_request_never_swaps_the_first_on_screen_and_the_right_device_is_let_in() {
    let (mut world, first, second, key) = asked(32);
    let shown = world.node(first).requests().remove(0);
    assert_eq!(shown.device, "Second");
    let third = world.browser(Some(key));
    world.until("read", |world| world.node(third).writers().len() == 1);
    ask(&mut world, third, "Third");
    world.until("both", |world| world.node(first).requests().len() == 2);
    let names: Vec<String> = world.node(first).requests().into_iter().map(|one| one.device).collect();
    assert_eq!(names, ["Second", "Third"]);
    let words = Some(shown.words.map(str::to_owned));
    world.call(first, Call::Approve { request: shown.id, words }).unwrap();
    world.until("let in", |world| world.node(second).state() == State::Writer);
    assert_eq!(world.node(third).state(), State::Requesting);
    let names: Vec<String> = world.node(first).requests().into_iter().map(|one| one.device).collect();
    assert_eq!(names, ["Third"]);
}

#[test]
fn h15_a_request_ends_after_its_time() {
    let (mut world, first, second, _) = asked(33);
    let request = world.node(first).requests().remove(0);
    assert!(request.expires <= world.now + 7 * 24 * 3_600_000);
    world.kill(second);
    world.now = request.expires;
    world.run(1_000);
    assert!(world.node(first).requests().is_empty());
    let words = Some(request.words.map(str::to_owned));
    assert!(world.call(first, Call::Approve { request: request.id, words }).is_err());
}

#[test]
fn h15_a_blocked_key_asks_nobody_any_more_not_even_a_device_that_was_away() {
    let (mut world, first, second, key) = asked(34);
    // Another device of the person, which sleeps while the first one decides.
    let third = world.browser(Some(key));
    world.until("read", |world| world.node(third).writers().len() == 1);
    ask(&mut world, third, "Third");
    world.until("both", |world| world.node(first).requests().len() == 2);
    let requests = world.node(first).requests();
    let (bad, good) = (&requests[0], &requests[1]);
    let words = Some(good.words.map(str::to_owned));
    world.call(first, Call::Approve { request: good.id, words }).unwrap();
    world.until("let in", |world| world.node(third).state() == State::Writer);
    world.until("asks there too", |world| world.node(third).requests().len() == 1);
    world.kill(third);
    world.kill(second);
    world.call(first, Call::Deny { request: bad.id, block: true }).unwrap();
    world.run(60_000);
    // The blocked device has not heard, and asks on; the other one wakes up, with nobody there who could tell it.
    world.reload(first);
    world.start(third);
    world.start(second);
    world.until("told", |world| world.node(second).state() == State::Visitor);
    world.run(90_000);
    for at in [first, third] {
        assert!(world.node(at).requests().is_empty(), "{at}");
        world.reload(at);
        world.run(10_000);
        assert!(world.node(at).requests().is_empty(), "{at} after a reload");
    }
}

// ── Messages, presence, heads, clocks ──

#[test]
fn messages_reach_whom_they_are_for() {
    let mut net = Net::new(3, 2);
    // The devices only know each other through a visitor.
    for at in [0, 1, 2, 4] {
        net.link(at, 3);
    }
    let key = |net: &Net, at: usize| net.nodes[at].key();
    net.send(0, "among us", None, None).unwrap();
    net.send(0, "for all", None, Some(false)).unwrap();
    net.send(0, "private", None, Some(true)).unwrap();
    let (to_device, to_visitor) = (key(&net, 1), key(&net, 4));
    net.send(0, "to one", Some(to_device), None).unwrap();
    net.send(0, "to a visitor", Some(to_visitor), None).unwrap();
    net.send(4, "from a visitor", None, None).unwrap();
    net.settle();
    assert_eq!(net.heard(1), ["among us", "for all", "private", "to one", "from a visitor"]);
    assert_eq!(net.heard(2), ["among us", "for all", "private", "from a visitor"]);
    assert_eq!(net.heard(3), ["for all", "from a visitor"]);
    assert_eq!(net.heard(4), ["for all", "to a visitor"]);
    assert_eq!(net.heard(0), ["from a visitor"]);
    let first = &net.nodes[1].heard[0];
    assert_eq!((first.from, first.writer, first.private), (key(&net, 0), true, true));
    let visitors = &net.nodes[0].heard[0];
    assert_eq!((visitors.from, visitors.writer, visitors.private), (key(&net, 4), false, false));
    assert_eq!(net.send(4, "x", None, Some(true)), Err(ErrorCode::NotAuthorised));
    assert_eq!(net.send(4, "x", Some(PublicKey([0; 32])), None), Err(ErrorCode::BadInput));
    let long = "x".repeat(MAX_PAYLOAD);
    assert_eq!(net.send(0, &long, None, None), Err(ErrorCode::TooLarge));
    let fits = "x".repeat(MAX_PAYLOAD - 3);
    net.send(0, &fits, Some(to_device), None).unwrap();
    net.settle();
    assert_eq!(net.heard(1).last(), Some(&fits));
}

#[test]
fn a_page_that_sends_without_end_is_slowed_down_and_bounded() {
    let mut net = Net::new(2, 0);
    net.link(0, 1);
    let taken = (0..1_000).filter(|n| net.send(0, &n.to_string(), None, None).is_ok()).count();
    assert_eq!(taken, MAX_WAITING);
    net.settle();
    assert_eq!(net.heard(1).len(), usize::try_from(SENDS_AT_ONCE).unwrap());
    assert_eq!(net.nodes[0].channel.deadline(), Some(net.now + 1_000 / u64::from(SENDS_PER_SECOND)));
    net.run(7_000);
    assert_eq!(net.heard(1), (0..MAX_WAITING).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(net.nodes[1].channel.refused(), Refused::default());
}

#[test]
fn somebody_with_an_invite_asks_with_the_key_that_is_to_be_let_in() {
    let mut net = Net::new(1, 2);
    net.link(0, 1);
    net.link(1, 2);
    net.nodes[2].secrets = Some(secrets(60));
    net.nodes[2].channel.send_join(b"invite".to_vec()).unwrap();
    net.settle();
    assert_eq!(net.nodes[0].joins, [(device(60).public(), b"invite".to_vec())]);
}

#[test]
fn presence_comes_stays_changes_and_goes() {
    let mut net = Net::new(2, 1);
    net.link(0, 2);
    net.link(2, 1);
    let (alice, bob, visitor) = (net.nodes[0].key(), net.nodes[1].key(), net.nodes[2].key());
    net.set(0, Some("writes"));
    net.set(1, Some("reads"));
    net.set(2, Some("looks"));
    assert_eq!(
        net.here(1),
        [(alice, "writes".into()), (visitor, "looks".into())].into_iter().collect::<Vec<_>>().sorted()
    );
    // Between devices it is private: a visitor passes it on and sees nothing.
    assert!(net.here(2).is_empty());
    assert!(net.nodes[1].channel.presence(net.now).iter().all(|one| one.writer == one.private));
    net.run(300_000);
    assert_eq!(net.here(0), [(bob, "reads".into()), (visitor, "looks".into())].to_vec().sorted());
    net.set(1, Some("laughs"));
    net.run(1_000);
    assert!(net.here(0).contains(&(bob, "laughs".into())));
    // Gone at once with a goodbye.
    let now = net.now;
    let (channel, party, entropy) = net.nodes[1].parts();
    channel.leave(&party, entropy, now);
    net.drain(1);
    net.settle();
    assert_eq!(net.here(0), [(visitor, "looks".into())]);
    // Gone after a while without one.
    net.cut_link(0, 2);
    net.nodes[0].told.clear();
    net.run(LIFE_MS - 25_000);
    assert!(!net.here(0).is_empty() && net.nodes[0].told.is_empty());
    net.run(25_000);
    assert!(net.here(0).is_empty() && net.nodes[0].told == ["presence"]);
    // Whoever comes is told at once.
    net.link(0, 2);
    net.settle();
    assert_eq!(net.here(0), [(visitor, "looks".into())]);
}

#[test]
fn a_visitor_that_is_let_in_is_not_here_twice() {
    let mut net = Net::new(1, 2);
    net.full_mesh();
    net.set(1, Some("me"));
    let before = net.nodes[1].key();
    assert_eq!(net.here(2), [(before, "me".into())]);
    let Node { files, space, entropy, .. } = &mut net.nodes[0];
    let grant = DeviceGrant { writer: device(50).public(), install_id: [5; 16], name: "new".into() };
    space.grant(files, START, entropy, &grant, Role::Admin).unwrap();
    net.level(0, 1);
    net.level(0, 2);
    let Node { files, space, secrets: own, .. } = &mut net.nodes[1];
    space.unlock(files, Keys { signer: device(50) }).unwrap();
    *own = Some(secrets(50));
    net.run(1_000);
    assert_eq!(net.nodes[1].key(), device(50).public());
    assert!(net.here(2).is_empty(), "a device among devices");
    assert_eq!(net.here(0), [(net.nodes[1].key(), "me".into())]);
}

#[test]
fn a_tail_that_a_relay_holds_back_shows() {
    // Two devices that only meet through a relay which passes messages on, but no entries.
    let mut net = Net::new(2, 1);
    net.link(0, 2);
    net.link(2, 1);
    net.settle();
    let lacking = |net: &Net| net.nodes[1].channel.is_lacking(&net.nodes[1].space);
    assert!(!lacking(&net));
    net.write(0, "held back");
    net.run(60_000);
    assert!(lacking(&net) && net.nodes[1].told.contains(&"heads"));
    let writer = device(1).public();
    let known = *net.nodes[1].channel.known_head(&writer).unwrap();
    assert_eq!(known.head.length, net.nodes[0].space.feed(&writer).unwrap().length());
    assert!(known.confirmed.is_some_and(|at| at > START && at <= net.now));
    assert!(net.nodes[2].channel.known_head(&writer).is_none(), "the relay cannot read it");
    // The entries come at last.
    net.level(0, 1);
    assert!(!lacking(&net));
    // Nothing new: said again only so that it is known to be the latest.
    let count = |net: &Net| net.log.iter().filter(|(from, ..)| *from == 0).count();
    let before = count(&net);
    net.run(240_000);
    assert!(count(&net) - before <= 1, "{}", count(&net) - before);
    net.run(120_000);
    let again = net.nodes[1].channel.known_head(&writer).unwrap();
    assert!(again.since == known.since && again.confirmed > known.confirmed);
}

#[test]
fn heads_of_others_are_believed_only_with_their_signature_and_two_histories_are_reported() {
    let mut net = Net::new(3, 0);
    net.full_mesh();
    net.settle();
    let writer = device(1);
    let length = net.nodes[1].space.feed(&writer.public()).unwrap().length();
    let tell = |net: &mut Net, head: crate::feed::SignedHead| {
        let mut out = crate::codec::Writer::versioned();
        out.count(1).raw(&writer.public().0);
        head.write(&mut out);
        let Node { channel, .. } = &mut net.nodes[2];
        channel.queue(topic::HEADS, out.finish(), Audience::Everybody).unwrap();
        net.settle();
    };
    use crate::feed::SignedHead;
    let longest =
        |net: &Net| net.nodes[1].channel.known_head(&writer.public()).map_or(0, |known| known.head.length);
    let before = longest(&net);
    tell(&mut net, SignedHead::sign(&device(3), length + 5, 0, Hash([1; 32])));
    tell(&mut net, SignedHead::sign(&writer, length + 5, 1, Hash([1; 32])));
    assert_eq!((longest(&net), net.nodes[1].told.contains(&"forked")), (before, false));
    tell(&mut net, SignedHead::sign(&writer, length + 5, 0, Hash([1; 32])));
    assert_eq!(longest(&net), length + 5);
    tell(&mut net, SignedHead::sign(&writer, length, 0, Hash([2; 32])));
    tell(&mut net, SignedHead::sign(&writer, length - 1, 0, Hash([2; 32])));
    assert_eq!(net.nodes[1].told.iter().filter(|told| **told == "forked").count(), 1, "reported once");
    // Who was removed holds nobody up any more.
    assert!(net.nodes[1].channel.is_lacking(&net.nodes[1].space));
    let Node { files, space, entropy, .. } = &mut net.nodes[1];
    space.cut(files, START, entropy, writer.public()).unwrap();
    assert!(!net.nodes[1].channel.is_lacking(&net.nodes[1].space));
}

#[test]
fn a_device_with_a_wrong_clock_is_understood() {
    for wrong in [-1_800_000, 1_800_000] {
        // It stands beside a device of the space: believed because that has proven who it is.
        let mut net = Net::new(1, 1);
        net.nodes[1].wrong = wrong;
        net.link(0, 1);
        net.sign_in(1, b"let me in");
        net.send(1, "hello", None, None).unwrap();
        net.send(0, "who are you", None, Some(false)).unwrap();
        net.settle();
        assert_eq!(
            (net.nodes[0].sign_ins.len(), net.heard(0), net.heard(1)),
            (1, vec!["hello".into()], vec!["who are you".into()])
        );
        // Or among visitors, of whom one lies.
        let mut net = Net::new(1, 5);
        net.nodes[1].wrong = wrong;
        net.nodes[2].wrong = -wrong * 3;
        for at in 2..6 {
            net.link(1, at);
            net.link(0, at);
        }
        net.sign_in(1, b"let me in");
        assert_eq!(net.nodes[0].sign_ins.len(), 1);
        // The device is not moved by the liar that is beside it.
        assert_eq!(net.nodes[0].channel.clocks.correction(), 0);
    }
}

#[test]
fn a_node_alone_says_nothing_and_asks_for_no_tick_that_does_nothing() {
    let mut net = Net::new(1, 0);
    net.set(0, Some("alone"));
    net.send(0, "nobody hears", None, None).unwrap();
    net.settle();
    for _ in 0..10 {
        let due = net.nodes[0].channel.deadline().unwrap();
        assert!(due > net.now, "busy at {due}");
        net.now = due;
        net.settle();
    }
    assert_eq!(net.carried, 0);
}

// ── Whole nodes ──

#[test]
fn pages_talk_see_each_other_and_notice_what_is_held_back() {
    let (mut world, first, second, _) = asked(35);
    world.call(first, Call::SetPresence { state: Some(cbor("first")) }).unwrap();
    world.call(second, Call::SetPresence { state: Some(cbor("waits")) }).unwrap();
    world.until("seen", |world| {
        world.node(first).presence().iter().any(|one| one.state == cbor("waits") && !one.writer)
    });
    let shown = world.node(first).requests().remove(0);
    world.call(first, Call::Approve { request: shown.id, words: None }).unwrap();
    world.until("let in", |world| world.node(second).state() == State::Writer);
    world.until("as a device", |world| {
        let here = world.node(first).presence();
        here.len() == 1
            && here[0].writer
            && here[0].private
            && Some(here[0].key) == world.node(second).own_writer()
    });
    let send = |private| Call::Send { data: cbor("psst"), to: None, private };
    world.call(second, send(Some(true))).unwrap();
    world.until("heard", |world| {
        world.browsers[first].events.iter().any(|event| matches!(event, crate::node::Event::Message(message) if message.private && message.writer && message.data == cbor("psst")))
    });
    assert!(world.call(first, Call::Send { data: vec![0xff], to: None, private: None }).is_err());
    world.call(second, post("x", "y")).unwrap();
    let writer = world.node(second).own_writer().unwrap();
    world.until("head", |world| {
        world.node(first).known_head(&writer).is_some_and(|known| known.confirmed.is_some())
    });
    world.call(first, Call::Sync { timeout_ms: 10_000 }).unwrap();
    // A lock is a goodbye.
    world.call(second, Call::Lock).unwrap();
    world.until("gone", |world| world.node(first).presence().is_empty());
    world.call(second, Call::Unlock { secret: secret(1) }).unwrap();
    world.call(second, Call::SetPresence { state: Some(cbor("back")) }).unwrap();
    world.until("back", |world| !world.node(first).presence().is_empty());
    let now = world.now;
    world.browsers[second].node.as_mut().unwrap().say_goodbye(now);
    world.until("gone again", |world| world.node(first).presence().is_empty());
    assert_eq!(world.node(first).refused_messages(), Refused::default());
}

trait Sorted {
    fn sorted(self) -> Self;
}

impl<T: Ord> Sorted for Vec<T> {
    fn sorted(mut self) -> Self {
        self.sort();
        self
    }
}
