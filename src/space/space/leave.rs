//! Leaving a space: freeing what is stored of it.

use super::{Space, load::store_key};
use crate::{crypto::PublicKey, feed::Feed, space::SpaceError, storage::Files};

impl Space {
    /// Frees what is stored of this space, which is gone from here after. The feeds of `own`, this device's keys here,
    /// stay: without them nobody would know where they end if the device comes back, and to begin them anew would be a
    /// second history. So do pins, and the names of feeds that were damaged.
    pub fn remove(self, files: &mut Files, own: &[PublicKey]) -> Result<(), SpaceError> {
        let ids = &self.files;
        files.truncate(ids.feeds, 0);
        for name in ["records", "manifest", "forks", "received", "relay", "sides", "heads"] {
            files.delete(&format!("space/{}/{name}", self.key));
        }
        Self::drop_checkpoint(files, &self.key);
        for (writer, sides) in self.sides.iter() {
            sides.iter().for_each(|side| Feed::remove_branch(files, writer, &side.leaf));
        }
        for writer in self.feeds.keys() {
            if own.contains(writer) {
                store_key(files, ids.feeds, writer)?;
            } else {
                Feed::remove(files, writer);
            }
        }
        Ok(())
    }
}
