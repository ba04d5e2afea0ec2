//! What time it is, by one's own clock and the peers'.
//!
//! Ephemeral messages expire within minutes, and computers' clocks are off by more than that. So each node judges by its
//! own clock plus a correction: the median of what peers say in their heartbeats. Invariants:
//!
//! - One's own clock has a vote too, and of two middle votes that nearer to it holds: among strangers the correction
//!   lies between clocks of honest nodes as long as these, oneself among them, are the majority. One liar moves nothing.
//! - Peers that have proven to be writers of the space are asked instead of strangers, and a single one is believed: a
//!   device with a wrong clock that asks to be let in must understand the one that lets it in.
//! - Who is off by more than a day has no vote.

use super::{PeerId, limits::MAX_CLOCK_OFFSET_MS};
use crate::collections::{Map, sort};

/// The clocks of the peers of one space.
#[derive(Default)]
pub struct PeerClocks(Map<PeerId, Clock>);

#[derive(Default)]
struct Clock {
    /// How far ahead of ours, ms.
    offset: Option<i64>,
    writer: bool,
}

impl PeerClocks {
    /// By how much a peer's clock is ahead of ours (ms), as it says.
    pub fn heard(&mut self, peer: PeerId, offset: i64) {
        let fits = offset.checked_abs().is_some_and(|size| size <= MAX_CLOCK_OFFSET_MS);
        self.0.entry(peer).or_default().offset = Some(offset).filter(|_| fits);
    }

    /// A peer has proven that it is a writer of the space.
    pub fn proven(&mut self, peer: PeerId) {
        self.0.entry(peer).or_default().writer = true;
    }

    /// A peer is gone.
    pub fn forget(&mut self, peer: PeerId) {
        self.0.remove(&peer);
    }

    /// What is to be added to our clock, ms.
    pub fn correction(&self) -> i64 {
        let of = |writers: bool| -> Vec<i64> {
            self.0
                .values()
                .filter(|clock| clock.writer || !writers)
                .filter_map(|clock| clock.offset)
                .collect()
        };
        let mut votes = match of(true) {
            writers if writers.is_empty() => of(false),
            writers => match writers.as_slice() {
                [only] => return *only,
                _ => writers,
            },
        };
        votes.push(0);
        sort(&mut votes);
        let middle = |from_end: bool| {
            let at = votes.len().saturating_sub(1) / 2;
            if from_end { votes.iter().rev().nth(at) } else { votes.get(at) }.copied().unwrap_or_default()
        };
        let (low, high) = (middle(false), middle(true));
        if low.saturating_abs() <= high.saturating_abs() { low } else { high }
    }

    /// Our clock (ms), corrected.
    pub fn corrected(&self, now: u64) -> u64 {
        now.saturating_add_signed(self.correction())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn clocks(offsets: &[i64]) -> PeerClocks {
        let mut clocks = PeerClocks::default();
        for (peer, offset) in (0..).zip(offsets) {
            clocks.heard(PeerId(peer), *offset);
        }
        clocks
    }

    #[test]
    fn the_median_holds_and_one_liar_does_not() {
        for (offsets, expected) in [
            (vec![], 0),
            (vec![600_000], 0),
            (vec![600_000, 600_100], 600_000),
            (vec![-600_000, 600_000], 0),
            (vec![600_000, 600_100, MAX_CLOCK_OFFSET_MS], 600_000),
            (vec![-5, -6, -7, -8], -6),
            (vec![MAX_CLOCK_OFFSET_MS + 1, i64::MIN, i64::MAX, 9, 9], 9),
        ] {
            assert_eq!(clocks(&offsets).correction(), expected, "{offsets:?}");
        }
        let mut some = clocks(&[600_000, 600_100]);
        assert_eq!(some.corrected(1_000), 601_000);
        some.forget(PeerId(0));
        assert_eq!(some.corrected(1_000), 1_000);
        assert_eq!(clocks(&[-5_000, -5_000]).corrected(1_000), 0);
    }

    #[test]
    fn a_writer_is_believed_where_strangers_are_not() {
        let mut some = clocks(&[600_000, -40, -50, -60]);
        assert_eq!(some.correction(), -40);
        some.proven(PeerId(0));
        assert_eq!(some.correction(), 600_000);
        // Two writers that contradict each other: nobody is believed.
        some.proven(PeerId(1));
        assert_eq!(some.correction(), 0);
        // A writer whose clock is absurd has no vote.
        some.heard(PeerId(0), i64::MAX);
        some.forget(PeerId(1));
        assert_eq!(some.correction(), -50);
    }

    proptest! {
        #[test]
        fn it_lies_between_honest_clocks_while_they_are_the_majority(
            honest in prop::collection::vec(-500_000_i64..500_000, 1..9),
            lies in prop::collection::vec(any::<i64>(), 0..9),
        ) {
            // Oneself is one more honest node.
            let lies: Vec<i64> = lies.into_iter().take(honest.len()).collect();
            let found = clocks(&[honest.as_slice(), &lies].concat()).correction();
            let (low, high) = (honest.iter().min().unwrap(), honest.iter().max().unwrap());
            prop_assert!(found >= 0.min(*low) && found <= 0.max(*high), "{found}");
        }
    }
}
