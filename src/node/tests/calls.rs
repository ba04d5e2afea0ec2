//! A call that comes again, to a node that opens on the same storage, is done once.

use super::*;
use crate::{space::Item, storage::Files};

fn once(tab: u8, number: u64, again: bool, call: Call) -> Call {
    Call::Once { id: CallId { tab: [tab; 8], number }, again, call: Box::new(call) }
}

fn written(reply: &Result<Reply, NodeError>) -> Vec<Item> {
    let Ok(Reply::Found(found)) = reply else { panic!("{reply:?}") };
    found.iter().map(|found| found.item.clone()).collect()
}

fn length(world: &World, at: usize) -> u64 {
    let node = world.node(at);
    let own = node.own_writer().unwrap();
    node.writers(None).into_iter().find(|known| known.key == own).unwrap().length
}

fn batch(n: u64) -> Call {
    let put = |key: &str, private| match put(key, &format!("{n}"), private) {
        Call::In { act: SpaceCall::Write { ops }, .. } => ops,
        _ => panic!(),
    };
    let delete = WriteOp::Delete { key: "old".into(), expect: Expect::Any };
    // One key twice, and a private value over a public one: what was answered is not just what the entry lists.
    let ops =
        [put("same", false), put(&format!("secret/{n}"), true), vec![delete], put("same", true)].concat();
    of_home(SpaceCall::Write { ops })
}

#[test]
fn what_was_stored_is_answered_and_what_was_not_is_done() {
    for (seed, crash) in [(0, true), (1, false)] {
        let mut world = World::new(seed);
        let (at, _) = sign_up(&mut world);
        world.call(at, post("old", "one")).unwrap();
        let before = length(&world, at);
        // Many in one turn, of two tabs, with a read of the disk that never says "stored".
        world.browsers[at].slow_disk = crash;
        let call = |n: u64, again| once(1 + u8::from(n.is_multiple_of(3)), n, again, batch(n));
        let ids = world.calls(at, (0..40).map(|n| call(n, false)).collect());
        if !crash {
            world.until("answers", |world| ids.iter().all(|id| world.browsers[at].replies.contains_key(id)));
        }
        let first: Vec<_> = ids.iter().filter_map(|id| world.browsers[at].replies.remove(id)).collect();
        assert_eq!(first.len(), if crash { 0 } else { 40 });
        world.reload(at);
        world.browsers[at].slow_disk = false;
        assert_eq!(length(&world, at), if crash { before } else { before + 40 });

        let again: Vec<_> = (0..40).map(|n| world.call(at, call(n, true))).collect();
        assert_eq!(length(&world, at), before + 40);
        for (n, (first, again)) in first.iter().zip(&again).enumerate() {
            assert_eq!(written(first), written(again), "call {n}");
        }
        assert!(again.iter().all(|reply| written(reply).len() == 4));
        // A third time, and after a reload.
        world.reload(at);
        let third: Vec<_> = (0..40).map(|n| world.call(at, call(n, true))).collect();
        assert_eq!(length(&world, at), before + 40);
        assert!(third.iter().zip(&again).all(|(third, again)| written(third) == written(again)));
        // The same numbers of another tab are other calls.
        world.call(at, once(9, 0, true, batch(0))).unwrap();
        assert_eq!(length(&world, at), before + 41);
    }
}

#[test]
fn the_last_calls_are_kept_however_many_there_were() {
    let mut world = World::new(2);
    let (at, _) = sign_up(&mut world);
    // Every other number, so that no two share a slot.
    let call = |n: u64, again| once(3, n * 2, again, post(&format!("{n:04}"), "text"));
    for start in (0..2500).step_by(100) {
        let ids = world.calls(at, (start..start + 100).map(|n| call(n, false)).collect());
        world.until("answers", |world| ids.iter().all(|id| world.browsers[at].replies.contains_key(id)));
    }
    world.reload(at);
    let before = length(&world, at);
    for n in 1600..2500 {
        world.call(at, call(n, true)).unwrap();
    }
    assert_eq!(length(&world, at), before);
    world.call(at, call(0, true)).unwrap();
    assert_eq!(length(&world, at), before + 1, "too old to be known: nobody asks after so many others");
    let mut files = Files::load(world.copy(at).0.snapshot()).unwrap();
    let file = files.file("node/calls");
    assert_eq!(files.len(file), 1024 * 128);
}

#[test]
fn other_calls_than_writes_are_done_once_too() {
    let mut world = World::new(3);
    let (at, _) = sign_up(&mut world);
    let create = |again| once(4, 1, again, Call::CreateSpace { title: "Other".into() });
    let Ok(Reply::Space(key)) = world.call(at, create(false)) else { panic!() };
    let change = |again| once(4, 2, again, Call::ChangePassphrase { old: secret(1), new: secret(2) });
    world.call(at, change(false)).unwrap();
    world.reload(at);
    assert!(matches!(world.call(at, create(true)), Ok(Reply::Space(again)) if again == key));
    assert!(matches!(world.call(at, change(true)), Ok(Reply::Done)), "the old passphrase is wrong by now");
    assert_eq!(world.node(at).spaces().len(), 2);
    // What failed was not done, and may go another way the next time.
    let wrong = once(4, 3, false, Call::ChangePassphrase { old: secret(7), new: secret(8) });
    assert!(world.call(at, wrong).is_err());
    world.call(at, once(4, 3, true, post("after", "text"))).unwrap();
}

#[test]
fn a_damaged_ring_is_begun_anew() {
    let mut world = World::new(4);
    let (at, _) = sign_up(&mut world);
    world.call(at, once(5, 1, false, post("a", "text"))).unwrap();
    let mut files = Files::load(world.copy(at).0.snapshot()).unwrap();
    let file = files.file("node/calls");
    files.write(file, 20, &[0xff]).unwrap();
    let calls = crate::node::calls::Calls::load(&mut files).unwrap();
    assert_eq!(calls.find(&CallId { tab: [5; 8], number: 1 }), None);
}

/// An admin may be faster than Argon2id is on the device that asks; its call is answered all the same.
#[test]
fn who_is_let_in_before_its_words_are_there_is_answered() {
    let mut world = World::new(77);
    let (first, key) = sign_up(&mut world);
    let second = world.browser(Some(key));
    world.words_ms.insert(second, 60_000);
    world.until("met", |world| world.node(second).peers().iter().any(|peer| peer.level == Some(true)));
    let call = Call::SignIn { secret: secret(1), device: "Second".into(), remember: true };
    let id = world.calls(second, vec![call])[0];
    world.until("request shown", |world| !world.node(first).requests().is_empty());
    assert_eq!(world.node(second).sign_in_words(), None, "they take longer");
    let request = world.node(first).requests().remove(0);
    world.call(first, Call::Approve { request: request.id, words: None }).unwrap();
    world.until("let in", |world| world.node(second).state() == State::Writer);
    world.until("answered", |world| world.browsers[second].replies.contains_key(&id));
    assert!(matches!(world.browsers[second].replies[&id], Ok(Reply::Done)));
}

/// Whoever waited for a write hears of it before its bytes are folded into pages, which is asked for in a turn of its own;
/// a node that is closed folds at once.
#[test]
fn answers_do_not_wait_for_pages() {
    let mut world = World::new(4);
    let (at, _) = sign_up(&mut world);
    let outputs = |node: &mut Node| core::iter::from_fn(|| node.poll()).collect::<Vec<_>>();
    let write = |node: &mut Node, now: u64, id: u32| {
        let text = "long ".repeat(150_000);
        for (id, key) in [(id, "one"), (id + 1, "other")] {
            node.handle(now, Input::Call { id, call: post(key, &text) });
        }
        let seq = outputs(node).iter().find_map(|output| match output {
            Output::Commit(batch) => Some(batch.seq),
            _ => None,
        });
        node.handle(now, Input::Committed { seq: seq.unwrap() });
    };
    let is_pages = |output: &Output| matches!(output, Output::Compact(_));
    world.act(at, |node, now| {
        write(node, now, 901);
        let told = outputs(node);
        let replies =
            told.iter().filter(|output| matches!(output, Output::Reply { result: Ok(_), .. })).count();
        assert_eq!((replies, told.iter().any(is_pages)), (2, false));
        assert!(node.deadline().is_some_and(|due| due <= now));
        node.handle(now, Input::Tick);
        assert!(outputs(node).iter().any(is_pages));
        assert!(node.deadline().is_none_or(|due| due > now));

        write(node, now, 903);
        node.say_goodbye(now);
        assert!(outputs(node).iter().any(is_pages));
    });
}
