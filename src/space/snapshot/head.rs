//! The head of a snapshot: what was exported when, and the map that leads to the rest.
//!
//! ```text
//! version u8 │ space 32 │ varint ms since 1970 │ map 32 │ varint bytes of the map
//! varint records, each: bytes │ bytes: manifest or none │ varint equivocation proofs, each: bytes
//! varint feeds, each: feed 32 │ varint length │ varint fork │ tree hash 32 │ signature 64      ascending by feed
//! signer 32 │ signature 64 over ns(snapshot) ‖ BLAKE2b-256 of all before it
//! ```

use super::{MAX_FEEDS, SnapshotError};
use crate::{
    codec::{DecodeError, Reader, Writer},
    crypto::{Hash, Namespace, PublicKey, Signature, Signer, blake2b},
    feed::SignedHead,
    space::MAX_RECORD,
    value::SignedValue,
};

/// The head of a snapshot.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SnapshotHead {
    /// Of which space.
    pub space: PublicKey,
    /// When it was exported, ms since 1970, by the signer's clock.
    pub time: u64,
    /// Name and size of the map.
    pub map: (Hash, u64),
    /// Root records.
    pub records: Vec<Vec<u8>>,
    /// The manifest, a signed value; empty for none.
    pub manifest: Vec<u8>,
    /// Proofs of two histories.
    pub evidence: Vec<Vec<u8>>,
    /// Each feed's head, ascending by feed.
    pub feeds: Vec<(PublicKey, SignedHead)>,
    /// The device that exported it.
    pub signer: PublicKey,
}

impl SnapshotHead {
    /// Encodes and signs; `signer` is the key of the signing device.
    pub fn sign(&self, signer: &Signer) -> Vec<u8> {
        let mut out = Writer::versioned();
        out.raw(&self.space.0).varint(self.time).raw(&self.map.0.0).varint(self.map.1);
        out.count(self.records.len());
        for record in &self.records {
            out.bytes(record);
        }
        out.bytes(&self.manifest).count(self.evidence.len());
        for proof in &self.evidence {
            out.bytes(proof);
        }
        out.count(self.feeds.len());
        for (feed, head) in &self.feeds {
            out.raw(&feed.0);
            head.write(&mut out);
        }
        out.raw(&signer.public().0);
        let signature = signer.sign(&signed(out.as_slice()));
        out.raw(&signature.0);
        out.finish()
    }

    /// Reads one, and verifies its signature. Whether the signer is a writer is another question.
    pub fn open(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let body = bytes.len().checked_sub(64).and_then(|end| bytes.get(..end)).unwrap_or_default();
        let mut reader = Reader::versioned(bytes)?;
        let head = Self::read(&mut reader)?;
        let signature = Signature(reader.array()?);
        reader.end()?;
        head.signer.verify(&signed(body), &signature).map_err(|_| SnapshotError::Signature)?;
        Ok(head)
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (space, time) = (PublicKey(reader.array()?), reader.varint()?);
        let map = (Hash(reader.array()?), reader.varint()?);
        let records = read_list(reader, "root records", MAX_RECORD)?;
        let manifest = reader.bytes("manifest", SignedValue::MAX_ENCODED)?.to_vec();
        let evidence = read_list(reader, "equivocation proofs", MAX_PROOF)?;
        let mut feeds: Vec<(PublicKey, SignedHead)> = Vec::new();
        for _ in 0..reader.count("feeds", MAX_FEEDS)? {
            let feed = PublicKey(reader.array()?);
            if feeds.last().is_some_and(|(last, _)| *last >= feed) {
                return Err(DecodeError::NotCanonical { what: "feeds out of order" });
            }
            feeds.push((feed, SignedHead::read(reader)?));
        }
        let signer = PublicKey(reader.array()?);
        Ok(Self { space, time, map, records, manifest, evidence, feeds, signer })
    }
}

fn read_list(reader: &mut Reader<'_>, what: &'static str, max: usize) -> Result<Vec<Vec<u8>>, DecodeError> {
    let mut list = Vec::new();
    for _ in 0..reader.count(what, 100_000)? {
        list.push(reader.bytes(what, max)?.to_vec());
    }
    Ok(list)
}

fn signed(body: &[u8]) -> Vec<u8> {
    let mut out = Writer::new();
    out.raw(&Namespace::Snapshot.bytes()).raw(&blake2b(&[body]).0);
    out.finish()
}

/// Largest equivocation proof: two branches.
const MAX_PROOF: usize = 32 * 1024;
