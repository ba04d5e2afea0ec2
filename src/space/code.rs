//! Six words by which a space is found: easier to say than a link, and as good against a look-alike as 77 bits are.
//!
//! Each of the first six groups of four bytes (little endian) of BLAKE2b-256(ns(hypha/v1/code) ‖ space key), modulo
//! 7,776, is a word's index in the EFF large list. A key that was looked up by a code is taken only if all six fit.

use crate::crypto::{LIST_LENGTH, Namespace, PassphraseError, PublicKey, hash_to, list_words, word};

/// Words of a code.
pub const CODE_WORDS: usize = 6;

/// The words of a space.
pub fn space_code(space: &PublicKey) -> [&'static str; CODE_WORDS] {
    let hash = hash_to(Namespace::Code, &[&space.0]);
    let mut words = [""; CODE_WORDS];
    for (place, four) in words.iter_mut().zip(hash.0.as_chunks::<4>().0) {
        // 32 bits modulo 7,776: the bias is below one in half a million.
        *place = word(u32::from_le_bytes(*four) % LIST_LENGTH).unwrap_or_default();
    }
    words
}

/// Reads what a person typed, as a passphrase is read: the six words, joined by single spaces.
pub fn parse_code(text: &str) -> Result<String, CodeError> {
    let lower = text.to_ascii_lowercase();
    let words = list_words(&lower).map_err(|error| match error {
        PassphraseError::Count { got } => CodeError::Count { got },
        word => CodeError::Word(word),
    })?;
    if words.len() == CODE_WORDS { Ok(words.join(" ")) } else { Err(CodeError::Count { got: words.len() }) }
}

/// Whether all six words of a code, as [`parse_code`] returns it, are those of a space.
pub fn is_code_of(code: &str, space: &PublicKey) -> bool {
    code == space_code(space).join(" ")
}

/// Text that is not a code.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CodeError {
    /// Too few or too many words.
    #[error("the code of a space has {CODE_WORDS} words, got {got}")]
    Count {
        /// Words that came.
        got: usize,
    },
    /// A word that is not on the list.
    #[error(transparent)]
    Word(PassphraseError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Signer;

    #[test]
    fn a_code_fits_its_space_only() {
        let (one, two) = (Signer::from_seed(&[1; 32]).public(), Signer::from_seed(&[2; 32]).public());
        let words = space_code(&one);
        for form in [words.join(" "), words.join("-"), format!(" {}\n", words.join("  ").to_uppercase())] {
            let code = parse_code(&form).unwrap();
            assert!(is_code_of(&code, &one) && !is_code_of(&code, &two), "{form}");
        }
        for at in 0..CODE_WORDS {
            let mut other = words;
            other[at] = if words[at] == "abacus" { "zoom" } else { "abacus" };
            assert!(!is_code_of(&parse_code(&other.join(" ")).unwrap(), &one), "word {at}");
        }
    }

    #[test]
    fn a_typo_is_named() {
        assert_eq!(parse_code("abacus able"), Err(CodeError::Count { got: 2 }));
        assert_eq!(parse_code(&"zoom ".repeat(8)), Err(CodeError::Count { got: 8 }));
        assert_eq!(parse_code(&"zoom ".repeat(99)), Err(CodeError::Count { got: 65 }));
        let error = parse_code("abacus cofee zoom zoom zoom zoom");
        let word = PassphraseError::Word { position: 2, got: "cofee".into(), nearest: "coffee" };
        assert_eq!(error, Err(CodeError::Word(word)));
    }
}
