//! The part of a session after its handshake: sealed frames, the queue, messages about channels.

use std::collections::VecDeque;

use snow::TransportState;

use super::{SendError, SessionOutput};
use crate::{
    codec::Reader,
    collections::Map,
    sync::{
        Bucket, CloseReason, Fault, Goodbye, Kind, Message,
        channel::{ChannelEvent, Channels, Place},
        frame::{Content, Frame, Joiner, PART, enclose},
        limits::{MAX_FRAME, MAX_MESSAGE, MAX_REASON, QUEUE_MAX, rate},
    },
};

/// A session whose handshake is done.
pub(super) struct Open {
    pub(super) noise: TransportState,
    pub(super) channels: Channels,
    pub(super) joiner: Joiner,
    pub(super) buckets: Map<Kind, Bucket>,
    /// Whole messages; of the first, `started` bytes are sent already.
    pub(super) queue: VecDeque<Vec<u8>>,
    pub(super) started: usize,
    pub(super) queued: usize,
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) acknowledged: u64,
    pub(super) congested: bool,
    pub(super) ping: Option<u64>,
    pub(super) pong: Option<u64>,
    pub(super) pinged_at: u64,
    pub(super) rtt: Option<u64>,
    /// By how much the peer's clock was ahead at its last pings, ms.
    pub(super) offsets: VecDeque<i64>,
    pub(super) idle_since: Option<u64>,
    pub(super) closing: Option<(Goodbye, String, CloseReason)>,
}

impl Open {
    /// Takes one sealed frame; a reason if the peer says goodbye.
    pub(super) fn receive(
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
                self.note_clock(stamp, now);
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

    pub(super) fn message(
        &mut self,
        bytes: &[u8],
        now: u64,
        events: &mut VecDeque<SessionOutput>,
    ) -> Result<(), Fault> {
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

    /// A ping says what time it is at the peer's.
    fn note_clock(&mut self, stamp: u64, now: u64) {
        let (Ok(theirs), Ok(ours)) = (i64::try_from(stamp), i64::try_from(now)) else { return };
        if self.offsets.len() >= CLOCK_SAMPLES {
            self.offsets.pop_front();
        }
        self.offsets.push_back(theirs.saturating_sub(ours));
    }

    pub(super) fn note_idleness(&mut self, now: u64) {
        self.idle_since = if self.channels.open_count() == 0 { self.idle_since.or(Some(now)) } else { None };
    }

    pub(super) fn enqueue(&mut self, channel: u64, message: &Message) -> Result<(), SendError> {
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

    pub(super) fn close(&mut self, goodbye: Goodbye, text: &str, reason: CloseReason) {
        if self.closing.is_none() {
            self.closing = Some((goodbye, text.to_owned(), reason));
            self.queue.clear();
            self.queued = 0;
        }
    }

    /// The next frame for the carrier: answers and heartbeats first, then messages if there is room.
    pub(super) fn next_frame(&mut self) -> Option<Vec<u8>> {
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

    pub(super) fn control(&mut self, content: Content<'_>) -> Option<Vec<u8>> {
        let frame = Frame { sequence: self.sent, acknowledged: self.received, content }.encode();
        self.seal(&frame)
    }

    pub(super) fn seal(&mut self, frame: &[u8]) -> Option<Vec<u8>> {
        let mut sealed = [0; MAX_FRAME];
        let length = self.noise.write_message(frame, &mut sealed).ok()?;
        enclose(sealed.get(..length)?)
    }
}

/// Pings by which a peer's clock is judged.
const CLOCK_SAMPLES: usize = 4;

/// At most [`MAX_REASON`] bytes, at the border of a character.
pub(super) fn cut(text: &str) -> &str {
    let end = (0..=MAX_REASON.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    end.and_then(|end| text.get(..end)).unwrap_or_default()
}
