//! What this browser remembers about itself, in the file `node/account`.
//!
//! ```text
//! version u8 │ flags u8 (1: pinned key, 2: another key was seen, 4: look-up, 8: device)
//! pinned 32 │ other 32 │ look-up: varint asked at │ varint ttl ms
//! device: install id 16 │ writer 32 │ varint length │ name │ stage u8 │ remember u8
//!         │ request: id 16 │ varint time │ varint expiry, 0 for a passphrase that was changed meanwhile
//! varint blocked │ each: writer 32
//! ```
//! No secret is in it.

use crate::{
    codec::{DecodeError, Reader, Writer},
    crypto::PublicKey,
};

/// The account file.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Account {
    /// The space of this domain, first seen.
    pub(crate) pinned: Option<PublicKey>,
    /// Another key that the host named later; the person must decide.
    pub(crate) other: Option<PublicKey>,
    /// When the host was asked last and for how long its answer holds, in ms.
    pub(crate) asked: Option<(u64, u64)>,
    /// This browser as a device.
    pub(crate) device: Option<Device>,
    /// Writer keys whose requests are not shown.
    pub(crate) blocked: Vec<PublicKey>,
}

/// This browser as a device of the person.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Device {
    pub(crate) install_id: [u8; 16],
    pub(crate) writer: PublicKey,
    pub(crate) name: String,
    pub(crate) stage: Stage,
    pub(crate) remember: bool,
    /// The request that is or was out: id, time, expiry; no expiry if the passphrase behind it was changed.
    pub(crate) request: ([u8; 16], u64, u64),
}

impl Device {
    /// Whether it asked with a passphrase that was changed meanwhile, so that nobody hears it.
    pub(crate) fn is_outdated(&self) -> bool {
        self.stage == Stage::Requesting && self.request.2 == 0
    }

    /// Whether it was let in.
    pub(crate) fn is_granted(&self) -> bool {
        matches!(self.stage, Stage::Granted | Stage::Locked)
    }
}

/// How far the device has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stage {
    /// Asks to be let in.
    Requesting,
    /// Was granted.
    Granted,
    /// Was granted, and locked by hand: keys that a browser still remembers are not used.
    Locked,
    /// Was removed.
    Revoked,
}

impl Account {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned();
        let flags =
            [self.pinned.is_some(), self.other.is_some(), self.asked.is_some(), self.device.is_some()];
        out.u8(flags.iter().rev().fold(0, |bits, flag| bits << 1 | u8::from(*flag)));
        for key in [self.pinned, self.other].into_iter().flatten() {
            out.raw(&key.0);
        }
        if let Some((at, ttl)) = self.asked {
            out.varint(at).varint(ttl);
        }
        if let Some(device) = &self.device {
            let stage = match device.stage {
                Stage::Requesting => 1,
                Stage::Granted => 2,
                Stage::Revoked => 3,
                Stage::Locked => 4,
            };
            let (id, time, expires) = device.request;
            out.raw(&device.install_id)
                .raw(&device.writer.0)
                .text(&device.name)
                .u8(stage)
                .u8(u8::from(device.remember));
            out.raw(&id).varint(time).varint(expires);
        }
        out.count(self.blocked.len());
        for key in &self.blocked {
            out.raw(&key.0);
        }
        out.finish()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::versioned(bytes)?;
        let flags = reader.u8()?;
        let mut account = Self::default();
        if flags & 1 != 0 {
            account.pinned = Some(PublicKey(reader.array()?));
        }
        if flags & 2 != 0 {
            account.other = Some(PublicKey(reader.array()?));
        }
        if flags & 4 != 0 {
            account.asked = Some((reader.varint()?, reader.varint()?));
        }
        if flags & 8 != 0 {
            account.device = Some(Device {
                install_id: reader.array()?,
                writer: PublicKey(reader.array()?),
                name: reader.text("device name", crate::node::accounts::device_name::MAX_BYTES)?.to_owned(),
                stage: match reader.u8()? {
                    1 => Stage::Requesting,
                    2 => Stage::Granted,
                    3 => Stage::Revoked,
                    4 => Stage::Locked,
                    got => return Err(DecodeError::Unknown { what: "stage", got: u64::from(got) }),
                },
                remember: reader.u8()? == 1,
                request: (reader.array()?, reader.varint()?, reader.varint()?),
            });
        }
        for _ in 0..reader.count("blocked keys", MAX_BLOCKED)? {
            account.blocked.push(PublicKey(reader.array()?));
        }
        reader.end()?;
        Ok(account)
    }

    /// Silences a key; the oldest falls out when there are too many.
    pub(crate) fn block(&mut self, writer: PublicKey) {
        if !self.blocked.contains(&writer) {
            if self.blocked.len() >= MAX_BLOCKED {
                self.blocked.remove(0);
            }
            self.blocked.push(writer);
        }
    }
}

/// Most silenced keys.
const MAX_BLOCKED: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_round_trip() {
        let device = Device {
            install_id: [1; 16],
            writer: PublicKey([2; 32]),
            name: "Phone".into(),
            stage: Stage::Granted,
            remember: true,
            request: ([3; 16], 4, 5),
        };
        let full = Account {
            pinned: Some(PublicKey([6; 32])),
            other: Some(PublicKey([7; 32])),
            asked: Some((8, 9)),
            device: Some(device),
            blocked: vec![PublicKey([10; 32])],
        };
        for account in [Account::default(), full.clone(), Account { other: None, ..full }] {
            assert_eq!(Account::decode(&account.encode()), Ok(account));
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_never_panic(bytes: Vec<u8>) {
            let _ = Account::decode(&bytes);
        }
    }
}
