//! The flows, in a simulated world.

mod calls;
mod damage;
mod engine;
mod export;
mod lazy;
mod level;
mod lost;
mod rivals;
mod relaying;
mod sealing;
mod spaces;

use super::{
    sim::{World, keys, of_home, post, put, secret},
    *,
};
use crate::space::{Expect, WriteOp};

pub(super) fn sign_up(world: &mut World) -> (usize, crate::crypto::PublicKey) {
    let first = world.browser(None);
    world.until("looked up", |world| world.node(first).is_ready());
    assert_eq!(world.node(first).state(), State::Uninitialised);
    let call = Call::SignUp { secret: secret(1), device: "First".into(), remember: true, claim: None };
    let Ok(Reply::SignedUp { key, .. }) = world.call(first, call) else { panic!("not signed up") };
    assert_eq!(world.node(first).state(), State::Writer);
    (first, key)
}

pub(super) fn sign_in(world: &mut World, at: usize, remember: bool) -> Words {
    let call = Call::SignIn { secret: secret(1), device: "Second".into(), remember };
    let Ok(Reply::Words(words)) = world.call(at, call) else { panic!("no words") };
    words
}

pub(super) fn approve(world: &mut World, first: usize, words: Words) {
    world.until("request shown", |world| !world.node(first).requests().is_empty());
    let request = world.node(first).requests().remove(0);
    assert_eq!((request.words, request.device.as_str()), (words, "Second"));
    world.call(first, Call::Approve { request: request.id, words: Some(words.map(str::to_owned)) }).unwrap();
}

/// Another browser, in which the space can be read.
pub(super) fn reader(world: &mut World, key: crate::crypto::PublicKey) -> usize {
    let at = world.browser(Some(key));
    world.until("read", |world| !world.node(at).writers(None).is_empty());
    at
}

/// Signs in there, and lets it in from the first.
pub(super) fn let_in(world: &mut World, first: usize, at: usize, remember: bool) {
    let words = sign_in(world, at, remember);
    approve(world, first, words);
    world.until("let in", |world| world.node(at).state() == State::Writer);
}

/// The main job: sign up, post, be read, sign in elsewhere, be let in, post.
#[test]
fn a_second_device_is_let_in_and_both_write() {
    for seed in 0..8 {
        let mut world = World::new(seed);
        let (first, key) = sign_up(&mut world);
        for n in 0..25 {
            world.call(first, post(&format!("posts/{n:02}"), "hello")).unwrap();
        }
        world.call(first, put("secret", "mine", true)).unwrap();
        let second = world.browser(Some(key));
        let posts: Vec<String> = (0..25).map(|n| format!("posts/{n:02}")).collect();
        world.until("all posts, in order, none private", |world| keys(world, second) == posts);
        assert_eq!(world.node(second).state(), State::Visitor);
        let refused = world.call(second, post("posts/x", "no")).unwrap_err();
        assert_eq!(refused.code, ErrorCode::NotAuthorised);

        let words = sign_in(&mut world, second, false);
        assert_eq!(world.node(second).state(), State::Requesting);
        world.call(second, post("posts/draft", "written while waiting")).unwrap();
        world.reload(second);
        assert_eq!(world.node(second).state(), State::Requesting);
        assert!(keys(&world, second).contains(&"posts/draft".to_owned()));
        world.until("words again", |world| world.node(second).sign_in_words() == Some(words));
        approve(&mut world, first, words);
        world.until("let in", |world| world.node(second).state() == State::Writer);
        world.until("draft arrives", |world| keys(world, first).contains(&"posts/draft".to_owned()));
        world.until("private data opens", |world| keys(world, second).contains(&"secret".to_owned()));
        world.call(second, put("answer", "private too", true)).unwrap();
        world.until("private data comes back", |world| keys(world, first).contains(&"answer".to_owned()));
        let names: Vec<_> =
            world.node(second).writers(None).into_iter().filter_map(|writer| writer.device).collect();
        assert!(names.contains(&"First".to_owned()) && names.contains(&"Second".to_owned()), "{names:?}");

        // Not remembered: a reload locks, the passphrase unlocks.
        world.reload(second);
        assert_eq!(world.node(second).state(), State::Locked);
        assert!(!keys(&world, second).contains(&"secret".to_owned()));
        let wrong = world.call(second, Call::Unlock { secret: secret(2) }).unwrap_err();
        assert_eq!(wrong.code, ErrorCode::WrongPassphrase);
        world.call(second, Call::Unlock { secret: secret(1) }).unwrap();
        assert!(keys(&world, second).contains(&"secret".to_owned()));
        // Remembered: a reload changes nothing.
        world.reload(first);
        assert_eq!(world.node(first).state(), State::Writer);
        assert!(keys(&world, first).contains(&"answer".to_owned()));
    }
}

#[test]
fn a_lock_holds_whatever_the_browser_still_remembers() {
    let mut world = World::new(12);
    let (first, _) = sign_up(&mut world);
    let kept = world.browsers[first].remembered.clone();
    assert!(kept.is_some());
    world.call(first, Call::Lock).unwrap();
    assert_eq!((world.node(first).state(), &world.browsers[first].remembered), (State::Locked, &None));
    // Nothing says "locked" before it is stored.
    world.call(first, Call::Unlock { secret: secret(1) }).unwrap();
    world.browsers[first].slow_disk = true;
    let id = world.calls(first, vec![Call::Lock])[0];
    world.run(1000);
    assert!(world.node(first).state() == State::Writer && !world.browsers[first].replies.contains_key(&id));
    world.browsers[first].slow_disk = false;
    world.reload(first);
    assert_eq!(world.node(first).state(), State::Locked, "a device that is not remembered");
    world.call(first, Call::Unlock { secret: secret(1) }).unwrap();
    world.call(first, Call::Lock).unwrap();
    // The reload came before the browser had forgotten.
    world.browsers[first].remembered = kept;
    world.reload(first);
    assert_eq!(world.node(first).state(), State::Locked);
    world.call(first, Call::Unlock { secret: secret(1) }).unwrap();
    world.call(first, post("a", "b")).unwrap();
}

#[test]
fn every_lock_is_answered_also_when_the_disk_is_full() {
    let mut world = World::new(14);
    let (first, _) = sign_up(&mut world);
    let ids = world.calls(first, vec![Call::Lock, Call::Lock]);
    world.until("answers", |world| ids.iter().all(|id| world.browsers[first].replies.contains_key(id)));
    assert!(ids.iter().all(|id| world.browsers[first].replies[id].is_ok()));
    world.call(first, Call::Unlock { secret: secret(1) }).unwrap();
    world.browsers[first].slow_disk = true;
    let id = world.calls(first, vec![Call::Lock])[0];
    world.fail_disk(first);
    let code = world.browsers[first].replies[&id].as_ref().unwrap_err().code;
    assert_eq!((code, world.node(first).state()), (ErrorCode::Quota, State::Locked));
}

#[test]
fn whoever_has_a_full_disk_takes_in_nothing_that_would_pile_up() {
    let mut world = World::new(15);
    let (first, key) = sign_up(&mut world);
    let second = world.browser(Some(key));
    world.call(first, post("posts/a", "before")).unwrap();
    world.until("read", |world| keys(world, second).len() == 1);
    world.browsers[second].slow_disk = true;
    world.call(first, post("posts/b", "not stored there")).unwrap();
    world.until("on its way to the disk", |world| keys(world, second).len() == 2);
    world.fail_disk(second);
    world.call(first, post("posts/c", "later")).unwrap();
    world.run(5_000);
    assert_eq!(keys(&world, second).len(), 2);
    world.browsers[second].slow_disk = false;
    world.reload(second);
    world.until("all", |world| keys(world, second).len() == 3);
}

/// What is on its way to the disk lies in memory: while that is 16 MiB, no more is asked for.
#[test]
fn whoever_has_a_slow_disk_asks_for_no_more_than_it_takes() {
    let mut world = World::new(17);
    let (first, key) = sign_up(&mut world);
    let second = reader(&mut world, key);
    world.browsers[second].slow_disk = true;
    let text = "x".repeat(500_000);
    for n in 0..60 {
        world.call(first, post(&format!("posts/{n:02}"), &text)).unwrap();
    }
    world.run(10_000);
    let held = keys(&world, second).len();
    assert!((32..42).contains(&held), "{held} posts of 0.5 MB wait for a disk that stands still");
    // Nothing is taken for silence: nobody was asked.
    world.run(40_000);
    assert_eq!(keys(&world, second).len(), held);
    // Nor is more taken that comes unasked.
    world.call(first, post("posts/small", "x")).unwrap();
    world.run(1_000);
    assert_eq!(keys(&world, second).len(), held);
    world.browsers[second].slow_disk = false;
    world.until("all", |world| keys(world, second).len() == 61);
}

/// The answer of a call may come when storage has failed meanwhile.
#[test]
fn whoever_waits_for_more_than_the_disk_is_told_that_it_is_full() {
    let mut world = World::new(16);
    let (_, key) = sign_up(&mut world);
    let second = reader(&mut world, key);
    world.words_ms.insert(second, 5_000);
    world.browsers[second].slow_disk = true;
    let call = Call::SignIn { secret: secret(1), device: "Second".into(), remember: true };
    let id = world.calls(second, vec![call])[0];
    world.run(1_000);
    world.fail_disk(second);
    world.run(10_000);
    let result = world.browsers[second].replies.get(&id).expect("an answer");
    assert_eq!(result.as_ref().unwrap_err().code, ErrorCode::Quota);
}

#[test]
fn a_wrong_passphrase_is_found_out_offline() {
    let mut world = World::new(1);
    let (_, key) = sign_up(&mut world);
    let second = reader(&mut world, key);
    world.stop_hub();
    let call = Call::SignIn { secret: secret(9), device: "Second".into(), remember: false };
    assert_eq!(world.call(second, call).unwrap_err().code, ErrorCode::WrongPassphrase);
    assert_eq!(world.node(second).state(), State::Visitor);
}

#[test]
fn wrong_words_do_not_let_a_device_in() {
    let mut world = World::new(2);
    let (first, key) = sign_up(&mut world);
    let second = reader(&mut world, key);
    sign_in(&mut world, second, false);
    world.until("request shown", |world| !world.node(first).requests().is_empty());
    let request = world.node(first).requests().remove(0);
    let other = request.choices.iter().find(|choice| **choice != request.words).unwrap();
    let call = Call::Approve { request: request.id, words: Some(other.map(str::to_owned)) };
    assert_eq!(world.call(first, call).unwrap_err().code, ErrorCode::BadInput);
    world.call(first, Call::Deny { request: request.id, block: true }).unwrap();
    world.until("told", |world| world.node(second).state() == State::Visitor);
    assert!(world.browsers[second].events.contains(&Event::Denied));
    world.run(60_000);
    assert!(world.node(first).requests().is_empty());
}

#[test]
fn a_removed_device_is_told_and_reads_on() {
    let mut world = World::new(3);
    let (first, key) = sign_up(&mut world);
    let second = reader(&mut world, key);
    let_in(&mut world, first, second, true);
    let writer = world.node(second).own_writer().unwrap();
    let wrong = world
        .call(first, of_home(SpaceCall::Cut { writer, secret: Some(secret(2)), descendants: false }))
        .unwrap_err();
    assert_eq!(wrong.code, ErrorCode::WrongPassphrase);
    world
        .call(first, of_home(SpaceCall::Cut { writer, secret: Some(secret(1)), descendants: false }))
        .unwrap();
    world.until("told", |world| world.node(second).state() == State::Revoked);
    assert_eq!(world.call(second, post("x", "no")).unwrap_err().code, ErrorCode::Revoked);
    world.call(first, post("after", "public")).unwrap();
    world.call(first, put("after-private", "not for you", true)).unwrap();
    world.until("reads like a visitor", |world| keys(world, second).contains(&"after".to_owned()));
    assert!(!keys(&world, second).contains(&"after-private".to_owned()));
    world.reload(second);
    assert_eq!(world.node(second).state(), State::Revoked);
    // It knows the sign-in key, so whoever asks now may be it.
    sign_in(&mut world, second, false);
    world.until("request shown", |world| !world.node(first).requests().is_empty());
    assert!(world.node(first).requests()[0].suspect);
}

#[test]
fn who_signs_out_is_out_everywhere_at_once() {
    let mut world = World::new(13);
    let (first, key) = sign_up(&mut world);
    let second = reader(&mut world, key);
    let_in(&mut world, first, second, true);
    world.call(second, put("mine", "private", true)).unwrap();
    let writer = world.node(second).own_writer().unwrap();
    world.call(second, Call::Forget).unwrap();
    assert_eq!((world.node(second).state(), &world.browsers[second].remembered), (State::Visitor, &None));
    assert!(keys(&world, second).is_empty());
    let cut = |world: &World| {
        let writers = world.node(first).writers(None);
        writers.iter().any(|known| known.key == writer && known.state == crate::space::WriterStanding::Cut)
    };
    let start = world.now;
    world.until("told", cut);
    assert!(world.now - start < 5000, "over the connection that is there");
    assert_eq!(keys(&world, first), ["mine"], "what it wrote before stays");
}

#[test]
fn a_host_that_changes_its_mind_is_not_followed() {
    let mut world = World::new(4);
    let (_, key) = sign_up(&mut world);
    let second = reader(&mut world, key);
    let other = secret(7).root().public();
    world.browsers[second].lookup = Lookup::Found(format!("hypha://{other}"));
    world.now += 2 * 3600 * 1000;
    world.reload(second);
    world.until("noticed", |world| world.node(second).other_key() == Some(other));
    assert_eq!(world.node(second).home(), Some(key));
    let failed = |event: &Event| matches!(event, Event::Failed(error) if error.code == ErrorCode::Pinned);
    assert!(world.browsers[second].events.iter().any(failed));
    world.call(second, Call::Pin { key: other }).unwrap();
    assert_eq!(world.node(second).home(), Some(other));
}

#[test]
fn nothing_leaves_and_nothing_resolves_before_it_is_durable() {
    let mut world = World::new(5);
    let (first, key) = sign_up(&mut world);
    let second = world.browser(Some(key));
    world.call(first, post("one", "stored")).unwrap();
    world.until("read", |world| keys(world, second) == ["one"]);
    world.browsers[first].slow_disk = true;
    let id = world.calls(first, vec![post("two", "not stored")])[0];
    world.run(20_000);
    assert!(!world.browsers[first].replies.contains_key(&id));
    assert_eq!(keys(&world, second), ["one"]);
    // A crash now: the same key signs another history from the same length, and no peer ever saw the first.
    world.browsers[first].slow_disk = false;
    world.reload(first);
    assert_eq!(keys(&world, first), ["one"]);
    world.call(first, post("three", "stored")).unwrap();
    world.until("read", |world| keys(world, second) == ["one", "three"]);
}

#[test]
fn a_hub_that_dies_takes_nothing_with_it() {
    let mut world = World::new(6);
    let (first, key) = sign_up(&mut world);
    let second = world.browser(Some(key));
    world.until("connected", |world| world.node(second).writers(None).len() == 1);
    world.stop_hub();
    world.call(first, post("over the link", "that is there")).unwrap();
    world.until("read", |world| keys(world, second).len() == 1);
    world.reload(second);
    world.call(first, post("later", "when the hub is back")).unwrap();
    world.run(30_000);
    assert_eq!(keys(&world, second).len(), 1);
    world.hub_up = true;
    world.until("read", |world| keys(world, second).len() == 2);
}

#[test]
fn a_passphrase_that_has_a_space_does_not_begin_another() {
    let mut world = World::new(7);
    let (_, key) = sign_up(&mut world);
    // The host of this browser names nothing.
    let second = world.browser(None);
    world.until("looked up", |world| world.node(second).is_ready());
    let call = Call::SignUp { secret: secret(1), device: "Second".into(), remember: false, claim: None };
    assert_eq!(world.call(second, call).unwrap_err().code, ErrorCode::Conflict);
    assert_eq!((world.node(second).state(), world.node(second).home()), (State::Visitor, Some(key)));
}

#[test]
fn ten_thousand_entries_arrive_whole() {
    let mut world = World::new(8);
    let (first, key) = sign_up(&mut world);
    for batch in 0..10 {
        let calls = (0..1000).map(|n| post(&format!("{batch}/{n:04}"), &"x".repeat(100))).collect();
        let ids = world.calls(first, calls);
        world.until("stored", |world| ids.iter().all(|id| world.browsers[first].replies.contains_key(id)));
    }
    let before = world.browsers[first].sent;
    let second = world.browser(Some(key));
    world.until("all there", |world| {
        world.node(second).home().is_some() && world.node(second).clock(None) == world.node(first).clock(None)
    });
    assert_eq!(keys(&world, second).len(), 10_000);
    let sent = world.browsers[first].sent - before;
    println!("10,000 entries of 100 bytes: {sent} bytes sent");
    world.call(second, of_home(SpaceCall::Sync { timeout_ms: 10_000 })).unwrap();
}

#[test]
fn all_devices_lost_the_passphrase_begins_again() {
    let mut world = World::new(10);
    let (first, key) = sign_up(&mut world);
    world.call(first, put("old", "private", true)).unwrap();
    let visitor = world.browser(Some(key));
    world.until("a visitor has a copy", |world| {
        world.node(visitor).clock(None) == world.node(first).clock(None)
    });
    world.kill(first);
    let second = world.browser(Some(key));
    world.until("copied", |world| world.node(second).clock(None) == world.node(visitor).clock(None));
    let recover = |seed, cut_others| Call::Recover {
        secret: secret(seed),
        device: "Second".into(),
        remember: true,
        cut_others,
    };
    assert_eq!(world.call(second, recover(3, true)).unwrap_err().code, ErrorCode::WrongPassphrase);
    world.call(second, recover(1, true)).unwrap();
    assert_eq!(world.node(second).state(), State::Writer);
    assert_eq!(keys(&world, second), ["old"], "sealed to the root too");
    world.call(second, post("new", "public")).unwrap();
    world.until("the visitor sees it", |world| keys(world, visitor) == ["new"]);
    // The lost one turns up: it is told.
    world.start(first);
    world.until("told", |world| world.node(first).state() == State::Revoked);
    world.reload(second);
    assert_eq!(world.node(second).state(), State::Writer);
}

#[test]
fn another_passphrase_takes_the_place_of_the_old_one() {
    let mut world = World::new(11);
    let (first, key) = sign_up(&mut world);
    let second = reader(&mut world, key);
    let_in(&mut world, first, second, true);
    world.call(first, put("before", "private", true)).unwrap();
    let change = |old, new| Call::ChangePassphrase { old: secret(old), new: secret(new) };
    assert_eq!(world.call(first, change(5, 2)).unwrap_err().code, ErrorCode::WrongPassphrase);
    assert_eq!(world.call(first, change(1, 1)).unwrap_err().code, ErrorCode::BadInput);
    world.call(first, change(1, 2)).unwrap();
    assert_eq!((world.node(first).state(), world.node(first).home()), (State::Writer, Some(key)));
    world.call(first, put("after", "private", true)).unwrap();
    assert_eq!(keys(&world, first), ["after", "before"]);
    world.until("the other device is out", |world| world.node(second).state() == State::Revoked);
    let old = Call::SignIn { secret: secret(1), device: "Second".into(), remember: false };
    let error = world.call(second, old).unwrap_err();
    assert_eq!(error.code, ErrorCode::WrongPassphrase);
    assert!(error.message.contains("changed"), "{error}");
    let new = Call::SignIn { secret: secret(2), device: "Second".into(), remember: false };
    let Ok(Reply::Words(words)) = world.call(second, new) else { panic!("no words") };
    world.until("request shown", |world| !world.node(first).requests().is_empty());
    assert!(!world.node(first).requests()[0].suspect, "what was removed knows the old passphrase's key only");
    approve(&mut world, first, words);
    world.until("let in", |world| world.node(second).state() == State::Writer);
    world.until("reads all", |world| keys(world, second) == ["after", "before"]);
    world.reload(first);
    assert_eq!(world.node(first).state(), State::Writer);
    world.call(first, post("x", "y")).unwrap();
}

#[test]
fn writes_of_one_turn_are_as_if_one_after_another() {
    let mut world = World::new(9);
    let (first, _) = sign_up(&mut world);
    let put_if = |key: &str, expect| {
        let value = crate::codec::encode_value(&crate::codec::Value::Null).unwrap();
        of_home(SpaceCall::Write {
            ops: vec![WriteOp::Put { key: key.into(), value, private: false, expect }],
        })
    };
    let huge = post("huge", &"x".repeat(1 << 20));
    let delete =
        of_home(SpaceCall::Write { ops: vec![WriteOp::Delete { key: "a".into(), expect: Expect::Any }] });
    let before = world.node(first).clock(None);
    let ids = world.calls(
        first,
        vec![
            post("a", "1"),
            put_if("a", Expect::Absent),
            post("b", "2"),
            huge,
            put("c", "3", true),
            delete,
            put_if("a", Expect::Absent),
            of_home(SpaceCall::Write { ops: vec![] }),
        ],
    );
    world.until("answers", |world| ids.iter().all(|id| world.browsers[first].replies.contains_key(id)));
    let code = |at: usize| world.browsers[first].replies[&ids[at]].as_ref().err().map(|error| error.code);
    assert_eq!(code(1), Some(ErrorCode::Conflict));
    assert_eq!(code(3), Some(ErrorCode::TooLarge));
    assert_eq!(code(7), Some(ErrorCode::BadInput));
    assert!([0, 2, 4, 5, 6].into_iter().all(|at| code(at).is_none()));
    assert_eq!(keys(&world, first), ["a", "b", "c"]);
    let own = world.node(first).own_writer().unwrap();
    assert_eq!(world.node(first).clock(None)[&own] - before[&own], 5);
    world.reload(first);
    assert_eq!(keys(&world, first), ["a", "b", "c"]);
}

#[test]
fn a_peer_that_sends_random_bytes_loses_its_link_and_nobody_else_does() {
    for seed in 0..20 {
        let mut world = World::new(seed);
        let (first, key) = sign_up(&mut world);
        let (honest, hostile) = (world.browser(Some(key)), world.browser(Some(key)));
        for reader in [honest, hostile] {
            world.until("connected", |world| world.node(reader).writers(None).len() == 1);
        }
        world.babble(hostile, first, 1 + seed as usize * 700);
        world.run(200);
        world.call(first, post("still", "here")).unwrap();
        world.until("the honest one reads on", |world| keys(world, honest) == ["still"]);
        // The link to the babbler was closed, and is made anew later.
        world.until("everybody reads on", |world| keys(world, hostile) == ["still"]);
    }
}

#[test]
fn only_what_others_wrote_is_ever_stored_relaxed_and_only_if_asked() {
    for relaxed in [false, true] {
        let mut world = World::new(11);
        let (first, key) = sign_up(&mut world);
        let second = world.browser(Some(key));
        world.browsers[second].options.relaxed = relaxed;
        world.reload(second);
        let_in(&mut world, first, second, true);
        world.run(20_000);
        world.browsers[second].relaxed.clear();
        world.call(first, post("posts/1", "theirs")).unwrap();
        world.until("read", |world| keys(world, second).contains(&"posts/1".to_owned()));
        assert_eq!(world.browsers[second].relaxed.contains(&true), relaxed);
        world.browsers[second].relaxed.clear();
        world.call(second, post("posts/2", "mine")).unwrap();
        assert!(!world.browsers[second].relaxed.iter().take(1).any(|relaxed| *relaxed));
        assert!(!world.browsers[first].relaxed.contains(&true));
    }
}
