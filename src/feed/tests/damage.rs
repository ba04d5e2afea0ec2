//! Flipped bits and lost pages: found, forgotten, fetched again.

use super::*;
use crate::{
    crypto::PublicKey,
    storage::{Damage, MemoryBackend, PageKey, Residency},
};

/// Blocks large enough to fill several pages of data and of tree.
fn large() -> Vec<Vec<u8>> {
    (0..1500_u32).map(|n| n.to_le_bytes().repeat(20)).collect()
}

/// Fetches from `source` all that `feed` lacks.
fn refetch(files: &mut Files, feed: &mut Feed, source: (&Files, &Feed), list: &[Vec<u8>]) {
    loop {
        let start = feed.next_missing(0);
        if start >= source.1.length() {
            return;
        }
        let end = feed.next_held(start).unwrap_or(source.1.length());
        let request = ProofRequest { blocks: start..end, from: feed.length(), to: source.1.length() };
        let proof = source.1.prove(source.0, &request).unwrap();
        feed.accept(files, &proof, &list[start as usize..end as usize]).unwrap();
    }
}

proptest! {
    #![proptest_config(crate::testing::cases(24))]

    /// A lost page never shows as wrong blocks: what it held is missing, and can be fetched again.
    #[test]
    fn a_lost_page_is_healed_from_a_peer(which in 0_usize..3, page in 0_u64..8, bit: prop::sample::Index) {
        let list = large();
        let mut theirs = Files::new();
        let source = written(&mut theirs, 7, &list, &[1500]);
        let (mut files, mut backend) = (Files::new(), MemoryBackend::new());
        let copy = written(&mut files, 7, &list, &[1500]);
        backend.compact(&files.checkpoint().unwrap());
        let name = ["data", "tree", "bits"][which];
        let pages = backend.snapshot().pages.iter().filter(|(key, _)| key.file.ends_with(name)).count() as u64;
        let key = PageKey { file: format!("feed/{}/{name}", copy.key()), page: page % pages };
        let record = backend.page_mut(&key).unwrap();
        let at = bit.index(record.len());
        record[at] ^= 1;

        let mut files = Files::load(backend.snapshot()).unwrap();
        prop_assert_eq!(files.damage().len(), 1);
        let mut feed = match Feed::open(&mut files, copy.key()) {
            Ok(feed) => feed,
            // A root was on it and nothing to make it from: all is fetched again.
            Err(FeedError::Damaged { what: "roots" }) => {
                Feed::remove(&mut files, &copy.key());
                Feed::open(&mut files, copy.key()).unwrap()
            }
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        };
        prop_assert!(files.damage().is_empty());
        for (index, block) in (0..).zip(&list) {
            prop_assert!(feed.get(&files, index).unwrap().is_none_or(|bytes| bytes == *block));
        }
        // Which blocks are held shows in their bytes.
        prop_assert_eq!(feed.next_missing(0) < feed.length().max(1), name != "bits");
        prop_assert!(feed.audit(&files).unwrap().damaged.is_empty());
        refetch(&mut files, &mut feed, (&theirs, &source), &list);
        assert_is(&files, &feed, &list, |_| true);
        prop_assert!(feed.audit(&files).unwrap().damaged.is_empty());
        // What was healed stays so.
        backend.commit(&files.take_batch().unwrap());
        let mut files = Files::load(backend.snapshot()).unwrap();
        let feed = Feed::open(&mut files, copy.key()).unwrap();
        assert_is(&files, &feed, &list, |_| true);
    }

    /// However a record of a feed is lost, and whichever it is: it is found, named, and what it held comes from a peer.
    #[test]
    fn whatever_is_lost_of_a_feed_is_healed_from_a_peer(which: prop::sample::Index, fault in 0_usize..3, place: prop::sample::Index) {
        let list = large();
        let mut theirs = Files::new();
        let source = written(&mut theirs, 7, &list, &[1500]);
        let (mut files, mut backend) = (Files::new(), MemoryBackend::new());
        let copy = written(&mut files, 7, &list, &[1500]);
        backend.compact(&files.checkpoint().unwrap());
        let keys: Vec<PageKey> =
            backend.snapshot().pages.into_iter().map(|(key, _)| key).filter(|key| !key.file.is_empty()).collect();
        let key = which.get(&keys);
        let record = backend.page_mut(key).unwrap();
        match fault {
            0 => {
                let at = place.index(record.len());
                record[at] ^= 0x10;
            }
            1 => record.truncate(place.index(record.len())),
            _ => backend.remove_page(key),
        }

        let mut files = Files::load(backend.snapshot()).unwrap();
        let page = Damage::Page { file: key.file.clone(), page: key.page };
        prop_assert_eq!(files.damage(), [page]);
        let mut feed = match Feed::open(&mut files, copy.key()) {
            Ok(feed) => feed,
            Err(FeedError::Damaged { what: "roots" | "head" }) => {
                Feed::remove(&mut files, &copy.key());
                Feed::open(&mut files, copy.key()).unwrap()
            }
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        };
        for (index, block) in (0..).zip(&list) {
            prop_assert!(feed.get(&files, index).unwrap().is_none_or(|bytes| bytes == *block), "{}", index);
        }
        refetch(&mut files, &mut feed, (&theirs, &source), &list);
        assert_is(&files, &feed, &list, |_| true);
        prop_assert!(feed.audit(&files).unwrap().damaged.is_empty());
        backend.compact(&files.checkpoint().unwrap());
        let mut files = Files::load(backend.snapshot()).unwrap();
        prop_assert!(files.damage().is_empty());
        let feed = Feed::open(&mut files, copy.key()).unwrap();
        assert_is(&files, &feed, &list, |_| true);
    }

    /// An audit finds any changed byte of blocks and nodes; forgetting and fetching mends it.
    #[test]
    fn an_audit_finds_any_changed_byte(list in blocks(1..60), at: prop::sample::Index, in_tree: bool, bit in 0_u8..8) {
        let mut theirs = Files::new();
        let source = written(&mut theirs, 7, &list, &[]);
        let mut files = Files::new();
        let mut feed = written(&mut files, 7, &list, &[]);
        let file = if in_tree { feed.paths.tree } else { feed.paths.data };
        prop_assume!(files.len(file) > 0);
        let place = at.index(files.len(file) as usize) as u64;
        let node = place / 40;
        let held = !in_tree || feed.node(&files, node).unwrap().is_some();
        let mut byte = files.read(file, place, 1).unwrap();
        byte[0] ^= 1 << bit;
        files.write(file, place, &byte).unwrap();
        match feed.audit(&files) {
            Err(FeedError::Damaged { what: "roots" }) => prop_assert!(feed.roots.iter().any(|root| in_tree && root.index == node)),
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
            Ok(audit) => {
                prop_assert_eq!(audit.damaged.len(), usize::from(held));
                feed.forget(&mut files, &audit).unwrap();
                if held {
                    prop_assert!(feed.audit(&files).unwrap().damaged.is_empty());
                    refetch(&mut files, &mut feed, (&theirs, &source), &list);
                    assert_is(&files, &feed, &list, |_| true);
                }
            }
        }
    }
}

#[test]
fn a_lost_head_says_so() {
    let (mut files, mut backend) = (Files::new(), MemoryBackend::new());
    let feed = written(&mut files, 7, &[b"x".to_vec()], &[]);
    backend.compact(&files.checkpoint().unwrap());
    backend.page_mut(&PageKey { file: format!("feed/{}/head", feed.key()), page: 0 }).unwrap()[20] ^= 1;
    let mut files = Files::load(backend.snapshot()).unwrap();
    let error = Feed::open(&mut files, feed.key()).map(|feed| feed.length());
    assert_eq!(error, Err(FeedError::Damaged { what: "head" }));
}

/// Opens a feed of which next to nothing is in memory, and lets go of all but four pages whenever it may. `None` if its roots
/// are lost.
fn opened_lazily(backend: &MemoryBackend, key: PublicKey) -> Option<(Files, Feed)> {
    let rule = |name: &str| match name.ends_with("/data") || name.ends_with("/tree") {
        true => Residency::Lazy,
        false => Residency::Always,
    };
    let mut files = Files::load_lazy(backend.lazy_snapshot(rule), rule, 4 * 16384).unwrap();
    for _ in 0..20 {
        files.trim();
        match Feed::open(&mut files, key) {
            Ok(feed) => return Some((files, feed)),
            Err(FeedError::Damaged { what: "roots" }) => return None,
            Err(error) => assert!(error.is_absent(), "{error}"),
        }
        assert!(!files.has_pending(), "something was healed that is not mended");
        for (key, record) in backend.read(files.take_wanted()) {
            files.supply(&key, record.as_deref());
        }
    }
    panic!("it never opens");
}

/// Makes all pages present.
fn recall(files: &mut Files, backend: &MemoryBackend) {
    for (key, record) in backend.read(files.absent(&|_| true, usize::MAX)) {
        assert!(!files.supply(&key, record.as_deref()));
    }
}

/// Every page of data and tree, while the others are on the disk: nothing is healed before all is here that mending reads.
#[test]
fn a_lost_page_is_mended_whatever_is_in_memory() {
    let (list, mut files, mut backend) = (large(), Files::new(), MemoryBackend::new());
    let key = written(&mut files, 7, &list, &[1500]).key();
    backend.compact(&files.checkpoint().unwrap());
    let keys: Vec<PageKey> = backend.snapshot().pages.into_iter().map(|(key, _)| key).collect();
    let lazy = keys.iter().filter(|key| key.file.ends_with("/data") || key.file.ends_with("/tree"));
    let mut roots = 0;
    for lost in lazy {
        let mut backend = backend.clone();
        backend.page_mut(lost).unwrap()[40] ^= 1;
        // Found while the others are opened, or read later.
        let Some((mut files, mut feed)) = opened_lazily(&backend, key) else {
            roots += 1;
            continue;
        };
        if files.damage().is_empty() && feed.next_missing(0) == 1500 {
            let id = files.file(&lost.file);
            assert!(files.read(id, lost.page * 16384, 1).is_err_and(|error| error.is_absent()));
            files.supply(lost, backend.page(lost));
            let mut rounds = 0;
            feed = loop {
                files.trim();
                match Feed::open(&mut files, key) {
                    Ok(feed) => break feed,
                    Err(error) => assert!(error.is_absent() && rounds < 9, "{error}"),
                }
                rounds += 1;
                for (key, record) in backend.read(files.take_wanted()) {
                    files.supply(&key, record.as_deref());
                }
            };
        }
        recall(&mut files, &backend);
        assert!(feed.next_missing(0) < 1500, "{lost:?}");
        assert!(feed.audit(&files).unwrap().damaged.is_empty(), "{lost:?}");
        for (index, block) in (0..).zip(&list) {
            assert!(feed.get(&files, index).unwrap().is_none_or(|bytes| bytes == *block), "{lost:?} {index}");
        }
    }
    assert!(roots < 4, "{roots}");
}

/// Which blocks are held shows in their bytes: without the record of it nothing is lost, and nothing is thought to be held.
#[test]
fn what_is_held_is_found_again_by_its_bytes() {
    let list = large();
    let (mut theirs, mut files, mut backend) = (Files::new(), Files::new(), MemoryBackend::new());
    let source = written(&mut theirs, 7, &list, &[1500]);
    let key = source.key();
    let mut feed = Feed::open(&mut files, key).unwrap();
    // Single blocks, a run across pages, and the end; the nodes beside them are held without their blocks.
    let held = [3..4, 90..91, 300..900, 1490..1500];
    for blocks in held.clone() {
        let request = ProofRequest { blocks: blocks.clone(), from: feed.length(), to: 1500 };
        let proof = source.prove(&theirs, &request).unwrap();
        feed.accept(&mut files, &proof, &list[blocks.start as usize..blocks.end as usize]).unwrap();
    }
    backend.compact(&files.checkpoint().unwrap());
    let bits = PageKey { file: format!("feed/{key}/bits"), page: 0 };
    let directory = PageKey { file: String::new(), page: 1 };
    for fault in ["flipped", "gone", "gone unseen"] {
        let mut backend = backend.clone();
        match fault {
            "flipped" => backend.page_mut(&bits).unwrap()[30] ^= 1,
            "gone" => backend.remove_page(&bits),
            _ => [&bits, &directory].into_iter().for_each(|key| backend.remove_page(key)),
        }
        let is_held = |index: u64| held.iter().any(|blocks| blocks.contains(&index));
        let mut files = Files::load(backend.snapshot()).unwrap();
        let feed = Feed::open(&mut files, key).unwrap();
        assert_is(&files, &feed, &list, is_held);
        // The same from the disk; what was kept in memory for that may go again.
        let (mut files, feed) = opened_lazily(&backend, key).unwrap();
        let has: Vec<u64> = (0..1500).filter(|index| feed.has(*index)).collect();
        assert!(has.into_iter().eq((0..1500).filter(|index| is_held(*index))), "{fault}");
        files.trim();
        assert!(files.read(feed.paths.data, 240, 1).is_err_and(|error| error.is_absent()), "{fault}");
        recall(&mut files, &backend);
        assert_is(&files, &feed, &list, is_held);
        backend.compact(&files.checkpoint().unwrap());
        let mut files = Files::load(backend.snapshot()).unwrap();
        assert!(files.damage().is_empty());
        let feed = Feed::open(&mut files, key).unwrap();
        assert_is(&files, &feed, &list, is_held);
    }
}

/// A block that is on the disk alone is not damaged.
#[test]
fn an_audit_of_what_is_not_in_memory_says_so() {
    let (mut files, mut backend) = (Files::new(), MemoryBackend::new());
    let key = written(&mut files, 7, &large(), &[1500]).key();
    backend.compact(&files.checkpoint().unwrap());
    let (mut files, feed) = opened_lazily(&backend, key).unwrap();
    while let Err(error) = files.keep(feed.paths.tree) {
        assert!(error.is_absent());
        for (key, record) in backend.read(files.take_wanted()) {
            files.supply(&key, record.as_deref());
        }
    }
    assert!(feed.audit(&files).is_err_and(|error| error.is_absent()));
    recall(&mut files, &backend);
    assert_eq!(feed.audit(&files).unwrap(), Audit { checked: 1500, damaged: Vec::new() });
}
