//! Two devices change the passphrase while they cannot hear of each other.

use super::{
    super::{
        sim::{World, keys, post, secret},
        *,
    },
    approve, let_in, sign_up,
};

fn told(world: &World, at: usize) -> usize {
    let pinned = |event: &&Event| matches!(event, Event::Failed(error) if error.code == ErrorCode::Pinned);
    world.browsers[at].events.iter().filter(pinned).count()
}

/// Two devices of one person, each with another new passphrase (2 and 3), and a visitor that heard of both changes at once,
/// from one that follows what it saw first.
fn rivals(seed: u64) -> (World, [usize; 2], usize) {
    let mut world = World::new(seed);
    let (first, key) = sign_up(&mut world);
    let (second, visitor) = (world.browser(Some(key)), world.browser(Some(key)));
    world.until("read", |world| [second, visitor].iter().all(|at| world.node(*at).writers(None).len() == 1));
    let_in(&mut world, first, second, true);
    world.call(first, post("before", "1")).unwrap();
    world.until("read", |world| keys(world, visitor) == ["before"] && keys(world, second) == ["before"]);
    for (one, other) in [(first, second), (first, visitor), (second, visitor)] {
        world.part(one, other, true);
    }
    for (device, new) in [(first, 2), (second, 3)] {
        let change = Call::ChangePassphrase { old: secret(1), new: secret(new) };
        world.call(device, change).unwrap();
        assert_eq!((told(&world, device), world.node(device).rivals().len()), (0, 0));
    }
    world.part(first, visitor, false);
    let follows = |world: &World| {
        let home = world.node(visitor).spaces.home().unwrap();
        home.root() == secret(2).root().public() && !home.is_unpinned()
    };
    world.until("the first one it saw is pinned", follows);
    world.part(second, visitor, false);
    let records = |world: &World, at: usize| -> Vec<Vec<u8>> {
        world.node(at).spaces.home().unwrap().records().map(<[u8]>::to_vec).collect()
    };
    world.until("it has both", |world| {
        let theirs = [first, second].map(|device| records(world, device));
        theirs.iter().flatten().all(|record| records(world, visitor).contains(record))
    });
    assert_eq!(
        (told(&world, visitor), world.node(visitor).rivals().len()),
        (0, 0),
        "the first one it saw is pinned"
    );
    world.part(first, second, true);
    for device in [first, second] {
        world.kill(device);
    }
    let newcomer = world.browser(Some(key));
    world.until("both are seen", |world| world.node(newcomer).rivals().len() == 2);
    for device in [first, second] {
        world.start(device);
        world.part(device, newcomer, false);
    }
    (world, [first, second], newcomer)
}

#[test]
fn who_has_pinned_neither_is_told_once_and_chooses_by_name() {
    let (mut world, devices, visitor) = rivals(31);
    world.run(20_000);
    assert_eq!(told(&world, visitor), 1);
    let nobody = secret(9).root().public();
    let error = world.call(visitor, Call::ChooseRoot { root: nobody }).unwrap_err();
    assert_eq!(error.code, ErrorCode::BadInput);
    let chosen = secret(3).root().public();
    assert!(world.node(visitor).rivals().contains(&chosen));
    world.call(visitor, Call::ChooseRoot { root: chosen }).unwrap();
    assert_eq!(world.node(visitor).rivals(), []);
    // Whose successor it is writes on for this visitor; the other one's writes do not count here.
    for (device, key) in devices.into_iter().zip(["of the first", "of the second"]) {
        world.call(device, post(key, "2")).unwrap();
    }
    world.until("followed", |world| keys(world, visitor) == ["before", "of the second"]);
    world.reload(visitor);
    assert_eq!(
        (keys(&world, visitor), world.node(visitor).rivals()),
        (vec!["before".to_owned(), "of the second".to_owned()], vec![])
    );
}

#[test]
fn whoever_has_one_of_the_new_passphrases_chooses_by_signing_in() {
    let (mut world, [first, _], visitor) = rivals(32);
    let call = Call::SignIn { secret: secret(2), device: "Second".into(), remember: false };
    let Ok(Reply::Words(words)) = world.call(visitor, call) else { panic!("no words") };
    assert_eq!(world.node(visitor).rivals(), []);
    approve(&mut world, first, words);
    world.until("let in", |world| world.node(visitor).state() == State::Writer);
    world.call(visitor, post("mine", "3")).unwrap();
    world.until("read", |world| keys(world, first) == ["before", "mine"]);
}
