//! An entry: one block of a writer's feed in a space.
//!
//! ```text
//! version u8
//! flags u8                      1: deps are the full clock, 2: a sealed part follows
//! varint deps                   each: writer 32 │ varint length │ tree hash at that length 32; ascending by writer
//! varint previous access        0: none, else 1 + index of the author's previous entry with access operations
//! varint time                   ms since 1970, for people, never for order
//! varint access operations      each: type u8 │ varint length │ body
//! varint public operations      each: type u8 │ varint length │ body
//! ───── up to here: the clear part ─────
//! epoch id 32 │ nonce 24 │ ciphertext to the end of the block
//! ```
//! The sealed part is a list of operations under the epoch's content key; its associated data is feed key ‖ u64le
//! index ‖ BLAKE2b-256 of the clear part, so it opens in its own place only. An entry applies whole or not at all.
//! The hash of an entry is its leaf hash in the feed.

use super::{AccessOp, Op, decode_ops, encode_ops, op::ops_size};
use crate::{
    codec::{DecodeError, Reader, VERSION, Writer},
    crypto::{Hash, NONCE_LENGTH, PublicKey, blake2b},
};

/// A prefix of another writer's feed that the author had seen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Dep {
    /// The other writer.
    pub writer: PublicKey,
    /// Length of the prefix, at least 1.
    pub length: u64,
    /// Tree hash of the feed at that length.
    pub tree_hash: Hash,
}

/// Operations that only writers read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sealed {
    /// Epoch whose content key opens it.
    pub epoch: Hash,
    /// Random nonce.
    pub nonce: [u8; NONCE_LENGTH],
    /// Ciphertext and tag.
    pub ciphertext: Vec<u8>,
}

/// One block of a writer's feed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// What the author had seen since its previous entry, or all it had seen if `full_clock`.
    pub deps: Vec<Dep>,
    /// Whether `deps` are the whole clock.
    pub full_clock: bool,
    /// Index of the author's previous entry with access operations.
    pub previous_access: Option<u64>,
    /// Wall time, ms since 1970.
    pub time: u64,
    /// Who may write.
    pub access: Vec<AccessOp>,
    /// Data that anyone reads.
    pub public: Vec<Op>,
    /// Data that writers read.
    pub sealed: Option<Sealed>,
}

impl Entry {
    /// The clear part, without the sealed one.
    pub fn encode_clear(&self) -> Vec<u8> {
        let mut out = Writer::new();
        // All at once: growing copies what is there.
        out.reserve(CLEAR_HEAD + self.deps.len() * MOST_DEP + ops_size(&self.public)).u8(VERSION);
        out.u8(u8::from(self.full_clock) | u8::from(self.sealed.is_some()) << 1).count(self.deps.len());
        for dep in &self.deps {
            out.raw(&dep.writer.0).varint(dep.length).raw(&dep.tree_hash.0);
        }
        out.varint(self.previous_access.map_or(0, |index| index + 1))
            .varint(self.time)
            .count(self.access.len());
        for op in &self.access {
            op.encode(&mut out);
        }
        encode_ops(&self.public, &mut out);
        out.finish()
    }

    /// The block.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.encode_clear();
        if let Some(sealed) = &self.sealed {
            out.extend_from_slice(&sealed.epoch.0);
            out.extend_from_slice(&sealed.nonce);
            out.extend_from_slice(&sealed.ciphertext);
        }
        out
    }

    /// Reads a block. An error makes the entry malformed: it is void, and keeps its index.
    pub fn decode(block: &[u8]) -> Result<Self, DecodeError> {
        if block.len() > MAX_ENTRY {
            let got = u64::try_from(block.len()).unwrap_or(u64::MAX);
            return Err(DecodeError::TooLarge { what: "entry", max: 1 << 20, got });
        }
        let mut reader = Reader::versioned(block)?;
        let flags = reader.u8()?;
        if flags > 3 {
            return Err(DecodeError::Unknown { what: "entry flags", got: u64::from(flags) });
        }
        let deps = decode_deps(&mut reader)?;
        let previous_access = reader.varint()?.checked_sub(1);
        let time = reader.varint()?;
        let count = reader.count("access operations", MAX_ACCESS)?;
        let mut access = Vec::new();
        for _ in 0..count {
            access.push(AccessOp::decode(&mut reader)?);
        }
        let public = decode_ops(&mut reader)?;
        let sealed = match flags & 2 {
            0 => None,
            _ => Some(Sealed {
                epoch: Hash(reader.array()?),
                nonce: reader.array()?,
                ciphertext: reader.rest().to_vec(),
            }),
        };
        reader.end()?;
        Ok(Self { deps, full_clock: flags & 1 == 1, previous_access, time, access, public, sealed })
    }
}

fn decode_deps(reader: &mut Reader<'_>) -> Result<Vec<Dep>, DecodeError> {
    let count = reader.count("deps", MAX_DEPS)?;
    let mut deps: Vec<Dep> = Vec::with_capacity(count.min(reader.remaining() / 65));
    for _ in 0..count {
        let dep = Dep {
            writer: PublicKey(reader.array()?),
            length: reader.varint()?,
            tree_hash: Hash(reader.array()?),
        };
        if deps.last().is_some_and(|last| last.writer >= dep.writer) {
            return Err(DecodeError::NotCanonical { what: "deps out of order" });
        }
        deps.push(dep);
    }
    Ok(deps)
}

/// Associated data of an entry's sealed part.
pub fn sealed_part_ad(feed: &PublicKey, index: u64, clear: &[u8]) -> Vec<u8> {
    let mut ad = Writer::new();
    ad.raw(&feed.0).u64(index).raw(&blake2b(&[clear]).0);
    ad.finish()
}

/// Bytes of a clear part without deps and operations, about, and of a dep at most.
const CLEAR_HEAD: usize = 24;
const MOST_DEP: usize = 72;
/// Most bytes of an entry.
pub const MAX_ENTRY: usize = 1 << 20;
/// Most deps of an entry: writers of a space.
pub const MAX_DEPS: usize = 10_000;
/// Most access operations of an entry.
const MAX_ACCESS: usize = 1000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::space::{access_op::tests::any_access_op, op::tests::any_op};

    fn any_entry() -> impl Strategy<Value = Entry> {
        let deps = prop::collection::btree_map(any::<[u8; 32]>(), (1..99_u64, any::<[u8; 32]>()), 0..4)
            .prop_map(|map| {
                map.into_iter()
                    .map(|(writer, (length, hash))| Dep {
                        writer: PublicKey(writer),
                        length,
                        tree_hash: Hash(hash),
                    })
                    .collect::<Vec<_>>()
            });
        let ops = prop::collection::vec(any_op(), 0..4);
        let access = prop::collection::vec(any_access_op(), 0..4);
        let sealed = prop::option::of((any::<[u8; 32]>(), any::<[u8; 24]>(), any::<Vec<u8>>()));
        (deps, any::<bool>(), prop::option::of(0..99_u64), 0..1_u64 << 50, access, ops, sealed).prop_map(
            |(deps, full_clock, previous_access, time, access, public, sealed)| Entry {
                deps,
                full_clock,
                previous_access,
                time,
                access,
                public,
                sealed: sealed.map(|(epoch, nonce, ciphertext)| Sealed {
                    epoch: Hash(epoch),
                    nonce,
                    ciphertext,
                }),
            },
        )
    }

    proptest! {
        #[test]
        fn entries_round_trip(entry in any_entry()) {
            prop_assert!(Entry::decode(&entry.encode()).unwrap() == entry);
        }

        #[test]
        fn any_bytes_are_refused_or_canonical(mut bytes: Vec<u8>, versioned: bool) {
            if let (Some(first), true) = (bytes.first_mut(), versioned) {
                *first = 1;
            }
            if let Ok(entry) = Entry::decode(&bytes) {
                prop_assert_eq!(entry.encode(), bytes);
            }
        }

        #[test]
        fn a_flipped_bit_never_panics(entry in any_entry(), at: prop::sample::Index, bit in 0..8_u32) {
            let mut bytes = entry.encode();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let _ = Entry::decode(&bytes);
        }
    }
}
