//! What the mesh and an RTCPeerConnection say to each other.
//!
//! The driver keeps one RTCPeerConnection per link, made at [`RtcCommand::Create`] with a data channel
//! `createDataChannel("hypha", { negotiated: true, id: 0, ordered: true })`, and runs the commands of a link
//! strictly one after another, each awaited before the next starts. `MakeOffer` and `MakeAnswer` are answered by
//! exactly one `LocalDescription` or `Failed`; the others only by `Failed` when they fail (an error of `Rollback`
//! or `AddCandidate` is ignored). After `Close` no event of the link is wanted.

use serde::{Deserialize, Serialize};

/// What an RTCPeerConnection is to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RtcCommand {
    /// `addIceCandidate` with this RTCIceCandidateInit, as JSON.
    AddCandidate {
        /// `{"candidate","sdpMid","sdpMLineIndex","usernameFragment"}`.
        json: String,
    },
    /// `close()`; drop everything of the link.
    Close,
    /// Make the RTCPeerConnection and its negotiated data channel (id 0).
    Create {
        /// Whether this side yields when two offers cross (for show: the mesh does the yielding).
        polite: bool,
    },
    /// `createAnswer`, `setLocalDescription`, then [`RtcEvent::LocalDescription`].
    MakeAnswer,
    /// `createOffer({ iceRestart })`, `setLocalDescription`, then [`RtcEvent::LocalDescription`].
    MakeOffer {
        /// New ICE credentials on the same connection.
        ice_restart: bool,
    },
    /// `setLocalDescription({ type: "rollback" })`.
    Rollback,
    /// `setRemoteDescription`.
    SetRemote {
        /// Offer or answer.
        sdp_type: SdpType,
        /// The text.
        sdp: String,
    },
}

/// What an RTCPeerConnection reports.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RtcEvent {
    /// `bufferedAmount` of the data channel: after every drained `LinkSend`, and at `bufferedamountlow` (threshold
    /// [`LOW_WATER`]).
    Buffered {
        /// Bytes.
        bytes: u64,
    },
    /// The data channel closed.
    ChannelClosed,
    /// The data channel opened.
    ChannelOpen,
    /// A message on the data channel.
    Data {
        /// The message.
        bytes: Vec<u8>,
    },
    /// A command failed: the attempt is given up.
    Failed {
        /// The browser's words.
        error: String,
    },
    /// `icecandidate`: `JSON.stringify(event.candidate)`; the `null` at the end is not reported.
    LocalCandidate {
        /// `{"candidate","sdpMid","sdpMLineIndex","usernameFragment"}`.
        json: String,
    },
    /// What `MakeOffer` or `MakeAnswer` set.
    LocalDescription {
        /// Offer or answer.
        sdp_type: SdpType,
        /// The text.
        sdp: String,
    },
    /// `negotiationneeded`.
    NegotiationNeeded,
    /// `connectionstatechange`.
    State(RtcState),
}

/// `RTCPeerConnection.connectionState`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RtcState {
    /// `closed`.
    Closed,
    /// `connected`.
    Connected,
    /// `connecting`.
    Connecting,
    /// `disconnected`: may come back by itself.
    Disconnected,
    /// `failed`.
    Failed,
    /// `new`.
    New,
}

impl RtcState {
    /// Reads the browser's word; `None` for one that is not known.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "closed" => Self::Closed,
            "connected" => Self::Connected,
            "connecting" => Self::Connecting,
            "disconnected" => Self::Disconnected,
            "failed" => Self::Failed,
            "new" => Self::New,
            _ => return None,
        })
    }
}

/// Which half of an exchange a description is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SdpType {
    /// `answer`.
    Answer,
    /// `offer`.
    Offer,
}

impl SdpType {
    /// The browser's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Offer => "offer",
        }
    }
}

/// RTCSessionDescription as browsers and webrtc-rs write it: `{"type":"offer","sdp":"…"}`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Description {
    /// Offer or answer.
    #[serde(rename = "type")]
    pub sdp_type: SdpType,
    /// The text.
    pub sdp: String,
}

/// RTCIceCandidateInit as browsers and webrtc-rs write it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// The candidate line.
    pub candidate: String,
    /// Which media section, by name.
    #[serde(default)]
    pub sdp_mid: Option<String>,
    /// Which media section, by place.
    #[serde(default, rename = "sdpMLineIndex")]
    pub sdp_m_line_index: Option<u16>,
    /// The ICE generation that it belongs to.
    #[serde(default)]
    pub username_fragment: Option<String>,
}

/// Buffered bytes at and above which a link takes no more.
pub const HIGH_WATER: u64 = 1024 * 1024;

/// Buffered bytes below which a link that was full takes more.
pub const LOW_WATER: u64 = 256 * 1024;

/// Largest message on a link, in bytes.
pub const MAX_FRAME: usize = 16 * 1024;

/// Largest SDP that is sent or read, in bytes.
pub const MAX_SDP: usize = 12 * 1024;

/// Largest candidate, as JSON, in bytes.
pub const MAX_CANDIDATE: usize = 1024;

/// Most candidates in one message, and most that wait for their description.
pub const MAX_CANDIDATES: usize = 64;
