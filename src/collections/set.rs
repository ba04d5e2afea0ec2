//! A set as a sorted vector.

use core::{
    borrow::Borrow,
    fmt,
    ops::{Bound, RangeBounds},
    slice,
};

/// Elements in order, each once. Methods do what those of `BTreeSet` do, but for two: a range whose start is behind
/// its end is empty, and [`Set::symmetric_difference`] is in no order.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Set<T>(Vec<T>);

impl<T> Set<T> {
    /// Nothing in it.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Elements.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no element.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Removes all.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// All elements in order.
    pub fn iter(&self) -> slice::Iter<'_, T> {
        self.0.iter()
    }

    /// The lowest element.
    pub fn first(&self) -> Option<&T> {
        self.0.first()
    }

    /// The highest element.
    pub fn last(&self) -> Option<&T> {
        self.0.last()
    }

    /// Removes the lowest element.
    pub fn pop_first(&mut self) -> Option<T> {
        (!self.0.is_empty()).then(|| self.0.remove(0))
    }

    /// Removes the highest element.
    pub fn pop_last(&mut self) -> Option<T> {
        self.0.pop()
    }

    /// Removes elements for which `keep` says no.
    pub fn retain(&mut self, keep: impl FnMut(&T) -> bool) {
        self.0.retain(keep);
    }

    fn find<Q: Ord + ?Sized>(&self, element: &Q) -> Result<usize, usize>
    where
        T: Borrow<Q>,
    {
        self.0.binary_search_by(|own| own.borrow().cmp(element))
    }

    /// Whether `element` is in it.
    pub fn contains<Q: Ord + ?Sized>(&self, element: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        self.find(element).is_ok()
    }

    /// Removes `element`; returns whether it was there.
    pub fn remove<Q: Ord + ?Sized>(&mut self, element: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        self.find(element).map(|at| self.0.remove(at)).is_ok()
    }

    /// Elements in `range`, in order.
    pub fn range<Q: Ord + ?Sized>(&self, range: impl RangeBounds<Q>) -> slice::Iter<'_, T>
    where
        T: Borrow<Q>,
    {
        let start = match range.start_bound() {
            Bound::Unbounded => 0,
            Bound::Included(element) => self.find(element).unwrap_or_else(|at| at),
            Bound::Excluded(element) => self.find(element).map_or_else(|at| at, |at| at + 1),
        };
        let end = match range.end_bound() {
            Bound::Unbounded => self.len(),
            Bound::Included(element) => self.find(element).map_or_else(|at| at, |at| at + 1),
            Bound::Excluded(element) => self.find(element).unwrap_or_else(|at| at),
        };
        self.0.get(start..end).unwrap_or_default().iter()
    }
}

impl<T: Ord> Set<T> {
    /// Adds `element`; returns whether it is new. One that is there already stays as it is.
    pub fn insert(&mut self, element: T) -> bool {
        // Much comes in order, so the end is looked at first.
        let at = if self.0.last().is_none_or(|last| *last < element) {
            Err(self.0.len())
        } else {
            self.find(&element)
        };
        at.map_err(|at| self.0.insert(at, element)).is_err()
    }

    /// Elements that are not in `other`, in order.
    pub fn difference<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a T> + Clone {
        self.iter().filter(|element| !other.contains(*element))
    }

    /// Elements that are in `other` too, in order.
    pub fn intersection<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a T> + Clone {
        self.iter().filter(|element| other.contains(*element))
    }

    /// Elements that are in one of the two only: first this one's, then the other's.
    pub fn symmetric_difference<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a T> + Clone {
        self.difference(other).chain(other.difference(self))
    }

    /// Whether no element is in `other`.
    pub fn is_disjoint(&self, other: &Self) -> bool {
        !self.iter().any(|element| other.contains(element))
    }

    /// Whether every element is in `other`.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.iter().all(|element| other.contains(element))
    }
}

impl<T: Ord, const N: usize> From<[T; N]> for Set<T> {
    fn from(elements: [T; N]) -> Self {
        elements.into_iter().collect()
    }
}

impl<T> Default for Set<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for Set<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self).finish()
    }
}

impl<T: Ord> Extend<T> for Set<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, elements: I) {
        for element in elements {
            self.insert(element);
        }
    }
}

impl<'a, T: Ord + Copy + 'a> Extend<&'a T> for Set<T> {
    fn extend<I: IntoIterator<Item = &'a T>>(&mut self, elements: I) {
        self.extend(elements.into_iter().copied());
    }
}

impl<T: Ord> FromIterator<T> for Set<T> {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        let mut set = Self::new();
        set.extend(elements);
        set
    }
}

impl<T> IntoIterator for Set<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Set<T> {
    type Item = &'a T;
    type IntoIter = slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is done, std's set says the same.
        #[test]
        fn does_what_a_b_tree_does(acts in prop::collection::vec((0_u8..8, 0_u8..24, 0_u8..9), 0..80)) {
            let (mut set, mut model) = (Set::new(), BTreeSet::new());
            let (mut other, mut other_model) = (Set::new(), BTreeSet::new());
            for (act, element, more) in acts {
                match act {
                    0..=2 => prop_assert_eq!(set.insert(element), model.insert(element)),
                    3 => prop_assert_eq!(other.insert(element), other_model.insert(element)),
                    4 => prop_assert_eq!(set.remove(&element), model.remove(&element)),
                    5 => prop_assert_eq!(set.pop_first(), model.pop_first()),
                    6 => prop_assert_eq!(set.pop_last(), model.pop_last()),
                    _ => {
                        set.retain(|own| own % 5 != more);
                        model.retain(|own| own % 5 != more);
                    }
                }
                prop_assert!(set.iter().eq(&model) && set.len() == model.len());
                prop_assert_eq!(set.contains(&element), model.contains(&element));
                prop_assert_eq!((set.first(), set.last()), (model.first(), model.last()));
                let to = element + more;
                prop_assert!(set.range(element..to).eq(model.range(element..to)));
                prop_assert!(set.range(..=to).eq(model.range(..=to)) && set.range(to..).eq(model.range(to..)));
                let behind = (Bound::Excluded(element), Bound::Unbounded);
                prop_assert!(set.range(behind).eq(model.range(behind)));
                prop_assert!(set.difference(&other).eq(model.difference(&other_model)));
                prop_assert!(set.intersection(&other).eq(model.intersection(&other_model)));
                let one: Set<u8> = set.symmetric_difference(&other).copied().collect();
                prop_assert!(one.iter().eq(model.symmetric_difference(&other_model)));
                prop_assert_eq!(set.is_disjoint(&other), model.is_disjoint(&other_model));
                prop_assert_eq!(set.is_subset(&other), model.is_subset(&other_model));
            }
            prop_assert_eq!(format!("{set:?}"), format!("{model:?}"));
            let all: Set<u8> = other.iter().rev().copied().chain(set).collect();
            prop_assert!(all.into_iter().eq(other_model.into_iter().chain(model).collect::<BTreeSet<_>>()));
        }
    }
}
