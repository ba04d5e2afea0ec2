//! The role of a replica: a key of its own, spaces by their links, and quotas.
//!
//! It has no account, no passphrase and no key of any space, so it reads what anybody reads. What it holds its own page
//! decides; nothing that comes from a peer adds a space. Its key is kept as "stay signed in" keeps a device's: under
//! a key that does not leave the browser.
//!
//! ```text
//! node/quotas   version u8 │ count │ each: space key 32 │ varint bytes
//! ```
//! Counted are the blocks of feeds, and what comes in one message (64 KiB, or one block) is taken whole or not at all. Past a quota nothing is fetched and nothing that is pushed is taken; what is held stays,
//! and is served. Root records and manifests are few and bounded, and always taken.

use zeroize::Zeroizing;

use crate::{
    codec::{DecodeError, Reader, Writer},
    collections::{Map, Set},
    crypto::{Entropy, PublicKey, Signer},
    feed::Feed,
    node::{
        Call, Event, Node, NodeError, Options, Output, Reply, SpaceCall, persist,
        spaces::memberships::MAX_SPACES,
    },
    storage::Files,
};

/// What a replica holds, and may.
#[derive(Default)]
pub(in crate::node) struct Holding {
    /// The replica's key; `None` for a person's node.
    seed: Option<Zeroizing<[u8; 32]>>,
    /// Bytes of all spaces together; `None` without a limit.
    total: Option<u64>,
    /// Bytes of each space that has no quota of its own; `None` without a limit.
    each: Option<u64>,
    own: Map<PublicKey, u64>,
    /// Bytes held of each space.
    used: Map<PublicKey, u64>,
    /// Spaces of which more was there than may be held.
    full: Set<PublicKey>,
    /// Spaces whose bytes will be counted again when the pages that tell are in memory.
    unsure: Set<PublicKey>,
}

/// What is to be remembered of a replica's key, if it is new.
pub(in crate::node) type NewSeed = Option<Zeroizing<Vec<u8>>>;

/// A space that a replica holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HeldSpace {
    /// Its key.
    pub space: PublicKey,
    /// Bytes of blocks held.
    pub bytes: u64,
    /// Bytes that may be held; `None` without a limit.
    pub quota: Option<u64>,
    /// Whether there is more of it than may be held.
    pub full: bool,
}

impl Holding {
    /// For a person's node, or for a replica with the key that was remembered, or with a new one.
    pub(in crate::node) fn open(
        options: &Options,
        remembered: Option<&[u8]>,
        files: &mut Files,
        entropy: &mut dyn Entropy,
    ) -> Result<(Self, NewSeed), NodeError> {
        if !options.replica {
            return Ok((Self::default(), None));
        }
        // Without the list the quota of all holds for each.
        let own =
            persist::whole_or_anew(files, QUOTAS)?.and_then(|bytes| decode(&bytes).ok()).unwrap_or_default();
        let kept = remembered.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()).map(Zeroizing::new);
        let fresh = kept.is_none();
        let seed = kept.unwrap_or_else(|| Zeroizing::new(entropy.array32()));
        let (total, each) = (options.quota, options.space_quota);
        let remember = fresh.then(|| Zeroizing::new(seed.to_vec()));
        let seed = Some(seed);
        Ok((
            Self { seed, total, each, own, used: Map::new(), full: Set::new(), unsure: Set::new() },
            remember,
        ))
    }

    /// Whether this is a replica.
    const fn is_replica(&self) -> bool {
        self.seed.is_some()
    }

    /// The replica's key; `None` for a person's node.
    pub(in crate::node) fn key(&self) -> Option<Signer> {
        self.seed.as_deref().map(Signer::from_seed)
    }

    fn quota(&self, space: &PublicKey) -> Option<u64> {
        self.own.get(space).copied().or(self.each)
    }

    /// Whether there is more of a space than may be held.
    pub(super) fn is_full(&self, space: &PublicKey) -> bool {
        self.full.contains(space)
    }

    /// Bytes of a space that may still be taken in.
    pub(in crate::node) fn room(&self, space: &PublicKey) -> u64 {
        if self.is_full(space) {
            return 0;
        }
        let used = |space: &PublicKey| self.used.get(space).copied().unwrap_or_default();
        let all: u64 = self.used.values().sum();
        let in_space = self.quota(space).map_or(u64::MAX, |quota| quota.saturating_sub(used(space)));
        in_space.min(self.total.map_or(u64::MAX, |total| total.saturating_sub(all)))
    }

    /// Bytes of a space came in; `full`: some were refused, since there was no room for them.
    pub(in crate::node) fn took(&mut self, space: PublicKey, bytes: u64, full: bool) -> bool {
        if !self.is_replica() {
            return false;
        }
        let used = self.used.entry(space).or_default();
        *used = used.saturating_add(bytes);
        full && self.full.insert(space)
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned();
        out.count(self.own.len());
        for (space, quota) in self.own.iter() {
            out.raw(&space.0).varint(*quota);
        }
        out.finish()
    }
}

fn decode(bytes: &[u8]) -> Result<Map<PublicKey, u64>, DecodeError> {
    let mut reader = Reader::versioned(bytes)?;
    let mut own = Map::new();
    for _ in 0..reader.count("quotas", MAX_SPACES)? {
        own.insert(PublicKey(reader.array()?), reader.varint()?);
    }
    reader.end()?;
    Ok(own)
}

impl Node {
    /// The replica's key, if this node is one.
    pub fn replica_key(&self) -> Option<PublicKey> {
        self.holding.key().map(|key| key.public())
    }

    /// Bytes that a replica may hold of all spaces together; `None` without a limit.
    pub const fn quota(&self) -> Option<u64> {
        self.holding.total
    }

    /// What a replica holds; nothing for a person's node.
    pub fn held_spaces(&self) -> Vec<HeldSpace> {
        let holding = &self.holding;
        let held = |space: PublicKey| HeldSpace {
            space,
            bytes: holding.used.get(&space).copied().unwrap_or_default(),
            quota: holding.quota(&space),
            full: holding.is_full(&space),
        };
        match holding.is_replica() {
            true => self.spaces.keys().into_iter().map(held).collect(),
            false => Vec::new(),
        }
    }

    /// Begins as a replica: no look-up, no account; a link that was given is held.
    pub(in crate::node) fn start_replica(
        &mut self,
        remember: Option<Zeroizing<Vec<u8>>>,
    ) -> Result<(), NodeError> {
        if self.account.device.is_some() {
            return Err(NodeError::bad_input(
                "this database belongs to a person's device; open the replica under another name",
            ));
        }
        if let Some(seed) = remember {
            self.durable.now(Output::Remember(Some(seed)));
        }
        self.open_memberships()?;
        if let Some(space) = self.options.link {
            self.join(space, None)?;
        }
        for space in self.spaces.keys() {
            self.measure(space);
        }
        self.tell_state();
        Ok(())
    }

    /// Holds a space from now on, with a quota of its own in bytes, if one is named.
    pub(in crate::node) fn hold(&mut self, space: PublicKey, quota: Option<u64>) -> Result<Reply, NodeError> {
        if !self.holding.is_replica() {
            return Err(NodeError::bad_input("only a replica holds spaces; a person joins them"));
        }
        let reply = self.join(space, None)?;
        match quota {
            Some(quota) => self.holding.own.insert(space, quota),
            None => self.holding.own.remove(&space),
        };
        persist::replace(&mut self.files, QUOTAS, &self.holding.encode());
        self.measure(space);
        self.make_room();
        Ok(reply)
    }

    /// A space is not here any more: others may have its room.
    pub(in crate::node) fn released(&mut self, space: &PublicKey) {
        self.promises.closed(space);
        if self.holding.is_replica() {
            self.holding.used.remove(space);
            self.holding.full.remove(space);
            self.holding.unsure.remove(space);
            if self.holding.own.remove(space).is_some() {
                persist::replace(&mut self.files, QUOTAS, &self.holding.encode());
            }
            self.make_room();
        }
    }

    /// Blocks of a space came in, or were refused for want of room.
    pub(in crate::node) fn took(&mut self, space: PublicKey, bytes: u64, full: bool) {
        if self.holding.took(space, bytes, full) {
            // What came twice was counted twice; and it is told once.
            self.measure(space);
            self.event(Event::Full(space));
        }
    }

    fn measure(&mut self, space: PublicKey) {
        let Some(joined) = self.spaces.get(&space) else { return };
        let mut unsure = false;
        // All of it, until that can be told.
        let held = |feed: &Feed| {
            let held = feed.held_bytes(&self.files);
            unsure |= held.is_err();
            held.unwrap_or_else(|_| feed.byte_length())
        };
        let bytes = joined.space.feeds().map(held).sum();
        self.holding.used.insert(space, bytes);
        match unsure {
            true => self.holding.unsure.insert(space),
            false => self.holding.unsure.remove(&space),
        };
    }

    /// Pages have come: what they tell is counted again.
    pub(in crate::node) fn measure_again(&mut self) {
        let unsure: Vec<PublicKey> = self.holding.unsure.iter().copied().collect();
        for space in &unsure {
            self.measure(*space);
        }
        if !unsure.is_empty() {
            self.make_room();
        }
    }

    /// Goes on with spaces that were full, if they are not any more.
    fn make_room(&mut self) {
        let full: Vec<PublicKey> = self.holding.full.iter().copied().collect();
        for space in full {
            self.holding.full.remove(&space);
            self.refresh_links(space);
        }
    }
}

/// Whether a replica may be asked that: it has no account, and writes nothing.
pub(in crate::node) fn suits_replica(call: &Call) -> bool {
    match call {
        Call::AddHub { .. } | Call::Hold { .. } | Call::Import { .. } | Call::RemoveHub { .. } => true,
        Call::Join { invite, .. } => invite.is_none(),
        Call::In { act, .. } => matches!(act, SpaceCall::Leave | SpaceCall::Sync { .. }),
        Call::Once { call, .. } => suits_replica(call),
        _ => false,
    }
}

const QUOTAS: &str = "node/quotas";
