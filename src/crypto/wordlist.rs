//! The EFF large word list: 7,776 words, 12.9 bits each.
//!
//! Source: EFF's `eff_large_wordlist.txt` (SHA-256 `addd3553…6b903e` with its dice numbers, which are left out
//! here), as [`super::packed_words`] packs it: 14 KB instead of 26 KB of gzip.

use std::sync::OnceLock;

use super::packed_words::unpack;

/// Words on the list.
pub const LIST_LENGTH: u32 = 7776;

/// The word at an index below [`LIST_LENGTH`].
pub fn word(index: u32) -> Option<&'static str> {
    let index = usize::try_from(index).ok()?;
    let list = opened();
    let start = *list.marks.get(index / BETWEEN_MARKS)?;
    lines(list.text.get(start..)?).nth(index % BETWEEN_MARKS)
}

/// The index of a word that is on the list.
pub fn index_of(word: &str) -> Option<u32> {
    (0..).zip(words()).find_map(|(index, line)| (line == word).then_some(index))
}

/// The word on the list that is fewest edits away from `text` (the first such).
pub fn nearest(text: &str) -> &'static str {
    let text: Vec<char> = text.chars().take(MAX_COMPARED).collect();
    words().min_by_key(|line| distance(&text, line)).unwrap_or_default()
}

/// Levenshtein distance, one row at a time.
fn distance(from: &[char], to: &str) -> usize {
    let mut row: Vec<usize> = (0..=from.len()).collect();
    for (line, letter) in to.chars().enumerate() {
        let mut left = line + 1;
        let mut diagonal = core::mem::replace(row.first_mut().unwrap_or(&mut 0), left);
        for (cell, &own) in row.iter_mut().skip(1).zip(from) {
            let next = (*cell + 1).min(left + 1).min(diagonal + usize::from(own != letter));
            diagonal = core::mem::replace(cell, next);
            left = next;
        }
    }
    row.last().copied().unwrap_or_default()
}

/// Characters of a typed word that are compared: no list word is longer than nine.
const MAX_COMPARED: usize = 24;

pub(super) const PACKED: &[u8] = include_bytes!("eff_large_wordlist.bin");

/// The words, one a line.
pub(crate) fn list() -> &'static str {
    &opened().text
}

fn words() -> impl Iterator<Item = &'static str> {
    lines(list())
}

/// As [`str::lines`] of texts whose lines end as on Unix.
fn lines(text: &str) -> core::str::SplitTerminator<'_, char> {
    text.split_terminator('\n')
}

struct List {
    text: String,
    /// Where every [`BETWEEN_MARKS`]th word begins: codes of six words are shown again and again.
    marks: Vec<usize>,
}

const BETWEEN_MARKS: usize = 64;

fn opened() -> &'static List {
    static LIST: OnceLock<List> = OnceLock::new();
    LIST.get_or_init(|| {
        let text = unpack(PACKED, LIST_LENGTH);
        let (mut marks, mut start) = (Vec::new(), 0);
        for (index, line) in lines(&text).enumerate() {
            if index % BETWEEN_MARKS == 0 {
                marks.push(start);
            }
            start += line.len() + 1;
        }
        List { text, marks }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_is_eff_large() {
        use sha2::Digest as _;
        let dice = |n: u32| {
            (0..5)
                .rev()
                .map(|p| char::from(b'1' + u8::try_from(n / 6u32.pow(p) % 6).unwrap()))
                .collect::<String>()
        };
        let file: String = (0..).zip(list().lines()).map(|(n, w)| format!("{}\t{w}\n", dice(n))).collect();
        let sum = crate::crypto::hex(&sha2::Sha256::digest(file.as_bytes()));
        assert!(sum.starts_with("addd3553") && sum.ends_with("6b903e"), "{sum}");
        assert_eq!(list().lines().count(), LIST_LENGTH as usize);
    }

    #[test]
    fn finds_words_and_neighbours() {
        assert_eq!(index_of("abacus"), Some(0));
        assert_eq!((word(7775), word(LIST_LENGTH)), (Some("zoom"), None));
        assert!((0..).zip(list().lines()).all(|(index, line)| word(index) == Some(line)));
        assert_eq!(index_of("hypha"), None);
        assert_eq!(nearest("abacuss"), "abacus");
        assert_eq!(nearest("cofee"), "coffee");
        assert_eq!(distance(&['k', 'i', 't', 't', 'e', 'n'], "sitting"), 3);
    }
}
