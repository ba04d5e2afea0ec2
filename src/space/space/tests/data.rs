//! Writing and reading on one device, and on two.

use super::*;
use crate::space::{MAX_ENTRY, Version};

#[test]
fn a_founder_writes_reads_and_removes() {
    let mut a = Device::founder(1);
    assert!(a.space.is_writable());
    let first = a.put("post/1", "hello");
    assert_eq!((text(&first), first.private, first.version.index), ("hello".to_owned(), false, 1));
    assert_eq!(a.space.get(&a.files, "post/1").unwrap(), Some(first));
    let secret = a.put_private("note/1", "secret");
    assert!(secret.private);
    assert_eq!(a.space.get(&a.files, "note/1").unwrap(), Some(secret));
    assert_eq!(a.names(), ["note/1", "post/1"]);
    assert!(a.write(vec![delete("post/1")]).unwrap()[0].value.is_none());
    assert_eq!(a.values("post/1"), Vec::<String>::new());
    assert_eq!(a.names(), ["note/1"]);
    let history: Vec<String> =
        a.space.history(&a.files, None, None, None).unwrap().iter().map(text).collect();
    assert_eq!(history, ["hello", "secret", "-"]);
    let posts = a.space.history(&a.files, Some("post/1"), None, None).unwrap();
    assert_eq!(posts.len(), 2);
    let after = a.space.history(&a.files, Some("post/1"), Some(&posts[0].version), Some(5)).unwrap();
    assert_eq!(after, posts[1..]);
    let changed = a.events().into_iter().find_map(|event| match event {
        SpaceEvent::Changed { keys } => Some(keys),
        _ => None,
    });
    assert_eq!(changed.unwrap(), ["note/1", "post/1"]);
}

#[test]
fn a_batch_is_one_entry_and_the_last_write_of_a_key_stands() {
    let mut a = Device::founder(1);
    let before = a.space.feed(&a.key()).unwrap().length();
    let items = a
        .write(vec![
            put("a", "1", false),
            put("b", "2", true),
            put("a", "3", true),
            put("b", "4", false),
            delete("c"),
        ])
        .unwrap();
    assert_eq!(a.space.feed(&a.key()).unwrap().length(), before + 1);
    assert_eq!(items.len(), 5);
    assert_eq!((a.values("a"), a.values("b")), (vec!["3".to_owned()], vec!["4".to_owned()]));
    for item in &items {
        let held = a.space.get(&a.files, &item.key).unwrap();
        assert!(held.is_none_or(|held| held.version == item.version && held.private == item.private));
    }
}

#[test]
fn one_bad_write_of_a_batch_spoils_all_of_it() {
    let mut a = Device::founder(1);
    let before = a.space.clock();
    let good = put("good", "x", false);
    let long = "k".repeat(1025);
    let errors = [
        put("", "x", false),
        put(&long, "x", false),
        put("big", &"x".repeat(MAX_ENTRY), true),
        WriteOp::Put { key: "bad".into(), value: vec![0x18, 1], private: false, expect: Expect::Any },
        WriteOp::Put {
            key: "taken".into(),
            value: cbor("x"),
            private: false,
            expect: Expect::Version(version()),
        },
    ];
    for bad in errors {
        let error = a.write(vec![good.clone(), bad]).unwrap_err();
        assert!(!error.to_string().is_empty());
        assert_eq!((a.space.clock(), a.names()), (before.clone(), Vec::<String>::new()), "{error}");
    }
    let error = a.write(vec![put(&long, "x", false)]).unwrap_err();
    assert_eq!(error, SpaceError::TooLarge { what: "key", max: 1024, got: 1025 });
    // Entries as large as they may be do go in: header 8, operation 5 + 3 + 1, value head 5.
    let fits = "x".repeat(MAX_ENTRY - 64);
    assert_eq!(text(&a.put("big", &fits)), fits);
    let error = a.write(vec![put("a", &"x".repeat(600_000), false), put("b", &"x".repeat(600_000), false)]);
    assert!(matches!(error, Err(SpaceError::TooLarge { what: "entry", max: MAX_ENTRY, .. })));
    a.put("still", "works");
}

fn version() -> Version {
    Version { writer: PublicKey([0; 32]), index: 0, op: 0 }
}

#[test]
fn a_write_may_say_what_it_expects() {
    let mut a = Device::founder(1);
    let expecting = |expect, value: &str| {
        vec![WriteOp::Put { key: "k".into(), value: cbor(value), private: false, expect }]
    };
    let first = a.write(expecting(Expect::Absent, "1")).unwrap().remove(0);
    let error = a.write(expecting(Expect::Absent, "2")).unwrap_err();
    assert_eq!(error, SpaceError::Conflict { key: "k".into(), got: Some(first.version) });
    let second = a.write(expecting(Expect::Version(first.version), "2")).unwrap().remove(0);
    assert!(a.write(expecting(Expect::Version(first.version), "3")).is_err());
    let gone = WriteOp::Delete { key: "k".into(), expect: Expect::Version(second.version) };
    a.write(vec![gone]).unwrap();
    a.write(expecting(Expect::Absent, "4")).unwrap();
    assert_eq!(a.values("k"), ["4"]);
}

#[test]
fn a_conflict_shows_both_and_a_write_merges_them() {
    let mut a = Device::founder(1);
    let mut b = Device::asker(2);
    a.grant(&b);
    meet(&mut a, &mut b);
    a.put("k", "from a");
    b.put("k", "from b");
    meet(&mut a, &mut b);
    assert_eq!(a.values("k").len(), 2);
    assert_eq!(a.values("k"), b.values("k"));
    assert_eq!(a.all(), b.all());
    b.put("k", "merged");
    meet(&mut a, &mut b);
    assert_eq!((a.values("k"), b.values("k")), (vec!["merged".to_owned()], vec!["merged".to_owned()]));
    // A removal against a write: both stay visible until somebody settles it.
    a.write(vec![delete("k")]).unwrap();
    b.put("k", "kept");
    meet(&mut a, &mut b);
    assert_eq!(a.space.get(&a.files, "k").unwrap(), b.space.get(&b.files, "k").unwrap());
    assert_eq!(a.values("k").len(), 2);
}

#[test]
fn a_visitor_reads_what_is_public_and_no_names() {
    let mut a = Device::founder(1);
    a.put("open", "yes");
    a.put_private("closed", "no");
    a.put("both", "first");
    a.put_private("both", "second");
    let mut visitor = Device::new(9);
    visitor.pull_all(&a);
    assert_eq!(visitor.names(), ["open"]);
    assert!(visitor.space.writers().iter().all(|writer| writer.device.is_none()));
    assert_eq!(a.space.writers()[0].device.as_deref(), Some("device 1"));
    assert_eq!(a.values("both"), ["second"]);
    // Removing a private value names it to nobody.
    a.write(vec![delete("closed")]).unwrap();
    a.write(vec![delete("both")]).unwrap();
    visitor.pull_all(&a);
    let feed = visitor.space.feed(&a.key()).unwrap();
    let blocks: Vec<u8> =
        (0..feed.length()).flat_map(|at| feed.get(&visitor.files, at).unwrap().unwrap()).collect();
    let shows = |text: &[u8]| blocks.windows(text.len()).any(|window| window == text);
    assert!(!shows(b"closed") && !shows(b"device 1") && !shows(b"second"));
    assert!(shows(b"open") && shows(b"both"));
    assert_eq!(a.names(), ["open"]);
    assert_eq!(visitor.write(vec![put("x", "y", false)]), Err(SpaceError::Locked));
    assert_eq!(visitor.space.message_key().map(|_| ()), None);
}

#[test]
fn whoever_asks_neither_writes_nor_reads_private_data_until_granted() {
    let mut a = Device::founder(1);
    a.put_private("closed", "now open");
    let mut b = Device::asker(2);
    b.pull_all(&a);
    assert!(matches!(b.write(vec![put("x", "y", false)]), Err(SpaceError::NotAuthorised { .. })));
    assert!(b.names().is_empty());
    a.grant(&b);
    b.pull_all(&a);
    assert_eq!(b.names(), ["closed"]);
    assert_eq!(b.space.message_key().unwrap().as_bytes(), message_key().as_bytes());
    b.put_private("reply", "thanks");
    a.pull_all(&b);
    assert_eq!(a.values("reply"), ["thanks"]);
    let names: Vec<_> = b.space.writers().into_iter().filter_map(|writer| writer.device).collect();
    assert_eq!(names.len(), 2);
}

#[test]
fn locking_hides_what_is_private_and_unlocking_shows_it() {
    let mut a = Device::founder(1);
    a.put("open", "1");
    a.put_private("closed", "2");
    a.put("both", "3");
    a.put_private("both", "4");
    a.events();
    let before = a.all();
    a.space.lock();
    assert_eq!(a.names(), ["open"]);
    assert!(a.space.message_key().is_none() && a.space.held_epochs().next().is_none());
    assert!(!a.events().iter().any(|event| matches!(
        event,
        SpaceEvent::Changed { keys } if keys.contains(&"closed".to_owned())
    )));
    assert_eq!(a.write(vec![put("x", "y", false)]), Err(SpaceError::Locked));
    a.unlock();
    assert_eq!(a.all(), before);
    a.put_private("closed", "5");
    assert_eq!(a.values("closed"), ["5"]);
}

#[test]
fn a_reload_finds_the_same_space() {
    let mut a = Device::founder(1);
    let mut b = Device::asker(2);
    a.grant(&b);
    meet(&mut a, &mut b);
    for n in 0..300 {
        a.put(&format!("a/{}", n % 7), &n.to_string());
        b.put_private(&format!("b/{}", n % 5), &n.to_string());
        if n % 50 == 0 {
            meet(&mut a, &mut b);
        }
    }
    meet(&mut a, &mut b);
    let mut again = a.reopened();
    assert_eq!(again.space.clock(), a.space.clock());
    assert_eq!(again.names().len(), 7);
    assert!(again.events().is_empty());
    again.unlock();
    assert_eq!(again.all(), a.all());
    assert_eq!(again.space.writers(), a.space.writers());
    assert_eq!(again.space.manifest(), a.space.manifest());
    again.put("a/0", "after the reload");
    b.pull_all(&again);
    assert_eq!(b.values("a/0"), ["after the reload"]);
    assert_eq!(b.all(), again.all());
}

#[test]
fn damaged_storage_is_fetched_again_and_a_damaged_own_feed_is_never_continued() {
    let mut a = Device::founder(1);
    let mut b = Device::asker(2);
    a.grant(&b);
    meet(&mut a, &mut b);
    a.put("a", "1");
    b.put("b", "2");
    meet(&mut a, &mut b);
    let (ours, theirs, space) = (b.key(), a.key(), root().public());
    let names = [
        format!("space/{space}/records"),
        format!("space/{space}/manifest"),
        format!("feed/{theirs}/head"),
        format!("feed/{ours}/head"),
    ];
    b.commit();
    let compaction = b.files.compaction(true).unwrap();
    b.backend.compact(&compaction);
    for name in names {
        let key = PageKey { file: name, page: 0 };
        b.backend.page_mut(&key).unwrap().last_mut().map(|byte| *byte ^= 1).unwrap();
    }
    let mut b = b.reopened();
    b.unlock();
    assert_eq!((b.space.records().count(), b.space.manifest(), b.names().len()), (0, None, 0));
    b.pull_all(&a);
    assert_eq!(b.all(), a.all());
    assert_eq!(b.space.manifest(), a.space.manifest());
    assert!(matches!(b.write(vec![put("x", "y", false)]), Err(SpaceError::NotAuthorised { .. })));
    let mut b = b.reopened();
    b.unlock();
    assert!(matches!(b.write(vec![put("x", "y", false)]), Err(SpaceError::NotAuthorised { .. })));
}

#[test]
fn the_past_can_be_looked_at() {
    let mut a = Device::founder(1);
    a.put("k", "1");
    let clock = a.space.clock();
    a.put("k", "2");
    a.put("later", "3");
    let at = |key| a.space.get_at(&a.files, &clock, key).unwrap().map(|item| text(&item));
    assert_eq!((at("k"), at("later")), (Some("1".to_owned()), None));
    let then = a.space.list_at(&a.files, &clock, &Range::default()).unwrap();
    assert_eq!(then.len(), 1);
}

/// Time that this thread was running, so that a busy machine does not show; wall time where that is not told.
fn ran() -> std::time::Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let ran = told.and_then(|text| text.split(' ').next()?.parse().ok()).filter(|ran| *ran > 0);
    let wall = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    ran.map_or_else(wall, std::time::Duration::from_nanos)
}

#[test]
fn ten_thousand_entries_are_quick() {
    let mut a = Device::founder(1);
    let start = ran();
    for n in 0..10_000 {
        a.put(&format!("key/{n}"), "value");
    }
    let written = ran().saturating_sub(start);
    let mut b = Device::new(2);
    let start = ran();
    b.pull_all(&a);
    let pulled = ran().saturating_sub(start);
    let start = ran();
    let mut again = a.reopened();
    let opened = ran().saturating_sub(start);
    let start = ran();
    assert_eq!(again.names().len(), 10_000);
    let listed = ran().saturating_sub(start);
    again.unlock();
    assert_eq!(b.names().len(), 10_000);
    let per = |time: std::time::Duration| time.as_micros() / 10_000;
    println!(
        "µs per entry: write {}, pull {}, open {}, list {}",
        per(written),
        per(pulled),
        per(opened),
        per(listed)
    );
    assert!(written.as_secs() < 60 && pulled.as_secs() < 30 && opened.as_secs() < 30);
}
