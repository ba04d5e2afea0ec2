//! A home's private notes about other spaces: with which key each device writes where, and the root seeds of spaces
//! that this person created.
//!
//! From them the person's devices find one another everywhere: whichever of them writes in a space brings in the
//! others ([`to_grant`]), and takes out those that were cut at home ([`to_cut`]).

use zeroize::Zeroizing;

use super::{DeviceGrant, Space, author::Draft, trees::Judge};
use crate::{
    collections::{Map, Set, sort_by},
    crypto::{Entropy, PublicKey, SealedKey, SecretKey32, Signer, open_sealed, seal_to},
    space::{
        Op, PersonId, Role, SpaceError, Status, WriterStanding,
        view::{Causality, Place},
    },
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
type At = (u32, u64, u32);

/// What counted private entries say about other spaces.
#[derive(Default)]
pub(super) struct Notes {
    /// Space, writer key there, whether it left.
    memberships: Map<At, (PublicKey, PublicKey, bool)>,
    /// Space, its root seed as it was sealed.
    secrets: Map<At, (PublicKey, Box<SealedKey>)>,
}

impl Notes {
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

    /// Keeps the root seed of a created space in this home, sealed to the home's root. Before the seed's key signs
    /// anything: a seed that is lost is lost for good.
    pub fn keep_space_secret(
        &mut self,
        files: &mut Files,
        now: u64,
        entropy: &mut dyn Entropy,
        space: PublicKey,
        seed: &[u8; 32],
    ) -> Result<(), SpaceError> {
        let op = self.seal_secret(entropy, space, seed)?;
        self.append_private(files, now, entropy, vec![op])
    }

    /// Root seeds that this home root can open: of each space the last one, ascending by space.
    pub fn space_secrets(&self, root: &Signer) -> Vec<(PublicKey, Zeroizing<[u8; 32]>)> {
        let mut last: Map<PublicKey, Zeroizing<[u8; 32]>> = Map::new();
        for (space, seed) in self.opened_secrets(root) {
            last.insert(space, seed);
        }
        let seeds = last.iter().map(|(space, seed)| (*space, seed.clone()));
        seeds.collect()
    }

    /// The seed of a root key of a created space, whichever was kept last: of [`Space::root`], to act as it.
    pub fn space_secret(
        &self,
        root: &Signer,
        space: &PublicKey,
        of: &PublicKey,
    ) -> Option<Zeroizing<[u8; 32]>> {
        let fits = |(of_space, seed): &(PublicKey, Zeroizing<[u8; 32]>)| {
            of_space == space && Signer::from_seed(seed).public() == *of
        };
        self.opened_secrets(root).into_iter().find(fits).map(|(_, seed)| seed)
    }

    /// After a change of passphrase: what the old home root can open is sealed to the new one, in one entry. Returns
    /// how many seeds that were.
    pub fn reseal_space_secrets(
        &mut self,
        files: &mut Files,
        now: u64,
        entropy: &mut dyn Entropy,
        old: &Signer,
    ) -> Result<usize, SpaceError> {
        let mut ops = Vec::new();
        for (space, seed) in self.space_secrets(old) {
            ops.push(self.seal_secret(entropy, space, &seed)?);
        }
        let count = ops.len();
        if count > 0 {
            self.append_private(files, now, entropy, ops)?;
        }
        Ok(count)
    }

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

    /// Seeds that open, the last one noted last.
    fn opened_secrets(&self, root: &Signer) -> Vec<(PublicKey, Zeroizing<[u8; 32]>)> {
        let judge = Judge { access: &self.access, numbers: &self.numbers };
        let secrets = self.notes.secrets.iter();
        let mut ranked: Vec<_> =
            secrets.map(|((w, i, op), secret)| ((judge.rank(*w, *i), *op), secret)).collect();
        sort_by(&mut ranked, |a, b| a.0.cmp(&b.0));
        let open = |(_, (space, sealed)): (_, &(PublicKey, Box<SealedKey>))| {
            let key: SecretKey32 = open_sealed(root, sealed).ok()?;
            Some((*space, Zeroizing::new(key.0)))
        };
        ranked.into_iter().filter_map(open).collect()
    }

    fn seal_secret(
        &self,
        entropy: &mut dyn Entropy,
        space: PublicKey,
        seed: &[u8; 32],
    ) -> Result<Op, SpaceError> {
        let recipient = self.root();
        let sealed = seal_to(&recipient, seed, entropy).map_err(|_| SpaceError::Seal { recipient })?;
        Ok(Op::SpaceSecret { space, sealed: Box::new(sealed) })
    }

    /// Appends private operations that are no values.
    fn append_private(
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
        let new: Vec<_> = drafts.iter().flat_map(Draft::new_epochs).collect();
        if let Err(error) = self.append(files, now, entropy, drafts) {
            new.iter().for_each(|epoch| self.content.discard(epoch));
            return Err(error);
        }
        Ok(())
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
