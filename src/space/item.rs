//! What a key holds, as it is handed out.

use super::Version;
use crate::crypto::PublicKey;

/// One value (or removal) of a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Item {
    /// The key.
    pub key: String,
    /// The value in deterministic CBOR; `None`: this is a removal.
    pub value: Option<Vec<u8>>,
    /// Other values of the key that were written without having seen this one, highest order first. Theirs are empty.
    pub conflicts: Vec<Item>,
    /// Who wrote it.
    pub writer: PublicKey,
    /// The writer's wall time, ms since 1970: for people, never for order.
    pub time: u64,
    /// Where it stands.
    pub version: Version,
    /// Whether only writers can read it.
    pub private: bool,
    /// Where it stood before it was taken away there and adopted by this writer, as the writer says.
    pub adopted: Option<Version>,
}
