//! What the package says in JavaScript and in types is what Rust says.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use hypha_node::node::ErrorCode;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test;

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

const TYPES: &str = include_str!("../pkg-template/index.d.ts");
const ERRORS: &str = include_str!("../pkg-template/errors.js");
// their `match`es name every variant, or they would not compile
const RUST_ERRORS: &str = include_str!("../src/node/error.rs");
const RUST_STATES: &str = include_str!("../src/node/state.rs");

/// What only the package meets, when it loads the second part of itself.
const OF_THE_PACKAGE: [&str; 2] = ["OFFLINE", "UPDATE"];

/// The quoted words between two marks.
fn quoted<'a>(text: &'a str, from: &str, to: &str) -> Vec<&'a str> {
    let part = text.split_once(from).unwrap().1.split_once(to).unwrap().0;
    let mut words: Vec<&str> = part.split('"').skip(1).step_by(2).collect();
    words.sort_unstable();
    words
}

#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
#[cfg_attr(not(target_arch = "wasm32"), test)]
fn error_codes_are_the_same_everywhere() {
    let mut codes: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    codes.sort_unstable();
    assert_eq!(quoted(RUST_ERRORS, "match self {", "}"), codes);
    codes.extend(OF_THE_PACKAGE);
    codes.sort_unstable();
    assert_eq!(quoted(TYPES, "export type ErrorCode =", ";"), codes);
    assert_eq!(quoted(ERRORS, "export const CODES = [", "]"), codes);
}

/// Only on the host there are folders to look into.
#[cfg(not(target_arch = "wasm32"))]
#[test]
fn scripts_use_no_other_code() {
    let codes: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).chain(OF_THE_PACKAGE).collect();
    let mut made = 0;
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/pkg-template")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|end| end == "js") {
            let script = std::fs::read_to_string(&path).unwrap();
            for rest in script.split("HyphaError(\"").skip(1) {
                let code = rest.split('"').next().unwrap();
                assert!(codes.contains(&code), "{code} in {}", path.display());
                made += 1;
            }
        }
    }
    assert!(made > 10, "only {made} errors were found");
}

#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test)]
#[cfg_attr(not(target_arch = "wasm32"), test)]
fn states_are_the_same_everywhere() {
    assert_eq!(quoted(TYPES, "export type State =", ";"), quoted(RUST_STATES, "match self {", "}"));
}
