//! `size`: everything a page loads before the first write, gzipped, against its target and what it was last.
//!
//! Starts at `site/index.html` and follows what each file names: `src` and stylesheet links in HTML, `url(…)` in CSS,
//! and in scripts every quoted relative path that exists, be it imported at once, as worker or as wasm; not what is
//! imported by `import(…)` when it is needed, but for what a newcomer needs. Later parts of the module are loaded later, the
//! second while a set-up is under way: they have bounds of their own. What a browser really loads is measured by `tests-wasm/e2e/22-first-load.test.mjs`.

use crate::{bundle, paths};
use anyhow::{Context, Result, bail};
use flate2::{Compression, write::GzEncoder};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Component, Path};

/// Gzipped bytes that a page should load before the first write.
const TARGET: usize = 200 << 10;
/// Gzipped bytes that it may load until somebody confirms the set-up, by which the first write comes to be: the least that
/// was reached, and 4 KiB, since no two recordings are the same. Whoever makes it less lowers it.
const MOST: usize = 158 << 10;
/// The same with what the set-up needs besides, which is loaded while keys are derived, until it is stored.
const MOST_SET_UP: usize = 260 << 10;
/// What the set-up needs besides.
const SET_UP: &str = "pkg/wasm/core_setup.wasm";
/// What comes after it, and the gzipped bytes that these may have. Whoever raises them says in the commit what for.
const LATER: &[(&str, usize)] =
    &[("pkg/wasm/core_posts.wasm", 43 << 10), ("pkg/wasm/core_rest.wasm", 403 << 10)];
/// The sheet that a script asks for when something is shown that comes later.
const LATER_SHEET: &str = "css/later.css";
/// What is imported by `import(…)` and needed all the same, by the names before the hashes: the package, and what
/// somebody sees who begins a diary.
const AT_ONCE: &[&str] = &["pkg", "begin"];

/// Prints the table; false if there is too much.
pub fn run() -> Result<bool> {
    let loaded = Loaded::find(&bundle::dir())?;
    loaded.print();
    let length = |path: &str| gzipped(&fs::read(bundle::dir().join(path))?);
    let set_up = loaded.total() + length(SET_UP)?;
    println!(
        "  {} KiB gzip until a set-up is stored, with {SET_UP}; at most {} KiB; {}",
        kib(set_up),
        MOST_SET_UP >> 10,
        verdict(set_up)
    );
    let mut fits = loaded.total() <= MOST && set_up <= MOST_SET_UP;
    for (path, most) in LATER {
        let later = length(path)?;
        println!("  later: {path} {} KiB gzip, of {} at most", kib(later), most >> 10);
        fits &= later <= *most;
    }
    Ok(fits)
}

/// As [`run`], but an error when there is too much.
pub fn check() -> Result<()> {
    if run()? {
        return Ok(());
    }
    bail!(
        "more than one of the bounds above; after changes to the library, `cargo xtask profile` finds out anew what is \
           needed first"
    )
}

/// Files by their path in the site, with plain and gzipped length.
struct Loaded(BTreeMap<String, (usize, usize)>);

impl Loaded {
    fn find(site: &Path) -> Result<Self> {
        let mut found = BTreeMap::new();
        let mut open = vec!["index.html".to_owned()];
        while let Some(path) = open.pop() {
            if found.contains_key(&path) {
                continue;
            }
            let file = site.join(&path);
            let bytes = fs::read(&file).with_context(|| format!("cannot read {}", paths::shown(&file)))?;
            let names = references(&path, &String::from_utf8_lossy(&bytes));
            open.extend(names.into_iter().filter(|name| !is_later(name) && site.join(name).is_file()));
            found.insert(path, (bytes.len(), gzipped(&bytes)?));
        }
        if !found.keys().any(|path| path.ends_with(".wasm")) {
            bail!("site/index.html leads to no .wasm: is it built?");
        }
        Ok(Self(found))
    }

    fn total(&self) -> usize {
        self.0.values().map(|(_, small)| small).sum()
    }

    fn print(&self) {
        println!("  {:<44} {:>10} {:>10}", "loaded until a set-up is confirmed", "bytes", "gzip");
        let mut rows: Vec<_> = self.0.iter().collect();
        rows.sort_by_key(|(_, (_, small))| std::cmp::Reverse(*small));
        for (path, (plain, small)) in rows {
            println!("  {path:<44} {plain:>10} {small:>10}");
        }
        let plain: usize = self.0.values().map(|(plain, _)| plain).sum();
        let total = self.total();
        println!("  {:<44} {plain:>10} {total:>10}", "together");
        println!(
            "  {} KiB gzip until a set-up is confirmed; at most {} KiB; {}",
            kib(total),
            MOST >> 10,
            verdict(total)
        );
    }
}

fn verdict(total: usize) -> String {
    let over = total.saturating_sub(TARGET);
    let verdict = if over == 0 { "met".to_owned() } else { format!("missed by {} KiB", kib(over)) };
    format!("target {} KiB: {verdict}", TARGET >> 10)
}

fn is_later(path: &str) -> bool {
    path == SET_UP || path == LATER_SHEET || LATER.iter().any(|(later, _)| *later == path)
}

/// Tenths of KiB, without floating point.
fn kib(bytes: usize) -> String {
    let tenths = (bytes * 10).div_ceil(1 << 10);
    format!("{}.{}", tenths / 10, tenths % 10)
}

fn gzipped(bytes: &[u8]) -> Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len())
}

fn is_at_once(name: &str) -> bool {
    let name = Path::new(name).file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    AT_ONCE.contains(&name.rsplit_once('-').map_or(name, |(name, _)| name))
}

/// Paths in the site that the text of the file at `path` may load.
fn references(path: &str, text: &str) -> Vec<String> {
    let names: Vec<&str> = match Path::new(path).extension().and_then(|end| end.to_str()) {
        Some("html") => html(text),
        Some("css") => between(text, "url(", ')').map(|name| name.trim_matches(['"', '\''])).collect(),
        Some("js" | "mjs") => ['"', '\'', '`']
            .into_iter()
            .flat_map(|quote| {
                // whatever stands behind `import(` comes when it is needed
                let mut before = "";
                text.split(quote).filter(move |part| {
                    let is_later = before.ends_with("import(") && !is_at_once(part);
                    before = part;
                    !is_later
                })
            })
            .filter(|part| part.starts_with("./") || part.starts_with("../") || part.starts_with('/'))
            .filter(|part| part.len() < 200 && !part.contains(['\n', '*']))
            .collect(),
        _ => Vec::new(),
    };
    names.into_iter().filter_map(|name| resolve(path, name)).collect()
}

/// `src` of anything, `href` of links that are loaded.
fn html(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for tag in between(text, "<", '>') {
        let loads = tag.contains("stylesheet")
            || tag.contains("preload")
            || tag.contains("icon")
            || tag.contains("manifest");
        if tag.starts_with("link") && loads {
            names.extend(between(tag, "href=\"", '"'));
        }
        names.extend(between(tag, "src=\"", '"'));
    }
    names
}

/// What stands between each `start` and the next `end`.
fn between<'a>(text: &'a str, start: &'a str, end: char) -> impl Iterator<Item = &'a str> {
    text.split(start).skip(1).filter_map(move |part| part.split_once(end).map(|(inside, _)| inside))
}

/// `name` as seen from the file at `from`; none if it leads elsewhere.
fn resolve(from: &str, name: &str) -> Option<String> {
    let name = name.split(['?', '#']).next()?;
    if name.is_empty() || name.contains(':') {
        return None;
    }
    let base = if name.starts_with('/') { Path::new("") } else { Path::new(from).parent()? };
    let joined = base.join(name.trim_start_matches('/'));
    let mut parts = Vec::new();
    for part in joined.components() {
        match part {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::CurDir => {}
            Component::ParentDir => drop(parts.pop()?),
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_name_modules_workers_and_wasm() {
        let text = "import { a } from './a.js'; import('../b.js'); import('./pkg/begin-1A.js'); new Worker(new URL(\"./w.js\", import.meta.url));\n\
                    fetch(`./wasm/core.wasm`); const s = 'no/path'; // './gone.js'";
        let mut names = references("pkg/js/index.js", text);
        names.sort();
        assert_eq!(
            names,
            [
                "pkg/js/a.js",
                "pkg/js/gone.js",
                "pkg/js/pkg/begin-1A.js",
                "pkg/js/w.js",
                "pkg/js/wasm/core.wasm"
            ]
        );
    }

    #[test]
    fn pages_load_scripts_and_styles_but_not_what_they_link_to() {
        let text = "<link rel=\"stylesheet\" href=\"style.css\"><script type=\"module\" src=\"/page.js\"></script>\
                    <a href=\"replica.html\">x</a><img src=\"data:image/png;base64,AA\"><link rel=\"icon\" href=\"i.svg?v=1\">";
        assert_eq!(references("index.html", text), ["style.css", "page.js", "i.svg"]);
        assert_eq!(references("css/a.css", "b { background: url('../i.png') }"), ["i.png"]);
    }

    #[test]
    fn nothing_leads_out_of_the_site() {
        assert_eq!(resolve("index.html", "../secret"), None);
        assert_eq!(resolve("a/b.js", "https://example.org/x.js"), None);
    }

    #[test]
    fn sizes_round_up() {
        assert_eq!((kib(1024), kib(1025), kib(0)), ("1.0".to_owned(), "1.1".to_owned(), "0.0".to_owned()));
    }
}
