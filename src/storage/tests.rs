mod absent;

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::crypto::blake2b;

type Model = HashMap<String, Vec<u8>>;

#[derive(Clone, Debug)]
enum Action {
    Write {
        file: usize,
        offset: u64,
        length: usize,
        fill: u8,
    },
    Append {
        file: usize,
        length: usize,
        fill: u8,
    },
    Clear {
        file: usize,
        offset: u64,
        length: u64,
    },
    Truncate {
        file: usize,
        length: u64,
    },
    Delete {
        file: usize,
    },
    TakeBatch,
    TakeCommit,
    Compact {
        force: bool,
    },
    Checkpoint,
    /// The backend applies this many of what was taken, in order.
    Flush {
        most: usize,
    },
    /// What the backend has not applied is lost.
    Crash,
}

const NAMES: [&str; 3] = ["feed/a/data", "feed/a/tree", "b"];

fn action() -> impl Strategy<Value = Action> {
    let far = prop_oneof![3 => 0_u64..70_000, 1 => (0_u64..5).prop_map(|page| page * PAGE)];
    prop_oneof![
        4 => (0..3_usize, far.clone(), 0_usize..40_000, any::<u8>())
            .prop_map(|(file, offset, length, fill)| Action::Write { file, offset, length, fill }),
        4 => (0..3_usize, 1_usize..300, any::<u8>())
            .prop_map(|(file, length, fill)| Action::Append { file, length, fill }),
        2 => (0..3_usize, far.clone(), 0_u64..40_000)
            .prop_map(|(file, offset, length)| Action::Clear { file, offset, length }),
        2 => (0..3_usize, far).prop_map(|(file, length)| Action::Truncate { file, length }),
        1 => (0..3_usize).prop_map(|file| Action::Delete { file }),
        4 => Just(Action::TakeBatch),
        1 => Just(Action::TakeCommit),
        1 => any::<bool>().prop_map(|force| Action::Compact { force }),
        1 => Just(Action::Checkpoint),
        3 => (0_usize..4).prop_map(|most| Action::Flush { most }),
        2 => Just(Action::Crash),
    ]
}

/// Bytes that differ from place to place, so that a shifted read shows.
fn pattern(length: usize, fill: u8) -> Vec<u8> {
    (0..length).map(|i| fill.wrapping_add((i % 251) as u8) | 1).collect()
}

fn assert_same(files: &Files, model: &Model) {
    let mut names: Vec<_> =
        model.iter().filter(|(_, bytes)| !bytes.is_empty()).map(|(n, _)| n.clone()).collect();
    names.sort();
    assert_eq!(files.names(""), names);
    for (name, bytes) in model {
        let Some(id) = files.names.get(name) else {
            assert!(bytes.is_empty());
            continue;
        };
        assert_eq!(files.len(*id), bytes.len() as u64, "{name}");
        assert_eq!(&files.read(*id, 0, bytes.len()).unwrap(), bytes, "{name}");
        assert!(files.read(*id, 0, bytes.len() + 1).is_err());
    }
}

fn is_lazy(name: &str) -> Residency {
    match name {
        name if name.ends_with("/data") => Residency::Lazy,
        name if name.ends_with("/tree") => Residency::Once,
        _ => Residency::Always,
    }
}

/// Now and then, by what there is.
fn now_and_then(model: &Model) -> bool {
    model.values().map(Vec::len).sum::<usize>() % 4 == 0
}

/// Supplies what a read misses until it misses nothing.
fn supply_all(files: &mut Files, backend: &MemoryBackend) {
    let supply = |files: &mut Files, pages: Vec<PageKey>| {
        for key in pages {
            assert!(!files.supply(&key, backend.page(&key)), "{key:?} is damaged");
        }
    };
    // What a compaction missed, which was refused for it.
    let missed = files.take_wanted();
    supply(files, missed);
    let ids: Vec<FileId> = files.names.values().copied().collect();
    for id in ids {
        let length = usize::try_from(files.len(id)).unwrap();
        while let Err(StorageError::Absent { pages }) = files.read(id, 0, length) {
            assert_eq!(files.take_wanted(), pages);
            supply(files, pages);
        }
    }
}

proptest! {
    #![proptest_config(crate::testing::cases(192))]

    /// Any sequence of changes, commits and crashes gives what a map of byte vectors gives.
    #[test]
    fn files_are_byte_vectors(actions in prop::collection::vec(action(), 1..60), lazy: bool) {
        let (mut files, mut backend) = (Files::new(), MemoryBackend::new());
        let mut model = Model::new();
        // Taken but not applied: what to apply, and the model as it was when it was taken.
        let mut queue: Vec<(Commit, Model)> = Vec::new();
        let mut durable = Model::new();
        for action in actions {
            match action {
                Action::Write { file, offset, length, fill } => {
                    let id = files.file(NAMES[file]);
                    files.write(id, offset, &pattern(length, fill)).unwrap();
                    if length > 0 {
                        let bytes = model.entry(NAMES[file].into()).or_default();
                        let end = offset as usize + length;
                        bytes.resize(bytes.len().max(end), 0);
                        bytes[offset as usize..end].copy_from_slice(&pattern(length, fill));
                    }
                }
                Action::Append { file, length, fill } => {
                    let id = files.file(NAMES[file]);
                    files.write(id, files.len(id), &pattern(length, fill)).unwrap();
                    model.entry(NAMES[file].into()).or_default().extend(pattern(length, fill));
                }
                Action::Clear { file, offset, length } => {
                    let id = files.file(NAMES[file]);
                    files.clear(id, offset, length).unwrap();
                    let bytes = model.entry(NAMES[file].into()).or_default();
                    let start = (offset as usize).min(bytes.len());
                    let end = (offset + length).min(bytes.len() as u64) as usize;
                    bytes[start..end.max(start)].fill(0);
                }
                Action::Truncate { file, length } => {
                    let id = files.file(NAMES[file]);
                    files.truncate(id, length);
                    model.entry(NAMES[file].into()).or_default().truncate(length as usize);
                }
                Action::Delete { file } => {
                    files.delete(NAMES[file]);
                    model.remove(NAMES[file]);
                }
                Action::TakeBatch => {
                    queue.extend(files.take_batch().map(|batch| (Commit::Batch(batch), model.clone())));
                }
                Action::TakeCommit => queue.extend(files.take_commit().map(|commit| (commit, model.clone()))),
                Action::Compact { force } => {
                    queue.extend(files.compaction(force).map(|c| (Commit::Compaction(c), model.clone())));
                }
                Action::Checkpoint => {
                    queue.extend(files.checkpoint().map(|c| (Commit::Compaction(c), model.clone())));
                }
                Action::Flush { most } => {
                    for (commit, then) in queue.drain(..most.min(queue.len())) {
                        backend.apply(&commit);
                        files.committed(commit.seq());
                        durable = then;
                    }
                }
                Action::Crash => {
                    queue.clear();
                    files = match lazy {
                        true => Files::load_lazy(backend.lazy_snapshot(is_lazy), is_lazy, PAGE).unwrap(),
                        false => Files::load(backend.snapshot()).unwrap(),
                    };
                    prop_assert!(files.damage().is_empty());
                    model = durable.clone();
                }
            }
            // One that is lazy is seldom read as a whole, so that it is written where it is absent.
            if !lazy || now_and_then(&model) {
                if lazy {
                    supply_all(&mut files, &backend);
                }
                assert_same(&files, &model);
            }
            files.trim();
            if lazy {
                let memory = files.memory();
                prop_assert!(memory.clean <= memory.budget || memory.budget == 0, "{memory:?}");
            }
        }
        if lazy {
            supply_all(&mut files, &backend);
            assert_same(&files, &model);
        }
        for (commit, then) in queue {
            backend.apply(&commit);
            durable = then;
        }
        assert_same(&Files::load(backend.snapshot()).unwrap(), &durable);
    }

    /// A flipped bit is found and named wherever it is.
    #[test]
    fn any_flipped_bit_is_found(place in any::<prop::sample::Index>(), bit in 0_u8..8, which in 0_usize..4) {
        let mut backend = MemoryBackend::new();
        let mut files = Files::new();
        let id = files.file("data");
        files.write(id, 0, &pattern(20_000, 7)).unwrap();
        backend.compact(&files.checkpoint().unwrap());
        for fill in 0..3 {
            files.write(id, files.len(id), &pattern(50, fill)).unwrap();
            backend.commit(&files.take_batch().unwrap());
        }
        let record = match which {
            0 => backend.page_mut(&PageKey { file: "data".into(), page: 1 }).unwrap(),
            1 => backend.page_mut(&PageKey { file: String::new(), page: 0 }).unwrap(),
            2 => backend.journal_mut(3).unwrap(),
            _ => backend.journal_mut(4).unwrap(),
        };
        let at = place.index(record.len());
        record[at] ^= 1 << bit;
        match (which, Files::load(backend.snapshot())) {
            (0, Ok(files)) => {
                let damage = Damage::Page { file: "data".into(), page: 1 };
                prop_assert_eq!(files.damage(), std::slice::from_ref(&damage));
                prop_assert_eq!(files.read(id, 0, 16_384).unwrap(), &pattern(20_000, 7)[..16_384]);
                prop_assert_eq!(files.read(id, 16_000, 500), Err(StorageError::Damaged { what: damage }));
            }
            (1, Err(error)) => prop_assert_eq!(error, StorageError::Damaged { what: Damage::Compaction }),
            (2, Ok(mut files)) => {
                // In the middle: what stands before it is there, and what rested on it never comes back.
                prop_assert!(files.is_torn());
                prop_assert_eq!(files.damage(), &[Damage::Journal { seq: 3 }, Damage::Journal { seq: 4 }]);
                prop_assert_eq!(files.len(id), 20_050);
                files.write(id, 0, b"x").unwrap();
                prop_assert_eq!(files.take_batch(), None);
                backend.compact(&files.checkpoint().unwrap());
                files.write(id, 1, b"y").unwrap();
                backend.commit(&files.take_batch().unwrap());
                let files = Files::load(backend.snapshot()).unwrap();
                prop_assert!(files.damage().is_empty() && !files.is_torn());
                prop_assert_eq!(files.len(id), 20_050);
                prop_assert_eq!(files.read(id, 0, 2).unwrap(), b"xy");
            }
            (3, Ok(mut files)) => {
                // At the end: never whole. The next batch takes its place.
                prop_assert_eq!(files.damage(), &[Damage::Journal { seq: 4 }]);
                prop_assert_eq!(files.len(id), 20_100);
                files.write(id, 0, b"x").unwrap();
                let batch = files.take_batch().unwrap();
                prop_assert_eq!(batch.seq, 4);
                backend.commit(&batch);
                prop_assert!(Files::load(backend.snapshot()).unwrap().damage().is_empty());
            }
            (which, result) => prop_assert!(false, "{} {:?}", which, result.map(|_| ())),
        }
    }

    /// Decoders get any bytes.
    #[test]
    fn any_bytes_never_panic(page: Vec<u8>, journal: Vec<u8>, number: u64, seq: u64) {
        let key = PageKey { file: "x".into(), page: number };
        let _ = Files::load(Snapshot { pages: vec![(key, page)], journal: vec![(seq, journal.clone())], ..Snapshot::default() });
        // With a right checksum, too.
        let _ = Files::load(Snapshot { journal: vec![(1, with_checksum(&journal))], ..Snapshot::default() });
    }
}

fn with_checksum(body: &[u8]) -> Vec<u8> {
    let mut writer = record::begin();
    writer.raw(body);
    record::seal(1, writer)
}

#[test]
fn a_missing_journal_record_ends_the_journal() {
    let (mut files, mut backend) = (Files::new(), MemoryBackend::new());
    let id = files.file("a");
    for round in 0..3 {
        files.write(id, round, b"x").unwrap();
        backend.commit(&files.take_batch().unwrap());
    }
    let mut snapshot = backend.snapshot();
    snapshot.journal.remove(1);
    let mut files = Files::load(snapshot).unwrap();
    assert!(files.is_torn());
    assert_eq!(files.damage(), &[Damage::Missing { expected: 2, got: 3 }, Damage::Journal { seq: 3 }]);
    assert_eq!(files.len(id), 1);
    assert!(files.compaction(false).unwrap().through > 3, "what rests on the missing one goes for good");
}

#[test]
fn swapped_pages_are_found() {
    let (mut files, mut backend) = (Files::new(), MemoryBackend::new());
    let id = files.file("a");
    files.write(id, 0, &pattern(2 * PAGE_SIZE, 3)).unwrap();
    backend.compact(&files.checkpoint().unwrap());
    let mut snapshot = backend.snapshot();
    let (first, second) = (snapshot.pages[1].1.clone(), snapshot.pages[2].1.clone());
    (snapshot.pages[1].1, snapshot.pages[2].1) = (second, first);
    assert_eq!(Files::load(snapshot).unwrap().damage().len(), 2);
}

#[test]
fn a_damaged_page_is_mended_by_healing_and_by_writing_all_of_it() {
    let (mut files, mut backend) = (Files::new(), MemoryBackend::new());
    let id = files.file("a");
    files.write(id, 0, &pattern(3 * PAGE_SIZE, 3)).unwrap();
    backend.compact(&files.checkpoint().unwrap());
    for page in 0..2 {
        backend.page_mut(&PageKey { file: "a".into(), page }).unwrap()[30] ^= 1;
    }
    let mut files = Files::load(backend.snapshot()).unwrap();
    let id = files.file("a");
    assert!(files.write(id, 0, b"part").is_err());
    files.write(id, 0, &pattern(PAGE_SIZE, 9)).unwrap();
    assert_eq!(files.read(id, 0, PAGE_SIZE).unwrap(), pattern(PAGE_SIZE, 9));
    assert_eq!(files.heal(id), vec![PAGE..2 * PAGE]);
    assert!(files.damage().is_empty());
    assert_eq!(files.read(id, PAGE, PAGE_SIZE).unwrap(), vec![0; PAGE_SIZE]);
    backend.commit(&files.take_batch().unwrap());
    backend.compact(&files.checkpoint().unwrap());
    let files = Files::load(backend.snapshot()).unwrap();
    assert!(files.damage().is_empty());
    assert_eq!(files.read(id, 0, PAGE_SIZE).unwrap(), pattern(PAGE_SIZE, 9));
}

#[test]
fn a_far_write_takes_no_room() {
    let (mut files, mut backend) = (Files::new(), MemoryBackend::new());
    let id = files.file("sparse");
    let far = crate::codec::MAX_SAFE - 10;
    files.write(id, far, b"0123456789").unwrap();
    assert!(matches!(files.write(id, far, b"0123456789a"), Err(StorageError::TooLarge { .. })));
    let batch = files.take_batch().unwrap();
    assert!(batch.record.len() < 100);
    backend.commit(&batch);
    backend.compact(&files.checkpoint().unwrap());
    assert!(backend.size() < 2 * PAGE_SIZE);
    let files = Files::load(backend.snapshot()).unwrap();
    assert_eq!(files.read(id, far - 3, 5).unwrap(), b"\0\0\x0001");
    assert!(files.read(id, 0, usize::MAX).is_err());
}

/// The last page tells the length, so it is written again when only the length changed.
#[test]
fn a_cut_between_pages_keeps_its_length() {
    let (mut files, mut backend) = (Files::new(), MemoryBackend::new());
    let id = files.file("a");
    files.write(id, 0, &pattern(2 * PAGE_SIZE, 3)).unwrap();
    backend.compact(&files.checkpoint().unwrap());
    files.truncate(id, PAGE);
    backend.compact(&files.checkpoint().unwrap());
    let files = Files::load(backend.snapshot()).unwrap();
    assert!(files.damage().is_empty());
    assert_eq!(files.len(id), PAGE);
}

/// A compaction may reach the backend before a batch that it covers.
#[test]
fn a_compaction_may_overtake_batches() {
    let (mut files, mut backend) = (Files::new(), MemoryBackend::new());
    let id = files.file("a");
    files.write(id, 0, b"first, long").unwrap();
    backend.commit(&files.take_batch().unwrap());
    files.truncate(id, 5);
    let late = files.take_batch().unwrap();
    files.write(id, 0, b"F").unwrap();
    assert_eq!(files.compaction(true), None, "something is pending");
    let later = files.take_batch().unwrap();
    backend.compact(&files.compaction(true).unwrap());
    backend.commit(&late);
    backend.commit(&later);
    let mut files = Files::load(backend.snapshot()).unwrap();
    assert_eq!(files.read(id, 0, 5).unwrap(), b"First");
    assert_eq!(files.len(id), 5);
    files.write(id, 5, b"!").unwrap();
    let batch = files.take_batch().unwrap();
    // The compaction has one of its own.
    assert_eq!(batch.seq, later.seq + 2);
    backend.commit(&batch);
    assert_eq!(Files::load(backend.snapshot()).unwrap().read(id, 0, 6).unwrap(), b"First!");
}

#[test]
fn names_are_limited() {
    let mut files = Files::new();
    for name in ["", &"x".repeat(MAX_NAME + 1)] {
        let id = files.file(name);
        assert!(matches!(files.write(id, 0, b"x"), Err(StorageError::Name { .. })));
    }
    let id = files.file(&"x".repeat(MAX_NAME));
    files.write(id, 0, b"x").unwrap();
}

#[test]
fn a_batch_holds_every_byte_once() {
    let mut files = Files::new();
    let (a, b) = (files.file("a"), files.file("b"));
    for _ in 0..1000 {
        files.write(a, files.len(a), &[1; 100]).unwrap();
        files.write(b, 0, &[2; 100]).unwrap();
    }
    let batch = files.take_batch().unwrap();
    assert!(batch.record.len() < 100_000 + 100 + 60, "{}", batch.record.len());
}

#[test]
fn a_batch_is_relaxed_only_if_all_that_changed_may_be() {
    let mut files = Files::new();
    let (ours, theirs) = (files.file("feed/ours/data"), files.file("feed/theirs/data"));
    let may_relax = |name: &str| name.starts_with("feed/theirs/");
    let mut durability = |changed: &[FileId]| {
        for file in changed {
            files.write(*file, files.len(*file), b"x").unwrap();
        }
        files.take_batch_where(&may_relax).map(|batch| Commit::Batch(batch).durability())
    };
    assert_eq!(durability(&[theirs]), Some(Durability::Relaxed));
    assert_eq!(durability(&[theirs, ours]), Some(Durability::Strict));
    assert_eq!(durability(&[ours]), Some(Durability::Strict));
    assert_eq!(durability(&[]), None);
    files.write(theirs, 0, b"y").unwrap();
    assert_eq!(files.take_batch().unwrap().durability, Durability::Strict, "if nobody says so");
    assert_eq!(Commit::Compaction(files.checkpoint().unwrap()).durability(), Durability::Strict);
}
