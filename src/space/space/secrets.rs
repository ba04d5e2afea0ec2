//! Root seeds of created spaces, kept in the creator's home, sealed to its root: who has the passphrase can act as the
//! root of those spaces, and a device alone never can.

use zeroize::Zeroizing;

use super::{Space, trees::Judge};
use crate::{
    collections::{Set, sort_by},
    crypto::{Entropy, PublicKey, Signer, open_sealed, seal_to},
    space::{Op, SpaceError, view::Causality},
    storage::Files,
};

impl Space {
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
        let mut seeds = self.opened_secrets(root);
        let mut seen: Set<PublicKey> = Set::new();
        seeds.retain(|(space, _)| seen.insert(*space));
        sort_by(&mut seeds, |a, b| a.0.cmp(&b.0));
        seeds
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

    /// After a change of passphrase: what the old home root can open is sealed to the new one, in one entry. Of a space
    /// every seed, the last one last: that of its root may be an earlier one, if a handing over was never finished.
    /// Returns how many seeds that were.
    pub fn reseal_space_secrets(
        &mut self,
        files: &mut Files,
        now: u64,
        entropy: &mut dyn Entropy,
        old: &Signer,
    ) -> Result<usize, SpaceError> {
        let seeds = self.opened_secrets(old);
        let mut ops = Vec::new();
        for (at, (space, seed)) in seeds.iter().enumerate().rev() {
            let again = seeds.iter().take(at).any(|known| known == &(*space, seed.clone()));
            if !again {
                ops.push(self.seal_secret(entropy, *space, seed)?);
            }
        }
        let count = ops.len();
        if count > 0 {
            self.append_private(files, now, entropy, ops)?;
        }
        Ok(count)
    }

    /// Seeds that open, the last one noted first.
    pub fn opened_secrets(&self, root: &Signer) -> Vec<(PublicKey, Zeroizing<[u8; 32]>)> {
        let judge = Judge { access: &self.access, numbers: &self.numbers };
        let secrets = self.notes.secrets.iter();
        let mut ranked: Vec<_> =
            secrets.map(|((w, i, op), secret)| ((judge.rank(*w, *i), *op), secret)).collect();
        sort_by(&mut ranked, |a, b| b.0.cmp(&a.0));
        // A vector that grows would leave copies behind.
        let mut seeds = Vec::with_capacity(ranked.len());
        for (_, (space, sealed)) in ranked {
            seeds.extend(open_sealed(root, sealed).map(|key| (*space, Zeroizing::new(key.0))));
        }
        seeds
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
}
