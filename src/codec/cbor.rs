//! Deterministic CBOR (RFC 8949 §4.2.1) for [`Value`]s.
//!
//! Shortest forms, definite lengths, map keys sorted by their encoded bytes, no duplicates, depth at most
//! [`MAX_DEPTH`]. The decoder rejects everything else. Floats take the shortest of 16, 32, 64 bits that keeps the
//! number; integral floats below 2^53 in size are integers; NaN is `f97e00`. Tags: 1000 date (integer ms), 1001
//! object reference (32 bytes), 1002 blob reference (bytes).

use super::{DecodeError, MAX_SAFE, Value};
use crate::collections::sort_by;

/// Most levels of arrays, maps and tags inside one another.
pub const MAX_DEPTH: usize = 64;

/// Encodes a value; fails on duplicate keys, integers beyond 64 bits and too much depth.
pub fn encode_value(value: &Value) -> Result<Vec<u8>, DecodeError> {
    let mut out = Vec::new();
    write(value, &mut out, 0)?;
    Ok(out)
}

/// Decodes a value that is the whole of `bytes`.
pub fn decode_value(bytes: &[u8]) -> Result<Value, DecodeError> {
    let mut decoder = Decoder { rest: bytes };
    let value = decoder.value(0)?;
    match decoder.rest.len() {
        0 => Ok(value),
        got => Err(DecodeError::Trailing { got }),
    }
}

/// What [`decode_value`] says, without a copy of a value that is bytes or text.
pub fn check_value(bytes: &[u8]) -> Result<(), DecodeError> {
    match plain(bytes) {
        Some(_) => Ok(()),
        None => decode_value(bytes).map(drop),
    }
}

/// A value that is not taken apart: what most are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Plain<'a> {
    /// Bytes.
    Bytes(&'a [u8]),
    /// Text.
    Text(&'a str),
}

/// The value that these bytes encode, if it is bytes or text.
pub fn plain(bytes: &[u8]) -> Option<Plain<'_>> {
    let mut decoder = Decoder { rest: bytes };
    let (major @ (2 | 3), _, length) = decoder.head().ok()? else { return None };
    let inside = decoder.take(length).ok().filter(|_| decoder.rest.is_empty())?;
    match major {
        2 => Some(Plain::Bytes(inside)),
        _ => core::str::from_utf8(inside).ok().map(Plain::Text),
    }
}

/// Encodes such a value as [`encode_value`] does.
pub fn encode_plain(value: Plain<'_>) -> Vec<u8> {
    let (major, bytes) = match value {
        Plain::Bytes(bytes) => (2, bytes),
        Plain::Text(text) => (3, text.as_bytes()),
    };
    let mut out = Vec::with_capacity(bytes.len().saturating_add(9));
    sized(major, bytes, &mut out);
    out
}

fn write(value: &Value, out: &mut Vec<u8>, depth: usize) -> Result<(), DecodeError> {
    if depth > MAX_DEPTH {
        return Err(DecodeError::Depth { max: MAX_DEPTH });
    }
    match value {
        Value::Null => out.push(0xf6),
        Value::Bool(false) => out.push(0xf4),
        Value::Bool(true) => out.push(0xf5),
        Value::Integer(number) => integer(*number, out)?,
        Value::Float(number) => float(*number, out),
        Value::Text(text) => sized(3, text.as_bytes(), out),
        Value::Bytes(bytes) => sized(2, bytes, out),
        Value::Array(items) => {
            head(4, length(items.len()), out);
            for item in items {
                write(item, out, depth + 1)?;
            }
        }
        Value::Map(pairs) => {
            let mut sorted: Vec<(Vec<u8>, &Value)> =
                pairs.iter().map(|(key, value)| (text(key), value)).collect();
            sort_by(&mut sorted, |a, b| a.0.cmp(&b.0));
            if sorted.windows(2).any(|pair| matches!(pair, [a, b] if a.0 == b.0)) {
                return Err(DecodeError::NotCanonical { what: "map with a key twice" });
            }
            head(5, length(sorted.len()), out);
            for (key, value) in sorted {
                out.extend_from_slice(&key);
                write(value, out, depth + 1)?;
            }
        }
        Value::Date(ms) => {
            if ms.unsigned_abs() > MAX_SAFE {
                return Err(DecodeError::TooLarge { what: "date", max: MAX_SAFE, got: ms.unsigned_abs() });
            }
            head(6, TAG_DATE, out);
            integer(i128::from(*ms), out)?;
        }
        Value::Object(id) => {
            head(6, TAG_OBJECT, out);
            sized(2, id, out);
        }
        Value::Blob(reference) => {
            head(6, TAG_BLOB, out);
            sized(2, reference, out);
        }
    }
    Ok(())
}

fn text(key: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(key.len() + 2);
    sized(3, key.as_bytes(), &mut out);
    out
}

fn integer(number: i128, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    let (major, size) = if number < 0 { (1, -1 - number) } else { (0, number) };
    let too_large = DecodeError::TooLarge { what: "integer", max: u64::MAX, got: u64::MAX };
    head(major, u64::try_from(size).map_err(|_| too_large)?, out);
    Ok(())
}

fn float(number: f64, out: &mut Vec<u8>) {
    if let Some(whole) = whole(number) {
        let (major, size) =
            if whole < 0 { (1, (-1 - whole).unsigned_abs()) } else { (0, whole.unsigned_abs()) };
        head(major, size, out);
    } else if let Some(half) = to_half(number) {
        out.push(0xf9);
        out.extend_from_slice(&half.to_be_bytes());
    } else if let Some(single) = to_single(number) {
        out.push(0xfa);
        out.extend_from_slice(&single.to_bits().to_be_bytes());
    } else {
        out.push(0xfb);
        out.extend_from_slice(&number.to_bits().to_be_bytes());
    }
}

/// The number as an integer if it is one below 2^53 in size.
fn whole(number: f64) -> Option<i64> {
    if number.fract() != 0.0 || number.abs() > 9_007_199_254_740_991.0 {
        return None;
    }
    #[expect(
        clippy::as_conversions,
        reason = "integral and below 2^53, checked above; std has no other conversion"
    )]
    Some(number as i64)
}

fn to_single(number: f64) -> Option<f32> {
    #[expect(
        clippy::as_conversions,
        reason = "rounds, and is compared afterwards; std has no other conversion"
    )]
    let single = number as f32;
    (f64::from(single) == number).then_some(single)
}

/// Sixteen-bit form of a number that it holds exactly; the one NaN is `7e00`.
fn to_half(number: f64) -> Option<u16> {
    if number.is_nan() {
        return Some(0x7e00);
    }
    let bits = to_single(number)?.to_bits();
    let sign = u16::try_from(bits >> 31).ok()? << 15;
    let exponent = i32::try_from(bits >> 23 & 0xff).ok()? - 127;
    let mantissa = bits & 0x7f_ffff;
    match exponent {
        128 => Some(sign | 0x7c00),
        -14..=15 if mantissa.trailing_zeros() >= 13 => {
            let exponent = u16::try_from(exponent + 15).ok()?;
            Some(sign | exponent << 10 | u16::try_from(mantissa >> 13).ok()?)
        }
        -24..=-15 => {
            let full = mantissa | 0x80_0000;
            let shift = u32::try_from(-exponent - 1).ok()?;
            (full.trailing_zeros() >= shift).then(|| u16::try_from(full >> shift).ok().map(|m| sign | m))?
        }
        _ => None,
    }
}

fn from_half(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::from(bits >> 10 & 0x1f);
    let mantissa = f64::from(bits & 0x3ff);
    sign * match exponent {
        0 => mantissa * f64::powi(2.0, -24),
        31 if mantissa == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1.0 + mantissa / 1024.0) * f64::powi(2.0, exponent - 15),
    }
}

fn length(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn sized(major: u8, bytes: &[u8], out: &mut Vec<u8>) {
    head(major, length(bytes.len()), out);
    out.extend_from_slice(bytes);
}

fn head(major: u8, argument: u64, out: &mut Vec<u8>) {
    let major = major << 5;
    if let (Ok(small), true) = (u8::try_from(argument), argument < 24) {
        out.push(major | small);
    } else if let Ok(one) = u8::try_from(argument) {
        out.extend_from_slice(&[major | 24, one]);
    } else if let Ok(two) = u16::try_from(argument) {
        out.push(major | 25);
        out.extend_from_slice(&two.to_be_bytes());
    } else if let Ok(four) = u32::try_from(argument) {
        out.push(major | 26);
        out.extend_from_slice(&four.to_be_bytes());
    } else {
        out.push(major | 27);
        out.extend_from_slice(&argument.to_be_bytes());
    }
}

struct Decoder<'a> {
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    fn take(&mut self, count: u64) -> Result<&'a [u8], DecodeError> {
        let wanted = usize::try_from(count).unwrap_or(usize::MAX);
        let ended = DecodeError::Ended { expected: wanted, got: self.rest.len() };
        let (head, tail) = self.rest.split_at_checked(wanted).ok_or(ended)?;
        self.rest = tail;
        Ok(head)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let ended = DecodeError::Ended { expected: N, got: self.rest.len() };
        let (head, tail) = self.rest.split_first_chunk::<N>().ok_or(ended)?;
        self.rest = tail;
        Ok(*head)
    }

    /// Major type, additional information, and the argument in shortest form (raw bits for major type 7).
    fn head(&mut self) -> Result<(u8, u8, u64), DecodeError> {
        let [first] = self.fixed()?;
        let (major, info) = (first >> 5, first & 0x1f);
        let (argument, least) = match info {
            0..=23 => (u64::from(info), 0),
            24 => (u64::from(u8::from_be_bytes(self.fixed()?)), 24),
            25 => (u64::from(u16::from_be_bytes(self.fixed()?)), 1 << 8),
            26 => (u64::from(u32::from_be_bytes(self.fixed()?)), 1 << 16),
            27 => (u64::from_be_bytes(self.fixed()?), 1 << 32),
            _ => return Err(DecodeError::NotCanonical { what: "indefinite length" }),
        };
        if major != 7 && argument < least {
            return Err(DecodeError::NotCanonical { what: "not the shortest form" });
        }
        Ok((major, info, argument))
    }

    fn value(&mut self, depth: usize) -> Result<Value, DecodeError> {
        if depth > MAX_DEPTH {
            return Err(DecodeError::Depth { max: MAX_DEPTH });
        }
        let (major, info, argument) = self.head()?;
        Ok(match major {
            0 => Value::Integer(i128::from(argument)),
            1 => Value::Integer(-1 - i128::from(argument)),
            2 => Value::Bytes(self.take(argument)?.to_vec()),
            3 => Value::Text(self.text(argument)?),
            4 => {
                // Grown as items come: the count is the sender's word.
                let mut items = Vec::new();
                for _ in 0..argument {
                    items.push(self.value(depth + 1)?);
                }
                Value::Array(items)
            }
            5 => self.map(argument, depth)?,
            6 => self.tagged(argument)?,
            _ => self.simple(info, argument)?,
        })
    }

    fn text(&mut self, length: u64) -> Result<String, DecodeError> {
        Ok(core::str::from_utf8(self.take(length)?).map_err(|_| DecodeError::Utf8)?.to_owned())
    }

    fn map(&mut self, count: u64, depth: usize) -> Result<Value, DecodeError> {
        let mut pairs: Vec<(String, Value)> = Vec::new();
        let mut last: Option<Vec<u8>> = None;
        for _ in 0..count {
            let (3, _, size) = self.head()? else {
                return Err(DecodeError::NotCanonical { what: "map key that is not text" });
            };
            let key = self.text(size)?;
            let encoded = text(&key);
            if last.is_some_and(|last| last >= encoded) {
                return Err(DecodeError::NotCanonical { what: "map keys out of order" });
            }
            last = Some(encoded);
            pairs.push((key, self.value(depth + 1)?));
        }
        Ok(Value::Map(pairs))
    }

    fn tagged(&mut self, tag: u64) -> Result<Value, DecodeError> {
        let (major, _, argument) = self.head()?;
        Ok(match (tag, major) {
            (TAG_DATE, 0 | 1) => {
                let size = if major == 0 { argument } else { argument.saturating_add(1) };
                let too_large = DecodeError::TooLarge { what: "date", max: MAX_SAFE, got: size };
                let ms = i64::try_from(size).ok().filter(|_| size <= MAX_SAFE).ok_or(too_large)?;
                Value::Date(if major == 0 { ms } else { -ms })
            }
            (TAG_OBJECT, 2) if argument == 32 => Value::Object(self.fixed()?),
            (TAG_BLOB, 2) => Value::Blob(self.take(argument)?.to_vec()),
            _ => return Err(DecodeError::Unknown { what: "tag", got: tag }),
        })
    }

    fn simple(&mut self, info: u8, bits: u64) -> Result<Value, DecodeError> {
        let number = match info {
            20 => return Ok(Value::Bool(false)),
            21 => return Ok(Value::Bool(true)),
            22 => return Ok(Value::Null),
            25 => from_half(u16::try_from(bits).unwrap_or_default()),
            26 => f64::from(f32::from_bits(u32::try_from(bits).unwrap_or_default())),
            27 => f64::from_bits(bits),
            _ => return Err(DecodeError::Unknown { what: "simple value", got: bits }),
        };
        // One number, one form: encode again and compare sizes and bits.
        let mut again = Vec::new();
        float(number, &mut again);
        let mut given = vec![0xe0 | info];
        let wide = bits.to_be_bytes();
        given.extend(wide.iter().skip(match info {
            25 => 6,
            26 => 4,
            _ => 0,
        }));
        if again == given {
            Ok(Value::Float(number))
        } else {
            Err(DecodeError::NotCanonical { what: "number with a shorter form" })
        }
    }
}

/// Tag of a date.
const TAG_DATE: u64 = 1000;
/// Tag of an object reference.
const TAG_OBJECT: u64 = 1001;
/// Tag of a blob reference.
const TAG_BLOB: u64 = 1002;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::hex;

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(|n| Value::Integer(i128::from(n))),
            any::<u64>().prop_map(|n| Value::Integer(i128::from(n))),
            any::<f64>()
                .prop_filter("integers are integers", |n| !n.is_nan() && whole(*n).is_none())
                .prop_map(Value::Float),
            any::<f32>()
                .prop_filter("likewise", |n| !n.is_nan() && whole(f64::from(*n)).is_none())
                .prop_map(|n| Value::Float(f64::from(n))),
            ".*".prop_map(Value::Text),
            any::<Vec<u8>>().prop_map(Value::Bytes),
            (-9_000_000_000_000_000_i64..9_000_000_000_000_000).prop_map(Value::Date),
            any::<[u8; 32]>().prop_map(Value::Object),
            any::<Vec<u8>>().prop_map(Value::Blob),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
                prop::collection::btree_map(".{0,4}", inner, 0..6).prop_map(|map| {
                    let mut pairs: Vec<_> = map.into_iter().collect();
                    pairs.sort_by_key(|(key, _)| text(key));
                    Value::Map(pairs)
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn values_round_trip(value in any_value()) {
            prop_assert_eq!(decode_value(&encode_value(&value).unwrap()).unwrap(), value);
        }

        #[test]
        fn plain_values_are_what_they_decode_to(bytes: Vec<u8>, text: String, any: Vec<u8>, cut: prop::sample::Index) {
            let encoded = [encode_value(&Value::Bytes(bytes.clone())), encode_value(&Value::Text(text.clone()))].map(Result::unwrap);
            prop_assert_eq!(&encoded, &[encode_plain(Plain::Bytes(&bytes)), encode_plain(Plain::Text(&text))]);
            prop_assert_eq!(plain(&encoded[0]), Some(Plain::Bytes(&bytes)));
            prop_assert_eq!(plain(&encoded[1]), Some(Plain::Text(&text)));
            let mut damaged = encoded[1].clone();
            damaged.truncate(cut.index(damaged.len()));
            // The same bytes after the head of an empty text, and called a text, which they may not be.
            let behind = [&encode_plain(Plain::Text(""))[..], &any].concat();
            let mut as_text = encode_plain(Plain::Bytes(&any));
            as_text[0] += 0x20;
            for some in [any.clone(), damaged, behind, as_text] {
                prop_assert_eq!(check_value(&some), decode_value(&some).map(drop));
            }
        }

        #[test]
        fn what_decodes_encodes_to_the_same_bytes(bytes: Vec<u8>) {
            if let Ok(value) = decode_value(&bytes) {
                prop_assert_eq!(encode_value(&value).unwrap(), bytes);
            }
        }
    }

    #[test]
    fn rfc_8949_examples() {
        let numbers = [
            (0.0, "00"),
            (-0.0, "00"),
            (1.5, "f93e00"),
            (65504.0, "19ffe0"),
            (1.1, "fb3ff199999999999a"),
            (100_000.5, "fa47c35040"),
            (5.960_464_477_539_063e-8, "f90001"),
            (0.000_061_035_156_25, "f90400"),
            (-4.1, "fbc010666666666666"),
            (f64::INFINITY, "f97c00"),
            (f64::NEG_INFINITY, "f9fc00"),
            (f64::NAN, "f97e00"),
            (1e300, "fb7e37e43c8800759c"),
        ];
        for (number, expected) in numbers {
            assert_eq!(hex(&encode_value(&Value::Float(number)).unwrap()), expected, "{number}");
        }
        let map = Value::Map(vec![("b".into(), Value::Array(vec![])), ("a".into(), Value::Bool(true))]);
        assert_eq!(hex(&encode_value(&map).unwrap()), "a26161f5616280");
    }

    #[test]
    fn looser_forms_are_refused() {
        for bytes in [
            &[0x18, 0x17][..],
            &[0x9f, 0xff],
            &[0xa2, 0x61, b'b', 0, 0x61, b'a', 0],
            &[0xfa, 0x3f, 0xc0, 0, 0],
            &[0xf9, 0x3c, 0],
            &[0xa1, 1, 2],
            &[0xf7],
            &[0, 0],
        ] {
            assert!(decode_value(bytes).is_err(), "{bytes:02x?}");
        }
        let deep = (0..100).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
        assert_eq!(encode_value(&deep), Err(DecodeError::Depth { max: MAX_DEPTH }));
        assert!(decode_value(&[0x81; 100_000]).is_err());
    }
}
