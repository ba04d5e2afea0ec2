//! Many things for JavaScript in one buffer, read by `entries.js` of the package: each call across the border costs more
//! than what it brings.
//!
//! ```text
//! buffer   u32 LE length of texts │ texts, one behind the other, UTF-8 │ tape
//! tape     varints, bytes, and values; a text is a varint, how many units of UTF-16 it takes off the texts
//! value    0 null  1 false  2 true │ 3 f64 LE │ 4 text │ 5 varint length, bytes │ 6 varint count, values
//!          7 varint count, (text, value)… │ 8 date: f64 LE, ms since 1970 │ 9 BigInt: text, decimal
//!          10 object: text, hex │ 11 blob: text, hex │ 12 undefined: of a kind that this version does not know
//! ```

use js_sys::Uint8Array;

use crate::codec::{MAX_SAFE, Plain, Value, Writer, decode_value, plain};
use crate::crypto::hex;

/// A buffer that is written.
#[derive(Default)]
pub(super) struct Packed {
    texts: String,
    pub(super) tape: Writer,
}

impl Packed {
    /// Adds a text.
    pub(super) fn text(&mut self, text: &str) {
        // JavaScript counts a letter past U+FFFF as two.
        let units = if text.is_ascii() { text.len() } else { text.encode_utf16().count() };
        self.tape.count(units);
        self.texts.push_str(text);
    }

    /// Adds a stored value.
    pub(super) fn stored(&mut self, bytes: &[u8]) {
        match plain(bytes) {
            Some(Plain::Text(text)) => self.tagged(4, text),
            Some(Plain::Bytes(bytes)) => drop(self.tape.u8(5).bytes(bytes)),
            None => match decode_value(bytes) {
                Ok(value) => self.value(&value),
                Err(_) => drop(self.tape.u8(12)),
            },
        }
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => drop(self.tape.u8(0)),
            Value::Bool(flag) => drop(self.tape.u8(if *flag { 2 } else { 1 })),
            Value::Integer(number) => self.integer(3, *number),
            Value::Float(number) => drop(self.tape.u8(3).raw(&number.to_le_bytes())),
            Value::Text(text) => self.tagged(4, text),
            Value::Bytes(bytes) => drop(self.tape.u8(5).bytes(bytes)),
            Value::Array(items) => {
                self.tape.u8(6).count(items.len());
                items.iter().for_each(|item| self.value(item));
            }
            Value::Map(pairs) => {
                self.tape.u8(7).count(pairs.len());
                for (key, value) in pairs {
                    self.text(key);
                    self.value(value);
                }
            }
            Value::Date(ms) => self.integer(8, i128::from(*ms)),
            Value::Object(id) => self.tagged(10, &hex(id)),
            Value::Blob(reference) => self.tagged(11, &hex(reference)),
        }
    }

    fn tagged(&mut self, tag: u8, text: &str) {
        self.tape.u8(tag);
        self.text(text);
    }

    fn integer(&mut self, tag: u8, number: i128) {
        if number.unsigned_abs() > u128::from(MAX_SAFE) {
            return self.tagged(9, &number.to_string());
        }
        #[expect(
            clippy::as_conversions,
            reason = "below 2^53 in size, so exact; std has no other conversion"
        )]
        let float = number as f64;
        self.tape.u8(tag).raw(&float.to_le_bytes());
    }

    /// The buffer, as JavaScript's.
    pub(super) fn finish(self) -> Uint8Array {
        // A buffer of 4 GiB does not exist here.
        let size = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let (texts, tape) = (self.texts.as_bytes(), self.tape.as_slice());
        let all = Uint8Array::new_with_length(4 + size(texts) + size(tape));
        let mut at = 0;
        for part in [&size(texts).to_le_bytes(), texts, tape] {
            let end = at + size(part);
            all.subarray(at, end).copy_from(part);
            at = end;
        }
        all
    }
}

/// Texts in a row.
pub(super) fn texts<'a>(list: impl ExactSizeIterator<Item = &'a str>) -> Uint8Array {
    let mut packed = Packed::default();
    packed.tape.count(list.len());
    list.for_each(|text| packed.text(text));
    packed.finish()
}
