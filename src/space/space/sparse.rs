//! A space of which only some entries are here, each with its proof: what a reader of a static snapshot has.
//!
//! Entries are judged by the same engine. It is given those that are named as read, in the order of their feed; what lies
//! between them counts as saying nothing of others. So whoever names them must name all with access operations (each
//! entry links its author's previous one), and a feed's first, which has its full clock. An entry whose clock names a
//! prefix that is not proved here stays pending, and is not shown.

use super::{Space, replay::Fresh, trees::Judge};
use crate::{
    collections::{Map, Set},
    crypto::{PublicKey, Signer},
    space::{Item, Range, SpaceError, view::Place},
    storage::Files,
};

/// Keys, and the entries that hold what stands under each.
pub(in crate::space) type PublicKeys = Vec<(String, Vec<(PublicKey, u64)>)>;

impl Space {
    /// Opens what is stored of a space, and judges these entries of its feeds, by index.
    pub fn open_sparse(
        files: &mut Files,
        key: PublicKey,
        read: &Map<PublicKey, Set<u64>>,
    ) -> Result<Self, SpaceError> {
        let mut space = Self::open_as(files, key, true)?;
        space.view.set_quiet(true);
        let mut done: Set<PublicKey> = Set::new();
        loop {
            let next: Vec<PublicKey> =
                space.feeds.keys().filter(|writer| !done.contains(*writer)).copied().collect();
            if next.is_empty() {
                return Ok(space);
            }
            let mut fresh = Fresh::default();
            for writer in next {
                done.insert(writer);
                space.give_sparse(files, &writer, read.get(&writer), &mut fresh)?;
            }
            // Grants in them may let further feeds in.
            space.settle(files, fresh)?;
        }
    }

    fn give_sparse(
        &mut self,
        files: &Files,
        writer: &PublicKey,
        read: Option<&Set<u64>>,
        fresh: &mut Fresh,
    ) -> Result<(), SpaceError> {
        let length = self.feeds.get(writer).map_or(0, crate::feed::Feed::length);
        for index in read.into_iter().flat_map(Set::iter).filter(|index| **index < length) {
            let Some(bytes) =
                self.feeds.get(writer).map(|feed| feed.get(files, *index)).transpose()?.flatten()
            else {
                continue;
            };
            self.skip_to(writer, *index);
            let entry = crate::space::Entry::decode(&bytes).ok();
            // All of it is in memory: whoever reads a snapshot has files of its own.
            let _ = self.give(files, writer, *index, entry, bytes.len(), fresh)?;
        }
        self.skip_to(writer, length);
        self.access.grew(writer);
        Ok(())
    }

    fn skip_to(&mut self, writer: &PublicKey, index: u64) {
        self.access.skip(writer, index);
        let tail = self.tails.entry(*writer).or_default();
        tail.given = tail.given.max(index);
    }

    /// What a key holds by these entries alone, public ones, by writer and index.
    pub fn item_among(
        &self,
        files: &Files,
        key: &str,
        entries: &[(PublicKey, u64)],
    ) -> Result<Option<Item>, SpaceError> {
        let judge = Judge { access: &self.access, numbers: &self.numbers };
        let Some(slot) = self.view.slot(files, key, &judge)? else { return Ok(None) };
        let among = |place: &Place| {
            entries.contains(&(self.numbers.key(place.writer), place.index)) && !place.private
        };
        self.item_of(files, key, &slot.heads_among(among, &judge))
    }

    /// Keys with public operations, and the entries that hold what stands, by the first so many entries of each feed alone;
    /// removals that nothing stands beside left out.
    pub(in crate::space) fn public_keys(
        &self,
        files: &Files,
        lengths: &Map<PublicKey, u64>,
    ) -> Result<PublicKeys, SpaceError> {
        let (mut keys, judge) = (Vec::new(), Judge { access: &self.access, numbers: &self.numbers });
        self.view.each(files, &Range::default(), &judge, &mut |key, slot| {
            let within = |place: &Place| {
                let length = lengths.get(&self.numbers.key(place.writer));
                !place.private && length.is_some_and(|length| place.index < *length)
            };
            let heads = slot.heads_among(within, &judge);
            if heads.iter().any(|place| !place.delete) {
                let entries = heads.iter().map(|place| (self.numbers.key(place.writer), place.index));
                keys.push((key.to_owned(), entries.collect()));
            }
            Ok(true)
        })?;
        Ok(keys)
    }

    /// The key that signs a snapshot: this device's, if it may write.
    pub(in crate::space) fn snapshot_signer(&self) -> Result<&Signer, SpaceError> {
        let writer = self.unlocked()?;
        if !self.is_active(&writer) {
            let why = "a snapshot is signed by a device that may write to the space";
            return Err(SpaceError::NotAuthorised { writer, why });
        }
        self.keys.as_ref().map(|keys| &keys.signer).ok_or(SpaceError::Locked)
    }
}
