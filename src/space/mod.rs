//! A space: the entries of its writers, who they are, and what it all says.

pub mod access;
mod access_op;
mod entry;
mod event;
mod item;
mod manifest;
mod op;
mod private;
mod range;
mod record;
#[expect(clippy::module_inception, reason = "the file is named for its noun")]
mod space;
mod space_error;
mod version;
mod view;
mod write_op;

pub use access::{
    Access, Change, Clock, CountedGrant, CutState, CutVerdict, EpochState, GrantSource, Prefix, Signed,
    Status, Trees, WriterStanding, WriterState,
};
pub use access_op::{AccessOp, Cut, Grant, MAX_PROOF, MAX_SEALS, PersonId, Role, Seal, SealedName};
pub use entry::{Dep, Entry, MAX_DEPS, MAX_ENTRY, Sealed, sealed_part_ad};
pub use event::SpaceEvent;
pub use item::Item;
pub use manifest::{Kind, Manifest, ManifestError};
pub use op::{MAX_KEY, MAX_OPS, Op, decode_ops, encode_ops};
pub use range::Range;
pub use record::{MAX_ITEMS, MAX_LINKS, MAX_RECORD, RecordError, RootItem, RootRecord};
#[cfg(any(test, feature = "hostile"))]
pub use space::Hostile;
pub use space::{DeviceGrant, Keys, Space, WriterInfo};
pub use space_error::SpaceError;
pub use version::{Version, VersionError};
pub use write_op::{Expect, WriteOp};
