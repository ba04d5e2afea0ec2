//! Messages of nodes: signed, and sealed in ephemeral envelopes.

use serde_json::{Value as Json, json};

use super::{Given, check};
use crate::{
    codec::{Value, Writer, encode_value},
    crypto::{Entropy, Hash, Namespace, PublicKey, SecretKey32, Signer, hex},
    feed::SignedHead,
    node::links::peer_message::{Around, PeerMessage, public_key, topic},
    sync::{Envelope, EnvelopeKind},
    testing::Seeded,
};

const TIME: u64 = 1_700_000_000_000;

fn space() -> PublicKey {
    Signer::from_seed(&[0x50; 32]).public()
}

#[test]
fn channel() {
    check(
        "channel.json",
        &json!({
            "source": "Rust: HYPHA_WRITE_VECTORS=1 cargo test --lib vectors. JavaScript: node --test tests-wasm/vectors/js/channel.test.mjs (libsodium-wrappers-sumo).",
            "space": space().to_string(),
            "discovery_key": space().discovery_key().to_string(),
            "public_key": hex(&public_key(&space()).0),
            "messages": messages(),
            "heads": heads(),
            "refused": refused(),
        }),
    );
}

/// One head, and two.
fn payloads() -> Vec<(Json, Vec<u8>)> {
    let head = |seed: u8, length: u64| {
        let signer = Signer::from_seed(&[seed; 32]);
        (signer.public(), SignedHead::sign(&signer, length, 0, Hash([seed; 32])))
    };
    [vec![head(1, 1)], vec![head(2, 300), head(3, 1 << 40)]]
        .into_iter()
        .map(|heads| {
            let mut out = Writer::versioned();
            out.count(heads.len());
            let mut list = Vec::new();
            for (feed, head) in heads {
                out.raw(&feed.0);
                head.write(&mut out);
                list.push(json!({
                    "feed": feed.to_string(), "length": head.length, "fork": head.fork,
                    "tree_hash": head.tree_hash.to_string(), "signature": hex(&head.signature.0),
                }));
            }
            (Json::Array(list), out.finish())
        })
        .collect()
}

fn heads() -> Vec<Json> {
    payloads().into_iter().map(|(heads, bytes)| json!({ "heads": heads, "hex": hex(&bytes) })).collect()
}

fn messages() -> Vec<Json> {
    let mut entropy = Seeded::new(0xc4a);
    let value = |text: &str| encode_value(&Value::Text(text.to_owned())).unwrap();
    let cases = [
        (EnvelopeKind::Public, topic::APP, value("hello")),
        (EnvelopeKind::Epoch, topic::APP, value("among us")),
        (EnvelopeKind::Addressed, topic::APP, value("to you")),
        (EnvelopeKind::Epoch, topic::PRESENCE, value("here")),
        (EnvelopeKind::Public, topic::PRESENCE, Vec::new()),
        (EnvelopeKind::Epoch, topic::HEADS, payloads().remove(1).1),
        (EnvelopeKind::Public, topic::JOIN, b"invite".to_vec()),
    ];
    cases
        .into_iter()
        .zip(1_u8..)
        .map(|((kind, topic, payload), seed)| {
            let signer = Signer::from_seed(&[seed; 32]);
            let recipient = Signer::from_seed(&[0x77; 32]);
            let addressed = kind == EnvelopeKind::Addressed;
            let expiry = TIME + u64::from(seed) * 1000;
            let to = addressed.then(|| recipient.public());
            let discovery = space().discovery_key();
            let around = Around { discovery, kind, expiry, recipient: to };
            let id = entropy.array16();
            let message = PeerMessage { topic, sender: signer.public(), id, time: TIME, payload };
            let plain = message.sign(&around, &signer);
            assert_eq!(PeerMessage::decode(&around, &plain).as_ref(), Ok(&message));
            let (key, ephemeral, nonce) = (entropy.array32(), entropy.array32(), entropy.array24());
            let (key, envelope) = match (kind, to) {
                (EnvelopeKind::Addressed, Some(to)) => {
                    let drawn = [key.as_slice(), &ephemeral, &nonce].concat();
                    (key, Envelope::seal_to_writer(discovery, expiry, &to, &plain, &mut Given(&drawn)))
                }
                _ => {
                    let key = if kind == EnvelopeKind::Public { public_key(&space()).0 } else { key };
                    let sealed =
                        Envelope::seal(kind, discovery, expiry, &SecretKey32(key), &plain, &mut Given(&nonce));
                    (key, sealed)
                }
            };
            json!({
                "kind": kind.byte(), "expiry": expiry, "topic": topic, "seed": hex(&[seed; 32]), "id": hex(&id), "time": TIME,
                "payload": hex(&message.payload), "recipient_seed": addressed.then(|| hex(&[0x77; 32])), "key": hex(&key),
                "ephemeral_secret": addressed.then(|| hex(&ephemeral)), "nonce": hex(&nonce),
                "plain": hex(&plain), "name": message.name().to_string(), "hex": hex(&envelope.unwrap().encode()),
            })
        })
        .collect()
}

/// Of kind 2, expiry 9; with a good signature unless it says otherwise.
fn refused() -> Vec<Json> {
    let signer = Signer::from_seed(&[1; 32]);
    let around =
        Around { discovery: space().discovery_key(), kind: EnvelopeKind::Public, expiry: 9, recipient: None };
    let signed = |kind: u8, expiry: u64, more: &[u8], body: &[u8]| {
        let namespace = Namespace::Message.bytes();
        let front = [namespace.as_slice(), &around.discovery.0, &[kind], &expiry.to_le_bytes(), more, body];
        [body, &signer.sign(&front.concat()).0].concat()
    };
    let body = |payload: &[u8]| {
        let mut out = Writer::versioned();
        out.u8(1).raw(&signer.public().0).raw(&[5; 16]).varint(8).raw(payload);
        out.finish()
    };
    let good = body(b"\x60");
    assert!(PeerMessage::decode(&around, &signed(2, 9, &[], &good)).is_ok());
    let cases = [
        ("nothing", vec![]),
        ("a signature alone", vec![0; 64]),
        ("version 2", signed(2, 9, &[], &[&[2], &good[1..]].concat())),
        ("signed for kind 1", signed(1, 9, &[], &good)),
        ("signed for another expiry", signed(2, 10, &[], &good)),
        ("signed for a recipient", signed(2, 9, &[7; 32], &good)),
        ("signed by another key", {
            let other = Signer::from_seed(&[2; 32]).public();
            signed(2, 9, &[], &[&good[..2], &other.0, &good[34..]].concat())
        }),
        ("time in longer form", signed(2, 9, &[], &[&good[..50], &[0x88, 0], &good[51..]].concat())),
        ("payload of 16,167 bytes", signed(2, 9, &[], &body(&[0; 16_167]))),
    ];
    cases
        .iter()
        .map(|(why, bytes)| {
            let error = PeerMessage::decode(&around, bytes).expect_err(why);
            json!({ "why": why, "hex": hex(bytes), "error": error.to_string() })
        })
        .collect()
}
