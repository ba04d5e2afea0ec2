//! Events as relays check them.

use k256::schnorr::{Signature, VerifyingKey};
use serde_json::{Value, json};

use super::*;

fn frames(out: &HubOut) -> Vec<Value> {
    let text = |frame: &HubFrame| if let HubFrame::Text(text) = frame { text.clone() } else { panic!() };
    out.frames.iter().map(|frame| serde_json::from_str(&text(frame)).unwrap()).collect()
}

fn from(hub: &mut Nostr, frame: &Value) -> Vec<HubEvent> {
    let mut out = HubOut::default();
    hub.frame(&HubFrame::Text(frame.to_string()), NOW, &mut out);
    assert!(out.frames.is_empty());
    out.events
}

const TOPIC: Topic = Topic([0xab; 32]);
const NOW: u64 = 1_800_000_000_999;

fn open() -> Nostr {
    let (mut hub, mut out) = (Nostr::new("ws://h".into(), [2; 32]), HubOut::default());
    hub.join(TOPIC, true, NOW, &mut out);
    hub.opened(NOW, &mut out);
    let filter = json!({ "kinds": [25_117], "#x": ["ab".repeat(32)], "since": 1_799_999_400 });
    assert_eq!(frames(&out), [json!(["REQ", "h0", filter])]);
    assert_eq!(from(&mut hub, &json!(["EOSE", "h0"])), [HubEvent::Ready]);
    hub
}

#[test]
fn events_are_what_nip_01_asks_for() {
    let mut hub = open();
    let mut out = HubOut::default();
    hub.publish(&TOPIC, &[1, 2, 0xff, 0xff], NOW, &mut out);
    let [frame] = frames(&out).try_into().unwrap();
    assert_eq!(frame[0], "EVENT");
    let event = &frame[1];
    let tags = json!([["x", "ab".repeat(32)]]);
    assert_eq!(
        (&event["created_at"], &event["kind"], &event["tags"], &event["content"]),
        (&json!(1_800_000_000), &json!(25_117), &tags, &json!("AQL__w"))
    );
    // Written by another hand: serde's compact form is the one that the standard describes.
    let signed =
        json!([0, event["pubkey"], event["created_at"], event["kind"], event["tags"], event["content"]]);
    let id = Sha256::digest(signed.to_string().as_bytes());
    assert_eq!(event["id"], hex(&id));
    let bytes =
        |name: &str| data_encoding::HEXLOWER.decode(event[name].as_str().unwrap().as_bytes()).unwrap();
    let key = VerifyingKey::from_bytes(&bytes("pubkey")).unwrap();
    key.verify_raw(&id, &Signature::try_from(bytes("sig").as_slice()).unwrap()).unwrap();

    assert_eq!(from(&mut hub, &json!(["EVENT", "h0", event])), [], "own");
    let message = HubEvent::Message { topic: TOPIC, route: None, sealed: vec![1, 2, 0xff, 0xff] };
    assert_eq!(from(&mut hub, &json!(["EVENT", "h0", event])), [message]);
}

#[test]
fn topics_make_as_few_subscriptions_as_they_can() {
    let mut hub = open();
    let mut out = HubOut::default();
    for n in 0..150_u8 {
        hub.join(Topic([n; 32]), false, NOW, &mut out);
    }
    assert_eq!((out.frames.len(), hub.deadline()), (0, Some(0)));
    hub.tick(NOW, &mut out);
    let both = frames(&out);
    let count = |at: usize| both[at][2]["#x"].as_array().unwrap().len();
    assert_eq!((both.len(), count(0), count(1)), (2, 100, 51));
    for n in 0..150_u8 {
        hub.leave(&Topic([n; 32]), &mut out);
    }
    let mut out = HubOut::default();
    hub.tick(NOW, &mut out);
    assert_eq!((frames(&out).len(), &frames(&out)[1]), (2, &json!(["CLOSE", "h1"])));
    hub.leave(&TOPIC, &mut out);
    let mut out = HubOut::default();
    hub.tick(NOW, &mut out);
    assert_eq!(frames(&out)[1], json!(["REQ", "h0", { "kinds": [25_117], "limit": 0 }]));
}

#[test]
fn a_relay_that_asks_for_patience_gets_it() {
    let mut hub = open();
    let publish = |hub: &mut Nostr, at: u64| {
        let mut out = HubOut::default();
        hub.publish(&TOPIC, &[1], at, &mut out);
        out.frames.len()
    };
    assert_eq!(from(&mut hub, &json!(["OK", "id", false, "rate-limited: slow down"])), []);
    assert_eq!((publish(&mut hub, NOW + 14_999), publish(&mut hub, NOW + 15_000)), (0, 1));
    let refused = |reason: &str| [HubEvent::Refused { reason: reason.into() }];
    assert_eq!(from(&mut hub, &json!(["OK", "id", false, "pow: 28 bits"])), refused("pow: 28 bits"));
    assert_eq!(
        from(&mut hub, &json!(["CLOSED", "h0", "auth-required: who?"])),
        refused("auth-required: who?")
    );
    for fine in
        [json!(["OK", "id", true, ""]), json!(["OK", "id", false, "error: busy"]), json!(["NOTICE", "x"])]
    {
        assert_eq!(from(&mut hub, &fine), []);
    }
}

#[test]
fn garbage_is_named() {
    let mut hub = open();
    let event = |content: &str, tags: Value| json!(["EVENT", "h0", { "content": content, "tags": tags }]);
    for bad in [
        json!(null),
        json!({}),
        json!([]),
        json!([1]),
        json!(["HELLO"]),
        json!(["EVENT", "h0"]),
        event("*", json!([])),
        event("AQ", json!(1)),
    ] {
        let events = from(&mut hub, &bad);
        assert!(matches!(events.as_slice(), [HubEvent::Garbage { .. }]), "{bad}: {events:?}");
    }
    for other in [json!([]), json!([1, ["x"], ["x", 1], ["x", "z"], ["y", "ab".repeat(32)]])] {
        assert_eq!(from(&mut hub, &event("AQ", other)), []);
    }
}
