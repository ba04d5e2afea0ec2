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
//! Of what a peer lacks it is asked again, each time later: it may be fetching it itself, and says nothing when it has it.

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
    /// Branches, by the leaf that names them, of which the peer had no more.
    paused: Map<(PublicKey, Hash), Pause>,
}

/// The first block that differs is at `low` or past it, and before `high`.
struct Search {
    low: u64,
    high: u64,
    next: u64,
    asked: bool,
}

/// How long something is left that came to nothing.
#[derive(Default)]
struct Pause {
    /// Not before then (ms); 0 once that is over.
    until: u64,
    /// How often in a row.
    times: u32,
}

impl Pause {
    /// It came to nothing again.
    fn lengthen(&mut self, now: u64) {
        self.until = now.saturating_add(AGAIN_MS << self.times);
        self.times = self.times.saturating_add(1).min(MAX_AGAIN);
    }

    /// Ends it when it is over; whether it ended just now.
    fn ended(&mut self, now: u64) -> bool {
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
        self.paused.retain(|(other, _), _| *other != feed);
        self.sides.insert(feed);
    }

    /// Asks again for what a peer lacked, when it is time.
    pub(super) fn try_again(&mut self, now: u64) {
        let paused = self.paused.iter_mut();
        self.sides.extend(paused.filter_map(|((feed, _), pause)| pause.ended(now).then_some(*feed)));
    }

    /// When something is to be tried again (ms), after `now`.
    pub(super) fn again(&self, now: u64) -> Option<u64> {
        self.paused.values().map(|pause| pause.until).filter(|until| *until > now).min()
    }

    fn pause(&mut self, feed: PublicKey, leaf: Hash, now: u64) {
        self.paused.entry((feed, leaf)).or_default().lengthen(now);
    }

    fn is_paused(&self, feed: PublicKey, leaf: Hash) -> bool {
        self.paused.get(&(feed, leaf)).is_some_and(|pause| pause.until > 0)
    }
}

impl Exchange {
    /// The peer shows another branch of a feed than is held.
    pub(super) fn contradicted(&mut self, feed: PublicKey, replica: &dyn Replica) -> Result<(), Fault> {
        let known = self.known(feed)?;
        known.barred_until = u64::MAX;
        let ours = replica.feed(&feed).map_or(0, |status| status.head.length);
        let (high, seen) = (ours.min(known.head), core::mem::replace(&mut known.searched, known.head));
        self.behind.remove(&feed);
        let Some(bound) = replica.fork_bound(&feed) else { return Ok(()) };
        let peer_has_more = seen != self.known(feed)?.searched;
        if peer_has_more && high > 0 && !self.forks.searches.contains_key(&feed) {
            // Where a fork is known, the first question is whether this is that one.
            let next = if bound < high { bound } else { high / 2 };
            self.forks.searches.insert(feed, Search { low: 0, high, next, asked: false });
        }
        self.forks.has_news(feed);
        Ok(())
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
            let open = |wanted: &SideWanted| !self.forks.is_paused(feed, wanted.leaf);
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
            Err(_) => Compared::Here,
        };
        let Some(search) = self.forks.searches.get_mut(&feed) else { return Ok(()) };
        match compared {
            Compared::Earlier => search.high = index,
            Compared::Later => search.low = index.saturating_add(1),
            Compared::Here => search.high = search.low,
        }
        if search.low < search.high {
            search.next = search.low + (search.high - search.low) / 2;
            search.asked = false;
        } else {
            self.forks.searches.remove(&feed);
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
                self.forks.paused.remove(&(feed, leaf));
                Ok(())
            }
            Err(ReplicaError::Peer(detail)) => Err(Fault::Refused { what: "proof of a branch", detail }),
            Err(ReplicaError::Local(detail)) => Err(Fault::Local(detail)),
            Err(_) => {
                self.forks.pause(feed, leaf, now);
                Ok(())
            }
        }
    }

    /// A question about forks that gets no answer; whether it is one.
    pub(super) fn fork_unanswered(&mut self, asked: &Asked, now: u64) -> bool {
        match asked.what {
            Wanted::Branch => {
                self.forks.searches.remove(&asked.feed);
                true
            }
            Wanted::Side { leaf, .. } => {
                self.forks.pause(asked.feed, leaf, now);
                true
            }
            Wanted::Blocks | Wanted::Head => false,
        }
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
