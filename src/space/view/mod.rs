//! The key/value view: what the counted entries say about each key.
//!
//! A key holds every operation that nobody who wrote later had seen: its *heads*. A write supersedes the heads in its
//! own past; concurrent writes stand beside each other, and the one with the highest order wins. A removal is an
//! operation like any other. The view holds places, not values: those are read from the feeds.
//!
//! Invariants: only operations of counted entries are in it; heads are a function of that set and of the entries'
//! pasts, so it comes out the same in whatever order entries arrived or were taken away.

mod slot;

use zeroize::Zeroize;

pub(super) use slot::{Place, Slot};

use super::Range;
use crate::collections::LargeMap;

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
    slots: LargeMap<String, Slot>,
    touched: LargeMap<String, ()>,
    /// Nobody wants to know what changes.
    quiet: bool,
}

impl View {
    /// Adds an operation of an entry that counts.
    pub(super) fn insert(&mut self, key: &str, place: Place, causality: &dyn Causality) {
        if let Some(slot) = self.slots.get_or_insert(key, || (key.to_owned(), Slot::with(place))) {
            slot.insert(place, causality);
        }
        self.touch(key);
    }

    /// Takes away every operation of an entry on a key.
    pub(super) fn remove(&mut self, key: &str, writer: u32, index: u64, causality: &dyn Causality) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        if slot.remove(|place| place.writer == writer && place.index == index, causality) {
            if slot.is_empty() {
                self.forget(key);
            }
            self.touch(key);
        }
    }

    /// Takes away all that came out of sealed parts, and wipes the names of keys that only those named.
    pub(super) fn remove_private(&mut self, causality: &dyn Causality) {
        let mut gone = Vec::new();
        for (key, slot) in self.slots.iter_mut() {
            if slot.remove(|place| place.private, causality) {
                if slot.is_empty() {
                    gone.push(key.clone());
                } else {
                    self.touched.insert(key.clone(), ());
                }
            }
        }
        for mut key in gone {
            self.forget(&key);
            if let Some((mut touched, ())) = self.touched.remove_entry(&key) {
                touched.zeroize();
            }
            key.zeroize();
        }
    }

    /// What a key holds.
    pub(super) fn slot(&self, key: &str) -> Option<&Slot> {
        self.slots.get(key)
    }

    /// Keys of a range with what they hold, in its direction, its limit aside.
    pub(super) fn range<'a>(&'a self, range: &Range) -> Box<dyn Iterator<Item = (&'a str, &'a Slot)> + 'a> {
        let Some(bounds) = range.bounds() else { return Box::new(core::iter::empty()) };
        let slots = self.slots.range::<String>(bounds).map(|(key, slot)| (key.as_str(), slot));
        if range.reverse { Box::new(slots.rev()) } else { Box::new(slots) }
    }

    /// Every key with what it holds.
    pub(super) fn slots(&self) -> impl Iterator<Item = (&str, &Slot)> {
        self.slots.iter().map(|(key, slot)| (key.as_str(), slot))
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
        if let Some((mut key, _)) = self.slots.remove_entry(key) {
            key.zeroize();
        }
    }
}

#[cfg(test)]
mod tests;
