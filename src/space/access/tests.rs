//! The engine against the reference: the vectors with real keys, random hostile histories, large spaces.

mod dice;
mod history;
mod large;
mod node;
mod real;
mod shallow;
pub(super) mod world;

use std::collections::BTreeMap;

use serde_json::Value;

use super::reference;
use crate::testing::asked;
use history::History;
use node::replay;
use world::World;

fn vectors() -> Vec<(String, World, Value)> {
    let text = include_str!("../../../tests-wasm/vectors/access/histories.json");
    let all: Vec<Value> = serde_json::from_str(text).unwrap();
    let parse = |v: Value| {
        let name = v["name"].as_str().unwrap().to_owned();
        (name, World::parse(&v["input"]), v["expected"].clone())
    };
    all.into_iter().map(parse).collect()
}

#[test]
fn the_reference_gives_every_vector() {
    let all = vectors();
    assert_eq!(all.len(), 310);
    for (name, world, expected) in all {
        assert_eq!(reference::evaluate(&world), expected, "{name}");
    }
}

#[test]
fn the_engine_gives_every_vector_in_any_order() {
    for (i, (name, world, expected)) in vectors().into_iter().enumerate() {
        replay(&name, &world, &expected, u64::try_from(i).unwrap(), 4);
    }
}

/// `HYPHA_ACCESS_HISTORIES` and `HYPHA_ACCESS_SEED` ask for more of them, or for one again; `HYPHA_ACCESS_STEPS` for
/// longer ones.
#[test]
fn random_hostile_histories_come_out_as_by_the_reference() {
    let (first, many) =
        (asked("HYPHA_ACCESS_SEED").unwrap_or(1), asked("HYPHA_ACCESS_HISTORIES").unwrap_or(1000));
    let steps = asked("HYPHA_ACCESS_STEPS").unwrap_or(40);
    println!("histories {first}..{} of up to {steps} steps", first + many);
    let mut seen = BTreeMap::<String, usize>::new();
    for seed in first..first + many {
        let world = History::random(seed, steps);
        let expected = reference::evaluate(&world);
        count(&expected, &mut seen);
        replay("history", &world, &expected, seed, 2);
    }
    println!("{seen:?}");
    if many >= 1000 {
        for what in [
            "counted",
            "hidden",
            "pending",
            "void",
            "quarantined",
            "suspended",
            "ungranted",
            "active",
            "cut",
            "root-cut",
            "forked",
            "effective",
            "author cut",
            "author not granted",
            "target not granted",
            "no right",
            "void: no such head",
            "void: below what it acknowledged",
            "voided by root",
            "contested",
        ] {
            assert!(seen.contains_key(what), "no history shows: {what}");
        }
    }
}

/// Counts what a report shows, so that a generator that no longer makes something is noticed.
fn count(report: &Value, seen: &mut BTreeMap<String, usize>) {
    let entries = report["entries"].as_object().unwrap().values().map(|entry| &entry[0]);
    let writers = report["writers"].as_object().unwrap().values().map(|writer| &writer["state"]);
    let cuts = report["cuts"].as_array().unwrap().iter().map(|cut| &cut[3]);
    for what in entries.chain(writers).chain(cuts) {
        *seen.entry(what.as_str().unwrap().to_owned()).or_default() += 1;
    }
    if report["contested"][0].is_string() {
        *seen.entry("contested".to_owned()).or_default() += 1;
    }
}
