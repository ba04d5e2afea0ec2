//! Packets byte by byte, cut and joined.

use proptest::prelude::*;

use super::*;

fn open(url: &str) -> (Mqtt, Vec<Vec<u8>>) {
    let (mut hub, mut out) = (Mqtt::new(url.into(), [3; 32], false), HubOut::default());
    hub.join(TOPIC, true, 0, &mut out);
    hub.opened(0, &mut out);
    (hub, bytes(out))
}

fn bytes(out: HubOut) -> Vec<Vec<u8>> {
    let bytes = |frame| if let HubFrame::Binary(bytes) = frame { bytes } else { panic!("{frame:?}") };
    out.frames.into_iter().map(bytes).collect()
}

fn from(hub: &mut Mqtt, bytes: &[u8]) -> HubOut {
    let mut out = HubOut::default();
    hub.frame(&HubFrame::Binary(bytes.to_vec()), 5, &mut out);
    out
}

fn published(sealed: &[u8]) -> Vec<Vec<u8>> {
    let (mut hub, _) = open("ws://h/mqtt");
    from(&mut hub, &[0x20, 2, 0, 0]);
    let mut out = HubOut::default();
    hub.publish(&TOPIC, sealed, 0, &mut out);
    bytes(out)
}

const TOPIC: Topic = Topic([0xab; 32]);
const NAME: &str = "hypha/q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s";

#[test]
fn connects_subscribes_and_is_ready() {
    let (mut hub, frames) = open("ws://h/mqtt");
    assert_eq!(hub.socket(), Socket { url: "ws://h/mqtt".into(), protocol: Some("mqtt") });
    let [connect] = frames.as_slice() else { panic!("{frames:?}") };
    assert_eq!(connect[..12], *b"\x10\x22\0\x04MQTT\x04\x02\0\x3c");
    assert_eq!(connect[12..14], [0, 22]);
    assert_eq!(connect.len(), 36);

    let out = from(&mut hub, &[0x20, 2, 0, 0]);
    assert!(out.events.is_empty());
    let subscribe = [&[0x82, 54, 0, 1, 0, 49], NAME.as_bytes(), &[0]].concat();
    assert_eq!(bytes(out), [subscribe, vec![0xc0, 0]]);
    assert_eq!(from(&mut hub, &[0x90, 3, 0, 1, 0]).events, []);
    assert_eq!(from(&mut hub, &[0xd0, 0]).events, [HubEvent::Ready]);
    assert_eq!(hub.deadline(), Some(25_005));
    let mut out = HubOut::default();
    hub.tick(25_005, &mut out);
    hub.leave(&TOPIC, &mut out);
    let unsubscribe = [&[0xa2, 53, 0, 1, 0, 49], NAME.as_bytes()].concat();
    assert_eq!(bytes(out), [vec![0xc0, 0], unsubscribe]);
}

#[test]
fn a_login_goes_into_the_packet_and_not_into_the_address() {
    for (url, flags, tail) in [
        ("wss://me@h:1/mqtt", 0x82, &b"\0\x02me"[..]),
        ("wss://me:a%40b:c@h:1/mqtt", 0xc2, b"\0\x02me\0\x05a@b:c"),
    ] {
        let (mut hub, frames) = open(url);
        assert_eq!(hub.socket().url, "wss://h:1/mqtt");
        assert_eq!(frames[0][9], flags);
        assert!(frames[0].ends_with(tail));
    }
}

#[test]
fn refusals_are_told_from_bad_days() {
    for (packet, event) in [
        (&[0x20, 2, 0, 2][..], HubEvent::Refused { reason: "the client id".into() }),
        (&[0x20, 2, 0, 3], HubEvent::Throttled { wait_ms: 60_000 }),
        (&[0x20, 2, 0, 5], HubEvent::Refused { reason: "the user or password".into() }),
        (&[0x90, 3, 0, 1, 0x80], HubEvent::Refused { reason: "a subscription".into() }),
    ] {
        assert_eq!(from(&mut open("ws://h").0, packet).events, [event]);
    }
}

#[test]
fn garbage_is_named_and_a_lost_stream_ends() {
    for bad in
        [&[0x30, 2, 0, 9][..], &[0x10, 0], &[0x32, 1, 0], b"\x30\x0a\0\x01a\0\0\0\0\0\x01x", &[0x00, 0]]
    {
        let events = from(&mut open("ws://h").0, bad).events;
        assert!(matches!(events.as_slice(), [HubEvent::Garbage { .. }]), "{bad:?}: {events:?}");
    }
    for bad in [&[0x30, 0xff, 0xff, 0xff, 0x7f][..], &[0x30, 0xff, 0xff, 0xff, 0xff, 0]] {
        let events = from(&mut open("ws://h").0, bad).events;
        assert!(
            matches!(events.last(), Some(HubEvent::WrongKind | HubEvent::Garbage { .. })),
            "{bad:?}: {events:?}"
        );
    }
    let (mut hub, _) = open("ws://h");
    let mut out = HubOut::default();
    hub.frame(&HubFrame::Text("{}".into()), 0, &mut out);
    assert!(matches!(out.events.as_slice(), [HubEvent::Garbage { .. }]));
}

#[test]
fn a_part_that_is_missing_loses_one_message() {
    let (first, second) = (published(&[1; 8_000]), published(&[2; 8_000]));
    let (mut hub, _) = open("ws://h");
    from(&mut hub, &[0x20, 2, 0, 0]);
    assert!(first.iter().all(|packet| packet.len() < 3_500));
    for packet in [&first[0], &second[0], &first[2], &second[1]] {
        assert_eq!(from(&mut hub, packet).events, []);
    }
    let event = HubEvent::Message { topic: TOPIC, route: None, sealed: vec![2; 8_000] };
    assert_eq!(from(&mut hub, &second[2]).events, [event]);
    // What is begun and never ended is forgotten.
    for n in 0..100_u8 {
        assert_eq!(from(&mut hub, &published(&[n; 4_000])[0]).events, []);
    }
    assert!(hub.partial.len() <= 16);
}

proptest! {
    #![proptest_config(crate::testing::cases(64))]
    /// However the broker cuts the stream.
    #[test]
    fn a_message_arrives_whole_in_any_pieces(
        sealed in prop::collection::vec(any::<u8>(), 1..16_500), cuts in prop::collection::vec(1_usize..5_000, 1..20),
    ) {
        let stream = published(&sealed).concat();
        let (mut hub, _) = open("ws://h");
        from(&mut hub, &[0x20, 2, 0]);
        from(&mut hub, &[0]);
        let (mut rest, mut events, mut cuts) = (stream.as_slice(), Vec::new(), cuts.iter().cycle());
        while !rest.is_empty() {
            let (piece, more) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
            events.extend(from(&mut hub, piece).events);
            rest = more;
        }
        prop_assert_eq!(events, [HubEvent::Message { topic: TOPIC, route: None, sealed: sealed.clone() }]);
        // Its own comes back as a broker of this version has to.
        let mut out = HubOut::default();
        hub.publish(&TOPIC, &sealed, 0, &mut out);
        prop_assert_eq!(from(&mut hub, &bytes(out).concat()).events, []);
    }

    #[test]
    fn any_bytes_never_panic(frames: Vec<Vec<u8>>, body: Vec<u8>) {
        let (mut hub, _) = open("ws://h");
        from(&mut hub, &[0x20, 2, 0, 0]);
        for frame in frames {
            from(&mut hub, &frame);
        }
        let (mut hub, _) = open("ws://h");
        from(&mut hub, &[0x20, 2, 0, 0]);
        let mut rest = [&[0, 49], NAME.as_bytes()].concat();
        rest.extend(body);
        let mut out = HubOut::default();
        put_packet(PUBLISH, &rest, &mut out);
        from(&mut hub, &bytes(out).concat());
    }
}
