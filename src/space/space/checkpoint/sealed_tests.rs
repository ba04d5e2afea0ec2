//! What unlocking takes from the sealed base is what it would compute anew, whatever happened since that was written.

use proptest::prelude::*;

use super::tests::readable;
use crate::{
    crypto::Signer,
    space::{
        Range,
        space::{
            Install, Keys, Space,
            tests::{
                Device, meet,
                orders::{Act, Step, four, run, step},
                put, root,
            },
        },
    },
    storage::Files,
    testing::Seeded,
};

/// What can happen between and beside.
#[derive(Clone, Debug)]
enum Turn {
    Step(Step),
    Lock(usize),
    Unlock(usize),
    /// The page is left and opened again, and stays locked.
    Leave(usize),
    /// A device has stored all and is locked while another one does something to a third, and hears of it.
    Away {
        device: usize,
        other: usize,
        target: usize,
        act: Act,
    },
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        12 => step().prop_map(Turn::Step),
        1 => (0..4_usize).prop_map(|device| Turn::Step(Step::Store { device })),
        1 => (0..4_usize).prop_map(Turn::Lock),
        2 => (0..4_usize).prop_map(Turn::Unlock),
        1 => (0..4_usize).prop_map(Turn::Leave),
        3 => (0..3_usize, 0..3_usize, 0..3_usize, prop::sample::select(vec![
            Act::Cut, Act::Hide, Act::HideSince, Act::RootCut, Act::Unhide, Act::Adopt,
        ])).prop_map(|(device, other, target, act)| Turn::Away { device, other, target, act }),
    ]
}

/// The same device, opened from what it has stored, or without any checkpoint.
fn opened(device: &mut Device, scratch: bool) -> Device {
    let mut again = device.reopened();
    if scratch {
        Space::drop_checkpoint(&mut again.files, &again.space.key());
        again.space = Space::open(&mut again.files, again.space.key()).unwrap();
    }
    again
}

/// Unlocked from what is stored, unlocked without it, and as it is, if it is unlocked: all say the same.
fn assert_same(device: &mut Device) {
    let (mut stored, mut scratch) = (opened(device, false), opened(device, true));
    for device in [&mut stored, &mut scratch] {
        device.unlock();
        assert!(!device.space.is_waiting());
    }
    let expected = readable(&scratch.space, &scratch.files);
    assert_eq!(readable(&stored.space, &stored.files), expected);
    if device.space.is_unlocked() {
        assert_eq!(readable(&device.space, &device.files), expected);
    }
    // What it writes next it opens from.
    stored.space.write_checkpoint(&mut stored.files).unwrap();
    assert_eq!(readable(&stored.space, &stored.files), expected);
    let mut again = opened(&mut stored, false);
    again.unlock();
    assert_eq!(readable(&again.space, &again.files), expected);
    for device in [&mut stored, &mut scratch, &mut again] {
        device.lock();
    }
    let locked = readable(&scratch.space, &scratch.files);
    assert_eq!(readable(&stored.space, &stored.files), locked);
    assert_eq!(readable(&again.space, &again.files), locked);
}

proptest! {
    #![proptest_config(crate::testing::cases(48))]

    /// Devices write, cut, hide and meet, locked and unlocked, and write checkpoints at any moment.
    #[test]
    fn unlocking_takes_what_it_would_compute(turns in prop::collection::vec(turn(), 1..50)) {
        let mut devices = four();
        for (count, turn) in turns.iter().enumerate() {
            match turn {
                Turn::Step(Step::Acknowledge { device }) if !devices[*device].space.is_unlocked() => {}
                Turn::Step(Step::Reload { device }) => {
                    assert_same(&mut devices[*device]);
                    let mut again = opened(&mut devices[*device], false);
                    (again.now, again.entropy) = (devices[*device].now, Seeded::new(devices[*device].now));
                    again.unlock();
                    devices[*device] = again;
                }
                Turn::Step(step) => run(&mut devices, step, count),
                Turn::Lock(device) => devices[*device].lock(),
                Turn::Unlock(device) => devices[*device].unlock(),
                Turn::Away { device, other, .. } if device == other => {}
                Turn::Away { device, other, target, act } => {
                    devices[*target].write((0..4).map(|key| put(&format!("key/{key}"), "mine", true)).collect()).ok();
                    for from in [*target, *other] {
                        if let Ok([to, from]) = devices.get_disjoint_mut([*device, from]) {
                            meet(to, from);
                        }
                    }
                    let Device { files, space, .. } = &mut devices[*device];
                    space.write_checkpoint(files).unwrap();
                    space.lock();
                    run(&mut devices, &Step::Act { device: *other, target: *target, act: *act }, count);
                    if let Ok([to, from]) = devices.get_disjoint_mut([*device, *other]) {
                        to.pull_all(from);
                    }
                    devices[*device].unlock();
                    assert_same(&mut devices[*device]);
                }
                Turn::Leave(device) => {
                    let mut again = opened(&mut devices[*device], false);
                    (again.now, again.entropy) = (devices[*device].now, Seeded::new(devices[*device].now));
                    devices[*device] = again;
                }
            }
        }
        devices.iter_mut().for_each(assert_same);
    }
}

/// A device with private entries whose sealed base is stored, locked.
fn stored() -> Device {
    let mut a = Device::founder(1);
    for at in 0..300 {
        a.write(vec![put(&format!("secret/{at:03}"), &format!("hidden {at}"), at % 4 != 0)]).unwrap();
    }
    a.put_private("both", "private");
    a.put("both", "public");
    a.put_private("both", "private again");
    assert!(a.space.write_checkpoint(&mut a.files).unwrap());
    a.put_private("later", "private");
    a.space.lock();
    a
}

fn names(device: &Device) -> Vec<String> {
    device.files.names(&format!("space/{}/view/sealed", device.space.key()))
}

/// All bytes of a file.
fn content(files: &mut Files, name: &str) -> Vec<u8> {
    let file = files.file(name);
    files.read(file, 0, usize::try_from(files.len(file)).unwrap()).unwrap()
}

/// Whatever is wrong with the sealed base, at every byte of it: unlocking shows what it showed, at the latest after what was
/// found wrong was thrown away, and nothing that is wrong is ever shown.
#[test]
fn a_sealed_base_that_is_damaged_is_computed_anew() {
    let mut a = stored();
    let mut whole = opened(&mut a, false);
    whole.unlock();
    let expected = readable(&whole.space, &whole.files);
    assert!(whole.all().iter().any(|item| item.key == "secret/001" && item.private));
    let damaged = |name: &str, spoil: &dyn Fn(&mut Files)| {
        let mut bad = a.backend.clone();
        let mut files = Files::load(bad.snapshot()).unwrap();
        spoil(&mut files);
        while let Some(commit) = files.take_commit() {
            bad.apply(&commit);
        }
        let mut bad = Device::with(bad, a.space.key(), 1);
        bad.unlock();
        let mut seen = bad.space.list(&bad.files, &Range::default()).ok();
        if bad.space.is_waiting() {
            bad.space.resume(&mut bad.files).unwrap();
            seen = bad.space.list(&bad.files, &Range::default()).ok();
        }
        assert_eq!(seen.unwrap(), whole.all(), "{name}");
        assert_eq!(readable(&bad.space, &bad.files), expected, "{name}");
        assert!(!bad.space.is_waiting());
    };
    let all = names(&whole);
    assert_eq!(all.len(), 2, "{all:?}");
    for name in &all {
        let mut files = Files::load(a.backend.snapshot()).unwrap();
        let length = content(&mut files, name).len();
        for at in (0..length).step_by(length / 40) {
            damaged(name, &|files| {
                let file = files.file(name);
                let (at, byte) = (u64::try_from(at).unwrap(), content(files, name)[at]);
                files.write(file, at, &[byte ^ 0x40]).unwrap();
            });
            damaged(name, &|files| {
                let file = files.file(name);
                files.truncate(file, u64::try_from(at).unwrap());
            });
        }
        damaged(name, &|files| files.delete(name));
    }
}

/// Nothing that is private is stored in clear, nor stays in memory once it is locked; without the device's key the sealed
/// base says nothing, and another key begins its own.
#[test]
fn what_is_sealed_opens_for_its_key_only() {
    let mut a = stored();
    let marks: [&[u8]; 2] = [b"secret/001", b"hidden 101"];
    let leaks = |bytes: &[u8]| marks.iter().any(|mark| bytes.windows(mark.len()).any(|part| part == *mark));
    a.commit();
    for name in a.files.names("") {
        assert!(!leaks(&content(&mut a.files, &name)), "{name}");
    }
    let all = names(&a);
    let before: Vec<Vec<u8>> = all.iter().map(|name| content(&mut a.files, name)).collect();
    assert!(before.iter().all(|bytes| bytes.len() > 300) && before.iter().any(|bytes| bytes.len() > 1000));
    // Another device's key, though it was let in by nobody: what it cannot open goes.
    let mut other = opened(&mut a, false);
    other.seed = 77;
    other.unlock();
    assert!(other.all().iter().all(|item| !item.private));
    assert!(names(&other).is_empty());
    other.space.write_checkpoint(&mut other.files).unwrap();
    assert_eq!(names(&other).len(), 1, "of no entries it stores no run");
    // Who never unlocks leaves it alone.
    let mut visitor = opened(&mut a, false);
    visitor.space.write_checkpoint(&mut visitor.files).unwrap();
    let after: Vec<Vec<u8>> = names(&visitor).iter().map(|name| content(&mut visitor.files, name)).collect();
    assert_eq!(before, after);
    visitor.unlock();
    assert_eq!(visitor.values("secret/001"), ["hidden 1"]);
    assert_eq!(visitor.values("later"), ["private"]);
    assert_eq!(visitor.values("both"), ["private again"]);
}

/// What was placed from the base is not placed again: unlocking opens what came since, and takes out what went.
#[test]
fn unlocking_places_only_what_came_or_went() {
    let (mut a, mut b) = (Device::founder(1), Device::asker(2));
    a.grant(&b);
    meet(&mut a, &mut b);
    for at in 0..200 {
        a.put_private(&format!("a/{at}"), "x");
        b.put_private(&format!("b/{at}"), "x");
    }
    meet(&mut a, &mut b);
    a.space.write_checkpoint(&mut a.files).unwrap();
    a.space.lock();
    let mut again = opened(&mut a, false);
    again.unlock();
    assert_eq!(again.space.ledger.sealed, 0);
    assert_eq!(again.all().len(), 400);
    // Two more, while it is locked.
    again.space.lock();
    b.put_private("b/200", "x");
    b.put_private("b/201", "x");
    again.pull_all(&b);
    again.unlock();
    assert_eq!(again.space.ledger.sealed, 2);
    assert_eq!(again.all().len(), 402);
    again.space.write_checkpoint(&mut again.files).unwrap();
    // Its author is cut away while it is locked.
    again.space.lock();
    a.unlock();
    a.pull_all(&b);
    let now = a.time();
    let Device { files, space, entropy, .. } = &mut a;
    space.root_cut(files, now, entropy, &root(), b.key(), Some(100), Vec::new(), false).unwrap();
    let kept = a.all().len();
    again.pull_all(&a);
    let mut again = opened(&mut again, false);
    again.unlock();
    assert_eq!(again.all().len(), kept);
    assert!((102..110).contains(&again.space.ledger.sealed), "{} of b's went", again.space.ledger.sealed);
    assert_same(&mut again);
}

/// The passphrase is changed, a device is recovered: keys become others under an open space and between two openings.
#[test]
fn a_sealed_base_follows_the_keys() {
    let mut a = stored();
    a.unlock();
    let before = readable(&a.space, &a.files);
    // The same space, unlocked with another key before it is locked: what is in the view stays.
    let other = || Keys { signer: Signer::from_seed(&[55; 32]) };
    a.space.unlock(&mut a.files, other()).unwrap();
    assert_eq!(readable(&a.space, &a.files), before);
    assert!(a.space.is_checkpoint_due(), "it is to be sealed for that key");
    a.space.write_checkpoint(&mut a.files).unwrap();
    let mut again = opened(&mut a, false);
    again.space.unlock(&mut again.files, other()).unwrap();
    assert_eq!(again.space.ledger.sealed, 0);
    assert_eq!(readable(&again.space, &again.files), before);
    again.unlock();
    assert_eq!(readable(&again.space, &again.files), before);

    // Recovery: the root opens the seals, a new install is let in, the old one goes.
    let mut lost = stored();
    let shown = {
        lost.unlock();
        lost.all()
    };
    lost.space.lock();
    let mut new = opened(&mut lost, false);
    (new.seed, new.entropy) = (66, Seeded::new(66));
    let now = new.time();
    let (grant, keys) = (new.grant_of(), new.keys());
    let Device { files, space, entropy, .. } = &mut new;
    let install = Install { grant: &grant, keys, message_key: None };
    space.recover(files, now, entropy, &root(), install, true).unwrap();
    let values = |items: Vec<crate::space::Item>| -> Vec<_> {
        items.into_iter().map(|item| (item.key, item.value, item.private)).collect()
    };
    assert_eq!(values(new.all()), values(shown));
    assert_same(&mut new);
}
