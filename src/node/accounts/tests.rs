//! Accounts of whole nodes in a simulated world: answers to requests, recovery while waiting, secrets that go, signing out
//! without being able to write.

use super::{
    created::Reclaim,
    sign_in_message::{Answer, Verdict},
};
use crate::{
    crypto::PublicKey,
    node::{
        sim::{World, keys, of_home, post, put, secret},
        tests::{approve, let_in, reader, sign_in, sign_up},
        *,
    },
    space::WriterStanding,
};

/// Another browser that asked and was let in by `by`.
fn device(world: &mut World, by: usize, key: PublicKey) -> usize {
    let at = reader(world, key);
    let_in(world, by, at, true);
    at
}

/// How a writer stands for that browser.
fn standing(world: &World, at: usize, writer: PublicKey) -> Option<WriterStanding> {
    let writers = world.node(at).writers(None);
    writers.into_iter().find(|known| known.key == writer).map(|known| known.state)
}

fn cut(world: &mut World, by: usize, writer: PublicKey, root: bool) {
    let act = SpaceCall::Cut { writer, secret: root.then(|| secret(1)), descendants: false };
    world.call(by, of_home(act)).unwrap();
}

fn failed(world: &World, at: usize, code: ErrorCode) -> usize {
    let events = world.browsers[at].events.iter();
    events.filter(|event| matches!(event, Event::Failed(error) if error.code == code)).count()
}

/// Every device has heard the same.
fn level(world: &mut World, nodes: &[usize]) {
    world.until("level", |world| {
        nodes.iter().all(|at| world.node(*at).clock(None) == world.node(nodes[0]).clock(None))
    });
}

#[test]
fn a_removed_device_neither_denies_nor_clears_requests() {
    for root in [false, true] {
        for block in [false, true] {
            let mut world = World::new(200);
            let (first, key) = sign_up(&mut world);
            let thief = device(&mut world, first, key);
            level(&mut world, &[first, thief]);
            world.act(thief, |node, _| node.hostile_ignore_cut()).unwrap();
            let writer = world.node(thief).own_writer().unwrap();
            cut(&mut world, first, writer, root);
            let asker = reader(&mut world, key);
            world.until("the asker knows of the cut", |world| {
                standing(world, asker, writer) == standing(world, first, writer)
                    && standing(world, asker, writer) != Some(WriterStanding::Active)
            });
            let words = sign_in(&mut world, asker, false);
            for at in [first, thief] {
                world.until("request shown", |world| !world.node(at).requests().is_empty());
            }
            let request = world.node(thief).requests().remove(0).id;
            world.call(thief, Call::Deny { request, block }).unwrap();
            world.run(10_000);
            assert_eq!(world.node(asker).state(), State::Requesting);
            assert!(!world.browsers[asker].events.contains(&Event::Denied));
            assert!(!world.node(first).requests().is_empty(), "it is still the person's decision");
            approve(&mut world, first, words);
            world.until("let in", |world| world.node(asker).state() == State::Writer);
        }
    }
}

#[test]
fn who_hears_of_a_grant_that_never_came_does_not_deny() {
    let mut world = World::new(201);
    let (first, key) = sign_up(&mut world);
    let second = device(&mut world, first, key);
    level(&mut world, &[first, second]);
    let asker = reader(&mut world, key);
    let words = sign_in(&mut world, asker, false);
    for at in [first, second] {
        world.until("request shown", |world| !world.node(at).requests().is_empty());
    }
    let request = world.node(second).requests().remove(0);
    let admin = world.node(first).own_writer().unwrap();
    // The tab that approved was closed before anybody had the grant.
    world.kill(first);
    let answer = Answer {
        request: request.id,
        writer: request.writer,
        verdict: Verdict::Granted,
        time: world.now,
        admin,
    };
    world.act(second, |node, _| node.answered(&answer));
    assert!(world.node(second).requests().is_empty(), "somebody decided");
    world.run(180_000);
    assert_eq!(world.node(asker).state(), State::Requesting);
    assert!(!world.browsers[asker].events.contains(&Event::Denied));
    // Nothing came of it, so the person can decide here.
    approve(&mut world, second, words);
    world.until("let in", |world| world.node(asker).state() == State::Writer);
}

#[test]
fn what_was_written_while_waiting_survives_a_recovery() {
    for cut_others in [false, true] {
        let mut world = World::new(202);
        let (first, key) = sign_up(&mut world);
        world.call(first, post("old", "there")).unwrap();
        let second = reader(&mut world, key);
        world.until("read", |world| keys(world, second) == ["old"]);
        sign_in(&mut world, second, false);
        world.call(second, post("draft/public", "kept")).unwrap();
        world.call(second, put("draft/private", "kept", true)).unwrap();
        world.kill(first);
        let recover =
            Call::Recover { secret: secret(1), device: "Second".into(), remember: true, cut_others };
        world.call(second, recover).unwrap();
        let drafts = |world: &World| {
            let found = world.node(second).list(None, &crate::space::Range::default()).unwrap();
            found.iter().filter(|found| found.draft).count()
        };
        let all = ["draft/private", "draft/public", "old"];
        assert_eq!((keys(&world, second), drafts(&world)), (all.map(str::to_owned).to_vec(), 0));
        world.browsers[second].events.clear();
        world.reload(second);
        assert_eq!((keys(&world, second), drafts(&world)), (all.map(str::to_owned).to_vec(), 0));
        world.run(5000);
        let failed = |event: &&Event| matches!(event, Event::Failed(_));
        assert_eq!(world.browsers[second].events.iter().find(failed), None);
        let visitor = reader(&mut world, key);
        world.until("others read it", |world| keys(world, visitor) == ["draft/public", "old"]);
    }
}

/// A browser that came back by the passphrase to a home whose created space is nowhere to be had.
fn reclaiming(seed: u64) -> (World, usize) {
    let mut world = World::new(seed);
    let (first, key) = sign_up(&mut world);
    world.call(first, Call::CreateSpace { title: "Garden".into() }).unwrap();
    let second = reader(&mut world, key);
    level(&mut world, &[first, second]);
    world.kill(first);
    let recover =
        Call::Recover { secret: secret(1), device: "Second".into(), remember: true, cut_others: false };
    world.call(second, recover).unwrap();
    assert_eq!(world.node(second).reclaims.len(), 1);
    (world, second)
}

#[test]
fn secrets_of_created_spaces_go_with_the_keys() {
    let (mut world, second) = reclaiming(203);
    world.call(second, Call::Lock).unwrap();
    assert_eq!(world.node(second).reclaims.len(), 0, "locked");
    world.call(second, Call::Unlock { secret: secret(1) }).unwrap();
    assert_eq!(world.node(second).reclaims.len(), 1, "the passphrase opens them again");
    world.call(second, Call::Forget).unwrap();
    assert_eq!(world.node(second).reclaims.len(), 0, "signed out");
    let (mut world, second) = reclaiming(204);
    let own = world.node(second).own_writer().unwrap();
    cut(&mut world, second, own, true);
    world.until("removed", |world| world.node(second).state() == State::Revoked);
    assert_eq!(world.node(second).reclaims.len(), 0, "removed");
}

#[test]
fn secrets_of_created_spaces_expire_whatever_the_device_is_by_then() {
    let (mut world, second) = reclaiming(205);
    let waiting: Vec<Reclaim> = world.act(second, |node, _| core::mem::take(&mut node.reclaims));
    world.call(second, Call::Lock).unwrap();
    world.act(second, |node, _| node.reclaims = waiting);
    world.run(11 * 60_000);
    assert_eq!(world.node(second).reclaims.len(), 0);
    assert!(world.node(second).reclaims_deadline().is_none());
}

#[test]
fn a_device_that_cannot_write_signs_out_all_the_same() {
    let mut world = World::new(206);
    let (first, key) = sign_up(&mut world);
    let second = device(&mut world, first, key);
    level(&mut world, &[first, second]);
    // While the first one hears nothing, the second lets a third one in: the first one's cut comes before that.
    world.part(first, second, true);
    let writer = world.node(second).own_writer().unwrap();
    cut(&mut world, first, writer, false);
    let third = world.browser(Some(key));
    world.part(first, third, true);
    world.until("read", |world| !world.node(third).writers(None).is_empty());
    let_in(&mut world, second, third, true);
    cut(&mut world, first, writer, true);
    world.part(first, second, false);
    world.part(first, third, false);
    world.until("removed", |world| world.node(second).state() == State::Revoked);
    let third_key = world.node(third).own_writer().unwrap();
    world.until("nobody of standing let it in", |world| {
        standing(world, third, third_key) != Some(WriterStanding::Active)
    });
    assert_eq!(world.node(third).state(), State::Writer);
    assert!(world.browsers[third].remembered.is_some());
    world.browsers[third].events.clear();
    world.call(third, Call::Forget).unwrap();
    assert_eq!((world.node(third).state(), &world.browsers[third].remembered), (State::Visitor, &None));
    assert!(world.node(third).secrets.is_none());
    assert!(failed(&world, third, ErrorCode::NotAuthorised) > 0, "others may not know that it is out");
    world.reload(third);
    assert_eq!(world.node(third).state(), State::Visitor);
}

#[test]
fn who_signs_out_while_asking_answers_the_call_that_waits() {
    let mut world = World::new(207);
    let (_, key) = sign_up(&mut world);
    let second = reader(&mut world, key);
    let call = Call::SignIn { secret: secret(1), device: "Second".into(), remember: false };
    let asked = world.calls(second, vec![call])[0];
    world.call(second, Call::Forget).unwrap();
    world.until("answered", |world| world.browsers[second].replies.contains_key(&asked));
    assert_eq!(world.node(second).state(), State::Visitor);
}

#[test]
fn requests_made_with_the_old_passphrase_fall_with_it() {
    let mut world = World::new(208);
    let (first, key) = sign_up(&mut world);
    let asker = reader(&mut world, key);
    sign_in(&mut world, asker, false);
    world.until("request shown", |world| !world.node(first).requests().is_empty());
    let request = world.node(first).requests().remove(0).id;
    world.browsers[first].events.clear();
    let change = Call::ChangePassphrase { old: secret(1), new: secret(2) };
    world.call(first, change).unwrap();
    assert!(world.node(first).requests().is_empty());
    assert!(world.browsers[first].events.contains(&Event::Requests), "the page hears of it");
    let approve = Call::Approve { request, words: None };
    assert_eq!(world.call(first, approve).unwrap_err().code, ErrorCode::BadInput);
    // It goes on asking, and nobody hears it.
    world.run(180_000);
    assert!(world.node(first).requests().is_empty());
}

#[test]
fn who_asked_with_a_passphrase_that_was_changed_is_told_and_keeps_what_it_wrote() {
    for recover in [false, true] {
        let mut world = World::new(209);
        let (first, key) = sign_up(&mut world);
        let asker = reader(&mut world, key);
        sign_in(&mut world, asker, false);
        world.call(asker, post("draft", "kept")).unwrap();
        world.until("request shown", |world| !world.node(first).requests().is_empty());
        let change = Call::ChangePassphrase { old: secret(1), new: secret(2) };
        world.call(first, change).unwrap();
        world.until("told", |world| failed(world, asker, ErrorCode::WrongPassphrase) == 1);
        for _ in 0..2 {
            assert_eq!(world.node(asker).state(), State::Requesting);
            assert_eq!(world.node(asker).sign_in_words(), None);
            assert_eq!(keys(&world, asker), ["draft"]);
            let sent = world.browsers[asker].derived;
            world.run(120_000);
            assert_eq!(world.browsers[asker].derived, sent, "it asks no more");
            assert_eq!(failed(&world, asker, ErrorCode::WrongPassphrase), 1, "and says so once");
            world.reload(asker);
        }
        let ask = |seed| Call::SignIn { secret: secret(seed), device: "Second".into(), remember: false };
        assert_eq!(world.call(asker, ask(1)).unwrap_err().code, ErrorCode::WrongPassphrase);
        assert_eq!(keys(&world, asker), ["draft"]);
        if recover {
            let (secret, device) = (secret(2), "Second".to_owned());
            world.call(asker, Call::Recover { secret, device, remember: true, cut_others: false }).unwrap();
        } else {
            let Ok(Reply::Words(words)) = world.call(asker, ask(2)) else { panic!("no words") };
            world.reload(asker);
            assert_eq!(keys(&world, asker), ["draft"], "under the key of the new install");
            approve(&mut world, first, words);
        }
        world.until("let in", |world| world.node(asker).state() == State::Writer);
        world.until("the draft arrives", |world| keys(world, first) == ["draft"]);
    }
}
