//! A set of numbers, as few spans as there are: pages of a file, entries of a feed.

use core::ops::Range;

use crate::codec::{DecodeError, MAX_SAFE, Reader, Writer};

/// A set of numbers, as spans: ascending, apart from one another, none empty.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Spans(Vec<(u64, u64)>);

impl Spans {
    /// Takes a range in or out; returns its pieces as they were before: each with whether it was in.
    pub fn set(&mut self, range: Range<u64>, within: bool) -> Vec<(Range<u64>, bool)> {
        let Range { start, end } = range;
        if start >= end {
            return Vec::new();
        }
        // Spans that overlap it or touch it.
        let first = self.0.partition_point(|(_, to)| *to < start);
        let past = self.0.partition_point(|(from, _)| *from <= end);
        let touched = self.0.get(first..past).unwrap_or_default();
        let (mut pieces, mut at) = (Vec::new(), start);
        for (from, to) in touched {
            let (from, to) = ((*from).clamp(at, end), (*to).clamp(at, end));
            if from > at {
                pieces.push((at..from, false));
            }
            if to > from {
                pieces.push((from..to, true));
            }
            at = at.max(to);
        }
        if at < end {
            pieces.push((at..end, false));
        }
        let low = touched.first().map_or(start, |(from, _)| (*from).min(start));
        let high = touched.last().map_or(end, |(_, to)| (*to).max(end));
        let new: Vec<(u64, u64)> = match within {
            true => vec![(low, high)],
            false => [(low, start), (end, high)].into_iter().filter(|(from, to)| from < to).collect(),
        };
        self.0.splice(first..past, new);
        pieces
    }

    /// Whether an index is in it.
    pub fn contains(&self, index: u64) -> bool {
        let after = self.0.partition_point(|(from, _)| *from <= index);
        after.checked_sub(1).and_then(|at| self.0.get(at)).is_some_and(|(_, to)| index < *to)
    }

    /// Whether nothing is in it.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first and the last one.
    pub fn reach(&self) -> Option<(u64, u64)> {
        Some((self.0.first()?.0, self.0.last()?.1.saturating_sub(1)))
    }

    /// How many are in it.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|(from, to)| to - from).sum()
    }

    /// Its spans within a range.
    pub fn within(&self, range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
        let first = self.0.partition_point(|(_, to)| *to <= range.start);
        let rest = self.0.get(first..).unwrap_or_default().iter();
        rest.take_while(move |(from, _)| *from < range.end)
            .map(move |(from, to)| (*from).max(range.start)..(*to).min(range.end))
    }

    /// Every index in it, ascending.
    pub fn indexes(&self) -> impl Iterator<Item = u64> {
        self.0.iter().flat_map(|(from, to)| *from..*to)
    }

    /// `varint spans │ each: varint indexes since the last span │ varint its length`
    pub fn encode(&self, out: &mut Writer) {
        out.count(self.0.len());
        let mut at = 0;
        for (from, to) in &self.0 {
            out.varint(from - at).varint(to - from);
            at = *to;
        }
    }

    /// What was encoded. [`DecodeError::NotCanonical`] if it is not as it would be encoded.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (mut spans, mut at) = (Vec::new(), 0_u64);
        for _ in 0..reader.count("spans", reader.remaining())? {
            let from = at.saturating_add(reader.varint()?);
            let to = from.saturating_add(reader.varint()?);
            if from >= to || to > MAX_SAFE || (from == at && at > 0) {
                return Err(DecodeError::NotCanonical { what: "spans" });
            }
            spans.push((from, to));
            at = to;
        }
        Ok(Self(spans))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever goes in and out, it is the same set, in as few spans as can be, and comes back from its bytes.
        #[test]
        fn spans_are_a_set(acts in prop::collection::vec((0..40_u64, 0..12_u64, any::<bool>()), 0..40)) {
            let (mut spans, mut model) = (Spans::default(), std::collections::BTreeSet::new());
            for (from, length, within) in acts {
                let range = from..from + length;
                let mut at = from;
                for (piece, was) in spans.set(range.clone(), within) {
                    prop_assert_eq!(piece.start, at);
                    at = piece.end;
                    prop_assert!(piece.clone().all(|index| model.contains(&index) == was));
                }
                prop_assert_eq!(at, from + length);
                for index in range {
                    if within { model.insert(index); } else { model.remove(&index); }
                }
                prop_assert!(spans.indexes().eq(model.iter().copied()));
                prop_assert!((0..60).all(|index| spans.contains(index) == model.contains(&index)));
                prop_assert!(spans.0.iter().zip(spans.0.iter().skip(1)).all(|(a, b)| a.1 < b.0));
                let mut out = Writer::new();
                spans.encode(&mut out);
                let bytes = out.finish();
                prop_assert_eq!(Spans::decode(&mut Reader::new(&bytes)).unwrap(), spans.clone());
            }
        }
    }
}
