//! Which page records there are: what the last compaction left says it, so that opening lists no names.
//!
//! ```text
//! pages of the file ""
//! 0      sequence u64 │ checksum of the directory 16 │ varint its pages
//!        or, where it would be longer than MOST: sequence u64 │ checksums of the names of all page records, by XOR, 16
//! 1 …    the directory: varint files │ each: varint bytes shared with the name before │ varint more bytes │ those, UTF-8 │
//!        spans of its page records, as in `spans.rs`
//! ```
//! It is as long as there are files and gaps in them, not as there are pages. A record that it names and that is not there
//! is damaged. One that cannot be read costs a listing of all names, as does a database from before there were any.

use super::{Damage, PAGE_SIZE, PageKey, Residency, Rule, Spans, StorageError, page, wide};
use crate::{
    codec::{DecodeError, Reader, Writer},
    collections::sort_by,
    crypto::blake2b_128,
};

/// Pages of a directory: 256 KiB, thousands of feeds.
const MOST: usize = 16;

/// Most records of one group: what one request gives is in memory twice.
const MOST_AT_ONCE: usize = 256;

/// What the last compaction left.
pub(super) struct Compacted {
    /// Last journal sequence that is in the pages.
    pub(super) through: u64,
    pub(super) names: Names,
}

/// What is known of the names of page records.
pub(super) enum Names {
    /// The sum of all.
    Sum([u8; 16]),
    /// All, by file; how many pages tell them.
    All(Vec<(String, Spans)>, u64),
    /// That record is there, but cannot be read.
    Lost,
}

/// Reads what the last compaction left among these records.
pub(super) fn read(records: &[(PageKey, Vec<u8>)]) -> Result<Compacted, StorageError> {
    let record = |number| {
        let (key, record) = records.iter().find(|(key, _)| key.file.is_empty() && key.page == number)?;
        Some(page::decode(key, record).map(|(_, bytes)| bytes))
    };
    let Some(head) = record(0) else { return Ok(Compacted { through: 0, names: Names::Sum([0; 16]) }) };
    // Without it nobody knows which journal records the pages already hold.
    let damaged = |_| StorageError::Damaged { what: Damage::Compaction };
    let mut reader = Reader::new(head?);
    let through = reader.u64().map_err(damaged)?;
    let sum: [u8; 16] = reader.array().map_err(damaged)?;
    if reader.remaining() == 0 {
        return Ok(Compacted { through, names: Names::Sum(sum) });
    }
    let pages = reader.count("pages of the directory", MOST).map_err(damaged)?;
    reader.end().map_err(damaged)?;
    let mut bytes = Vec::new();
    for number in 1..=wide(pages) {
        match record(number) {
            Some(Ok(piece)) => bytes.extend_from_slice(piece),
            Some(Err(error @ StorageError::Version { .. })) => return Err(error),
            _ => return Ok(Compacted { through, names: Names::Lost }),
        }
    }
    let names = match decode(&bytes) {
        Ok(files) if sum == blake2b_128(&[&bytes]) => Names::All(files, wide(pages)),
        _ => Names::Lost,
    };
    Ok(Compacted { through, names })
}

fn decode(bytes: &[u8]) -> Result<Vec<(String, Spans)>, DecodeError> {
    let mut reader = Reader::new(bytes);
    let mut files: Vec<(String, Spans)> = Vec::new();
    for _ in 0..reader.count("files", bytes.len())? {
        let before = files.last().map_or("", |(name, _)| name.as_str());
        let shared = reader.count("shared bytes of a name", before.len())?;
        let mut name = before.as_bytes().get(..shared).unwrap_or_default().to_vec();
        name.extend_from_slice(reader.bytes("name", super::MAX_NAME)?);
        files.push((String::from_utf8(name).map_err(|_| DecodeError::Utf8)?, Spans::decode(&mut reader)?));
    }
    reader.end()?;
    Ok(files)
}

/// Adds the records that tell what there is to a compaction; `before`: how many pages told it until now. How many do now.
pub(super) fn write(
    through: u64,
    files: &[(&str, Spans)],
    before: u64,
    (puts, deletes): (&mut Vec<(PageKey, Vec<u8>)>, &mut Vec<PageKey>),
) -> u64 {
    let (mut list, mut last) = (Writer::new(), "");
    list.count(files.len());
    for (name, pages) in files {
        let shared = name.bytes().zip(last.bytes()).take_while(|(a, b)| a == b).count();
        list.count(shared).bytes(name.as_bytes().get(shared..).unwrap_or_default());
        pages.encode(&mut list);
        last = name;
    }
    let list = list.finish();
    let (mut head, mut pages) = (Writer::new(), list.len().div_ceil(PAGE_SIZE));
    head.u64(through);
    if pages <= MOST {
        head.raw(&blake2b_128(&[&list])).count(pages);
    } else {
        let mut names = [0; 16];
        for (name, pages) in files {
            pages.indexes().for_each(|page| page::add_name(&mut names, name, page));
        }
        pages = 0;
        head.raw(&names);
    }
    let chunks = core::iter::once(head.as_slice()).chain(list.chunks(PAGE_SIZE).take(pages));
    for (number, bytes) in (0..).zip(chunks) {
        let key = PageKey { file: String::new(), page: number };
        let length = wide(usize::try_from(number).unwrap_or(0).saturating_mul(PAGE_SIZE) + bytes.len());
        let record = page::encode(&key, length, bytes);
        puts.push((key, record));
    }
    let pages = wide(pages);
    deletes.extend((pages + 1..=before).map(|page| PageKey { file: String::new(), page }));
    pages
}

/// The page records that opening reads, besides those of the file "", which are given. In groups: between those of one
/// group there is no other, in the order of their names as text. `None` if all names have to be listed.
pub fn to_open(compacted: &[(PageKey, Vec<u8>)], rule: Rule) -> Option<Vec<Vec<PageKey>>> {
    let Ok(Compacted { names: Names::All(files, _), .. }) = read(compacted) else { return None };
    let (mut groups, mut joins): (Vec<Vec<PageKey>>, bool) = (Vec::new(), false);
    for (file, pages) in files {
        let Some((first, last)) = pages.reach() else { continue };
        let whole = first == last || rule(&file) == Residency::Always;
        let mut numbers: Vec<u64> = if whole { pages.indexes().collect() } else { vec![last] };
        sort_by(&mut numbers, |a, b| a.to_string().cmp(&b.to_string()));
        for page in numbers {
            let key = PageKey { file: file.clone(), page };
            match groups.last_mut().filter(|group| joins && whole && group.len() < MOST_AT_ONCE) {
                Some(group) => group.push(key),
                None => groups.push(vec![key]),
            }
            joins = whole;
        }
    }
    Some(groups)
}
