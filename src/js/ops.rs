//! Writes as a page gives them, and as they travel between tabs.
//!
//! ```text
//! page   { type: "put", key, value, private?, expect? }   or  { type: "delete", key, expect? }
//! tabs   the same with `bytes` (deterministic CBOR) in place of `value`
//! ```
//! A value is encoded in the tab where it was given: what cannot be stored is refused there, with its place named, and
//! what is written is what it was at that moment.

use core::fmt::Write as _;

use js_sys::{Array, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};

use super::argument::{flag, text};
use super::error::{bad_input, to_js};
use super::names::Shape;
use super::value::{MAX_VALUE, encode};
use crate::space::{Expect, Version, WriteOp};

/// Checks and encodes what a page wants to write.
pub(super) fn encode_ops(ops: &JsValue) -> Result<Array, JsValue> {
    let ops = ops.dyn_ref::<Array>().ok_or_else(|| bad_input("a batch is an array of operations"))?;
    let one = ops.length() == 1;
    let mut values = Vec::new();
    let mut encoded = Vec::new();
    let mut place = String::new();
    let given = Shape::new(&["type", "key", "expect", "value", "private"]);
    for (position, op) in ops.iter().enumerate() {
        place.clear();
        if !one {
            let _ = write!(place, "ops[{position}].");
        }
        let prefix = place.len();
        let [kind, key, expect, value, private] = given.values(&op);
        text(named(&mut place, prefix, "key"), &key)?;
        read_expect(named(&mut place, prefix, "expect"), &expect)?;
        let mut fields = vec![kind.clone(), key, expect];
        match kind.as_string().as_deref() {
            Some("put") => {
                let bytes = encode(named(&mut place, prefix, "value"), &value)
                    .map_err(|error| to_js(&error.into()))?;
                values.extend(bytes);
                fields.push(flag(named(&mut place, prefix, "private"), &private)?.into());
            }
            Some("delete") => {}
            _ => {
                return Err(bad_input(format!(
                    "{} must be \"put\" or \"delete\"",
                    named(&mut place, prefix, "type")
                )));
            }
        }
        encoded.push((fields, values.len()));
    }
    // One copy for all, and views of it: a buffer for each would cost more than all else.
    let bytes = Uint8Array::from(values.as_slice());
    let shape = Shape::new(&["type", "key", "expect", "private", "bytes"]);
    let mut start = 0;
    let objects = encoded.into_iter().map(|(mut fields, end)| {
        let end = u32::try_from(end).unwrap_or(u32::MAX);
        // A value has at least one byte; what is deleted has none.
        if start < end {
            fields.push(bytes.subarray(start, end).into());
        }
        start = end;
        shape.object(&fields)
    });
    Ok(objects.collect())
}

/// Puts a field behind the place's prefix.
fn named<'a>(place: &'a mut String, prefix: usize, field: &str) -> &'a str {
    place.truncate(prefix);
    place.push_str(field);
    place
}

/// Reads what [`encode_ops`] made.
pub(super) fn read_ops(ops: &Array) -> Result<Vec<WriteOp>, JsValue> {
    let shape = Shape::new(&["key", "expect", "bytes", "private"]);
    ops.iter().map(|op| read_op(shape.values(&op))).collect()
}

fn read_op([key, expect, bytes, private]: [JsValue; 4]) -> Result<WriteOp, JsValue> {
    let key = text("key", &key)?;
    let expect = read_expect("expect", &expect)?;
    match bytes.dyn_ref::<Uint8Array>() {
        Some(bytes) if usize::try_from(bytes.length()).is_ok_and(|length| length <= MAX_VALUE) => {
            let (value, private) = (bytes.to_vec(), flag("private", &private)?);
            Ok(WriteOp::Put { key, value, private, expect })
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
