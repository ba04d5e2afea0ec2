//! Opening a node on a database of which only what is needed is read.

use super::idb::{Database, IdbError};
use super::{clock, random::BrowserEntropy};
use crate::feed::want_opening;
use crate::node::{ErrorCode, Node, NodeError, Options};
use crate::space::residency;
use crate::storage::{BUDGET, Files, PageKey, StorageError};

/// Opens the database and its files. `takes_over`: from a node that may still be at it, and now is stopped.
pub(super) async fn open_files(name: &str, takes_over: bool) -> Result<(Database, Files), NodeError> {
    let stored = |error: IdbError| NodeError::new(error.code(), error);
    let (mut database, mut snapshot) = Database::open_lazy(name, residency).await.map_err(stored)?;
    if takes_over {
        let mut tries = 0;
        // What it wrote in between has to be read first.
        while let Err(error) = database.claim().await {
            if matches!(error, IdbError::Quota) {
                // A full disk can be read. Whoever writes first when there is room again goes on, as after any opening.
                break;
            }
            if !matches!(error, IdbError::Fenced) || tries == MOST_CLAIMS {
                return Err(stored(error));
            }
            tries += 1;
            (database, snapshot) = Database::open_lazy(name, residency).await.map_err(stored)?;
        }
    }
    let mut files = Files::load_lazy(snapshot, residency, BUDGET).map_err(|error| corrupt(&error))?;
    // What a torn journal left must be folded into pages before anything is written, and those be whole.
    let absent = if files.is_torn() { files.absent(&|_| true, usize::MAX) } else { Vec::new() };
    supply(&database, &mut files, absent).await?;
    want_opening(&mut files);
    Ok((database, files))
}

/// Opens the node, reading what it misses.
pub(super) async fn open_node(
    database: Option<&Database>,
    files: &mut Files,
    options: &Options,
    kept: Option<&[u8]>,
) -> Result<Node, NodeError> {
    let mut rounds = 0;
    loop {
        let wanted = match rounds {
            // What is missed one after the other is read as a whole.
            MOST_ROUNDS => files.absent(&|_| true, usize::MAX),
            _ => files.take_wanted(),
        };
        let missed = !wanted.is_empty();
        if let Some(database) = database {
            supply(database, files, wanted).await?;
        }
        match Node::try_open(files, options.clone(), kept, Box::new(BrowserEntropy), clock::now()) {
            Ok(node) => return Ok(node),
            Err(error) if rounds > MOST_ROUNDS || rounds > 0 && !missed => return Err(error),
            Err(_) => rounds += 1,
        }
    }
}

async fn supply(database: &Database, files: &mut Files, keys: Vec<PageKey>) -> Result<(), NodeError> {
    if keys.is_empty() {
        return Ok(());
    }
    let records = database.pages(&keys).await.map_err(|error| NodeError::new(error.code(), error))?;
    for (key, record) in keys.iter().zip(records) {
        files.supply(key, record.as_deref());
    }
    Ok(())
}

fn corrupt(error: &StorageError) -> NodeError {
    NodeError::new(ErrorCode::Corrupt, format!("this browser's copy of the data cannot be read: {error}"))
}

/// Rounds after which everything is read.
const MOST_ROUNDS: usize = 4;

/// How often a node that is being robbed may come in between.
const MOST_CLAIMS: usize = 5;
