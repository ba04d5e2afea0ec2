//! Asking for blocks and taking them in.

use core::ops::Range;

use super::{
    super::limits::{
        FIRST_REQUEST_BLOCKS, MAX_CANCELLED, MAX_REQUEST_BLOCKS, MAX_REQUESTS, MAX_REQUESTS_PER_FEED,
        MAX_STRIKES, RATION_BLOCKS, RATION_MS, REQUEST_BYTES, REQUEST_TIMEOUT_MS, STALE_MS,
    },
    Asked, Exchange, Fault, HeadWanted, Known, Message, Pause, Replica, ReplicaError, Wanted, Wants,
};
use crate::{crypto::PublicKey, feed::Proof};

/// What a look at one feed leads to.
enum Look {
    /// Ask for these blocks, having verified the feed up to `from`.
    Ask { blocks: Range<u64>, from: u64 },
    /// Nothing now; perhaps when others are done or gone.
    Wait,
    /// The peer has nothing that is missing here.
    Level,
}

impl Exchange {
    /// The next request, feeds taking turns.
    pub(super) fn next_request(
        &mut self,
        replica: &dyn Replica,
        wants: &mut Wants,
        now: u64,
    ) -> Option<Message> {
        if self.asked.len() >= MAX_REQUESTS {
            return None;
        }
        if let Some(HeadWanted { feed, from, to }) = self.heads.pop_front() {
            let id = self.ask(feed, from..to, Wanted::Head, now);
            return Some(Message::AskHead { id, feed, from, to });
        }
        if replica.is_behind() {
            return None;
        }
        if let Some(message) = self.next_fork_request(replica, now) {
            return Some(message);
        }
        if self.behind.is_empty() {
            return None;
        }
        let after = self.turn.take();
        let later = self.behind.iter().filter(|feed| after.is_none_or(|after| **feed > after));
        let order: Vec<_> = later
            .chain(self.behind.iter().filter(|feed| after.is_some_and(|after| **feed <= after)))
            .copied()
            .collect();
        for feed in order {
            match self.look(feed, replica, wants, now) {
                Look::Ask { blocks, from } => {
                    self.turn = Some(feed);
                    let id = self.ask(feed, blocks.clone(), Wanted::Blocks, now);
                    return Some(Message::Request { id, feed, blocks, from });
                }
                Look::Wait => {}
                Look::Level => {
                    self.behind.remove(&feed);
                }
            }
        }
        None
    }

    pub(super) fn ask(&mut self, feed: PublicKey, blocks: Range<u64>, what: Wanted, now: u64) -> u64 {
        let id = self.next_request;
        self.next_request = id.saturating_add(1);
        if self.asked.is_empty() {
            self.progress_at = now;
        }
        self.asked.insert(id, Asked { feed, blocks, what });
        id
    }

    fn look(&self, feed: PublicKey, replica: &dyn Replica, wants: &mut Wants, now: u64) -> Look {
        let Some(known) = self.feeds.get(&feed) else { return Look::Level };
        if !replica.wanted(&feed) {
            return Look::Level;
        }
        if known.barred_until > now || known.rationed_until > now || known.other.until > now {
            return Look::Wait;
        }
        let mine =
            self.asked.values().filter(|asked| asked.feed == feed && asked.what == Wanted::Blocks).count();
        if mine >= MAX_REQUESTS_PER_FEED {
            return Look::Wait;
        }
        let length = replica.feed(&feed).map_or(0, |status| status.head.length);
        let rooted = known.head >= length || replica.rooted(&feed, known.head);
        let from = length.min(known.head);
        let max = if replica.rationed(&feed) { RATION_BLOCKS } else { known.request_blocks() };
        let key = (&feed, self.peer, self.next_request);
        let windows = core::iter::once(0..known.contiguous).chain(known.ranges.iter().cloned());
        let mut missing = false;
        for window in windows {
            // Within the verified length, then beyond it: one request never does both.
            let (within, beyond) = (window.start..window.end.min(from), window.start.max(from)..window.end);
            let mut parts = [(within, false), (beyond, true)];
            if known.head > length {
                // The upgrade shows at once if the longer branch is another one.
                parts.reverse();
            }
            let claimed = parts.into_iter().find_map(|(part, upgrade)| {
                if part.is_empty() || replica.missing(&feed, part.clone()).is_none() {
                    return None;
                }
                missing = true;
                if !rooted || (upgrade && (wants.upgrading(&feed) || known.head <= from)) {
                    return None;
                }
                wants.claim(key, part, max, upgrade, replica)
            });
            if let Some(blocks) = claimed {
                return Look::Ask { blocks, from };
            }
        }
        if missing { Look::Wait } else { Look::Level }
    }

    /// Blocks that were asked for.
    pub(super) fn answered(
        &mut self,
        id: u64,
        proof: &Proof,
        blocks: &[Vec<u8>],
        replica: &mut dyn Replica,
        wants: &mut Wants,
        now: u64,
    ) -> Result<(), Fault> {
        let Some(asked) = self.asked.get_mut(&id) else {
            return if self.cancelled.contains(&id) {
                Ok(())
            } else {
                Err(Fault::Unexpected { what: "data that was not asked for" })
            };
        };
        if asked.what == Wanted::Head {
            return self.head_answered(id, proof, blocks.is_empty(), replica, now);
        }
        match asked.what {
            Wanted::Branch => return Err(Fault::Unexpected { what: "blocks in place of a branch" }),
            Wanted::Side { .. } => return self.side_answered(id, proof, blocks, replica, now),
            Wanted::Blocks | Wanted::Head => {}
        }
        let count = u64::try_from(blocks.len()).unwrap_or(u64::MAX);
        let end = proof.blocks_start.saturating_add(count);
        if count == 0 || proof.blocks_start != asked.blocks.start || end > asked.blocks.end {
            return Err(Fault::Unexpected { what: "data other than asked for" });
        }
        let feed = asked.feed;
        self.progress_at = now;
        match replica.accept(&feed, proof, blocks) {
            Ok(()) => {
                self.strikes = 0;
                asked.blocks.start = end;
                if asked.blocks.is_empty() {
                    self.asked.remove(&id);
                }
                wants.progress(&feed, self.peer, id, end);
                let bytes = blocks.iter().map(|block| u64::try_from(block.len()).unwrap_or(u64::MAX)).sum();
                let known = self.known(feed)?;
                known.rationed = replica.rationed(&feed);
                known.rationed_until = if known.rationed { now.saturating_add(RATION_MS) } else { 0 };
                known.measure(bytes, count);
                known.learned(proof, end);
                self.dirty.insert(feed);
                Ok(())
            }
            Err(ReplicaError::Peer(detail)) => Err(Fault::Refused { what: "proof", detail }),
            Err(ReplicaError::Local(detail)) => Err(Fault::Local(detail)),
            Err(ReplicaError::Stale | ReplicaError::NotHeld | ReplicaError::Absent) => {
                self.cancel(id, wants, now);
                // A breath, should the same come of it again.
                self.known(feed)?.barred_until = now.saturating_add(STALE_MS);
                Ok(())
            }
            Err(ReplicaError::Contradiction) => {
                let all: Vec<u64> = self
                    .asked
                    .iter()
                    .filter(|(_, asked)| asked.feed == feed && asked.what == Wanted::Blocks)
                    .map(|(id, _)| *id)
                    .collect();
                for id in all {
                    self.cancel(id, wants, now);
                }
                self.contradicted(feed, Some(proof.from), replica, now)
            }
        }
    }

    fn head_answered(
        &mut self,
        id: u64,
        proof: &Proof,
        bare: bool,
        replica: &mut dyn Replica,
        now: u64,
    ) -> Result<(), Fault> {
        let Some(Asked { feed, blocks, .. }) = self.asked.remove(&id) else { return Ok(()) };
        let head = proof.head.map(|head| head.length);
        if !bare || proof.from != blocks.start || head != Some(blocks.end) {
            return Err(Fault::Unexpected { what: "head other than asked for" });
        }
        self.progress_at = now;
        match replica.accept_head(&feed, proof) {
            Ok(()) | Err(ReplicaError::Contradiction) => Ok(()),
            Err(ReplicaError::Peer(detail)) => Err(Fault::Refused { what: "proof of head", detail }),
            Err(ReplicaError::Local(detail)) => Err(Fault::Local(detail)),
            Err(ReplicaError::Stale | ReplicaError::NotHeld | ReplicaError::Absent) => {
                self.unanswered.push(HeadWanted { feed, from: blocks.start, to: blocks.end });
                Ok(())
            }
        }
    }

    /// A new tail that was not asked for: taken if it fits, else it only says that the peer has it.
    pub(super) fn pushed(
        &mut self,
        feed: PublicKey,
        proof: &Proof,
        blocks: &[Vec<u8>],
        replica: &mut dyn Replica,
        now: u64,
    ) -> Result<(), Fault> {
        let end = proof.blocks_start.saturating_add(u64::try_from(blocks.len()).unwrap_or(u64::MAX));
        let Some(head) = proof.head.filter(|head| head.length == end && !blocks.is_empty()) else {
            return Err(Fault::Unexpected { what: "pushed data that is no tail" });
        };
        self.notice(feed, &head, end)?;
        let held = replica.feed(&feed);
        let fits = held.as_ref().map_or(0, |held| held.head.length) == proof.from
            && held.map_or(0, |held| held.contiguous) == proof.blocks_start;
        if !fits || !replica.wanted(&feed) || replica.rationed(&feed) || replica.is_behind() {
            return Ok(());
        }
        match replica.accept(&feed, proof, blocks) {
            Ok(()) => {
                self.known(feed)?.learned(proof, end);
                self.dirty.insert(feed);
                Ok(())
            }
            Err(ReplicaError::Peer(detail)) => Err(Fault::Refused { what: "proof", detail }),
            Err(ReplicaError::Local(detail)) => Err(Fault::Local(detail)),
            Err(ReplicaError::Contradiction) => self.contradicted(feed, Some(proof.from), replica, now),
            Err(ReplicaError::Stale | ReplicaError::NotHeld | ReplicaError::Absent) => Ok(()),
        }
    }

    /// The peer cannot answer.
    pub(super) fn lacks(&mut self, id: u64, wants: &mut Wants, now: u64) -> Result<(), Fault> {
        let Some(asked) = self.asked.remove(&id) else {
            return if self.cancelled.contains(&id) {
                Ok(())
            } else {
                Err(Fault::Unexpected { what: "answer to no request" })
            };
        };
        if self.head_unanswered(&asked) || self.fork_unanswered(&asked, true, now) {
            return Ok(());
        }
        wants.release(&asked.feed, self.peer, id);
        // It claimed to have what it lacks: not asked again until it says more.
        let known = self.known(asked.feed)?;
        known.contiguous = known.contiguous.min(asked.blocks.start);
        known.ranges.clear();
        Ok(())
    }

    /// Takes requests back from a peer that is silent, each time for longer; and lets go of bans that are over.
    pub(super) fn expire(&mut self, wants: &mut Wants, now: u64) {
        for feed in &self.behind {
            if let Some(known) = self.feeds.get_mut(feed) {
                for until in [&mut known.barred_until, &mut known.rationed_until, &mut known.other.until] {
                    if *until <= now {
                        *until = 0;
                    }
                }
            }
        }
        if self.asked.is_empty() || now < self.progress_at.saturating_add(REQUEST_TIMEOUT_MS) {
            return;
        }
        self.strikes = self.strikes.saturating_add(1).min(MAX_STRIKES);
        let until = now.saturating_add(REQUEST_TIMEOUT_MS << self.strikes);
        let all: Vec<(u64, PublicKey)> = self.asked.iter().map(|(id, asked)| (*id, asked.feed)).collect();
        for (id, feed) in all {
            self.cancel(id, wants, now);
            if let Some(known) = self.feeds.get_mut(&feed) {
                known.barred_until = known.barred_until.max(until);
            }
        }
    }

    fn head_unanswered(&mut self, asked: &Asked) -> bool {
        let head = asked.what == Wanted::Head;
        if head {
            let Asked { feed, blocks, .. } = asked;
            self.unanswered.push(HeadWanted { feed: *feed, from: blocks.start, to: blocks.end });
        }
        head
    }

    fn cancel(&mut self, id: u64, wants: &mut Wants, now: u64) {
        let Some(asked) = self.asked.remove(&id) else { return };
        if !self.head_unanswered(&asked) && !self.fork_unanswered(&asked, false, now) {
            wants.release(&asked.feed, self.peer, id);
            self.behind.insert(asked.feed);
        }
        self.control.push_back(Message::Cancel { id });
        self.cancelled.push_back(id);
        if self.cancelled.len() > MAX_CANCELLED {
            self.cancelled.pop_front();
        }
    }
}

impl Known {
    /// Blocks of a request that aims at the right number of bytes.
    fn request_blocks(&self) -> u64 {
        match self.bytes.checked_div(self.blocks) {
            None => FIRST_REQUEST_BLOCKS,
            Some(mean) => (REQUEST_BYTES / mean.max(1)).clamp(1, MAX_REQUEST_BLOCKS),
        }
    }

    fn measure(&mut self, bytes: u64, blocks: u64) {
        // Old blocks count for less and less.
        if self.blocks > 10_000 {
            (self.bytes, self.blocks) = (self.bytes / 2, self.blocks / 2);
        }
        (self.bytes, self.blocks) = (self.bytes.saturating_add(bytes), self.blocks.saturating_add(blocks));
    }

    /// What the peer gave us it has, and knows us to have.
    fn learned(&mut self, proof: &Proof, end: u64) {
        self.other = Pause::default();
        if let Some(head) = &proof.head {
            self.head = self.head.max(head.length);
            self.told_head = self.told_head.max(head.length);
        }
        if proof.blocks_start <= self.told {
            self.told = self.told.max(end);
        }
    }
}
