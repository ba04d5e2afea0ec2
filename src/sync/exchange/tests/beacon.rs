//! Whatever is lost between an exchange and its peer, both become level.

use super::*;
use crate::sync::limits::MAX_STRIKES;

/// Everybody says beacons for so many milliseconds.
fn wait(net: &mut Net, ms: u64) {
    let end = net.now + ms;
    while net.now < end {
        net.settle();
        let exchanges = net.peers.iter().flat_map(|peer| &peer.ends).filter_map(|end| end.exchange.as_ref());
        let next = exchanges.filter_map(Exchange::deadline).min().unwrap_or(end);
        net.now = next.clamp(net.now + 1, end);
    }
    net.settle();
}

fn same(net: &Net) -> bool {
    let all = |at: usize| {
        let store = &net.peers[at].store;
        let feeds: Vec<_> = store.feeds.keys().map(|key| (*key, store.content(key))).collect();
        (feeds, store.items.keys().copied().collect::<Vec<_>>())
    };
    (1..net.peers.len()).all(|at| all(at) == all(0))
}

proptest! {
    #![proptest_config(crate::testing::cases(24))]

    #[test]
    fn after_any_lost_update_both_become_level(
        seed in 0..1_000_u64, lossy in 20..100_u32, three: bool,
        steps in prop::collection::vec((0..3_usize, 0..3_u8, 1..5_u64), 1..12),
    ) {
        let count = if three { 3 } else { 2 };
        let mut net = Net::new(seed, count);
        let writers = [signer(1), signer(2), signer(3)];
        for (peer, writer) in net.peers.iter_mut().zip(&writers) {
            peer.store.append(writer, &blocks(0, 3));
        }
        for peer in &mut net.peers {
            peer.store.wanted.extend(writers[..count].iter().map(Signer::public));
        }
        for at in 1..count {
            net.connect(at - 1, at);
        }
        net.lossy = lossy;
        net.settle();
        for (at, what, many) in steps {
            let at = at % count;
            match what {
                0 => net.peers[at].store.put(ItemKind::Record, &[7, u8::try_from(many).unwrap(), what]),
                _ => {
                    let writer = &writers[at];
                    let held = net.peers[at].store.feeds[&writer.public()].length();
                    net.peers[at].store.append(writer, &blocks(held, many));
                }
            }
            net.settle();
        }
        // From here on nothing is lost, and nothing new is said.
        net.lossy = 0;
        wait(&mut net, 30 * 60_000);
        prop_assert!(net.peers.iter().flat_map(|peer| &peer.ends).all(|end| end.closed.is_none()));
        prop_assert!(same(&net));
        for peer in &net.peers {
            prop_assert!(peer.ends.iter().all(|end| end.exchange.as_ref().unwrap().is_level()));
        }
    }
}

#[test]
fn those_that_have_the_same_say_one_hash_in_minutes() {
    let mut net = Net::new(5, 2);
    net.peers[0].store.append(&signer(1), &blocks(0, 100));
    net.peers[1].store.wanted.insert(signer(1).public());
    let link = net.connect(0, 1);
    net.settle();
    let before: usize = net.carried(link).iter().sum();
    wait(&mut net, 3_600_000);
    let after: usize = net.carried(link).iter().sum();
    println!("an hour of beacons: {} bytes", after - before);
    assert!(after > before && after - before < 3_000);
}

#[test]
fn a_link_that_takes_nothing_costs_no_ticks_and_what_was_due_is_said_later() {
    let (one, two) = (signer(1), signer(2));
    let mut net = Net::new(15, 2);
    net.peers[0].store.append(&one, &vec![vec![1; 60_000]; 40]);
    net.peers[1].store.wanted.insert(two.public());
    let link = net.connect(0, 1);
    net.settle();
    // More than its queue takes is asked of the first, and nothing of it gets away.
    net.end(0, link).session.set_congested(0, true);
    net.peers[1].store.wanted.insert(one.public());
    net.end(1, link).exchange.as_mut().unwrap().refresh();
    net.settle();
    assert_eq!(net.end(0, link).session.writable(), 0);
    // An announcement is put off, and falls due when there is no room.
    let due = net.now + 50;
    net.end(0, link).exchange.as_mut().unwrap().due = Some(due);
    net.peers[0].store.append(&two, &blocks(0, 1));
    let (start, mut turns) = (net.now, 0);
    while net.now < start + 600_000 {
        net.settle();
        let now = net.now;
        let next = net.end(0, link).exchange.as_ref().unwrap().deadline();
        assert!(next.is_none_or(|at| at > now), "{next:?} at {now}");
        // The other one has its own: it takes back requests that are not answered.
        let other = net.end(1, link).exchange.as_ref().unwrap().deadline();
        assert!(other.is_none_or(|at| at > now), "{other:?} at {now}");
        let next = next.into_iter().chain(other).min().unwrap_or(u64::MAX);
        net.now = next.min(start + 600_000);
        turns += 1;
    }
    assert!(turns < 100, "{turns}");
    assert!(!net.heard.contains(&(1, Kind::Beacon)));
    assert!(net.peers[1].store.content(&two.public()).is_empty());
    net.end(0, link).session.set_congested(0, false);
    net.settle();
    assert_eq!(net.peers[1].store.content(&two.public()), blocks(0, 1), "the news");
    assert!(net.heard.contains(&(1, Kind::Beacon)), "and the beacon, as late as it is");
    // Who had to take its requests back so often asks again some minutes later.
    net.now += REQUEST_TIMEOUT_MS << MAX_STRIKES;
    net.settle();
    assert_eq!(net.peers[1].store.content(&one.public()).len(), 40);
}
