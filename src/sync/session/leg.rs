//! One carrier of a session: its handshake or its keys, and whether it is alive.
//!
//! ```text
//! Shaking ──handshake done──▶ Undecided (responder, several carriers) ──first frame──▶ Sealed
//!    └───────────────────────────────────────────────────────────────────────────────────┘
//! ```
//! The first frame of the initiator on a carrier says what it is for: an attach joins the session that is there, anything
//! else begins one. A carrier on which a ping stays unanswered while there is another is stalled; it comes back with
//! the first frame that is heard on it.

use std::collections::VecDeque;

use snow::TransportState;

use crate::sync::{
    Carrier, Fault,
    frame::{Deframer, Frame, enclose},
    handshake::{Handshake, Secured},
    limits::{MAX_FRAME, SUSPECT_MS},
};

/// A carrier of a session.
pub(super) struct Leg {
    /// The owner's number for it.
    pub(super) via: u64,
    /// The higher, the better.
    pub(super) rank: u8,
    /// Whether what was sent on it may get lost with it.
    pub(super) keeps: bool,
    pub(super) state: LegState,
    pub(super) deframer: Deframer,
    /// Frames of the handshake, in clear.
    pub(super) clear: VecDeque<Vec<u8>>,
    pub(super) began: u64,
    pub(super) congested: bool,
    /// Our attach is to be sent.
    pub(super) attach: bool,
    /// It began the session, or the peer's attach came.
    pub(super) attached: bool,
    /// An attach that came before there was a session: its id, and what the peer had received.
    pub(super) early: Option<([u8; 32], u64)>,
    pub(super) ack: bool,
    pub(super) ping: Option<u64>,
    pub(super) pong: Option<u64>,
    pub(super) pinged_at: u64,
    /// Since when a ping is out and nothing was heard.
    pub(super) waiting: Option<u64>,
    /// Since when parts are out and nothing was heard.
    pub(super) asked: Option<u64>,
    pub(super) heard_at: u64,
    pub(super) stalled: bool,
}

pub(super) enum LegState {
    Shaking(Option<Box<Handshake>>),
    Undecided(Box<Secured>),
    Sealed(Box<TransportState>),
}

impl Leg {
    pub(super) fn new(via: u64, carrier: &Carrier, handshake: Handshake, now: u64) -> Self {
        Self {
            via,
            rank: carrier.rank(),
            keeps: *carrier != Carrier::Tab,
            state: LegState::Shaking(Some(Box::new(handshake))),
            deframer: Deframer::default(),
            clear: VecDeque::new(),
            began: now,
            congested: false,
            attach: false,
            attached: false,
            early: None,
            ack: false,
            ping: None,
            pong: None,
            pinged_at: 0,
            waiting: None,
            asked: None,
            heard_at: now,
            stalled: false,
        }
    }

    /// Whether frames of the session may go over it.
    pub(super) const fn is_joined(&self) -> bool {
        self.attached && matches!(self.state, LegState::Sealed(_))
    }

    /// Something came: it lives.
    pub(super) fn heard(&mut self, now: u64) {
        self.heard_at = now;
        self.stalled = false;
        self.asked = self.asked.map(|_| now);
        self.waiting = self.waiting.map(|_| now);
    }

    /// Asks whether it lives, unless it was asked already.
    pub(super) fn probe(&mut self, now: u64) {
        if self.is_joined() && self.waiting.is_none() {
            self.beat(now);
        }
    }

    /// A ping, whatever is out.
    pub(super) fn beat(&mut self, now: u64) {
        (self.pinged_at, self.ping) = (now, Some(now));
        self.waiting.get_or_insert(now);
    }

    /// When [`Leg::doubt`] has something to do.
    pub(super) fn deadline(&self, patience: u64) -> Option<u64> {
        let stall = self.waiting.filter(|_| !self.stalled).map(|since| since.saturating_add(patience));
        let suspect = self.asked.filter(|_| self.waiting.is_none());
        stall.into_iter().chain(suspect.map(|since| since.saturating_add(SUSPECT_MS))).min()
    }

    /// Asks what was silent for too long, and gives up on what did not answer.
    pub(super) fn doubt(&mut self, now: u64, patience: u64) {
        if self.waiting.is_some_and(|since| now >= since.saturating_add(patience)) {
            self.stalled = true;
        } else if self.asked.is_some_and(|since| now >= since.saturating_add(SUSPECT_MS)) {
            self.probe(now);
        }
    }

    /// Opens a sealed frame; a description of what is wrong with it otherwise.
    pub(super) fn open<'a>(
        &mut self,
        sealed: &[u8],
        plain: &'a mut [u8; MAX_FRAME],
        received: u64,
    ) -> Result<Frame<'a>, Fault> {
        let noise = match &mut self.state {
            LegState::Sealed(noise) => noise.as_mut(),
            LegState::Undecided(secured) => &mut secured.transport,
            LegState::Shaking(_) => return Err(Fault::Authentic { sequence: received }),
        };
        let length =
            noise.read_message(sealed, plain).map_err(|_| Fault::Authentic { sequence: received })?;
        Frame::decode(plain.get(..length).unwrap_or_default())
            .map_err(|error| Fault::Decode { kind: "frame", error })
    }

    /// Seals a frame for it.
    pub(super) fn seal(&mut self, frame: &[u8]) -> Option<Vec<u8>> {
        let LegState::Sealed(noise) = &mut self.state else { return None };
        let mut sealed = [0; MAX_FRAME];
        let length = noise.write_message(frame, &mut sealed).ok()?;
        enclose(sealed.get(..length)?)
    }
}
