//! Where a feed's files are.

use super::{Node, SignedHead, flat};
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

/// Wants what opening the feeds reads of pages that are absent: the nodes of their roots, and the end of what they hold.
pub fn want_opening(files: &mut Files) {
    let names = files.names("feed/");
    let folders: Vec<&str> = names.iter().filter_map(|name| name.strip_suffix("/head")).collect();
    let ends = if folders.len() <= MOST_ENDS { END } else { 0 };
    for folder in folders {
        let paths = Paths::of(files, folder);
        let size = usize::try_from(files.len(paths.head)).unwrap_or(usize::MAX).min(SignedHead::MAX_ENCODED);
        let Ok(Ok(head)) = files.read(paths.head, 0, size).map(|bytes| SignedHead::decode(&bytes)) else {
            continue;
        };
        for root in flat::roots(head.length) {
            files.want(paths.tree, root.saturating_mul(Node::STORED), Node::STORED);
        }
        for file in [paths.tree, paths.data] {
            let length = files.len(file);
            files.want(file, length.saturating_sub(ends), ends);
        }
    }
}

/// Feeds up to which the ends of all are read when opening, and bytes of each.
const MOST_ENDS: usize = 8;
const END: u64 = 128 * 1024;

/// The folder of a feed.
pub(super) fn folder(key: &PublicKey) -> String {
    format!("feed/{key}")
}
