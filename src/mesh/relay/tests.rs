//! A stream over a hub that loses, doubles and reorders: whole, in order, paced, and given up only for silence.

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
    /// How many packets to an end were lost in a row, of how many at most.
    streak: [u32; 2],
    longest: u32,
    /// When an end got a packet last.
    reached: [u64; 2],
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
            streak: [0, 0],
            longest: u32::MAX,
            reached: [0, 0],
        }
    }

    fn step(&mut self, lost: u32, doubled: u32, late: u32) {
        for at in 0..2 {
            while let Some(packet) = self.ends[at].poll(self.now, &mut self.paces[at]) {
                assert!(packet.bytes.len() <= PACKET);
                self.sent[at] += cost(packet.bytes.len());
                for _ in 0..=u32::from(self.random.below(100) < doubled) {
                    let spared = self.random.below(100) >= lost || self.streak[1 - at] >= self.longest;
                    self.streak[1 - at] = if spared { 0 } else { self.streak[1 - at] + 1 };
                    if spared {
                        let due = self.now + 1 + u64::from(self.random.below(late.max(1)));
                        self.under_way.push((due, 1 - at, packet.clone()));
                    }
                }
            }
            assert!(self.ends[at].out.len() <= 16 && self.ends[at].early.len() <= 16);
        }
        let next = self.ends.iter().zip(&self.paces).filter_map(|(end, pace)| end.deadline(pace));
        let next = next.chain(self.under_way.iter().map(|(due, ..)| *due)).min();
        let next = next.unwrap_or(self.now + 10);
        assert!(next > self.now, "{} ms: a deadline that stays in the past", self.now);
        self.now = next;
        let now = self.now;
        let (due, later): (Vec<_>, Vec<_>) =
            core::mem::take(&mut self.under_way).into_iter().partition(|(due, ..)| *due <= now);
        self.under_way = later;
        for (_, to, packet) in due {
            self.reached[to] = now;
            for bytes in self.ends[to].receive(packet, now) {
                self.got[to].extend(bytes);
            }
        }
    }
}

/// A hub: its seed, of a hundred packets how many are lost and doubled, by how many milliseconds they come late.
type Weather = (u64, u32, u32, u32);

/// Two streams at once. Whether they came whole; else one end gave the other up, and rightly.
fn carry((seed, lost, doubled, late): Weather, longest: u32, size: usize) -> Result<bool, TestCaseError> {
    let mut hub = Hub::new(seed);
    hub.longest = longest;
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
        for (at, stream) in streams.iter().enumerate() {
            prop_assert!(hub.sent[at] <= BURST + hub.now * BYTES_PER_SECOND / 1_000 + 200_000);
            prop_assert!(stream.starts_with(&hub.got[1 - at]));
            if hub.ends[at].is_dead(hub.now) {
                prop_assert!(
                    hub.now - hub.reached[at] >= DEAD_MS,
                    "{} ms: given up while it speaks",
                    hub.now
                );
                return Ok(false);
            }
        }
        if hub.got[1].len() == streams[0].len() && hub.got[0].len() == streams[1].len() {
            return Ok(true);
        }
    }
    Err(TestCaseError::fail(format!("after {} ms {} and {}", hub.now, hub.got[1].len(), hub.got[0].len())))
}

fn weather() -> impl Strategy<Value = Weather> {
    (any::<u64>(), 0_u32..30, 0_u32..30, 0_u32..2_000)
}

proptest! {
    #![proptest_config(crate::testing::cases(32))]

    // A hub that never loses three in a row on one way gets everything across: eleven tries in the time after which
    // one is given up, of which every third arrives, and of their answers every third.
    #[test]
    fn a_stream_comes_whole_and_in_order(weather in weather(), size in 1_usize..400_000) {
        prop_assert!(carry(weather, 2, size)?);
    }

    // One that may lose any number can be taken for one that is not there, but only after as long a silence.
    #[test]
    fn nobody_is_given_up_who_speaks(weather in weather(), more in 0_u32..50, size in 1_usize..400_000) {
        carry((weather.0, weather.1 + more, weather.2, weather.3), u32::MAX, size)?;
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

/// It ended here when only the first packet was said again, at most every five seconds, and only progress counted.
#[test]
fn a_hub_that_loses_a_fifth_is_slow_and_no_more() {
    for longest in [2, u32::MAX] {
        assert!(carry((15_470_461_149_869_794_427, 21, 16, 1_047), longest, 345_613).unwrap());
    }
}

/// The pace is empty most of the time.
#[test]
fn more_than_goes_at_once_is_carried() {
    assert!(carry((3, 5, 5, 50), 2, 1_500_000).unwrap());
}

#[test]
fn only_what_is_missing_is_said_again() {
    let (mut end, mut pace, mut other) =
        (Relay::new(LinkId(1), 1, 0), Pace::new(0), Relay::new(LinkId(2), 1, 0));
    end.send(&[1; 6 * PACKET]);
    let packets: Vec<Packet> = core::iter::from_fn(|| end.poll(0, &mut pace)).collect();
    assert_eq!(packets.iter().map(|packet| packet.number).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    // 2 and 4 are lost; 3, 5 and 6 are held and said to be.
    let mut again = Vec::new();
    for (at, packet) in (100..).zip(packets.into_iter().filter(|packet| ![2, 4].contains(&packet.number))) {
        other.receive(packet, at);
        if let Some(answer) = other.poll(at, &mut Pace::new(0)) {
            assert_eq!((answer.number, answer.past), (0, 1));
            end.receive(answer, at + 100);
        }
        again.extend(core::iter::from_fn(|| end.poll(at + 100, &mut pace)).map(|packet| packet.number));
    }
    assert_eq!(other.early.keys().copied().collect::<Vec<_>>(), [3, 5, 6]);
    while again.len() < 2 {
        let now = end.deadline(&pace).unwrap();
        end.heard_at = now;
        end.unheard = 0;
        again.extend(end.poll(now, &mut pace).map(|packet| packet.number));
    }
    again.sort_unstable();
    assert_eq!(again, [2, 4]);
}

#[test]
fn one_that_takes_nothing_is_given_up_though_it_speaks() {
    let (mut end, mut pace) = (Relay::new(LinkId(1), 1, 0), Pace::new(0));
    end.send(&[1; 2 * PACKET]);
    let mut now = 0;
    while !end.is_dead(now) {
        end.poll(now, &mut pace);
        now += 100;
        // All is held, it says, but what it waits for; then it waits for what it held.
        end.receive(Packet { number: 0, past: u64::from(now > 5_000), bytes: vec![255; 2] }, now);
        assert!(end.deadline(&pace).is_some());
    }
    assert_eq!(now, 5_100 + STUCK_MS);
}

/// A peer whose answers are withheld gives up, however much else there is to say.
#[test]
fn answers_go_when_the_pace_allows_nothing() {
    for lost in [false, true] {
        let (mut end, mut pace) = (Relay::new(LinkId(1), 1, 0), Pace::new(0));
        end.send(&[1; 2 * PACKET]);
        if lost {
            // What is late waits for the pace as what is new does.
            while end.poll(0, &mut pace).is_some() {}
        }
        let now = if lost { FIRST_PATIENCE_MS } else { 0 };
        while pace.take(PACKET, now) {}
        for number in 1..=2 {
            end.receive(Packet { number, past: 0, bytes: vec![2] }, now);
        }
        assert_eq!(end.deadline(&pace), Some(now));
        assert_eq!(end.poll(now, &mut pace), Some(Packet { number: 0, past: 2, bytes: Vec::new() }));
        assert_eq!(end.poll(now, &mut pace), None);
        assert!(end.deadline(&pace).unwrap() > now);
    }
}

/// Small packets must not take away each time what a large one waits for.
#[test]
fn who_waits_for_the_pace_is_not_overtaken() {
    let mut pace = Pace::new(0);
    let (mut large, mut small) = (Relay::new(LinkId(1), 1, 0), Relay::new(LinkId(2), 2, 0));
    while pace.take(PACKET, 0) {}
    while pace.take(0, 0) {}
    large.send(&[1; PACKET]);
    let mut now = 0;
    while large.poll(now, &mut pace).is_none() {
        if small.queue.is_empty() {
            small.send(&[2; 9_000]);
        }
        small.poll(now, &mut pace);
        let next = [&large, &small].into_iter().filter_map(|end| end.deadline(&pace)).min().unwrap();
        assert!(next > now, "{now} ms: a deadline that stays in the past");
        now = next;
    }
    assert!(now <= 64, "{now} ms");
    assert!(small.poll(now + 64, &mut pace).is_some(), "and nobody waits for what has gone");
}

#[test]
fn a_clock_that_is_set_back_stops_nothing() {
    let mut pace = Pace::new(0);
    while pace.take(PACKET, 3_600_000) {}
    assert!(!pace.take(PACKET, 0));
    assert!(pace.ready_at(PACKET) <= 63);
    assert!(pace.take(PACKET, 63));
    // Also when there was something left.
    let mut pace = Pace::new(0);
    assert!(pace.take(PACKET, 3_600_000));
    pace.clock(0);
    assert_eq!(pace.ready_at(PACKET), 0);
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
    assert!((8..16).contains(&packets), "{packets}");
    let idle = Relay::new(LinkId(1), 1, 0);
    assert_eq!((idle.deadline(&pace), idle.is_dead(u64::MAX)), (None, false));
}
