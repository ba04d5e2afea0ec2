//! Whole nodes whose hub may relay: at once, without a direct path, and back to it, with nothing lost on the way.

use super::*;
use crate::{
    crypto::{Entropy, PublicKey},
    mesh::LinkState,
    node::{
        PeerPath,
        sim::{RELAY, Weather},
    },
};

/// A browser whose hub may relay.
fn relaying(world: &mut World, key: Option<PublicKey>) -> usize {
    let at = world.browser(key);
    world.browsers[at].options.hubs = vec![RELAY.to_owned()];
    world.reload(at);
    at
}

fn signed_up(world: &mut World) -> (usize, PublicKey) {
    let first = relaying(world, None);
    world.until("looked up", |world| world.node(first).is_ready());
    let call = Call::SignUp { secret: secret(1), device: "First".into(), remember: true, claim: None };
    let Ok(Reply::SignedUp { key, .. }) = world.call(first, call) else { panic!("not signed up") };
    (first, key)
}

fn path(world: &World, at: usize) -> Option<PeerPath> {
    world.node(at).peers().first().filter(|peer| peer.link.state == LinkState::Open).map(|peer| peer.path)
}

fn posts(world: &mut World, at: usize, numbers: core::ops::Range<u32>) {
    let calls = numbers.map(|n| post(&format!("posts/{n:05}"), "something to say")).collect();
    world.calls(at, calls);
}

#[test]
fn a_session_begins_on_the_hub_goes_direct_and_comes_back() {
    let mut world = World::new(500);
    let (first, key) = signed_up(&mut world);
    posts(&mut world, first, 0..100);
    let second = relaying(&mut world, Some(key));
    // Nothing direct passes yet.
    world.part(first, second, true);
    let began = world.now;
    world.until("the first hundred", |world| keys(world, second).len() == 100);
    println!("a hundred entries over the hub after {} ms", world.now - began);
    assert_eq!([path(&world, first), path(&world, second)], [Some(PeerPath::Relay); 2]);

    world.part(first, second, false);
    world
        .until("direct", |world| [first, second].iter().all(|at| path(world, *at) == Some(PeerPath::Direct)));
    world.weather.late = 40;
    let mut all = 100;
    // Sometimes all of it comes at once.
    while keys(&world, second).len() == all as usize {
        let before = all;
        all += 3_900;
        posts(&mut world, first, before..all);
        world.until("some", |world| keys(world, second).len() > before as usize);
    }
    // In the middle nothing passes any more, and what was under way is gone.
    world.part(first, second, true);
    let blocked = world.now;
    world.until("all of it", |world| keys(world, second).len() == all as usize);
    println!("the rest over the hub {} ms after the direct path was cut", world.now - blocked);
    assert!(world.now - blocked < 30_000);
    assert_eq!(path(&world, second), Some(PeerPath::Relay));
    world.part(first, second, false);
    world.until("direct again", |world| {
        [first, second].iter().all(|at| path(world, *at) == Some(PeerPath::Direct))
    });
    posts(&mut world, first, all..all + 10);
    world.until("the last", |world| keys(world, second).len() == all as usize + 10);
    world.run(2_000);

    // One session all the time, and every frame of it once.
    let [one, two] = [first, second].map(|at| world.node(at).peers()[0].frames);
    assert_eq!((one.sent, two.sent), (two.received, one.received), "{one:?} {two:?}");
    assert!(one.moves + two.moves >= 4 && two.repeated <= one.resent, "{one:?} {two:?}");
}

/// Everything that can happen to a network, with hubs that carry data: the same in the end.
#[test]
fn whatever_happened_nodes_on_a_relaying_hub_become_level() {
    for seed in 520..524 {
        let mut world = World::new(seed);
        let (first, key) = signed_up(&mut world);
        let mut all = vec![first];
        for _ in 0..1 + seed % 3 {
            all.push(relaying(&mut world, Some(key)));
        }
        world.weather = Weather { late: 300, breaks: 400, lost: 15, replayed: 10, changed: 5 };
        let mut count = 0;
        for _ in 0..12 {
            let (a, b) =
                (world.entropy.below(5) as usize % all.len(), world.entropy.below(5) as usize % all.len());
            match world.entropy.below(6) {
                0 | 1 if a != b => world.part(all[a], all[b], true),
                2 if a != b => world.part(all[a], all[b], false),
                3 => world.reload(all[a]),
                4 => world.stop_hub(),
                _ => world.hub_up = true,
            }
            if world.node(first).state() == State::Locked {
                world.call(first, Call::Unlock { secret: secret(1) }).unwrap();
            }
            posts(&mut world, first, count..count + 3);
            count += 3;
            let pause = u64::from(world.entropy.below(20_000));
            world.run(pause);
        }
        for a in &all {
            for b in &all {
                if a != b {
                    world.part(*a, *b, false);
                }
            }
        }
        (world.weather, world.hub_up) = (Weather::default(), true);
        let count = count as usize;
        world.until("the same everywhere", |world| all.iter().all(|at| keys(world, *at).len() == count));
        let direct = |world: &World| {
            all.iter().all(|at| {
                let peers = world.node(*at).peers();
                peers.len() == all.len() - 1
                    && peers.iter().all(|peer| peer.path == PeerPath::Direct && peer.level == Some(true))
            })
        };
        world.until("direct and level", direct);
    }
}
