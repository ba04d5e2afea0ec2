//! From blocks to view: entries go to the access engine in index order; what it says of them moves the view.

use super::{
    Space,
    trees::{FeedTrees, Judge},
};
use crate::{
    collections::{Map, Set},
    crypto::{MessageKey, PublicKey},
    feed::Feed,
    space::{AccessOp, Change, Entry, Op, SpaceError, SpaceEvent, Status, view::Place},
    storage::Files,
};

/// Bytes of entries that are given before they are judged: many at once, but not all of a large space.
const BATCH: usize = 4 << 20;

/// How far a feed has been taken in.
#[derive(Default)]
pub(super) struct Tail {
    /// Entries given to the access engine.
    pub(super) given: u64,
    /// Wall time of the last entry that could be read, ms.
    pub(super) last_time: Option<u64>,
    /// Wall times of entries with grants, ms: by index, ascending.
    pub(super) grants: Vec<(u64, u64)>,
    /// When the feed grew here, as last noted, ms.
    pub(super) marked: u64,
    /// When it last grew here, ms; after a reload to the hour.
    pub(super) received: Option<u64>,
    /// Which entries are in the view.
    shown: Vec<bool>,
}

impl Tail {
    /// Notes whether an entry is in the view; returns whether it was.
    fn show(&mut self, index: u64, shown: bool) -> bool {
        let Ok(at) = usize::try_from(index) else { return false };
        if shown && at >= self.shown.len() {
            self.shown.resize(at + 1, false);
        }
        self.shown.get_mut(at).is_some_and(|now| core::mem::replace(now, shown))
    }
}

/// Entries that were just given: they need not be read again when they are judged.
#[derive(Default)]
pub(super) struct Fresh {
    entries: Map<PublicKey, Map<u64, Entry>>,
    bytes: usize,
}

/// Entries of one feed that went out of view.
#[derive(Default)]
struct Retracted {
    from: u64,
    to: u64,
    entries: u64,
    keys: Set<String>,
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
                    None => self.block(files, &writer, given, &mut None)?,
                };
                let missing = entry.iter().flat_map(|entry| &entry.deps).find(|dep| {
                    self.given(&dep.writer) < dep.length.min(self.givable(files, &dep.writer))
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
                self.give(files, &writer, given, entry, bytes, &mut fresh)?;
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
            let (entry, bytes) = self.block(files, writer, index, &mut place)?;
            self.give(files, writer, index, entry, bytes, &mut fresh)?;
            if fresh.bytes > BATCH {
                self.settle(files, core::mem::take(&mut fresh))?;
            }
        }
        self.access.grew(writer);
        self.settle(files, fresh)
    }

    /// Gives one entry to the access engine; [`Space::settle`] does the rest.
    pub(super) fn give(
        &mut self,
        files: &Files,
        writer: &PublicKey,
        index: u64,
        entry: Option<Entry>,
        bytes: usize,
        fresh: &mut Fresh,
    ) -> Result<(), SpaceError> {
        let Some(feed) = self.feeds.get(writer) else { return Ok(()) };
        let hash = feed.leaf(files, index)?.unwrap_or_default();
        self.access.add_entry(writer, index, hash, entry.as_ref());
        let access: &[AccessOp] = entry.as_ref().map_or(&[], |entry| &entry.access);
        self.note_invites(writer, index, access);
        self.note_pins(writer, index, access);
        let tail = self.tails.entry(*writer).or_default();
        tail.given = index + 1;
        self.grown.insert(*writer);
        let Some(entry) = entry else { return Ok(()) };
        tail.last_time = Some(entry.time);
        if !entry.access.is_empty() {
            self.stirred = true;
            if entry.access.iter().any(|op| matches!(op, AccessOp::Grant(_))) {
                tail.grants.push((index, entry.time));
            }
            for op in &entry.access {
                if let AccessOp::Cut(cut) = op {
                    self.note_cut(cut);
                }
            }
            self.note_seals(files, writer, index, &entry)?;
        }
        fresh.bytes += bytes;
        fresh.entries.entry(*writer).or_default().insert(index, entry);
        Ok(())
    }

    /// Lets the access engine judge, and applies what it changed; opens feeds that are followed from now on, and takes
    /// them in too.
    pub(super) fn settle(&mut self, files: &mut Files, fresh: Fresh) -> Result<(), SpaceError> {
        let trees = FeedTrees { files, feeds: &self.feeds, claims: &self.claims, sides: &self.sides };
        self.access.settle(&trees);
        self.apply(files, &fresh)?;
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
            for index in from..to.min(self.given(&writer)) {
                let tail = self.tails.entry(writer).or_default();
                let was_shown = tail.show(index, shown);
                if !was_shown && !shown {
                    continue;
                }
                // What is pending may well come back with the next block.
                let out = (!shown && status != Status::Pending).then_some(&mut retracted);
                if let Some(entry) = fresh.entries.get(&writer).and_then(|entries| entries.get(&index)) {
                    self.replace(&writer, index, entry, was_shown, shown);
                    self.note_retracted(&writer, index, entry, out);
                } else {
                    self.stirred = true;
                    if let (Some(entry), _) = self.block(files, &writer, index, &mut None)? {
                        self.replace(&writer, index, &entry, was_shown, shown);
                        self.note_retracted(&writer, index, &entry, out);
                    }
                }
            }
            if retracted.entries > 0 {
                let Retracted { from, to, entries, keys } = retracted;
                let (why, keys) = (self.access.why(&writer, from), keys.into_iter().collect());
                self.events.push_back(SpaceEvent::Retracted { writer, from, to, entries, keys, why });
            }
            if let Change::Rewound { writer, from } = change {
                let tail = self.tails.entry(writer).or_default();
                tail.given = from;
                tail.grants.retain(|(index, _)| *index < from);
                again.push(writer);
            }
        }
        for writer in again {
            // Only the branch that is held can be given; of another one no blocks are here.
            let trees = FeedTrees { files, feeds: &self.feeds, claims: &self.claims, sides: &self.sides };
            if self.access.branch(&writer).is_none_or(|branch| trees.holds(&writer, &branch)) {
                self.advance(files, &writer)?;
            }
        }
        Ok(())
    }

    /// Notes an entry that went out of view, where it did, and the keys that it wrote, as far as it can be read.
    fn note_retracted(&self, writer: &PublicKey, index: u64, entry: &Entry, out: Option<&mut Retracted>) {
        let Some(out) = out.filter(|_| !entry.public.is_empty() || entry.sealed.is_some()) else { return };
        if out.entries == 0 {
            out.from = index;
        }
        (out.to, out.entries) = (index + 1, out.entries + 1);
        for op in self.content.open_ops(entry, writer, index).iter().chain(&entry.public) {
            if let Some(key) = op.key() {
                out.keys.insert(key.to_owned());
            }
        }
    }

    /// Takes an entry's operations out of the view and puts them in, as it was and is now shown: its order may be
    /// another one.
    fn replace(&mut self, writer: &PublicKey, index: u64, entry: &Entry, was_shown: bool, shown: bool) {
        if was_shown {
            self.place(writer, index, entry, false);
        }
        if shown {
            self.place(writer, index, entry, true);
        }
    }

    /// Puts an entry's operations into the view, or takes them out.
    fn place(&mut self, writer: &PublicKey, index: u64, entry: &Entry, shown: bool) {
        let number = self.numbers.number(writer);
        for (op, at) in entry.public.iter().zip(0_u32..) {
            self.place_op(op, Place { writer: number, index, op: at, private: false, delete: false }, shown);
        }
        if let Some(sealed) = &entry.sealed {
            self.epochs.note_sealed(sealed.epoch, number, index, shown);
            self.place_private(writer, index, entry, shown);
        }
    }

    /// Puts the operations of a sealed part into the view, if it can be opened, or takes them out.
    pub(super) fn place_private(&mut self, writer: &PublicKey, index: u64, entry: &Entry, shown: bool) {
        let number = self.numbers.number(writer);
        let first = u32::try_from(entry.public.len()).unwrap_or(u32::MAX);
        for (op, at) in self.content.open_ops(entry, writer, index).iter().zip(first..) {
            self.place_op(op, Place { writer: number, index, op: at, private: true, delete: false }, shown);
        }
    }

    fn place_op(&mut self, op: &Op, place: Place, shown: bool) {
        let (key, delete) = match op {
            Op::Put { key, .. } | Op::Adopted { key, .. } => (key, false),
            Op::Delete { key } => (key, true),
            Op::MessageKey(key) if place.private => {
                let Place { writer, index, op, .. } = place;
                self.message_keys.retain(|(w, i, o, _)| (*w, *i, *o) != (writer, index, op));
                if shown {
                    self.message_keys.push((writer, index, op, MessageKey::from_bytes(**key)));
                }
                return;
            }
            Op::Membership { .. } | Op::SpaceSecret { .. } if place.private => {
                if self.events.back() != Some(&SpaceEvent::Memberships) {
                    self.events.push_back(SpaceEvent::Memberships);
                }
                return self.notes.place(op, place, shown);
            }
            _ => return,
        };
        let judge = Judge { access: &self.access, numbers: &self.numbers };
        if shown {
            self.view.insert(key, Place { delete, ..place }, &judge);
        } else {
            self.view.remove(key, place.writer, place.index, &judge);
        }
    }

    /// An entry that is held, decoded (`None` if it does not decode or is not held), and its bytes. `place` is the feed's,
    /// for entries in a row.
    fn block(
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
        FeedTrees { files, feeds: &self.feeds, claims: &self.claims, sides: &self.sides }
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
