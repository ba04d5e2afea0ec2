//! Writing data: puts and removals, all or nothing.
//!
//! To writers the public and the private value of a key are one value. So a private put over a public value also
//! removes that in clear, and a removal names the key in clear only where a public value of it exists.

use super::{
    Space,
    author::{Draft, check_count},
    trees::Judge,
};
use crate::{
    collections::{Map, Set},
    crypto::{Entropy, PublicKey},
    space::{Expect, Item, Op, SpaceError, Version, WriteOp, WriterStanding},
    storage::Files,
};

/// Where in the entry a write ended up.
#[derive(Clone, Copy)]
enum Slot {
    Public(usize),
    Private(usize),
}

/// A write that is ready to be appended.
struct Ready {
    ops: Vec<WriteOp>,
    /// Of each, where it or what stands in its stead is.
    slots: Vec<Slot>,
    first_private: usize,
    /// Its place among the drafts.
    at: usize,
    /// What its puts adopt.
    adopted: Option<Version>,
}

impl Space {
    /// Writes one entry with all of `ops`, or nothing. Of several writes to one key the last stands. Returns what each
    /// write's key holds now.
    pub fn write(
        &mut self,
        files: &mut Files,
        now: u64,
        entropy: &mut dyn Entropy,
        ops: Vec<WriteOp>,
    ) -> Result<Vec<Item>, SpaceError> {
        self.write_as(files, now, entropy, ops, None)
    }

    /// The same; puts say that they adopt `original`, if it is given.
    pub(super) fn write_as(
        &mut self,
        files: &mut Files,
        now: u64,
        entropy: &mut dyn Entropy,
        ops: Vec<WriteOp>,
        original: Option<Version>,
    ) -> Result<Vec<Item>, SpaceError> {
        let me = self.author()?;
        let mut drafts = Vec::new();
        let mut ready = self.prepare(files, entropy, ops, &mut drafts)?;
        if let (Some(original), Some(draft)) = (original, drafts.last_mut()) {
            ready.adopted = Some(original);
            draft.adopt(original);
        }
        if drafts.is_empty() {
            return Ok(Vec::new());
        }
        let first = self.append(files, now, entropy, drafts)?;
        Ok(ready.written(me, first, now))
    }

    /// Writes one entry for each list, as [`Space::write`] does one after another, but signs as many as possible at once.
    pub fn write_many(
        &mut self,
        files: &mut Files,
        now: u64,
        entropy: &mut dyn Entropy,
        writes: Vec<Vec<WriteOp>>,
    ) -> Vec<Result<Vec<Item>, SpaceError>> {
        let mut results = Vec::with_capacity(writes.len());
        let (mut group, mut touched): (Vec<Vec<WriteOp>>, Set<String>) = Default::default();
        let may_seal = |op: &WriteOp| !matches!(op, WriteOp::Put { private: false, .. });
        // Puts in clear depend on nothing: where there are no others, nobody asks what was touched.
        let is_asked = writes.iter().flatten().any(may_seal);
        for ops in writes {
            // What depends on a write before it is planned after that one is done.
            let begins_epoch = ops.iter().any(may_seal) && self.usable_epoch().is_none();
            let depends = |op: &WriteOp| op.expect() != Expect::Any || touched.contains(op.key());
            if begins_epoch || ops.iter().any(depends) {
                results.extend(self.write_group(files, now, entropy, core::mem::take(&mut group)));
                touched.clear();
            }
            if is_asked {
                touched.extend(ops.iter().map(|op| op.key().to_owned()));
            }
            group.push(ops);
            if begins_epoch {
                results.extend(self.write_group(files, now, entropy, core::mem::take(&mut group)));
            }
        }
        results.extend(self.write_group(files, now, entropy, group));
        results
    }

    /// Writes that do not depend on one another: one signature for all.
    fn write_group(
        &mut self,
        files: &mut Files,
        now: u64,
        entropy: &mut dyn Entropy,
        group: Vec<Vec<WriteOp>>,
    ) -> Vec<Result<Vec<Item>, SpaceError>> {
        let me = match (group.len(), self.author()) {
            (2.., Ok(me)) => me,
            _ => return group.into_iter().map(|ops| self.write(files, now, entropy, ops)).collect(),
        };
        let mut drafts = Vec::new();
        let ready: Vec<_> =
            group.into_iter().map(|ops| self.prepare(files, entropy, ops, &mut drafts)).collect();
        match self.append(files, now, entropy, drafts) {
            Ok(first) => ready.into_iter().map(|ready| Ok(ready?.written(me, first, now))).collect(),
            // One of them is too large, say: each for itself, so that the others stand.
            Err(_) => ready.into_iter().map(|ready| self.write(files, now, entropy, ready?.ops)).collect(),
        }
    }

    /// Checks a write, and adds its entry, and one for a new epoch if it needs that, to the drafts.
    fn prepare(
        &mut self,
        files: &Files,
        entropy: &mut dyn Entropy,
        ops: Vec<WriteOp>,
        drafts: &mut Vec<Draft>,
    ) -> Result<Ready, SpaceError> {
        check_count(ops.len())?;
        for op in &ops {
            op.check()?;
            self.check_expect(files, op)?;
        }
        if ops.is_empty() {
            return Ok(Ready { ops, slots: Vec::new(), first_private: 0, at: 0, adopted: None });
        }
        // Of several writes to one key the last stands.
        let mut last: Map<&str, usize> = Map::new();
        let mut stands = Vec::with_capacity(ops.len());
        for (at, op) in ops.iter().enumerate() {
            stands.push(at);
            if let Some(earlier) = last.insert(op.key(), at).and_then(|earlier| stands.get_mut(earlier)) {
                *earlier = at;
            }
        }
        for at in (0..stands.len()).rev() {
            let next = stands.get(at).and_then(|next| stands.get(*next)).copied();
            if let (Some(stand), Some(next)) = (stands.get_mut(at), next) {
                *stand = next;
            }
        }
        let (mut public, mut private) = (Vec::with_capacity(ops.len()), Vec::new());
        let mut placed = Vec::with_capacity(ops.len());
        for ((at, op), stand) in ops.iter().enumerate().zip(&stands) {
            placed.push(match at == *stand {
                true => self.place_write(files, op, &mut public, &mut private)?,
                false => Slot::Public(0),
            });
        }
        let slots =
            stands.iter().map(|stand| placed.get(*stand).copied().unwrap_or(Slot::Public(0))).collect();
        let first_private = public.len();
        let private = match private.is_empty() {
            true => None,
            false => Some((self.epoch_for_writing(entropy, drafts)?, private)),
        };
        let at = drafts.len();
        drafts.push(Draft { public, private, ..Draft::default() });
        Ok(Ready { ops, slots, first_private, at, adopted: None })
    }

    /// This device's key, if it may write.
    pub(super) fn author(&self) -> Result<PublicKey, SpaceError> {
        let writer = self.unlocked()?;
        match self.access.writer(&writer) {
            Some(state) if state.standing == WriterStanding::Active => Ok(writer),
            Some(state) if state.role.is_some() => {
                Err(SpaceError::NotAuthorised { writer, why: "it was removed" })
            }
            _ => Err(SpaceError::NotAuthorised { writer, why: "it is not granted" }),
        }
    }

    /// Reads what writing an operation reads.
    pub(super) fn touch_write(&self, files: &Files, op: &WriteOp) {
        let _ = self.check_expect(files, op);
        if !matches!(op, WriteOp::Put { private: false, .. }) {
            let _ = self.is_public(files, op.key());
        }
    }

    fn check_expect(&self, files: &Files, op: &WriteOp) -> Result<(), SpaceError> {
        let judge = Judge { access: &self.access, numbers: &self.numbers };
        let winner = || -> Result<_, SpaceError> {
            let slot = self.view.slot(files, op.key(), &judge)?;
            Ok(slot.and_then(|slot| slot.heads(&judge).first().copied()))
        };
        let winner = || self.surely(files, &winner);
        let (fits, got) = match op.expect() {
            Expect::Any => return Ok(()),
            Expect::Absent => {
                let got = winner()?.filter(|place| !place.delete);
                (got.is_none(), got)
            }
            Expect::Version(version) => {
                let got = winner()?;
                (got.is_some_and(|place| self.version(&place) == version), got)
            }
        };
        if fits {
            return Ok(());
        }
        Err(SpaceError::Conflict { key: op.key().to_owned(), got: got.map(|place| self.version(&place)) })
    }

    /// Adds a write's operations; returns where the one that its caller will see is.
    fn place_write(
        &self,
        files: &Files,
        op: &WriteOp,
        public: &mut Vec<Op>,
        private: &mut Vec<Op>,
    ) -> Result<Slot, SpaceError> {
        let remove = || Op::Delete { key: op.key().to_owned() };
        Ok(match op {
            WriteOp::Put { key, value, private: false, .. } => {
                public.push(Op::Put { key: key.clone(), value: value.clone() });
                Slot::Public(public.len() - 1)
            }
            WriteOp::Put { key, value, private: true, .. } => {
                if self.is_public(files, key)? {
                    public.push(remove());
                }
                private.push(Op::Put { key: key.clone(), value: value.clone() });
                Slot::Private(private.len() - 1)
            }
            WriteOp::Delete { key, .. } if self.is_public(files, key)? => {
                public.push(remove());
                Slot::Public(public.len() - 1)
            }
            WriteOp::Delete { .. } => {
                private.push(remove());
                Slot::Private(private.len() - 1)
            }
        })
    }

    /// Whether a key holds a value for those who read public entries only.
    fn is_public(&self, files: &Files, key: &str) -> Result<bool, SpaceError> {
        self.surely(files, &|| self.is_public_once(files, key))
    }

    fn is_public_once(&self, files: &Files, key: &str) -> Result<bool, SpaceError> {
        let judge = Judge { access: &self.access, numbers: &self.numbers };
        let Some(slot) = self.view.public_slot(files, key, &judge)? else { return Ok(false) };
        if !slot.ops().iter().any(|place| !place.private && !place.delete) {
            return Ok(false);
        }
        Ok(slot.heads_among(|place| !place.private, &judge).iter().any(|place| !place.delete))
    }
}

impl Ready {
    /// What each write's key holds once the drafts were appended from index `first` on.
    fn written(self, writer: PublicKey, first: u64, time: u64) -> Vec<Item> {
        let index = first.saturating_add(u64::try_from(self.at).unwrap_or(u64::MAX));
        let item = |(op, slot): (WriteOp, Slot)| {
            let (at, private) = match slot {
                Slot::Private(at) => (self.first_private + at, true),
                Slot::Public(at) => (at, false),
            };
            let version = Version { writer, index, op: u32::try_from(at).unwrap_or(u32::MAX) };
            let (key, value) = match op {
                WriteOp::Delete { key, .. } => (key, None),
                WriteOp::Put { key, value, .. } => (key, Some(value)),
            };
            let adopted = self.adopted.filter(|_| value.is_some());
            Item { key, value, conflicts: Vec::new(), writer, time, version, private, adopted }
        };
        self.ops.into_iter().zip(self.slots).map(item).collect()
    }
}
