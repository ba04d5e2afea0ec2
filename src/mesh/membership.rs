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
}

impl Membership {
    pub(crate) fn new(space: PublicKey, id: &NodeId, now: u64) -> Self {
        let inbox = inbox(&space, id);
        Self { space, rooms: rooms(&space, now), inbox, hellos: 0, next_hello: now }
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

    /// From the start: a hub opened, the space was joined, or the page came back. A little later than now, so
    /// that those who lost the same hub do not all speak at once.
    pub(crate) fn start(&mut self, now: u64, entropy: &mut dyn Entropy) {
        self.hellos = 0;
        self.next_hello = now.saturating_add(u64::from(entropy.below(200)));
    }

    /// A hello was due: when the next one is.
    pub(crate) fn said(&mut self, links: usize, now: u64, entropy: &mut dyn Entropy) {
        let (least, spread) = match (self.hellos, wants(links)) {
            (0, _) => (500, 500),
            (1, _) => (2_000, 1_000),
            (_, Wants::Hungry) => (25_000, 10_000),
            (_, Wants::Some) => (100_000, 40_000),
            (_, Wants::Nothing) => (250_000, 100_000),
        };
        self.hellos = self.hellos.saturating_add(1);
        self.next_hello = now.saturating_add(least).saturating_add(u64::from(entropy.below(spread)));
    }

    /// A link was lost: not later than in a few seconds if too few are left.
    pub(crate) fn lost(&mut self, links: usize, now: u64, entropy: &mut dyn Entropy) {
        if wants(links) == Wants::Hungry {
            let soon = now.saturating_add(1_000).saturating_add(u64::from(entropy.below(4_000)));
            self.next_hello = self.next_hello.min(soon);
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

/// Fewer links than this are too few.
const FEW_LINKS: usize = 3;
/// Links per space that a node looks for.
const TARGET_LINKS: usize = 8;
/// Links per space that a node takes.
pub(crate) const MAX_SPACE_LINKS: usize = 12;
/// Links over all spaces.
pub(crate) const MAX_LINKS: usize = 32;
