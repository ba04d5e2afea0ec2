//! Appending, reading, opening again.

use super::*;
use crate::storage::MemoryBackend;

proptest! {
    #![proptest_config(crate::testing::cases(64))]

    /// However blocks are batched, and whenever the feed is opened again, it is the list of its blocks.
    #[test]
    fn a_feed_is_a_list_of_blocks(list in blocks(0..120), batches in prop::collection::vec((1_usize..30, any::<bool>(), any::<bool>()), 0..20)) {
        let signer = signer(3);
        let (mut files, mut backend) = (Files::new(), MemoryBackend::new());
        let mut feed = Feed::open(&mut files, signer.public()).unwrap();
        let mut done = 0;
        for (size, reopen, compact) in batches.into_iter().chain([(120, true, false)]) {
            let end = (done + size).min(list.len());
            if end > done {
                let head = feed.append(&mut files, &signer, &list[done..end]).unwrap();
                prop_assert_eq!(head.length, end as u64);
                head.verify(&signer.public()).unwrap();
            }
            done = end;
            if let Some(batch) = files.take_batch() {
                backend.commit(&batch);
            }
            if compact && let Some(compaction) = files.compaction(true) {
                backend.compact(&compaction);
            }
            if reopen {
                files = Files::load(backend.snapshot()).unwrap();
                feed = Feed::open(&mut files, signer.public()).unwrap();
            }
            assert_is(&files, &feed, &list[..done], |index| index < done as u64);
        }
        prop_assert_eq!(feed.audit(&files).unwrap(), Audit { checked: done as u64, damaged: vec![] });
        for length in 0..=done {
            prop_assert_eq!(feed.tree_hash_at(&files, length as u64).unwrap(), Some(naive_tree(&list[..length])));
        }
        prop_assert_eq!(feed.tree_hash_at(&files, done as u64 + 1).unwrap(), None);
        // Every byte is found in its block.
        let mut byte = 0;
        for (index, block) in (0_u64..).zip(&list) {
            for inside in 0..block.len() as u64 {
                prop_assert_eq!(feed.seek(&files, byte).unwrap(), Some((index, inside)));
                byte += 1;
            }
        }
        prop_assert_eq!(feed.seek(&files, byte).unwrap(), None);
    }

    /// Clearing drops payload only.
    #[test]
    fn cleared_blocks_keep_their_place(list in blocks(1..80), start in 0_u64..90, length in 0_u64..90) {
        let mut files = Files::new();
        let mut feed = written(&mut files, 3, &list, &[]);
        feed.clear(&mut files, start..start + length).unwrap();
        assert_is(&files, &feed, &list, |index| index < list.len() as u64 && !(start..start + length).contains(&index));
        let to = list.len() as u64;
        let request = ProofRequest { blocks: 0..to, from: 0, to };
        prop_assert!(feed.prove(&files, &request).is_ok());
        prop_assert!(feed.audit(&files).unwrap().damaged.is_empty());
        let again = Feed::open(&mut files, feed.key()).unwrap();
        prop_assert_eq!(again.contiguous(), feed.contiguous());
    }

    /// Pieces for sending are the blocks end to end, and stop where asked.
    #[test]
    fn data_range_is_blocks_end_to_end(list in blocks(1..60), start in 0_u64..60, max in 0_usize..400, gap in 0_u64..60) {
        let mut files = Files::new();
        let mut feed = written(&mut files, 3, &list, &[]);
        feed.clear(&mut files, gap..gap + 1).unwrap();
        let chunk = feed.data_range(&files, start..u64::MAX, max).unwrap();
        let mut expected = Vec::new();
        let mut bytes = 0;
        for (index, block) in (0..).zip(&list).skip(start as usize) {
            if index == gap || (!expected.is_empty() && bytes + block.len() > max) {
                break;
            }
            bytes += block.len();
            expected.push(block.as_slice());
        }
        prop_assert_eq!(chunk.blocks().collect::<Vec<_>>(), expected);
        prop_assert_eq!(chunk.bytes.len(), bytes);
    }
}

#[test]
fn limits_of_append() {
    let mut files = Files::new();
    let mut feed = Feed::open(&mut files, signer(3).public()).unwrap();
    let none: [&[u8]; 0] = [];
    assert_eq!(feed.append(&mut files, &signer(3), &none), Err(FeedError::Empty));
    assert_eq!(feed.append(&mut files, &signer(4), &[b"x"]), Err(FeedError::NotOurs));
    let large = vec![0; MAX_BLOCK + 1];
    let error = feed.append(&mut files, &signer(3), &[b"small", &large[..]]);
    assert!(matches!(error, Err(FeedError::TooLarge { .. })));
    assert!(!files.has_pending() && feed.length() == 0, "nothing is stored on an error");
    feed.append(&mut files, &signer(3), &[&large[1..]]).unwrap();
    assert_eq!(feed.get(&files, 0).unwrap().unwrap().len(), MAX_BLOCK);
}

#[test]
fn kept_heads_are_found_by_length_and_hash_after_opening_again() {
    let (mut files, mut backend) = (Files::new(), MemoryBackend::new());
    let list: Vec<_> = (0..40_u8).map(|n| vec![n; 5]).collect();
    let feed = written(&mut files, 3, &list, &[]);
    backend.commit(&files.take_batch().unwrap());
    let mut files = Files::load(backend.snapshot()).unwrap();
    let again = Feed::open(&mut files, feed.key()).unwrap();
    for length in (7..40).step_by(7) {
        let head = again.head_at(length).unwrap();
        head.verify(&feed.key()).unwrap();
        assert_eq!(head.tree_hash, naive_tree(&list[..length as usize]));
        assert_eq!(again.checkout(&head.tree_hash), Some(length));
    }
    assert_eq!(again.head_at(8), None);
    Feed::remove(&mut files, &feed.key());
    assert!(files.names("").is_empty());
}
