//! Every kind of message, and what is refused.

use serde_json::{Value as Json, json};

use super::mutations;
use crate::{
    codec::Writer,
    crypto::{Entropy, Hash, PublicKey, SecretKey32, Signature, hex},
    feed::{Node, Proof, SignedHead},
    space::Receipt,
    sync::{Announcement, Answers, Declined, Envelope, EnvelopeKind, ItemKind, Message},
    testing::Seeded,
};

/// (channel, kind, the fields in JSON, the message)
type Sample = (u64, &'static str, Json, Message);

/// All kinds with their bytes.
pub(super) fn messages() -> Json {
    samples()
        .into_iter()
        .map(|(channel, kind, fields, message)| {
            let bytes = message.encode(channel);
            assert_eq!(Message::decode(&bytes), Ok((channel, message)), "{kind}");
            json!({ "channel": channel, "kind": kind, "fields": fields, "hex": hex(&bytes) })
        })
        .collect()
}

/// [index into messages, byte, xor, whether the result is a message]
pub(super) fn mutated() -> Json {
    let mut entropy = Seeded::new(0x3e55);
    samples()
        .into_iter()
        .enumerate()
        .flat_map(|(index, (channel, _, _, message))| {
            let bytes = message.encode(channel);
            let all = mutations(bytes.len(), 24, &mut entropy);
            all.into_iter().map(move |(at, xor)| {
                let mut bytes = bytes.clone();
                bytes[at] ^= xor;
                json!([index, at, xor, Message::decode(&bytes).is_ok()])
            })
        })
        .collect()
}

/// Bytes that are no message, and why.
pub(super) fn refused() -> Json {
    let message = |kind: u8, write: &dyn Fn(&mut Writer)| {
        let mut out = Writer::new();
        out.varint(1).u8(kind);
        write(&mut out);
        out.finish()
    };
    let (one, two) = ([1; 32], [2; 32]);
    let open = message(0, &|out| {
        out.varint(1).varint(0).raw(&one).raw(&two);
    });
    let ranges = |list: &[(u64, u64)]| {
        message(5, &|out| {
            out.raw(&one).count(list.len());
            for (start, length) in list {
                out.varint(*start).varint(*length);
            }
        })
    };
    let request = |id: u64, start: u64, end: u64| {
        message(6, &|out| {
            out.varint(id).raw(&one).varint(start).varint(end).varint(0);
        })
    };
    let items = |kind: u8, more: u8, hashes: &[[u8; 32]]| {
        message(10, &|out| {
            out.u8(kind).u8(more).count(hashes.len());
            for hash in hashes {
                out.raw(hash);
            }
        })
    };
    let heads = |from: u64, to: u64| {
        message(15, &|out| {
            out.varint(7).raw(&one).varint(from).varint(to);
        })
    };
    let proof = Proof { head: None, from: 1, blocks_start: 0, nodes: Vec::new() }.encode();
    let count = |kind: u8, front: &[u8], count: usize| {
        message(kind, &|out| {
            out.raw(front).count(count);
        })
    };
    let data = |rest: &[usize]| {
        message(7, &|out| {
            out.varint(3).bytes(&proof);
            for number in rest {
                out.count(*number);
            }
        })
    };
    [
        ("nothing", vec![]),
        ("a channel without a kind", vec![1]),
        ("kind 200", vec![1, 200]),
        ("channel in longer form", [&[0x81, 0], &open[1..]].concat()),
        ("a byte too many", [open.as_slice(), &[0]].concat()),
        ("cut off", open[..open.len() - 1].to_vec()),
        ("open with number 0", [&open[..2], &[0], &open[3..]].concat()),
        ("close with a body", vec![1, 2, 0]),
        ("announcement with flag 2", vec![1, 4, 2, 0]),
        ("257 announced feeds", count(4, &[0], 257)),
        ("an empty range", ranges(&[(4, 0)])),
        ("ranges that touch", ranges(&[(0, 3), (3, 1)])),
        ("ranges that go back", ranges(&[(5, 1), (1, 1)])),
        ("65 ranges", count(5, &one, 65)),
        ("request 0", request(0, 1, 2)),
        ("request for nothing", request(1, 2, 2)),
        ("request that goes back", request(1, 3, 2)),
        ("request for 65,537 blocks", request(1, 0, 65_537)),
        ("4,097 blocks", data(&[4_097])),
        ("a block of 1 MiB and a byte", data(&[1, (1 << 20) + 1])),
        ("data without blocks' count", data(&[])),
        ("data with a proof of version 2", vec![1, 7, 3, 5, 2, 0, 1, 0, 0, 0]),
        ("cancel of 0", vec![1, 8, 0]),
        ("lack of 0", vec![1, 9, 0]),
        ("items of kind 4", items(4, 0, &[])),
        ("items with flag 2", items(0, 2, &[])),
        ("hashes out of order", items(0, 0, &[two, one])),
        ("a hash twice", items(0, 0, &[one, one])),
        ("4,097 hashes", count(10, &[0, 0], 4_097)),
        ("an item of kind 4", vec![1, 11, 4, 0]),
        ("an item of 262,145 bytes", count(11, &[0], 262_145)),
        ("an envelope of version 2", vec![1, 12, 2]),
        ("65 peers", count(13, &[], 65)),
        ("a peer of 513 bytes", count(13, &[1], 513)),
        ("an extension's name of 65 bytes", count(14, &[], 65)),
        ("an extension's name that is no text", vec![1, 14, 1, 0xff, 0]),
        ("an extension of 65,537 bytes", count(14, &[1, b'x'], 65_537)),
        ("head that is not beyond", heads(2, 2)),
    ]
    .iter()
    .map(|(why, bytes)| {
        let error = Message::decode(bytes).expect_err(why);
        json!({ "why": why, "hex": hex(bytes), "error": error.to_string() })
    })
    .collect()
}

#[expect(clippy::too_many_lines, reason = "one list of all kinds")]
fn samples() -> Vec<Sample> {
    let mut entropy = Seeded::new(0x3e5);
    let mut hash = || Hash(entropy.array32());
    let (discovery, tag, tree_hash, low) = (hash(), hash(), hash(), Hash([1; 32]));
    let (feed, key) = (PublicKey(hash().0), PublicKey(hash().0));
    let signature = Signature([0x51; 64]);
    let receipt =
        Receipt { feed, length: 300, tree_hash: low, expires: 1_800_000_000_000, signer: key, signature };
    let head = SignedHead { length: 300, fork: 0, tree_hash, signature };
    let head_json = json!({ "length": 300, "fork": 0, "tree_hash": tree_hash.to_string(), "signature": hex(&signature.0) });
    let node = Node { index: 129, hash: low, size: 70_000 };
    let node_json = json!({ "index": 129, "hash": low.to_string(), "size": 70_000 });
    let with_head = Proof { head: Some(head), from: 2, blocks_start: 2, nodes: vec![node] };
    let with_head_json = json!({ "head": head_json, "from": 2, "start": 2, "nodes": [node_json] });
    let bare = Proof { head: None, from: 300, blocks_start: 0, nodes: vec![node; 2] };
    let bare_json = json!({ "head": null, "from": 300, "start": 0, "nodes": [node_json, node_json] });
    let (last, last_json) = (with_head.clone(), with_head_json.clone());
    let nonce = [7; 24];
    let envelope = Envelope::seal(
        EnvelopeKind::Public,
        discovery,
        1_700_000_000_000,
        &SecretKey32([1; 32]),
        b"hi",
        &mut super::Given(&nonce),
    )
    .unwrap();
    let encoded = envelope.encode();
    let announcement = Announcement { feed, contiguous: 299, head };
    let feed_text = feed.to_string();
    vec![
        (
            0,
            "open",
            json!({ "number": 1, "answers": 0, "discovery": discovery.to_string(), "tag": tag.to_string() }),
            Message::Open { number: 1, answers: 0, discovery, tag },
        ),
        (
            0,
            "open",
            json!({ "number": 200, "answers": 1, "discovery": discovery.to_string(), "tag": tag.to_string() }),
            Message::Open { number: 200, answers: 1, discovery, tag },
        ),
        (0, "refuse", json!({ "discovery": discovery.to_string() }), Message::Refuse { discovery }),
        (200, "close", json!({}), Message::CloseChannel),
        (
            1,
            "prove",
            json!({ "key": key.to_string(), "signature": hex(&signature.0) }),
            Message::Prove { key, signature },
        ),
        (
            1,
            "announce",
            json!({ "more": false, "feeds": [] }),
            Message::Announce { more: false, feeds: vec![] },
        ),
        (
            1,
            "announce",
            json!({ "more": true, "feeds": [{ "feed": feed_text, "contiguous": 299, "head": head_json }] }),
            Message::Announce { more: true, feeds: vec![announcement] },
        ),
        (
            1,
            "have",
            json!({ "feed": feed_text, "ranges": [[0, 3], [4, 5], [128, 1_000]] }),
            Message::Have { feed, ranges: vec![0..3, 4..5, 128..1_000] },
        ),
        (
            1,
            "request",
            json!({ "id": 7, "feed": feed_text, "start": 2, "end": 300, "from": 2 }),
            Message::Request { id: 7, feed, blocks: 2..300, from: 2 },
        ),
        (
            1,
            "data",
            json!({ "id": 7, "proof": with_head_json, "blocks": ["", "02"] }),
            Message::Data {
                answers: Answers::Request(7),
                proof: with_head.clone(),
                blocks: vec![vec![], vec![2]],
            },
        ),
        (
            1,
            "data",
            json!({ "id": 128, "proof": bare_json, "blocks": ["0909"] }),
            Message::Data { answers: Answers::Request(128), proof: bare, blocks: vec![vec![9, 9]] },
        ),
        (
            1,
            "data",
            json!({ "id": 0, "feed": feed_text, "proof": with_head_json, "blocks": ["2a"] }),
            Message::Data { answers: Answers::Tail(feed), proof: with_head, blocks: vec![vec![42]] },
        ),
        (1, "cancel", json!({ "id": 7 }), Message::Cancel { id: 7 }),
        (1, "lack", json!({ "id": 300 }), Message::Lack { id: 300 }),
        (
            1,
            "items",
            json!({ "item": 2, "more": true, "hashes": [low.to_string(), Hash([3; 32]).to_string()] }),
            Message::Items { kind: ItemKind::Evidence, more: true, hashes: vec![low, Hash([3; 32])] },
        ),
        (
            1,
            "items",
            json!({ "item": 3, "more": false, "hashes": [] }),
            Message::Items { kind: ItemKind::Value, more: false, hashes: vec![] },
        ),
        (
            1,
            "item",
            json!({ "item": 0, "bytes": "080808" }),
            Message::Item { kind: ItemKind::Record, bytes: vec![8; 3] },
        ),
        (
            1,
            "item",
            json!({ "item": 1, "bytes": "" }),
            Message::Item { kind: ItemKind::Manifest, bytes: vec![] },
        ),
        (1, "envelope", json!({ "envelope": hex(&encoded) }), Message::Envelope(envelope)),
        (1, "peers", json!({ "peers": ["01", ""] }), Message::Peers(vec![vec![1], vec![]])),
        (
            1,
            "extension",
            json!({ "name": "schön", "bytes": "ff00" }),
            Message::Extension { name: "schön".into(), bytes: vec![255, 0] },
        ),
        (
            1,
            "ask head",
            json!({ "id": 9, "feed": feed_text, "from": 2, "to": 300 }),
            Message::AskHead { id: 9, feed, from: 2, to: 300 },
        ),
        (
            1,
            "ask branch",
            json!({ "id": 9, "feed": feed_text, "index": 300 }),
            Message::AskBranch { id: 9, feed, index: 300 },
        ),
        (1, "branch", json!({ "id": 9, "bytes": "0102" }), Message::Branch { id: 9, bytes: vec![1, 2] }),
        (
            1,
            "ask side",
            json!({ "id": 9, "feed": feed_text, "index": 300, "leaf": low.to_string(), "start": 301, "from": 302 }),
            Message::AskSide { id: 9, feed, index: 300, leaf: low, start: 301, from: 302 },
        ),
        (
            1,
            "ask side",
            json!({ "id": 9, "feed": feed_text, "index": 300, "leaf": low.to_string(), "start": 300, "from": 0 }),
            Message::AskSide { id: 9, feed, index: 300, leaf: low, start: 300, from: 0 },
        ),
        (
            1,
            "ask receipt",
            json!({ "feed": feed_text, "length": 300, "tree_hash": low.to_string() }),
            Message::AskReceipt { feed, length: 300, tree_hash: low },
        ),
        (
            1,
            "receipt",
            json!({
                "feed": feed_text, "length": 300, "tree_hash": low.to_string(), "expires": 1_800_000_000_000_u64,
                "signer": receipt.signer.to_string(), "signature": hex(&receipt.signature.0),
            }),
            Message::Receipt(receipt),
        ),
        (
            1,
            "challenge",
            json!({ "id": 9, "feed": feed_text, "nonce": hex(&[6; 32]), "blocks": [300, 0, 300] }),
            Message::Challenge { id: 9, feed, nonce: [6; 32], blocks: vec![300, 0, 300] },
        ),
        (1, "answer", json!({ "id": 9, "hash": low.to_string() }), Message::Answer { id: 9, hash: low }),
        (
            1,
            "decline",
            json!({ "feed": feed_text, "why": 0 }),
            Message::Decline { feed, why: Declined::Full },
        ),
        (
            1,
            "decline",
            json!({ "feed": feed_text, "why": 1 }),
            Message::Decline { feed, why: Declined::NotHeld },
        ),
        (1, "beacon", json!({ "hash": low.to_string() }), Message::Beacon(low)),
        (1, "relist", json!({}), Message::Relist),
        (
            1,
            "packed",
            json!({ "id": 7, "proof": last_json, "blocks": ["", "0102030405", "01020304050607", "0102", "ff"] }),
            Message::Data {
                answers: Answers::Request(7),
                proof: last,
                blocks: vec![vec![], vec![1, 2, 3, 4, 5], vec![1, 2, 3, 4, 5, 6, 7], vec![1, 2], vec![255]],
            },
        ),
    ]
}
