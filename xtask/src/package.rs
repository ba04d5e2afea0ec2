//! `build`: Rust → wasm → the finished npm package in `pkg/`.
//!
//! ```text
//! cargo build --release → hypha_node.wasm → wasm-bindgen → core.js, core_bg.wasm → wasm-opt ┐
//!    split: core_bg.wasm, core_setup.wasm …, by first-load.txt ◀────────────────────────────┤
//! pkg-template/ (index.js, index.d.ts, worker.js, package.json …), LICENSE-* ───────────────┴→ pkg/
//! ```
//! The slow half (bindgen, opt) is redone only when its inputs changed: their hash is kept beside the result.
//! `pkg/` is put together anew each time and holds exactly the parts of one module.

use crate::process::{self, Output};
use crate::split::{self, Module, Names, Statics};
use crate::step::step;
use crate::{bundle, npm, paths, slim, tools};
use anyhow::{Context, Result, bail, ensure};
use blake2::{Blake2b, Digest, digest::consts::U32};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The finished package.
pub fn dir() -> PathBuf {
    paths::root().join("pkg")
}

const COMPILE: Duration = Duration::from_secs(40 * 60);
const TRANSFORM: Duration = Duration::from_secs(15 * 60);

/// What rustc emits for the target, beside what the module's own `target_features` section says. The section itself
/// goes last: it is read before, and no browser needs it.
const WASM_OPT: &[&str] = &[
    "-Oz",
    // what the first pass leaves apart, a second one joins
    "-Oz",
    // inlining what is called once makes it smaller, and its gzip 6 % larger
    "--one-caller-inline-max-function-size=0",
    // the first kilobyte is the far end of the stack: what an index adds can go into a load's offset
    "--low-memory-unused",
    // likes beside likes: 2 % of the gzip
    "--reorder-functions-by-name",
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
    // wasm-bindgen's names, hashes among them, are read by the glue only
    "--minify-imports-and-exports-and-modules",
    // names stay for whoever cuts it in two
    "-g",
    "--strip-producers",
    "--strip-target-features",
];

/// Builds whatever is out of date and leaves the finished package in `pkg/`, and the page in `site/`.
pub fn build() -> Result<()> {
    tools::wasm_target()?;
    let compiled = step("Compile to wasm", compile)?;
    let core = core(&compiled, &whole(&compiled)?)?;
    step("Put pkg/ together", || assemble(&core))?;
    step("Put site/ together", bundle::build)
}

/// The library as rustc gives it.
pub fn compile() -> Result<PathBuf> {
    let mut command = Command::new("cargo");
    command.args(["rustc", "--release", "--lib", "--target", tools::WASM, "--package", "hypha-node"]);
    // a machine's own paths in panic messages would make builds differ and tell of their maker
    let home =
        std::env::var("CARGO_HOME").or_else(|_| std::env::var("HOME").map(|home| format!("{home}/.cargo")));
    let flags = [(paths::root().display().to_string(), "hypha"), (home.unwrap_or_default(), "cargo")]
        .iter()
        .filter(|(from, _)| !from.is_empty())
        .map(|(from, to)| serde_json::Value::from(format!("--remap-path-prefix={from}={to}")))
        // names of functions with their types, by which they are told apart
        .chain(["-Csymbol-mangling-version=v0".into()])
        .collect::<serde_json::Value>();
    // as configuration, since RUSTFLAGS would replace what .cargo/config.toml says instead of joining it
    command
        .arg("--config")
        .arg(format!("target.{}.rustflags={flags}", tools::WASM))
        // where data lies and what refers to it: see `split::data`
        .args(["--", "-Clink-arg=--emit-relocs"])
        .current_dir(paths::root());
    process::must(&mut command, COMPILE, Output::Shown)
        .context("the library does not compile for the browser")?;
    Ok(paths::target().join(tools::WASM).join("release/hypha_node.wasm"))
}

/// Folder with `core.js` and the optimised `core_bg.wasm` made from `compiled`, in one piece and with names.
pub fn whole(compiled: &Path) -> Result<PathBuf> {
    let wasm = fs::read(compiled).with_context(|| format!("cannot read {}", compiled.display()))?;
    let npm_lock = fs::read(paths::root().join("xtask/npm/package-lock.json"))?;
    let version = tools::locked_version("wasm-bindgen")?;
    let hash = hash_of(&[&wasm, version.as_bytes(), &npm_lock, WASM_OPT.join(" ").as_bytes()])?;

    let out = paths::target().join("hypha-core");
    let stamp = out.join("inputs");
    if fs::read_to_string(&stamp).is_ok_and(|text| text == hash) {
        return Ok(out);
    }
    let bindgen = tools::wasm_bindgen()?.join("wasm-bindgen");
    let (node, wasm_opt) = (tools::node()?, npm::wasm_opt()?);
    if out.exists() {
        fs::remove_dir_all(&out)?;
    }
    step("Make the bindings (wasm-bindgen)", || {
        let mut command = Command::new(&bindgen);
        command.args([
            "--target",
            "web",
            "--omit-default-module-path",
            "--no-typescript",
            "--out-name",
            "core",
        ]);
        command.arg("--out-dir").arg(&out).arg(compiled);
        process::must(&mut command, TRANSFORM, Output::Kept)
    })?;
    step("Optimise for size (wasm-opt)", || {
        let (raw, small) = (out.join("core_bg.wasm"), out.join("small.wasm"));
        let mut command = Command::new(&node);
        command.arg(&wasm_opt).args(WASM_OPT).arg(&raw).arg("--output").arg(&small);
        let names = process::must(&mut command, TRANSFORM, Output::Kept)?;
        fs::rename(small, raw)?;
        let glue = out.join("core.js");
        let script = without_comments(&fs::read_to_string(&glue)?);
        Ok(fs::write(&glue, with_names(&script, &names)?)?)
    })?;
    fs::write(stamp, hash)?;
    Ok(out)
}

/// Folder with `core.js` and the files of the parts: the module of `whole`, cut.
fn core(compiled: &Path, whole: &Path) -> Result<PathBuf> {
    let wasm = fs::read(whole.join("core_bg.wasm"))?;
    let out = paths::target().join("hypha-parts");
    if out.exists() {
        fs::remove_dir_all(&out)?;
    }
    fs::create_dir_all(&out)?;
    step("Put what is needed first apart", || {
        let list = first_load();
        let names = Names::read(
            &fs::read_to_string(&list).with_context(|| format!("cannot read {}", paths::shown(&list)))?,
        )?;
        let before = Module::read(&wasm)?;
        let name = |function: usize| before.names.get(function).map_or("", |name| name);
        let last = PARTS - 1;
        let mut functions = Vec::new();
        let mut counts = Vec::new();
        for at in 0..before.functions.len() {
            let body = at.checked_sub(before.imported()).and_then(|at| before.bodies.get(at));
            let places = body.map_or(Ok(0), split::places)?;
            functions.push(names.stage(name(at), places).unwrap_or(last).min(last));
            counts.extend(body.map(|_| (name(at), places)));
        }
        let strange = names.strange(counts.into_iter());
        if strange > 0 {
            println!(
                "  {} is of another build: {strange} of its functions are not in this one; `cargo xtask profile` \
                 watches again",
                paths::shown(&list)
            );
        }
        let needed = |function: usize, count| {
            // whichever way arithmetic goes depends on the numbers
            if WHOLE.iter().any(|one| name(function).contains(one)) {
                return None;
            }
            let reached = names.reached(name(function), count)?.into_iter();
            Some(reached.map(|stage| stage.unwrap_or(last).min(last)).collect())
        };
        let (wasm, taken) = split::take_out(&wasm, &before, &functions, &needed)?;
        let mut module = Module::read(&wasm)?;
        module.names = before.names.clone();
        let mark =
            format!("build-{}", hash_of(&[&wasm, names.text().as_bytes()])?.get(..16).unwrap_or_default());
        functions.extend(&taken);
        let layout = Statics::read(&fs::read(compiled)?)?.layout(&module, PARTS, functions)?;
        let parts = split::cut(&module, &mark, &layout)?;
        println!("  {} stretches that do not run, or later, are taken out of functions that do", taken.len());
        for (at, file) in parts.files.iter().enumerate() {
            let [own, stubs] = parts.counts.get(at).copied().unwrap_or_default();
            println!("  part {at}: {own} functions, and {stubs} that lead to later parts");
            fs::write(out.join(part(at)), file)?;
            fs::write(out.join(format!("names-{at}.txt")), parts.names.get(at).map_or("", |names| names))?;
        }
        let glue = fs::read_to_string(whole.join("core.js"))?;
        Ok(fs::write(out.join("core.js"), split::glue(&slim::slim(&glue)?)?)?)
    })?;
    Ok(out)
}

/// In how many parts the module is: what a page runs until somebody confirms the set-up, what the set-up runs, posts and
/// the page opened again, and all else.
pub const PARTS: usize = 4;

/// The file of a part.
pub fn part(at: usize) -> &'static str {
    ["core_bg.wasm", "core_setup.wasm", "core_posts.wasm", "core_rest.wasm"]
        .get(at)
        .copied()
        .unwrap_or_default()
}

/// What is in functions that stay in one piece.
const WHOLE: &[&str] = &[
    "argon2",
    "blake2",
    "chacha20",
    "collections",
    "compiler_builtins",
    "curve25519",
    "dlmalloc",
    "ed25519",
    "poly1305",
    "sha2",
    "slice::sort",
];

/// The list of functions that a page runs until its first write.
pub fn first_load() -> PathBuf {
    paths::root().join("xtask/first-load.txt")
}

fn hash_of(parts: &[&[u8]]) -> Result<String> {
    let mut hash = Blake2b::<U32>::new();
    for part in parts {
        hash.update(u64::try_from(part.len())?.to_le_bytes());
        hash.update(part);
    }
    Ok(data_encoding::HEXLOWER.encode(&hash.finalize()))
}

/// wasm-bindgen's glue without the doc comments (they stand in `index.d.ts`) and indentation: a fifth of its gzip.
fn without_comments(script: &str) -> String {
    let mut out = String::with_capacity(script.len());
    let mut in_comment = false;
    for line in script.lines().map(str::trim) {
        in_comment |= line.starts_with("/**");
        if !in_comment && !line.is_empty() && !line.starts_with("//") {
            out.push_str(line);
            out.push('\n');
        }
        in_comment &= !line.ends_with("*/");
    }
    out
}

/// The glue with the names that the module has now: of imports wherever they stand, since no other word looks like
/// theirs, of exports behind `wasm.`, and of the one module, `a`.
fn with_names(script: &str, names: &str) -> Result<String> {
    const MODULE: &str = "\"./core_bg.js\": import0";
    // among what else it may print: `imports` with module, name before and name now, `exports` without the module
    let names = names.find('{').zip(names.rfind('}')).and_then(|(start, end)| names.get(start..=end));
    let names: HashMap<String, Vec<Vec<String>>> =
        serde_json::from_str(names.unwrap_or_default()).context("wasm-opt printed no list of names")?;
    ensure!(script.matches(MODULE).count() == 1, "the glue has no place where its imports are handed over");
    let (mut imports, mut exports) = (HashMap::new(), HashMap::new());
    for name in names.values().flatten() {
        match name.as_slice() {
            [module, old, new] if module == "./core_bg.js" => imports.insert(old.as_str(), new.as_str()),
            [old, new] => exports.insert(old.as_str(), new.as_str()),
            _ => bail!("wasm-opt printed a name that is neither the glue's import nor an export: {name:?}"),
        };
    }
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '$';
    let mut out = String::with_capacity(script.len());
    for word in script.replace(MODULE, "\"a\": import0").split_inclusive(|letter| !is_letter(letter)) {
        let name = word.trim_end_matches(|letter| !is_letter(letter));
        let known = if out.ends_with("wasm.") { &exports } else { &imports };
        out.push_str(known.get(name).unwrap_or(&name));
        out.push_str(word.get(name.len()..).unwrap_or_default());
    }
    Ok(out)
}

fn assemble(core: &Path) -> Result<()> {
    let root = paths::root();
    ensure!(root.join("pkg-template/package.json").is_file(), "pkg-template/package.json is missing");
    // beside the old one, then swapped, so that a running server never serves half a package for long
    let stage = paths::target().join("hypha-pkg");
    if stage.exists() {
        fs::remove_dir_all(&stage)?;
    }
    fill(core, &stage)?;
    for name in ["LICENSE-MIT", "LICENSE-APACHE"] {
        place(&root.join(name), &stage.join(name))?;
    }
    let manifest = stage.join("package.json");
    fs::write(&manifest, with_version(&fs::read_to_string(&manifest)?, &crate_version()?)?)?;
    all_parts(&stage)?;
    let pkg = dir();
    if pkg.exists() {
        fs::remove_dir_all(&pkg)?;
    }
    for file in paths::files_under(&stage) {
        place(&file, &pkg.join(file.strip_prefix(&stage)?))?;
    }
    Ok(())
}

/// The template and the module of the folder `core`, in `stage`.
pub fn fill(core: &Path, stage: &Path) -> Result<()> {
    let template = paths::root().join("pkg-template");
    for file in paths::files_under(&template) {
        place(&file, &stage.join(file.strip_prefix(&template)?))?;
    }
    for name in (0..PARTS).map(part).chain(["core.js"]) {
        // a module as it is has no second part
        if core.join(name).is_file() {
            place(&core.join(name), &stage.join("wasm").join(name))?;
        }
    }
    Ok(())
}

fn place(from: &Path, to: &Path) -> Result<()> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::copy(from, to).with_context(|| format!("cannot copy {}", paths::shown(from)))?;
    Ok(())
}

fn all_parts(dir: &Path) -> Result<()> {
    let files = paths::files_under(dir);
    let found = files.iter().filter(|file| file.extension().is_some_and(|end| end == "wasm")).count();
    if found != PARTS {
        bail!("the package must hold exactly {PARTS} .wasm, the parts of one module; it holds {found}");
    }
    Ok(())
}

/// Version of the workspace, which is the package's.
fn crate_version() -> Result<String> {
    let manifest = fs::read_to_string(paths::root().join("Cargo.toml"))?;
    let mut lines = manifest.lines().skip_while(|line| *line != "[workspace.package]");
    let version = lines.find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
    Ok(version.context("Cargo.toml: no version in [workspace.package]")?.to_owned())
}

/// `manifest` (a package.json) with `version`; order and layout of the rest stay.
fn with_version(manifest: &str, version: &str) -> Result<String> {
    let parsed: serde_json::Value =
        serde_json::from_str(manifest).context("pkg-template/package.json is not JSON")?;
    let old =
        parsed.get("version").and_then(|v| v.as_str()).context("pkg-template/package.json: no version")?;
    let lines: Vec<String> = manifest
        .lines()
        .map(|line| {
            let key = line.trim_start().starts_with("\"version\":");
            if key { line.replace(&format!("\"{old}\""), &format!("\"{version}\"")) } else { line.to_owned() }
        })
        .collect();
    Ok(lines.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_set_and_nothing_else() {
        let manifest = "{\n  \"name\": \"x\",\n  \"version\": \"0.0.0\",\n  \"peer\": \"0.0.0\"\n}\n";
        let set = with_version(manifest, "1.2.3").unwrap();
        assert_eq!(set, "{\n  \"name\": \"x\",\n  \"version\": \"1.2.3\",\n  \"peer\": \"0.0.0\"\n}\n");
        assert!(with_version("{}", "1.2.3").is_err());
    }

    #[test]
    fn glue_loses_comments_and_nothing_else() {
        let script =
            "/**\n * A.\n */\nfunction a(b) {\n    /** B. */\n    // c\n\n    return b / 2 ** 3; // d\n}\n";
        assert_eq!(without_comments(script), "function a(b) {\nreturn b / 2 ** 3; // d\n}\n");
    }

    #[test]
    fn glue_gets_the_names_of_the_module() {
        let names =
            r#"{"imports":[["./core_bg.js","__wbg_now_12","$"]],"exports":[["now","b"],["memory","c"]]}"#;
        let script =
            "now: __wbg_now_12(wasm.now(1), wasm.memory.buffer, wasm.nowhere);\n\"./core_bg.js\": import0,\n";
        let named = "now: $(wasm.b(1), wasm.c.buffer, wasm.nowhere);\n\"a\": import0,\n";
        assert_eq!(with_names(script, names).unwrap(), named);
        assert!(with_names("", names).is_err() && with_names(script, "").is_err());
    }

    #[test]
    fn the_version_comes_from_the_workspace() {
        assert_eq!(crate_version().unwrap().split('.').count(), 3);
    }
}
