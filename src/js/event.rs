//! Events as the package hears them: a name and a plain detail.

use wasm_bindgen::JsValue;

use super::error;
use super::names::texts;
use super::value::object;
use crate::crypto::hex;
use crate::node::Event;

/// Name and detail. The package turns them into the events of its classes.
pub(super) fn to_js(event: &Event) -> (&'static str, JsValue) {
    match event {
        Event::Changed(keys) => ("changed", texts(keys.iter().map(String::as_str)).into()),
        Event::Denied => ("denied", JsValue::UNDEFINED),
        Event::Equivocation { writer } => {
            ("equivocation", object([("writer", hex(writer.as_bytes()).into())]))
        }
        Event::Failed(failure) => ("failed", error::to_js(failure)),
        Event::Granted { writer, own } => {
            ("granted", object([("writer", hex(writer.as_bytes()).into()), ("own", (*own).into())]))
        }
        Event::Hubs => ("hubs", JsValue::UNDEFINED),
        Event::Peers => ("peers", JsValue::UNDEFINED),
        Event::Recovered => ("recovered", JsValue::UNDEFINED),
        Event::Requests => ("requests", JsValue::UNDEFINED),
        Event::Revoked => ("revoked", JsValue::UNDEFINED),
        Event::State(state) => ("state", state.as_str().into()),
        Event::Writers => ("writers", JsValue::UNDEFINED),
    }
}
