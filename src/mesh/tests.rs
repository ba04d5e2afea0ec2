//! Several meshes over simulated hubs, browsers and connections. Everything follows from the seed, which is printed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;

use super::fake::FakeRtc;
use super::*;
use crate::crypto::{Entropy, PublicKey};
use crate::testing::Seeded;

const SPACE: PublicKey = PublicKey([7; 32]);
const OTHER: PublicKey = PublicKey([8; 32]);
const START: u64 = 1_800_000_000_000;

struct Node {
    mesh: Mesh,
    browser: usize,
    rtc: BTreeMap<LinkId, FakeRtc>,
    /// Open links: over what, to whom, with which fingerprints.
    open: BTreeMap<LinkId, (Carrier, NodeId, Option<Fingerprints>, bool)>,
    /// (simulated hub, hub id) → generation of the socket.
    sockets: BTreeMap<HubId, (usize, u64)>,
    received: Vec<(LinkId, Vec<u8>)>,
    closed: Vec<CloseReason>,
    opened: usize,
    hub_errors: Vec<String>,
}

#[derive(Clone, Copy, Default)]
struct Weather {
    /// Up to so many milliseconds late, which also changes the order.
    delay: u32,
    loss_percent: u32,
    double_percent: u32,
}

#[derive(Default)]
struct Hub {
    up: bool,
    garbage: bool,
    /// (node, hub id, generation) of each socket, and its topics.
    sockets: BTreeMap<(usize, HubId, u64), BTreeSet<String>>,
    frames: u64,
}

struct World {
    nodes: Vec<Node>,
    hubs: Vec<Hub>,
    weather: Weather,
    now: u64,
    generation: u64,
    entropy: Seeded,
    queue: Vec<(u64, u64, Task)>,
    order: u64,
}

enum Task {
    /// A frame of a node at a hub.
    ToHub { hub: usize, from: (usize, HubId, u64), text: String },
    /// An input for a node, unless its socket was replaced.
    ToNode { node: usize, socket: Option<(HubId, u64)>, input: MeshInput },
}

impl World {
    fn new(seed: u64, hubs: usize, weather: Weather) -> Self {
        println!("seed {seed}");
        let hubs = (0..hubs).map(|_| Hub { up: true, ..Hub::default() }).collect();
        let (now, entropy) = (START, Seeded::new(seed));
        Self { nodes: Vec::new(), hubs, weather, now, generation: 0, entropy, queue: Vec::new(), order: 0 }
    }

    /// A node in a browser, in the given spaces, on the given hubs.
    fn add(&mut self, browser: usize, spaces: &[PublicKey], hubs: &[usize]) -> usize {
        let mut mesh = Mesh::new(&mut self.entropy);
        for space in spaces {
            mesh.join(*space, self.now, &mut self.entropy).unwrap();
        }
        for hub in hubs {
            let url = HubUrl::parse(&format!("y-webrtc+ws://127.0.0.1:{hub}")).unwrap();
            mesh.add_hub(url, self.now, &mut self.entropy).unwrap();
        }
        self.nodes.push(Node {
            mesh,
            browser,
            rtc: BTreeMap::new(),
            open: BTreeMap::new(),
            sockets: BTreeMap::new(),
            received: Vec::new(),
            closed: Vec::new(),
            opened: 0,
            hub_errors: Vec::new(),
        });
        self.nodes.len() - 1
    }

    fn later(&mut self, delay: u64, task: Task) {
        self.order += 1;
        self.queue.push((self.now + delay, self.order, task));
    }

    fn draw(&mut self, below: u32) -> u64 {
        u64::from(self.entropy.below(below))
    }

    fn stop_hub(&mut self, hub: usize) {
        self.hubs[hub].up = false;
        for (node, id, generation) in core::mem::take(&mut self.hubs[hub].sockets).into_keys() {
            let input = MeshInput::HubClosed { hub: id, code: Some(1006), reason: String::new() };
            self.later(1, Task::ToNode { node, socket: Some((id, generation)), input });
        }
    }

    /// The server's part of y-webrtc: echo, fan-out by topic, pong.
    fn at_hub(&mut self, hub: usize, from: (usize, HubId, u64), text: &str) {
        if !self.hubs[hub].up {
            return;
        }
        self.hubs[hub].frames += 1;
        if self.hubs[hub].garbage {
            return self.from_hub(from, "<html>".to_owned(), false);
        }
        let message: serde_json::Value = serde_json::from_str(text).expect("a client sends only JSON");
        match message["type"].as_str().unwrap() {
            "ping" => self.from_hub(from, r#"{"type":"pong"}"#.to_owned(), false),
            kind @ ("subscribe" | "unsubscribe") => {
                let topics =
                    message["topics"].as_array().unwrap().iter().map(|t| t.as_str().unwrap().to_owned());
                let Some(joined) = self.hubs[hub].sockets.get_mut(&from) else { return };
                if kind == "subscribe" {
                    joined.extend(topics);
                } else {
                    topics.for_each(|topic| {
                        joined.remove(&topic);
                    });
                }
            }
            "publish" => {
                let topic = message["topic"].as_str().unwrap();
                let sockets = self.hubs[hub].sockets.iter();
                let to: Vec<_> =
                    sockets.filter(|(_, joined)| joined.contains(topic)).map(|(key, _)| *key).collect();
                let mut message = message.clone();
                message["clients"] = to.len().into();
                for key in to {
                    self.from_hub(key, message.to_string(), true);
                }
            }
            other => panic!("{other}"),
        }
    }

    fn from_hub(&mut self, to: (usize, HubId, u64), text: String, weather: bool) {
        let Weather { delay, loss_percent, double_percent } =
            if weather { self.weather } else { Weather::default() };
        for _ in 0..=u64::from(self.draw(100) < u64::from(double_percent)) {
            if self.draw(100) >= u64::from(loss_percent) {
                let (node, hub, generation) = to;
                let input = MeshInput::HubFrame { hub, frame: HubFrame::Text(text.clone()) };
                let delay = 1 + self.draw(delay.max(1));
                self.later(delay, Task::ToNode { node, socket: Some((hub, generation)), input });
            }
        }
    }

    fn step(&mut self) {
        self.now += 10;
        let now = self.now;
        let (mut due, later): (Vec<_>, Vec<_>) =
            core::mem::take(&mut self.queue).into_iter().partition(|(at, ..)| *at <= now);
        self.queue = later;
        due.sort_by_key(|(at, order, _)| (*at, *order));
        for (_, _, task) in due {
            match task {
                Task::ToHub { hub, from, text } => self.at_hub(hub, from, &text),
                Task::ToNode { node, socket, input } => {
                    let current = |(id, generation): (HubId, u64)| {
                        self.nodes[node].sockets.get(&id).is_some_and(|s| s.1 == generation)
                    };
                    if socket.is_none_or(current) {
                        if let (MeshInput::HubClosed { hub, .. }, Some(_)) = (&input, socket) {
                            self.nodes[node].sockets.remove(hub);
                        }
                        self.nodes[node].mesh.handle(input, now, &mut self.entropy);
                    }
                }
            }
        }
        for index in 0..self.nodes.len() {
            let node = &mut self.nodes[index];
            if node.mesh.deadline().is_some_and(|at| at <= now) {
                node.mesh.tick(now, &mut self.entropy);
                let next = node.mesh.deadline();
                assert!(next.is_none_or(|at| at > now), "a deadline that stays in the past");
            }
            let links: Vec<LinkId> = node.rtc.keys().copied().collect();
            for link in links {
                let Some(rtc) = node.rtc.get_mut(&link) else { continue };
                for event in rtc.step(now, &mut self.entropy) {
                    node.mesh.handle(MeshInput::Rtc { link, event }, now, &mut self.entropy);
                }
            }
            self.drain(index);
        }
        self.connect();
    }

    fn drain(&mut self, index: usize) {
        while let Some(output) = self.nodes[index].mesh.poll() {
            let node = &mut self.nodes[index];
            match output {
                MeshOutput::HubOpen { hub, url, .. } => {
                    self.generation += 1;
                    let (at, generation) =
                        (url.rsplit(':').next().unwrap().parse::<usize>().unwrap(), self.generation);
                    node.sockets.insert(hub, (at, generation));
                    let up = self.hubs[at].up;
                    if up {
                        self.hubs[at].sockets.insert((index, hub, generation), BTreeSet::new());
                    }
                    let input = if up {
                        MeshInput::HubOpened { hub }
                    } else {
                        MeshInput::HubClosed { hub, code: None, reason: "refused".into() }
                    };
                    self.later(5, Task::ToNode { node: index, socket: Some((hub, generation)), input });
                }
                MeshOutput::HubSend { hub, frame: HubFrame::Text(text) } => {
                    let Some((at, generation)) = node.sockets.get(&hub).copied() else { panic!("no socket") };
                    self.later(1, Task::ToHub { hub: at, from: (index, hub, generation), text });
                }
                MeshOutput::HubSend { .. } => panic!("binary"),
                MeshOutput::HubClose { hub } => {
                    if let Some((at, generation)) = node.sockets.remove(&hub) {
                        self.hubs[at].sockets.remove(&(index, hub, generation));
                    }
                }
                MeshOutput::Rtc { link, command } => {
                    if matches!(command, RtcCommand::Create { .. }) {
                        let rtc = FakeRtc::new(&mut self.entropy);
                        assert!(node.rtc.insert(link, rtc).is_none(), "a link id twice");
                    }
                    if command == RtcCommand::Close {
                        let print = node.rtc.remove(&link).unwrap().print;
                        for other in &mut self.nodes {
                            for rtc in other
                                .rtc
                                .values_mut()
                                .filter(|rtc| rtc.open && rtc.remote_print == Some(print))
                            {
                                rtc.emit(self.now + 50, RtcEvent::ChannelClosed);
                            }
                        }
                    } else {
                        node.rtc.get_mut(&link).unwrap().command(command);
                    }
                }
                MeshOutput::LinkSend { link, bytes } => {
                    let rtc = &node.rtc[&link];
                    let (mine, theirs) = (rtc.print, rtc.remote_print);
                    node.rtc.get_mut(&link).unwrap().emit(self.now, RtcEvent::Buffered { bytes: 0 });
                    for other in &mut self.nodes {
                        for rtc in other.rtc.values_mut() {
                            if Some(rtc.print) == theirs && rtc.remote_print == Some(mine) {
                                rtc.emit(self.now + 5, RtcEvent::Data { bytes: bytes.clone() });
                            }
                        }
                    }
                }
                MeshOutput::TabPost { bytes } => {
                    let browser = node.browser;
                    for other in 0..self.nodes.len() {
                        if other != index && self.nodes[other].browser == browser {
                            let input = MeshInput::Tab { bytes: bytes.clone() };
                            self.later(1, Task::ToNode { node: other, socket: None, input });
                        }
                    }
                }
                MeshOutput::Event(event) => node.event(event),
            }
        }
    }

    /// Connects what describes each other.
    fn connect(&mut self) {
        let mut by_print = BTreeMap::new();
        for (index, node) in self.nodes.iter().enumerate() {
            by_print.extend(node.rtc.iter().map(|(link, rtc)| (rtc.print, (index, *link))));
        }
        for (i, a) in by_print.values() {
            let rtc = &self.nodes[*i].rtc[a];
            let other =
                rtc.remote_print.filter(|print| *print > rtc.print).and_then(|print| by_print.get(&print));
            let Some((j, b)) = other else { continue };
            if rtc.agrees(&self.nodes[*j].rtc[b]) {
                let now = self.now;
                self.nodes[*i].rtc.get_mut(a).unwrap().connect(now);
                self.nodes[*j].rtc.get_mut(b).unwrap().connect(now);
            }
        }
    }

    /// Whether every two of these nodes hold exactly one link to each other, and the same one.
    fn full(&self, nodes: &[usize]) -> bool {
        nodes.iter().all(|i| {
            let node = &self.nodes[*i];
            let others = nodes.iter().filter(|j| *j != i).map(|j| self.nodes[*j].mesh.id());
            let mut expected: Vec<NodeId> = others.collect();
            let mut got: Vec<NodeId> = node.open.values().map(|(_, id, ..)| *id).collect();
            expected.sort();
            got.sort();
            got == expected
        })
    }

    fn run_until(&mut self, ms: u64, done: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + ms;
        while self.now < end {
            self.step();
            if done(self) {
                return true;
            }
        }
        false
    }

    fn run(&mut self, ms: u64) {
        self.run_until(ms, |_| false);
    }

    /// Both ends of every link agree on carrier, certificates and who speaks first, and bytes pass.
    fn check_links(&mut self) {
        for i in 0..self.nodes.len() {
            for (carrier, remote, prints, initiator) in self.nodes[i].open.values() {
                let own = self.nodes[i].mesh.id();
                let other = self.nodes.iter().find(|n| n.mesh.id() == *remote).unwrap();
                let back = other.open.values().find(|(_, id, ..)| *id == own).unwrap();
                assert_eq!(back.0, *carrier);
                assert_eq!(back.2.map(|p| p.sorted()), prints.map(|p| p.sorted()));
                assert_eq!(prints.is_some(), *carrier == Carrier::WebRtc);
                assert_ne!(back.3, *initiator);
                assert_eq!(*initiator, own < *remote);
            }
            let links: Vec<LinkId> = self.nodes[i].open.keys().copied().collect();
            for link in links {
                self.nodes[i].mesh.send(link, own_bytes(i)).unwrap();
            }
            self.drain(i);
        }
        self.nodes.iter_mut().for_each(|node| node.received.clear());
        self.run(100);
        for (i, node) in self.nodes.iter().enumerate() {
            let from: Vec<_> =
                node.received.iter().map(|(link, bytes)| (node.open[link].1, bytes.clone())).collect();
            assert_eq!(from.len(), node.open.len(), "node {i}");
            for (id, bytes) in from {
                let sender = self.nodes.iter().position(|n| n.mesh.id() == id).unwrap();
                assert_eq!(bytes, own_bytes(sender));
            }
        }
    }
}

fn own_bytes(node: usize) -> Vec<u8> {
    vec![u8::try_from(node).unwrap(); 5]
}

impl Node {
    fn event(&mut self, event: MeshEvent) {
        match event {
            MeshEvent::HubState { error, .. } => self.hub_errors.extend(error),
            MeshEvent::LinkOpen { link, carrier, fingerprints, remote, initiator, spaces } => {
                assert!(!spaces.is_empty());
                assert!(self.open.values().all(|(_, id, ..)| *id != remote), "two links to one node");
                self.open.insert(link, (carrier, remote, fingerprints, initiator));
                self.opened += 1;
            }
            MeshEvent::LinkClosed { link, reason } => {
                self.open.remove(&link).expect("closed what was open");
                self.closed.push(reason);
            }
            MeshEvent::LinkData { link, bytes } => self.received.push((link, bytes)),
            MeshEvent::LinkSpaces { .. } | MeshEvent::LinkWritable { .. } => {}
        }
    }
}

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
fn a_full_link_says_when_it_takes_more() {
    let mut world = World::new(73, 1, FAIR);
    let all = [world.add(0, &[SPACE], &[0]), world.add(1, &[SPACE], &[0])];
    assert!(world.run_until(5_000, |w| w.full(&all)));
    let (now, mesh) = (world.now, &mut world.nodes[0].mesh);
    let link = mesh.peers()[0].link;
    let sent = (0..1_000).take_while(|_| mesh.send(link, vec![0; MAX_FRAME]).is_ok()).count();
    assert_eq!(sent, 64, "1 MiB");
    assert!(!mesh.writable(link));
    assert!(matches!(mesh.send(link, vec![0]), Err(MeshError::Full { .. })));
    let mut report = |bytes| {
        mesh.handle(MeshInput::Rtc { link, event: RtcEvent::Buffered { bytes } }, now, &mut world.entropy);
        core::iter::from_fn(|| mesh.poll())
            .any(|output| output == MeshOutput::Event(MeshEvent::LinkWritable { link }))
    };
    assert!(!report(300_000));
    assert!(report(200_000));
    assert!(mesh.writable(link));
    assert!(matches!(mesh.send(link, vec![0; MAX_FRAME + 1]), Err(MeshError::TooLarge { .. })));
    assert_eq!(mesh.send(LinkId(99), vec![]), Err(MeshError::NoLink(LinkId(99))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
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
