//! A map as a sorted vector.

use core::{
    borrow::Borrow,
    fmt,
    ops::{Bound, RangeBounds},
    slice,
};

/// Keys in order, each with a value. Methods do what those of `BTreeMap` do, but for one: a range whose start is
/// behind its end is empty.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Map<K, V>(Vec<(K, V)>);

impl<K, V> Map<K, V> {
    /// Nothing in it.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Entries.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no entry.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Removes all.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// All entries in order.
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter(self.0.iter())
    }

    /// All entries in order, values to be changed.
    pub fn iter_mut(&mut self) -> IterMut<'_, K, V> {
        IterMut(self.0.iter_mut())
    }

    /// Keys in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> + ExactSizeIterator + Clone {
        self.0.iter().map(|(key, _)| key)
    }

    /// Values, in the order of their keys.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> + ExactSizeIterator + Clone {
        self.0.iter().map(|(_, value)| value)
    }

    /// Values to be changed, in the order of their keys.
    pub fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut V> + ExactSizeIterator {
        self.0.iter_mut().map(|(_, value)| value)
    }

    /// Keys in order, values dropped.
    pub fn into_keys(self) -> impl DoubleEndedIterator<Item = K> + ExactSizeIterator {
        self.0.into_iter().map(|(key, _)| key)
    }

    /// Values in the order of their keys, which are dropped.
    pub fn into_values(self) -> impl DoubleEndedIterator<Item = V> + ExactSizeIterator {
        self.0.into_iter().map(|(_, value)| value)
    }

    /// The lowest key.
    pub fn first_key_value(&self) -> Option<(&K, &V)> {
        self.0.first().map(|(key, value)| (key, value))
    }

    /// The highest key.
    pub fn last_key_value(&self) -> Option<(&K, &V)> {
        self.0.last().map(|(key, value)| (key, value))
    }

    /// The highest key, its value to be changed.
    pub fn last_mut(&mut self) -> Option<(&K, &mut V)> {
        self.0.last_mut().map(|(key, value)| (&*key, value))
    }

    /// Removes the lowest key.
    pub fn pop_first(&mut self) -> Option<(K, V)> {
        (!self.0.is_empty()).then(|| self.0.remove(0))
    }

    /// Removes the highest key.
    pub fn pop_last(&mut self) -> Option<(K, V)> {
        self.0.pop()
    }

    /// Removes entries for which `keep` says no.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        self.0.retain_mut(|(key, value)| keep(key, value));
    }

    /// Where `key` is, or where it belongs.
    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.0.binary_search_by(|(own, _)| own.borrow().cmp(key))
    }

    /// Whether `key` is in it.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.find(key).is_ok()
    }

    /// The value of `key`.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.get_key_value(key).map(|(_, value)| value)
    }

    /// `key` as it is kept, and its value.
    pub fn get_key_value<Q: Ord + ?Sized>(&self, key: &Q) -> Option<(&K, &V)>
    where
        K: Borrow<Q>,
    {
        self.0.get(self.find(key).ok()?).map(|(key, value)| (key, value))
    }

    /// The value of `key`, to be changed.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let at = self.find(key).ok()?;
        self.0.get_mut(at).map(|(_, value)| value)
    }

    /// Removes `key`; returns its value.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.remove_entry(key).map(|(_, value)| value)
    }

    /// Removes `key`; returns it as it was kept, and its value.
    pub fn remove_entry<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<(K, V)>
    where
        K: Borrow<Q>,
    {
        self.find(key).ok().map(|at| self.0.remove(at))
    }

    /// Entries whose keys are in `range`, in order.
    pub fn range<Q: Ord + ?Sized>(&self, range: impl RangeBounds<Q>) -> Iter<'_, K, V>
    where
        K: Borrow<Q>,
    {
        let start = match range.start_bound() {
            Bound::Unbounded => 0,
            Bound::Included(key) => self.find(key).unwrap_or_else(|at| at),
            Bound::Excluded(key) => self.find(key).map_or_else(|at| at, |at| at + 1),
        };
        let end = match range.end_bound() {
            Bound::Unbounded => self.len(),
            Bound::Included(key) => self.find(key).map_or_else(|at| at, |at| at + 1),
            Bound::Excluded(key) => self.find(key).unwrap_or_else(|at| at),
        };
        Iter(self.0.get(start..end).unwrap_or_default().iter())
    }

    /// Takes `key` and all after it away, and returns them.
    pub fn split_off<Q: Ord + ?Sized>(&mut self, key: &Q) -> Self
    where
        K: Borrow<Q>,
    {
        let at = self.find(key).unwrap_or_else(|at| at);
        Self(self.0.split_off(at))
    }
}

impl<K: Ord, V> Map<K, V> {
    /// Gives `key` a value; returns the one it had. A key that is there already stays as it is.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let at = self.place(&key);
        match at.ok().and_then(|at| self.0.get_mut(at)) {
            Some((_, old)) => Some(core::mem::replace(old, value)),
            None => {
                self.0.insert(at.unwrap_or_else(|at| at), (key, value));
                None
            }
        }
    }

    /// The place of `key`, to be filled.
    pub fn entry(&mut self, key: K) -> Entry<'_, K, V> {
        let at = self.place(&key);
        Entry { entries: &mut self.0, key, at }
    }

    /// As [`Map::find`]. Much comes in order, so the end is looked at first.
    fn place(&self, key: &K) -> Result<usize, usize> {
        if self.0.last().is_none_or(|(last, _)| last < key) { Err(self.0.len()) } else { self.find(key) }
    }
}

impl<K: Ord, V, const N: usize> From<[(K, V); N]> for Map<K, V> {
    fn from(entries: [(K, V); N]) -> Self {
        entries.into_iter().collect()
    }
}

impl<K, V> Default for Map<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for Map<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

impl<K: Ord, V> Extend<(K, V)> for Map<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for Map<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::new();
        map.extend(entries);
        map
    }
}

impl<K, V> IntoIterator for Map<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, K, V> IntoIterator for &'a Map<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a, K, V> IntoIterator for &'a mut Map<K, V> {
    type Item = (&'a K, &'a mut V);
    type IntoIter = IterMut<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

#[cfg(test)]
impl<K: Ord, V> core::ops::Index<&K> for Map<K, V> {
    type Output = V;

    fn index(&self, key: &K) -> &V {
        self.get(key).expect("no such key")
    }
}

/// The place of a key in a [`Map`], filled or not.
pub struct Entry<'a, K, V> {
    entries: &'a mut Vec<(K, V)>,
    key: K,
    at: Result<usize, usize>,
}

impl<'a, K, V> Entry<'a, K, V> {
    /// The value; `make`s it if there is none.
    pub fn or_insert_with(self, make: impl FnOnce() -> V) -> &'a mut V {
        match self.at {
            #[expect(clippy::indexing_slicing, reason = "found just now, and borrowed since")]
            Ok(at) => &mut self.entries[at].1,
            Err(at) => &mut self.entries.insert_mut(at, (self.key, make())).1,
        }
    }

    /// The value; `value` if there is none.
    pub fn or_insert(self, value: V) -> &'a mut V {
        self.or_insert_with(|| value)
    }

    /// The value; a default one if there is none.
    pub fn or_default(self) -> &'a mut V
    where
        V: Default,
    {
        self.or_insert_with(V::default)
    }
}

/// Entries of a [`Map`].
#[derive(Debug)]
pub struct Iter<'a, K, V>(slice::Iter<'a, (K, V)>);

impl<K, V> Clone for Iter<'_, K, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(key, value)| (key, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<K, V> DoubleEndedIterator for Iter<'_, K, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back().map(|(key, value)| (key, value))
    }
}

impl<K, V> ExactSizeIterator for Iter<'_, K, V> {}

/// Entries of a [`Map`], values to be changed.
#[derive(Debug)]
pub struct IterMut<'a, K, V>(slice::IterMut<'a, (K, V)>);

impl<'a, K, V> Iterator for IterMut<'a, K, V> {
    type Item = (&'a K, &'a mut V);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(key, value)| (&*key, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is done, std's map says the same.
        #[test]
        fn does_what_a_b_tree_does(acts in prop::collection::vec((0_u8..12, 0_u8..24, any::<u16>()), 0..80)) {
            let (mut map, mut model) = (Map::new(), BTreeMap::new());
            for (act, key, value) in acts {
                match act {
                    0..=3 => prop_assert_eq!(map.insert(key, value), model.insert(key, value)),
                    4 => prop_assert_eq!(map.remove(&key), model.remove(&key)),
                    5 => {
                        *map.entry(key).or_default() ^= value;
                        *model.entry(key).or_default() ^= value;
                    }
                    6 => prop_assert_eq!(map.entry(key).or_insert(value), model.entry(key).or_insert(value)),
                    7 => prop_assert_eq!(map.pop_first(), model.pop_first()),
                    8 => prop_assert_eq!(map.pop_last(), model.pop_last()),
                    9 => {
                        let (taken, gone) = (map.split_off(&key), model.split_off(&key));
                        prop_assert!(taken.iter().eq(&gone));
                        if value % 2 == 0 {
                            map.extend(taken);
                            model.extend(gone);
                        }
                    }
                    10 => {
                        map.retain(|key, value| (u16::from(*key) ^ *value) % 3 != 0);
                        model.retain(|key, value| (u16::from(*key) ^ *value) % 3 != 0);
                    }
                    _ => {
                        map.values_mut().for_each(|own| *own ^= value);
                        model.values_mut().for_each(|own| *own ^= value);
                    }
                }
                prop_assert!(map.iter().eq(&model) && map.len() == model.len());
                prop_assert!(map.iter().rev().eq(model.iter().rev()));
                prop_assert!(map.keys().eq(model.keys()) && map.values().eq(model.values()));
                prop_assert_eq!(map.get(&key), model.get(&key));
                prop_assert_eq!(map.get_mut(&key), model.get_mut(&key));
                prop_assert_eq!(map.contains_key(&key), model.contains_key(&key));
                prop_assert_eq!(map.first_key_value(), model.first_key_value());
                prop_assert_eq!(map.last_key_value(), model.last_key_value());
                let to = key.saturating_add(u8::try_from(value % 9).unwrap());
                prop_assert!(map.range(key..to).eq(model.range(key..to)));
                prop_assert!(map.range(key..=to).eq(model.range(key..=to)));
                prop_assert!(map.range(..to).eq(model.range(..to)) && map.range(key..).eq(model.range(key..)));
                let behind = (Bound::Excluded(key), Bound::Unbounded);
                prop_assert!(map.range(behind).eq(model.range(behind)));
            }
            prop_assert_eq!(format!("{map:?}"), format!("{model:?}"));
            prop_assert!(map.into_iter().eq(model));
        }

        /// Of equal keys the last one's value stays, the first one's key.
        #[test]
        fn collects_as_a_b_tree_does(entries in prop::collection::vec(("[a-c]{0,2}", any::<u8>()), 0..30)) {
            let map: Map<String, u8> = entries.iter().cloned().collect();
            let model: BTreeMap<String, u8> = entries.into_iter().collect();
            prop_assert!(map.iter().eq(&model));
            prop_assert_eq!(map.get("a"), model.get("a"));
            let from_b = (Bound::Included("b"), Bound::Unbounded);
            prop_assert!(map.range::<str>(from_b).eq(model.range::<str, _>(from_b)));
        }
    }
}
