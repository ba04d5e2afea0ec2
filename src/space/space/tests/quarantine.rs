//! Looking at what was taken away, and adopting it.

use proptest::prelude::*;

use super::*;
use crate::space::{Op, Quarantined, Version, Why};

/// Two devices, of which the first cut the second while that one wrote on.
fn cut_pair(writes: impl FnOnce(&mut Device)) -> (Device, Device) {
    let mut a = Device::founder(1);
    let mut b = Device::asker(2);
    a.grant(&b);
    meet(&mut a, &mut b);
    b.put("before", "stays");
    meet(&mut a, &mut b);
    a.cut(b.key());
    writes(&mut b);
    a.pull_all(&b);
    (a, b)
}

fn lost(device: &Device) -> Vec<Quarantined> {
    device.space.quarantine(&device.files, None, None, None).unwrap()
}

fn adopt(device: &mut Device, version: &Version) -> Result<Item, SpaceError> {
    let now = device.time();
    device.space.adopt(&mut device.files, now, &mut device.entropy, version, false)
}

#[test]
fn what_a_lost_device_wrote_last_is_adopted_with_a_reference() {
    let (mut a, mut b) = cut_pair(|b| {
        b.put("post", "mine");
        b.put_private("note", "secret");
        b.write(vec![delete("before"), put("more", "x", false)]).unwrap();
    });
    let seen: Vec<(String, String, bool)> =
        lost(&a).iter().map(|lost| (lost.item.key.clone(), text(&lost.item), lost.item.private)).collect();
    let row = |key: &str, value: &str, private| (key.to_owned(), value.to_owned(), private);
    let expected = [
        row("post", "mine", false),
        row("note", "secret", true),
        row("before", "-", false),
        row("more", "x", false),
    ];
    assert_eq!(seen, expected);
    let of = |key: &str| lost(&a).into_iter().find(|lost| lost.item.key == key).unwrap().item;
    let (post, note, removal) = (of("post"), of("note"), of("before"));
    assert!(post.writer == b.key() && post.time > 1000);
    let item = adopt(&mut a, &post.version).unwrap();
    assert_eq!((item.writer, item.adopted, text(&item)), (a.key(), Some(post.version), "mine".to_owned()));
    assert_eq!(a.space.get(&a.files, "post").unwrap(), Some(item.clone()));
    let secret = adopt(&mut a, &note.version).unwrap();
    assert!(secret.private && secret.adopted == Some(note.version));
    // A removal is one, and names nothing that it was.
    let gone = adopt(&mut a, &removal.version).unwrap();
    assert_eq!((gone.value, gone.adopted), (None, None));
    assert_eq!(a.names(), ["note", "post"]);
    // Others see where it came from; a visitor sees what is public, and nothing of the rest.
    let mut visitor = Device::new(9);
    visitor.pull_all(&a);
    assert_eq!(visitor.all(), [item]);
    let history = visitor.space.history(&visitor.files, Some("post"), None, None).unwrap();
    assert_eq!(history[0].adopted, Some(post.version));
    b.pull_all(&a);
    assert_eq!(b.names(), ["post"], "sealed under keys that it does not get");
    // It stays in quarantine too: it can be looked at, and adopted by another, or again.
    assert_eq!(lost(&a).len(), 4);
    assert_eq!(adopt(&mut a, &post.version).unwrap().adopted, Some(post.version));
    let mut again = a.reopened();
    again.unlock();
    assert_eq!(again.all(), a.all());
}

#[test]
fn what_an_adopter_adopted_can_be_adopted() {
    let (mut a, _) = cut_pair(|b| drop(b.put("post", "mine")));
    let mut c = Device::asker(3);
    a.grant(&c);
    c.pull_all(&a);
    a.cut(c.key());
    let first = lost(&c)[0].item.version;
    let by_c = adopt(&mut c, &first).unwrap();
    a.pull_all(&c);
    let taken = a.space.quarantine(&a.files, Some(&c.key()), None, None).unwrap();
    let taken = taken.iter().find(|lost| lost.item.key == "post").unwrap();
    assert_eq!((taken.item.adopted, taken.item.version), (Some(first), by_c.version));
    assert_eq!(adopt(&mut a, &by_c.version).unwrap().adopted, Some(by_c.version));
}

#[test]
fn only_what_was_taken_away_is_adopted() {
    let (mut a, b) = cut_pair(|b| drop(b.put("post", "mine")));
    let shown = a.space.get(&a.files, "before").unwrap().unwrap().version;
    let taken = lost(&a)[0].item.version;
    let clock = a.space.clock();
    let nobody = Signer::from_seed(&[99; 32]).public();
    for version in [
        shown,
        Version { op: 7, ..taken },
        Version { op: u32::MAX, ..taken },
        Version { index: taken.index + 1, ..taken },
        Version { writer: nobody, ..taken },
    ] {
        assert_eq!(adopt(&mut a, &version), Err(SpaceError::NotQuarantined { version }));
    }
    assert_eq!(a.space.clock(), clock);
    let mut visitor = Device::new(9);
    visitor.pull_all(&a);
    assert_eq!(adopt(&mut visitor, &taken), Err(SpaceError::Locked));
    let mut b = b;
    b.pull_all(&a);
    assert!(matches!(adopt(&mut b, &taken), Err(SpaceError::NotAuthorised { .. })), "nor by who was cut");
}

#[test]
fn what_cannot_be_opened_is_not_adopted() {
    let (mut a, _) = cut_pair(|b| {
        // An epoch of its own, which it seals to nobody else.
        let epoch = b.space.content.generate(&mut b.entropy);
        let op = Op::Put { key: "k".into(), value: cbor("x") };
        let draft = super::super::author::Draft { private: Some((epoch, vec![op])), ..Default::default() };
        b.space.append(&mut b.files, 2000, &mut b.entropy, vec![draft]).unwrap();
    });
    assert_eq!(lost(&a), []);
    let key = Signer::from_seed(&[2; 32]).public();
    let version = Version { writer: key, index: a.space.clock()[&key] - 1, op: 0 };
    assert_eq!(adopt(&mut a, &version), Err(SpaceError::NoContentKey));
}

#[test]
fn each_is_told_why_it_went() {
    // By the root, and what hangs on a grant past a cut.
    let (mut a, mut b) = cut_pair(|_| {});
    let [mut c, mut d] = [3, 4].map(Device::asker);
    b.grant(&c);
    c.pull_all(&b);
    c.put("by c", "let in past the cut");
    b.put("by b", "past the cut");
    d.pull_all(&c);
    d.pull_all(&b);
    assert_eq!(d.names(), ["before", "by b", "by c"]);
    d.events();
    d.pull_all(&a);
    let why = |device: &Device, key: &str| {
        lost(device).into_iter().find(|lost| lost.item.key == key).map(|lost| lost.why)
    };
    assert_eq!((why(&d, "by b"), why(&d, "by c")), (Some(Why::Cut), Some(Why::Grant)));
    let told: Vec<_> = d
        .events()
        .into_iter()
        .filter_map(|event| match event {
            SpaceEvent::Retracted { writer, entries, keys, why, .. } => Some((writer, entries, keys, why)),
            _ => None,
        })
        .collect();
    let tell = |device: &Device, key: &str, why| (device.key(), 1, vec![key.to_owned()], Some(why));
    assert!(told.contains(&tell(&b, "by b", Why::Cut)), "{told:?}");
    assert!(told.contains(&tell(&c, "by c", Why::Grant)), "{told:?}");
    a.root_cut(b.key(), false);
    d.pull_all(&a);
    // For the root nothing past its cut has ever been: whoever was let in there is a stranger.
    assert_eq!((why(&d, "by b"), why(&d, "by c")), (Some(Why::RootCut), None));
    // What is hidden counts, and is told apart.
    let mut e = Device::asker(5);
    a.grant(&e);
    e.pull_all(&a);
    e.put("by e", "hidden");
    a.pull_all(&e);
    a.events();
    let (now, key) = (a.time(), e.key());
    a.space.hide(&mut a.files, now, &mut a.entropy, key, 0).unwrap();
    assert_eq!(why(&a, "by e"), Some(Why::Hidden));
    let hidden = a.events().into_iter().find_map(|event| match event {
        SpaceEvent::Retracted { why, keys, .. } => Some((why, keys)),
        _ => None,
    });
    assert_eq!(hidden, Some((Some(Why::Hidden), vec!["by e".to_owned()])));
    let info = a.space.writers().into_iter().find(|info| info.key == key).unwrap();
    assert_eq!((info.hidden_from, info.state), (Some(0), WriterStanding::Active));
}

#[test]
fn a_long_quarantine_is_read_in_parts() {
    let (a, b) = cut_pair(|b| {
        for n in 0..20 {
            b.write(vec![put(&format!("{n}/a"), "x", false), put(&format!("{n}/b"), "x", true)]).unwrap();
        }
    });
    let all = lost(&a);
    assert_eq!(all.len(), 40);
    for size in [1, 3, 7, 100] {
        let mut parts: Vec<Quarantined> = Vec::new();
        loop {
            let after = parts.last().map(|last| last.item.version);
            let part = a.space.quarantine(&a.files, Some(&b.key()), after.as_ref(), Some(size)).unwrap();
            assert!(part.len() <= size);
            if part.is_empty() {
                break;
            }
            parts.extend(part);
        }
        assert_eq!(parts, all, "{size}");
    }
    assert_eq!(a.space.quarantine(&a.files, Some(&a.key()), None, None).unwrap(), []);
}

fn any_write() -> impl Strategy<Value = WriteOp> {
    prop_oneof![
        4 => (0..4_u8, 0..9_u8, any::<bool>())
            .prop_map(|(key, value, private)| put(&key.to_string(), &value.to_string(), private)),
        1 => (0..4_u8).prop_map(|key| delete(&key.to_string())),
    ]
}

proptest! {
    #![proptest_config(crate::testing::cases(48))]

    /// Adopting all of it in order leaves every key as the lost device had left it, for everybody alike.
    #[test]
    fn adopting_everything_gives_what_the_lost_device_had(
        before in prop::collection::vec(prop::collection::vec(any_write(), 1..3), 0..4),
        after in prop::collection::vec(prop::collection::vec(any_write(), 1..4), 1..8),
    ) {
        let mut a = Device::founder(1);
        let [mut b, mut c] = [2, 3].map(Device::asker);
        a.grant(&b);
        a.grant(&c);
        meet(&mut a, &mut b);
        for ops in before {
            a.write(ops).unwrap();
        }
        meet(&mut a, &mut b);
        a.cut(b.key());
        for ops in after {
            b.write(ops).unwrap();
        }
        a.pull_all(&b);
        let had: Vec<(String, String, bool)> =
            b.all().iter().map(|item| (item.key.clone(), text(item), item.private)).collect();
        for lost in lost(&a) {
            let adopted = adopt(&mut a, &lost.item.version).unwrap();
            prop_assert_eq!(&adopted.value, &lost.item.value);
            prop_assert_eq!(adopted.adopted.is_some(), lost.item.value.is_some());
            // A removal in private shows as the public one of the key if there is a public value to remove.
            prop_assert!(adopted.private == lost.item.private || adopted.value.is_none());
        }
        c.pull_all(&a);
        let mut visitor = Device::new(9);
        visitor.pull_all(&c);
        let mut again = a.reopened();
        again.unlock();
        for device in [&a, &c, &again] {
            let have: Vec<(String, String, bool)> =
                device.all().iter().map(|item| (item.key.clone(), text(item), item.private)).collect();
            prop_assert_eq!(&have, &had);
        }
        let public: Vec<Item> = a.all().into_iter().filter(|item| !item.private).collect();
        prop_assert_eq!(visitor.all(), public);
    }
}
