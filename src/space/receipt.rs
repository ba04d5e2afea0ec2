//! Receipts: what a replica, or another device, signs for what it holds, and how it is put to the test.
//!
//! ```text
//! signed     ns(hypha/v1/receipt) ‖ space key 32 ‖ feed key 32 ‖ u64le length ‖ tree hash 32 ‖ u64le expiry, ms
//! as sent    feed key 32 │ varint length │ tree hash 32 │ varint expiry, ms │ signer 32 │ signature 64
//! as stored  version u8 │ count │ each as sent
//! answer     BLAKE2b-256(key = nonce 32, ns(hypha/v1/challenge) ‖ space key 32 ‖ signer 32 ‖ feed key 32
//!            ‖ of each block, in the order asked: u64le index ‖ u64le size ‖ block)
//! ```
//! A signature is cheap; blocks are not. So a receipt is believed only after its signer answered for a few random blocks,
//! under a fresh nonce, at once; and it is asked again from time to time. The signer's key is part of the answer, so that
//! what one replica answers is of no use to another. (One that fetches the blocks from elsewhere in that time passes:
//! then they can be had, which is what was asked.)

use crate::{
    codec::{DecodeError, Reader, Writer},
    crypto::{BadSignature, Hash, Namespace, PublicKey, Signature, Signer, keyed_parts},
};

/// What one node promises to hold of a feed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Receipt {
    /// The feed.
    pub feed: PublicKey,
    /// How many of its first blocks.
    pub length: u64,
    /// Tree hash of the feed at that length.
    pub tree_hash: Hash,
    /// Until when, ms since 1970.
    pub expires: u64,
    /// Who promises: a replica, or a device by its writer key.
    pub signer: PublicKey,
    /// By the signer.
    pub signature: Signature,
}

impl Receipt {
    /// Signs for the first `length` blocks of a feed of a space, until `expires` (ms since 1970).
    pub fn sign(
        signer: &Signer,
        space: &PublicKey,
        feed: PublicKey,
        length: u64,
        tree_hash: Hash,
        expires: u64,
    ) -> Self {
        let signature = Signature([0; 64]);
        let mut receipt = Self { feed, length, tree_hash, expires, signer: signer.public(), signature };
        receipt.signature = signer.sign(&receipt.statement(space));
        receipt
    }

    /// Checks that its signer signed it for this space.
    pub fn verify(&self, space: &PublicKey) -> Result<(), BadSignature> {
        self.signer.verify(&self.statement(space), &self.signature)
    }

    /// Appends it as it is sent.
    pub fn write(&self, out: &mut Writer) {
        out.raw(&self.feed.0).varint(self.length).raw(&self.tree_hash.0).varint(self.expires);
        out.raw(&self.signer.0).raw(&self.signature.0);
    }

    /// Reads one. Its signature is not checked yet.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            feed: PublicKey(reader.array()?),
            length: reader.varint()?,
            tree_hash: Hash(reader.array()?),
            expires: reader.varint()?,
            signer: PublicKey(reader.array()?),
            signature: Signature(reader.array()?),
        })
    }

    fn statement(&self, space: &PublicKey) -> Vec<u8> {
        let (length, expires) = (self.length.to_le_bytes(), self.expires.to_le_bytes());
        [Namespace::Receipt.bytes().as_slice(), &space.0, &self.feed.0, &length, &self.tree_hash.0, &expires]
            .concat()
    }
}

/// What a signer answers to show that it holds blocks of a feed: index and bytes of each, in the order asked.
pub fn challenge_answer(
    space: &PublicKey,
    signer: &PublicKey,
    feed: &PublicKey,
    nonce: &[u8; 32],
    blocks: &[(u64, Vec<u8>)],
) -> Hash {
    let namespace = Namespace::Challenge.bytes();
    let sizes: Vec<([u8; 8], [u8; 8])> = blocks
        .iter()
        .map(|(index, block)| {
            (index.to_le_bytes(), u64::try_from(block.len()).unwrap_or(u64::MAX).to_le_bytes())
        })
        .collect();
    let mut parts: Vec<&[u8]> = vec![&namespace, &space.0, &signer.0, &feed.0];
    for ((_, block), (index, size)) in blocks.iter().zip(&sizes) {
        parts.extend([index.as_slice(), size.as_slice(), block.as_slice()]);
    }
    keyed_parts(nonce, &parts)
}

/// The last proved receipt of each signer for each feed of one space.
///
/// Receipts are taken in when their signer has answered for random blocks; which of them count is asked at reading, by
/// today's pins and today's clock.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Receipts {
    kept: Vec<Receipt>,
}

impl Receipts {
    /// Takes in a receipt whose signer has answered for its blocks; the one it had for this feed goes.
    pub fn keep(&mut self, receipt: Receipt) {
        self.drop_of(&receipt.signer, &receipt.feed);
        if self.kept.len() >= MAX_RECEIPTS {
            // The one that ends first is worth least.
            let first = self.kept.iter().enumerate().min_by_key(|(_, receipt)| receipt.expires);
            if let Some(at) = first.map(|(at, _)| at) {
                self.kept.remove(at);
            }
        }
        self.kept.push(receipt);
    }

    /// Forgets what a signer promised for a feed: it could not answer. Whether there was anything.
    pub fn drop_of(&mut self, signer: &PublicKey, feed: &PublicKey) -> bool {
        let before = self.kept.len();
        self.kept.retain(|kept| kept.signer != *signer || kept.feed != *feed);
        self.kept.len() < before
    }

    /// Forgets what is expired, and all of signers that `stays` does not name. Whether there was anything.
    pub fn prune(&mut self, now: u64, stays: impl Fn(&PublicKey) -> bool) -> bool {
        let before = self.kept.len();
        self.kept.retain(|kept| kept.expires > now && stays(&kept.signer));
        self.kept.len() < before
    }

    /// What a signer promised for a feed.
    pub fn of(&self, signer: &PublicKey, feed: &PublicKey) -> Option<&Receipt> {
        self.kept.iter().find(|kept| kept.signer == *signer && kept.feed == *feed)
    }

    /// The receipts for a feed that count: not expired at `now` (ms), from someone whom `vouches` names, and for what
    /// the feed really is by `tree_hash_at`.
    pub fn counted(
        &self,
        feed: &PublicKey,
        now: u64,
        vouches: impl Fn(&PublicKey) -> bool,
        tree_hash_at: impl Fn(u64) -> Option<Hash>,
    ) -> Vec<Receipt> {
        let counts = |kept: &&Receipt| {
            kept.feed == *feed
                && kept.expires > now
                && vouches(&kept.signer)
                && tree_hash_at(kept.length) == Some(kept.tree_hash)
        };
        self.kept.iter().filter(counts).copied().collect()
    }

    /// As it is stored.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned();
        out.count(self.kept.len());
        self.kept.iter().for_each(|receipt| receipt.write(&mut out));
        out.finish()
    }

    /// Reads what is stored; receipts that nobody signed for this space are left out.
    pub fn decode(bytes: &[u8], space: &PublicKey) -> Result<Self, DecodeError> {
        let mut reader = Reader::versioned(bytes)?;
        let mut kept = Vec::new();
        for _ in 0..reader.count("receipts", MAX_RECEIPTS)? {
            let receipt = Receipt::read(&mut reader)?;
            if receipt.verify(space).is_ok() {
                kept.push(receipt);
            }
        }
        reader.end()?;
        Ok(Self { kept })
    }
}

/// Most receipts kept of one space.
const MAX_RECEIPTS: usize = 256;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn signer(seed: u8) -> Signer {
        Signer::from_seed(&[seed; 32])
    }

    fn space() -> PublicKey {
        signer(200).public()
    }

    fn hash_at(length: u64) -> Hash {
        Hash([u8::try_from(length % 251).unwrap(); 32])
    }

    fn receipt(by: u8, length: u64, expires: u64) -> Receipt {
        Receipt::sign(&signer(by), &space(), signer(9).public(), length, hash_at(length), expires)
    }

    #[test]
    fn a_receipt_is_for_one_space_and_all_that_it_says() {
        let good = receipt(1, 7, 1000);
        assert!(good.verify(&space()).is_ok());
        assert!(good.verify(&signer(201).public()).is_err(), "another space");
        let forged = [
            Receipt { feed: signer(8).public(), ..good },
            Receipt { length: 8, ..good },
            Receipt { tree_hash: Hash([9; 32]), ..good },
            Receipt { expires: 1001, ..good },
            Receipt { signer: signer(2).public(), ..good },
        ];
        assert!(forged.iter().all(|forged| forged.verify(&space()).is_err()));
        let mut out = Writer::new();
        good.write(&mut out);
        assert_eq!(Receipt::read(&mut Reader::new(out.as_slice())), Ok(good));
    }

    #[test]
    fn an_answer_depends_on_everything() {
        let (space, feed, by) = (space(), signer(9).public(), signer(1).public());
        let blocks = vec![(3, b"three".to_vec()), (1, b"one".to_vec())];
        let good = challenge_answer(&space, &by, &feed, &[1; 32], &blocks);
        let other = |blocks: Vec<(u64, Vec<u8>)>| challenge_answer(&space, &by, &feed, &[1; 32], &blocks);
        let all = [
            challenge_answer(&feed, &by, &feed, &[1; 32], &blocks),
            challenge_answer(&space, &feed, &feed, &[1; 32], &blocks),
            challenge_answer(&space, &by, &by, &[1; 32], &blocks),
            challenge_answer(&space, &by, &feed, &[2; 32], &blocks),
            other(vec![(1, b"one".to_vec()), (3, b"three".to_vec())]),
            other(vec![(3, b"three".to_vec()), (2, b"one".to_vec())]),
            other(vec![(3, b"thre".to_vec()), (1, b"eone".to_vec())]),
            other(vec![(3, b"three".to_vec())]),
        ];
        assert!(all.iter().all(|other| *other != good));
    }

    #[test]
    fn one_receipt_for_each_signer_and_feed_is_kept_and_there_is_an_end() {
        let mut receipts = Receipts::default();
        receipts.keep(receipt(1, 7, 1000));
        receipts.keep(receipt(1, 9, 900));
        assert_eq!(receipts.kept.len(), 1);
        assert_eq!(receipts.of(&signer(1).public(), &signer(9).public()).map(|kept| kept.length), Some(9));
        for by in 0..=255 {
            receipts.keep(receipt(by, 1, 2000 + u64::from(by)));
        }
        assert_eq!(receipts.kept.len(), MAX_RECEIPTS);
        assert_eq!(Receipts::decode(&receipts.encode(), &space()), Ok(receipts.clone()));
        assert_eq!(Receipts::decode(&receipts.encode(), &signer(3).public()), Ok(Receipts::default()));
        assert!(receipts.prune(2100, |_| true));
        assert!(receipts.kept.iter().all(|kept| kept.expires > 2100));
        assert!(receipts.drop_of(&signer(250).public(), &signer(9).public()));
        assert!(!receipts.drop_of(&signer(250).public(), &signer(9).public()));
    }

    proptest! {
        /// Whatever is kept, by whomever: only what is in date, by one that vouches, for the right tree is counted.
        #[test]
        fn only_what_is_right_counts(
            kept in prop::collection::vec((0..6_u8, 0..20_u64, 0..20_u64, any::<bool>(), any::<bool>()), 0..12),
            pinned in prop::collection::vec(0..6_u8, 0..4),
            now in 0..20_u64,
        ) {
            let mut receipts = Receipts::default();
            let feed = signer(9).public();
            for (by, length, expires, lies, elsewhere) in &kept {
                let hash = if *lies { Hash([255; 32]) } else { hash_at(*length) };
                let about = if *elsewhere { signer(10).public() } else { feed };
                receipts.keep(Receipt::sign(&signer(*by), &space(), about, *length, hash, *expires));
            }
            let vouchers: Vec<PublicKey> = pinned.iter().map(|by| signer(*by).public()).collect();
            let counted =
                receipts.counted(&feed, now, |key| vouchers.contains(key), |length| Some(hash_at(length)));
            // The naive model: the last one each signer gave, if it is right in everything.
            let expected: Vec<Receipt> = (0..6_u8)
                .filter_map(|by| {
                    let last = kept.iter().rev().find(|(other, .., elsewhere)| *other == by && !*elsewhere)?;
                    let (_, length, expires, lies, _) = last;
                    (!lies && *expires > now && pinned.contains(&by)).then(|| receipt(by, *length, *expires))
                })
                .collect();
            prop_assert_eq!(counted.len(), expected.len());
            prop_assert!(expected.iter().all(|one| counted.contains(one)));
        }

        #[test]
        fn any_bytes_never_panic(bytes: Vec<u8>) {
            let _ = Receipts::decode(&bytes, &space());
        }
    }
}
