//! Making two replicas of a space equal over one channel, and keeping them so.
//!
//! ```text
//! both     Announce every feed held · Items: hashes of records, manifest, evidence     one exchange, at once
//! both     Item, for what the other lacks
//! behind   Request ranges                                            up to 16 in flight, 4 per feed
//! ahead    Data · Data · Data …                                      a stream, paced by the carrier
//! either   AskBranch, AskSide: where a peer's branch of a feed leaves ours, and what is on it
//! either   AskHead: a head and its proof without blocks, for a dependency past a cut
//! later    a new head: Data to a level peer if it is small, else Announce; Have when a fetch is complete
//! ```
//!
//! A request for blocks beyond `from` is answered with the upgrade to the latest head in its first data, and with proofs
//! against that head in the rest; a request within `from` with proofs against the tree of `from` blocks. Only one
//! request at a time, over all peers, lengthens a feed ([`Wants`]).
//!
//! Who owns what: the exchange knows what the peer has and was told, and what is in flight. The data are the
//! [`Replica`]'s. The owner calls [`Exchange::receive`] with each message of the channel, [`Exchange::changed`] and
//! [`Exchange::item_added`] on *every* exchange of the space when something new is durable, and [`Exchange::pump`] after
//! that and whenever the session can take more.

mod beacon;
mod fetch;
mod forks;
mod items;
mod news;
mod serve;

#[cfg(test)]
pub(crate) use beacon::digest_of;

use std::collections::VecDeque;

use core::ops::Range;

use super::{
    Announcement, Answers, Bucket, ChannelId, Compared, Fault, ItemKind, Message, PeerId, Replica,
    ReplicaError, SendError, Session, Wants,
    limits::{MAX_FEEDS, MAX_HEADS_WAITING, MAX_RANGES, TAIL_PER_SECOND},
};
use crate::{
    collections::{Map, Set},
    crypto::{Hash, PublicKey},
    feed::SignedHead,
};

use forks::Pause;
pub use forks::SideWanted;

/// The exchange of one space with one peer.
pub struct Exchange {
    peer: PeerId,
    channel: ChannelId,
    /// What is known between the two of each feed.
    feeds: Map<PublicKey, Known>,
    /// Feeds of which the peer may have what we lack.
    behind: Set<PublicKey>,
    /// Feeds of which the peer may lack what we have.
    dirty: Set<PublicKey>,
    /// Feeds of the first listing that were not announced yet; `None` before the first pump.
    listing: Option<VecDeque<PublicKey>>,
    listed: bool,
    heard_all: bool,
    asked: Map<u64, Asked>,
    /// Heads to ask for.
    heads: VecDeque<HeadWanted>,
    /// Heads that the peer did not give.
    unanswered: Vec<HeadWanted>,
    /// Requests whose data may still come and are thrown away.
    cancelled: VecDeque<u64>,
    next_request: u64,
    progress_at: u64,
    /// How often in a row its requests had to be taken back.
    strikes: u32,
    serving: VecDeque<Serving>,
    /// The feed served last.
    served: Option<PublicKey>,
    items: items::Items,
    forks: forks::Forks,
    control: VecDeque<Message>,
    tail: Bucket,
    /// Where the round over the feeds goes on.
    turn: Option<PublicKey>,
    /// When the oldest postponed announcement is due (ms).
    due: Option<u64>,
    /// When the peer is told in one hash what is here (ms).
    beacon_at: u64,
    /// When all was said that was due and for which there was room (ms).
    pumped_at: u64,
}

/// What is known between the two of one feed.
#[derive(Default)]
struct Known {
    /// Length of the head the peer has.
    head: u64,
    /// Blocks the peer has from 0 on.
    contiguous: u64,
    /// Other blocks the peer has.
    ranges: Vec<Range<u64>>,
    /// Length of the head that the peer knows us to have.
    told_head: u64,
    /// Blocks from 0 on that the peer knows us to have.
    told: u64,
    told_at: u64,
    /// Not asked of this peer (ms) before then.
    barred_until: u64,
    /// Fetched a little at a time.
    rationed: bool,
    /// Not asked of this peer (ms) before then, for that.
    rationed_until: u64,
    /// It gave what is of another branch, or wrong: not asked for blocks before that is over.
    other: Pause,
    /// Length of its head when a fork was looked for last.
    searched: u64,
    /// Bytes and blocks that came, for the mean block size.
    bytes: u64,
    blocks: u64,
}

/// A head that somebody's dependency rests on, and the proof that it extends what is held.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HeadWanted {
    /// The feed.
    pub feed: PublicKey,
    /// Length that is held, or to which the feed is clipped.
    pub from: u64,
    /// Length of the head.
    pub to: u64,
}

/// A request of ours.
struct Asked {
    feed: PublicKey,
    /// What is still to come; for a head from the verified length to its own.
    blocks: Range<u64>,
    what: Wanted,
}

/// A request of the peer.
struct Serving {
    id: u64,
    feed: PublicKey,
    /// As in [`Asked`].
    blocks: Range<u64>,
    from: u64,
    what: Wanted,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Wanted {
    Blocks,
    Head,
    Branch,
    /// Of the branch whose block `index` has this leaf.
    Side {
        index: u64,
        leaf: Hash,
    },
}

impl Exchange {
    /// For an open channel, at `now` (ms). `peer` is the owner's number for the session.
    pub fn new(peer: PeerId, channel: ChannelId, now: u64) -> Self {
        let mut new = Self {
            peer,
            channel,
            feeds: Map::new(),
            behind: Set::new(),
            dirty: Set::new(),
            listing: None,
            listed: false,
            heard_all: false,
            asked: Map::new(),
            heads: VecDeque::new(),
            unanswered: Vec::new(),
            cancelled: VecDeque::new(),
            next_request: 1,
            progress_at: now,
            strikes: 0,
            serving: VecDeque::new(),
            served: None,
            items: items::Items::default(),
            forks: forks::Forks::default(),
            control: VecDeque::new(),
            tail: Bucket::new(TAIL_PER_SECOND, TAIL_PER_SECOND, now),
            turn: None,
            due: None,
            beacon_at: 0,
            pumped_at: 0,
        };
        new.beacon_at = now.saturating_add(new.pause(now));
        new
    }

    /// Its channel.
    pub const fn channel(&self) -> ChannelId {
        self.channel
    }

    /// The owner's number for the peer.
    pub const fn peer(&self) -> PeerId {
        self.peer
    }

    /// Takes one message of the channel. Gives back those that are not about replication: envelopes, peers,
    /// receipts, extensions.
    pub fn receive(
        &mut self,
        message: Message,
        replica: &mut dyn Replica,
        wants: &mut Wants,
        now: u64,
    ) -> Result<Option<Message>, Fault> {
        match message {
            Message::Announce { more, feeds } => {
                for one in feeds {
                    self.announced(one, replica, now)?;
                }
                self.heard_all |= !more;
            }
            Message::Have { feed, ranges } => self.has(feed, &ranges)?,
            Message::Request { id, feed, blocks, from } => {
                self.requested(Serving { id, feed, blocks, from, what: Wanted::Blocks })?;
            }
            Message::AskHead { id, feed, from, to } => {
                self.requested(Serving { id, feed, blocks: from..to, from, what: Wanted::Head })?;
            }
            Message::AskBranch { id, feed, index } => {
                let blocks = index..index.saturating_add(1);
                self.requested(Serving { id, feed, blocks, from: 0, what: Wanted::Branch })?;
            }
            Message::AskSide { id, feed, index, leaf, start, from } => {
                let what = Wanted::Side { index, leaf };
                self.requested(Serving { id, feed, blocks: start..start, from, what })?;
            }
            Message::Branch { id, bytes } => self.shown(id, &bytes, replica, now)?,
            Message::Cancel { id } => self.serving.retain(|serving| serving.id != id),
            Message::Lack { id } => self.lacks(id, wants, now)?,
            Message::Data { answers: Answers::Request(id), proof, blocks } => {
                self.answered(id, &proof, &blocks, replica, wants, now)?;
            }
            Message::Data { answers: Answers::Tail(feed), proof, blocks } => {
                self.pushed(feed, &proof, &blocks, replica, now)?;
            }
            Message::Beacon(theirs) => self.beacon(&theirs, replica),
            Message::Relist => self.relisted(),
            Message::Items { kind, more, hashes } => self.items.listed(kind, more, hashes, replica)?,
            Message::Item { kind, bytes } => self.items.received(kind, &bytes, replica)?,
            other @ (Message::Answer { .. }
            | Message::AskReceipt { .. }
            | Message::Challenge { .. }
            | Message::Decline { .. }
            | Message::Envelope(_)
            | Message::Peers(_)
            | Message::Receipt(_)
            | Message::Extension { .. }) => {
                return Ok(Some(other));
            }
            // The session keeps these to itself.
            Message::Open { .. } | Message::Refuse { .. } | Message::CloseChannel | Message::Prove { .. } => {
                return Err(Fault::Unexpected { what: "message about channels" });
            }
        }
        Ok(None)
    }

    /// Reads what taking a message in would read of trees: what is missed the files of the replica want. So that nothing is
    /// refused, nor overlooked, because it was not in memory.
    pub fn touch(&self, message: &Message, replica: &dyn Replica) {
        match message {
            Message::Announce { feeds, .. } => {
                for one in feeds.iter().filter(|one| replica.wanted(&one.feed)) {
                    let _ = replica.rooted(&one.feed, one.head.length);
                }
            }
            Message::Data { answers, proof, blocks } => {
                let feed = match answers {
                    Answers::Request(id) => self.asked.get(id).map(|asked| asked.feed),
                    Answers::Tail(feed) => Some(*feed),
                };
                feed.iter().for_each(|feed| replica.touch_proof(feed, proof, blocks.len()));
            }
            _ => {}
        }
    }

    /// A feed here has a new head or new blocks, durable by now.
    pub fn changed(&mut self, feed: &PublicKey) {
        self.dirty.insert(*feed);
    }

    /// A new item is here, durable by now.
    pub fn item_added(&mut self, kind: ItemKind, hash: Hash) {
        if kind == ItemKind::Evidence {
            self.feeds.keys().for_each(|feed| self.forks.look_again(*feed));
        }
        self.items.added(kind, hash);
    }

    /// What this space follows or misses has changed: looks at all the peer has again.
    pub fn refresh(&mut self) {
        self.behind.extend(self.feeds.keys());
        for (feed, known) in &mut self.feeds {
            // What contradicted may be what is held now.
            if known.barred_until == u64::MAX {
                (known.barred_until, known.searched) = (0, 0);
            }
            known.other = Pause::default();
            self.forks.has_news(*feed);
        }
    }

    /// Asks this peer for a head without blocks; `false` if too many wait already. What comes goes to
    /// [`Replica::accept_head`]; what does not come is in [`Exchange::take_unanswered`], to be asked elsewhere.
    pub fn ask_head(&mut self, head: HeadWanted) -> bool {
        let room = self.heads.len() < MAX_HEADS_WAITING && head.from < head.to;
        if room {
            self.heads.push_back(head);
        }
        room
    }

    /// Heads that this peer was asked for and did not give.
    pub fn take_unanswered(&mut self) -> Vec<HeadWanted> {
        core::mem::take(&mut self.unanswered)
    }

    /// Puts messages into the session as long as it can take them without reading ahead of the carrier.
    pub fn pump(
        &mut self,
        session: &mut Session,
        replica: &dyn Replica,
        wants: &mut Wants,
        now: u64,
    ) -> Result<(), Fault> {
        self.expire(wants, now);
        self.try_again(replica, now);
        self.pumped_at = now;
        while session.writable() > 0 {
            let Some(message) = self.next_message(replica, wants, now)? else { return Ok(()) };
            match session.send(self.channel, &message) {
                Ok(()) => {}
                Err(SendError::Closed) => return Ok(()),
                Err(error) => return Err(Fault::Local(error.to_string())),
            }
        }
        Ok(())
    }

    /// What to say next: what is small and unblocks the other side first, then the stream of blocks.
    fn next_message(
        &mut self,
        replica: &dyn Replica,
        wants: &mut Wants,
        now: u64,
    ) -> Result<Option<Message>, Fault> {
        if let Some(message) = self.control.pop_front() {
            return Ok(Some(message));
        }
        if let Some(message) = self.next_listing(replica, now) {
            return Ok(Some(message));
        }
        if let Some(message) = self.items.next_message(replica) {
            return Ok(Some(message));
        }
        if let Some(message) = self.next_news(replica, now)? {
            return Ok(Some(message));
        }
        if let Some(message) = self.next_request(replica, wants, now) {
            return Ok(Some(message));
        }
        if let Some(message) = self.next_data(replica)? {
            return Ok(Some(message));
        }
        Ok(self.next_beacon(replica, now))
    }

    /// When [`Exchange::pump`] has something to do though nothing happened (ms).
    pub fn deadline(&self) -> Option<u64> {
        let request = (!self.asked.is_empty())
            .then(|| self.progress_at.saturating_add(super::limits::REQUEST_TIMEOUT_MS));
        // u64::MAX: barred until the peer announces something.
        let barred = self.behind.iter().filter_map(|feed| self.feeds.get(feed));
        let barred = barred.flat_map(|known| [known.barred_until, known.rationed_until, known.other.until]);
        let barred = barred.filter(|until| *until > 0 && *until < u64::MAX).min();
        let again = self.forks.again(self.pumped_at);
        let all = [request, barred, again, self.due, Some(self.beacon_at)].into_iter().flatten();
        // What was due by then and is not said waits for room, not for a time: it goes with the next pump that has some.
        all.filter(|at| *at > self.pumped_at).min()
    }

    /// Whether the peer has listed all it has and nothing of that is missing here.
    pub fn is_level(&self) -> bool {
        self.heard_all
            && self.behind.iter().filter_map(|feed| self.feeds.get(feed)).all(Known::is_apart)
            && self.asked.is_empty()
            && self.forks.is_idle()
            && self.items.heard_all()
    }

    /// The session is over: what was asked of this peer is free for others, which should be pumped.
    pub fn close(self, wants: &mut Wants) {
        wants.forget_peer(self.peer);
    }

    fn known(&mut self, feed: PublicKey) -> Result<&mut Known, Fault> {
        if self.feeds.len() >= MAX_FEEDS && !self.feeds.contains_key(&feed) {
            return Err(Fault::Limit { what: "feeds", max: MAX_FEEDS });
        }
        Ok(self.feeds.entry(feed).or_default())
    }

    fn announced(&mut self, one: Announcement, replica: &mut dyn Replica, now: u64) -> Result<(), Fault> {
        let Announcement { feed, contiguous, head } = one;
        if head.length == 0 || contiguous > head.length {
            return Err(Fault::Unexpected { what: "announcement of blocks past the head" });
        }
        self.notice(feed, &head, contiguous)?;
        if replica.wanted(&feed) {
            match replica.heard(&feed, &head) {
                Err(ReplicaError::Peer(detail)) => {
                    return Err(Fault::Refused { what: "signed head", detail });
                }
                Err(ReplicaError::Local(detail)) => return Err(Fault::Local(detail)),
                Err(ReplicaError::Contradiction) => self.contradicted(feed, None, replica, now)?,
                Ok(()) | Err(ReplicaError::Stale | ReplicaError::NotHeld | ReplicaError::Absent) => {
                    if self.known(feed)?.other.times > 0 {
                        // Its blocks are not asked for yet; those of its branch are.
                        self.forks.has_news(feed);
                    }
                    let ours = replica.feed(&feed).map_or(0, |status| status.head.length);
                    if head.length < ours && !replica.rooted(&feed, head.length) {
                        self.forks.look_later(feed, now);
                    }
                }
            }
        }
        Ok(())
    }

    /// The peer has this head and these blocks.
    fn notice(&mut self, feed: PublicKey, head: &SignedHead, contiguous: u64) -> Result<(), Fault> {
        let known = self.known(feed)?;
        known.head = known.head.max(head.length);
        known.contiguous = contiguous;
        known.barred_until = 0;
        self.behind.insert(feed);
        Ok(())
    }

    fn has(&mut self, feed: PublicKey, ranges: &[Range<u64>]) -> Result<(), Fault> {
        let known = self.known(feed)?;
        for range in ranges {
            if range.start <= known.contiguous {
                known.contiguous = known.contiguous.max(range.end);
            } else if known.ranges.len() < MAX_RANGES {
                known.ranges.push(range.clone());
            }
        }
        let contiguous = known.contiguous;
        known.ranges.retain(|range| range.end > contiguous);
        self.behind.insert(feed);
        Ok(())
    }
}

impl Known {
    /// Whether nothing is said by there being more of it than is here: its author was cut and goes on, or it is of another
    /// branch, which is fetched as such.
    const fn is_apart(&self) -> bool {
        self.rationed || self.other.times > 0
    }
}

#[cfg(test)]
mod tests;
