//! A space: the entries of its writers, who they are, and what it all says.

pub mod access;
mod access_op;
mod code;
mod destination;
mod entry;
mod event;
mod invite;
mod item;
mod join_request;
mod manifest;
mod op;
mod pin;
mod private;
mod quarantined;
mod range;
mod receipt;
mod record;
mod residency;
pub mod snapshot;
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
pub use code::{CODE_WORDS, CodeError, is_code_of, parse_code, space_code};
pub use destination::{Destination, DestinationError};
pub use entry::{Dep, Entry, MAX_DEPS, MAX_ENTRY, Sealed, sealed_part_ad};
pub use event::SpaceEvent;
pub use invite::{Citation, Invite, InviteFault, InviteLink, InviteLinkError, JoinError};
pub use item::Item;
pub use join_request::{JoinRequest, is_invisible};
pub use manifest::{Kind, Manifest, ManifestError};
pub use op::{MAX_KEY, MAX_OPS, Op, decode_ops, encode_ops};
pub use pin::{MAX_LABEL, Pin};
pub use quarantined::{Quarantined, Why};
pub use range::Range;
pub use receipt::{Receipt, Receipts, challenge_answer};
pub use record::{MAX_ITEMS, MAX_LINKS, MAX_RECORD, RecordError, RootItem, RootRecord};
pub use residency::residency;
#[cfg(any(test, feature = "hostile"))]
pub use space::Hostile;
pub use space::{
    DeviceGrant, GrantInfo, Install, InviteInfo, Keys, MAX_TITLE, Member, Membership, PinnedReplica, Space,
    TITLE_KEY, WriterInfo, to_cut, to_grant,
};
pub use space_error::SpaceError;
pub use version::{Version, VersionError};
pub use write_op::{Expect, WriteOp};
