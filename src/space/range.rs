//! Which keys a listing covers.

use core::ops::Bound;

/// A range of keys. Keys are ordered by their UTF-8 bytes. The default is all of them, ascending.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Range {
    /// Keys that begin with this.
    pub prefix: Option<String>,
    /// Keys after this.
    pub gt: Option<String>,
    /// Keys at or after this.
    pub gte: Option<String>,
    /// Keys before this.
    pub lt: Option<String>,
    /// Keys at or before this.
    pub lte: Option<String>,
    /// Descending.
    pub reverse: bool,
    /// At most this many.
    pub limit: Option<usize>,
}

impl Range {
    /// Keys that begin with `prefix`.
    pub fn prefix(prefix: impl Into<String>) -> Self {
        Self { prefix: Some(prefix.into()), ..Self::default() }
    }

    /// Whether a key is in it (the limit aside).
    pub fn contains(&self, key: &str) -> bool {
        self.prefix.as_deref().is_none_or(|p| key.starts_with(p))
            && self.gt.as_deref().is_none_or(|b| key > b)
            && self.gte.as_deref().is_none_or(|b| key >= b)
            && self.lt.as_deref().is_none_or(|b| key < b)
            && self.lte.as_deref().is_none_or(|b| key <= b)
    }

    /// Whether a key from `first` on, and before `next`, can be in it; `None`: whichever.
    pub(super) fn meets(&self, first: Option<&str>, next: Option<&str>) -> bool {
        let Some((low, high)) = self.bounds() else { return false };
        let below = match &low {
            Bound::Included(low) | Bound::Excluded(low) => next.is_none_or(|next| low.as_str() < next),
            Bound::Unbounded => true,
        };
        let above = match &high {
            Bound::Included(high) => first.is_none_or(|first| first <= high.as_str()),
            Bound::Excluded(high) => first.is_none_or(|first| first < high.as_str()),
            Bound::Unbounded => true,
        };
        below && above
    }

    /// The tightest lower and upper bound; `None` if nothing can lie between them.
    pub(super) fn bounds(&self) -> Option<(Bound<String>, Bound<String>)> {
        let owned = |key: &Option<String>, flag| key.clone().map(|key| (key, flag));
        // At one place the excluding lower bound is tighter (true > false), and so is the excluding upper one
        // (false < true).
        let lower = [owned(&self.prefix, false), owned(&self.gte, false), owned(&self.gt, true)];
        let upper =
            [self.past_prefix().map(|key| (key, false)), owned(&self.lte, true), owned(&self.lt, false)];
        let lower = lower.into_iter().flatten().max();
        let upper = upper.into_iter().flatten().min();
        if let (Some((low, excluded)), Some((high, included))) = (&lower, &upper)
            && (low > high || (low == high && (*excluded || !*included)))
        {
            return None;
        }
        let low = match lower {
            None => Bound::Unbounded,
            Some((key, true)) => Bound::Excluded(key),
            Some((key, false)) => Bound::Included(key),
        };
        let high = match upper {
            None => Bound::Unbounded,
            Some((key, true)) => Bound::Included(key),
            Some((key, false)) => Bound::Excluded(key),
        };
        Some((low, high))
    }

    /// The first text after all that begin with the prefix; `None` if there is no prefix or no such text.
    fn past_prefix(&self) -> Option<String> {
        let mut text = self.prefix.clone()?;
        while let Some(last) = text.pop() {
            // The next character; surrogates are no characters.
            let next = match last {
                '\u{d7ff}' => Some('\u{e000}'),
                _ => char::from_u32(u32::from(last) + 1),
            };
            if let Some(next) = next {
                text.push(next);
                return Some(text);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_follows_a_prefix_is_past_all_that_begin_with_it(prefix in "[a\u{d7ff}\u{10ffff}é]{0,3}", rest in ".{0,3}", other in ".{0,4}") {
            let range = Range::prefix(prefix.clone());
            if let Some(end) = range.past_prefix() {
                let inside = format!("{prefix}{rest}");
                prop_assert!(inside < end);
                prop_assert!(other.starts_with(&prefix) || other < prefix || other >= end);
            }
        }
    }
}
