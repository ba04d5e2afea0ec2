//! Operations that say who may write: they stand in the clear header of an entry, or in a root record.
//!
//! Each is `type u8 ‖ varint length ‖ body`, so that a reader steps over a type that it does not know.
//!
//! ```text
//! 1 grant   writer 32 │ person 32 │ role u8 │ flags u8 (1: from now on, 2: name follows, 4: invite follows) │ install id 16
//!           │ name: epoch id 32 │ nonce 24 │ varint length │ ciphertext │ invite: its key 32 │ its signature 64
//! 2 cut     writer 32 │ varint n │ n > 0: tree hash at n 32 │ head (varint length │ bytes) │ proof (varint length │ bytes)
//! 3 hide    writer 32 │ varint first index
//! 4 unhide  writer 32
//! 5 epoch   epoch id 32 │ varint seals │ each: writer 32 │ sealed key 80 │ sealed key for the root 80
//! 6 seal    epoch id 32 │ varint seals │ each: writer 32 │ sealed key 80 │ flag u8 │ 1: sealed key for the root 80
//! 7 invite  invite key 32 │ role u8 │ varint uses (0: any number) │ varint expiry, ms since 1970 (0: never)
//! 8 pin     replica's key 32 │ varint length │ label, UTF-8, at most 64 bytes
//! 9 unpin   replica's key 32
//! ```
//! A body of 7, 8 or 9 of another layout is an operation of a later version, as if the number were not known.

use super::{Citation, Invite, Pin};
use crate::{
    codec::{DecodeError, Reader, Writer},
    crypto::{Hash, NONCE_LENGTH, Namespace, PublicKey, SEALED_KEY_LENGTH, SealedKey, Signature, hash_to},
};

/// Names a person: a hash of the first writer key granted under it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PersonId(pub Hash);

impl PersonId {
    /// The id that a key founds.
    pub fn founded_by(writer: &PublicKey) -> Self {
        Self(hash_to(Namespace::Person, &[&writer.0]))
    }
}

/// What a granted key may do. Ordered: an admin may all that a writer may.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Role {
    /// May write, and grant and cut keys of its own person.
    Writer,
    /// May grant and cut anyone.
    Admin,
}

impl Role {
    /// As it is written.
    pub(super) const fn number(self) -> u8 {
        match self {
            Self::Writer => 1,
            Self::Admin => 2,
        }
    }

    /// The role with a number.
    pub(super) const fn of_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Writer),
            2 => Some(Self::Admin),
            _ => None,
        }
    }
}

/// A device name that only writers read, sealed under an epoch's key (associated data = the granted writer key).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SealedName {
    /// Epoch whose key opens it.
    pub epoch: Hash,
    /// Nonce.
    pub nonce: [u8; NONCE_LENGTH],
    /// Ciphertext of the UTF-8 name, and tag. At most 1,024 bytes.
    pub ciphertext: Vec<u8>,
}

/// Lets a key write.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Grant {
    /// The key that may write.
    pub writer: PublicKey,
    /// Whose key it is.
    pub person: PersonId,
    /// What it may do.
    pub role: Role,
    /// It gets no epoch older than this grant.
    pub from_now_on: bool,
    /// Sixteen random bytes made at sign-in.
    pub install_id: [u8; 16],
    /// Its name.
    pub name: Option<SealedName>,
    /// The invite by which it came. Rights do not depend on it.
    pub invite: Option<Citation>,
}

/// Stops a key from a length of its feed on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cut {
    /// The key.
    pub writer: PublicKey,
    /// First index that no longer counts.
    pub length: u64,
    /// Tree hash of the feed at `length` (all zero where `length` is 0).
    pub tree_hash: Hash,
    /// A signed head of the feed, at `length` or past it (empty where `length` is 0). Encoded as `feed` does.
    pub head: Vec<u8>,
    /// Tree nodes that place `tree_hash` under `head` (empty where the head is at `length`). Encoded as `feed` does.
    pub proof: Vec<u8>,
}

/// A content key sealed to a writer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seal {
    /// To whom.
    pub writer: PublicKey,
    /// The sealed key.
    pub key: SealedKey,
}

/// An operation in an entry's clear header.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AccessOp {
    /// Authorises a writer.
    Grant(Grant),
    /// De-authorises a writer from a length on.
    Cut(Cut),
    /// Shows nothing of a writer from an index on.
    Hide {
        /// Whose entries.
        writer: PublicKey,
        /// First index that is not shown.
        from: u64,
    },
    /// Takes back every hide of a writer that is lower in order.
    Unhide {
        /// Whose entries.
        writer: PublicKey,
    },
    /// A new content key, and whom it is sealed to.
    Epoch {
        /// Hash of the key.
        id: Hash,
        /// The key, sealed to writers.
        seals: Vec<Seal>,
        /// The key, sealed to the root.
        root: SealedKey,
    },
    /// More seals for an epoch that exists.
    Seal {
        /// Hash of the key.
        epoch: Hash,
        /// The key, sealed to writers.
        seals: Vec<Seal>,
        /// The key, sealed to the root again.
        root: Option<SealedKey>,
    },
    /// Lets whoever holds a secret key join. Rights come from the grant alone, which an admin makes.
    Invite(Invite),
    /// Relies on a replica: its receipts count.
    Pin(Pin),
    /// Relies on a replica no more.
    Unpin {
        /// Its key.
        replica: PublicKey,
    },
    /// An operation of a later version: ignored, and the space is marked "needs an update".
    Unknown {
        /// Its type.
        kind: u8,
        /// Its body.
        body: Vec<u8>,
    },
}

impl AccessOp {
    /// Appends type, length and body.
    pub fn encode(&self, out: &mut Writer) {
        let mut body = Writer::new();
        let kind = match self {
            Self::Grant(grant) => {
                grant.encode(&mut body);
                1
            }
            Self::Cut(cut) => {
                cut.encode(&mut body);
                2
            }
            Self::Hide { writer, from } => {
                body.raw(&writer.0).varint(*from);
                3
            }
            Self::Unhide { writer } => {
                body.raw(&writer.0);
                4
            }
            Self::Epoch { id, seals, root } => {
                encode_seals(&mut body, id, seals);
                body.raw(root);
                5
            }
            Self::Seal { epoch, seals, root } => {
                encode_seals(&mut body, epoch, seals);
                match root {
                    Some(root) => body.u8(1).raw(root),
                    None => body.u8(0),
                };
                6
            }
            Self::Invite(invite) => {
                invite.encode(&mut body);
                7
            }
            Self::Pin(pin) => {
                pin.encode(&mut body);
                8
            }
            Self::Unpin { replica } => {
                body.raw(&replica.0);
                9
            }
            Self::Unknown { kind, body: bytes } => {
                body.raw(bytes);
                *kind
            }
        };
        out.u8(kind).bytes(body.as_slice());
    }

    /// Reads one operation.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let kind = reader.u8()?;
        let mut body = Reader::new(reader.bytes("access operation", MAX_BODY)?);
        let op = match kind {
            1 => Self::Grant(Grant::decode(&mut body)?),
            2 => Self::Cut(Cut::decode(&mut body)?),
            3 => Self::Hide { writer: PublicKey(body.array()?), from: body.varint()? },
            4 => Self::Unhide { writer: PublicKey(body.array()?) },
            5 => {
                let (id, seals) = decode_seals(&mut body)?;
                Self::Epoch { id, seals, root: body.array()? }
            }
            6 => {
                let (epoch, seals) = decode_seals(&mut body)?;
                let root = match body.u8()? {
                    0 => None,
                    1 => Some(body.array()?),
                    got => return Err(DecodeError::Unknown { what: "root seal flag", got: u64::from(got) }),
                };
                Self::Seal { epoch, seals, root }
            }
            _ => {
                let bytes = body.rest();
                let known = match kind {
                    7 => Invite::decode(bytes).map(Self::Invite),
                    8 => Pin::decode(bytes).map(Self::Pin),
                    9 => bytes.try_into().ok().map(|key| Self::Unpin { replica: PublicKey(key) }),
                    _ => None,
                };
                known.unwrap_or_else(|| Self::Unknown { kind, body: bytes.to_vec() })
            }
        };
        body.end()?;
        Ok(op)
    }
}

impl Grant {
    pub(super) fn encode(&self, out: &mut Writer) {
        let flags = u8::from(self.from_now_on)
            | u8::from(self.name.is_some()) << 1
            | u8::from(self.invite.is_some()) << 2;
        out.raw(&self.writer.0).raw(&self.person.0.0).u8(self.role.number()).u8(flags).raw(&self.install_id);
        if let Some(name) = &self.name {
            out.raw(&name.epoch.0).raw(&name.nonce).bytes(&name.ciphertext);
        }
        if let Some(invite) = &self.invite {
            out.raw(&invite.invite.0).raw(&invite.signature.0);
        }
    }

    pub(super) fn decode(body: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (writer, person) = (PublicKey(body.array()?), PersonId(Hash(body.array()?)));
        let role = body.u8()?;
        let role =
            Role::of_number(role).ok_or(DecodeError::Unknown { what: "role", got: u64::from(role) })?;
        let flags = body.u8()?;
        if flags > 7 {
            return Err(DecodeError::Unknown { what: "grant flags", got: u64::from(flags) });
        }
        let install_id = body.array()?;
        let name = match flags & 2 {
            0 => None,
            _ => Some(SealedName {
                epoch: Hash(body.array()?),
                nonce: body.array()?,
                ciphertext: body.bytes("sealed name", MAX_NAME)?.to_vec(),
            }),
        };
        let invite = match flags & 4 {
            0 => None,
            _ => Some(Citation { invite: PublicKey(body.array()?), signature: Signature(body.array()?) }),
        };
        Ok(Self { writer, person, role, from_now_on: flags & 1 == 1, install_id, name, invite })
    }
}

impl Cut {
    pub(super) fn encode(&self, out: &mut Writer) {
        out.raw(&self.writer.0).varint(self.length);
        if self.length > 0 {
            out.raw(&self.tree_hash.0).bytes(&self.head).bytes(&self.proof);
        }
    }

    pub(super) fn decode(body: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (writer, length) = (PublicKey(body.array()?), body.varint()?);
        if length == 0 {
            return Ok(Self {
                writer,
                length,
                tree_hash: Hash::default(),
                head: Vec::new(),
                proof: Vec::new(),
            });
        }
        let tree_hash = Hash(body.array()?);
        let head = body.bytes("signed head", MAX_HEAD)?.to_vec();
        let proof = body.bytes("proof of a cut", MAX_PROOF)?.to_vec();
        Ok(Self { writer, length, tree_hash, head, proof })
    }
}

fn encode_seals(out: &mut Writer, epoch: &Hash, seals: &[Seal]) {
    out.raw(&epoch.0).count(seals.len());
    for seal in seals {
        out.raw(&seal.writer.0).raw(&seal.key);
    }
}

fn decode_seals(body: &mut Reader<'_>) -> Result<(Hash, Vec<Seal>), DecodeError> {
    let epoch = Hash(body.array()?);
    let count = body.count("seals", MAX_SEALS)?;
    let mut seals = Vec::with_capacity(count.min(body.remaining() / (32 + SEALED_KEY_LENGTH)));
    for _ in 0..count {
        seals.push(Seal { writer: PublicKey(body.array()?), key: body.array()? });
    }
    Ok((epoch, seals))
}

/// Most seals in one operation.
pub const MAX_SEALS: usize = 400;
/// Most bytes of the proof in a cut: a tree of 2^53 blocks needs fewer.
pub const MAX_PROOF: usize = 16 * 1024;
/// Most bytes of a signed head.
const MAX_HEAD: usize = 256;
/// Most bytes of a sealed name.
const MAX_NAME: usize = 1024;
/// Most bytes of one operation: 400 seals and some.
const MAX_BODY: usize = 64 * 1024;

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn any_key() -> impl Strategy<Value = PublicKey> {
        any::<[u8; 32]>().prop_map(PublicKey)
    }

    pub(crate) fn any_grant() -> impl Strategy<Value = Grant> {
        let name = prop::option::of((
            any::<[u8; 32]>(),
            any::<[u8; 24]>(),
            prop::collection::vec(any::<u8>(), 0..40),
        ));
        let invite = prop::option::of((any_key(), any::<[u8; 32]>()));
        (any_key(), any::<[u8; 32]>(), any::<bool>(), any::<bool>(), any::<[u8; 16]>(), name, invite)
            .prop_map(|(writer, person, admin, from_now_on, install_id, name, invite)| Grant {
                writer,
                person: PersonId(Hash(person)),
                role: if admin { Role::Admin } else { Role::Writer },
                from_now_on,
                install_id,
                name: name.map(|(epoch, nonce, ciphertext)| SealedName {
                    epoch: Hash(epoch),
                    nonce,
                    ciphertext,
                }),
                invite: invite.map(|(invite, half)| Citation {
                    invite,
                    signature: Signature(core::array::from_fn(|at| half[at % 32])),
                }),
            })
    }

    pub(crate) fn any_cut() -> impl Strategy<Value = Cut> {
        (any_key(), 0..9_u64, any::<[u8; 32]>(), any::<[u8; 8]>(), any::<[u8; 8]>()).prop_map(
            |(writer, length, hash, head, proof)| match length {
                0 => Cut { writer, length, tree_hash: Hash::default(), head: Vec::new(), proof: Vec::new() },
                _ => {
                    Cut { writer, length, tree_hash: Hash(hash), head: head.to_vec(), proof: proof.to_vec() }
                }
            },
        )
    }

    pub(crate) fn any_access_op() -> impl Strategy<Value = AccessOp> {
        let seals = || {
            let seal =
                (any_key(), any::<u8>()).prop_map(|(writer, b)| Seal { writer, key: [b; SEALED_KEY_LENGTH] });
            prop::collection::vec(seal, 0..4)
        };
        prop_oneof![
            any_grant().prop_map(AccessOp::Grant),
            any_cut().prop_map(AccessOp::Cut),
            (any_key(), 0..99_u64).prop_map(|(writer, from)| AccessOp::Hide { writer, from }),
            any_key().prop_map(|writer| AccessOp::Unhide { writer }),
            (any::<[u8; 32]>(), seals(), any::<u8>()).prop_map(|(id, seals, b)| AccessOp::Epoch {
                id: Hash(id),
                seals,
                root: [b; 80]
            }),
            (any::<[u8; 32]>(), seals(), any::<bool>()).prop_map(|(id, seals, root)| AccessOp::Seal {
                epoch: Hash(id),
                seals,
                root: root.then_some([3; 80])
            }),
            (any_key(), any::<bool>(), 0..1_u64 << 53, 0..1_u64 << 53).prop_map(
                |(key, admin, uses, expires)| {
                    let role = if admin { Role::Admin } else { Role::Writer };
                    AccessOp::Invite(Invite { key, role, uses, expires })
                }
            ),
            (any_key(), "[a-zäß ]{0,20}").prop_map(|(replica, label)| AccessOp::Pin(Pin { replica, label })),
            any_key().prop_map(|replica| AccessOp::Unpin { replica }),
            // An invite has 35 bytes at least, a pin 33, an unpin 32.
            (7..=255_u8, prop::collection::vec(any::<u8>(), 0..32))
                .prop_map(|(kind, body)| AccessOp::Unknown { kind, body }),
        ]
    }

    proptest! {
        #[test]
        fn access_ops_round_trip(op in any_access_op()) {
            let mut out = Writer::new();
            op.encode(&mut out);
            let mut reader = Reader::new(out.as_slice());
            prop_assert_eq!(AccessOp::decode(&mut reader).unwrap(), op);
            prop_assert_eq!(reader.remaining(), 0);
        }

        #[test]
        fn any_body_is_an_invite_or_a_later_operation(body in prop::collection::vec(any::<u8>(), 0..60)) {
            let mut out = Writer::new();
            out.u8(7).bytes(&body);
            let op = AccessOp::decode(&mut Reader::new(out.as_slice())).unwrap();
            let mut again = Writer::new();
            op.encode(&mut again);
            prop_assert_eq!(again.as_slice(), out.as_slice());
        }

        #[test]
        fn any_bytes_are_refused_or_canonical(bytes: Vec<u8>) {
            let mut reader = Reader::new(&bytes);
            if let Ok(op) = AccessOp::decode(&mut reader) {
                let mut out = Writer::new();
                op.encode(&mut out);
                prop_assert_eq!(out.as_slice(), &bytes[..bytes.len() - reader.remaining()]);
            }
        }
    }
}
