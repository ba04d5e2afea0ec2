//! What was taken away, and why.

use super::Item;

/// Why entries are not shown.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Why {
    /// At or past a cut of their writer by a device: provisional, the root may take it back.
    Cut,
    /// At or past where the root closed their writer's feed: for good.
    RootCut,
    /// At or past where their writer signed two histories, and no root cut picked one.
    Fork,
    /// Below every cut and fork of their writer, but what let it in is past one: whoever granted it was removed before.
    Grant,
    /// They count, but somebody who may hid them.
    Hidden,
}

/// An operation that was taken away.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Quarantined {
    /// What it says, who wrote it, and when by that writer's clock. Its `version` is what is adopted.
    pub item: Item,
    /// Why it is not shown.
    pub why: Why,
}
