//! What hubs, connections and tabs report.

use super::hub::HubNews;
use super::links::Heard;
use super::peer::{Link, Path};
use super::signal::Dropped;
use super::tabs::TabOutput;
use super::{Carrier, CloseReason, HubId, LinkId, MAX_FRAME, Mesh, MeshEvent, MeshOutput, NodeId, RtcEvent};
use crate::crypto::Entropy;

impl Mesh {
    pub(super) fn hub_news(&mut self, hub: HubId, news: Vec<HubNews>, now: u64, entropy: &mut dyn Entropy) {
        for one in news {
            match one {
                HubNews::Close => self.out.push_back(MeshOutput::HubClose { hub }),
                HubNews::Flooded => self.signalling.count(Dropped::Flooded),
                HubNews::Message { topic, route, sealed } => {
                    let Some(space) = self.topics.get(&topic).copied() else { continue };
                    if let Some(received) = self.signalling.receive(&space, &topic, &sealed, now) {
                        self.heard(&space, Heard::Hub(hub, route), received, now, entropy);
                    }
                }
                HubNews::Open(socket) => {
                    let protocols = socket.protocol.into_iter().map(str::to_owned).collect();
                    self.out.push_back(MeshOutput::HubOpen { hub, url: socket.url, protocols });
                }
                HubNews::Ready => {
                    self.revive_relays(now);
                    // Those who lost the same hub come back to it at times of their own, and a second hub can wait.
                    let alone = self.hubs.iter().filter(|hub| hub.is_open()).count() == 1;
                    for space in self.spaces.values_mut() {
                        space.start(alone, now, entropy);
                    }
                }
                HubNews::Send(frame) => self.out.push_back(MeshOutput::HubSend { hub, frame }),
                HubNews::State => {
                    if let Some(info) = self.hub(hub).map(|one| one.info()) {
                        let (url, state, error) = (info.url, info.state, info.error);
                        self.event(MeshEvent::HubState { hub, url, state, error });
                    }
                }
            }
        }
    }

    pub(super) fn rtc(&mut self, link: LinkId, event: RtcEvent, now: u64, entropy: &mut dyn Entropy) {
        // A number of an RTCPeerConnection.
        let via = link;
        let Some(id) = self.rtcs.get(&via).copied() else {
            self.pairing_event(link, event, now);
            return;
        };
        let Some(peer) = self.peers.get_mut(&id) else { return };
        match event {
            RtcEvent::Buffered { bytes } => {
                if let Some(link) = peer.link.as_mut()
                    && link.buffered(bytes)
                {
                    let link = link.id;
                    self.event(MeshEvent::LinkWritable { link, via });
                }
            }
            RtcEvent::Path { turned } => {
                if let Some(link) = peer.link.as_mut().filter(|link| link.via == via) {
                    link.turned = turned;
                }
                self.tell_spaces(&id);
            }
            RtcEvent::Data { bytes } if bytes.len() > MAX_FRAME => {
                self.end_link(&id, CloseReason::Fault { what: "a frame above 16 KiB" }, now, entropy);
                self.settle(now, entropy);
            }
            RtcEvent::Data { bytes } => {
                if let Some(negotiator) = peer.negotiator() {
                    negotiator.heard();
                }
                self.link_data(&id, via, bytes);
            }
            other => {
                if let Some(negotiator) = peer.negotiator() {
                    negotiator.event(other, now);
                }
                self.drain_negotiator(&id, now, entropy);
            }
        }
    }

    pub(super) fn link_data(&mut self, id: &NodeId, via: LinkId, bytes: Vec<u8>) {
        let open = self.peers.get_mut(id).and_then(|peer| peer.link.as_mut()).filter(|one| one.opened);
        if let Some(open) = open {
            open.bytes_in = open.bytes_in.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
            let link = open.id;
            self.event(MeshEvent::LinkData { link, via, bytes });
        }
    }

    pub(super) fn post_tabs(&mut self) {
        while let Some(output) = self.tabs.poll() {
            if let TabOutput::Post(bytes) = output {
                self.out.push_back(MeshOutput::TabPost { bytes });
            }
        }
    }

    pub(super) fn drain_tabs(&mut self, now: u64, entropy: &mut dyn Entropy) {
        while let Some(output) = self.tabs.poll() {
            match output {
                TabOutput::Closed { id, reason } => self.tab_closed(&id, reason, now, entropy),
                TabOutput::Data { id, bytes } => {
                    let link = self.peers.get(&id).and_then(|peer| peer.link.as_ref());
                    if let Some(via) = link.map(|link| link.via) {
                        self.link_data(&id, via, bytes);
                    }
                }
                TabOutput::Open { id, spaces } => self.tab_open(id, spaces, now, entropy),
                TabOutput::Post(bytes) => self.out.push_back(MeshOutput::TabPost { bytes }),
                TabOutput::Spaces { id, spaces } => {
                    if let Some(peer) = self.peers.get_mut(&id) {
                        peer.spaces = spaces;
                        self.tell_spaces(&id);
                    }
                }
            }
        }
    }

    /// Says again which spaces an open link shares.
    pub(super) fn tell_spaces(&mut self, id: &NodeId) {
        let Some(peer) = self.peers.get(id) else { return };
        if let Some(link) = peer.link.as_ref().filter(|link| link.opened) {
            let (link, spaces) = (link.id, peer.spaces.iter().copied().collect());
            self.event(MeshEvent::LinkSpaces { link, spaces });
        }
    }

    pub(super) fn new_link(
        &mut self,
        id: NodeId,
        path: impl FnOnce(LinkId) -> Path,
        now: u64,
    ) -> Option<LinkId> {
        let peer = self.peers.get_mut(&id)?;
        self.last_link = self.last_link.saturating_add(1);
        let via = LinkId(self.last_link);
        let path = path(via);
        if matches!(path, Path::WebRtc(_)) {
            self.rtcs.insert(via, id);
        }
        match &mut peer.link {
            Some(relayed) => relayed.set_path(path, via),
            None => {
                peer.link = Some(Link::new(via, path, now));
                self.links.insert(via, id);
            }
        }
        Some(via)
    }

    pub(super) fn open_event(
        &mut self,
        id: NodeId,
        via: LinkId,
        carrier: Carrier,
        fingerprints: Option<super::Fingerprints>,
    ) {
        let initiator = self.id() < id;
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let spaces = peer.spaces.iter().copied().collect();
        let Some(open) = peer.link.as_mut() else { return };
        let link = open.id;
        if core::mem::replace(&mut open.opened, true) {
            return self.event(MeshEvent::CarrierOpen { link, via, carrier, fingerprints, initiator });
        }
        self.event(MeshEvent::LinkOpen { link, via, carrier, fingerprints, remote: id, initiator, spaces });
    }
}
