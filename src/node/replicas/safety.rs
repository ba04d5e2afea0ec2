//! How safe one's own writes are: who else holds them, and has shown it.
//!
//! Pinned replicas and this person's other devices are asked for receipts for this device's own feed. A receipt is kept
//! when its signer answered for random blocks of it; from time to time it must answer again, and one that cannot is
//! struck off. The rule of what counts is in `space/receipt.rs`.
//!
//! Stored in `space/<key>/receipts`.

use super::{Promises, promising::read_blocks};
use crate::{
    crypto::{Entropy, Hash, PublicKey},
    mesh::LinkId,
    node::{Event, Node, NodeError, persist},
    space::{PinnedReplica, Receipt, Receipts, Space, challenge_answer},
    storage::Files,
    sync::{Declined, Fault, Message},
};

/// How many hold what this device wrote in a space.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Safety {
    /// Pinned replicas that hold all of it.
    pub replicas: usize,
    /// This person's other devices that hold all of it.
    pub devices: usize,
    /// Entries that nobody of these holds.
    pub unreplicated: u64,
    /// How many replicas are pinned.
    pub pinned: usize,
    /// How many other devices this person has here.
    pub others: usize,
}

/// A pinned replica, as a page sees it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReplicaView {
    /// Its key and label, and who pinned it.
    pub pin: PinnedReplica,
    /// How many entries of this device it holds, as it has shown; `None` without a receipt that counts.
    pub length: Option<u64>,
    /// Until when it promises that, ms since 1970.
    pub expires: Option<u64>,
    /// Whether it is connected.
    pub connected: bool,
    /// Whether it said that it has no room for more.
    pub full: bool,
}

/// What is known of one space.
#[derive(Default)]
pub(super) struct Vouched {
    receipts: Receipts,
    loaded: bool,
    /// Whose receipts count; `None`: to be found out.
    vouchers: Option<Vouchers>,
    /// What the page was told last, and for which length.
    told: Safety,
    told_at: u64,
    /// Something changed since.
    stirred: bool,
    /// When the first receipt that counts expires, ms since 1970.
    expires: Option<u64>,
}

#[derive(Clone, Default)]
struct Vouchers {
    replicas: Vec<PinnedReplica>,
    devices: Vec<PublicKey>,
}

/// What one peer is asked about this device's own feed.
#[derive(Default)]
pub(super) struct Asking {
    /// For which length a receipt was asked, and when (ms).
    asked: Option<(u64, u64)>,
    /// What it is to be asked once the blocks are read.
    draft: Option<Draft>,
    challenge: Option<Challenge>,
    /// When it is challenged again though nothing changed, ms since 1970.
    challenge_at: u64,
    /// It is left alone until then, since it failed; ms since 1970.
    barred_until: u64,
    /// When something is to be done next, ms since 1970.
    due: Option<u64>,
    /// The key that this device proved to it because of this: it may have been locked when the channel opened.
    proved: Option<PublicKey>,
    full: bool,
}

/// A question that is not asked yet.
struct Draft {
    about: Receipt,
    nonce: [u8; 32],
    blocks: Vec<u64>,
}

/// A question that is not answered yet.
struct Challenge {
    id: u64,
    expected: Hash,
    /// ms since 1970.
    until: u64,
    about: Receipt,
}

impl Draft {
    /// About random blocks, always the last one among them.
    fn new(about: Receipt, entropy: &mut dyn Entropy) -> Option<Self> {
        let range = u32::try_from(about.length).unwrap_or(u32::MAX);
        let mut blocks = vec![about.length.checked_sub(1)?];
        for _ in 1..CHALLENGED.min(about.length) {
            blocks.push(u64::from(entropy.below(range)));
        }
        Some(Self { about, nonce: entropy.array32(), blocks })
    }
}

impl Asking {
    /// Asks what is drafted, once its blocks are read: until then it stays a draft.
    fn ask(&mut self, space: &Space, files: &Files, last: &mut u64, now: u64) -> Option<Message> {
        let draft = self.draft.take()?;
        let Draft { about, nonce, blocks } = &draft;
        let Ok(read) = read_blocks(space, files, &about.feed, blocks) else {
            self.draft = Some(draft);
            return None;
        };
        let Some(read) = read else {
            // Own blocks are damaged: nobody can be judged by them.
            self.challenge_at = now.saturating_add(CHALLENGE_MS);
            return None;
        };
        let expected = challenge_answer(&space.key(), &about.signer, &about.feed, nonce, &read);
        let until = now.saturating_add(ANSWER_MS);
        *last = last.wrapping_add(1);
        let Draft { about, nonce, blocks } = draft;
        self.due = Some(until);
        let feed = about.feed;
        self.challenge = Some(Challenge { id: *last, expected, until, about });
        Some(Message::Challenge { id: *last, feed, nonce, blocks })
    }

    /// Whether a challenge waits for its answer.
    #[cfg(test)]
    pub(super) const fn is_challenging(&self) -> bool {
        self.challenge.is_some()
    }
}

impl Vouched {
    fn vouchers(&mut self, space: &Space) -> &Vouchers {
        self.vouchers.get_or_insert_with(|| {
            let mine = space.members().into_iter().find(|member| member.mine);
            let mut devices = mine.map(|member| member.writers).unwrap_or_default();
            devices.retain(|key| Some(*key) != space.writer() && space.is_active(key));
            Vouchers { replicas: space.pinned_replicas(), devices }
        })
    }

    fn load(&mut self, files: &mut Files, space: &PublicKey) {
        if core::mem::replace(&mut self.loaded, true) {
            return;
        }
        // Without them receipts are asked for again: nothing is lost.
        let bytes = persist::whole_or_anew(files, &file_of(space)).ok().flatten();
        self.receipts = bytes.and_then(|bytes| Receipts::decode(&bytes, space).ok()).unwrap_or_default();
        self.stirred = true;
    }
}

impl Vouchers {
    fn has(&self, key: &PublicKey) -> bool {
        self.devices.contains(key) || self.replicas.iter().any(|replica| replica.key == *key)
    }
}

impl Promises {
    /// Who is relied on in a space may have changed.
    pub(in crate::node) fn stirred(&mut self, space: &PublicKey) {
        if let Some(vouched) = self.spaces.get_mut(space) {
            vouched.vouchers = None;
            vouched.stirred = true;
        }
    }

    /// A space is not here any more.
    pub(in crate::node) fn closed(&mut self, space: &PublicKey) {
        self.spaces.remove(space);
        self.peers.retain(|(_, other), _| other != space);
    }

    /// When something is due, ms since 1970.
    pub(in crate::node) fn deadline(&self, now: u64) -> Option<u64> {
        let asking = self.peers.values().filter_map(|peer| peer.asking.due);
        let expiring = self.spaces.values().filter_map(|vouched| vouched.expires);
        // What is due now was done in this turn.
        asking.chain(expiring).filter(|at| *at > now).min()
    }
}

impl Node {
    /// How safe this device's writes in a space are; `None` where it writes nothing.
    pub fn safety(&self, space: Option<PublicKey>) -> Option<Safety> {
        let key = self.joined(space).ok()?.space.key();
        self.promises.spaces.get(&key).filter(|vouched| vouched.told_at > 0).map(|vouched| vouched.told)
    }

    /// The pinned replicas of a space, ascending by key.
    pub fn replicas(&self, space: Option<PublicKey>) -> Vec<ReplicaView> {
        let Ok(joined) = self.joined(space) else { return Vec::new() };
        let key = joined.space.key();
        let vouched = self.promises.spaces.get(&key);
        let own = joined.space.writer();
        let view = |pin: PinnedReplica| {
            let receipt = own.and_then(|own| vouched?.receipts.of(&pin.key, &own));
            let receipt = receipt.filter(|receipt| receipt.expires > self.now);
            let mut here = self
                .promises
                .peers
                .iter()
                .filter(|((_, space), peer)| *space == key && peer.proven.contains(&pin.key));
            let peer = here.next();
            ReplicaView {
                length: receipt.map(|receipt| receipt.length),
                expires: receipt.map(|receipt| receipt.expires),
                connected: peer.is_some(),
                full: peer.is_some_and(|(_, peer)| peer.asking.full),
                pin,
            }
        };
        joined.space.pinned_replicas().into_iter().map(view).collect()
    }

    /// Asks peers that count for receipts, and challenges them, where that is due.
    pub(super) fn ask_for_receipts(&mut self, key: PublicKey) -> Vec<(LinkId, PublicKey, Message)> {
        let mut messages = Vec::new();
        let now = self.now;
        let Some(joined) = self.spaces.get(&key) else { return messages };
        let space = &joined.space;
        let own = space.writer().filter(|own| space.is_active(own));
        let Some((own, feed)) = own.and_then(|own| Some((own, space.feed(&own)?))) else { return messages };
        let vouched = self.promises.spaces.entry(key).or_default();
        vouched.load(&mut self.files, &key);
        let peers = &mut self.promises.peers;
        if !peers.iter().any(|((_, other), peer)| *other == key && !peer.proven.is_empty()) {
            return messages;
        }
        let tree_hash_at = |length| feed.tree_hash_at(&self.files, length).ok().flatten();
        let length = feed.contiguous();
        let Some(tree_hash) = tree_hash_at(length) else { return messages };
        let vouchers = vouched.vouchers(space).clone();
        let (mut struck, mut unproved) = (false, Vec::new());
        for ((link, other), peer) in peers.iter_mut().filter(|((_, other), _)| *other == key) {
            let asking = &mut peer.asking;
            asking.due = None;
            let Some(signer) = peer.proven.iter().find(|proven| vouchers.has(proven)) else { continue };
            if let Some(late) = asking.challenge.take_if(|challenge| challenge.until <= now) {
                struck |= vouched.receipts.drop_of(&late.about.signer, &own);
                asking.barred_until = now.saturating_add(BARRED_MS);
            }
            if let Some(challenge) = &asking.challenge {
                asking.due = Some(challenge.until);
                continue;
            }
            if asking.draft.is_some() {
                let asked = asking.ask(space, &self.files, &mut self.promises.last_challenge, now);
                messages.extend(asked.map(|message| (*link, *other, message)));
                continue;
            }
            if asking.barred_until > now {
                asking.due = Some(asking.barred_until);
                continue;
            }
            let right = vouched.receipts.of(signer, &own).copied();
            let right = right.filter(|kept| tree_hash_at(kept.length) == Some(kept.tree_hash));
            let renew = now.saturating_add(RENEW_MS);
            let lacks = right.is_none_or(|kept| kept.length < length || kept.expires < renew);
            if lacks {
                let again = asking.asked.map_or(0, |(asked, at)| {
                    at.saturating_add(if asked == length { ASK_AGAIN_MS } else { PACE_MS })
                });
                if again <= now {
                    if asking.proved.replace(own) != Some(own) {
                        unproved.push(*link);
                    }
                    asking.asked = Some((length, now));
                    asking.due = Some(now.saturating_add(ASK_AGAIN_MS));
                    messages.push((*link, *other, Message::AskReceipt { feed: own, length, tree_hash }));
                } else {
                    asking.due = Some(again);
                }
                continue;
            }
            asking.due = Some(asking.challenge_at);
            let Some(kept) = right.filter(|_| asking.challenge_at <= now) else { continue };
            asking.draft = Draft::new(kept, self.entropy.as_mut());
            let asked = asking.ask(space, &self.files, &mut self.promises.last_challenge, now);
            messages.extend(asked.map(|message| (*link, *other, message)));
        }
        if struck {
            self.save_receipts(key);
        }
        for link in unproved {
            if let Some(signer) = self.own_signer(&key) {
                self.with_session(link, key, |session, channel| {
                    let _ = session.prove(channel, &signer);
                });
            }
        }
        messages
    }

    /// A peer promises to hold what this device wrote: it is asked to show it.
    pub(super) fn promised(&mut self, link: LinkId, key: PublicKey, receipt: Receipt) -> Option<Message> {
        let now = self.now;
        let space = &self.spaces.get(&key)?.space;
        let feed = space.feed(&space.writer()?)?;
        let peer = self.promises.peers.get_mut(&(link, key))?;
        let vouched = self.promises.spaces.get_mut(&key)?;
        let wanted = peer.asking.asked.is_some()
            && peer.asking.draft.is_none()
            && peer.asking.challenge.is_none()
            && receipt.feed == feed.key()
            && receipt.length > 0
            && receipt.expires > now
            && receipt.expires <= now.saturating_add(LONGEST_MS)
            && peer.proven.contains(&receipt.signer)
            && vouched.vouchers(space).has(&receipt.signer);
        if !wanted {
            return None;
        }
        if let Err(error) = receipt.verify(&key) {
            let fault = Fault::Refused { what: "receipt", detail: error.to_string() };
            self.with_session(link, key, |session, _| session.fail(fault));
            return None;
        }
        if feed.tree_hash_at(&self.files, receipt.length) != Ok(Some(receipt.tree_hash)) {
            return None;
        }
        peer.asking.full = false;
        peer.asking.draft = Draft::new(receipt, self.entropy.as_mut());
        peer.asking.ask(space, &self.files, &mut self.promises.last_challenge, now)
    }

    /// A peer answers a challenge: what it promised counts from now on, or not any more.
    pub(super) fn challenge_answered(&mut self, link: LinkId, key: PublicKey, id: u64, hash: Hash) {
        let Some(peer) = self.promises.peers.get_mut(&(link, key)) else { return };
        let Some(challenge) = peer.asking.challenge.take_if(|challenge| challenge.id == id) else { return };
        if challenge.expected != hash {
            self.failed(link, key, &challenge.about);
            return;
        }
        let jitter = u64::from(self.entropy.below(60_000));
        peer.asking.challenge_at = self.now.saturating_add(CHALLENGE_MS + jitter);
        let Some(vouched) = self.promises.spaces.get_mut(&key) else { return };
        let about = &challenge.about;
        if vouched.receipts.of(&about.signer, &about.feed) != Some(about) {
            vouched.receipts.keep(challenge.about);
            self.save_receipts(key);
        }
    }

    /// A peer does not promise, or does not answer.
    pub(super) fn declined(&mut self, link: LinkId, key: PublicKey, why: Declined) {
        let Some(peer) = self.promises.peers.get_mut(&(link, key)) else { return };
        match why {
            Declined::Full => {
                peer.asking.full = true;
                if let Some(vouched) = self.promises.spaces.get_mut(&key) {
                    vouched.stirred = true;
                }
            }
            Declined::NotHeld => {
                if let Some(challenge) = peer.asking.challenge.take() {
                    self.failed(link, key, &challenge.about);
                }
            }
        }
    }

    fn failed(&mut self, link: LinkId, key: PublicKey, about: &Receipt) {
        if let Some(peer) = self.promises.peers.get_mut(&(link, key)) {
            peer.asking.barred_until = self.now.saturating_add(BARRED_MS);
        }
        let Some(vouched) = self.promises.spaces.get_mut(&key) else { return };
        if vouched.receipts.drop_of(&about.signer, &about.feed) {
            self.save_receipts(key);
        }
    }

    fn save_receipts(&mut self, key: PublicKey) {
        let Some(vouched) = self.promises.spaces.get_mut(&key) else { return };
        vouched.stirred = true;
        vouched.receipts.prune(self.now, |_| true);
        persist::replace(&mut self.files, &file_of(&key), &vouched.receipts.encode());
    }

    /// Tells the page when its writes are safer, or less safe, than it was told.
    pub(super) fn tell_safety(&mut self, key: PublicKey) {
        let now = self.now;
        let (Some(joined), Some(vouched)) = (self.spaces.get(&key), self.promises.spaces.get_mut(&key))
        else {
            return;
        };
        let space = &joined.space;
        let own = space.writer();
        let feed = own.and_then(|own| space.feed(&own));
        let length = feed.map_or(0, |feed| feed.contiguous());
        let expired = vouched.expires.is_some_and(|at| at <= now);
        if !vouched.stirred && !expired && vouched.told_at == length {
            return;
        }
        let vouchers = vouched.vouchers(space).clone();
        if own.is_none() {
            // Whose devices these are is not known while it is locked.
            vouched.vouchers = None;
        }
        let counted = feed.map_or_else(Vec::new, |feed| {
            let tree_hash_at = |length| feed.tree_hash_at(&self.files, length).ok().flatten();
            vouched.receipts.counted(&feed.key(), now, |key| vouchers.has(key), tree_hash_at)
        });
        let whole = |receipt: &&Receipt| receipt.length >= length;
        let devices = |receipt: &&Receipt| vouchers.devices.contains(&receipt.signer);
        let best = counted.iter().map(|receipt| receipt.length).max().unwrap_or_default();
        let safety = Safety {
            replicas: counted.iter().filter(whole).filter(|receipt| !devices(receipt)).count(),
            devices: counted.iter().filter(whole).filter(devices).count(),
            unreplicated: length.saturating_sub(best),
            pinned: vouchers.replicas.len(),
            others: vouchers.devices.len(),
        };
        vouched.expires = counted.iter().map(|receipt| receipt.expires).min();
        vouched.stirred = false;
        // A replica that is full, or came back, is news too.
        vouched.told_at = length;
        let news = core::mem::replace(&mut vouched.told, safety) != safety;
        if news {
            self.event(Event::Safety(key));
        }
    }

    /// Relies on a replica from now on, in a space.
    pub(in crate::node) fn pin_replica(
        &mut self,
        space: PublicKey,
        replica: PublicKey,
        label: &str,
    ) -> Result<(), NodeError> {
        if !replica.is_valid() {
            return Err(NodeError::bad_input(
                "this is no replica's key; copy the whole link that its page shows",
            ));
        }
        self.writing(space, |space, files, now, entropy| {
            space.pin_replica(files, now, entropy, replica, label)
        })
    }

    /// Relies on a replica no more.
    pub(in crate::node) fn unpin_replica(
        &mut self,
        space: PublicKey,
        replica: PublicKey,
    ) -> Result<(), NodeError> {
        self.writing(space, |space, files, now, entropy| space.unpin_replica(files, now, entropy, replica))
    }
}

fn file_of(space: &PublicKey) -> String {
    format!("space/{space}/receipts")
}

/// Blocks in one challenge: who dropped half of them passes one in 128 times, and is asked again.
const CHALLENGED: u64 = 8;
/// How long an answer may take, in ms.
const ANSWER_MS: u64 = 30_000;
/// Between challenges to a peer that holds everything, in ms.
const CHALLENGE_MS: u64 = 10 * 60 * 1000;
/// For how long a peer that failed is left alone, in ms.
const BARRED_MS: u64 = 60_000;
/// Between questions to one peer while entries are written, in ms.
const PACE_MS: u64 = 1000;
/// After which a question that was not answered is asked again, in ms.
const ASK_AGAIN_MS: u64 = 60_000;
/// A receipt that ends within this time is renewed, in ms.
const RENEW_MS: u64 = super::promising::PROMISE_MS / 2;
/// A promise that ends later than this is not believed, in ms.
const LONGEST_MS: u64 = 31 * 24 * 3600 * 1000;
