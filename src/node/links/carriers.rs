//! What the sessions of a node go over, and what happens when the page wakes up.

use super::super::{Event, Node};
use super::Link;
use crate::{
    mesh::{self, Fingerprints, LinkId, MeshInput, Relaying},
    sync::{Carrier, NextCarrier},
};

/// How the messages of a peer travel now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PeerPath {
    /// From browser to browser.
    Direct,
    /// Sealed, through a hub that may relay.
    Relay,
    /// To another tab of this browser.
    Tab,
    /// Sealed, through a TURN server.
    Turn,
}

/// Whether a page lets hubs carry data, and how its word is read: nothing, `true` or `false`.
pub(crate) const fn relaying(said: Option<bool>) -> Relaying {
    match said {
        None => Relaying::Told,
        Some(true) => Relaying::Always,
        Some(false) => Relaying::Never,
    }
}

impl Node {
    /// Something from the driver for the mesh. After waking up every connection is asked whether it lives.
    pub(in crate::node) fn mesh_input(&mut self, input: MeshInput) {
        let now = self.now;
        if input == MeshInput::Awake {
            self.links.links.values_mut().for_each(|link| link.session.probe(now));
        }
        self.mesh.handle(input, now, self.entropy.as_mut());
    }

    /// A further carrier of a link: its session may move to it.
    pub(super) fn add_carrier(&mut self, link: LinkId, via: LinkId, carrier: Carrier) {
        let (now, entropy) = (self.now, self.entropy.as_mut());
        let Some(Link { session, .. }) = self.links.links.get_mut(&link) else { return };
        let nonce = entropy.array16();
        let next = NextCarrier { carrier, key: &self.links.key, nonce, via: via.0 };
        if session.attach(next, entropy, now).is_err() {
            self.mesh.close_carrier(link, via, now, entropy);
        }
        self.event(Event::Peers);
    }

    /// How the messages of a link travel.
    pub(super) fn path(&self, info: &mesh::PeerInfo, via: Option<LinkId>) -> PeerPath {
        match via.and_then(|via| self.mesh.carrier(info.link, via)).unwrap_or(info.carrier) {
            mesh::Carrier::Relay => PeerPath::Relay,
            mesh::Carrier::Tab => PeerPath::Tab,
            mesh::Carrier::WebRtc if info.turned => PeerPath::Turn,
            mesh::Carrier::WebRtc => PeerPath::Direct,
        }
    }
}

/// What goes into the prologue of a handshake.
pub(super) fn carrier_of(carrier: mesh::Carrier, prints: Option<Fingerprints>) -> Carrier {
    match (carrier, prints) {
        (mesh::Carrier::WebRtc, Some(prints)) => {
            Carrier::WebRtc { local: prints.local, remote: prints.remote }
        }
        (mesh::Carrier::Relay, _) => Carrier::Relay,
        _ => Carrier::Tab,
    }
}
