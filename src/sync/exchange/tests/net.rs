//! Replicas over real feeds, and peers with links between them.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::{
    crypto::Entropy,
    feed::{Branch, EquivocationProof, tree_hash},
};

/// A replica over real feeds in real files, made durable after every change.
#[derive(Default)]
pub(super) struct Store {
    pub(super) files: Files,
    pub(super) backend: MemoryBackend,
    pub(super) feeds: BTreeMap<PublicKey, Feed>,
    pub(super) wanted: BTreeSet<PublicKey>,
    pub(super) items: BTreeMap<(ItemKind, Hash), Vec<u8>>,
    /// What came since it was last asked.
    pub(super) news: Vec<PublicKey>,
    pub(super) new_items: Vec<(ItemKind, Hash)>,
    pub(super) proved: std::cell::Cell<usize>,
    /// It looks for forks.
    pub(super) searches: bool,
    /// It does not show where its blocks stand.
    pub(super) hides: bool,
    /// It changes the blocks that it gives.
    pub(super) spoils: bool,
    /// Branches that it misses.
    pub(super) sides: Vec<SideWanted>,
}

impl Store {
    pub(super) fn commit(&mut self) {
        while let Some(batch) = self.files.take_batch() {
            self.backend.commit(&batch);
            self.files.committed(batch.seq);
        }
    }

    pub(super) fn append(&mut self, signer: &Signer, blocks: &[Vec<u8>]) {
        let key = signer.public();
        let feed = self.feeds.entry(key).or_insert_with(|| Feed::open(&mut self.files, key).unwrap());
        feed.append(&mut self.files, signer, blocks).unwrap();
        self.wanted.insert(key);
        self.news.push(key);
        self.commit();
    }

    pub(super) fn put(&mut self, kind: ItemKind, bytes: &[u8]) {
        let id = (kind, blake2b(&[bytes]));
        self.items.insert(id, bytes.to_vec());
        self.new_items.push(id);
    }

    pub(super) fn content(&self, key: &PublicKey) -> Vec<Vec<u8>> {
        let Some(feed) = self.feeds.get(key) else { return Vec::new() };
        (0..feed.contiguous()).map(|at| feed.get(&self.files, at).unwrap().unwrap()).collect()
    }
}

impl Replica for Store {
    fn wanted(&self, feed: &PublicKey) -> bool {
        self.wanted.contains(feed)
    }

    fn missing(&self, feed: &PublicKey, within: Range<u64>) -> Option<Range<u64>> {
        match self.feeds.get(feed) {
            Some(feed) => first_gap(feed, within),
            None => (!within.is_empty()).then_some(within),
        }
    }

    fn status(&self) -> Vec<FeedStatus> {
        self.feeds.keys().filter_map(|key| self.feed(key)).collect()
    }

    fn feed(&self, key: &PublicKey) -> Option<FeedStatus> {
        let feed = self.feeds.get(key)?;
        Some(FeedStatus { feed: *key, contiguous: feed.contiguous(), head: *feed.head()? })
    }

    fn rooted(&self, feed: &PublicKey, length: u64) -> bool {
        self.feeds.get(feed).is_some_and(|feed| feed.tree_hash_at(&self.files, length).unwrap().is_some())
    }

    fn prove(
        &self,
        feed: &PublicKey,
        blocks: Range<u64>,
        from: u64,
        max_bytes: usize,
    ) -> Result<(Proof, Vec<Vec<u8>>), ReplicaError> {
        self.proved.set(self.proved.get() + 1);
        let feed = self.feeds.get(feed).ok_or(ReplicaError::NotHeld)?;
        let (proof, mut blocks) = prove_from(feed, &self.files, blocks, from, max_bytes)?;
        if self.spoils {
            blocks.iter_mut().flatten().for_each(|byte| *byte ^= 1);
        }
        Ok((proof, blocks))
    }

    fn accept(&mut self, key: &PublicKey, proof: &Proof, blocks: &[Vec<u8>]) -> Result<(), ReplicaError> {
        assert!(self.wanted.contains(key), "nothing is taken in that is not followed");
        let feed = self.feeds.entry(*key).or_insert_with(|| Feed::open(&mut self.files, *key).unwrap());
        feed.accept(&mut self.files, proof, blocks).map_err(|error| ReplicaError::of_proof(error, proof))?;
        self.news.push(*key);
        self.commit();
        Ok(())
    }

    fn prove_head(&self, key: &PublicKey, from: u64, to: u64) -> Result<Proof, ReplicaError> {
        let feed = self.feeds.get(key).ok_or(ReplicaError::NotHeld)?;
        prove_head_from(feed, &self.files, from, to)
    }

    fn accept_head(&mut self, key: &PublicKey, proof: &Proof) -> Result<(), ReplicaError> {
        let feed = self.feeds.get_mut(key).ok_or(ReplicaError::NotHeld)?;
        feed.accept::<Vec<u8>>(&mut self.files, proof, &[])?;
        self.commit();
        Ok(())
    }

    fn heard(&mut self, key: &PublicKey, head: &SignedHead) -> Result<(), ReplicaError> {
        head.verify(key).map_err(|error| ReplicaError::Peer(error.to_string()))?;
        let held = self.feeds.get(key).map(|feed| feed.tree_hash_at(&self.files, head.length).unwrap());
        match held.flatten() {
            Some(hash) if hash != head.tree_hash => Err(ReplicaError::Contradiction),
            _ => Ok(()),
        }
    }

    fn fork_bound(&self, key: &PublicKey) -> Option<u64> {
        let proofs = self.items.iter().filter(|((kind, _), _)| *kind == ItemKind::Evidence);
        let forks = proofs.filter_map(|(_, bytes)| EquivocationProof::decode(bytes).ok());
        let lowest = forks.filter(|proof| proof.key == *key).map(|proof| proof.index).min();
        self.searches.then_some(lowest.unwrap_or(u64::MAX))
    }

    fn show_branch(&self, key: &PublicKey, index: u64) -> Result<Vec<u8>, ReplicaError> {
        let feed = self.feeds.get(key).filter(|_| !self.hides).ok_or(ReplicaError::NotHeld)?;
        let shown = feed.branch(&self.files, index, feed.length());
        shown.map(|branch| branch.encode()).map_err(|_| ReplicaError::NotHeld)
    }

    fn compare_branch(
        &mut self,
        key: &PublicKey,
        index: u64,
        bytes: &[u8],
    ) -> Result<Compared, ReplicaError> {
        let theirs = Branch::decode(bytes).unwrap();
        theirs.verify(key).unwrap();
        let feed = &self.feeds[key];
        let at = |length| feed.tree_hash_at(&self.files, length).unwrap();
        let ours = feed.branch(&self.files, index, feed.length()).ok();
        Ok(match at(index) {
            _ if at(theirs.side.head.length) == Some(theirs.side.head.tree_hash) => {
                Compared::Later { same: theirs.side.head.length }
            }
            None => Compared::Unknown,
            Some(hash) if hash != tree_hash(&theirs.roots) => Compared::Earlier,
            Some(_) => match ours.filter(|ours| ours.side.leaf != theirs.side.leaf) {
                None => Compared::Later { same: index },
                Some(ours) => {
                    let proof = EquivocationProof::new(*key, ours, theirs).unwrap();
                    self.put(ItemKind::Evidence, &proof.encode());
                    Compared::Here
                }
            },
        })
    }

    fn sides_wanted(&self, _feed: &PublicKey) -> Vec<SideWanted> {
        self.sides.clone()
    }

    fn items(&self, kind: ItemKind) -> Vec<Hash> {
        self.items.keys().filter(|(one, _)| *one == kind).map(|(_, hash)| *hash).collect()
    }

    fn item(&self, kind: ItemKind, hash: &Hash) -> Option<Vec<u8>> {
        self.items.get(&(kind, *hash)).cloned()
    }

    fn accept_item(&mut self, kind: ItemKind, bytes: &[u8]) -> Result<bool, ReplicaError> {
        if bytes == b"forged" {
            return Err(ReplicaError::Peer("bad signature".into()));
        }
        let new = !self.items.contains_key(&(kind, blake2b(&[bytes])));
        if new {
            self.put(kind, bytes);
        }
        Ok(new)
    }
}

/// One end of a link.
pub(super) struct End {
    pub(super) link: usize,
    pub(super) session: Session,
    pub(super) exchange: Option<Exchange>,
    pub(super) closed: Option<CloseReason>,
    /// Messages of a hostile test that go around the exchange.
    pub(super) channel: Option<ChannelId>,
}

#[derive(Default)]
pub(super) struct Peer {
    pub(super) store: Store,
    pub(super) wants: Wants,
    pub(super) ends: Vec<End>,
}

/// Peers and links between them. Way 0 of a link is from the lower peer to the higher.
pub(super) struct Net {
    pub(super) peers: Vec<Peer>,
    pub(super) links: Vec<([usize; 2], [Pipe; 2], bool)>,
    pub(super) random: Seeded,
    pub(super) now: u64,
    /// Of a hundred listings, announcements, pushed tails and items so many are lost at the receiver.
    pub(super) lossy: u32,
    /// Messages that came, and to whom.
    pub(super) heard: Vec<(usize, Kind)>,
}

pub(super) fn space() -> PublicKey {
    Signer::from_seed(&[99; 32]).public()
}

impl Net {
    pub(super) fn new(seed: u64, peers: usize) -> Self {
        let peers = (0..peers).map(|_| Peer::default()).collect();
        Self {
            peers,
            links: Vec::new(),
            random: Seeded::new(seed),
            now: 1_000_000,
            lossy: 0,
            heard: Vec::new(),
        }
    }

    pub(super) fn connect(&mut self, one: usize, two: usize) -> usize {
        assert!(one < two);
        let link = self.links.len();
        self.links.push(([one, two], [Pipe::default(), Pipe::default()], true));
        for (peer, role, side) in [(one, Role::Initiator, 0), (two, Role::Responder, 1)] {
            let seed = u64::try_from(link * 2 + side).unwrap() + 1_000;
            let mut session = session(role, crate::sync::Carrier::Tab, seed, self.now);
            if side == 0 {
                session.open(space()).unwrap()
            } else {
                session.serve(space())
            }
            self.peers[peer].ends.push(End { link, session, exchange: None, closed: None, channel: None });
        }
        link
    }

    /// The carrier breaks without a word.
    pub(super) fn cut(&mut self, link: usize) {
        self.links[link].2 = false;
        for peer in self.links[link].0 {
            let peer = &mut self.peers[peer];
            let at = peer.ends.iter().position(|end| end.link == link).unwrap();
            if let Some(exchange) = peer.ends.remove(at).exchange {
                exchange.close(&mut peer.wants);
            }
        }
    }

    pub(super) fn carried(&self, link: usize) -> [usize; 2] {
        [self.links[link].1[0].carried, self.links[link].1[1].carried]
    }

    pub(super) fn end(&mut self, peer: usize, link: usize) -> &mut End {
        self.peers[peer].ends.iter_mut().find(|end| end.link == link).unwrap()
    }

    /// Lets every peer do all it can without waiting.
    pub(super) fn work(&mut self) {
        let now = self.now;
        for (number, peer) in self.peers.iter_mut().enumerate() {
            loop {
                let mut moved = false;
                let Peer { store, wants, ends } = peer;
                for feed in std::mem::take(&mut store.news) {
                    ends.iter_mut().filter_map(|end| end.exchange.as_mut()).for_each(|e| e.changed(&feed));
                }
                for (kind, hash) in std::mem::take(&mut store.new_items) {
                    ends.iter_mut()
                        .filter_map(|end| end.exchange.as_mut())
                        .for_each(|e| e.item_added(kind, hash));
                }
                for end in ends.iter_mut() {
                    if let Some(exchange) = &mut end.exchange
                        && let Err(fault) = exchange.pump(&mut end.session, store, wants, now)
                    {
                        end.session.fail(fault);
                    }
                    while let Some(output) = end.session.poll() {
                        moved = true;
                        match output {
                            SessionOutput::Send { bytes, .. } => {
                                let ([low, _], pipes, alive) = &mut self.links[end.link];
                                if *alive {
                                    pipes[usize::from(*low != number)].push(&bytes, now, &mut self.random);
                                }
                            }
                            SessionOutput::Established { .. } => {}
                            SessionOutput::ChannelOpened { channel, .. } => {
                                end.channel = Some(channel);
                                let peer = PeerId(u64::try_from(end.link).unwrap());
                                end.exchange = Some(Exchange::new(peer, channel, now));
                            }
                            SessionOutput::Message { message, .. } => {
                                let Some(exchange) = &mut end.exchange else { continue };
                                self.heard.push((number, message.kind()));
                                let unasked = matches!(
                                    message,
                                    Message::Announce { .. }
                                        | Message::Item { .. }
                                        | Message::Items { .. }
                                        | Message::Data { answers: Answers::Tail(_), .. }
                                );
                                if unasked && self.lossy > 0 && self.random.below(100) < self.lossy {
                                    continue;
                                }
                                if let Err(fault) = exchange.receive(message, store, wants, now) {
                                    end.session.fail(fault);
                                }
                            }
                            SessionOutput::Closed { reason } => {
                                end.closed = Some(reason);
                                if let Some(exchange) = end.exchange.take() {
                                    exchange.close(wants);
                                }
                            }
                            other => panic!("{other:?}"),
                        }
                    }
                }
                if !moved {
                    break;
                }
            }
        }
    }

    /// Works, then lets what is due next arrive; `false` if nothing is on its way.
    pub(super) fn step(&mut self) -> bool {
        self.work();
        let due = self.links.iter().filter(|link| link.2).flat_map(|(_, pipes, _)| pipes);
        let Some(at) = due.filter_map(Pipe::next_at).min() else { return false };
        self.now = self.now.max(at);
        for link in 0..self.links.len() {
            for way in 0..2 {
                let to = self.links[link].0[1 - way];
                while self.links[link].2
                    && let Some(bytes) = self.links[link].1[way].pull(self.now)
                {
                    let now = self.now;
                    // What is wrong shows in how the session closes.
                    let _ = self.end(to, link).session.receive(0, &bytes, now);
                }
            }
        }
        true
    }

    pub(super) fn settle(&mut self) {
        for _ in 0..200_000 {
            if self.step() {
                continue;
            }
            // Postponed announcements.
            let exchanges =
                self.peers.iter().flat_map(|peer| &peer.ends).filter_map(|end| end.exchange.as_ref());
            match exchanges.filter_map(Exchange::deadline).min() {
                Some(at) if at < self.now + 1_000 => self.now = self.now.max(at),
                _ => return,
            }
        }
        panic!("does not settle");
    }

    /// Lets so much time pass (ms).
    pub(super) fn run(&mut self, ms: u64) {
        let end = self.now + ms;
        loop {
            while self.step() {}
            let exchanges =
                self.peers.iter().flat_map(|peer| &peer.ends).filter_map(|end| end.exchange.as_ref());
            match exchanges.filter_map(Exchange::deadline).min() {
                Some(at) if at < end => self.now = self.now.max(at),
                _ => break,
            }
        }
        self.now = self.now.max(end);
        while self.step() {}
    }
}

pub(super) fn blocks(from: u64, count: u64) -> Vec<Vec<u8>> {
    (from..from + count).map(|at| blake2b(&[&at.to_le_bytes()]).0.repeat(4)[..100].to_vec()).collect()
}

pub(super) fn signer(seed: u8) -> Signer {
    Signer::from_seed(&[seed; 32])
}
