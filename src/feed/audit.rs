//! Looking for damage, and forgetting what is damaged so that it is fetched again.

use core::ops::Range;

use super::{Feed, FeedError, Node, flat, paths::Paths, wide};
use crate::storage::Files;

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
        if !unknown && ![paths.tree, paths.data, paths.bits].iter().any(|file| files.is_damaged(*file)) {
            return Ok(None);
        }
        files.keep(paths.tree)?;
        files.heal(paths.tree);
        files.heal(paths.bits);
        Ok(Some(Self { data: files.heal(paths.data), unknown }))
    }
}

impl Feed {
    /// Hashes every held block and every held node again and compares, from the roots down.
    ///
    /// [`FeedError::Damaged`] if the roots themselves are not what the signed head says.
    pub fn audit(&self, files: &Files) -> Result<Audit, FeedError> {
        let mut checked = 0;
        let damaged = self.inspect(files, &mut |leaf, offset, size| {
            checked += 1;
            let bytes = files.read(self.paths.data, offset, size);
            bytes.is_ok_and(|bytes| Node::leaf(leaf.index / 2, &bytes) == *leaf)
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

    /// After pages were lost and zeroed: forgets what cannot be read or proved any more.
    pub(super) fn mend(&mut self, files: &mut Files, loss: &Loss) -> Result<(), FeedError> {
        if loss.unknown {
            self.mend_unknown(files)?;
        }
        let damaged = self.inspect(files, &mut |_, offset, size| {
            let end = offset.saturating_add(wide(size));
            !loss.data.iter().any(|lost| offset < lost.end && lost.start < end)
        })?;
        self.forget(files, &Audit { checked: 0, damaged })?;
        Ok(())
    }

    /// After pages were lost, nobody knows which: checks everything that is held, and forgets what is not right.
    fn mend_unknown(&mut self, files: &mut Files) -> Result<(), FeedError> {
        let paths = [self.paths.bits, self.paths.data, self.paths.tree];
        if self.head.is_none() && paths.iter().any(|file| files.len(*file) > 0) {
            return Err(FeedError::Damaged { what: "head" });
        }
        let audit = self.audit(files)?;
        self.forget(files, &audit)?;
        Ok(())
    }

    /// Walks all held nodes; `is_right` judges held blocks by leaf, place and size.
    fn inspect(
        &self,
        files: &Files,
        is_right: &mut dyn FnMut(&Node, u64, usize) -> bool,
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
        is_right: &mut dyn FnMut(&Node, u64, usize) -> bool,
        damaged: &mut Vec<u64>,
    ) -> Result<(), FeedError> {
        let (first, past) = flat::span(node.index);
        let holds_blocks = self.next_held(first).is_some_and(|index| index < past);
        let Some((left, right)) = flat::children(node.index) else {
            if holds_blocks && !is_right(node, self.offset(files, first)?, self.block_size(files, first)?) {
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
