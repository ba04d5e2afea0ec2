//! A space whose pages are on the disk says the same as one that has all in memory, once it has what it wants.

use proptest::prelude::*;

use super::tests::readable;
use crate::{
    feed::{Feed, ProofRequest},
    space::{
        Range, SpaceError,
        space::{
            Keys, Space,
            tests::{
                Device, meet,
                orders::{four, run, step},
                put,
            },
        },
    },
    storage::{Files, MemoryBackend, PageKey, Residency, Rule},
};

fn is_lazy(name: &str) -> Residency {
    match name.ends_with("/data") || name.ends_with("/tree") || name.contains("/view/") {
        true => Residency::Lazy,
        false => Residency::Always,
    }
}

/// A device of which hardly anything is in memory.
struct Lazy {
    files: Files,
    space: Space,
    backend: MemoryBackend,
    /// How often something had to be supplied.
    supplied: usize,
}

fn supply(files: &mut Files, backend: &MemoryBackend) -> bool {
    let wanted = files.take_wanted();
    for key in &wanted {
        files.supply(key, backend.page(key));
    }
    !wanted.is_empty()
}

impl Lazy {
    fn of(device: &mut Device, rule: Rule) -> Self {
        device.commit();
        if let Some(compaction) = device.files.compaction(true) {
            device.backend.compact(&compaction);
            device.files.committed(compaction.through);
        }
        let backend = device.backend.clone();
        let mut files = Files::load_lazy(backend.lazy_snapshot(rule), rule, 0).unwrap();
        let key = device.space.key();
        let space = loop {
            match Space::open(&mut files, key) {
                Ok(space) => break space,
                Err(error) => assert!(error.is_absent() && supply(&mut files, &backend), "{error}"),
            }
        };
        Self { files, space, backend, supplied: 0 }
    }

    /// Does something as often as it takes; what waits is gone on with.
    fn act<T>(&mut self, mut act: impl FnMut(&mut Space, &mut Files) -> Result<T, SpaceError>) -> T {
        loop {
            match act(&mut self.space, &mut self.files) {
                Ok(done) => {
                    self.catch_up();
                    return done;
                }
                Err(error) => assert!(error.is_absent() && supply(&mut self.files, &self.backend), "{error}"),
            }
            self.supplied += 1;
        }
    }

    fn catch_up(&mut self) {
        let (mut rounds, mut idle) = (0, 0);
        while self.space.is_waiting() {
            // A round may find that more is to be judged, and read nothing yet.
            idle = if supply(&mut self.files, &self.backend) { 0 } else { idle + 1 };
            assert!(idle < 2, "it waits for nothing");
            self.space.resume(&mut self.files).unwrap();
            self.supplied += 1;
            rounds += 1;
            assert!(rounds < 1000, "it waits for ever");
        }
        // All that may go goes.
        self.files.trim();
    }

    fn pull_all(&mut self, from: &Device) {
        for record in from.space.records() {
            self.act(|space, files| space.add_record(files, record));
        }
        for proof in from.space.equivocations() {
            self.act(|space, files| match space.add_equivocation(files, &proof) {
                Err(SpaceError::NoWriter { .. }) => Ok(false),
                other => other,
            });
        }
        for _ in 0..3 {
            for key in from.space.feeds().map(Feed::key) {
                let Some(theirs) = from.space.feed(&key) else { continue };
                let Some(ours) = self.space.feed(&key) else { continue };
                let (start, have, to) = (ours.contiguous(), ours.length(), theirs.length());
                let end = theirs.contiguous();
                if have >= to || start >= end {
                    continue;
                }
                let request = ProofRequest { blocks: start..end, from: have, to };
                let Ok(proof) = theirs.prove(&from.files, &request) else { continue };
                let block = |index| theirs.get(&from.files, index).unwrap().unwrap();
                let blocks: Vec<_> = (start..end).map(block).collect();
                self.act(|space, files| space.accept(files, &key, &proof, &blocks));
            }
        }
    }

    fn absent(&self) -> Vec<PageKey> {
        self.files.absent(&|_| true, usize::MAX)
    }

    /// Has everything in memory.
    fn fill(&mut self) {
        for key in self.absent() {
            self.files.supply(&key, self.backend.page(&key));
        }
    }
}

/// Writes as much as a few pages of blocks and tree hold, if the device may.
fn pad(device: &mut Device) {
    let writes: Vec<_> =
        (0..250).map(|n| vec![put(&format!("pad/{n}"), &"pad ".repeat(30), false)]).collect();
    let now = device.now;
    let Device { files, space, entropy, .. } = device;
    drop(space.write_many(files, now, entropy, writes));
}

proptest! {
    #![proptest_config(crate::testing::cases(24))]

    #[test]
    fn what_is_not_in_memory_makes_no_difference(
        steps in prop::collection::vec(step(), 1..30),
        later in prop::collection::vec(step(), 1..12),
        locked: bool,
    ) {
        let mut devices = four();
        for (count, step) in steps.iter().enumerate() {
            run(&mut devices, step, count);
        }
        // Enough on top of it that all of it is on pages that need not be in memory: the last one of a file always is.
        for device in &mut devices {
            pad(device);
        }
        for from in [0, 1, 3] {
            if let Ok([to, from]) = devices.get_disjoint_mut([2, from]) {
                to.pull_all(from);
            }
        }
        // The third device is left alone from here on, and then hears all.
        let mut lazy = Lazy::of(&mut devices[2], is_lazy);
        let mut eager = Lazy::of(&mut devices[2], |_| Residency::Always);
        // Nothing, if it was cut before it could write as much: once in about 500 cases.
        let on_disk = lazy.absent().len();
        if !locked {
            for device in [&mut lazy, &mut eager] {
                let signer = devices[2].signer();
                device.space.unlock(&mut device.files, Keys { signer }).unwrap();
                device.catch_up();
            }
        }
        for (count, step) in later.iter().enumerate() {
            run(&mut devices, step, 100 + count);
        }
        for from in [0, 1, 3] {
            lazy.pull_all(&devices[from]);
            eager.pull_all(&devices[from]);
        }
        lazy.act(|space, files| space.list(files, &Range::default()));
        lazy.act(|space, files| space.write_checkpoint(files));
        lazy.act(|space, files| space.list(files, &Range { reverse: true, ..Range::default() }));
        prop_assert!(lazy.supplied > 0 || on_disk == 0, "of {} pages none was wanted", on_disk);
        lazy.fill();
        prop_assert_eq!(readable(&lazy.space, &lazy.files), readable(&eager.space, &eager.files));
    }
}

/// A few thousand entries: what is on the disk stays there but for what is asked for, with a checkpoint and without; a cut
/// that takes old entries back reads those and no others.
#[test]
fn little_is_read_of_what_is_on_the_disk() {
    let (mut a, mut b) = (Device::founder(1), Device::asker(2));
    a.grant(&b);
    meet(&mut a, &mut b);
    let many = |at: usize, device: &mut Device| {
        let writes: Vec<_> = (0..1500)
            .map(|n| vec![put(&format!("log/{at}/{n:05}"), &"value ".repeat(20), n % 50 == 49)])
            .collect();
        let now = device.now;
        let Device { files, space, entropy, .. } = device;
        space.write_many(files, now, entropy, writes).into_iter().for_each(|done| drop(done.unwrap()));
    };
    many(0, &mut a);
    many(1, &mut b);
    meet(&mut a, &mut b);
    let pages = |lazy: &Lazy| lazy.files.memory().supplied;
    let mut without = Lazy::of(&mut a, is_lazy);
    without.catch_up();
    without.fill();
    let expected = readable(&without.space, &without.files);
    let all = pages(&without);
    assert!(all > 40, "{all} pages");
    a.space.write_checkpoint(&mut a.files).unwrap();
    let mut lazy = Lazy::of(&mut a, is_lazy);
    assert!(!lazy.space.is_waiting());
    let opened = pages(&lazy);
    assert!(opened * 6 < all, "{opened} of {all} pages to open");
    let range =
        Range { reverse: true, limit: Some(20), prefix: Some("log/1".to_owned()), ..Range::default() };
    let last = lazy.act(|space, files| space.list(files, &range));
    assert_eq!(last.len(), 20);
    assert!(lazy.supplied < 8, "{} times", lazy.supplied);
    assert!(pages(&lazy) - opened < 20, "{} pages for twenty values", pages(&lazy) - opened);
    // Old private entries are found at unlock, and gone after.
    lazy.space.unlock(&mut lazy.files, Keys { signer: a.signer() }).unwrap();
    assert!(lazy.space.is_waiting());
    lazy.catch_up();
    let private = Range { prefix: Some("log/0/00049".to_owned()), ..Range::default() };
    assert_eq!(lazy.act(|space, files| space.list(files, &private)).len(), 1);
    lazy.space.lock();
    assert_eq!(lazy.act(|space, files| space.list(files, &private)).len(), 0);
    lazy.fill();
    assert_eq!(readable(&lazy.space, &lazy.files), expected);
    // All that the second device wrote is cut away, and it was in the stored part.
    let now = a.time();
    let Device { files, space, entropy, .. } = &mut a;
    let root = crate::space::space::tests::root();
    space.root_cut(files, now, entropy, &root, b.key(), Some(0), Vec::new(), false).unwrap();
    assert_eq!(space.list(files, &Range::prefix("log/1")).unwrap().len(), 0);
    let mut later = Lazy::of(&mut b, is_lazy);
    later.pull_all(&a);
    assert_eq!(later.act(|space, files| space.list(files, &Range::prefix("log/1"))).len(), 0);
    assert_eq!(lazy.act(|space, files| space.list(files, &Range::prefix("log/1/0001"))).len(), 10);
    lazy.files.trim();
    lazy.pull_all(&a);
    assert!(lazy.act(|space, files| space.list(files, &Range::prefix("log/1"))).is_empty());
}
