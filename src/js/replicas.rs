//! Replicas, from both sides: which are relied on, and what this one holds.

use js_sys::{Array, Promise};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::argument::{optional_count, optional_text, text};
use super::core::{Core, bad_link, parse_link};
use super::item::number;
use super::value::object;
use crate::crypto::{PublicKey, hex, parse_hex32};
use crate::node::{Call, HeldSpace, Node, ReplicaView, Safety, SpaceCall};

#[wasm_bindgen]
impl Core {
    /// Holds the space of a link, as a replica; `quota` in bytes, or undefined for that of every space. Its key.
    pub fn hold(&self, link: &JsValue, quota: &JsValue) -> Result<Promise, JsValue> {
        let (space, quota) = (parse_link(&text("link", link)?)?, optional_bytes("quota", quota)?);
        Ok(self.call(Call::Hold { space, quota }))
    }

    /// Relies on a replica: its key, or the link that its page shows.
    #[wasm_bindgen(js_name = pinReplica)]
    pub fn pin_replica(
        &self,
        space: &JsValue,
        replica: &JsValue,
        label: &JsValue,
    ) -> Result<Promise, JsValue> {
        let label = optional_text("label", label)?.unwrap_or_default();
        self.act(space, SpaceCall::PinReplica { replica: replica_key(replica)?, label })
    }

    /// Relies on a replica no more.
    #[wasm_bindgen(js_name = unpinReplica)]
    pub fn unpin_replica(&self, space: &JsValue, replica: &JsValue) -> Result<Promise, JsValue> {
        self.act(space, SpaceCall::UnpinReplica { replica: replica_key(replica)? })
    }
}

/// This node as a replica: its key and link, what it holds; undefined for a person's node.
pub(super) fn replica(node: &Node) -> JsValue {
    let Some(key) = node.replica_key() else { return JsValue::UNDEFINED };
    let held = node.held_spaces();
    let used = held.iter().map(|held| held.bytes).sum();
    object([
        ("key", hex(key.as_bytes()).into()),
        ("link", format!("{SCHEME}{key}").into()),
        ("used", number(used)),
        ("quota", optional(node.quota())),
        ("spaces", held.iter().map(held_space).collect::<Array>().into()),
    ])
}

fn held_space(held: &HeldSpace) -> JsValue {
    object([
        ("key", hex(held.space.as_bytes()).into()),
        ("bytes", number(held.bytes)),
        ("quota", optional(held.quota)),
        ("full", held.full.into()),
    ])
}

/// The replicas that are relied on in a space.
pub(super) fn pinned(node: &Node, space: PublicKey) -> JsValue {
    let view = |view: &ReplicaView| {
        object([
            ("key", hex(view.pin.key.as_bytes()).into()),
            ("label", view.pin.label.as_str().into()),
            ("pinnedBy", hex(view.pin.author.as_bytes()).into()),
            ("length", optional(view.length)),
            ("expires", optional(view.expires)),
            ("connected", view.connected.into()),
            ("full", view.full.into()),
        ])
    };
    node.replicas(Some(space)).iter().map(view).collect::<Array>().into()
}

/// How safe this device's writes in a space are; undefined where it writes nothing.
pub(super) fn safety(node: &Node, space: PublicKey) -> JsValue {
    let Some(safety) = node.safety(Some(space)) else { return JsValue::UNDEFINED };
    let Safety { replicas, devices, unreplicated, pinned, others } = safety;
    let count = |count: usize| number(u64::try_from(count).unwrap_or(u64::MAX));
    object([
        ("replicas", count(replicas)),
        ("devices", count(devices)),
        ("unreplicated", number(unreplicated)),
        ("pinned", count(pinned)),
        ("others", count(others)),
    ])
}

fn optional(value: Option<u64>) -> JsValue {
    value.map_or(JsValue::UNDEFINED, number)
}

/// A whole number of bytes, or nothing if the value is undefined or infinite.
pub(super) fn optional_bytes(name: &str, value: &JsValue) -> Result<Option<u64>, JsValue> {
    match value.as_f64() {
        #[expect(clippy::as_conversions, reason = "checked to be whole and in range")]
        Some(bytes) if bytes.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(&bytes) => {
            Ok(Some(bytes as u64))
        }
        _ => optional_count(name, value).map(|_| None),
    }
}

/// A replica's key: 64 hexadecimal digits, or its link.
fn replica_key(value: &JsValue) -> Result<PublicKey, JsValue> {
    let given = text("replica", value)?.trim().to_ascii_lowercase();
    let digits = given.strip_prefix(SCHEME).unwrap_or(&given);
    if given.starts_with("hypha://") {
        let why = "this is the link of a space; a replica's link begins with hypha-replica://";
        return Err(bad_link(why));
    }
    parse_hex32(digits.trim_end_matches('/')).map(PublicKey).map_err(bad_link)
}

/// What a replica's link begins with.
const SCHEME: &str = "hypha-replica://";
