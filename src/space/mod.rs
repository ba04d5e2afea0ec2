//! A space: the entries of its writers, who they are, and what it all says.

mod access_op;
mod clock;
mod entry;
mod item;
mod manifest;
mod op;
mod private;
mod range;
mod record;
mod version;
mod view;

pub use access_op::{AccessOp, Cut, Grant, MAX_PROOF, MAX_SEALS, PersonId, Role, Seal, SealedName};
pub use clock::Clock;
pub use entry::{Dep, Entry, MAX_DEPS, MAX_ENTRY, Sealed, sealed_part_ad};
pub use item::Item;
pub use manifest::{Kind, Manifest, ManifestError};
pub use op::{MAX_KEY, MAX_OPS, Op, decode_ops, encode_ops};
pub use range::Range;
pub use record::{MAX_ITEMS, MAX_LINKS, RecordError, RootItem, RootRecord};
pub use version::{Version, VersionError};
