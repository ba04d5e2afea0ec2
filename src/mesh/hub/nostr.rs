//! A Nostr relay (NIP-01): publish and subscribe by tag, in signed events that relays need not keep.
//!
//! ```text
//! to the hub    ["REQ","h0",{"kinds":[25117],"#x":["<hex of a topic>", …],"since":now - 600}]     ["CLOSE","h0"]
//!               ["EVENT",{"id":…,"pubkey":…,"created_at":now,"kind":25117,"tags":[["x","<hex>"]],"content":
//!                "<base64url of the sealed bytes>","sig":…}]
//! from the hub  ["EVENT","h0",event]     ["EOSE","h0"]     ["CLOSED","h0","words"]     ["OK",id,true or false,"words"]
//!               ["NOTICE","words"] and ["AUTH",challenge], ignored
//! id            SHA-256 of [0,pubkey,created_at,kind,tags,content]     sig  BIP-340 over secp256k1     times in s
//! ```
//! The key that signs is drawn for one hub and session and proves nothing: what counts is inside the seal, so events
//! of others are not verified either. To subscribe again with the same name replaces the subscription, and is
//! answered by EOSE: that is the question. Relays are lent by volunteers: one that asks for patience gets it.

use k256::schnorr::SigningKey;
use k256::sha2::{Digest as _, Sha256};

use super::{
    Caps, HubAdapter, HubEvent, HubFrame, HubOut, Route, Socket, Topic, base64url, cut, echo::Echo, name,
    pulse::Pulse, text, word,
};
use crate::collections::Set;
use crate::crypto::{blake2b, hex, parse_hex32};
use crate::mesh::json::{Json, Member, array, object};

/// Speaks Nostr.
pub(super) struct Nostr {
    socket: String,
    topics: Set<Topic>,
    pulse: Pulse,
    echo: Echo,
    seed: [u8; 32],
    /// Made with the first event.
    key: Option<SigningKey>,
    /// Subscriptions that the hub has of us.
    subscribed: usize,
    /// Topics changed and the hub has not heard of it.
    is_stale: bool,
    /// The hub asked for patience.
    quiet_until: u64,
}

impl Nostr {
    pub(super) const fn new(socket: String, seed: [u8; 32]) -> Self {
        Self {
            socket,
            topics: Set::new(),
            pulse: Pulse::CLOSED,
            echo: Echo::new(),
            seed,
            key: None,
            subscribed: 0,
            is_stale: false,
            quiet_until: 0,
        }
    }

    fn subscribe(&mut self, now: u64, out: &mut HubOut) {
        self.is_stale = false;
        let since = (now / 1_000).saturating_sub(LOOK_BACK_S).to_string();
        let names: Vec<String> = self.topics.iter().map(name).collect();
        let before = core::mem::take(&mut self.subscribed);
        for some in names.chunks(TOPICS_PER_REQ) {
            // Hexadecimal needs no escaping.
            let filter = object(&[
                ("kinds", Member::Json(KINDS)),
                ("#x", Member::Json(&array(some, "\""))),
                ("since", Member::Json(&since)),
            ]);
            let id = self.subscribed.to_string();
            out.frames.push(HubFrame::Text(["[\"REQ\",\"h", &id, "\",", &filter, "]"].concat()));
            self.subscribed += 1;
        }
        for gone in self.subscribed..before {
            out.frames.push(HubFrame::Text(["[\"CLOSE\",\"h", &gone.to_string(), "\"]"].concat()));
        }
        if names.is_empty() {
            // So that the hub has something to answer.
            out.frames.push(HubFrame::Text([r#"["REQ","h0",{"kinds":"#, KINDS, r#","limit":0}]"#].concat()));
        }
    }

    /// An event; `None` if the seed is no key, which no draw ever is.
    fn event(&mut self, topic: &Topic, content: &str, now: u64) -> Option<String> {
        if self.key.is_none() {
            // Of a draw, so that the seed's other uses say nothing about it.
            self.key = SigningKey::from_bytes(&blake2b(&[&self.seed, b"nostr"]).0).ok();
        }
        let key = self.key.as_ref()?;
        let public = hex(&key.verifying_key().to_bytes());
        let time = (now / 1_000).to_string();
        let tags = ["[[\"x\",\"", &name(topic), "\"]]"].concat();
        let signed = ["[0,\"", &public, "\",", &time, ",", KIND, ",", &tags, ",\"", content, "\"]"].concat();
        let id: [u8; 32] = Sha256::digest(signed.as_bytes()).into();
        // Without fresh randomness the signature depends on key and id alone, which is sound.
        let signature = key.sign_raw(&id, &[0; 32]).ok()?;
        Some(object(&[
            ("id", Member::Text(&hex(&id))),
            ("pubkey", Member::Text(&public)),
            ("created_at", Member::Json(&time)),
            ("kind", Member::Json(KIND)),
            ("tags", Member::Json(&tags)),
            ("content", Member::Text(content)),
            ("sig", Member::Text(&hex(&signature.to_bytes()))),
        ]))
    }

    fn read(&mut self, frame: &HubFrame, now: u64, out: &mut HubOut) -> Result<(), &'static str> {
        let items = Json::parse(text(frame)?).and_then(Json::into_array).ok_or("a frame that is no list")?;
        let mut items = items.into_iter();
        let mut next = || items.next();
        let verb = next().and_then(Json::into_text).ok_or("a list that no relay sends")?;
        match verb.as_str() {
            "EOSE" => self.pulse.answered(now, out),
            "EVENT" => {
                let (_, event) = (next(), next());
                return self.published(event, out);
            }
            "OK" => {
                let (_, accepted, words) = (next(), next(), next());
                if accepted == Some(Json::Bool(false)) {
                    self.complaint(words, now, out);
                }
            }
            "CLOSED" => {
                let (_, words) = (next(), next());
                self.complaint(words, now, out);
            }
            "AUTH" | "NOTICE" => {}
            _ => return Err("a list that no relay sends"),
        }
        Ok(())
    }

    fn published(&mut self, event: Option<Json<'_>>, out: &mut HubOut) -> Result<(), &'static str> {
        let mut event = event.and_then(Json::into_object).ok_or("an event that is no object")?;
        let sealed = word(&mut event, "content").and_then(|content| base64url::decode(&content));
        let sealed = sealed.ok_or("an event that is no base64url")?;
        if self.echo.takes(&sealed) {
            return Ok(());
        }
        let tags = event.remove("tags").and_then(Json::into_array).ok_or("an event without tags")?;
        for tag in tags {
            let mut tag = tag.into_array().unwrap_or_default().into_iter().map(Json::into_text);
            if let (Some(Some(x)), Some(Some(topic))) = (tag.next(), tag.next())
                && x == "x"
                && let Ok(topic) = parse_hex32(&topic)
                && self.topics.contains(&Topic(topic))
            {
                let topic = Topic(topic);
                out.events.push(HubEvent::Message { topic, route: None, sealed });
                return Ok(());
            }
        }
        // What was on its way while a topic was left is nobody's fault.
        Ok(())
    }

    /// The relay did not do something; the word in front of the colon says why.
    fn complaint(&mut self, words: Option<Json<'_>>, now: u64, out: &mut HubOut) {
        let words = words.and_then(Json::into_text).unwrap_or_default();
        match words.split(':').next().unwrap_or_default() {
            "rate-limited" => self.quiet_until = now.saturating_add(QUIET_MS),
            "auth-required" | "blocked" | "invalid" | "pow" | "restricted" | "unsupported" => {
                out.events.push(HubEvent::Refused { reason: cut(&words) });
            }
            // It had the event already, or failed this once.
            _ => {}
        }
    }
}

impl HubAdapter for Nostr {
    fn caps(&self) -> Caps {
        Caps { addressed: false, broadcast: true, max_message: MAX_MESSAGE, may_relay: false, trickle: false }
    }

    fn closed(&mut self) {
        self.pulse = Pulse::CLOSED;
        self.echo.clear();
        self.subscribed = 0;
    }

    fn deadline(&self) -> Option<u64> {
        if self.is_stale && self.pulse.is_open() { Some(0) } else { self.pulse.deadline() }
    }

    fn frame(&mut self, frame: &HubFrame, now: u64, out: &mut HubOut) {
        if let Err(what) = self.read(frame, now, out) {
            out.events.push(HubEvent::Garbage { what });
        }
    }

    fn join(&mut self, topic: Topic, _is_room: bool, _now: u64, _out: &mut HubOut) {
        // With the next tick, so that topics that come together make one subscription.
        self.is_stale |= self.topics.insert(topic);
    }

    fn leave(&mut self, topic: &Topic, _out: &mut HubOut) {
        self.is_stale |= self.topics.remove(topic);
    }

    fn opened(&mut self, now: u64, out: &mut HubOut) {
        self.pulse.open(now);
        self.subscribe(now, out);
    }

    fn probe(&mut self, now: u64, out: &mut HubOut) {
        if self.pulse.probe(now) {
            self.subscribe(now, out);
        }
    }

    fn publish(&mut self, topic: &Topic, sealed: &[u8], now: u64, out: &mut HubOut) {
        if !self.pulse.is_open() || sealed.len() > MAX_MESSAGE || now < self.quiet_until {
            return;
        }
        if let Some(event) = self.event(topic, &base64url::encode(sealed), now) {
            self.echo.sent(sealed);
            out.frames.push(HubFrame::Text(["[\"EVENT\",", &event, "]"].concat()));
        }
    }

    fn send_to(&mut self, _route: Option<&Route>, inbox: &Topic, sealed: &[u8], now: u64, out: &mut HubOut) {
        self.publish(inbox, sealed, now, out);
    }

    fn socket(&mut self) -> Socket {
        Socket { url: self.socket.clone(), protocol: None }
    }

    fn tick(&mut self, now: u64, out: &mut HubOut) {
        if self.pulse.tick(now, out) || (self.is_stale && self.pulse.is_open()) {
            self.subscribe(now, out);
        }
    }
}

/// Of those that relays pass on and need not keep.
const KIND: &str = "25117";
const KINDS: &str = "[25117]";
/// A newcomer hears what was said so long ago, where a relay has kept it; and clocks may differ by it.
const LOOK_BACK_S: u64 = 600;
/// Sealed bytes; many relays take events of 64 KiB, and 48 KiB is polite.
const MAX_MESSAGE: usize = 24 * 1024;
const TOPICS_PER_REQ: usize = 100;
/// After "rate-limited".
const QUIET_MS: u64 = 15_000;

#[cfg(test)]
mod tests;
