//! `fuzz`: the fuzzing test of the crate for as long as one likes, with other inputs each time.

use crate::paths;
use crate::process::{self, Output};
use anyhow::{Result, bail};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const TEST: &str = "fuzz::nothing_that_arrives_breaks_a_decoder_or_the_connection";

/// Runs it.
pub fn run(args: &[String]) -> Result<()> {
    let (mut seconds, mut seed) = (600, SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs());
    let mut rest = args;
    while let [option, value, after @ ..] = rest {
        match (option.as_str(), value.parse::<u64>()) {
            ("--seconds", Ok(number)) => seconds = number,
            ("--seed", Ok(number)) => seed = number,
            _ => bail!("fuzz takes --seconds NUMBER and --seed NUMBER"),
        }
        rest = after;
    }
    if let [extra] = rest {
        bail!("`{extra}` is not an option of fuzz, or lacks its value");
    }
    let mut command = Command::new("cargo");
    command.args(["test", "--profile", "sim", "--package", "hypha-node", "--lib", "--"]);
    command.args([TEST, "--exact", "--nocapture"]).current_dir(paths::root());
    command.env("HYPHA_FUZZ", seconds.to_string()).env("HYPHA_FUZZ_SEED", seed.to_string());
    process::must(&mut command, Duration::from_secs(seconds.saturating_add(3_600)), Output::Shown)?;
    Ok(())
}
