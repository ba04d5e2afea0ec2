//! Spaces beyond the home: beginning one, and handing it over when the passphrase changes.
//!
//! A created space has a random root key, used once and then kept only in the home, sealed to the home's root
//! (`secrets.rs`). Its creator is the first person in it, with the id that the creating device's key founds.

use super::{Install, Space};
use crate::{
    crypto::{Entropy, PublicKey, Signer},
    space::SpaceError,
    storage::Files,
};

impl Space {
    /// Begins a space of one's own, opened under the public key of `root`: grants this device as its first admin, signs
    /// the manifest, and appends the first entry, an epoch. The root's seed must be kept in the home before
    /// ([`Space::keep_space_secret`]) and wiped after. [`SpaceError::Root`] if `root` is another key than the space's,
    /// [`SpaceError::NotAuthorised`] if the space has begun already.
    pub fn create(
        &mut self,
        files: &mut Files,
        now: u64,
        entropy: &mut dyn Entropy,
        root: &Signer,
        install: Install<'_>,
    ) -> Result<(), SpaceError> {
        self.begin(files, now, entropy, root, install, None)
    }

    /// Comes back into a created space with its root alone: the root grants this device under the creator's person, and
    /// closes the feeds of `cut`, keys of this person, as [`Space::succeed`] does. Content keys are opened with the root's
    /// key and sealed to this device; if somebody is cut, a new epoch begins.
    pub fn restore(
        &mut self,
        files: &mut Files,
        now: u64,
        entropy: &mut dyn Entropy,
        root: &Signer,
        cut: &[PublicKey],
        install: Install<'_>,
    ) -> Result<(), SpaceError> {
        self.check_root(root)?;
        self.open_root_seals(files, root)?;
        let gone = if cut.is_empty() { None } else { Some(cut) };
        self.readmit(files, now, entropy, root, install, gone)
    }

    /// Hands a created space over to another root: the old one signs its successor, the new one closes the feeds of
    /// `cut`, keys of this person, at what is held of them (at 0 where nothing is) and grants this device's new key
    /// under the same person; a new epoch begins, and all content keys are sealed anew to it and the new root. What
    /// others were granted stands. [`Space::own_writers`] tells which keys `cut` should name.
    pub fn succeed(
        &mut self,
        files: &mut Files,
        now: u64,
        entropy: &mut dyn Entropy,
        (old, new): (&Signer, &Signer),
        cut: &[PublicKey],
        install: Install<'_>,
    ) -> Result<(), SpaceError> {
        self.hand_over(files, old, new)?;
        self.readmit(files, now, entropy, new, install, Some(cut))
    }

    /// Keys of the person that created the space whose feeds are open: what a recovery that cuts the others closes.
    pub fn creators_writers(&self) -> Vec<PublicKey> {
        let Some(creator) = self.first_person() else { return Vec::new() };
        let theirs = |writer: &PublicKey| {
            self.access.writer(writer).is_some_and(|state| state.persons.contains(&creator))
        };
        self.open_feeds(&self.key).into_iter().filter(theirs).collect()
    }
}
