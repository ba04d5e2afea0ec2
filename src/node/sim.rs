//! Whole nodes in a simulated world: storage, hub, tabs, peer connections, clock. Everything follows from the seed,
//! which is printed.

mod network;

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::space::residency;
use crate::{
    crypto::{Entropy, Host, PublicKey, RootSecret, request_words},
    feed::want_opening,
    mesh::{HubFrame, HubId, LinkId, MeshInput, MeshOutput, RtcCommand, RtcEvent, fake::FakeRtc},
    space::{Expect, Range, WriteOp},
    storage::{Files, MemoryBackend},
    testing::{Seeded, asked},
};

/// One browser profile with one node in it.
pub(super) struct Browser {
    pub(super) node: Option<Node>,
    pub(super) options: Options,
    backend: MemoryBackend,
    pub(super) remembered: Option<Vec<u8>>,
    rtc: BTreeMap<LinkId, FakeRtc>,
    /// Open sockets and their generation.
    sockets: BTreeMap<HubId, u64>,
    pub(super) events: Vec<Event>,
    pub(super) replies: BTreeMap<u32, Result<Reply, NodeError>>,
    calls: u32,
    /// What the host answers.
    pub(super) lookup: Lookup,
    /// Storage stands still.
    pub(super) slow_disk: bool,
    /// Nothing can be read of its disk.
    pub(super) unreadable: bool,
    held: Vec<u64>,
    /// Of every commit: whether it was relaxed.
    pub(super) relaxed: Vec<bool>,
    /// Bytes sent to peers.
    pub(super) sent: u64,
    /// Sets of words that were derived.
    pub(super) derived: u32,
}

enum Task {
    Input(usize, u64, Input),
    /// From, to.
    Frame(usize, usize, LinkId, Vec<u8>),
}

/// Browsers, one hub, one clock.
pub(super) struct World {
    pub(super) browsers: Vec<Browser>,
    pub(super) now: u64,
    pub(super) hub_up: bool,
    subscribed: BTreeMap<(usize, HubId, u64), BTreeSet<String>>,
    generation: u64,
    life: Vec<u64>,
    queue: Vec<(u64, u64, Task)>,
    order: u64,
    /// Pairs of browsers between which nothing passes, the lower first.
    pub(super) apart: BTreeSet<(usize, usize)>,
    /// What the network and the hub do to what passes.
    pub(super) weather: Weather,
    /// When the last frame to this end of a link arrives: a channel keeps its order.
    arrivals: BTreeMap<(usize, LinkId), u64>,
    /// Frames that the hub remembers, to show them again.
    replays: Vec<String>,
    pub(super) entropy: Seeded,
    /// Nodes that start have nearly nothing in memory.
    pub(super) lazy: bool,
    /// Pages that were read from disks.
    pub(super) loads: usize,
    /// How long a device derives words, ms: by its number.
    pub(super) words_ms: BTreeMap<usize, u64>,
}

/// How bad it is.
#[derive(Clone, Copy, Default)]
pub(super) struct Weather {
    /// Frames between peers come up to so many ms late.
    pub(super) late: u32,
    /// One in so many steps a connection breaks; 0 is never.
    pub(super) breaks: u32,
    /// Of a hundred messages the hub loses so many.
    pub(super) lost: u32,
    /// Of a hundred messages the hub shows so many again, late, in any order.
    pub(super) replayed: u32,
    /// Of a hundred messages the hub changes so many.
    pub(super) changed: u32,
}

/// The same hub, named as one that may relay.
pub(super) const RELAY: &str = "y-webrtc+ws://127.0.0.1:1#relay=1";
pub(super) const HUB: &str = "y-webrtc+ws://127.0.0.1:1";

impl World {
    /// A world of its own for each seed, or, with `HYPHA_WORLDS` set to another number, another one.
    pub(super) fn new(seed: u64) -> Self {
        let seed = asked("HYPHA_WORLDS").unwrap_or(0_u64).wrapping_mul(100_000).wrapping_add(seed);
        println!("seed {seed}");
        Self {
            browsers: Vec::new(),
            now: 1_800_000_000_000,
            hub_up: true,
            subscribed: BTreeMap::new(),
            generation: 0,
            life: Vec::new(),
            queue: Vec::new(),
            order: 0,
            apart: BTreeSet::new(),
            weather: Weather::default(),
            arrivals: BTreeMap::new(),
            replays: Vec::new(),
            entropy: Seeded::new(seed),
            lazy: std::env::var_os("HYPHA_SIM_LAZY").is_some(),
            loads: 0,
            words_ms: BTreeMap::new(),
        }
    }

    /// A fresh browser on a domain; the host names `link`, if any.
    pub(super) fn browser(&mut self, link: Option<PublicKey>) -> usize {
        let options = Options {
            domain: Host::parse("example.org").unwrap(),
            link: None,
            hubs: vec![HUB.to_owned()],
            replica: false,
            quota: None,
            space_quota: None,
            max_links: None,
            relaxed: false,
            tabs: true,
            webrtc: true,
            relay: None,
        };
        let lookup = link.map_or(Lookup::Missing, |key| Lookup::Found(format!("hypha://{key}\n")));
        self.browsers.push(Browser {
            node: None,
            options,
            backend: MemoryBackend::new(),
            remembered: None,
            rtc: BTreeMap::new(),
            sockets: BTreeMap::new(),
            events: Vec::new(),
            replies: BTreeMap::new(),
            calls: 0,
            lookup,
            slow_disk: false,
            unreadable: false,
            held: Vec::new(),
            relaxed: Vec::new(),
            sent: 0,
            derived: 0,
        });
        self.life.push(0);
        let at = self.browsers.len() - 1;
        self.start(at);
        at
    }

    pub(super) fn start(&mut self, at: usize) {
        let mut seed = [0; 8];
        self.entropy.fill(&mut seed);
        let node = match self.lazy {
            true => self.open_lazy(at, u64::from_le_bytes(seed)),
            false => {
                let browser = &self.browsers[at];
                let files = Files::load(browser.backend.snapshot()).unwrap();
                let entropy = Box::new(Seeded::new(u64::from_le_bytes(seed)));
                let kept = browser.remembered.as_deref();
                Node::open(files, browser.options.clone(), kept, entropy, self.now).unwrap()
            }
        };
        self.browsers[at].node = Some(node);
        self.drain(at);
    }

    /// Opens a node of which nearly nothing is in memory, and stays there: four pages, folded and checkpointed all the time.
    fn open_lazy(&mut self, at: usize, seed: u64) -> Node {
        let Browser { backend, options, remembered, .. } = &self.browsers[at];
        let mut files = Files::load_lazy(backend.lazy_snapshot(residency), residency, 4 * 16 * 1024).unwrap();
        files.set_journal_limit(2048);
        want_opening(&mut files);
        let mut rounds = 0;
        let mut node = loop {
            for (key, record) in backend.read(files.take_wanted()) {
                files.supply(&key, record.as_deref());
            }
            let (options, entropy) = (options.clone(), Box::new(Seeded::new(seed)));
            match Node::try_open(&mut files, options, remembered.as_deref(), entropy, self.now) {
                Ok(node) => break node,
                Err(error) => assert!(rounds < 99, "{error}"),
            }
            rounds += 1;
        };
        node.check_often();
        node
    }

    /// Before anything is taken in: nearly nothing is in memory.
    fn forget(&mut self, at: usize) {
        if let (true, Some(node)) = (self.lazy, self.browsers[at].node.as_mut()) {
            node.trim();
        }
    }

    /// After it: a test reads what it likes.
    fn recall(&mut self, at: usize) {
        let Browser { node, backend, .. } = &mut self.browsers[at];
        if let (true, Some(node)) = (self.lazy, node.as_mut()) {
            node.recall(backend);
        }
    }

    /// Ends the node without a word, as a crash does: what was not stored is lost.
    pub(super) fn kill(&mut self, at: usize) {
        self.life[at] += 1;
        let browser = &mut self.browsers[at];
        browser.node = None;
        browser.rtc.clear();
        browser.held.clear();
        browser.sockets.clear();
        self.subscribed.retain(|(node, ..), _| *node != at);
    }

    pub(super) fn reload(&mut self, at: usize) {
        self.kill(at);
        self.start(at);
    }

    /// Another browser with a copy of what is stored in one, as an old back-up has it.
    pub(super) fn copy(&mut self, of: usize) -> (MemoryBackend, Option<Vec<u8>>) {
        let browser = &self.browsers[of];
        (browser.backend.clone(), browser.remembered.clone())
    }

    /// Starts a browser on what was stored once.
    pub(super) fn restore(&mut self, at: usize, copy: (MemoryBackend, Option<Vec<u8>>)) {
        self.kill(at);
        (self.browsers[at].backend, self.browsers[at].remembered) = copy;
        self.start(at);
    }

    /// Nothing passes between two browsers from now on, or it does again.
    pub(super) fn part(&mut self, a: usize, b: usize, apart: bool) {
        let pair = (a.min(b), a.max(b));
        if apart {
            self.apart.insert(pair)
        } else {
            self.apart.remove(&pair)
        };
    }

    /// What a node does that an honest one never does. It is no call, which would wait for the disk: all is in memory.
    pub(super) fn act<T>(&mut self, at: usize, act: impl FnOnce(&mut Node, u64) -> T) -> T {
        let now = self.now;
        let done = act(self.browsers[at].node.as_mut().unwrap(), now);
        self.drain(at);
        done
    }

    /// A frame on its way: late, but not before those that were sent earlier.
    fn frame(&mut self, from: usize, to: usize, end: LinkId, bytes: Vec<u8>) {
        let late = if self.weather.late == 0 { 0 } else { u64::from(self.entropy.below(self.weather.late)) };
        let arrival = self.arrivals.entry((to, end)).or_default();
        *arrival = (*arrival).max(self.now + 5 + late);
        let delay = *arrival - self.now;
        self.later(delay, Task::Frame(from, to, end, bytes));
    }

    /// Breaks a connection now and then.
    fn break_links(&mut self) {
        if self.weather.breaks == 0 || self.entropy.below(self.weather.breaks) > 0 {
            return;
        }
        let all: Vec<(usize, LinkId)> = self
            .browsers
            .iter()
            .enumerate()
            .flat_map(|(at, browser)| browser.rtc.keys().map(move |link| (at, *link)))
            .collect();
        if let Some((at, link)) =
            all.get(self.entropy.below(u32::try_from(all.len().max(1)).unwrap()) as usize).copied()
        {
            for (at, link) in self.other(at, link).into_iter().chain([(at, link)]) {
                let event = RtcEvent::ChannelClosed;
                self.input(at, 5, Input::Mesh(MeshInput::Rtc { link, event }));
            }
        }
    }

    /// What comes from one browser on its links to another is random bytes for once.
    pub(super) fn babble(&mut self, from: usize, to: usize, length: usize) {
        let links: Vec<LinkId> = self.browsers[from].rtc.keys().copied().collect();
        for link in links {
            if let Some((other, end)) = self.other(from, link)
                && other == to
            {
                let mut bytes = vec![0; length.min(16 * 1024)];
                self.entropy.fill(&mut bytes);
                self.later(5, Task::Frame(from, to, end, bytes));
            }
        }
    }

    /// What waits for the disk finds it full.
    pub(super) fn fail_disk(&mut self, at: usize) {
        for seq in core::mem::take(&mut self.browsers[at].held) {
            self.handle(at, Input::CommitFailed { seq, quota: true, error: "full".to_owned() });
        }
    }

    pub(super) fn stop_hub(&mut self) {
        self.hub_up = false;
        for (at, hub, _) in core::mem::take(&mut self.subscribed).into_keys() {
            self.browsers[at].sockets.remove(&hub);
            let input = MeshInput::HubClosed { hub, code: Some(1006), reason: String::new() };
            self.later(1, Task::Input(at, self.life[at], Input::Mesh(input)));
        }
    }

    fn later(&mut self, delay: u64, task: Task) {
        self.order += 1;
        self.queue.push((self.now + delay, self.order, task));
    }

    fn input(&mut self, at: usize, delay: u64, input: Input) {
        self.later(delay, Task::Input(at, self.life[at], input));
    }

    fn handle(&mut self, at: usize, input: Input) {
        let now = self.now;
        self.forget(at);
        if let Some(node) = &mut self.browsers[at].node {
            node.handle(now, input);
        }
        self.drain(at);
    }

    /// Several calls in one turn.
    pub(super) fn calls(&mut self, at: usize, calls: Vec<Call>) -> Vec<u32> {
        let now = self.now;
        self.forget(at);
        let browser = &mut self.browsers[at];
        let ids = calls.into_iter().map(|call| {
            browser.calls += 1;
            let id = browser.calls;
            browser.node.as_mut().unwrap().handle(now, Input::Call { id, call });
            id
        });
        let ids = ids.collect();
        self.drain(at);
        ids
    }

    /// Calls, and waits for the answer.
    pub(super) fn call(&mut self, at: usize, call: Call) -> Result<Reply, NodeError> {
        let id = self.calls(at, vec![call])[0];
        self.until("reply", |world| world.browsers[at].replies.contains_key(&id));
        self.browsers[at].replies.remove(&id).unwrap()
    }

    /// Names of the files that hold something in a browser's storage.
    pub(super) fn stored_names(&self, at: usize) -> Vec<String> {
        let mut files = Files::load(self.browsers[at].backend.snapshot()).unwrap();
        let names = files.names("");
        names
            .into_iter()
            .filter(|name| {
                let file = files.file(name);
                files.len(file) > 0
            })
            .collect()
    }

    pub(super) fn node(&self, at: usize) -> &Node {
        self.browsers[at].node.as_ref().unwrap()
    }

    /// Runs until something is so; fails after five simulated minutes.
    pub(super) fn until(&mut self, what: &str, so: impl Fn(&Self) -> bool) {
        let end = self.now + 300_000;
        while !so(self) {
            assert!(self.now < end, "{what}: not within five minutes");
            self.step();
        }
    }

    pub(super) fn run(&mut self, ms: u64) {
        let end = self.now + ms;
        while self.now < end {
            self.step();
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
                Task::Input(at, life, input) if self.life[at] == life => self.handle(at, input),
                Task::Frame(from, at, link, bytes)
                    if self.browsers[at].rtc.contains_key(&link)
                        && !self.apart.contains(&(at.min(from), at.max(from))) =>
                {
                    self.handle(at, Input::Mesh(MeshInput::Rtc { link, event: RtcEvent::Data { bytes } }));
                }
                _ => {}
            }
        }
        for at in 0..self.browsers.len() {
            if self.browsers[at].node.as_ref().and_then(Node::deadline).is_some_and(|due| due <= now) {
                self.handle(at, Input::Tick);
            }
            let links: Vec<LinkId> = self.browsers[at].rtc.keys().copied().collect();
            for link in links {
                let Some(rtc) = self.browsers[at].rtc.get_mut(&link) else { continue };
                for event in rtc.step(now, &mut self.entropy) {
                    self.handle(at, Input::Mesh(MeshInput::Rtc { link, event }));
                }
            }
            if !self.browsers[at].slow_disk {
                for seq in core::mem::take(&mut self.browsers[at].held) {
                    self.input(at, 1, Input::Committed { seq });
                }
            }
        }
        self.break_links();
        self.connect();
    }

    /// The other end of a peer connection.
    fn other(&self, at: usize, link: LinkId) -> Option<(usize, LinkId)> {
        let rtc = self.browsers[at].rtc.get(&link)?;
        let all = self.browsers.iter().enumerate();
        let mut ends =
            all.flat_map(|(at, browser)| browser.rtc.iter().map(move |(link, rtc)| (at, *link, rtc)));
        let apart = |other: usize| self.apart.contains(&(at.min(other), at.max(other)));
        ends.find(|(other, _, end)| *other != at && !apart(*other) && rtc.agrees(end))
            .map(|(at, link, _)| (at, link))
    }

    fn connect(&mut self) {
        for at in 0..self.browsers.len() {
            let links: Vec<LinkId> = self.browsers[at].rtc.keys().copied().collect();
            for link in links {
                if self.other(at, link).is_some() {
                    let now = self.now;
                    self.browsers[at].rtc.get_mut(&link).unwrap().connect(now);
                }
            }
        }
    }

    /// Carries out what a node has put out.
    pub(super) fn drain(&mut self, at: usize) {
        self.put_out(at);
        self.recall(at);
    }

    fn put_out(&mut self, at: usize) {
        while let Some(output) = self.browsers[at].node.as_mut().and_then(Node::poll) {
            match output {
                Output::Commit(batch) => {
                    let browser = &mut self.browsers[at];
                    browser.relaxed.push(batch.durability == crate::storage::Durability::Relaxed);
                    if browser.slow_disk {
                        // Not stored: a crash loses it.
                        browser.held.push(batch.seq);
                    } else {
                        browser.backend.commit(&batch);
                        self.input(at, 3, Input::Committed { seq: batch.seq });
                    }
                }
                Output::Compact(compaction) => {
                    self.browsers[at].backend.compact(&compaction);
                    if self.browsers[at].slow_disk {
                        self.browsers[at].held.push(compaction.through);
                    } else {
                        self.input(at, 3, Input::Committed { seq: compaction.through });
                    }
                }
                Output::Load(_) if self.browsers[at].unreadable => {
                    let error = "the database is gone".to_owned();
                    self.input(at, 2, Input::LoadFailed { error });
                }
                Output::Load(keys) => {
                    let pages = self.browsers[at].backend.read(keys);
                    self.loads += pages.len();
                    self.input(at, 2, Input::Loaded { pages });
                }
                Output::DeriveWords { hash } => {
                    self.browsers[at].derived += 1;
                    let took = self.words_ms.get(&at).copied().unwrap_or(60);
                    self.input(at, took, Input::Words { hash, words: request_words(&hash) })
                }
                Output::Event(event) => self.browsers[at].events.push(event),
                Output::LookUp { .. } => {
                    let answer = self.browsers[at].lookup.clone();
                    self.input(at, 20, Input::LookedUp(answer));
                }
                Output::Mesh(output) => self.mesh(at, output),
                Output::Remember(bytes) => self.browsers[at].remembered = bytes.map(|bytes| bytes.to_vec()),
                Output::Reply { id, result } => {
                    self.browsers[at].replies.insert(id, result);
                }
            }
        }
    }
}

/// A root secret as a passphrase gives it, without the second that Argon2id takes.
pub(super) fn secret(seed: u8) -> RootSecret {
    RootSecret::from_bytes([seed; 32])
}

/// A call that is about the domain's space.
pub(super) const fn of_home(act: SpaceCall) -> Call {
    Call::In { space: None, act }
}

/// A public post.
pub(super) fn post(key: &str, text: &str) -> Call {
    put(key, text, false)
}

pub(super) fn put(key: &str, text: &str, private: bool) -> Call {
    let value = crate::codec::encode_value(&crate::codec::Value::Text(text.to_owned())).unwrap();
    of_home(SpaceCall::Write {
        ops: vec![WriteOp::Put { key: key.to_owned(), value, private, expect: Expect::Any }],
    })
}

/// Keys of all that a browser reads, in order.
pub(super) fn keys(world: &World, at: usize) -> Vec<String> {
    let Ok(found) = world.node(at).list(None, &Range::default()) else { return Vec::new() };
    found.into_iter().map(|found| found.item.key).collect()
}
