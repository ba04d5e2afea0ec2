//! Pages that a device of which nearly nothing is in memory has lost: what is lost comes again from a peer, and nothing else
//! goes with it.

use super::*;
use crate::{
    crypto::PublicKey,
    feed::Feed,
    storage::{Files, MemoryBackend, PageKey},
};

type Kept = (MemoryBackend, Option<Vec<u8>>);

/// What a browser has stored, all of it in pages.
fn folded(world: &mut World, at: usize) -> Kept {
    world.run(10_000);
    world.kill(at);
    let (mut backend, remembered) = world.copy(at);
    let mut files = Files::load(backend.snapshot()).unwrap();
    if let Some(compaction) = files.checkpoint() {
        backend.compact(&compaction);
    }
    (backend, remembered)
}

/// Whether a browser reads these posts, with what stands in them.
fn reads(world: &World, at: usize, names: &[String], times: usize) -> bool {
    let Ok(found) = world.node(at).list(None, &crate::space::Range::default()) else { return false };
    let value = |name: &String| crate::codec::Value::Text(name.repeat(times));
    found.len() == names.len()
        && found.iter().zip(names).all(|(found, name)| {
            let expected = crate::codec::encode_value(&value(name)).ok();
            found.item.key == *name && found.item.value == expected
        })
}

/// Runs until a browser reads these posts. All of them are read each time, so that is seldom.
fn until_it_reads(world: &mut World, at: usize, names: &[String], times: usize) {
    let end = world.now + 60_000;
    while !reads(world, at, names, times) {
        assert!(world.now < end, "it reads {} posts", keys(world, at).len());
        world.run(500);
    }
}

/// A feed as a browser has it, every block and node of which is as it should be.
fn assert_whole(world: &World, at: usize, space: &PublicKey, writer: &PublicKey) {
    let node = world.node(at);
    let feed: &Feed = node.spaces.get(space).unwrap().space.feed(writer).unwrap();
    let audit = feed.audit(&node.files).unwrap();
    assert_eq!((audit.checked, audit.damaged), (feed.length(), Vec::new()));
}

fn page(writer: &PublicKey, name: &str, page: u64) -> PageKey {
    PageKey { file: format!("feed/{writer}/{name}"), page }
}

/// Mending reads the whole tree: what was lost is not forgotten while pages of that are awaited, wherever it was.
#[test]
fn a_page_of_a_feed_whose_tree_is_on_the_disk_comes_again_from_a_peer() {
    let mut world = World::new(75);
    world.lazy = false;
    let (first, key) = sign_up(&mut world);
    let names: Vec<String> = (0..3000).map(|n| format!("posts/{n:04}")).collect();
    for names in names.chunks(250) {
        let calls = names.iter().map(|name| post(name, &name.repeat(9))).collect();
        let ids = world.calls(first, calls);
        world.until("written", |world| ids.iter().all(|id| world.browsers[first].replies.contains_key(id)));
    }
    let second = world.browser(Some(key));
    world.until("all posts", |world| keys(world, second) == names);
    let (whole, remembered) = folded(&mut world, second);
    let writer = world.node(first).own_writer().unwrap();
    let pages = |name: &str| {
        let file = page(&writer, name, 0).file;
        whole.snapshot().pages.iter().filter(|(key, _)| key.file == file).count() as u64
    };
    assert!(pages("tree") > 10 && pages("data") > 10);
    world.lazy = true;
    let [data, tree] = [pages("data"), pages("tree")];
    for lost in
        [page(&writer, "data", data / 2), page(&writer, "tree", tree / 2), page(&writer, "data", data - 1)]
    {
        println!("{lost:?}");
        let mut backend = whole.clone();
        *backend.page_mut(&lost).unwrap() = b"garbage".to_vec();
        world.browsers[second].events.clear();
        world.restore(second, (backend, remembered.clone()));
        until_it_reads(&mut world, second, &names, 9);
        world.run(1000);
        assert_whole(&world, second, &key, &writer);
        let failed = |event: &&Event| matches!(event, Event::Failed(_));
        let told = world.browsers[second].events.iter().filter(failed).count();
        assert!(told <= 1, "{:?}", world.browsers[second].events);
    }
}

/// 120 posts of several kilobytes, most of them not read at opening, and the only device that has them.
fn alone(seed: u64) -> (World, usize, PublicKey, PublicKey, Vec<String>, Kept) {
    let mut world = World::new(seed);
    world.lazy = false;
    let (first, key) = sign_up(&mut world);
    let names: Vec<String> = (0..120).map(|n| format!("posts/{n:03}")).collect();
    for name in &names {
        world.call(first, post(name, &name.repeat(400))).unwrap();
    }
    let writer = world.node(first).own_writer().unwrap();
    let kept = folded(&mut world, first);
    world.lazy = true;
    (world, first, key, writer, names, kept)
}

const DIRECTORY: fn(u64) -> PageKey = |page| PageKey { file: String::new(), page };

/// Which records there were is not known, but all of them are there.
#[test]
fn a_device_that_lost_only_the_list_of_its_records_lost_nothing() {
    let (mut world, first, key, writer, names, kept) = alone(76);
    for fault in ["flipped", "gone", "all of it gone"] {
        println!("{fault}");
        let (mut backend, remembered) = kept.clone();
        match fault {
            "flipped" => backend.page_mut(&DIRECTORY(1)).unwrap()[40] ^= 1,
            "gone" => backend.remove_page(&DIRECTORY(1)),
            _ => backend.remove_page(&DIRECTORY(0)),
        }
        world.restore(first, (backend, remembered));
        world.run(1000);
        assert!(reads(&world, first, &names, 400), "{} are left", keys(&world, first).len());
        assert_whole(&world, first, &key, &writer);
    }
}

/// Of what has gone unseen only the blocks that lay on it are missing.
#[test]
fn a_page_that_went_with_the_list_of_records_takes_no_other_with_it() {
    let (mut world, first, key, writer, names, kept) = alone(77);
    world.restore(first, kept);
    let second = world.browser(Some(key));
    world.until("all posts", |world| reads(world, second, &names, 400));
    let (mut backend, remembered) = folded(&mut world, second);
    backend.page_mut(&DIRECTORY(1)).unwrap()[40] ^= 1;
    backend.remove_page(&page(&writer, "data", 3));
    world.part(first, second, true);
    world.restore(second, (backend, remembered));
    world.run(1000);
    let node = world.node(second);
    let feed = node.spaces.get(&key).unwrap().space.feed(&writer).unwrap();
    let held = (0..feed.length()).filter(|index| feed.has(*index)).count() as u64;
    assert!((feed.length() - 8..feed.length() - 3).contains(&held), "{held} of {}", feed.length());
    world.part(first, second, false);
    until_it_reads(&mut world, second, &names, 400);
    assert_whole(&world, second, &key, &writer);
}

/// All spaces of a device are opened, however many rounds of reading it takes.
#[test]
fn a_joined_space_that_is_mended_is_opened_with_the_others() {
    let mut world = World::new(78);
    world.lazy = false;
    let (first, _) = sign_up(&mut world);
    let call = Call::CreateSpace { title: "Garden".into() };
    let Ok(Reply::Space(garden)) = world.call(first, call) else { panic!("no space") };
    for chunk in 0..10 {
        let calls = (0..250).map(|n| match post(&format!("{chunk}/{n}"), "x") {
            Call::In { act, .. } => Call::In { space: Some(garden), act },
            other => other,
        });
        let ids = world.calls(first, calls.collect());
        world.until("written", |world| ids.iter().all(|id| world.browsers[first].replies.contains_key(id)));
    }
    let count = |world: &World| {
        let all = world.node(first).list(Some(garden), &crate::space::Range::default());
        all.map_or(0, |all| all.len())
    };
    let written = count(&world);
    assert!(written >= 2500);
    let (mut backend, remembered) = folded(&mut world, first);
    backend.page_mut(&DIRECTORY(1)).unwrap()[40] ^= 1;
    world.browsers[first].events.clear();
    world.lazy = true;
    world.restore(first, (backend, remembered));
    world.run(1000);
    assert_eq!(count(&world), written, "{:?}", world.browsers[first].events);
}
