//! Sorting in little code.

use core::cmp::Ordering;

/// Sorts in the elements' own order. Equal ones may change places.
pub fn sort<T: Ord>(slice: &mut [T]) {
    sort_by(slice, T::cmp);
}

/// Sorts by `compare`, in the worst case too with n log n comparisons. Equal elements may change places.
///
/// A heap sort: the slice becomes a heap with the greatest element first, which then goes to the end again and again.
pub fn sort_by<T>(slice: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    let mut left = slice.len() / 2;
    let mut end = slice.len();
    while end > 1 {
        if left > 0 {
            left -= 1;
        } else {
            end -= 1;
            slice.swap(0, end);
        }
        // The element at `left` sinks below its greater children.
        let mut at = left;
        while let Some(heap) = slice.get(..end)
            && let Some(first) = heap.get(2 * at + 1)
        {
            let mut child = 2 * at + 1;
            let mut greater = first;
            if let Some(second) = heap.get(child + 1)
                && compare(first, second) == Ordering::Less
            {
                child += 1;
                greater = second;
            }
            if heap.get(at).is_none_or(|own| compare(own, greater) != Ordering::Less) {
                break;
            }
            slice.swap(at, child);
            at = child;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sorts(mut elements in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut sorted = elements.clone();
            sorted.sort();
            sort(&mut elements);
            prop_assert_eq!(&elements, &sorted);
            sort_by(&mut elements, |a, b| b.cmp(a));
            sorted.reverse();
            prop_assert_eq!(elements, sorted);
        }
    }
}
