//! What a home knows of other spaces, and how a person's devices follow one another there.

use super::*;
use crate::space::{Membership, to_cut, to_grant};

/// A person's two devices at home, and the same two in the created space: with other keys.
fn person() -> (Device, Device, Device, Device) {
    let (mut a, mut b) = (Device::founder(1), Device::asker(2));
    a.grant(&b);
    meet(&mut a, &mut b);
    (a, b, creator(101), newcomer(102))
}

impl Device {
    fn announce(&mut self, writer: PublicKey, left: bool) -> bool {
        let (now, space) = (self.time(), shared_root().public());
        self.space.announce_membership(&mut self.files, now, &mut self.entropy, space, writer, left).unwrap()
    }

    fn keep(&mut self, seed: &[u8; 32]) {
        let (now, space) = (self.time(), shared_root().public());
        self.space.keep_space_secret(&mut self.files, now, &mut self.entropy, space, seed).unwrap();
    }
}

fn cuts(home: &Device, space: &Device) -> Vec<PublicKey> {
    to_cut(&home.files, &home.space, &space.space).unwrap()
}

#[test]
fn the_last_word_of_each_device_on_each_space_holds() {
    let (mut a, mut b, here, there) = person();
    let space = here.space.key();
    assert!(a.announce(here.key(), false));
    assert!(!a.announce(here.key(), false), "said already");
    assert!(b.announce(there.key(), false));
    meet(&mut a, &mut b);
    let of = |home: &Device, device: &Device, left| Membership {
        device: home.key(),
        space,
        writer: device.key(),
        left,
    };
    let mut both = [of(&a, &here, false), of(&b, &there, false)];
    both.sort_unstable();
    assert_eq!((a.space.memberships(), b.space.memberships()), (both.to_vec(), both.to_vec()));
    assert!(b.announce(there.key(), true));
    assert!(b.announce(there.key(), false) && b.announce(there.key(), true));
    meet(&mut a, &mut b);
    let mut both = [of(&a, &here, false), of(&b, &there, true)];
    both.sort_unstable();
    assert_eq!(a.space.memberships(), both);
    // Nobody else can tell, nor can this device while it is locked.
    let mut visitor = Device::new(9);
    visitor.pull_all(&a);
    assert!(visitor.space.memberships().is_empty());
    a.space.lock();
    assert!(a.space.memberships().is_empty());
    a.unlock();
    assert_eq!(a.space.memberships(), both);
    let mut again = a.reopened();
    again.unlock();
    assert_eq!(again.space.memberships(), both);
    assert!(!again.space.needs_update());
}

#[test]
fn devices_bring_one_another_in_and_take_one_another_out() {
    let (mut a, mut b, mut here, mut there) = person();
    a.announce(here.key(), false);
    assert!(to_grant(&a.space, &here.space).is_empty());
    b.announce(there.key(), false);
    meet(&mut a, &mut b);
    let wanted = to_grant(&a.space, &here.space);
    let device = DeviceGrant { writer: there.key(), install_id: [0; 16], name: "device 2".into() };
    assert_eq!(wanted, [device]);
    assert!(to_grant(&b.space, &there.space).is_empty(), "it cannot write there yet");
    let role = here.role_of(&here).unwrap();
    let now = here.time();
    here.space.grant(&mut here.files, now, &mut here.entropy, &wanted[0], role).unwrap();
    meet(&mut here, &mut there);
    assert!(to_grant(&a.space, &here.space).is_empty() && to_grant(&b.space, &there.space).is_empty());
    assert_eq!(there.persons_of(&there), here.persons_of(&here));
    assert!(there.space.is_writable());
    assert!(cuts(&a, &here).is_empty());
    // One that left stays as it is: it may come back with the same key.
    b.announce(there.key(), true);
    meet(&mut a, &mut b);
    assert!(to_grant(&a.space, &here.space).is_empty() && cuts(&a, &here).is_empty());
    a.cut(b.key());
    assert_eq!(cuts(&a, &here), [there.key()]);
    here.cut(there.key());
    assert!(cuts(&a, &here).is_empty(), "done");
    assert!(to_grant(&a.space, &here.space).is_empty(), "never again");
}

#[test]
fn a_raised_member_raises_its_other_devices() {
    let (mut a, mut b, _, mut there) = person();
    let (mut admin, mut here) = (creator(50), newcomer(101));
    let link = admin.invite(Role::Writer, 0, 0);
    admin.let_in(&here.request(&link)).unwrap();
    here.pull_all(&admin);
    a.announce(here.key(), false);
    b.announce(there.key(), false);
    meet(&mut a, &mut b);
    let bring = |here: &mut Device, a: &Device| {
        for device in to_grant(&a.space, &here.space) {
            let (now, role) = (here.time(), here.role_of(here).unwrap());
            here.space.grant(&mut here.files, now, &mut here.entropy, &device, role).unwrap();
        }
    };
    bring(&mut here, &a);
    meet(&mut admin, &mut here);
    assert_eq!(admin.role_of(&there), Some(Role::Writer));
    let link = admin.invite(Role::Admin, 0, 0);
    admin.let_in(&here.request(&link)).unwrap();
    here.pull_all(&admin);
    there.pull_all(&here);
    assert!(to_grant(&b.space, &there.space).is_empty(), "its role is no higher than the other's");
    bring(&mut here, &a);
    admin.pull_all(&here);
    assert_eq!((admin.role_of(&there), to_grant(&a.space, &here.space)), (Some(Role::Admin), Vec::new()));
    assert_eq!(admin.persons_of(&there), admin.persons_of(&here));
}

#[test]
fn what_a_removed_device_said_too_late_is_not_forgotten() {
    let (mut a, mut b, mut here, mut there) = person();
    a.announce(here.key(), false);
    meet(&mut a, &mut b);
    // One device sees the announcement and grants; another one cuts without having seen it.
    let mut c = Device::asker(3);
    a.grant(&c);
    meet(&mut a, &mut c);
    meet(&mut a, &mut b);
    b.announce(there.key(), false);
    c.pull_all(&b);
    let wanted = to_grant(&c.space, &here.space);
    assert_eq!(wanted.len(), 1);
    let now = here.time();
    here.space.grant(&mut here.files, now, &mut here.entropy, &wanted[0], Role::Admin).unwrap();
    a.cut(b.key());
    // It names keys that are not its own, too: that of a device that is still there, and that of somebody else.
    let (mut other, link) = (newcomer(60), here.invite(Role::Writer, 0, 0));
    here.let_in(&other.request(&link)).unwrap();
    b.announce(here.key(), false);
    b.announce(other.key(), false);
    meet(&mut here, &mut there);
    c.pull_all(&b);
    c.pull_all(&a);
    a.pull_all(&b);
    assert!(c.space.memberships().iter().all(|membership| membership.device != b.key()));
    for home in [&a, &c] {
        assert_eq!(cuts(home, &here), [there.key()]);
    }
    other.pull_all(&here);
    assert!(cuts(&a, &other).is_empty(), "not for another person's devices to do");
}

#[test]
fn a_key_of_somebody_else_is_neither_brought_in_nor_taken_out() {
    let (mut a, mut b, mut here, _) = person();
    let mut q = newcomer(60);
    let link = here.invite(Role::Writer, 0, 0);
    here.let_in(&q.request(&link)).unwrap();
    meet(&mut here, &mut q);
    a.announce(here.key(), false);
    b.announce(q.key(), false);
    meet(&mut a, &mut b);
    assert!(to_grant(&a.space, &here.space).is_empty());
    a.cut(b.key());
    assert!(cuts(&a, &here).is_empty());
}

#[test]
fn the_root_of_a_created_space_is_there_for_who_has_the_passphrase() {
    let (mut a, mut b, here, _) = person();
    let space = here.space.key();
    a.keep(&[210; 32]);
    meet(&mut a, &mut b);
    for home in [&a, &b] {
        let secrets = home.space.space_secrets(&root());
        assert_eq!(secrets.len(), 1);
        assert_eq!((secrets[0].0, *secrets[0].1), (space, [210; 32]));
        assert!(home.space.space_secrets(&Signer::from_seed(&[77; 32])).is_empty());
    }
    // The last one is the one, but an older root can still be had by its key.
    b.keep(&[211; 32]);
    b.keep(&[211; 32]);
    meet(&mut a, &mut b);
    assert_eq!(*a.space.space_secrets(&root())[0].1, [211; 32]);
    let of = |seed: u8| a.space.space_secret(&root(), &space, &Signer::from_seed(&[seed; 32]).public());
    assert_eq!(of(210).as_deref(), Some(&[210; 32]));
    assert_eq!(of(211).as_deref(), Some(&[211; 32]));
    assert_eq!(of(212), None);
    assert_eq!(a.space.space_secret(&root(), &here.key(), &shared_root().public()), None);
    // A new passphrase: the old one opens nothing that is kept from now on.
    let next = Signer::from_seed(&[201; 32]);
    let key = MessageKey::from_bytes([10; 32]);
    a.seed = 11;
    let (grant, keys, now) = (a.grant_of(), a.keys(), a.time());
    let Device { files, space: home, entropy, .. } = &mut a;
    home.change_root(
        files,
        now,
        entropy,
        (&root(), &next),
        Install { grant: &grant, keys, message_key: Some(&key) },
    )
    .unwrap();
    assert!(home.space_secrets(&next).is_empty());
    assert_eq!(home.reseal_space_secrets(files, now, entropy, &root()).unwrap(), 2);
    let of = |seed: u8| home.space_secret(&next, &space, &Signer::from_seed(&[seed; 32]).public());
    assert_eq!((of(210).as_deref(), of(211).as_deref()), (Some(&[210; 32]), Some(&[211; 32])));
    assert_eq!(home.reseal_space_secrets(files, now, entropy, &Signer::from_seed(&[1; 32])).unwrap(), 0);
    assert_eq!(*home.space_secrets(&next)[0].1, [211; 32]);
    assert_eq!(*home.space_secrets(&root())[0].1, [211; 32], "what was sealed to it before");
    a.space.lock();
    assert!(a.space.space_secrets(&next).is_empty());
    // The passphrase alone opens it again.
    let mut c = Device::new(3);
    c.pull_all(&a);
    let (grant, keys, now) = (c.grant_of(), c.keys(), c.time());
    let Device { files, space: home, entropy, .. } = &mut c;
    home.recover(files, now, entropy, &next, Install { grant: &grant, keys, message_key: Some(&key) }, true)
        .unwrap();
    assert_eq!(*c.space.space_secrets(&next)[0].1, [211; 32]);
    assert!(c.space.announce_membership(&mut c.files, 1, &mut c.entropy, space, here.key(), false).unwrap());
}

#[test]
fn after_a_new_passphrase_the_old_key_lets_the_new_one_in() {
    let (mut a, mut b, _, mut there) = person();
    // A space that somebody else created: its root is not this person's to change.
    let (mut admin, mut here) = (creator(50), newcomer(101));
    let link = admin.invite(Role::Writer, 0, 0);
    admin.let_in(&here.request(&link)).unwrap();
    here.pull_all(&admin);
    let old = [here.key(), there.key()];
    a.announce(here.key(), false);
    b.announce(there.key(), false);
    meet(&mut a, &mut b);
    for device in to_grant(&a.space, &here.space) {
        let now = here.time();
        here.space.grant(&mut here.files, now, &mut here.entropy, &device, Role::Writer).unwrap();
    }
    let person = here.persons_of(&here);
    let (next, key) = (Signer::from_seed(&[201; 32]), MessageKey::from_bytes([10; 32]));
    a.seed = 11;
    let (grant, keys, now) = (a.grant_of(), a.keys(), a.time());
    let Device { files, space: home, entropy, .. } = &mut a;
    home.change_root(
        files,
        now,
        entropy,
        (&root(), &next),
        Install { grant: &grant, keys, message_key: Some(&key) },
    )
    .unwrap();
    // The old key is still in memory and still counts in the other space.
    here.seed = 111;
    let grant = here.grant_of();
    let now = here.time();
    here.space.grant(&mut here.files, now, &mut here.entropy, &grant, Role::Writer).unwrap();
    a.announce(here.key(), false);
    here.unlock();
    assert_eq!(here.persons_of(&here), person);
    let mut gone = old.to_vec();
    gone.sort_unstable();
    assert_eq!(cuts(&a, &here), gone);
    for writer in gone {
        here.cut(writer);
    }
    admin.pull_all(&here);
    there.pull_all(&here);
    here.put_private("after", "1");
    meet(&mut admin, &mut here);
    assert_eq!(admin.values("after"), ["1"]);
    assert_eq!(admin.space.active_writers().len(), 2);
    assert!(there.values("after").is_empty() && !there.space.is_writable());
    assert!(cuts(&a, &here).is_empty() && to_grant(&a.space, &here.space).is_empty());
}
