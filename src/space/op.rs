//! Operations on data: public in an entry, or inside its sealed part.
//!
//! A list is `varint count`, then each `type u8 ‖ varint length ‖ body`:
//!
//! ```text
//! 1 put      varint key length │ key (UTF-8) │ value (deterministic CBOR, to the end)
//! 2 delete   key (UTF-8, to the end)
//! 3 message key   32 bytes; only in a sealed part: the sign-in message key
//! ```

use core::fmt;

use zeroize::Zeroizing;

use crate::codec::{DecodeError, Reader, Writer, decode_value};

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
    /// An operation of a later version: ignored, and the space is marked "needs an update".
    Unknown {
        /// Its type.
        kind: u8,
        /// Its body.
        body: Vec<u8>,
    },
}

impl fmt::Debug for Op {
    /// Kind and size only: an operation may have come out of a sealed part.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put { key, value } => write!(f, "Put({} + {} bytes)", key.len(), value.len()),
            Self::Delete { key } => write!(f, "Delete({} bytes)", key.len()),
            Self::MessageKey(_) => f.write_str("MessageKey"),
            Self::Unknown { kind, body } => write!(f, "Unknown({kind}, {} bytes)", body.len()),
        }
    }
}

/// Encodes a list of operations.
pub fn encode_ops(ops: &[Op], out: &mut Writer) {
    out.count(ops.len());
    for op in ops {
        let mut body = Writer::new();
        let kind = match op {
            Op::Put { key, value } => {
                body.text(key).raw(value);
                1
            }
            Op::Delete { key } => {
                body.raw(key.as_bytes());
                2
            }
            Op::MessageKey(key) => {
                body.raw(key.as_slice());
                3
            }
            Op::Unknown { kind, body: bytes } => {
                body.raw(bytes);
                *kind
            }
        };
        out.u8(kind).bytes(body.as_slice());
    }
}

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
                let key = body.text("key", MAX_KEY)?.to_owned();
                let value = body.rest();
                decode_value(value)?;
                Op::Put { key: checked(key)?, value: value.to_vec() }
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
            _ => Op::Unknown { kind, body: body.rest().to_vec() },
        });
    }
    Ok(ops)
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
    use crate::codec::{Value, encode_value};

    pub(crate) fn any_op() -> impl Strategy<Value = Op> {
        prop_oneof![
            ("[a-z]{1,9}", ".*")
                .prop_map(|(key, text)| Op::Put { key, value: encode_value(&Value::Text(text)).unwrap() }),
            "[a-z/]{1,9}".prop_map(|key| Op::Delete { key }),
            any::<[u8; 32]>().prop_map(|key| Op::MessageKey(Zeroizing::new(key))),
            (4..=255_u8, any::<Vec<u8>>()).prop_map(|(kind, body)| Op::Unknown { kind, body }),
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
    }
}
