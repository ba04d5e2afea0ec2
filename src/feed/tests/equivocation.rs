//! Two branches of one feed.

use super::*;

proptest! {
    #![proptest_config(crate::testing::cases(48))]

    /// Found, proved, verified by anyone; and no changed bit of the proof verifies.
    #[test]
    fn two_branches_are_proved(prefix in blocks(0..40), a in blocks(1..30), b in blocks(1..30), flip: prop::sample::Index, bit in 0_u8..8) {
        prop_assume!(a[0] != b[0]);
        let (mut files_a, mut files_b) = (Files::new(), Files::new());
        let list_a = [prefix.clone(), a].concat();
        let list_b = [prefix.clone(), b].concat();
        let mut feed_a = written(&mut files_a, 6, &list_a, &[prefix.len(), 3]);
        let feed_b = written(&mut files_b, 6, &list_b, &[prefix.len(), 5]);
        let (head_a, head_b) = (*feed_a.head().unwrap(), *feed_b.head().unwrap());

        // The longer one does not extend ours: neither as an upgrade nor by itself.
        files_a.take_batch();
        if head_b.length > head_a.length {
            let request = ProofRequest { blocks: 0..0, from: head_a.length, to: head_b.length };
            let proof = feed_b.prove(&files_b, &request).unwrap();
            let error = feed_a.accept(&mut files_a, &proof, &[] as &[Vec<u8>]);
            prop_assert_eq!(error, Err(FeedError::Fork { ours: Box::new(head_a), theirs: Box::new(head_b) }));
        } else {
            prop_assert_eq!(feed_a.check(&files_a, &head_b).unwrap(), HeadCheck::Fork);
            let kept = feed_a.keep_head(&mut files_a, &head_b);
            let is_fork = matches!(kept, Err(FeedError::Fork { .. }));
            prop_assert!(is_fork);
        }
        prop_assert!(!files_a.has_pending());

        let mut search = ForkSearch::new(head_a.length.min(head_b.length));
        let mut questions = 0;
        while let Some(index) = search.next() {
            search.answer(feed_a.node(&files_a, index).unwrap() == feed_b.node(&files_b, index).unwrap());
            questions += 1;
        }
        prop_assert!(questions <= 14, "{questions}");
        let index = search.found().unwrap();
        prop_assert_eq!(index, prefix.len() as u64);

        let ours = feed_a.branch(&files_a, index, head_a.length).unwrap();
        let theirs = feed_b.branch(&files_b, index, head_b.length).unwrap();
        let theirs = Branch::decode(&theirs.encode()).unwrap();
        let proof = EquivocationProof::new(feed_a.key(), ours.clone(), theirs.clone()).unwrap();
        prop_assert_eq!(&EquivocationProof::new(feed_a.key(), theirs.clone(), ours.clone()).unwrap(), &proof);
        let mut bytes = proof.encode();
        let decoded = EquivocationProof::decode(&bytes).unwrap();
        prop_assert_eq!(&decoded, &proof);
        decoded.verify().unwrap();
        let at = flip.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(EquivocationProof::decode(&bytes).map(|proof| proof.verify().is_err()).unwrap_or(true));

        // No proof against the honest: same branch, or a head and its own prefix.
        prop_assert!(EquivocationProof::new(feed_a.key(), ours.clone(), ours.clone()).is_err());
        if head_a.length > index + 1 && let Some(shorter) = (index + 1..head_a.length).find(|n| feed_a.head_at(*n).is_some()) {
            let prefix = feed_a.branch(&files_a, index, shorter).unwrap();
            prop_assert!(EquivocationProof::new(feed_a.key(), ours, prefix).is_err());
        }
    }
}

/// A parent's hash says what its two children hold together: of a leaf and its neighbour that are both given, bytes can be
/// moved from the one to the other. That proves nothing against who signed a head and a longer one of the same blocks.
#[test]
fn sizes_moved_between_neighbours_are_no_second_history() {
    let mut files = Files::new();
    let list: Vec<Vec<u8>> = (0..4_u8).map(|n| vec![n; 5]).collect();
    let feed = written(&mut files, 6, &list, &[2, 2]);
    for to in [2, 4] {
        let ours = feed.branch(&files, 0, 6 - to).unwrap();
        let mut theirs = feed.branch(&files, 0, to).unwrap();
        theirs.side.leaf.size += 1;
        theirs.side.nodes[0].size -= 1;
        theirs.verify(&feed.key()).unwrap();
        let error = EquivocationProof::new(feed.key(), ours, theirs).unwrap_err();
        assert_eq!(error, FeedError::NoEquivocation { why: "the blocks are equal" });
    }
}

#[test]
fn both_branches_can_be_kept() {
    let (mut other, mut files) = (Files::new(), Files::new());
    let ours = written(&mut files, 6, &[b"same".to_vec(), b"a".to_vec()], &[]);
    let theirs = written(&mut other, 6, &[b"same".to_vec(), b"b".to_vec()], &[]);
    let mut branch = Feed::open_branch(&mut files, theirs.key(), &theirs.id()).unwrap();
    let proof = theirs.prove(&other, &ProofRequest { blocks: 0..2, from: 0, to: 2 }).unwrap();
    branch.accept(&mut files, &proof, &[&b"same"[..], b"b"]).unwrap();
    assert_eq!(branch.get(&files, 1).unwrap().unwrap(), b"b");
    assert_eq!(ours.get(&files, 1).unwrap().unwrap(), b"a");
}

#[test]
fn of_a_branch_all_is_copied_that_is_held() {
    let mut files = Files::new();
    let list: Vec<Vec<u8>> = (0..30_u8).map(|n| vec![n; 40]).collect();
    let mut feed = written(&mut files, 6, &list, &[30]);
    for gap in [5..8, 20..21, 29..30] {
        feed.clear(&mut files, gap).unwrap();
    }
    let mut copy = Feed::open_branch(&mut files, feed.key(), &feed.id()).unwrap();
    copy.copy_branch(&mut files, &feed, 3).unwrap();
    assert_eq!(copy.head(), feed.head());
    for (index, block) in (0..).zip(&list) {
        let held = index >= 3 && feed.has(index);
        assert_eq!(copy.get(&files, index).unwrap(), held.then(|| block.clone()), "{index}");
    }
}

#[test]
fn a_longer_head_of_the_same_branch_is_no_fork() {
    let mut search = ForkSearch::new(13);
    while search.next().is_some() {
        search.answer(true);
    }
    assert_eq!(search.found(), None);
}

#[test]
fn another_fork_number_is_refused() {
    let mut files = Files::new();
    let mut feed = written(&mut files, 6, &[b"x".to_vec()], &[]);
    let head = SignedHead::sign(&signer(6), 2, 1, Hash([1; 32]));
    let proof = Proof { head: Some(head), from: 1, blocks_start: 1, nodes: vec![] };
    let error = feed.accept(&mut files, &proof, &[b"y"]);
    assert_eq!(error, Err(FeedError::ForkNumber { expected: 0, got: 1 }));
}
