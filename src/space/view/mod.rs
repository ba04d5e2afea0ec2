//! The key/value view: what the counted entries say about each key.
//!
//! A key holds every operation that nobody who wrote later had seen: its *heads*. A write supersedes the heads in its
//! own past; concurrent writes stand beside each other, and the one with the highest order wins. A removal is an
//! operation like any other. The view holds places, not values: those are read from the feeds.
//!
//! ```text
//! overlay   in memory: by key, what came and what went since the last writing
//! base      stored: runs of the rest that is public, read page by page when it is asked for
//! sealed    stored: the same of what came out of sealed parts, in sealed runs; there while the space is unlocked
//! ```
//! What changes needs nothing of the base: only reading does, and may find that its pages are not in memory.
//!
//! Invariants: only operations of counted entries are in it; heads are a function of that set and of the entries'
//! pasts, so it comes out the same in whatever order entries arrived or were taken away.

mod base;
mod merge;
mod record;
mod run;
mod slot;

use core::cell::Cell;
use std::borrow::Cow;

use zeroize::{Zeroize, Zeroizing};

pub(super) use base::{BaseNote, Planned};
pub(super) use run::RunName;
pub(super) use slot::{Place, Slot};

use self::{
    base::Base,
    merge::{Merge, Source},
    record::{Gone, Record},
};
use super::{Range, SpaceError};
use crate::{
    collections::{LargeMap, Map},
    crypto::{PublicKey, SecretKey32},
    storage::{Damage, Files, StorageError},
};

/// What the view must know about entries; answered by the access engine.
pub(super) trait Causality {
    /// Whether an entry is in the past of another one; both are writer and index.
    fn precedes(&self, entry: (u32, u64), other: (u32, u64)) -> bool;
    /// (order, writer key) of an entry: rank among concurrent ones.
    fn rank(&self, writer: u32, index: u64) -> (u64, [u8; 32]);
}

/// Key → operations.
#[derive(Default)]
pub(super) struct View {
    base: Base,
    sealed: Base,
    overlay: LargeMap<String, Delta>,
    touched: LargeMap<String, ()>,
    /// Nobody wants to know what changes.
    quiet: bool,
    /// What is stored was found not to be what was written.
    spoiled: Cell<bool>,
}

/// Runs to be, made without changing anything: of what is public, and of what is not.
pub(super) type Plans = (Planned, Option<Planned>);

/// What changed of a key.
struct Delta {
    /// What came.
    slot: Slot,
    /// Entries whose operations in the bases are void. Seldom any.
    #[expect(clippy::box_collection, reason = "one word in each of very many deltas")]
    gone: Option<Box<Vec<Gone>>>,
}

impl Delta {
    fn with(place: Place) -> Self {
        Self { slot: Slot::with(place), gone: None }
    }

    fn gone(&self) -> &[Gone] {
        self.gone.as_ref().map_or(&[], |gone| gone.as_slice())
    }

    /// The record of what is public in it, or of what is not, if anything is.
    fn record(&self, key: &str, private: bool) -> Option<Record> {
        let places: Vec<Place> =
            self.slot.ops().iter().filter(|place| place.private == private).copied().collect();
        let gone: Vec<Gone> = self.gone().iter().filter(|gone| gone.2 == private).copied().collect();
        let any = !places.is_empty() || !gone.is_empty();
        any.then(|| Record { key: Zeroizing::new(key.to_owned()), gone, places })
    }

    /// Forgets what went of one kind.
    fn forget_gone(&mut self, private: bool) {
        if let Some(gone) = &mut self.gone {
            gone.retain(|gone| gone.2 != private);
        }
        self.gone = self.gone.take().filter(|gone| !gone.is_empty());
    }

    fn is_empty(&self) -> bool {
        self.slot.is_empty() && self.gone.is_none()
    }
}

impl View {
    /// Adds an operation of an entry that counts.
    pub(super) fn insert(&mut self, key: &str, place: Place, causality: &dyn Causality) {
        if let Some(delta) = self.overlay.get_or_insert(key, || (key.to_owned(), Delta::with(place))) {
            delta.slot.insert(place, causality);
        }
        self.touch(key);
    }

    /// Takes away every operation of an entry on a key. `place` is one of them.
    pub(super) fn remove(&mut self, key: &str, place: &Place, causality: &dyn Causality) {
        let entry = (place.writer, place.index);
        let mut changed = false;
        if let Some(delta) = self.overlay.get_mut(key) {
            changed = delta.slot.remove(|place| (place.writer, place.index) == entry, causality);
            if delta.is_empty() {
                self.forget(key);
            }
        }
        let base = if place.private { &self.sealed } else { &self.base };
        if base.covers(entry.0, entry.1) {
            let entry = place.gone();
            let none =
                || (key.to_owned(), Delta { slot: Slot::default(), gone: Some(Box::new(vec![entry])) });
            if let Some(delta) = self.overlay.get_or_insert(key, none) {
                let gone = delta.gone.get_or_insert_default();
                if !gone.contains(&entry) {
                    gone.push(entry);
                }
            }
            changed = true;
        }
        if changed {
            self.touch(key);
        }
    }

    /// Takes away all that came out of sealed parts, and wipes the names of keys that only those named. Returns whether
    /// some of it was stored: then nobody can say which keys changed.
    pub(super) fn remove_private(&mut self, causality: &dyn Causality) -> bool {
        let mut gone = Vec::new();
        for (key, delta) in self.overlay.iter_mut() {
            delta.forget_gone(true);
            let changed = delta.slot.remove(|place| place.private, causality);
            if delta.is_empty() {
                gone.push(key.clone());
            } else if changed {
                self.touched.insert(key.clone(), ());
            }
        }
        for mut key in gone {
            self.forget(&key);
            if let Some((mut touched, ())) = self.touched.remove_entry(&key) {
                touched.zeroize();
            }
            key.zeroize();
        }
        !core::mem::take(&mut self.sealed).is_empty()
    }

    /// What a key holds. [`StorageError::Absent`] if pages of the bases must come first.
    pub(super) fn slot(
        &self,
        files: &Files,
        key: &str,
        causality: &dyn Causality,
    ) -> Result<Option<Cow<'_, Slot>>, StorageError> {
        self.slot_of(files, key, true, causality)
    }

    /// All that is public of what a key holds, and perhaps some of the rest: that costs no opening.
    pub(super) fn public_slot(
        &self,
        files: &Files,
        key: &str,
        causality: &dyn Causality,
    ) -> Result<Option<Cow<'_, Slot>>, StorageError> {
        self.slot_of(files, key, false, causality)
    }

    fn slot_of(
        &self,
        files: &Files,
        key: &str,
        private: bool,
        causality: &dyn Causality,
    ) -> Result<Option<Cow<'_, Slot>>, StorageError> {
        let delta = self.overlay.get(key);
        // Both are asked, so that what is missed is wanted at once.
        let bases =
            [&self.base, &self.sealed].map(|base| match base.is_empty() || (base.is_sealed() && !private) {
                true => Ok(None),
                false => base.get(files, key),
            });
        let mut below: Option<Record> = None;
        for record in bases {
            match (&mut below, self.noted(record)?) {
                (Some(below), Some(record)) => below.add(record),
                (below, Some(record)) => *below = Some(record),
                (_, None) => {}
            }
        }
        let Some(mut record) = below else {
            return Ok(delta.map(|delta| &delta.slot).filter(|slot| !slot.is_empty()).map(Cow::Borrowed));
        };
        if let Some(delta) = delta {
            let (gone, places) = (delta.gone().to_vec(), delta.slot.ops().to_vec());
            record.add(Record { key: Zeroizing::default(), gone, places });
        }
        Ok((!record.places.is_empty()).then(|| Cow::Owned(Slot::of(record.places, causality))))
    }

    /// Notes that what is stored was found not to be what was written.
    fn noted<T>(&self, result: Result<T, StorageError>) -> Result<T, StorageError> {
        result.inspect_err(|error| self.note_damage(error))
    }

    fn note_damage(&self, error: &StorageError) {
        if matches!(error, StorageError::Damaged { .. }) {
            self.spoiled.set(true);
        }
    }

    /// Whether what is stored was found not to be what was written, so that it must be thrown away.
    pub(super) const fn is_spoiled(&self) -> bool {
        self.spoiled.get()
    }

    /// Throws what is stored away, as if it had been found damaged.
    pub(super) fn spoil(&self, space: &PublicKey) -> Damage {
        self.spoiled.set(true);
        Damage::Page { file: format!("space/{space}/view/facts"), page: 0 }
    }

    /// Finds anew what heads what came since the last writing.
    pub(super) fn recompute(&mut self, causality: &dyn Causality) {
        for (_, delta) in self.overlay.iter_mut() {
            delta.slot.recompute(causality);
        }
    }

    /// Hands out the keys of a range with what they hold, in its direction, its limit aside, until `take` says that it
    /// has enough.
    pub(super) fn each(
        &self,
        files: &Files,
        range: &Range,
        causality: &dyn Causality,
        take: &mut dyn FnMut(&str, &Slot) -> Result<bool, SpaceError>,
    ) -> Result<(), SpaceError> {
        let Some(bounds) = range.bounds() else { return Ok(()) };
        let overlay = self.overlay.range::<String>(bounds.clone());
        let mut overlay: Box<dyn Iterator<Item = (&String, &Delta)>> =
            if range.reverse { Box::new(overlay.rev()) } else { Box::new(overlay) };
        if self.base.is_empty() && self.sealed.is_empty() {
            for (key, delta) in overlay {
                if !delta.slot.is_empty() && !take(key, &delta.slot)? {
                    break;
                }
            }
            return Ok(());
        }
        let want = |error| {
            self.base.want(files, &bounds, range.limit);
            self.sealed.want(files, &bounds, range.limit);
            self.note_damage(&error);
            error
        };
        let mut sources = self.base.sources(files, &bounds, range.reverse).map_err(want)?;
        sources.extend(self.sealed.sources(files, &bounds, range.reverse).map_err(want)?);
        let record = |(key, delta): (&String, &Delta)| Record {
            key: Zeroizing::new(key.clone()),
            gone: delta.gone().to_vec(),
            places: delta.slot.ops().to_vec(),
        };
        sources.push(Source::Memory(Box::new(core::iter::from_fn(move || overlay.next().map(record)))));
        let mut merge = Merge::new(files, range.reverse, sources);
        while let Some(record) = merge.next().map_err(want)? {
            if !record.places.is_empty() && !take(&record.key, &Slot::of(record.places, causality))? {
                break;
            }
        }
        Ok(())
    }

    /// Makes the runs that take the overlay, and those that they should be merged with if `merge`, without changing
    /// anything. What came out of sealed parts stays in the overlay while there is no base for it.
    pub(super) fn plan(&self, files: &Files, merge: bool) -> Result<Plans, StorageError> {
        let records =
            |private| self.overlay.iter().filter_map(|(key, delta)| delta.record(key, private)).collect();
        let sealed = match self.sealed.is_sealed() {
            true => Some(self.sealed.plan(files, records(true), merge)),
            false => None,
        };
        // Both are asked, so that what is missed is wanted at once.
        let public = self.base.plan(files, records(false), merge);
        Ok((self.noted(public)?, sealed.map(|sealed| self.noted(sealed)).transpose()?))
    }

    /// Stores what was planned since the last change; `covered` tells how far of each writer that goes.
    pub(super) fn write(
        &mut self,
        files: &mut Files,
        space: &PublicKey,
        (public, sealed): Plans,
        covered: &Map<u32, u64>,
        causality: &dyn Causality,
    ) -> Result<(), StorageError> {
        self.base.write(files, space, public, covered.clone())?;
        let stays = sealed.is_none();
        if let Some(sealed) = sealed {
            self.sealed.write(files, space, sealed, covered.clone())?;
        }
        let mut private = LargeMap::default();
        for (mut key, mut delta) in core::mem::take(&mut self.overlay).into_entries() {
            delta.slot.remove(|place| !place.private || !stays, causality);
            if delta.slot.is_empty() {
                key.zeroize();
            } else {
                private.insert(key, Delta { gone: None, ..delta });
            }
        }
        self.overlay = private;
        Ok(())
    }

    /// What is to be noted of the stored part that is public.
    pub(super) fn note(&self) -> BaseNote {
        self.base.note()
    }

    /// What is to be noted of the other one: with the keys of its runs, to be sealed.
    pub(super) fn sealed_note(&self) -> (BaseNote, impl Iterator<Item = &SecretKey32>) {
        (self.sealed.note(), self.sealed.run_keys())
    }

    /// Whether there is a base for what comes out of sealed parts.
    pub(super) const fn has_sealed(&self) -> bool {
        self.sealed.is_sealed()
    }

    /// There is a base for what comes out of sealed parts, empty if there was none; run keys are made from this one.
    pub(super) fn begin_sealed(&mut self, key: SecretKey32) {
        match self.sealed.is_sealed() {
            true => self.sealed.set_key(key),
            false => self.sealed = Base::sealed(key),
        }
    }

    /// Takes the base of what came out of sealed parts, with its key and those of its runs; whether all of it is there.
    pub(super) fn open_sealed(
        &mut self,
        files: &mut Files,
        space: &PublicKey,
        note: &BaseNote,
        covered: Map<u32, u64>,
        keys: (SecretKey32, Vec<SecretKey32>),
    ) -> bool {
        let base = Base::open(files, space, note, covered, Some(keys));
        let whole = base.is_some();
        self.sealed = base.unwrap_or_default();
        whole
    }

    /// Takes the stored part that was noted; whether all of it is there.
    pub(super) fn open_base(
        &mut self,
        files: &mut Files,
        space: &PublicKey,
        note: &BaseNote,
        covered: Map<u32, u64>,
    ) -> bool {
        let base = Base::open(files, space, note, covered, None);
        let whole = base.is_some();
        self.base = base.unwrap_or_default();
        whole
    }

    /// From now on what changes is not noted, or is again: noting it takes as long as all else of an insertion.
    pub(super) const fn set_quiet(&mut self, quiet: bool) {
        self.quiet = quiet;
    }

    /// Keys whose operations changed since the last call.
    pub(super) fn take_touched(&mut self) -> Vec<String> {
        core::mem::take(&mut self.touched).into_keys().collect()
    }

    fn touch(&mut self, key: &str) {
        if !self.quiet {
            self.touched.get_or_insert(key, || (key.to_owned(), ()));
        }
    }

    fn forget(&mut self, key: &str) {
        if let Some((mut key, _)) = self.overlay.remove_entry(key) {
            key.zeroize();
        }
    }
}

#[cfg(test)]
mod tests;
