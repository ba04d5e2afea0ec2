//! What a checkpoint belongs to, and all of it that is not facts or places.
//!
//! ```text
//! version u8 │ layout u8
//! varint bytes of facts │ varint bytes of acts
//! varint number of the next run │ varint runs │ each, the oldest first: varint number │ varint bytes of blocks │ varint bytes
//! varint writers │ each: key 32, its number being its place here
//! varint feeds │ each: varint writer │ varint length taken in │ tree hash there 32 │ varint 0 or 1 + time of the last
//!                      entry, ms │ spans of entries in the view
//! varint epochs │ each: id 32 │ varint writers │ each: varint writer │ spans of entries in the view with a part sealed
//!                       under it
//! varint bytes of judgements │ those, or none: `space/access/shallow.rs`
//! spans      varint spans │ each: varint indexes since the last one │ varint its length
//! ```

use crate::{
    codec::{DecodeError, Reader, Writer},
    collections::Map,
    crypto::{Hash, PublicKey},
    space::{
        space::{Space, seals::SealedAt},
        view::{BaseNote, RunName},
    },
    storage::Spans,
};

/// Changes with anything that is stored here or in facts and runs.
const LAYOUT: u8 = 2;

/// A feed as far as the checkpoint goes.
pub(super) struct FeedState {
    pub(super) writer: u32,
    pub(super) given: u64,
    pub(super) tree: Hash,
    pub(super) last_time: Option<u64>,
    pub(super) shown: Spans,
}

/// The state, read.
pub(super) struct State {
    pub(super) facts: u64,
    pub(super) acts: u64,
    pub(super) judged: Vec<u8>,
    pub(super) base: BaseNote,
    pub(super) writers: Vec<PublicKey>,
    pub(super) feeds: Vec<FeedState>,
    pub(super) sealed: Map<Hash, SealedAt>,
}

impl Space {
    /// The state now; `trees`: of each feed the tree hash where it was taken in to.
    pub(super) fn encode_state(&mut self, trees: &Map<PublicKey, Hash>) -> Vec<u8> {
        // First, since it may number keys.
        let judged = self.access.summary(&mut |key| self.numbers.number(key)).unwrap_or_default();
        let mut out = Writer::versioned();
        let base = self.view.note();
        out.u8(LAYOUT).varint(self.ledger.facts_length).varint(self.ledger.acts_length);
        out.varint(base.next).count(base.runs.len());
        for run in &base.runs {
            out.varint(run.number).varint(run.blocks).varint(run.length);
        }
        let writers = self.numbers.keys();
        out.count(writers.len());
        for key in writers {
            out.raw(&key.0);
        }
        out.count(trees.iter().count());
        for (writer, tree) in trees {
            let number = self.numbers.find(writer).unwrap_or(u32::MAX);
            out.varint(u64::from(number)).varint(self.given(writer)).raw(&tree.0);
            if let Some(tail) = self.tails.get(writer) {
                out.varint(tail.last_time.map_or(0, |time| time.saturating_add(1)));
                tail.shown.encode(&mut out);
            }
        }
        let sealed = self.epochs.sealed();
        out.count(sealed.iter().count());
        for (epoch, writers) in sealed {
            out.raw(&epoch.0).count(writers.iter().count());
            for (number, spans) in writers {
                out.varint(u64::from(*number));
                spans.encode(&mut out);
            }
        }
        out.bytes(&judged);
        out.finish()
    }
}

impl State {
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::versioned(bytes)?;
        let (max, layout) = (bytes.len(), reader.u8()?);
        if layout != LAYOUT {
            return Err(DecodeError::Unknown { what: "layout of a checkpoint", got: u64::from(layout) });
        }
        let (facts, acts) = (reader.varint()?, reader.varint()?);
        let mut base = BaseNote { next: reader.varint()?, runs: Vec::new() };
        for _ in 0..reader.count("runs", max)? {
            let (number, blocks, length) = (reader.varint()?, reader.varint()?, reader.varint()?);
            base.runs.push(RunName { number, blocks, length });
        }
        let mut writers = Vec::new();
        for _ in 0..reader.count("writers", max)? {
            writers.push(PublicKey(reader.array()?));
        }
        let mut feeds = Vec::new();
        for _ in 0..reader.count("feeds", max)? {
            feeds.push(FeedState {
                writer: number(&mut reader)?,
                given: reader.varint()?,
                tree: Hash(reader.array()?),
                last_time: reader.varint()?.checked_sub(1),
                shown: Spans::decode(&mut reader)?,
            });
        }
        let mut sealed = Map::new();
        for _ in 0..reader.count("epochs", max)? {
            let (epoch, mut at) = (Hash(reader.array()?), SealedAt::new());
            for _ in 0..reader.count("writers", max)? {
                at.insert(number(&mut reader)?, Spans::decode(&mut reader)?);
            }
            sealed.insert(epoch, at);
        }
        let judged = reader.bytes("judgements", max)?.to_vec();
        reader.end()?;
        Ok(Self { facts, acts, judged, base, writers, feeds, sealed })
    }
}

pub(super) fn number(reader: &mut Reader<'_>) -> Result<u32, DecodeError> {
    let got = reader.varint()?;
    u32::try_from(got).map_err(|_| DecodeError::TooLarge { what: "writer", max: u64::from(u32::MAX), got })
}
