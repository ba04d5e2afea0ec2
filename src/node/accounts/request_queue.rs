//! Requests that wait for this person's decision.
//!
//! They queue: one that arrives never replaces another. Each is shown once its words are derived. Expired and
//! answered ones fall away; the answered ones are remembered (in the file `node/answered`, until they would have
//! expired), so that a replay after a reload does not ask again, and a device that missed the answer is told once more.
//!
//! A flood. Whoever has the passphrase, or had it, can make as many requests as it likes, and nothing tells them from
//! honest ones before a person looks. So places are shared out among the peers that brought the requests: when all are
//! taken, a request takes the latest place of the peer that has most, if its own has at least two less. A flood over
//! one link thus leaves room for the device that stands beside it, whichever came first; the first request of a peer is
//! never pushed out, so not the one on screen. What peers brought that are gone counts as one peer's. What a peer
//! passes on counts apart from what it says itself: an honest device passes the flood on while it asks.

use crate::node::accounts::sign_in_message::Request;
use crate::{
    codec::{DecodeError, Reader, Writer},
    collections::Map,
    crypto::{Entropy, Hash, LIST_LENGTH, PublicKey, WORDS_PER_REQUEST, word},
    sync::PeerId,
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
    /// By request id.
    answered: Map<[u8; 16], Answered>,
    /// When an answer may be told once more, ms since 1970.
    tell_at: u64,
    /// When a blocked key may be told of that once more, ms since 1970.
    tell_blocked_at: u64,
}

#[derive(Default)]
struct Answered {
    /// When it may be forgotten, ms since 1970.
    until: u64,
    /// When it may be told once more, ms since 1970.
    tell_at: u64,
}

/// What becomes of a request that came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Added {
    /// It is new: its words should be derived.
    New,
    /// It was answered, and its device has not heard of that: tell it once more.
    Answered,
    /// Nothing: it waits already, is too old, or finds no place.
    Nothing,
}

/// What brought a request.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Via {
    /// The peer it came from.
    pub peer: PeerId,
    /// Whether the peer had it from another one.
    pub passed_on: bool,
}

struct Waiting {
    request: Request,
    hash: Hash,
    /// What brought it, unless that is gone.
    via: Option<Via>,
    shown: Option<(Words, [Words; 3])>,
}

impl RequestQueue {
    /// Takes in a request that a peer brought.
    pub(crate) fn add(&mut self, now: u64, via: Via, request: Request, hash: Hash) -> Added {
        // A clock may be off by a day; a longer life than ours is not believed.
        if request.expires <= now || request.expires > now.saturating_add(MAX_LIFE_MS + DAY_MS) {
            return Added::Nothing;
        }
        if self.answered.contains_key(&request.id) {
            return if self.may_tell(&request.id, now) { Added::Answered } else { Added::Nothing };
        }
        let same = |waiting: &&mut Waiting| {
            waiting.request.id == request.id || waiting.request.writer == request.writer
        };
        if let Some(known) = self.waiting.iter_mut().find(same) {
            // Sent again after its peer came back.
            known.via = known.via.or(Some(via));
            return Added::Nothing;
        }
        if self.waiting.len() >= MAX_WAITING && !self.make_room(via) {
            return Added::Nothing;
        }
        self.waiting.push(Waiting { request, hash, via: Some(via), shown: None });
        Added::New
    }

    /// A peer is gone: what it brought counts with what others brought that are gone.
    pub(crate) fn peer_gone(&mut self, peer: PeerId) {
        for waiting in &mut self.waiting {
            waiting.via = waiting.via.filter(|via| via.peer != peer);
        }
    }

    /// Whether the answer to a request may be told once more now; if so, takes it for told.
    fn may_tell(&mut self, id: &[u8; 16], now: u64) -> bool {
        let Some(answered) = self.answered.get_mut(id).filter(|answered| answered.tell_at <= now) else {
            return false;
        };
        if self.tell_at > now {
            return false;
        }
        answered.tell_at = now.saturating_add(TELL_AGAIN_MS);
        self.tell_at = now.saturating_add(TELL_PAUSE_MS);
        true
    }

    /// Whether a key that is blocked may be told of that once more now; if so, takes it for told.
    pub(crate) fn may_tell_blocked(&mut self, now: u64) -> bool {
        let may = self.tell_blocked_at <= now;
        if may {
            self.tell_blocked_at = now.saturating_add(TELL_BLOCKED_MS);
        }
        may
    }

    /// Takes away the latest request of the peer that has most, if `via` has at least two less.
    fn make_room(&mut self, via: Via) -> bool {
        let share = |of: Option<Via>| self.waiting.iter().filter(|waiting| waiting.via == of).count();
        let most = self.waiting.iter().map(|waiting| (share(waiting.via), waiting.via)).max();
        let Some((count, peer)) = most.filter(|(count, _)| *count >= share(Some(via)) + 2) else {
            return false;
        };
        let last = self.waiting.iter().rposition(|waiting| waiting.via == peer && count > 1);
        last.map(|at| self.waiting.remove(at)).is_some()
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
        let expires = self
            .waiting
            .iter()
            .find(|waiting| waiting.request.id == id)
            .map(|waiting| waiting.request.expires);
        let waited = self.forget(&id);
        self.answered.retain(|_, answered| answered.until > now);
        if self.answered.len() < MAX_ANSWERED || self.answered.contains_key(&id) {
            let answered = self.answered.entry(id).or_default();
            answered.until = expires.unwrap_or(answered.until.max(now.saturating_add(MAX_LIFE_MS)));
            answered.tell_at = now.saturating_add(TELL_AGAIN_MS);
        }
        waited
    }

    /// Takes a request away until it comes again; `true` if it was waiting.
    pub(crate) fn forget(&mut self, id: &[u8; 16]) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|waiting| waiting.request.id != *id);
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
        for (id, answered) in &self.answered {
            out.raw(id).varint(answered.until);
        }
        out.finish()
    }

    /// Reads them back.
    pub(crate) fn decode_answered(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        let mut reader = Reader::versioned(bytes)?;
        for _ in 0..reader.count("answered requests", MAX_ANSWERED)? {
            let id = reader.array()?;
            self.answered.insert(id, Answered { until: reader.varint()?, tell_at: 0 });
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
/// Between two tellings of one answer, in ms.
const TELL_AGAIN_MS: u64 = 30_000;
/// Between two tellings of blocked keys, of which each can ask without end, in ms.
const TELL_BLOCKED_MS: u64 = 10_000;
/// Between two tellings of any, in ms.
const TELL_PAUSE_MS: u64 = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Seeded;

    /// By this peer, and not passed on by it.
    const fn said(peer: u64) -> Via {
        Via { peer: PeerId(peer), passed_on: false }
    }

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

    const A: Via = said(1);
    const B: Via = said(2);
    const WORDS: Words = ["able", "acid", "acre", "aged"];

    #[test]
    fn a_second_request_never_replaces_the_first() {
        let (mut queue, mut entropy) = (RequestQueue::default(), Seeded::new(1));
        for id in [1, 2] {
            let (request, hash) = request(id);
            assert_eq!(queue.add(0, A, request, hash), Added::New);
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
        assert_eq!(queue.add(0, A, first.clone(), hash), Added::New);
        assert_eq!(queue.add(0, A, first.clone(), hash), Added::Nothing);
        queue.answered(first.id, 0);
        let mut reloaded = RequestQueue::default();
        reloaded.decode_answered(&queue.encode_answered()).unwrap();
        assert_eq!(reloaded.add(1, A, first.clone(), hash), Added::Answered);
        assert!(reloaded.list(1, false).is_empty() && reloaded.waiting.is_empty());
        assert_eq!(RequestQueue::default().add(1000, A, first, hash), Added::Nothing, "expired");
    }

    #[test]
    fn an_answer_is_told_once_more_but_not_all_the_time() {
        let mut queue = RequestQueue::default();
        let asked = |queue: &mut RequestQueue, id: u8, now: u64| {
            let (request, hash) = request(id);
            queue.add(now, A, Request { expires: MAX_LIFE_MS, ..request }, hash)
        };
        for id in [1, 2] {
            assert_eq!(asked(&mut queue, id, 0), Added::New);
            queue.answered([id; 16], 0);
        }
        assert_eq!(asked(&mut queue, 1, TELL_AGAIN_MS - 1), Added::Nothing);
        assert_eq!(asked(&mut queue, 1, TELL_AGAIN_MS), Added::Answered);
        assert_eq!(asked(&mut queue, 2, TELL_AGAIN_MS), Added::Nothing, "another was told just now");
        assert_eq!(asked(&mut queue, 2, TELL_AGAIN_MS + TELL_PAUSE_MS), Added::Answered);
        assert_eq!(asked(&mut queue, 1, 2 * TELL_AGAIN_MS - 1), Added::Nothing);
    }

    /// How many of these a peer gets in.
    fn flood(queue: &mut RequestQueue, via: Via, ids: core::ops::Range<u8>) -> usize {
        let new = |id: &u8| {
            let (request, hash) = request(*id);
            queue.add(0, via, request, hash) == Added::New
        };
        ids.filter(new).count()
    }

    fn waits(queue: &RequestQueue, id: u8) -> bool {
        queue.waiting.iter().any(|waiting| waiting.request.id == [id; 16])
    }

    #[test]
    fn a_flood_over_one_link_leaves_room_for_another_device_whichever_comes_first() {
        let mut queue = RequestQueue::default();
        assert_eq!(flood(&mut queue, A, 0..200), MAX_WAITING);
        assert_eq!(flood(&mut queue, B, 200..201), 1);
        assert!(waits(&queue, 200) && waits(&queue, 0) && !waits(&queue, 19));
        // On and on: nothing moves any more.
        assert_eq!(flood(&mut queue, A, 20..200), 0);
        assert!(waits(&queue, 200) && queue.waiting.len() == MAX_WAITING);
        let mut queue = RequestQueue::default();
        flood(&mut queue, B, 200..201);
        flood(&mut queue, A, 0..200);
        assert!(waits(&queue, 200) && queue.waiting.len() == MAX_WAITING);
        // Twelve links of one flooder, and an honest one: it still gets in, and stays.
        let all_links = |queue: &mut RequestQueue| {
            for link in 0..12 {
                flood(queue, said(10 + u64::from(link)), link * 15..link * 15 + 15);
            }
        };
        all_links(&mut queue);
        flood(&mut queue, said(99), 201..202);
        all_links(&mut queue);
        assert!(waits(&queue, 200) && waits(&queue, 201) && queue.waiting.len() == MAX_WAITING);
    }

    #[test]
    fn who_passes_a_flood_on_keeps_a_place_of_its_own() {
        let mut queue = RequestQueue::default();
        // The flooder has one link to each of three peers of ours: what one drops for coming too fast, another brings.
        for id in 0..200 {
            let via = Via { peer: PeerId(1 + u64::from(id) % 3), passed_on: id % 3 > 0 };
            flood(&mut queue, via, id..id + 1);
        }
        assert_eq!(queue.waiting.len(), MAX_WAITING);
        assert_eq!(
            flood(&mut queue, Via { passed_on: true, ..B }, 200..201),
            0,
            "one of the flood, for all we know"
        );
        assert_eq!(flood(&mut queue, B, 200..201), 1);
        for id in 0..200 {
            let via = Via { peer: PeerId(1 + u64::from(id) % 3), passed_on: id % 3 > 0 };
            flood(&mut queue, via, id..id + 1);
        }
        assert!(waits(&queue, 200));
    }

    #[test]
    fn a_flooder_that_comes_again_and_again_has_one_share() {
        let mut queue = RequestQueue::default();
        for id in 0..100 {
            flood(&mut queue, said(u64::from(id)), id..id + 1);
            queue.peer_gone(PeerId(u64::from(id)));
        }
        assert_eq!(queue.waiting.len(), MAX_WAITING);
        assert_eq!(flood(&mut queue, B, 200..201), 1);
        assert!(waits(&queue, 0), "the first one stays on screen");
        // The honest device reloads: its request counts as its own again.
        queue.peer_gone(B.peer);
        let (request, hash) = request(200);
        assert_eq!(queue.add(0, A, request, hash), Added::Nothing);
        assert_eq!(queue.waiting.iter().find(|waiting| waiting.hash == hash).unwrap().via, Some(A));
    }
}
