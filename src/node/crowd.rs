//! A crowd: many whole nodes in one simulated network. Everything follows from the seed, which is printed.
//!
//! What is real: every node is a [`Node`] as a browser has it, with its mesh, hub adapter, sealed signalling,
//! negotiators, Noise sessions, exchanges, space, signatures and storage index. What is simulated: the clock, one
//! y-webrtc hub, `RTCPeerConnection` ([`FakeRtc`], which refuses what a browser would refuse), the lines between nodes,
//! and the disk, which takes everything after 3 ms and keeps nothing. The hub shows what is said to a room to at most 500
//! of those in it (100 if there are more than 2,000 nodes), by chance, as a hub with a rate limit would. A lost packet of a connection is one that comes late, since
//! data channels repeat; a lost message of the hub is lost.
//!
//! ```text
//! world    nodes, hub, connections, lines     story    what happens to them, and what it took     report   table, JSON, chart
//! ```
//! `HYPHA_SIM` names the sizes (`32,1000,10000`), `HYPHA_SIM_SEED` the seed, `HYPHA_SIM_OUT` a folder for JSON and chart;
//! `cargo xtask sim` sets them. Without them it is an ordinary test of 32 nodes.

mod report;
mod story;
mod world;

use super::*;

#[test]
fn a_write_reaches_everybody_whatever_happens_to_the_network() {
    let text = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let seed: u64 = text("HYPHA_SIM_SEED", "1").parse().unwrap();
    let sizes: Vec<usize> =
        text("HYPHA_SIM", "32").split(',').map(|size| size.trim().parse().unwrap()).collect();
    let mut rows = Vec::new();
    println!("{}", report::HEAD);
    for size in sizes {
        story::tell(size, seed, &mut |row: story::Row| {
            println!("{}", report::line(&row));
            rows.push(row);
        });
    }
    if let Ok(out) = std::env::var("HYPHA_SIM_OUT") {
        report::write(std::path::Path::new(&out), seed, &rows);
    }
    for row in &rows {
        let log = f64::log2(row.nodes as f64);
        assert!(row.left == 0, "{}: {} nodes never got it", row.what, row.left);
        assert!(row.links_max <= 12, "{}: {} links", row.what, row.links_max);
        assert!(f64::from(row.hops_max) <= 3.0 * log, "{}: {} hops", row.what, row.hops_max);
    }
}
