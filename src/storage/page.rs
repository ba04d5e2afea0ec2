//! One page and its record.

use core::cell::Cell;
use std::borrow::Cow;

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
    pub(super) fn damage(&self) -> Damage {
        match self.file.as_str() {
            "" => Damage::Compaction,
            file => Damage::Page { file: file.to_owned(), page: self.page },
        }
    }
}

/// A page: bytes past the end of `bytes` are zeros.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) bytes: Vec<u8>,
    /// Its record is not these bytes.
    pub(super) stale: bool,
    /// There is a record.
    pub(super) stored: bool,
    /// The record was damaged: `bytes` is empty and means nothing.
    pub(super) damaged: bool,
    /// The record is on the disk and its bytes are not here: `bytes` is empty and means nothing.
    pub(super) absent: bool,
    /// What was written on it while it is absent, the latest last.
    pub(super) patches: Vec<Patch>,
    /// The compaction that wrote its record: until that is durable, an older record may be read.
    pub(super) folded: u64,
    /// When it was last read, by the clock of its files.
    pub(super) used: Cell<u64>,
}

/// Bytes, or `zeros` where there are none, over a page that is absent.
#[derive(Debug)]
pub(super) struct Patch {
    at: usize,
    zeros: usize,
    bytes: Vec<u8>,
}

impl Page {
    /// Writes inside the page; `at + bytes.len()` is at most [`PAGE_SIZE`].
    pub(super) fn write(&mut self, at: usize, bytes: &[u8]) {
        self.stale = true;
        if self.absent {
            // Appends, nearly always: the last patch grows.
            match self.patches.last_mut().filter(|last| last.zeros == 0 && last.at + last.bytes.len() == at) {
                Some(last) => last.bytes.extend_from_slice(bytes),
                None => self.patches.push(Patch { at, zeros: 0, bytes: bytes.to_vec() }),
            }
            return;
        }
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
        if self.absent {
            self.patches.push(Patch { at: from, zeros: to.saturating_sub(from), bytes: Vec::new() });
            return;
        }
        if to >= self.bytes.len() {
            self.bytes.truncate(from);
        } else if let Some(target) = self.bytes.get_mut(from..to) {
            target.fill(0);
        }
    }

    /// Makes an absent page present: the bytes of its record, and over them what was written since.
    pub(super) fn fill(&mut self, bytes: &[u8]) {
        let stale = self.stale;
        self.absent = false;
        self.bytes = bytes.to_vec();
        for patch in core::mem::take(&mut self.patches) {
            match patch.zeros {
                0 => self.write(patch.at, &patch.bytes),
                zeros => self.zero(patch.at, patch.at + zeros),
            }
        }
        self.stale = stale;
    }

    /// `from..to` of a page: all of what is present, of an absent one what was written since it was read last.
    pub(super) fn piece(&self, from: usize, to: usize) -> Cow<'_, [u8]> {
        if !self.absent {
            return Cow::Borrowed(self.bytes.get(from..to.min(self.bytes.len())).unwrap_or_default());
        }
        let mut written = Self::default();
        for patch in &self.patches {
            match patch.zeros {
                0 => written.write(patch.at, &patch.bytes),
                zeros => written.zero(patch.at, patch.at + zeros),
            }
        }
        Cow::Owned(written.bytes.get(from..to.min(written.bytes.len())).unwrap_or_default().to_vec())
    }

    /// Whether its record says what it says, and can be read.
    pub(super) fn is_clean(&self, durable: u64) -> bool {
        self.stored && !self.stale && !self.damaged && !self.absent && self.folded <= durable
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
