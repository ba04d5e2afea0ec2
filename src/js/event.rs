//! Events as the package hears them: a name and a plain detail.

use wasm_bindgen::JsValue;

use super::error;
use super::item::{number, why_name};
use super::packed::texts;
use super::value::{decode, object};
use crate::crypto::hex;
use crate::node::Event;

/// Name and detail. The package turns them into the events of its classes.
pub(super) fn to_js(event: &Event) -> (&'static str, JsValue) {
    match event {
        Event::Changed { space, keys } => {
            let keys = texts(keys.iter().map(String::as_str));
            ("changed", object([("space", hex(space.as_bytes()).into()), ("keys", keys.into())]))
        }
        Event::Denied => ("denied", JsValue::UNDEFINED),
        Event::Equivocation { space, writer } => (
            "equivocation",
            object([("space", hex(space.as_bytes()).into()), ("writer", hex(writer.as_bytes()).into())]),
        ),
        Event::Failed(failure) => ("failed", error::to_js(failure)),
        Event::Full(space) => ("full", hex(space.as_bytes()).into()),
        Event::Granted { space, writer, own } => {
            let pairs = [
                ("space", hex(space.as_bytes()).into()),
                ("writer", hex(writer.as_bytes()).into()),
                ("own", (*own).into()),
            ];
            ("granted", object(pairs))
        }
        Event::Hubs => ("hubs", JsValue::UNDEFINED),
        Event::Message { space, message } => (
            "message",
            object([
                ("space", hex(space.as_bytes()).into()),
                ("from", hex(message.from.as_bytes()).into()),
                ("writer", message.writer.into()),
                ("private", message.private.into()),
                ("time", number(message.time)),
                ("data", decode(&message.data)),
            ]),
        ),
        Event::Presence(space) => ("presence", hex(space.as_bytes()).into()),
        Event::Peers => ("peers", JsValue::UNDEFINED),
        Event::Recovered => ("recovered", JsValue::UNDEFINED),
        Event::Requests => ("requests", JsValue::UNDEFINED),
        Event::Retracted { space, writer, entries, keys, why } => {
            let keys = texts(keys.iter().map(String::as_str));
            let pairs = [
                ("space", hex(space.as_bytes()).into()),
                ("writer", hex(writer.as_bytes()).into()),
                ("entries", number(*entries)),
                ("keys", keys.into()),
                ("why", why.map_or(JsValue::UNDEFINED, |why| why_name(why).into())),
            ];
            ("retracted", object(pairs))
        }
        Event::Revoked => ("revoked", JsValue::UNDEFINED),
        Event::Safety(space) => ("safety", hex(space.as_bytes()).into()),
        Event::Spaces => ("spaces", JsValue::UNDEFINED),
        Event::State(state) => ("state", state.as_str().into()),
        Event::Writers => ("writers", JsValue::UNDEFINED),
    }
}
