//! Two adapters in conversation by real servers that cannot be started in the tests: what each server said to these very frames
//! was captured from it, and is in `tests-wasm/vectors/hubs/`, where `capture.mjs` says how.
//!
//! ```text
//! {"server":"…","steps":[{"who":"a","sent":["…"],"heard":{"a":["…"],"b":["…"]}}]}
//! ```
//! `HYPHA_CAPTURE=1 cargo test --lib captured` writes what is sent anew; the answers are to be captured again then.

use std::{env, fs, path::Path};

use serde_json::{Value, json};

use super::*;

const ROOM: Topic = Topic([0xab; 32]);
const INBOX: Topic = Topic([0xcd; 32]);
const WHO: [&str; 2] = ["a", "b"];

type Act = fn(&mut PubSub, &mut HubOut);

/// Who acts, how, and what `a` and `b` make of what the server says to it.
fn steps() -> Vec<(usize, Act, [Vec<HubEvent>; 2])> {
    let message =
        |topic, sealed: &[u8]| vec![HubEvent::Message { topic, route: None, sealed: sealed.to_vec() }];
    let open: Act = |hub, out| {
        hub.join(ROOM, true, 0, out);
        hub.opened(0, out);
    };
    vec![
        (0, open, [vec![HubEvent::Ready], vec![]]),
        (1, open, [vec![], vec![HubEvent::Ready]]),
        (1, |hub, out| hub.join(INBOX, false, 0, out), [vec![], vec![]]),
        (0, |hub, out| hub.publish(&ROOM, &[1; 3_000], 0, out), [vec![], message(ROOM, &[1; 3_000])]),
        (1, |hub, out| hub.publish(&ROOM, b"of b", 0, out), [message(ROOM, b"of b"), vec![]]),
        (0, |hub, out| hub.send_to(None, &INBOX, b"to b", 0, out), [vec![], message(INBOX, b"to b")]),
        (1, |hub, out| hub.leave(&ROOM, out), [vec![], vec![]]),
        (0, |hub, out| hub.publish(&ROOM, b"nobody is here", 0, out), [vec![], vec![]]),
        (0, |hub, out| hub.tick(26_000, out), [vec![], vec![]]),
    ]
}

fn converse(dialect: Dialect, name: &str) {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests-wasm/vectors/hubs").join(format!("{name}.json"));
    let mut hubs = [1, 2].map(|seed| PubSub::new(dialect, "ws://h".into(), &[seed; 32], false));
    if env::var("HYPHA_CAPTURE").is_ok() {
        let steps = steps().into_iter().map(|(who, act, _)| {
            let mut out = HubOut::default();
            act(&mut hubs[who], &mut out);
            json!({ "who": WHO[who], "sent": text(&out) })
        });
        let steps: Vec<Value> = steps.collect();
        fs::write(&path, serde_json::to_string_pretty(&json!({ "server": "", "steps": steps })).unwrap())
            .unwrap();
        return;
    }
    let stored: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let stored = stored["steps"].as_array().unwrap();
    let steps = steps();
    assert_eq!(stored.len(), steps.len());
    for (at, ((who, act, events), stored)) in steps.into_iter().zip(stored).enumerate() {
        let mut out = HubOut::default();
        act(&mut hubs[who], &mut out);
        assert_eq!(json!(text(&out)), stored["sent"], "{name}, step {at}");
        assert_eq!(out.events, [], "{name}, step {at}");
        for ((hub, who), events) in hubs.iter_mut().zip(WHO).zip(events) {
            let mut out = HubOut::default();
            for frame in stored["heard"][who].as_array().unwrap() {
                hub.frame(&HubFrame::Text(frame.as_str().unwrap().to_owned()), 26_000, &mut out);
            }
            assert_eq!(out.events, events, "{name}, step {at}, {who}");
        }
    }
    // The second question was answered, too.
    let mut out = HubOut::default();
    hubs[0].tick(40_000, &mut out);
    assert!(out.events.is_empty() && out.frames.is_empty(), "{name}: {out:?}");
}

#[test]
fn by_the_server_of_hyper_hyper_space() {
    converse(Dialect::Hhs, "hhs");
}

#[test]
fn by_the_relay_of_trystero() {
    converse(Dialect::WsRelay, "ws-relay");
}
