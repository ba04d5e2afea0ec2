//! Telling the peer what is here: the first listing, then what is new.

use super::{
    super::limits::{MAX_ANNOUNCED, PROGRESS_MS, PUSH_BLOCKS, PUSH_BYTES},
    Announcement, Answers, Exchange, Fault, Message, Replica, ReplicaError,
};
use crate::{crypto::PublicKey, sync::FeedStatus};

impl Exchange {
    /// The next part of the first listing; one message even if there is nothing to list.
    pub(super) fn next_listing(&mut self, replica: &dyn Replica, now: u64) -> Option<Message> {
        if self.listed {
            return None;
        }
        let mut waiting = match self.listing.take() {
            Some(waiting) => waiting,
            None => replica.status().into_iter().map(|status| status.feed).collect(),
        };
        let part: Vec<PublicKey> = waiting.drain(..waiting.len().min(MAX_ANNOUNCED)).collect();
        let more = !waiting.is_empty();
        self.listed = !more;
        self.listing = Some(waiting);
        let statuses = part.iter().filter_map(|feed| replica.feed(feed));
        let feeds = statuses.map(|status| self.tell(status, now)).collect();
        Some(Message::Announce { more, feeds })
    }

    /// The next news: pushed to a level peer if it is small, else announced.
    pub(super) fn next_news(&mut self, replica: &dyn Replica, now: u64) -> Result<Option<Message>, Fault> {
        self.due = None;
        let mut announce = Vec::new();
        let candidates: Vec<PublicKey> = self.dirty.iter().copied().collect();
        for feed in candidates {
            let Some(status) = replica.feed(&feed) else {
                self.dirty.remove(&feed);
                continue;
            };
            let known = self.known(feed)?;
            let whole = status.contiguous == status.head.length;
            let lacks = status.head.length > known.head || status.contiguous > known.contiguous;
            let told = known.told_head >= status.head.length && known.told >= status.contiguous;
            // A peer that has it all needs to know when we do, so that it pushes to us from then on.
            if told || !(lacks || whole) {
                self.dirty.remove(&feed);
                continue;
            }
            let next = known.told_at.saturating_add(PROGRESS_MS);
            if !whole && now < next {
                self.postpone(next);
                continue;
            }
            if !self.tail.take(now) {
                let ready = self.tail.ready_at().max(now.saturating_add(1));
                self.postpone(ready);
                break;
            }
            self.dirty.remove(&feed);
            if whole
                && lacks
                && let Some(message) = self.push(&status, replica, now)?
            {
                if !announce.is_empty() {
                    self.control.push_back(message);
                    break;
                }
                return Ok(Some(message));
            }
            announce.push(self.tell(status, now));
            if announce.len() >= MAX_ANNOUNCED {
                break;
            }
        }
        Ok((!announce.is_empty()).then_some(Message::Announce { more: false, feeds: announce }))
    }

    fn postpone(&mut self, at: u64) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// The announcement of a feed, noted as told.
    fn tell(&mut self, status: FeedStatus, now: u64) -> Announcement {
        let FeedStatus { feed, contiguous, head } = status;
        if let Ok(known) = self.known(feed) {
            known.told_head = known.told_head.max(head.length);
            known.told = known.told.max(contiguous);
            known.told_at = now;
        }
        Announcement { feed, contiguous, head }
    }

    /// The new tail itself, if the peer has all before it and it is small.
    fn push(
        &mut self,
        status: &FeedStatus,
        replica: &dyn Replica,
        now: u64,
    ) -> Result<Option<Message>, Fault> {
        let end = status.head.length;
        let heard_all = self.heard_all;
        let known = self.known(status.feed)?;
        let level = heard_all && known.head == known.contiguous && known.contiguous < end;
        if !level || end.saturating_sub(known.contiguous) > PUSH_BLOCKS {
            return Ok(None);
        }
        let start = known.contiguous;
        match replica.prove(&status.feed, start..end, start, PUSH_BYTES) {
            Ok((proof, blocks)) => {
                let whole = u64::try_from(blocks.len()).is_ok_and(|count| start.saturating_add(count) == end);
                let bytes: usize = blocks.iter().map(Vec::len).sum();
                if !whole || bytes > PUSH_BYTES {
                    return Ok(None);
                }
                known.head = end;
                known.contiguous = end;
                known.told_head = end;
                known.told = end;
                known.told_at = now;
                Ok(Some(Message::Data { answers: Answers::Tail(status.feed), proof, blocks }))
            }
            Err(ReplicaError::Local(detail)) => Err(Fault::Local(detail)),
            Err(_) => Ok(None),
        }
    }
}
