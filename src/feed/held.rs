//! How much of a feed is held.

use super::{Feed, FeedError};
use crate::storage::Files;

impl Feed {
    /// Bytes of all blocks that are held.
    pub fn held_bytes(&self, files: &Files) -> Result<u64, FeedError> {
        let (mut bytes, mut next) = (0_u64, 0);
        while let Some(start) = self.next_held(next).filter(|start| *start < self.length()) {
            let past = self.next_missing(start).min(self.length());
            let end = if past == self.length() { self.byte_length() } else { self.offset(files, past)? };
            bytes = bytes.saturating_add(end.saturating_sub(self.offset(files, start)?));
            next = past;
        }
        Ok(bytes)
    }
}
