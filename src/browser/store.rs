//! What is to be stored, one thing after another.
//!
//! While one transaction runs, the commits that come queue up and go together in the next: a burst of writes costs
//! one wait for the disk, not one each. After a failure nothing is stored any more, since what follows builds on it.

use core::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use futures_channel::oneshot;
use wasm_bindgen_futures::spawn_local;
use zeroize::Zeroizing;

use super::idb::{Database, IdbError};
use super::keys;
use crate::node::{ErrorCode, Input, NodeError};
use crate::storage::{Commit, PageKey};

/// A queue in front of the database, or of nothing, for a node that keeps nothing.
pub struct Store {
    database: Option<Database>,
    jobs: RefCell<VecDeque<Job>>,
    running: Cell<bool>,
    failed: Cell<bool>,
    /// Who waits until nothing waits any more.
    idle: RefCell<Vec<oneshot::Sender<()>>>,
    report: Box<dyn Fn(Report)>,
}

/// What the store has to say.
pub enum Report {
    /// For the node.
    Input(Input),
    /// For the page: what to remember could not be.
    Problem(NodeError),
}

enum Job {
    Commit(Commit),
    Remember(Option<Zeroizing<Vec<u8>>>),
}

impl Store {
    /// A store; `None` keeps nothing.
    pub fn new(database: Option<Database>, report: impl Fn(Report) + 'static) -> Rc<Self> {
        Rc::new(Self {
            database,
            jobs: RefCell::default(),
            running: Cell::new(false),
            failed: Cell::new(false),
            idle: RefCell::default(),
            report: Box::new(report),
        })
    }

    /// Stores nothing any more but what runs; all else fails.
    pub fn give_up(&self) {
        if let Some(database) = &self.database {
            database.close();
        }
    }

    /// Stores a commit after all that came before.
    pub fn commit(self: &Rc<Self>, commit: Commit) {
        self.add(Job::Commit(commit));
    }

    /// Keeps these bytes sealed, or forgets what was kept, after all that came before.
    pub fn remember(self: &Rc<Self>, bytes: Option<Zeroizing<Vec<u8>>>) {
        self.add(Job::Remember(bytes));
    }

    /// Reads page records as they are now; a commit that waits has not changed them.
    pub async fn pages(&self, keys: Vec<PageKey>) -> Result<Vec<(PageKey, Option<Vec<u8>>)>, IdbError> {
        let records = match &self.database {
            Some(database) => database.pages(&keys).await?,
            None => vec![None; keys.len()],
        };
        Ok(keys.into_iter().zip(records).collect())
    }

    /// Resolves when nothing waits any more, and closes the database.
    pub async fn close(&self) {
        if self.running.get() {
            let (done, idle) = oneshot::channel();
            self.idle.borrow_mut().push(done);
            // Not a timer: those of a hidden tab come once a second.
            let _ = idle.await;
        }
        if let Some(database) = &self.database {
            database.close();
        }
    }

    fn add(self: &Rc<Self>, job: Job) {
        self.jobs.borrow_mut().push_back(job);
        if !self.running.replace(true) {
            let store = Rc::clone(self);
            spawn_local(async move { store.run().await });
        }
    }

    async fn run(&self) {
        while !self.jobs.borrow().is_empty() {
            self.let_others_hear().await;
            let commits = self.take_commits();
            if commits.is_empty() {
                self.run_remember().await;
            } else {
                self.run_commits(&commits).await;
            }
        }
        self.running.set(false);
        self.idle.borrow_mut().clear();
    }

    /// Pages are folded for nobody who waits: whoever was told by the commit before goes first, in this turn of the browser.
    async fn let_others_hear(&self) {
        let folds = matches!(self.jobs.borrow().front(), Some(Job::Commit(Commit::Compaction(_))));
        if let Some(database) = self.database.as_ref().filter(|_| folds) {
            // Not a timer, as above. If it fails, so will what follows.
            drop(database.turn().await);
        }
    }

    /// The commits at the head of the queue.
    fn take_commits(&self) -> Vec<Commit> {
        let mut jobs = self.jobs.borrow_mut();
        let mut commits = Vec::new();
        while let Some(Job::Commit(_)) = jobs.front() {
            if let Some(Job::Commit(commit)) = jobs.pop_front() {
                commits.push(commit);
            }
        }
        commits
    }

    async fn run_commits(&self, commits: &[Commit]) {
        let Some(seq) = commits.last().map(Commit::seq) else { return };
        if self.failed.get() {
            return;
        }
        let result = match &self.database {
            Some(database) => database.commit(commits).await,
            None => Ok(()),
        };
        match result {
            Ok(()) => (self.report)(Report::Input(Input::Committed { seq })),
            Err(error) => {
                self.failed.set(true);
                let quota = error == IdbError::Quota;
                (self.report)(Report::Input(Input::CommitFailed { seq, quota, error: error.to_string() }));
            }
        }
    }

    async fn run_remember(&self) {
        let Some(Job::Remember(bytes)) = self.jobs.borrow_mut().pop_front() else { return };
        let Some(database) = &self.database else { return };
        let result = match bytes {
            Some(bytes) => keys::remember(database, &bytes).await,
            None => keys::forget(database).await,
        };
        if let Err(error) = result {
            (self.report)(Report::Problem(NodeError::new(ErrorCode::Storage, error)));
        }
    }
}
