//! What came out of sealed parts, as it was when it was stored last: so that unlocking opens only the entries that came or
//! went since then.
//!
//! It is sealed under keys that only an unlocked node has, and derived like all else here: what is missing, damaged, of
//! another device's key or of other feeds is thrown away, and every sealed part is opened as if there had been none. The
//! places themselves are in sealed runs ([`crate::space::view`]), of which this holds the keys; a run key is a hash of what
//! the run says, so none is used twice, and they stay when the device's key becomes another one.
//!
//! ```text
//! space/<key>/view/sealed   nonce 24 │ seal(MAC(view key, "key"), nonce, "hypha/v1/view", state)
//! view key   MAC(seed of this device's writer key in the space, "view")
//! nonce      first 24 bytes of MAC(view key, "nonce" ‖ state): the same twice only for the same state
//! state      version u8 │ layout u8
//!            varint number of the next run │ varint runs │ each, the oldest first: varint number │ varint bytes of blocks
//!                       │ varint bytes │ run key 32
//!            varint writers │ each: key 32, its number being its place here
//!            varint feeds │ each: varint writer │ varint length taken in │ tree hash there 32
//!            varint epochs │ each: id 32 │ content key 32 │ entries in the view with a part sealed under it
//!            entries with seals that were looked at
//!            varint message keys │ each: at │ key 32
//!            varint memberships │ each: at │ space 32 │ writer 32 │ left u8
//!            varint root seeds │ each: at │ space 32 │ sealed 80
//! entries    varint writers │ each: varint writer │ spans, as in the state of what is public
//! at         varint writer │ varint index │ varint operation
//! ```

use zeroize::Zeroizing;

use super::{begins_with, folder, state::number};
use crate::{
    codec::{DecodeError, Reader, Writer},
    collections::Map,
    crypto::{
        Hash, MessageKey, NONCE_LENGTH, PublicKey, SEALED_KEY_LENGTH, SecretKey32, keyed_parts, open, seal,
    },
    space::{
        SpaceError, SpaceEvent,
        space::{
            Space,
            backlog::present,
            members::{At, Notes},
            seals::SealedAt,
        },
        view::{BaseNote, RunName},
    },
    storage::{Files, Spans, StorageError},
};

/// Changes with anything that is stored here or in sealed runs.
const LAYOUT: u8 = 1;
const AD: &[u8] = b"hypha/v1/view";

/// The state, read.
struct State {
    base: BaseNote,
    run_keys: Vec<SecretKey32>,
    writers: Vec<PublicKey>,
    /// Writer number, length, tree hash.
    feeds: Vec<(u32, u64, Hash)>,
    epochs: Vec<(Hash, SecretKey32, SealedAt)>,
    looked_at: SealedAt,
    message_keys: Vec<(u32, u64, u32, MessageKey)>,
    notes: Notes,
}

impl Space {
    /// Puts into the view what this device may read of sealed parts: what is stored of it, and the rest entry by entry.
    pub(in crate::space::space) fn open_private(&mut self, files: &mut Files) -> Result<(), SpaceError> {
        let Some(taken) = present(self.take_sealed(files))? else {
            self.backlog.sealed = true;
            return Ok(());
        };
        let mut entries = self.epochs.seals.clone();
        entries.retain(|(writer, index)| !taken.get(writer).is_some_and(|spans| spans.contains(*index)));
        self.open_seals_of(files, entries)
    }

    /// Takes what is stored, if nothing private is in the view yet; returns the entries whose seals were looked at when it
    /// was written.
    fn take_sealed(&mut self, files: &mut Files) -> Result<SealedAt, SpaceError> {
        let Some(keys) = &self.keys else { return Ok(SealedAt::new()) };
        let key = keys.signer.view_key();
        let fresh = !self.view.has_sealed() && self.content.ids().next().is_none();
        if fresh && let Some(state) = self.read_sealed(files, &key)? {
            let covered = state.feeds.iter().map(|(writer, given, _)| (*writer, *given)).collect();
            let keys = (SecretKey32(*key), state.run_keys);
            if self.view.open_sealed(files, &self.key, &state.base, covered, keys) {
                self.ledger.sealed_length = files.len(self.ledger.sealed_file);
                if !state.base.runs.is_empty() {
                    self.events.push_back(SpaceEvent::Changed { keys: Vec::new() });
                }
                if !state.notes.is_empty() {
                    self.events.push_back(SpaceEvent::Memberships);
                }
                (self.message_keys, self.notes) = (state.message_keys, state.notes);
                for (epoch, key, then) in &state.epochs {
                    self.content.keep(*epoch, key);
                    let now = self.epochs.sealed().get(epoch).cloned().unwrap_or_default();
                    if now != *then {
                        self.place_sealed(files, differences(then, &now))?;
                    }
                }
                return Ok(state.looked_at);
            }
        }
        // What is in the view then stays as it is: all of it that is not in the base is in the overlay.
        if !self.view.has_sealed() {
            self.drop_sealed(files);
        }
        self.view.begin_sealed(SecretKey32(*key));
        Ok(SealedAt::new())
    }

    /// The state, if it opens and belongs to what is here.
    fn read_sealed(&self, files: &Files, key: &[u8; 32]) -> Result<Option<State>, SpaceError> {
        let file = self.ledger.sealed_file;
        let length = usize::try_from(files.len(file)).unwrap_or(usize::MAX);
        if length == 0 || files.is_incomplete() || self.has_damaged_view(files) {
            return Ok(None);
        }
        let stored = match files.read(file, 0, length) {
            Err(StorageError::Damaged { .. }) => return Ok(None),
            stored => stored?,
        };
        let Some((nonce, sealed)) = stored.split_first_chunk::<NONCE_LENGTH>() else { return Ok(None) };
        let Ok(plain) = open(&state_key(key), nonce, AD, sealed) else { return Ok(None) };
        let Ok(state) = State::decode(&plain) else { return Ok(None) };
        // Numbers stay as they are while the public part is taken from its checkpoint.
        if self.numbers.keys().get(..state.writers.len()) != Some(state.writers.as_slice()) {
            return Ok(None);
        }
        for (writer, given, tree) in &state.feeds {
            let fits = match self.feeds.get(&self.numbers.key(*writer)) {
                Some(feed) => begins_with(feed, files, *given, tree)?,
                None => false,
            };
            if !fits {
                return Ok(None);
            }
        }
        Ok(Some(state))
    }

    /// Stores the state, if there is anything that it belongs to. `trees`: of each feed the tree hash where it was taken in
    /// to.
    pub(super) fn store_sealed(
        &mut self,
        files: &mut Files,
        trees: &Map<PublicKey, Hash>,
    ) -> Result<(), SpaceError> {
        let Some(keys) = self.keys.as_ref().filter(|_| self.view.has_sealed()) else { return Ok(()) };
        let key = keys.signer.view_key();
        let state = self.encode_sealed(trees);
        let full = Zeroizing::new(keyed_parts(&key, &[b"nonce", &state]).0);
        let nonce = full.first_chunk::<NONCE_LENGTH>().unwrap_or(&[0; NONCE_LENGTH]);
        let sealed = seal(&state_key(&key), nonce, AD, &state);
        files.truncate(self.ledger.sealed_file, 0);
        files.write(self.ledger.sealed_file, 0, &[nonce.as_slice(), &sealed].concat())?;
        (self.ledger.sealed, self.ledger.sealed_length) = (0, files.len(self.ledger.sealed_file));
        Ok(())
    }

    fn encode_sealed(&self, trees: &Map<PublicKey, Hash>) -> Zeroizing<Vec<u8>> {
        let mut rest = Writer::new();
        for (writer, tree) in trees {
            let number = self.numbers.find(writer).unwrap_or(u32::MAX);
            rest.varint(u64::from(number)).varint(self.given(writer)).raw(&tree.0);
        }
        let (note, run_keys) = self.view.sealed_note();
        let none = SealedAt::new();
        let mut held = Vec::new();
        for epoch in self.content.ids() {
            let (mut spans, at) = (Writer::new(), self.epochs.sealed().get(&epoch).unwrap_or(&none));
            encode_entries(at, &mut spans);
            held.push((epoch, spans.finish()));
        }
        let mut looked_at = SealedAt::new();
        for (writer, index) in &self.epochs.seals {
            looked_at.entry(*writer).or_default().set(*index..index.saturating_add(1), true);
        }
        let mut seals = Writer::new();
        encode_entries(&looked_at, &mut seals);
        let writers = self.numbers.keys();
        // Room for all, or growing would leave copies of keys behind.
        let spans: usize = held.iter().map(|(_, spans)| spans.len()).sum();
        let few = note.runs.len() + writers.len() + held.len() + self.message_keys.len();
        let notes = self.notes.memberships.iter().count() + self.notes.secrets.iter().count();
        let mut out = Writer::versioned();
        out.reserve(256 + rest.len() + spans + seals.len() + 64 * few + 160 * notes);
        out.u8(LAYOUT).varint(note.next).count(note.runs.len());
        for (run, key) in note.runs.iter().zip(run_keys) {
            out.varint(run.number).varint(run.blocks).varint(run.length).raw(&key.0);
        }
        out.count(writers.len());
        for key in writers {
            out.raw(&key.0);
        }
        out.count(trees.iter().count()).raw(rest.as_slice()).count(held.len());
        for (epoch, spans) in &held {
            let key = self.content.get(epoch).map_or(&[0; 32], |key| &key.0);
            out.raw(&epoch.0).raw(key).raw(spans);
        }
        out.raw(seals.as_slice()).count(self.message_keys.len());
        for (writer, index, op, key) in &self.message_keys {
            encode_at(&(*writer, *index, *op), &mut out);
            out.raw(key.as_bytes());
        }
        out.count(self.notes.memberships.iter().count());
        for (at, (space, writer, left)) in self.notes.memberships.iter() {
            encode_at(at, &mut out);
            out.raw(&space.0).raw(&writer.0).u8(u8::from(*left));
        }
        out.count(self.notes.secrets.iter().count());
        for (at, (space, sealed)) in self.notes.secrets.iter() {
            encode_at(at, &mut out);
            out.raw(&space.0).raw(sealed.as_slice());
        }
        Zeroizing::new(out.finish())
    }

    /// Throws away what is stored of sealed parts: when it is unlocked next, they are opened one by one.
    pub fn drop_sealed(&mut self, files: &mut Files) {
        for name in files.names(&format!("{}sealed", folder(&self.key))) {
            let file = files.file(&name);
            files.truncate(file, 0);
        }
        self.ledger.sealed_length = 0;
    }
}

impl State {
    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::versioned(bytes)?;
        let (max, layout) = (bytes.len(), reader.u8()?);
        if layout != LAYOUT {
            return Err(DecodeError::Unknown { what: "layout of a sealed view", got: u64::from(layout) });
        }
        let (mut base, mut run_keys) = (BaseNote { next: reader.varint()?, runs: Vec::new() }, Vec::new());
        // No more keys than there are bytes for: a vector that grows would leave copies behind.
        let runs = reader.count("runs", max / 32)?;
        run_keys.reserve_exact(runs);
        for _ in 0..runs {
            let (number, blocks, length) = (reader.varint()?, reader.varint()?, reader.varint()?);
            base.runs.push(RunName { number, blocks, length });
            run_keys.push(SecretKey32(reader.array()?));
        }
        let mut writers = Vec::new();
        for _ in 0..reader.count("writers", max)? {
            writers.push(PublicKey(reader.array()?));
        }
        let mut feeds = Vec::new();
        for _ in 0..reader.count("feeds", max)? {
            feeds.push((number(&mut reader)?, reader.varint()?, Hash(reader.array()?)));
        }
        let count = reader.count("epochs", max / 64)?;
        let mut epochs = Vec::with_capacity(count);
        for _ in 0..count {
            let (id, key) = (Hash(reader.array()?), SecretKey32(reader.array()?));
            epochs.push((id, key, decode_entries(&mut reader)?));
        }
        let looked_at = decode_entries(&mut reader)?;
        let count = reader.count("message keys", max / 32)?;
        let mut message_keys = Vec::with_capacity(count);
        for _ in 0..count {
            let (writer, index, op) = decode_at(&mut reader)?;
            message_keys.push((writer, index, op, MessageKey::from_bytes(reader.array()?)));
        }
        let mut notes = Notes::default();
        for _ in 0..reader.count("memberships", max)? {
            let at = decode_at(&mut reader)?;
            let (space, writer) = (PublicKey(reader.array()?), PublicKey(reader.array()?));
            notes.memberships.insert(at, (space, writer, reader.u8()? == 1));
        }
        for _ in 0..reader.count("root seeds", max)? {
            let at = decode_at(&mut reader)?;
            let space = PublicKey(reader.array()?);
            notes.secrets.insert(at, (space, Box::new(reader.array::<SEALED_KEY_LENGTH>()?)));
        }
        reader.end()?;
        Ok(Self { base, run_keys, writers, feeds, epochs, looked_at, message_keys, notes })
    }
}

fn state_key(key: &[u8; 32]) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(keyed_parts(key, &[b"key"]).0)
}

/// Entries that are in one of two sets: of each whether it is in the first.
fn differences(then: &SealedAt, now: &SealedAt) -> Vec<((u32, u64), bool)> {
    let mut found = Vec::new();
    for (from, to, was_shown) in [(then, now, true), (now, then, false)] {
        for (writer, spans) in from {
            let none = Spans::default();
            let mut others = to.get(writer).unwrap_or(&none).clone();
            for range in spans.within(0..u64::MAX) {
                for (piece, _) in others.set(range, true).into_iter().filter(|(_, within)| !within) {
                    found.extend(piece.map(|index| ((*writer, index), was_shown)));
                }
            }
        }
    }
    found
}

fn encode_entries(entries: &SealedAt, out: &mut Writer) {
    out.count(entries.iter().count());
    for (writer, spans) in entries {
        out.varint(u64::from(*writer));
        spans.encode(out);
    }
}

fn decode_entries(reader: &mut Reader<'_>) -> Result<SealedAt, DecodeError> {
    let mut entries = SealedAt::new();
    for _ in 0..reader.count("writers", reader.remaining())? {
        entries.insert(number(reader)?, Spans::decode(reader)?);
    }
    Ok(entries)
}

fn encode_at((writer, index, op): &At, out: &mut Writer) {
    out.varint(u64::from(*writer)).varint(*index).varint(u64::from(*op));
}

fn decode_at(reader: &mut Reader<'_>) -> Result<At, DecodeError> {
    Ok((number(reader)?, reader.varint()?, number(reader)?))
}
