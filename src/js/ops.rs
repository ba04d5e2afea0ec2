//! Writes as a page gives them, and as they travel between tabs.
//!
//! ```text
//! page   { type: "put", key, value, private?, expect? }   or  { type: "delete", key, expect? }
//! tabs   the same with `bytes` (deterministic CBOR) in place of `value`
//! ```
//! A value is encoded in the tab where it was given: what cannot be stored is refused there, with its place named, and
//! what is written is what it was at that moment.

use js_sys::{Array, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};

use super::argument::{flag, property, text};
use super::error::{bad_input, to_js};
use super::value::{MAX_VALUE, encode, object};
use crate::space::{Expect, Version, WriteOp};

/// Checks and encodes what a page wants to write.
pub(super) fn encode_ops(ops: &JsValue) -> Result<Array, JsValue> {
    let ops = ops.dyn_ref::<Array>().ok_or_else(|| bad_input("a batch is an array of operations"))?;
    let one = ops.length() == 1;
    let encoded = Array::new();
    for (position, op) in ops.iter().enumerate() {
        let name = |field: &str| if one { field.to_owned() } else { format!("ops[{position}].{field}") };
        let kind = property(&op, "type");
        let key = text(&name("key"), &property(&op, "key"))?;
        let expect = property(&op, "expect");
        read_expect(&name("expect"), &expect)?;
        let mut pairs = vec![("type", kind.clone()), ("key", key.into()), ("expect", expect)];
        match kind.as_string().as_deref() {
            Some("put") => {
                let bytes =
                    encode(&name("value"), &property(&op, "value")).map_err(|error| to_js(&error.into()))?;
                pairs.push(("bytes", Uint8Array::from(bytes.as_slice()).into()));
                pairs.push(("private", flag(&name("private"), &property(&op, "private"))?.into()));
            }
            Some("delete") => {}
            _ => return Err(bad_input(format!("{} must be \"put\" or \"delete\"", name("type")))),
        }
        encoded.push(&object(pairs));
    }
    Ok(encoded)
}

/// Reads what [`encode_ops`] made.
pub(super) fn read_ops(ops: &Array) -> Result<Vec<WriteOp>, JsValue> {
    ops.iter().map(|op| read_op(&op)).collect()
}

fn read_op(op: &JsValue) -> Result<WriteOp, JsValue> {
    let key = text("key", &property(op, "key"))?;
    let expect = read_expect("expect", &property(op, "expect"))?;
    match property(op, "bytes").dyn_ref::<Uint8Array>() {
        Some(bytes) if usize::try_from(bytes.length()).is_ok_and(|length| length <= MAX_VALUE) => {
            Ok(WriteOp::Put {
                key,
                value: bytes.to_vec(),
                private: flag("private", &property(op, "private"))?,
                expect,
            })
        }
        Some(_) => Err(bad_input("a value of more than 1 MiB")),
        None => Ok(WriteOp::Delete { key, expect }),
    }
}

fn read_expect(name: &str, value: &JsValue) -> Result<Expect, JsValue> {
    if value.is_undefined() {
        return Ok(Expect::Any);
    }
    if value.is_null() {
        return Ok(Expect::Absent);
    }
    let version = text(name, value)?;
    version
        .parse()
        .map(Expect::Version)
        .map_err(|error| bad_input(format!("{name}: {error}, or null for \"not there\"")))
}

/// Reads a version.
pub(super) fn read_version(version: &str) -> Result<Version, JsValue> {
    version.parse().map_err(bad_input)
}
