//! A sorted map for very many keys that come in any order.

use core::{
    borrow::Borrow,
    ops::{Bound, RangeBounds},
};

/// Entries of a chunk before it is halved.
const CHUNK: usize = 256;

/// As [`super::Map`], in chunks: inserting and removing move a few hundred entries at most, and the list of chunks when
/// one is halved or gone. With a hundred thousand keys that list is as long as four chunks.
///
/// Invariant: no chunk is empty; each is sorted, and so are they among each other.
#[derive(Clone, Debug)]
pub struct LargeMap<K, V> {
    chunks: Vec<Vec<(K, V)>>,
}

impl<K, V> Default for LargeMap<K, V> {
    fn default() -> Self {
        Self { chunks: Vec::new() }
    }
}

impl<K, V> LargeMap<K, V> {
    /// All entries in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.chunks.iter().flatten().map(|(key, value)| (key, value))
    }

    /// All entries in order, values to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.chunks.iter_mut().flatten().map(|(key, value)| (&*key, value))
    }

    /// Keys in order, values dropped.
    pub fn into_keys(self) -> impl Iterator<Item = K> {
        self.into_entries().map(|(key, _)| key)
    }

    /// All entries in order.
    pub fn into_entries(self) -> impl Iterator<Item = (K, V)> {
        self.chunks.into_iter().flatten()
    }

    /// In which chunk `key` is and where, or where it belongs: in a chunk that is there, if any is.
    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> (usize, Result<usize, usize>)
    where
        K: Borrow<Q>,
    {
        // What comes in order, as most does, belongs at the end.
        if let Some((last, chunk)) = self.chunks.len().checked_sub(1).zip(self.chunks.last())
            && chunk.last().is_some_and(|(greatest, _)| greatest.borrow() < key)
        {
            return (last, Err(chunk.len()));
        }
        let starts_by = |chunk: &Vec<(K, V)>| chunk.first().is_some_and(|(first, _)| first.borrow() <= key);
        let at = self.chunks.partition_point(starts_by).saturating_sub(1);
        let chunk = self.chunks.get(at).map(Vec::as_slice).unwrap_or_default();
        (at, chunk.binary_search_by(|(own, _)| own.borrow().cmp(key)))
    }

    /// Whether `key` is in it.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.find(key).1.is_ok()
    }

    /// The value of `key`.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let (chunk, at) = self.find(key);
        self.chunks.get(chunk)?.get(at.ok()?).map(|(_, value)| value)
    }

    /// The value of `key`, to be changed.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let (chunk, at) = self.find(key);
        self.chunks.get_mut(chunk)?.get_mut(at.ok()?).map(|(_, value)| value)
    }

    /// Removes `key`; returns it as it was kept, and its value.
    pub fn remove_entry<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<(K, V)>
    where
        K: Borrow<Q>,
    {
        let (number, at) = self.find(key);
        let (at, chunk) = (at.ok()?, self.chunks.get_mut(number)?);
        let entry = chunk.remove(at);
        if chunk.is_empty() {
            self.chunks.remove(number);
        }
        Some(entry)
    }

    /// Entries whose keys are in `range`, in order. A range whose start is behind its end is empty.
    pub fn range<Q: Ord + ?Sized>(
        &self,
        range: impl RangeBounds<Q>,
    ) -> impl DoubleEndedIterator<Item = (&K, &V)>
    where
        K: Borrow<Q>,
    {
        let before = |key| {
            let (chunk, at) = self.find(key);
            (chunk, at.unwrap_or_else(|at| at))
        };
        let after = |key| {
            let (chunk, at) = self.find(key);
            (chunk, at.map_or_else(|at| at, |at| at + 1))
        };
        let start = match range.start_bound() {
            Bound::Unbounded => (0, 0),
            Bound::Included(key) => before(key),
            Bound::Excluded(key) => after(key),
        };
        let end = match range.end_bound() {
            Bound::Unbounded => (self.chunks.len().saturating_sub(1), usize::MAX),
            Bound::Included(key) => after(key),
            Bound::Excluded(key) => before(key),
        };
        let chunks = self.chunks.get(start.0..=end.0).unwrap_or_default();
        let entries = chunks.iter().enumerate().flat_map(move |(number, chunk)| {
            let from = if number == 0 { start.1 } else { 0 };
            let to = if start.0 + number == end.0 { end.1.min(chunk.len()) } else { chunk.len() };
            chunk.get(from..to).unwrap_or_default()
        });
        entries.map(|(key, value)| (key, value))
    }
}

impl<K: Ord, V> LargeMap<K, V> {
    /// Gives `key` a value; returns the one it had. A key that is there already stays as it is.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let (number, at) = self.find(&key);
        let chunk = self.chunks.get_mut(number);
        if let Some((_, old)) = chunk.and_then(|chunk| chunk.get_mut(at.ok()?)) {
            return Some(core::mem::replace(old, value));
        }
        self.insert_at(number, at.unwrap_or_else(|at| at), (key, value));
        None
    }

    /// The value of `key`, to be changed; if it has none it gets what `new` makes, and `None` is returned.
    pub fn get_or_insert<Q: Ord + ?Sized>(&mut self, key: &Q, new: impl FnOnce() -> (K, V)) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        match self.find(key) {
            (number, Ok(at)) => self.chunks.get_mut(number)?.get_mut(at).map(|(_, value)| value),
            (number, Err(at)) => {
                self.insert_at(number, at, new());
                None
            }
        }
    }

    fn insert_at(&mut self, number: usize, at: usize, entry: (K, V)) {
        let is_last = number + 1 >= self.chunks.len();
        let Some(chunk) =
            self.chunks.get_mut(number).filter(|chunk| !is_last || at < CHUNK || at < chunk.len())
        else {
            // Behind a full one: what comes in order leaves no half-empty chunks.
            self.chunks.push(vec![entry]);
            return;
        };
        chunk.insert(at, entry);
        if chunk.len() > CHUNK {
            let half = chunk.split_off(CHUNK / 2);
            self.chunks.insert(number + 1, half);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is done, std's map says the same; runs of keys make chunks split and vanish.
        #[test]
        fn does_what_a_b_tree_does(
            acts in prop::collection::vec((0_u8..7, 0_u16..2_000, 1_u16..700, any::<u8>()), 1..16)
        ) {
            let (mut map, mut model) = (LargeMap::default(), BTreeMap::new());
            for (act, key, run, value) in acts {
                let to = key + run;
                for key in key..to {
                    // A stride that visits all residues: no order that chunks would like.
                    let key = if value % 2 == 0 { key } else { key.wrapping_mul(769) % 2_000 };
                    match act {
                        0..=2 => prop_assert_eq!(map.insert(key, value), model.insert(key, value)),
                        3..=4 => prop_assert_eq!(map.remove_entry(&key), model.remove_entry(&key)),
                        5 => prop_assert_eq!(map.get_mut(&key), model.get_mut(&key)),
                        _ => {
                            let had = model.get_mut(&key);
                            prop_assert_eq!(map.get_or_insert(&key, || (key, value)), had);
                            model.entry(key).or_insert(value);
                        }
                    }
                    prop_assert_eq!(map.get(&key), model.get(&key));
                    prop_assert_eq!(map.contains_key(&key), model.contains_key(&key));
                }
                prop_assert!(map.chunks.iter().all(|chunk| !chunk.is_empty() && chunk.len() <= CHUNK));
                prop_assert!(map.iter().eq(&model) && map.iter().rev().eq(model.iter().rev()));
                prop_assert!(map.iter_mut().eq(model.iter_mut()));
                prop_assert!(map.range(key..to).eq(model.range(key..to)));
                prop_assert!(map.range(key..=to).rev().eq(model.range(key..=to).rev()));
                prop_assert!(map.range(..to).eq(model.range(..to)) && map.range(to..).eq(model.range(to..)));
                let behind = (Bound::Excluded(key), Bound::Unbounded);
                prop_assert!(map.range(behind).eq(model.range(behind)));
            }
            prop_assert!(map.into_keys().eq(model.into_keys()));
        }
    }
}
