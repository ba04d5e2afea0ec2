//! When entries came here: for hiding what a lost device wrote since a day, whatever dates it gave.
//!
//! Wall times in entries are their author's word. What this node knows by itself is when a feed grew here, by its own
//! clock. It keeps that to the hour:
//!
//! ```text
//! space/<key>/received   48 bytes each: feed 32 │ u64le first index │ u64le ms since 1970: from this index on it came then
//!                        or later; at most one an hour for each feed, and the last 10,000 of all feeds or more
//! ```
//! A mark at index 0 says nothing: that is how a new device catches up with feeds that are years old, so all that came
//! within the hour of it goes by its dates alone. So does what came before these marks were kept, or under marks that
//! were dropped or damaged.

use super::Space;
use crate::{
    crypto::{Entropy, PublicKey},
    space::SpaceError,
    storage::Files,
};

/// Growth of one feed within this time, in ms, goes under one mark.
const APART: u64 = 60 * 60 * 1000;
/// Marks that are kept when a space is opened.
const KEPT: usize = 10_000;
/// Bytes of a mark.
const SIZE: u64 = 48;

/// From this index on, a feed's entries came at this time or later.
struct Mark {
    feed: PublicKey,
    index: u64,
    time: u64,
}

/// What is known of when entries came.
#[derive(Default)]
pub(super) struct Received {
    marks: Vec<Mark>,
    /// The time, as far as the owner told.
    pub(super) now: u64,
}

impl Space {
    /// Tells what time it is, ms since 1970: what comes from now on is marked with it.
    pub fn note_time(&mut self, now: u64) {
        self.received.now = now;
    }

    /// Shows nothing that a writer wrote since a time (ms since 1970): from the first of its entries on that is dated
    /// then or later, or came here then or later, whichever is lower. To be safe, one that came up to an hour before
    /// counts as since then. If there is none, what comes from now on is hidden. Returns the first index hidden.
    pub fn hide_since(
        &mut self,
        files: &mut Files,
        now: u64,
        entropy: &mut dyn Entropy,
        writer: PublicKey,
        since: u64,
    ) -> Result<u64, SpaceError> {
        let from = self.first_since(files, &writer, since)?;
        self.hide(files, now, entropy, writer, from)?;
        Ok(from)
    }

    /// The first index that [`Space::hide_since`] would hide.
    pub fn first_since(&self, files: &Files, writer: &PublicKey, since: u64) -> Result<u64, SpaceError> {
        let came =
            |mark: &&Mark| mark.feed == *writer && mark.index > 0 && mark.time.saturating_add(APART) > since;
        let came = self.received.marks.iter().filter(came).map(|mark| mark.index).min();
        let end = self.given(writer).min(came.unwrap_or(u64::MAX));
        for index in 0..end {
            if self.entry(files, writer, index)?.is_some_and(|entry| entry.time >= since) {
                return Ok(index);
            }
        }
        Ok(end)
    }

    /// Notes that a feed has more than `held` entries since now.
    pub(super) fn note_received(
        &mut self,
        files: &mut Files,
        feed: PublicKey,
        held: u64,
    ) -> Result<(), SpaceError> {
        let time = self.received.now;
        let tail = self.tails.entry(feed).or_default();
        if time == 0 {
            return Ok(());
        }
        tail.received = Some(time);
        // A clock that was set back starts anew.
        if time.abs_diff(tail.marked) < APART {
            return Ok(());
        }
        tail.marked = time;
        let mark = Mark { feed, index: held, time };
        let end = files.len(self.files.received);
        files.write(self.files.received, end - end % SIZE, &mark.encode())?;
        self.received.marks.push(mark);
        Ok(())
    }

    /// Reads the marks back, and drops the oldest of too many.
    pub(super) fn load_received(&mut self, files: &mut Files) -> Result<(), SpaceError> {
        let file = self.files.received;
        files.heal(file);
        for at in 0..files.len(file) / SIZE {
            let mut bytes = [0; 48];
            files.read_into(file, at * SIZE, &mut bytes)?;
            if let Some(mark) = Mark::decode(&bytes) {
                let tail = self.tails.entry(mark.feed).or_default();
                (tail.marked, tail.received) = (mark.time, Some(mark.time));
                self.received.marks.push(mark);
            }
        }
        let marks = &mut self.received.marks;
        if marks.len() > 2 * KEPT {
            marks.drain(..marks.len() - KEPT);
            let bytes: Vec<u8> = marks.iter().flat_map(Mark::encode).collect();
            files.truncate(file, 0);
            files.write(file, 0, &bytes)?;
        }
        Ok(())
    }
}

impl Mark {
    fn encode(&self) -> [u8; 48] {
        let mut bytes = [0; 48];
        let numbers = [self.index.to_le_bytes(), self.time.to_le_bytes()].concat();
        for (to, from) in bytes.iter_mut().zip(self.feed.0.iter().chain(&numbers)) {
            *to = *from;
        }
        bytes
    }

    /// `None` for what is left of a damaged page.
    fn decode(bytes: &[u8; 48]) -> Option<Self> {
        let (feed, numbers) = bytes.split_first_chunk::<32>()?;
        let (index, time) = numbers.split_first_chunk::<8>()?;
        let (index, time) = (u64::from_le_bytes(*index), u64::from_le_bytes(*time.first_chunk()?));
        (*feed != [0; 32]).then_some(Self { feed: PublicKey(*feed), index, time })
    }
}
