//! What opening reads does not grow with the history: counted, not timed. `HYPHA_MANY=100000` counts for as many entries.

use crate::{
    feed::want_opening,
    space::{
        Range, SpaceError, residency,
        space::{
            Space,
            tests::{Device, meet, put},
        },
    },
    storage::{BUDGET, Files, MemoryBackend},
    testing::asked,
};

/// What was read of a space with so many entries.
#[derive(Clone, Copy, Debug)]
struct Opened {
    /// Records that the database gave until the space was open, until one old value was read, and until the newest 50 were.
    open: usize,
    first: usize,
    fifty: usize,
    /// Bytes of all of them.
    bytes: usize,
    /// Bytes of pages in memory then.
    resident: u64,
    /// Pages that were left on the disk.
    absent: usize,
    /// Sealed parts that were opened at unlocking.
    placed: u64,
    /// Facts that the access engine knows.
    facts: usize,
}

/// Which of a space's entries are sealed.
#[derive(Clone, Copy, PartialEq)]
enum Private {
    None,
    All,
    /// Every other one.
    Half,
    /// All, and what is stored of them is gone: as if it had never been.
    Unstored,
}

fn opened(entries: usize, private: Private) -> Opened {
    let mut device = Device::founder(1);
    let value = "v".repeat(80);
    for start in (0..entries).step_by(500) {
        let writes = (start..entries.min(start + 500))
            .map(|n| {
                let sealed = private != Private::None && (private != Private::Half || n % 2 == 0);
                vec![put(&format!("n/{n:06}"), &value, sealed)]
            })
            .collect::<Vec<_>>();
        let Device { files, space, entropy, now, .. } = &mut device;
        assert!(space.write_many(files, *now, entropy, writes).iter().all(Result::is_ok));
        if space.is_checkpoint_due() {
            space.write_checkpoint(files).unwrap();
        }
        device.commit();
        if let Some(compaction) = device.files.compaction(false) {
            device.backend.compact(&compaction);
        }
    }
    measured(device, entries, private)
}

/// The same of entries that two devices write, each after the one of the other, and a third now and then.
fn answering(entries: usize) -> Opened {
    let (mut a, mut b, mut c) = (Device::founder(1), Device::asker(2), Device::asker(3));
    for other in [&mut b, &mut c] {
        a.grant(other);
        meet(&mut a, other);
    }
    let value = "v".repeat(80);
    for n in 0..entries {
        let (from, to) = if n % 2 == 0 { (&mut a, &mut b) } else { (&mut b, &mut a) };
        from.put(&format!("n/{n:06}"), &value);
        to.pull(from, &from.key(), u64::MAX);
        if n % 100 == 50 {
            c.pull_all(&a);
            c.put(&format!("c/{n:06}"), &value);
            a.pull(&c, &c.key(), u64::MAX);
            b.pull(&c, &c.key(), u64::MAX);
        }
        if a.space.is_checkpoint_due() {
            a.space.write_checkpoint(&mut a.files).unwrap();
        }
        if n % 200 == 0 {
            a.commit();
            if let Some(compaction) = a.files.compaction(false) {
                a.backend.compact(&compaction);
            }
        }
    }
    measured(a, entries, Private::None)
}

/// Stores all of a device, and opens it from there.
fn measured(mut device: Device, entries: usize, private: Private) -> Opened {
    device.space.write_checkpoint(&mut device.files).unwrap();
    if private == Private::Unstored {
        for name in device.files.names(&format!("space/{}/view/sealed", device.space.key())) {
            device.files.delete(&name);
        }
    }
    device.commit();
    device.files.compaction(true).iter().for_each(|compaction| device.backend.compact(compaction));

    let (backend, key, keys) = (device.backend.clone(), device.space.key(), device.keys());
    drop(device);
    let snapshot = backend.lazy_snapshot(residency);
    assert!(snapshot.absent.is_empty(), "no names were listed");
    let mut bytes = snapshot.pages.iter().map(|(_, record)| record.len()).sum::<usize>();
    let mut records = snapshot.pages.len();
    let mut files = Files::load_lazy(snapshot, residency, BUDGET).unwrap();
    want_opening(&mut files);
    let mut read = |files: &mut Files, backend: &MemoryBackend| {
        for key in files.take_wanted() {
            let record = backend.page(&key);
            records += 1;
            bytes += record.map_or(0, <[u8]>::len);
            files.supply(&key, record);
        }
        (records, bytes)
    };
    let absent = |error: SpaceError| assert!(error.is_absent(), "{error}");
    let mut space = loop {
        read(&mut files, &backend);
        match Space::open(&mut files, key) {
            Ok(space) => break space,
            Err(error) => absent(error),
        }
    };
    assert!(!space.is_waiting());
    if private != Private::None {
        space.unlock(&mut files, keys).unwrap();
        while space.is_waiting() {
            read(&mut files, &backend);
            space.resume(&mut files).unwrap();
        }
    }
    let (placed, (open, _)) = (space.ledger.sealed, read(&mut files, &backend));
    let old = format!("n/{:06}", entries / 2);
    let first = loop {
        match space.get(&files, &old) {
            Ok(found) => {
                assert!(found.is_some());
                break read(&mut files, &backend).0;
            }
            Err(error) => absent(error),
        }
        read(&mut files, &backend);
    };
    let newest = Range { reverse: true, limit: Some(50), ..Range::default() };
    let (fifty, bytes) = loop {
        match space.list(&files, &newest) {
            Ok(found) => {
                assert_eq!(found.len(), 50);
                break read(&mut files, &backend);
            }
            Err(error) => absent(error),
        }
        read(&mut files, &backend);
    };
    let (memory, facts) = (files.memory(), space.access.facts());
    Opened { facts, open, first, fifty, bytes, resident: memory.resident, absent: memory.absent, placed }
}

/// Opens a space with a thousand entries and one with many, and compares.
fn compare(private: Private) -> (Opened, Opened) {
    let many = asked("HYPHA_MANY").unwrap_or(10_000);
    let (few, many) = (opened(1_000, private), opened(many, private));
    println!("{few:?}\n{many:?}");
    // A tree is as many pages higher as it is larger by powers of two, and a view has as many more runs.
    assert!(many.open <= few.open + 24 && many.first <= few.first + 32, "{few:?} {many:?}");
    assert!(many.fifty <= few.fifty + 40, "{few:?} {many:?}");
    assert!(many.bytes < 1_500_000 && many.resident < 2_000_000, "{few:?} {many:?}");
    assert!(many.absent > 2 * many.fifty, "most of it is on the disk: {many:?}");
    (few, many)
}

#[test]
fn what_opening_reads_does_not_grow_with_the_history() {
    compare(Private::None);
}

#[test]
fn what_opening_reads_does_not_grow_with_answers() {
    let many = asked("HYPHA_MANY").unwrap_or(10_000);
    let (few, many) = (answering(1_000), answering(many));
    println!("{few:?}\n{many:?}");
    assert_eq!(few.facts, many.facts, "only acts are in memory");
    // As `compare`, but with two trees that become higher.
    assert!(many.open <= few.open + 40 && many.first <= few.first + 48, "{few:?} {many:?}");
    assert!(many.fifty <= few.fifty + 56, "{few:?} {many:?}");
    assert!(many.bytes < 1_500_000 && many.resident < 2_000_000, "{few:?} {many:?}");
}

#[test]
fn what_unlocking_reads_does_not_grow_with_the_history() {
    for private in [Private::All, Private::Half] {
        let (few, many) = compare(private);
        assert_eq!((few.placed, many.placed), (0, 0), "sealed parts were opened that are stored");
    }
    // Without what is stored of it every entry is read and opened: so this is what is saved.
    let without = opened(2_000, Private::Unstored);
    println!("{without:?}");
    assert_eq!(without.placed, 2_001);
}
