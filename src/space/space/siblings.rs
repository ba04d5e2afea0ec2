//! How a person's devices follow one another into other spaces, and out of them again.
//!
//! By the notes of their home (`members.rs`) whichever of them writes in a space brings in the others ([`to_grant`]), and
//! takes out those that were cut at home ([`to_cut`]). Nothing is done here: the owner of both spaces does it.

use super::{DeviceGrant, Space};
use crate::{
    collections::Set,
    crypto::PublicKey,
    space::{Op, PersonId, Role, SpaceError, Status, WriterStanding},
    storage::Files,
};

impl Space {
    /// Writers of this space that are this device's person's, active ones, ascending; this device's key is among them.
    pub fn own_writers(&self) -> Vec<PublicKey> {
        let Some((mine, _)) = self.standing_here() else { return Vec::new() };
        let own = |writer: &PublicKey| {
            let persons = self.access.writer(writer).map_or(Vec::new(), |state| state.persons);
            persons.iter().any(|person| mine.contains(person))
        };
        self.active_writers().into_iter().filter(own).collect()
    }

    /// The persons and the role of this device, if it can write here.
    fn standing_here(&self) -> Option<(Vec<PersonId>, Role)> {
        let state = self.access.writer(&self.writer()?)?;
        let role = state.role.filter(|_| state.standing == WriterStanding::Active)?;
        Some((state.persons, role))
    }

    /// Keys that a removed device named for itself in `space` where it no longer counts: somebody who saw the entry
    /// before the cut may have granted them.
    fn withdrawn(
        &self,
        files: &Files,
        device: &PublicKey,
        space: &PublicKey,
    ) -> Result<Vec<PublicKey>, SpaceError> {
        let gone = |index: &u64| {
            let status = self.access.status(device, *index);
            matches!(status, Some(Status::Quarantined | Status::Suspended | Status::Hidden))
        };
        let mut keys = Vec::new();
        for index in (0..self.given(device)).filter(gone).take(MAX_WITHDRAWN) {
            let Some(entry) = self.entry(files, device, index)? else { continue };
            for op in self.content.open_ops(&entry, device, index) {
                match op {
                    Op::Membership { space: of, writer, .. } if of == *space => keys.push(writer),
                    _ => {}
                }
            }
        }
        Ok(keys)
    }
}

/// Entries of a removed device that are looked at: what it writes on is its own choice, and has no end.
const MAX_WITHDRAWN: usize = 10_000;

/// Devices of this person that should be granted in a space, with this device's role there: those active at home that
/// announced a key which nobody else's is, and which is not granted yet or with a lower role. Their install id is left
/// out, since it would tie this person's spaces together for everybody. Empty unless this device can write there and
/// the home is unlocked.
pub fn to_grant(home: &Space, space: &Space) -> Vec<DeviceGrant> {
    let Some((mine, role)) = space.standing_here() else { return Vec::new() };
    let devices = home.writers();
    let mut grants = Vec::new();
    for membership in home.memberships() {
        let writer = membership.writer;
        let device = devices.iter().find(|device| device.key == membership.device);
        let Some(device) = device.filter(|device| device.state == WriterStanding::Active) else { continue };
        let wanted = match space.access.writer(&writer) {
            None => true,
            Some(state) => {
                let ours = state.persons.is_empty() || state.persons.iter().any(|id| mine.contains(id));
                ours && state.cut_at.is_none() && state.role < Some(role)
            }
        };
        let known = |grant: &DeviceGrant| grant.writer == writer;
        if wanted && membership.space == space.key && !membership.left && !grants.iter().any(known) {
            let name = device.device.clone().unwrap_or_default();
            grants.push(DeviceGrant { writer, install_id: [0; 16], name });
        }
    }
    grants
}

/// Writers of a space that should be cut there: active ones of this person alone whose device was cut at home, and that
/// no device which is still there names as its own. `files` are those of the home. Empty unless this device can write
/// in the space and the home is unlocked.
pub fn to_cut(files: &Files, home: &Space, space: &Space) -> Result<Vec<PublicKey>, SpaceError> {
    let Some((mine, role)) = space.standing_here() else { return Ok(Vec::new()) };
    let devices = home.writers();
    let removed = |device: &PublicKey| {
        let gone = |state| matches!(state, WriterStanding::Cut | WriterStanding::RootCut);
        devices.iter().any(|known| known.key == *device && gone(known.state))
    };
    let (mut kept, mut gone): (Set<PublicKey>, Set<PublicKey>) =
        (space.writer().into_iter().collect(), Set::new());
    for membership in home.memberships().iter().filter(|membership| membership.space == space.key) {
        if removed(&membership.device) { &mut gone } else { &mut kept }.insert(membership.writer);
    }
    for device in devices.iter().filter(|device| removed(&device.key)) {
        for writer in home.withdrawn(files, &device.key, &space.key)? {
            gone.insert(writer);
        }
    }
    let ours = |writer: &&PublicKey| {
        let Some(state) = space.access.writer(writer) else { return false };
        state.standing == WriterStanding::Active
            && !kept.contains(*writer)
            && state.persons.iter().all(|person| mine.contains(person))
            && state.role <= Some(role)
    };
    Ok(gone.iter().filter(ours).copied().collect())
}
