//! Reading what is on the disk: for whoever reads the node, and for the node itself.

use std::rc::Rc;

use futures_channel::oneshot;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;

use super::super::clock;
use super::{Driver, Pending, closed};
use crate::node::{ErrorCode, Input, Node, NodeError};
use crate::storage::PageKey;

/// What is read of a node, for JavaScript. It may be called several times: until nothing that it reads is missed.
pub type Reading = Box<dyn Fn(&Node) -> Result<JsValue, NodeError>>;

/// What came of a reading.
pub enum Looked {
    /// All of it was in memory.
    Now(Result<JsValue, NodeError>),
    /// The disk was asked.
    Later(Pending<Result<JsValue, NodeError>>),
}

impl Driver {
    /// Reads the node; at once if what it reads is in memory.
    pub fn look(self: &Rc<Self>, read: Reading) -> Looked {
        if self.closed.get() {
            return Looked::Now(Err(closed()));
        }
        // Calls of this turn must be seen by reads of this turn.
        self.pump();
        let first = match self.must_wait() {
            true => Vec::new(),
            false => match self.attempt(&read) {
                Ok(found) => return Looked::Now(found),
                Err(missed) => missed,
            },
        };
        let driver = Rc::clone(self);
        driver.reading.set(driver.reading.get().saturating_add(1));
        Looked::Later(Box::pin(async move {
            let found = driver.look_again(&read, first).await;
            driver.reading.set(driver.reading.get().saturating_sub(1));
            driver.pump();
            found
        }))
    }

    async fn look_again(&self, read: &Reading, mut missed: Vec<PageKey>) -> Result<JsValue, NodeError> {
        for _ in 0..MOST_ROUNDS {
            if !missed.is_empty() {
                let pages = self.store.pages(missed).await.map_err(|e| NodeError::new(e.code(), e))?;
                self.take_now(Input::Loaded { pages });
            }
            while self.must_wait() {
                let (done, idle) = oneshot::channel();
                self.idle.borrow_mut().push(done);
                let _ = idle.await;
            }
            if self.closed.get() {
                return Err(closed());
            }
            match self.attempt(read) {
                Ok(found) => return found,
                Err(more) => missed = more,
            }
        }
        Err(NodeError::new(
            ErrorCode::Storage,
            "the stored data keep changing while they are read; try again",
        ))
    }

    /// What is read, or the pages that were missed.
    fn attempt(&self, read: &Reading) -> Result<Result<JsValue, NodeError>, Vec<PageKey>> {
        let node = self.node.borrow();
        if let Some(error) = node.unreadable() {
            return Ok(Err(error.clone()));
        }
        let found = read(&node);
        let missed = node.missed();
        if missed.is_empty() { Ok(found) } else { Err(missed) }
    }

    /// Whether the node is not yet what it will be: it catches up, so that calls wait that came before.
    fn must_wait(&self) -> bool {
        !self.closed.get() && self.node.borrow().is_catching_up()
    }

    /// What every turn ends with.
    pub(super) fn after_turn(&self) {
        if self.reading.get() == 0 {
            self.node.borrow_mut().trim();
        }
        if !self.must_wait() {
            self.idle.borrow_mut().clear();
        }
    }

    /// Reads pages that the node wants.
    pub(super) fn load(&self, keys: Vec<PageKey>) {
        let Some(driver) = self.me.upgrade() else { return };
        spawn_local(async move {
            match driver.store.pages(keys).await {
                Ok(pages) => driver.take_now(Input::Loaded { pages }),
                Err(error) => driver.reading_failed(&error),
            }
        });
    }

    fn reading_failed(&self, error: &super::super::idb::IdbError) {
        self.take_now(Input::LoadFailed { error: error.to_string() });
    }

    /// Takes an input in before those that wait.
    fn take_now(&self, input: Input) {
        self.node.borrow_mut().handle(clock::now(), input);
        self.pump();
    }
}

/// Rounds of one read: each brings up to 8 MiB.
const MOST_ROUNDS: usize = 256;
