//! Who may still know the sign-in message key though it was removed.

use super::Space;
use crate::{
    collections::Set,
    crypto::{Hash, PublicKey},
    space::{RootItem, RootRecord, WriterStanding},
};

impl Space {
    /// Whether a device that was removed still knows how to ask: it was cut, and not by the change of passphrase that
    /// made the present root the last one.
    pub fn is_known_to_removed(&self) -> bool {
        let removed = |standing| matches!(standing, WriterStanding::Cut | WriterStanding::RootCut);
        let mut writers = self.writers();
        writers.retain(|writer| removed(writer.state));
        // Every page that draws itself asks, and reading records verifies signatures.
        if writers.is_empty() {
            return false;
        }
        let forgotten = self.cut_by_change();
        writers.iter().any(|writer| !forgotten.contains(&writer.key))
    }

    /// Devices that the present root cut when it took over: what they know opens nothing any more.
    fn cut_by_change(&self) -> Set<PublicKey> {
        let root = self.root();
        let records: Vec<RootRecord> =
            self.records().filter_map(|bytes| RootRecord::decode(&self.key, bytes).ok()).collect();
        let hands_over = |item: &RootItem| matches!(item, RootItem::Successor(next) if *next == root);
        let handed: Vec<Hash> = records
            .iter()
            .filter(|record| record.items.iter().any(hands_over))
            .map(RootRecord::hash)
            .collect();
        let first = |record: &&RootRecord| {
            record.root == root && record.links.iter().any(|link| handed.contains(link))
        };
        let cuts = records.iter().filter(first).flat_map(|record| &record.items);
        cuts.filter_map(|item| if let RootItem::Cut { cut, .. } = item { Some(cut.writer) } else { None })
            .collect()
    }
}
