//! Licences of everything we depend on, against the list in `deny.toml`; and crates that come in two versions.

use crate::paths;
use crate::process::{self, Output};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

/// What `cargo metadata` says about the crates in use.
pub struct Crates(Vec<Crate>);

struct Crate {
    name: String,
    version: String,
    licence: Option<String>,
}

impl Crates {
    /// Every crate of the lock file that can be compiled here or for the browser.
    pub fn read() -> Result<Self> {
        let mut command = Command::new("cargo");
        command.args(["metadata", "--format-version", "1", "--locked", "--quiet"]);
        for target in [crate::tools::WASM, "x86_64-unknown-linux-gnu"] {
            command.args(["--filter-platform", target]);
        }
        let text = process::must(command.current_dir(paths::root()), Duration::from_secs(300), Output::Kept)?;
        let json =
            text.lines().find(|line| line.starts_with('{')).context("cargo metadata printed no JSON")?;
        let parsed: Value = serde_json::from_str(json)?;
        let packages =
            parsed.get("packages").and_then(Value::as_array).context("cargo metadata: no packages")?;
        let field =
            |package: &Value, name: &str| package.get(name).and_then(Value::as_str).map(str::to_owned);
        let crates = packages.iter().map(|package| Crate {
            name: field(package, "name").unwrap_or_default(),
            version: field(package, "version").unwrap_or_default(),
            licence: field(package, "license"),
        });
        Ok(Self(crates.collect()))
    }

    /// Fails with the names of crates whose licence is not allowed.
    pub fn check_licences(&self) -> Result<()> {
        let text =
            std::fs::read_to_string(paths::root().join(".deny.toml")).context("cannot read deny.toml")?;
        let allowed = list(&text, "allow").context("deny.toml: no `allow = [ … ]`")?;
        let mut bad = Vec::new();
        for krate in &self.0 {
            let licence = krate.licence.as_deref().unwrap_or("none stated");
            if !fits(licence, &allowed) {
                bad.push(format!("{} {}: {licence}", krate.name, krate.version));
            }
        }
        if !bad.is_empty() {
            bail!("licences that deny.toml does not allow:\n  {}", bad.join("\n  "));
        }
        println!("  {} crates, each under one of: {}", self.0.len(), allowed.join(", "));
        Ok(())
    }

    /// Crates in more than one version, as `name 1.0, 2.0`.
    pub fn duplicates(&self) -> Vec<String> {
        let mut versions = BTreeMap::<&str, Vec<&str>>::new();
        for krate in &self.0 {
            versions.entry(&krate.name).or_default().push(&krate.version);
        }
        versions
            .iter()
            .filter(|(_, versions)| versions.len() > 1)
            .map(|(name, versions)| format!("{name} {}", versions.join(", ")))
            .collect()
    }
}

/// The strings of the first `name = [ … ]` in a TOML file.
fn list(toml: &str, name: &str) -> Option<Vec<String>> {
    let lines: Vec<&str> = toml.lines().map(|line| line.split('#').next().unwrap_or_default()).collect();
    let text = lines.join("\n");
    let (_, rest) = text.split_once(&format!("\n{name} = ["))?;
    let (inside, _) = rest.split_once(']')?;
    Some(inside.split('"').skip(1).step_by(2).map(str::to_owned).collect())
}

/// Whether an SPDX expression can be met with the allowed licences. `/` is the old way to write OR.
fn fits(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut parser = Parser { words: &words, allowed };
    parser.any() == Some(true) && parser.words.is_empty()
}

/// `any = all {OR all}`, `all = one {AND one}`, `one = "(" any ")" | licence [WITH exception]`.
struct Parser<'a> {
    words: &'a [&'a str],
    allowed: &'a [String],
}

impl<'a> Parser<'a> {
    fn any(&mut self) -> Option<bool> {
        let mut met = self.all()?;
        while self.eat("OR") {
            met |= self.all()?;
        }
        Some(met)
    }

    fn all(&mut self) -> Option<bool> {
        let mut met = self.one()?;
        while self.eat("AND") {
            met &= self.one()?;
        }
        Some(met)
    }

    fn one(&mut self) -> Option<bool> {
        if self.eat("(") {
            let met = self.any()?;
            return self.eat(")").then_some(met);
        }
        let mut licence = self.word()?.to_owned();
        if self.eat("WITH") {
            licence = format!("{licence} WITH {}", self.word()?);
        }
        Some(self.allowed.contains(&licence))
    }

    fn eat(&mut self, word: &str) -> bool {
        let is = self.words.first() == Some(&word);
        if is {
            self.word();
        }
        is
    }

    fn word(&mut self) -> Option<&'a str> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_met_or_not() {
        let allowed: Vec<String> =
            ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).into();
        for good in [
            "MIT",
            "MIT OR GPL-3.0",
            "GPL-3.0/MIT",
            "(MIT OR X) AND Apache-2.0",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(fits(good, &allowed), "{good}");
        }
        for bad in [
            "",
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "MIT OR",
            "(MIT",
            "MIT)",
            "MIT MIT",
            "GPL-3.0 WITH LLVM-exception",
        ] {
            assert!(!fits(bad, &allowed), "{bad}");
        }
    }

    #[test]
    fn the_list_is_read_without_comments() {
        let toml = "[licenses]\n# allow = [\"X\"]\nallow = [\n  \"MIT\", # ours\n  \"Zlib\",\n]\n";
        assert_eq!(list(toml, "allow").unwrap(), ["MIT", "Zlib"]);
    }
}
