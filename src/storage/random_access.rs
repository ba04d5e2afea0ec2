//! One file as random-access storage: the few calls that such storages have in common, for whoever brings a format of
//! their own.
//!
//! Reads past the end fail, writes past it leave zeros in between, deleting at the end makes the file shorter. Changes are
//! in memory at once and durable with the files' next batch.

use super::{FileId, Files, StorageError};

/// A file that is open. Any number of them may be, also of one name.
#[derive(Debug)]
pub struct RandomAccess {
    /// `None` once it is closed.
    file: Option<FileId>,
}

/// What is known of a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stat {
    /// Length, bytes.
    pub size: u64,
}

impl RandomAccess {
    /// Opens a file; it exists once something is written.
    pub fn open(files: &mut Files, name: &str) -> Self {
        Self { file: Some(files.file(name)) }
    }

    /// `size` bytes from `offset`. [`StorageError::OutOfRange`] if the file ends before.
    pub fn read(&self, files: &Files, offset: u64, size: usize) -> Result<Vec<u8>, StorageError> {
        files.read(self.file()?, offset, size)
    }

    /// Writes `bytes` at `offset`.
    pub fn write(&self, files: &mut Files, offset: u64, bytes: &[u8]) -> Result<(), StorageError> {
        files.write(self.file()?, offset, bytes)
    }

    /// Deletes `size` bytes from `offset`: they become zeros, or the end of the file if nothing follows them.
    pub fn del(&self, files: &mut Files, offset: u64, size: u64) -> Result<(), StorageError> {
        let file = self.file()?;
        if offset.saturating_add(size) >= files.len(file) {
            files.truncate(file, offset);
            return Ok(());
        }
        files.clear(file, offset, size)
    }

    /// Cuts the file to `size` bytes, or lengthens it with zeros.
    pub fn truncate(&self, files: &mut Files, size: u64) -> Result<(), StorageError> {
        let file = self.file()?;
        match size.checked_sub(1).filter(|last| *last >= files.len(file)) {
            Some(last) => files.write(file, last, &[0]),
            None => {
                files.truncate(file, size);
                Ok(())
            }
        }
    }

    /// What is known of it.
    pub fn stat(&self, files: &Files) -> Result<Stat, StorageError> {
        Ok(Stat { size: files.len(self.file()?) })
    }

    /// Closes it; all that follows is [`StorageError::NoFile`].
    pub fn close(&mut self) {
        self.file = None;
    }

    fn file(&self) -> Result<FileId, StorageError> {
        self.file.ok_or(StorageError::NoFile)
    }
}
