//! Root records: which of them count, by the chain of successors and this node's pins.

use super::types::{CountedGrant, GrantSource, Prefix};
use crate::{
    collections::{Map, Set},
    crypto::{Hash, PublicKey},
    space::{RootItem, RootRecord},
};

/// The set of root records, and what follows from it.
#[derive(Clone)]
pub(super) struct Records {
    space: PublicKey,
    held: Map<Hash, Held>,
    pins: Map<PublicKey, Hash>,
    /// What follows.
    pub(super) counted: Counted,
}

/// What the records that count say.
#[derive(Clone, Default, Eq, PartialEq)]
pub(super) struct Counted {
    /// Their hashes.
    pub(super) records: Set<Hash>,
    /// Last root of the chain.
    pub(super) root: Option<PublicKey>,
    /// Roots with rival successors and no pin, ascending.
    pub(super) contested: Vec<PublicKey>,
    pub(super) grants: Map<PublicKey, Vec<CountedGrant>>,
    /// Where the root closed feeds.
    pub(super) cuts: Map<PublicKey, Set<Prefix>>,
    /// Entries whose device cuts the root took away.
    pub(super) voids: Set<Hash>,
    pub(super) unknown: bool,
}

#[derive(Clone)]
struct Held {
    root: PublicKey,
    links: Vec<Hash>,
    items: Vec<RootItem>,
}

impl Held {
    /// The root that the record hands over to. A record that names two names none.
    fn successor(&self) -> Option<PublicKey> {
        let mut named = self.items.iter().filter_map(|item| match item {
            RootItem::Successor(root) => Some(*root),
            _ => None,
        });
        named.next().filter(|_| named.next().is_none())
    }
}

impl Counted {
    fn add(&mut self, record: Hash, item: &RootItem) {
        match item {
            RootItem::Grant(grant) => self.grants.entry(grant.writer).or_default().push(CountedGrant {
                source: GrantSource::Root { record },
                writer: grant.writer,
                person: grant.person,
                role: grant.role,
                from_now_on: grant.from_now_on,
                install_id: grant.install_id,
                name: grant.name.clone(),
                invite: grant.invite,
            }),
            RootItem::Cut { cut, voids } => {
                let prefix = Prefix { length: cut.length, tree_hash: cut.tree_hash };
                self.cuts.entry(cut.writer).or_default().insert(prefix);
                self.voids.extend(voids);
            }
            RootItem::Void(voids) => self.voids.extend(voids),
            RootItem::Successor(_) => {}
            RootItem::Unknown { .. } => self.unknown = true,
        }
    }
}

impl Records {
    pub(super) fn new(space: PublicKey) -> Self {
        let mut records = Self { space, held: Map::new(), pins: Map::new(), counted: Counted::default() };
        records.recount();
        records
    }

    /// Adds a verified record; whether it is new.
    pub(super) fn add(&mut self, record: &RootRecord) -> bool {
        let held = || Held { root: record.root, links: record.links.clone(), items: record.items.clone() };
        let before = self.held.len();
        self.held.entry(record.hash()).or_insert_with(held);
        self.held.len() > before
    }

    /// Pins the successor that this node verified first; whether that is news.
    pub(super) fn pin(&mut self, root: PublicKey, record: Hash) -> bool {
        self.pins.insert(root, record) != Some(record)
    }

    /// Held records that no other names, ascending.
    pub(super) fn heads(&self) -> Vec<Hash> {
        let named: Set<&Hash> = self.held.values().flat_map(|record| &record.links).collect();
        self.held.keys().filter(|hash| !named.contains(hash)).copied().collect()
    }

    /// Works out anew what counts.
    pub(super) fn recount(&mut self) {
        let (records, root, contested) = self.chain();
        let mut counted = Counted { root: Some(root), contested, ..Counted::default() };
        for (hash, record) in records.iter().filter_map(|hash| Some((*hash, self.held.get(hash)?))) {
            record.items.iter().for_each(|item| counted.add(hash, item));
        }
        counted.records = records;
        self.counted = counted;
    }

    /// Last root of the chain.
    pub(super) fn root(&self) -> PublicKey {
        self.counted.root.unwrap_or(self.space)
    }

    /// (records that count, last root, roots whose succession is contested).
    fn chain(&self) -> (Set<Hash>, PublicKey, Vec<PublicKey>) {
        let (mut root, mut counted, mut seen) = (self.space, Set::new(), Set::new());
        loop {
            seen.insert(root);
            let mine = || self.held.iter().filter(|(_, record)| record.root == root);
            let heirs: Map<Hash, PublicKey> = mine()
                .filter_map(|(hash, record)| Some((*hash, record.successor()?)))
                .filter(|(_, next)| !seen.contains(next))
                .collect();
            let heir = match self.pins.get(&root) {
                None if heirs.len() == 1 => heirs.first_key_value(),
                None => None,
                Some(pin) => heirs.get_key_value(pin),
            };
            let Some((heir, next)) = heir else {
                counted.extend(mine().map(|(hash, _)| *hash));
                return (counted, root, if heirs.is_empty() { Vec::new() } else { vec![root] });
            };
            // A superseded root: the successor and its ancestors.
            let (mut line, mut todo) = (Set::new(), vec![*heir]);
            while let Some(hash) = todo.pop() {
                let Some(record) = self.held.get(&hash) else { continue };
                if line.insert(hash) {
                    todo.extend(&record.links);
                }
            }
            counted.extend(mine().map(|(hash, _)| *hash).filter(|hash| line.contains(hash)));
            root = *next;
        }
    }
}
