//! Proofs as they are asked for and sent.
//!
//! ```text
//! version u8 | head? u8 [head] | varint from | varint blocks start | count nodes: varint index | hash 32 | varint size
//! ```

use core::ops::Range;

use super::{MAX_PROOF_NODES, Node, SignedHead};
use crate::codec::{DecodeError, Reader, Writer};

/// What is to be proved: blocks, and that the feed of `to` blocks extends the one of `from`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProofRequest {
    /// Blocks; may be empty if `to > from`.
    pub blocks: Range<u64>,
    /// Length of the feed as the verifier knows it.
    pub from: u64,
    /// Length of the head to prove to, or `from` for blocks alone. The prover must hold that head.
    pub to: u64,
}

/// Merkle proof of a range of blocks, of an upgrade, or of both. The blocks travel beside it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Proof {
    /// The new head; `None` if the proof is against the tree of `from` blocks.
    pub head: Option<SignedHead>,
    /// Length the verifier trusts already.
    pub from: u64,
    /// Index of the first block.
    pub blocks_start: u64,
    /// The nodes that the verifier cannot compute, left to right.
    pub nodes: Vec<Node>,
}

impl Proof {
    /// Longest encoding, bytes.
    pub const MAX_ENCODED: usize = 2 + SignedHead::MAX_ENCODED + 8 + 8 + 2 + MAX_PROOF_NODES * (8 + 32 + 8);

    /// Encodes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::versioned();
        match &self.head {
            None => {
                writer.u8(0);
            }
            Some(head) => head.write(writer.u8(1)),
        }
        writer.varint(self.from).varint(self.blocks_start);
        write_nodes(&mut writer, &self.nodes);
        writer.finish()
    }

    /// Decodes; does not verify.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::versioned(bytes)?;
        let head = match reader.u8()? {
            0 => None,
            1 => Some(SignedHead::read(&mut reader)?),
            got => return Err(DecodeError::Unknown { what: "head of proof", got: got.into() }),
        };
        let (from, blocks_start) = (reader.varint()?, reader.varint()?);
        let nodes = read_nodes(&mut reader)?;
        reader.end()?;
        Ok(Self { head, from, blocks_start, nodes })
    }
}

pub(super) fn write_nodes(writer: &mut Writer, nodes: &[Node]) {
    writer.count(nodes.len());
    for node in nodes {
        node.write(writer);
    }
}

pub(super) fn read_nodes(reader: &mut Reader<'_>) -> Result<Vec<Node>, DecodeError> {
    let count = reader.count("nodes of proof", MAX_PROOF_NODES)?;
    let mut nodes = Vec::with_capacity(count);
    for _ in 0..count {
        nodes.push(Node::read(reader)?);
    }
    Ok(nodes)
}
