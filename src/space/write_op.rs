//! What a page asks to be written.

use super::{MAX_ENTRY, MAX_KEY, SpaceError, Version};
use crate::codec::check_value;

/// What a key must hold for a write to go ahead.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Expect {
    /// Anything.
    #[default]
    Any,
    /// Nothing.
    Absent,
    /// This version is the winner.
    Version(Version),
}

/// One write.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum WriteOp {
    /// Removes the value under a key.
    Delete {
        /// The key, 1 to 1,024 bytes.
        key: String,
        /// What it must hold.
        expect: Expect,
    },
    /// Writes a value under a key.
    Put {
        /// The key, 1 to 1,024 bytes.
        key: String,
        /// The value in deterministic CBOR.
        value: Vec<u8>,
        /// Whether only writers may read it.
        private: bool,
        /// What it must hold.
        expect: Expect,
    },
}

impl WriteOp {
    /// The key.
    pub fn key(&self) -> &str {
        match self {
            Self::Delete { key, .. } | Self::Put { key, .. } => key,
        }
    }

    /// What it must hold.
    pub const fn expect(&self) -> Expect {
        match self {
            Self::Delete { expect, .. } | Self::Put { expect, .. } => *expect,
        }
    }

    /// Checks key and value by themselves.
    pub(crate) fn check(&self) -> Result<(), SpaceError> {
        match self.key().len() {
            0 => return Err(SpaceError::EmptyKey),
            1..=MAX_KEY => {}
            got => return Err(SpaceError::TooLarge { what: "key", max: MAX_KEY, got }),
        }
        if let Self::Put { value, .. } = self {
            if value.len() >= MAX_ENTRY {
                return Err(SpaceError::TooLarge { what: "value", max: MAX_ENTRY, got: value.len() });
            }
            check_value(value).map_err(SpaceError::Value)?;
        }
        Ok(())
    }
}
