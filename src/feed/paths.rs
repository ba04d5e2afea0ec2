//! Where a feed's files are.

use crate::{
    crypto::PublicKey,
    storage::{FileId, Files},
};

/// The files of one feed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paths {
    pub(super) bits: FileId,
    pub(super) data: FileId,
    pub(super) head: FileId,
    pub(super) heads: FileId,
    pub(super) tree: FileId,
}

impl Paths {
    pub(super) fn of(files: &mut Files, folder: &str) -> Self {
        let mut file = |name: &str| files.file(&format!("{folder}/{name}"));
        Self {
            bits: file("bits"),
            data: file("data"),
            head: file("head"),
            heads: file("heads"),
            tree: file("tree"),
        }
    }

    pub(super) fn all(&self) -> [FileId; 5] {
        [self.bits, self.data, self.head, self.heads, self.tree]
    }
}

/// The folder of a feed.
pub(super) fn folder(key: &PublicKey) -> String {
    format!("feed/{key}")
}
