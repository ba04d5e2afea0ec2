//! Authors who sign what is not so: no panic, no room for what is not there.

use super::*;
use crate::{feed::flat, storage::MemoryBackend};

/// A tree of the greatest length with one real block in it; all else is made up.
fn far_feed(block: u64, bytes: &[u8], filler: u64) -> Proof {
    let mut node = Node::leaf(block, bytes);
    let mut nodes = Vec::new();
    while node.index != MAX_LENGTH - 1 {
        let other = Node { index: flat::sibling(node.index), hash: Hash([7; 32]), size: filler };
        nodes.push(other);
        let (left, right) = if flat::is_left(node.index) { (node, other) } else { (other, node) };
        node = Node::parent(&left, &right).unwrap();
    }
    nodes.sort_by_key(|node| node.index);
    let head = SignedHead::sign(&signer(8), MAX_LENGTH, 0, tree_hash(&[node]));
    Proof { head: Some(head), from: 0, blocks_start: block, nodes }
}

#[test]
fn a_far_block_of_a_huge_feed_takes_little_room() {
    let (mut files, mut backend) = (Files::new(), MemoryBackend::new());
    let mut feed = Feed::open(&mut files, signer(8).public()).unwrap();
    let far = MAX_LENGTH - 12_345;
    feed.accept(&mut files, &far_feed(far, b"far", 1 << 40), &[b"far"]).unwrap();
    assert_eq!(feed.length(), MAX_LENGTH);
    backend.commit(&files.take_batch().unwrap());
    backend.compact(&files.checkpoint().unwrap());
    assert!(backend.size() < 100 * 16 * 1024, "{}", backend.size());
    let mut files = Files::load(backend.snapshot()).unwrap();
    let mut feed = Feed::open(&mut files, signer(8).public()).unwrap();
    assert_eq!(feed.get(&files, far).unwrap().unwrap(), b"far");
    assert_eq!(feed.next_held(0), Some(far));
    assert_eq!(feed.audit(&files).unwrap(), Audit { checked: 1, damaged: vec![] });
    feed.clear(&mut files, 0..u64::MAX).unwrap();
    assert_eq!(feed.next_held(0), None);
    assert!(matches!(feed.append(&mut files, &signer(8), &[b"x"]), Err(FeedError::TooLarge { .. })));
}

#[test]
fn sizes_beyond_the_limit_are_refused() {
    let mut files = Files::new();
    let mut feed = Feed::open(&mut files, signer(8).public()).unwrap();
    // Each node claims as much as may be; the sum is more.
    let node = |index, size| Node { index, hash: Hash([7; 32]), size };
    let nodes = vec![node(1, crate::codec::MAX_SAFE), node(4, 1)];
    let head = SignedHead::sign(&signer(8), 3, 0, tree_hash(&nodes));
    let proof = Proof { head: Some(head), from: 0, blocks_start: 0, nodes };
    assert!(matches!(feed.accept(&mut files, &proof, &[] as &[Vec<u8>]), Err(FeedError::TooLarge { .. })));

    let head = SignedHead::sign(&signer(8), MAX_LENGTH + 1, 0, Hash([1; 32]));
    let proof = Proof { head: Some(head), from: 0, blocks_start: 0, nodes: vec![] };
    assert!(matches!(feed.accept(&mut files, &proof, &[b"x"]), Err(FeedError::TooLarge { .. })));
    let many = vec![b"x"; usize::try_from(MAX_PROOF_BLOCKS).unwrap() + 1];
    let proof = Proof { head: None, from: 0, blocks_start: 0, nodes: vec![] };
    assert!(matches!(feed.accept(&mut files, &proof, &many), Err(FeedError::TooLarge { .. })));
    let proof = Proof { head: None, from: 0, blocks_start: u64::MAX, nodes: vec![] };
    assert!(matches!(feed.accept(&mut files, &proof, &[b"x"]), Err(FeedError::OutOfRange { .. })));
    assert!(!files.has_pending());
}

#[test]
fn a_leaf_that_claims_a_size_no_block_has_is_never_read() {
    let mut files = Files::new();
    let mut feed = Feed::open(&mut files, signer(8).public()).unwrap();
    let giant = Node { index: 2, hash: Hash([7; 32]), size: 1 << 50 };
    let root = Node::parent(&Node::leaf(0, b"x"), &giant).unwrap();
    let head = SignedHead::sign(&signer(8), 2, 0, tree_hash(&[root]));
    let proof = Proof { head: Some(head), from: 0, blocks_start: 0, nodes: vec![giant] };
    feed.accept(&mut files, &proof, &[b"x"]).unwrap();
    assert_eq!(feed.get(&files, 1).unwrap(), None);
    assert_eq!(feed.data_range(&files, 0..2, usize::MAX).unwrap().bytes, b"x");
    let last = Proof { head: None, from: 2, blocks_start: 1, nodes: vec![Node::leaf(0, b"x")] };
    assert!(matches!(feed.accept(&mut files, &last, &[b"y"]), Err(FeedError::BadProof { .. })));
}
