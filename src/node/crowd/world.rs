//! Nodes, a hub, connections, lines, one clock; driven by events, so that ten thousand fit.

use std::collections::{BTreeMap, HashMap};

use super::*;
use crate::{
    crypto::{Entropy, Host, PublicKey, RootSecret},
    mesh::{
        HubFrame, HubId, LinkId, LinkState, MeshInput, MeshOutput, RtcCommand, RtcEvent, RtcState,
        fake::FakeRtc,
    },
    storage::Files,
    testing::Seeded,
};

/// One end of a connection.
struct End {
    rtc: FakeRtc,
    /// When the last frame arrives here: a channel keeps its order.
    arrival: u64,
    /// A step is planned for then.
    step_at: Option<u64>,
    /// A report of an empty buffer is on its way.
    draining: bool,
}

/// One node and what the network keeps of it.
pub(super) struct One {
    pub(super) node: Option<Box<Node>>,
    ends: BTreeMap<LinkId, End>,
    sockets: Vec<HubId>,
    topics: Vec<String>,
    tick_at: u64,
    /// Which side of a split network it is on.
    pub(super) side: u8,
    pub(super) hostile: bool,
    /// Bytes sent to peers.
    pub(super) sent: u64,
    /// When the watched write came, and over how many hops.
    pub(super) got: Option<(u64, u32)>,
    /// Hops of the one from whom it must have come.
    from: Option<u32>,
    pub(super) replies: Vec<Result<Reply, NodeError>>,
}

impl One {
    /// Another write is watched from now on.
    pub(super) const fn forget(&mut self) {
        (self.got, self.from) = (None, None);
    }
}

enum Task {
    Close(usize, LinkId),
    Drained(usize, LinkId),
    Frame { from: usize, to: usize, link: LinkId, bytes: Vec<u8> },
    Input(usize, Input),
    Step(usize, LinkId),
    Tick(usize),
}

/// The network.
pub(super) struct World {
    pub(super) all: Vec<One>,
    pub(super) now: u64,
    pub(super) hub_up: bool,
    /// Of a hundred packets so many are lost.
    pub(super) lost: u32,
    /// Whether nothing passes between the sides.
    pub(super) split: bool,
    /// The key of the write that is watched.
    pub(super) watched: String,
    pub(super) hub_frames: u64,
    /// Of those in a room at most so many hear what is said.
    pub(super) hearers: usize,
    pub(super) entropy: Seeded,
    queue: BTreeMap<(u64, u64), Task>,
    order: u64,
    prints: HashMap<[u8; 32], (usize, LinkId)>,
    topics: HashMap<String, Vec<(usize, HubId)>>,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            all: Vec::new(),
            now: START,
            hub_up: true,
            lost: 0,
            split: false,
            watched: String::new(),
            hub_frames: 0,
            hearers: usize::MAX,
            entropy: Seeded::new(seed),
            queue: BTreeMap::new(),
            order: 0,
            prints: HashMap::new(),
            topics: HashMap::new(),
        }
    }

    /// One more node; without a link it is the one that signs up.
    pub(super) fn add(&mut self, link: Option<PublicKey>) -> usize {
        let options = Options {
            domain: Host::parse("example.org").unwrap(),
            link,
            hubs: vec!["y-webrtc+ws://127.0.0.1:1".to_owned()],
            replica: false,
            quota: None,
            space_quota: None,
            max_links: None,
            relaxed: false,
            tabs: false,
            webrtc: true,
            relay: None,
        };
        let mut seed = [0; 8];
        self.entropy.fill(&mut seed);
        let entropy = Box::new(Seeded::new(u64::from_le_bytes(seed)));
        let node = Node::open(Files::default(), options, None, entropy, self.now).unwrap();
        let side = u8::try_from(self.draw(2)).unwrap();
        self.all.push(One {
            node: Some(Box::new(node)),
            ends: BTreeMap::new(),
            sockets: Vec::new(),
            topics: Vec::new(),
            tick_at: u64::MAX,
            side,
            hostile: false,
            sent: 0,
            got: None,
            from: None,
            replies: Vec::new(),
        });
        let at = self.all.len() - 1;
        self.drain(at);
        at
    }

    /// Signs up, so that there is a space; its key.
    pub(super) fn begin(&mut self) -> PublicKey {
        let first = self.add(None);
        self.run(1_000);
        let secret = RootSecret::from_bytes([1; 32]);
        self.call(first, Call::SignUp { secret, device: "First".into(), remember: false, claim: None });
        self.run(60_000);
        let Some(Ok(Reply::SignedUp { key, .. })) = self.all[first].replies.pop() else { panic!("no space") };
        key
    }

    pub(super) fn call(&mut self, at: usize, call: Call) {
        self.handle(at, Input::Call { id: 1, call });
    }

    /// A node is gone without a word. Its peers' browsers notice after five seconds.
    pub(super) fn kill(&mut self, at: usize) {
        self.all[at].node = None;
        self.close_sockets(at);
        for link in self.all[at].ends.keys().copied().collect::<Vec<_>>() {
            self.lose_path(at, link);
            if let Some(end) = self.all[at].ends.remove(&link) {
                self.prints.remove(&end.rtc.print);
            }
        }
    }

    /// From now on nothing passes between the sides.
    pub(super) fn part(&mut self) {
        for at in 0..self.all.len() {
            for link in self.all[at].ends.keys().copied().collect::<Vec<_>>() {
                if self.other(at, link).is_some_and(|(other, _)| self.all[other].side != self.all[at].side) {
                    self.lose_path(at, link);
                }
            }
        }
        self.split = true;
    }

    pub(super) fn stop_hub(&mut self) {
        self.hub_up = false;
        for at in 0..self.all.len() {
            for hub in self.all[at].sockets.clone() {
                let input = MeshInput::HubClosed { hub, code: Some(1006), reason: String::new() };
                self.later(1, Task::Input(at, Input::Mesh(input)));
            }
            self.close_sockets(at);
        }
    }

    /// Nodes that are there and honest.
    pub(super) fn honest(&self) -> impl Iterator<Item = (usize, &One)> {
        self.all.iter().enumerate().filter(|(_, one)| one.node.is_some() && !one.hostile)
    }

    /// Open connections of a node.
    pub(super) fn links(&self, at: usize) -> usize {
        let peers = self.all[at].node.as_ref().map(|node| node.peers()).unwrap_or_default();
        peers.iter().filter(|peer| peer.link.state == LinkState::Open).count()
    }

    pub(super) fn draw(&mut self, below: usize) -> usize {
        self.entropy.below(u32::try_from(below).unwrap()) as usize
    }

    /// Runs for so long, or until something is so, which is asked once a second.
    pub(super) fn until(&mut self, ms: u64, mut so: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now + ms;
        while self.now < end {
            let next = (self.now + 250).min(end);
            self.run_to(next);
            if so(self) {
                return true;
            }
        }
        false
    }

    pub(super) fn run(&mut self, ms: u64) {
        self.run_to(self.now + ms);
    }

    fn run_to(&mut self, end: u64) {
        while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= end) {
            let ((at, _), task) = entry.remove_entry();
            self.now = self.now.max(at);
            self.task(task);
        }
        self.now = end;
    }

    fn task(&mut self, task: Task) {
        match task {
            Task::Close(at, link) => self.rtc_event(at, link, RtcEvent::ChannelClosed),
            Task::Drained(at, link) => {
                if let Some(end) = self.all[at].ends.get_mut(&link) {
                    end.draining = false;
                    self.rtc_event(at, link, RtcEvent::Buffered { bytes: 0 });
                }
            }
            Task::Frame { from, to, link, bytes } => {
                if self.all[to].ends.contains_key(&link) && !self.apart(from, to) {
                    if let (Some((_, hops)), None) = (self.all[from].got, self.all[to].got) {
                        self.all[to].from = Some(hops);
                    }
                    self.rtc_event(to, link, RtcEvent::Data { bytes });
                }
            }
            Task::Input(at, input) => self.handle(at, input),
            Task::Step(at, link) => self.step(at, link),
            // Another tick was planned for an earlier time, has come, and planned the next one.
            Task::Tick(at) if self.all[at].tick_at > self.now => {}
            Task::Tick(at) => {
                self.all[at].tick_at = u64::MAX;
                let deadline = self.all[at].node.as_ref().and_then(|node| node.deadline());
                if deadline.is_some_and(|due| due <= self.now) {
                    self.handle(at, Input::Tick);
                } else {
                    self.plan_tick(at);
                }
            }
        }
    }

    fn later(&mut self, delay: u64, task: Task) {
        self.order += 1;
        self.queue.insert((self.now + delay, self.order), task);
    }

    fn rtc_event(&mut self, at: usize, link: LinkId, event: RtcEvent) {
        self.handle(at, Input::Mesh(MeshInput::Rtc { link, event }));
    }

    pub(super) fn handle(&mut self, at: usize, input: Input) {
        let now = self.now;
        if let Some(node) = &mut self.all[at].node {
            node.handle(now, input);
        }
        self.drain(at);
    }

    fn plan_tick(&mut self, at: usize) {
        let Some(due) = self.all[at].node.as_ref().and_then(|node| node.deadline()) else { return };
        let due = due.max(self.now + 1);
        if due < self.all[at].tick_at {
            self.all[at].tick_at = due;
            self.later(due - self.now, Task::Tick(at));
        }
    }

    pub(super) fn drain(&mut self, at: usize) {
        while let Some(output) = self.all[at].node.as_mut().and_then(|node| node.poll()) {
            match output {
                Output::Commit(batch) => self.later(3, Task::Input(at, Input::Committed { seq: batch.seq })),
                Output::Event(Event::Changed { keys, .. }) => {
                    if self.all[at].got.is_none() && keys.contains(&self.watched) {
                        let hops = self.all[at].from.map_or(0, |hops| hops + 1);
                        self.all[at].got = Some((self.now, hops));
                    }
                }
                Output::LookUp { .. } => self.later(1, Task::Input(at, Input::LookedUp(Lookup::Missing))),
                Output::Mesh(output) => self.mesh(at, output),
                Output::Reply { result, .. } => self.all[at].replies.push(result),
                // All of it is in memory.
                Output::Load(_) => {}
                Output::Compact(_) | Output::DeriveWords { .. } | Output::Event(_) | Output::Remember(_) => {}
            }
        }
        self.plan_tick(at);
    }

    fn mesh(&mut self, at: usize, output: MeshOutput) {
        match output {
            MeshOutput::Event(_) | MeshOutput::RelaySend { .. } | MeshOutput::TabPost { .. } => {}
            MeshOutput::HubOpen { hub, .. } => {
                let input = if self.hub_up {
                    self.all[at].sockets.push(hub);
                    MeshInput::HubOpened { hub }
                } else {
                    MeshInput::HubClosed { hub, code: None, reason: "refused".to_owned() }
                };
                self.later(15, Task::Input(at, Input::Mesh(input)));
            }
            MeshOutput::HubClose { .. } => self.close_sockets(at),
            MeshOutput::HubSend { hub, frame } => {
                if let (HubFrame::Text(text), true) = (frame, self.all[at].sockets.contains(&hub)) {
                    self.at_hub(at, hub, &text);
                }
            }
            MeshOutput::LinkSend { link, bytes } => {
                self.all[at].sent += bytes.len() as u64;
                if let Some((to, end)) = self.other(at, link) {
                    let mut late = 10 + self.draw(60) as u64;
                    while self.draw(100) < self.lost as usize {
                        late += 200;
                    }
                    let now = self.now;
                    if let Some(end) = self.all[to].ends.get_mut(&end) {
                        end.arrival = end.arrival.max(now + late);
                        late = end.arrival - now;
                    }
                    self.later(late, Task::Frame { from: at, to, link: end, bytes });
                }
                if let Some(end) = self.all[at].ends.get_mut(&link).filter(|end| !end.draining) {
                    end.draining = true;
                    self.later(100, Task::Drained(at, link));
                }
            }
            MeshOutput::Rtc { link, command: RtcCommand::Close } => {
                if let Some((other, back)) = self.other(at, link) {
                    self.later(50, Task::Close(other, back));
                }
                if let Some(end) = self.all[at].ends.remove(&link) {
                    self.prints.remove(&end.rtc.print);
                }
            }
            MeshOutput::Rtc { link, command } => {
                let entropy = &mut self.entropy;
                let end = self.all[at].ends.entry(link).or_insert_with(|| End {
                    rtc: FakeRtc::new(entropy),
                    arrival: 0,
                    step_at: None,
                    draining: false,
                });
                end.rtc.command(command);
                self.prints.insert(end.rtc.print, (at, link));
                self.plan_step(at, link);
            }
        }
    }

    fn plan_step(&mut self, at: usize, link: LinkId) {
        let now = self.now;
        let Some(end) = self.all[at].ends.get_mut(&link) else { return };
        if let Some(next) = end.rtc.next().map(|next| next.max(now + 1))
            && end.step_at.is_none_or(|planned| planned > next)
        {
            end.step_at = Some(next);
            self.later(next - now, Task::Step(at, link));
        }
    }

    fn step(&mut self, at: usize, link: LinkId) {
        let now = self.now;
        let Some(end) = self.all[at].ends.get_mut(&link) else { return };
        if end.step_at.is_none_or(|planned| planned > now) {
            return;
        }
        end.step_at = None;
        for event in end.rtc.step(now, &mut self.entropy) {
            self.rtc_event(at, link, event);
        }
        if let Some((other, back)) = self.other(at, link) {
            for (at, link) in [(at, link), (other, back)] {
                if let Some(end) = self.all[at].ends.get_mut(&link) {
                    end.rtc.connect(now);
                }
                self.plan_step(at, link);
            }
        }
        self.plan_step(at, link);
    }

    /// The other end of a connection that stands.
    fn other(&self, at: usize, link: LinkId) -> Option<(usize, LinkId)> {
        let own = &self.all[at].ends.get(&link)?.rtc;
        let (other, back) = *self.prints.get(&own.remote_print?)?;
        let agrees = own.agrees(&self.all[other].ends.get(&back)?.rtc);
        (agrees && !self.apart(at, other)).then_some((other, back))
    }

    fn apart(&self, a: usize, b: usize) -> bool {
        self.split && self.all[a].side != self.all[b].side
    }

    /// Both ends of a connection lose their way; the browsers say so after five seconds.
    fn lose_path(&mut self, at: usize, link: LinkId) {
        let now = self.now;
        let other = self.other(at, link);
        for (at, link) in other.into_iter().chain([(at, link)]) {
            if let Some(end) = self.all[at].ends.get_mut(&link) {
                end.rtc.lose_path(now + 5_000, RtcState::Disconnected);
            }
            self.plan_step(at, link);
        }
    }

    fn close_sockets(&mut self, at: usize) {
        self.all[at].sockets.clear();
        for topic in core::mem::take(&mut self.all[at].topics) {
            self.unsubscribe(at, &topic);
        }
    }

    fn unsubscribe(&mut self, at: usize, topic: &str) {
        if let Some(subscribers) = self.topics.get_mut(topic) {
            subscribers.retain(|(one, _)| *one != at);
            if subscribers.is_empty() {
                self.topics.remove(topic);
            }
        }
    }

    fn hub_says(&mut self, to: usize, hub: HubId, text: String) {
        if self.draw(100) >= self.lost as usize {
            let delay = 10 + self.draw(40) as u64;
            let frame = HubFrame::Text(text);
            self.later(delay, Task::Input(to, Input::Mesh(MeshInput::HubFrame { hub, frame })));
        }
    }

    fn at_hub(&mut self, at: usize, hub: HubId, text: &str) {
        let message: serde_json::Value = serde_json::from_str(text).unwrap();
        let kind = message["type"].as_str().unwrap();
        let topics = || message["topics"].as_array().unwrap().iter().map(|t| t.as_str().unwrap().to_owned());
        match kind {
            "ping" => self.hub_says(at, hub, r#"{"type":"pong"}"#.to_owned()),
            "subscribe" => {
                for topic in topics() {
                    self.topics.entry(topic.clone()).or_default().push((at, hub));
                    self.all[at].topics.push(topic);
                }
            }
            "unsubscribe" => {
                for topic in topics() {
                    self.unsubscribe(at, &topic);
                    self.all[at].topics.retain(|one| *one != topic);
                }
            }
            _ => {
                let topic = message["topic"].as_str().unwrap();
                let mut to: Vec<_> = self.topics.get(topic).cloned().unwrap_or_default();
                to.retain(|(one, _)| !self.apart(at, *one));
                while to.len() > self.hearers {
                    let go = self.draw(to.len());
                    to.swap_remove(go);
                }
                self.hub_frames += to.len() as u64;
                for (one, hub) in to {
                    self.hub_says(one, hub, text.to_owned());
                }
            }
        }
    }
}

pub(super) const START: u64 = 1_800_000_000_000;
