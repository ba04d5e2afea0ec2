//! A device that signs two histories, by malice or out of an old back-up.

use super::*;
use crate::mesh::LinkId;

/// Three devices and a visitor. The thief showed branch one to the first device and the visitor, branch two to the
/// second device, and is gone. Both wrote on what they had seen.
fn forked(seed: u64, common: usize, own: usize) -> (Home, [usize; 3], usize) {
    let mut home = Home::new(seed, 3);
    let visitor = home.visitor();
    let [first, second, thief] = home.devices[..] else { panic!() };
    for n in 0..common {
        home.post(thief, &format!("common/{n:03}"));
    }
    home.level("before", &[first, second, thief, visitor]);
    home.world.kill(second);
    let writer = home.writer(thief);
    let at = home.standing(thief, writer).length;
    for n in 0..own {
        home.post(thief, &format!("one/{n:03}"));
        home.world.run(100);
        home.post(first, &format!("seen/one/{n:03}"));
    }
    home.level("one", &[first, thief, visitor]);
    home.world.kill(first);
    home.world.kill(visitor);
    home.world.act(thief, |node, _| node.hostile_ignore_cut()).unwrap();
    home.world.act(thief, |node, now| node.hostile_fork(now, at, Home::ops("two/000"))).unwrap();
    home.world.start(second);
    for n in 1..=own + 3 {
        home.world
            .act(thief, |node, now| node.hostile_append(now, Home::ops(&format!("two/{n:03}"))))
            .unwrap();
        home.world.run(20_000 / (n as u64 * n as u64));
        home.post(second, &format!("seen/two/{n:03}"));
    }
    home.level("two", &[second, thief]);
    (home, [first, second, thief], visitor)
}

#[test]
fn two_histories_are_proved_and_neither_counts_until_the_root_picks_one() {
    for (seed, common, own) in [(50, 0, 1), (51, 1, 2), (52, 7, 3), (53, 40, 9)] {
        let (mut home, [first, second, thief], visitor) = forked(seed, common, own);
        let writer = home.writer(thief);
        home.world.kill(thief);
        home.world.start(first);
        home.world.start(visitor);
        let honest = [first, second, visitor];
        home.level("found out", &honest);
        for at in honest {
            assert_eq!(home.standing(at, writer).state, WriterStanding::Forked);
            assert!(home.told(at, &Event::Equivocation { space: home.key, writer }), "{at}");
            let shown = keys(&home.world, at);
            assert!(!shown.iter().any(|key| key.starts_with("one/") || key.starts_with("two/")), "{shown:?}");
            assert_eq!(shown.len(), common + own + own + 3, "what others wrote on either stays: {shown:?}");
            let held = home.quarantine(at);
            assert_eq!(held.iter().filter(|key| key.starts_with("one/")).count(), own, "{at}: {held:?}");
            assert_eq!(held.iter().filter(|key| key.starts_with("two/")).count(), own + 4, "{at}: {held:?}");
            home.world.call(at, of_home(SpaceCall::Sync { timeout_ms: 60_000 })).unwrap();
        }
        // Whoever comes later gets both from one who has them, though the second device is away.
        home.world.kill(second);
        let late = home.visitor();
        home.level("from the one who has both", &[first, late]);
        assert_eq!(keys(&home.world, late).len(), common + own + own + 3);
        home.world.kill(late);
        home.world.start(second);
        home.level("back", &honest);
        // What is kept of it outlives a reload, alone.
        let before = home.view(visitor);
        home.world.stop_hub();
        home.world.reload(visitor);
        assert_eq!(home.view(visitor), before);
        home.world.hub_up = true;

        // The root picks the branch that the one who asks has.
        let (by, branch, other) =
            if seed % 2 == 0 { (first, "one/", "two/") } else { (second, "two/", "one/") };
        home.cut(by, writer, true);
        home.level("picked", &honest);
        for at in honest {
            let shown = keys(&home.world, at);
            assert!(shown.iter().any(|key| key.starts_with(branch)), "{at}: {shown:?}");
            assert!(!shown.iter().any(|key| key.starts_with(other)), "{at}: {shown:?}");
            assert!(home.quarantine(at).iter().all(|key| key.starts_with(other)));
            assert_eq!(home.standing(at, writer).state, WriterStanding::RootCut);
        }
        let before = home.view(visitor);
        home.world.start(thief);
        home.world.until("told", |world| world.node(thief).state() == State::Revoked);
        home.world.run(30_000);
        home.level("all the same", &honest);
        assert_eq!(home.view(visitor), before);
        home.world.reload(second);
        home.level("and after a reload", &honest);
        assert_eq!(home.view(second), before);
    }
}

#[test]
fn branches_are_found_in_foul_weather_while_the_thief_goes_on() {
    for seed in 60..62 {
        let (mut home, [first, second, thief], visitor) = forked(seed, 5, 3);
        let writer = home.writer(thief);
        home.world.weather = FOUL;
        home.world.start(first);
        home.world.start(visitor);
        for n in 0..20 {
            let ops = Home::ops(&format!("two/later/{n:02}"));
            home.world.act(thief, |node, now| node.hostile_append(now, ops)).unwrap();
            home.world.run(2000);
            home.post(second, &format!("on/{n:02}"));
        }
        home.world.weather = Weather::default();
        home.level("found out", &[first, second, visitor]);
        assert_eq!(home.standing(visitor, writer).state, WriterStanding::Forked);
        home.cut(first, writer, true);
        home.level("picked", &[first, second, visitor]);
        let shown = keys(&home.world, second);
        assert_eq!(shown.iter().filter(|key| key.starts_with("one/")).count(), 3);
        assert_eq!(shown.iter().filter(|key| key.starts_with("on/")).count(), 20);
    }
}

#[test]
fn an_old_back_up_fetches_what_it_wrote_since_before_it_writes() {
    let mut home = Home::new(70, 2);
    let [first, second] = home.devices[..] else { panic!() };
    home.post(second, "before");
    home.level("before", &[first, second]);
    let back_up = home.world.copy(second);
    for n in 0..30 {
        home.post(second, &format!("since/{n:02}"));
    }
    home.level("since", &[first, second]);
    let writer = home.writer(second);
    let length = home.standing(first, writer).length;
    home.world.restore(second, back_up);
    assert_eq!(keys(&home.world, second), ["before"]);
    // The head is shown before the blocks come: what is written in between is refused, not signed a second time.
    let known = |world: &World| {
        world.node(second).writers(None).iter().any(|known| known.key == writer && known.length == length)
    };
    home.world.until("shown", known);
    let held = home.standing(second, writer).held;
    let result = home.world.call(second, post("after", "text"));
    assert!(held == length || result.is_err(), "{held} of {length}");
    home.level("caught up", &[first, second]);
    home.post(second, "later");
    home.level("later", &[first, second]);
    assert_eq!(home.standing(first, writer).state, WriterStanding::Active);
    let shown = keys(&home.world, first);
    assert!(shown.contains(&"since/29".to_owned()) && shown.contains(&"later".to_owned()), "{shown:?}");
}

#[test]
fn an_old_back_up_that_wrote_alone_signs_in_anew() {
    let mut home = Home::new(71, 2);
    let [first, second] = home.devices[..] else { panic!() };
    home.post(second, "before");
    home.level("before", &[first, second]);
    let back_up = home.world.copy(second);
    home.post(second, "since");
    home.level("since", &[first, second]);
    let writer = home.writer(second);
    home.world.kill(first);
    home.world.restore(second, back_up);
    home.world.run(10_000);
    home.post(second, "alone");
    home.world.start(first);
    home.world.until("found out", |world| world.node(second).state() == State::Revoked);
    home.level("found out", &[first, second]);
    assert!(home.told(second, &Event::Equivocation { space: home.key, writer }));
    assert_eq!(keys(&home.world, first), ["before"]);
    // A new install of the same device; the passphrase gives back one of the two histories, the other stays to be seen.
    home.sign_in(second);
    assert_ne!(home.writer(second), writer);
    home.post(second, "again");
    home.cut(first, writer, true);
    home.level("picked", &[first, second]);
    assert_eq!(keys(&home.world, second), ["again", "before", "since"]);
    assert_eq!(home.quarantine(second), ["alone"]);
}

#[test]
fn of_three_histories_the_lowest_fork_holds_everywhere() {
    for seed in 75..77 {
        let mut home = Home::new(seed, 3);
        let [first, second, thief] = home.devices[..] else { panic!() };
        for n in 0..6 {
            home.post(thief, &format!("common/{n}"));
        }
        home.level("before", &[first, second, thief]);
        let writer = home.writer(thief);
        let length = home.standing(thief, writer).length;
        home.post(thief, "one");
        home.level("one", &[first, second, thief]);
        home.world.kill(first);
        home.world.kill(second);
        home.world.act(thief, |node, _| node.hostile_ignore_cut()).unwrap();
        let mut readers = Vec::new();
        for (back, name) in [(2, "two"), (4, "three")] {
            home.world
                .act(thief, |node, now| node.hostile_fork(now, length - back, Home::ops(name)))
                .unwrap();
            for n in 0..9 {
                let ops = Home::ops(&format!("{name}/{n}"));
                home.world.act(thief, |node, now| node.hostile_append(now, ops)).unwrap();
            }
            // Readers who know nothing but what the thief shows them now.
            let reader = home.visitor();
            home.level(name, &[thief, reader]);
            home.world.kill(reader);
            readers.push(reader);
        }
        home.world.kill(thief);
        // They meet two by two first, in some order, then all.
        let all = [first, second, readers[0], readers[1]];
        home.world.start(readers[usize::from(seed % 2 == 0)]);
        home.world.start(first);
        home.world.run(20_000);
        for at in all {
            if home.world.browsers[at].node.is_none() {
                home.world.start(at);
            }
        }
        home.level("found out", &all);
        for at in all {
            let standing = home.standing(at, writer);
            assert_eq!((standing.state, standing.cut_at), (WriterStanding::Forked, Some(length - 4)), "{at}");
            let held = home.quarantine(at);
            for name in ["one", "two", "three/8"] {
                assert!(held.contains(&name.to_owned()), "{at}: {name} of {held:?}");
            }
        }
        home.cut(first, writer, true);
        home.level("picked", &all);
        for at in all {
            assert!(keys(&home.world, at).contains(&"one".to_owned()), "{at}");
            assert_eq!(keys(&home.world, at).len(), 7, "{at}");
        }
    }
}

#[test]
fn a_file_brings_both_branches() {
    let (mut home, [first, second, thief], visitor) = forked(80, 5, 40);
    home.world.kill(thief);
    home.world.start(first);
    home.world.start(visitor);
    home.level("found out", &[first, second, visitor]);
    let held = home.quarantine(visitor);
    assert_eq!(held.iter().filter(|key| key.starts_with("two/")).count(), 44);
    let (mut parts, mut cursor) = (Vec::new(), Some(ExportCursor::default()));
    while let Some(now) = cursor {
        let (piece, next) = home.world.node(visitor).export(&now);
        let mut rest = piece.strip_prefix(b"hypha export\x01").unwrap_or(&piece);
        while let Some((size, behind)) = rest.split_first_chunk::<4>() {
            let (part, behind) = behind.split_at(16 + u32::from_le_bytes(*size) as usize);
            parts.push(part.to_vec());
            rest = behind;
        }
        cursor = next;
    }
    assert!(parts.iter().any(|part| part[16] == 5));
    let before = home.view(visitor);
    for at in [first, second, visitor] {
        home.world.kill(at);
    }
    let reader = home.world.browser(None);
    home.world.until("looked up", |world| world.node(reader).is_ready());
    for part in parts.iter().chain(&parts) {
        home.world.call(reader, Call::Import { part: part.clone() }).unwrap();
    }
    assert_eq!(home.view(reader), before);
    assert_eq!(home.quarantine(reader), held);
}

/// Ids of a node's connections: another one is another session.
fn sessions(home: &Home, at: usize) -> Vec<LinkId> {
    let peers = home.world.node(at).peers().into_iter();
    peers.filter(|peer| peer.level.is_some()).map(|peer| peer.link.link).collect()
}

#[test]
fn a_main_branch_that_is_not_whole_costs_no_session_with_those_who_have_the_other() {
    // Blocks of the first branch past the fork, how many of them are given, blocks of the other.
    for (seed, own, given, other) in [(85, 8, 1, 12), (86, 8, 3, 8), (87, 40, 2, 50), (88, 9, 2, 5)] {
        let mut home = Home::new(seed, 2);
        let visitor = home.visitor();
        let [second, thief] = home.devices[..] else { panic!() };
        for n in 0..6 {
            home.post(thief, &format!("common/{n}"));
        }
        home.level("before", &[second, thief, visitor]);
        let writer = home.writer(thief);
        let at = home.standing(thief, writer).length;
        home.world.kill(second);
        home.world.kill(visitor);
        for n in 0..own {
            home.post(thief, &format!("one/{n:03}"));
        }
        home.world.act(thief, |node, _| node.hostile_withhold(writer, at + given)).unwrap();
        home.world.start(visitor);
        home.world.until("some of it", |world| {
            let writers = world.node(visitor).writers(None);
            writers.iter().any(|known| (known.key, known.held) == (writer, at + given))
        });
        assert_eq!(home.standing(visitor, writer).length, at + own);
        home.world.kill(visitor);
        home.world.act(thief, |node, _| node.hostile_withhold(writer, u64::MAX)).unwrap();
        home.world.act(thief, |node, now| node.hostile_fork(now, at, Home::ops("two/000"))).unwrap();
        for n in 1..other {
            let ops = Home::ops(&format!("two/{n:03}"));
            home.world.act(thief, |node, now| node.hostile_append(now, ops)).unwrap();
        }
        home.world.start(second);
        home.post(second, "seen/two");
        home.level("two", &[second, thief]);
        home.world.kill(thief);
        home.world.start(visitor);
        home.world.until("met", |world| world.node(visitor).peers().iter().any(|peer| peer.level.is_some()));
        let met = sessions(&home, visitor);
        home.level("found out", &[second, visitor]);
        assert_eq!(sessions(&home, visitor), met, "{seed}");
        for node in [second, visitor] {
            assert_eq!(home.standing(node, writer).state, WriterStanding::Forked, "{seed}: {node}");
            let held = home.quarantine(node);
            assert_eq!(held.iter().filter(|key| key.starts_with("two/")).count(), other, "{seed}: {held:?}");
            assert_eq!(held.iter().filter(|key| key.starts_with("one/")).count(), given as usize, "{held:?}");
        }
        assert!(keys(&home.world, visitor).contains(&"seen/two".to_owned()), "{seed}");
        // What it has of the other one it gives on.
        home.world.kill(second);
        let late = home.visitor();
        home.level("from one who has the other aside", &[visitor, late]);
        assert!(keys(&home.world, late).contains(&"seen/two".to_owned()), "{seed}");
    }
}

#[test]
fn another_branch_comes_through_one_who_had_none_of_it_when_asked() {
    for seed in 90..92 {
        let mut home = Home::new(seed, 3);
        let visitor = home.visitor();
        let [first, second, thief] = home.devices[..] else { panic!() };
        home.level("before", &[first, second, thief, visitor]);
        let writer = home.writer(thief);
        let at = home.standing(thief, writer).length;
        home.world.kill(second);
        home.post(thief, "one");
        home.level("one", &[first, thief, visitor]);
        home.world.kill(first);
        home.world.kill(visitor);
        // Several chunks of it.
        let large = |n: usize| put(&format!("two/{n}"), &"long ".repeat(8_000), false);
        home.world.act(thief, |node, now| node.hostile_fork(now, at, Home::ops("two/000"))).unwrap();
        for n in 0..12 {
            let Call::In { act: SpaceCall::Write { ops }, .. } = large(n) else { panic!() };
            home.world.act(thief, |node, now| node.hostile_append(now, ops)).unwrap();
        }
        home.world.start(second);
        home.level("two", &[second, thief]);
        home.post(second, "seen/two");
        let some = home.world.copy(second);
        home.world.act(thief, |node, now| node.hostile_append(now, Home::ops("two/more"))).unwrap();
        home.level("more", &[second, thief]);
        home.post(second, "seen/more");
        let more = home.world.copy(second);
        home.world.kill(thief);
        home.world.part(second, visitor, true);
        home.world.kill(second);
        home.world.start(first);
        home.world.start(visitor);
        home.level("one of them", &[first, visitor]);
        let met = sessions(&home, visitor);
        home.world.restore(second, some);
        home.level("through the one between", &[first, second, visitor]);
        assert!(keys(&home.world, visitor).contains(&"seen/two".to_owned()), "{seed}");
        assert_eq!(sessions(&home, visitor), met, "{seed}");
        // What was added to it comes too.
        home.world.restore(second, more);
        home.level("more of it", &[first, second, visitor]);
        assert!(keys(&home.world, visitor).contains(&"seen/more".to_owned()), "{seed}");
        assert_eq!(sessions(&home, visitor), met, "{seed}");
    }
}

#[test]
fn a_third_history_that_begins_as_the_second_costs_no_session() {
    let mut home = Home::new(95, 2);
    let visitor = home.visitor();
    let [second, thief] = home.devices[..] else { panic!() };
    home.level("before", &[second, thief, visitor]);
    let writer = home.writer(thief);
    let at = home.standing(thief, writer).length;
    home.world.kill(second);
    home.post(thief, "one");
    home.level("one", &[thief, visitor]);
    home.world.kill(visitor);
    home.world.act(thief, |node, _| node.hostile_ignore_cut()).unwrap();
    home.world.act(thief, |node, now| node.hostile_fork(now, at, Home::ops("two/0"))).unwrap();
    let large = |home: &mut Home, name: &str| {
        for n in 1..12 {
            let Call::In { act: SpaceCall::Write { ops }, .. } =
                put(&format!("{name}/{n}"), &"long ".repeat(8_000), false)
            else {
                panic!()
            };
            home.world.act(thief, |node, now| node.hostile_append(now, ops)).unwrap();
        }
    };
    large(&mut home, "two");
    home.world.start(second);
    home.level("two", &[second, thief]);
    home.world.kill(second);
    home.world.act(thief, |node, now| node.hostile_fork(now, at + 2, Home::ops("three/0"))).unwrap();
    large(&mut home, "three");
    let third = home.visitor();
    home.level("three", &[thief, third]);
    home.world.kill(third);
    home.world.kill(thief);
    // The visitor has the first and some of the second when it meets one who has the third.
    home.world.start(visitor);
    home.world.start(second);
    let second_of =
        |home: &Home| home.quarantine(visitor).iter().filter(|key| key.starts_with("two/")).count();
    while second_of(&home) == 0 {
        home.world.run(1);
    }
    home.world.kill(second);
    assert!(second_of(&home) < 12, "not all in one chunk");
    home.world.run(60_000);
    assert_eq!(sessions(&home, visitor), []);
    home.world.start(third);
    home.world.until("met", |world| world.node(visitor).peers().iter().any(|peer| peer.level.is_some()));
    let met = sessions(&home, visitor);
    home.world.run(120_000);
    assert_eq!(sessions(&home, visitor), met);
    assert!(second_of(&home) < 12);
    home.world.start(second);
    home.world.run(60_000);
    assert_eq!(second_of(&home), 12);
}
