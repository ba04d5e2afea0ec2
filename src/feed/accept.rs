//! Taking in what others prove: everything is verified before anything is stored.

use core::ops::Range;

use super::{
    Feed, FeedError, HeadCheck, MAX_BLOCK, MAX_PROOF_BLOCKS, Node, Proof, SignedHead,
    node::total,
    plan::{Step, plan, walk},
    slices, tree_hash, wide,
};
use crate::storage::Files;

/// What a proof brought.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Accepted {
    /// Blocks of the head now, if the proof made it longer.
    pub new_length: Option<u64>,
    /// Blocks that are held now.
    pub blocks: Range<u64>,
}

impl Feed {
    /// Verifies a proof with its blocks, then stores them.
    ///
    /// Checked are: the head's signature and fork number, that the new roots extend the held ones, and that the blocks
    /// stand under the roots. An error stores nothing. A head that is not longer than ours is fine if it can be compared,
    /// which needs the roots of its length, else [`FeedError::Stale`]: ask again, against the head we have.
    pub fn accept<B: AsRef<[u8]>>(
        &mut self,
        files: &mut Files,
        proof: &Proof,
        blocks: &[B],
    ) -> Result<Accepted, FeedError> {
        Ok(self.accept_at(files, proof, &slices(blocks), None)?.0)
    }

    /// The same; besides, `byte` of the feed must be in the first block. Its place in it.
    pub(super) fn accept_at(
        &mut self,
        files: &mut Files,
        proof: &Proof,
        blocks: &[&[u8]],
        byte: Option<u64>,
    ) -> Result<(Accepted, u64), FeedError> {
        let upgrade = self.check_head(files, proof)?;
        let to = proof.head.map_or(proof.from, |head| head.length);
        let range = self.check_blocks(proof, to, blocks)?;
        let leaves: Vec<Node> =
            range.clone().zip(blocks).map(|(index, block)| Node::leaf(index, block)).collect();
        let steps = plan(proof.from, to, &range);
        let mut found = walk(&steps, &proof.nodes, &leaves, &mut |index| {
            self.near(files, index)?.ok_or(FeedError::NotHeld { what: "node", index })
        })?;
        let bytes = total(&found.roots)?;
        if let Some(head) = &proof.head
            && tree_hash(&found.roots) != head.tree_hash
        {
            return Err(match (upgrade, self.head) {
                // Held roots and a right signature do not fit together: who lies is not known yet.
                (true, Some(ours)) => FeedError::Fork { ours: Box::new(ours), theirs: Box::new(*head) },
                _ => FeedError::BadProof { index: found.roots.last().map_or(0, |root| root.index) },
            });
        }

        let inside = match (byte, leaves.first()) {
            (None, _) => 0,
            (Some(byte), Some(leaf)) => byte
                .checked_sub(found.offset)
                .filter(|inside| *inside < leaf.size)
                .ok_or(FeedError::BadProof { index: leaf.index })?,
            (Some(_), None) => return Err(FeedError::Empty),
        };
        if !upgrade && self.next_missing(range.start) >= range.end {
            // Another peer was faster: all of it is here.
            return Ok((Accepted { new_length: None, blocks: range }, inside));
        }
        self.store_nodes(files, &mut found.nodes)?;
        self.store_blocks(files, found.offset, blocks)?;
        if let (true, Some(head)) = (upgrade, proof.head) {
            self.store_head(files, head)?;
            (self.roots, self.bytes) = (found.roots, bytes);
        }
        self.mark(files, range.clone())?;
        Ok((Accepted { new_length: upgrade.then_some(to), blocks: range }, inside))
    }

    /// Reads what taking a proof of so many blocks would: what is missed the files want.
    pub fn touch_proof(&self, files: &Files, proof: &Proof, blocks: usize) {
        let to = proof.head.map_or(proof.from, |head| head.length);
        let end = proof.blocks_start.saturating_add(wide(blocks));
        // What is refused before it is compared reads nothing.
        if proof.from > self.length() || end > to || proof.from > to || wide(blocks) > MAX_PROOF_BLOCKS {
            return;
        }
        let _ = self.tree_hash_at(files, to);
        for step in plan(proof.from, to, &(proof.blocks_start..end)) {
            if let Step::Held(index) | Step::Check(index) = step {
                let _ = self.near(files, index);
            }
        }
    }

    /// Whether the proof's head, rightly signed, is longer than ours.
    fn check_head(&self, files: &Files, proof: &Proof) -> Result<bool, FeedError> {
        let stale = FeedError::Stale { length: self.length(), got: proof.from };
        if proof.from > self.length() {
            return Err(stale);
        }
        let Some(head) = &proof.head else { return Ok(false) };
        if head.length <= proof.from {
            return Err(FeedError::OutOfRange { length: proof.from, got: head.length });
        }
        self.check_signed(head)?;
        match self.check(files, head)? {
            HeadCheck::Longer if proof.from == self.length() => Ok(true),
            HeadCheck::Known => Ok(false),
            HeadCheck::Longer | HeadCheck::Unknown => Err(stale),
            HeadCheck::Fork => Err(self.fork_error(head)),
        }
    }

    fn fork_error(&self, theirs: &SignedHead) -> FeedError {
        let ours = self.head_at(theirs.length).or(self.head.as_ref()).unwrap_or(theirs);
        FeedError::Fork { ours: Box::new(*ours), theirs: Box::new(*theirs) }
    }

    pub(super) fn check_blocks(
        &self,
        proof: &Proof,
        to: u64,
        blocks: &[&[u8]],
    ) -> Result<Range<u64>, FeedError> {
        let count = wide(blocks.len());
        if count > MAX_PROOF_BLOCKS {
            return Err(FeedError::TooLarge { what: "blocks of proof", max: MAX_PROOF_BLOCKS, got: count });
        }
        if count == 0 && proof.head.is_none() {
            return Err(FeedError::Empty);
        }
        let end = proof.blocks_start.saturating_add(count);
        if end > to {
            return Err(FeedError::OutOfRange { length: to, got: end });
        }
        if let Some(block) = blocks.iter().find(|block| block.len() > MAX_BLOCK) {
            let got = wide(block.len());
            return Err(FeedError::TooLarge { what: "block", max: wide(MAX_BLOCK), got });
        }
        Ok(proof.blocks_start..end)
    }

    /// A node that must be held.
    pub(super) fn held_node(&self, files: &Files, index: u64) -> Result<Node, FeedError> {
        self.node(files, index)?.ok_or(FeedError::NotHeld { what: "node", index })
    }
}
