//! The name by which a person knows a device.

use crate::node::NodeError;
use crate::space::is_invisible;

/// Trims a device name and checks that it can be shown: 1 to 64 characters, no control characters.
pub(crate) fn device_name(text: &str) -> Result<String, NodeError> {
    let name = text.trim();
    let count = name.chars().count();
    if count == 0 {
        return Err(NodeError::bad_input("a device needs a name, such as \"Firefox on Ubuntu\""));
    }
    if count > MAX_CHARACTERS || name.len() > MAX_BYTES {
        return Err(NodeError::bad_input(format!(
            "a device name has at most {MAX_CHARACTERS} characters, got {count}; choose a shorter one"
        )));
    }
    if let Some(got) = name.chars().find(|c| is_invisible(*c)) {
        return Err(NodeError::bad_input(format!(
            "a device name is plain text; it contains the invisible character U+{:04X}",
            u32::from(got)
        )));
    }
    Ok(name.to_owned())
}

/// Most characters of a device name.
const MAX_CHARACTERS: usize = 64;
/// Most bytes of a device name.
pub(crate) const MAX_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_visible() {
        assert_eq!(device_name(" Firefox on Ubuntu ").unwrap(), "Firefox on Ubuntu");
        assert_eq!(device_name("📱").unwrap(), "📱");
        let long = "😀".repeat(10_000);
        assert!(device_name(&long).unwrap_err().message.contains("10000"));
        assert!(device_name("  ").is_err());
        assert!(device_name("a\u{202e}b").unwrap_err().message.contains("U+202E"));
    }
}
