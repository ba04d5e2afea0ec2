//! Pins: which replicas the admins of a space rely on.
//!
//! A pin gives no right: a replica reads what anybody reads. It says whose receipts count. Of all pins and unpins of a
//! key in counted entries of admins the last one holds.
//!
//! ```text
//! pin    replica's key 32 │ varint length │ label, UTF-8, at most 64 bytes (in clear: anybody reads it)
//! unpin  replica's key 32
//! ```

use crate::{
    codec::{Reader, Writer},
    crypto::PublicKey,
};

/// A replica that an admin relies on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pin {
    /// Its key.
    pub replica: PublicKey,
    /// What people call it; may be empty. At most [`MAX_LABEL`] bytes.
    pub label: String,
}

/// Most bytes of a replica's label.
pub const MAX_LABEL: usize = 64;

impl Pin {
    pub(super) fn encode(&self, out: &mut Writer) {
        out.raw(&self.replica.0).text(&self.label);
    }

    /// Reads a body; `None` if it is not this layout.
    pub(super) fn decode(body: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(body);
        let pin = Self {
            replica: PublicKey(reader.array().ok()?),
            label: reader.text("label", MAX_LABEL).ok()?.to_owned(),
        };
        reader.end().is_ok().then_some(pin)
    }
}
