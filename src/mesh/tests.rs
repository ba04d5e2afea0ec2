//! Several meshes over simulated hubs, browsers and connections. Everything follows from the seed, which is printed.

mod neighbours;
mod relaying;
mod world;

use std::collections::{BTreeSet, VecDeque};

use proptest::prelude::*;

use super::*;
use crate::testing::Seeded;
use world::{OTHER, SPACE, START, Weather, World};

const FAIR: Weather = Weather { delay: 40, loss_percent: 0, double_percent: 0 };
const FOUL: Weather = Weather { delay: 1_500, loss_percent: 15, double_percent: 20 };

#[test]
fn everybody_meets_in_fair_weather_within_seconds() {
    for count in 2..=8 {
        let mut world = World::new(100 + count, 1, FAIR);
        let all: Vec<usize> =
            (0..usize::try_from(count).unwrap()).map(|i| world.add(i, &[SPACE], &[0])).collect();
        assert!(world.run_until(5_000, |w| w.full(&all)), "{count} nodes");
        world.check_links();
        // And it stays so.
        world.run(120_000);
        assert!(world.full(&all));
        assert!(world.nodes.iter().all(|n| n.opened == all.len() - 1 && n.closed.is_empty()));
    }
}

#[test]
fn everybody_meets_in_foul_weather_and_over_a_restart() {
    for seed in 0..12 {
        let mut world = World::new(seed, 1, FOUL);
        let count = 2 + usize::try_from(seed % 7).unwrap();
        let mut all = Vec::new();
        for i in 0..count {
            all.push(world.add(i, &[SPACE], &[0]));
            let pause = world.draw(3_000);
            world.run(pause);
        }
        world.stop_hub(0);
        world.run(20_000);
        world.hubs[0].up = true;
        assert!(world.run_until(600_000, |w| w.full(&all)), "seed {seed}, {count} nodes");
        world.run(1_000);
        world.check_links();
    }
}

#[test]
fn several_hubs_and_spaces_make_one_link_and_a_dead_hub_breaks_none() {
    for seed in 20..26 {
        let mut world = World::new(seed, 3, Weather { delay: 200, ..FOUL });
        let all: Vec<usize> = (0..4).map(|i| world.add(i, &[SPACE, OTHER], &[0, 1, 2])).collect();
        assert!(world.run_until(120_000, |w| w.full(&all)), "seed {seed}");
        world.check_links();
        let opened: usize = world.nodes.iter().map(|n| n.opened).sum();
        (0..3).for_each(|hub| world.stop_hub(hub));
        world.run(300_000);
        assert!(world.full(&all), "seed {seed}");
        assert_eq!(world.nodes.iter().map(|n| n.opened).sum::<usize>(), opened, "links outlive hubs");
        // One hub comes back: somebody new finds everybody.
        world.hubs[1].up = true;
        let mut all = all;
        all.push(world.add(9, &[OTHER], &[0, 1, 2]));
        assert!(world.run_until(300_000, |w| w.full(&all)), "seed {seed}: the fifth");
    }
}

#[test]
fn tabs_meet_without_a_hub_and_are_preferred() {
    let mut world = World::new(30, 1, FAIR);
    world.stop_hub(0);
    let all = [world.add(0, &[SPACE], &[0]), world.add(0, &[SPACE], &[0]), world.add(0, &[OTHER], &[0])];
    assert!(world.run_until(1_000, |w| w.full(&all[..2])));
    assert!(world.nodes[2].open.is_empty(), "no space in common");
    world.check_links();
    world.hubs[0].up = true;
    let far = world.add(1, &[SPACE], &[0]);
    assert!(world.run_until(90_000, |w| w.full(&[all[0], all[1], far])));
    let carriers = |world: &World, node: usize| {
        let mut all: Vec<&str> = world.nodes[node].open.values().map(|link| link.0.name()).collect();
        all.sort_unstable();
        all
    };
    assert_eq!(carriers(&world, all[0]), ["tab", "webrtc"]);
    assert_eq!(carriers(&world, far), ["webrtc", "webrtc"]);
    world.check_links();
}

#[test]
fn a_tab_that_is_found_late_takes_over_from_webrtc() {
    let mut world = World::new(31, 1, FAIR);
    let all = [world.add(0, &[SPACE], &[0]), world.add(1, &[SPACE], &[0])];
    assert!(world.run_until(5_000, |w| w.full(&all)));
    world.nodes[1].browser = 0;
    let tab =
        |w: &World| w.full(&all) && w.nodes.iter().all(|n| n.open.values().all(|l| l.0 == Carrier::Tab));
    assert!(world.run_until(40_000, tab));
    world.run(60_000);
    assert!(tab(&world));
    assert!(world.nodes.iter().all(|n| n.opened == 2 && n.rtc.is_empty()));
}

#[test]
fn a_lost_path_is_restarted_and_a_closed_link_redialled() {
    for seed in 40..60 {
        let mut world = World::new(seed, 1, FAIR);
        let all = [world.add(0, &[SPACE], &[0]), world.add(1, &[SPACE], &[0])];
        assert!(world.run_until(5_000, |w| w.full(&all)));
        world.run(1_000);
        let now = world.now;
        for node in &mut world.nodes {
            node.rtc.values_mut().for_each(|rtc| rtc.lose_path(now, RtcState::Disconnected));
        }
        world.run(100);
        assert!(world.nodes.iter().all(|n| n.mesh.peers()[0].state == LinkState::Recovering));
        let open =
            |w: &World| w.nodes.iter().all(|n| n.mesh.peers().iter().all(|p| p.state == LinkState::Open));
        assert!(world.run_until(10_000, open), "seed {seed}");
        assert!(world.nodes.iter().all(|n| n.opened == 1 && n.closed.is_empty()), "the same link");

        let link = *world.nodes[0].open.keys().next().unwrap();
        let at = world.now;
        world.nodes[0].mesh.close(link, at, &mut world.entropy).unwrap();
        world.drain(0);
        assert!(world.nodes[0].open.is_empty());
        assert!(world.run_until(10_000, |w| w.full(&all)), "seed {seed}: redialled");
        assert_eq!(world.nodes[0].closed, [CloseReason::Local]);
        world.check_links();
    }
}

#[test]
fn caps_hold_in_a_crowd() {
    let mut world = World::new(70, 1, FAIR);
    let all: Vec<usize> = (0..20).map(|i| world.add(i, &[SPACE], &[0])).collect();
    world.run(60_000);
    for node in &world.nodes {
        let links = node.mesh.peers().len();
        assert!((3..=12).contains(&links), "{links}");
    }
    // One piece: everybody is reached from the first.
    let mut reached = BTreeSet::from([world.nodes[0].mesh.id()]);
    let mut next = VecDeque::from([0]);
    while let Some(at) = next.pop_front() {
        for (_, id, ..) in world.nodes[at].open.values() {
            if reached.insert(*id) {
                next.push_back(world.nodes.iter().position(|n| n.mesh.id() == *id).unwrap());
            }
        }
    }
    assert_eq!(reached.len(), all.len());
}

#[test]
fn a_lying_hub_is_parked_and_the_honest_one_carries_on() {
    let mut world = World::new(71, 2, FAIR);
    world.hubs[0].garbage = true;
    let all = [world.add(0, &[SPACE], &[0, 1]), world.add(1, &[SPACE], &[0, 1])];
    assert!(world.run_until(5_000, |w| w.full(&all)));
    world.run(20_000);
    let info = &world.nodes[0].mesh.hubs()[0];
    assert!(matches!(info.state, HubState::Refused { .. }), "{info:?}");
    assert_eq!(info.error.as_deref(), Some("not a hub of this kind: nothing there speaks y-webrtc"));
    assert!(info.garbage > 0);
}

#[test]
fn rooms_turn_with_the_day_and_strangers_hear_nothing() {
    let mut world = World::new(72, 1, FAIR);
    world.now = START - START % 86_400_000 + 43_200_000 - 30_000;
    let first = world.add(0, &[SPACE], &[0]);
    let stranger = world.add(2, &[OTHER], &[0]);
    world.run(60_000);
    assert_eq!(world.hubs[0].sockets.values().map(BTreeSet::len).collect::<Vec<_>>(), [3, 3]);
    let second = world.add(1, &[SPACE], &[0]);
    assert!(world.run_until(5_000, |w| w.full(&[first, second])));
    assert!(world.nodes[stranger].open.is_empty());
    assert_eq!(world.nodes[stranger].mesh.counters(), Counters::default(), "topics keep strangers apart");
    let at = world.now;
    world.nodes[first].mesh.leave(&SPACE, at, &mut world.entropy);
    world.drain(first);
    world.run(1_000);
    assert!(world.nodes[first].open.is_empty() && world.nodes[second].open.is_empty());
    assert_eq!(world.nodes[second].closed, [CloseReason::Remote]);
    assert!(world.hubs[0].sockets.iter().any(|(key, topics)| key.0 == first && topics.is_empty()));
}

#[test]
fn waking_up_tries_hubs_at_once_and_checks_open_ones() {
    let mut world = World::new(74, 2, FAIR);
    world.stop_hub(0);
    let node = world.add(0, &[SPACE], &[0, 1]);
    world.run(600_000);
    let HubState::Waiting { .. } = world.nodes[node].mesh.hubs()[0].state else { panic!("hub 0 is down") };
    // Asleep: hub 0 came back, hub 1 went without a word.
    world.hubs[0].up = true;
    world.hubs[1].up = false;
    let now = world.now;
    world.nodes[node].mesh.handle(MeshInput::Awake, now, &mut world.entropy);
    world.drain(node);
    let states = |w: &World| w.nodes[node].mesh.hubs().iter().map(|hub| hub.state).collect::<Vec<_>>();
    assert!(world.run_until(1_500, |w| states(w)[0] == HubState::Open));
    assert!(world.run_until(5_000, |w| matches!(states(w)[1], HubState::Waiting { .. })));
}

#[test]
fn shutting_down_says_goodbye() {
    let mut world = World::new(75, 1, FAIR);
    let all = [world.add(0, &[SPACE], &[0]), world.add(1, &[SPACE], &[0]), world.add(0, &[SPACE], &[0])];
    assert!(world.run_until(5_000, |w| w.full(&all)));
    let now = world.now;
    world.nodes[0].mesh.shutdown(now, &mut world.entropy);
    world.drain(0);
    assert!(world.nodes[0].open.is_empty() && world.nodes[0].rtc.is_empty());
    assert_eq!(world.nodes[0].mesh.deadline(), None);
    world.run(500);
    assert!(world.full(&all[1..]));
    assert!(world.nodes.iter().skip(1).all(|n| n.closed == [CloseReason::Remote]));
}

#[test]
fn a_full_link_says_when_it_takes_more() {
    let mut world = World::new(73, 1, FAIR);
    let all = [world.add(0, &[SPACE], &[0]), world.add(1, &[SPACE], &[0])];
    assert!(world.run_until(5_000, |w| w.full(&all)));
    let (now, mesh) = (world.now, &mut world.nodes[0].mesh);
    let link = mesh.peers()[0].link;
    let sent = (0..1_000).take_while(|_| mesh.send(link, link, vec![0; MAX_FRAME]).is_ok()).count();
    assert_eq!(sent, 64, "1 MiB");
    assert!(!mesh.writable(link));
    assert!(matches!(mesh.send(link, link, vec![0]), Err(MeshError::Full { .. })));
    let mut report = |bytes| {
        mesh.handle(MeshInput::Rtc { link, event: RtcEvent::Buffered { bytes } }, now, &mut world.entropy);
        core::iter::from_fn(|| mesh.poll())
            .any(|output| output == MeshOutput::Event(MeshEvent::LinkWritable { link, via: link }))
    };
    assert!(!report(300_000));
    assert!(report(200_000));
    assert!(mesh.writable(link));
    assert!(matches!(mesh.send(link, link, vec![0; MAX_FRAME + 1]), Err(MeshError::TooLarge { .. })));
    assert_eq!(mesh.send(LinkId(99), LinkId(99), vec![]), Err(MeshError::NoLink(LinkId(99))));
}

proptest! {
    #![proptest_config(crate::testing::cases(64))]
    #[test]
    fn anything_from_hub_tab_or_browser_never_panics(
        text: String, bytes: Vec<u8>, sdp: String, json: String, hub in 0_u32..3, link in 0_u64..4,
    ) {
        let mut entropy = Seeded::new(1);
        let mut mesh = Mesh::new(&mut entropy);
        mesh.join(SPACE, START, &mut entropy).unwrap();
        mesh.add_hub(HubUrl::parse("wss://hub.example").unwrap(), START, &mut entropy).unwrap();
        let (hub, link) = (HubId(hub), LinkId(link));
        let topic = crate::crypto::hex(&room(&SPACE, days(START)[0]).0);
        let publish = serde_json::json!({ "type": "publish", "topic": topic, "d": text }).to_string();
        let sealed = data_encoding::BASE64URL_NOPAD.encode(&bytes);
        let sealed = serde_json::json!({ "type": "publish", "topic": topic, "d": sealed }).to_string();
        let rtc = |event| MeshInput::Rtc { link, event };
        for input in [
            MeshInput::HubOpened { hub },
            MeshInput::HubFrame { hub, frame: HubFrame::Text(r#"{"type":"pong"}"#.into()) },
            MeshInput::HubFrame { hub, frame: HubFrame::Text(text.clone()) },
            MeshInput::HubFrame { hub, frame: HubFrame::Text(publish) },
            MeshInput::HubFrame { hub, frame: HubFrame::Text(sealed) },
            MeshInput::HubFrame { hub, frame: HubFrame::Binary(bytes.clone()) },
            MeshInput::Tab { bytes: bytes.clone() },
            rtc(RtcEvent::LocalDescription { sdp_type: SdpType::Offer, sdp }),
            rtc(RtcEvent::LocalCandidate { json }),
            rtc(RtcEvent::Data { bytes }),
            rtc(RtcEvent::Failed { error: text.clone() }),
            MeshInput::Awake,
            MeshInput::HubClosed { hub, code: Some(1), reason: text },
        ] {
            mesh.handle(input, START, &mut entropy);
            mesh.tick(START + 60_000, &mut entropy);
            while mesh.poll().is_some() {}
        }
    }
}
