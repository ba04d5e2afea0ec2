//! All of a node that a page reads without waiting, as one plain object.
//!
//! One object, so that the tabs that share a node can be sent it, and show the same.

use js_sys::Array;
use wasm_bindgen::JsValue;

use super::item::{number, request, words};
use super::replicas;
use super::value::{decode, map, object};
use crate::crypto::{Link, PublicKey, Signature, hex};
use crate::mesh::{HubInfo, HubState, LinkState};
use crate::node::{Node, PeerPath, PeerView, Present, SpaceView};
use crate::space::{Clock, InviteInfo, Role, WriterInfo, WriterStanding};

/// State, home, devices, requests, peers, hubs.
pub(super) fn snapshot(node: &Node) -> JsValue {
    let own = node.own_writer();
    let texts = |text: Option<String>| text.map_or(JsValue::UNDEFINED, JsValue::from);
    object([
        ("state", node.state().as_str().into()),
        ("ready", node.is_ready().into()),
        ("home", texts(node.home().map(|key| hex(key.as_bytes())))),
        ("spaces", node.spaces().iter().map(|view| space(node, view)).collect::<Array>().into()),
        ("writer", texts(own.map(|key| hex(key.as_bytes())))),
        ("device", texts(node.device_name().map(str::to_owned))),
        ("words", node.sign_in_words().map_or(JsValue::UNDEFINED, |four| words(&four))),
        ("outdated", node.is_outdated().into()),
        (
            "rivals",
            node.rivals().iter().map(|key| JsValue::from(hex(key.as_bytes()))).collect::<Array>().into(),
        ),
        ("otherLink", texts(node.other_key().map(|key| Link(key).to_string()))),
        ("replica", replicas::replica(node)),
        ("requests", node.requests().iter().map(request).collect::<Array>().into()),
        ("peers", node.peers().iter().map(peer).collect::<Array>().into()),
        ("hubs", node.hubs().iter().map(hub).collect::<Array>().into()),
    ])
}

/// What signing up gave.
pub(super) fn signed_up(key: &PublicKey, claim: Option<&Signature>) -> JsValue {
    object([
        ("key", hex(key.as_bytes()).into()),
        ("claim", claim.map_or(JsValue::UNDEFINED, |signature| hex(&signature.0).into())),
    ])
}

/// What of a space is known without waiting.
fn space(node: &Node, view: &SpaceView<'_>) -> JsValue {
    let space = view.space;
    let (key, own) = (space.key(), space.writer());
    object([
        ("key", hex(key.as_bytes()).into()),
        ("link", Link(key).to_string().into()),
        ("discoveryKey", hex(&key.discovery_key().0).into()),
        ("title", view.title.as_deref().map_or(JsValue::UNDEFINED, JsValue::from_str)),
        ("writable", view.writable.into()),
        ("asking", view.asking.into()),
        ("presence", view.presence.iter().map(present).collect::<Array>().into()),
        ("invites", space.invites().iter().map(invite).collect::<Array>().into()),
        ("replicas", replicas::pinned(node, key)),
        ("safety", replicas::safety(node, key)),
        ("level", view.level.into()),
        ("writers", space.writers().iter().map(|info| writer(info, own)).collect::<Array>().into()),
        ("clock", clock(&space.clock())),
    ])
}

fn clock(clock: &Clock) -> JsValue {
    let lengths: Vec<(String, JsValue)> =
        clock.iter().map(|(writer, length)| (hex(writer.as_bytes()), number(*length))).collect();
    map(lengths.iter().map(|(writer, length)| (writer.as_str(), length.clone())))
}

fn writer(info: &WriterInfo, own: Option<PublicKey>) -> JsValue {
    let optional = |value: Option<u64>| value.map_or(JsValue::UNDEFINED, number);
    object([
        ("key", hex(info.key.as_bytes()).into()),
        ("device", info.device.as_deref().map_or(JsValue::UNDEFINED, JsValue::from_str)),
        ("role", info.role.map_or(JsValue::UNDEFINED, |role| JsValue::from_str(role_name(role)))),
        ("length", number(info.length)),
        ("held", number(info.held)),
        ("state", standing(info.state).into()),
        ("cutAt", optional(info.cut_at)),
        ("lastTime", optional(info.last_time)),
        ("person", info.persons.first().map_or(JsValue::UNDEFINED, |person| hex(&person.0.0).into())),
        (
            "grantedBy",
            info.granted_by.iter().map(|key| JsValue::from(hex(key.as_bytes()))).collect::<Array>().into(),
        ),
        ("byRoot", info.by_root.into()),
        ("grantedAt", optional(info.granted_at)),
        ("hiddenFrom", optional(info.hidden_from)),
        ("self", (own == Some(info.key)).into()),
    ])
}

fn present(one: &Present) -> JsValue {
    object([
        ("key", hex(one.key.as_bytes()).into()),
        ("writer", one.writer.into()),
        ("private", one.private.into()),
        ("state", decode(&one.state)),
    ])
}

fn invite(info: &InviteInfo) -> JsValue {
    let optional = |value: u64| if value == 0 { JsValue::UNDEFINED } else { number(value) };
    object([
        ("key", hex(info.key.as_bytes()).into()),
        ("role", role_name(info.role).into()),
        ("uses", optional(info.uses)),
        ("used", number(info.used)),
        ("expires", optional(info.expires)),
    ])
}

const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Admin => "admin",
        Role::Writer => "writer",
    }
}

const fn standing(state: WriterStanding) -> &'static str {
    match state {
        WriterStanding::Active => "active",
        WriterStanding::Cut => "cut",
        WriterStanding::Forked => "forked",
        WriterStanding::RootCut => "removed",
        WriterStanding::Suspended => "suspended",
        WriterStanding::Ungranted => "pending",
    }
}

fn peer(view: &PeerView) -> JsValue {
    let info = &view.link;
    let (transport, path) = match view.path {
        PeerPath::Direct => ("webrtc", "direct"),
        PeerPath::Relay => ("relay", "relay"),
        PeerPath::Tab => ("tab", "tab"),
        PeerPath::Turn => ("webrtc", "turn"),
    };
    let counted = &view.frames;
    let frames = object([
        ("sent", number(counted.sent)),
        ("acknowledged", number(counted.acknowledged)),
        ("received", number(counted.received)),
        ("resent", number(counted.resent)),
        ("repeated", number(counted.repeated)),
        ("moves", number(counted.moves)),
    ]);
    let state = match info.state {
        LinkState::Connecting => "connecting",
        LinkState::Open => "open",
        LinkState::Recovering => "recovering",
    };
    let spaces: Array = info.spaces.iter().map(|key| JsValue::from(hex(key.as_bytes()))).collect();
    object([
        ("id", info.id.to_string().into()),
        ("transport", transport.into()),
        ("path", path.into()),
        ("frames", frames),
        ("state", state.into()),
        ("roundTrip", view.round_trip.map_or(JsValue::UNDEFINED, number)),
        ("level", view.level.map_or(JsValue::UNDEFINED, JsValue::from)),
        ("since", number(info.since)),
        ("bytesIn", number(info.bytes_in)),
        ("bytesOut", number(info.bytes_out)),
        ("spaces", spaces.into()),
    ])
}

fn hub(info: &HubInfo) -> JsValue {
    let (state, until) = match info.state {
        HubState::Connecting => ("connecting", None),
        HubState::Garbage { until } => ("garbage", Some(until)),
        HubState::Open => ("open", None),
        HubState::Refused { until } => ("refused", Some(until)),
        HubState::Waiting { until } => ("waiting", Some(until)),
    };
    object([
        ("url", info.url.as_str().into()),
        ("state", state.into()),
        ("relay", info.may_relay.into()),
        ("until", until.map_or(JsValue::UNDEFINED, number)),
        ("error", info.error.as_deref().map_or(JsValue::UNDEFINED, JsValue::from_str)),
    ])
}
