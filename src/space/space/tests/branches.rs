//! Branches of a forked feed: what is kept under a branch's name is that branch, whatever peers send; and what peers told
//! outlives computing all anew.

use super::{
    super::{branches::Side, load::store_side},
    *,
};
use crate::{crypto::Hash, feed::Proof};

/// A founder who has the second branch of a forked feed, two copies of the device that signed it, and a visitor who has
/// the first one and the proof; and the block at which they part with its leaf in the second branch.
struct Forked {
    founder: Device,
    one: Device,
    two: Device,
    visitor: Device,
    at: (u64, Hash),
}

fn forked() -> Forked {
    let (mut founder, mut one) = (Device::founder(1), Device::asker(2));
    founder.grant(&one);
    meet(&mut founder, &mut one);
    one.put("common/0", "both");
    one.put("common/1", "both");
    meet(&mut founder, &mut one);
    let mut two = one.reopened();
    two.unlock();
    two.entropy = Seeded::new(77);
    two.now = 5000;
    let (key, index) = (one.key(), one.space.feed(&one.key()).unwrap().length());
    for n in 0..4 {
        one.put(&format!("one/{n}"), "one");
        two.put(&format!("two/{n}"), "two");
    }
    founder.pull_all(&two);
    let mut visitor = Device::new(9);
    visitor.pull_records(&founder);
    visitor.pull_all(&one);
    let theirs = two.space.branch(&two.files, &key, index).unwrap();
    let leaf = theirs.side.leaf.hash;
    assert_eq!(visitor.space.compare_branch(&mut visitor.files, &key, theirs).unwrap().0, Some(true));
    Forked { founder, one, two, visitor, at: (index, leaf) }
}

/// Blocks of a device's main branch from `start` on, for one who knows `from` blocks.
fn proved(device: &Device, start: u64, from: u64) -> (Proof, Vec<Vec<u8>>) {
    let key = device.key();
    let leaf = device.space.feed(&key).unwrap().leaf(&device.files, start).unwrap().unwrap();
    device.space.prove_side(&device.files, &key, (start, &leaf), start, from, 1 << 20).unwrap()
}

impl Forked {
    fn offer(&mut self, (proof, blocks): &(Proof, Vec<Vec<u8>>)) -> Result<(), SpaceError> {
        let (key, (index, leaf)) = (self.one.key(), self.at);
        self.visitor.space.accept_side(&mut self.visitor.files, &key, index, &leaf, proof, blocks)
    }

    /// The second branch is taken, outlives a reload, and becomes the main one when the root picks it.
    fn take_and_pick(mut self) {
        let key = self.one.key();
        self.offer(&proved(&self.two, self.at.0, 0)).unwrap();
        assert_eq!(self.visitor.space.sides_held(&key), [self.at]);
        self.visitor = self.visitor.reopened();
        assert_eq!(self.visitor.space.sides_held(&key), [self.at]);
        assert_eq!(self.visitor.values("two/3"), Vec::<String>::new());
        self.founder.root_cut(key, false);
        self.visitor.pull_records(&self.founder);
        while self.visitor.space.is_waiting() {
            self.visitor.space.resume(&mut self.visitor.files).unwrap();
        }
        assert_eq!(self.visitor.values("two/3"), ["two"]);
        assert_eq!(self.visitor.values("one/0"), Vec::<String>::new());
        assert_eq!(self.visitor.space.sides_held(&key).len(), 1, "the first one is kept beside it");
    }
}

#[test]
fn a_branch_that_was_refused_leaves_no_place_for_another_one() {
    let mut all = forked();
    let (key, (index, leaf)) = (all.one.key(), all.at);
    let wanted = all.visitor.space.sides_wanted(&all.visitor.files, &key);
    assert_eq!(wanted, [(index, leaf, index, 0)]);
    // The right block, with a proof for one who knows more than this node.
    let refused = all.offer(&proved(&all.two, index, 1));
    assert!(matches!(refused, Err(SpaceError::Feed(FeedError::Stale { .. }))), "{refused:?}");
    assert_eq!(all.visitor.space.sides_held(&key), []);
    // The main branch, under the name of the other one.
    let refused = all.offer(&proved(&all.one, index, 0));
    assert!(matches!(refused, Err(SpaceError::Feed(FeedError::BadProof { .. }))), "{refused:?}");
    // And again after a reload.
    all.visitor = all.visitor.reopened();
    assert!(all.offer(&proved(&all.one, index, 0)).is_err());
    assert_eq!(all.visitor.space.sides_wanted(&all.visitor.files, &key), wanted);
    all.take_and_pick();
}

#[test]
fn a_branch_that_is_held_takes_no_other_one() {
    let mut all = forked();
    let (key, index) = (all.one.key(), all.at.0);
    all.offer(&proved(&all.two, index, 0)).unwrap();
    let length = all.two.space.feed(&key).unwrap().length();
    all.one.put("one/4", "one");
    for from in [0, index, length] {
        assert!(all.offer(&proved(&all.one, index, from)).is_err(), "from {from}");
    }
    all.take_and_pick();
}

/// What earlier versions of this program may have stored.
#[test]
fn another_branch_that_is_stored_under_the_name_of_one_is_dropped() {
    for empty in [true, false] {
        let mut all = forked();
        let (key, (index, leaf)) = (all.one.key(), all.at);
        let Device { files, space, .. } = &mut all.visitor;
        let mut side = Side::open(files, key, index, leaf).unwrap();
        if !empty {
            let (proof, blocks) = proved(&all.one, index, 0);
            side.feed.accept(files, &proof, &blocks).unwrap();
        }
        store_side(files, space.files.sides, &key, index, &leaf).unwrap();
        all.visitor = all.visitor.reopened();
        assert_eq!(all.visitor.space.sides_held(&key), []);
        let wanted = all.visitor.space.sides_wanted(&all.visitor.files, &key);
        assert_eq!(wanted, [(index, leaf, index, 0)]);
        all.take_and_pick();
    }
}

/// Some page was found damaged: all is computed anew.
fn compute_anew(device: &mut Device, owner: PublicKey) {
    device.space.doubt(&mut device.files, owner);
    device.space.resume(&mut device.files).unwrap();
    assert!(!device.space.is_waiting());
}

#[test]
fn a_restored_copy_that_was_told_of_more_does_not_write_after_computing_anew() {
    let (mut founder, mut device) = (Device::founder(1), Device::asker(2));
    founder.grant(&device);
    meet(&mut founder, &mut device);
    device.put("before", "the back-up");
    let mut restored = device.reopened();
    restored.unlock();
    device.put("after", "the back-up");
    let (key, now) = (device.key(), 7_777_777);
    let head = *device.space.feed(&key).unwrap().head().unwrap();
    restored.space.hear(&key, &head);
    restored.space.note_time(now);
    let behind = Err(SpaceError::Behind { length: head.length, held: head.length - 1 });
    assert_eq!(restored.write(vec![put("x", "y", false)]), behind);
    for owner in [founder.key(), restored.space.key()] {
        compute_anew(&mut restored, owner);
        assert_eq!(restored.write(vec![put("x", "y", false)]), behind);
    }
    assert_eq!((restored.space.heard(&key), restored.space.received.now), (head.length, now));
    assert!(!restored.space.is_fresh());
    // With what it wrote since, it goes on.
    restored.pull_all(&device);
    restored.put("x", "y");
    assert_eq!(restored.values("after"), ["the back-up"]);
}

#[test]
fn a_proof_that_came_before_its_writer_outlives_computing_anew() {
    let mut all = forked();
    let (key, proof) = (all.one.key(), all.visitor.space.equivocations().next().unwrap());
    let mut early = Device::new(10);
    let founder = all.founder.key();
    early.pull_records(&all.founder);
    assert!(early.pull(&all.founder, &founder, 1));
    let refused = early.space.add_equivocation(&mut early.files, &proof);
    assert_eq!(refused, Err(SpaceError::NoWriter { writer: key }));
    compute_anew(&mut early, founder);
    all.founder.put("later", "value");
    early.pull_all(&all.founder);
    assert_eq!(early.space.fork_of(&key), Some(all.at.0));
}

/// A peer moves a byte from a leaf to the one beside it: what was signed is signed still, and it is the same block.
#[test]
fn sizes_that_a_peer_made_up_show_no_fork() {
    let mut all = forked();
    let key = all.one.key();
    let mut longer = all.one.reopened();
    longer.unlock();
    longer.put("one/4", "one");
    for index in (0..longer.space.feed(&key).unwrap().length()).step_by(2) {
        let mut theirs = longer.space.branch(&longer.files, &key, index).unwrap();
        let Some(beside) = theirs.side.nodes.first_mut().filter(|node| node.index == 2 * index + 2) else {
            continue;
        };
        beside.size -= 1;
        theirs.side.leaf.size += 1;
        let compared = all.one.space.compare_branch(&mut all.one.files, &key, theirs).unwrap();
        assert_eq!(compared, (Some(false), None), "{index}");
    }
    assert_eq!(all.one.space.fork_of(&key), None);
}

/// Who signs two histories again and again takes no more room for it than for some, and the lowest fork is known.
#[test]
fn of_many_forks_of_one_writer_few_proofs_are_kept() {
    let (mut founder, mut one) = (Device::founder(1), Device::asker(2));
    founder.grant(&one);
    meet(&mut founder, &mut one);
    let key = one.key();
    let mut twins = Vec::new();
    for n in 0..40 {
        let mut twin = one.reopened();
        twin.unlock();
        twin.entropy = Seeded::new(100 + n);
        twins.push(twin);
        one.put(&format!("one/{n}"), "one");
    }
    founder.pull_all(&one);
    let mut sizes = Vec::new();
    for mut twin in twins.into_iter().rev() {
        let index = twin.space.feed(&key).unwrap().length();
        twin.put("two", "two");
        let theirs = twin.space.branch(&twin.files, &key, index).unwrap();
        let taken = founder.space.equivocations_taken();
        let (found, proof) = founder.space.compare_branch(&mut founder.files, &key, theirs).unwrap();
        assert_eq!((found, founder.space.fork_of(&key)), (Some(true), Some(index)));
        assert_eq!(founder.space.equivocations_taken(), taken + 1, "peers are told of it");
        let again = founder.space.add_equivocation(&mut founder.files, &proof.unwrap()).unwrap();
        assert!(!again);
        sizes.push(founder.files.len(founder.space.files.forks));
    }
    let (most, last) = (sizes.iter().max().unwrap(), sizes.last().unwrap());
    assert!(most == last || last * 11 > most * 10, "{sizes:?}");
    let kept: Vec<_> = founder.space.equivocations().collect();
    assert_eq!(kept.len(), 16);
    let lowest = founder.space.fork_of(&key);
    let founder = founder.reopened();
    assert_eq!(founder.space.equivocations().collect::<Vec<_>>(), kept);
    assert_eq!(founder.space.fork_of(&key), lowest);
}
