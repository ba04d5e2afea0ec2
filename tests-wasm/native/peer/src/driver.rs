//! The pump: inputs from sockets, connections, timers and stdin go into the node, what it puts out is done.
//!
//! Everything that happens comes through one queue, so the node is never entered twice. Commits are made in memory and
//! reported in a turn of their own, as a disk would.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use hypha_node::crypto::{Entropy, Host, request_words};
use hypha_node::mesh::{HubId, LinkId, MeshInput, MeshOutput, RtcCommand};
use hypha_node::node::{Input, Lookup, Node, Options, Output};
use hypha_node::storage::{Files, MemoryBackend};
use serde_json::json;
use tokio::sync::mpsc::{self, Receiver, Sender, UnboundedReceiver, UnboundedSender};
use tokio::time::sleep;

use crate::{calls, json, link, socket};

/// What reports to the node.
pub type Inbox = UnboundedSender<Input>;

/// A running node.
pub struct Driver {
    node: Node,
    domain: Host,
    inbox: Inbox,
    inputs: UnboundedReceiver<Input>,
    backend: MemoryBackend,
    links: BTreeMap<LinkId, UnboundedSender<link::Do>>,
    sockets: BTreeMap<HubId, Sender<socket::Send>>,
}

impl Driver {
    /// Opens it on nothing.
    pub fn open(options: Options) -> Result<Self> {
        let domain = options.domain.clone();
        let node = Node::open(Files::default(), options, None, Box::new(Random), now())?;
        // What comes in is bounded by what peers and hubs may have under way; the node reads it at once.
        let (inbox, inputs) = mpsc::unbounded_channel();
        let (links, sockets) = (BTreeMap::new(), BTreeMap::new());
        Ok(Self { node, domain, inbox, inputs, backend: MemoryBackend::new(), links, sockets })
    }

    /// Runs until nobody asks any more.
    pub async fn run(mut self, mut asked: Receiver<String>) {
        loop {
            self.drain();
            let due = self.node.deadline().map(|due| due.saturating_sub(now()).min(60_000));
            tokio::select! {
                line = asked.recv() => match line {
                    Some(line) => calls::run(&mut self.node, &self.domain, now(), &line),
                    None => break,
                },
                Some(input) = self.inputs.recv() => {
                    self.node.handle(now(), input);
                    // All that has come belongs to one turn, whose writes share a signature.
                    while let Ok(input) = self.inputs.try_recv() {
                        self.node.handle(now(), input);
                    }
                }
                () = sleep(Duration::from_millis(due.unwrap_or(60_000))) => self.node.handle(now(), Input::Tick),
            }
        }
        self.node.say_goodbye(now());
        self.drain();
        // What was said must leave this process.
        sleep(Duration::from_millis(100)).await;
    }

    fn drain(&mut self) {
        while let Some(output) = self.node.poll() {
            self.perform(output);
        }
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Commit(batch) => {
                self.backend.commit(&batch);
                self.tell(Input::Committed { seq: batch.seq });
            }
            Output::Compact(compaction) => {
                self.backend.compact(&compaction);
                self.tell(Input::Committed { seq: compaction.through });
            }
            Output::DeriveWords { hash } => {
                let inbox = self.inbox.clone();
                tokio::task::spawn_blocking(move || {
                    // Fails only when the driver is gone.
                    let _ = inbox.send(Input::Words { hash, words: request_words(&hash) });
                });
            }
            Output::Load(keys) => self.tell(Input::Loaded { pages: self.backend.read(keys) }),
            Output::Event(event) => json::event(&self.node, &event),
            Output::LookUp { .. } => self.tell(Input::LookedUp(Lookup::Missing)),
            Output::Mesh(output) => self.perform_mesh(output),
            Output::Remember(_) => {}
            Output::Reply { id, result } => json::reply(id, result.map(json::outcome)),
        }
    }

    fn perform_mesh(&mut self, output: MeshOutput) {
        match output {
            // Neither tabs nor a relay were opened.
            MeshOutput::Event(_) | MeshOutput::RelaySend { .. } | MeshOutput::TabPost { .. } => {}
            MeshOutput::HubClose { hub } => drop(self.sockets.remove(&hub)),
            MeshOutput::HubOpen { hub, url, protocols } => {
                self.sockets.insert(hub, socket::open(hub, url, protocols, self.inbox.clone()));
            }
            MeshOutput::HubSend { hub, frame } => {
                if let Some(socket) = self.sockets.get(&hub)
                    && socket.try_send(frame).is_err()
                {
                    // It does not keep up, or is at its end: closed like any other, and reported.
                    self.sockets.remove(&hub);
                    let reason = "the hub takes nothing any more".to_owned();
                    self.tell(Input::Mesh(MeshInput::HubClosed { hub, code: None, reason }));
                }
            }
            MeshOutput::LinkSend { link, bytes } => self.order(link, link::Do::Send(bytes)),
            MeshOutput::Rtc { link, command: RtcCommand::Close } => drop(self.links.remove(&link)),
            MeshOutput::Rtc { link, command } => self.order(link, link::Do::Command(command)),
        }
    }

    fn order(&mut self, id: LinkId, order: link::Do) {
        let inbox = &self.inbox;
        let link = self.links.entry(id).or_insert_with(|| link::open(id, inbox.clone()));
        let _ = link.send(order);
    }

    fn tell(&self, input: Input) {
        let _ = self.inbox.send(input);
    }
}

/// Milliseconds since 1970.
pub fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// The randomness of this machine.
struct Random;

impl Entropy for Random {
    fn fill(&mut self, out: &mut [u8]) {
        if let Err(error) = getrandom::fill(out) {
            // No key may ever be made of anything else.
            println!("{}", json!({ "event": "error", "message": format!("no randomness: {error}") }));
            std::process::exit(1);
        }
    }
}
