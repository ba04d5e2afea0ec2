//! Frames as the server sends them.

use super::*;

fn text(out: &HubOut) -> Vec<&str> {
    out.frames.iter().map(|f| if let HubFrame::Text(t) = f { t.as_str() } else { panic!("{f:?}") }).collect()
}

fn from(hub: &mut Matchbox, text: &str) -> HubOut {
    let mut out = HubOut::default();
    hub.frame(&HubFrame::Text(text.into()), 5, &mut out);
    out
}

const TOPIC: Topic = Topic([0xab; 32]);

fn open() -> Matchbox {
    let mut hub = Matchbox::new("ws://h:3536".into(), true);
    let mut out = HubOut::default();
    hub.join(TOPIC, true, 0, &mut out);
    hub.opened(0, &mut out);
    assert!(out.frames.is_empty(), "the hub speaks first");
    assert_eq!(from(&mut hub, r#"{"IdAssigned":"me"}"#).events, [HubEvent::Ready]);
    hub
}

#[test]
fn who_comes_is_told_what_was_said_last() {
    let mut hub = open();
    assert_eq!(hub.socket().url, "ws://h:3536/hypha");
    assert_eq!(text(&from(&mut hub, r#"{"NewPeer":"a"}"#)), [r#"{"Signal":{"receiver":"a","data":{}}}"#]);
    let mut out = HubOut::default();
    hub.publish(&TOPIC, &[1, 2], 0, &mut out);
    let topic = "ab".repeat(32);
    let signal = |to: &str, data: &str| {
        format!(r#"{{"Signal":{{"receiver":"{to}","data":{{"t":"{topic}","d":"{data}"}}}}}}"#)
    };
    assert_eq!(text(&out), [signal("a", "AQI")]);
    assert_eq!(text(&from(&mut hub, r#"{"NewPeer":"b"}"#)), [signal("b", "AQI")]);
    assert!(text(&from(&mut hub, r#"{"PeerLeft":"a"}"#)).is_empty());

    // Whom the server did not announce is learnt from what it says.
    let heard = from(&mut hub, &signal("x", "AQM").replace("receiver", "sender"));
    assert_eq!(text(&heard), [signal("x", "AQI")]);
    let route = Route("x".into());
    let event = HubEvent::Message { topic: TOPIC, route: Some(route.clone()), sealed: vec![1, 3] };
    assert_eq!(heard.events, [event]);
    // On this hub nobody hands on, so nobody speaks for another.
    let heard = from(
        &mut hub,
        &signal("x", "AQM").replace("receiver", "sender").replace("\"d\"", "\"r\":\"y\",\"d\""),
    );
    assert!(heard.frames.is_empty());
    let event = HubEvent::Message { topic: TOPIC, route: Some(route.clone()), sealed: vec![1, 3] };
    assert_eq!(heard.events, [event]);
    let mut out = HubOut::default();
    hub.send_to(Some(&route), &Topic([0xab; 32]), &[9], 0, &mut out);
    assert_eq!(text(&out), [signal("x", "CQ")]);
    let mut out = HubOut::default();
    hub.publish(&TOPIC, &[9], 0, &mut out);
    assert_eq!(text(&out), [signal("b", "CQ"), signal("x", "CQ")]);
    assert!(
        from(&mut hub, &signal("x", "AQM").replace("receiver", "sender").replace("ab", "cd"))
            .events
            .is_empty()
    );
}

#[test]
fn a_message_to_oneself_is_the_question() {
    let mut hub = open();
    let mut out = HubOut::default();
    hub.tick(25_005, &mut out);
    assert_eq!(text(&out), [r#""KeepAlive""#, r#"{"Signal":{"receiver":"me","data":{}}}"#]);
    from(&mut hub, r#"{"Signal":{"sender":"me","data":{}}}"#);
    assert_eq!(hub.deadline(), Some(25_005));
    hub.tick(26_000, &mut out);
    hub.tick(40_000, &mut out);
    assert_eq!(out.events, [HubEvent::Silent]);
}

#[test]
fn garbage_is_named() {
    let mut hub = open();
    let topic = "ab".repeat(32);
    for bad in [
        "",
        "null",
        r#""KeepAlive""#,
        "{}",
        r#"{"Signal":1}"#,
        r#"{"Signal":{"data":{}}}"#,
        r#"{"Signal":{"sender":"a"}}"#,
        r#"{"Signal":{"sender":"a","data":3}}"#,
        r#"{"Signal":{"sender":"a","data":{"t":"x","d":""}}}"#,
        &format!(r#"{{"Signal":{{"sender":"a","data":{{"t":"{topic}","d":"*"}}}}}}"#),
        &format!(r#"{{"Signal":{{"sender":"{}","data":{{}}}}}}"#, "a".repeat(129)),
    ] {
        let events = from(&mut hub, bad).events;
        assert!(matches!(events.as_slice(), [HubEvent::Garbage { .. }]), "{bad:.60}: {events:?}");
    }
}
