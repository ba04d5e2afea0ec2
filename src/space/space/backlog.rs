//! What waits for pages that are not in memory.
//!
//! Whatever changes a space needs no block that is not there: what it cannot read it notes here and goes on, and
//! [`Space::resume`] does the rest once the pages were supplied. Which ones they are, the [`Files`] have noted when they
//! were asked. Until then the space says what it said before of the entries that wait, so whoever owns it should supply
//! the pages before the next thing is taken in.

use super::{Space, moves::Retracted, replay::Fresh};
use crate::{
    collections::{Map, Set},
    crypto::PublicKey,
    feed::FeedError,
    space::{SpaceError, Status},
    storage::Files,
};

/// What is still to be done.
#[derive(Default)]
pub(super) struct Backlog {
    /// Entries that are in the view or not otherwise than they should: whether they are.
    pub(super) moves: Map<(PublicKey, u64), bool>,
    /// Feeds that are to be taken in further.
    pub(super) feeds: Set<PublicKey>,
    /// Feeds of whose trees something was asked that could not be read: what was judged by that is to be judged again.
    pub(super) trees: Set<PublicKey>,
    /// The same of what two branches share.
    pub(super) branches: bool,
    /// Feeds whose trees are to be in memory as a whole.
    pub(super) kept: Set<PublicKey>,
    /// Entries with seals that are to be opened: writer number, index.
    pub(super) seals: Set<(u32, u64)>,
    /// Entries whose sealed part is to be put into the view, or taken out of it: whether it is in it.
    pub(super) private: Map<(u32, u64), bool>,
    /// The stored part of what came out of sealed parts could not be read: no seals are opened before it is.
    pub(super) sealed: bool,
    /// The facts that the access engine was not told could not be read, and it cannot judge on without.
    pub(super) history: bool,
    /// Another branch of this feed was put in the place of the main one: all is to be computed anew.
    pub(super) reopen: Option<PublicKey>,
}

impl Backlog {
    fn is_empty(&self) -> bool {
        self.moves.is_empty()
            && self.feeds.is_empty()
            && self.trees.is_empty()
            && self.kept.is_empty()
            && !self.branches
            && self.seals.is_empty()
            && self.private.is_empty()
            && !self.sealed
            && !self.history
            && self.reopen.is_none()
    }
}

impl SpaceError {
    /// Whether it goes away once the pages that were read are supplied.
    pub const fn is_absent(&self) -> bool {
        match self {
            Self::Storage(error) | Self::Feed(FeedError::Storage(error)) => error.is_absent(),
            _ => false,
        }
    }
}

/// `None` if what was read needs pages that are not in memory.
pub(super) fn present<T, E: Into<SpaceError>>(result: Result<T, E>) -> Result<Option<T>, SpaceError> {
    match result.map_err(Into::into) {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error),
    }
}

impl Space {
    /// Whether something waits for pages that are not in memory.
    pub fn is_waiting(&self) -> bool {
        !self.backlog.is_empty() || self.view.is_spoiled() || self.has_asked()
    }

    /// Whether clocks were asked for that the access engine was not told, or are going to be.
    pub(super) fn has_asked(&self) -> bool {
        // Of several message keys or secrets the last one counts, and who asks for it cannot wait.
        if self.message_keys.len() > 1 {
            self.message_keys.iter().for_each(|(writer, index, ..)| self.ask_order(*writer, *index));
        }
        if self.notes.secrets.len() > 1 {
            self.notes.secrets.keys().for_each(|(writer, index, _)| self.ask_order(*writer, *index));
        }
        self.access.has_asked()
    }

    fn ask_order(&self, writer: u32, index: u64) {
        let _ = self.access.order(&self.numbers.key(writer), index);
    }

    /// Goes on with what waited. To be called when the pages that the files want were supplied; more may be wanted after.
    pub fn resume(&mut self, files: &mut Files) -> Result<(), SpaceError> {
        if self.view.is_spoiled() {
            self.doubt(files, self.key);
        }
        if let Some(writer) = self.backlog.reopen {
            return self.reopen(files, writer);
        }
        let Backlog { moves, feeds, trees, kept, branches, seals, private, sealed, history, .. } =
            core::mem::take(&mut self.backlog);
        if history || self.has_asked() {
            self.settle(files, Fresh::default())?;
        }
        kept.iter().for_each(|writer| self.keep_tree(files, writer));
        if branches {
            self.access.judge_anew();
        }
        trees.iter().for_each(|writer| self.access.grew(writer));
        // What is moved says itself where its sealed part belongs.
        self.backlog.private = private;
        self.move_back(files, moves)?;
        if sealed {
            self.open_private(files)?;
        }
        self.open_seals_of(files, seals)?;
        let private = core::mem::take(&mut self.backlog.private);
        self.place_sealed(files, private)?;
        for writer in &feeds {
            self.advance(files, writer)?;
        }
        if branches || trees.first().is_some() {
            self.stirred = true;
            self.settle(files, Fresh::default())?;
        }
        self.pick_branches(files)
    }

    /// A feed is taken in further once its blocks from one on are in memory.
    pub(super) fn wait_from(&mut self, files: &Files, writer: PublicKey, index: u64) {
        self.backlog.feeds.insert(writer);
        if let Some(feed) = self.feeds.get(&writer) {
            feed.want_from(files, index);
        }
    }

    /// Moves entries to where they belong by now.
    fn move_back(&mut self, files: &Files, moves: Map<(PublicKey, u64), bool>) -> Result<(), SpaceError> {
        let mut retracted: Map<PublicKey, Retracted> = Map::new();
        for ((writer, index), was_shown) in moves {
            let shown = self.tails.get(&writer).is_some_and(|tail| tail.shown.contains(index));
            let pending = self.access.status(&writer, index).is_none_or(|status| status == Status::Pending);
            let out = (!shown && !pending).then(|| retracted.entry(writer).or_default());
            self.shift(files, &writer, index, (was_shown, shown), None, out)?;
        }
        retracted.into_iter().for_each(|(writer, retracted)| self.tell_retracted(&writer, retracted));
        Ok(())
    }
}
