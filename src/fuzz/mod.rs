//! Fuzzing: every decoder, and the connection's state machine, under bytes that were nearly right.
//!
//! ```text
//! seeds     what the vectors hold, and what a test of this crate once found
//! mutate    one to eight small changes of a seed, or two seeds spliced
//! decoders  bytes in: refused, or in the one form that encodes to the same bytes
//! network   bytes as a script: what a hub, a tab and the browser's connections do to a mesh
//! ```
//!
//! A short run is a test among the others; `cargo xtask fuzz --seconds N` is a long one with other numbers each time. What
//! fails is printed as target and hex, and belongs into [`FOUND`] from then on.

mod decoders;
mod mutate;
mod network;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use mutate::Mutator;

use crate::{crypto::hex, testing::asked};

/// A decoder or a machine that takes any bytes: whether it makes something of them. It panics if it breaks a rule.
type Target = (&'static str, fn(&[u8]) -> bool);

/// What long runs found, mended since: target and bytes.
const FOUND: &[(&str, &str)] = &[];

/// Bytes of the vectors: every hexadecimal text of some length in them.
fn seeds() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests-wasm/vectors");
    let mut seeds = Vec::new();
    for file in std::fs::read_dir(folder).expect("the folder of vectors").flatten() {
        if file.path().extension().is_some_and(|kind| kind == "json") {
            let text = std::fs::read_to_string(file.path()).expect("a file of vectors");
            // Whatever stands between quotes: what is not hexadecimal is text, which is a seed as well.
            for text in text.split('"').filter(|text| text.len() >= 8 && text.len() <= 8_192) {
                seeds.push(HEXLOWER.decode(text.as_bytes()).unwrap_or_else(|_| text.as_bytes().to_vec()));
            }
        }
    }
    seeds.sort();
    seeds.dedup();
    assert!(seeds.len() > 500, "the vectors are there: {}", seeds.len());
    seeds
}

/// Runs one input; says which, if it fails.
fn run((name, target): Target, bytes: &[u8]) -> bool {
    catch_unwind(AssertUnwindSafe(|| target(bytes))).unwrap_or_else(|panic| {
        eprintln!("fuzzing found (\"{name}\", \"{}\")", hex(bytes));
        std::panic::resume_unwind(panic)
    })
}

#[test]
fn what_was_found_once_stays_mended() {
    for (name, bytes) in FOUND {
        let mut targets = decoders::TARGETS.iter().chain(decoders::SLOW).chain(network::TARGETS);
        let target = targets.find(|(other, _)| other == name).expect("a target of that name");
        run(*target, &HEXLOWER.decode(bytes.as_bytes()).expect("hexadecimal"));
    }
}

#[test]
fn nothing_that_arrives_breaks_a_decoder_or_the_connection() {
    let seeds = seeds();
    let decoders: Vec<(Target, Vec<Vec<u8>>)> = decoders::TARGETS
        .iter()
        .map(|target| {
            // What it takes leads further in than what it refuses at the first byte.
            let taken: Vec<Vec<u8>> = seeds.iter().filter(|seed| run(*target, seed)).cloned().collect();
            (*target, if taken.is_empty() { seeds.clone() } else { taken })
        })
        .collect();
    let seconds = asked("HYPHA_FUZZ");
    let seed = asked("HYPHA_FUZZ_SEED").unwrap_or(1);
    let mut mutator = Mutator::new(seed);
    let began = Instant::now();
    let mut rounds = 0_u64;
    // The short run is of a fixed size, so that it is the same everywhere; the long one lasts as long as was asked for.
    while seconds.map_or(rounds < 2_000, |seconds| began.elapsed() < Duration::from_secs(seconds)) {
        for (target, taken) in &decoders {
            run(*target, &mutator.next(if rounds.is_multiple_of(8) { &seeds } else { taken }));
        }
        // A script takes as long as twenty inputs of a decoder.
        if rounds.is_multiple_of(20) {
            for target in network::TARGETS.iter().chain(decoders::SLOW) {
                run(*target, &mutator.next(&seeds));
            }
        }
        rounds += 1;
    }
    if seconds.is_some() {
        for ((name, _), taken) in &decoders {
            println!("{name}: {} seeds", taken.len());
        }
        println!(
            "{rounds} inputs each, a twentieth of that for scripts and words, seed {seed}: nothing found"
        );
    }
}
