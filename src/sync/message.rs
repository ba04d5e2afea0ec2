//! The messages of a session.
//!
//! ```text
//! message   channel varint │ kind u8 │ body        channel = the sender's number for it, 0 for Open and Refuse
//!  0 Open           number varint │ answers varint │ discovery key 32 │ tag 32
//!  1 Refuse         discovery key 32
//!  2 CloseChannel   —
//!  3 Prove          key 32 │ signature 64
//!  4 Announce       more u8 │ count │ (feed 32 │ contiguous varint │ signed head without version)…
//!  5 Have           feed 32 │ count │ (start varint │ length varint)…       ascending, apart, not empty
//!  6 Request        id varint │ feed 32 │ start varint │ end varint │ from varint
//!  7 Data           id varint │ feed 32 if id = 0 │ proof bytes │ count │ (block bytes)…
//!  8 Cancel         id varint
//!  9 Lack           id varint
//! 10 Items          item kind u8 │ more u8 │ count │ hash 32…               ascending
//! 11 Item           item kind u8 │ bytes
//! 12 Envelope       see ephemeral
//! 13 Peers          count │ (address bytes)…
//! 14 Extension      name text │ bytes
//! 15 AskHead        id varint │ feed 32 │ from varint │ to varint          from < to; answered by Data without blocks
//! 16 AskBranch      id varint │ feed 32 │ index varint                     answered by Branch or Lack
//! 17 Branch         id varint │ bytes                                      as `feed` encodes it
//! 18 AskSide        id varint │ feed 32 │ index varint │ leaf 32 │ start varint │ from varint
//!                                                                          from 0 or ≥ start; answered by one Data or Lack
//! 19 AskReceipt     feed 32 │ length varint │ tree hash 32
//! 20 Receipt        as `space` writes it
//! 21 Challenge      id varint │ feed 32 │ nonce 32 │ count │ index varint…      not empty
//! 22 Answer         id varint │ hash 32
//! 23 Decline        feed 32 │ why u8                                 0 full, 1 not held
//! 24 Beacon         hash 32 of all that is here
//! 25 Relist
//! 26 Packed         Data whose blocks are as in `packed`; in place of Data wherever that is shorter
//! ```
//!
//! `bytes` and `text` carry their length in front. Another kind is a fault; what may come later comes as an extension,
//! and an extension that is not known is ignored. Signed heads and proofs
//! are in the encoding of the feed layer.

mod decode;
mod kind;
mod packed;

use core::ops::Range;

pub use kind::Kind;

use super::Envelope;
use crate::{
    codec::{DecodeError, Reader, Writer},
    crypto::{Hash, PublicKey, Signature},
    feed::{Proof, SignedHead},
    space::Receipt,
};

/// Small signed things that a space holds beside its feeds. Sets of them are made equal by hash.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum ItemKind {
    /// A root record (0).
    Record,
    /// The manifest, a signed value under the last root (1).
    Manifest,
    /// Proof that a writer signed two branches (2).
    Evidence,
    /// Another signed value that this space keeps alive (3).
    Value,
}

impl ItemKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Record, Self::Manifest, Self::Evidence, Self::Value];

    pub(super) fn byte(self) -> u8 {
        match self {
            Self::Record => 0,
            Self::Manifest => 1,
            Self::Evidence => 2,
            Self::Value => 3,
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let byte = reader.u8()?;
        Self::ALL
            .get(usize::from(byte))
            .copied()
            .ok_or(DecodeError::Unknown { what: "item kind", got: u64::from(byte) })
    }
}

/// What a peer says of one feed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Announcement {
    /// The feed.
    pub feed: PublicKey,
    /// Blocks it holds from the first on without a gap.
    pub contiguous: u64,
    /// The latest signed head it knows. Not verified yet.
    pub head: SignedHead,
}

/// One message on a channel.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Message {
    /// See [`Kind::Open`].
    Open {
        /// Number under which the sender will speak on this channel, at least 1.
        number: u64,
        /// The peer's number that it answers; 0 if the sender opens by itself.
        answers: u64,
        /// Discovery key of the space.
        discovery: Hash,
        /// Tag of the sender's role.
        tag: Hash,
    },
    /// See [`Kind::Refuse`].
    Refuse {
        /// Discovery key of the space.
        discovery: Hash,
    },
    /// See [`Kind::CloseChannel`].
    CloseChannel,
    /// See [`Kind::Prove`].
    Prove {
        /// Writer or replica key.
        key: PublicKey,
        /// Over ns(Proof) ‖ handshake hash ‖ role ‖ space key.
        signature: Signature,
    },
    /// See [`Kind::Announce`].
    Announce {
        /// Whether more of a first listing follows.
        more: bool,
        /// The feeds.
        feeds: Vec<Announcement>,
    },
    /// See [`Kind::Have`].
    Have {
        /// The feed.
        feed: PublicKey,
        /// Block ranges, ascending and apart.
        ranges: Vec<Range<u64>>,
    },
    /// See [`Kind::Request`].
    Request {
        /// Number of the request, at least 1, not in use.
        id: u64,
        /// The feed.
        feed: PublicKey,
        /// Blocks, not empty.
        blocks: Range<u64>,
        /// Length up to which the sender has verified the feed.
        from: u64,
    },
    /// See [`Kind::Data`].
    Data {
        /// The request it answers, or the feed whose new tail it pushes.
        answers: Answers,
        /// Their proof. Not verified yet.
        proof: Proof,
        /// The blocks.
        blocks: Vec<Vec<u8>>,
    },
    /// See [`Kind::Cancel`].
    Cancel {
        /// The request.
        id: u64,
    },
    /// See [`Kind::Lack`].
    Lack {
        /// The request.
        id: u64,
    },
    /// See [`Kind::Items`].
    Items {
        /// Kind of the items.
        kind: ItemKind,
        /// Whether another list of this kind follows.
        more: bool,
        /// BLAKE2b-256 of each, ascending.
        hashes: Vec<Hash>,
    },
    /// See [`Kind::Item`].
    Item {
        /// Kind of the item.
        kind: ItemKind,
        /// The item.
        bytes: Vec<u8>,
    },
    /// See [`Kind::Envelope`].
    Envelope(Envelope),
    /// See [`Kind::Peers`]: addresses, in a form that the mesh knows.
    Peers(Vec<Vec<u8>>),
    /// See [`Kind::Extension`].
    Extension {
        /// Its name.
        name: String,
        /// Its message.
        bytes: Vec<u8>,
    },
    /// See [`Kind::AskHead`].
    AskHead {
        /// Number of the request, as in [`Message::Request`].
        id: u64,
        /// The feed.
        feed: PublicKey,
        /// Length that the sender has verified.
        from: u64,
        /// Length of the head, more than `from`.
        to: u64,
    },
    /// See [`Kind::AskBranch`].
    AskBranch {
        /// Number of the request, as in [`Message::Request`].
        id: u64,
        /// The feed.
        feed: PublicKey,
        /// The block.
        index: u64,
    },
    /// See [`Kind::Branch`].
    Branch {
        /// The request.
        id: u64,
        /// An encoded [`crate::feed::Branch`]. Not verified yet.
        bytes: Vec<u8>,
    },
    /// See [`Kind::Beacon`].
    Beacon(Hash),
    /// See [`Kind::Relist`].
    Relist,
    /// See [`Kind::AskSide`].
    AskSide {
        /// Number of the request, as in [`Message::Request`].
        id: u64,
        /// The feed.
        feed: PublicKey,
        /// The block that tells the branches apart.
        index: u64,
        /// Hash of its leaf on the branch that is asked for.
        leaf: Hash,
        /// First block.
        start: u64,
        /// Length up to which the sender has verified the branch.
        from: u64,
    },
    /// See [`Kind::AskReceipt`].
    AskReceipt {
        /// The feed.
        feed: PublicKey,
        /// How many of its first blocks.
        length: u64,
        /// Tree hash of the feed at that length.
        tree_hash: Hash,
    },
    /// See [`Kind::Receipt`]. Not verified yet.
    Receipt(Receipt),
    /// See [`Kind::Challenge`].
    Challenge {
        /// Number of the challenge, at least 1.
        id: u64,
        /// The feed.
        feed: PublicKey,
        /// Random bytes, never used before.
        nonce: [u8; 32],
        /// Blocks, not empty, in any order.
        blocks: Vec<u64>,
    },
    /// See [`Kind::Answer`].
    Answer {
        /// The challenge.
        id: u64,
        /// See [`crate::space::challenge_answer`].
        hash: Hash,
    },
    /// See [`Kind::Decline`].
    Decline {
        /// The feed.
        feed: PublicKey,
        /// Why.
        why: Declined,
    },
}

/// Why a peer does not promise, or does not answer for, what it holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Declined {
    /// It has no room for more (0).
    Full,
    /// It does not hold a block that it was asked about (1).
    NotHeld,
}

/// What data belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answers {
    /// A request, by its number.
    Request(u64),
    /// Nothing: the new tail of this feed, pushed.
    Tail(PublicKey),
}

impl Message {
    /// The kind of this message; data may be sent as [`Kind::Packed`] as well.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Open { .. } => Kind::Open,
            Self::Refuse { .. } => Kind::Refuse,
            Self::CloseChannel => Kind::CloseChannel,
            Self::Prove { .. } => Kind::Prove,
            Self::Announce { .. } => Kind::Announce,
            Self::Have { .. } => Kind::Have,
            Self::Request { .. } => Kind::Request,
            Self::Data { .. } => Kind::Data,
            Self::Cancel { .. } => Kind::Cancel,
            Self::Lack { .. } => Kind::Lack,
            Self::Items { .. } => Kind::Items,
            Self::Item { .. } => Kind::Item,
            Self::Envelope(_) => Kind::Envelope,
            Self::Peers(_) => Kind::Peers,
            Self::Extension { .. } => Kind::Extension,
            Self::AskHead { .. } => Kind::AskHead,
            Self::AskBranch { .. } => Kind::AskBranch,
            Self::Branch { .. } => Kind::Branch,
            Self::AskSide { .. } => Kind::AskSide,
            Self::AskReceipt { .. } => Kind::AskReceipt,
            Self::Receipt(_) => Kind::Receipt,
            Self::Challenge { .. } => Kind::Challenge,
            Self::Answer { .. } => Kind::Answer,
            Self::Decline { .. } => Kind::Decline,
            Self::Beacon(_) => Kind::Beacon,
            Self::Relist => Kind::Relist,
        }
    }

    /// Channel, kind and body.
    pub fn encode(&self, channel: u64) -> Vec<u8> {
        let mut out = Writer::new();
        let packs = matches!(self, Self::Data { blocks, .. } if packed::saves(blocks));
        out.varint(channel).u8(if packs { Kind::Packed } else { self.kind() }.byte());
        match self {
            Self::Open { number, answers, discovery, tag } => {
                out.varint(*number).varint(*answers).raw(&discovery.0).raw(&tag.0);
            }
            Self::Refuse { discovery } => {
                out.raw(&discovery.0);
            }
            Self::CloseChannel => {}
            Self::Prove { key, signature } => {
                out.raw(&key.0).raw(&signature.0);
            }
            Self::Announce { more, feeds } => {
                out.u8(u8::from(*more)).count(feeds.len());
                for one in feeds {
                    out.raw(&one.feed.0).varint(one.contiguous);
                    one.head.write(&mut out);
                }
            }
            Self::Have { feed, ranges } => {
                out.raw(&feed.0).count(ranges.len());
                for range in ranges {
                    out.varint(range.start).varint(range.end.saturating_sub(range.start));
                }
            }
            Self::Request { id, feed, blocks, from } => {
                out.varint(*id).raw(&feed.0).varint(blocks.start).varint(blocks.end).varint(*from);
            }
            Self::Data { answers, proof, blocks } => {
                match answers {
                    Answers::Request(id) => out.varint(*id),
                    Answers::Tail(feed) => out.varint(0).raw(&feed.0),
                };
                out.bytes(&proof.encode());
                if packs {
                    packed::write(blocks, &mut out);
                } else {
                    out.count(blocks.len());
                    for block in blocks {
                        out.bytes(block);
                    }
                }
            }
            Self::Cancel { id } | Self::Lack { id } => {
                out.varint(*id);
            }
            Self::Items { kind, more, hashes } => {
                out.u8(kind.byte()).u8(u8::from(*more)).count(hashes.len());
                for hash in hashes {
                    out.raw(&hash.0);
                }
            }
            Self::Item { kind, bytes } => {
                out.u8(kind.byte()).bytes(bytes);
            }
            Self::Envelope(envelope) => envelope.write(&mut out),
            Self::Peers(peers) => {
                out.count(peers.len());
                for peer in peers {
                    out.bytes(peer);
                }
            }
            Self::Extension { name, bytes } => {
                out.text(name).bytes(bytes);
            }
            Self::AskHead { id, feed, from, to } => {
                out.varint(*id).raw(&feed.0).varint(*from).varint(*to);
            }
            Self::AskBranch { id, feed, index } => {
                out.varint(*id).raw(&feed.0).varint(*index);
            }
            Self::Branch { id, bytes } => {
                out.varint(*id).bytes(bytes);
            }
            Self::AskSide { id, feed, index, leaf, start, from } => {
                out.varint(*id).raw(&feed.0).varint(*index).raw(&leaf.0).varint(*start).varint(*from);
            }
            Self::AskReceipt { feed, length, tree_hash } => {
                out.raw(&feed.0).varint(*length).raw(&tree_hash.0);
            }
            Self::Receipt(receipt) => receipt.write(&mut out),
            Self::Challenge { id, feed, nonce, blocks } => {
                out.varint(*id).raw(&feed.0).raw(nonce).count(blocks.len());
                for block in blocks {
                    out.varint(*block);
                }
            }
            Self::Answer { id, hash } => {
                out.varint(*id).raw(&hash.0);
            }
            Self::Decline { feed, why } => {
                out.raw(&feed.0).u8(u8::from(*why == Declined::NotHeld));
            }
            Self::Beacon(hash) => {
                out.raw(&hash.0);
            }
            Self::Relist => {}
        }
        out.finish()
    }
}

#[cfg(test)]
mod tests;
