//! Ephemeral messages: sealed, short-lived, passed from node to node.
//!
//! ```text
//! envelope    version u8 │ kind u8 │ discovery key 32 │ expiry u64le ms │ hop limit u8 │ nonce 24 │ ciphertext bytes
//! sealing     XChaCha20-Poly1305, associated data = ns(hypha/v1/envelope) ‖ kind ‖ discovery key ‖ expiry
//! addressed   ciphertext = key sealed to the writer 80 │ what is sealed under that key
//! id          BLAKE2b-256(ns(hypha/v1/envelope) ‖ envelope without the hop limit)
//! ```
//!
//! Kind, space and expiry are authenticated, so an envelope cannot be shown in another space, as another kind or later
//! than it was meant. The hop limit is not: every node lowers it. A failed tag is an error, never text. Who sent it is
//! proven by a signature inside, not here: everybody in a space may hold the key.

use zeroize::Zeroizing;

use super::limits::{MAX_ENVELOPE, MAX_HOPS};
use crate::{
    codec::{DecodeError, Reader, VERSION, Writer},
    crypto::{
        Entropy, Hash, NONCE_LENGTH, Namespace, OpenError, PublicKey, SEALED_KEY_LENGTH, SealedKey,
        SecretKey32, Signer, TAG_LENGTH, hash_to, open, open_sealed, seal, seal_to,
    },
};

/// Whom a message is for, which names the key it is sealed under.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum EnvelopeKind {
    /// Requests and answers, under the sign-in message key (0).
    SignIn,
    /// Between authorised devices, under the epoch's content key (1).
    Epoch,
    /// For everybody with the link, under a key from the space key (2).
    Public,
    /// To one writer, under a key sealed to it (3).
    Addressed,
}

impl EnvelopeKind {
    /// The wire number.
    pub const fn byte(self) -> u8 {
        match self {
            Self::SignIn => 0,
            Self::Epoch => 1,
            Self::Public => 2,
            Self::Addressed => 3,
        }
    }

    pub(super) const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::SignIn),
            1 => Some(Self::Epoch),
            2 => Some(Self::Public),
            3 => Some(Self::Addressed),
            _ => None,
        }
    }
}

/// A sealed message on its way.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Envelope {
    /// Whom it is for.
    pub kind: EnvelopeKind,
    /// Discovery key of the space.
    pub discovery: Hash,
    /// When it lapses (ms).
    pub expiry: u64,
    /// How often it may still be passed on, at most [`MAX_HOPS`].
    pub hops: u8,
    nonce: [u8; NONCE_LENGTH],
    ciphertext: Vec<u8>,
}

/// A message that is too long, or a recipient that is no key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum EnvelopeError {
    /// The recipient's key cannot be sealed to.
    #[error("the recipient's key is not valid")]
    Recipient,
    /// More than fits.
    #[error("message of {got} bytes: at most {max}")]
    TooLarge {
        /// The limit.
        max: usize,
        /// Its size.
        got: usize,
    },
}

impl Envelope {
    /// Seals a message under a shared key, with the full hop limit. `expiry` in ms.
    pub fn seal(
        kind: EnvelopeKind,
        discovery: Hash,
        expiry: u64,
        key: &SecretKey32,
        plain: &[u8],
        entropy: &mut dyn Entropy,
    ) -> Result<Self, EnvelopeError> {
        let max = MAX_ENVELOPE - TAG_LENGTH - SEALED_KEY_LENGTH;
        if plain.len() > max {
            return Err(EnvelopeError::TooLarge { max, got: plain.len() });
        }
        let nonce = entropy.array24();
        let ciphertext = seal(&key.0, &nonce, &associated(kind, &discovery, expiry), plain);
        Ok(Self { kind, discovery, expiry, hops: MAX_HOPS, nonce, ciphertext })
    }

    /// Seals a message to one writer.
    pub fn seal_to_writer(
        discovery: Hash,
        expiry: u64,
        recipient: &PublicKey,
        plain: &[u8],
        entropy: &mut dyn Entropy,
    ) -> Result<Self, EnvelopeError> {
        let key = SecretKey32(entropy.array32());
        let sealed = seal_to(recipient, &key.0, entropy).map_err(|_| EnvelopeError::Recipient)?;
        let mut envelope = Self::seal(EnvelopeKind::Addressed, discovery, expiry, &key, plain, entropy)?;
        envelope.ciphertext.splice(..0, sealed);
        Ok(envelope)
    }

    /// Opens a message with a shared key.
    pub fn open(&self, key: &SecretKey32) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        self.open_part(key, &self.ciphertext)
    }

    /// Opens a message that was sealed to this writer.
    pub fn open_as_writer(&self, signer: &Signer) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let (sealed, rest) = self.ciphertext.split_first_chunk::<SEALED_KEY_LENGTH>().ok_or(OpenError)?;
        let sealed: &SealedKey = sealed;
        self.open_part(&open_sealed(signer, sealed)?, rest)
    }

    fn open_part(&self, key: &SecretKey32, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        open(&key.0, &self.nonce, &associated(self.kind, &self.discovery, self.expiry), ciphertext)
    }

    /// Bytes of the ciphertext: what a relay counts.
    pub const fn size(&self) -> usize {
        self.ciphertext.len()
    }

    /// The same message with another hop limit.
    pub fn with_hops(&self, hops: u8) -> Self {
        let mut copy = self.clone();
        copy.hops = hops;
        copy
    }

    /// Hash of everything but the hop limit: nobody can block a message by sending junk under its id.
    pub fn id(&self) -> Hash {
        let mut out = Writer::new();
        self.write_front(&mut out);
        self.write_back(&mut out);
        hash_to(Namespace::Envelope, &[out.as_slice()])
    }

    /// The encoding on the wire and in storage.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        self.write(&mut out);
        out.finish()
    }

    /// Reads an envelope.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let envelope = Self::read(&mut reader)?;
        reader.end()?;
        Ok(envelope)
    }

    pub(super) fn write(&self, out: &mut Writer) {
        self.write_front(out);
        out.u8(self.hops);
        self.write_back(out);
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.u8()? {
            VERSION => {}
            got => return Err(DecodeError::Version { expected: VERSION, got }),
        }
        let byte = reader.u8()?;
        let kind = EnvelopeKind::from_byte(byte)
            .ok_or(DecodeError::Unknown { what: "envelope kind", got: u64::from(byte) })?;
        let (discovery, expiry, hops) = (Hash(reader.array()?), reader.u64()?, reader.u8()?);
        if hops > MAX_HOPS {
            let (max, got) = (u64::from(MAX_HOPS), u64::from(hops));
            return Err(DecodeError::TooLarge { what: "hop limit", max, got });
        }
        let nonce = reader.array()?;
        let ciphertext = reader.bytes("ciphertext", MAX_ENVELOPE)?.to_vec();
        Ok(Self { kind, discovery, expiry, hops, nonce, ciphertext })
    }

    fn write_front(&self, out: &mut Writer) {
        out.u8(VERSION).u8(self.kind.byte()).raw(&self.discovery.0).u64(self.expiry);
    }

    fn write_back(&self, out: &mut Writer) {
        out.raw(&self.nonce).bytes(&self.ciphertext);
    }

    #[cfg(test)]
    pub(super) fn sample() -> Self {
        let mut entropy = crate::testing::Seeded::new(1);
        Self::seal(EnvelopeKind::Public, Hash([6; 32]), 1_000, &SecretKey32([1; 32]), b"hi", &mut entropy)
            .unwrap()
    }
}

fn associated(kind: EnvelopeKind, discovery: &Hash, expiry: u64) -> Vec<u8> {
    let namespace = Namespace::Envelope.bytes();
    [namespace.as_slice(), &[kind.byte()], &discovery.0, &expiry.to_le_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Seeded;
    use proptest::prelude::*;

    #[test]
    fn every_authenticated_part_is_bound_and_the_hop_limit_is_not() {
        let key = SecretKey32([1; 32]);
        let envelope = Envelope::sample();
        assert_eq!(envelope.open(&key).unwrap().as_slice(), b"hi");
        assert!(envelope.open(&SecretKey32([2; 32])).is_err());
        let other = |change: &dyn Fn(&mut Envelope)| {
            let mut changed = envelope.clone();
            change(&mut changed);
            changed
        };
        for changed in [
            other(&|e| e.kind = EnvelopeKind::Epoch),
            other(&|e| e.discovery = Hash([7; 32])),
            other(&|e| e.expiry += 1),
            other(&|e| e.nonce[0] ^= 1),
            other(&|e| e.ciphertext[0] ^= 1),
        ] {
            assert!(changed.open(&key).is_err());
            assert_ne!(changed.id(), envelope.id());
        }
        let hop = other(&|e| e.hops = 0);
        assert_eq!((hop.id(), hop.open(&key).is_ok()), (envelope.id(), true));
    }

    #[test]
    fn addressed_opens_for_its_writer_only() {
        let (alice, eve) = (Signer::from_seed(&[1; 32]), Signer::from_seed(&[2; 32]));
        let made =
            Envelope::seal_to_writer(Hash([6; 32]), 9, &alice.public(), b"to you", &mut Seeded::new(2))
                .unwrap();
        let made = Envelope::decode(&made.encode()).unwrap();
        assert_eq!(made.open_as_writer(&alice).unwrap().as_slice(), b"to you");
        assert!(made.open_as_writer(&eve).is_err());
        assert!(Envelope::sample().open_as_writer(&alice).is_err());
        let weak = PublicKey([0; 32]);
        assert_eq!(
            Envelope::seal_to_writer(Hash([6; 32]), 9, &weak, b"", &mut Seeded::new(2)),
            Err(EnvelopeError::Recipient)
        );
    }

    #[test]
    fn size_is_capped_when_written_and_when_read() {
        let max = MAX_ENVELOPE - TAG_LENGTH - SEALED_KEY_LENGTH;
        let (signer, mut entropy) = (Signer::from_seed(&[1; 32]), Seeded::new(3));
        let to = signer.public();
        let fits = Envelope::seal_to_writer(Hash([6; 32]), 9, &to, &vec![0; max], &mut entropy).unwrap();
        assert!(Envelope::decode(&fits.encode()).is_ok());
        assert!(Envelope::seal_to_writer(Hash([6; 32]), 9, &to, &vec![0; max + 1], &mut entropy).is_err());
        let mut longer = fits.clone();
        longer.ciphertext.push(0);
        assert!(matches!(Envelope::decode(&longer.encode()), Err(DecodeError::TooLarge { .. })));
        let mut farther = fits;
        farther.hops = MAX_HOPS + 1;
        assert!(matches!(Envelope::decode(&farther.encode()), Err(DecodeError::TooLarge { .. })));
    }

    proptest! {
        #[test]
        fn any_bytes_never_panic(bytes: Vec<u8>) {
            let bytes = [&[1, 2], bytes.as_slice()].concat();
            if let Ok(envelope) = Envelope::decode(&bytes) {
                prop_assert_eq!(envelope.encode(), bytes);
                prop_assert!(envelope.open(&SecretKey32([0; 32])).is_err());
            }
        }
    }
}
