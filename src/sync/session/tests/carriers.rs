//! A session over several carriers that come, stall, die and come back: never a message lost, doubled or out of order.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::*;
use crate::sync::{
    Envelope, EnvelopeKind,
    limits::{KEPT_BYTES, MAX_FRAME},
};
use crate::{
    crypto::{Entropy, SecretKey32},
    testing::Seeded,
};

/// Two ends of one session, and the carriers between them.
struct Road {
    sides: [Session; 2],
    keys: [NodeKey; 2],
    /// By number: whether anything passes, how late, and what is under way to each side.
    carriers: BTreeMap<u64, Line>,
    entropy: Seeded,
    now: u64,
    last: u64,
    said: [Vec<SessionOutput>; 2],
    dropped: Vec<u64>,
}

struct Line {
    blocked: bool,
    late: u64,
    under_way: [VecDeque<(u64, Vec<u8>)>; 2],
}

fn prints(seed: u8) -> [Carrier; 2] {
    let (a, b) = ([seed; 32], [seed ^ 0xff; 32]);
    [Carrier::WebRtc { local: a, remote: b }, Carrier::WebRtc { local: b, remote: a }]
}

impl Road {
    fn new(seed: u64, carriers: [Carrier; 2], late: u64) -> Self {
        let mut entropy = Seeded::new(seed);
        let now = 1_000_000;
        let keys = [NodeKey::generate(&mut entropy), NodeKey::generate(&mut entropy)];
        let mut make = |at: usize, role| {
            let config = SessionConfig {
                carrier: carriers[at],
                key: &keys[at],
                nonce: entropy.array16(),
                role,
                via: 1,
            };
            Session::new(config, &mut entropy, now).unwrap()
        };
        let sides = [make(0, Role::Initiator), make(1, Role::Responder)];
        let line = Line { blocked: false, late, under_way: Default::default() };
        let carriers = BTreeMap::from([(1, line)]);
        let mut road =
            Self { sides, keys, carriers, entropy, now, last: 1, said: Default::default(), dropped: vec![] };
        road.sides.iter_mut().for_each(|side| side.open(space(1)).unwrap());
        road
    }

    fn attach(&mut self, carriers: [Carrier; 2], late: u64) -> u64 {
        self.last += 1;
        let via = self.last;
        for (at, carrier) in carriers.into_iter().enumerate() {
            let nonce = self.entropy.array16();
            let next = NextCarrier { carrier, key: &self.keys[at], nonce, via };
            self.sides[at].attach(next, &mut self.entropy, self.now).unwrap();
        }
        self.carriers.insert(via, Line { blocked: false, late, under_way: Default::default() });
        via
    }

    /// Dies with all that is under way; both ends hear of it, not at once.
    fn cut(&mut self, via: u64) {
        self.carriers.remove(&via);
        for side in &mut self.sides {
            side.detach(via, self.now);
        }
    }

    /// What an end gave back its owner closes, and so the other end hears of it.
    fn close_dropped(&mut self) {
        for via in core::mem::take(&mut self.dropped) {
            self.cut(via);
        }
    }

    fn drain(&mut self) {
        for at in 0..2 {
            self.sides[at].note(self.now);
            while let Some(output) = self.sides[at].poll() {
                match output {
                    SessionOutput::Send { via, bytes } => {
                        if let Some(line) = self.carriers.get_mut(&via) {
                            let earliest = line.under_way[1 - at].back().map_or(0, |(due, _)| *due);
                            let due = earliest.max(
                                self.now
                                    + 1
                                    + u64::from(self.entropy.below(u32::try_from(line.late + 1).unwrap())),
                            );
                            line.under_way[1 - at].push_back((due, bytes));
                        }
                    }
                    SessionOutput::Dropped { via } => self.dropped.push(via),
                    SessionOutput::Moved { .. } => {}
                    other => self.said[at].push(other),
                }
            }
            if let State::Open(open) = &self.sides[at].state {
                assert!(open.kept.len() <= KEPT_BYTES + MAX_FRAME, "more is kept than allowed");
            }
        }
    }

    /// So many milliseconds.
    fn run(&mut self, ms: u64) {
        let end = self.now + ms;
        while self.now < end {
            self.drain();
            self.now += 5;
            for at in 0..2 {
                let due: Vec<(u64, Vec<u8>)> = self
                    .carriers
                    .iter_mut()
                    .filter(|(_, line)| !line.blocked)
                    .flat_map(|(via, line)| {
                        let queue = &mut line.under_way[at];
                        let count = queue.iter().take_while(|(due, _)| *due <= self.now).count();
                        queue.drain(..count).map(|(_, bytes)| (*via, bytes)).collect::<Vec<_>>()
                    })
                    .collect();
                for (via, bytes) in due {
                    self.sides[at].receive(via, &bytes, self.now).unwrap();
                }
                if self.sides[at].deadline().is_some_and(|due| due <= self.now) {
                    self.sides[at].tick(self.now);
                }
            }
        }
        self.drain();
    }

    fn channel(&self, at: usize) -> ChannelId {
        let id = self.said[at].iter().find_map(|said| match said {
            SessionOutput::ChannelOpened { channel, .. } => Some(*channel),
            _ => None,
        });
        id.unwrap_or_else(|| panic!("{:?}", self.said[at]))
    }

    /// Numbers of the messages that came, in order.
    fn got(&self, at: usize) -> Vec<u64> {
        let number = |said: &SessionOutput| match said {
            SessionOutput::Message { message: Message::Extension { bytes, .. }, .. } => {
                Some(u64::from_le_bytes(bytes[..8].try_into().unwrap()))
            }
            _ => None,
        };
        self.said[at].iter().filter_map(number).collect()
    }
}

fn numbered(number: u64, size: usize) -> Message {
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.resize(8 + size, 9);
    Message::Extension { name: "n".into(), bytes }
}

#[test]
fn begins_on_the_relay_moves_to_webrtc_and_back() {
    let mut road = Road::new(1, [Carrier::Relay; 2], 60);
    road.run(1_000);
    let ids = [road.channel(0), road.channel(1)];
    let relay = road.sides[0].active().unwrap();
    let direct = road.attach(prints(3), 4);
    road.run(500);
    assert!(road.sides.iter().all(|side| side.active() == Some(direct)), "the better one");
    for number in 0..400 {
        road.sides[0].send(ids[0], &numbered(number, 20_000)).unwrap();
    }
    // In the middle nothing passes any more, and nobody says so.
    road.run(30);
    let before = road.got(1).len();
    assert!((1..399).contains(&before), "{before}");
    road.carriers.get_mut(&direct).unwrap().blocked = true;
    road.run(3_200);
    assert!(road.sides.iter().any(|side| side.active() == Some(relay)), "back on the relay within 3 s");
    road.run(4_000);
    assert_eq!(road.got(1), (0..400).collect::<Vec<_>>());
    // It passes again: what was under way comes late, as copies, and the session returns.
    road.carriers.get_mut(&direct).unwrap().blocked = false;
    road.run(12_000);
    assert!(road.sides.iter().all(|side| side.active() == Some(direct)));
    for number in 400..500 {
        road.sides[0].send(ids[0], &numbered(number, 10)).unwrap();
        road.sides[1].send(ids[1], &numbered(number, 10)).unwrap();
    }
    road.run(200);
    assert_eq!(road.got(1), (0..500).collect::<Vec<_>>());
    assert_eq!(road.got(0), (400..500).collect::<Vec<_>>());
    let [one, two] = [0, 1].map(|at| road.sides[at].counts());
    assert_eq!((one.sent, two.sent), (two.received, one.received));
    assert!(one.moves >= 3 && one.resent > 0 && two.repeated <= one.resent, "{one:?} {two:?}");
}

#[test]
fn what_comes_over_the_old_carrier_may_overtake_what_opens_the_new_one() {
    let mut road = Road::new(11, [Carrier::Relay; 2], 0);
    road.run(1_000);
    let id = road.channel(1);
    let direct = road.attach(prints(3), 0);
    while road.sides[1].active() != Some(direct) {
        road.run(5);
    }
    // The responder has moved, and the initiator does not know it yet: the answer is late.
    let late = road.now + 300;
    road.carriers.get_mut(&direct).unwrap().under_way[0].iter_mut().for_each(|(due, _)| *due = late);
    assert_ne!(road.sides[0].active(), Some(direct));
    for number in 0..10 {
        road.sides[1].send(id, &numbered(number, 30_000)).unwrap();
    }
    road.sides[0].probe(road.now);
    road.run(200);
    assert!(road.got(0).is_empty());
    road.run(800);
    assert_eq!(road.got(0), (0..10).collect::<Vec<_>>());
    assert!(road.sides.iter().all(|side| side.active() == Some(direct)));
}

#[test]
fn a_carrier_with_swapped_fingerprints_or_to_another_node_does_not_join() {
    let mut road = Road::new(2, [Carrier::Relay; 2], 20);
    road.run(500);
    // Each end sees the certificate of whoever sits between.
    let between = [
        Carrier::WebRtc { local: [1; 32], remote: [9; 32] },
        Carrier::WebRtc { local: [2; 32], remote: [9; 32] },
    ];
    let via = road.attach(between, 5);
    // One end finds it out, the other waits in vain.
    road.run(16_000);
    assert_eq!(road.dropped, [via, via]);
    assert!(road.sides.iter().all(|side| side.is_open() && side.active() == Some(1)));
    // Right fingerprints, but another node at the other end.
    let honest = core::mem::replace(&mut road.keys[1], NodeKey::generate(&mut Seeded::new(77)));
    let via = road.attach(prints(4), 5);
    road.run(20_000);
    assert!(road.dropped.contains(&via));
    assert!(road.sides.iter().all(|side| side.is_open() && side.active() == Some(1)));
    road.keys[1] = honest;
    let via = road.attach(prints(5), 5);
    road.run(500);
    assert!(road.sides.iter().all(|side| side.active() == Some(via)));
}

#[test]
fn the_first_handshake_that_is_done_begins_the_session_whichever_is_faster() {
    for (seed, relay_late, direct_late) in [(1, 300, 1), (2, 1, 300), (3, 100, 100), (4, 80, 70), (5, 30, 29)]
    {
        let mut road = Road::new(seed, [Carrier::Relay; 2], relay_late);
        road.run(seed * 3);
        let direct = road.attach(prints(6), direct_late);
        road.run(4_000);
        assert!(road.sides.iter().all(|side| side.active() == Some(direct)), "seed {seed}");
        let ids = [0, 1].map(|at| road.channel(at));
        road.sides[0].send(ids[0], &numbered(7, 1)).unwrap();
        road.run(1_000);
        assert_eq!(road.got(1), [7]);
    }
}

#[test]
fn talk_does_not_hold_up_bulk_nor_bulk_talk() {
    let mut road = Road::new(9, prints(1), 1);
    road.run(200);
    let (id, mut entropy) = (road.channel(0), Seeded::new(5));
    let mut envelope = |size: usize| {
        let key = SecretKey32([1; 32]);
        let expiry = 2_000_000;
        Message::Envelope(
            Envelope::seal(EnvelopeKind::SignIn, Hash([6; 32]), expiry, &key, &vec![7; size], &mut entropy)
                .unwrap(),
        )
    };
    // As many as fit: they take nothing of what bulk may queue.
    let mut talk = 0;
    while road.sides[0].send(id, &envelope(4_000)).is_ok() {
        talk += 1;
    }
    assert!((20..80).contains(&talk), "{talk}");
    assert_eq!(road.sides[0].writable(), QUEUE_TARGET);
    for number in 0..20 {
        road.sides[0].send(id, &numbered(number, 4_000)).unwrap();
    }
    road.run(500);
    // They came by turns.
    let came: Vec<bool> = road.said[1]
        .iter()
        .filter_map(|said| match said {
            SessionOutput::Message { message, .. } => Some(matches!(message, Message::Envelope(_))),
            _ => None,
        })
        .collect();
    assert_eq!(came.len(), talk + 20);
    assert!(came[..40].iter().filter(|talk| !**talk).count() >= 19, "{came:?}");
}

#[derive(Clone, Debug)]
enum Step {
    Send { side: usize, count: u64, size: usize },
    Attach { relay: bool, late: u64 },
    Block(usize),
    Pass(usize),
    Cut(usize),
    Run(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..2_usize, 1..40_u64, 0..20_000_usize).prop_map(|(side, count, size)| Step::Send { side, count, size }),
        2 => (any::<bool>(), 0..400_u64).prop_map(|(relay, late)| Step::Attach { relay, late }),
        2 => (0..4_usize).prop_map(Step::Block),
        2 => (0..4_usize).prop_map(Step::Pass),
        1 => (0..4_usize).prop_map(Step::Cut),
        6 => (1..5_000_u64).prop_map(Step::Run),
    ]
}

proptest! {
    #![proptest_config(crate::testing::cases(16))]

    /// Carriers come late, stand still, carry on with all that was under way, or die with it. As long as one is left,
    /// everything arrives once and in order.
    #[test]
    fn whatever_carriers_do_messages_arrive_once_and_in_order(seed in 0..1_000_u64, steps in prop::collection::vec(step(), 1..20)) {
        let mut road = Road::new(seed, [Carrier::Relay; 2], 50);
        road.run(1_000);
        let ids = [0, 1].map(|at| road.channel(at));
        let mut next = [0, 0];
        for step in steps {
            let pick = |road: &Road, at: usize| road.carriers.keys().nth(at % road.carriers.len()).copied().unwrap();
            match step {
                Step::Send { side, count, size } => {
                    for _ in 0..count {
                        if road.sides[side].send(ids[side], &numbered(next[side], size)).is_ok() {
                            next[side] += 1;
                        }
                    }
                }
                Step::Attach { relay, late } => {
                    if road.sides.iter().all(|side| side.legs.len() < 4) {
                        let carriers = if relay { [Carrier::Relay; 2] } else { prints(u8::try_from(road.last % 100).unwrap()) };
                        road.attach(carriers, late);
                    }
                }
                Step::Block(at) => {
                    // One has to be left, and joined.
                    let via = pick(&road, at);
                    let others = road.carriers.iter().any(|(other, line)| {
                        *other != via && !line.blocked && road.sides.iter().all(|side| side.legs.iter().any(|leg| leg.via == *other && leg.attached))
                    });
                    if others {
                        road.carriers.get_mut(&via).unwrap().blocked = true;
                    }
                }
                Step::Pass(at) => {
                    let via = pick(&road, at);
                    road.carriers.get_mut(&via).unwrap().blocked = false;
                }
                Step::Cut(at) => {
                    let via = pick(&road, at);
                    let others = road.carriers.iter().any(|(other, line)| {
                        *other != via && !line.blocked && road.sides.iter().all(|side| side.legs.iter().any(|leg| leg.via == *other && leg.attached))
                    });
                    if others {
                        road.cut(via);
                    }
                }
                Step::Run(ms) => road.run(ms),
            }
            road.close_dropped();
            for at in 0..2 {
                prop_assert!(road.sides[at].is_open(), "{:?}", road.said[at].last());
                // Never a gap, at any moment.
                let got = road.got(at);
                prop_assert_eq!(&got, &(0..u64::try_from(got.len()).unwrap()).collect::<Vec<_>>());
            }
        }
        road.carriers.values_mut().for_each(|line| line.blocked = false);
        for _ in 0..15 {
            road.run(1_000);
            road.close_dropped();
        }
        for at in 0..2 {
            prop_assert_eq!(road.got(at), (0..next[1 - at]).collect::<Vec<_>>());
            let [mine, theirs] = [at, 1 - at].map(|at| road.sides[at].counts());
            prop_assert_eq!(mine.received, theirs.sent);
            prop_assert!(mine.repeated <= theirs.resent);
        }
        // Both on a best one.
        let best = |at: usize| road.sides[at].legs.iter().filter(|leg| leg.attached).map(|leg| leg.rank).max();
        for at in 0..2 {
            let active = road.sides[at].active();
            let rank = road.sides[at].legs.iter().find(|leg| Some(leg.via) == active).map(|leg| leg.rank);
            prop_assert_eq!(rank, best(at));
        }
    }
}
