//! Functions by the names that people gave them: without hashes, so that a list of them outlives a compilation.
//!
//! One name may stand for several functions, such as instances of a generic one: they go together.

use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};

/// Names of functions, each with which of its places were reached and in which stage first; one to a line, sorted:
///
/// ```text
/// name <tab> how many places:those reached in stage 0, as 0-3,7;those in stage 1;…
/// ```
/// A function with another number of places than any that is listed is not the one that was watched: all of it counts
/// as reached in the first stage in which any of its name was.
#[derive(Default)]
pub struct Names(BTreeMap<String, BTreeMap<usize, BTreeMap<usize, usize>>>);

impl Names {
    /// Reads a list; lines with `#` are comments.
    pub fn read(text: &str) -> Result<Self> {
        let mut names = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let parts = line.rsplit_once('\t').and_then(|(name, end)| Some((name, end.split_once(':')?)));
            let (name, (count, stages)) = parts.with_context(|| format!("`{line}` has no places"))?;
            let all = names.0.entry(name.to_owned()).or_default().entry(count.parse()?).or_default();
            for (stage, ranges) in stages.split(';').enumerate() {
                for range in ranges.split(',').filter(|range| !range.is_empty()) {
                    let (start, end) = range.split_once('-').unwrap_or((range, range));
                    all.extend((start.parse::<usize>()?..=end.parse()?).map(|place| (place, stage)));
                }
            }
        }
        Ok(names)
    }

    /// Adds a function as the module calls it, and one of its places, of so many, with the stage that reached it first.
    pub fn add(&mut self, name: &str, count: usize, place: usize, stage: usize) {
        let places = self.0.entry(plain(name)).or_default().entry(count).or_default();
        let first = places.entry(place).or_insert(stage);
        *first = stage.min(*first);
    }

    /// The stage in which a function with so many places ran first; if such a one is not known, any of its name; none if
    /// none did.
    pub fn stage(&self, name: &str, count: usize) -> Option<usize> {
        if is_memory(name) {
            return Some(0);
        }
        let counts = self.0.get(&plain(name))?;
        let of_count = counts.get(&count).and_then(|places| places.values().min());
        of_count.or_else(|| counts.values().flat_map(BTreeMap::values).min()).copied()
    }

    /// For each of so many places of a function the stage that reached it first, none for those that none did; none if
    /// that is not known.
    pub fn reached(&self, name: &str, count: usize) -> Option<Vec<Option<usize>>> {
        if is_memory(name) {
            return Some(vec![Some(0); count]);
        }
        let all = self.0.get(&plain(name))?.get(&count)?;
        Some((0..count).map(|place| all.get(&place).copied()).collect())
    }

    /// The places of a function with so many that are listed, and their stages.
    pub fn places(&self, name: &str, count: usize) -> impl Iterator<Item = (usize, usize)> {
        let all = self.0.get(&plain(name)).and_then(|counts| counts.get(&count));
        all.into_iter().flatten().map(|(place, stage)| (*place, *stage))
    }

    /// How many of the functions listed are none of these, each with its count of places: the list is of another build.
    pub fn strange<'a>(&self, functions: impl Iterator<Item = (&'a str, usize)>) -> usize {
        let here: BTreeSet<(String, usize)> = functions.map(|(name, count)| (plain(name), count)).collect();
        let listed =
            self.0.iter().flat_map(|(name, counts)| counts.keys().map(|count| (name.clone(), *count)));
        listed.filter(|one| !here.contains(one)).count()
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
                let last = places.values().max().copied().unwrap_or(0);
                let of_stage =
                    |stage| ranges(places.iter().filter(|one| *one.1 == stage).map(|(place, _)| *place));
                let stages = (0..=last).map(of_stage).collect::<Vec<_>>().join(";");
                text += &format!("{name}\t{count}:{stages}\n");
            }
        }
        text
    }
}

fn ranges(places: impl Iterator<Item = usize>) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for place in places {
        match runs.last_mut() {
            Some((_, end)) if *end + 1 == place => *end = place,
            _ => runs.push((place, place)),
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

/// Whether a function gives and takes memory: which way it goes depends on all that was done before, so that no record tells
/// all ways, and it is first as a whole.
fn is_memory(name: &str) -> bool {
    ["dlmalloc", "__rdl_", "RawVecInner"].iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_outlive_a_compilation() {
        let mut names = Names::default();
        for (place, stage) in [(0, 0), (1, 0), (2, 0), (4, 2), (5, 1), (5, 0)] {
            names.add(
                "<alloc[3ca501edff3f0c7c]::vec::Vec<[u8; 32]> as core[c5930c85a12de822]::Drop>::drop",
                7,
                place,
                stage,
            );
        }
        assert_eq!(names.text(), "<alloc::vec::Vec<[u8; 32]> as core::Drop>::drop\t7:0-2,5;;4\n");
        let read = Names::read(&format!("# a list\n\n{}", names.text())).unwrap();
        let name = "<alloc[0000000000000000]::vec::Vec<[u8; 32]> as core[1111111111111111]::Drop>::drop";
        assert_eq!(
            (read.stage(name, 7), read.stage(name, 8), read.stage("memcpy", 7)),
            (Some(0), Some(0), None)
        );
        let of = [Some(0), Some(0), Some(0), None, Some(2), Some(0), None];
        assert_eq!(read.reached(name, 7), Some(of.to_vec()));
        assert_eq!((read.reached(name, 8), read.reached("memcpy", 7)), (None, None));
        assert_eq!(read.places(name, 7).collect::<Vec<_>>(), [(0, 0), (1, 0), (2, 0), (4, 2), (5, 0)]);
        assert_eq!(read.places(name, 8).next(), None);
        assert_eq!(read.strange([(name, 7), (name, 8), ("memcpy", 1)].into_iter()), 0);
        assert_eq!(read.strange([(name, 8), ("memcpy", 7)].into_iter()), 1);
        assert!(Names::read("memcpy").is_err());
    }
}
