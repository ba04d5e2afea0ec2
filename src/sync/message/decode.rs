//! Messages as they are read.

use core::ops::Range;

use super::{Announcement, Answers, Declined, ItemKind, Kind, Message, packed};
use crate::{
    codec::{DecodeError, Reader},
    crypto::{Hash, PublicKey, Signature},
    feed::{Branch, Proof, SignedHead},
    space::Receipt,
    sync::{
        Envelope,
        limits::{
            MAX_ANNOUNCED, MAX_BLOCK, MAX_BLOCKS, MAX_CHALLENGED, MAX_EXTENSION, MAX_EXTENSION_NAME,
            MAX_HASHES, MAX_ITEM, MAX_PEER, MAX_PEERS, MAX_RANGES, MAX_REQUEST_BLOCKS,
        },
    },
};

impl Message {
    /// Reads the channel and the kind, so that the rest can be counted, attributed or ignored before it is read.
    pub fn decode_header(reader: &mut Reader<'_>) -> Result<(u64, Kind), DecodeError> {
        let channel = reader.varint()?;
        let byte = reader.u8()?;
        let kind =
            Kind::from_byte(byte).ok_or(DecodeError::Unknown { what: "message", got: u64::from(byte) })?;
        Ok((channel, kind))
    }

    /// Reads the body of a message of this kind, to the end.
    pub fn decode_body(kind: Kind, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let message = match kind {
            Kind::Open => Self::Open {
                number: id(reader)?,
                answers: reader.varint()?,
                discovery: Hash(reader.array()?),
                tag: Hash(reader.array()?),
            },
            Kind::Refuse => Self::Refuse { discovery: Hash(reader.array()?) },
            Kind::CloseChannel => Self::CloseChannel,
            Kind::Prove => {
                Self::Prove { key: PublicKey(reader.array()?), signature: Signature(reader.array()?) }
            }
            Kind::Announce => Self::Announce {
                more: flag(reader)?,
                feeds: list(reader, "announcements", MAX_ANNOUNCED, |reader| {
                    Ok(Announcement {
                        feed: PublicKey(reader.array()?),
                        contiguous: reader.varint()?,
                        head: SignedHead::read(reader)?,
                    })
                })?,
            },
            Kind::Have => Self::Have { feed: PublicKey(reader.array()?), ranges: ranges(reader)? },
            Kind::Request => {
                let (id, feed) = (id(reader)?, PublicKey(reader.array()?));
                let (start, end, from) = (reader.varint()?, reader.varint()?, reader.varint()?);
                let length = end.checked_sub(start).filter(|length| *length > 0);
                let length = length.ok_or(DecodeError::NotCanonical { what: "empty range" })?;
                if length > MAX_REQUEST_BLOCKS {
                    return Err(DecodeError::TooLarge {
                        what: "blocks in a request",
                        max: MAX_REQUEST_BLOCKS,
                        got: length,
                    });
                }
                Self::Request { id, feed, blocks: start..end, from }
            }
            Kind::Data | Kind::Packed => Self::Data {
                answers: match reader.varint()? {
                    0 => Answers::Tail(PublicKey(reader.array()?)),
                    id => Answers::Request(id),
                },
                proof: Proof::decode(reader.bytes("proof", Proof::MAX_ENCODED)?)?,
                blocks: match kind {
                    Kind::Packed => packed::read(reader)?,
                    _ => list(reader, "blocks", MAX_BLOCKS, |reader| {
                        Ok(reader.bytes("block", MAX_BLOCK)?.to_vec())
                    })?,
                },
            },
            Kind::Cancel => Self::Cancel { id: id(reader)? },
            Kind::Lack => Self::Lack { id: id(reader)? },
            Kind::Items => items(reader)?,
            Kind::Item => Self::Item {
                kind: ItemKind::decode(reader)?,
                bytes: reader.bytes("item", MAX_ITEM)?.to_vec(),
            },
            Kind::Envelope => Self::Envelope(Envelope::read(reader)?),
            Kind::Peers => Self::Peers(list(reader, "peers", MAX_PEERS, |reader| {
                Ok(reader.bytes("peer", MAX_PEER)?.to_vec())
            })?),
            Kind::Extension => Self::Extension {
                name: reader.text("extension name", MAX_EXTENSION_NAME)?.to_owned(),
                bytes: reader.bytes("extension", MAX_EXTENSION)?.to_vec(),
            },
            Kind::AskHead => {
                let (id, feed) = (id(reader)?, PublicKey(reader.array()?));
                let (from, to) = (reader.varint()?, reader.varint()?);
                if from >= to {
                    return Err(DecodeError::NotCanonical { what: "head not beyond what is verified" });
                }
                Self::AskHead { id, feed, from, to }
            }
            Kind::AskBranch => {
                Self::AskBranch { id: id(reader)?, feed: PublicKey(reader.array()?), index: reader.varint()? }
            }
            Kind::Branch => {
                Self::Branch { id: id(reader)?, bytes: reader.bytes("branch", Branch::MAX_ENCODED)?.to_vec() }
            }
            Kind::AskSide => {
                let (id, feed, index) = (id(reader)?, PublicKey(reader.array()?), reader.varint()?);
                let (leaf, start, from) = (Hash(reader.array()?), reader.varint()?, reader.varint()?);
                if from > 0 && from < start {
                    return Err(DecodeError::NotCanonical { what: "blocks past what is verified" });
                }
                Self::AskSide { id, feed, index, leaf, start, from }
            }
            Kind::AskReceipt => Self::AskReceipt {
                feed: PublicKey(reader.array()?),
                length: reader.varint()?,
                tree_hash: Hash(reader.array()?),
            },
            Kind::Receipt => Self::Receipt(Receipt::read(reader)?),
            Kind::Challenge => {
                let (id, feed, nonce) = (id(reader)?, PublicKey(reader.array()?), reader.array()?);
                let blocks = list(reader, "challenged blocks", MAX_CHALLENGED, |reader| reader.varint())?;
                if blocks.is_empty() {
                    return Err(DecodeError::NotCanonical { what: "challenge about nothing" });
                }
                Self::Challenge { id, feed, nonce, blocks }
            }
            Kind::Answer => Self::Answer { id: id(reader)?, hash: Hash(reader.array()?) },
            Kind::Decline => {
                let feed = PublicKey(reader.array()?);
                let why = if flag(reader)? { Declined::NotHeld } else { Declined::Full };
                Self::Decline { feed, why }
            }
            Kind::Beacon => Self::Beacon(Hash(reader.array()?)),
            Kind::Relist => Self::Relist,
        };
        reader.end()?;
        Ok(message)
    }

    /// Reads a whole message.
    pub fn decode(bytes: &[u8]) -> Result<(u64, Self), DecodeError> {
        let mut reader = Reader::new(bytes);
        let (channel, kind) = Self::decode_header(&mut reader)?;
        Ok((channel, Self::decode_body(kind, &mut reader)?))
    }
}

/// A number that is not zero.
fn id(reader: &mut Reader<'_>) -> Result<u64, DecodeError> {
    match reader.varint()? {
        0 => Err(DecodeError::NotCanonical { what: "number zero" }),
        id => Ok(id),
    }
}

/// Yes or no.
fn flag(reader: &mut Reader<'_>) -> Result<bool, DecodeError> {
    match reader.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(DecodeError::NotCanonical { what: "flag" }),
    }
}

/// A counted list. Every element is at least one byte, so the count never allocates more than came.
fn list<'a, T>(
    reader: &mut Reader<'a>,
    what: &'static str,
    max: usize,
    mut element: impl FnMut(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let count = reader.count(what, max)?;
    let mut out = Vec::with_capacity(count.min(reader.remaining()));
    for _ in 0..count {
        out.push(element(reader)?);
    }
    Ok(out)
}

fn ranges(reader: &mut Reader<'_>) -> Result<Vec<Range<u64>>, DecodeError> {
    let mut free = 0_u64;
    list(reader, "ranges", MAX_RANGES, |reader| {
        let (start, length) = (reader.varint()?, reader.varint()?);
        // Both are below 2^53, so the sum fits.
        let end = start.saturating_add(length);
        if length == 0 || start < free {
            return Err(DecodeError::NotCanonical { what: "ranges empty, touching or not ascending" });
        }
        free = end.saturating_add(1);
        Ok(start..end)
    })
}

fn items(reader: &mut Reader<'_>) -> Result<Message, DecodeError> {
    let kind = ItemKind::decode(reader)?;
    let more = flag(reader)?;
    let mut last: Option<Hash> = None;
    let hashes = list(reader, "hashes", MAX_HASHES, |reader| {
        let hash = Hash(reader.array()?);
        if last.is_some_and(|last| last >= hash) {
            return Err(DecodeError::NotCanonical { what: "hashes not ascending" });
        }
        last = Some(hash);
        Ok(hash)
    })?;
    Ok(Message::Items { kind, more, hashes })
}
