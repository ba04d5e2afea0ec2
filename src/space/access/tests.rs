//! The engine against the reference: the vectors with real keys, random hostile histories, large spaces.

mod dice;
mod node;
mod real;
pub(super) mod world;

use serde_json::Value;

use super::reference;
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
