//! The channels of several nodes, connected by hand; and whole nodes in the simulated world.

mod faults;
mod talk;

use std::collections::VecDeque;

use super::{say::MAX_WAITING, *};
use crate::{
    codec::decode_value,
    crypto::MessageKey,
    node::{
        Call, ErrorCode, State,
        sim::{World, post, secret},
    },
    space::{DeviceGrant, Expect, Install, Keys, Role, WriteOp},
    storage::MemoryBackend,
    sync::{EnvelopeKind, prove_from},
    testing::Seeded,
};

const START: u64 = 1_800_000_000_000;

struct Node {
    files: Files,
    space: Space,
    channel: Ephemeral,
    entropy: Seeded,
    secrets: Option<Secrets>,
    /// Whether it is a device though its words do not count.
    device: bool,
    /// By how much its clock is wrong, ms.
    wrong: i64,
    heard: Vec<PageMessage>,
    sign_ins: Vec<Vec<u8>>,
    told: Vec<&'static str>,
    joins: Vec<(PublicKey, Vec<u8>)>,
}

impl Node {
    fn party(&self) -> Party<'_> {
        Party { space: &self.space, files: &self.files, secrets: self.secrets.as_ref(), device: self.device }
    }

    /// The channel and what it is lent.
    fn parts(&mut self) -> (&mut Ephemeral, Party<'_>, &mut Seeded) {
        let Self { channel, space, files, secrets, entropy, device, .. } = self;
        (channel, Party { space, files, secrets: secrets.as_ref(), device: *device }, entropy)
    }

    fn key(&self) -> PublicKey {
        self.channel.own_key(&self.party())
    }
}

fn secrets(seed: u8) -> Secrets {
    let message = Some(MessageKey::from_bytes([9; 32]));
    Secrets::new(crate::crypto::InstallSecret::from_bytes([seed; 32]), message)
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
        space
            .found(
                files,
                START,
                entropy,
                &root(),
                Install { grant: &grant(0), keys, message_key: Some(&message) },
                "example.org",
            )
            .unwrap();
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
            device: false,
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
        let (channel, party, _) = self.nodes[at].parts();
        channel.set_presence(state.map(cbor), &party, now).unwrap();
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

/// A device, and another that asks to be let in; the first knows of the request.
fn asked(seed: u64) -> (World, usize, usize, PublicKey) {
    let mut world = World::new(seed);
    let first = world.browser(None);
    world.until("looked up", |world| world.node(first).is_ready());
    let call = Call::SignUp { secret: secret(1), device: "First".into(), remember: true, claim: None };
    let Ok(crate::node::Reply::SignedUp { key, .. }) = world.call(first, call) else { panic!() };
    let second = world.browser(Some(key));
    world.until("read", |world| world.node(second).writers(None).len() == 1);
    ask(&mut world, second, "Second");
    world.until("request shown", |world| !world.node(first).requests().is_empty());
    (world, first, second, key)
}

fn ask(world: &mut World, at: usize, device: &str) {
    let call = Call::SignIn { secret: secret(1), device: device.into(), remember: true };
    world.call(at, call).unwrap();
}
