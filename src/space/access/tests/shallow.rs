//! An engine that opens from judgements answers as one that judged all itself, or says that it cannot go on.

use serde_json::Value;

use super::{
    super::reference,
    dice::Dice,
    history::History,
    node::{Node, depth, items, soften},
    real::Real,
};
use crate::testing::asked;

/// How often a shallow engine was taken, wanted all, and stayed to the end.
#[derive(Debug, Default)]
struct Seen {
    taken: usize,
    deepened: usize,
    stayed: usize,
}

/// Delivers histories in about the order of writing; again and again the engine is put away and taken out again.
fn histories(first: u64, many: u64, steps: usize, hostile: bool) -> Seen {
    let mut seen = Seen::default();
    for seed in first..first + many {
        let world = if hostile { History::random(seed, steps) } else { History::kind(seed, steps) };
        let mut dice = Dice::new(seed ^ 0x5A11);
        let mut real = Real::build(&world, seed);
        let mut items = items(&world);
        dice.shuffle(&mut items);
        let early = dice.between(1, 6);
        items.sort_by_cached_key(|item| depth(item) + dice.below(early));
        let often = dice.between(100, 900);
        let mut node = Node::new(&world, &mut real);
        for batch in items.chunks(dice.between(1, 5)) {
            batch.iter().for_each(|item| node.receive(item));
            node.settle(dice.chance(100));
            if dice.chance(often) {
                let before = node.report();
                if node.shallow(|_| {}) {
                    seen.taken += 1;
                    node.settle(false);
                    assert_eq!(before, node.report(), "seed {seed}: taken");
                }
            }
            if dice.chance(300) {
                node.assert_clocks();
                let (want, got) = soft(reference::evaluate(&node.held), node.report());
                assert_eq!(want, got, "seed {seed}: on the way");
            }
        }
        let (want, got) = soft(reference::evaluate(&world), node.report());
        assert_eq!(want, got, "seed {seed}: in the end");
        node.assert_clocks();
        seen.deepened += node.deepened;
        seen.stayed += usize::from(node.access.is_shallow());
    }
    seen
}

fn soft(mut want: Value, got: Value) -> (Value, Value) {
    soften(&mut want, &got);
    let mut got = got;
    soften(&mut got, &want.clone());
    (want, got)
}

/// `HYPHA_ACCESS_HISTORIES` and `HYPHA_ACCESS_SEED` ask for more of them, or for one again.
#[test]
fn a_shallow_engine_answers_as_a_full_one() {
    let (first, many) =
        (asked("HYPHA_ACCESS_SEED").unwrap_or(1), asked("HYPHA_ACCESS_HISTORIES").unwrap_or(200));
    for hostile in [true, false] {
        let seen = histories(first, many, 40, hostile);
        println!("hostile {hostile}: {seen:?}");
        if many >= 200 {
            assert!(seen.taken > 100 && seen.deepened > 20 && seen.stayed > 20, "{seen:?}");
        }
    }
}

/// Whatever byte of what is stored is another one: it is not taken.
#[test]
fn judgements_that_were_changed_are_not_taken() {
    let mut taken = 0;
    for seed in 1..20 {
        let world = History::kind(seed, 30);
        let mut real = Real::build(&world, seed);
        let mut node = Node::new(&world, &mut real);
        items(&world).iter().for_each(|item| node.receive(item));
        node.settle(true);
        let mut dice = Dice::new(seed);
        for _ in 0..20 {
            let (at, by) = (dice.below(10_000), dice.between(1, 255));
            let changed = |stored: &mut Vec<u8>| {
                let at = at % stored.len();
                stored[at] ^= u8::try_from(by).unwrap();
            };
            assert!(!node.shallow(changed), "seed {seed}: byte {at} by {by}");
        }
        taken += usize::from(node.shallow(|_| {}));
    }
    assert!(taken > 10);
}
