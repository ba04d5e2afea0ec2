//! Private operations: sealing them, opening them, and the content keys that are held.
//!
//! An entry's sealed part is a list of operations under an epoch's content key (layout and associated data in
//! `entry.rs`); a device name is sealed under the same key with the granted writer key as associated data. An epoch's
//! id is a namespaced hash of its key, so whoever opened a seal knows whether it is the right key.

use super::{Entry, Op, Sealed, SealedName, decode_ops, encode_ops, sealed_part_ad};
use crate::{
    codec::{Reader, Writer},
    collections::Map,
    crypto::{
        Entropy, Hash, Namespace, OpenError, PublicKey, SealedKey, SecretKey32, Signer, hash_to, open,
        open_sealed, seal,
    },
};

/// Content keys by epoch id. Wiped on drop; boxed, so that a map that grows leaves no copies behind.
#[derive(Default)]
pub(super) struct ContentKeys(Map<Hash, Box<SecretKey32>>);

impl ContentKeys {
    /// A new key; returns its id.
    pub(super) fn generate(&mut self, entropy: &mut dyn Entropy) -> Hash {
        let key = SecretKey32(entropy.array32());
        let id = epoch_id(&key);
        self.0.insert(id, Box::new(key));
        id
    }

    pub(super) fn get(&self, epoch: &Hash) -> Option<&SecretKey32> {
        self.0.get(epoch).map(Box::as_ref)
    }

    pub(super) fn has(&self, epoch: &Hash) -> bool {
        self.0.contains_key(epoch)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = Hash> {
        self.0.keys().copied()
    }

    /// Keeps a key that was opened before.
    pub(super) fn keep(&mut self, epoch: Hash, key: &SecretKey32) {
        self.0.insert(epoch, Box::new(key.clone()));
    }

    /// Opens a seal and keeps the key if it is the epoch's; returns whether it is new.
    pub(super) fn open(&mut self, epoch: &Hash, sealed: &SealedKey, signer: &Signer) -> bool {
        if self.has(epoch) {
            return false;
        }
        match open_sealed(signer, sealed) {
            Ok(key) if epoch_id(&key) == *epoch => self.0.insert(*epoch, Box::new(key)).is_none(),
            _ => false,
        }
    }

    /// Drops a key that was generated and never published.
    pub(super) fn discard(&mut self, epoch: &Hash) {
        self.0.remove(epoch);
    }

    /// Drops all.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Seals a device's name.
    pub(super) fn seal_name(
        &self,
        epoch: Hash,
        writer: &PublicKey,
        name: &str,
        entropy: &mut dyn Entropy,
    ) -> Option<SealedName> {
        let nonce = entropy.array24();
        let ciphertext = seal(&self.get(&epoch)?.0, &nonce, &writer.0, name.as_bytes());
        Some(SealedName { epoch, nonce, ciphertext })
    }

    /// Opens a device's name; `None` if the key is not held, or it is not a name.
    pub(super) fn open_name(&self, writer: &PublicKey, name: &SealedName) -> Option<String> {
        let plain = open(&self.get(&name.epoch)?.0, &name.nonce, &writer.0, &name.ciphertext).ok()?;
        Some(core::str::from_utf8(&plain).ok()?.to_owned())
    }

    /// Seals operations into an entry that is otherwise finished.
    pub(super) fn seal_ops(
        &self,
        entry: &mut Entry,
        feed: &PublicKey,
        index: u64,
        epoch: Hash,
        ops: &[Op],
        entropy: &mut dyn Entropy,
    ) -> Option<()> {
        let key = self.get(&epoch)?;
        let mut plain = Writer::new();
        encode_ops(ops, &mut plain);
        let plain = zeroize::Zeroizing::new(plain.finish());
        let nonce = entropy.array24();
        // The clear part says that a sealed one follows, so it must be there before the clear part is hashed.
        entry.sealed = Some(Sealed { epoch, nonce, ciphertext: Vec::new() });
        let ad = sealed_part_ad(feed, index, &entry.encode_clear());
        entry.sealed = Some(Sealed { epoch, nonce, ciphertext: seal(&key.0, &nonce, &ad, &plain) });
        Some(())
    }

    /// Opens an entry's sealed part; no operations if it has none, the key is not held, or it is not what it says.
    pub(super) fn open_ops(&self, entry: &Entry, feed: &PublicKey, index: u64) -> Vec<Op> {
        let Some(sealed) = &entry.sealed else { return Vec::new() };
        let Some(key) = self.get(&sealed.epoch) else { return Vec::new() };
        self.try_open(entry, sealed, key, feed, index).unwrap_or_default()
    }

    fn try_open(
        &self,
        entry: &Entry,
        sealed: &Sealed,
        key: &SecretKey32,
        feed: &PublicKey,
        index: u64,
    ) -> Result<Vec<Op>, OpenError> {
        let ad = sealed_part_ad(feed, index, &entry.encode_clear());
        let plain = open(&key.0, &sealed.nonce, &ad, &sealed.ciphertext)?;
        let mut reader = Reader::new(&plain);
        let ops = decode_ops(&mut reader).map_err(|_| OpenError)?;
        reader.end().map_err(|_| OpenError)?;
        Ok(ops)
    }
}

/// An epoch's id.
pub(super) fn epoch_id(key: &SecretKey32) -> Hash {
    hash_to(Namespace::Epoch, &[&key.0])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{crypto::seal_to, space::op::tests::any_op, testing::Seeded};

    fn entry() -> Entry {
        Entry {
            deps: Vec::new(),
            full_clock: true,
            previous_access: None,
            time: 5,
            access: Vec::new(),
            public: Vec::new(),
            sealed: None,
        }
    }

    proptest! {
        #[test]
        fn sealed_operations_open_in_their_own_place_only(ops in prop::collection::vec(any_op(), 0..4), seed: u64) {
            let mut entropy = Seeded::new(seed);
            let mut keys = ContentKeys::default();
            let epoch = keys.generate(&mut entropy);
            let feed = Signer::from_seed(&[1; 32]).public();
            let mut sealed = entry();
            keys.seal_ops(&mut sealed, &feed, 3, epoch, &ops, &mut entropy).unwrap();
            let back = Entry::decode(&sealed.encode()).unwrap();
            prop_assert!(keys.open_ops(&back, &feed, 3) == ops);
            prop_assert!(keys.open_ops(&back, &feed, 4).is_empty());
            let other = Signer::from_seed(&[2; 32]).public();
            prop_assert!(keys.open_ops(&back, &other, 3).is_empty());
            let mut later = back.clone();
            later.time += 1;
            prop_assert!(keys.open_ops(&later, &feed, 3).is_empty());
            keys.clear();
            prop_assert!(keys.open_ops(&back, &feed, 3).is_empty());
        }
    }

    #[test]
    fn only_the_key_that_hashes_to_the_epoch_is_kept() {
        let mut entropy = Seeded::new(1);
        let reader = Signer::from_seed(&[3; 32]);
        let (key, wrong) = (SecretKey32([7; 32]), SecretKey32([8; 32]));
        let good = seal_to(&reader.public(), &key.0, &mut entropy).unwrap();
        let bad = seal_to(&reader.public(), &wrong.0, &mut entropy).unwrap();
        let mut keys = ContentKeys::default();
        assert!(!keys.open(&epoch_id(&key), &bad, &reader));
        assert!(!keys.open(&epoch_id(&key), &good, &Signer::from_seed(&[4; 32])));
        assert!(keys.open(&epoch_id(&key), &good, &reader));
        assert!(!keys.open(&epoch_id(&key), &good, &reader), "not new");
    }

    #[test]
    fn names_are_bound_to_their_writer() {
        let mut entropy = Seeded::new(1);
        let mut keys = ContentKeys::default();
        let epoch = keys.generate(&mut entropy);
        let (writer, other) = (Signer::from_seed(&[1; 32]).public(), Signer::from_seed(&[2; 32]).public());
        let name = keys.seal_name(epoch, &writer, "Firefox on Ubuntu", &mut entropy).unwrap();
        assert_eq!(keys.open_name(&writer, &name).as_deref(), Some("Firefox on Ubuntu"));
        assert_eq!(keys.open_name(&other, &name), None);
        assert_eq!(ContentKeys::default().open_name(&writer, &name), None);
    }
}
