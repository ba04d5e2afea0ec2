//! Whole nodes in one page, over the real database, BroadcastChannel and JavaScript face.
#![cfg(target_arch = "wasm32")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "a test fails by panicking"
)]

use std::rc::Rc;

use gloo_timers::future::TimeoutFuture;
use hypha_node::browser::idb::Database;
use hypha_node::js::core::Core;
use hypha_node::js::words::{derive_root, encode_ops, request_words};
use js_sys::{Array, Function, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::{Closure, wasm_bindgen};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

#[wasm_bindgen(inline_js = r#"
// A page that derives words here, finds no .well-known/dat, and keeps what it hears.
export function page(words) {
    const heard = [];
    return {
        heard,
        event(name, detail) {
            heard.push(name);
            // A callback may call anything, and may fail: neither harms the node.
            heard.inside = this.core?.snapshot().state;
            if (name === "changed") throw new Error("expected: a page's own error");
        },
        deriveWords: async (hash) => words(hash),
        lookUp: async () => ({ missing: true }),
    };
}
export function options(database, extra) {
    return { domain: "example.org", hubs: [], webrtc: false, tabs: true, replica: false, database, ...extra };
}
"#)]
extern "C" {
    fn page(words: &Closure<dyn Fn(Uint8Array) -> JsValue>) -> JsValue;
    fn options(database: JsValue, extra: JsValue) -> JsValue;
}

#[wasm_bindgen(module = "/pkg-template/entries.js")]
extern "C" {
    #[wasm_bindgen(js_name = entriesOf)]
    fn entries_of(packed: &JsValue) -> Array;
    #[wasm_bindgen(js_name = writtenOf)]
    fn written_of(packed: &JsValue, writes: &JsValue) -> Array;
}

#[wasm_bindgen(module = "/pkg-template/ops.js")]
extern "C" {
    #[wasm_bindgen(js_name = packedOps)]
    fn packed_ops(ops: &JsValue) -> JsValue;
}

const PASSPHRASE: &str = "abacus able zoom yoga heap rut seminar catalyst";

fn js(source: &str) -> JsValue {
    Function::new_no_args(&format!("return ({source})")).call0(&JsValue::UNDEFINED).unwrap()
}

fn field(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &name.into()).unwrap()
}

fn string(object: &JsValue, name: &str) -> String {
    field(object, name).as_string().unwrap_or_default()
}

struct Tab {
    core: Rc<Core>,
    page: JsValue,
    _words: Closure<dyn Fn(Uint8Array) -> JsValue>,
    _inside: Closure<dyn Fn() -> JsValue>,
}

impl Tab {
    async fn open(database: Option<&str>, extra: &str) -> Self {
        let words = Closure::new(|hash: Uint8Array| request_words(&hash.to_vec()).unwrap());
        let page = page(&words);
        let database = database.map_or(JsValue::UNDEFINED, JsValue::from);
        let core = Core::open(options(database, js(extra)), page.clone()).await.unwrap();
        let core = Rc::new(core);
        let called = Rc::clone(&core);
        let inside = Closure::new(move || called.snapshot().unwrap());
        let callable = js("{}");
        Reflect::set(&callable, &"snapshot".into(), inside.as_ref()).unwrap();
        Reflect::set(&page, &"core".into(), &callable).unwrap();
        let tab = Self { core, page, _words: words, _inside: inside };
        tab.until("ready", |snapshot| field(snapshot, "ready").is_truthy()).await;
        tab
    }

    fn snapshot(&self) -> JsValue {
        self.core.snapshot().unwrap()
    }

    fn state(&self) -> String {
        string(&self.snapshot(), "state")
    }

    async fn until(&self, what: &str, done: impl Fn(&JsValue) -> bool) -> JsValue {
        for _ in 0..9_000 {
            let snapshot = self.snapshot();
            if done(&snapshot) {
                return snapshot;
            }
            TimeoutFuture::new(10).await;
        }
        panic!("never {what}: {:?}", self.snapshot());
    }

    async fn until_entry(&self, key: &str) -> JsValue {
        for _ in 0..9_000 {
            let entry = get(&self.core, key);
            if entry.is_object() {
                return entry;
            }
            TimeoutFuture::new(10).await;
        }
        panic!("never an entry at {key}");
    }

    async fn write(&self, ops: &str) -> Result<JsValue, JsValue> {
        JsFuture::from(self.core.write(&JsValue::UNDEFINED, &encode_ops(&js(ops)).unwrap()).unwrap()).await
    }

    async fn close(self) {
        done(self.core.close(false)).await;
    }
}

fn get(core: &Core, key: &str) -> JsValue {
    entries_of(&core.get(&JsValue::UNDEFINED, &key.into(), &JsValue::UNDEFINED).unwrap()).get(0)
}

async fn done(promise: Promise) -> JsValue {
    JsFuture::from(promise).await.unwrap()
}

fn root() -> JsValue {
    derive_root(&PASSPHRASE.into(), "example.org").unwrap().into()
}

#[wasm_bindgen_test]
async fn a_device_signs_up_another_is_let_in_and_both_survive_a_reload() {
    for name in ["first", "second"] {
        Database::delete(name).await.unwrap();
    }
    let first = Tab::open(Some("first"), "{}").await;
    assert_eq!(first.state(), "uninitialised");
    let signed_up =
        done(first.core.sign_up(&root(), &"First".into(), true, &JsValue::UNDEFINED).unwrap()).await;
    let link = format!("hypha://{}", string(&signed_up, "key"));
    first.write("[{type: 'put', key: 'public', value: {n: 1}}, {type: 'put', key: 'secret', value: 'x', private: true}]").await.unwrap();

    let second = Tab::open(Some("second"), &format!("{{link: '{link}'}}")).await;
    assert_eq!(second.state(), "visitor");
    assert_eq!(field(&field(&second.until_entry("public").await, "value"), "n"), 1);
    assert!(get(&second.core, "secret").is_undefined(), "a visitor reads nothing private");
    let refused = second.write("[{type: 'put', key: 'a', value: 1}]").await.unwrap_err();
    assert_eq!(string(&refused, "code"), "NOT_AUTHORISED");

    let words = done(second.core.sign_in(&root(), &"Second".into(), true).unwrap()).await;
    assert_eq!(second.state(), "requesting");
    let draft = second.write("[{type: 'put', key: 'draft', value: 'kept'}]").await.unwrap();
    assert_eq!(field(&entries_of(&draft).get(0), "draft"), true);
    let asked =
        first.until("a request", |snapshot| Array::from(&field(snapshot, "requests")).length() == 1).await;
    let request = Array::from(&field(&asked, "requests")).get(0);
    assert_eq!(string(&request, "device"), "Second");
    let (choices, shown) = (Array::from(&field(&request, "choices")), Array::from(&words).join(" "));
    let same: Vec<JsValue> = choices.iter().filter(|set| Array::from(set).join(" ") == shown).collect();
    assert_eq!((choices.length(), same.len()), (3, 1));
    done(first.core.approve(&string(&request, "id"), &same[0]).unwrap()).await;
    second.until("a writer", |snapshot| string(snapshot, "state") == "writer").await;
    assert_eq!(string(&second.until_entry("secret").await, "value"), "x");
    assert_eq!(string(&first.until_entry("draft").await, "device"), "Second");

    first.close().await;
    second.close().await;
    let second = Tab::open(Some("second"), "{}").await;
    assert_eq!(second.state(), "writer", "it stays signed in, and knows its space without a link");
    assert_eq!(string(&get(&second.core, "secret"), "value"), "x");
    done(second.core.lock()).await;
    assert_eq!(second.state(), "locked");
    second.close().await;
    let second = Tab::open(Some("second"), "{}").await;
    assert_eq!(second.state(), "locked", "locking forgets what was remembered");
    assert!(get(&second.core, "secret").is_undefined());
    done(second.core.unlock(&root()).unwrap()).await;
    assert_eq!(string(&get(&second.core, "secret"), "value"), "x");
    second.close().await;
}

#[wasm_bindgen_test]
async fn callbacks_may_call_and_fail_and_keys_go_from_tab_to_tab() {
    Database::delete("callbacks").await.unwrap();
    let tab = Tab::open(Some("callbacks"), "{tabs: false}").await;
    done(tab.core.sign_up(&root(), &"Only".into(), false, &JsValue::UNDEFINED).unwrap()).await;
    let many: Vec<Promise> = (0..100)
        .map(|n| {
            tab.core
                .write(
                    &JsValue::UNDEFINED,
                    &encode_ops(&js(&format!("[{{type: 'put', key: 'k{n}', value: {n}}}]"))).unwrap(),
                )
                .unwrap()
        })
        .collect();
    for promise in many {
        done(promise).await;
    }
    let all = entries_of(
        &tab.core.list(&JsValue::UNDEFINED, &js("{prefix: 'k', limit: 1000}"), &JsValue::UNDEFINED).unwrap(),
    );
    assert_eq!(all.length(), 100);
    let heard = field(&tab.page, "heard");
    assert!(Array::from(&heard).includes(&"changed".into(), 0), "the callback that throws was called");
    assert_eq!(string(&heard, "inside"), "writer", "a callback may read the node that calls it");
    let some = entries_of(
        &tab.core
            .list(&JsValue::UNDEFINED, &js("{gte: 'k10', lt: 'k12', reverse: true}"), &JsValue::UNDEFINED)
            .unwrap(),
    );
    let keys: Vec<String> = some.iter().map(|entry| string(&entry, "key")).collect();
    assert_eq!(keys, ["k11", "k10"]);
    let keys = tab.core.keys().unwrap();
    assert!(keys.is_instance_of::<Uint8Array>());

    // Another tab takes over: with the keys it is a writer though nothing is remembered, without them it is locked.
    let with = js("{tabs: false}");
    Reflect::set(&with, &"keys".into(), &keys).unwrap();
    Reflect::set(&with, &"takesOver".into(), &true.into()).unwrap();
    let words = Closure::new(|hash: Uint8Array| request_words(&hash.to_vec()).unwrap());
    let core = Core::open(options("callbacks".into(), with), page(&words)).await.unwrap();
    assert_eq!(string(&core.snapshot().unwrap(), "state"), "writer");
    let fenced = tab.write("[{type: 'put', key: 'late', value: 1}]").await.unwrap_err();
    assert_eq!(string(&fenced, "code"), "STORAGE");
    tab.close().await;
    assert!(get(&core, "late").is_undefined());
    done(core.close(false)).await;
    let tab = Tab::open(Some("callbacks"), "{tabs: false}").await;
    assert_eq!(tab.state(), "locked");
    tab.close().await;
}

#[wasm_bindgen_test]
async fn in_memory_nothing_is_kept_and_closed_is_closed() {
    let tab = Tab::open(None, "{tabs: false}").await;
    done(tab.core.sign_up(&root(), &"Memory".into(), true, &JsValue::UNDEFINED).unwrap()).await;
    tab.write("[{type: 'put', key: 'a', value: 1}]").await.unwrap();
    let waiting = tab
        .core
        .write(&JsValue::UNDEFINED, &encode_ops(&js("[{type: 'delete', key: 'a'}]")).unwrap())
        .unwrap();
    done(tab.core.close(false)).await;
    done(tab.core.close(false)).await;
    assert!(JsFuture::from(waiting).await.is_ok(), "what was asked before closing is done");
    assert_eq!(string(&tab.core.snapshot().unwrap_err(), "code"), "CLOSED");
    assert_eq!(
        string(&tab.write("[{type: 'put', key: 'b', value: 1}]").await.unwrap_err(), "code"),
        "CLOSED"
    );
    let tab = Tab::open(None, "{tabs: false}").await;
    assert_eq!(tab.state(), "uninitialised");
    tab.close().await;
}

#[wasm_bindgen_test]
async fn bad_options_and_arguments_are_named() {
    for (extra, code) in [
        ("{link: 'hypha://abc'}", "BAD_LINK"),
        ("{domain: ''}", "BAD_INPUT"),
        ("{domain: undefined}", "BAD_INPUT"),
        ("{hubs: 'ws://x'}", "BAD_INPUT"),
        ("{hubs: [1]}", "BAD_INPUT"),
        ("{replica: 'yes'}", "BAD_INPUT"),
    ] {
        let error = Core::open(options(JsValue::UNDEFINED, js(extra)), js("{}")).await.err().unwrap();
        assert_eq!(string(&error, "code"), code, "{extra}");
    }
    for ops in [
        "{}",
        "[1]",
        "[{}]",
        "[{type: 'put', key: 'a'}]",
        "[{type: 'put', key: 1, value: 1}]",
        "[{type: 'delete', key: '\\ud800'}]",
        "[{type: 'put', key: 'a', value: 1, expect: 'x'}]",
        "[{type: 'put', key: 'a', value: 1, private: 1}]",
    ] {
        assert_eq!(string(&encode_ops(&js(ops)).unwrap_err(), "code"), "BAD_INPUT", "{ops}");
    }
    let tab = Tab::open(None, "{tabs: false}").await;
    let bad = |result: Result<JsValue, JsValue>| string(&result.unwrap_err(), "code");
    assert_eq!(bad(tab.core.list(&JsValue::UNDEFINED, &js("{limit: -1}"), &JsValue::UNDEFINED)), "BAD_INPUT");
    assert_eq!(bad(tab.core.unlock(&js("new Uint8Array(31)")).map(Into::into)), "BAD_INPUT");
    assert_eq!(bad(tab.core.approve("zz", &JsValue::UNDEFINED).map(Into::into)), "BAD_INPUT");
    assert_eq!(bad(tab.core.pin(&"x".into()).map(Into::into)), "BAD_LINK");
    tab.close().await;
}

// One value of every kind that is packed by JavaScript and by this side, and what comes out again.
#[wasm_bindgen(inline_js = r#"
export const values = () => [
    null, true, false, 0, -0, 1.5, -1, NaN, Infinity, 2 ** 52, 2 ** 60, 1e300, "", "a", "\ufeffä€😀", "x".repeat(127), "ä".repeat(200), "x".repeat(70000),
    new Uint8Array(), new Uint8Array([0, 255]), new Uint8Array(200000).fill(7), [], [1, [2, "b"]], {}, { b: 1, aa: [null], a: { "__proto_": 2 } },
    JSON.parse('{"__proto__": {"x": 1}, "constructor": 2}'), Object.assign(Object.create(null), { n: 1 }),
];
export const slow = () => [12345678901234567890n, -(2n ** 60n), new Date(0), new Date(-1.5e12), [new Date(5)]];
export const refused = () => {
    const ring = {};
    ring.ring = ring;
    return [undefined, () => 1, Symbol("s"), ring, new Map(), [,], "\ud800", { "\udc00": 1 }, new Uint8Array(1 << 20), "x".repeat(1 << 20), { get a() { throw 1; } }, new Date(NaN), 2n ** 64n];
};
export const shown = (value) => JSON.stringify(value, (key, value) => {
    if (typeof value === "bigint") return `${value}n`;
    if (value instanceof Uint8Array) return `bytes ${value.length} ${value.slice(0, 9)}`;
    if (typeof value === "number" && !Number.isFinite(value)) return `number ${value}`;
    if (value && typeof value === "object" && !Array.isArray(value)) return ["object", ...Object.keys(value).sort().map((key) => [key, value[key]])];
    return value;
});
export const put = (key, value) => [{ type: "put", key, value }];
export const calls = (ops) => [{ ops }];
"#)]
extern "C" {
    fn values() -> Array;
    fn slow() -> Array;
    fn refused() -> Array;
    fn shown(value: &JsValue) -> String;
    fn put(key: &str, value: &JsValue) -> JsValue;
    fn calls(ops: &JsValue) -> JsValue;
}

#[wasm_bindgen_test]
async fn values_are_the_same_however_they_come_in() {
    let tab = Tab::open(None, "{tabs: false}").await;
    done(tab.core.sign_up(&root(), &"Memory".into(), true, &JsValue::UNDEFINED).unwrap()).await;
    for value in values().iter() {
        let packed = packed_ops(&put("packed", &value));
        assert!(packed.is_object(), "{} is packed", shown(&value));
        let bytes = Uint8Array::from(field(&packed, "bytes")).to_vec();
        let written = tab.core.write_many(&JsValue::UNDEFINED, &bytes, &[], 0, false, false).unwrap();
        let first = Array::from(&written_of(&done(written).await, &JsValue::UNDEFINED).get(0)).get(0);
        let plain = encode_ops(&put("plain", &value)).unwrap();
        let second = entries_of(&done(tab.core.write(&JsValue::UNDEFINED, &plain).unwrap()).await).get(0);
        let expected = shown(&field(&second, "value"));
        assert_eq!(shown(&field(&first, "value")), expected);
        assert_eq!(shown(&field(&get(&tab.core, "packed"), "value")), expected);
        assert_eq!(field(&get(&tab.core, "packed"), "version"), field(&first, "version"));
        // What need not come back is the same as what does.
        if field(&packed, "isKept").is_truthy() {
            let written = tab.core.write_many(&JsValue::UNDEFINED, &bytes, &[], 0, false, true).unwrap();
            let kept = Array::from(&written_of(&done(written).await, &calls(&packed)).get(0)).get(0);
            assert_eq!(string(&kept, "key"), "packed");
            assert_eq!(shown(&field(&kept, "value")), expected);
            assert_eq!(field(&get(&tab.core, "packed"), "version"), field(&kept, "version"));
            let names = |entry: &JsValue| shown(&Object::keys(entry.unchecked_ref::<Object>()).into());
            assert_eq!(names(&kept), names(&first));
        }
        // −0 is 0, and a number that is no integer below 2^53 may be a BigInt: all else is as it was.
        if !value.as_f64().is_some_and(|number| number.abs() > 9e15) {
            assert_eq!(expected, shown(&value));
        }
    }
    for value in slow().iter() {
        assert!(packed_ops(&put("k", &value)).is_undefined(), "{} goes the other way", shown(&value));
        let plain = encode_ops(&put("plain", &value)).unwrap();
        let written = entries_of(&done(tab.core.write(&JsValue::UNDEFINED, &plain).unwrap()).await).get(0);
        assert_eq!(shown(&field(&written, "value")), shown(&value));
    }
    for (n, value) in refused().iter().enumerate() {
        assert!(encode_ops(&put("k", &value)).is_err(), "refused {n}");
        assert!(packed_ops(&put("k", &value)).is_undefined(), "refused {n}");
    }
    tab.close().await;
}
