//! What the node says of itself: entries packed ([`super::packed`]), the rest as plain JavaScript objects.
//!
//! ```text
//! entries   varint count │ entry…
//! entry     flags u8 │ key │ version: varint index, varint op │ author, unless as before │ time, unless as before
//!           │ adopted: a version as text, if flagged │ value, if flagged │ conflicts: entries, if flagged
//! flags     1 value  2 private  4 mine  8 draft  16 adopted  32 conflicts  64 author as before  128 time as before
//! author    writer, hex │ u8 1 and the device's name, or 0     (in a conflict the writer alone)
//! time      varint, ms since 1970
//! taken     varint count │ (entry │ why)…
//! written   varint count │ (u8 1 │ entries)… or (u8 2 │ entries without keys and values)… or (u8 0 │ code │ message)…
//! ```

use js_sys::{Array, Date, Uint8Array};
use wasm_bindgen::JsValue;

use super::packed::Packed;
use super::value::object;
use crate::crypto::{PublicKey, hex};
use crate::node::{Found, NodeError, Reply, RequestInfo, Words};
use crate::space::{Item, Why};

/// Entries; `None` stands for none.
pub(super) fn all_found<'a>(
    items: impl IntoIterator<Item = &'a Found, IntoIter: ExactSizeIterator>,
) -> JsValue {
    let mut entries = Entries::default();
    entries.found(items.into_iter());
    entries.packed.finish().into()
}

/// Entries that were taken away, and why.
pub(super) fn taken(taken: &[(Found, Why)]) -> JsValue {
    let mut entries = Entries::default();
    entries.packed.tape.count(taken.len());
    for (found, why) in taken {
        entries.entry(&found.item, Some(found));
        entries.packed.text(why_name(*why));
    }
    entries.packed.finish().into()
}

/// What came of several writes; without keys and values if those are kept where they were given.
pub(super) fn written(results: &[Result<Reply, NodeError>], kept: bool) -> Uint8Array {
    let mut entries = Entries { kept, ..Entries::default() };
    entries.packed.tape.count(results.len());
    for result in results {
        match result {
            Ok(Reply::Found(found)) => {
                entries.packed.tape.u8(1 + u8::from(kept));
                entries.found(found.iter());
            }
            // Done by a node that could not say so, and hidden since.
            Ok(_) => drop(entries.packed.tape.u8(1).count(0)),
            Err(error) => {
                entries.packed.tape.u8(0);
                entries.packed.text(error.code.as_str());
                entries.packed.text(&error.message);
            }
        }
    }
    entries.packed.finish()
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

#[derive(Default)]
struct Entries {
    packed: Packed,
    /// Who wrote the entry before: the key, and the device's name.
    author: Option<(PublicKey, Option<String>)>,
    time: Option<u64>,
    /// Keys and values are left out.
    kept: bool,
}

impl Entries {
    fn found<'a>(&mut self, items: impl ExactSizeIterator<Item = &'a Found>) {
        self.packed.tape.count(items.len());
        for found in items {
            self.entry(&found.item, Some(found));
        }
    }

    fn entry(&mut self, item: &Item, found: Option<&Found>) {
        let known = |before: &(PublicKey, Option<String>)| {
            found.is_some_and(|found| before.0 == item.writer && before.1 == found.device)
        };
        let same_author = self.author.as_ref().is_some_and(known);
        let flags = [
            item.value.is_some() && !self.kept,
            item.private,
            found.is_some_and(|found| found.mine),
            found.is_some_and(|found| found.draft),
            item.adopted.is_some(),
            !item.conflicts.is_empty(),
            same_author,
            self.time == Some(item.time),
        ];
        let flags = (0..).zip(flags).fold(0, |all, (bit, flag)| all | (u8::from(flag) << bit));
        self.packed.tape.u8(flags);
        if !self.kept {
            self.packed.text(&item.key);
        }
        self.packed.tape.varint(item.version.index).varint(item.version.op.into());
        if !same_author {
            self.packed.text(&hex(item.writer.as_bytes()));
            self.author = found.map(|found| (item.writer, found.device.clone()));
            match found.map(|found| found.device.as_deref()) {
                Some(Some(name)) => {
                    self.packed.tape.u8(1);
                    self.packed.text(name);
                }
                Some(None) => drop(self.packed.tape.u8(0)),
                None => {}
            }
        }
        if self.time != Some(item.time) {
            self.packed.tape.varint(item.time);
            self.time = Some(item.time);
        }
        if let Some(adopted) = item.adopted {
            self.packed.text(&adopted.to_string());
        }
        if let Some(value) = item.value.as_ref().filter(|_| !self.kept) {
            self.packed.stored(value);
        }
        if !item.conflicts.is_empty() {
            self.packed.tape.count(item.conflicts.len());
            item.conflicts.iter().for_each(|other| self.entry(other, None));
        }
    }
}

fn date(ms: u64) -> JsValue {
    Date::new(&number(ms)).into()
}
