//! Words are drawn uniformly: χ² over the whole list, and rejection itself.

use std::collections::BTreeMap;

use super::Given;
use crate::crypto::{Entropy, LIST_LENGTH, Passphrase, word_list};
use crate::testing::Seeded;

/// Σ (seen − expected)² / expected.
fn chi_squared(seen: &[u32]) -> f64 {
    let draws: u32 = seen.iter().sum();
    let expected = f64::from(draws) / seen.len() as f64;
    seen.iter().map(|seen| (f64::from(*seen) - expected).powi(2) / expected).sum()
}

/// Draws below `bound` into bins.
fn draw(bound: u32, draws: u32, entropy: &mut dyn Entropy) -> Vec<u32> {
    let mut seen = vec![0; bound as usize];
    for _ in 0..draws {
        seen[entropy.below(bound) as usize] += 1;
    }
    seen
}

/// How far a χ² may be from its mean, in standard deviations (√(2 · degrees)): chance alone passes 99.99 % of seeds.
const DEVIATIONS: f64 = 4.0;

fn assert_uniform(what: &str, seen: &[u32]) {
    let degrees = seen.len() as f64 - 1.0;
    let distance = (chi_squared(seen) - degrees) / (2.0 * degrees).sqrt();
    assert!(distance.abs() < DEVIATIONS, "{what}: {distance} deviations");
}

#[test]
fn indexes_are_uniform() {
    for seed in 1..=3 {
        let seen = draw(LIST_LENGTH, 100 * LIST_LENGTH, &mut Seeded::new(seed));
        assert!(seen.iter().all(|seen| *seen > 0), "a word that is never drawn");
        assert_uniform("index of a word", &seen);
    }
}

#[test]
fn words_of_passphrases_are_uniform_and_independent() {
    // The list in equal parts: each place of a passphrase by itself, and neighbours together.
    const PARTS: usize = 24;
    let part: BTreeMap<&str, usize> = word_list()
        .lines()
        .enumerate()
        .map(|(index, word)| (word, index * PARTS / LIST_LENGTH as usize))
        .collect();
    let mut entropy = Seeded::new(4);
    let (mut single, mut pairs) = (vec![0; PARTS * 8], vec![0; PARTS * PARTS]);
    for _ in 0..1_500 {
        let passphrase = Passphrase::generate(8, &mut entropy).ok().unwrap();
        let parts: Vec<usize> = passphrase.as_str().split(' ').map(|word| part[word]).collect();
        assert_eq!(parts.len(), 8);
        for (place, part) in parts.iter().enumerate() {
            single[place * PARTS + part] += 1;
        }
        for pair in parts.chunks_exact(2) {
            pairs[pair[0] * PARTS + pair[1]] += 1;
        }
    }
    for (place, seen) in single.chunks_exact(PARTS).enumerate() {
        assert_uniform(&format!("word {}", place + 1), seen);
    }
    assert_uniform("two words in a row", &pairs);
}

/// A modulus at which taking the remainder without rejecting would be visible: the test above can fail.
#[test]
fn rejection_removes_the_bias_of_a_remainder() {
    let bound = 3 << 30;
    let mut entropy = Seeded::new(5);
    let (mut kept, mut plain) = ([0; 3], [0; 3]);
    for _ in 0..100_000 {
        kept[(entropy.below(bound) >> 30) as usize] += 1;
        let mut four = [0; 4];
        entropy.fill(&mut four);
        plain[((u32::from_le_bytes(four) % bound) >> 30) as usize] += 1;
    }
    assert_uniform("with rejection", &kept);
    assert!(chi_squared(&plain) > 10_000.0, "{}", chi_squared(&plain));
}

#[test]
fn draws_at_and_above_the_largest_multiple_are_drawn_again() {
    let limit = u32::MAX - u32::MAX % LIST_LENGTH;
    assert_eq!((limit % LIST_LENGTH, u32::MAX - limit < LIST_LENGTH), (0, true));
    let below = |draws: &[u32]| {
        let bytes: Vec<u8> = draws.iter().flat_map(|draw| draw.to_le_bytes()).collect();
        Given(&bytes).below(LIST_LENGTH)
    };
    assert_eq!(below(&[limit - 1]), LIST_LENGTH - 1);
    assert_eq!(below(&[limit, 7]), 7);
    assert_eq!(below(&[u32::MAX, limit, LIST_LENGTH]), 0);
    assert_eq!(below(&[limit - LIST_LENGTH]), 0);
}
