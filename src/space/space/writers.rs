//! The writers of a space, as they are shown to people.

use super::Space;
use crate::{
    collections::{Map, Set},
    crypto::PublicKey,
    space::{CountedGrant, GrantSource, PersonId, Role, WriterStanding},
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
    /// When its feed last grew here, ms since 1970, by this node's clock; after a reload to the hour.
    pub last_received: Option<u64>,
    /// Sixteen random bytes it made at sign-in; zeros if no grant is known.
    pub install_id: [u8; 16],
    /// Whose it is.
    pub persons: Vec<PersonId>,
    /// Whether the root granted it.
    pub by_root: bool,
    /// Writers whose entries granted it, ascending; empty if only the root did, or nobody.
    pub granted_by: Vec<PublicKey>,
    /// Wall time of the first of those entries by its author's clock, ms since 1970; the root says no times.
    pub granted_at: Option<u64>,
    /// First index that is not shown because somebody hid it.
    pub hidden_from: Option<u64>,
}

impl Space {
    /// Every writer that is known, ascending by key.
    pub fn writers(&self) -> Vec<WriterInfo> {
        let mut grants: Map<PublicKey, CountedGrant> = Map::new();
        let mut sources: Map<PublicKey, (bool, Set<PublicKey>, Option<u64>)> = Map::new();
        for grant in self.access.grants() {
            let (by_root, authors, time) = sources.entry(grant.writer).or_default();
            match grant.source {
                GrantSource::Root { .. } => *by_root = true,
                GrantSource::Entry { writer, index, .. } => {
                    authors.insert(writer);
                    *time = time.iter().copied().chain(self.grant_time(&writer, index)).min();
                }
            }
            // The last one that has a name tells it: a device may have been granted anew under a later epoch.
            let known = grants.get(&grant.writer).and_then(|grant| self.device_name(grant));
            if known.is_none() {
                grants.insert(grant.writer, grant);
            }
        }
        let mut info = |state: crate::space::WriterState| {
            let grant = grants.get(&state.key);
            let (by_root, authors, granted_at) = sources.remove(&state.key).unwrap_or_default();
            WriterInfo {
                key: state.key,
                device: grant.and_then(|grant| self.device_name(grant)),
                role: state.role,
                length: self.heard(&state.key),
                held: self.contiguous(&state.key),
                state: state.standing,
                cut_at: state.cut_at,
                last_time: self.last_time(&state.key),
                last_received: self.tails.get(&state.key).and_then(|tail| tail.received),
                install_id: grant.map_or([0; 16], |grant| grant.install_id),
                persons: state.persons,
                by_root,
                granted_by: authors.iter().copied().collect(),
                granted_at,
                hidden_from: self.access.hidden_from(&state.key),
            }
        };
        self.access.writers().into_iter().map(&mut info).collect()
    }

    /// Whether a writer's entries count and it is not cut.
    pub fn is_active(&self, writer: &PublicKey) -> bool {
        self.access.writer(writer).is_some_and(|state| state.standing == WriterStanding::Active)
    }

    /// Writers that may let others in, ascending by key.
    pub fn active_admins(&self) -> Vec<PublicKey> {
        let admin = |state: &crate::space::WriterState| {
            state.standing == WriterStanding::Active && state.role == Some(Role::Admin)
        };
        self.access.writers().into_iter().filter(admin).map(|state| state.key).collect()
    }

    /// Wall time of a writer's last entry here, ms since 1970, by its own clock.
    pub fn last_time(&self, writer: &PublicKey) -> Option<u64> {
        self.tails.get(writer).and_then(|tail| tail.last_time)
    }

    fn device_name(&self, grant: &CountedGrant) -> Option<String> {
        self.content.open_name(&grant.writer, grant.name.as_ref()?)
    }
}
