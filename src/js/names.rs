//! Names of properties. A text on its way to JavaScript costs a microsecond, so they are handed over once and kept.

use core::cell::RefCell;

use js_sys::{Object, Reflect};
use wasm_bindgen::JsValue;

use crate::collections::Map;

/// Most names of stored values that are kept, and their longest, bytes: what is written decides those.
const MAX_KEYS: usize = 256;
const MAX_KEY: usize = 32;

thread_local! {
    static NAMES: RefCell<Map<String, JsValue>> = RefCell::default();
    static KEYS: RefCell<Map<String, JsValue>> = RefCell::default();
}

/// A name of this program.
pub(super) fn name(text: &str) -> JsValue {
    NAMES.with_borrow_mut(|kept| find(kept, text, true))
}

/// A name in a stored value.
pub(super) fn key(text: &str) -> JsValue {
    KEYS.with_borrow_mut(|kept| {
        let keep = kept.len() < MAX_KEYS && text.len() <= MAX_KEY;
        find(kept, text, keep)
    })
}

/// The names of objects that come in numbers.
pub(super) struct Shape(Vec<JsValue>);

impl Shape {
    pub(super) fn new(names: &[&'static str]) -> Self {
        Self(names.iter().map(|text| name(text)).collect())
    }

    /// The values of these names, in order; `undefined` where the object is none or lacks one.
    pub(super) fn values<const N: usize>(&self, object: &JsValue) -> [JsValue; N] {
        let mut values = [JsValue::UNDEFINED; N];
        if object.is_object() {
            for (value, name) in values.iter_mut().zip(&self.0) {
                *value = Reflect::get(object, name).unwrap_or(JsValue::UNDEFINED);
            }
        }
        values
    }

    /// An object of the first names with these values.
    pub(super) fn object(&self, values: &[JsValue]) -> JsValue {
        let object = Object::new();
        for (name, value) in self.0.iter().zip(values) {
            // Setting a property of a new object does not fail.
            let _ = Reflect::set(&object, name, value);
        }
        object.into()
    }
}

fn find(kept: &mut Map<String, JsValue>, text: &str, keep: bool) -> JsValue {
    if let Some(found) = kept.get(text) {
        return found.clone();
    }
    let made = JsValue::from_str(text);
    if keep {
        kept.insert(text.to_owned(), made.clone());
    }
    made
}
