//! Several spaces over one connection.

use super::{net::Store, *};
use crate::{
    crypto::Signer,
    sync::{SessionOutput, testing::Pair},
};

/// What one side has of one space.
struct Shared {
    space: PublicKey,
    store: Store,
    wants: Wants,
    exchange: Option<Exchange>,
}

#[test]
fn several_spaces_share_one_connection_and_nothing_else() {
    let key = |seed| Signer::from_seed(&[seed; 32]);
    let writers = [key(1), key(2), key(3)];
    let spaces = [11, 12, 13].map(|seed| key(seed).public());
    let shared = |space| Shared { space, store: Store::default(), wants: Wants::new(), exchange: None };
    // The third space is known on one side only.
    let mut sides = [
        spaces.map(shared).into_iter().collect::<Vec<_>>(),
        spaces[..2].iter().copied().map(shared).collect(),
    ];
    for (at, writer) in writers.iter().enumerate() {
        let blocks: Vec<Vec<u8>> = (0..200).map(|n| format!("space {at} entry {n}").into_bytes()).collect();
        sides[0][at].store.append(writer, &blocks);
        // Each wants all three feeds, wherever they come from.
        for one in &mut sides[1] {
            one.store.wanted.insert(writer.public());
        }
    }
    let mut pair = Pair::new(5);
    for (side, all) in sides.iter().enumerate() {
        for one in all {
            pair.sides[side].session.open(one.space).unwrap();
        }
    }
    let mut refused = Vec::new();
    loop {
        let moved = pair.step();
        let mut said = false;
        for (side, all) in sides.iter_mut().enumerate() {
            for output in pair.take(side) {
                said = true;
                match output {
                    SessionOutput::ChannelOpened { channel, space } => {
                        let one = all.iter_mut().find(|one| one.space == space).unwrap();
                        one.exchange = Some(Exchange::new(PeerId(7), channel, pair.now));
                    }
                    SessionOutput::ChannelRefused { space } => refused.push((side, space)),
                    SessionOutput::Message { channel, message } => {
                        let of =
                            |one: &&mut Shared| one.exchange.as_ref().map(Exchange::channel) == Some(channel);
                        let one = all.iter_mut().find(of).unwrap();
                        let (exchange, wants) = (one.exchange.as_mut().unwrap(), &mut one.wants);
                        assert!(
                            exchange.receive(message, &mut one.store, wants, pair.now).unwrap().is_none()
                        );
                    }
                    SessionOutput::Closed { reason } => panic!("{reason:?}"),
                    _ => {}
                }
            }
            for one in all {
                if let Some(exchange) = &mut one.exchange {
                    exchange
                        .pump(&mut pair.sides[side].session, &one.store, &mut one.wants, pair.now)
                        .unwrap();
                }
            }
        }
        if !moved && !said {
            break;
        }
    }
    assert_eq!(refused, [(0, spaces[2])], "one who does not know a space is not told of it");
    for at in 0..2 {
        let feed = writers[at].public();
        assert_eq!(sides[1][at].store.content(&feed), sides[0][at].store.content(&feed));
        assert_eq!(sides[1][at].store.content(&feed).len(), 200);
        // What belongs to one space does not come over the channel of another.
        assert!(sides[1][1 - at].store.content(&feed).is_empty());
    }
    assert!(sides[1].iter().all(|one| one.store.content(&writers[2].public()).is_empty()));
}
