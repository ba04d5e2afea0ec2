//! Hubs that publish and subscribe by topic in JSON text frames: y-webrtc's server, and three that differ in words.
//!
//! ```text
//! y-webrtc      {"type":"subscribe","topics":["<hex>", …]}     {"type":"unsubscribe","topics":["<hex>"]}
//!               {"type":"publish","topic":"<hex>","d":"<base64url of the sealed bytes>"}     {"type":"ping"}
//!   answers     the publication as it was sent, and "clients": n     {"type":"pong"}
//! ws-relay      {"type":"subscribe","topic":"<hex>"}     {"type":"unsubscribe","topic":"<hex>"}
//!   (Trystero)  {"type":"publish","topic":"<hex>","payload":"<base64url>"}
//!   answers     {"topic":"<hex>","payload":"<base64url>"}
//! signalhubws   {"app":"<app>","channel":"<hex>","message":"<base64url>"}; comes back as it was sent, to all sockets
//!               whose path ends in the app, whatever the channel
//! hhs           {"action":"listen","linkupId":"<hex>"}     {"action":"send","linkupId":"<hex>","d":"<base64url>"}
//!               {"action":"query","queryId":"p","linkupIds":[]}     {"action":"pong"}
//!   answers     the sent as it was     {"action":"query-reply", …}     {"action":"ping"}     others, ignored
//! ```
//! All of them hand a message back to its sender too. The question that proves a y-webrtc hub is its ping, an HHS
//! server's is a query, and the other two have none: there a message to a topic of our own comes back. y-webrtc
//! answers in order, so the first pong proves that topics are joined. One malformed frame stops a stock server, so
//! nothing but JSON objects is ever sent, and a hub may vanish at any time.

use super::{
    Caps, HubAdapter, HubEvent, HubFrame, HubOut, MAX_HUB_FRAME, Route, Socket, Topic, base64url, echo::Echo,
    fresh, members, name, pulse::Pulse, word,
};
use crate::collections::Set;
use crate::crypto::{hex, parse_hex32};
use crate::mesh::json::{Member, array, object};

/// Speaks to a hub that publishes and subscribes.
pub(super) struct PubSub {
    dialect: Dialect,
    socket: String,
    topics: Set<Topic>,
    pulse: Pulse,
    echo: Echo,
    may_relay: bool,
    /// A topic of our own, for questions that come back.
    own: String,
}

/// Whose words.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Dialect {
    Hhs,
    SignalHubWs,
    WsRelay,
    YWebrtc,
}

impl PubSub {
    /// `may_relay`: the address says that it is the user's own hub.
    pub(super) fn new(dialect: Dialect, mut socket: String, seed: &[u8; 32], may_relay: bool) -> Self {
        if dialect == Dialect::SignalHubWs {
            super::url::default_path(&mut socket, APP);
        }
        Self {
            dialect,
            socket,
            topics: Set::new(),
            pulse: Pulse::CLOSED,
            echo: Echo::new(),
            may_relay,
            own: hex(&fresh(seed, 0)),
        }
    }
}

impl HubAdapter for PubSub {
    fn caps(&self) -> Caps {
        Caps {
            addressed: false,
            broadcast: true,
            max_message: MAX_HUB_FRAME / 4 * 3 - 256,
            may_relay: self.may_relay,
            trickle: true,
        }
    }

    fn closed(&mut self) {
        self.pulse = Pulse::CLOSED;
        self.echo.clear();
    }

    fn deadline(&self) -> Option<u64> {
        self.pulse.deadline()
    }

    fn frame(&mut self, frame: &HubFrame, now: u64, out: &mut HubOut) {
        if let Err(what) = self.read(frame, now, out) {
            out.events.push(HubEvent::Garbage { what });
        }
    }

    fn join(&mut self, topic: Topic, _is_room: bool, _now: u64, out: &mut HubOut) {
        if self.topics.insert(topic) && self.pulse.is_open() {
            self.subscribe(&[name(&topic)], out);
        }
    }

    fn leave(&mut self, topic: &Topic, out: &mut HubOut) {
        if self.topics.remove(topic) && self.pulse.is_open() {
            let name = name(topic);
            match self.dialect {
                // There is no word for it; what still comes is dropped.
                Dialect::Hhs | Dialect::SignalHubWs => {}
                Dialect::WsRelay => put(out, &[("type", "unsubscribe"), ("topic", &name)]),
                Dialect::YWebrtc => topics_frame("unsubscribe", &[name], out),
            }
        }
    }

    fn opened(&mut self, now: u64, out: &mut HubOut) {
        self.pulse.open(now);
        let names: Vec<String> = self.topics.iter().map(name).collect();
        self.subscribe(&names, out);
        if self.dialect == Dialect::WsRelay {
            self.subscribe(core::slice::from_ref(&self.own), out);
        }
        self.ask(out);
    }

    fn probe(&mut self, now: u64, out: &mut HubOut) {
        if self.pulse.probe(now) {
            self.ask(out);
        }
    }

    fn publish(&mut self, topic: &Topic, sealed: &[u8], _now: u64, out: &mut HubOut) {
        if self.pulse.is_open() && sealed.len() <= self.caps().max_message {
            self.echo.sent(sealed);
            self.say(&name(topic), &base64url::encode(sealed), out);
        }
    }

    fn send_to(&mut self, _route: Option<&Route>, inbox: &Topic, sealed: &[u8], now: u64, out: &mut HubOut) {
        self.publish(inbox, sealed, now, out);
    }

    fn socket(&mut self) -> Socket {
        Socket { url: self.socket.clone(), protocol: None }
    }

    fn tick(&mut self, now: u64, out: &mut HubOut) {
        if self.pulse.tick(now, out) {
            self.ask(out);
        }
    }
}

impl PubSub {
    fn subscribe(&self, names: &[String], out: &mut HubOut) {
        match self.dialect {
            Dialect::Hhs => {
                names.iter().for_each(|name| put(out, &[("action", "listen"), ("linkupId", name)]))
            }
            Dialect::SignalHubWs => {}
            Dialect::WsRelay => {
                names.iter().for_each(|name| put(out, &[("type", "subscribe"), ("topic", name)]))
            }
            Dialect::YWebrtc => {
                names.chunks(TOPICS_PER_FRAME).for_each(|some| topics_frame("subscribe", some, out))
            }
        }
    }

    fn ask(&self, out: &mut HubOut) {
        match self.dialect {
            Dialect::Hhs => out.frames.push(HubFrame::Text(HHS_QUESTION.to_owned())),
            Dialect::SignalHubWs | Dialect::WsRelay => self.say(&self.own, "", out),
            Dialect::YWebrtc => put(out, &[("type", "ping")]),
        }
    }

    fn say(&self, name: &str, data: &str, out: &mut HubOut) {
        match self.dialect {
            Dialect::Hhs => put(out, &[("action", "send"), ("linkupId", name), ("d", data)]),
            Dialect::SignalHubWs => {
                put(
                    out,
                    &[("app", super::url::last_segment(&self.socket)), ("channel", name), ("message", data)],
                );
            }
            Dialect::WsRelay => put(out, &[("type", "publish"), ("topic", name), ("payload", data)]),
            Dialect::YWebrtc => put(out, &[("type", "publish"), ("topic", name), ("d", data)]),
        }
    }

    fn read(&mut self, frame: &HubFrame, now: u64, out: &mut HubOut) -> Result<(), &'static str> {
        let mut members = members(frame)?;
        let (verb, topic, data) = match self.dialect {
            Dialect::Hhs => ("action", "linkupId", "d"),
            Dialect::SignalHubWs => ("", "channel", "message"),
            Dialect::WsRelay => ("", "topic", "payload"),
            Dialect::YWebrtc => ("type", "topic", "d"),
        };
        let topic = word(&mut members, topic);
        if topic.as_ref() == Some(&self.own) {
            self.pulse.answered(now, out);
            return Ok(());
        }
        match (self.dialect, word(&mut members, verb).as_deref()) {
            (Dialect::Hhs, Some("send")) | (Dialect::YWebrtc, Some("publish")) => {}
            (Dialect::Hhs, Some("query-reply")) | (Dialect::YWebrtc, Some("pong")) => {
                self.pulse.answered(now, out);
                return Ok(());
            }
            (Dialect::Hhs, Some("ping")) => {
                put(out, &[("action", "pong")]);
                return Ok(());
            }
            (Dialect::Hhs, Some("update-challenge")) => return Ok(()),
            (Dialect::SignalHubWs | Dialect::WsRelay, _) => {}
            _ => return Err("a frame of an unknown type"),
        }
        let parsed = parse_hex32(&topic.ok_or("a publication without a topic")?).map(Topic);
        let topic = match parsed {
            Ok(topic) => topic,
            // Others' questions to themselves, or other uses of the same app.
            Err(_) if self.dialect == Dialect::SignalHubWs => return Ok(()),
            Err(_) => return Err("a topic that is not ours"),
        };
        let data = word(&mut members, data).ok_or("a publication without data")?;
        let sealed = base64url::decode(&data).ok_or("a publication that is no base64url")?;
        // What was on its way while a topic was left is nobody's fault.
        if !self.echo.takes(&sealed) && self.topics.contains(&topic) {
            out.events.push(HubEvent::Message { topic, route: None, sealed });
        }
        Ok(())
    }
}

fn put(out: &mut HubOut, members: &[(&str, &str)]) {
    let members: Vec<_> = members.iter().map(|(name, text)| (*name, Member::Text(text))).collect();
    out.frames.push(HubFrame::Text(object(&members)));
}

fn topics_frame(verb: &str, names: &[String], out: &mut HubOut) {
    // Hexadecimal needs no escaping.
    let topics = array(names, "\"");
    out.frames
        .push(HubFrame::Text(object(&[("type", Member::Text(verb)), ("topics", Member::Json(&topics))])));
}

/// signalhubws' app, unless the address has a path.
const APP: &str = "/hypha";
pub(super) const HHS_QUESTION: &str = r#"{"action":"query","queryId":"p","linkupIds":[]}"#;
const TOPICS_PER_FRAME: usize = 64;

#[cfg(test)]
mod tests;
