//! The database in a real browser: what was committed is there, what failed left nothing.
#![cfg(target_arch = "wasm32")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "a test fails by panicking"
)]

use hypha_node::browser::idb::{Database, IdbError};
use hypha_node::browser::keys;
use hypha_node::storage::{Commit, Files};
use js_sys::Function;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

#[wasm_bindgen(inline_js = r#"
const put = IDBObjectStore.prototype.put;
const commit = IDBTransaction.prototype.commit;
const transaction = IDBDatabase.prototype.transaction;
// From now on the n-th put throws.
export function fail_put(n) {
    IDBObjectStore.prototype.put = function (...given) {
        if (--n === 0) throw new DOMException("no room", "QuotaExceededError");
        return put.apply(this, given);
    };
}
// From now on every transaction is aborted when all has been asked of it.
export function abort_all() { IDBTransaction.prototype.commit = IDBTransaction.prototype.abort; }
export function mend() {
    IDBObjectStore.prototype.put = put;
    IDBTransaction.prototype.commit = commit;
    IDBDatabase.prototype.transaction = transaction;
}
// Durabilities asked for since the call before.
let asked = [];
export function watch_durability() {
    asked = [];
    IDBDatabase.prototype.transaction = function (names, mode, options) {
        if (mode === "readwrite") asked.push(options?.durability ?? "none");
        return transaction.call(this, names, mode, options);
    };
}
export function durabilities() { return asked.join(" "); }
// From now on there is no IndexedDB, as in some private windows.
const databases = Object.getOwnPropertyDescriptor(globalThis, "indexedDB");
export function hide_databases() { Object.defineProperty(globalThis, "indexedDB", { value: null, configurable: true }); }
export function show_databases() {
    if (databases) Object.defineProperty(globalThis, "indexedDB", databases);
    else delete globalThis.indexedDB;
}
// Bytes that this origin takes.
export async function usage() { return (await navigator.storage.estimate()).usage; }
// Opens a database and does not give way; resolves to a function that closes it.
export function hold(name) {
    return new Promise((resolve, reject) => {
        const request = indexedDB.open(name);
        request.onerror = () => reject(request.error);
        request.onsuccess = () => resolve(() => request.result.close());
    });
}
"#)]
extern "C" {
    fn fail_put(n: u32);
    fn abort_all();
    fn mend();
    fn watch_durability();
    fn durabilities() -> String;
    fn hide_databases();
    fn show_databases();
    #[wasm_bindgen(catch)]
    async fn usage() -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch)]
    async fn hold(name: &str) -> Result<JsValue, JsValue>;
}

fn write(files: &mut Files, name: &str, bytes: &[u8]) -> Commit {
    let file = files.file(name);
    files.write(file, 0, bytes).unwrap();
    files.take_commit().unwrap()
}

fn text(files: &mut Files, name: &str) -> Option<Vec<u8>> {
    let file = files.file(name);
    let length = usize::try_from(files.len(file)).unwrap();
    (length > 0).then(|| files.read(file, 0, length).unwrap())
}

/// Opens a database that no test before has left anything in.
async fn fresh(name: &str) -> Database {
    Database::delete(name).await.unwrap();
    let (database, snapshot) = Database::open(name).await.unwrap();
    assert_eq!(snapshot, Default::default());
    database
}

async fn reopen(name: &str) -> (Database, Files) {
    let (database, snapshot) = Database::open(name).await.unwrap();
    (database, Files::load(snapshot).unwrap())
}

#[wasm_bindgen_test]
async fn what_was_committed_is_there_after_reopening() {
    let database = fresh("committed").await;
    let mut files = Files::new();
    watch_durability();
    let both = [write(&mut files, "a", b"one"), write(&mut files, "b/c", &[7; 40_000])];
    database.commit(&both).await.unwrap();
    assert_eq!(durabilities(), "strict", "two batches, one strict transaction");
    mend();
    database.close();
    let (database, mut files) = reopen("committed").await;
    assert_eq!(text(&mut files, "a").unwrap(), b"one");
    assert_eq!(text(&mut files, "b/c").unwrap(), [7; 40_000]);

    files.delete("a");
    let compaction = files.checkpoint().unwrap();
    database.commit(&[Commit::Compaction(compaction)]).await.unwrap();
    database.close();
    let (_, snapshot) = Database::open("committed").await.unwrap();
    assert_eq!(snapshot.journal.len(), 0);
    let mut files = Files::load(snapshot).unwrap();
    assert_eq!(text(&mut files, "a"), None);
    assert_eq!(text(&mut files, "b/c").unwrap(), [7; 40_000]);
}

#[wasm_bindgen_test]
async fn what_others_have_may_be_stored_relaxed_and_nothing_else() {
    let database = fresh("relaxed").await;
    let mut files = Files::new();
    let mut batch = |name: &str| {
        let file = files.file(name);
        files.write(file, files.len(file), b"bytes").unwrap();
        Commit::Batch(files.take_batch_where(&|name| name.starts_with("theirs/")).unwrap())
    };
    let commits = [batch("theirs/1"), batch("theirs/2"), batch("ours"), batch("theirs/1")];
    watch_durability();
    database.commit(&commits[..2]).await.unwrap();
    assert_eq!(durabilities(), "relaxed");
    database.commit(&commits[2..]).await.unwrap();
    assert_eq!(durabilities(), "relaxed strict", "one that is strict makes all of its transaction so");
    keys::remember(&database, b"a secret").await.unwrap();
    assert!(durabilities().ends_with(" strict"), "keys: {}", durabilities());
    mend();
    database.close();
    let (_, mut files) = reopen("relaxed").await;
    assert_eq!(text(&mut files, "theirs/1").unwrap(), b"bytesbytes");
    assert_eq!(text(&mut files, "ours").unwrap(), b"bytes");
}

/// Bytes that the origin takes, once the browser has counted what was just written.
async fn used() -> f64 {
    usage().await.unwrap().as_f64().unwrap()
}

#[wasm_bindgen_test]
async fn opening_does_not_make_it_grow() {
    let database = fresh("growth").await;
    let mut files = Files::new();
    let commits = [write(&mut files, "a", &[7; 300_000]), write(&mut files, "b", &[1; 1000])];
    database.commit(&commits).await.unwrap();
    database.close();
    let (database, first) = Database::open("growth").await.unwrap();
    database.close();
    let before = used().await;
    for _ in 0..20 {
        let (database, snapshot) = Database::open("growth").await.unwrap();
        assert_eq!(snapshot, first);
        let mut files = Files::load(snapshot).unwrap();
        assert!(files.take_commit().is_none() && files.compaction(false).is_none(), "nothing to write");
        database.close();
    }
    let grown = used().await - before;
    assert!(grown <= 0.0, "{grown} bytes more after opening 20 times");
}

#[wasm_bindgen_test]
async fn a_failed_transaction_leaves_nothing() {
    let database = fresh("failed").await;
    let mut files = Files::new();
    let batches = [write(&mut files, "a", b"one"), write(&mut files, "a", b"two")];
    fail_put(2);
    let result = database.commit(&batches).await;
    mend();
    assert_eq!(result, Err(IdbError::Quota));
    abort_all();
    let result = database.commit(&batches).await;
    mend();
    assert!(matches!(result, Err(IdbError::Failed { .. })), "{result:?}");
    database.close();
    let (database, snapshot) = Database::open("failed").await.unwrap();
    assert_eq!(snapshot, Default::default());
    database.commit(&batches).await.unwrap();
    database.close();
    let (_, mut files) = reopen("failed").await;
    assert_eq!(text(&mut files, "a").unwrap(), b"two");
}

#[wasm_bindgen_test]
async fn of_two_that_opened_who_writes_first_goes_on() {
    let first = fresh("fence").await;
    let mut files = Files::new();
    first.commit(&[write(&mut files, "a", b"one")]).await.unwrap();
    let (second, mut taken) = reopen("fence").await;
    second.commit(&[write(&mut taken, "b", b"two")]).await.unwrap();
    assert_eq!(first.commit(&[write(&mut files, "a", b"late")]).await, Err(IdbError::Fenced));
    assert_eq!(first.commit(&[write(&mut files, "a", b"late")]).await, Err(IdbError::Closed));
    // Also if it is the earlier one: what the later one read is no longer so, though the number is the same.
    let (third, mut behind) = reopen("fence").await;
    second.commit(&[write(&mut taken, "c", b"three")]).await.unwrap();
    assert_eq!(third.commit(&[write(&mut behind, "d", b"late")]).await, Err(IdbError::Fenced));
    let (fourth, mut behind) = reopen("fence").await;
    let compaction = taken.checkpoint().unwrap();
    second.commit(&[Commit::Compaction(compaction)]).await.unwrap();
    assert_eq!(fourth.commit(&[write(&mut behind, "d", b"late")]).await, Err(IdbError::Fenced));
    second.close();
    let (_, mut files) = reopen("fence").await;
    let stored = ["a", "b", "c", "d"].map(|name| text(&mut files, name));
    assert_eq!(stored, [Some(b"one".into()), Some(b"two".into()), Some(b"three".into()), None]);
}

#[wasm_bindgen_test]
async fn deleting_makes_an_open_one_give_way() {
    let database = fresh("gone").await;
    database.commit(&[write(&mut Files::new(), "a", b"one")]).await.unwrap();
    Database::delete("gone").await.unwrap();
    assert!(database.is_closed());
    assert_eq!(database.commit(&[write(&mut Files::new(), "a", b"one")]).await, Err(IdbError::Closed));
    let (_, snapshot) = Database::open("gone").await.unwrap();
    assert_eq!(snapshot, Default::default());
}

#[wasm_bindgen_test]
async fn remembered_bytes_come_back_until_forgotten() {
    let database = fresh("keys").await;
    assert!(keys::recall(&database).await.unwrap().is_none());
    keys::remember(&database, b"a secret").await.unwrap();
    keys::remember(&database, b"another").await.unwrap();
    database.close();
    let (database, _) = Database::open("keys").await.unwrap();
    assert_eq!(keys::recall(&database).await.unwrap().unwrap().as_slice(), b"another");
    let sealed = js_sys::Uint8Array::from(database.key("remembered").await.unwrap()).to_vec();
    assert!(!sealed.windows(7).any(|part| part == b"another"));
    keys::forget(&database).await.unwrap();
    assert!(keys::recall(&database).await.unwrap().is_none());
}

#[wasm_bindgen_test]
async fn without_a_database_the_person_is_told_what_to_do() {
    hide_databases();
    let result = Database::open("hidden").await.map(drop);
    show_databases();
    let error = result.unwrap_err();
    assert!(matches!(error, IdbError::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains("private window") && error.to_string().contains("memory"), "{error}");
    Database::open("hidden").await.map(drop).unwrap();
}

#[wasm_bindgen_test]
async fn whoever_does_not_give_way_blocks_for_a_while_only() {
    fresh("held").await.close();
    let close: Function = hold("held").await.unwrap().into();
    assert_eq!(Database::delete("held").await, Err(IdbError::Blocked { name: "held".into() }));
    close.call0(&JsValue::UNDEFINED).unwrap();
    let (database, snapshot) = Database::open("held").await.unwrap();
    assert_eq!(snapshot, Default::default());
    database.commit(&[write(&mut Files::new(), "a", b"one")]).await.unwrap();
}
