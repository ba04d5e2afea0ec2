//! The signed value itself.

use super::{MAX_SALT, MAX_VALUE, Owner, ValueError};
use crate::{
    codec::{DecodeError, MAX_SAFE, Reader, Writer},
    crypto::{Hash, Namespace, Signature, Signer, blake2b},
};

/// A value, its place (owner and salt), its sequence, and signatures. Within its limits always, verified only by
/// [`SignedValue::verify`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SignedValue {
    owner: Owner,
    salt: Vec<u8>,
    seq: u64,
    value: Vec<u8>,
    /// Place of the key among the owner's, signature; ascending.
    signatures: Vec<(u8, Signature)>,
}

impl SignedValue {
    /// Longest encoding, bytes.
    pub const MAX_ENCODED: usize =
        2 + 2 + super::MAX_KEYS * 32 + 1 + MAX_SALT + 8 + 3 + MAX_VALUE + 1 + super::MAX_KEYS * 65;

    /// Signs a value of one key. Sequences begin at 1.
    pub fn sign(signer: &Signer, salt: &[u8], seq: u64, value: &[u8]) -> Result<Self, ValueError> {
        let mut signed = Self::unsigned(Owner::Single(signer.public()), salt, seq, value)?;
        signed.add_signature(signer)?;
        Ok(signed)
    }

    /// A value that nobody has signed yet: a group's keys add their signatures one after the other.
    pub fn unsigned(owner: Owner, salt: &[u8], seq: u64, value: &[u8]) -> Result<Self, ValueError> {
        limit("salt", MAX_SALT, salt.len())?;
        limit("value", MAX_VALUE, value.len())?;
        if seq > MAX_SAFE {
            return Err(ValueError::TooLarge { what: "sequence", max: MAX_SAFE, got: seq });
        }
        Ok(Self { owner, salt: salt.to_vec(), seq, value: value.to_vec(), signatures: Vec::new() })
    }

    /// Signs as one of the owner's keys; again changes nothing.
    pub fn add_signature(&mut self, signer: &Signer) -> Result<(), ValueError> {
        let key = signer.public();
        let place = self.owner.keys().iter().position(|owner| *owner == key);
        let place = place.and_then(|place| u8::try_from(place).ok()).ok_or(ValueError::NotOwner { key })?;
        let signature = signer.sign(&self.signed_bytes());
        self.insert(place, signature);
        Ok(())
    }

    /// Takes over the signatures of the same value that are missing here. Verifies them first, each.
    pub fn merge_signatures(&mut self, other: &Self) -> Result<(), ValueError> {
        if !self.same_place(other) || self.seq != other.seq || self.value != other.value {
            return Err(ValueError::Other { what: "value" });
        }
        other.verify_each()?;
        for (place, signature) in &other.signatures {
            self.insert(*place, *signature);
        }
        Ok(())
    }

    /// Verifies every signature, and that there are as many as needed.
    pub fn verify(&self) -> Result<(), ValueError> {
        let (expected, got) = (usize::from(self.owner.needed()), self.signatures.len());
        if got < expected {
            return Err(ValueError::Signatures { expected, got });
        }
        self.verify_each()
    }

    /// Who owns it.
    pub const fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Which of the owner's values it is; at most [`MAX_SALT`] bytes.
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// Its sequence.
    pub const fn seq(&self) -> u64 {
        self.seq
    }

    /// The value, at most [`MAX_VALUE`] bytes.
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// BLAKE2b-256 of the value: decides between two of the same sequence.
    pub fn hash(&self) -> Hash {
        blake2b(&[&self.value])
    }

    /// How many keys signed.
    pub fn signature_count(&self) -> usize {
        self.signatures.len()
    }

    /// Whether two have the same owner and salt, so that one replaces the other.
    pub fn same_place(&self, other: &Self) -> bool {
        self.owner == other.owner && self.salt == other.salt
    }

    /// Encodes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::versioned();
        writer.u8(self.owner.kind());
        self.owner.write(&mut writer);
        writer.bytes(&self.salt).varint(self.seq).bytes(&self.value);
        if let Owner::Group(_) = self.owner {
            writer.u8(u8::try_from(self.signatures.len()).unwrap_or(u8::MAX));
        }
        for (place, signature) in &self.signatures {
            if let Owner::Group(_) = self.owner {
                writer.u8(*place);
            }
            writer.raw(&signature.0);
        }
        writer.finish()
    }

    /// Decodes; does not verify.
    pub fn decode(bytes: &[u8]) -> Result<Self, ValueError> {
        let mut reader = Reader::versioned(bytes)?;
        let kind = reader.u8()?;
        let owner = Owner::read(kind, &mut reader)?;
        let salt = reader.bytes("salt", MAX_SALT)?;
        let seq = reader.varint()?;
        if seq == 0 {
            return Err(DecodeError::NotCanonical { what: "sequence 0" }.into());
        }
        let value = reader.bytes("value", MAX_VALUE)?;
        let mut signed = Self::unsigned(owner, salt, seq, value)?;
        match &signed.owner {
            Owner::Single(_) => signed.signatures.push((0, Signature(reader.array()?))),
            Owner::Group(group) => {
                let count = reader.u8()?;
                limit("signatures", group.keys().len(), usize::from(count))?;
                for _ in 0..count {
                    let place = reader.u8()?;
                    limit("place of key", group.keys().len() - 1, usize::from(place))?;
                    if signed.signatures.last().is_some_and(|(last, _)| *last >= place) {
                        return Err(DecodeError::NotCanonical { what: "signatures out of order" }.into());
                    }
                    signed.signatures.push((place, Signature(reader.array()?)));
                }
            }
        }
        reader.end()?;
        Ok(signed)
    }

    fn verify_each(&self) -> Result<(), ValueError> {
        let bytes = self.signed_bytes();
        for (place, signature) in &self.signatures {
            let key = self.owner.keys().get(usize::from(*place));
            let key = key.ok_or(ValueError::Other { what: "key" })?;
            key.verify(&bytes, signature)?;
        }
        Ok(())
    }

    fn insert(&mut self, place: u8, signature: Signature) {
        if let Err(at) = self.signatures.binary_search_by_key(&place, |(place, _)| *place) {
            self.signatures.insert(at, (place, signature));
        }
    }

    fn signed_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.raw(&Namespace::Value.bytes()).u8(self.owner.kind()).raw(&self.owner.key());
        writer.u16(u16::try_from(self.salt.len()).unwrap_or(u16::MAX)).raw(&self.salt).u64(self.seq);
        writer.u32(u32::try_from(self.value.len()).unwrap_or(u32::MAX)).raw(&self.value);
        writer.finish()
    }
}

fn limit(what: &'static str, max: usize, got: usize) -> Result<(), ValueError> {
    if got > max {
        let wide = |size| u64::try_from(size).unwrap_or(u64::MAX);
        return Err(ValueError::TooLarge { what, max: wide(max), got: wide(got) });
    }
    Ok(())
}
