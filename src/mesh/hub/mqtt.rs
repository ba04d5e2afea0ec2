//! An MQTT 3.1.1 broker over WebSockets (OASIS mqtt-v3.1.1): publish and subscribe by topic, in binary.
//!
//! ```text
//! to the broker    10 CONNECT   0004 "MQTT" 04 flags keep-alive-u16 text(client id) [text(user) [text(password)]]
//!                  82 SUBSCRIBE packet-id-u16 { text(topic) 00 }…      a2 UNSUBSCRIBE packet-id-u16 { text(topic) }…
//!                  30 PUBLISH   text(topic) part                       c0 00 PINGREQ
//! from the broker  20 02 CONNACK session code    90 SUBACK packet-id-u16 codes…    b0 UNSUBACK
//!                  3x PUBLISH                    d0 00 PINGRESP
//! packet           first byte │ length of the rest, 7 bits a byte, low first │ rest       text = length-u16 UTF-8
//! topic            hypha/<base64url of 32 bytes>
//! part             id 4 │ index u8 │ count u8 │ at most 3,400 bytes of the sealed ones
//! ```
//! Packets are read as a stream of bytes: brokers cut and join them as they like. Sealed bytes are cut too, because
//! a widespread broker hands out one buffer of 4 KiB every 100 ms. Parts of a message come in order, or it is lost;
//! `id` is the start of its hash. Quality of service is 0 throughout and nothing is retained. Numbers big endian.

use std::collections::VecDeque;

use super::{
    Caps, HubAdapter, HubEvent, HubFrame, HubOut, MAX_HUB_FRAME, Route, Socket, Topic, base64url, echo::Echo,
    fresh, pulse::Pulse,
};
use crate::collections::Set;
use crate::crypto::{blake2b_128, hex};

/// Speaks MQTT.
pub(super) struct Mqtt {
    socket: String,
    /// User, and behind the first colon the password.
    login: Option<String>,
    topics: Set<Topic>,
    pulse: Pulse,
    echo: Echo,
    seed: [u8; 32],
    connections: u64,
    /// Whether the broker has let us in.
    accepted: bool,
    input: Vec<u8>,
    partial: VecDeque<Partial>,
    may_relay: bool,
}

/// A message of which some parts have come.
struct Partial {
    id: [u8; 4],
    topic: Topic,
    count: u8,
    next: u8,
    bytes: Vec<u8>,
}

impl Mqtt {
    pub(super) fn new(mut socket: String, seed: [u8; 32], may_relay: bool) -> Self {
        let login = super::url::take_login(&mut socket);
        Self {
            socket,
            login,
            topics: Set::new(),
            pulse: Pulse::CLOSED,
            echo: Echo::new(),
            seed,
            connections: 0,
            accepted: false,
            input: Vec::new(),
            partial: VecDeque::new(),
            may_relay,
        }
    }
}

impl HubAdapter for Mqtt {
    fn caps(&self) -> Caps {
        Caps {
            addressed: false,
            broadcast: true,
            max_message: PART * MAX_PARTS,
            may_relay: self.may_relay,
            trickle: true,
        }
    }

    fn closed(&mut self) {
        self.pulse = Pulse::CLOSED;
        self.accepted = false;
        self.echo.clear();
        self.input.clear();
        self.partial.clear();
    }

    fn deadline(&self) -> Option<u64> {
        self.pulse.deadline()
    }

    fn frame(&mut self, frame: &HubFrame, now: u64, out: &mut HubOut) {
        let HubFrame::Binary(bytes) = frame else {
            out.events.push(HubEvent::Garbage { what: "text to an MQTT client" });
            return;
        };
        self.input.extend_from_slice(bytes);
        loop {
            match packet(&self.input) {
                Ok(None) => return,
                Ok(Some((head, rest))) => {
                    let used = rest.end;
                    let rest = self.input.get(rest).unwrap_or_default().to_vec();
                    self.input.drain(..used);
                    if let Err(what) = self.read(head, &rest, now, out) {
                        out.events.push(HubEvent::Garbage { what });
                    }
                }
                Err(what) => {
                    // Where the next packet starts is not known any more, so the stream is over.
                    let end = if self.pulse.is_ready() { HubEvent::Silent } else { HubEvent::WrongKind };
                    out.events.extend([HubEvent::Garbage { what }, end]);
                    return self.closed();
                }
            }
        }
    }

    fn join(&mut self, topic: Topic, _is_room: bool, _now: u64, out: &mut HubOut) {
        if self.topics.insert(topic) && self.accepted {
            topics_packet(SUBSCRIBE, &[&topic], out);
        }
    }

    fn leave(&mut self, topic: &Topic, out: &mut HubOut) {
        if self.topics.remove(topic) && self.accepted {
            topics_packet(UNSUBSCRIBE, &[topic], out);
        }
    }

    fn opened(&mut self, now: u64, out: &mut HubOut) {
        self.pulse.open(now);
        self.connections = self.connections.saturating_add(1);
        let id = hex(&fresh(&self.seed, self.connections));
        let mut rest = vec![0, 4];
        rest.extend_from_slice(b"MQTT\x04\x02");
        let flags = rest.len() - 1;
        rest.extend_from_slice(&KEEP_ALIVE_S.to_be_bytes());
        // At most 23 characters, as the standard lets a broker ask for.
        put_text(&mut rest, id.get(..22).unwrap_or_default());
        if let Some(login) = &self.login {
            let (user, password) =
                login.split_once(':').map_or((login.as_str(), None), |(u, p)| (u, Some(p)));
            put_text(&mut rest, user);
            if let Some(password) = password {
                put_text(&mut rest, password);
            }
            if let Some(byte) = rest.get_mut(flags) {
                *byte |= if password.is_some() { 0xc0 } else { 0x80 };
            }
        }
        put_packet(CONNECT, &rest, out);
    }

    fn probe(&mut self, now: u64, out: &mut HubOut) {
        if self.pulse.probe(now) {
            put_packet(PINGREQ, &[], out);
        }
    }

    fn publish(&mut self, topic: &Topic, sealed: &[u8], _now: u64, out: &mut HubOut) {
        if !self.accepted || sealed.is_empty() || sealed.len() > self.caps().max_message {
            return;
        }
        self.echo.sent(sealed);
        let [a, b, c, d, ..] = blake2b_128(&[sealed]);
        let count = sealed.len().div_ceil(PART).to_le_bytes()[0];
        for (index, part) in (0_u8..).zip(sealed.chunks(PART)) {
            let mut rest = Vec::new();
            put_text(&mut rest, &topic_name(topic));
            rest.extend_from_slice(&[a, b, c, d, index, count]);
            rest.extend_from_slice(part);
            put_packet(PUBLISH, &rest, out);
        }
    }

    fn send_to(&mut self, _route: Option<&Route>, inbox: &Topic, sealed: &[u8], now: u64, out: &mut HubOut) {
        self.publish(inbox, sealed, now, out);
    }

    fn socket(&mut self) -> Socket {
        Socket { url: self.socket.clone(), protocol: Some("mqtt") }
    }

    fn tick(&mut self, now: u64, out: &mut HubOut) {
        if self.pulse.tick(now, out) {
            put_packet(PINGREQ, &[], out);
        }
    }
}

impl Mqtt {
    fn read(&mut self, head: u8, rest: &[u8], now: u64, out: &mut HubOut) -> Result<(), &'static str> {
        match (head, rest) {
            (CONNACK, [_, 0]) => {
                self.accepted = true;
                let all: Vec<&Topic> = self.topics.iter().collect();
                for some in all.chunks(TOPICS_PER_PACKET) {
                    topics_packet(SUBSCRIBE, some, out);
                }
                // Answered in order: then topics are joined.
                put_packet(PINGREQ, &[], out);
            }
            (CONNACK, [_, 3]) => out.events.push(HubEvent::Throttled { wait_ms: UNAVAILABLE_MS }),
            (CONNACK, [_, code]) => {
                let reason = match code {
                    2 => "the client id",
                    4 | 5 => "the user or password",
                    _ => "the protocol",
                };
                out.events.push(HubEvent::Refused { reason: reason.to_owned() });
            }
            (PINGRESP, []) if self.accepted => self.pulse.answered(now, out),
            (SUBACK, [_, _, codes @ ..]) => {
                if codes.contains(&0x80) {
                    out.events.push(HubEvent::Refused { reason: "a subscription".to_owned() });
                }
            }
            (UNSUBACK, _) => {}
            (0x30..=0x31, _) => self.part(rest, out)?,
            _ => return Err("a packet that no MQTT broker sends"),
        }
        Ok(())
    }

    fn part(&mut self, rest: &[u8], out: &mut HubOut) -> Result<(), &'static str> {
        let mut rest = rest;
        let name = take_text(&mut rest)
            .and_then(|text| text.strip_prefix(PREFIX))
            .ok_or("a topic that is not ours")?;
        let topic = base64url::decode(name).and_then(|bytes| bytes.try_into().ok()).map(Topic);
        let topic = topic.ok_or("a topic that is not ours")?;
        let ([a, b, c, d, index, count], bytes) =
            rest.split_first_chunk().ok_or("a publication that is no part")?;
        let (id, index, count) = ([*a, *b, *c, *d], *index, *count);
        if index >= count || usize::from(count) > MAX_PARTS || bytes.is_empty() || bytes.len() > PART {
            return Err("a publication that is no part");
        }
        // What was on its way while a topic was left is nobody's fault.
        if !self.topics.contains(&topic) {
            return Ok(());
        }
        let known = self.partial.iter().position(|one| one.id == id && one.topic == topic);
        let mut partial = match known.and_then(|at| self.partial.remove(at)) {
            Some(known) if index > 0 => known,
            _ => Partial { id, topic, count, next: 0, bytes: Vec::new() },
        };
        if index != partial.next || count != partial.count {
            return Ok(());
        }
        partial.bytes.extend_from_slice(bytes);
        partial.next = index.saturating_add(1);
        if partial.next < count {
            if self.partial.len() >= MAX_PARTIAL {
                self.partial.pop_front();
            }
            self.partial.push_back(partial);
        } else if !self.echo.takes(&partial.bytes) {
            out.events.push(HubEvent::Message { topic, route: None, sealed: partial.bytes });
        }
        Ok(())
    }
}

/// The first packet of a stream: its first byte, and where its rest is. `None` while it has not come whole.
fn packet(input: &[u8]) -> Result<Option<(u8, core::ops::Range<usize>)>, &'static str> {
    let Some((head, more)) = input.split_first() else { return Ok(None) };
    let (mut length, mut shift, mut at) = (0, 0, 1);
    for byte in more.iter().take(4) {
        length |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        at += 1;
        if byte & 0x80 == 0 {
            return if length > MAX_HUB_FRAME {
                Err("a packet above 64 KiB")
            } else {
                Ok((input.len() - at >= length).then_some((*head, at..at + length)))
            };
        }
    }
    if more.len() < 4 { Ok(None) } else { Err("a packet without a length") }
}

fn put_packet(head: u8, rest: &[u8], out: &mut HubOut) {
    let mut packet = vec![head];
    let mut length = rest.len();
    loop {
        let low = (length & 0x7f).to_le_bytes()[0];
        length >>= 7;
        packet.push(if length > 0 { low | 0x80 } else { low });
        if length == 0 {
            break;
        }
    }
    packet.extend_from_slice(rest);
    out.frames.push(HubFrame::Binary(packet));
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    // Nothing here comes near the limit: an address has 2,048 bytes.
    let length = u16::try_from(text.len()).unwrap_or_default();
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(text.as_bytes().get(..usize::from(length)).unwrap_or_default());
}

fn take_text<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    let (length, more) = bytes.split_first_chunk()?;
    let (text, more) = more.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    *bytes = more;
    core::str::from_utf8(text).ok()
}

fn topics_packet(head: u8, topics: &[&Topic], out: &mut HubOut) {
    let mut rest = vec![0, 1];
    for topic in topics {
        put_text(&mut rest, &topic_name(topic));
        if head == SUBSCRIBE {
            rest.push(0);
        }
    }
    put_packet(head, &rest, out);
}

fn topic_name(topic: &Topic) -> String {
    [PREFIX, &base64url::encode(&topic.0)].concat()
}

const CONNECT: u8 = 0x10;
const CONNACK: u8 = 0x20;
const PUBLISH: u8 = 0x30;
const SUBSCRIBE: u8 = 0x82;
const SUBACK: u8 = 0x90;
const UNSUBSCRIBE: u8 = 0xa2;
const UNSUBACK: u8 = 0xb0;
const PINGREQ: u8 = 0xc0;
const PINGRESP: u8 = 0xd0;

const PREFIX: &str = "hypha/";
/// The broker hangs up after one and a half of it in silence.
const KEEP_ALIVE_S: u16 = 60;
/// A broker that is not available is left alone so long.
const UNAVAILABLE_MS: u64 = 60_000;
/// Sealed bytes in one packet.
const PART: usize = 3_400;
const MAX_PARTS: usize = 5;
/// Messages of which parts are kept.
const MAX_PARTIAL: usize = 16;
const TOPICS_PER_PACKET: usize = 64;

#[cfg(test)]
mod tests;
