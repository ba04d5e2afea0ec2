//! Whole spaces that exchange blocks directly, through proofs.

mod acts;
mod branches;
mod data;
mod faults;
mod hyperdb;
pub(super) mod orders;
mod quarantine;
mod recovery;
mod removal;
mod secrets;
mod since;
mod snapshots;
mod spaces;

use super::*;
use crate::{
    codec::{Value, decode_value, encode_value},
    crypto::MessageKey,
    feed::{EquivocationProof, FeedError, ProofRequest},
    space::{Expect, Item, Range, RootItem, RootRecord, WriteOp, WriterStanding},
    storage::{Commit, MemoryBackend, PageKey},
    testing::Seeded,
};

/// A device: files, a space, and the key that it signs with.
pub(super) struct Device {
    pub(super) files: Files,
    pub(super) space: Space,
    pub(super) entropy: Seeded,
    /// What was committed.
    pub(super) backend: MemoryBackend,
    pub(super) seed: u8,
    pub(super) now: u64,
}

pub(super) fn root() -> Signer {
    Signer::from_seed(&[200; 32])
}

pub(super) fn message_key() -> MessageKey {
    MessageKey::from_bytes([9; 32])
}

pub(super) fn cbor(text: &str) -> Vec<u8> {
    encode_value(&Value::Text(text.to_owned())).unwrap()
}

pub(super) fn put(key: &str, value: &str, private: bool) -> WriteOp {
    WriteOp::Put { key: key.to_owned(), value: cbor(value), private, expect: Expect::Any }
}

pub(super) fn delete(key: &str) -> WriteOp {
    WriteOp::Delete { key: key.to_owned(), expect: Expect::Any }
}

impl Device {
    /// A visitor of the space.
    pub(super) fn new(seed: u8) -> Self {
        Self::with(MemoryBackend::new(), root().public(), seed)
    }

    pub(super) fn with(backend: MemoryBackend, key: PublicKey, seed: u8) -> Self {
        let mut files = Files::load(backend.snapshot()).unwrap();
        let space = Space::open(&mut files, key).unwrap();
        Self { files, space, entropy: Seeded::new(u64::from(seed)), backend, seed, now: 1000 }
    }

    /// The device that founds the space.
    pub(super) fn founder(seed: u8) -> Self {
        let mut device = Self::new(seed);
        let (grant, keys) = (device.grant_of(), device.keys());
        let Self { files, space, entropy, .. } = &mut device;
        space
            .found(
                files,
                1000,
                entropy,
                &root(),
                Install { grant: &grant, keys, message_key: Some(&message_key()) },
                "example.org",
            )
            .unwrap();
        device
    }

    /// A device that asks: unlocked, its own feed open, not granted.
    pub(super) fn asker(seed: u8) -> Self {
        let mut device = Self::new(seed);
        device.unlock();
        let key = device.key();
        device.space.follow(&mut device.files, key).unwrap();
        device
    }

    pub(super) fn signer(&self) -> Signer {
        Signer::from_seed(&[self.seed; 32])
    }

    pub(super) fn key(&self) -> PublicKey {
        self.signer().public()
    }

    pub(super) fn keys(&self) -> Keys {
        Keys { signer: self.signer() }
    }

    pub(super) fn grant_of(&self) -> DeviceGrant {
        DeviceGrant { writer: self.key(), install_id: [self.seed; 16], name: format!("device {}", self.seed) }
    }

    pub(super) fn unlock(&mut self) {
        let keys = self.keys();
        self.space.unlock(&mut self.files, keys).unwrap();
    }

    pub(super) fn lock(&mut self) {
        self.space.lock();
        while self.space.is_waiting() {
            self.space.resume(&mut self.files).unwrap();
        }
    }

    pub(super) fn time(&mut self) -> u64 {
        self.now += 1;
        self.now
    }

    pub(super) fn write(&mut self, ops: Vec<WriteOp>) -> Result<Vec<Item>, SpaceError> {
        let now = self.time();
        self.space.write(&mut self.files, now, &mut self.entropy, ops)
    }

    pub(super) fn put(&mut self, key: &str, value: &str) -> Item {
        self.write(vec![put(key, value, false)]).unwrap().remove(0)
    }

    pub(super) fn put_private(&mut self, key: &str, value: &str) -> Item {
        self.write(vec![put(key, value, true)]).unwrap().remove(0)
    }

    pub(super) fn grant(&mut self, other: &Self) {
        let (now, grant) = (self.time(), other.grant_of());
        self.space.grant(&mut self.files, now, &mut self.entropy, &grant, Role::Admin).unwrap();
    }

    pub(super) fn cut(&mut self, other: PublicKey) {
        let now = self.time();
        self.space.cut(&mut self.files, now, &mut self.entropy, other, false).unwrap();
    }

    /// Cuts a device for good.
    pub(super) fn root_cut(&mut self, other: PublicKey, descendants: bool) {
        let now = self.time();
        let Self { files, space, entropy, .. } = self;
        space.root_cut(files, now, entropy, &root(), other, None, Vec::new(), descendants).unwrap();
    }

    /// The values of a key, the winner first.
    pub(super) fn values(&self, key: &str) -> Vec<String> {
        let Some(item) = self.space.get(&self.files, key).unwrap() else { return Vec::new() };
        core::iter::once(&item).chain(&item.conflicts).map(text).collect()
    }

    /// Everything that can be read.
    pub(super) fn all(&self) -> Vec<Item> {
        self.space.list(&self.files, &Range::default()).unwrap()
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.all().into_iter().map(|item| item.key).collect()
    }

    pub(super) fn events(&mut self) -> Vec<SpaceEvent> {
        core::iter::from_fn(|| self.space.poll()).collect()
    }

    /// Fetches at most `most` blocks of one feed; returns whether there was anything.
    pub(super) fn pull(&mut self, from: &Self, feed: &PublicKey, most: u64) -> bool {
        let (Some(ours), Some(theirs)) = (self.space.feed(feed), from.space.feed(feed)) else { return false };
        let (start, have, to) = (ours.contiguous(), ours.length(), theirs.length().max(ours.length()));
        let end = theirs.contiguous().min(start.saturating_add(most)).max(start);
        if (start == end && have >= theirs.length()) || theirs.length() < have {
            return false;
        }
        let request = ProofRequest { blocks: start..end, from: have, to };
        let proof = match theirs.prove(&from.files, &request) {
            // Who holds part of a feed cannot prove it from any length; somebody else can.
            Err(FeedError::NotHeld { .. }) => return false,
            proof => proof.unwrap(),
        };
        let blocks: Vec<_> =
            (start..end).map(|index| theirs.get(&from.files, index).unwrap().unwrap()).collect();
        self.space.accept(&mut self.files, feed, &proof, &blocks).unwrap()
    }

    pub(super) fn pull_records(&mut self, from: &Self) {
        for record in from.space.records() {
            self.space.add_record(&mut self.files, record).unwrap();
        }
        self.space.pin_followed(&mut self.files).unwrap();
        if let Some(manifest) = from.space.manifest_bytes() {
            self.space.add_manifest(&mut self.files, &manifest).unwrap();
        }
        for proof in from.space.equivocations() {
            // One that comes before its writer's feed is followed waits for that.
            match self.space.add_equivocation(&mut self.files, &proof) {
                Ok(_) | Err(SpaceError::NoWriter { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Fetches everything.
    pub(super) fn pull_all(&mut self, from: &Self) {
        self.pull_records(from);
        loop {
            let feeds: Vec<PublicKey> = from.space.feeds().map(Feed::key).collect();
            let mut more = false;
            for feed in feeds {
                more |= self.pull(from, &feed, u64::MAX);
            }
            if !more {
                return;
            }
        }
    }

    /// Makes everything durable.
    pub(super) fn commit(&mut self) {
        while let Some(commit) = self.files.take_commit() {
            self.backend.apply(&commit);
            if let Commit::Batch(batch) = &commit {
                self.files.committed(batch.seq);
            }
        }
    }

    /// The same device after a reload, with nothing but what was committed.
    pub(super) fn reopened(&mut self) -> Self {
        self.commit();
        Self::with(self.backend.clone(), self.space.key(), self.seed)
    }
}

/// Fetches everything from each other.
pub(super) fn meet(a: &mut Device, b: &mut Device) {
    a.pull_all(b);
    b.pull_all(a);
}

/// Everybody fetches everything.
pub(super) fn meet_all(devices: &mut [&mut Device]) {
    for _ in 0..2 {
        for to in 0..devices.len() {
            for from in 0..devices.len() {
                if let Ok([to, from]) = devices.get_disjoint_mut([to, from]) {
                    to.pull_all(from);
                }
            }
        }
    }
}

pub(super) fn standing(device: &Device, writer: &PublicKey) -> WriterStanding {
    device.space.writers().into_iter().find(|info| info.key == *writer).unwrap().state
}

pub(super) fn text(item: &Item) -> String {
    match item.value.as_deref().map(decode_value) {
        None => "-".to_owned(),
        Some(Ok(Value::Text(text))) => text,
        Some(other) => panic!("not a text: {other:?}"),
    }
}
