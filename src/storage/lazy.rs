//! Pages that are not in memory, and which of those that are may go.
//!
//! A file is resident or lazy, by the [`Rule`] that the opener hands in. Of a lazy file, a page may be *absent*: its record is
//! on the disk, that it is there is known (so nothing can vanish unseen), its bytes are not here. Reading it is
//! [`StorageError::Absent`]; whoever called reads the records that [`Files::take_wanted`] names, hands them to
//! [`Files::supply`] and calls again. Writing needs no bytes: what is written on an absent page is kept beside it until it is
//! supplied, or the whole page is written.
//!
//! ```text
//! absent ──supply──▶ present ──written──▶ stale ──compaction, durable──▶ present ──trim──▶ absent
//! ```
//!
//! Invariants: bytes that are nowhere else are never let go: a stale page stays, and one whose record is on its way to the
//! disk stays until that is durable, or an older record would be read. Nothing goes by itself: [`Files::trim`] is called
//! where nobody is in the middle of reading, so that what one read needs can be together in memory. Sizes are bytes.

use core::cell::{Cell, RefCell};

use super::{Damage, FileId, Files, PAGE, PageKey, StorageError, page, wide};
use crate::collections::{Set, sort_by};

/// Where the pages of a file are.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Residency {
    /// In memory from the opening on.
    #[default]
    Always,
    /// Absent when opening; once read they stay. What is lazy becomes so by [`Files::keep`].
    Once,
    /// Absent when opening; clean ones are let go.
    Lazy,
}

/// Where the pages of a file are, by its name.
pub type Rule = fn(&str) -> Residency;

/// Bytes of clean pages of lazy files that are kept, unless told otherwise.
pub const BUDGET: u64 = 16 << 20;

/// Most pages that are wanted at once: 8 MiB.
const MOST_WANTED: usize = 512;

/// What is lazy, what was missed, and how much may stay.
#[derive(Debug, Default)]
pub(super) struct Lazy {
    rule: Option<Rule>,
    budget: u64,
    /// Absent pages that were read since they were last taken.
    wanted: RefCell<Set<PageKey>>,
    /// Counts reads.
    clock: Cell<u64>,
    /// Pages may have become clean since the last trim.
    pub(super) due: bool,
    /// How many pages were supplied, and let go.
    supplied: u64,
    evicted: u64,
}

/// What of the files is in memory.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Memory {
    /// Bytes of pages in memory.
    pub resident: u64,
    /// Of those, bytes that may be let go.
    pub clean: u64,
    /// Bytes of the latter that are kept.
    pub budget: u64,
    /// Pages that are on the disk alone.
    pub absent: usize,
    /// Pages read back so far.
    pub supplied: u64,
    /// Pages let go so far.
    pub evicted: u64,
}

/// Of the names of all page records, in order, those that opening may leave on the disk: of files that need not be
/// in memory all but the last page, which tells the length and is where the file grows.
pub fn absent_at_open(keys: &[PageKey], rule: Rule) -> Vec<PageKey> {
    let followed = |key: &&(&PageKey, Option<&PageKey>)| key.1.is_some_and(|next| next.file == key.0.file);
    let next = keys.iter().skip(1).map(Some).chain([None]);
    let pairs: Vec<_> = keys.iter().zip(next).collect();
    pairs
        .iter()
        .filter(followed)
        .filter(|(key, _)| rule(&key.file) != Residency::Always)
        .map(|(key, _)| (*key).clone())
        .collect()
}

impl Lazy {
    pub(super) fn residency(&self, name: &str) -> Residency {
        self.rule.map(|rule| rule(name)).unwrap_or_default()
    }

    pub(super) fn now(&self) -> u64 {
        let now = self.clock.get().wrapping_add(1);
        self.clock.set(now);
        now
    }

    /// Notes what a read missed.
    pub(super) fn note<T>(&self, result: Result<T, StorageError>) -> Result<T, StorageError> {
        if let Err(StorageError::Absent { pages }) = &result {
            let mut wanted = self.wanted.borrow_mut();
            // Whoever reads on though it was missed misses the same again and again.
            let ends = [pages.first(), pages.last()];
            if ends.iter().flatten().all(|page| wanted.contains(page)) {
                return result;
            }
            let room = MOST_WANTED.saturating_sub(wanted.len());
            wanted.extend(pages.iter().take(room).cloned());
        }
        result
    }
}

impl Files {
    /// From now on files are lazy by this rule, and `budget` bytes of their clean pages are kept.
    pub fn set_lazy(&mut self, rule: Rule, budget: u64) {
        (self.lazy.rule, self.lazy.budget) = (Some(rule), budget);
        for file in &mut self.files {
            file.residency = rule(&file.name);
        }
    }

    /// Absent pages that were read since the last call, in order: to be read from the disk and supplied.
    pub fn take_wanted(&self) -> Vec<PageKey> {
        core::mem::take(&mut *self.lazy.wanted.borrow_mut()).into_iter().collect()
    }

    /// Absent pages of the files that `which` names, at most so many.
    pub fn absent(&self, which: &dyn Fn(&str) -> bool, most: usize) -> Vec<PageKey> {
        let pages = self.files.iter().filter(|file| which(&file.name)).flat_map(|file| {
            let patched = file.pages.iter().filter(|(_, page)| page.absent).map(|(number, _)| *number);
            let unread = file.disk.indexes();
            patched.chain(unread).map(|page| PageKey { file: file.name.clone(), page })
        });
        pages.take(most).collect()
    }

    /// Wants the absent pages of a range, as if it had been read.
    pub fn want(&self, file: FileId, offset: u64, length: u64) {
        let Ok(file) = self.get(file) else { return };
        let length = length.min(file.length.saturating_sub(offset));
        let pages = file.absent(offset, length);
        drop(self.lazy.note::<()>(Err(StorageError::Absent { pages })));
    }

    /// Wants the absent pages of the files that `which` names.
    pub fn want_all(&self, which: &dyn Fn(&str) -> bool) {
        let pages = self.absent(which, MOST_WANTED);
        drop(self.lazy.note::<()>(Err(StorageError::Absent { pages })));
    }

    /// From now on pages of a file stay once they are read, and all are wanted. [`StorageError::Absent`] unless all are here.
    pub fn keep(&mut self, file: FileId) -> Result<(), StorageError> {
        self.keep_those(file, &|_| true)
    }

    /// The same, of pages so near to one without a record that `reach` bytes in a row may lie on both.
    pub fn keep_beside_gaps(&mut self, file: FileId, reach: u64) -> Result<(), StorageError> {
        let target = self.get(file)?;
        let (stored, reach, end) = (target.stored(), reach.div_ceil(PAGE), target.length.div_ceil(PAGE));
        self.keep_those(file, &|page| {
            let near = page.saturating_sub(reach)..page.saturating_add(reach).saturating_add(1).min(end);
            stored.within(near.clone()).next() != Some(near)
        })
    }

    fn keep_those(&mut self, file: FileId, which: &dyn Fn(u64) -> bool) -> Result<(), StorageError> {
        let target = self.files.get_mut(file.0).ok_or(StorageError::NoFile)?;
        if target.residency == Residency::Lazy {
            target.residency = Residency::Once;
        }
        let pages = target.absent_of(which);
        if pages.is_empty() { Ok(()) } else { self.lazy.note(Err(StorageError::Absent { pages })) }
    }

    /// Pages of a file that were kept may go again.
    pub fn release(&mut self, file: FileId) {
        if let Some(target) = self.files.get_mut(file.0) {
            target.residency = self.lazy.residency(&target.name);
            self.lazy.due = true;
        }
    }

    /// Makes a page present with the record that the disk has; `None` if it has none. A page that is not absent (any more)
    /// stays as it is. What is damaged or not there is named in [`Files::damage`], as when opening; whether that is so.
    pub fn supply(&mut self, key: &PageKey, record: Option<&[u8]>) -> bool {
        let now = self.lazy.now();
        let id = self.names.get(&key.file).copied();
        let Some(file) = id.and_then(|id| self.files.get_mut(id.0)) else { return false };
        file.lift(key.page);
        let Some(page) = file.pages.get_mut(&key.page).filter(|page| page.absent) else { return false };
        self.lazy.supplied += 1;
        self.lazy.due = true;
        page.used.set(now);
        match record.map(|record| page::decode(key, record)) {
            Some(Ok((_, bytes))) => {
                page.fill(bytes);
                false
            }
            // One of a later version could not be written over either.
            Some(Err(_)) | None => {
                page.fill(&[]);
                page.bytes = Vec::new();
                page.damaged = true;
                file.damaged += 1;
                self.damage.push(Damage::Page { file: key.file.clone(), page: key.page });
                true
            }
        }
    }

    /// Lets go of clean pages of lazy files, those read longest ago first, until the budget is kept.
    pub fn trim(&mut self) {
        if !core::mem::take(&mut self.lazy.due) || self.lazy.rule.is_none() {
            return;
        }
        let durable = self.durable;
        let mut clean: Vec<(u64, usize, u64, u64)> = Vec::new();
        let mut bytes = 0_u64;
        for (at, file) in self.files.iter().enumerate().filter(|(_, file)| file.residency == Residency::Lazy)
        {
            for (number, page) in &file.pages {
                if page.is_clean(durable) {
                    let size = wide(page.bytes.len());
                    bytes = bytes.saturating_add(size);
                    clean.push((page.used.get(), at, *number, size));
                }
                self.lazy.due |= page.folded > durable;
            }
        }
        if bytes <= self.lazy.budget {
            return;
        }
        sort_by(&mut clean, |a, b| a.0.cmp(&b.0));
        for (_, at, number, size) in clean {
            if bytes <= self.lazy.budget {
                return;
            }
            if let Some(file) = self.files.get_mut(at) {
                file.evict(number);
                self.lazy.evicted += 1;
                bytes = bytes.saturating_sub(size);
            }
        }
    }

    /// What of the files is in memory. Looks at every page.
    pub fn memory(&self) -> Memory {
        let Lazy { budget, supplied, evicted, .. } = self.lazy;
        let mut memory = Memory { budget, supplied, evicted, ..Memory::default() };
        for file in &self.files {
            memory.absent += usize::try_from(file.disk.count()).unwrap_or(usize::MAX);
            for page in file.pages.values() {
                let bytes = wide(page.bytes.len());
                memory.resident = memory.resident.saturating_add(bytes);
                memory.absent += usize::from(page.absent);
                if file.residency == Residency::Lazy && page.is_clean(self.durable) {
                    memory.clean = memory.clean.saturating_add(bytes);
                }
            }
        }
        memory
    }

    /// Wants the pages without which nothing can be folded; whether there are some.
    pub(super) fn want_unfoldable(&mut self) -> bool {
        let pages: Vec<PageKey> = self
            .stale
            .iter()
            .filter_map(|id| self.files.get(id.0))
            .flat_map(|file| file.unfoldable())
            .take(MOST_WANTED)
            .collect();
        let some = !pages.is_empty();
        drop(self.lazy.note::<()>(Err(StorageError::Absent { pages })));
        some
    }
}
