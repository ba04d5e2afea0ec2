//! A space whose access engine does not know its whole history, and how it gets to know it.

use super::tests::{assert_as_from_scratch, readable};
use crate::space::{
    Space,
    space::tests::{Device, meet},
};

/// Two devices that answered each other, the first one opened from its checkpoint.
fn answered() -> (Device, Device) {
    let (mut a, mut b) = (Device::founder(1), Device::asker(2));
    a.grant(&b);
    meet(&mut a, &mut b);
    for n in 0..30 {
        a.put(&format!("a/{n}"), "value");
        a.put("both", &n.to_string());
        meet(&mut a, &mut b);
        b.put(&format!("b/{n}"), "value");
        if n % 3 == 0 {
            b.put("both", &n.to_string());
        }
        meet(&mut a, &mut b);
    }
    assert!(a.space.write_checkpoint(&mut a.files).unwrap());
    let mut again = a.reopened();
    again.unlock();
    again.now = a.now;
    assert!(again.space.access.is_shallow() && again.space.access.facts() < 10);
    (again, b)
}

fn assert_as_scratch(device: &mut Device) {
    let mut scratch = device.reopened();
    Space::drop_checkpoint(&mut scratch.files, &scratch.space.key());
    scratch.space = Space::open(&mut scratch.files, scratch.space.key()).unwrap();
    scratch.unlock();
    assert!(!scratch.space.access.is_shallow());
    assert_eq!(readable(&device.space, &device.files), readable(&scratch.space, &scratch.files));
}

/// Writing, being answered, reading, storing: nothing of it wants what was left out.
#[test]
fn life_goes_on_without_the_history() {
    let (mut a, mut b) = answered();
    for n in 0..10 {
        a.put(&format!("a/{n}"), "again");
        meet(&mut a, &mut b);
        b.put(&format!("b/{n}"), "again");
        b.put("both", "again");
        meet(&mut a, &mut b);
        assert_eq!(a.values("both"), ["again"]);
        assert_eq!(a.all().len(), 61);
        assert!(a.space.access.is_shallow() && !a.space.is_waiting());
    }
    assert!(a.space.write_checkpoint(&mut a.files).unwrap());
    let opened = a.reopened();
    assert!(opened.space.access.is_shallow() && opened.space.access.facts() < 10);
    assert_as_scratch(&mut a);
    assert_as_from_scratch(&mut a);
}

/// A removal by the other device stands on what is known; one by the root, on all of it.
#[test]
fn removals_come_to_the_same() {
    let (mut a, b) = answered();
    a.cut(b.key());
    assert!(a.space.access.is_shallow());
    assert_as_scratch(&mut a);
    let (mut a, b) = answered();
    let now = a.time();
    let Device { files, space, entropy, .. } = &mut a;
    let root = crate::space::space::tests::root();
    space.root_cut(files, now, entropy, &root, b.key(), Some(4), Vec::new(), false).unwrap();
    assert!(!a.space.access.is_shallow() && !a.space.is_waiting());
    assert!(a.names().iter().all(|name| name != "b/20"));
    assert_as_scratch(&mut a);
    // What is closed for good is stored as it is judged now.
    assert!(a.space.write_checkpoint(&mut a.files).unwrap());
    assert!(a.reopened().space.access.is_shallow());
    assert_as_from_scratch(&mut a);
}

/// Facts that cannot be read do not matter until they are wanted; then all is computed from the feeds.
#[test]
fn facts_that_are_damaged_are_made_anew() {
    for length in [0, 100] {
        let (mut a, b) = answered();
        let facts = a.files.file(&format!("space/{}/view/facts", a.space.key()));
        a.files.truncate(facts, length);
        let mut a = a.reopened();
        a.unlock();
        a.now = 5000;
        assert!(a.space.access.is_shallow());
        a.put("later", "value");
        let now = a.time();
        let Device { files, space, entropy, .. } = &mut a;
        let root = crate::space::space::tests::root();
        space.root_cut(files, now, entropy, &root, b.key(), Some(4), Vec::new(), false).unwrap();
        while a.space.is_waiting() {
            a.space.resume(&mut a.files).unwrap();
        }
        assert!(!a.space.access.is_shallow());
        assert_eq!(a.values("later"), ["value"]);
        assert_as_scratch(&mut a);
    }
}
