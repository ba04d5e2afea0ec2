//! A node outside of a browser: the pure layers of `hypha-node` on webrtc-rs, WebSockets and a clock of this machine.
//!
//! For the tests: what joins here through a hub, with nothing but a hyphalink, is not a browser and shares no line with one
//! below the pure layers. It keeps everything in memory.
//!
//! ```text
//! hypha-native-peer [--domain HOST] [--link hypha://…] --hub URL…
//! stdin   {"id":1,"call":"list","prefix":"posts/"}      one JSON object a line; `calls` lists them
//! stdout  {"id":1,"result":[…]}  {"id":2,"error":"…","code":"…"}  {"event":"state","state":"visitor"}
//! ```
//! It ends with its stdin.
//!
//! ```text
//! driver   the pump around the node      link     one RTCPeerConnection      socket   one hub
//! calls    what a test may ask           json     values, entries, states as JSON
//! ```
#![forbid(unsafe_code)]

mod calls;
mod driver;
mod json;
mod link;
mod socket;

use anyhow::{Context, Result, bail};
use hypha_node::crypto::{Host, Link};
use hypha_node::node::Options;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::mpsc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let options = options(std::env::args().skip(1))?;
    let (lines, asked) = mpsc::channel(16);
    tokio::spawn(async move {
        let mut stdin = BufReader::new(tokio::io::stdin()).lines();
        while let Ok(Some(line)) = stdin.next_line().await {
            if lines.send(line).await.is_err() {
                break;
            }
        }
    });
    driver::Driver::open(options)?.run(asked).await;
    // Reading stdin blocks a thread that cannot be stopped.
    std::process::exit(0)
}

fn options(mut args: impl Iterator<Item = String>) -> Result<Options> {
    let mut options = Options {
        domain: Host::parse("localhost")?,
        link: None,
        hubs: Vec::new(),
        replica: false,
        quota: None,
        space_quota: None,
        max_links: None,
        relaxed: false,
        tabs: false,
        webrtc: true,
        // By a connection of its own, or not at all.
        relay: Some(false),
    };
    while let Some(name) = args.next() {
        let value = args.next().with_context(|| format!("{name} needs a value"))?;
        match name.as_str() {
            "--domain" => options.domain = Host::parse(&value)?,
            "--hub" => options.hubs.push(value),
            "--link" => options.link = Some(Link::parse(&value)?.0),
            _ => bail!("there is no option {name}"),
        }
    }
    Ok(options)
}
