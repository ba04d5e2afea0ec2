//! What nodes of a space say to each other in ephemeral envelopes of kinds epoch, public and addressed.
//!
//! ```text
//! message    version u8 │ topic u8 │ sender 32 │ id 16 │ varint time │ payload │ signature 64
//! signature  by the sender over ns(hypha/v1/message) ‖ discovery key ‖ kind u8 ‖ expiry u64le
//!            ‖ recipient 32, if the kind is addressed ‖ all before the signature
//! key        of public ones: BLAKE2b-256(key = space key, ns(hypha/v1/public-message))
//! ```
//! Everybody in a space may hold the key of the envelope, so the signature says who sent it, for which space, kind, time
//! and reader: whoever opens a message cannot seal it anew for somebody else, or for later. The id is random; by sender
//! and id each message is delivered once, however often it is sealed. The sender is a writer's key, or a
//! visitor's key of one browser session. The payload is the topic's; a topic that is not known is passed on and
//! ignored.

use crate::{
    codec::{DecodeError, Reader, Writer},
    crypto::{
        BadSignature, Hash, Namespace, PublicKey, SEALED_KEY_LENGTH, SecretKey32, Signature, Signer,
        TAG_LENGTH, hash_to, keyed,
    },
    sync::{EnvelopeKind, limits::MAX_ENVELOPE},
};

/// What a message is about; the wire number.
pub(crate) mod topic {
    /// A page's own: a value.
    pub(crate) const APP: u8 = 1;
    /// A value, or nothing: the sender has gone.
    pub(crate) const PRESENCE: u8 = 2;
    /// Signed heads of feeds.
    pub(crate) const HEADS: u8 = 3;
    /// Somebody with an invite asks to be let in.
    pub(crate) const JOIN: u8 = 4;
}

/// Most bytes of a payload: with everything around it the ciphertext has at most 16 KiB.
pub const MAX_PAYLOAD: usize = MAX_ENVELOPE - TAG_LENGTH - SEALED_KEY_LENGTH - OVERHEAD;
/// Version, topic, sender, id, time, signature.
const OVERHEAD: usize = 2 + 32 + 16 + 8 + 64;

/// A message of a node.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct PeerMessage {
    pub(crate) topic: u8,
    /// A writer's key or a session key.
    pub(crate) sender: PublicKey,
    pub(crate) id: [u8; 16],
    /// By the sender's clock, corrected, ms since 1970.
    pub(crate) time: u64,
    pub(crate) payload: Vec<u8>,
}

/// The envelope that a message is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Around {
    pub(crate) discovery: Hash,
    pub(crate) kind: EnvelopeKind,
    /// ms since 1970.
    pub(crate) expiry: u64,
    /// Whom it is addressed to.
    pub(crate) recipient: Option<PublicKey>,
}

impl PeerMessage {
    /// Signs with the sender's key.
    pub(crate) fn sign(&self, around: &Around, sender: &Signer) -> Vec<u8> {
        let mut out = Writer::versioned();
        out.u8(self.topic).raw(&self.sender.0).raw(&self.id).varint(self.time).raw(&self.payload);
        let signature = sender.sign(&around.signed(out.as_slice()));
        out.raw(&signature.0);
        out.finish()
    }

    /// Reads a message and verifies its signature.
    pub(crate) fn decode(around: &Around, bytes: &[u8]) -> Result<Self, PeerMessageError> {
        let ended = DecodeError::Ended { expected: 64, got: bytes.len() };
        let (body, signature) = bytes.split_last_chunk::<64>().ok_or(ended)?;
        let mut reader = Reader::versioned(body)?;
        let (topic, sender, id) = (reader.u8()?, PublicKey(reader.array()?), reader.array()?);
        let time = reader.varint()?;
        let payload = reader.rest();
        if payload.len() > MAX_PAYLOAD {
            let wide = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
            let (max, got) = (wide(MAX_PAYLOAD), wide(payload.len()));
            return Err(DecodeError::TooLarge { what: "payload", max, got }.into());
        }
        sender.verify(&around.signed(body), &Signature(*signature))?;
        Ok(Self { topic, sender, id, time, payload: payload.to_vec() })
    }

    /// Under which it is delivered once.
    pub(crate) fn name(&self) -> Hash {
        hash_to(Namespace::Message, &[&self.sender.0, &self.id])
    }
}

impl Around {
    fn signed(&self, body: &[u8]) -> Vec<u8> {
        let mut out = Writer::new();
        out.raw(&Namespace::Message.bytes()).raw(&self.discovery.0).u8(self.kind.byte()).u64(self.expiry);
        if let Some(recipient) = &self.recipient {
            out.raw(&recipient.0);
        }
        out.raw(body);
        out.finish()
    }
}

/// The key of messages for everybody who has the link.
pub(crate) fn public_key(space: &PublicKey) -> SecretKey32 {
    SecretKey32(keyed(&space.0, &Namespace::PublicMessage.bytes()).0)
}

/// A message that is not to be shown to anybody.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum PeerMessageError {
    #[error("message: {0}")]
    Layout(#[from] DecodeError),
    #[error("message: {0}")]
    Signature(#[from] BadSignature),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around() -> Around {
        Around { discovery: Hash([6; 32]), kind: EnvelopeKind::Public, expiry: 9, recipient: None }
    }

    fn message(signer: &Signer, payload: &[u8]) -> PeerMessage {
        let sender = signer.public();
        PeerMessage { topic: topic::APP, sender, id: [7; 16], time: 8, payload: payload.to_vec() }
    }

    #[test]
    fn every_byte_and_everything_around_is_signed() {
        let (alice, eve) = (Signer::from_seed(&[1; 32]), Signer::from_seed(&[2; 32]));
        let said = message(&alice, b"hello");
        let bytes = said.sign(&around(), &alice);
        assert_eq!(PeerMessage::decode(&around(), &bytes).as_ref(), Ok(&said));
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert!(PeerMessage::decode(&around(), &bad).is_err(), "byte {at}");
        }
        for other in [
            Around { discovery: Hash([7; 32]), ..around() },
            Around { kind: EnvelopeKind::Epoch, ..around() },
            Around { expiry: 10, ..around() },
            Around { recipient: Some(eve.public()), ..around() },
        ] {
            assert!(PeerMessage::decode(&other, &bytes).is_err(), "{other:?}");
        }
        // Eve signs in Alice's name.
        assert!(PeerMessage::decode(&around(), &said.sign(&around(), &eve)).is_err());
        let to = |writer: &Signer| Around { recipient: Some(writer.public()), ..around() };
        assert!(PeerMessage::decode(&to(&eve), &said.sign(&to(&alice), &alice)).is_err());
    }

    #[test]
    fn the_longest_fits_its_envelope_and_a_longer_one_is_refused() {
        let alice = Signer::from_seed(&[1; 32]);
        let mut said = message(&alice, &vec![0; MAX_PAYLOAD]);
        said.time = crate::codec::MAX_SAFE;
        let bytes = said.sign(&around(), &alice);
        assert_eq!(bytes.len() + TAG_LENGTH + SEALED_KEY_LENGTH, MAX_ENVELOPE);
        assert!(PeerMessage::decode(&around(), &bytes).is_ok());
        said.payload.push(0);
        let longer = PeerMessage::decode(&around(), &said.sign(&around(), &alice));
        assert!(matches!(longer, Err(PeerMessageError::Layout(DecodeError::TooLarge { .. }))));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_never_panic(bytes: Vec<u8>) {
            let _ = PeerMessage::decode(&around(), &bytes);
            let _ = PeerMessage::decode(&around(), &[&[1, 1], bytes.as_slice()].concat());
        }
    }
}
