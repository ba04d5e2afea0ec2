//! The spaces a node takes part in: the one of its domain, and others that the person joined or made.
//!
//! Each comes with what belongs to it alone: who of its peers was asked for what, its ephemeral channel, which items peers
//! were told of, and the names of its devices.

pub(super) mod acting;
pub(super) mod checkpoints;
pub(super) mod export;
pub(super) mod following;
pub(super) mod found;
pub(super) mod joining;
pub(super) mod memberships;
pub(super) mod reading;
pub(super) mod static_snapshot;
pub(super) mod writing;

use core::cell::RefCell;

use super::{links::ephemeral::Ephemeral, links::replica::item_hashes};
use crate::{
    collections::Map,
    crypto::{Hash, PublicKey},
    space::{Space, WriterInfo},
    storage::Files,
    sync::{ItemKind, Wants},
};

/// All spaces of a node.
#[derive(Default)]
pub(super) struct Spaces {
    home: Option<PublicKey>,
    // Boxed, so that a list that grows moves pointers.
    joined: Map<PublicKey, Box<Joined>>,
}

/// A space, and what this node keeps beside it.
pub(super) struct Joined {
    pub(super) space: Space,
    pub(super) wants: Wants,
    pub(super) channel: Ephemeral,
    /// Names of its devices, where they may be read.
    pub(super) names: Map<PublicKey, String>,
    /// Items that peers were told of, and what they were counted by.
    told: Vec<(ItemKind, Hash)>,
    stamp: (usize, u64, usize),
    /// The title as it was read last.
    title: RefCell<Option<String>>,
    /// Since when a successor waits to be pinned, ms since 1970.
    pub(super) unpinned: Option<u64>,
}

impl Joined {
    fn new(space: Space, channel: Ephemeral) -> Self {
        let mut joined = Self {
            space,
            wants: Wants::new(),
            channel,
            names: Map::new(),
            told: Vec::new(),
            stamp: (0, 0, 0),
            title: RefCell::new(None),
            unpinned: None,
        };
        joined.untold();
        joined
    }

    /// Items that peers were not told of yet; they count as told from now on.
    pub(super) fn untold(&mut self) -> Vec<(ItemKind, Hash)> {
        let space = &self.space;
        let stamp = (space.records().count(), space.manifest_seq(), space.equivocations_taken());
        // Hashing every record at every write would make writing slower with each record.
        if stamp == self.stamp {
            return Vec::new();
        }
        self.stamp = stamp;
        let items = item_hashes(space);
        let new = items.iter().filter(|item| !self.told.contains(item)).copied().collect();
        self.told = items;
        new
    }

    /// What the space is called; as it was read last, while that is not in memory.
    pub(super) fn title(&self, files: &Files) -> Option<String> {
        match self.space.title(files) {
            Err(error) if error.is_absent() => {}
            read => *self.title.borrow_mut() = read.ok().flatten(),
        }
        self.title.borrow().clone()
    }

    /// Reads the names of devices anew.
    pub(super) fn learn_names(&mut self) {
        let named = |writer: WriterInfo| Some((writer.key, writer.device?));
        self.names = self.space.writers().into_iter().filter_map(named).collect();
    }
}

impl Spaces {
    /// Takes a space in, in place of one with the same key.
    pub(super) fn insert(&mut self, space: Space, channel: Ephemeral) {
        self.joined.insert(space.key(), Box::new(Joined::new(space, channel)));
    }

    /// Lets a space go.
    pub(super) fn remove(&mut self, key: &PublicKey) -> Option<Box<Joined>> {
        self.home = self.home.filter(|home| home != key);
        self.joined.remove(key)
    }

    /// Says which of them is the domain's.
    pub(super) fn set_home(&mut self, key: PublicKey) {
        self.home = Some(key);
    }

    /// Key of the domain's space.
    pub(super) const fn home_key(&self) -> Option<PublicKey> {
        self.home
    }

    /// The domain's space.
    pub(super) fn home(&self) -> Option<&Space> {
        Some(&self.joined.get(self.home.as_ref()?)?.space)
    }

    /// The domain's space.
    pub(super) fn home_mut(&mut self) -> Option<&mut Space> {
        Some(&mut self.joined.get_mut(self.home.as_ref()?)?.space)
    }

    pub(super) fn get(&self, key: &PublicKey) -> Option<&Joined> {
        self.joined.get(key).map(Box::as_ref)
    }

    pub(super) fn get_mut(&mut self, key: &PublicKey) -> Option<&mut Joined> {
        self.joined.get_mut(key).map(Box::as_mut)
    }

    /// When something is due in one of the channels, ms since 1970.
    pub(super) fn deadline(&self) -> Option<u64> {
        self.joined.values().filter_map(|joined| joined.channel.deadline()).min()
    }

    /// Keys of all, ascending.
    pub(super) fn keys(&self) -> Vec<PublicKey> {
        self.joined.keys().copied().collect()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Joined> {
        self.joined.values_mut().map(Box::as_mut)
    }
}
