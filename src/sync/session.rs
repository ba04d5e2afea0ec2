//! One connection to one peer: bytes of a carrier in, verified messages out, and back.
//!
//! Who owns what: the session owns the handshake, the frames, the channels' tags and proofs, heartbeats, rates and the
//! queue of messages to send. The owner moves bytes ([`SessionOutput::Send`] to the carrier, its bytes to
//! [`Session::receive`]), says when the carrier is full ([`Session::set_congested`]), calls [`Session::tick`] at
//! [`Session::deadline`], drains [`Session::poll`] after every call, and hands messages to whoever serves the space.
//!
//! Messages are cut into frames only when the carrier takes them, so that heartbeats and the close overtake bulk data.
//! After a fault nothing more is accepted or delivered; the peer is told, then [`SessionOutput::Closed`] comes last.

use std::collections::{BTreeMap, VecDeque};

use snow::TransportState;

use super::{
    Bucket, Carrier, ChannelId, CloseReason, Fault, Goodbye, HandshakeHash, Kind, Message, NodeKey, Role,
    channel::{ChannelEvent, Channels, Place},
    frame::{Content, Deframer, Frame, Joiner, PART, enclose},
    handshake::{Handshake, Secured, Step},
    limits::{
        HANDSHAKE_MS, HEARTBEAT_MS, IDLE_MS, MAX_FRAME, MAX_MESSAGE, MAX_REASON, QUEUE_MAX, QUEUE_TARGET,
        SILENCE_MS, rate,
    },
};
use crate::{
    codec::Reader,
    crypto::{Entropy, PublicKey, Signer},
};

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
    early: BTreeMap<PublicKey, bool>,
    opened_at: u64,
    heard_at: u64,
    ticked_at: u64,
}

enum State {
    Handshake(Option<Box<Handshake>>),
    Open(Box<Open>),
    /// The reason was said or waits in `events`.
    Closed,
}

struct Open {
    noise: TransportState,
    channels: Channels,
    joiner: Joiner,
    buckets: BTreeMap<Kind, Bucket>,
    /// Whole messages; of the first, `started` bytes are sent already.
    queue: VecDeque<Vec<u8>>,
    started: usize,
    queued: usize,
    sent: u64,
    received: u64,
    acknowledged: u64,
    congested: bool,
    ping: Option<u64>,
    pong: Option<u64>,
    pinged_at: u64,
    rtt: Option<u64>,
    idle_since: Option<u64>,
    closing: Option<(Goodbye, String, CloseReason)>,
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
            early: BTreeMap::new(),
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
            buckets: BTreeMap::new(),
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

impl Open {
    /// Takes one sealed frame; a reason if the peer says goodbye.
    fn receive(
        &mut self,
        sealed: &[u8],
        now: u64,
        events: &mut VecDeque<SessionOutput>,
    ) -> Result<Option<CloseReason>, Fault> {
        let mut plain = [0; MAX_FRAME];
        let length = self
            .noise
            .read_message(sealed, &mut plain)
            .map_err(|_| Fault::Authentic { sequence: self.received })?;
        let frame = Frame::decode(plain.get(..length).unwrap_or_default())
            .map_err(|error| Fault::Decode { kind: "frame", error })?;
        let part = matches!(frame.content, Content::First { .. } | Content::Next(_));
        let expected = self.received.saturating_add(u64::from(part));
        if frame.sequence != expected {
            return Err(Fault::Sequence { expected, got: frame.sequence });
        }
        if frame.acknowledged < self.acknowledged || frame.acknowledged > self.sent {
            return Err(Fault::Unexpected { what: "acknowledgement of what was not sent" });
        }
        (self.received, self.acknowledged) = (expected, frame.acknowledged);
        let message = match frame.content {
            Content::First { whole, bytes } => self.joiner.first(whole, bytes)?,
            Content::Next(bytes) => self.joiner.next(bytes)?,
            Content::Ping(stamp) => {
                // Only the latest is answered: a flood of them makes one answer.
                self.pong = Some(stamp);
                None
            }
            Content::Pong(stamp) => {
                if stamp == self.pinged_at {
                    self.rtt = Some(now.saturating_sub(stamp));
                }
                None
            }
            Content::Close { goodbye, text } => {
                return Ok(Some(CloseReason::Theirs { goodbye, text: text.to_owned() }));
            }
            // Carriers are joined by whoever runs several; this session has one, and it is open.
            Content::Attach { .. } => return Err(Fault::Unexpected { what: "attach" }),
        };
        if let Some(message) = message {
            self.message(&message, now, events)?;
        }
        Ok(None)
    }

    fn message(&mut self, bytes: &[u8], now: u64, events: &mut VecDeque<SessionOutput>) -> Result<(), Fault> {
        let mut reader = Reader::new(bytes);
        let (number, kind) =
            Message::decode_header(&mut reader).map_err(|error| Fault::Decode { kind: "unknown", error })?;
        let (per_second, burst) = rate(kind);
        if !self.buckets.entry(kind).or_insert_with(|| Bucket::new(per_second, burst, now)).take(now) {
            return Err(Fault::TooFast { kind: kind.name(), per_second });
        }
        let about_channels = matches!(kind, Kind::Open | Kind::Refuse);
        let place = match (about_channels, number) {
            (true, 0) => None,
            (true, _) | (false, 0) => return Err(Fault::Channel { got: number }),
            (false, number) => match self.channels.place(number)? {
                Place::Channel(id) => Some(id),
                Place::Gone => return Ok(()),
            },
        };
        let message = Message::decode_body(kind, &mut reader)
            .map_err(|error| Fault::Decode { kind: kind.name(), error })?;
        let caused = match (place, message) {
            (_, Message::Open { number, answers, discovery, tag }) => {
                self.channels.opened(number, answers, discovery, tag)?
            }
            (_, Message::Refuse { discovery }) => self.channels.refused(discovery),
            (Some(id), Message::CloseChannel) => self.channels.closed(number, id),
            (Some(id), Message::Prove { key, signature }) => self.channels.proven(id, key, &signature)?,
            (Some(channel), message) => {
                events.push_back(SessionOutput::Message { channel, message });
                return Ok(());
            }
            (None, _) => return Err(Fault::Channel { got: number }),
        };
        for event in caused {
            match event {
                ChannelEvent::Opened { channel, space } => {
                    events.push_back(SessionOutput::ChannelOpened { channel, space });
                }
                ChannelEvent::Closed { channel, space } => {
                    events.push_back(SessionOutput::ChannelClosed { channel, space });
                }
                ChannelEvent::Proven { channel, key } => {
                    events.push_back(SessionOutput::Proven { channel, key });
                }
                ChannelEvent::Refused { space } => events.push_back(SessionOutput::ChannelRefused { space }),
                ChannelEvent::Reply { channel, message } => self
                    .enqueue(channel, &message)
                    .map_err(|_| Fault::Limit { what: "bytes waiting", max: QUEUE_MAX })?,
            }
        }
        self.note_idleness(now);
        Ok(())
    }

    fn note_idleness(&mut self, now: u64) {
        self.idle_since = if self.channels.open_count() == 0 { self.idle_since.or(Some(now)) } else { None };
    }

    fn enqueue(&mut self, channel: u64, message: &Message) -> Result<(), SendError> {
        if self.closing.is_some() {
            return Err(SendError::Closed);
        }
        let bytes = message.encode(channel);
        if bytes.len() > MAX_MESSAGE {
            return Err(SendError::TooLarge { max: MAX_MESSAGE, got: bytes.len() });
        }
        let queued = self.queued.saturating_add(bytes.len());
        if queued > QUEUE_MAX {
            return Err(SendError::Full { queued: self.queued, max: QUEUE_MAX });
        }
        self.queued = queued;
        self.queue.push_back(bytes);
        Ok(())
    }

    fn close(&mut self, goodbye: Goodbye, text: &str, reason: CloseReason) {
        if self.closing.is_none() {
            self.closing = Some((goodbye, text.to_owned(), reason));
            self.queue.clear();
            self.queued = 0;
        }
    }

    /// The next frame for the carrier: answers and heartbeats first, then messages if there is room.
    fn next_frame(&mut self) -> Option<Vec<u8>> {
        if let Some(stamp) = self.pong.take() {
            return self.control(Content::Pong(stamp));
        }
        if let Some(stamp) = self.ping.take() {
            return self.control(Content::Ping(stamp));
        }
        if self.congested {
            return None;
        }
        let message = self.queue.pop_front()?;
        let rest = message.get(self.started..).unwrap_or_default();
        let bytes = rest.get(..PART).unwrap_or(rest);
        let content = match self.started {
            0 => Content::First { whole: message.len(), bytes },
            _ => Content::Next(bytes),
        };
        self.sent = self.sent.saturating_add(1);
        let frame = Frame { sequence: self.sent, acknowledged: self.received, content }.encode();
        let length = bytes.len();
        self.queued = self.queued.saturating_sub(length);
        self.started = self.started.saturating_add(length);
        if self.started < message.len() {
            self.queue.push_front(message);
        } else {
            self.started = 0;
        }
        self.seal(&frame)
    }

    fn control(&mut self, content: Content<'_>) -> Option<Vec<u8>> {
        let frame = Frame { sequence: self.sent, acknowledged: self.received, content }.encode();
        self.seal(&frame)
    }

    fn seal(&mut self, frame: &[u8]) -> Option<Vec<u8>> {
        let mut sealed = [0; MAX_FRAME];
        let length = self.noise.write_message(frame, &mut sealed).ok()?;
        enclose(sealed.get(..length)?)
    }
}

/// At most [`MAX_REASON`] bytes, at the border of a character.
fn cut(text: &str) -> &str {
    let end = (0..=MAX_REASON.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    end.and_then(|end| text.get(..end)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
