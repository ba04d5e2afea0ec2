//! Cutting a feed back, and following its author who did: feeds that stand alone only.
//!
//! ```text
//! fork 0   a b c d e          the author cuts to 2 blocks, fork 1, and appends x
//! fork 1   a b x              a reader of fork 0 takes a proof from 2 blocks to the head of fork 1
//! ```
//! A head with a higher fork number is the author's word for what the feed is from now on; heads of lower forks say
//! nothing any more. What both have in common stays held. Whoever sends the proof says how much that is: too little
//! costs the reader blocks that it has to fetch again, too much does not verify.

use super::{
    Accepted, Feed, FeedError, MAX_LENGTH, Node, Proof, SignedHead, flat,
    node::total,
    plan::{plan, walk},
    slices, tree_hash,
};
use crate::{codec::MAX_SAFE, crypto::Signer, storage::Files};

impl Feed {
    /// Cuts one's own feed back to `length` blocks and signs that head with the next fork number.
    ///
    /// [`FeedError::OnlyGrows`] unless it was opened with [`Feed::open_alone`]. The head must not leave the node before
    /// the files' batch is durable.
    pub fn truncate(
        &mut self,
        files: &mut Files,
        signer: &Signer,
        length: u64,
    ) -> Result<SignedHead, FeedError> {
        if signer.public() != self.key {
            return Err(FeedError::NotOurs);
        }
        let fork = self.fork().saturating_add(1);
        let roots = self.roots_to_keep(files, length, fork)?;
        let head = SignedHead::sign(signer, length, fork, tree_hash(&roots));
        self.cut_back(files, length, roots)?;
        self.store_head(files, head)?;
        Ok(head)
    }

    /// Proves to one who holds `from` blocks of an earlier fork, which are the same in this one, what follows them: the
    /// latest head, and blocks of it.
    pub fn prove_fork(
        &self,
        files: &Files,
        from: u64,
        blocks: core::ops::Range<u64>,
    ) -> Result<Proof, FeedError> {
        let head = *self.head().ok_or(FeedError::NotHeld { what: "head", index: 0 })?;
        if from < head.length {
            return self.prove(files, &super::ProofRequest { blocks, from, to: head.length });
        }
        // Nothing follows them: the head says it all.
        if from > head.length || !blocks.is_empty() {
            return Err(FeedError::OutOfRange { length: head.length, got: from.max(blocks.end) });
        }
        Ok(Proof { head: Some(head), from, blocks_start: from, nodes: Vec::new() })
    }

    /// Takes the head of a higher fork with its blocks: what is held past `proof.from` is dropped, all else is kept.
    ///
    /// Everything is verified before anything changes. [`FeedError::ForkNumber`] if the fork is not a higher one,
    /// [`FeedError::OnlyGrows`] unless the feed was opened with [`Feed::open_alone`].
    pub fn accept_fork<B: AsRef<[u8]>>(
        &mut self,
        files: &mut Files,
        proof: &Proof,
        blocks: &[B],
    ) -> Result<Accepted, FeedError> {
        let head = proof.head.ok_or(FeedError::NotHeld { what: "head", index: proof.from })?;
        let old_roots = self.roots_to_keep(files, proof.from, head.fork)?;
        if head.length > MAX_LENGTH {
            return Err(FeedError::TooLarge { what: "length of feed", max: MAX_LENGTH, got: head.length });
        }
        if head.length < proof.from {
            return Err(FeedError::OutOfRange { length: head.length, got: proof.from });
        }
        head.verify(&self.key)?;
        let blocks = &slices(blocks)[..];
        let range = self.check_blocks(proof, head.length, blocks)?;
        if range.start < proof.from && !range.is_empty() {
            // They are the same in both forks: an ordinary proof brings them.
            return Err(FeedError::OutOfRange { length: head.length, got: range.start });
        }
        let leaves: Vec<Node> =
            range.clone().zip(blocks).map(|(index, block)| Node::leaf(index, block)).collect();
        let steps = plan(proof.from, head.length, &range);
        let mut found = walk(&steps, &proof.nodes, &leaves, &mut |index| {
            let known = old_roots.iter().find(|root| root.index == index);
            known.copied().ok_or(FeedError::NotHeld { what: "node", index })
        })?;
        let bytes = total(&found.roots)?;
        if tree_hash(&found.roots) != head.tree_hash {
            return Err(FeedError::BadProof { index: found.roots.last().map_or(0, |root| root.index) });
        }

        self.cut_back(files, proof.from, old_roots)?;
        self.store_nodes(files, &mut found.nodes)?;
        self.store_blocks(files, found.offset, blocks)?;
        self.store_head(files, head)?;
        (self.roots, self.bytes) = (found.roots, bytes);
        self.mark(files, range.clone())?;
        Ok(Accepted { new_length: Some(head.length), blocks: range })
    }

    /// The roots of the blocks that stay under a head of this fork.
    fn roots_to_keep(&self, files: &Files, length: u64, fork: u64) -> Result<Vec<Node>, FeedError> {
        if !self.alone {
            return Err(FeedError::OnlyGrows);
        }
        if fork <= self.fork() {
            return Err(FeedError::ForkNumber { expected: self.fork().saturating_add(1), got: fork });
        }
        if fork > MAX_SAFE {
            return Err(FeedError::TooLarge { what: "fork", max: MAX_SAFE, got: fork });
        }
        if length > self.length() {
            return Err(FeedError::Stale { length: self.length(), got: length });
        }
        self.roots_at(files, length)?.ok_or(FeedError::NotHeld { what: "roots", index: length })
    }

    /// Forgets every block from `length` on, every node above one of them, and the heads of the old fork.
    fn cut_back(&mut self, files: &mut Files, length: u64, roots: Vec<Node>) -> Result<(), FeedError> {
        self.unmark(files, length..self.length())?;
        for root in &self.roots {
            let mut at = root.index;
            // Nodes above blocks on both sides of the cut stand among those that stay.
            while let (first, past) = flat::span(at)
                && first < length
                && length < past
                && let Some((left, right)) = flat::children(at)
            {
                files.clear(self.paths.tree, at.saturating_mul(Node::STORED), Node::STORED)?;
                at = if length < flat::span(right).0 { left } else { right };
            }
        }
        files.truncate(self.paths.tree, flat::leaf(length).saturating_mul(Node::STORED));
        let bytes = total(&roots)?;
        files.truncate(self.paths.data, bytes);
        self.drop_kept(files);
        (self.roots, self.bytes) = (roots, bytes);
        Ok(())
    }
}
