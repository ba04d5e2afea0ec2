//! Requests that wait for this person's decision.
//!
//! They queue: one that arrives never replaces another. Each is shown once its words are derived. Expired and
//! answered ones fall away; the answered ones are remembered (in the file `node/answered`, until they would have
//! expired), so that a replay after a reload does not ask again.

use super::sign_in_message::Request;
use crate::{
    codec::{DecodeError, Reader, Writer},
    collections::Map,
    crypto::{Entropy, Hash, LIST_LENGTH, PublicKey, WORDS_PER_REQUEST, word},
};

/// Four words.
pub type Words = [&'static str; WORDS_PER_REQUEST];

/// A request as a page shows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RequestInfo {
    /// Names it in answers.
    pub id: [u8; 16],
    /// The name that the asking device gives itself.
    pub device: String,
    /// The writer key that asks.
    pub writer: PublicKey,
    /// The right four words: the asking device shows them.
    pub words: Words,
    /// The right words and two other sets, shuffled: the person picks.
    pub choices: [Words; 3],
    /// A device that was removed knows how to ask, too: this may be it.
    pub suspect: bool,
    /// When it was made by the asker's clock, ms since 1970.
    pub time: u64,
    /// When it falls away, ms since 1970.
    pub expires: u64,
}

/// The queue, in order of arrival.
#[derive(Default)]
pub(crate) struct RequestQueue {
    waiting: Vec<Waiting>,
    /// Request id → when it may be forgotten.
    answered: Map<[u8; 16], u64>,
}

struct Waiting {
    request: Request,
    hash: Hash,
    /// The peer that it came from.
    from: u64,
    shown: Option<(Words, [Words; 3])>,
}

impl RequestQueue {
    /// Takes in a request that came from a peer; `true` if it is new, and its words should be derived. When the queue is
    /// full, the peer from which most came gives way, its latest request first: a flood does not keep others out.
    pub(crate) fn add(&mut self, now: u64, request: Request, hash: Hash, from: u64) -> bool {
        // A clock may be off by a day; a longer life than ours is not believed.
        let stale = request.expires <= now || request.expires > now + MAX_LIFE_MS + DAY_MS;
        let known = self.answered.contains_key(&request.id)
            || self
                .waiting
                .iter()
                .any(|waiting| waiting.request.id == request.id || waiting.request.writer == request.writer);
        if stale || known || (self.waiting.len() >= MAX_WAITING && !self.make_room(from)) {
            return false;
        }
        self.waiting.push(Waiting { request, hash, from, shown: None });
        true
    }

    /// Drops the latest request of the peer that has most, if it has more than `from` would have.
    fn make_room(&mut self, from: u64) -> bool {
        let count = |from: u64| self.waiting.iter().filter(|waiting| waiting.from == from).count();
        let own = count(from);
        let Some(most) = self.waiting.iter().map(|waiting| waiting.from).max_by_key(|from| count(*from))
        else {
            return false;
        };
        let last = self.waiting.iter().rposition(|waiting| waiting.from == most);
        match last.filter(|_| count(most) > own + 1) {
            Some(at) => {
                self.waiting.remove(at);
                true
            }
            None => false,
        }
    }

    /// Words were derived; `true` if a request can now be shown.
    pub(crate) fn words(&mut self, hash: &Hash, words: Words, entropy: &mut dyn Entropy) -> bool {
        let Some(waiting) =
            self.waiting.iter_mut().find(|waiting| waiting.hash == *hash && waiting.shown.is_none())
        else {
            return false;
        };
        let mut choices = [words, decoy(entropy), decoy(entropy)];
        let place = usize::try_from(entropy.below(3)).unwrap_or_default();
        choices.swap(0, place);
        waiting.shown = Some((words, choices));
        true
    }

    /// What can be shown.
    pub(crate) fn list(&self, now: u64, suspect: bool) -> Vec<RequestInfo> {
        self.waiting
            .iter()
            .filter(|waiting| waiting.request.expires > now)
            .filter_map(|Waiting { request, shown, .. }| {
                let (words, choices) = (*shown)?;
                let Request { id, writer, time, expires, device, .. } = request.clone();
                Some(RequestInfo { id, device, writer, words, choices, suspect, time, expires })
            })
            .collect()
    }

    /// The request with its words, if it is still waiting.
    pub(crate) fn get(&self, id: &[u8; 16], now: u64) -> Option<(Request, Words)> {
        let waiting =
            self.waiting.iter().find(|waiting| waiting.request.id == *id && waiting.request.expires > now)?;
        Some((waiting.request.clone(), waiting.shown?.0))
    }

    /// Takes a request away because it was answered; `true` if it was waiting.
    pub(crate) fn answered(&mut self, id: [u8; 16], now: u64) -> bool {
        let before = self.waiting.len();
        let expires = self
            .waiting
            .iter()
            .find(|waiting| waiting.request.id == id)
            .map(|waiting| waiting.request.expires);
        self.waiting.retain(|waiting| waiting.request.id != id);
        self.answered.retain(|_, until| *until > now);
        if self.answered.len() < MAX_ANSWERED {
            self.answered.insert(id, expires.unwrap_or(now + MAX_LIFE_MS));
        }
        self.waiting.len() != before
    }

    /// Takes away the requests of keys that were let in, and the expired; `true` if any went.
    pub(crate) fn retain(&mut self, now: u64, granted: impl Fn(&PublicKey) -> bool) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|waiting| waiting.request.expires > now && !granted(&waiting.request.writer));
        self.waiting.len() != before
    }

    /// Nobody's decision any more: this device may not decide.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// When the next one expires.
    pub(crate) fn deadline(&self) -> Option<u64> {
        self.waiting.iter().map(|waiting| waiting.request.expires).min()
    }

    /// The answered ones, for the file.
    pub(crate) fn encode_answered(&self) -> Vec<u8> {
        let mut out = Writer::versioned();
        out.count(self.answered.len());
        for (id, until) in &self.answered {
            out.raw(id).varint(*until);
        }
        out.finish()
    }

    /// Reads them back.
    pub(crate) fn decode_answered(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        let mut reader = Reader::versioned(bytes)?;
        for _ in 0..reader.count("answered requests", MAX_ANSWERED)? {
            let id = reader.array()?;
            self.answered.insert(id, reader.varint()?);
        }
        reader.end()
    }
}

fn decoy(entropy: &mut dyn Entropy) -> Words {
    core::array::from_fn(|_| word(entropy.below(LIST_LENGTH)).unwrap_or_default())
}

/// A request lives a week.
pub(crate) const MAX_LIFE_MS: u64 = 7 * DAY_MS;
const DAY_MS: u64 = 24 * 3600 * 1000;
/// Most requests that wait at once: more is a flood.
const MAX_WAITING: usize = 20;
/// Most answered requests that are remembered.
const MAX_ANSWERED: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Seeded;

    fn request(id: u8) -> (Request, Hash) {
        let request = Request {
            id: [id; 16],
            writer: PublicKey([id; 32]),
            install_id: [id; 16],
            time: 0,
            expires: 1000,
            device: format!("device {id}"),
        };
        (request, Hash([id; 32]))
    }

    const WORDS: Words = ["able", "acid", "acre", "aged"];

    #[test]
    fn a_second_request_never_replaces_the_first() {
        let (mut queue, mut entropy) = (RequestQueue::default(), Seeded::new(1));
        for id in [1, 2] {
            let (request, hash) = request(id);
            assert!(queue.add(0, request, hash, 1));
            assert!(queue.words(&hash, WORDS, &mut entropy));
        }
        let shown = queue.list(0, false);
        assert_eq!(shown.iter().map(|r| r.device.as_str()).collect::<Vec<_>>(), ["device 1", "device 2"]);
        assert!(shown.iter().all(|r| r.choices.contains(&r.words)));
        assert!(queue.answered([1; 16], 0));
        assert_eq!(queue.list(0, false).len(), 1);
    }

    #[test]
    fn a_replay_after_a_reload_does_not_ask_again() {
        let mut queue = RequestQueue::default();
        let (first, hash) = request(1);
        assert!(queue.add(0, first.clone(), hash, 1));
        assert!(!queue.add(0, first.clone(), hash, 1));
        queue.answered(first.id, 0);
        let mut reloaded = RequestQueue::default();
        reloaded.decode_answered(&queue.encode_answered()).unwrap();
        assert!(!reloaded.add(1, first.clone(), hash, 1));
        assert!(!RequestQueue::default().add(1000, first, hash, 1), "expired");
    }

    #[test]
    fn a_flood_is_bounded() {
        let mut queue = RequestQueue::default();
        let taken = (0..=255)
            .filter(|id| {
                let (r, h) = request(*id);
                queue.add(0, r, h, 1)
            })
            .count();
        assert_eq!(taken, MAX_WAITING);
        // Another peer's request finds room, and pushes out the latest of the flood, not the one that is looked at.
        let (other, hash) = request(77);
        assert!(queue.add(0, other, hash, 2));
        assert_eq!((queue.waiting.len(), queue.waiting[0].request.id), (MAX_WAITING, [0; 16]));
        assert_eq!(queue.waiting.iter().filter(|waiting| waiting.from == 1).count(), MAX_WAITING - 1);
    }
}
