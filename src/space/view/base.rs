//! The part of a view that is stored: runs, the newest of which hold the last word.
//!
//! A run says of each of its keys which places came and which entries went since the runs before it. Writing adds a run of
//! what changed; runs of like size become one, so that there are few, and a place is written again only as often as
//! the sizes double.
//!
//! What came out of sealed parts is a base of its own, with runs that are sealed. It is there while the space is unlocked.

use super::{
    merge::{Bounds, Cursor, Merge, Source},
    record::Record,
    run::{Run, RunName, RunWriter, Written},
};
use crate::{
    collections::Map,
    crypto::{PublicKey, SecretKey32},
    storage::{Files, StorageError},
};

/// How many times larger a run must be than the one after it, or the two become one.
const RATIO: u64 = 3;

/// The stored part of a view.
#[derive(Default)]
pub(super) struct Base {
    /// The oldest first.
    runs: Vec<Run>,
    next: u64,
    /// By writer number: below this index, what is shown of its entries is in the runs.
    covered: Map<u32, u64>,
    /// From which run keys are made, if the runs are sealed.
    key: Option<SecretKey32>,
}

/// What of a base is noted elsewhere.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(in crate::space) struct BaseNote {
    /// The oldest first.
    pub(in crate::space) runs: Vec<RunName>,
    /// Number of the next run.
    pub(in crate::space) next: u64,
}

/// A run to be, made without changing anything.
pub(in crate::space) struct Planned {
    /// How many of the last runs it takes the place of.
    replaced: usize,
    /// `None` if nothing remains to be said.
    run: Option<Written>,
}

impl Base {
    /// An empty one of which the runs will be sealed.
    pub(super) fn sealed(key: SecretKey32) -> Self {
        Self { key: Some(key), ..Self::default() }
    }

    /// Whether the runs are sealed.
    pub(super) const fn is_sealed(&self) -> bool {
        self.key.is_some()
    }

    /// From now on run keys are made from another one.
    pub(super) fn set_key(&mut self, key: SecretKey32) {
        self.key = Some(key);
    }

    /// Keys of its runs, if they are sealed.
    pub(super) fn run_keys(&self) -> impl Iterator<Item = &SecretKey32> {
        self.runs.iter().filter_map(|run| run.key.as_deref())
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Whether places of an entry may be in the runs.
    pub(super) fn covers(&self, writer: u32, index: u64) -> bool {
        self.covered.get(&writer).is_some_and(|length| index < *length)
    }

    pub(super) fn note(&self) -> BaseNote {
        BaseNote { runs: self.runs.iter().map(|run| run.name).collect(), next: self.next }
    }

    /// What was noted; `None` if it is not all there. `sealed`: the key of the base and those of its runs.
    pub(super) fn open(
        files: &mut Files,
        space: &PublicKey,
        note: &BaseNote,
        covered: Map<u32, u64>,
        sealed: Option<(SecretKey32, Vec<SecretKey32>)>,
    ) -> Option<Self> {
        let (key, keys) = sealed.map_or((None, Vec::new()), |(key, keys)| (Some(key), keys));
        let mut runs = Vec::new();
        for (at, name) in note.runs.iter().enumerate() {
            // A copy: what is left of the list is wiped.
            runs.push(Run::open(files, space, *name, keys.get(at).cloned().map(Box::new)));
        }
        let whole = runs.iter().all(|run| run.is_whole(files) && run.key.is_some() == key.is_some());
        whole.then_some(Self { runs, next: note.next, covered, key })
    }

    /// Makes the run that adds these records, ascending by key, and if `merge` takes in as many of the last runs as it
    /// should.
    pub(super) fn plan(
        &self,
        files: &Files,
        records: Vec<Record>,
        merge: bool,
    ) -> Result<Planned, StorageError> {
        if records.is_empty() {
            return Ok(Planned { replaced: 0, run: None });
        }
        let mut size = records.iter().map(Record::size).fold(0, u64::saturating_add);
        let mut replaced = 0;
        for run in self.runs.iter().rev() {
            if !merge || run.name.length > size.saturating_mul(RATIO) {
                break;
            }
            size = size.saturating_add(run.name.length);
            replaced += 1;
        }
        let everything = (core::ops::Bound::Unbounded, core::ops::Bound::Unbounded);
        let kept = self.runs.len() - replaced;
        let mut sources = Vec::new();
        for run in self.runs.iter().skip(kept) {
            run.want(files);
            sources.push(Source::Run(Cursor::new(run, files, &everything, false)?));
        }
        sources.push(Source::Memory(Box::new(records.into_iter())));
        let mut merge = Merge::new(files, false, sources);
        let mut writer = RunWriter::with_room(size);
        while let Some(mut record) = merge.next()? {
            if kept == 0 {
                // There is nothing below from which anything could go.
                record.gone.clear();
            }
            if !record.gone.is_empty() || !record.places.is_empty() {
                writer.push(record);
            }
        }
        Ok(Planned { replaced, run: writer.finish(self.key.as_ref().map(|key| (key, self.next))) })
    }

    /// Stores a planned run in the place of those that it takes in.
    pub(super) fn write(
        &mut self,
        files: &mut Files,
        space: &PublicKey,
        planned: Planned,
        covered: Map<u32, u64>,
    ) -> Result<(), StorageError> {
        for old in self.runs.drain(self.runs.len().saturating_sub(planned.replaced)..) {
            old.remove(files);
        }
        if let Some(written) = planned.run {
            self.runs.push(Run::store(files, space, self.next, written)?);
            self.next += 1;
        }
        self.covered = covered;
        Ok(())
    }

    /// What the runs say about a key.
    pub(super) fn get(&self, files: &Files, key: &str) -> Result<Option<Record>, StorageError> {
        let mut found: Option<Record> = None;
        for run in &self.runs {
            let Some(block) = run.block_of(files, key)? else { continue };
            let record = run.read(files, block)?.into_iter().find(|record| **record.key == *key);
            match (&mut found, record) {
                (Some(found), Some(record)) => found.add(record),
                (found, Some(record)) => *found = Some(record),
                (_, None) => {}
            }
        }
        Ok(found)
    }

    /// Wants of every run what a listing reads first: pages that are not in memory are noted by the files.
    pub(super) fn want(&self, files: &Files, bounds: &Bounds, limit: Option<usize>) {
        // A block has some hundred records.
        let most = limit.map_or(usize::MAX, |limit| limit / 64 + 4);
        for run in &self.runs {
            run.want_some(files, bounds, most);
        }
    }

    /// The runs as sources of a merge.
    pub(super) fn sources<'a>(
        &'a self,
        files: &Files,
        bounds: &'a Bounds,
        reverse: bool,
    ) -> Result<Vec<Source<'a>>, StorageError> {
        let mut sources = Vec::new();
        for run in &self.runs {
            sources.push(Source::Run(Cursor::new(run, files, bounds, reverse)?));
        }
        Ok(sources)
    }
}
