//! Replicas: pins in entries, receipts, and what a challenge is answered with.

use serde_json::{Value as Json, json};

use super::{check, mutations, notation};
use crate::{
    crypto::{Hash, PublicKey, Signer, hex},
    space::{AccessOp, Entry, Pin, Receipt, Receipts, challenge_answer},
    testing::Seeded,
};

fn signer(seed: u8) -> Signer {
    Signer::from_seed(&[seed; 32])
}

/// The space of all that follows.
fn space() -> PublicKey {
    signer(0x50).public()
}

#[test]
fn replicas() {
    let entries = entries();
    let mut entropy = Seeded::new(0x4e9);
    let mut mutated = Vec::new();
    for (index, (_, entry)) in entries.iter().enumerate() {
        let block = entry.encode();
        for (at, xor) in mutations(block.len(), 60, &mut entropy) {
            let mut bytes = block.clone();
            bytes[at] ^= xor;
            mutated.push(json!([index, at, xor, Entry::decode(&bytes).is_ok()]));
        }
    }
    check(
        "replicas.json",
        &json!({
            "source": "Rust: HYPHA_WRITE_VECTORS=1 cargo test --lib vectors. JavaScript: node --test tests-wasm/vectors/js/replicas.test.mjs (libsodium-wrappers-sumo, @noble/curves, @noble/hashes).",
            "space": space().to_string(),
            "entries": entries.iter().map(|(what, entry)| {
                let block = entry.encode();
                assert_eq!(Entry::decode(&block).as_ref(), Ok(entry), "{what}");
                json!({ "what": what, "entry": notation::entry(entry), "hex": hex(&block) })
            }).collect::<Vec<_>>(),
            "mutated": mutated,
            "mutated_means": "[index into entries, byte, xor, whether the result is accepted]",
            "receipts": receipts(),
            "stored": stored(),
            "answers": answers(),
            "answers_mean": "byte j of block i is (31 i + 7 j + 3) mod 256, and it has (37 i) mod 251 of them",
        }),
    );
}

fn entries() -> Vec<(&'static str, Entry)> {
    let entry = |access| Entry {
        deps: vec![],
        full_clock: true,
        previous_access: None,
        time: 5,
        access,
        public: vec![],
        sealed: None,
    };
    let pin = |seed: u8, label: &str| {
        AccessOp::Pin(Pin { replica: signer(seed).public(), label: label.to_owned() })
    };
    let later = |kind, body: &[u8]| AccessOp::Unknown { kind, body: body.to_vec() };
    let key = signer(7).public().0;
    let with = |behind: &[u8]| [key.as_slice(), behind].concat();
    vec![
        (
            "pins",
            entry(vec![
                pin(7, ""),
                pin(7, "Raspberry Pi in the hall"),
                pin(8, &"ü".repeat(32)),
                AccessOp::Unpin { replica: signer(8).public() },
            ]),
        ),
        (
            "pins of another layout",
            entry(vec![
                later(8, &[]),
                later(8, &key),
                later(8, &with(&[2, b'x'])),
                later(8, &with(&[1, 0xff])),
                later(8, &with(&[&[65], [b'x'; 65].as_slice()].concat())),
                later(9, &key[..31]),
                later(9, &with(&[0])),
            ]),
        ),
    ]
}

fn receipt(seed: u8, length: u64, expires: u64) -> Receipt {
    let hash = Hash([seed.wrapping_add(1); 32]);
    Receipt::sign(&signer(seed), &space(), signer(9).public(), length, hash, expires)
}

fn receipts() -> Vec<Json> {
    [(7, 1, 1), (8, 300, 1_800_000_000_000), (0x51, (1 << 53) - 1, (1 << 53) - 1)]
        .into_iter()
        .map(|(seed, length, expires)| {
            let receipt = receipt(seed, length, expires);
            assert!(receipt.verify(&space()).is_ok());
            json!({
                "seed": hex(&[seed; 32]), "signer": receipt.signer.to_string(), "feed": receipt.feed.to_string(),
                "length": length, "tree_hash": receipt.tree_hash.to_string(), "expires": expires,
                "signature": hex(&receipt.signature.0),
            })
        })
        .collect()
}

fn stored() -> Json {
    let mut receipts = Receipts::default();
    for receipt in [receipt(7, 1, 1), receipt(8, 300, 1_800_000_000_000)] {
        receipts.keep(receipt);
    }
    json!({ "means": "the first two of `receipts`", "hex": hex(&receipts.encode()) })
}

fn answers() -> Vec<Json> {
    [vec![0], vec![1, 0], vec![300, 7, 300, 2]]
        .into_iter()
        .zip(1_u8..)
        .map(|(indexes, number): (Vec<u64>, u8)| {
            let (signer, feed, nonce) = (signer(7).public(), signer(9).public(), [number; 32]);
            let block = |index: u64| (0..index * 37 % 251).map(|j| ((index * 31 + j * 7 + 3) & 255) as u8).collect();
            let blocks: Vec<(u64, Vec<u8>)> = indexes.iter().map(|index| (*index, block(*index))).collect();
            let hash = challenge_answer(&space(), &signer, &feed, &nonce, &blocks);
            json!({
                "signer": signer.to_string(), "feed": feed.to_string(), "nonce": hex(&nonce), "blocks": indexes,
                "hash": hash.to_string(),
            })
        })
        .collect()
}
