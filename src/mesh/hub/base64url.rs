//! Bytes as base64url without padding (RFC 4648, section 5), read strictly: every text has one meaning, and every
//! meaning one text. Some sixty lines of our own, because the usual crate brings 50 KB of wasm for two alphabets.

/// Text of `bytes`.
pub(in crate::mesh) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits =
            chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (24 - 8 * chunk.len());
        for place in 0..=chunk.len() {
            text.push(char::from(letter(bits >> (18 - 6 * place) & 63)));
        }
    }
    text
}

/// Bytes of a text that [`encode`] writes; `None` for any other.
pub(in crate::mesh) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for chunk in text.as_bytes().chunks(4) {
        let mut bits = 0;
        for letter in chunk {
            bits = bits << 6 | value(*letter)?;
        }
        bits <<= 6 * (4 - chunk.len());
        let [_, some @ ..] = bits.to_be_bytes();
        let (used, unused) = some.split_at_checked(chunk.len() - 1)?;
        // A single letter holds no byte, and what the last letter holds beyond bytes is zero.
        if used.is_empty() || unused.iter().any(|byte| *byte != 0) {
            return None;
        }
        bytes.extend_from_slice(used);
    }
    Some(bytes)
}

/// Letter of six bits.
fn letter(bits: u32) -> u8 {
    let low = bits.to_le_bytes()[0];
    match low {
        0..26 => b'A' + low,
        26..52 => b'a' + (low - 26),
        52..62 => b'0' + (low - 52),
        62 => b'-',
        _ => b'_',
    }
}

/// Six bits of a letter.
fn value(letter: u8) -> Option<u32> {
    Some(u32::from(match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'-' => 62,
        b'_' => 63,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64URL_NOPAD;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bytes_go_through_as_elsewhere(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let text = encode(&bytes);
            prop_assert_eq!(&text, &BASE64URL_NOPAD.encode(&bytes));
            prop_assert_eq!(decode(&text), Some(bytes));
        }

        #[test]
        fn reads_what_others_read(text in "[AQgw_zZ9=+/ -]{0,9}|.{0,5}") {
            prop_assert_eq!(decode(&text), BASE64URL_NOPAD.decode(text.as_bytes()).ok());
        }
    }
}
