//! The node's files in IndexedDB.
//!
//! ```text
//! pages    "file\0page number" → page record
//! journal  sequence            → journal record
//! keys     "fence"             → number of the node that writes
//!          "seal"              → CryptoKey (AES-GCM, not extractable)
//!          "remembered"        → what "stay signed in" keeps, sealed under it
//! ```
//! Each write is one readwrite transaction, strict unless all of its commits are relaxed: a strict one resolves when the
//! bytes, and all that were written before, have reached the disk, and a failed one leaves nothing. No transaction is held across anything but its own requests, for an idle one
//! commits by itself.
//!
//! **Fence.** Opening raises a number in a transaction of its own before anything is read; every later write compares
//! it inside its own transaction and aborts if it moved. So a tab that was frozen while another took over can never
//! append to what that one has continued.
//!
//! rexie lays the stores out and deletes. It knows neither durability nor `versionchange`, so all else goes over a
//! connection one layer below it.

mod error;

use core::cell::Cell;
use std::rc::Rc;

use futures_util::future::{Either, join, select};
use gloo_timers::future::TimeoutFuture;
use idb::DatabaseEvent as _;
use js_sys::{Array, Function, Object, Reflect, Uint8Array};
use rexie::{ObjectStore, Rexie};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{IdbDatabase, IdbTransaction};

pub use error::IdbError;
pub(crate) use error::words;

use crate::storage::{Commit, Durability, PageKey, Snapshot};

/// An open database, behind its fence.
pub struct Database {
    handle: IdbDatabase,
    /// Holds the handler of `versionchange`.
    connection: idb::Database,
    fence: f64,
    closed: Rc<Cell<bool>>,
}

impl Database {
    /// Opens or makes the database, raises its fence and reads all there is.
    pub async fn open(name: &str) -> Result<(Self, Snapshot), IdbError> {
        let blocked = IdbError::Blocked { name: name.to_owned() };
        let opening = core::pin::pin!(Self::open_unhurried(name));
        match select(opening, TimeoutFuture::new(OPEN_TIMEOUT_MS)).await {
            Either::Left((result, _)) => result,
            Either::Right(_) => Err(blocked),
        }
    }

    async fn open_unhurried(name: &str) -> Result<(Self, Snapshot), IdbError> {
        let stores = [PAGES, JOURNAL, KEYS];
        let layout = stores.into_iter().fold(Rexie::builder(name).version(VERSION), |builder, store| {
            builder.add_object_store(ObjectStore::new(store))
        });
        // The second is asked for when the first is under way: it waits until that one has laid the stores out.
        let second = async { idb::Factory::new()?.open(name, Some(VERSION))?.await };
        let (rexie, connection) = join(layout.build(), second).await;
        let rexie = rexie.map_err(|error| match error {
            rexie::Error::IdbError(error) => IdbError::of_open(&error),
            other => other.into(),
        })?;
        rexie.close();
        let mut connection = connection.map_err(|error| IdbError::of_open(&error))?;
        let closed = Rc::new(Cell::new(false));
        let seen = Rc::clone(&closed);
        connection.on_version_change(move |event| {
            // Someone wants to delete or upgrade: give way at once, so that nobody is blocked.
            seen.set(true);
            if let Ok(database) = event.database() {
                database.close();
            }
        });
        let handle: IdbDatabase = JsValue::from(connection_handle(&connection)?).unchecked_into();
        let mut database = Self { handle, connection, fence: 0.0, closed };
        database.fence = database.raise_fence().await?;
        let snapshot = read(&database.connection).await?;
        Ok((database, snapshot))
    }

    /// Stores commits, in order, in one transaction: strict if one of them is.
    pub async fn commit(&self, commits: &[Commit]) -> Result<(), IdbError> {
        let relaxed = commits.iter().all(|commit| commit.durability() == Durability::Relaxed);
        let durability = if relaxed { Durability::Relaxed } else { Durability::Strict };
        let transaction = self.transaction(&[PAGES, JOURNAL, KEYS], durability)?;
        // The fence is answered first, and until the last answer nothing is stored: so nobody has to wait for it.
        let fence = transaction.object_store(KEYS)?.get(JsValue::from_str(FENCE))?.into_future();
        let asked = put(&transaction, commits);
        match self.check_fence(fence.await?).and(asked) {
            Ok(()) => finish(transaction).await,
            Err(error) => {
                // What was asked would be stored otherwise.
                drop(transaction.abort());
                Err(error)
            }
        }
    }

    /// Reads a value of the `keys` store; `undefined` if there is none.
    pub async fn key(&self, name: &str) -> Result<JsValue, IdbError> {
        let transaction = self.transaction(&[KEYS], Durability::Relaxed)?;
        let value = transaction.object_store(KEYS)?.get(JsValue::from_str(name))?.await?;
        Ok(value.unwrap_or(JsValue::UNDEFINED))
    }

    /// Writes a value of the `keys` store, or deletes it.
    pub async fn set_key(&self, name: &str, value: Option<&JsValue>) -> Result<(), IdbError> {
        let transaction = self.transaction(&[KEYS], Durability::Strict)?;
        let store = transaction.object_store(KEYS)?;
        self.check_fence(store.get(JsValue::from_str(FENCE))?.await?)?;
        match value {
            Some(value) => drop(store.put(value, Some(&name.into()))?),
            None => drop(store.delete(JsValue::from_str(name))?),
        }
        finish(transaction).await
    }

    /// Closes the connection; what runs is finished.
    pub fn close(&self) {
        self.closed.set(true);
        self.connection.close();
    }

    /// Whether the connection was closed, by [`Database::close`] or for someone else's upgrade.
    pub fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// Deletes a database. Whoever has it open is told and gives way.
    pub async fn delete(name: &str) -> Result<(), IdbError> {
        let deleting = core::pin::pin!(Rexie::delete(name));
        match select(deleting, TimeoutFuture::new(OPEN_TIMEOUT_MS)).await {
            Either::Left((result, _)) => Ok(result?),
            Either::Right(_) => Err(IdbError::Blocked { name: name.to_owned() }),
        }
    }

    async fn raise_fence(&self) -> Result<f64, IdbError> {
        // Relaxed: it holds off those that live now. When the machine goes down, none of them does.
        let transaction = self.transaction(&[KEYS], Durability::Relaxed)?;
        let store = transaction.object_store(KEYS)?;
        let last = store.get(JsValue::from_str(FENCE))?.await?.and_then(|value| value.as_f64());
        let fence = last.unwrap_or(0.0) + 1.0;
        store.put(&fence.into(), Some(&FENCE.into()))?;
        finish(transaction).await?;
        Ok(fence)
    }

    /// Fails, and closes the database, if another node has raised the fence.
    fn check_fence(&self, fence: Option<JsValue>) -> Result<(), IdbError> {
        if fence.and_then(|value| value.as_f64()) == Some(self.fence) {
            return Ok(());
        }
        self.closed.set(true);
        self.connection.close();
        Err(IdbError::Fenced)
    }

    /// `transaction(stores, "readwrite", { durability })`, which web-sys has no stable name for.
    fn transaction(&self, stores: &[&str], durability: Durability) -> Result<idb::Transaction, IdbError> {
        if self.closed.get() {
            return Err(IdbError::Closed);
        }
        let options = Object::new();
        let durability = match durability {
            Durability::Strict => "strict",
            Durability::Relaxed => "relaxed",
        };
        let names: Array = stores.iter().map(|name| JsValue::from_str(name)).collect();
        let made = Reflect::set(&options, &"durability".into(), &durability.into())
            .and_then(|_| Reflect::get(&self.handle, &"transaction".into()))
            .and_then(|function| function.dyn_into::<Function>())
            .and_then(|function| function.call3(&self.handle, &names, &"readwrite".into(), &options))
            .map_err(|thrown| IdbError::of(&thrown))?;
        Ok(made.unchecked_into::<IdbTransaction>().into())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.connection.close();
    }
}

/// The browser's object beneath an `idb::Database`, which gives it away only whole.
fn connection_handle(connection: &idb::Database) -> Result<IdbDatabase, IdbError> {
    let transaction = connection.transaction(&[KEYS], idb::TransactionMode::ReadOnly)?;
    Ok(IdbTransaction::from(transaction).db())
}

/// Asks for everything; nothing is stored before the transaction ends.
fn put(transaction: &idb::Transaction, commits: &[Commit]) -> Result<(), IdbError> {
    let (pages, journal) = (transaction.object_store(PAGES)?, transaction.object_store(JOURNAL)?);
    for commit in commits {
        match commit {
            Commit::Batch(batch) => {
                journal.put(&bytes(&batch.record), Some(&number(batch.seq)))?;
            }
            Commit::Compaction(compaction) => {
                for (key, record) in &compaction.puts {
                    pages.put(&bytes(record), Some(&page_key(key)))?;
                }
                for key in &compaction.deletes {
                    pages.delete(page_key(key))?;
                }
                let through = idb::KeyRange::upper_bound(&number(compaction.through), Some(false))?;
                journal.delete(through)?;
            }
        }
    }
    Ok(())
}

/// Waits until everything asked of a transaction is on the disk.
async fn finish(transaction: idb::Transaction) -> Result<(), IdbError> {
    // Nothing more is asked: without this the browser waits for us to hear of every request first.
    let raw = IdbTransaction::from(transaction.commit()?);
    let result = idb::Transaction::from(raw.clone()).await;
    match result {
        Ok(idb::TransactionResult::Committed) => Ok(()),
        Ok(idb::TransactionResult::Aborted) => Err(raw
            .error()
            .map_or_else(|| IdbError::Failed { why: "aborted".to_owned() }, |error| IdbError::of(&error))),
        Err(error) => Err(error.into()),
    }
}

async fn read(connection: &idb::Database) -> Result<Snapshot, IdbError> {
    let transaction = connection.transaction(&[PAGES, JOURNAL], idb::TransactionMode::ReadOnly)?;
    let (pages, journal) = (transaction.object_store(PAGES)?, transaction.object_store(JOURNAL)?);
    // All four are asked for before the first answer: each would wait for a turn of the browser.
    let page_keys = pages.get_all_keys(None, None)?.into_future();
    let page_records = pages.get_all(None, None)?.into_future();
    let seqs = journal.get_all_keys(None, None)?.into_future();
    let journal_records = journal.get_all(None, None)?.into_future();
    let mut snapshot = Snapshot::default();
    for (key, record) in page_keys.await?.into_iter().zip(page_records.await?) {
        snapshot.pages.push((parse_page_key(&key)?, to_bytes(&record, "a page record")?));
    }
    for (key, record) in seqs.await?.into_iter().zip(journal_records.await?) {
        snapshot.journal.push((to_seq(&key)?, to_bytes(&record, "a journal record")?));
    }
    Ok(snapshot)
}

fn page_key(key: &PageKey) -> JsValue {
    format!("{}\0{}", key.file, key.page).into()
}

fn parse_page_key(key: &JsValue) -> Result<PageKey, IdbError> {
    let text = key.as_string().unwrap_or_default();
    text.rsplit_once('\0')
        .and_then(|(file, page)| Some(PageKey { file: file.to_owned(), page: page.parse().ok()? }))
        .ok_or(IdbError::Damaged { what: "a page's name" })
}

fn bytes(record: &[u8]) -> JsValue {
    Uint8Array::from(record).into()
}

fn to_bytes(value: &JsValue, what: &'static str) -> Result<Vec<u8>, IdbError> {
    value.dyn_ref::<Uint8Array>().map(Uint8Array::to_vec).ok_or(IdbError::Damaged { what })
}

#[expect(clippy::as_conversions, reason = "sequences are below 2^53; std has no other conversion")]
fn number(seq: u64) -> JsValue {
    (seq as f64).into()
}

fn to_seq(key: &JsValue) -> Result<u64, IdbError> {
    match key.as_f64() {
        #[expect(clippy::as_conversions, reason = "checked to be integral and in range")]
        Some(number) if number.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(&number) => {
            Ok(number as u64)
        }
        _ => Err(IdbError::Damaged { what: "a journal sequence" }),
    }
}

/// Version of the layout of stores.
const VERSION: u32 = 1;
/// An open or delete request that another tab blocks never ends by itself.
const OPEN_TIMEOUT_MS: u32 = 5_000;
const PAGES: &str = "pages";
const JOURNAL: &str = "journal";
const KEYS: &str = "keys";
const FENCE: &str = "fence";
