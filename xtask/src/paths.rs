//! Where things are: the repository, its target folder, the shared tools.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};

/// Root of the repository: the parent of this crate's folder.
pub fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// Cargo's target folder, `CARGO_TARGET_DIR` respected.
pub fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// Folder of installed tools: `$HYPHA_TOOLS`, else `~/.cache/hypha-node/tools`, so that all clones share it.
pub fn tools() -> Result<PathBuf> {
    if let Some(dir) = std::env::var_os("HYPHA_TOOLS") {
        return Ok(root().join(dir));
    }
    let home = std::env::var_os("HOME")
        .or_else(|| std::env::var_os("USERPROFILE"))
        .context("neither HYPHA_TOOLS nor HOME is set, so there is no folder for tools")?;
    Ok(Path::new(&home).join(".cache/hypha-node/tools"))
}

/// First file called `name` in the folders of `PATH`.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(&path).map(|dir| dir.join(&name)).find(|file| file.is_file())
}

/// All files under `dir`, sorted; `node_modules` and dot folders are left out. Empty if there is no such folder.
pub fn files_under(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(dir) else { return found };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() {
            if name != "node_modules" && !name.to_string_lossy().starts_with('.') {
                found.extend(files_under(&path));
            }
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// `path` as seen from the repository's root, for messages.
pub fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}
