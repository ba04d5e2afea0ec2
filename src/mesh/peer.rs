//! A node that was heard of, and the link to it if there is one.

use super::{
    Carrier, HIGH_WATER, HubId, LOW_WATER, LinkId, LinkState, NodeId, PeerInfo, Route, backoff::Backoff,
    bucket::Bucket, negotiate::Negotiator, relay::Relay, replay::Window, signal::Wants,
};
use crate::collections::{Map, Set};
use crate::crypto::{Entropy, PublicKey};

/// A node that was heard of.
pub(crate) struct Peer {
    /// Its X25519 session key; `None` for a tab that was met here only.
    pub(crate) key: Option<[u8; 32]>,
    /// Spaces of ours that it is in.
    pub(crate) spaces: Set<PublicKey>,
    /// Where it was heard, and how to answer there.
    pub(crate) hubs: Map<HubId, Option<Route>>,
    /// Where it was heard last.
    pub(crate) last_hub: Option<HubId>,
    /// Neighbours who know it, the latest last.
    pub(crate) via: Vec<NodeId>,
    /// Its introductions in a row that led nowhere.
    pub(crate) duds: u32,
    pub(crate) heard_at: u64,
    pub(crate) wants: Wants,
    pub(crate) window: Window,
    /// When it is told that we are here.
    pub(crate) here_at: Option<u64>,
    pub(crate) here_was: u64,
    /// Its highest attempt that was answered here.
    pub(crate) attempt: u64,
    /// Its latest conversation over a hub.
    pub(crate) relay_number: u64,
    /// No conversation over a hub is begun earlier.
    pub(crate) relay_at: u64,
    backoff: Backoff,
    /// Not dialled earlier.
    pub(crate) retry_at: u64,
    /// Dialled in vain since it was heard last.
    tries: u32,
    pub(crate) link: Option<Link>,
}

/// A connection, or an attempt at it.
pub(crate) struct Link {
    pub(crate) id: LinkId,
    pub(crate) since: u64,
    /// Whether the node above knows of it.
    pub(crate) opened: bool,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    buffered: u64,
    full: bool,
    pub(crate) path: Path,
    /// Number of what `path` is.
    pub(crate) via: LinkId,
    /// Whether that goes through a TURN server.
    pub(crate) turned: bool,
    /// A conversation over a hub beside it: the session begins there, and goes back there.
    pub(crate) relay: Option<Box<Relay>>,
    /// Spaces with an open channel.
    pub(crate) channels: Set<PublicKey>,
    /// When the other end was told of others last.
    pub(crate) listed_at: u64,
    /// Own device or replica.
    pub(crate) preferred: bool,
    /// Signalling that it hands over.
    pub(crate) signals: Bucket,
}

/// What a link runs over, beside a relay.
pub(crate) enum Path {
    /// Nothing else.
    Off,
    Tab,
    WebRtc(Box<Negotiator>),
}

impl Peer {
    pub(crate) fn new(now: u64) -> Self {
        Self {
            key: None,
            spaces: Set::new(),
            hubs: Map::new(),
            last_hub: None,
            via: Vec::new(),
            duds: 0,
            heard_at: now,
            wants: Wants::Nothing,
            window: Window::default(),
            here_at: None,
            here_was: 0,
            attempt: 0,
            relay_number: 0,
            relay_at: 0,
            backoff: Backoff::default(),
            retry_at: 0,
            tries: 0,
            link: None,
        }
    }

    /// It lives: dialling in vain is forgotten. It is answered where it spoke last: a neighbour that knew it may not
    /// reach it any more, and would drop what is for it without a word.
    pub(crate) fn heard(&mut self, hub: HubId, route: Option<Route>, now: u64) {
        self.heard_at = now;
        self.tries = 0;
        self.via.clear();
        if self.hubs.len() < MAX_HUBS_PER_PEER || self.hubs.contains_key(&hub) {
            self.hubs.insert(hub, route);
            self.last_hub = Some(hub);
        }
    }

    /// A neighbour knows it. Dialling in vain is forgotten only after a while: it may be a lie.
    pub(crate) fn met(&mut self, via: NodeId, now: u64) {
        self.via.retain(|id| *id != via);
        if self.via.len() >= MAX_VIA {
            self.via.remove(0);
        }
        self.via.push(via);
        if now.saturating_sub(self.heard_at) >= STALE_MS {
            (self.heard_at, self.tries) = (now, 0);
        }
    }

    /// Whether it was dialled in vain since it was heard.
    pub(crate) const fn is_elusive(&self) -> bool {
        self.tries > 0
    }

    /// Whether it has not been dialled in vain too often since it was last heard.
    pub(crate) const fn is_worth_dialling(&self) -> bool {
        self.tries < MAX_TRIES
    }

    /// A link ended that had been open for so long: when to dial again.
    pub(crate) fn ended(&mut self, lived: u64, now: u64, entropy: &mut dyn Entropy) {
        if lived >= HEALTHY_MS {
            self.backoff.reset();
            self.tries = 0;
        } else {
            self.tries = self.tries.saturating_add(1);
        }
        self.retry_at = now.saturating_add(self.backoff.fail(entropy));
    }

    pub(crate) const fn negotiator(&mut self) -> Option<&mut Negotiator> {
        match &mut self.link {
            Some(Link { path: Path::WebRtc(negotiator), .. }) => Some(negotiator),
            _ => None,
        }
    }

    pub(crate) fn info(&self, id: NodeId) -> Option<PeerInfo> {
        let link = self.link.as_ref()?;
        let (carrier, state) = match &link.path {
            Path::Tab => (Carrier::Tab, LinkState::Open),
            Path::WebRtc(negotiator) if negotiator.state() == LinkState::Open || link.relay.is_none() => {
                (Carrier::WebRtc, negotiator.state())
            }
            Path::Off | Path::WebRtc(_) => (Carrier::Relay, LinkState::Open),
        };
        Some(PeerInfo {
            id,
            link: link.id,
            carrier,
            turned: link.turned,
            state,
            since: link.since,
            bytes_in: link.bytes_in,
            bytes_out: link.bytes_out,
            spaces: self.spaces.iter().copied().collect(),
        })
    }
}

impl Link {
    pub(crate) const fn new(id: LinkId, path: Path, now: u64) -> Self {
        Self {
            id,
            since: now,
            opened: false,
            bytes_in: 0,
            bytes_out: 0,
            buffered: 0,
            full: false,
            path,
            via: id,
            turned: false,
            relay: None,
            channels: Set::new(),
            listed_at: 0,
            preferred: false,
            signals: Bucket::new(SIGNAL_BURST, SIGNALS_PER_SECOND, now),
        }
    }

    /// Whether it may be given up for another.
    pub(crate) const fn is_spare(&self) -> bool {
        self.opened && !self.preferred && !matches!(self.path, Path::Tab)
    }

    /// Whether its own path carries bytes, relay or not.
    pub(crate) fn is_direct(&self) -> bool {
        match &self.path {
            Path::Off => false,
            Path::Tab => true,
            Path::WebRtc(negotiator) => negotiator.is_open(),
        }
    }

    /// A new path: nothing waits on it.
    pub(crate) fn set_path(&mut self, path: Path, via: LinkId) {
        (self.path, self.via, self.buffered, self.full, self.turned) = (path, via, 0, false, false);
    }

    /// Bytes waiting, if the link takes no more.
    pub(crate) fn full(&self) -> Option<u64> {
        self.full.then_some(self.buffered)
    }

    /// Bytes were handed to the driver for its own path.
    pub(crate) fn sent(&mut self, bytes: u64) {
        if matches!(self.path, Path::WebRtc(_)) {
            self.buffered = self.buffered.saturating_add(bytes);
            self.full = self.full || self.buffered >= HIGH_WATER;
        }
    }

    /// The driver says how much waits; true if the link was full and takes more now.
    pub(crate) const fn buffered(&mut self, bytes: u64) -> bool {
        self.buffered = bytes;
        let again = self.full && bytes < LOW_WATER;
        self.full = self.full && !again;
        again
    }
}

/// A node that is never heard again is dialled so often.
const MAX_TRIES: u32 = 4;
const MAX_HUBS_PER_PEER: usize = 8;
const MAX_VIA: usize = 4;
/// Who was not heard for so long is tried again when a neighbour names it.
const STALE_MS: u64 = 60_000;
/// Connecting takes half a dozen messages on each side.
const SIGNAL_BURST: u32 = 200;
const SIGNALS_PER_SECOND: u32 = 20;
/// A link that lived so long was a good one.
const HEALTHY_MS: u64 = 30_000;
