//! What a new device and an authorised one say to each other: a request and its answer.
//!
//! Both travel in ephemeral envelopes sealed with the sign-in message key.
//!
//! ```text
//! request  version u8 │ 1 │ request id 16 │ writer 32 │ install id 16 │ varint time │ varint expiry
//!          │ varint length │ device name │ signature 64
//! answer   version u8 │ 2 │ request id 16 │ writer 32 │ verdict u8 (1 granted, 2 denied, 3 blocked) │ varint time
//!          │ admin 32 │ signature 64
//! ```
//! The signature of a request is by the asking writer key over ns(hypha/v1/request) ‖ discovery key ‖ all before it;
//! BLAKE2b-256 of those bytes gives the four words. An answer is signed by the admin likewise with ns(hypha/v1/answer);
//! it counts only if that key is a counted admin that was not removed.

use crate::node::accounts::device_name;
use crate::{
    codec::{DecodeError, Reader, Writer},
    crypto::{BadSignature, Hash, Namespace, PublicKey, Signature, Signer, blake2b},
};

/// A device asks to be let in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Request {
    pub(crate) id: [u8; 16],
    pub(crate) writer: PublicKey,
    pub(crate) install_id: [u8; 16],
    /// ms since 1970.
    pub(crate) time: u64,
    /// ms since 1970.
    pub(crate) expires: u64,
    pub(crate) device: String,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    Granted,
    Denied,
    Blocked,
}

/// An admin's answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Answer {
    pub(crate) request: [u8; 16],
    pub(crate) writer: PublicKey,
    pub(crate) verdict: Verdict,
    pub(crate) time: u64,
    pub(crate) admin: PublicKey,
}

/// Either.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum SignInMessage {
    Request { request: Request, hash: Hash },
    Answer(Answer),
}

impl Request {
    fn body(&self) -> Writer {
        let mut out = Writer::versioned();
        out.u8(1).raw(&self.id).raw(&self.writer.0).raw(&self.install_id);
        out.varint(self.time).varint(self.expires).text(&self.device);
        out
    }

    /// The hash from which both screens make their words.
    pub(crate) fn hash(&self, discovery: &Hash) -> Hash {
        blake2b(&[&signed(Namespace::Request, discovery, self.body().as_slice())])
    }

    pub(crate) fn sign(&self, discovery: &Hash, writer: &Signer) -> Vec<u8> {
        finish(Namespace::Request, discovery, self.body(), writer)
    }
}

impl Answer {
    pub(crate) fn sign(&self, discovery: &Hash, admin: &Signer) -> Vec<u8> {
        let verdict = match self.verdict {
            Verdict::Granted => 1,
            Verdict::Denied => 2,
            Verdict::Blocked => 3,
        };
        let mut out = Writer::versioned();
        out.u8(2).raw(&self.request).raw(&self.writer.0).u8(verdict).varint(self.time).raw(&self.admin.0);
        finish(Namespace::Answer, discovery, out, admin)
    }
}

impl SignInMessage {
    /// Reads a message and verifies its signature.
    pub(crate) fn decode(discovery: &Hash, bytes: &[u8]) -> Result<Self, MessageError> {
        let ended = DecodeError::Ended { expected: 64, got: bytes.len() };
        let (body, signature) = bytes.split_last_chunk::<64>().ok_or(ended)?;
        let mut reader = Reader::versioned(body)?;
        let kind = reader.u8()?;
        let id = reader.array()?;
        let writer = PublicKey(reader.array()?);
        let (message, namespace, signer) = match kind {
            1 => {
                let install_id = reader.array()?;
                let (time, expires) = (reader.varint()?, reader.varint()?);
                let device = reader.text("device name", device_name::MAX_BYTES)?;
                // A name is an attacker's text: the rules for one's own hold for it too.
                // White space around it is refused too, or the hash would be of other bytes than were signed.
                let device = device_name::device_name(device)
                    .ok()
                    .filter(|shown| shown == device)
                    .ok_or(DecodeError::NotCanonical { what: "device name" })?;
                let request = Request { id, writer, install_id, time, expires, device };
                let hash = request.hash(discovery);
                (Self::Request { request, hash }, Namespace::Request, writer)
            }
            2 => {
                let verdict = match reader.u8()? {
                    1 => Verdict::Granted,
                    2 => Verdict::Denied,
                    3 => Verdict::Blocked,
                    got => return Err(DecodeError::Unknown { what: "verdict", got: u64::from(got) }.into()),
                };
                let (time, admin) = (reader.varint()?, PublicKey(reader.array()?));
                (Self::Answer(Answer { request: id, writer, verdict, time, admin }), Namespace::Answer, admin)
            }
            got => return Err(DecodeError::Unknown { what: "sign-in message", got: u64::from(got) }.into()),
        };
        reader.end()?;
        signer.verify(&signed(namespace, discovery, body), &Signature(*signature))?;
        Ok(message)
    }
}

fn signed(namespace: Namespace, discovery: &Hash, body: &[u8]) -> Vec<u8> {
    let mut out = Writer::new();
    out.raw(&namespace.bytes()).raw(&discovery.0).raw(body);
    out.finish()
}

fn finish(namespace: Namespace, discovery: &Hash, mut body: Writer, signer: &Signer) -> Vec<u8> {
    let signature = signer.sign(&signed(namespace, discovery, body.as_slice()));
    body.raw(&signature.0);
    body.finish()
}

/// A message that is not to be shown to anybody.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum MessageError {
    #[error("sign-in message: {0}")]
    Layout(#[from] DecodeError),
    #[error("sign-in message: {0}")]
    Signature(#[from] BadSignature),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_round_trip_and_are_bound_to_their_space() {
        let (writer, admin) = (Signer::from_seed(&[1; 32]), Signer::from_seed(&[2; 32]));
        let (here, there) = (Hash([1; 32]), Hash([2; 32]));
        let request = Request {
            id: [4; 16],
            writer: writer.public(),
            install_id: [5; 16],
            time: 10,
            expires: 20,
            device: "Phone 📱".into(),
        };
        let answer = Answer {
            request: [4; 16],
            writer: writer.public(),
            verdict: Verdict::Denied,
            time: 11,
            admin: admin.public(),
        };
        for (bytes, expected) in [
            (
                request.sign(&here, &writer),
                SignInMessage::Request { hash: request.hash(&here), request: request.clone() },
            ),
            (answer.sign(&here, &admin), SignInMessage::Answer(answer.clone())),
        ] {
            assert_eq!(SignInMessage::decode(&here, &bytes).unwrap(), expected);
            assert!(SignInMessage::decode(&there, &bytes).is_err());
            for at in 0..bytes.len() {
                let mut bad = bytes.clone();
                bad[at] ^= 1;
                assert!(SignInMessage::decode(&here, &bad).is_err(), "byte {at}");
            }
        }
        assert!(SignInMessage::decode(&here, &request.sign(&here, &admin)).is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_never_panic(bytes: Vec<u8>) {
            let _ = SignInMessage::decode(&Hash([0; 32]), &bytes);
        }
    }
}
