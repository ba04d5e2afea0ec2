//! Over hubs that may relay: at once, beside WebRTC, and back; never on other hubs.

use super::*;

/// Bytes that a node sends on the relay of its one link arrive at the other in order.
fn talk(world: &mut World, from: usize, bytes: usize) {
    let (link, via) = relay_of(world, from).unwrap();
    let to = 1 - from;
    world.nodes[to].received.clear();
    let mut left = bytes;
    let mut waited = 0;
    while left > 0 {
        let size = left.min(MAX_FRAME);
        match world.nodes[from].mesh.send(link, via, vec![u8::try_from(left % 251).unwrap(); size]) {
            Ok(()) => left -= size,
            Err(MeshError::Full { .. }) => {
                world.run(100);
                waited += 1;
                assert!(waited < 10_000, "never drains");
            }
            Err(other) => panic!("{other}"),
        }
        let now = world.now;
        world.nodes[from].mesh.flush(now, &mut world.entropy);
        world.drain(from);
    }
    world.run_until(120_000, |w| {
        w.nodes[to].received.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() == bytes
    });
    let got: Vec<u8> = world.nodes[to].received.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    let mut expected = Vec::new();
    let mut left = bytes;
    while left > 0 {
        let size = left.min(MAX_FRAME);
        expected.extend(vec![u8::try_from(left % 251).unwrap(); size]);
        left -= size;
    }
    assert!(got == expected, "{} of {bytes}", got.len());
}

fn relay_of(world: &World, node: usize) -> Option<(LinkId, LinkId)> {
    let info = &world.nodes[node].mesh.peers()[0];
    let open = &world.nodes[node];
    let first = open.open.iter().find(|(_, open)| open.0 == Carrier::Relay).map(|(link, _)| *link);
    // The first carrier of a link has a number of its own too; ask which it is.
    (0..200)
        .map(LinkId)
        .find(|via| open.mesh.carrier(info.link, *via) == Some(Carrier::Relay))
        .map(|via| (first.unwrap_or(info.link), via))
}

/// The one that dials opens its end, and says something, as a session does at once.
fn begin(world: &mut World, all: &[usize]) {
    assert!(world.run_until(30_000, |w| w.nodes.iter().any(|n| !n.open.is_empty())));
    let dialer = usize::from(world.nodes[0].open.is_empty());
    let (link, via) = relay_of(world, dialer).unwrap();
    world.nodes[dialer].mesh.send(link, via, vec![1]).unwrap();
    let now = world.now;
    world.nodes[dialer].mesh.flush(now, &mut world.entropy);
    world.drain(dialer);
    let relayed =
        |w: &World| w.full(all) && w.nodes.iter().all(|n| n.open.values().all(|l| l.0 == Carrier::Relay));
    assert!(world.run_until(30_000, relayed));
    assert!(world.run_until(30_000, |w| !w.nodes[1 - dialer].received.is_empty()));
}

#[test]
fn a_link_begins_on_the_relay_and_webrtc_joins_it() {
    for (seed, weather) in
        [(1, FAIR), (2, FAIR), (3, Weather { delay: 300, loss_percent: 10, double_percent: 10 })]
    {
        let mut world = World::new(seed, 1, weather);
        (world.relaying, world.blocked) = (true, true);
        let all = [world.add(0, &[SPACE], &[0]), world.add(1, &[SPACE], &[0])];
        begin(&mut world, &all);
        let began = world.now - START;
        assert!(seed == 3 || began < 1_500, "{began} ms");
        for from in 0..2 {
            talk(&mut world, from, 300_000);
        }
        // UDP passes: the link gets a second carrier, and stays the same link.
        world.blocked = false;
        assert!(world.run_until(90_000, |w| w.nodes.iter().all(|n| n.carriers.len() == 1)), "seed {seed}");
        assert!(
            world
                .nodes
                .iter()
                .all(|n| n.opened == 1 && n.closed.is_empty() && n.carriers[0].2 == Carrier::WebRtc)
        );
        // WebRTC dies for good: the relay is still there, and WebRTC is tried again.
        let via = world.nodes[0].carriers[0].1;
        world.nodes[0].rtc.get_mut(&via).unwrap().emit(0, RtcEvent::ChannelClosed);
        assert!(world.run_until(5_000, |w| w.nodes.iter().all(|n| n.lost.len() == 1)), "seed {seed}");
        talk(&mut world, 0, 50_000);
        assert!(
            world.run_until(90_000, |w| w.nodes.iter().all(|n| n.carriers.len() == 1)),
            "seed {seed}: again"
        );
        assert!(world.nodes.iter().all(|n| n.opened == 1 && n.closed.is_empty()), "one link all the time");
    }
}

#[test]
fn only_hubs_that_both_ends_name_carry_data() {
    // One names it, the other does not.
    let mut world = World::new(11, 1, FAIR);
    world.blocked = true;
    world.relaying = true;
    world.add(0, &[SPACE], &[0]);
    world.relaying = false;
    world.add(1, &[SPACE], &[0]);
    world.run(120_000);
    // The lower id may begin, and is told no; nothing but that goes on.
    assert!(world.nodes.iter().all(|n| n.open.is_empty() || n.opened <= 2), "{:?}", world.nodes[0].closed);
    assert!(world.nodes.iter().all(|n| n.received.is_empty()));
    // Neither, though the page asks for it: "never" is never.
    let mut world = World::new(12, 1, FAIR);
    (world.blocked, world.relaying) = (true, true);
    for browser in 0..2 {
        let at = world.add(browser, &[SPACE], &[0]);
        world.nodes[at].mesh.set_transports(true, Relaying::Never);
    }
    world.run(60_000);
    assert!(world.nodes.iter().all(|n| n.opened == 0));
    // A page may let every hub of a kind that can; not Nostr relays nor trackers.
    for (url, may) in [
        ("y-webrtc+ws://h", true),
        ("nostr+ws://h", false),
        ("wt+ws://h", false),
        ("mqtt+ws://h", true),
        ("ws://h#relay=0", false),
    ] {
        let mut url = HubUrl::parse(url).unwrap();
        url.allow_relay();
        assert_eq!(url.adapter([0; 32]).caps().may_relay, may, "{url:?}");
    }
}

#[test]
fn without_webrtc_the_relay_is_the_way_and_a_hub_that_went_is_waited_for() {
    let mut world = World::new(21, 1, FAIR);
    world.relaying = true;
    let mut all = Vec::new();
    for browser in 0..2 {
        let at = world.add(browser, &[SPACE], &[0]);
        world.nodes[at].mesh.set_transports(false, Relaying::Told);
        all.push(at);
    }
    // Without WebRTC nobody dials; the relay alone is begun.
    begin(&mut world, &all);
    assert!(world.nodes.iter().all(|n| n.rtc.is_empty()));
    talk(&mut world, 1, 100_000);
    world.stop_hub(0);
    world.run(10_000);
    world.hubs[0].up = true;
    talk(&mut world, 0, 100_000);
    assert!(world.nodes.iter().all(|n| n.opened == 1), "the conversation outlives the hub's restart");
}

/// The carriers over hubs that a node has, and to whom.
fn relays_of(world: &World, node: usize) -> Vec<(LinkId, LinkId, NodeId)> {
    let mesh = &world.nodes[node].mesh;
    let via = |link| (0..200).map(LinkId).find(|via| mesh.carrier(link, *via) == Some(Carrier::Relay));
    mesh.peers().iter().filter_map(|info| Some((info.link, via(info.link)?, info.id))).collect()
}

/// Nodes that reach each other over hubs only, and whose dialers have said something.
fn relayed(seed: u64, hubs: &[usize], nodes: usize) -> (World, Vec<usize>) {
    let mut world = World::new(seed, hubs.len(), FAIR);
    world.relaying = true;
    let mut all = Vec::new();
    for browser in 0..nodes {
        let at = world.add(browser, &[SPACE], hubs);
        world.nodes[at].mesh.set_transports(false, Relaying::Told);
        all.push(at);
    }
    let end = world.now + 30_000;
    while !world.full(&all) && world.now < end {
        for node in 0..nodes {
            let own = world.nodes[node].mesh.id();
            for (link, via, id) in relays_of(&world, node) {
                if own < id && world.nodes[node].received.is_empty() {
                    let _ = world.nodes[node].mesh.send(link, via, vec![1]);
                }
            }
            let now = world.now;
            world.nodes[node].mesh.flush(now, &mut world.entropy);
            world.drain(node);
        }
        world.run(200);
    }
    assert!(world.full(&all));
    world.run(1_000);
    (world, all)
}

#[test]
fn of_two_relayed_links_neither_starves() {
    let (mut world, all) = relayed(31, &[0], 3);
    let from = all[0];
    world.nodes.iter_mut().for_each(|node| node.received.clear());
    let links = relays_of(&world, from);
    assert_eq!(links.len(), 2);
    let end = world.now + 10_000;
    while world.now < end {
        for (link, via, _) in &links {
            while world.nodes[from].mesh.send(*link, *via, vec![3; 9_000]).is_ok() {}
        }
        let now = world.now;
        world.nodes[from].mesh.flush(now, &mut world.entropy);
        world.drain(from);
        world.run(20);
    }
    let got = |node: &world::Node| node.received.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
    let others = world.nodes.iter().enumerate().filter(|(at, _)| *at != from);
    let got: Vec<usize> = others.map(|(_, node)| got(node)).collect();
    let (least, most) = (got.iter().min().unwrap(), got.iter().max().unwrap());
    assert!(*least > 1_000_000 && most - least < most / 10, "{got:?}");
    assert!(world.nodes.iter().all(|node| node.closed.is_empty()));
}

/// A node loses a hub without a word to the others.
fn one_loses(world: &mut World, node: usize, hub: usize) {
    // Nothing of there reaches it any more, and it knows.
    let (id, (_, generation)) = world.nodes[node]
        .sockets
        .iter()
        .find(|(_, socket)| socket.0 == hub)
        .map(|(id, s)| (*id, *s))
        .unwrap();
    world.hubs[hub].sockets.remove(&(node, id, generation));
    let now = world.now;
    let mesh = &mut world.nodes[node].mesh;
    mesh.remove_hub(id).unwrap();
    mesh.tick(now, &mut world.entropy);
    world.drain(node);
}

#[test]
fn a_conversation_goes_on_over_the_hub_that_is_left() {
    for (seed, hub, loser) in [(41, 0, 0), (42, 0, 1), (43, 1, 0), (44, 1, 1)] {
        let (mut world, all) = relayed(seed, &[0, 1], 2);
        one_loses(&mut world, loser, hub);
        // The one that lost it speaks, and is answered where it spoke.
        talk(&mut world, loser, 100_000);
        talk(&mut world, 1 - loser, 100_000);
        assert!(world.full(&all) && world.nodes.iter().all(|node| node.opened == 1), "seed {seed}");
    }
}

#[test]
fn what_dies_on_one_hub_begins_again_on_the_other() {
    for (seed, hub, loser) in [(51, 0, 0), (52, 0, 1), (53, 1, 0), (54, 1, 1)] {
        let (mut world, all) = relayed(seed, &[0, 1], 2);
        one_loses(&mut world, loser, hub);
        // Only the other speaks, and may do so where nobody hears it any more.
        let (from, to) = (1 - loser, loser);
        let (link, via, _) = relays_of(&world, from)[0];
        let _ = world.nodes[from].mesh.send(link, via, vec![4; 100]);
        world.run(24_000);
        world.nodes[to].received.clear();
        let spoke = |world: &mut World| {
            for node in 0..2 {
                for (link, via, _) in relays_of(world, node) {
                    let _ = world.nodes[node].mesh.send(link, via, vec![5]);
                }
                let now = world.now;
                world.nodes[node].mesh.flush(now, &mut world.entropy);
                world.drain(node);
            }
            world.run(100);
            world.full(&all) && world.nodes.iter().all(|node| !node.received.is_empty())
        };
        world.nodes.iter_mut().for_each(|node| node.received.clear());
        let end = world.now + 60_000;
        while !spoke(&mut world) {
            assert!(world.now < end, "seed {seed}");
        }
    }
}
