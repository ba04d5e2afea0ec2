//! An RTCPeerConnection for tests: runs commands one by one with delay, in the browser's states, and fails the
//! test on a command that a browser would refuse.

use std::collections::VecDeque;

use super::{RtcCommand, RtcEvent, RtcState, SdpType, fingerprint, sdp::ufrag};
use crate::crypto::{Entropy, hex};
use crate::testing::Seeded;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Stable,
    LocalOffer,
    RemoteOffer,
}

pub(crate) struct FakeRtc {
    state: State,
    commands: VecDeque<RtcCommand>,
    busy_until: u64,
    pub(crate) print: [u8; 32],
    /// (stable, current)
    local_ufrag: (String, String),
    remote_ufrag: (String, String),
    pub(crate) remote_print: Option<[u8; 32]>,
    remote_candidates: Vec<String>,
    events: VecDeque<(u64, RtcEvent)>,
    pub(crate) open: bool,
    connected: bool,
    /// Generations that lost their path.
    dead: Vec<String>,
    pub(crate) closed: bool,
    pub(crate) offers: u32,
    pub(crate) rollbacks: u32,
}

impl FakeRtc {
    pub(crate) fn new(entropy: &mut Seeded) -> Self {
        Self {
            state: State::Stable,
            commands: VecDeque::new(),
            busy_until: 0,
            print: entropy.array32(),
            local_ufrag: Default::default(),
            remote_ufrag: Default::default(),
            remote_print: None,
            remote_candidates: Vec::new(),
            events: VecDeque::new(),
            open: false,
            connected: false,
            dead: Vec::new(),
            closed: false,
            offers: 0,
            rollbacks: 0,
        }
    }

    pub(crate) fn command(&mut self, command: RtcCommand) {
        if command == RtcCommand::Close {
            self.closed = true;
        }
        self.commands.push_back(command);
    }

    pub(crate) fn emit(&mut self, at: u64, event: RtcEvent) {
        self.events.push_back((at, event));
    }

    pub(crate) fn lose_path(&mut self, now: u64, state: RtcState) {
        self.connected = false;
        self.dead.push(self.local_ufrag.1.clone());
        self.emit(now, RtcEvent::State(state));
    }

    pub(crate) fn state(&self) -> String {
        let (local, remote) = (&self.local_ufrag, &self.remote_ufrag);
        let candidates = self.remote_candidates.len();
        format!(
            "{:?} local {local:?} remote {remote:?} candidates {candidates} dead {:?}",
            self.state, self.dead
        )
    }

    fn sdp(&self) -> String {
        let print: Vec<String> = self.print.iter().map(|b| format!("{b:02X}")).collect();
        format!("v=0\r\na=ice-ufrag:{}\r\na=fingerprint:sha-256 {}\r\n", self.local_ufrag.1, print.join(":"))
    }

    fn describe(&mut self, sdp_type: SdpType, now: u64, entropy: &mut Seeded) {
        self.emit(now, RtcEvent::LocalDescription { sdp_type, sdp: self.sdp() });
        for n in 0..=entropy.below(3) {
            let ufrag = &self.local_ufrag.1;
            let json = format!(
                r#"{{"candidate":"candidate:{n} {ufrag}","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"{ufrag}"}}"#
            );
            self.emit(now + u64::from(entropy.below(120)), RtcEvent::LocalCandidate { json });
        }
    }

    /// Runs what is due; events that are due.
    pub(crate) fn step(&mut self, now: u64, entropy: &mut Seeded) -> Vec<RtcEvent> {
        while !self.closed && now >= self.busy_until {
            let Some(command) = self.commands.pop_front() else { break };
            self.busy_until = now + u64::from(entropy.below(20));
            match command {
                RtcCommand::Close => {}
                RtcCommand::Create { .. } => self.emit(now, RtcEvent::NegotiationNeeded),
                RtcCommand::MakeOffer { ice_restart } => {
                    assert_eq!(self.state, State::Stable, "offer");
                    self.state = State::LocalOffer;
                    self.offers += 1;
                    self.local_ufrag.0 = self.local_ufrag.1.clone();
                    if ice_restart || self.local_ufrag.1.is_empty() {
                        self.local_ufrag.1 = hex(&entropy.array16());
                    }
                    self.describe(SdpType::Offer, now, entropy);
                }
                RtcCommand::Rollback => {
                    assert_eq!(self.state, State::LocalOffer, "rollback");
                    self.state = State::Stable;
                    self.rollbacks += 1;
                    self.local_ufrag.1 = self.local_ufrag.0.clone();
                }
                RtcCommand::SetRemote { sdp_type, sdp } => {
                    let (before, after) = match sdp_type {
                        SdpType::Offer => (State::Stable, State::RemoteOffer),
                        SdpType::Answer => (State::LocalOffer, State::Stable),
                    };
                    assert_eq!(self.state, before, "remote {sdp_type:?}");
                    self.state = after;
                    let new = ufrag(&sdp).unwrap().to_owned();
                    self.remote_ufrag.0 = core::mem::replace(&mut self.remote_ufrag.1, new);
                    if self.remote_ufrag.0 != self.remote_ufrag.1 {
                        self.remote_candidates.clear();
                    }
                    self.remote_print = Some(fingerprint(&sdp).unwrap());
                }
                RtcCommand::MakeAnswer => {
                    assert_eq!(self.state, State::RemoteOffer, "answer");
                    self.state = State::Stable;
                    if self.local_ufrag.1.is_empty() || self.remote_ufrag.0 != self.remote_ufrag.1 {
                        self.local_ufrag.1 = hex(&entropy.array16());
                    }
                    self.describe(SdpType::Answer, now, entropy);
                }
                RtcCommand::AddCandidate { json } => {
                    assert!(!self.remote_ufrag.1.is_empty(), "candidate before a description");
                    assert!(
                        json.contains(&format!(r#""usernameFragment":"{}""#, self.remote_ufrag.1)),
                        "{json}"
                    );
                    assert!(!self.remote_candidates.contains(&json), "candidate twice");
                    self.remote_candidates.push(json);
                }
            }
        }
        let (due, later) = core::mem::take(&mut self.events).into_iter().partition(|(at, _)| *at <= now);
        self.events = later;
        let due: VecDeque<(u64, RtcEvent)> = due;
        if self.closed { Vec::new() } else { due.into_iter().map(|(_, event)| event).collect() }
    }

    /// When [`FakeRtc::step`] has something to do.
    pub(crate) fn next(&self) -> Option<u64> {
        let command = (!self.commands.is_empty()).then_some(self.busy_until);
        self.events.iter().map(|(at, _)| *at).chain(command).min()
    }

    /// Whether two connections describe each other and know a candidate of each other.
    pub(crate) fn agrees(&self, other: &Self) -> bool {
        let half = |a: &Self, b: &Self| {
            !a.closed
                && a.state == State::Stable
                && a.remote_print == Some(b.print)
                && a.remote_ufrag.1 == b.local_ufrag.1
                && !a.remote_candidates.is_empty()
                && !a.dead.contains(&a.local_ufrag.1)
        };
        half(self, other) && half(other, self)
    }

    pub(crate) fn connect(&mut self, now: u64) {
        if !self.connected {
            self.connected = true;
            self.emit(now, RtcEvent::State(RtcState::Connected));
            if !core::mem::replace(&mut self.open, true) {
                self.emit(now, RtcEvent::ChannelOpen);
            }
        }
    }
}
