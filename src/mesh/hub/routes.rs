//! Nodes that a hub of the addressing kind delivers to, and a room made of them.
//!
//! ```text
//! what goes to one   {"t":"<hex of the topic>","d":"<base64url of the sealed bytes>"}     {} says only: I am here
//! handed on          {"t":…,"d":…,"r":"<the hub's id of whom it came from>"}
//! ```
//! Such a hub knows no topics: what is published goes to every node that is known, and who turns up is told at once
//! what was published last, so that nobody waits for somebody else's next hello.

use std::collections::VecDeque;

use super::{HubEvent, HubFrame, HubOut, Route, Topic, base64url, name, word};
use crate::collections::Map;
use crate::crypto::parse_hex32;
use crate::mesh::bucket::Bucket;
use crate::mesh::json::{Json, Member, object};
use crate::mesh::signal::MAX_HELLO;

/// Nodes on one hub.
pub(super) struct Routes {
    /// What is joined, and whether it is a room.
    pub(super) topics: Map<Topic, bool>,
    known: VecDeque<String>,
    /// What was published last in each of our topics.
    said: Map<Topic, String>,
    /// Puts what goes to one into the hub's words.
    wrap: fn(to: &str, payload: &str) -> String,
    /// Whether what comes for a room is handed on to the others, who did not get it.
    hands_on: bool,
    /// How much is: one message becomes as many as there are nodes that are known.
    hand_ons: Bucket,
}

impl Routes {
    pub(super) const fn new(wrap: fn(to: &str, payload: &str) -> String, hands_on: bool) -> Self {
        let hand_ons = Bucket::new(HAND_ON_BURST, HAND_ONS_PER_SECOND, 0);
        Self { topics: Map::new(), known: VecDeque::new(), said: Map::new(), wrap, hands_on, hand_ons }
    }

    /// The connection is over, and with it everybody's id.
    pub(super) fn clear(&mut self) {
        self.known.clear();
        self.said.clear();
    }

    pub(super) fn leave(&mut self, topic: &Topic) {
        self.topics.remove(topic);
        self.said.remove(topic);
    }

    /// Somebody is there.
    pub(super) fn learn(&mut self, id: &str, out: &mut HubOut) {
        if self.known.iter().any(|known| known == id) || id.len() > MAX_ID {
            return;
        }
        if self.known.len() >= MAX_KNOWN {
            self.known.pop_front();
        }
        self.known.push_back(id.to_owned());
        if self.said.is_empty() {
            self.put(id, "{}", out);
        }
        for payload in self.said.values() {
            self.put(id, payload, out);
        }
    }

    pub(super) fn forget(&mut self, id: &str) {
        self.known.retain(|known| known != id);
    }

    /// To all who are known, and `also` to some who may be there.
    pub(super) fn publish(&mut self, topic: &Topic, sealed: &[u8], also: &[String], out: &mut HubOut) {
        let payload = payload(topic, sealed, None);
        for id in self.known.iter().chain(also.iter().filter(|id| !self.known.contains(id))) {
            self.put(id, &payload, out);
        }
        if self.topics.contains_key(topic) {
            self.said.insert(*topic, payload);
        }
    }

    pub(super) fn send_to(&mut self, route: Option<&Route>, inbox: &Topic, sealed: &[u8], out: &mut HubOut) {
        match route {
            Some(route) => self.put(&route.0, &payload(inbox, sealed, None), out),
            None => self.publish(inbox, sealed, &[], out),
        }
    }

    /// Something came from one. Anybody may name another as whom it came from: that counts only where messages are
    /// handed on, and takes nobody's place among those who are known.
    pub(super) fn heard(
        &mut self,
        from: &str,
        payload_of: Json<'_>,
        now: u64,
        out: &mut HubOut,
    ) -> Result<(), &'static str> {
        let mut members = payload_of.into_object().ok_or("a message that is no object")?;
        let via = word(&mut members, "r").filter(|_| self.hands_on);
        if from.len() > MAX_ID || via.as_ref().is_some_and(|via| via.len() > MAX_ID) {
            return Err("an id that is too long");
        }
        let (topic, data) = (word(&mut members, "t"), word(&mut members, "d"));
        self.learn(from, out);
        let (Some(topic), Some(data)) = (topic, data) else { return Ok(()) };
        let topic = Topic(parse_hex32(&topic).map_err(|_| "a topic that is not ours")?);
        let sealed = base64url::decode(&data).ok_or("a message that is no base64url")?;
        let Some(is_room) = self.topics.get(&topic).copied() else { return Ok(()) };
        let via = via.filter(|_| is_room);
        let origin = via.as_deref().unwrap_or(from);
        if via.is_some() {
            if self.known.len() < MAX_KNOWN {
                self.learn(origin, out);
            }
        } else if self.hands_on && is_room && sealed.len() <= MAX_HELLO && self.hand_ons.take(now) {
            // Nothing but hellos is said in rooms.
            let payload = payload(&topic, &sealed, Some(from));
            for id in self.known.iter().filter(|id| *id != from) {
                self.put(id, &payload, out);
            }
        }
        let route = Some(Route(origin.to_owned()));
        out.events.push(HubEvent::Message { topic, route, sealed });
        Ok(())
    }

    pub(super) fn put(&self, to: &str, payload: &str, out: &mut HubOut) {
        out.frames.push(HubFrame::Text((self.wrap)(to, payload)));
    }
}

fn payload(topic: &Topic, sealed: &[u8], from: Option<&str>) -> String {
    let (topic, sealed) = (name(topic), base64url::encode(sealed));
    let members = [
        ("t", Member::Text(&topic)),
        ("d", Member::Text(&sealed)),
        ("r", Member::Text(from.unwrap_or_default())),
    ];
    object(members.get(..if from.is_some() { 3 } else { 2 }).unwrap_or_default())
}

/// Nodes that are remembered.
const MAX_KNOWN: usize = 64;
/// Bytes of a hub's id for one.
const MAX_ID: usize = 128;
/// Messages that are handed on at once and per second: a room that fills up, where a node says hello three times at
/// first.
const HAND_ON_BURST: u32 = 64;
const HAND_ONS_PER_SECOND: u32 = 4;
