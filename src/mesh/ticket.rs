//! What two people hand each other where there is no hub: all that a browser needs to reach the other one.
//!
//! ```text
//! text    "hypha:" │ base64url( version u8 │ nonce 24 │ sealed )
//!         key = BLAKE2b-256(key = space key, ns(hypha/v1/pair)), ad = version
//! sealed  kind u8 (1 offer, 2 answer) │ u64 ms since 1970 from when on it is of no use │ sender's X25519 key 32
//!         attempt varint │ H128 of the offer's text 16 (answer only) │ certificate's SHA-256 32
//!         bytes: ice-ufrag │ bytes: ice-pwd │ count candidates u8, each:
//!           type u8 (0 host, 1 srflx, 2 relay) │ u32 priority │ u16 port │ bytes: address, or mDNS name, as text
//! ```
//! Integers are little endian. Each side makes an offer of its own for its browser and takes the other's ticket as the
//! answer to it, so that neither begins to connect before a person says that both are ready: browsers give up after
//! seconds. The side of the answer opens DTLS. Whoever has the link of the space can read a ticket, and nobody can alter one.

use std::fmt::Write as _;

use super::{Candidate, sdp};
use crate::codec::{DecodeError, Reader, Writer};
use crate::crypto::{
    Entropy, Hash, NONCE_LENGTH, Namespace, PublicKey, blake2b_128, keyed_parts, open, seal,
};

/// One side's half of a pairing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Ticket {
    /// H128 of the text of the offer that it answers; `None`: an offer.
    pub(crate) answers: Option<[u8; 16]>,
    pub(crate) expires: u64,
    pub(crate) key: [u8; 32],
    pub(crate) attempt: u64,
    pub(crate) print: [u8; 32],
    pub(crate) ufrag: String,
    pub(crate) pwd: String,
    pub(crate) routes: Vec<Route>,
}

/// A candidate, as far as it is needed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Route {
    kind: u8,
    priority: u32,
    port: u16,
    address: String,
}

impl Ticket {
    /// The half that an SDP and its candidates make.
    pub(crate) fn new(
        own: &str,
        candidates: &[Candidate],
        key: [u8; 32],
        attempt: u64,
        answers: Option<[u8; 16]>,
        expires: u64,
    ) -> Option<Self> {
        let inline = own.lines().filter_map(|line| line.trim().strip_prefix("a="));
        let lines = inline.chain(candidates.iter().map(|one| one.candidate.as_str()));
        let mut routes: Vec<Route> = Vec::new();
        for route in lines.filter_map(Route::read) {
            if routes.len() < MAX_ROUTES && !routes.contains(&route) {
                routes.push(route);
            }
        }
        Some(Self {
            answers,
            expires,
            key,
            attempt,
            print: sdp::fingerprint(own).ok()?,
            ufrag: sdp::ufrag(own)?.to_owned(),
            pwd: sdp::pwd(own)?.to_owned(),
            routes,
        })
    }

    /// The text to show.
    pub(crate) fn seal(&self, space: &PublicKey, entropy: &mut dyn Entropy) -> String {
        let mut plain = Writer::new();
        plain.u8(if self.answers.is_some() { 2 } else { 1 }).u64(self.expires).raw(&self.key);
        plain.varint(self.attempt);
        if let Some(hash) = &self.answers {
            plain.raw(hash);
        }
        plain.raw(&self.print).text(&self.ufrag).text(&self.pwd);
        plain.u8(u8::try_from(self.routes.len()).unwrap_or(u8::MAX));
        for route in &self.routes {
            route.write(&mut plain);
        }
        let nonce = entropy.array24();
        let mut out = Writer::versioned();
        out.raw(&nonce).raw(&seal(&key_of(space).0, &nonce, &[1], plain.as_slice()));
        format!("{PREFIX}{}", super::hub::base64url::encode(out.as_slice()))
    }

    /// Reads what another side showed.
    pub(crate) fn open(space: &PublicKey, text: &str) -> Result<Self, PairError> {
        let text: String = text.chars().filter(|one| !one.is_whitespace()).collect();
        let body =
            text.strip_prefix(PREFIX).filter(|body| body.len() <= MAX_TEXT).ok_or(PairError::NoTicket)?;
        let bytes = super::hub::base64url::decode(body).ok_or(PairError::NoTicket)?;
        let mut reader = Reader::versioned(&bytes)?;
        let nonce: [u8; NONCE_LENGTH] = reader.array()?;
        let plain = open(&key_of(space).0, &nonce, &[1], reader.rest()).map_err(|_| PairError::Foreign)?;
        Ok(Self::read(&mut Reader::new(&plain))?)
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let kind = reader.u8()?;
        let (expires, key, attempt) = (reader.u64()?, reader.array()?, reader.varint()?);
        let answers = match kind {
            1 => None,
            2 => Some(reader.array()?),
            got => return Err(DecodeError::Unknown { what: "kind of ticket", got: u64::from(got) }),
        };
        let print = reader.array()?;
        let (ufrag, pwd) = (reader.text("ufrag", 256)?, reader.text("pwd", 256)?);
        // They become lines of an SDP.
        let plain =
            |text: &str| text.bytes().all(|one| one.is_ascii_alphanumeric() || matches!(one, b'+' | b'/'));
        if !plain(ufrag) || !plain(pwd) {
            return Err(DecodeError::NotCanonical { what: "ICE credentials with other characters" });
        }
        let (ufrag, pwd) = (ufrag.to_owned(), pwd.to_owned());
        let mut routes = Vec::new();
        for _ in 0..reader.u8()? {
            routes.push(Route::decode(reader)?);
        }
        reader.end()?;
        Ok(Self { answers, expires, key, attempt, print, ufrag, pwd, routes })
    }

    /// Names a text.
    pub(crate) fn hash(text: &str) -> [u8; 16] {
        blake2b_128(&[text.as_bytes()])
    }

    /// The SDP of an answer by whoever made this.
    pub(crate) fn sdp(&self) -> String {
        let setup = if self.answers.is_some() { "active" } else { "passive" };
        let print: Vec<String> = self.print.iter().map(|byte| format!("{byte:02X}")).collect();
        let mut sdp = format!(
            "v=0\r\no=- {} 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
             m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=ice-ufrag:{}\r\n\
             a=ice-pwd:{}\r\na=ice-options:trickle\r\na=fingerprint:sha-256 {}\r\na=setup:{setup}\r\n\
             a=sctp-port:5000\r\na=max-message-size:262144\r\n",
            self.expires,
            self.ufrag,
            self.pwd,
            print.join(":"),
        );
        for (number, route) in self.routes.iter().enumerate() {
            // Writing to a text does not fail.
            let _ = write!(sdp, "a={}\r\n", route.line(number));
        }
        sdp
    }
}

impl Route {
    /// Reads a candidate line; `None` for TCP, other components, and what is not known.
    fn read(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix("candidate:")?.split_ascii_whitespace().skip(1);
        let (component, protocol) = (words.next()?, words.next()?);
        let (priority, address, port) = (words.next()?, words.next()?, words.next()?);
        if component != "1" || !protocol.eq_ignore_ascii_case("udp") || words.next()? != "typ" {
            return None;
        }
        let kind = KINDS.iter().zip(0..).find(|(name, _)| Some(**name) == words.clone().next())?.1;
        Some(Self {
            kind,
            priority: priority.parse().ok()?,
            port: port.parse().ok()?,
            address: plain_address(address)?,
        })
    }

    fn line(&self, number: usize) -> String {
        let kind = KINDS.get(usize::from(self.kind)).copied().unwrap_or("host");
        let related = if self.kind == 0 { "" } else { " raddr 0.0.0.0 rport 0" };
        let Self { priority, port, address, .. } = self;
        format!("candidate:{number} 1 udp {priority} {address} {port} typ {kind}{related}")
    }

    fn write(&self, out: &mut Writer) {
        out.u8(self.kind).u32(self.priority).u16(self.port).text(&self.address);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (kind, priority, port) = (reader.u8()?, reader.u32()?, reader.u16()?);
        if usize::from(kind) >= KINDS.len() {
            return Err(DecodeError::Unknown { what: "kind of candidate", got: u64::from(kind) });
        }
        let address = plain_address(reader.text("address", MAX_ADDRESS)?);
        let address =
            address.ok_or(DecodeError::NotCanonical { what: "an address with other characters" })?;
        Ok(Self { kind, priority, port, address })
    }
}

/// An address or a name, which becomes part of an SDP.
fn plain_address(text: &str) -> Option<String> {
    let plain = |one: u8| one.is_ascii_alphanumeric() || matches!(one, b'.' | b':' | b'-');
    (!text.is_empty() && text.len() <= MAX_ADDRESS && text.bytes().all(plain)).then(|| text.to_owned())
}

/// Why a pairing does not come about.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PairError {
    /// The other side is connected already, or is this one.
    #[error("{what}")]
    Needless {
        /// In words.
        what: &'static str,
    },
    /// Too old.
    #[error("this code is older than ten minutes, or a clock is wrong: let the other side make a new one")]
    Expired,
    /// It does not open.
    #[error("this code is of another space, or something in it was altered")]
    Foreign,
    /// Too many links.
    #[error("this node has as many connections as it takes")]
    Full,
    /// Not made by the half that was shown here.
    #[error("{what}")]
    Mismatch {
        /// In words.
        what: &'static str,
    },
    /// Something else was pasted.
    #[error("this is no pairing code: one begins with hypha: and is copied whole")]
    NoTicket,
    /// Nothing of that kind is under way.
    #[error("this pairing is over: begin a new one")]
    Over,
    /// It was made by a newer version, or is cut off.
    #[error("this pairing code cannot be read: {0}")]
    Read(#[from] DecodeError),
}

fn key_of(space: &PublicKey) -> Hash {
    keyed_parts(&space.0, &[&Namespace::Pair.bytes()])
}

const PREFIX: &str = "hypha:";
const KINDS: [&str; 3] = ["host", "srflx", "relay"];
/// Candidates in a ticket: it has to fit into a QR code.
const MAX_ROUTES: usize = 12;
/// Longest address: an mDNS name has 42 bytes.
const MAX_ADDRESS: usize = 64;
/// Longest text that is read.
const MAX_TEXT: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Seeded;

    const SDP: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n\
        a=ice-ufrag:abC+\r\na=ice-pwd:0123456789abcdefghijkl/+\r\na=candidate:1 1 UDP 5 192.168.1.7 4000 typ host\r\n\
        a=fingerprint:sha-256 00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:1F\r\n";

    fn ticket(answers: Option<[u8; 16]>) -> Ticket {
        let line = |candidate: &str| Candidate {
            candidate: candidate.to_owned(),
            sdp_mid: Some("0".to_owned()),
            sdp_m_line_index: Some(0),
            username_fragment: None,
        };
        let candidates = [
            line(
                "candidate:7 1 udp 2113937151 1a2b3c4d-0011-4223-8445-66778899aabb.local 51000 typ host generation 0",
            ),
            line("candidate:8 1 tcp 1518280447 10.0.0.1 9 typ host tcptype active"),
            line("candidate:9 1 udp 1677729535 2001:db8::7 51001 typ srflx raddr :: rport 0"),
        ];
        Ticket::new(SDP, &candidates, [9; 32], 4, answers, 1000).unwrap()
    }

    #[test]
    fn a_ticket_comes_back_and_makes_an_sdp() {
        for answers in [None, Some([3; 16])] {
            let space = PublicKey([5; 32]);
            let made = ticket(answers);
            assert_eq!(made.routes.len(), 3);
            let text = made.seal(&space, &mut Seeded::new(1));
            assert!(text.len() < 450, "{} characters", text.len());
            assert_eq!(Ticket::open(&space, &format!("  {text}\n")), Ok(made.clone()));
            assert_eq!(Ticket::open(&PublicKey([6; 32]), &text), Err(PairError::Foreign));
            let sdp = made.sdp();
            assert_eq!(sdp::fingerprint(&sdp).unwrap(), made.print);
            assert!(sdp.contains(" 1a2b3c4d-0011-4223-8445-66778899aabb.local 51000 typ host\r\n"));
            assert!(sdp.contains(if answers.is_some() { "a=setup:active" } else { "a=setup:passive" }));
            for at in 0..text.len() {
                let mut other = text.clone().into_bytes();
                other[at] ^= 1;
                assert!(Ticket::open(&space, &String::from_utf8(other).unwrap()).is_err(), "character {at}");
                assert!(Ticket::open(&space, &text[..at]).is_err());
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_never_panics(text: String) {
            let _ = Ticket::open(&PublicKey([5; 32]), &text);
            let _ = Ticket::open(&PublicKey([5; 32]), &format!("hypha:{text}"));
            let _ = Route::read(&format!("candidate:{text}"));
        }

        #[test]
        fn any_bytes_never_panic(bytes: Vec<u8>) {
            if let Ok(ticket) = Ticket::read(&mut Reader::new(&bytes)) {
                let _ = ticket.sdp();
            }
        }
    }
}
