//! The simulated world: hubs that speak y-webrtc, browsers, connections, weather.

use std::collections::{BTreeMap, BTreeSet};

use crate::crypto::{Entropy, PublicKey};
use crate::mesh::{fake::FakeRtc, *};
use crate::sync::Message;
use crate::testing::Seeded;

pub(crate) const SPACE: PublicKey = PublicKey([7; 32]);
pub(crate) const OTHER: PublicKey = PublicKey([8; 32]);
pub(crate) const START: u64 = 1_800_000_000_000;

pub(crate) struct Node {
    pub(crate) mesh: Mesh,
    pub(crate) browser: usize,
    pub(crate) rtc: BTreeMap<LinkId, FakeRtc>,
    /// Open links: over what, to whom, with which fingerprints.
    pub(crate) open: BTreeMap<LinkId, (Carrier, NodeId, Option<Fingerprints>, bool)>,
    /// (simulated hub, hub id) → generation of the socket.
    pub(crate) sockets: BTreeMap<HubId, (usize, u64)>,
    pub(crate) received: Vec<(LinkId, Vec<u8>)>,
    pub(crate) closed: Vec<CloseReason>,
    pub(crate) opened: usize,
    pub(crate) hub_errors: Vec<String>,
    /// Links whose sessions are to open their channels, and what is said on them.
    channels: Vec<(LinkId, PublicKey)>,
    said: Vec<(LinkId, PublicKey, Message)>,
    /// Signalling handed to neighbours.
    pub(crate) signals: u64,
    /// Further carriers of open links, and those that went.
    pub(crate) carriers: Vec<(LinkId, LinkId, Carrier)>,
    pub(crate) lost: Vec<LinkId>,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct Weather {
    /// Up to so many milliseconds late, which also changes the order.
    pub(crate) delay: u32,
    pub(crate) loss_percent: u32,
    pub(crate) double_percent: u32,
}

#[derive(Default)]
pub(crate) struct Hub {
    pub(crate) up: bool,
    pub(crate) garbage: bool,
    /// (node, hub id, generation) of each socket, and its topics.
    pub(crate) sockets: BTreeMap<(usize, HubId, u64), BTreeSet<String>>,
    pub(crate) frames: u64,
}

pub(crate) struct World {
    pub(crate) nodes: Vec<Node>,
    pub(crate) hubs: Vec<Hub>,
    pub(crate) weather: Weather,
    pub(crate) now: u64,
    pub(crate) generation: u64,
    pub(crate) entropy: Seeded,
    pub(crate) queue: Vec<(u64, u64, Task)>,
    pub(crate) order: u64,
    /// Whether hubs that are added may relay.
    pub(crate) relaying: bool,
    /// Nothing passes between peers.
    pub(crate) blocked: bool,
}

pub(crate) enum Task {
    /// A frame of a node at a hub.
    ToHub { hub: usize, from: (usize, HubId, u64), text: String },
    /// The session of a link shares a space from now on.
    Channel { node: usize, link: LinkId, space: PublicKey },
    /// What a neighbour said on a channel.
    Neighbour { node: usize, link: LinkId, space: PublicKey, message: Message },
    /// An input for a node, unless its socket was replaced.
    ToNode { node: usize, socket: Option<(HubId, u64)>, input: MeshInput },
}

impl World {
    pub(crate) fn new(seed: u64, hubs: usize, weather: Weather) -> Self {
        println!("seed {seed}");
        let hubs = (0..hubs).map(|_| Hub { up: true, ..Hub::default() }).collect();
        let (now, entropy) = (START, Seeded::new(seed));
        Self {
            nodes: Vec::new(),
            hubs,
            weather,
            now,
            generation: 0,
            entropy,
            queue: Vec::new(),
            order: 0,
            relaying: false,
            blocked: false,
        }
    }

    /// A node in a browser, in the given spaces, on the given hubs.
    pub(crate) fn add(&mut self, browser: usize, spaces: &[PublicKey], hubs: &[usize]) -> usize {
        let mut mesh = Mesh::new(&mut self.entropy);
        for space in spaces {
            mesh.join(*space, self.now, &mut self.entropy).unwrap();
        }
        for hub in hubs {
            let relay = if self.relaying { "#relay=1" } else { "" };
            let url = HubUrl::parse(&format!("y-webrtc+ws://127.0.0.1:{hub}{relay}")).unwrap();
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
            channels: Vec::new(),
            said: Vec::new(),
            signals: 0,
            carriers: Vec::new(),
            lost: Vec::new(),
        });
        self.nodes.len() - 1
    }

    pub(crate) fn later(&mut self, delay: u64, task: Task) {
        self.order += 1;
        self.queue.push((self.now + delay, self.order, task));
    }

    pub(crate) fn draw(&mut self, below: u32) -> u64 {
        u64::from(self.entropy.below(below))
    }

    pub(crate) fn stop_hub(&mut self, hub: usize) {
        self.hubs[hub].up = false;
        for (node, id, generation) in core::mem::take(&mut self.hubs[hub].sockets).into_keys() {
            let input = MeshInput::HubClosed { hub: id, code: Some(1006), reason: String::new() };
            self.later(1, Task::ToNode { node, socket: Some((id, generation)), input });
        }
    }

    /// The server's part of y-webrtc: echo, fan-out by topic, pong.
    pub(crate) fn at_hub(&mut self, hub: usize, from: (usize, HubId, u64), text: &str) {
        if !self.hubs[hub].up {
            return;
        }
        self.hubs[hub].frames += 1;
        if self.hubs[hub].garbage {
            return self.hub_says(from, "<html>".to_owned(), false);
        }
        let message: serde_json::Value = serde_json::from_str(text).expect("a client sends only JSON");
        match message["type"].as_str().unwrap() {
            "ping" => self.hub_says(from, r#"{"type":"pong"}"#.to_owned(), false),
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
                    self.hub_says(key, message.to_string(), true);
                }
            }
            other => panic!("{other}"),
        }
    }

    pub(crate) fn hub_says(&mut self, to: (usize, HubId, u64), text: String, weather: bool) {
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

    /// Up to the next thing that happens, at least 10 ms and at most to `end`.
    pub(crate) fn step(&mut self, end: u64) {
        let meshes = self.nodes.iter().filter_map(|node| node.mesh.deadline());
        let rtcs = self.nodes.iter().flat_map(|node| node.rtc.values().filter_map(FakeRtc::next));
        let next = meshes.chain(rtcs).chain(self.queue.iter().map(|(at, ..)| *at)).min().unwrap_or(end);
        self.now = (self.now + 10).max(next.min(end));
        let now = self.now;
        let (mut due, later): (Vec<_>, Vec<_>) =
            core::mem::take(&mut self.queue).into_iter().partition(|(at, ..)| *at <= now);
        self.queue = later;
        due.sort_by_key(|(at, order, _)| (*at, *order));
        for (_, _, task) in due {
            match task {
                Task::ToHub { hub, from, text } => self.at_hub(hub, from, &text),
                Task::Channel { node, link, space } => {
                    self.nodes[node].mesh.channel_opened(link, space, now, &mut self.entropy);
                }
                Task::Neighbour { node, link, space, message } => {
                    self.nodes[node].mesh.neighbour(link, space, message, now, &mut self.entropy);
                }
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

    pub(crate) fn drain(&mut self, index: usize) {
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
                MeshOutput::HubSend { hub, frame: HubFrame::Text(text) }
                | MeshOutput::RelaySend { hub, frame: HubFrame::Text(text) } => {
                    let Some((at, generation)) = node.sockets.get(&hub).copied() else { panic!("no socket") };
                    self.later(1, Task::ToHub { hub: at, from: (index, hub, generation), text });
                }
                MeshOutput::HubSend { .. } | MeshOutput::RelaySend { .. } => panic!("binary"),
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
        for (link, space) in core::mem::take(&mut self.nodes[index].channels) {
            self.later(20, Task::Channel { node: index, link, space });
        }
        for (link, space, message) in core::mem::take(&mut self.nodes[index].said) {
            self.nodes[index].signals += u64::from(matches!(message, Message::Extension { .. }));
            let (own, remote) = (self.nodes[index].mesh.id(), self.nodes[index].open.get(&link).map(|o| o.1));
            let Some(node) = self.nodes.iter().position(|n| Some(n.mesh.id()) == remote) else { continue };
            let back = self.nodes[node].open.iter().find(|(_, open)| open.1 == own).map(|(link, _)| *link);
            if let Some(link) = back {
                self.later(15, Task::Neighbour { node, link, space, message });
            }
        }
    }

    /// Connects what describes each other.
    pub(crate) fn connect(&mut self) {
        if self.blocked {
            return;
        }
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
    pub(crate) fn full(&self, nodes: &[usize]) -> bool {
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

    pub(crate) fn run_until(&mut self, ms: u64, done: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + ms;
        while self.now < end {
            self.step(end);
            if done(self) {
                return true;
            }
        }
        false
    }

    pub(crate) fn run(&mut self, ms: u64) {
        self.run_until(ms, |_| false);
    }

    /// Both ends of every link agree on carrier, certificates and who speaks first, and bytes pass.
    pub(crate) fn check_links(&mut self) {
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
                self.nodes[i].mesh.send(link, link, own_bytes(i)).unwrap();
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
            MeshEvent::Pairing { .. } => {}
            MeshEvent::HubState { error, .. } => self.hub_errors.extend(error),
            MeshEvent::LinkOpen { link, carrier, fingerprints, remote, initiator, spaces, .. } => {
                assert!(!spaces.is_empty());
                assert!(self.open.values().all(|(_, id, ..)| *id != remote), "two links to one node");
                self.channels.extend(spaces.iter().map(|space| (link, *space)));
                self.open.insert(link, (carrier, remote, fingerprints, initiator));
                self.opened += 1;
            }
            MeshEvent::LinkClosed { link, reason } => {
                self.open.remove(&link).expect("closed what was open");
                self.closed.push(reason);
            }
            MeshEvent::LinkData { link, bytes, .. } => self.received.push((link, bytes)),
            MeshEvent::Neighbour { link, space, message } => self.said.push((link, space, *message)),
            MeshEvent::CarrierOpen { link, via, carrier, .. } => {
                assert!(self.open.contains_key(&link), "a further carrier of a link that is open");
                self.carriers.push((link, via, carrier));
            }
            MeshEvent::CarrierClosed { link, via } => {
                assert!(self.open.contains_key(&link), "another is left");
                self.carriers.retain(|(_, open, _)| *open != via);
                self.lost.push(via);
            }
            MeshEvent::LinkSpaces { .. } | MeshEvent::LinkWritable { .. } => {}
        }
    }
}
