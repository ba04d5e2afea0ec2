//! Spaces that this person created, when the passphrase is at hand: their root secrets lie sealed to the home's root.
//!
//! A change of passphrase hands each over to a new root; a recovery lets this device into each by its root. What has not
//! reached this browser yet is done as soon as it is complete here, as long as the page stays open.

use zeroize::Zeroizing;

use crate::node::{Event, Node, NodeError, State, accounts::approving::no_space, secrets::Secrets};
use crate::{
    crypto::{PublicKey, Signer},
    space::{DeviceGrant, Install, Role, SpaceError},
};

/// A created space that waits for its records, to let this device in.
pub(in crate::node) struct Reclaim {
    space: PublicKey,
    /// Every seed that was kept: a hand-over that was not finished leaves more than one.
    seeds: Vec<Zeroizing<[u8; 32]>>,
    cut_others: bool,
    /// When its secret is wiped all the same, ms since 1970.
    until: u64,
}

impl Node {
    /// Lets this device into every created space that it cannot write to: now, or when its records are here.
    pub(in crate::node) fn reclaim_spaces(&mut self, root: &Signer, cut_others: bool) {
        let Some(home) = self.spaces.home() else { return };
        let until = self.now.saturating_add(RECLAIM_MS);
        let mut waiting: Vec<Reclaim> = Vec::new();
        for (space, seed) in home.opened_secrets(root) {
            let known = waiting.iter_mut().find(|reclaim| reclaim.space == space);
            match known {
                Some(reclaim) => reclaim.seeds.push(seed),
                None => waiting.push(Reclaim { space, seeds: vec![seed], cut_others, until }),
            }
        }
        let lacking = |reclaim: &Reclaim| {
            cut_others || !self.spaces.get(&reclaim.space).is_some_and(|joined| joined.space.is_writable())
        };
        waiting.retain(lacking);
        self.reclaims = waiting;
        // They are joined by what the home says of them.
        if !self.reclaims.is_empty() {
            self.members_later();
        }
        self.reclaim_ready();
    }

    pub(in crate::node) fn reclaims_deadline(&self) -> Option<u64> {
        self.reclaims.iter().map(|waiting| waiting.until).min()
    }

    /// Goes on with those whose records are here.
    pub(in crate::node) fn reclaim_ready(&mut self) {
        // First of all: what has expired goes whatever this device is, and is due no more.
        self.reclaims.retain(|reclaim| reclaim.until > self.now);
        if self.reclaims.is_empty() || self.state() != State::Writer {
            return;
        }
        let waiting = core::mem::take(&mut self.reclaims);
        for reclaim in waiting {
            match self.reclaim(&reclaim) {
                Ok(true) => {}
                Ok(false) => self.reclaims.push(reclaim),
                Err(error) => self.event(Event::Failed(error)),
            }
        }
    }

    /// Whether it was done, or cannot be.
    fn reclaim(&mut self, reclaim: &Reclaim) -> Result<bool, NodeError> {
        let Some(secrets) = &self.secrets else { return Ok(true) };
        let keys = secrets.keys(&reclaim.space);
        let Some(name) = self.device_name().map(str::to_owned) else { return Ok(true) };
        let level = self.is_level(&reclaim.space);
        let Some(joined) = self.spaces.get_mut(&reclaim.space) else { return Ok(false) };
        // The root acts on all that it signed before, or not at all.
        let begun = joined.space.records().next().is_some() && joined.space.is_complete();
        let last = joined.space.root();
        let root =
            reclaim.seeds.iter().map(|seed| Signer::from_seed(seed)).find(|root| root.public() == last);
        let Some(root) = root.filter(|_| begun && level) else { return Ok(false) };
        let device = DeviceGrant { writer: keys.signer.public(), install_id: [0; 16], name };
        let (files, now, entropy) = (&mut self.files, self.now, self.entropy.as_mut());
        let cut = if reclaim.cut_others { joined.space.creators_writers() } else { Vec::new() };
        let install = Install { grant: &device, keys, message_key: None };
        joined.space.restore(files, now, entropy, &root, &cut, install)?;
        self.own_writes = true;
        self.event(Event::Spaces);
        Ok(true)
    }

    /// After a change of passphrase: every created space gets a new root, and this device's new key takes the place of
    /// this person's old ones in every space. `before` are the keys of a moment ago.
    pub(in crate::node) fn hand_spaces_over(
        &mut self,
        old: &Signer,
        before: &Secrets,
        name: &str,
    ) -> Result<(), NodeError> {
        let home = self.spaces.home_mut().ok_or_else(no_space)?;
        // Whatever is not here now can be handed over later, by whoever has the new passphrase.
        let (files, now, entropy) = (&mut self.files, self.now, self.entropy.as_mut());
        home.reseal_space_secrets(files, now, entropy, old)?;
        let mut failed = None;
        for space in self.spaces.keys() {
            if self.spaces.home_key() != Some(space) {
                failed = self.hand_over(space, old, before, name).err().or(failed);
            }
        }
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    fn hand_over(
        &mut self,
        space: PublicKey,
        old: &Signer,
        before: &Secrets,
        name: &str,
    ) -> Result<(), SpaceError> {
        let Some(secrets) = &self.secrets else { return Ok(()) };
        let keys = secrets.keys(&space);
        let device = DeviceGrant { writer: keys.signer.public(), install_id: [0; 16], name: name.to_owned() };
        let (Some(home), Some(root)) =
            (self.spaces.home(), self.spaces.get(&space).map(|joined| joined.space.root()))
        else {
            return Ok(());
        };
        let seed = home.space_secret(old, &space, &root);
        let (files, now, entropy) = (&mut self.files, self.now, self.entropy.as_mut());
        self.own_writes = true;
        if let Some(seed) = seed {
            let next = Zeroizing::new(entropy.array32());
            let (old, new) = (Signer::from_seed(&seed), Signer::from_seed(&next));
            if let Some(home) = self.spaces.home_mut() {
                home.keep_space_secret(files, now, entropy, space, &next)?;
            }
            let Some(joined) = self.spaces.get_mut(&space) else { return Ok(()) };
            joined.space.unlock(files, before.keys(&space))?;
            let own = joined.space.own_writers();
            let install = Install { grant: &device, keys, message_key: None };
            return joined.space.succeed(files, now, entropy, (&old, &new), &own, install);
        }
        let Some(joined) = self.spaces.get_mut(&space) else { return Ok(()) };
        // Somebody else's space: the old key lets the new one in, takes out this person's others, then itself.
        joined.space.unlock(files, before.keys(&space))?;
        if let (Some(own), true) = (joined.space.writer(), joined.space.is_writable()) {
            let role = joined.space.role(&own).unwrap_or(Role::Writer);
            let others = joined.space.own_writers();
            joined.space.grant(files, now, entropy, &device, role)?;
            self.departed.push(own);
            for writer in others.iter().filter(|writer| **writer != own).chain([&own]) {
                joined.space.cut(files, now, entropy, *writer, false)?;
            }
        }
        joined.space.unlock(files, keys)
    }
}

/// For how long the secret of a created space waits in memory for its records, in ms.
const RECLAIM_MS: u64 = 10 * 60_000;
