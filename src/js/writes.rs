//! Writes as the package packs them (`ops.js`), and all writes of a turn in one call.
//!
//! ```text
//! writes   write…      each: varint count │ op…
//! op       flags u8: 1 put  2 private  4 nothing may be there │ varint length, key │ value of a put
//! value    0 null  1 false  2 true │ 3 f64 LE │ 4 text │ 5 bytes │ 6 varint count, values
//!          7 varint count, (text, value)…          text, bytes: varint length, itself
//! ```
//! Only what is plain is packed so; whatever is not, or may be refused, goes by `encodeOps`. Nothing is canonical
//! here: values are encoded anew.

use js_sys::Promise;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::future_to_promise;

use super::core::{Core, space_key};
use super::error::bad_input;
use super::item;
use super::value::MAX_VALUE;
use crate::codec::{DecodeError, MAX_DEPTH, Plain, Reader, Value, encode_plain, encode_value};
use crate::node::{Call, CallId, SpaceCall};
use crate::space::{Expect, WriteOp};

#[wasm_bindgen]
impl Core {
    /// Carries out several writes as if each were called by itself; what came of each, packed, once all are durable or
    /// refused. They are calls of `tab` (8 bytes; of none if it has another length) from number `first` on. `kept`: keys and
    /// values need not be handed back, the caller has them.
    #[wasm_bindgen(js_name = writeMany)]
    pub fn write_many(
        &self,
        space: &JsValue,
        writes: &[u8],
        tab: &[u8],
        first: u32,
        again: bool,
        kept: bool,
    ) -> Result<Promise, JsValue> {
        let space = space_key(space)?;
        let mut reader = Reader::new(writes);
        let mut all = Vec::new();
        while reader.end().is_err() {
            all.push(read_ops(&mut reader).map_err(bad_input)?);
        }
        let mut number = u64::from(first);
        let mut replies = Vec::with_capacity(all.len());
        for ops in all {
            let call = Call::In { space, act: SpaceCall::Write { ops } };
            let call = match tab.first_chunk() {
                Some(tab) => Call::Once { id: CallId { tab: *tab, number }, again, call: Box::new(call) },
                None => call,
            };
            number = number.saturating_add(1);
            replies.push(self.driver.call(call));
        }
        Ok(future_to_promise(async move {
            let mut results = Vec::with_capacity(replies.len());
            for reply in replies {
                results.push(reply.await);
            }
            Ok(item::written(&results, kept).into())
        }))
    }
}

fn read_ops(reader: &mut Reader<'_>) -> Result<Vec<WriteOp>, DecodeError> {
    let count = reader.varint()?;
    // Each takes bytes, so a count that lies ends at the end of them.
    let most = reader.remaining() / 3;
    let mut ops = Vec::with_capacity(usize::try_from(count).unwrap_or(most).min(most));
    for _ in 0..count {
        ops.push(read_op(reader)?);
    }
    Ok(ops)
}

fn read_op(reader: &mut Reader<'_>) -> Result<WriteOp, DecodeError> {
    let flags = reader.u8()?;
    let key = reader.text("key", MAX_VALUE)?.to_owned();
    let expect = if flags & 4 == 0 { Expect::Any } else { Expect::Absent };
    if flags & 1 == 0 {
        return Ok(WriteOp::Delete { key, expect });
    }
    let value = match reader.u8()? {
        // What most are is not taken apart.
        4 => Ok(encode_plain(Plain::Text(reader.text("text", MAX_VALUE)?))),
        5 => Ok(encode_plain(Plain::Bytes(reader.bytes("bytes", MAX_VALUE)?))),
        kind => encode_value(&read_value(reader, kind, 0)?),
    };
    let fits = |bytes: &Vec<u8>| bytes.len() <= MAX_VALUE;
    let value = value.ok().filter(fits).ok_or(DecodeError::NotCanonical { what: "value" })?;
    Ok(WriteOp::Put { key, value, private: flags & 2 != 0, expect })
}

fn read_value(reader: &mut Reader<'_>, kind: u8, depth: usize) -> Result<Value, DecodeError> {
    if depth > MAX_DEPTH {
        return Err(DecodeError::NotCanonical { what: "nesting" });
    }
    Ok(match kind {
        0 => Value::Null,
        1 => Value::Bool(false),
        2 => Value::Bool(true),
        3 => Value::Float(f64::from_le_bytes(reader.array()?)),
        4 => Value::Text(reader.text("text", MAX_VALUE)?.to_owned()),
        5 => Value::Bytes(reader.bytes("bytes", MAX_VALUE)?.to_vec()),
        6 => {
            let count = reader.varint()?;
            let mut item = || read_next(reader, depth);
            Value::Array((0..count).map(|_| item()).collect::<Result<_, _>>()?)
        }
        7 => {
            let count = reader.varint()?;
            let pair = |_| Ok((reader.text("key", MAX_VALUE)?.to_owned(), read_next(reader, depth)?));
            Value::Map((0..count).map(pair).collect::<Result<_, DecodeError>>()?)
        }
        got => return Err(DecodeError::Unknown { what: "value", got: u64::from(got) }),
    })
}

fn read_next(reader: &mut Reader<'_>, depth: usize) -> Result<Value, DecodeError> {
    let kind = reader.u8()?;
    read_value(reader, kind, depth + 1)
}
