//! Two negotiators over a bad hub.

use super::*;
use crate::crypto::Entropy;
use crate::mesh::fake::FakeRtc;
use crate::testing::Seeded;

struct Side {
    negotiator: Negotiator,
    rtc: FakeRtc,
    opened: Option<Fingerprints>,
}

struct World {
    sides: [Side; 2],
    wire: Vec<(u64, usize, Direct)>,
    now: u64,
    entropy: Seeded,
    loss_percent: u32,
}

impl World {
    fn new(seed: u64, loss_percent: u32) -> Self {
        let mut entropy = Seeded::new(seed);
        let mut side = |role| Side {
            negotiator: Negotiator::new(1, role, 0),
            rtc: FakeRtc::new(&mut entropy),
            opened: None,
        };
        let sides = [side(Role::Dialer), side(Role::Answerer)];
        Self { sides, wire: Vec::new(), now: 0, entropy, loss_percent }
    }

    fn step(&mut self) {
        self.now += 5;
        let now = self.now;
        let (due, later): (Vec<_>, Vec<_>) =
            core::mem::take(&mut self.wire).into_iter().partition(|(at, ..)| *at <= now);
        self.wire = later;
        for (_, to, direct) in due {
            self.sides[to].negotiator.signal(direct, now);
        }
        for index in 0..2 {
            let side = &mut self.sides[index];
            if side.negotiator.deadline().is_some_and(|at| now >= at) {
                side.negotiator.tick(now);
            }
            for event in side.rtc.step(now, &mut self.entropy) {
                side.negotiator.event(event, now);
            }
            while let Some(output) = side.negotiator.poll() {
                match output {
                    NegotiatorOutput::Command(command) => side.rtc.command(command),
                    NegotiatorOutput::Ended(reason) => panic!("side {index} ended at {now}: {reason}"),
                    NegotiatorOutput::Opened(prints) => assert!(side.opened.replace(prints).is_none()),
                    NegotiatorOutput::Signal(direct) => {
                        for _ in 0..=u32::from(self.entropy.below(10) == 0) {
                            if self.entropy.below(100) >= self.loss_percent {
                                let at = now + u64::from(self.entropy.below(300));
                                self.wire.push((at, 1 - index, direct.clone()));
                            }
                        }
                    }
                }
            }
        }
        let [a, b] = &mut self.sides;
        if a.rtc.agrees(&b.rtc) {
            a.rtc.connect(now);
            b.rtc.connect(now);
        }
    }

    fn run_until(&mut self, limit: u64, done: impl Fn(&Self) -> bool) -> bool {
        while self.now < limit {
            self.step();
            if done(self) {
                return true;
            }
        }
        false
    }

    fn open(&self) -> bool {
        self.sides.iter().all(|side| side.negotiator.state() == LinkState::Open && side.opened.is_some())
    }
}

#[test]
fn always_connects_and_both_know_the_same_certificates() {
    let mut rollbacks = 0;
    for seed in 0..500 {
        let mut world = World::new(seed, 0);
        assert!(world.run_until(15_000, World::open), "seed {seed}");
        let [a, b] = &world.sides;
        assert_eq!(a.opened.unwrap().sorted(), b.opened.unwrap().sorted(), "seed {seed}");
        assert_eq!(a.opened.unwrap().local, a.rtc.print, "seed {seed}");
        assert_eq!(a.opened.unwrap().remote, b.rtc.print, "seed {seed}");

        // Glare: both are asked at about the same time, over and over; afterwards the path is lost and comes back.
        for _ in 0..10 {
            let now = world.now;
            for side in 0..2 {
                let at = now + u64::from(world.entropy.below(200));
                world.sides[side].rtc.emit(at, RtcEvent::NegotiationNeeded);
            }
            let until = now + u64::from(world.entropy.below(600));
            world.run_until(until, |_| false);
        }
        for how in [RtcState::Failed, RtcState::Disconnected] {
            world.run_until(world.now + 1_000, |_| false);
            let now = world.now;
            world.sides.iter_mut().for_each(|side| side.rtc.lose_path(now, how));
            assert!(world.run_until(now + 200, |world| !world.open()), "seed {seed}");
            let back = world.run_until(now + 20_000, World::open);
            let states = world.sides.each_ref().map(|side| (side.negotiator.describe(), side.rtc.state()));
            assert!(back, "seed {seed} after {how:?}: {states:#?}");
        }
        rollbacks += world.sides[1].rtc.rollbacks;
        assert_eq!(world.sides[0].rtc.rollbacks, 0, "the dialer is impolite");
    }
    assert!(rollbacks > 100, "glare happened: {rollbacks}");
}

#[test]
fn a_fifth_of_all_messages_may_be_lost() {
    let opened = (0..200)
        .filter(|seed| {
            let mut world = World::new(*seed, 20);
            world.run_until(14_900, World::open)
        })
        .count();
    // The rest is redialled; four losses in a row happen.
    assert!(opened >= 190, "{opened}");
}

#[test]
fn nobody_there_ends_in_time() {
    let mut alone = Negotiator::new(1, Role::Dialer, 0);
    let mut entropy = Seeded::new(1);
    let mut rtc = FakeRtc::new(&mut entropy);
    let mut offers = 0;
    for now in (0..16_000).step_by(10) {
        rtc.step(now, &mut entropy).into_iter().for_each(|event| alone.event(event, now));
        alone.tick(now);
        while let Some(output) = alone.poll() {
            match output {
                NegotiatorOutput::Command(command) => rtc.command(command),
                NegotiatorOutput::Ended(reason) => {
                    assert_eq!((reason, now), (CloseReason::Timeout { seconds: 15 }, 15_000));
                }
                NegotiatorOutput::Opened(_) => panic!("opened"),
                NegotiatorOutput::Signal(direct) => {
                    offers += u32::from(matches!(direct, Direct::Offer { .. }))
                }
            }
        }
    }
    assert!(rtc.closed);
    assert_eq!(alone.deadline(), None);
    assert_eq!(offers, 4, "at 0, 2, 6 and 14 s");
}

#[test]
fn a_certificate_that_changes_ends_the_attempt() {
    let offer = |byte: u8, round| Direct::Offer {
        attempt: 1,
        round,
        description: Description {
            sdp_type: SdpType::Offer,
            sdp: format!(
                "a=ice-ufrag:x\r\na=fingerprint:sha-256 {}\r\n",
                vec![format!("{byte:02x}"); 32].join(":")
            ),
        },
    };
    let answer = RtcEvent::LocalDescription {
        sdp_type: SdpType::Answer,
        sdp: format!("a=fingerprint:sha-256 {}", vec!["77"; 32].join(":")),
    };
    let mut answerer = Negotiator::new(1, Role::Answerer, 0);
    answerer.signal(offer(1, 1), 0);
    answerer.event(answer, 0);
    answerer.signal(offer(2, 2), 0);
    let ended = core::iter::from_fn(|| answerer.poll()).last();
    assert_eq!(
        ended,
        Some(NegotiatorOutput::Ended(CloseReason::Fault { what: "another certificate than before" }))
    );
}

#[test]
fn candidates_that_wait_are_bounded() {
    let mut answerer = Negotiator::new(1, Role::Answerer, 0);
    for n in 0..1_000 {
        let candidate = Candidate {
            candidate: format!("candidate:{n}"),
            sdp_mid: None,
            sdp_m_line_index: None,
            username_fragment: Some(format!("{n}")),
        };
        answerer.signal(Direct::Candidates { attempt: 1, candidates: vec![candidate] }, 0);
    }
    assert_eq!(answerer.waiting.len(), MAX_CANDIDATES);
}

#[test]
fn where_messages_are_dear_candidates_travel_together() {
    for (gathers, wanted) in [(false, 4), (true, 1)] {
        let mut dialer = Negotiator::new(1, Role::Dialer, 0);
        if gathers {
            dialer.gather();
        }
        let sdp = format!("v=0\r\na=ice-ufrag:u\r\na=fingerprint:sha-256 {}\r\n", vec!["0A"; 32].join(":"));
        dialer.event(RtcEvent::LocalDescription { sdp_type: SdpType::Offer, sdp }, 0);
        let mut messages = Vec::new();
        for now in (0..500).step_by(10) {
            // One every 70 ms, the last after 210 ms.
            if now % 70 == 0 && now <= 210 {
                let json = format!(r#"{{"candidate":"candidate:{now}","sdpMid":"0","sdpMLineIndex":0}}"#);
                dialer.event(RtcEvent::LocalCandidate { json }, now);
            }
            dialer.tick(now);
            while let Some(output) = dialer.poll() {
                if let NegotiatorOutput::Signal(Direct::Candidates { candidates, .. }) = output {
                    messages.push(candidates.len());
                }
            }
        }
        assert_eq!((messages.len(), messages.iter().sum::<usize>()), (wanted, 4), "{messages:?}");
    }
}
