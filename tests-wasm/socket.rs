//! Sockets that cannot be made or opened say so once; dropped ones say nothing.
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
use std::rc::Rc;

use gloo_timers::future::TimeoutFuture;
use hypha_node::browser::socket::Sockets;
use hypha_node::mesh::{HubFrame, HubId, MeshInput};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

type Heard = Rc<RefCell<Vec<MeshInput>>>;

fn sockets() -> (Sockets, Heard) {
    let heard = Heard::default();
    let seen = Rc::clone(&heard);
    (Sockets::new(Rc::new(move |input| seen.borrow_mut().push(input))), heard)
}

async fn wait(heard: &Heard, count: usize) {
    for _ in 0..9_000 {
        if heard.borrow().len() >= count {
            break;
        }
        TimeoutFuture::new(10).await;
    }
    // Whatever would come too much comes by now.
    TimeoutFuture::new(100).await;
    assert_eq!(heard.borrow().len(), count, "{:?}", heard.borrow());
}

#[wasm_bindgen_test]
async fn what_cannot_be_reached_is_told_once() {
    let (sockets, heard) = sockets();
    // Nothing listens on the discard port of this machine, and browsers refuse some ports themselves.
    for (hub, url) in [(1, "ws://127.0.0.1:9/"), (2, "ws://127.0.0.1:40999/"), (3, "not an address")] {
        sockets.open(HubId(hub), url, &[]);
        sockets.send(HubId(hub), &HubFrame::Text("too early".into()));
    }
    wait(&heard, 3).await;
    let mut hubs: Vec<u32> = heard
        .borrow()
        .iter()
        .map(|input| match input {
            MeshInput::HubClosed { hub, .. } => hub.0,
            other => panic!("{other:?}"),
        })
        .collect();
    hubs.sort_unstable();
    assert_eq!(hubs, [1, 2, 3]);
}

#[wasm_bindgen_test]
async fn what_was_closed_or_replaced_is_silent() {
    let (sockets, heard) = sockets();
    sockets.open(HubId(1), "ws://127.0.0.1:40999/", &[]);
    sockets.close(HubId(1));
    sockets.open(HubId(2), "ws://127.0.0.1:40999/", &[]);
    sockets.open(HubId(2), "ws://127.0.0.1:40999/", &[]);
    wait(&heard, 1).await;
    drop(sockets);
    assert!(matches!(heard.borrow().as_slice(), [MeshInput::HubClosed { hub: HubId(2), .. }]));
}
