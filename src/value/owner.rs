//! Who may sign a value: one key, or M of N.

use super::ValueError;
use crate::{
    codec::{DecodeError, Reader, Writer},
    collections::sort,
    crypto::{Namespace, PublicKey, hash_to},
};

/// Most keys of a group.
pub const MAX_KEYS: usize = 32;

/// The owner of a value.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Owner {
    /// One key.
    Single(PublicKey),
    /// So many of these keys.
    Group(Group),
}

/// M of N keys.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Group {
    needed: u8,
    keys: Vec<PublicKey>,
}

impl Group {
    /// `needed` of `keys`, at least 1 and at most all; the order of the keys does not matter, none may be twice.
    pub fn new(needed: u8, mut keys: Vec<PublicKey>) -> Result<Self, ValueError> {
        sort(&mut keys);
        let count = keys.len();
        let wrong = |why| Err(ValueError::Group { needed, keys: count, why });
        if count > MAX_KEYS {
            return wrong("too many keys");
        }
        if needed == 0 || usize::from(needed) > count {
            return wrong("it needs at least one and at most all");
        }
        if keys.windows(2).any(|pair| matches!(pair, [a, b] if a == b)) {
            return wrong("a key twice");
        }
        Ok(Self { needed, keys })
    }

    /// Signatures needed.
    pub const fn needed(&self) -> u8 {
        self.needed
    }

    /// The keys, ascending.
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }
}

impl Owner {
    /// Type byte of a value with one signer.
    pub(super) const SINGLE: u8 = 1;
    /// Type byte of a value of a group.
    pub(super) const GROUP: u8 = 2;

    pub(super) const fn kind(&self) -> u8 {
        match self {
            Self::Single(_) => Self::SINGLE,
            Self::Group(_) => Self::GROUP,
        }
    }

    /// What the value is found under, beside its salt: the key, or the hash of the group.
    pub fn key(&self) -> [u8; 32] {
        match self {
            Self::Single(key) => key.0,
            Self::Group(_) => {
                let mut writer = Writer::new();
                self.write(writer.u8(self.kind()));
                hash_to(Namespace::Value, &[writer.as_slice()]).0
            }
        }
    }

    /// Keys that may sign.
    pub fn keys(&self) -> &[PublicKey] {
        match self {
            Self::Single(key) => core::slice::from_ref(key),
            Self::Group(group) => &group.keys,
        }
    }

    /// Signatures that are needed.
    pub const fn needed(&self) -> u8 {
        match self {
            Self::Single(_) => 1,
            Self::Group(group) => group.needed,
        }
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        match self {
            Self::Single(key) => {
                writer.raw(&key.0);
            }
            Self::Group(group) => {
                writer.u8(group.needed).u8(u8::try_from(group.keys.len()).unwrap_or(u8::MAX));
                for key in &group.keys {
                    writer.raw(&key.0);
                }
            }
        }
    }

    pub(super) fn read(kind: u8, reader: &mut Reader<'_>) -> Result<Self, ValueError> {
        match kind {
            Self::SINGLE => Ok(Self::Single(PublicKey(reader.array()?))),
            Self::GROUP => {
                let (needed, count) = (reader.u8()?, usize::from(reader.u8()?));
                if count > MAX_KEYS {
                    return Err(ValueError::Group { needed, keys: count, why: "too many keys" });
                }
                let mut keys = Vec::with_capacity(count);
                for _ in 0..count {
                    keys.push(PublicKey(reader.array()?));
                }
                if !keys.is_sorted() {
                    return Err(DecodeError::NotCanonical { what: "keys out of order" }.into());
                }
                Group::new(needed, keys).map(Self::Group)
            }
            got => Err(DecodeError::Unknown { what: "type of signed value", got: got.into() }.into()),
        }
    }
}
