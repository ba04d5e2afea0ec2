//! An ordered, reliable stream of bytes over a hub that may relay, which loses, doubles and reorders.
//!
//! ```text
//! bytes of the session ──▶ queue ──cut, paced──▶ packets 1, 2, 3 … ──sealed, padded──▶ hub ──▶ inbox of the peer
//!                                                     ▲ kept until acknowledged, said again
//!                          delivered in order ◀── held while one before is missing ◀── packets
//!
//! packet   direct message, verb 5: attempt = the conversation, a number of the dialer's │ round = number of the packet,
//!          from 1, or 0 for none │ past = all packets up to here have come │ body = bytes of the stream; with round 0
//!          nothing, or 2 bytes, little-endian, whose bit n says that packet past + 2 + n has come too
//! ```
//! All packets of a node share one rate ([`Pace`]): a hub is somebody's machine. What is under way, held and queued
//! is bounded. Each packet that is missing is said again by itself, so that a hub that loses a third is slow and no
//! more. A peer of which nothing is heard for a while, or that never takes the next packet, is not there.

use std::collections::VecDeque;

use super::{HubId, LinkId};
use crate::collections::Map;

/// One end of a conversation over a hub.
pub(crate) struct Relay {
    /// Our number for this carrier.
    pub(crate) id: LinkId,
    /// The dialer's number for the conversation.
    pub(crate) number: u64,
    /// Where the other end's last packet came from, so where it is reached.
    pub(crate) hub: Option<HubId>,
    queue: VecDeque<u8>,
    full: bool,
    /// Sent and not acknowledged, from `acknowledged` + 1 on.
    out: VecDeque<Sent>,
    acknowledged: u64,
    /// All packets up to here have come.
    received: u64,
    /// Those that came before their turn.
    early: Map<u64, Vec<u8>>,
    /// When an acknowledgement goes out by itself.
    answer_at: Option<u64>,
    unanswered: u32,
    /// Milliseconds from a packet to its acknowledgement, about; 0 before any was measured.
    round: u64,
    /// Milliseconds until a packet is said again, while the other end is heard.
    patience: u64,
    /// How often something was said again since the other end was heard.
    unheard: u32,
    /// When anything of the other end came last, or the first packet after a silence went.
    heard_at: u64,
    /// When something was acknowledged last, or everything was.
    moved_at: u64,
}

struct Sent {
    bytes: Vec<u8>,
    at: u64,
    /// Whether it was said again: then its answer measures nothing.
    again: bool,
    /// Whether the other end holds it and waits for one before.
    held: bool,
    /// How often later ones were acknowledged and this one not, when it could have been.
    skipped: u32,
}

/// What goes into one direct message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Packet {
    pub(crate) number: u64,
    pub(crate) past: u64,
    pub(crate) bytes: Vec<u8>,
}

impl Relay {
    pub(crate) fn new(id: LinkId, number: u64, now: u64) -> Self {
        Self {
            id,
            number,
            hub: None,
            queue: VecDeque::new(),
            full: false,
            out: VecDeque::new(),
            acknowledged: 0,
            received: 0,
            early: Map::new(),
            answer_at: None,
            unanswered: 0,
            round: 0,
            patience: FIRST_PATIENCE_MS,
            unheard: 0,
            heard_at: now,
            moved_at: now,
        }
    }

    /// Whether it takes no more for now.
    pub(crate) fn full(&mut self) -> Option<u64> {
        self.full |= self.queue.len() >= QUEUE_HIGH;
        self.full.then(|| u64::try_from(self.queue.len()).unwrap_or(u64::MAX))
    }

    /// Takes bytes for the peer.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.queue.extend(bytes);
    }

    /// Whether it was full and takes more now; told once.
    pub(crate) fn drained(&mut self) -> bool {
        let again = self.full && self.queue.len() < QUEUE_LOW;
        self.full &= !again;
        again
    }

    /// A packet came: bytes that are next in the stream.
    pub(crate) fn receive(&mut self, packet: Packet, now: u64) -> Vec<Vec<u8>> {
        (self.heard_at, self.unheard) = (now, 0);
        self.acknowledge(packet.past, now);
        let mut next = Vec::new();
        if packet.number == 0 {
            self.hold(packet.past, &packet.bytes, now);
            return next;
        }
        let ahead = packet.number.saturating_sub(self.received);
        if ahead > 0 && ahead <= MAX_UNDER_WAY {
            self.early.insert(packet.number, packet.bytes);
        }
        while let Some(bytes) = self.early.remove(&self.received.saturating_add(1)) {
            self.received = self.received.saturating_add(1);
            next.push(bytes);
        }
        self.unanswered = self.unanswered.saturating_add(1);
        // What came out of turn or again is answered at once, so that the other end sees what is missing.
        let at_once = self.unanswered >= ANSWER_AFTER || !self.early.is_empty() || next.is_empty();
        let at = if at_once { now } else { now.saturating_add(ANSWER_MS) };
        self.answer_at = Some(self.answer_at.map_or(at, |before| before.min(at)));
        next
    }

    /// The next packet that is due: data if the pace allows it, else an answer. Answers are small and go whatever the
    /// pace: without them the other end would say all again, and give up in the end.
    pub(crate) fn poll(&mut self, now: u64, pace: &mut Pace) -> Option<Packet> {
        let late = self.late().filter(|(_, due)| now >= *due).map(|(at, _)| at);
        let data = match late {
            // Nothing new before it, which could take away each time what it waits for.
            Some(at) => self.again(at, now, pace),
            None => self.more(now, pace),
        };
        data.or_else(|| self.answer(now))
    }

    /// Says a packet again.
    fn again(&mut self, at: usize, now: u64, pace: &mut Pace) -> Option<Packet> {
        let sent = self.out.get_mut(at)?;
        if !pace.take(sent.bytes.len(), now) {
            return None;
        }
        (sent.at, sent.again, sent.skipped) = (now, true, 0);
        let bytes = sent.bytes.clone();
        self.unheard = self.unheard.saturating_add(1);
        let number =
            self.acknowledged.saturating_add(u64::try_from(at).unwrap_or(u64::MAX)).saturating_add(1);
        Some(self.packet(number, bytes))
    }

    /// Cuts a packet off the queue.
    fn more(&mut self, now: u64, pace: &mut Pace) -> Option<Packet> {
        let under_way = u64::try_from(self.out.len()).unwrap_or(u64::MAX);
        let length = self.queue.len().min(PACKET);
        if length == 0 || under_way >= MAX_UNDER_WAY || !pace.take(length, now) {
            return None;
        }
        let bytes: Vec<u8> = self.queue.drain(..length).collect();
        if self.out.is_empty() {
            (self.moved_at, self.heard_at, self.unheard) = (now, now, 0);
        }
        let sent = Sent { bytes: bytes.clone(), at: now, again: false, held: false, skipped: 0 };
        self.out.push_back(sent);
        Some(self.packet(self.acknowledged.saturating_add(under_way).saturating_add(1), bytes))
    }

    fn answer(&mut self, now: u64) -> Option<Packet> {
        self.answer_at.filter(|at| now >= *at)?;
        let first = self.received.saturating_add(2);
        let held = self.early.keys().filter_map(|number| number.checked_sub(first));
        let bits = held.fold(0_u16, |bits, at| {
            bits | 1_u16.checked_shl(u32::try_from(at).unwrap_or(u32::MAX)).unwrap_or(0)
        });
        let body = if bits == 0 { Vec::new() } else { bits.to_le_bytes().to_vec() };
        Some(self.packet(0, body))
    }

    /// The hub is back: what is under way is said again soon.
    pub(crate) fn revive(&mut self, now: u64) {
        (self.moved_at, self.heard_at, self.unheard) = (now, now, 0);
        self.patience = FIRST_PATIENCE_MS;
    }

    /// When [`Relay::poll`] or [`Relay::is_dead`] has something to say.
    pub(crate) fn deadline(&self, pace: &Pace) -> Option<u64> {
        let late = self.late();
        let again = late.map(|(at, due)| {
            let bytes = self.out.get(at).map_or(0, |sent| sent.bytes.len());
            due.max(pace.ready_at(bytes)).min(self.dead_at())
        });
        let under_way = u64::try_from(self.out.len()).unwrap_or(u64::MAX);
        let more = (!self.queue.is_empty() && under_way < MAX_UNDER_WAY)
            .then(|| pace.ready_at(self.queue.len().min(PACKET)))
            // From then on the one that is late goes first.
            .filter(|at| late.is_none_or(|(_, due)| *at < due));
        [again, more, self.answer_at].into_iter().flatten().min()
    }

    /// Whether the other end said nothing for too long, or takes nothing.
    pub(crate) fn is_dead(&self, now: u64) -> bool {
        !self.out.is_empty() && now >= self.dead_at()
    }

    fn dead_at(&self) -> u64 {
        self.heard_at.saturating_add(DEAD_MS).min(self.moved_at.saturating_add(STUCK_MS))
    }

    /// Which packet is said again next, and when. While nothing is heard that is the first, ever more rarely.
    fn late(&self) -> Option<(usize, u64)> {
        let patience = self.patience.saturating_mul(1 << self.unheard.min(4)).min(MAX_PATIENCE_MS);
        let due =
            |sent: &Sent| if sent.skipped >= SKIPPED { sent.at } else { sent.at.saturating_add(patience) };
        let missing = self.out.iter().enumerate().filter(|(_, sent)| !sent.held);
        let some = if self.unheard == 0 { usize::MAX } else { 1 };
        missing.take(some).map(|(at, sent)| (at, due(sent))).min_by_key(|(_, due)| *due)
    }

    fn packet(&mut self, number: u64, bytes: Vec<u8>) -> Packet {
        (self.answer_at, self.unanswered) = (None, 0);
        Packet { number, past: self.received, bytes }
    }

    fn acknowledge(&mut self, past: u64, now: u64) {
        let under_way = u64::try_from(self.out.len()).unwrap_or(u64::MAX);
        let more = past.checked_sub(self.acknowledged).filter(|more| (1..=under_way).contains(more));
        let Some(more) = more else { return };
        for _ in 0..more {
            let Some(sent) = self.out.pop_front() else { break };
            if !sent.again && !sent.held {
                self.measure(now.saturating_sub(sent.at));
            }
        }
        (self.acknowledged, self.moved_at) = (past, now);
        // The first is what it waits for, whatever it said before.
        if let Some(first) = self.out.front_mut() {
            first.held = false;
        }
    }

    /// What the other end holds beyond the packet that it waits for.
    fn hold(&mut self, past: u64, bits: &[u8], now: u64) {
        let Some(bits) = bits.try_into().ok().map(u16::from_le_bytes).filter(|_| past == self.acknowledged)
        else {
            return;
        };
        let round = self.round;
        let (mut last, mut news) = (0, Vec::new());
        for (bit, sent) in self.out.iter_mut().skip(1).enumerate().filter(|(bit, _)| bits >> bit & 1 == 1) {
            if !sent.held && !sent.again {
                news.push(now.saturating_sub(sent.at));
            }
            sent.held = true;
            last = bit.saturating_add(1);
        }
        for sent in
            self.out.iter_mut().take(last).filter(|sent| !sent.held && now >= sent.at.saturating_add(round))
        {
            sent.skipped = sent.skipped.saturating_add(1);
        }
        news.into_iter().for_each(|took| self.measure(took));
    }

    /// A packet came over there.
    fn measure(&mut self, took: u64) {
        self.round =
            if self.round == 0 { took } else { self.round.saturating_mul(3).saturating_add(took) / 4 };
        self.patience = self.round.saturating_mul(3).clamp(MIN_PATIENCE_MS, MAX_PATIENCE_MS);
    }
}

/// How fast a node relays, over all its hubs and peers.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    /// Bytes that may go now.
    level: u64,
    at: u64,
    /// What the dearest of those cost that were refused since a packet went. Until there is as much, nobody gets
    /// anything: cheaper ones would take away each time what that one waits for.
    wanted: u64,
}

impl Pace {
    pub(crate) const fn new(now: u64) -> Self {
        Self { level: BURST, at: now, wanted: 0 }
    }

    /// The clock may have been set back; waiting until it is where it was would stop everything for as long.
    pub(crate) fn clock(&mut self, now: u64) {
        self.at = self.at.min(now);
    }

    fn take(&mut self, bytes: usize, now: u64) -> bool {
        self.clock(now);
        let gained = now.saturating_sub(self.at).saturating_mul(BYTES_PER_SECOND) / 1_000;
        if gained > 0 {
            self.level = self.level.saturating_add(gained).min(BURST);
            self.at = now;
        }
        let cost = cost(bytes);
        match self.level.checked_sub(cost).filter(|_| self.level >= self.wanted) {
            Some(level) => {
                (self.level, self.wanted) = (level, 0);
                true
            }
            None => {
                self.wanted = self.wanted.max(cost);
                false
            }
        }
    }

    fn ready_at(&self, bytes: usize) -> u64 {
        let missing = cost(bytes).max(self.wanted).saturating_sub(self.level);
        self.at.saturating_add(missing.saturating_mul(1_000).div_ceil(BYTES_PER_SECOND))
    }
}

/// What a packet costs: its bytes and what is around them.
fn cost(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX).saturating_add(OVERHEAD)
}

/// Bytes of the stream in one packet: with all that is around it, it fits the largest size that is sealed.
pub(crate) const PACKET: usize = 16_000;
/// Packets that may be under way, or held because one before is missing.
const MAX_UNDER_WAY: u64 = 16;
/// Queued bytes at which it is full, and below which it takes more: little, so that little is stuck when a better
/// carrier comes.
const QUEUE_HIGH: usize = 128 * 1024;
const QUEUE_LOW: usize = 64 * 1024;
/// Packets and milliseconds after which they are acknowledged.
const ANSWER_AFTER: u32 = 2;
const ANSWER_MS: u64 = 40;
/// A packet that was passed over so often was lost.
const SKIPPED: u32 = 3;
const FIRST_PATIENCE_MS: u64 = 1_000;
const MIN_PATIENCE_MS: u64 = 300;
const MAX_PATIENCE_MS: u64 = 1_500;
/// Milliseconds without a word after which the other end is not there, and without progress.
const DEAD_MS: u64 = 20_000;
const STUCK_MS: u64 = 60_000;
/// A third of what a hub of one's own takes from one socket without a word, and what a phone uploads.
const BYTES_PER_SECOND: u64 = 256 * 1024;
const BURST: u64 = 512 * 1024;
/// Bytes around those of a packet, about.
const OVERHEAD: u64 = 256;

#[cfg(test)]
mod tests;
