//! The tree of a person's keys: passphrase → root secret → subkeys → installs → feeds.
//!
//! ```text
//! passphrase ‖ domain ─Argon2id→ root secret ─┬ hypharot/1 → root signer (its public key names the space)
//!                                             ├ hyphamsg/1 → sign-in message key
//!                                             └ hyphawri/1 → writer base ─(install id, device name)→ install secret
//!                                                            install secret ─(purpose, space, name)→ feed signer
//! ```
//! The root secret exists only while signing up, signing in, removing a device, changing the passphrase or
//! recovering. Of all this only an install secret may be remembered.

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{Host, KdfError, Passphrase, PublicKey, Signer, blake2b_128, kdf, keyed_parts};

/// What the passphrase and the domain derive. Wiped on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct RootSecret([u8; 32]);

impl RootSecret {
    /// Argon2id, 64 MiB, 3 passes, 1 lane: about a second.
    pub fn derive(passphrase: &Passphrase, host: &Host) -> Result<Self, KdfError> {
        let salt = blake2b_128(&[b"hypha/v1/domain", host.as_str().as_bytes()]);
        Ok(Self(*kdf::argon2id(passphrase.as_str().as_bytes(), &salt, 64, 3)?))
    }

    /// From bytes that a worker derived.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// **Warning**: a copy that the caller must wipe; for the way from the worker to the node.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0)
    }

    /// The root's signing key: its public key is the space's.
    pub fn root(&self) -> Signer {
        Signer::from_seed(&kdf::subkey(&self.0, 1, b"hypharot"))
    }

    /// The key under which a new device asks.
    pub fn message_key(&self) -> MessageKey {
        MessageKey(*kdf::subkey(&self.0, 1, b"hyphamsg"))
    }

    /// The key from which every device's install secret is made.
    pub fn writer_base(&self) -> WriterBase {
        WriterBase(*kdf::subkey(&self.0, 1, b"hyphawri"))
    }
}

/// Seals sign-in requests and their answers. Wiped on drop.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct MessageKey([u8; 32]);

impl MessageKey {
    /// From bytes kept in a private entry.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for sealing.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Derives install secrets. Wiped on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct WriterBase([u8; 32]);

impl WriterBase {
    /// BLAKE2b-256 keyed with the base over install id ‖ device name (UTF-8).
    pub fn install(&self, install_id: &[u8; 16], device: &str) -> InstallSecret {
        InstallSecret(keyed_parts(&self.0, &[install_id, device.as_bytes()]).0)
    }
}

/// What a feed signer is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// Blob feed beside the writer's feed.
    Blobs,
    /// The writer's feed in a space.
    Entries,
    /// A stand-alone feed.
    Feed,
    /// A signed value.
    Value,
}

impl Purpose {
    /// The text that is hashed.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Blobs => "blobs",
            Self::Entries => "entries",
            Self::Feed => "feed",
            Self::Value => "value",
        }
    }
}

/// One device's secret: all its feeds derive from it. Wiped on drop.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct InstallSecret([u8; 32]);

impl InstallSecret {
    /// From bytes that were remembered.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// **Warning**: a copy that the caller must seal or wipe.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0)
    }

    /// Signer of one log: seed = BLAKE2b-256 keyed with this over purpose ‖ `00` ‖ space key ‖ name.
    pub fn signer(&self, purpose: Purpose, space: &PublicKey, name: &str) -> Signer {
        let seed = Zeroizing::new(
            keyed_parts(&self.0, &[purpose.label().as_bytes(), &[0], &space.0, name.as_bytes()]).0,
        );
        Signer::from_seed(&seed)
    }

    /// Key of what is kept at rest on this device only (drafts, private views).
    pub fn local_key(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(keyed_parts(&self.0, &[b"local"]).0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn installs_with_one_name_never_share_a_feed() {
        let base = RootSecret::from_bytes([1; 32]).writer_base();
        let space = RootSecret::from_bytes([1; 32]).root().public();
        let key = |id: u8, name| base.install(&[id; 16], name).signer(Purpose::Entries, &space, "").public();
        assert_eq!(key(1, "laptop"), key(1, "laptop"));
        assert_ne!(key(1, "laptop"), key(2, "laptop"));
        assert_ne!(key(1, "laptop"), key(1, "phone"));
    }
}
