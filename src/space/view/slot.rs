//! What one key holds: its operations, heads first.

use super::{Causality, record::Gone};
use crate::collections::sort_by;

/// Where an operation stands. Writers are numbered by the space.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(in crate::space) struct Place {
    pub(in crate::space) writer: u32,
    pub(in crate::space) index: u64,
    /// Public operations first, then those of the sealed part.
    pub(in crate::space) op: u32,
    pub(in crate::space) private: bool,
    pub(in crate::space) delete: bool,
}

impl Place {
    /// How it is named when it goes.
    pub(super) const fn gone(&self) -> Gone {
        (self.writer, self.index, self.private)
    }

    /// Whether `self` is in the past of `other`.
    fn is_before(&self, other: &Self, causality: &dyn Causality) -> bool {
        if self.writer == other.writer {
            (self.index, self.op) < (other.index, other.op)
        } else {
            causality.precedes((self.writer, self.index), (other.writer, other.index))
        }
    }

    fn rank(&self, causality: &dyn Causality) -> ((u64, [u8; 32]), u32) {
        (causality.rank(self.writer, self.index), self.op)
    }
}

/// Operations on one key.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(in crate::space) struct Slot {
    /// The first `heads` are heads.
    ops: Vec<Place>,
    heads: usize,
}

impl Slot {
    pub(super) fn with(place: Place) -> Self {
        Self { ops: vec![place], heads: 1 }
    }

    /// Of operations in any order.
    pub(super) fn of(ops: Vec<Place>, causality: &dyn Causality) -> Self {
        let mut slot = Self { ops, heads: 0 };
        slot.recompute(causality);
        slot
    }

    /// Heads, the winner first.
    pub(in crate::space) fn heads(&self, causality: &dyn Causality) -> Vec<Place> {
        ranked(self.ops.get(..self.heads).unwrap_or_default(), causality)
    }

    /// Every operation, in no order.
    pub(in crate::space) fn ops(&self) -> &[Place] {
        &self.ops
    }

    /// Every operation, the highest rank first.
    pub(in crate::space) fn ranked(&self, causality: &dyn Causality) -> Vec<Place> {
        ranked(&self.ops, causality)
    }

    /// Heads among the operations that `keep` lets through, the winner first.
    pub(in crate::space) fn heads_among(
        &self,
        keep: impl Fn(&Place) -> bool,
        causality: &dyn Causality,
    ) -> Vec<Place> {
        let ops: Vec<Place> = self.ops.iter().filter(|place| keep(place)).copied().collect();
        Self::split(&ops, causality).0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// Adds an operation that is not here yet.
    pub(super) fn insert(&mut self, place: Place, causality: &dyn Causality) {
        let heads = self.ops.iter().take(self.heads);
        let superseded = heads.copied().any(|head| place.is_before(&head, causality));
        if !superseded {
            // Those it has seen move behind the heads, and it becomes one.
            let mut at = 0;
            while at < self.heads {
                if self.ops.get(at).is_some_and(|head| head.is_before(&place, causality)) {
                    self.heads -= 1;
                    self.ops.swap(at, self.heads);
                } else {
                    at += 1;
                }
            }
        }
        self.ops.push(place);
        if !superseded {
            let last = self.ops.len() - 1;
            self.ops.swap(self.heads, last);
            self.heads += 1;
        }
    }

    /// Removes what `gone` says; returns whether anything went.
    pub(super) fn remove(&mut self, gone: impl Fn(&Place) -> bool, causality: &dyn Causality) -> bool {
        let before = self.ops.len();
        let lost_head = self.ops.iter().take(self.heads).any(&gone);
        self.ops.retain(|place| !gone(place));
        // Whatever a superseded operation had superseded is in the past of a head too, so only lost heads matter.
        if lost_head {
            self.recompute(causality);
        }
        self.ops.len() != before
    }

    /// Finds the heads anew.
    pub(super) fn recompute(&mut self, causality: &dyn Causality) {
        if self.ops.len() < 2 {
            self.heads = self.ops.len();
            return;
        }
        let (heads, rest) = Self::split(&self.ops, causality);
        self.heads = heads.len();
        self.ops = heads;
        self.ops.extend(rest);
    }

    /// Heads (winner first) and the others. Of one writer only the last operation can be a head. Of those, highest rank
    /// first, one is a head iff no head has seen it: the past is transitive, and what is in the past ranks lower.
    fn split(ops: &[Place], causality: &dyn Causality) -> (Vec<Place>, Vec<Place>) {
        if ops.len() < 2 {
            return (ops.to_vec(), Vec::new());
        }
        let mut last: Vec<Place> = Vec::new();
        for place in ops {
            match last.iter_mut().find(|known| known.writer == place.writer) {
                Some(known) if (known.index, known.op) < (place.index, place.op) => *known = *place,
                Some(_) => {}
                None => last.push(*place),
            }
        }
        let mut heads: Vec<Place> = Vec::new();
        for place in ranked(&last, causality) {
            if !heads.iter().any(|head| place.is_before(head, causality)) {
                heads.push(place);
            }
        }
        let rest = ops.iter().filter(|place| !heads.contains(place)).copied().collect();
        (heads, rest)
    }
}

/// Operations, the highest rank first.
fn ranked(ops: &[Place], causality: &dyn Causality) -> Vec<Place> {
    if ops.len() < 2 {
        return ops.to_vec();
    }
    let mut ranked: Vec<_> = ops.iter().map(|place| (place.rank(causality), *place)).collect();
    sort_by(&mut ranked, |a, b| b.0.cmp(&a.0));
    ranked.into_iter().map(|(_, place)| place).collect()
}
