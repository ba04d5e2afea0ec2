//! What a node says of itself, as plain JavaScript objects.

use js_sys::{Array, Date, Reflect};
use wasm_bindgen::JsValue;

use super::value::{decode, object};
use crate::crypto::hex;
use crate::node::{Found, RequestInfo, Words};
use crate::space::{Item, Why};

/// An entry.
pub(super) fn found(found: &Found) -> JsValue {
    let mut pairs = item(&found.item);
    pairs.push(("device", found.device.as_deref().map_or(JsValue::UNDEFINED, JsValue::from_str)));
    pairs.push(("mine", found.mine.into()));
    if found.draft {
        pairs.push(("draft", true.into()));
    }
    object(pairs)
}

/// Several entries.
pub(super) fn all_found(items: &[Found]) -> JsValue {
    items.iter().map(found).collect::<Array>().into()
}

/// An entry that was taken away, and why.
pub(super) fn taken((taken, why): &(Found, Why)) -> JsValue {
    let entry = found(taken);
    // Fails only for an object that is sealed.
    let _ = Reflect::set(&entry, &"why".into(), &why_name(*why).into());
    entry
}

/// Why an entry is not shown any more.
pub(super) const fn why_name(why: Why) -> &'static str {
    match why {
        Why::Cut => "cut",
        Why::Fork => "forked",
        Why::Grant => "grant",
        Why::Hidden => "hidden",
        Why::RootCut => "removed",
    }
}

/// A sign-in request.
pub(super) fn request(request: &RequestInfo) -> JsValue {
    object([
        ("id", hex(&request.id).into()),
        ("device", request.device.as_str().into()),
        ("writer", hex(request.writer.as_bytes()).into()),
        ("words", words(&request.words)),
        ("choices", request.choices.iter().map(words).collect::<Array>().into()),
        ("suspect", request.suspect.into()),
        ("time", date(request.time)),
        ("expires", date(request.expires)),
    ])
}

/// Four words.
pub(super) fn words(words: &Words) -> JsValue {
    words.iter().map(|word| JsValue::from_str(word)).collect::<Array>().into()
}

/// A number that JavaScript holds exactly.
#[expect(clippy::as_conversions, reason = "lengths and times are below 2^53; std has no other conversion")]
pub(super) fn number(number: u64) -> JsValue {
    (number as f64).into()
}

fn item(item: &Item) -> Vec<(&'static str, JsValue)> {
    vec![
        ("key", item.key.as_str().into()),
        ("value", item.value.as_deref().map_or(JsValue::UNDEFINED, decode)),
        ("conflicts", item.conflicts.iter().map(|other| object(self::item(other))).collect::<Array>().into()),
        ("writer", hex(item.writer.as_bytes()).into()),
        ("time", date(item.time)),
        ("version", item.version.to_string().into()),
        ("private", item.private.into()),
        ("adopted", item.adopted.map_or(JsValue::UNDEFINED, |version| version.to_string().into())),
    ]
}

fn date(ms: u64) -> JsValue {
    Date::new(&number(ms)).into()
}
