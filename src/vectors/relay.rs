//! Relay and resumption: packets of a conversation over a hub, and a session that begins on it, goes over to WebRTC, and
//! comes back when that breaks.

use serde_json::{Value as Json, json};

use super::{Given, check};
use crate::{
    crypto::{Entropy, Signer, hex},
    mesh::{
        LinkId, NodeId,
        relay::{Pace, Packet, Relay},
        signal::{Direct, Signalling},
    },
    sync::{Carrier, ChannelId, Message, NextCarrier, NodeKey, Role, Session, SessionConfig, SessionOutput},
    testing::Seeded,
};

const NOW: u64 = 1_800_000_000_000;
/// Numbers of the two carriers.
const RELAY: u64 = 1;
const WEBRTC: u64 = 2;

#[test]
fn relay() {
    check(
        "relay.json",
        &json!({
            "source": "Rust: HYPHA_WRITE_VECTORS=1 cargo test --lib vectors. JavaScript: node --test tests-wasm/vectors/js/relay.test.mjs (Noise of its own over @noble/curves, @noble/hashes, @noble/ciphers; libsodium-wrappers-sumo).",
            "answers": answers(),
            "answers_mean": "what one side says, as a direct message of its own, after packets of these numbers came in this order, `after` so many ms: at once or 40 ms later",
            "packets": packets(),
            "packets_mean": "direct messages of the first node to the second one's inbox, as in mesh.json",
            "session": session(),
            "session_means": "all that each side sends, in this order, `from` a role byte, `via` 1 the relay and 2 WebRTC; what is `lost` did not arrive. The space is that of the key of seed 50…",
        }),
    );
}

fn packets() -> Json {
    sealed(
        0x5e1a,
        [(1, 0, b"the first bytes".to_vec()), (2, 300, vec![0x5a; 5_000]), (0, 301, vec![])]
            .map(|(number, past, bytes)| (Packet { number, past, bytes }, json!({})))
            .to_vec(),
    )
}

/// What says which packets came: nothing ahead, one, some, the last that is held and the first that is not.
fn answers() -> Json {
    let answered = |arrived: &[u64]| {
        let (mut relay, mut pace) = (Relay::new(LinkId(1), 7, NOW), Pace::new(NOW));
        for number in arrived {
            relay.receive(Packet { number: *number, past: 0, bytes: vec![0x5a] }, NOW);
        }
        let due = relay.deadline(&pace).unwrap();
        let packet = relay.poll(due, &mut pace).unwrap();
        assert_eq!((packet.number, relay.poll(due, &mut pace)), (0, None));
        (packet, json!({ "arrived": arrived, "after": due - NOW }))
    };
    let arrivals: [&[u64]; 8] =
        [&[1], &[1, 2], &[1, 1], &[2], &[1, 3, 4], &[3, 16, 1], &[1, 2, 3, 5, 8, 19, 20, 8], &[17]];
    sealed(0xac4, arrivals.map(answered).to_vec())
}

/// Packets as direct messages of the conversation 7, each with what else is to be known of it.
fn sealed(seed: u64, packets: Vec<(Packet, Json)>) -> Json {
    let mut entropy = Seeded::new(seed);
    let space = Signer::from_seed(&[0x50; 32]).public();
    let (secret, other) = (entropy.array32(), entropy.array32());
    let public = |secret: &[u8; 32]| {
        x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from(*secret)).to_bytes()
    };
    let mut alice = Signalling::new(&mut Given(&secret));
    let mut bob = Signalling::new(&mut Given(&other));
    let mut messages = Vec::new();
    for (packet, mut message) in packets {
        let (inner, outer) = (entropy.array24(), entropy.array24());
        let (number, past, body) = (packet.number, packet.past, packet.bytes.clone());
        let direct = Direct::Relay { attempt: 7, packet };
        let drawn = [inner, outer].concat();
        let (topic, sealed) =
            alice.direct(&space, &public(&other), &direct, NOW, &mut Given(&drawn)).unwrap();
        assert!(bob.receive(&space, &topic, &sealed, NOW).is_some());
        let all = json!({
            "sequence": messages.len() + 1, "attempt": 7, "round": number, "past": past, "body": hex(&body),
            "inner_nonce": hex(&inner), "nonce": hex(&outer), "topic": hex(&topic.0), "hex": hex(&sealed),
        });
        message.as_object_mut().unwrap().extend(all.as_object().unwrap().clone());
        messages.push(message);
    }
    let node = |secret: &[u8; 32]| json!({ "secret": hex(secret), "public": hex(&public(secret)), "id": NodeId::of(&public(secret)).to_string() });
    json!({ "space": space.to_string(), "time": NOW, "nodes": [node(&secret), node(&other)], "messages": messages })
}

/// Both ends, and what was sent.
struct Road {
    sides: [Session; 2],
    said: [Vec<SessionOutput>; 2],
    sent: Vec<Json>,
    now: u64,
}

impl Road {
    /// Everything that is to be said, until nothing is; what goes over `lost` does not arrive.
    fn run(&mut self, lost: Option<u64>) {
        loop {
            let mut quiet = true;
            for from in 0..2 {
                self.sides[from].note(self.now);
                while let Some(output) = self.sides[from].poll() {
                    let SessionOutput::Send { via, bytes } = output else {
                        self.said[from].push(output);
                        continue;
                    };
                    quiet = false;
                    let mut note = json!({ "from": from, "via": via, "hex": hex(&bytes) });
                    if lost == Some(via) {
                        note["lost"] = json!(true);
                    } else {
                        self.sides[1 - from].receive(via, &bytes, self.now).unwrap();
                    }
                    self.sent.push(note);
                }
            }
            if quiet {
                return;
            }
        }
    }
}

fn session() -> Json {
    let mut entropy = Seeded::new(0x5e55);
    let keys: [[u8; 32]; 2] = [entropy.array32(), entropy.array32()];
    let nodes = keys.map(|key| NodeKey::generate(&mut Given(&key)));
    let (low, high) = ([0x0a; 32], [0xa0; 32]);
    let mut notes = Vec::new();
    let mut draw = |name: &str| {
        let drawn = [0, 1].map(|_| (entropy.array16(), entropy.array32()));
        let sides: Vec<Json> = (0..2)
            .map(|at| {
                json!({
                    "secret": hex(&keys[at]), "public": hex(&nodes[at].public()),
                    "ephemeral_secret": hex(&drawn[at].1), "nonce": hex(&drawn[at].0),
                })
            })
            .collect();
        notes.push(json!({ "carrier": name, "sides": sides }));
        drawn
    };
    let (first, second) = (draw("relay"), draw("webrtc"));
    notes[1]["fingerprints"] = json!([hex(&high), hex(&low)]);
    let start = |at: usize, role| {
        let config =
            SessionConfig { carrier: Carrier::Relay, key: &nodes[at], nonce: first[at].0, role, via: RELAY };
        Session::new(config, &mut Given(&first[at].1), NOW).unwrap()
    };
    let mut road = Road {
        sides: [start(0, Role::Initiator), start(1, Role::Responder)],
        said: [vec![], vec![]],
        sent: vec![],
        now: NOW,
    };
    let space = Signer::from_seed(&[0x50; 32]).public();
    for side in &mut road.sides {
        side.open(space).unwrap();
    }
    road.run(None);
    let prints = [Carrier::WebRtc { local: high, remote: low }, Carrier::WebRtc { local: low, remote: high }];
    for (at, carrier) in prints.into_iter().enumerate() {
        let next = NextCarrier { carrier, key: &nodes[at], nonce: second[at].0, via: WEBRTC };
        road.sides[at].attach(next, &mut Given(&second[at].1), road.now).unwrap();
    }
    road.run(None);
    assert!(road.sides.iter().all(|side| side.active() == Some(WEBRTC)));
    // Three messages of which one arrives; then the carrier is gone.
    let send = |road: &mut Road, id| road.sides[0].send(ChannelId(1), &Message::Cancel { id }).unwrap();
    send(&mut road, 1);
    road.run(None);
    send(&mut road, 2);
    send(&mut road, 3);
    road.run(Some(WEBRTC));
    for side in &mut road.sides {
        side.detach(WEBRTC, road.now);
    }
    road.run(None);
    let got: Vec<u64> = road.said[1]
        .iter()
        .filter_map(|said| match said {
            SessionOutput::Message { message: Message::Cancel { id }, .. } => Some(*id),
            _ => None,
        })
        .collect();
    assert_eq!(got, [1, 2, 3]);
    json!({ "carriers": notes, "sent": road.sent })
}
