//! Kinds of hubs.

use super::HubUrlError;

/// A kind of hub.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HubKind {
    /// Hyper Hyper Space's signalling server.
    Hhs,
    /// matchbox_server.
    Matchbox,
    /// An MQTT 3.1.1 broker.
    Mqtt,
    /// A Nostr relay.
    Nostr,
    /// A PeerJS server.
    PeerJs,
    /// signalhubws.
    SignalHubWs,
    /// A WebTorrent tracker.
    WebTorrent,
    /// Trystero's relay.
    WsRelay,
    /// y-webrtc's signalling server.
    YWebrtc,
}

impl HubKind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::YWebrtc,
        Self::Nostr,
        Self::Mqtt,
        Self::WebTorrent,
        Self::PeerJs,
        Self::Matchbox,
        Self::SignalHubWs,
        Self::WsRelay,
        Self::Hhs,
    ];

    /// The word in front of the `+`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hhs => "hhs",
            Self::Matchbox => "matchbox",
            Self::Mqtt => "mqtt",
            Self::Nostr => "nostr",
            Self::PeerJs => "peerjs",
            Self::SignalHubWs => "signalhubws",
            Self::WebTorrent => "wt",
            Self::WsRelay => "ws-relay",
            Self::YWebrtc => "y-webrtc",
        }
    }

    /// Reads the word.
    pub(super) fn parse(word: &str) -> Result<Self, HubUrlError> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == word);
        found.ok_or_else(|| HubUrlError::Kind { got: word.chars().take(80).collect() })
    }
}
