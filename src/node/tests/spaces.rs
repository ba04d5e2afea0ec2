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
    assert!(!world.stored_names(other).iter().any(|name| name.contains(&space.to_string())));
    // The home is not left.
    let home = world.node(first).home().unwrap();
    assert_eq!(world.call(first, within(home, SpaceCall::Leave)).unwrap_err().code, ErrorCode::BadInput);
    // What was put at home is still there.
    world.call(first, put("k", "v", false)).unwrap();
    assert_eq!(world.call(other, within(space, write("x", false))).unwrap_err().code, ErrorCode::BadInput);
}
