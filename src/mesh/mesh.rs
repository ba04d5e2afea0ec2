//! The mesh: what goes in from driver and node, what comes out. `links.rs` holds the other half, links.

use core::cell::Cell;
use std::collections::VecDeque;

use super::hub::{HubConnection, HubNews};
use super::links::links_in;
use super::membership::{MAX_LINKS, Membership, TARGET_LINKS, wants};
use super::peer::{Path, Peer};
use super::relay::Pace;
use super::signal::{Signalling, Wants};
use super::tabs::{MAX_SPACES, Tabs};
use super::topic::next_change;
use super::{
    CloseReason, Counters, HubId, HubInfo, HubUrl, LOW_WATER, LinkId, MAX_FRAME, MeshError, MeshEvent,
    MeshInput, MeshOutput, NodeId, PeerInfo, Relaying, RtcEvent, Topic,
};
use crate::collections::Map;
use crate::crypto::{Entropy, PublicKey};

/// All connections of a node.
///
/// After every call, [`Mesh::poll`] until it is empty; then [`Mesh::tick`] at [`Mesh::deadline`].
pub struct Mesh {
    pub(super) signalling: Signalling,
    pub(super) spaces: Map<PublicKey, Membership>,
    pub(super) topics: Map<Topic, PublicKey>,
    pub(super) hubs: Vec<HubConnection>,
    pub(super) peers: Map<NodeId, Peer>,
    pub(super) links: Map<LinkId, NodeId>,
    pub(super) pairings: Vec<super::pairing::Pairing>,
    /// RTCPeerConnections.
    pub(super) rtcs: Map<LinkId, NodeId>,
    pub(super) webrtc: bool,
    pub(super) relaying: Relaying,
    pub(super) pace: Pace,
    /// The link that sent data over a hub last.
    pub(super) relayed_last: LinkId,
    pub(super) tabs: Tabs,
    pub(super) last_link: u64,
    last_hub: u32,
    pub(super) max_links: usize,
    /// When a link may be given up for a newcomer again.
    pub(super) next_unchoke: u64,
    next_turn: u64,
    next_greeting: u64,
    /// [`Mesh::deadline`] as it was found last, unless something has changed. Frames come by the thousand, and change
    /// nothing of it.
    next: Cell<Option<Option<u64>>>,
    pub(super) out: VecDeque<MeshOutput>,
}

impl Mesh {
    /// A node with a fresh session key, in no space and on no hub.
    pub fn new(entropy: &mut dyn Entropy) -> Self {
        let signalling = Signalling::new(entropy);
        let tabs = Tabs::new(signalling.id());
        Self {
            signalling,
            spaces: Map::new(),
            topics: Map::new(),
            hubs: Vec::new(),
            peers: Map::new(),
            links: Map::new(),
            pairings: Vec::new(),
            rtcs: Map::new(),
            webrtc: true,
            relaying: Relaying::Told,
            pace: Pace::new(0),
            relayed_last: LinkId(0),
            tabs,
            last_link: 0,
            last_hub: 0,
            max_links: MAX_LINKS,
            next_unchoke: 0,
            next_turn: 0,
            next_greeting: 0,
            next: Cell::new(None),
            out: VecDeque::new(),
        }
    }

    /// This node's id for the session.
    pub const fn id(&self) -> NodeId {
        self.signalling.id()
    }

    /// Keeps at most so many links over all spaces: 1 to 32. Open ones stay.
    pub fn set_max_links(&mut self, max: usize) {
        self.max_links = max.clamp(1, MAX_LINKS);
    }

    /// Looks for nodes of a space; again is no error.
    pub fn join(&mut self, space: PublicKey, now: u64, entropy: &mut dyn Entropy) -> Result<(), MeshError> {
        if self.spaces.contains_key(&space) {
            return Ok(());
        }
        if self.spaces.len() >= MAX_SPACES {
            return Err(MeshError::TooManySpaces { max: MAX_SPACES });
        }
        let mut membership = Membership::new(space, &self.id(), now);
        membership.start(true, now, entropy);
        let topics: Vec<Topic> = membership.topics().collect();
        self.spaces.insert(space, membership);
        self.next_turn = next_change(now);
        self.add_topics(space, topics, now, entropy);
        self.tabs.join(space);
        self.next_greeting = now.saturating_add(GREETING_MS);
        self.settle(now, entropy);
        Ok(())
    }

    /// No more of a space; links that share no other close.
    pub fn leave(&mut self, space: &PublicKey, now: u64, entropy: &mut dyn Entropy) {
        if !self.spaces.contains_key(space) {
            return;
        }
        self.tabs.leave(space);
        self.drain_tabs(now, entropy);
        let ids: Vec<NodeId> =
            self.peers.iter().filter(|(_, peer)| peer.spaces.contains(space)).map(|(id, _)| *id).collect();
        for id in ids {
            let Some(peer) = self.peers.get_mut(&id) else { continue };
            if let Some(link) = peer.link.as_mut() {
                link.channels.remove(space);
            }
            if peer.spaces.len() == 1 {
                // While the space still names a topic for the goodbye.
                self.end_link(&id, CloseReason::Unshared, now, entropy);
                self.peers.remove(&id);
            } else {
                peer.spaces.remove(space);
                self.tell_spaces(&id);
            }
        }
        if let Some(membership) = self.spaces.remove(space) {
            self.drop_topics(membership.topics().collect(), now, entropy);
        }
        self.settle(now, entropy);
    }

    /// Spaces that were joined.
    pub fn spaces(&self) -> impl Iterator<Item = &PublicKey> {
        self.spaces.keys()
    }

    /// Uses a hub from now on; the id of one that is used already, if it is the same address.
    pub fn add_hub(
        &mut self,
        mut url: HubUrl,
        now: u64,
        entropy: &mut dyn Entropy,
    ) -> Result<HubId, MeshError> {
        if let Some(hub) = self.hubs.iter().find(|hub| hub.url().as_str() == url.as_str()) {
            return Ok(hub.id());
        }
        if self.hubs.len() >= MAX_HUBS {
            return Err(MeshError::TooManyHubs { max: MAX_HUBS });
        }
        if self.relaying == Relaying::Always {
            url.allow_relay();
        }
        self.last_hub = self.last_hub.saturating_add(1);
        let id = HubId(self.last_hub);
        let mut hub = HubConnection::new(id, url, now, entropy);
        for (topic, space) in &self.topics {
            // Not open yet, so there is nothing to send.
            hub.join(*topic, self.is_room(space, topic), now);
        }
        self.hubs.push(hub);
        self.tick_hubs(now, entropy);
        self.settle(now, entropy);
        Ok(id)
    }

    /// Leaves a hub; links that it helped to make stay.
    pub fn remove_hub(&mut self, hub: HubId) -> Result<(), MeshError> {
        let at = self.hubs.iter().position(|one| one.id() == hub).ok_or(MeshError::NoHub(hub))?;
        self.hubs.remove(at);
        self.next.set(None);
        for peer in self.peers.values_mut() {
            peer.hubs.remove(&hub);
        }
        self.out.push_back(MeshOutput::HubClose { hub });
        Ok(())
    }

    /// Takes what the driver reports.
    pub fn handle(&mut self, input: MeshInput, now: u64, entropy: &mut dyn Entropy) {
        match input {
            MeshInput::Awake => self.awake(now, entropy),
            MeshInput::HubClosed { hub, code, reason } => {
                if let Some(one) = self.hub(hub) {
                    let news = one.closed(code, &reason, now, entropy);
                    self.hub_news(hub, news, now, entropy);
                }
            }
            MeshInput::HubFrame { hub, frame } => {
                if let Some(one) = self.hub(hub) {
                    let news = one.frame(&frame, now, entropy);
                    self.hub_news(hub, news, now, entropy);
                }
            }
            MeshInput::HubOpened { hub } => {
                if let Some(one) = self.hub(hub) {
                    let news = one.opened(now);
                    self.hub_news(hub, news, now, entropy);
                }
            }
            MeshInput::Rtc { link, event } => {
                let passing = matches!(event, RtcEvent::Buffered { .. } | RtcEvent::Data { .. });
                self.rtc(link, event, now, entropy);
                if passing {
                    return;
                }
            }
            MeshInput::Tab { bytes } => self.tabs.receive(&bytes, now),
        }
        self.settle(now, entropy);
    }

    /// Sends one message of at most [`MAX_FRAME`] over a carrier of an open link.
    pub fn send(&mut self, link: LinkId, via: LinkId, bytes: Vec<u8>) -> Result<(), MeshError> {
        if bytes.len() > MAX_FRAME {
            return Err(MeshError::TooLarge { max: MAX_FRAME, got: bytes.len() });
        }
        let id = *self.links.get(&link).ok_or(MeshError::NoLink(link))?;
        let open = self.peers.get_mut(&id).and_then(|peer| peer.link.as_mut()).filter(|one| one.opened);
        let open = open.ok_or(MeshError::NoLink(link))?;
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if open.relay.as_ref().is_some_and(|relay| relay.id == via) {
            open.bytes_out = open.bytes_out.saturating_add(length);
            return self
                .relay_send(&id, &bytes)
                .map_err(|buffered| MeshError::Full { buffered, low: LOW_WATER });
        }
        if open.via != via || matches!(open.path, Path::Off) {
            return Err(MeshError::NoLink(via));
        }
        if let Some(buffered) = open.full() {
            return Err(MeshError::Full { buffered, low: LOW_WATER });
        }
        open.bytes_out = open.bytes_out.saturating_add(length);
        open.sent(length);
        if let Path::Tab = open.path {
            self.tabs.send(&id, &bytes);
            self.post_tabs();
        } else {
            match self.out.back_mut() {
                // Frames carry their lengths, and each message of a channel costs both ends more than its bytes.
                Some(MeshOutput::LinkSend { link, bytes: front })
                    if *link == via && front.len().saturating_add(bytes.len()) <= MAX_FRAME =>
                {
                    front.extend_from_slice(&bytes);
                }
                _ => self.out.push_back(MeshOutput::LinkSend { link: via, bytes }),
            }
        }
        Ok(())
    }

    /// Whether a link's own path is open and takes bytes; if not, [`MeshEvent::LinkWritable`] tells when.
    pub fn writable(&self, link: LinkId) -> bool {
        let peer = self.links.get(&link).and_then(|id| self.peers.get(id));
        peer.and_then(|peer| peer.link.as_ref()).is_some_and(|one| one.opened && one.full().is_none())
    }

    /// Closes a link. [`MeshEvent::LinkClosed`] follows; the node may be dialled again later, with back-off.
    pub fn close(&mut self, link: LinkId, now: u64, entropy: &mut dyn Entropy) -> Result<(), MeshError> {
        let id = *self.links.get(&link).ok_or(MeshError::NoLink(link))?;
        self.end_link(&id, CloseReason::Local, now, entropy);
        self.settle(now, entropy);
        Ok(())
    }

    /// The page goes: says goodbye everywhere.
    pub fn shutdown(&mut self, now: u64, entropy: &mut dyn Entropy) {
        let ids: Vec<NodeId> = self.links.values().copied().collect();
        for id in ids {
            self.end_link(&id, CloseReason::Local, now, entropy);
        }
        self.tabs.close_all();
        self.post_tabs();
        for hub in core::mem::take(&mut self.hubs) {
            self.out.push_back(MeshOutput::HubClose { hub: hub.id() });
        }
        self.next.set(None);
        self.spaces.clear();
        self.topics.clear();
        self.peers.clear();
    }

    /// The next thing to do or to know.
    pub fn poll(&mut self) -> Option<MeshOutput> {
        self.out.pop_front()
    }

    /// When [`Mesh::tick`] wants to run next; unix milliseconds.
    pub fn deadline(&self) -> Option<u64> {
        let next = self.next.get().unwrap_or_else(|| self.find_deadline());
        self.next.set(Some(next));
        next
    }

    fn find_deadline(&self) -> Option<u64> {
        let hubs = self.hubs.iter().filter_map(HubConnection::deadline);
        let hellos = self.spaces.values().map(|space| space.next_hello.min(space.next_round));
        let counts = self.link_counts();
        let peers = self.peers.iter().filter_map(|(id, peer)| self.peer_deadline(id, peer, &counts));
        let relays = self.relay_deadline();
        let turns = (!self.spaces.is_empty()).then_some(self.next_turn.min(self.next_greeting));
        let rest = self.tabs.deadline().into_iter().chain(self.pairing_deadline());
        hubs.chain(hellos).chain(peers).chain(relays).chain(turns).chain(rest).min()
    }

    /// Time passed.
    pub fn tick(&mut self, now: u64, entropy: &mut dyn Entropy) {
        if self.deadline().is_none_or(|next| now < next) {
            return;
        }
        if !self.spaces.is_empty() && now >= self.next_turn {
            self.turn(now, entropy);
        }
        self.tick_hubs(now, entropy);
        self.tick_hellos(now, entropy);
        self.tick_rounds(now, entropy);
        self.tick_peers(now, entropy);
        self.tick_pairings(now, entropy);
        self.flush_relays(now, entropy);
        if !self.spaces.is_empty() && now >= self.next_greeting {
            self.next_greeting = now.saturating_add(GREETING_MS);
            self.tabs.greet();
        }
        self.tabs.tick(now);
        self.settle(now, entropy);
    }

    /// Nodes with a link, or being dialled.
    pub fn peers(&self) -> Vec<PeerInfo> {
        self.peers.iter().filter_map(|(id, peer)| peer.info(*id)).collect()
    }

    /// All hubs.
    pub fn hubs(&self) -> Vec<HubInfo> {
        let may = self.relaying != Relaying::Never;
        let info = |hub: &HubConnection| {
            let info = hub.info();
            HubInfo { may_relay: info.may_relay && may, ..info }
        };
        self.hubs.iter().map(info).collect()
    }

    /// What signalling accepted and dropped.
    pub const fn counters(&self) -> Counters {
        self.signalling.counters
    }

    pub(super) fn event(&mut self, event: MeshEvent) {
        self.out.push_back(MeshOutput::Event(event));
    }

    /// The most that any space wants a link.
    pub(super) fn wants(&self) -> Wants {
        let counts = self.link_counts();
        self.spaces.keys().map(|space| wants(links_in(&counts, space))).max().unwrap_or(Wants::Nothing)
    }

    pub(super) fn hub(&mut self, hub: HubId) -> Option<&mut HubConnection> {
        self.hubs.iter_mut().find(|one| one.id() == hub)
    }

    /// Whether any hub is open.
    pub(super) fn has_hub(&self) -> bool {
        self.hubs.iter().any(HubConnection::is_open)
    }

    /// Everything that follows from a change, until nothing moves.
    pub(super) fn settle(&mut self, now: u64, entropy: &mut dyn Entropy) {
        self.drain_tabs(now, entropy);
        // A timer of a page may come late, and in a tab that is not looked at a second late.
        self.tick_hellos(now, entropy);
        self.dial_due(now, entropy);
        self.begin_relays(now, entropy);
        self.next.set(None);
    }

    /// When the next tick is due has to be found anew.
    pub(super) fn changed(&self) {
        self.next.set(None);
    }

    /// What the session queued for hubs goes on its way.
    pub fn flush(&mut self, now: u64, entropy: &mut dyn Entropy) {
        self.pace.clock(now);
        if self.may_relay() && self.relay_deadline().is_some_and(|at| at <= now) {
            self.flush_relays(now, entropy);
            self.changed();
        }
    }

    fn awake(&mut self, now: u64, entropy: &mut dyn Entropy) {
        let news: Vec<_> = self.hubs.iter_mut().map(|hub| (hub.id(), hub.awake(now, entropy))).collect();
        for (hub, news) in news {
            self.hub_news(hub, news, now, entropy);
        }
        for space in self.spaces.values_mut() {
            space.start(false, now, entropy);
        }
        self.tabs.greet();
    }

    /// The pair of days changed.
    fn turn(&mut self, now: u64, entropy: &mut dyn Entropy) {
        self.next_turn = next_change(now);
        let turned: Vec<_> =
            self.spaces.iter_mut().map(|(space, member)| (*space, member.turn(now))).collect();
        for (space, (gone, come)) in turned {
            self.drop_topics(gone, now, entropy);
            self.add_topics(space, come, now, entropy);
        }
    }

    fn add_topics(&mut self, space: PublicKey, topics: Vec<Topic>, now: u64, entropy: &mut dyn Entropy) {
        for topic in topics {
            self.topics.insert(topic, space);
            let is_room = self.is_room(&space, &topic);
            self.each_hub(now, entropy, |hub| hub.join(topic, is_room, now));
        }
    }

    fn is_room(&self, space: &PublicKey, topic: &Topic) -> bool {
        self.spaces.get(space).is_some_and(|member| member.rooms().contains(topic))
    }

    fn drop_topics(&mut self, topics: Vec<Topic>, now: u64, entropy: &mut dyn Entropy) {
        for topic in topics {
            self.topics.remove(&topic);
            self.each_hub(now, entropy, |hub| hub.leave(&topic));
        }
    }

    fn each_hub(
        &mut self,
        now: u64,
        entropy: &mut dyn Entropy,
        mut act: impl FnMut(&mut HubConnection) -> Vec<HubNews>,
    ) {
        let news: Vec<_> = self.hubs.iter_mut().map(|hub| (hub.id(), act(hub))).collect();
        for (hub, news) in news {
            self.hub_news(hub, news, now, entropy);
        }
    }

    fn tick_hubs(&mut self, now: u64, entropy: &mut dyn Entropy) {
        let due = |hub: &&mut HubConnection| hub.deadline().is_some_and(|at| now >= at);
        let news: Vec<_> =
            self.hubs.iter_mut().filter(due).map(|hub| (hub.id(), hub.tick(now, entropy))).collect();
        for (hub, news) in news {
            self.hub_news(hub, news, now, entropy);
        }
    }

    fn tick_hellos(&mut self, now: u64, entropy: &mut dyn Entropy) {
        let due: Vec<PublicKey> =
            self.spaces.iter().filter(|(_, one)| now >= one.next_hello).map(|(space, _)| *space).collect();
        if due.is_empty() {
            return;
        }
        let counts = self.link_counts();
        for space in due {
            let links = links_in(&counts, &space);
            let known = u32::try_from(self.known_in(&space)).unwrap_or(u32::MAX);
            let Some(membership) = self.spaces.get_mut(&space) else { continue };
            membership.said(links, known, now, entropy);
            let (rooms, settled) = (*membership.rooms(), membership.is_settled());
            let wants = match wants(links) {
                Wants::Nothing if !settled => continue,
                // More than are looked for: one goes, so that there is always room for who comes.
                Wants::Nothing if links > TARGET_LINKS => {
                    if let Some(id) = self.spare(&space, entropy) {
                        self.end_link(&id, CloseReason::Replaced, now, entropy);
                    }
                    continue;
                }
                Wants::Nothing => Wants::Hungry,
                other => other,
            };
            if !self.has_hub() {
                continue;
            }
            let sealed = self.signalling.hello(&space, &rooms, wants, now, entropy);
            for (room, sealed) in rooms.iter().zip(sealed) {
                self.each_hub(now, entropy, |hub| hub.publish(room, &sealed, now));
            }
        }
    }
}

/// Hubs at once.
const MAX_HUBS: usize = 8;
/// Tabs that lost sight of each other meet again.
const GREETING_MS: u64 = 30_000;
