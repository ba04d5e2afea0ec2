//! Invites: what lets another person into a space.
//!
//! An admin announces the public key of an Ed25519 pair in an entry and hands its seed to somebody, as a link. Whoever
//! has the seed signs its own writer key with it; an admin that takes this grants the writer and cites the invite.
//! The last announcement of a key holds, so that announcing it anew as expired takes it back.
//!
//! ```text
//! link       hypha://<space, 64 hex>/invite/<seed, 64 hex>
//! announced  invite key 32 │ role u8 (1 writer, 2 admin) │ varint uses (0: any number) │ varint expiry, ms (0: never)
//! signed     ns(hypha/v1/invite) ‖ space key 32 ‖ writer key 32 ‖ invite key 32, by the invite key
//! ```

use zeroize::Zeroizing;

use super::Role;
use crate::{
    codec::{DecodeError, Reader, Writer},
    collections::split_text,
    crypto::{
        BadSignature, Entropy, HexError, Link, LinkError, Namespace, PublicKey, Signature, Signer, hex,
        parse_hex32,
    },
};

/// What an entry announces of an invite.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Invite {
    /// Public half of its key.
    pub key: PublicKey,
    /// What those who come by it may do.
    pub role: Role,
    /// How many writers an accepting node lets in by it; 0: any number.
    pub uses: u64,
    /// From when on it lets in nobody, ms since 1970; 0: never.
    pub expires: u64,
}

/// What a grant says of the invite by which its writer came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Citation {
    /// The invite's key.
    pub invite: PublicKey,
    /// The writer key, signed by it.
    pub signature: Signature,
}

impl Invite {
    /// Expiry of an invite that was taken back: the first millisecond of 1970.
    pub const TAKEN_BACK: u64 = 1;

    pub(super) fn encode(&self, out: &mut Writer) {
        out.raw(&self.key.0).u8(self.role.number()).varint(self.uses).varint(self.expires);
    }

    /// Reads a body; `None` if it is not this layout.
    pub(super) fn decode(body: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(body);
        let invite = Self {
            key: PublicKey(reader.array().ok()?),
            role: Role::of_number(reader.u8().ok()?)?,
            uses: reader.varint().ok()?,
            expires: reader.varint().ok()?,
        };
        reader.end().is_ok().then_some(invite)
    }

    /// Whether it lets in nobody any more.
    pub const fn is_expired(&self, now: u64) -> bool {
        self.expires != 0 && self.expires <= now
    }
}

impl Citation {
    /// Checks that the invite's key signed this writer key for this space.
    pub fn verify(&self, space: &PublicKey, writer: &PublicKey) -> Result<(), BadSignature> {
        self.invite.verify(&signed_bytes(space, writer, &self.invite), &self.signature)
    }
}

fn signed_bytes(space: &PublicKey, writer: &PublicKey, invite: &PublicKey) -> Vec<u8> {
    let mut out = Writer::new();
    out.raw(&Namespace::Invite.bytes()).raw(&space.0).raw(&writer.0).raw(&invite.0);
    out.finish()
}

/// A link with which somebody may join: names the space and holds the invite's secret. Wiped on drop.
pub struct InviteLink {
    space: PublicKey,
    seed: Zeroizing<[u8; 32]>,
}

impl InviteLink {
    /// A new one for a space.
    pub fn generate(space: PublicKey, entropy: &mut dyn Entropy) -> Self {
        Self { space, seed: Zeroizing::new(entropy.array32()) }
    }

    /// Reads the text of an invite: either case, white space around it and a trailing slash do not matter.
    pub fn parse(text: &str) -> Result<Self, InviteLinkError> {
        let lower = Zeroizing::new(text.trim().to_ascii_lowercase());
        let (space, seed) = split_text(&lower, "/invite/").ok_or(InviteLinkError::Shape)?;
        let Link(space) = Link::parse(space).map_err(InviteLinkError::Space)?;
        let seed = parse_hex32(seed.strip_suffix('/').unwrap_or(seed)).map_err(InviteLinkError::Seed)?;
        Ok(Self { space, seed: Zeroizing::new(seed) })
    }

    /// **Warning**: whoever has this text may join.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{}/invite/{}", Link(self.space), *Zeroizing::new(hex(self.seed.as_slice()))))
    }

    /// The space.
    pub const fn space(&self) -> PublicKey {
        self.space
    }

    /// The invite's public key, as it is announced.
    pub fn key(&self) -> PublicKey {
        Signer::from_seed(&self.seed).public()
    }

    /// Signs the key of a writer that wants to join.
    pub fn sign(&self, writer: &PublicKey) -> Citation {
        let signer = Signer::from_seed(&self.seed);
        let invite = signer.public();
        Citation { invite, signature: signer.sign(&signed_bytes(&self.space, writer, &invite)) }
    }
}

/// Text that is no invite.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InviteLinkError {
    /// The part behind `/invite/` is no secret.
    #[error("the secret at the end of this invite is incomplete: {0}; copy the whole link")]
    Seed(HexError),
    /// There is no `/invite/` in it.
    #[error("an invite looks like hypha://<64 hexadecimal digits>/invite/<64 hexadecimal digits>")]
    Shape,
    /// The part before `/invite/` is no space.
    #[error("the space of this invite: {0}")]
    Space(LinkError),
}

/// Why nobody is let in by an invite.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InviteFault {
    /// It has expired, or was taken back.
    #[error("it has expired; ask for a new one")]
    Expired,
    /// The writer key was not signed with its secret.
    #[error("the request was not signed with it")]
    Signature,
    /// No admin has announced it, as far as is known here.
    #[error("no admin of the space has announced it, as far as is known here")]
    Unknown,
    /// It has let in as many as it may.
    #[error("it was used as often as it may be; ask for a new one")]
    Used,
}

/// A request to join that cannot be taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum JoinError {
    /// Not the layout, or a name that is none.
    #[error("request to join: {0}")]
    Layout(#[from] DecodeError),
    /// Not signed by the joining writer, or not by the invite.
    #[error("request to join: {0}")]
    Signature(#[from] BadSignature),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::Seeded;

    fn link() -> InviteLink {
        InviteLink::generate(Signer::from_seed(&[7; 32]).public(), &mut Seeded::new(1))
    }

    #[test]
    fn an_invite_is_read_back_and_errors_say_what_is_wrong() {
        let (link, text) = (link(), link().to_text());
        for form in
            [text.to_string(), text.to_uppercase(), format!(" {}/\n", *text), text.replace("hypha://", "")]
        {
            let back = InviteLink::parse(&form).ok().unwrap();
            assert_eq!((back.space(), back.key(), back.to_text()), (link.space(), link.key(), text.clone()));
        }
        let (space, seed) = text.split_once("/invite/").unwrap();
        let error = |text: &str| InviteLink::parse(text).err().unwrap();
        assert_eq!(error(space), InviteLinkError::Shape);
        assert_eq!(
            error(&format!("{space}/invite/{}", &seed[1..])),
            InviteLinkError::Seed(HexError { got: 63 })
        );
        let short = InviteLinkError::Space(LinkError::Hex(HexError { got: 3 }));
        assert_eq!(error(&format!("hypha://abc/invite/{seed}")), short);
        let none = format!("hypha://{}/invite/{seed}", "0".repeat(64));
        assert_eq!(error(&none), InviteLinkError::Space(LinkError::NotAKey));
    }

    #[test]
    fn a_citation_is_for_one_writer_in_one_space() {
        let (space, writer) = (link().space(), Signer::from_seed(&[1; 32]).public());
        let other = Signer::from_seed(&[2; 32]).public();
        let citation = link().sign(&writer);
        assert_eq!(citation.invite, link().key());
        assert!(citation.verify(&space, &writer).is_ok());
        assert!(citation.verify(&space, &other).is_err());
        assert!(citation.verify(&other, &writer).is_err());
        assert!(Citation { invite: other, ..citation }.verify(&space, &writer).is_err());
    }

    #[test]
    fn expiry_is_the_first_moment_that_is_too_late() {
        let key = link().key();
        let invite = |expires| Invite { key, role: Role::Writer, uses: 0, expires };
        assert!(!invite(0).is_expired(u64::MAX));
        assert!(!invite(5).is_expired(4));
        assert!(invite(5).is_expired(5));
        assert!(invite(Invite::TAKEN_BACK).is_expired(1));
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_an_invite(text in "(hypha://)?[0-9a-f]{60,66}(/invite/)?[0-9a-f/]{0,70}|.{0,40}") {
            if let Ok(link) = InviteLink::parse(&text) {
                prop_assert_eq!(InviteLink::parse(&link.to_text()).ok().unwrap().key(), link.key());
            }
        }
    }
}
