//! Entries: every kind of operation, sealed parts, blocks that are malformed, and mutated ones.

use serde_json::{Value as Json, json};
use zeroize::Zeroizing;

use super::{check, mutations, notation};
use crate::{
    codec::{MAX_SAFE, Value, Writer, decode_value, encode_value},
    crypto::{
        Entropy, Hash, NONCE_LENGTH, Namespace, PublicKey, Signer, blake2b, hash_to, hex, seal, seal_to,
    },
    space::{
        AccessOp, Cut, Dep, Entry, Grant, Op, PersonId, Role, Seal, Sealed, SealedName, Version, decode_ops,
        encode_ops, sealed_part_ad,
    },
    testing::Seeded,
};

fn written(samples: &[(&str, Entry)]) -> Vec<Json> {
    samples
        .iter()
        .map(|(what, entry)| {
            let block = entry.encode();
            assert_eq!(Entry::decode(&block).as_ref(), Ok(entry), "{what}");
            json!({
                "what": what, "entry": notation::entry(entry), "hex": hex(&block), "hash": leaf(&block).to_string(),
                "clear_length": entry.encode_clear().len(),
            })
        })
        .collect()
}

fn mutations_of(samples: &[(&str, Entry)], entropy: &mut dyn Entropy) -> Vec<Json> {
    samples
        .iter()
        .enumerate()
        .flat_map(|(index, (_, entry))| {
            let block = entry.encode();
            let count = if block.len() > 2_000 { 20 } else { 60 };
            mutations(block.len(), count, entropy)
                .into_iter()
                .map(|(at, xor)| {
                    let mut bytes = block.clone();
                    bytes[at] ^= xor;
                    json!([index, at, xor, Entry::decode(&bytes).is_ok()])
                })
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Leaf hash of a block, which is the hash of the entry (protocol text, section 4).
fn leaf(block: &[u8]) -> Hash {
    let size = u64::try_from(block.len()).unwrap();
    blake2b(&[&[0], &size.to_le_bytes(), block])
}

#[test]
fn entries() {
    let mut entropy = Seeded::new(0xe7);
    let samples = samples(&mut entropy);
    let (entries, mutated) = (written(&samples), mutations_of(&samples, &mut entropy));
    let adopted = adopted();
    check(
        "entries.json",
        &json!({
            "source": "Rust: HYPHA_WRITE_VECTORS=1 cargo test --lib vectors. JavaScript: node --test tests-wasm/vectors/js/entries.test.mjs (its own reader and writer of the layout, cbor2, cborg, libsodium-wrappers-sumo, hypercore-crypto).",
            "entries": entries,
            "sealed_parts": sealed_parts(&mut entropy),
            "malformed": malformed(),
            "adopted": written(&adopted),
            "adopted_mutated": mutations_of(&adopted, &mut Seeded::new(0xad)),
            "mutated": mutated,
            "mutated_means": "[index into entries, byte, xor, whether the result is accepted]",
        }),
    );
}

fn signer(seed: u8) -> Signer {
    Signer::from_seed(&[seed; 32])
}

fn put(key: &str, value: Value) -> Op {
    Op::Put { key: key.to_owned(), value: encode_value(&value).unwrap() }
}

fn empty() -> Entry {
    Entry {
        deps: vec![],
        full_clock: false,
        previous_access: None,
        time: 0,
        access: vec![],
        public: vec![],
        sealed: None,
    }
}

/// A grant with its name sealed under a content key.
pub(super) fn grant(seed: u8, role: Role, content_key: Option<[u8; 32]>, entropy: &mut dyn Entropy) -> Grant {
    let writer = signer(seed).public();
    Grant {
        writer,
        person: PersonId::founded_by(&writer),
        role,
        from_now_on: seed.is_multiple_of(2),
        install_id: [seed; 16],
        name: content_key.map(|key| {
            let nonce = entropy.array24();
            let epoch = hash_to(Namespace::Epoch, &[&key]);
            SealedName { epoch, nonce, ciphertext: seal(&key, &nonce, &writer.0, "Phone 📱".as_bytes()) }
        }),
        invite: None,
    }
}

pub(super) fn cut(seed: u8, length: u64, entropy: &mut dyn Entropy) -> Cut {
    let writer = signer(seed).public();
    if length == 0 {
        return Cut { writer, length, tree_hash: Hash::default(), head: vec![], proof: vec![] };
    }
    let (tree_hash, head) = (Hash(entropy.array32()), super::cbor::any_bytes(entropy, 120));
    Cut { writer, length, tree_hash, head, proof: super::cbor::any_bytes(entropy, 200) }
}

fn seals(seeds: &[u8], key: &[u8; 32], entropy: &mut dyn Entropy) -> Vec<Seal> {
    let mut to = |seed: &u8| {
        let writer = signer(*seed).public();
        Seal { writer, key: seal_to(&writer, key, entropy).unwrap() }
    };
    seeds.iter().map(&mut to).collect()
}

fn samples(entropy: &mut dyn Entropy) -> Vec<(&'static str, Entry)> {
    let content = [0xc0; 32];
    let epoch = hash_to(Namespace::Epoch, &[&content]);
    let mut writers: Vec<PublicKey> = (1..6).map(|seed| signer(seed).public()).collect();
    writers.sort_unstable();
    let dep = |writer: &PublicKey, length, entropy: &mut dyn Entropy| Dep {
        writer: *writer,
        length,
        tree_hash: Hash(entropy.array32()),
    };
    let deps: Vec<Dep> = writers
        .iter()
        .zip([1, 127, 128, 16_384, MAX_SAFE])
        .map(|(writer, length)| dep(writer, length, entropy))
        .collect();
    let root = signer(9).public();
    let grants = vec![
        AccessOp::Grant(grant(1, Role::Admin, None, entropy)),
        AccessOp::Grant(grant(2, Role::Writer, Some(content), entropy)),
        AccessOp::Grant(grant(3, Role::Writer, None, entropy)),
        AccessOp::Grant(grant(4, Role::Admin, Some(content), entropy)),
    ];
    let cuts = vec![
        AccessOp::Cut(cut(2, 0, entropy)),
        AccessOp::Cut(cut(3, 1, entropy)),
        AccessOp::Cut(cut(3, MAX_SAFE, entropy)),
    ];
    let new_epoch = AccessOp::Epoch {
        id: epoch,
        seals: seals(&[1, 2], &content, entropy),
        root: seal_to(&root, &content, entropy).unwrap(),
    };
    let more = |root| AccessOp::Seal { epoch, seals: vec![], root };
    let unknown = |kind, body: &[u8]| AccessOp::Unknown { kind, body: body.to_vec() };
    let sealed = Sealed { epoch, nonce: entropy.array24(), ciphertext: super::cbor::any_bytes(entropy, 200) };
    let random = (0..10).map(|n| put(&format!("random/{n}"), super::cbor::any_value(entropy, 3))).collect();
    let all_access = [grants.clone(), cuts.clone(), vec![new_epoch.clone()]].concat();
    vec![
        ("empty", empty()),
        (
            "a put",
            Entry {
                time: 1_700_000_000_000,
                public: vec![put("post/1", Value::Text("Hello".into()))],
                ..empty()
            },
        ),
        (
            "puts and deletes",
            Entry {
                time: MAX_SAFE,
                previous_access: Some(0),
                public: vec![
                    put("a", Value::Null),
                    Op::Delete { key: "a".into() },
                    put(&"k".repeat(1_024), Value::Integer(1)),
                    Op::Delete { key: "é水📱\0".into() },
                    put(
                        "e\u{301}",
                        Value::Map(vec![("b".into(), Value::Float(0.5)), ("a".into(), Value::Blob(vec![1]))]),
                    ),
                ],
                ..empty()
            },
        ),
        ("random values", Entry { time: 127, public: random, ..empty() }),
        (
            "unknown operations",
            Entry {
                public: vec![
                    Op::Unknown { kind: 200, body: vec![] },
                    Op::Unknown { kind: 255, body: vec![0xff; 200] },
                    Op::Unknown { kind: 0, body: vec![1] },
                ],
                ..empty()
            },
        ),
        ("a message key, public", Entry { public: vec![Op::MessageKey(Zeroizing::new([8; 32]))], ..empty() }),
        ("deps", Entry { deps: deps.clone(), previous_access: Some(126), time: 128, ..empty() }),
        (
            "full clock",
            Entry { deps: deps[..2].to_vec(), full_clock: true, previous_access: Some(127), ..empty() },
        ),
        ("greatest previous access", Entry { previous_access: Some(MAX_SAFE - 1), ..empty() }),
        ("grants", Entry { full_clock: true, access: grants, ..empty() }),
        ("cuts", Entry { full_clock: true, deps: deps[..1].to_vec(), access: cuts, ..empty() }),
        (
            "hide, unhide, unknown",
            Entry {
                full_clock: true,
                access: vec![
                    AccessOp::Hide { writer: root, from: 0 },
                    AccessOp::Hide { writer: root, from: MAX_SAFE },
                    AccessOp::Unhide { writer: root },
                    unknown(7, b"invite"),
                    unknown(0, b""),
                    unknown(255, &[0xaa; 130]),
                ],
                ..empty()
            },
        ),
        ("epoch", Entry { full_clock: true, access: vec![new_epoch.clone()], ..empty() }),
        (
            "seals",
            Entry {
                full_clock: true,
                access: vec![
                    AccessOp::Seal { epoch, seals: seals(&[3], &content, entropy), root: None },
                    more(None),
                    more(Some(seal_to(&root, &content, entropy).unwrap())),
                ],
                ..empty()
            },
        ),
        ("sealed part", Entry { sealed: Some(sealed.clone()), ..empty() }),
        (
            "sealed part of no bytes",
            Entry { sealed: Some(Sealed { ciphertext: vec![], ..sealed.clone() }), ..empty() },
        ),
        (
            "everything",
            Entry {
                deps,
                full_clock: true,
                previous_access: Some(3),
                time: 1_800_000_000_000,
                access: all_access,
                public: vec![put("x", Value::Bool(true)), Op::Delete { key: "y".into() }],
                sealed: Some(sealed),
            },
        ),
    ]
}

/// Values that are written again after they were taken away.
fn adopted() -> Vec<(&'static str, Entry)> {
    let adopt = |seed: u8, index, op, key: &str, value| Op::Adopted {
        original: Version { writer: signer(seed).public(), index, op },
        key: key.to_owned(),
        value: encode_value(&value).unwrap(),
    };
    vec![
        (
            "adopted put",
            Entry { public: vec![adopt(2, 0, 0, "post/1", Value::Text("Hello".into()))], ..empty() },
        ),
        (
            "adopted puts",
            Entry {
                public: vec![
                    adopt(2, 127, 1, "a", Value::Null),
                    adopt(3, 128, 128, &"k".repeat(1_024), Value::Array(vec![Value::Integer(-1)])),
                    adopt(3, MAX_SAFE, u32::MAX, "é水📱\0", Value::Bytes(vec![4; 4])),
                    Op::Delete { key: "a".into() },
                ],
                ..empty()
            },
        ),
    ]
}

/// Operations, and the block they become at a place under a content key.
fn sealed_parts(entropy: &mut dyn Entropy) -> Vec<Json> {
    let ops: [Vec<Op>; 4] = [
        vec![],
        vec![put("diary/1", Value::Text("private".into()))],
        vec![
            Op::MessageKey(Zeroizing::new([0x5a; 32])),
            put("a", Value::Date(0)),
            Op::Delete { key: "b".into() },
        ],
        vec![put("long", Value::Bytes(vec![1; 1_000])), Op::Unknown { kind: 9, body: vec![9] }],
    ];
    let (feed, content_key) = (signer(1).public(), entropy.array32());
    ops.iter()
        .zip([0, 1, 300, MAX_SAFE])
        .map(|(ops, index)| {
            let epoch = hash_to(Namespace::Epoch, &[&content_key]);
            let nonce: [u8; NONCE_LENGTH] = entropy.array24();
            let mut list = Writer::new();
            encode_ops(ops, &mut list);
            let mut entry = Entry { time: index, public: vec![put("p", Value::Integer(7))], ..empty() };
            entry.sealed = Some(Sealed { epoch, nonce, ciphertext: vec![] });
            let ad = sealed_part_ad(&feed, index, &entry.encode_clear());
            entry.sealed = Some(Sealed { epoch, nonce, ciphertext: seal(&content_key, &nonce, &ad, list.as_slice()) });
            let block = entry.encode();
            json!({
                "feed": feed.to_string(), "index": index, "content_key": hex(&content_key), "epoch": epoch.to_string(),
                "nonce": hex(&nonce), "operations": notation::ops(ops), "plain": hex(list.as_slice()), "ad": hex(&ad),
                "block": hex(&block), "hash": leaf(&block).to_string(),
            })
        })
        .collect()
}

/// Blocks that are malformed by their layout alone.
fn malformed() -> Vec<Json> {
    let deps = |writers: &[u8]| {
        let mut out = Writer::versioned();
        out.u8(0).count(writers.len());
        for writer in writers {
            out.raw(&[*writer; 32]).varint(1).raw(&[0; 32]);
        }
        out.varint(0).varint(0).count(0).count(0);
        out.finish()
    };
    // Version, flags, no deps, no previous access, time 0, then the lists.
    let front = [1, 0, 0, 0, 0];
    let access = |kind: u8, body: &[u8]| {
        let mut out = Writer::new();
        out.raw(&front).count(1).u8(kind).bytes(body).count(0);
        out.finish()
    };
    let public = |kind: u8, body: &[u8]| {
        let mut out = Writer::new();
        out.raw(&front).count(0).count(1).u8(kind).bytes(body);
        out.finish()
    };
    let with = |bytes: &[u8], more: &[u8]| [bytes, more].concat();
    let grant = |role: u8, flags: u8, behind: &[u8]| {
        with(&[[1; 64].as_slice(), &[role, flags], &[2; 16]].concat(), behind)
    };
    let name = |size: usize| {
        let mut out = Writer::new();
        out.raw(&[3; 56]).bytes(&vec![0; size]);
        grant(1, 2, out.as_slice())
    };
    let cut = |head: usize, proof: usize| {
        let mut out = Writer::new();
        out.raw(&[1; 32]).varint(1).raw(&[2; 32]).bytes(&vec![0; head]).bytes(&vec![0; proof]);
        out.finish()
    };
    let seals = |count: u64, there: usize, behind: &[u8]| {
        let mut out = Writer::new();
        out.raw(&[1; 32]).varint(count).raw(&vec![2; 112 * there]).raw(behind);
        out.finish()
    };
    let put = |key: &[u8], value: &[u8]| {
        let mut out = Writer::new();
        out.bytes(key).raw(value);
        out.finish()
    };
    let adopted = |place: &[u8], key: &[u8], value: &[u8]| [&[1; 32], place, &put(key, value)].concat();
    let cases = [
        ("nothing", vec![]),
        ("version alone", vec![1]),
        ("version 0", vec![0, 0, 0, 0, 0, 0, 0]),
        ("version 2", vec![2, 0, 0, 0, 0, 0, 0]),
        ("unknown flag", vec![1, 4, 0, 0, 0, 0, 0]),
        ("cut off", vec![1, 0, 0, 0, 0, 0]),
        ("a byte too many", vec![1, 0, 0, 0, 0, 0, 0, 0]),
        ("sealed part cut off", with(&[1, 2, 0, 0, 0, 0, 0], &[0; 55])),
        ("longer integer: time 0 in two bytes", vec![1, 0, 0, 0, 0x80, 0, 0, 0]),
        ("longer integer: time 1 in two bytes", vec![1, 0, 0, 0, 0x81, 0, 0, 0]),
        ("time of 2^53", vec![1, 0, 0, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10, 0, 0]),
        ("time of nine bytes", vec![1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0]),
        ("deps out of order", deps(&[2, 1])),
        ("a dep twice", deps(&[1, 1])),
        ("10,001 deps", vec![1, 0, 0x91, 0x4e]),
        ("deps that are not there", vec![1, 0, 2]),
        ("1,001 access operations", vec![1, 0, 0, 0, 0, 0xe9, 0x07]),
        ("100,001 operations", vec![1, 0, 0, 0, 0, 0, 0xa1, 0x8d, 0x06]),
        ("access operation of 65,537 bytes", access(200, &[0; 65_537])),
        ("grant with role 0", access(1, &grant(0, 0, &[]))),
        ("grant with role 3", access(1, &grant(3, 0, &[]))),
        ("grant with a flag for an invite and none", access(1, &grant(1, 4, &[]))),
        ("grant with a byte too many", access(1, &grant(1, 0, &[0]))),
        ("grant with a flag for a name and none", access(1, &grant(1, 2, &[]))),
        ("grant with a name and no flag", access(1, &grant(1, 0, &[3; 57]))),
        ("grant with a name of 1,025 bytes", access(1, &name(1_025))),
        ("cut off within a grant", access(1, &[1; 81])),
        ("cut at 0 with a hash", access(2, &with(&[1; 32], &[[0].as_slice(), &[0; 32]].concat()))),
        ("cut at 1 without a hash", access(2, &with(&[1; 32], &[1]))),
        ("cut with a head of 257 bytes", access(2, &cut(257, 0))),
        ("cut with a proof of 16,385 bytes", access(2, &cut(1, 16_385))),
        ("hide without an index", access(3, &[1; 32])),
        ("hide with a longer integer", access(3, &with(&[1; 32], &[0x80, 0]))),
        ("unhide with a byte too many", access(4, &[1; 33])),
        ("epoch without the root's seal", access(5, &seals(0, 0, &[]))),
        ("epoch with 401 seals", access(5, &seals(401, 401, &[4; 80]))),
        ("epoch with fewer seals than said", access(5, &seals(2, 1, &[4; 80]))),
        ("seal with flag 2", access(6, &seals(0, 0, &[2]))),
        ("seal with flag 0 and a key", access(6, &seals(0, 0, &[0; 81]))),
        ("seal with flag 1 and none", access(6, &seals(0, 0, &[1]))),
        ("put without a key", public(1, &put(b"", &[0xf6]))),
        ("put with a key of 1,025 bytes", public(1, &put(&[b'k'; 1_025], &[0xf6]))),
        ("put with a key that is no UTF-8", public(1, &put(&[0x80], &[0xf6]))),
        ("put without a value", public(1, &put(b"k", &[]))),
        ("put with two values", public(1, &put(b"k", &[0xf6, 0xf6]))),
        ("put with a value in longer form", public(1, &put(b"k", &[0x18, 0]))),
        ("put with undefined", public(1, &put(b"k", &[0xf7]))),
        ("delete without a key", public(2, &[])),
        ("delete with a key of 1,025 bytes", public(2, &[b'k'; 1_025])),
        ("delete with a key that is no UTF-8", public(2, &[0xff])),
        ("message key of 31 bytes", public(3, &[1; 31])),
        ("message key of 33 bytes", public(3, &[1; 33])),
        ("operation cut off", vec![1, 0, 0, 0, 0, 0, 1, 9, 5, 0]),
        ("adopted put of nothing", public(4, &[])),
        ("adopted put with a writer alone", public(4, &[1; 32])),
        ("adopted put without a key", public(4, &adopted(&[0, 0], b"", &[0xf6]))),
        ("adopted put without a value", public(4, &adopted(&[0, 0], b"k", &[]))),
        ("adopted put with a value in longer form", public(4, &adopted(&[0, 0], b"k", &[0x18, 0]))),
        ("adopted put with a longer integer", public(4, &adopted(&[0x80, 0, 0], b"k", &[0xf6]))),
        (
            "adopted put of operation 2^32",
            public(4, &adopted(&[0, 0x80, 0x80, 0x80, 0x80, 0x10], b"k", &[0xf6])),
        ),
    ];
    cases
        .iter()
        .map(|(why, block)| {
            let error = Entry::decode(block).map(|_| ()).expect_err(why);
            json!({ "why": why, "hex": hex(block), "error": error.to_string() })
        })
        .collect()
}

/// What a block above 1 MiB is, without storing one.
#[test]
fn a_block_above_one_mebibyte_is_malformed() {
    let entry = |size: usize| {
        let value = encode_value(&Value::Bytes(vec![0; size])).unwrap();
        assert!(decode_value(&value).is_ok());
        Entry { public: vec![Op::Put { key: "k".into(), value }], ..empty() }.encode()
    };
    let most = entry((1 << 20) - 7 - 4 - 2 - 5);
    assert_eq!(most.len(), 1 << 20);
    assert!(Entry::decode(&most).is_ok());
    assert!(Entry::decode(&entry((1 << 20) - 7 - 4 - 2 - 4)).is_err());
    let mut list = Writer::new();
    encode_ops(&[], &mut list);
    assert!(decode_ops(&mut crate::codec::Reader::new(list.as_slice())).is_ok());
}
