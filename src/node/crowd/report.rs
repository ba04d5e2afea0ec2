//! The table, and the same as JSON and as a chart.

use std::{fmt::Write, fs, path::Path};

use super::story::Row;

pub(super) const HEAD: &str = "\
 nodes  what happened                          half ms   all ms  hops median/max  bytes/node  links median/max  hub/node  left
------  ------------------------------------  --------  -------  ---------------  ----------  ----------------  --------  ----";

pub(super) fn line(row: &Row) -> String {
    format!(
        "{:6}  {:36}  {:8}  {:7}  {:12}/{:2}  {:10}  {:13}/{:2}  {:8.1}  {:4}",
        row.nodes,
        row.what,
        row.half_ms,
        row.all_ms,
        row.hops_median,
        row.hops_max,
        row.bytes,
        row.links_median,
        row.links_max,
        row.hub,
        row.left
    )
}

/// `sim.json` and `sim.svg` in a folder.
pub(super) fn write(out: &Path, seed: u64, rows: &[Row]) {
    fs::create_dir_all(out).unwrap();
    let json: Vec<_> = rows
        .iter()
        .map(|row| {
            serde_json::json!({
                "nodes": row.nodes, "what": row.what, "left": row.left, "halfMs": row.half_ms, "allMs": row.all_ms,
                "hopsMedian": row.hops_median, "hopsMax": row.hops_max, "bytesPerNode": row.bytes,
                "linksMedian": row.links_median, "linksMax": row.links_max, "hubMessagesPerNode": row.hub,
            })
        })
        .collect();
    let json = serde_json::json!({ "seed": seed, "rows": json });
    fs::write(out.join("sim.json"), serde_json::to_string_pretty(&json).unwrap()).unwrap();
    fs::write(out.join("sim.svg"), chart(rows)).unwrap();
}

type Measure = fn(&Row) -> f64;

/// Four panels, a bar for each row: time, hops, bytes, links.
fn chart(rows: &[Row]) -> String {
    let panels: [(&str, Measure); 4] = [
        ("ms until all have it", |row| row.all_ms as f64),
        ("hops, the most", |row| f64::from(row.hops_max)),
        ("bytes sent per node", |row| row.bytes as f64),
        ("connections per node, the most", |row| row.links_max as f64),
    ];
    let height = 60 + rows.len() * 18;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1340\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"11\"><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    for (n, row) in rows.iter().enumerate() {
        let y = 52 + n * 18;
        writeln!(out, "<text x=\"10\" y=\"{y}\">{}: {}</text>", row.nodes, row.what).unwrap();
    }
    for (at, (title, value)) in panels.iter().enumerate() {
        let x = 270 + at * 265;
        writeln!(out, "<text x=\"{x}\" y=\"24\" font-weight=\"bold\">{title}</text>").unwrap();
        let most = rows.iter().map(value).fold(1.0, f64::max);
        for (n, row) in rows.iter().enumerate() {
            let (y, width) = (42 + n * 18, 190.0 * value(row) / most);
            writeln!(
                out,
                "<rect x=\"{x}\" y=\"{y}\" width=\"{width:.1}\" height=\"12\" fill=\"#4a7\"/>\
                 <text x=\"{:.1}\" y=\"{}\">{:.0}</text>",
                x as f64 + width + 4.0,
                y + 10,
                value(row)
            )
            .unwrap();
        }
    }
    out.push_str("</svg>\n");
    out
}
