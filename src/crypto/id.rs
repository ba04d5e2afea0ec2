//! Keys as text: hexadecimal and hyphalinks.
//!
//! Hexadecimal is read and written by hand: the usual crate brings tens of KB of wasm for it.

use core::fmt;

use super::sign::PublicKey;

/// Characters of a 32-byte key in hexadecimal.
pub const HEX_KEY_LENGTH: usize = 64;

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from(if half < 10 { b'0' + half } else { b'a' + (half - 10) });
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Text that is not 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("expected 64 hexadecimal digits (0-9, a-f), got {got} characters{}", if *.got == HEX_KEY_LENGTH { " with others among them" } else { "" })]
pub struct HexError {
    /// Characters that came.
    pub got: usize,
}

/// Reads 64 hexadecimal digits, in either case.
pub fn parse_hex32(text: &str) -> Result<[u8; 32], HexError> {
    parse_hex(text).ok_or_else(|| HexError { got: text.chars().count() })
}

/// Reads exactly `2 * N` hexadecimal digits, in either case.
pub fn parse_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

fn digit(letter: u8) -> Option<u8> {
    match letter {
        b'0'..=b'9' => Some(letter - b'0'),
        b'a'..=b'f' => Some(letter - b'a' + 10),
        b'A'..=b'F' => Some(letter - b'A' + 10),
        _ => None,
    }
}

/// `hypha://<64 hex>`: names a space. Who has it can find and read the public part.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Link(pub PublicKey);

impl Link {
    /// Reads `hypha://<64 hex>` or `dat://<64 hex>` (either case, a trailing slash is accepted), or the bare 64 digits.
    pub fn parse(text: &str) -> Result<Self, LinkError> {
        let text = text.trim();
        let lower = text.to_ascii_lowercase();
        let rest = lower.strip_prefix("hypha://").or_else(|| lower.strip_prefix("dat://")).unwrap_or(&lower);
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let key = PublicKey(parse_hex32(rest)?);
        if key.is_valid() { Ok(Self(key)) } else { Err(LinkError::NotAKey) }
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hypha://{}", self.0)
    }
}

/// Text that is not a hyphalink.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LinkError {
    /// Wrong shape.
    #[error("a link looks like hypha:// and 64 hexadecimal digits: {0}")]
    Hex(#[from] HexError),
    /// The digits are no Ed25519 key.
    #[error("the 64 digits of this link are not a valid key: one of them was probably changed")]
    NotAKey,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::Signer;

    proptest! {
        #[test]
        fn hexadecimal_is_as_elsewhere(bytes: [u8; 4], text in "[0-9a-fA-Fg@`/:G]{6,10}|.{4,8}") {
            use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
            prop_assert_eq!(hex(&bytes), HEXLOWER.encode(&bytes));
            prop_assert_eq!(parse_hex(&hex(&bytes)), Some(bytes));
            prop_assert_eq!(parse_hex(&hex(&bytes).to_uppercase()), Some(bytes));
            let theirs = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok();
            prop_assert_eq!(parse_hex::<4>(&text), theirs.and_then(|bytes| bytes.try_into().ok()));
        }
    }

    #[test]
    fn link_survives_case_and_slash_and_names_what_is_wrong() {
        let key = Signer::from_seed(&[7; 32]).public();
        let link = Link(key).to_string();
        for form in [
            link.clone(),
            format!("{link}/"),
            link.to_uppercase(),
            format!("dat://{key}"),
            format!(" {key}\r\n"),
        ] {
            assert_eq!(Link::parse(&form), Ok(Link(key)), "{form}");
        }
        assert_eq!(Link::parse("hypha://abc"), Err(LinkError::Hex(HexError { got: 3 })));
        assert!(Link::parse(&link.replace(&link[20..21], "g")).is_err());
        assert_eq!(Link::parse(&"0".repeat(64)), Err(LinkError::NotAKey));
    }
}
