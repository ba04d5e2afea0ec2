//! JavaScript values ⇄ stored values.
//!
//! What goes in: `null`, booleans, numbers, BigInts of 64 bits, text without lone surrogates, `Uint8Array` and
//! `ArrayBuffer`, valid `Date`s, arrays without holes, plain objects. Anything else is refused, and the error names
//! the place: `value.a[3]`. Nothing is dropped or coerced in silence, so what is read is what was written.
//!
//! What comes out: integers beyond 2^53 are BigInts, bytes are `Uint8Array`s, a reference to an object or a blob is
//! `{ object: hex }` or `{ blob: hex }`.

use core::fmt::Write as _;

use js_sys::{Array, ArrayBuffer, BigInt, Date, JsString, Object, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};

use super::{
    argument::well_formed,
    names::{self, Shape},
};
use crate::codec::{MAX_DEPTH, MAX_SAFE, Value, decode_value, encode_value};
use crate::crypto::hex;

/// Most bytes of one encoded value: 1 MiB, the size of a block.
pub const MAX_VALUE: usize = 1 << 20;

/// Encodes a JavaScript value; `name` is what the path in an error begins with.
pub fn encode(name: &str, value: &JsValue) -> Result<Vec<u8>, ValueError> {
    let mut walk = Walk { path: name.to_owned(), above: Vec::new(), left: MAX_VALUE };
    let value = walk.value(value)?;
    let bytes = encode_value(&value)
        .map_err(|error| ValueError::BadInput { path: name.to_owned(), why: error.to_string() })?;
    if bytes.len() > MAX_VALUE {
        return Err(ValueError::TooLarge { path: name.to_owned() });
    }
    Ok(bytes)
}

/// Decodes stored bytes; `undefined` if they are no value that this version knows.
pub fn decode(bytes: &[u8]) -> JsValue {
    decode_value(bytes).map_or(JsValue::UNDEFINED, |value| to_js(&value))
}

/// A value as JavaScript sees it.
pub fn to_js(value: &Value) -> JsValue {
    match value {
        Value::Null => JsValue::NULL,
        Value::Bool(flag) => JsValue::from_bool(*flag),
        Value::Integer(number) => integer(*number),
        Value::Float(number) => JsValue::from_f64(*number),
        Value::Text(text) => JsValue::from_str(text),
        Value::Bytes(bytes) => Uint8Array::from(bytes.as_slice()).into(),
        Value::Array(items) => items.iter().map(to_js).collect::<Array>().into(),
        Value::Map(pairs) => map(pairs.iter().map(|(key, value)| (key.as_str(), to_js(value)))),
        Value::Date(ms) => Date::new(&integer(i128::from(*ms))).into(),
        Value::Object(id) => object([("object", hex(id).into())]),
        Value::Blob(reference) => object([("blob", hex(reference).into())]),
    }
}

/// A plain object with properties of ours.
pub fn object(pairs: impl IntoIterator<Item = (&'static str, JsValue)>) -> JsValue {
    let (names, values): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    Shape::new(&names).object(&values)
}

/// A plain object with any properties. `Object.fromEntries` defines them, so that even `__proto__` is an ordinary key.
pub fn map<'a>(pairs: impl IntoIterator<Item = (&'a str, JsValue)>) -> JsValue {
    let entries: Array = pairs.into_iter().map(|(key, value)| Array::of2(&names::key(key), &value)).collect();
    Object::from_entries(&entries).map_or(JsValue::UNDEFINED, Into::into)
}

fn integer(number: i128) -> JsValue {
    if number.unsigned_abs() > u128::from(MAX_SAFE) {
        return BigInt::from(number).into();
    }
    #[expect(clippy::as_conversions, reason = "below 2^53 in size, so exact; std has no other conversion")]
    JsValue::from_f64(number as f64)
}

struct Walk {
    /// Where the walk is, for errors.
    path: String,
    /// Objects and arrays around the present one.
    above: Vec<JsValue>,
    /// Bytes that may still come. Each value takes at least one, which bounds the walk over shared references.
    left: usize,
}

impl Walk {
    fn value(&mut self, value: &JsValue) -> Result<Value, ValueError> {
        self.spend(1)?;
        if value.is_null() {
            return Ok(Value::Null);
        }
        if let Some(flag) = value.as_bool() {
            return Ok(Value::Bool(flag));
        }
        if let Some(number) = value.as_f64() {
            return Ok(Value::Float(number));
        }
        if let Some(text) = value.dyn_ref::<JsString>() {
            return self.text(text).map(Value::Text);
        }
        if value.is_bigint() {
            return self.big(value);
        }
        if let Some(bytes) = value.dyn_ref::<Uint8Array>() {
            self.spend(bytes.length())?;
            return Ok(Value::Bytes(bytes.to_vec()));
        }
        if let Some(buffer) = value.dyn_ref::<ArrayBuffer>() {
            self.spend(buffer.byte_length())?;
            return Ok(Value::Bytes(Uint8Array::new(buffer).to_vec()));
        }
        if let Some(date) = value.dyn_ref::<Date>() {
            return self.date(date);
        }
        if Array::is_array(value) {
            return self.inside(value, Self::array);
        }
        if is_plain(value) {
            return self.inside(value, Self::map);
        }
        Err(self.bad(format!("{} cannot be stored", kind(value))))
    }

    /// Runs `read` one level deeper.
    fn inside(
        &mut self,
        value: &JsValue,
        read: fn(&mut Self, &JsValue) -> Result<Value, ValueError>,
    ) -> Result<Value, ValueError> {
        if self.above.iter().any(|outer| Object::is(outer, value)) {
            return Err(self.bad("contains itself; a stored value has an end".to_owned()));
        }
        if self.above.len() >= MAX_DEPTH {
            return Err(self.bad(format!("is nested deeper than {MAX_DEPTH} levels")));
        }
        self.above.push(value.clone());
        let result = read(self, value);
        self.above.pop();
        result
    }

    fn array(&mut self, value: &JsValue) -> Result<Value, ValueError> {
        let array: &Array = value.unchecked_ref();
        let mut items = Vec::new();
        for index in 0..array.length() {
            let length = self.path.len();
            let _ = write!(self.path, "[{index}]");
            items.push(self.value(&array.get(index))?);
            self.path.truncate(length);
        }
        Ok(Value::Array(items))
    }

    fn map(&mut self, value: &JsValue) -> Result<Value, ValueError> {
        let object: &Object = value.unchecked_ref();
        if Object::get_own_property_symbols(object).length() > 0 {
            return Err(self.bad("has a symbol as a key; only text can be stored as one".to_owned()));
        }
        let mut pairs = Vec::new();
        for key in Object::keys(object) {
            let length = self.path.len();
            let read = Reflect::get(object, &key);
            let key = self.text(key.unchecked_ref())?;
            if is_identifier(&key) {
                let _ = write!(self.path, ".{key}");
            } else {
                let _ = write!(self.path, "[{key:?}]");
            }
            let value = read.map_err(|_| self.bad("threw an error when it was read".to_owned()))?;
            let value = self.value(&value)?;
            self.path.truncate(length);
            pairs.push((key, value));
        }
        Ok(Value::Map(pairs))
    }

    fn text(&mut self, text: &JsString) -> Result<String, ValueError> {
        // UTF-8 is at least as long as UTF-16 has units, so a huge text is refused before it is copied.
        self.spend(text.length())?;
        well_formed(text).ok_or_else(|| self.bad("has half of a surrogate pair, which is no text".to_owned()))
    }

    fn big(&self, value: &JsValue) -> Result<Value, ValueError> {
        let text = value.unchecked_ref::<BigInt>().to_string(10).map(String::from).unwrap_or_default();
        match text.parse::<i128>() {
            Ok(number) if (-(1_i128 << 64)..1_i128 << 64).contains(&number) => Ok(Value::Integer(number)),
            _ => Err(self.bad("is a BigInt of more than 64 bits".to_owned())),
        }
    }

    fn date(&self, date: &Date) -> Result<Value, ValueError> {
        let ms = date.get_time();
        if !ms.is_finite() {
            return Err(self.bad("is an invalid Date".to_owned()));
        }
        #[expect(clippy::as_conversions, reason = "a Date is integral and below 2^53 in size")]
        Ok(Value::Date(ms as i64))
    }

    fn spend(&mut self, bytes: u32) -> Result<(), ValueError> {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        self.left = self
            .left
            .checked_sub(bytes)
            .ok_or_else(|| ValueError::TooLarge { path: root(&self.path).to_owned() })?;
        Ok(())
    }

    fn bad(&self, why: String) -> ValueError {
        // A path may be as long as the value's keys are; its beginning finds the place.
        ValueError::BadInput { path: self.path.chars().take(200).collect(), why }
    }
}

fn root(path: &str) -> &str {
    path.split(['.', '[']).next().unwrap_or(path)
}

/// Made by `{}` or `Object.create(null)`, in this window or another: its prototype is none or has none.
fn is_plain(value: &JsValue) -> bool {
    if !value.is_object() {
        return false;
    }
    let prototype = Object::get_prototype_of(value);
    if prototype.is_null() {
        return true;
    }
    // Only `Object.prototype`, of whichever window, has no prototype and its own `isPrototypeOf`.
    Object::get_prototype_of(&prototype).is_null()
        && Object::get_own_property_descriptor(&prototype, &"isPrototypeOf".into()).is_object()
}

fn is_identifier(key: &str) -> bool {
    let mut letters = key.chars();
    letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_' || c == '$')
        && letters.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$')
}

fn kind(value: &JsValue) -> String {
    if value.is_undefined() {
        return "undefined".to_owned();
    }
    if value.is_function() {
        return "a function".to_owned();
    }
    if value.is_symbol() {
        return "a symbol".to_owned();
    }
    let name = Reflect::get(value, &"constructor".into())
        .and_then(|constructor| Reflect::get(&constructor, &"name".into()))
        .ok()
        .and_then(|name| name.as_string());
    let name: String = name.filter(|name| !name.is_empty()).unwrap_or_default().chars().take(40).collect();
    if name.is_empty() { "this kind of object".to_owned() } else { format!("an object of class {name}") }
}

/// A value that cannot be stored.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ValueError {
    /// Not storable; `BAD_INPUT`.
    #[error("{path}: {why}")]
    BadInput {
        /// Where, such as `value.a[3]`.
        path: String,
        /// What is wrong there.
        why: String,
    },
    /// More than [`MAX_VALUE`]; `TOO_LARGE`.
    #[error("{path} is larger than 1 MiB; split it, or store it as a blob")]
    TooLarge {
        /// Which argument.
        path: String,
    },
}
