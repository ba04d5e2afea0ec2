//! Frames: what one session is cut into for its carrier.
//!
//! ```text
//! on the carrier   length u16le │ body (during the handshake in clear, then sealed by Noise: 16 bytes more)
//! sealed           kind u8 │ sequence varint │ acknowledged varint │ rest
//!   0 first part   whole length varint │ bytes          of a message
//!   1 next part    bytes
//!   2 ping         stamp u64le
//!   3 pong         stamp u64le
//!   4 close        why u8 │ text
//!   5 attach       session id 32 │ last sequence received varint
//!   6 received     nothing
//! ```
//!
//! `sequence` counts the parts sent so far (1 for the first); other kinds repeat it. `acknowledged` is the last part
//! that was received. With these a session can go on over another carrier: kind 5 opens it there. The length prefix makes
//! frames independent of how a carrier cuts bytes.

use super::{
    Fault, Goodbye,
    limits::{MAX_FRAME, MAX_MESSAGE, MAX_REASON},
};
use crate::codec::{DecodeError, Reader, Writer};

const PREFIX: usize = 2;
const TAG: usize = 16;
/// Longest header of a part: kind, three integers of up to 8 bytes.
const HEADER: usize = 25;
/// Bytes of a message that always fit into one frame.
pub(super) const PART: usize = MAX_FRAME - PREFIX - TAG - HEADER;

/// A frame, opened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Frame<'a> {
    pub(super) sequence: u64,
    pub(super) acknowledged: u64,
    pub(super) content: Content<'a>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Content<'a> {
    First { whole: usize, bytes: &'a [u8] },
    Next(&'a [u8]),
    Ping(u64),
    Pong(u64),
    Close { goodbye: Goodbye, text: &'a str },
    Attach { id: [u8; 32], received: u64 },
    Received,
}

impl<'a> Frame<'a> {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        let kind = match self.content {
            Content::First { .. } => 0,
            Content::Next(_) => 1,
            Content::Ping(_) => 2,
            Content::Pong(_) => 3,
            Content::Close { .. } => 4,
            Content::Attach { .. } => 5,
            Content::Received => 6,
        };
        out.u8(kind).varint(self.sequence).varint(self.acknowledged);
        match self.content {
            Content::First { whole, bytes } => out.count(whole).raw(bytes),
            Content::Next(bytes) => out.raw(bytes),
            Content::Ping(stamp) | Content::Pong(stamp) => out.u64(stamp),
            Content::Close { goodbye, text } => out.u8(goodbye.byte()).text(text),
            Content::Attach { id, received } => out.raw(&id).varint(received),
            Content::Received => &mut out,
        };
        out.finish()
    }

    pub(super) fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let kind = reader.u8()?;
        let (sequence, acknowledged) = (reader.varint()?, reader.varint()?);
        let content = match kind {
            0 => Content::First { whole: reader.count("message", MAX_MESSAGE)?, bytes: reader.rest() },
            1 => Content::Next(reader.rest()),
            2 => Content::Ping(reader.u64()?),
            3 => Content::Pong(reader.u64()?),
            4 => Content::Close {
                goodbye: Goodbye::from_byte(reader.u8()?),
                text: reader.text("reason", MAX_REASON)?,
            },
            5 => Content::Attach { id: reader.array()?, received: reader.varint()? },
            6 => Content::Received,
            other => return Err(DecodeError::Unknown { what: "frame kind", got: u64::from(other) }),
        };
        reader.end()?;
        Ok(Self { sequence, acknowledged, content })
    }
}

/// Puts the length in front; `None` if it is too long for a frame.
pub(super) fn enclose(body: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(body.len()).ok().filter(|_| body.len() <= MAX_FRAME - PREFIX)?;
    let mut out = Vec::with_capacity(PREFIX + body.len());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(body);
    Some(out)
}

/// Finds frames in bytes as a carrier delivers them. Holds less than one frame.
#[derive(Default)]
pub(super) struct Deframer(Vec<u8>);

impl Deframer {
    /// Takes the next whole frame from what was kept and the front of `bytes`, and moves `bytes` on.
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        if !self.fill(bytes, PREFIX) {
            return Ok(None);
        }
        let Some(prefix) = self.0.first_chunk::<PREFIX>() else { return Ok(None) };
        let length = usize::from(u16::from_le_bytes(*prefix));
        let max = MAX_FRAME - PREFIX;
        if length == 0 || length > max {
            return Err(Fault::FrameLength { max, got: length });
        }
        if !self.fill(bytes, PREFIX + length) {
            return Ok(None);
        }
        let frame = self.0.get(PREFIX..).unwrap_or_default().to_vec();
        self.0.clear();
        Ok(Some(frame))
    }

    /// Fills up to `length` bytes; whether they are there.
    fn fill(&mut self, bytes: &mut &[u8], length: usize) -> bool {
        let missing = length.saturating_sub(self.0.len()).min(bytes.len());
        let (front, rest) = bytes.split_at(missing);
        self.0.extend_from_slice(front);
        *bytes = rest;
        self.0.len() >= length
    }
}

/// Joins parts into messages. Never holds more than the length a first part announced.
#[derive(Default)]
pub(super) struct Joiner {
    whole: usize,
    bytes: Vec<u8>,
    open: bool,
}

impl Joiner {
    pub(super) fn first(&mut self, whole: usize, bytes: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        if self.open {
            return Err(Fault::Unexpected { what: "first part inside a message" });
        }
        (self.whole, self.open) = (whole, true);
        // Grows with what really comes: a length alone allocates nothing.
        self.bytes = Vec::with_capacity(whole.min(MAX_FRAME));
        self.add(bytes)
    }

    pub(super) fn next(&mut self, bytes: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        if !self.open || bytes.is_empty() {
            return Err(Fault::Unexpected { what: "next part outside a message" });
        }
        self.add(bytes)
    }

    fn add(&mut self, bytes: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        if self.bytes.len().saturating_add(bytes.len()) > self.whole {
            return Err(Fault::Unexpected { what: "part longer than its message" });
        }
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() < self.whole {
            return Ok(None);
        }
        self.open = false;
        Ok(Some(core::mem::take(&mut self.bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn largest_part_fits_the_largest_frame() {
        let content = Content::First { whole: MAX_MESSAGE, bytes: &[7; PART] };
        let frame = Frame { sequence: crate::codec::MAX_SAFE, acknowledged: crate::codec::MAX_SAFE, content };
        let sealed = frame.encode().len() + TAG;
        assert!(sealed + PREFIX <= MAX_FRAME, "{sealed}");
        assert!(enclose(&vec![0; MAX_FRAME - PREFIX]).is_some_and(|f| f.len() == MAX_FRAME));
        assert!(enclose(&vec![0; MAX_FRAME - PREFIX + 1]).is_none());
    }

    #[test]
    fn lengths_past_the_limit_are_refused_before_anything_is_kept() {
        let mut deframer = Deframer::default();
        assert!(matches!(deframer.next(&mut [0, 0].as_slice()), Err(Fault::FrameLength { got: 0, .. })));
        let mut deframer = Deframer::default();
        assert!(matches!(
            deframer.next(&mut [255, 255].as_slice()),
            Err(Fault::FrameLength { got: 65_535, .. })
        ));
        let mut out = Writer::new();
        out.u8(0).varint(1).varint(0).count(MAX_MESSAGE + 1);
        assert!(matches!(Frame::decode(out.as_slice()), Err(DecodeError::TooLarge { .. })));
        let mut joiner = Joiner::default();
        assert!(joiner.first(2, &[1]).unwrap().is_none());
        assert!(joiner.next(&[1, 2]).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_never_panic(bytes: Vec<u8>) {
            if let Ok(frame) = Frame::decode(&bytes) {
                prop_assert_eq!(frame.encode(), bytes.clone());
            }
            let mut deframer = Deframer::default();
            let mut rest = bytes.as_slice();
            while let Ok(Some(_)) = deframer.next(&mut rest) {}
        }

        #[test]
        fn frames_survive_any_cutting(bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..600), 1..8),
                                      cut in 1_usize..50) {
            let stream: Vec<u8> = bodies.iter().flat_map(|b| enclose(b).unwrap()).collect();
            let (mut deframer, mut got) = (Deframer::default(), Vec::new());
            for mut piece in stream.chunks(cut) {
                while let Some(frame) = deframer.next(&mut piece).unwrap() {
                    got.push(frame);
                }
            }
            prop_assert_eq!(got, bodies);
        }
    }
}
