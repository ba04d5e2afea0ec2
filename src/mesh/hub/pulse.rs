//! Whether a hub still answers: a question every 25 s, an answer to it within 10 s.
//!
//! Every kind has some harmless question whose answer is certain; the adapter puts it whenever a method here says so.
//! It keeps sockets alive too: proxies cut silent ones after a minute, and a page cannot send WebSocket pings.

use super::{HubEvent, HubOut};

/// The state of asking.
pub(super) struct Pulse {
    is_open: bool,
    /// Whether the hub has ever answered on this connection.
    is_ready: bool,
    ask_at: u64,
    answer_by: Option<u64>,
}

impl Pulse {
    /// No connection.
    pub(super) const CLOSED: Self = Self { is_open: false, is_ready: false, ask_at: 0, answer_by: None };

    /// The socket opened, and the first question goes out with it.
    pub(super) fn open(&mut self, now: u64) {
        *self = Self { is_open: true, ..Self::CLOSED };
        self.ask(now, PONG_MS);
    }

    pub(super) const fn is_open(&self) -> bool {
        self.is_open
    }

    pub(super) const fn is_ready(&self) -> bool {
        self.is_ready
    }

    pub(super) fn deadline(&self) -> Option<u64> {
        self.is_open.then(|| self.answer_by.unwrap_or(self.ask_at))
    }

    /// The hub answered; the first time it is ready.
    pub(super) fn answered(&mut self, now: u64, out: &mut HubOut) {
        if !self.is_open {
            return;
        }
        self.answer_by = None;
        self.ask_at = now.saturating_add(PING_MS);
        if !core::mem::replace(&mut self.is_ready, true) {
            out.events.push(HubEvent::Ready);
        }
    }

    /// The page slept: whether to ask. Also when a question was out already: its answer may have been lost in the
    /// sleep, its time was. The first is not put twice, as some hubs speak before they are spoken to: it only gets its
    /// whole time again, so that a hub that is slow to greet is not taken for another kind.
    pub(super) fn probe(&mut self, now: u64) -> bool {
        if self.is_open {
            self.ask(now, if self.is_ready { PROBE_MS } else { PONG_MS });
        }
        self.is_open && self.is_ready
    }

    /// Time passed: whether to ask. A hub that answered once and no more is dead, not foreign; the socket is given
    /// up either way.
    pub(super) fn tick(&mut self, now: u64, out: &mut HubOut) -> bool {
        if !self.is_open {
            return false;
        }
        if self.answer_by.is_some_and(|by| now >= by) {
            out.events.push(if self.is_ready { HubEvent::Silent } else { HubEvent::WrongKind });
            *self = Self::CLOSED;
            return false;
        }
        let is_due = self.answer_by.is_none() && now >= self.ask_at;
        if is_due {
            self.ask(now, PONG_MS);
        }
        is_due
    }

    const fn ask(&mut self, now: u64, patience: u64) {
        self.ask_at = now.saturating_add(PING_MS);
        self.answer_by = Some(now.saturating_add(patience));
    }
}

/// Between questions.
const PING_MS: u64 = 25_000;
/// For an answer to one.
const PONG_MS: u64 = 10_000;
/// For an answer after the page slept.
const PROBE_MS: u64 = 5_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_the_wrong_kind_at_first_and_death_later() {
        let (mut pulse, mut out) = (Pulse::CLOSED, HubOut::default());
        assert!(!pulse.tick(0, &mut out) && !pulse.probe(0));
        pulse.answered(0, &mut out);
        assert_eq!((pulse.deadline(), out.events.len()), (None, 0));

        pulse.open(0);
        assert_eq!(pulse.deadline(), Some(10_000));
        assert!(!pulse.tick(9_999, &mut out));
        assert!(!pulse.tick(10_000, &mut out));
        assert_eq!(core::mem::take(&mut out.events), [HubEvent::WrongKind]);

        pulse.open(0);
        pulse.answered(5, &mut out);
        pulse.answered(5, &mut out);
        assert_eq!(core::mem::take(&mut out.events), [HubEvent::Ready]);
        assert_eq!(pulse.deadline(), Some(25_005));
        assert!(pulse.tick(25_005, &mut out));
        assert!(!pulse.tick(35_004, &mut out));
        assert!(!pulse.tick(35_005, &mut out));
        assert_eq!(core::mem::take(&mut out.events), [HubEvent::Silent]);
        assert!(!pulse.is_open());

        pulse.open(0);
        assert!(!pulse.probe(100_000), "the first question is out");
        assert_eq!(pulse.deadline(), Some(110_000));

        pulse.open(0);
        pulse.answered(0, &mut out);
        assert!(pulse.probe(100_000));
        assert_eq!(pulse.deadline(), Some(105_000), "awake");
    }
}
