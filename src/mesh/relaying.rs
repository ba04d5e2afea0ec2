//! Sessions over hubs that may relay: begun at once, while WebRTC is still being negotiated, and kept beside it as the
//! way back.
//!
//! The lower id begins a conversation and numbers it like an attempt; the other takes it up if a hub may relay here too.
//! Nothing goes through a hub for a carrier that stands by. Only hubs that the person named for it carry data.

use super::links::{Counts, links_in, wants_link};
use super::membership::MAX_SPACE_LINKS;
use super::peer::{Link, Path, Peer};
use super::relay::{Packet, Relay};
use super::signal::{Bye, Direct};
use super::{
    Carrier, CloseReason, HubId, LinkId, Mesh, MeshEvent, MeshOutput, NodeId,
    hub::{HubConnection, HubNews},
};
use crate::crypto::Entropy;

/// Which hubs may carry data.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Relaying {
    /// Every hub of a kind that can.
    Always,
    /// None.
    Never,
    /// Those whose address says so.
    #[default]
    Told,
}

impl Mesh {
    /// What may carry sessions, for hubs and links from now on.
    pub const fn set_transports(&mut self, webrtc: bool, relaying: Relaying) {
        (self.webrtc, self.relaying) = (webrtc, relaying);
    }

    /// A carrier is of no use to the session: another takes its place, or none.
    pub fn close_carrier(&mut self, link: LinkId, via: LinkId, now: u64, entropy: &mut dyn Entropy) {
        let Some(id) = self.links.get(&link).copied() else { return };
        let Some(open) = self.peers.get_mut(&id).and_then(|peer| peer.link.as_mut()) else { return };
        if open.relay.as_ref().is_some_and(|relay| relay.id == via) {
            self.say_bye_to_relay(&id, Bye::Closed, now, entropy);
            self.relay_gone(&id, CloseReason::Local, now, entropy);
        } else if open.via == via
            && let Path::WebRtc(negotiator) = &mut open.path
        {
            negotiator.end(CloseReason::Fault { what: "a handshake that does not fit" });
            self.drain_negotiator(&id, now, entropy);
        }
        self.settle(now, entropy);
    }

    /// The session hears nothing over a carrier.
    pub fn doubt(&mut self, link: LinkId, via: LinkId, now: u64, entropy: &mut dyn Entropy) {
        let Some(id) = self.links.get(&link).copied() else { return };
        let open = self.peers.get_mut(&id).and_then(|peer| peer.link.as_mut());
        if let Some(Link { path: Path::WebRtc(negotiator), .. }) = open.filter(|open| open.via == via) {
            negotiator.doubt(now);
            self.drain_negotiator(&id, now, entropy);
        }
        self.settle(now, entropy);
    }

    /// What a carrier of a link is.
    pub fn carrier(&self, link: LinkId, via: LinkId) -> Option<Carrier> {
        let open = self.peers.get(self.links.get(&link)?)?.link.as_ref()?;
        if open.relay.as_ref().is_some_and(|relay| relay.id == via) {
            return Some(Carrier::Relay);
        }
        match open.path {
            Path::Tab => Some(Carrier::Tab),
            Path::WebRtc(_) if open.via == via => Some(Carrier::WebRtc),
            _ => None,
        }
    }

    /// Whether any hub may relay and is open.
    pub fn may_relay(&self) -> bool {
        self.hubs.iter().any(|hub| hub.may_relay())
    }

    /// The hub over which a node is reached with data, if one may: where its conversation's last packet came from, or
    /// where it was heard last. It may have lost any other without a word.
    fn relay_hub(&self, peer: &Peer) -> Option<HubId> {
        if self.relaying == Relaying::Never {
            return None;
        }
        let relay = peer.link.as_ref().and_then(|link| link.relay.as_ref());
        let spoke = relay.and_then(|relay| relay.hub).into_iter().chain(peer.last_hub);
        let mut hubs = spoke.chain(self.hubs.iter().map(|hub| hub.id()));
        hubs.find(|hub| self.relays_on(*hub, peer))
    }

    fn relays_on(&self, hub: HubId, peer: &Peer) -> bool {
        let may = |one: &HubConnection| one.id() == hub && one.may_relay();
        peer.hubs.contains_key(&hub) && self.hubs.iter().any(may)
    }

    /// Nobody answers on the hub of a conversation: the next begins on another where the node was heard, if there is
    /// one, until it is heard here again.
    fn avoid_hub(&mut self, id: &NodeId) {
        let Some(peer) = self.peers.get(id) else { return };
        let Some(silent) = self.relay_hub(peer) else { return };
        let other = |hub: &HubConnection| hub.id() != silent && self.relays_on(hub.id(), peer);
        if self.hubs.iter().any(other)
            && let Some(peer) = self.peers.get_mut(id)
        {
            peer.hubs.remove(&silent);
        }
    }

    /// Begins conversations where one is due.
    pub(super) fn begin_relays(&mut self, now: u64, entropy: &mut dyn Entropy) {
        if !self.may_relay() {
            return;
        }
        let counts = self.link_counts();
        let due = |(id, peer): &(&NodeId, &Peer)| now >= peer.relay_at && self.may_begin(id, peer, &counts);
        let ids: Vec<NodeId> = self.peers.iter().filter(due).map(|(id, _)| *id).collect();
        for id in ids {
            if self.relays() >= MAX_RELAYS {
                return;
            }
            self.last_link = self.last_link.saturating_add(1);
            let number = self.last_link;
            self.add_relay(id, number, now);
        }
        self.flush_relays(now, entropy);
    }

    /// Whether a conversation with a node is wanted: beside WebRTC, or instead of it.
    fn may_begin(&self, id: &NodeId, peer: &Peer, counts: &Counts) -> bool {
        let wanted = match &peer.link {
            None => !self.webrtc && self.links.len() < self.max_links && wants_link(peer, counts),
            Some(link) => link.relay.is_none() && !matches!(link.path, Path::Tab),
        };
        wanted && self.id() < *id && peer.key.is_some() && self.relay_hub(peer).is_some()
    }

    fn relays(&self) -> usize {
        let relayed = |peer: &&Peer| peer.link.as_ref().is_some_and(|link| link.relay.is_some());
        self.peers.values().filter(relayed).count()
    }

    fn add_relay(&mut self, id: NodeId, number: u64, now: u64) {
        let via = LinkId(self.last_link);
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.relay_number = number;
        if peer.link.is_none() {
            peer.link = Some(Link::new(via, Path::Off, now));
            self.links.insert(via, id);
        }
        if let Some(link) = self.peers.get_mut(&id).and_then(|peer| peer.link.as_mut()) {
            link.relay = Some(Box::new(Relay::new(via, number, now)));
        }
        self.open_event(id, via, Carrier::Relay, None);
    }

    /// A packet of a conversation came through a hub.
    pub(super) fn relayed(
        &mut self,
        id: &NodeId,
        hub: HubId,
        attempt: u64,
        packet: Packet,
        now: u64,
        entropy: &mut dyn Entropy,
    ) {
        let allowed = self.relaying != Relaying::Never
            && self.hubs.iter().any(|one| one.id() == hub && one.may_relay());
        let Some(peer) = self.peers.get(id) else { return };
        let current = peer.link.as_ref().and_then(|link| link.relay.as_ref()).map(|relay| relay.number);
        if current != Some(attempt) {
            let dialled = *id < self.id();
            if !dialled || attempt <= peer.relay_number || !allowed {
                let why = if allowed { Bye::Closed } else { Bye::Unneeded };
                if packet.number > 0 {
                    self.direct_relay_bye(id, attempt, why, now, entropy);
                }
                return;
            }
            if matches!(peer.link, Some(Link { path: Path::Tab, .. })) {
                return self.direct_relay_bye(id, attempt, Bye::Unneeded, now, entropy);
            }
            let counts = self.link_counts();
            let room = peer.link.is_some()
                || (self.links.len() < self.max_links
                    && peer.spaces.iter().any(|space| links_in(&counts, space) < MAX_SPACE_LINKS));
            if !room || self.relays() >= MAX_RELAYS {
                return self.direct_relay_bye(id, attempt, Bye::Full, now, entropy);
            }
            if current.is_some() {
                self.relay_gone(id, CloseReason::Replaced, now, entropy);
            }
            self.last_link = self.last_link.saturating_add(1);
            self.add_relay(*id, attempt, now);
        }
        let link = self.peers.get_mut(id).and_then(|peer| peer.link.as_mut());
        let Some(relay) = link.and_then(|link| link.relay.as_mut()) else { return };
        if allowed {
            relay.hub = Some(hub);
        }
        let via = relay.id;
        for bytes in relay.receive(packet, now) {
            self.link_data(id, via, bytes);
        }
        self.flush_relays(now, entropy);
    }

    /// Bytes of a session for a relay; `false` if it is full or gone.
    pub(super) fn relay_send(&mut self, id: &NodeId, bytes: &[u8]) -> Result<(), u64> {
        let link = self.peers.get_mut(id).and_then(|peer| peer.link.as_mut());
        let Some(relay) = link.and_then(|link| link.relay.as_mut()) else { return Err(0) };
        if let Some(queued) = relay.full() {
            return Err(queued);
        }
        relay.send(bytes);
        self.changed();
        Ok(())
    }

    /// Sends what is due in all conversations; gives up those that nobody answers.
    pub(super) fn flush_relays(&mut self, now: u64, entropy: &mut dyn Entropy) {
        // Each begins behind the one that sent last: the first in turn would take all that the pace allows.
        let (before, mut ids): (Vec<_>, Vec<_>) = self
            .links
            .iter()
            .map(|(link, id)| (*link, *id))
            .partition(|(link, _)| *link <= self.relayed_last);
        ids.extend(before);
        for (turn, id) in ids {
            if self.peers.get(&id).and_then(|peer| self.relay_hub(peer)).is_none() {
                continue;
            }
            while let Some(link) = self.peers.get_mut(&id).and_then(|peer| peer.link.as_mut()) {
                let Some(relay) = link.relay.as_mut() else { break };
                if relay.is_dead(now) {
                    self.say_bye_to_relay(&id, Bye::Closed, now, entropy);
                    self.avoid_hub(&id);
                    self.relay_gone(&id, CloseReason::Timeout { seconds: 20 }, now, entropy);
                    break;
                }
                let (number, via, packet) = (relay.number, relay.id, relay.poll(now, &mut self.pace));
                if relay.drained() {
                    let link = link.id;
                    self.event(MeshEvent::LinkWritable { link, via });
                }
                let Some(packet) = packet else { break };
                if packet.number > 0 {
                    self.relayed_last = turn;
                }
                self.relay_out(&id, &Direct::Relay { attempt: number, packet }, now, entropy);
            }
        }
    }

    /// A hub is open: conversations that waited for it go on.
    pub(super) fn revive_relays(&mut self, now: u64) {
        let links = self.peers.values_mut().filter_map(|peer| peer.link.as_mut());
        links.filter_map(|link| link.relay.as_mut()).for_each(|relay| relay.revive(now));
    }

    /// When [`Mesh::flush_relays`] has something to do.
    pub(super) fn relay_deadline(&self) -> Option<u64> {
        // Without a hub nothing can be done but to wait for one.
        let relay = |peer: &Peer| {
            let next = peer.link.as_ref()?.relay.as_ref()?.deadline(&self.pace)?;
            self.relay_hub(peer).map(|_| next)
        };
        let counts = self.link_counts();
        let may = self.may_relay() && self.relays() < MAX_RELAYS;
        let begins = self.peers.iter().filter(|(id, peer)| may && self.may_begin(id, peer, &counts));
        let begins = begins.map(|(_, peer)| peer.relay_at);
        self.peers.values().filter_map(relay).chain(begins).min()
    }

    /// A conversation is over: its link too, if that has nothing else.
    pub(super) fn relay_gone(
        &mut self,
        id: &NodeId,
        reason: CloseReason,
        now: u64,
        entropy: &mut dyn Entropy,
    ) {
        let Some(peer) = self.peers.get_mut(id) else { return };
        let Some(link) = peer.link.as_mut() else { return };
        let Some(relay) = link.relay.take() else { return };
        peer.relay_at =
            now.saturating_add(AGAIN_MS).saturating_add(u64::from(entropy.below(AGAIN_SPREAD_MS)));
        let (number, via) = (link.id, relay.id);
        match link.path {
            Path::Off => self.link_gone(id, reason, now, entropy),
            _ if link.is_direct() => self.event(MeshEvent::CarrierClosed { link: number, via }),
            // The session has nothing left; WebRTC is still under way, and begins another.
            _ => {
                link.opened = false;
                link.channels.clear();
                self.event(MeshEvent::LinkClosed { link: number, reason });
            }
        }
    }

    /// The other end does not relay, or no more.
    pub(super) fn relay_bye(
        &mut self,
        id: &NodeId,
        attempt: u64,
        why: Bye,
        now: u64,
        entropy: &mut dyn Entropy,
    ) -> bool {
        let Some(peer) = self.peers.get(id) else { return false };
        let relay = peer.link.as_ref().and_then(|link| link.relay.as_ref());
        if relay.is_none_or(|relay| relay.number != attempt) {
            return false;
        }
        self.relay_gone(id, CloseReason::Remote, now, entropy);
        if let Some(peer) = self.peers.get_mut(id)
            && why != Bye::Closed
        {
            peer.relay_at = now.saturating_add(REFUSED_MS);
        }
        true
    }

    /// Says goodbye in the conversation that is there, if any.
    pub(super) fn say_bye_to_relay(&mut self, id: &NodeId, why: Bye, now: u64, entropy: &mut dyn Entropy) {
        let link = self.peers.get(id).and_then(|peer| peer.link.as_ref());
        if let Some(attempt) = link.and_then(|link| link.relay.as_ref()).map(|relay| relay.number) {
            self.direct_relay_bye(id, attempt, why, now, entropy);
        }
    }

    fn direct_relay_bye(&mut self, id: &NodeId, attempt: u64, why: Bye, now: u64, entropy: &mut dyn Entropy) {
        self.relay_out(id, &Direct::Bye { attempt, why }, now, entropy);
    }

    /// Sends on one hub that may relay, or on none.
    fn relay_out(&mut self, id: &NodeId, direct: &Direct, now: u64, entropy: &mut dyn Entropy) {
        let Some(peer) = self.peers.get(id) else { return };
        let space = peer.spaces.iter().find(|space| self.spaces.contains_key(*space)).copied();
        let (Some(space), Some(key), Some(at)) = (space, peer.key, self.relay_hub(peer)) else { return };
        let route = peer.hubs.get(&at).cloned().flatten();
        let Some((inbox, sealed)) = self.signalling.direct(&space, &key, direct, now, entropy) else {
            return;
        };
        let Some(hub) = self.hubs.iter_mut().find(|hub| hub.id() == at) else { return };
        for news in hub.send_to(route.as_ref(), &inbox, &sealed, now) {
            if let HubNews::Send(frame) = news {
                self.out.push_back(MeshOutput::RelaySend { hub: at, frame });
            }
        }
    }
}

/// Conversations at once.
const MAX_RELAYS: usize = 16;
/// Milliseconds until a conversation that ended is begun again.
const AGAIN_MS: u64 = 2_000;
const AGAIN_SPREAD_MS: u32 = 3_000;
/// Milliseconds until one that does not want to relay is asked again.
const REFUSED_MS: u64 = 300_000;
