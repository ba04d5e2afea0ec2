//! Root records: items, links, hash, signature.

use serde_json::{Value as Json, json};

use super::{check, entries, mutations, notation};
use crate::{
    codec::Writer,
    crypto::{Entropy, Hash, Namespace, PublicKey, Signer, hex},
    space::{Role, RootItem, RootRecord},
    testing::Seeded,
};

#[test]
fn records() {
    let mut entropy = Seeded::new(0x4ec);
    let space = Signer::from_seed(&[0x50; 32]).public();
    let mut records = Vec::new();
    let mut encoded = Vec::new();
    for (what, seed, links, items) in samples(&mut entropy) {
        let root = Signer::from_seed(&[seed; 32]);
        let record = RootRecord::sign(&space, &root, links, items).unwrap();
        assert_eq!(RootRecord::decode(&space, record.as_bytes()).as_ref(), Ok(&record), "{what}");
        records.push(json!({
            "what": what, "root_seed": hex(&[seed; 32]), "root": root.public().to_string(),
            "links": record.links.iter().map(Hash::to_string).collect::<Vec<_>>(),
            "items": record.items.iter().map(notation::item).collect::<Vec<_>>(),
            "hex": hex(record.as_bytes()), "hash": record.hash().to_string(),
        }));
        encoded.push(record.as_bytes().to_vec());
    }
    let mutated: Vec<Json> = encoded
        .iter()
        .enumerate()
        .flat_map(|(index, bytes)| {
            let count = if bytes.len() > 2_000 { 5 } else { 25 };
            mutations(bytes.len() - 64, count, &mut entropy)
                .into_iter()
                .map(|(at, xor)| {
                    let mut bytes = bytes.clone();
                    bytes[at] ^= xor;
                    let resigned = resign(&space, &bytes);
                    assert!(RootRecord::decode(&space, &bytes).is_err());
                    json!([index, at, xor, RootRecord::decode(&space, &resigned).is_ok()])
                })
                .collect::<Vec<_>>()
        })
        .collect();
    check(
        "records.json",
        &json!({
            "source": "Rust: HYPHA_WRITE_VECTORS=1 cargo test --lib vectors. JavaScript: node --test tests-wasm/vectors/js/records.test.mjs (its own reader and writer of the layout, libsodium-wrappers-sumo, @noble/curves).",
            "space": space.to_string(),
            "records": records,
            "refused": refused(&space),
            "mutated": mutated,
            "mutated_means": "[index into records, byte of the body, xor, whether the result is accepted once the root of seed 50… has signed it]. Without a new signature none is.",
        }),
    );
}

/// Signs a body anew with the space's own root. A record that names another root stays refused.
fn resign(space: &PublicKey, record: &[u8]) -> Vec<u8> {
    let body = &record[..record.len() - 64];
    signed(space, body)
}

fn signed(space: &PublicKey, body: &[u8]) -> Vec<u8> {
    let signature = Signer::from_seed(&[0x50; 32]).sign(&[&Namespace::Root.bytes(), &space.0, body].concat());
    [body, &signature.0].concat()
}

type Sample = (&'static str, u8, Vec<Hash>, Vec<RootItem>);

fn samples(entropy: &mut dyn Entropy) -> Vec<Sample> {
    let grant = |seed, key, entropy: &mut dyn Entropy| {
        RootItem::Grant(entries::grant(seed, Role::Admin, key, entropy))
    };
    let cut = |length, voids: &[u8], entropy: &mut dyn Entropy| RootItem::Cut {
        cut: entries::cut(3, length, entropy),
        voids: voids.iter().map(|byte| Hash([*byte; 32])).collect(),
    };
    let first = grant(1, None, entropy);
    let named = grant(2, Some([0xc0; 32]), entropy);
    let (cut_all, cut_some) = (cut(0, &[], entropy), cut(77, &[5, 1, 1], entropy));
    let mut many: Vec<Hash> = (0..130).map(|_| Hash(entropy.array32())).collect();
    many.sort_unstable();
    vec![
        ("empty", 0x50, vec![], vec![]),
        ("first: grants one device", 0x50, vec![], vec![first.clone()]),
        ("links, ascending", 0x50, vec![Hash([1; 32]), Hash([2; 32])], vec![named.clone()]),
        ("cuts", 0x50, vec![Hash([0xff; 32])], vec![cut_all.clone(), cut_some.clone()]),
        ("voids", 0x50, vec![], vec![RootItem::Void(vec![Hash([4; 32])]), RootItem::Void(vec![])]),
        ("successor", 0x50, vec![], vec![RootItem::Successor(Signer::from_seed(&[0x51; 32]).public())]),
        (
            "unknown items",
            0x50,
            vec![],
            vec![
                RootItem::Unknown { kind: 0, body: vec![] },
                RootItem::Unknown { kind: 5, body: vec![9; 200] },
            ],
        ),
        ("by a later root, many links", 0x51, many, vec![first, cut_all, named, cut_some]),
    ]
}

/// With a good signature unless it says otherwise.
fn refused(space: &PublicKey) -> Vec<Json> {
    let root = Signer::from_seed(&[0x50; 32]).public();
    let front = |links: u64, there: &[u8]| {
        let mut out = Writer::versioned();
        out.raw(&root.0).varint(links);
        for byte in there {
            out.raw(&[*byte; 32]);
        }
        out
    };
    let items = |items: &[(u8, Vec<u8>)]| {
        let mut out = front(0, &[]);
        out.count(items.len());
        for (kind, body) in items {
            out.u8(*kind).bytes(body);
        }
        out.finish()
    };
    let mut voids = Writer::new();
    voids.varint(1_001).raw(&vec![1; 32 * 1_001]);
    let good = items(&[]);
    let mut other_key =
        RootRecord::sign(space, &Signer::from_seed(&[0x51; 32]), vec![], vec![]).unwrap().as_bytes().to_vec();
    other_key[1..33].copy_from_slice(&root.0);
    let with_good_signature = [
        ("version 2", [&[2], &good[1..]].concat()),
        ("a byte too many", [good.as_slice(), &[0]].concat()),
        ("no items", good[..good.len() - 1].to_vec()),
        ("links out of order", [front(2, &[2, 1]).as_slice(), &[0]].concat()),
        ("a link twice", [front(2, &[1, 1]).as_slice(), &[0]].concat()),
        ("1,001 links", [front(1_001, &[]).as_slice(), &[0]].concat()),
        ("201 items", items(&(0..201).map(|_| (9, vec![])).collect::<Vec<_>>())),
        ("fewer items than said", [front(0, &[]).as_slice(), &[2, 9, 0]].concat()),
        ("grant with role 3", items(&[(1, [[1; 64].as_slice(), &[3, 0], &[0; 16]].concat())])),
        ("cut without voids", items(&[(2, [[1; 32].as_slice(), &[0]].concat())])),
        ("1,001 voids", items(&[(3, voids.finish())])),
        ("void with a byte too many", items(&[(3, vec![0, 0])])),
        ("successor of 31 bytes", items(&[(4, vec![1; 31])])),
        ("count of items in longer form", [front(0, &[]).as_slice(), &[0x80, 0]].concat()),
    ]
    .map(|(why, body)| (why, signed(space, &body)));
    let other_space = Signer::from_seed(&[0x52; 32]).public();
    let bad = [
        ("nothing", vec![]),
        ("63 bytes", vec![1; 63]),
        ("signature of another key", other_key),
        ("signed for another space", signed(&other_space, &good)),
        ("signature changed", {
            let mut bytes = signed(space, &good);
            *bytes.last_mut().unwrap() ^= 1;
            bytes
        }),
    ];
    with_good_signature
        .into_iter()
        .chain(bad)
        .map(|(why, bytes)| {
            let error = RootRecord::decode(space, &bytes).map(|_| ()).expect_err(why);
            json!({ "why": why, "hex": hex(&bytes), "error": error.to_string() })
        })
        .collect()
}
