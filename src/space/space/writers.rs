//! The writers of a space, as they are shown to people.

use super::Space;
use crate::{
    collections::Map,
    crypto::PublicKey,
    space::{CountedGrant, PersonId, Role, WriterStanding},
};

/// A writer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WriterInfo {
    /// Its key.
    pub key: PublicKey,
    /// Its device's name, if it can be read here.
    pub device: Option<String>,
    /// Highest role of its counted grants.
    pub role: Option<Role>,
    /// Length of the longest signed head of its feed that was shown here.
    pub length: u64,
    /// Entries of it that are here without a gap.
    pub held: u64,
    /// How it stands.
    pub state: WriterStanding,
    /// First index that no longer counts.
    pub cut_at: Option<u64>,
    /// Wall time of its last entry here, ms since 1970, by its own clock.
    pub last_time: Option<u64>,
    /// Sixteen random bytes it made at sign-in; zeros if no grant is known.
    pub install_id: [u8; 16],
    /// Whose it is.
    pub persons: Vec<PersonId>,
}

impl Space {
    /// Every writer that is known, ascending by key.
    pub fn writers(&self) -> Vec<WriterInfo> {
        let mut grants: Map<PublicKey, CountedGrant> = Map::new();
        for grant in self.access.grants() {
            // The last one that has a name tells it: a device may have been granted anew under a later epoch.
            let known = grants.get(&grant.writer).and_then(|grant| self.device_name(grant));
            if known.is_none() {
                grants.insert(grant.writer, grant);
            }
        }
        let info = |state: crate::space::WriterState| {
            let grant = grants.get(&state.key);
            WriterInfo {
                key: state.key,
                device: grant.and_then(|grant| self.device_name(grant)),
                role: state.role,
                length: self.heard(&state.key),
                held: self.contiguous(&state.key),
                state: state.standing,
                cut_at: state.cut_at,
                last_time: self.tails.get(&state.key).and_then(|tail| tail.last_time),
                install_id: grant.map_or([0; 16], |grant| grant.install_id),
                persons: state.persons,
            }
        };
        self.access.writers().into_iter().map(info).collect()
    }

    /// Whether a writer's entries count and it is not cut.
    pub fn is_active(&self, writer: &PublicKey) -> bool {
        self.access.writer(writer).is_some_and(|state| state.standing == WriterStanding::Active)
    }

    fn device_name(&self, grant: &CountedGrant) -> Option<String> {
        self.content.open_name(&grant.writer, grant.name.as_ref()?)
    }
}
