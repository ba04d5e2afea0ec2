//! Authors who signed two histories: what a node keeps of the other ones, and which one it goes by.
//!
//! ```text
//! space/<key>/sides          each: feed 32 │ u64le index │ leaf 32
//! branch/<feed>/<leaf>/…     that branch as a feed, from block `index` on
//! ```
//! A branch is named by the block at which it leaves another one: its index and its leaf, as a proof of equivocation
//! shows them. The *main* branch is the one that came first. The *sides* are fetched beside it: other writers name
//! prefixes of them, and people look at what is on them. Where a root cut picks a side, the two change places, and all
//! that follows from the feeds is computed anew.

use super::{Space, backlog::present, load::store_side, trees::Judge};
use crate::{
    collections::{Set, sort},
    crypto::{Hash, PublicKey},
    feed::{Branch, EquivocationProof, Feed, FeedError, Proof, ProofRequest, SignedHead},
    space::{Entry, Range, SpaceError, SpaceEvent, WriterStanding},
    storage::{FileId, Files},
};

/// Branches kept of one feed beside the main one.
const MAX_SIDES: usize = 4;

/// Another branch of a feed.
pub(super) struct Side {
    pub(super) index: u64,
    pub(super) leaf: Hash,
    pub(super) feed: Feed,
}

impl Side {
    /// Opens what is stored of a branch, or begins it.
    pub(super) fn open(files: &mut Files, key: PublicKey, index: u64, leaf: Hash) -> Result<Self, FeedError> {
        Ok(Self { index, leaf, feed: Feed::open_branch(files, key, &leaf)? })
    }

    /// Begins it anew: what is stored under its name is not known to be of it.
    fn begin(files: &mut Files, key: PublicKey, index: u64, leaf: Hash) -> Result<Self, FeedError> {
        Feed::remove_branch(files, &key, &leaf);
        Self::open(files, key, index, leaf)
    }

    /// Whether what is held is the branch that it is named after: whoever signed several can prove any of them.
    pub(super) fn is_named(&self, files: &Files) -> Result<bool, FeedError> {
        Ok(self.feed.leaf(files, self.index)? == Some(self.leaf))
    }

    /// Takes blocks with their proof, of this branch only.
    fn accept(&mut self, files: &mut Files, proof: &Proof, blocks: &[Vec<u8>]) -> Result<(), FeedError> {
        // Read first as well: a page that is not in memory is missed before anything is changed.
        self.is_named(files)?;
        self.feed.accept(files, proof, blocks)?;
        if self.is_named(files)? { Ok(()) } else { Err(FeedError::BadProof { index: self.index }) }
    }

    /// First block past `index` that is not held.
    pub(super) fn end(&self) -> u64 {
        self.feed.next_missing(self.index)
    }

    /// Takes the place of the main branch, which is kept as a side; whether all of it is here that this takes. `forks`: where
    /// any two branches part, in order, and 0.
    fn replace(
        &mut self,
        files: &mut Files,
        main: &Feed,
        others: &[Self],
        forks: &[u64],
        list: FileId,
    ) -> Result<bool, SpaceError> {
        // Between two forks a block is common to some branches; from whom it is, the tree of the side tells. The last
        // ones first: what is above them is what those before are proved with.
        let segments = forks.iter().copied().zip(forks.iter().copied().skip(1));
        for (start, end) in segments.filter(|(start, _)| *start < self.index).rev() {
            for source in core::iter::once(main).chain(others.iter().map(|other| &other.feed)) {
                if self.feed.next_missing(start) >= end {
                    break;
                }
                // Fails, and stores nothing, where it is of another branch.
                let _ = self.feed.copy_shared(files, source, start..end);
            }
        }
        if self.feed.next_missing(0) < self.index {
            return Ok(false);
        }
        let writer = main.key();
        // The old main branch stays as a side, from where it leaves the new one.
        for index in forks.iter().copied() {
            let leaf = main.leaf(files, index)?;
            if let Some(leaf) = leaf.filter(|leaf| self.feed.leaf(files, index).ok().flatten() != Some(*leaf))
            {
                // What is stored of it from the time when it was a side may be shorter, or another branch.
                let mut old = Self::begin(files, writer, index, leaf)?;
                old.feed.copy_branch(files, main, index)?;
                store_side(files, list, &writer, index, &leaf)?;
                break;
            }
        }
        Feed::remove(files, &writer);
        Feed::open(files, writer)?.copy_branch(files, &self.feed, 0)?;
        Ok(true)
    }
}

/// A branch of which blocks are missing: its index, its leaf there, the first missing block, the verified length.
pub(super) type Wanted = (u64, Hash, u64, u64);

impl Space {
    /// The lowest block at which the author of a feed is proved to have signed two.
    pub fn fork_of(&self, feed: &PublicKey) -> Option<u64> {
        self.claims.forks().filter(|proof| proof.key == *feed).map(|proof| proof.index).min()
    }

    /// Where a block of the main branch stands.
    pub fn branch(&self, files: &Files, feed: &PublicKey, index: u64) -> Result<Branch, SpaceError> {
        let feed = self.feeds.get(feed).ok_or(SpaceError::NoWriter { writer: *feed })?;
        Ok(feed.branch(files, index, feed.length())?)
    }

    /// Compares a branch that a peer shows with the main one. `Some(true)`: they differ first at its block, and a proof
    /// of that was kept, if it is new. `Some(false)`: they are the same up to there, that block included. `None`: they
    /// differ before.
    pub fn compare_branch(
        &mut self,
        files: &mut Files,
        feed: &PublicKey,
        theirs: Branch,
    ) -> Result<(Option<bool>, Option<Vec<u8>>), SpaceError> {
        theirs.verify(feed)?;
        // The main branch may be another one by now.
        let Ok(ours) = self.branch(files, feed, theirs.index) else { return Ok((Some(false), None)) };
        if ours.roots != theirs.roots {
            return Ok((None, None));
        }
        let leaves = [ours.side.leaf.hash, theirs.side.leaf.hash];
        if leaves[0] == leaves[1] {
            return Ok((Some(false), None));
        }
        let known = |proof: &EquivocationProof| {
            (proof.key, proof.index) == (*feed, theirs.index)
                && proof.sides.iter().all(|side| leaves.contains(&side.leaf.hash))
        };
        // One proof for each pair of branches, however long they get.
        if self.claims.forks().any(known) {
            return Ok((Some(true), None));
        }
        let proof = EquivocationProof::new(*feed, ours, theirs)?.encode();
        let new = self.add_equivocation(files, &proof)?;
        Ok((Some(true), new.then_some(proof)))
    }

    /// Branches of a feed of which a proof is held and blocks may be missing.
    pub fn sides_wanted(&self, files: &Files, feed: &PublicKey) -> Vec<Wanted> {
        let known = self.sides.get(feed).map_or(&[][..], Vec::as_slice);
        let mut wanted: Vec<Wanted> = known
            .iter()
            .map(|side| {
                let (end, length) = (side.end(), side.feed.length());
                (side.index, side.leaf, end, length)
            })
            .collect();
        let main = self.feeds.get(feed);
        let held = |feed: &Feed, index, leaf| feed.leaf(files, index).ok().flatten() == Some(leaf);
        for proof in self.claims.forks().filter(|proof| proof.key == *feed) {
            for leaf in proof.sides.iter().map(|side| side.leaf.hash) {
                let here = main.is_some_and(|main| held(main, proof.index, leaf))
                    || known.iter().any(|side| side.leaf == leaf || held(&side.feed, proof.index, leaf))
                    || wanted.iter().any(|(_, other, ..)| *other == leaf);
                if !here && wanted.len() < MAX_SIDES {
                    wanted.push((proof.index, leaf, proof.index, 0));
                }
            }
        }
        wanted
    }

    /// Other branches of a feed of which blocks are held: the block at which each leaves, and its leaf there.
    pub fn sides_held(&self, feed: &PublicKey) -> Vec<(u64, Hash)> {
        self.sides.get(feed).into_iter().flatten().map(|side| (side.index, side.leaf)).collect()
    }

    /// Blocks of the branch whose block `index` has that leaf, main or side, with their proof: against the tree of
    /// `from` blocks if `start` is within it, else with the upgrade from there to the latest head.
    pub fn prove_side(
        &self,
        files: &Files,
        feed: &PublicKey,
        (index, leaf): (u64, &Hash),
        start: u64,
        from: u64,
        max_bytes: usize,
    ) -> Result<(Proof, Vec<Vec<u8>>), SpaceError> {
        let sides = self.sides.get(feed).into_iter().flatten().map(|side| &side.feed);
        let mut branches = self.feeds.get(feed).into_iter().chain(sides);
        let missing = FeedError::NotHeld { what: "block", index: start };
        let found = branches
            .find(|branch| branch.leaf(files, index).ok().flatten().as_ref() == Some(leaf))
            .ok_or(SpaceError::Feed(missing.clone()))?;
        let to = if start < from { from } else { found.length() };
        let chunk = found.data_range(files, start..to.min(found.length()), max_bytes)?;
        if chunk.sizes.is_empty() || to > found.length() {
            return Err(missing.into());
        }
        let proof = found.prove(files, &ProofRequest { blocks: start..chunk.end(), from, to })?;
        Ok((proof, chunk.blocks().map(<[u8]>::to_vec).collect()))
    }

    /// Takes blocks of another branch. All is verified before anything is stored.
    pub fn accept_side(
        &mut self,
        files: &mut Files,
        feed: &PublicKey,
        index: u64,
        leaf: &Hash,
        proof: &Proof,
        blocks: &[Vec<u8>],
    ) -> Result<(), SpaceError> {
        let wanted = |(at, name, ..): &Wanted| (*at, name) == (index, leaf);
        if !self.sides_wanted(files, feed).iter().any(wanted) {
            return Ok(());
        }
        let known = self.sides.get_mut(feed).into_iter().flatten().find(|side| side.leaf == *leaf);
        if let Some(side) = known {
            side.accept(files, proof, blocks)?;
        } else {
            // A new branch begins with the block that names it.
            let first = blocks.first().map(|block| crate::feed::Node::leaf(index, block).hash);
            if proof.blocks_start != index || first != Some(*leaf) {
                return Err(FeedError::BadProof { index }.into());
            }
            // Kept only once it holds that block: an empty one would take any other branch in this one's place.
            let mut side = Side::begin(files, *feed, index, *leaf)?;
            side.accept(files, proof, blocks)?;
            store_side(files, self.files.sides, feed, index, leaf)?;
            self.sides.entry(*feed).or_default().push(side);
        }
        for index in (proof.blocks_start..).take(blocks.len()) {
            self.note_stray(files, feed, leaf, index)?;
        }
        self.access.grew(feed);
        self.stirred = true;
        self.settle(files, super::replay::Fresh::default())?;
        self.pick_branches(files)
    }

    /// Tells the access engine what an entry of another branch grants: it is suspended, not unknown.
    pub(super) fn note_stray(
        &mut self,
        files: &Files,
        feed: &PublicKey,
        leaf: &Hash,
        index: u64,
    ) -> Result<(), SpaceError> {
        let sides = self.sides.get(feed).map_or(&[][..], Vec::as_slice);
        let Some(side) = sides.iter().find(|side| side.leaf == *leaf) else { return Ok(()) };
        let Some(block) = side.feed.get(files, index)? else { return Ok(()) };
        if let (Ok(entry), Some(hash)) = (Entry::decode(&block), side.feed.leaf(files, index)?)
            && !entry.access.is_empty()
        {
            self.access.add_stray(feed, hash, &entry);
        }
        Ok(())
    }

    /// Entries of other branches that are held, for the quarantine: writer, index, entry.
    pub(super) fn side_entries(&self, files: &Files) -> Result<Vec<(PublicKey, u64, Entry)>, SpaceError> {
        let mut entries = Vec::new();
        for (writer, side) in
            self.sides.iter().flat_map(|(key, sides)| sides.iter().map(move |side| (key, side)))
        {
            for index in side.index..side.end() {
                let block = side.feed.get(files, index)?.unwrap_or_default();
                entries.extend(Entry::decode(&block).ok().map(|entry| (*writer, index, entry)));
            }
        }
        Ok(entries)
    }

    /// How far the main branch of a feed may be given to the access engine: not past the fork while a root cut picks
    /// another one.
    pub(super) fn givable(&self, files: &Files, writer: &PublicKey) -> u64 {
        if self.sparse {
            return 0;
        }
        let contiguous = self.contiguous(writer);
        match self.access.branch(writer) {
            Some(branch) if !self.trees(files).holds(writer, &branch) => {
                contiguous.min(self.fork_of(writer).unwrap_or(u64::MAX))
            }
            _ => contiguous,
        }
    }

    /// Puts a side in the place of the main branch where a root cut picks it and enough of it is here.
    pub(super) fn pick_branches(&mut self, files: &mut Files) -> Result<(), SpaceError> {
        let forked: Vec<PublicKey> = self.sides.keys().copied().collect();
        for writer in forked {
            let Some(pin) = self.access.branch(&writer) else { continue };
            if self.trees(files).holds(&writer, &pin) {
                continue;
            }
            let sides = self.sides.get(&writer).map_or(&[][..], Vec::as_slice);
            let held = |side: &Side| {
                side.end() >= pin.length
                    && side.feed.tree_hash_at(files, pin.length).ok().flatten() == Some(pin.tree_hash)
            };
            if let Some(at) = sides.iter().position(held)
                && self.swap(files, &writer, at)?
            {
                return self.reopen(files, writer);
            }
        }
        Ok(())
    }

    /// Whether all that is held of a feed's branches can be read now. What cannot is wanted, and the feed waits.
    fn is_in_memory(&mut self, files: &Files, writer: &PublicKey) -> Result<bool, SpaceError> {
        let sides = self.sides.get(writer).into_iter().flatten().map(|side| &side.feed);
        let mut absent = false;
        for feed in self.feeds.get(writer).into_iter().chain(sides) {
            for block in feed.blocks(files, 0..feed.length()) {
                if present(block)?.is_none() {
                    absent = true;
                    break;
                }
            }
        }
        if absent {
            self.backlog.feeds.insert(*writer);
        }
        Ok(!absent)
    }

    /// The main branch and a side change places; whether all of the side is here that this takes.
    fn swap(&mut self, files: &mut Files, writer: &PublicKey, at: usize) -> Result<bool, SpaceError> {
        if !self.is_in_memory(files, writer)? {
            return Ok(false);
        }
        let mut forks: Vec<u64> =
            self.claims.forks().filter(|proof| proof.key == *writer).map(|proof| proof.index).collect();
        let (Some(sides), Some(main)) = (self.sides.get_mut(writer), self.feeds.get(writer)) else {
            return Ok(false);
        };
        let mut side = sides.remove(at);
        forks.extend(sides.iter().map(|other| other.index));
        forks.extend([0, side.index]);
        sort(&mut forks);
        forks.dedup();
        let swapped = side.replace(files, main, sides, &forks, self.files.sides);
        sides.push(side);
        swapped
    }

    /// Computes everything anew from what is stored.
    pub(super) fn reopen(&mut self, files: &mut Files, writer: PublicKey) -> Result<(), SpaceError> {
        // Names only say what may have changed: those that cannot be read now are not told.
        let mut keys = self.names(files).unwrap_or_default();
        self.backlog.reopen = Some(writer);
        let Some(opened) = present(Self::open(files, self.key))? else { return Ok(()) };
        let (own, mut events) = (self.keys.take(), core::mem::take(&mut self.events));
        #[cfg(any(test, feature = "hostile"))]
        let hostile = core::mem::take(&mut self.hostile);
        // What was told by others is in no file. Without the heads that were shown, an older copy of this device would
        // take its feed for whole, and sign a second history.
        let (heard, early) = (core::mem::take(&mut self.heard), core::mem::take(&mut self.early));
        let now = self.received.now;
        *self = opened;
        (self.heard, self.early) = (heard, early);
        self.note_time(now);
        #[cfg(any(test, feature = "hostile"))]
        {
            self.hostile = hostile;
        }
        if let Some(own) = own {
            self.unlock(files, own)?;
        }
        keys.extend(self.names(files).unwrap_or_default());
        events.push_back(SpaceEvent::Changed { keys: keys.into_iter().collect() });
        events.push_back(SpaceEvent::Follows { writer });
        events.push_back(SpaceEvent::Writers);
        self.events = events;
        // Feeds may be followed by now for which proofs waited.
        self.take_early(files)
    }

    /// Every key that holds something.
    fn names(&self, files: &Files) -> Result<Set<String>, SpaceError> {
        let (mut names, judge) = (Set::new(), Judge { access: &self.access, numbers: &self.numbers });
        self.view.each(files, &Range::default(), &judge, &mut |key, _| {
            names.insert(key.to_owned());
            Ok(true)
        })?;
        Ok(names)
    }

    /// A head that a peer shows, rightly signed: the longest of each feed says how fresh the view of its writer is.
    pub fn hear(&mut self, feed: &PublicKey, head: &SignedHead) {
        if head.fork == 0 && self.heard(feed) < head.length {
            self.heard.insert(*feed, head.length);
        }
    }

    /// Length of the longest head of a feed that was ever shown here.
    pub fn heard(&self, feed: &PublicKey) -> u64 {
        let held = self.feeds.get(feed).map_or(0, Feed::length);
        self.heard.get(feed).copied().unwrap_or_default().max(held)
    }

    /// Whether all is here of which a signed head was shown, what is past a cut or a fork aside.
    pub fn is_fresh(&self) -> bool {
        let closed =
            |state: WriterStanding| matches!(state, WriterStanding::RootCut | WriterStanding::Forked);
        self.feeds.keys().all(|feed| {
            let wanted = self.wanted_length(feed).min(self.cut_length(feed).unwrap_or(u64::MAX));
            self.contiguous(feed) >= self.heard(feed).min(wanted)
                || self.access.writer(feed).is_some_and(|state| closed(state.standing))
        })
    }
}
