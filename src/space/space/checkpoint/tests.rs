//! A space that opens from a checkpoint is the same as one that is computed anew, in all that can be read of it.

use proptest::prelude::*;

use crate::{
    feed::{Feed, FeedError, ProofRequest},
    space::{
        Clock, Item, Quarantined, Range, SpaceError, Version,
        access::{CountedGrant, CutState, EpochState},
        space::{
            InviteInfo, Membership, Space, WriterInfo,
            tests::{
                Device, meet,
                orders::{Act, Step, run, step},
                put,
            },
        },
    },
    storage::Files,
    testing::Seeded,
};

/// All that can be read of a space.
#[derive(Debug, PartialEq)]
pub(super) struct Readable {
    all: Vec<Item>,
    all_then: Vec<Item>,
    backwards: Vec<Item>,
    history: Vec<Item>,
    quarantine: Vec<Quarantined>,
    other_branches: Vec<Quarantined>,
    writers: Vec<WriterInfo>,
    epochs: Vec<EpochState>,
    cuts: Vec<CutState>,
    grants: Vec<CountedGrant>,
    invites: Vec<InviteInfo>,
    memberships: Vec<Membership>,
    clock: Clock,
    title: Option<String>,
    needs_update: bool,
    has_message_key: bool,
}

pub(super) fn readable(space: &Space, files: &Files) -> Readable {
    let mut history = space.history(files, None, None, None).unwrap();
    // Of operations of the same rank there are none, but who knows.
    history.sort_by_key(|item| (item.key.clone(), item.version));
    let version = |taken: &Quarantined| -> (Version, String) { (taken.item.version, taken.item.key.clone()) };
    let mut other_branches = space.other_branches(files).unwrap();
    other_branches.sort_by_key(version);
    let clock = space.clock();
    // Half of all that is here.
    let then: Clock = clock.iter().map(|(writer, length)| (*writer, length.div_ceil(2))).collect();
    let mut cuts = space.access.cuts();
    cuts.sort_by_key(|cut| (cut.author, cut.index, cut.target, cut.length));
    let mut grants = space.access.grants();
    grants.sort_by_key(|grant| format!("{grant:?}"));
    Readable {
        all: space.list(files, &Range::default()).unwrap(),
        all_then: space.list_at(files, &then, &Range::default()).unwrap(),
        backwards: space.list(files, &Range { reverse: true, limit: Some(3), ..Range::default() }).unwrap(),
        history,
        quarantine: space.quarantine(files, None, None, None).unwrap(),
        other_branches,
        writers: space.writers(),
        epochs: space.access.epochs(),
        cuts,
        grants,
        invites: space.invites(),
        memberships: space.memberships(),
        clock,
        title: space.title(files).unwrap(),
        needs_update: space.needs_update(),
        has_message_key: space.message_key().is_some(),
    }
}

/// Opens what a device has stored twice, with its checkpoint and without, and compares all that can be read.
pub(crate) fn assert_as_from_scratch(device: &mut Device) {
    let mut stored = device.reopened();
    let mut scratch = device.reopened();
    Space::drop_checkpoint(&mut scratch.files, &scratch.space.key());
    scratch.space = Space::open(&mut scratch.files, scratch.space.key()).unwrap();
    assert_eq!(readable(&stored.space, &stored.files), readable(&scratch.space, &scratch.files));
    for device in [&mut stored, &mut scratch] {
        device.unlock();
    }
    assert_eq!(readable(&stored.space, &stored.files), readable(&scratch.space, &scratch.files));
    stored.lock();
    scratch.lock();
    assert_eq!(readable(&stored.space, &stored.files), readable(&scratch.space, &scratch.files));
}

/// Fetches everything, branches of forked feeds too.
fn exchange(to: &mut Device, from: &Device) {
    to.pull_records(from);
    for _ in 0..3 {
        let feeds: Vec<_> = from.space.feeds().map(Feed::key).collect();
        for feed in feeds {
            fetch(to, from, &feed);
        }
    }
}

fn fetch(to: &mut Device, from: &Device, feed: &crate::crypto::PublicKey) {
    let (Some(ours), Some(theirs)) = (to.space.feed(feed), from.space.feed(feed)) else { return };
    let common = (0..ours.length().min(theirs.length()))
        .find(|index| ours.leaf(&to.files, *index).unwrap() != theirs.leaf(&from.files, *index).unwrap());
    match common {
        Some(index) => {
            let branch = theirs.branch(&from.files, index, theirs.length()).unwrap();
            to.space.compare_branch(&mut to.files, feed, branch).unwrap();
            for (index, leaf, start, length) in to.space.sides_wanted(&to.files, feed) {
                match from.space.prove_side(&from.files, feed, (index, &leaf), start, length, 1 << 20) {
                    Ok((proof, blocks)) => {
                        to.space.accept_side(&mut to.files, feed, index, &leaf, &proof, &blocks).unwrap();
                    }
                    Err(SpaceError::Feed(FeedError::NotHeld { .. })) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        }
        None if theirs.length() > ours.length() => {
            let (start, have, end) = (ours.contiguous(), ours.length(), theirs.contiguous());
            if start >= end {
                return;
            }
            let request = ProofRequest { blocks: start..end, from: have, to: theirs.length() };
            let Ok(proof) = theirs.prove(&from.files, &request) else { return };
            let blocks: Vec<_> =
                (start..end).map(|index| theirs.get(&from.files, index).unwrap().unwrap()).collect();
            to.space.accept(&mut to.files, feed, &proof, &blocks).unwrap();
        }
        None => {}
    }
}

/// Three devices that know each other, and a copy of the second, which signs with the same key.
fn with_twin() -> Vec<Device> {
    let mut a = Device::founder(1);
    let (mut b, mut c) = (Device::asker(2), Device::asker(3));
    a.grant(&b);
    a.grant(&c);
    meet(&mut a, &mut b);
    meet(&mut a, &mut c);
    let mut twin = b.reopened();
    twin.unlock();
    twin.entropy = Seeded::new(77);
    vec![a, b, c, twin]
}

proptest! {
    #![proptest_config(crate::testing::cases(48))]

    /// Two copies of a device write two histories, the others cut, hide, and pick branches for good; checkpoints are
    /// written and spaces opened from them at any moment.
    #[test]
    fn forked_spaces_open_from_checkpoints_as_from_scratch(steps in prop::collection::vec(step(), 1..40)) {
        let mut devices = with_twin();
        for (count, step) in steps.iter().enumerate() {
            match step {
                Step::Pull { to, from, .. } | Step::Records { to, from } => {
                    if let Ok([to, from]) = devices.get_disjoint_mut([*to, *from]) {
                        exchange(to, from);
                    }
                }
                // A copy of an own feed that was removed for a longer one would be another story.
                Step::Act { act: Act::Adopt, .. } => {}
                step => run(&mut devices, step, count),
            }
        }
        devices.iter_mut().for_each(assert_as_from_scratch);
    }
}

/// What is damaged, cut short, of another version or of other feeds is not taken, and all is there all the same.
#[test]
fn an_unfit_checkpoint_is_dropped() {
    let mut a = Device::founder(1);
    for at in 0..40 {
        a.write(vec![put(&format!("key/{at}"), "value", at % 5 == 0)]).unwrap();
    }
    let key = a.space.key();
    a.space.write_checkpoint(&mut a.files).unwrap();
    a.put("later", "value");
    a.space.lock();
    let expected = readable(&a.space, &a.files);
    let names = a.files.names(&format!("space/{key}/view/"));
    assert_eq!(names.len(), 5, "{names:?}");
    for name in names {
        let mut once = a.reopened();
        let file = once.files.file(&name);
        let length = once.files.len(file);
        for at in (0..length).step_by(usize::try_from(length.div_ceil(60)).unwrap()) {
            // Bytes that are wrong though the storage's checksums are right.
            let mut bad = a.reopened();
            let file = bad.files.file(&name);
            let byte = bad.files.read(file, at, 1).unwrap()[0];
            bad.files.write(file, at, &[byte ^ 0x15]).unwrap();
            // Whatever comes of it, nothing fails and nobody panics.
            if let Ok(space) = Space::open(&mut bad.files, key) {
                let _ = space.list(&bad.files, &Range::default());
            }
            let mut short = a.reopened();
            let file = short.files.file(&name);
            short.files.truncate(file, at);
            let space = Space::open(&mut short.files, key).unwrap();
            assert_eq!(readable(&space, &short.files), expected, "{name} of {at} bytes");
        }
    }
    let mut other = a.reopened();
    let state = other.files.file(&format!("space/{key}/view/state"));
    other.files.write(state, 1, &[99]).unwrap();
    let space = Space::open(&mut other.files, key).unwrap();
    assert_eq!(readable(&space, &other.files), expected);
    assert!(other.files.names(&format!("space/{key}/view/")).is_empty(), "another layout is deleted");
}
