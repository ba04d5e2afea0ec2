//! Reading arguments out of JavaScript objects; what is not as expected is named.

use js_sys::{JsString, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};

use super::error::bad_input;
use super::names::name as js_name;
use crate::space::Range;

/// A property; `undefined` if the object is none or lacks it.
pub(super) fn property(object: &JsValue, name: &str) -> JsValue {
    if !object.is_object() {
        return JsValue::UNDEFINED;
    }
    Reflect::get(object, &js_name(name)).unwrap_or(JsValue::UNDEFINED)
}

/// Text without lone surrogates.
pub(super) fn text(name: &str, value: &JsValue) -> Result<String, JsValue> {
    let text = value.dyn_ref::<JsString>().ok_or_else(|| bad_input(format!("{name} must be text")))?;
    well_formed(text)
        .ok_or_else(|| bad_input(format!("{name} has half of a surrogate pair, which is no text")))
}

/// Text, unless it has half of a surrogate pair.
pub(super) fn well_formed(text: &JsString) -> Option<String> {
    let read = String::from(text);
    // A half comes out as this character. Looking at each unit is slow, so that is done only if one is there.
    (read.chars().all(|c| c != char::REPLACEMENT_CHARACTER) || text.is_valid_utf16()).then_some(read)
}

/// Text, or nothing if the value is undefined.
pub(super) fn optional_text(name: &str, value: &JsValue) -> Result<Option<String>, JsValue> {
    if value.is_undefined() { Ok(None) } else { text(name, value).map(Some) }
}

/// A flag; undefined is false.
pub(super) fn flag(name: &str, value: &JsValue) -> Result<bool, JsValue> {
    match value.as_bool() {
        Some(flag) => Ok(flag),
        None if value.is_undefined() => Ok(false),
        None => Err(bad_input(format!("{name} must be true or false"))),
    }
}

/// A whole number up to 2^32 − 1, or nothing if the value is undefined or infinite.
pub(super) fn optional_count(name: &str, value: &JsValue) -> Result<Option<usize>, JsValue> {
    match value.as_f64() {
        None if value.is_undefined() => Ok(None),
        Some(f64::INFINITY) => Ok(None),
        #[expect(clippy::as_conversions, reason = "checked to be whole and in range")]
        Some(number) if number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number) => {
            Ok(usize::try_from(number as u32).ok())
        }
        _ => Err(bad_input(format!("{name} must be a whole number from 0 on"))),
    }
}

/// A time in milliseconds since 1970.
pub(super) fn time(name: &str, value: &JsValue) -> Result<u64, JsValue> {
    match value.as_f64() {
        #[expect(
            clippy::as_conversions,
            reason = "checked to be in range; a fraction of a millisecond is dropped"
        )]
        Some(ms) if (0.0..=MAX_TIME).contains(&ms) => Ok(ms as u64),
        _ => Err(bad_input(format!("{name} must be a date from 1970 on"))),
    }
}

/// `{ prefix?, gt?, gte?, lt?, lte?, reverse?, limit? }`.
pub(super) fn read_range(range: &JsValue) -> Result<Range, JsValue> {
    let bound = |name: &str| optional_text(name, &property(range, name));
    Ok(Range {
        prefix: bound("prefix")?,
        gt: bound("gt")?,
        gte: bound("gte")?,
        lt: bound("lt")?,
        lte: bound("lte")?,
        reverse: flag("reverse", &property(range, "reverse"))?,
        limit: optional_count("limit", &property(range, "limit"))?,
    })
}

/// The last moment a `Date` can name, in ms since 1970.
const MAX_TIME: f64 = 8.64e15;

/// Exactly `N` bytes.
pub(super) fn bytes<const N: usize>(name: &str, value: &JsValue) -> Result<[u8; N], JsValue> {
    let found = value.dyn_ref::<Uint8Array>().map(Uint8Array::to_vec).unwrap_or_default();
    let got = found.len();
    found.try_into().map_err(|_| bad_input(format!("{name} must be a Uint8Array of {N} bytes, got {got}")))
}
