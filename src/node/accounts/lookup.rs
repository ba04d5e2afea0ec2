//! Which space a domain names: `/.well-known/dat` (DEP-0005).
//!
//! ```text
//! dat://<64 hex>      or hypha://…; upper case, a trailing slash and CRLF are accepted
//! TTL=<seconds>       optional; 3600 unless given, 0 = ask each time, at most 7 days
//! ```
//! The host is not trusted: the first key seen is pinned, and another one later is an error that the person must
//! resolve.

use crate::crypto::{Link, PublicKey};
use crate::node::{ErrorCode, NodeError};

/// What asking the host gave.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Lookup {
    /// The file's text.
    Found(String),
    /// The host has no such file (404).
    Missing,
    /// No answer, or another status; the text says which.
    Failed(String),
}

/// The file's content.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct WellKnown {
    /// The space.
    pub key: PublicKey,
    /// For how long the answer holds, in ms.
    pub ttl_ms: u64,
}

impl WellKnown {
    /// Reads the file.
    pub fn parse(text: &str) -> Result<Self, NodeError> {
        let mut lines = text.lines().map(str::trim);
        let first = lines.next().unwrap_or_default();
        let lower = first.to_ascii_lowercase();
        if !lower.starts_with("dat://") && !lower.starts_with("hypha://") {
            let shown: String = first.chars().take(40).collect();
            let hint = if lower.starts_with('<') {
                " (this host answers with a web page where the file should be)"
            } else {
                ""
            };
            return Err(NodeError::new(
                ErrorCode::BadLink,
                format!(
                    "/.well-known/dat should begin with hypha:// and 64 hexadecimal digits, but begins with {shown:?}{hint}"
                ),
            ));
        }
        let link = Link::parse(first)
            .map_err(|error| NodeError::new(ErrorCode::BadLink, format!("/.well-known/dat: {error}")))?;
        let mut ttl = DEFAULT_TTL;
        for line in lines {
            if let Some((name, value)) = line.split_once('=')
                && name.trim().eq_ignore_ascii_case("ttl")
            {
                let digits = value.trim();
                let seconds = digits.parse::<u64>().ok().filter(|_| !digits.starts_with('+'));
                ttl = seconds.ok_or_else(|| {
                    let shown: String = value.chars().take(40).collect();
                    NodeError::new(
                        ErrorCode::BadLink,
                        format!("/.well-known/dat: TTL should be seconds, got {shown:?}"),
                    )
                })?;
            }
        }
        Ok(Self { key: link.0, ttl_ms: ttl.min(MAX_TTL) * 1000 })
    }
}

/// Seconds that an answer holds unless it says otherwise.
const DEFAULT_TTL: u64 = 3600;
/// Most seconds that an answer holds.
const MAX_TTL: u64 = 7 * 24 * 3600;
/// How long a missing file is remembered, in ms.
pub(in crate::node) const MISSING_TTL_MS: u64 = 60_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Signer;

    #[test]
    fn the_forms_of_dep_0005() {
        let key = Signer::from_seed(&[3; 32]).public();
        for (text, ttl) in [
            (format!("dat://{key}"), 3600),
            (format!("hypha://{key}/\r\nTTL=60\r\n"), 60),
            (format!("DAT://{}\nttl = 0\n", key.to_string().to_uppercase()), 0),
            (format!("dat://{key}\n\nTTL=99999999999"), MAX_TTL),
        ] {
            assert_eq!(WellKnown::parse(&text), Ok(WellKnown { key, ttl_ms: ttl * 1000 }), "{text}");
        }
    }

    #[test]
    fn anything_else_is_named() {
        let key = Signer::from_seed(&[3; 32]).public().to_string();
        for text in ["", "<!doctype html><html>", &key, "dat://abc", &format!("dat://{key}\nTTL=soon")] {
            assert_eq!(WellKnown::parse(text).unwrap_err().code, ErrorCode::BadLink, "{text}");
        }
        assert!(WellKnown::parse("<html>").unwrap_err().message.contains("web page"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_never_panics(text: String) {
            let _ = WellKnown::parse(&text);
        }
    }
}
