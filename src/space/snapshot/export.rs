//! Making a snapshot: segments one by one, then the rest.

use super::{FeedMap, LEAF, SnapshotHead, map::Map, map::lay_out};
use crate::{
    codec::{DecodeError, Reader, Writer},
    crypto::{Hash, PublicKey, blake2b},
    feed::{Feed, FeedError, GROUP, SignedHead},
    space::{Entry, Space, SpaceError},
    storage::Files,
};

/// What is exported: settled at the beginning, so that what is written meanwhile does not matter.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SnapshotPlan {
    /// Feeds with their heads, ascending.
    feeds: Vec<(PublicKey, SignedHead)>,
    /// Feed by its place, first block and the one after the last.
    segments: Vec<(usize, u64, u64)>,
}

impl SnapshotPlan {
    /// How many segments it has.
    pub const fn segments(&self) -> usize {
        self.segments.len()
    }

    /// For whoever goes on later: varint feeds, each key and head; varint segments, each three varints.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::versioned();
        out.count(self.feeds.len());
        for (feed, head) in &self.feeds {
            head.write(out.raw(&feed.0));
        }
        out.count(self.segments.len());
        for (feed, start, end) in &self.segments {
            out.count(*feed).varint(*start).varint(*end);
        }
        out.finish()
    }

    /// Reads it.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::versioned(bytes)?;
        let mut plan = Self::default();
        for _ in 0..reader.count("feeds", super::MAX_FEEDS)? {
            plan.feeds.push((PublicKey(reader.array()?), SignedHead::read(&mut reader)?));
        }
        for _ in 0..reader.count("segments", 1 << 24)? {
            let feed = reader.count("feed", super::MAX_FEEDS)?;
            plan.segments.push((feed, reader.varint()?, reader.varint()?));
        }
        reader.end()?;
        Ok(plan)
    }
}

impl Space {
    /// Settles what a snapshot has: every feed that is here whole. This device has to be a writer, to sign it.
    pub fn plan_snapshot(&self, files: &Files) -> Result<SnapshotPlan, SpaceError> {
        self.snapshot_signer()?;
        let mut plan = SnapshotPlan::default();
        for feed in self.feeds() {
            let Some(head) = feed.head().filter(|head| head.length > 0 && head.length == feed.contiguous())
            else {
                continue;
            };
            let place = plan.feeds.len();
            let (mut start, mut bytes) = (0, 0_u64);
            for (group, (_, size)) in (1..).zip(feed.groups(files, head.length)?) {
                let end = head.length.min(group * GROUP);
                bytes = bytes.saturating_add(size);
                if bytes >= SEGMENT_BYTES || end - start >= SEGMENT_BLOCKS || end == head.length {
                    plan.segments.push((place, start, end));
                    (start, bytes) = (end, 0);
                }
            }
            plan.feeds.push((feed.key(), *head));
        }
        Ok(plan)
    }

    /// One segment of a snapshot; named by its BLAKE2b-256.
    pub fn snapshot_segment(
        &self,
        files: &Files,
        plan: &SnapshotPlan,
        number: usize,
    ) -> Result<Vec<u8>, SpaceError> {
        let (feed, start, end) =
            *plan.segments.get(number).ok_or(FeedError::OutOfRange { length: 0, got: 0 })?;
        let feed = self.planned(plan, feed)?;
        let mut out = Writer::new();
        for (hash, size) in feed.leaves(files, start..end)? {
            out.raw(&hash.0).u32(size);
        }
        for block in feed.blocks(files, start..end) {
            let (_, bytes) = block?;
            if out.len().saturating_add(bytes.len()) > MAX_SEGMENT {
                let got = out.len().saturating_add(bytes.len());
                return Err(SpaceError::TooLarge {
                    what: "256 entries in a snapshot",
                    max: MAX_SEGMENT,
                    got,
                });
            }
            out.raw(&bytes);
        }
        Ok(out.finish())
    }

    /// All else: runs of the index, the map, the signed head, in this order. `names` of the segments in theirs.
    pub fn finish_snapshot(
        &self,
        files: &Files,
        now: u64,
        plan: &SnapshotPlan,
        names: &[Hash],
    ) -> Result<Vec<Vec<u8>>, SpaceError> {
        let signer = self.snapshot_signer()?;
        let mut feeds = Vec::new();
        for (place, (_, head)) in plan.feeds.iter().enumerate() {
            let feed = self.planned(plan, place)?;
            let segments = plan.segments.iter().zip(names).filter(|((feed, ..), _)| *feed == place);
            let segments = segments.map(|((_, start, end), name)| (*name, (end - start).div_ceil(GROUP)));
            let mut access = Vec::new();
            for block in feed.blocks(files, 0..head.length) {
                let (index, bytes) = block?;
                if Entry::decode(&bytes).is_ok_and(|entry| !entry.access.is_empty()) {
                    access.push(index);
                }
            }
            feeds.push(FeedMap {
                segments: segments.collect(),
                groups: feed.groups(files, head.length)?,
                access,
            });
        }
        let place = |(writer, index): (PublicKey, u64)| {
            let at = plan.feeds.binary_search_by(|(feed, _)| feed.cmp(&writer)).ok()?;
            plan.feeds.get(at).filter(|(_, head)| index < head.length).map(|_| (at, index))
        };
        // What stood when it was planned: what was written over since is still in the segments.
        let lengths = plan.feeds.iter().map(|(feed, head)| (*feed, head.length)).collect();
        let records = self.public_keys(files, &lengths)?.into_iter().filter_map(|(key, places)| {
            let places: Vec<(usize, u64)> = places.into_iter().filter_map(place).collect();
            (!places.is_empty()).then_some((key, places))
        });
        let (mut out, pages) = lay_out(records);
        let map = Map { feeds, pages }.encode();
        let head = SnapshotHead {
            space: self.key(),
            time: now,
            map: (blake2b(&[&map]), u64::try_from(map.len()).unwrap_or(u64::MAX)),
            records: self.records().map(<[u8]>::to_vec).collect(),
            manifest: self.manifest_bytes().unwrap_or_default(),
            evidence: self.equivocations().collect(),
            feeds: plan.feeds.clone(),
            signer: signer.public(),
        };
        out.push(map);
        out.push(head.sign(signer));
        Ok(out)
    }

    fn planned(&self, plan: &SnapshotPlan, place: usize) -> Result<&Feed, SpaceError> {
        let missing = FeedError::NotHeld { what: "feed", index: 0 };
        let (key, _) = plan.feeds.get(place).ok_or_else(|| missing.clone())?;
        self.feed(key).ok_or_else(|| missing.into())
    }
}

/// Blocks after which a segment ends.
const SEGMENT_BLOCKS: u64 = 4096;
/// Bytes after which it does, at the end of a group.
const SEGMENT_BYTES: u64 = 4 << 20;
/// Largest one: it is made in memory.
const MAX_SEGMENT: usize = 256 << 20;
/// A leaf takes as many bytes as the reader thinks.
const _: () = assert!(LEAF == 32 + 4);
