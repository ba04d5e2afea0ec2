//! `sim`: a crowd of whole nodes in one simulated network.
//!
//! The simulation is a test of the crate (`src/node/crowd.rs` says what in it is real), which `cargo xtask test` runs with
//! 32 and 200 nodes. Here it is built for speed and run with more; it prints the table and leaves `sim.json` and
//! `sim.svg` in the target folder's `sim-report/`.

use crate::paths;
use crate::process::{self, Output};
use anyhow::{Result, bail};
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(4 * 60 * 60);
const TEST: &str = "node::crowd::a_write_reaches_everybody_whatever_happens_to_the_network";

/// Runs it.
pub fn run(args: &[String]) -> Result<()> {
    let (mut sizes, mut seed) = ("32,1000,10000", "1");
    let mut rest = args;
    while let [option, value, after @ ..] = rest {
        match option.as_str() {
            "--nodes" if value.split(',').all(|size| size.parse::<usize>().is_ok_and(|size| size >= 20)) => {
                sizes = value;
            }
            "--seed" if value.parse::<u64>().is_ok() => seed = value,
            _ => bail!("sim takes --nodes LIST (numbers from 20 on, comma-separated) and --seed NUMBER"),
        }
        rest = after;
    }
    if let [extra] = rest {
        bail!("`{extra}` is not an option of sim, or lacks its value");
    }
    let out = paths::target().join("sim-report");
    let mut command = Command::new("cargo");
    command.args(["test", "--profile", "sim", "--package", "hypha-node", "--lib", "--"]);
    command.args([TEST, "--exact", "--nocapture"]).current_dir(paths::root());
    command.env("HYPHA_SIM", sizes).env("HYPHA_SIM_SEED", seed).env("HYPHA_SIM_OUT", &out);
    process::must(&mut command, LIMIT, Output::Shown)?;
    println!("seed {seed}; {} and sim.svg", out.join("sim.json").display());
    Ok(())
}
