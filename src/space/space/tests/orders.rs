//! Whatever the order and the pieces in which things arrive, everybody sees the same.

use proptest::prelude::*;

use super::*;
use crate::space::{Clock, space::checkpoint::tests::assert_as_from_scratch};

#[derive(Clone, Debug)]
pub(in crate::space::space) enum Step {
    Put {
        device: usize,
        key: u8,
        private: bool,
    },
    Delete {
        device: usize,
        key: u8,
    },
    Batch {
        device: usize,
        keys: Vec<(u8, bool)>,
    },
    /// `to` fetches from `from`: of which feed, how many blocks.
    Pull {
        to: usize,
        from: usize,
        feed: prop::sample::Index,
        blocks: u64,
    },
    Records {
        to: usize,
        from: usize,
    },
    Act {
        device: usize,
        target: usize,
        act: Act,
    },
    Acknowledge {
        device: usize,
    },
    Reload {
        device: usize,
    },
    /// A checkpoint is written.
    Store {
        device: usize,
    },
}

/// What one device does to another.
#[derive(Clone, Copy, Debug)]
pub(in crate::space::space) enum Act {
    Adopt,
    Cut,
    CutAll,
    Grant,
    Hide,
    HideSince,
    RootCut,
    RootCutAll,
    Unhide,
}

/// A founder, two devices that it let in and met, and one that still asks.
pub(in crate::space::space) fn four() -> Vec<Device> {
    let mut a = Device::founder(1);
    let (mut b, mut c, d) = (Device::asker(2), Device::asker(3), Device::asker(4));
    a.grant(&b);
    a.grant(&c);
    meet(&mut a, &mut b);
    meet(&mut a, &mut c);
    vec![a, b, c, d]
}

pub(in crate::space::space) fn step() -> impl Strategy<Value = Step> {
    let device = || 0..4_usize;
    let act = |act| (device(), device()).prop_map(move |(device, target)| Step::Act { device, target, act });
    prop_oneof![
        6 => (device(), 0..4_u8, any::<bool>()).prop_map(|(device, key, private)| Step::Put { device, key, private }),
        2 => (device(), 0..4_u8).prop_map(|(device, key)| Step::Delete { device, key }),
        2 => (device(), prop::collection::vec((0..4_u8, any::<bool>()), 1..4))
            .prop_map(|(device, keys)| Step::Batch { device, keys }),
        12 => (device(), device(), any::<prop::sample::Index>(), 1..5_u64)
            .prop_map(|(to, from, feed, blocks)| Step::Pull { to, from, feed, blocks }),
        2 => (device(), device()).prop_map(|(to, from)| Step::Records { to, from }),
        2 => act(Act::Adopt),
        1 => act(Act::Cut),
        1 => act(Act::CutAll),
        2 => act(Act::Grant),
        1 => act(Act::Hide),
        1 => act(Act::HideSince),
        1 => act(Act::RootCut),
        1 => act(Act::RootCutAll),
        1 => act(Act::Unhide),
        1 => device().prop_map(|device| Step::Acknowledge { device }),
        1 => device().prop_map(|device| Step::Reload { device }),
        2 => device().prop_map(|device| Step::Store { device }),
    ]
}

/// Three devices that know each other, and one that asks.
fn devices() -> Vec<Device> {
    let mut a = Device::founder(1);
    let (mut b, mut c) = (Device::asker(2), Device::asker(3));
    a.grant(&b);
    a.grant(&c);
    meet(&mut a, &mut b);
    meet(&mut a, &mut c);
    let mut d = Device::asker(4);
    d.pull_all(&a);
    vec![a, b, c, d]
}

fn pull(devices: &mut [Device], to: usize, from: usize, act: impl FnOnce(&mut Device, &Device)) {
    if let Ok([a, b]) = devices.get_disjoint_mut([to, from]) {
        act(a, b);
    }
}

pub(in crate::space::space) fn run(devices: &mut [Device], step: &Step, count: usize) {
    let name = |key: &u8| format!("key/{key}");
    match step {
        // Whoever was cut may no longer write: that is no failure here.
        Step::Put { device, key, private } => {
            drop(devices[*device].write(vec![put(&name(key), &count.to_string(), *private)]));
        }
        Step::Delete { device, key } => drop(devices[*device].write(vec![delete(&name(key))])),
        Step::Batch { device, keys } => {
            let ops = keys.iter().map(|(key, private)| put(&name(key), &format!("{count} {key}"), *private));
            drop(devices[*device].write(ops.collect()));
        }
        Step::Pull { to, from, feed, blocks } => pull(devices, *to, *from, |to, from| {
            let feeds: Vec<PublicKey> = from.space.feeds().map(Feed::key).collect();
            to.pull(from, feed.get(&feeds), *blocks);
        }),
        Step::Records { to, from } => pull(devices, *to, *from, |to, from| to.pull_records(from)),
        Step::Act { device, target, act } => {
            let (grant, now) = (devices[*target].grant_of(), devices[*device].time());
            let key = grant.writer;
            let Device { files, space, entropy, .. } = &mut devices[*device];
            drop(match act {
                Act::Adopt => space.quarantine(files, Some(&key), None, Some(9)).and_then(|lost| {
                    lost.iter().try_for_each(|lost| {
                        space.adopt(files, now, entropy, &lost.item.version, false).map(drop)
                    })
                }),
                Act::Cut => space.cut(files, now, entropy, key, false),
                Act::CutAll => space.cut(files, now, entropy, key, true),
                Act::Grant => space.grant(files, now, entropy, &grant, Role::Admin),
                Act::Hide => space.hide(files, now, entropy, key, 4),
                Act::HideSince => space.hide_since(files, now, entropy, key, now - 3).map(drop),
                Act::RootCut => space.root_cut(files, now, entropy, &root(), key, None, Vec::new(), false),
                Act::RootCutAll => space.root_cut(files, now, entropy, &root(), key, None, Vec::new(), true),
                Act::Unhide => space.unhide(files, now, entropy, key),
            });
        }
        Step::Acknowledge { device } => {
            let now = devices[*device].time();
            let Device { files, space, entropy, .. } = &mut devices[*device];
            space.acknowledge(files, now, entropy).unwrap();
        }
        Step::Reload { device } => {
            let mut again = devices[*device].reopened();
            assert_as_from_scratch(&mut devices[*device]);
            again.unlock();
            assert_eq!(again.all(), devices[*device].all());
            again.now = devices[*device].now;
            // Other randomness than the first time, as it would be.
            again.entropy = Seeded::new(again.now);
            devices[*device] = again;
        }
        Step::Store { device } => {
            let Device { files, space, .. } = &mut devices[*device];
            space.write_checkpoint(files).unwrap();
        }
    }
}

/// Everybody fetches everything.
fn level(devices: &mut [Device]) {
    for _ in 0..4 {
        for (to, from) in (0..4).flat_map(|to| (0..4).map(move |from| (to, from))) {
            pull(devices, to, from, |to, from| to.pull_all(from));
        }
    }
}

/// All that a device shows, without what it cannot open.
fn public(device: &Device) -> Vec<Item> {
    device.all().into_iter().filter(|item| !item.private).collect()
}

proptest! {
    #![proptest_config(crate::testing::cases(64))]

    #[test]
    fn everybody_sees_the_same_in_the_end(steps in prop::collection::vec(step(), 1..50), seed: u64) {
        let mut devices = devices();
        for (count, step) in steps.iter().enumerate() {
            run(&mut devices, step, count);
        }
        level(&mut devices);
        // Who was cut here and is not in the end may lack keys made in between: an admin seals them.
        for device in &mut devices {
            let now = device.time();
            device.space.maintain(&mut device.files, now, &mut device.entropy).unwrap();
        }
        level(&mut devices);
        // Feeds of keys whose grants a root cut undid are kept by those who had them, and fetched by nobody else.
        let clock = |device: &Device| -> Clock {
            let followed = |(writer, length): &(PublicKey, u64)| {
                *length > 0 && device.space.access.is_followed(writer)
            };
            device.space.clock().into_iter().filter(followed).collect()
        };
        for device in &devices {
            prop_assert_eq!(clock(device), clock(&devices[0]));
        }
        devices.iter_mut().for_each(assert_as_from_scratch);
        // Who was never cut reads everything that the others of that kind read.
        let active: Vec<&Device> = devices.iter().filter(|device| device.space.is_writable()).collect();
        for device in &active {
            prop_assert_eq!(device.all(), active[0].all());
            let at = device.space.clock();
            let then = device.space.list_at(&device.files, &at, &Range::default()).unwrap();
            prop_assert_eq!(then, device.all());
        }
        let history = |device: &Device| -> Vec<Item> {
            let items = device.space.history(&device.files, None, None, None).unwrap();
            items.into_iter().filter(|item| !item.private).collect()
        };
        // A visitor that fetches in small pieces in another order sees what a locked device sees.
        let mut visitor = Device::new(9);
        let mut draws = Seeded::new(seed);
        visitor.pull_records(&devices[0]);
        loop {
            let feeds: Vec<PublicKey> = visitor.space.feeds().map(Feed::key).collect();
            let start = usize::try_from(crate::crypto::Entropy::below(&mut draws, 8)).unwrap();
            let more = (0..feeds.len()).any(|at| {
                let feed = feeds[(start + at) % feeds.len()];
                visitor.pull(&devices[0], &feed, 2)
            });
            if !more {
                break;
            }
        }
        let mut shown = Vec::new();
        for device in &mut devices {
            device.lock();
            prop_assert_eq!(history(device), history(&visitor));
            shown.push(public(device));
            let again = device.reopened();
            prop_assert_eq!(public(&again), public(device));
        }
        for shown in shown {
            prop_assert_eq!(shown, visitor.all());
        }
    }
}

/// A device that was let in past a cut that its sponsor had not heard of: nothing it wrote counts, and yet its feed is
/// had by everybody, since a cut in it would take effect.
#[test]
fn a_feed_granted_past_a_cut_is_followed_by_all() {
    let mut devices = devices();
    let (sponsor, newcomer) = (devices[0].grant_of().writer, devices[3].grant_of().writer);
    run(&mut devices, &Step::Act { device: 0, target: 3, act: Act::Grant }, 0);
    pull(&mut devices, 3, 0, |to, from| assert!(to.pull(from, &sponsor, 4)));
    run(&mut devices, &Step::Act { device: 1, target: 0, act: Act::Cut }, 1);
    run(&mut devices, &Step::Batch { device: 3, keys: vec![(0, false)] }, 2);
    assert_eq!(devices[3].space.clock()[&newcomer], 1);
    level(&mut devices);
    for device in &devices {
        assert_eq!(device.space.clock()[&newcomer], 1);
        assert!(public(device).is_empty());
        assert!(device.space.role(&newcomer).is_none());
    }
}
