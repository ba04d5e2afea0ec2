//! A run: sorted records in a file of its own, written once and never changed.
//!
//! ```text
//! space/<key>/view/run-<number>      blocks, each of records up to BLOCK bytes or one that is larger │ index
//! space/<key>/view/sealed-<number>   the same of what came out of sealed parts: blocks and index each sealed
//! index                              varint blocks │ each: varint bytes of the first key │ that key │ varint bytes stored
//! sealed                             seal(run key, u64 ‖ 16 zero bytes, "", block or index): 0 is the index, 1 the first block
//! run key                            MAC(view key, "run" ‖ u64 number ‖ index ‖ blocks)
//! ```
//! The index comes into memory when the run is first looked at; blocks are read each time. Of a sealed run the block that was
//! opened last stays, and all of it is wiped when the run goes, as it does when the space is locked. A run key belongs to
//! its content alone, so no nonce is ever used for two things, and a block opens nowhere but in its place of its run.

use core::{
    cell::{OnceCell, RefCell},
    ops::Bound,
};

use zeroize::{Zeroize, Zeroizing};

use super::{merge::Bounds, record::Record};
use crate::{
    codec::{DecodeError, Reader, Writer},
    crypto::{NONCE_LENGTH, PublicKey, SecretKey32, TAG_LENGTH, keyed_parts, open, seal},
    storage::{Damage, FileId, Files, StorageError},
};

/// Bytes of records in a block.
const BLOCK: usize = 4096;
/// Most bytes that room is made for at once.
const MOST_ROOM: usize = 64 << 20;

/// A run that is stored.
pub(super) struct Run {
    pub(super) name: RunName,
    /// Under which it is sealed, if it is. Boxed, so that a list that grows leaves no copies behind.
    pub(super) key: Option<Box<SecretKey32>>,
    file: FileId,
    path: String,
    index: OnceCell<Vec<Block>>,
    /// The block of a sealed run that was opened last, and its number.
    last: RefCell<Option<(usize, Zeroizing<Vec<u8>>)>>,
}

/// What is noted of a run elsewhere.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::space) struct RunName {
    pub(in crate::space) number: u64,
    /// Bytes of all blocks: there the index begins.
    pub(in crate::space) blocks: u64,
    /// Bytes in all.
    pub(in crate::space) length: u64,
}

/// Where a block stands. Its key is wiped: it may be one that only sealed parts name.
struct Block {
    first: Box<str>,
    start: u64,
    length: usize,
}

impl Drop for Block {
    fn drop(&mut self) {
        self.first.zeroize();
    }
}

/// A run on the way to be stored: all of it in memory, so that it is written whole or not at all.
#[derive(Default)]
pub(super) struct RunWriter {
    blocks: Vec<u8>,
    block: Writer,
    last: Zeroizing<String>,
    first: Zeroizing<String>,
    index: Vec<(Zeroizing<String>, usize)>,
}

/// A run that can be stored.
pub(super) struct Written {
    /// Bytes of all blocks.
    blocks: usize,
    bytes: Vec<u8>,
    key: Option<Box<SecretKey32>>,
}

impl RunWriter {
    /// With room for about so many bytes: what grows leaves copies behind, and they may be of what is private.
    pub(super) fn with_room(bytes: u64) -> Self {
        let room = usize::try_from(bytes).unwrap_or(0).min(MOST_ROOM);
        Self { blocks: Vec::with_capacity(room), ..Self::default() }
    }

    /// Adds the record of the next key.
    pub(super) fn push(&mut self, record: Record) {
        if self.block.len() >= BLOCK {
            self.end_block();
        }
        if self.block.is_empty() {
            self.first.clone_from(&record.key);
            self.last.clear();
            self.block.reserve(2 * BLOCK);
        }
        self.last = record.encode(&self.last, &mut self.block);
    }

    fn end_block(&mut self) {
        if !self.block.is_empty() {
            let mut block = core::mem::take(&mut self.block).finish();
            self.index.push((core::mem::take(&mut self.first), block.len()));
            self.blocks.extend_from_slice(&block);
            block.zeroize();
        }
    }

    /// Blocks and index; `None` if nothing was added. `sealing`: the key of sealed runs, and the number of this one.
    pub(super) fn finish(mut self, sealing: Option<(&SecretKey32, u64)>) -> Option<Written> {
        self.end_block();
        if self.index.is_empty() {
            return None;
        }
        let more = if sealing.is_some() { TAG_LENGTH } else { 0 };
        let mut index = Writer::new();
        index.count(self.index.len());
        for (first, length) in &self.index {
            index.text(first).count(*length + more);
        }
        let mut index = index.finish();
        let Some((key, number)) = sealing else {
            let blocks = self.blocks.len();
            self.blocks.append(&mut index);
            return Some(Written { blocks, bytes: self.blocks, key: None });
        };
        let parts: [&[u8]; 4] = [b"run", &number.to_le_bytes(), &index, &self.blocks];
        let key = Box::new(SecretKey32(keyed_parts(&key.0, &parts).0));
        let (mut bytes, mut start) = (Vec::with_capacity(self.blocks.len() + index.len()), 0);
        for ((_, length), at) in self.index.iter().zip(1..) {
            let block = self.blocks.get(start..start + *length).unwrap_or_default();
            bytes.extend_from_slice(&seal(&key.0, &nonce(at), &[], block));
            start += *length;
        }
        let blocks = bytes.len();
        bytes.extend_from_slice(&seal(&key.0, &nonce(0), &[], &index));
        index.zeroize();
        self.blocks.zeroize();
        Some(Written { blocks, bytes, key: Some(key) })
    }
}

impl Run {
    pub(super) fn open(
        files: &mut Files,
        space: &PublicKey,
        name: RunName,
        key: Option<Box<SecretKey32>>,
    ) -> Self {
        let kind = if key.is_some() { "sealed" } else { "run" };
        let path = format!("space/{space}/view/{kind}-{}", name.number);
        Self { name, key, file: files.file(&path), path, index: OnceCell::new(), last: RefCell::new(None) }
    }

    /// Stores what a writer made.
    pub(super) fn store(
        files: &mut Files,
        space: &PublicKey,
        number: u64,
        written: Written,
    ) -> Result<Self, StorageError> {
        let Written { blocks, bytes, key } = written;
        let wide = |length| u64::try_from(length).unwrap_or(u64::MAX);
        let name = RunName { number, blocks: wide(blocks), length: wide(bytes.len()) };
        let run = Self::open(files, space, name, key);
        files.truncate(run.file, 0);
        files.write(run.file, 0, &bytes)?;
        Ok(run)
    }

    pub(super) fn remove(&self, files: &mut Files) {
        files.truncate(self.file, 0);
    }

    /// Whether the file is as long as it should be.
    pub(super) fn is_whole(&self, files: &Files) -> bool {
        files.len(self.file) == self.name.length
    }

    /// All of it is wanted in memory.
    pub(super) fn want(&self, files: &Files) {
        files.want(self.file, 0, self.name.length);
    }

    /// Some of its blocks within bounds are wanted, from both ends; its index, if that is not in memory.
    pub(super) fn want_some(&self, files: &Files, bounds: &Bounds, most: usize) {
        let Ok(index) = self.index(files) else { return };
        let at = |bound: &Bound<String>| match bound {
            Bound::Included(key) | Bound::Excluded(key) => {
                Some(index.partition_point(|block| *block.first <= **key).saturating_sub(1))
            }
            Bound::Unbounded => None,
        };
        let first = at(&bounds.0).unwrap_or(0);
        let last = at(&bounds.1).unwrap_or_else(|| index.len().saturating_sub(1));
        for (number, block) in index.iter().enumerate().skip(first).take(last.saturating_sub(first) + 1) {
            if number - first < most || last - number < most {
                files.want(self.file, block.start, u64::try_from(block.length).unwrap_or(u64::MAX));
            }
        }
    }

    /// How many blocks it has.
    pub(super) fn blocks(&self, files: &Files) -> Result<usize, StorageError> {
        Ok(self.index(files)?.len())
    }

    /// The block in which a key is, if it is in the run: the last that begins with it or before it.
    pub(super) fn block_of(&self, files: &Files, key: &str) -> Result<Option<usize>, StorageError> {
        Ok(self.index(files)?.partition_point(|block| &*block.first <= key).checked_sub(1))
    }

    /// The records of a block.
    pub(super) fn read(&self, files: &Files, at: usize) -> Result<Vec<Record>, StorageError> {
        let Some(block) = self.index(files)?.get(at) else { return Ok(Vec::new()) };
        if self.key.is_none() {
            return self.records(&files.read(self.file, block.start, block.length)?);
        }
        let mut last = self.last.borrow_mut();
        if last.as_ref().is_none_or(|(number, _)| *number != at) {
            *last = Some((at, self.opened(files.read(self.file, block.start, block.length)?, at + 1)?));
        }
        last.as_ref().map_or_else(|| Ok(Vec::new()), |(_, plain)| self.records(plain))
    }

    fn records(&self, block: &[u8]) -> Result<Vec<Record>, StorageError> {
        let mut reader = Reader::new(block);
        let mut records: Vec<Record> = Vec::new();
        while reader.remaining() > 0 {
            let before = records.last().map_or("", |record| &**record.key);
            let record =
                Record::decode(before, &mut reader, self.key.is_some()).map_err(|_| self.damage())?;
            records.push(record);
        }
        Ok(records)
    }

    fn index(&self, files: &Files) -> Result<&[Block], StorageError> {
        if let Some(index) = self.index.get() {
            return Ok(index);
        }
        let length = usize::try_from(self.name.length.saturating_sub(self.name.blocks)).unwrap_or(usize::MAX);
        let bytes = self.opened(files.read(self.file, self.name.blocks, length)?, 0)?;
        let index = decode_index(&bytes).map_err(|_| self.damage())?;
        Ok(self.index.get_or_init(|| index))
    }

    /// Opens stored bytes if they are sealed: of the index, 0, or of a block, its place and 1.
    fn opened(&self, bytes: Vec<u8>, at: usize) -> Result<Zeroizing<Vec<u8>>, StorageError> {
        let Some(key) = &self.key else { return Ok(Zeroizing::new(bytes)) };
        open(&key.0, &nonce(at), &[], &bytes).map_err(|_| self.damage())
    }

    /// Pages are checked when they are read, so this is none that was written so.
    fn damage(&self) -> StorageError {
        StorageError::Damaged { what: Damage::Page { file: self.path.clone(), page: 0 } }
    }
}

fn decode_index(bytes: &[u8]) -> Result<Vec<Block>, DecodeError> {
    let mut reader = Reader::new(bytes);
    let (mut index, mut start) = (Vec::new(), 0_u64);
    for _ in 0..reader.count("blocks", bytes.len())? {
        let first = reader.text("key", bytes.len())?.into();
        let length = reader.count("bytes of a block", usize::MAX)?;
        index.push(Block { first, start, length });
        start = start.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
    }
    reader.end()?;
    Ok(index)
}

fn nonce(at: usize) -> [u8; NONCE_LENGTH] {
    let mut nonce = [0; NONCE_LENGTH];
    for (to, from) in nonce.iter_mut().zip(u64::try_from(at).unwrap_or(u64::MAX).to_le_bytes()) {
        *to = from;
    }
    nonce
}
