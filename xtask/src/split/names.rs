//! Functions by the names that people gave them: without hashes, so that a list of them outlives a compilation.
//!
//! One name may stand for several functions, such as instances of a generic one: they go together.

use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};

/// Names of functions, each with which of its places were reached; one to a line, sorted:
///
/// ```text
/// name <tab> how many places:those reached, as 0-3,7
/// ```
/// A function with another number of places than any that is listed is not the one that was watched: all of it counts
/// as reached.
#[derive(Default)]
pub struct Names(BTreeMap<String, BTreeMap<usize, BTreeSet<usize>>>);

impl Names {
    /// Reads a list; lines with `#` are comments.
    pub fn read(text: &str) -> Result<Self> {
        let mut names = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let parts = line.rsplit_once('\t').and_then(|(name, end)| Some((name, end.split_once(':')?)));
            let (name, (count, ranges)) = parts.with_context(|| format!("`{line}` has no places"))?;
            let all = names.0.entry(name.to_owned()).or_default().entry(count.parse()?).or_default();
            for range in ranges.split(',') {
                let (start, end) = range.split_once('-').unwrap_or((range, range));
                all.extend(start.parse::<usize>()?..=end.parse()?);
            }
        }
        Ok(names)
    }

    /// Adds a function as the module calls it, and one of its places, of so many.
    pub fn add(&mut self, name: &str, count: usize, place: usize) {
        self.0.entry(plain(name)).or_default().entry(count).or_default().insert(place);
    }

    /// Whether a function is one of them.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(&plain(name))
    }

    /// Which of so many places of a function were reached; none if that is not known.
    pub fn reached(&self, name: &str, count: usize) -> Option<Vec<bool>> {
        let all = self.0.get(&plain(name))?.get(&count)?;
        Some((0..count).map(|place| all.contains(&place)).collect())
    }

    /// How many names.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The list, to be read by [`Names::read`].
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (name, counts) in &self.0 {
            for (count, places) in counts {
                text += &format!("{name}\t{count}:{}\n", ranges(places));
            }
        }
        text
    }
}

fn ranges(places: &BTreeSet<usize>) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for place in places {
        match runs.last_mut() {
            Some((_, end)) if *end + 1 == *place => *end = *place,
            _ => runs.push((*place, *place)),
        }
    }
    let text = |(start, end): (usize, usize)| {
        if start == end { format!("{start}") } else { format!("{start}-{end}") }
    };
    runs.into_iter().map(text).collect::<Vec<_>>().join(",")
}

/// `name` without the hashes of crates, `[0123456789abcdef]`, which differ between compilations.
fn plain(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('[') {
        out.push_str(before);
        let hash = after
            .split_once(']')
            .filter(|(hash, _)| hash.len() > 12 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match hash {
            Some((_, end)) => rest = end,
            None => {
                out.push('[');
                rest = after;
            }
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_outlive_a_compilation() {
        let mut names = Names::default();
        for place in [0, 1, 2, 5] {
            names.add(
                "<alloc[3ca501edff3f0c7c]::vec::Vec<[u8; 32]> as core[c5930c85a12de822]::Drop>::drop",
                7,
                place,
            );
        }
        assert_eq!(names.text(), "<alloc::vec::Vec<[u8; 32]> as core::Drop>::drop\t7:0-2,5\n");
        let read = Names::read(&format!("# a list\n\n{}", names.text())).unwrap();
        let name = "<alloc[0000000000000000]::vec::Vec<[u8; 32]> as core[1111111111111111]::Drop>::drop";
        assert!(read.has(name) && !read.has("memcpy") && read.len() == 1);
        assert_eq!(read.reached(name, 7), Some(vec![true, true, true, false, false, true, false]));
        assert_eq!((read.reached(name, 8), read.reached("memcpy", 7)), (None, None));
        assert!(Names::read("memcpy").is_err());
    }
}
