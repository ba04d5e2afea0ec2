//! The primitives under the Noise handshake: X25519, ChaCha20-Poly1305, BLAKE2b-512, and randomness handed in.
//!
//! Noise gets the same curve, cipher and hash code that everything else here uses, and no second one. It draws
//! randomness once, for the ephemeral key; those 32 bytes are given beforehand and can be taken only once.

use blake2::{Blake2b512, Digest};
use chacha20poly1305::{
    AeadInOut, ChaCha20Poly1305, KeyInit,
    aead::{Nonce, Tag, inout::InOutBuf},
};
use snow::{
    Error,
    params::{CipherChoice, DHChoice, HashChoice},
    resolvers::CryptoResolver,
    types::{Cipher, Dh, Hash, Random},
};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const KEY: usize = 32;
const TAG: usize = 16;

/// Gives Noise its primitives, and one ephemeral secret.
pub(super) struct Resolver {
    ephemeral: Zeroizing<[u8; KEY]>,
}

impl Resolver {
    /// With the 32 random bytes of the ephemeral key.
    pub(super) fn new(ephemeral: [u8; KEY]) -> Self {
        Self { ephemeral: Zeroizing::new(ephemeral) }
    }
}

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(Once { bytes: self.ephemeral.clone(), taken: false }))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        matches!(choice, DHChoice::Curve25519).then(|| -> Box<dyn Dh> { Box::<X25519>::default() })
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        matches!(choice, HashChoice::Blake2b).then(|| -> Box<dyn Hash> { Box::<Blake2b>::default() })
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        matches!(choice, CipherChoice::ChaChaPoly)
            .then(|| -> Box<dyn Cipher> { Box::<ChaChaPoly>::default() })
    }
}

/// Randomness for exactly one key: a second draw would repeat it, so it fails.
struct Once {
    bytes: Zeroizing<[u8; KEY]>,
    taken: bool,
}

impl Random for Once {
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), Error> {
        if self.taken || dest.len() != KEY {
            return Err(Error::Rng);
        }
        dest.copy_from_slice(self.bytes.as_slice());
        self.bytes.zeroize();
        self.taken = true;
        Ok(())
    }
}

#[derive(Default, Zeroize, ZeroizeOnDrop)]
struct X25519 {
    private: [u8; KEY],
    public: [u8; KEY],
}

impl X25519 {
    fn derive(&mut self) {
        let secret = x25519_dalek::StaticSecret::from(self.private);
        self.public = x25519_dalek::PublicKey::from(&secret).to_bytes();
    }
}

impl Dh for X25519 {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        KEY
    }

    fn priv_len(&self) -> usize {
        KEY
    }

    fn set(&mut self, private: &[u8]) {
        // Our own keys are 32 bytes; anything else leaves the zero key, which no exchange accepts as ours.
        if let Ok(private) = private.try_into() {
            self.private = private;
            self.derive();
        }
    }

    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), Error> {
        rng.try_fill_bytes(&mut self.private)?;
        self.derive();
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        &self.public
    }

    fn privkey(&self) -> &[u8] {
        &self.private
    }

    fn dh(&self, public: &[u8], out: &mut [u8]) -> Result<(), Error> {
        // Noise hands over a buffer that is larger than the key.
        let public = public.first_chunk::<KEY>().ok_or(Error::Dh)?;
        let secret = x25519_dalek::StaticSecret::from(self.private);
        let shared = secret.diffie_hellman(&x25519_dalek::PublicKey::from(*public));
        // A point of small order would let the peer fix the result.
        if !shared.was_contributory() {
            return Err(Error::Dh);
        }
        *out.first_chunk_mut::<KEY>().ok_or(Error::Dh)? = shared.to_bytes();
        Ok(())
    }
}

#[derive(Default, Zeroize, ZeroizeOnDrop)]
struct ChaChaPoly {
    key: [u8; KEY],
}

/// Noise's nonce: four zero bytes, then the counter, little endian.
fn nonce(counter: u64) -> Nonce<ChaCha20Poly1305> {
    let mut bytes = [0; 12];
    for (to, from) in bytes.iter_mut().skip(4).zip(counter.to_le_bytes()) {
        *to = from;
    }
    bytes.into()
}

impl Cipher for ChaChaPoly {
    fn name(&self) -> &'static str {
        "ChaChaPoly"
    }

    fn set(&mut self, key: &[u8; KEY]) {
        self.key = *key;
    }

    fn encrypt(&self, counter: u64, ad: &[u8], plain: &[u8], out: &mut [u8]) -> usize {
        let cipher = ChaCha20Poly1305::new(&self.key.into());
        let Some((text, tag)) = out.split_at_mut_checked(plain.len()) else { return 0 };
        let Some(tag) = tag.first_chunk_mut::<TAG>() else { return 0 };
        let Ok(buffer) = InOutBuf::new(plain, text) else { return 0 };
        // Fails only above 256 GiB; a length of zero is then refused by the peer as not authentic.
        let Ok(made) = cipher.encrypt_inout_detached(&nonce(counter), ad, buffer) else { return 0 };
        *tag = made.into();
        plain.len() + TAG
    }

    fn decrypt(&self, counter: u64, ad: &[u8], sealed: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        let cipher = ChaCha20Poly1305::new(&self.key.into());
        let (text, tag) = sealed.split_last_chunk::<TAG>().ok_or(Error::Decrypt)?;
        let out = out.get_mut(..text.len()).ok_or(Error::Decrypt)?;
        let buffer = InOutBuf::new(text, out).map_err(|_| Error::Decrypt)?;
        let tag = Tag::<ChaCha20Poly1305>::from(*tag);
        cipher.decrypt_inout_detached(&nonce(counter), ad, buffer, &tag).map_err(|_| Error::Decrypt)?;
        Ok(text.len())
    }
}

#[derive(Default)]
struct Blake2b(Blake2b512);

impl Hash for Blake2b {
    fn name(&self) -> &'static str {
        "BLAKE2b"
    }

    fn block_len(&self) -> usize {
        128
    }

    fn hash_len(&self) -> usize {
        64
    }

    fn reset(&mut self) {
        self.0 = Blake2b512::default();
    }

    fn input(&mut self, data: &[u8]) {
        Digest::update(&mut self.0, data);
    }

    fn result(&mut self, out: &mut [u8]) {
        let hash: [u8; 64] = core::mem::take(&mut self.0).finalize().into();
        if let Some(out) = out.first_chunk_mut::<64>() {
            *out = hash;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;
    use snow::{Builder, HandshakeState};

    fn unhex(text: &str) -> Vec<u8> {
        HEXLOWER.decode(text.as_bytes()).unwrap()
    }

    fn party(private: &str, ephemeral: &str) -> Builder<'static> {
        let resolver = Resolver::new(unhex(ephemeral).try_into().unwrap());
        let private: &'static [u8] = Box::leak(unhex(private).into_boxed_slice());
        Builder::with_resolver(super::super::handshake::PATTERN.parse().unwrap(), Box::new(resolver))
            .local_private_key(private)
            .unwrap()
            .prologue(b"John Galt")
            .unwrap()
    }

    fn step(from: &mut HandshakeState, to: &mut HandshakeState, payload: &str, expected: &str) {
        let (mut message, mut plain) = ([0; 1024], [0; 1024]);
        let length = from.write_message(&unhex(payload), &mut message).unwrap();
        assert_eq!(HEXLOWER.encode(&message[..length]), expected);
        let length = to.read_message(&message[..length], &mut plain).unwrap();
        assert_eq!(HEXLOWER.encode(&plain[..length]), payload);
    }

    // A vector of the Haskell implementation (cacophony), which shares no code with this one.
    #[test]
    fn handshake_and_messages_equal_another_implementation() {
        let mut alice = party(
            "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1",
            "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a",
        )
        .build_initiator()
        .unwrap();
        let mut bob = party(
            "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893",
            "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b",
        )
        .build_responder()
        .unwrap();
        step(
            &mut alice,
            &mut bob,
            "4c756477696720766f6e204d69736573",
            "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c79444c756477696720766f6e204d69736573",
        );
        step(
            &mut bob,
            &mut alice,
            "4d757272617920526f746862617264",
            "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f1448088430505b6745ce64a5f33f0e8e3b83f11ce\
             8802bca507f4f2d8b564dbe277e1966116e132faa2dfd70b8b077b9f94b913df5056ae1319469b824a98d54bbaa82c32\
             5595587064f978c4b6d104f7596e6f",
        );
        step(
            &mut alice,
            &mut bob,
            "462e20412e20486179656b",
            "99579e1c1ee15e422a57ddd6b16d37087b17558e8369c18991b4b2ca3a824abf904cdcf5458b5431a75af034ca9e9b98\
             2de039eaaf156775e2d580cd4e5ebae89c3f8cb2594b556d8a8169",
        );
        assert_eq!(
            HEXLOWER.encode(alice.get_handshake_hash()),
            "8cf47d7b3cb5804c0109d48e8bcdbee2cbb65687d8ea2c92994ca361fb86151a\
             d93627b98936cbb32de56e8abb21def3925011ac3e35db9cbeea73ab9a4392c2"
        );
        let (mut alice, mut bob) = (alice.into_transport_mode().unwrap(), bob.into_transport_mode().unwrap());
        let mut message = [0; 64];
        let length = bob.write_message(&unhex("4361726c204d656e676572"), &mut message).unwrap();
        assert_eq!(
            HEXLOWER.encode(&message[..length]),
            "fc56eea290b3f3a21aac0c70cd5787b5ee99be37d2f4d751329b55"
        );
        let length = alice.write_message(&unhex("4a65616e2d426170746973746520536179"), &mut message).unwrap();
        assert_eq!(
            HEXLOWER.encode(&message[..length]),
            "bb31c9da10d5639a4cdb88a12f5c61de41bbc7df09bf75d94f8184fe4157f5c68f"
        );
    }

    #[test]
    fn small_order_keys_and_a_second_draw_are_refused() {
        let mut key = X25519::default();
        key.set(&[7; 32]);
        assert_eq!(key.dh(&[0; 32], &mut [0; 56]), Err(Error::Dh));
        let mut rng = Once { bytes: Zeroizing::new([1; 32]), taken: false };
        assert!(rng.try_fill_bytes(&mut [0; 32]).is_ok());
        assert!(rng.try_fill_bytes(&mut [0; 32]).is_err());
    }
}
