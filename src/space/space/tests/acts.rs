//! Granting, cutting, recovering.

use super::*;
use crate::{crypto::blake2b, space::Why};

/// A founder and a granted second device that know each other.
fn pair() -> (Device, Device) {
    let mut a = Device::founder(1);
    let mut b = Device::asker(2);
    a.grant(&b);
    meet(&mut a, &mut b);
    (a, b)
}

#[test]
fn a_late_cut_retracts_what_was_shown() {
    let (mut a, mut b) = pair();
    let mut c = Device::asker(3);
    a.grant(&c);
    meet(&mut a, &mut b);
    meet(&mut a, &mut c);
    b.put("k", "before the cut");
    meet(&mut a, &mut b);
    a.cut(b.key());
    // The cut one has not heard of it, and writes on; the third hears of that first.
    b.put("k", "after the cut");
    b.put("other", "after the cut");
    b.put_private("private", "after the cut");
    c.pull_all(&b);
    assert_eq!((c.values("k"), c.values("other").len()), (vec!["after the cut".to_owned()], 1));
    c.events();
    c.pull_all(&a);
    assert_eq!(c.values("k"), ["before the cut"]);
    assert!(c.values("other").is_empty() && c.values("private").is_empty());
    let events = c.events();
    let retracted = events.iter().find_map(|event| match event {
        SpaceEvent::Retracted { writer, from, to, entries, keys, why } => {
            Some((*writer, to - from, *entries, keys.clone(), *why))
        }
        _ => None,
    });
    let keys = ["k", "other", "private"].map(str::to_owned).to_vec();
    assert_eq!(retracted, Some((b.key(), 4, 3, keys, Some(Why::Cut))));
    let changed = events
        .iter()
        .any(|e| matches!(e, SpaceEvent::Changed { keys } if *keys == ["k", "other", "private"]));
    assert!(changed, "{events:?}");
    // Hearing of it in the other order gives the same.
    let mut d = Device::new(4);
    d.pull_all(&a);
    d.pull_all(&b);
    d.pull_all(&c);
    assert_eq!(d.all().len(), 1);
    assert_eq!(d.all(), c.all().into_iter().filter(|item| !item.private).collect::<Vec<_>>());
    let lost = a.space.quarantine(&a.files, None, None, None).unwrap();
    assert!(lost.is_empty(), "not fetched yet");
    a.pull_all(&b);
    let lost = a.space.quarantine(&a.files, None, None, None).unwrap();
    assert_eq!(lost.iter().map(|lost| lost.item.key.as_str()).collect::<Vec<_>>(), ["k", "other", "private"]);
    assert_eq!(lost.iter().map(|lost| text(&lost.item)).collect::<Vec<_>>(), ["after the cut"; 3]);
    assert!(lost.iter().all(|lost| lost.why == Why::Cut && lost.item.writer == b.key()));
    b.pull_all(&a);
    assert_eq!(standing(&b, &b.key()), WriterStanding::Cut);
    assert!(matches!(b.write(vec![put("x", "y", false)]), Err(SpaceError::NotAuthorised { .. })));
}

#[test]
fn a_cut_device_reads_nothing_written_after() {
    let (mut a, mut b) = pair();
    a.put_private("before", "1");
    meet(&mut a, &mut b);
    assert_eq!(b.values("before"), ["1"]);
    a.cut(b.key());
    a.put_private("after", "2");
    meet(&mut a, &mut b);
    assert_eq!(b.names(), ["before"]);
    assert_eq!(a.names(), ["after", "before"]);
}

#[test]
fn a_root_cut_is_final_and_others_read_on() {
    let (mut a, mut b) = pair();
    let mut c = Device::asker(3);
    a.grant(&c);
    meet(&mut a, &mut c);
    meet(&mut a, &mut b);
    b.put("b", "1");
    meet(&mut a, &mut b);
    let (now, key) = (a.time(), b.key());
    a.space.root_cut(&mut a.files, now, &mut a.entropy, &root(), key, None, Vec::new(), false).unwrap();
    b.put("b", "2");
    // What a closed feed signs later changes nothing, not even a cut.
    b.cut(a.key());
    a.put_private("after", "3");
    meet(&mut a, &mut b);
    c.pull_all(&b);
    c.pull_all(&a);
    for device in [&a, &c] {
        assert_eq!(device.values("b"), ["1"]);
        assert_eq!(device.values("after"), ["3"]);
        assert_eq!(standing(device, &key), WriterStanding::RootCut);
        assert_eq!(standing(device, &a.key()), WriterStanding::Active);
    }
    assert!(b.values("after").is_empty());
    let wrong = Signer::from_seed(&[77; 32]);
    let error = a.space.root_cut(&mut a.files, now, &mut a.entropy, &wrong, key, None, Vec::new(), false);
    assert!(matches!(error, Err(SpaceError::Root { .. })));
}

#[test]
fn a_device_can_leave_by_itself() {
    let (mut a, mut b) = pair();
    b.put("b", "stays");
    let own = b.key();
    b.cut(own);
    meet(&mut a, &mut b);
    assert_eq!(standing(&a, &own), WriterStanding::Cut);
    assert_eq!(a.values("b"), ["stays"]);
    assert!(!b.space.is_writable());
}

#[test]
fn the_passphrase_alone_brings_everything_back() {
    let (mut a, mut b) = pair();
    a.put_private("a", "1");
    b.put_private("b", "2");
    meet(&mut a, &mut b);
    let mut visitor = Device::new(8);
    visitor.pull_all(&a);
    let mut c = Device::new(3);
    c.pull_all(&visitor);
    let (grant, keys, now) = (c.grant_of(), c.keys(), c.time());
    let Device { files, space, entropy, .. } = &mut c;
    space
        .recover(
            files,
            now,
            entropy,
            &root(),
            Install { grant: &grant, keys, message_key: Some(&message_key()) },
            true,
        )
        .unwrap();
    assert_eq!(c.names(), ["a", "b"]);
    assert!(c.space.is_writable());
    c.put_private("c", "3");
    meet(&mut a, &mut c);
    assert_eq!(a.names(), ["a", "b"], "cut: reads nothing new");
    assert_eq!(standing(&a, &a.key()), WriterStanding::RootCut);
    let c_reloaded = {
        let mut again = c.reopened();
        again.unlock();
        again
    };
    assert_eq!(c_reloaded.names(), ["a", "b", "c"]);
    assert_eq!(c_reloaded.space.message_key().unwrap().as_bytes(), message_key().as_bytes());
    assert_eq!(c_reloaded.space.writers().iter().filter(|w| w.device.is_some()).count(), 3);
    assert!(c_reloaded.space.is_complete());
}

#[test]
fn a_recovery_that_cuts_nobody_leaves_the_others_writing() {
    let (mut a, mut b) = pair();
    a.put_private("a", "1");
    meet(&mut a, &mut b);
    let mut c = Device::new(3);
    c.pull_all(&a);
    let (grant, keys, now) = (c.grant_of(), c.keys(), c.time());
    let Device { files, space, entropy, .. } = &mut c;
    space
        .recover(
            files,
            now,
            entropy,
            &root(),
            Install { grant: &grant, keys, message_key: Some(&message_key()) },
            false,
        )
        .unwrap();
    c.put_private("c", "3");
    meet(&mut a, &mut c);
    a.put_private("a", "4");
    meet(&mut a, &mut c);
    meet(&mut a, &mut b);
    for device in [&a, &b, &c] {
        assert_eq!((device.values("a"), device.values("c")), (vec!["4".to_owned()], vec!["3".to_owned()]));
    }
}

#[test]
fn an_admin_seals_what_a_writer_lacks() {
    let (mut a, mut b) = pair();
    let mut c = Device::asker(3);
    // While one grants, the other begins an epoch that the newcomer has no seal of.
    a.cut(b.key());
    a.grant(&c);
    let now = b.time();
    b.space.renew_epoch(&mut b.files, now, &mut b.entropy).unwrap();
    b.put_private("b", "1");
    meet(&mut a, &mut c);
    let now = a.time();
    assert!(!a.space.maintain(&mut a.files, now, &mut a.entropy).unwrap());
    let mut d = Device::asker(4);
    c.grant(&d);
    let now = a.time();
    a.space.renew_epoch(&mut a.files, now, &mut a.entropy).unwrap();
    a.put_private("a", "sealed before the grant was known");
    meet(&mut a, &mut c);
    d.pull_all(&a);
    assert!(d.values("a").is_empty());
    assert!(a.space.maintain(&mut a.files, now, &mut a.entropy).unwrap());
    assert!(!a.space.maintain(&mut a.files, now, &mut a.entropy).unwrap());
    d.pull_all(&a);
    assert_eq!(d.values("a"), ["sealed before the grant was known"]);
}

#[test]
fn a_new_passphrase_shuts_everybody_out_and_keeps_the_data() {
    let (mut a, mut b) = pair();
    a.put("open", "1");
    a.put_private("a", "2");
    b.put_private("b", "3");
    meet(&mut a, &mut b);
    let next = Signer::from_seed(&[201; 32]);
    let key = MessageKey::from_bytes([10; 32]);
    let (old_key, now) = (a.key(), a.time());
    a.seed = 11;
    let (grant, keys) = (a.grant_of(), a.keys());
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
    assert_eq!((a.space.root(), a.space.key()), (next.public(), root().public()));
    a.put_private("after", "4");
    b.put("b", "too late");
    meet(&mut a, &mut b);
    assert_eq!(a.names(), ["a", "after", "b", "open"]);
    assert_eq!((a.values("b"), b.values("after").len()), (vec!["3".to_owned()], 0));
    for gone in [old_key, b.key()] {
        assert_eq!(standing(&b, &gone), WriterStanding::RootCut);
    }
    assert_eq!(a.space.message_key().unwrap().as_bytes(), key.as_bytes());
    assert!(b.space.is_complete() && b.space.manifest() == a.space.manifest());
    // The old passphrase has no say any more; the new one alone brings everything back.
    let own = a.key();
    let error = a.space.root_cut(&mut a.files, now, &mut a.entropy, &root(), own, None, Vec::new(), false);
    assert!(matches!(error, Err(SpaceError::Root { .. })));
    let mut c = Device::new(3);
    c.pull_all(&b);
    let (grant, keys) = (c.grant_of(), c.keys());
    let Device { files, space, entropy, .. } = &mut c;
    space
        .recover(files, now, entropy, &next, Install { grant: &grant, keys, message_key: Some(&key) }, false)
        .unwrap();
    assert_eq!(c.names(), ["a", "after", "b", "open"]);
    let mut again = c.reopened();
    assert_eq!(again.space.root(), next.public());
    again.unlock();
    assert_eq!(again.all(), c.all());
}

#[test]
fn a_rival_successor_that_comes_later_changes_nothing() {
    let a = Device::founder(1);
    let (first, rival) = (Signer::from_seed(&[201; 32]), Signer::from_seed(&[202; 32]));
    let links: Vec<Hash> = a.space.record_hashes().collect();
    let hands_over = |to: &Signer| {
        let items = vec![RootItem::Successor(to.public())];
        RootRecord::sign(&root().public(), &root(), links.clone(), items).unwrap()
    };
    let (first_record, rival_record) = (hands_over(&first), hands_over(&rival));
    let mut b = Device::new(2);
    b.pull_all(&a);
    b.space.add_record(&mut b.files, first_record.as_bytes()).unwrap();
    b.space.pin_followed(&mut b.files).unwrap();
    b.space.add_record(&mut b.files, rival_record.as_bytes()).unwrap();
    assert_eq!(b.space.root(), first.public());
    assert_eq!(b.reopened().space.root(), first.public());
    // Who hears of both from one peer follows neither, until the person decides; that is remembered.
    let mut c = Device::new(3);
    c.pull_all(&b);
    let mut c = c.reopened();
    assert_eq!((c.space.root(), c.space.contested()), (root().public(), [root().public()].as_slice()));
    let heirs: Vec<PublicKey> = c.space.rivals().into_iter().map(|(.., heir)| heir).collect();
    assert!(heirs.len() == 2 && heirs.contains(&rival.public()));
    c.space.pin(&mut c.files, root().public(), rival_record.hash()).unwrap();
    assert_eq!((c.space.root(), c.space.contested().len()), (rival.public(), 0));
    assert!(c.space.rivals().is_empty());
    assert_eq!(c.reopened().space.root(), rival.public());
}

#[test]
fn more_than_one_record_holds_is_split() {
    let mut a = Device::founder(1);
    let entries: Vec<Hash> = (0..2_500_u32).map(|n| blake2b(&[&n.to_le_bytes()])).collect();
    a.space.root_void(&mut a.files, &root(), entries.clone()).unwrap();
    let records: Vec<RootRecord> =
        a.space.records().map(|bytes| RootRecord::decode(&root().public(), bytes).unwrap()).collect();
    let voided: Vec<Hash> = records
        .iter()
        .flat_map(|record| &record.items)
        .flat_map(|item| if let RootItem::Void(voids) = item { voids.clone() } else { Vec::new() })
        .collect();
    assert_eq!(voided, entries);
    // More heads than one record links: all are drawn together, and the manifest names the last.
    let stored: Vec<u8> = (0..1_001_u32)
        .flat_map(|n| {
            let items = vec![RootItem::Unknown { kind: 9, body: n.to_le_bytes().to_vec() }];
            let record = RootRecord::sign(&root().public(), &root(), Vec::new(), items).unwrap();
            let bytes = record.as_bytes();
            [u32::try_from(bytes.len()).unwrap().to_le_bytes().as_slice(), bytes].concat()
        })
        .collect();
    let file = a.files.file(&format!("space/{}/records", root().public()));
    let end = a.files.len(file);
    a.files.write(file, end, &stored).unwrap();
    let mut a = a.reopened();
    a.space.root_void(&mut a.files, &root(), vec![entries[0]]).unwrap();
    assert_eq!(a.space.manifest().unwrap().heads, [a.space.record_hashes().last().unwrap()]);
    assert!(a.space.is_complete());
}

#[test]
fn strangers_records_are_not_kept() {
    let mut a = Device::founder(1);
    let stranger = Signer::from_seed(&[50; 32]);
    let record = RootRecord::sign(&a.space.key(), &stranger, Vec::new(), Vec::new()).unwrap();
    let error = a.space.add_record(&mut a.files, record.as_bytes());
    assert_eq!(error, Err(SpaceError::Root { expected: a.space.key(), got: stranger.public() }));
    assert_eq!(a.space.records().count(), 1);
}

#[test]
fn a_device_is_granted_once_and_never_after_a_cut() {
    let (mut a, b) = pair();
    let before = a.space.clock();
    a.grant(&b);
    assert_eq!(a.space.clock(), before);
    a.cut(b.key());
    let (now, grant) = (a.time(), b.grant_of());
    let error = a.space.grant(&mut a.files, now, &mut a.entropy, &grant, Role::Admin);
    assert!(matches!(error, Err(SpaceError::NotAuthorised { .. })));
}

#[test]
fn what_is_hidden_comes_back() {
    let (mut a, mut b) = pair();
    b.put("k", "shown");
    let from = b.space.feed(&b.key()).unwrap().length();
    b.put("k", "hidden");
    meet(&mut a, &mut b);
    let (now, key) = (a.time(), b.key());
    a.space.hide(&mut a.files, now, &mut a.entropy, key, from).unwrap();
    assert_eq!(a.values("k"), ["shown"]);
    b.pull_all(&a);
    assert_eq!(b.values("k"), ["shown"]);
    a.space.unhide(&mut a.files, now, &mut a.entropy, key).unwrap();
    assert_eq!(a.values("k"), ["hidden"]);
}

#[test]
fn two_histories_are_found_suspended_and_pinned() {
    let (mut a, mut b) = pair();
    b.put("k", "common");
    meet(&mut a, &mut b);
    let mut twin = b.reopened();
    twin.unlock();
    b.put("k", "one");
    twin.put("k", "other");
    twin.put("more", "other");
    a.pull_all(&b);
    let key = b.key();
    let fork = a.space.feed(&key).unwrap().length() - 1;
    let feed = twin.space.feed(&key).unwrap();
    let request = ProofRequest { blocks: fork..fork + 2, from: fork + 1, to: fork + 2 };
    let proof = feed.prove(&twin.files, &request).unwrap();
    let blocks: Vec<_> = (fork..fork + 2).map(|at| feed.get(&twin.files, at).unwrap().unwrap()).collect();
    a.events();
    assert!(a.space.accept(&mut a.files, &key, &proof, &blocks).is_err());
    assert_eq!(a.values("k"), ["one"]);
    let ours = a.space.feed(&key).unwrap().branch(&a.files, fork, fork + 1).unwrap();
    let theirs = feed.branch(&twin.files, fork, fork + 2).unwrap();
    let proof = EquivocationProof::new(key, ours, theirs).unwrap();
    assert!(a.space.add_equivocation(&mut a.files, &proof.encode()).unwrap());
    assert!(!a.space.add_equivocation(&mut a.files, &proof.encode()).unwrap());
    assert!(a.events().contains(&SpaceEvent::Equivocation { writer: key }));
    assert_eq!(a.values("k"), ["common"]);
    assert_eq!(standing(&a, &key), WriterStanding::Forked);
    // A proof that comes before what let its writer in is not lost.
    let mut late = Device::new(9);
    assert!(late.space.add_equivocation(&mut late.files, &proof.encode()).is_err());
    late.pull_records(&a);
    for feed in [a.key(), key] {
        late.pull(&a, &feed, u64::MAX);
    }
    assert_eq!(late.space.equivocations().count(), 1);
    assert_eq!(standing(&late, &key), WriterStanding::Forked);
    let again = a.reopened();
    assert_eq!((standing(&again, &key), again.values("k")), (WriterStanding::Forked, vec!["common".into()]));
    let now = a.time();
    a.space.root_cut(&mut a.files, now, &mut a.entropy, &root(), key, None, Vec::new(), false).unwrap();
    assert_eq!(a.values("k"), ["one"]);
    assert_eq!(standing(&a, &key), WriterStanding::RootCut);
}

#[test]
fn what_does_not_belong_is_refused() {
    let mut a = Device::founder(1);
    let mut stranger = Device::asker(7);
    stranger.pull_all(&a);
    let other = Signer::from_seed(&[8; 32]).public();
    let feed = a.space.feed(&a.key()).unwrap();
    let request = ProofRequest { blocks: 0..1, from: 0, to: 1 };
    let proof = feed.prove(&a.files, &request).unwrap();
    let block = feed.get(&a.files, 0).unwrap().unwrap();
    let error = stranger.space.accept(&mut stranger.files, &other, &proof, &[block]);
    assert_eq!(error, Err(SpaceError::NoWriter { writer: other }));
    let record = a.space.records().next().unwrap().to_vec();
    for at in 0..record.len() {
        let mut bad = record.clone();
        bad[at] ^= 1;
        assert!(a.space.add_record(&mut a.files, &bad).is_err(), "byte {at}");
    }
    assert!(!a.space.add_record(&mut a.files, &record).unwrap());
    let manifest = a.space.manifest_bytes().unwrap();
    assert!(!a.space.add_manifest(&mut a.files, &manifest).unwrap());
    for at in 0..manifest.len() {
        let mut bad = manifest.clone();
        bad[at] ^= 1;
        assert!(a.space.add_manifest(&mut a.files, &bad).is_err(), "byte {at}");
    }
    assert_eq!(a.space.manifest().unwrap().domain, "example.org");
}
