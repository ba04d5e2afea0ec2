//! Spaces beside the home: made, joined by invite, followed by a person's other devices, left.

use super::{
    super::{
        sim::{World, put},
        *,
    },
    approve, sign_in, sign_up,
};
use crate::{
    crypto::PublicKey,
    space::{Expect, InviteLink, Role, WriteOp, WriterStanding},
};

fn within(space: PublicKey, act: SpaceCall) -> Call {
    Call::In { space: Some(space), act }
}

fn write(key: &str, private: bool) -> SpaceCall {
    let value = crate::codec::encode_value(&crate::codec::Value::Text("hello".into())).unwrap();
    SpaceCall::Write { ops: vec![WriteOp::Put { key: key.into(), value, private, expect: Expect::Any }] }
}

fn has(world: &World, at: usize, space: PublicKey, key: &str) -> bool {
    world.node(at).get(Some(space), key).is_ok_and(|found| found.is_some())
}

fn writable(world: &World, at: usize, space: PublicKey) -> bool {
    world.node(at).spaces().iter().any(|view| view.space.key() == space && view.writable)
}

fn create(world: &mut World, at: usize) -> PublicKey {
    let call = Call::CreateSpace { title: "Garden".into() };
    let Ok(Reply::Space(key)) = world.call(at, call) else { panic!("no space") };
    key
}

fn invite(world: &mut World, at: usize, space: PublicKey, role: Role, uses: u64) -> InviteLink {
    let call = within(space, SpaceCall::Invite { role, uses, expires: 0 });
    let Ok(Reply::Invite(text)) = world.call(at, call) else { panic!("no invite") };
    InviteLink::parse(&text).unwrap()
}

fn join(world: &mut World, at: usize, link: &InviteLink) {
    let again = InviteLink::parse(&link.to_text()).unwrap();
    world.call(at, Call::Join { space: link.space(), invite: Some(again) }).unwrap();
}

/// Another person, with a space of their own in the same domain.
fn other_person(world: &mut World, seed: u8) -> usize {
    let at = world.browser(None);
    world.until("looked up", |world| world.node(at).is_ready());
    let secret = super::super::sim::secret(seed);
    let call = Call::SignUp { secret, device: "Other".into(), remember: true, claim: None };
    world.call(at, call).unwrap();
    at
}

#[test]
fn another_person_joins_by_an_invite_and_both_write() {
    for seed in 0..4 {
        let mut world = World::new(seed);
        let (first, home) = sign_up(&mut world);
        let space = create(&mut world, first);
        world.call(first, within(space, write("first", false))).unwrap();
        world.call(first, within(space, write("inside", true))).unwrap();
        let link = invite(&mut world, first, space, Role::Writer, 1);
        let other = other_person(&mut world, 7);
        join(&mut world, other, &link);
        world.until("the join is under way", |world| has(world, other, space, "first"));
        world.reload(other);
        world.until("let in", |world| writable(world, other, space));
        world.call(other, within(space, write("second", false))).unwrap();
        world.until("read by both", |world| {
            has(world, first, space, "second") && has(world, other, space, "inside")
        });
        let title = |world: &World, at: usize| {
            world.node(at).spaces().into_iter().find(|view| view.space.key() == space).unwrap().title
        };
        assert_eq!(title(&world, other).as_deref(), Some("Garden"));
        // A home is still only its person's.
        assert!(world.node(other).spaces().iter().all(|view| view.space.key() != home));

        // The invite was for one.
        let third = other_person(&mut world, 8);
        join(&mut world, third, &link);
        world.until("reads", |world| has(world, third, space, "second"));
        world.run(60_000);
        assert!(!writable(&world, third, space), "an invite for one lets in one");
        // A member that is no admin invites nobody, and removes nobody else.
        let refused = world
            .call(other, within(space, SpaceCall::Invite { role: Role::Writer, uses: 1, expires: 0 }))
            .unwrap_err();
        assert_eq!(refused.code, ErrorCode::NotAuthorised);
        let writer = world.node(first).spaces()[1].space.writer().unwrap();
        let refused = world
            .call(other, within(space, SpaceCall::Cut { writer, secret: None, descendants: false }))
            .unwrap_err();
        assert_eq!(refused.code, ErrorCode::NotAuthorised);
    }
}

#[test]
fn a_persons_other_devices_follow_into_a_space_and_out_of_it() {
    for seed in 0..4 {
        let mut world = World::new(seed);
        let (first, key) = sign_up(&mut world);
        let space = create(&mut world, first);
        let second = world.browser(Some(key));
        world.until("home is here", |world| world.node(second).home() == Some(key));
        let words = sign_in(&mut world, second, true);
        approve(&mut world, first, words);
        world.until("let in at home", |world| world.node(second).state() == State::Writer);
        world.until("let into the space", |world| writable(world, second, space));
        world.call(second, within(space, write("from the second", true))).unwrap();
        world.until("read", |world| has(world, first, space, "from the second"));
        // One person, whatever the device.
        let persons = |world: &World| {
            let mut persons: Vec<_> = world
                .node(first)
                .writers(Some(space))
                .into_iter()
                .flat_map(|writer| writer.persons)
                .collect();
            persons.dedup();
            persons.len()
        };
        assert_eq!(persons(&world), 1);

        // Removed at home, it is out of the space, too.
        let writer = world.node(second).own_writer().unwrap();
        let there = world.node(second).spaces()[1].space.writer().unwrap();
        let cut = SpaceCall::Cut { writer, secret: None, descendants: false };
        world.call(first, Call::In { space: None, act: cut }).unwrap();
        world.until("out of the space", |world| {
            let writers = world.node(first).writers(Some(space));
            writers.iter().any(|writer| writer.key == there && writer.state == WriterStanding::Cut)
        });
        world.until("removed", |world| world.node(second).state() == State::Revoked);
        let refused = world.call(second, within(space, write("no", false))).unwrap_err();
        assert_eq!(refused.code, ErrorCode::Revoked);
    }
}

#[test]
fn who_leaves_is_out_and_keeps_nothing() {
    let mut world = World::new(3);
    let (first, _) = sign_up(&mut world);
    let space = create(&mut world, first);
    let link = invite(&mut world, first, space, Role::Writer, 0);
    let other = other_person(&mut world, 7);
    join(&mut world, other, &link);
    world.until("let in", |world| writable(world, other, space));
    let there = world.node(other).spaces()[1].space.writer().unwrap();
    world.call(other, within(space, SpaceCall::Leave)).unwrap();
    assert_eq!(world.node(other).spaces().len(), 1);
    world.until("the others know", |world| {
        let writers = world.node(first).writers(Some(space));
        writers.iter().any(|writer| writer.key == there && writer.state == WriterStanding::Cut)
    });
    world.run(30_000);
    world.reload(other);
    assert_eq!(world.node(other).spaces().len(), 1);
    // But for the names of its own feeds, which it must never begin anew.
    let left = world.stored_names(other).into_iter().filter(|name| name.contains(&space.to_string()));
    assert_eq!(left.collect::<Vec<_>>(), [format!("space/{space}/feeds")]);
    // Coming back, with another key: the first one took itself out.
    join(&mut world, other, &link);
    world.until("let in again", |world| writable(world, other, space));
    let again = world.node(other).spaces()[1].space.writer().unwrap();
    assert_ne!(again, there);
    world.call(other, within(space, write("back", false))).unwrap();
    world.until("read", |world| has(world, first, space, "back"));
    world.reload(other);
    world.call(other, within(space, write("and again", false))).unwrap();
    world.until("read", |world| has(world, first, space, "and again"));
    world.call(other, within(space, SpaceCall::Leave)).unwrap();
    world.run(30_000);
    // The home is not left.
    let home = world.node(first).home().unwrap();
    assert_eq!(world.call(first, within(home, SpaceCall::Leave)).unwrap_err().code, ErrorCode::BadInput);
    // What was put at home is still there.
    world.call(first, put("k", "v", false)).unwrap();
    assert_eq!(world.call(other, within(space, write("x", false))).unwrap_err().code, ErrorCode::BadInput);
}

/// A space whose creator invited another person, that is in; one of the two has just left, and goes when the other
/// has heard: who left, who stays, the space, the invite.
fn leaving(seed: u64, creator: bool) -> (World, usize, usize, PublicKey, InviteLink) {
    let mut world = World::new(seed);
    let (first, _) = sign_up(&mut world);
    let space = create(&mut world, first);
    let link = invite(&mut world, first, space, Role::Admin, 0);
    let other = other_person(&mut world, 7);
    join(&mut world, other, &link);
    world.until("let in", |world| writable(world, other, space));
    world.run(5000);
    let (leaver, stays) = if creator { (first, other) } else { (other, first) };
    world.call(leaver, within(space, SpaceCall::Leave)).unwrap();
    world.until("it is to go soon", |world| world.node(leaver).memberships_deadline().is_some());
    (world, leaver, stays, space, link)
}

#[test]
fn who_comes_back_by_the_link_before_it_has_left_comes_to_rest() {
    // Only who asked to be let in once has a pause between two sendings.
    for creator in [false, true] {
        let (mut world, leaver, stays, space, _) = leaving(4, creator);
        world.call(leaver, Call::Join { space, invite: None }).unwrap();
        for _ in 0..2000 {
            world.run(10);
            // It asks for nothing and leaves nothing, so there is nothing to wait for.
            assert_eq!(world.node(leaver).memberships_deadline(), None, "at {}", world.now);
        }
        world.call(stays, within(space, write("news", false))).unwrap();
        world.until("it reads on", |world| has(world, leaver, space, "news"));
        world.reload(leaver);
        assert!(has(&world, leaver, space, "news"), "it was not dropped");
    }
}

#[test]
fn who_comes_back_by_an_invite_before_it_has_left_writes_with_another_key() {
    let (mut world, other, first, space, link) = leaving(5, false);
    let left = world.node(other).spaces.get(&space).unwrap().space.writer();
    join(&mut world, other, &link);
    world.until("let in again", |world| writable(world, other, space));
    let again = world.node(other).spaces()[1].space.writer();
    assert_ne!(again, left);
    world.call(other, within(space, write("back", true))).unwrap();
    world.until("read", |world| has(world, first, space, "back"));
    world.run(30_000);
    world.reload(other);
    world.call(other, within(space, write("and again", false))).unwrap();
    world.until("read", |world| has(world, first, space, "and again"));
}

#[test]
fn a_new_passphrase_takes_this_persons_old_devices_out_of_every_space() {
    for seed in 0..4 {
        let mut world = World::new(seed);
        let (first, key) = sign_up(&mut world);
        let made = create(&mut world, first);
        let other = other_person(&mut world, 7);
        let theirs = create(&mut world, other);
        let link = invite(&mut world, other, theirs, Role::Writer, 1);
        join(&mut world, first, &link);
        let guest = invite(&mut world, first, made, Role::Writer, 1);
        join(&mut world, other, &guest);
        let second = world.browser(Some(key));
        world.until("home is here", |world| world.node(second).home() == Some(key));
        let words = sign_in(&mut world, second, true);
        approve(&mut world, first, words);
        for space in [made, theirs] {
            for at in [first, second, other] {
                world.until("all are in", |world| writable(world, at, space));
            }
        }
        let old: Vec<PublicKey> = [first, second]
            .iter()
            .flat_map(|at| {
                world
                    .node(*at)
                    .spaces()
                    .iter()
                    .skip(1)
                    .filter_map(|view| view.space.writer())
                    .collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(old.len(), 4);
        let change =
            Call::ChangePassphrase { old: super::super::sim::secret(1), new: super::super::sim::secret(2) };
        world.call(first, change).unwrap();
        world.until("the second is out", |world| world.node(second).state() == State::Revoked);
        for space in [made, theirs] {
            world.call(first, within(space, write("after", true))).unwrap();
            world.until("read by the other person", |world| has(world, other, space, "after"));
            let writers = world.node(other).writers(Some(space));
            let gone = |key: &PublicKey| {
                let mine = writers.iter().find(|writer| writer.key == *key);
                mine.is_none_or(|mine| mine.state != WriterStanding::Active)
            };
            assert!(old.iter().all(gone), "every old key is out");
            assert!(writable(&world, other, space), "others stay");
            assert!(!has(&world, second, space, "after"), "what is private now the old device cannot open");
            world.call(other, within(space, write("still", false))).unwrap();
        }
        // Back with the new passphrase, and into the spaces by itself.
        let call =
            Call::SignIn { secret: super::super::sim::secret(2), device: "Second".into(), remember: true };
        let Ok(Reply::Words(words)) = world.call(second, call) else { panic!("no words") };
        approve(&mut world, first, words);
        for space in [made, theirs] {
            world.until("back", |world| writable(world, second, space));
        }
    }
}

#[test]
fn the_passphrase_alone_comes_back_to_created_spaces_too() {
    for (seed, cut_others) in [(0, false), (1, true)] {
        let mut world = World::new(seed);
        let (first, key) = sign_up(&mut world);
        let made = create(&mut world, first);
        world.call(first, within(made, write("kept", true))).unwrap();
        let guest = invite(&mut world, first, made, Role::Writer, 1);
        let other = other_person(&mut world, 7);
        join(&mut world, other, &guest);
        world.until("in", |world| writable(world, other, made) && has(world, other, made, "kept"));
        // A visitor has a copy of the home; the device is lost.
        let visitor = world.browser(Some(key));
        world.until("copied", |world| world.node(visitor).clock(None) == world.node(first).clock(None));
        let lost = world.node(first).spaces()[1].space.writer().unwrap();
        world.kill(first);
        let fresh = world.browser(Some(key));
        world.until("copied", |world| world.node(visitor).clock(None) == world.node(fresh).clock(None));
        let secret = super::super::sim::secret(1);
        let recover = Call::Recover { secret, device: "Third".into(), remember: true, cut_others };
        world.call(fresh, recover).unwrap();
        world.until("back in the created space", |world| writable(world, fresh, made));
        world.until("private data opens", |world| has(world, fresh, made, "kept"));
        world.call(fresh, within(made, write("again", true))).unwrap();
        world.until("read", |world| has(world, other, made, "again"));
        let writers = world.node(other).writers(Some(made));
        let state = writers.iter().find(|writer| writer.key == lost).unwrap().state;
        assert_eq!(state == WriterStanding::Active, !cut_others);
    }
}
