//! Sorted collections that compile to little code.
//!
//! [`Map`] and [`Set`] behave as std's `BTreeMap` and `BTreeSet` and are one sorted vector each. A B-tree costs about
//! 9 KB of wasm for every pair of types it is used with, and this crate has some fifty; a sorted vector costs a few
//! hundred bytes. The price is that inserting and removing move what comes after, so these are for what stays below
//! some ten thousand entries or grows at its end. What is larger and fills in any order, the keys of a space for one,
//! is a [`LargeMap`].
//!
//! [`sort_by`] is for the same reason a heap sort: std's two sorts are 3 to 8 KB for every type; [`find_text`]
//! stands for its 2 KB of searching in texts.

mod large;
mod map;
mod search;
mod set;
mod sort;

pub use large::LargeMap;
pub use map::{Entry, Iter, IterMut, Map};
pub use search::{find_text, split_text};
pub use set::Set;
pub use sort::{sort, sort_by};
