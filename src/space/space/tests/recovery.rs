//! Coming back from a copy that somebody without any key holds, and what an old passphrase is worth.

use super::*;

/// A home of two devices with public and private values, all of it held by a visitor alone.
fn held_by_a_visitor() -> (Device, [PublicKey; 2]) {
    let mut a = Device::founder(1);
    let mut b = Device::asker(2);
    a.grant(&b);
    meet(&mut a, &mut b);
    a.put("open", "1");
    a.put_private("a", "2");
    b.put_private("b", "3");
    meet(&mut a, &mut b);
    // An epoch that one of them made later: the root has a seal of each.
    let gone = Device::asker(7);
    a.grant(&gone);
    a.cut(gone.key());
    a.put_private("later", "4");
    meet(&mut a, &mut b);
    let mut visitor = Device::new(8);
    visitor.pull_all(&b);
    // Stored and read back, as by a tab that runs for weeks.
    let visitor = visitor.reopened();
    assert!(visitor.space.writer().is_none() && visitor.names() == ["open"]);
    (visitor, [a.key(), b.key()])
}

fn recover(device: &mut Device, by: &Signer, key: &MessageKey, cut_others: bool) -> Result<(), SpaceError> {
    let (grant, keys, now) = (device.grant_of(), device.keys(), device.time());
    let Device { files, space, entropy, .. } = device;
    space.recover(
        files,
        now,
        entropy,
        by,
        Install { grant: &grant, keys, message_key: Some(key) },
        cut_others,
    )
}

#[test]
fn a_visitors_copy_and_the_passphrase_are_enough() {
    for cut_others in [false, true] {
        let (mut visitor, others) = held_by_a_visitor();
        let mut c = Device::new(3);
        c.pull_all(&visitor);
        assert_eq!(c.names(), ["open"]);
        let wrong = Signer::from_seed(&[99; 32]);
        assert!(matches!(recover(&mut c, &wrong, &message_key(), cut_others), Err(SpaceError::Root { .. })));
        recover(&mut c, &root(), &message_key(), cut_others).unwrap();
        assert_eq!(c.names(), ["a", "b", "later", "open"]);
        c.put_private("c", "5");
        assert_eq!(c.space.message_key().unwrap().as_bytes(), message_key().as_bytes());
        let expected = if cut_others { WriterStanding::RootCut } else { WriterStanding::Active };
        visitor.pull_all(&c);
        for device in [&c, &visitor] {
            assert!(device.space.is_complete());
            assert_eq!(others.map(|key| standing(device, &key)), [expected; 2]);
            assert!(device.space.is_active(&c.key()));
        }
        // The others come back from the same copy: they read on if they stay.
        let mut a = Device::asker(1);
        a.pull_all(&visitor);
        let names: &[&str] = match cut_others {
            false => &["a", "b", "c", "later", "open"],
            true => &["a", "b", "later", "open"],
        };
        assert_eq!(a.names(), names);
        assert_eq!(a.write(vec![put("x", "y", false)]).is_ok(), !cut_others);
        let mut again = c.reopened();
        again.unlock();
        assert_eq!(again.names(), ["a", "b", "c", "later", "open"]);
    }
}

#[test]
fn a_recovery_can_be_recovered_from() {
    let (mut visitor, _) = held_by_a_visitor();
    for seed in 3..6 {
        let mut device = Device::new(seed);
        device.pull_all(&visitor);
        recover(&mut device, &root(), &message_key(), true).unwrap();
        device.put_private(&format!("by {seed}"), "x");
        visitor.pull_all(&device);
        let count = usize::from(seed) + 2;
        assert_eq!(device.names().len(), count);
        let active = device.space.writers().into_iter().filter(|info| info.state == WriterStanding::Active);
        assert_eq!(active.map(|info| info.key).collect::<Vec<_>>(), [device.key()]);
    }
}

/// A home whose passphrase was changed by its founder: (the founder's new install, the other device, a record of the old
/// root that the change does not know, the new root, the new message key).
fn changed() -> (Device, Device, RootRecord, Signer, MessageKey) {
    let mut a = Device::founder(1);
    let mut b = Device::asker(2);
    a.grant(&b);
    meet(&mut a, &mut b);
    a.put_private("before", "1");
    meet(&mut a, &mut b);
    let (next, key) = (Signer::from_seed(&[201; 32]), MessageKey::from_bytes([10; 32]));
    // Whoever knows the old passphrase signed this meanwhile.
    let links = a.space.record_hashes().collect();
    let unknown = old_grant(&a, links, 66);
    a.seed = 11;
    let (grant, keys, now) = (a.grant_of(), a.keys(), a.time());
    let Device { files, space, entropy, .. } = &mut a;
    space
        .change_root(
            files,
            now,
            entropy,
            (&root(), &next),
            Install { grant: &grant, keys, message_key: Some(&key) },
        )
        .unwrap();
    a.put_private("after", "2");
    (a, b, unknown, next, key)
}

/// The old root lets in a device.
fn old_grant(device: &Device, links: Vec<Hash>, seed: u8) -> RootRecord {
    let writer = Signer::from_seed(&[seed; 32]).public();
    let person = crate::space::PersonId::founded_by(&writer);
    let (role, from_now_on, install_id) = (Role::Admin, false, [seed; 16]);
    let grant =
        crate::space::Grant { writer, person, role, from_now_on, install_id, name: None, invite: None };
    let mut links = links;
    links.sort_unstable();
    RootRecord::sign(&device.space.key(), &root(), links, vec![RootItem::Grant(grant)]).unwrap()
}

#[test]
fn an_old_passphrase_opens_nothing_new() {
    let (a, mut b, _, next, _) = changed();
    // Whoever has it and every byte of the space.
    let mut thief = Device::new(5);
    thief.pull_all(&a);
    thief.space.open_root_seals(&thief.files, &root()).unwrap();
    assert_eq!(thief.names(), ["before"]);
    assert!(matches!(recover(&mut thief, &root(), &message_key(), true), Err(SpaceError::Root { .. })));
    // The new one opens both.
    let mut owner = Device::new(6);
    owner.pull_all(&a);
    owner.space.open_root_seals(&owner.files, &next).unwrap();
    assert_eq!(owner.names(), ["after", "before"]);
    // The device that was there before is out, and reads what it read.
    b.pull_all(&a);
    assert_eq!((b.names(), standing(&b, &b.key())), (vec!["before".to_owned()], WriterStanding::RootCut));
    assert!(matches!(b.write(vec![put("x", "y", false)]), Err(SpaceError::NotAuthorised { .. })));
    let again = b.space.message_key().map(|key| *key.as_bytes());
    assert_eq!(again, Some(*message_key().as_bytes()), "the new one is sealed to none of the old devices");
}

#[test]
fn what_the_old_root_signs_after_the_change_does_not_count() {
    let (mut a, b, unknown, next, _) = changed();
    let held: Vec<Hash> = a.space.record_hashes().collect();
    let later = old_grant(&a, held.clone(), 67);
    let cut = RootItem::Cut { cut: a.space.cut_at(&a.files, a.key(), Some(0)).unwrap(), voids: Vec::new() };
    let mut links = held;
    links.sort_unstable();
    let removal = RootRecord::sign(&a.space.key(), &root(), links.clone(), vec![cut]).unwrap();
    let rival = RootItem::Successor(Signer::from_seed(&[202; 32]).public());
    let rival = RootRecord::sign(&a.space.key(), &root(), links, vec![rival]).unwrap();
    let mut fresh = Device::new(4);
    fresh.pull_all(&a);
    let before = (a.space.writers(), a.all());
    for record in [&unknown, &later, &removal, &rival] {
        for device in [&mut a, &mut fresh] {
            assert!(device.space.add_record(&mut device.files, record.as_bytes()).unwrap());
        }
    }
    assert_eq!((a.space.writers(), a.all()), before);
    for device in [&mut a, &mut fresh] {
        assert_eq!(device.space.root(), next.public());
        for seed in [66, 67] {
            assert_eq!(device.space.role(&Signer::from_seed(&[seed; 32]).public()), None);
        }
        let again = device.reopened();
        assert_eq!((again.space.root(), again.space.writers().len()), (next.public(), before.0.len()));
        assert!(again.space.is_former_root(&root().public()));
    }
    // The old devices were cut by the change, whatever the old root says of them.
    assert_eq!(standing(&fresh, &b.key()), WriterStanding::RootCut);
}

#[test]
fn who_knows_the_link_alone_follows_the_change() {
    let (a, mut b, _, next, key) = changed();
    b.pull_all(&a);
    let mut visitor = Device::new(4);
    visitor.pull_all(&b);
    assert_eq!((visitor.space.key(), visitor.space.root()), (root().public(), next.public()));
    assert!(visitor.space.is_complete() && visitor.space.is_active(&a.key()));
    assert_eq!(visitor.space.manifest(), a.space.manifest());
    // From that copy the new passphrase brings everything back, with and without cutting the others.
    for cut_others in [false, true] {
        let mut c = Device::new(3);
        c.pull_all(&visitor);
        assert!(matches!(recover(&mut c, &root(), &message_key(), cut_others), Err(SpaceError::Root { .. })));
        recover(&mut c, &next, &key, cut_others).unwrap();
        assert_eq!(c.names(), ["after", "before"]);
        assert_eq!(c.space.is_active(&a.key()), !cut_others);
        assert_eq!(standing(&c, &b.key()), WriterStanding::RootCut);
    }
}
