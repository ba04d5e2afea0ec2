//! Writing structures.

/// Appends fields to a growing buffer.
#[derive(Clone, Debug, Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// An empty buffer.
    pub fn new() -> Self {
        Self::default()
    }

    /// A buffer that begins with the version byte.
    pub fn versioned() -> Self {
        Self(vec![super::VERSION])
    }

    /// Bytes of a length as a variable integer.
    pub const fn count_length(count: usize) -> usize {
        let (mut rest, mut bytes) = (count >> 7, 1_usize);
        while rest > 0 {
            (rest, bytes) = (rest >> 7, bytes.saturating_add(1));
        }
        bytes
    }

    /// Makes room for so many bytes more, for whoever knows: growing copies all that is there.
    pub fn reserve(&mut self, more: usize) -> &mut Self {
        self.0.reserve(more);
        self
    }

    /// Fixed-size bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// One byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.raw(&[value])
    }

    /// Two bytes, little endian.
    pub fn u16(&mut self, value: u16) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }

    /// Four bytes, little endian.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }

    /// Eight bytes, little endian.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }

    /// A variable integer: seven bits a byte, low first, shortest form (LEB128).
    pub fn varint(&mut self, mut value: u64) -> &mut Self {
        loop {
            let low = value.to_le_bytes()[0] & 0x7f;
            value >>= 7;
            if value == 0 {
                return self.u8(low);
            }
            self.u8(low | 0x80);
        }
    }

    /// A count or length in memory as a variable integer.
    pub fn count(&mut self, value: usize) -> &mut Self {
        self.varint(u64::try_from(value).unwrap_or(u64::MAX))
    }

    /// A variable-integer length and the bytes.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.count(bytes.len()).raw(bytes)
    }

    /// UTF-8 text like [`Writer::bytes`].
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    /// Bytes written so far.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What was written so far.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// The buffer.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}
