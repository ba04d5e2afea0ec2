//! Whole nodes with replicas among them, in a simulated world.

use proptest::prelude::*;

use crate::{
    crypto::{PublicKey, Signer},
    mesh::LinkId,
    node::{
        Call, ErrorCode, Event, Node, Reply, Safety, SpaceCall, State,
        sim::{World, keys, of_home, post, put},
        tests::{approve, let_in, sign_in, sign_up},
    },
    space::Receipt,
    storage::Files,
    sync::Message,
};

/// A browser that runs a replica and holds these spaces.
fn replica(world: &mut World, spaces: &[PublicKey], quota: Option<u64>) -> (usize, PublicKey) {
    let at = world.browser(None);
    world.kill(at);
    let options = &mut world.browsers[at].options;
    (options.replica, options.quota) = (true, quota);
    world.start(at);
    for space in spaces {
        world.call(at, Call::Hold { space: *space, quota: None }).unwrap();
    }
    (at, world.node(at).replica_key().unwrap())
}

fn pin(world: &mut World, at: usize, replica: PublicKey) {
    let label = "in the hall".to_owned();
    world.call(at, of_home(SpaceCall::PinReplica { replica, label })).unwrap();
}

fn safety(world: &World, at: usize) -> Safety {
    world.node(at).safety(None).unwrap_or_default()
}

fn safe_on(world: &World, at: usize, replicas: usize) -> bool {
    let safety = safety(world, at);
    safety.replicas == replicas && safety.unreplicated == 0
}

fn space<'a>(world: &'a mut World, at: usize, key: &PublicKey) -> &'a mut crate::space::Space {
    &mut world.browsers[at].node.as_mut().unwrap().spaces.get_mut(key).unwrap().space
}

/// The link on which this node shares a space with whoever proved a key.
fn link_to(world: &World, at: usize, key: PublicKey) -> LinkId {
    let peers = &world.node(at).promises.peers;
    peers.iter().find(|(_, peer)| peer.proven.contains(&key)).map(|((link, _), _)| *link).unwrap()
}

#[test]
fn two_devices_that_are_never_there_together_meet_through_a_replica() {
    for seed in 0..3 {
        let mut world = World::new(seed);
        let (first, key) = sign_up(&mut world);
        let (between, pinned) = replica(&mut world, &[key], None);
        assert_eq!(world.node(between).state(), State::Replica);
        pin(&mut world, first, pinned);
        for n in 0..40 {
            world.call(first, post(&format!("posts/{n:02}"), "hello")).unwrap();
        }
        world.call(first, put("diary", "nobody else reads this", true)).unwrap();
        world.until("safe on one", |world| safe_on(world, first, 1));
        // Another reads all of it, though the one who wrote it is gone.
        world.kill(first);
        let second = world.browser(Some(key));
        world.until("all posts", |world| keys(world, second).len() == 40);
        let manifest = world.node(second).spaces.get(&key).unwrap().space.manifest_seq();
        assert!(manifest > 0, "signed values are kept alive");
        let words = sign_in(&mut world, second, true);
        world.run(3_000);
        world.kill(second);
        // And asks to be let in through it: the request is passed on while both are there.
        world.start(first);
        world.start(second);
        world.part(first, second, true);
        approve(&mut world, first, words);
        world.kill(first);
        world.until("let in by way of the replica", |world| world.node(second).state() == State::Writer);
        world.call(second, put("answer", "to the diary", true)).unwrap();
        world.until("safe on one", |world| safe_on(world, second, 1));
        world.kill(second);
        world.start(first);
        world.until("read", |world| keys(world, first).contains(&"answer".to_owned()));
        assert!(!keys(&world, between).iter().any(|key| key == "diary" || key == "answer"));
    }
}

#[test]
fn a_replica_stores_nothing_private_in_clear_and_keeps_its_key() {
    let mut world = World::new(3);
    let (first, key) = sign_up(&mut world);
    let (between, pinned) = replica(&mut world, &[key], None);
    pin(&mut world, first, pinned);
    world.call(first, post("posts/1", "everybody may read these very words")).unwrap();
    world.call(first, put("secretkey", "nobody else reads these very words", true)).unwrap();
    world.until("safe on one", |world| safe_on(world, first, 1));
    let (backend, remembered) = world.copy(between);
    let mut files = Files::load(backend.snapshot()).unwrap();
    let mut stored = Vec::new();
    for name in files.names("") {
        let file = files.file(&name);
        let length = usize::try_from(files.len(file)).unwrap();
        stored.extend(files.read(file, 0, length).unwrap());
    }
    let holds = |text: &str| stored.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("everybody may read these very words"), "else this test shows nothing");
    for hidden in ["nobody else reads these very words", "secretkey", "First"] {
        assert!(!holds(hidden), "{hidden}");
    }
    // Its own key is kept where keys are kept, not among the data.
    let seed = remembered.unwrap();
    assert_eq!(Signer::from_seed(&seed.clone().try_into().unwrap()).public(), pinned);
    assert!(!stored.windows(seed.len()).any(|window| window == seed));
    world.reload(between);
    assert_eq!(world.node(between).replica_key(), Some(pinned));
    assert_eq!(world.node(between).held_spaces().len(), 1);
    // What it promised is known after a reload of the device too, before anybody is there.
    world.kill(between);
    world.reload(first);
    assert!(safe_on(&world, first, 1));
    let view = world.node(first).replicas(None).remove(0);
    assert!(view.length.is_some() && !view.connected);
    assert_eq!((view.pin.key, view.pin.label.as_str()), (pinned, "in the hall"));
}

/// A device with thirty posts, and a replica that it relies on and that has signed for them.
fn relied_on() -> (World, usize, usize, PublicKey, PublicKey) {
    let mut world = World::new(4);
    let (first, key) = sign_up(&mut world);
    let own = world.node(first).own_writer().unwrap();
    let (between, pinned) = replica(&mut world, &[key], None);
    pin(&mut world, first, pinned);
    for n in 0..30 {
        world.call(first, post(&format!("posts/{n:02}"), "hello")).unwrap();
    }
    world.until("safe on one", |world| safe_on(world, first, 1));
    world.browsers[first].events.clear();
    (world, first, between, key, own)
}

#[test]
fn a_replica_that_dropped_blocks_fails_the_challenge_and_stops_counting() {
    let (mut world, first, between, key, own) = relied_on();
    // It shows the head, signs, and has only the first blocks.
    space(&mut world, between, &key).hostile_mut().withheld.insert(own, 3);
    // It is asked again after ten minutes, or a little later.
    world.run(700_000);
    let safety = safety(&world, first);
    assert_eq!((safety.replicas, safety.pinned), (0, 1));
    assert!(safety.unreplicated > 30);
    assert!(world.browsers[first].events.contains(&Event::Safety(key)));
    assert_eq!(world.node(first).replicas(None)[0].length, None);
}

#[test]
fn a_replica_that_lost_blocks_notices_and_has_them_again_before_it_is_asked() {
    let (mut world, first, between, key, own) = relied_on();
    world.act(between, |node, _| {
        let (spaces, files) = (&mut node.spaces, &mut node.files);
        let feed = spaces.get_mut(&key).unwrap().space.hostile_feed(&own);
        feed.clear(files, 3..100).unwrap();
    });
    let held = |world: &mut World| {
        let feed = |node: &mut Node| node.spaces.get_mut(&key).unwrap().space.hostile_feed(&own).contiguous();
        world.act(between, |node, _| feed(node))
    };
    assert_eq!(held(&mut world), 3);
    world.run(700_000);
    assert!(held(&mut world) > 30);
    assert!(safe_on(&world, first, 1));
}

#[test]
fn what_is_forged_or_not_relied_on_never_counts() {
    let mut world = World::new(5);
    let (first, key) = sign_up(&mut world);
    let own = world.node(first).own_writer().unwrap();
    let (between, pinned) = replica(&mut world, &[key], None);
    world.call(first, post("posts/1", "hello")).unwrap();
    world.run(5_000);
    assert_eq!(safety(&world, first).replicas, 0, "not pinned");
    pin(&mut world, first, pinned);
    world.until("safe on one", |world| safe_on(world, first, 1));
    let link = link_to(&world, first, pinned);
    world.part(first, between, true);
    world.call(first, post("posts/2", "hello")).unwrap();
    assert_eq!(
        safety(&world, first),
        Safety { replicas: 0, unreplicated: 1, pinned: 1, devices: 0, others: 0 }
    );

    let seed: [u8; 32] = world.browsers[between].remembered.clone().unwrap().try_into().unwrap();
    let (signer, other) = (Signer::from_seed(&seed), Signer::from_seed(&[9; 32]));
    let now = world.now;
    let status = |world: &mut World| {
        let (length, hash) = {
            let node = world.node(first);
            let feed = node.spaces.get(&key).unwrap().space.feed(&own).unwrap();
            (feed.length(), feed.id())
        };
        (length, hash)
    };
    let (length, hash) = status(&mut world);
    let sign = |signer: &Signer, length: u64, hash, expires: u64| {
        Receipt::sign(signer, &key, own, length, hash, expires)
    };
    let later = now + 86_400_000;
    let good = sign(&signer, length, hash, later);
    let wrong = [
        sign(&other, length, hash, later),
        sign(&signer, length, crate::crypto::Hash([1; 32]), later),
        sign(&signer, length + 1, hash, later),
        sign(&signer, length, hash, now),
        sign(&signer, length, hash, now + 400 * 86_400_000),
        sign(&signer, 0, hash, later),
        Receipt::sign(&signer, &pinned, own, length, hash, later),
        Receipt::sign(&signer, &key, pinned, length, hash, later),
    ];
    let challenge_waits = |world: &World| {
        let peer = &world.node(first).promises.peers[&(link, key)];
        peer.asking.is_challenging()
    };
    for receipt in &wrong[..6] {
        world.act(first, |node, _| node.receipt_message(link, key, Message::Receipt(*receipt)));
        assert!(!challenge_waits(&world), "{receipt:?}");
    }
    // The right one is not believed either before its signer has answered.
    world.act(first, |node, _| node.receipt_message(link, key, Message::Receipt(good)));
    assert!(challenge_waits(&world));
    assert_eq!(safety(&world, first).unreplicated, 1);
    let id = world.node(first).promises.last_challenge;
    let hash = crate::crypto::Hash([7; 32]);
    world.act(first, |node, _| node.receipt_message(link, key, Message::Answer { id, hash }));
    assert!(!challenge_waits(&world));
    world.run(10);
    assert_eq!(safety(&world, first).replicas, 0);
    assert!(safety(&world, first).unreplicated > 1, "one that answers wrongly is struck off");
    // Forged: the session ends.
    world.act(first, |node, _| {
        let forged = Receipt { length: wrong[6].length, ..wrong[6] };
        node.receipt_message(link, key, Message::Receipt(forged));
        let foreign = wrong[7];
        node.receipt_message(link, key, Message::Receipt(foreign));
    });
    world.part(first, between, false);
    world.until("safe again", |world| safe_on(world, first, 1));
    world.call(first, of_home(SpaceCall::UnpinReplica { replica: pinned })).unwrap();
    world.run(3_000);
    let left = safety(&world, first);
    assert_eq!((left.replicas, left.pinned), (0, 0), "not relied on any more");
    assert!(world.node(first).replicas(None).is_empty());
}

#[test]
fn receipts_run_out_and_are_renewed_before() {
    let mut world = World::new(6);
    let (first, key) = sign_up(&mut world);
    let (between, pinned) = replica(&mut world, &[key], None);
    pin(&mut world, first, pinned);
    world.until("safe on one", |world| safe_on(world, first, 1));
    let ends = world.node(first).replicas(None)[0].expires.unwrap();
    // Nobody is there for longer than the promise.
    world.kill(between);
    world.kill(first);
    world.now = ends - 60_000;
    world.start(first);
    assert!(safe_on(&world, first, 1), "a minute is left");
    world.run(70_000);
    assert_eq!(safety(&world, first).replicas, 0);
    assert!(world.node(first).replicas(None)[0].length.is_none());
    world.start(between);
    world.until("renewed", |world| safe_on(world, first, 1));
    assert!(world.node(first).replicas(None)[0].expires.unwrap() > ends);
    // When half of it is over, it is renewed without a gap.
    let before = world.node(first).replicas(None)[0].expires.unwrap();
    world.kill(between);
    world.kill(first);
    world.now += 5 * 86_400_000;
    world.start(first);
    world.start(between);
    assert!(safe_on(&world, first, 1));
    world.until("renewed", |world| world.node(first).replicas(None)[0].expires > Some(before));
}

#[test]
fn past_a_quota_nothing_is_taken_and_it_is_said() {
    let mut world = World::new(7);
    let (first, key) = sign_up(&mut world);
    let (between, pinned) = replica(&mut world, &[key], Some(300_000));
    pin(&mut world, first, pinned);
    let long = "x".repeat(20_000);
    for n in 0..30 {
        world.call(first, post(&format!("posts/{n:02}"), &long)).unwrap();
    }
    world.run(20_000);
    let held = world.node(between).held_spaces()[0];
    assert!(held.full && held.bytes <= 300_000 && held.bytes > 200_000, "{held:?}");
    assert!(world.browsers[between].events.contains(&Event::Full(key)));
    assert_eq!(safety(&world, first).replicas, 0);
    world.until("it is told", |world| world.node(first).replicas(None)[0].full);
    // After a reload it is no other.
    world.reload(between);
    world.until("it is counted", |world| world.node(between).held_spaces()[0].bytes == held.bytes);
    world.run(10_000);
    assert!(world.node(between).held_spaces()[0].bytes <= 300_000);
    // With more room it goes on; a space that is dropped gives room.
    world.browsers[between].options.quota = None;
    world.reload(between);
    world.until("safe on one", |world| safe_on(world, first, 1));
    assert!(world.node(between).held_spaces()[0].bytes > 600_000);
    world.call(between, Call::Hold { space: key, quota: Some(700_000) }).unwrap();
    assert_eq!(world.node(between).held_spaces()[0].quota, Some(700_000));
    let act = Call::In { space: Some(key), act: SpaceCall::Leave };
    world.call(between, act).unwrap();
    assert!(world.node(between).held_spaces().is_empty());
}

/// Neither who is asked nor who asks has the blocks in memory, nor room for all of them: the disk is asked first.
#[test]
fn blocks_that_lie_on_the_disk_are_shown_and_asked_about_all_the_same() {
    let mut world = World::new(11);
    world.lazy = true;
    let (first, key) = sign_up(&mut world);
    let (between, pinned) = replica(&mut world, &[key], None);
    pin(&mut world, first, pinned);
    let long = "x".repeat(20_000);
    for n in 0..30 {
        world.call(first, post(&format!("posts/{n:02}"), &long)).unwrap();
    }
    world.until("safe on one", |world| safe_on(world, first, 1));
    world.reload(between);
    world.reload(first);
    world.until("met again", |world| world.node(first).replicas(None)[0].connected);
    let before = world.loads;
    // Four challenges long, and not a moment without.
    for _ in 0..45 {
        world.run(60_000);
        assert!(safe_on(&world, first, 1), "{:?}", safety(&world, first));
    }
    assert!(world.loads > before + 20, "{} pages were read", world.loads - before);
}

#[test]
fn a_replica_holds_what_its_own_page_says_and_has_no_account() {
    let mut world = World::new(8);
    let (first, key) = sign_up(&mut world);
    let (between, _) = replica(&mut world, &[key], None);
    let call = Call::CreateSpace { title: "Garden".into() };
    let Ok(Reply::Space(other)) = world.call(first, call) else { panic!("no space") };
    world
        .call(first, Call::In { space: Some(other), act: SpaceCall::SetTitle { title: "x".into() } })
        .unwrap();
    world.run(20_000);
    assert_eq!(world.node(between).held_spaces().len(), 1, "nobody tells it to hold more");
    let refused = [
        post("a", "b"),
        Call::CreateSpace { title: String::new() },
        Call::Lock,
        Call::Forget,
        Call::Pin { key: other },
        Call::SignIn { secret: crate::node::sim::secret(1), device: "x".into(), remember: false },
    ];
    for call in refused {
        assert_eq!(world.call(between, call).unwrap_err().code, ErrorCode::BadInput);
    }
    assert_eq!(
        world.call(first, Call::Hold { space: key, quota: None }).unwrap_err().code,
        ErrorCode::BadInput
    );
    // A person's database is not taken over.
    world.kill(first);
    world.browsers[first].options.replica = true;
    let (backend, remembered) = world.copy(first);
    let files = Files::load(backend.snapshot()).unwrap();
    let options = world.browsers[first].options.clone();
    let entropy = Box::new(crate::testing::Seeded::new(1));
    let opened = Node::open(files, options, remembered.as_deref(), entropy, world.now);
    assert_eq!(opened.err().map(|error| error.code), Some(ErrorCode::BadInput));
}

#[test]
fn a_device_that_is_unlocked_beside_a_replica_is_kept_too() {
    let mut world = World::new(11);
    let (first, key) = sign_up(&mut world);
    let (_, pinned) = replica(&mut world, &[key], None);
    pin(&mut world, first, pinned);
    world.until("safe on one", |world| safe_on(world, first, 1));
    world.call(first, Call::Lock).unwrap();
    assert_eq!(world.node(first).safety(None), None);
    world.reload(first);
    assert_eq!(world.node(first).state(), State::Locked);
    world.until("there", |world| {
        world.node(first).promises.peers.values().any(|peer| peer.proven.contains(&pinned))
    });
    world.call(first, Call::Unlock { secret: crate::node::sim::secret(1) }).unwrap();
    world.call(first, post("posts/1", "hello")).unwrap();
    world.until("safe on one", |world| safe_on(world, first, 1));
}

#[test]
fn who_asks_before_the_replica_has_the_space_is_answered_when_it_has() {
    let mut world = World::new(12);
    let (first, key) = sign_up(&mut world);
    let (between, pinned) = replica(&mut world, &[], None);
    pin(&mut world, first, pinned);
    world.call(first, post("posts/1", "hello")).unwrap();
    world.call(between, Call::Hold { space: key, quota: None }).unwrap();
    let began = world.now;
    world.until("safe on one", |world| safe_on(world, first, 1));
    assert!(world.now - began < 30_000, "not only when it is asked again: {} ms", world.now - began);
}

#[test]
fn own_devices_count_too_and_removed_ones_do_not() {
    let mut world = World::new(9);
    let (first, key) = sign_up(&mut world);
    let second = world.browser(Some(key));
    world.until("found", |world| world.node(second).state() == State::Visitor);
    let_in(&mut world, first, second, true);
    world.call(first, post("posts/1", "hello")).unwrap();
    world.until("safe on the other", |world| {
        let safety = safety(world, first);
        (safety.devices, safety.others, safety.unreplicated) == (1, 1, 0)
    });
    let writer = world.node(second).own_writer().unwrap();
    world.call(first, of_home(SpaceCall::Cut { writer, secret: None, descendants: false })).unwrap();
    world.run(3_000);
    let safety = safety(&world, first);
    assert_eq!((safety.devices, safety.others), (0, 0));
    assert!(safety.unreplicated > 0);
}

#[test]
fn strangers_get_no_receipts() {
    let mut world = World::new(10);
    let (first, key) = sign_up(&mut world);
    let own = world.node(first).own_writer().unwrap();
    let (between, _) = replica(&mut world, &[key], None);
    let visitor = world.browser(Some(key));
    world.call(first, post("posts/1", "hello")).unwrap();
    world.until("read", |world| keys(world, visitor).len() == 1);
    world.until("held", |world| world.node(between).held_spaces()[0].bytes > 0);
    world.act(between, |node, _| {
        let links: Vec<LinkId> = node.peers().iter().map(|peer| peer.link.link).collect();
        for link in links {
            if node.promises.peers.get(&(link, key)).is_none_or(|peer| peer.proven.is_empty()) {
                let ask =
                    Message::AskReceipt { feed: own, length: 1, tree_hash: crate::crypto::Hash([0; 32]) };
                node.receipt_message(link, key, ask);
                assert!(node.promises.peers.get(&(link, key)).is_none_or(|peer| peer.wishes.is_empty()));
                let ask = Message::Challenge { id: 1, feed: own, nonce: [1; 32], blocks: vec![0] };
                node.receipt_message(link, key, ask);
                assert!(node.answer_challenges().is_empty());
            }
        }
    });
}

proptest! {
    #![proptest_config(crate::testing::cases(8))]

    /// Whatever admins do with pins, and in whatever order others hear of it: all agree, and a cut admin's later
    /// pins count nowhere.
    #[test]
    fn pins_settle_alike_and_those_past_a_cut_do_not_count(acts in prop::collection::vec((0..2_usize, 0..3_u8, any::<bool>()), 1..10), seed: u64) {
        let mut world = World::new(seed % 1000);
        let (first, key) = sign_up(&mut world);
        let second = world.browser(Some(key));
        world.until("found", |world| world.node(second).state() == State::Visitor);
        let_in(&mut world, first, second, true);
        let replica = |number: u8| Signer::from_seed(&[40 + number; 32]).public();
        for (by, number, pins) in &acts {
            let at = [first, second][*by];
            let act = match pins {
                true => SpaceCall::PinReplica { replica: replica(*number), label: format!("{by}") },
                false => SpaceCall::UnpinReplica { replica: replica(*number) },
            };
            world.call(at, of_home(act)).unwrap();
        }
        let pinned = |world: &World, at: usize| world.node(at).replicas(None).into_iter().map(|view| view.pin).collect::<Vec<_>>();
        world.until("alike", |world| pinned(world, first) == pinned(world, second));
        world.run(2_000);
        let before = pinned(&world, first);
        prop_assert_eq!(&before, &pinned(&world, second));
        // The second is cut, and goes on without having heard of it.
        world.part(first, second, true);
        let writer = world.node(second).own_writer().unwrap();
        world.call(first, of_home(SpaceCall::Cut { writer, secret: None, descendants: false })).unwrap();
        world.call(second, of_home(SpaceCall::PinReplica { replica: replica(9), label: String::new() })).unwrap();
        world.part(first, second, false);
        world.run(10_000);
        let visitor = world.browser(Some(key));
        world.until("read", |world| !world.node(visitor).writers(None).is_empty());
        world.run(5_000);
        prop_assert_eq!(&before, &pinned(&world, first));
        prop_assert_eq!(&before, &pinned(&world, visitor));
    }
}
