//! What a run says about one key: places that came, and entries whose places went.
//!
//! ```text
//! varint bytes shared with the key before │ varint more bytes │ those, UTF-8
//! varint 2 × places + (1: entries went)
//! [varint entries that went, each: varint writer │ varint index]
//! places, ascending, each: varint 2 × (writer − last writer) + (1: a removal) │ varint index, − the last one if of the
//!                          same writer │ varint operation
//! ```
//! The first record of a block shares nothing. Entries that went are to be taken from older runs.

use zeroize::Zeroizing;

use super::Place;
use crate::{
    codec::{DecodeError, Reader, Writer},
    collections::sort,
};

/// Writer and index of an entry, and whether its sealed part is meant or its public one.
pub(super) type Gone = (u32, u64, bool);

/// One key's part of a run.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Record {
    /// Wiped: it may be one that only sealed parts name.
    pub(super) key: Zeroizing<String>,
    /// Entries whose places in older runs are void.
    pub(super) gone: Vec<Gone>,
    pub(super) places: Vec<Place>,
}

impl Record {
    /// Puts a newer record of the same key on top.
    pub(super) fn add(&mut self, newer: Self) {
        if !newer.gone.is_empty() {
            self.places.retain(|place| !newer.gone.contains(&place.gone()));
            self.gone.extend(newer.gone);
        }
        self.places.extend(newer.places);
    }

    /// Bytes that it takes, about.
    pub(super) fn size(&self) -> u64 {
        let size = self.key.len() + 4 + 5 * self.places.len() + 5 * self.gone.len();
        u64::try_from(size).unwrap_or(u64::MAX)
    }

    /// Appends it to a block in which `before` is the last key.
    pub(super) fn encode(mut self, before: &str, out: &mut Writer) -> Zeroizing<String> {
        let bytes = self.key.as_bytes();
        let shared = bytes.iter().zip(before.as_bytes()).take_while(|(a, b)| a == b).count();
        let rest = bytes.get(shared..).unwrap_or_default();
        out.count(shared).bytes(rest);
        sort(&mut self.places);
        sort(&mut self.gone);
        self.gone.dedup();
        out.count(self.places.len() * 2 + usize::from(!self.gone.is_empty()));
        if !self.gone.is_empty() {
            out.count(self.gone.len());
            for (writer, index, _) in &self.gone {
                out.varint(u64::from(*writer)).varint(*index);
            }
        }
        let (mut writer, mut index) = (0, 0);
        for place in &self.places {
            let step = u64::from(place.writer.saturating_sub(writer));
            if step > 0 {
                index = 0;
            }
            out.varint(step * 2 + u64::from(place.delete));
            out.varint(place.index.saturating_sub(index)).varint(u64::from(place.op));
            (writer, index) = (place.writer, place.index);
        }
        self.key
    }

    /// Reads the next record of a block in which `before` is the last key. All in it is public, or all came out of sealed
    /// parts: a run is of one kind.
    pub(super) fn decode(before: &str, reader: &mut Reader<'_>, private: bool) -> Result<Self, DecodeError> {
        let shared = reader.count("shared bytes of a key", before.len())?;
        let rest = reader.bytes("key", MAX_BYTES)?;
        let mut key = Vec::with_capacity(shared + rest.len());
        key.extend_from_slice(before.as_bytes().get(..shared).unwrap_or_default());
        key.extend_from_slice(rest);
        let key = Zeroizing::new(String::from_utf8(key).map_err(|_| DecodeError::Utf8)?);
        let count = reader.count("places", MAX_BYTES)?;
        let mut gone = Vec::new();
        if count % 2 == 1 {
            for _ in 0..reader.count("entries that went", MAX_BYTES)? {
                gone.push((number(reader.varint()?)?, reader.varint()?, private));
            }
        }
        let mut places: Vec<Place> = Vec::with_capacity((count / 2).min(reader.remaining() / 3 + 1));
        let (mut writer, mut index) = (0_u32, 0_u64);
        for _ in 0..count / 2 {
            let step = reader.varint()?;
            if step > 1 {
                index = 0;
            }
            writer = writer.saturating_add(number(step / 2)?);
            index = index.saturating_add(reader.varint()?);
            let op = number(reader.varint()?)?;
            places.push(Place { writer, index, op, private, delete: step % 2 == 1 });
        }
        Ok(Self { key, gone, places })
    }
}

/// Most of anything in a run; what is stored was checked, this only keeps allocations in bounds.
const MAX_BYTES: usize = 1 << 30;

fn number(value: u64) -> Result<u32, DecodeError> {
    u32::try_from(value).map_err(|_| DecodeError::TooLarge {
        what: "number",
        max: u64::from(u32::MAX),
        got: value,
    })
}
