//! A space's manifest: what it is, and which root records make it complete. The value of a signed value under the
//! last root key, empty salt.
//!
//! ```text
//! version u8 │ kind u8 (1 home, 2 space) │ varint domain length │ domain (UTF-8; empty for a space)
//! policy u8 (1: writers are granted one by one) │ varint record heads │ each: record hash 32, ascending
//! ```
//! The set of root records is complete when every head and all its ancestors are held.

use crate::{
    codec::{DecodeError, Reader, Writer},
    crypto::{Hash, PublicKey},
    value::ValueError,
};

/// What a space is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A person's home.
    Home,
    /// A space made by `createSpace`.
    Space,
}

/// What the root says about its space.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Manifest {
    /// What it is for.
    pub kind: Kind,
    /// Host whose passphrase derives the root; empty for a space.
    pub domain: String,
    /// Hashes of the root records that no other record names, ascending.
    pub heads: Vec<Hash>,
}

impl Manifest {
    /// The signed value's value.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned();
        let kind = match self.kind {
            Kind::Home => 1,
            Kind::Space => 2,
        };
        out.u8(kind).text(&self.domain).u8(POLICY_GRANTED).count(self.heads.len());
        for head in &self.heads {
            out.raw(&head.0);
        }
        out.finish()
    }

    /// Reads a signed value's value.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::versioned(bytes)?;
        let kind = match reader.u8()? {
            1 => Kind::Home,
            2 => Kind::Space,
            got => return Err(DecodeError::Unknown { what: "kind of space", got: u64::from(got) }),
        };
        let domain = reader.text("domain", MAX_DOMAIN)?.to_owned();
        if kind == Kind::Space && !domain.is_empty() {
            return Err(DecodeError::NotCanonical { what: "domain of a space" });
        }
        let policy = reader.u8()?;
        if policy != POLICY_GRANTED {
            return Err(DecodeError::Unknown { what: "policy", got: u64::from(policy) });
        }
        let count = reader.count("record heads", MAX_HEADS)?;
        let mut heads = Vec::with_capacity(count.min(reader.remaining() / 32));
        for _ in 0..count {
            heads.push(Hash(reader.array()?));
        }
        reader.end()?;
        if heads.windows(2).any(|pair| matches!(pair, [a, b] if a >= b)) {
            return Err(DecodeError::NotCanonical { what: "record heads out of order" });
        }
        Ok(Self { kind, domain, heads })
    }
}

/// A manifest that is not to be believed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ManifestError {
    /// A group's value, or one with a salt: not what a root signs.
    #[error("not a value of the root key {expected} alone, or with a salt")]
    Key {
        /// The last root.
        expected: PublicKey,
    },
    /// Not the layout.
    #[error(transparent)]
    Layout(#[from] DecodeError),
    /// The signed value around it is wrong.
    #[error(transparent)]
    Value(#[from] ValueError),
}

/// Writers are granted one by one: the only policy so far.
const POLICY_GRANTED: u8 = 1;
/// Most bytes of a host name.
const MAX_DOMAIN: usize = 253;
/// Most record heads: a signed value has at most 16 KiB.
pub(super) const MAX_HEADS: usize = 400;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn manifests_round_trip(home: bool, domain in "[a-z.]{0,20}", heads in prop::collection::btree_set(any::<[u8; 32]>(), 0..5)) {
            let kind = if home { Kind::Home } else { Kind::Space };
            let domain = if home { domain } else { String::new() };
            let manifest = Manifest { kind, domain, heads: heads.into_iter().map(Hash).collect() };
            prop_assert_eq!(Manifest::decode(&manifest.encode()).unwrap(), manifest);
        }

        #[test]
        fn any_bytes_are_refused_or_canonical(mut bytes: Vec<u8>, versioned: bool) {
            if let (Some(first), true) = (bytes.first_mut(), versioned) {
                *first = 1;
            }
            if let Ok(manifest) = Manifest::decode(&bytes) {
                prop_assert_eq!(manifest.encode(), bytes);
            }
        }
    }

    #[test]
    fn the_largest_manifest_fits_a_signed_value() {
        let heads = (0..MAX_HEADS).map(|n| Hash([u8::try_from(n % 256).unwrap(); 32])).collect();
        let manifest = Manifest { kind: Kind::Home, domain: "a".repeat(MAX_DOMAIN), heads };
        assert!(manifest.encode().len() <= 16 * 1024);
    }
}
