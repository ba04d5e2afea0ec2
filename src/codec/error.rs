//! What can be wrong with bytes.

/// Bytes that are not what was expected. Says where nothing but what: offsets help only whoever wrote them.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Values nested deeper than allowed.
    #[error("nested deeper than {max} levels")]
    Depth {
        /// Most levels.
        max: usize,
    },
    /// Ended before the structure did.
    #[error("ended early: expected {expected} more bytes, got {got}")]
    Ended {
        /// Bytes wanted.
        expected: usize,
        /// Bytes left.
        got: usize,
    },
    /// Valid in a looser encoding, but not the one form that is allowed.
    #[error("not in canonical form: {what}")]
    NotCanonical {
        /// Which rule it breaks.
        what: &'static str,
    },
    /// Bytes after the end.
    #[error("{got} bytes too many")]
    Trailing {
        /// Bytes left over.
        got: usize,
    },
    /// A number, length or count over its limit.
    #[error("{what} is too large: at most {max}, got {got}")]
    TooLarge {
        /// What it counts.
        what: &'static str,
        /// The limit.
        max: u64,
        /// What came.
        got: u64,
    },
    /// A kind that is not known where only known ones may stand.
    #[error("unknown {what}: {got}")]
    Unknown {
        /// What it is the kind of.
        what: &'static str,
        /// The number that came.
        got: u64,
    },
    /// Text that is not UTF-8.
    #[error("text is not UTF-8")]
    Utf8,
    /// A version that this program does not speak.
    #[error("version {got} is not known (this program reads version {expected}); an update may help")]
    Version {
        /// Version that is read.
        expected: u8,
        /// Version that came.
        got: u8,
    },
}
