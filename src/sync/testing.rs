//! What the tests of this layer share: two sessions over a link in memory that delays and cuts bytes.

use std::collections::VecDeque;

use crate::{
    crypto::Entropy,
    sync::{Carrier, Fault, NodeKey, Role, Session, SessionConfig, SessionOutput, limits::MAX_FRAME},
    testing::Seeded,
};

/// One way of a link: an ordered stream of bytes that arrives late and in pieces.
#[derive(Default)]
pub(super) struct Pipe {
    /// When each piece arrives.
    pieces: VecDeque<(u64, Vec<u8>)>,
    pub(super) carried: usize,
}

impl Pipe {
    pub(super) fn push(&mut self, bytes: &[u8], now: u64, random: &mut Seeded) {
        assert!(!bytes.is_empty() && bytes.len() <= MAX_FRAME, "{}", bytes.len());
        self.carried += bytes.len();
        let mut rest = bytes;
        while !rest.is_empty() {
            let at = 1 + usize::try_from(random.below(u32::try_from(2 * rest.len()).unwrap())).unwrap();
            let (piece, tail) = rest.split_at(at.min(rest.len()));
            let earliest = self.pieces.back().map_or(0, |(at, _)| *at);
            let due = earliest.max(now + u64::from(random.below(20)));
            self.pieces.push_back((due, piece.to_vec()));
            rest = tail;
        }
    }

    pub(super) fn pull(&mut self, now: u64) -> Option<Vec<u8>> {
        if self.pieces.front().is_none_or(|(at, _)| *at > now) {
            return None;
        }
        self.pieces.pop_front().map(|(_, bytes)| bytes)
    }

    pub(super) fn next_at(&self) -> Option<u64> {
        self.pieces.front().map(|(at, _)| *at)
    }
}

/// One side: a session, what it sends, and what it said.
pub(super) struct Side {
    pub(super) session: Session,
    pub(super) out: Pipe,
    pub(super) said: Vec<SessionOutput>,
    pub(super) fault: Option<Fault>,
}

/// Two sessions and the link between them.
pub(super) struct Pair {
    pub(super) sides: [Side; 2],
    pub(super) random: Seeded,
    pub(super) now: u64,
}

pub(super) fn session(role: Role, carrier: Carrier, seed: u64, now: u64) -> Session {
    let mut entropy = Seeded::new(seed);
    let key = NodeKey::generate(&mut entropy);
    let config = SessionConfig { carrier, key: &key, nonce: entropy.array16(), role, via: 0 };
    Session::new(config, &mut entropy, now).unwrap()
}

impl Pair {
    pub(super) fn new(seed: u64) -> Self {
        Self::over(seed, Carrier::Tab, Carrier::Tab)
    }

    pub(super) fn over(seed: u64, one: Carrier, two: Carrier) -> Self {
        let now = 1_000_000;
        let side = |session| Side { session, out: Pipe::default(), said: Vec::new(), fault: None };
        Self {
            sides: [
                side(session(Role::Initiator, one, seed * 2 + 1, now)),
                side(session(Role::Responder, two, seed * 2 + 2, now)),
            ],
            random: Seeded::new(seed),
            now,
        }
    }

    /// Drains both sessions onto the link.
    pub(super) fn drain(&mut self) {
        for side in &mut self.sides {
            while let Some(output) = side.session.poll() {
                match output {
                    SessionOutput::Send { bytes, .. } => side.out.push(&bytes, self.now, &mut self.random),
                    other => side.said.push(other),
                }
            }
        }
    }

    /// Delivers what is due next; `false` if the link is empty.
    pub(super) fn step(&mut self) -> bool {
        self.drain();
        let Some(at) = self.sides.iter().filter_map(|side| side.out.next_at()).min() else { return false };
        self.now = self.now.max(at);
        for from in 0..2 {
            while let Some(bytes) = self.sides[from].out.pull(self.now) {
                let to = &mut self.sides[1 - from];
                if let Err(fault) = to.session.receive(0, &bytes, self.now) {
                    to.fault = Some(fault);
                }
            }
        }
        true
    }

    /// Until nothing moves.
    pub(super) fn settle(&mut self) {
        while self.step() {}
    }

    pub(super) fn take(&mut self, side: usize) -> Vec<SessionOutput> {
        std::mem::take(&mut self.sides[side].said)
    }
}
