//! What was seen before.

use crate::collections::Set;
use std::collections::VecDeque;

/// The last few thousand things, forgotten oldest first.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    set: Set<[u8; 16]>,
    order: VecDeque<[u8; 16]>,
}

impl Seen {
    /// Whether this is new; if so it is remembered.
    pub(crate) fn insert(&mut self, id: [u8; 16]) -> bool {
        if !self.set.insert(id) {
            return false;
        }
        self.order.push_back(id);
        if self.order.len() > MAX_SEEN
            && let Some(oldest) = self.order.pop_front()
        {
            self.set.remove(&oldest);
        }
        true
    }
}

/// One sender's sequence numbers: each is accepted once, in any order, unless it lies behind the last 256.
#[derive(Debug, Default)]
pub(crate) struct Window {
    seen: Set<u64>,
    /// Everything up to here counts as seen.
    floor: u64,
}

impl Window {
    /// Whether this number is new; if so it is remembered. Numbers begin at 1.
    pub(crate) fn accept(&mut self, number: u64) -> bool {
        if number <= self.floor || !self.seen.insert(number) {
            return false;
        }
        if self.seen.len() > WINDOW
            && let Some(lowest) = self.seen.pop_first()
        {
            self.floor = lowest;
        }
        true
    }
}

const MAX_SEEN: usize = 4096;
const WINDOW: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_accepted_twice_and_memory_is_bounded() {
        let mut window = Window::default();
        assert!(window.accept(5) && window.accept(3) && !window.accept(5) && !window.accept(0));
        for number in 6..2_000 {
            assert!(window.accept(number));
            assert!(!window.accept(number));
        }
        assert!(!window.accept(4), "behind the window");
        assert_eq!(window.seen.len(), WINDOW);

        let mut seen = Seen::default();
        for number in 0..10_000_u128 {
            assert!(seen.insert(number.to_le_bytes()));
            assert!(!seen.insert(number.to_le_bytes()));
        }
        assert_eq!((seen.set.len(), seen.order.len()), (MAX_SEEN, MAX_SEEN));
    }
}
