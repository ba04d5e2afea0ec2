//! What somebody with an invite asks: to be let into a space. Whoever accepts answers by the grant itself.
//!
//! ```text
//! version u8 │ space 32 │ writer 32 │ install id 16 │ invite key 32 │ signature by the invite 64
//! varint length │ device name (UTF-8, 1 to 256 bytes)
//! signature 64 by the writer over ns(hypha/v1/join) ‖ all before
//! ```
//! The writer signs too, so that nobody who reads the request can send it on with another name. The name is a
//! stranger's text: the rules for one's own hold for it.

use super::{Citation, DeviceGrant, InviteLink, invite::JoinError};
use crate::{
    codec::{DecodeError, Reader, Writer},
    crypto::{Namespace, PublicKey, Signature, Signer},
};

/// A request to join, whose two signatures hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct JoinRequest {
    /// Which space.
    pub space: PublicKey,
    /// The device that wants to write there.
    pub device: DeviceGrant,
    /// The invite, and what it signed.
    pub invite: Citation,
}

impl JoinRequest {
    /// Most bytes of a request.
    pub const MAX: usize = 1 + 32 + 32 + 16 + 32 + 64 + 2 + MAX_NAME + 64;

    /// Makes and signs a request. An error if the device's name is none (1 to 64 visible characters).
    pub fn sign(
        link: &InviteLink,
        writer: &Signer,
        install_id: [u8; 16],
        name: &str,
    ) -> Result<Vec<u8>, JoinError> {
        let invite = link.sign(&writer.public());
        let mut out = Writer::versioned();
        out.raw(&link.space().0).raw(&writer.public().0).raw(&install_id);
        out.raw(&invite.invite.0).raw(&invite.signature.0).text(name);
        let signature = writer.sign(&signed_bytes(out.as_slice()));
        out.raw(&signature.0);
        // Reading it checks the name.
        Self::decode(out.as_slice())?;
        Ok(out.finish())
    }

    /// Reads a request and verifies both signatures. Whether the invite was announced is the space's to say.
    pub fn decode(bytes: &[u8]) -> Result<Self, JoinError> {
        let ended = DecodeError::Ended { expected: 64, got: bytes.len() };
        let (body, signature) = bytes.split_last_chunk::<64>().ok_or(ended)?;
        let mut reader = Reader::versioned(body)?;
        let (space, writer) = (PublicKey(reader.array()?), PublicKey(reader.array()?));
        let install_id = reader.array()?;
        let invite = Citation { invite: PublicKey(reader.array()?), signature: Signature(reader.array()?) };
        let name = reader.text("device name", MAX_NAME)?;
        reader.end()?;
        if !is_name(name) {
            return Err(DecodeError::NotCanonical { what: "device name" }.into());
        }
        writer.verify(&signed_bytes(body), &Signature(*signature))?;
        invite.verify(&space, &writer)?;
        Ok(Self { space, device: DeviceGrant { writer, install_id, name: name.to_owned() }, invite })
    }
}

fn signed_bytes(body: &[u8]) -> Vec<u8> {
    [&Namespace::Join.bytes(), body].concat()
}

/// Whether a text can be shown as a device's name: 1 to 64 visible characters, none of them white space at its ends.
fn is_name(text: &str) -> bool {
    let count = text.chars().count();
    (1..=MAX_CHARACTERS).contains(&count) && text.trim() == text && !text.chars().any(is_invisible)
}

/// Control characters, and those that turn the direction of text: they could make one name look like another.
pub fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Most characters of a device name.
const MAX_CHARACTERS: usize = 64;
/// Most bytes of a device name.
const MAX_NAME: usize = 256;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::Seeded;

    fn link() -> InviteLink {
        InviteLink::generate(Signer::from_seed(&[7; 32]).public(), &mut Seeded::new(1))
    }

    fn request(name: &str) -> Result<Vec<u8>, JoinError> {
        JoinRequest::sign(&link(), &Signer::from_seed(&[3; 32]), [4; 16], name)
    }

    #[test]
    fn a_request_is_read_back_and_no_byte_can_change() {
        let bytes = request("Firefox on Ubuntu").unwrap();
        let back = JoinRequest::decode(&bytes).unwrap();
        assert_eq!((back.space, back.invite.invite), (link().space(), link().key()));
        let device = DeviceGrant {
            writer: Signer::from_seed(&[3; 32]).public(),
            install_id: [4; 16],
            name: "Firefox on Ubuntu".into(),
        };
        assert_eq!(back.device, device);
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert!(JoinRequest::decode(&bad).is_err(), "byte {at}");
        }
        assert!(JoinRequest::decode(&bytes[..bytes.len() - 1]).is_err());
        assert!(JoinRequest::decode(&[bytes.as_slice(), &[0]].concat()).is_err());
    }

    #[test]
    fn a_name_is_short_and_visible() {
        assert_eq!(request(&"📱".repeat(64)).unwrap().len(), JoinRequest::MAX);
        for name in ["", " Phone", "Phone ", "Pho\nne", "a\u{202e}b", &"x".repeat(65)] {
            let expected = JoinError::Layout(DecodeError::NotCanonical { what: "device name" });
            assert_eq!(request(name), Err(expected), "{name:?}");
        }
        assert!(request(&"x".repeat(300)).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..600), versioned: bool) {
            if let (Some(first), true) = (bytes.first_mut(), versioned) {
                *first = 1;
            }
            prop_assert!(JoinRequest::decode(&bytes).is_err());
        }
    }
}
