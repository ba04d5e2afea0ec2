//! matchbox_server: a room by the address' path, delivery to one by id.
//!
//! ```text
//! to the hub    {"Signal":{"receiver":"<uuid>","data":…}}     "KeepAlive"
//! from the hub  {"IdAssigned":"<uuid>"} at first     {"NewPeer":"<uuid>"} to those who were there before
//!               {"PeerLeft":"<uuid>"}     {"Signal":{"sender":"<uuid>","data":…}}
//! ```
//! `data` is what [`Routes`] says. All who use one address are in one room, whatever their spaces. The hub answers
//! nothing, but delivers to ourselves: that is the question. Ids are the hub's, and new with each connection.

use super::{
    Caps, HubAdapter, HubEvent, HubFrame, HubOut, MAX_HUB_FRAME, Route, Socket, Topic, members, pulse::Pulse,
    routes::Routes, word,
};
use crate::mesh::json::{Json, Member, object};

/// Speaks matchbox.
pub(super) struct Matchbox {
    socket: String,
    routes: Routes,
    pulse: Pulse,
    own: String,
    may_relay: bool,
}

impl Matchbox {
    pub(super) fn new(mut socket: String, may_relay: bool) -> Self {
        super::url::default_path(&mut socket, ROOM);
        Self { socket, routes: Routes::new(wrap, false), pulse: Pulse::CLOSED, own: String::new(), may_relay }
    }

    fn ask(&self, out: &mut HubOut) {
        out.frames.push(HubFrame::Text(r#""KeepAlive""#.to_owned()));
        self.routes.put(&self.own, "{}", out);
    }

    fn read(&mut self, frame: &HubFrame, now: u64, out: &mut HubOut) -> Result<(), &'static str> {
        let mut message = members(frame)?;
        if let Some(own) = word(&mut message, "IdAssigned") {
            self.own = own;
            self.pulse.answered(now, out);
        } else if let Some(id) = word(&mut message, "NewPeer") {
            self.routes.learn(&id, out);
        } else if let Some(id) = word(&mut message, "PeerLeft") {
            self.routes.forget(&id);
        } else {
            let signal = message.remove("Signal").and_then(Json::into_object);
            let mut signal = signal.ok_or("a frame that is no matchbox message")?;
            let sender = word(&mut signal, "sender").ok_or("a signal without a sender")?;
            if sender == self.own {
                self.pulse.answered(now, out);
            } else {
                let data = signal.remove("data").ok_or("a signal without data")?;
                self.routes.heard(&sender, data, now, out)?;
            }
        }
        Ok(())
    }
}

impl HubAdapter for Matchbox {
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
    }

    fn deadline(&self) -> Option<u64> {
        self.pulse.deadline()
    }

    fn frame(&mut self, frame: &HubFrame, now: u64, out: &mut HubOut) {
        if let Err(what) = self.read(frame, now, out) {
            out.events.push(HubEvent::Garbage { what });
        }
    }

    fn join(&mut self, topic: Topic, is_room: bool, _now: u64, _out: &mut HubOut) {
        self.routes.topics.insert(topic, is_room);
    }

    fn leave(&mut self, topic: &Topic, _out: &mut HubOut) {
        self.routes.leave(topic);
    }

    fn opened(&mut self, now: u64, _out: &mut HubOut) {
        // The hub speaks first.
        self.pulse.open(now);
    }

    fn probe(&mut self, now: u64, out: &mut HubOut) {
        if self.pulse.probe(now) {
            self.ask(out);
        }
    }

    fn publish(&mut self, topic: &Topic, sealed: &[u8], _now: u64, out: &mut HubOut) {
        if self.pulse.is_open() && sealed.len() <= self.caps().max_message {
            self.routes.publish(topic, sealed, &[], out);
        }
    }

    fn send_to(&mut self, route: Option<&Route>, inbox: &Topic, sealed: &[u8], _now: u64, out: &mut HubOut) {
        if self.pulse.is_open() && sealed.len() <= self.caps().max_message {
            self.routes.send_to(route, inbox, sealed, out);
        }
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

fn wrap(to: &str, payload: &str) -> String {
    let signal = object(&[("receiver", Member::Text(to)), ("data", Member::Json(payload))]);
    object(&[("Signal", Member::Json(&signal))])
}

/// The room, unless the address has a path.
const ROOM: &str = "/hypha";

#[cfg(test)]
mod tests;
