//! What comes from other nodes and goes to them: blocks with proofs, root records, the manifest.

use super::{Space, load::store_item, replay::Fresh};
use crate::{
    crypto::{Hash, PublicKey},
    feed::{EquivocationProof, Feed, FeedError, Proof},
    space::{
        Cut, Manifest, ManifestError, RootItem, RootRecord, SpaceError, SpaceEvent, WriterStanding,
        WriterState,
    },
    storage::Files,
    value::{Owner, Precedence, SignedValue},
};

/// Most proofs that wait for their writers; anybody can make them for keys of their own.
const MAX_EARLY: usize = 16;

impl Space {
    /// Whether a feed belongs to this space as far as is known here.
    pub fn followed(&self, feed: &PublicKey) -> bool {
        self.feeds.contains_key(feed)
    }

    /// How many blocks of a feed this space wants: those before a root cut, or all there are.
    pub fn wanted_length(&self, feed: &PublicKey) -> u64 {
        match self.access.writer(feed) {
            Some(WriterState { standing: WriterStanding::RootCut, cut_at: Some(length), .. }) => length,
            _ => u64::MAX,
        }
    }

    /// From where on a feed only matters for the cuts in it: where a device cut its author, or at once where that was let
    /// in by one that was cut.
    pub fn cut_length(&self, feed: &PublicKey) -> Option<u64> {
        let state = self.access.writer(feed)?;
        match state.standing {
            WriterStanding::Cut => state.cut_at,
            WriterStanding::Ungranted if self.access.is_followed(feed) => Some(0),
            _ => None,
        }
    }

    /// The feeds that are held, ascending by key.
    pub fn feeds(&self) -> impl Iterator<Item = &Feed> {
        self.feeds.values()
    }

    /// One feed.
    pub fn feed(&self, key: &PublicKey) -> Option<&Feed> {
        self.feeds.get(key)
    }

    /// Takes blocks of a feed with their proof: all is verified before anything is stored. Returns whether there was
    /// anything new.
    pub fn accept(
        &mut self,
        files: &mut Files,
        feed: &PublicKey,
        proof: &Proof,
        blocks: &[Vec<u8>],
    ) -> Result<bool, SpaceError> {
        let known = self.feeds.get_mut(feed).ok_or(SpaceError::NoWriter { writer: *feed })?;
        let before = (known.length(), known.contiguous());
        if let Err(error) = known.accept(files, proof, blocks) {
            // Two histories, perhaps: whoever says so must prove it.
            return Err(error.into());
        }
        let after = (known.length(), known.contiguous());
        if self.writer() == Some(*feed) {
            self.own = None;
        }
        if before.1 < after.1 {
            self.note_received(files, *feed, before.1)?;
        }
        if before != after {
            self.advance(files, feed)?;
        }
        Ok(before != after || !blocks.is_empty())
    }

    /// Takes a root record; returns whether it is new. [`SpaceError::Root`] if its root is neither the first one nor
    /// named as a successor by a record that is held: records are sent in the order in which they came, so that this
    /// one is not missed, and strangers fill nobody's storage.
    pub fn add_record(&mut self, files: &mut Files, bytes: &[u8]) -> Result<bool, SpaceError> {
        let record = RootRecord::decode(&self.key, bytes)?;
        if !self.roots.contains(&record.root) {
            return Err(SpaceError::Root { expected: self.root(), got: record.root });
        }
        self.take_record(files, &record)
    }

    pub(super) fn take_record(&mut self, files: &mut Files, record: &RootRecord) -> Result<bool, SpaceError> {
        if self.records.iter().any(|(hash, _)| *hash == record.hash()) {
            return Ok(false);
        }
        store_item(files, self.files.records, record.as_bytes())?;
        self.note_record(record);
        self.stirred = true;
        self.settle(files, Fresh::default())?;
        self.pick_branches(files)?;
        Ok(true)
    }

    /// Gives a record, and what its cuts show, to the access engine.
    pub(super) fn note_record(&mut self, record: &RootRecord) {
        self.records.push((record.hash(), record.as_bytes().to_vec()));
        for item in &record.items {
            match item {
                RootItem::Cut { cut, .. } => self.note_cut(cut),
                RootItem::Successor(root) => {
                    self.roots.insert(*root);
                    self.unpinned |= !self.pinned.contains(&record.root);
                }
                _ => {}
            }
        }
        self.access.add_record(record);
    }

    /// Takes what a cut shows of its target's feed.
    pub(super) fn note_cut(&mut self, cut: &Cut) {
        if self.claims.add_cut(cut) {
            self.access.grew(&cut.writer);
        }
    }

    /// Takes a proof that a writer signed two histories; returns whether it is new.
    pub fn add_equivocation(&mut self, files: &mut Files, bytes: &[u8]) -> Result<bool, SpaceError> {
        let proof = EquivocationProof::decode(bytes).map_err(FeedError::from)?;
        proof.verify()?;
        let writer = proof.key;
        if !self.feeds.contains_key(&writer) {
            // It may have come before what lets its writer in; whoever sent it does not send it again.
            if self.early.iter().all(|known| known != bytes) {
                self.early.truncate(MAX_EARLY - 1);
                self.early.insert(0, bytes.to_vec());
            }
            return Err(SpaceError::NoWriter { writer });
        }
        let before = self.claims.forks().count();
        if !self.claims.add_fork(proof) {
            return Ok(false);
        }
        self.keep_tree(files, &writer);
        let proofs: Vec<Vec<u8>> = if self.claims.forks().count() > before {
            vec![bytes.to_vec()]
        } else {
            // It took the place of another one.
            files.truncate(self.files.forks, 0);
            self.equivocations().collect()
        };
        for proof in proofs {
            store_item(files, self.files.forks, &proof)?;
        }
        self.events.push_back(SpaceEvent::Equivocation { writer });
        self.access.grew(&writer);
        self.stirred = true;
        self.settle(files, Fresh::default())?;
        self.pick_branches(files)?;
        Ok(true)
    }

    /// Takes in the proofs that came before their writers' feeds were followed.
    pub(super) fn take_early(&mut self, files: &mut Files) -> Result<(), SpaceError> {
        let known = |bytes: &Vec<u8>| {
            EquivocationProof::decode(bytes).is_ok_and(|proof| self.feeds.contains_key(&proof.key))
        };
        let Some(at) = self.early.iter().position(known) else { return Ok(()) };
        let bytes = self.early.remove(at);
        self.add_equivocation(files, &bytes).map(drop)
    }

    /// How many proofs of equivocation were taken so far: another number where what is kept is another set.
    pub const fn equivocations_taken(&self) -> usize {
        self.claims.taken()
    }

    /// Proofs of equivocation, encoded.
    pub fn equivocations(&self) -> impl Iterator<Item = Vec<u8>> {
        self.claims.forks().map(EquivocationProof::encode)
    }

    /// Root records as they are sent, in the order they came.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        self.records.iter().map(|(_, bytes)| bytes.as_slice())
    }

    /// Hashes of the root records, in the same order.
    pub fn record_hashes(&self) -> impl Iterator<Item = Hash> {
        self.records.iter().map(|(hash, _)| *hash)
    }

    /// What the root says about the space.
    pub fn manifest(&self) -> Option<Manifest> {
        Manifest::decode(self.manifest.as_ref()?.value()).ok()
    }

    /// Sequence of the held manifest, 0 for none.
    pub fn manifest_seq(&self) -> u64 {
        self.manifest.as_ref().map_or(0, SignedValue::seq)
    }

    /// The manifest as it is sent: an encoded signed value.
    pub fn manifest_bytes(&self) -> Option<Vec<u8>> {
        self.manifest.as_ref().map(SignedValue::encode)
    }

    /// Takes a manifest; returns whether it is newer than the held one. Records go first: of a root that no record names
    /// yet it is [`SpaceError::Root`].
    pub fn add_manifest(&mut self, files: &mut Files, bytes: &[u8]) -> Result<bool, SpaceError> {
        let value = SignedValue::decode(bytes).map_err(ManifestError::from)?;
        let expected = self.root();
        let got = match value.owner() {
            Owner::Single(key) if value.salt().is_empty() => *key,
            _ => return Err(ManifestError::Key { expected }.into()),
        };
        if !self.roots.contains(&got) {
            return Err(SpaceError::Root { expected, got });
        }
        if got != expected {
            // Whoever sent it has not heard of the successor yet.
            value.verify().map_err(ManifestError::from)?;
            return Ok(false);
        }
        Manifest::decode(value.value()).map_err(ManifestError::from)?;
        // One of an earlier root is no rival: only the last one speaks for the space.
        let held = self.manifest.as_ref().filter(|held| held.same_place(&value));
        let newer = value.replaces(held, None).map_err(ManifestError::from)?.precedence == Precedence::Wins;
        if newer {
            self.store_manifest(files, value)?;
        }
        Ok(newer)
    }

    /// Whether every record that the manifest names, and every ancestor of it, is held.
    pub fn is_complete(&self) -> bool {
        let Some(manifest) = self.manifest() else { return false };
        let held: crate::collections::Set<Hash> = self.record_hashes().collect();
        let links =
            |(_, bytes): &(Hash, Vec<u8>)| RootRecord::decode(&self.key, bytes).map(|record| record.links);
        manifest.heads.iter().all(|head| held.contains(head))
            && self.records.iter().flat_map(links).flatten().all(|link| held.contains(&link))
    }

    pub(super) fn store_manifest(&mut self, files: &mut Files, value: SignedValue) -> Result<(), SpaceError> {
        let bytes = value.encode();
        files.truncate(self.files.manifest, 0);
        files.write(self.files.manifest, 0, &bytes)?;
        self.manifest = Some(value);
        self.events.push_back(SpaceEvent::Manifest);
        Ok(())
    }
}
