//! JavaScript values go in and come out unchanged, or are refused with the place named.
#![cfg(target_arch = "wasm32")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "a test fails by panicking"
)]

use hypha_node::js::value::{ValueError, decode, encode};
use js_sys::{Function, JSON, Reflect};
use wasm_bindgen::JsValue;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

/// The value of a JavaScript expression.
fn js(source: &str) -> JsValue {
    Function::new_no_args(&format!("return ({source})")).call0(&JsValue::UNDEFINED).unwrap()
}

fn same(a: &JsValue, b: &JsValue) -> bool {
    let compare = js("function same(a, b) {
        if (Object.is(a, b) || (a === 0 && b === 0)) return true;
        if (typeof a !== 'object' || typeof b !== 'object' || !a || !b) return false;
        if (a instanceof ArrayBuffer) a = new Uint8Array(a);
        if (a.constructor !== b.constructor && a.constructor && b.constructor) return false;
        if (a instanceof Date) return a.getTime() === b.getTime();
        const keys = Object.keys(a).sort();
        return keys.join() === Object.keys(b).sort().join() && keys.every((key) => same(a[key], b[key]));
    }");
    Function::from(compare).call2(&JsValue::UNDEFINED, a, b).unwrap().is_truthy()
}

#[wasm_bindgen_test]
fn values_come_back_unchanged() {
    for source in [
        "null",
        "true",
        "0",
        "-1",
        "1.5",
        "NaN",
        "-Infinity",
        "2**53",
        "Number.MAX_VALUE",
        "Number.MIN_VALUE",
        "2**53 - 1",
        "''",
        "'grüße 👋'",
        "'\\u0000'",
        "[]",
        "{}",
        "[[[1]], {a: [null]}]",
        "new Uint8Array([1, 2, 255])",
        "new ArrayBuffer(3)",
        "new Date(0)",
        "new Date(-8.64e15)",
        "2n**64n - 1n",
        "-(2n**64n)",
        "2n**53n",
        "{text: 'x', time: 1.25, list: [1, 2, {deep: true}]}",
        "Object.assign(Object.create(null), {a: 1})",
        "JSON.parse('{\"__proto__\": {\"a\": 1}}')",
        "{'': 1, 'ä b': 2}",
    ] {
        let value = js(source);
        let bytes = encode("value", &value).unwrap();
        let back = decode(&bytes);
        assert!(same(&value, &back), "{source}: {:?} is not {:?}", value, back);
        assert_eq!(encode("value", &back).unwrap(), bytes, "{source}");
    }
    assert_eq!(encode("v", &js("-0")).unwrap(), encode("v", &js("0")).unwrap());
    assert_eq!(encode("v", &js("5n")).unwrap(), encode("v", &js("5")).unwrap());
    assert_eq!(encode("v", &js("{b: 1, a: 2}")).unwrap(), encode("v", &js("{a: 2, b: 1}")).unwrap());
    let polluted = decode(&encode("v", &js("JSON.parse('{\"__proto__\": {\"evil\": 1}}')")).unwrap());
    assert!(Reflect::get(&polluted, &"evil".into()).unwrap().is_undefined());
    assert_eq!(JSON::stringify(&polluted).unwrap(), r#"{"__proto__":{"evil":1}}"#);
}

#[wasm_bindgen_test]
fn what_cannot_be_stored_is_named_with_its_place() {
    for (source, path, part) in [
        ("undefined", "value", "undefined"),
        ("{a: [0, 1, 2, undefined]}", "value.a[3]", "undefined"),
        ("[, 1]", "value[0]", "undefined"),
        ("{f() {}}", "value.f", "a function"),
        ("{'x y': Symbol()}", "value[\"x y\"]", "a symbol"),
        ("{[Symbol('s')]: 1}", "value", "symbol as a key"),
        ("new Map()", "value", "class Map"),
        ("[new (class Cat {})]", "value[0]", "class Cat"),
        ("new Float64Array(1)", "value", "class Float64Array"),
        ("'\\ud800'", "value", "surrogate"),
        ("{'\\udc00': 1}", "value", "surrogate"),
        ("2n**64n", "value", "64 bits"),
        ("-(2n**64n) - 1n", "value", "64 bits"),
        ("new Date(NaN)", "value", "invalid Date"),
        ("(() => { const a = {b: []}; a.b.push(a); return a; })()", "value.b[0]", "contains itself"),
        ("{get x() { throw 1; }}", "value.x", "threw"),
        ("Array.from({length: 100}).reduce((inner) => [inner], 0)", "value[0]", "deeper than 64"),
        ("Promise.resolve()", "value", "class Promise"),
        ("Object.create({inherited: 1})", "value", "cannot be stored"),
    ] {
        let error = encode("value", &js(source)).unwrap_err();
        let ValueError::BadInput { path: got, why } = &error else { panic!("{source}: {error}") };
        assert!(got.starts_with(path) && why.contains(part), "{source}: {error}");
    }
}

#[wasm_bindgen_test]
fn sizes_and_depths_are_limited_at_their_limits() {
    let just = encode("value", &js("new Uint8Array(2**20 - 5)")).unwrap();
    assert_eq!(just.len(), 1 << 20);
    for source in [
        "new Uint8Array(2**20 - 4)",
        "'x'.repeat(2**20)",
        "'ü'.repeat(2**19)",
        "Array(2**20).fill(0)",
        "new ArrayBuffer(2**30)",
        // shared, not a cycle: 2^60 values if it were written out
        "Array.from({length: 60}).reduce((inner) => [inner, inner], 0)",
    ] {
        let error = encode("value", &js(source)).unwrap_err();
        assert_eq!(error, ValueError::TooLarge { path: "value".into() }, "{source}");
    }
    assert!(encode("v", &js("Array.from({length: 64}).reduce((inner) => [inner], 0)")).is_ok());
    assert!(encode("v", &js("Array.from({length: 65}).reduce((inner) => [inner], 0)")).is_err());
    assert!(decode(&[0x81]).is_undefined());
}
