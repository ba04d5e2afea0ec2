//! Functions by the names that people gave them: without hashes, so that a list of them outlives a compilation.
//!
//! One name may stand for several functions, such as instances of a generic one: they go together.

use std::collections::BTreeSet;

/// A set of functions' names, one to a line, sorted.
#[derive(Default)]
pub struct Names(BTreeSet<String>);

impl Names {
    /// Reads a list; lines with `#` are comments.
    pub fn read(text: &str) -> Self {
        Self(text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(str::to_owned).collect())
    }

    /// Adds a function as the module calls it.
    pub fn add(&mut self, name: &str) {
        self.0.insert(plain(name));
    }

    /// Whether a function is one of them.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains(&plain(name))
    }

    /// How many names.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The list, to be read by [`Names::read`].
    pub fn text(&self) -> String {
        self.0.iter().fold(String::new(), |text, name| text + name + "\n")
    }
}

/// `name` without the hashes of crates, `[0123456789abcdef]`, which differ between compilations.
fn plain(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('[') {
        out.push_str(before);
        let hash = after.split_once(']').filter(|(hash, _)| {
            hash.len() > 12 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
        });
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
        names.add("<alloc[3ca501edff3f0c7c]::vec::Vec<[u8; 32]> as core[c5930c85a12de822]::ops::Drop>::drop");
        assert_eq!(names.text(), "<alloc::vec::Vec<[u8; 32]> as core::ops::Drop>::drop\n");
        let read = Names::read(&format!("# a list\n\n{}", names.text()));
        assert!(read.has("<alloc[0000000000000000]::vec::Vec<[u8; 32]> as core[1111111111111111]::ops::Drop>::drop"));
        assert!(!read.has("memcpy") && read.len() == 1);
    }
}
