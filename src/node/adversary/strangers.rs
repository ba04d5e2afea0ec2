//! Whoever has the link, and a removed device that still knows how to ask: floods, lies and noise.

use super::*;
use crate::{
    crypto::{Entropy, Hash, Signature, Signer},
    feed::{Node as TreeNode, Proof, SignedHead},
    sync::{Announcement, Answers, ItemKind, Message},
};

/// A home with two honest devices, a visitor, and a removed device that kept its keys.
fn with_enemy(seed: u64) -> (Home, [usize; 2], usize, usize) {
    let mut home = Home::new(seed, 3);
    let [first, second, enemy] = home.devices[..] else { panic!() };
    let visitor = home.visitor();
    home.level("before", &[first, second, enemy, visitor]);
    home.world.act(enemy, |node, _| node.hostile_ignore_cut()).unwrap();
    let writer = home.writer(enemy);
    home.cut(first, writer, true);
    home.devices.pop();
    home.level("cut", &[first, second, visitor]);
    (home, [first, second], visitor, enemy)
}

#[test]
fn a_flood_of_requests_and_envelopes_keeps_nobody_out() {
    let (mut home, [first, second], visitor, enemy) = with_enemy(100);
    let stranger = home.visitor();
    home.world.run(30_000);
    let words_before = home.world.browsers[first].derived;
    for second_of_flood in 0..4 {
        home.world.act(enemy, |node, now| node.hostile_requests(now, 100)).unwrap();
        home.world.act(stranger, |node, now| node.hostile_envelopes(now, 100, 400)).unwrap();
        home.world.run(1000);
        if second_of_flood == 2 {
            home.post(second, "meanwhile");
        }
        assert!(home.world.node(first).requests().len() <= 20);
    }
    assert_eq!(home.world.node(first).requests().len(), 20, "the flood came through as far as it may");
    assert!(home.world.node(first).requests().iter().all(|request| request.suspect), "and is marked");

    // An honest device asks while it goes on.
    let asker = home.visitor();
    let call = Call::SignIn { secret: secret(1), device: "Honest".into(), remember: true };
    let Ok(Reply::Words(words)) = home.world.call(asker, call) else { panic!("no words") };
    let end = home.world.now + 120_000;
    let shown = |home: &Home| {
        let mut requests = home.world.node(first).requests().into_iter();
        requests.find(|request| request.device == "Honest" && request.words == words)
    };
    while shown(&home).is_none() {
        assert!(home.world.now < end, "the honest request never came");
        home.world.act(enemy, |node, now| node.hostile_requests(now, 100)).unwrap();
        home.world.act(stranger, |node, now| node.hostile_envelopes(now, 100, 400)).unwrap();
        home.world.run(1000);
    }
    let id = shown(&home).unwrap().id;
    let words = Some(words.map(str::to_owned));
    home.world.call(first, Call::Approve { request: id, words }).unwrap();
    home.world.until("let in", |world| world.node(asker).state() == State::Writer);
    home.level("all the same", &[first, second, visitor, asker]);
    assert_eq!(keys(&home.world, visitor), ["meanwhile"]);
    // Each set of words costs a tenth of a second of work: no more of them than were let into the queue.
    let derived = home.world.browsers[first].derived - words_before;
    assert!(derived <= 60, "{derived} sets of words");
}

#[test]
fn lies_in_well_formed_messages_move_nobody() {
    for seed in 110..112 {
        let (mut home, [first, second], visitor, enemy) = with_enemy(seed);
        let (writer, cut) = (home.writer(first), home.writer(enemy));
        let before = home.view(first);
        for round in 0..40 {
            let message = lie(&mut home, round, writer, cut);
            home.world.act(enemy, |node, _| node.hostile_message(&message));
            home.world.run(300);
        }
        home.post(first, "still");
        home.post(second, "here");
        home.level("unmoved", &[first, second, visitor]);
        let after = home.view(visitor);
        assert_eq!(keys(&home.world, visitor), ["here", "still"]);
        assert_eq!(before.split_once("] [").unwrap().1, after.split_once("] [").unwrap().1);
        for at in [first, second, visitor] {
            let lied = |event: &Event| matches!(event, Event::Equivocation { .. } | Event::Failed(_));
            assert!(!home.world.browsers[at].events.iter().any(lied), "{at}");
            home.world.call(at, of_home(SpaceCall::Sync { timeout_ms: 60_000 })).unwrap();
        }
    }
}

/// One of all kinds of messages that cannot be true.
fn lie(home: &mut Home, round: u64, writer: PublicKey, cut: PublicKey) -> Message {
    let random = &mut home.world.entropy;
    let hash = Hash(random.array32());
    let head = SignedHead {
        length: 1 + u64::from(random.below(1000)),
        fork: u64::from(random.below(2)),
        tree_hash: hash,
        signature: Signature([7; 64]),
    };
    let node = TreeNode { index: u64::from(random.below(50)), hash, size: 100 };
    let mut bytes = vec![0; 1 + random.below(300) as usize];
    random.fill(&mut bytes);
    let id = 1 + u64::from(random.below(20));
    let feed = if random.below(4) == 0 { cut } else { writer };
    let proof = Proof { head: Some(head), from: 0, blocks_start: 0, nodes: vec![node; 3] };
    match round % 13 {
        0 => Message::Announce {
            more: false,
            feeds: vec![Announcement { feed, contiguous: head.length, head }],
        },
        1 => Message::Data { answers: Answers::Request(id), proof, blocks: vec![bytes] },
        2 => Message::Data { answers: Answers::Tail(feed), proof, blocks: vec![bytes] },
        3 => Message::Item { kind: ItemKind::Evidence, bytes },
        4 => Message::Item { kind: ItemKind::Record, bytes },
        5 => Message::Item { kind: ItemKind::Manifest, bytes },
        6 => Message::Branch { id, bytes },
        7 => Message::AskBranch { id, feed, index: u64::MAX >> 11 },
        8 => Message::AskSide { id, feed, index: 0, leaf: hash, start: 0, from: u64::MAX >> 11 },
        9 => Message::Request { id, feed, blocks: 0..60_000, from: u64::MAX >> 11 },
        10 => Message::AskHead { id, feed, from: 0, to: u64::MAX >> 11 },
        11 => Message::Items { kind: ItemKind::Record, more: true, hashes: vec![hash] },
        _ => {
            // A head that another key signed.
            let stranger = Signer::from_seed(&random.array32());
            let head = SignedHead::sign(&stranger, head.length, 0, hash);
            Message::Announce { more: false, feeds: vec![Announcement { feed, contiguous: 1, head }] }
        }
    }
}

#[test]
fn blocks_of_noise_from_a_device_are_void_and_its_good_ones_count() {
    let mut home = Home::new(120, 3);
    let [first, second, noisy] = home.devices[..] else { panic!() };
    let visitor = home.visitor();
    for n in 0..30 {
        let mut block = vec![0; 1 + home.world.entropy.below(2000) as usize];
        home.world.entropy.fill(&mut block);
        if n % 3 == 0 {
            // What begins like an entry.
            block.splice(..0, [1, 1, 0, 0]);
        }
        home.world.act(noisy, |node, now| node.hostile_block(now, block)).unwrap();
        home.post(noisy, &format!("good/{n:02}"));
    }
    home.post(second, "other");
    home.level("void and good", &[first, second, noisy, visitor]);
    assert_eq!(keys(&home.world, visitor).len(), 31);
    home.world.reload(visitor);
    home.level("after a reload", &[first, visitor]);
    home.world.call(visitor, of_home(SpaceCall::Sync { timeout_ms: 10_000 })).unwrap();
}

#[test]
fn random_bytes_on_the_wire_end_one_connection_and_nothing_else() {
    for seed in 130..133 {
        let mut home = Home::new(seed, 2);
        let [first, second] = home.devices[..] else { panic!() };
        let noise = home.visitor();
        home.world.run(5000);
        for round in 0..10 {
            home.world.babble(noise, first, 1 + round * 1500);
            home.world.babble(noise, second, 1 + round * 1500);
            home.post(first, &format!("{round}"));
            home.world.run(2000);
        }
        home.level("unmoved", &[first, second, noise]);
        assert_eq!(keys(&home.world, second).len(), 10);
        home.world.call(second, of_home(SpaceCall::Sync { timeout_ms: 10_000 })).unwrap();
    }
}
