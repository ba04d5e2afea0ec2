//! Proof that an author signed two branches of one feed.
//!
//! ```text
//! version u8 | key 32 | varint index | roots of the equal prefix | two sides, lower tree hash first:
//!   head | leaf of block `index` | nodes that join prefix and leaf to the head's tree
//! ```
//!
//! A side is what [`Feed::accept`](super::Feed::accept) checks for an upgrade from `index` blocks with one block, but
//! with the block's leaf in place of the block: so anyone can verify it who holds nothing but the key.

use super::{
    Feed, FeedError, MAX_LENGTH, MAX_PROOF_NODES, Node, SignedHead, flat,
    plan::{given, plan, walk},
    proof::{read_nodes, write_nodes},
    tree_hash,
};
use crate::{
    codec::{DecodeError, Reader, Writer},
    crypto::{Hash, PublicKey, blake2b},
    storage::Files,
};

/// Where one block stands in the tree of one head, seen from the blocks before it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Side {
    /// The signed head.
    pub head: SignedHead,
    /// Leaf of the block.
    pub leaf: Node,
    /// What joins it to the head's tree.
    pub nodes: Vec<Node>,
}

impl Side {
    fn verify(&self, key: &PublicKey, roots: &[Node], index: u64) -> Result<(), FeedError> {
        if self.head.length <= index || self.head.length > MAX_LENGTH {
            return Err(FeedError::OutOfRange { length: self.head.length, got: index });
        }
        self.head.verify(key)?;
        let steps = plan(index, self.head.length, &(index..index + 1));
        let found = walk(&steps, &self.nodes, core::slice::from_ref(&self.leaf), &mut |wanted| {
            let root = roots.iter().find(|root| root.index == wanted);
            root.copied().ok_or(FeedError::BadProof { index: wanted })
        })?;
        match tree_hash(&found.roots) == self.head.tree_hash {
            true => Ok(()),
            false => Err(FeedError::BadProof { index: found.roots.last().map_or(0, |root| root.index) }),
        }
    }

    fn write(&self, writer: &mut Writer) {
        self.head.write(writer);
        self.leaf.write(writer);
        write_nodes(writer, &self.nodes);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { head: SignedHead::read(reader)?, leaf: Node::read(reader)?, nodes: read_nodes(reader)? })
    }
}

/// A side with the roots of the blocks before: what a peer is asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Branch {
    /// The block.
    pub index: u64,
    /// Roots of the blocks before it.
    pub roots: Vec<Node>,
    /// The block in the head's tree.
    pub side: Side,
}

impl Branch {
    /// Longest encoding, bytes.
    pub const MAX_ENCODED: usize = 1 + 8 + SignedHead::MAX_ENCODED + 48 + 2 * (2 + MAX_PROOF_NODES * 48);

    /// Verifies: the head is signed by the key, and the blocks before `index` with these roots are a prefix of it.
    pub fn verify(&self, key: &PublicKey) -> Result<(), FeedError> {
        if !self.roots.iter().map(|root| root.index).eq(flat::roots(self.index.min(MAX_LENGTH))) {
            return Err(FeedError::NoEquivocation { why: "the roots are not those of the prefix" });
        }
        self.side.verify(key, &self.roots, self.index)
    }

    /// Encodes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::versioned();
        writer.varint(self.index);
        write_nodes(&mut writer, &self.roots);
        self.side.write(&mut writer);
        writer.finish()
    }

    /// Decodes; does not verify.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::versioned(bytes)?;
        let (index, roots) = (reader.varint()?, read_nodes(&mut reader)?);
        let side = Side::read(&mut reader)?;
        reader.end()?;
        Ok(Self { index, roots, side })
    }
}

/// Two heads of one feed that differ first at block `index`, with proof. Of a pair of heads one is enough: sizes in it may
/// differ ([`EquivocationProof::verify`]).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EquivocationProof {
    /// The feed.
    pub key: PublicKey,
    /// First block at which they differ; all before are equal.
    pub index: u64,
    /// Roots of the equal blocks.
    pub roots: Vec<Node>,
    /// The two, that with the lower tree hash first.
    pub sides: [Side; 2],
}

impl EquivocationProof {
    /// Joins our branch and a peer's into a proof, and verifies it.
    pub fn new(key: PublicKey, ours: Branch, theirs: Branch) -> Result<Self, FeedError> {
        if ours.index != theirs.index || ours.roots != theirs.roots {
            return Err(FeedError::NoEquivocation { why: "the prefixes differ" });
        }
        let mut sides = [ours.side, theirs.side];
        if let [a, b] = &sides
            && a.head.tree_hash > b.head.tree_hash
        {
            sides.reverse();
        }
        let proof = Self { key, index: ours.index, roots: ours.roots, sides };
        proof.verify()?;
        Ok(proof)
    }

    /// Verifies: both heads are signed by the key, have an equal prefix of `index` blocks, and differ in the next. The sizes
    /// in it are not verified, each by itself.
    pub fn verify(&self) -> Result<(), FeedError> {
        let [a, b] = &self.sides;
        let no = |why| Err(FeedError::NoEquivocation { why });
        if a.head.fork != b.head.fork {
            return no("the heads have different fork numbers");
        }
        if a.head.tree_hash >= b.head.tree_hash {
            return no("the heads are equal or in the wrong order");
        }
        // Not by their sizes: only the hashes are under the head. Of two siblings that are both given, as a leaf and the one
        // beside it, it is under the head what they hold together, so anyone could move bytes from one to the other.
        if a.leaf.hash == b.leaf.hash {
            return no("the blocks are equal");
        }
        if !self.roots.iter().map(|root| root.index).eq(flat::roots(self.index.min(MAX_LENGTH))) {
            return no("the roots are not those of the prefix");
        }
        a.verify(&self.key, &self.roots, self.index)?;
        b.verify(&self.key, &self.roots, self.index)
    }

    /// Names the proof.
    pub fn id(&self) -> Hash {
        blake2b(&[&self.encode()])
    }

    /// Encodes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::versioned();
        writer.raw(&self.key.0).varint(self.index);
        write_nodes(&mut writer, &self.roots);
        for side in &self.sides {
            side.write(&mut writer);
        }
        writer.finish()
    }

    /// Decodes; does not verify.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::versioned(bytes)?;
        let (key, index) = (PublicKey(reader.array()?), reader.varint()?);
        let roots = read_nodes(&mut reader)?;
        let sides = [Side::read(&mut reader)?, Side::read(&mut reader)?];
        reader.end()?;
        Ok(Self { key, index, roots, sides })
    }
}

impl Feed {
    /// Where block `index` stands in the tree of the head of length `to`: our half of an [`EquivocationProof`].
    pub fn branch(&self, files: &Files, index: u64, to: u64) -> Result<Branch, FeedError> {
        if index >= to || to > self.length() {
            return Err(FeedError::OutOfRange { length: to.min(self.length()), got: index });
        }
        let head = *self.head_at(to).ok_or(FeedError::NotHeld { what: "head", index: to })?;
        let roots: Result<_, _> = flat::roots(index).map(|root| self.held_node(files, root)).collect();
        let leaf = self.held_node(files, flat::leaf(index))?;
        let steps = plan(index, to, &(index..index + 1));
        let nodes: Result<_, _> = given(&steps).map(|node| self.held_node(files, node)).collect();
        Ok(Branch { index, roots: roots?, side: Side { head, leaf, nodes: nodes? } })
    }
}

/// Finds the first block at which two trees differ by comparing one node after the other with a peer.
///
/// Ask for [`ForkSearch::next`], compare the peer's node with ours, say so with [`ForkSearch::answer`]. About as many
/// questions as the tree has levels. What a peer answers need not be true: the proof that comes out is verified.
#[derive(Clone, Debug)]
pub struct ForkSearch {
    /// Subtrees to look at, the leftmost last.
    open: Vec<u64>,
    found: Option<u64>,
}

impl ForkSearch {
    /// Searches the blocks that both have: `length` is the shorter head's.
    pub fn new(length: u64) -> Self {
        let mut open: Vec<u64> = flat::roots(length.min(MAX_LENGTH)).collect();
        open.reverse();
        Self { open, found: None }
    }

    /// Flat-tree index of the node to compare; `None` when the search is over.
    pub fn next(&self) -> Option<u64> {
        self.open.last().copied()
    }

    /// Whether the two have the same node there.
    pub fn answer(&mut self, same: bool) {
        let Some(index) = self.open.pop() else { return };
        if same {
            return;
        }
        // Everything before was the same, so what differs is under this node.
        self.open.clear();
        match flat::children(index) {
            Some((left, right)) => self.open.extend([right, left]),
            None => self.found = Some(index / 2),
        }
    }

    /// The first block that differs; `None` if none does, or the search is not over.
    pub const fn found(&self) -> Option<u64> {
        self.found
    }
}
