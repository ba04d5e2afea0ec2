//! Pages that are not in memory: asking for them, and what waits until they are.
//!
//! ```text
//! a peer is served      ── misses pages ──▶ Load … Loaded ──▶ is served
//! an input is taken in  ── a space waits ──▶ Load … Loaded ──▶ the space goes on, then the inputs that came meanwhile
//! a call would miss     ── is put back  ───▶ Load … Loaded ──▶ is taken in
//! a message would miss  ── waits, and all that comes after ──▶ Load … Loaded ──▶ is taken in
//! ```
//! While a space waits, its view is not what it should be: so nothing is taken in but what storage says. Whoever only reads
//! ([`Node::missed`]) asks the disk by itself and reads again.

use std::collections::VecDeque;

use super::{Call, ErrorCode, Event, Input, Node, NodeError, Output, SpaceCall};
use crate::{
    collections::Set,
    crypto::{PublicKey, parse_hex},
    mesh::LinkId,
    storage::{Damage, Memory, PageKey},
    sync::{ChannelId, Message},
};

/// Rounds of a space that waits and wants nothing: one may find that more is to be judged, but so many there are not, and
/// they must not stop the node.
const MOST_ROUNDS: usize = 64;

/// Records that a notice of damage names.
const MOST_NAMED: usize = 3;

/// What was asked for, and what waits.
#[derive(Default)]
pub(super) struct Loading {
    /// Pages that are on their way.
    asked: Set<PageKey>,
    holding: bool,
    /// A call was put back, or a message of a peer.
    parked: bool,
    /// Pages could not be read.
    failed: bool,
    /// Drafts that are to be appended.
    pub(super) drafts: bool,
    /// Messages of peers whose trees were not in memory, and those that came after them in the same input.
    messages: VecDeque<(LinkId, ChannelId, Message)>,
    /// Writes checkpoints after so many commits.
    #[cfg(test)]
    often: Option<u32>,
    /// In the order in which they came. The driver's inbox, in effect: as long as that would be.
    held: VecDeque<Input>,
}

impl Loading {
    /// Whether inputs are put off.
    pub(super) const fn is_holding(&self) -> bool {
        self.holding
    }

    /// Puts an input off, if it has to wait; else gives it back.
    pub(super) fn hold(&mut self, input: Input) -> Option<Input> {
        let storage = matches!(
            input,
            Input::Loaded { .. }
                | Input::LoadFailed { .. }
                | Input::Committed { .. }
                | Input::CommitFailed { .. }
        );
        if !self.holding || storage {
            return Some(input);
        }
        self.held.push_back(input);
        None
    }

    /// Waits for no page any more: none will come.
    pub(super) fn give_up(&mut self) {
        self.asked.clear();
        self.messages.clear();
        (self.parked, self.holding, self.failed) = (false, false, true);
    }

    /// The next input that waits no more.
    pub(super) fn next(&mut self) -> Option<Input> {
        if self.holding { None } else { self.held.pop_front() }
    }
}

impl Node {
    /// Pages that were missed since the last call: to be read, and handed in as [`Input::Loaded`]. For whoever reads.
    pub fn missed(&self) -> Vec<PageKey> {
        self.files.take_wanted()
    }

    /// Lets go of pages above the budget. To be called when nobody is in the middle of reading.
    pub fn trim(&mut self) {
        if !self.loading.holding && self.loading.asked.is_empty() {
            self.files.trim();
        }
    }

    /// Why what is read would not be all that there is: pages that it takes could not be read.
    pub fn unreadable(&self) -> Option<&NodeError> {
        let waits = |key: &PublicKey| self.spaces.get(key).is_some_and(|joined| joined.space.is_waiting());
        self.broken.as_ref().filter(|_| self.loading.failed && self.spaces.keys().iter().any(waits))
    }

    /// Whether something waits for pages, so that what is read may not be what it will be.
    pub const fn is_catching_up(&self) -> bool {
        self.loading.holding
    }

    /// Writes checkpoints all the time.
    #[cfg(test)]
    pub(super) const fn check_often(&mut self) {
        self.loading.often = Some(0);
    }

    /// Makes every page present, as if it had been read by somebody.
    #[cfg(test)]
    pub(super) fn recall(&mut self, backend: &crate::storage::MemoryBackend) {
        for (key, record) in backend.read(self.files.absent(&|_| true, usize::MAX)) {
            if self.files.supply(&key, record.as_deref()) {
                self.found_damaged(&key);
            }
        }
    }

    #[cfg(test)]
    fn is_often(&mut self) -> bool {
        let Some(count) = &mut self.loading.often else { return false };
        *count += 1;
        count.is_multiple_of(8)
    }

    /// What of the stored files is in memory.
    pub fn memory(&self) -> Memory {
        self.files.memory()
    }

    /// Pages have come.
    pub(super) fn loaded(&mut self, pages: Vec<(PageKey, Option<Vec<u8>>)>) {
        let mut found = Vec::new();
        for (key, record) in pages {
            if self.files.supply(&key, record.as_deref()) {
                self.found_damaged(&key);
                found.push(Damage::Page { file: key.file.clone(), page: key.page });
            }
            self.loading.asked.remove(&key);
        }
        self.tell_damage(&found);
        if self.loading.asked.is_empty() {
            self.loading.parked = false;
            self.resume_spaces();
            if core::mem::take(&mut self.loading.drafts) {
                self.append_drafts();
            }
            self.checkpoint_later();
            self.measure_again();
            while let Some((id, channel, message)) = self.loading.messages.pop_front() {
                if self.misses(id, channel, &message) {
                    self.loading.messages.push_front((id, channel, message));
                    break;
                }
                self.message(id, channel, message);
            }
            self.compact();
        }
    }

    /// A message of a peer came: it is taken in, in its turn, when what that reads is in memory.
    pub(super) fn message_came(&mut self, id: LinkId, channel: ChannelId, message: Message) {
        if self.loading.messages.is_empty() && !self.misses(id, channel, &message) {
            return self.message(id, channel, message);
        }
        self.loading.messages.push_back((id, channel, message));
    }

    /// Asks for what was missed, if anything was: then what comes waits until it is here.
    pub(super) fn ask_for_missed(&mut self) -> bool {
        let wanted = self.files.take_wanted();
        if wanted.is_empty() || self.loading.failed {
            return false;
        }
        self.ask_disk(wanted);
        (self.loading.parked, self.loading.holding) = (true, true);
        true
    }

    /// Whether writes may be flushed: what appending reads is in memory.
    pub(super) fn may_flush(&mut self) -> bool {
        for key in self.spaces.keys() {
            let Some(joined) = self.spaces.get(&key) else { continue };
            if self.writes.iter().any(|write| write.space == key) {
                joined.space.touch(&self.files, &[], None);
                joined.space.touch_deps(&self.files);
            }
        }
        !self.ask_for_missed()
    }

    /// Tells the page what was found damaged on the disk, if anything was.
    pub(super) fn tell_damage(&mut self, found: &[Damage]) {
        let some: Vec<String> = found.iter().take(MOST_NAMED).map(ToString::to_string).collect();
        if !some.is_empty() {
            let (count, some) = (found.len(), some.join(", "));
            let text = format!(
                "of what this browser keeps, {count} records are damaged or gone ({some}); what others have of it is fetched again"
            );
            self.event(Event::Failed(NodeError::new(ErrorCode::Corrupt, text)));
        }
    }

    /// The journal may have grown: it is folded in the next turn, when whoever waited for what was just stored has heard.
    pub(super) fn compact_later(&mut self) {
        if self.files.is_compaction_due() {
            self.chores.fold_at = Some(self.now);
        }
    }

    /// Folds the journal into pages if it has grown.
    pub(super) fn compact(&mut self) {
        // What could not be stored is not to come in by this way.
        if self.broken.is_some() {
            return;
        }
        if let Some(compaction) = self.files.compaction(false) {
            self.durable.now(Output::Compact(compaction));
        }
    }

    /// What every input ends with: asks for the pages that it missed.
    pub(super) fn ask_for_pages(&mut self) {
        if self.loading.failed {
            return;
        }
        for _ in 0..MOST_ROUNDS {
            self.ask_disk(self.files.take_wanted());
            let waiting = self.is_waiting();
            self.loading.holding = (waiting || self.loading.parked) && !self.loading.asked.is_empty();
            if !waiting || self.loading.holding {
                return;
            }
            self.resume_spaces();
            self.settle();
        }
    }

    fn ask_disk(&mut self, wanted: Vec<PageKey>) {
        let new: Vec<PageKey> =
            wanted.into_iter().filter(|key| self.loading.asked.insert(key.clone())).collect();
        if !new.is_empty() {
            self.durable.now(Output::Load(new));
        }
    }

    fn is_waiting(&mut self) -> bool {
        self.spaces.iter_mut().any(|joined| joined.space.is_waiting())
    }

    fn resume_spaces(&mut self) {
        let mut failed = Vec::new();
        for joined in self.spaces.iter_mut().filter(|joined| joined.space.is_waiting()) {
            failed.extend(joined.space.resume(&mut self.files).err());
            // It may be known only now.
            joined.title(&self.files);
        }
        for error in failed {
            self.event(Event::Failed(error.into()));
        }
    }

    /// A page that was on the disk is damaged or gone: whoever rests on it is computed anew, and what is lost is fetched
    /// again, as when it is found at opening.
    fn found_damaged(&mut self, key: &PageKey) {
        let mut parts = key.file.split('/').skip(1);
        let Some(owner) = parts.next().and_then(parse_hex).map(PublicKey) else { return };
        for joined in self.spaces.iter_mut() {
            if joined.space.key() == owner || joined.space.feed(&owner).is_some() {
                joined.space.doubt(&mut self.files, owner);
            }
        }
    }

    /// Puts a call back whose pages are not in memory; else gives it back. What it may read before it changes something is
    /// read here, so that it does not fail half-way.
    pub(super) fn park(&mut self, id: u32, call: Call) -> Option<Call> {
        self.touch(&call);
        if !self.ask_for_missed() {
            return Some(call);
        }
        // Those that come with it keep their order.
        self.loading.held.push_front(Input::Call { id, call });
        None
    }

    fn touch(&self, call: &Call) {
        match call {
            Call::Once { call, .. } => self.touch(call),
            Call::In { space, act } => {
                use SpaceCall::{Send, SetPresence, Sync, Write};

                let Ok(joined) = self.joined(*space) else { return };
                let (ops, version) = match act {
                    SpaceCall::Write { ops } => (ops.as_slice(), None),
                    SpaceCall::Adopt { version, other_branch: false } => (&[][..], Some(version)),
                    _ => (&[][..], None),
                };
                joined.space.touch(&self.files, ops, version);
                // What is said or written often changes nobody's rights, and reads nothing for it.
                if !matches!(act, Write { .. } | Send { .. } | SetPresence { .. } | Sync { .. }) {
                    joined.space.touch_acts(&self.files);
                }
            }
            Call::Import { .. } => {
                // It brings blocks of any feed.
                self.files.want_all(&|name| name.ends_with("/tree"));
            }
            _ => {
                for joined in self.spaces.keys().iter().filter_map(|key| self.spaces.get(key)) {
                    joined.space.touch(&self.files, &[], None);
                    joined.space.touch_acts(&self.files);
                }
            }
        }
    }

    /// Stores what was computed of the spaces again and again.
    #[cfg(test)]
    pub(super) fn checkpoint_often(&mut self) {
        if !self.is_often() || self.files.has_pending() || self.files.is_torn() {
            return;
        }
        for joined in self.spaces.iter_mut() {
            // What is missed is wanted now, and will be here the next time.
            let _ = joined.space.write_checkpoint(&mut self.files);
        }
    }
}
