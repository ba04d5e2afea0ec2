//! Other nodes of this browser, over a BroadcastChannel.

use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{BroadcastChannel, MessageEvent};

/// The channel that every node of this origin listens to.
pub struct Tabs {
    channel: BroadcastChannel,
    _message: Closure<dyn Fn(MessageEvent)>,
}

impl Tabs {
    /// Joins; `None` where a browser has no such channel (then there are only no tabs to find).
    pub fn join(report: impl Fn(Vec<u8>) + 'static) -> Option<Self> {
        if !Reflect::has(&js_sys::global(), &JsValue::from_str("BroadcastChannel")).unwrap_or(false) {
            return None;
        }
        let channel = BroadcastChannel::new(NAME).ok()?;
        let message = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
            if let Ok(bytes) = event.data().dyn_into::<Uint8Array>()
                && bytes.length() <= MAX_MESSAGE
            {
                report(bytes.to_vec());
            }
        });
        channel.set_onmessage(Some(message.as_ref().unchecked_ref()));
        Some(Self { channel, _message: message })
    }

    /// Tells all the others.
    pub fn post(&self, bytes: &[u8]) {
        // Fails only once it is closed.
        drop(self.channel.post_message(&Uint8Array::from(bytes)));
    }
}

impl Drop for Tabs {
    fn drop(&mut self) {
        self.channel.set_onmessage(None);
        self.channel.close();
    }
}

const NAME: &str = "hypha/v1";
/// Largest message that is read: a frame and its address, with room to spare.
const MAX_MESSAGE: u32 = 64 * 1024;
