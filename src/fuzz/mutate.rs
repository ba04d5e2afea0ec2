//! Inputs that are nearly right.

use crate::crypto::Entropy;
use crate::testing::Seeded;

/// Bytes that often decide: ends of ranges, lengths of lengths, kinds.
const TELLING: &[u8] = &[0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 63, 64, 0x7f, 0x80, 0x81, 0xfe, 0xff];

/// Longest input, bytes.
const LONGEST: usize = 16 * 1024;

/// Makes inputs of seeds, the same ones for the same number.
pub(super) struct Mutator(Seeded);

impl Mutator {
    pub(super) fn new(seed: u64) -> Self {
        Self(Seeded::new(seed))
    }

    /// The next input.
    pub(super) fn next(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = seeds[self.below(seeds.len())].clone();
        if self.below(8) == 0 {
            let other = &seeds[self.below(seeds.len())];
            let (at, from) = (self.below(bytes.len() + 1), self.below(other.len() + 1));
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
        for _ in 0..=self.below(8) {
            self.change(&mut bytes);
        }
        bytes.truncate(LONGEST);
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len() + 1);
        let end = (at + 1 + self.below(16)).min(bytes.len());
        match self.below(8) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end.max(at))),
            2 => bytes.insert(at, self.telling()),
            3 => {
                // A piece twice: a list with one item more.
                let piece = bytes[at..end.max(at)].to_vec();
                bytes.splice(at..at, piece);
            }
            4 => bytes.extend((0..self.below(40)).map(|_| 0)),
            5 if at < bytes.len() => bytes[at] = self.telling(),
            6 if at < bytes.len() => bytes[at] = bytes[at].wrapping_add(1),
            _ if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            _ => bytes.push(self.telling()),
        }
    }

    fn telling(&mut self) -> u8 {
        TELLING[self.below(TELLING.len())]
    }

    /// A number below a bound; 0 below 0.
    fn below(&mut self, bound: usize) -> usize {
        let mut random = [0; size_of::<usize>()];
        self.0.fill(&mut random);
        usize::from_le_bytes(random) % bound.max(1)
    }
}
