//! The mesh's links: who is dialled, what is answered, which of two ways is kept.
//!
//! One link per pair: only the lower id dials, a tab beats WebRTC, and a newer attempt of the same dialer replaces
//! the older one. Attempts are numbered by the dialer's link ids, which only grow.

use super::membership::{FEW_LINKS, MAX_SPACE_LINKS, wants};
use super::negotiate::{Negotiator, NegotiatorOutput, Role};
use super::peer::{Link, Path, Peer};
use super::signal::{Bye, Content, Direct, Dropped, Received, Wants};
use super::{Carrier, CloseReason, HubId, Mesh, MeshEvent, MeshOutput, NodeId, Route, hub::HubConnection};
use crate::collections::{Map, Set};
use crate::crypto::{Entropy, PublicKey};

impl Mesh {
    /// Something genuine came through a hub or a neighbour.
    pub(super) fn heard(
        &mut self,
        space: &PublicKey,
        from: Heard,
        received: Received,
        now: u64,
        entropy: &mut dyn Entropy,
    ) {
        let id = NodeId::of(&received.sender);
        if !self.peers.contains_key(&id) && !self.make_room() {
            return;
        }
        let peer = self.peers.entry(id).or_insert_with(|| Peer::new(now));
        if let Content::Direct(_) = received.content
            && !peer.window.accept(received.sequence)
        {
            return self.signalling.count(Dropped::Stale);
        }
        peer.key = Some(received.sender);
        let hub = if let Heard::Hub(hub, _) = from { Some(hub) } else { None };
        match from {
            Heard::Hub(hub, route) => peer.heard(hub, route, now),
            Heard::Neighbour(via) => peer.met(via, now),
        }
        if peer.spaces.insert(*space) {
            self.tell_spaces(&id);
        }
        match received.content {
            Content::Hello(wants) => {
                if self.answers(space, entropy) {
                    self.wished(&id, wants);
                    self.make_place(&id, space, wants, now, entropy);
                    self.plan_here(&id, now, entropy);
                }
            }
            Content::Direct(Direct::Here(wants)) => self.wished(&id, wants),
            Content::Direct(Direct::Bye { attempt, why }) => {
                if !self.relay_bye(&id, attempt, why, now, entropy) {
                    self.bye(&id, attempt, why, now, entropy);
                }
            }
            Content::Direct(Direct::Relay { attempt, packet }) => {
                if let Some(hub) = hub {
                    self.relayed(&id, hub, attempt, packet, now, entropy);
                }
            }
            Content::Direct(
                direct @ (Direct::Answer { attempt, .. } | Direct::Candidates { attempt, .. }),
            ) => self.signal(&id, attempt, direct, now, entropy),
            Content::Direct(direct @ Direct::Offer { attempt, .. }) => {
                if self.ready_for(&id, attempt, now, entropy) {
                    self.signal(&id, attempt, direct, now, entropy);
                }
            }
        }
    }

    /// When something is due for a node; `counts` from [`Mesh::link_counts`].
    pub(super) fn peer_deadline(&self, id: &NodeId, peer: &Peer, counts: &Counts) -> Option<u64> {
        let negotiation = match &peer.link {
            Some(Link { path: Path::WebRtc(negotiator), .. }) => negotiator.deadline(),
            _ => None,
        };
        let dial = self.would_dial(id, peer, counts).then_some(peer.retry_at);
        [negotiation, peer.here_at, dial].into_iter().flatten().min()
    }

    pub(super) fn tick_peers(&mut self, now: u64, entropy: &mut dyn Entropy) {
        let ids: Vec<NodeId> = self.peers.keys().copied().collect();
        for id in ids {
            self.tick_here(&id, now, entropy);
            let Some(peer) = self.peers.get_mut(&id) else { continue };
            if let Some(negotiator) = peer.negotiator() {
                negotiator.tick(now);
                self.drain_negotiator(&id, now, entropy);
            }
        }
    }

    /// Dials everybody whose time has come.
    pub(super) fn dial_due(&mut self, now: u64, entropy: &mut dyn Entropy) {
        let mut counts = self.link_counts();
        let due = |(id, peer): &(&NodeId, &Peer)| now >= peer.retry_at && self.would_dial(id, peer, &counts);
        let ids: Vec<NodeId> = self.peers.iter().filter(due).map(|(id, _)| *id).collect();
        for id in ids {
            // Each link that is made counts against the next.
            if self.peers.get(&id).is_some_and(|peer| self.would_dial(&id, peer, &counts)) {
                self.dial(&id, now, entropy);
                counts = self.link_counts();
            }
        }
    }

    fn dial(&mut self, id: &NodeId, now: u64, entropy: &mut dyn Entropy) {
        let trickle = self.trickles(id);
        self.new_link(*id, |link| negotiation(link.0, Role::Dialer, trickle, now), now);
        self.drain_negotiator(id, now, entropy);
    }

    /// Whether candidates may go to a node one by one: neighbours carry them gladly, hubs if every one of them does.
    fn trickles(&self, id: &NodeId) -> bool {
        let Some(peer) = self.peers.get(id) else { return true };
        peer.spaces.iter().any(|space| !self.ways(peer, space).is_empty())
            || self.hubs.iter().filter(|hub| hub.is_open()).all(HubConnection::trickles)
    }

    /// Passes on what a negotiator wants; takes the link down if it ended.
    pub(super) fn drain_negotiator(&mut self, id: &NodeId, now: u64, entropy: &mut dyn Entropy) {
        loop {
            let Some(peer) = self.peers.get_mut(id) else { return };
            let Some(link) = peer.link.as_ref().map(|link| link.via) else { return };
            let Some(negotiator) = peer.negotiator() else { return };
            let attempt = negotiator.attempt();
            match negotiator.poll() {
                None => return,
                Some(NegotiatorOutput::Command(command)) => {
                    self.out.push_back(MeshOutput::Rtc { link, command });
                }
                Some(NegotiatorOutput::Ended(reason)) => {
                    let why = if reason == CloseReason::Replaced { Bye::Unneeded } else { Bye::Closed };
                    if reason != CloseReason::Remote {
                        self.direct(id, &Direct::Bye { attempt, why }, now, entropy);
                    }
                    self.path_gone(id, reason, now, entropy);
                }
                Some(NegotiatorOutput::Opened(prints)) => {
                    for via in peer.via.clone() {
                        if let Some(peer) = self.peers.get_mut(&via) {
                            peer.duds = 0;
                        }
                    }
                    self.open_event(*id, link, Carrier::WebRtc, Some(prints));
                }
                Some(NegotiatorOutput::Signal(direct)) => self.direct(id, &direct, now, entropy),
            }
        }
    }

    /// Ends the link to a node, whatever it runs over, and tells the node.
    pub(super) fn end_link(&mut self, id: &NodeId, reason: CloseReason, now: u64, entropy: &mut dyn Entropy) {
        let why = if reason == CloseReason::Replaced { Bye::Unneeded } else { Bye::Closed };
        self.say_bye_to_relay(id, why, now, entropy);
        let Some(peer) = self.peers.get_mut(id) else { return };
        if let Some(link) = peer.link.as_mut() {
            link.relay = None;
        }
        if let Some(negotiator) = peer.negotiator() {
            negotiator.end(reason);
            self.drain_negotiator(id, now, entropy);
        } else if let Some(link) = &peer.link {
            if let Path::Tab = link.path {
                self.tabs.close(id);
            }
            self.link_gone(id, reason, now, entropy);
        }
    }

    pub(super) fn tab_open(
        &mut self,
        id: NodeId,
        spaces: Set<PublicKey>,
        now: u64,
        entropy: &mut dyn Entropy,
    ) {
        self.end_link(&id, CloseReason::Replaced, now, entropy);
        if self.links.len() >= self.max_links || (!self.peers.contains_key(&id) && !self.make_room()) {
            return self.tabs.close(&id);
        }
        let peer = self.peers.entry(id).or_insert_with(|| Peer::new(now));
        peer.heard_at = now;
        peer.spaces = spaces;
        if let Some(via) = self.new_link(id, |_| Path::Tab, now) {
            self.open_event(id, via, Carrier::Tab, None);
        }
    }

    pub(super) fn tab_closed(
        &mut self,
        id: &NodeId,
        reason: CloseReason,
        now: u64,
        entropy: &mut dyn Entropy,
    ) {
        let is_tab = |peer: &Peer| matches!(peer.link, Some(Link { path: Path::Tab, .. }));
        if self.peers.get(id).is_some_and(is_tab) {
            self.link_gone(id, reason, now, entropy);
        }
    }

    /// Links per space, those being made included.
    pub(super) fn link_counts(&self) -> Counts {
        let mut counts = Counts::new();
        for peer in self.links.values().filter_map(|id| self.peers.get(id)) {
            for space in &peer.spaces {
                *counts.entry(*space).or_default() += 1;
            }
        }
        counts
    }

    /// Whether this node would dial another, were it time.
    fn would_dial(&self, id: &NodeId, peer: &Peer, counts: &Counts) -> bool {
        let wanted = match &peer.link {
            None => peer.is_worth_dialling() && self.links.len() < self.max_links && wants_link(peer, counts),
            // What is said over a hub is to go directly.
            Some(link) => matches!(link.path, Path::Off),
        };
        wanted && self.webrtc && self.id() < *id && peer.key.is_some() && self.is_reachable(peer)
    }

    /// Whether to answer a hello: always with few links, else so that of all who hear it about this many do. How many
    /// those are is not known; of a large space the nodes known here are a sample.
    fn answers(&self, space: &PublicKey, entropy: &mut dyn Entropy) -> bool {
        let known = u32::try_from(self.known_in(space)).unwrap_or(u32::MAX);
        known <= 2 * ANSWERS
            || links_in(&self.link_counts(), space) < FEW_LINKS
            || entropy.below(known) < ANSWERS
    }

    /// Nodes known in a space.
    pub(super) fn known_in(&self, space: &PublicKey) -> usize {
        self.peers.values().filter(|peer| peer.spaces.contains(space)).count()
    }

    fn wished(&mut self, id: &NodeId, wants: Wants) {
        if let Some(peer) = self.peers.get_mut(id) {
            peer.wants = wants;
        }
    }

    /// The higher id cannot dial, so it lets the lower one know that it is there: at once, or if others are known who
    /// may have heard the same hello, not at once with all of them; and not to every copy of it.
    pub(super) fn plan_here(&mut self, id: &NodeId, now: u64, entropy: &mut dyn Entropy) {
        let own = self.id();
        let Some(peer) = self.peers.get(id) else { return };
        if own < *id
            || peer.link.is_some()
            || peer.here_at.is_some()
            || !wants_link(peer, &self.link_counts())
        {
            return;
        }
        let others = u32::try_from(self.peers.len()).unwrap_or(u32::MAX).saturating_sub(1);
        let spread = others.saturating_mul(HERE_SPREAD_MS).min(MAX_HERE_SPREAD_MS);
        let Some(peer) = self.peers.get_mut(id) else { return };
        let soon = now.saturating_add(u64::from(entropy.below(spread)));
        let rate = if peer.here_was == 0 { 0 } else { peer.here_was.saturating_add(HERE_MS) };
        peer.here_at = Some(soon.max(rate));
        self.tick_here(id, now, entropy);
    }

    /// Says that we are here, if it is time.
    fn tick_here(&mut self, id: &NodeId, now: u64, entropy: &mut dyn Entropy) {
        let Some(peer) = self.peers.get_mut(id) else { return };
        if peer.here_at.is_none_or(|at| now < at) {
            return;
        }
        (peer.here_at, peer.here_was) = (None, now);
        if peer.link.is_none() {
            let wants = self.wants();
            self.direct(id, &Direct::Here(wants), now, entropy);
        }
    }

    /// The lower id dials who has too few links, and makes room for it as it would for an offer: else one that is above
    /// all others would find nobody where all have enough.
    fn make_place(
        &mut self,
        id: &NodeId,
        space: &PublicKey,
        wants: Wants,
        now: u64,
        entropy: &mut dyn Entropy,
    ) {
        let Some(peer) = self.peers.get(id) else { return };
        let full = || self.links.len() >= self.max_links || !wants_link(peer, &self.link_counts());
        let may = wants == Wants::Hungry
            && self.webrtc
            && self.id() < *id
            && peer.link.is_none()
            && peer.is_worth_dialling()
            && now >= peer.retry_at;
        if may && full() && self.unchoke(space, now, entropy) {
            self.dial(id, now, entropy);
        }
    }

    /// Whether an offer of this attempt has a negotiator to go to; makes one if it is new and there is room.
    fn ready_for(&mut self, id: &NodeId, attempt: u64, now: u64, entropy: &mut dyn Entropy) -> bool {
        if self.id() < *id {
            return false;
        }
        let Some(peer) = self.peers.get_mut(id) else { return false };
        if attempt < peer.attempt {
            return false;
        }
        if !self.webrtc {
            self.direct(id, &Direct::Bye { attempt, why: Bye::Full }, now, entropy);
            return false;
        }
        let relayed = matches!(peer.link, Some(Link { path: Path::Off, .. }));
        match peer.link.as_ref().filter(|_| !relayed).map(|link| matches!(link.path, Path::Tab)) {
            Some(true) => {
                self.direct(id, &Direct::Bye { attempt, why: Bye::Unneeded }, now, entropy);
                return false;
            }
            Some(false) if attempt == peer.attempt => return true,
            Some(false) => {
                // The dialer gave the older attempt up; a goodbye for it would only confuse.
                if let Some(negotiator) = peer.negotiator() {
                    negotiator.end(CloseReason::Remote);
                }
                self.drain_negotiator(id, now, entropy);
            }
            // An offer that is said again although its attempt ended here.
            None if attempt == peer.attempt => return false,
            None => {}
        }
        let Some(peer) = self.peers.get(id) else { return false };
        let counts = self.link_counts();
        let relayed = peer.link.is_some();
        let mut room = relayed
            || self.links.len() < self.max_links
                && peer.spaces.iter().any(|space| links_in(&counts, space) < MAX_SPACE_LINKS);
        if !room && peer.wants == Wants::Hungry {
            let spaces = peer.spaces.clone();
            room = spaces.iter().any(|space| self.unchoke(space, now, entropy));
        }
        if !room {
            self.direct(id, &Direct::Bye { attempt, why: Bye::Full }, now, entropy);
            return false;
        }
        if let Some(peer) = self.peers.get_mut(id) {
            peer.attempt = attempt;
            peer.here_at = None;
        }
        let trickle = self.trickles(id);
        self.new_link(*id, |_| negotiation(attempt, Role::Answerer, trickle, now), now);
        self.drain_negotiator(id, now, entropy);
        true
    }

    fn signal(&mut self, id: &NodeId, attempt: u64, direct: Direct, now: u64, entropy: &mut dyn Entropy) {
        let Some(peer) = self.peers.get_mut(id) else { return };
        if let Some(negotiator) = peer.negotiator().filter(|one| one.attempt() == attempt) {
            negotiator.signal(direct, now);
            self.drain_negotiator(id, now, entropy);
        }
    }

    fn bye(&mut self, id: &NodeId, attempt: u64, why: Bye, now: u64, entropy: &mut dyn Entropy) {
        let Some(peer) = self.peers.get_mut(id) else { return };
        let Some(negotiator) = peer.negotiator().filter(|one| one.attempt() == attempt) else { return };
        negotiator.end(CloseReason::Remote);
        self.drain_negotiator(id, now, entropy);
        let later = match why {
            Bye::Closed => 0,
            Bye::Full => FULL_MS,
            Bye::Unneeded => UNNEEDED_MS,
        };
        if let Some(peer) = self.peers.get_mut(id) {
            peer.retry_at = peer.retry_at.max(now.saturating_add(later));
        }
    }

    /// An attempt is over: the relay beside it carries on, if there is one.
    fn path_gone(&mut self, id: &NodeId, reason: CloseReason, now: u64, entropy: &mut dyn Entropy) {
        let Some(peer) = self.peers.get_mut(id) else { return };
        let Some(link) = peer.link.as_mut() else { return };
        self.rtcs.remove(&link.via);
        if link.relay.is_none() {
            return self.link_gone(id, reason, now, entropy);
        }
        let (direct, number, via) = (link.is_direct(), link.id, link.via);
        link.set_path(Path::Off, number);
        let lived = if direct { now.saturating_sub(link.since) } else { 0 };
        peer.ended(lived, now, entropy);
        if direct {
            self.event(MeshEvent::CarrierClosed { link: number, via });
        }
    }

    /// A link is no more: the node hears it, if it knew of it, and the other is dialled again later.
    pub(super) fn link_gone(
        &mut self,
        id: &NodeId,
        reason: CloseReason,
        now: u64,
        entropy: &mut dyn Entropy,
    ) {
        let Some(peer) = self.peers.get_mut(id) else { return };
        let Some(link) = peer.link.take() else { return };
        self.links.remove(&link.id);
        self.rtcs.remove(&link.via);
        let lived = if link.opened { now.saturating_sub(link.since) } else { 0 };
        peer.ended(lived, now, entropy);
        let (spaces, via) = (peer.spaces.clone(), peer.via.clone());
        if !link.opened {
            for one in via {
                if let Some(peer) = self.peers.get_mut(&one) {
                    peer.duds = peer.duds.saturating_add(1);
                }
            }
        }
        let counts = self.link_counts();
        for space in spaces {
            let links = links_in(&counts, &space);
            if let Some(membership) = self.spaces.get_mut(&space) {
                membership.lost(links, now, entropy);
            }
        }
        if link.opened {
            self.event(MeshEvent::LinkClosed { link: link.id, reason });
        }
    }

    /// Sends to one node: through neighbours who know it; if there are none, or it did not work, on every open hub
    /// where it was heard, or on all if none of those is open. Copies are dropped at the other end. With no way at all
    /// nothing is sent; negotiators repeat themselves.
    fn direct(&mut self, id: &NodeId, direct: &Direct, now: u64, entropy: &mut dyn Entropy) {
        let Some(peer) = self.peers.get(id) else { return };
        let shared = || peer.spaces.iter().filter(|space| self.spaces.contains_key(*space));
        let ways =
            |space: &&PublicKey| Some((**space, self.ways(peer, space))).filter(|(_, ways)| !ways.is_empty());
        let through = shared().find_map(|space| ways(&space));
        let any = shared().next().map(|space| (*space, Vec::new()));
        let (Some((space, ways)), Some(key)) = (through.or(any), peer.key) else { return };
        let enough = !ways.is_empty() && !peer.is_elusive();
        let known = peer.hubs.clone();
        let Some((inbox, sealed)) = self.signalling.direct(&space, &key, direct, now, entropy) else {
            return;
        };
        for way in ways {
            self.signal_through(way, space, id, &sealed);
        }
        if enough {
            return;
        }
        let open = |hub: &&mut HubConnection| hub.is_open();
        let reaches = self.hubs.iter().any(|hub| hub.is_open() && known.contains_key(&hub.id()));
        let news: Vec<_> = self
            .hubs
            .iter_mut()
            .filter(open)
            .filter(|hub| !reaches || known.contains_key(&hub.id()))
            .map(|hub| {
                let route = known.get(&hub.id()).and_then(Option::as_ref);
                (hub.id(), hub.send_to(route, &inbox, &sealed, now))
            })
            .collect();
        for (hub, news) in news {
            self.hub_news(hub, news, now, entropy);
        }
    }

    /// Room for one more node: the one heard longest ago goes, unless it has a link.
    pub(super) fn make_room(&mut self) -> bool {
        if self.peers.len() < MAX_PEERS {
            return true;
        }
        let oldest =
            self.peers.iter().filter(|(_, peer)| peer.link.is_none()).min_by_key(|(_, peer)| peer.heard_at);
        let Some(id) = oldest.map(|(id, _)| *id) else { return false };
        self.peers.remove(&id).is_some()
    }
}

/// Where something was heard.
pub(super) enum Heard {
    Hub(HubId, Option<Route>),
    Neighbour(NodeId),
}

/// Links per space.
pub(super) type Counts = Map<PublicKey, usize>;

pub(super) fn links_in(counts: &Counts, space: &PublicKey) -> usize {
    counts.get(space).copied().unwrap_or_default()
}

/// Another attempt to reach a node by WebRTC.
fn negotiation(attempt: u64, role: Role, trickle: bool, now: u64) -> Path {
    let mut negotiator = Negotiator::new(attempt, role, now);
    if !trickle {
        negotiator.gather();
    }
    Path::WebRtc(Box::new(negotiator))
}

/// Whether in any shared space a link is wanted on both sides, or there is room for one that the other needs.
pub(super) fn wants_link(peer: &Peer, counts: &Counts) -> bool {
    peer.spaces.iter().map(|space| links_in(counts, space)).any(|links| match peer.wants {
        // The last resort of a node that has too few.
        Wants::Nothing => links < FEW_LINKS,
        Wants::Some => wants(links) > Wants::Nothing,
        Wants::Hungry => links < MAX_SPACE_LINKS,
    })
}

/// Nodes that are remembered.
const MAX_PEERS: usize = 256;
/// Nodes that are to answer a hello in a large space.
const ANSWERS: u32 = 4;
/// Milliseconds over which answers to a hello spread, for each other node that is known; and at most.
const HERE_SPREAD_MS: u32 = 50;
const MAX_HERE_SPREAD_MS: u32 = 400;
/// Between two answers to the same node's hellos.
const HERE_MS: u64 = 2_000;
/// A node that had no room is left alone for so long.
const FULL_MS: u64 = 60_000;
/// A node that has a better way too.
const UNNEEDED_MS: u64 = 30_000;
