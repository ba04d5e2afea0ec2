//! Which pages of the files of feeds and spaces need not be in memory.

use crate::{collections::find_text, storage::Residency};

/// Where the pages of a file are: what is large and seldom needed as a whole is on the disk.
pub fn residency(name: &str) -> Residency {
    match name.split_once('/') {
        Some(("feed", rest)) if rest.ends_with("/data") || rest.ends_with("/tree") => Residency::Lazy,
        Some(("space", rest))
            if find_text(rest, "/view/run").is_some()
                || find_text(rest, "/view/sealed-").is_some()
                || rest.ends_with("/view/facts") =>
        {
            Residency::Lazy
        }
        _ => Residency::Always,
    }
}
