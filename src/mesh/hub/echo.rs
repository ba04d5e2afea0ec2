//! What came back: most hubs hand a publication to its sender too.

use std::collections::VecDeque;

use crate::crypto::blake2b_128;

/// What was published of late, to drop it when it comes back.
pub(super) struct Echo(VecDeque<[u8; 16]>);

impl Echo {
    pub(super) const fn new() -> Self {
        Self(VecDeque::new())
    }

    pub(super) fn sent(&mut self, sealed: &[u8]) {
        if self.0.len() >= MAX_SENT {
            self.0.pop_front();
        }
        self.0.push_back(blake2b_128(&[sealed]));
    }

    /// Whether these bytes are our own, once for each time that they were sent.
    pub(super) fn takes(&mut self, sealed: &[u8]) -> bool {
        let own = blake2b_128(&[sealed]);
        let at = self.0.iter().position(|sent| *sent == own);
        at.and_then(|at| self.0.remove(at)).is_some()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

const MAX_SENT: usize = 64;
