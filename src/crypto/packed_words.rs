//! A sorted list of words in as few bytes as a small model finds: a third of the bytes that the words have, a fifth less
//! than they have when they are gzipped.
//!
//! ```text
//! word     how many letters it shares with the one before (4 bits), then the others and an end (5 bits each)
//! bit      coded by how likely it is: the mean of what three contexts have seen so far
//! letter   contexts: the one, two and three letters before it; of the first that is not shared, the letter in its place
//!          in the word before, alone and with the one or two letters before it
//! ```
//! Both sides learn as they go, so nothing but the bits is stored: 32-bit arithmetic coding, high byte first.

/// The words of `packed`, so many, one a line.
pub(super) fn unpack(packed: &[u8], count: u32) -> String {
    let mut reader = Reader { bytes: packed.iter(), low: 0, high: u32::MAX, value: 0, model: Model::new() };
    for _ in 0..4 {
        reader.shift();
    }
    let (mut list, mut before, mut shared) = (String::new(), Vec::new(), 0);
    for _ in 0..count {
        shared = reader.symbol(4, shared_contexts(&before, shared));
        let mut word: Vec<u32> = before.iter().copied().take(usize::try_from(shared).unwrap_or(0)).collect();
        let kept = word.len();
        while word.len() < LONGEST {
            let letter = reader.symbol(5, letter_contexts(&before, &word, kept));
            if letter == END {
                break;
            }
            word.push(letter);
        }
        if !list.is_empty() {
            list.push('\n');
        }
        list.extend(
            word.iter().filter_map(|letter| char::from_u32(if *letter == 1 { 45 } else { letter + 95 })),
        );
        before = word;
    }
    list
}

/// What stands behind the last letter; `-` is 1, `a` is 2.
const END: u32 = 0;
/// Most letters of a word.
const LONGEST: usize = 32;

fn shared_contexts(before: &[u32], shared: u32) -> [u32; 3] {
    let length = u32::try_from(before.len()).unwrap_or(0);
    [1 + length, 64 + shared, 128 + length * 16 + shared]
}

fn letter_contexts(before: &[u32], word: &[u32], kept: usize) -> [u32; 3] {
    let back = |count: usize| word.len().checked_sub(count).and_then(|at| word.get(at)).copied().unwrap_or(0);
    let two = back(1) * 32 + back(2);
    if word.len() == kept {
        let other = before.get(kept).copied().unwrap_or(0);
        [1024 + other, 2048 + other * 32 + back(1), 4096 + two]
    } else {
        [8192 + back(1), 16384 + two, 65536 + two * 32 + back(3)]
    }
}

/// How likely a one is in each context, of 65,536, and how often that was asked.
struct Model(Vec<(u32, u32)>);

const SLOTS: usize = 1 << 16;

impl Model {
    fn new() -> Self {
        Self(vec![(1 << 15, 0); SLOTS])
    }

    /// Where `contexts` are kept for a bit; `node` is a one and the bits of the symbol so far.
    fn slots(contexts: [u32; 3], node: u32) -> [usize; 3] {
        contexts.map(|context| {
            usize::try_from((context * 32 + node).wrapping_mul(0x9e37_79b1) >> 16).unwrap_or(0)
        })
    }

    fn chance(&self, slots: [usize; 3]) -> u32 {
        let sum: u32 = slots.iter().filter_map(|slot| Some(self.0.get(*slot)?.0)).sum();
        (sum / 3).clamp(64, 65_535 - 64)
    }

    fn learn(&mut self, slots: [usize; 3], bit: bool) {
        for slot in slots {
            if let Some((chance, seen)) = self.0.get_mut(slot) {
                let share = 2 * *seen + 3;
                if bit {
                    *chance += (65_536 - *chance) * 2 / share;
                } else {
                    *chance -= *chance * 2 / share;
                }
                *chance = (*chance).clamp(32, 65_535 - 32);
                *seen = (*seen + 1).min(30);
            }
        }
    }
}

/// Where an interval is parted when a one has this chance.
fn middle(low: u32, high: u32, chance: u32) -> u32 {
    let width = high - low;
    low + (width >> 16) * chance + (((width & 0xffff) * chance) >> 16)
}

struct Reader<'a> {
    bytes: core::slice::Iter<'a, u8>,
    low: u32,
    high: u32,
    value: u32,
    model: Model,
}

impl Reader<'_> {
    fn shift(&mut self) {
        self.value = (self.value << 8) | u32::from(self.bytes.next().copied().unwrap_or(0));
    }

    fn symbol(&mut self, bits: u32, contexts: [u32; 3]) -> u32 {
        let mut node = 1;
        for _ in 0..bits {
            let slots = Model::slots(contexts, node);
            let middle = middle(self.low, self.high, self.model.chance(slots));
            let bit = self.value <= middle;
            if bit {
                self.high = middle;
            } else {
                self.low = middle + 1;
            }
            while (self.low ^ self.high) >> 24 == 0 {
                self.low <<= 8;
                self.high = (self.high << 8) | 0xff;
                self.shift();
            }
            self.model.learn(slots, bit);
            node = 2 * node + u32::from(bit);
        }
        node - (1 << bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Writer {
        bytes: Vec<u8>,
        low: u32,
        high: u32,
        model: Model,
    }

    impl Writer {
        fn symbol(&mut self, bits: u32, contexts: [u32; 3], value: u32) {
            let mut node = 1;
            for at in (0..bits).rev() {
                let bit = (value >> at) & 1 == 1;
                let slots = Model::slots(contexts, node);
                let middle = middle(self.low, self.high, self.model.chance(slots));
                if bit {
                    self.high = middle;
                } else {
                    self.low = middle + 1;
                }
                while (self.low ^ self.high) >> 24 == 0 {
                    self.bytes.push((self.high >> 24) as u8);
                    self.low <<= 8;
                    self.high = (self.high << 8) | 0xff;
                }
                self.model.learn(slots, bit);
                node = 2 * node + u32::from(bit);
            }
        }
    }

    fn pack(list: &str) -> Vec<u8> {
        let mut writer = Writer { bytes: Vec::new(), low: 0, high: u32::MAX, model: Model::new() };
        let (mut before, mut shared) = (Vec::new(), 0);
        for line in list.lines() {
            let word: Vec<u32> =
                line.bytes().map(|byte| if byte == b'-' { 1 } else { u32::from(byte) - 95 }).collect();
            let kept = before.iter().zip(&word).take_while(|(one, other)| one == other).count();
            writer.symbol(4, shared_contexts(&before, shared), kept as u32);
            for at in kept..=word.len() {
                let letter = word.get(at).copied().unwrap_or(END);
                writer.symbol(5, letter_contexts(&before, &word[..at], kept), letter);
            }
            (before, shared) = (word, kept as u32);
        }
        writer.bytes.extend(writer.high.to_be_bytes());
        writer.bytes
    }

    #[test]
    fn what_is_packed_is_what_comes_out() {
        let list = "aardvark\nabacus\nabdomen\nabdominal\nt-shirt\nzoom";
        assert_eq!(unpack(&pack(list), 6), list);
    }

    #[test]
    fn any_bytes_end() {
        for bytes in [&[][..], &[0xff; 40], &[0; 40]] {
            assert!(unpack(bytes, 3).len() < 1 << 16);
        }
    }

    #[test]
    fn the_list_is_as_packed_here() {
        let list = crate::crypto::wordlist::list();
        assert_eq!(list.lines().count(), 7776);
        assert!(pack(list) == crate::crypto::wordlist::PACKED, "packed anew it is the same");
    }
}
