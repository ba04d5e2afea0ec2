//! Random-access files in pages, committed as one record at a time.
//!
//! All of a node's data are named files of bytes, held in [`Files`] as pages of [`PAGE_SIZE`]. A mutation changes the
//! pages at once and notes which ranges changed; [`Files::take_batch`] turns all that changed since the last call into
//! one small journal record, so what happened together becomes durable together. When the journal has grown,
//! [`Files::compaction`] folds it into page records, which are large and few.
//!
//! ```text
//! page record     version u8 | checksum 16 | file length u64 | bytes (zeros at the end may be left out)
//! journal record  version u8 | checksum 16 | files: name, mended pages, cut?, length, ranges [zero or bytes]
//! ```
//!
//! Checksums are BLAKE2b-128 and cover the record's own name (file and page, or sequence), so that damaged, swapped or
//! foreign records are found, named and never used. A page without a record is all zeros; which records there are the last
//! compaction wrote down (`directory.rs`), so that none goes unseen, and opening lists no names.
//!
//! Not every page has to be in memory: those of lazy files are read from the disk when they are needed, and let go
//! (`lazy.rs`).
//!
//! A batch is strict, or relaxed where all that changed may be: so keys and what was written here are always strict, and
//! what others have can be cheaper ([`Files::take_batch_where`]).
//!
//! Invariants: batches and compactions reach the backend in the order in which they were taken, each atomically, and
//! nothing after one that failed. A file exists while it has at least one byte. Sizes and offsets are bytes.

mod changes;
mod directory;
mod error;
mod file;
mod files;
mod lazy;
mod load;
mod memory;
mod page;
mod random_access;
mod record;
mod spans;
#[cfg(test)]
mod tests;

pub use directory::to_open;
pub use error::{Damage, StorageError};
pub use files::{Batch, Commit, Compaction, Durability, FileId, Files};
pub use lazy::{BUDGET, Memory, Residency, Rule, absent_at_open};
pub use load::Snapshot;
pub use memory::MemoryBackend;
pub use page::PageKey;
pub use random_access::{RandomAccess, Stat};
pub use spans::Spans;

/// Bytes of a page.
pub const PAGE_SIZE: usize = 16 * 1024;

/// Bytes of a page, for arithmetic on offsets.
const PAGE: u64 = 16 * 1024;

/// Journal bytes after which [`Files::compaction`] folds them into pages.
pub const JOURNAL_LIMIT: u64 = 1024 * 1024;

/// Longest file name, bytes of UTF-8.
pub const MAX_NAME: usize = 255;

/// Bytes in memory as a 64-bit size: `usize` is never wider.
fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// Splits an offset into page number and place inside the page.
fn place(offset: u64) -> (u64, usize) {
    (offset / PAGE, usize::try_from(offset % PAGE).unwrap_or(0))
}
