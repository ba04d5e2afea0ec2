use proptest::prelude::*;

use super::*;
use crate::{
    crypto::Hash,
    sync::{
        Kind,
        limits::{MAX_CHANNELS, rate},
        testing::{Pair, session},
    },
};

fn space(seed: u8) -> PublicKey {
    Signer::from_seed(&[seed; 32]).public()
}

/// Two sessions with one space open on both sides.
fn opened(seed: u64) -> (Pair, [ChannelId; 2]) {
    let mut pair = Pair::new(seed);
    pair.settle();
    pair.sides[1].session.serve(space(1));
    pair.sides[0].session.open(space(1)).unwrap();
    pair.settle();
    let ids = [0, 1].map(|side| {
        let said = pair.take(side);
        let id = said.iter().find_map(|output| match output {
            SessionOutput::ChannelOpened { channel, space: it } if *it == space(1) => Some(*channel),
            _ => None,
        });
        id.unwrap_or_else(|| panic!("{said:?}"))
    });
    (pair, ids)
}

fn extension(size: usize) -> Message {
    Message::Extension { name: "test".into(), bytes: vec![7; size] }
}

fn closed_with(outputs: &[SessionOutput]) -> Option<&CloseReason> {
    match outputs.last() {
        Some(SessionOutput::Closed { reason }) => Some(reason),
        _ => None,
    }
}

#[test]
fn both_sides_learn_the_same_and_messages_arrive_whole_and_in_order() {
    for seed in 0..8 {
        let mut pair = Pair::new(seed);
        pair.settle();
        let facts = [0, 1].map(|side| match pair.take(side).first() {
            Some(SessionOutput::Established { remote, hash, id }) => (*remote, *hash, *id),
            other => panic!("seed {seed}: {other:?}"),
        });
        assert_eq!((facts[0].1, facts[0].2), (facts[1].1, facts[1].2));
        assert_ne!(facts[0].0, facts[1].0);
        let (mut pair, ids) = opened(seed);
        let block = Message::Data {
            answers: super::super::Answers::Request(1),
            proof: crate::feed::Proof { head: None, from: 7, blocks_start: 0, nodes: Vec::new() },
            blocks: vec![vec![9; 1_000_000], vec![3; 900_000]],
        };
        let sent = [extension(1), block, extension(65_000), extension(0)];
        for message in &sent {
            pair.sides[0].session.send(ids[0], message).unwrap();
            pair.sides[1].session.send(ids[1], message).unwrap();
        }
        assert_eq!(pair.sides[0].session.writable(), 0);
        pair.settle();
        for (side, id) in ids.into_iter().enumerate() {
            let got: Vec<_> = pair
                .take(side)
                .into_iter()
                .map(|output| match output {
                    SessionOutput::Message { channel, message } if channel == id => message,
                    other => panic!("{other:?}"),
                })
                .collect();
            assert_eq!(got, sent, "seed {seed}");
        }
        assert_eq!(pair.sides[0].session.writable(), QUEUE_TARGET);
    }
}

#[test]
fn swapped_fingerprints_fail_on_both_sides() {
    let carrier = |local: u8, remote: u8| Carrier::WebRtc { local: [local; 32], remote: [remote; 32] };
    // The order in which each side names them does not matter …
    let mut pair = Pair::over(1, carrier(1, 2), carrier(2, 1));
    pair.settle();
    assert!(pair.sides.iter().all(|side| side.session.is_open()));
    // … but a hub that puts its own in between is found out, as is another carrier.
    for (one, two) in [(carrier(1, 9), carrier(2, 9)), (carrier(1, 2), Carrier::Relay)] {
        let mut pair = Pair::over(1, one, two);
        pair.settle();
        for side in 0..2 {
            assert!(!pair.sides[side].session.is_open());
            let said = pair.take(side);
            assert!(
                matches!(closed_with(&said), Some(CloseReason::Fault(Fault::Handshake { .. }))),
                "{said:?}"
            );
        }
    }
}

#[test]
fn strangers_are_told_what_is_spoken_here() {
    for greeting in [b"GET / HTTP/1.1\r\n".as_slice(), b"hypha\x07and more"] {
        let mut here = session(Role::Responder, Carrier::Tab, 1, 0);
        let fault = here.receive(0, &enclose(greeting).unwrap(), 0).unwrap_err();
        assert!(matches!(fault, Fault::NotHypha | Fault::Version { ours: 1, .. }), "{fault}");
        let Some(SessionOutput::Send { bytes: told, .. }) = here.poll() else { panic!() };
        // An initiator of another version understands the answer.
        let mut there = session(Role::Initiator, Carrier::Tab, 2, 0);
        there.receive(0, &told, 0).unwrap();
        let said: Vec<_> = std::iter::from_fn(|| there.poll()).collect();
        assert_eq!(closed_with(&said), Some(&CloseReason::Version { theirs: vec![1] }));
    }
}

#[test]
fn connecting_to_oneself_is_noticed() {
    let mut pair = Pair::new(3);
    pair.sides[1].session = session(Role::Responder, Carrier::Tab, 7, pair.now);
    pair.sides[0].session = session(Role::Initiator, Carrier::Tab, 7, pair.now);
    pair.settle();
    assert!(pair.sides.iter().all(|side| !side.session.is_open()));
    assert_eq!(pair.sides[0].fault, Some(Fault::Myself));
}

#[test]
fn channels_open_close_and_reopen_and_unknown_ones_are_refused() {
    let (mut pair, ids) = opened(1);
    pair.sides[0].session.open(space(2)).unwrap();
    pair.settle();
    assert_eq!(pair.take(0), [SessionOutput::ChannelRefused { space: space(2) }]);
    assert_eq!(pair.take(1), []);
    // Under way while the other side closes: no fault.
    pair.sides[1].session.send(ids[1], &extension(3)).unwrap();
    let now = pair.now;
    pair.sides[0].session.leave(&space(1), Some(ids[0]), now);
    assert_eq!(pair.sides[0].session.send(ids[0], &extension(1)), Err(SendError::Closed));
    pair.settle();
    assert_eq!(pair.take(1), [SessionOutput::ChannelClosed { channel: ids[1], space: space(1) }]);
    assert_eq!(pair.take(0), []);
    for session in pair.sides.iter_mut().map(|side| &mut side.session) {
        session.open(space(1)).unwrap();
    }
    pair.settle();
    for side in 0..2 {
        let said = pair.take(side);
        assert!(matches!(said.as_slice(), [SessionOutput::ChannelOpened { .. }]), "{said:?}");
    }
}

#[test]
fn a_reflected_tag_opens_nothing() {
    let mut pair = Pair::new(5);
    pair.settle();
    pair.sides[0].session.open(space(1)).unwrap();
    // The responder does not know the space key; it sends back what it got, under its own session.
    let State::Open(alice) = &mut pair.sides[0].session.state else { panic!() };
    let Ok((_, echo)) = Message::decode(alice.queue.front().unwrap()) else { panic!() };
    let State::Open(mallory) = &mut pair.sides[1].session.state else { panic!() };
    mallory.enqueue(0, &echo).unwrap();
    pair.settle();
    assert!(pair.sides[0].session.is_open());
    let opened = |side: &super::super::testing::Side| {
        side.said.iter().any(|output| matches!(output, SessionOutput::ChannelOpened { .. }))
    };
    assert!(!pair.sides.iter().any(opened), "{:?}", pair.sides[0].said);
}

#[test]
fn writer_proof_reaches_the_other_side() {
    let (mut pair, ids) = opened(2);
    let writer = Signer::from_seed(&[42; 32]);
    pair.sides[1].session.prove(ids[1], &writer).unwrap();
    pair.settle();
    assert_eq!(pair.take(0), [SessionOutput::Proven { channel: ids[0], key: writer.public() }]);
}

#[test]
fn heartbeat_measures_and_silence_closes() {
    let (mut pair, _) = opened(1);
    assert!(pair.sides[0].session.rtt().is_some());
    for _ in 0..20 {
        pair.now += HEARTBEAT_MS;
        for side in 0..2 {
            let now = pair.now;
            pair.sides[side].session.tick(now);
        }
        pair.settle();
    }
    assert!(pair.sides.iter().all(|side| side.session.is_open()));
    assert!(pair.sides[0].session.rtt().is_some_and(|rtt| rtt < 100));
    // Both have one clock; what a ping was under way is all that it can be off.
    assert!(
        pair.sides.iter().all(|side| side.session.clock_offset().is_some_and(|ms| (-100..=0).contains(&ms)))
    );
    // The peer vanishes: the timer goes on, nothing arrives.
    let session = &mut pair.sides[0].session;
    let mut now = pair.now;
    while let Some(at) = session.deadline() {
        assert!(at <= now + SILENCE_MS, "{at}");
        now = now.max(at);
        session.tick(now);
        pair.sides[0].said.extend(std::iter::from_fn(|| session.poll()));
    }
    assert_eq!(closed_with(&pair.sides[0].said), Some(&CloseReason::Silence));
    assert!(now - pair.now <= SILENCE_MS);
}

#[test]
fn a_machine_that_slept_asks_before_it_gives_up() {
    let (mut pair, _) = opened(1);
    pair.now += 3_600_000;
    let now = pair.now;
    for side in 0..2 {
        pair.sides[side].session.tick(now);
    }
    pair.settle();
    for side in 0..2 {
        pair.sides[side].session.tick(now + 100);
    }
    assert!(pair.sides.iter().all(|side| side.session.is_open()));
}

#[test]
fn handshakes_time_out_and_idle_sessions_end() {
    let mut lonely = session(Role::Initiator, Carrier::Tab, 1, 0);
    lonely.tick(lonely.deadline().unwrap());
    let said: Vec<_> = std::iter::from_fn(|| lonely.poll()).collect();
    assert_eq!(closed_with(&said), Some(&CloseReason::Silence));
    let mut pair = Pair::new(1);
    pair.settle();
    let end = pair.now + IDLE_MS + HEARTBEAT_MS;
    while pair.now < end {
        pair.now += HEARTBEAT_MS;
        let now = pair.now;
        pair.sides[0].session.tick(now);
        pair.settle();
    }
    assert_eq!(closed_with(&pair.sides[0].said), Some(&CloseReason::Ours(Goodbye::Idle)));
    assert!(matches!(
        closed_with(&pair.sides[1].said),
        Some(CloseReason::Theirs { goodbye: Goodbye::Idle, .. })
    ));
}

#[test]
fn a_full_carrier_gets_nothing_and_then_what_is_owed_once() {
    let (mut pair, ids) = opened(1);
    let session = &mut pair.sides[0].session;
    session.set_congested(0, true);
    while session.writable() > 0 {
        session.send(ids[0], &extension(50_000)).unwrap();
    }
    assert_eq!(session.poll(), None);
    session.tick(pair.now + HEARTBEAT_MS);
    session.legs[0].beat(pair.now + HEARTBEAT_MS + 1);
    assert_eq!(session.poll(), None, "whoever has no room for messages has none for heartbeats");
    let full = loop {
        if let Err(error) = session.send(ids[0], &extension(60_000)) {
            break error;
        }
    };
    assert!(matches!(full, SendError::Full { max: QUEUE_MAX, .. }) && session.queued() <= QUEUE_MAX);
    session.set_congested(0, false);
    // One heartbeat, ahead of all that waits.
    assert!(matches!(session.poll(), Some(SessionOutput::Send { bytes: ping, .. }) if ping.len() < 64));
    assert!(matches!(session.poll(), Some(SessionOutput::Send { bytes: frame, .. }) if frame.len() > 16_000));
}

#[test]
fn a_peer_that_pings_and_takes_nothing_makes_nothing_wait() {
    let (mut pair, _) = opened(1);
    pair.sides[1].session.set_congested(0, true);
    let (start, pongs) = (pair.now, 1_000);
    let mut handed_out = 0;
    for at in 1..=pongs {
        let now = start + at;
        let session = &mut pair.sides[0].session;
        session.legs[0].beat(now);
        let Some(SessionOutput::Send { bytes: ping, .. }) = session.poll() else { panic!() };
        pair.sides[1].session.receive(0, &ping, now).unwrap();
        handed_out += core::iter::from_fn(|| pair.sides[1].session.poll()).count();
    }
    assert_eq!(handed_out, 0);
    pair.sides[1].session.set_congested(0, false);
    let said: Vec<_> = core::iter::from_fn(|| pair.sides[1].session.poll()).collect();
    let [SessionOutput::Send { bytes: pong, .. }] = said.as_slice() else { panic!("{said:?}") };
    pair.sides[0].session.receive(0, pong, start + pongs + 5).unwrap();
    assert_eq!(pair.sides[0].session.rtt(), Some(5), "the answer is to the latest");
}

/// What the receiver says to one raw message of a peer that passed the handshake.
fn told(raw: &[u8]) -> (Fault, CloseReason) {
    let (mut pair, _) = opened(9);
    let State::Open(hostile) = &mut pair.sides[0].session.state else { panic!() };
    hostile.queued += raw.len();
    hostile.queue.push_back(raw.to_vec());
    pair.settle();
    let theirs = pair.take(0);
    let fault = pair.sides[1].fault.clone().unwrap_or_else(|| panic!("no fault for {raw:?}"));
    assert_eq!(closed_with(&pair.take(1)), Some(&CloseReason::Fault(fault.clone())));
    (fault, closed_with(&theirs).unwrap().clone())
}

#[test]
fn each_offence_is_named_to_the_offender() {
    let open = |number: u64| {
        Message::Open { number, answers: 0, discovery: Hash([1; 32]), tag: Hash([1; 32]) }.encode(0)
    };
    let cases: [(&[u8], &str); 6] = [
        (&[1, 99], "DECODE"),
        (&[1, 4, 255, 255, 3], "DECODE"),
        (&[77, 2], "CHANNEL"),
        (&[0, 2], "CHANNEL"),
        (&open(1), "UNEXPECTED"),
        (&[], "DECODE"),
    ];
    for (raw, code) in cases {
        let (fault, reason) = told(raw);
        assert_eq!(fault.code(), code, "{raw:?}");
        let CloseReason::Theirs { goodbye: Goodbye::Offence, text } = reason else { panic!("{reason:?}") };
        assert!(text.starts_with(code), "{text}");
    }
}

#[test]
fn too_many_messages_too_fast_are_an_offence() {
    let (mut pair, ids) = opened(1);
    let (_, burst) = rate(Kind::Prove);
    let writer = Signer::from_seed(&[42; 32]);
    for _ in 0..=burst {
        pair.sides[0].session.prove(ids[0], &writer).unwrap();
    }
    // All at once, or the bucket fills while they arrive.
    pair.drain();
    let now = pair.now;
    let mut fault = None;
    while let Some(bytes) = pair.sides[0].out.pull(now + 1_000_000) {
        fault = fault.or(pair.sides[1].session.receive(0, &bytes, now).err());
    }
    assert_eq!(fault, Some(Fault::TooFast { kind: "prove", per_second: 10 }));
}

#[test]
fn a_session_holds_at_most_its_channels() {
    let (mut pair, _) = opened(1);
    for seed in 2..=u8::try_from(MAX_CHANNELS).unwrap() + 1 {
        let result = pair.sides[0].session.open(space(seed));
        assert_eq!(result.is_ok(), usize::from(seed) <= MAX_CHANNELS);
    }
}

proptest! {
    #![proptest_config(crate::testing::cases(64))]

    #[test]
    fn any_bytes_into_a_fresh_session_never_panic(bytes: Vec<u8>, framed: bool, initiator: bool) {
        let role = if initiator { Role::Initiator } else { Role::Responder };
        let mut session = session(role, Carrier::Tab, 1, 0);
        let bytes = if framed { [b"hypha\x01".as_slice(), &bytes].concat() } else { bytes };
        let _ = session.receive(0, &enclose(&bytes).unwrap(), 0);
        let _ = session.receive(0, &bytes, 0);
        while session.poll().is_some() {}
        session.tick(u64::MAX);
        prop_assert!(!session.is_open());
    }

    #[test]
    fn any_bytes_into_an_open_session_never_panic(bytes: Vec<u8>, level in 0..3, kind in 0_u8..16) {
        let (mut pair, ids) = opened(4);
        let now = pair.now;
        match level {
            // Raw on the carrier.
            0 => drop(pair.sides[1].session.receive(0, &bytes, now)),
            // Sealed, but no frame.
            1 => {
                let State::Open(open) = &mut pair.sides[0].session.state else { panic!() };
                let _ = open;
                let frame = pair.sides[0].session.legs[0].seal(&bytes).unwrap();
                let _ = pair.sides[1].session.receive(0, &frame, now);
            }
            // A frame, but no message.
            _ => {
                let State::Open(open) = &mut pair.sides[0].session.state else { panic!() };
                let channel = u8::try_from(ids[0].0).unwrap();
                open.queue.push_back([&[channel, kind], bytes.as_slice()].concat());
                open.queued += bytes.len() + 2;
            }
        }
        pair.settle();
        let hurt = pair.sides[1].fault.is_some() || pair.sides[1].session.is_open();
        prop_assert!(hurt || closed_with(&pair.sides[1].said).is_some());
    }

    #[test]
    fn one_changed_byte_ends_the_session(at in 0_usize..200, bit in 0_u8..8) {
        let (mut pair, ids) = opened(6);
        pair.sides[0].session.send(ids[0], &extension(150)).unwrap();
        let Some(SessionOutput::Send { bytes: mut frame, .. }) = pair.sides[0].session.poll() else { panic!() };
        let at = 2 + at % (frame.len() - 2);
        frame[at] ^= 1_u8 << bit;
        let fault = pair.sides[1].session.receive(0, &frame, pair.now).unwrap_err();
        prop_assert_eq!(fault.code(), "AUTHENTIC");
    }
}

mod carriers;
