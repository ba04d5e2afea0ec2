//! Peer connections: runs the mesh's commands, reports what the browser says.
//!
//! One RTCPeerConnection per link, with one negotiated data channel: id 0, `hypha`, ordered, reliable. The commands
//! of a link run strictly one after another. A link's handlers live in its struct, and closing takes them off before
//! it closes, so nothing of a closed link is ever reported.

use core::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use js_sys::{ArrayBuffer, JSON, Reflect, Uint8Array};
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{
    Event, MessageEvent, RtcConfiguration, RtcDataChannel, RtcDataChannelInit, RtcDataChannelType,
    RtcIceCandidateInit, RtcOfferOptions, RtcPeerConnection, RtcPeerConnectionIceEvent,
    RtcPeerConnectionState, RtcSdpType, RtcSessionDescriptionInit,
};

use super::idb::words;
use crate::collections::Map;
use crate::mesh::{LOW_WATER, LinkId, RtcCommand, RtcEvent, RtcState, SdpType};

/// Called with every event of every link; never from inside [`Links::command`].
pub type Report = Rc<dyn Fn(LinkId, RtcEvent)>;

/// All peer connections of a node.
pub struct Links {
    links: RefCell<Map<LinkId, Rc<Link>>>,
    report: Report,
    /// `RTCIceServer[]`, as the page gave it, or undefined.
    ice_servers: JsValue,
}

impl Links {
    /// No connections yet.
    pub fn new(report: Report, ice_servers: JsValue) -> Self {
        Self { links: RefCell::default(), report, ice_servers }
    }

    /// Queues a command behind the earlier ones of its link.
    pub fn command(&self, id: LinkId, command: RtcCommand) {
        if command == RtcCommand::Close {
            let link = self.links.borrow_mut().remove(&id);
            if let Some(link) = link {
                link.close();
            }
            return;
        }
        let link = Rc::clone(self.links.borrow_mut().entry(id).or_insert_with(|| {
            Rc::new(Link {
                id,
                report: Rc::clone(&self.report),
                ice_servers: self.ice_servers.clone(),
                queue: RefCell::default(),
                running: Cell::new(false),
                closed: Cell::new(false),
                connection: RefCell::new(None),
            })
        }));
        link.queue.borrow_mut().push_back(command);
        if !link.running.replace(true) {
            spawn_local(async move { link.run().await });
        }
    }

    /// Sends one message; what came of it is reported.
    pub fn send(&self, id: LinkId, bytes: &[u8]) {
        let link = self.links.borrow().get(&id).cloned();
        let report = Rc::clone(&self.report);
        let Some(link) = link else { return };
        let event = match &*link.connection.borrow() {
            Some(connection) => match connection.channel.send_with_u8_array(bytes) {
                Ok(()) => RtcEvent::Buffered { bytes: connection.channel.buffered_amount().into() },
                Err(thrown) => RtcEvent::Failed { error: words(&thrown) },
            },
            None => return,
        };
        report(id, event);
    }

    /// Closes all of them without a word.
    pub fn close(&self) {
        let links = core::mem::take(&mut *self.links.borrow_mut());
        for link in links.values() {
            link.close();
        }
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        self.close();
    }
}

struct Link {
    id: LinkId,
    report: Report,
    ice_servers: JsValue,
    queue: RefCell<VecDeque<RtcCommand>>,
    running: Cell<bool>,
    closed: Cell<bool>,
    connection: RefCell<Option<Connection>>,
}

impl Link {
    async fn run(self: Rc<Self>) {
        loop {
            let next = self.queue.borrow_mut().pop_front();
            let Some(command) = next.filter(|_| !self.closed.get()) else { break };
            // Neither failing is worth an attempt: a late candidate, or nothing to roll back.
            let matters = !matches!(command, RtcCommand::AddCandidate { .. } | RtcCommand::Rollback);
            let result = self.perform(command).await;
            if self.closed.get() {
                break;
            }
            match result {
                Ok(Some(event)) => (self.report)(self.id, event),
                Ok(None) => {}
                Err(thrown) if matters => (self.report)(self.id, RtcEvent::Failed { error: words(&thrown) }),
                Err(_) => {}
            }
        }
        self.running.set(false);
    }

    async fn perform(&self, command: RtcCommand) -> Result<Option<RtcEvent>, JsValue> {
        if let RtcCommand::Create { .. } = command {
            let connection = Connection::new(self.id, &self.report, &self.ice_servers)?;
            if let Some(old) = self.connection.replace(Some(connection)) {
                old.close();
            }
            return Ok(None);
        }
        let pc = self.connection.borrow().as_ref().map(|connection| connection.pc.clone());
        let pc = pc.ok_or_else(|| JsValue::from_str("there is no connection"))?;
        match command {
            RtcCommand::AddCandidate { json } => {
                let candidate: RtcIceCandidateInit = JSON::parse(&json)?.unchecked_into();
                JsFuture::from(pc.add_ice_candidate_with_opt_rtc_ice_candidate_init(Some(&candidate)))
                    .await?;
            }
            RtcCommand::MakeAnswer => {
                let answer: RtcSessionDescriptionInit =
                    JsFuture::from(pc.create_answer()).await?.unchecked_into();
                return set_local(&pc, &answer, SdpType::Answer).await.map(Some);
            }
            RtcCommand::MakeOffer { ice_restart } => {
                let options = RtcOfferOptions::new();
                options.set_ice_restart(ice_restart);
                let offer = JsFuture::from(pc.create_offer_with_rtc_offer_options(&options)).await?;
                return set_local(&pc, offer.unchecked_ref(), SdpType::Offer).await.map(Some);
            }
            RtcCommand::Rollback => {
                let rollback = RtcSessionDescriptionInit::new(RtcSdpType::Rollback);
                JsFuture::from(pc.set_local_description(&rollback)).await?;
            }
            RtcCommand::SetRemote { sdp_type, sdp } => {
                let description = RtcSessionDescriptionInit::new(match sdp_type {
                    SdpType::Answer => RtcSdpType::Answer,
                    SdpType::Offer => RtcSdpType::Offer,
                });
                description.set_sdp(&sdp);
                JsFuture::from(pc.set_remote_description(&description)).await?;
            }
            // Both are done before they get here.
            RtcCommand::Close | RtcCommand::Create { .. } => {}
        }
        Ok(None)
    }

    fn close(&self) {
        self.closed.set(true);
        self.queue.borrow_mut().clear();
        if let Some(connection) = self.connection.take() {
            connection.close();
        }
    }
}

async fn set_local(
    pc: &RtcPeerConnection,
    description: &RtcSessionDescriptionInit,
    sdp_type: SdpType,
) -> Result<RtcEvent, JsValue> {
    JsFuture::from(pc.set_local_description(description)).await?;
    let sdp = pc.local_description().map(|description| description.sdp()).unwrap_or_default();
    Ok(RtcEvent::LocalDescription { sdp_type, sdp })
}

/// A connection, its channel, and the handlers of both.
struct Connection {
    pc: RtcPeerConnection,
    channel: RtcDataChannel,
    _candidate: Closure<dyn Fn(RtcPeerConnectionIceEvent)>,
    _message: Closure<dyn Fn(MessageEvent)>,
    _plain: [Closure<dyn Fn(Event)>; 5],
}

impl Connection {
    fn new(id: LinkId, report: &Report, ice_servers: &JsValue) -> Result<Self, JsValue> {
        let configuration = RtcConfiguration::new();
        if !ice_servers.is_undefined() {
            configuration.set_ice_servers(ice_servers);
        }
        let pc = RtcPeerConnection::new_with_configuration(&configuration)?;
        let init = RtcDataChannelInit::new();
        init.set_negotiated(true);
        init.set_id(0);
        init.set_ordered(true);
        let channel = pc.create_data_channel_with_data_channel_dict(LABEL, &init);
        channel.set_binary_type(RtcDataChannelType::Arraybuffer);
        channel.set_buffered_amount_low_threshold(u32::try_from(LOW_WATER).unwrap_or(u32::MAX));

        let tell = Rc::clone(report);
        let candidate =
            Closure::<dyn Fn(RtcPeerConnectionIceEvent)>::new(move |event: RtcPeerConnectionIceEvent| {
                // The end of candidates comes as null, in some browsers also as an empty one.
                let Some(candidate) = event.candidate().filter(|candidate| !candidate.candidate().is_empty())
                else {
                    return;
                };
                if let Some(json) = JSON::stringify(&candidate).ok().and_then(|json| json.as_string()) {
                    tell(id, RtcEvent::LocalCandidate { json });
                }
            });
        pc.set_onicecandidate(Some(candidate.as_ref().unchecked_ref()));

        let tell = Rc::clone(report);
        let message = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
            // Text is no message of ours.
            let bytes = event.data().dyn_into::<ArrayBuffer>().map(|data| Uint8Array::new(&data).to_vec());
            tell(id, RtcEvent::Data { bytes: bytes.unwrap_or_default() });
        });
        channel.set_onmessage(Some(message.as_ref().unchecked_ref()));

        let on = |event: Rc<dyn Fn() -> Option<RtcEvent>>| {
            let tell = Rc::clone(report);
            Closure::<dyn Fn(Event)>::new(move |_: Event| {
                if let Some(event) = event() {
                    tell(id, event);
                }
            })
        };
        let negotiation = on(Rc::new(|| Some(RtcEvent::NegotiationNeeded)));
        pc.set_onnegotiationneeded(Some(negotiation.as_ref().unchecked_ref()));
        let (stated, tell) = (pc.clone(), Rc::clone(report));
        let state = on(Rc::new(move || {
            let now = state(stated.connection_state());
            if now == Some(RtcState::Connected) {
                look(id, &stated, &tell);
            }
            now.map(RtcEvent::State)
        }));
        pc.set_onconnectionstatechange(Some(state.as_ref().unchecked_ref()));
        let (opened, tell) = (pc.clone(), Rc::clone(report));
        let open = on(Rc::new(move || {
            look(id, &opened, &tell);
            Some(RtcEvent::ChannelOpen)
        }));
        channel.set_onopen(Some(open.as_ref().unchecked_ref()));
        let close = on(Rc::new(|| Some(RtcEvent::ChannelClosed)));
        channel.set_onclose(Some(close.as_ref().unchecked_ref()));
        let drained = channel.clone();
        let low = on(Rc::new(move || Some(RtcEvent::Buffered { bytes: drained.buffered_amount().into() })));
        channel.set_onbufferedamountlow(Some(low.as_ref().unchecked_ref()));
        Ok(Self {
            pc,
            channel,
            _candidate: candidate,
            _message: message,
            _plain: [negotiation, state, open, close, low],
        })
    }

    fn close(&self) {
        self.pc.set_onicecandidate(None);
        self.pc.set_onnegotiationneeded(None);
        self.pc.set_onconnectionstatechange(None);
        self.channel.set_onmessage(None);
        self.channel.set_onopen(None);
        self.channel.set_onclose(None);
        self.channel.set_onbufferedamountlow(None);
        self.channel.close();
        self.pc.close();
    }
}

/// Finds out which path ICE has chosen, and reports it.
fn look(id: LinkId, pc: &RtcPeerConnection, report: &Report) {
    let (pc, report) = (pc.clone(), Rc::clone(report));
    spawn_local(async move {
        let Ok(stats) = JsFuture::from(pc.get_stats()).await else { return };
        if pc.connection_state() != RtcPeerConnectionState::Closed
            && let Some(turned) = turned(stats.unchecked_ref())
        {
            report(id, RtcEvent::Path { turned });
        }
    });
}

/// Whether either end of the chosen pair of candidates is a TURN server; `None` if none is chosen.
fn turned(stats: &js_sys::Map) -> Option<bool> {
    let field = |entry: &JsValue, name: &str| Reflect::get(entry, &name.into()).unwrap_or_default();
    let (mut chosen, mut pair) = (JsValue::UNDEFINED, None);
    let mut pairs = Vec::new();
    stats.for_each(&mut |entry, _| match field(&entry, "type").as_string().as_deref() {
        Some("transport") => chosen = field(&entry, "selectedCandidatePairId"),
        Some("candidate-pair") => pairs.push(entry),
        _ => {}
    });
    for entry in pairs {
        let named = chosen.is_string() && field(&entry, "id") == chosen;
        let used = field(&entry, "nominated").is_truthy() && field(&entry, "state") == "succeeded";
        // Firefox has no transport here, and says it of the pair.
        if named || field(&entry, "selected").is_truthy() || (used && pair.is_none() && !chosen.is_string()) {
            pair = Some(entry);
        }
    }
    let pair = pair?;
    let relayed = |end: &str| field(&stats.get(&field(&pair, end)), "candidateType") == "relay";
    Some(relayed("localCandidateId") || relayed("remoteCandidateId"))
}

fn state(state: RtcPeerConnectionState) -> Option<RtcState> {
    Some(match state {
        RtcPeerConnectionState::Closed => RtcState::Closed,
        RtcPeerConnectionState::Connected => RtcState::Connected,
        RtcPeerConnectionState::Connecting => RtcState::Connecting,
        RtcPeerConnectionState::Disconnected => RtcState::Disconnected,
        RtcPeerConnectionState::Failed => RtcState::Failed,
        RtcPeerConnectionState::New => RtcState::New,
        _ => return None,
    })
}

const LABEL: &str = "hypha";
