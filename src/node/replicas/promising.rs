//! Promising others to hold what they wrote: as a replica, or as another device.
//!
//! A wish waits until all that it names is here and stored; only then is it signed for. Whoever asks must have proved to be
//! a writer of the space; a newer wish for the same feed takes the place of an older one.

use super::Peer;
use crate::{
    crypto::{Hash, PublicKey, Signer},
    feed::FeedError,
    mesh::LinkId,
    node::Node,
    space::{Receipt, Space, challenge_answer},
    sync::{Declined, Message},
};

/// What a peer wants a receipt for.
#[derive(Clone, Copy)]
pub(super) struct Wish {
    length: u64,
    tree_hash: Hash,
    /// The batch that must be stored first, once all of it is here.
    after: Option<u64>,
}

/// What a peer wants to see.
pub(super) struct Question {
    pub(super) id: u64,
    pub(super) feed: PublicKey,
    pub(super) nonce: [u8; 32],
    pub(super) blocks: Vec<u64>,
}

impl Node {
    /// A peer wants a receipt.
    pub(super) fn wished(
        &mut self,
        link: LinkId,
        space: PublicKey,
        feed: PublicKey,
        length: u64,
        tree_hash: Hash,
    ) {
        // Whether it is a writer may not be known before the space is here, so that is judged when it is granted.
        let peer = self.promises.peers.get_mut(&(link, space)).filter(|peer| !peer.proven.is_empty());
        if let Some(Peer { wishes, .. }) = peer
            && length > 0
            && (wishes.len() < MAX_WISHES || wishes.contains_key(&feed))
        {
            wishes.insert(feed, Wish { length, tree_hash, after: None });
        }
    }

    /// Receipts for all that is here and stored by now.
    pub(super) fn grant_wishes(&mut self) -> Vec<(LinkId, PublicKey, Message)> {
        let mut messages = Vec::new();
        let given = self.durable.last_given();
        let waiting: Vec<(LinkId, PublicKey)> = self
            .promises
            .peers
            .iter()
            .filter(|(_, peer)| !peer.wishes.is_empty())
            .map(|(place, _)| *place)
            .collect();
        for (link, key) in waiting {
            if !self.may_ask(link, key) {
                continue;
            }
            let Some(joined) = self.spaces.get(&key) else { continue };
            let full = self.holding.is_full(&key);
            let mut ready = Vec::new();
            let Some(peer) = self.promises.peers.get_mut(&(link, key)) else { continue };
            let mut answer = |feed: &PublicKey, wish: &mut Wish| {
                let Some(held) = joined.space.feed(feed) else { return true };
                if held.contiguous() < wish.length {
                    if full {
                        let decline = Message::Decline { feed: *feed, why: Declined::Full };
                        messages.push((link, key, decline));
                    }
                    return !full;
                }
                let after = *wish.after.get_or_insert(given);
                if !self.durable.is_stored(after) {
                    return true;
                }
                let hash = held.tree_hash_at(&self.files, wish.length);
                if hash.as_ref().is_err_and(FeedError::is_absent) {
                    return true;
                }
                if matches!(hash, Ok(Some(hash)) if hash == wish.tree_hash) {
                    ready.push((*feed, wish.length, wish.tree_hash));
                }
                false
            };
            peer.wishes.retain(|feed, wish| answer(feed, wish));
            // Asked at every turn while blocks come in: the key is only made when it signs, which costs as much.
            if !ready.is_empty()
                && let Some(signer) = self.own_signer(&key)
            {
                let expires = self.now.saturating_add(PROMISE_MS);
                let sign = |(feed, length, hash)| Receipt::sign(&signer, &key, feed, length, hash, expires);
                let receipts = ready.into_iter().map(sign);
                messages.extend(receipts.map(|receipt| (link, key, Message::Receipt(receipt))));
            }
        }
        messages
    }

    /// A peer wants to see that blocks are here: answered once they are read, which may take the disk a moment.
    pub(super) fn challenged(&mut self, link: LinkId, space: PublicKey, question: Question) {
        if let Some(peer) = self.promises.peers.get_mut(&(link, space)).filter(|peer| !peer.proven.is_empty())
        {
            // An honest peer asks one thing at a time.
            peer.question = Some(question);
        }
    }

    /// Answers to all questions whose blocks are in memory; the others wait for theirs.
    pub(super) fn answer_challenges(&mut self) -> Vec<(LinkId, PublicKey, Message)> {
        let waiting = self.promises.peers.iter_mut();
        let questions: Vec<(LinkId, PublicKey, Question)> = waiting
            .filter_map(|((link, space), peer)| Some((*link, *space, peer.question.take()?)))
            .collect();
        let mut messages = Vec::new();
        for (link, space, question) in questions {
            match self.shown(link, space, &question) {
                Some(Ok(message)) => messages.push((link, space, message)),
                Some(Err(Waits)) => {
                    if let Some(peer) = self.promises.peers.get_mut(&(link, space)) {
                        peer.question = Some(question);
                    }
                }
                None => {}
            }
        }
        messages
    }

    /// `None` if nothing is owed to whoever asks.
    fn shown(&self, link: LinkId, space: PublicKey, question: &Question) -> Option<Result<Message, Waits>> {
        if !self.may_ask(link, space) {
            return None;
        }
        let Question { id, feed, nonce, blocks } = question;
        let signer = self.own_signer(&space)?.public();
        let held = &self.spaces.get(&space)?.space;
        let answer = |read: &[(u64, Vec<u8>)]| {
            let hash = challenge_answer(&space, &signer, feed, nonce, read);
            Message::Answer { id: *id, hash }
        };
        #[cfg(any(test, feature = "hostile"))]
        if blocks.iter().any(|index| *index >= held.hostile_shown(feed, u64::MAX)) {
            // It dropped them, and hopes that nobody looks.
            let lie = blocks.iter().map(|index| (*index, Vec::new())).collect::<Vec<_>>();
            return Some(Ok(answer(&lie)));
        }
        Some(read_blocks(held, &self.files, feed, blocks).map(|read| match read {
            Some(read) => answer(&read),
            None => Message::Decline { feed: *feed, why: Declined::NotHeld },
        }))
    }

    /// Whether a peer has proved to be a writer of a space: strangers get no promises.
    fn may_ask(&self, link: LinkId, space: PublicKey) -> bool {
        let proven = |peer: &Peer| -> bool {
            let joined = self.spaces.get(&space);
            joined.is_some_and(|joined| peer.proven.iter().any(|key| joined.space.is_active(key)))
        };
        self.promises.peers.get(&(link, space)).is_some_and(proven)
    }

    /// The key by which this node promises: a replica's own, or this device's while it may write.
    pub(super) fn own_signer(&self, space: &PublicKey) -> Option<Signer> {
        if let Some(key) = self.holding.key() {
            return Some(key);
        }
        let signer = self.secrets.as_ref()?.keys(space).signer;
        self.spaces.get(space)?.space.is_active(&signer.public()).then_some(signer)
    }
}

/// Blocks with their indexes.
pub(super) type Blocks = Vec<(u64, Vec<u8>)>;

/// Blocks are on the disk: they are wanted, and here soon.
pub(super) struct Waits;

/// Blocks of a feed with their indexes; `None` if one is not held. All that lie on the disk are wanted at once.
pub(super) fn read_blocks(
    space: &Space,
    files: &crate::storage::Files,
    feed: &PublicKey,
    blocks: &[u64],
) -> Result<Option<Blocks>, Waits> {
    let Some(feed) = space.feed(feed) else { return Ok(None) };
    let (mut read, mut waits) = (Vec::with_capacity(blocks.len()), false);
    for index in blocks {
        match feed.get(files, *index) {
            Ok(Some(block)) => read.push((*index, block)),
            Err(error) if error.is_absent() => waits = true,
            Ok(None) | Err(_) => return Ok(None),
        }
    }
    if waits { Err(Waits) } else { Ok(Some(read)) }
}

/// Feeds for which one peer may want receipts at a time.
const MAX_WISHES: usize = 16;
/// For how long it is promised, in ms: it is renewed when half of that is over.
pub(super) const PROMISE_MS: u64 = 7 * 24 * 3600 * 1000;
