//! What needs no node: passphrases, key derivation, encoding. The worker calls the slow ones.

use js_sys::{Array, JsString, Uint8Array};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use zeroize::Zeroizing;

use super::core::public_key;
use super::error::{bad_input, to_js};
use super::{item, ops};
use crate::browser::idb::Database;
use crate::browser::random::BrowserEntropy;
use crate::crypto::{Hash, Host, Passphrase, RootSecret, request_words as words_of};
use crate::node::{ErrorCode, NodeError};
use crate::space::space_code;

/// Draws a passphrase of 8 to 64 words.
#[wasm_bindgen(js_name = generatePassphrase)]
pub fn generate_passphrase(words: usize) -> Result<String, JsValue> {
    let passphrase = Passphrase::generate(words, &mut BrowserEntropy).map_err(bad_input)?;
    Ok(passphrase.as_str().to_owned())
}

/// Brings a typed passphrase into its one form; an error names the first wrong word and its nearest one.
#[wasm_bindgen(js_name = checkPassphrase)]
pub fn check_passphrase(text: &JsString) -> Result<String, JsValue> {
    Ok(parse(text)?.as_str().to_owned())
}

/// The root secret: 32 bytes. About a second and 64 MiB: for the worker. The caller wipes what it gets.
#[wasm_bindgen(js_name = deriveRoot)]
pub fn derive_root(passphrase: &JsString, domain: &str) -> Result<Uint8Array, JsValue> {
    let host = Host::parse(domain).map_err(bad_input)?;
    let root = RootSecret::derive(&parse(passphrase)?, &host).map_err(|error| unsupported(&error))?;
    Ok(Uint8Array::from(root.to_bytes().as_slice()))
}

/// The four words of a sign-in request's hash: for the worker.
#[wasm_bindgen(js_name = requestWords)]
pub fn request_words(hash: &[u8]) -> Result<JsValue, JsValue> {
    let hash: [u8; 32] = hash.try_into().map_err(|_| bad_input("a hash has 32 bytes"))?;
    Ok(item::words(&words_of(&Hash(hash)).map_err(|error| unsupported(&error))?))
}

/// The six words of the space with this key. Unpacks the list of words: not for every turn of a page.
#[wasm_bindgen(js_name = spaceCode)]
pub fn code_of(space: &JsValue) -> Result<String, JsValue> {
    Ok(space_code(&public_key("space", space)?).join(" "))
}

/// Checks and encodes operations where they were given; for `Core.write`, in this tab or another.
#[wasm_bindgen(js_name = encodeOps)]
pub fn encode_ops(given: &JsValue) -> Result<Array, JsValue> {
    ops::encode_ops(given)
}

/// Deletes a database; nodes on it, in any tab, lose it.
#[wasm_bindgen(js_name = deleteDatabase)]
pub async fn delete_database(name: String) -> Result<(), JsValue> {
    Database::delete(&name).await.map_err(|error| to_js(&NodeError::new(ErrorCode::Storage, error)))
}

/// Bytes of memory that this module has taken.
#[wasm_bindgen(js_name = memoryBytes)]
pub fn memory_bytes() -> f64 {
    let memory = wasm_bindgen::memory().unchecked_into::<js_sys::WebAssembly::Memory>();
    let buffer = memory.buffer().unchecked_into::<js_sys::ArrayBuffer>();
    f64::from(buffer.byte_length())
}

fn parse(text: &JsString) -> Result<Passphrase, JsValue> {
    // As typed on any keyboard: full-width letters and ligatures become the letters of the list.
    let normal = Zeroizing::new(String::from(text.normalize("NFKD")));
    Passphrase::parse(&normal).map_err(bad_input)
}

fn unsupported(error: &dyn core::fmt::Display) -> JsValue {
    let message = format!("{error}; close other tabs or programs and try again");
    to_js(&NodeError::new(ErrorCode::Unsupported, message))
}
