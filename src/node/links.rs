//! The links of a node: each is a session with a peer, and on it an exchange for the space that both share.
//!
//! ```text
//! mesh ──LinkOpen, LinkData──▶ session ──Message──▶ exchange ⇄ space
//!      ◀──────── send ───────          ◀── pump ───
//! ```
//! A peer's fault ends its session and link, and nothing else.

use std::collections::VecDeque;

use super::{
    Event, Node, Output,
    replica::{SpaceReplica, item_hashes},
};
use crate::{
    collections::Map,
    crypto::{Entropy, Hash, PublicKey, SecretKey32},
    mesh::{self, LinkId, MeshEvent, MeshOutput},
    sync::{
        Carrier, Envelope, EnvelopeKind, Exchange, Goodbye, ItemKind, Message, NodeKey, PeerId, Relay, Role,
        Session, SessionConfig, SessionOutput, Verdict, Wants,
    },
};

/// All links and what they share.
pub(super) struct Links {
    key: NodeKey,
    links: Map<LinkId, Link>,
    wants: Wants,
    relay: Option<Relay>,
    /// Items of the space that peers were told of.
    items: Vec<(ItemKind, Hash)>,
}

struct Link {
    session: Session,
    exchange: Option<Exchange>,
    /// Frames that the link did not take yet.
    stalled: VecDeque<Vec<u8>>,
}

/// A peer as a page sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct PeerView {
    /// The link and its counters.
    pub link: mesh::PeerInfo,
    /// Round trip of the last heartbeat, in ms.
    pub round_trip: Option<u64>,
    /// Whether the space is shared with it, and nothing it has is missing here.
    pub level: Option<bool>,
}

impl Links {
    pub(super) fn new(entropy: &mut dyn Entropy) -> Self {
        let key = NodeKey::generate(entropy);
        Self { key, links: Map::new(), wants: Wants::new(), relay: None, items: Vec::new() }
    }

    /// A space is there: open it on every link.
    pub(super) fn open_channels(&mut self, space: &PublicKey) {
        self.relay = Some(Relay::new(space.discovery_key()));
        self.items.clear();
        for link in self.links.values_mut() {
            // A link whose handshake is not done opens it then.
            let _ = link.session.open(*space);
        }
    }

    /// A space is gone: close it on every link.
    fn close_channels(&mut self, space: &PublicKey, now: u64) {
        self.relay = None;
        for link in self.links.values_mut() {
            let channel = link.exchange.as_ref().map(Exchange::channel);
            link.session.leave(space, channel, now);
            if let Some(exchange) = link.exchange.take() {
                exchange.close(&mut self.wants);
            }
        }
    }

    pub(super) fn deadline(&self) -> Option<u64> {
        self.links
            .values()
            .flat_map(|link| [link.session.deadline(), link.exchange.as_ref().and_then(Exchange::deadline)])
            .flatten()
            .min()
    }
}

impl Node {
    /// Moves everything between mesh, sessions and space until nothing moves.
    pub(super) fn pump_links(&mut self) {
        loop {
            let mut moved = false;
            while let Some(output) = self.mesh.poll() {
                moved = true;
                match output {
                    MeshOutput::Event(event) => self.mesh_event(event),
                    // They may carry what was just written here.
                    MeshOutput::LinkSend { .. } | MeshOutput::TabPost { .. } => {
                        self.durable.send(Output::Mesh(output))
                    }
                    other => self.durable.now(Output::Mesh(other)),
                }
            }
            let links: Vec<LinkId> = self.links.links.keys().copied().collect();
            for link in links {
                moved |= self.pump_link(link);
            }
            if !moved {
                return;
            }
        }
    }

    /// Peers that are connected or being dialled.
    pub fn peers(&self) -> Vec<PeerView> {
        let view = |link: mesh::PeerInfo| {
            let own = self.links.links.get(&link.link);
            PeerView {
                round_trip: own.and_then(|own| own.session.rtt()),
                level: own.and_then(|own| own.exchange.as_ref()).map(Exchange::is_level),
                link,
            }
        };
        self.mesh.peers().into_iter().map(view).collect()
    }

    /// Tells peers of what was written here.
    pub(super) fn announce(&mut self) {
        let Some(home) = &self.home else { return };
        let own = self.account.device.as_ref().map(|device| device.writer).or(self.departed.take());
        let items = item_hashes(home);
        let gained: Vec<_> = items.iter().filter(|item| !self.links.items.contains(item)).copied().collect();
        self.links.items = items;
        for exchange in self.links.links.values_mut().filter_map(|link| link.exchange.as_mut()) {
            own.iter().for_each(|feed| exchange.changed(feed));
            gained.iter().for_each(|(kind, hash)| exchange.item_added(*kind, *hash));
        }
    }

    /// What the space follows has changed: peers may have what is wanted now.
    pub(super) fn refresh_links(&mut self) {
        for exchange in self.links.links.values_mut().filter_map(|link| link.exchange.as_mut()) {
            exchange.refresh();
        }
    }

    /// Seals a sign-in message and sends it to every peer of the space.
    pub(super) fn send_sign_in_message(&mut self, plain: &[u8]) {
        let (Some(key), Ok(space)) =
            (self.message_key().map(|key| SecretKey32(*key.as_bytes())), self.home_key())
        else {
            return;
        };
        let (discovery, expiry) = (space.discovery_key(), self.now.saturating_add(ENVELOPE_LIFE_MS));
        // Fails only for a message far larger than these.
        let Ok(envelope) =
            Envelope::seal(EnvelopeKind::SignIn, discovery, expiry, &key, plain, self.entropy.as_mut())
        else {
            return;
        };
        if let Some(relay) = &mut self.links.relay {
            relay.publish(&envelope);
        }
        self.forward(&envelope, None);
    }

    /// Whether there is a peer of this space, and nothing that any of them has is missing.
    pub(super) fn is_level(&self) -> bool {
        self.links.links.values().filter_map(|link| link.exchange.as_ref()).all(Exchange::is_level)
    }

    pub(super) fn tick_links(&mut self) {
        let now = self.now;
        for link in self.links.links.values_mut() {
            link.session.tick(now);
        }
    }

    /// The space of this domain is another one from now on.
    pub(super) fn close_home(&mut self, space: &PublicKey) {
        self.links.close_channels(space, self.now);
        self.mesh.leave(space, self.now, self.entropy.as_mut());
    }

    fn forward(&mut self, envelope: &Envelope, but: Option<LinkId>) {
        for (id, link) in &mut self.links.links {
            if let (Some(exchange), true) = (&link.exchange, Some(*id) != but) {
                // A peer that is full misses it; messages are repeated.
                let _ = link.session.send(exchange.channel(), &Message::Envelope(envelope.clone()));
            }
        }
    }

    /// Sends a message to every peer of the space, as full as they may be.
    #[cfg(any(test, feature = "hostile"))]
    pub(super) fn hostile_send(&mut self, message: &Message) {
        for link in self.links.links.values_mut() {
            if let Some(exchange) = &link.exchange {
                let _ = link.session.send(exchange.channel(), message);
            }
        }
    }

    fn mesh_event(&mut self, event: MeshEvent) {
        match event {
            MeshEvent::HubState { .. } => self.event(Event::Hubs),
            MeshEvent::LinkOpen { link, carrier, fingerprints, initiator, .. } => {
                let carrier = match (carrier, fingerprints) {
                    (mesh::Carrier::WebRtc, Some(prints)) => {
                        Carrier::WebRtc { local: prints.local, remote: prints.remote }
                    }
                    _ => Carrier::Tab,
                };
                let role = if initiator { Role::Initiator } else { Role::Responder };
                let nonce = self.entropy.array16();
                let config = SessionConfig { carrier, key: &self.links.key, nonce, role };
                match Session::new(config, self.entropy.as_mut(), self.now) {
                    Ok(mut session) => {
                        // At once: what the peer opens may come with the end of the handshake.
                        if let Some(home) = &self.home {
                            let _ = session.open(home.key());
                        }
                        self.links
                            .links
                            .insert(link, Link { session, exchange: None, stalled: VecDeque::new() });
                    }
                    Err(_) => self.close_link(link),
                }
                self.event(Event::Peers);
            }
            MeshEvent::LinkData { link, bytes } => {
                if let Some(own) = self.links.links.get_mut(&link) {
                    // A fault closes the session, which says so when it is polled.
                    let _ = own.session.receive(&bytes, self.now);
                }
            }
            MeshEvent::LinkWritable { link } => {
                if let Some(own) = self.links.links.get_mut(&link) {
                    own.session.set_congested(false);
                }
            }
            MeshEvent::LinkClosed { link, .. } => self.drop_link(link),
            MeshEvent::LinkSpaces { link, .. } => {
                if let (Some(own), Some(home)) = (self.links.links.get_mut(&link), &self.home) {
                    let _ = own.session.open(home.key());
                }
            }
        }
    }

    /// Drains one session and lets its exchange go on; whether anything moved.
    fn pump_link(&mut self, id: LinkId) -> bool {
        let mut moved = false;
        let now = self.now;
        loop {
            let Some(link) = self.links.links.get_mut(&id) else { return moved };
            while let Some(frame) = link.stalled.pop_front() {
                if self.mesh.send(id, frame.clone()).is_err() {
                    link.stalled.push_front(frame);
                    break;
                }
                moved = true;
            }
            if !link.stalled.is_empty() {
                return moved;
            }
            if let (Some(exchange), Some(home)) = (&mut link.exchange, &mut self.home) {
                let replica = SpaceReplica::new(home, &mut self.files);
                if let Err(fault) = exchange.pump(&mut link.session, &replica, &mut self.links.wants, now) {
                    link.session.fail(fault);
                }
            }
            let Some(output) = link.session.poll() else { return moved };
            moved = true;
            self.session_output(id, output);
        }
    }

    fn session_output(&mut self, id: LinkId, output: SessionOutput) {
        let Some(link) = self.links.links.get_mut(&id) else { return };
        match output {
            SessionOutput::Send(frame) => {
                if self.mesh.send(id, frame.clone()).is_err() {
                    link.stalled.push_back(frame);
                    link.session.set_congested(true);
                }
            }
            SessionOutput::Established { .. } => self.event(Event::Peers),
            SessionOutput::ChannelOpened { channel, space } => {
                if self.home.as_ref().is_none_or(|home| home.key() != space) {
                    return;
                }
                link.exchange = Some(Exchange::new(PeerId(id.0), channel, self.now));
                if let Some(secrets) = &self.secrets {
                    let _ = link.session.prove(channel, &secrets.keys(&space).signer);
                }
                self.ask_again_soon();
                self.send_request();
                self.event(Event::Peers);
            }
            SessionOutput::ChannelClosed { .. } => {
                if let Some(exchange) = link.exchange.take() {
                    exchange.close(&mut self.links.wants);
                }
                self.event(Event::Peers);
            }
            SessionOutput::Message { message, .. } => self.message(id, message),
            SessionOutput::Closed { .. } => self.close_link(id),
            SessionOutput::ChannelRefused { .. } | SessionOutput::Proven { .. } => {}
        }
    }

    fn message(&mut self, id: LinkId, message: Message) {
        let (Some(link), Some(home)) = (self.links.links.get_mut(&id), &mut self.home) else { return };
        let Some(exchange) = &mut link.exchange else { return };
        let mut replica = SpaceReplica::new(home, &mut self.files);
        let result = exchange.receive(message, &mut replica, &mut self.links.wants, self.now);
        let SpaceReplica { grown, gained, .. } = replica;
        if !grown.is_empty() || !gained.is_empty() {
            for exchange in self.links.links.values_mut().filter_map(|link| link.exchange.as_mut()) {
                grown.iter().for_each(|feed| exchange.changed(feed));
                gained.iter().for_each(|(kind, hash)| exchange.item_added(*kind, *hash));
            }
            self.links.items.extend(gained);
        }
        match result {
            Ok(Some(Message::Envelope(envelope))) => self.envelope(id, &envelope),
            Ok(_) => {}
            Err(fault) => {
                if let Some(link) = self.links.links.get_mut(&id) {
                    link.session.fail(fault);
                }
            }
        }
    }

    /// An ephemeral message: passed on to the others, and opened if it is for us.
    fn envelope(&mut self, from: LinkId, envelope: &Envelope) {
        let Some(relay) = &mut self.links.relay else { return };
        match relay.receive(PeerId(from.0), envelope, self.now) {
            Verdict::Deliver { forward } => {
                if let Some(forward) = forward {
                    self.forward(&forward, Some(from));
                }
                let key = self.message_key().map(|key| SecretKey32(*key.as_bytes()));
                if let (EnvelopeKind::SignIn, Some(key)) = (envelope.kind, key)
                    && let Ok(plain) = envelope.open(&key)
                {
                    self.sign_in_message(&plain, from.0);
                }
            }
            Verdict::Forward(forward) => self.forward(&forward, Some(from)),
            Verdict::Drop(_) => {}
        }
    }

    fn close_link(&mut self, id: LinkId) {
        self.drop_link(id);
        let _ = self.mesh.close(id, self.now, self.entropy.as_mut());
    }

    fn drop_link(&mut self, id: LinkId) {
        if let Some(mut link) = self.links.links.remove(&id) {
            if let Some(exchange) = link.exchange.take() {
                exchange.close(&mut self.links.wants);
            }
            link.session.close(Goodbye::Leaving);
            if let Some(relay) = &mut self.links.relay {
                relay.forget_peer(PeerId(id.0));
            }
        }
        self.event(Event::Peers);
    }
}

/// A sign-in message lives this long on its way, in ms; it is sent again as long as it is not answered.
const ENVELOPE_LIFE_MS: u64 = 4 * 60_000;
