//! Who was asked for what: one ledger for all peers of a space.
//!
//! An exchange claims a range before it asks for it, so no two peers are asked for the same blocks; what a peer that
//! is gone or silent had claimed is free again. At most one request at a time makes a feed longer: two upgrades from the
//! same length cannot both be right when the second arrives.

use core::ops::Range;

use super::{PeerId, Replica};
use crate::collections::Map;
use crate::crypto::PublicKey;

/// The ledger. Its owner hands it to every exchange of the space.
#[derive(Debug, Default)]
pub struct Wants {
    claims: Map<PublicKey, Vec<Claim>>,
}

#[derive(Debug)]
struct Claim {
    peer: PeerId,
    request: u64,
    blocks: Range<u64>,
    upgrade: bool,
}

impl Wants {
    /// An empty ledger.
    pub fn new() -> Self {
        Self::default()
    }

    /// Requests that are out for a feed.
    pub fn in_flight(&self, feed: &PublicKey) -> usize {
        self.claims.get(feed).map_or(0, Vec::len)
    }

    /// Whether somebody was asked to make this feed longer.
    pub(super) fn upgrading(&self, feed: &PublicKey) -> bool {
        self.claims.get(feed).is_some_and(|claims| claims.iter().any(|claim| claim.upgrade))
    }

    /// Claims the first run within `window` that is missing and that nobody was asked for, at most `max` blocks.
    pub(super) fn claim(
        &mut self,
        (feed, peer, request): (&PublicKey, PeerId, u64),
        window: Range<u64>,
        max: u64,
        upgrade: bool,
        replica: &dyn Replica,
    ) -> Option<Range<u64>> {
        let taken = self.claims.get(feed).map(Vec::as_slice).unwrap_or_default();
        let mut at = window.start;
        let blocks = loop {
            if at >= window.end {
                return None;
            }
            let gap = replica.missing(feed, at..window.end)?;
            // Every turn passes one claim, and there are few.
            if let Some(claim) = taken.iter().find(|claim| claim.blocks.contains(&gap.start)) {
                at = claim.blocks.end;
                continue;
            }
            let next = taken.iter().map(|claim| claim.blocks.start).filter(|start| *start > gap.start).min();
            let end = gap.end.min(next.unwrap_or(u64::MAX)).min(gap.start.saturating_add(max));
            break gap.start..end.min(window.end);
        };
        let claims = self.claims.entry(*feed).or_default();
        claims.push(Claim { peer, request, blocks: blocks.clone(), upgrade });
        Some(blocks)
    }

    /// The first blocks of a claim came.
    pub(super) fn progress(&mut self, feed: &PublicKey, peer: PeerId, request: u64, next: u64) {
        let claims = self.claims.get_mut(feed).into_iter().flatten();
        for claim in claims.filter(|claim| claim.peer == peer && claim.request == request) {
            claim.blocks.start = next;
            claim.upgrade = false;
        }
        self.retain(|_, claim| !claim.blocks.is_empty());
    }

    /// Gives a claim up.
    pub(super) fn release(&mut self, feed: &PublicKey, peer: PeerId, request: u64) {
        self.retain(|key, claim| key != feed || claim.peer != peer || claim.request != request);
    }

    /// Gives up all claims of a peer that is gone.
    pub fn forget_peer(&mut self, peer: PeerId) {
        self.retain(|_, claim| claim.peer != peer);
    }

    fn retain(&mut self, keep: impl Fn(&PublicKey, &Claim) -> bool) {
        self.claims.retain(|feed, claims| {
            claims.retain(|claim| keep(feed, claim));
            !claims.is_empty()
        });
    }
}
