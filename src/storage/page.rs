//! One page and its record.

use super::{Damage, PAGE, PAGE_SIZE, StorageError, wide};
use crate::{
    codec::{Reader, VERSION, Writer},
    crypto::blake2b_128,
};

/// Names a page record.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PageKey {
    /// The file's name; empty for the record of the last compaction.
    pub file: String,
    /// The page's number: its first byte is this times [`PAGE_SIZE`].
    pub page: u64,
}

impl PageKey {
    /// The record that says up to which journal sequence the pages are.
    pub(super) fn compaction() -> Self {
        Self { file: String::new(), page: 0 }
    }

    pub(super) fn damage(&self) -> Damage {
        match self.file.as_str() {
            "" => Damage::Compaction,
            file => Damage::Page { file: file.to_owned(), page: self.page },
        }
    }
}

/// A page in memory: bytes past the end of `bytes` are zeros.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) bytes: Vec<u8>,
    /// Its record is not these bytes.
    pub(super) stale: bool,
    /// There is a record.
    pub(super) stored: bool,
    /// The record was damaged: `bytes` is empty and means nothing.
    pub(super) damaged: bool,
}

impl Page {
    /// Writes inside the page; `at + bytes.len()` is at most [`PAGE_SIZE`].
    pub(super) fn write(&mut self, at: usize, bytes: &[u8]) {
        self.stale = true;
        if self.bytes.len() < at {
            self.bytes.resize(at, 0);
        }
        let (over, more) = bytes.split_at(bytes.len().min(self.bytes.len() - at));
        if let Some(target) = self.bytes.get_mut(at..at + over.len()) {
            target.copy_from_slice(over);
        }
        self.bytes.extend_from_slice(more);
    }

    /// Zeros `from..to`.
    pub(super) fn zero(&mut self, from: usize, to: usize) {
        self.stale = true;
        if to >= self.bytes.len() {
            self.bytes.truncate(from);
        } else if let Some(target) = self.bytes.get_mut(from..to) {
            target.fill(0);
        }
    }

    /// Reads from `at` on, as many bytes as `out` has.
    pub(super) fn read(&self, at: usize, out: &mut [u8]) {
        let have = self.bytes.get(at..).unwrap_or_default();
        let (filled, rest) = out.split_at_mut(have.len().min(out.len()));
        if let Some(have) = have.get(..filled.len()) {
            filled.copy_from_slice(have);
        }
        rest.fill(0);
    }
}

/// Bytes before a page's own in its record.
const HEADER: usize = 1 + 16 + 8;

/// Encodes a page record.
pub(super) fn encode(key: &PageKey, file_length: u64, bytes: &[u8]) -> Vec<u8> {
    let mut record = Vec::with_capacity(HEADER + bytes.len());
    record.push(VERSION);
    record.extend_from_slice(&checksum(VERSION, key, file_length, bytes));
    record.extend_from_slice(&file_length.to_le_bytes());
    record.extend_from_slice(bytes);
    record
}

/// Checks a page record; file length and bytes.
pub(super) fn decode<'a>(key: &PageKey, record: &'a [u8]) -> Result<(u64, &'a [u8]), StorageError> {
    let damaged = || StorageError::Damaged { what: key.damage() };
    let mut reader = Reader::new(record);
    let version = reader.u8().map_err(|_| damaged())?;
    let sum: [u8; 16] = reader.array().map_err(|_| damaged())?;
    let file_length = reader.u64().map_err(|_| damaged())?;
    let bytes = reader.rest();
    if sum != checksum(version, key, file_length, bytes) {
        return Err(damaged());
    }
    if version != VERSION {
        return Err(StorageError::Version { what: key.damage(), expected: VERSION, got: version });
    }
    let start = key.page.checked_mul(PAGE).ok_or_else(damaged)?;
    if bytes.len() > PAGE_SIZE || start.saturating_add(wide(bytes.len())) > file_length {
        return Err(damaged());
    }
    Ok((file_length, bytes))
}

/// Adds a page record's name to the sum of all names.
pub(super) fn add_name(sum: &mut [u8; 16], file: &str, page: u64) {
    let mut name = Writer::new();
    name.text(file).u64(page);
    for (sum, byte) in sum.iter_mut().zip(blake2b_128(&[name.as_slice()])) {
        *sum ^= byte;
    }
}

fn checksum(version: u8, key: &PageKey, file_length: u64, bytes: &[u8]) -> [u8; 16] {
    let mut head = Writer::new();
    head.u8(version).text(&key.file).u64(key.page).u64(file_length);
    blake2b_128(&[head.as_slice(), bytes])
}
