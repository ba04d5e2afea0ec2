//! What the access engine asks about signed feeds, and what the view asks the access engine.

use core::cell::{Cell, RefCell};

use super::branches::Side;
use crate::{
    collections::{Map, Set},
    crypto::{Hash, PublicKey},
    feed::{Branch, EquivocationProof, Feed, SignedHead, tree_hash},
    space::{Access, Cut, Prefix, Signed, SpaceError, Trees, view::Causality},
    storage::Files,
};

/// Small numbers for writer keys, so that places in the view are small.
#[derive(Default)]
pub(super) struct Numbers {
    keys: Vec<PublicKey>,
    numbers: Map<PublicKey, u32>,
}

impl Numbers {
    /// The number of a writer; a new one if it has none.
    pub(super) fn number(&mut self, writer: &PublicKey) -> u32 {
        if let Some(number) = self.numbers.get(writer) {
            return *number;
        }
        let number = u32::try_from(self.keys.len()).unwrap_or(u32::MAX);
        self.keys.push(*writer);
        self.numbers.insert(*writer, number);
        number
    }

    /// All writers by number.
    pub(super) fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// The number of a writer that has one.
    pub(super) fn find(&self, writer: &PublicKey) -> Option<u32> {
        self.numbers.get(writer).copied()
    }

    /// The writer with a number.
    pub(super) fn key(&self, number: u32) -> PublicKey {
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        self.keys.get(at).copied().unwrap_or(PublicKey([0; 32]))
    }
}

/// What is known of signed feeds beyond the feeds that are held.
#[derive(Default)]
pub(super) struct Claims {
    /// Prefixes that a writer signed, as cuts prove.
    proved: Map<PublicKey, Set<Prefix>>,
    /// Writers that signed two branches.
    forks: Map<PublicKey, Vec<EquivocationProof>>,
    taken: usize,
}

impl Claims {
    /// Takes what a cut shows of its target's feed; returns whether that is new and true.
    pub(super) fn add_cut(&mut self, cut: &Cut) -> bool {
        let Some(prefixes) = shown_by(cut) else { return false };
        let proved = self.proved.entry(cut.writer).or_default();
        prefixes.into_iter().fold(false, |new, prefix| proved.insert(prefix) | new)
    }

    /// Takes a verified proof; returns whether it is new. Then all that are kept may not be one more: a low one takes the
    /// place of the highest.
    pub(super) fn add_fork(&mut self, proof: EquivocationProof) -> bool {
        let forks = self.forks.entry(proof.key).or_default();
        let heads = |proof: &EquivocationProof| proof.sides.each_ref().map(|side| side.head);
        if forks.iter().any(|known| heads(known) == heads(&proof)) {
            return false;
        }
        // Whoever signs two histories can sign a thousand: only a lower fork says more than enough of them do.
        if forks.len() >= ENOUGH_FORKS {
            if forks.iter().any(|known| known.index <= proof.index) {
                return false;
            }
            let highest = forks.iter().map(|known| known.index).max();
            if let Some(at) = forks.iter().position(|known| Some(known.index) == highest) {
                forks.remove(at);
            }
        }
        forks.push(proof);
        self.taken += 1;
        true
    }

    /// How many proofs were taken so far.
    pub(super) const fn taken(&self) -> usize {
        self.taken
    }

    pub(super) fn forks(&self) -> impl Iterator<Item = &EquivocationProof> {
        self.forks.values().flatten()
    }

    fn fork(&self, writer: &PublicKey) -> Option<u64> {
        self.forks.get(writer)?.iter().map(|proof| proof.index).min()
    }

    fn heads(&self, writer: &PublicKey) -> impl Iterator<Item = &SignedHead> {
        self.forks.get(writer).into_iter().flatten().flat_map(|proof| &proof.sides).map(|side| &side.head)
    }
}

/// Proofs of equivocation that are kept of one writer.
const ENOUGH_FORKS: usize = 16;

/// The prefixes that a cut's head and proof show to be signed; `None` if they show nothing.
fn shown_by(cut: &Cut) -> Option<Vec<Prefix>> {
    let head = SignedHead::decode(&cut.head).ok().filter(|head| head.fork == 0)?;
    head.verify(&cut.writer).ok()?;
    let (at_head, at_cut) = (
        Prefix { length: head.length, tree_hash: head.tree_hash },
        Prefix { length: cut.length, tree_hash: cut.tree_hash },
    );
    if at_head == at_cut {
        return Some(vec![at_head]);
    }
    let branch = Branch::decode(&cut.proof).ok()?;
    let fits = branch.index == cut.length
        && branch.side.head == head
        && tree_hash(&branch.roots) == cut.tree_hash
        && branch.verify(&cut.writer).is_ok();
    fits.then(|| vec![at_cut, at_head])
}

/// Facts about signed feeds.
pub(super) struct FeedTrees<'a> {
    pub(super) files: &'a Files,
    pub(super) feeds: &'a Map<PublicKey, Feed>,
    pub(super) claims: &'a Claims,
    pub(super) sides: &'a Map<PublicKey, Vec<Side>>,
    /// Feeds of which nodes were asked for that are not in memory.
    missed: RefCell<Set<PublicKey>>,
    /// Some of them were to tell what two branches share.
    branches: Cell<bool>,
}

impl<'a> FeedTrees<'a> {
    pub(super) const fn new(
        files: &'a Files,
        feeds: &'a Map<PublicKey, Feed>,
        claims: &'a Claims,
        sides: &'a Map<PublicKey, Vec<Side>>,
    ) -> Self {
        Self { files, feeds, claims, sides, missed: RefCell::new(Set::new()), branches: Cell::new(false) }
    }

    /// Feeds about which an answer may be another once their trees are in memory, and whether one of the answers was what
    /// two branches share.
    pub(super) fn missed(self) -> (Set<PublicKey>, bool) {
        (self.missed.into_inner(), self.branches.get())
    }

    /// Tree hash of a branch at a length, if that can be told now.
    fn hash_at(&self, feed: &Feed, length: u64) -> Option<Hash> {
        feed.tree_hash_at(self.files, length).unwrap_or_else(|error| {
            if SpaceError::from(error).is_absent() {
                self.missed.borrow_mut().insert(feed.key());
            }
            None
        })
    }

    /// Whether the feed that is held begins with a prefix.
    pub(super) fn holds(&self, writer: &PublicKey, prefix: &Prefix) -> bool {
        prefix.length == 0 || self.held(writer, prefix.length) == Some(prefix.tree_hash)
    }

    /// Whether two prefixes that the main branch does not hold are of one other branch, as far as is known.
    fn one_side(&self, writer: &PublicKey, a: &Prefix, b: &Prefix) -> bool {
        let sides = self.sides.get(writer).map_or(&[][..], Vec::as_slice);
        let on =
            |side: &Side, prefix: &Prefix| self.hash_at(&side.feed, prefix.length) == Some(prefix.tree_hash);
        let place = |prefix| sides.iter().position(|side| on(side, prefix));
        match (place(a), place(b)) {
            (Some(a), Some(b)) => a == b,
            _ => true,
        }
    }

    /// Whether another branch that is held begins with a prefix.
    fn aside(&self, writer: &PublicKey, prefix: &Prefix) -> bool {
        self.sides
            .get(writer)
            .into_iter()
            .flatten()
            .any(|side| self.hash_at(&side.feed, prefix.length) == Some(prefix.tree_hash))
    }

    fn held(&self, writer: &PublicKey, length: u64) -> Option<Hash> {
        self.hash_at(self.feeds.get(writer)?, length)
    }
}

impl Trees for FeedTrees<'_> {
    fn length(&self, writer: &PublicKey) -> u64 {
        let held = self.feeds.get(writer).map_or(0, Feed::length);
        let proved = self.claims.proved.get(writer).into_iter().flatten().map(|prefix| prefix.length);
        let aside = self.sides.get(writer).into_iter().flatten().map(|side| side.feed.length());
        proved.chain(self.claims.heads(writer).map(|head| head.length)).chain(aside).fold(held, u64::max)
    }

    fn fork(&self, writer: &PublicKey) -> Option<u64> {
        self.claims.fork(writer)
    }

    fn signed(&self, writer: &PublicKey, length: u64, tree_hash: &Hash) -> Signed {
        let prefix = Prefix { length, tree_hash: *tree_hash };
        let proved = self.claims.proved.get(writer).is_some_and(|prefixes| prefixes.contains(&prefix))
            || self.claims.heads(writer).any(|head| (head.length, head.tree_hash) == (length, *tree_hash));
        // Looking into trees costs reading, which what a head shows does not.
        if proved {
            return Signed::Yes;
        }
        match self.held(writer, length) {
            Some(held) if held == *tree_hash => Signed::Yes,
            _ if self.aside(writer, &prefix) => Signed::Yes,
            // Of another branch only its head is known: what lies between fork and head may be what is asked for.
            Some(_) if self.claims.fork(writer).is_none_or(|fork| length <= fork) => Signed::Contradicted,
            _ => Signed::Unknown,
        }
    }

    fn shared(&self, writer: &PublicKey, a: &Prefix, b: &Prefix) -> u64 {
        let (shortest, before) = (a.length.min(b.length), self.missed.borrow().iter().len());
        let ours = |prefix| self.holds(writer, prefix);
        if a == b || (ours(a) && ours(b)) || (!ours(a) && !ours(b) && self.one_side(writer, a, b)) {
            return shortest;
        }
        self.branches.set(self.branches.get() || self.missed.borrow().iter().len() > before);
        self.claims.fork(writer).map_or(shortest, |fork| shortest.min(fork))
    }
}

/// Answers the view from the access engine.
pub(super) struct Judge<'a> {
    pub(super) access: &'a Access,
    pub(super) numbers: &'a Numbers,
}

impl Causality for Judge<'_> {
    fn precedes(&self, entry: (u32, u64), other: (u32, u64)) -> bool {
        let (writer, of) = (self.numbers.key(entry.0), self.numbers.key(other.0));
        self.access.precedes((&writer, entry.1), (&of, other.1))
    }

    fn rank(&self, writer: u32, index: u64) -> (u64, [u8; 32]) {
        let key = self.numbers.key(writer);
        (self.access.order(&key, index).unwrap_or(0), key.0)
    }
}
