//! Which blocks are held. Room grows with what is held, not with the feed's length.

use core::ops::Range;

use crate::collections::Map;
use crate::storage::{FileId, Files, StorageError};

/// Bytes of a chunk of bits.
const CHUNK: u64 = 4096;

/// A sparse set of block indexes. Bit `i % 8` of byte `i / 8`.
#[derive(Clone, Debug, Default)]
pub(super) struct Bitfield(Map<u64, Vec<u8>>);

impl Bitfield {
    pub(super) fn load(files: &Files, file: FileId) -> Result<Self, StorageError> {
        let mut chunks = Map::new();
        for extent in files.extents(file) {
            let mut at = extent.start;
            while at < extent.end {
                let size = usize::try_from(CHUNK.min(extent.end - at)).unwrap_or(0);
                let mut chunk = files.read(file, at, size)?;
                if chunk.iter().any(|byte| *byte != 0) {
                    chunk.resize(usize::try_from(CHUNK).unwrap_or(size), 0);
                    chunks.insert(at / CHUNK, chunk);
                }
                at += CHUNK;
            }
        }
        Ok(Self(chunks))
    }

    pub(super) fn get(&self, index: u64) -> bool {
        self.byte(index / 8) & bit(index) != 0
    }

    /// Sets or clears a range, also in the file.
    pub(super) fn set(
        &mut self,
        files: &mut Files,
        file: FileId,
        range: Range<u64>,
        held: bool,
    ) -> Result<(), StorageError> {
        if range.is_empty() {
            return Ok(());
        }
        let (first, last) = (range.start / 8, (range.end - 1) / 8);
        let mut at = first;
        while at <= last {
            let end = (at / CHUNK + 1).saturating_mul(CHUNK).min(last + 1);
            let chunk =
                self.0.entry(at / CHUNK).or_insert_with(|| vec![0; usize::try_from(CHUNK).unwrap_or(0)]);
            let inside = |byte: u64| usize::try_from(byte - at / CHUNK * CHUNK).unwrap_or(usize::MAX);
            if let Some(bytes) = chunk.get_mut(inside(at)..inside(end)) {
                for (number, byte) in (at..end).zip(bytes.iter_mut()) {
                    let mask = mask(number, &range);
                    *byte = if held { *byte | mask } else { *byte & !mask };
                }
                files.write(file, at, bytes)?;
            }
            at = end;
        }
        Ok(())
    }

    /// First index from `from` on that is not set.
    pub(super) fn next_clear(&self, from: u64) -> u64 {
        let mut index = from;
        loop {
            let Some(chunk) = self.0.get(&(index / 8 / CHUNK)) else { return index };
            let start = usize::try_from(index / 8 % CHUNK).unwrap_or(0);
            for byte in chunk.get(start..).unwrap_or_default() {
                // Bits before the index count as set.
                let ones = (byte | !(0xff << (index % 8))).trailing_ones();
                if ones < 8 {
                    return index / 8 * 8 + u64::from(ones);
                }
                index = (index / 8 + 1) * 8;
            }
        }
    }

    /// First index from `from` on that is set.
    pub(super) fn next_set(&self, from: u64) -> Option<u64> {
        let first_chunk = from / 8 / CHUNK;
        for (number, chunk) in self.0.range(first_chunk..) {
            let mut index = from.max(number.saturating_mul(CHUNK * 8));
            let start = usize::try_from(index / 8 % CHUNK).unwrap_or(0);
            for byte in chunk.get(start..).unwrap_or_default() {
                let zeros = (byte & (0xff << (index % 8))).trailing_zeros();
                if zeros < 8 {
                    return Some(index / 8 * 8 + u64::from(zeros));
                }
                index = (index / 8 + 1) * 8;
            }
        }
        None
    }

    fn byte(&self, number: u64) -> u8 {
        let inside = usize::try_from(number % CHUNK).unwrap_or(0);
        self.0.get(&(number / CHUNK)).and_then(|chunk| chunk.get(inside)).copied().unwrap_or(0)
    }
}

fn bit(index: u64) -> u8 {
    1 << (index % 8)
}

/// Bits of a byte that are in the range.
fn mask(number: u64, range: &Range<u64>) -> u8 {
    let first = number * 8;
    if range.start <= first && first + 8 <= range.end {
        return 0xff;
    }
    (first..first + 8).filter(|index| range.contains(index)).fold(0, |mask, index| mask | bit(index))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a set of numbers; far ranges take no room in between.
        #[test]
        fn bits_are_a_set(steps in prop::collection::vec((0_u64..70_000, 0_u64..300, any::<bool>(), any::<bool>()), 1..30)) {
            let mut files = Files::new();
            let file = files.file("bits");
            let (mut bits, mut model) = (Bitfield::default(), BTreeSet::new());
            for (start, length, held, far) in steps {
                let start = if far { start + (1 << 45) } else { start };
                bits.set(&mut files, file, start..start + length, held).unwrap();
                for index in start..start + length {
                    if held { model.insert(index) } else { model.remove(&index) };
                }
                let again = Bitfield::load(&files, file).unwrap();
                for bits in [&bits, &again] {
                    for from in [0, start.saturating_sub(1), start, start + length / 2, start + length] {
                        prop_assert_eq!(bits.get(from), model.contains(&from));
                        prop_assert_eq!(bits.next_set(from), model.range(from..).next().copied());
                        let clear = (from..).find(|index| !model.contains(index)).unwrap();
                        prop_assert_eq!(bits.next_clear(from), clear);
                    }
                }
            }
        }
    }
}
