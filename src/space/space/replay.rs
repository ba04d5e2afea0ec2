//! From blocks to view: entries go to the access engine in index order; what it says of them moves the view.

use std::collections::BTreeMap;

use super::{
    Space,
    trees::{FeedTrees, Judge},
};
use crate::{
    crypto::{MessageKey, PublicKey},
    feed::Feed,
    space::{Entry, Op, RootRecord, SpaceError, SpaceEvent, Status, view::Place},
    storage::Files,
    value::SignedValue,
};

/// How far a feed has been taken in.
#[derive(Default)]
pub(super) struct Tail {
    /// Entries given to the access engine.
    pub(super) given: u64,
    /// Wall time of the last entry that could be read, ms.
    pub(super) last_time: Option<u64>,
    /// Which entries are in the view.
    shown: Vec<bool>,
}

impl Tail {
    /// Notes whether an entry is in the view; returns whether that changed.
    fn show(&mut self, index: u64, shown: bool) -> bool {
        let Ok(at) = usize::try_from(index) else { return false };
        if at >= self.shown.len() {
            if !shown {
                return false;
            }
            self.shown.resize(at + 1, false);
        }
        self.shown.get_mut(at).is_some_and(|now| core::mem::replace(now, shown) != shown)
    }

    pub(super) fn is_shown(&self, index: u64) -> bool {
        usize::try_from(index).ok().and_then(|at| self.shown.get(at)).copied().unwrap_or(false)
    }
}

/// A feed on the way to being replayed up to a length.
struct Frame {
    writer: PublicKey,
    target: u64,
    /// The next entry, decoded, while feeds that it names go first.
    next: Option<Option<Entry>>,
}

impl Space {
    /// Reads records, manifest and feeds back.
    pub(super) fn load(&mut self, files: &mut Files) -> Result<(), SpaceError> {
        for bytes in self.stored_records(files)? {
            let record = RootRecord::decode(&self.key, &bytes)?;
            self.records.push((record.hash(), bytes));
            let trees = FeedTrees { files, feeds: &self.feeds, tails: &self.tails };
            self.access.add_record(&trees, &record);
        }
        let length = files.len(self.files.manifest);
        if length > 0 {
            let bytes = files.read(self.files.manifest, 0, usize::try_from(length).unwrap_or(usize::MAX))?;
            self.manifest = Some(SignedValue::decode(&bytes).map_err(super::damaged_manifest)?);
        }
        let stored = files.len(self.files.feeds) / 32;
        for at in 0..stored {
            let mut writer = PublicKey([0; 32]);
            files.read_into(self.files.feeds, at * 32, &mut writer.0)?;
            self.feeds.insert(writer, Feed::open(files, writer)?);
        }
        self.replay(files)?;
        self.settle(files)?;
        // Whoever opens a space reads it first: only what happens later is news.
        self.view.take_touched();
        self.events.clear();
        Ok(())
    }

    /// Opens a feed and remembers that it belongs here.
    pub(super) fn open_feed(&mut self, files: &mut Files, writer: PublicKey) -> Result<(), SpaceError> {
        if self.feeds.contains_key(&writer) {
            return Ok(());
        }
        self.feeds.insert(writer, Feed::open(files, writer)?);
        let end = files.len(self.files.feeds);
        files.write(self.files.feeds, end, &writer.0)?;
        self.events.push_back(SpaceEvent::Follows { writer });
        Ok(())
    }

    /// Takes in all held entries of all feeds, those that others name first: so few are judged twice.
    fn replay(&mut self, files: &Files) -> Result<(), SpaceError> {
        let feeds: Vec<PublicKey> = self.feeds.keys().copied().collect();
        for writer in feeds {
            let mut stack = vec![Frame { writer, target: u64::MAX, next: None }];
            while let Some(frame) = stack.last_mut() {
                let given = self.given(&frame.writer);
                if given >= frame.target.min(self.contiguous(&frame.writer)) {
                    stack.pop();
                    continue;
                }
                let writer = frame.writer;
                let entry = match frame.next.take() {
                    Some(entry) => entry,
                    None => self.entry(files, &writer, given)?,
                };
                let missing = entry.iter().flat_map(|entry| &entry.deps).find(|dep| {
                    self.given(&dep.writer) < dep.length.min(self.contiguous(&dep.writer))
                        && !stack.iter().any(|frame| frame.writer == dep.writer)
                });
                match missing {
                    Some(dep) => {
                        let first = Frame { writer: dep.writer, target: dep.length, next: None };
                        if let Some(frame) = stack.last_mut() {
                            frame.next = Some(entry);
                        }
                        stack.push(first);
                    }
                    None => self.give(files, &writer, given, entry)?,
                }
            }
        }
        Ok(())
    }

    /// Takes in what a feed has more than before, and all that follows from it.
    pub(super) fn advance(&mut self, files: &mut Files, writer: &PublicKey) -> Result<(), SpaceError> {
        let before = self.given(writer);
        for index in before..self.contiguous(writer) {
            let entry = self.entry(files, writer, index)?;
            self.give(files, writer, index, entry)?;
        }
        let trees = FeedTrees { files, feeds: &self.feeds, tails: &self.tails };
        self.access.grew(&trees, writer);
        self.settle(files)
    }

    /// Applies what the access engine has changed; opens feeds that are followed now, and takes them in too.
    pub(super) fn settle(&mut self, files: &mut Files) -> Result<(), SpaceError> {
        loop {
            self.apply(files, None)?;
            if !core::mem::take(&mut self.stirred) {
                return Ok(());
            }
            if self.events.back() != Some(&SpaceEvent::Writers) {
                self.events.push_back(SpaceEvent::Writers);
            }
            let followed: Vec<PublicKey> = self
                .access
                .writers()
                .iter()
                .map(|writer| writer.key)
                .filter(|key| !self.feeds.contains_key(key) && self.access.is_followed(key))
                .collect();
            for writer in followed {
                self.open_feed(files, writer)?;
                for index in self.given(&writer)..self.contiguous(&writer) {
                    let entry = self.entry(files, &writer, index)?;
                    self.give(files, &writer, index, entry)?;
                }
                let trees = FeedTrees { files, feeds: &self.feeds, tails: &self.tails };
                self.access.grew(&trees, &writer);
                self.stirred = true;
            }
        }
    }

    /// Gives one entry to the access engine.
    fn give(
        &mut self,
        files: &Files,
        writer: &PublicKey,
        index: u64,
        entry: Option<Entry>,
    ) -> Result<(), SpaceError> {
        let Some(feed) = self.feeds.get(writer) else { return Ok(()) };
        let hash = feed.leaf(files, index)?.unwrap_or_default();
        let tail = self.tails.entry(*writer).or_default();
        tail.given = index + 1;
        if let Some(entry) = &entry {
            tail.last_time = Some(entry.time);
            self.stirred |= !entry.access.is_empty();
        }
        let trees = FeedTrees { files, feeds: &self.feeds, tails: &self.tails };
        self.access.add_entry(&trees, writer, index, hash, entry.as_ref());
        self.grown.insert(*writer);
        if let Some(entry) = &entry {
            self.note_seals(files, writer, index, entry)?;
        }
        let fresh = entry.as_ref().map(|entry| (*writer, index, entry));
        self.apply(files, fresh)
    }

    /// Moves entries whose status changed into the view or out of it. `fresh` is an entry that need not be read again.
    fn apply(
        &mut self,
        files: &Files,
        fresh: Option<(PublicKey, u64, &Entry)>,
    ) -> Result<(), SpaceError> {
        while let Some(change) = self.access.poll_change() {
            let shown = change.status == Status::Counted;
            let to = change.to.min(self.given(&change.writer));
            let mut retracted: Option<(u64, u64)> = None;
            for index in change.from..to {
                let tail = self.tails.entry(change.writer).or_default();
                if !tail.show(index, shown) {
                    continue;
                }
                if !shown {
                    retracted = Some((retracted.map_or(index, |(from, _)| from), index + 1));
                }
                match fresh {
                    Some((writer, at, entry)) if writer == change.writer && at == index => {
                        self.place(&change.writer, index, entry, shown);
                    }
                    _ => {
                        self.stirred = true;
                        if let Some(entry) = self.entry(files, &change.writer, index)? {
                            self.place(&change.writer, index, &entry, shown);
                        }
                    }
                }
            }
            if let Some((from, to)) = retracted {
                self.events.push_back(SpaceEvent::Retracted { writer: change.writer, from, to });
            }
        }
        Ok(())
    }

    /// Puts an entry's operations into the view, or takes them out.
    fn place(&mut self, writer: &PublicKey, index: u64, entry: &Entry, shown: bool) {
        self.place_public(writer, index, entry, shown);
        if let Some(sealed) = &entry.sealed {
            let number = self.numbers.number(writer);
            self.epochs.note_sealed(sealed.epoch, number, index, shown);
            self.place_private(writer, index, entry, shown);
        }
    }

    fn place_public(&mut self, writer: &PublicKey, index: u64, entry: &Entry, shown: bool) {
        let number = self.numbers.number(writer);
        for (op, at) in entry.public.iter().zip(0_u32..) {
            self.place_op(op, Place { writer: number, index, op: at, private: false, delete: false }, shown);
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
            Op::Put { key, .. } => (key, false),
            Op::Delete { key } => (key, true),
            Op::MessageKey(key) if place.private => {
                let Place { writer, index, op, .. } = place;
                self.message_keys.retain(|(w, i, o, _)| (*w, *i, *o) != (writer, index, op));
                if shown {
                    self.message_keys.push((writer, index, op, MessageKey::from_bytes(**key)));
                }
                return;
            }
            Op::MessageKey(_) | Op::Unknown { .. } => return,
        };
        let judge = Judge { access: &self.access, numbers: &self.numbers };
        if shown {
            self.view.insert(key, Place { delete, ..place }, &judge);
        } else {
            self.view.remove(key, place.writer, place.index, &judge);
        }
    }

    /// An entry that is held, decoded; `None` if it does not decode.
    pub(super) fn entry(
        &self,
        files: &Files,
        writer: &PublicKey,
        index: u64,
    ) -> Result<Option<Entry>, SpaceError> {
        let Some(feed) = self.feeds.get(writer) else { return Ok(None) };
        Ok(feed.get(files, index)?.and_then(|block| Entry::decode(&block).ok()))
    }

    /// Entries of a feed that were given to the access engine.
    pub(super) fn given(&self, writer: &PublicKey) -> u64 {
        self.tails.get(writer).map_or(0, |tail| tail.given)
    }

    /// Entries of a feed that are here without a gap.
    pub(super) fn contiguous(&self, writer: &PublicKey) -> u64 {
        self.feeds.get(writer).map_or(0, Feed::contiguous)
    }

    /// Finds every head anew after pasts may have changed.
    pub(super) fn recompute_view(&mut self) {
        let judge = Judge { access: &self.access, numbers: &self.numbers };
        self.view.recompute(&judge);
    }

    pub(super) fn tails(&self) -> &BTreeMap<PublicKey, Tail> {
        &self.tails
    }
}
