//! Decoders of all that is stored, sent or typed in. What one takes it writes again, byte for byte: there is one form.

use super::Target;
use crate::{
    codec::{DecodeError, Reader, Writer, decode_value, encode_value},
    crypto::{Host, Link, Passphrase, Signer},
    feed::{EquivocationProof, Proof, SignedHead},
    mesh::HubUrl,
    node::WellKnown,
    space::{
        AccessOp, Destination, Entry, InviteLink, JoinRequest, Manifest, RootRecord, decode_ops, encode_ops,
        parse_code,
    },
    storage::{Files, PageKey, Snapshot},
    sync::{Envelope, Message, Relay},
    value::SignedValue,
};

pub(super) const TARGETS: &[Target] = &[
    ("value", |bytes| same(bytes, decode_value(bytes).ok(), |value| encode_value(value).unwrap())),
    ("entry", |bytes| same(bytes, Entry::decode(bytes).ok(), Entry::encode)),
    ("operations", |bytes| {
        let read = whole(bytes, decode_ops);
        same(bytes, read, |ops| written(|out| encode_ops(ops, out)))
    }),
    ("access operation", |bytes| {
        let read = whole(bytes, AccessOp::decode);
        same(bytes, read, |op| written(|out| op.encode(out)))
    }),
    // Its signature is checked last.
    ("root record", |bytes| RootRecord::decode(&Signer::from_seed(&[50; 32]).public(), bytes).is_ok()),
    ("manifest", |bytes| {
        let value = SignedValue::decode(bytes);
        let bytes = value.as_ref().map_or(bytes, SignedValue::value);
        same(bytes, Manifest::decode(bytes).ok(), Manifest::encode)
    }),
    ("join request", |bytes| JoinRequest::decode(bytes).is_ok()),
    ("signed value", |bytes| {
        let read = SignedValue::decode(bytes).ok();
        if let Some(value) = &read {
            let _ = value.verify();
        }
        same(bytes, read, SignedValue::encode)
    }),
    ("head", |bytes| same(bytes, SignedHead::decode(bytes).ok(), SignedHead::encode)),
    ("proof", |bytes| same(bytes, Proof::decode(bytes).ok(), Proof::encode)),
    ("equivocation", |bytes| {
        let read = EquivocationProof::decode(bytes).ok();
        if let Some(proof) = &read {
            let _ = proof.verify();
        }
        same(bytes, read, EquivocationProof::encode)
    }),
    ("message", |bytes| {
        same(bytes, Message::decode(bytes).ok(), |(channel, message)| message.encode(*channel))
    }),
    ("envelope", |bytes| same(bytes, Envelope::decode(bytes).ok(), Envelope::encode)),
    ("relay", |bytes| Relay::import(bytes, 0).is_ok()),
    ("storage", |bytes| {
        let key = PageKey { file: "x".into(), page: u64::from(bytes.first().copied().unwrap_or(0)) };
        {
            let journal = vec![(1, bytes.to_vec())];
            Files::load(Snapshot { pages: vec![(key, bytes.to_vec())], journal, ..Snapshot::default() })
        }
        .is_ok()
    }),
    ("texts", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        HubUrl::parse(&text).is_ok()
            | Host::parse(&text).is_ok()
            | Link::parse(&text).is_ok()
            | InviteLink::parse(&text).is_ok()
            | WellKnown::parse(&text).is_ok()
    }),
];

/// Those that search the word list for what was meant.
pub(super) const SLOW: &[Target] = &[("words", |bytes| {
    let text = String::from_utf8_lossy(bytes);
    parse_code(&text).is_ok() | Passphrase::parse(&text).is_ok() | Destination::parse(&text).is_ok()
})];

/// Reads all of the bytes.
fn whole<T>(bytes: &[u8], read: impl Fn(&mut Reader<'_>) -> Result<T, DecodeError>) -> Option<T> {
    let mut reader = Reader::new(bytes);
    let found = read(&mut reader).ok()?;
    reader.end().ok().map(|()| found)
}

fn written(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut out = Writer::new();
    write(&mut out);
    out.finish()
}

/// Whether it was taken; then it is written as it was.
fn same<T>(bytes: &[u8], read: Option<T>, write: impl Fn(&T) -> Vec<u8>) -> bool {
    if let Some(read) = &read {
        assert_eq!(write(read), bytes, "two forms of the same");
    }
    read.is_some()
}
