//! What is stored of a space: reading it back, and going on without what was damaged.
//!
//! Records, proofs and the manifest come again from any peer, and so do others' feeds; only an own feed whose length is
//! no longer known must never be continued, since that would be a second history.

use super::{Space, branches::Side, checkpoint::Restored};
use crate::{
    crypto::{Hash, PublicKey},
    feed::{EquivocationProof, Feed, FeedError},
    space::{RootRecord, SpaceError, SpaceEvent},
    storage::{FileId, Files},
    value::SignedValue,
};

impl Space {
    /// Reads records, proofs, manifest and feeds back, then the checkpoint, and takes in what came after it.
    pub(super) fn load(&mut self, files: &mut Files) -> Result<Restored, SpaceError> {
        self.load_pins(files)?;
        self.load_received(files)?;
        for bytes in stored_items(files, self.files.records)? {
            if let Ok(record) = RootRecord::decode(&self.key, &bytes) {
                self.note_record(&record);
            }
        }
        for bytes in stored_items(files, self.files.forks)? {
            if let Ok(proof) = EquivocationProof::decode(&bytes)
                && proof.verify().is_ok()
            {
                self.claims.add_fork(proof);
            }
        }
        files.heal(self.files.manifest);
        let length = usize::try_from(files.len(self.files.manifest)).unwrap_or(usize::MAX);
        let bytes = files.read(self.files.manifest, 0, length)?;
        self.manifest = SignedValue::decode(&bytes).ok().filter(|value| value.verify().is_ok());
        self.lost = stored_keys(files, self.files.lost)?.into_iter().collect();
        let mut absent = None;
        for writer in stored_keys(files, self.files.feeds)? {
            let mut feed = Feed::open(files, writer);
            let lost = match &feed {
                Err(FeedError::Damaged { .. }) => true,
                // Records are missing, and it seems to be empty: perhaps it was not.
                Ok(feed) => feed.head().is_none() && files.is_incomplete(),
                Err(_) => false,
            };
            if lost {
                Feed::remove(files, &writer);
                // Once, however often it is opened until all is in memory that this takes.
                if self.lost.insert(writer) {
                    store_key(files, self.files.lost, &writer)?;
                }
                feed = Feed::open(files, writer);
            }
            match feed {
                // What the others miss is wanted with it.
                Err(error) if error.is_absent() => absent = Some(error),
                feed => drop(self.feeds.insert(writer, feed?)),
            }
        }
        if let Some(error) = absent {
            return Err(error.into());
        }
        let forked: Vec<PublicKey> = self.claims.forks().map(|proof| proof.key).collect();
        forked.iter().for_each(|writer| self.keep_tree(files, writer));
        // The last entries of any feed may be among what was lost, and nobody could tell.
        let torn: Vec<PublicKey> = match files.is_torn() {
            true => self.feeds.keys().filter(|key| !self.lost.contains(*key)).copied().collect(),
            false => Vec::new(),
        };
        for writer in torn {
            store_key(files, self.files.lost, &writer)?;
            self.lost.insert(writer);
        }
        for (writer, index, leaf) in stored_sides(files, self.files.sides)? {
            // What is damaged comes again.
            let (Ok(side), Some(main)) = (Side::open(files, writer, index, leaf), self.feeds.get(&writer))
            else {
                continue;
            };
            let known = self.sides.get(&writer).into_iter().flatten().any(|other| other.leaf == leaf);
            // The main one may be stored as a side from the time when it was one. One that does not hold the block that
            // names it may be any branch: it is fetched anew.
            if !known && main.leaf(files, index)? != Some(leaf) && side.is_named(files)? {
                let end = side.end();
                self.sides.entry(writer).or_default().push(side);
                for index in index..end {
                    self.note_stray(files, &writer, &leaf, index)?;
                }
            }
        }
        self.stirred = true;
        // Whoever opens a space reads it first: only what happens later is news.
        self.view.set_quiet(true);
        let restored = self.take_checkpoint(files)?;
        if matches!(restored, Restored::Unfit | Restored::Changed) {
            return Ok(restored);
        }
        self.replay(files)?;
        self.pick_branches(files)?;
        self.view.set_quiet(false);
        self.view.take_touched();
        self.events.clear();
        Ok(restored)
    }

    /// Opens a feed and remembers that it belongs here.
    pub(super) fn open_feed(&mut self, files: &mut Files, writer: PublicKey) -> Result<(), SpaceError> {
        if self.feeds.contains_key(&writer) {
            return Ok(());
        }
        self.feeds.insert(writer, Feed::open(files, writer)?);
        store_key(files, self.files.feeds, &writer)?;
        self.events.push_back(SpaceEvent::Follows { writer });
        Ok(())
    }
}

/// Appends an item to a file of items.
pub(super) fn store_item(files: &mut Files, file: FileId, bytes: &[u8]) -> Result<(), SpaceError> {
    let mut stored = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes().to_vec();
    stored.extend_from_slice(bytes);
    let end = files.len(file);
    Ok(files.write(file, end, &stored)?)
}

/// Reads a file of items, each after its length. From damage on nothing can be told apart, so the rest is dropped.
fn stored_items(files: &mut Files, file: FileId) -> Result<Vec<Vec<u8>>, SpaceError> {
    if let Some(lost) = files.heal(file).first() {
        files.truncate(file, lost.start);
    }
    let (mut at, end) = (0, files.len(file));
    let mut items = Vec::new();
    while at + 4 <= end {
        let mut length = [0; 4];
        files.read_into(file, at, &mut length)?;
        let next = at + 4 + u64::from(u32::from_le_bytes(length));
        if next > end {
            break;
        }
        items.push(files.read(file, at + 4, usize::try_from(next - at - 4).unwrap_or(usize::MAX))?);
        at = next;
    }
    files.truncate(file, at);
    Ok(items)
}

/// Reads a file of keys; those in damaged pages are left out.
fn stored_keys(files: &mut Files, file: FileId) -> Result<Vec<PublicKey>, SpaceError> {
    files.heal(file);
    let mut keys = Vec::new();
    for at in 0..files.len(file) / 32 {
        let mut key = PublicKey([0; 32]);
        files.read_into(file, at * 32, &mut key.0)?;
        if key.0 != [0; 32] {
            keys.push(key);
        }
    }
    Ok(keys)
}

pub(super) fn store_side(
    files: &mut Files,
    file: FileId,
    feed: &PublicKey,
    index: u64,
    leaf: &Hash,
) -> Result<(), SpaceError> {
    let end = files.len(file);
    Ok(files.write(file, end, &[feed.0.as_slice(), &index.to_le_bytes(), &leaf.0].concat())?)
}

/// Reads the file of sides; those in damaged pages are left out.
fn stored_sides(files: &mut Files, file: FileId) -> Result<Vec<(PublicKey, u64, Hash)>, SpaceError> {
    files.heal(file);
    let mut sides = Vec::new();
    for at in 0..files.len(file) / 72 {
        let (mut feed, mut index, mut leaf) = (PublicKey([0; 32]), [0; 8], Hash([0; 32]));
        files.read_into(file, at * 72, &mut feed.0)?;
        files.read_into(file, at * 72 + 32, &mut index)?;
        files.read_into(file, at * 72 + 40, &mut leaf.0)?;
        sides.push((feed, u64::from_le_bytes(index), leaf));
    }
    Ok(sides)
}

pub(super) fn store_key(files: &mut Files, file: FileId, key: &PublicKey) -> Result<(), SpaceError> {
    let end = files.len(file);
    Ok(files.write(file, end, &key.0)?)
}
