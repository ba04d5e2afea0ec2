//! The node's own small files.

use super::{
    ErrorCode, Node, NodeError, account::Account, memberships::Memberships, request_queue::RequestQueue,
};
use crate::storage::Files;

/// Makes `bytes` the whole content of a file.
pub(super) fn replace(files: &mut Files, name: &str, bytes: &[u8]) {
    let file = files.file(name);
    files.truncate(file, 0);
    // Fails only past 2^53 bytes.
    let _ = files.write(file, 0, bytes);
}

/// The whole content of a file; `None` if it is empty or not there.
pub(super) fn whole(files: &mut Files, name: &str) -> Result<Option<Vec<u8>>, NodeError> {
    let file = files.file(name);
    let length = usize::try_from(files.len(file)).unwrap_or(usize::MAX);
    if length == 0 { Ok(None) } else { Ok(Some(files.read(file, 0, length)?)) }
}

fn corrupt(name: &str, error: impl core::fmt::Display) -> NodeError {
    NodeError::new(
        ErrorCode::Corrupt,
        format!(
            "the file {name} of this browser's database cannot be read ({error}); sign in anew under another database name, or delete this one"
        ),
    )
}

impl Account {
    pub(super) fn load(files: &mut Files) -> Result<Self, NodeError> {
        match whole(files, ACCOUNT)? {
            None => Ok(Self::default()),
            Some(bytes) => Self::decode(&bytes).map_err(|error| corrupt(ACCOUNT, error)),
        }
    }

    pub(super) fn save(&self, files: &mut Files) {
        replace(files, ACCOUNT, &self.encode());
    }
}

impl Memberships {
    pub(super) fn load(files: &mut Files) -> Result<Self, NodeError> {
        match whole(files, SPACES)? {
            None => Ok(Self::default()),
            Some(bytes) => Self::decode(&bytes).map_err(|error| corrupt(SPACES, error)),
        }
    }
}

impl RequestQueue {
    pub(super) fn load(files: &mut Files) -> Result<Self, NodeError> {
        let mut queue = Self::default();
        if let Some(bytes) = whole(files, ANSWERED)? {
            queue.decode_answered(&bytes).map_err(|error| corrupt(ANSWERED, error))?;
        }
        Ok(queue)
    }
}

impl Node {
    pub(super) fn save_memberships(&mut self) {
        replace(&mut self.files, SPACES, &self.memberships.encode());
    }

    pub(super) fn save_requests(&mut self) {
        replace(&mut self.files, ANSWERED, &self.requests.encode_answered());
    }
}

const ACCOUNT: &str = "node/account";
const ANSWERED: &str = "node/answered";
const SPACES: &str = "node/spaces";
