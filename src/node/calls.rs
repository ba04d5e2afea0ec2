//! Calls that were done, so that one which comes again is not done again.
//!
//! A tab whose call got no answer gives it, with the same id, to the tab that runs the node then. What came of a call is
//! written with all that it did, so it is stored if and only if the rest is: a repeat is answered from here. The file
//! `node/calls` is a ring of 1,024 slots of 128 bytes:
//!
//! ```text
//! slot  tab 8 │ first call u64 │ calls u32 (0: an empty slot) │ kind u8 │ body │ zeros
//!   1 done
//!   2 entries     writer 32 │ u64 index of the first call's entry; each further call wrote the next one
//!   3 space       key 32
//!   4 signed up   space key 32 │ flag u8 │ signature 64
//!   5 draft       u64 id of the first; each further call wrote the next one
//! ```
//! Numbers are little endian. Calls of one tab in a row share a slot, so a thousand writes of one turn take one. An
//! invite is a secret, words are derived anew: neither is kept.

use std::collections::VecDeque;

use super::{Call, Node, NodeError, Reply, SpaceCall, persist};
use crate::{
    codec::{DecodeError, Reader, Writer},
    crypto::{PublicKey, Signature},
    storage::Files,
};

/// Names a call: no two of one database share it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CallId {
    /// The tab that made it: random.
    pub tab: [u8; 8],
    /// Counts up from one call of the tab to the next.
    pub number: u64,
}

/// What came of a call, as far as it is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// Done, nothing to say.
    Done,
    /// Wrote an entry.
    Entry { writer: PublicKey, index: u64 },
    /// A space is here.
    Space(PublicKey),
    /// Signed up.
    SignedUp { key: PublicKey, claim: Option<Signature> },
    /// Wrote a draft.
    Draft(u64),
}

#[derive(Clone, Copy)]
struct Slot {
    first: CallId,
    calls: u32,
    outcome: Outcome,
}

/// The ring.
#[derive(Default)]
pub(crate) struct Calls {
    slots: Vec<Slot>,
    /// The slot written last.
    last: usize,
    /// Calls that are not answered yet, by the reply's id.
    running: VecDeque<(u32, CallId)>,
}

impl Calls {
    /// Reads the ring; what is damaged is begun anew, since only calls of the last seconds are ever asked about.
    pub(crate) fn load(files: &mut Files) -> Result<Self, NodeError> {
        let bytes = persist::whole_or_anew(files, CALLS)?.unwrap_or_default();
        let mut calls = Self::default();
        for slot in bytes.chunks(SLOT).take(SLOTS) {
            let Ok(slot) = Slot::decode(slot) else { break };
            calls.slots.push(slot);
        }
        // Which was written last is not kept: this one is overwritten later than all others.
        calls.last = calls.slots.len().saturating_sub(1);
        Ok(calls)
    }

    /// A call begins.
    pub(crate) fn begin(&mut self, reply: u32, id: CallId) {
        self.running.push_back((reply, id));
    }

    /// A call is answered: its id, if it has one.
    pub(crate) fn end(&mut self, reply: u32) -> Option<CallId> {
        // Answers come in the order of the calls, nearly always.
        let at = self.running.iter().position(|(running, _)| *running == reply)?;
        self.running.remove(at).map(|(_, id)| id)
    }

    /// Keeps what came of a call, with all else that is stored next.
    pub(crate) fn keep(&mut self, files: &mut Files, id: CallId, outcome: Outcome) {
        let at = match self.slots.get_mut(self.last) {
            Some(slot) if slot.goes_on(&id, &outcome) => {
                slot.calls = slot.calls.saturating_add(1);
                self.last
            }
            _ => {
                let slot = Slot { first: id, calls: 1, outcome };
                let at = if self.slots.len() < SLOTS { self.slots.len() } else { (self.last + 1) % SLOTS };
                match self.slots.get_mut(at) {
                    Some(old) => *old = slot,
                    None => self.slots.push(slot),
                }
                at
            }
        };
        self.last = at;
        if let (Some(slot), Ok(offset)) = (self.slots.get(at), u64::try_from(at * SLOT)) {
            let file = files.file(CALLS);
            // Fails only past 2^53 bytes.
            let _ = files.write(file, offset, &slot.encode());
        }
    }

    /// What came of a call, if it was done.
    pub(crate) fn find(&self, id: &CallId) -> Option<Outcome> {
        self.slots.iter().find_map(|slot| slot.find(id))
    }
}

impl Slot {
    /// Whether a call stands behind the last one of this slot, and so does what it did.
    fn goes_on(&self, id: &CallId, outcome: &Outcome) -> bool {
        let next =
            CallId { tab: self.first.tab, number: self.first.number.saturating_add(self.calls.into()) };
        self.calls < u32::MAX && next == *id && self.outcome.after(self.calls) == *outcome
    }

    fn find(&self, id: &CallId) -> Option<Outcome> {
        let ahead = id.number.checked_sub(self.first.number).filter(|_| id.tab == self.first.tab)?;
        let ahead = u32::try_from(ahead).ok().filter(|ahead| *ahead < self.calls)?;
        Some(self.outcome.after(ahead))
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        out.raw(&self.first.tab).u64(self.first.number).u32(self.calls);
        match &self.outcome {
            Outcome::Done => out.u8(1),
            Outcome::Entry { writer, index } => out.u8(2).raw(&writer.0).u64(*index),
            Outcome::Space(key) => out.u8(3).raw(&key.0),
            Outcome::SignedUp { key, claim } => {
                out.u8(4).raw(&key.0).u8(u8::from(claim.is_some()));
                out.raw(&claim.map_or([0; 64], |claim| claim.0))
            }
            Outcome::Draft(id) => out.u8(5).u64(*id),
        };
        let mut bytes = out.finish();
        bytes.resize(SLOT, 0);
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let first = CallId { tab: reader.array()?, number: reader.u64()? };
        let calls = reader.u32()?;
        let outcome = match reader.u8()? {
            1 => Outcome::Done,
            2 => Outcome::Entry { writer: PublicKey(reader.array()?), index: reader.u64()? },
            3 => Outcome::Space(PublicKey(reader.array()?)),
            4 => {
                let (key, claimed) = (PublicKey(reader.array()?), reader.u8()? == 1);
                let claim = Signature(reader.array()?);
                Outcome::SignedUp { key, claim: claimed.then_some(claim) }
            }
            5 => Outcome::Draft(reader.u64()?),
            got => return Err(DecodeError::Unknown { what: "call", got: u64::from(got) }),
        };
        Ok(Self { first, calls, outcome })
    }
}

impl Outcome {
    /// What came of the call so many places further on.
    fn after(&self, ahead: u32) -> Self {
        let ahead = u64::from(ahead);
        match *self {
            Self::Entry { writer, index } => Self::Entry { writer, index: index.saturating_add(ahead) },
            Self::Draft(id) => Self::Draft(id.saturating_add(ahead)),
            other => other,
        }
    }

    /// What is kept of an answer, if anything.
    pub(crate) fn of(reply: &Reply) -> Option<Self> {
        match reply {
            Reply::Done => Some(Self::Done),
            Reply::Found(found) => {
                let found = found.first()?;
                let version = found.item.version;
                if found.draft {
                    return Some(Self::Draft(version.index));
                }
                Some(Self::Entry { writer: version.writer, index: version.index })
            }
            Reply::SignedUp { key, claim } => Some(Self::SignedUp { key: *key, claim: *claim }),
            Reply::Space(key) => Some(Self::Space(*key)),
            _ => None,
        }
    }
}

impl Node {
    /// Answers a call that was done already; `None` if nothing is known of it.
    pub(super) fn repeated(&self, id: &CallId, call: &Call) -> Option<Result<Reply, NodeError>> {
        Some(match self.calls.find(id)? {
            Outcome::Done => Ok(Reply::Done),
            Outcome::Space(key) => Ok(Reply::Space(key)),
            Outcome::SignedUp { key, claim } => Ok(Reply::SignedUp { key, claim }),
            Outcome::Draft(id) => {
                let draft = self.drafts.iter().find(|draft| draft.id == id);
                Ok(Reply::Found(draft.map(|draft| self.draft_items(draft)).unwrap_or_default()))
            }
            Outcome::Entry { writer, index } => self.written(call, &writer, index),
        })
    }

    /// What a call wrote, as it was answered the first time.
    fn written(&self, call: &Call, writer: &PublicKey, index: u64) -> Result<Reply, NodeError> {
        let Call::In { space, act } = call else { return Ok(Reply::Done) };
        let joined = self.joined(*space)?;
        let items = joined.space.entry_items(&self.files, writer, index)?;
        let SpaceCall::Write { ops } = act else {
            return Ok(Reply::Found(self.found_items(joined, items)));
        };
        // A private put over a public value removes that first: the last of a key is the one that was asked for.
        let of = |key: &str| items.iter().rev().find(|item| item.key == key).cloned();
        let found = ops.iter().filter_map(|op| of(op.key())).collect();
        Ok(Reply::Found(self.found_items(joined, found)))
    }
}

const CALLS: &str = "node/calls";
const SLOT: usize = 128;
const SLOTS: usize = 1024;
