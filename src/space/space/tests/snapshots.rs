//! Static snapshots: a reader of a few kilobytes finds what a whole node finds, and believes nothing that is wrong.

use super::*;
use crate::{
    crypto::{Hash, blake2b},
    space::snapshot::{Listing, SnapshotError, SnapshotPlan, SnapshotReader},
};

/// What a host serves.
#[derive(Clone)]
struct Host {
    files: Map<Hash, Vec<u8>>,
    head: Vec<u8>,
    fetched: u64,
    rounds: usize,
}

fn plan(device: &Device) -> SnapshotPlan {
    let plan = device.space.plan_snapshot(&device.files).unwrap();
    SnapshotPlan::decode(&plan.encode()).unwrap()
}

impl Host {
    fn of(device: &Device) -> Self {
        Self::as_planned(device, &plan(device))
    }

    fn as_planned(device: &Device, plan: &SnapshotPlan) -> Self {
        let mut host = Self { files: Map::new(), head: Vec::new(), fetched: 0, rounds: 0 };
        let mut names = Vec::new();
        for number in 0..plan.segments() {
            let bytes = device.space.snapshot_segment(&device.files, plan, number).unwrap();
            names.push(blake2b(&[&bytes]));
            host.files.insert(blake2b(&[&bytes]), bytes);
        }
        let mut rest = device.space.finish_snapshot(&device.files, 5000, plan, &names).unwrap();
        host.head = rest.pop().unwrap();
        host.files.extend(rest.into_iter().map(|bytes| (blake2b(&[&bytes]), bytes)));
        host
    }

    fn reader(&self) -> SnapshotReader {
        SnapshotReader::open(root().public(), &self.head, &[]).unwrap()
    }

    /// Fetches until there is an answer; what was refused on the way.
    fn list(&mut self, reader: &mut SnapshotReader, range: &Range) -> (Vec<Item>, Vec<SnapshotError>) {
        let mut refused = Vec::new();
        for _ in 0..50 {
            match reader.list(range) {
                Ok(Listing::Items(items)) => return (items, refused),
                Ok(Listing::Fetch(pieces)) => {
                    assert!(!pieces.is_empty());
                    self.rounds += 1;
                    for piece in pieces {
                        let (start, end) = (piece.start as usize, piece.end as usize);
                        let bytes = self.files[&piece.file].get(start..end).unwrap_or_default();
                        self.fetched += piece.end - piece.start;
                        refused.extend(reader.take(&piece, bytes).err());
                    }
                }
                Err(error) => {
                    refused.push(error);
                    return (Vec::new(), refused);
                }
            }
        }
        panic!("no end of fetching");
    }
}

fn newest(limit: usize) -> Range {
    Range { reverse: true, limit: Some(limit), ..Range::prefix("posts/") }
}

fn posts(device: &mut Device, range: core::ops::Range<u32>) {
    for at in range {
        device.put(&format!("posts/{at:06}"), &format!("post number {at}"));
    }
}

#[test]
fn the_newest_of_many_posts_cost_little() {
    let mut device = Device::founder(1);
    for start in (0..3000).step_by(100) {
        let ops = (start..start + 100).map(|at| put(&format!("posts/{at:06}"), "a post", false)).collect();
        device.write(ops).unwrap();
        posts(&mut device, start + 500_000..start + 500_050);
    }
    device.put_private("posts/999999", "of nobody's concern");
    let mut host = Host::of(&device);
    let all: usize = host.files.values().map(Vec::len).sum();
    let mut reader = host.reader();
    let (items, refused) = host.list(&mut reader, &newest(50));
    assert_eq!(refused, []);
    let whole = device.space.list(&device.files, &newest(51)).unwrap();
    assert_eq!(items, whole.into_iter().filter(|item| !item.private).collect::<Vec<_>>());
    assert!(host.fetched < u64::try_from(all / 4).unwrap(), "{} of {all} bytes", host.fetched);
    assert!(host.rounds <= 5, "{} rounds", host.rounds);
    // What is here is not fetched again.
    let before = host.fetched;
    assert_eq!(host.list(&mut reader, &newest(50)).0, items);
    assert_eq!(host.fetched, before);
    // Everything, ascending.
    let (items, _) = host.list(&mut reader, &Range::default());
    let whole = device.all().into_iter().filter(|item| !item.private);
    assert_eq!(items, whole.collect::<Vec<_>>());
}

#[test]
fn several_devices_conflicts_removals_and_cuts_come_out_as_on_a_whole_node() {
    let (mut a, mut b, mut c) = (Device::founder(1), Device::asker(2), Device::asker(3));
    a.grant(&b);
    b.pull_all(&a);
    b.grant(&c);
    c.pull_all(&b);
    a.pull_all(&c);
    a.pull_all(&b);
    for round in 0..150 {
        let at = round * 10;
        posts(&mut a, at..at + 2);
        posts(&mut b, at + 2..at + 4);
        posts(&mut c, at + 4..at + 6);
        a.put("posts/rival", &format!("a {round}"));
        b.put("posts/rival", &format!("b {round}"));
        if round % 7 != 0 {
            b.pull_all(&a);
            c.pull_all(&b);
            a.pull_all(&c);
            a.pull_all(&b);
        }
        if round % 10 == 3 {
            b.write(vec![delete(&format!("posts/{at:06}"))]).unwrap();
        }
    }
    a.pull_all(&b);
    a.pull_all(&c);
    posts(&mut c, 5000..5003);
    a.cut(c.key());
    a.pull_all(&c);
    posts(&mut a, 6000..6002);
    let mut host = Host::of(&a);
    // Whoever reads a snapshot reads what a visitor does.
    let mut visitor = Device::new(9);
    visitor.pull_all(&a);
    for range in [
        newest(1),
        newest(7),
        newest(60),
        Range::default(),
        Range::prefix("posts/00001"),
        Range::prefix("none"),
    ] {
        let (items, refused) = host.list(&mut host.reader(), &range);
        assert_eq!(refused, []);
        let whole: Vec<Item> = visitor.space.list(&visitor.files, &range).unwrap();
        let wrong: Vec<_> = items.iter().zip(&whole).filter(|(a, b)| a != b).map(|(a, _)| &a.key).collect();
        assert_eq!((wrong, items.len()), (Vec::new(), whole.len()), "{range:?}");
    }
    let conflicts = host.list(&mut host.reader(), &Range::prefix("posts/rival")).0;
    assert_eq!(conflicts[0].conflicts.len(), 1);
}

#[test]
fn what_is_wrong_is_refused_and_the_rest_is_read() {
    let mut device = Device::founder(1);
    for start in (0..2000).step_by(50) {
        posts(&mut device, start..start + 50);
    }
    let good = Host::of(&device);
    let head = good.reader().head().clone();
    let whole = device.space.list(&device.files, &newest(50)).unwrap();

    // The head.
    for at in [0, 1, 40, good.head.len() / 2, good.head.len() - 1] {
        let mut bytes = good.head.clone();
        bytes[at] ^= 1;
        assert!(SnapshotReader::open(root().public(), &bytes, &[]).is_err(), "byte {at} of the head");
    }
    assert!(SnapshotReader::open(root().public(), &good.head[..good.head.len() - 1], &[]).is_err());
    let other = SnapshotReader::open(device.key(), &good.head, &[]).map(drop);
    assert!(matches!(other, Err(SnapshotError::OtherSpace { .. })));

    // The map.
    let mut host = good.clone();
    host.files.get_mut(&head.map.0).unwrap()[100] ^= 1;
    let (items, refused) = host.list(&mut host.reader(), &newest(50));
    assert!(
        items.is_empty() && refused.iter().all(|error| error.to_string().contains("the map")),
        "{refused:?}"
    );

    // Whichever byte of any other file: what comes is right, and less than all of it is missing.
    let mut told = 0;
    for name in good.files.keys().filter(|name| **name != head.map.0) {
        let length = good.files[name].len();
        for at in (0..length).step_by(length / 23 + 1).chain(length.saturating_sub(4000)..length).step_by(97)
        {
            let mut host = good.clone();
            host.files.get_mut(name).unwrap()[at] ^= 0x40;
            let (items, refused) = host.list(&mut host.reader(), &newest(50));
            assert!(items.iter().all(|item| whole.contains(item) || device.all().contains(item)));
            match refused.as_slice() {
                [] => assert_eq!(items, whole),
                [SnapshotError::Damaged { file, .. }, rest @ ..] => {
                    assert_eq!(file, name);
                    assert!(rest.iter().all(|error| matches!(error, SnapshotError::Unjudged { .. })));
                    told += 1;
                }
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(told > 5, "{told} damages were met");
}

#[test]
fn an_older_snapshot_and_one_of_a_stranger_are_told_apart() {
    let mut device = Device::founder(1);
    posts(&mut device, 0..3);
    let old = Host::of(&device);
    posts(&mut device, 3..4);
    let new = Host::of(&device);
    let known: Vec<(PublicKey, u64)> =
        new.reader().head().feeds.iter().map(|(feed, head)| (*feed, head.length)).collect();
    assert!(SnapshotReader::open(root().public(), &new.head, &known).is_ok());
    let refused = SnapshotReader::open(root().public(), &old.head, &known).map(drop).unwrap_err();
    assert!(refused.to_string().contains("older"), "{refused}");

    // Somebody who is no writer signs another index over the same feeds.
    let head = new.reader().head().clone();
    let forged = Host { head: head.sign(&Signer::from_seed(&[77; 32])), ..new.clone() };
    let (items, refused) = forged.clone().list(&mut forged.reader(), &newest(50));
    assert!(items.is_empty() && matches!(refused.as_slice(), [SnapshotError::Signer { .. }]), "{refused:?}");
}

#[test]
fn files_that_did_not_change_keep_their_names() {
    let mut device = Device::founder(1);
    for start in (0..9000).step_by(500) {
        let ops = (start..start + 500).map(|at| put(&format!("posts/{at:06}"), &format!("post {at}"), false));
        device.write(ops.collect()).unwrap();
    }
    for start in (0..5000).step_by(100) {
        posts(&mut device, start..start + 100);
    }
    let before = Host::of(&device);
    posts(&mut device, 20_000..20_002);
    let after = Host::of(&device);
    let kept: usize =
        after.files.iter().filter(|(name, _)| before.files.contains_key(*name)).map(|(_, b)| b.len()).sum();
    let all: usize = after.files.values().map(Vec::len).sum();
    assert!(kept * 2 > all, "{kept} of {all} bytes stay");
}

#[test]
fn what_is_written_while_a_snapshot_is_made_changes_nothing_of_it() {
    let (mut a, mut b) = (Device::founder(1), Device::asker(2));
    a.grant(&b);
    meet(&mut a, &mut b);
    posts(&mut a, 0..4);
    posts(&mut b, 4..6);
    a.put("posts/rival", "a");
    b.put("posts/rival", "b");
    a.write(vec![put("posts/gone", "gone", false), delete("posts/gone")]).unwrap();
    meet(&mut a, &mut b);
    let (planned, before) = (plan(&a), a.all());
    // Written over by its author and by another, removed, settled, put back, and new.
    a.put("posts/000000", "later");
    a.put_private("posts/000001", "later and private");
    meet(&mut a, &mut b);
    b.put("posts/000002", "later");
    b.write(vec![delete("posts/000003"), delete("posts/000004")]).unwrap();
    b.put("posts/rival", "settled");
    b.put("posts/gone", "back");
    b.put("posts/000007", "new");
    meet(&mut a, &mut b);
    assert_ne!(a.all(), before);
    let mut host = Host::as_planned(&a, &planned);
    let (items, refused) = host.list(&mut host.reader(), &Range::default());
    assert_eq!((items, refused), (before, vec![]));
}

#[test]
fn only_a_writer_exports() {
    let (mut device, mut visitor) = (Device::founder(1), Device::new(9));
    posts(&mut device, 0..1);
    visitor.pull_all(&device);
    assert_eq!(visitor.space.plan_snapshot(&visitor.files), Err(SpaceError::Locked));
}
