//! The feed itself: what of it is in memory, and how it opens.

use super::{
    FeedError, MAX_KEPT_HEADS, MAX_LENGTH, Node, SignedHead,
    audit::Loss,
    bitfield::Bitfield,
    flat,
    node::total,
    paths::{Paths, folder},
    tree_hash, wide,
};
use crate::{
    collections::{Map, sort_by},
    crypto::{Hash, PublicKey},
    storage::Files,
};

/// Bytes of a kept head's slot: an encoded head and zeros.
const SLOT: u64 = 128;

/// Bytes of small blocks that are written together.
const RUN: usize = 64 * 1024;

/// One feed. Blocks and tree nodes stay in [`Files`]; in memory are its head, its roots and which blocks are held.
#[derive(Clone, Debug)]
pub struct Feed {
    pub(super) key: PublicKey,
    pub(super) paths: Paths,
    pub(super) head: Option<SignedHead>,
    /// Roots of the head's length.
    pub(super) roots: Vec<Node>,
    pub(super) bytes: u64,
    pub(super) bits: Bitfield,
    pub(super) contiguous: u64,
    /// Whether it may be cut back.
    pub(super) alone: bool,
    /// By length.
    kept: Map<u64, SignedHead>,
    slots: u64,
}

/// How a signed head relates to what is held.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HeadCheck {
    /// It is a prefix of what is held, or the same.
    Known,
    /// It is longer than what is held: a proof must show that it extends it.
    Longer,
    /// It is shorter, and the nodes to compare it are not held.
    Unknown,
    /// It contradicts what is held.
    Fork,
}

impl Feed {
    /// Opens a feed; empty if nothing of it is stored.
    ///
    /// Damaged pages are mended by forgetting blocks, which are then to be fetched again; nothing is changed before all is in
    /// memory that this reads. [`FeedError::Damaged`] if head or roots are lost: then all that helps is [`Feed::remove`] and
    /// fetching.
    pub fn open(files: &mut Files, key: PublicKey) -> Result<Self, FeedError> {
        Self::open_folder(files, key, &folder(&key))
    }

    /// Opens a feed that stands alone: its author may cut it back, and its readers follow ([`Feed::accept_fork`]).
    ///
    /// Never for a feed of a space: there another fork number is equivocation.
    pub fn open_alone(files: &mut Files, key: PublicKey) -> Result<Self, FeedError> {
        Ok(Self { alone: true, ..Self::open(files, key)? })
    }

    /// Opens another branch of a feed whose author signed two, named by the tree hash of its head: kept to be looked at.
    pub fn open_branch(files: &mut Files, key: PublicKey, branch: &Hash) -> Result<Self, FeedError> {
        Self::open_folder(files, key, &branch_folder(&key, branch))
    }

    /// Deletes everything stored of a feed.
    pub fn remove(files: &mut Files, key: &PublicKey) {
        Self::remove_folder(files, &folder(key));
    }

    /// Deletes everything stored of another branch.
    pub fn remove_branch(files: &mut Files, key: &PublicKey, branch: &Hash) {
        Self::remove_folder(files, &branch_folder(key, branch));
    }

    fn remove_folder(files: &mut Files, folder: &str) {
        for file in Paths::of(files, folder).all() {
            files.truncate(file, 0);
        }
    }

    fn open_folder(files: &mut Files, key: PublicKey, folder: &str) -> Result<Self, FeedError> {
        let paths = Paths::of(files, folder);
        let loss = Loss::of(files, &paths)?;
        let lost_head = !files.heal(paths.head).is_empty();
        files.heal(paths.heads);
        if lost_head {
            return Err(FeedError::Damaged { what: "head" });
        }
        let mut feed = Self {
            key,
            paths,
            head: None,
            roots: Vec::new(),
            bytes: 0,
            bits: Bitfield::load(files, paths.bits)?,
            contiguous: 0,
            alone: false,
            kept: Map::new(),
            slots: 0,
        };
        feed.load_heads(files)?;
        if let Some(head) = feed.head {
            for index in flat::roots(head.length) {
                let root = feed.root_node(files, index)?;
                feed.roots.push(root);
            }
            if tree_hash(&feed.roots) != head.tree_hash {
                return Err(FeedError::Damaged { what: "roots" });
            }
            feed.bytes = total(&feed.roots)?;
        }
        if let Some(loss) = loss {
            feed.mend(files, &loss)?;
        }
        feed.contiguous = feed.bits.next_clear(0);
        Ok(feed)
    }

    fn load_heads(&mut self, files: &Files) -> Result<(), FeedError> {
        let size = usize::try_from(files.len(self.paths.head)).unwrap_or(usize::MAX);
        if size > SignedHead::MAX_ENCODED {
            return Err(FeedError::Damaged { what: "head" });
        }
        if size > 0 {
            let bytes = files.read(self.paths.head, 0, size)?;
            self.head = Some(SignedHead::decode(&bytes)?);
        }
        self.slots = files.len(self.paths.heads).div_ceil(SLOT);
        for slot in 0..self.slots {
            let mut bytes = [0; SignedHead::MAX_ENCODED + 1];
            let [size, encoded @ ..] = &mut bytes;
            files.read_into(self.paths.heads, slot * SLOT, core::slice::from_mut(size))?;
            let Some(encoded) = encoded.get_mut(..usize::from(*size)).filter(|encoded| !encoded.is_empty())
            else {
                continue;
            };
            files.read_into(self.paths.heads, slot * SLOT + 1, encoded)?;
            let head = SignedHead::decode(encoded)?;
            self.kept.insert(head.length, head);
        }
        Ok(())
    }

    /// A root, from its children if itself is lost.
    fn root_node(&self, files: &mut Files, index: u64) -> Result<Node, FeedError> {
        if let Some(node) = self.node(files, index)? {
            return Ok(node);
        }
        let lost = FeedError::Damaged { what: "roots" };
        let (left, right) = flat::children(index).ok_or_else(|| lost.clone())?;
        let (Some(left), Some(right)) = (self.node(files, left)?, self.node(files, right)?) else {
            return Err(lost);
        };
        let node = Node::parent(&left, &right)?;
        self.store_nodes(files, &mut [node])?;
        Ok(node)
    }

    /// The key that writes it.
    pub const fn key(&self) -> PublicKey {
        self.key
    }

    /// Blocks of the head, held or not.
    pub fn length(&self) -> u64 {
        self.head.map_or(0, |head| head.length)
    }

    /// Bytes of all blocks of the head, held or not.
    pub const fn byte_length(&self) -> u64 {
        self.bytes
    }

    /// Fork number of the head.
    pub fn fork(&self) -> u64 {
        self.head.map_or(0, |head| head.fork)
    }

    /// The latest signed head.
    pub const fn head(&self) -> Option<&SignedHead> {
        self.head.as_ref()
    }

    /// Tree hash of the head: names this very content.
    pub fn id(&self) -> Hash {
        tree_hash(&self.roots)
    }

    /// Blocks held from 0 on without a gap.
    pub const fn contiguous(&self) -> u64 {
        self.contiguous
    }

    /// Whether a block is held.
    pub fn has(&self, index: u64) -> bool {
        self.bits.get(index)
    }

    /// First block from `from` on that is held.
    pub fn next_held(&self, from: u64) -> Option<u64> {
        self.bits.next_set(from)
    }

    /// First block from `from` on that is not held, even if past the end.
    pub fn next_missing(&self, from: u64) -> u64 {
        self.bits.next_clear(from)
    }

    /// A tree node, if held.
    pub fn node(&self, files: &Files, index: u64) -> Result<Option<Node>, FeedError> {
        let offset = index.saturating_mul(Node::STORED);
        if offset.saturating_add(Node::STORED) > files.len(self.paths.tree) {
            return Ok(None);
        }
        let mut stored = [0; 40];
        files.read_into(self.paths.tree, offset, &mut stored)?;
        Ok(Node::from_stored(index, &stored))
    }

    /// Hash of a block's leaf, if held; the block itself need not be.
    pub fn leaf(&self, files: &Files, block: u64) -> Result<Option<Hash>, FeedError> {
        if block >= self.length() {
            return Ok(None);
        }
        Ok(self.node(files, flat::leaf(block))?.map(|node| node.hash))
    }

    /// Tree hash of the first `length` blocks; `None` if they are not there or the nodes are not held.
    pub fn tree_hash_at(&self, files: &Files, length: u64) -> Result<Option<Hash>, FeedError> {
        Ok(self.roots_at(files, length)?.map(|roots| tree_hash(&roots)))
    }

    pub(super) fn roots_at(&self, files: &Files, length: u64) -> Result<Option<Vec<Node>>, FeedError> {
        if length == self.length() {
            return Ok(Some(self.roots.clone()));
        }
        if length > self.length() {
            return Ok(None);
        }
        flat::roots(length).map(|index| self.near(files, index)).collect()
    }

    /// A tree node, if held: without looking it up if it is a root.
    pub(super) fn near(&self, files: &Files, index: u64) -> Result<Option<Node>, FeedError> {
        match self.roots.iter().find(|root| root.index == index) {
            Some(root) => Ok(Some(*root)),
            None => self.node(files, index),
        }
    }

    /// Keeps the nodes of its tree in memory from now on: they are about to be looked into here and there. Whether all are.
    pub fn keep_tree(&self, files: &mut Files) -> bool {
        files.keep(self.paths.tree).is_ok()
    }

    /// The signed head of exactly this length: the latest, or one that was kept.
    pub fn head_at(&self, length: u64) -> Option<&SignedHead> {
        self.head.as_ref().filter(|head| head.length == length).or_else(|| self.kept.get(&length))
    }

    /// The length whose signed head, latest or kept, has this tree hash.
    pub fn checkout(&self, id: &Hash) -> Option<u64> {
        let heads = self.head.iter().chain(self.kept.values());
        heads.filter(|head| head.tree_hash == *id).map(|head| head.length).next()
    }

    /// Compares a head with what is held. Does not verify its signature.
    pub fn check(&self, files: &Files, head: &SignedHead) -> Result<HeadCheck, FeedError> {
        if head.length > self.length() {
            return Ok(HeadCheck::Longer);
        }
        Ok(match self.tree_hash_at(files, head.length)? {
            None => HeadCheck::Unknown,
            Some(hash) if hash == head.tree_hash => HeadCheck::Known,
            Some(_) => HeadCheck::Fork,
        })
    }

    /// Keeps a signed head of any length, for those who will ask what a dep rests on. One per length.
    ///
    /// [`FeedError::Fork`] if it contradicts what is held; a longer one than held is kept unchecked.
    pub fn keep_head(&mut self, files: &mut Files, head: &SignedHead) -> Result<(), FeedError> {
        if self.head_at(head.length) == Some(head) && self.kept.contains_key(&head.length) {
            return Ok(());
        }
        self.check_signed(head)?;
        if let (HeadCheck::Fork, Some(ours)) = (self.check(files, head)?, self.head) {
            return Err(FeedError::Fork { ours: Box::new(ours), theirs: Box::new(*head) });
        }
        if let Some(kept) = self.kept.get(&head.length) {
            if kept.contradicts(head) {
                return Err(FeedError::Fork { ours: Box::new(*kept), theirs: Box::new(*head) });
            }
            return Ok(());
        }
        if self.kept.len() >= MAX_KEPT_HEADS {
            let max = wide(MAX_KEPT_HEADS);
            return Err(FeedError::TooLarge { what: "kept heads", max, got: max + 1 });
        }
        let encoded = head.encode();
        let mut slot = vec![u8::try_from(encoded.len()).unwrap_or(0)];
        slot.extend_from_slice(&encoded);
        files.write(self.paths.heads, self.slots * SLOT, &slot)?;
        self.slots += 1;
        self.kept.insert(head.length, *head);
        Ok(())
    }

    /// Forgets all heads but the latest.
    pub(super) fn drop_kept(&mut self, files: &mut Files) {
        files.truncate(self.paths.heads, 0);
        self.kept.clear();
        self.slots = 0;
    }

    pub(super) fn check_signed(&self, head: &SignedHead) -> Result<(), FeedError> {
        if head.fork != self.fork() {
            return Err(FeedError::ForkNumber { expected: self.fork(), got: head.fork });
        }
        if head.length > MAX_LENGTH {
            return Err(FeedError::TooLarge { what: "length of feed", max: MAX_LENGTH, got: head.length });
        }
        Ok(head.verify(&self.key)?)
    }

    /// Stores nodes, neighbours in one write. Sorts them.
    pub(super) fn store_nodes(&self, files: &mut Files, nodes: &mut [Node]) -> Result<(), FeedError> {
        sort_by(nodes, |a, b| a.index.cmp(&b.index));
        let mut run: Vec<u8> = Vec::with_capacity(nodes.len() * 40);
        let mut start = 0;
        let mut next = None;
        for node in nodes.iter() {
            if next != Some(node.index) {
                files.write(self.paths.tree, start * Node::STORED, &run)?;
                run.clear();
                start = node.index;
            }
            run.extend_from_slice(&node.to_stored());
            next = Some(node.index + 1);
        }
        files.write(self.paths.tree, start * Node::STORED, &run)?;
        Ok(())
    }

    /// Stores blocks end to end from a place on, small ones together in one write.
    pub(super) fn store_blocks(
        &self,
        files: &mut Files,
        mut offset: u64,
        blocks: &[&[u8]],
    ) -> Result<(), FeedError> {
        let mut run: Vec<u8> = Vec::with_capacity(RUN);
        for block in blocks {
            if run.len() + block.len() > RUN {
                files.write(self.paths.data, offset, &run)?;
                offset += wide(run.len());
                run.clear();
            }
            if block.len() > RUN {
                files.write(self.paths.data, offset, block)?;
                offset += wide(block.len());
            } else {
                run.extend_from_slice(block);
            }
        }
        files.write(self.paths.data, offset, &run)?;
        Ok(())
    }

    pub(super) fn store_head(&mut self, files: &mut Files, head: SignedHead) -> Result<(), FeedError> {
        let encoded = head.encode();
        files.write(self.paths.head, 0, &encoded)?;
        files.truncate(self.paths.head, wide(encoded.len()));
        self.head = Some(head);
        Ok(())
    }

    /// Marks blocks as held.
    pub(super) fn mark(&mut self, files: &mut Files, range: core::ops::Range<u64>) -> Result<(), FeedError> {
        self.bits.set(files, self.paths.bits, range.clone(), true)?;
        if range.contains(&self.contiguous) {
            self.contiguous = self.bits.next_clear(range.end);
        }
        Ok(())
    }

    /// Marks blocks as not held. Costs what is held in the range, not what the range spans.
    pub(super) fn unmark(
        &mut self,
        files: &mut Files,
        range: core::ops::Range<u64>,
    ) -> Result<(), FeedError> {
        let mut next = range.start;
        while let Some(start) = self.bits.next_set(next).filter(|start| *start < range.end) {
            let past = self.bits.next_clear(start).min(range.end);
            self.bits.set(files, self.paths.bits, start..past, false)?;
            self.contiguous = self.contiguous.min(start);
            next = past;
        }
        Ok(())
    }
}

fn branch_folder(key: &PublicKey, branch: &Hash) -> String {
    format!("branch/{key}/{branch}")
}
