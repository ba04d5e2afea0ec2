//! Blocks of a data message, each without the beginning that it shares with the one before.
//!
//! ```text
//! count │ (shared varint │ bytes: the rest)…          shared: bytes at the front that are those of the block before, all of them
//! ```
//! Entries that were written one after another begin alike: version, flags, time, most of a key. A single write of 100
//! bytes is 20 bytes shorter by this. There is one form for given blocks: packed if that is shorter, else plain.

use crate::{
    codec::{DecodeError, Reader, Writer},
    sync::limits::{MAX_BLOCK, MAX_BLOCKS, MAX_MESSAGE},
};

/// Whether the packed form is shorter than the plain one.
pub(super) fn saves(blocks: &[Vec<u8>]) -> bool {
    let (mut plain, mut packed) = (0_usize, 0_usize);
    for (block, shared) in with_shared(blocks) {
        let rest = block.len().saturating_sub(shared);
        plain = plain.saturating_add(Writer::count_length(block.len())).saturating_add(block.len());
        packed = packed
            .saturating_add(Writer::count_length(shared))
            .saturating_add(Writer::count_length(rest))
            .saturating_add(rest);
    }
    packed < plain
}

/// Writes the blocks.
pub(super) fn write(blocks: &[Vec<u8>], out: &mut Writer) {
    out.count(blocks.len());
    for (block, shared) in with_shared(blocks) {
        out.count(shared).bytes(block.get(shared..).unwrap_or_default());
    }
}

/// Reads them. All together they are not longer than a message may be, so that few bytes do not make many.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<Vec<Vec<u8>>, DecodeError> {
    let count = reader.count("blocks", MAX_BLOCKS)?;
    let mut blocks: Vec<Vec<u8>> = Vec::with_capacity(count.min(reader.remaining()));
    let mut room = MAX_MESSAGE;
    for _ in 0..count {
        let shared = reader.count("shared bytes", MAX_BLOCK)?;
        let rest = reader.bytes("block", MAX_BLOCK)?;
        let length = shared.saturating_add(rest.len());
        if length > MAX_BLOCK.min(room) {
            let [max, got] =
                [MAX_BLOCK.min(room), length].map(|size| u64::try_from(size).unwrap_or(u64::MAX));
            return Err(DecodeError::TooLarge { what: "block", max, got });
        }
        room = room.saturating_sub(length);
        let before = blocks.last().map(Vec::as_slice).unwrap_or_default();
        let front =
            before.get(..shared).ok_or(DecodeError::NotCanonical { what: "more shared than there is" })?;
        // One more byte would be shared, too.
        if before.get(shared).is_some_and(|next| rest.first() == Some(next)) {
            return Err(DecodeError::NotCanonical { what: "less shared than there is" });
        }
        let mut block = Vec::with_capacity(length);
        block.extend_from_slice(front);
        block.extend_from_slice(rest);
        blocks.push(block);
    }
    if saves(&blocks) { Ok(blocks) } else { Err(DecodeError::NotCanonical { what: "packed in vain" }) }
}

/// Each block, and how many of its first bytes are those of the one before.
fn with_shared(blocks: &[Vec<u8>]) -> impl Iterator<Item = (&[u8], usize)> {
    let mut before: &[u8] = &[];
    blocks.iter().map(move |block| {
        let same = before.iter().zip(block).take_while(|(one, two)| one == two).count();
        before = block;
        (block.as_slice(), same)
    })
}
