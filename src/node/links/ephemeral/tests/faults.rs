//! The faults of the originals' extension for ephemeral messages (`h13`, in the order in which they were found), of its
//! dedup (`h14`) and of its sign-in requests (`h15`): each test says what is so here.

use super::*;
use crate::{
    node::{
        links::peer_message::{Around, PeerMessage, public_key, topic},
        persist::replace,
    },
    sync::limits::{
        ENVELOPE_BURST, ENVELOPE_BYTES_BURST, ENVELOPE_BYTES_PER_SECOND, ENVELOPES_PER_SECOND, MAX_EXPIRY_MS,
        MAX_HOPS,
    },
};

// ── H13: the extension for ephemeral messages ──

#[test]
fn h13_1_a_bad_tag_is_an_error_and_what_is_under_it_is_never_parsed() {
    let mut net = Net::new(2, 0);
    net.full_mesh();
    net.send(0, "hello", None, None).unwrap();
    net.settle();
    assert_eq!(net.heard(1), ["hello"]);
    // Each byte of the ciphertext, changed: refused by its tag, not because it is no text.
    let sent = net.log.iter().find(|(from, _, sent)| *from == 0 && sent.size() > 150).unwrap().2.clone();
    for kind in [EnvelopeKind::Epoch, EnvelopeKind::Public, EnvelopeKind::SignIn] {
        let good = if kind == sent.kind { sent.clone() } else { junk(kind, 200, 1, net.now) };
        let bytes = good.encode();
        for at in (bytes.len() - good.size()..bytes.len()).step_by(40) {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            let before = net.nodes[1].channel.refused();
            net.deliver(0, 1, &Envelope::decode(&bad).unwrap());
            let after = net.nodes[1].channel.refused();
            assert_eq!(after, Refused { unreadable: before.unreadable + 1, ..before }, "{kind:?} byte {at}");
        }
    }
    assert_eq!((net.heard(1).len(), net.nodes[1].sign_ins.len()), (1, 0));
}

#[test]
fn h13_2_relays_do_not_loop_and_nothing_is_reflected_to_its_sender() {
    // Two visitors, as relays, between two devices; everybody is linked to everybody.
    let mut net = Net::new(2, 2);
    net.full_mesh();
    net.settle();
    (net.carried, net.log) = (0, Vec::new());
    net.send(0, "once", None, None).unwrap();
    net.settle();
    assert_eq!(net.heard(1), ["once"]);
    // Three of the first, two more of each of the others: each node once to each but the one it came from.
    assert_eq!(net.carried, 9);
    assert!(net.log.iter().all(|(_, to, _)| *to != 0), "reflected");
    // Two relays in a ring alone, and a message that both see first from the other side.
    let mut net = Net::new(2, 2);
    for (one, other) in [(0, 2), (2, 3), (3, 1), (0, 3), (2, 1)] {
        net.link(one, other);
    }
    net.settle();
    net.carried = 0;
    net.send(0, "through", None, None).unwrap();
    net.settle();
    assert_eq!((net.heard(1).as_slice(), net.wire.len()), (["through".to_owned()].as_slice(), 0));
    assert!(net.carried <= 2 * net.links.len(), "{} over {} links", net.carried, net.links.len());
}

#[test]
fn h13_2_a_message_ends_after_its_hops() {
    let mut net = Net::new(1, 12);
    for at in 1..13 {
        net.link(at - 1, at);
    }
    net.send(0, "far", None, Some(false)).unwrap();
    net.settle();
    let reached = (1..13).filter(|at| !net.nodes[*at].heard.is_empty()).count();
    assert_eq!(reached, usize::from(MAX_HOPS) + 1);
}

#[test]
fn h13_3_bytes_that_nobody_can_open_are_limited_in_size_number_and_rate() {
    // A relay between a flooder without any key, and a device.
    let mut net = Net::new(1, 2);
    net.link(2, 1);
    net.link(1, 0);
    net.settle();
    net.log.clear();
    let flood = |net: &mut Net, size: usize, count: u64, seed: u64| {
        for seed in seed..seed + count {
            let envelope = junk(EnvelopeKind::SignIn, size, seed, net.now);
            net.deliver(2, 1, &envelope);
        }
        net.settle();
        let passed: Vec<usize> = net
            .log
            .drain(..)
            .filter(|(from, to, _)| (*from, *to) == (1, 0))
            .map(|(.., e)| e.size())
            .collect();
        (passed.len(), passed.iter().sum::<usize>())
    };
    let (count, _) = flood(&mut net, 10, 1_000, 0);
    assert_eq!(count, usize::try_from(ENVELOPE_BURST).unwrap());
    net.now += 1_000;
    assert_eq!(flood(&mut net, 10, 1_000, 2_000).0, usize::try_from(ENVELOPES_PER_SECOND).unwrap());
    // Large ones: so many bytes, then so many a second.
    net.now += 60_000;
    let (_, bytes) = flood(&mut net, 16_000, 200, 4_000);
    let burst = usize::try_from(ENVELOPE_BYTES_BURST).unwrap();
    assert!(bytes <= burst && bytes > burst - 17_000, "{bytes}");
    net.now += 1_000;
    assert!(flood(&mut net, 16_000, 200, 6_000).1 <= usize::try_from(ENVELOPE_BYTES_PER_SECOND).unwrap());
    // Who has nothing to do with it is heard all the same.
    net.sign_in(1, b"honest");
    assert_eq!(net.nodes[0].sign_ins, [b"honest"]);
    assert!(net.nodes[1].channel.refused().too_fast > 1_000);
    // What all can see to be junk goes nowhere at all, however often and however far it may travel.
    net.now += 60_000;
    let public = junk(EnvelopeKind::Public, 10, 9_000, net.now);
    net.log.clear();
    net.deliver(2, 1, &public.with_hops(3));
    net.deliver(2, 1, &public);
    net.settle();
    assert!(net.log.iter().all(|(from, ..)| *from == 2));
}

#[test]
fn h13_3_a_message_that_does_not_decode_takes_nothing_down() {
    let mut net = Net::new(2, 1);
    net.full_mesh();
    net.settle();
    let (space, entropy) = (root().public(), &mut Seeded::new(5));
    let discovery = space.discovery_key();
    let expiry = net.now + 60_000;
    let epoch = net.nodes[0].space.usable_epoch().unwrap();
    let content = net.nodes[0].space.content_key(&epoch).unwrap().clone();
    let sender = device(1);
    let keys = [
        (EnvelopeKind::SignIn, SecretKey32([9; 32])),
        (EnvelopeKind::Epoch, content),
        (EnvelopeKind::Public, public_key(&space)),
    ];
    // Under good keys: no message at all, then well signed ones with a payload that is none of its topic.
    let mut bad = Vec::new();
    for (kind, key) in &keys {
        for plain in [vec![], vec![1], vec![2; 300], vec![1; 16_000]] {
            bad.push(Envelope::seal(*kind, discovery, expiry, key, &plain, entropy).unwrap());
        }
        let around = Around { discovery, kind: *kind, expiry, recipient: None };
        for (topic, payload) in [
            (topic::APP, vec![]),
            (topic::APP, vec![0xff]),
            (topic::PRESENCE, vec![0x18]),
            (topic::PRESENCE, cbor(&"x".repeat(5_000))),
            (topic::HEADS, vec![]),
            (topic::HEADS, vec![1, 0]),
            (topic::HEADS, vec![1, 101]),
        ] {
            let id = entropy.array16();
            let message = PeerMessage { topic, sender: sender.public(), id, time: 1, payload };
            let plain = message.sign(&around, &sender);
            bad.push(Envelope::seal(*kind, discovery, expiry, key, &plain, entropy).unwrap());
        }
    }
    for envelope in &bad {
        net.deliver(2, 1, envelope);
    }
    let refused = net.nodes[1].channel.refused();
    assert_eq!((refused.forged, refused.unreadable), (2 * 11, 0));
    assert!(net.nodes[1].heard.is_empty() && net.here(1).is_empty());
    // All goes on, over the same link too.
    net.send(2, "still here", None, None).unwrap();
    net.settle();
    assert_eq!((net.heard(0), net.heard(1)), (vec!["still here".to_owned()], vec!["still here".to_owned()]));
}

#[test]
fn h13_6_an_envelope_of_one_space_kind_or_expiry_opens_in_no_other() {
    let mut net = Net::new(2, 0);
    net.full_mesh();
    net.settle();
    let sent = net.last_from(0);
    assert_eq!(sent.kind, EnvelopeKind::Epoch, "heads");
    let key = net.nodes[0].space.content_key(&net.nodes[0].space.usable_epoch().unwrap()).unwrap().clone();
    assert!(sent.open(&key).is_ok());
    let other = |change: &dyn Fn(&mut Envelope)| {
        let mut changed = sent.clone();
        change(&mut changed);
        changed
    };
    for changed in [
        other(&|e| e.kind = EnvelopeKind::Public),
        other(&|e| e.kind = EnvelopeKind::SignIn),
        other(&|e| e.discovery = Hash([7; 32])),
        other(&|e| e.expiry += 1),
    ] {
        assert!(changed.open(&key).is_err());
    }
    // One who has the key seals the signed message anew: for later, and as another kind. The signature does not hold.
    let plain = sent.open(&key).unwrap();
    for (kind, key, expiry) in [
        (EnvelopeKind::Epoch, key.clone(), sent.expiry + 1),
        (EnvelopeKind::Public, public_key(&root().public()), sent.expiry),
    ] {
        let anew = Envelope::seal(kind, sent.discovery, expiry, &key, &plain, &mut Seeded::new(1)).unwrap();
        let before = net.nodes[1].channel.refused().forged;
        net.deliver(0, 1, &anew);
        assert_eq!(net.nodes[1].channel.refused().forged, before + 1, "{kind:?}");
    }
    // A message addressed to one, opened by it and sealed to another.
    let (one, two) = (device(1), device(2));
    net.send(0, "to you", Some(two.public()), None).unwrap();
    net.settle();
    assert_eq!(net.heard(1), ["to you"]);
    let sent = net.log.iter().rev().find(|(.., e)| e.kind == EnvelopeKind::Addressed).unwrap().2.clone();
    let plain = sent.open_as_writer(&two).unwrap();
    let mut third = Net::new(3, 0);
    third.full_mesh();
    let to = device(3).public();
    let anew =
        Envelope::seal_to_writer(sent.discovery, sent.expiry, &to, &plain, &mut Seeded::new(1)).unwrap();
    third.deliver(1, 2, &anew);
    assert_eq!((third.nodes[2].heard.len(), third.nodes[2].channel.refused().forged), (0, 1));
    assert!(sent.open_as_writer(&one).is_err());
}

#[test]
fn h13_6_a_message_expires_and_none_lasts_long() {
    let mut net = Net::new(2, 0);
    net.link(0, 1);
    net.send(0, "now", None, None).unwrap();
    net.settle();
    let sent = net.log.iter().rev().find(|(from, _, e)| *from == 0 && e.size() > 150).unwrap().2.clone();
    net.now = sent.expiry;
    net.deliver(0, 1, &sent);
    let far = Envelope::seal(
        EnvelopeKind::Public,
        sent.discovery,
        net.now + MAX_EXPIRY_MS + 1,
        &public_key(&root().public()),
        b"",
        &mut Seeded::new(1),
    );
    net.deliver(0, 1, &far.unwrap());
    assert_eq!((net.heard(1), net.nodes[1].channel.refused().untimely), (vec!["now".to_owned()], 2));
}

#[test]
fn h13_7_the_sender_is_proven_though_all_share_the_key() {
    let mut net = Net::new(3, 1);
    net.full_mesh();
    net.settle();
    let (expiry, discovery) = (net.now + 60_000, root().public().discovery_key());
    let epoch = net.nodes[1].space.usable_epoch().unwrap();
    let content = net.nodes[1].space.content_key(&epoch).unwrap().clone();
    let kind = EnvelopeKind::Epoch;
    let around = Around { discovery, kind, expiry, recipient: None };
    let mut entropy = Seeded::new(3);
    let mut forge = |net: &mut Net, sender: PublicKey, signer: &Signer| {
        let id = entropy.array16();
        let message = PeerMessage { topic: topic::APP, sender, id, time: 1, payload: cbor("forged") };
        let plain = message.sign(&around, signer);
        let sealed = Envelope::seal(kind, discovery, expiry, &content, &plain, &mut entropy).unwrap();
        net.deliver(1, 2, &sealed);
    };
    // A device in the name of another; a stranger who got hold of the key.
    forge(&mut net, device(1).public(), &device(2));
    let stranger = Signer::from_seed(&[99; 32]);
    forge(&mut net, stranger.public(), &stranger);
    assert_eq!((net.nodes[2].heard.len(), net.nodes[2].channel.refused().forged), (0, 2));
    forge(&mut net, device(2).public(), &device(2));
    assert_eq!(net.nodes[2].heard.len(), 1);
    // A device that was removed still has the key.
    let Node { files, space, entropy, .. } = &mut net.nodes[0];
    space.cut(files, START, entropy, device(2).public(), false).unwrap();
    net.level(0, 2);
    net.send(1, "I am still here", None, None).unwrap();
    net.settle();
    assert_eq!((net.nodes[2].heard.len(), net.nodes[2].channel.refused().forged), (1, 3));
}

// ── H14: dedup ──

#[test]
fn h14_a_message_is_delivered_once_however_often_it_is_sealed() {
    let mut net = Net::new(2, 1);
    net.full_mesh();
    net.send(0, "once", None, Some(false)).unwrap();
    net.settle();
    let sent = net.log.iter().find(|(.., e)| e.kind == EnvelopeKind::Public).unwrap().2.clone();
    let key = public_key(&root().public());
    let plain = sent.open(&key).unwrap();
    for seed in 0..5 {
        let mut entropy = Seeded::new(seed);
        let anew =
            Envelope::seal(sent.kind, sent.discovery, sent.expiry, &key, &plain, &mut entropy).unwrap();
        assert_ne!(anew.id(), sent.id());
        net.deliver(2, 1, &anew);
    }
    net.settle();
    assert_eq!((net.heard(1), net.heard(2)), (vec!["once".to_owned()], vec!["once".to_owned()]));
    assert!(net.heard(0).is_empty(), "one's own does not come back");
}

#[test]
fn h14_the_memory_of_sign_in_messages_survives_a_reload_and_lapses() {
    let mut net = Net::new(1, 1);
    net.link(0, 1);
    net.sign_in(1, b"let me in");
    assert_eq!(net.nodes[0].sign_ins.len(), 1);
    let sent = net.log.iter().find(|(.., e)| e.kind == EnvelopeKind::SignIn).unwrap().2.clone();
    let file = net.nodes[0].files.file(&file_name(&root().public()));
    // Written at most every few seconds, and only if there is something new.
    assert!(net.nodes[0].files.len(file) == 0);
    net.run(4_000);
    assert!(net.nodes[0].files.len(file) > 0);
    net.reload(0);
    net.deliver(1, 0, &sent);
    assert_eq!(net.nodes[0].sign_ins.len(), 1, "asked twice");
    net.now = sent.expiry;
    net.reload(0);
    assert!(net.nodes[0].channel.relay.is_empty());
    // A file that is junk is no reason to stop.
    replace(&mut net.nodes[0].files, &file_name(&root().public()), &[1, 2, 3]);
    net.reload(0);
    net.sign_in(1, b"again");
    assert_eq!(net.nodes[0].sign_ins.len(), 2);
}

#[test]
fn h14_a_request_that_was_answered_does_not_ask_again_after_a_reload() {
    let (mut world, first, second, _) = asked(31);
    let request = world.node(first).requests().remove(0);
    world.kill(second);
    world.run(40_000);
    world.call(first, Call::Deny { request: request.id, block: false }).unwrap();
    world.run(5_000);
    world.reload(first);
    // The device comes back, has not heard of the answer, and asks on.
    world.start(second);
    world.until("told", |world| world.node(second).state() == State::Visitor);
    world.run(60_000);
    assert!(world.node(first).requests().is_empty());
}

// ── H15: requests ──

#[test]
fn h15_a_second_request_never_swaps_the_first_on_screen_and_the_right_device_is_let_in() {
    let (mut world, first, second, key) = asked(32);
    let shown = world.node(first).requests().remove(0);
    assert_eq!(shown.device, "Second");
    let third = world.browser(Some(key));
    world.until("read", |world| world.node(third).writers(None).len() == 1);
    ask(&mut world, third, "Third");
    world.until("both", |world| world.node(first).requests().len() == 2);
    let names: Vec<String> = world.node(first).requests().into_iter().map(|one| one.device).collect();
    assert_eq!(names, ["Second", "Third"]);
    let words = Some(shown.words.map(str::to_owned));
    world.call(first, Call::Approve { request: shown.id, words }).unwrap();
    world.until("let in", |world| world.node(second).state() == State::Writer);
    assert_eq!(world.node(third).state(), State::Requesting);
    let names: Vec<String> = world.node(first).requests().into_iter().map(|one| one.device).collect();
    assert_eq!(names, ["Third"]);
}

#[test]
fn h15_a_request_ends_after_its_time() {
    let (mut world, first, second, _) = asked(33);
    let request = world.node(first).requests().remove(0);
    assert!(request.expires <= world.now + 7 * 24 * 3_600_000);
    world.kill(second);
    world.now = request.expires;
    world.run(1_000);
    assert!(world.node(first).requests().is_empty());
    let words = Some(request.words.map(str::to_owned));
    assert!(world.call(first, Call::Approve { request: request.id, words }).is_err());
}

#[test]
fn h15_a_blocked_key_asks_nobody_any_more_not_even_a_device_that_was_away() {
    let (mut world, first, second, key) = asked(34);
    // Another device of the person, which sleeps while the first one decides.
    let third = world.browser(Some(key));
    world.until("read", |world| world.node(third).writers(None).len() == 1);
    ask(&mut world, third, "Third");
    world.until("both", |world| world.node(first).requests().len() == 2);
    let requests = world.node(first).requests();
    let (bad, good) = (&requests[0], &requests[1]);
    let words = Some(good.words.map(str::to_owned));
    world.call(first, Call::Approve { request: good.id, words }).unwrap();
    world.until("let in", |world| world.node(third).state() == State::Writer);
    world.until("asks there too", |world| world.node(third).requests().len() == 1);
    world.kill(third);
    world.kill(second);
    world.call(first, Call::Deny { request: bad.id, block: true }).unwrap();
    world.run(60_000);
    // The blocked device has not heard, and asks on; the other one wakes up, with nobody there who could tell it.
    world.reload(first);
    world.start(third);
    world.start(second);
    world.until("told", |world| world.node(second).state() == State::Visitor);
    world.run(90_000);
    for at in [first, third] {
        assert!(world.node(at).requests().is_empty(), "{at}");
        world.reload(at);
        world.run(10_000);
        assert!(world.node(at).requests().is_empty(), "{at} after a reload");
    }
}
