//! A node that is put away and taken out again: by all that is stored of its engine, or by judgements and acts alone.

use super::{Node, long};
use crate::{
    crypto::PublicKey,
    space::{Entry, RootRecord, access::Access},
};

impl Node<'_> {
    /// Begins anew with an engine that is told only what would be stored: what it keeps of entries, and runs of the
    /// others.
    pub(super) fn restore(&mut self) {
        self.access = self.told();
        self.mirror.clear();
    }

    /// An engine that knows records and pins, and no entries.
    fn rooted(&self) -> Access {
        let mut access = Access::new(self.real.root(&self.world.space));
        for record in &self.held.records {
            let bytes = &self.real.records[&record.hash()];
            let space = self.real.root(&self.world.space);
            access.add_record(&RootRecord::decode(&space, bytes).unwrap());
        }
        for (root, record) in &self.held.pins {
            access.pin(self.real.root(root), self.real.record_hashes[record]);
        }
        access
    }

    /// Begins anew with an engine that is told only judgements and acts, if the one that there is can tell them; whether
    /// it could. `spoil` changes what is told.
    pub(crate) fn shallow(&mut self, spoil: impl Fn(&mut Vec<u8>)) -> bool {
        let keys: Vec<PublicKey> = self.real.keys.values().copied().collect();
        let number = |key: &PublicKey| keys.iter().position(|other| other == key).unwrap_or(usize::MAX);
        let number = &mut |key: &PublicKey| u32::try_from(number(key)).unwrap();
        let Some(mut stored) = self.access.summary(number) else { return false };
        spoil(&mut stored);
        let mut access = self.rooted();
        for (writer, given) in &self.given {
            let key = self.real.keys[writer];
            for (index, leaf) in
                given.iter().enumerate().take(usize::try_from(self.access.next(&key)).unwrap())
            {
                let (block, hash) = &self.real.blocks[leaf];
                let mut entry = Entry::decode(block).unwrap();
                entry.public.clear();
                if !entry.access.is_empty() {
                    access.add_act(&key, long(index), *hash, &entry);
                }
            }
        }
        let key = |number: u32| keys[usize::try_from(number).unwrap()];
        if !access.restore(&self.heads, &stored, &key, number) {
            return false;
        }
        for writer in self.given.keys() {
            let key = self.real.keys[writer];
            access.add_run(&key, self.access.next(&key));
        }
        self.heads.trees.keys().for_each(|key| access.grew(key));
        let mut full = self.told();
        full.settle(&self.heads);
        access.set_past(full);
        self.access = access;
        self.mirror.clear();
        true
    }

    /// Every clock and every precedence, as one who was told all says, and as this engine does.
    pub(crate) fn assert_clocks(&self) {
        if !self.access.is_shallow() {
            return;
        }
        let mut full = self.told();
        full.settle(&self.heads);
        let keys: Vec<PublicKey> = self.real.keys.values().copied().collect();
        for key in &keys {
            for index in 0..full.next(key) {
                // Who judges what waits, too, knows more.
                if full.order(key, index).is_none() {
                    continue;
                }
                assert_eq!(self.access.order(key, index), full.order(key, index));
                assert_eq!(self.access.clock_of(key, index), full.clock_of(key, index));
                for other in keys.iter().flat_map(|key| (0..full.next(key)).map(move |index| (key, index))) {
                    let both = [&self.access, &full].map(|access| access.precedes(other, (key, index)));
                    assert_eq!(both[0], both[1]);
                }
            }
        }
        assert_eq!(self.access.followed().len(), full.followed().len());
        assert!(full.followed().iter().all(|key| self.access.is_followed(key)));
        assert_eq!(self.access.needs_update(), full.needs_update());
    }

    /// An engine that is told all that would be stored.
    fn told(&self) -> Access {
        let (mut access, old) = (self.rooted(), &self.access);
        for (writer, given) in &self.given {
            let key = self.real.keys[writer];
            for (index, leaf) in given.iter().enumerate().take(usize::try_from(old.next(&key)).unwrap()) {
                let (block, hash) = &self.real.blocks[leaf];
                let mut entry = Entry::decode(block).unwrap();
                if Access::keeps(&entry) {
                    entry.public.clear();
                    let proved = !old.is_shallow() && old.is_proved(&key, long(index));
                    access.add_run(&key, long(index));
                    assert!(access.add_known(&key, long(index), *hash, Some(&entry), proved));
                }
            }
            access.add_run(&key, old.next(&key));
        }
        for leaf in &self.strays {
            let entry = &self.world.entries[self.blocks[leaf]];
            let (block, hash) = &self.real.blocks[leaf];
            let key = self.real.keys[&entry.writer];
            access.add_stray(&key, *hash, &Entry::decode(block).unwrap());
        }
        self.heads.trees.keys().for_each(|key| access.grew(key));
        access
    }
}
