//! Tabs of one browser, over one BroadcastChannel that reaches them all.
//!
//! ```text
//! message  version 1 │ from id 16 │ to id 16 (zeros: all) │ kind u8 │ body
//! kind     0 hello  body = blinded spaces, 32 each, at most 256
//!          1 bye    body = empty
//!          2 data   body = at most 16 KiB
//!          3 ping   body = empty          4 pong   body = empty
//! blinded  BLAKE2b-256(key = space key, ns(hypha/v1/topic) ‖ "tab" ‖ from id)
//! ```
//! A hello to all is answered by every tab with a space in common, to its sender alone; both then hold a link. What
//! comes from a tab without a link is answered by bye. A tab that closed in silence is found out by pings. They
//! are answered when they arrive, not by a timer, because hidden tabs' timers run once a minute; for the same
//! reason a tab is dead only when a ping of ours stayed unanswered, not when it was merely quiet.

use std::collections::VecDeque;

use super::{CloseReason, MAX_FRAME, NodeId};
use crate::codec::{DecodeError, Reader, Writer};
use crate::collections::{Map, Set};
use crate::crypto::{Namespace, PublicKey, keyed_parts};

/// The tabs that this one knows.
pub(crate) struct Tabs {
    id: NodeId,
    spaces: Set<PublicKey>,
    peers: Map<NodeId, Tab>,
    out: VecDeque<TabOutput>,
}

/// What the tabs want done or known.
#[derive(Debug)]
pub(crate) enum TabOutput {
    Closed { id: NodeId, reason: CloseReason },
    Data { id: NodeId, bytes: Vec<u8> },
    Open { id: NodeId, spaces: Set<PublicKey> },
    Post(Vec<u8>),
    Spaces { id: NodeId, spaces: Set<PublicKey> },
}

struct Tab {
    spaces: Set<PublicKey>,
    next_ping: u64,
    /// Since when a ping is unanswered.
    waiting: Option<u64>,
}

impl Tabs {
    pub(crate) const fn new(id: NodeId) -> Self {
        Self { id, spaces: Set::new(), peers: Map::new(), out: VecDeque::new() }
    }

    pub(crate) fn poll(&mut self) -> Option<TabOutput> {
        self.out.pop_front()
    }

    /// A space was joined: tell all tabs.
    pub(crate) fn join(&mut self, space: PublicKey) {
        if self.spaces.insert(space) {
            self.hello(None);
        }
    }

    /// A space was left: tell all, and close what shares nothing more.
    pub(crate) fn leave(&mut self, space: &PublicKey) {
        if !self.spaces.remove(space) {
            return;
        }
        self.hello(None);
        let mut lost = Vec::new();
        for (id, tab) in &mut self.peers {
            if tab.spaces.remove(space) {
                if tab.spaces.is_empty() {
                    lost.push(*id);
                } else {
                    self.out.push_back(TabOutput::Spaces { id: *id, spaces: tab.spaces.clone() });
                }
            }
        }
        for id in lost {
            self.drop_tab(&id, CloseReason::Unshared);
        }
    }

    /// Says again that we are here: whoever knows us does not answer.
    pub(crate) fn greet(&mut self) {
        if !self.spaces.is_empty() {
            self.hello(None);
        }
    }

    /// The page goes.
    pub(crate) fn close_all(&mut self) {
        self.peers.clear();
        self.post(None, BYE, &[]);
    }

    /// Closes one link.
    pub(crate) fn close(&mut self, id: &NodeId) {
        if self.peers.remove(id).is_some() {
            self.post(Some(id), BYE, &[]);
        }
    }

    /// Sends data on a link; the caller checked the size.
    pub(crate) fn send(&mut self, id: &NodeId, bytes: &[u8]) {
        self.post(Some(id), DATA, bytes);
    }

    /// A message arrived. Nonsense is dropped: whoever can post here is a script of this origin.
    pub(crate) fn receive(&mut self, bytes: &[u8], now: u64) {
        let _ = self.try_receive(bytes, now);
    }

    pub(crate) fn deadline(&self) -> Option<u64> {
        let due = |tab: &Tab| tab.waiting.map_or(tab.next_ping, |since| since.saturating_add(DEAD_MS));
        self.peers.values().map(due).min()
    }

    pub(crate) fn tick(&mut self, now: u64) {
        let mut dead = Vec::new();
        let mut ping = Vec::new();
        for (id, tab) in &mut self.peers {
            match tab.waiting {
                Some(since) if now >= since.saturating_add(DEAD_MS) => dead.push(*id),
                Some(_) => {}
                None if now >= tab.next_ping => {
                    tab.waiting = Some(now);
                    ping.push(*id);
                }
                None => {}
            }
        }
        for id in ping {
            self.post(Some(&id), PING, &[]);
        }
        for id in dead {
            self.drop_tab(&id, CloseReason::Timeout { seconds: DEAD_MS / 1_000 });
        }
    }

    fn try_receive(&mut self, bytes: &[u8], now: u64) -> Result<(), DecodeError> {
        let mut reader = Reader::versioned(bytes)?;
        let (from, to) = (NodeId(reader.array()?), NodeId(reader.array()?));
        let kind = reader.u8()?;
        if from == self.id || (to != ALL && to != self.id) {
            return Ok(());
        }
        if let Some(tab) = self.peers.get_mut(&from) {
            tab.waiting = None;
            tab.next_ping = now.saturating_add(PING_MS);
        }
        match kind {
            HELLO => self.heard(from, to == self.id, &mut reader, now),
            BYE => {
                if self.peers.remove(&from).is_some() {
                    self.out.push_back(TabOutput::Closed { id: from, reason: CloseReason::Remote });
                }
                Ok(())
            }
            _ if to == ALL => Ok(()),
            _ if !self.peers.contains_key(&from) => {
                self.post(Some(&from), BYE, &[]);
                Ok(())
            }
            DATA => {
                if reader.remaining() <= MAX_FRAME {
                    self.out.push_back(TabOutput::Data { id: from, bytes: reader.rest().to_vec() });
                } else {
                    self.drop_tab(&from, CloseReason::Fault { what: "a frame above 16 KiB" });
                }
                Ok(())
            }
            PING => {
                self.post(Some(&from), PONG, &[]);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn heard(
        &mut self,
        id: NodeId,
        to_us: bool,
        reader: &mut Reader<'_>,
        now: u64,
    ) -> Result<(), DecodeError> {
        let mut named = Set::new();
        while reader.remaining() > 0 && named.len() < MAX_SPACES {
            named.insert(reader.array::<32>()?);
        }
        let shared: Set<PublicKey> =
            self.spaces.iter().filter(|space| named.contains(&blinded(space, &id))).copied().collect();
        let full = self.peers.len() >= MAX_TABS;
        match self.peers.get_mut(&id) {
            None if full || shared.is_empty() => {}
            None => {
                let (next_ping, waiting) = (now.saturating_add(PING_MS), None);
                self.peers.insert(id, Tab { spaces: shared.clone(), next_ping, waiting });
                // The answer goes out before anything else on this link, so that it opens there first.
                if !to_us {
                    self.hello(Some(&id));
                }
                self.out.push_back(TabOutput::Open { id, spaces: shared });
            }
            Some(_) if shared.is_empty() => self.drop_tab(&id, CloseReason::Unshared),
            Some(tab) if tab.spaces != shared => {
                tab.spaces.clone_from(&shared);
                if !to_us {
                    self.hello(Some(&id));
                }
                self.out.push_back(TabOutput::Spaces { id, spaces: shared });
            }
            Some(_) => {}
        }
        Ok(())
    }

    fn drop_tab(&mut self, id: &NodeId, reason: CloseReason) {
        self.close(id);
        self.out.push_back(TabOutput::Closed { id: *id, reason });
    }

    fn hello(&mut self, to: Option<&NodeId>) {
        let id = self.id;
        let body: Vec<u8> =
            self.spaces.iter().take(MAX_SPACES).flat_map(|space| blinded(space, &id)).collect();
        self.post(to, HELLO, &body);
    }

    fn post(&mut self, to: Option<&NodeId>, kind: u8, body: &[u8]) {
        let mut writer = Writer::versioned();
        writer.raw(&self.id.0).raw(&to.unwrap_or(&ALL).0).u8(kind).raw(body);
        self.out.push_back(TabOutput::Post(writer.finish()));
    }
}

fn blinded(space: &PublicKey, from: &NodeId) -> [u8; 32] {
    keyed_parts(&space.0, &[&Namespace::Topic.bytes(), b"tab", &from.0]).0
}

const ALL: NodeId = NodeId([0; 16]);
const HELLO: u8 = 0;
const BYE: u8 = 1;
const DATA: u8 = 2;
const PING: u8 = 3;
const PONG: u8 = 4;

/// Between pings.
const PING_MS: u64 = 2_000;
/// An unanswered ping so old means a closed tab.
const DEAD_MS: u64 = 6_000;
/// Most tabs with a link.
const MAX_TABS: usize = 16;
/// Most spaces in a hello.
pub(crate) const MAX_SPACES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    const A: NodeId = NodeId([1; 16]);
    const B: NodeId = NodeId([2; 16]);
    const C: NodeId = NodeId([3; 16]);

    fn posts(tabs: &mut Tabs, events: &mut Vec<String>) -> Vec<Vec<u8>> {
        let mut posts = Vec::new();
        while let Some(output) = tabs.poll() {
            match output {
                TabOutput::Post(bytes) => posts.push(bytes),
                TabOutput::Closed { id, reason } => events.push(format!("closed {} {reason}", id.0[0])),
                TabOutput::Data { id, bytes } => events.push(format!("data {} {bytes:?}", id.0[0])),
                TabOutput::Open { id, spaces } => events.push(format!("open {} {}", id.0[0], spaces.len())),
                TabOutput::Spaces { id, spaces } => {
                    events.push(format!("spaces {} {}", id.0[0], spaces.len()))
                }
            }
        }
        posts
    }

    /// Delivers everything until nothing moves; each tab's events.
    fn settle(tabs: &mut [Tabs], now: u64) -> Vec<Vec<String>> {
        let mut events = vec![Vec::new(); tabs.len()];
        for _ in 0..100 {
            let mut wire = Vec::new();
            for (index, tab) in tabs.iter_mut().enumerate() {
                wire.extend(posts(tab, &mut events[index]).into_iter().map(|bytes| (index, bytes)));
            }
            if wire.is_empty() {
                return events;
            }
            for (from, bytes) in wire {
                for (index, tab) in tabs.iter_mut().enumerate() {
                    if index != from {
                        tab.receive(&bytes, now);
                    }
                }
            }
        }
        panic!("never settles");
    }

    #[test]
    fn tabs_with_a_space_in_common_meet_and_part() {
        let (one, two) = (PublicKey([1; 32]), PublicKey([2; 32]));
        let mut tabs = [Tabs::new(A), Tabs::new(B), Tabs::new(C)];
        tabs[0].join(one);
        tabs[1].join(one);
        tabs[2].join(two);
        assert_eq!(settle(&mut tabs, 0), [vec!["open 2 1"], vec!["open 1 1"], vec![]]);
        tabs[0].join(two);
        tabs[1].join(two);
        let events = settle(&mut tabs, 0);
        assert!(
            events[0].contains(&"spaces 2 2".into()) && events[0].contains(&"open 3 1".into()),
            "{events:?}"
        );
        tabs[0].send(&B, b"hi");
        assert_eq!(settle(&mut tabs, 0), [vec![], vec!["data 1 [104, 105]".to_owned()], vec![]]);
        tabs[0].leave(&two);
        let events = settle(&mut tabs, 0);
        assert_eq!(events[2], ["closed 1 no space is shared any more"]);
        assert_eq!(events[1], ["spaces 1 1"]);
        tabs[0].close_all();
        let events = settle(&mut tabs, 0);
        assert_eq!(events[1], ["closed 1 the other side closed the connection"]);
    }

    #[test]
    fn a_tab_that_went_silently_is_found_out_and_a_sleeper_is_not() {
        let one = PublicKey([1; 32]);
        let mut tabs = [Tabs::new(A), Tabs::new(B)];
        tabs.iter_mut().for_each(|tab| tab.join(one));
        settle(&mut tabs, 0);
        // Timers at one a minute.
        for now in (60_000..600_000).step_by(60_000) {
            tabs[0].tick(now);
            assert_eq!(settle(&mut tabs, now), [Vec::<String>::new(), vec![]]);
        }
        let [alone, _] = &mut tabs;
        assert_eq!(alone.deadline(), Some(542_000));
        alone.tick(542_000);
        assert_eq!(alone.deadline(), Some(548_000));
        alone.tick(548_000);
        let mut events = Vec::new();
        posts(alone, &mut events);
        assert_eq!(events, ["closed 2 no answer within 6 seconds"]);
        assert_eq!(alone.deadline(), None);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_never_panic(bytes: Vec<u8>, kind in 0_u8..6) {
            let mut tabs = Tabs::new(A);
            tabs.join(PublicKey([1; 32]));
            tabs.receive(&bytes, 0);
            let mut writer = Writer::versioned();
            writer.raw(&B.0).raw(&A.0).u8(kind).raw(&bytes);
            tabs.receive(writer.as_slice(), 0);
        }
    }
}
