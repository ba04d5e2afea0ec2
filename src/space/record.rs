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
    /// Makes and signs a record; links are sorted. What exceeds a limit is an error, so that whatever is signed can be
    /// read and sent: at most [`MAX_ITEMS`] items, [`MAX_LINKS`] links, [`MAX_RECORD`] bytes. [`RootItem::parts`] splits.
    pub fn sign(
        space: &PublicKey,
        root: &Signer,
        mut links: Vec<Hash>,
        items: Vec<RootItem>,
    ) -> Result<Self, RecordError> {
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
        let signature = root.sign(&signed_bytes(space, out.as_slice()));
        out.raw(&signature.0);
        // Reading it checks every limit, those inside the items too.
        Self::decode(space, out.as_slice())
    }

    /// Reads a record and verifies its signature.
    pub fn decode(space: &PublicKey, bytes: &[u8]) -> Result<Self, RecordError> {
        if bytes.len() > MAX_RECORD {
            let got = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            return Err(DecodeError::TooLarge { what: "root record", max: LONGEST, got }.into());
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
    /// Splits statements so that each part fits a record, whatever it links; their order stays. Entries that one item
    /// cannot void go on in items of their own, which says the same.
    pub fn parts(items: Vec<Self>) -> Vec<Vec<Self>> {
        let mut parts: Vec<Vec<Self>> = Vec::new();
        let mut room = 0;
        for item in items.into_iter().flat_map(Self::split_voids) {
            let mut encoded = Writer::new();
            item.encode(&mut encoded);
            let length = encoded.as_slice().len();
            match parts.last_mut() {
                Some(part) if part.len() < MAX_ITEMS && length <= room => part.push(item),
                _ => {
                    parts.push(vec![item]);
                    room = MAX_RECORD - FRAME;
                }
            }
            room = room.saturating_sub(length);
        }
        parts
    }

    fn split_voids(self) -> Vec<Self> {
        let (mut out, rest) = match self {
            Self::Cut { cut, mut voids } if voids.len() > MAX_VOIDS => {
                let rest = voids.split_off(MAX_VOIDS);
                (vec![Self::Cut { cut, voids }], rest)
            }
            Self::Void(voids) if voids.len() > MAX_VOIDS => (Vec::new(), voids),
            item => return vec![item],
        };
        out.extend(rest.chunks(MAX_VOIDS).map(|voids| Self::Void(voids.to_vec())));
        out
    }

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
/// Most bytes of a record: what a peer takes as one item.
pub const MAX_RECORD: usize = 256 * 1024;
/// The same, for messages.
const LONGEST: u64 = 256 * 1024;
/// Most bytes of a record around its items: version, root, links, counts, signature.
const FRAME: usize = 1 + 32 + 2 + 32 * MAX_LINKS + 2 + 64;

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
            let record = RootRecord::sign(&root.public(), &root, links, items).unwrap();
            prop_assert_eq!(&RootRecord::decode(&root.public(), record.as_bytes()).unwrap(), &record);
            let other_space = Signer::from_seed(&[6; 32]).public();
            prop_assert!(RootRecord::decode(&other_space, record.as_bytes()).is_err());
            let mut bytes = record.as_bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= 1;
            prop_assert!(RootRecord::decode(&root.public(), &bytes).is_err());
        }
    }

    fn root() -> Signer {
        Signer::from_seed(&[5; 32])
    }

    fn signed(items: Vec<RootItem>) -> Result<RootRecord, RecordError> {
        RootRecord::sign(&root().public(), &root(), Vec::new(), items)
    }

    #[test]
    fn a_record_is_at_most_what_can_be_sent() {
        // Around the body of one item: version, root, no links, one item, its type and length, signature.
        let body = MAX_RECORD - (1 + 32 + 1 + 1 + 1 + 3 + 64);
        let record = signed(vec![RootItem::Unknown { kind: 9, body: vec![1; body] }]).unwrap();
        assert_eq!(record.as_bytes().len(), MAX_RECORD);
        let item = RootItem::Unknown { kind: 9, body: vec![1; body + 1] };
        let expected =
            RecordError::Layout(DecodeError::TooLarge { what: "root record", max: 262_144, got: 262_145 });
        assert_eq!(signed(vec![item.clone()]), Err(expected));
        // Nor is one taken that somebody else signed.
        let mut out = Writer::versioned();
        out.raw(&root().public().0).count(0).count(1);
        item.encode(&mut out);
        let signature = root().sign(&signed_bytes(&root().public(), out.as_slice()));
        out.raw(&signature.0);
        assert_eq!(RootRecord::decode(&root().public(), out.as_slice()), Err(expected));
    }

    #[test]
    fn what_could_not_be_read_is_not_signed() {
        let unknown = RootItem::Unknown { kind: 9, body: Vec::new() };
        assert!(signed(vec![unknown.clone(); MAX_ITEMS]).is_ok());
        assert!(signed(vec![unknown; MAX_ITEMS + 1]).is_err());
        assert!(signed(vec![RootItem::Void(vec![Hash([1; 32]); MAX_VOIDS + 1])]).is_err());
        let links = |count: u32| {
            let hashes = (0..count).map(|n| blake2b(&[&n.to_le_bytes()])).collect();
            RootRecord::sign(&root().public(), &root(), hashes, Vec::new())
        };
        assert!(links(1000).is_ok());
        assert!(links(1001).is_err());
    }

    #[test]
    fn parts_fit_and_say_the_same() {
        let cut = |byte: u8| Cut {
            writer: PublicKey([byte; 32]),
            length: 9,
            tree_hash: Hash([2; 32]),
            head: vec![3; 113],
            proof: vec![4; 4_000],
        };
        let hashes = |from: u32, count: u32| -> Vec<Hash> {
            (from..from + count).map(|n| blake2b(&[&n.to_le_bytes()])).collect()
        };
        let mut items: Vec<RootItem> =
            (0..=255).map(|byte| RootItem::Cut { cut: cut(byte), voids: Vec::new() }).collect();
        items.push(RootItem::Void(hashes(0, 2_500)));
        items.push(RootItem::Cut { cut: cut(7), voids: hashes(2_500, 1_001) });
        items.extend((0..450).map(|_| RootItem::Unknown { kind: 9, body: Vec::new() }));
        let links: Vec<Hash> = hashes(0, 1_000);
        let (mut cuts, mut voids, mut unknown) = (Vec::new(), Vec::new(), 0);
        for part in RootItem::parts(items) {
            let record = RootRecord::sign(&root().public(), &root(), links.clone(), part).unwrap();
            for item in record.items {
                match item {
                    RootItem::Cut { cut, voids: more } => {
                        cuts.push(cut);
                        voids.extend(more);
                    }
                    RootItem::Void(more) => voids.extend(more),
                    _ => unknown += 1,
                }
            }
        }
        assert_eq!(cuts, (0..=255).chain([7]).map(cut).collect::<Vec<_>>());
        assert_eq!(voids, hashes(0, 3_501));
        assert_eq!(unknown, 450);
        assert!(RootItem::parts(Vec::new()).is_empty());
    }
}
