//! A value as a page sees it.

use crate::space::Item;

/// A value, and what this node knows of its author.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The value.
    pub item: Item,
    /// Name of the device that wrote it, where it is known and may be.
    pub device: Option<String>,
    /// Whether this device wrote it.
    pub mine: bool,
    /// Not yet an entry: kept on this device until it is let in.
    pub draft: bool,
}
