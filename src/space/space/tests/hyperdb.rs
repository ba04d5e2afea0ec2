//! The situations that hyperdb's tests of authorising, replicating, deleting, reopening and of a key's history guard,
//! in this crate's terms. Where this crate means to differ, the test says so.

use super::{super::author::Draft, *};
use crate::space::{Op, Status};

/// A founder and devices that it let in; all know each other.
fn writers<const N: usize>() -> [Device; N] {
    let mut first = Device::founder(1);
    let mut others: Vec<Device> = (2..=u8::try_from(N).unwrap()).map(Device::asker).collect();
    others.iter().for_each(|other| first.grant(other));
    others.iter_mut().for_each(|other| other.pull_all(&first));
    others.insert(0, first);
    let Ok(all) = <[Device; N]>::try_from(others) else { panic!("as many as asked for") };
    all
}

fn is_writer(device: &Device, who: &Device) -> bool {
    device.space.role(&who.key()).is_some() && device.space.is_active(&who.key())
}

/// All values of a key, in no order.
fn values(device: &Device, key: &str) -> Vec<String> {
    let mut values = device.values(key);
    values.sort();
    values
}

fn history(device: &Device, key: &str) -> Vec<String> {
    device.space.history(&device.files, Some(key), None, None).unwrap().iter().map(text).collect()
}

/// Signs an entry without asking whether it may: what a device of another make could do.
fn force(device: &mut Device, key: &str) {
    let public = vec![Op::Put { key: key.to_owned(), value: cbor("forced") }];
    let now = device.time();
    let draft = Draft { public, ..Draft::default() };
    device.space.append(&mut device.files, now, &mut device.entropy, vec![draft]).unwrap();
}

// Authorising.

#[test]
fn both_sides_know_who_is_a_writer_whoever_wrote_first() {
    for first in [0, 1] {
        let mut all = writers::<2>();
        all[first].put("k", "v");
        let [a, b] = &all;
        for device in [a, b] {
            assert!(is_writer(device, a) && is_writer(device, b));
        }
    }
}

#[test]
fn whoever_only_cloned_is_no_writer() {
    let a = Device::founder(1);
    let mut b = Device::asker(2);
    assert!(!is_writer(&b, &b), "knowing the link alone");
    b.pull_all(&a);
    assert!(!is_writer(&b, &b));
    assert!(is_writer(&b, &a));
}

#[test]
fn writing_all_the_same_makes_nobody_a_writer() {
    let mut a = Device::founder(1);
    let mut b = Device::asker(2);
    // Here it is refused; hyperdb lets it write in vain.
    assert!(matches!(b.write(vec![put("k", "v", false)]), Err(SpaceError::NotAuthorised { .. })));
    b.pull_all(&a);
    assert!(matches!(b.write(vec![put("k", "v", false)]), Err(SpaceError::NotAuthorised { .. })));
    force(&mut b, "k");
    assert!(!is_writer(&b, &b) && is_writer(&b, &a));
    assert!(b.values("k").is_empty());
    // Not even those who get the feed count it.
    let key = b.key();
    a.space.follow(&mut a.files, key).unwrap();
    a.pull_all(&b);
    assert_eq!(a.space.clock()[&key], 1);
    assert!(!is_writer(&a, &b) && a.values("k").is_empty());
}

#[test]
fn having_read_many_entries_makes_nobody_a_writer() {
    let mut a = Device::founder(1);
    for n in 0..4 {
        a.put("k", &n.to_string());
    }
    let mut b = Device::asker(2);
    b.pull_all(&a);
    assert_eq!(b.values("k"), ["3"]);
    assert!(!is_writer(&b, &b));
}

#[test]
fn both_sides_agree_after_a_grant_and_what_was_signed_before_it_never_counts() {
    let mut a = Device::founder(1);
    let mut b = Device::asker(2);
    force(&mut b, "early");
    a.put("k", "v");
    a.grant(&b);
    meet(&mut a, &mut b);
    for device in [&a, &b] {
        assert!(is_writer(device, &b));
        // In hyperdb it would show up now.
        assert!(device.values("early").is_empty());
        assert_eq!(device.space.access.status(&b.key(), 0), Some(Status::Ungranted));
    }
    b.put("late", "counts");
    meet(&mut a, &mut b);
    assert_eq!((a.values("late"), b.values("early").len()), (vec!["counts".to_owned()], 0));
}

#[test]
fn granting_one_of_two_clones_leaves_the_other_a_clone() {
    let mut a = Device::founder(1);
    let [mut b, mut c] = [2, 3].map(Device::asker);
    a.put("k", "v");
    a.grant(&b);
    b.pull_all(&a);
    c.pull_all(&a);
    for device in [&a, &b, &c] {
        assert!(is_writer(device, &b) && !is_writer(device, &c));
    }
}

#[test]
fn a_third_party_that_was_let_in_lets_in_others() {
    let [mut a, mut b] = writers();
    let mut c = Device::asker(3);
    b.grant(&c);
    c.pull_all(&b);
    c.put("k", "by c");
    // The founder hears of the grant and of what came of it at once.
    a.pull_all(&c);
    assert!(is_writer(&a, &c));
    assert_eq!(a.values("k"), ["by c"]);
    assert!(a.events().contains(&SpaceEvent::Follows { writer: c.key() }));
}

// Replicating.

#[test]
fn many_values_of_two_writers_arrive_without_conflicts() {
    let [mut a, mut b] = writers();
    a.put("0", "0");
    meet(&mut a, &mut b);
    b.put("a", "a");
    meet(&mut a, &mut b);
    for n in 2..10 {
        b.put(&n.to_string(), &n.to_string());
    }
    meet(&mut a, &mut b);
    a.put("b", "b");
    b.put("c", "c");
    meet(&mut a, &mut b);
    b.put("d", "d");
    meet(&mut a, &mut b);
    for n in 0..1000 {
        a.put(&format!("i{n}"), &format!("i{n}"));
    }
    assert_eq!((b.values("a"), a.values("0"), a.values("i424")), (one("a"), one("0"), one("i424")));
    assert!(b.values("i424").is_empty(), "not replicated yet");
    b.pull_all(&a);
    assert_eq!(b.all(), a.all());
    assert!(b.all().iter().all(|item| item.key == text(item) && item.conflicts.is_empty()));
    assert_eq!(b.all().len(), 1000 + 13);
}

fn one(text: &str) -> Vec<String> {
    vec![text.to_owned()]
}

#[test]
fn a_conflict_stays_until_somebody_who_saw_both_writes() {
    let [mut a, mut b] = writers();
    a.put("a", "a");
    meet(&mut a, &mut b);
    a.put("b", "b");
    b.put("b", "B");
    meet(&mut a, &mut b);
    a.put("a", "A");
    meet(&mut a, &mut b);
    for device in [&a, &b] {
        assert_eq!((values(device, "a"), values(device, "b")), (one("A"), vec!["B".into(), "b".into()]));
    }
    // All nodes put the same one first.
    assert_eq!(a.values("b"), b.values("b"));
    a.put("b", "settled");
    meet(&mut a, &mut b);
    assert_eq!(b.values("b"), one("settled"));
}

#[test]
fn writing_one_key_at_the_same_time_as_another_is_no_conflict() {
    let [mut a, mut b] = writers();
    a.put("a", "a");
    meet(&mut a, &mut b);
    b.put("a", "b");
    a.put("b", "c");
    meet(&mut a, &mut b);
    assert_eq!((a.values("a"), b.values("a")), (one("b"), one("b")));
}

#[test]
fn a_third_writer_that_saw_half_of_it_makes_no_conflict() {
    let [mut a, mut b, mut c] = writers();
    a.put("a", "a");
    meet_all(&mut [&mut a, &mut b, &mut c]);
    b.put("a", "ab");
    a.put("some", "some");
    meet(&mut a, &mut c);
    c.put("c", "c");
    meet_all(&mut [&mut a, &mut b, &mut c]);
    for device in [&a, &b, &c] {
        assert_eq!(device.values("a"), one("ab"));
    }
}

#[test]
fn what_was_not_replicated_is_seen_by_its_writer_alone() {
    let [mut a, mut b] = writers();
    a.put("0", "0");
    meet(&mut a, &mut b);
    a.put("1", "1a");
    b.put("1", "1b");
    meet(&mut a, &mut b);
    a.put("2", "2");
    for device in [&a, &b] {
        assert_eq!((values(device, "0"), values(device, "1")), (one("0"), vec!["1a".into(), "1b".into()]));
    }
    assert_eq!((a.values("2"), b.values("2").len()), (one("2"), 0));
}

#[test]
fn a_value_stands_however_much_others_write_beside_it() {
    let [mut a, mut b, mut c] = writers();
    c.put("a", "ac");
    meet_all(&mut [&mut a, &mut b, &mut c]);
    a.put("foo", "bar");
    meet_all(&mut [&mut a, &mut b, &mut c]);
    a.put("a", "aa");
    meet(&mut a, &mut b);
    for n in 0..50 {
        b.put(&n.to_string(), &n.to_string());
    }
    meet_all(&mut [&mut a, &mut b, &mut c]);
    for n in 0..5 {
        c.put(&n.to_string(), &format!("c{n}"));
    }
    for device in [&a, &b, &c] {
        assert_eq!(device.values("a"), one("aa"));
    }
    assert_eq!((c.values("3"), a.values("3")), (one("c3"), one("3")));
}

#[test]
fn a_clone_serves_another_clone() {
    let mut a = Device::founder(1);
    a.put("hello", "world");
    let [mut b, mut c] = [2, 3].map(Device::new);
    b.pull_all(&a);
    c.pull_all(&b);
    assert_eq!((b.values("hello"), c.values("hello")), (one("world"), one("world")));
}

// Removing.

#[test]
fn one_key_of_many_is_removed_and_its_removal_stays_in_the_history() {
    let mut a = Device::founder(1);
    for n in 0..50 {
        a.put(&n.to_string(), &n.to_string());
    }
    a.write(vec![delete("42")]).unwrap();
    assert!(a.values("42").is_empty());
    assert_eq!(a.values("43"), one("43"));
    let names: Vec<String> = (0..50).filter(|n| *n != 42).map(|n| n.to_string()).collect();
    let mut have = a.names();
    have.sort_by_key(|name| name.parse::<u32>().unwrap());
    assert_eq!(have, names);
    assert_eq!(history(&a, "42"), ["42", "-"]);
}

// Histories of a key: hyperdb tells the newest first, this crate the oldest.

#[test]
fn a_keys_history_is_all_that_was_written_under_it() {
    let [mut a, mut b, mut c] = writers();
    assert!(history(&a, "hello").is_empty());
    a.put("hello", "welt");
    a.put("null", "void");
    a.put("hello", "world");
    assert_eq!(
        (history(&a, "hello"), history(&a, "null")),
        (vec!["welt".into(), "world".into()], one("void"))
    );
    meet_all(&mut [&mut a, &mut b, &mut c]);
    let turns = (0..15_u32).map(|n| n.to_string()).collect::<Vec<_>>();
    for (device, turn) in [0, 1, 2].into_iter().zip(turns.chunks(5)) {
        for value in turn {
            [&mut a, &mut b, &mut c][device].put("version", value);
        }
        meet_all(&mut [&mut a, &mut b, &mut c]);
    }
    for device in [&a, &b, &c] {
        assert_eq!(history(device, "version"), turns);
    }
    // Written at the same time by all three: none has seen another, and all are told in one order everywhere.
    a.put("k", "a");
    b.put("k", "b");
    c.put("k", "c");
    meet_all(&mut [&mut a, &mut b, &mut c]);
    assert_eq!((values(&a, "k").len(), history(&a, "k").len()), (3, 3));
    assert_eq!((history(&a, "k"), history(&a, "k")), (history(&b, "k"), history(&c, "k")));
}

// Reopening.

#[test]
fn three_writers_reopened_write_on_in_the_same_feeds() {
    let [mut a, mut b, mut c] = writers();
    a.put("foo", "bar");
    let reopen = |device: &mut Device| {
        let mut again = device.reopened();
        again.unlock();
        again
    };
    let mut again = reopen(&mut a);
    let length = again.space.feed(&again.key()).unwrap().length();
    assert_eq!(again.space.writers().len(), 3);
    again.put("foo2", "bar2");
    let mut again = reopen(&mut again);
    assert_eq!(again.space.feed(&again.key()).unwrap().length(), length + 1);
    meet_all(&mut [&mut again, &mut b, &mut c]);
    for device in [&again, &b, &c] {
        assert_eq!((device.values("foo"), device.values("foo2")), (one("bar"), one("bar2")));
        assert_eq!(device.space.writers().len(), 3);
    }
}

// Keys whose hashes are the same in hyperdb's trie: here keys are compared as they are.

#[test]
fn keys_that_collide_under_a_hash_without_a_key_are_two_keys() {
    let mut a = Device::founder(1);
    for (key, value) in [("idgcmnmna", "a"), ("mpomeiehc", "b"), ("idgcmnmna/a", "c"), ("mpomeiehc/b", "d")] {
        a.put(key, value);
    }
    assert_eq!((a.values("idgcmnmna"), a.values("mpomeiehc")), (one("a"), one("b")));
    let under = a.space.list(&a.files, &Range::prefix("idgcmnmna/")).unwrap();
    assert_eq!(under.iter().map(text).collect::<Vec<_>>(), ["c"]);
}

// Watching.

#[test]
fn what_others_write_is_told_and_also_who_was_let_in_by_a_third_party() {
    let [mut a, mut b] = writers();
    a.events();
    b.events();
    for n in 0..100 {
        b.put(&format!("hello-{n}"), &format!("world-{n}"));
    }
    let mut c = Device::asker(3);
    b.grant(&c);
    c.pull_all(&b);
    c.put("hello2", "world2");
    a.pull_all(&c);
    let events = a.events();
    let changed: usize = events
        .iter()
        .map(|event| if let SpaceEvent::Changed { keys } = event { keys.len() } else { 0 })
        .sum();
    assert_eq!(changed, 101);
    assert!(events.contains(&SpaceEvent::Writers));
    a.pull_all(&c);
    assert_eq!(a.events(), [], "nothing new, nothing told");
}
