//! What a peer can do wrong, and how sessions end.

use crate::codec::DecodeError;

/// Why a session has to close, seen from here. All but [`Fault::Local`] are the peer's doing: nothing it sent with
/// that message was kept, and no other session is touched.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Authentication of a frame failed: altered, reordered, or from another session.
    #[error("frame {sequence} is not authentic")]
    Authentic {
        /// Frames received before it.
        sequence: u64,
    },
    /// A message for a channel that was never opened.
    #[error("channel {got} was never opened")]
    Channel {
        /// The number that came.
        got: u64,
    },
    /// A message that does not decode.
    #[error("{kind} message does not decode: {error}")]
    Decode {
        /// Kind of message, or `frame`.
        kind: &'static str,
        /// What is wrong with it.
        error: DecodeError,
    },
    /// A frame longer than allowed or empty.
    #[error("frame of {got} bytes: expected 1 to {max}")]
    FrameLength {
        /// Most bytes.
        max: usize,
        /// Bytes that were announced.
        got: usize,
    },
    /// The Noise handshake failed: another prologue (somebody swapped the fingerprints), or altered bytes.
    #[error("handshake failed: {detail}")]
    Handshake {
        /// What failed.
        detail: &'static str,
    },
    /// Our own side cannot go on: storage, for one.
    #[error("local failure: {0}")]
    Local(String),
    /// More of something than the protocol allows.
    #[error("too many {what}: at most {max}")]
    Limit {
        /// What was counted.
        what: &'static str,
        /// The limit.
        max: usize,
    },
    /// The peer is this node.
    #[error("connected to itself")]
    Myself,
    /// The first bytes are no Hypha frame.
    #[error("the peer does not speak Hypha")]
    NotHypha,
    /// Data, proof, record or signature that does not verify.
    #[error("{what} refused: {detail}")]
    Refused {
        /// What was sent.
        what: &'static str,
        /// Why it was refused.
        detail: String,
    },
    /// A frame out of its turn.
    #[error("frame out of order: expected sequence {expected}, got {got}")]
    Sequence {
        /// The next number.
        expected: u64,
        /// The number that came.
        got: u64,
    },
    /// Messages faster than allowed.
    #[error("{kind} messages too fast: at most {per_second} a second")]
    TooFast {
        /// Kind of message.
        kind: &'static str,
        /// The limit.
        per_second: u32,
    },
    /// A message that makes no sense at this point.
    #[error("unexpected {what}")]
    Unexpected {
        /// What came.
        what: &'static str,
    },
    /// No version in common.
    #[error("no version in common: this program speaks {ours}, the peer {theirs:?}")]
    Version {
        /// Our version.
        ours: u8,
        /// What the peer speaks.
        theirs: Vec<u8>,
    },
}

impl Fault {
    /// A stable short name.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Authentic { .. } => "AUTHENTIC",
            Self::Channel { .. } => "CHANNEL",
            Self::Decode { .. } => "DECODE",
            Self::FrameLength { .. } => "FRAME_LENGTH",
            Self::Handshake { .. } => "HANDSHAKE",
            Self::Limit { .. } => "LIMIT",
            Self::Local(_) => "LOCAL",
            Self::Myself => "MYSELF",
            Self::NotHypha => "NOT_HYPHA",
            Self::Refused { .. } => "REFUSED",
            Self::Sequence { .. } => "SEQUENCE",
            Self::TooFast { .. } => "TOO_FAST",
            Self::Unexpected { .. } => "UNEXPECTED",
            Self::Version { .. } => "VERSION",
        }
    }

    /// Whether the peer is to blame, so that it should be backed off from.
    pub const fn is_peers(&self) -> bool {
        !matches!(self, Self::Local(_) | Self::Myself)
    }
}

/// Why one side says goodbye; the wire number is fixed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Goodbye {
    /// This node shuts down or no longer wants the peer (0).
    Leaving,
    /// Another connection to the same peer is kept (1).
    Duplicate,
    /// Too many connections (2).
    Busy,
    /// No space in common for a while (3).
    Idle,
    /// The peer did something wrong; the text names it (4).
    Offence,
    /// This side failed (5).
    Failure,
    /// A number this program does not know.
    Other(u8),
}

impl Goodbye {
    pub(super) const fn byte(self) -> u8 {
        match self {
            Self::Leaving => 0,
            Self::Duplicate => 1,
            Self::Busy => 2,
            Self::Idle => 3,
            Self::Offence => 4,
            Self::Failure => 5,
            Self::Other(byte) => byte,
        }
    }

    pub(super) const fn from_byte(byte: u8) -> Self {
        match byte {
            0 => Self::Leaving,
            1 => Self::Duplicate,
            2 => Self::Busy,
            3 => Self::Idle,
            4 => Self::Offence,
            5 => Self::Failure,
            other => Self::Other(other),
        }
    }
}

/// How a session ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CloseReason {
    /// We found a fault.
    Fault(Fault),
    /// We said goodbye.
    Ours(Goodbye),
    /// Nothing came for [`super::limits::SILENCE_MS`], or the handshake did not finish in time.
    Silence,
    /// The peer said goodbye, with its words (at most [`super::limits::MAX_REASON`] bytes; not to be trusted).
    Theirs {
        /// Why.
        goodbye: Goodbye,
        /// Its words.
        text: String,
    },
    /// The peer speaks other versions only.
    Version {
        /// Those it named.
        theirs: Vec<u8>,
    },
}
