//! One file: pages, length, and what changed since the last batch.

use core::cell::Cell;

use super::{
    Damage, PAGE, PAGE_SIZE, PageKey, Spans, StorageError,
    changes::{Changes, Kind},
    lazy::Residency,
    page::{self, Page},
    place, wide,
};
use crate::codec::MAX_SAFE;
use crate::collections::{Map, Set};

/// What a page without bytes holds.
static ZEROS: [u8; PAGE_SIZE] = [0; PAGE_SIZE];

/// A file. Pages that are neither in the map nor on the disk are zeros.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) name: String,
    pub(super) length: u64,
    pub(super) pages: Map<u64, Page>,
    /// Pages whose bytes the disk alone has, and that nothing was written on: they take no room here.
    pub(super) disk: Spans,
    pub(super) changes: Changes,
    /// Length in the record of the last page.
    pub(super) stored_length: u64,
    /// Page records to delete, unless the page comes back.
    pub(super) dropped: Set<u64>,
    /// How many pages are damaged.
    pub(super) damaged: usize,
    /// Where its pages are.
    pub(super) residency: Residency,
    /// What was read ahead last: the page that was missed, the one behind what came with it, bytes.
    pub(super) ahead: Cell<(u64, u64, u64)>,
}

/// Most absent pages that one error names.
const MOST_NAMED: usize = 512;

/// Bytes that are read ahead of who reads on: twice as many each time, up to so many.
const AHEAD: u64 = 16 * PAGE;
const MOST_AHEAD: u64 = 128 * PAGE;

impl File {
    /// The pieces of `offset..offset + length` page by page: page, start and end inside it.
    fn pieces(offset: u64, length: u64) -> impl Iterator<Item = (u64, usize, usize)> {
        let end = offset.saturating_add(length);
        let mut at = offset;
        core::iter::from_fn(move || {
            if at >= end {
                return None;
            }
            let (page, start) = place(at);
            let size = (PAGE - at % PAGE).min(end - at);
            at += size;
            Some((page, start, start + usize::try_from(size).unwrap_or(PAGE_SIZE)))
        })
    }

    fn page_damage(&self, page: u64) -> StorageError {
        StorageError::Damaged { what: Damage::Page { file: self.name.clone(), page } }
    }

    /// Whether `start..end` of a page is all of it that the file has.
    fn is_whole(&self, page: u64, start: usize, end: usize) -> bool {
        start == 0 && wide(end) >= self.length.saturating_sub(page.saturating_mul(PAGE)).min(PAGE)
    }

    fn key(&self, page: u64) -> PageKey {
        PageKey { file: self.name.clone(), page }
    }

    /// Pages that must be present before the file can be folded into records.
    pub(super) fn unfoldable(&self) -> impl Iterator<Item = PageKey> {
        let last = self.length.checked_sub(1).map(|last| last / PAGE);
        let grown = self.length != self.stored_length;
        let needed =
            move |number: &u64, page: &Page| page.absent && (page.stale || grown && last == Some(*number));
        let patched = self.pages.iter().filter(move |(number, page)| needed(number, page));
        let end = last.filter(|last| grown && self.disk.contains(*last));
        patched.map(|(number, _)| *number).chain(end).map(|number| self.key(number))
    }

    /// Whether a page's bytes are known to the disk alone.
    fn is_absent(&self, number: u64) -> bool {
        self.pages.get(&number).map_or_else(|| self.disk.contains(number), |page| page.absent)
    }

    /// A page of its own for one whose bytes the disk alone has: something happens to it.
    pub(super) fn lift(&mut self, number: u64) {
        if self.disk.contains(number) {
            self.disk.set(number..number.saturating_add(1), false);
            self.pages.insert(number, Page { stored: true, absent: true, ..Page::default() });
        }
    }

    /// Lets go of a clean page's bytes.
    pub(super) fn evict(&mut self, number: u64) {
        self.pages.remove(&number);
        self.disk.set(number..number.saturating_add(1), true);
    }

    /// All pages that have a record.
    pub(super) fn stored(&self) -> Spans {
        let mut stored = self.disk.clone();
        for (number, _) in self.pages.iter().filter(|(_, page)| page.stored) {
            stored.set(*number..number.saturating_add(1), true);
        }
        stored
    }

    /// Whether every page of a range has a record: then none of them has gone unseen.
    pub(super) fn is_recorded(&self, offset: u64, length: u64) -> bool {
        let stored = |number| self.pages.get(&number).map_or(self.disk.contains(number), |page| page.stored);
        Self::pieces(offset, length).all(|(number, ..)| stored(number))
    }

    /// Page by page, where something may be that is not zeros.
    pub(super) fn filled(&self) -> Spans {
        let mut filled = self.disk.clone();
        for number in self.pages.keys() {
            filled.set(*number..number.saturating_add(1), true);
        }
        filled
    }

    /// Pages of these numbers whose bytes the disk alone has are no more.
    fn drop_unread(&mut self, range: core::ops::Range<u64>) {
        let unread: Vec<_> = self.disk.within(range.clone()).collect();
        for number in unread.into_iter().flatten() {
            self.dropped.insert(number);
        }
        self.disk.set(range, false);
    }

    /// Pages whose bytes are known to the disk alone.
    pub(super) fn absent(&self, offset: u64, length: u64) -> Vec<PageKey> {
        Self::pieces(offset, length)
            .filter(|(number, ..)| self.is_absent(*number))
            .map(|(number, ..)| self.key(number))
            .take(MOST_NAMED)
            .collect()
    }

    /// The same of those that `which` names, wherever in the file: what has no bytes at all is not visited.
    pub(super) fn absent_of(&self, which: &dyn Fn(u64) -> bool) -> Vec<PageKey> {
        let filled = self.filled();
        let absent = filled.indexes().filter(|number| self.is_absent(*number) && which(*number));
        absent.map(|number| self.key(number)).take(MOST_NAMED).collect()
    }

    /// The same for a read that found the first of them, and, if the page before it is in memory, some that follow: whoever
    /// reads on will want them, and each time the disk is asked costs more than what it gives.
    fn missed(&self, first: u64, offset: u64, length: u64) -> Vec<PageKey> {
        let mut pages = self.absent(offset, length);
        let before = first.checked_sub(1).and_then(|before| self.pages.get(&before));
        if before.is_some_and(|page| !page.absent) {
            let end = offset.saturating_add(length).div_ceil(PAGE).saturating_mul(PAGE);
            let bytes = match self.ahead.get() {
                (page, _, bytes) if page == first && bytes > 0 => bytes,
                (_, page, bytes) if page == first => MOST_AHEAD.min(bytes.saturating_mul(2)),
                _ => AHEAD,
            };
            let ahead = bytes.min(self.length.saturating_sub(end));
            self.ahead.set((first, end.saturating_add(ahead).div_ceil(PAGE), bytes));
            pages.extend(self.absent(end, ahead));
        }
        pages
    }

    fn check_damage(&self, offset: u64, length: u64) -> Result<(), StorageError> {
        if self.damaged == 0 {
            return Ok(());
        }
        for (page, start, end) in Self::pieces(offset, length) {
            if self.pages.get(&page).is_some_and(|p| p.damaged) && !self.is_whole(page, start, end) {
                return Err(self.page_damage(page));
            }
        }
        Ok(())
    }

    pub(super) fn check_range(&self, offset: u64, length: u64) -> Result<(), StorageError> {
        // Nothing can be read anywhere: an empty block may stand behind blocks that are not held, past the end.
        if length > 0 && offset.checked_add(length).is_none_or(|end| end > self.length) {
            return Err(StorageError::OutOfRange {
                file: self.name.clone(),
                offset,
                length,
                got: self.length,
            });
        }
        Ok(())
    }

    /// Reads; `now` is noted on every page.
    pub(super) fn read(&self, offset: u64, out: &mut [u8], now: u64) -> Result<(), StorageError> {
        let length = wide(out.len());
        self.check_range(offset, length)?;
        let mut rest = out;
        for (number, start, end) in Self::pieces(offset, length) {
            let Some((piece, tail)) = rest.split_at_mut_checked(end - start) else { break };
            rest = tail;
            if self.is_absent(number) {
                return Err(StorageError::Absent { pages: self.missed(number, offset, length) });
            }
            match self.pages.get(&number) {
                None => piece.fill(0),
                Some(page) if page.damaged => return Err(self.page_damage(number)),
                Some(page) => {
                    page.used.set(now);
                    page.read(start, piece);
                }
            }
        }
        Ok(())
    }

    /// Hands out a range that is in the file and not damaged, piece by piece.
    pub(super) fn each(&self, offset: u64, length: u64, mut take: impl FnMut(&[u8])) {
        for (number, start, end) in Self::pieces(offset, length) {
            let bytes = self.pages.get(&number).map(|page| page.piece(start, end)).unwrap_or_default();
            take(&bytes);
            take(ZEROS.get(..end - start - bytes.len()).unwrap_or_default());
        }
    }

    /// Writes and notes it; nothing is written if part of a damaged page would remain.
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), StorageError> {
        let end = offset.saturating_add(wide(bytes.len()));
        if end > MAX_SAFE {
            return Err(StorageError::TooLarge { max: MAX_SAFE, got: end });
        }
        self.check_damage(offset, wide(bytes.len()))?;
        self.put(offset, bytes);
        self.changes.set(offset, end, Kind::Bytes);
        Ok(())
    }

    /// Writes into pages; leaves damaged pages that are not wholly covered as they are.
    pub(super) fn put(&mut self, offset: u64, bytes: &[u8]) {
        let mut rest = bytes;
        for (number, start, end) in Self::pieces(offset, wide(bytes.len())) {
            let Some((piece, tail)) = rest.split_at_checked(end - start) else { break };
            rest = tail;
            let whole = (self.damaged > 0 || self.residency != Residency::Always)
                && self.is_whole(number, start, end);
            self.lift(number);
            let page = self.pages.entry(number).or_default();
            if page.absent && whole {
                page.fill(&[]);
                page.bytes.clear();
            }
            if page.damaged {
                if !whole {
                    continue;
                }
                page.damaged = false;
                self.damaged -= 1;
                self.changes.mended.push(number);
            }
            page.write(start, piece);
        }
        if !bytes.is_empty() {
            self.length = self.length.max(offset.saturating_add(wide(bytes.len())));
        }
    }

    /// Zeros a range within the file and notes it.
    pub(super) fn clear(&mut self, offset: u64, length: u64) -> Result<(), StorageError> {
        let length = length.min(self.length.saturating_sub(offset));
        self.check_damage(offset, length)?;
        self.put_zeros(offset, length);
        self.changes.set(offset, offset.saturating_add(length), Kind::Zero);
        Ok(())
    }

    /// Zeros a range within the file: whole pages are given back. Only pages that exist are visited.
    pub(super) fn put_zeros(&mut self, offset: u64, length: u64) {
        let end = offset.saturating_add(length).min(self.length);
        if offset >= end {
            return;
        }
        let (first, last) = (offset / PAGE, (end - 1) / PAGE);
        // All between the first and the last page goes.
        self.lift(first);
        self.lift(last);
        self.drop_unread(first..last);
        let touched: Vec<u64> = self.pages.range(first..=last).map(|(page, _)| *page).collect();
        for number in touched {
            let base = number.saturating_mul(PAGE);
            let inside = |at: u64| usize::try_from(at.saturating_sub(base).min(PAGE)).unwrap_or(PAGE_SIZE);
            let (start, end) = (inside(offset), inside(end));
            let whole = self.is_whole(number, start, end);
            let Some(page) = self.pages.get_mut(&number) else { continue };
            if whole {
                if page.damaged {
                    self.damaged -= 1;
                    self.changes.mended.push(number);
                }
                if page.stored {
                    self.dropped.insert(number);
                }
                self.pages.remove(&number);
            } else if !page.damaged {
                page.zero(start, end);
            }
        }
    }

    /// Makes a damaged page zeros.
    pub(super) fn drop_damaged(&mut self, page: u64) {
        if self.pages.get(&page).is_some_and(|page| page.damaged) {
            self.pages.remove(&page);
            self.dropped.insert(page);
            self.damaged -= 1;
        }
    }

    /// Shortens and notes it; a longer length changes nothing.
    pub(super) fn truncate(&mut self, length: u64) {
        if length < self.length {
            self.set_length(length);
            self.changes.cut(length);
        }
    }

    /// Shortens, or lengthens with zeros.
    pub(super) fn set_length(&mut self, length: u64) {
        if length < self.length {
            let (partial, inside) = place(length);
            let first_gone = if inside == 0 { partial } else { partial.saturating_add(1) };
            for (number, page) in self.pages.split_off(&first_gone) {
                self.damaged -= usize::from(page.damaged);
                if page.stored {
                    self.dropped.insert(number);
                }
            }
            self.drop_unread(first_gone..u64::MAX);
            self.lift(partial);
            if let Some(page) = self.pages.get_mut(&partial) {
                page.stale |= !page.damaged;
                if page.absent {
                    page.zero(inside, PAGE_SIZE);
                }
                page.bytes.truncate(inside);
            }
        }
        self.length = length;
    }

    /// Makes damaged pages zeros; the byte ranges that were lost.
    pub(super) fn heal(&mut self) -> Vec<core::ops::Range<u64>> {
        let lost: Vec<u64> =
            self.pages.iter().filter(|(_, page)| page.damaged).map(|(number, _)| *number).collect();
        let mut ranges = Vec::with_capacity(lost.len());
        for number in lost {
            let start = number.saturating_mul(PAGE);
            let end = start.saturating_add(PAGE).min(self.length);
            self.put_zeros(start, end.saturating_sub(start));
            self.changes.set(start, end, Kind::Zero);
            ranges.push(start..end);
        }
        ranges
    }

    /// Page records that are to be put and deleted so that records say what the pages say.
    pub(super) fn fold(
        &mut self,
        through: u64,
        puts: &mut Vec<(PageKey, Vec<u8>)>,
        deletes: &mut Vec<PageKey>,
    ) {
        let last = self.length.checked_sub(1).map(|last| last / PAGE);
        if let Some(last) = last.filter(|last| !self.disk.contains(*last)) {
            // The record of the last page tells the length.
            let page = self.pages.entry(last).or_default();
            page.stale |= !page.stored || (self.length != self.stored_length && !page.damaged);
        }
        let foldable = |page: &Page| page.stale && !page.damaged && !page.absent;
        for (number, page) in self.pages.iter_mut().filter(|(_, page)| foldable(page)) {
            let key = PageKey { file: self.name.clone(), page: *number };
            let record = page::encode(&key, self.length, &page.bytes);
            puts.push((key, record));
            page.stale = false;
            page.stored = true;
            page.folded = through;
        }
        for number in core::mem::take(&mut self.dropped) {
            if !self.pages.contains_key(&number) && !self.disk.contains(number) {
                deletes.push(PageKey { file: self.name.clone(), page: number });
            }
        }
        self.stored_length = self.length;
    }
}
