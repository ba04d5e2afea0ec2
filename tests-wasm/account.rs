//! Passphrases and keys in the browser are those that libsodium computes.
#![cfg(target_arch = "wasm32")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "a test fails by panicking"
)]

use hypha_node::crypto::{Host, Link, PublicKey, Purpose, RootSecret, Signature, hex, parse_hex32};
use hypha_node::js::words::{check_passphrase, derive_root, generate_passphrase, request_words};
use js_sys::{Array, JsString, Reflect};
use serde_json::Value;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

fn vectors(part: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("vectors/account.json")).unwrap();
    all[part].as_array().unwrap().clone()
}

fn text<'a>(case: &'a Value, name: &str) -> &'a str {
    case[name].as_str().unwrap()
}

fn property(object: &JsValue, name: &str) -> String {
    Reflect::get(object, &name.into()).unwrap().as_string().unwrap()
}

#[wasm_bindgen_test]
fn accounts_are_those_of_libsodium() {
    for case in vectors("accounts") {
        let typed = JsString::from(text(&case, "passphrase"));
        assert_eq!(check_passphrase(&typed).unwrap(), text(&case, "normal"));
        assert_eq!(Host::parse(text(&case, "domain")).unwrap().as_str(), text(&case, "host"));
        let root = derive_root(&typed, text(&case, "domain")).unwrap().to_vec();
        assert_eq!(hex(&root), text(&case, "root"));
        let root = RootSecret::from_bytes(root.try_into().unwrap());
        let space = root.root().public();
        assert_eq!(Link(space).to_string(), text(&case, "link"));
        assert_eq!(hex(&space.discovery_key().0), text(&case, "discovery"));
        assert_eq!(hex(root.message_key().as_bytes()), text(&case, "message_key"));
        let id = *parse_hex32(&text(&case, "install_id").repeat(2)).unwrap().first_chunk::<16>().unwrap();
        let install = root.writer_base().install(&id, text(&case, "device"));
        assert_eq!(hex(install.to_bytes().as_slice()), text(&case, "install"));
        let writer = install.signer(Purpose::Entries, &space, "").public();
        assert_eq!(hex(writer.as_bytes()), text(&case, "writer"));
        let message = data_encoding::HEXLOWER.decode(text(&case, "message").as_bytes()).unwrap();
        let signature: Signature = root.root().sign(&message);
        assert_eq!(hex(&signature.0), text(&case, "signature"));
        assert!(PublicKey(space.0).verify(&message, &signature).is_ok());
    }
}

#[wasm_bindgen_test]
fn words_of_a_request_are_those_of_libsodium() {
    for case in vectors("requests") {
        let words = request_words(&parse_hex32(text(&case, "hash")).unwrap()).unwrap();
        let words: Vec<String> =
            words.unchecked_into::<Array>().iter().map(|word| word.as_string().unwrap()).collect();
        assert_eq!(Value::from(words), case["words"]);
    }
}

#[wasm_bindgen_test]
fn drawn_passphrases_are_accepted_and_differ() {
    let drawn: Vec<String> = (0..20).map(|_| generate_passphrase(8).unwrap()).collect();
    for passphrase in &drawn {
        assert_eq!(check_passphrase(&passphrase.as_str().into()).unwrap(), *passphrase);
        assert_eq!(drawn.iter().filter(|other| *other == passphrase).count(), 1);
    }
    assert_eq!(generate_passphrase(64).unwrap().split(' ').count(), 64);
    for words in [0, 7, 65] {
        assert_eq!(property(&generate_passphrase(words).unwrap_err(), "code"), "BAD_INPUT");
    }
}

#[wasm_bindgen_test]
fn what_was_mistyped_is_named() {
    let error = check_passphrase(&"abacus able cofee abacus able abacus able abacus".into()).unwrap_err();
    assert_eq!(property(&error, "code"), "BAD_INPUT");
    assert_eq!(
        property(&error, "message"),
        "word 3, \"cofee\", is not on the word list; did you mean \"coffee\"?"
    );
    // Full-width letters and a ligature, as some keyboards type them, are the letters of the list.
    let wide = "ａｂａｃｕｓ able ﬁlm able able able able able";
    assert_eq!(check_passphrase(&wide.into()).unwrap(), "abacus able film able able able able able");
}
