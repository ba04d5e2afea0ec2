//! A WebTorrent tracker: who announces is handed others' offers. Here an "offer" is a sealed message.
//!
//! ```text
//! to the hub    {"action":"announce","info_hash":t,"peer_id":p,"numwant":n,"uploaded":0,"downloaded":0,"left":1,
//!                "offers":[{"offer_id":o,"offer":{"type":"offer","sdp":"<base64url of the sealed bytes>"}}, …]}
//!               with "event":"stopped" in the end
//! from the hub  {"action":"announce","interval":120,"info_hash":t, …}
//!               {"action":"announce","info_hash":t,"peer_id":p,"offer_id":o,"offer":{"type":"offer","sdp":…}}
//!               {"failure reason":"…"}
//! t, p, o       20 characters: base64url of 15 bytes, of the topic the first 15
//! ```
//! To announce is to be listed for a while, so every topic is announced again every 50 s, with nothing to offer; the
//! answer to that proves that the hub lives. Each offer of a list goes to another member, drawn by the hub: a
//! message to a room is offered five times. Who is not in an inbox announces there with its message and stops in the
//! same breath, so that the next one's offers are drawn for the owner alone. Answers are not used: strict trackers
//! relay one to each offer and no more.

use super::{
    Caps, HubAdapter, HubEvent, HubFrame, HubOut, Route, Socket, Topic, base64url, cut, fresh, members,
    pulse::Pulse, word,
};
use crate::collections::Set;
use crate::mesh::json::{Json, Member, array, object};

/// Speaks to a tracker.
pub(super) struct WebTorrent {
    socket: String,
    topics: Set<Topic>,
    pulse: Pulse,
    announce_at: u64,
    seed: [u8; 32],
    /// Ids drawn.
    count: u64,
    own: String,
}

impl WebTorrent {
    pub(super) const fn new(socket: String, seed: [u8; 32]) -> Self {
        Self {
            socket,
            topics: Set::new(),
            pulse: Pulse::CLOSED,
            announce_at: 0,
            seed,
            count: 0,
            own: String::new(),
        }
    }

    fn fresh(&mut self) -> String {
        self.count = self.count.saturating_add(1);
        short(&fresh(&self.seed, self.count))
    }

    fn announce(&self, topic: &Topic, offers: &[String], stop: bool, out: &mut HubOut) {
        let (hash, offers_json) = (short(&topic.0), array(offers, ""));
        let wanted = char::from(b'0' + offers.len().to_le_bytes()[0]).to_string();
        let members = [
            ("action", Member::Text("announce")),
            ("info_hash", Member::Text(&hash)),
            ("peer_id", Member::Text(&self.own)),
            ("numwant", Member::Json(&wanted)),
            ("uploaded", Member::Json("0")),
            ("downloaded", Member::Json("0")),
            ("left", Member::Json("1")),
            ("offers", Member::Json(&offers_json)),
            ("event", Member::Text("stopped")),
        ];
        let members = members.get(..if stop { 9 } else { 8 }).unwrap_or_default();
        out.frames.push(HubFrame::Text(object(members)));
    }

    fn announce_all(&mut self, now: u64, out: &mut HubOut) {
        self.announce_at = now.saturating_add(ANNOUNCE_MS);
        for topic in &self.topics {
            self.announce(topic, &[], false, out);
        }
    }

    fn read(&mut self, frame: &HubFrame, now: u64, out: &mut HubOut) -> Result<(), &'static str> {
        let mut message = members(frame)?;
        if let Some(reason) = word(&mut message, "failure reason") {
            out.events.push(if self.pulse.is_ready() {
                HubEvent::Garbage { what: "a failure" }
            } else {
                HubEvent::Refused { reason: cut(&reason) }
            });
            return Ok(());
        }
        let hash = word(&mut message, "info_hash");
        let offer = message.remove("offer").and_then(Json::into_object);
        let Some(mut offer) = offer else {
            if message.contains_key("interval") {
                self.pulse.answered(now, out);
                return Ok(());
            }
            return Err("a frame that no tracker sends");
        };
        let sdp = word(&mut offer, "sdp").ok_or("an offer without sdp")?;
        let sealed = base64url::decode(&sdp).ok_or("an offer that is not ours")?;
        let hash = hash.ok_or("an offer without info_hash")?;
        if let Some(topic) = self.topics.iter().find(|topic| short(&topic.0) == hash) {
            out.events.push(HubEvent::Message { topic: *topic, route: None, sealed });
        }
        Ok(())
    }
}

impl HubAdapter for WebTorrent {
    fn caps(&self) -> Caps {
        Caps { addressed: false, broadcast: true, max_message: MAX_MESSAGE, may_relay: false, trickle: false }
    }

    fn closed(&mut self) {
        self.pulse = Pulse::CLOSED;
    }

    fn deadline(&self) -> Option<u64> {
        self.pulse.deadline().map(|at| if self.pulse.is_ready() { at.min(self.announce_at) } else { at })
    }

    fn frame(&mut self, frame: &HubFrame, now: u64, out: &mut HubOut) {
        if let Err(what) = self.read(frame, now, out) {
            out.events.push(HubEvent::Garbage { what });
        }
    }

    fn join(&mut self, topic: Topic, _is_room: bool, _now: u64, out: &mut HubOut) {
        if self.topics.insert(topic) && self.pulse.is_open() {
            self.announce(&topic, &[], false, out);
        }
    }

    fn leave(&mut self, topic: &Topic, out: &mut HubOut) {
        if self.topics.remove(topic) && self.pulse.is_open() {
            self.announce(topic, &[], true, out);
        }
    }

    fn opened(&mut self, now: u64, out: &mut HubOut) {
        self.pulse.open(now);
        self.own = self.fresh();
        self.announce_all(now, out);
        if self.topics.is_empty() {
            // So that the hub has something to answer.
            self.ask(out);
        }
    }

    fn probe(&mut self, now: u64, out: &mut HubOut) {
        if self.pulse.probe(now) {
            self.ask(out);
        }
    }

    fn publish(&mut self, topic: &Topic, sealed: &[u8], _now: u64, out: &mut HubOut) {
        if !self.pulse.is_open() || sealed.len() > MAX_MESSAGE {
            return;
        }
        let sdp = base64url::encode(sealed);
        let description = object(&[("type", Member::Text("offer")), ("sdp", Member::Text(&sdp))]);
        let mut offers = Vec::new();
        // As many as fit into the smallest frame that a tracker takes.
        for _ in 0..(MAX_OFFERS_BYTES / description.len()).clamp(1, MAX_OFFERS) {
            let id = self.fresh();
            offers.push(object(&[("offer_id", Member::Text(&id)), ("offer", Member::Json(&description))]));
        }
        self.announce(topic, &offers, false, out);
        if !self.topics.contains(topic) {
            self.announce(topic, &[], true, out);
        }
    }

    fn send_to(&mut self, _route: Option<&Route>, inbox: &Topic, sealed: &[u8], now: u64, out: &mut HubOut) {
        self.publish(inbox, sealed, now, out);
    }

    fn socket(&mut self) -> Socket {
        Socket { url: self.socket.clone(), protocol: None }
    }

    fn tick(&mut self, now: u64, out: &mut HubOut) {
        let is_due = self.pulse.tick(now, out);
        if self.pulse.is_ready() && now >= self.announce_at {
            self.announce_all(now, out);
        } else if is_due {
            self.ask(out);
        }
    }
}

impl WebTorrent {
    /// One topic says as much as all, and a topic of nobody's more than none.
    fn ask(&self, out: &mut HubOut) {
        let topic = self.topics.first().copied().unwrap_or(Topic([0; 32]));
        self.announce(&topic, &[], false, out);
    }
}

/// 20 characters of 15 bytes.
fn short(bytes: &[u8]) -> String {
    base64url::encode(bytes.get(..15).unwrap_or_default())
}

/// Trackers drop who was not heard for three minutes, the strictest of them.
const ANNOUNCE_MS: u64 = 50_000;
const MAX_OFFERS: usize = 5;
/// Of the 16 KiB that the strictest tracker reads.
const MAX_OFFERS_BYTES: usize = 15_000;
/// Sealed bytes of which one offer fits.
const MAX_MESSAGE: usize = 11_000;

#[cfg(test)]
mod tests;
