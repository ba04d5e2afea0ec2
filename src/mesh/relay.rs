//! An ordered, reliable stream of bytes over a hub that may relay, which loses, doubles and reorders.
//!
//! ```text
//! bytes of the session ──▶ queue ──cut, paced──▶ packets 1, 2, 3 … ──sealed, padded──▶ hub ──▶ inbox of the peer
//!                                                     ▲ kept until acknowledged, said again
//!                          delivered in order ◀── held while one before is missing ◀── packets
//!
//! packet   direct message, verb 5: attempt = the conversation, a number of the dialer's │ round = number of the packet,
//!          from 1, or 0 for none │ past = all packets up to here have come │ body = bytes of the stream
//! ```
//! All packets of a node share one rate ([`Pace`]): a hub is somebody's machine. What is under way, held and queued
//! is bounded. A peer that acknowledges nothing for a while is not there.

use std::collections::VecDeque;

use super::LinkId;
use crate::collections::Map;

/// One end of a conversation over a hub.
pub(crate) struct Relay {
    /// Our number for this carrier.
    pub(crate) id: LinkId,
    /// The dialer's number for the conversation.
    pub(crate) number: u64,
    queue: VecDeque<u8>,
    full: bool,
    /// Sent and not acknowledged, from `acknowledged` + 1 on.
    out: VecDeque<Sent>,
    acknowledged: u64,
    /// How often the same acknowledgement came.
    same: u32,
    /// All packets up to here have come.
    received: u64,
    /// Those that came before their turn.
    early: Map<u64, Vec<u8>>,
    /// When an acknowledgement goes out by itself.
    answer_at: Option<u64>,
    unanswered: u32,
    /// Milliseconds until a packet is said again.
    patience: u64,
    /// When something was acknowledged last, or everything was.
    moved_at: u64,
}

struct Sent {
    bytes: Vec<u8>,
    at: u64,
    /// Whether it was said again: then its answer measures nothing.
    again: bool,
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
            queue: VecDeque::new(),
            full: false,
            out: VecDeque::new(),
            acknowledged: 0,
            same: 0,
            received: 0,
            early: Map::new(),
            answer_at: None,
            unanswered: 0,
            patience: FIRST_PATIENCE_MS,
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
        self.acknowledge(packet.past, packet.number == 0, now);
        let mut next = Vec::new();
        if packet.number == 0 {
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

    /// The next packet that is due, if the pace allows it.
    pub(crate) fn poll(&mut self, now: u64, pace: &mut Pace) -> Option<Packet> {
        let late = self
            .out
            .front()
            .filter(|first| self.same >= SAME || now >= first.at.saturating_add(self.patience));
        if let Some(first) = late {
            if !pace.take(first.bytes.len(), now) {
                return None;
            }
            if self.same < SAME {
                self.patience = self.patience.saturating_mul(2).min(MAX_PATIENCE_MS);
            }
            self.same = 0;
            let first = self.out.front_mut()?;
            (first.at, first.again) = (now, true);
            let bytes = first.bytes.clone();
            return Some(self.packet(self.acknowledged.saturating_add(1), bytes));
        }
        let under_way = u64::try_from(self.out.len()).unwrap_or(u64::MAX);
        if !self.queue.is_empty() && under_way < MAX_UNDER_WAY {
            let length = self.queue.len().min(PACKET);
            if !pace.take(length, now) {
                return None;
            }
            let bytes: Vec<u8> = self.queue.drain(..length).collect();
            if self.out.is_empty() {
                self.moved_at = now;
            }
            self.out.push_back(Sent { bytes: bytes.clone(), at: now, again: false });
            return Some(self.packet(self.acknowledged.saturating_add(under_way).saturating_add(1), bytes));
        }
        // Answers are small and go whatever the pace: without them the other end would say all again.
        self.answer_at.filter(|at| now >= *at)?;
        Some(self.packet(0, Vec::new()))
    }

    /// The hub is back: what is under way is said again soon.
    pub(crate) fn revive(&mut self, now: u64) {
        (self.moved_at, self.patience) = (now, FIRST_PATIENCE_MS);
    }

    /// When [`Relay::poll`] or [`Relay::is_dead`] has something to say.
    pub(crate) fn deadline(&self, pace: &Pace) -> Option<u64> {
        let again = self.out.front().map(|first| {
            let at = if self.same >= SAME { 0 } else { first.at.saturating_add(self.patience) };
            at.max(pace.ready_at(first.bytes.len())).min(self.moved_at.saturating_add(DEAD_MS))
        });
        let under_way = u64::try_from(self.out.len()).unwrap_or(u64::MAX);
        let more = (!self.queue.is_empty() && under_way < MAX_UNDER_WAY)
            .then(|| pace.ready_at(self.queue.len().min(PACKET)));
        [again, more, self.answer_at].into_iter().flatten().min()
    }

    /// Whether the other end has acknowledged nothing for too long.
    pub(crate) fn is_dead(&self, now: u64) -> bool {
        !self.out.is_empty() && now >= self.moved_at.saturating_add(DEAD_MS)
    }

    fn packet(&mut self, number: u64, bytes: Vec<u8>) -> Packet {
        (self.answer_at, self.unanswered) = (None, 0);
        Packet { number, past: self.received, bytes }
    }

    fn acknowledge(&mut self, past: u64, bare: bool, now: u64) {
        let under_way = u64::try_from(self.out.len()).unwrap_or(u64::MAX);
        let Some(more) = past.checked_sub(self.acknowledged).filter(|more| *more <= under_way) else {
            return;
        };
        if more == 0 {
            self.same = self.same.saturating_add(u32::from(bare && !self.out.is_empty()));
            return;
        }
        for _ in 0..more {
            let Some(sent) = self.out.pop_front() else { break };
            if !sent.again {
                let took = now.saturating_sub(sent.at);
                self.patience = (took.saturating_mul(3)).clamp(MIN_PATIENCE_MS, MAX_PATIENCE_MS);
            }
        }
        (self.acknowledged, self.same, self.moved_at) = (past, 0, now);
    }
}

/// How fast a node relays, over all its hubs and peers.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    /// Bytes that may go now.
    level: u64,
    at: u64,
}

impl Pace {
    pub(crate) const fn new(now: u64) -> Self {
        Self { level: BURST, at: now }
    }

    fn take(&mut self, bytes: usize, now: u64) -> bool {
        let gained = now.saturating_sub(self.at).saturating_mul(BYTES_PER_SECOND) / 1_000;
        if gained > 0 {
            self.level = self.level.saturating_add(gained).min(BURST);
            self.at = now;
        }
        match self.level.checked_sub(cost(bytes)) {
            Some(level) => {
                self.level = level;
                true
            }
            None => false,
        }
    }

    fn ready_at(&self, bytes: usize) -> u64 {
        let missing = cost(bytes).saturating_sub(self.level);
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
/// The same acknowledgement so often means that the next packet was lost.
const SAME: u32 = 3;
const FIRST_PATIENCE_MS: u64 = 1_000;
const MIN_PATIENCE_MS: u64 = 300;
const MAX_PATIENCE_MS: u64 = 5_000;
/// Without an acknowledgement for so long the other end is not there.
const DEAD_MS: u64 = 20_000;
/// A third of what a hub of one's own takes from one socket without a word, and what a phone uploads.
const BYTES_PER_SECOND: u64 = 256 * 1024;
const BURST: u64 = 512 * 1024;
/// Bytes around those of a packet, about.
const OVERHEAD: u64 = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{crypto::Entropy, testing::Seeded};
    use proptest::prelude::*;

    /// Two ends and a hub that does to packets as it likes.
    struct Hub {
        ends: [Relay; 2],
        paces: [Pace; 2],
        under_way: Vec<(u64, usize, Packet)>,
        random: Seeded,
        now: u64,
        got: [Vec<u8>; 2],
        sent: [u64; 2],
    }

    impl Hub {
        fn new(seed: u64) -> Self {
            let end = |id| Relay::new(LinkId(id), 7, 0);
            Self {
                ends: [end(1), end(2)],
                paces: [Pace::new(0), Pace::new(0)],
                under_way: Vec::new(),
                random: Seeded::new(seed),
                now: 0,
                got: [vec![], vec![]],
                sent: [0, 0],
            }
        }

        fn step(&mut self, lost: u32, doubled: u32, late: u32) {
            for at in 0..2 {
                while let Some(packet) = self.ends[at].poll(self.now, &mut self.paces[at]) {
                    assert!(packet.bytes.len() <= PACKET);
                    self.sent[at] += cost(packet.bytes.len());
                    for _ in 0..=u32::from(self.random.below(100) < doubled) {
                        if self.random.below(100) >= lost {
                            let due = self.now + 1 + u64::from(self.random.below(late.max(1)));
                            self.under_way.push((due, 1 - at, packet.clone()));
                        }
                    }
                }
                assert!(self.ends[at].out.len() <= 16 && self.ends[at].early.len() <= 16);
            }
            let next = self.ends.iter().zip(&self.paces).filter_map(|(end, pace)| end.deadline(pace));
            let next = next.chain(self.under_way.iter().map(|(due, ..)| *due)).min();
            self.now = next.unwrap_or(self.now + 10).max(self.now + 1);
            let now = self.now;
            let (due, later): (Vec<_>, Vec<_>) =
                core::mem::take(&mut self.under_way).into_iter().partition(|(due, ..)| *due <= now);
            self.under_way = later;
            for (_, to, packet) in due {
                for bytes in self.ends[to].receive(packet, now) {
                    self.got[to].extend(bytes);
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn a_stream_comes_whole_and_in_order(
            seed: u64, lost in 0_u32..30, doubled in 0_u32..30, late in 0_u32..2_000, size in 1_usize..400_000
        ) {
            let mut hub = Hub::new(seed);
            let mut streams = [vec![0; size], vec![0; size / 3]];
            for stream in &mut streams {
                hub.random.fill(stream);
            }
            let mut given = [0, 0];
            for _ in 0..200_000 {
                for at in 0..2 {
                    while given[at] < streams[at].len() && hub.ends[at].full().is_none() {
                        let some = streams[at][given[at]..].chunks(9_000).next().unwrap();
                        hub.ends[at].send(some);
                        given[at] += some.len();
                    }
                    hub.ends[at].drained();
                    prop_assert!(hub.ends[at].queue.len() <= QUEUE_HIGH + 9_000);
                }
                hub.step(lost, doubled, late);
                prop_assert!(!hub.ends.iter().any(|end| end.is_dead(hub.now)));
                for at in 0..2 {
                    prop_assert!(hub.sent[at] <= BURST + hub.now * BYTES_PER_SECOND / 1_000 + 200_000);
                }
                if hub.got[1].len() == streams[0].len() && hub.got[0].len() == streams[1].len() {
                    break;
                }
            }
            prop_assert!(hub.got[1] == streams[0] && hub.got[0] == streams[1], "{} ms", hub.now);
        }

        #[test]
        fn any_packet_breaks_nothing(packets in prop::collection::vec((0..40_u64, 0..40_u64, 0..9_usize), 0..60)) {
            let mut end = Relay::new(LinkId(1), 1, 0);
            let mut pace = Pace::new(0);
            end.send(&[1; 40_000]);
            for (now, (number, past, size)) in (0..).zip(packets) {
                end.receive(Packet { number, past, bytes: vec![2; size] }, now);
                while end.poll(now, &mut pace).is_some() {}
                prop_assert!(end.early.len() <= 16 && end.out.len() <= 16);
            }
        }
    }

    #[test]
    fn one_that_is_not_there_is_given_up() {
        let mut end = Relay::new(LinkId(1), 1, 0);
        let mut pace = Pace::new(0);
        end.send(&[1; 10]);
        let (mut now, mut packets) = (0, 0);
        while !end.is_dead(now) {
            packets += u32::from(end.poll(now, &mut pace).is_some());
            now = end.deadline(&pace).unwrap();
        }
        assert_eq!(now, DEAD_MS);
        assert!((4..12).contains(&packets), "{packets}");
        let idle = Relay::new(LinkId(1), 1, 0);
        assert_eq!((idle.deadline(&pace), idle.is_dead(u64::MAX)), (None, false));
    }
}
