//! A home's private notes about other spaces: with which key each device writes where, and the root seeds of spaces
//! that this person created (`secrets.rs`). What the devices do by them: `siblings.rs`.

use super::{Space, author::Draft};
use crate::{
    collections::Map,
    crypto::{Entropy, PublicKey, SealedKey},
    space::{Op, SpaceError, view::Place},
    storage::Files,
};

/// With which key a device of this person writes in a space.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Membership {
    /// The device's writer key at home.
    pub device: PublicKey,
    /// The space.
    pub space: PublicKey,
    /// The device's writer key there.
    pub writer: PublicKey,
    /// It is there no more.
    pub left: bool,
}

/// Where an operation stands: writer number, index, operation.
pub(super) type At = (u32, u64, u32);

/// What counted private entries say about other spaces.
#[derive(Default)]
pub(super) struct Notes {
    /// Space, writer key there, whether it left.
    pub(super) memberships: Map<At, (PublicKey, PublicKey, bool)>,
    /// Space, its root seed as it was sealed.
    pub(super) secrets: Map<At, (PublicKey, Box<SealedKey>)>,
}

impl Notes {
    pub(super) fn is_empty(&self) -> bool {
        self.memberships.keys().next().is_none() && self.secrets.keys().next().is_none()
    }

    /// Takes a private operation in, or out again.
    pub(super) fn place(&mut self, op: &Op, place: Place, shown: bool) {
        let at = (place.writer, place.index, place.op);
        match op {
            Op::Membership { space, writer, left } if shown => {
                self.memberships.insert(at, (*space, *writer, *left));
            }
            Op::SpaceSecret { space, sealed } if shown => {
                self.secrets.insert(at, (*space, sealed.clone()));
            }
            _ => {
                self.memberships.remove(&at);
                self.secrets.remove(&at);
            }
        }
    }
}

impl Space {
    /// Notes in this home with which key this device writes in a space, or that it left; returns whether an entry was
    /// written, which it is not if that is what was noted last.
    pub fn announce_membership(
        &mut self,
        files: &mut Files,
        now: u64,
        entropy: &mut dyn Entropy,
        space: PublicKey,
        writer: PublicKey,
        left: bool,
    ) -> Result<bool, SpaceError> {
        let device = self.author()?;
        if self.memberships().contains(&Membership { device, space, writer, left }) {
            return Ok(false);
        }
        self.append_private(files, now, entropy, vec![Op::Membership { space, writer, left }])?;
        Ok(true)
    }

    /// Which device writes where, as counted entries of this home say: the last word of each device on each space.
    /// Devices that were cut are among them.
    pub fn memberships(&self) -> Vec<Membership> {
        let mut last: Map<(PublicKey, PublicKey), Membership> = Map::new();
        // Ascending by writer and place, so a later word takes the place of an earlier one.
        for ((number, ..), (space, writer, left)) in self.notes.memberships.iter() {
            let device = self.numbers.key(*number);
            let membership = Membership { device, space: *space, writer: *writer, left: *left };
            last.insert((device, *space), membership);
        }
        last.into_values().collect()
    }

    /// Appends private operations that are no values.
    pub(super) fn append_private(
        &mut self,
        files: &mut Files,
        now: u64,
        entropy: &mut dyn Entropy,
        ops: Vec<Op>,
    ) -> Result<(), SpaceError> {
        self.author()?;
        let mut drafts = Vec::new();
        let epoch = self.epoch_for_writing(entropy, &mut drafts)?;
        drafts.push(Draft { private: Some((epoch, ops)), ..Draft::default() });
        self.append(files, now, entropy, drafts).map(drop)
    }
}
