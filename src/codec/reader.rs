//! Reading structures: every length is checked before anything is allocated.

use super::{DecodeError, MAX_SAFE, VERSION};

/// Takes fields from the front of a byte slice.
#[derive(Clone, Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads `bytes` from the start.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Reads a structure that begins with the version byte.
    pub fn versioned(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Self(bytes);
        match reader.u8()? {
            VERSION => Ok(reader),
            got => Err(DecodeError::Version { expected: VERSION, got }),
        }
    }

    /// Bytes left.
    pub const fn remaining(&self) -> usize {
        self.0.len()
    }

    /// Everything that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.0)
    }

    /// `length` bytes as they are.
    pub fn raw(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let ended = DecodeError::Ended { expected: length, got: self.0.len() };
        let (head, tail) = self.0.split_at_checked(length).ok_or(ended)?;
        self.0 = tail;
        Ok(head)
    }

    /// A fixed-size array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let ended = DecodeError::Ended { expected: N, got: self.0.len() };
        let (head, tail) = self.0.split_first_chunk::<N>().ok_or(ended)?;
        self.0 = tail;
        Ok(*head)
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    /// Two bytes, little endian.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    /// Four bytes, little endian.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// Eight bytes, little endian.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A variable integer in shortest form, at most 2^53 − 1.
    pub fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0_u64;
        for shift in (0..56).step_by(7) {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    return Err(DecodeError::NotCanonical { what: "integer with leading zeros" });
                }
                if value > MAX_SAFE {
                    return Err(DecodeError::TooLarge { what: "integer", max: MAX_SAFE, got: value });
                }
                return Ok(value);
            }
        }
        Err(DecodeError::TooLarge { what: "integer", max: MAX_SAFE, got: u64::MAX })
    }

    /// A variable integer that must not exceed `max`: a length or count, checked before allocation.
    pub fn count(&mut self, what: &'static str, max: usize) -> Result<usize, DecodeError> {
        let got = self.varint()?;
        match usize::try_from(got) {
            Ok(count) if count <= max => Ok(count),
            _ => Err(DecodeError::TooLarge { what, max: u64::try_from(max).unwrap_or(u64::MAX), got }),
        }
    }

    /// Length-prefixed bytes, at most `max` of them.
    pub fn bytes(&mut self, what: &'static str, max: usize) -> Result<&'a [u8], DecodeError> {
        let length = self.count(what, max)?;
        self.raw(length)
    }

    /// Length-prefixed UTF-8 text, at most `max` bytes of it.
    pub fn text(&mut self, what: &'static str, max: usize) -> Result<&'a str, DecodeError> {
        core::str::from_utf8(self.bytes(what, max)?).map_err(|_| DecodeError::Utf8)
    }

    /// Checks that nothing is left.
    pub const fn end(&self) -> Result<(), DecodeError> {
        if self.0.is_empty() { Ok(()) } else { Err(DecodeError::Trailing { got: self.0.len() }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Writer;

    #[test]
    fn integers_round_trip_and_have_one_form() {
        for value in [0, 1, 127, 128, 16_383, 16_384, MAX_SAFE - 1, MAX_SAFE] {
            let mut writer = Writer::new();
            writer.varint(value);
            assert_eq!(Reader::new(writer.as_slice()).varint(), Ok(value));
        }
        assert!(matches!(Reader::new(&[0x80, 0]).varint(), Err(DecodeError::NotCanonical { .. })));
        let mut writer = Writer::new();
        writer.varint(MAX_SAFE + 1);
        assert!(matches!(Reader::new(writer.as_slice()).varint(), Err(DecodeError::TooLarge { .. })));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_never_panic(bytes: Vec<u8>) {
            let mut reader = Reader::new(&bytes);
            let _ = reader.varint();
            let _ = reader.bytes("test", 100);
            let _ = reader.text("test", 100);
            let _ = reader.array::<7>();
        }
    }
}
