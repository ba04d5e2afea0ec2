//! A device that was removed and goes on with its real keys.

use super::*;

/// Three devices and a visitor; the last device is hostile.
fn with_thief(seed: u64) -> (Home, [usize; 3], usize) {
    let mut home = Home::new(seed, 3);
    let visitor = home.visitor();
    let [first, second, thief] = home.devices[..] else { panic!() };
    home.post(thief, "honest");
    home.level("before", &[first, second, thief, visitor]);
    home.world.act(thief, |node, _| node.hostile_ignore_cut()).unwrap();
    (home, [first, second, thief], visitor)
}

#[test]
fn what_a_removed_device_writes_on_is_shown_by_nobody() {
    for seed in 0..2 {
        for root in [false, true] {
            let (mut home, [first, second, thief], visitor) = with_thief(seed);
            home.world.weather = FOUL;
            let writer = home.writer(thief);
            home.cut(first, writer, root);
            for n in 0..20 {
                let ops = Home::ops(&format!("late/{n:02}"));
                home.world.act(thief, |node, now| node.hostile_append(now, ops)).unwrap();
                home.world.run(500);
            }
            home.level("after", &[first, second, visitor]);
            home.world.weather = Weather::default();
            home.world.run(60_000);
            home.world.call(first, put("new secret", "not for the thief", true)).unwrap();
            home.level("after", &[first, second, visitor]);
            let standing = home.standing(second, writer);
            let cut = standing.cut_at.unwrap();
            if root {
                assert_eq!(standing.state, WriterStanding::RootCut);
                // Whoever heard of the cut fetches nothing past it, or little if the cut came later.
                assert!(standing.held < cut + 20, "{} of {cut}", standing.held);
            } else {
                assert_eq!(standing.state, WriterStanding::Cut);
                // Looked at, and perhaps adopted.
                assert_eq!(home.quarantine(second).len(), 20);
            }
            assert_eq!(keys(&home.world, first), ["honest", "new secret"]);
            assert!(!keys(&home.world, thief).contains(&"new secret".to_owned()));
            assert_eq!(home.world.node(first).state(), State::Writer);
        }
    }
}

#[test]
fn a_removed_device_that_floods_its_feed_is_fetched_slowly_and_holds_nothing_up() {
    let (mut home, [first, second, thief], visitor) = with_thief(5);
    let writer = home.writer(thief);
    home.cut(first, writer, false);
    home.level("cut", &[first, second, visitor]);
    let before = home.standing(visitor, writer).held;
    let start = home.world.now;
    for round in 0..30 {
        for n in 0..50 {
            let ops = Home::ops(&format!("flood/{round}/{n}"));
            home.world.act(thief, |node, now| node.hostile_append(now, ops)).unwrap();
        }
        home.world.run(300);
    }
    home.post(second, "meanwhile");
    home.world.until("it comes at once", |world| keys(world, visitor).contains(&"meanwhile".to_owned()));
    home.world.call(visitor, of_home(SpaceCall::Sync { timeout_ms: 2000 })).unwrap();
    let standing = home.standing(visitor, writer);
    let rounds = (home.world.now - start) / 5000 + 1;
    // From each of three peers.
    assert!(standing.held - before <= rounds * 16 * 3, "{} in {rounds} rounds", standing.held - before);
    assert!(standing.held > before, "but it is fetched");
    home.cut(first, writer, true);
    home.level("closed", &[first, second, visitor]);
    let held = home.standing(visitor, writer).held;
    home.world.run(60_000);
    assert_eq!(home.standing(visitor, writer).held, held, "closed for good");
}

#[test]
fn a_back_dated_entry_is_past_the_cut_all_the_same() {
    for root in [false, true] {
        let (mut home, [first, second, thief], visitor) = with_thief(10);
        let writer = home.writer(thief);
        home.world.act(thief, |node, now| node.hostile_freeze(now - 86_400_000)).unwrap();
        home.cut(first, writer, root);
        home.level("cut", &[first, second, visitor]);
        home.world.act(thief, |node, now| node.hostile_append(now, Home::ops("yesterday"))).unwrap();
        home.world.run(60_000);
        home.level("after", &[first, second, visitor]);
        assert_eq!(keys(&home.world, visitor), ["honest"]);
        if root {
            let standing = home.standing(visitor, writer);
            assert_eq!(Some(standing.held), standing.cut_at, "nothing past a root cut is fetched");
            home.world.call(visitor, of_home(SpaceCall::Sync { timeout_ms: 10_000 })).unwrap();
        } else {
            assert_eq!(home.quarantine(visitor), ["yesterday"]);
        }
    }
}

#[test]
fn a_friend_whom_a_removed_device_lets_in_counts_for_nothing() {
    for root in [false, true] {
        let (mut home, [first, second, thief], visitor) = with_thief(20);
        let writer = home.writer(thief);
        let friend = home.visitor();
        home.level("before", &[first, friend]);
        for at in [thief, friend] {
            home.world.act(at, |node, now| node.hostile_freeze(now - 1000)).unwrap();
        }
        home.cut(first, writer, root);
        home.level("cut", &[first, second, visitor]);
        // The friend knows the link and waits; the thief knows its key.
        let call = Call::SignIn { secret: secret(1), device: "Friend".into(), remember: true };
        home.world.call(friend, call).unwrap();
        let friend_key = home.writer(friend);
        home.world.act(friend, |node, _| node.hostile_ignore_cut()).unwrap();
        let at = home.world.act(thief, |node, now| node.hostile_grant(now, friend_key)).unwrap();
        home.world.act(friend, |node, _| node.hostile_also_seen(writer, at + 1)).unwrap();
        home.world.run(30_000);
        home.world.act(friend, |node, _| node.hostile_unlock()).unwrap();
        home.world.act(friend, |node, now| node.hostile_append(now, Home::ops("friend"))).unwrap();
        home.world.run(60_000);
        home.level("after", &[first, second, visitor]);
        assert_eq!(keys(&home.world, visitor), ["honest"]);
        for at in [first, second, visitor] {
            let known = home.world.node(at).writers(None).into_iter().find(|known| known.key == friend_key);
            assert!(known.is_none_or(|known| known.role.is_none()), "{at}");
        }
        // The friend's cut of everybody: only the root takes it away.
        let all = [home.writer(first), home.writer(second)];
        home.world.act(friend, |node, now| node.hostile_cut(now, &all)).unwrap();
        home.world.run(60_000);
        home.level("after the friend's cut", &[first, second, visitor]);
        let expected = if root { WriterStanding::Active } else { WriterStanding::Cut };
        assert_eq!(home.standing(visitor, all[0]).state, expected);
        if !root {
            home.cut(first, writer, true);
            home.level("root cut", &[first, second, visitor]);
            assert_eq!(home.standing(visitor, all[0]).state, WriterStanding::Active);
        }
    }
}

#[test]
fn who_cuts_everybody_is_undone_by_the_passphrase() {
    for seed in 30..32 {
        let (mut home, [first, second, thief], visitor) = with_thief(seed);
        home.world.weather = FOUL;
        let (all, writer) = ([home.writer(first), home.writer(second)], home.writer(thief));
        home.world.act(thief, |node, now| node.hostile_freeze(now - 1000)).unwrap();
        home.cut(first, writer, false);
        home.level("cut", &[first, second, visitor]);
        home.post(first, "later");
        home.world.act(thief, |node, now| node.hostile_cut(now, &all)).unwrap();
        home.world.until("all out", |world| {
            [first, second].iter().all(|at| world.node(*at).state() == State::Revoked)
        });
        home.level("all cut", &[first, second, visitor]);
        // Nothing that the thief had seen is gone.
        assert!(keys(&home.world, visitor).contains(&"honest".to_owned()));
        assert_eq!(home.quarantine(visitor), ["later"]);

        // With the passphrase the thief goes for good, and with it what it did after it was removed.
        home.cut(first, writer, true);
        home.level("root cut", &[first, second, visitor]);
        assert_eq!(keys(&home.world, visitor), ["honest", "later"]);
        for at in [first, second] {
            assert_eq!(home.world.node(at).state(), State::Locked, "its key counts again");
            home.world.call(at, Call::Unlock { secret: secret(1) }).unwrap();
            home.post(at, &format!("back/{at}"));
        }
        // Nothing it signs changes anything any more.
        home.level("back", &[first, second, visitor]);
        let before = home.view(visitor);
        home.world.act(thief, |node, now| node.hostile_cut(now, &all)).unwrap();
        home.world.act(thief, |node, now| node.hostile_append(now, Home::ops("x"))).unwrap();
        home.world.act(thief, |node, now| node.hostile_grant(now, PublicKey([9; 32]))).unwrap();
        home.world.run(60_000);
        home.level("unmoved", &[first, second, visitor]);
        assert_eq!(home.view(visitor), before);
    }
}

#[test]
fn who_begins_again_with_the_passphrase_shuts_the_thief_out_for_good() {
    let (mut home, [first, second, thief], visitor) = with_thief(40);
    let (all, writer) = ([home.writer(first), home.writer(second)], home.writer(thief));
    home.world.act(thief, |node, now| node.hostile_freeze(now - 1000)).unwrap();
    home.cut(first, writer, false);
    home.level("cut", &[first, second, visitor]);
    home.world.act(thief, |node, now| node.hostile_cut(now, &all)).unwrap();
    home.world.until("out", |world| world.node(first).state() == State::Revoked);
    let call = Call::Recover { secret: secret(1), device: "Anew".into(), remember: true, cut_others: true };
    home.world.call(first, call).unwrap();
    home.post(first, "anew");
    home.level("begun again", &[first, second, visitor]);
    // The new key, too, cut in an entry that pretends to be old.
    let anew = [home.writer(first)];
    home.world.act(thief, |node, now| node.hostile_cut(now, &anew)).unwrap();
    home.world.run(60_000);
    home.level("unmoved", &[first, second, visitor]);
    assert_eq!(home.standing(visitor, anew[0]).state, WriterStanding::Active);
    assert_eq!(home.world.node(first).state(), State::Writer);
    assert!(keys(&home.world, visitor).contains(&"anew".to_owned()));
}
