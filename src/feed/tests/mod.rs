//! A feed against a naive model: a list of blocks and a recursive tree.

mod damage;
mod equivocation;
mod hostile;
mod replicate;
mod truncate;
mod vectors;
mod write;

use proptest::prelude::*;

use super::*;
use crate::{
    crypto::{Hash, Signer, blake2b},
    storage::Files,
};

/// Hash and size of the perfect tree over `blocks`, straight from the definition.
pub(super) fn naive(blocks: &[Vec<u8>]) -> (Hash, u64) {
    if let [block] = blocks {
        let size = block.len() as u64;
        return (blake2b(&[&[0], &size.to_le_bytes(), block]), size);
    }
    let (left, right) = blocks.split_at(blocks.len() / 2);
    let ((left, left_size), (right, right_size)) = (naive(left), naive(right));
    let size = left_size + right_size;
    (blake2b(&[&[1], &size.to_le_bytes(), &left.0, &right.0]), size)
}

/// Tree hash of all of `blocks`.
pub(super) fn naive_tree(blocks: &[Vec<u8>]) -> Hash {
    let mut preimage = vec![2];
    let mut start = 0;
    while start < blocks.len() {
        let size = 1 << (blocks.len() - start).ilog2();
        let (hash, bytes) = naive(&blocks[start..start + size]);
        preimage.extend(hash.0);
        preimage.extend((2 * start as u64 + size as u64 - 1).to_le_bytes());
        preimage.extend(bytes.to_le_bytes());
        start += size;
    }
    blake2b(&[&preimage])
}

pub(super) fn signer(number: u8) -> Signer {
    Signer::from_seed(&[number; 32])
}

/// Small blocks, some empty.
pub(super) fn blocks(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), count)
}

/// A feed of `blocks`, appended in batches of the given sizes; every head is kept.
pub(super) fn written(files: &mut Files, key: u8, blocks: &[Vec<u8>], batches: &[usize]) -> Feed {
    let signer = signer(key);
    let mut feed = Feed::open(files, signer.public()).unwrap();
    let mut rest = blocks;
    let mut sizes = batches.iter().copied().chain(std::iter::repeat(7));
    while !rest.is_empty() {
        let (batch, tail) = rest.split_at(sizes.next().unwrap().clamp(1, rest.len()));
        rest = tail;
        let head = feed.append(files, &signer, batch).unwrap();
        feed.keep_head(files, &head).unwrap();
    }
    feed
}

/// Everything that can be asked of a feed is as the model says.
pub(super) fn assert_is(files: &Files, feed: &Feed, blocks: &[Vec<u8>], held: impl Fn(u64) -> bool) {
    assert_eq!(feed.length(), blocks.len() as u64);
    assert_eq!(feed.byte_length(), blocks.iter().map(|block| block.len() as u64).sum::<u64>());
    assert_eq!(feed.id(), naive_tree(blocks));
    assert_eq!(feed.contiguous(), (0..).find(|index| *index >= feed.length() || !held(*index)).unwrap());
    for (index, block) in (0..).zip(blocks) {
        assert_eq!(feed.has(index), held(index), "{index}");
        assert_eq!(feed.get(files, index).unwrap(), held(index).then(|| block.clone()), "{index}");
    }
    assert!(!feed.has(feed.length()));
    let all: Vec<_> = feed.blocks(files, 0..u64::MAX).map(Result::unwrap).collect();
    let expected: Vec<_> = (0..).zip(blocks.iter().cloned()).filter(|(index, _)| held(*index)).collect();
    assert_eq!(all, expected);
}
