//! Looking for the block at which a peer's branch of a feed leaves ours, and fetching what is on it.
//!
//! ```text
//! ask branch   where block i stands in the tree of your latest head      → branch, or lack
//! ask side     blocks of the branch whose block i has this leaf          → one data, or lack
//! ```
//! A head that contradicts what is held starts a search. Every answer is signed by the author, so each halves what is
//! left, whatever the peer would like; the last one is the peer's half of the proof of equivocation. After that the
//! other branch is fetched beside ours, from whoever has it: others name prefixes of it, and its entries are for
//! people to look at. A fork that is known already costs one question for each new contradicting head, or few.
//!
//! A proof that does not come out may be honest: of another branch. It starts a search too, and only a peer that shows the
//! same history as ours, up to where the proof begins, was wrong. What comes to nothing is tried again, each time later: the
//! peer may have been given the rest by then, or we.

use super::{
    super::limits::{AGAIN_MS, MAX_AGAIN},
    Asked, Compared, Exchange, Fault, Message, Replica, ReplicaError, Wanted,
};
use crate::{
    collections::{Map, Set},
    crypto::{Hash, PublicKey},
    feed::Proof,
};

/// The state of it with one peer.
#[derive(Default)]
pub(super) struct Forks {
    searches: Map<PublicKey, Search>,
    /// Feeds of which the peer may have another branch that is missing here.
    sides: Set<PublicKey>,
    /// Branches, by the leaf that names them, of which the peer had no more; without one, searches that found nothing.
    paused: Map<(PublicKey, Option<Hash>), Pause>,
}

/// The first block that differs is at `low` or past it, and before `high`.
struct Search {
    low: u64,
    high: u64,
    next: u64,
    asked: bool,
    /// If so many blocks are the same, there is no fork.
    end: u64,
    /// It was a proof from `end` blocks that did not fit.
    doubted: bool,
}

/// How long something is left that came to nothing.
#[derive(Default)]
pub(super) struct Pause {
    /// Not before then (ms); 0 once that is over.
    pub(super) until: u64,
    /// How often in a row.
    pub(super) times: u32,
}

impl Pause {
    /// It came to nothing again.
    pub(super) fn lengthen(&mut self, now: u64) {
        self.until = now.saturating_add(AGAIN_MS << self.times);
        self.times = self.times.saturating_add(1).min(MAX_AGAIN);
    }

    /// Ends it when it is over; whether it ended just now.
    pub(super) fn ended(&mut self, now: u64) -> bool {
        let ended = self.until > 0 && self.until <= now;
        if ended {
            self.until = 0;
        }
        ended
    }
}

/// A branch that is missing here: its block `index` has this leaf.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SideWanted {
    /// First block at which it differs from another branch.
    pub index: u64,
    /// Hash of its leaf there.
    pub leaf: Hash,
    /// First block that is missing.
    pub start: u64,
    /// Length up to which it is verified; 0, or more than `start`, or the same.
    pub from: u64,
}

impl Forks {
    pub(super) fn is_idle(&self) -> bool {
        self.searches.is_empty() && self.sides.is_empty()
    }

    /// What was looked for in vain may be there now.
    pub(super) fn look_again(&mut self, feed: PublicKey) {
        self.sides.insert(feed);
    }

    /// The peer has news of a feed of which it has another branch: perhaps there is more of that now.
    pub(super) fn has_news(&mut self, feed: PublicKey) {
        self.paused.retain(|(other, leaf), _| *other != feed || leaf.is_none());
        self.sides.insert(feed);
    }

    /// When something is to be tried again (ms), after `now`.
    pub(super) fn again(&self, now: u64) -> Option<u64> {
        self.paused.values().map(|pause| pause.until).filter(|until| *until > now).min()
    }

    fn pause(&mut self, feed: PublicKey, leaf: Option<Hash>, now: u64) {
        self.paused.entry((feed, leaf)).or_default().lengthen(now);
    }

    /// Too little of ours is held to compare what the peer shows: soon perhaps there is enough.
    pub(super) fn look_later(&mut self, feed: PublicKey, now: u64) {
        if !self.searches.contains_key(&feed) && !self.is_paused(feed, None) {
            self.pause(feed, None, now);
        }
    }

    fn is_paused(&self, feed: PublicKey, leaf: Option<Hash>) -> bool {
        self.paused.get(&(feed, leaf)).is_some_and(|pause| pause.until > 0)
    }

    /// Goes on with a search after an answer, or ends it; whether a proof that did not fit was of our own branch.
    fn narrowed(&mut self, feed: PublicKey, index: u64, compared: Compared, now: u64) -> bool {
        let Some(search) = self.searches.get_mut(&feed) else { return false };
        let mut known = false;
        match compared {
            Compared::Earlier | Compared::Unknown => search.high = index,
            Compared::Later { same } => {
                search.low = same.max(index.saturating_add(1));
                known = same >= search.end;
            }
            Compared::Here => (search.high, known) = (search.low, true),
        }
        if search.low < search.high {
            search.next = search.low + (search.high - search.low) / 2;
            search.asked = false;
            return false;
        }
        let wrong = known && search.doubted && compared != Compared::Here;
        self.searches.remove(&feed);
        if known {
            self.paused.remove(&(feed, None));
        } else {
            self.pause(feed, None, now);
        }
        wrong
    }
}

impl Exchange {
    /// The peer shows another branch of a feed than is held, or a proof `from` some length did not fit ours.
    pub(super) fn contradicted(
        &mut self,
        feed: PublicKey,
        from: Option<u64>,
        replica: &dyn Replica,
        now: u64,
    ) -> Result<(), Fault> {
        let known = self.known(feed)?;
        known.barred_until = u64::MAX;
        let mut search = core::mem::replace(&mut known.searched, known.head) != known.head;
        if from.is_some() {
            known.other.lengthen(now);
            search |= !self.forks.is_paused(feed, None);
        }
        self.behind.remove(&feed);
        self.forks.has_news(feed);
        if search {
            self.search(feed, from, replica);
        }
        Ok(())
    }

    /// Begins to look for the block at which the peer's branch leaves ours.
    fn search(&mut self, feed: PublicKey, from: Option<u64>, replica: &dyn Replica) {
        let (Some(known), Some(bound)) = (self.feeds.get(&feed), replica.fork_bound(&feed)) else { return };
        let ours = replica.feed(&feed).map_or(0, |status| status.head.length);
        let mut high = ours.min(known.head);
        let (mut next, mut end) = (high / 2, high);
        if bound < high {
            // Where a fork is known, the first question is whether this is that one.
            next = bound;
        } else if let Some(from) = from {
            // Else whether all is the same up to where that proof began: then nothing excuses it.
            (high, end) = (known.head.min(from.saturating_add(1)), from);
            next = high.saturating_sub(1);
        }
        if high > 0 && !self.forks.searches.contains_key(&feed) {
            let search = Search { low: 0, high, next, asked: false, end, doubted: from.is_some() };
            self.forks.searches.insert(feed, search);
        }
    }

    /// Tries again what came to nothing, when it is time.
    pub(super) fn try_again(&mut self, replica: &dyn Replica, now: u64) {
        let paused = self.forks.paused.iter_mut();
        let due: Vec<_> = paused.filter_map(|(what, pause)| pause.ended(now).then_some(*what)).collect();
        for (feed, leaf) in due {
            match leaf {
                Some(_) => self.forks.look_again(feed),
                None => self.search(feed, None, replica),
            }
        }
    }

    /// The next question about forks.
    pub(super) fn next_fork_request(&mut self, replica: &dyn Replica, now: u64) -> Option<Message> {
        let search = self.forks.searches.iter_mut().find(|(_, search)| !search.asked);
        if let Some((feed, search)) = search {
            search.asked = true;
            let (feed, index) = (*feed, search.next);
            let id = self.ask(feed, index..index.saturating_add(1), Wanted::Branch, now);
            return Some(Message::AskBranch { id, feed, index });
        }
        while let Some(feed) = self.forks.sides.first().copied() {
            let open = |wanted: &SideWanted| !self.forks.is_paused(feed, Some(wanted.leaf));
            let in_flight = self.asked.values().any(|asked| {
                asked.feed == feed && matches!(asked.what, Wanted::Side { .. } | Wanted::Branch)
            });
            if in_flight {
                return None;
            }
            if let Some(wanted) = replica.sides_wanted(&feed).into_iter().find(open) {
                let SideWanted { index, leaf, start, from } = wanted;
                let id = self.ask(feed, start..u64::MAX, Wanted::Side { index, leaf }, now);
                return Some(Message::AskSide { id, feed, index, leaf, start, from });
            }
            self.forks.sides.remove(&feed);
        }
        None
    }

    /// The answer to a question where a block stands.
    pub(super) fn shown(
        &mut self,
        id: u64,
        bytes: &[u8],
        replica: &mut dyn Replica,
        now: u64,
    ) -> Result<(), Fault> {
        let Some(asked) = self.asked.remove(&id) else {
            return if self.cancelled.contains(&id) {
                Ok(())
            } else {
                Err(Fault::Unexpected { what: "branch that was not asked for" })
            };
        };
        if asked.what != Wanted::Branch {
            return Err(Fault::Unexpected { what: "branch in place of blocks" });
        }
        self.progress_at = now;
        let (feed, index) = (asked.feed, asked.blocks.start);
        let compared = match replica.compare_branch(&feed, index, bytes) {
            Ok(compared) => compared,
            Err(ReplicaError::Peer(detail)) => return Err(Fault::Refused { what: "branch", detail }),
            Err(ReplicaError::Local(detail)) => return Err(Fault::Local(detail)),
            Err(_) => Compared::Unknown,
        };
        if compared == Compared::Here {
            // Whatever made us ask.
            self.known(feed)?.barred_until = u64::MAX;
            self.behind.remove(&feed);
            self.forks.has_news(feed);
        }
        let wrong = self.forks.narrowed(feed, index, compared, now);
        // Where a fork is known, either side may have changed its branch in between.
        if wrong && replica.fork_bound(&feed) == Some(u64::MAX) {
            return Err(Fault::Refused { what: "proof", detail: "of a history that is ours".to_owned() });
        }
        Ok(())
    }

    /// Blocks of another branch.
    pub(super) fn side_answered(
        &mut self,
        id: u64,
        proof: &Proof,
        blocks: &[Vec<u8>],
        replica: &mut dyn Replica,
        now: u64,
    ) -> Result<(), Fault> {
        let Some(Asked { feed, blocks: range, what: Wanted::Side { index, leaf } }) = self.asked.remove(&id)
        else {
            return Ok(());
        };
        if blocks.is_empty() || proof.blocks_start != range.start {
            return Err(Fault::Unexpected { what: "blocks of a branch other than asked for" });
        }
        self.progress_at = now;
        match replica.accept_side(&feed, index, &leaf, proof, blocks) {
            Ok(()) => {
                self.forks.paused.remove(&(feed, Some(leaf)));
                Ok(())
            }
            Err(ReplicaError::Peer(detail)) => Err(Fault::Refused { what: "proof of a branch", detail }),
            Err(ReplicaError::Local(detail)) => Err(Fault::Local(detail)),
            // Also of a third history that begins as this one.
            Err(_) => {
                self.forks.pause(feed, Some(leaf), now);
                Ok(())
            }
        }
    }

    /// A question about forks that gets no answer, or that the peer `lacks` what it takes for; whether it is one.
    pub(super) fn fork_unanswered(&mut self, asked: &Asked, lacks: bool, now: u64) -> bool {
        let feed = asked.feed;
        match asked.what {
            // What it has not of its branch may be past the fork.
            Wanted::Branch if lacks => {
                self.forks.narrowed(feed, asked.blocks.start, Compared::Unknown, now);
            }
            Wanted::Branch => {
                self.forks.searches.remove(&feed);
                self.forks.pause(feed, None, now);
            }
            Wanted::Side { leaf, .. } => self.forks.pause(feed, Some(leaf), now),
            Wanted::Blocks | Wanted::Head => return false,
        }
        true
    }

    /// Answers a question about forks; `None` if what it reads must be read from the disk first.
    pub(super) fn fork_answer(
        &self,
        serving: &super::Serving,
        replica: &dyn Replica,
    ) -> Result<Option<Message>, Fault> {
        let super::Serving { id, feed, blocks, from, what } = serving;
        let answer = match what {
            Wanted::Side { index, leaf } => replica
                .prove_side(feed, (*index, leaf), blocks.start, *from, super::super::limits::CHUNK)
                .map(|(proof, blocks)| Message::Data {
                    answers: super::Answers::Request(*id),
                    proof,
                    blocks,
                }),
            _ => replica.show_branch(feed, blocks.start).map(|bytes| Message::Branch { id: *id, bytes }),
        };
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(ReplicaError::Absent) => Ok(None),
            Err(ReplicaError::Local(detail)) => Err(Fault::Local(detail)),
            Err(_) => Ok(Some(Message::Lack { id: *id })),
        }
    }
}
