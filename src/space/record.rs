//! Root records: statements signed by a space's root key. A grow-only set, merged by union.
//!
//! ```text
//! version u8 │ root 32 (who signs) │ varint links │ each: record hash 32, ascending
//! varint items                 each: type u8 │ varint length │ body
//!   1 grant      as in an entry
//!   2 cut        as in an entry │ varint voids │ each: entry hash 32
//!   3 void       varint voids │ each: entry hash 32
//!   4 successor  root 32
//! ───── up to here: the body ─────
//! signature 64                 over ns(hypha/v1/root) ‖ space key ‖ body
//! ```
//! `links` are the hashes of the records that the signer held and no other names. The hash of a record is
//! BLAKE2b-256 of what is signed.

use super::{Cut, Grant};
use crate::{
    codec::{DecodeError, Reader, Writer},
    collections::sort,
    crypto::{BadSignature, Hash, Namespace, PublicKey, Signature, Signer, blake2b},
};

/// One statement.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RootItem {
    /// Authorises a writer.
    Grant(Grant),
    /// Closes a feed at a length, for good; takes all device cuts in the named entries away.
    Cut {
        /// Feed and length.
        cut: Cut,
        /// Hashes of entries whose device cuts do not count.
        voids: Vec<Hash>,
    },
    /// Takes all device cuts in the named entries away.
    Void(Vec<Hash>),
    /// Hands the space over to another root key.
    Successor(PublicKey),
    /// A statement of a later version: ignored, and the space is marked "needs an update".
    Unknown {
        /// Its type.
        kind: u8,
        /// Its body.
        body: Vec<u8>,
    },
}

/// A signed set of statements.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RootRecord {
    /// Who signed.
    pub root: PublicKey,
    /// Hashes of earlier records, ascending.
    pub links: Vec<Hash>,
    /// What it says.
    pub items: Vec<RootItem>,
    hash: Hash,
    bytes: Vec<u8>,
}

impl RootRecord {
    /// Makes and signs a record; links are sorted. At most [`MAX_ITEMS`] items, [`MAX_LINKS`] links.
    pub fn sign(space: &PublicKey, root: &Signer, mut links: Vec<Hash>, items: Vec<RootItem>) -> Self {
        sort(&mut links);
        links.dedup();
        let mut out = Writer::versioned();
        out.raw(&root.public().0).count(links.len());
        for link in &links {
            out.raw(&link.0);
        }
        out.count(items.len());
        for item in &items {
            item.encode(&mut out);
        }
        let signed = signed_bytes(space, out.as_slice());
        let signature = root.sign(&signed);
        let hash = blake2b(&[&signed]);
        out.raw(&signature.0);
        Self { root: root.public(), links, items, hash, bytes: out.finish() }
    }

    /// Reads a record and verifies its signature.
    pub fn decode(space: &PublicKey, bytes: &[u8]) -> Result<Self, RecordError> {
        if bytes.len() > MAX_RECORD {
            let got = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            return Err(DecodeError::TooLarge { what: "root record", max: 1 << 20, got }.into());
        }
        let ended = DecodeError::Ended { expected: 64, got: bytes.len() };
        let (body, signature) = bytes.split_last_chunk::<64>().ok_or(ended)?;
        let mut reader = Reader::versioned(body)?;
        let root = PublicKey(reader.array()?);
        let links = hashes(&mut reader, "links", MAX_LINKS)?;
        if links.windows(2).any(|pair| matches!(pair, [a, b] if a >= b)) {
            return Err(DecodeError::NotCanonical { what: "links out of order" }.into());
        }
        let count = reader.count("items", MAX_ITEMS)?;
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(RootItem::decode(&mut reader)?);
        }
        reader.end()?;
        let signed = signed_bytes(space, body);
        root.verify(&signed, &Signature(*signature))?;
        Ok(Self { root, links, items, hash: blake2b(&[&signed]), bytes: bytes.to_vec() })
    }

    /// BLAKE2b-256 of what is signed: names the record.
    pub const fn hash(&self) -> Hash {
        self.hash
    }

    /// The record as it is stored and sent.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl RootItem {
    fn encode(&self, out: &mut Writer) {
        let mut body = Writer::new();
        let kind = match self {
            Self::Grant(grant) => {
                grant.encode(&mut body);
                1
            }
            Self::Cut { cut, voids } => {
                cut.encode(&mut body);
                encode_hashes(&mut body, voids);
                2
            }
            Self::Void(voids) => {
                encode_hashes(&mut body, voids);
                3
            }
            Self::Successor(root) => {
                body.raw(&root.0);
                4
            }
            Self::Unknown { kind, body: bytes } => {
                body.raw(bytes);
                *kind
            }
        };
        out.u8(kind).bytes(body.as_slice());
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let kind = reader.u8()?;
        let mut body = Reader::new(reader.bytes("root item", MAX_RECORD)?);
        let item = match kind {
            1 => Self::Grant(Grant::decode(&mut body)?),
            2 => Self::Cut { cut: Cut::decode(&mut body)?, voids: hashes(&mut body, "voids", MAX_VOIDS)? },
            3 => Self::Void(hashes(&mut body, "voids", MAX_VOIDS)?),
            4 => Self::Successor(PublicKey(body.array()?)),
            _ => Self::Unknown { kind, body: body.rest().to_vec() },
        };
        body.end()?;
        Ok(item)
    }
}

fn signed_bytes(space: &PublicKey, body: &[u8]) -> Vec<u8> {
    let mut out = Writer::new();
    out.raw(&Namespace::Root.bytes()).raw(&space.0).raw(body);
    out.finish()
}

fn encode_hashes(out: &mut Writer, hashes: &[Hash]) {
    out.count(hashes.len());
    for hash in hashes {
        out.raw(&hash.0);
    }
}

fn hashes(reader: &mut Reader<'_>, what: &'static str, max: usize) -> Result<Vec<Hash>, DecodeError> {
    let count = reader.count(what, max)?;
    let mut out = Vec::with_capacity(count.min(reader.remaining() / 32));
    for _ in 0..count {
        out.push(Hash(reader.array()?));
    }
    Ok(out)
}

/// A record that is not to be believed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RecordError {
    /// Not the layout.
    #[error("root record: {0}")]
    Layout(#[from] DecodeError),
    /// Not signed by the root that it names.
    #[error("root record: {0}")]
    Signature(#[from] BadSignature),
}

/// Most items of a record.
pub const MAX_ITEMS: usize = 200;
/// Most links of a record.
pub const MAX_LINKS: usize = 1000;
/// Most entries that one item voids.
const MAX_VOIDS: usize = 1000;
/// Most bytes of a record.
const MAX_RECORD: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::space::access_op::tests::{any_cut, any_grant, any_key};

    fn any_item() -> impl Strategy<Value = RootItem> {
        let hashes = || prop::collection::vec(any::<[u8; 32]>().prop_map(Hash), 0..3);
        prop_oneof![
            any_grant().prop_map(RootItem::Grant),
            (any_cut(), hashes()).prop_map(|(cut, voids)| RootItem::Cut { cut, voids }),
            hashes().prop_map(RootItem::Void),
            any_key().prop_map(RootItem::Successor),
            (5..=255_u8, any::<Vec<u8>>()).prop_map(|(kind, body)| RootItem::Unknown { kind, body }),
        ]
    }

    proptest! {
        #[test]
        fn records_round_trip_and_no_byte_can_change(
            items in prop::collection::vec(any_item(), 0..4),
            links in prop::collection::vec(any::<[u8; 32]>().prop_map(Hash), 0..3),
            at: prop::sample::Index,
        ) {
            let root = Signer::from_seed(&[5; 32]);
            let record = RootRecord::sign(&root.public(), &root, links, items);
            prop_assert_eq!(&RootRecord::decode(&root.public(), record.as_bytes()).unwrap(), &record);
            let other_space = Signer::from_seed(&[6; 32]).public();
            prop_assert!(RootRecord::decode(&other_space, record.as_bytes()).is_err());
            let mut bytes = record.as_bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= 1;
            prop_assert!(RootRecord::decode(&root.public(), &bytes).is_err());
        }
    }
}
