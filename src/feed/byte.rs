//! Finding a byte of a feed whose blocks are not held: whoever has them proves in which block it is.
//!
//! Sizes are part of the hashes, so the sizes of all that stands before a proved block come out of its proof: where the
//! block begins needs no trust.

use super::{Accepted, Feed, FeedError, Proof, ProofRequest};
use crate::storage::Files;

impl Feed {
    /// Proves in which block byte `byte` is, to one who knows the feed of `from` blocks, under the head of `to` blocks
    /// (`from`: under what is known). The block's index and the proof; `None` if the byte is past the end of `to` blocks.
    pub fn prove_byte(
        &self,
        files: &Files,
        byte: u64,
        from: u64,
        to: u64,
    ) -> Result<Option<(u64, Proof)>, FeedError> {
        let Some((block, _)) = self.seek(files, byte)?.filter(|(block, _)| *block < to) else {
            return Ok(None);
        };
        let end = block.saturating_add(1);
        Ok(Some((block, self.prove(files, &ProofRequest { blocks: block..end, from, to })?)))
    }

    /// Verifies a proof with its one block as [`Feed::accept`] does, and that byte `byte` is in it: what it brought, and
    /// the byte's place in the block. [`FeedError::BadProof`] if the byte is elsewhere; then nothing is stored.
    pub fn accept_byte(
        &mut self,
        files: &mut Files,
        byte: u64,
        proof: &Proof,
        block: &[u8],
    ) -> Result<(Accepted, u64), FeedError> {
        self.accept_at(files, proof, &[block], Some(byte))
    }
}
