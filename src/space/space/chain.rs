//! The chain of roots, as sign-in asks about it.

use super::Space;
use crate::{
    crypto::PublicKey,
    space::{RootItem, RootRecord},
};

impl Space {
    /// Whether this root key has handed the space over to another one.
    pub fn is_former_root(&self, root: &PublicKey) -> bool {
        let hands_over = |bytes: &[u8]| {
            RootRecord::decode(&self.key, bytes).is_ok_and(|record| {
                record.root == *root && record.items.iter().any(|item| matches!(item, RootItem::Successor(_)))
            })
        };
        *root != self.root() && self.records().any(hands_over)
    }
}
