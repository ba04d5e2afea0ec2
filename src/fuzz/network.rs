//! The connection's state machine: bytes as a script of what the world does to a mesh.
//!
//! ```text
//! script   step u8, argument u8 … : what happens next; what a step sends is what follows, or what the mesh itself sent
//! ```
//! It may refuse, close and wait. It may not panic, hold more links than it says, or ask for one moment for ever.

use std::collections::VecDeque;

use super::Target;
use crate::{
    crypto::PublicKey,
    mesh::{
        HubFrame, HubId, HubKind, HubUrl, LinkId, Mesh, MeshInput, MeshOutput, RtcCommand, RtcEvent,
        RtcState, SdpType,
    },
    testing::Seeded,
};

pub(super) const TARGETS: &[Target] = &[
    ("hub y-webrtc", |script| hub(HubKind::YWebrtc, script)),
    ("hub nostr", |script| hub(HubKind::Nostr, script)),
    ("hub mqtt", |script| hub(HubKind::Mqtt, script)),
    ("hub wt", |script| hub(HubKind::WebTorrent, script)),
    ("hub peerjs", |script| hub(HubKind::PeerJs, script)),
    ("hub matchbox", |script| hub(HubKind::Matchbox, script)),
    ("hub signalhubws", |script| hub(HubKind::SignalHubWs, script)),
    ("hub ws-relay", |script| hub(HubKind::WsRelay, script)),
    ("hub hhs", |script| hub(HubKind::Hhs, script)),
    ("connection", pair),
];

const START: u64 = 1_800_000_000_000;
/// Steps of one script.
const STEPS: usize = 200;

/// One mesh, its hub and its connections.
struct End {
    mesh: Mesh,
    entropy: Seeded,
    now: u64,
    /// Frames that it sent.
    sent: VecDeque<HubFrame>,
    /// Commands to its connections that are not answered yet.
    commands: VecDeque<(LinkId, RtcCommand)>,
    /// The last link that it named.
    link: LinkId,
}

impl End {
    fn new(seed: u64, kind: HubKind) -> Self {
        let mut entropy = Seeded::new(seed);
        let mut mesh = Mesh::new(&mut entropy);
        mesh.join(PublicKey([9; 32]), START, &mut entropy).unwrap();
        let url = HubUrl::parse(&format!("{}+ws://hub.example/path", kind.name())).unwrap();
        mesh.add_hub(url, START, &mut entropy).unwrap();
        let (sent, commands) = (VecDeque::new(), VecDeque::new());
        let mut end = Self { mesh, entropy, now: START, sent, commands, link: LinkId(1) };
        end.input(MeshInput::HubOpened { hub: HUB });
        end
    }

    fn input(&mut self, input: MeshInput) {
        self.mesh.handle(input, self.now, &mut self.entropy);
        self.drain();
    }

    fn drain(&mut self) {
        let mut outputs = 0;
        while let Some(output) = self.mesh.poll() {
            outputs += 1;
            assert!(outputs < 10_000, "one input is answered without end");
            match output {
                MeshOutput::HubSend { frame, .. } => self.sent.push_back(frame),
                MeshOutput::Rtc { link, command } => {
                    self.link = link;
                    self.commands.push_back((link, command));
                }
                _ => {}
            }
        }
        self.sent.drain(..self.sent.len().saturating_sub(64));
        self.commands.drain(..self.commands.len().saturating_sub(64));
        assert!(self.mesh.peers().len() <= 64, "links are bounded");
    }

    /// Time passes; whatever is due by then happens at its moment.
    fn pass(&mut self, ms: u64) {
        let until = self.now + ms;
        let mut due = 0;
        while let Some(at) = self.mesh.deadline().filter(|at| *at <= until) {
            due += 1;
            assert!(due < 10_000, "one moment is asked for again and again");
            self.now = self.now.max(at);
            self.mesh.tick(self.now, &mut self.entropy);
            self.drain();
        }
        self.now = until;
    }

    /// The browser answers the oldest command, or says something on its own.
    fn rtc(&mut self, argument: u8, rest: &[u8]) {
        let description = |sdp_type| RtcEvent::LocalDescription { sdp_type, sdp: sdp(argument) };
        let (link, event) = match self.commands.pop_front() {
            Some((link, RtcCommand::MakeOffer { .. })) => (link, description(SdpType::Offer)),
            Some((link, RtcCommand::MakeAnswer)) => (link, description(SdpType::Answer)),
            _ => (self.link, said(argument, rest)),
        };
        self.input(MeshInput::Rtc { link, event });
    }
}

const HUB: HubId = HubId(1);

fn sdp(seed: u8) -> String {
    let print: Vec<String> = (0..32_u8).map(|at| format!("{:02X}", seed.wrapping_add(at))).collect();
    format!("v=0\r\na=ice-ufrag:ab\r\na=fingerprint:sha-256 {}\r\n", print.join(":"))
}

fn said(argument: u8, rest: &[u8]) -> RtcEvent {
    match argument % 12 {
        0 => RtcEvent::ChannelOpen,
        1 => RtcEvent::ChannelClosed,
        2 => RtcEvent::Data { bytes: rest.to_vec() },
        3 => RtcEvent::NegotiationNeeded,
        4 => RtcEvent::Buffered { bytes: u64::from(argument) << 14 },
        5 => RtcEvent::Failed { error: String::from_utf8_lossy(rest).into_owned() },
        6 => RtcEvent::LocalCandidate { json: String::from_utf8_lossy(rest).into_owned() },
        7 => RtcEvent::State(RtcState::Connected),
        8 => RtcEvent::State(RtcState::Disconnected),
        9 => RtcEvent::State(RtcState::Failed),
        10 => RtcEvent::State(RtcState::Closed),
        _ => RtcEvent::LocalDescription { sdp_type: SdpType::Offer, sdp: sdp(argument) },
    }
}

fn steps(script: &[u8]) -> impl Iterator<Item = (u8, u8, &[u8])> {
    (0..STEPS).map_while(move |step| {
        let rest = script.get(step * 2..)?;
        let (step, rest) = rest.split_first()?;
        Some((*step, rest.first().copied().unwrap_or(0), rest.get(..rest.len().min(600))?))
    })
}

/// One mesh and a hub that says anything.
fn hub(kind: HubKind, script: &[u8]) -> bool {
    let mut end = End::new(1, kind);
    for (step, argument, rest) in steps(script) {
        let frame = match step % 8 {
            0 => HubFrame::Binary(rest.to_vec()),
            1 => HubFrame::Text(String::from_utf8_lossy(rest).into_owned()),
            // What it sent itself comes back, as it was or spoiled a little.
            2 | 3 => match end.sent.pop_front() {
                Some(frame) => spoiled(frame, if step % 8 == 2 { 0 } else { argument }),
                None => continue,
            },
            4 => {
                end.input(MeshInput::HubClosed { hub: HUB, code: Some(1006), reason: String::new() });
                end.pass(u64::from(argument) * 400);
                end.input(MeshInput::HubOpened { hub: HUB });
                continue;
            }
            5 => {
                end.pass(u64::from(argument) * 250);
                continue;
            }
            6 => {
                end.rtc(argument, rest);
                continue;
            }
            _ => {
                end.input(if argument % 2 == 0 {
                    MeshInput::Awake
                } else {
                    MeshInput::Tab { bytes: rest.to_vec() }
                });
                continue;
            }
        };
        end.input(MeshInput::HubFrame { hub: HUB, frame });
    }
    true
}

fn spoiled(frame: HubFrame, argument: u8) -> HubFrame {
    let spoil = |bytes: &mut [u8]| {
        let at = usize::from(argument) * 7 % bytes.len().max(1);
        if let (Some(byte), true) = (bytes.get_mut(at), argument > 0) {
            *byte ^= argument & 0x7f;
        }
    };
    match frame {
        HubFrame::Binary(mut bytes) => {
            spoil(&mut bytes);
            HubFrame::Binary(bytes)
        }
        HubFrame::Text(text) => {
            let mut bytes = text.into_bytes();
            spoil(&mut bytes);
            HubFrame::Text(String::from_utf8_lossy(&bytes).into_owned())
        }
    }
}

/// Two meshes and a hub between them that delays, doubles, swaps and drops, while the browsers' connections do as they
/// like.
fn pair(script: &[u8]) -> bool {
    let mut ends = [End::new(1, HubKind::YWebrtc), End::new(2, HubKind::YWebrtc)];
    for (step, argument, rest) in steps(script) {
        let (one, other) = (usize::from(step >> 7), usize::from(step >> 7 ^ 1));
        match step % 8 {
            0..=2 => {
                let Some(frame) = ends[one].sent.pop_front() else { continue };
                if argument.is_multiple_of(7) {
                    ends[one].sent.push_back(frame.clone());
                }
                if !argument.is_multiple_of(11) {
                    ends[other].input(MeshInput::HubFrame { hub: HUB, frame });
                }
            }
            3 => ends[one].sent.rotate_left(usize::from(ends[one].sent.len() > 1)),
            4 | 5 => ends[one].rtc(argument, rest),
            6 => ends.iter_mut().for_each(|end| end.pass(u64::from(argument) * 100)),
            _ => ends[one].input(MeshInput::Awake),
        }
    }
    true
}
