//! Operations on data: public in an entry, or inside its sealed part.
//!
//! A list is `varint count`, then each `type u8 ‖ varint length ‖ body`:
//!
//! ```text
//! 1 put      varint key length │ key (UTF-8) │ value (deterministic CBOR, to the end)
//! 2 delete   key (UTF-8, to the end)
//! 3 message key   32 bytes; only in a sealed part: the sign-in message key
//! 4 adopted put   original: writer 32 │ varint index │ varint operation (< 2^32); then key and value as in a put
//! 5 membership    space 32 │ writer 32 │ flags u8 (1: left); only in a sealed part of a home: this device's key there
//! 6 space secret  space 32 │ sealed key 80; only in a sealed part of a home: the space's root seed, for the home's root
//! ```
//! A body of 5 or 6 of another layout is an operation of a later version, so that those who know the numbers judge an
//! entry as those who do not.

use core::fmt;

use zeroize::Zeroizing;

use super::Version;
use crate::{
    codec::{DecodeError, Reader, Writer, check_value},
    crypto::{PublicKey, SealedKey},
};

/// An operation on data.
#[derive(Clone, Eq, PartialEq)]
pub enum Op {
    /// Writes a value under a key.
    Put {
        /// The key, 1 to 1,024 bytes.
        key: String,
        /// The value in deterministic CBOR.
        value: Vec<u8>,
    },
    /// Removes the value under a key.
    Delete {
        /// The key.
        key: String,
    },
    /// The sign-in message key, so that each authorised device has it after a reload.
    MessageKey(Zeroizing<[u8; 32]>),
    /// Writes a value again that was taken away, and says where it stood. To all else it is a put: nobody has to
    /// believe the reference, and no right follows from it.
    Adopted {
        /// The operation that was taken away.
        original: Version,
        /// The key, 1 to 1,024 bytes.
        key: String,
        /// The value in deterministic CBOR.
        value: Vec<u8>,
    },
    /// With which key the author's device writes in another space.
    Membership {
        /// The space.
        space: PublicKey,
        /// The device's writer key there.
        writer: PublicKey,
        /// It is there no more.
        left: bool,
    },
    /// The root seed of a space that this person created.
    SpaceSecret {
        /// The space.
        space: PublicKey,
        /// The seed, sealed to the home's root.
        sealed: Box<SealedKey>,
    },
    /// An operation of a later version: ignored, and the space is marked "needs an update".
    Unknown {
        /// Its type.
        kind: u8,
        /// Its body.
        body: Vec<u8>,
    },
}

impl Op {
    /// The key that it writes.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Adopted { key, .. } | Self::Delete { key } | Self::Put { key, .. } => Some(key),
            _ => None,
        }
    }
}

impl fmt::Debug for Op {
    /// Kind and size only: an operation may have come out of a sealed part.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put { key, value } => write!(f, "Put({} + {} bytes)", key.len(), value.len()),
            Self::Delete { key } => write!(f, "Delete({} bytes)", key.len()),
            Self::MessageKey(_) => f.write_str("MessageKey"),
            Self::Adopted { key, value, .. } => write!(f, "Adopted({} + {} bytes)", key.len(), value.len()),
            Self::Membership { left, .. } => write!(f, "Membership(left: {left})"),
            Self::SpaceSecret { .. } => f.write_str("SpaceSecret"),
            Self::Unknown { kind, body } => write!(f, "Unknown({kind}, {} bytes)", body.len()),
        }
    }
}

/// Bytes that puts take, encoded, at most.
pub(super) fn ops_size(ops: &[Op]) -> usize {
    let bytes = |op: &Op| match op {
        Op::Put { key, value } => key.len() + value.len() + MOST_LENGTHS,
        _ => 0,
    };
    ops.iter().map(bytes).sum()
}

/// Encodes a list of operations.
pub fn encode_ops(ops: &[Op], out: &mut Writer) {
    out.reserve(ops_size(ops)).count(ops.len());
    for op in ops {
        let mut body = Writer::new();
        let kind = match op {
            Op::Put { key, value } => {
                // Most are of this kind: no buffer for each.
                let lengths = Writer::count_length(key.len());
                out.u8(1).count(lengths + key.len() + value.len()).text(key).raw(value);
                continue;
            }
            Op::Delete { key } => {
                body.raw(key.as_bytes());
                2
            }
            Op::MessageKey(key) => {
                body.raw(key.as_slice());
                3
            }
            Op::Adopted { original, key, value } => {
                body.raw(&original.writer.0).varint(original.index).varint(u64::from(original.op));
                body.text(key).raw(value);
                4
            }
            Op::Membership { space, writer, left } => {
                body.raw(&space.0).raw(&writer.0).u8(u8::from(*left));
                5
            }
            Op::SpaceSecret { space, sealed } => {
                body.raw(&space.0).raw(sealed.as_slice());
                6
            }
            Op::Unknown { kind, body: bytes } => {
                body.raw(bytes);
                *kind
            }
        };
        out.u8(kind).bytes(body.as_slice());
    }
}

/// Most bytes of a put beside key and value: its kind, and two lengths; keys and values are far shorter than 2^28.
const MOST_LENGTHS: usize = 1 + 2 * 4;

/// Decodes a list of operations; values are checked to be deterministic CBOR.
pub fn decode_ops(reader: &mut Reader<'_>) -> Result<Vec<Op>, DecodeError> {
    let count = reader.count("operations", MAX_OPS)?;
    // Two bytes are the least that an operation takes.
    let mut ops = Vec::with_capacity(count.min(reader.remaining() / 2));
    for _ in 0..count {
        let kind = reader.u8()?;
        let mut body = Reader::new(reader.bytes("operation", super::MAX_ENTRY)?);
        ops.push(match kind {
            1 => {
                let (key, value) = key_and_value(&mut body)?;
                Op::Put { key, value }
            }
            2 => {
                let key = core::str::from_utf8(body.rest()).map_err(|_| DecodeError::Utf8)?;
                Op::Delete { key: checked(key.to_owned())? }
            }
            3 => {
                let key = Zeroizing::new(body.array()?);
                body.end()?;
                Op::MessageKey(key)
            }
            4 => {
                let (writer, index, got) = (PublicKey(body.array()?), body.varint()?, body.varint()?);
                let max = u64::from(u32::MAX);
                let op =
                    u32::try_from(got).map_err(|_| DecodeError::TooLarge { what: "operation", max, got })?;
                let (key, value) = key_and_value(&mut body)?;
                Op::Adopted { original: Version { writer, index, op }, key, value }
            }
            _ => {
                let body = body.rest();
                let known = match kind {
                    5 => membership(body),
                    6 => space_secret(body),
                    _ => None,
                };
                known.unwrap_or_else(|| Op::Unknown { kind, body: body.to_vec() })
            }
        });
    }
    Ok(ops)
}

fn key_and_value(body: &mut Reader<'_>) -> Result<(String, Vec<u8>), DecodeError> {
    let key = checked(body.text("key", MAX_KEY)?.to_owned())?;
    let value = body.rest();
    check_value(value)?;
    Ok((key, value.to_vec()))
}

fn membership(body: &[u8]) -> Option<Op> {
    let (space, rest) = body.split_first_chunk()?;
    let (writer, flags) = rest.split_first_chunk()?;
    let left = match flags {
        [0] => false,
        [1] => true,
        _ => return None,
    };
    Some(Op::Membership { space: PublicKey(*space), writer: PublicKey(*writer), left })
}

fn space_secret(body: &[u8]) -> Option<Op> {
    let (space, sealed) = body.split_first_chunk()?;
    Some(Op::SpaceSecret { space: PublicKey(*space), sealed: Box::new(sealed.try_into().ok()?) })
}

fn checked(key: String) -> Result<String, DecodeError> {
    match key.len() {
        0 => Err(DecodeError::NotCanonical { what: "empty key" }),
        1..=MAX_KEY => Ok(key),
        got => {
            Err(DecodeError::TooLarge { what: "key", max: 1024, got: u64::try_from(got).unwrap_or(u64::MAX) })
        }
    }
}

/// Most bytes of a key.
pub const MAX_KEY: usize = 1024;
/// Most operations in one entry.
pub const MAX_OPS: usize = 100_000;

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::{MAX_SAFE, Value, encode_value};

    pub(crate) fn any_op() -> impl Strategy<Value = Op> {
        prop_oneof![
            ("[a-z]{1,9}", ".*")
                .prop_map(|(key, text)| Op::Put { key, value: encode_value(&Value::Text(text)).unwrap() }),
            "[a-z/]{1,9}".prop_map(|key| Op::Delete { key }),
            any::<[u8; 32]>().prop_map(|key| Op::MessageKey(Zeroizing::new(key))),
            (any::<[u8; 32]>(), 0..=MAX_SAFE, any::<u32>(), "[a-z]{1,9}", ".*").prop_map(
                |(writer, index, op, key, text)| Op::Adopted {
                    original: Version { writer: PublicKey(writer), index, op },
                    key,
                    value: encode_value(&Value::Text(text)).unwrap(),
                }
            ),
            (any::<[u8; 32]>(), any::<[u8; 32]>(), any::<bool>()).prop_map(|(space, writer, left)| {
                Op::Membership { space: PublicKey(space), writer: PublicKey(writer), left }
            }),
            (any::<[u8; 32]>(), any::<u8>()).prop_map(|(space, byte)| Op::SpaceSecret {
                space: PublicKey(space),
                sealed: Box::new([byte; 80])
            }),
            // Bodies of 5 and 6 that are too short or too long for what they say.
            (5..=255_u8, prop::collection::vec(any::<u8>(), 0..64))
                .prop_map(|(kind, body)| Op::Unknown { kind, body }),
            (5..=6_u8, prop::collection::vec(any::<u8>(), 113..120))
                .prop_map(|(kind, body)| Op::Unknown { kind, body }),
        ]
    }

    proptest! {
        #[test]
        fn ops_round_trip(ops in prop::collection::vec(any_op(), 0..5)) {
            let mut out = Writer::new();
            encode_ops(&ops, &mut out);
            let mut reader = Reader::new(out.as_slice());
            prop_assert!(decode_ops(&mut reader).unwrap() == ops);
            prop_assert_eq!(reader.remaining(), 0);
        }

        #[test]
        fn any_bytes_of_an_operation_are_refused_or_canonical(kind in 0..9_u8, body: Vec<u8>, cut in 0..60_usize) {
            // Bytes that are mostly right, so that the later fields are reached too.
            let right = [[7; 32].as_slice(), &[3, 1, 1, b'k', 0xf6]].concat();
            let (front, _) = right.split_at(cut.min(right.len()));
            let mut bytes = Writer::new();
            bytes.count(1).u8(kind).bytes(&[front, &body].concat());
            let mut reader = Reader::new(bytes.as_slice());
            if let Ok(ops) = decode_ops(&mut reader) {
                let mut out = Writer::new();
                encode_ops(&ops, &mut out);
                prop_assert_eq!(out.as_slice(), bytes.as_slice());
            }
        }

        #[test]
        fn any_body_is_an_operation_of_a_home_or_a_later_one(kind in 5..=6_u8, body in prop::collection::vec(any::<u8>(), 60..120)) {
            let mut out = Writer::new();
            out.count(1).u8(kind).bytes(&body);
            let ops = decode_ops(&mut Reader::new(out.as_slice())).unwrap();
            let mut again = Writer::new();
            encode_ops(&ops, &mut again);
            prop_assert_eq!(again.as_slice(), out.as_slice());
        }
    }
}
