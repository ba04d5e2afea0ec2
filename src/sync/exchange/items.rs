//! Records, manifest, evidence, values: sets made equal by their hashes.
//!
//! Each side lists the hashes it has, per kind, and sends what the other did not list once that list is complete. Later ones
//! are sent as they appear.

use std::collections::VecDeque;

use super::{
    super::limits::{MAX_HASHES, MAX_ITEMS},
    Fault, ItemKind, Message, Replica, ReplicaError,
};
use crate::collections::{LargeMap, Map, Set, sort};
use crate::crypto::{Hash, blake2b};

#[derive(Default)]
pub(super) struct Items {
    /// What the peer has.
    /// A peer chooses the order in which it fills this, so it must not be a plain sorted vector.
    theirs: LargeMap<(ItemKind, Hash), ()>,
    count: usize,
    /// Kinds that the peer has listed whole.
    heard: Set<ItemKind>,
    /// Kinds that were listed to the peer, or are being listed.
    listing: Map<ItemKind, VecDeque<Hash>>,
    queue: VecDeque<(ItemKind, Hash)>,
    /// All kinds were listed to the peer.
    listed_all: bool,
}

impl Items {
    pub(super) fn heard_all(&self) -> bool {
        self.heard.len() == ItemKind::ALL.len()
    }

    pub(super) fn listed(
        &mut self,
        kind: ItemKind,
        more: bool,
        hashes: Vec<Hash>,
        replica: &dyn Replica,
    ) -> Result<(), Fault> {
        if self.heard.contains(&kind) {
            return Err(Fault::Unexpected { what: "second list of items" });
        }
        for hash in hashes {
            self.note(kind, hash)?;
        }
        if !more {
            self.heard.insert(kind);
            let lacking = replica.items(kind).into_iter().map(|hash| (kind, hash));
            self.queue.extend(lacking.filter(|item| !self.theirs.contains_key(item)));
        }
        Ok(())
    }

    pub(super) fn received(
        &mut self,
        kind: ItemKind,
        bytes: &[u8],
        replica: &mut dyn Replica,
    ) -> Result<(), Fault> {
        self.note(kind, blake2b(&[bytes]))?;
        match replica.accept_item(kind, bytes) {
            Ok(_)
            | Err(
                ReplicaError::Stale
                | ReplicaError::NotHeld
                | ReplicaError::Absent
                | ReplicaError::Contradiction,
            ) => Ok(()),
            Err(ReplicaError::Peer(detail)) => Err(Fault::Refused { what: "item", detail }),
            Err(ReplicaError::Local(detail)) => Err(Fault::Local(detail)),
        }
    }

    pub(super) fn added(&mut self, kind: ItemKind, hash: Hash) {
        // Before the peer's list is complete, the comparison will find it.
        if self.heard.contains(&kind) && !self.theirs.contains_key(&(kind, hash)) {
            self.queue.push_back((kind, hash));
        }
    }

    pub(super) fn next_message(&mut self, replica: &dyn Replica) -> Option<Message> {
        let kinds: &[ItemKind] = if self.listed_all { &[] } else { &ItemKind::ALL };
        for &kind in kinds {
            let fresh = !self.listing.contains_key(&kind);
            let waiting = self.listing.entry(kind).or_insert_with(|| {
                let mut hashes = replica.items(kind);
                sort(&mut hashes);
                hashes.dedup();
                hashes.into()
            });
            if fresh || !waiting.is_empty() {
                let hashes = waiting.drain(..waiting.len().min(MAX_HASHES)).collect();
                return Some(Message::Items { kind, more: !waiting.is_empty(), hashes });
            }
        }
        self.listed_all = true;
        loop {
            let (kind, hash) = self.queue.pop_front()?;
            // Sent once; and the peer may have shown it meanwhile.
            if self.theirs.insert((kind, hash), ()).is_none()
                && let Some(bytes) = replica.item(kind, &hash)
            {
                return Some(Message::Item { kind, bytes });
            }
        }
    }

    /// Whether nothing waits to be listed or sent.
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty()
            && self.listing.len() == ItemKind::ALL.len()
            && self.listing.values().all(|waiting| waiting.is_empty())
    }

    /// Lists all again.
    pub(super) fn list_again(&mut self) {
        self.listing.clear();
        self.listed_all = false;
    }

    /// The peer has what is here, though not all of its lists may have come.
    pub(super) fn heard_equal(&mut self) {
        self.heard.extend(ItemKind::ALL);
    }

    /// Forgets what the peer has.
    pub(super) fn hear_again(&mut self) {
        (self.theirs, self.count) = (Default::default(), 0);
        self.heard.clear();
    }

    fn note(&mut self, kind: ItemKind, hash: Hash) -> Result<(), Fault> {
        self.count += usize::from(self.theirs.insert((kind, hash), ()).is_none());
        if self.count > MAX_ITEMS {
            return Err(Fault::Limit { what: "items", max: MAX_ITEMS });
        }
        Ok(())
    }
}
