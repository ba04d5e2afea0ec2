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
    collections::Map,
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
        let me = self.author()?;
        check_count(ops.len())?;
        for op in &ops {
            op.check()?;
            self.check_expect(op)?;
        }
        if ops.is_empty() {
            return Ok(Vec::new());
        }
        let last: Map<&str, usize> = ops.iter().enumerate().map(|(at, op)| (op.key(), at)).collect();
        let (mut public, mut private) = (Vec::new(), Vec::new());
        let mut slots = Map::new();
        for (at, op) in ops.iter().enumerate() {
            if last.get(op.key()) == Some(&at) {
                slots.insert(op.key().to_owned(), self.place_write(op, &mut public, &mut private));
            }
        }
        let first_private = public.len();
        let mut drafts = Vec::new();
        let private = if private.is_empty() {
            None
        } else {
            Some((self.epoch_for_writing(entropy, &mut drafts)?, private))
        };
        let before = u64::try_from(drafts.len()).unwrap_or(u64::MAX);
        let new_epochs = drafts.iter().flat_map(|draft: &Draft| draft.new_epochs()).collect::<Vec<_>>();
        drafts.push(Draft { public, private, ..Draft::default() });
        let index = match self.append(files, now, entropy, drafts) {
            Ok(first) => first.saturating_add(before),
            Err(error) => {
                new_epochs.iter().for_each(|epoch| self.content.discard(epoch));
                return Err(error);
            }
        };
        Ok(ops.into_iter().map(|op| written(op, &slots, first_private, me, index, now)).collect())
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

    fn check_expect(&self, op: &WriteOp) -> Result<(), SpaceError> {
        let judge = Judge { access: &self.access, numbers: &self.numbers };
        let winner = || self.view.slot(op.key()).and_then(|slot| slot.heads(&judge).first().copied());
        let (fits, got) = match op.expect() {
            Expect::Any => return Ok(()),
            Expect::Absent => {
                let got = winner().filter(|place| !place.delete);
                (got.is_none(), got)
            }
            Expect::Version(version) => {
                let got = winner();
                (got.is_some_and(|place| self.version(&place) == version), got)
            }
        };
        if fits {
            return Ok(());
        }
        Err(SpaceError::Conflict { key: op.key().to_owned(), got: got.map(|place| self.version(&place)) })
    }

    /// Adds a write's operations; returns where the one that its caller will see is.
    fn place_write(&self, op: &WriteOp, public: &mut Vec<Op>, private: &mut Vec<Op>) -> Slot {
        let remove = || Op::Delete { key: op.key().to_owned() };
        match op {
            WriteOp::Put { key, value, private: false, .. } => {
                public.push(Op::Put { key: key.clone(), value: value.clone() });
                Slot::Public(public.len() - 1)
            }
            WriteOp::Put { key, value, private: true, .. } => {
                if self.is_public(key) {
                    public.push(remove());
                }
                private.push(Op::Put { key: key.clone(), value: value.clone() });
                Slot::Private(private.len() - 1)
            }
            WriteOp::Delete { key, .. } if self.is_public(key) => {
                public.push(remove());
                Slot::Public(public.len() - 1)
            }
            WriteOp::Delete { .. } => {
                private.push(remove());
                Slot::Private(private.len() - 1)
            }
        }
    }

    /// Whether a key holds a value for those who read public entries only.
    fn is_public(&self, key: &str) -> bool {
        let Some(slot) = self.view.slot(key) else { return false };
        if !slot.ops().iter().any(|place| !place.private && !place.delete) {
            return false;
        }
        let judge = Judge { access: &self.access, numbers: &self.numbers };
        slot.heads_among(|place| !place.private, &judge).iter().any(|place| !place.delete)
    }
}

fn written(
    op: WriteOp,
    slots: &Map<String, Slot>,
    first_private: usize,
    writer: PublicKey,
    index: u64,
    time: u64,
) -> Item {
    let (at, private) = match slots.get(op.key()) {
        Some(Slot::Private(at)) => (first_private + at, true),
        Some(Slot::Public(at)) => (*at, false),
        None => (0, false),
    };
    let version = Version { writer, index, op: u32::try_from(at).unwrap_or(u32::MAX) };
    let (key, value) = match op {
        WriteOp::Delete { key, .. } => (key, None),
        WriteOp::Put { key, value, .. } => (key, Some(value)),
    };
    Item { key, value, conflicts: Vec::new(), writer, time, version, private }
}
