//! What the person wrote while waiting to be let in.
//!
//! Kept in the file `node/drafts`, sealed under a local key that `lock` drops: nonce 24 ‖ ciphertext of
//! `varint count`, each `varint id ‖ varint time ‖ varint length ‖ public operations ‖ varint length ‖ private ones`.

use zeroize::Zeroizing;

use crate::{
    codec::{DecodeError, Reader, Writer},
    crypto::{Entropy, NONCE_LENGTH, OpenError, open, seal},
    space::{Op, decode_ops, encode_ops},
};

/// One write that waits.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Draft {
    /// Order of writing.
    pub(crate) id: u64,
    /// ms since 1970.
    pub(crate) time: u64,
    /// What anyone may read.
    pub(crate) public: Vec<Op>,
    /// What only writers may read.
    pub(crate) private: Vec<Op>,
}

/// Seals the list.
pub(crate) fn seal_drafts(drafts: &[Draft], key: &[u8; 32], entropy: &mut dyn Entropy) -> Vec<u8> {
    let mut out = Writer::versioned();
    out.count(drafts.len());
    for draft in drafts {
        out.varint(draft.id).varint(draft.time);
        for ops in [&draft.public, &draft.private] {
            let mut list = Writer::new();
            encode_ops(ops, &mut list);
            out.bytes(list.as_slice());
        }
    }
    let nonce = entropy.array24();
    let mut sealed = nonce.to_vec();
    sealed.extend(seal(key, &nonce, AD, &Zeroizing::new(out.finish())));
    sealed
}

/// Opens the list.
pub(crate) fn open_drafts(sealed: &[u8], key: &[u8; 32]) -> Result<Vec<Draft>, DraftError> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LENGTH>().ok_or(OpenError)?;
    let plain = open(key, nonce, AD, sealed)?;
    let mut reader = Reader::versioned(&plain)?;
    let mut drafts = Vec::new();
    for _ in 0..reader.count("drafts", MAX_DRAFTS)? {
        let (id, time) = (reader.varint()?, reader.varint()?);
        let mut ops = || decode_ops(&mut Reader::new(reader.bytes("draft", crate::space::MAX_ENTRY)?));
        let (public, private) = (ops()?, ops()?);
        drafts.push(Draft { id, time, public, private });
    }
    reader.end()?;
    Ok(drafts)
}

/// Drafts that cannot be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum DraftError {
    #[error("drafts: {0}")]
    Open(#[from] OpenError),
    #[error("drafts: {0}")]
    Layout(#[from] DecodeError),
}

const AD: &[u8] = b"hypha/v1/drafts";
/// Most writes that wait.
pub(crate) const MAX_DRAFTS: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Seeded;

    #[test]
    fn drafts_open_with_their_key_only() {
        let draft = Draft { id: 1, time: 2, public: vec![Op::Delete { key: "a".into() }], private: vec![] };
        let sealed = seal_drafts(core::slice::from_ref(&draft), &[1; 32], &mut Seeded::new(1));
        assert_eq!(open_drafts(&sealed, &[1; 32]).unwrap(), [draft]);
        assert!(open_drafts(&sealed, &[2; 32]).is_err());
        assert!(open_drafts(&[], &[1; 32]).is_err());
    }
}
