//! What follows from what the space says, and from time.

use crate::node::{Event, Node, Output};
use crate::{collections::sort, crypto::PublicKey, space::SpaceEvent};

impl Node {
    /// Tells the page what changed in the spaces, and draws consequences.
    pub(in crate::node) fn follow_spaces(&mut self) {
        self.go_on_beginning();
        for space in self.spaces.keys() {
            self.pin_successors(space);
            self.follow(space);
        }
    }

    /// Pins who succeeded a root, once all that the peers have was heard; whoever keeps the rest back has a minute. Among
    /// rivals for a created space there is nobody to ask, so of those the first one counts.
    fn pin_successors(&mut self, space: PublicKey) {
        let (now, level) = (self.now, self.is_level(&space) || self.spaces.home_key() != Some(space));
        let Some(joined) = self.spaces.get_mut(&space).filter(|joined| joined.space.is_unpinned()) else {
            return;
        };
        let since = *joined.unpinned.get_or_insert(now);
        if level || now.saturating_sub(since) >= PIN_MS {
            joined.unpinned = None;
            if let Err(error) = joined.space.pin_followed(&mut self.files) {
                self.event(Event::Failed(error.into()));
            }
        }
    }

    fn follow(&mut self, space: PublicKey) {
        let (mut changed, mut any, mut writers, mut follows) = (Vec::new(), false, false, false);
        while let Some(event) = self.spaces.get_mut(&space).and_then(|joined| joined.space.poll()) {
            match event {
                SpaceEvent::Changed { keys } if keys.is_empty() => any = true,
                SpaceEvent::Changed { keys } => changed.extend(keys),
                SpaceEvent::Equivocation { writer } => self.event(Event::Equivocation { space, writer }),
                SpaceEvent::Follows { .. } => follows = true,
                SpaceEvent::Memberships => self.members_later(),
                SpaceEvent::Writers => writers = true,
                SpaceEvent::Retracted { writer, entries, keys, why, .. } if entries > 0 => {
                    // What each key holds now is among the changes.
                    self.event(Event::Retracted { space, writer, entries, keys, why });
                }
                SpaceEvent::Manifest | SpaceEvent::Retracted { .. } => {}
            }
        }
        if follows {
            self.refresh_links(space);
        }
        if writers {
            if let Some(joined) = self.spaces.get_mut(&space) {
                joined.learn_names();
            }
            self.promises.stirred(&space);
            self.seal_later();
            self.members_later();
            if self.spaces.home_key() == Some(space) {
                self.notice_recovery();
                self.notice_rivals();
                self.writers_changed();
            }
            self.event(Event::Writers);
        }
        if any {
            self.durable.send(Output::Event(Event::Changed { space, keys: Vec::new() }));
        }
        if !changed.is_empty() {
            // Those of one event are in order, and seldom are there several.
            if !changed.is_sorted() {
                sort(&mut changed);
            }
            changed.dedup();
            // A page that shows its own post may be left the same moment: what it shows must be stored.
            self.durable.send(Output::Event(Event::Changed { space, keys: changed }));
        }
    }

    fn pin_deadline(&self) -> Option<u64> {
        let home = self.spaces.get(&self.spaces.home_key()?)?;
        Some(home.unpinned?.saturating_add(PIN_MS))
    }

    pub(in crate::node) fn tick_flows(&mut self) {
        self.do_chores();
        self.send_request();
        self.tend_spaces();
        if self.requests.retain(self.now, |_| false) {
            self.event(Event::Requests);
        }
    }

    pub(in crate::node) fn flow_deadline(&self) -> Option<u64> {
        [
            self.promises.deadline(self.now),
            self.asking.as_ref().map(|asking| asking.next),
            self.beginning.as_ref().map(|beginning| beginning.until),
            self.requests.deadline(),
            self.chores.deadline(),
            self.memberships_deadline(),
            self.reclaims_deadline(),
            self.syncing.iter().map(|syncing| syncing.until).min(),
            self.pin_deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

/// For how long a peer that does not tell all it has keeps a successor from being pinned, ms.
const PIN_MS: u64 = 60_000;
