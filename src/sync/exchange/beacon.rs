//! So that no two connected nodes stay different, whatever got lost: now and then each says, in one hash, what it has.
//!
//! ```text
//! beacon  H(per feed, ascending: feed 32 │ u64 blocks held │ u64 length and hash of the head │ per item, ascending: kind, hash)
//! relist  nothing: what I listed is void, I list anew
//! ```
//! A beacon is said when nothing else is to be said. If the peer, quiet too, has something else, it lists all it has
//! again, heads and items, and everything takes its course; its own beacon does the same for the other direction. Two
//! that are meant to differ (one follows fewer feeds) list again every few minutes, which costs a hash and 150 bytes
//! a feed.

use super::{Exchange, ItemKind, Message, Replica};
use crate::{
    collections::{sort, sort_by},
    crypto::{Hash, blake2b},
    sync::FeedStatus,
};

impl Exchange {
    /// The beacon, when it is time for one.
    pub(super) fn next_beacon(&mut self, replica: &dyn Replica, now: u64) -> Option<Message> {
        if now < self.beacon_at {
            return None;
        }
        self.beacon_at = now.saturating_add(self.pause(now));
        self.is_quiet().then(|| Message::Beacon(digest(replica)))
    }

    /// The peer says what it has.
    pub(super) fn beacon(&mut self, theirs: &Hash, replica: &dyn Replica) {
        if !self.is_quiet() {
            return;
        }
        if digest(replica) == *theirs {
            // Nothing is missing here, whatever was not heard of.
            self.heard_all = true;
            self.items.heard_equal();
        } else {
            (self.listed, self.listing) = (false, None);
            self.items.list_again();
            self.control.push_back(Message::Relist);
        }
    }

    /// Whether all is said that is to be said, and nothing asked for is under way.
    fn is_quiet(&self) -> bool {
        self.listed && self.asked.is_empty() && self.dirty.is_empty() && self.items.is_idle()
    }

    /// What the peer has listed is void: it lists anew.
    pub(super) fn relisted(&mut self) {
        self.items.hear_again();
        for known in self.feeds.values_mut() {
            (known.head, known.contiguous) = (0, 0);
        }
        self.heard_all = false;
    }

    /// Milliseconds to the next beacon: not for all peers and nodes at once.
    pub(super) fn pause(&self, now: u64) -> u64 {
        let drawn = blake2b(&[&self.peer.0.to_le_bytes(), &now.to_le_bytes()]).0;
        let spread = drawn.first().map_or(0, |byte| u64::from(*byte)).saturating_mul(BEACON_SPREAD_MS) / 256;
        BEACON_MS.saturating_add(spread)
    }
}

/// All that is here, in one hash.
fn digest(replica: &dyn Replica) -> Hash {
    digest_of(replica.status(), &|kind| replica.items(kind))
}

/// The hash for these feeds and items, in any order.
pub(crate) fn digest_of(mut feeds: Vec<FeedStatus>, items: &dyn Fn(ItemKind) -> Vec<Hash>) -> Hash {
    let mut all = Vec::new();
    sort_by(&mut feeds, |one, two| one.feed.cmp(&two.feed));
    for status in feeds {
        all.extend(status.feed.0);
        all.extend(status.contiguous.to_le_bytes());
        all.extend(status.head.length.to_le_bytes());
        all.extend(status.head.tree_hash.0);
    }
    for kind in ItemKind::ALL {
        let mut hashes = items(kind);
        sort(&mut hashes);
        hashes.dedup();
        for hash in hashes {
            all.push(kind.byte());
            all.extend(hash.0);
        }
    }
    blake2b(&[&all])
}

/// Milliseconds between beacons, and by chance so many more.
const BEACON_MS: u64 = 240_000;
const BEACON_SPREAD_MS: u64 = 120_000;
