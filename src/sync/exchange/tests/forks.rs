//! Peers of which one has another branch of a feed, or says so.

use super::{
    net::{Net, blocks, signer},
    *,
};

fn heard(net: &Net, by: usize, kind: Kind) -> usize {
    net.heard.iter().filter(|heard| **heard == (by, kind)).count()
}

#[test]
fn a_branch_that_a_peer_lacks_is_asked_for_again_but_seldom() {
    let writer = signer(1);
    let feed = writer.public();
    let mut net = Net::new(21, 2);
    net.peers.iter_mut().for_each(|peer| peer.store.append(&writer, &blocks(0, 10)));
    let link = net.connect(0, 1);
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
