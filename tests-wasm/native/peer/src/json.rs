//! What a node says, as JSON: one object a line on stdout.

use hypha_node::codec::{Value, decode_value};
use hypha_node::crypto::hex;
use hypha_node::mesh::LinkState;
use hypha_node::node::{Event, Found, Node, NodeError, Reply};
use serde_json::{Value as Json, json};

/// Prints an answer.
pub fn reply(id: u32, result: Result<Json, NodeError>) {
    match result {
        Ok(result) => println!("{}", json!({ "id": id, "result": result })),
        Err(error) => {
            println!("{}", json!({ "id": id, "error": error.message, "code": error.code.as_str() }))
        }
    }
}

/// Prints what a test may wait for.
pub fn event(node: &Node, event: &Event) {
    let told = match event {
        Event::Changed { keys, .. } => json!({ "event": "changed", "keys": keys }),
        Event::Failed(error) => {
            json!({ "event": "error", "code": error.code.as_str(), "message": error.message })
        }
        Event::Hubs => {
            let hubs = node.hubs();
            let hubs: Vec<Json> = hubs
                .iter()
                .map(|hub| json!({ "url": hub.url, "state": format!("{:?}", hub.state), "error": hub.error }))
                .collect();
            json!({ "event": "hubs", "hubs": hubs })
        }
        Event::Peers => json!({ "event": "peers", "peers": peers(node) }),
        Event::Requests => json!({ "event": "requests" }),
        Event::State(state) => json!({ "event": "state", "state": state.as_str() }),
        Event::Writers => json!({ "event": "writers" }),
        _ => return,
    };
    println!("{told}");
}

/// What a call gave.
pub fn outcome(reply: Reply) -> Json {
    match reply {
        Reply::Found(found) => found.iter().map(self::found).collect(),
        Reply::SignedUp { key, .. } | Reply::Space(key) => json!(format!("hypha://{key}")),
        Reply::Words(words) => json!(words.join(" ")),
        // What no call of ours gives.
        _ => Json::Null,
    }
}

/// An entry.
pub fn found(found: &Found) -> Json {
    let value = found.item.value.as_deref().and_then(|bytes| decode_value(bytes).ok());
    json!({
        "key": found.item.key,
        "value": value.as_ref().map(plain),
        "version": found.item.version.to_string(),
        "writer": hex(found.item.writer.as_bytes()),
        "device": found.device,
        "mine": found.mine,
        "private": found.item.private,
    })
}

/// Who is connected.
pub fn peers(node: &Node) -> Json {
    let open = |state| state == LinkState::Open;
    let peers = node.peers();
    peers
        .iter()
        .map(|peer| {
            json!({
                "id": peer.link.id.to_string(), "open": open(peer.link.state), "level": peer.level,
                "bytesIn": peer.link.bytes_in, "bytesOut": peer.link.bytes_out,
            })
        })
        .collect()
}

/// Requests that wait.
pub fn requests(node: &Node) -> Json {
    let requests = node.requests();
    requests
        .iter()
        .map(|one| json!({ "id": hex(&one.id), "device": one.device, "words": one.words.join(" ") }))
        .collect()
}

/// What it is, and of which space.
pub fn state(node: &Node) -> Json {
    let home = node.home().map(|key| format!("hypha://{key}"));
    json!({ "state": node.state().as_str(), "home": home })
}

/// Who writes or wrote.
pub fn writers(node: &Node) -> Json {
    let writers = node.writers(None);
    writers.iter().map(|one| json!({ "key": hex(one.key.as_bytes()), "length": one.length })).collect()
}

/// A value of JSON as a value of Hypha.
pub fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(is) => Value::Bool(*is),
        Json::Number(number) => match number.as_i64() {
            Some(integer) => Value::Integer(integer.into()),
            None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::Text(text.clone()),
        Json::Array(all) => Value::Array(all.iter().map(value).collect()),
        Json::Object(all) => Value::Map(all.iter().map(|(name, one)| (name.clone(), value(one))).collect()),
    }
}

fn plain(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(is) => json!(is),
        Value::Integer(integer) => {
            i64::try_from(*integer).map_or_else(|_| json!(integer.to_string()), Json::from)
        }
        Value::Float(number) => json!(number),
        Value::Text(text) => json!(text),
        Value::Bytes(bytes) | Value::Blob(bytes) => json!(hex(bytes)),
        Value::Array(all) => all.iter().map(plain).collect(),
        Value::Map(all) => Json::Object(all.iter().map(|(name, one)| (name.clone(), plain(one))).collect()),
        Value::Date(ms) => json!(ms),
        Value::Object(id) => json!(hex(id)),
    }
}
