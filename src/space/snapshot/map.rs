//! The map of a snapshot: where everything is. And the pages of the index, which it names.
//!
//! ```text
//! map    version u8
//!        per feed of the head: varint segments, each: name 32 │ varint groups
//!                              the groups of its length, each: hash 32 │ varint bytes
//!                              varint entries with access operations, each: varint index − the last one
//!        varint runs, each: name 32 │ varint pages, each: bytes: its first key │ varint bytes │ H128 of it 16
//! page   per key, ascending: bytes: the key │ varint entries, each: varint feed, by its place in the head │ varint index
//! ```
//! A page ends behind a key whose hash says so, so that a key more changes one page, not all after it. So does a run.

use super::{FeedMap, MAX_FEEDS};
use crate::{
    codec::{DecodeError, Reader, Writer},
    crypto::{Hash, blake2b, blake2b_128},
    feed::GROUP,
    space::MAX_KEY,
};

/// What a key holds: places of feeds in the head, and indexes of entries.
pub(super) type Record = (String, Vec<(usize, u64)>);

/// A page of the index.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Page {
    pub(super) first: String,
    /// The file that it is in, from where to where.
    pub(super) run: Hash,
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) sum: [u8; 16],
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Map {
    pub(super) feeds: Vec<FeedMap>,
    /// Ascending by first key.
    pub(super) pages: Vec<Page>,
}

impl Map {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned();
        for feed in &self.feeds {
            out.count(feed.segments.len());
            for (name, groups) in &feed.segments {
                out.raw(&name.0).varint(*groups);
            }
            for (hash, size) in &feed.groups {
                out.raw(&hash.0).varint(*size);
            }
            out.count(feed.access.len());
            let mut last = 0;
            for index in &feed.access {
                out.varint(index - last);
                last = *index;
            }
        }
        let runs: Vec<&[Page]> = self.pages.chunk_by(|a, b| a.run == b.run).collect();
        out.count(runs.len());
        for run in runs {
            out.raw(&run.first().map_or(Hash([0; 32]), |page| page.run).0).count(run.len());
            for page in run {
                out.text(&page.first).varint(page.end - page.start).raw(&page.sum);
            }
        }
        out.finish()
    }

    /// Reads it; `lengths` of the feeds as the head has them.
    pub(super) fn decode(bytes: &[u8], lengths: &[u64]) -> Result<Self, DecodeError> {
        let mut reader = Reader::versioned(bytes)?;
        let mut map = Self::default();
        for length in lengths {
            let mut feed = FeedMap::default();
            for _ in 0..reader.count("segments", MAX_PLACES)? {
                feed.segments.push((Hash(reader.array()?), reader.varint()?));
            }
            // Each takes 33 bytes or more, so a wrong length ends with the bytes.
            for _ in 0..length.div_ceil(GROUP) {
                feed.groups.push((Hash(reader.array()?), reader.varint()?));
            }
            let mut last = 0_u64;
            for _ in 0..reader.count("access entries", MAX_PLACES)? {
                last = last.saturating_add(reader.varint()?);
                feed.access.push(last);
            }
            map.feeds.push(feed);
        }
        for _ in 0..reader.count("runs", MAX_PLACES)? {
            let (run, mut start) = (Hash(reader.array()?), 0_u64);
            for _ in 0..reader.count("pages", MAX_PLACES)? {
                let first = reader.text("key", MAX_KEY)?.to_owned();
                if map.pages.last().is_some_and(|last| last.first >= first) {
                    return Err(DecodeError::NotCanonical { what: "pages out of order" });
                }
                let end = start.saturating_add(u64::try_from(reader.count("page", MAX_PAGE)?).unwrap_or(0));
                map.pages.push(Page { first, run, start, end, sum: reader.array()? });
                start = end;
            }
        }
        reader.end()?;
        Ok(map)
    }
}

/// Reads a page, if it is the one that its sum says.
pub(super) fn read_page(page: &Page, bytes: &[u8]) -> Option<Vec<Record>> {
    if blake2b_128(&[bytes]) != page.sum {
        return None;
    }
    let mut reader = Reader::new(bytes);
    let mut records: Vec<Record> = Vec::new();
    while reader.remaining() > 0 {
        let key = reader.text("key", MAX_KEY).ok()?.to_owned();
        let mut places = Vec::new();
        for _ in 0..reader.count("entries", MAX_PLACES).ok()? {
            places.push((reader.count("feed", MAX_FEEDS).ok()?, reader.varint().ok()?));
        }
        records.push((key, places));
    }
    Some(records)
}

/// Lays keys, ascending, out in runs of pages: the files, and the pages that they hold.
pub(super) fn lay_out(records: impl Iterator<Item = Record>) -> (Vec<Vec<u8>>, Vec<Page>) {
    let (mut files, mut pages) = (Vec::new(), Vec::new());
    let (mut run, mut page) = (Writer::new(), Writer::new());
    let mut mine: Vec<Page> = Vec::new();
    let mut first: Option<String> = None;
    let mut close_page = |page: &mut Writer, run: &mut Writer, first: &mut Option<String>, end_run: bool| {
        if let Some(first) = first.take() {
            let bytes = core::mem::take(page).finish();
            let start = wide(run.len());
            let (end, sum) = (start.saturating_add(wide(bytes.len())), blake2b_128(&[&bytes]));
            run.raw(&bytes);
            mine.push(Page { first, run: Hash([0; 32]), start, end, sum });
        }
        if (end_run || run.len() >= MAX_RUN) && !run.is_empty() {
            let bytes = core::mem::take(run).finish();
            let name = blake2b(&[&bytes]);
            pages.extend(mine.drain(..).map(|page| Page { run: name, ..page }));
            files.push(bytes);
        }
    };
    for (key, places) in records {
        page.text(&key).count(places.len());
        for (feed, index) in places {
            page.count(feed).varint(index);
        }
        let mixed =
            key.bytes().fold(0x811c_9dc5_u32, |sum, byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        first.get_or_insert(key);
        let ends = page.len() >= MIN_PAGE && (mixed >> 8) % 32 == 0;
        if ends || page.len() >= LONG_PAGE {
            close_page(&mut page, &mut run, &mut first, ends && (mixed >> 16) % 32 == 0);
        }
    }
    close_page(&mut page, &mut run, &mut first, true);
    (files, pages)
}

fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// Most of anything in a list.
const MAX_PLACES: usize = 1 << 24;
/// A page is not ended before this many bytes, and ends at that many or with the key after.
const MIN_PAGE: usize = 2048;
const LONG_PAGE: usize = 16 * 1024;
/// Largest page: a key in conflict may have many places.
const MAX_PAGE: usize = 4 << 20;
/// A run ends at this many bytes.
const MAX_RUN: usize = 1 << 20;
