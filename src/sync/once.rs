//! What has come already, until it expires.

use crate::{
    collections::{Map, Set},
    crypto::Hash,
};

/// Remembers at most so many ids; the next to expire gives way.
pub struct Once {
    seen: Map<Hash, u64>,
    by_expiry: Set<(u64, Hash)>,
    max: usize,
}

impl Once {
    /// With room for `max` ids, at least one.
    pub const fn new(max: usize) -> Self {
        Self { seen: Map::new(), by_expiry: Set::new(), max }
    }

    /// Whether this id comes for the first time; `expiry` and `now` in ms.
    pub fn first(&mut self, id: Hash, expiry: u64, now: u64) -> bool {
        self.drop_while(|_, lapses| lapses <= now);
        if expiry <= now || self.seen.contains_key(&id) {
            return false;
        }
        self.drop_while(|once, _| once.seen.len() >= once.max);
        self.seen.insert(id, expiry);
        self.by_expiry.insert((expiry, id));
        true
    }

    fn drop_while(&mut self, so: impl Fn(&Self, u64) -> bool) {
        while let Some((lapses, id)) = self.by_expiry.first().copied()
            && so(self, lapses)
        {
            self.by_expiry.pop_first();
            self.seen.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_once_until_it_expires_and_never_too_many() {
        let mut once = Once::new(2);
        let id = |byte| Hash([byte; 32]);
        assert!(once.first(id(1), 10, 0) && !once.first(id(1), 10, 9) && !once.first(id(1), 10, 10));
        assert!(!once.first(id(2), 10, 10), "expired");
        assert!(once.first(id(3), 30, 11) && once.first(id(4), 20, 11) && once.first(id(5), 40, 11));
        assert_eq!((once.seen.len(), once.by_expiry.len()), (2, 2));
        // The next to expire gave way.
        assert!(!once.first(id(5), 40, 11));
    }
}
