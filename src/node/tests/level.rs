//! There is no state in which two connected nodes stay different.

use super::*;
use crate::{crypto::Entropy, mesh::LinkState, node::sim::Weather};

/// Glare, breaks, late frames, lost and repeated signalling, splits, crashes and a hub that comes and goes, all at once;
/// then calm weather: all have the same, and each is level with each peer.
#[test]
fn whatever_happened_connected_nodes_become_level() {
    for seed in 300..312 {
        let mut world = World::new(seed);
        let (first, key) = sign_up(&mut world);
        world.call(first, post("posts/start", "x")).unwrap();
        let mut all = vec![first];
        for _ in 0..1 + seed % 4 {
            all.push(world.browser(Some(key)));
        }
        world.weather = Weather { late: 300, breaks: 400, lost: 20, replayed: 10, changed: 5 };
        let mut posts = vec!["posts/start".to_owned()];
        for n in 0..12_u32 {
            let (a, b) =
                (world.entropy.below(5) as usize % all.len(), world.entropy.below(5) as usize % all.len());
            match world.entropy.below(5) {
                0 if a != b => world.part(all[a], all[b], true),
                1 if a != b => world.part(all[a], all[b], false),
                2 => world.reload(all[a]),
                3 => world.stop_hub(),
                _ => world.hub_up = true,
            }
            let name = format!("posts/{n:02}");
            // The writer may be locked after a reload.
            if world.node(first).state() == State::Locked {
                world.call(first, Call::Unlock { secret: secret(1) }).unwrap();
            }
            world.call(first, post(&name, "hello")).unwrap();
            posts.push(name);
            let pause = u64::from(world.entropy.below(20_000));
            world.run(pause);
        }
        for a in &all {
            for b in &all {
                if a != b {
                    world.part(*a, *b, false);
                }
            }
        }
        (world.weather, world.hub_up) = (Weather::default(), true);
        posts.sort();
        world.until("the same everywhere", |world| {
            all.iter().all(|at| {
                let mut has = keys(world, *at);
                has.sort();
                has == posts
            })
        });
        let level = |world: &World| {
            all.iter().all(|at| {
                // One that is being dialled is not connected.
                let peers = world.node(*at).peers();
                let mut open = peers.iter().filter(|peer| peer.link.state == LinkState::Open).peekable();
                open.peek().is_some() && open.all(|peer| peer.level == Some(true))
            })
        };
        let end = world.now + 120_000;
        while !level(&world) && world.now < end {
            world.run(100);
        }
        let peers: Vec<_> = all.iter().map(|at| world.node(*at).peers()).collect();
        assert!(level(&world), "{peers:#?}");
    }
}
