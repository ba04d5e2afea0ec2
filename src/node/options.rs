//! How a node is opened.

use crate::crypto::{Host, PublicKey};

/// What a page may choose.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Options {
    /// The domain from which keys are derived, and which is looked up.
    pub domain: Host,
    /// A hyphalink that was given: no look-up.
    pub link: Option<PublicKey>,
    /// Hub URLs.
    pub hubs: Vec<String>,
    /// Holds and serves spaces without any key of theirs.
    pub replica: bool,
    /// Bytes that a replica holds of all spaces together; `None` without a limit.
    pub quota: Option<u64>,
    /// Bytes that a replica holds of each space that has no quota of its own; `None` without a limit.
    pub space_quota: Option<u64>,
    /// Most links over all spaces, 1 to 32; `None` for as many as the mesh allows.
    pub max_links: Option<usize>,
    /// Entries of others need not have reached the disk when they count as stored. One's own always must.
    pub relaxed: bool,
    /// Find other tabs of this browser.
    pub tabs: bool,
    /// Connect by WebRTC.
    pub webrtc: bool,
    /// Let hubs carry data: all that can (`true`), none (`false`), or those whose address says so.
    pub relay: Option<bool>,
}
