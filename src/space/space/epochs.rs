//! Epochs: which content keys can be opened here, which one is for writing, and to whom they must be sealed.

use super::{Space, author::Draft};
use crate::{
    collections::Set,
    crypto::{Entropy, Hash, PublicKey, SealedKey, SecretKey32, seal_to},
    space::{AccessOp, EpochState, MAX_SEALS, Role, Seal, SpaceError, WriterStanding, WriterState},
    storage::Files,
};

/// Most seals put into one entry: 112 bytes each, so well below its limit.
const SEALS_PER_ENTRY: usize = 4000;

impl Space {
    /// The content key of an epoch, if it could be opened: for names and for messages among devices.
    pub fn content_key(&self, epoch: &Hash) -> Option<&SecretKey32> {
        self.content.get(epoch)
    }

    /// Epochs whose keys are held.
    pub fn held_epochs(&self) -> impl Iterator<Item = Hash> {
        self.content.ids()
    }

    /// Whether devices share keys here at all, whether or not this one holds them.
    pub fn has_epochs(&self) -> bool {
        !self.access.epochs().is_empty()
    }

    /// The epoch to seal under: the last usable one whose key is held; `None` if a new one must be made.
    pub fn usable_epoch(&self) -> Option<Hash> {
        let newcomers = self.newcomers();
        let fits = |epoch: &EpochState| {
            // Whoever gets nothing older than its grant cannot read under an older epoch: it needs a new one.
            let excludes = |writer: &&PublicKey| self.is_active(writer) && !epoch.recipients.contains(writer);
            epoch.usable && self.content.has(&epoch.id) && !newcomers.iter().any(|w| excludes(&w))
        };
        let usable = self.access.epochs().into_iter().filter(fits);
        usable.max_by_key(|epoch| (epoch.order, epoch.author, epoch.id)).map(|epoch| epoch.id)
    }

    /// Writers that get no epoch older than their grant.
    pub(super) fn newcomers(&self) -> Set<PublicKey> {
        self.access.grants().iter().filter(|grant| grant.from_now_on).map(|grant| grant.writer).collect()
    }

    /// An epoch to write under; what must be appended before goes into `drafts`.
    pub(super) fn epoch_for_writing(
        &mut self,
        entropy: &mut dyn Entropy,
        drafts: &mut Vec<Draft>,
    ) -> Result<Hash, SpaceError> {
        let me = self.unlocked()?;
        let Some(epoch) = self.usable_epoch() else { return self.new_epoch(entropy, drafts) };
        // The first use of another's epoch seals its key to the root once more: the other may have sealed junk.
        let number = self.numbers.number(&me);
        let rooted = self.epochs.rooted.get(&epoch).is_some_and(|writers| writers.contains(&number));
        if !rooted {
            let key = self.content.get(&epoch).ok_or(SpaceError::NoContentKey)?;
            let root = self.seal_root(key, entropy)?;
            drafts.push(Draft::access(vec![AccessOp::Seal { epoch, seals: Vec::new(), root: Some(root) }]));
        }
        Ok(epoch)
    }

    /// Makes an epoch for all active writers; the entries that publish it go into `drafts`.
    pub(super) fn new_epoch(
        &mut self,
        entropy: &mut dyn Entropy,
        drafts: &mut Vec<Draft>,
    ) -> Result<Hash, SpaceError> {
        let id = self.content.generate(entropy);
        let (op, rest) = self.publish_epoch(id, self.active_writers(), entropy)?;
        drafts.push(Draft::access(vec![op]));
        drafts.extend(rest);
        Ok(id)
    }

    /// What publishes a new epoch: the operation, and entries with the seals that it has no room for.
    pub(super) fn publish_epoch(
        &self,
        id: Hash,
        recipients: Vec<PublicKey>,
        entropy: &mut dyn Entropy,
    ) -> Result<(AccessOp, Vec<Draft>), SpaceError> {
        let key = self.content.get(&id).ok_or(SpaceError::NoContentKey)?;
        let mut seals = seal_to_all(key, recipients, entropy);
        let rest = seals.split_off(seals.len().min(MAX_SEALS));
        let root = self.seal_root(key, entropy)?;
        Ok((AccessOp::Epoch { id, seals, root }, seal_drafts(id, rest, None)))
    }

    /// Seals epochs whose keys are held to `recipients`, and to the root once more if `to_root`; the entries go into
    /// `drafts`.
    pub(super) fn reseal(
        &self,
        entropy: &mut dyn Entropy,
        epochs: &[Hash],
        recipients: &[PublicKey],
        to_root: bool,
        drafts: &mut Vec<Draft>,
    ) -> Result<(), SpaceError> {
        let mut ops = Vec::new();
        let mut seals_so_far = 0;
        for epoch in epochs.iter().copied() {
            let key = self.content.get(&epoch).ok_or(SpaceError::NoContentKey)?;
            let root = if to_root { Some(self.seal_root(key, entropy)?) } else { None };
            for draft in seal_drafts(epoch, seal_to_all(key, recipients.to_vec(), entropy), root) {
                for op in draft.access {
                    let AccessOp::Seal { seals, .. } = &op else { continue };
                    if seals_so_far + seals.len() > SEALS_PER_ENTRY || ops.len() >= OPS_PER_ENTRY {
                        drafts.push(Draft::access(core::mem::take(&mut ops)));
                        seals_so_far = 0;
                    }
                    seals_so_far += seals.len();
                    ops.push(op);
                }
            }
        }
        if !ops.is_empty() {
            drafts.push(Draft::access(ops));
        }
        Ok(())
    }

    /// Seals what active writers lack, if this device is an admin, and makes an epoch if none is fit for writing: two
    /// who remove somebody at the same time each make one that names whom the other removed. Returns whether an entry was
    /// written.
    pub fn maintain(
        &mut self,
        files: &mut Files,
        now: u64,
        entropy: &mut dyn Entropy,
    ) -> Result<bool, SpaceError> {
        let me = self.unlocked()?;
        if self.role(&me) != Some(Role::Admin) || !self.is_active(&me) {
            return Ok(false);
        }
        let active = self.active_writers();
        let newcomers = self.newcomers();
        let mut drafts = Vec::new();
        for (epoch, recipients) in self.recipients(files)? {
            let Some(key) = self.content.get(&epoch) else { continue };
            let lacks = |writer: &PublicKey| !recipients.contains(writer) && !newcomers.contains(writer);
            let missing: Vec<PublicKey> = active.iter().copied().filter(|writer| lacks(writer)).collect();
            let seals = seal_to_all(key, missing, entropy);
            if !seals.is_empty() {
                drafts.extend(seal_drafts(epoch, seals, None));
            }
        }
        let epochs = self.access.epochs();
        if !epochs.is_empty() && epochs.iter().all(|epoch| !epoch.usable) {
            self.new_epoch(entropy, &mut drafts)?;
        }
        if drafts.is_empty() {
            return Ok(false);
        }
        self.append(files, now, entropy, drafts)?;
        Ok(true)
    }

    /// Writers whose entries count and who are not cut, ascending.
    pub(super) fn active_writers(&self) -> Vec<PublicKey> {
        let active = |state: &WriterState| state.standing == WriterStanding::Active;
        self.access.writers().into_iter().filter(active).map(|state| state.key).collect()
    }

    fn seal_root(&self, key: &SecretKey32, entropy: &mut dyn Entropy) -> Result<SealedKey, SpaceError> {
        let recipient = self.root();
        seal_to(&recipient, &key.0, entropy).map_err(|_| SpaceError::Seal { recipient })
    }
}

/// Epochs that entries publish.
pub(super) fn new_epochs(drafts: &[Draft]) -> Vec<Hash> {
    let mut new = Vec::new();
    for draft in drafts {
        for op in &draft.access {
            if let AccessOp::Epoch { id, .. } = op {
                new.push(*id);
            }
        }
    }
    new
}

/// Most seal operations put into one entry: it takes 1,000.
const OPS_PER_ENTRY: usize = 500;

/// Seals a key to writers. A granted key that is no key is left out: nobody can sign with it either.
fn seal_to_all(key: &SecretKey32, writers: Vec<PublicKey>, entropy: &mut dyn Entropy) -> Vec<Seal> {
    let seal = |writer: PublicKey| Some(Seal { writer, key: seal_to(&writer, &key.0, entropy).ok()? });
    writers.into_iter().filter_map(seal).collect()
}

/// Entries with seals of one epoch.
fn seal_drafts(epoch: Hash, seals: Vec<Seal>, mut root: Option<SealedKey>) -> Vec<Draft> {
    let mut drafts = Vec::new();
    for chunk in seals.chunks(SEALS_PER_ENTRY) {
        let op = |seals: &[Seal]| AccessOp::Seal { epoch, seals: seals.to_vec(), root: root.take() };
        drafts.push(Draft::access(chunk.chunks(MAX_SEALS).map(op).collect()));
    }
    if let Some(root) = root {
        drafts.push(Draft::access(vec![AccessOp::Seal { epoch, seals: Vec::new(), root: Some(root) }]));
    }
    drafts
}
