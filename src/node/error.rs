//! What a page is told when something cannot be done.

use core::fmt;

use crate::{space::SpaceError, storage::StorageError};

/// Stable codes: a page decides by them, a person reads the message.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ErrorCode {
    /// Something given is not what was asked for.
    BadInput,
    /// Not a hyphalink, or a look-up that gave none.
    BadLink,
    /// The node is closed.
    Closed,
    /// The value has changed since the version that was expected.
    Conflict,
    /// Stored data is damaged.
    Corrupt,
    /// Two different histories were signed with one key.
    Equivocation,
    /// No hub could be reached, or it is not one.
    Hub,
    /// The passphrase is needed first.
    Locked,
    /// This device may not do that.
    NotAuthorised,
    /// Another key than the one first seen.
    Pinned,
    /// The browser's storage is full.
    Quota,
    /// This device was removed.
    Revoked,
    /// The browser's storage fails.
    Storage,
    /// It took too long.
    Timeout,
    /// Larger than allowed.
    TooLarge,
    /// This browser, or this version, cannot do that.
    Unsupported,
    /// The passphrase is not the one of this domain.
    WrongPassphrase,
}

impl ErrorCode {
    /// All codes, for the test that the package's types list the same ones.
    pub const ALL: [Self; 17] = [
        Self::BadInput,
        Self::BadLink,
        Self::Closed,
        Self::Conflict,
        Self::Corrupt,
        Self::Equivocation,
        Self::Hub,
        Self::Locked,
        Self::NotAuthorised,
        Self::Pinned,
        Self::Quota,
        Self::Revoked,
        Self::Storage,
        Self::Timeout,
        Self::TooLarge,
        Self::Unsupported,
        Self::WrongPassphrase,
    ];

    /// The code as JavaScript sees it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadInput => "BAD_INPUT",
            Self::BadLink => "BAD_LINK",
            Self::Closed => "CLOSED",
            Self::Conflict => "CONFLICT",
            Self::Corrupt => "CORRUPT",
            Self::Equivocation => "EQUIVOCATION",
            Self::Hub => "HUB",
            Self::Locked => "LOCKED",
            Self::NotAuthorised => "NOT_AUTHORISED",
            Self::Pinned => "PINNED",
            Self::Quota => "QUOTA",
            Self::Revoked => "REVOKED",
            Self::Storage => "STORAGE",
            Self::Timeout => "TIMEOUT",
            Self::TooLarge => "TOO_LARGE",
            Self::Unsupported => "UNSUPPORTED",
            Self::WrongPassphrase => "WRONG_PASSPHRASE",
        }
    }
}

/// A code and a sentence that says what was expected, what came and what to do.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct NodeError {
    /// For the page.
    pub code: ErrorCode,
    /// For the person.
    pub message: String,
}

impl NodeError {
    /// An error with this code and message.
    pub fn new(code: ErrorCode, message: impl fmt::Display) -> Self {
        Self { code, message: message.to_string() }
    }

    pub(crate) fn bad_input(message: impl fmt::Display) -> Self {
        Self::new(ErrorCode::BadInput, message)
    }
}

impl From<SpaceError> for NodeError {
    fn from(error: SpaceError) -> Self {
        let code = match &error {
            SpaceError::Conflict { .. } => ErrorCode::Conflict,
            SpaceError::EmptyKey | SpaceError::Value(_) | SpaceError::NoWriter { .. } => ErrorCode::BadInput,
            SpaceError::Locked => ErrorCode::Locked,
            SpaceError::NotAuthorised { .. }
            | SpaceError::Behind { .. }
            | SpaceError::Invite { .. }
            | SpaceError::NoContentKey => ErrorCode::NotAuthorised,
            SpaceError::Root { .. } => ErrorCode::WrongPassphrase,
            error if error.is_absent() => ErrorCode::Storage,
            SpaceError::TooLarge { .. } | SpaceError::TooMany { .. } => ErrorCode::TooLarge,
            _ => ErrorCode::Corrupt,
        };
        Self::new(code, error)
    }
}

impl From<StorageError> for NodeError {
    fn from(error: StorageError) -> Self {
        Self::new(ErrorCode::Corrupt, error)
    }
}
