//! Devices that have no content key in common get one, whatever they were doing when it was time to make it.

use super::*;

/// Four devices of one person; the first two have removed one of the others each, and neither knows of the other's removal.
fn parted(seed: u64) -> (World, [usize; 2]) {
    let mut world = World::new(seed);
    let (first, key) = sign_up(&mut world);
    let mut all = vec![first];
    for _ in 0..3 {
        let at = world.browser(Some(key));
        world.until("read", |world| !world.node(at).writers(None).is_empty());
        let_in(&mut world, first, at, true);
        all.push(at);
    }
    let known = |world: &World, at: usize| {
        world.node(at).writers(None).iter().filter(|known| known.role.is_some()).count() == 4
    };
    world.until("all know all", |world| all.iter().all(|at| known(world, *at)));
    world.run(60_000);
    assert!(all.iter().all(|at| has_key(&world, *at)));
    for one in &all {
        for other in all.iter().filter(|other| *other > one) {
            world.part(*one, *other, true);
        }
    }
    for (by, target) in [(first, all[2]), (all[1], all[3])] {
        let writer = world.node(target).own_writer().unwrap();
        let cut = SpaceCall::Cut { writer, secret: None, descendants: false };
        world.call(by, of_home(cut)).unwrap();
        assert!(has_key(&world, by));
    }
    (world, [first, all[1]])
}

fn has_key(world: &World, at: usize) -> bool {
    world.node(at).spaces.home().is_some_and(|home| home.usable_epoch().is_some())
}

fn cuts(world: &World, at: usize) -> usize {
    let writers = world.node(at).writers(None);
    writers.iter().filter(|known| known.state == crate::space::WriterStanding::Cut).count()
}

fn lengths(world: &World, at: usize) -> Vec<u64> {
    world.node(at).writers(None).into_iter().map(|known| known.length).collect()
}

/// Both get a key in common, and then nobody writes any more, whatever is opened or unlocked.
fn settled(world: &mut World, both: [usize; 2]) {
    world.until("a key", |world| both.iter().all(|at| has_key(world, *at)));
    world.run(60_000);
    world.call(both[0], put("secret", "text", true)).unwrap();
    world.until("read", |world| keys(world, both[1]).contains(&"secret".to_owned()));
    world.run(60_000);
    let before = both.map(|at| lengths(world, at));
    assert_eq!(before[0], before[1]);
    for at in both {
        world.reload(at);
    }
    world.run(120_000);
    for at in both {
        // One that was unlocked is not remembered.
        if world.node(at).state() == State::Writer {
            world.call(at, Call::Lock).unwrap();
        }
        world.call(at, Call::Unlock { secret: secret(1) }).unwrap();
    }
    world.run(120_000);
    assert_eq!(both.map(|at| lengths(world, at)), before, "written for nothing");
}

#[test]
fn who_was_locked_when_a_key_was_due_makes_it_when_it_is_unlocked() {
    let (mut world, both) = parted(80);
    for at in both {
        world.call(at, Call::Lock).unwrap();
    }
    world.part(both[0], both[1], false);
    world.until("both know", |world| both.iter().all(|at| cuts(world, *at) == 2));
    world.run(60_000);
    let due = |world: &World, at: usize| world.node(at).chores.seal_at.is_some();
    assert!(!both.iter().any(|at| due(&world, *at)), "its time has come and gone");
    for at in both {
        world.call(at, Call::Unlock { secret: secret(1) }).unwrap();
        assert!(!has_key(&world, at));
    }
    settled(&mut world, both);
}

#[test]
fn who_was_closed_before_a_key_was_due_makes_it_when_it_is_opened() {
    for lazy in [false, true] {
        let (mut world, both) = parted(81);
        world.part(both[0], both[1], false);
        world.until("both know", |world| both.iter().all(|at| cuts(world, *at) == 2));
        world.lazy |= lazy;
        for at in both {
            assert!(!has_key(&world, at));
            world.reload(at);
            assert!(!has_key(&world, at));
        }
        settled(&mut world, both);
        let failed = |event: &Event| matches!(event, Event::Failed(_));
        assert!(!both.iter().any(|at| world.browsers[*at].events.iter().any(failed)));
    }
}
