//! The architecture as a test: layers point one way, the pure ones stay pure, files stay short.
//!
//! ```text
//! collections ← crypto ← codec ← storage ← feed ← value ← space ← sync ← mesh ← node │ browser ← js
//! └──────── pure: no clock, randomness, I/O, async, web API ─────────┘
//! ```
//! Read from the sources' words, not by a compiler: comments, strings and characters are taken out, then every path
//! that starts at `crate`, at this crate's own name, or climbs there by `super`, is followed.

use crate::paths;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Ground floor first. Each may use those before it.
const LAYERS: &[&str] = &[
    "collections",
    "crypto",
    "codec",
    "storage",
    "feed",
    "value",
    "space",
    "sync",
    "mesh",
    "node",
    "browser",
    "js",
];

/// The layers below this one are pure.
const FIRST_IMPURE: &str = "browser";

/// What tests of any layer may use, and nothing else may. It may use every pure layer itself.
const TESTING: &str = "testing";

/// Tests of the whole, which may use every pure layer and which nothing may use.
const OF_THE_WHOLE: &[&str] = &["fuzz", "vectors"];

/// What no pure layer may name: web APIs, clocks, system randomness, threads, async. Tests may.
const IMPURE: &[&str] = &[
    "async",
    "await",
    "futures_channel",
    "futures_util",
    "getrandom",
    "gloo_net",
    "gloo_timers",
    "Instant",
    "js_sys",
    "OsRng",
    "rexie",
    "SystemTime",
    "thread_rng",
    "wasm_bindgen",
    "wasm_bindgen_futures",
    "web_sys",
];

/// Lines of one source file.
const MAX_LINES: usize = 600;

/// Everything wrong with one source file; `inside` is its path below `src/`, `for_tests` are modules that some
/// other file declares under `#[cfg(test)]`, as `feed::fake`.
fn faults(inside: &Path, source: &str, for_tests: &[String]) -> Vec<String> {
    let place: Vec<String> = module_path(inside);
    let Some(own) = place.first() else { return Vec::new() };
    let rank = if own == TESTING || OF_THE_WHOLE.contains(&own.as_str()) {
        rank_of_impure().checked_sub(1)
    } else {
        rank(own)
    };
    let Some(rank) = rank else {
        return vec![format!("`{own}` is no layer; name it in xtask/src/layers.rs")];
    };
    let pure = rank_of_impure() > rank;
    let full = place.join("::");
    let in_tests = for_tests.iter().any(|module| full == *module || full.starts_with(&format!("{module}::")));
    let mut found = Vec::new();
    let words = words(source);
    let testing_words = test_items(&words);
    let mut scope = Scope::default();
    for (at, word) in words.iter().enumerate() {
        scope.step(&words, at);
        let testing = in_tests || testing_words.iter().any(|range| range.contains(&at));
        if pure && !testing && IMPURE.contains(&word.as_str()) {
            found.push(format!("`{word}` in the pure layer `{own}`"));
        }
        for used in used_at(&words, at, place.len() + scope.modules.len()) {
            if used == TESTING && testing {
                continue;
            }
            match self::rank(&used) {
                Some(other) if other <= rank => {}
                None if used == TESTING => found.push(format!("`{own}` uses `{TESTING}` outside its tests")),
                Some(_) => found.push(format!("`{own}` uses `{used}`, which is above it")),
                None => found.push(format!("`{own}` uses `crate::{used}`, which is no layer")),
            }
        }
    }
    found
}

/// Names of the modules that these words declare under `#[cfg(test)]`, inline or not.
fn test_modules(words: &[String]) -> Vec<String> {
    let mut names = Vec::new();
    for range in test_items(words) {
        let item = words.iter().take(range.end).skip(range.start).map(String::as_str);
        let mut item = item.skip_while(|word| matches!(*word, "pub" | "(" | "crate" | "super" | ")"));
        if let (Some("mod"), Some(name)) = (item.next(), item.next()) {
            names.push(name.to_owned());
        }
    }
    names
}

/// Where the items stand that have `#[cfg(test)]` right before them: to their `;` or their last brace.
fn test_items(words: &[String]) -> Vec<Range<usize>> {
    let attribute = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut ranges = Vec::new();
    for (at, window) in words.windows(attribute.len()).enumerate() {
        if window != attribute {
            continue;
        }
        let start = at + attribute.len();
        let mut level = 0_usize;
        let mut end = start;
        for word in words.iter().skip(start) {
            end += 1;
            match word.as_str() {
                "(" | "[" | "{" => level += 1,
                ")" | "]" => level = level.saturating_sub(1),
                "}" if level <= 1 => break,
                "}" => level -= 1,
                ";" if level == 0 => break,
                _ => {}
            }
        }
        ranges.push(start..end);
    }
    ranges
}

fn rank(layer: &str) -> Option<usize> {
    LAYERS.iter().position(|known| *known == layer)
}

fn rank_of_impure() -> usize {
    rank(FIRST_IMPURE).unwrap_or_default()
}

/// `sync/peer/mod.rs` is the module `sync::peer`; `lib.rs` is the root.
fn module_path(inside: &Path) -> Vec<String> {
    let mut parts: Vec<String> =
        inside.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib")) {
        parts.pop();
    }
    parts
}

/// Inline modules around a word, each with the depth of braces at its start.
#[derive(Default)]
struct Scope {
    modules: Vec<(String, usize)>,
    depth: usize,
}

impl Scope {
    fn step(&mut self, words: &[String], at: usize) {
        match words.get(at).map(String::as_str) {
            Some("{") => {
                self.depth += 1;
                let before =
                    |back: usize| at.checked_sub(back).and_then(|at| words.get(at)).map(String::as_str);
                if let (Some("mod"), Some(name)) = (before(2), before(1)) {
                    self.modules.push((name.to_owned(), self.depth));
                }
            }
            Some("}") => {
                if self.modules.last().is_some_and(|(_, depth)| *depth == self.depth) {
                    self.modules.pop();
                }
                self.depth = self.depth.saturating_sub(1);
            }
            _ => {}
        }
    }
}

/// Root modules named by the path that starts at word `at`, in a module `depth` levels below the root.
fn used_at(words: &[String], at: usize, depth: usize) -> Vec<String> {
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    // not in the middle of a path, and not `pub(crate)` or `pub(super)`
    if at > 0 && word(at - 1) == "::" {
        return Vec::new();
    }
    let mut next = match word(at) {
        "crate" | "hypha_node" => at + 1,
        "super" => {
            let mut next = at + 1;
            let mut climbed = 1;
            while word(next) == "::" && word(next + 1) == "super" {
                climbed += 1;
                next += 2;
            }
            if climbed < depth {
                return Vec::new();
            }
            next
        }
        _ => return Vec::new(),
    };
    if word(next) != "::" {
        return Vec::new();
    }
    next += 1;
    if word(next) != "{" {
        return vec![word(next).to_owned()];
    }
    // crate::{a::b, c::{d, e}}: the first word of each part at the outer level
    let mut used = Vec::new();
    let (mut level, mut first) = (0_usize, true);
    for word in words.iter().skip(next) {
        match word.as_str() {
            "{" => level += 1,
            "}" => level -= 1,
            "," if level == 1 => first = true,
            name if first && level == 1 => {
                used.push(name.to_owned());
                first = false;
            }
            _ => {}
        }
        if level == 0 {
            break;
        }
    }
    used
}

/// Identifiers, `::` and single signs of Rust source, without comments, strings and characters.
fn words(source: &str) -> Vec<String> {
    let chars: Vec<char> = source.chars().collect();
    let get = |at: usize| chars.get(at).copied().unwrap_or('\0');
    let name = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let c = get(at);
        if c == '/' && get(at + 1) == '/' {
            while at < chars.len() && get(at) != '\n' {
                at += 1;
            }
        } else if c == '/' && get(at + 1) == '*' {
            let mut level = 0_usize;
            while at < chars.len() {
                match (get(at), get(at + 1)) {
                    ('/', '*') => level += 1,
                    ('*', '/') => level -= 1,
                    _ => {
                        at += 1;
                        continue;
                    }
                }
                at += 2;
                if level == 0 {
                    break;
                }
            }
        } else if c == '"' {
            at = after_string(&chars, at);
        } else if c == '\'' {
            // a character, or else a lifetime
            if get(at + 1) == '\\' {
                at += 3;
                while at < chars.len() && get(at) != '\'' {
                    at += 1;
                }
                at += 1;
            } else {
                at += if get(at + 2) == '\'' { 3 } else { 1 };
            }
        } else if name(c) {
            let start = at;
            while name(get(at)) {
                at += 1;
            }
            let word: String = chars.iter().skip(start).take(at - start).collect();
            let hashes = (at..).take_while(|at| get(*at) == '#').count();
            if matches!(word.as_str(), "r" | "br" | "cr") && get(at + hashes) == '"' {
                at = after_raw(&chars, at + hashes + 1, hashes);
            } else {
                out.push(word);
            }
        } else if c == ':' && get(at + 1) == ':' {
            out.push("::".to_owned());
            at += 2;
        } else {
            if !c.is_whitespace() {
                out.push(c.to_string());
            }
            at += 1;
        }
    }
    out
}

fn after_string(chars: &[char], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(c) = chars.get(at) {
        match c {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    at
}

fn after_raw(chars: &[char], mut at: usize, hashes: usize) -> usize {
    while at < chars.len() {
        let end = chars.get(at) == Some(&'"') && (1..=hashes).all(|n| chars.get(at + n) == Some(&'#'));
        at += 1;
        if end {
            return at + hashes;
        }
    }
    at
}

#[test]
fn layers_point_one_way_and_the_pure_ones_are_pure() {
    let src = paths::root().join("src");
    let files: Vec<(PathBuf, String)> = paths::files_under(&src)
        .into_iter()
        .filter(|file| file.extension().is_some_and(|end| end == "rs"))
        .map(|file| (file.strip_prefix(&src).unwrap().to_path_buf(), std::fs::read_to_string(&file).unwrap()))
        .collect();
    let for_tests: Vec<String> = files
        .iter()
        .flat_map(|(inside, source)| {
            let place = module_path(inside);
            let full = move |name: String| place.iter().cloned().chain([name]).collect::<Vec<_>>().join("::");
            test_modules(&words(source)).into_iter().map(full)
        })
        .collect();
    let mut all = Vec::new();
    for (inside, source) in &files {
        let found = faults(inside, source, &for_tests);
        all.extend(found.into_iter().map(|fault| format!("src/{}: {fault}", inside.display())));
    }
    let read = files.len();
    assert!(read > LAYERS.len(), "only {read} files were found");
    assert!(all.is_empty(), "\n{}", all.join("\n"));
}

#[test]
fn no_file_is_longer_than_allowed() {
    let mut long = Vec::new();
    for folder in ["src", "xtask", "tests-wasm", "www", "pkg-template"] {
        for file in paths::files_under(&paths::root().join(folder)) {
            let Some("rs" | "js" | "mjs" | "ts" | "css" | "html") =
                file.extension().and_then(|end| end.to_str())
            else {
                continue;
            };
            let lines = std::fs::read_to_string(&file).unwrap().lines().count();
            if lines > MAX_LINES {
                long.push(format!("{}: {lines} lines", paths::shown(&file)));
            }
        }
    }
    assert!(long.is_empty(), "more than {MAX_LINES} lines:\n{}", long.join("\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(inside: &str, source: &str) -> Vec<String> {
        let for_tests = ["mesh::a::tests", "crypto::a::tests", "crypto::fake"].map(str::to_owned);
        faults(Path::new(inside), source, &for_tests)
    }

    #[test]
    fn looking_down_is_allowed_and_up_is_not() {
        assert!(
            check("sync/peer.rs", "use crate::crypto::Hash; use crate::{codec::{Reader, node}, space};")
                .is_empty()
        );
        assert!(check("value/mod.rs", "use crate::storage::Pages;").is_empty());
        assert_eq!(check("feed/log.rs", "use crate::sync::Peer;").len(), 1);
        assert_eq!(check("feed/log.rs", "fn f() -> crate::node::X { hypha_node::js::y() }").len(), 2);
        assert_eq!(check("codec/a.rs", "use crate::{crypto::{a, b}, mesh::{self, c}, js};").len(), 2);
        assert_eq!(check("crypto/a.rs", "use crate::helpers::x;").len(), 1);
    }

    #[test]
    fn climbing_by_super_is_followed() {
        assert!(check("feed/mod.rs", "use super::crypto::Hash;").is_empty());
        assert_eq!(check("feed/mod.rs", "use super::sync::Peer;").len(), 1);
        assert!(check("feed/log.rs", "use super::sync::Local;").is_empty(), "feed::sync is its own affair");
        assert_eq!(check("feed/log.rs", "use super::super::sync::Peer;").len(), 1);
        assert_eq!(
            check("feed/log.rs", "#[cfg(test)] mod tests { use super::super::super::sync::Peer; }").len(),
            1
        );
        assert!(check("feed/log.rs", "mod tests { use super::super::sync; } mod x {}").is_empty());
        assert_eq!(check("feed/log.rs", "mod x { fn f() {} } use super::super::node::N;").len(), 1);
    }

    #[test]
    fn words_in_comments_and_strings_do_not_count() {
        let source = "//! crate::node is above\n/* crate::node /* nested */ crate::js */\n\
            const A: &str = \"crate::node \\\" crate::js\"; const B: &str = r#\"crate::\"node\"#; \
            fn f<'a>(c: &'a char) -> bool { *c == '\"' || *c == '\\'' } pub(crate) struct S; pub(in crate::feed) fn g() {}";
        assert_eq!(check("feed/a.rs", source), Vec::<String>::new());
        assert_eq!(check("feed/a.rs", &format!("{source} use crate::node;")).len(), 1);
    }

    #[test]
    fn pure_layers_have_no_clock_and_no_web() {
        assert_eq!(check("mesh/a.rs", "async fn f() { x.await }").len(), 2);
        assert_eq!(check("crypto/a.rs", "let t = std::time::Instant::now(); use web_sys::Window;").len(), 2);
        assert!(check("browser/a.rs", "async fn f() { web_sys::window(); }").is_empty());
        assert!(check("mesh/a/tests.rs", "let t = Instant::now();").is_empty());
        assert!(check("mesh/a.rs", "#[cfg(test)] mod tests { fn f() { Instant::now(); } }").is_empty());
    }

    #[test]
    fn only_tests_use_what_is_made_for_tests() {
        assert!(check("crypto/a.rs", "#[cfg(test)] mod tests { use crate::testing::Seeded; }").is_empty());
        assert!(check("crypto/a/tests.rs", "use crate::testing::Seeded;").is_empty());
        assert!(check("crypto/fake.rs", "use crate::testing::Seeded;").is_empty());
        assert_eq!(check("crypto/a.rs", "use crate::testing::Seeded;").len(), 1);
        assert_eq!(check("crypto/a.rs", "mod tests { use crate::testing::Seeded; }").len(), 1);
        assert!(check("testing.rs", "use crate::{crypto::Entropy, node::Node};").is_empty());
        assert_eq!(check("testing.rs", "use crate::browser::Clock;").len(), 1);
        assert!(check("vectors/a.rs", "use crate::{crypto::Entropy, node::Node};").is_empty());
        assert_eq!(check("vectors/a.rs", "use crate::browser::Clock;").len(), 1);
        assert_eq!(check("node/a.rs", "#[cfg(test)] mod tests { use crate::vectors::check; }").len(), 1);
    }

    #[test]
    fn modules_for_tests_are_known_by_their_attribute() {
        let source = "#[cfg(test)] mod a; #[cfg(test)] pub(crate) mod b { } mod c; #[cfg(not(test))] mod d; #[test] fn e() {}";
        assert_eq!(test_modules(&words(source)), ["a", "b"]);
        let item = "#[cfg(test)] fn f(a: [u8; 2]) { if a { crate::testing::x() } } ";
        assert!(check("feed/a.rs", item).is_empty());
        assert_eq!(check("feed/a.rs", &format!("{item} fn g() {{ crate::testing::x() }}")).len(), 1);
    }

    #[test]
    fn a_new_folder_is_noticed() {
        assert_eq!(check("util/mod.rs", "").len(), 1);
        assert!(check("lib.rs", "pub mod util;").is_empty());
    }
}
