//! Peers of which one has another branch of a feed, or says so.

use super::{
    net::{Net, blocks, signer},
    *,
};

/// One of ten blocks of which the second peer holds `held`; the first has `theirs`, and is connected.
fn incomplete(held: u64, theirs: &[Vec<u8>]) -> (Net, usize, PublicKey) {
    let writer = signer(1);
    let feed = writer.public();
    let mut net = Net::new(21, 3);
    net.peers[2].store.append(&writer, &blocks(0, 10));
    let (proof, given) = net.peers[2].store.prove(&feed, 0..held, 0, usize::MAX).unwrap();
    net.peers[0].store.append(&writer, theirs);
    net.peers[1].store.wanted.insert(feed);
    net.peers[1].store.accept(&feed, &proof, &given).unwrap();
    net.peers.iter_mut().for_each(|peer| peer.store.searches = true);
    let link = net.connect(0, 1);
    (net, link, feed)
}

fn heard(net: &Net, by: usize, kind: Kind) -> usize {
    net.heard.iter().filter(|heard| **heard == (by, kind)).count()
}

#[test]
fn an_honest_peer_with_another_branch_is_not_blamed_and_the_fork_is_found() {
    for (held, fork, length) in [(6, 4, 12), (6, 4, 10), (6, 5, 11), (4, 0, 12), (8, 7, 8), (6, 2, 9)] {
        let theirs = [blocks(0, fork), blocks(100, length - fork)].concat();
        let (mut net, link, feed) = incomplete(held, &theirs);
        net.run(10_000);
        for peer in 0..2 {
            assert_eq!(net.end(peer, link).closed, None, "{held} {fork} {length}");
            assert_eq!(net.peers[peer].store.fork_bound(&feed), Some(fork), "{held} {fork} {length}");
            let level = net.end(peer, link).exchange.as_ref().unwrap().is_level();
            assert!(level, "{peer}: {held} {fork} {length}");
        }
        assert_eq!(net.peers[1].store.content(&feed), blocks(0, held));
    }
}

#[test]
fn a_fork_past_what_is_held_is_found_once_the_rest_is_here() {
    let theirs = [blocks(0, 8), blocks(100, 4)].concat();
    let (mut net, link, feed) = incomplete(6, &theirs);
    net.run(60_000);
    assert_eq!(net.end(1, link).closed, None);
    assert_eq!(net.peers[1].store.fork_bound(&feed), Some(u64::MAX));
    net.connect(1, 2);
    net.run(200_000);
    assert_eq!(net.end(1, link).closed, None);
    for peer in 0..3 {
        assert_eq!(net.peers[peer].store.fork_bound(&feed), Some(8), "{peer}");
    }
    assert_eq!(net.peers[1].store.content(&feed), blocks(0, 10));
}

#[test]
fn a_wrong_proof_of_the_same_history_is_an_offence() {
    for length in [10, 12] {
        let (mut net, link, feed) = incomplete(6, &blocks(0, length));
        net.peers[0].store.spoils = true;
        net.run(10_000);
        let closed = net.end(1, link).closed.clone();
        assert!(
            matches!(closed, Some(CloseReason::Fault(Fault::Refused { what: "proof", .. }))),
            "{closed:?}"
        );
        assert_eq!(net.peers[1].store.content(&feed), blocks(0, 6));
        assert_eq!(net.peers[1].store.fork_bound(&feed), Some(u64::MAX));
    }
}

#[test]
fn one_who_gives_wrong_proofs_and_shows_nothing_is_asked_seldom() {
    let (mut net, link, feed) = incomplete(6, &blocks(0, 10));
    (net.peers[0].store.spoils, net.peers[0].store.hides) = (true, true);
    for _ in 0..600 {
        net.run(1000);
        net.end(0, link).exchange.as_mut().unwrap().feeds.get_mut(&feed).unwrap().told = 0;
        net.peers[0].store.news.push(feed);
    }
    assert!(heard(&net, 1, Kind::Announce) > 500);
    let asked = [heard(&net, 0, Kind::Request), heard(&net, 0, Kind::AskBranch)];
    assert!(asked[0] < 20 && asked[1] < 60, "{asked:?}");
    assert_eq!(net.end(1, link).closed, None);
    assert_eq!(net.peers[1].store.content(&feed), blocks(0, 6));
}

#[test]
fn a_branch_that_a_peer_lacks_is_asked_for_again_but_seldom() {
    let (mut net, link, feed) = incomplete(10, &blocks(0, 10));
    let side = SideWanted { index: 4, leaf: Hash([7; 32]), start: 4, from: 0 };
    net.run(1000);
    net.peers[1].store.sides.push(side);
    net.end(1, link).exchange.as_mut().unwrap().forks.look_again(feed);
    net.run(60_000);
    let first = heard(&net, 0, Kind::AskSide);
    assert!((4..8).contains(&first), "{first}");
    assert!(net.end(1, link).exchange.as_ref().unwrap().is_level());
    net.run(3_600_000);
    let hour = heard(&net, 0, Kind::AskSide) - first;
    assert!((12..20).contains(&hour), "{hour}");
    // News of the feed are a reason to ask at once, if the peer has another branch of it.
    let before = heard(&net, 0, Kind::AskSide);
    net.end(1, link).exchange.as_mut().unwrap().forks.has_news(feed);
    net.run(1000);
    assert_eq!(heard(&net, 0, Kind::AskSide), before + 1);
}

#[test]
fn questions_about_forks_that_were_not_answered_in_time_are_asked_again() {
    let theirs = [blocks(0, 4), blocks(100, 4)].concat();
    let (mut net, link, feed) = incomplete(10, &theirs);
    let side = SideWanted { index: 4, leaf: Hash([7; 32]), start: 4, from: 0 };
    net.peers[1].store.sides.push(side);
    // Both ends have met; what comes of it does not arrive for a while.
    net.peers[0].store.searches = false;
    while heard(&net, 1, Kind::Announce) == 0 {
        assert!(net.step());
    }
    net.end(0, link).session.set_congested(0, true);
    net.run(REQUEST_TIMEOUT_MS + 1000);
    assert_eq!(net.peers[1].store.fork_bound(&feed), Some(u64::MAX));
    net.end(0, link).session.set_congested(0, false);
    net.run(120_000);
    assert_eq!(net.end(1, link).closed, None);
    assert_eq!(net.peers[1].store.fork_bound(&feed), Some(4));
    assert!(heard(&net, 0, Kind::AskSide) > 1);
}
