//! Parts that were sent and are not acknowledged yet, so that they can be sent again over another carrier.

use std::collections::VecDeque;

use crate::sync::limits::KEPT_BYTES;

/// The latest parts, in order. The owner stops sending new ones while it is full.
#[derive(Default)]
pub(super) struct Kept {
    /// Encoded frames, from the first that is not acknowledged.
    frames: VecDeque<Vec<u8>>,
    bytes: usize,
}

impl Kept {
    /// Keeps the frame that was sent last.
    pub(super) fn push(&mut self, frame: Vec<u8>) {
        self.bytes = self.bytes.saturating_add(frame.len());
        self.frames.push_back(frame);
    }

    /// So many more were acknowledged.
    pub(super) fn acknowledged(&mut self, count: u64) {
        for _ in 0..count {
            let Some(frame) = self.frames.pop_front() else { return };
            self.bytes = self.bytes.saturating_sub(frame.len());
        }
    }

    /// The frame so many places behind the last that was acknowledged.
    pub(super) fn get(&self, place: u64) -> Option<&[u8]> {
        self.frames.get(usize::try_from(place).ok()?).map(Vec::as_slice)
    }

    /// Whether no more is to be sent before something is acknowledged.
    pub(super) const fn is_full(&self) -> bool {
        self.bytes >= KEPT_BYTES
    }

    /// Bytes that are kept.
    #[cfg(test)]
    pub(super) const fn len(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }
}
