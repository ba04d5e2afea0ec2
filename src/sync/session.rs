//! One connection to one peer: bytes of a carrier in, verified messages out, and back.
//!
//! Who owns what: the session owns the handshake, the frames, the channels' tags and proofs, heartbeats, rates and the
//! queue of messages to send. The owner moves bytes ([`SessionOutput::Send`] to the carrier, its bytes to
//! [`Session::receive`]), says when the carrier is full ([`Session::set_congested`]), calls [`Session::tick`] at
//! [`Session::deadline`], drains [`Session::poll`] after every call, and hands messages to whoever serves the space.
//!
//! Messages are cut into frames only when the carrier takes them, so that heartbeats and the close overtake bulk data.
//! After a fault nothing more is accepted or delivered; the peer is told, then [`SessionOutput::Closed`] comes last.

mod open;

use std::collections::VecDeque;

use super::{
    Carrier, ChannelId, CloseReason, Fault, Goodbye, HandshakeHash, Message, NodeKey, Role,
    channel::Channels,
    frame::{Content, Deframer, Joiner, enclose},
    handshake::{Handshake, Secured, Step},
    limits::{HANDSHAKE_MS, HEARTBEAT_MS, IDLE_MS, QUEUE_MAX, QUEUE_TARGET, SILENCE_MS},
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
}

/// What a session wants done or has to say.
#[derive(Debug, Eq, PartialEq)]
pub enum SessionOutput {
    /// Hand these bytes to the carrier: one frame, at most 16 KiB.
    Send(Vec<u8>),
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
    deframer: Deframer,
    /// Frames of the handshake, in clear.
    clear: VecDeque<Vec<u8>>,
    events: VecDeque<SessionOutput>,
    role: Role,
    /// Spaces to serve, and whether to open them, once the handshake is done.
    early: Map<PublicKey, bool>,
    opened_at: u64,
    heard_at: u64,
    ticked_at: u64,
}

use open::{Open, cut};

enum State {
    Handshake(Option<Box<Handshake>>),
    Open(Box<Open>),
    /// The reason was said or waits in `events`.
    Closed,
}

impl Session {
    /// Begins a session at `now` (ms). The initiator has something to send at once.
    pub fn new(config: SessionConfig<'_>, entropy: &mut dyn Entropy, now: u64) -> Result<Self, Fault> {
        let SessionConfig { carrier, key, nonce, role } = config;
        let mut handshake = Handshake::new(role, &carrier, key, nonce, entropy)?;
        let mut clear = VecDeque::new();
        if role == Role::Initiator {
            clear.extend(enclose(&handshake.start()?));
        }
        Ok(Self {
            state: State::Handshake(Some(Box::new(handshake))),
            deframer: Deframer::default(),
            clear,
            events: VecDeque::new(),
            role,
            early: Map::new(),
            opened_at: now,
            heard_at: now,
            ticked_at: now,
        })
    }

    /// Takes bytes from the carrier, cut in any way. A fault has closed the session already.
    pub fn receive(&mut self, mut bytes: &[u8], now: u64) -> Result<(), Fault> {
        self.heard_at = now;
        while !self.is_closed() {
            let step = match self.deframer.next(&mut bytes) {
                Ok(Some(frame)) => self.frame(&frame, now),
                Ok(None) => return Ok(()),
                Err(fault) => Err(fault),
            };
            if let Err(fault) = step {
                self.fail(fault.clone());
                return Err(fault);
            }
        }
        Ok(())
    }

    /// The next thing to do or to know.
    pub fn poll(&mut self) -> Option<SessionOutput> {
        if let Some(frame) = self.clear.pop_front() {
            return Some(SessionOutput::Send(frame));
        }
        let done = matches!(&self.state, State::Open(open) if open.closing.is_some());
        if !done && let Some(event) = self.events.pop_front() {
            return Some(event);
        }
        if let State::Open(open) = &mut self.state {
            if let Some((goodbye, text, reason)) = open.closing.take() {
                let content = Content::Close { goodbye, text: cut(&text) };
                let send = open.control(content);
                self.state = State::Closed;
                self.events.push_back(SessionOutput::Closed { reason });
                return send.map(SessionOutput::Send).or_else(|| self.events.pop_front());
            }
            return open.next_frame().map(SessionOutput::Send);
        }
        self.events.pop_front()
    }

    /// When [`Session::tick`] has something to do (ms).
    pub fn deadline(&self) -> Option<u64> {
        match &self.state {
            State::Handshake(_) => Some(self.opened_at.saturating_add(HANDSHAKE_MS)),
            State::Open(open) => {
                let beat = open.pinged_at.saturating_add(HEARTBEAT_MS);
                let silence = self.heard_at.saturating_add(SILENCE_MS);
                let idle = open.idle_since.map_or(u64::MAX, |since| since.saturating_add(IDLE_MS));
                Some(beat.min(silence).min(idle))
            }
            State::Closed => None,
        }
    }

    /// Lets time pass: heartbeats, silence, idleness.
    pub fn tick(&mut self, now: u64) {
        // The whole machine slept: what the peer sent meanwhile waits to be delivered, so ask before giving up.
        if now.saturating_sub(self.ticked_at) >= SILENCE_MS {
            self.heard_at = self.heard_at.max(now.saturating_sub(SILENCE_MS - HEARTBEAT_MS));
        }
        self.ticked_at = now;
        match &mut self.state {
            State::Handshake(_) if now >= self.opened_at.saturating_add(HANDSHAKE_MS) => {
                self.end(CloseReason::Silence);
            }
            State::Open(open) => {
                if now >= self.heard_at.saturating_add(SILENCE_MS) {
                    open.close(Goodbye::Leaving, "silence", CloseReason::Silence);
                } else if open.idle_since.is_some_and(|since| now >= since.saturating_add(IDLE_MS)) {
                    open.close(Goodbye::Idle, "no space in common", CloseReason::Ours(Goodbye::Idle));
                } else if now >= open.pinged_at.saturating_add(HEARTBEAT_MS) {
                    (open.pinged_at, open.ping) = (now, Some(now));
                }
            }
            State::Handshake(_) | State::Closed => {}
        }
    }

    /// The carrier is full (or no longer): while it is, only heartbeats and the close are handed out.
    pub fn set_congested(&mut self, congested: bool) {
        if let State::Open(open) = &mut self.state {
            open.congested = congested;
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

    /// Message frames of ours that the peer has acknowledged, and that were sent.
    pub fn progress(&self) -> (u64, u64) {
        if let State::Open(open) = &self.state { (open.acknowledged, open.sent) } else { (0, 0) }
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
            State::Handshake(_) => {
                self.early.entry(space).or_insert(false);
            }
            State::Closed => {}
        }
    }

    /// Opens this space with the peer, and serves it. Does nothing if it is open or under way.
    pub fn open(&mut self, space: PublicKey) -> Result<(), SendError> {
        let open = match &mut self.state {
            State::Open(open) => open,
            State::Handshake(_) => {
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
            State::Handshake(_) => self.end(CloseReason::Ours(goodbye)),
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
            State::Handshake(_) => {
                // Says which versions are spoken here; and to a peer in the middle of a handshake, that it is over.
                self.clear.extend(enclose(&Handshake::refusal()));
                self.end(CloseReason::Fault(fault));
            }
            State::Closed => {}
        }
    }

    fn is_closed(&self) -> bool {
        match &self.state {
            State::Closed => true,
            State::Open(open) => open.closing.is_some(),
            State::Handshake(_) => false,
        }
    }

    fn end(&mut self, reason: CloseReason) {
        self.state = State::Closed;
        self.events.push_back(SessionOutput::Closed { reason });
    }

    fn frame(&mut self, frame: &[u8], now: u64) -> Result<(), Fault> {
        match &mut self.state {
            State::Handshake(handshake) => {
                let handshake = handshake.take().ok_or(Fault::Handshake { detail: "was over" })?;
                let (rest, step) = handshake.read(frame)?;
                match step {
                    Step::Reply(reply) => {
                        self.clear.extend(enclose(&reply));
                        self.state = State::Handshake(rest.map(Box::new));
                    }
                    Step::Done(reply, secured) => {
                        self.clear.extend(reply.and_then(|reply| enclose(&reply)));
                        self.establish(*secured, now);
                    }
                    Step::Versions(theirs) => self.end(CloseReason::Version { theirs }),
                }
                Ok(())
            }
            State::Open(open) => {
                if let Some(reason) = open.receive(frame, now, &mut self.events)? {
                    self.end(reason);
                }
                Ok(())
            }
            State::Closed => Ok(()),
        }
    }

    fn establish(&mut self, secured: Secured, now: u64) {
        let Secured { transport, hash, remote, id } = secured;
        self.events.push_back(SessionOutput::Established { remote, hash, id });
        self.state = State::Open(Box::new(Open {
            noise: transport,
            channels: Channels::new(hash, self.role),
            joiner: Joiner::default(),
            buckets: Map::new(),
            queue: VecDeque::new(),
            started: 0,
            queued: 0,
            sent: 0,
            received: 0,
            acknowledged: 0,
            congested: false,
            ping: Some(now),
            pong: None,
            pinged_at: now,
            rtt: None,
            offsets: VecDeque::new(),
            idle_since: Some(now),
            closing: None,
        }));
        for (space, open) in core::mem::take(&mut self.early) {
            match open {
                // More than the limit: those past it are not opened.
                true => drop(self.open(space)),
                false => self.serve(space),
            }
        }
    }
}

#[cfg(test)]
mod tests;
