//! A whole node as one file: all that it has of every space, as it would give it to a peer, and no secret of its own.
//!
//! ```text
//! file   "hypha export" │ 01 │ parts
//! part   u32 size of the body (≤ 2 MiB) │ H128(body) 16 │ body
//! body   01 │ space 32 │ flag u8, 1: the domain's                             before all else of that space
//!        02 │ space 32 │ kind u8 (0 record, 1 manifest, 2 equivocation) │ item
//!        03 │ space 32 │ feed 32 │ bytes: proof │ varint blocks, each: bytes   a proof with its head, from 0
//!        05 │ space 32 │ feed 32 │ u64 index │ leaf 32 │ bytes: proof │ varint blocks, each: bytes   of another branch
//!        04 │ u64 parts before this one: the last part
//! ```
//! A sync file is the same of one space, begins with "hypha synced", has 06 │ space 32 in the place of part 01, and of each
//! feed only what the other lacks, where its clock is known. It is taken in where that space is read, and nowhere else.
//!
//! Each part stands alone: where one is damaged, the others are of use. Whoever takes one in verifies it as if a stranger
//! had sent it, so the file itself need not be trusted, and parts may come in any order, those twice that came too early.
//! The file is made and read piece by piece, so that neither needs memory for all of it.

use crate::node::{ErrorCode, Event, Node, NodeError, Reply, links::replica::SpaceReplica};
use crate::{
    codec::{DecodeError, Reader, Writer},
    crypto::{Hash, PublicKey, blake2b_128},
    feed::{Feed, Proof, ProofRequest},
    space::Clock,
    storage::Files,
    sync::{ItemKind, Replica, ReplicaError, prove_from},
};

/// Where an export stands: what comes next. Spaces and records may come and go between two pieces.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ExportCursor {
    /// The space that it is at, if one was begun, and whether that is done.
    space: Option<(PublicKey, bool)>,
    /// Of it, root records that are done, and other items.
    items: (usize, usize),
    /// Feeds before this one are done; of it, 0 or one more than its other branches that are done; and blocks of that
    /// before this one.
    at: Option<(PublicKey, usize, u64)>,
    /// Parts so far.
    parts: u64,
}

impl ExportCursor {
    /// For whoever asks for the next piece later: varint parts; if a space was begun its key 32, u8 whether it is done,
    /// varints records and other items; and if a feed was begun its key 32 and varints branch and block.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        out.varint(self.parts);
        if let Some((space, done)) = &self.space {
            out.raw(&space.0).u8(u8::from(*done)).count(self.items.0).count(self.items.1);
        }
        if let Some((feed, branch, block)) = &self.at {
            out.raw(&feed.0).count(*branch).varint(*block);
        }
        out.finish()
    }

    /// Reads it.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let mut cursor = Self { parts: reader.varint()?, ..Self::default() };
        if reader.remaining() > 0 {
            cursor.space = Some((PublicKey(reader.array()?), reader.u8()? != 0));
            cursor.items = (reader.count("records", MAX_PLACE)?, reader.count("items", MAX_PLACE)?);
        }
        if reader.remaining() > 0 {
            cursor.at =
                Some((PublicKey(reader.array()?), reader.count("branches", MAX_PLACE)?, reader.varint()?));
        }
        reader.end()?;
        Ok(cursor)
    }

    /// On to a space, or past one.
    fn go(&mut self, space: PublicKey, done: bool) {
        *self = Self { space: Some((space, done)), parts: self.parts, ..Self::default() };
    }
}

/// What came of a part that was taken in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Imported {
    /// Nothing new.
    Known,
    /// New.
    New,
    /// What it rests on is not here yet: it may be taken in after others.
    Later,
}

impl Node {
    /// The next piece of the file, of about 256 KiB, and where to go on; `None` behind the last one.
    pub fn export(&self, cursor: &ExportCursor) -> (Vec<u8>, Option<ExportCursor>) {
        self.export_piece(cursor, None)
    }

    /// The same of a sync file of one space; `since`: what the other has of each feed.
    pub fn export_sync(
        &self,
        space: Option<PublicKey>,
        since: &Clock,
        cursor: &ExportCursor,
    ) -> Result<(Vec<u8>, Option<ExportCursor>), NodeError> {
        let key = self.joined(space)?.space.key();
        Ok(self.export_piece(cursor, Some((key, since))))
    }

    fn export_piece(
        &self,
        cursor: &ExportCursor,
        only: Option<(PublicKey, &Clock)>,
    ) -> (Vec<u8>, Option<ExportCursor>) {
        let mut out = Vec::new();
        let mut next = cursor.clone();
        if next.parts == 0 {
            out.extend_from_slice(if only.is_some() { SYNC_MAGIC } else { MAGIC });
            out.push(1);
        }
        while out.len() < PIECE {
            let Some(body) = self.export_part(&mut next, only) else {
                let mut end = Writer::new();
                end.u8(END).u64(next.parts);
                seal(&mut out, end.as_slice());
                return (out, None);
            };
            seal(&mut out, &body);
            next.parts += 1;
        }
        (out, Some(next))
    }

    fn export_part(&self, cursor: &mut ExportCursor, only: Option<(PublicKey, &Clock)>) -> Option<Vec<u8>> {
        loop {
            let key = match cursor.space {
                Some((key, false)) if self.spaces.get(&key).is_some() => key,
                before => {
                    let key = self.export_space(before.map(|(key, _)| key), only.map(|(key, _)| key))?;
                    cursor.go(key, false);
                    let mut body = Writer::new();
                    match only {
                        Some(_) => body.u8(SYNC).raw(&key.0),
                        None => body.u8(SPACE).raw(&key.0).u8(u8::from(self.spaces.home_key() == Some(key))),
                    };
                    return Some(body.finish());
                }
            };
            let space = &self.spaces.get(&key)?.space;
            let mut body = Writer::new();
            // Those that came meanwhile as well: what they let in is behind them.
            if let Some(record) = space.records().nth(cursor.items.0) {
                cursor.items.0 += 1;
                body.u8(ITEM).raw(&key.0).u8(0).raw(record);
                return Some(body.finish());
            }
            let manifest = space.manifest_bytes().into_iter().map(|item| (1, item));
            let evidence = space.equivocations().map(|item| (2, item));
            if let Some((kind, item)) = manifest.chain(evidence).nth(cursor.items.1) {
                cursor.items.1 += 1;
                body.u8(ITEM).raw(&key.0).u8(kind).raw(&item);
                return Some(body.finish());
            }
            let (from, branch, block) = cursor.at.unwrap_or((PublicKey([0; 32]), 0, 0));
            let Some(feed) = space.feeds().find(|feed| feed.key() >= from) else {
                cursor.go(key, true);
                continue;
            };
            let key_of = feed.key();
            let has = only.and_then(|(_, since)| since.get(&key_of).copied()).unwrap_or_default();
            let (branch, block) = if key_of == from { (branch, block) } else { (0, has) };
            let proved = match branch.checked_sub(1) {
                None => {
                    body.u8(BLOCKS).raw(&key.0).raw(&key_of.0);
                    let start = feed.next_held(block).filter(|start| *start < feed.length());
                    start.and_then(|start| {
                        let end = feed.next_missing(start).min(feed.length());
                        prove_from(feed, &self.files, start..end, 0, PIECE).ok()
                    })
                }
                Some(side) => {
                    let Some((index, leaf)) = space.sides_held(&key_of).into_iter().nth(side) else {
                        cursor.at = Some((after(key_of)?, 0, 0));
                        continue;
                    };
                    body.u8(SIDE).raw(&key.0).raw(&key_of.0).u64(index).raw(&leaf.0);
                    space.prove_side(&self.files, &key_of, (index, &leaf), block.max(index), 0, PIECE).ok()
                }
            };
            let Some((proof, blocks)) = proved else {
                // Past its end, or what is left of it cannot be read: on with the next.
                cursor.at = Some((key_of, branch.saturating_add(1), 0));
                continue;
            };
            cursor.at = Some((key_of, branch, proof.blocks_start.saturating_add(count(blocks.len()))));
            body.bytes(&proof.encode()).count(blocks.len());
            for block in &blocks {
                body.bytes(block);
            }
            return Some(body.finish());
        }
    }

    /// The space behind one, or the first: the domain's comes before the others, whoever reads the file learns at once whose
    /// it is. `only`: that one alone.
    fn export_space(&self, before: Option<PublicKey>, only: Option<PublicKey>) -> Option<PublicKey> {
        let home = self.spaces.home_key();
        let first = only.or(home);
        let Some(before) = before else { return first.or_else(|| self.spaces.keys().first().copied()) };
        if only.is_some() {
            return None;
        }
        let past = |key: &PublicKey| Some(*key) != home && (Some(before) == home || *key > before);
        self.spaces.keys().into_iter().find(past)
    }

    /// Takes in one part of a file: checksum and body. [`ErrorCode::Corrupt`] if it is damaged or proves nothing,
    /// [`ErrorCode::Pinned`] if it is of the domain's space and another one is read here.
    pub(in crate::node) fn import(&mut self, part: &[u8]) -> Result<Reply, NodeError> {
        let (sum, body) = part.split_first_chunk::<16>().ok_or_else(damaged)?;
        if blake2b_128(&[body]) != *sum {
            return Err(damaged());
        }
        let refused = |error: DecodeError| NodeError::new(ErrorCode::Corrupt, error);
        let mut reader = Reader::new(body);
        let kind = reader.u8().map_err(refused)?;
        if kind == END {
            return Ok(Reply::Imported(Imported::Known));
        }
        let key = PublicKey(reader.array().map_err(refused)?);
        if kind == SPACE {
            return self.import_space(key, reader.u8().map_err(refused)? == 1);
        }
        if kind == SYNC {
            let here = self.spaces.get(&key).is_some();
            return if here {
                Ok(Reply::Imported(Imported::Known))
            } else {
                Err(super::reading::not_here(&key))
            };
        }
        let Some(joined) = self.spaces.get_mut(&key) else { return Ok(Reply::Imported(Imported::Later)) };
        let mut replica = SpaceReplica::new(&mut joined.space, &mut self.files);
        let taken = take(&mut replica, kind, &mut reader);
        let SpaceReplica { grown, gained, .. } = replica;
        self.spread(key, &grown, gained);
        Ok(Reply::Imported(match taken {
            Ok(true) => Imported::New,
            Ok(false) => Imported::Known,
            Err(ReplicaError::NotHeld | ReplicaError::Stale | ReplicaError::Absent) => Imported::Later,
            Err(ReplicaError::Local(error)) => return Err(NodeError::new(ErrorCode::Storage, error)),
            Err(error) => return Err(NodeError::new(ErrorCode::Corrupt, error)),
        }))
    }

    fn import_space(&mut self, key: PublicKey, home: bool) -> Result<Reply, NodeError> {
        let known = self.spaces.get(&key).is_some();
        match (home, self.account.pinned) {
            (true, None) if self.beginning.is_none() => self.pin(key)?,
            (true, pinned) if pinned != Some(key) => {
                return Err(NodeError::new(
                    ErrorCode::Pinned,
                    format!(
                        "the file is of hypha://{key}, and another space is read here; import it under another database name"
                    ),
                ));
            }
            (true, _) => {}
            (false, _) => drop(self.join(key, None)?),
        }
        self.event(Event::Spaces);
        Ok(Reply::Imported(if known { Imported::Known } else { Imported::New }))
    }
}

/// Takes one item or run of blocks in; whether it is new.
fn take(replica: &mut SpaceReplica<'_>, kind: u8, reader: &mut Reader<'_>) -> Result<bool, ReplicaError> {
    let wrong = |error: DecodeError| ReplicaError::Peer(error.to_string());
    match kind {
        ITEM => {
            let kind = match reader.u8().map_err(wrong)? {
                0 => ItemKind::Record,
                1 => ItemKind::Manifest,
                2 => ItemKind::Evidence,
                // Of a newer version.
                _ => return Ok(false),
            };
            replica.accept_item(kind, reader.rest())
        }
        BLOCKS | SIDE => {
            let feed = PublicKey(reader.array().map_err(wrong)?);
            let side = match kind {
                SIDE => Some((reader.u64().map_err(wrong)?, Hash(reader.array().map_err(wrong)?))),
                _ => None,
            };
            let proof = reader.bytes("proof", Proof::MAX_ENCODED).map_err(wrong)?;
            let proof = Proof::decode(proof).map_err(wrong)?;
            let mut blocks = Vec::new();
            for _ in 0..reader.count("blocks", MAX_PART).map_err(wrong)? {
                blocks.push(reader.bytes("block", MAX_PART).map_err(wrong)?.to_vec());
            }
            reader.end().map_err(wrong)?;
            if let Some((index, leaf)) = side {
                // Without the proof that there are two nobody wants the other.
                if replica.fork_bound(&feed).is_none_or(|bound| bound == u64::MAX) || !replica.wanted(&feed) {
                    return Err(ReplicaError::NotHeld);
                }
                return replica.accept_side(&feed, index, &leaf, &proof, &blocks).map(|()| true);
            }
            let end = proof.blocks_start.saturating_add(count(blocks.len()));
            if replica.wanted(&feed) && replica.missing(&feed, proof.blocks_start..end).is_none() {
                return Ok(false);
            }
            match replica.accept(&feed, &proof, &blocks) {
                Err(ReplicaError::Stale) => extend(replica, &feed, &proof, &blocks),
                result => result.map(|()| true),
            }
        }
        _ => Ok(false),
    }
}

/// Takes a longer head in where a shorter one is held: the proof, from 0, is turned into one from there.
fn extend(
    replica: &mut SpaceReplica<'_>,
    key: &PublicKey,
    proof: &Proof,
    blocks: &[Vec<u8>],
) -> Result<bool, ReplicaError> {
    let (start, from) = (proof.blocks_start, replica.space.feed(key).map_or(0, Feed::length));
    let end = start.saturating_add(count(blocks.len()));
    if from < start || from >= end {
        return Err(ReplicaError::Stale);
    }
    let mut files = Files::new();
    let mut aside = Feed::open(&mut files, *key)?;
    aside.accept(&mut files, proof, blocks)?;
    let longer = aside.prove(&files, &ProofRequest { blocks: from..end, from, to: aside.length() })?;
    let behind = usize::try_from(from - start).unwrap_or(usize::MAX);
    replica.accept(key, &longer, blocks.get(behind..).unwrap_or_default())?;
    // Of the shorter one not all may be held: it can have grown while the file was made.
    if replica.missing(key, start..from).is_some() {
        replica.accept(key, proof, blocks)?;
    }
    Ok(true)
}

fn seal(out: &mut Vec<u8>, body: &[u8]) {
    let mut part = Writer::new();
    part.u32(u32::try_from(body.len()).unwrap_or(u32::MAX)).raw(&blake2b_128(&[body])).raw(body);
    out.extend(part.finish());
}

/// The next key in order.
fn after(mut key: PublicKey) -> Option<PublicKey> {
    for byte in key.0.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            return Some(key);
        }
    }
    None
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn damaged() -> NodeError {
    NodeError::new(ErrorCode::Corrupt, "a part of the file is damaged")
}

const MAGIC: &[u8; 12] = b"hypha export";
const SYNC_MAGIC: &[u8; 12] = b"hypha synced";
const SPACE: u8 = 1;
const ITEM: u8 = 2;
const BLOCKS: u8 = 3;
const END: u8 = 4;
const SIDE: u8 = 5;
const SYNC: u8 = 6;
/// No place in a file is further than this.
const MAX_PLACE: usize = 1 << 30;
/// About how many bytes a piece has; a block may be larger.
const PIECE: usize = 256 * 1024;
/// Largest body: a piece of blocks, the largest block on top, and their proof.
const MAX_PART: usize = 2 * 1024 * 1024;
