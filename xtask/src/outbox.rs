//! What waits to be written to one socket. Bounded: who sends to a client that reads slowly is slowed down to its
//! pace; a client that does not read at all is cut off within two seconds.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Most bytes that wait for one client.
pub const MAX_BYTES: usize = 8 << 20;
/// Most pieces that wait for one client.
pub const MAX_PIECES: usize = 16 << 10;

/// Senders are held back while more than this waits for one client.
const HIGH_BYTES: usize = MAX_BYTES / 2;
const HIGH_PIECES: usize = MAX_PIECES / 2;

/// How long a box may stay above that before its client counts as one that does not read.
const PATIENCE: Duration = Duration::from_secs(2);

/// A queue between the threads that have something to say and the one that writes it.
#[derive(Default)]
pub struct Outbox {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    pieces: VecDeque<Arc<[u8]>>,
    bytes: usize,
    closed: bool,
    /// Since when it is above the high mark.
    high_since: Option<Instant>,
}

impl State {
    fn settle(&mut self) {
        let high = self.bytes > HIGH_BYTES || self.pieces.len() > HIGH_PIECES;
        self.high_since = if high { self.high_since.or_else(|| Some(Instant::now())) } else { None };
    }

    fn cut(&mut self) {
        self.pieces.clear();
        self.bytes = 0;
        self.closed = true;
        self.settle();
    }
}

/// What the writer is to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    Write(Arc<[u8]>),
    /// Nothing came before the deadline.
    Idle,
    Closed,
}

impl Outbox {
    /// Adds a piece; false if the box is closed. A full box closes and drops what it held.
    pub fn push(&self, piece: Arc<[u8]>) -> bool {
        let mut state = self.lock();
        if state.closed {
            return false;
        }
        if state.bytes + piece.len() > MAX_BYTES || state.pieces.len() >= MAX_PIECES {
            state.cut();
        } else {
            state.bytes += piece.len();
            state.pieces.push_back(piece);
            state.settle();
        }
        self.changed.notify_all();
        !state.closed
    }

    /// Waits until there is room again; gives the box up if that takes too long.
    pub fn wait_for_room(&self) {
        let mut state = self.lock();
        while let Some(since) = state.high_since {
            let left = PATIENCE.saturating_sub(since.elapsed());
            if left == Duration::ZERO {
                state.cut();
                self.changed.notify_all();
                return;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The next piece, as soon as there is one.
    pub fn next(&self, deadline: Instant) -> Next {
        let mut state = self.lock();
        loop {
            if let Some(piece) = state.pieces.pop_front() {
                state.bytes -= piece.len();
                state.settle();
                self.changed.notify_all();
                return Next::Write(piece);
            }
            if state.closed {
                return Next::Closed;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                return Next::Idle;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Takes nothing more; what is in it is still handed out.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(10)
    }

    #[test]
    fn pieces_come_out_in_order_and_then_nothing() {
        let outbox = Outbox::default();
        assert!(outbox.push(Arc::from(*b"one")) && outbox.push(Arc::from(*b"two")));
        assert_eq!(outbox.next(soon()), Next::Write(Arc::from(*b"one")));
        outbox.close();
        assert_eq!(outbox.next(soon()), Next::Write(Arc::from(*b"two")));
        assert_eq!(outbox.next(soon()), Next::Closed);
        assert_eq!(Outbox::default().next(soon()), Next::Idle);
    }

    #[test]
    fn a_sender_waits_for_who_reads_and_gives_up_on_who_does_not() {
        let outbox = Arc::new(Outbox::default());
        for _ in 0..=HIGH_PIECES {
            outbox.push(Arc::from(*b"x"));
        }
        let reader = Arc::clone(&outbox);
        let reading = std::thread::spawn(move || reader.next(soon()));
        outbox.wait_for_room();
        assert_eq!(reading.join().unwrap(), Next::Write(Arc::from(*b"x")));
        assert!(outbox.push(Arc::from(*b"y")), "it was read from, so it is still open");
        let start = Instant::now();
        outbox.wait_for_room();
        assert!(start.elapsed() < PATIENCE * 5);
        assert!(!outbox.push(Arc::from(*b"z")), "it was not read from");
    }

    #[test]
    fn a_full_box_closes_and_forgets() {
        let outbox = Outbox::default();
        let mebi: Arc<[u8]> = vec![0; 1 << 20].into();
        for _ in 0..MAX_BYTES >> 20 {
            assert!(outbox.push(Arc::clone(&mebi)));
        }
        assert!(!outbox.push(Arc::from(*b"x")));
        assert_eq!(outbox.next(soon()), Next::Closed);
        let outbox = Outbox::default();
        for _ in 0..MAX_PIECES {
            assert!(outbox.push(Arc::from(*b"")));
        }
        assert!(!outbox.push(Arc::from(*b"")));
    }
}
