//! Reading a snapshot: a pure planner. Asked for keys, it answers, or says which parts of which files it needs first.
//!
//! ```text
//! list(range) ──▶ Fetch(pieces) ──(the owner gets them)──▶ take(piece, bytes), each ──▶ list(range) again ──▶ Items
//! ```
//! What is taken is verified before it is kept: map and pages by the signed head, leaves by the tree, blocks by proof
//! against their feed's signed head. A piece that is wrong is refused, and what needs it is left out of the answer, unless
//! it says who may write: then there is no answer.

use super::{SnapshotError, SnapshotHead, gather::Held, map::Page, map::Record, map::read_page};
use crate::{
    collections::{Map, Set},
    crypto::{Hash, PublicKey, blake2b},
    feed::Groups,
    space::{Item, Range, Space, SpaceError},
    storage::Files,
};

/// A part of a file.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Piece {
    /// The file's name.
    pub file: Hash,
    /// First byte.
    pub start: u64,
    /// The byte after the last.
    pub end: u64,
}

/// What came of a question.
#[derive(Clone, Debug, PartialEq)]
pub enum Listing {
    /// These are needed first.
    Fetch(Vec<Piece>),
    /// The answer.
    Items(Vec<Item>),
}

/// What a piece is.
#[derive(Clone, Debug)]
pub(super) enum What {
    Map,
    Page(usize),
    Leaves(usize, u64),
    Blocks(usize, core::ops::Range<u64>),
}

/// A snapshot that is read. In memory is what was fetched of it.
pub struct SnapshotReader {
    pub(super) head: SnapshotHead,
    pub(super) files: Files,
    pub(super) feeds: Vec<Held>,
    pages: Option<Vec<Page>>,
    read: Map<usize, Vec<Record>>,
    bad_pages: Set<usize>,
    bad_map: bool,
    /// Pages to fetch for the question that was asked last.
    missing: Set<usize>,
    asked: Vec<(Piece, What)>,
    /// Entries that the space was judged by, and the space.
    pub(super) judged: Option<(Map<PublicKey, Set<u64>>, Space)>,
}

impl SnapshotReader {
    /// Begins with the head file. `known` are feed lengths that earlier snapshots of this space had.
    pub fn open(space: PublicKey, head: &[u8], known: &[(PublicKey, u64)]) -> Result<Self, SnapshotError> {
        let head = SnapshotHead::open(head)?;
        if head.space != space {
            return Err(SnapshotError::OtherSpace { expected: space, got: head.space });
        }
        for (writer, known) in known {
            let got = head.feeds.iter().find(|(feed, _)| feed == writer).map_or(0, |(_, head)| head.length);
            if got < *known {
                return Err(SnapshotError::Older { writer: *writer, known: *known, got });
            }
        }
        let mut files = Files::new();
        let mut begun = Space::open_sparse(&mut files, space, &Map::new())?;
        for record in &head.records {
            begun.add_record(&mut files, record)?;
        }
        if !head.manifest.is_empty() {
            begun.add_manifest(&mut files, &head.manifest)?;
        }
        Ok(Self {
            head,
            files,
            feeds: Vec::new(),
            pages: None,
            read: Map::new(),
            bad_pages: Set::new(),
            bad_map: false,
            missing: Set::new(),
            asked: Vec::new(),
            judged: None,
        })
    }

    /// The head.
    pub const fn head(&self) -> &SnapshotHead {
        &self.head
    }

    /// The public values of a range of keys.
    pub fn list(&mut self, range: &Range) -> Result<Listing, SnapshotError> {
        self.forget_wants();
        if self.pages.is_none() {
            let (file, end) = self.head.map;
            if self.bad_map || end > u64::try_from(super::MAX_HEAD).unwrap_or(0) {
                return Err(SnapshotError::Damaged { what: "the map", file });
            }
            return Ok(self.fetch(vec![(Piece { file, start: 0, end }, What::Map)]));
        }
        // In the same round as the pages of the index.
        self.gather(&[])?;
        let limit = range.limit.unwrap_or(usize::MAX);
        let mut most = limit;
        loop {
            let candidates = self.candidates(range, most);
            let usable = self.gather(&candidates)?;
            let wants = self.wants();
            if !wants.is_empty() {
                return Ok(self.fetch(wants));
            }
            let mut items = Vec::new();
            for (key, places) in usable {
                if items.len() < limit {
                    // A removal may win over a value that it has not seen.
                    items.extend(self.item(&key, &places)?.filter(|item| item.value.is_some()));
                }
            }
            if items.len() >= limit || candidates.len() < most {
                return Ok(Listing::Items(items));
            }
            most = most.saturating_add(limit - items.len());
        }
    }

    /// The public value of one key.
    pub fn get(&mut self, key: &str) -> Result<Listing, SnapshotError> {
        let key = Some(key.to_owned());
        self.list(&Range { gte: key.clone(), lte: key, limit: Some(1), ..Range::default() })
    }

    /// Takes a piece that was asked for; others are ignored. An error says that it is wrong: it will not be asked for again.
    pub fn take(&mut self, piece: &Piece, bytes: &[u8]) -> Result<(), SnapshotError> {
        let Some(at) = self.asked.iter().position(|(asked, _)| asked == piece) else { return Ok(()) };
        let (_, what) = self.asked.swap_remove(at);
        let damaged = |what| SnapshotError::Damaged { what, file: piece.file };
        let whole = u64::try_from(bytes.len()).ok() == piece.end.checked_sub(piece.start);
        match what {
            What::Map => {
                if !whole || blake2b(&[bytes]) != piece.file || self.take_map(bytes).is_none() {
                    self.bad_map = true;
                    return Err(damaged("the map"));
                }
            }
            What::Page(number) => {
                let page = self.pages.as_ref().and_then(|pages| pages.get(number));
                let Some(records) = page.and_then(|page| read_page(page, bytes)) else {
                    self.bad_pages.insert(number);
                    return Err(damaged("a page of the index"));
                };
                self.read.insert(number, records);
            }
            What::Leaves(feed, group) => {
                let held = self.feeds.get_mut(feed).ok_or_else(|| damaged("a feed"))?;
                held.take_leaves(group, bytes).ok_or_else(|| damaged("the leaves of 256 entries"))?;
            }
            What::Blocks(feed, blocks) => {
                let held = self.feeds.get_mut(feed).ok_or_else(|| damaged("a feed"))?;
                let wrong = held.take_blocks(&mut self.files, blocks, bytes).map_err(SpaceError::from)?;
                self.judged = None;
                if wrong {
                    return Err(damaged("an entry"));
                }
            }
        }
        Ok(())
    }

    fn take_map(&mut self, bytes: &[u8]) -> Option<()> {
        let lengths: Vec<u64> = self.head.feeds.iter().map(|(_, head)| head.length).collect();
        let map = super::map::Map::decode(bytes, &lengths).ok()?;
        for ((key, head), map) in self.head.feeds.iter().zip(map.feeds) {
            let tree = Groups::new(head.length, map.groups.clone())?;
            self.feeds.push(Held::open(&mut self.files, *key, *head, map, tree).ok()?);
        }
        self.pages = Some(map.pages);
        Some(())
    }

    fn fetch(&mut self, pieces: Vec<(Piece, What)>) -> Listing {
        self.asked = pieces;
        Listing::Fetch(self.asked.iter().map(|(piece, _)| *piece).collect())
    }

    fn forget_wants(&mut self) {
        self.missing.clear();
        self.feeds.iter_mut().for_each(Held::forget_wants);
    }

    fn wants(&self) -> Vec<(Piece, What)> {
        let pages = self.pages.as_deref().unwrap_or_default();
        let page = |number: &usize| {
            let page = pages.get(*number)?;
            Some((Piece { file: page.run, start: page.start, end: page.end }, What::Page(*number)))
        };
        let mut wants: Vec<_> = self.missing.iter().filter_map(page).collect();
        for (place, held) in self.feeds.iter().enumerate() {
            held.wants(place, &mut wants);
        }
        wants
    }

    /// The first keys of a range, as the index has them, at most so many. Notes pages that are missing.
    fn candidates(&mut self, range: &Range, most: usize) -> Vec<Record> {
        let pages = self.pages.as_deref().unwrap_or_default();
        let mut numbers: Vec<usize> = (0..pages.len()).collect();
        if range.reverse {
            numbers.reverse();
        }
        let mut found = Vec::new();
        for number in numbers {
            let first = pages.get(number).map(|page| page.first.as_str());
            let next = pages.get(number + 1).map(|page| page.first.as_str());
            if !range.meets(first, next) {
                continue;
            }
            if found.len() >= most {
                break;
            }
            let Some(records) = self.read.get(&number) else {
                if self.bad_pages.contains(&number) {
                    continue;
                }
                self.missing.insert(number);
                if range.limit.is_some() {
                    break;
                }
                continue;
            };
            let mut mine: Vec<&Record> = records.iter().filter(|(key, _)| range.contains(key)).collect();
            if range.reverse {
                mine.reverse();
            }
            found.extend(mine.into_iter().take(most - found.len()).cloned());
        }
        found
    }
}
