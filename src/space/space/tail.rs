//! How far a feed has been taken in, and what of it is in the view.

use crate::storage::Spans;

/// How far a feed has been taken in.
#[derive(Default)]
pub(super) struct Tail {
    /// Entries given to the access engine.
    pub(super) given: u64,
    /// Wall time of the last entry that could be read, ms.
    pub(super) last_time: Option<u64>,
    /// Wall times of entries with grants, ms: by index, ascending.
    pub(super) grants: Vec<(u64, u64)>,
    /// When the feed grew here, as last noted, ms.
    pub(super) marked: u64,
    /// When it last grew here, ms; after a reload to the hour.
    pub(super) received: Option<u64>,
    /// Which entries are in the view.
    pub(super) shown: Spans,
}
