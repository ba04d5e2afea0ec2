//! What each kind of hub answers, and what anything answers.

use proptest::prelude::*;

use super::*;

fn hub(address: &str) -> Detect {
    Detect::new(&HubUrl::parse(address).unwrap(), [4; 32])
}

fn text(out: &HubOut) -> Vec<&str> {
    out.frames.iter().map(|f| if let HubFrame::Text(t) = f { t.as_str() } else { panic!("{f:?}") }).collect()
}

fn from(hub: &mut dyn HubAdapter, text: &str) -> HubOut {
    let mut out = HubOut::default();
    hub.frame(&HubFrame::Text(text.into()), 5, &mut out);
    out
}

#[test]
fn an_answer_or_greeting_tells_the_kind() {
    for (says, asks) in [
        (r#"{"type":"pong"}"#, r#"{"type":"ping"}"#),
        (r#"["NOTICE","invalid"]"#, r#"["REQ","h0",{"kinds":[25117],"limit":0}]"#),
        (r#"["AUTH","x"]"#, r#"["REQ","h0",{"kinds":[25117],"limit":0}]"#),
        (r#"{"failure reason":"invalid action"}"#, r#"{"action":"announce""#),
        (r#"{"action":"update-challenge","challenge":"x"}"#, HHS_QUESTION),
        (r#"{"topic":"x","payload":""}"#, r#"{"type":"subscribe""#),
    ] {
        let (mut hub, mut out) = (hub("ws://h/x"), HubOut::default());
        hub.opened(0, &mut out);
        assert_eq!(text(&out), [r#"{"type":"ping"}"#]);
        let out = from(&mut hub, says);
        assert!(text(&out)[0].starts_with(asks), "{says}: {:?}", out.frames);
        assert!(out.events.is_empty());
        assert_eq!(hub.deadline(), Some(10_005));
    }
    // A greeting comes once, and an address that has to change needs another socket.
    for (says, event, socket) in [
        (r#"{"IdAssigned":"a"}"#, HubEvent::Ready, "ws://h/x"),
        (r#"{"type":"ERROR","payload":{"msg":"No id"}}"#, HubEvent::Reopen, "ws://h/x/peerjs?key=peerjs&id="),
    ] {
        let mut hub = hub("ws://h/x");
        hub.opened(0, &mut HubOut::default());
        assert_eq!(from(&mut hub, says).events, [event]);
        assert!(hub.socket().url.starts_with(socket));
    }
}

#[test]
fn silence_leads_to_further_questions_and_to_mqtt_in_the_end() {
    let (mut hub, mut out) = (hub("ws://h/x"), HubOut::default());
    hub.opened(0, &mut out);
    for (at, frames) in [(1_000, 2), (2_000, 6)] {
        assert_eq!(hub.deadline(), Some(at));
        hub.tick(at, &mut out);
        assert_eq!(out.frames.len(), frames);
    }
    assert!(
        text(&out)
            .iter()
            .all(|text| serde_json::from_str::<serde_json::Value>(text).is_ok_and(|v| !v.is_null()))
    );
    assert_eq!(hub.deadline(), Some(10_000));
    hub.tick(10_000, &mut out);
    assert_eq!(core::mem::take(&mut out.events), [HubEvent::Reopen]);
    assert_eq!(hub.socket(), Socket { url: "ws://h/x".into(), protocol: Some("mqtt") });
    hub.opened(10_000, &mut out);
    assert!(matches!(out.frames.last(), Some(HubFrame::Binary(_))));
    hub.tick(20_000, &mut out);
    assert_eq!(out.events, [HubEvent::WrongKind]);
    hub.closed();
    assert_eq!(hub.socket().protocol, None, "from the start");
}

#[test]
fn who_hangs_up_twice_may_be_a_broker_and_who_is_away_is_not() {
    let mut hub = hub("ws://h/x");
    for _ in 0..5 {
        assert_eq!(hub.socket().protocol, None);
        hub.closed();
    }
    for protocol in [None, None, Some("mqtt"), None] {
        assert_eq!(hub.socket().protocol, protocol);
        hub.opened(0, &mut HubOut::default());
        hub.closed();
    }
    let mut hub = self::hub("ws://h/x");
    for _ in 0..2 {
        hub.opened(0, &mut HubOut::default());
        hub.closed();
    }
    assert_eq!(hub.socket().protocol, Some("mqtt"));
    hub.opened(0, &mut HubOut::default());
    let mut out = HubOut::default();
    for packet in [&[0x20, 2, 0, 0][..], &[0xd0, 0]] {
        hub.frame(&HubFrame::Binary(packet.to_vec()), 0, &mut out);
    }
    assert_eq!(out.events, [HubEvent::Ready]);
    for _ in 0..5 {
        hub.closed();
        assert_eq!(hub.socket().protocol, Some("mqtt"), "known by now");
    }
}

#[test]
fn an_address_may_tell_the_kind_and_may_deceive() {
    for (address, kind) in [
        ("wss://h/mqtt", Some(HubKind::Mqtt)),
        ("wss://h:8084/x?y", Some(HubKind::Mqtt)),
        ("wss://h/announce", Some(HubKind::WebTorrent)),
        ("wss://tracker.example", Some(HubKind::WebTorrent)),
        ("wss://h/app/peerjs?key=x", Some(HubKind::PeerJs)),
        ("wss://relay.example", Some(HubKind::Nostr)),
        ("wss://nostr.example", Some(HubKind::Nostr)),
        ("wss://h:4444/hub", None),
    ] {
        assert_eq!(HubUrl::parse(address).unwrap().kind_by_shape(), kind, "{address}");
    }
    let (mut hub, mut out) = (hub("wss://relay.example"), HubOut::default());
    hub.opened(0, &mut out);
    assert!(text(&out)[0].starts_with(r#"["REQ""#));
    hub.tick(10_000, &mut out);
    assert_eq!(out.events, [HubEvent::Reopen]);
    let mut out = HubOut::default();
    hub.opened(10_000, &mut out);
    assert_eq!(text(&out), [r#"{"type":"ping"}"#]);
    from(&mut hub, r#"{"type":"pong"}"#);
    assert_eq!(from(&mut hub, r#"{"type":"pong"}"#).events, [HubEvent::Ready]);
}

#[test]
fn every_kind_keeps_to_its_capabilities() {
    for kind in HubKind::ALL {
        for (options, may_relay) in [("", false), ("#relay=1", true)] {
            let url = HubUrl::parse(&format!("{}+wss://h/{options}", kind.name())).unwrap();
            assert_eq!(url.kind(), Some(kind));
            let caps = url.adapter([9; 32]).caps();
            // Volunteers' relays and trackers carry no data, whoever asks.
            let shared = matches!(kind, HubKind::Nostr | HubKind::WebTorrent);
            assert_eq!(caps.may_relay, may_relay && !shared, "{kind:?}");
            // They count messages, too.
            assert_eq!(caps.trickle, !shared, "{kind:?}");
            assert_ne!(caps.addressed, caps.broadcast);
            assert!(caps.max_message >= 24 + 4_096 + 16, "the third size fits");
        }
    }
}

/// Words that hubs say, and scraps of them.
const SCRAPS: &str = r#"(\{"type":|\{"action":|"publish"|"OFFER"|"send"|,"src":"a"|,"topic":"|,"linkupId":"|(ab){32}|"|,"d":|,"payload":\{|"AQID"|\{"Signal":\{"sender":"b","data":\{|"t":"|\{"NewPeer":"c"\}|\["EVENT","h0",\{"content":|"tags":\[\[|"x",|\]|\}|,|\{"info_hash":"q6urq6urq6urq6urq6ur"|,"offer":\{"sdp":){0,9}"#;

proptest! {
    #![proptest_config(crate::testing::cases(256))]
    #[test]
    fn any_frames_never_panic_nor_grow_anything(
        texts in prop::collection::vec(prop_oneof![SCRAPS, any::<String>()], 0..6), bytes: Vec<Vec<u8>>, times: [u16; 4],
    ) {
        let addresses = HubKind::ALL.map(|kind| format!("{}+ws://h", kind.name()));
        for address in addresses.iter().map(String::as_str).chain(["ws://h"]) {
            let mut hub = HubUrl::parse(address).unwrap().adapter([7; 32]);
            let mut out = HubOut::default();
            let topic = Topic([0xab; 32]);
            hub.join(topic, true, 0, &mut out);
            hub.socket();
            let mut now = 0;
            for time in times {
                hub.opened(now, &mut out);
                for text in &texts {
                    hub.frame(&HubFrame::Text(text.clone()), now, &mut out);
                }
                for bytes in &bytes {
                    hub.frame(&HubFrame::Binary(bytes.clone()), now, &mut out);
                }
                hub.publish(&topic, &[1], now, &mut out);
                hub.send_to(Some(&Route("x".into())), &topic, &[1], now, &mut out);
                now += u64::from(time);
                hub.tick(now, &mut out);
                hub.probe(now, &mut out);
            }
            hub.leave(&topic, &mut out);
            hub.closed();
            prop_assert!(hub.deadline().is_none());
            prop_assert!(out.frames.len() < 400);
        }
    }
}
