//! What the node does for a given work, whole: `cargo xtask bench engine` counts its instructions.
//!
//! Each test is one work, on the memory backend, and begins with the one of `signing_up`; what that costs is taken off.

use super::*;
use crate::{crypto::Entropy as _, testing::Seeded};

const MANY: usize = 1000;
const FEW: usize = 100;

/// A put of 100 bytes that do not compress, under a key of 14 letters.
fn op(number: usize) -> WriteOp {
    let mut bytes = [0; 100];
    Seeded::new(u64::try_from(number).unwrap()).fill(&mut bytes);
    let value = crate::codec::encode_value(&crate::codec::Value::Bytes(bytes.to_vec())).unwrap();
    WriteOp::Put { key: key_of(number), value, private: false, expect: Expect::Any }
}

fn key_of(number: usize) -> String {
    format!("log/{number:010}")
}

fn write(world: &mut World, at: usize, writes: impl Iterator<Item = Vec<WriteOp>>) {
    let calls: Vec<Call> = writes.map(|ops| of_home(SpaceCall::Write { ops })).collect();
    let ids = world.calls(at, calls);
    world.until("all are stored", |world| ids.iter().all(|id| world.browsers[at].replies.contains_key(id)));
    assert!(ids.iter().all(|id| world.browsers[at].replies[id].is_ok()));
}

fn batch(world: &mut World, at: usize) {
    write(world, at, core::iter::once((0..MANY).map(op).collect()));
}

fn is_there(world: &World, at: usize, number: usize) -> bool {
    world.node(at).get(None, &key_of(number)).is_ok_and(|found| found.is_some())
}

#[test]
fn signing_up() {
    let mut world = World::new(1);
    sign_up(&mut world);
}

#[test]
fn a_thousand_in_one_batch() {
    let mut world = World::new(1);
    let (first, _) = sign_up(&mut world);
    batch(&mut world, first);
    assert!(is_there(&world, first, MANY - 1));
}

#[test]
fn a_hundred_in_one_turn() {
    let mut world = World::new(1);
    let (first, _) = sign_up(&mut world);
    write(&mut world, first, (0..FEW).map(|number| vec![op(number)]));
    assert!(is_there(&world, first, FEW - 1));
}

#[test]
fn a_hundred_one_after_another() {
    let mut world = World::new(1);
    let (first, _) = sign_up(&mut world);
    for number in 0..FEW {
        write(&mut world, first, core::iter::once(vec![op(number)]));
    }
    assert!(is_there(&world, first, FEW - 1));
}

#[test]
fn a_thousand_opened_again() {
    let mut world = World::new(1);
    let (first, _) = sign_up(&mut world);
    batch(&mut world, first);
    world.reload(first);
    assert!(is_there(&world, first, MANY - 1));
}

#[test]
fn a_thousand_to_a_visitor() {
    let mut world = World::new(1);
    let (first, key) = sign_up(&mut world);
    batch(&mut world, first);
    let second = world.browser(Some(key));
    world.until("all has come", |world| is_there(world, second, MANY - 1));
}
