//! Authenticated encryption: XChaCha20-Poly1305, and keys sealed to a public key.
//!
//! A key sealed to a writer or root (80 bytes):
//! ```text
//! ephemeral X25519 public key 32 │ ciphertext 32 │ tag 16
//! key   = BLAKE2b-256(ns(hypha/v1/seal) ‖ shared ‖ ephemeral ‖ recipient's X25519 key)
//! nonce = 24 zero bytes: the key is used once
//! ad    = empty
//! ```

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use curve25519_dalek::MontgomeryPoint;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{Entropy, Namespace, PublicKey, Signer, hash_to};

/// Bytes of a nonce.
pub const NONCE_LENGTH: usize = 24;
/// Bytes that sealing adds.
pub const TAG_LENGTH: usize = 16;
/// Bytes of a sealed key.
pub const SEALED_KEY_LENGTH: usize = 80;

/// A 32-byte symmetric key. Wiped on drop.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretKey32(pub [u8; 32]);

/// A key sealed to somebody's public key.
pub type SealedKey = [u8; SEALED_KEY_LENGTH];

/// What was sealed does not open with this key, nonce and associated data.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("sealed data does not open: another key, or it was altered")]
pub struct OpenError;

/// XChaCha20-Poly1305: ciphertext ‖ 16-byte tag.
pub fn seal(key: &[u8; 32], nonce: &[u8; NONCE_LENGTH], ad: &[u8], plain: &[u8]) -> Vec<u8> {
    let payload = Payload { msg: plain, aad: ad };
    // Fails only above 256 GiB.
    XChaCha20Poly1305::new(key.into()).encrypt(&XNonce::from(*nonce), payload).unwrap_or_default()
}

/// Opens what [`seal`] made.
pub fn open(
    key: &[u8; 32],
    nonce: &[u8; NONCE_LENGTH],
    ad: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let payload = Payload { msg: sealed, aad: ad };
    let plain =
        XChaCha20Poly1305::new(key.into()).decrypt(&XNonce::from(*nonce), payload).map_err(|_| OpenError)?;
    Ok(Zeroizing::new(plain))
}

/// Seals a 32-byte key to an Ed25519 public key; an error if that is not a point or of small order.
pub fn seal_to(
    recipient: &PublicKey,
    key: &[u8; 32],
    entropy: &mut dyn Entropy,
) -> Result<SealedKey, OpenError> {
    let theirs = recipient.to_x25519().ok_or(OpenError)?;
    let ephemeral = x25519_dalek::StaticSecret::from(entropy.array32());
    let public = x25519_dalek::PublicKey::from(&ephemeral);
    let shared = ephemeral.diffie_hellman(&x25519_dalek::PublicKey::from(theirs.0));
    if !shared.was_contributory() {
        return Err(OpenError);
    }
    let wrap = wrap_key(shared.as_bytes(), public.as_bytes(), &theirs);
    let sealed = seal(&wrap, &[0; NONCE_LENGTH], &[], key);
    let mut out = [0; SEALED_KEY_LENGTH];
    for (to, from) in out.iter_mut().zip(public.as_bytes().iter().chain(&sealed)) {
        *to = *from;
    }
    Ok(out)
}

/// Opens a key that was sealed to `signer`'s public key.
pub fn open_sealed(signer: &Signer, sealed: &SealedKey) -> Result<SecretKey32, OpenError> {
    let (public, rest) = sealed.split_first_chunk::<32>().ok_or(OpenError)?;
    let own = signer.public().to_x25519().ok_or(OpenError)?;
    let secret = x25519_dalek::StaticSecret::from(*signer.x25519_secret());
    let shared = secret.diffie_hellman(&x25519_dalek::PublicKey::from(*public));
    // Refused when sealing, so refused here: what opens has one form.
    if !shared.was_contributory() {
        return Err(OpenError);
    }
    let wrap = wrap_key(shared.as_bytes(), public, &own);
    let plain = open(&wrap, &[0; NONCE_LENGTH], &[], rest)?;
    Ok(SecretKey32(plain.as_slice().try_into().map_err(|_| OpenError)?))
}

fn wrap_key(shared: &[u8; 32], ephemeral: &[u8; 32], recipient: &MontgomeryPoint) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(hash_to(Namespace::Seal, &[shared, ephemeral, &recipient.0]).0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Seeded;

    #[test]
    fn a_key_opens_for_its_recipient_only() {
        let (alice, eve) = (Signer::from_seed(&[1; 32]), Signer::from_seed(&[2; 32]));
        let sealed = seal_to(&alice.public(), &[9; 32], &mut Seeded::new(1)).unwrap();
        assert_eq!(open_sealed(&alice, &sealed).ok().unwrap().0, [9; 32]);
        assert!(open_sealed(&eve, &sealed).is_err());
        for byte in 0..SEALED_KEY_LENGTH {
            let mut bad = sealed;
            bad[byte] ^= 1;
            assert!(open_sealed(&alice, &bad).is_err(), "byte {byte}");
        }
    }
}
