//! What happens to a crowd, and what each write took.

use super::world::World;
use super::*;
use crate::{
    codec::{Value, Writer, encode_value},
    crypto::Entropy,
    space::{Expect, WriteOp},
    sync::{Announcement, Message, Replica},
};

/// What one write took.
pub(super) struct Row {
    pub(super) what: &'static str,
    /// Honest nodes that were there in the end.
    pub(super) nodes: usize,
    /// Who never got it.
    pub(super) left: usize,
    /// Until half of them had it, and all; ms.
    pub(super) half_ms: u64,
    pub(super) all_ms: u64,
    pub(super) hops_median: u32,
    pub(super) hops_max: u32,
    /// Bytes that a node sent to peers until all had it.
    pub(super) bytes: u64,
    pub(super) links_median: usize,
    pub(super) links_max: usize,
    /// Messages that the hub delivered to a node since the row before.
    pub(super) hub: f64,
}

/// The whole story of a crowd of one size; a row for each write.
pub(super) fn tell(size: usize, seed: u64, done: &mut dyn FnMut(Row)) {
    let started = std::time::Instant::now();
    let mut world = World::new(seed ^ (size as u64) << 32);
    let key = world.begin();
    // So many nodes need not rest as long between two things: all that matters has happened long before.
    let (rest, cut_off) = if size > LARGE { (15_000, 40_000) } else { (60_000, 60_000) };
    world.hearers = if size > LARGE { 100 } else { 500 };
    for _ in 1..size {
        world.add(Some(key));
        world.run(JOIN_MS / size as u64);
    }
    world.run(rest * 3 / 2);
    let mut told = |world: &mut World, what, since| {
        let row = row(world, what, since);
        eprintln!("    {size}, {what}: {} s", started.elapsed().as_secs());
        done(row);
    };

    let since = write(&mut world, "calm");
    reach(&mut world);
    told(&mut world, "calm", since);

    // A tenth goes without a word and a tenth comes, all the time.
    let since = write(&mut world, "churn");
    for _ in 0..size / 10 {
        let gone = somebody(&mut world);
        world.kill(gone);
        world.add(Some(key));
        world.run(CHURN_MS / (size as u64 / 10).max(1));
    }
    reach(&mut world);
    told(&mut world, "10 % go, 10 % come within 30 s", since);

    world.run(rest);
    world.lost = 5;
    let since = write(&mut world, "loss");
    reach(&mut world);
    told(&mut world, "5 % loss", since);
    world.lost = 0;

    // Half of the network is cut off, longer than connections live without a way; the time is from when it is whole.
    world.part();
    world.run(cut_off);
    write(&mut world, "split");
    world.run(rest);
    world.split = false;
    let healed = Since { at: world.now, ..since_now(&world) };
    reach(&mut world);
    told(&mut world, "halves apart, then healed", healed);

    world.run(rest);
    for _ in 0..size / 5 {
        let gone = somebody(&mut world);
        world.kill(gone);
    }
    let since = write(&mut world, "killed");
    reach(&mut world);
    told(&mut world, "20 % killed at once", since);

    world.run(rest);
    let crooks: Vec<usize> = (0..world.honest().count() / 10)
        .map(|_| {
            let at = somebody(&mut world);
            world.all[at].hostile = true;
            world.all[at].node.as_mut().unwrap().links.mute = true;
            at
        })
        .collect();
    // They have done it for a while.
    for _ in 0..rest / 3_000 {
        mischief(&mut world, &crooks, false);
        world.run(1_000);
    }
    let since = write(&mut world, "hostile");
    mischief(&mut world, &crooks, true);
    for _ in 0..120 {
        if missing(&world) == 0 {
            break;
        }
        world.until(1_000, |world| missing(world) == 0);
        mischief(&mut world, &crooks, true);
    }
    told(&mut world, "10 % drop, flood, lie", since);
    for at in crooks {
        world.kill(at);
    }

    world.run(rest);
    world.stop_hub();
    for _ in 0..size / 10 {
        let gone = somebody(&mut world);
        world.kill(gone);
    }
    world.run(rest * 3 / 2);
    let since = write(&mut world, "no hub");
    reach(&mut world);
    told(&mut world, "no hub any more, 10 % killed", since);
}

/// When a write was made, and what had been sent by then.
#[derive(Clone, Copy)]
struct Since {
    at: u64,
    sent: u64,
}

fn since_now(world: &World) -> Since {
    Since { at: world.now, sent: world.all.iter().map(|one| one.sent).sum() }
}

/// The first node writes something, which is watched from now on.
fn write(world: &mut World, what: &str) -> Since {
    let since = since_now(world);
    world.watched = format!("posts/{what}");
    for one in &mut world.all {
        one.forget();
    }
    let value = encode_value(&Value::Text(format!("{what}: {}", "x".repeat(100)))).unwrap();
    let put = WriteOp::Put { key: world.watched.clone(), value, private: false, expect: Expect::Any };
    world.call(0, Call::In { space: None, act: SpaceCall::Write { ops: vec![put] } });
    since
}

fn missing(world: &World) -> usize {
    world.honest().filter(|(_, one)| one.got.is_none()).count()
}

fn reach(world: &mut World) {
    world.until(LIMIT_MS, |world| missing(world) == 0);
}

/// An honest node that is there, but not the first, who writes.
fn somebody(world: &mut World) -> usize {
    let there: Vec<usize> = world.honest().map(|(at, _)| at).skip(1).collect();
    there[world.draw(there.len())]
}

fn row(world: &mut World, what: &'static str, since: Since) -> Row {
    let mut times: Vec<u64> =
        world.honest().filter_map(|(_, one)| one.got).map(|got| got.0.saturating_sub(since.at)).collect();
    let mut hops: Vec<u32> = world.honest().filter_map(|(_, one)| one.got).map(|got| got.1).collect();
    let nodes = world.honest().count();
    let there: Vec<usize> = world.honest().map(|(at, _)| at).collect();
    let mut links: Vec<usize> = there.iter().map(|at| world.links(*at)).collect();
    times.sort_unstable();
    hops.sort_unstable();
    links.sort_unstable();
    let sent = since_now(world).sent - since.sent;
    let hub = core::mem::take(&mut world.hub_frames) as f64 / nodes as f64;
    Row {
        what,
        nodes,
        left: missing(world),
        half_ms: times[times.len() / 2],
        all_ms: times[times.len() - 1],
        hops_median: hops[hops.len() / 2],
        hops_max: hops[hops.len() - 1],
        bytes: sent / nodes as u64,
        links_median: links[links.len() / 2],
        links_max: links[links.len() - 1],
        hub,
    }
}

/// All of them keep what they get to themselves. A third also floods: introductions of nodes that do not exist,
/// signalling to nobody. A third claims to have what was just written, so that it is asked and never answers.
fn mischief(world: &mut World, crooks: &[usize], wrote: bool) {
    let head = wrote.then(|| announcement(world));
    for (n, at) in crooks.iter().enumerate() {
        let mut messages = Vec::new();
        match n % 3 {
            1 => {
                let mut phantom = || {
                    let mut key = [0; 33];
                    world.entropy.fill(&mut key);
                    key[0] = 1;
                    [&key[..], &[2]].concat()
                };
                messages.extend((0..5).map(|_| Message::Peers((0..20).map(|_| phantom()).collect())));
                for _ in 0..10 {
                    let mut bytes = Writer::versioned();
                    bytes.raw(&phantom()).raw(&[9; 1_000]);
                    messages.push(Message::Extension { name: "signal".to_owned(), bytes: bytes.finish() });
                }
            }
            2 => messages.extend(head.clone().flatten()),
            _ => {}
        }
        let now = world.now;
        if let Some(node) = &mut world.all[*at].node {
            for message in &messages {
                node.hostile_send(message);
            }
            node.handle(now, Input::Tick);
        }
        world.drain(*at);
    }
}

/// That everything of the first node's feeds is held.
fn announcement(world: &mut World) -> Option<Message> {
    let Node { spaces, files, .. } = world.all[0].node.as_deref_mut()?;
    let replica = super::super::links::replica::SpaceReplica::new(spaces.home_mut()?, files);
    let claim = |status: crate::sync::FeedStatus| Announcement {
        feed: status.feed,
        contiguous: status.head.length,
        head: status.head,
    };
    let feeds: Vec<Announcement> = replica.status().into_iter().map(claim).collect();
    Some(Message::Announce { more: false, feeds })
}

/// Nodes from which on things go on sooner.
const LARGE: usize = 2_000;
/// Within which the crowd gathers.
const JOIN_MS: u64 = 60_000;
const CHURN_MS: u64 = 30_000;
/// For a write to be everywhere.
const LIMIT_MS: u64 = 120_000;
