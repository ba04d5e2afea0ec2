//! One connection to one peer: bytes of a carrier in, verified messages out, and back.
//!
//! Who owns what: the session owns the handshake, the frames, the channels' tags and proofs, heartbeats, rates and the
//! queue of messages to send. The owner moves bytes ([`SessionOutput::Send`] to the carrier, its bytes to
//! [`Session::receive`]), says when the carrier is full ([`Session::set_congested`]), calls [`Session::tick`] at
//! [`Session::deadline`], drains [`Session::poll`] after every call, and hands messages to whoever serves the space.
//!
//! Messages are cut into frames only when the carrier takes them, so that heartbeats and the close overtake bulk data.
//! A session may have several carriers ([`Session::attach`]); its messages go over the best that lives, and move to another
//! without one lost, doubled or out of order (`open.rs`).
//! After a fault nothing more is accepted or delivered; the peer is told, then [`SessionOutput::Closed`] comes last.

mod kept;
mod leg;
mod open;
mod receive;

use std::collections::VecDeque;

use super::{
    Carrier, ChannelId, CloseReason, Fault, Goodbye, HandshakeHash, Message, NodeKey, Role,
    frame::{Content, enclose},
    handshake::Handshake,
    limits::{
        HANDSHAKE_MS, HEARTBEAT_MS, IDLE_MS, MAX_CARRIERS, QUEUE_MAX, QUEUE_TARGET, SILENCE_MS,
        STALL_ALONE_MS, STALL_MS,
    },
};
use crate::collections::Map;
use crate::crypto::{Entropy, PublicKey, Signer};

/// What a session needs to begin.
pub struct SessionConfig<'a> {
    /// What carries the bytes.
    pub carrier: Carrier,
    /// This node's key for this browser session.
    pub key: &'a NodeKey,
    /// This side's random session nonce.
    pub nonce: [u8; 16],
    /// Which end this is.
    pub role: Role,
    /// The owner's number for the carrier.
    pub via: u64,
}

/// A further carrier for a session.
pub struct NextCarrier<'a> {
    /// What it is.
    pub carrier: Carrier,
    /// The key that the session began with.
    pub key: &'a NodeKey,
    /// This side's nonce for its handshake, random.
    pub nonce: [u8; 16],
    /// The owner's number for it.
    pub via: u64,
}

/// What a session counts, for people and tests.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FrameCounts {
    /// Parts of messages that were sent, each once.
    pub sent: u64,
    /// Of those, how many the peer has acknowledged.
    pub acknowledged: u64,
    /// Parts that were received, each once.
    pub received: u64,
    /// Parts that were sent again over another carrier.
    pub resent: u64,
    /// Parts that came again, and were dropped.
    pub repeated: u64,
    /// How often this side moved to another carrier.
    pub moves: u64,
}

/// What a session wants done or has to say.
#[derive(Debug, Eq, PartialEq)]
pub enum SessionOutput {
    /// Hand these bytes to a carrier: one frame, at most 16 KiB.
    Send {
        /// The carrier.
        via: u64,
        /// The frame.
        bytes: Vec<u8>,
    },
    /// Messages go over another carrier now.
    Moved {
        /// The carrier.
        via: u64,
    },
    /// Nothing is heard over a carrier any more: look after it.
    Stalled {
        /// The carrier.
        via: u64,
    },
    /// A carrier that did not join: close it. The session goes on.
    Dropped {
        /// The carrier.
        via: u64,
    },
    /// The handshake is done; from now on the peer is who it is.
    Established {
        /// The peer's key for its browser session.
        remote: [u8; 32],
        /// Hash of the handshake.
        hash: HandshakeHash,
        /// Both nonces, lower first.
        id: [u8; 32],
    },
    /// A space is shared from now on.
    ChannelOpened {
        /// Its channel.
        channel: ChannelId,
        /// The space.
        space: PublicKey,
    },
    /// The peer closed a channel.
    ChannelClosed {
        /// Its channel.
        channel: ChannelId,
        /// The space.
        space: PublicKey,
    },
    /// The peer does not share this space (or does not say).
    ChannelRefused {
        /// The space.
        space: PublicKey,
    },
    /// The peer holds the secret of this key.
    Proven {
        /// Where it said so.
        channel: ChannelId,
        /// Writer or replica key.
        key: PublicKey,
    },
    /// A message on an open channel.
    Message {
        /// The channel.
        channel: ChannelId,
        /// The message; never one about channels.
        message: Message,
    },
    /// Over. Nothing comes after this.
    Closed {
        /// Why.
        reason: CloseReason,
    },
}

/// Why a message was not taken for sending.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SendError {
    /// The session or the channel is not open.
    #[error("the channel is not open")]
    Closed,
    /// Too much waits already.
    #[error("{queued} bytes wait already: at most {max}")]
    Full {
        /// Bytes that wait.
        queued: usize,
        /// The limit.
        max: usize,
    },
    /// The message is larger than the protocol allows.
    #[error("message of {got} bytes: at most {max}")]
    TooLarge {
        /// The limit.
        max: usize,
        /// Its size.
        got: usize,
    },
}

/// One connection.
pub struct Session {
    state: State,
    legs: Vec<Leg>,
    events: VecDeque<SessionOutput>,
    role: Role,
    /// Spaces to serve, and whether to open them, once the handshake is done.
    early: Map<PublicKey, bool>,
    opened_at: u64,
    heard_at: u64,
    ticked_at: u64,
    /// The latest time that was told, ms.
    now: u64,
}

use leg::{Leg, LegState};
use open::{Open, cut};

enum State {
    /// No carrier's handshake is done.
    Handshake,
    Open(Box<Open>),
    /// The reason was said or waits in `events`.
    Closed,
}

impl Session {
    /// Begins a session at `now` (ms). The initiator has something to send at once.
    pub fn new(config: SessionConfig<'_>, entropy: &mut dyn Entropy, now: u64) -> Result<Self, Fault> {
        let SessionConfig { carrier, key, nonce, role, via } = config;
        let mut session = Self {
            state: State::Handshake,
            legs: Vec::new(),
            events: VecDeque::new(),
            role,
            early: Map::new(),
            opened_at: now,
            heard_at: now,
            ticked_at: now,
            now,
        };
        session.attach(NextCarrier { carrier, key, nonce, via }, entropy, now)?;
        Ok(session)
    }

    /// Adds a carrier: its handshake runs over it, and if it is with the same peer, messages may move there. One that
    /// does not work out is given back as [`SessionOutput::Dropped`].
    pub fn attach(
        &mut self,
        next: NextCarrier<'_>,
        entropy: &mut dyn Entropy,
        now: u64,
    ) -> Result<(), Fault> {
        let NextCarrier { carrier, key, nonce, via } = next;
        self.now = self.now.max(now);
        if self.legs.len() >= MAX_CARRIERS || self.legs.iter().any(|leg| leg.via == via) {
            return Err(Fault::Limit { what: "carriers", max: MAX_CARRIERS });
        }
        let mut handshake = Handshake::new(self.role, &carrier, key, nonce, entropy)?;
        let first = if self.role == Role::Initiator { enclose(&handshake.start()?) } else { None };
        let mut leg = Leg::new(via, &carrier, handshake, now);
        leg.clear.extend(first);
        self.legs.push(leg);
        Ok(())
    }

    /// A carrier is gone. Without any the session has nothing to go on: it is over.
    pub fn detach(&mut self, via: u64, now: u64) {
        self.now = self.now.max(now);
        self.legs.retain(|leg| leg.via != via);
        if self.legs.is_empty() && !matches!(self.state, State::Closed) {
            self.end(CloseReason::Silence);
        }
        self.choose();
    }

    /// What time it is, before the session is asked what to send.
    pub fn note(&mut self, now: u64) {
        self.now = self.now.max(now);
    }

    /// Asks on every carrier whether it lives: the page woke up, or the network changed.
    pub fn probe(&mut self, now: u64) {
        self.now = self.now.max(now);
        self.legs.iter_mut().for_each(|leg| leg.probe(now));
    }

    /// Takes bytes from a carrier, cut in any way. A fault has closed the session already.
    pub fn receive(&mut self, via: u64, mut bytes: &[u8], now: u64) -> Result<(), Fault> {
        self.heard_at = now;
        self.now = self.now.max(now);
        while !self.is_closed() {
            let Some(at) = self.legs.iter().position(|leg| leg.via == via) else { return Ok(()) };
            let next = self.legs.get_mut(at).map_or(Ok(None), |leg| leg.deframer.next(&mut bytes));
            let step = match next {
                Ok(Some(frame)) => self.frame(at, &frame),
                Ok(None) => return Ok(()),
                Err(fault) => Err(fault),
            };
            if let Err(fault) = step {
                // What has not joined takes nothing down but itself, nor does a carrier that mixes up its bytes.
                let joined = self.legs.get(at).is_some_and(|leg| leg.attached);
                let others =
                    self.legs.iter().filter(|leg| leg.via != via && (leg.attached || !joined)).count();
                let bytes = matches!(fault, Fault::Authentic { .. } | Fault::FrameLength { .. });
                if others > 0 && (!joined || bytes) {
                    self.drop_leg(at);
                    self.choose();
                    return Ok(());
                }
                self.fail(fault.clone());
                return Err(fault);
            }
        }
        Ok(())
    }

    /// The next thing to do or to know.
    pub fn poll(&mut self) -> Option<SessionOutput> {
        for leg in &mut self.legs {
            if let Some(bytes) = leg.clear.pop_front() {
                return Some(SessionOutput::Send { via: leg.via, bytes });
            }
        }
        let done = matches!(&self.state, State::Open(open) if open.closing.is_some());
        if !done && let Some(event) = self.events.pop_front() {
            return Some(event);
        }
        if let State::Open(open) = &mut self.state {
            if let Some((goodbye, text, reason)) = open.closing.take() {
                for leg in self.legs.iter_mut().rev().filter(|leg| leg.is_joined()) {
                    let content = Content::Close { goodbye, text: cut(&text) };
                    self.events.extend(open.control(leg, content));
                    self.events.rotate_right(1);
                }
                self.state = State::Closed;
                self.events.push_back(SessionOutput::Closed { reason });
                return self.events.pop_front();
            }
            return open.next_frame(&mut self.legs, self.now);
        }
        self.events.pop_front()
    }

    /// When [`Session::tick`] has something to do (ms).
    pub fn deadline(&self) -> Option<u64> {
        match &self.state {
            State::Handshake => Some(self.opened_at.saturating_add(HANDSHAKE_MS)),
            State::Open(open) => {
                let beat = open.pinged_at.saturating_add(HEARTBEAT_MS);
                let silence = self.heard_at.saturating_add(SILENCE_MS);
                let idle = open.idle_since.map_or(u64::MAX, |since| since.saturating_add(IDLE_MS));
                let patience = self.patience();
                let doubts = self.legs.iter().filter_map(|leg| match leg.attached {
                    true => leg.deadline(patience),
                    false => Some(leg.began.saturating_add(HANDSHAKE_MS)),
                });
                Some(doubts.fold(beat.min(silence).min(idle), u64::min))
            }
            State::Closed => None,
        }
    }

    /// Lets time pass: heartbeats, silence, idleness, carriers that do not answer.
    pub fn tick(&mut self, now: u64) {
        // The whole machine slept: what the peer sent meanwhile waits to be delivered, so ask before giving up.
        if now.saturating_sub(self.ticked_at) >= SILENCE_MS {
            self.heard_at = self.heard_at.max(now.saturating_sub(SILENCE_MS - HEARTBEAT_MS));
        }
        (self.ticked_at, self.now) = (now, self.now.max(now));
        match &mut self.state {
            State::Handshake if now >= self.opened_at.saturating_add(HANDSHAKE_MS) => {
                self.end(CloseReason::Silence);
            }
            State::Open(open) => {
                if now >= self.heard_at.saturating_add(SILENCE_MS) {
                    open.close(Goodbye::Leaving, "silence", CloseReason::Silence);
                } else if open.idle_since.is_some_and(|since| now >= since.saturating_add(IDLE_MS)) {
                    open.close(Goodbye::Idle, "no space in common", CloseReason::Ours(Goodbye::Idle));
                } else if now >= open.pinged_at.saturating_add(HEARTBEAT_MS) {
                    open.pinged_at = now;
                    let active = open.active;
                    self.legs.iter_mut().filter(|leg| leg.via == active).for_each(|leg| leg.beat(now));
                }
                self.doubt(now);
            }
            State::Handshake | State::Closed => {}
        }
    }

    /// Looks after several carriers.
    fn doubt(&mut self, now: u64) {
        let late = |leg: &Leg| !leg.attached && now >= leg.began.saturating_add(HANDSHAKE_MS);
        while let Some(at) = self.legs.iter().position(late) {
            self.drop_leg(at);
        }
        let (patience, mut asked) = (self.patience(), false);
        for leg in &mut self.legs {
            let (waiting, stalled) = (leg.waiting, leg.stalled);
            leg.doubt(now, patience);
            asked |= waiting != leg.waiting;
            if leg.stalled && !stalled {
                self.events.push_back(SessionOutput::Stalled { via: leg.via });
            }
        }
        // The others are asked too, so that the way out is known when it is needed.
        self.legs.iter_mut().filter(|_| asked).for_each(|leg| leg.probe(now));
        self.choose();
    }

    /// How long a carrier may leave a question unanswered: longer if there is no other.
    fn patience(&self) -> u64 {
        if self.legs.len() > 1 { STALL_MS } else { STALL_ALONE_MS }
    }

    fn choose(&mut self) {
        let State::Open(open) = &mut self.state else { return };
        let before = open.active;
        open.choose(&mut self.legs, self.now);
        if open.active != before {
            self.events.push_back(SessionOutput::Moved { via: open.active });
        }
    }

    fn drop_leg(&mut self, at: usize) {
        if at < self.legs.len() {
            let via = self.legs.remove(at).via;
            self.events.push_back(SessionOutput::Dropped { via });
        }
    }

    /// A carrier is full (or no longer): while it is, only what joins it and the close are handed out for it, each once.
    pub fn set_congested(&mut self, via: u64, congested: bool) {
        self.legs.iter_mut().filter(|leg| leg.via == via).for_each(|leg| leg.congested = congested);
    }

    /// The carrier over which messages go, once there is one.
    pub fn active(&self) -> Option<u64> {
        if let State::Open(open) = &self.state { Some(open.active) } else { None }
    }

    /// Frames so far.
    pub fn counts(&self) -> FrameCounts {
        let State::Open(open) = &self.state else { return FrameCounts::default() };
        FrameCounts {
            sent: open.sent,
            acknowledged: open.acknowledged,
            received: open.received,
            resent: open.resent,
            repeated: open.repeated,
            moves: open.moves,
        }
    }

    /// Bytes that may be queued now without reading ahead of the carrier. Ask before reading storage.
    pub fn writable(&self) -> usize {
        match &self.state {
            State::Open(open) if open.closing.is_none() => QUEUE_TARGET.saturating_sub(open.queued),
            _ => 0,
        }
    }

    /// Bytes of messages that wait to be handed out.
    pub fn queued(&self) -> usize {
        if let State::Open(open) = &self.state { open.queued } else { 0 }
    }

    /// Round trip of the last heartbeat (ms).
    pub fn rtt(&self) -> Option<u64> {
        if let State::Open(open) = &self.state { open.rtt } else { None }
    }

    /// By how much the peer's clock is ahead of ours (ms), as it says in its heartbeats; `None` before the first one.
    /// A ping that was long under way makes it look slow, so the fastest of the last few counts.
    pub fn clock_offset(&self) -> Option<i64> {
        if let State::Open(open) = &self.state { open.offsets.iter().copied().max() } else { None }
    }

    /// Whether the handshake is done and nobody has closed.
    pub fn is_open(&self) -> bool {
        matches!(&self.state, State::Open(open) if open.closing.is_none())
    }

    /// Which end this is.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Answers the peer if it opens this space. Say so before the handshake is done: the peer's first message may come
    /// together with the last of the handshake.
    pub fn serve(&mut self, space: PublicKey) {
        match &mut self.state {
            State::Open(open) => open.channels.serve(space),
            State::Handshake => {
                self.early.entry(space).or_insert(false);
            }
            State::Closed => {}
        }
    }

    /// Opens this space with the peer, and serves it. Does nothing if it is open or under way.
    pub fn open(&mut self, space: PublicKey) -> Result<(), SendError> {
        let open = match &mut self.state {
            State::Open(open) => open,
            State::Handshake => {
                self.early.insert(space, true);
                return Ok(());
            }
            State::Closed => return Err(SendError::Closed),
        };
        match open.channels.open(space) {
            Ok(Some((_, message))) => open.enqueue(0, &message),
            Ok(None) => Ok(()),
            Err(_) => Err(SendError::Full { queued: open.queued, max: QUEUE_MAX }),
        }
    }

    /// Closes the channel of a space and no longer serves it here.
    pub fn leave(&mut self, space: &PublicKey, channel: Option<ChannelId>, now: u64) {
        self.early.remove(space);
        let State::Open(open) = &mut self.state else { return };
        open.channels.withdraw(space);
        if let Some(id) = channel
            && let Some(message) = open.channels.close(id)
            && open.enqueue(id.0, &message).is_err()
        {
            let full = Fault::Limit { what: "bytes waiting", max: QUEUE_MAX };
            open.close(Goodbye::Failure, "queue full", CloseReason::Fault(full));
        }
        open.note_idleness(now);
    }

    /// Shows the peer that this node holds a writer's or replica's key.
    pub fn prove(&mut self, channel: ChannelId, signer: &Signer) -> Result<(), SendError> {
        let State::Open(open) = &mut self.state else { return Err(SendError::Closed) };
        let message = open.channels.prove(channel, signer).ok_or(SendError::Closed)?;
        open.enqueue(channel.0, &message)
    }

    /// Queues a message on an open channel.
    pub fn send(&mut self, channel: ChannelId, message: &Message) -> Result<(), SendError> {
        let State::Open(open) = &mut self.state else { return Err(SendError::Closed) };
        if !open.channels.is_open(channel) || open.closing.is_some() {
            return Err(SendError::Closed);
        }
        open.enqueue(channel.0, message)
    }

    /// Says goodbye; what was queued is dropped.
    pub fn close(&mut self, goodbye: Goodbye) {
        match &mut self.state {
            State::Open(open) => open.close(goodbye, "", CloseReason::Ours(goodbye)),
            State::Handshake => self.end(CloseReason::Ours(goodbye)),
            State::Closed => {}
        }
    }

    /// Closes because of something found outside, by the exchange for one; the peer is told what.
    pub fn fail(&mut self, fault: Fault) {
        match &mut self.state {
            State::Open(open) => {
                // Details of our own failures are nobody's business.
                let (goodbye, text) = match &fault {
                    Fault::Local(_) => (Goodbye::Failure, String::from("local failure")),
                    other => (Goodbye::Offence, format!("{}: {other}", other.code())),
                };
                open.close(goodbye, &text, CloseReason::Fault(fault));
                self.events.clear();
            }
            State::Handshake => {
                // Says which versions are spoken here; and to a peer in the middle of a handshake, that it is over.
                let refusal = enclose(&Handshake::refusal());
                self.legs.iter_mut().for_each(|leg| leg.clear.extend(refusal.clone()));
                self.end(CloseReason::Fault(fault));
            }
            State::Closed => {}
        }
    }

    fn is_closed(&self) -> bool {
        match &self.state {
            State::Closed => true,
            State::Open(open) => open.closing.is_some(),
            State::Handshake => false,
        }
    }

    fn end(&mut self, reason: CloseReason) {
        self.state = State::Closed;
        self.events.push_back(SessionOutput::Closed { reason });
    }
}

#[cfg(test)]
mod tests;
