use proptest::prelude::*;

use super::*;
use crate::{
    codec::MAX_SAFE,
    crypto::{Signer, hex},
};

fn signer(number: u8) -> Signer {
    Signer::from_seed(&[number; 32])
}

#[test]
fn vectors() {
    let text = include_str!("../../tests-wasm/vectors/value.json");
    let vectors: serde_json::Value = serde_json::from_str(text).unwrap();
    for vector in vectors["values"].as_array().unwrap() {
        let bytes =
            |name: &str| data_encoding::HEXLOWER.decode(vector[name].as_str().unwrap().as_bytes()).unwrap();
        let signer = Signer::from_seed(&bytes("seed").try_into().unwrap());
        let seq = vector["seq"].as_u64().unwrap();
        let signed = SignedValue::sign(&signer, &bytes("salt"), seq, &bytes("value")).unwrap();
        assert_eq!(hex(&signer.public().0), vector["key"]);
        assert!(hex(&signed.encode()).ends_with(vector["signature"].as_str().unwrap()), "{vector}");
    }
    let group = &vectors["group"];
    let seeds = group["seeds"].as_array().unwrap();
    let keys = seeds.iter().map(|n| signer(u8::try_from(n.as_u64().unwrap()).unwrap()).public()).collect();
    let owner = Owner::Group(Group::new(2, keys).unwrap());
    assert_eq!(hex(&owner.key()), group["key"]);
}

proptest! {
    #[test]
    fn what_is_signed_verifies_and_nothing_else(
        salt in prop::collection::vec(any::<u8>(), 0..=MAX_SALT), seq in 0..=MAX_SAFE,
        value in prop::collection::vec(any::<u8>(), 0..300), flip: prop::sample::Index, bit in 0_u8..8,
    ) {
        let signed = SignedValue::sign(&signer(1), &salt, seq, &value).unwrap();
        signed.verify().unwrap();
        let mut bytes = signed.encode();
        prop_assert!(bytes.len() <= SignedValue::MAX_ENCODED);
        prop_assert_eq!(&SignedValue::decode(&bytes).unwrap(), &signed);
        let at = flip.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(SignedValue::decode(&bytes).and_then(|signed| signed.verify()).is_err());
    }

    #[test]
    fn any_bytes_never_panic_and_have_one_form(bytes: Vec<u8>, kind in 1_u8..3) {
        let _ = SignedValue::decode(&bytes);
        let mut likely = vec![1, kind];
        likely.extend(&bytes);
        if let Ok(signed) = SignedValue::decode(&likely) {
            prop_assert_eq!(signed.encode(), likely);
        }
    }

    /// In whatever order values arrive, all end with the same one.
    #[test]
    fn order_of_arrival_does_not_matter(
        values in prop::collection::vec((1_u64..4, any::<[u8; 1]>()), 1..8).prop_flat_map(|v| (Just(v.clone()), Just(v).prop_shuffle()))
    ) {
        let last = |values: &[(u64, [u8; 1])]| {
            let mut held: Option<SignedValue> = None;
            for (seq, value) in values {
                let new = SignedValue::sign(&signer(1), b"", *seq, value).unwrap();
                let update = new.replaces(held.as_ref(), None).unwrap();
                let same_seq = held.as_ref().is_some_and(|held| held.seq() == *seq && held.value() != value);
                assert_eq!(update.equivocation, same_seq);
                if update.precedence == Precedence::Wins {
                    held = Some(new);
                }
            }
            held.unwrap()
        };
        prop_assert_eq!(last(&values.0), last(&values.1));
    }

    /// M of N: exactly the sets with at least M distinct right signatures verify.
    #[test]
    fn a_group_needs_m_distinct_signatures(
        needed in 1_u8..5, more in 0_u8..4, signers in prop::collection::vec(0_u8..8, 0..8), flip: prop::sample::Index, bit in 0_u8..8,
    ) {
        let count = needed + more;
        let keys: Vec<_> = (0..count).map(|n| signer(n).public()).collect();
        let group = Group::new(needed, keys.iter().rev().copied().collect()).unwrap();
        let mut signed = SignedValue::unsigned(Owner::Group(group), b"salt", 7, b"value").unwrap();
        let mut distinct = std::collections::BTreeSet::new();
        for number in signers {
            prop_assert_eq!(signed.add_signature(&signer(number)).is_ok(), number < count);
            if number < count {
                distinct.insert(number);
            }
        }
        prop_assert_eq!(signed.signature_count(), distinct.len());
        prop_assert_eq!(signed.verify().is_ok(), distinct.len() >= usize::from(needed));
        let mut bytes = signed.encode();
        prop_assert_eq!(&SignedValue::decode(&bytes).unwrap(), &signed);
        if signed.verify().is_ok() {
            let at = flip.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(SignedValue::decode(&bytes).and_then(|signed| signed.verify()).is_err());
        }
    }
}

#[test]
fn signatures_are_merged_and_not_part_of_identity() {
    let keys: Vec<_> = (0..3).map(|n| signer(n).public()).collect();
    let owner = Owner::Group(Group::new(2, keys).unwrap());
    let value = |signers: &[u8]| {
        let mut value = SignedValue::unsigned(owner.clone(), b"", 1, b"x").unwrap();
        signers.iter().for_each(|n| value.add_signature(&signer(*n)).unwrap());
        value
    };
    let (mut a, b) = (value(&[0]), value(&[2]));
    assert_eq!(a.compare(&b).unwrap(), Update { precedence: Precedence::Same, equivocation: false });
    assert!(a.verify().is_err());
    a.merge_signatures(&b).unwrap();
    a.verify().unwrap();
    assert_eq!(a, value(&[2, 0]));
    let other = SignedValue::unsigned(owner.clone(), b"", 2, b"x").unwrap();
    assert!(matches!(a.merge_signatures(&other), Err(ValueError::Other { .. })));
}

#[test]
fn a_replayed_value_with_a_raised_sequence_is_refused() {
    // The fault of the original: the sequence was outside the signature.
    let (first, second) = (
        SignedValue::sign(&signer(1), b"", 1, b"v1").unwrap(),
        SignedValue::sign(&signer(1), b"", 2, b"v2").unwrap(),
    );
    let mut bytes = first.encode();
    let at = bytes.iter().rposition(|byte| *byte == b'v').unwrap() - 2;
    assert_eq!(bytes[at], 1, "the sequence");
    bytes[at] = 9;
    let forged = SignedValue::decode(&bytes).unwrap();
    assert_eq!((forged.seq(), forged.value()), (9, &b"v1"[..]));
    assert!(matches!(forged.replaces(Some(&second), None), Err(ValueError::Signature(_))));
}

#[test]
fn swap_limits_and_groups() {
    let held = SignedValue::sign(&signer(1), b"", 5, b"x").unwrap();
    let new = SignedValue::sign(&signer(1), b"", next_seq(Some(&held)).unwrap(), b"y").unwrap();
    assert_eq!(new.replaces(Some(&held), Some(5)).unwrap().precedence, Precedence::Wins);
    assert_eq!(new.replaces(Some(&held), Some(4)), Err(ValueError::Swap { expected: 4, got: 5 }));
    assert_eq!(new.replaces(None, Some(0)).unwrap().precedence, Precedence::Wins);
    assert_eq!(held.replaces(Some(&new), None).unwrap().precedence, Precedence::Loses);
    let elsewhere = SignedValue::sign(&signer(1), b"other", 9, b"x").unwrap();
    assert!(matches!(elsewhere.compare(&held), Err(ValueError::Other { .. })));

    let sign =
        |salt: usize, seq, value: usize| SignedValue::sign(&signer(1), &vec![0; salt], seq, &vec![0; value]);
    assert!(sign(MAX_SALT, MAX_SAFE, MAX_VALUE).is_ok());
    assert!(
        sign(MAX_SALT + 1, 1, 1).is_err()
            && sign(1, MAX_SAFE + 1, 1).is_err()
            && sign(1, 1, MAX_VALUE + 1).is_err()
    );
    assert!(next_seq(Some(&sign(0, MAX_SAFE, 0).unwrap())).is_err());

    let keys = |count: u8| (0..count).map(|n| signer(n).public()).collect::<Vec<_>>();
    assert!(Group::new(0, keys(2)).is_err() && Group::new(3, keys(2)).is_err());
    assert!(Group::new(1, keys(33)).is_err() && Group::new(32, keys(32)).is_ok());
    assert!(Group::new(1, [keys(2), keys(1)].concat()).is_err());
}
