//! wasm-bindgen's glue without what this package never runs: it loads the module itself (`pkg-template/wasm.js`), and every
//! browser that has reference types has what the glue makes up for. 0.7 KiB of the first load's gzip.

use anyhow::{Context, Result, ensure};

/// From here to the exports it is about where the module comes from.
const LOADING: &str = "async function __wbg_load(";
const EXPORTS: &str = "export { initSync, __wbg_init as default };";
/// The same for a module that is compiled.
const STARTING: &str = "\
async function __wbg_init({ module_or_path: module }) {
if (wasm === undefined) __wbg_finalize_init(await WebAssembly.instantiate(module, __wbg_get_imports()), module);
return wasm;
}
export { __wbg_init as default };";
const ENCODING: [&str; 2] = ["if (!('encodeInto' in cachedTextEncoder)) {", "let WASM_VECTOR_LEN"];
const FINALIZATION: &str = "(typeof FinalizationRegistry === 'undefined')
? { register: () => {}, unregister: () => {} }
: new FinalizationRegistry(";
/// How an import begins that wasm-opt gave no name, since nothing in the module calls it any more, and how it ends.
const UNUSED: [&str; 3] = ["__wbg_", ": function() { return handleError(function (", "}, arguments); },"];
/// How a function ends that gives a value or throws one, and what does so for all.
const ENDING: &str = ";
if (ret[2]) {
throw takeFromExternrefTable0(ret[1]);
}
return takeFromExternrefTable0(ret[0]);
";
const TAKEN: &str = "\
function taken(ret) {
if (ret[2]) throw takeFromExternrefTable0(ret[1]);
return takeFromExternrefTable0(ret[0]);
}
";

/// The glue, without comments and indentation, with less in it; an error if it is not as wasm-bindgen makes it now.
pub fn slim(glue: &str) -> Result<String> {
    let glue = between(glue, LOADING, EXPORTS)?.replace(EXPORTS, STARTING);
    let glue = between(&glue, ENCODING[0], ENCODING[1])?;
    ensure!(glue.contains(FINALIZATION), "the glue has no `{FINALIZATION}`");
    Ok(used(&ended(&glue.replace(FINALIZATION, "new FinalizationRegistry("))?))
}

/// Without all from `start` until `end`, each of which is there once.
fn between(text: &str, start: &str, end: &str) -> Result<String> {
    let missing = || format!("the glue has no `{start}` before one `{end}`");
    let (before, rest) = text.split_once(start).with_context(missing)?;
    let (_, after) = rest.split_once(end).with_context(missing)?;
    ensure!(!after.contains(start) && !after.contains(end), missing());
    Ok([before, end, after].concat())
}

/// Ends all functions that may throw by the same one.
fn ended(glue: &str) -> Result<String> {
    let mut pieces: Vec<&str> = glue.split(ENDING).collect();
    let last = pieces.pop().context("no glue")?;
    ensure!(!pieces.is_empty(), "no function of the glue ends with `{ENDING}`");
    let mut slim = String::with_capacity(glue.len());
    for piece in pieces {
        let (before, call) =
            piece.rsplit_once("const ret = ").context("what the glue ends with has no value")?;
        ensure!(!call.contains('\n'), "more than one call gives a value of the glue: {call}");
        slim.extend([before, "return taken(", call, ");\n"]);
    }
    slim.extend([last, TAKEN]);
    Ok(slim)
}

/// Without imports that are not called.
fn used(glue: &str) -> String {
    let [start, function, end] = UNUSED;
    let mut skips = false;
    let mut stays = |line: &&str| {
        let skipped = skips;
        skips =
            if skips { line.trim_end() != end } else { line.starts_with(start) && line.contains(function) };
        !skipped && !skips
    };
    glue.split_inclusive('\n').filter(|line| stays(line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glue() -> String {
        format!(
            "a() {{\nconst ret = wasm.a(this.p){ENDING}}}\nb() {{\nconst x = 1;\nconst ret = wasm.b(x){ENDING}}}\n\
             const F = {FINALIZATION}p => wasm.f(p));\n{}\npoly\n}}\n{} = 0;\n{LOADING}module) {{}}\nmore\n{EXPORTS}\nend\n",
            ENCODING[0], ENCODING[1]
        )
    }

    #[test]
    fn what_is_never_run_goes_and_the_rest_stays() {
        let slim = slim(&glue()).unwrap();
        let expected = format!(
            "a() {{\nreturn taken(wasm.a(this.p));\n}}\nb() {{\nconst x = 1;\nreturn taken(wasm.b(x));\n}}\n\
             const F = new FinalizationRegistry(p => wasm.f(p));\n{} = 0;\n{STARTING}\nend\n{TAKEN}",
            ENCODING[1]
        );
        assert_eq!(slim, expected);
    }

    #[test]
    fn imports_without_a_name_go() {
        let glue = "a: function() { return handleError(function (arg0) {\nx();\n}, arguments); },\n\
                    __wbg_get_0123: function() { return handleError(function (arg0) {\ny();\n}, arguments); },\n\
                    b: function(arg0) {\nz();\n},\n";
        let slim = used(glue);
        assert!(
            slim.contains("x();\n}, arguments); },\nb: function") && !slim.contains("__wbg_get"),
            "{slim}"
        );
    }

    #[test]
    fn glue_that_is_made_otherwise_is_refused() {
        for gone in [LOADING, EXPORTS, ENCODING[0], ENCODING[1], FINALIZATION, ENDING] {
            assert!(slim(&glue().replace(gone, "other")).is_err(), "{gone}");
        }
    }
}
