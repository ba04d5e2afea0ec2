//! Nothing of one's own leaves the node, and no promise resolves, before it is durable.
//!
//! Everything that a batch must precede waits here until the batch is stored. Order is kept: once something waits,
//! what comes after it waits too.

use std::collections::VecDeque;

use super::Output;

/// Outputs that go at once, and outputs that wait for storage.
#[derive(Default)]
pub(crate) struct Durable {
    ready: VecDeque<Output>,
    /// Sequence of the batch that must be stored first, and the output.
    waiting: VecDeque<(u64, Output)>,
    /// Last batch given to storage.
    given: u64,
    /// Last batch that is stored.
    stored: u64,
    /// Last batch that holds something of our own.
    own: u64,
    /// Bytes given up to the sequence `marked`, which is not stored yet, and since.
    pile: (usize, usize),
    marked: u64,
}

/// Bytes that may wait for storage before no more is asked of peers: what comes faster than the disk takes it would
/// pile up in memory. Far more than a disk in order ever lets wait.
const MAX_PILE: usize = 16 * 1024 * 1024;

impl Durable {
    /// Goes at once.
    pub(crate) fn now(&mut self, output: Output) {
        self.ready.push_back(output);
    }

    /// Goes when all that was given to storage is stored.
    pub(crate) fn after_commit(&mut self, output: Output) {
        if self.stored >= self.given {
            self.ready.push_back(output);
        } else {
            self.waiting.push_back((self.given, output));
        }
    }

    /// Bytes for a peer: go when all of our own that was written before is stored.
    pub(crate) fn send(&mut self, output: Output) {
        if self.stored >= self.own {
            self.ready.push_back(output);
        } else {
            self.waiting.push_back((self.own, output));
        }
    }

    /// A batch of so many bytes goes to storage.
    pub(crate) fn given(&mut self, seq: u64, bytes: usize, own: bool) {
        self.given = self.given.max(seq);
        self.pile.1 = self.pile.1.saturating_add(bytes);
        if own {
            self.own = self.given;
        }
    }

    /// The last batch given to storage.
    pub(crate) const fn last_given(&self) -> u64 {
        self.given
    }

    /// Whether a batch is stored.
    pub(crate) const fn is_stored(&self, seq: u64) -> bool {
        self.stored >= seq
    }

    /// A batch is stored.
    pub(crate) fn stored(&mut self, seq: u64) {
        self.stored = self.stored.max(seq);
        if self.stored >= self.given {
            self.pile = (0, 0);
        } else if self.stored >= self.marked {
            self.pile = (self.pile.1, 0);
            self.marked = self.given;
        }
        let (go, wait): (VecDeque<_>, VecDeque<_>) =
            core::mem::take(&mut self.waiting).into_iter().partition(|(after, _)| *after <= self.stored);
        self.waiting = wait;
        self.ready.extend(go.into_iter().map(|(_, output)| output));
    }

    /// Whether so much waits to be stored that no more should come for now.
    pub(crate) const fn is_behind(&self) -> bool {
        // Counted by marks, not by batch: what is stored may still count until the next mark is.
        self.pile.0.saturating_add(self.pile.1) > MAX_PILE
    }

    /// Storage failed for good: what waits will never go.
    pub(crate) fn fail(&mut self) -> Vec<Output> {
        core::mem::take(&mut self.waiting).into_iter().map(|(_, output)| output).collect()
    }

    /// The next output.
    pub(crate) fn poll(&mut self) -> Option<Output> {
        self.ready.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_behind_while_too_much_is_not_stored() {
        let mut durable = Durable::default();
        let half = MAX_PILE / 2;
        durable.given(1, half, false);
        durable.given(2, half, false);
        assert!(!durable.is_behind());
        durable.given(3, 1, false);
        assert!(durable.is_behind());
        durable.stored(3);
        assert!(!durable.is_behind());
        // As it is when each batch is given before the last one is stored.
        for seq in 4..40 {
            durable.given(seq, half / 2, false);
            assert!(!durable.is_behind(), "{seq}");
            durable.stored(seq - 1);
        }
        durable.given(40, 2 * half, false);
        assert!(durable.is_behind());
        durable.stored(40);
        assert!(!durable.is_behind());
    }
}
