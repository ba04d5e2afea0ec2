//! What an honest device never does, for tests with real browsers: methods of [`Core`] under the feature `hostile` only.
//!
//! Each act is done at once; what it wrote is stored and goes to the peers as honest writes do.

use js_sys::{Array, Uint8Array};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::argument::text;
use super::core::Core;
use super::error::{bad_input, to_js};
use super::ops;
use crate::browser::clock;
use crate::crypto::{PublicKey, parse_hex32};
use crate::node::{Node, NodeError};

#[wasm_bindgen]
impl Core {
    /// Goes on after it was removed.
    #[wasm_bindgen(js_name = hostileIgnoreCut)]
    pub fn hostile_ignore_cut(&self) -> Result<(), JsValue> {
        self.hostile(|node, _| node.hostile_ignore_cut())
    }

    /// What it writes from now on claims to be of this moment, and to have seen nothing later.
    #[wasm_bindgen(js_name = hostileFreeze)]
    pub fn hostile_freeze(&self) -> Result<(), JsValue> {
        self.hostile(Node::hostile_freeze)
    }

    /// Adds the first `length` entries of a writer to what it claims to have seen at the frozen moment.
    #[wasm_bindgen(js_name = hostileAlsoSeen)]
    pub fn hostile_also_seen(&self, writer: &JsValue, length: u32) -> Result<(), JsValue> {
        let writer = key(writer)?;
        self.hostile(|node, _| node.hostile_also_seen(writer, u64::from(length)))
    }

    /// Takes its keys into the space though nobody let it in.
    #[wasm_bindgen(js_name = hostileUnlock)]
    pub fn hostile_unlock(&self) -> Result<(), JsValue> {
        self.hostile(|node, _| node.hostile_unlock())
    }

    /// Writes what `encodeOps` made, in public, whoever may write; the index of the entry.
    #[wasm_bindgen(js_name = hostileAppend)]
    pub fn hostile_append(&self, ops: &Array) -> Result<f64, JsValue> {
        let ops = ops::read_ops(ops)?;
        self.hostile(|node, now| node.hostile_append(now, ops)).map(number)
    }

    /// Appends a block of any bytes to its feed; its index.
    #[wasm_bindgen(js_name = hostileBlock)]
    pub fn hostile_block(&self, block: &Uint8Array) -> Result<f64, JsValue> {
        self.hostile(|node, now| node.hostile_block(now, block.to_vec())).map(number)
    }

    /// Signs another history from block `at` of its feed on, with one entry of what `encodeOps` made; its index. Reload
    /// then: connected peers are told of it at the next connection.
    #[wasm_bindgen(js_name = hostileFork)]
    pub fn hostile_fork(&self, at: u32, ops: &Array) -> Result<f64, JsValue> {
        let ops = ops::read_ops(ops)?;
        self.hostile(|node, now| node.hostile_fork(now, u64::from(at), ops)).map(number)
    }

    /// Grants a key as admin; the index of the entry.
    #[wasm_bindgen(js_name = hostileGrant)]
    pub fn hostile_grant(&self, writer: &JsValue) -> Result<f64, JsValue> {
        let writer = key(writer)?;
        self.hostile(|node, now| node.hostile_grant(now, writer)).map(number)
    }

    /// Cuts keys in one entry; its index.
    #[wasm_bindgen(js_name = hostileCut)]
    pub fn hostile_cut(&self, writers: &Array) -> Result<f64, JsValue> {
        let writers = writers.iter().map(|writer| key(&writer)).collect::<Result<Vec<_>, _>>()?;
        self.hostile(|node, now| node.hostile_cut(now, &writers)).map(number)
    }

    /// Gives peers no more than the first `length` blocks of a feed, though it shows them the latest head.
    #[wasm_bindgen(js_name = hostileWithhold)]
    pub fn hostile_withhold(&self, feed: &JsValue, length: u32) -> Result<(), JsValue> {
        let feed = key(feed)?;
        self.hostile(|node, _| node.hostile_withhold(feed, u64::from(length)))
    }

    /// Sends sign-in requests of so many made-up devices at once.
    #[wasm_bindgen(js_name = hostileRequests)]
    pub fn hostile_requests(&self, count: u32) -> Result<(), JsValue> {
        self.hostile(|node, now| node.hostile_requests(now, count))
    }

    /// Sends so many envelopes of so many bytes that nobody can open.
    #[wasm_bindgen(js_name = hostileEnvelopes)]
    pub fn hostile_envelopes(&self, count: u32, bytes: u16) -> Result<(), JsValue> {
        self.hostile(|node, now| node.hostile_envelopes(now, count, usize::from(bytes)))
    }
}

impl Core {
    fn hostile<T>(&self, act: impl FnOnce(&mut Node, u64) -> Result<T, NodeError>) -> Result<T, JsValue> {
        let done = self.driver.hostile(|node| act(node, clock::now()));
        done.and_then(|done| done).map_err(|error| to_js(&error))
    }
}

fn key(value: &JsValue) -> Result<PublicKey, JsValue> {
    parse_hex32(&text("writer", value)?).map(PublicKey).map_err(bad_input)
}

#[expect(clippy::as_conversions, reason = "an index is below 2^53, so a number holds it exactly")]
fn number(index: u64) -> f64 {
    index as f64
}
