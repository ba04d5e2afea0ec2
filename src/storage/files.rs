//! All files of a node, and what of them is to be committed.

use super::{
    Damage, JOURNAL_LIMIT, MAX_NAME, PageKey, Spans, StorageError,
    changes::{Changes, Kind},
    directory,
    file::File,
    lazy::Lazy,
    record, wide,
};
use crate::codec::Writer;
use crate::collections::{Map, Set};

/// Names a file of these [`Files`] for as long as they live, also while it does not exist.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FileId(pub(super) usize);

/// Whether a commit has to survive the machine's going down, or only the browser's.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Durability {
    /// It is on the disk when it is reported. What nobody else has must be: keys, what was written here, own heads.
    #[default]
    Strict,
    /// Handed to the system when it is reported. What is lost is lost from the end, and others have it.
    Relaxed,
}

/// One journal record: everything since the last batch or compaction.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Batch {
    /// Its key in the journal: one more than the last.
    pub seq: u64,
    /// What to store there.
    pub record: Vec<u8>,
    /// How.
    pub durability: Durability,
}

/// Page records that take the place of the journal. All of it is one transaction.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Compaction {
    /// Page records to write.
    pub puts: Vec<(PageKey, Vec<u8>)>,
    /// Page records to delete.
    pub deletes: Vec<PageKey>,
    /// Journal records up to this sequence are to be deleted.
    pub through: u64,
}

impl Compaction {
    /// Bytes of the records that it writes.
    pub fn bytes(&self) -> usize {
        self.puts.iter().map(|(_, record)| record.len()).sum()
    }
}

/// What is to be made durable next.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Commit {
    /// Add a journal record.
    Batch(Batch),
    /// Write pages and shorten the journal.
    Compaction(Compaction),
}

impl Commit {
    /// How it is to be stored. Pages take the place of records of either kind, so they are strict.
    pub const fn durability(&self) -> Durability {
        match self {
            Self::Batch(batch) => batch.durability,
            Self::Compaction(_) => Durability::Strict,
        }
    }

    /// The sequence to report with [`Files::committed`].
    pub const fn seq(&self) -> u64 {
        match self {
            Self::Batch(batch) => batch.seq,
            Self::Compaction(compaction) => compaction.through,
        }
    }
}

/// All files of a node. What is needed all the time is in memory, of the rest what was read last: see `lazy.rs`.
#[derive(Debug)]
pub struct Files {
    pub(super) names: Map<String, FileId>,
    pub(super) files: Vec<File>,
    /// Files changed since the last batch.
    pending: Set<FileId>,
    /// Files changed since the last compaction.
    pub(super) stale: Set<FileId>,
    pub(super) next_seq: u64,
    /// Last sequence known to be durable.
    pub(super) durable: u64,
    /// Pages of the directory that is stored.
    pub(super) directory: u64,
    /// Bytes of journal since the last compaction.
    pub(super) journal: u64,
    /// Bytes of it after which it is folded into pages.
    limit: u64,
    pub(super) damage: Vec<Damage>,
    /// Of it, what was healed and not yet told.
    healed: Vec<Damage>,
    pub(super) lazy: Lazy,
    /// The journal ended in its middle: until all is pages, nothing may be added to it.
    pub(super) torn: bool,
}

impl Default for Files {
    fn default() -> Self {
        Self {
            names: Map::new(),
            files: Vec::new(),
            pending: Set::new(),
            stale: Set::new(),
            // Sequence 0 is "nothing": so `through` and `durable` need no option.
            next_seq: 1,
            durable: 0,
            directory: 0,
            journal: 0,
            limit: JOURNAL_LIMIT,
            damage: Vec::new(),
            healed: Vec::new(),
            lazy: Lazy::default(),
            torn: false,
        }
    }
}

impl Files {
    /// No files at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// Folds the journal into pages after so many bytes, in place of [`JOURNAL_LIMIT`].
    #[cfg(test)]
    pub(crate) const fn set_journal_limit(&mut self, bytes: u64) {
        self.limit = bytes;
    }

    /// The id of a name. Does not make the file exist: writing does.
    pub fn file(&mut self, name: &str) -> FileId {
        if let Some(id) = self.names.get(name) {
            return *id;
        }
        let id = FileId(self.files.len());
        let residency = self.lazy.residency(name);
        self.files.push(File { name: name.to_owned(), residency, ..File::default() });
        self.names.insert(name.to_owned(), id);
        id
    }

    /// Whether the file has at least one byte.
    pub fn exists(&self, name: &str) -> bool {
        self.names.get(name).is_some_and(|id| self.len(*id) > 0)
    }

    /// Names of existing files that begin with `prefix`, in order.
    pub fn names(&self, prefix: &str) -> Vec<String> {
        self.names
            .range(prefix.to_owned()..)
            .take_while(|(name, _)| name.starts_with(prefix))
            .filter(|(_, id)| self.len(**id) > 0)
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// Length in bytes; 0 if it does not exist.
    pub fn len(&self, file: FileId) -> u64 {
        self.files.get(file.0).map_or(0, |file| file.length)
    }

    /// Whether no file exists.
    pub fn is_empty(&self) -> bool {
        self.files.iter().all(|file| file.length == 0)
    }

    /// `length` bytes from `offset`. [`StorageError::OutOfRange`] past the end, before anything is allocated.
    pub fn read(&self, file: FileId, offset: u64, length: usize) -> Result<Vec<u8>, StorageError> {
        let file = self.get(file)?;
        file.check_range(offset, wide(length))?;
        let mut out = vec![0; length];
        self.lazy.note(file.read(offset, &mut out, self.lazy.now()))?;
        Ok(out)
    }

    /// Fills `out` from `offset` on.
    pub fn read_into(&self, file: FileId, offset: u64, out: &mut [u8]) -> Result<(), StorageError> {
        self.lazy.note(self.get(file)?.read(offset, out, self.lazy.now()))
    }

    /// Byte ranges, page by page and in order, outside which the file is zeros.
    pub fn extents(&self, file: FileId) -> Vec<core::ops::Range<u64>> {
        let Ok(file) = self.get(file) else { return Vec::new() };
        file.filled()
            .indexes()
            .map(|page| {
                let start = page.saturating_mul(super::PAGE);
                start..start.saturating_add(super::PAGE).min(file.length)
            })
            .collect()
    }

    /// Writes; past the end, what lies between is zeros (and takes no room).
    pub fn write(&mut self, file: FileId, offset: u64, bytes: &[u8]) -> Result<(), StorageError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let target = self.files.get_mut(file.0).ok_or(StorageError::NoFile)?;
        if target.length == 0 && !(1..=MAX_NAME).contains(&target.name.len()) {
            return Err(StorageError::Name { max: MAX_NAME, got: target.name.len() });
        }
        target.write(offset, bytes)?;
        self.touch(file);
        Ok(())
    }

    /// Zeros `length` bytes from `offset`, as far as the file goes, and gives whole pages back.
    pub fn clear(&mut self, file: FileId, offset: u64, length: u64) -> Result<(), StorageError> {
        self.files.get_mut(file.0).ok_or(StorageError::NoFile)?.clear(offset, length)?;
        self.touch(file);
        Ok(())
    }

    /// Shortens a file; a length beyond its end changes nothing.
    pub fn truncate(&mut self, file: FileId, length: u64) {
        if let Some(target) = self.files.get_mut(file.0).filter(|target| length < target.length) {
            target.truncate(length);
            self.touch(file);
        }
    }

    /// Deletes a file. Its id stays good: writing makes it exist again.
    pub fn delete(&mut self, name: &str) {
        if let Some(id) = self.names.get(name).copied() {
            self.truncate(id, 0);
        }
    }

    /// What was found damaged on loading and not healed since: pages, or the end of the journal.
    pub fn damage(&self) -> &[Damage] {
        &self.damage
    }

    /// All that was found damaged so far, healed or not, to be told to the person once.
    pub fn take_found(&mut self) -> Vec<Damage> {
        let mut found = core::mem::take(&mut self.healed);
        found.extend_from_slice(&self.damage);
        found
    }

    /// Whether page records have gone: then zeros may stand where something was written, in any file.
    pub fn is_incomplete(&self) -> bool {
        self.damage.contains(&Damage::Pages)
    }

    /// Whether pages of a file are damaged and not healed.
    pub fn is_damaged(&self, file: FileId) -> bool {
        self.get(file).is_ok_and(|file| file.damaged > 0)
    }

    /// Whether every page of a range has a record, here or on the disk: of these none can have gone unseen.
    pub fn is_recorded(&self, file: FileId, offset: u64, length: u64) -> bool {
        self.get(file).is_ok_and(|file| file.is_recorded(offset, length))
    }

    /// Whether journal records were lost that others followed: what was written last may be gone, and the next commit has to
    /// be a [`Files::checkpoint`].
    pub const fn is_torn(&self) -> bool {
        self.torn
    }

    /// Makes a file's damaged pages zeros, so that they can be written again; the byte ranges that were lost.
    pub fn heal(&mut self, file: FileId) -> Vec<core::ops::Range<u64>> {
        let Some(target) = self.files.get_mut(file.0).filter(|target| target.damaged > 0) else {
            return Vec::new();
        };
        let lost = target.heal();
        let name = &target.name;
        let of_it = |damage: &Damage| matches!(damage, Damage::Page { file, .. } if file == name);
        self.healed.extend(self.damage.iter().filter(|damage| of_it(damage)).cloned());
        self.damage.retain(|damage| !of_it(damage));
        self.touch(file);
        lost
    }

    /// Bytes of a journal record of all that is pending, about.
    pub fn pending_bytes(&self) -> u64 {
        let bytes = |id: &FileId| self.files.get(id.0).map_or(0, |file| file.changes.bytes());
        self.pending.iter().map(bytes).sum()
    }

    /// Everything since the last batch or compaction as one journal record; `None` if nothing changed.
    pub fn take_batch(&mut self) -> Option<Batch> {
        self.take_batch_where(&|_| false)
    }

    /// The same; it is relaxed if `may_relax` says so of the name of every file that changed.
    ///
    /// `None` also while the journal is torn ([`Files::is_torn`]): then only [`Files::checkpoint`] may follow.
    pub fn take_batch_where(&mut self, may_relax: &dyn Fn(&str) -> bool) -> Option<Batch> {
        if self.pending.is_empty() || self.torn {
            return None;
        }
        let relaxed = self.pending.iter().all(|id| self.get(*id).is_ok_and(|file| may_relax(&file.name)));
        let durability = if relaxed { Durability::Relaxed } else { Durability::Strict };
        let mut body = record::begin();
        body.count(self.pending.len());
        for id in core::mem::take(&mut self.pending) {
            if let Some(file) = self.files.get_mut(id.0) {
                let changes = core::mem::take(&mut file.changes);
                body.reserve(usize::try_from(changes.bytes()).unwrap_or_default());
                write_changes(&mut body, file, &changes);
            }
        }
        let seq = self.take_seq();
        let record = record::seal(seq, body);
        self.journal = self.journal.saturating_add(wide(record.len()));
        Some(Batch { seq, record, durability })
    }

    /// Whether [`Files::compaction`] has something to do.
    pub fn is_compaction_due(&self) -> bool {
        self.torn || self.journal > self.limit || self.is_incomplete()
    }

    /// All that was taken so far as page records, when the journal has grown past [`JOURNAL_LIMIT`] or `force` is set.
    ///
    /// `None` while something is pending: take that first. It makes the batches before it superfluous, also those that
    /// are still on their way: should it overtake them, they are ignored when loading.
    pub fn compaction(&mut self, force: bool) -> Option<Compaction> {
        if !(force || self.is_compaction_due()) || !self.pending.is_empty() {
            return None;
        }
        self.checkpoint()
    }

    /// Everything so far as page records, with what is pending; `None` if the pages say all already.
    ///
    /// It is itself a commit: `through` is then a sequence of its own, and what was pending is durable when this is.
    pub fn checkpoint(&mut self) -> Option<Compaction> {
        if self.stale.is_empty() && self.journal == 0 && !self.is_incomplete() && !self.torn {
            return None;
        }
        // A record is all of a page.
        if self.want_unfoldable() {
            return None;
        }
        (self.torn, self.lazy.due) = (false, true);
        // From here on the records that are there are all there are.
        self.damage.retain(|damage| *damage != Damage::Pages);
        // Of its own, so that it can be told when the records are durable.
        let through = self.take_seq();
        for id in core::mem::take(&mut self.pending) {
            if let Some(file) = self.files.get_mut(id.0) {
                file.changes = Changes::default();
            }
        }
        let (mut puts, mut deletes) = (Vec::new(), Vec::new());
        for id in core::mem::take(&mut self.stale) {
            if let Some(file) = self.files.get_mut(id.0) {
                file.fold(through, &mut puts, &mut deletes);
            }
        }
        let files: Vec<(&str, Spans)> = self
            .names
            .iter()
            .filter_map(|(name, id)| Some((name.as_str(), self.files.get(id.0)?.stored())))
            .filter(|(_, pages)| !pages.is_empty())
            .collect();
        self.directory = directory::write(through, &files, self.directory, (&mut puts, &mut deletes));
        self.journal = 0;
        Some(Compaction { puts, deletes, through })
    }

    /// What is to be made durable next: a batch, or pages at once if the journal would grow past its limit.
    pub fn take_commit(&mut self) -> Option<Commit> {
        if self.pending.is_empty() && self.journal <= self.limit {
            return None;
        }
        if (self.torn || self.journal.saturating_add(self.pending_bytes()) > self.limit)
            && let Some(compaction) = self.checkpoint()
        {
            return Some(Commit::Compaction(compaction));
        }
        self.take_batch().map(Commit::Batch)
    }

    /// Notes that everything up to this sequence is durable.
    pub fn committed(&mut self, seq: u64) {
        self.durable = self.durable.max(seq.min(self.next_seq.saturating_sub(1)));
    }

    /// Last sequence known to be durable; 0 for none.
    pub const fn durable(&self) -> u64 {
        self.durable
    }

    /// Last sequence taken as batch or compaction; 0 for none.
    pub const fn taken(&self) -> u64 {
        self.next_seq.saturating_sub(1)
    }

    /// Whether something changed that was not taken yet.
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    pub(super) fn get(&self, file: FileId) -> Result<&File, StorageError> {
        self.files.get(file.0).ok_or(StorageError::NoFile)
    }

    pub(super) fn get_mut(&mut self, file: FileId) -> Option<&mut File> {
        self.files.get_mut(file.0)
    }

    fn touch(&mut self, file: FileId) {
        self.pending.insert(file);
        self.stale.insert(file);
    }

    fn take_seq(&mut self) -> u64 {
        let seq = self.next_seq;
        self.next_seq = seq.saturating_add(1);
        seq
    }
}

/// Writes what changed in one file, with its bytes as they are now.
fn write_changes(body: &mut Writer, file: &File, changes: &Changes) {
    body.text(&file.name).count(changes.mended.len());
    for page in &changes.mended {
        body.varint(*page);
    }
    match changes.cut {
        None => body.u8(0),
        Some(cut) => body.u8(1).varint(cut),
    };
    body.varint(file.length).count(changes.count());
    for (start, end, kind) in changes.ranges() {
        record::range(body, start, end - start, kind);
        if kind == Kind::Bytes {
            file.each(start, end - start, |bytes| {
                body.raw(bytes);
            });
        }
    }
}
