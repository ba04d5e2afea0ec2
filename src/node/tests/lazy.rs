//! Nodes that have nearly nothing in memory: four pages, whatever happens. Every suite of whole nodes runs like this with
//! `HYPHA_SIM_LAZY=1`.

use super::*;
use crate::storage::PageKey;

/// A world of such nodes: one that wrote 120 posts of a kilobyte and was loaded again.
fn written(seed: u64) -> (World, usize, crate::crypto::PublicKey, Vec<String>) {
    let mut world = World::new(seed);
    world.lazy = true;
    let (first, key) = sign_up(&mut world);
    // Loaded again from the start: only then its journal is short.
    world.reload(first);
    let names: Vec<String> = (0..120).map(|n| format!("posts/{n:03}")).collect();
    for name in &names {
        world.call(first, post(name, &name.repeat(100))).unwrap();
    }
    world.run(10_000);
    world.reload(first);
    (world, first, key, names)
}

#[test]
fn peers_are_served_and_rights_are_taken_from_what_is_on_the_disk() {
    let (mut world, first, key, mut names) = written(70);
    let second = world.browser(Some(key));
    world.until("all posts", |world| keys(world, second) == names);
    assert!(world.loads > 3, "{} pages were read", world.loads);
    let_in(&mut world, first, second, true);
    world.call(second, post("posts/theirs", "x")).unwrap();
    world.call(second, put("private", "mine", true)).unwrap();
    let private = |world: &World| keys(world, first).contains(&"private".to_owned());
    world.until("private data", private);
    for at in [first, second] {
        world.reload(at);
    }
    world.until("found again", |world| {
        private(world) && keys(world, second).contains(&"posts/theirs".to_owned())
    });
    let writer = world.node(second).own_writer().unwrap();
    world.call(first, of_home(SpaceCall::Cut { writer, secret: None, descendants: false })).unwrap();
    world.until("cut here and there", |world| world.node(second).state() == State::Revoked);
    names.push("private".to_owned());
    names.push("posts/theirs".to_owned());
    names.sort();
    world.until("what it wrote before stays", |world| {
        let mut has = keys(world, first);
        has.sort();
        has == names
    });
}

/// A page of blocks that is damaged, or gone, is noticed when it is read, and comes again from a peer.
#[test]
fn what_is_lost_on_the_disk_comes_again_from_a_peer() {
    let (mut world, first, key, names) = written(71);
    let second = world.browser(Some(key));
    world.until("all posts", |world| keys(world, second) == names);
    world.run(10_000);
    world.kill(second);
    let writer = world.node(first).own_writer().unwrap();
    let (mut backend, remembered) = world.copy(second);
    let file = format!("feed/{writer}/data");
    let page = |page| PageKey { file: file.clone(), page };
    let stored = backend.snapshot().pages.iter().filter(|(key, _)| key.file == file).count();
    assert!(stored > 5, "{stored} pages");
    *backend.page_mut(&page(1)).unwrap() = b"garbage".to_vec();
    // One that goes before the start is missed by its name, so this one is there but empty.
    *backend.page_mut(&page(2)).unwrap() = Vec::new();
    world.restore(second, (backend, remembered));
    world.until("all of it again", |world| {
        let found = world.node(second).list(None, &crate::space::Range::default());
        let whole = found
            .is_ok_and(|found| found.iter().map(|found| found.item.key.clone()).eq(names.iter().cloned()));
        whole && world.node(second).memory().absent == 0
    });
}

/// Whoever waits for pages that never come is told, and nothing waits behind it.
#[test]
fn a_disk_that_cannot_be_read_any_more_leaves_nobody_waiting() {
    let (mut world, first, key, _) = written(73);
    let other = world.browser(Some(key));
    world.browsers[first].unreadable = true;
    let calls = (0..3).map(|n| post(&format!("posts/lost/{n}"), "x")).collect();
    let sync = of_home(SpaceCall::Sync { timeout_ms: 1_000 });
    let ids: Vec<u32> = [world.calls(first, calls), world.calls(first, vec![sync])].concat();
    world.run(10_000);
    for id in ids {
        let result = world.browsers[first].replies.get(&id).expect("an answer");
        assert_eq!(result.as_ref().unwrap_err().code, ErrorCode::Storage);
    }
    let node = world.browsers[first].node.as_ref().unwrap();
    assert!(!node.is_catching_up());
    // What others ask for and send does not pile up either.
    world.run(60_000);
    let failures = |world: &World| {
        world.browsers[first].events.iter().filter(|event| matches!(event, Event::Failed(_))).count()
    };
    assert_eq!(failures(&world), 1, "{:?}", world.browsers[first].events);
    assert!(keys(&world, other).len() < 120);
    world.browsers[first].unreadable = false;
    world.reload(first);
    world.until("all posts", |world| keys(world, other).len() == 120);
    world.call(first, post("posts/z", "x")).unwrap();
}

/// Drafts read what they take the place of, which may be on the disk; none of them is left out or overtaken.
#[test]
fn drafts_wait_for_what_they_read_and_keep_their_order() {
    let (mut world, first, key, mut names) = written(74);
    let second = world.browser(Some(key));
    world.until("all posts", |world| keys(world, second) == names);
    let words = sign_in(&mut world, second, true);
    let delete = |name: &str| WriteOp::Delete { key: name.to_owned(), expect: Expect::Any };
    let deletes = |name: &str| of_home(SpaceCall::Write { ops: vec![delete(name)] });
    for name in ["posts/010", "posts/011", "posts/100"] {
        world.call(second, deletes(name)).unwrap();
    }
    world.call(second, put("posts/011", "again", true)).unwrap();
    world.call(second, put("posts/zzz", "first", true)).unwrap();
    // In one write the last of a key stands, whichever list it is in.
    let value = crate::codec::encode_value(&crate::codec::Value::Text("last".into())).unwrap();
    let last = |key: &str, private| WriteOp::Put {
        key: key.into(),
        value: value.clone(),
        private,
        expect: Expect::Any,
    };
    let ops = vec![
        last("posts/zzz", true),
        last("posts/zzz", false),
        last("posts/gone", true),
        delete("posts/gone"),
    ];
    world.call(second, of_home(SpaceCall::Write { ops })).unwrap();
    let absent = WriteOp::Put { key: "posts/new".into(), value, private: false, expect: Expect::Absent };
    let refused = world.call(second, of_home(SpaceCall::Write { ops: vec![absent] })).unwrap_err();
    assert_eq!(refused.code, ErrorCode::BadInput);
    names.retain(|name| name != "posts/010" && name != "posts/100");
    names.push("posts/zzz".to_owned());
    let check = |world: &World, at: usize| {
        assert_eq!(keys(world, at), names);
        // Pages of ten, as a page of a person reads them: none is short before the end.
        let (mut read, mut gt) = (Vec::new(), None);
        loop {
            let range = crate::space::Range { gt, limit: Some(10), ..Default::default() };
            let found = world.node(at).list(None, &range).unwrap();
            let page: Vec<String> = found.into_iter().map(|found| found.item.key).collect();
            read.extend(page.iter().cloned());
            gt = page.last().cloned();
            if page.len() < 10 {
                break;
            }
        }
        assert_eq!(read, names);
    };
    check(&world, second);
    world.reload(second);
    check(&world, second);
    approve(&mut world, first, words);
    world.until("let in", |world| world.node(second).state() == State::Writer);
    for at in [first, second] {
        world.until("appended", |world| keys(world, at) == names);
        check(&world, at);
        let found = world.node(at).list(None, &crate::space::Range::default()).unwrap();
        assert!(found.iter().all(|found| !found.draft));
        let last = found.last().unwrap();
        assert_eq!((last.item.private, last.item.value.clone().unwrap().len()), (false, 5));
    }
}

/// What followed a lost record of the journal may have been written by this device: it never goes on with its feed.
#[test]
fn a_device_whose_journal_tore_writes_no_more_and_reads_what_stood_before() {
    let mut world = World::new(72);
    // A journal that is not folded all the time, so that there is something to tear.
    world.lazy = false;
    let (first, _) = sign_up(&mut world);
    for n in 0..6 {
        world.call(first, post(&format!("posts/{n}"), "x")).unwrap();
    }
    let (mut backend, remembered) = world.copy(first);
    let last = backend.snapshot().journal.last().unwrap().0;
    backend.journal_mut(last - 2).unwrap()[30] ^= 1;
    world.restore(first, (backend, remembered));
    let has = keys(&world, first);
    assert!(has.starts_with(&["posts/0".to_owned(), "posts/1".to_owned()]) && has.len() < 6, "{has:?}");
    let refused = world.call(first, post("posts/on", "x")).unwrap_err();
    assert_eq!(refused.code, ErrorCode::NotAuthorised, "{refused}");
    // Also the next time, when the journal is whole again.
    world.reload(first);
    assert_eq!(keys(&world, first), has);
    assert_eq!(world.call(first, post("posts/on", "x")).unwrap_err().code, ErrorCode::NotAuthorised);
}

/// What was written just before a page closes need not be computed when it is opened again.
#[test]
fn who_closes_writes_the_checkpoint_that_is_due() {
    let mut world = World::new(72);
    // One that does not write them all the time.
    world.lazy = false;
    let (first, _) = sign_up(&mut world);
    for n in 0..5 {
        world.call(first, post(&format!("posts/{n}"), &"x".repeat(900_000))).unwrap();
    }
    let is_due = |world: &mut World| {
        let node = world.browsers[first].node.as_mut().unwrap();
        node.spaces.iter_mut().any(|joined| joined.space.is_checkpoint_due())
    };
    assert!(is_due(&mut world), "it was written before");
    let now = world.now;
    world.browsers[first].node.as_mut().unwrap().say_goodbye(now);
    world.drain(first);
    assert!(!is_due(&mut world));
    world.run(1000);
    world.reload(first);
    assert!(!is_due(&mut world), "it was not stored");
    assert_eq!(keys(&world, first).len(), 5);
}
