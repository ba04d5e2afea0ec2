//! Introductions, and signalling without a hub.

use super::*;
use crate::{codec::Writer, sync::Message};

/// Breaks the connection of two nodes for good: both browsers say so.
fn cut(world: &mut World, a: usize, b: usize) {
    let now = world.now;
    for (node, other) in [(a, b), (b, a)] {
        let id = world.nodes[other].mesh.id();
        let link =
            world.nodes[node].open.iter().find(|(_, open)| open.1 == id).map(|(link, _)| *link).unwrap();
        let event = RtcEvent::ChannelClosed;
        world.nodes[node].mesh.handle(MeshInput::Rtc { link, event }, now, &mut world.entropy);
        world.drain(node);
    }
}

#[test]
fn a_lost_link_comes_back_through_a_neighbour_while_every_hub_is_dead() {
    for seed in 200..208 {
        let mut world = World::new(seed, 1, FAIR);
        let all: Vec<usize> = (0..3).map(|i| world.add(i, &[SPACE], &[0])).collect();
        assert!(world.run_until(5_000, |w| w.full(&all)));
        world.run(60_000);
        world.stop_hub(0);
        world.run(1_000);
        let frames = world.hubs[0].frames;
        cut(&mut world, 0, 1);
        assert!(!world.full(&all));
        assert!(world.run_until(30_000, |w| w.full(&all)), "seed {seed}");
        assert_eq!(world.hubs[0].frames, frames);
        world.run(1_000);
        world.check_links();
    }
}

#[test]
fn the_hub_is_needed_once_all_others_are_introduced() {
    for seed in 210..216 {
        let mut world = World::new(seed, 2, FAIR);
        // On one hub the first and second; on another the second and the rest, one by one.
        let first = world.add(0, &[SPACE], &[0]);
        let second = world.add(1, &[SPACE], &[0, 1]);
        let third = world.add(2, &[SPACE], &[1]);
        assert!(world.run_until(10_000, |w| w.full(&[first, second, third])), "seed {seed}");
        let through: u64 = world.nodes.iter().map(|node| node.signals).sum();
        assert!(through >= 4, "offer and answer took two steps each");
        world.run(1_000);
        world.check_links();
    }
}

#[test]
fn what_a_neighbour_hands_over_goes_to_nobody_but_its_neighbours() {
    let mut world = World::new(220, 1, FAIR);
    let all: Vec<usize> = (0..3).map(|i| world.add(i, &[SPACE], &[0])).collect();
    assert!(world.run_until(5_000, |w| w.full(&all)));
    world.run(1_000);
    let link = *world.nodes[0].open.keys().next().unwrap();
    let now = world.now;
    let say = |world: &mut World, to: NodeId, space| {
        let mut bytes = Writer::versioned();
        bytes.raw(&to.0).raw(&[7; 300]);
        let message = Message::Extension { name: "signal".to_owned(), bytes: bytes.finish() };
        world.nodes[0].mesh.neighbour(link, space, message, now, &mut world.entropy);
        core::iter::from_fn(|| world.nodes[0].mesh.poll())
            .filter(|output| matches!(output, MeshOutput::Event(MeshEvent::Neighbour { .. })))
            .count()
    };
    let from = world.nodes[0].open[&link].1;
    let other = world.nodes[0].open.values().find(|open| open.1 != from).unwrap().1;
    assert_eq!(say(&mut world, other, SPACE), 1);
    assert_eq!(say(&mut world, other, OTHER), 0, "no channel of that space");
    assert_eq!(say(&mut world, from, SPACE), 0, "back to where it came from");
    assert_eq!(say(&mut world, NodeId([9; 16]), SPACE), 0, "not a neighbour");
    let own = world.nodes[0].mesh.id();
    assert_eq!(say(&mut world, own, SPACE), 0);
    assert_eq!(world.nodes[0].mesh.counters().foreign, 1, "not sealed for us");
    let passed: usize = (0..1_000).map(|_| say(&mut world, other, SPACE)).sum();
    assert!((100..250).contains(&passed), "{passed}: a link has a rate");
    assert!(world.nodes[0].mesh.counters().flooded > 700);
}

#[test]
fn who_introduces_phantoms_is_not_listened_to_for_long() {
    let mut world = World::new(221, 1, FAIR);
    let all = [world.add(0, &[SPACE], &[0]), world.add(1, &[SPACE], &[0])];
    assert!(world.run_until(5_000, |w| w.full(&all)));
    world.run(1_000);
    let liar = world.nodes[1].mesh.id();
    let link = *world.nodes[0].open.keys().next().unwrap();
    let key = world.nodes[0].mesh.peers[&liar].key.unwrap();
    let mut dialled = BTreeSet::new();
    for round in 0..60_u8 {
        let own = [&[1][..], &key, &[2]].concat();
        let phantoms =
            (0..20).map(|n| [&[1][..], &[round.wrapping_mul(20).wrapping_add(n); 32], &[2]].concat());
        let message = Message::Peers(core::iter::once(own).chain(phantoms).collect());
        let now = world.now;
        world.nodes[0].mesh.neighbour(link, SPACE, message, now, &mut world.entropy);
        world.drain(0);
        dialled.extend(world.nodes[0].rtc.keys().copied());
        assert!(world.nodes[0].mesh.peers().len() <= 12);
        world.run(10_000);
    }
    assert!(dialled.len() < 60, "{} dialled", dialled.len());
    assert!(world.full(&all), "the honest link stays");
    // Under another's name nothing is taken.
    let before = world.nodes[0].mesh.peers.len();
    let message =
        Message::Peers(vec![[&[1][..], &[5; 32], &[2]].concat(), [&[1][..], &[6; 32], &[2]].concat()]);
    let now = world.now;
    world.nodes[0].mesh.neighbour(link, SPACE, message, now, &mut world.entropy);
    assert_eq!(world.nodes[0].mesh.peers.len(), before);
}

#[test]
fn a_full_node_gives_up_a_young_link_for_one_that_has_none() {
    let mut world = World::new(222, 1, FAIR);
    let all: Vec<usize> = (0..13).map(|i| world.add(i, &[SPACE], &[0])).collect();
    world.run(30_000);
    for at in &all {
        world.nodes[*at].mesh.set_max_links(8);
        assert!(world.nodes[*at].open.len() <= 12);
    }
    world.run(1_200_000);
    let kept: Vec<LinkId> = world.nodes[0].open.keys().copied().take(4).collect();
    let late = world.add(20, &[SPACE], &[0]);
    world.nodes[late].mesh.set_max_links(8);
    assert!(world.run_until(60_000, |w| w.nodes[late].open.len() >= 3), "{}", world.nodes[late].open.len());
    assert!(kept.iter().all(|link| world.nodes[0].open.contains_key(link)), "the oldest stay");
    world.run(600_000);
    assert!(world.nodes.iter().all(|node| (2..=12).contains(&node.open.len())));
}

#[test]
fn one_that_may_dial_nobody_is_dialled_where_all_have_enough() {
    for seed in 300..303 {
        let mut world = World::new(seed, 1, FAIR);
        let all: Vec<usize> = (0..13).map(|i| world.add(i, &[SPACE], &[0])).collect();
        world.run(30_000);
        for at in &all {
            world.nodes[*at].mesh.set_max_links(8);
        }
        world.run(600_000);
        // Above all others: every link has to be made by one that has eight already.
        let highest = world.nodes.iter().map(|node| node.mesh.id()).max().unwrap();
        while Mesh::new(&mut world.entropy.clone()).id() < highest {
            world.draw(9);
        }
        let late = world.add(20, &[SPACE], &[0]);
        assert!(world.run_until(60_000, |w| w.nodes[late].open.len() >= 3), "{seed}");
    }
}

#[test]
fn two_halves_that_filled_up_apart_find_each_other() {
    let mut world = World::new(223, 2, FAIR);
    for half in 0..2 {
        for i in 0..12 {
            world.add(half * 100 + i, &[SPACE], &[half]);
        }
    }
    world.run(120_000);
    let ids: Vec<NodeId> = world.nodes.iter().map(|node| node.mesh.id()).collect();
    let across = |world: &World| {
        let far = |at: usize, id: &NodeId| ids.iter().position(|one| one == id).unwrap() / 12 != at / 12;
        world
            .nodes
            .iter()
            .enumerate()
            .flat_map(|(at, n)| n.open.values().map(move |o| (at, o.1)))
            .filter(|(at, id)| far(*at, id))
            .count()
    };
    assert_eq!(across(&world), 0);
    // From now on they share a hub.
    for at in 12..24 {
        let (now, url) = (world.now, HubUrl::parse("y-webrtc+ws://127.0.0.1:0").unwrap());
        world.nodes[at].mesh.add_hub(url, now, &mut world.entropy).unwrap();
        world.drain(at);
    }
    assert!(world.run_until(600_000, |w| across(w) >= 4), "{}", across(&world));
    assert!(world.nodes.iter().all(|node| node.mesh.peers().len() <= 12));
}
