//! The two things that the mesh reads in an SDP: the certificate's fingerprint and the ICE generation.

/// The DTLS certificate fingerprints of a connection: SHA-256, 32 raw bytes each.
///
/// They go into the handshake's prologue, so that whoever swaps an SDP on its way is found out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fingerprints {
    /// Ours.
    pub local: [u8; 32],
    /// Theirs.
    pub remote: [u8; 32],
}

impl Fingerprints {
    /// Both, lower first: the same on both sides.
    pub fn sorted(&self) -> [[u8; 32]; 2] {
        if self.local <= self.remote { [self.local, self.remote] } else { [self.remote, self.local] }
    }
}

/// The SHA-256 fingerprint in an SDP (`a=fingerprint:sha-256 AB:CD:…`), at session or media level.
pub fn fingerprint(sdp: &str) -> Result<[u8; 32], SdpError> {
    let mut found = None;
    let mut other = None;
    for value in lines(sdp, "a=fingerprint:") {
        let (algorithm, digits) = value.split_once(' ').unwrap_or((value, ""));
        if !algorithm.eq_ignore_ascii_case("sha-256") {
            other = Some(algorithm);
            continue;
        }
        let print = bytes(digits.trim()).ok_or(SdpError::Malformed { got: digits.len() })?;
        match found {
            Some(earlier) if earlier != print => return Err(SdpError::Several),
            _ => found = Some(print),
        }
    }
    found.ok_or_else(|| match other {
        Some(algorithm) => SdpError::Algorithm { got: algorithm.chars().take(16).collect() },
        None => SdpError::Missing,
    })
}

/// The ICE user fragment: names the generation that candidates belong to.
pub(crate) fn ufrag(sdp: &str) -> Option<&str> {
    lines(sdp, "a=ice-ufrag:").next().map(str::trim).filter(|text| !text.is_empty() && text.len() <= 256)
}

/// The ICE password.
pub(crate) fn pwd(sdp: &str) -> Option<&str> {
    lines(sdp, "a=ice-pwd:").next().map(str::trim).filter(|text| !text.is_empty() && text.len() <= 256)
}

/// Why an SDP names no fingerprint that can be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SdpError {
    /// Only with other algorithms.
    #[error("expected a sha-256 fingerprint in the SDP, got {got:?}")]
    Algorithm {
        /// The last one's name, at most 16 characters.
        got: String,
    },
    /// Not 32 bytes in hexadecimal with colons.
    #[error(
        "expected a fingerprint of 32 hexadecimal bytes with colons (95 characters), got {got} characters"
    )]
    Malformed {
        /// Characters that came.
        got: usize,
    },
    /// None at all.
    #[error("expected a line a=fingerprint:sha-256 in the SDP, got none")]
    Missing,
    /// Two that differ.
    #[error("expected one sha-256 fingerprint in the SDP, got several that differ")]
    Several,
}

fn lines<'a>(sdp: &'a str, prefix: &'static str) -> impl Iterator<Item = &'a str> {
    sdp.lines().filter_map(move |line| line.trim().strip_prefix(prefix))
}

fn bytes(digits: &str) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    let mut parts = digits.split(':');
    for byte in &mut out {
        let part =
            parts.next().filter(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit()))?;
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(algorithm: &str, byte: u8) -> String {
        format!("a=fingerprint:{algorithm} {}\r\n", vec![format!("{byte:02X}"); 32].join(":"))
    }

    #[test]
    fn reads_what_browsers_write() {
        let sdp = format!(
            "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\n{}a=ice-ufrag:abCD\r\na=ice-pwd:x\r\n",
            line("sha-256", 0xab)
        );
        assert_eq!(fingerprint(&sdp), Ok([0xab; 32]));
        assert_eq!(fingerprint(&sdp.to_lowercase()), Ok([0xab; 32]));
        assert_eq!(ufrag(&sdp), Some("abCD"));
        let twice = sdp.clone() + &line("sha-256", 0xab) + &line("sha-1", 1);
        assert_eq!(fingerprint(&twice), Ok([0xab; 32]));
    }

    #[test]
    fn refuses_what_proves_nothing() {
        assert_eq!(fingerprint("v=0\r\n"), Err(SdpError::Missing));
        assert_eq!(fingerprint(&line("sha-1", 1)), Err(SdpError::Algorithm { got: "sha-1".into() }));
        assert_eq!(fingerprint(&(line("sha-256", 1) + &line("sha-256", 2))), Err(SdpError::Several));
        assert!(matches!(fingerprint("a=fingerprint:sha-256 AB:CD"), Err(SdpError::Malformed { .. })));
        assert!(matches!(fingerprint("a=fingerprint:sha-256"), Err(SdpError::Malformed { .. })));
        let long = line("sha-256", 1).replace("\r\n", ":01\r\n");
        assert!(matches!(fingerprint(&long), Err(SdpError::Malformed { .. })));
    }

    proptest::proptest! {
        #[test]
        fn any_text_never_panics(text: String) {
            let _ = (fingerprint(&text), ufrag(&text));
            let _ = fingerprint(&format!("a=fingerprint:sha-256 {text}"));
        }
    }
}
