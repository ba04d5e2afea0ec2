//! This device's keys, while they are in memory: what signs its entries in every space, and seals its requests.
//!
//! ```text
//! remembered   install secret 32 │ message key 32, if there is one
//! ```

use zeroize::Zeroizing;

use crate::{
    collections::Map,
    crypto::{InstallSecret, MessageKey, PublicKey, Purpose},
    space::Keys,
};

/// This device's keys, while they are in memory.
pub(super) struct Secrets {
    pub(super) install: InstallSecret,
    /// The sign-in message key, until a private entry gives it.
    pub(super) message: Option<MessageKey>,
    /// How often this device took itself out of which space.
    pub(super) generations: Map<PublicKey, u64>,
}

impl Secrets {
    pub(super) fn new(install: InstallSecret, message: Option<MessageKey>) -> Self {
        Self { install, message, generations: Map::new() }
    }

    pub(super) fn keys(&self, space: &PublicKey) -> Keys {
        let generation = self.generations.get(space).copied().unwrap_or_default();
        let name = if generation == 0 { String::new() } else { generation.to_string() };
        Keys { signer: self.install.signer(Purpose::Entries, space, &name) }
    }

    /// What the browser keeps for "stay signed in": install secret 32 ‖ message key 32, if there is one.
    pub(super) fn remembered(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(64));
        bytes.extend_from_slice(self.install.to_bytes().as_slice());
        if let Some(message) = &self.message {
            bytes.extend_from_slice(message.as_bytes());
        }
        bytes
    }

    /// Reads it; `None` for less than an install secret.
    pub(super) fn from_remembered(bytes: &[u8]) -> Option<Self> {
        let (install, rest) = bytes.split_first_chunk::<32>()?;
        let message = rest.first_chunk::<32>().map(|key| MessageKey::from_bytes(*key));
        Some(Self::new(InstallSecret::from_bytes(*install), message))
    }
}
