//! Replicas that the admins of a space rely on. What a pin is: `pin.rs`.
//!
//! Of all pins and unpins of a key in counted entries of admins the last one holds. What an admin pinned before it was
//! removed stands, what it did past its cut does not count, and any admin can unpin.

use super::{Space, author::Draft, trees::Judge};
use crate::{
    collections::{Map, sort_by},
    crypto::{Entropy, PublicKey},
    space::{AccessOp, MAX_LABEL, Pin, Role, SpaceError, Status, view::Causality},
    storage::Files,
};

/// A replica that is relied on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PinnedReplica {
    /// Its key.
    pub key: PublicKey,
    /// What people call it; may be empty.
    pub label: String,
    /// The device that pinned it.
    pub author: PublicKey,
}

/// Pins and unpins (`None`) in entries, whether they count or not: writer number, index.
pub(super) type Pins = Map<(u32, u64), Vec<(PublicKey, Option<String>)>>;

impl Space {
    /// Relies on a replica from now on; only an admin may. Nothing is done if it is pinned under this label already.
    pub fn pin_replica(
        &mut self,
        files: &mut Files,
        now: u64,
        entropy: &mut dyn Entropy,
        replica: PublicKey,
        label: &str,
    ) -> Result<(), SpaceError> {
        self.admin()?;
        if label.len() > MAX_LABEL {
            return Err(SpaceError::TooLarge { what: "label", max: MAX_LABEL, got: label.len() });
        }
        if self.pinned_replicas().iter().any(|known| known.key == replica && known.label == label) {
            return Ok(());
        }
        let pin = AccessOp::Pin(Pin { replica, label: label.to_owned() });
        self.append(files, now, entropy, vec![Draft::access(vec![pin])])?;
        Ok(())
    }

    /// Relies on a replica no more; only an admin may. Nothing is done if it is not pinned.
    pub fn unpin_replica(
        &mut self,
        files: &mut Files,
        now: u64,
        entropy: &mut dyn Entropy,
        replica: PublicKey,
    ) -> Result<(), SpaceError> {
        self.admin()?;
        if self.is_pinned(&replica) {
            self.append(files, now, entropy, vec![Draft::access(vec![AccessOp::Unpin { replica }])])?;
        }
        Ok(())
    }

    /// Replicas that are pinned, ascending by key.
    pub fn pinned_replicas(&self) -> Vec<PinnedReplica> {
        if self.pins.is_empty() {
            return Vec::new();
        }
        let judge = Judge { access: &self.access, numbers: &self.numbers };
        let mut ranked = Vec::new();
        for ((number, index), pins) in self.pins.iter() {
            let author = self.numbers.key(*number);
            let status = self.access.status(&author, *index);
            let counts = matches!(status, Some(Status::Counted | Status::Hidden));
            if counts && self.role(&author) == Some(Role::Admin) {
                let rank = judge.rank(*number, *index);
                ranked.extend(pins.iter().enumerate().map(|(place, pin)| (rank, place, author, pin)));
            }
        }
        sort_by(&mut ranked, |a, b| (a.0, a.1).cmp(&(b.0, b.1)));
        let mut last: Map<PublicKey, PinnedReplica> = Map::new();
        for (.., author, (key, label)) in ranked {
            match label {
                Some(label) => last.insert(*key, PinnedReplica { key: *key, label: label.clone(), author }),
                None => last.remove(key),
            };
        }
        last.into_values().collect()
    }

    /// Whether a key is that of a pinned replica.
    pub fn is_pinned(&self, key: &PublicKey) -> bool {
        self.pinned_replicas().iter().any(|pinned| pinned.key == *key)
    }

    /// Notes the pins of an entry that is given; those of another branch at its place go.
    pub(super) fn note_pins(&mut self, writer: &PublicKey, index: u64, access: &[AccessOp]) {
        let mut pins = Vec::new();
        for op in access {
            match op {
                AccessOp::Pin(pin) => pins.push((pin.replica, Some(pin.label.clone()))),
                AccessOp::Unpin { replica } => pins.push((*replica, None)),
                _ => {}
            }
        }
        if self.pins.is_empty() && pins.is_empty() {
            return;
        }
        let at = (self.numbers.number(writer), index);
        if pins.is_empty() {
            self.pins.remove(&at);
        } else {
            self.pins.insert(at, pins);
        }
    }
}
