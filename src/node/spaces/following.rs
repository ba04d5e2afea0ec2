//! What follows from what the space says, and from time.

use crate::node::{Event, Node, Output};
use crate::{collections::sort, crypto::PublicKey, space::SpaceEvent};

impl Node {
    /// Tells the page what changed in the spaces, and draws consequences.
    pub(in crate::node) fn follow_spaces(&mut self) {
        self.go_on_beginning();
        for space in self.spaces.keys() {
            self.follow(space);
        }
    }

    fn follow(&mut self, space: PublicKey) {
        let (mut changed, mut writers, mut follows) = (Vec::new(), false, false);
        while let Some(event) = self.spaces.get_mut(&space).and_then(|joined| joined.space.poll()) {
            match event {
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
            self.seal_later();
            self.members_later();
            if self.spaces.home_key() == Some(space) {
                self.notice_recovery();
                self.notice_rivals();
                self.writers_changed();
            }
            self.event(Event::Writers);
        }
        if !changed.is_empty() {
            sort(&mut changed);
            changed.dedup();
            // A page that shows its own post may be left the same moment: what it shows must be stored.
            self.durable.send(Output::Event(Event::Changed { space, keys: changed }));
        }
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
            self.asking.as_ref().map(|asking| asking.next),
            self.beginning.as_ref().map(|beginning| beginning.until),
            self.requests.deadline(),
            self.chores.deadline(),
            self.memberships_deadline(),
            self.reclaims_deadline(),
            self.syncing.iter().map(|syncing| syncing.until).min(),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}
