//! Searching in texts in little code.

/// Where `part` begins in `text` for the first time. For short texts: every place is looked at.
pub fn find_text(text: &str, part: &str) -> Option<usize> {
    text.as_bytes().windows(part.len().max(1)).position(|here| here == part.as_bytes())
}

/// What stands before and behind `part` where it is first.
pub fn split_text<'a>(text: &'a str, part: &str) -> Option<(&'a str, &'a str)> {
    let at = find_text(text, part)?;
    Some((text.get(..at)?, text.get(at + part.len()..)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn finds_what_the_library_finds(text in "[abä]{0,12}", part in "[abä]{1,3}") {
            prop_assert_eq!(find_text(&text, &part), text.find(&part));
            prop_assert_eq!(split_text(&text, &part), text.split_once(&part));
        }
    }
}
