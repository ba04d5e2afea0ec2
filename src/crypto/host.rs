//! The domain under which a person's keys are derived.

use core::fmt;

/// A canonical host: ASCII (IDNA already applied), lower case, no port, no trailing dot, no leading `www.`.
///
/// The same site must give the same keys however its address was typed, so everything that varies is removed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Host(String);

impl Host {
    /// Canonicalises a host. IDNA is the browser's part (`new URL(…).hostname`); non-ASCII is an error here.
    pub fn parse(text: &str) -> Result<Self, HostError> {
        let lower = text.trim().to_ascii_lowercase();
        let host = match lower.rsplit_once(':') {
            // The colons of an IPv6 address, which stands in brackets, are no port's.
            Some((host, port))
                if port.bytes().all(|b| b.is_ascii_digit())
                    && (host.bytes().all(|byte| byte != b':') || host.ends_with(']')) =>
            {
                host
            }
            _ => &lower,
        };
        let host = host.strip_suffix('.').unwrap_or(host);
        let host = host.strip_prefix("www.").unwrap_or(host);
        if host.is_empty() {
            return Err(HostError::Empty);
        }
        if host.len() > MAX_HOST {
            return Err(HostError::TooLong { got: host.len() });
        }
        let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let wrong = match address {
            Some(address) => address.chars().find(|c| !matches!(c, 'a'..='f' | '0'..='9' | '.' | ':')),
            None => host.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-' | '.' | '_')),
        };
        match wrong {
            Some(got) => Err(HostError::Character { got }),
            None => Ok(Self(host.to_owned())),
        }
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Text that is not a host.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum HostError {
    /// A character that no host has.
    #[error("a domain is letters, digits, dots and hyphens such as example.org; got {got:?}")]
    Character {
        /// The first such character.
        got: char,
    },
    /// Nothing left.
    #[error("the domain is empty; give a host such as example.org")]
    Empty,
    /// Longer than DNS allows.
    #[error("a domain has at most 253 characters, got {got}")]
    TooLong {
        /// Bytes that came.
        got: usize,
    },
}

/// DNS's limit, in characters.
const MAX_HOST: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_site_gives_one_host() {
        for form in
            ["example.org", "EXAMPLE.org.", "www.example.org", "example.org:8080", " www.Example.ORG:443 "]
        {
            assert_eq!(Host::parse(form).unwrap().as_str(), "example.org", "{form}");
        }
        assert_eq!(Host::parse("[::1]:80").unwrap().as_str(), "[::1]");
        assert_eq!(Host::parse("bücher.example"), Err(HostError::Character { got: 'ü' }));
        assert_eq!(Host::parse("."), Err(HostError::Empty));
        for form in ["example.org:port", "::1", "[::1]:port", "[example.org]", "a[b"] {
            assert!(matches!(Host::parse(form), Err(HostError::Character { .. })), "{form}");
        }
    }
}
