//! A space's presence on hubs: its topics of the day, and when to say hello next.

use super::{NodeId, Topic, days, inbox, room, signal::Wants};
use crate::crypto::{Entropy, PublicKey};

/// A space that was joined.
pub(crate) struct Membership {
    space: PublicKey,
    rooms: [Topic; 2],
    inbox: Topic,
    /// Hellos since the last start.
    hellos: u32,
    pub(crate) next_hello: u64,
    /// When neighbours are told again what is wanted.
    pub(crate) next_round: u64,
}

impl Membership {
    pub(crate) fn new(space: PublicKey, id: &NodeId, now: u64) -> Self {
        let inbox = inbox(&space, id);
        Self { space, rooms: rooms(&space, now), inbox, hellos: 0, next_hello: now, next_round: now }
    }

    pub(crate) const fn rooms(&self) -> &[Topic; 2] {
        &self.rooms
    }

    pub(crate) fn topics(&self) -> impl Iterator<Item = Topic> {
        self.rooms.into_iter().chain([self.inbox])
    }

    /// The day changed: topics to leave and topics to join.
    pub(crate) fn turn(&mut self, now: u64) -> (Vec<Topic>, Vec<Topic>) {
        let new = rooms(&self.space, now);
        let old = core::mem::replace(&mut self.rooms, new);
        let gone = old.into_iter().filter(|topic| !new.contains(topic)).collect();
        let come = new.into_iter().filter(|topic| !old.contains(topic)).collect();
        (gone, come)
    }

    /// From the start: a hub opened, the space was joined, or the page came back. At once, unless others may start
    /// at the same moment, or more may be to come.
    pub(crate) fn start(&mut self, alone: bool, now: u64, entropy: &mut dyn Entropy) {
        self.hellos = 0;
        let later = if alone { 0 } else { entropy.below(CROWD_MS) };
        self.next_hello = now.saturating_add(u64::from(later));
    }

    /// A hello was due: when the next one is. Who has enough links still says hello now and then, so that two halves
    /// of a space that filled up apart find each other; the more nodes are known, the less each of them does it.
    pub(crate) fn said(&mut self, links: usize, known: u32, now: u64, entropy: &mut dyn Entropy) {
        let crowd = known / 32 + 1;
        let (least, spread) = match (self.hellos, wants(links)) {
            (0, _) => (500, 500),
            (1, Wants::Hungry) => (2_000, 1_000),
            (_, Wants::Hungry) => (25_000, 10_000),
            (_, Wants::Some) => (100_000 * crowd, 40_000 * crowd),
            (_, Wants::Nothing) => (300_000 * crowd, 300_000 * crowd),
        };
        self.hellos = self.hellos.saturating_add(1);
        self.next_hello =
            now.saturating_add(u64::from(least)).saturating_add(u64::from(entropy.below(spread)));
    }

    /// Whether it was there long enough to be answered.
    pub(crate) const fn is_settled(&self) -> bool {
        self.hellos > 2
    }

    /// A link was lost: not later than in a few seconds if too few are left.
    pub(crate) fn lost(&mut self, links: usize, now: u64, entropy: &mut dyn Entropy) {
        if wants(links) == Wants::Hungry {
            let soon = now.saturating_add(1_000).saturating_add(u64::from(entropy.below(4_000)));
            self.next_hello = self.next_hello.min(soon);
        }
        if wants(links) > Wants::Nothing {
            let soon = now.saturating_add(200).saturating_add(u64::from(entropy.below(800)));
            self.next_round = self.next_round.min(soon);
        }
    }
}

/// How much another link is wanted in a space that has so many.
pub(crate) const fn wants(links: usize) -> Wants {
    if links < FEW_LINKS {
        Wants::Hungry
    } else if links < TARGET_LINKS {
        Wants::Some
    } else {
        Wants::Nothing
    }
}

fn rooms(space: &PublicKey, now: u64) -> [Topic; 2] {
    days(now).map(|day| room(space, day))
}

/// Milliseconds over which nodes spread that start together.
const CROWD_MS: u32 = 200;
/// Fewer links than this are too few.
pub(crate) const FEW_LINKS: usize = 3;
/// Links per space that a node looks for.
pub(crate) const TARGET_LINKS: usize = 8;
/// Links per space that a node takes.
pub(crate) const MAX_SPACE_LINKS: usize = 12;
/// Links over all spaces, unless the page wants fewer.
pub(crate) const MAX_LINKS: usize = 32;
