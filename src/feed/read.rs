//! Reading blocks.

use core::ops::Range;

use super::{Feed, FeedError, MAX_BLOCK, Node, flat, wide};
use crate::storage::{Files, StorageError};

/// Bytes that are read ahead of what is read in order.
const AHEAD: u64 = 1 << 20;

/// Consecutive blocks in one piece, as they travel.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Chunk {
    /// Index of the first block.
    pub start: u64,
    /// Bytes of each block, each at most [`MAX_BLOCK`].
    pub sizes: Vec<u32>,
    /// The blocks, end to end.
    pub bytes: Vec<u8>,
}

impl Chunk {
    /// The blocks one by one; ends early if the sizes exceed the bytes.
    pub fn blocks(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.bytes.as_slice();
        self.sizes.iter().map_while(move |size| {
            let (block, tail) = rest.split_at_checked(usize::try_from(*size).ok()?)?;
            rest = tail;
            Some(block)
        })
    }

    /// Index after the last block.
    pub fn end(&self) -> u64 {
        self.start.saturating_add(wide(self.sizes.len()))
    }
}

impl Feed {
    /// A block; `None` if it is not held. Costs one look at the tree per level.
    pub fn get(&self, files: &Files, index: u64) -> Result<Option<Vec<u8>>, FeedError> {
        self.get_next(files, index, &mut None)
    }

    /// The same for one block after another: `place` is where the next one lies, as the one before left it, if it did.
    pub fn get_next(
        &self,
        files: &Files,
        index: u64,
        place: &mut Option<(u64, u64)>,
    ) -> Result<Option<Vec<u8>>, FeedError> {
        if !self.has(index) {
            return Ok(None);
        }
        // Both are looked up before either fails, so that all pages that are missed are wanted at once.
        let size = self.block_size(files, index);
        let offset = match place.filter(|(next, _)| *next == index) {
            Some((_, offset)) => offset,
            None => self.offset(files, index)?,
        };
        let size = size?;
        *place = Some((index.saturating_add(1), offset.saturating_add(wide(size))));
        Ok(Some(files.read(self.paths.data, offset, size)?))
    }

    /// Held blocks of a range in order, one after the other without looking up each place anew.
    pub fn blocks<'a>(&'a self, files: &'a Files, range: Range<u64>) -> Blocks<'a> {
        Blocks { feed: self, files, next: range.start, end: range.end.min(self.length()), place: None }
    }

    /// Held blocks from `range.start` on, up to the first that is missing, the range's end or `max_bytes`, but at least
    /// one if it is held.
    pub fn data_range(&self, files: &Files, range: Range<u64>, max_bytes: usize) -> Result<Chunk, FeedError> {
        let end = range.end.min(self.bits.next_clear(range.start)).min(self.length());
        let mut chunk = Chunk { start: range.start, ..Chunk::default() };
        let mut total = 0_usize;
        for index in range.start..end {
            let size = self.block_size(files, index)?;
            if !chunk.sizes.is_empty() && total.saturating_add(size) > max_bytes {
                break;
            }
            total = total.saturating_add(size);
            chunk.sizes.push(u32::try_from(size).unwrap_or(u32::MAX));
        }
        if !chunk.sizes.is_empty() {
            let offset = self.offset(files, range.start)?;
            let bytes = files.read(self.paths.data, offset, total);
            if bytes.as_ref().is_err_and(StorageError::is_absent) {
                // What follows is asked for next.
                files.want(self.paths.data, offset, AHEAD);
            }
            chunk.bytes = bytes?;
        }
        Ok(chunk)
    }

    /// The block that holds byte `byte` of the feed, and the byte's place in it; `None` past the end.
    ///
    /// [`FeedError::NotHeld`] if the tree on the way is not held.
    pub fn seek(&self, files: &Files, byte: u64) -> Result<Option<(u64, u64)>, FeedError> {
        let mut rest = byte;
        for root in &self.roots {
            if rest >= root.size {
                rest -= root.size;
                continue;
            }
            let mut at = root.index;
            while let Some((left, right)) = flat::children(at) {
                let size = self.held_node(files, left)?.size;
                at = if rest < size { left } else { right };
                rest -= if rest < size { 0 } else { size };
            }
            return Ok(Some((at / 2, rest)));
        }
        Ok(None)
    }

    /// Wants the pages of blocks from one on, as far as its place is known: they are about to be read in order.
    pub fn want_from(&self, files: &Files, index: u64) {
        if let Ok(offset) = self.offset(files, index) {
            files.want(self.paths.data, offset, AHEAD);
        }
    }

    /// Drops the payload of blocks and keeps their place in the tree, so that they can be proved and fetched again.
    pub fn clear(&mut self, files: &mut Files, range: Range<u64>) -> Result<(), FeedError> {
        let end = range.end.min(self.length());
        let mut next = range.start;
        while let Some(start) = self.bits.next_set(next).filter(|start| *start < end) {
            let past = self.bits.next_clear(start).min(end);
            let from = self.offset(files, start)?;
            let last = self.offset(files, past - 1)? + wide(self.block_size(files, past - 1)?);
            files.clear(self.paths.data, from, last - from)?;
            next = past;
        }
        self.unmark(files, range.start..end)
    }

    /// Bytes before a block; its place in the data file.
    pub(super) fn offset(&self, files: &Files, block: u64) -> Result<u64, FeedError> {
        let leaf = flat::leaf(block);
        let (mut offset, mut absent) = (0_u64, None);
        for root in &self.roots {
            let (first, past) = flat::span(root.index);
            if !(first..past).contains(&block) {
                offset = offset.saturating_add(root.size);
                continue;
            }
            let mut at = root.index;
            while let Some((left, right)) = flat::children(at) {
                if leaf < at {
                    at = left;
                } else {
                    match self.held_node(files, left) {
                        Ok(node) => offset = offset.saturating_add(node.size),
                        // The others on the way are wanted too.
                        Err(error) if error.is_absent() => absent = Some(error),
                        Err(error) => return Err(error),
                    }
                    at = right;
                }
            }
            return absent.map_or(Ok(offset), Err);
        }
        Err(FeedError::OutOfRange { length: self.length(), got: block })
    }

    /// Bytes of a block whose leaf is held.
    pub(super) fn block_size(&self, files: &Files, block: u64) -> Result<usize, FeedError> {
        let Node { size, .. } = self.held_node(files, flat::leaf(block))?;
        // A leaf that was given in a proof may claim any size; a block never has it.
        match usize::try_from(size) {
            Ok(size) if size <= MAX_BLOCK => Ok(size),
            _ => Err(FeedError::TooLarge { what: "block", max: wide(MAX_BLOCK), got: size }),
        }
    }
}

/// Held blocks in order, as index and bytes.
#[derive(Debug)]
pub struct Blocks<'a> {
    feed: &'a Feed,
    files: &'a Files,
    next: u64,
    end: u64,
    /// Place of block `next`, if the one before was just read.
    place: Option<u64>,
}

impl Blocks<'_> {
    fn read(&mut self, index: u64) -> Result<(u64, Vec<u8>), FeedError> {
        let offset = match self.place.filter(|_| index == self.next) {
            Some(offset) => offset,
            None => self.feed.offset(self.files, index)?,
        };
        let size = self.feed.block_size(self.files, index)?;
        let bytes = self.files.read(self.feed.paths.data, offset, size);
        if bytes.as_ref().is_err_and(StorageError::is_absent) {
            self.files.want(self.feed.paths.data, offset, AHEAD);
        }
        let bytes = bytes?;
        self.place = Some(offset.saturating_add(wide(size)));
        Ok((index, bytes))
    }
}

impl Iterator for Blocks<'_> {
    type Item = Result<(u64, Vec<u8>), FeedError>;

    fn next(&mut self) -> Option<Self::Item> {
        let index = self.feed.next_held(self.next).filter(|index| *index < self.end)?;
        let item = self.read(index);
        // After an error there is no going on.
        self.next = if item.is_ok() { index + 1 } else { self.end };
        Some(item)
    }
}
