//! A space: the entries of its writers, who they are, and what it all says.

mod access_op;
mod entry;
mod op;
mod record;

pub use access_op::{AccessOp, Cut, Grant, MAX_PROOF, MAX_SEALS, PersonId, Role, Seal, SealedName};
pub use entry::{Dep, Entry, MAX_DEPS, MAX_ENTRY, Sealed, sealed_part_ad};
pub use op::{MAX_KEY, MAX_OPS, Op, decode_ops, encode_ops};
pub use record::{MAX_ITEMS, MAX_LINKS, RecordError, RootItem, RootRecord};
