//! The handshake over each carrier, and a session over one of them: every frame from the first to the last.

use serde_json::{Value as Json, json};

use super::{Given, check, messages};
use crate::{
    crypto::{Entropy, Namespace, PublicKey, Signer, blake2b, hex, keyed_parts},
    sync::{
        Carrier, ChannelId, CloseReason, Goodbye, HandshakeHash, Message, NodeKey, Role, Session,
        SessionConfig, SessionOutput,
    },
    testing::Seeded,
};

const NOW: u64 = 1_700_000_000_000;

#[test]
fn wire() {
    check(
        "wire.json",
        &json!({
            "source": "Rust: HYPHA_WRITE_VECTORS=1 cargo test --lib vectors. JavaScript: node --test tests-wasm/vectors/js/session.test.mjs (Noise of its own over @noble/curves, @noble/hashes, @noble/ciphers; libsodium-wrappers-sumo).",
            "handshakes": handshakes(),
            "handshakes_mean": "frames of the handshake as they go to the carrier, length in front; the initiator sends the first and the third",
            "other_version": other_version(),
            "other_version_means": "a first frame of version 2, and the answer",
            "session": session(),
            "session_means": "frames after the first handshake, in this order; `from` is a role byte, `hash` is H of a frame that is left out for its length, `repeat` stands for so many bytes of that value",
            "messages": messages::messages(),
            "refused": messages::refused(),
            "mutated": messages::mutated(),
            "mutated_means": "[index into messages, byte, xor, whether the result is a message]",
        }),
    );
}

/// Two sessions, and what they say to each other.
struct Wire {
    sides: [Session; 2],
    said: [Vec<SessionOutput>; 2],
}

impl Wire {
    /// With keys and nonces from a seed; those in JSON too.
    fn new(carriers: [Carrier; 2], seed: u64) -> (Self, [Json; 2]) {
        let mut entropy = Seeded::new(seed);
        let mut side = |carrier, role| {
            let (key, ephemeral, nonce) = (entropy.array32(), entropy.array32(), entropy.array16());
            let node = NodeKey::generate(&mut Given(&key));
            let config = SessionConfig { carrier, key: &node, nonce, role, via: 0 };
            let session = Session::new(config, &mut Given(&ephemeral), NOW).unwrap();
            (
                session,
                json!({ "secret": hex(&key), "public": hex(&node.public()), "ephemeral_secret": hex(&ephemeral), "nonce": hex(&nonce) }),
            )
        };
        let [one, two] = carriers;
        let ((one, one_json), (two, two_json)) = (side(one, Role::Initiator), side(two, Role::Responder));
        (Self { sides: [one, two], said: [vec![], vec![]] }, [one_json, two_json])
    }

    /// What one side has to send, at most so many frames; all of it arrives.
    fn turn(&mut self, from: usize, most: usize) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        while frames.len() < most
            && let Some(output) = self.sides[from].poll()
        {
            match output {
                SessionOutput::Send { bytes: frame, .. } => {
                    self.sides[1 - from].receive(0, &frame, NOW).unwrap();
                    frames.push(frame);
                }
                other => self.said[from].push(other),
            }
        }
        frames
    }

    /// The three messages of the handshake.
    fn shake(&mut self) -> Vec<Vec<u8>> {
        [0, 1, 0].into_iter().flat_map(|from| self.turn(from, 1)).collect()
    }

    /// What both say once the handshake is done.
    fn established(&mut self) -> (HandshakeHash, [u8; 32]) {
        let found = [0, 1].map(|side| match self.sides[side].poll() {
            Some(SessionOutput::Established { hash, id, .. }) => (hash, id),
            other => panic!("{other:?}"),
        });
        assert_eq!(found[0], found[1]);
        found[0]
    }
}

fn handshakes() -> Vec<Json> {
    let (low, high) = ([0x0a; 32], [0xa0; 32]);
    let cases = [
        (Carrier::Tab, Carrier::Tab),
        (Carrier::Relay, Carrier::Relay),
        (Carrier::WebRtc { local: high, remote: low }, Carrier::WebRtc { local: low, remote: high }),
    ];
    (1..)
        .zip(cases)
        .map(|(seed, (one, two))| {
            let (mut wire, [initiator, responder]) = Wire::new([one, two], seed);
            let frames: Vec<String> = wire.shake().iter().map(|frame| hex(frame)).collect();
            let (hash, id) = wire.established();
            let prints: Vec<String> = match one {
                Carrier::WebRtc { local, remote } => vec![hex(&local), hex(&remote)],
                _ => vec![],
            };
            json!({
                "carrier": one.name(), "fingerprints": prints, "initiator": initiator, "responder": responder,
                "frames": frames, "handshake_hash": hex(&hash.0), "session_id": hex(&id),
            })
        })
        .collect()
}

fn other_version() -> Json {
    let (mut wire, _) = Wire::new([Carrier::Tab, Carrier::Tab], 9);
    let Some(SessionOutput::Send { bytes: mut first, .. }) = wire.sides[0].poll() else { panic!() };
    first[7] = 2;
    assert!(wire.sides[1].receive(0, &first, NOW).is_err());
    let Some(SessionOutput::Send { bytes: answer, .. }) = wire.sides[1].poll() else { panic!() };
    wire.sides[0].receive(0, &answer, NOW).unwrap();
    let closed = SessionOutput::Closed { reason: CloseReason::Version { theirs: vec![1] } };
    assert_eq!(wire.sides[0].poll(), Some(closed));
    json!([hex(&first), hex(&answer)])
}

/// Notes frames with what is in them; counts their parts.
struct Notes {
    parts: [u64; 2],
    frames: Vec<Json>,
}

impl Notes {
    fn add(&mut self, from: usize, frames: &[Vec<u8>], contents: Vec<Json>) {
        assert_eq!(frames.len(), contents.len(), "{contents:?}");
        for (frame, content) in frames.iter().zip(contents) {
            let part = content["frame"].as_str().is_some_and(|kind| kind.ends_with("part"));
            self.parts[from] += u64::from(part);
            let mut note =
                json!({ "from": from, "sequence": self.parts[from], "acknowledged": self.parts[1 - from] });
            let (name, value) = if frame.len() > 1_000 {
                ("hash", blake2b(&[frame]).to_string())
            } else {
                ("hex", hex(frame))
            };
            note[name] = json!(value);
            note.as_object_mut().unwrap().extend(content.as_object().unwrap().clone());
            self.frames.push(note);
        }
    }
}

fn session() -> Json {
    let (mut wire, _) = Wire::new([Carrier::Tab, Carrier::Tab], 1);
    wire.shake();
    let (hash, _) = wire.established();
    let mut notes = Notes { parts: [0, 0], frames: Vec::new() };
    let whole = |channel: u64, kind: &str, fields: Json| json!({ "frame": "first part", "message": { "channel": channel, "kind": kind, "fields": fields } });
    let stamp = |kind: &str| json!({ "frame": kind, "stamp": NOW });

    // Heartbeats: each side asks at once, and is answered.
    for (from, contents) in [(0, vec!["ping"]), (1, vec!["pong", "ping"]), (0, vec!["pong"])] {
        let frames = wire.turn(from, 9);
        notes.add(from, &frames, contents.into_iter().map(stamp).collect());
    }

    // A space that both have, and one that only the initiator has.
    let (space, other) = (Signer::from_seed(&[0x50; 32]).public(), Signer::from_seed(&[0x51; 32]).public());
    wire.sides[1].serve(space);
    wire.sides[0].open(space).unwrap();
    wire.sides[0].open(other).unwrap();
    let tag = |space: &PublicKey, role: Role| {
        keyed_parts(&space.0, &[&Namespace::Channel.bytes(), &hash.0, &[role.byte()]])
    };
    let opens = |space: &PublicKey, role: Role, number: u64, answers: u64| {
        let (discovery, tag) = (space.discovery_key().to_string(), tag(space, role).to_string());
        whole(0, "open", json!({ "number": number, "answers": answers, "discovery": discovery, "tag": tag }))
    };
    let frames = wire.turn(0, 9);
    let contents = vec![opens(&space, Role::Initiator, 1, 0), opens(&other, Role::Initiator, 2, 0)];
    notes.add(0, &frames, contents);
    let frames = wire.turn(1, 9);
    let refusal = whole(0, "refuse", json!({ "discovery": other.discovery_key().to_string() }));
    notes.add(1, &frames, vec![opens(&space, Role::Responder, 1, 1), refusal]);
    wire.turn(0, 9);
    let channel = ChannelId(1);
    let opened = SessionOutput::ChannelOpened { channel, space };
    assert!(wire.said.iter().all(|said| said.contains(&opened)), "{:?}", wire.said);
    assert!(wire.said[0].contains(&SessionOutput::ChannelRefused { space: other }));

    // Both show that they hold a writer's key.
    for (from, role) in [(0, Role::Initiator), (1, Role::Responder)] {
        let writer = Signer::from_seed(&[role.byte() + 1; 32]);
        wire.sides[from].prove(channel, &writer).unwrap();
        let statement = [Namespace::Proof.bytes().as_slice(), &hash.0, &[role.byte()], &space.0].concat();
        let (key, signature) = (writer.public(), writer.sign(&statement));
        let fields = json!({ "key": key.to_string(), "signature": hex(&signature.0) });
        let frames = wire.turn(from, 9);
        notes.add(from, &frames, vec![whole(1, "prove", fields)]);
        wire.turn(1 - from, 9);
        assert!(wire.said[1 - from].contains(&SessionOutput::Proven { channel, key }));
    }

    // A message in three frames, then a small one.
    let large = Message::Extension { name: "x".into(), bytes: vec![0x5a; 35_000] };
    wire.sides[1].send(channel, &large).unwrap();
    wire.sides[1].send(channel, &Message::Cancel { id: 7 }).unwrap();
    let frames = wire.turn(1, 9);
    assert_eq!(frames[0].len(), frames[1].len() + 3, "the first part names the whole length");
    let fields = json!({ "name": "x", "bytes": { "repeat": "5a", "count": 35_000 } });
    let length = large.encode(1).len();
    let mut parts = Vec::new();
    for start in (0..length).step_by(PART) {
        let mut part = whole(1, "extension", fields.clone());
        part["frame"] = json!(if start == 0 { "first part" } else { "next part" });
        part["start"] = json!(start);
        part["end"] = json!(length.min(start + PART));
        parts.push(part);
    }
    assert_eq!(parts.len(), 3);
    parts.push(whole(1, "cancel", json!({ "id": 7 })));
    notes.add(1, &frames, parts);
    wire.turn(0, 9);

    // The channel is closed, then the session.
    wire.sides[0].leave(&space, Some(channel), NOW);
    let frames = wire.turn(0, 9);
    notes.add(0, &frames, vec![whole(1, "close", json!({}))]);
    let frames = wire.turn(1, 9);
    notes.add(1, &frames, vec![whole(1, "close", json!({}))]);
    wire.sides[0].close(Goodbye::Duplicate);
    let frames = wire.turn(0, 9);
    notes.add(0, &frames, vec![json!({ "frame": "close", "why": 1, "text": "" })]);
    assert!(matches!(wire.sides[1].poll(), Some(SessionOutput::Closed { .. })));
    json!({ "space": space.to_string(), "other": other.to_string(), "frames": notes.frames })
}

/// Bytes of a message in one frame.
const PART: usize = 16_384 - 2 - 16 - 25;
