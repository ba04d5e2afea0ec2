//! Which entries an answer needs, and who of their authors counts.
//!
//! For every feed: its first entry, its last, and all with access operations, which entries link backwards. For every
//! entry that is read: proof of the prefixes that its clock names. Where several entries hold a key, all since their
//! feeds' last full clocks, so that their order is the one that every node computes.

use core::ops::Range;

use super::{FeedMap, LEAF, Piece, SnapshotError, SnapshotReader, map::Record, reader::What};
use crate::{
    collections::{Map, Set},
    crypto::{Hash, PublicKey},
    feed::{Feed, FeedError, GROUP, Groups, Node, SignedHead},
    space::{Entry, Item, Space},
    storage::Files,
};

/// What is here of a feed, and what is wanted.
pub(super) struct Held {
    pub(super) key: PublicKey,
    head: SignedHead,
    map: FeedMap,
    tree: Groups,
    feed: Feed,
    bad_groups: Set<u64>,
    bad_blocks: Set<u64>,
    wanted_groups: Set<u64>,
    wanted_blocks: Set<u64>,
}

/// Whether an entry is here.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Have {
    Yes,
    /// It was noted as wanted.
    No,
    Bad,
}

impl Held {
    pub(super) fn open(
        files: &mut Files,
        key: PublicKey,
        head: SignedHead,
        map: FeedMap,
        tree: Groups,
    ) -> Result<Self, FeedError> {
        let feed = Feed::open(files, key)?;
        Ok(Self {
            key,
            head,
            map,
            tree,
            feed,
            bad_groups: Set::new(),
            bad_blocks: Set::new(),
            wanted_groups: Set::new(),
            wanted_blocks: Set::new(),
        })
    }

    pub(super) fn forget_wants(&mut self) {
        self.wanted_groups.clear();
        self.wanted_blocks.clear();
    }

    fn have(&mut self, index: u64) -> Have {
        let group = index / GROUP;
        if self.feed.has(index) {
            return Have::Yes;
        }
        if index >= self.head.length || self.bad_groups.contains(&group) || self.bad_blocks.contains(&index) {
            return Have::Bad;
        }
        if self.tree.has_leaves(group) {
            self.wanted_blocks.insert(index);
        } else {
            self.wanted_groups.insert(group);
        }
        Have::No
    }

    /// The segment of a group: its name, its first group, and how many blocks are in it.
    fn segment(&self, group: u64) -> Option<(Hash, u64, u64)> {
        let mut first = 0_u64;
        for (name, groups) in &self.map.segments {
            let next = first.checked_add(*groups)?;
            if group < next {
                let end = self.tree.span(next.checked_sub(1)?).end;
                return Some((*name, first, end.checked_sub(self.tree.span(first).start)?));
            }
            first = next;
        }
        None
    }

    fn file(&self, index: u64) -> Hash {
        self.segment(index / GROUP).map_or(Hash([0; 32]), |(name, ..)| name)
    }

    /// Pieces for what is wanted: the leaves of groups, and runs of neighbouring blocks.
    pub(super) fn wants(&self, place: usize, out: &mut Vec<(Piece, What)>) {
        for group in &self.wanted_groups {
            let Some((file, first, _)) = self.segment(*group) else { continue };
            let span = self.tree.span(*group);
            let before = span.start.saturating_sub(self.tree.span(first).start);
            let (start, end) = (LEAF * before, LEAF * (before + (span.end - span.start)));
            out.push((Piece { file, start, end }, What::Leaves(place, *group)));
        }
        let mut blocks = self.wanted_blocks.iter().copied().peekable();
        while let Some(first) = blocks.next() {
            let mut end = first + 1;
            while blocks.next_if(|next| *next == end && next % GROUP != 0).is_some() {
                end += 1;
            }
            if let Some(piece) = self.piece(first..end) {
                out.push((piece, What::Blocks(place, first..end)));
            }
        }
    }

    /// Where blocks of one group are.
    fn piece(&self, blocks: Range<u64>) -> Option<Piece> {
        let group = blocks.start / GROUP;
        let (file, first, count) = self.segment(group)?;
        let before: u64 = (first..group).fold(0, |sum, group| sum.saturating_add(self.tree.size(group)));
        let base = LEAF.checked_mul(count)?.checked_add(before)?;
        let (start, _) = self.tree.place(blocks.start)?;
        let (last, size) = self.tree.place(blocks.end.checked_sub(1)?)?;
        Some(Piece { file, start: base.checked_add(start)?, end: base.checked_add(last)?.checked_add(size)? })
    }

    /// Takes the leaves of a group; `None` if they are wrong.
    pub(super) fn take_leaves(&mut self, group: u64, bytes: &[u8]) -> Option<()> {
        let leaf = |bytes: &[u8]| {
            let (hash, size) = bytes.split_first_chunk::<32>()?;
            Some((Hash(*hash), u32::from_le_bytes(*size.first_chunk()?)))
        };
        let leaves: Option<Vec<(Hash, u32)>> =
            bytes.chunks(usize::try_from(LEAF).unwrap_or(usize::MAX)).map(leaf).collect();
        let taken = leaves.and_then(|leaves| self.tree.add_leaves(group, &leaves).ok());
        if taken.is_none() {
            self.bad_groups.insert(group);
        }
        taken
    }

    /// Takes blocks that follow each other; whether some were wrong. The others are kept.
    pub(super) fn take_blocks(
        &mut self,
        files: &mut Files,
        blocks: Range<u64>,
        mut bytes: &[u8],
    ) -> Result<bool, FeedError> {
        let mut wrong = false;
        for index in blocks {
            let size = self.tree.place(index).and_then(|(_, size)| usize::try_from(size).ok());
            let (block, rest) = size.and_then(|size| bytes.split_at_checked(size)).unwrap_or((&[], &[]));
            bytes = rest;
            let fits = Some(Node::leaf(index, block).hash) == self.tree.leaf(index);
            let taken = fits.then(|| {
                let proof = self.tree.prove(&self.head, self.feed.length(), index..index + 1)?;
                self.feed.accept(files, &proof, &[block])
            });
            match taken {
                Some(Ok(_)) => {}
                Some(Err(FeedError::Storage(error))) => return Err(FeedError::Storage(error)),
                Some(Err(_)) | None => {
                    self.bad_blocks.insert(index);
                    wrong = true;
                }
            }
        }
        Ok(wrong)
    }
}

impl SnapshotReader {
    /// Notes what is wanted to judge the entries of these keys; those keys of which nothing is damaged.
    pub(super) fn gather(&mut self, records: &[Record]) -> Result<Vec<Record>, SnapshotError> {
        let mut read: Vec<Set<u64>> = Vec::new();
        let mut todo: Vec<(usize, u64)> = Vec::new();
        for (place, held) in self.feeds.iter().enumerate() {
            let mut facts: Set<u64> = held.map.access.iter().copied().collect();
            facts.extend([0, held.head.length.saturating_sub(1)]);
            todo.extend(facts.iter().map(|index| (place, *index)));
            read.push(facts);
        }
        let mut asked: Set<(usize, u64)> = Set::new();
        let mut usable = Vec::new();
        for (key, places) in records {
            let entries = match places.as_slice() {
                [one] => vec![*one],
                several => {
                    let since = |(place, index): &(usize, u64)| {
                        let place = *place;
                        (index - index % FULL_CLOCK_EVERY..=*index).map(move |index| (place, index))
                    };
                    several.iter().flat_map(since).collect()
                }
            };
            if entries.iter().all(|(place, index)| self.sound(*place, *index)) {
                asked.extend(entries);
                usable.push((key.clone(), places.clone()));
            }
        }
        for (place, index) in &asked {
            if read.get_mut(*place).is_some_and(|read| read.insert(*index)) {
                todo.push((*place, *index));
            }
        }
        while let Some((place, index)) = todo.pop() {
            let Some(held) = self.feeds.get_mut(place) else { continue };
            match held.have(index) {
                Have::Yes => {}
                Have::No => continue,
                Have::Bad => return Err(SnapshotError::Unjudged { file: held.file(index) }),
            }
            let block = held.feed.get(&self.files, index).map_err(crate::space::SpaceError::from)?;
            let Ok(entry) = Entry::decode(&block.unwrap_or_default()) else { continue };
            if let Some(link) = entry.previous_access.filter(|link| *link < index)
                && read.get_mut(place).is_some_and(|read| read.insert(link))
            {
                todo.push((place, link));
            }
            for dep in &entry.deps {
                let Some(on) = self.feeds.iter_mut().find(|held| held.key == dep.writer) else { continue };
                if dep.length > 0 && dep.length <= on.head.length && on.have(dep.length - 1) == Have::Bad {
                    return Err(SnapshotError::Unjudged { file: on.file(dep.length - 1) });
                }
            }
        }
        let read = self.feeds.iter().zip(read).map(|(held, read)| (held.key, read)).collect();
        if self.feeds.iter().all(|held| held.wanted_blocks.is_empty() && held.wanted_groups.is_empty()) {
            self.judge(read)?;
        }
        Ok(usable)
    }

    /// Whether neither an entry nor a prefix that it names is damaged, as far as is known.
    fn sound(&mut self, place: usize, index: u64) -> bool {
        let Some(held) = self.feeds.get_mut(place) else { return false };
        match held.have(index) {
            Have::Bad => return false,
            Have::No => return true,
            Have::Yes => {}
        }
        let Some(entry) =
            held.feed.get(&self.files, index).ok().flatten().and_then(|block| Entry::decode(&block).ok())
        else {
            return true;
        };
        entry.deps.iter().all(|dep| {
            let on = self.feeds.iter_mut().find(|held| held.key == dep.writer);
            on.is_none_or(|on| {
                dep.length == 0 || dep.length > on.head.length || on.have(dep.length - 1) != Have::Bad
            })
        })
    }

    fn judge(&mut self, read: Map<PublicKey, Set<u64>>) -> Result<(), SnapshotError> {
        if self.judged.as_ref().is_some_and(|(before, _)| *before == read) {
            return Ok(());
        }
        let mut space = Space::open_sparse(&mut self.files, self.head.space, &read)?;
        for proof in &self.head.evidence {
            // Of a feed that nobody let in it means nothing.
            let _ = space.add_equivocation(&mut self.files, proof);
        }
        let signer = self.head.signer;
        if !space.is_active(&signer) {
            return Err(SnapshotError::Signer { signer });
        }
        self.judged = Some((read, space));
        Ok(())
    }

    /// What a key holds, by the entries that the index names.
    pub(super) fn item(&self, key: &str, places: &[(usize, u64)]) -> Result<Option<Item>, SnapshotError> {
        let Some((_, space)) = &self.judged else { return Ok(None) };
        let entries: Vec<(PublicKey, u64)> =
            places.iter().filter_map(|(place, index)| Some((self.feeds.get(*place)?.key, *index))).collect();
        Ok(space.item_among(&self.files, key, &entries)?)
    }
}

/// An entry at every multiple of this index has the full clock.
const FULL_CLOCK_EVERY: u64 = 256;
