//! Developer commands of Hypha: `cargo xtask <serve|build|test|bench|sim|fuzz|profile|check|size>`.
//!
//! ```text
//! main      which command
//! package   Rust → wasm → pkg/; bundle   www/, pkg/ → site/; tools, npm, browsers   what it takes, found or installed
//! serve     listens; http reads requests; site answers them; hub is the signalling; claim the one PUT
//! split     the module in parts, by when each is needed; profile  finds out what is needed first
//! test      rings of tests, added up by tally; check, licences, size are rings of their own
//! hostile   the package as the adversary of the tests has it; native   a peer on webrtc-rs, a Nostr relay, a broker
//! bench     this package beside others
//! sim       thousands of nodes in one simulated network; fuzz   bytes that were nearly right
//! layers    the architecture as a test
//! process   child processes that cannot hang or outlive us; step   progress
//! ```
#![forbid(unsafe_code)]

mod bench;
mod browsers;
mod bundle;
mod check;
mod claim;
mod engine;
mod fuzz;
mod hostile;
mod http;
mod hub;
#[cfg(test)]
mod layers;
mod licences;
mod native;
mod npm;
mod outbox;
mod package;
mod paths;
mod process;
mod profile;
mod serve;
mod sim;
mod site;
mod size;
mod slim;
mod socket;
mod split;
mod step;
mod tally;
mod test;
mod tools;

use std::process::ExitCode;

const USAGE: &str = "\
Usage: cargo xtask <command>

  serve   build, then serve the page with an embedded hub on http://localhost:8080
            --port N     this port or none (0: any free one; default 8080 or the next free one)
            --host ADDR  listen on ADDR instead of loopback only
            --data DIR   where the claimed key is kept (default .hypha-serve/<port>)
            --no-build   serve site/ and pkg/ as they are
            --sources    serve www/ itself, not what is built of it
            --hub-only   the hub alone, on /hub and every other path
  build   the npm package, in pkg/, and the page with it, in site/
            --site       site/ alone, of www/ and the pkg/ that is there: seconds, for who works on the page
            --hostile    instead, the adversary of the end-to-end tests, in the target folder
  test    every test; installs what it needs
            --only LIST  of host, wasm, page, vectors, e2e, check (comma-separated)
  bench   this package beside others, on the same data in the same run: `bench storage`
            --no-build   take pkg/ as it is; must come first
            --runs N     how often (default 5; medians are shown)
            --only LIST  of hypha, yjs, automerge, loro, hypercore, relaxed, strict (comma-separated)
  sim     a crowd of whole nodes in one simulated network: a table, JSON, a chart
            --nodes LIST how many (default 32,1000,10000)
            --seed N     default 1; the same seed gives the same run
  profile which functions a page runs until its first write, as a browser tells: xtask/first-load.txt,
          by which the module is cut in two. To be done anew when much was changed; about a minute
  fuzz    every decoder and the connection's state machine under bytes that were nearly right
            --seconds N  for how long (default 600)
            --seed N     default: the time; the same seed gives the same inputs
  check   format, lints for host and wasm, licences, size
  size    what a page loads before its first write, gzipped

Tools are kept in $HYPHA_TOOLS (default ~/.cache/hypha-node/tools) and shared by all clones.
";

fn main() -> ExitCode {
    process::end_children_on_signal();
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    let result = match command.as_str() {
        "serve" => serve::run(&rest).map(|()| true),
        "build" if rest == ["--site"] => step::step("Put site/ together", bundle::build).map(|()| true),
        "build" if rest == ["--hostile"] => hostile::build().map(|_| true),
        "build" => no_options(&rest).and_then(|()| package::build()).map(|()| true),
        "test" => test::run(&rest),
        "bench" => bench::run(&rest).map(|()| true),
        "sim" => sim::run(&rest).map(|()| true),
        "profile" => no_options(&rest).and_then(|()| profile::run()).map(|()| true),
        "fuzz" => fuzz::run(&rest).map(|()| true),
        "check" => no_options(&rest).and_then(|()| check::run()),
        "size" => no_options(&rest).and_then(|()| size::run()),
        "" | "help" | "-h" | "--help" => {
            print!("{USAGE}");
            Ok(true)
        }
        other => Err(anyhow::anyhow!("there is no command `{other}`\n\n{USAGE}")),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn no_options(rest: &[String]) -> anyhow::Result<()> {
    match rest.first() {
        None => Ok(()),
        Some(extra) => Err(anyhow::anyhow!("`{extra}` is not an option of this command\n\n{USAGE}")),
    }
}
