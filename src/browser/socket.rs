//! WebSockets to hubs.

use core::cell::RefCell;
use core::pin::Pin;
use std::rc::Rc;

use futures_util::future::{AbortHandle, Abortable, poll_fn};
use futures_util::{Sink as _, StreamExt as _};
use gloo_net::websocket::futures::WebSocket;
use gloo_net::websocket::{Message, State, WebSocketError};
use js_sys::Array;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;

use super::idb::words;
use crate::collections::Map;
use crate::mesh::{HubFrame, HubId, MeshInput};

/// Called with what sockets report.
pub type Report = Rc<dyn Fn(MeshInput)>;

/// One socket per hub.
pub struct Sockets {
    open: RefCell<Map<HubId, Socket>>,
    report: Report,
}

struct Socket {
    raw: web_sys::WebSocket,
    reading: AbortHandle,
}

impl Sockets {
    /// None yet.
    pub fn new(report: Report) -> Self {
        Self { open: RefCell::default(), report }
    }

    /// Opens a socket; an earlier one of this hub is dropped without a word.
    pub fn open(&self, hub: HubId, url: &str, protocols: &[String]) {
        self.close(hub);
        let names: Array = protocols.iter().map(|name| JsValue::from_str(name)).collect();
        let made = web_sys::WebSocket::new_with_str_sequence(url, &names)
            .map_err(|thrown| words(&thrown))
            .and_then(|raw| {
                let socket = WebSocket::try_from(raw.clone()).map_err(|error| error.to_string())?;
                Ok((raw, socket))
            });
        let report = Rc::clone(&self.report);
        let (raw, socket) = match made {
            Ok(made) => made,
            Err(reason) => {
                // After this turn: whoever asked is not done asking.
                return spawn_local(async move { report(MeshInput::HubClosed { hub, code: None, reason }) });
            }
        };
        let (reading, stop) = AbortHandle::new_pair();
        self.open.borrow_mut().insert(hub, Socket { raw, reading });
        spawn_local(async move {
            let _ = Abortable::new(read(hub, socket, report), stop).await;
        });
    }

    /// Sends a frame. A socket that does not keep up is closed; that is reported like any end.
    pub fn send(&self, hub: HubId, frame: &HubFrame) {
        let raw = self.open.borrow().get(&hub).map(|socket| socket.raw.clone());
        let Some(raw) = raw else { return };
        if raw.buffered_amount() > MAX_BUFFERED {
            drop(raw.close());
            return;
        }
        // What cannot be sent meets a socket that is closing, whose end is reported anyway.
        drop(match frame {
            HubFrame::Text(text) => raw.send_with_str(text),
            HubFrame::Binary(bytes) => raw.send_with_u8_array(bytes),
        });
    }

    /// Closes a socket; nothing more of it is reported.
    pub fn close(&self, hub: HubId) {
        let socket = self.open.borrow_mut().remove(&hub);
        if let Some(socket) = socket {
            socket.reading.abort();
            drop(socket.raw.close());
        }
    }

    /// Closes all of them.
    pub fn close_all(&self) {
        let hubs: Vec<HubId> = self.open.borrow().keys().copied().collect();
        hubs.into_iter().for_each(|hub| self.close(hub));
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        self.close_all();
    }
}

/// Reads until the end, and reports it once.
async fn read(hub: HubId, mut socket: WebSocket, report: Report) {
    drop(poll_fn(|context| Pin::new(&mut socket).poll_ready(context)).await);
    if matches!(socket.state(), State::Open) {
        report(MeshInput::HubOpened { hub });
    }
    let (mut code, mut reason) = (None, String::new());
    while let Some(message) = socket.next().await {
        let frame = match message {
            Ok(Message::Text(text)) if text.len() <= MAX_FRAME => HubFrame::Text(text),
            Ok(Message::Bytes(bytes)) if bytes.len() <= MAX_FRAME => HubFrame::Binary(bytes),
            Ok(_) => {
                reason = format!("the hub sent a message larger than {MAX_FRAME} bytes");
                break;
            }
            Err(WebSocketError::ConnectionClose(event)) => {
                (code, reason) = (Some(event.code), event.reason.chars().take(200).collect());
                break;
            }
            // The close event follows and says more.
            Err(_) => continue,
        };
        report(MeshInput::HubFrame { hub, frame });
    }
    drop(socket);
    report(MeshInput::HubClosed { hub, code, reason });
}

/// Largest frame of a hub, in bytes: the largest that any hub relays.
const MAX_FRAME: usize = 256 * 1024;
/// Most bytes that wait to go to a hub.
const MAX_BUFFERED: u32 = 4 * 1024 * 1024;
