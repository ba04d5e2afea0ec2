//! What of entries the access engine keeps, and all else that opening a space reads from them.
//!
//! Entries of plain data are not among them. Writers are by number, as in the state. There are two files: *facts* holds
//! those that only name others (kind 1), of which there may be as many as entries, and *acts* the others, which are told
//! whenever the space is opened.
//!
//! ```text
//! each: varint writer │ varint index │ flags u8 │ varint bytes of body │ body
//! flags     kind + (4: all that it names was seen to be signed) + (8: full clock)
//! kind 0    the block is no entry: leaf hash 32
//! kind 1    an entry with nothing but deps: varint deps, each: varint writer │ varint length │ tree hash 32
//! kind 2    any other: leaf hash 32 │ the entry without data operations and sealed part, save unknown operations
//! kind 3    what was told of this feed from this index on is void: another branch of it counts. No body
//! ```

use crate::{
    codec::{DecodeError, Reader, Writer},
    crypto::{Hash, PublicKey},
    space::{Dep, Entry, MAX_DEPS, Op, space::trees::Numbers},
};

const MALFORMED: u8 = 0;
const DEPS: u8 = 1;
const ENTRY: u8 = 2;
const VOID: u8 = 3;
const PROVED: u8 = 4;
const FULL_CLOCK: u8 = 8;

/// Facts that are not stored yet, of both files.
#[derive(Default)]
pub(in crate::space::space) struct Facts {
    naming: Part,
    acting: Part,
}

/// Those of one file.
#[derive(Default)]
struct Part {
    /// Writer, index, flags, end of its body.
    heads: Vec<(u32, u64, u8, usize)>,
    bodies: Writer,
}

/// A fact that was stored.
pub(super) struct Fact<'a> {
    pub(super) writer: u32,
    pub(super) index: u64,
    pub(super) proved: bool,
    flags: u8,
    body: &'a [u8],
}

impl Facts {
    /// Adds what the engine keeps of an entry; `None` is a block that is no entry.
    pub(in crate::space::space) fn add(
        &mut self,
        writer: u32,
        index: u64,
        hash: &Hash,
        entry: Option<&Entry>,
        numbers: &mut Numbers,
    ) {
        let unknown = |op: &&Op| matches!(op, Op::Unknown { .. });
        let names = |entry: &Entry| entry.access.is_empty() && !entry.public.iter().any(|op| unknown(&op));
        let part = if entry.is_some_and(names) { &mut self.naming } else { &mut self.acting };
        let flags = match entry {
            None => {
                part.bodies.raw(&hash.0);
                MALFORMED
            }
            Some(entry) if names(entry) => {
                part.bodies.count(entry.deps.len());
                for dep in &entry.deps {
                    let number = u64::from(numbers.number(&dep.writer));
                    part.bodies.varint(number).varint(dep.length).raw(&dep.tree_hash.0);
                }
                DEPS | if entry.full_clock { FULL_CLOCK } else { 0 }
            }
            Some(entry) => {
                let trimmed = Entry {
                    public: entry.public.iter().filter(unknown).cloned().collect(),
                    deps: entry.deps.clone(),
                    access: entry.access.clone(),
                    sealed: None,
                    ..*entry
                };
                part.bodies.raw(&hash.0).raw(&trimmed.encode());
                ENTRY
            }
        };
        part.heads.push((writer, index, flags, part.bodies.len()));
    }

    /// From this index on another branch of a feed counts.
    pub(in crate::space::space) fn forget(&mut self, writer: u32, from: u64) {
        for part in [&mut self.naming, &mut self.acting] {
            part.heads.push((writer, from, VOID, part.bodies.len()));
        }
    }

    /// What is to be stored in the files of facts and of acts.
    pub(super) fn encode(&self, proved: &dyn Fn(u32, u64) -> bool) -> [Vec<u8>; 2] {
        [&self.naming, &self.acting].map(|part| part.encode(proved))
    }
}

impl Part {
    fn encode(&self, proved: &dyn Fn(u32, u64) -> bool) -> Vec<u8> {
        let (mut out, mut start) = (Writer::new(), 0);
        for (writer, index, flags, end) in &self.heads {
            let body = self.bodies.as_slice().get(start..*end).unwrap_or_default();
            let flag = if *flags != VOID && proved(*writer, *index) { PROVED } else { 0 };
            out.varint(u64::from(*writer)).varint(*index).u8(flags | flag).bytes(body);
            start = *end;
        }
        out.finish()
    }
}

impl<'a> Fact<'a> {
    /// Reads stored facts, those left out that were void later. In the order they were given.
    pub(super) fn decode_all(bytes: &'a [u8]) -> Result<Vec<Self>, DecodeError> {
        let mut reader = Reader::new(bytes);
        let mut facts: Vec<Self> = Vec::new();
        while reader.remaining() > 0 {
            let writer = u32::try_from(reader.varint()?).unwrap_or(u32::MAX);
            let (index, flags) = (reader.varint()?, reader.u8()?);
            let body = reader.bytes("fact", bytes.len())?;
            if flags == VOID {
                facts.retain(|fact| fact.writer != writer || fact.index < index);
            } else {
                facts.push(Self { writer, index, proved: flags & PROVED > 0, flags, body });
            }
        }
        Ok(facts)
    }

    /// Leaf hash, as far as anything depends on it, and what was kept of the entry.
    pub(super) fn entry(&self, key: &dyn Fn(u32) -> PublicKey) -> Result<(Hash, Option<Entry>), DecodeError> {
        let mut reader = Reader::new(self.body);
        match self.flags & 3 {
            MALFORMED => Ok((Hash(reader.array()?), None)),
            DEPS => {
                let mut deps = Vec::new();
                for _ in 0..reader.count("deps", MAX_DEPS)? {
                    deps.push(Dep {
                        writer: key(u32::try_from(reader.varint()?).unwrap_or(u32::MAX)),
                        length: reader.varint()?,
                        tree_hash: Hash(reader.array()?),
                    });
                }
                reader.end()?;
                let full_clock = self.flags & FULL_CLOCK > 0;
                let (previous_access, time, access, public) = (None, 0, Vec::new(), Vec::new());
                let entry = Entry { deps, full_clock, previous_access, time, access, public, sealed: None };
                Ok((Hash::default(), Some(entry)))
            }
            ENTRY => Ok((Hash(reader.array()?), Some(Entry::decode(reader.rest())?))),
            _ => Err(DecodeError::Unknown { what: "fact", got: u64::from(self.flags) }),
        }
    }
}
