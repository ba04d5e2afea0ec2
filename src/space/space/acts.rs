//! Acts of this device: granting, cutting, hiding.

use super::{Keys, Space, author::Draft};
use crate::{
    crypto::{Entropy, Hash, MessageKey, PublicKey},
    feed::FeedError,
    space::{AccessOp, Citation, Cut, Grant, PersonId, Role, SpaceError, WriterStanding},
    storage::Files,
};

/// A device that is to be granted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DeviceGrant {
    /// Its writer key.
    pub writer: PublicKey,
    /// Sixteen random bytes it made at sign-in.
    pub install_id: [u8; 16],
    /// Its name, which only writers read. At most 1,000 bytes.
    pub name: String,
}

/// This device as a root lets it in.
pub struct Install<'a> {
    /// What is granted.
    pub grant: &'a DeviceGrant,
    /// The secrets behind it.
    pub keys: Keys,
    /// For a home: the sign-in message key, written down in private where it is not yet.
    pub message_key: Option<&'a MessageKey>,
}

/// Longest device name, bytes.
pub(super) const MAX_DEVICE_NAME: usize = 1000;

impl Space {
    /// Grants a device of this device's person, with at most its own role; seals every held epoch to it in the next
    /// entry.
    pub fn grant(
        &mut self,
        files: &mut Files,
        now: u64,
        entropy: &mut dyn Entropy,
        device: &DeviceGrant,
        role: Role,
    ) -> Result<(), SpaceError> {
        self.let_in(files, now, entropy, device, role, false)
    }

    /// The same, but the device gets no epoch from before: it reads nothing private that was written until now.
    pub fn grant_from_now_on(
        &mut self,
        files: &mut Files,
        now: u64,
        entropy: &mut dyn Entropy,
        device: &DeviceGrant,
        role: Role,
    ) -> Result<(), SpaceError> {
        self.let_in(files, now, entropy, device, role, true)
    }

    fn let_in(
        &mut self,
        files: &mut Files,
        now: u64,
        entropy: &mut dyn Entropy,
        device: &DeviceGrant,
        role: Role,
        from_now_on: bool,
    ) -> Result<(), SpaceError> {
        let me = self.author()?;
        if self.is_admitted(&device.writer, role)? {
            return Ok(());
        }
        let state = self.access.writer(&me).ok_or(SpaceError::NoWriter { writer: me })?;
        if state.role < Some(role) {
            let why = "a writer cannot give a role above its own";
            return Err(SpaceError::NotAuthorised { writer: me, why });
        }
        let person = state.persons.first().copied().unwrap_or_else(|| PersonId::founded_by(&me));
        self.admit(files, now, entropy, device, person, role, None, from_now_on)
    }

    /// Whether a key holds a role already; an error if it was removed.
    pub(super) fn is_admitted(&self, writer: &PublicKey, role: Role) -> Result<bool, SpaceError> {
        match self.access.writer(writer) {
            // Two who approve one request make one grant.
            Some(state) if state.standing == WriterStanding::Active && state.role >= Some(role) => Ok(true),
            Some(state) if state.cut_at.is_some() => {
                let why = "a key that was removed is never granted again: the device signs in anew";
                Err(SpaceError::NotAuthorised { writer: *writer, why })
            }
            _ => Ok(false),
        }
    }

    /// Grants a key, and seals every held epoch to it in the next entry.
    #[expect(clippy::too_many_arguments, reason = "the parts of one grant")]
    pub(super) fn admit(
        &mut self,
        files: &mut Files,
        now: u64,
        entropy: &mut dyn Entropy,
        device: &DeviceGrant,
        person: PersonId,
        role: Role,
        invite: Option<Citation>,
        from_now_on: bool,
    ) -> Result<(), SpaceError> {
        let mut drafts = Vec::new();
        let epoch = self.epoch_for_writing(entropy, &mut drafts)?;
        let grant = self.sealed_grant(epoch, device, person, role, entropy)?;
        let grant = Grant { invite, from_now_on, ..grant };
        drafts.push(Draft::access(vec![AccessOp::Grant(grant)]));
        self.append(files, now, entropy, drafts)?;
        if from_now_on {
            // No epoch from before may be written under any more, so the next private write begins one.
            return Ok(());
        }
        // The grant is judged by now: seals go into the next entry, since no operation of an entry sees the others.
        let mut seals = Vec::new();
        let held: Vec<Hash> = self.content.ids().collect();
        self.reseal(entropy, &held, &[device.writer], false, &mut seals)?;
        self.append(files, now, entropy, seals)?;
        Ok(())
    }

    /// Cuts a writer at what is held of it, makes a new epoch for those who remain, and seals all held epochs to them.
    /// A cut by another device only, or of itself: `root_cut` is final. With `descendants` it cuts those of
    /// [`Space::descendants`] too that this device may cut and that are not cut yet, each in its own words: what it
    /// cuts is settled now, whoever else turns up later. All of it is signed at once.
    pub fn cut(
        &mut self,
        files: &mut Files,
        now: u64,
        entropy: &mut dyn Entropy,
        writer: PublicKey,
        descendants: bool,
    ) -> Result<(), SpaceError> {
        let me = self.author_over(&writer)?;
        let mut targets = vec![writer];
        if descendants {
            let mut others = self.descendants(&writer);
            others.retain(|other| {
                let state = self.access.writer(other).map(|state| state.standing);
                state != Some(WriterStanding::Cut) && self.access.may_cut(&me, other)
            });
            targets.append(&mut others);
        }
        // An entry for each, so that the root can take back one of them.
        let cut =
            |target: &PublicKey| Ok(Draft::access(vec![AccessOp::Cut(self.cut_at(files, *target, None)?)]));
        let drafts = targets.iter().map(cut).collect::<Result<_, SpaceError>>()?;
        self.append(files, now, entropy, drafts)?;
        if writer == me { Ok(()) } else { self.renew_epoch(files, now, entropy) }
    }

    /// Shows nothing that a writer wrote from an index of its feed on; what it granted and cut there stands.
    pub fn hide(
        &mut self,
        files: &mut Files,
        now: u64,
        entropy: &mut dyn Entropy,
        writer: PublicKey,
        from: u64,
    ) -> Result<(), SpaceError> {
        self.author_over(&writer)?;
        self.append(files, now, entropy, vec![Draft::access(vec![AccessOp::Hide { writer, from }])])?;
        Ok(())
    }

    /// Takes back what was hidden of a writer.
    pub fn unhide(
        &mut self,
        files: &mut Files,
        now: u64,
        entropy: &mut dyn Entropy,
        writer: PublicKey,
    ) -> Result<(), SpaceError> {
        self.author_over(&writer)?;
        self.append(files, now, entropy, vec![Draft::access(vec![AccessOp::Unhide { writer }])])?;
        Ok(())
    }

    /// This device's key, if it may cut, hide and unhide a writer.
    fn author_over(&self, writer: &PublicKey) -> Result<PublicKey, SpaceError> {
        let me = self.author()?;
        if self.access.writer(writer).is_none() {
            return Err(SpaceError::NoWriter { writer: *writer });
        }
        if self.access.may_cut(&me, writer) {
            return Ok(me);
        }
        let why =
            "only an admin decides about other people's devices, and about devices that were let in at all";
        Err(SpaceError::NotAuthorised { writer: me, why })
    }

    /// Makes a new epoch for the active writers, and seals all held ones to them and the root once more.
    pub(super) fn renew_epoch(
        &mut self,
        files: &mut Files,
        now: u64,
        entropy: &mut dyn Entropy,
    ) -> Result<(), SpaceError> {
        let newcomers = self.newcomers();
        let mut others = self.active_writers();
        others.retain(|writer| !newcomers.contains(writer));
        let mut drafts = Vec::new();
        let held: Vec<Hash> = self.content.ids().collect();
        self.reseal(entropy, &held, &others, true, &mut drafts)?;
        self.new_epoch(entropy, &mut drafts)?;
        self.append(files, now, entropy, drafts).map(drop)
    }

    pub(super) fn sealed_grant(
        &self,
        epoch: Hash,
        device: &DeviceGrant,
        person: PersonId,
        role: Role,
        entropy: &mut dyn Entropy,
    ) -> Result<Grant, SpaceError> {
        let got = device.name.len();
        if got > MAX_DEVICE_NAME {
            return Err(SpaceError::TooLarge { what: "device name", max: MAX_DEVICE_NAME, got });
        }
        let name = self.content.seal_name(epoch, &device.writer, &device.name, entropy);
        Ok(Grant {
            writer: device.writer,
            person,
            role,
            from_now_on: false,
            install_id: device.install_id,
            name: Some(name.ok_or(SpaceError::NoContentKey)?),
            invite: None,
        })
    }

    /// A cut of a feed at `length`, or at what is held of it, with the head that proves it.
    pub(super) fn cut_at(
        &self,
        files: &Files,
        writer: PublicKey,
        length: Option<u64>,
    ) -> Result<Cut, SpaceError> {
        let nothing = || {
            let (head, proof) = (Vec::new(), Vec::new());
            Cut { writer, length: 0, tree_hash: Hash::default(), head, proof }
        };
        if length == Some(0) {
            return Ok(nothing());
        }
        let feed = self.feeds.get(&writer).ok_or(SpaceError::NoWriter { writer })?;
        let length = length.unwrap_or_else(|| feed.contiguous());
        let Some(head) = feed.head().filter(|_| length > 0) else { return Ok(nothing()) };
        let tree_hash = feed
            .tree_hash_at(files, length)?
            .ok_or(FeedError::OutOfRange { length: feed.length(), got: length })?;
        let proof = match head.length > length {
            true => feed.branch(files, length, head.length)?.encode(),
            false => Vec::new(),
        };
        Ok(Cut { writer, length, tree_hash, head: head.encode(), proof })
    }
}
