//! Calls that were done, so that one which comes again is not done again.
//!
//! A tab whose call got no answer gives it, with the same id, to the tab that runs the node then. What came of a call is
//! written with all that it did, so it is stored if and only if the rest is: a repeat is answered from here. The file
//! `node/calls` is a ring of 1,024 slots of 128 bytes:
//!
//! ```text
//! slot  tab 8 │ first call u64 │ calls u32 (0: an empty slot) │ kind u8 │ body │ zeros │ in the last 8 bytes: written u64
//!   1 done
//!   2 entries     writer 32 │ u64 index of the first call's entry; each further call wrote the next one
//!   3 space       key 32
//!   4 signed up   space key 32 │ flag u8 │ signature 64
//!   5 draft       u64 id of the first; each further call wrote the next one
//! ```
//! Numbers are little endian. `written` is one more than in the slot that was begun before: the slot behind the one where it
//! is highest is begun next, so that the newest results stay, however often the ring is read anew. Rings from before there
//! was such a number have 0 in all slots: then the last one counts as the newest. Calls of one tab in a row share a slot and its
//! number, so a thousand writes of one turn take one. An invite is a secret, words are derived anew: neither is kept.

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
    /// How many were begun until then, this one included; 0 if that was not counted yet.
    written: u64,
}

/// The ring.
#[derive(Default)]
pub(crate) struct Calls {
    slots: Vec<Slot>,
    /// The slot begun last.
    last: usize,
    /// Calls that are not answered yet, by the reply's id.
    running: VecDeque<(u32, CallId)>,
}

impl Calls {
    /// Reads the ring; a slot that is damaged is an empty one, since only calls of the last seconds are ever asked about.
    pub(crate) fn load(files: &mut Files) -> Result<Self, NodeError> {
        let bytes = persist::whole_or_anew(files, CALLS)?.unwrap_or_default();
        let mut calls = Self::default();
        let slots = bytes.chunks(SLOT).take(SLOTS).map(|slot| Slot::decode(slot).unwrap_or(Slot::EMPTY));
        calls.slots.extend(slots);
        // Of equal ones the last: numbers are missing in none or, in an old ring, in those not begun anew yet.
        let newest = calls.slots.iter().enumerate().max_by_key(|(_, slot)| slot.written);
        calls.last = newest.map_or(0, |(at, _)| at);
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
                let written = self.slots.get(self.last).map_or(0, |slot| slot.written).saturating_add(1);
                let slot = Slot { first: id, calls: 1, outcome, written };
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
    const EMPTY: Self =
        Self { first: CallId { tab: [0; 8], number: 0 }, calls: 0, outcome: Outcome::Done, written: 0 };

    /// Whether a call stands behind the last one of this slot, and so does what it did.
    fn goes_on(&self, id: &CallId, outcome: &Outcome) -> bool {
        let next =
            CallId { tab: self.first.tab, number: self.first.number.saturating_add(self.calls.into()) };
        (1..u32::MAX).contains(&self.calls) && next == *id && self.outcome.after(self.calls) == *outcome
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
        bytes.resize(SLOT - COUNTER, 0);
        bytes.extend(self.written.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (bytes, counter) = bytes.split_at_checked(SLOT - COUNTER).unwrap_or((bytes, &[]));
        let written = Reader::new(counter).u64()?;
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
        Ok(Self { first, calls, outcome, written })
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
/// Bytes of the number at the end of a slot; the largest outcome ends two bytes before it.
const COUNTER: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::MemoryBackend;

    /// Every other number, so that no two share a slot.
    fn id(n: u64) -> CallId {
        CallId { tab: [3; 8], number: n * 2 }
    }

    /// As a page that is opened anew has it.
    fn again(files: &mut Files, backend: &mut MemoryBackend) -> (Calls, Files) {
        while let Some(batch) = files.take_batch() {
            backend.commit(&batch);
            files.committed(batch.seq);
        }
        let mut files = Files::load(backend.snapshot()).unwrap();
        (Calls::load(&mut files).unwrap(), files)
    }

    #[test]
    fn the_newest_are_found_however_often_it_is_opened() {
        let (mut files, mut backend) =
            (Files::load(MemoryBackend::new().snapshot()).unwrap(), MemoryBackend::new());
        let mut calls = Calls::default();
        let full = u64::try_from(SLOTS).unwrap();
        let mut next = 0;
        for count in [full + 3, 1, 1, 5, 1] {
            for n in next..next + count {
                calls.keep(&mut files, id(n), Outcome::Draft(n));
            }
            next += count;
            (calls, files) = again(&mut files, &mut backend);
            assert_eq!(calls.slots.len(), SLOTS);
            for n in 0..next {
                let found = (n + full >= next).then_some(Outcome::Draft(n));
                assert_eq!(calls.find(&id(n)), found, "{n} of {next}");
            }
        }
        // Those in a row share a slot, also of a ring that is read anew.
        let CallId { tab, number } = id(next - 1);
        calls.keep(&mut files, CallId { tab, number: number + 1 }, Outcome::Draft(next));
        (calls, _) = again(&mut files, &mut backend);
        assert_eq!(calls.find(&CallId { tab, number: number + 1 }), Some(Outcome::Draft(next)));
        assert!(calls.find(&id(next - 1)).is_some() && calls.find(&id(next - full)).is_some());
    }

    #[test]
    fn a_ring_without_counters_is_read_and_gets_them() {
        for count in [7, SLOTS] {
            let (mut files, mut backend) =
                (Files::load(MemoryBackend::new().snapshot()).unwrap(), MemoryBackend::new());
            let file = files.file(CALLS);
            for n in 0..u64::try_from(count).unwrap() {
                let slot = Slot { first: id(n), calls: 1, outcome: Outcome::Done, written: 0 }.encode();
                files.write(file, n * 128, &slot).unwrap();
            }
            let first = u64::try_from(count).unwrap();
            let (mut calls, mut files) = again(&mut files, &mut backend);
            assert!((0..first).all(|n| calls.find(&id(n)).is_some()));
            for n in first..first + 3 {
                calls.keep(&mut files, id(n), Outcome::Done);
                (calls, files) = again(&mut files, &mut backend);
            }
            assert!((first..first + 3).all(|n| calls.find(&id(n)).is_some()));
            assert_eq!(calls.find(&id(0)).is_some(), count < SLOTS);
            assert_eq!(calls.find(&id(3)), Some(Outcome::Done));
        }
    }

    #[test]
    fn a_damaged_slot_is_an_empty_one() {
        let (mut files, mut backend) =
            (Files::load(MemoryBackend::new().snapshot()).unwrap(), MemoryBackend::new());
        let mut calls = Calls::default();
        for n in 0..10 {
            calls.keep(&mut files, id(n), Outcome::Done);
        }
        let file = files.file(CALLS);
        files.write(file, 4 * 128 + 20, &[0xff]).unwrap();
        let (mut calls, mut files) = again(&mut files, &mut backend);
        calls.keep(&mut files, id(10), Outcome::Done);
        let (calls, _) = again(&mut files, &mut backend);
        for n in 0..11 {
            assert_eq!(calls.find(&id(n)).is_some(), n != 4, "{n}");
        }
        assert_eq!(calls.find(&CallId { tab: [0; 8], number: 0 }), None);
    }

    #[test]
    fn the_largest_outcome_leaves_room_for_the_counter() {
        let outcomes = [
            Outcome::SignedUp { key: PublicKey([0xff; 32]), claim: Some(Signature([0xff; 64])) },
            Outcome::Entry { writer: PublicKey([0xff; 32]), index: u64::MAX },
        ];
        for outcome in outcomes {
            let first = CallId { tab: [0xff; 8], number: u64::MAX };
            let bytes = Slot { first, calls: u32::MAX, outcome, written: 0x0102 }.encode();
            assert_eq!(bytes.len(), SLOT);
            assert_eq!(bytes[118..], [0, 0, 2, 1, 0, 0, 0, 0, 0, 0]);
            let read = Slot::decode(&bytes).unwrap();
            assert_eq!((read.outcome, read.written, read.first), (outcome, 0x0102, first));
        }
    }
}
