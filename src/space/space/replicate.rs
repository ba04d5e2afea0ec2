//! What comes from other nodes and goes to them: blocks with proofs, root records, the manifest.

use super::{Space, trees::FeedTrees};
use crate::{
    crypto::{Hash, PublicKey},
    feed::{Feed, Proof},
    space::{Manifest, ManifestError, RootRecord, SpaceError, SpaceEvent},
    storage::Files,
    value::SignedValue,
};

impl Space {
    /// Whether a feed belongs to this space as far as is known here.
    pub fn followed(&self, feed: &PublicKey) -> bool {
        self.feeds.contains_key(feed)
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
        known.accept(files, proof, blocks)?;
        let after = (known.length(), known.contiguous());
        if self.writer() == Some(*feed) {
            self.own = None;
        }
        if before != after {
            self.advance(files, feed)?;
        }
        Ok(before != after || !blocks.is_empty())
    }

    /// Takes a root record; returns whether it is new.
    pub fn add_record(&mut self, files: &mut Files, bytes: &[u8]) -> Result<bool, SpaceError> {
        let record = RootRecord::decode(&self.key, bytes)?;
        self.take_record(files, &record)
    }

    pub(super) fn take_record(&mut self, files: &mut Files, record: &RootRecord) -> Result<bool, SpaceError> {
        if self.records.iter().any(|(hash, _)| *hash == record.hash()) {
            return Ok(false);
        }
        let bytes = record.as_bytes();
        let mut stored = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes().to_vec();
        stored.extend_from_slice(bytes);
        let end = files.len(self.files.records);
        files.write(self.files.records, end, &stored)?;
        self.records.push((record.hash(), bytes.to_vec()));
        let trees = FeedTrees { files, feeds: &self.feeds, tails: &self.tails };
        self.access.add_record(&trees, record);
        self.stirred = true;
        self.settle(files)?;
        Ok(true)
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
        Manifest::decode(&self.manifest.as_ref()?.value).ok()
    }

    /// The manifest as it is sent: an encoded signed value.
    pub fn manifest_bytes(&self) -> Option<Vec<u8>> {
        self.manifest.as_ref().map(SignedValue::encode)
    }

    /// Takes a manifest; returns whether it is newer than the held one.
    pub fn add_manifest(&mut self, files: &mut Files, bytes: &[u8]) -> Result<bool, SpaceError> {
        let value = SignedValue::decode(bytes).map_err(super::damaged_manifest)?;
        let expected = self.root();
        if value.key != expected {
            return Err(ManifestError::Key { expected, got: value.key }.into());
        }
        value.verify().map_err(super::damaged_manifest)?;
        Manifest::decode(&value.value).map_err(ManifestError::from)?;
        let newer = match &self.manifest {
            Some(held) if held.key == value.key => value.supersedes(held),
            _ => true,
        };
        if newer {
            self.store_manifest(files, value)?;
        }
        Ok(newer)
    }

    /// Whether every record that the manifest names, and every ancestor of it, is held.
    pub fn is_complete(&self) -> bool {
        let Some(manifest) = self.manifest() else { return false };
        let held: std::collections::BTreeSet<Hash> = self.record_hashes().collect();
        let links = |(_, bytes): &(Hash, Vec<u8>)| RootRecord::decode(&self.key, bytes).map(|record| record.links);
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

    /// The records file, record by record.
    pub(super) fn stored_records(&self, files: &Files) -> Result<Vec<Vec<u8>>, SpaceError> {
        let (mut at, end) = (0, files.len(self.files.records));
        let mut records = Vec::new();
        while at < end {
            let mut length = [0; 4];
            files.read_into(self.files.records, at, &mut length)?;
            let length = u32::from_le_bytes(length);
            records.push(files.read(self.files.records, at + 4, usize::try_from(length).unwrap_or(usize::MAX))?);
            at += 4 + u64::from(length);
        }
        Ok(records)
    }
}
