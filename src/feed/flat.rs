//! Flat tree: a binary tree over blocks, numbered in order, as hypercore and bin-tree number it.
//!
//! ```text
//!       3            even: leaf of block index / 2
//!    1     5         odd: parent of depth = trailing ones
//!   0 2   4 6        a feed's roots: the largest whole trees, left to right
//! ```
//!
//! Lengths are at most 2^53 − 1, so indexes stay below 2^54 and nothing here overflows.

/// The leaf of a block.
pub(super) const fn leaf(block: u64) -> u64 {
    block << 1
}

/// Levels above the leaves.
pub(super) const fn depth(index: u64) -> u32 {
    index.trailing_ones()
}

/// Place among the nodes of the same depth, from the left.
#[cfg(test)]
pub(super) const fn offset(index: u64) -> u64 {
    index >> (depth(index) + 1)
}

/// The node of a depth and offset.
#[cfg(test)]
pub(super) const fn index(depth: u32, offset: u64) -> u64 {
    (offset << (depth + 1)) | ((1 << depth) - 1)
}

/// The node above.
pub(super) const fn parent(index: u64) -> u64 {
    let bit = 1 << depth(index);
    (index | bit) & !(bit << 1)
}

/// The other child of the same parent.
pub(super) const fn sibling(index: u64) -> u64 {
    index ^ (2 << depth(index))
}

/// Whether a node is the left child of its parent.
pub(super) const fn is_left(index: u64) -> bool {
    index & (2 << depth(index)) == 0
}

/// The nodes below; `None` for a leaf.
pub(super) const fn children(index: u64) -> Option<(u64, u64)> {
    match depth(index) {
        0 => None,
        depth => {
            let half = 1 << (depth - 1);
            Some((index - half, index + half))
        }
    }
}

/// First block under a node, and the one after the last.
pub(super) const fn span(index: u64) -> (u64, u64) {
    let depth = depth(index);
    let first = (index >> (depth + 1)) << depth;
    (first, first + (1 << depth))
}

/// Roots of a feed of `length` blocks, left to right.
pub(super) fn roots(length: u64) -> impl Iterator<Item = u64> {
    let mut start = 0;
    core::iter::from_fn(move || {
        let rest = length.checked_sub(start)?;
        let size = 1_u64 << rest.checked_ilog2()?;
        // The root of `size` leaves from `start` on lies between the middle two.
        let root = (start << 1) + size - 1;
        start += size;
        Some(root)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parents_children_and_siblings_agree(block in 0_u64..1 << 53, up in 0_u32..10) {
            let mut node = leaf(block);
            for _ in 0..up {
                let (left, right) = children(parent(node)).unwrap();
                prop_assert_eq!(if is_left(node) { (left, right) } else { (right, left) }, (node, sibling(node)));
                prop_assert_eq!(span(parent(node)), (span(left).0, span(right).1));
                prop_assert_eq!(span(left).1, span(right).0);
                prop_assert_eq!(index(depth(node), offset(node)), node);
                node = parent(node);
            }
            prop_assert!((span(node).0..span(node).1).contains(&block));
        }

        #[test]
        fn roots_cover_all_blocks_in_order(length in 0_u64..1 << 53) {
            let mut end = 0;
            let mut last_size = u64::MAX;
            for root in roots(length) {
                let (first, past) = span(root);
                prop_assert_eq!(first, end);
                prop_assert!(past - first < last_size);
                last_size = past - first;
                end = past;
            }
            prop_assert_eq!(end, length);
        }
    }
}
