//! The spaces that a person joined or made beside the one of the domain, in the file `node/spaces`.
//!
//! ```text
//! version u8 │ varint count │ each: space key 32 │ flags u8 (1: leaving, 2: gone) │ varint generation
//!            │ varint length │ join request
//! ```
//! A join request is kept, signed as it was, until a grant answers it. A space that was left stays until what was
//! written there last has had a chance to reach others; then its entry remains, since whoever comes back needs another
//! key than the one that took itself out: the generation is part of what the key is derived from.

use crate::{
    codec::{DecodeError, Reader, Writer},
    collections::Map,
    crypto::PublicKey,
};

/// The list.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(in crate::node) struct Memberships {
    pub(in crate::node) list: Vec<Membership>,
}

/// One space of the list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::node) struct Membership {
    pub(in crate::node) space: PublicKey,
    /// It was left, and goes as soon as its peers know.
    pub(in crate::node) leaving: bool,
    /// It was left, and nothing of it is stored any more.
    pub(in crate::node) gone: bool,
    /// How often this device took itself out.
    pub(in crate::node) generation: u64,
    /// What is sent to be let in; empty if nothing is.
    pub(in crate::node) request: Vec<u8>,
    /// When it is sent again, or the space is dropped; ms since 1970. Not stored.
    pub(in crate::node) due: Option<u64>,
    /// How long it waits after the next sending, in ms. Not stored.
    pub(in crate::node) pause: u64,
}

impl Membership {
    pub(in crate::node) const fn new(space: PublicKey) -> Self {
        Self { space, leaving: false, gone: false, generation: 0, request: Vec::new(), due: None, pause: 0 }
    }
}

impl Memberships {
    pub(in crate::node) fn get_mut(&mut self, space: &PublicKey) -> Option<&mut Membership> {
        self.list.iter_mut().find(|membership| membership.space == *space)
    }

    /// The entry of a space; `None` if it is new and there is no room for one more.
    pub(in crate::node) fn add(&mut self, space: PublicKey) -> Option<&mut Membership> {
        let at = self.list.iter().position(|membership| membership.space == space);
        if at.is_none() && self.list.len() < MAX_SPACES {
            self.list.push(Membership::new(space));
        }
        match at {
            Some(at) => self.list.get_mut(at),
            None => self.list.last_mut().filter(|last| last.space == space),
        }
    }

    /// What the keys of each space are derived from beside its own key.
    pub(in crate::node) fn generations(&self) -> Map<PublicKey, u64> {
        self.list.iter().map(|membership| (membership.space, membership.generation)).collect()
    }

    pub(in crate::node) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned();
        out.count(self.list.len());
        for membership in &self.list {
            let flags = u8::from(membership.leaving) | u8::from(membership.gone) << 1;
            out.raw(&membership.space.0).u8(flags).varint(membership.generation).bytes(&membership.request);
        }
        out.finish()
    }

    pub(in crate::node) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::versioned(bytes)?;
        let mut list = Vec::new();
        for _ in 0..reader.count("spaces", MAX_SPACES)? {
            let space = PublicKey(reader.array()?);
            let flags = reader.u8()?;
            let (leaving, gone) = (flags & 1 != 0, flags & 2 != 0);
            let generation = reader.varint()?;
            let request = reader.bytes("join request", MAX_REQUEST)?.to_vec();
            list.push(Membership { leaving, gone, generation, request, ..Membership::new(space) });
        }
        reader.end()?;
        Ok(Self { list })
    }
}

/// Most spaces beside the domain's: each is opened at the start, and has a topic on every hub.
pub(in crate::node) const MAX_SPACES: usize = 256;
const MAX_REQUEST: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_round_trip_and_are_bounded() {
        let mut some = Memberships::default();
        for byte in [1, 2, 1] {
            let membership = some.add(PublicKey([byte; 32])).unwrap();
            membership.leaving = byte == 2;
            membership.gone = byte == 1;
            membership.generation = 3;
            membership.request = vec![byte; 3];
        }
        assert_eq!(some.list.len(), 2);
        assert_eq!(Memberships::decode(&some.encode()), Ok(some.clone()));
        for number in 0..u16::try_from(MAX_SPACES).unwrap() {
            let mut key = [7; 32];
            key[..2].copy_from_slice(&number.to_le_bytes());
            some.add(PublicKey(key));
        }
        assert_eq!(some.list.len(), MAX_SPACES);
        assert!(some.add(PublicKey([9; 32])).is_none());
        assert!(some.add(PublicKey([1; 32])).is_some());
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_never_panic(bytes: Vec<u8>) {
            let _ = Memberships::decode(&bytes);
        }
    }
}
