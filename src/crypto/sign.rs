//! Ed25519 signatures (RFC 8032), verified strictly.

use core::fmt;

use curve25519_dalek::MontgomeryPoint;
use ed25519_dalek::Signer as _;
use zeroize::Zeroizing;

/// An Ed25519 public key: names a writer, a root, a feed, a signed value.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PublicKey(pub [u8; 32]);

impl PublicKey {
    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether these bytes are a point that strict verification can ever accept.
    pub fn is_valid(&self) -> bool {
        ed25519_dalek::VerifyingKey::from_bytes(&self.0).is_ok_and(|key| !key.is_weak())
    }

    /// Verifies strictly: no malleable signature, no small-order key.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), BadSignature> {
        let bad = |_| BadSignature { key: *self };
        let key = ed25519_dalek::VerifyingKey::from_bytes(&self.0).map_err(bad)?;
        key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(&signature.0)).map_err(bad)
    }

    /// The X25519 form of this key by the standard birational map; `None` if it is not a point.
    pub fn to_x25519(&self) -> Option<MontgomeryPoint> {
        Some(ed25519_dalek::VerifyingKey::from_bytes(&self.0).ok()?.to_montgomery())
    }

    /// BLAKE2b-256 keyed with this key over `hypha`: under this a space is looked for without being named.
    pub fn discovery_key(&self) -> super::Hash {
        super::keyed(&self.0, b"hypha")
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&super::hex(&self.0))
    }
}

/// An Ed25519 signature, 64 bytes.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Signature(pub [u8; 64]);

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({})", super::hex(&self.0))
    }
}

/// The signature does not verify under the key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("signature does not verify under key {key}")]
pub struct BadSignature {
    /// The key it was checked against.
    pub key: PublicKey,
}

/// An Ed25519 secret key. Wiped on drop.
pub struct Signer(ed25519_dalek::SigningKey);

impl Signer {
    /// From a 32-byte seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// The public key.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// Signs deterministically.
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.0.sign(message).to_bytes())
    }

    /// Key of what is derived from this signer's private view and kept at rest on this device only: BLAKE2b-256 keyed with the
    /// seed, which nothing else is.
    pub fn view_key(&self) -> Zeroizing<[u8; 32]> {
        let seed = Zeroizing::new(self.0.to_bytes());
        Zeroizing::new(super::keyed(&seed, b"view").0)
    }

    /// The X25519 secret of this key (libsodium's `crypto_sign_ed25519_sk_to_curve25519`).
    pub(crate) fn x25519_secret(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(curve25519_dalek::scalar::clamp_integer(self.0.to_scalar_bytes()))
    }
}
