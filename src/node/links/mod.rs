//! The links of a node: each is a session with a peer, and on it an exchange for each space that both share.
//!
//! ```text
//! mesh ──LinkOpen, LinkData──▶ session ──Message──▶ exchanges ⇄ spaces
//!      ◀──────── send ───────          ◀── pump ───
//! ```
//! A peer's fault ends its session and link, and nothing else.

pub(super) mod carriers;
pub(super) mod ephemeral;
pub(super) mod known_heads;
pub(super) mod pairing;
pub(crate) mod peer_message;
pub(super) mod presence;
pub(super) mod replica;
pub(super) mod syncing;
pub(super) mod talking;

use std::collections::VecDeque;

use self::carriers::{PeerPath, carrier_of};
use self::replica::SpaceReplica;
use super::{Event, Node, Output, spaces::Joined};
use crate::{
    collections::Map,
    crypto::{Entropy, PublicKey},
    mesh::{self, LinkId, MeshError, MeshEvent, MeshOutput},
    sync::{
        ChannelId, Envelope, Exchange, FrameCounts, Goodbye, Message, NodeKey, PeerId, Role, Session,
        SessionConfig, SessionOutput,
    },
};

/// All links and what they share.
pub(super) struct Links {
    key: NodeKey,
    links: Map<LinkId, Link>,
    /// Takes all and gives nothing, as a hostile node may.
    #[cfg(test)]
    pub(super) mute: bool,
}

struct Link {
    session: Session,
    /// By space.
    exchanges: Map<PublicKey, Exchange>,
    /// Frames that a carrier did not take yet: while there is one, the session gives no other but what joins a carrier and
    /// what closes it, each once.
    stalled: Map<LinkId, VecDeque<Vec<u8>>>,
}

/// A peer as a page sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct PeerView {
    /// The link and its counters.
    pub link: mesh::PeerInfo,
    /// Round trip of the last heartbeat, in ms.
    pub round_trip: Option<u64>,
    /// Over what its messages go now.
    pub path: PeerPath,
    /// Frames of the session.
    pub frames: FrameCounts,
    /// Whether a space is shared with it, and nothing that it has of any is missing here.
    pub level: Option<bool>,
}

impl Link {
    fn space_of(&self, channel: ChannelId) -> Option<PublicKey> {
        self.exchanges.iter().find(|(_, exchange)| exchange.channel() == channel).map(|(space, _)| *space)
    }

    fn level(&self) -> Option<bool> {
        if self.exchanges.is_empty() { None } else { Some(self.exchanges.values().all(Exchange::is_level)) }
    }
}

impl Links {
    pub(super) fn new(entropy: &mut dyn Entropy) -> Self {
        Self {
            key: NodeKey::generate(entropy),
            links: Map::new(),
            #[cfg(test)]
            mute: false,
        }
    }

    /// A space is there: open it on every link.
    pub(super) fn open_channels(&mut self, space: &PublicKey) {
        for link in self.links.values_mut() {
            // A link whose handshake is not done opens it then.
            let _ = link.session.open(*space);
        }
    }

    /// A space is gone: close it on every link.
    fn close_channels(&mut self, space: &PublicKey, now: u64) {
        for link in self.links.values_mut() {
            let exchange = link.exchanges.remove(space);
            link.session.leave(space, exchange.as_ref().map(Exchange::channel), now);
        }
    }

    fn exchanges_of(&mut self, space: PublicKey) -> impl Iterator<Item = &mut Exchange> {
        self.links.values_mut().filter_map(move |link| link.exchanges.get_mut(&space))
    }

    pub(super) fn deadline(&self) -> Option<u64> {
        self.links
            .values()
            .flat_map(|link| link.exchanges.values().map(Exchange::deadline).chain([link.session.deadline()]))
            .flatten()
            .min()
    }

    /// How far ahead the clocks of the peers of a space are, ms.
    pub(super) fn clocks(&self, space: PublicKey) -> impl Iterator<Item = (PeerId, i64)> {
        let shared = move |(id, link): (&LinkId, &Link)| {
            link.exchanges.get(&space)?;
            Some((PeerId(id.0), link.session.clock_offset()?))
        };
        self.links.iter().filter_map(shared)
    }
}

impl Node {
    /// Moves everything between mesh, sessions and space until nothing moves.
    pub(super) fn pump_links(&mut self) {
        self.pump_channels();
        loop {
            let mut moved = false;
            self.mesh.flush(self.now, self.entropy.as_mut());
            while let Some(output) = self.mesh.poll() {
                moved = true;
                match output {
                    MeshOutput::Event(event) => self.mesh_event(event),
                    MeshOutput::RelaySend { hub, frame } => {
                        self.durable.send(Output::Mesh(MeshOutput::HubSend { hub, frame }));
                    }
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
            let via = own.and_then(|own| own.session.active()).map(LinkId);
            PeerView {
                path: self.path(&link, via),
                frames: own.map(|own| own.session.counts()).unwrap_or_default(),
                round_trip: own.and_then(|own| own.session.rtt()),
                level: own.and_then(Link::level),
                link,
            }
        };
        self.mesh.peers().into_iter().map(view).collect()
    }

    /// Tells peers of what was written here.
    pub(super) fn announce(&mut self) {
        let departed = core::mem::take(&mut self.departed);
        for joined in self.spaces.iter_mut() {
            let new = joined.untold();
            let own = joined.space.writer();
            for exchange in self.links.exchanges_of(joined.space.key()) {
                departed.iter().chain(&own).for_each(|feed| exchange.changed(feed));
                new.iter().for_each(|(kind, hash)| exchange.item_added(*kind, *hash));
            }
        }
    }

    /// What a space follows has changed: peers may have what is wanted now.
    pub(super) fn refresh_links(&mut self, space: PublicKey) {
        self.links.exchanges_of(space).for_each(Exchange::refresh);
    }

    /// Whether nothing that a peer of this space has, or that a device told of, is missing.
    pub(super) fn is_level(&self, space: &PublicKey) -> bool {
        self.links.links.values().filter_map(|link| link.exchanges.get(space)).all(Exchange::is_level)
            && !self.is_lacking(space)
    }

    pub(super) fn tick_links(&mut self) {
        let now = self.now;
        for link in self.links.links.values_mut() {
            link.session.tick(now);
        }
    }

    /// A space is not read here any more.
    pub(super) fn close_space(&mut self, space: &PublicKey) -> Option<Box<Joined>> {
        self.links.close_channels(space, self.now);
        self.mesh.leave(space, self.now, self.entropy.as_mut());
        let joined = self.spaces.remove(space);
        self.released(space);
        joined
    }

    /// Whether a connected peer shares a space.
    pub(super) fn has_peer_of(&self, space: &PublicKey) -> bool {
        self.links.links.values().any(|link| link.exchanges.contains_key(space))
    }

    pub(super) fn forward(&mut self, space: PublicKey, envelope: &Envelope, but: Option<PeerId>) {
        for (id, link) in &mut self.links.links {
            if let (Some(exchange), true) = (link.exchanges.get(&space), Some(PeerId(id.0)) != but) {
                // A peer that is full misses it; messages are repeated.
                let _ = link.session.send(exchange.channel(), &Message::Envelope(envelope.clone()));
            }
        }
    }

    /// The session of a link on which a space is shared, and its channel.
    pub(super) fn with_session(
        &mut self,
        link: LinkId,
        space: PublicKey,
        act: impl FnOnce(&mut Session, ChannelId),
    ) {
        if let Some(link) = self.links.links.get_mut(&link)
            && let Some(channel) = link.exchanges.get(&space).map(Exchange::channel)
        {
            act(&mut link.session, channel);
        }
    }

    /// Sends a message to every peer of the space, as full as they may be.
    #[cfg(any(test, feature = "hostile"))]
    pub(super) fn hostile_send(&mut self, message: &Message) {
        for link in self.links.links.values_mut() {
            for exchange in link.exchanges.values() {
                let _ = link.session.send(exchange.channel(), message);
            }
        }
    }

    fn mesh_event(&mut self, event: MeshEvent) {
        match event {
            MeshEvent::HubState { .. } => self.event(Event::Hubs),
            MeshEvent::CarrierOpen { link, via, carrier, fingerprints, .. } => {
                self.add_carrier(link, via, carrier_of(carrier, fingerprints));
            }
            MeshEvent::CarrierClosed { link, via } => {
                if let Some(own) = self.links.links.get_mut(&link) {
                    own.stalled.remove(&via);
                    own.session.detach(via.0, self.now);
                }
                self.event(Event::Peers);
            }
            MeshEvent::LinkOpen { link, via, carrier, fingerprints, initiator, .. } => {
                let carrier = carrier_of(carrier, fingerprints);
                let role = if initiator { Role::Initiator } else { Role::Responder };
                let nonce = self.entropy.array16();
                let config = SessionConfig { carrier, key: &self.links.key, nonce, role, via: via.0 };
                match Session::new(config, self.entropy.as_mut(), self.now) {
                    Ok(mut session) => {
                        // At once: what the peer opens may come with the end of the handshake.
                        for space in self.spaces.keys() {
                            let _ = session.open(space);
                        }
                        let own = Link { session, exchanges: Map::new(), stalled: Map::new() };
                        self.links.links.insert(link, own);
                    }
                    Err(_) => self.close_link(link),
                }
                self.event(Event::Peers);
            }
            MeshEvent::LinkData { link, via, bytes } => {
                if let Some(own) = self.links.links.get_mut(&link) {
                    // A fault closes the session, which says so when it is polled.
                    let _ = own.session.receive(via.0, &bytes, self.now);
                }
            }
            MeshEvent::Pairing { link, text } => self.pairing_text(link, text),
            MeshEvent::LinkWritable { link, via } => {
                if let Some(own) = self.links.links.get_mut(&link) {
                    own.session.set_congested(via.0, false);
                }
            }
            MeshEvent::LinkClosed { link, .. } => self.drop_link(link),
            MeshEvent::Neighbour { link, space, message } => {
                let own = self.links.links.get_mut(&link);
                if let Some((own, channel)) = own.and_then(|own| {
                    own.exchanges.get(&space).map(Exchange::channel).map(|id| (&mut own.session, id))
                }) {
                    // One that is full misses it; all of it is said again.
                    let _ = own.send(channel, &message);
                }
            }
            MeshEvent::LinkSpaces { link, .. } => {
                if let Some(own) = self.links.links.get_mut(&link) {
                    for space in self.spaces.keys() {
                        let _ = own.session.open(space);
                    }
                }
                self.event(Event::Peers);
            }
        }
    }

    /// Drains one session and lets its exchange go on; whether anything moved.
    fn pump_link(&mut self, id: LinkId) -> bool {
        let mut moved = false;
        let now = self.now;
        loop {
            let Some(link) = self.links.links.get_mut(&id) else { return moved };
            for (via, frames) in &mut link.stalled {
                while let Some(frame) = frames.front() {
                    if let Err(MeshError::Full { .. }) = self.mesh.send(id, *via, frame.clone()) {
                        // Also if it was said to take more: others may have filled it again.
                        link.session.set_congested(via.0, true);
                        break;
                    }
                    frames.pop_front();
                    moved = true;
                }
            }
            link.session.note(now);
            for (key, exchange) in &mut link.exchanges {
                #[cfg(test)]
                if self.links.mute {
                    continue;
                }
                let Some(Joined { space, wants, .. }) = self.spaces.get_mut(key) else { continue };
                let mut replica = SpaceReplica::new(space, &mut self.files);
                replica.room = self.holding.room(key);
                replica.behind = self.durable.is_behind();
                if let Err(fault) = exchange.pump(&mut link.session, &replica, wants, now) {
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
        let (now, entropy) = (self.now, self.entropy.as_mut());
        match output {
            SessionOutput::Dropped { via } => self.mesh.close_carrier(id, LinkId(via), now, entropy),
            SessionOutput::Moved { .. } => self.event(Event::Peers),
            SessionOutput::Stalled { via } => self.mesh.doubt(id, LinkId(via), now, entropy),
            SessionOutput::Send { via, bytes } => {
                let to = LinkId(via);
                let waits = link.stalled.get(&to).is_some_and(|frames| !frames.is_empty());
                let full =
                    waits || matches!(self.mesh.send(id, to, bytes.clone()), Err(MeshError::Full { .. }));
                if full {
                    link.stalled.entry(to).or_default().push_back(bytes);
                    link.session.set_congested(via, true);
                }
            }
            SessionOutput::Established { .. } => self.event(Event::Peers),
            SessionOutput::ChannelOpened { channel, space } => {
                if self.spaces.get(&space).is_none() {
                    return;
                }
                link.exchanges.insert(space, Exchange::new(PeerId(id.0), channel, self.now));
                self.mesh.channel_opened(id, space, self.now, self.entropy.as_mut());
                if let Some(secrets) = &self.secrets {
                    let _ = link.session.prove(channel, &secrets.keys(&space).signer);
                }
                if let Some(key) = self.holding.key() {
                    let _ = link.session.prove(channel, &key);
                }
                if let Some(joined) = self.spaces.get_mut(&space) {
                    joined.channel.peer_came(PeerId(id.0), self.now);
                }
                if self.spaces.home_key() == Some(space) {
                    self.ask_again_soon();
                    self.send_request();
                }
                self.event(Event::Peers);
            }
            SessionOutput::ChannelClosed { space, .. } => {
                let exchange = link.exchanges.remove(&space);
                self.mesh.channel_closed(id, &space);
                self.promises.gone(id, &space);
                if let (Some(exchange), Some(joined)) = (exchange, self.spaces.get_mut(&space)) {
                    exchange.close(&mut joined.wants);
                    joined.channel.peer_gone(PeerId(id.0));
                }
                if self.spaces.home_key() == Some(space) {
                    self.requests.peer_gone(PeerId(id.0));
                }
                self.event(Event::Peers);
            }
            SessionOutput::Message { channel, message } => self.message_came(id, channel, message),
            SessionOutput::Closed { .. } => self.close_link(id),
            SessionOutput::Proven { channel, key } => {
                let (space, home) = (link.space_of(channel), self.spaces.home_key());
                if let Some(joined) = space.and_then(|space| self.spaces.get_mut(&space)) {
                    joined.channel.peer_proven(PeerId(id.0), key);
                    self.promises.proven(id, joined.space.key(), key);
                    let own = space == home && joined.space.is_active(&key);
                    if own || joined.space.is_pinned(&key) {
                        self.mesh.prefer(id);
                    }
                }
            }
            SessionOutput::ChannelRefused { .. } => {}
        }
    }

    /// Reads what taking a message in would; whether pages are missed.
    pub(super) fn misses(&mut self, id: LinkId, channel: ChannelId, message: &Message) -> bool {
        let Some(link) = self.links.links.get_mut(&id) else { return false };
        let Some(key) = link.space_of(channel) else { return false };
        let (Some(exchange), Some(joined)) = (link.exchanges.get(&key), self.spaces.get_mut(&key)) else {
            return false;
        };
        exchange.touch(message, &SpaceReplica::new(&mut joined.space, &mut self.files));
        self.ask_for_missed()
    }

    pub(super) fn message(&mut self, id: LinkId, channel: ChannelId, message: Message) {
        let Some(link) = self.links.links.get_mut(&id) else { return };
        let Some(key) = link.space_of(channel) else { return };
        let (Some(exchange), Some(joined)) = (link.exchanges.get_mut(&key), self.spaces.get_mut(&key)) else {
            return;
        };
        let mut replica = SpaceReplica::new(&mut joined.space, &mut self.files);
        replica.room = self.holding.room(&key);
        replica.behind = self.durable.is_behind();
        let result = exchange.receive(message, &mut replica, &mut joined.wants, self.now);
        let SpaceReplica { grown, gained, took, full, .. } = replica;
        self.took(key, took, full);
        self.spread(key, &grown, gained);
        match result {
            Ok(Some(Message::Envelope(envelope))) => self.envelope(key, PeerId(id.0), &envelope),
            Ok(Some(
                message @ (Message::Answer { .. }
                | Message::AskReceipt { .. }
                | Message::Challenge { .. }
                | Message::Decline { .. }
                | Message::Receipt(_)),
            )) => self.receipt_message(id, key, message),
            Ok(Some(other)) => self.mesh.neighbour(id, key, other, self.now, self.entropy.as_mut()),
            Ok(None) => {}
            Err(fault) => {
                if let Some(link) = self.links.links.get_mut(&id) {
                    link.session.fail(fault);
                }
            }
        }
    }

    /// Tells all peers of what came in.
    pub(super) fn spread(&mut self, key: PublicKey, grown: &[PublicKey], gained: bool) {
        let Some(joined) = self.spaces.get_mut(&key).filter(|_| gained || !grown.is_empty()) else { return };
        let new = joined.untold();
        for exchange in self.links.exchanges_of(key) {
            grown.iter().for_each(|feed| exchange.changed(feed));
            new.iter().for_each(|(kind, hash)| exchange.item_added(*kind, *hash));
        }
    }

    fn close_link(&mut self, id: LinkId) {
        self.drop_link(id);
        let _ = self.mesh.close(id, self.now, self.entropy.as_mut());
    }

    fn drop_link(&mut self, id: LinkId) {
        if let Some(mut link) = self.links.links.remove(&id) {
            link.session.close(Goodbye::Leaving);
            self.requests.peer_gone(PeerId(id.0));
            self.promises.dropped(id);
            for joined in self.spaces.iter_mut() {
                joined.wants.forget_peer(PeerId(id.0));
                joined.channel.peer_gone(PeerId(id.0));
            }
        }
        self.event(Event::Peers);
    }
}
