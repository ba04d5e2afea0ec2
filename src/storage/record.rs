//! The journal record: all that changed in one batch.

use super::{Damage, MAX_NAME, StorageError, changes::Kind};
use crate::{
    codec::{DecodeError, Reader, VERSION, Writer},
    crypto::blake2b_128,
};

/// What a batch does to one file, in the order of the fields.
#[derive(Debug)]
pub(super) struct FileChange<'a> {
    pub(super) name: &'a str,
    pub(super) mended: Vec<u64>,
    pub(super) cut: Option<u64>,
    pub(super) length: u64,
    /// Offset, length, bytes (`None`: zeros).
    pub(super) ranges: Vec<(u64, u64, Option<&'a [u8]>)>,
}

/// A record to be: room for the checksum, the body to follow.
pub(super) fn begin() -> Writer {
    let mut writer = Writer::versioned();
    writer.raw(&[0; 16]);
    writer
}

/// Puts the checksum into its room.
pub(super) fn seal(seq: u64, record: Writer) -> Vec<u8> {
    let mut record = record.finish();
    if let Some((_, rest)) = record.split_first_mut()
        && let Some((sum, body)) = rest.split_first_chunk_mut::<16>()
    {
        *sum = checksum(VERSION, seq, body);
    }
    record
}

/// Writes the head of a range; the bytes of a [`Kind::Bytes`] range follow.
pub(super) fn range(body: &mut Writer, offset: u64, length: u64, kind: Kind) {
    body.u8(u8::from(kind == Kind::Bytes)).varint(offset).varint(length);
}

/// Checks and decodes a whole record before any of it is applied.
pub(super) fn decode(seq: u64, record: &[u8]) -> Result<Vec<FileChange<'_>>, StorageError> {
    let what = Damage::Journal { seq };
    let damaged = || StorageError::Damaged { what: Damage::Journal { seq } };
    let mut reader = Reader::new(record);
    let version = reader.u8().map_err(|_| damaged())?;
    let sum: [u8; 16] = reader.array().map_err(|_| damaged())?;
    let body = reader.rest();
    if sum != checksum(version, seq, body) {
        return Err(damaged());
    }
    if version != VERSION {
        return Err(StorageError::Version { what, expected: VERSION, got: version });
    }
    read_body(body).map_err(|_| damaged())
}

fn read_body(body: &[u8]) -> Result<Vec<FileChange<'_>>, DecodeError> {
    let mut reader = Reader::new(body);
    let mut files = Vec::new();
    // Nothing is allocated ahead: every element takes bytes that must be there.
    for _ in 0..reader.varint()? {
        let name = reader.text("file name", MAX_NAME)?;
        let mut mended = Vec::new();
        for _ in 0..reader.varint()? {
            mended.push(reader.varint()?);
        }
        let cut = match reader.u8()? {
            0 => None,
            1 => Some(reader.varint()?),
            got => return Err(DecodeError::Unknown { what: "cut", got: got.into() }),
        };
        let length = reader.varint()?;
        let mut ranges = Vec::new();
        for _ in 0..reader.varint()? {
            let kind = reader.u8()?;
            let (offset, size) = (reader.varint()?, reader.varint()?);
            if offset.saturating_add(size) > length {
                return Err(DecodeError::TooLarge { what: "end of range", max: length, got: offset });
            }
            let bytes = match kind {
                0 => None,
                1 => {
                    let have = reader.remaining();
                    let size = usize::try_from(size)
                        .map_err(|_| DecodeError::Ended { expected: have, got: have })?;
                    Some(reader.raw(size)?)
                }
                got => return Err(DecodeError::Unknown { what: "range", got: got.into() }),
            };
            ranges.push((offset, size, bytes));
        }
        files.push(FileChange { name, mended, cut, length, ranges });
    }
    reader.end()?;
    Ok(files)
}

fn checksum(version: u8, seq: u64, body: &[u8]) -> [u8; 16] {
    blake2b_128(&[&[version], &seq.to_le_bytes(), body])
}
