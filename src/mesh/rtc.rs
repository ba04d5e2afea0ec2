//! What the mesh and an RTCPeerConnection say to each other.
//!
//! The driver keeps one RTCPeerConnection per link, made at [`RtcCommand::Create`] with a data channel
//! `createDataChannel("hypha", { negotiated: true, id: 0, ordered: true })`, and runs the commands of a link
//! strictly one after another, each awaited before the next starts. `MakeOffer` and `MakeAnswer` are answered by
//! exactly one `LocalDescription` or `Failed`; the others only by `Failed` when they fail (an error of `Rollback`
//! or `AddCandidate` is ignored). After `Close` no event of the link is wanted.

use super::json::{self, Json};

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
    /// What kind of path ICE chose.
    Path {
        /// Whether it goes through a TURN server, ours or theirs.
        turned: bool,
    },
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
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(test, derive(serde::Deserialize, serde::Serialize), serde(rename_all = "lowercase"))]
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
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(test, derive(serde::Deserialize, serde::Serialize))]
pub struct Description {
    /// Offer or answer.
    #[cfg_attr(test, serde(rename = "type"))]
    pub sdp_type: SdpType,
    /// The text.
    pub sdp: String,
}

/// RTCIceCandidateInit as browsers and webrtc-rs write it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(test, derive(serde::Deserialize, serde::Serialize), serde(rename_all = "camelCase"))]
pub struct Candidate {
    /// The candidate line.
    pub candidate: String,
    /// Which media section, by name.
    #[cfg_attr(test, serde(default))]
    pub sdp_mid: Option<String>,
    /// Which media section, by place.
    #[cfg_attr(test, serde(default, rename = "sdpMLineIndex"))]
    pub sdp_m_line_index: Option<u16>,
    /// The ICE generation that it belongs to.
    #[cfg_attr(test, serde(default))]
    pub username_fragment: Option<String>,
}

impl Description {
    /// `{"type","sdp"}`.
    pub(super) fn to_json(&self) -> String {
        let mut out = format!(r#"{{"type":"{}","sdp":"#, self.sdp_type.as_str());
        json::write_text(&self.sdp, &mut out);
        out.push('}');
        out
    }

    pub(super) fn from_json(json: Json<'_>) -> Option<Self> {
        let mut members = json.into_object()?;
        let sdp_type = match members.remove("type")?.into_text()?.as_str() {
            "answer" => SdpType::Answer,
            "offer" => SdpType::Offer,
            _ => return None,
        };
        Some(Self { sdp_type, sdp: members.remove("sdp")?.into_text()? })
    }
}

impl Candidate {
    /// `{"candidate","sdpMid","sdpMLineIndex","usernameFragment"}`.
    pub(super) fn to_json(&self) -> String {
        let text = |name: &str, text: Option<&String>, out: &mut String| {
            out.push_str(name);
            match text {
                Some(text) => json::write_text(text, out),
                None => out.push_str("null"),
            }
        };
        let mut out = String::new();
        text(r#"{"candidate":"#, Some(&self.candidate), &mut out);
        text(r#","sdpMid":"#, self.sdp_mid.as_ref(), &mut out);
        out.push_str(r#","sdpMLineIndex":"#);
        out.push_str(&self.sdp_m_line_index.map_or_else(|| "null".to_owned(), |index| index.to_string()));
        text(r#","usernameFragment":"#, self.username_fragment.as_ref(), &mut out);
        out.push('}');
        out
    }

    pub(super) fn from_json(json: Json<'_>) -> Option<Self> {
        let mut members = json.into_object()?;
        let index = |json| if let Json::Number(number) = json { number.parse().ok() } else { None };
        Some(Self {
            candidate: members.remove("candidate")?.into_text()?,
            sdp_mid: json::optional(&mut members, "sdpMid", Json::into_text)?,
            sdp_m_line_index: json::optional(&mut members, "sdpMLineIndex", index)?,
            username_fragment: json::optional(&mut members, "usernameFragment", Json::into_text)?,
        })
    }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Byte for byte what serde writes, and read as serde reads it.
        #[test]
        fn json_is_as_elsewhere(
            candidate: String, mid: Option<String>, index: Option<u16>, ufrag: Option<String>, is_offer: bool
        ) {
            let sdp_type = if is_offer { SdpType::Offer } else { SdpType::Answer };
            let description = Description { sdp_type, sdp: candidate.clone() };
            prop_assert_eq!(description.to_json(), serde_json::to_string(&description).unwrap());
            let text = description.to_json();
            prop_assert_eq!(Description::from_json(Json::parse(&text).unwrap()), Some(description));
            let candidate =
                Candidate { candidate, sdp_mid: mid, sdp_m_line_index: index, username_fragment: ufrag };
            prop_assert_eq!(candidate.to_json(), serde_json::to_string(&candidate).unwrap());
            let text = candidate.to_json();
            prop_assert_eq!(Candidate::from_json(Json::parse(&text).unwrap()), Some(candidate));
        }

        #[test]
        fn fields_are_refused_as_elsewhere(
            mid in r#"(,"sdpMid":("0"|null|0|\[\]))?"#,
            index in r#"(,"sdpMLineIndex":(0|65535|65536|-1|-0|1\.0|1e1|null|"0"))?"#,
            more in r#"(,"x":(1|\{\}|"y"))?"#,
        ) {
            let text = format!(r#"{{"candidate":"c"{mid}{index}{more}}}"#);
            let ours = Json::parse(&text).and_then(Candidate::from_json);
            prop_assert_eq!(ours, serde_json::from_str(&text).ok());
        }
    }
}
