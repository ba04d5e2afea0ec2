//! The part of a session after its handshake: frames over whichever carrier, the queue, messages about channels.
//!
//! ```text
//! queue, talk ──cut──▶ parts ──▶ the best carrier that lives          kept until the peer has them
//!                                     │ it dies, or a better one joins
//!                                     ▼
//!             parts that are not acknowledged go again over the other; the peer drops those it has
//! ```
//! On each carrier parts come in order, and begin at most one past what the peer has said it received, so nothing is
//! lost; a number that came before is a copy.

use std::collections::VecDeque;

use super::kept::Kept;
use super::leg::Leg;
use super::{SendError, SessionOutput};
use crate::{
    codec::Reader,
    collections::Map,
    sync::{
        Bucket, CloseReason, Fault, Goodbye, Kind, Message,
        channel::{ChannelEvent, Channels, Place},
        frame::{Content, Frame, Joiner, PART},
        limits::{
            ACKNOWLEDGE_AFTER, ACKNOWLEDGE_AFTER_SEVERAL, MAX_MESSAGE, MAX_REASON, QUEUE_MAX, TALK_MAX, rate,
        },
    },
};

/// A session whose handshake is done.
pub(super) struct Open {
    /// Both nonces, and the peer's key.
    pub(super) id: [u8; 32],
    pub(super) remote: [u8; 32],
    pub(super) channels: Channels,
    pub(super) joiner: Joiner,
    pub(super) buckets: Map<Kind, Bucket>,
    /// Whole messages; of the first, `started` bytes are sent already.
    pub(super) queue: VecDeque<Vec<u8>>,
    pub(super) started: usize,
    pub(super) queued: usize,
    /// Ephemeral messages, which take turns with the others.
    pub(super) talk: VecDeque<Vec<u8>>,
    pub(super) talk_queued: usize,
    /// Whether the last message was one of those.
    pub(super) talked: bool,
    /// Messages about channels that wait: nothing overtakes them.
    pub(super) opening: usize,
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) acknowledged: u64,
    /// Where parts go.
    pub(super) active: u64,
    /// Whether there was ever a second carrier: the peer may have moved to it.
    pub(super) several: bool,
    /// Whether parts are kept; over the tabs of one browser nothing gets lost.
    pub(super) keeps: bool,
    pub(super) kept: Kept,
    /// The last part that the active carrier has.
    pub(super) handed: u64,
    /// Parts received since the peer was told last.
    pub(super) untold: u64,
    /// Whether the peer has told of more since [`Open::choose`] ran last.
    pub(super) progressed: bool,
    pub(super) moves: u64,
    pub(super) resent: u64,
    pub(super) repeated: u64,
    pub(super) pinged_at: u64,
    pub(super) rtt: Option<u64>,
    /// By how much the peer's clock was ahead at its last pings, ms.
    pub(super) offsets: VecDeque<i64>,
    pub(super) idle_since: Option<u64>,
    pub(super) closing: Option<(Goodbye, String, CloseReason)>,
}

impl Open {
    /// Takes one frame; a reason if the peer says goodbye.
    pub(super) fn receive(
        &mut self,
        leg: &mut Leg,
        frame: &Frame<'_>,
        now: u64,
        events: &mut VecDeque<SessionOutput>,
    ) -> Result<Option<CloseReason>, Fault> {
        if let Content::Attach { id, received } = frame.content {
            return self.attach(leg, id, received, now).map(|()| None);
        }
        if !leg.attached {
            return Err(Fault::Unexpected { what: "frame before the attach" });
        }
        let part = matches!(frame.content, Content::First { .. } | Content::Next(_));
        let expected = self.received.saturating_add(u64::from(part));
        let copy = self.several && part && frame.sequence <= self.received;
        // What is not a part may come over a carrier that is behind.
        if frame.sequence != expected && !copy && (part || !self.several) {
            return Err(Fault::Sequence { expected, got: frame.sequence });
        }
        if frame.acknowledged > self.sent || (frame.acknowledged < self.acknowledged && !self.several) {
            return Err(Fault::Unexpected { what: "acknowledgement of what was not sent" });
        }
        leg.heard(now);
        self.told(frame.acknowledged);
        if copy {
            self.repeated = self.repeated.saturating_add(1);
            // So that its sender learns how far we are.
            leg.ack = true;
            return Ok(None);
        }
        if part {
            self.received = expected;
            self.untold = self.untold.saturating_add(1);
            let after = if self.several { ACKNOWLEDGE_AFTER_SEVERAL } else { ACKNOWLEDGE_AFTER };
            leg.ack |= self.keeps && self.untold >= after;
        }
        let message = match frame.content {
            Content::First { whole, bytes } => self.joiner.first(whole, bytes)?,
            Content::Next(bytes) => self.joiner.next(bytes)?,
            Content::Ping(stamp) => {
                // Only the latest is answered: a flood of them makes one answer.
                leg.pong = Some(stamp);
                self.note_clock(stamp, now);
                None
            }
            Content::Pong(stamp) => {
                if stamp == leg.pinged_at {
                    leg.waiting = None;
                    self.rtt = Some(now.saturating_sub(stamp));
                }
                None
            }
            Content::Close { goodbye, text } => {
                return Ok(Some(CloseReason::Theirs { goodbye, text: text.to_owned() }));
            }
            Content::Attach { .. } | Content::Received => None,
        };
        if let Some(message) = message {
            self.message(&message, now, events)?;
        }
        Ok(None)
    }

    /// The peer joins a carrier to this session.
    pub(super) fn attach(
        &mut self,
        leg: &mut Leg,
        id: [u8; 32],
        received: u64,
        now: u64,
    ) -> Result<(), Fault> {
        if leg.attached || id != self.id || received > self.sent || !self.keeps {
            return Err(Fault::Unexpected { what: "attach" });
        }
        self.told(received);
        leg.attached = true;
        leg.heard(now);
        Ok(())
    }

    /// The peer has received so many parts.
    fn told(&mut self, acknowledged: u64) {
        if let Some(more) = acknowledged.checked_sub(self.acknowledged).filter(|more| *more > 0) {
            self.kept.acknowledged(more);
            self.acknowledged = acknowledged;
            self.handed = self.handed.max(acknowledged);
            self.progressed = true;
        }
    }

    /// Sends over the best carrier that lives from now on; asks first if it was not heard just now.
    pub(super) fn choose(&mut self, legs: &mut [Leg], now: u64) {
        if core::mem::take(&mut self.progressed)
            && let Some(active) = legs.iter_mut().find(|leg| leg.via == self.active)
        {
            active.asked = (!self.kept.is_empty()).then_some(now);
        }
        let best = legs.iter_mut().filter(|leg| leg.is_joined() && !leg.stalled).max_by_key(|leg| leg.rank);
        let Some(best) = best.filter(|best| best.via != self.active) else { return };
        if now.saturating_sub(best.heard_at) > FRESH_MS {
            return best.probe(now);
        }
        let to = best.via;
        if let Some(old) = legs.iter_mut().find(|leg| leg.via == self.active) {
            old.asked = None;
        }
        self.active = to;
        self.handed = self.acknowledged;
        self.moves = self.moves.saturating_add(1);
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
        let (queue, held, max) = match message {
            Message::Envelope(_) => (&mut self.talk, &mut self.talk_queued, TALK_MAX),
            _ => (&mut self.queue, &mut self.queued, QUEUE_MAX),
        };
        let queued = held.saturating_add(bytes.len());
        if queued > max {
            return Err(SendError::Full { queued: *held, max });
        }
        *held = queued;
        self.opening = self.opening.saturating_add(usize::from(channel == 0));
        queue.push_back(bytes);
        Ok(())
    }

    pub(super) fn close(&mut self, goodbye: Goodbye, text: &str, reason: CloseReason) {
        if self.closing.is_none() {
            self.closing = Some((goodbye, text.to_owned(), reason));
            self.queue.clear();
            self.talk.clear();
            (self.queued, self.talk_queued) = (0, 0);
        }
    }

    /// The next frame: what says that we are here and how far, then parts. A carrier that is full gets none of that: what is
    /// owed to it is one word of each kind, the latest, however often the peer asks, and its owner would have to keep
    /// whatever it is given.
    pub(super) fn next_frame(&mut self, legs: &mut [Leg], now: u64) -> Option<SessionOutput> {
        for leg in legs.iter_mut() {
            let content = if core::mem::take(&mut leg.attach) {
                Content::Attach { id: self.id, received: self.received }
            } else if !leg.is_joined() || leg.congested {
                continue;
            } else if let Some(stamp) = leg.pong.take() {
                Content::Pong(stamp)
            } else if let Some(stamp) = leg.ping.take() {
                Content::Ping(stamp)
            } else if core::mem::take(&mut leg.ack) {
                Content::Received
            } else {
                continue;
            };
            return self.control(leg, content);
        }
        let leg = legs.iter_mut().find(|leg| leg.via == self.active && leg.is_joined() && !leg.congested)?;
        let again = self.handed.checked_sub(self.acknowledged).filter(|_| self.handed < self.sent);
        let bytes = match again.and_then(|place| self.kept.get(place)) {
            Some(frame) => {
                self.resent = self.resent.saturating_add(1);
                leg.seal(frame)
            }
            None => {
                let frame = self.part()?;
                let bytes = leg.seal(&frame);
                if self.keeps {
                    self.kept.push(frame);
                }
                bytes
            }
        }?;
        self.handed = self.handed.saturating_add(1);
        if self.several {
            leg.asked.get_or_insert(now);
        }
        Some(SessionOutput::Send { via: leg.via, bytes })
    }

    /// Cuts the next part off the messages: bulk and talk take turns.
    fn part(&mut self) -> Option<Vec<u8>> {
        if self.kept.is_full() {
            return None;
        }
        if self.started == 0 {
            self.talked =
                self.opening == 0 && !self.talk.is_empty() && (!self.talked || self.queue.is_empty());
        }
        let (queue, held) = match self.talked {
            true => (&mut self.talk, &mut self.talk_queued),
            false => (&mut self.queue, &mut self.queued),
        };
        let message = queue.front()?;
        let rest = message.get(self.started..).unwrap_or_default();
        let bytes = rest.get(..PART).unwrap_or(rest);
        let content = match self.started {
            0 => Content::First { whole: message.len(), bytes },
            _ => Content::Next(bytes),
        };
        self.sent = self.sent.saturating_add(1);
        let frame = Frame { sequence: self.sent, acknowledged: self.received, content }.encode();
        self.untold = 0;
        *held = held.saturating_sub(bytes.len());
        self.started = self.started.saturating_add(bytes.len());
        if self.started >= message.len() {
            // Channel 0: about channels.
            self.opening = self.opening.saturating_sub(usize::from(message.first() == Some(&0)));
            queue.pop_front();
            self.started = 0;
        }
        Some(frame)
    }

    pub(super) fn control(&mut self, leg: &mut Leg, content: Content<'_>) -> Option<SessionOutput> {
        let frame = Frame { sequence: self.sent, acknowledged: self.received, content }.encode();
        self.untold = 0;
        Some(SessionOutput::Send { via: leg.via, bytes: leg.seal(&frame)? })
    }
}

/// A carrier that was heard so recently needs no question.
const FRESH_MS: u64 = 2_000;

/// Pings by which a peer's clock is judged.
const CLOCK_SAMPLES: usize = 4;

/// At most [`MAX_REASON`] bytes, at the border of a character.
pub(super) fn cut(text: &str) -> &str {
    let end = (0..=MAX_REASON.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    end.and_then(|end| text.get(..end)).unwrap_or_default()
}
