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
    /// Holds and serves a space without any key.
    pub replica: bool,
    /// Entries of others need not have reached the disk when they count as stored. One's own always must.
    pub relaxed: bool,
    /// Find other tabs of this browser.
    pub tabs: bool,
    /// Connect by WebRTC.
    pub webrtc: bool,
    /// Let hubs carry data: all that can (`true`), none (`false`), or those whose address says so.
    pub relay: Option<bool>,
}
