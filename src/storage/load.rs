//! Opening: page records, then the journal on top of them.

use super::{
    Damage, FileId, Files, PAGE, PageKey, Residency, Rule, Spans, StorageError,
    directory::{self, Compacted, Names},
    page, record, wide,
};
use crate::collections::sort_by;

/// All records of a store, in any order.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Snapshot {
    /// Page records that were read.
    pub pages: Vec<(PageKey, Vec<u8>)>,
    /// Names of page records that were not, if all had to be listed: never that of the last page of a file, which tells its
    /// length.
    pub absent: Vec<PageKey>,
    /// Journal records by sequence.
    pub journal: Vec<(u64, Vec<u8>)>,
}

impl Files {
    /// Opens what a backend holds.
    ///
    /// A damaged page is not an error here: [`Files::damage`] names it, reading it fails, writing or healing it mends
    /// it. Damaged journal records at the end are named and left out, and the next batches take their places: then this is
    /// what it was before them, as an old back-up is. One that is damaged or missing with good ones after it was lost: it is
    /// named with all that follow, what stands before it counts, and [`Files::is_torn`].
    pub fn load(snapshot: Snapshot) -> Result<Self, StorageError> {
        Self::new().take(snapshot)
    }

    /// The same with files that are lazy by a rule, of whose clean pages `budget` bytes are kept.
    pub fn load_lazy(snapshot: Snapshot, rule: Rule, budget: u64) -> Result<Self, StorageError> {
        let mut files = Self::new();
        files.set_lazy(rule, budget);
        files.take(snapshot)
    }

    fn take(mut self, snapshot: Snapshot) -> Result<Self, StorageError> {
        let files = &mut self;
        let Snapshot { pages, absent, mut journal } = snapshot;
        let Compacted { through, names } = directory::read(&pages)?;
        let mut sum = [0; 16];
        let expected = match names {
            Names::All(all, pages) => {
                files.directory = pages;
                for (name, pages) in all {
                    files.know(&name, pages);
                }
                None
            }
            Names::Sum(sum) => Some(Some(sum)),
            Names::Lost => Some(None),
        };
        if expected.is_some() {
            for key in absent {
                page::add_name(&mut sum, &key.file, key.page);
                let mut known = Spans::default();
                known.set(key.page..key.page.saturating_add(1), true);
                files.know(&key.file, known);
            }
        }
        for (key, stored) in pages {
            if key.file.is_empty() {
                continue;
            }
            if expected.is_some() {
                page::add_name(&mut sum, &key.file, key.page);
            } else if !files.is_known(&key) {
                // Nobody wrote it down: it says nothing.
                continue;
            }
            match page::decode(&key, &stored) {
                Ok((length, bytes)) => files.load_page(&key, Some((length, bytes)))?,
                Err(StorageError::Damaged { what }) => {
                    files.load_page(&key, None)?;
                    files.damage.push(what);
                }
                Err(error) => return Err(error),
            }
        }
        if expected.is_some_and(|expected| expected != Some(sum)) {
            files.damage.push(Damage::Pages);
        }
        files.settle_lengths();
        files.next_seq = through.saturating_add(1);
        sort_by(&mut journal, |a, b| a.0.cmp(&b.0));
        files.replay(&journal)?;
        files.forget_mended();
        files.durable = files.taken();
        Ok(self)
    }

    /// There are records of these pages of a file.
    fn know(&mut self, name: &str, pages: Spans) {
        let id = self.file(name);
        let (Some(file), Some((_, last))) = (self.get_mut(id), pages.reach()) else { return };
        file.length = file.length.max(last.saturating_add(1).saturating_mul(PAGE));
        if file.disk.is_empty() {
            file.disk = pages;
        } else {
            pages.within(0..u64::MAX).for_each(|span| drop(file.disk.set(span, true)));
        }
    }

    fn is_known(&self, key: &PageKey) -> bool {
        let id = self.names.get(&key.file).copied();
        id.and_then(|id| self.get(id).ok()).is_some_and(|file| file.disk.contains(key.page))
    }

    fn load_page(&mut self, key: &PageKey, content: Option<(u64, &[u8])>) -> Result<(), StorageError> {
        let id = self.file(&key.file);
        let Some(file) = self.get_mut(id) else { return Ok(()) };
        file.disk.set(key.page..key.page.saturating_add(1), false);
        let page = file.pages.entry(key.page).or_default();
        page.stored = true;
        page.damaged = content.is_none();
        file.damaged += usize::from(content.is_none());
        if let Some((_, bytes)) = content {
            page.bytes.extend_from_slice(bytes);
        }
        // The last page tells the length; that of a damaged one is not known, so all of it counts.
        let is_past = |(_, last): (u64, u64)| last < key.page;
        if file.disk.reach().is_none_or(is_past)
            && file.pages.last_key_value().is_some_and(|(last, _)| *last == key.page)
        {
            let whole = key.page.saturating_add(1).saturating_mul(PAGE);
            file.length = content.map_or(whole, |(length, _)| length);
        }
        Ok(())
    }

    fn settle_lengths(&mut self) {
        for file in &mut self.files {
            file.stored_length = file.length;
            // The last record is lost altogether: what it told is not known, what it held is damaged. So is each that should
            // have been read.
            let last = file.length.checked_sub(1).map(|last| last / PAGE);
            let last = last.filter(|last| !file.pages.contains_key(last));
            let unread = file.disk.indexes().filter(|_| file.residency == Residency::Always);
            let unread: Vec<u64> = unread.filter(|number| Some(*number) != last).chain(last).collect();
            for number in unread {
                let stored = file.disk.contains(number);
                file.disk.set(number..number.saturating_add(1), false);
                let page = file.pages.entry(number).or_default();
                (page.stored, page.damaged) = (stored, true);
                file.damaged += 1;
                self.damage.push(Damage::Page { file: file.name.clone(), page: number });
            }
        }
    }

    /// The journal may have written all of a damaged page.
    fn forget_mended(&mut self) {
        let mut damage = core::mem::take(&mut self.damage);
        damage.retain(|damage| match damage {
            Damage::Page { file, page } => {
                let id = self.names.get(file).copied();
                let file = id.and_then(|id| self.get(id).ok());
                file.and_then(|file| file.pages.get(page)).is_some_and(|page| page.damaged)
            }
            _ => true,
        });
        self.damage = damage;
    }

    fn replay(&mut self, journal: &[(u64, Vec<u8>)]) -> Result<(), StorageError> {
        // Older ones are folded into the pages already.
        let from = journal.partition_point(|(seq, _)| *seq < self.next_seq);
        let records = journal.get(from..).unwrap_or_default();
        for (position, (seq, stored)) in records.iter().enumerate() {
            let rest = records.get(position..).unwrap_or_default();
            if *seq != self.next_seq {
                self.damage.push(Damage::Missing { expected: self.next_seq, got: *seq });
                self.tear(rest);
                return Ok(());
            }
            match record::decode(*seq, stored) {
                Ok(changes) => {
                    for change in changes {
                        let id = self.file(change.name);
                        self.apply(id, &change);
                    }
                    self.next_seq = seq.saturating_add(1);
                    self.journal = self.journal.saturating_add(wide(stored.len()));
                }
                Err(StorageError::Damaged { what }) => {
                    let rest = rest.get(1..).unwrap_or_default();
                    self.damage.push(what);
                    if rest.iter().any(|(seq, stored)| record::decode(*seq, stored).is_ok()) {
                        self.tear(rest);
                    } else {
                        self.damage.extend(rest.iter().map(|(seq, _)| Damage::Journal { seq: *seq }));
                    }
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// What follows rests on what was lost: it must never be replayed, so the next commit takes its place.
    fn tear(&mut self, rest: &[(u64, Vec<u8>)]) {
        self.damage.extend(rest.iter().map(|(seq, _)| Damage::Journal { seq: *seq }));
        let last = rest.last().map_or(self.next_seq, |(seq, _)| *seq);
        self.next_seq = self.next_seq.max(last.saturating_add(1));
        self.torn = true;
    }

    fn apply(&mut self, id: FileId, change: &record::FileChange<'_>) {
        self.stale.insert(id);
        let Some(file) = self.get_mut(id) else { return };
        for page in &change.mended {
            file.drop_damaged(*page);
        }
        if let Some(cut) = change.cut {
            file.set_length(cut.min(file.length));
        }
        // Length first: ranges of zeros reach as far as the file does.
        file.set_length(change.length);
        for (offset, length, bytes) in &change.ranges {
            match bytes {
                Some(bytes) => file.put(*offset, bytes),
                None => file.put_zeros(*offset, *length),
            }
        }
        // The journal says so already.
        file.changes.mended.clear();
    }
}
