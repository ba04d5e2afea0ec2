//! Events as the package hears them: a name and a plain detail.

use js_sys::Array;
use wasm_bindgen::JsValue;

use super::error;
use super::item::number;
use super::value::{decode, object};
use crate::crypto::hex;
use crate::node::Event;

/// Name and detail. The package turns them into the events of its classes.
pub(super) fn to_js(event: &Event) -> (&'static str, JsValue) {
    match event {
        Event::Changed(keys) => {
            ("changed", keys.iter().map(|key| JsValue::from_str(key)).collect::<Array>().into())
        }
        Event::Denied => ("denied", JsValue::UNDEFINED),
        Event::Equivocation { writer } => {
            ("equivocation", object([("writer", hex(writer.as_bytes()).into())]))
        }
        Event::Failed(failure) => ("failed", error::to_js(failure)),
        Event::Granted { writer, own } => {
            ("granted", object([("writer", hex(writer.as_bytes()).into()), ("own", (*own).into())]))
        }
        Event::Hubs => ("hubs", JsValue::UNDEFINED),
        Event::Message(message) => (
            "message",
            object([
                ("from", hex(message.from.as_bytes()).into()),
                ("writer", message.writer.into()),
                ("private", message.private.into()),
                ("time", number(message.time)),
                ("data", decode(&message.data)),
            ]),
        ),
        Event::Presence => ("presence", JsValue::UNDEFINED),
        Event::Peers => ("peers", JsValue::UNDEFINED),
        Event::Recovered => ("recovered", JsValue::UNDEFINED),
        Event::Requests => ("requests", JsValue::UNDEFINED),
        Event::Revoked => ("revoked", JsValue::UNDEFINED),
        Event::State(state) => ("state", state.as_str().into()),
        Event::Writers => ("writers", JsValue::UNDEFINED),
    }
}
