//! wasm-bindgen's script, for a module in parts, one that tells what runs, or one as it is.
//!
//! Each gets the export `parts`, with which `pkg-template/rest.js` brings in the later parts: `{ imports, exports, load }`, or
//! undefined where there is none.

use anyhow::{Result, ensure};

/// Where the script hands its imports over.
const HANDED: &str = "\"a\": import0,";

/// For the first of several parts.
pub fn glue(script: &str) -> Result<String> {
    handing(
        script,
        "\"a\": (parts.imports = import0),\n\"b\": { l: (part) => parts.load(part) },",
        "\
const parts = { imports: undefined, load: undefined, get exports() { return wasm; } };
export { parts };
",
    )
}

/// For a module that tells what runs: in the page's `hyphaRan`, and its workers in `hyphaRanElsewhere`.
pub fn glue_of_record(script: &str) -> Result<String> {
    handing(
        script,
        "\"a\": import0,\n\"hypha\": { ran: (at) => telling(at) },",
        "\
const ran = (globalThis.hyphaRan ??= new Set());
const elsewhere = (globalThis.hyphaRanElsewhere ??= new Set());
const channel = new BroadcastChannel(\"hypha-ran\");
channel.onmessage = ({ data }) => elsewhere.add(data);
const telling = globalThis.document ? (at) => ran.add(at) : (at) => channel.postMessage(at);
export const parts = undefined;
",
    )
}

/// For a module as it is.
pub fn glue_of_whole(script: &str) -> String {
    format!("{script}export const parts = undefined;\n")
}

fn handing(script: &str, imports: &str, end: &str) -> Result<String> {
    ensure!(script.matches(HANDED).count() == 1, "the glue has no place where its imports are handed over");
    Ok(script.replace(HANDED, imports) + end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_kept_for_the_rest() {
        let script = "return {\n\"a\": import0,\n};\n";
        assert!(glue(script).unwrap().contains("(parts.imports = import0)"));
        assert!(glue_of_record(script).unwrap().contains("telling(at)"));
        assert!(glue("return {};").is_err() && glue_of_whole("").contains("parts = undefined"));
    }
}
