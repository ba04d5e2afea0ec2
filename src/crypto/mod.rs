//! Keys, signatures, hashes and sealing: the ground floor.
//!
//! Everything here can be recomputed with libsodium (`src/protocol.md` names the calls).
//! Nothing draws randomness by itself: an [`Entropy`] is handed in. Secret types zeroize on drop and have no
//! `Debug`.

mod account;
mod entropy;
mod hash;
mod host;
mod id;
mod kdf;
mod namespace;
mod packed_words;
mod passphrase;
mod seal;
mod sign;
mod wordlist;

pub use account::{InstallSecret, MessageKey, Purpose, RootSecret, WriterBase};
pub use entropy::Entropy;
pub use hash::{Hash, Hasher, blake2b, blake2b_128, hash_to, keyed, keyed_parts};
pub use host::{Host, HostError};
pub use id::{HEX_KEY_LENGTH, HexError, Link, LinkError, hex, parse_hex, parse_hex32};
pub use kdf::{KdfError, WORDS_PER_REQUEST, request_words, subkey};
pub use namespace::Namespace;
pub(crate) use passphrase::list_words;
pub use passphrase::{Passphrase, PassphraseError};
pub use seal::{
    NONCE_LENGTH, OpenError, SEALED_KEY_LENGTH, SealedKey, SecretKey32, TAG_LENGTH, open, open_sealed, seal,
    seal_to,
};
pub use sign::{BadSignature, PublicKey, Signature, Signer};
#[cfg(test)]
pub(crate) use wordlist::list as word_list;
pub use wordlist::{LIST_LENGTH, index_of, nearest, word};
