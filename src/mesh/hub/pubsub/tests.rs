//! Frames of the four dialects.

mod captured;

use super::super::{HubKind, HubUrl};
use super::*;

fn hub(dialect: Dialect) -> PubSub {
    PubSub::new(dialect, "ws://h/x/app?q".into(), &[1; 32], false)
}

fn text(out: &HubOut) -> Vec<&str> {
    out.frames.iter().map(|f| if let HubFrame::Text(t) = f { t.as_str() } else { panic!("{f:?}") }).collect()
}

fn from(hub: &mut PubSub, text: &str) -> Vec<HubEvent> {
    let mut out = HubOut::default();
    hub.frame(&HubFrame::Text(text.into()), 5, &mut out);
    assert!(out.frames.is_empty());
    out.events
}

const DIALECTS: [Dialect; 4] = [Dialect::Hhs, Dialect::SignalHubWs, Dialect::WsRelay, Dialect::YWebrtc];

#[test]
fn subscribes_pings_publishes_and_drops_its_echo() {
    let (mut hub, mut out) = (hub(Dialect::YWebrtc), HubOut::default());
    let topic = Topic([0xab; 32]);
    let name = "ab".repeat(32);
    hub.join(topic, true, 0, &mut out);
    hub.publish(&topic, b"early", 0, &mut out);
    assert!(out.frames.is_empty());
    hub.opened(0, &mut out);
    hub.publish(&topic, &[1, 2, 0xff, 0xff], 0, &mut out);
    let published = format!(r#"{{"type":"publish","topic":"{name}","d":"AQL__w"}}"#);
    assert_eq!(
        text(&out),
        [&format!(r#"{{"type":"subscribe","topics":["{name}"]}}"#), r#"{"type":"ping"}"#, published.as_str()]
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
fn says_the_same_in_other_words() {
    let topic = Topic([0xab; 32]);
    let (name, own) = ("ab".repeat(32), hex(&fresh(&[1; 32], 0)));
    let all = [
        (
            Dialect::WsRelay,
            vec![
                format!(r#"{{"type":"subscribe","topic":"{name}"}}"#),
                format!(r#"{{"type":"subscribe","topic":"{own}"}}"#),
                format!(r#"{{"type":"publish","topic":"{own}","payload":""}}"#),
                format!(r#"{{"type":"publish","topic":"{name}","payload":"AQI"}}"#),
                format!(r#"{{"type":"unsubscribe","topic":"{name}"}}"#),
            ],
            format!(r#"{{"topic":"{own}","payload":""}}"#),
            format!(r#"{{"topic":"{name}","payload":"AQM"}}"#),
        ),
        (
            Dialect::SignalHubWs,
            vec![
                format!(r#"{{"app":"app","channel":"{own}","message":""}}"#),
                format!(r#"{{"app":"app","channel":"{name}","message":"AQI"}}"#),
            ],
            format!(r#"{{"app":"app","channel":"{own}","message":""}}"#),
            format!(r#"{{"app":"app","channel":"{name}","message":"AQM"}}"#),
        ),
        (
            Dialect::Hhs,
            vec![
                format!(r#"{{"action":"listen","linkupId":"{name}"}}"#),
                HHS_QUESTION.to_owned(),
                format!(r#"{{"action":"send","linkupId":"{name}","d":"AQI"}}"#),
            ],
            r#"{"action":"query-reply","queryId":"p","hits":[]}"#.to_owned(),
            format!(r#"{{"action":"send","linkupId":"{name}","d":"AQM"}}"#),
        ),
    ];
    for (dialect, frames, answer, message) in all {
        let (mut hub, mut out) = (hub(dialect), HubOut::default());
        hub.join(topic, true, 0, &mut out);
        hub.opened(0, &mut out);
        hub.publish(&topic, &[1, 2], 0, &mut out);
        // Some send what they relay as binary.
        let mut heard = HubOut::default();
        hub.frame(&HubFrame::Binary(answer.into_bytes()), 5, &mut heard);
        assert_eq!(heard.events, [HubEvent::Ready]);
        let event = HubEvent::Message { topic, route: None, sealed: vec![1, 3] };
        assert_eq!(from(&mut hub, &message), [event], "{dialect:?}");
        assert_eq!(from(&mut hub, &message.replace("AQM", "AQI")), [], "own");
        hub.leave(&topic, &mut out);
        assert_eq!(text(&out), frames);
        assert_eq!(from(&mut hub, &message), [], "left");
    }
}

#[test]
fn what_others_do_with_the_same_hub_is_no_garbage() {
    let mut signalhub = hub(Dialect::SignalHubWs);
    signalhub.opened(0, &mut HubOut::default());
    assert_eq!(from(&mut signalhub, r#"{"app":"app","channel":"chat","message":{"a":1}}"#), []);
    let mut hhs = hub(Dialect::Hhs);
    hhs.opened(0, &mut HubOut::default());
    assert_eq!(from(&mut hhs, r#"{"action":"update-challenge","challenge":"x"}"#), []);
    let mut out = HubOut::default();
    hhs.frame(&HubFrame::Text(r#"{"action":"ping"}"#.into()), 0, &mut out);
    assert_eq!(text(&out), [r#"{"action":"pong"}"#]);
}

#[test]
fn an_app_is_put_behind_a_bare_address() {
    for (address, socket) in [
        ("signalhubws+ws://h:1", "ws://h:1/hypha"),
        ("signalhubws+ws://h:1/", "ws://h:1/hypha"),
        ("signalhubws+ws://h:1/?a", "ws://h:1/hypha?a"),
        ("signalhubws+ws://h:1/mine#x=1", "ws://h:1/mine"),
        ("y-webrtc+ws://h:1", "ws://h:1"),
    ] {
        let url = HubUrl::parse(address).unwrap();
        assert_eq!(url.adapter([0; 32]).socket().url, socket);
    }
    let last = ["ws://h:1", "ws://h:1/", "ws://h/a/b?c/d"].map(super::super::url::last_segment);
    assert_eq!(last, ["", "", "b"]);
    assert_eq!(HubUrl::parse("ws-relay+ws://h").unwrap().kind(), Some(HubKind::WsRelay));
}

#[test]
fn garbage_is_named() {
    for dialect in DIALECTS {
        let mut hub = hub(dialect);
        hub.opened(0, &mut HubOut::default());
        for bad in
            ["", "null", "[]", "okay", "{}", r#"{"type":1}"#, r#"{"type":"hello"}"#, &"[".repeat(10_000)]
        {
            let events = from(&mut hub, bad);
            assert!(matches!(events.as_slice(), [HubEvent::Garbage { .. }]), "{bad:.60}: {events:?}");
        }
    }
    let mut hub = hub(Dialect::YWebrtc);
    for bad in [
        r#"{"type":"publish"}"#,
        r#"{"type":"publish","topic":"x","d":""}"#,
        &format!(r#"{{"type":"publish","topic":"{}"}}"#, "0".repeat(64)),
        &format!(r#"{{"type":"publish","topic":"{}","d":"*"}}"#, "0".repeat(64)),
    ] {
        let events = from(&mut hub, bad);
        assert!(matches!(events.as_slice(), [HubEvent::Garbage { .. }]), "{bad:.60}: {events:?}");
    }
}
