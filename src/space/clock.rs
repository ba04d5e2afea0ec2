//! How far each writer's feed has been seen.

use std::collections::BTreeMap;

use crate::crypto::PublicKey;

/// Writer → length of its feed. A writer that is not in it stands at 0.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Clock(BTreeMap<PublicKey, u64>);

impl Clock {
    /// Nothing seen.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Length up to which a writer's feed is in it.
    pub fn length(&self, writer: &PublicKey) -> u64 {
        self.0.get(writer).copied().unwrap_or(0)
    }

    /// Whether an entry is in it.
    pub fn includes(&self, writer: &PublicKey, index: u64) -> bool {
        index < self.length(writer)
    }

    /// Raises a writer's length; never lowers it. Returns whether it rose.
    pub fn raise(&mut self, writer: PublicKey, length: u64) -> bool {
        let rises = length > self.length(&writer);
        if rises {
            self.0.insert(writer, length);
        }
        rises
    }

    /// Raises every writer to what another clock has.
    pub fn join(&mut self, other: &Self) {
        for (writer, length) in other.iter() {
            self.raise(*writer, length);
        }
    }

    /// Entries in it: the sum of all lengths.
    pub fn total(&self) -> u64 {
        self.0.values().fold(0, |sum, length| sum.saturating_add(*length))
    }

    /// Writers and lengths, ascending by key.
    pub fn iter(&self) -> impl Iterator<Item = (&PublicKey, u64)> {
        self.0.iter().map(|(writer, length)| (writer, *length))
    }
}

impl FromIterator<(PublicKey, u64)> for Clock {
    fn from_iter<T: IntoIterator<Item = (PublicKey, u64)>>(pairs: T) -> Self {
        let mut clock = Self::new();
        for (writer, length) in pairs {
            clock.raise(writer, length);
        }
        clock
    }
}
