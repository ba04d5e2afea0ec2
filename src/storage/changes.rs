//! What changed in a file since the last batch: a cut, and ranges that got bytes or zeros.
//!
//! Only ranges are kept, not bytes: a batch reads those from the pages, so every byte is in it once, as it is at last.

use crate::collections::Map;

/// Whether a range got bytes or became zeros.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Zero,
    Bytes,
}

/// To be replayed as: forget the mended pages, cut the file to `cut`, set the length to what it is now, write the ranges.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    /// Shortest length the file had.
    pub(super) cut: Option<u64>,
    /// Pages whose damaged records count no more: without this, ranges that cover only part of one would not be replayed.
    pub(super) mended: Vec<u64>,
    /// Start → end, kind; disjoint.
    ranges: Map<u64, (u64, Kind)>,
}

impl Changes {
    pub(super) fn ranges(&self) -> impl Iterator<Item = (u64, u64, Kind)> {
        self.ranges.iter().map(|(start, (end, kind))| (*start, *end, *kind))
    }

    pub(super) fn count(&self) -> usize {
        self.ranges.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.ranges().filter(|(.., kind)| *kind == Kind::Bytes).map(|(start, end, _)| end - start).sum()
    }

    /// Notes that `start..end` changed.
    pub(super) fn set(&mut self, start: u64, end: u64, kind: Kind) {
        if start >= end {
            return;
        }
        // Appends, nearly always: the last range grows.
        if let Some((from, (to, last_kind))) = self.ranges.last_mut()
            && *last_kind == kind
            && *from <= start
            && start <= *to
        {
            *to = end.max(*to);
            return;
        }
        let near: Vec<(u64, u64, Kind)> = self
            .ranges
            .range(..=end)
            .rev()
            .map(|(from, (to, kind))| (*from, *to, *kind))
            .take_while(|(_, to, _)| *to >= start)
            .collect();
        let (mut joined_start, mut joined_end) = (start, end);
        for (from, to, other) in near {
            self.ranges.remove(&from);
            if other == kind {
                joined_start = joined_start.min(from);
                joined_end = joined_end.max(to);
                continue;
            }
            if from < start {
                self.ranges.insert(from, (start.min(to), other));
            }
            if to > end {
                self.ranges.insert(end.max(from), (to, other));
            }
        }
        self.ranges.insert(joined_start, (joined_end, kind));
    }

    /// Notes that the file was cut to `length`.
    pub(super) fn cut(&mut self, length: u64) {
        self.cut = Some(self.cut.map_or(length, |cut| cut.min(length)));
        self.ranges.split_off(&length);
        if let Some((_, (end, _))) = self.ranges.last_mut() {
            *end = length.min(*end);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a byte-by-byte model.
        #[test]
        fn ranges_say_what_was_set_last(
            sets in prop::collection::vec((0_u64..40, 0_u64..20, any::<bool>(), prop::option::weighted(0.1, 0_u64..40)), 0..30)
        ) {
            let mut changes = Changes::default();
            let mut model = [None; 64];
            for (start, length, bytes, cut) in sets {
                let kind = if bytes { Kind::Bytes } else { Kind::Zero };
                changes.set(start, start + length, kind);
                for slot in start..start + length {
                    model[slot as usize] = Some(kind);
                }
                if let Some(cut) = cut {
                    changes.cut(cut);
                    model[cut as usize..].fill(None);
                }
            }
            let mut got = [None; 64];
            let mut end_before = 0;
            for (start, end, kind) in changes.ranges() {
                prop_assert!(start >= end_before && start < end);
                end_before = end;
                got[start as usize..end as usize].fill(Some(kind));
            }
            prop_assert_eq!(got, model);
        }
    }
}
