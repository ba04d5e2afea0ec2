//! Reading: a key, a range, the past. Values come from the feeds; the view only says where they stand.

use std::borrow::Cow;

use super::{Space, trees::Judge};
use crate::{
    collections::{Map, sort_by},
    crypto::PublicKey,
    space::{
        Clock, Item, Op, Range, SpaceError, Version,
        view::{Causality, Place, Slot},
    },
    storage::{Files, StorageError},
};

impl Space {
    /// What a key holds: the winner, and the values it conflicts with. `None` if it holds nothing; an item without a
    /// value if the winner is a removal that has not seen some of the others.
    pub fn get(&self, files: &Files, key: &str) -> Result<Option<Item>, SpaceError> {
        self.surely(files, &|| {
            let Some(slot) = self.slot(files, key)? else { return Ok(None) };
            Loader::new(self, files).item(key, &self.heads(&slot))
        })
    }

    /// Reads again what asked for clocks that were not known, once they are.
    pub(super) fn surely<T>(
        &self,
        files: &Files,
        read: &dyn Fn() -> Result<T, SpaceError>,
    ) -> Result<T, SpaceError> {
        // What changed asked for some, and stands as it should only when that goes on.
        if self.access.has_asked() {
            return Err(StorageError::Absent { pages: Vec::new() }.into());
        }
        let first = read();
        if self.asks_again(files)? { read() } else { first }
    }

    /// The keys of a range that hold a value.
    pub fn list(&self, files: &Files, range: &Range) -> Result<Vec<Item>, SpaceError> {
        self.surely(files, &|| self.list_with(files, range, |slot| self.heads(slot)))
    }

    /// What a key held at a clock (closed over the pasts of what is in it), under today's cuts.
    pub fn get_at(&self, files: &Files, clock: &Clock, key: &str) -> Result<Option<Item>, SpaceError> {
        self.surely(files, &|| {
            let Some(slot) = self.slot(files, key)? else { return Ok(None) };
            let closure = self.closure(clock);
            Loader::new(self, files).item(key, &self.heads_at(&slot, &closure))
        })
    }

    /// The keys of a range that held a value at a clock.
    pub fn list_at(&self, files: &Files, clock: &Clock, range: &Range) -> Result<Vec<Item>, SpaceError> {
        self.surely(files, &|| {
            let closure = self.closure(clock);
            self.list_with(files, range, |slot| self.heads_at(slot, &closure))
        })
    }

    /// Every operation that counts, of one key or of all, in order; those after `after`, at most `limit`.
    pub fn history(
        &self,
        files: &Files,
        key: Option<&str>,
        after: Option<&Version>,
        limit: Option<usize>,
    ) -> Result<Vec<Item>, SpaceError> {
        self.surely(files, &|| self.history_once(files, key, after, limit))
    }

    fn history_once(
        &self,
        files: &Files,
        key: Option<&str>,
        after: Option<&Version>,
        limit: Option<usize>,
    ) -> Result<Vec<Item>, SpaceError> {
        let judge = Judge { access: &self.access, numbers: &self.numbers };
        let rank = |place: &Place| {
            let (order, writer) = judge.rank(place.writer, place.index);
            (order, writer, place.index, place.op)
        };
        let (mut keys, mut places) = (Vec::new(), Vec::new());
        let mut add = |key: &str, slot: &Slot| {
            places.extend(slot.ops().iter().map(|place| (rank(place), keys.len(), *place)));
            keys.push(key.to_owned());
            Ok(true)
        };
        match key {
            Some(key) => {
                if let Some(slot) = self.slot(files, key)? {
                    add(key, &slot)?;
                }
            }
            None => self.view.each(files, &Range::default(), &judge, &mut add)?,
        }
        sort_by(&mut places, |a, b| a.0.cmp(&b.0));
        let from = after.map_or(0, |after| {
            let at = places.iter().position(|(.., place)| self.version(place) == *after);
            at.map_or(places.len(), |at| at + 1)
        });
        let mut loader = Loader::new(self, files);
        let mut items = Vec::new();
        for (_, key, place) in places.into_iter().skip(from).take(limit.unwrap_or(usize::MAX)) {
            if let Some(key) = keys.get(key) {
                items.extend(loader.item_at(key, &place)?);
            }
        }
        Ok(items)
    }

    /// How far every feed has been taken in.
    pub fn clock(&self) -> Clock {
        self.feeds.keys().map(|writer| (*writer, self.given(writer))).collect()
    }

    /// A clock and the pasts of all that is in it.
    pub fn closure(&self, clock: &Clock) -> Clock {
        let mut closure = Clock::new();
        let mut raise = |writer, length: u64| {
            let held = closure.entry(writer).or_default();
            *held = length.max(*held);
        };
        for (writer, length) in clock {
            let length = (*length).min(self.given(writer));
            if let Some(last) = length.checked_sub(1) {
                raise(*writer, length);
                for (other, seen) in self.access.clock_of(writer, last).unwrap_or_default() {
                    raise(other, seen);
                }
            }
        }
        closure
    }

    pub(super) fn item_of(
        &self,
        files: &Files,
        key: &str,
        heads: &[Place],
    ) -> Result<Option<Item>, SpaceError> {
        Loader::new(self, files).item(key, heads)
    }

    pub(super) fn version(&self, place: &Place) -> Version {
        Version { writer: self.numbers.key(place.writer), index: place.index, op: place.op }
    }

    fn slot(&self, files: &Files, key: &str) -> Result<Option<Cow<'_, Slot>>, SpaceError> {
        let judge = Judge { access: &self.access, numbers: &self.numbers };
        Ok(self.view.slot(files, key, &judge)?)
    }

    fn heads(&self, slot: &Slot) -> Vec<Place> {
        slot.heads(&Judge { access: &self.access, numbers: &self.numbers })
    }

    fn heads_at(&self, slot: &Slot, clock: &Clock) -> Vec<Place> {
        let judge = Judge { access: &self.access, numbers: &self.numbers };
        let within = |place: &Place| {
            clock.get(&self.numbers.key(place.writer)).is_some_and(|length| place.index < *length)
        };
        slot.heads_among(within, &judge)
    }

    fn list_with(
        &self,
        files: &Files,
        range: &Range,
        heads: impl Fn(&Slot) -> Vec<Place>,
    ) -> Result<Vec<Item>, SpaceError> {
        let limit = range.limit.unwrap_or(usize::MAX);
        let mut loader = Loader::new(self, files);
        let mut items = Vec::new();
        if limit == 0 {
            return Ok(items);
        }
        let judge = Judge { access: &self.access, numbers: &self.numbers };
        let (mut found, mut missed, mut absent) = (0, 0, None);
        self.view.each(files, range, &judge, &mut |key, slot| {
            let heads = heads(slot);
            if heads.first().is_some_and(|winner| !winner.delete) {
                match loader.item(key, &heads) {
                    Ok(None) => return Ok(true),
                    Ok(item) => items.extend(item),
                    // All that is missed is wanted at once: going on costs less than coming again for each.
                    Err(error) if error.is_absent() => {
                        missed += 1;
                        absent.get_or_insert(error);
                    }
                    Err(error) => return Err(error),
                }
                found += 1;
            }
            Ok(found < limit && missed < MISSED)
        })?;
        absent.map_or(Ok(items), Err)
    }
}

/// Values of a listing that are looked for though they are not in memory.
const MISSED: usize = 1000;

/// Reads entries for one call; keeps some decoded, since neighbouring keys often stand in one entry.
struct Loader<'a> {
    space: &'a Space,
    files: &'a Files,
    entries: Map<(u32, u64), Loaded>,
    /// The last one that is not in memory: its pages are wanted already.
    missed: Option<(u32, u64)>,
    /// Where the next entry of a writer lies, for entries in a row.
    place: (u32, Option<(u64, u64)>),
}

struct Loaded {
    time: u64,
    ops: Vec<Op>,
}

/// Most entries kept decoded during one call: of 1 MiB each at worst.
const KEPT: usize = 16;

impl<'a> Loader<'a> {
    fn new(space: &'a Space, files: &'a Files) -> Self {
        Self { space, files, entries: Map::new(), missed: None, place: (0, None) }
    }

    fn item(&mut self, key: &str, heads: &[Place]) -> Result<Option<Item>, SpaceError> {
        if heads.iter().all(|place| place.delete) {
            return Ok(None);
        }
        let mut items = Vec::with_capacity(heads.len());
        for place in heads {
            items.extend(self.item_at(key, place)?);
        }
        let mut items = items.into_iter();
        let Some(mut winner) = items.next() else { return Ok(None) };
        winner.conflicts = items.collect();
        Ok(Some(winner))
    }

    fn item_at(&mut self, key: &str, place: &Place) -> Result<Option<Item>, SpaceError> {
        let version = self.space.version(place);
        if !self.load(place, &version.writer)? {
            return Ok(None);
        }
        let Some(loaded) = self.entries.get(&(place.writer, place.index)) else { return Ok(None) };
        let at = usize::try_from(place.op).unwrap_or(usize::MAX);
        let (value, adopted) = match loaded.ops.get(at) {
            Some(Op::Put { value, .. }) => (Some(value.clone()), None),
            Some(Op::Adopted { original, value, .. }) => (Some(value.clone()), Some(*original)),
            Some(Op::Delete { .. }) => (None, None),
            _ => return Ok(None),
        };
        Ok(Some(Item {
            key: key.to_owned(),
            value,
            conflicts: Vec::new(),
            writer: version.writer,
            time: loaded.time,
            version,
            private: place.private,
            adopted,
        }))
    }

    /// Makes sure that an entry is loaded; `false` if it cannot be read.
    fn load(&mut self, place: &Place, writer: &PublicKey) -> Result<bool, SpaceError> {
        let at = (place.writer, place.index);
        if self.entries.contains_key(&at) {
            return Ok(true);
        }
        // Neighbouring keys often stand in one entry.
        if self.missed == Some(at) {
            return Err(StorageError::Absent { pages: Vec::new() }.into());
        }
        if self.place.0 != place.writer {
            self.place = (place.writer, None);
        }
        let entry = match self.space.block(self.files, writer, place.index, &mut self.place.1) {
            Ok((Some(entry), _)) => entry,
            Ok((None, _)) => return Ok(false),
            Err(error) => {
                self.missed = error.is_absent().then_some(at);
                return Err(error);
            }
        };
        let mut private = self.space.content.open_ops(&entry, writer, place.index);
        let mut ops = entry.public;
        ops.append(&mut private);
        if self.entries.len() >= KEPT {
            self.entries.clear();
        }
        self.entries.insert(at, Loaded { time: entry.time, ops });
        Ok(true)
    }
}
