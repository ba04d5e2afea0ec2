//! What the access engine asks about feeds, and what the view asks the access engine.

use std::collections::BTreeMap;

use super::Tail;
use crate::{
    crypto::{Hash, PublicKey},
    feed::Feed,
    space::{Access, Trees, view::Causality},
    storage::Files,
};

/// Small numbers for writer keys, so that places in the view are small.
#[derive(Default)]
pub(super) struct Numbers {
    keys: Vec<PublicKey>,
    numbers: BTreeMap<PublicKey, u32>,
}

impl Numbers {
    /// The number of a writer; a new one if it has none.
    pub(super) fn number(&mut self, writer: &PublicKey) -> u32 {
        if let Some(number) = self.numbers.get(writer) {
            return *number;
        }
        let number = u32::try_from(self.keys.len()).unwrap_or(u32::MAX);
        self.keys.push(*writer);
        self.numbers.insert(*writer, number);
        number
    }

    /// The writer with a number.
    pub(super) fn key(&self, number: u32) -> PublicKey {
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        self.keys.get(at).copied().unwrap_or(PublicKey([0; 32]))
    }
}

/// Facts about signed feeds. Entries count as held once they were given to the engine.
pub(super) struct FeedTrees<'a> {
    pub(super) files: &'a Files,
    pub(super) feeds: &'a BTreeMap<PublicKey, Feed>,
    pub(super) tails: &'a BTreeMap<PublicKey, Tail>,
}

impl Trees for FeedTrees<'_> {
    fn place(&self, writer: &PublicKey, n: u64, tree_hash: &Hash) -> Option<u64> {
        let feed = self.feeds.get(writer)?;
        let held = feed.tree_hash_at(self.files, n).ok().flatten()?;
        (held == *tree_hash).then_some(n)
    }

    fn length(&self, writer: &PublicKey) -> u64 {
        self.feeds.get(writer).map_or(0, Feed::length)
    }

    fn held(&self, writer: &PublicKey) -> u64 {
        self.tails.get(writer).map_or(0, |tail| tail.given)
    }

    fn fork(&self, _writer: &PublicKey) -> Option<u64> {
        None
    }
}

/// Answers the view from the access engine.
pub(super) struct Judge<'a> {
    pub(super) access: &'a Access,
    pub(super) numbers: &'a Numbers,
}

impl Causality for Judge<'_> {
    fn seen(&self, of: u32, index: u64, other: u32) -> u64 {
        self.access.clock_of(&self.numbers.key(of), index).length(&self.numbers.key(other))
    }

    fn rank(&self, writer: u32, index: u64) -> (u64, [u8; 32]) {
        let key = self.numbers.key(writer);
        (self.access.order(&key, index).unwrap_or(0), key.0)
    }
}
