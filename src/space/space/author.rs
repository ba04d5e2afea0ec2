//! Own entries: what they name, and how they are appended.
//!
//! An entry names each other feed that grew, at the greatest length whose last entry is neither pending nor void, up
//! to the feed's cut; every 256th entry and every entry with access operations names all that was ever named. Only
//! counted writers are named, so nothing that is named can be clipped by an honest reader.

use super::{Space, epochs::new_epochs, replay::Fresh};
use crate::{
    collections::Map,
    crypto::{Entropy, Hash, PublicKey},
    feed::Feed,
    space::{AccessOp, Dep, Entry, MAX_DEPS, MAX_ENTRY, MAX_OPS, Op, SpaceError, Status, Version},
    storage::Files,
};

/// An entry with a full clock comes at every multiple of this index.
const FULL_CLOCK_EVERY: u64 = 256;

/// Where own entries continue.
#[derive(Clone, Default)]
pub(super) struct Own {
    /// What own entries have named so far.
    named: Map<PublicKey, (u64, Hash)>,
    /// Index of the last own entry with access operations.
    previous_access: Option<u64>,
}

/// An own entry to be.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) access: Vec<AccessOp>,
    pub(super) public: Vec<Op>,
    /// Operations to be sealed, and the epoch under which.
    pub(super) private: Option<(Hash, Vec<Op>)>,
}

impl Draft {
    pub(super) fn access(access: Vec<AccessOp>) -> Self {
        Self { access, ..Self::default() }
    }

    /// Makes its puts say that they adopt an operation.
    pub(super) fn adopt(&mut self, original: Version) {
        for op in self.private.iter_mut().flat_map(|(_, ops)| ops).chain(&mut self.public) {
            if let Op::Put { key, value } = op {
                let (key, value) = (core::mem::take(key), core::mem::take(value));
                *op = Op::Adopted { original, key, value };
            }
        }
    }
}

impl Space {
    /// Signs drafts into own entries, in one batch: all of them or none. Returns the index of the first.
    pub(super) fn append(
        &mut self,
        files: &mut Files,
        now: u64,
        entropy: &mut dyn Entropy,
        drafts: Vec<Draft>,
    ) -> Result<u64, SpaceError> {
        let new = new_epochs(&drafts);
        let first = self.append_all(files, now, entropy, drafts);
        if first.is_err() {
            // Nobody will ever hear of their keys.
            new.iter().for_each(|epoch| self.content.discard(epoch));
        }
        first
    }

    fn append_all(
        &mut self,
        files: &mut Files,
        now: u64,
        entropy: &mut dyn Entropy,
        drafts: Vec<Draft>,
    ) -> Result<u64, SpaceError> {
        let me = self.unlocked()?;
        if self.lost.contains(&me) {
            let why = "its stored entries were damaged, so it must sign in anew";
            return Err(SpaceError::NotAuthorised { writer: me, why });
        }
        self.open_feed(files, me)?;
        let (length, held) = (self.feeds.get(&me).map_or(0, Feed::length), self.contiguous(&me));
        // A peer has shown more of it: an older copy of this device was restored. What it wrote since comes first.
        let known = self.heard(&me);
        if held < known {
            return Err(SpaceError::Behind { length: known, held });
        }
        let mut own = match &self.own {
            Some(own) => own.clone(),
            None => self.read_own(files, &me)?,
        };
        let mut new_deps = self.new_deps(files, &me, &own)?;
        for dep in &new_deps {
            own.named.insert(dep.writer, (dep.length, dep.tree_hash));
        }
        let (mut blocks, mut entries) = (Vec::new(), Vec::new());
        for (draft, index) in drafts.into_iter().zip(length..) {
            let full_clock = index % FULL_CLOCK_EVERY == 0 || !draft.access.is_empty();
            let fresh = core::mem::take(&mut new_deps);
            let deps = if full_clock { own.deps() } else { fresh };
            let entry = self.finish(entropy, &me, index, now, &own, draft, deps, full_clock)?;
            if !entry.access.is_empty() {
                own.previous_access = Some(index);
            }
            let block = entry.encode();
            if block.len() > MAX_ENTRY {
                return Err(SpaceError::TooLarge { what: "entry", max: MAX_ENTRY, got: block.len() });
            }
            blocks.push(block);
            entries.push(entry);
        }
        let (Some(keys), Some(feed)) = (&self.keys, self.feeds.get_mut(&me)) else {
            return Err(SpaceError::Locked);
        };
        feed.append(files, &keys.signer, &blocks)?;
        let mut fresh = Fresh::default();
        for ((entry, block), index) in entries.into_iter().zip(&blocks).zip(length..) {
            self.give(files, &me, index, Some(entry), block.len(), &mut fresh)?;
        }
        let mut grown = core::mem::take(&mut self.grown);
        // Named in full: nothing to name until it grows again.
        grown.retain(|writer| *writer != me && own.named(writer) < self.given(writer));
        self.grown = grown;
        self.own = Some(own);
        self.access.grew(&me);
        self.settle(files, fresh)?;
        Ok(length)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one entry")]
    fn finish(
        &self,
        entropy: &mut dyn Entropy,
        me: &PublicKey,
        index: u64,
        now: u64,
        own: &Own,
        draft: Draft,
        deps: Vec<Dep>,
        full_clock: bool,
    ) -> Result<Entry, SpaceError> {
        if deps.len() > MAX_DEPS {
            return Err(SpaceError::TooMany { what: "writers", max: MAX_DEPS, got: deps.len() });
        }
        let mut entry = Entry {
            deps,
            full_clock,
            previous_access: own.previous_access,
            time: now,
            access: draft.access,
            public: draft.public,
            sealed: None,
        };
        if let Some((epoch, ops)) = draft.private {
            self.content
                .seal_ops(&mut entry, me, index, epoch, &ops, entropy)
                .ok_or(SpaceError::NoContentKey)?;
        }
        Ok(entry)
    }

    /// Prefixes of other feeds that own entries have not named yet.
    pub(super) fn new_deps(&self, files: &Files, me: &PublicKey, own: &Own) -> Result<Vec<Dep>, SpaceError> {
        let mut deps = Vec::new();
        for writer in self.grown.iter().filter(|writer| *writer != me) {
            let named = own.named(writer);
            let length = self.level(writer, named);
            let Some(feed) = self.feeds.get(writer).filter(|_| length > named) else { continue };
            if let Some(tree_hash) = feed.tree_hash_at(files, length)? {
                deps.push(Dep { writer: *writer, length, tree_hash });
            }
        }
        Ok(deps)
    }

    /// Greatest length at which a feed may be named; at most `named` if it may not be named further.
    fn level(&self, writer: &PublicKey, named: u64) -> u64 {
        let Some(state) = self.access.writer(writer).filter(|state| state.role.is_some()) else {
            return named;
        };
        let mut length = self.given(writer).min(state.cut_at.unwrap_or(u64::MAX));
        while length > named {
            match self.access.status(writer, length - 1) {
                None | Some(Status::Pending | Status::Void) => length -= 1,
                Some(_) => break,
            }
        }
        length
    }

    /// Reads back where own entries continue.
    pub(super) fn read_own(&self, files: &Files, me: &PublicKey) -> Result<Own, SpaceError> {
        let mut own = Own::default();
        let length = self.contiguous(me);
        for index in (0..length).rev() {
            let Some(entry) = self.entry(files, me, index)? else { continue };
            if index + 1 == length {
                own.previous_access =
                    if entry.access.is_empty() { entry.previous_access } else { Some(index) };
            }
            for dep in &entry.deps {
                // Later entries were read first, and theirs are longer.
                own.named.entry(dep.writer).or_insert((dep.length, dep.tree_hash));
            }
            if entry.full_clock {
                break;
            }
        }
        Ok(own)
    }

    /// Appends an entry that only says what this device has seen, if there is anything new to say.
    pub fn acknowledge(
        &mut self,
        files: &mut Files,
        now: u64,
        entropy: &mut dyn Entropy,
    ) -> Result<bool, SpaceError> {
        let me = self.unlocked()?;
        if !self.is_active(&me) {
            return Ok(false);
        }
        let own = match &self.own {
            Some(own) => own.clone(),
            None => self.read_own(files, &me)?,
        };
        if self.new_deps(files, &me, &own)?.is_empty() {
            return Ok(false);
        }
        self.append(files, now, entropy, vec![Draft::default()])?;
        Ok(true)
    }
}

impl Own {
    /// Length at which a feed was named last.
    pub(super) fn named(&self, writer: &PublicKey) -> u64 {
        self.named.get(writer).map_or(0, |(length, _)| *length)
    }

    /// All that was named, ascending by writer.
    pub(super) fn deps(&self) -> Vec<Dep> {
        let dep = |(writer, (length, tree_hash)): (&PublicKey, &(u64, Hash))| Dep {
            writer: *writer,
            length: *length,
            tree_hash: *tree_hash,
        };
        self.named.iter().map(dep).collect()
    }
}

#[cfg(any(test, feature = "hostile"))]
impl Own {
    /// Names what an own entry will name.
    pub(super) fn name(&mut self, deps: &[Dep]) {
        for dep in deps {
            self.named.insert(dep.writer, (dep.length, dep.tree_hash));
        }
    }

    /// Index of the last own entry with access operations.
    pub(super) const fn previous_access(&self) -> Option<u64> {
        self.previous_access
    }
}

/// Fails on more operations than one entry takes.
pub(super) fn check_count(got: usize) -> Result<(), SpaceError> {
    if got > MAX_OPS { Err(SpaceError::TooMany { what: "operations", max: MAX_OPS, got }) } else { Ok(()) }
}
