//! Who is here, and what they are doing: one small value per node, said again and again, gone with its node.
//!
//! Each entry lapses with the message that brought it; a node that leaves says so with an empty one. Messages come by
//! several ways, so only a later one counts: a goodbye is remembered until what it takes back has expired.
//! Strangers never take the place of writers. What others said is timed by the corrected
//! clock, what is to be said by the node's own, in ms.

use crate::{collections::Map, crypto::PublicKey};

/// Somebody who is here.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Present {
    /// Whose key: a writer's, or a visitor's for one browser session.
    pub key: PublicKey,
    /// Whether it is a writer's.
    pub writer: bool,
    /// Whether only devices can read it.
    pub private: bool,
    /// The value, encoded.
    pub state: Vec<u8>,
    /// When it was said, by its node's clock.
    pub time: u64,
}

/// What this node says of itself, and who else is here.
#[derive(Default)]
pub(crate) struct Presence {
    own: Option<Vec<u8>>,
    /// When to say it next.
    due: Option<u64>,
    said_at: u64,
    others: Map<PublicKey, Other>,
}

struct Other {
    /// `None`: it has gone.
    state: Option<Vec<u8>>,
    writer: bool,
    private: bool,
    time: u64,
    expires: u64,
}

impl Presence {
    /// Says this from now on, or nothing any more.
    pub(crate) fn set(&mut self, state: Option<Vec<u8>>, now: u64) {
        if self.own == state {
            return;
        }
        self.own = state;
        self.due = Some(now.max(self.said_at.saturating_add(PAUSE_MS)));
    }

    /// Somebody came, who has not heard.
    pub(crate) fn newcomer(&mut self, now: u64) {
        if self.own.is_some() {
            let soon = now.max(self.said_at.saturating_add(PAUSE_MS));
            self.due = Some(self.due.map_or(soon, |due| due.min(soon)));
        }
    }

    /// What is to be said now, if anything: empty for a goodbye. Takes it for said.
    pub(crate) fn next(&mut self, now: u64) -> Option<Vec<u8>> {
        self.due.filter(|due| *due <= now)?;
        self.said_at = now;
        self.due = self.own.is_some().then(|| now.saturating_add(REPEAT_MS));
        Some(self.own.clone().unwrap_or_default())
    }

    /// The key is another from now on, or everything ends: whether a goodbye is owed.
    pub(crate) fn leave(&mut self) -> bool {
        self.due = None;
        self.own.take().is_some()
    }

    /// When there is something to say, by the node's own clock.
    pub(crate) const fn due(&self) -> Option<u64> {
        self.due
    }

    /// When somebody's entry lapses.
    pub(crate) fn lapses(&self) -> Option<u64> {
        self.others.values().map(|other| other.expires).min()
    }

    /// A message came; whether what is shown has changed.
    pub(crate) fn heard(&mut self, said: Present, expires: u64, now: u64) -> bool {
        let Present { key, writer, private, state, time } = said;
        if let Some(other) = self.others.get(&key) {
            // A clock that is far ahead must not make its later words look old for ever.
            if other.time >= time && other.expires > now {
                return false;
            }
        } else if !self.make_room(writer) {
            return false;
        }
        let expires = expires.min(now.saturating_add(LIFE_MS));
        let state = (!state.is_empty()).then_some(state);
        let same = |other: &Other| (&other.state, other.writer, other.private) == (&state, writer, private);
        let changed = self.others.get(&key).map_or(state.is_some(), |other| !same(other));
        self.others.insert(key, Other { state, writer, private, time, expires });
        changed
    }

    /// Drops what has lapsed; whether what is shown has changed.
    pub(crate) fn expire(&mut self, now: u64) -> bool {
        if self.lapses().is_none_or(|at| at > now) {
            return false;
        }
        let before = self.len();
        self.others.retain(|_, other| other.expires > now);
        self.len() != before
    }

    /// Who is here, ascending by key.
    pub(crate) fn list(&self, now: u64) -> Vec<Present> {
        let here = |(key, other): (&PublicKey, &Other)| {
            let Other { state, writer, private, time, expires } = other;
            let state = state.clone().filter(|_| *expires > now)?;
            Some(Present { key: *key, writer: *writer, private: *private, state, time: *time })
        };
        self.others.iter().filter_map(here).collect()
    }

    fn len(&self) -> usize {
        self.others.values().filter(|other| other.state.is_some()).count()
    }

    /// Whether there is room for one more; a writer takes the place of a stranger.
    fn make_room(&mut self, writer: bool) -> bool {
        let strangers = self.others.values().filter(|other| !other.writer).count();
        if self.others.len() < MAX_PRESENT && (writer || strangers < MAX_STRANGERS) {
            return true;
        }
        // Among strangers, only one that has gone gives way: they cannot push each other out.
        let gives_way = |other: &&Other| !other.writer && (writer || other.state.is_none());
        let soonest = self.others.iter().filter(|(_, other)| gives_way(other));
        let soonest = soonest.min_by_key(|(_, other)| (other.state.is_some(), other.expires));
        let Some(key) = soonest.map(|(key, _)| *key) else { return false };
        self.others.remove(&key).is_some()
    }
}

/// Most bytes of what a node says of itself.
pub const MAX_STATE: usize = 4096;
/// Most nodes that are shown.
const MAX_PRESENT: usize = 512;
/// Most of them without a writer's key.
const MAX_STRANGERS: usize = 128;
/// Between two repetitions.
const REPEAT_MS: u64 = 20_000;
/// Between two different ones: a page may set it with every movement of the mouse.
const PAUSE_MS: u64 = 200;
/// How long one counts: two may be lost.
pub(in crate::node) const LIFE_MS: u64 = 60_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn said(key: u32, writer: bool, time: u64, state: &[u8]) -> Present {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&key.to_le_bytes());
        Present { key: PublicKey(bytes), writer, private: false, state: state.to_vec(), time }
    }

    #[test]
    fn what_is_set_is_said_soon_again_and_taken_back() {
        let mut own = Presence::default();
        assert_eq!((own.next(0), own.due()), (None, None));
        own.set(Some(vec![1]), 1_000);
        assert_eq!(own.next(1_000), Some(vec![1]));
        // Ten changes in a moment are one message.
        for state in 2..12 {
            own.set(Some(vec![state]), 1_000);
            assert_eq!(own.next(1_000), None);
        }
        assert_eq!(own.next(1_200), Some(vec![11]));
        assert_eq!((own.next(21_199), own.due()), (None, Some(21_200)));
        assert_eq!(own.next(21_200), Some(vec![11]));
        own.newcomer(22_000);
        assert_eq!(own.next(22_000), Some(vec![11]));
        own.set(None, 30_000);
        assert_eq!((own.next(30_000), own.due()), (Some(vec![]), None));
        own.newcomer(31_000);
        assert_eq!(own.next(31_000), None);
    }

    #[test]
    fn others_come_change_go_and_lapse() {
        let mut here = Presence::default();
        assert!(here.heard(said(1, true, 10, b"a"), 100, 0));
        assert!(!here.heard(said(1, true, 20, b"a"), 110, 0), "the same");
        assert!(!here.heard(said(1, true, 15, b"late"), 110, 0), "overtaken");
        assert!(here.heard(said(1, true, 30, b"b"), 120, 0));
        assert_eq!(here.list(0), [said(1, true, 30, b"b")]);
        assert!(here.heard(said(1, true, 40, b""), 130, 0));
        assert!(!here.heard(said(1, true, 35, b"from another way"), 130, 0), "does not come back");
        assert_eq!(here.list(0), []);
        assert!(here.heard(said(1, true, 50, b"c"), 140, 0));
        assert_eq!((here.list(140), here.lapses()), (vec![], Some(140)));
        assert!(here.expire(140) && !here.expire(140));
        // However far ahead its envelope may expire.
        here.heard(said(2, false, 1, b"d"), u64::MAX, 0);
        assert_eq!(here.lapses(), Some(LIFE_MS));
        // Said by a clock far ahead: when it has lapsed, an earlier time is news.
        here.heard(said(2, false, u64::MAX, b"e"), LIFE_MS, 0);
        assert!(here.heard(said(2, false, 5, b"f"), 2 * LIFE_MS, LIFE_MS));
    }

    #[test]
    fn a_crowd_of_strangers_is_bounded_and_leaves_room_for_writers() {
        let mut here = Presence::default();
        let shown = (0..1_000).filter(|key| here.heard(said(*key, false, 1, b"x"), 50, 0)).count();
        assert_eq!(shown, MAX_STRANGERS);
        let writers = (1_000..3_000).filter(|key| here.heard(said(*key, true, 1, b"x"), 50, 0)).count();
        assert_eq!((writers, here.others.len()), (MAX_PRESENT, MAX_PRESENT));
        assert!(!here.heard(said(5_000, false, 1, b"x"), 50, 0));
        let mut gone = Presence::default();
        assert!((0..1_000).all(|key| !gone.heard(said(key, false, 1, b""), 50, 0)));
        assert!(gone.heard(said(2_000, false, 1, b"x"), 50, 0), "who has gone gives way");
    }
}
