//! What a hostile device, relay, hub or stranger can do, and what it cannot: whole nodes in a simulated world.
//!
//! Each test says what `protocol.md` promises: all honest nodes come to the same state, what was taken away is in the
//! quarantine, and after a root cut nothing that the removed device signs changes anything.

mod cuts;
mod forks;
mod relays;
mod strangers;

use super::{
    sim::{Weather, World, keys, of_home, post, put, secret},
    *,
};
use crate::{
    crypto::PublicKey,
    space::{WriteOp, WriterInfo, WriterStanding},
};

/// A home with so many devices of one person, all connected and let in; the first one began it.
struct Home {
    world: World,
    devices: Vec<usize>,
    key: PublicKey,
}

impl Home {
    fn new(seed: u64, count: usize) -> Self {
        let mut world = World::new(seed);
        let first = world.browser(None);
        world.until("looked up", |world| world.node(first).is_ready());
        let call = Call::SignUp { secret: secret(1), device: "Device 0".into(), remember: true, claim: None };
        let Ok(Reply::SignedUp { key, .. }) = world.call(first, call) else { panic!("not signed up") };
        let mut home = Self { world, devices: vec![first], key };
        for _ in 1..count {
            home.join();
        }
        home
    }

    /// One more device, let in by the first.
    fn join(&mut self) -> usize {
        let at = self.world.browser(Some(self.key));
        self.world.until("read", |world| !world.node(at).writers(None).is_empty());
        self.sign_in(at);
        self.devices.push(at);
        at
    }

    fn sign_in(&mut self, at: usize) {
        let (world, first) = (&mut self.world, self.devices[0]);
        let call = Call::SignIn { secret: secret(1), device: format!("Device {at}"), remember: true };
        let Ok(Reply::Words(words)) = world.call(at, call) else { panic!("no words") };
        world.until("request shown", |world| !world.node(first).requests().is_empty());
        let request = world.node(first).requests().remove(0);
        assert_eq!(request.words, words);
        let words = Some(words.map(str::to_owned));
        world.call(first, Call::Approve { request: request.id, words }).unwrap();
        world.until("let in", |world| world.node(at).state() == State::Writer);
        let all = self.all();
        self.level("all know the new one", &all);
    }

    /// Somebody who only reads.
    fn visitor(&mut self) -> usize {
        let at = self.world.browser(Some(self.key));
        self.world.until("read", |world| !world.node(at).writers(None).is_empty());
        at
    }

    fn all(&self) -> Vec<usize> {
        self.devices.clone()
    }

    fn writer(&self, at: usize) -> PublicKey {
        self.world.node(at).own_writer().unwrap()
    }

    fn post(&mut self, at: usize, key: &str) {
        self.world.call(at, post(key, "text")).unwrap();
    }

    fn ops(key: &str) -> Vec<WriteOp> {
        let Call::In { act: SpaceCall::Write { ops }, .. } = post(key, "by a hostile device") else {
            panic!()
        };
        ops
    }

    /// A cut with the passphrase, or without.
    fn cut(&mut self, by: usize, writer: PublicKey, root: bool) {
        let secret = root.then(|| secret(1));
        let act = SpaceCall::Cut { writer, secret, descendants: false };
        self.world.call(by, of_home(act)).unwrap();
    }

    fn standing(&self, at: usize, writer: PublicKey) -> WriterInfo {
        self.world.node(at).writers(None).into_iter().find(|known| known.key == writer).unwrap()
    }

    /// Keys of what was taken away, as one node has it.
    fn quarantine(&self, at: usize) -> Vec<String> {
        let node = self.world.node(at);
        let held = node.quarantine(None, None, None, None).unwrap();
        let others = node.other_branches(None).unwrap();
        held.into_iter().chain(others).map(|(found, _)| found.item.key).collect()
    }

    /// What a node shows in public: values, and who counts.
    fn view(&self, at: usize) -> String {
        let node = self.world.node(at);
        let found = node.list(None, &crate::space::Range::default()).unwrap();
        let public = found.into_iter().filter(|found| !found.item.private && !found.draft);
        let items: Vec<_> =
            public.map(|found| (found.item.key, found.item.value, found.item.version)).collect();
        let writers: Vec<_> = node
            .writers(None)
            .into_iter()
            .filter(|known| known.role.is_some() || known.state != WriterStanding::Ungranted)
            .map(|known| (known.key, known.role, known.state, known.cut_at))
            .collect();
        format!("{items:?} {writers:?}")
    }

    /// Waits until some nodes show the same, and checks that they do so five seconds later.
    fn level(&mut self, what: &str, nodes: &[usize]) {
        let end = self.world.now + 300_000;
        loop {
            let same = |home: &Self| nodes.iter().all(|at| home.view(*at) == home.view(nodes[0]));
            if same(self) {
                self.world.run(5000);
                if same(self) {
                    return;
                }
            }
            if self.world.now > end {
                for at in nodes {
                    println!("{at}: {}", self.view(*at));
                }
                panic!("{what}: never the same");
            }
            self.world.run(1000);
        }
    }

    /// Whether a node was told.
    fn told(&self, at: usize, event: &Event) -> bool {
        self.world.browsers[at].events.contains(event)
    }
}

/// Late frames, connections that break, a hub that loses, repeats and changes.
const FOUL: Weather = Weather { late: 400, breaks: 400, lost: 10, replayed: 20, changed: 5 };
