//! What of the stored files is in memory.

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::core::Core;
use super::error::to_js;
use super::value::object;
use crate::node::Node;

#[wasm_bindgen]
impl Core {
    /// `{ resident, clean, budget, absent, supplied, evicted }`: bytes in memory, of those that may be let go, bytes that are
    /// kept of these; pages that are on the disk alone; pages read back and let go so far.
    pub fn pages(&self) -> Result<JsValue, JsValue> {
        let memory = self.driver.read(Node::memory).map_err(|error| to_js(&error))?;
        #[expect(
            clippy::as_conversions,
            reason = "bytes of this machine's memory; std has no other conversion"
        )]
        let number = |count: u64| JsValue::from_f64(count as f64);
        let count = |count: usize| number(u64::try_from(count).unwrap_or(u64::MAX));
        Ok(object([
            ("resident", number(memory.resident)),
            ("clean", number(memory.clean)),
            ("budget", number(memory.budget)),
            ("absent", count(memory.absent)),
            ("supplied", number(memory.supplied)),
            ("evicted", number(memory.evicted)),
        ]))
    }
}
