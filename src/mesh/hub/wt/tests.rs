//! Frames as a tracker sends them.

use serde_json::{Value, json};

use super::*;

fn frames(out: &HubOut) -> Vec<Value> {
    let text = |frame: &HubFrame| if let HubFrame::Text(text) = frame { text.clone() } else { panic!() };
    out.frames.iter().map(|frame| serde_json::from_str(&text(frame)).unwrap()).collect()
}

fn from(hub: &mut WebTorrent, frame: &Value) -> Vec<HubEvent> {
    let mut out = HubOut::default();
    hub.frame(&HubFrame::Text(frame.to_string()), 5, &mut out);
    assert!(out.frames.is_empty());
    out.events
}

const TOPIC: Topic = Topic([0xab; 32]);
const HASH: &str = "q6urq6urq6urq6urq6ur";

fn open() -> (WebTorrent, Vec<Value>) {
    let (mut hub, mut out) = (WebTorrent::new("ws://h".into(), [2; 32]), HubOut::default());
    hub.join(TOPIC, true, 0, &mut out);
    hub.opened(0, &mut out);
    let answer = json!({ "action": "announce", "interval": 120, "info_hash": HASH, "complete": 0 });
    assert_eq!(from(&mut hub, &answer), [HubEvent::Ready]);
    (hub, frames(&out))
}

#[test]
fn announces_and_goes_on_announcing() {
    let (mut hub, sent) = open();
    let [announce] = sent.as_slice() else { panic!("{sent:?}") };
    let peer = announce["peer_id"].as_str().unwrap();
    assert_eq!(peer.len(), 20);
    let expected = json!({
        "action": "announce", "info_hash": HASH, "peer_id": peer, "numwant": 0, "uploaded": 0, "downloaded": 0,
        "left": 1, "offers": [],
    });
    assert_eq!(*announce, expected);
    let mut out = HubOut::default();
    assert_eq!(hub.deadline(), Some(25_005));
    hub.tick(25_005, &mut out);
    assert_eq!(frames(&out), [expected], "keeps the socket");
    hub.leave(&TOPIC, &mut out);
    assert_eq!(frames(&out)[1]["event"], "stopped");
    // Another connection, another name.
    hub.closed();
    let mut out = HubOut::default();
    hub.opened(0, &mut out);
    assert_ne!(frames(&out)[0]["peer_id"], peer);
}

#[test]
fn every_topic_is_announced_again_in_time() {
    let (mut hub, _) = open();
    let mut out = HubOut::default();
    hub.join(Topic([1; 32]), false, 0, &mut out);
    let mut now = 5;
    for _ in 0..20 {
        let mut out = HubOut::default();
        now = hub.deadline().unwrap();
        hub.tick(now, &mut out);
        assert!(!out.frames.is_empty() && out.events.is_empty());
        if frames(&out).len() == 2 {
            break;
        }
        hub.frame(
            &HubFrame::Text(r#"{"action":"announce","interval":9}"#.into()),
            now,
            &mut HubOut::default(),
        );
    }
    assert_eq!(now, 50_000);
}

#[test]
fn a_room_is_offered_to_five_and_an_inbox_left_at_once() {
    let (mut hub, _) = open();
    let mut out = HubOut::default();
    hub.publish(&TOPIC, &[7; 296], 0, &mut out);
    let [announce] = frames(&out).try_into().unwrap();
    let offers = announce["offers"].as_array().unwrap();
    assert_eq!((offers.len(), announce["numwant"].as_u64()), (5, Some(5)));
    let offer = json!({ "type": "offer", "sdp": base64url::encode(&[7; 296]) });
    assert!(offers.iter().all(|one| one["offer"] == offer && one["offer_id"].as_str().unwrap().len() == 20));
    assert_ne!(offers[0]["offer_id"], offers[1]["offer_id"]);

    for (size, count) in [(1_064, 5), (4_136, 2), (11_000, 1)] {
        let mut out = HubOut::default();
        hub.send_to(None, &Topic([1; 32]), &vec![7; size], 0, &mut out);
        assert!(out.frames.iter().all(|f| if let HubFrame::Text(t) = f { t.len() < 16_384 } else { false }));
        let [announce, stop] = frames(&out).try_into().unwrap();
        assert_eq!(announce["offers"].as_array().unwrap().len(), count, "{size}");
        assert_eq!((stop["event"].as_str(), &stop["info_hash"]), (Some("stopped"), &announce["info_hash"]));
    }
    let mut out = HubOut::default();
    hub.publish(&TOPIC, &[7; 11_001], 0, &mut out);
    assert!(out.frames.is_empty());
}

#[test]
fn offers_are_messages_and_failures_refusals() {
    let (mut hub, _) = open();
    let offer = |hash: &str, sdp: &str| {
        json!({
            "action": "announce", "info_hash": hash, "peer_id": "a", "offer_id": "b",
            "offer": { "type": "offer", "sdp": sdp },
        })
    };
    let event = HubEvent::Message { topic: TOPIC, route: None, sealed: vec![1, 3] };
    assert_eq!(from(&mut hub, &offer(HASH, "AQM")), [event]);
    assert_eq!(from(&mut hub, &offer("q6urq6urq6urq6urq6uA", "AQM")), [], "left");
    for bad in [offer(HASH, "v=0"), json!({}), json!([]), json!(null), json!({ "offer": {} })] {
        let events = from(&mut hub, &bad);
        assert!(matches!(events.as_slice(), [HubEvent::Garbage { .. }]), "{bad}: {events:?}");
    }
    let failure = json!({ "failure reason": "not allowed" });
    assert!(matches!(from(&mut hub, &failure).as_slice(), [HubEvent::Garbage { .. }]));
    hub.closed();
    hub.opened(0, &mut HubOut::default());
    assert_eq!(from(&mut hub, &failure), [HubEvent::Refused { reason: "not allowed".into() }]);
}
