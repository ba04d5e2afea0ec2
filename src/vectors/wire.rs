//! Ephemeral envelopes, names of rooms on hubs, and sealed signalling.

use serde_json::{Value as Json, json};

use super::{Given, check};
use crate::{
    crypto::{Entropy, SecretKey32, Signer, hex},
    mesh::{
        Candidate, Description, HubFrame, HubOut, HubUrl, NodeId, SdpType, Topic, days, inbox, room,
        signal::{Bye, Direct, Signalling, Wants},
        tabs::{TabOutput, Tabs},
    },
    sync::{Envelope, EnvelopeKind},
    testing::Seeded,
};

fn space() -> Signer {
    Signer::from_seed(&[0x50; 32])
}

#[test]
fn envelopes() {
    let mut entropy = Seeded::new(0xe4f);
    let discovery = space().public().discovery_key();
    let kinds = [EnvelopeKind::SignIn, EnvelopeKind::Epoch, EnvelopeKind::Public];
    let shared: Vec<Json> = kinds
        .into_iter()
        .zip([b"".as_slice(), b"request", &[7; 700]])
        .map(|(kind, plain)| {
            let (key, nonce, expiry) = (entropy.array32(), entropy.array24(), 1_700_000_000_000 + plain.len() as u64);
            let envelope = Envelope::seal(kind, discovery, expiry, &SecretKey32(key), plain, &mut Given(&nonce)).unwrap();
            assert_eq!(Envelope::decode(&envelope.encode()).as_ref(), Ok(&envelope));
            json!({
                "kind": kind.byte(), "expiry": expiry, "hops": envelope.hops, "key": hex(&key), "nonce": hex(&nonce), "plain": hex(plain),
                "hex": hex(&envelope.encode()), "id": envelope.id().to_string(), "hex_at_2_hops": hex(&envelope.with_hops(2).encode()),
            })
        })
        .collect();
    let addressed: Vec<Json> = (1..=2_u8)
        .map(|seed| {
            let writer = Signer::from_seed(&[seed; 32]);
            let drawn = [entropy.array32().as_slice(), &entropy.array32(), &entropy.array24()].concat();
            let envelope = Envelope::seal_to_writer(discovery, 9, &writer.public(), b"to you", &mut Given(&drawn)).unwrap();
            assert_eq!(envelope.open_as_writer(&writer).unwrap().as_slice(), b"to you");
            json!({
                "seed": hex(&[seed; 32]), "recipient": writer.public().to_string(), "expiry": 9, "hops": envelope.hops,
                "key": hex(&drawn[..32]), "ephemeral_secret": hex(&drawn[32..64]), "nonce": hex(&drawn[64..]),
                "plain": hex(b"to you"), "hex": hex(&envelope.encode()), "id": envelope.id().to_string(),
            })
        })
        .collect();
    let good = Envelope::seal(EnvelopeKind::Epoch, discovery, 9, &SecretKey32([1; 32]), b"", &mut entropy)
        .unwrap()
        .encode();
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    let refused: Vec<Json> = [
        ("nothing", vec![]),
        ("version 2", with(0, 2)),
        ("kind 4", with(1, 4)),
        ("9 hops", with(42, 9)),
        ("a byte too many", [good.as_slice(), &[0]].concat()),
        ("cut off", good[..good.len() - 1].to_vec()),
        ("length in longer form", [&good[..67], &[0x90, 0], &good[68..]].concat()),
        ("16,385 bytes of ciphertext", [&good[..67], &[0x81, 0x80, 1], &[0; 16_385]].concat()),
    ]
    .iter()
    .map(|(why, bytes)| {
        let error = Envelope::decode(bytes).expect_err(why);
        json!({ "why": why, "hex": hex(bytes), "error": error.to_string() })
    })
    .collect();
    check(
        "envelope.json",
        &json!({
            "source": "Rust: HYPHA_WRITE_VECTORS=1 cargo test --lib vectors. JavaScript: node --test tests-wasm/vectors/js/wire.test.mjs (libsodium-wrappers-sumo).",
            "discovery_key": discovery.to_string(), "shared": shared, "addressed": addressed, "refused": refused,
        }),
    );
}

#[test]
fn mesh() {
    const NOW: u64 = 1_800_000_000_000;
    let space = space().public();
    let mut entropy = Seeded::new(0x4e5);
    let rooms: Vec<Json> = [0, 1, 20_833, u64::from(u32::MAX)]
        .iter()
        .map(|day| json!({ "day": day, "topic": hex(&room(&space, *day).0) }))
        .collect();
    let noon = 43_200_000;
    let when: Vec<Json> = [0, noon - 1, noon, 86_399_999, 86_400_000, NOW]
        .iter()
        .map(|now| json!({ "time": now, "days": days(*now) }))
        .collect();
    let (secret, other) = (entropy.array32(), entropy.array32());
    let public = |secret: &[u8; 32]| {
        x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from(*secret)).to_bytes()
    };
    let nodes: Vec<Json> = [secret, other]
        .iter()
        .map(|secret| {
            let id = NodeId::of(&public(secret));
            json!({ "secret": hex(secret), "public": hex(&public(secret)), "id": id.to_string(), "inbox": hex(&inbox(&space, &id).0) })
        })
        .collect();
    // One session says all of it: the sequence counts.
    let mut alice = Signalling::new(&mut Given(&secret));
    let mut bob = Signalling::new(&mut Given(&other));
    let mut messages = Vec::new();
    for (wants, number) in [(Wants::Nothing, 0), (Wants::Some, 1), (Wants::Hungry, 2)] {
        let (nonce, topic) = (entropy.array24(), room(&space, 20_833));
        let sealed = alice.hello(&space, &[topic], wants, NOW, &mut Given(&nonce)).remove(0);
        assert!(bob.receive(&space, &topic, &sealed, NOW).is_some());
        messages.push(json!({
            "kind": "hello", "sequence": messages.len() + 1, "topic": hex(&topic.0), "wants": number, "nonce": hex(&nonce), "hex": hex(&sealed),
        }));
    }
    for (what, verb, numbers, body, direct) in directs() {
        let (inner, outer) = (entropy.array24(), entropy.array24());
        let drawn = [inner, outer].concat();
        let (topic, sealed) =
            alice.direct(&space, &public(&other), &direct, NOW, &mut Given(&drawn)).unwrap();
        assert!(bob.receive(&space, &topic, &sealed, NOW).is_some(), "{what}");
        messages.push(json!({
            "kind": what, "sequence": messages.len() + 1, "verb": verb, "attempt": numbers[0], "round": numbers[1], "past": numbers[2], "body": hex(&body),
            "inner_nonce": hex(&inner), "nonce": hex(&outer), "topic": hex(&topic.0), "hex": hex(&sealed),
        }));
    }
    let sealed = [0, 1, 0xfb, 0xff];
    check(
        "mesh.json",
        &json!({
            "source": "Rust: HYPHA_WRITE_VECTORS=1 cargo test --lib vectors. JavaScript: node --test tests-wasm/vectors/js/wire.test.mjs (libsodium-wrappers-sumo, @noble/ciphers, @noble/curves).",
            "space": space.to_string(), "time": NOW, "rooms": rooms, "days": when, "nodes": nodes, "messages": messages,
            "messages_mean": "all from the first node; direct ones to the second. `hex` is what goes to the hub under `topic`.",
            "tabs": tabs(),
            "tabs_mean": "what tabs `from` posts on the channel, in this order; ids are 16 bytes of one value",
            "hub_frames": hub_frames(&room(&space, 0), &room(&space, 1), &sealed),
            "hub_frames_mean": "text frames to a y-webrtc hub by a node that joined the rooms of days 0 and 1, publishes `sealed` in the first and leaves the second",
            "sealed": hex(&sealed),
        }),
    );
}

/// What tabs post: they greet, answer, send, ask after each other, and go.
fn tabs() -> Vec<Json> {
    let (one, two) = (space().public(), Signer::from_seed(&[0x51; 32]).public());
    let mut tabs = [Tabs::new(NodeId([1; 16])), Tabs::new(NodeId([2; 16]))];
    let mut notes = Vec::new();
    tabs[0].join(one);
    tabs[0].join(two);
    tabs[1].join(two);
    // What they posted so far was heard by nobody.
    let mut post = |tabs: &mut [Tabs; 2], from: usize, heard: bool, kinds: &[(&str, bool, Json)]| {
        let mut kinds = kinds.iter();
        while let Some(output) = tabs[from].poll() {
            let TabOutput::Post(bytes) = output else { continue };
            let (kind, to_all, body) = kinds.next().unwrap();
            notes.push(json!({ "from": from + 1, "to": if *to_all { 0 } else { 2 - from }, "kind": kind, "body": body, "hex": hex(&bytes) }));
            if heard {
                tabs[1 - from].receive(&bytes, 0);
            }
        }
        assert!(kinds.next().is_none());
    };
    let mut both = [one.to_string(), two.to_string()];
    if two < one {
        both.reverse();
    }
    let spaces = |keys: &[String]| json!({ "spaces": keys });
    let (first, second) = (spaces(&[one.to_string()]), spaces(&[two.to_string()]));
    let nothing = || json!({});
    post(&mut tabs, 0, false, &[("hello", true, first), ("hello", true, spaces(&both))]);
    post(&mut tabs, 1, true, &[("hello", true, second)]);
    post(&mut tabs, 0, true, &[("hello", false, spaces(&both))]);
    tabs[0].send(&NodeId([2; 16]), b"frame");
    post(&mut tabs, 0, true, &[("data", false, json!({ "data": hex(b"frame") }))]);
    tabs[0].tick(2_000);
    post(&mut tabs, 0, true, &[("ping", false, nothing())]);
    post(&mut tabs, 1, true, &[("pong", false, nothing())]);
    tabs[1].close(&NodeId([1; 16]));
    post(&mut tabs, 1, true, &[("bye", false, nothing())]);
    tabs[0].close_all();
    post(&mut tabs, 0, true, &[("bye", true, nothing())]);
    notes
}

fn hub_frames(first: &Topic, second: &Topic, sealed: &[u8]) -> Vec<String> {
    let mut hub = HubUrl::parse("y-webrtc+wss://hub.example").unwrap().adapter([0; 32]);
    let mut out = HubOut::default();
    hub.join(*first, true, 0, &mut out);
    hub.opened(0, &mut out);
    hub.join(*second, false, 0, &mut out);
    hub.publish(first, sealed, 0, &mut out);
    hub.leave(second, &mut out);
    let texts = out.frames.into_iter().map(|frame| match frame {
        HubFrame::Text(text) => text,
        HubFrame::Binary(bytes) => panic!("{bytes:?}"),
    });
    texts.collect()
}

/// What it is, verb, attempt, round, past, body.
type Sample = (&'static str, u8, [u64; 3], Vec<u8>, Direct);

fn directs() -> Vec<Sample> {
    let offer = br#"{"type":"offer","sdp":"v=0\r\n"}"#.to_vec();
    let long = format!(r#"{{"type":"answer","sdp":"{}"}}"#, "a".repeat(3_000)).into_bytes();
    let candidates = br#"[{"candidate":"candidate:1 1 udp 1 10.0.0.1 9 typ host","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"ab"}]"#.to_vec();
    let description = |sdp_type, sdp: &str| Description { sdp_type, sdp: sdp.to_owned() };
    let parsed: Vec<Candidate> = serde_json::from_slice(&candidates).unwrap();
    let (one, two) =
        (description(SdpType::Offer, "v=0\r\n"), description(SdpType::Answer, &"a".repeat(3_000)));
    vec![
        ("here", 0, [0, 0, 0], vec![1], Direct::Here(Wants::Some)),
        ("offer", 1, [300, 1, 0], offer, Direct::Offer { attempt: 300, round: 1, description: one }),
        (
            "answer",
            2,
            [1, 2, 130],
            long,
            Direct::Answer { attempt: 1, round: 2, past: 130, description: two },
        ),
        ("candidates", 3, [1, 0, 0], candidates, Direct::Candidates { attempt: 1, candidates: parsed }),
        ("bye", 4, [1, 0, 0], vec![2], Direct::Bye { attempt: 1, why: Bye::Unneeded }),
    ]
}
