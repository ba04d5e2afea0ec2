//! Cutting a device and all that it let in, and what a page is told of grants.

use proptest::prelude::*;

use super::*;

/// Devices 1 to 7: the first lets in the second and the sixth, the second the third, that the fourth; the first and the
/// second let in the fifth without knowing of each other; the seventh only asks.
fn family() -> Vec<Device> {
    let mut a = Device::founder(1);
    let [mut b, mut c, d, e, f, g] = [2, 3, 4, 5, 6, 7].map(Device::asker);
    a.grant(&b);
    b.pull_all(&a);
    b.grant(&c);
    c.pull_all(&b);
    c.grant(&d);
    b.grant(&e);
    a.grant(&e);
    a.grant(&f);
    let mut all = vec![a, b, c, d, e, f, g];
    meet_all(&mut all.iter_mut().collect::<Vec<_>>());
    all
}

fn sorted(mut keys: Vec<PublicKey>) -> Vec<PublicKey> {
    keys.sort_unstable();
    keys
}

fn standings(device: &Device, keys: &[PublicKey]) -> Vec<WriterStanding> {
    keys.iter().map(|key| standing(device, key)).collect()
}

#[test]
fn whoever_only_the_cut_one_let_in_goes_with_it_and_nobody_else() {
    for by_root in [false, true] {
        let mut all = family();
        let keys: Vec<PublicKey> = all.iter().map(Device::key).collect();
        let gone = sorted(vec![keys[2], keys[3]]);
        assert_eq!(all[0].space.descendants(&keys[1]), gone);
        // A visitor, and one of those who would go, are told the same but for their own key.
        let mut visitor = Device::new(9);
        visitor.pull_all(&all[0]);
        assert_eq!(visitor.space.descendants(&keys[1]), gone);
        assert_eq!(all[2].space.descendants(&keys[1]), []);
        let a = &mut all[0];
        if by_root {
            a.root_cut(keys[1], true);
            assert_eq!(a.space.descendants(&keys[1]), []);
        } else {
            let now = a.time();
            a.space.cut(&mut a.files, now, &mut a.entropy, keys[1], true).unwrap();
            assert_eq!(a.space.descendants(&keys[1]), gone, "provisional, so the root may still close them");
        }
        all[0].put_private("after", "x");
        for device in &mut all[1..4] {
            device.put("late", "does not count");
        }
        meet_all(&mut all.iter_mut().collect::<Vec<_>>());
        visitor.pull_all(&all[4]);
        use WriterStanding::{Active, Cut, RootCut};
        let cut = if by_root { RootCut } else { Cut };
        for device in all.iter().chain([&visitor]) {
            assert_eq!(standings(device, &keys[..6]), [Active, cut, cut, cut, Active, Active]);
            assert!(device.values("late").is_empty());
        }
        let reads: Vec<bool> = all.iter().map(|device| device.values("after").len() == 1).collect();
        assert_eq!(reads, [true, false, false, false, true, true, false]);
    }
}

#[test]
fn the_one_who_cuts_and_those_it_let_in_stay() {
    let mut all = family();
    let keys: Vec<PublicKey> = all.iter().map(Device::key).collect();
    // The second cuts the first, who let it in: it stays, and so do its own; the sixth hangs on the first alone.
    assert_eq!(all[1].space.descendants(&keys[0]), [keys[5]]);
    let b = &mut all[1];
    let now = b.time();
    b.space.cut(&mut b.files, now, &mut b.entropy, keys[0], true).unwrap();
    meet_all(&mut all.iter_mut().collect::<Vec<_>>());
    use WriterStanding::{Active, Cut};
    for device in &all {
        assert_eq!(standings(device, &keys[..6]), [Cut, Active, Active, Active, Active, Cut]);
    }
    // Whoever leaves takes nobody along unless it says so.
    let c = &mut all[2];
    c.cut(keys[2]);
    assert_eq!(standings(c, &keys[2..4]), [Cut, Active]);
}

#[test]
fn whom_one_let_in_that_stays_is_not_taken_along() {
    let mut a = Device::founder(1);
    let [mut b, mut c, d] = [2, 3, 4].map(Device::asker);
    a.grant(&b);
    b.pull_all(&a);
    b.grant(&c);
    c.pull_all(&b);
    c.grant(&d);
    let mut visitor = Device::new(9);
    visitor.pull_all(&c);
    assert_eq!(visitor.space.descendants(&b.key()), sorted(vec![c.key(), d.key()]));
    // The first one has not heard of all that.
    a.grant(&c);
    meet_all(&mut [&mut a, &mut b, &mut c]);
    assert_eq!(a.space.descendants(&b.key()), []);
    let now = a.time();
    a.space.cut(&mut a.files, now, &mut a.entropy, b.key(), true).unwrap();
    use WriterStanding::{Active, Cut};
    assert_eq!(standings(&a, &[b.key(), c.key(), d.key()]), [Cut, Active, Active]);
}

#[test]
fn a_descendant_that_was_cut_before_still_passes_it_on() {
    let mut all = family();
    let keys: Vec<PublicKey> = all.iter().map(Device::key).collect();
    all[0].cut(keys[2]);
    assert_eq!(all[0].space.descendants(&keys[1]), sorted(vec![keys[2], keys[3]]));
    let before = all[0].space.clock()[&keys[0]];
    let a = &mut all[0];
    let now = a.time();
    a.space.cut(&mut a.files, now, &mut a.entropy, keys[1], true).unwrap();
    let cut_now =
        |target: usize| a.space.cuts_of(&keys[target]).iter().filter(|cut| cut.index >= before).count();
    assert_eq!([1, 2, 3].map(cut_now), [1, 0, 1], "who is cut already is not cut again");
    assert_eq!(standing(a, &keys[3]), WriterStanding::Cut);
}

#[test]
fn the_root_lets_one_of_them_back_in() {
    let mut all = family();
    let keys: Vec<PublicKey> = all.iter().map(Device::key).collect();
    let a = &mut all[0];
    let now = a.time();
    a.space.cut(&mut a.files, now, &mut a.entropy, keys[1], true).unwrap();
    let cuts = a.space.cuts_of(&keys[3]);
    assert_eq!(cuts.iter().map(|cut| (cut.author, cut.target)).collect::<Vec<_>>(), [(keys[0], keys[3])]);
    all[3].put("by the fourth", "written while it was cut");
    meet_all(&mut all.iter_mut().collect::<Vec<_>>());
    assert!(all[0].values("by the fourth").is_empty());
    let a = &mut all[0];
    a.space.root_void(&mut a.files, &root(), cuts.iter().map(|cut| cut.hash).collect()).unwrap();
    meet_all(&mut all.iter_mut().collect::<Vec<_>>());
    use WriterStanding::{Active, Cut};
    for device in &all {
        assert_eq!(standings(device, &keys[1..4]), [Cut, Cut, Active]);
        assert_eq!(device.values("by the fourth"), ["written while it was cut"]);
        assert_eq!(device.space.cuts_of(&keys[3]), []);
    }
}

#[test]
fn many_descendants_are_cut_at_once_and_left_out_of_the_new_epoch() {
    let mut a = Device::founder(1);
    let mut b = Device::asker(2);
    a.grant(&b);
    b.pull_all(&a);
    let many: Vec<Device> = (10..80).map(Device::new).collect();
    many.iter().for_each(|device| b.grant(device));
    a.pull_all(&b);
    let now = a.time();
    a.space.cut(&mut a.files, now, &mut a.entropy, b.key(), true).unwrap();
    let mut visitor = Device::new(9);
    visitor.pull_all(&a);
    for device in &many {
        assert_eq!(standing(&visitor, &device.key()), WriterStanding::Cut);
    }
    let epoch = a.space.access.epochs().into_iter().last().unwrap();
    assert_eq!(epoch.recipients, [a.key()]);
}

#[test]
fn a_page_is_told_who_let_whom_in_and_when() {
    let mut all = family();
    let keys: Vec<PublicKey> = all.iter().map(Device::key).collect();
    let info = |device: &Device, at: usize| {
        device.space.writers().into_iter().find(|info| info.key == keys[at]).unwrap()
    };
    let a = &all[0];
    let founder = info(a, 0);
    assert_eq!((founder.by_root, founder.granted_by, founder.granted_at), (true, vec![], None));
    assert_eq!(info(a, 2).granted_by, [keys[1]]);
    let fifth = info(a, 4);
    assert_eq!((fifth.by_root, fifth.granted_by), (false, sorted(vec![keys[0], keys[1]])));
    let made = a.space.grants_by(&keys[1]);
    assert_eq!(made.iter().map(|grant| grant.writer).collect::<Vec<_>>(), [keys[2], keys[4]]);
    let times: Vec<u64> = made.iter().map(|grant| grant.time.unwrap()).collect();
    assert_eq!(info(a, 2).granted_at, made.iter().find(|grant| grant.writer == keys[2]).unwrap().time);
    assert!(times.iter().all(|time| (1001..1100).contains(time)), "{times:?}");
    // Grants from before a cut stand, and are told after it too; what it grants later is not among them.
    all[0].cut(keys[1]);
    let g = Device::asker(7);
    all[1].grant(&g);
    meet_all(&mut all.iter_mut().collect::<Vec<_>>());
    assert_eq!(all[0].space.grants_by(&keys[1]), made);
    assert!(all[0].space.writers().iter().all(|info| info.key != keys[6] || info.granted_by.is_empty()));
    // A reload tells the same.
    let mut again = all[0].reopened();
    again.unlock();
    assert_eq!(again.space.grants_by(&keys[1]), made);
    assert_eq!(again.space.writers(), all[0].space.writers());
}

#[test]
fn nobody_cuts_or_hides_above_its_station() {
    let mut a = Device::founder(1);
    let [mut b, mut c, d] = [2, 3, 4].map(Device::asker);
    for device in [&b, &c] {
        let (now, grant) = (a.time(), device.grant_of());
        a.space.grant(&mut a.files, now, &mut a.entropy, &grant, Role::Writer).unwrap();
    }
    b.pull_all(&a);
    c.pull_all(&a);
    let (now, grant) = (b.time(), d.grant_of());
    // A writer lets in writers, no admins.
    b.space.grant(&mut b.files, now, &mut b.entropy, &grant, Role::Writer).unwrap();
    meet_all(&mut [&mut a, &mut b, &mut c]);
    let Device { files, space, entropy, .. } = &mut c;
    let clock = space.clock();
    let (founder, stranger) = (a.key(), Signer::from_seed(&[99; 32]).public());
    let refused = |result: Result<(), SpaceError>| matches!(result, Err(SpaceError::NotAuthorised { .. }));
    assert!(refused(space.cut(files, now, entropy, founder, true)));
    assert!(refused(space.hide(files, now, entropy, founder, 0)));
    assert!(refused(space.unhide(files, now, entropy, founder)));
    assert!(refused(space.hide_since(files, now, entropy, founder, 0).map(drop)));
    assert_eq!(
        space.cut(files, now, entropy, stranger, true),
        Err(SpaceError::NoWriter { writer: stranger })
    );
    assert_eq!(space.clock(), clock, "nothing was written");
    // All of them are devices of one person, so one writer may cut another, and those that it let in.
    space.cut(files, now, entropy, b.key(), true).unwrap();
    meet_all(&mut [&mut a, &mut b, &mut c]);
    for device in [&a, &b, &c] {
        assert_eq!(standing(device, &b.key()), WriterStanding::Cut);
        assert_eq!(standing(device, &d.key()), WriterStanding::Cut);
        assert_eq!(standing(device, &a.key()), WriterStanding::Active);
    }
}

proptest! {
    #![proptest_config(crate::testing::cases(48))]

    /// Who would be cut is who loses its grant if the target's feed is closed at its very beginning, but for those whom one
    /// that keeps its own let in: it may have let them in before anybody but the target had let it in.
    #[test]
    fn descendants_are_those_whom_nobody_let_in_who_stays(
        steps in prop::collection::vec((0..6_usize, 0..6_usize, any::<bool>()), 1..25),
        target in 0..6_usize,
    ) {
        let mut all = vec![Device::founder(1)];
        all.extend((2..7).map(Device::asker));
        for (from, to, lets_in) in steps {
            let Ok([from, to]) = all.get_disjoint_mut([from, to]) else { continue };
            if lets_in {
                let (now, grant) = (from.time(), to.grant_of());
                // Whoever is not let in itself is refused.
                drop(from.space.grant(&mut from.files, now, &mut from.entropy, &grant, Role::Admin));
            }
            to.pull_all(from);
        }
        meet_all(&mut all.iter_mut().collect::<Vec<_>>());
        let mut visitor = Device::new(9);
        visitor.pull_all(&all[0]);
        let keys: Vec<PublicKey> = all.iter().map(Device::key).collect();
        let descendants = visitor.space.descendants(&keys[target]);
        let let_in: Vec<PublicKey> = keys.iter().filter(|key| visitor.space.role(key).is_some()).copied().collect();
        if !visitor.space.followed(&keys[target]) {
            prop_assert_eq!(descendants, []);
            return Ok(());
        }
        let Device { files, space, entropy, .. } = &mut visitor;
        let by: Vec<_> = keys.iter().map(|key| space.grants_by(key)).collect();
        space.root_cut(files, 2000, entropy, &root(), keys[target], Some(0), Vec::new(), false).unwrap();
        let mut lost: Vec<PublicKey> = let_in.into_iter().filter(|key| space.role(key).is_none()).collect();
        lost.sort_unstable();
        for _ in &keys {
            let stays = |key: &PublicKey| *key != keys[target] && !lost.contains(key);
            let by_them = keys.iter().zip(&by).filter(|(key, _)| stays(key)).flat_map(|(_, made)| made);
            let kept: Vec<PublicKey> = by_them.map(|grant| grant.writer).collect();
            lost.retain(|key| !kept.contains(key));
        }
        prop_assert_eq!(lost, descendants);
    }
}
