//! Copying between two branches of one feed that are both here. All of it is verified as if it had come from a peer.

use core::ops::Range;

use super::{
    Feed, FeedError, Proof, ProofRequest,
    plan::{given, plan},
    read::Chunk,
    wide,
};
use crate::storage::Files;

/// Bytes copied at a time.
const PART: usize = 256 * 1024;

impl Feed {
    /// Takes over the head of a longer branch that extends this one, and the blocks that it holds from `start` on.
    pub fn copy_branch(&mut self, files: &mut Files, other: &Self, start: u64) -> Result<(), FeedError> {
        let mut at = start;
        while let Some(next) = other.next_held(at).filter(|next| *next < other.length()) {
            let chunk = other.data_range(files, next..other.length(), PART)?;
            let from = if self.length() < other.length() { self.length() } else { other.length() };
            let request = ProofRequest { blocks: next..chunk.end(), from, to: other.length() };
            let proof = other.prove(files, &request)?;
            at = self.take(files, &proof, &chunk)?;
        }
        Ok(())
    }

    /// Takes over blocks that both branches have in common.
    pub fn copy_shared(
        &mut self,
        files: &mut Files,
        other: &Self,
        range: Range<u64>,
    ) -> Result<(), FeedError> {
        let (mut at, length) = (range.start, self.length());
        while at < range.end {
            let chunk = other.data_range(files, at..range.end, PART)?;
            if chunk.sizes.is_empty() {
                return Ok(());
            }
            let mut nodes = Vec::new();
            for index in given(&plan(length, length, &(at..chunk.end()))) {
                let node = match self.node(files, index)? {
                    Some(node) => node,
                    None => other.held_node(files, index)?,
                };
                nodes.push(node);
            }
            at = self.take(files, &Proof { head: None, from: length, blocks_start: at, nodes }, &chunk)?;
        }
        Ok(())
    }

    fn take(&mut self, files: &mut Files, proof: &Proof, chunk: &Chunk) -> Result<u64, FeedError> {
        let blocks: Vec<&[u8]> = chunk.blocks().collect();
        self.accept(files, proof, &blocks)?;
        Ok(chunk.start.saturating_add(wide(blocks.len())))
    }
}
