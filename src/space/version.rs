//! Where a value stands: writer, entry, operation.

use core::{fmt, str::FromStr};

use crate::{
    codec::MAX_SAFE,
    crypto::{PublicKey, parse_hex32},
};

/// Names one operation. As text: `<writer, 64 hex digits>/<index>/<operation>`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Version {
    /// Whose feed.
    pub writer: PublicKey,
    /// Index of the entry.
    pub index: u64,
    /// Index of the operation: public ones first, then those of the sealed part.
    pub op: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.writer, self.index, self.op)
    }
}

/// Text that is not a version.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a version looks like <64 hexadecimal digits>/<number>/<number>")]
pub struct VersionError;

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let mut parts = text.split('/');
        let (Some(writer), Some(index), Some(op), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(VersionError);
        };
        let version = Self {
            writer: PublicKey(parse_hex32(writer).map_err(|_| VersionError)?),
            index: index.parse().map_err(|_| VersionError)?,
            op: op.parse().map_err(|_| VersionError)?,
        };
        // One text for one version: no plus sign, no leading zero, no capitals.
        if version.index > MAX_SAFE || version.to_string() != text {
            return Err(VersionError);
        }
        Ok(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_one_text() {
        let version = Version { writer: PublicKey([0xab; 32]), index: 7, op: 2 };
        let text = version.to_string();
        assert_eq!(text.parse(), Ok(version));
        for bad in [
            text.replace("/7/", "/07/"),
            text.replace("/7/", "/+7/"),
            format!("{text}/"),
            text.to_uppercase(),
            String::new(),
        ] {
            assert_eq!(bad.parse::<Version>(), Err(VersionError), "{bad}");
        }
    }
}
