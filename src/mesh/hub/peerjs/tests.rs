//! Slots, frames, and hand-ons.

use super::*;

fn text(out: &HubOut) -> Vec<&str> {
    out.frames.iter().map(|f| if let HubFrame::Text(t) = f { t.as_str() } else { panic!("{f:?}") }).collect()
}

fn from(hub: &mut PeerJs, text: &str) -> HubOut {
    let mut out = HubOut::default();
    hub.frame(&HubFrame::Text(text.into()), 5, &mut out);
    out
}

/// The id in the address.
fn id(hub: &mut PeerJs) -> String {
    let url = hub.socket().url;
    url.split_once("&id=").unwrap().1.split('&').next().unwrap().to_owned()
}

const ROOM: Topic = Topic([0xab; 32]);
const OPEN: &str = r#"{"type":"OPEN"}"#;
const TAKEN: &str = r#"{"type":"ID-TAKEN","payload":{"msg":"ID is taken"}}"#;

fn new() -> PeerJs {
    PeerJs::new("ws://h:9000".into(), [5; 32], false)
}

fn open() -> PeerJs {
    let (mut hub, mut out) = (new(), HubOut::default());
    hub.join(ROOM, true, 0, &mut out);
    assert_eq!(id(&mut hub), slot(&ROOM, 0));
    hub.opened(0, &mut out);
    let own = slot(&ROOM, 0);
    assert_eq!(
        text(&out),
        [r#"{"type":"HEARTBEAT"}"#, &format!(r#"{{"type":"OFFER","dst":"{own}","payload":{{}}}}"#)]
    );
    assert_eq!(from(&mut hub, OPEN).events, [HubEvent::Ready]);
    hub
}

#[test]
fn addresses_are_completed() {
    for (given, start) in [
        ("ws://h:9000", "ws://h:9000/peerjs?key=peerjs&id="),
        ("ws://h:9000/", "ws://h:9000/peerjs?key=peerjs&id="),
        ("ws://h/x", "ws://h/x/peerjs?key=peerjs&id="),
        ("ws://h/x/?key=k", "ws://h/x/peerjs?key=k&id="),
        ("ws://h/x/peerjs?a=b", "ws://h/x/peerjs?a=b&key=peerjs&id="),
    ] {
        let url = PeerJs::new(given.into(), [5; 32], false).socket().url;
        assert!(url.starts_with(start) && url.contains("&token="), "{given}: {url}");
    }
}

#[test]
fn takes_the_first_free_slot_or_none() {
    let mut hub = open();
    for number in 1..=4 {
        let mut out = from(&mut hub, TAKEN);
        assert_eq!((out.events.len(), hub.deadline()), (0, Some(0)));
        hub.tick(5, &mut out);
        assert_eq!(out.events, [HubEvent::Reopen]);
        let own = id(&mut hub);
        assert_eq!(own == slot(&ROOM, number), number < SLOTS, "{number}");
        hub.opened(0, &mut out);
    }
    assert_eq!(from(&mut hub, TAKEN).events, [HubEvent::Throttled { wait_ms: 60_000 }]);
    // After the connection is lost, from the first.
    hub.closed();
    assert_eq!(id(&mut hub), slot(&ROOM, 0));

    // A room that is joined late is as good; an inbox is none.
    let (mut hub, mut out) = (new(), HubOut::default());
    hub.join(Topic([1; 32]), false, 0, &mut out);
    let first = id(&mut hub);
    hub.opened(0, &mut out);
    hub.join(ROOM, true, 0, &mut out);
    hub.tick(0, &mut out);
    assert_eq!(out.events, [HubEvent::Reopen]);
    assert_eq!(id(&mut hub), slot(&ROOM, 0));
    assert_ne!(first, slot(&ROOM, 0));
    // And one that is left is left.
    hub.opened(0, &mut out);
    hub.leave(&ROOM, &mut out);
    hub.tick(0, &mut out);
    assert_eq!(out.events, [HubEvent::Reopen, HubEvent::Reopen]);
    assert_ne!(id(&mut hub), slot(&ROOM, 0));
}

#[test]
fn what_is_for_a_room_goes_to_its_slots_and_on() {
    let mut hub = open();
    let mut out = HubOut::default();
    hub.publish(&ROOM, &[1, 2], 0, &mut out);
    let room = "ab".repeat(32);
    let data = format!(r#""t":"{room}","d":"AQI""#);
    let offer = |to: &str, data: &str| format!(r#"{{"type":"OFFER","dst":"{to}","payload":{{{data}}}}}"#);
    let slots: Vec<String> = (1..4).map(|n| offer(&slot(&ROOM, n), &data)).collect();
    assert_eq!(text(&out), slots);

    let say = |from: &str, data: &str| {
        format!(r#"{{"type":"OFFER","src":"{from}","dst":"me","payload":{{{data}}}}}"#)
    };
    assert_eq!(text(&from(&mut hub, &say("a", ""))), [offer("a", &data)], "a newcomer");
    let theirs = data.replace("AQI", "AQM");
    let heard = from(&mut hub, &say("b", &theirs));
    let on = format!(r#"{theirs},"r":"b""#);
    assert_eq!(text(&heard), [offer("b", &data), offer("a", &on)]);
    let message =
        |from: &str| HubEvent::Message { topic: ROOM, route: Some(Route(from.into())), sealed: vec![1, 3] };
    assert_eq!(heard.events, [message("b")]);
    let heard = from(&mut hub, &say("a", &theirs.replace("\"d\"", "\"r\":\"c\",\"d\"")));
    assert_eq!(heard.events, [message("c")], "handed on to us");
    assert_eq!(text(&heard), [offer("c", &data)], "and no further");

    for gone in ["a", "b", "c"] {
        assert!(
            from(&mut hub, &format!(r#"{{"type":"EXPIRE","src":"{gone}","dst":"me"}}"#)).events.is_empty()
        );
    }
    let mut out = HubOut::default();
    hub.publish(&ROOM, &[1, 2], 0, &mut out);
    assert_eq!(text(&out), slots);
}

/// Anybody may write anything to a slot, whose holder would say it to all it knows.
#[test]
fn only_hellos_are_handed_on_and_not_too_many() {
    let mut hub = open();
    let room = "ab".repeat(32);
    let offer = |from: &str, topic: &str, bytes: usize, more: &str| {
        let data = crate::mesh::hub::base64url::encode(&vec![7; bytes]);
        format!(
            r#"{{"type":"OFFER","src":"{from}","dst":"me","payload":{{"t":"{topic}","d":"{data}"{more}}}}}"#
        )
    };
    for id in ["a", "b", "c"] {
        from(&mut hub, &format!(r#"{{"type":"OFFER","src":"{id}","dst":"me","payload":{{}}}}"#));
    }
    let hello = crate::mesh::signal::MAX_HELLO;
    assert_eq!(from(&mut hub, &offer("a", &room, hello, "")).frames.len(), 2);
    let large = from(&mut hub, &offer("a", &room, hello + 1, ""));
    assert_eq!((large.frames.len(), large.events.len()), (0, 1), "it is for us still");
    let frames: usize = (0..1_000).map(|_| from(&mut hub, &offer("a", &room, 9, "")).frames.len()).sum();
    assert_eq!(frames, 2 * 63);
    let mut out = HubOut::default();
    hub.frame(&HubFrame::Text(offer("a", &room, 9, "")), 1_005, &mut out);
    assert_eq!(out.frames.len(), 2, "a while later again");

    // Of what is for an inbox nothing was handed on, whatever it says.
    let inbox = Topic([0xcd; 32]);
    hub.join(inbox, false, 0, &mut out);
    let heard = from(&mut hub, &offer("a", &"cd".repeat(32), 9, r#","r":"victim""#));
    assert_eq!(heard.frames.len(), 0);
    assert!(matches!(&heard.events[..], [HubEvent::Message { route: Some(Route(id)), .. }] if id == "a"));
    // Whom others name takes nobody's place.
    for number in 0..200 {
        from(&mut hub, &offer("a", &room, 9, &format!(r#","r":"far{number}""#)));
    }
    let mut out = HubOut::default();
    hub.publish(&inbox, &[1], 0, &mut out);
    let known = text(&out);
    assert_eq!(known.len(), 64);
    for id in ["a", "b", "c", "far0", "far60"] {
        assert!(known.iter().any(|frame| frame.contains(&format!(r#""dst":"{id}""#))), "{id}");
    }
    // Who speaks does.
    from(&mut hub, r#"{"type":"OFFER","src":"d","dst":"me","payload":{}}"#);
    let mut out = HubOut::default();
    hub.publish(&inbox, &[1], 0, &mut out);
    assert!(text(&out).iter().any(|frame| frame.contains(r#""dst":"d""#)));
}

#[test]
fn errors_and_garbage_are_named() {
    let error = |words: &str| format!(r#"{{"type":"ERROR","payload":{{"msg":"{words}"}}}}"#);
    let mut hub = open();
    let full = "Server has reached its concurrent user limit";
    assert_eq!(from(&mut hub, &error(full)).events, [HubEvent::Throttled { wait_ms: 60_000 }]);
    let refused = HubEvent::Refused { reason: "Invalid key provided".into() };
    assert_eq!(from(&mut hub, &error("Invalid key provided")).events, [refused]);
    for bad in
        ["", "null", "{}", r#"{"type":"OFFER","src":"a"}"#, r#"{"type":"OFFER","src":"a","payload":1}"#]
    {
        let events = from(&mut hub, bad).events;
        assert!(matches!(events.as_slice(), [HubEvent::Garbage { .. }]), "{bad:.60}: {events:?}");
    }
}
