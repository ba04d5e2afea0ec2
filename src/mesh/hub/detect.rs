//! A hub whose kind was not named: finds it out, then hands everything to that kind's adapter.
//!
//! ```text
//! the address   looks like a kind's: tried as that kind first
//! the greeting  {"IdAssigned": matchbox   {"type":"OPEN" or "ERROR": PeerJS   "update-challenge": hhs   ["AUTH": Nostr
//! 0 s           {"type":"ping"}                      {"type":"pong": y-webrtc   {"failure reason": wt   ["NOTICE": Nostr
//! 1 s           ["REQ","p",{…,"limit":0}]            ["EOSE" or ["CLOSED": Nostr
//! 2 s           a query; messages to ourselves       {"action": hhs   {"topic": ws-relay   {"app": signalhubws
//! 10 s, or the  a new socket as MQTT client          it says so itself
//! hub hung up
//! twice
//! ```
//! Nothing is sent but JSON objects and arrays, as anything else stops some stock servers, until all of that met with
//! silence.

use super::pubsub::HHS_QUESTION;
use super::{
    Caps, HubAdapter, HubEvent, HubFrame, HubKind, HubOut, HubUrl, Route, Socket, Topic, fresh, text,
};
use crate::collections::Map;
use crate::crypto::hex;
use crate::mesh::json::{Json, Member, object};

/// Finds out a hub's kind.
pub(super) struct Detect {
    url: HubUrl,
    seed: [u8; 32],
    topics: Map<Topic, bool>,
    /// Of the kind that was found, or is tried.
    inner: Option<Box<dyn HubAdapter>>,
    /// Whether the inner one has been ready.
    is_sure: bool,
    asking: Option<Asking>,
    /// Whether this socket has been open.
    is_open: bool,
    /// Times that the hub hung up on our questions.
    hung_up: u8,
}

#[derive(Clone, Copy)]
struct Asking {
    stage: u8,
    until: u64,
}

impl Detect {
    pub(super) fn new(url: &HubUrl, seed: [u8; 32]) -> Self {
        let mut new = Self {
            url: url.clone(),
            seed,
            topics: Map::new(),
            inner: None,
            is_sure: false,
            asking: None,
            is_open: false,
            hung_up: 0,
        };
        if let Some(kind) = url.kind_by_shape() {
            new.try_as(kind);
        }
        new
    }

    fn try_as(&mut self, kind: HubKind) {
        self.asking = None;
        self.is_sure = false;
        let mut adapter = self.url.adapter_of(kind, self.seed);
        let mut nothing = HubOut::default();
        for (topic, is_room) in self.topics.iter() {
            adapter.join(*topic, *is_room, 0, &mut nothing);
        }
        self.inner = Some(adapter);
    }

    /// The socket that is open turned out to be to a hub of this kind.
    fn found(&mut self, kind: HubKind, frame: &HubFrame, now: u64, out: &mut HubOut) {
        self.try_as(kind);
        let plain = self.url.socket();
        if let Some(inner) = &mut self.inner {
            if (Socket { url: plain.to_owned(), protocol: None }) == inner.socket() {
                inner.opened(now, out);
                // A greeting comes once.
                if kind == HubKind::Matchbox {
                    inner.frame(frame, now, out);
                }
            } else {
                out.events.push(HubEvent::Reopen);
            }
        }
        self.check(out);
    }

    /// What the inner adapter says about its kind.
    fn check(&mut self, out: &mut HubOut) {
        for event in &mut out.events {
            match event {
                HubEvent::Ready => {
                    self.is_sure = true;
                    self.hung_up = 0;
                }
                // The address or an answer deceived; ask, unless everything was asked.
                HubEvent::WrongKind if self.hung_up < MAX_HUNG_UP => {
                    self.inner = None;
                    *event = HubEvent::Reopen;
                }
                HubEvent::WrongKind => {
                    self.inner = None;
                    self.hung_up = 0;
                }
                _ => {}
            }
        }
    }

    fn recognise(frame: &HubFrame) -> Option<HubKind> {
        match Json::parse(text(frame).ok()?)? {
            Json::Array(items) => match items.into_iter().next()? {
                Json::Text(verb) if matches!(verb.as_str(), "AUTH" | "CLOSED" | "EOSE" | "NOTICE") => {
                    Some(HubKind::Nostr)
                }
                _ => None,
            },
            Json::Object(members) => {
                let is = |name: &str, words: &[&str]| match members.get(name) {
                    Some(Json::Text(text)) => words.contains(&text.as_str()),
                    _ => false,
                };
                if is("type", &["pong"]) {
                    Some(HubKind::YWebrtc)
                } else if is("type", &["OPEN", "ERROR"]) {
                    Some(HubKind::PeerJs)
                } else if is("action", &["update-challenge", "query-reply"]) {
                    Some(HubKind::Hhs)
                } else {
                    let named = [
                        ("IdAssigned", HubKind::Matchbox),
                        ("failure reason", HubKind::WebTorrent),
                        ("app", HubKind::SignalHubWs),
                        ("topic", HubKind::WsRelay),
                    ];
                    named.into_iter().find(|(name, _)| members.contains_key(*name)).map(|(_, kind)| kind)
                }
            }
            _ => None,
        }
    }

    fn ask(&self, stage: u8, out: &mut HubOut) {
        let own = hex(&fresh(&self.seed, u64::MAX));
        let topic = ("topic", Member::Text(&own));
        let texts = match stage {
            0 => vec![r#"{"type":"ping"}"#.to_owned()],
            1 => vec![r#"["REQ","p",{"kinds":[20001],"limit":0}]"#.to_owned()],
            _ => vec![
                HHS_QUESTION.to_owned(),
                object(&[("type", Member::Text("subscribe")), topic]),
                object(&[
                    ("type", Member::Text("publish")),
                    ("topic", Member::Text(&own)),
                    ("payload", Member::Text("")),
                ]),
                object(&[
                    ("app", Member::Text(super::url::last_segment(self.url.socket()))),
                    ("channel", Member::Text(&own)),
                    ("message", Member::Text("")),
                ]),
            ],
        };
        out.frames.extend(texts.into_iter().map(HubFrame::Text));
    }
}

impl HubAdapter for Detect {
    fn caps(&self) -> Caps {
        let nothing =
            Caps { addressed: false, broadcast: false, max_message: 0, may_relay: false, trickle: false };
        self.inner.as_ref().map_or(nothing, |inner| inner.caps())
    }

    fn closed(&mut self) {
        let was_open = core::mem::replace(&mut self.is_open, false);
        let was_asked = self.asking.take().is_some();
        if let Some(inner) = &mut self.inner {
            inner.closed();
        }
        if self.is_sure {
            return;
        }
        if self.inner.is_some() && self.hung_up >= MAX_HUNG_UP {
            // No MQTT broker either, or gone: from the start.
            self.inner = None;
            self.hung_up = 0;
        } else if was_open {
            self.hung_up = self.hung_up.saturating_add(u8::from(was_asked));
            self.inner = None;
        }
    }

    fn deadline(&self) -> Option<u64> {
        self.inner.as_ref().map_or(self.asking.map(|asking| asking.until), |inner| inner.deadline())
    }

    fn frame(&mut self, frame: &HubFrame, now: u64, out: &mut HubOut) {
        if let Some(inner) = &mut self.inner {
            inner.frame(frame, now, out);
            self.check(out);
        } else if let Some(kind) = Self::recognise(frame) {
            self.found(kind, frame, now, out);
        } else {
            out.events.push(HubEvent::Garbage { what: "nothing that a known kind of hub says" });
        }
    }

    fn join(&mut self, topic: Topic, is_room: bool, now: u64, out: &mut HubOut) {
        self.topics.insert(topic, is_room);
        if let Some(inner) = &mut self.inner {
            inner.join(topic, is_room, now, out);
        }
    }

    fn leave(&mut self, topic: &Topic, out: &mut HubOut) {
        self.topics.remove(topic);
        if let Some(inner) = &mut self.inner {
            inner.leave(topic, out);
        }
    }

    fn opened(&mut self, now: u64, out: &mut HubOut) {
        self.is_open = true;
        if let Some(inner) = &mut self.inner {
            return inner.opened(now, out);
        }
        self.asking = Some(Asking { stage: 0, until: now.saturating_add(STAGE_MS) });
        self.ask(0, out);
    }

    fn probe(&mut self, now: u64, out: &mut HubOut) {
        if let Some(inner) = &mut self.inner {
            inner.probe(now, out);
        }
    }

    fn publish(&mut self, topic: &Topic, sealed: &[u8], now: u64, out: &mut HubOut) {
        if let Some(inner) = &mut self.inner {
            inner.publish(topic, sealed, now, out);
        }
    }

    fn send_to(&mut self, route: Option<&Route>, inbox: &Topic, sealed: &[u8], now: u64, out: &mut HubOut) {
        if let Some(inner) = &mut self.inner {
            inner.send_to(route, inbox, sealed, now, out);
        }
    }

    fn socket(&mut self) -> Socket {
        if self.inner.is_none() && self.hung_up >= MAX_HUNG_UP {
            self.try_as(HubKind::Mqtt);
        }
        match &mut self.inner {
            Some(inner) => inner.socket(),
            None => Socket { url: self.url.socket().to_owned(), protocol: None },
        }
    }

    fn tick(&mut self, now: u64, out: &mut HubOut) {
        if let Some(inner) = &mut self.inner {
            inner.tick(now, out);
            return self.check(out);
        }
        let Some(Asking { stage, until }) = self.asking.filter(|asking| now >= asking.until) else { return };
        if stage >= LAST_STAGE {
            self.asking = None;
            self.hung_up = MAX_HUNG_UP;
            out.events.push(HubEvent::Reopen);
            return;
        }
        let wait = if stage + 1 == LAST_STAGE { LAST_STAGE_MS } else { STAGE_MS };
        self.asking = Some(Asking { stage: stage + 1, until: until.max(now).saturating_add(wait) });
        self.ask(stage + 1, out);
    }
}

/// For an answer before the next question.
const STAGE_MS: u64 = 1_000;
const LAST_STAGE: u8 = 2;
/// Ten seconds in all: a slow y-webrtc server would not survive what an MQTT client says.
const LAST_STAGE_MS: u64 = 8_000;
const MAX_HUNG_UP: u8 = 2;

#[cfg(test)]
mod tests;
