//! Looking for damage, and forgetting what is damaged so that it is fetched again.

use core::ops::Range;

use super::{Feed, FeedError, MAX_BLOCK, Node, flat, paths::Paths, wide};
use crate::storage::{Files, Spans};

/// What an audit found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Audit {
    /// Blocks whose bytes were hashed.
    pub checked: u64,
    /// Flat-tree indexes of what is wrong: for a leaf the block's bytes, else the nodes below and all under them.
    pub damaged: Vec<u64>,
}

/// What was lost of a feed's files, as byte ranges that are zeros now.
pub(super) struct Loss {
    data: Vec<Range<u64>>,
    bits: Vec<Range<u64>>,
    /// More may be lost: whatever has no record.
    unknown: bool,
}

impl Loss {
    /// Heals the files; `None` if nothing was lost.
    ///
    /// What was lost is told but once, and what is zeros is soon stored as such. So all that mending reads has to be in
    /// memory before: [`StorageError::Absent`](crate::storage::StorageError::Absent) until it is, and nothing is healed. It
    /// stays in memory, or it might never be there at once.
    pub(super) fn of(files: &mut Files, paths: &Paths) -> Result<Option<Self>, FeedError> {
        let unknown = files.is_incomplete();
        // Bytes of bits that the nodes are for: without a record of them, they may have said anything.
        let bytes = files.len(paths.tree).div_ceil(16 * Node::STORED);
        let untold = unknown && !files.is_recorded(paths.bits, 0, bytes);
        let unheld = untold || files.is_damaged(paths.bits);
        if !(unknown || unheld || files.is_damaged(paths.tree) || files.is_damaged(paths.data)) {
            return Ok(None);
        }
        let tree = files.keep(paths.tree);
        if unheld {
            files.keep(paths.data)?;
        } else if unknown {
            files.keep_beside_gaps(paths.data, wide(MAX_BLOCK))?;
        }
        tree?;
        files.heal(paths.tree);
        let (data, mut bits) = (files.heal(paths.data), files.heal(paths.bits));
        if untold {
            bits.push(0..u64::MAX);
        }
        Ok(Some(Self { data, bits, unknown }))
    }
}

impl Feed {
    /// Hashes every held block and every held node again and compares, from the roots down.
    ///
    /// [`FeedError::Damaged`] if the roots themselves are not what the signed head says. A block whose pages are not in memory
    /// is not damaged: it is an error that goes away when they are.
    pub fn audit(&self, files: &Files) -> Result<Audit, FeedError> {
        let mut checked = 0;
        let damaged = self.inspect(files, &mut |leaf, held| {
            checked += u64::from(held);
            Ok(!held || self.is_right(files, leaf)?)
        })?;
        Ok(Audit { checked, damaged })
    }

    /// Forgets what an audit found damaged; the blocks that are to be fetched again if they were held.
    pub fn forget(&mut self, files: &mut Files, audit: &Audit) -> Result<Vec<Range<u64>>, FeedError> {
        let mut lost = Vec::with_capacity(audit.damaged.len());
        for index in &audit.damaged {
            let (first, past) = flat::span(*index);
            self.unmark(files, first..past)?;
            if past - first > 1
                && let Some(node) = self.node(files, *index)?
            {
                // What is under a node are the indexes around it.
                let start = flat::leaf(first).saturating_mul(Node::STORED);
                let end = flat::leaf(past).saturating_sub(1).saturating_mul(Node::STORED);
                files.clear(self.paths.tree, start, end - start)?;
                self.store_nodes(files, &mut [node])?;
            }
            lost.push(first..past);
        }
        Ok(lost)
    }

    /// After pages were lost and zeroed: forgets what cannot be read or proved any more, and finds again what is held where
    /// nothing tells it any more.
    pub(super) fn mend(&mut self, files: &mut Files, loss: &Loss) -> Result<(), FeedError> {
        let paths = [self.paths.bits, self.paths.data, self.paths.tree];
        if loss.unknown && self.head.is_none() && paths.iter().any(|file| files.len(*file) > 0) {
            return Err(FeedError::Damaged { what: "head" });
        }
        let mut found = Spans::default();
        let damaged = self.inspect(files, &mut |leaf, held| {
            let (block, data) = (leaf.index / 2, self.paths.data);
            if !held {
                if loss.bits.iter().any(|lost| lost.contains(&(block / 8))) && self.is_right(files, leaf)? {
                    found.set(block..block + 1, true);
                }
                return Ok(true);
            }
            let start = self.offset(files, block)?;
            let end = start.saturating_add(leaf.size);
            if loss.data.iter().any(|lost| start < lost.end && lost.start < end) {
                return Ok(false);
            }
            // What is on the disk alone is noticed when it is read, should it be damaged.
            Ok(!loss.unknown || files.is_recorded(data, start, leaf.size) || self.is_right(files, leaf)?)
        })?;
        self.forget(files, &Audit { checked: 0, damaged })?;
        for blocks in found.within(0..u64::MAX) {
            self.mark(files, blocks)?;
        }
        files.release(self.paths.data);
        Ok(())
    }

    /// Whether the bytes in a block's place are what its leaf says.
    fn is_right(&self, files: &Files, leaf: &Node) -> Result<bool, FeedError> {
        let block = leaf.index / 2;
        let offset = self.offset(files, block)?;
        let read = |size| Ok(files.read(self.paths.data, offset, size)?);
        match self.block_size(files, block).and_then(read) {
            Err(error) if error.is_absent() => Err(error),
            bytes => Ok(bytes.is_ok_and(|bytes| Node::leaf(block, &bytes) == *leaf)),
        }
    }

    /// Walks all held nodes; `is_right` judges what there is of a block by its leaf and whether it is held.
    fn inspect(
        &self,
        files: &Files,
        is_right: &mut dyn FnMut(&Node, bool) -> Result<bool, FeedError>,
    ) -> Result<Vec<u64>, FeedError> {
        let mut damaged = Vec::new();
        for root in &self.roots {
            if self.node(files, root.index)?.as_ref() != Some(root) {
                return Err(FeedError::Damaged { what: "roots" });
            }
            self.visit(files, root, is_right, &mut damaged)?;
        }
        Ok(damaged)
    }

    /// Visits what is held under a node that is right itself.
    fn visit(
        &self,
        files: &Files,
        node: &Node,
        is_right: &mut dyn FnMut(&Node, bool) -> Result<bool, FeedError>,
        damaged: &mut Vec<u64>,
    ) -> Result<(), FeedError> {
        let (first, past) = flat::span(node.index);
        let holds_blocks = self.next_held(first).is_some_and(|index| index < past);
        let Some((left, right)) = flat::children(node.index) else {
            if !is_right(node, holds_blocks)? {
                damaged.push(node.index);
            }
            return Ok(());
        };
        match (self.node(files, left)?, self.node(files, right)?) {
            (None, None) if !holds_blocks => Ok(()),
            (Some(left), Some(right)) if Node::parent(&left, &right).as_ref() == Ok(node) => {
                self.visit(files, &left, is_right, damaged)?;
                self.visit(files, &right, is_right, damaged)
            }
            _ => {
                damaged.push(node.index);
                Ok(())
            }
        }
    }
}
