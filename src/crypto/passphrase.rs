//! Eight words that are a person's keys.

use zeroize::Zeroizing;

use super::{Entropy, wordlist};

/// Words from the list, at least eight (103 bits). Wiped on drop.
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Words of a new passphrase unless another number is asked for.
    pub const DEFAULT_WORDS: usize = 8;
    /// Most words that are accepted.
    pub const MAX_WORDS: usize = 64;

    /// Draws `words` words uniformly, with replacement.
    pub fn generate(words: usize, entropy: &mut dyn Entropy) -> Result<Self, PassphraseError> {
        if !(Self::DEFAULT_WORDS..=Self::MAX_WORDS).contains(&words) {
            return Err(PassphraseError::Count { got: words });
        }
        let mut text = Zeroizing::new(String::with_capacity(words * 10));
        for _ in 0..words {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(wordlist::word(entropy.below(wordlist::LIST_LENGTH)).unwrap_or_default());
        }
        Ok(Self(text))
    }

    /// Reads what a person typed: any case; words are separated by white space or hyphens (the list's own four
    /// hyphenated words stay whole). Unicode normalisation (NFKD) is done by the caller: every list word is ASCII,
    /// so anything else is named in the error all the same.
    pub fn parse(text: &str) -> Result<Self, PassphraseError> {
        let lower = Zeroizing::new(text.to_ascii_lowercase());
        let found = list_words(&lower)?;
        if found.len() < Self::DEFAULT_WORDS {
            return Err(PassphraseError::Count { got: found.len() });
        }
        Ok(Self(Zeroizing::new(found.join(" "))))
    }

    /// The words joined by single spaces: the input of the key derivation.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Splits lower-case text into words of the list, at most [`Passphrase::MAX_WORDS`].
pub(crate) fn list_words(lower: &str) -> Result<Vec<&str>, PassphraseError> {
    let mut found: Vec<&str> = Vec::new();
    for chunk in lower.split_whitespace() {
        let parts: Vec<&str> = chunk.split('-').filter(|part| !part.is_empty()).collect();
        let mut rest = parts.as_slice();
        while let Some((first, tail)) = rest.split_first() {
            let pair = tail.first().and_then(|second| hyphenated(first, second));
            match pair {
                Some(word) => {
                    found.push(word);
                    rest = tail.get(1..).unwrap_or_default();
                }
                None => {
                    found.push(first);
                    rest = tail;
                }
            }
        }
        if found.len() > Passphrase::MAX_WORDS {
            return Err(PassphraseError::Count { got: found.len() });
        }
    }
    for (position, word) in found.iter().enumerate() {
        if wordlist::index_of(word).is_none() {
            let shown = word.chars().take(32).collect();
            return Err(PassphraseError::Word {
                position: position + 1,
                got: shown,
                nearest: wordlist::nearest(word),
            });
        }
    }
    Ok(found)
}

/// The list's four words with a hyphen.
fn hyphenated(first: &str, second: &str) -> Option<&'static str> {
    match (first, second) {
        ("drop", "down") => Some("drop-down"),
        ("felt", "tip") => Some("felt-tip"),
        ("t", "shirt") => Some("t-shirt"),
        ("yo", "yo") => Some("yo-yo"),
        _ => None,
    }
}

/// Text that is not a passphrase.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PassphraseError {
    /// Too few or too many words.
    #[error("a passphrase has 8 to 64 words, got {got}")]
    Count {
        /// Words that came.
        got: usize,
    },
    /// A word that is not on the list.
    #[error("word {position}, {got:?}, is not on the word list; did you mean {nearest:?}?")]
    Word {
        /// Its place, from 1.
        position: usize,
        /// The word, at most 32 characters of it.
        got: String,
        /// The closest word on the list.
        nearest: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const EIGHT: &str = "abacus drop-down felt-tip t-shirt yo-yo zoom coffee able";

    #[test]
    fn separators_and_case_do_not_matter() {
        for form in [
            EIGHT.to_owned(),
            EIGHT.to_uppercase(),
            EIGHT.replace(' ', "-"),
            format!("  {}\n", EIGHT.replace(' ', " \t ")),
        ] {
            assert_eq!(Passphrase::parse(&form).ok().unwrap().as_str(), EIGHT, "{form}");
        }
    }

    #[test]
    fn a_typo_is_named_with_its_neighbour() {
        let error = Passphrase::parse(&EIGHT.replace("coffee", "cofee")).err().unwrap();
        assert_eq!(error, PassphraseError::Word { position: 7, got: "cofee".into(), nearest: "coffee" });
        assert_eq!(Passphrase::parse("abacus able").err(), Some(PassphraseError::Count { got: 2 }));
        assert!(Passphrase::parse(&"abacus ".repeat(10_000)).is_err());
    }
}
