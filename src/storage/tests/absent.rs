//! Pages that are on the disk only: what opening reads of them, and what is found when they come.

use super::*;

/// Any page record that is gone is missed, also if it was the last of its file or all of it.
#[test]
fn missing_pages_are_found_until_they_are_no_longer_expected() {
    let (mut files, mut backend) = (Files::new(), MemoryBackend::new());
    let (a, b) = (files.file("a"), files.file("b"));
    files.write(a, 0, &pattern(3 * PAGE_SIZE, 3)).unwrap();
    files.write(b, 5, b"small").unwrap();
    backend.compact(&files.checkpoint().unwrap());
    files.clear(a, 0, PAGE).unwrap();
    backend.commit(&files.take_batch().unwrap());
    assert!(!Files::load(backend.snapshot()).unwrap().is_incomplete());
    backend.compact(&files.checkpoint().unwrap());
    assert!(
        !Files::load(backend.snapshot()).unwrap().is_incomplete(),
        "a page that was given back is not missed"
    );
    for key in backend.snapshot().pages.into_iter().map(|(key, _)| key) {
        let mut backend = backend.clone();
        backend.remove_page(&key);
        let mut files = Files::load(backend.snapshot()).unwrap();
        if key.file.is_empty() {
            assert!(files.is_incomplete() && files.damage() == [Damage::Pages], "{key:?}");
        } else {
            // Which one it is was written down.
            assert_eq!(files.damage(), [Damage::Page { file: key.file.clone(), page: key.page }]);
            let id = files.file(&key.file);
            assert!(matches!(files.read(id, key.page * PAGE, 1), Err(StorageError::Damaged { .. })));
            files.heal(id);
        }
        backend.compact(&files.checkpoint().unwrap());
        assert!(Files::load(backend.snapshot()).unwrap().damage().is_empty(), "{key:?}");
    }
}

/// A backend as one was before the last compaction wrote down which pages there are: it left the sum of their names.
fn of_old(backend: &MemoryBackend) -> MemoryBackend {
    let (mut old, mut sum) = (backend.clone(), [0; 16]);
    let head = PageKey { file: String::new(), page: 0 };
    for (key, _) in backend.snapshot().pages {
        match key.file.is_empty() {
            true => old.remove_page(&key),
            false => page::add_name(&mut sum, &key.file, key.page),
        }
    }
    let sequence = page::decode(&head, backend.page(&head).unwrap()).unwrap().1[..8].to_vec();
    let record = page::encode(&head, 24, &[sequence, sum.to_vec()].concat());
    old.compact(&Compaction { puts: vec![(head, record)], deletes: Vec::new(), through: 0 });
    old
}

/// Databases without a directory, and those whose directory would be too long, open by the names of all records; the next
/// compaction writes one if it can.
#[test]
fn without_a_directory_all_names_are_listed() {
    let (mut files, mut backend) = (Files::new(), MemoryBackend::new());
    let id = files.file("feed/a/data");
    files.write(id, 0, &pattern(3 * PAGE_SIZE, 3)).unwrap();
    let small = files.file("small");
    files.write(small, 0, b"small").unwrap();
    backend.compact(&files.checkpoint().unwrap());
    assert!(to_open(&backend.snapshot().pages, is_lazy).is_some());
    let old = of_old(&backend);
    assert!(to_open(&old.snapshot().pages, is_lazy).is_none());
    for key in [None, Some(PageKey { file: "small".into(), page: 0 })] {
        let mut old = old.clone();
        key.iter().for_each(|key| old.remove_page(key));
        let mut files = Files::load_lazy(old.lazy_snapshot(is_lazy), is_lazy, PAGE).unwrap();
        assert_eq!(files.is_incomplete(), key.is_some());
        let id = files.file("feed/a/data");
        assert_eq!(files.absent(&|_| true, 9).len(), 2);
        files.write(id, 3 * PAGE, b"more").unwrap();
        old.compact(&files.checkpoint().unwrap());
        assert!(to_open(&old.snapshot().pages, is_lazy).is_some());
        let again = Files::load_lazy(old.lazy_snapshot(is_lazy), is_lazy, PAGE).unwrap();
        assert!(again.damage().is_empty() && again.absent(&|_| true, 9).len() == 3);
    }

    for n in 0..3000 {
        let id = files.file(&format!("{n:04}{}", "-".repeat(100)).chars().rev().collect::<String>());
        files.write(id, 0, b"x").unwrap();
    }
    backend.compact(&files.checkpoint().unwrap());
    assert!(to_open(&backend.snapshot().pages, is_lazy).is_some(), "names share what they begin with");
    for n in 0..6000_u32 {
        let name: String = blake2b(&[&n.to_le_bytes()]).to_string();
        let id = files.file(&name);
        files.write(id, 0, b"x").unwrap();
    }
    let compaction = files.checkpoint().unwrap();
    backend.compact(&compaction);
    assert!(to_open(&backend.snapshot().pages, is_lazy).is_none(), "too many files");
    let told = |backend: &MemoryBackend| {
        backend.snapshot().pages.iter().filter(|(key, _)| key.file.is_empty()).count()
    };
    assert_eq!(told(&backend), 1);
    let mut files = Files::load_lazy(backend.lazy_snapshot(is_lazy), is_lazy, PAGE).unwrap();
    assert!(files.damage().is_empty() && files.names("").len() == 9002);
    // A few are deleted again.
    for name in files.names("") {
        if name.len() == 64 {
            files.delete(&name);
        }
    }
    backend.compact(&files.checkpoint().unwrap());
    let files = Files::load_lazy(backend.lazy_snapshot(is_lazy), is_lazy, PAGE).unwrap();
    assert!(files.damage().is_empty() && files.names("").len() == 3002);
    assert!(to_open(&backend.snapshot().pages, is_lazy).is_some() && told(&backend) > 1);
}

/// What opening reads does not grow with a file: neither records nor bytes, nor what is kept of those that were not read.
#[test]
fn opening_reads_as_much_of_a_large_file_as_of_a_small_one() {
    let opened = [2, 20, 2000].map(|pages: usize| {
        let (mut files, mut backend) = (Files::new(), MemoryBackend::new());
        let id = files.file("feed/a/data");
        files.write(id, 0, &vec![7; pages * PAGE_SIZE]).unwrap();
        backend.compact(&files.checkpoint().unwrap());
        let snapshot = backend.lazy_snapshot(is_lazy);
        let bytes: usize = snapshot.pages.iter().map(|(_, record)| record.len()).sum();
        let read = snapshot.pages.len();
        let files = Files::load_lazy(snapshot, is_lazy, PAGE).unwrap();
        assert_eq!(files.memory().absent, pages - 1);
        (read, bytes / 8, files.files.iter().map(|file| file.pages.len()).sum::<usize>())
    });
    assert!(opened.iter().all(|one| *one == opened[0]), "{opened:?}");
}

/// What of a lazy file is damaged or gone shows when it is read, is named then, and heals as always.
#[test]
fn damage_of_an_absent_page_is_named_when_it_is_supplied() {
    let (mut files, mut backend) = (Files::new(), MemoryBackend::new());
    let id = files.file("feed/a/data");
    files.write(id, 0, &pattern(4 * PAGE_SIZE, 3)).unwrap();
    backend.compact(&files.checkpoint().unwrap());
    let key = |page| PageKey { file: "feed/a/data".into(), page };
    backend.page_mut(&key(0)).unwrap()[40] ^= 1;
    let mut files = Files::load_lazy(backend.lazy_snapshot(is_lazy), is_lazy, PAGE).unwrap();
    let id = files.file("feed/a/data");
    assert!(files.damage().is_empty());
    // It goes while the node runs: its name was there.
    backend.remove_page(&key(1));
    let missed = files.read(id, 0, 4 * PAGE_SIZE);
    assert_eq!(missed, Err(StorageError::Absent { pages: vec![key(0), key(1), key(2)] }));
    // Written while absent, in part: that is lost with the rest of a damaged page, and kept on a good one.
    files.write(id, 5, b"patch").unwrap();
    files.write(id, 2 * PAGE + 5, b"patch").unwrap();
    let damaged: Vec<bool> = (0..3).map(|page| files.supply(&key(page), backend.page(&key(page)))).collect();
    assert_eq!(damaged, [true, true, false]);
    assert_eq!(files.read(id, 2 * PAGE + 5, 5).unwrap(), b"patch");
    assert_eq!(files.damage().len(), 2);
    assert!(matches!(files.read(id, 0, 10), Err(StorageError::Damaged { .. })));
    assert_eq!(files.heal(id), vec![0..PAGE, PAGE..2 * PAGE]);
    assert!(files.damage().is_empty());
    backend.compact(&files.checkpoint().unwrap());
    assert!(Files::load(backend.snapshot()).unwrap().damage().is_empty());
}

/// Folding needs all of a page: what was written on an absent one waits in the journal until it is supplied.
#[test]
fn a_compaction_waits_for_absent_pages() {
    let (mut files, mut backend) = (Files::new(), MemoryBackend::new());
    let id = files.file("feed/a/data");
    files.write(id, 0, &pattern(3 * PAGE_SIZE, 3)).unwrap();
    backend.compact(&files.checkpoint().unwrap());
    let mut files = Files::load_lazy(backend.lazy_snapshot(is_lazy), is_lazy, PAGE).unwrap();
    let id = files.file("feed/a/data");
    files.write(id, PAGE + 100, b"patch").unwrap();
    backend.commit(&files.take_batch().unwrap());
    assert_eq!(files.compaction(true), None);
    let wanted = files.take_wanted();
    assert_eq!(wanted, [PageKey { file: "feed/a/data".into(), page: 1 }]);
    files.supply(&wanted[0], backend.page(&wanted[0]));
    let compaction = files.compaction(true).unwrap();
    // Until it is durable, the bytes are nowhere else.
    files.trim();
    assert_eq!(files.read(id, PAGE + 100, 5).unwrap(), b"patch");
    backend.compact(&compaction);
    files.committed(compaction.through);
    files.trim();
    assert_eq!(files.memory().clean, PAGE);
    assert!(
        files.absent(&|_| true, 9).len() == 2 && Files::load(backend.snapshot()).unwrap().damage().is_empty()
    );
}

/// Who reads a file through asks the disk a few times, for more each time; who looks here and there gets what was asked for.
#[test]
fn who_reads_on_is_read_ahead_for_further_each_time() {
    let (mut files, mut backend) = (Files::new(), MemoryBackend::new());
    let id = files.file("feed/a/data");
    let bytes: Vec<u8> = (0..600_usize).flat_map(|page| [page as u8; PAGE_SIZE]).collect();
    files.write(id, 0, &bytes).unwrap();
    backend.compact(&files.checkpoint().unwrap());
    let mut files = Files::load_lazy(backend.lazy_snapshot(is_lazy), is_lazy, PAGE).unwrap();
    let id = files.file("feed/a/data");
    let mut asked = Vec::new();
    // Three here and there, then all; the last one is here from the opening on.
    for page in [300, 100, 200].into_iter().chain(0..600) {
        if files.read(id, page * PAGE, 1).is_err() {
            // Whoever misses a page again before it has come asks for no more.
            assert!(files.read(id, page * PAGE + 5, 9).is_err_and(|error| error.is_absent()));
            let wanted = files.take_wanted();
            asked.push(wanted.len());
            wanted.iter().for_each(|key| assert!(!files.supply(key, backend.page(key))));
        }
        assert_eq!(files.read(id, page * PAGE, 1).unwrap(), [page as u8]);
    }
    // Of those ahead only what is not here: of 2 MiB at most, and one that was missed.
    assert_eq!(asked, [1, 1, 1, 1, 17, 33, 64, 128, 128, 129, 96]);
}
