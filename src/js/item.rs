//! What a node says of itself, as plain JavaScript objects.

use js_sys::{Array, Date, Reflect};
use wasm_bindgen::JsValue;

use super::names::{Shape, texts};
use super::value::{decode, object};
use crate::crypto::hex;
use crate::node::{Found, RequestInfo, Words};
use crate::space::{Item, Why};

/// An entry.
pub(super) fn found(found: &Found) -> JsValue {
    objects(&[(&found.item, Some(found))]).get(0)
}

/// Several entries.
pub(super) fn all_found(items: &[Found]) -> JsValue {
    let items: Vec<_> = items.iter().map(|found| (&found.item, Some(found))).collect();
    objects(&items).into()
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

/// Entries as objects. What they have in common is handed over once, their texts as one.
fn objects(items: &[(&Item, Option<&Found>)]) -> Array {
    // Conflicts, nearly always.
    if items.is_empty() {
        return Array::new();
    }
    let versions: Vec<String> = items.iter().map(|(item, _)| item.version.to_string()).collect();
    let keys = texts(items.iter().map(|(item, _)| item.key.as_str()));
    let versions = texts(versions.iter().map(String::as_str));
    let shape = Shape::new(&[
        "key",
        "value",
        "conflicts",
        "writer",
        "time",
        "version",
        "private",
        "adopted",
        "device",
        "mine",
        "draft",
    ]);
    let mut writer = (JsValue::UNDEFINED, None);
    let mut device = (JsValue::UNDEFINED, None);
    let objects =
        items.iter().zip(keys.iter().zip(versions.iter())).map(|((item, found), (key, version))| {
            if writer.1 != Some(item.writer) {
                writer = (hex(item.writer.as_bytes()).into(), Some(item.writer));
            }
            let conflicts: Vec<_> = item.conflicts.iter().map(|other| (other, None)).collect();
            let mut values = vec![
                key,
                item.value.as_deref().map_or(JsValue::UNDEFINED, decode),
                self::objects(&conflicts).into(),
                writer.0.clone(),
                date(item.time),
                version,
                item.private.into(),
                item.adopted.map_or(JsValue::UNDEFINED, |version| version.to_string().into()),
            ];
            if let Some(found) = found {
                let name = found.device.as_deref();
                if device.1 != name {
                    device = (name.map_or(JsValue::UNDEFINED, JsValue::from_str), name);
                }
                values.extend([device.0.clone(), found.mine.into()]);
                if found.draft {
                    values.push(true.into());
                }
            }
            shape.object(&values)
        });
    objects.collect()
}

fn date(ms: u64) -> JsValue {
    Date::new(&number(ms)).into()
}
