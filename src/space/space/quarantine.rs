//! What was taken away, and writing it again.
//!
//! Nothing is deleted when a writer is cut, forked or hidden: its entries stay in its feed, out of the view. Here they
//! can be looked at, with the reason, and adopted one by one.

use core::ops::Bound;

use super::Space;
use crate::{
    crypto::{Entropy, PublicKey},
    space::{Entry, Expect, Item, Op, Quarantined, SpaceError, Version, Why, WriteOp},
    storage::Files,
};

impl Space {
    /// What was taken away, of one writer or of all: by writer, index and operation, those after `after`, at most
    /// `limit`. Only what can be read here: a sealed part without its content key is left out, and what is on
    /// another branch of a forked feed is in [`Space::other_branches`]. What was written by those who were let in past a root cut is not among it
    /// either: to the root they were never let in.
    pub fn quarantine(
        &self,
        files: &Files,
        writer: Option<&PublicKey>,
        after: Option<&Version>,
        limit: Option<usize>,
    ) -> Result<Vec<Quarantined>, SpaceError> {
        let limit = limit.unwrap_or(usize::MAX);
        let mut taken = Vec::new();
        let first = after.map_or(Bound::Unbounded, |after| Bound::Included(after.writer));
        for key in self.feeds.range((first, Bound::Unbounded)).map(|(key, _)| key) {
            if writer.is_some_and(|only| only != key) {
                continue;
            }
            let start = after.filter(|after| after.writer == *key).map_or(0, |after| after.index);
            for index in start..self.given(key) {
                if taken.len() >= limit {
                    return Ok(taken);
                }
                let Some(why) = self.access.why(key, index) else { continue };
                let items = self.entry_items(files, key, index)?;
                let items = items.into_iter().filter(|item| after.is_none_or(|after| item.version > *after));
                taken.extend(items.take(limit - taken.len()).map(|item| Quarantined { item, why }));
            }
        }
        Ok(taken)
    }

    /// What stands on other branches of forked feeds than the ones held, as far as it can be read here. The version of
    /// each may be that of something else on the branch that is held.
    pub fn other_branches(&self, files: &Files) -> Result<Vec<Quarantined>, SpaceError> {
        let mut taken = Vec::new();
        for (writer, index, entry) in self.side_entries(files)? {
            let items = self.items_of(&writer, index, entry);
            taken.extend(items.into_iter().map(|item| Quarantined { item, why: Why::Fork }));
        }
        Ok(taken)
    }

    /// Writes again what was taken away: the same value under the same key, as this device's own entry with a reference
    /// to where it stood. It takes the place of what the key holds now. What was private stays private, so it must be
    /// possible to open it. A removal is adopted as a removal, and says nothing of where it stood: there is nothing to
    /// show for it. Adopting twice writes twice, as putting twice does. `other_branch`: of what
    /// [`Space::other_branches`] lists.
    ///
    /// Fails with [`SpaceError::NotQuarantined`] if that operation does not exist, is shown or was never let in, and
    /// with [`SpaceError::NoContentKey`] if it cannot be opened.
    pub fn adopt(
        &mut self,
        files: &mut Files,
        now: u64,
        entropy: &mut dyn Entropy,
        version: &Version,
        other_branch: bool,
    ) -> Result<Item, SpaceError> {
        self.author()?;
        let missing = SpaceError::NotQuarantined { version: *version };
        let Version { writer, index, op } = version;
        let entry = if other_branch {
            let there = |(key, at, _): &(PublicKey, u64, Entry)| (key, at) == (writer, index);
            self.side_entries(files)?.into_iter().find(there).map(|(.., entry)| entry)
        } else if self.access.why(writer, *index).is_some() {
            self.entry(files, writer, *index)?
        } else {
            None
        };
        let Some(entry) = entry else { return Err(missing) };
        let at = usize::try_from(*op).unwrap_or(usize::MAX);
        let private = at >= entry.public.len();
        if private && entry.sealed.as_ref().is_some_and(|sealed| !self.content.has(&sealed.epoch)) {
            return Err(SpaceError::NoContentKey);
        }
        let (expect, op) = (Expect::Any, self.all_ops(entry, writer, *index).into_iter().nth(at));
        let write = match op {
            Some(Op::Put { key, value } | Op::Adopted { key, value, .. }) => {
                WriteOp::Put { key, value, private, expect }
            }
            Some(Op::Delete { key }) => WriteOp::Delete { key, expect },
            _ => return Err(missing),
        };
        let written = self.write_as(files, now, entropy, vec![write], Some(*version))?;
        written.into_iter().next().ok_or(missing)
    }

    /// Every put and removal of an entry that can be read here.
    pub fn entry_items(
        &self,
        files: &Files,
        writer: &PublicKey,
        index: u64,
    ) -> Result<Vec<Item>, SpaceError> {
        let entry = self.entry(files, writer, index)?;
        Ok(entry.map(|entry| self.items_of(writer, index, entry)).unwrap_or_default())
    }

    fn items_of(&self, writer: &PublicKey, index: u64, entry: Entry) -> Vec<Item> {
        let (first, time) = (entry.public.len(), entry.time);
        let item = |(at, op): (usize, Op)| {
            let (key, value, adopted) = match op {
                Op::Put { key, value } => (key, Some(value), None),
                Op::Adopted { original, key, value } => (key, Some(value), Some(original)),
                Op::Delete { key } => (key, None, None),
                _ => return None,
            };
            let version = Version { writer: *writer, index, op: u32::try_from(at).ok()? };
            let (conflicts, writer, private) = (Vec::new(), *writer, at >= first);
            Some(Item { key, value, conflicts, writer, time, version, private, adopted })
        };
        self.all_ops(entry, writer, index).into_iter().enumerate().filter_map(item).collect()
    }

    /// Operations of an entry, public ones first, then those of the sealed part if it can be opened.
    pub(super) fn all_ops(&self, entry: Entry, writer: &PublicKey, index: u64) -> Vec<Op> {
        let mut private = self.content.open_ops(&entry, writer, index);
        let mut ops = entry.public;
        ops.append(&mut private);
        ops
    }
}
