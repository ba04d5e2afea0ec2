//! The embedded signalling hub. It speaks the y-webrtc protocol, one JSON object per WebSocket message:
//!
//! ```text
//! → {"type":"subscribe","topics":["t", …]}       no answer
//! → {"type":"unsubscribe","topics":["t", …]}     no answer
//! → {"type":"publish","topic":"t", …}            ← the same object with "clients": how many subscribe to t,
//!                                                  to each of them, the sender too if it is one
//! → {"type":"ping"}                              ← {"type":"pong"}
//! ```
//! It keeps nothing and knows nobody. Anything else is ignored: no message can stop it. Every subscriber of a topic
//! sees one order. A client may hold 1,000 topics; one that does not read is cut off (see [`Outbox`]).

use crate::outbox::Outbox;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{Data, OpCode};

/// Bytes of one message.
pub const MAX_MESSAGE: usize = 1 << 20;
/// Topics of one client.
const MAX_TOPICS: usize = 1_000;
/// Bytes of a topic's name.
const MAX_TOPIC: usize = 1_024;

/// Topics and who listens to them.
#[derive(Default)]
pub struct Hub {
    topics: Mutex<HashMap<String, HashMap<u64, Arc<Outbox>>>>,
    next_id: AtomicU64,
}

/// One connected client; it leaves all topics when dropped.
pub struct Client {
    hub: Arc<Hub>,
    id: u64,
    outbox: Arc<Outbox>,
    topics: HashSet<String>,
}

impl Hub {
    /// Lets a client in; what it is to receive is put into `outbox` as encoded frames.
    pub fn join(self: &Arc<Self>, outbox: Arc<Outbox>) -> Client {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        Client { hub: Arc::clone(self), id, outbox, topics: HashSet::new() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, HashMap<u64, Arc<Outbox>>>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Client {
    /// Takes one message.
    pub fn receive(&mut self, text: &str) {
        let Ok(mut message) = serde_json::from_str::<Value>(text) else { return };
        match message.get("type").and_then(Value::as_str) {
            Some("subscribe") => topics(&message).for_each(|topic| self.subscribe(topic)),
            Some("unsubscribe") => topics(&message).for_each(|topic| self.unsubscribe(topic)),
            Some("publish") => self.publish(&mut message),
            Some("ping") => drop(self.outbox.push(text_frame(&json!({ "type": "pong" })))),
            _ => {}
        }
    }

    fn subscribe(&mut self, topic: &str) {
        if topic.len() > MAX_TOPIC || self.topics.len() >= MAX_TOPICS {
            return;
        }
        if self.topics.insert(topic.to_owned()) {
            self.hub.lock().entry(topic.to_owned()).or_default().insert(self.id, Arc::clone(&self.outbox));
        }
    }

    fn unsubscribe(&mut self, topic: &str) {
        if self.topics.remove(topic) {
            remove(&mut self.hub.lock(), topic, self.id);
        }
    }

    fn publish(&self, message: &mut Value) {
        let Some(topic) = message.get("topic").and_then(Value::as_str).map(str::to_owned) else { return };
        let topics = self.hub.lock();
        let Some(subscribers) = topics.get(&topic) else { return };
        message["clients"] = json!(subscribers.len());
        let frame = text_frame(message);
        // all under one lock, so that every subscriber sees one order
        for outbox in subscribers.values() {
            outbox.push(Arc::clone(&frame));
        }
        let boxes: Vec<_> = subscribers.values().map(Arc::clone).collect();
        drop(topics);
        // only this sender is held back, nobody else waits
        for outbox in boxes {
            outbox.wait_for_room();
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let mut topics = self.hub.lock();
        for topic in &self.topics {
            remove(&mut topics, topic, self.id);
        }
    }
}

fn remove(topics: &mut HashMap<String, HashMap<u64, Arc<Outbox>>>, topic: &str, id: u64) {
    if let Some(subscribers) = topics.get_mut(topic) {
        subscribers.remove(&id);
        if subscribers.is_empty() {
            topics.remove(topic);
        }
    }
}

fn topics(message: &Value) -> impl Iterator<Item = &str> {
    message.get("topics").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// A whole WebSocket text message, ready to be written: encoded once, however many get it.
fn text_frame(message: &Value) -> Arc<[u8]> {
    let mut bytes = Vec::new();
    let frame = Frame::message(message.to_string(), OpCode::Data(Data::Text), true);
    // writing to memory cannot fail
    let _ = frame.format(&mut bytes);
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::Next;
    use std::time::Instant;

    fn client(hub: &Arc<Hub>) -> Client {
        hub.join(Arc::default())
    }

    /// All messages that wait for `client`.
    fn drain(client: &Client) -> Vec<Value> {
        let mut all = Vec::new();
        while let Next::Write(bytes) = client.outbox.next(Instant::now()) {
            let start = bytes.iter().position(|byte| *byte == b'{').unwrap();
            all.push(serde_json::from_slice(&bytes[start..]).unwrap());
        }
        all
    }

    #[test]
    fn a_publication_reaches_all_subscribers_and_the_sender_if_it_is_one() {
        let hub = Arc::<Hub>::default();
        let (mut a, mut b, mut c) = (client(&hub), client(&hub), client(&hub));
        a.receive(r#"{"type":"subscribe","topics":["t",7,"u"]}"#);
        b.receive(r#"{"type":"subscribe","topics":["t"]}"#);
        a.receive(r#"{"type":"publish","topic":"t","data":{"x":[1]},"clients":99}"#);
        let expected = json!({ "type": "publish", "topic": "t", "data": { "x": [1] }, "clients": 2 });
        for subscriber in [&a, &b] {
            assert_eq!(drain(subscriber).as_slice(), std::slice::from_ref(&expected));
        }
        c.receive(r#"{"type":"publish","topic":"t"}"#);
        assert_eq!(drain(&a).len(), 1);
        assert!(drain(&c).is_empty());
    }

    #[test]
    fn who_left_gets_nothing_and_leaves_nothing_behind() {
        let hub = Arc::<Hub>::default();
        let (mut a, mut b) = (client(&hub), client(&hub));
        a.receive(r#"{"type":"subscribe","topics":["t","u"]}"#);
        b.receive(r#"{"type":"subscribe","topics":["t"]}"#);
        a.receive(r#"{"type":"unsubscribe","topics":["t"]}"#);
        b.receive(r#"{"type":"publish","topic":"t"}"#);
        assert!(drain(&a).is_empty());
        assert_eq!(drain(&b)[0]["clients"], 1);
        drop((a, b));
        assert!(hub.lock().is_empty());
    }

    #[test]
    fn ping_is_answered() {
        let mut a = client(&Arc::default());
        a.receive(r#"{"type":"ping"}"#);
        assert_eq!(drain(&a), [json!({ "type": "pong" })]);
    }

    #[test]
    fn nonsense_is_ignored() {
        let mut a = client(&Arc::default());
        let deep = "[".repeat(100_000);
        for text in [
            "",
            "null",
            "7",
            "[]",
            "{",
            "\"ping\"",
            r#"{"type":7}"#,
            r#"{"type":"publish"}"#,
            &deep,
            r#"{"type":"publish","topic":7}"#,
            r#"{"type":"subscribe"}"#,
            r#"{"type":"subscribe","topics":"t"}"#,
        ] {
            a.receive(text);
        }
        assert!(drain(&a).is_empty() && a.topics.is_empty());
    }

    #[test]
    fn a_client_holds_no_more_topics_than_allowed() {
        let hub = Arc::<Hub>::default();
        let mut a = client(&hub);
        let many: Vec<String> = (0..=MAX_TOPICS).map(|n| n.to_string()).collect();
        a.receive(&json!({ "type": "subscribe", "topics": many }).to_string());
        assert_eq!(a.topics.len(), MAX_TOPICS);
        assert_eq!(hub.lock().len(), MAX_TOPICS);
        let mut b = client(&hub);
        let (longest, longer) = ("x".repeat(MAX_TOPIC), "x".repeat(MAX_TOPIC + 1));
        b.receive(&json!({ "type": "subscribe", "topics": [longest, longer] }).to_string());
        assert_eq!(b.topics.len(), 1);
    }

    #[test]
    fn one_slow_client_is_cut_off_and_the_others_get_all() {
        let hub = Arc::<Hub>::default();
        let (mut slow, mut quick) = (client(&hub), client(&hub));
        slow.receive(r#"{"type":"subscribe","topics":["t"]}"#);
        quick.receive(r#"{"type":"subscribe","topics":["t"]}"#);
        let message = json!({ "type": "publish", "topic": "t", "data": "x".repeat(10_000) }).to_string();
        for _ in 0..2_000 {
            quick.receive(&message);
            assert_eq!(drain(&quick).len(), 1);
        }
        assert_eq!(slow.outbox.next(Instant::now()), Next::Closed);
    }
}
