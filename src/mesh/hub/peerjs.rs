//! A PeerJS server: delivery to one by an id of the client's choice, and no rooms.
//!
//! ```text
//! address       …/peerjs?key=peerjs&id=<id>&token=<token>
//! to the hub    {"type":"OFFER","dst":"<id>","payload":…}     {"type":"HEARTBEAT"}
//! from the hub  {"type":"OPEN"}     {"type":"OFFER","src":"<id>","dst":"<own id>","payload":…}
//!               {"type":"EXPIRE" or "LEAVE","src":"<id of one who is not there>"}
//!               {"type":"ID-TAKEN"}     {"type":"ERROR","payload":{"msg":"…"}}
//! slot          hex(BLAKE2b-128(topic of the room ‖ "peerjs" ‖ number u8)), numbers 0 to 3
//! ```
//! `payload` is what [`Routes`] says. Who comes takes the first free slot of one of its rooms as its id, or when all
//! are taken an id that says nothing. What is for a room goes to its slots too, and whoever holds one hands it on to
//! those it knows. The hub answers nothing, but delivers to ourselves: that is the question. A heartbeat goes with
//! it, since an id without one is dropped after 90 s.

use super::{
    Caps, HubAdapter, HubEvent, HubFrame, HubOut, MAX_HUB_FRAME, Route, Socket, Topic, cut, fresh, members,
    pulse::Pulse, routes::Routes, word,
};
use crate::collections::find_text;
use crate::crypto::{blake2b_128, hex};
use crate::mesh::json::{Json, Member, object};

/// Speaks PeerJS.
pub(super) struct PeerJs {
    /// With `key`, but without id and token.
    socket: String,
    routes: Routes,
    pulse: Pulse,
    seed: [u8; 32],
    claim: Claim,
    /// Ids drawn.
    count: u64,
    own: String,
    /// Another id is wanted.
    reopen: bool,
    may_relay: bool,
}

/// As whom we come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Claim {
    /// With a slot if there is a room.
    Any,
    /// All slots were taken.
    None,
    Slot(Topic, u8),
}

impl PeerJs {
    pub(super) fn new(mut socket: String, seed: [u8; 32], may_relay: bool) -> Self {
        super::url::default_path(&mut socket, "/peerjs");
        let path_end = socket.find('?').unwrap_or(socket.len());
        let (path, query) = socket.split_at(path_end);
        // The server answers at <path>peerjs, and the path is what people know.
        let tail = if path.ends_with("/peerjs") {
            ""
        } else if path.ends_with('/') {
            "peerjs"
        } else {
            "/peerjs"
        };
        let key = if query.split(['?', '&']).any(|pair| pair.starts_with("key=")) {
            "&"
        } else if query.is_empty() {
            "?key=peerjs&"
        } else {
            "&key=peerjs&"
        };
        Self {
            socket: [path, tail, query, key].concat(),
            routes: Routes::new(wrap, true),
            pulse: Pulse::CLOSED,
            seed,
            claim: Claim::Any,
            count: 0,
            own: String::new(),
            reopen: false,
            may_relay,
        }
    }

    fn ask(&self, out: &mut HubOut) {
        out.frames.push(HubFrame::Text(r#"{"type":"HEARTBEAT"}"#.to_owned()));
        self.routes.put(&self.own, "{}", out);
    }

    /// Comes again with another claim.
    fn come_as(&mut self, claim: Claim) {
        self.claim = claim;
        self.reopen = true;
    }

    fn read(&mut self, frame: &HubFrame, now: u64, out: &mut HubOut) -> Result<(), &'static str> {
        let mut message = members(frame)?;
        let kind = word(&mut message, "type").unwrap_or_default();
        let from = word(&mut message, "src").unwrap_or_default();
        match kind.as_str() {
            "OPEN" => self.pulse.answered(now, out),
            "OFFER" if from == self.own => self.pulse.answered(now, out),
            "OFFER" => {
                let payload = message.remove("payload").ok_or("an offer without a payload")?;
                self.routes.heard(&from, payload, now, out)?;
            }
            "EXPIRE" | "LEAVE" => self.routes.forget(&from),
            "ID-TAKEN" => match self.claim {
                Claim::Slot(room, number) if number + 1 < SLOTS => {
                    self.come_as(Claim::Slot(room, number + 1));
                }
                Claim::Slot(..) => self.come_as(Claim::None),
                // Nobody draws the same sixteen bytes, so the hub lies or fails.
                Claim::Any | Claim::None => out.events.push(HubEvent::Throttled { wait_ms: FULL_MS }),
            },
            "ERROR" => {
                let payload = message.remove("payload").and_then(Json::into_object);
                let words = payload.and_then(|mut payload| word(&mut payload, "msg")).unwrap_or_default();
                out.events.push(if find_text(&words, "limit").is_some() {
                    HubEvent::Throttled { wait_ms: FULL_MS }
                } else {
                    HubEvent::Refused { reason: cut(&words) }
                });
            }
            _ => return Err("a frame that is no PeerJS message"),
        }
        Ok(())
    }
}

impl HubAdapter for PeerJs {
    fn caps(&self) -> Caps {
        Caps {
            addressed: true,
            broadcast: false,
            max_message: MAX_HUB_FRAME / 4 * 3 - 512,
            may_relay: self.may_relay,
            trickle: true,
        }
    }

    fn closed(&mut self) {
        self.pulse = Pulse::CLOSED;
        self.routes.clear();
        self.claim = Claim::Any;
        self.reopen = false;
    }

    fn deadline(&self) -> Option<u64> {
        if self.reopen { Some(0) } else { self.pulse.deadline() }
    }

    fn frame(&mut self, frame: &HubFrame, now: u64, out: &mut HubOut) {
        if let Err(what) = self.read(frame, now, out) {
            out.events.push(HubEvent::Garbage { what });
        }
    }

    fn join(&mut self, topic: Topic, is_room: bool, _now: u64, _out: &mut HubOut) {
        self.routes.topics.insert(topic, is_room);
        if is_room && self.pulse.is_open() && self.claim == Claim::Any {
            self.come_as(Claim::Any);
        }
    }

    fn leave(&mut self, topic: &Topic, _out: &mut HubOut) {
        self.routes.leave(topic);
        if matches!(self.claim, Claim::Slot(room, _) if room == *topic) {
            self.come_as(Claim::Any);
        }
    }

    fn opened(&mut self, now: u64, out: &mut HubOut) {
        self.pulse.open(now);
        // The hub says OPEN only to an id that is new to it.
        self.ask(out);
    }

    fn probe(&mut self, now: u64, out: &mut HubOut) {
        if self.pulse.probe(now) {
            self.ask(out);
        }
    }

    fn publish(&mut self, topic: &Topic, sealed: &[u8], _now: u64, out: &mut HubOut) {
        if !self.pulse.is_open() || sealed.len() > self.caps().max_message {
            return;
        }
        let mut slots = Vec::new();
        if self.routes.topics.get(topic) == Some(&true) {
            slots.extend((0..SLOTS).map(|number| slot(topic, number)).filter(|slot| *slot != self.own));
        }
        self.routes.publish(topic, sealed, &slots, out);
    }

    fn send_to(&mut self, route: Option<&Route>, inbox: &Topic, sealed: &[u8], _now: u64, out: &mut HubOut) {
        if self.pulse.is_open() && sealed.len() <= self.caps().max_message {
            self.routes.send_to(route, inbox, sealed, out);
        }
    }

    fn socket(&mut self) -> Socket {
        if self.claim == Claim::Any
            && let Some((room, _)) = self.routes.topics.iter().find(|(_, is_room)| **is_room)
        {
            self.claim = Claim::Slot(*room, 0);
        }
        self.own = match self.claim {
            Claim::Slot(room, number) => slot(&room, number),
            Claim::Any | Claim::None => {
                self.count = self.count.saturating_add(1);
                hex(&fresh(&self.seed, self.count))
            }
        };
        let url = [&self.socket, "id=", &self.own, "&token=", &hex(&fresh(&self.seed, 0))].concat();
        Socket { url, protocol: None }
    }

    fn tick(&mut self, now: u64, out: &mut HubOut) {
        if core::mem::take(&mut self.reopen) {
            self.pulse = Pulse::CLOSED;
            self.routes.clear();
            out.events.push(HubEvent::Reopen);
        } else if self.pulse.tick(now, out) {
            self.ask(out);
        }
    }
}

fn slot(room: &Topic, number: u8) -> String {
    hex(&blake2b_128(&[&room.0, b"peerjs", &[number]]))
}

fn wrap(to: &str, payload: &str) -> String {
    object(&[("type", Member::Text("OFFER")), ("dst", Member::Text(to)), ("payload", Member::Json(payload))])
}

/// Of a room.
const SLOTS: u8 = 4;
/// A hub that is full is left alone so long.
const FULL_MS: u64 = 60_000;

#[cfg(test)]
mod tests;
