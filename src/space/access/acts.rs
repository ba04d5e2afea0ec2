//! Access operations as the engine keeps them: writers by small numbers, nothing that it does not judge by.

use core::cell::Cell;
use std::rc::Rc;

use super::log::Log;
use crate::{
    collections::Map,
    crypto::{Hash, PublicKey},
    space::{AccessOp, Entry, Grant, Op},
};

/// Small number of a writer.
pub(super) type Id = usize;

/// One access operation.
pub(super) enum Act {
    Grant {
        key: Id,
        grant: Box<Grant>,
    },
    Cut {
        target: Id,
        length: u64,
        tree_hash: Hash,
    },
    Hide {
        target: Id,
        from: u64,
    },
    Unhide {
        target: Id,
    },
    Epoch {
        id: Hash,
        to: Box<[Id]>,
    },
    Seal {
        epoch: Hash,
        to: Box<[Id]>,
    },
    /// Of a later version, or nothing that rights depend on.
    Nothing,
}

impl Act {
    /// The key that it grants.
    pub(super) fn granted(&self) -> Option<Id> {
        match self {
            Self::Grant { key, .. } => Some(*key),
            _ => None,
        }
    }
}

/// All feeds that are named anywhere, by small numbers.
pub(super) struct Logs {
    ids: Map<PublicKey, Id>,
    logs: Vec<Log>,
    /// Stands for a number that was never given out, so that looking up needs no error.
    none: Log,
    /// Something was asked that a log does not know.
    pub(super) wants: Rc<Cell<bool>>,
}

impl Logs {
    pub(super) fn new() -> Self {
        let wants = Rc::new(Cell::new(false));
        let none = Log::new(PublicKey([0; 32]), Rc::clone(&wants));
        Self { ids: Map::new(), logs: Vec::new(), none, wants }
    }

    /// The number of a key; made if new.
    pub(super) fn intern(&mut self, key: &PublicKey) -> Id {
        if let Some(id) = self.ids.get(key) {
            return *id;
        }
        let id = self.logs.len();
        self.ids.insert(*key, id);
        self.logs.push(Log::new(*key, Rc::clone(&self.wants)));
        id
    }

    pub(super) fn id(&self, key: &PublicKey) -> Option<Id> {
        self.ids.get(key).copied()
    }

    pub(super) fn get(&self, id: Id) -> &Log {
        self.logs.get(id).unwrap_or(&self.none)
    }

    pub(super) fn get_mut(&mut self, id: Id) -> &mut Log {
        self.logs.get_mut(id).unwrap_or(&mut self.none)
    }

    pub(super) fn find(&self, key: &PublicKey) -> &Log {
        self.id(key).map_or(&self.none, |id| self.get(id))
    }

    pub(super) fn count(&self) -> usize {
        self.logs.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Id, &Log)> {
        self.logs.iter().enumerate()
    }

    /// The access operations of an entry.
    pub(super) fn acts(&mut self, entry: &Entry) -> Box<[Act]> {
        let act = |op: &AccessOp| match op {
            AccessOp::Grant(grant) => {
                Act::Grant { key: self.intern(&grant.writer), grant: Box::new(grant.clone()) }
            }
            AccessOp::Cut(cut) => {
                Act::Cut { target: self.intern(&cut.writer), length: cut.length, tree_hash: cut.tree_hash }
            }
            AccessOp::Hide { writer, from } => Act::Hide { target: self.intern(writer), from: *from },
            AccessOp::Unhide { writer } => Act::Unhide { target: self.intern(writer) },
            AccessOp::Epoch { id, seals, .. } => {
                Act::Epoch { id: *id, to: seals.iter().map(|seal| self.intern(&seal.writer)).collect() }
            }
            AccessOp::Seal { epoch, seals, .. } => {
                Act::Seal { epoch: *epoch, to: seals.iter().map(|seal| self.intern(&seal.writer)).collect() }
            }
            // An invite or a pin gives no right, so it is nothing to judge by.
            AccessOp::Invite(_) | AccessOp::Pin(_) | AccessOp::Unpin { .. } | AccessOp::Unknown { .. } => {
                Act::Nothing
            }
        };
        entry.access.iter().map(act).collect()
    }
}

/// Whether an entry has operations of a later version.
pub(super) fn has_unknown(entry: &Entry) -> bool {
    entry.access.iter().any(|op| matches!(op, AccessOp::Unknown { .. }))
        || entry.public.iter().any(|op| matches!(op, Op::Unknown { .. }))
}
