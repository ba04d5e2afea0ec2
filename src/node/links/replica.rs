//! The space as an exchange with a peer sees it.

use core::ops::Range;

use crate::{
    crypto::{Hash, PublicKey, blake2b},
    feed::{Branch, Proof, SignedHead, tree_hash},
    space::{Space, SpaceError},
    storage::Files,
    sync::{Compared, FeedStatus, ItemKind, Replica, ReplicaError, SideWanted, first_gap, prove_from},
};

/// A space with its files, for the length of one call.
pub(in crate::node) struct SpaceReplica<'a> {
    pub(in crate::node) space: &'a mut Space,
    pub(in crate::node) files: &'a mut Files,
    /// Feeds that got longer or fuller.
    pub(in crate::node) grown: Vec<PublicKey>,
    /// Whether an item is new.
    pub(in crate::node) gained: bool,
    /// Bytes of blocks that may be taken in.
    pub(in crate::node) room: u64,
    /// Bytes of blocks that were taken in.
    pub(in crate::node) took: u64,
    /// Blocks were refused, since there was no room.
    pub(in crate::node) full: bool,
    /// Whether the disk is to be waited for.
    pub(in crate::node) behind: bool,
}

impl<'a> SpaceReplica<'a> {
    pub(in crate::node) const fn new(space: &'a mut Space, files: &'a mut Files) -> Self {
        Self {
            space,
            files,
            grown: Vec::new(),
            gained: false,
            room: u64::MAX,
            took: 0,
            full: false,
            behind: false,
        }
    }
}

/// Every item of a space, for peers.
pub(in crate::node) fn item_hashes(space: &Space) -> Vec<(ItemKind, Hash)> {
    [ItemKind::Record, ItemKind::Manifest, ItemKind::Evidence]
        .into_iter()
        .flat_map(|kind| items(space, kind).into_iter().map(move |bytes| (kind, blake2b(&[&bytes]))))
        .collect()
}

/// The items of a kind, as they are sent.
pub(in crate::node) fn items(space: &Space, kind: ItemKind) -> Vec<Vec<u8>> {
    match kind {
        ItemKind::Record => space.records().map(<[u8]>::to_vec).collect(),
        ItemKind::Manifest => space.manifest_bytes().into_iter().collect(),
        ItemKind::Evidence => space.equivocations().collect(),
        ItemKind::Value => Vec::new(),
    }
}

impl Replica for SpaceReplica<'_> {
    fn wanted(&self, feed: &PublicKey) -> bool {
        self.space.followed(feed)
    }

    fn is_behind(&self) -> bool {
        self.behind
    }

    fn missing(&self, feed: &PublicKey, within: Range<u64>) -> Option<Range<u64>> {
        if self.room == 0 {
            return None;
        }
        // Past a root cut nothing is wanted, whoever offers it; past a device's cut a little at a time.
        let end = within.end.min(self.space.wanted_length(feed));
        let gap = first_gap(self.space.feed(feed)?, within.start.min(end)..end)?;
        match self.space.cut_length(feed) {
            Some(cut) if gap.start < cut => Some(gap.start..gap.end.min(cut)),
            _ => Some(gap),
        }
    }

    fn status(&self) -> Vec<FeedStatus> {
        self.space.feeds().filter_map(|feed| self.feed(&feed.key())).collect()
    }

    fn feed(&self, feed: &PublicKey) -> Option<FeedStatus> {
        let feed = self.space.feed(feed)?;
        let contiguous = feed.contiguous();
        #[cfg(any(test, feature = "hostile"))]
        let contiguous = self.space.hostile_shown(&feed.key(), contiguous);
        Some(FeedStatus { feed: feed.key(), contiguous, head: *feed.head()? })
    }

    fn rooted(&self, feed: &PublicKey, length: u64) -> bool {
        self.space.feed(feed).is_some_and(|feed| matches!(feed.tree_hash_at(self.files, length), Ok(Some(_))))
    }

    fn touch_proof(&self, feed: &PublicKey, proof: &Proof, blocks: usize) {
        if let Some(feed) = self.space.feed(feed) {
            feed.touch_proof(self.files, proof, blocks);
        }
    }

    fn prove(
        &self,
        feed: &PublicKey,
        blocks: Range<u64>,
        from: u64,
        max_bytes: usize,
    ) -> Result<(Proof, Vec<Vec<u8>>), ReplicaError> {
        #[cfg(any(test, feature = "hostile"))]
        if blocks.start >= self.space.hostile_shown(feed, u64::MAX) {
            return Err(ReplicaError::NotHeld);
        }
        let feed = self.space.feed(feed).ok_or(ReplicaError::NotHeld)?;
        prove_from(feed, self.files, blocks, from, max_bytes)
    }

    fn accept(&mut self, feed: &PublicKey, proof: &Proof, blocks: &[Vec<u8>]) -> Result<(), ReplicaError> {
        if proof.blocks_start >= self.space.wanted_length(feed) {
            return Err(ReplicaError::Stale);
        }
        let bytes = blocks.iter().map(|block| u64::try_from(block.len()).unwrap_or(u64::MAX)).sum();
        if bytes > self.room {
            self.full = true;
            return Err(ReplicaError::Stale);
        }
        let taken =
            self.space.accept(self.files, feed, proof, blocks).map_err(|error| unproved(error, proof));
        if taken == Err(ReplicaError::Contradiction) {
            // Where the two histories part is looked for next.
            self.space.keep_tree(self.files, feed);
        }
        if taken? {
            self.grown.push(*feed);
            self.room = self.room.saturating_sub(bytes);
            self.took = self.took.saturating_add(bytes);
        }
        Ok(())
    }

    fn heard(&mut self, feed: &PublicKey, head: &SignedHead) -> Result<(), ReplicaError> {
        let held = self.space.feed(feed).ok_or(ReplicaError::NotHeld)?;
        match held.tree_hash_at(self.files, head.length) {
            // The author signed something else at a length that is held: two histories, if the signature is right.
            Ok(Some(hash)) if hash != head.tree_hash => {
                head.verify(feed).map_err(|error| ReplicaError::Peer(error.to_string()))?;
                self.space.keep_tree(self.files, feed);
                Err(ReplicaError::Contradiction)
            }
            Ok(None) if head.length > self.space.heard(feed) => {
                head.verify(feed).map_err(|error| ReplicaError::Peer(error.to_string()))?;
                self.space.hear(feed, head);
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn rationed(&self, feed: &PublicKey) -> bool {
        let held = self.space.feed(feed).map_or(0, |feed| feed.contiguous());
        self.space.cut_length(feed).is_some_and(|cut| held >= cut)
    }

    fn fork_bound(&self, feed: &PublicKey) -> Option<u64> {
        Some(self.space.fork_of(feed).unwrap_or(u64::MAX))
    }

    fn show_branch(&self, feed: &PublicKey, index: u64) -> Result<Vec<u8>, ReplicaError> {
        Ok(self.space.branch(self.files, feed, index).map_err(missed)?.encode())
    }

    fn compare_branch(
        &mut self,
        feed: &PublicKey,
        index: u64,
        bytes: &[u8],
    ) -> Result<Compared, ReplicaError> {
        let theirs = Branch::decode(bytes).map_err(|error| ReplicaError::Peer(error.to_string()))?;
        if theirs.index != index {
            return Err(ReplicaError::Peer("a branch other than asked for".to_owned()));
        }
        let (head, before) = (theirs.side.head, tree_hash(&theirs.roots));
        let (compared, proof) = self.space.compare_branch(self.files, feed, theirs).map_err(refusal)?;
        if proof.is_some() {
            self.gained = true;
        }
        // Of a branch that is not whole, less may be held than where a block stands.
        let ours = |length| self.space.feed(feed)?.tree_hash_at(self.files, length).ok()?;
        Ok(match compared {
            None => Compared::Earlier,
            Some(true) => Compared::Here,
            Some(false) if ours(head.length) == Some(head.tree_hash) => Compared::Later { same: head.length },
            Some(false) => match ours(index) {
                Some(hash) if hash == before => Compared::Later { same: index },
                Some(_) => Compared::Earlier,
                None => Compared::Unknown,
            },
        })
    }

    fn sides_wanted(&self, feed: &PublicKey) -> Vec<SideWanted> {
        let wanted = self.space.sides_wanted(self.files, feed).into_iter();
        wanted.map(|(index, leaf, start, from)| SideWanted { index, leaf, start, from }).collect()
    }

    fn prove_side(
        &self,
        feed: &PublicKey,
        branch: (u64, &Hash),
        start: u64,
        from: u64,
        max_bytes: usize,
    ) -> Result<(Proof, Vec<Vec<u8>>), ReplicaError> {
        self.space.prove_side(self.files, feed, branch, start, from, max_bytes).map_err(missed)
    }

    fn accept_side(
        &mut self,
        feed: &PublicKey,
        index: u64,
        leaf: &Hash,
        proof: &Proof,
        blocks: &[Vec<u8>],
    ) -> Result<(), ReplicaError> {
        let taken = self.space.accept_side(self.files, feed, index, leaf, proof, blocks);
        taken.map_err(|error| unproved(error, proof))
    }

    fn items(&self, kind: ItemKind) -> Vec<Hash> {
        items(self.space, kind).iter().map(|bytes| blake2b(&[bytes])).collect()
    }

    fn item(&self, kind: ItemKind, hash: &Hash) -> Option<Vec<u8>> {
        items(self.space, kind).into_iter().find(|bytes| blake2b(&[bytes]) == *hash)
    }

    fn accept_item(&mut self, kind: ItemKind, bytes: &[u8]) -> Result<bool, ReplicaError> {
        let new = match kind {
            ItemKind::Record => self.space.add_record(self.files, bytes),
            ItemKind::Manifest => match self.space.add_manifest(self.files, bytes) {
                // Another root's: it may count once the records that make it the last are here.
                Err(SpaceError::Manifest(error)) => return Err(ReplicaError::Peer(error.to_string())),
                other => other,
            },
            ItemKind::Evidence => self.space.add_equivocation(self.files, bytes),
            ItemKind::Value => Ok(false),
        };
        let new = new.map_err(refusal)?;
        self.gained |= new;
        Ok(new)
    }
}

fn missed(error: SpaceError) -> ReplicaError {
    if error.is_absent() { ReplicaError::Absent } else { ReplicaError::NotHeld }
}

fn unproved(error: SpaceError, proof: &Proof) -> ReplicaError {
    match error {
        SpaceError::Feed(error) => ReplicaError::of_proof(error, proof),
        error => refusal(error),
    }
}

fn refusal(error: SpaceError) -> ReplicaError {
    match error {
        SpaceError::Feed(error) => error.into(),
        error if error.is_absent() => ReplicaError::Absent,
        SpaceError::NoWriter { .. } => ReplicaError::NotHeld,
        SpaceError::Storage(error) => ReplicaError::Local(error.to_string()),
        SpaceError::Root { .. } => ReplicaError::Stale,
        other => ReplicaError::Peer(other.to_string()),
    }
}
