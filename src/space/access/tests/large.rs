//! Large spaces: what an entry costs, and that arrival in other orders comes to the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use super::dice::Dice;
use crate::{
    crypto::{Hash, PublicKey, Signer, blake2b},
    space::{
        AccessOp, Cut, Dep, Entry, Grant, PersonId, Role, RootItem, RootRecord,
        access::{Access, Prefix, Signed, Status, Trees},
    },
};

/// Time that this thread was running, so that a busy machine does not show; wall time where that is not told.
struct Stopwatch(Instant, Option<u64>);

impl Stopwatch {
    fn start() -> Self {
        Self(Instant::now(), Self::ran())
    }

    fn ran() -> Option<u64> {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        text.split(' ').next()?.parse().ok()
    }

    fn elapsed(&self) -> Duration {
        match (self.1, Self::ran()) {
            (Some(from), Some(to)) if to > 0 => Duration::from_nanos(to - from),
            _ => self.0.elapsed(),
        }
    }
}

/// Feeds without branches, whose tree hashes are made up from writer and length.
#[derive(Default)]
struct Lengths(BTreeMap<PublicKey, u64>);

fn tree(writer: &PublicKey, length: u64) -> Hash {
    let mut hash = Hash(writer.0);
    hash.0[24..].copy_from_slice(&length.to_le_bytes());
    hash
}

impl Trees for Lengths {
    fn length(&self, writer: &PublicKey) -> u64 {
        self.0.get(writer).copied().unwrap_or(0)
    }

    fn fork(&self, _: &PublicKey) -> Option<u64> {
        None
    }

    fn signed(&self, writer: &PublicKey, length: u64, tree_hash: &Hash) -> Signed {
        match length <= self.length(writer) {
            true if tree(writer, length) == *tree_hash => Signed::Yes,
            true => Signed::Contradicted,
            false => Signed::Unknown,
        }
    }

    fn shared(&self, _: &PublicKey, a: &Prefix, b: &Prefix) -> u64 {
        a.length.min(b.length)
    }
}

/// A history of honest writers, in one causal order.
struct Story {
    record: RootRecord,
    entries: Vec<(PublicKey, u64, Entry)>,
}

fn entry(deps: Vec<Dep>, access: Vec<AccessOp>) -> Entry {
    let full_clock = !access.is_empty();
    Entry { deps, full_clock, previous_access: None, time: 0, access, public: Vec::new(), sealed: None }
}

fn grant(writer: PublicKey, person: PublicKey) -> Grant {
    Grant {
        writer,
        person: PersonId::founded_by(&person),
        role: Role::Admin,
        from_now_on: false,
        install_id: [0; 16],
        name: None,
        invite: None,
    }
}

/// Some writers grant the others, then all grant and cut at random; `lag`: of a thousand feeds, so many are not
/// seen up to their end by one who acts.
fn story(writers: usize, acts: usize, lag: usize, dice: &mut Dice) -> Story {
    let keys: Vec<PublicKey> = (0..writers).map(|_| PublicKey(dice.bytes())).collect();
    let root = Signer::from_seed(&[7; 32]);
    let record =
        RootRecord::sign(&root.public(), &root, Vec::new(), vec![RootItem::Grant(grant(keys[0], keys[0]))])
            .unwrap();
    let mut lengths = vec![0_u64; writers];
    // What each writer has of each feed; who is granted in its view is who was when it looked.
    let mut views: Vec<BTreeMap<usize, u64>> = vec![BTreeMap::new(); writers];
    let mut granted = vec![0];
    let mut cut = BTreeSet::new();
    let mut entries = Vec::new();
    for act in 0..acts {
        let alive: Vec<usize> = granted.iter().copied().filter(|w| !cut.contains(w)).collect();
        let me = dice.pick(&alive);
        let first_look = views[me].is_empty();
        let before = views[me].clone();
        for (other, &length) in lengths.iter().enumerate() {
            if other != me && length > 0 && (first_look || !dice.chance(lag)) {
                views[me].insert(other, length);
            }
        }
        let op = if granted.len() < writers {
            let key = granted.len();
            granted.push(key);
            AccessOp::Grant(grant(keys[key], keys[dice.pick(&[0, key, me])]))
        } else if cut.len() * 2 < writers && dice.chance(300) && act > writers + 10 {
            let target = dice.pick(&alive);
            if target == me || target == 0 {
                continue;
            }
            cut.insert(target);
            let length = views[me].get(&target).copied().unwrap_or(0);
            let tree_hash = if length > 0 { tree(&keys[target], length) } else { Hash::default() };
            AccessOp::Cut(Cut { writer: keys[target], length, tree_hash, head: vec![], proof: vec![] })
        } else {
            let key = dice.below(writers);
            AccessOp::Grant(grant(keys[key], keys[dice.pick(&[0, key])]))
        };
        // The full clock; never less than was named before.
        let mut clock: BTreeMap<PublicKey, u64> = BTreeMap::new();
        for (other, n) in before.iter().chain(&views[me]) {
            clock.insert(keys[*other], *n);
        }
        let deps =
            clock.iter().map(|(writer, n)| Dep { writer: *writer, length: *n, tree_hash: tree(writer, *n) });
        entries.push((keys[me], lengths[me], entry(deps.collect(), vec![op])));
        lengths[me] += 1;
    }
    Story { record, entries }
}

impl Story {
    fn add(
        &self,
        access: &mut Access,
        trees: &mut Lengths,
        (writer, index, entry): &(PublicKey, u64, Entry),
    ) {
        let length = trees.0.entry(*writer).or_default();
        *length = (*length).max(index + 1);
        access.grew(writer);
        let hash = blake2b(&[&writer.0, &index.to_le_bytes()]);
        assert!(access.add_entry(writer, *index, hash, Some(entry)));
    }

    fn start(&self) -> (Access, Lengths) {
        let mut access = Access::new(self.record.root);
        assert!(access.add_record(&self.record));
        (access, Lengths::default())
    }
}

type Standing = Vec<(PublicKey, u64, Option<Status>, Option<u64>)>;

fn standing(story: &Story, access: &Access) -> Standing {
    let of = |(writer, index, _): &(PublicKey, u64, Entry)| {
        (*writer, *index, access.status(writer, *index), access.order(writer, *index))
    };
    story.entries.iter().map(of).collect()
}

fn drain(access: &mut Access) {
    while access.poll_change().is_some() {}
}

/// `HYPHA_ACCESS_LARGE=1`: a thousand writers, ten thousand grants and cuts. Prints what an entry costs.
#[test]
fn large_spaces_come_to_the_same_however_they_arrive() {
    let large = std::env::var("HYPHA_ACCESS_LARGE").is_ok();
    let (writers, acts) = if large { (1000, 10_000) } else { (60, 600) };
    for lag in [0, 20, 300] {
        let mut dice = Dice::new(u64::try_from(lag).unwrap());
        let story = story(writers, acts, lag, &mut dice);
        let many = story.entries.len();

        let (mut access, mut trees) = story.start();
        let start = Stopwatch::start();
        for one in &story.entries {
            story.add(&mut access, &mut trees, one);
            access.settle(&trees);
            drain(&mut access);
        }
        let singly = start.elapsed() / u32::try_from(many).unwrap();
        let want = standing(&story, &access);
        let dead = want.iter().filter(|(_, _, status, _)| *status != Some(Status::Counted)).count();

        let (mut all, mut lengths) = story.start();
        let start = Stopwatch::start();
        for one in &story.entries {
            story.add(&mut all, &mut lengths, one);
        }
        all.settle(&lengths);
        let at_once = start.elapsed() / u32::try_from(many).unwrap();
        assert_eq!(standing(&story, &all), want);
        assert_eq!(all.writers(), access.writers());

        // Feed after feed, as a node catches up: in chunks.
        let mut feeds: BTreeMap<PublicKey, Vec<&(PublicKey, u64, Entry)>> = BTreeMap::new();
        for one in &story.entries {
            feeds.entry(one.0).or_default().push(one);
        }
        let mut feeds: Vec<_> = feeds.into_values().collect();
        dice.shuffle(&mut feeds);
        let (mut late, mut lengths) = story.start();
        let start = Stopwatch::start();
        for chunk in feeds.iter().flat_map(|feed| feed.chunks(64)) {
            chunk.iter().for_each(|one| story.add(&mut late, &mut lengths, one));
            late.settle(&lengths);
            drain(&mut late);
        }
        let feed_by_feed = start.elapsed() / u32::try_from(many).unwrap();
        assert_eq!(standing(&story, &late), want);
        assert_eq!(late.writers(), access.writers());

        println!(
            "{writers} writers, {many} acts ({dead} not counted), lag {lag}: per act one by one {singly:?}, at once \
             {at_once:?}, feed by feed {feed_by_feed:?}"
        );
        plain_entries(&mut access, &mut trees, &mut dice);
    }
}

/// What data entries cost on top: without deps, and naming three feeds each.
fn plain_entries(access: &mut Access, trees: &mut Lengths, dice: &mut Dice) {
    // Those who wrote, and count: what they write on counts without naming anyone.
    let counts = |key: &PublicKey| {
        let last = access.next(key).checked_sub(1);
        last.is_some_and(|last| access.status(key, last) == Some(Status::Counted))
    };
    let active: Vec<PublicKey> =
        access.writers().into_iter().map(|writer| writer.key).filter(|key| counts(key)).collect();
    let me = active[0];
    let add = |access: &mut Access, trees: &mut Lengths, deps: Vec<Dep>| {
        let index = access.next(&me);
        let hash = blake2b(&[&index.to_le_bytes()]);
        let entry = entry(deps, Vec::new());
        trees.0.insert(me, index + 1);
        access.grew(&me);
        assert!(access.add_entry(&me, index, hash, Some(&entry)));
    };
    let many = 10_000_u32;
    let facts = access.logs.find(&me).facts.len();
    let marks = access.logs.find(&me).marks.len();
    let start = Stopwatch::start();
    for _ in 0..many {
        add(access, trees, Vec::new());
        access.settle(trees);
        drain(access);
    }
    let singly = start.elapsed() / many;
    assert_eq!(access.status(&me, access.next(&me) - 1), Some(Status::Counted));
    // Plain entries leave nothing behind.
    assert_eq!(access.logs.find(&me).facts.len(), facts);
    assert!(access.logs.find(&me).marks.len() <= marks + 1);
    let start = Stopwatch::start();
    for _ in 0..many / 64 {
        (0..64).for_each(|_| add(access, trees, Vec::new()));
        access.settle(trees);
        drain(access);
    }
    let batched = start.elapsed() / (many / 64 * 64);
    let start = Stopwatch::start();
    for _ in 0..1000 {
        let mut deps: BTreeMap<PublicKey, u64> = BTreeMap::new();
        while deps.len() < 3 {
            let other = dice.pick(&active);
            if other != me {
                // The other goes on by one entry first.
                let next = access.next(&other);
                trees.0.insert(other, next + 1);
                access.grew(&other);
                assert!(access.add_entry(
                    &other,
                    next,
                    tree(&other, next),
                    Some(&entry(Vec::new(), Vec::new()))
                ));
                deps.insert(other, next + 1);
            }
        }
        access.settle(trees);
        drain(access);
        let deps = deps.iter().map(|(w, n)| Dep { writer: *w, length: *n, tree_hash: tree(w, *n) }).collect();
        add(access, trees, deps);
        access.settle(trees);
        drain(access);
    }
    println!(
        "  plain entry, settled singly {singly:?}, in 64s {batched:?}; naming three feeds {:?}",
        start.elapsed() / 1000
    );
}
