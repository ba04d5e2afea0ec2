//! From blocks to view: entries go to the access engine in index order; what it says of them moves the view.

use super::{
    Space,
    backlog::present,
    moves::Retracted,
    trees::{FeedTrees, Judge},
};
use crate::{
    collections::Map,
    crypto::PublicKey,
    feed::Feed,
    space::{Access, AccessOp, Change, Entry, SpaceError, SpaceEvent, Status},
    storage::Files,
};

/// Bytes of entries that are given before they are judged: many at once, but not all of a large space.
const BATCH: usize = 4 << 20;

/// Entries that were just given: they need not be read again when they are judged.
#[derive(Default)]
pub(super) struct Fresh {
    entries: Map<PublicKey, Map<u64, Entry>>,
    bytes: usize,
}

/// A feed on the way to being replayed up to a length.
struct Frame {
    writer: PublicKey,
    target: u64,
    /// The next entry and its bytes, while feeds that it names go first.
    next: Option<(Option<Entry>, usize)>,
}

impl Space {
    /// Takes in all held entries of all feeds, those that others name first: so few are judged twice.
    pub(super) fn replay(&mut self, files: &mut Files) -> Result<(), SpaceError> {
        let feeds: Vec<PublicKey> = self.feeds.keys().copied().collect();
        let mut fresh = Fresh::default();
        for writer in feeds {
            let mut stack = vec![Frame { writer, target: u64::MAX, next: None }];
            while let Some(frame) = stack.last_mut() {
                let given = self.given(&frame.writer);
                if given >= frame.target.min(self.givable(files, &frame.writer)) {
                    stack.pop();
                    continue;
                }
                let writer = frame.writer;
                let (entry, bytes) = match frame.next.take() {
                    Some(next) => next,
                    None => match present(self.block(files, &writer, given, &mut None))? {
                        Some(next) => next,
                        None => {
                            self.wait_from(files, writer, given);
                            stack.pop();
                            continue;
                        }
                    },
                };
                // A feed that waits for blocks is not waited for.
                let missing = entry.iter().flat_map(|entry| &entry.deps).find(|dep| {
                    self.given(&dep.writer) < dep.length.min(self.givable(files, &dep.writer))
                        && !self.backlog.feeds.contains(&dep.writer)
                        && !stack.iter().any(|frame| frame.writer == dep.writer)
                });
                if let Some(dep) = missing {
                    let first = Frame { writer: dep.writer, target: dep.length, next: None };
                    if let Some(frame) = stack.last_mut() {
                        frame.next = Some((entry, bytes));
                    }
                    stack.push(first);
                    continue;
                }
                if !self.give(files, &writer, given, entry, bytes, &mut fresh)? {
                    stack.pop();
                    continue;
                }
                if fresh.bytes > BATCH {
                    self.settle(files, core::mem::take(&mut fresh))?;
                }
            }
        }
        self.settle(files, fresh)
    }

    /// Takes in what a feed has more than before, and all that follows from it.
    pub(super) fn advance(&mut self, files: &mut Files, writer: &PublicKey) -> Result<(), SpaceError> {
        let (mut fresh, mut place) = (Fresh::default(), None);
        for index in self.given(writer)..self.givable(files, writer) {
            let Some((entry, bytes)) = present(self.block(files, writer, index, &mut place))? else {
                self.wait_from(files, *writer, index);
                break;
            };
            if !self.give(files, writer, index, entry, bytes, &mut fresh)? {
                break;
            }
            if fresh.bytes > BATCH {
                self.settle(files, core::mem::take(&mut fresh))?;
            }
        }
        self.access.grew(writer);
        self.settle(files, fresh)
    }

    /// Gives one entry to the access engine; [`Space::settle`] does the rest. `false` if its tree is not in memory: then
    /// the feed is taken in further later.
    pub(super) fn give(
        &mut self,
        files: &Files,
        writer: &PublicKey,
        index: u64,
        entry: Option<Entry>,
        bytes: usize,
        fresh: &mut Fresh,
    ) -> Result<bool, SpaceError> {
        let Some(feed) = self.feeds.get(writer) else { return Ok(false) };
        if entry.as_ref().is_none_or(Access::keeps) {
            let Some(hash) = present(feed.leaf(files, index))? else {
                self.backlog.feeds.insert(*writer);
                return Ok(false);
            };
            let (hash, number) = (hash.unwrap_or_default(), self.numbers.number(writer));
            self.ledger.facts().add(number, index, &hash, entry.as_ref(), &mut self.numbers);
            self.access.add_entry(writer, index, hash, entry.as_ref());
        } else if self.access.next(writer) == index {
            self.access.add_run(writer, index.saturating_add(1));
        }
        let tail = self.tails.entry(*writer).or_default();
        tail.given = index + 1;
        self.ledger.count(u64::try_from(bytes).unwrap_or(u64::MAX));
        self.grown.insert(*writer);
        let access: &[AccessOp] = entry.as_ref().map_or(&[], |entry| &entry.access);
        self.note_invites(writer, index, access);
        self.note_pins(writer, index, access);
        let Some(entry) = entry else { return Ok(true) };
        if let Some(tail) = self.tails.get_mut(writer) {
            tail.last_time = Some(entry.time);
        }
        self.note_access(files, writer, index, &entry)?;
        fresh.bytes += bytes;
        fresh.entries.entry(*writer).or_default().insert(index, entry);
        Ok(true)
    }

    /// Takes what an entry says about writers, whether it counts or not.
    pub(super) fn note_access(
        &mut self,
        files: &Files,
        writer: &PublicKey,
        index: u64,
        entry: &Entry,
    ) -> Result<(), SpaceError> {
        if entry.access.is_empty() {
            return Ok(());
        }
        self.stirred = true;
        if entry.access.iter().any(|op| matches!(op, AccessOp::Grant(_))) {
            self.tails.entry(*writer).or_default().grants.push((index, entry.time));
        }
        for op in &entry.access {
            if let AccessOp::Cut(cut) = op {
                self.note_cut(cut);
            }
        }
        self.note_seals(files, writer, index, entry)
    }

    /// Lets the access engine judge, and applies what it changed; opens feeds that are followed from now on, and takes
    /// them in too.
    pub(super) fn settle(&mut self, files: &mut Files, fresh: Fresh) -> Result<(), SpaceError> {
        let trees = FeedTrees::new(files, &self.feeds, &self.claims, &self.sides);
        self.access.settle(&trees);
        let (missed, branches) = trees.missed();
        self.backlog.trees.extend(missed);
        self.backlog.branches |= branches;
        if !self.access.wants_history() {
            self.apply(files, &fresh)?;
        }
        if self.access.take_asked() {
            self.access.want_history();
        }
        if self.access.wants_history() {
            if !self.deepen(files)? {
                return Ok(());
            }
            // What the view shows rightly stays, as when a checkpoint is taken, but orders may be other ones.
            let restoring = core::mem::replace(&mut self.restoring, true);
            let applied = self.apply(files, &fresh);
            self.restoring = restoring;
            applied?;
            self.view.recompute(&Judge { access: &self.access, numbers: &self.numbers });
        }
        drop(fresh);
        while core::mem::take(&mut self.stirred) {
            if self.events.back() != Some(&SpaceEvent::Writers) {
                self.events.push_back(SpaceEvent::Writers);
            }
            let mut followed = self.access.followed();
            followed.retain(|key| !self.feeds.contains_key(key));
            for writer in followed {
                self.open_feed(files, writer)?;
                self.advance(files, &writer)?;
            }
        }
        self.take_early(files)
    }

    /// Moves entries whose status changed into the view, within it, or out of it.
    fn apply(&mut self, files: &mut Files, fresh: &Fresh) -> Result<(), SpaceError> {
        let mut again = Vec::new();
        while let Some(change) = self.access.poll_change() {
            let (writer, from, to, status) = match change {
                Change::Status { writer, from, to, status } => (writer, from, to, status),
                Change::Rewound { writer, from } => (writer, from, self.given(&writer), Status::Pending),
            };
            let shown = status == Status::Counted;
            // What is not simply shown may have waited for its rights, or lost them, and with it those it granted.
            self.stirred |= !shown;
            let mut retracted = Retracted::default();
            let range = from..to.min(self.given(&writer));
            for (range, was_shown) in self.tails.entry(writer).or_default().shown.set(range, shown) {
                // What a checkpoint shows rightly stays.
                if (!was_shown && !shown) || (self.restoring && was_shown == shown) {
                    continue;
                }
                for index in range {
                    // What is pending may well come back with the next block.
                    let out = (!shown && status != Status::Pending).then_some(&mut retracted);
                    let entry = fresh.entries.get(&writer).and_then(|entries| entries.get(&index));
                    self.shift(files, &writer, index, (was_shown, shown), entry, out)?;
                }
            }
            self.tell_retracted(&writer, retracted);
            if let Change::Rewound { writer, from } = change {
                let last = (0..from).rev().find_map(|index| self.entry(files, &writer, index).ok().flatten());
                let tail = self.tails.entry(writer).or_default();
                (tail.given, tail.last_time) = (from, last.map(|entry| entry.time));
                tail.grants.retain(|(index, _)| *index < from);
                let number = self.numbers.number(&writer);
                self.ledger.facts().forget(number, from);
                again.push(writer);
            }
        }
        for writer in again {
            // Only the branch that is held can be given; of another one no blocks are here.
            let trees = FeedTrees::new(files, &self.feeds, &self.claims, &self.sides);
            let is_held = self.access.branch(&writer).is_none_or(|branch| trees.holds(&writer, &branch));
            self.backlog.feeds.extend(trees.missed().0);
            if is_held {
                self.advance(files, &writer)?;
            }
        }
        Ok(())
    }

    /// An entry that is held, decoded (`None` if it does not decode or is not held), and its bytes. `place` is the feed's,
    /// for entries in a row.
    pub(super) fn block(
        &self,
        files: &Files,
        writer: &PublicKey,
        index: u64,
        place: &mut Option<(u64, u64)>,
    ) -> Result<(Option<Entry>, usize), SpaceError> {
        let Some(feed) = self.feeds.get(writer) else { return Ok((None, 0)) };
        let block = feed.get_next(files, index, place)?.unwrap_or_default();
        Ok((Entry::decode(&block).ok(), block.len()))
    }

    /// An entry that is held, decoded; `None` if it does not decode or is not held.
    pub(super) fn entry(
        &self,
        files: &Files,
        writer: &PublicKey,
        index: u64,
    ) -> Result<Option<Entry>, SpaceError> {
        Ok(self.block(files, writer, index, &mut None)?.0)
    }

    /// Facts about signed feeds.
    pub(super) const fn trees<'a>(&'a self, files: &'a Files) -> FeedTrees<'a> {
        FeedTrees::new(files, &self.feeds, &self.claims, &self.sides)
    }

    /// Entries of a feed that were given to the access engine.
    pub(super) fn given(&self, writer: &PublicKey) -> u64 {
        self.tails.get(writer).map_or(0, |tail| tail.given)
    }

    /// Entries of a feed that are here without a gap.
    pub(super) fn contiguous(&self, writer: &PublicKey) -> u64 {
        self.feeds.get(writer).map_or(0, Feed::contiguous)
    }
}
