//! What goes from one person to another without a hub: pairing, and sync files.

use js_sys::{Promise, Uint8Array};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};

use super::argument::optional_text;
use super::core::{Core, optional_clock, space_key};
use super::error::bad_input;
use super::item::number;
use super::value::object;
use crate::node::{Call, ExportCursor};

#[wasm_bindgen]
impl Core {
    /// The next piece of a sync file of a space, as `exportPiece` gives those of the whole node. `since`: what the other
    /// has, `{ [writer]: length }`.
    #[wasm_bindgen(js_name = syncPiece)]
    pub fn sync_piece(&self, space: &JsValue, since: &JsValue, cursor: &JsValue) -> Result<JsValue, JsValue> {
        let (space, since) = (space_key(space)?, optional_clock(since)?.unwrap_or_default());
        let cursor = cursor.dyn_ref::<Uint8Array>().map(Uint8Array::to_vec);
        let cursor = cursor.map(|bytes| ExportCursor::decode(&bytes)).transpose().map_err(bad_input)?;
        let cursor = cursor.unwrap_or_default();
        self.look(Box::new(move |node| {
            let (bytes, next) = node.export_sync(space, &since, &cursor)?;
            let next = next.map(|next| Uint8Array::from(next.encode().as_slice()).into());
            let next = next.unwrap_or(JsValue::UNDEFINED);
            Ok(object([("bytes", Uint8Array::from(bytes.as_slice()).into()), ("next", next)]))
        }))
    }

    /// Begins to pair, or answers another's offer: `{ pairing, text }`, the text to show.
    pub fn pair(&self, space: &JsValue, offer: &JsValue) -> Result<Promise, JsValue> {
        let (space, offer) = (space_key(space)?, optional_text("offer", offer)?);
        Ok(self.call(Call::Pair { space, offer }))
    }

    /// Connects: with the answer to what was shown, or, where an offer was answered, without: `{ pairing, text }`, the id
    /// of the other.
    #[wasm_bindgen(js_name = pairWith)]
    pub fn pair_with(&self, pairing: u32, answer: &JsValue) -> Result<Promise, JsValue> {
        let answer = optional_text("answer", answer)?;
        Ok(self.call(Call::PairWith { pairing: u64::from(pairing), answer }))
    }

    /// Gives a pairing up.
    pub fn unpair(&self, pairing: u32) -> Promise {
        self.call(Call::Unpair { pairing: u64::from(pairing) })
    }
}

/// What came of a step.
pub(super) fn paired(pairing: u64, text: &str) -> JsValue {
    object([("pairing", number(pairing)), ("text", text.into())])
}
