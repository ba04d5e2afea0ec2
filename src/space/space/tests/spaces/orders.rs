//! Invites, titles and a home's notes come out the same whatever the order and the pieces in which entries arrive.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Invite { device: usize, uses: u64 },
    Revoke { device: usize, which: prop::sample::Index },
    Join { device: usize, which: prop::sample::Index, seed: u8 },
    Title { device: usize },
    Note { device: usize, space: u8, left: bool },
    Keep { device: usize, space: u8 },
    Cut { device: usize, target: usize },
    Hide { device: usize, target: usize, undo: bool },
    Pull { to: usize, from: usize, feed: prop::sample::Index, blocks: u64 },
    Reload { device: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let device = || 0..4_usize;
    let index = any::<prop::sample::Index>;
    prop_oneof![
        3 => (device(), 0..3_u64).prop_map(|(device, uses)| Step::Invite { device, uses }),
        2 => (device(), index()).prop_map(|(device, which)| Step::Revoke { device, which }),
        3 => (device(), index(), 60..70_u8).prop_map(|(device, which, seed)| Step::Join { device, which, seed }),
        2 => device().prop_map(|device| Step::Title { device }),
        3 => (device(), 0..3_u8, any::<bool>()).prop_map(|(device, space, left)| Step::Note { device, space, left }),
        1 => (device(), 0..3_u8).prop_map(|(device, space)| Step::Keep { device, space }),
        1 => (device(), device()).prop_map(|(device, target)| Step::Cut { device, target }),
        1 => (device(), device(), any::<bool>()).prop_map(|(device, target, undo)| Step::Hide { device, target, undo }),
        14 => (device(), device(), index(), 1..5_u64)
            .prop_map(|(to, from, feed, blocks)| Step::Pull { to, from, feed, blocks }),
        1 => device().prop_map(|device| Step::Reload { device }),
    ]
}

/// Three admins and a writer that know each other.
fn devices() -> Vec<Device> {
    let mut a = creator(1);
    let mut others = vec![newcomer(2), newcomer(3), newcomer(4)];
    for (other, role) in others.iter_mut().zip([Role::Admin, Role::Admin, Role::Writer]) {
        a.bring_in(other, role).unwrap();
    }
    others.iter_mut().for_each(|other| other.pull_all(&a));
    a.entropy = Seeded::new(77);
    let mut all = vec![a];
    all.append(&mut others);
    all
}

fn run(devices: &mut [Device], step: &Step, links: &mut Vec<InviteLink>, count: usize) {
    // Whoever was cut, or is no admin, may not do everything: that is no failure here.
    match step {
        Step::Invite { device, uses } => {
            let Device { files, space, entropy, .. } = &mut devices[*device];
            links.extend(space.invite(files, 1, entropy, Role::Writer, *uses, 0));
        }
        Step::Revoke { device, which } => {
            let Device { files, space, entropy, .. } = &mut devices[*device];
            if !links.is_empty() {
                drop(space.revoke_invite(files, 1, entropy, which.get(links).key()));
            }
        }
        Step::Join { device, which, seed } => {
            if !links.is_empty() {
                let request = newcomer(*seed).request(which.get(links));
                drop(devices[*device].let_in(&request));
            }
        }
        Step::Title { device } => {
            let Device { files, space, entropy, .. } = &mut devices[*device];
            drop(space.set_title(files, 1, entropy, &count.to_string()));
        }
        Step::Note { device, space: there, left } => {
            let (Device { files, space, entropy, .. }, key) =
                (&mut devices[*device], PublicKey([*there; 32]));
            let writer = PublicKey([u8::try_from(*device).unwrap(); 32]);
            drop(space.announce_membership(files, 1, entropy, key, writer, *left));
        }
        Step::Keep { device, space: there } => {
            let (Device { files, space, entropy, .. }, key) =
                (&mut devices[*device], PublicKey([*there; 32]));
            let seed = [u8::try_from(count % 256).unwrap(); 32];
            drop(space.keep_space_secret(files, 1, entropy, key, &seed));
        }
        Step::Cut { device, target } => {
            let key = devices[*target].key();
            let Device { files, space, entropy, .. } = &mut devices[*device];
            drop(space.cut(files, 1, entropy, key, false));
        }
        Step::Hide { device, target, undo } => {
            let key = devices[*target].key();
            let Device { files, space, entropy, .. } = &mut devices[*device];
            drop(match undo {
                true => space.unhide(files, 1, entropy, key),
                false => space.hide(files, 1, entropy, key, 3),
            });
        }
        Step::Pull { to, from, feed, blocks } => {
            if let Ok([to, from]) = devices.get_disjoint_mut([*to, *from]) {
                let feeds: Vec<PublicKey> = from.space.feeds().map(Feed::key).collect();
                to.pull(from, feed.get(&feeds), *blocks);
            }
        }
        Step::Reload { device } => {
            let mut again = devices[*device].reopened();
            again.unlock();
            assert_eq!(state(&again), state(&devices[*device]));
            // Other randomness than the first time, as it would be.
            again.entropy = Seeded::new(1000 + u64::try_from(count).unwrap());
            devices[*device] = again;
        }
    }
}

/// What anybody sees, and what a device with the keys does.
fn state(device: &Device) -> impl PartialEq + core::fmt::Debug + use<> {
    let secrets: Vec<_> =
        device.space.space_secrets(&shared_root()).into_iter().map(|(space, seed)| (space, *seed)).collect();
    (public(device), device.space.memberships(), secrets)
}

fn public(device: &Device) -> impl PartialEq + core::fmt::Debug + use<> {
    let members: Vec<_> = device.space.members().into_iter().map(|m| (m.person, m.role, m.writers)).collect();
    (device.space.invites(), device.space.title(&device.files).unwrap(), members)
}

proptest! {
    #![proptest_config(crate::testing::cases(64))]

    #[test]
    fn everybody_sees_the_same_invites_titles_and_notes(steps in prop::collection::vec(step(), 0..60)) {
        let mut devices = devices();
        let mut links = Vec::new();
        for (count, step) in steps.iter().enumerate() {
            run(&mut devices, step, &mut links, count);
        }
        for _ in 0..4 {
            for (to, from) in (0..4).flat_map(|to| (0..4).map(move |from| (to, from))) {
                if let Ok([to, from]) = devices.get_disjoint_mut([to, from]) {
                    to.pull_all(from);
                }
            }
        }
        let mut visitor = visitor(99);
        visitor.pull_all(&devices[0]);
        for device in &mut devices {
            prop_assert_eq!(public(device), public(&visitor));
            let mut again = device.reopened();
            again.unlock();
            prop_assert_eq!(state(&again), state(device));
        }
        // Who can still write can read everything, so all of them note the same.
        let writing: Vec<&Device> = devices.iter().filter(|device| device.space.is_writable()).collect();
        for pair in writing.windows(2) {
            prop_assert_eq!(state(pair[0]), state(pair[1]));
        }
    }
}
