//! What a test may ask on stdin, one JSON object a line, each answered under its `id`.
//!
//! ```text
//! list     { prefix? }                     peers                             signIn  { passphrase, device }
//! write    { key, value, private? }        writers                           signUp  { passphrase, device }
//! state                                    requests                          approve { request, words }
//! ```

use anyhow::{Context, Result, bail};
use hypha_node::codec::encode_value;
use hypha_node::crypto::{Host, Passphrase, RootSecret, parse_hex};
use hypha_node::node::{Call, Input, Node, SpaceCall};
use hypha_node::space::{Expect, Range, WriteOp};
use serde_json::{Value, json};

use crate::json;

/// Carries out one line. What the node answers later is printed when it does.
pub fn run(node: &mut Node, domain: &Host, now: u64, line: &str) {
    let Ok(asked) = serde_json::from_str::<Value>(line) else {
        return println!("{}", json!({ "event": "error", "message": "not JSON" }));
    };
    let id = asked["id"].as_u64().and_then(|id| u32::try_from(id).ok()).unwrap_or_default();
    match read(node, &asked) {
        Ok(Some(answer)) => println!("{}", json!({ "id": id, "result": answer })),
        Ok(None) => match call(domain, &asked) {
            Ok(call) => node.handle(now, Input::Call { id, call }),
            Err(error) => println!("{}", json!({ "id": id, "error": format!("{error:#}") })),
        },
        Err(error) => println!("{}", json!({ "id": id, "error": format!("{error:#}") })),
    }
}

/// What can be told at once.
fn read(node: &Node, asked: &Value) -> Result<Option<Value>> {
    Ok(Some(match asked["call"].as_str().context("there is no `call`")? {
        "list" => {
            let range = Range::prefix(asked["prefix"].as_str().unwrap_or_default());
            node.list(None, &range)?.iter().map(json::found).collect()
        }
        "peers" => json::peers(node),
        "requests" => json::requests(node),
        "state" => json::state(node),
        "writers" => json::writers(node),
        _ => return Ok(None),
    }))
}

fn call(domain: &Host, asked: &Value) -> Result<Call> {
    let text = |name: &str| asked[name].as_str().with_context(|| format!("`{name}` should be a text"));
    let secret = || -> Result<RootSecret> {
        // About a second, during which nothing else happens here: as good as a busy machine.
        Ok(RootSecret::derive(&Passphrase::parse(text("passphrase")?)?, domain)?)
    };
    Ok(match text("call")? {
        "approve" => {
            let request = parse_hex(text("request")?).context("`request` should be 32 digits")?;
            let words: Vec<String> = text("words")?.split(' ').map(str::to_owned).collect();
            let words = words.try_into().ok().context("`words` should be four")?;
            Call::Approve { request, words: Some(words) }
        }
        "signIn" => Call::SignIn { secret: secret()?, device: text("device")?.to_owned(), remember: false },
        "signUp" => {
            let device = text("device")?.to_owned();
            Call::SignUp { secret: secret()?, device, remember: false, claim: None }
        }
        "write" => {
            let value = encode_value(&json::value(&asked["value"]))?;
            let private = asked["private"].as_bool().unwrap_or_default();
            let put = WriteOp::Put { key: text("key")?.to_owned(), value, private, expect: Expect::Any };
            Call::In { space: None, act: SpaceCall::Write { ops: vec![put] } }
        }
        other => bail!("there is no call {other}"),
    })
}
