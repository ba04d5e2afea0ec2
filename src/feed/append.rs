//! Writing one's own feed.

use super::{Feed, FeedError, MAX_BLOCK, MAX_LENGTH, Node, SignedHead, flat, node::total, tree_hash, wide};
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
        let mut nodes = Vec::with_capacity(2 * blocks.len() + 64);
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
        let mut offset = self.bytes;
        for block in blocks {
            files.write(self.paths.data, offset, block.as_ref())?;
            offset += wide(block.as_ref().len());
        }
        self.store_nodes(files, &mut nodes)?;
        let head = SignedHead::sign(signer, end, self.fork(), tree_hash(&roots));
        self.store_head(files, head)?;
        self.mark(files, start..end)?;
        (self.roots, self.bytes) = (roots, bytes);
        Ok(head)
    }
}
