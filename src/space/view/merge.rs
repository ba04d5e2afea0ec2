//! Several sorted sources of records as one, key by key, in either direction.

use core::ops::Bound;

use super::{record::Record, run::Run};
use crate::storage::{Files, StorageError};

/// Bounds of keys.
pub(super) type Bounds = (Bound<String>, Bound<String>);

/// One source.
pub(super) enum Source<'a> {
    /// Records in the direction of the merge.
    Memory(Box<dyn Iterator<Item = Record> + 'a>),
    Run(Cursor<'a>),
}

/// A place in a run.
pub(super) struct Cursor<'a> {
    run: &'a Run,
    bounds: &'a Bounds,
    reverse: bool,
    /// The next block, if any is left.
    block: Option<usize>,
    /// Records of the block before it, the next one last.
    records: Vec<Record>,
}

/// Sources on the way to be merged, the oldest first.
pub(super) struct Merge<'a> {
    files: &'a Files,
    reverse: bool,
    sources: Vec<(Source<'a>, Option<Record>)>,
    begun: bool,
}

impl<'a> Cursor<'a> {
    /// At the first key within the bounds, or the last one.
    pub(super) fn new(
        run: &'a Run,
        files: &Files,
        bounds: &'a Bounds,
        reverse: bool,
    ) -> Result<Self, StorageError> {
        let from = if reverse { &bounds.1 } else { &bounds.0 };
        let block = match (from, reverse) {
            (Bound::Included(key) | Bound::Excluded(key), false) => {
                Some(run.block_of(files, key)?.unwrap_or_default())
            }
            (Bound::Included(key) | Bound::Excluded(key), true) => run.block_of(files, key)?,
            (Bound::Unbounded, false) => Some(0),
            (Bound::Unbounded, true) => run.blocks(files)?.checked_sub(1),
        };
        Ok(Self { run, bounds, reverse, block, records: Vec::new() })
    }

    /// The next record; `None` at the end of the bounds.
    pub(super) fn next(&mut self, files: &Files) -> Result<Option<Record>, StorageError> {
        loop {
            while let Some(record) = self.records.pop() {
                if is_below(&record.key, &self.bounds.0) {
                    if self.reverse {
                        self.end();
                        break;
                    }
                } else if is_above(&record.key, &self.bounds.1) {
                    if !self.reverse {
                        self.end();
                        break;
                    }
                } else {
                    return Ok(Some(record));
                }
            }
            let Some(block) = self.block else { return Ok(None) };
            let mut records = self.run.read(files, block)?;
            self.block = match self.reverse {
                true => block.checked_sub(1),
                false => Some(block + 1).filter(|_| !records.is_empty()),
            };
            if !self.reverse {
                records.reverse();
            }
            self.records = records;
        }
    }

    fn end(&mut self) {
        self.block = None;
        self.records.clear();
    }
}

impl<'a> Merge<'a> {
    pub(super) fn new(files: &'a Files, reverse: bool, sources: Vec<Source<'a>>) -> Self {
        let sources = sources.into_iter().map(|source| (source, None)).collect();
        Self { files, reverse, sources, begun: false }
    }

    /// What all sources together say about the next key.
    pub(super) fn next(&mut self) -> Result<Option<Record>, StorageError> {
        if !core::mem::replace(&mut self.begun, true) {
            for (source, head) in &mut self.sources {
                *head = source.next(self.files)?;
            }
        }
        let mut first: Option<(usize, &str)> = None;
        for (at, (_, head)) in self.sources.iter().enumerate() {
            let Some(record) = head else { continue };
            let is_next = |(_, key): (usize, &str)| {
                if self.reverse { record.key.as_str() > key } else { record.key.as_str() < key }
            };
            if first.is_none_or(is_next) {
                first = Some((at, record.key.as_str()));
            }
        }
        // Of those that say something about it this is the oldest.
        let Some((at, _)) = first else { return Ok(None) };
        let mut merged: Option<Record> = None;
        for (source, head) in self.sources.iter_mut().skip(at) {
            let is_of_it =
                |record: &mut Record| merged.as_ref().is_none_or(|merged| *merged.key == *record.key);
            let Some(record) = head.take_if(is_of_it) else { continue };
            *head = source.next(self.files)?;
            match &mut merged {
                None => merged = Some(record),
                Some(merged) => merged.add(record),
            }
        }
        Ok(merged)
    }
}

impl Source<'_> {
    fn next(&mut self, files: &Files) -> Result<Option<Record>, StorageError> {
        match self {
            Self::Memory(records) => Ok(records.next()),
            Self::Run(cursor) => cursor.next(files),
        }
    }
}

fn is_below(key: &str, low: &Bound<String>) -> bool {
    match low {
        Bound::Unbounded => false,
        Bound::Included(low) => key < low.as_str(),
        Bound::Excluded(low) => key <= low.as_str(),
    }
}

fn is_above(key: &str, high: &Bound<String>) -> bool {
    match high {
        Bound::Unbounded => false,
        Bound::Included(high) => key > high.as_str(),
        Bound::Excluded(high) => key >= high.as_str(),
    }
}
