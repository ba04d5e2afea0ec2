//! What an honest device never does, with its real keys: for tests of those who must bear it.
//!
//! Nothing here is in a package: it exists in tests and under the feature `hostile` only.
//!
//! A hostile entry is appended whatever this device may do by now. After [`Space::hostile_freeze`] it claims to be of
//! that moment: its time is then, and it names what its earlier entries named or what was here then, nothing later. So
//! it cannot be told from one that was written then, save by its index.

use super::Space;
use crate::{
    collections::Map,
    crypto::PublicKey,
    feed::Feed,
    space::{AccessOp, Clock, Dep, Entry, Grant, Op, PersonId, Role, SpaceError, WriteOp},
    storage::Files,
};

/// How this device misbehaves without being asked each time.
#[derive(Clone, Default)]
pub struct Hostile {
    /// It goes on as if it had not been removed.
    pub ignores_cut: bool,
    /// Feeds of which peers are given so many blocks only, though the head is shown.
    pub withheld: Map<PublicKey, u64>,
    /// When its entries claim to have been written (ms), and what was here then.
    pub frozen: Option<(u64, Clock)>,
}

impl Space {
    /// A feed, to do with it what a node that lost or dropped its blocks did.
    #[cfg(test)]
    #[expect(clippy::missing_panics_doc, reason = "in tests")]
    pub fn hostile_feed(&mut self, feed: &PublicKey) -> &mut Feed {
        self.feeds.get_mut(feed).unwrap()
    }

    /// How this device misbehaves.
    pub const fn hostile(&self) -> &Hostile {
        &self.hostile
    }

    /// Changes how it does.
    pub const fn hostile_mut(&mut self) -> &mut Hostile {
        &mut self.hostile
    }

    /// How many of the `held` blocks of a feed peers are given.
    pub fn hostile_shown(&self, feed: &PublicKey, held: u64) -> u64 {
        self.hostile.withheld.get(feed).map_or(held, |length| held.min(*length))
    }

    /// Hostile entries claim to be of this moment (ms) from now on.
    pub fn hostile_freeze(&mut self, now: u64) {
        self.hostile.frozen = Some((now, self.clock()));
    }

    /// Adds the first `length` entries of a writer to what its entries claim to have seen at the frozen moment.
    pub fn hostile_also_seen(&mut self, writer: PublicKey, length: u64) {
        if let Some((_, clock)) = &mut self.hostile.frozen {
            clock.insert(writer, length);
        }
    }

    /// Appends one entry, whoever may write. Nothing of it is sealed. Returns its index.
    pub fn hostile_append(
        &mut self,
        files: &mut Files,
        now: u64,
        access: Vec<AccessOp>,
        public: Vec<Op>,
    ) -> Result<u64, SpaceError> {
        let me = self.unlocked()?;
        let (time, seen) = self.hostile.frozen.clone().unwrap_or_else(|| (now, self.clock()));
        let mut own = self.read_own(files, &me)?;
        let mut deps: Vec<Dep> = Vec::new();
        for (writer, length) in seen {
            let Some(feed) = self.feeds.get(&writer).filter(|_| writer != me) else { continue };
            if length > own.named(&writer)
                && let Some(tree_hash) = feed.tree_hash_at(files, length)?
            {
                deps.push(Dep { writer, length, tree_hash });
            }
        }
        own.name(&deps);
        let (deps, previous_access) = (own.deps(), own.previous_access());
        let entry = Entry { deps, full_clock: true, previous_access, time, access, public, sealed: None };
        self.hostile_block(files, entry.encode())
    }

    /// Appends a block of any bytes. Returns its index.
    pub fn hostile_block(&mut self, files: &mut Files, block: Vec<u8>) -> Result<u64, SpaceError> {
        let me = self.unlocked()?;
        self.open_feed(files, me)?;
        let (Some(keys), Some(feed)) = (&self.keys, self.feeds.get_mut(&me)) else {
            return Err(SpaceError::Locked);
        };
        let index = feed.length();
        feed.append(files, &keys.signer, &[block])?;
        self.own = None;
        self.advance(files, &me)?;
        Ok(index)
    }

    /// Writes what a page would write, in public.
    pub fn hostile_write(
        &mut self,
        files: &mut Files,
        now: u64,
        ops: Vec<WriteOp>,
    ) -> Result<u64, SpaceError> {
        let op = |op| match op {
            WriteOp::Put { key, value, .. } => Op::Put { key, value },
            WriteOp::Delete { key, .. } => Op::Delete { key },
        };
        self.hostile_append(files, now, Vec::new(), ops.into_iter().map(op).collect())
    }

    /// Grants a key, as an admin of this device's person.
    pub fn hostile_grant(
        &mut self,
        files: &mut Files,
        now: u64,
        writer: PublicKey,
    ) -> Result<u64, SpaceError> {
        let me = self.unlocked()?;
        let person = self.access.writer(&me).and_then(|state| state.persons.first().copied());
        let person = person.unwrap_or_else(|| PersonId::founded_by(&me));
        let (role, install_id) = (Role::Admin, [0; 16]);
        let grant = Grant { writer, person, role, from_now_on: false, install_id, name: None, invite: None };
        self.hostile_append(files, now, vec![AccessOp::Grant(grant)], Vec::new())
    }

    /// Cuts keys in one entry: at what was held of them at the frozen moment, if there is one, else at what is held.
    pub fn hostile_cut(
        &mut self,
        files: &mut Files,
        now: u64,
        writers: &[PublicKey],
    ) -> Result<u64, SpaceError> {
        let mut cuts = Vec::new();
        for writer in writers {
            let then = self.hostile.frozen.as_ref();
            let length = then.map(|(_, clock)| clock.get(writer).copied().unwrap_or_default());
            cuts.push(AccessOp::Cut(self.cut_at(files, *writer, length)?));
        }
        self.hostile_append(files, now, cuts, Vec::new())
    }

    /// Puts another history in the place of its own feed from block `at` on: one entry that writes `ops`.
    pub fn hostile_fork(
        &mut self,
        files: &mut Files,
        now: u64,
        at: u64,
        ops: Vec<WriteOp>,
    ) -> Result<u64, SpaceError> {
        let me = self.unlocked()?;
        let feed = self.feeds.get(&me).ok_or(SpaceError::NoWriter { writer: me })?;
        let mut blocks = Vec::new();
        for index in 0..at.min(feed.length()) {
            blocks.push(feed.get(files, index)?.unwrap_or_default());
        }
        let keys = self.keys.take().ok_or(SpaceError::Locked)?;
        Feed::remove(files, &me);
        let mut feed = Feed::open(files, me)?;
        if !blocks.is_empty() {
            feed.append(files, &keys.signer, &blocks)?;
        }
        // Everything that follows from the feeds is computed anew.
        let hostile = core::mem::take(&mut self.hostile);
        *self = Self::open(files, self.key)?;
        self.hostile = hostile;
        self.unlock(files, keys)?;
        self.hostile_write(files, now, ops)
    }
}
