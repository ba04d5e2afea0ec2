use proptest::prelude::*;

use super::*;
use crate::{
    crypto::{Signer, blake2b},
    feed::{Feed, Node, Proof},
    storage::{Files, MemoryBackend},
    sync::{
        CloseReason, FeedStatus, Kind, Role, SessionOutput, first_gap,
        limits::{MAX_REQUESTS, REQUEST_TIMEOUT_MS},
        prove_from, prove_head_from,
        testing::{Pipe, session},
    },
    testing::Seeded,
};

mod beacon;
mod forks;
mod net;
mod spaces;

use net::{Net, blocks, signer};

#[test]
fn ten_thousand_blocks_arrive_whole_at_little_more_than_their_size() {
    let writer = signer(1);
    let data = blocks(0, 10_000);
    let mut net = Net::new(1, 2);
    for part in data.chunks(500) {
        net.peers[0].store.append(&writer, part);
    }
    net.peers[1].store.wanted.insert(writer.public());
    let link = net.connect(0, 1);
    net.settle();
    assert_eq!(net.peers[1].store.content(&writer.public()), data);
    let [there, back] = net.carried(link);
    let ratio = f64::from(u32::try_from(there + back).unwrap()) / 1_000_000.0;
    println!("10,000 blocks of 100 bytes: {there} bytes there, {back} back, {ratio:.4} x the data");
    assert!(ratio <= 1.15, "{ratio}");
    assert!(back < 4_000, "{back}");
    for peer in 0..2 {
        assert!(net.end(peer, link).exchange.as_ref().unwrap().is_level());
    }
    // Reconnected, both say what they have and nothing moves.
    net.cut(link);
    let link = net.connect(0, 1);
    net.settle();
    let [there, back] = net.carried(link);
    println!("reconnect when equal: {there} bytes there, {back} back");
    assert!(there < 1_500 && back < 1_500);
    // What is on disk opens again.
    let mut files = Files::load(net.peers[1].store.backend.snapshot()).unwrap();
    let feed = Feed::open(&mut files, writer.public()).unwrap();
    assert_eq!((feed.contiguous(), feed.length()), (10_000, 10_000));
}

#[test]
fn divergent_both_ways_costs_little_more_than_what_is_new() {
    let (one, two) = (signer(1), signer(2));
    let mut net = Net::new(2, 2);
    for writer in [&one, &two] {
        let data = blocks(0, 5_000);
        net.peers[0].store.append(writer, &data);
        net.peers[1].store.wanted.insert(writer.public());
    }
    let link = net.connect(0, 1);
    net.settle();
    net.cut(link);
    net.peers[0].store.append(&one, &blocks(5_000, 500));
    net.peers[1].store.append(&two, &blocks(5_000, 500));
    let link = net.connect(0, 1);
    net.settle();
    for peer in 0..2 {
        for writer in [&one, &two] {
            assert_eq!(net.peers[peer].store.content(&writer.public()), blocks(0, 5_500));
        }
    }
    let total: usize = net.carried(link).iter().sum();
    let ratio = f64::from(u32::try_from(total).unwrap()) / 100_000.0;
    println!("500 + 500 divergent blocks of 100 bytes: {total} bytes, {ratio:.4} x the new data");
    assert!(ratio <= 1.2, "{ratio}");
}

#[test]
fn a_new_entry_is_pushed_and_travels_on() {
    let writer = signer(1);
    let mut net = Net::new(3, 3);
    net.peers[0].store.append(&writer, &blocks(0, 10));
    for peer in 1..3 {
        net.peers[peer].store.wanted.insert(writer.public());
    }
    let links = [net.connect(0, 1), net.connect(1, 2)];
    net.settle();
    let before: Vec<_> = links.iter().map(|link| net.carried(*link)).collect();
    for at in 10..20 {
        net.peers[0].store.append(&writer, &blocks(at, 1));
        net.settle();
    }
    for peer in 1..3 {
        assert_eq!(net.peers[peer].store.content(&writer.public()), blocks(0, 20));
    }
    for (link, before) in links.into_iter().zip(before) {
        let [there, back] = net.carried(link);
        // Each entry comes with head, signature and proof; nobody asks for it or says thank you.
        assert!(there - before[0] < 10 * 700, "{}", there - before[0]);
        assert_eq!(back, before[1]);
    }
    // A large one is announced, and asked for.
    net.peers[0].store.append(&writer, &[vec![7; 100_000]]);
    net.settle();
    assert_eq!(net.peers[2].store.content(&writer.public()).len(), 21);
}

#[test]
fn a_flood_of_small_appends_is_put_together_and_harms_nobody() {
    let writer = signer(1);
    let mut net = Net::new(4, 2);
    net.peers[1].store.wanted.insert(writer.public());
    let link = net.connect(0, 1);
    net.settle();
    for at in 0..3_000 {
        net.peers[0].store.append(&writer, &blocks(at, 1));
        net.work();
    }
    net.settle();
    assert_eq!(net.peers[1].store.content(&writer.public()), blocks(0, 3_000));
    assert_eq!(net.end(1, link).closed, None);
}

#[test]
fn a_feed_that_nobody_follows_is_not_taken_until_it_is_wanted() {
    let writer = signer(1);
    let mut net = Net::new(5, 2);
    net.peers[0].store.append(&writer, &blocks(0, 10));
    let link = net.connect(0, 1);
    net.settle();
    net.peers[0].store.append(&writer, &blocks(10, 1));
    net.settle();
    assert!(net.peers[1].store.feeds.is_empty());
    net.peers[1].store.wanted.insert(writer.public());
    net.end(1, link).exchange.as_mut().unwrap().refresh();
    net.settle();
    assert_eq!(net.peers[1].store.content(&writer.public()), blocks(0, 11));
}

#[test]
fn two_peers_share_the_work_and_are_not_asked_for_the_same() {
    let writer = signer(1);
    let data = blocks(0, 10_000);
    let mut net = Net::new(6, 3);
    for peer in 0..2 {
        net.peers[peer].store.append(&writer, &data);
    }
    net.peers[2].store.wanted.insert(writer.public());
    let links = [net.connect(0, 2), net.connect(1, 2)];
    net.settle();
    assert_eq!(net.peers[2].store.content(&writer.public()), data);
    let [one, two] = links.map(|link| net.carried(link)[0]);
    println!("two sources: {one} and {two} bytes");
    assert!(one > 100_000 && two > 100_000 && one + two < 1_150_000);
}

#[test]
fn when_a_peer_dies_another_goes_on() {
    let writer = signer(1);
    let data = blocks(0, 10_000);
    for seed in 0..4 {
        let mut net = Net::new(seed, 3);
        for peer in 0..2 {
            net.peers[peer].store.append(&writer, &data);
        }
        net.peers[2].store.wanted.insert(writer.public());
        let links = [net.connect(0, 2), net.connect(1, 2)];
        while net.peers[2].store.content(&writer.public()).len() < 1_500 {
            assert!(net.step());
        }
        net.cut(links[usize::try_from(seed % 2).unwrap()]);
        net.settle();
        assert_eq!(net.peers[2].store.content(&writer.public()), data, "seed {seed}");
    }
}

#[test]
fn a_silent_peer_loses_its_requests_to_another() {
    let writer = signer(1);
    let mut net = Net::new(7, 3);
    for peer in 0..2 {
        net.peers[peer].store.append(&writer, &blocks(0, 3_000));
    }
    net.peers[2].store.wanted.insert(writer.public());
    let first = net.connect(0, 2);
    while net.end(2, first).exchange.as_ref().is_none_or(|exchange| exchange.asked.is_empty()) {
        assert!(net.step());
    }
    // It is there, but its bytes no longer come.
    net.links[first].2 = false;
    net.connect(1, 2);
    net.settle();
    assert_eq!(net.peers[2].store.content(&writer.public()).len(), 0, "claimed by the silent one");
    net.now += REQUEST_TIMEOUT_MS;
    net.settle();
    assert_eq!(net.peers[2].store.content(&writer.public()), blocks(0, 3_000));
}

#[test]
fn a_shorter_peer_still_helps_with_what_it_has() {
    let writer = signer(1);
    let mut net = Net::new(13, 3);
    net.peers[0].store.append(&writer, &blocks(0, 2_000));
    net.peers[1].store.append(&writer, &blocks(0, 2_000));
    net.peers[1].store.append(&writer, &blocks(2_000, 1_000));
    net.peers[2].store.wanted.insert(writer.public());
    let shorter = net.connect(0, 2);
    while net.peers[2].store.content(&writer.public()).is_empty() {
        assert!(net.step());
    }
    // Now a longer head comes, and its bearer goes again before it gave all.
    net.end(0, shorter).session.set_congested(0, true);
    let longer = net.connect(1, 2);
    while net.peers[2].store.feeds[&writer.public()].length() < 3_000 {
        assert!(net.step());
    }
    net.cut(longer);
    net.end(0, shorter).session.set_congested(0, false);
    net.settle();
    let got = net.peers[2].store.content(&writer.public());
    assert!(got.len() >= 2_000, "{}", got.len());
    assert_eq!(got, blocks(0, u64::try_from(got.len()).unwrap()));
}

#[test]
fn a_head_comes_without_blocks_or_is_said_not_to() {
    let writer = signer(1);
    let mut net = Net::new(14, 2);
    net.peers[0].store.append(&writer, &blocks(0, 10));
    net.peers[1].store.wanted.insert(writer.public());
    let link = net.connect(0, 1);
    net.settle();
    // The second stops following it, as after a cut; somebody's dependency rests on what comes later.
    net.peers[1].store.wanted.clear();
    net.peers[0].store.append(&writer, &blocks(10, 5));
    net.settle();
    let feed = writer.public();
    let exchange = net.end(1, link).exchange.as_mut().unwrap();
    assert!(exchange.ask_head(HeadWanted { feed, from: 10, to: 15 }));
    assert!(exchange.ask_head(HeadWanted { feed, from: 10, to: 12 }));
    assert!(!exchange.ask_head(HeadWanted { feed, from: 10, to: 10 }));
    net.settle();
    let held = &net.peers[1].store.feeds[&feed];
    assert_eq!((held.length(), held.contiguous()), (15, 10));
    // No head of 12 was ever signed.
    let unanswered = net.end(1, link).exchange.as_mut().unwrap().take_unanswered();
    assert_eq!(unanswered, [HeadWanted { feed, from: 10, to: 12 }]);
}

#[test]
fn several_feeds_run_side_by_side() {
    let mut net = Net::new(8, 2);
    let writers: Vec<_> = (1..=10).map(signer).collect();
    for (at, writer) in writers.iter().enumerate() {
        let large = if at == 0 { 300 } else { 3 };
        // None begins as the one before, so each costs what it is long.
        let block = |n: usize| {
            [vec![u8::try_from(n % 251).unwrap()], vec![u8::try_from(at).unwrap(); 9_999]].concat()
        };
        net.peers[0].store.append(writer, &(0..large).map(block).collect::<Vec<_>>());
        net.peers[1].store.wanted.insert(writer.public());
    }
    net.connect(0, 1);
    while writers[1..].iter().any(|w| net.peers[1].store.content(&w.public()).len() < 3) {
        assert!(net.step());
    }
    assert!(net.peers[1].store.content(&writers[0].public()).len() < 300, "the small ones did not wait");
    net.settle();
    assert_eq!(net.peers[1].store.content(&writers[0].public()).len(), 300);
}

/// Counts, not times: what a write and a meeting after a separation cost in messages.
#[test]
fn a_write_is_one_message_and_a_meeting_one_exchange_of_heads() {
    let (one, two) = (signer(1), signer(2));
    let mut net = Net::new(12, 2);
    for peer in &mut net.peers {
        peer.store.wanted.extend([one.public(), two.public()]);
    }
    net.peers[0].store.append(&one, &blocks(0, 2_000));
    let link = net.connect(0, 1);
    net.settle();
    net.heard.clear();
    net.peers[0].store.append(&one, &blocks(2_000, 1));
    net.settle();
    assert_eq!(net.heard, [(1, Kind::Data)], "pushed, and nothing is answered");
    assert_eq!(net.peers[1].store.content(&one.public()).len(), 2_001);

    net.cut(link);
    net.peers[0].store.append(&one, &blocks(2_001, 500));
    net.peers[1].store.append(&two, &blocks(0, 500));
    net.heard.clear();
    net.connect(0, 1);
    net.settle();
    for peer in 0..2 {
        let count = |kind: Kind| net.heard.iter().filter(|(to, got)| *to == peer && *got == kind).count();
        let counts = [Kind::Announce, Kind::Request, Kind::Data, Kind::Have, Kind::Cancel].map(count);
        assert_eq!(
            counts,
            [1, 1, 1, 0, 0],
            "announce, request, data, have, cancel to {peer}: {:?}",
            net.heard
        );
        assert_eq!(net.peers[peer].store.content(&one.public()).len(), 2_501);
        assert_eq!(net.peers[peer].store.content(&two.public()).len(), 500);
    }
}

#[test]
fn storage_is_not_read_ahead_of_a_full_carrier() {
    let writer = signer(1);
    let mut net = Net::new(9, 2);
    net.peers[0].store.append(&writer, &vec![vec![1; 60_000]; 100]);
    let link = net.connect(0, 1);
    net.settle();
    net.end(0, link).session.set_congested(0, true);
    net.peers[1].store.wanted.insert(writer.public());
    net.end(1, link).exchange.as_mut().unwrap().refresh();
    let before = net.peers[0].store.proved.get();
    net.settle();
    let read = net.peers[0].store.proved.get() - before;
    assert!(read <= 6, "{read} chunks for a queue of 256 KiB");
    net.end(0, link).session.set_congested(0, false);
    net.settle();
    assert_eq!(net.peers[1].store.content(&writer.public()).len(), 100);
}

#[test]
fn items_become_the_same_on_all_sides() {
    let mut net = Net::new(10, 3);
    for at in 0..5_000_u32 {
        net.peers[0].store.put(ItemKind::Record, &at.to_le_bytes());
    }
    net.peers[2].store.put(ItemKind::Record, &7_u32.to_le_bytes());
    net.peers[2].store.put(ItemKind::Manifest, b"manifest");
    net.connect(0, 1);
    net.connect(1, 2);
    net.settle();
    net.peers[1].store.put(ItemKind::Evidence, b"two heads");
    net.settle();
    for peer in 0..3 {
        assert_eq!(net.peers[peer].store.items.len(), 5_002, "peer {peer}");
    }
}

/// A connected pair whose second peer follows the writer and has its first ten blocks; the first is hostile.
fn hostile() -> (Net, usize, Signer) {
    let writer = signer(1);
    let mut net = Net::new(11, 2);
    net.peers[0].store.append(&writer, &blocks(0, 10));
    net.peers[1].store.wanted.insert(writer.public());
    let link = net.connect(0, 1);
    net.settle();
    (net, link, writer)
}

fn offence(message: &Message) -> (String, Net) {
    let (mut net, link, writer) = hostile();
    let channel = net.end(0, link).channel.unwrap();
    net.end(0, link).session.send(channel, message).unwrap();
    net.settle();
    let Some(CloseReason::Fault(fault)) = net.end(1, link).closed.clone() else {
        panic!("{message:?}: {:?}", net.end(1, link).closed)
    };
    let Some(CloseReason::Theirs { text, .. }) = net.end(0, link).closed.clone() else { panic!() };
    assert!(text.starts_with(fault.code()) && fault.is_peers(), "{text}");
    // Nothing was stored.
    assert_eq!(net.peers[1].store.content(&writer.public()), blocks(0, 10));
    assert_eq!(net.peers[1].wants.in_flight(&writer.public()), 0);
    (text, net)
}

#[test]
fn a_hostile_peer_is_dropped_with_the_reason_and_nothing_is_stored() {
    let writer = signer(1);
    let feed = writer.public();
    let forged = SignedHead::sign(&signer(2), 11, 0, Hash([3; 32]));
    let genuine_of_nothing = SignedHead::sign(&writer, 11, 0, Hash([3; 32]));
    let leaf = Node::leaf(3, b"x");
    let tail = |head, nodes| Message::Data {
        answers: Answers::Tail(feed),
        proof: Proof { head: Some(head), from: 10, blocks_start: 10, nodes },
        blocks: vec![vec![1]],
    };
    let request = |id| Message::Request { id, feed, blocks: 0..1, from: 0 };
    let cases = [
        // A head that the writer never signed; one it signed, but for other blocks; nodes that do not belong.
        (tail(forged, Vec::new()), "REFUSED"),
        (tail(genuine_of_nothing, vec![leaf]), "REFUSED"),
        (
            Message::Announce {
                more: false,
                feeds: vec![Announcement { feed, contiguous: 11, head: forged }],
            },
            "REFUSED",
        ),
        (
            Message::Announce {
                more: false,
                feeds: vec![Announcement { feed, contiguous: 12, head: genuine_of_nothing }],
            },
            "UNEXPECTED",
        ),
        // Data nobody asked for, answers to nothing.
        (
            Message::Data {
                answers: Answers::Request(77),
                proof: Proof { head: None, from: 10, blocks_start: 0, nodes: Vec::new() },
                blocks: vec![vec![1]],
            },
            "UNEXPECTED",
        ),
        (Message::Lack { id: 9 }, "UNEXPECTED"),
        (Message::Item { kind: ItemKind::Record, bytes: b"forged".to_vec() }, "REFUSED"),
        (Message::Items { kind: ItemKind::Record, more: false, hashes: Vec::new() }, "UNEXPECTED"),
    ];
    for (message, code) in cases {
        let (text, _) = offence(&message);
        assert!(text.starts_with(code), "{message:?}: {text}");
    }
    // More requests than allowed.
    let (mut net, link, _) = hostile();
    let channel = net.end(0, link).channel.unwrap();
    net.end(1, link).session.set_congested(0, true);
    for id in 1..=200 {
        net.end(0, link).session.send(channel, &request(id)).unwrap();
    }
    net.settle();
    let closed = net.end(1, link).closed.clone();
    assert!(matches!(closed, Some(CloseReason::Fault(Fault::Limit { max: MAX_REQUESTS, .. }))), "{closed:?}");
}

#[test]
fn a_liar_about_what_it_has_hurts_only_itself() {
    let writer = signer(1);
    let mut net = Net::new(12, 3);
    net.peers[0].store.append(&writer, &blocks(0, 2_000));
    net.peers[2].store.wanted.insert(writer.public());
    let liar = net.connect(1, 2);
    net.settle();
    let head = *net.peers[0].store.feeds[&writer.public()].head().unwrap();
    let channel = net.end(1, liar).channel.unwrap();
    let lie = Announcement { feed: writer.public(), contiguous: 2_000, head };
    net.end(1, liar).session.send(channel, &Message::Announce { more: false, feeds: vec![lie] }).unwrap();
    net.settle();
    net.connect(0, 2);
    net.settle();
    assert_eq!(net.peers[2].store.content(&writer.public()), blocks(0, 2_000));
}

proptest! {
    #![proptest_config(crate::testing::cases(24))]

    // Any peers, links and appends: when all is quiet, all are the same.
    #[test]
    fn whatever_happens_all_become_the_same(
        seed: u64,
        steps in prop::collection::vec((0_usize..4, 0_u8..3, 1_u64..40, 0_usize..30), 1..12),
    ) {
        let mut net = Net::new(seed, 4);
        let writers: Vec<_> = (1..=3).map(signer).collect();
        for peer in &mut net.peers {
            peer.store.wanted.extend(writers.iter().map(Signer::public));
        }
        let mut lengths = [0_u64; 3];
        let mut links = [net.connect(0, 1), net.connect(1, 2), net.connect(2, 3)];
        for (place, writer, count, moves) in steps {
            let at = usize::from(writer);
            // Each writer writes in one place.
            net.peers[at].store.append(&writers[at], &blocks(lengths[at], count));
            lengths[at] += count;
            for _ in 0..moves {
                net.step();
            }
            if place < 3 && moves % 3 == 0 {
                net.cut(links[place]);
                links[place] = net.connect(place, place + 1);
            }
        }
        net.settle();
        for peer in &net.peers {
            for (writer, length) in writers.iter().zip(lengths) {
                prop_assert_eq!(peer.store.content(&writer.public()), blocks(0, length));
            }
            prop_assert!(peer.ends.iter().all(|end| end.closed.is_none()));
        }
    }

    // A peer that passed the handshake and then says anything that decodes.
    #[test]
    fn whatever_a_peer_says_nothing_wrong_is_stored(said in prop::collection::vec(anything(), 1..20)) {
        let (mut net, link, writer) = hostile();
        let channel = net.end(0, link).channel.unwrap();
        for message in said {
            let _ = net.end(0, link).session.send(channel, &message);
            net.step();
        }
        net.settle();
        prop_assert_eq!(net.peers[1].store.content(&writer.public()), blocks(0, 10));
        prop_assert_eq!(net.peers[1].store.feeds.len(), 1);
    }
}

fn anything() -> impl Strategy<Value = Message> {
    let feed = || prop_oneof![Just(signer(1).public()), Just(signer(2).public()), Just(PublicKey([0; 32]))];
    let number = || prop_oneof![0_u64..12, Just(crate::codec::MAX_SAFE), any::<u64>().prop_map(|n| n >> 12)];
    let head = || {
        (number(), 0_u64..2, 1_u8..3, any::<u8>()).prop_map(|(length, fork, by, hash)| {
            SignedHead::sign(&signer(by), length, fork, Hash([hash; 32]))
        })
    };
    let nodes = prop::collection::vec(
        (number(), any::<[u8; 32]>(), number()).prop_map(|(index, hash, size)| Node {
            index,
            hash: Hash(hash),
            size,
        }),
        0..4,
    );
    let proof = (prop::option::of(head()), number(), number(), nodes)
        .prop_map(|(head, from, blocks_start, nodes)| Proof { head, from, blocks_start, nodes });
    let answers = prop_oneof![(0_u64..5).prop_map(Answers::Request), feed().prop_map(Answers::Tail)];
    let range = || (number(), 1_u64..3_000).prop_map(|(start, length)| start..(start + length));
    prop_oneof![
        (any::<bool>(), prop::collection::vec((feed(), number(), head()), 0..3)).prop_map(|(more, feeds)| {
            let feeds = feeds
                .into_iter()
                .map(|(feed, contiguous, head)| Announcement { feed, contiguous, head })
                .collect();
            Message::Announce { more, feeds }
        }),
        (feed(), prop::collection::vec(range(), 0..2))
            .prop_map(|(feed, ranges)| Message::Have { feed, ranges }),
        (1_u64..5, feed(), range(), number()).prop_map(|(id, feed, blocks, from)| Message::Request {
            id,
            feed,
            blocks,
            from
        }),
        (answers, proof, prop::collection::vec(any::<Vec<u8>>(), 0..3))
            .prop_map(|(answers, proof, blocks)| Message::Data { answers, proof, blocks }),
        (1_u64..5).prop_map(|id| Message::Cancel { id }),
        (1_u64..5).prop_map(|id| Message::Lack { id }),
        (1_u64..5, feed(), number(), number()).prop_map(|(id, feed, from, to)| Message::AskHead {
            id,
            feed,
            from,
            to
        }),
    ]
}
