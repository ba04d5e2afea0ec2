//! The node's own small files.

use super::{
    ErrorCode, Node, NodeError, accounts::account::Account, accounts::request_queue::RequestQueue,
    spaces::memberships::Memberships,
};
use crate::storage::Files;

/// Makes `bytes` the whole content of a file.
pub(super) fn replace(files: &mut Files, name: &str, bytes: &[u8]) {
    // What is as it was is not stored again: an answer that told nothing new costs nothing.
    if whole(files, name).is_ok_and(|stored| stored.as_deref() == Some(bytes)) {
        return;
    }
    let file = files.file(name);
    files.truncate(file, 0);
    // Fails only past 2^53 bytes.
    let _ = files.write(file, 0, bytes);
}

/// The whole content of a file; `None` if it is empty or not there.
fn whole(files: &mut Files, name: &str) -> Result<Option<Vec<u8>>, NodeError> {
    let file = files.file(name);
    let length = usize::try_from(files.len(file)).unwrap_or(usize::MAX);
    if length == 0 {
        return Ok(None);
    }
    files.read(file, 0, length).map(Some).map_err(|error| corrupt(name, error))
}

/// The same of a file of which the loss is worth no error: a damaged one is begun anew.
pub(super) fn whole_or_anew(files: &mut Files, name: &str) -> Result<Option<Vec<u8>>, NodeError> {
    let file = files.file(name);
    if !files.heal(file).is_empty() {
        files.truncate(file, 0);
    }
    whole(files, name)
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
            // Records have gone, and it is always stored: a device must not begin anew because it forgot who it is.
            None if files.is_incomplete() => Err(corrupt(ACCOUNT, "it is missing")),
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
        // What this person shares is said in the home space too and comes back from there; what was only read is to be
        // opened by its link again.
        match whole_or_anew(files, SPACES)? {
            None => Ok(Self::default()),
            Some(bytes) => Self::decode(&bytes).map_err(|error| corrupt(SPACES, error)),
        }
    }
}

impl RequestQueue {
    pub(super) fn load(files: &mut Files) -> Result<Self, NodeError> {
        let mut queue = Self::default();
        // A damaged list is begun anew: at worst a request that was answered is asked about once more.
        if let Some(bytes) = whole_or_anew(files, ANSWERED)? {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{MemoryBackend, PageKey};

    /// A node's own files as they are after `spoil` has been at their records.
    fn spoiled(spoil: impl Fn(&mut MemoryBackend, &PageKey), name: &str) -> Files {
        let (mut files, mut backend) = (Files::new(), MemoryBackend::new());
        Account::default().save(&mut files);
        replace(&mut files, ANSWERED, &RequestQueue::default().encode_answered());
        backend.compact(&files.checkpoint().unwrap());
        spoil(&mut backend, &PageKey { file: name.to_owned(), page: 0 });
        Files::load(backend.snapshot()).unwrap()
    }

    fn flip(backend: &mut MemoryBackend, key: &PageKey) {
        backend.page_mut(key).unwrap()[20] ^= 1;
    }

    fn cut(backend: &mut MemoryBackend, key: &PageKey) {
        backend.page_mut(key).unwrap().truncate(20);
    }

    #[test]
    fn a_damaged_account_is_named_and_it_is_said_what_to_do() {
        for spoil in [flip, cut, MemoryBackend::remove_page] {
            let error = Account::load(&mut spoiled(spoil, ACCOUNT)).map(drop).unwrap_err();
            assert_eq!(error.code, ErrorCode::Corrupt);
            assert!(
                error.message.contains(ACCOUNT) && error.message.contains("sign in anew"),
                "{}",
                error.message
            );
        }
    }

    #[test]
    fn what_is_as_it_was_is_not_stored_again() {
        let mut files = Files::new();
        Account::default().save(&mut files);
        let batch = files.take_batch().unwrap();
        files.committed(batch.seq);
        Account::default().save(&mut files);
        assert!(!files.has_pending());
        let changed = Account { asked: Some((1, 2)), ..Account::default() };
        changed.save(&mut files);
        assert!(files.has_pending());
        assert_eq!(Account::load(&mut files).unwrap().asked, Some((1, 2)));
    }

    #[test]
    fn a_damaged_list_of_answers_is_begun_anew() {
        for spoil in [flip, cut, MemoryBackend::remove_page] {
            let mut files = spoiled(spoil, ANSWERED);
            RequestQueue::load(&mut files).map(drop).unwrap();
            assert!(!files.exists(ANSWERED));
        }
    }
}
