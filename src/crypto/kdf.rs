//! Slow and fast key derivation.
//!
//! Argon2id takes about a second and 64 MiB: the browser runs it in a worker.

use argon2::{Algorithm, Argon2, Params, Version};
use blake2::{
    Blake2bMac,
    digest::{Mac, consts::U32},
};
use zeroize::Zeroizing;

use super::{Namespace, wordlist};

/// Words that two screens show for a request.
pub const WORDS_PER_REQUEST: usize = 4;

/// Argon2id refused its parameters or found no memory.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("key derivation failed: it needs {mib} MiB of memory")]
pub struct KdfError {
    /// Memory it wanted, in MiB.
    pub mib: u32,
}

/// Argon2id 1.3 with one lane, 32 bytes out: libsodium's `crypto_pwhash` with these limits.
pub(super) fn argon2id(
    input: &[u8],
    salt: &[u8; 16],
    mib: u32,
    passes: u32,
) -> Result<Zeroizing<[u8; 32]>, KdfError> {
    let error = KdfError { mib };
    let params = Params::new(mib * 1024, passes, 1, Some(32)).map_err(|_| error)?;
    let mut out = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(input, salt, out.as_mut())
        .map_err(|_| error)?;
    Ok(out)
}

/// libsodium's `crypto_kdf_derive_from_key`: BLAKE2b-256 keyed with `master`, salt = `id`, personalisation = `context`.
pub fn subkey(master: &[u8; 32], id: u64, context: &[u8; 8]) -> Zeroizing<[u8; 32]> {
    let mut out = Zeroizing::new([0; 32]);
    // Salt and personalisation are within BLAKE2b's 16 bytes, so this never fails.
    if let Ok(mac) = Blake2bMac::<U32>::new_with_salt_and_personal(Some(master), &id.to_le_bytes(), context) {
        out.copy_from_slice(&mac.finalize().into_bytes());
    }
    out
}

/// The four words of a sign-in request, from its hash: Argon2id with 19 MiB and 2 passes, so that grinding a
/// request with look-alike words costs years. Each word is four bytes (little endian) of the output modulo the list's length.
pub fn request_words(request: &super::Hash) -> Result<[&'static str; WORDS_PER_REQUEST], KdfError> {
    let mut salt = [0; 16];
    salt.copy_from_slice(Namespace::Words.bytes().first_chunk::<16>().unwrap_or(&[0; 16]));
    let out = argon2id(&request.0, &salt, 19, 2)?;
    let mut words = [""; WORDS_PER_REQUEST];
    for (word, four) in words.iter_mut().zip(out.as_chunks::<4>().0) {
        // 32 bits modulo 7,776: the bias is below one in half a million.
        *word = wordlist::word(u32::from_le_bytes(*four) % wordlist::LIST_LENGTH).unwrap_or_default();
    }
    Ok(words)
}
