//! One peer connection on webrtc-rs: runs the mesh's commands one after another and reports what comes of them.
//!
//! As in a browser: one negotiated data channel, id 0, `hypha`, ordered, reliable. When the sender of orders is dropped,
//! the connection closes without a word.

use std::sync::Arc;

use anyhow::{Context, Result};
use hypha_node::mesh::{LOW_WATER, LinkId, MeshInput, RtcCommand, RtcEvent, RtcState, SdpType};
use hypha_node::node::Input;
use tokio::sync::mpsc::{self, UnboundedSender};
use webrtc::api::APIBuilder;
use webrtc::api::setting_engine::SettingEngine;
use webrtc::data_channel::RTCDataChannel;
use webrtc::data_channel::data_channel_init::RTCDataChannelInit;
use webrtc::data_channel::data_channel_message::DataChannelMessage;
use webrtc::ice::mdns::MulticastDnsMode;
use webrtc::ice::network_type::NetworkType;
use webrtc::ice_transport::ice_candidate::{RTCIceCandidate, RTCIceCandidateInit};
use webrtc::peer_connection::RTCPeerConnection;
use webrtc::peer_connection::configuration::RTCConfiguration;
use webrtc::peer_connection::offer_answer_options::RTCOfferOptions;
use webrtc::peer_connection::peer_connection_state::RTCPeerConnectionState;
use webrtc::peer_connection::sdp::sdp_type::RTCSdpType;
use webrtc::peer_connection::sdp::session_description::RTCSessionDescription;

use crate::driver::Inbox;

/// What is asked of a link.
pub enum Do {
    /// Of the connection; never `Close`, which is dropping the sender.
    Command(RtcCommand),
    /// One message.
    Send(Vec<u8>),
}

/// Starts a link; orders go into what is returned.
pub fn open(id: LinkId, inbox: Inbox) -> UnboundedSender<Do> {
    let (orders, mut ordered) = mpsc::unbounded_channel();
    let tell = Tell { id, inbox };
    tokio::spawn(async move {
        let mut connection: Option<Connection> = None;
        while let Some(order) = ordered.recv().await {
            let result = match order {
                Do::Command(RtcCommand::Create { .. }) => match Connection::new(&tell).await {
                    Ok(new) => {
                        connection = Some(new);
                        Ok(())
                    }
                    Err(error) => Err(error),
                },
                Do::Command(command) => {
                    // Neither failing is worth an attempt: a late candidate, or nothing to roll back.
                    let matters = !matches!(command, RtcCommand::AddCandidate { .. } | RtcCommand::Rollback);
                    let done = match &connection {
                        Some(connection) => connection.perform(command, &tell).await,
                        None => Err(anyhow::anyhow!("there is no connection")),
                    };
                    if matters { done } else { Ok(()) }
                }
                Do::Send(bytes) => match &connection {
                    Some(connection) => connection.send(bytes, &tell).await,
                    None => Ok(()),
                },
            };
            if let Err(error) = result {
                tell.event(RtcEvent::Failed { error: format!("{error:#}") });
            }
        }
        if let Some(connection) = connection {
            let _ = connection.pc.close().await;
        }
    });
    orders
}

/// Reports what happens on one link.
#[derive(Clone)]
struct Tell {
    id: LinkId,
    inbox: Inbox,
}

impl Tell {
    fn event(&self, event: RtcEvent) {
        let _ = self.inbox.send(Input::Mesh(MeshInput::Rtc { link: self.id, event }));
    }
}

struct Connection {
    pc: Arc<RTCPeerConnection>,
    channel: Arc<RTCDataChannel>,
}

impl Connection {
    async fn new(tell: &Tell) -> Result<Self> {
        let mut settings = SettingEngine::default();
        // Peers on one machine, as in the browsers of the tests; and no names that nobody resolves.
        settings.set_include_loopback_candidate(true);
        settings.set_network_types(vec![NetworkType::Udp4]);
        settings.set_ice_multicast_dns_mode(MulticastDnsMode::Disabled);
        let api = APIBuilder::new().with_setting_engine(settings).build();
        let pc = Arc::new(api.new_peer_connection(RTCConfiguration::default()).await?);

        let on = tell.clone();
        pc.on_negotiation_needed(Box::new(move || {
            on.event(RtcEvent::NegotiationNeeded);
            Box::pin(async {})
        }));
        let on = tell.clone();
        pc.on_ice_candidate(Box::new(move |candidate: Option<RTCIceCandidate>| {
            // As JSON, just as this library writes it. The end of candidates is not reported.
            let init = candidate.and_then(|candidate| candidate.to_json().ok());
            if let Some(json) = init.and_then(|init| serde_json::to_string(&init).ok()) {
                on.event(RtcEvent::LocalCandidate { json });
            }
            Box::pin(async {})
        }));
        let on = tell.clone();
        pc.on_peer_connection_state_change(Box::new(move |state| {
            if let Some(state) = state_of(state) {
                on.event(RtcEvent::State(state));
            }
            Box::pin(async {})
        }));

        let init = RTCDataChannelInit { negotiated: Some(0), ordered: Some(true), ..Default::default() };
        let channel = pc.create_data_channel("hypha", Some(init)).await?;
        let on = tell.clone();
        channel.on_open(Box::new(move || {
            on.event(RtcEvent::ChannelOpen);
            Box::pin(async {})
        }));
        let on = tell.clone();
        channel.on_close(Box::new(move || {
            on.event(RtcEvent::ChannelClosed);
            Box::pin(async {})
        }));
        let on = tell.clone();
        channel.on_message(Box::new(move |message: DataChannelMessage| {
            // Text is no message of ours.
            let bytes = if message.is_string { Vec::new() } else { message.data.to_vec() };
            on.event(RtcEvent::Data { bytes });
            Box::pin(async {})
        }));
        let (on, drained) = (tell.clone(), Arc::downgrade(&channel));
        channel.set_buffered_amount_low_threshold(usize::try_from(LOW_WATER)?).await;
        channel
            .on_buffered_amount_low(Box::new(move || {
                let (on, drained) = (on.clone(), drained.clone());
                Box::pin(async move {
                    if let Some(channel) = drained.upgrade() {
                        let bytes = u64::try_from(channel.buffered_amount().await).unwrap_or(u64::MAX);
                        on.event(RtcEvent::Buffered { bytes });
                    }
                })
            }))
            .await;
        Ok(Self { pc, channel })
    }

    async fn perform(&self, command: RtcCommand, tell: &Tell) -> Result<()> {
        match command {
            RtcCommand::AddCandidate { json } => {
                let candidate: RTCIceCandidateInit = serde_json::from_str(&json)?;
                self.pc.add_ice_candidate(candidate).await?;
            }
            RtcCommand::MakeAnswer => {
                let answer = self.pc.create_answer(None).await?;
                self.set_local(answer, SdpType::Answer, tell).await?;
            }
            RtcCommand::MakeOffer { ice_restart } => {
                let options = RTCOfferOptions { ice_restart, ..Default::default() };
                let offer = self.pc.create_offer(Some(options)).await?;
                self.set_local(offer, SdpType::Offer, tell).await?;
            }
            RtcCommand::Rollback => {
                let mut rollback = RTCSessionDescription::default();
                rollback.sdp_type = RTCSdpType::Rollback;
                self.pc.set_local_description(rollback).await?;
            }
            RtcCommand::SetRemote { sdp_type, sdp } => {
                let description = match sdp_type {
                    SdpType::Answer => RTCSessionDescription::answer(sdp)?,
                    SdpType::Offer => RTCSessionDescription::offer(sdp)?,
                };
                self.pc.set_remote_description(description).await?;
            }
            // Both are done before they get here.
            RtcCommand::Close | RtcCommand::Create { .. } => {}
        }
        Ok(())
    }

    async fn set_local(
        &self,
        description: RTCSessionDescription,
        sdp_type: SdpType,
        tell: &Tell,
    ) -> Result<()> {
        self.pc.set_local_description(description).await?;
        let local = self.pc.local_description().await.context("there is no local description")?;
        tell.event(RtcEvent::LocalDescription { sdp_type, sdp: local.sdp });
        Ok(())
    }

    async fn send(&self, bytes: Vec<u8>, tell: &Tell) -> Result<()> {
        self.channel.send(&bytes.into()).await?;
        let bytes = u64::try_from(self.channel.buffered_amount().await)?;
        tell.event(RtcEvent::Buffered { bytes });
        Ok(())
    }
}

fn state_of(state: RTCPeerConnectionState) -> Option<RtcState> {
    Some(match state {
        RTCPeerConnectionState::Closed => RtcState::Closed,
        RTCPeerConnectionState::Connected => RtcState::Connected,
        RTCPeerConnectionState::Connecting => RtcState::Connecting,
        RTCPeerConnectionState::Disconnected => RtcState::Disconnected,
        RTCPeerConnectionState::Failed => RtcState::Failed,
        RTCPeerConnectionState::New => RtcState::New,
        RTCPeerConnectionState::Unspecified => return None,
    })
}
