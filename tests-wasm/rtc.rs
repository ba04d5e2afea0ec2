//! Two peer connections in one page, driven by nothing but the mesh's commands.
#![cfg(target_arch = "wasm32")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "a test fails by panicking"
)]

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use gloo_timers::future::TimeoutFuture;
use hypha_node::browser::rtc::Links;
use hypha_node::mesh::{HIGH_WATER, LOW_WATER, LinkId, RtcCommand, RtcEvent, RtcState, SdpType};
use wasm_bindgen::JsValue;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

const LINK: LinkId = LinkId(1);
type Events = Rc<RefCell<VecDeque<RtcEvent>>>;

fn node() -> (Links, Events) {
    let events = Events::default();
    let seen = Rc::clone(&events);
    let report = Rc::new(move |link, event| {
        assert_eq!(link, LINK);
        seen.borrow_mut().push_back(event);
    });
    (Links::new(report, JsValue::UNDEFINED), events)
}

/// Waits for an event that `pick` takes; others stay where they are.
async fn wait<T>(events: &Events, what: &str, pick: impl Fn(&RtcEvent) -> Option<T>) -> T {
    for _ in 0..9_000 {
        let found = events.borrow().iter().enumerate().find_map(|(at, event)| Some((at, pick(event)?)));
        if let Some((at, found)) = found {
            events.borrow_mut().remove(at);
            return found;
        }
        TimeoutFuture::new(10).await;
    }
    panic!("no {what}; got {:?}", events.borrow());
}

fn candidate(event: &RtcEvent) -> Option<String> {
    let RtcEvent::LocalCandidate { json } = event else { return None };
    Some(json.clone())
}

fn local(event: &RtcEvent) -> Option<(SdpType, String)> {
    let RtcEvent::LocalDescription { sdp_type, sdp } = event else { return None };
    Some((*sdp_type, sdp.clone()))
}

/// Passes on the candidates that are there.
fn pass(from: &Events, to: &Links) {
    while let Some(at) = { from.borrow().iter().position(|event| candidate(event).is_some()) } {
        let json = candidate(&from.borrow_mut().remove(at).unwrap()).unwrap();
        to.command(LINK, RtcCommand::AddCandidate { json });
    }
}

async fn connect(a: &(Links, Events), b: &(Links, Events)) {
    a.0.command(LINK, RtcCommand::Create { polite: false });
    b.0.command(LINK, RtcCommand::Create { polite: true });
    a.0.command(LINK, RtcCommand::MakeOffer { ice_restart: false });
    let (sdp_type, sdp) = wait(&a.1, "offer", local).await;
    assert_eq!(sdp_type, SdpType::Offer);
    b.0.command(LINK, RtcCommand::SetRemote { sdp_type, sdp });
    b.0.command(LINK, RtcCommand::MakeAnswer);
    let (sdp_type, sdp) = wait(&b.1, "answer", local).await;
    a.0.command(LINK, RtcCommand::SetRemote { sdp_type, sdp });
    for _ in 0..9_000 {
        pass(&a.1, &b.0);
        pass(&b.1, &a.0);
        if [&a.1, &b.1].iter().all(|events| events.borrow().contains(&RtcEvent::ChannelOpen)) {
            return;
        }
        TimeoutFuture::new(10).await;
    }
    panic!("no channel; {:?} {:?}", a.1.borrow(), b.1.borrow());
}

#[wasm_bindgen_test]
async fn a_mebibyte_arrives_whole_and_in_order() {
    let (a, b) = (node(), node());
    connect(&a, &b).await;
    let state = |event: &RtcEvent| matches!(event, RtcEvent::State(RtcState::Connected)).then_some(());
    wait(&a.1, "connected", state).await;
    let frames: Vec<Vec<u8>> = (0..64).map(|n: u8| vec![n; 16 * 1024]).collect();
    let mut most = 0;
    for frame in &frames {
        a.0.send(LINK, frame);
        let buffered = |event: &RtcEvent| {
            let RtcEvent::Buffered { bytes } = event else { return None };
            Some(*bytes)
        };
        most = most.max(wait(&a.1, "buffered amount", buffered).await);
    }
    assert!((1..=HIGH_WATER + 16 * 1024).contains(&most), "{most}");
    let low =
        |event: &RtcEvent| matches!(event, RtcEvent::Buffered { bytes } if *bytes <= LOW_WATER).then_some(());
    if most > LOW_WATER {
        wait(&a.1, "low-water mark", low).await;
    }
    for frame in &frames {
        let data = |event: &RtcEvent| {
            let RtcEvent::Data { bytes } = event else { return None };
            Some(bytes.clone())
        };
        assert!(wait(&b.1, "data", data).await == *frame, "frame {}", frame[0]);
    }
    a.0.command(LINK, RtcCommand::Close);
    a.1.borrow_mut().clear();
    wait(&b.1, "end", |event| (*event == RtcEvent::ChannelClosed).then_some(())).await;
    a.0.send(LINK, b"late");
    TimeoutFuture::new(50).await;
    assert_eq!(a.1.borrow().len(), 0, "a closed link is silent");
}

#[wasm_bindgen_test]
async fn ice_restarts_on_the_same_connection() {
    let (a, b) = (node(), node());
    connect(&a, &b).await;
    a.0.command(LINK, RtcCommand::MakeOffer { ice_restart: true });
    let (sdp_type, sdp) = wait(&a.1, "offer", local).await;
    b.0.command(LINK, RtcCommand::SetRemote { sdp_type, sdp });
    b.0.command(LINK, RtcCommand::MakeAnswer);
    let (sdp_type, sdp) = wait(&b.1, "answer", local).await;
    a.0.command(LINK, RtcCommand::SetRemote { sdp_type, sdp });
    for _ in 0..50 {
        pass(&a.1, &b.0);
        pass(&b.1, &a.0);
        TimeoutFuture::new(10).await;
    }
    b.0.send(LINK, b"still here");
    wait(&a.1, "data", |event| (*event == RtcEvent::Data { bytes: b"still here".into() }).then_some(()))
        .await;
}

#[wasm_bindgen_test]
async fn glare_is_rolled_back_and_bad_sdp_reported() {
    let (a, events) = node();
    a.command(LINK, RtcCommand::MakeOffer { ice_restart: false });
    wait(&events, "failure without a connection", |event| {
        matches!(event, RtcEvent::Failed { .. }).then_some(())
    })
    .await;
    a.command(LINK, RtcCommand::Create { polite: true });
    a.command(LINK, RtcCommand::MakeOffer { ice_restart: false });
    a.command(LINK, RtcCommand::Rollback);
    a.command(LINK, RtcCommand::MakeOffer { ice_restart: false });
    wait(&events, "first offer", local).await;
    wait(&events, "second offer", local).await;
    a.command(LINK, RtcCommand::SetRemote { sdp_type: SdpType::Answer, sdp: "nonsense".into() });
    wait(&events, "failure", |event| matches!(event, RtcEvent::Failed { .. }).then_some(())).await;
    a.command(LINK, RtcCommand::AddCandidate { json: "{}}".into() });
    TimeoutFuture::new(50).await;
    assert!(
        !events.borrow().iter().any(|event| matches!(event, RtcEvent::Failed { .. })),
        "late candidates do not matter"
    );
}
