//! Making proofs.

use super::{
    Feed, FeedError, MAX_PROOF_BLOCKS, Proof, ProofRequest,
    plan::{given, plan},
};
use crate::storage::Files;

impl Feed {
    /// Proves blocks and an upgrade from what is held. The blocks themselves need not be: whoever sends them reads them.
    pub fn prove(&self, files: &Files, request: &ProofRequest) -> Result<Proof, FeedError> {
        let ProofRequest { blocks, from, to } = request;
        let length = self.length();
        if *to > length || *from > *to || blocks.end > *to || blocks.start > blocks.end {
            return Err(FeedError::OutOfRange { length, got: (*to).max(*from).max(blocks.end) });
        }
        if blocks.is_empty() && from == to {
            return Err(FeedError::Empty);
        }
        let count = blocks.end - blocks.start;
        if count > MAX_PROOF_BLOCKS {
            return Err(FeedError::TooLarge { what: "blocks of proof", max: MAX_PROOF_BLOCKS, got: count });
        }
        let head = match from == to {
            true => None,
            false => Some(*self.head_at(*to).ok_or(FeedError::NotHeld { what: "head", index: *to })?),
        };
        let mut nodes = Vec::new();
        for index in given(&plan(*from, *to, blocks)) {
            nodes.push(self.held_node(files, index)?);
        }
        Ok(Proof { head, from: *from, blocks_start: blocks.start, nodes })
    }
}
