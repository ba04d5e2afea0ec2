//! Proofs of blocks and upgrades, and of equivocation.

use serde_json::{Value as Json, json};

use super::check;
use crate::{
    crypto::{Signer, hex},
    feed::{EquivocationProof, Feed, Proof, ProofRequest},
    storage::Files,
};

/// Byte j of block i is (31 i + 7 j + 3) mod 256, and it has (37 i) mod 251 of them.
fn block(index: usize) -> Vec<u8> {
    (0..index * 37 % 251).map(|j| ((index * 31 + j * 7 + 3) & 255) as u8).collect()
}

/// A feed of the key of seed 01…, one head per block.
fn feed(files: &mut Files, blocks: impl Iterator<Item = usize>) -> Feed {
    let signer = Signer::from_seed(&[1; 32]);
    let mut feed = Feed::open(files, signer.public()).unwrap();
    for index in blocks {
        let head = feed.append(files, &signer, &[block(index)]).unwrap();
        feed.keep_head(files, &head).unwrap();
    }
    feed
}

#[test]
fn proofs() {
    check(
        "proofs.json",
        &json!({
            "source": "Rust: HYPHA_WRITE_VECTORS=1 cargo test --lib vectors. JavaScript: node --test tests-wasm/vectors/js/feed.test.mjs (hypercore-crypto, libsodium-wrappers-sumo). The feed's key has seed 01…; byte j of block i is (31 i + 7 j + 3) mod 256, and it has (37 i) mod 251 of them.",
            "proofs": merkle(),
            "equivocations": equivocations(),
            "equivocations_mean": "two feeds have the first `index` blocks in common; from there on the second has block i + 1000 in place of i",
        }),
    );
}

fn merkle() -> Vec<Json> {
    let mut files = Files::new();
    let feed = feed(&mut files, 0..100);
    let mut all = Vec::new();
    for to in [1, 2, 3, 6, 7, 8, 13, 31, 32, 33, 100_u64] {
        let middle = to / 2;
        let last = to - 1;
        // (blocks, from): everything, one block by itself, one with its upgrade, an upgrade alone, a range across.
        for (blocks, from) in [
            (0..to, 0),
            (middle..middle + 1, to),
            (last..to, last),
            (middle..middle, middle),
            (middle / 2..last, middle),
            (0..1, 0),
        ] {
            let request = ProofRequest { blocks: blocks.clone(), from, to };
            let Ok(proof) = feed.prove(&files, &request) else {
                assert!(blocks.is_empty() && from == to, "{request:?}");
                continue;
            };
            assert_eq!(Proof::decode(&proof.encode()).as_ref(), Ok(&proof));
            let indexes: Vec<u64> = proof.nodes.iter().map(|node| node.index).collect();
            all.push(json!({ "from": from, "to": to, "start": blocks.start, "end": blocks.end, "nodes": indexes, "hex": hex(&proof.encode()) }));
        }
    }
    all
}

fn equivocations() -> Vec<Json> {
    [(0, 1, 1), (1, 2, 2), (3, 8, 5), (4, 5, 20), (19, 20, 33)]
        .iter()
        .map(|&(index, ours, theirs): &(usize, usize, usize)| {
            let (mut here, mut there) = (Files::new(), Files::new());
            let mine = feed(&mut here, 0..ours);
            let other = feed(&mut there, (0..index).chain(index + 1000..theirs + 1000));
            let at = index as u64;
            let (one, two) = (mine.branch(&here, at, ours as u64).unwrap(), other.branch(&there, at, theirs as u64).unwrap());
            one.verify(&mine.key()).unwrap();
            let branches = [hex(&one.encode()), hex(&two.encode())];
            let proof = EquivocationProof::new(mine.key(), one, two).unwrap();
            assert_eq!(EquivocationProof::decode(&proof.encode()).as_ref(), Ok(&proof));
            json!({ "index": index, "lengths": [ours, theirs], "branches": branches, "hex": hex(&proof.encode()), "id": proof.id().to_string() })
        })
        .collect()
}
