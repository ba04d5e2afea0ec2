//! What can be wrong with stored data.

use super::PageKey;

/// A record that is not what was written.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// A page record: its bytes are lost. Reading them is an error until they are written anew or healed.
    #[error("page {page} of file {file:?}")]
    Page {
        /// The file's name.
        file: String,
        /// The page's number.
        page: u64,
    },
    /// Page records that are not there, nobody knows which: their bytes read as zeros. Whoever can check theirs has to.
    #[error("page records are missing")]
    Pages,
    /// The record that says how far the journal is folded into pages.
    #[error("record of the last compaction")]
    Compaction,
    /// A journal record.
    #[error("journal record {seq}")]
    Journal {
        /// Its sequence.
        seq: u64,
    },
    /// Journal records that are not there though later ones are.
    #[error("journal record {expected} is missing, the next is {got}")]
    Missing {
        /// The sequence that should follow.
        expected: u64,
        /// The one that does.
        got: u64,
    },
}

/// What storage could not do.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// Pages that are on the disk and not in memory: to be read there, and supplied.
    #[error("{} pages must be read from the disk first", pages.len())]
    Absent {
        /// Which, as far as one read told.
        pages: Vec<PageKey>,
    },
    /// A record that is needed is damaged.
    #[error("damaged: {what}")]
    Damaged {
        /// Which one.
        what: Damage,
    },
    /// A file name that is empty or longer than [`MAX_NAME`](super::MAX_NAME).
    #[error("file name of {got} bytes: 1 to {max} are allowed")]
    Name {
        /// Longest, bytes.
        max: usize,
        /// What came, bytes.
        got: usize,
    },
    /// A file id of other [`Files`](super::Files).
    #[error("no such file")]
    NoFile,
    /// Reading past the end.
    #[error("bytes {offset} to {offset} + {length} of file {file:?}: it has {got}")]
    OutOfRange {
        /// The file's name.
        file: String,
        /// First byte wanted.
        offset: u64,
        /// Bytes wanted.
        length: u64,
        /// Bytes there are.
        got: u64,
    },
    /// A file would exceed 2^53 − 1 bytes.
    #[error("file of {got} bytes: at most {max}")]
    TooLarge {
        /// The limit.
        max: u64,
        /// What it would be.
        got: u64,
    },
    /// A record of a later version of this program.
    #[error("{what} has version {got}, this program reads {expected}")]
    Version {
        /// Which record.
        what: Damage,
        /// Version that is read.
        expected: u8,
        /// Version that came.
        got: u8,
    },
}

impl StorageError {
    /// Whether it goes away once pages are supplied.
    pub const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent { .. })
    }
}
