//! Messages, presence, heads and clocks.

use super::*;
use crate::node::{
    ErrorCode, SpaceCall,
    links::peer_message::{MAX_PAYLOAD, topic},
    links::presence::LIFE_MS,
    sim::of_home,
};

#[test]
fn messages_reach_whom_they_are_for() {
    let mut net = Net::new(3, 2);
    // The devices only know each other through a visitor.
    for at in [0, 1, 2, 4] {
        net.link(at, 3);
    }
    let key = |net: &Net, at: usize| net.nodes[at].key();
    net.send(0, "among us", None, None).unwrap();
    net.send(0, "for all", None, Some(false)).unwrap();
    net.send(0, "private", None, Some(true)).unwrap();
    let (to_device, to_visitor) = (key(&net, 1), key(&net, 4));
    net.send(0, "to one", Some(to_device), None).unwrap();
    net.send(0, "to a visitor", Some(to_visitor), None).unwrap();
    net.send(4, "from a visitor", None, None).unwrap();
    net.settle();
    assert_eq!(net.heard(1), ["among us", "for all", "private", "to one", "from a visitor"]);
    assert_eq!(net.heard(2), ["among us", "for all", "private", "from a visitor"]);
    assert_eq!(net.heard(3), ["for all", "from a visitor"]);
    assert_eq!(net.heard(4), ["for all", "to a visitor"]);
    assert_eq!(net.heard(0), ["from a visitor"]);
    let first = &net.nodes[1].heard[0];
    assert_eq!((first.from, first.writer, first.private), (key(&net, 0), true, true));
    let visitors = &net.nodes[0].heard[0];
    assert_eq!((visitors.from, visitors.writer, visitors.private), (key(&net, 4), false, false));
    assert_eq!(net.send(4, "x", None, Some(true)), Err(ErrorCode::NotAuthorised));
    assert_eq!(net.send(4, "x", Some(PublicKey([0; 32])), None), Err(ErrorCode::BadInput));
    let long = "x".repeat(MAX_PAYLOAD);
    assert_eq!(net.send(0, &long, None, None), Err(ErrorCode::TooLarge));
    let fits = "x".repeat(MAX_PAYLOAD - 3);
    net.send(0, &fits, Some(to_device), None).unwrap();
    net.settle();
    assert_eq!(net.heard(1).last(), Some(&fits));
}

#[test]
fn a_page_that_sends_without_end_is_slowed_down_and_bounded() {
    let mut net = Net::new(2, 0);
    net.link(0, 1);
    let taken = (0..1_000).filter(|n| net.send(0, &n.to_string(), None, None).is_ok()).count();
    assert_eq!(taken, MAX_WAITING);
    net.settle();
    assert_eq!(net.heard(1).len(), usize::try_from(SENDS_AT_ONCE).unwrap());
    assert_eq!(net.nodes[0].channel.deadline(), Some(net.now + 1_000 / u64::from(SENDS_PER_SECOND)));
    net.run(7_000);
    assert_eq!(net.heard(1), (0..MAX_WAITING).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(net.nodes[1].channel.refused(), Refused::default());
}

#[test]
fn somebody_with_an_invite_asks_with_the_key_that_is_to_be_let_in() {
    let mut net = Net::new(1, 2);
    net.link(0, 1);
    net.link(1, 2);
    net.nodes[2].secrets = Some(secrets(60));
    let admins = [net.nodes[0].key()];
    net.nodes[2].channel.send_join(b"invite", &admins).unwrap();
    net.settle();
    assert_eq!(net.nodes[0].joins, [(device(60).public(), b"invite".to_vec())]);
}

#[test]
fn presence_comes_stays_changes_and_goes() {
    let mut net = Net::new(2, 1);
    net.link(0, 2);
    net.link(2, 1);
    let (alice, bob, visitor) = (net.nodes[0].key(), net.nodes[1].key(), net.nodes[2].key());
    net.set(0, Some("writes"));
    net.set(1, Some("reads"));
    net.set(2, Some("looks"));
    assert_eq!(
        net.here(1),
        [(alice, "writes".into()), (visitor, "looks".into())].into_iter().collect::<Vec<_>>().sorted()
    );
    // Between devices it is private: a visitor passes it on and sees nothing.
    assert!(net.here(2).is_empty());
    assert!(net.nodes[1].channel.presence(net.now).iter().all(|one| one.writer == one.private));
    net.run(300_000);
    assert_eq!(net.here(0), [(bob, "reads".into()), (visitor, "looks".into())].to_vec().sorted());
    net.set(1, Some("laughs"));
    net.run(1_000);
    assert!(net.here(0).contains(&(bob, "laughs".into())));
    // Gone at once with a goodbye.
    let now = net.now;
    let (channel, party, entropy) = net.nodes[1].parts();
    channel.leave(&party, entropy, now);
    net.drain(1);
    net.settle();
    assert_eq!(net.here(0), [(visitor, "looks".into())]);
    // Gone after a while without one.
    net.cut_link(0, 2);
    net.nodes[0].told.clear();
    net.run(LIFE_MS - 25_000);
    assert!(!net.here(0).is_empty() && net.nodes[0].told.is_empty());
    net.run(25_000);
    assert!(net.here(0).is_empty() && net.nodes[0].told == ["presence"]);
    // Whoever comes is told at once.
    net.link(0, 2);
    net.settle();
    assert_eq!(net.here(0), [(visitor, "looks".into())]);
}

#[test]
fn a_visitor_that_is_let_in_is_not_here_twice() {
    let mut net = Net::new(1, 2);
    net.full_mesh();
    net.set(1, Some("me"));
    let before = net.nodes[1].key();
    assert_eq!(net.here(2), [(before, "me".into())]);
    let Node { files, space, entropy, .. } = &mut net.nodes[0];
    let grant = DeviceGrant { writer: device(50).public(), install_id: [5; 16], name: "new".into() };
    space.grant(files, START, entropy, &grant, Role::Admin).unwrap();
    net.level(0, 1);
    net.level(0, 2);
    let Node { files, space, secrets: own, .. } = &mut net.nodes[1];
    space.unlock(files, Keys { signer: device(50) }).unwrap();
    *own = Some(secrets(50));
    net.run(1_000);
    assert_eq!(net.nodes[1].key(), device(50).public());
    assert!(net.here(2).is_empty(), "a device among devices");
    assert_eq!(net.here(0), [(net.nodes[1].key(), "me".into())]);
}

#[test]
fn what_was_said_among_devices_is_not_said_to_everybody_by_one_that_was_removed() {
    let mut net = Net::new(2, 1);
    net.full_mesh();
    net.set(1, Some("at home"));
    assert_eq!(net.here(0), [(net.nodes[1].key(), "at home".into())]);
    let Node { files, space, entropy, .. } = &mut net.nodes[0];
    space.cut(files, START, entropy, device(2).public(), false).unwrap();
    net.level(0, 1);
    net.level(0, 2);
    let visits = net.nodes[1].key();
    assert_ne!(visits, device(2).public());
    net.run(2 * LIFE_MS);
    assert!(net.here(2).is_empty() && net.here(0).is_empty());
    // Nor does it say goodbye to people who never saw it.
    let sent = |net: &Net| net.log.iter().filter(|(from, ..)| *from == 1).count();
    let (before, now) = (sent(&net), net.now);
    let (channel, party, entropy) = net.nodes[1].parts();
    channel.leave(&party, entropy, now);
    net.drain(1);
    net.settle();
    assert_eq!(sent(&net), before);
    // What it says from then on it says as anybody, be it the same.
    net.set(1, Some("at home"));
    net.run(1_000);
    assert_eq!(net.here(2), [(visits, "at home".into())]);
    net.send(1, "and hello", None, None).unwrap();
    net.settle();
    assert_eq!(net.heard(2), ["and hello"]);
}

#[test]
fn a_device_whose_words_do_not_count_just_now_says_nothing_to_everybody_unless_it_is_asked_to() {
    let mut net = Net::new(2, 1);
    net.full_mesh();
    // As if whoever let it in had been cut before that: it is not told that it is out.
    let Node { files, space, entropy, .. } = &mut net.nodes[0];
    space.cut(files, START, entropy, device(2).public(), false).unwrap();
    net.level(0, 1);
    net.level(0, 2);
    net.nodes[1].device = true;
    net.set(1, Some("at home"));
    net.run(LIFE_MS);
    assert!(net.here(2).is_empty() && net.here(0).is_empty());
    for private in [None, Some(true)] {
        assert_eq!(net.send(1, "x", None, private), Err(ErrorCode::NotAuthorised));
    }
    net.nodes[1].secrets = None;
    assert_eq!(net.send(1, "x", None, None), Err(ErrorCode::Locked));
    net.send(1, "for all", None, Some(false)).unwrap();
    net.settle();
    assert_eq!(net.heard(2), ["for all"]);
    assert!(net.nodes.iter().all(|node| node.channel.refused() == Refused::default()));
}

#[test]
fn the_same_presence_is_said_to_whom_it_is_for_when_it_is_set_again() {
    let mut net = Net::new(2, 1);
    net.full_mesh();
    net.set(1, Some("here"));
    let Node { files, space, entropy, .. } = &mut net.nodes[0];
    space.cut(files, START, entropy, device(2).public(), false).unwrap();
    net.level(0, 1);
    net.run(30_000);
    assert!(net.here(2).is_empty());
    net.set(1, Some("here"));
    net.run(1_000);
    assert_eq!(net.here(2), [(net.nodes[1].key(), "here".into())]);
}

#[test]
fn while_devices_have_no_key_in_common_nothing_of_theirs_is_said_to_everybody() {
    // Two devices remove one each, at the same time: each makes a key that whom the other removed can open.
    let mut net = Net::new(4, 1);
    net.full_mesh();
    net.set(0, Some("at home"));
    net.send(1, "from before", None, None).unwrap();
    for (by, target) in [(0, 3), (1, 4)] {
        let Node { files, space, entropy, .. } = &mut net.nodes[by];
        space.cut(files, START, entropy, device(target).public(), false).unwrap();
    }
    net.level(0, 1);
    net.level(1, 0);
    net.level(0, 4);
    let fit = |net: &Net, at: usize| net.nodes[at].space.usable_epoch().is_some();
    assert!(!fit(&net, 0) && !fit(&net, 1));
    assert_eq!(net.send(0, "x", None, None), Err(ErrorCode::NotAuthorised));
    assert_eq!(net.send(0, "x", None, Some(true)), Err(ErrorCode::NotAuthorised));
    net.set(1, Some("here too"));
    net.run(LIFE_MS);
    assert!(net.here(4).is_empty() && net.heard(4).is_empty());
    assert!(net.heard(2).is_empty() && net.heard(3).is_empty(), "removed before it was said");
    net.send(0, "for all", None, Some(false)).unwrap();
    net.settle();
    assert_eq!(net.heard(4), ["for all"]);
    // One of them makes a key, without having anything to write.
    let Node { files, space, entropy, .. } = &mut net.nodes[0];
    assert!(space.maintain(files, START, entropy).unwrap());
    net.level(0, 1);
    assert!(fit(&net, 0) && fit(&net, 1));
    for at in [0, 1] {
        let Node { files, space, entropy, .. } = &mut net.nodes[at];
        assert!(!space.maintain(files, START, entropy).unwrap(), "once is enough");
    }
    net.send(0, "among us", None, None).unwrap();
    net.run(30_000);
    assert_eq!(net.heard(1), ["for all", "among us"]);
    assert_eq!(net.here(0), [(net.nodes[1].key(), "here too".into())]);
    assert_eq!(net.here(1), [(net.nodes[0].key(), "at home".into())]);
    assert!(net.here(4).is_empty() && net.here(2).is_empty() && net.here(3).is_empty());
}

#[test]
fn a_tail_that_a_relay_holds_back_shows() {
    // Two devices that only meet through a relay which passes messages on, but no entries.
    let mut net = Net::new(2, 1);
    net.link(0, 2);
    net.link(2, 1);
    net.settle();
    let lacking = |net: &Net| net.nodes[1].channel.is_lacking(&net.nodes[1].space);
    assert!(!lacking(&net));
    net.write(0, "held back");
    net.run(60_000);
    assert!(lacking(&net) && net.nodes[1].told.contains(&"heads"));
    let writer = device(1).public();
    let known = *net.nodes[1].channel.known_head(&writer).unwrap();
    assert_eq!(known.head.length, net.nodes[0].space.feed(&writer).unwrap().length());
    assert!(known.confirmed.is_some_and(|at| at > START && at <= net.now));
    assert!(net.nodes[2].channel.known_head(&writer).is_none(), "the relay cannot read it");
    // The entries come at last.
    net.level(0, 1);
    assert!(!lacking(&net));
    // Nothing new: said again only so that it is known to be the latest.
    let count = |net: &Net| net.log.iter().filter(|(from, ..)| *from == 0).count();
    let before = count(&net);
    net.run(240_000);
    assert!(count(&net) - before <= 1, "{}", count(&net) - before);
    net.run(120_000);
    let again = net.nodes[1].channel.known_head(&writer).unwrap();
    assert!(again.since == known.since && again.confirmed > known.confirmed);
}

#[test]
fn heads_of_others_are_believed_only_with_their_signature_and_two_histories_are_reported() {
    let mut net = Net::new(3, 0);
    net.full_mesh();
    net.settle();
    let writer = device(1);
    let length = net.nodes[1].space.feed(&writer.public()).unwrap().length();
    let tell = |net: &mut Net, head: crate::feed::SignedHead| {
        let mut out = crate::codec::Writer::versioned();
        out.count(1).raw(&writer.public().0);
        head.write(&mut out);
        let Node { channel, .. } = &mut net.nodes[2];
        channel.queue(topic::HEADS, out.finish(), Audience::Everybody).unwrap();
        net.settle();
    };
    use crate::feed::SignedHead;
    let longest =
        |net: &Net| net.nodes[1].channel.known_head(&writer.public()).map_or(0, |known| known.head.length);
    let before = longest(&net);
    tell(&mut net, SignedHead::sign(&device(3), length + 5, 0, Hash([1; 32])));
    tell(&mut net, SignedHead::sign(&writer, length + 5, 1, Hash([1; 32])));
    assert_eq!((longest(&net), net.nodes[1].told.contains(&"forked")), (before, false));
    tell(&mut net, SignedHead::sign(&writer, length + 5, 0, Hash([1; 32])));
    assert_eq!(longest(&net), length + 5);
    tell(&mut net, SignedHead::sign(&writer, length, 0, Hash([2; 32])));
    tell(&mut net, SignedHead::sign(&writer, length - 1, 0, Hash([2; 32])));
    assert_eq!(net.nodes[1].told.iter().filter(|told| **told == "forked").count(), 1, "reported once");
    // Who was removed holds nobody up any more.
    assert!(net.nodes[1].channel.is_lacking(&net.nodes[1].space));
    let Node { files, space, entropy, .. } = &mut net.nodes[1];
    space.cut(files, START, entropy, writer.public(), false).unwrap();
    assert!(!net.nodes[1].channel.is_lacking(&net.nodes[1].space));
}

#[test]
fn a_device_with_a_wrong_clock_is_understood() {
    for wrong in [-1_800_000, 1_800_000] {
        // It stands beside a device of the space: believed because that has proven who it is.
        let mut net = Net::new(1, 1);
        net.nodes[1].wrong = wrong;
        net.link(0, 1);
        net.sign_in(1, b"let me in");
        net.send(1, "hello", None, None).unwrap();
        net.send(0, "who are you", None, Some(false)).unwrap();
        net.settle();
        assert_eq!(
            (net.nodes[0].sign_ins.len(), net.heard(0), net.heard(1)),
            (1, vec!["hello".into()], vec!["who are you".into()])
        );
        // Or among visitors, of whom one lies.
        let mut net = Net::new(1, 5);
        net.nodes[1].wrong = wrong;
        net.nodes[2].wrong = -wrong * 3;
        for at in 2..6 {
            net.link(1, at);
            net.link(0, at);
        }
        net.sign_in(1, b"let me in");
        assert_eq!(net.nodes[0].sign_ins.len(), 1);
        // The device is not moved by the liar that is beside it.
        assert_eq!(net.nodes[0].channel.clocks.correction(), 0);
    }
}

#[test]
fn a_node_alone_says_nothing_and_asks_for_no_tick_that_does_nothing() {
    let mut net = Net::new(1, 0);
    net.set(0, Some("alone"));
    net.send(0, "nobody hears", None, None).unwrap();
    net.settle();
    for _ in 0..10 {
        let due = net.nodes[0].channel.deadline().unwrap();
        assert!(due > net.now, "busy at {due}");
        net.now = due;
        net.settle();
    }
    assert_eq!(net.carried, 0);
}

// ── Whole nodes ──

#[test]
fn pages_talk_see_each_other_and_notice_what_is_held_back() {
    let (mut world, first, second, _) = asked(35);
    world.call(first, of_home(SpaceCall::SetPresence { state: Some(cbor("first")) })).unwrap();
    world.call(second, of_home(SpaceCall::SetPresence { state: Some(cbor("waits")) })).unwrap();
    world.until("seen", |world| {
        world.node(first).presence(None).iter().any(|one| one.state == cbor("waits") && !one.writer)
    });
    let shown = world.node(first).requests().remove(0);
    world.call(first, Call::Approve { request: shown.id, words: None }).unwrap();
    world.until("let in", |world| world.node(second).state() == State::Writer);
    world.until("as a device", |world| {
        let here = world.node(first).presence(None);
        here.len() == 1
            && here[0].writer
            && here[0].private
            && Some(here[0].key) == world.node(second).own_writer()
    });
    let send = |private| of_home(SpaceCall::Send { data: cbor("psst"), to: None, private });
    world.call(second, send(Some(true))).unwrap();
    world.until("heard", |world| {
        world.browsers[first].events.iter().any(|event| matches!(event, crate::node::Event::Message { message, .. } if message.private && message.writer && message.data == cbor("psst")))
    });
    assert!(
        world.call(first, of_home(SpaceCall::Send { data: vec![0xff], to: None, private: None })).is_err()
    );
    world.call(second, post("x", "y")).unwrap();
    let writer = world.node(second).own_writer().unwrap();
    world.until("head", |world| {
        world.node(first).known_head(None, &writer).is_some_and(|known| known.confirmed.is_some())
    });
    world.call(first, of_home(SpaceCall::Sync { timeout_ms: 10_000 })).unwrap();
    // A lock is a goodbye, and who is locked says nothing to everybody that would be for devices.
    world.call(second, Call::Lock).unwrap();
    world.until("gone", |world| world.node(first).presence(None).is_empty());
    let visitor = world.browser(Some(world.node(first).home().unwrap()));
    world.until("a visitor", |world| world.node(visitor).writers(None).len() == 2);
    world.call(second, of_home(SpaceCall::SetPresence { state: Some(cbor("still here")) })).unwrap();
    assert_eq!(world.call(second, send(None)).unwrap_err().code, ErrorCode::Locked);
    assert_eq!(world.call(second, send(Some(true))).unwrap_err().code, ErrorCode::Locked);
    world.call(second, send(Some(false))).unwrap();
    world.until("heard by the visitor", |world| {
        let said = |event: &crate::node::Event| matches!(event, crate::node::Event::Message { message, .. } if !message.private);
        world.browsers[visitor].events.iter().any(said)
    });
    world.run(60_000);
    assert!(world.node(visitor).presence(None).is_empty() && world.node(first).presence(None).is_empty());
    world.call(second, Call::Unlock { secret: secret(1) }).unwrap();
    world.call(second, of_home(SpaceCall::SetPresence { state: Some(cbor("back")) })).unwrap();
    world.until("back", |world| !world.node(first).presence(None).is_empty());
    let now = world.now;
    world.browsers[second].node.as_mut().unwrap().say_goodbye(now);
    world.until("gone again", |world| world.node(first).presence(None).is_empty());
    assert_eq!(world.node(first).refused_messages(None), Refused::default());
}

#[test]
fn sync_fails_while_a_device_says_that_there_is_more_than_came() {
    let (mut world, first, second, _) = asked(36);
    let shown = world.node(first).requests().remove(0);
    world.call(first, Call::Approve { request: shown.id, words: None }).unwrap();
    world.until("let in", |world| world.node(second).state() == State::Writer);
    world.call(second, post("x", "y")).unwrap();
    let writer = world.node(second).own_writer().unwrap();
    let length = |world: &World, at: usize| {
        let writers = world.node(at).writers(None);
        writers.into_iter().find(|one| one.key == writer).map_or(0, |one| one.held)
    };
    world.until("same", |world| length(world, first) == length(world, second));
    world.call(first, of_home(SpaceCall::Sync { timeout_ms: 5_000 })).unwrap();
    // The second device signs one entry more, which the first hears of by a message only.
    let signer = world.node(second).secrets.as_ref().unwrap().keys(&world.node(first).home().unwrap()).signer;
    let head = crate::feed::SignedHead::sign(&signer, length(&world, first) + 1, 0, Hash([1; 32]));
    let mut out = crate::codec::Writer::versioned();
    out.count(1).raw(&writer.0);
    head.write(&mut out);
    let now = world.now;
    let node = world.browsers[first].node.as_mut().unwrap();
    let home = node.home().unwrap();
    let joined = node.spaces.get_mut(&home).unwrap();
    joined.channel.heads.heard(&joined.space, &node.files, &writer, out.as_slice(), now).unwrap();
    let failed = world.call(first, of_home(SpaceCall::Sync { timeout_ms: 5_000 })).unwrap_err();
    assert_eq!(failed.code, ErrorCode::Timeout);
}

trait Sorted {
    fn sorted(self) -> Self;
}

impl<T: Ord> Sorted for Vec<T> {
    fn sorted(mut self) -> Self {
        self.sort();
        self
    }
}
