//! Under what names nodes of a space meet on a hub.
//!
//! ```text
//! room(day)  = BLAKE2b-256(key = space key, ns(hypha/v1/topic) ‖ u64 day)          little endian
//! inbox(id)  = BLAKE2b-256(key = space key, ns(hypha/v1/topic) ‖ "inbox" ‖ id 16)
//! ```
//! `day` counts UTC days since 1970. A node joins the room of both days next to the midnight that is nearest to
//! it, so that clocks up to 24 hours apart share one; and its own inbox, so that what is for one wakes one. A hub
//! sees strings that say nothing and are others tomorrow or in the next session.

use core::fmt;

use crate::crypto::{Namespace, PublicKey, hex, keyed_parts};

use super::NodeId;

/// A blinded name on a hub, 32 bytes; each kind of hub renders it in its own way.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Topic(pub [u8; 32]);

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Topic({})", hex(&self.0))
    }
}

/// The room of a space on a day.
pub fn room(space: &PublicKey, day: u64) -> Topic {
    Topic(keyed_parts(&space.0, &[&Namespace::Topic.bytes(), &day.to_le_bytes()]).0)
}

/// Where a node of a space receives what is for it alone.
pub fn inbox(space: &PublicKey, id: &NodeId) -> Topic {
    Topic(keyed_parts(&space.0, &[&Namespace::Topic.bytes(), b"inbox", &id.0]).0)
}

/// The two days next to the UTC midnight nearest to `now`.
pub const fn days(now: u64) -> [u64; 2] {
    let day = now / DAY_MS;
    if now % DAY_MS < DAY_MS / 2 { [day.saturating_sub(1), day] } else { [day, day.saturating_add(1)] }
}

/// When [`days`] changes next: the next UTC noon.
pub(crate) const fn next_change(now: u64) -> u64 {
    let noon = now / DAY_MS * DAY_MS + DAY_MS / 2;
    if now < noon { noon } else { noon.saturating_add(DAY_MS) }
}

/// Milliseconds of a day.
pub(crate) const DAY_MS: u64 = 86_400_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_a_day_apart_share_a_room() {
        for hour in 0..72_u64 {
            let now = 20_000 * DAY_MS + hour * 3_600_000;
            for skew in 0..=24_u64 {
                let (a, b) = (days(now), days(now + skew * 3_600_000));
                assert!(a.iter().any(|day| b.contains(day)), "hour {hour} skew {skew}");
            }
            assert_ne!(days(now), days(next_change(now)));
            assert_eq!(days(now), days(next_change(now) - 1));
        }
    }

    #[test]
    fn names_differ_by_space_day_and_node() {
        let (a, b) = (PublicKey([1; 32]), PublicKey([2; 32]));
        let all = [
            room(&a, 1),
            room(&a, 2),
            room(&b, 1),
            inbox(&a, &NodeId([0; 16])),
            inbox(&a, &NodeId([1; 16])),
            inbox(&b, &NodeId([0; 16])),
        ];
        for (i, one) in all.iter().enumerate() {
            assert!(all.iter().skip(i + 1).all(|other| other != one));
        }
    }
}
