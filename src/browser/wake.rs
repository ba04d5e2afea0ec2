//! When the page comes back: from sleep, from the cache of pages, from being hidden, from being offline; or the network is
//! another.

use js_sys::{Function, Reflect};
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::EventTarget;

/// Listens until it is dropped.
pub(crate) struct Wake {
    window: EventTarget,
    document: EventTarget,
    /// Where the browser tells of its network, if it does.
    network: Option<EventTarget>,
    heard: Closure<dyn Fn()>,
}

impl Wake {
    /// Calls `awake` each time; `None` where there is no page, such as in a worker.
    pub(crate) fn listen(awake: impl Fn() + 'static) -> Option<Self> {
        let global = js_sys::global();
        let document = Reflect::get(&global, &"document".into()).ok()?;
        let seen = document.clone();
        let heard = Closure::<dyn Fn()>::new(move || {
            let hidden = Reflect::get(&seen, &"hidden".into()).is_ok_and(|hidden| hidden.is_truthy());
            if !hidden {
                awake();
            }
        });
        let network = Reflect::get(&global, &"navigator".into())
            .and_then(|navigator| Reflect::get(&navigator, &"connection".into()));
        let wake = Self {
            network: network.ok().and_then(|network| network.dyn_into().ok()),
            window: JsValue::from(global).dyn_into().ok()?,
            document: document.dyn_into().ok()?,
            heard,
        };
        wake.each(EventTarget::add_event_listener_with_callback);
        Some(wake)
    }

    fn each(&self, act: fn(&EventTarget, &str, &Function) -> Result<(), JsValue>) {
        let targets =
            [(&self.window, "online"), (&self.window, "pageshow"), (&self.document, "visibilitychange")];
        let network = self.network.iter().map(|network| (network, "change"));
        for (target, event) in targets.into_iter().chain(network) {
            // Cannot fail on a window or a document.
            drop(act(target, event, self.heard.as_ref().unchecked_ref()));
        }
    }
}

impl Drop for Wake {
    fn drop(&mut self) {
        self.each(EventTarget::remove_event_listener_with_callback);
    }
}
