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
//! **Fence.** Opening writes nothing. The first write raises a number, in its own transaction, if everything is still as it
//! was read when opening: the number, the last sequence and the record of the last compaction. Every later write compares
//! the number and aborts if it moved. So of two that opened one after the other, who writes first goes on, and the other
//! can never append to what that one has continued. A node that takes over from one that may still live raises it on
//! opening ([`Database::claim`]).
//!
//! **Pages.** Opening reads what the last compaction wrote down of the page records, and those that are needed at once; the
//! others are read when they are wanted ([`Database::pages`]). Where that cannot be read all names are listed.
//!
//! **Log.** Behind a page's first opening Chromium is made to begin a new log: after a kill it would lose all otherwise (`torn.rs`).
//!
//! rexie lays the stores out and deletes. It knows neither durability nor `versionchange`, so all else goes over a
//! connection one layer below it.

mod error;
mod records;
mod torn;

use core::cell::{Cell, RefCell};
use std::rc::Rc;

use futures_channel::oneshot;
use futures_util::future::{Either, join, select};
use gloo_timers::future::TimeoutFuture;
use idb::DatabaseEvent as _;
use js_sys::{Array, Function, Object, Reflect};
use rexie::{ObjectStore, Rexie};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{IdbDatabase, IdbTransaction};

pub use error::IdbError;
pub(crate) use error::words;

use self::records::{Seen, bytes, number, page_key, to_bytes};
use crate::storage::{Commit, Durability, PageKey, Residency, Rule, Snapshot};

/// An open database, behind its fence.
pub struct Database {
    handle: IdbDatabase,
    /// Holds the handler of `versionchange`.
    connection: idb::Database,
    /// The number in the database, as far as is known here.
    fence: Cell<f64>,
    /// What else was there when it was opened; `None` once something was written.
    seen: RefCell<Option<Seen>>,
    /// Resolves when a new log was begun; nobody waits for it but the first write.
    renewing: Cell<Option<oneshot::Receiver<()>>>,
    closed: Rc<Cell<bool>>,
}

/// Asks for what is to be stored.
type Ask<'a> = &'a dyn Fn(&idb::Transaction) -> Result<(), IdbError>;

impl Database {
    /// Opens or makes the database and reads all there is.
    pub async fn open(name: &str) -> Result<(Self, Snapshot), IdbError> {
        Self::open_lazy(name, |_| Residency::Always).await
    }

    /// Opens or makes the database and reads what is needed at once: of files that are lazy by the rule only the last pages.
    pub async fn open_lazy(name: &str, rule: Rule) -> Result<(Self, Snapshot), IdbError> {
        let blocked = IdbError::Blocked { name: name.to_owned() };
        let opening = core::pin::pin!(Self::open_unhurried(name, rule));
        match select(opening, TimeoutFuture::new(OPEN_TIMEOUT_MS)).await {
            Either::Left((result, _)) => result,
            Either::Right(_) => Err(blocked),
        }
    }

    async fn open_unhurried(name: &str, rule: Rule) -> Result<(Self, Snapshot), IdbError> {
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
        let mut tries = 0;
        let (snapshot, fence, seen) = loop {
            let apart = match tries {
                // Where a part of the module had to be fetched in the middle of it, Firefox ended the transaction meanwhile.
                0 | 1 => None,
                _ => Some(records::read_apart(&connection).await?),
            };
            match records::read_all(&connection, rule, apart).await {
                Err(_) if tries < 2 => tries += 1,
                read => break read?,
            }
        };
        let seen = RefCell::new(Some(seen));
        let renewing = Cell::new(torn::begin_new_log(name));
        Ok((Self { handle, connection, fence: Cell::new(fence), seen, renewing, closed }, snapshot))
    }

    /// Raises the fence at once: whoever opened it before writes nothing any more, though nothing is written yet here.
    pub async fn claim(&self) -> Result<(), IdbError> {
        self.write(Durability::Relaxed, &|_| Ok(())).await
    }

    /// Stores commits, in order, in one transaction: strict if one of them is.
    pub async fn commit(&self, commits: &[Commit]) -> Result<(), IdbError> {
        let relaxed = commits.iter().all(|commit| commit.durability() == Durability::Relaxed);
        let durability = if relaxed { Durability::Relaxed } else { Durability::Strict };
        self.write(durability, &|transaction| put(transaction, commits)).await
    }

    /// Reads page records; `None` for one that is not there.
    pub async fn pages(&self, keys: &[PageKey]) -> Result<Vec<Option<Vec<u8>>>, IdbError> {
        if self.closed.get() {
            return Err(IdbError::Closed);
        }
        let transaction = self.connection.transaction(&[PAGES], idb::TransactionMode::ReadOnly)?;
        let pages = transaction.object_store(PAGES)?;
        // All are asked for before the first answer.
        let mut asked = Vec::with_capacity(keys.len());
        for key in keys {
            asked.push(pages.get(page_key(key))?.into_future());
        }
        let mut records = Vec::with_capacity(keys.len());
        for record in asked {
            // What is no record is none that says what it should.
            records.push(record.await?.map(|record| to_bytes(&record, "a page record").unwrap_or_default()));
        }
        Ok(records)
    }

    /// Resolves in a later turn of the browser, soon also in a hidden tab.
    pub async fn turn(&self) -> Result<(), IdbError> {
        self.key(FENCE).await.map(drop)
    }

    /// Reads a value of the `keys` store; `undefined` if there is none.
    pub async fn key(&self, name: &str) -> Result<JsValue, IdbError> {
        if self.closed.get() {
            return Err(IdbError::Closed);
        }
        let transaction = self.connection.transaction(&[KEYS], idb::TransactionMode::ReadOnly)?;
        let value = transaction.object_store(KEYS)?.get(JsValue::from_str(name))?.await?;
        Ok(value.unwrap_or(JsValue::UNDEFINED))
    }

    /// Writes a value of the `keys` store, or deletes it.
    pub async fn set_key(&self, name: &str, value: Option<&JsValue>) -> Result<(), IdbError> {
        let ask = |transaction: &idb::Transaction| {
            let store = transaction.object_store(KEYS)?;
            match value {
                Some(value) => drop(store.put(value, Some(&name.into()))?),
                None => drop(store.delete(JsValue::from_str(name))?),
            }
            Ok(())
        };
        self.write(Durability::Strict, &ask).await
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

    /// Asks, in front of all else of a transaction, whether this node may write; the first one raises the fence: whether
    /// this is it, and the answer.
    fn guard<'a>(
        &'a self,
        transaction: &idb::Transaction,
    ) -> Result<(bool, impl Future<Output = Result<(), IdbError>> + use<'a>), IdbError> {
        let store = transaction.object_store(KEYS)?;
        let fence = store.get(JsValue::from_str(FENCE))?.into_future();
        let seen = match self.seen.borrow().is_some() {
            true => Some(Seen::ask(transaction)?),
            false => None,
        };
        let raises = seen.is_some();
        if raises {
            store.put(&(self.fence.get() + 1.0).into(), Some(&FENCE.into()))?;
        }
        let answer = async move {
            let mut same = fence.await?.and_then(|value| value.as_f64()).unwrap_or(0.0) == self.fence.get();
            if let Some(seen) = seen {
                let now = seen.await?;
                same &= self.seen.borrow().as_ref() == Some(&now);
            }
            if same {
                return Ok(());
            }
            self.closed.set(true);
            Err(IdbError::Fenced)
        };
        Ok((raises, answer))
    }

    /// Stores what is asked for, or nothing of it, in one transaction; if that was ended in its middle, in another.
    ///
    /// Firefox ends one where a part of the module was missing in the middle of it and had to be fetched. What was asked for
    /// until then may be stored: whole records, and none without those before it, for pages are folded only where all of the
    /// module is there. Asked for once more, it is all of them.
    async fn write(&self, durability: Durability, ask: Ask<'_>) -> Result<(), IdbError> {
        let writing = async {
            match self.attempt(durability, ask).await {
                Err(error) if !matches!(error, IdbError::Fenced | IdbError::Quota) => {
                    self.attempt(durability, ask).await
                }
                result => result,
            }
        };
        match self.renewing.take() {
            // Nothing counts as stored before the next start of the browser would find it, too.
            Some(renewing) => join(renewing, writing).await.1,
            None => writing.await,
        }
    }

    async fn attempt(&self, durability: Durability, ask: Ask<'_>) -> Result<(), IdbError> {
        let raw = self.transaction(&[PAGES, JOURNAL, KEYS], durability)?;
        let mut transaction = idb::Transaction::from(raw.clone());
        let ended = ended(&mut transaction);
        let (raises, asked) = match self.guard(&transaction) {
            // The guard is answered first, and until the last answer nothing is stored: so nobody has to wait for it.
            Ok((raises, guard)) => {
                let asked = ask(&transaction);
                (raises, guard.await.and(asked))
            }
            Err(error) => (false, Err(error)),
        };
        // One call for either: were only one of them known to be needed, the other could stand in a part of the module that is
        // missing, and what must not be stored would be stored by itself while that is fetched, or cannot be.
        // And with it the browser does not wait for us to hear of every request first.
        let how = if asked.is_ok() { "commit" } else { "abort" };
        // It fails where the transaction has ended; how, is heard.
        let _ = Reflect::get(&raw, &how.into())
            .and_then(|function| function.dyn_into::<Function>())
            .and_then(|function| function.call0(&raw));
        let stored = ended.await.unwrap_or(false);
        if stored && raises {
            self.seen.take();
            self.fence.set(self.fence.get() + 1.0);
        }
        if self.closed.get() {
            self.connection.close();
        }
        match (asked, raw.error()) {
            (Ok(()), _) if stored => Ok(()),
            (Err(IdbError::Fenced), _) => Err(IdbError::Fenced),
            (_, Some(error)) if !stored => Err(IdbError::of(&error)),
            (Err(error), _) => Err(error),
            (Ok(()), _) => Err(IdbError::Failed { why: "aborted".to_owned() }),
        }
    }

    /// `transaction(stores, "readwrite", { durability })`, which web-sys has no stable name for.
    fn transaction(&self, stores: &[&str], durability: Durability) -> Result<IdbTransaction, IdbError> {
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
        Ok(made.unchecked_into())
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

/// How a transaction ends: whether all that was asked of it is on the disk, or nothing.
fn ended(transaction: &mut idb::Transaction) -> oneshot::Receiver<bool> {
    let (tell, ended) = oneshot::channel();
    let tell = Rc::new(Cell::new(Some(tell)));
    let teller = |stored| {
        let tell = Rc::clone(&tell);
        move |_| {
            if let Some(tell) = tell.take() {
                let _ = tell.send(stored);
            }
        }
    };
    transaction.on_complete(teller(true));
    transaction.on_abort(teller(false));
    ended
}

/// Version of the layout of stores.
const VERSION: u32 = 1;
/// An open or delete request that another tab blocks never ends by itself; one that a busy machine holds up takes seconds.
const OPEN_TIMEOUT_MS: u32 = 20_000;
const PAGES: &str = "pages";
const JOURNAL: &str = "journal";
const KEYS: &str = "keys";
const FENCE: &str = "fence";
