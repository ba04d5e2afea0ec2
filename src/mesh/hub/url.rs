//! Addresses of hubs: `<kind>+wss://host/path#options`, or `wss://…` with the kind to be found out.

use core::fmt;

use super::{
    HubAdapter, HubKind,
    detect::Detect,
    matchbox::Matchbox,
    mqtt::Mqtt,
    nostr::Nostr,
    peerjs::PeerJs,
    pubsub::{Dialect, PubSub},
    wt::WebTorrent,
};
use crate::collections::find_text;

/// A hub's address.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HubUrl {
    text: String,
    kind: Option<HubKind>,
    socket: String,
    options: String,
    /// Whether data may pass, unless the address says otherwise.
    relays: bool,
}

impl HubUrl {
    /// Reads an address.
    pub fn parse(text: &str) -> Result<Self, HubUrlError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(HubUrlError::Empty);
        }
        if text.len() > MAX_URL {
            return Err(HubUrlError::TooLong { got: text.len() });
        }
        if let Some(got) = text.chars().find(|c| c.is_whitespace() || c.is_control()) {
            return Err(HubUrlError::Character { got });
        }
        let (scheme, rest) = text
            .split_once(':')
            .and_then(|(scheme, rest)| Some((scheme, rest.strip_prefix("//")?)))
            .ok_or_else(|| HubUrlError::Scheme { got: cut(text) })?;
        let scheme = scheme.to_ascii_lowercase();
        let (kind, scheme) = match scheme.split_once('+') {
            Some((kind, scheme)) => (Some(HubKind::parse(kind)?), scheme),
            None => (None, scheme.as_str()),
        };
        if scheme != "ws" && scheme != "wss" {
            return Err(HubUrlError::Scheme { got: cut(text) });
        }
        if find_text(rest, "/socket.io/").is_some() {
            return Err(HubUrlError::SocketIo);
        }
        // A browser refuses a socket address with a fragment, so options never reach the hub.
        let (rest, options) = rest.split_once('#').unwrap_or((rest, ""));
        if host(rest).is_empty() {
            return Err(HubUrlError::Host { got: cut(text) });
        }
        Ok(Self {
            text: text.to_owned(),
            kind,
            socket: format!("{scheme}://{rest}"),
            options: options.to_owned(),
            relays: false,
        })
    }

    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The kind, if it was named.
    pub const fn kind(&self) -> Option<HubKind> {
        self.kind
    }

    /// Lets data pass through the hub, unless its address says `relay=0`.
    pub const fn allow_relay(&mut self) {
        self.relays = true;
    }

    /// The value of an option behind `#` (`#relay=1&x=2`).
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|p| p.1)
    }

    /// What a WebSocket is opened to.
    pub fn socket(&self) -> &str {
        &self.socket
    }

    /// Whether a page served over https may not open it: `ws://` to a host that is not this machine.
    pub fn needs_insecure_page(&self) -> bool {
        let Some(host) = self.socket.strip_prefix("ws://").map(host) else { return false };
        let loopback = host.parse().is_ok_and(|address: core::net::Ipv4Addr| address.is_loopback());
        !loopback && !matches!(host, "localhost" | "[::1]") && !host.ends_with(".localhost")
    }

    /// The adapter for it; `seed` is drawn afresh for every hub and session.
    pub(crate) fn adapter(&self, seed: [u8; 32]) -> Box<dyn HubAdapter> {
        match self.kind {
            Some(kind) => self.adapter_of(kind, seed),
            None => Box::new(Detect::new(self, seed)),
        }
    }

    pub(super) fn adapter_of(&self, kind: HubKind, seed: [u8; 32]) -> Box<dyn HubAdapter> {
        let (socket, may_relay) = (self.socket.clone(), self.may_relay());
        let dialect = match kind {
            HubKind::Matchbox => return Box::new(Matchbox::new(socket, may_relay)),
            HubKind::Mqtt => return Box::new(Mqtt::new(socket, seed, may_relay)),
            HubKind::Nostr => return Box::new(Nostr::new(socket, seed)),
            HubKind::PeerJs => return Box::new(PeerJs::new(socket, seed, may_relay)),
            HubKind::WebTorrent => return Box::new(WebTorrent::new(socket, seed)),
            HubKind::Hhs => Dialect::Hhs,
            HubKind::SignalHubWs => Dialect::SignalHubWs,
            HubKind::WsRelay => Dialect::WsRelay,
            HubKind::YWebrtc => Dialect::YWebrtc,
        };
        Box::new(PubSub::new(dialect, socket, &seed, may_relay))
    }

    fn may_relay(&self) -> bool {
        match self.option("relay") {
            Some(said) => said == "1",
            None => self.relays,
        }
    }

    /// The kind that an address looks like.
    pub(super) fn kind_by_shape(&self) -> Option<HubKind> {
        let rest = self.socket.get(behind_scheme(&self.socket)..)?;
        let (host, path) = (host(rest), rest.split('?').next().unwrap_or_default());
        let is_port = |port: &str| path.split('/').next().is_some_and(|authority| authority.ends_with(port));
        if path.ends_with("/mqtt") || [":8081", ":8084", ":8884", ":9001"].into_iter().any(is_port) {
            Some(HubKind::Mqtt)
        } else if path.ends_with("/announce") || host.starts_with("tracker.") {
            Some(HubKind::WebTorrent)
        } else if path.ends_with("/peerjs") {
            Some(HubKind::PeerJs)
        } else if host.starts_with("relay.") || find_text(host, "nostr").is_some() {
            Some(HubKind::Nostr)
        } else {
            None
        }
    }
}

impl fmt::Display for HubUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Text that is not a hub's address.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum HubUrlError {
    /// White space or a control character.
    #[error("a hub address has no spaces or control characters, got {got:?}")]
    Character {
        /// The first such.
        got: char,
    },
    /// Nothing.
    #[error("the hub address is empty; expected one such as wss://hub.example or y-webrtc+wss://hub.example")]
    Empty,
    /// No host.
    #[error("expected a host behind ://, such as wss://hub.example, got {got:?}")]
    Host {
        /// The text, cut short.
        got: String,
    },
    /// A kind that is not known.
    #[error(
        "expected y-webrtc, nostr, mqtt, wt, peerjs, matchbox, signalhubws, ws-relay or hhs in front of the +, got {got:?}"
    )]
    Kind {
        /// The word, cut short.
        got: String,
    },
    /// A socket.io server, which relays nothing by itself.
    #[error("a socket.io server is no hub that can be used: what it relays is up to the program behind it")]
    SocketIo,
    /// Not a WebSocket address.
    #[error(
        "expected an address that begins with ws://, wss://, y-webrtc+ws:// or y-webrtc+wss://, got {got:?}"
    )]
    Scheme {
        /// The text, cut short.
        got: String,
    },
    /// Too long.
    #[error("a hub address has at most 2048 bytes, got {got}")]
    TooLong {
        /// Bytes that came.
        got: usize,
    },
}

/// Puts a path behind an address that has none.
pub(super) fn default_path(socket: &mut String, path: &str) {
    let start = behind_scheme(socket);
    let rest = socket.get(start..).unwrap_or_default();
    let end = start + rest.find('?').unwrap_or(rest.len());
    let authority = start + rest.find(['/', '?']).unwrap_or(rest.len());
    if socket.get(authority..end).is_some_and(|old| old.len() <= 1) {
        socket.replace_range(authority..end, path);
    }
}

/// The last segment of an address' path.
pub(super) fn last_segment(socket: &str) -> &str {
    let rest = socket.get(behind_scheme(socket)..).unwrap_or_default();
    let path = rest.split('?').next().unwrap_or_default();
    path.rsplit_once('/').map_or("", |(_, last)| last)
}

/// Takes `user:password@` out of an address, which a browser would refuse, and undoes its percent-encoding.
pub(super) fn take_login(socket: &mut String) -> Option<String> {
    let start = behind_scheme(socket);
    let rest = socket.get(start..)?;
    let authority = rest.get(..rest.find(['/', '?']).unwrap_or(rest.len()))?;
    let at = authority.rfind('@')?;
    let login = rest.get(..at)?.to_owned();
    socket.replace_range(start..=start + at, "");
    let mut bytes = Vec::new();
    let mut pieces = login.split('%');
    bytes.extend_from_slice(pieces.next()?.as_bytes());
    for piece in pieces {
        let (digits, more) = piece.split_at_checked(2)?;
        bytes.extend(crate::crypto::parse_hex::<1>(digits)?);
        bytes.extend_from_slice(more.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

/// Where a socket's address goes on behind `://`.
fn behind_scheme(socket: &str) -> usize {
    socket.find('/').map_or(0, |slash| slash + 2)
}

/// The host of what stands behind `://`, without user and port.
fn host(rest: &str) -> &str {
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    match host.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => host,
    }
}

fn cut(text: &str) -> String {
    text.chars().take(80).collect()
}

const MAX_URL: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_options_and_plain_addresses() {
        let url = HubUrl::parse(" y-webrtc+wss://Hub.example:4444/a?b=c#relay=1&x=2 ").unwrap();
        assert_eq!(url.kind(), Some(HubKind::YWebrtc));
        assert_eq!(url.socket(), "wss://Hub.example:4444/a?b=c");
        assert_eq!((url.option("relay"), url.option("x"), url.option("y")), (Some("1"), Some("2"), None));
        assert!(url.adapter([0; 32]).caps().may_relay);
        let plain = HubUrl::parse("ws://127.0.0.1:4444").unwrap();
        assert_eq!((plain.kind(), plain.socket()), (None, "ws://127.0.0.1:4444"));
        assert!(!plain.adapter([0; 32]).caps().may_relay);
    }

    #[test]
    fn errors_say_what_was_expected() {
        for (text, part) in [
            ("", "such as wss://"),
            ("hub.example", "begins with ws://"),
            ("https://hub.example", "begins with ws://"),
            ("smtp+wss://hub.example", "expected y-webrtc, nostr"),
            ("wss://hub.example/socket.io/?EIO=4", "socket.io"),
            ("wss://", "expected a host"),
            ("wss://:80/x", "expected a host"),
            ("wss://a b", "no spaces"),
        ] {
            let error = HubUrl::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn plain_ws_is_flagged_unless_it_stays_here() {
        for (text, flagged) in [
            ("ws://hub.example", true),
            ("ws://127.evil.example", true),
            ("ws://localhost:1", false),
            ("ws://127.0.0.1:4444/x", false),
            ("ws://[::1]:4444", false),
            ("wss://hub.example", false),
        ] {
            assert_eq!(HubUrl::parse(text).unwrap().needs_insecure_page(), flagged, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_never_panics(text: String) {
            let _ = HubUrl::parse(&text);
            let _ = HubUrl::parse(&format!("y-webrtc+wss://{text}")).map(|url| url.needs_insecure_page());
        }
    }
}
