//! `build`, second half: `www/` and `pkg/` → `site/`, the page as it is put on a web host.
//!
//! ```text
//! www/*.js, pkg/*.js ── esbuild ─→ app-HASH.js, replica-HASH.js, pkg/worker.js: what is needed at once
//!                                  pkg/NAME-HASH.js: what is imported when it is first shown, or shared
//! www/css/*.css      ── esbuild ─→ NAME-HASH.css: the sheets of one page, in their order; css/later.css: what comes later
//! www/*.html         ────────────→ with these names, and hints for what will be loaded in any case
//! pkg/wasm/*.wasm, www/*.svg ────→ as they are
//! ```
//! All scripts but the pages' own are in `pkg/`, so that what the package names beside itself (`./wasm/…`,
//! `./worker.js`) is there. Names hold a hash of the content: an old page never meets a part of a new one.

use crate::process::{self, Output};
use crate::{npm, package, paths, tools};
use anyhow::{Context, Result, bail, ensure};
use blake2::{Blake2b, Digest, digest::consts::U4};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);
/// The oldest browsers that have all that the page and the package use.
const TARGET: &str = "--target=es2022";
/// Pages and their scripts. The last one's worker stays: it shares the module's glue with that page.
const PAGES: &[(&str, &str)] = &[("replica", "replica.js"), ("index", "app.js")];
/// The package: imported at once, though as `import(…)`.
const PACKAGE: &str = "pkg/index.js";
/// Imported by a newcomer's page, in one piece.
const BEGIN: &str = "views/begin.js";

/// The sheet that a script asks for when something is shown that comes later, by this name.
const LATER: &str = "css/later.css";

/// The finished site.
pub fn dir() -> PathBuf {
    paths::root().join("site")
}

/// Puts the site together from `www/` and the package.
pub fn build() -> Result<()> {
    let (from, to) = (paths::target().join("hypha-sources"), paths::target().join("hypha-site"));
    for dir in [&from, &to, &to.with_extension("draft")] {
        if dir.exists() {
            fs::remove_dir_all(dir)?;
        }
        fs::create_dir_all(dir)?;
    }
    for (page, script) in PAGES {
        // anew, since what comes later is changed for each
        copy(&paths::root().join("www"), &from, |file| !file.ends_with(".png"))?;
        copy(&package::dir(), &from.join("pkg"), |_| true)?;
        let graph = scripts(script, &from, &to)?;
        let html = fs::read_to_string(from.join(format!("{page}.html")))?;
        let html = with_styles(&html, page, &from, &to)?;
        fs::write(to.join(format!("{page}.html")), with_scripts(&html, &graph, &to)?)?;
    }
    copy(&from, &to, |file| file.ends_with(".svg") || file.ends_with(".wasm"))?;
    let later = to.join(LATER);
    esbuild(&[LATER.to_owned(), format!("--outfile={}", later.display())], &from)?;
    is_whole(&to)?;
    let site = dir();
    if site.exists() {
        fs::remove_dir_all(&site)?;
    }
    copy(&to, &site, |_| true)
}

fn copy(from: &Path, to: &Path, wanted: impl Fn(&str) -> bool) -> Result<()> {
    for file in paths::files_under(from) {
        let inside = file.strip_prefix(from)?;
        if wanted(&inside.to_string_lossy()) {
            let place = to.join(inside);
            fs::create_dir_all(place.parent().context("a file is in a folder")?)?;
            fs::copy(&file, &place).with_context(|| format!("cannot copy {}", paths::shown(&file)))?;
        }
    }
    Ok(())
}

fn esbuild(args: &[String], from: &Path) -> Result<()> {
    let mut command = Command::new(tools::node()?);
    command.arg(npm::esbuild()?).args(args).args(["--bundle", "--minify", "--log-level=warning", TARGET]);
    process::must(command.current_dir(from), LIMIT, Output::Kept).map(drop)
}

/// Bundles all scripts; what esbuild says of those of each page.
///
/// esbuild makes a chunk of each set of modules that the same parts share, which are many small ones. So each part that
/// comes later is made to stand on all that is there by then: that is one chunk.
fn scripts(script: &str, from: &Path, to: &Path) -> Result<Value> {
    let entries = [script, "pkg/worker.js"];
    let draft = to.with_extension("draft");
    let graph = bundled(&entries, from, &draft)?;
    let (all, later) = sources(&graph, script)?;
    let (package, _) = sources(&graph, PACKAGE)?;
    let begin = if later.contains(BEGIN) { sources(&graph, BEGIN)?.0 } else { BTreeSet::new() };
    for part in &later {
        let own = sources(&graph, part)?.0;
        let mut stands_on: BTreeSet<&String> =
            if part.starts_with("pkg/") { package.iter().collect() } else { all.iter().collect() };
        if own.iter().any(|name| begin.contains(name) && !all.contains(name)) {
            stands_on.extend(&begin);
        }
        let mut text = fs::read_to_string(from.join(part))?;
        let up = "../".repeat(part.matches('/').count());
        for name in stands_on.into_iter().filter(|name| *name != part) {
            text.push_str(&format!("import \"./{up}{name}\";\n"));
        }
        fs::write(from.join(part), text)?;
    }
    bundled(&entries, from, to)
}

fn bundled(entries: &[&str], from: &Path, to: &Path) -> Result<Value> {
    let graph = to.with_extension("json");
    let mut args: Vec<String> = entries.iter().map(|&entry| entry.to_owned()).collect();
    args.extend(
        ["--splitting", "--format=esm", "--charset=utf8", "--entry-names=[dir]/[name]"].map(str::to_owned),
    );
    args.push("--chunk-names=pkg/[name]-[hash]".to_owned());
    args.push(format!("--metafile={}", graph.display()));
    args.push(format!("--outdir={}", to.display()));
    esbuild(&args, from)?;
    Ok(serde_json::from_str(&fs::read_to_string(graph)?)?)
}

/// The sources that `root` reaches by static imports, itself among them; and those that it or what it reaches imports
/// when they are needed.
fn sources(graph: &Value, root: &str) -> Result<(BTreeSet<String>, BTreeSet<String>)> {
    let (mut first, mut all, mut later) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut open = vec![(root.to_owned(), true)];
    while let Some((path, at_once)) = open.pop() {
        let is_new = if at_once { first.insert(path.clone()) } else { all.insert(path.clone()) };
        if !is_new {
            continue;
        }
        let imports = graph.get("inputs").and_then(|all| all.get(&path)?.get("imports")?.as_array());
        for import in imports.with_context(|| format!("esbuild told nothing of {path}"))? {
            let text = |name: &str| import.get(name).and_then(Value::as_str).unwrap_or_default();
            let name = text("path").to_owned();
            let is_static = text("kind") == "import-statement";
            if !is_static {
                later.insert(name.clone());
            }
            open.push((name, at_once && is_static));
        }
    }
    Ok((first, later))
}

/// `html` with one sheet in the place of several.
fn with_styles(html: &str, page: &str, from: &Path, to: &Path) -> Result<String> {
    const LINK: &str = "<link rel=\"stylesheet\" href=\"";
    let names: Vec<&str> =
        html.split(LINK).skip(1).filter_map(|part| part.split_once('"')).map(|(name, _)| name).collect();
    let all: String = names.iter().map(|name| format!("@import \"{name}\";\n")).collect();
    let joined = from.join(format!("{page}.css"));
    fs::write(&joined, all)?;
    let out = to.join(format!("{page}.css"));
    esbuild(&[joined.display().to_string(), format!("--outfile={}", out.display())], from)?;
    let name = with_hash(&out)?;
    let mut lines: Vec<String> =
        html.lines().filter(|line| !line.contains(LINK)).map(str::to_owned).collect();
    let at = lines.iter().position(|line| line.contains("rel=\"icon\"")).context("a page has an icon")?;
    lines.insert(at, format!("{LINK}./{name}\">"));
    Ok(lines.join("\n"))
}

/// `html` with the bundled script, and with hints in the place of the one for the package.
fn with_scripts(html: &str, graph: &Value, to: &Path) -> Result<String> {
    let name = html
        .split_once("src=\"./")
        .and_then(|(_, rest)| rest.split_once('"'))
        .context("a page has a script")?
        .0;
    let script = with_hash(&to.join(name))?;
    let mut first = BTreeSet::new();
    reached(graph, &output_of(graph, name)?, &mut first)?;
    reached(graph, &output_of(graph, PACKAGE)?, &mut first)?;
    let hints: String = first
        .iter()
        .filter(|path| !path.ends_with(&format!("/{name}")))
        .filter_map(|path| path.split_once("hypha-site/"))
        .map(|(_, path)| format!("<link rel=\"modulepreload\" href=\"./{path}\">\n"))
        .collect();
    let mut out = String::new();
    for line in html.lines().map(str::trim) {
        if line.starts_with("<!--") && line.ends_with("-->") {
            continue;
        }
        if line.contains("rel=\"modulepreload\"") {
            out.push_str(&hints);
            continue;
        }
        out.push_str(&line.replace(&format!("\"./{name}\""), &format!("\"./{script}\"")));
        out.push('\n');
    }
    Ok(out)
}

/// What esbuild made of the source at `path`.
fn output_of(graph: &Value, path: &str) -> Result<String> {
    let outputs = graph.get("outputs").and_then(Value::as_object).context("esbuild told no outputs")?;
    let is_it = |about: &Value| about.get("entryPoint").and_then(Value::as_str) == Some(path);
    let found = outputs.iter().find(|(_, about)| is_it(about));
    Ok(found.with_context(|| format!("esbuild made nothing of {path}"))?.0.clone())
}

/// `path` and all that it imports at once, in `found`.
fn reached(graph: &Value, path: &str, found: &mut BTreeSet<String>) -> Result<()> {
    if !found.insert(path.to_owned()) {
        return Ok(());
    }
    let imports = graph.get("outputs").and_then(|all| all.get(path)?.get("imports")?.as_array());
    for import in imports.with_context(|| format!("esbuild told nothing of {path}"))? {
        if import.get("kind").and_then(Value::as_str) == Some("import-statement")
            && let Some(path) = import.get("path").and_then(Value::as_str)
        {
            reached(graph, path, found)?;
        }
    }
    Ok(())
}

/// Renames a file to have a hash of its content in its name; the new name.
fn with_hash(file: &Path) -> Result<String> {
    let hash = data_encoding::HEXLOWER.encode(&Blake2b::<U4>::digest(fs::read(file)?));
    let part = |part: Option<&std::ffi::OsStr>| {
        part.map(|part| part.to_string_lossy().into_owned()).unwrap_or_default()
    };
    let name = format!("{}-{hash}.{}", part(file.file_stem()), part(file.extension()));
    fs::rename(file, file.with_file_name(&name))?;
    Ok(name)
}

/// An error if a script names a file beside itself that is not there.
fn is_whole(site: &Path) -> Result<()> {
    let mut count = 0;
    for file in paths::files_under(site).iter().filter(|file| file.extension().is_some_and(|end| end == "js"))
    {
        let text = fs::read_to_string(file)?;
        for name in text.split("new URL(\"").skip(1).filter_map(|part| part.split_once("\",import.meta.url)"))
        {
            let named = file.parent().context("a script is in a folder")?.join(name.0);
            if !named.is_file() {
                bail!("{} names {}, which is not there", paths::shown(file), name.0);
            }
            count += 1;
        }
    }
    ensure!(count >= 3, "the worker and the parts of the module are named by somebody");
    Ok(())
}
