//! What the package says in JavaScript and in types is what Rust says.
#![cfg(target_arch = "wasm32")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "a test fails by panicking"
)]

use hypha_node::node::{ErrorCode, State};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

const TYPES: &str = include_str!("../pkg-template/index.d.ts");
const ERRORS: &str = include_str!("../pkg-template/errors.js");

/// The quoted words between two marks.
fn quoted<'a>(text: &'a str, from: &str, to: &str) -> Vec<&'a str> {
    let part = text.split_once(from).unwrap().1.split_once(to).unwrap().0;
    let mut words: Vec<&str> = part.split('"').skip(1).step_by(2).collect();
    words.sort_unstable();
    words
}

#[wasm_bindgen_test]
fn error_codes_are_the_same_everywhere() {
    let mut codes: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    codes.sort_unstable();
    assert_eq!(quoted(TYPES, "export type ErrorCode =", ";"), codes);
    assert_eq!(quoted(ERRORS, "export const CODES = [", "]"), codes);
}

#[wasm_bindgen_test]
fn states_are_the_same_everywhere() {
    use State::{Locked, Replica, Requesting, Revoked, Uninitialised, Visitor, Writer};
    let mut states: Vec<&str> = [Locked, Replica, Requesting, Revoked, Uninitialised, Visitor, Writer]
        .iter()
        .map(|state| state.as_str())
        .collect();
    states.sort_unstable();
    assert_eq!(quoted(TYPES, "export type State =", ";"), states);
}
