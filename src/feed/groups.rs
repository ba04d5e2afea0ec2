//! A feed's tree in two levels, for readers that get single blocks out of files rather than from a peer.
//!
//! ```text
//! group   256 blocks, the last one fewer:   hash 32 │ size
//!         hash: of the node above a whole group; of a part of one, the tree hash of its roots
//! leaves  of one group: leaf hash and size of each block
//! ```
//! Groups and the leaves of one group are all that a [`Proof`] of blocks in that group is made of: every other node is
//! computed. Nothing here is trusted: [`Feed::accept`] verifies the proof against the signed head. Sizes count bytes.

use core::ops::Range;

use super::{
    Feed, FeedError, Node, Proof, ProofRequest, SignedHead, flat,
    node::total,
    plan::{given, plan},
    tree_hash, wide,
};
use crate::{collections::Map, crypto::Hash, storage::Files};

/// Blocks of a group: a whole subtree.
pub const GROUP: u64 = 256;

/// Groups of a feed, and the leaves of some.
#[derive(Clone, Debug)]
pub struct Groups {
    length: u64,
    groups: Vec<(Hash, u64)>,
    leaves: Map<u64, Vec<Node>>,
    known: Map<u64, Node>,
}

impl Groups {
    /// The tree of `length` blocks. `None` if there are not as many groups as it has.
    pub fn new(length: u64, groups: Vec<(Hash, u64)>) -> Option<Self> {
        (wide(groups.len()) == length.div_ceil(GROUP)).then(|| Self {
            length,
            groups,
            leaves: Map::new(),
            known: Map::new(),
        })
    }

    /// Blocks of a group.
    pub fn span(&self, group: u64) -> Range<u64> {
        let start = group.saturating_mul(GROUP).min(self.length);
        start..start.saturating_add(GROUP).min(self.length)
    }

    /// Bytes of a group's blocks.
    pub fn size(&self, group: u64) -> u64 {
        self.groups.get(usize::try_from(group).unwrap_or(usize::MAX)).map_or(0, |(_, size)| *size)
    }

    /// Whether the leaves of a group are here.
    pub fn has_leaves(&self, group: u64) -> bool {
        self.leaves.contains_key(&group)
    }

    /// Takes the leaves of a group, hash and size of each block; fails if they are not those under its hash.
    pub fn add_leaves(&mut self, group: u64, leaves: &[(Hash, u32)]) -> Result<(), FeedError> {
        let span = self.span(group);
        let wrong = FeedError::BadProof { index: flat::leaf(span.start) };
        if wide(leaves.len()) != span.end - span.start {
            return Err(wrong);
        }
        let nodes = span.clone().zip(leaves);
        let nodes: Vec<Node> = nodes
            .map(|(block, (hash, size))| Node {
                index: flat::leaf(block),
                hash: *hash,
                size: u64::from(*size),
            })
            .collect();
        let roots = roots_of(&nodes)?;
        let expected = self.groups.get(usize::try_from(group).unwrap_or(usize::MAX)).ok_or(wrong.clone())?;
        if summary(&roots)? != *expected {
            return Err(wrong);
        }
        self.leaves.insert(group, nodes);
        Ok(())
    }

    /// Bytes in a block's group before it, and its own. `None` without its leaves.
    pub fn place(&self, block: u64) -> Option<(u64, u64)> {
        let leaves = self.leaves.get(&(block / GROUP))?;
        let at = usize::try_from(block % GROUP).ok()?;
        let before = leaves.iter().take(at).map(|leaf| leaf.size).sum();
        Some((before, leaves.get(at)?.size))
    }

    /// Hash of a block's leaf. `None` without its leaves.
    pub fn leaf(&self, block: u64) -> Option<Hash> {
        let at = usize::try_from(block % GROUP).ok()?;
        Some(self.leaves.get(&(block / GROUP))?.get(at)?.hash)
    }

    /// Proves blocks of groups whose leaves are here: under `head` to whoever holds nothing (`from` 0), else to whoever
    /// holds that head.
    pub fn prove(&mut self, head: &SignedHead, from: u64, blocks: Range<u64>) -> Result<Proof, FeedError> {
        let request = ProofRequest { blocks: blocks.clone(), from, to: self.length };
        let mut nodes = Vec::new();
        for index in given(&plan(request.from, request.to, &request.blocks)).collect::<Vec<_>>() {
            nodes.push(self.node(index)?);
        }
        let head = (from == 0).then_some(*head);
        Ok(Proof { head, from, blocks_start: blocks.start, nodes })
    }

    fn node(&mut self, index: u64) -> Result<Node, FeedError> {
        if let Some(node) = self.known.get(&index) {
            return Ok(*node);
        }
        let missing = FeedError::NotHeld { what: "node", index };
        let (first, past) = flat::span(index);
        let group = first / GROUP;
        let node = if past - first == GROUP {
            let at = usize::try_from(group).unwrap_or(usize::MAX);
            let (hash, size) = *self.groups.get(at).ok_or(missing)?;
            Node { index, hash, size }
        } else if let Some((left, right)) = flat::children(index) {
            Node::parent(&self.node(left)?, &self.node(right)?)?
        } else {
            let at = usize::try_from(first % GROUP).unwrap_or(usize::MAX);
            *self.leaves.get(&group).and_then(|leaves| leaves.get(at)).ok_or(missing)?
        };
        self.known.insert(index, node);
        Ok(node)
    }
}

impl Feed {
    /// The groups of its first `length` blocks, all of whose leaves are held.
    pub fn groups(&self, files: &Files, length: u64) -> Result<Vec<(Hash, u64)>, FeedError> {
        let mut groups = Vec::new();
        for start in (0..length).step_by(usize::try_from(GROUP).unwrap_or(usize::MAX)) {
            let mut roots = Vec::new();
            for root in flat::roots(length) {
                let (first, past) = flat::span(root);
                if past - first >= GROUP && (first..past).contains(&start) {
                    // Half way up a larger root: the node above just this group.
                    roots = vec![self.held_node(files, flat::leaf(start) + GROUP - 1)?];
                } else if first >= start && past <= start.saturating_add(GROUP) {
                    roots.push(self.held_node(files, root)?);
                }
            }
            groups.push(summary(&roots)?);
        }
        Ok(groups)
    }

    /// Leaf hash and size of held blocks.
    pub fn leaves(&self, files: &Files, blocks: Range<u64>) -> Result<Vec<(Hash, u32)>, FeedError> {
        blocks
            .map(|block| {
                let node = self.held_node(files, flat::leaf(block))?;
                Ok((node.hash, u32::try_from(node.size).unwrap_or(u32::MAX)))
            })
            .collect()
    }
}

/// Roots over leaves that begin at a group.
fn roots_of(leaves: &[Node]) -> Result<Vec<Node>, FeedError> {
    let mut stack: Vec<Node> = Vec::new();
    for leaf in leaves {
        stack.push(*leaf);
        while let [.., left, right] = stack.as_slice() {
            if flat::is_left(right.index) || flat::sibling(right.index) != left.index {
                break;
            }
            let parent = Node::parent(left, right)?;
            stack.truncate(stack.len() - 2);
            stack.push(parent);
        }
    }
    Ok(stack)
}

/// What a group is named by: the node over all of it, or the tree hash of the roots of a part.
fn summary(roots: &[Node]) -> Result<(Hash, u64), FeedError> {
    match roots {
        [one] if flat::span(one.index).1 - flat::span(one.index).0 == GROUP => Ok((one.hash, one.size)),
        roots => Ok((tree_hash(roots), total(roots)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Signer;

    #[test]
    fn any_block_is_proved_from_groups_and_the_leaves_of_one() {
        for length in [1, 2, 255, 256, 257, 700, 1024, 1500] {
            let (mut files, signer) = (Files::new(), Signer::from_seed(&[7; 32]));
            let mut feed = Feed::open(&mut files, signer.public()).unwrap();
            let blocks: Vec<Vec<u8>> = (0..length).map(|at: u64| at.to_string().into_bytes()).collect();
            feed.append(&mut files, &signer, &blocks).unwrap();
            let groups = feed.groups(&files, length).unwrap();
            let head = *feed.head().unwrap();

            let mut theirs = Files::new();
            let mut copy = Feed::open(&mut theirs, signer.public()).unwrap();
            let mut tree = Groups::new(length, groups).unwrap();
            for block in [length - 1, 0, length / 2] {
                let group = block / GROUP;
                let span = tree.span(group);
                let mut leaves = feed.leaves(&files, span.clone()).unwrap();
                tree.add_leaves(group, &leaves).unwrap();
                let proof = tree.prove(&head, copy.length(), block..block + 1).unwrap();
                let bytes = feed.get(&files, block).unwrap().unwrap();
                copy.accept(&mut theirs, &proof, &[&bytes]).unwrap();
                assert_eq!(copy.get(&theirs, block).unwrap().unwrap(), bytes);
                assert_eq!(copy.tree_hash_at(&theirs, block + 1), feed.tree_hash_at(&files, block + 1));
                leaves.last_mut().unwrap().0.0[3] ^= 1;
                assert!(tree.add_leaves(group, &leaves).is_err(), "a leaf of another block");
            }
        }
    }

    #[test]
    fn as_many_groups_as_the_length_says() {
        assert!(Groups::new(257, vec![(Hash([0; 32]), 0)]).is_none());
    }
}
