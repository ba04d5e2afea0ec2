//! Writing one's own feed.

use super::{
    Feed, FeedError, MAX_BLOCK, MAX_LENGTH, Node, SignedHead, flat, node::total, slices, tree_hash, wide,
};
use crate::{crypto::Signer, storage::Files};

impl Feed {
    /// Appends blocks and signs the new head, once for all of them. Nothing is stored on an error.
    ///
    /// The head must not leave the node before the files' batch is durable.
    pub fn append<B: AsRef<[u8]>>(
        &mut self,
        files: &mut Files,
        signer: &Signer,
        blocks: &[B],
    ) -> Result<SignedHead, FeedError> {
        if signer.public() != self.key {
            return Err(FeedError::NotOurs);
        }
        if blocks.is_empty() {
            return Err(FeedError::Empty);
        }
        let start = self.length();
        let end = start.saturating_add(wide(blocks.len()));
        if end > MAX_LENGTH {
            return Err(FeedError::TooLarge { what: "length of feed", max: MAX_LENGTH, got: end });
        }
        let mut roots = self.roots.clone();
        let mut nodes = Fresh::new(flat::leaf(start), blocks.len());
        for (index, block) in (start..).zip(blocks) {
            let block = block.as_ref();
            if block.len() > MAX_BLOCK {
                return Err(FeedError::TooLarge {
                    what: "block",
                    max: wide(MAX_BLOCK),
                    got: wide(block.len()),
                });
            }
            let mut node = Node::leaf(index, block);
            nodes.push(node);
            while let Some(left) =
                roots.pop_if(|left| !flat::is_left(node.index) && left.index == flat::sibling(node.index))
            {
                node = Node::parent(&left, &node)?;
                nodes.push(node);
            }
            roots.push(node);
        }
        let bytes = total(&roots)?;
        self.store_blocks(files, self.bytes, &slices(blocks))?;
        nodes.store(self, files)?;
        let head = SignedHead::sign(signer, end, self.fork(), tree_hash(&roots));
        self.store_head(files, head)?;
        self.mark(files, start..end)?;
        (self.roots, self.bytes) = (roots, bytes);
        Ok(head)
    }
}

/// Nodes of an append in the order of their indexes. From the first new leaf on, nothing else can be held.
struct Fresh {
    /// Index of the first new leaf.
    start: u64,
    /// From there on, as in the tree file.
    stored: Vec<u8>,
    /// Parents that lie among the old ones.
    early: Vec<Node>,
}

impl Fresh {
    fn new(start: u64, blocks: usize) -> Self {
        Self { start, stored: Vec::with_capacity(blocks.saturating_mul(80)), early: Vec::new() }
    }

    fn push(&mut self, node: Node) {
        let place =
            node.index.checked_sub(self.start).and_then(|place| usize::try_from(place * Node::STORED).ok());
        let Some(place) = place else { return self.early.push(node) };
        let end = place.saturating_add(node.to_stored().len());
        if self.stored.len() < end {
            self.stored.resize(end, 0);
        }
        if let Some(target) = self.stored.get_mut(place..end) {
            target.copy_from_slice(&node.to_stored());
        }
    }

    fn store(mut self, feed: &Feed, files: &mut Files) -> Result<(), FeedError> {
        feed.store_nodes(files, &mut self.early)?;
        files.write(feed.paths.tree, self.start * Node::STORED, &self.stored)?;
        Ok(())
    }
}
