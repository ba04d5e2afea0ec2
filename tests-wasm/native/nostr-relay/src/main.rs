//! The relay of the crate nostr-relay-builder on a port of loopback: `hypha-nostr-relay PORT`. What stands here is only what the
//! crate leaves to whoever runs it. It ends when it is told to.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Context, Result};
use nostr_relay_builder::prelude::{LocalRelay, RelayBuilder};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> Result<()> {
    let port = std::env::args().nth(1).context("give it a port")?.parse()?;
    let relay = LocalRelay::new(RelayBuilder::default().addr(IpAddr::V4(Ipv4Addr::LOCALHOST)).port(port));
    relay.run().await?;
    println!("listening on {}", relay.url().await);
    signal(SignalKind::terminate())?.recv().await;
    relay.shutdown();
    Ok(())
}
