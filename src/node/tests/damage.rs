//! Whatever record a device loses of all that it stores, and however: what was lost is named or comes again, and it never
//! writes on as if nothing had been.

use super::*;
use crate::{
    storage::{Files, MemoryBackend, PageKey},
    testing::Seeded,
};

/// Ways in which a record can be wrong.
const FAULTS: [&str; 3] = ["flipped", "cut short", "gone"];

fn spoil(backend: &mut MemoryBackend, key: &PageKey, fault: &str) {
    let Some(record) = backend.page_mut(key) else { panic!("no {key:?}") };
    let middle = record.len() / 2;
    match fault {
        "flipped" => record[middle] ^= 1,
        "cut short" => record.truncate(middle),
        _ => backend.remove_page(key),
    }
}

#[test]
fn whatever_record_a_device_loses_it_says_so_or_has_it_again() {
    let mut world = World::new(80);
    world.lazy = false;
    let (first, key) = sign_up(&mut world);
    let second = world.browser(Some(key));
    let_in(&mut world, first, second, true);
    let call = Call::CreateSpace { title: "Garden".into() };
    let Ok(Reply::Space(garden)) = world.call(second, call) else { panic!("no space") };
    for n in 0..12 {
        world.call(first, post(&format!("theirs/{n:02}"), &"x".repeat(700))).unwrap();
        world.call(second, put(&format!("mine/{n:02}"), "y", n % 2 == 0)).unwrap();
    }
    let has = |world: &World, at: usize| {
        let mut has = keys(world, at);
        has.sort();
        has
    };
    world.until("level", |world| has(world, first) == has(world, second) && has(world, first).len() >= 24);
    world.run(10_000);
    world.kill(second);
    let (mut whole, remembered) = world.copy(second);
    let mut files = Files::load(whole.snapshot()).unwrap();
    whole.compact(&files.checkpoint().unwrap());
    let records: Vec<PageKey> =
        whole.snapshot().pages.into_iter().map(|(key, _)| key).filter(|key| !key.file.is_empty()).collect();
    assert!(records.len() > 12, "{records:?}");
    let (mut refused, mut stopped) = (Vec::new(), Vec::new());
    // Records of feeds are tried in every way below (`feed/tests/damage.rs`, `space/space/tests/faults.rs`): here each in one.
    let one =
        |at: usize, record: &PageKey| record.file.starts_with("feed/").then(|| FAULTS[at % FAULTS.len()]);
    let cases = records.iter().enumerate().flat_map(|(at, record)| {
        let faults = one(at, record).map_or_else(|| FAULTS.to_vec(), |fault| vec![fault]);
        faults.into_iter().map(move |fault| (record, fault))
    });
    for (at, (record, fault)) in cases.enumerate() {
        let mut backend = whole.clone();
        spoil(&mut backend, record, fault);
        let files = Files::load(backend.snapshot()).unwrap();
        assert!(!files.damage().is_empty(), "{record:?} {fault} is not noticed");
        let (options, entropy) = (world.browsers[second].options.clone(), Box::new(Seeded::new(1)));
        if let Err(error) = Node::open(files, options, remembered.as_deref(), entropy, world.now) {
            // Who it is cannot come from anybody else: it says which file, and what to do.
            assert_eq!(error.code, ErrorCode::Corrupt, "{record:?} {fault}: {error}");
            assert!(error.message.contains(&record.file) && error.message.contains("anew"), "{error}");
            stopped.push(record.file.clone());
            continue;
        }
        world.browsers[second].events.clear();
        world.restore(second, (backend, remembered.clone()));
        let end = world.now + 120_000;
        let level = |world: &World| {
            has(world, second) == has(world, first)
                && world.node(second).spaces().iter().any(|view| view.space.key() == garden)
        };
        while !level(&world) {
            assert!(world.now < end, "{record:?} {fault}: {:?}", has(&world, second).len());
            world.run(100);
        }
        let named = |event: &Event| matches!(event, Event::Failed(error) if error.code == ErrorCode::Corrupt);
        let told = world.browsers[second].events.iter().filter(|event| named(event)).count();
        assert_eq!(told, 1, "{record:?} {fault}");
        // A feed of which the end may be lost is never continued: nobody sees two of one index.
        let after = format!("after/{at:03}");
        match world.call(second, post(&after, fault)) {
            // Known to others before the old state comes back, which is then like an old back-up.
            Ok(_) => world.until("it is told", |world| has(world, first).contains(&after)),
            Err(error) => {
                assert_eq!(error.code, ErrorCode::NotAuthorised, "{record:?} {fault}: {error}");
                refused.push(record.file.clone());
            }
        }
    }
    println!(
        "{} records; stopped by {stopped:?}; read on and wrote no more after {refused:?}",
        records.len()
    );
    assert!(stopped.iter().all(|file| file == "node/account"), "{stopped:?}");
    assert!(refused.iter().all(|file| file.starts_with("feed/")), "{refused:?}");
}
