//! What a device that was cut can open, and what a newcomer gets.

use super::*;
use crate::{
    crypto::open_sealed,
    space::{AccessOp, Clock},
};

/// Whether a key opens any seal, or a device any sealed part, of entries that `other` does not hold.
fn opens_anything_new(device: &Device, before: &Clock) -> bool {
    let signer = device.signer();
    let mut any = false;
    for feed in device.space.feeds() {
        let key = feed.key();
        for index in before.get(&key).copied().unwrap_or(0)..feed.contiguous() {
            let Some(entry) = device.space.entry(&device.files, &key, index).unwrap() else { continue };
            for op in &entry.access {
                if let AccessOp::Epoch { seals, root, .. } | AccessOp::Seal { seals, root: Some(root), .. } =
                    op
                {
                    any |= open_sealed(&signer, root).is_ok();
                    any |= seals.iter().any(|seal| open_sealed(&signer, &seal.key).is_ok());
                }
                if let AccessOp::Seal { seals, root: None, .. } = op {
                    any |= seals.iter().any(|seal| open_sealed(&signer, &seal.key).is_ok());
                }
                if let AccessOp::Grant(grant) = op {
                    any |= grant
                        .name
                        .as_ref()
                        .is_some_and(|name| device.space.content.open_name(&grant.writer, name).is_some());
                }
            }
            any |= !device.space.content.open_ops(&entry, &key, index).is_empty();
        }
    }
    any
}

/// Who is cut, and how.
#[derive(Clone, Copy, Debug)]
enum How {
    Device,
    Root,
    Descent,
    DescentOfRootCut,
}

#[test]
fn whoever_is_cut_opens_nothing_new_and_keeps_what_it_had() {
    for how in [How::Device, How::Root, How::Descent, How::DescentOfRootCut] {
        let mut a = Device::founder(1);
        let [mut b, mut c, mut d] = [2, 3, 4].map(Device::asker);
        a.grant(&b);
        a.grant(&c);
        b.pull_all(&a);
        b.grant(&d);
        meet_all(&mut [&mut a, &mut b, &mut c, &mut d]);
        a.put_private("a/before", "1");
        d.put_private("d/before", "1");
        meet_all(&mut [&mut a, &mut b, &mut c, &mut d]);
        let (mut gone, sponsor) = match how {
            How::Device | How::Root => (b, None),
            How::Descent | How::DescentOfRootCut => (d, Some(b.key())),
        };
        let (now, key) = (a.time(), gone.key());
        match (how, sponsor) {
            (How::Device, _) => a.cut(key),
            (How::Root, _) => a.root_cut(key, false),
            (How::DescentOfRootCut, Some(sponsor)) => a.root_cut(sponsor, true),
            (_, sponsor) => {
                let Device { files, space, entropy, .. } = &mut a;
                space.cut(files, now, entropy, sponsor.unwrap(), true).unwrap();
            }
        }
        assert!(!a.space.is_active(&key));
        let before = gone.space.clock();
        let had = gone.all();
        assert_eq!(had.len(), 2, "{how:?}");
        // Whatever happens next among those who know: writing, letting in, a further cut, going to and fro.
        c.pull_all(&a);
        a.put_private("a/after", "2");
        c.put_private("c/after", "2");
        meet(&mut a, &mut c);
        c.put_private("a/before", "3");
        let [mut e, f] = [5, 6].map(Device::asker);
        c.grant(&e);
        e.pull_all(&c);
        e.put_private("e/after", "2");
        meet(&mut a, &mut e);
        a.grant(&f);
        a.cut(f.key());
        a.put_private("a/after", "4");
        let now = a.time();
        a.space.maintain(&mut a.files, now, &mut a.entropy).unwrap();
        meet_all(&mut [&mut a, &mut c, &mut e]);
        gone.pull_all(&a);
        gone.pull_all(&e);
        assert!(gone.space.clock()[&a.key()] > before[&a.key()] + 5, "{how:?}: it holds the ciphertext");
        assert!(!opens_anything_new(&gone, &before), "{how:?}");
        // What it had stays: the old value of a key that was written anew in private is still what it reads.
        assert_eq!(gone.all(), had, "{how:?}");
        let mut again = gone.reopened();
        again.unlock();
        assert_eq!(again.all(), had, "{how:?}: after a reload too");
        assert!(!opens_anything_new(&again, &before), "{how:?}");
        // Everybody else reads all of it.
        for device in [&a, &c, &e] {
            let names = ["a/after", "a/before", "c/after", "d/before", "e/after"];
            assert_eq!(device.names(), names, "{how:?}");
            assert_eq!(
                (device.values("a/after"), device.values("a/before")),
                (vec!["4".into()], vec!["3".into()])
            );
        }
    }
}

#[test]
fn the_check_of_these_tests_notices_what_can_be_opened() {
    let mut a = Device::founder(1);
    let mut b = Device::asker(2);
    a.grant(&b);
    b.pull_all(&a);
    let before = b.space.clock();
    a.put_private("a", "1");
    b.pull_all(&a);
    assert!(opens_anything_new(&b, &before));
    assert!(!opens_anything_new(&b, &b.space.clock()));
    assert!(opens_anything_new(&b, &Clock::new()));
}

#[test]
fn a_newcomer_reads_what_came_before_unless_it_is_let_in_from_now_on() {
    let mut a = Device::founder(1);
    a.put_private("first", "1");
    let gone = Device::asker(9);
    a.grant(&gone);
    a.cut(gone.key());
    a.put_private("second", "under another epoch");
    assert!(a.space.held_epochs().count() >= 2);
    let [mut b, mut c] = [2, 3].map(Device::asker);
    a.grant(&b);
    let (now, grant) = (a.time(), c.grant_of());
    a.space.grant_from_now_on(&mut a.files, now, &mut a.entropy, &grant, Role::Admin).unwrap();
    meet_all(&mut [&mut a, &mut b, &mut c]);
    assert_eq!(b.names(), ["first", "second"]);
    assert!(c.names().is_empty() && c.space.held_epochs().count() == 0);
    a.put_private("third", "for all");
    meet_all(&mut [&mut a, &mut b, &mut c]);
    assert_eq!((b.names().len(), c.names()), (3, vec!["third".to_owned()]));
    c.put_private("fourth", "by the newcomer");
    b.put_private("fifth", "x");
    meet_all(&mut [&mut a, &mut b, &mut c]);
    assert_eq!((a.names().len(), b.names().len(), c.names()), (5, 5, names(&["fifth", "fourth", "third"])));
    // Nor do the acts of admins later on: seeing to what others lack, and sealing all anew when another is cut.
    for device in [&mut a, &mut b] {
        let now = device.time();
        device.space.maintain(&mut device.files, now, &mut device.entropy).unwrap();
    }
    a.cut(b.key());
    let now = a.time();
    a.space.maintain(&mut a.files, now, &mut a.entropy).unwrap();
    a.put_private("sixth", "x");
    meet(&mut a, &mut c);
    assert_eq!(c.names(), names(&["fifth", "fourth", "sixth", "third"]));
    let mut c = c.reopened();
    c.unlock();
    assert_eq!(c.names().len(), 4);
    // It may itself let in others; they get what it has.
    let mut d = Device::asker(4);
    c.grant(&d);
    d.pull_all(&c);
    assert_eq!(d.names(), c.names());
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
