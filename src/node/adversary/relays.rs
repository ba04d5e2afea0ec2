//! Those in between: a relay that keeps back, an old copy that comes to life, a hub that does what it likes.

use super::*;

/// Two devices that reach each other through a third browser only, which has no key but the link.
fn through_a_relay(seed: u64) -> (Home, [usize; 2], usize) {
    let mut home = Home::new(seed, 2);
    let relay = home.visitor();
    let [first, second] = home.devices[..] else { panic!() };
    home.post(first, "before");
    home.level("before", &[first, second, relay]);
    home.world.part(first, second, true);
    // What was open between the two dies of silence.
    home.world.run(60_000);
    (home, [first, second], relay)
}

#[test]
fn a_relay_that_keeps_the_tail_of_a_feed_back_is_seen_and_sync_fails() {
    let (mut home, [first, second], relay) = through_a_relay(80);
    let writer = home.writer(first);
    home.post(first, "through");
    home.level("through the relay", &[first, second, relay]);
    home.world.call(second, of_home(SpaceCall::Sync { timeout_ms: 10_000 })).unwrap();

    let shown = home.standing(relay, writer).length;
    home.world.act(relay, |node, _| node.hostile_withhold(writer, shown)).unwrap();
    home.post(first, "kept back");
    home.world.until("the relay has it", |world| keys(world, relay).contains(&"kept back".to_owned()));
    home.world.run(30_000);
    assert!(!keys(&home.world, second).contains(&"kept back".to_owned()));
    // Its head came, its blocks did not: the page sees how far behind the view of that writer is.
    let standing = home.standing(second, writer);
    assert!(standing.length > standing.held, "{} of {}", standing.held, standing.length);
    let late = home.world.call(second, of_home(SpaceCall::Sync { timeout_ms: 10_000 })).unwrap_err();
    assert_eq!(late.code, ErrorCode::Timeout);
    // Nor does it forget that, though all that told it is gone.
    let held = home.standing(second, writer).held;
    let knows = |world: &World| {
        world.node(second).known_head(None, &writer).is_some_and(|known| known.head.length > held)
    };
    home.world.until("told of it", knows);
    home.world.run(1_000);
    home.world.reload(second);
    assert!(knows(&home.world));

    // Whoever else has it gives it.
    home.world.part(first, second, false);
    home.level("the direct way", &[first, second, relay]);
    home.world.call(second, of_home(SpaceCall::Sync { timeout_ms: 30_000 })).unwrap();
}

#[test]
fn a_relay_cannot_keep_a_root_cut_back_by_keeping_a_feed_back() {
    let (mut home, [first, second], relay) = through_a_relay(81);
    let third = home.join();
    let (writer, thief) = (home.writer(first), home.writer(third));
    home.level("all", &[first, second, third, relay]);
    let shown = home.standing(relay, writer).length;
    home.world.act(relay, |node, _| node.hostile_withhold(writer, shown)).unwrap();
    home.world.kill(third);
    home.cut(first, thief, true);
    home.world.until("cut", |world| {
        let writers = world.node(second).writers(None);
        writers.iter().any(|known| known.key == thief && known.state == WriterStanding::RootCut)
    });
}

#[test]
fn old_records_and_manifests_change_nothing_back() {
    let mut home = Home::new(82, 3);
    let [first, second, thief] = home.devices[..] else { panic!() };
    let visitor = home.visitor();
    home.level("before", &[first, second, thief, visitor]);
    // All that there was before the removal and the change of passphrase.
    let old = home.world.copy(visitor);
    let old_thief = home.world.copy(thief);
    let node = home.world.node(visitor).spaces.home().unwrap();
    let manifest = node.manifest_bytes().unwrap();
    let records: Vec<Vec<u8>> = node.records().map(<[u8]>::to_vec).collect();
    let writer = home.writer(thief);
    home.cut(first, writer, true);
    home.level("cut", &[first, second, visitor]);
    let change = Call::ChangePassphrase { old: secret(1), new: secret(2) };
    home.world.call(first, change).unwrap();
    home.post(first, "after");
    home.level("changed", &[first, second, visitor]);
    let before = home.view(visitor);
    let newest = home.world.node(visitor).spaces.home().unwrap().manifest_bytes();

    // Said again by a peer, in messages.
    home.world.act(thief, |node, _| {
        use crate::sync::{ItemKind, Message};
        for (kind, bytes) in core::iter::once((ItemKind::Manifest, manifest.clone()))
            .chain(records.iter().map(|record| (ItemKind::Record, record.clone())))
        {
            node.hostile_message(&Message::Item { kind, bytes });
        }
    });
    home.world.run(30_000);
    // And by whole browsers from before: a reader, and the removed device with its keys, which learns and is out.
    let stale = home.world.browser(Some(home.key));
    home.world.restore(stale, old);
    home.world.restore(thief, old_thief);
    home.level("old copies", &[first, second, visitor, stale]);
    home.world.until("told", |world| world.node(thief).state() == State::Revoked);
    assert_eq!(home.view(visitor), before);
    for at in [first, second, visitor, stale] {
        assert_eq!(home.world.node(at).spaces.home().unwrap().manifest_bytes(), newest, "{at}");
    }
    let old_words = Call::SignIn { secret: secret(1), device: "Old".into(), remember: false };
    assert_eq!(home.world.call(stale, old_words).unwrap_err().code, ErrorCode::WrongPassphrase);
}

#[test]
fn a_hub_that_loses_repeats_changes_and_mixes_up_keeps_nobody_apart() {
    for seed in 90..92 {
        let mut home = Home::new(seed, 2);
        let [first, second] = home.devices[..] else { panic!() };
        home.world.weather = Weather { late: 100, breaks: 1500, lost: 30, replayed: 60, changed: 20 };
        let visitor = home.visitor();
        for n in 0..10 {
            home.post(first, &format!("first/{n}"));
            home.post(second, &format!("second/{n}"));
            home.world.run(10_000);
        }
        home.world.reload(second);
        home.level("all the same", &[first, second, visitor]);
        assert_eq!(keys(&home.world, visitor).len(), 20);
        assert_eq!(home.world.node(second).state(), State::Writer);
    }
}
