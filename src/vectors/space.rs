//! What a root says of its space, and what a host says of it: manifests, claims, the well-known file.

use serde_json::{Value as Json, json};

use super::{check, mutations};
use crate::{
    codec::Writer,
    crypto::{Entropy, Hash, Signer, hex},
    node::{WellKnown, accounts::sign_up::sign_claim},
    space::{Kind, Manifest},
    testing::Seeded,
    value::SignedValue,
};

const ROOT: [u8; 32] = [0x50; 32];

#[test]
fn manifests() {
    let mut entropy = Seeded::new(0x3a);
    let root = Signer::from_seed(&ROOT);
    let mut heads = |count: usize| {
        let mut heads: Vec<Hash> = (0..count).map(|_| Hash(entropy.array32())).collect();
        heads.sort_unstable();
        heads
    };
    let longest = "a".repeat(253);
    let samples = [
        ("a home", 1, 1, "example.org", heads(1)),
        ("a home without a record", 1, 2, "localhost", vec![]),
        ("a home whose domain is not known", 1, 127, "", heads(2)),
        ("a space", 2, 128, "", heads(1)),
        ("the largest", 1, crate::codec::MAX_SAFE, longest.as_str(), heads(400)),
    ];
    let mut encoded = Vec::new();
    let manifests: Vec<Json> = samples
        .into_iter()
        .map(|(what, number, sequence, domain, heads)| {
            let kind = if number == 1 { Kind::Home } else { Kind::Space };
            let texts: Vec<String> = heads.iter().map(Hash::to_string).collect();
            let manifest = Manifest { kind, domain: domain.to_owned(), heads };
            let bytes = manifest.encode();
            assert_eq!(Manifest::decode(&bytes), Ok(manifest));
            let signed = SignedValue::sign(&root, &[], sequence, &bytes).unwrap();
            if bytes.len() < 1_000 {
                encoded.push(bytes);
            }
            json!({
                "what": what, "kind": number, "domain": domain, "heads": texts, "sequence": sequence, "hex": hex(&signed.encode()),
            })
        })
        .collect();
    let mut entropy = Seeded::new(0x3b);
    let mutated: Vec<Json> = encoded
        .iter()
        .enumerate()
        .flat_map(|(index, bytes)| {
            let all = mutations(bytes.len(), 40, &mut entropy);
            all.into_iter().map(move |(at, xor)| {
                let mut bytes = bytes.clone();
                bytes[at] ^= xor;
                json!([index, at, xor, Manifest::decode(&bytes).is_ok()])
            })
        })
        .collect();
    check(
        "manifest.json",
        &json!({
            "source": "Rust: HYPHA_WRITE_VECTORS=1 cargo test --lib vectors. JavaScript: node --test tests-wasm/vectors/js/manifest.test.mjs (libsodium-wrappers-sumo).",
            "root_seed": hex(&ROOT), "root": root.public().to_string(),
            "manifests": manifests,
            "manifests_mean": "`hex` is the signed value that holds the manifest",
            "refused": refused_manifests(),
            "refused_means": "values that are no manifest",
            "mutated": mutated,
            "mutated_means": "[index into manifests, byte of the value, xor, whether the result is a manifest]",
        }),
    );
}

fn refused_manifests() -> Json {
    let manifest = |kind: u8, domain: &[u8], policy: u8, heads: &[[u8; 32]]| {
        let mut out = Writer::versioned();
        out.u8(kind).bytes(domain).u8(policy).count(heads.len());
        for head in heads {
            out.raw(head);
        }
        out.finish()
    };
    let good = manifest(1, b"a.b", 1, &[[1; 32]]);
    [
        ("nothing", vec![]),
        ("version 2", [&[2], &good[1..]].concat()),
        ("kind 3", manifest(3, b"a.b", 1, &[])),
        ("a space with a domain", manifest(2, b"a.b", 1, &[])),
        ("policy 2", manifest(1, b"a.b", 2, &[])),
        ("a domain of 254 bytes", manifest(1, &[b'a'; 254], 1, &[])),
        ("a domain that is no text", manifest(1, &[0xff], 1, &[])),
        ("heads out of order", manifest(1, b"", 1, &[[2; 32], [1; 32]])),
        ("a head twice", manifest(1, b"", 1, &[[1; 32], [1; 32]])),
        ("401 heads", manifest(1, b"", 1, &vec![[1; 32]; 401])),
        ("a byte too many", [good.as_slice(), &[0]].concat()),
        ("cut off", good[..good.len() - 1].to_vec()),
    ]
    .iter()
    .map(|(why, bytes)| {
        let error = Manifest::decode(bytes).expect_err(why);
        json!({ "why": why, "hex": hex(bytes), "error": error.to_string() })
    })
    .collect()
}

#[test]
fn hosts() {
    let mut entropy = Seeded::new(0x3c);
    let longest = "a".repeat(253);
    let claims: Vec<Json> = (1..)
        .zip(["localhost", "example.org", "[::1]", longest.as_str()])
        .map(|(seed, domain)| {
            let (root, nonce) = (Signer::from_seed(&[seed; 32]), entropy.array32());
            json!({
                "seed": hex(&[seed; 32]), "key": root.public().to_string(), "domain": domain, "nonce": hex(&nonce),
                "signature": hex(&sign_claim(&root, domain, &nonce).0),
            })
        })
        .collect();
    let key = Signer::from_seed(&ROOT).public().to_string();
    let files: Vec<Json> = [
        format!("hypha://{key}\nTTL=3600\n"),
        format!("dat://{key}"),
        format!("DAT://{}/\r\nTTL=60\r\n", key.to_uppercase()),
        format!("hypha://{key}\n\n# a remark\n ttl = 0 \n"),
        format!("hypha://{key}\nTTL=604801"),
        format!("hypha://{key}\nTTL=1\nTTL=2\nother=x"),
    ]
    .iter()
    .map(|text| {
        let found = WellKnown::parse(text).unwrap();
        assert_eq!(found.key.to_string(), key);
        json!({ "text": text, "ttl_seconds": found.ttl_ms / 1000 })
    })
    .collect();
    let refused: Vec<Json> = [
        String::new(),
        key.clone(),
        "<!doctype html>".to_owned(),
        format!("\nhypha://{key}"),
        format!("hypha://{}", &key[1..]),
        format!("hypha://{key}0"),
        format!("hypha://{key}//"),
        format!("hypha://{}", "0".repeat(64)),
        format!("https://{key}"),
        format!("hypha://{key}\nTTL=soon"),
        format!("hypha://{key}\nTTL=-1"),
        format!("hypha://{key}\nTTL=+1"),
        format!("hypha://{key}\nTTL=1.5"),
        format!("hypha://{key}\nTTL="),
    ]
    .iter()
    .map(|text| {
        let error = WellKnown::parse(text).expect_err(text);
        json!({ "text": text, "error": error.to_string() })
    })
    .collect();
    check(
        "host.json",
        &json!({
            "source": "Rust: HYPHA_WRITE_VECTORS=1 cargo test --lib vectors. JavaScript: node --test tests-wasm/vectors/js/manifest.test.mjs (libsodium-wrappers-sumo, @noble/curves).",
            "claims": claims, "key": key, "files": files, "files_mean": "all name `key`", "refused": refused,
        }),
    );
}
