//! Errors as JavaScript sees them: an `Error` with the node's `code`; the package makes its `HyphaError` of it.

use js_sys::{Error, Reflect};
use wasm_bindgen::JsValue;

use super::value::ValueError;
use crate::node::{ErrorCode, NodeError};

/// An `Error` with a `code`.
pub(crate) fn to_js(error: &NodeError) -> JsValue {
    let thrown: JsValue = Error::new(&error.message).into();
    // A fresh object takes any property.
    let _ = Reflect::set(&thrown, &"code".into(), &error.code.as_str().into());
    thrown
}

/// `BAD_INPUT` with this message.
pub(crate) fn bad_input(message: impl core::fmt::Display) -> JsValue {
    to_js(&NodeError::new(ErrorCode::BadInput, message))
}

impl From<ValueError> for NodeError {
    fn from(error: ValueError) -> Self {
        let code = match error {
            ValueError::BadInput { .. } => ErrorCode::BadInput,
            ValueError::TooLarge { .. } => ErrorCode::TooLarge,
        };
        Self::new(code, error)
    }
}
