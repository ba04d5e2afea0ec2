//! Entries move into the view, within it, or out of it.

use super::{Space, backlog::present, trees::Judge};
use crate::{
    collections::Set,
    crypto::{MessageKey, PublicKey},
    space::{Entry, Op, SpaceError, SpaceEvent, view::Place},
    storage::Files,
};

/// Entries of one feed that went out of view.
#[derive(Default)]
pub(super) struct Retracted {
    from: u64,
    to: u64,
    entries: u64,
    keys: Set<String>,
}

impl Space {
    /// Moves an entry in the view: whether it was in it, whether it shall be. `entry` if it is at hand; else it is read,
    /// now or when it can be. What goes out for good is noted in `out`.
    pub(super) fn shift(
        &mut self,
        files: &Files,
        writer: &PublicKey,
        index: u64,
        (was_shown, shown): (bool, bool),
        entry: Option<&Entry>,
        out: Option<&mut Retracted>,
    ) -> Result<(), SpaceError> {
        let was_shown = match self.backlog.moves.is_empty() {
            true => was_shown,
            false => self.backlog.moves.remove(&(*writer, index)).unwrap_or(was_shown),
        };
        // Its sealed part may wait to go in or out; here it goes where the rest does.
        let number = self.numbers.number(writer);
        let was_shown = self.backlog.private.remove(&(number, index)).unwrap_or(false) || was_shown;
        let read;
        let entry = match entry {
            Some(entry) => entry,
            None => {
                self.stirred = true;
                match present(self.entry(files, writer, index))? {
                    Some(Some(entry)) => read = entry,
                    Some(None) => return Ok(()),
                    None => {
                        self.backlog.moves.insert((*writer, index), was_shown);
                        return Ok(());
                    }
                }
                &read
            }
        };
        // Its order may be another one, so it goes out also where it comes in again.
        if was_shown {
            self.place(writer, index, entry, false);
        }
        if shown {
            self.place(writer, index, entry, true);
        }
        self.note_retracted(writer, index, entry, out);
        Ok(())
    }

    /// Tells what went out of view.
    pub(super) fn tell_retracted(&mut self, writer: &PublicKey, retracted: Retracted) {
        let Retracted { from, to, entries, keys } = retracted;
        if entries > 0 {
            let (writer, keys) = (*writer, keys.into_iter().collect());
            let why = self.access.why(&writer, from);
            self.events.push_back(SpaceEvent::Retracted { writer, from, to, entries, keys, why });
        }
    }

    /// Puts the sealed parts of entries into the view, or takes out those that are in it: of each whether it is. Those that
    /// can be read now.
    pub(super) fn place_sealed(
        &mut self,
        files: &Files,
        entries: impl IntoIterator<Item = ((u32, u64), bool)>,
    ) -> Result<(), SpaceError> {
        for ((number, index), was_shown) in entries {
            let writer = self.numbers.key(number);
            match present(self.entry(files, &writer, index))? {
                Some(Some(entry)) => self.place_private(&writer, index, &entry, !was_shown),
                Some(None) => {}
                None => {
                    self.backlog.private.insert((number, index), was_shown);
                }
            }
        }
        Ok(())
    }

    /// Notes an entry that went out of view, where it did, and the keys that it wrote, as far as it can be read.
    fn note_retracted(&self, writer: &PublicKey, index: u64, entry: &Entry, out: Option<&mut Retracted>) {
        let Some(out) = out.filter(|_| !entry.public.is_empty() || entry.sealed.is_some()) else { return };
        if out.entries == 0 {
            out.from = index;
        }
        (out.to, out.entries) = (index + 1, out.entries + 1);
        for op in self.content.open_ops(entry, writer, index).iter().chain(&entry.public) {
            if let Some(key) = op.key() {
                out.keys.insert(key.to_owned());
            }
        }
    }

    /// Puts an entry's operations into the view, or takes them out.
    fn place(&mut self, writer: &PublicKey, index: u64, entry: &Entry, shown: bool) {
        let number = self.numbers.number(writer);
        for (op, at) in entry.public.iter().zip(0_u32..) {
            self.place_op(op, Place { writer: number, index, op: at, private: false, delete: false }, shown);
        }
        if let Some(sealed) = &entry.sealed {
            self.epochs.note_sealed(sealed.epoch, number, index, shown);
            self.place_private(writer, index, entry, shown);
        }
    }

    /// Puts the operations of a sealed part into the view, if it can be opened, or takes them out.
    pub(super) fn place_private(&mut self, writer: &PublicKey, index: u64, entry: &Entry, shown: bool) {
        let number = self.numbers.number(writer);
        let first = u32::try_from(entry.public.len()).unwrap_or(u32::MAX);
        if entry.sealed.as_ref().is_some_and(|sealed| self.content.has(&sealed.epoch)) {
            self.ledger.count_sealed();
        }
        for (op, at) in self.content.open_ops(entry, writer, index).iter().zip(first..) {
            self.place_op(op, Place { writer: number, index, op: at, private: true, delete: false }, shown);
        }
    }

    fn place_op(&mut self, op: &Op, place: Place, shown: bool) {
        let (key, delete) = match op {
            Op::Put { key, .. } | Op::Adopted { key, .. } => (key, false),
            Op::Delete { key } => (key, true),
            Op::MessageKey(key) if place.private => {
                let Place { writer, index, op, .. } = place;
                self.message_keys.retain(|(w, i, o, _)| (*w, *i, *o) != (writer, index, op));
                if shown {
                    self.message_keys.push((writer, index, op, MessageKey::from_bytes(**key)));
                }
                return;
            }
            Op::Membership { .. } | Op::SpaceSecret { .. } if place.private => {
                if self.events.back() != Some(&SpaceEvent::Memberships) {
                    self.events.push_back(SpaceEvent::Memberships);
                }
                return self.notes.place(op, place, shown);
            }
            _ => return,
        };
        let judge = Judge { access: &self.access, numbers: &self.numbers };
        if shown {
            self.view.insert(key, Place { delete, ..place }, &judge);
        } else {
            self.view.remove(key, &place, &judge);
        }
    }
}
