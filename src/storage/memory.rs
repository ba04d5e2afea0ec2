//! A backend in memory: what a browser's database is to a node, for tests and simulation.

use super::{Batch, Commit, Compaction, PageKey, Rule, Snapshot, absent_at_open, to_open};
use crate::collections::{Map, sort};

/// Records by key. A crash is: take a [`MemoryBackend::snapshot`], forget the [`Files`](super::Files), load it.
#[derive(Clone, Debug, Default)]
pub struct MemoryBackend {
    pages: Map<PageKey, Vec<u8>>,
    journal: Map<u64, Vec<u8>>,
}

impl MemoryBackend {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stores a journal record.
    pub fn commit(&mut self, batch: &Batch) {
        self.journal.insert(batch.seq, batch.record.clone());
    }

    /// Writes pages and shortens the journal, at once.
    pub fn compact(&mut self, compaction: &Compaction) {
        self.pages.extend(compaction.puts.iter().cloned());
        for key in &compaction.deletes {
            self.pages.remove(key);
        }
        self.journal = self.journal.split_off(&compaction.through.saturating_add(1));
    }

    /// Applies either.
    pub fn apply(&mut self, commit: &Commit) {
        match commit {
            Commit::Batch(batch) => self.commit(batch),
            Commit::Compaction(compaction) => self.compact(compaction),
        }
    }

    /// All records.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            pages: self.pages.iter().map(|(key, record)| (key.clone(), record.clone())).collect(),
            absent: Vec::new(),
            journal: self.journal.iter().map(|(seq, record)| (*seq, record.clone())).collect(),
        }
    }

    /// The records that opening needs: of files that are lazy by the rule only the last page's.
    pub fn lazy_snapshot(&self, rule: Rule) -> Snapshot {
        let compacted = self.compacted();
        let Some(groups) = to_open(&compacted, rule) else { return self.listed_snapshot(rule) };
        let read = |key: PageKey| Some((key.clone(), self.pages.get(&key)?.clone()));
        let pages = compacted.into_iter().chain(groups.into_iter().flatten().filter_map(read)).collect();
        let journal = self.journal.iter().map(|(seq, record)| (*seq, record.clone())).collect();
        Snapshot { pages, absent: Vec::new(), journal }
    }

    /// The same by the names of all records, as if none were written down.
    pub fn listed_snapshot(&self, rule: Rule) -> Snapshot {
        let mut snapshot = self.snapshot();
        let mut keys: Vec<PageKey> = snapshot.pages.iter().map(|(key, _)| key.clone()).collect();
        sort(&mut keys);
        snapshot.absent = absent_at_open(&keys, rule);
        snapshot.pages.retain(|(key, _)| !snapshot.absent.contains(key));
        snapshot
    }

    /// What the last compaction left.
    fn compacted(&self) -> Vec<(PageKey, Vec<u8>)> {
        let of_none = self.pages.iter().take_while(|(key, _)| key.file.is_empty());
        of_none.map(|(key, record)| (key.clone(), record.clone())).collect()
    }

    /// Page records by name.
    pub fn read(&self, keys: Vec<PageKey>) -> Vec<(PageKey, Option<Vec<u8>>)> {
        let read = |key: PageKey| {
            let record = self.pages.get(&key).cloned();
            (key, record)
        };
        keys.into_iter().map(read).collect()
    }

    /// A page record, if there is one.
    pub fn page(&self, key: &PageKey) -> Option<&[u8]> {
        self.pages.get(key).map(Vec::as_slice)
    }

    /// Bytes of all records.
    pub fn size(&self) -> usize {
        self.pages.values().map(Vec::len).sum::<usize>() + self.journal.values().map(Vec::len).sum::<usize>()
    }

    /// A page record, to damage it in tests.
    pub fn page_mut(&mut self, key: &PageKey) -> Option<&mut Vec<u8>> {
        self.pages.get_mut(key)
    }

    /// Loses a page record.
    pub fn remove_page(&mut self, key: &PageKey) {
        self.pages.remove(key);
    }

    /// A journal record, to damage it in tests.
    pub fn journal_mut(&mut self, seq: u64) -> Option<&mut Vec<u8>> {
        self.journal.get_mut(&seq)
    }
}
