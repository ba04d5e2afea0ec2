//! y-webrtc's signalling server: publish and subscribe by topic, JSON text frames.
//!
//! ```text
//! to the hub    {"type":"subscribe","topics":["<hex>"]}     {"type":"unsubscribe","topics":["<hex>"]}
//!               {"type":"publish","topic":"<hex>","d":"<base64url of the sealed bytes>"}
//!               {"type":"ping"}
//! from the hub  {"type":"publish",… as it was sent, and "clients": n}     {"type":"pong"}
//! ```
//! The hub hands a message back to its sender too. It answers in order, so the pong after the first subscription
//! proves that topics are joined. One malformed frame stops a stock server, so nothing but JSON objects is ever
//! sent, and a hub may vanish at any time. Proxies cut silent sockets: a ping goes out every 25 s.

use std::collections::VecDeque;

use super::{Caps, HubAdapter, HubEvent, HubFrame, HubOut, MAX_HUB_FRAME, Route, Topic, base64url};
use crate::collections::Set;
use crate::crypto::{blake2b_128, hex, parse_hex32};
use crate::mesh::json::{self, Json};

/// Speaks y-webrtc.
pub(crate) struct YWebrtc {
    topics: Set<Topic>,
    link: Link,
    /// What was published of late, to drop it when it comes back.
    sent: VecDeque<[u8; 16]>,
    may_relay: bool,
}

impl YWebrtc {
    /// `may_relay`: the address says that it is the user's own hub.
    pub(crate) const fn new(may_relay: bool) -> Self {
        Self { topics: Set::new(), link: Link::Closed, sent: VecDeque::new(), may_relay }
    }
}

impl HubAdapter for YWebrtc {
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
        self.link = Link::Closed;
        self.sent.clear();
    }

    fn deadline(&self) -> Option<u64> {
        match self.link {
            Link::Closed => None,
            Link::Open { pong_by: Some(at), .. } | Link::Open { ping_at: at, pong_by: None, .. } => Some(at),
        }
    }

    fn frame(&mut self, frame: &HubFrame, now: u64, out: &mut HubOut) {
        match self.read(frame, now) {
            Ok(events) => out.events.extend(events),
            Err(what) => out.events.push(HubEvent::Garbage { what }),
        }
    }

    fn join(&mut self, topic: Topic, _now: u64, out: &mut HubOut) {
        if self.topics.insert(topic) && matches!(self.link, Link::Open { .. }) {
            out.frames.push(topics_frame("subscribe", [&topic]));
        }
    }

    fn leave(&mut self, topic: &Topic, out: &mut HubOut) {
        if self.topics.remove(topic) && matches!(self.link, Link::Open { .. }) {
            out.frames.push(topics_frame("unsubscribe", [topic]));
        }
    }

    fn opened(&mut self, now: u64, out: &mut HubOut) {
        let all: Vec<&Topic> = self.topics.iter().collect();
        for some in all.chunks(TOPICS_PER_FRAME) {
            out.frames.push(topics_frame("subscribe", some.iter().copied()));
        }
        out.frames.push(ping());
        let (ping_at, pong_by) = (now.saturating_add(PING_MS), Some(now.saturating_add(PONG_MS)));
        self.link = Link::Open { ready: false, ping_at, pong_by };
    }

    fn probe(&mut self, now: u64, out: &mut HubOut) {
        if let Link::Open { pong_by, .. } = &mut self.link {
            // Also when a ping was out already: its answer may have been lost in the sleep, its time was.
            *pong_by = Some(now.saturating_add(PROBE_MS));
            out.frames.push(ping());
        }
    }

    fn protocols(&self) -> Vec<String> {
        Vec::new()
    }

    fn publish(&mut self, topic: &Topic, sealed: &[u8], _now: u64, out: &mut HubOut) {
        if !matches!(self.link, Link::Open { .. }) || sealed.len() > self.caps().max_message {
            return;
        }
        if self.sent.len() >= MAX_SENT {
            self.sent.pop_front();
        }
        self.sent.push_back(blake2b_128(&[sealed]));
        // Hexadecimal and base64url need no escaping.
        let (topic, sealed) = (hex(&topic.0), base64url::encode(sealed));
        out.frames.push(HubFrame::Text(format!(r#"{{"type":"publish","topic":"{topic}","d":"{sealed}"}}"#)));
    }

    fn send_to(&mut self, _route: Option<&Route>, inbox: &Topic, sealed: &[u8], now: u64, out: &mut HubOut) {
        self.publish(inbox, sealed, now, out);
    }

    fn tick(&mut self, now: u64, out: &mut HubOut) {
        let Link::Open { ready, ping_at, pong_by } = &mut self.link else { return };
        if pong_by.is_some_and(|by| now >= by) {
            // A hub that answered once and no more is dead, not foreign: the socket is given up either way.
            let event = if *ready { HubEvent::Silent } else { HubEvent::WrongKind };
            out.events.push(event);
            self.link = Link::Closed;
        } else if pong_by.is_none() && now >= *ping_at {
            *ping_at = now.saturating_add(PING_MS);
            *pong_by = Some(now.saturating_add(PONG_MS));
            out.frames.push(ping());
        }
    }
}

impl YWebrtc {
    fn read(&mut self, frame: &HubFrame, now: u64) -> Result<Option<HubEvent>, &'static str> {
        let text = match frame {
            HubFrame::Text(text) => text.as_str(),
            // Some servers send what they relay as binary.
            HubFrame::Binary(bytes) => core::str::from_utf8(bytes).map_err(|_| "bytes that are not UTF-8")?,
        };
        if text.len() > MAX_HUB_FRAME {
            return Err("a frame above 64 KiB");
        }
        let message = Incoming::parse(text).ok_or("a frame that is no y-webrtc message")?;
        match message.kind.as_str() {
            "pong" => {
                let Link::Open { ready, ping_at, pong_by } = &mut self.link else { return Ok(None) };
                *pong_by = None;
                *ping_at = now.saturating_add(PING_MS);
                Ok((!core::mem::replace(ready, true)).then_some(HubEvent::Ready))
            }
            "publish" => {
                let topic = message.topic.ok_or("a publication without a topic")?;
                let topic = Topic(parse_hex32(&topic).map_err(|_| "a topic that is not ours")?);
                let data = message.d.ok_or("a publication without d")?;
                let sealed = base64url::decode(&data).ok_or("a publication that is no base64url")?;
                let own = blake2b_128(&[&sealed]);
                if let Some(at) = self.sent.iter().position(|sent| *sent == own) {
                    self.sent.remove(at);
                    return Ok(None);
                }
                // What was on its way while a topic was left is nobody's fault.
                Ok(self.topics.contains(&topic).then_some(HubEvent::Message { topic, route: None, sealed }))
            }
            _ => Err("a frame of an unknown type"),
        }
    }
}

/// The connection.
#[derive(Clone, Copy)]
enum Link {
    Closed,
    Open {
        /// Whether the hub has ever answered.
        ready: bool,
        ping_at: u64,
        pong_by: Option<u64>,
    },
}

struct Incoming {
    kind: String,
    topic: Option<String>,
    d: Option<String>,
}

impl Incoming {
    fn parse(text: &str) -> Option<Self> {
        let mut members = Json::parse(text)?.into_object()?;
        Some(Self {
            kind: members.remove("type")?.into_text()?,
            topic: json::optional(&mut members, "topic", Json::into_text)?,
            d: json::optional(&mut members, "d", Json::into_text)?,
        })
    }
}

fn topics_frame<'a>(kind: &str, topics: impl IntoIterator<Item = &'a Topic>) -> HubFrame {
    let topics: Vec<String> = topics.into_iter().map(|topic| format!("\"{}\"", hex(&topic.0))).collect();
    HubFrame::Text(format!(r#"{{"type":"{kind}","topics":[{}]}}"#, topics.join(",")))
}

fn ping() -> HubFrame {
    HubFrame::Text(r#"{"type":"ping"}"#.to_owned())
}

/// Between pings.
const PING_MS: u64 = 25_000;
/// For an answer to one.
const PONG_MS: u64 = 10_000;
/// For an answer after the page slept.
const PROBE_MS: u64 = 5_000;
const MAX_SENT: usize = 64;
const TOPICS_PER_FRAME: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn text(out: &HubOut) -> Vec<&str> {
        out.frames
            .iter()
            .map(|f| if let HubFrame::Text(t) = f { t.as_str() } else { panic!("{f:?}") })
            .collect()
    }

    fn from(hub: &mut YWebrtc, text: &str) -> Vec<HubEvent> {
        let mut out = HubOut::default();
        hub.frame(&HubFrame::Text(text.into()), 5, &mut out);
        assert!(out.frames.is_empty());
        out.events
    }

    #[test]
    fn subscribes_pings_publishes_and_drops_its_echo() {
        let (mut hub, mut out) = (YWebrtc::new(false), HubOut::default());
        let topic = Topic([0xab; 32]);
        let name = "ab".repeat(32);
        hub.join(topic, 0, &mut out);
        hub.publish(&topic, b"early", 0, &mut out);
        assert!(out.frames.is_empty());
        hub.opened(0, &mut out);
        hub.publish(&topic, &[1, 2, 0xff, 0xff], 0, &mut out);
        let published = format!(r#"{{"type":"publish","topic":"{name}","d":"AQL__w"}}"#);
        assert_eq!(
            text(&out),
            [
                &format!(r#"{{"type":"subscribe","topics":["{name}"]}}"#),
                r#"{"type":"ping"}"#,
                published.as_str()
            ]
        );
        assert_eq!(from(&mut hub, r#"{"type":"pong"}"#), [HubEvent::Ready]);
        assert_eq!(from(&mut hub, r#"{"type":"pong"}"#), []);
        let back = published.replace("{\"type", "{\"clients\":2,\"type");
        assert_eq!(from(&mut hub, &back), [], "own");
        let message = HubEvent::Message { topic, route: None, sealed: vec![1, 2, 0xff, 0xff] };
        assert_eq!(from(&mut hub, &back), [message], "another's with the same bytes");
        let mut out = HubOut::default();
        hub.leave(&topic, &mut out);
        assert_eq!(text(&out), [format!(r#"{{"type":"unsubscribe","topics":["{name}"]}}"#)]);
        assert_eq!(from(&mut hub, &back), [], "left");
    }

    #[test]
    fn silence_is_the_wrong_kind_at_first_and_death_later() {
        let (mut hub, mut out) = (YWebrtc::new(false), HubOut::default());
        hub.opened(0, &mut out);
        assert_eq!(hub.deadline(), Some(10_000));
        hub.tick(10_000, &mut out);
        assert_eq!(out.events, [HubEvent::WrongKind]);

        let (mut hub, mut out) = (YWebrtc::new(false), HubOut::default());
        hub.opened(0, &mut out);
        from(&mut hub, r#"{"type":"pong"}"#);
        assert_eq!(hub.deadline(), Some(25_005));
        hub.tick(25_005, &mut out);
        assert_eq!(text(&out), [r#"{"type":"ping"}"#, r#"{"type":"ping"}"#]);
        hub.tick(35_005, &mut out);
        assert_eq!(out.events, [HubEvent::Silent]);

        let mut out = HubOut::default();
        hub.opened(0, &mut out);
        from(&mut hub, r#"{"type":"pong"}"#);
        hub.probe(100_000, &mut out);
        assert_eq!(hub.deadline(), Some(105_000), "awake");
    }

    #[test]
    fn garbage_is_named() {
        let mut hub = YWebrtc::new(false);
        hub.opened(0, &mut HubOut::default());
        for bad in [
            "",
            "null",
            "[]",
            "okay",
            "{}",
            r#"{"type":1}"#,
            r#"{"type":"hello"}"#,
            r#"{"type":"publish"}"#,
            r#"{"type":"publish","topic":"x","d":""}"#,
            &format!(r#"{{"type":"publish","topic":"{}"}}"#, "0".repeat(64)),
            &format!(r#"{{"type":"publish","topic":"{}","d":"*"}}"#, "0".repeat(64)),
            &format!(r#"{{"type":"pong","x":"{}"}}"#, "0".repeat(MAX_HUB_FRAME)),
            &"[".repeat(10_000),
        ] {
            let events = from(&mut hub, bad);
            assert!(matches!(events.as_slice(), [HubEvent::Garbage { .. }]), "{bad:.60}: {events:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_frame_never_panics(text: String, bytes: Vec<u8>) {
            let (mut hub, mut out) = (YWebrtc::new(false), HubOut::default());
            hub.opened(0, &mut out);
            hub.frame(&HubFrame::Text(text), 0, &mut out);
            hub.frame(&HubFrame::Binary(bytes), 0, &mut out);
        }
    }
}
