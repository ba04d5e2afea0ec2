//! Authenticated encryption, and keys sealed to a public key.

use serde_json::{Value as Json, json};

use super::{Given, check};
use crate::{
    crypto::{Entropy, PublicKey, Signer, hex, open, open_sealed, parse_hex32, seal, seal_to},
    testing::Seeded,
};

#[test]
fn seals() {
    let mut entropy = Seeded::new(0x5ea1);
    let plain: [&[u8]; 6] = [b"", b"a", b"sixteen bytes ok", &[0; 64], &[0xab; 65], &[7; 1_000]];
    let ad: [&[u8]; 3] = [b"", b"associated", &[1; 100]];
    let boxes: Vec<Json> = plain
        .iter()
        .zip(ad.iter().cycle())
        .map(|(plain, ad)| {
            let (key, nonce) = (entropy.array32(), entropy.array24());
            let sealed = seal(&key, &nonce, ad, plain);
            assert_eq!(open(&key, &nonce, ad, &sealed).unwrap().as_slice(), *plain);
            json!({ "key": hex(&key), "nonce": hex(&nonce), "ad": hex(ad), "plain": hex(plain), "sealed": hex(&sealed) })
        })
        .collect();
    let keys: Vec<Json> = (1..=6_u8)
        .map(|seed| {
            let recipient = Signer::from_seed(&[seed; 32]);
            let (key, ephemeral) = (entropy.array32(), entropy.array32());
            let sealed = seal_to(&recipient.public(), &key, &mut Given(&ephemeral)).unwrap();
            assert_eq!(open_sealed(&recipient, &sealed).ok().unwrap().0, key);
            json!({
                "seed": hex(&[seed; 32]), "recipient": recipient.public().to_string(), "x25519": hex(&recipient.public().to_x25519().unwrap().0),
                "key": hex(&key), "ephemeral_secret": hex(&ephemeral), "sealed": hex(&sealed),
            })
        })
        .collect();
    check(
        "seal.json",
        &json!({
            "source": "Rust: HYPHA_WRITE_VECTORS=1 cargo test --lib vectors. JavaScript: node --test tests-wasm/vectors/js/seal.test.mjs (libsodium-wrappers-sumo, @noble/ciphers, @noble/curves).",
            "boxes": boxes,
            "sealed_keys": keys,
            "not_opened": not_opened(&mut entropy),
            "not_sealed_to": not_sealed_to(),
        }),
    );
}

/// Sealed keys that must not open for the signer of seed 01….
fn not_opened(entropy: &mut dyn Entropy) -> Vec<Json> {
    let recipient = Signer::from_seed(&[1; 32]);
    let good = seal_to(&recipient.public(), &[9; 32], entropy).unwrap();
    let changed = |at: usize| {
        let mut bytes = good;
        bytes[at] ^= 1;
        bytes
    };
    let other = seal_to(&Signer::from_seed(&[2; 32]).public(), &[9; 32], entropy).unwrap();
    // What anyone could seal without a secret: X25519 with a point of small order is zero.
    let small_order = |point: [u8; 32]| {
        let own = recipient.public().to_x25519().unwrap();
        let key = crate::crypto::hash_to(crate::crypto::Namespace::Seal, &[&[0; 32], &point, &own.0]);
        let mut bytes = [0; 80];
        bytes[..32].copy_from_slice(&point);
        bytes[32..].copy_from_slice(&seal(&key.0, &[0; 24], &[], &[9; 32]));
        bytes
    };
    let mut one = [0; 32];
    one[0] = 1;
    let eight = parse_hex32("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800").unwrap();
    [
        ("ephemeral key changed", changed(0)),
        ("ciphertext changed", changed(32)),
        ("tag changed", changed(79)),
        ("sealed to another", other),
        ("ephemeral key of order 4", small_order([0; 32])),
        ("ephemeral key of order 1", small_order(one)),
        ("ephemeral key of order 8", small_order(eight)),
    ]
    .iter()
    .map(|(why, sealed)| {
        assert!(open_sealed(&recipient, sealed).is_err(), "{why}");
        json!({ "why": why, "seed": hex(&[1; 32]), "sealed": hex(sealed) })
    })
    .collect()
}

/// Public keys to which nothing can be sealed.
fn not_sealed_to() -> Vec<Json> {
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut two = [0; 32];
    two[0] = 2;
    [("order 4", [0; 32]), ("order 1", identity), ("no point", two)]
        .iter()
        .map(|(why, key)| {
            assert!(seal_to(&PublicKey(*key), &[9; 32], &mut Seeded::new(1)).is_err(), "{why}");
            json!({ "why": why, "recipient": hex(key) })
        })
        .collect()
}
