//! What neighbours do for each other: they introduce peers of a space, and carry the sealed signalling of two who are
//! not connected yet. So a hub is needed once, to find the first of them.
//!
//! ```text
//! B ── Peers: B itself, and what it wants ──▶ A         every minute, and soon after a link was lost
//! B ◀── Peers: A itself, some of its links ── A ── Peers: A itself, B ──▶ C        if B would take a link
//! B ── signal: to C, sealed ──▶ A ── signal: to C, sealed ──▶ C                    offers, answers, candidates
//!
//! address   01 │ session key 32 │ wants u8                      as one of the addresses of a peers message
//! signal    01 │ recipient's id 16 │ sealed, as to a hub        message of the extension `signal`
//! ```
//! Both travel on the channel of their space, so that nobody learns of spaces that are not shared. A neighbour sees who
//! signals to whom, and no word of it. It passes on to its own neighbours only, so nothing goes round; each link has a
//! rate. Who introduces nodes that cannot be reached is not listened to after a while.

use super::links::links_in;
use super::membership::{TARGET_LINKS, wants};
use super::peer::Peer;
use super::signal::{Content, Wants};
use super::topic::inbox;
use super::{CloseReason, LinkId, Mesh, MeshEvent, NodeId};
use crate::codec::{Reader, Writer};
use crate::crypto::{Entropy, PublicKey};
use crate::sync::Message;

impl Mesh {
    /// The session on a link shares a space: neighbours in it can be asked.
    pub fn channel_opened(&mut self, link: LinkId, space: PublicKey, now: u64, entropy: &mut dyn Entropy) {
        let Some(id) = self.links.get(&link).copied() else { return };
        if let Some(open) = self.peers.get_mut(&id).and_then(|peer| peer.link.as_mut()) {
            open.channels.insert(space);
        }
        self.introduce(&id, &space, true, now, entropy);
        self.settle(now, entropy);
    }

    /// The session on a link shares a space no more.
    pub fn channel_closed(&mut self, link: LinkId, space: &PublicKey) {
        let peer = self.links.get(&link).and_then(|id| self.peers.get_mut(id));
        if let Some(open) = peer.and_then(|peer| peer.link.as_mut()) {
            open.channels.remove(space);
        }
    }

    /// The other end of a link is one of our own devices or a replica of ours: it stays when room is needed.
    pub fn prefer(&mut self, link: LinkId) {
        let peer = self.links.get(&link).and_then(|id| self.peers.get_mut(id));
        if let Some(open) = peer.and_then(|peer| peer.link.as_mut()) {
            open.preferred = true;
        }
    }

    /// A neighbour says something for the mesh on the channel of a space; anything else is ignored.
    pub fn neighbour(
        &mut self,
        link: LinkId,
        space: PublicKey,
        message: Message,
        now: u64,
        entropy: &mut dyn Entropy,
    ) {
        let Some(from) = self.links.get(&link).copied() else { return };
        match message {
            Message::Peers(addresses) => self.introduced(&from, &space, &addresses, now, entropy),
            Message::Extension { name, bytes } if name == SIGNAL => {
                // What cannot be read is dropped like all that is foreign.
                let _ = self.signalled(&from, &space, &bytes, now, entropy);
            }
            _ => {}
        }
        self.settle(now, entropy);
    }

    /// Neighbours who can pass something on to a node in a space: those who introduced it, else any, who may know it.
    pub(super) fn ways(&self, peer: &Peer, space: &PublicKey) -> Vec<LinkId> {
        let open = |id: &NodeId| {
            let link = self.peers.get(id)?.link.as_ref()?;
            (link.opened && link.channels.contains(space)).then_some(link.id)
        };
        let mut ways: Vec<LinkId> = peer.via.iter().rev().filter_map(open).collect();
        if ways.is_empty() && !self.has_hub() {
            ways.extend(self.links.values().filter_map(open).filter(|link| {
                // Not through itself.
                peer.link.as_ref().is_none_or(|own| own.id != *link)
            }));
        }
        ways.truncate(MAX_WAYS);
        ways
    }

    /// Whether there is a way to tell a node something.
    pub(super) fn is_reachable(&self, peer: &Peer) -> bool {
        self.has_hub() || peer.spaces.iter().any(|space| !self.ways(peer, space).is_empty())
    }

    /// Hands something sealed to a neighbour.
    pub(super) fn signal_through(&mut self, link: LinkId, space: PublicKey, to: &NodeId, sealed: &[u8]) {
        let mut bytes = Writer::versioned();
        bytes.raw(&to.0).raw(sealed);
        let message = Message::Extension { name: SIGNAL.to_owned(), bytes: bytes.finish() };
        self.say(link, space, message);
    }

    /// Tells neighbours what this node wants, in the spaces whose time has come.
    pub(super) fn tick_rounds(&mut self, now: u64, entropy: &mut dyn Entropy) {
        let due: Vec<PublicKey> =
            self.spaces.iter().filter(|(_, one)| now >= one.next_round).map(|(space, _)| *space).collect();
        for space in due {
            if let Some(membership) = self.spaces.get_mut(&space) {
                membership.next_round =
                    now.saturating_add(ROUND_MS).saturating_add(u64::from(entropy.below(ROUND_SPREAD_MS)));
            }
            for id in self.neighbours(&space) {
                let hungry = self.peers.get(&id).is_some_and(|peer| peer.wants > Wants::Nothing);
                self.introduce(&id, &space, hungry, now, entropy);
            }
        }
    }

    /// Makes room in a full space for one that needs a link: not at the cost of own devices, nor of the links that
    /// lasted longest, so that strangers cannot push all of them out.
    pub(super) fn unchoke(&mut self, space: &PublicKey, now: u64, entropy: &mut dyn Entropy) -> bool {
        if now < self.next_unchoke {
            return false;
        }
        let Some(id) = self.spare(space, entropy) else { return false };
        self.next_unchoke = now.saturating_add(UNCHOKE_MS);
        self.end_link(&id, CloseReason::Replaced, now, entropy);
        true
    }

    /// One of the links of a space that may go, by chance.
    pub(super) fn spare(&self, space: &PublicKey, entropy: &mut dyn Entropy) -> Option<NodeId> {
        let mut links: Vec<(LinkId, NodeId)> = self
            .links
            .iter()
            .filter(|(_, id)| {
                self.peers.get(*id).is_some_and(|peer| {
                    peer.spaces.len() == 1
                        && peer.spaces.contains(space)
                        && peer.wants == Wants::Nothing
                        && peer.link.as_ref().is_some_and(|link| link.is_spare())
                })
            })
            .map(|(link, id)| (*link, *id))
            .collect();
        // Link ids grow: the first are the oldest.
        links.drain(..links.len().min(OLD_LINKS));
        pick(&mut links, entropy).map(|(_, id)| id)
    }

    fn say(&mut self, link: LinkId, space: PublicKey, message: Message) {
        self.event(MeshEvent::Neighbour { link, space, message: Box::new(message) });
    }

    /// Nodes with an open channel of a space.
    fn neighbours(&self, space: &PublicKey) -> Vec<NodeId> {
        let open = |id: &&NodeId| {
            let link = self.peers.get(*id).and_then(|peer| peer.link.as_ref());
            link.is_some_and(|link| link.opened && link.channels.contains(space))
        };
        self.links.values().filter(open).copied().collect()
    }

    /// Tells one neighbour who we are and what we want, and of some of our other neighbours.
    fn introduce(
        &mut self,
        id: &NodeId,
        space: &PublicKey,
        others: bool,
        now: u64,
        entropy: &mut dyn Entropy,
    ) {
        let Some(link) = self.peers.get_mut(id).and_then(|peer| peer.link.as_mut()) else { return };
        let to = link.id;
        if others {
            link.listed_at = now;
        }
        let own = wants(links_in(&self.link_counts(), space));
        let mut addresses = vec![address(&self.signalling.key(), own)];
        if others {
            let mut known = self.neighbours(space);
            while addresses.len() <= MAX_INTRODUCED
                && let Some(other) = pick(&mut known, entropy)
            {
                let peer = self.peers.get(&other).filter(|_| other != *id);
                addresses.extend(peer.and_then(|peer| Some(address(&peer.key?, peer.wants))));
            }
        }
        self.say(to, *space, Message::Peers(addresses));
    }

    /// A neighbour told of itself and of others.
    fn introduced(
        &mut self,
        from: &NodeId,
        space: &PublicKey,
        addresses: &[Vec<u8>],
        now: u64,
        entropy: &mut dyn Entropy,
    ) {
        let mut addresses = addresses.iter().filter_map(|bytes| read_address(bytes));
        let Some((key, wants)) = addresses.next().filter(|(key, _)| NodeId::of(key) == *from) else { return };
        let Some(peer) = self.peers.get_mut(from) else { return };
        (peer.key, peer.wants, peer.heard_at) = (Some(key), wants, now);
        let listen = peer.duds < MAX_DUDS;
        let Some(link) = peer.link.as_ref() else { return };
        let answer = wants > Wants::Nothing && now >= link.listed_at.saturating_add(LISTED_MS);
        if listen {
            for (key, wants) in addresses.take(MAX_INTRODUCED) {
                let id = NodeId::of(&key);
                if id == self.id() || (!self.peers.contains_key(&id) && !self.make_room()) {
                    continue;
                }
                let peer = self.peers.entry(id).or_insert_with(|| Peer::new(now));
                peer.key = Some(key);
                peer.met(*from, now);
                if peer.link.is_none() {
                    // What an open link is for is its session's to say.
                    peer.spaces.insert(*space);
                    peer.wants = wants;
                    self.plan_here(&id, now, entropy);
                }
            }
        }
        if answer {
            self.introduce(from, space, true, now, entropy);
            let mut others = self.neighbours(space);
            others.retain(|id| id != from);
            let own = super::membership::wants(links_in(&self.link_counts(), space));
            let message = Message::Peers(vec![address(&self.signalling.key(), own), address(&key, wants)]);
            for _ in 0..if wants == Wants::Hungry { MAX_TOLD } else { 0 } {
                let Some(other) = pick(&mut others, entropy) else { break };
                if let Some(link) = self.peers.get(&other).and_then(|peer| peer.link.as_ref()) {
                    let link = link.id;
                    self.say(link, *space, message.clone());
                }
            }
        }
    }

    /// A neighbour hands over what is for us, or for another neighbour of ours.
    fn signalled(
        &mut self,
        from: &NodeId,
        space: &PublicKey,
        bytes: &[u8],
        now: u64,
        entropy: &mut dyn Entropy,
    ) -> Option<()> {
        let mut reader = Reader::versioned(bytes).ok()?;
        let to = NodeId(reader.array().ok()?);
        let sealed = reader.rest();
        if !self.peers.get_mut(from)?.link.as_mut()?.signals.take(now) {
            self.signalling.count(super::signal::Dropped::Flooded);
            return None;
        }
        if to != self.id() {
            let link = self.peers.get(&to).filter(|_| to != *from)?.link.as_ref()?;
            if link.opened && link.channels.contains(space) {
                let link = link.id;
                self.signal_through(link, *space, &to, sealed);
            }
            return None;
        }
        let topic = inbox(space, &to);
        let received = self.signalling.receive(space, &topic, sealed, now)?;
        if matches!(received.content, Content::Direct(_)) {
            self.heard(space, super::links::Heard::Neighbour(*from), received, now, entropy);
        }
        Some(())
    }
}

/// `01 │ session key 32 │ wants u8`.
fn address(key: &[u8; 32], wants: Wants) -> Vec<u8> {
    let mut out = Writer::versioned();
    out.raw(key).u8(wants.to_u8());
    out.finish()
}

fn read_address(bytes: &[u8]) -> Option<([u8; 32], Wants)> {
    let mut reader = Reader::versioned(bytes).ok()?;
    let key = reader.array().ok()?;
    let wants = Wants::from_u8(reader.u8().ok()?).ok()?;
    reader.end().ok()?;
    Some((key, wants))
}

/// Takes one out, by chance.
fn pick<T>(from: &mut Vec<T>, entropy: &mut dyn Entropy) -> Option<T> {
    let count = u32::try_from(from.len()).ok().filter(|count| *count > 0)?;
    let at = usize::try_from(entropy.below(count)).ok()?;
    Some(from.swap_remove(at))
}

/// Name of the extension that carries signalling.
const SIGNAL: &str = "signal";
/// Between two rounds of introductions.
const ROUND_MS: u64 = 45_000;
const ROUND_SPREAD_MS: u32 = 30_000;
/// A neighbour is not given lists in quicker succession.
const LISTED_MS: u64 = 5_000;
/// Others in one list.
const MAX_INTRODUCED: usize = TARGET_LINKS;
/// Neighbours who are told of a node that lacks links.
const MAX_TOLD: usize = 4;
/// Neighbours through which one message goes; copies are dropped at the other end.
const MAX_WAYS: usize = 2;
/// Introductions in a row that led nowhere, after which a neighbour is not listened to.
const MAX_DUDS: u32 = 8;
/// Links of a space that are never given up for a newcomer: the oldest.
const OLD_LINKS: usize = 4;
/// Between two links that are given up.
const UNCHOKE_MS: u64 = 30_000;
