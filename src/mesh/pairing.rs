//! Two nodes that meet without a hub: their persons carry one text each way.
//!
//! ```text
//! one side    pair() ───── offer ─────▶ pair(offer)
//!             connect(answer) ◀─ answer ─ connect()       both within a quarter of a minute
//! ```
//! Until it connects, a pairing is a peer connection of nobody; then it is a link like any other.

use super::negotiate::{Negotiator, NegotiatorOutput, Role};
use super::peer::{Link, Path, Peer};
use super::signal::Direct;
use super::ticket::{PairError, Ticket};
use super::{
    Candidate, Description, LinkId, Mesh, MeshEvent, MeshOutput, NodeId, RtcCommand, RtcEvent, SdpType,
};
use crate::crypto::{Entropy, PublicKey};

/// A pairing that is under way.
pub(super) struct Pairing {
    link: LinkId,
    space: PublicKey,
    negotiator: Box<Negotiator>,
    /// The other's offer, and its name.
    offer: Option<(Ticket, [u8; 16])>,
    sdp: Option<String>,
    candidates: Vec<Candidate>,
    /// When what was found is enough.
    enough_at: u64,
    expires: u64,
    /// Name of the text that was made.
    made: Option<[u8; 16]>,
}

impl Mesh {
    /// Begins a pairing, or answers the text of another's. [`MeshEvent::Pairing`] gives the text to show.
    pub fn pair(&mut self, space: PublicKey, offer: Option<&str>, now: u64) -> Result<LinkId, PairError> {
        let offer = match offer {
            None => None,
            Some(text) => {
                let ticket = Ticket::open(&space, text)?;
                self.check_ticket(&ticket, now)?;
                if ticket.answers.is_some() {
                    let what = "this is an answer: the side that made the offer reads it";
                    return Err(PairError::Mismatch { what });
                }
                let plain: String = text.chars().filter(|one| !one.is_whitespace()).collect();
                Some((ticket, Ticket::hash(&plain)))
            }
        };
        if self.pairings.len() >= MAX_PAIRINGS {
            let oldest = self.pairings.remove(0);
            self.out.push_back(MeshOutput::Rtc { link: oldest.link, command: RtcCommand::Close });
        }
        self.last_link = self.last_link.saturating_add(1);
        let link = LinkId(self.last_link);
        let expires = now.saturating_add(LIFE_MS);
        let mut negotiator = Box::new(Negotiator::new(link.0, Role::Dialer, now));
        negotiator.await_answer_until(expires);
        let (sdp, candidates, enough_at) = (None, Vec::new(), now.saturating_add(LONGEST_MS));
        let pairing =
            Pairing { link, space, negotiator, offer, sdp, candidates, enough_at, expires, made: None };
        self.pairings.push(pairing);
        self.drain_pairings();
        Ok(link)
    }

    /// Connects: with the answer to what was shown here, or, where an offer was answered, without. The other's id.
    pub fn connect(
        &mut self,
        link: LinkId,
        answer: Option<&str>,
        now: u64,
        entropy: &mut dyn Entropy,
    ) -> Result<NodeId, PairError> {
        let at = self.pairings.iter().position(|one| one.link == link).ok_or(PairError::Over)?;
        let pairing = self.pairings.get(at).ok_or(PairError::Over)?;
        let theirs = match (&pairing.offer, answer) {
            (Some((offer, _)), None) => offer.clone(),
            (None, Some(text)) => {
                let ticket = Ticket::open(&pairing.space, text)?;
                if ticket.answers.is_none() || ticket.answers != pairing.made {
                    let what = "this is not the answer to the code that is shown here";
                    return Err(PairError::Mismatch { what });
                }
                ticket
            }
            _ => return Err(PairError::Mismatch { what: "an offer is connected with its answer" }),
        };
        let id = self.check_ticket(&theirs, now)?;
        if self.links.len() >= self.max_links || (!self.peers.contains_key(&id) && !self.make_room()) {
            return Err(PairError::Full);
        }
        let mut pairing = self.pairings.remove(at);
        let dials = self.id() < id;
        // As if the lower id had dialled, so that later signalling fits.
        let attempt = if dials { link.0 } else { theirs.attempt };
        let answer = Description { sdp_type: SdpType::Answer, sdp: theirs.sdp() };
        pairing.negotiator.pair(answer, now);
        pairing.negotiator.become_of(attempt, if dials { Role::Dialer } else { Role::Answerer });
        let peer = self.peers.entry(id).or_insert_with(|| Peer::new(now));
        (peer.key, peer.heard_at, peer.attempt) = (Some(theirs.key), now, attempt.max(peer.attempt));
        peer.spaces.insert(pairing.space);
        let path = Path::WebRtc(pairing.negotiator);
        match &mut peer.link {
            Some(relayed) => relayed.set_path(path, link),
            None => {
                peer.link = Some(Link::new(link, path, now));
                self.links.insert(link, id);
            }
        }
        self.rtcs.insert(link, id);
        self.drain_negotiator(&id, now, entropy);
        self.settle(now, entropy);
        Ok(id)
    }

    /// Gives a pairing up.
    pub fn unpair(&mut self, link: LinkId) {
        if let Some(at) = self.pairings.iter().position(|one| one.link == link) {
            self.pairings.remove(at);
            self.out.push_back(MeshOutput::Rtc { link, command: RtcCommand::Close });
        }
    }

    fn check_ticket(&self, ticket: &Ticket, now: u64) -> Result<NodeId, PairError> {
        let id = NodeId::of(&ticket.key);
        if now >= ticket.expires || ticket.expires > now.saturating_add(LIFE_MS + SKEW_MS) {
            return Err(PairError::Expired);
        }
        if id == self.id() {
            return Err(PairError::Needless { what: "this code was made here: the other side reads it" });
        }
        let direct = |link: &Link| !matches!(link.path, Path::Off);
        if self.peers.get(&id).is_some_and(|peer| peer.link.as_ref().is_some_and(direct)) {
            return Err(PairError::Needless { what: "the two are connected already" });
        }
        Ok(id)
    }

    /// What a peer connection of a pairing reports; whether it is one.
    pub(super) fn pairing_event(&mut self, link: LinkId, event: RtcEvent, now: u64) -> bool {
        let Some(pairing) = self.pairings.iter_mut().find(|one| one.link == link) else { return false };
        if matches!(event, RtcEvent::LocalCandidate { .. } | RtcEvent::LocalDescription { .. }) {
            pairing.enough_at = pairing.enough_at.min(now.saturating_add(LONGEST_MS)).max(now + QUIET_MS);
            if matches!(event, RtcEvent::LocalCandidate { .. }) {
                pairing.enough_at = now.saturating_add(QUIET_MS);
            }
        }
        pairing.negotiator.event(event, now);
        self.drain_pairings();
        true
    }

    pub(super) fn pairing_deadline(&self) -> Option<u64> {
        let due = |one: &Pairing| {
            let waits = one.made.is_none().then_some(one.enough_at);
            [waits, one.negotiator.deadline(), Some(one.expires)].into_iter().flatten().min()
        };
        self.pairings.iter().filter_map(due).min()
    }

    pub(super) fn tick_pairings(&mut self, now: u64, entropy: &mut dyn Entropy) {
        for pairing in &mut self.pairings {
            pairing.negotiator.tick(now);
        }
        self.drain_pairings();
        let (key, mut told) = (self.signalling.key(), Vec::new());
        for pairing in &mut self.pairings {
            if pairing.made.is_some() || now < pairing.enough_at {
                continue;
            }
            let Some(sdp) = &pairing.sdp else { continue };
            let answers = pairing.offer.as_ref().map(|(_, hash)| *hash);
            let expires = pairing.expires;
            let ticket = Ticket::new(sdp, &pairing.candidates, key, pairing.link.0, answers, expires);
            let Some(ticket) = ticket else { continue };
            let text = ticket.seal(&pairing.space, entropy);
            pairing.made = Some(Ticket::hash(&text));
            told.push(MeshEvent::Pairing { link: pairing.link, text: Ok(text) });
        }
        told.into_iter().for_each(|event| self.event(event));
        let old: Vec<LinkId> =
            self.pairings.iter().filter(|one| now >= one.expires).map(|one| one.link).collect();
        old.into_iter().for_each(|link| self.unpair(link));
    }

    fn drain_pairings(&mut self) {
        let mut over = Vec::new();
        for pairing in &mut self.pairings {
            let link = pairing.link;
            while let Some(output) = pairing.negotiator.poll() {
                match output {
                    NegotiatorOutput::Command(command) => {
                        self.out.push_back(MeshOutput::Rtc { link, command });
                    }
                    NegotiatorOutput::Ended(reason) => over.push((link, reason)),
                    NegotiatorOutput::Signal(Direct::Offer { description, .. }) => {
                        pairing.sdp = Some(description.sdp);
                    }
                    NegotiatorOutput::Signal(Direct::Candidates { candidates, .. }) => {
                        for one in candidates {
                            if !pairing.candidates.contains(&one) {
                                pairing.candidates.push(one);
                            }
                        }
                    }
                    NegotiatorOutput::Opened(_) | NegotiatorOutput::Signal(_) => {}
                }
            }
        }
        for (link, reason) in over {
            self.pairings.retain(|one| one.link != link);
            self.event(MeshEvent::Pairing { link, text: Err(reason) });
        }
    }
}

/// Pairings at once.
const MAX_PAIRINGS: usize = 4;
/// How long a ticket is of use.
const LIFE_MS: u64 = 10 * 60_000;
/// Clocks may differ by so much.
const SKEW_MS: u64 = 60 * 60_000;
/// When nothing more was found for so long, all was.
const QUIET_MS: u64 = 700;
/// What is not found by then is left out.
const LONGEST_MS: u64 = 4_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::{Fingerprints, MeshInput, PairError};
    use crate::testing::Seeded;

    const SPACE: PublicKey = PublicKey([7; 32]);
    const START: u64 = 1_800_000_000_000;

    struct Side {
        mesh: Mesh,
        entropy: Seeded,
        byte: u8,
        commands: Vec<RtcCommand>,
        events: Vec<MeshEvent>,
    }

    impl Side {
        fn new(byte: u8) -> Self {
            let mut entropy = Seeded::new(u64::from(byte));
            let mut mesh = Mesh::new(&mut entropy);
            mesh.join(SPACE, START, &mut entropy).unwrap();
            let mut side = Self { mesh, entropy, byte, commands: Vec::new(), events: Vec::new() };
            side.drain();
            side
        }

        fn drain(&mut self) {
            while let Some(output) = self.mesh.poll() {
                match output {
                    MeshOutput::Rtc { command, .. } => self.commands.push(command),
                    MeshOutput::Event(event) => self.events.push(event),
                    _ => {}
                }
            }
        }

        fn rtc(&mut self, link: LinkId, event: RtcEvent, now: u64) {
            self.mesh.handle(MeshInput::Rtc { link, event }, now, &mut self.entropy);
            self.drain();
        }

        /// The text, as a browser's answers lead to it.
        fn text(&mut self, link: LinkId, now: u64) -> String {
            let print = vec![format!("{:02X}", self.byte); 32].join(":");
            let (byte, sdp_type) = (self.byte, SdpType::Offer);
            let sdp = format!(
                "v=0\r\na=ice-ufrag:frag{byte}\r\na=ice-pwd:secret{byte}\r\na=fingerprint:sha-256 {print}\r\n"
            );
            self.rtc(link, RtcEvent::LocalDescription { sdp_type, sdp }, now);
            let json = r#"{"candidate":"candidate:1 1 udp 7 127.0.0.1 4000 typ host","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":null}"#;
            self.rtc(link, RtcEvent::LocalCandidate { json: json.to_owned() }, now + 10);
            while let Some(due) = self.mesh.deadline().filter(|due| *due < now + 10_000) {
                self.mesh.tick(due, &mut self.entropy);
                self.drain();
                if let Some(MeshEvent::Pairing { text: Ok(text), .. }) =
                    self.events.iter().rfind(|event| matches!(event, MeshEvent::Pairing { .. }))
                {
                    return text.clone();
                }
            }
            panic!("no text");
        }
    }

    #[test]
    fn two_nodes_meet_by_two_texts_and_nothing_else() {
        let (mut a, mut b) = (Side::new(1), Side::new(2));
        let from = a.mesh.pair(SPACE, None, START).unwrap();
        let offer = a.text(from, START);
        assert_eq!(
            a.mesh.pair(SPACE, Some(&offer), START),
            Err(PairError::Needless { what: "this code was made here: the other side reads it" })
        );
        let to = b.mesh.pair(SPACE, Some(&offer), START + 60_000).unwrap();
        let answer = b.text(to, START + 60_000);
        assert!(matches!(a.mesh.pair(SPACE, Some(&answer), START + 60_000), Err(PairError::Mismatch { .. })));

        // Only the answer to this very offer, and only once.
        let now = START + 120_000;
        let wrong = a.mesh.connect(from, Some(&offer), now, &mut a.entropy);
        assert!(matches!(wrong, Err(PairError::Mismatch { .. })), "{wrong:?}");
        let late = a.mesh.connect(from, Some(&answer), START + 700_000, &mut a.entropy);
        assert_eq!(late, Err(PairError::Expired));
        assert_eq!(a.mesh.connect(from, Some(&answer), now, &mut a.entropy), Ok(b.mesh.id()));
        assert_eq!(a.mesh.connect(from, Some(&answer), now, &mut a.entropy), Err(PairError::Over));
        assert_eq!(b.mesh.connect(to, None, now, &mut b.entropy), Ok(a.mesh.id()));
        for (side, link, theirs, setup) in
            [(&mut a, from, "frag2", "a=setup:active"), (&mut b, to, "frag1", "a=setup:passive")]
        {
            side.drain();
            let sdp = side.commands.iter().find_map(|command| match command {
                RtcCommand::SetRemote { sdp_type: SdpType::Answer, sdp } => Some(sdp.clone()),
                _ => None,
            });
            let sdp = sdp.unwrap();
            assert!(sdp.contains(theirs) && sdp.contains(setup) && sdp.contains("127.0.0.1 4000 typ host"));
            side.rtc(link, RtcEvent::ChannelOpen, now + 500);
        }
        let open = |side: &Side| {
            side.events.iter().find_map(|event| match event {
                MeshEvent::LinkOpen { remote, fingerprints, initiator, spaces, .. } => {
                    Some((*remote, *fingerprints, *initiator, spaces.clone()))
                }
                _ => None,
            })
        };
        let (left, right) = (open(&a).unwrap(), open(&b).unwrap());
        assert_eq!((left.0, right.0), (b.mesh.id(), a.mesh.id()));
        assert_eq!(left.1, Some(Fingerprints { local: [1; 32], remote: [2; 32] }));
        assert_eq!(right.1, Some(Fingerprints { local: [2; 32], remote: [1; 32] }));
        assert!(left.2 != right.2 && left.3 == [SPACE] && right.3 == [SPACE]);
    }

    #[test]
    fn what_is_not_used_goes() {
        let mut a = Side::new(3);
        for _ in 0..6 {
            a.mesh.pair(SPACE, None, START).unwrap();
        }
        assert_eq!(a.mesh.pairings.len(), MAX_PAIRINGS);
        a.mesh.tick(START + LIFE_MS, &mut a.entropy);
        a.drain();
        assert!(a.mesh.pairings.is_empty());
        let closed = a.commands.iter().filter(|command| **command == RtcCommand::Close).count();
        assert!(closed >= 6, "{closed} connections were closed");
    }
}
