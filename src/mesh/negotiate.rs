//! One attempt at a WebRTC connection with one node, from the first offer to the last word.
//!
//! The lower id dials and is impolite; the higher answers and is polite: when two offers cross, the polite side
//! rolls its own back and the impolite one ignores the other's. Hubs lose, double and reorder, so
//! - every offer has a round and its answer names it; an answer to anything but the open offer is dropped,
//! - an offer is said again until it is answered, candidates until the connection stands, an answer when its
//!   offer is heard again,
//! - an answer names the offers that its sender rolled back, so that one of them that comes late is not taken up,
//! - a candidate names its ICE generation and waits for the description of that generation.
//!
//! ```text
//! Dialing ──channel open──▶ Open ──disconnected──▶ Grace 5 s ──▶ Restarting 20 s ──▶ Ended
//!    │ 15 s                   ▲ ◀────── connected ──────┘ ◀──── connected ──┘          ▲
//!    └──────────────────────────────────────────────────────────────────────────────────┘
//! ```
//! A certificate is seen in the first descriptions; one that changes later ends the attempt. A new attempt is a
//! new negotiator; when to make one is the mesh's part.

use std::collections::VecDeque;

use super::json::Json;
use super::signal::Direct;
use super::{
    Candidate, CloseReason, Description, Fingerprints, LinkState, MAX_CANDIDATE, MAX_CANDIDATES, MAX_SDP,
    RtcCommand, RtcEvent, RtcState, SdpType, fingerprint, sdp::ufrag,
};
use crate::collections::Set;

/// Negotiates one RTCPeerConnection.
pub(crate) struct Negotiator {
    attempt: u64,
    role: Role,
    phase: Phase,
    signaling: Signaling,
    /// Local offers that were rolled back before the browser reported them.
    abandoned: u32,
    /// Our offers so far.
    round: u64,
    /// The remote's offers up to here were taken up or are void.
    heard: u64,
    offer: Option<Description>,
    answer: Option<(u64, Description)>,
    /// An ICE restart of ours waits for a stable state.
    restart_wanted: bool,
    /// Whether one exchange of descriptions was completed.
    established: bool,
    opened: bool,
    local_print: Option<[u8; 32]>,
    remote_print: Option<[u8; 32]>,
    /// Ours of this generation, and how many of them were sent.
    candidates: Vec<Candidate>,
    candidates_sent: usize,
    flush_at: Option<u64>,
    /// For how long candidates are gathered before they go.
    batch_ms: u64,
    remote_ufrag: Option<String>,
    /// Theirs that wait for their description.
    waiting: VecDeque<Candidate>,
    /// Theirs of this generation that were handed over.
    added: Set<String>,
    repeat: Option<Repeat>,
    out: VecDeque<NegotiatorOutput>,
}

/// What a negotiator wants done or known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum NegotiatorOutput {
    Command(RtcCommand),
    /// The attempt is over; its RTCPeerConnection was told to close.
    Ended(CloseReason),
    Opened(Fingerprints),
    Signal(Direct),
}

/// Who dials.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Role {
    /// Waits for the offer; yields in glare.
    Answerer,
    /// Makes the first offer; does not yield.
    Dialer,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    Dialing { until: u64 },
    Ended,
    Grace { until: u64 },
    Open,
    Restarting { until: u64 },
}

/// What the RTCPeerConnection's signalling state will be once it has run all commands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Signaling {
    HaveLocalOffer,
    MakingAnswer,
    MakingOffer,
    Stable,
}

#[derive(Clone, Copy, Debug)]
struct Repeat {
    at: u64,
    gap: u64,
}

impl Negotiator {
    /// The hubs in between do not take candidates one by one: all that are soon found go in one message.
    pub(crate) const fn gather(&mut self) {
        self.batch_ms = GATHER_MS;
    }

    /// Starts: makes the RTCPeerConnection, and as dialer the first offer.
    pub(crate) fn new(attempt: u64, role: Role, now: u64) -> Self {
        let mut new = Self {
            attempt,
            role,
            phase: Phase::Dialing { until: now.saturating_add(DIAL_MS) },
            signaling: Signaling::Stable,
            abandoned: 0,
            round: 0,
            heard: 0,
            offer: None,
            answer: None,
            restart_wanted: false,
            established: false,
            opened: false,
            local_print: None,
            remote_print: None,
            candidates: Vec::new(),
            candidates_sent: 0,
            flush_at: None,
            batch_ms: BATCH_MS,
            remote_ufrag: None,
            waiting: VecDeque::new(),
            added: Set::new(),
            repeat: None,
            out: VecDeque::new(),
        };
        new.command(RtcCommand::Create { polite: role == Role::Answerer });
        if role == Role::Dialer {
            new.make_offer(false);
        }
        new
    }

    /// The answer comes by hand: it is waited for.
    pub(crate) const fn await_answer_until(&mut self, until: u64) {
        self.phase = Phase::Dialing { until };
    }

    /// The answer came by hand, to the first offer.
    pub(crate) fn pair(&mut self, description: Description, now: u64) {
        self.phase = Phase::Dialing { until: now.saturating_add(PAIR_MS) };
        let (attempt, round) = (self.attempt, self.round);
        self.signal(Direct::Answer { attempt, round, past: 0, description }, now);
    }

    /// From now on it is as if this attempt had led here.
    pub(crate) const fn become_of(&mut self, attempt: u64, role: Role) {
        (self.attempt, self.role) = (attempt, role);
    }

    pub(crate) const fn attempt(&self) -> u64 {
        self.attempt
    }

    pub(crate) const fn state(&self) -> LinkState {
        match self.phase {
            Phase::Dialing { .. } => LinkState::Connecting,
            Phase::Open => LinkState::Open,
            Phase::Ended | Phase::Grace { .. } | Phase::Restarting { .. } => LinkState::Recovering,
        }
    }

    pub(crate) fn poll(&mut self) -> Option<NegotiatorOutput> {
        self.out.pop_front()
    }

    /// What the RTCPeerConnection reports; `Data` and `Buffered` are not for here.
    pub(crate) fn event(&mut self, event: RtcEvent, now: u64) {
        if self.phase == Phase::Ended {
            return;
        }
        match event {
            RtcEvent::Buffered { .. } | RtcEvent::Data { .. } | RtcEvent::Path { .. } => {}
            RtcEvent::ChannelClosed | RtcEvent::State(RtcState::Closed) => self.end(CloseReason::Closed),
            RtcEvent::ChannelOpen => self.channel_open(),
            RtcEvent::Failed { error } => {
                self.end(CloseReason::Failed { what: error.chars().take(MAX_ERROR).collect() });
            }
            RtcEvent::LocalCandidate { json } => self.local_candidate(&json, now),
            RtcEvent::LocalDescription { sdp_type, sdp } => self.local_description(sdp_type, sdp, now),
            RtcEvent::NegotiationNeeded => {
                // Before the first exchange the dialer's offer is under way; during one the browser asks again
                // once it is stable.
                if self.established && self.signaling == Signaling::Stable {
                    self.make_offer(false);
                }
            }
            RtcEvent::State(state) => self.connection(state, now),
        }
    }

    /// The other side's offer, answer or candidates of this attempt.
    pub(crate) fn signal(&mut self, direct: Direct, now: u64) {
        if self.phase == Phase::Ended {
            return;
        }
        match direct {
            Direct::Offer { round, description, .. } if description.sdp_type == SdpType::Offer => {
                self.remote_offer(round, &description.sdp, now);
            }
            Direct::Answer { round, past, description, .. } if description.sdp_type == SdpType::Answer => {
                self.remote_answer(round, past, &description.sdp, now);
            }
            Direct::Candidates { candidates, .. } => {
                candidates.into_iter().take(MAX_CANDIDATES).for_each(|one| self.remote_candidate(one));
            }
            Direct::Answer { .. }
            | Direct::Bye { .. }
            | Direct::Here(_)
            | Direct::Offer { .. }
            | Direct::Relay { .. } => {}
        }
    }

    pub(crate) fn deadline(&self) -> Option<u64> {
        let phase = match self.phase {
            Phase::Ended => return None,
            Phase::Dialing { until } | Phase::Grace { until } | Phase::Restarting { until } => Some(until),
            Phase::Open => None,
        };
        [phase, self.flush_at, self.repeat.map(|repeat| repeat.at)].into_iter().flatten().min()
    }

    pub(crate) fn tick(&mut self, now: u64) {
        match self.phase {
            Phase::Ended => return,
            Phase::Dialing { until } if now >= until => {
                return self.end(CloseReason::Timeout { seconds: DIAL_MS / 1_000 });
            }
            Phase::Restarting { until } if now >= until => {
                return self.end(CloseReason::Timeout { seconds: RESTART_MS / 1_000 });
            }
            Phase::Grace { until } if now >= until => self.restart(now),
            Phase::Dialing { .. } | Phase::Grace { .. } | Phase::Open | Phase::Restarting { .. } => {}
        }
        if self.flush_at.is_some_and(|at| now >= at) {
            self.flush_at = None;
            self.send_candidates(self.candidates_sent);
        }
        if let Some(Repeat { at, gap }) = self.repeat
            && now >= at
        {
            self.repeat(now, gap.saturating_mul(2));
        }
    }

    /// The session hears nothing over it any more: look for another way before anything is torn down.
    pub(crate) fn doubt(&mut self, now: u64) {
        if matches!(self.phase, Phase::Open | Phase::Grace { .. }) {
            // The polite side waits a little, so that mostly one of them restarts.
            if self.role == Role::Dialer {
                self.restart(now);
            } else {
                self.phase = Phase::Grace { until: now.saturating_add(POLITE_MS) };
            }
        }
    }

    /// Something came over the data channel: there is nothing to doubt. Browsers do not always say that a restart helped.
    pub(crate) fn heard(&mut self) {
        if self.opened && matches!(self.phase, Phase::Grace { .. } | Phase::Restarting { .. }) {
            self.phase = Phase::Open;
            self.restart_wanted = false;
        }
    }

    /// Whether its data channel was open.
    pub(crate) const fn is_open(&self) -> bool {
        self.opened
    }

    /// Closes the RTCPeerConnection and says so.
    pub(crate) fn end(&mut self, reason: CloseReason) {
        if self.phase != Phase::Ended {
            self.phase = Phase::Ended;
            self.command(RtcCommand::Close);
            self.out.push_back(NegotiatorOutput::Ended(reason));
        }
    }

    #[cfg(test)]
    fn describe(&self) -> String {
        let waiting = self.waiting.len();
        format!(
            "{:?} {:?} round {} heard {} waiting {waiting}",
            self.phase, self.signaling, self.round, self.heard
        )
    }

    fn channel_open(&mut self) {
        match (self.local_print, self.remote_print) {
            (Some(local), Some(remote)) if !self.opened => {
                self.opened = true;
                self.phase = Phase::Open;
                self.out.push_back(NegotiatorOutput::Opened(Fingerprints { local, remote }));
            }
            (Some(_), Some(_)) => {}
            _ => {
                self.end(CloseReason::Failed { what: "open before both descriptions were known".to_owned() })
            }
        }
    }

    fn connection(&mut self, state: RtcState, now: u64) {
        match (state, self.phase) {
            (RtcState::Connected, Phase::Grace { .. } | Phase::Restarting { .. }) => {
                self.phase = Phase::Open;
                self.restart_wanted = false;
            }
            (RtcState::Disconnected, Phase::Open) => {
                // The polite side waits longer, so that mostly one of them restarts.
                let grace = if self.role == Role::Dialer { GRACE_MS } else { GRACE_MS + POLITE_MS };
                self.phase = Phase::Grace { until: now.saturating_add(grace) };
            }
            (RtcState::Failed, Phase::Dialing { .. }) => {
                self.end(CloseReason::Failed { what: "no path between the two".to_owned() });
            }
            (RtcState::Failed, Phase::Grace { .. } | Phase::Open) => self.restart(now),
            _ => {}
        }
    }

    fn restart(&mut self, now: u64) {
        self.phase = Phase::Restarting { until: now.saturating_add(RESTART_MS) };
        if self.signaling == Signaling::Stable {
            self.make_offer(true);
        } else {
            self.restart_wanted = true;
        }
    }

    fn make_offer(&mut self, ice_restart: bool) {
        self.signaling = Signaling::MakingOffer;
        self.round = self.round.saturating_add(1);
        self.restart_wanted = false;
        if ice_restart {
            self.new_generation();
        }
        self.command(RtcCommand::MakeOffer { ice_restart });
    }

    fn new_generation(&mut self) {
        self.candidates.clear();
        self.candidates_sent = 0;
        self.flush_at = None;
    }

    fn stable(&mut self) {
        self.signaling = Signaling::Stable;
        self.established = true;
        if self.restart_wanted && matches!(self.phase, Phase::Restarting { .. }) {
            self.make_offer(true);
        }
    }

    fn local_description(&mut self, sdp_type: SdpType, sdp: String, now: u64) {
        match (sdp_type, self.signaling) {
            (SdpType::Offer, _) if self.abandoned > 0 => {
                self.abandoned -= 1;
                return;
            }
            (SdpType::Offer, Signaling::MakingOffer) | (SdpType::Answer, Signaling::MakingAnswer) => {}
            _ => return,
        }
        if sdp.len() > MAX_SDP {
            return self.end(CloseReason::Failed { what: format!("an SDP of {} bytes", sdp.len()) });
        }
        match fingerprint(&sdp) {
            Ok(print) if self.local_print.is_none_or(|known| known == print) => {
                self.local_print = Some(print)
            }
            Ok(_) => return self.end(CloseReason::Failed { what: "own certificate changed".to_owned() }),
            Err(error) => return self.end(CloseReason::Failed { what: error.to_string() }),
        }
        let description = Description { sdp_type, sdp };
        match sdp_type {
            SdpType::Offer => {
                self.signaling = Signaling::HaveLocalOffer;
                self.offer = Some(description);
                self.send_offer();
            }
            SdpType::Answer => {
                self.answer = Some((self.heard, description));
                self.send_answer(self.heard);
                self.stable();
            }
        }
        self.send_candidates(self.candidates_sent);
        self.repeat = Some(Repeat { at: now.saturating_add(REPEAT_MS), gap: REPEAT_MS });
    }

    fn remote_offer(&mut self, round: u64, sdp: &str, now: u64) {
        if round <= self.heard {
            // Said again: our answer was lost.
            return self.send_answer(round);
        }
        match (self.signaling, self.role) {
            (Signaling::Stable, _) => {}
            (Signaling::HaveLocalOffer, Role::Answerer) => self.command(RtcCommand::Rollback),
            (Signaling::MakingOffer, Role::Answerer) => {
                self.abandoned = self.abandoned.saturating_add(1);
                self.command(RtcCommand::Rollback);
            }
            // Ignored: it yields to ours, or is said again once our answer is out.
            (Signaling::HaveLocalOffer | Signaling::MakingOffer, Role::Dialer)
            | (Signaling::MakingAnswer, _) => {
                return;
            }
        }
        if !self.remote_certificate(sdp) {
            return;
        }
        self.heard = round;
        self.offer = None;
        let restarted = self.remote_ufrag.is_some() && self.remote_ufrag.as_deref() != ufrag(sdp);
        if restarted {
            // Their restart is as good as ours would have been.
            self.restart_wanted = false;
            self.new_generation();
            if let Phase::Grace { .. } = self.phase {
                self.phase = Phase::Restarting { until: now.saturating_add(RESTART_MS) };
            }
        }
        self.signaling = Signaling::MakingAnswer;
        self.command(RtcCommand::SetRemote { sdp_type: SdpType::Offer, sdp: sdp.to_owned() });
        self.command(RtcCommand::MakeAnswer);
        self.new_remote(sdp);
    }

    fn remote_answer(&mut self, round: u64, past: u64, sdp: &str, now: u64) {
        if self.signaling != Signaling::HaveLocalOffer || round != self.round || !self.remote_certificate(sdp)
        {
            return;
        }
        self.offer = None;
        self.heard = self.heard.max(past);
        self.command(RtcCommand::SetRemote { sdp_type: SdpType::Answer, sdp: sdp.to_owned() });
        self.new_remote(sdp);
        self.stable();
        self.repeat = Some(Repeat { at: now.saturating_add(REPEAT_MS), gap: REPEAT_MS });
    }

    /// Whether a remote description names the certificate that the attempt began with; ends it if not.
    fn remote_certificate(&mut self, sdp: &str) -> bool {
        match fingerprint(sdp) {
            Ok(print) if self.remote_print.is_none_or(|known| known == print) => {
                self.remote_print = Some(print);
                return true;
            }
            Ok(_) => self.end(CloseReason::Fault { what: "another certificate than before" }),
            Err(_) => self.end(CloseReason::Fault { what: "an SDP without a SHA-256 fingerprint" }),
        }
        false
    }

    fn new_remote(&mut self, sdp: &str) {
        let generation = Some(ufrag(sdp).unwrap_or_default().to_owned());
        if generation != self.remote_ufrag {
            self.remote_ufrag = generation;
            self.added.clear();
        }
        for candidate in core::mem::take(&mut self.waiting) {
            self.remote_candidate(candidate);
        }
    }

    fn remote_candidate(&mut self, candidate: Candidate) {
        let fits = match (&self.remote_ufrag, &candidate.username_fragment) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(current), Some(its)) => current == its,
        };
        if !fits {
            if self.waiting.contains(&candidate) {
                return;
            }
            if self.waiting.len() >= MAX_CANDIDATES {
                self.waiting.pop_front();
            }
            return self.waiting.push_back(candidate);
        }
        if self.added.len() >= MAX_CANDIDATES || !self.added.insert(candidate.candidate.clone()) {
            return;
        }
        self.command(RtcCommand::AddCandidate { json: candidate.to_json() });
    }

    fn local_candidate(&mut self, json: &str, now: u64) {
        if json.len() > MAX_CANDIDATE || self.candidates.len() >= MAX_CANDIDATES {
            return;
        }
        let Some(candidate) = Json::parse(json).and_then(Candidate::from_json) else { return };
        if candidate.candidate.is_empty() {
            return;
        }
        self.candidates.push(candidate);
        if self.flush_at.is_none() {
            let first = self.candidates_sent == 0 && self.batch_ms == BATCH_MS;
            self.flush_at = Some(now.saturating_add(if first { FIRST_BATCH_MS } else { self.batch_ms }));
        }
    }

    /// Ours from the given one on, in one message; nothing before a description of ours is out.
    fn send_candidates(&mut self, from: usize) {
        if self.local_print.is_none() {
            return;
        }
        let candidates: Vec<Candidate> = self.candidates.iter().skip(from).cloned().collect();
        self.candidates_sent = self.candidates.len();
        if !candidates.is_empty() {
            self.out.push_back(NegotiatorOutput::Signal(Direct::Candidates {
                attempt: self.attempt,
                candidates,
            }));
        }
    }

    fn send_offer(&mut self) {
        if let Some(description) = self.offer.clone() {
            let (attempt, round) = (self.attempt, self.round);
            self.out.push_back(NegotiatorOutput::Signal(Direct::Offer { attempt, round, description }));
        }
    }

    fn send_answer(&mut self, to: u64) {
        if let Some((round, description)) = self.answer.clone()
            && round == to
        {
            // While an offer of ours is out it is not void.
            let out = matches!(self.signaling, Signaling::HaveLocalOffer | Signaling::MakingOffer);
            let (attempt, past) = (self.attempt, self.round.saturating_sub(u64::from(out)));
            self.out.push_back(NegotiatorOutput::Signal(Direct::Answer {
                attempt,
                round,
                past,
                description,
            }));
        }
    }

    fn repeat(&mut self, now: u64, gap: u64) {
        let offering = self.signaling == Signaling::HaveLocalOffer;
        let connected = self.phase == Phase::Open;
        if offering {
            self.send_offer();
        }
        if !connected {
            self.send_candidates(0);
        }
        self.repeat = (offering || !connected)
            .then_some(Repeat { at: now.saturating_add(gap), gap: gap.min(MAX_REPEAT_MS) });
    }

    fn command(&mut self, command: RtcCommand) {
        self.out.push_back(NegotiatorOutput::Command(command));
    }
}

/// From the first offer to an open channel.
const DIAL_MS: u64 = 15_000;
/// The same where two persons press a button each.
const PAIR_MS: u64 = 40_000;
/// A connection that is `disconnected` mostly comes back by itself.
const GRACE_MS: u64 = 5_000;
const POLITE_MS: u64 = 2_000;
/// For an ICE restart to succeed.
const RESTART_MS: u64 = 20_000;
/// What got no answer is said again, at doubling distance.
const REPEAT_MS: u64 = 2_000;
const MAX_REPEAT_MS: u64 = 8_000;
/// Candidates found within this time travel together: hubs limit messages. The first, of this host, come at once, and all
/// else waits for them.
const BATCH_MS: u64 = 50;
const FIRST_BATCH_MS: u64 = 5;
/// The same where every message is dear: for this machine's addresses and the answer of a STUN server.
const GATHER_MS: u64 = 400;
/// Characters of a browser's error that are kept.
const MAX_ERROR: usize = 200;

#[cfg(test)]
mod tests;
