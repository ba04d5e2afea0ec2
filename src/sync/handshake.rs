//! The Noise handshake that opens a carrier: `Noise_XX_25519_ChaChaPoly_BLAKE2b`.
//!
//! ```text
//! initiator                                             responder
//!   "hypha" │ version │ e                            →
//!                     ←  "hypha" │ version │ e, ee, s, es │ session nonce 16
//!   s, se │ session nonce 16                         →
//! not my version:     ←  "hypha" │ 0 │ versions spoken
//! prologue = "hypha/v1" │ version │ length and name of the carrier │ WebRTC: both fingerprints, lower first
//! session id = both nonces, lower first
//! ```
//!
//! Each message is one frame. Both nonces travel encrypted, as do both static keys; those are fresh per browser
//! session and track nobody. A hub that swaps the certificate fingerprints changes the prologue on both sides
//! differently, and neither handshake finishes.

use snow::{
    Builder, HandshakeState, TransportState,
    params::{
        BaseChoice, CipherChoice, DHChoice, HandshakeChoice, HandshakeModifierList, HandshakePattern,
        HashChoice, NoiseParams,
    },
};
use zeroize::Zeroizing;

use super::{Fault, limits::MAX_FRAME, resolver::Resolver};
use crate::crypto::Entropy;

/// The version of the protocol spoken here.
pub const PROTOCOL_VERSION: u8 = 1;

pub(super) const PATTERN: &str = "Noise_XX_25519_ChaChaPoly_BLAKE2b";

/// What [`PATTERN`] says, without a parser of such names.
fn params() -> NoiseParams {
    let handshake = HandshakeChoice {
        pattern: HandshakePattern::XX,
        modifiers: HandshakeModifierList { list: Vec::new() },
    };
    let (dh, cipher, hash) = (DHChoice::Curve25519, CipherChoice::ChaChaPoly, HashChoice::Blake2b);
    NoiseParams::new(PATTERN.to_owned(), BaseChoice::Noise, handshake, dh, cipher, hash)
}

const MAGIC: &[u8; 5] = b"hypha";
/// In place of a version: a list of those spoken follows.
const REFUSAL: u8 = 0;
const NONCE: usize = 16;

/// Which end of a connection one is. The lower session id dials; both must agree before the first byte.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// Speaks first (role byte 0).
    Initiator,
    /// Answers (role byte 1).
    Responder,
}

impl Role {
    /// The byte that stands for it in tags and proofs.
    pub const fn byte(self) -> u8 {
        match self {
            Self::Initiator => 0,
            Self::Responder => 1,
        }
    }

    /// The other end.
    pub const fn other(self) -> Self {
        match self {
            Self::Initiator => Self::Responder,
            Self::Responder => Self::Initiator,
        }
    }
}

/// What carries the bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Carrier {
    /// A relay on a hub.
    Relay,
    /// Another tab of this browser.
    Tab,
    /// A WebRTC data channel, with the SHA-256 fingerprints of both DTLS certificates.
    WebRtc {
        /// Ours, from the local description.
        local: [u8; 32],
        /// The peer's, from the remote description.
        remote: [u8; 32],
    },
}

impl Carrier {
    /// Its name in the prologue.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Tab => "tab",
            Self::WebRtc { .. } => "webrtc",
        }
    }

    /// Which of two carriers of a session is better: the higher.
    pub(super) const fn rank(&self) -> u8 {
        match self {
            Self::Relay => 0,
            Self::WebRtc { .. } => 1,
            Self::Tab => 2,
        }
    }

    fn prologue(&self, version: u8) -> Vec<u8> {
        let name = self.name().as_bytes();
        let mut out = b"hypha/v1".to_vec();
        out.push(version);
        // The three names are far below 256 bytes.
        out.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(name);
        if let Self::WebRtc { local, remote } = self {
            let (low, high) = if local <= remote { (local, remote) } else { (remote, local) };
            out.extend_from_slice(low);
            out.extend_from_slice(high);
        }
        out
    }
}

/// The X25519 key of this node for this browser session. Wiped on drop.
pub struct NodeKey(Zeroizing<[u8; 32]>);

impl NodeKey {
    /// A fresh one.
    pub fn generate(entropy: &mut dyn Entropy) -> Self {
        Self(Zeroizing::new(entropy.array32()))
    }

    /// The public key that a peer sees once the handshake is done.
    pub fn public(&self) -> [u8; 32] {
        x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from(*self.0)).to_bytes()
    }
}

/// The hash of everything the handshake said: names this connection, the same on both sides and on no other.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HandshakeHash(pub [u8; 64]);

/// A handshake under way.
pub(super) struct Handshake {
    noise: HandshakeState,
    nonce: [u8; NONCE],
    role: Role,
    public: [u8; 32],
    /// Whether a frame of the peer was read.
    heard: bool,
}

/// A handshake done.
pub(super) struct Secured {
    pub(super) transport: TransportState,
    pub(super) hash: HandshakeHash,
    pub(super) remote: [u8; 32],
    pub(super) id: [u8; 32],
}

/// What comes of a frame.
pub(super) enum Step {
    /// Send this frame; the handshake goes on.
    Reply(Vec<u8>),
    /// Send the frame, if any; done.
    Done(Option<Vec<u8>>, Box<Secured>),
    /// The peer speaks only these versions.
    Versions(Vec<u8>),
}

impl Handshake {
    pub(super) fn new(
        role: Role,
        carrier: &Carrier,
        key: &NodeKey,
        nonce: [u8; NONCE],
        entropy: &mut dyn Entropy,
    ) -> Result<Self, Fault> {
        let setup = |_| Fault::Handshake { detail: "set-up" };
        let prologue = carrier.prologue(PROTOCOL_VERSION);
        let builder = Builder::with_resolver(params(), Box::new(Resolver::new(entropy.array32())))
            .local_private_key(key.0.as_slice())
            .map_err(setup)?
            .prologue(&prologue)
            .map_err(setup)?;
        let noise = match role {
            Role::Initiator => builder.build_initiator(),
            Role::Responder => builder.build_responder(),
        }
        .map_err(setup)?;
        Ok(Self { noise, nonce, role, public: key.public(), heard: false })
    }

    /// The initiator's first frame.
    pub(super) fn start(&mut self) -> Result<Vec<u8>, Fault> {
        self.write(true, &[])
    }

    /// The frame that tells a stranger which versions are spoken here.
    pub(super) fn refusal() -> Vec<u8> {
        [MAGIC.as_slice(), &[REFUSAL, PROTOCOL_VERSION]].concat()
    }

    /// Reads the peer's next frame.
    pub(super) fn read(mut self, frame: &[u8]) -> Result<(Option<Self>, Step), Fault> {
        let first = self.role == Role::Responder && !self.heard;
        self.heard = true;
        let body = if self.role == Role::Initiator || first {
            let (magic, rest) = frame.split_first_chunk::<5>().ok_or(Fault::NotHypha)?;
            if magic != MAGIC {
                return Err(Fault::NotHypha);
            }
            match rest.split_first() {
                Some((&PROTOCOL_VERSION, rest)) => rest,
                Some((&REFUSAL, versions)) => {
                    let versions = versions.iter().copied().take(16).collect();
                    return Ok((None, Step::Versions(versions)));
                }
                Some((&other, _)) => {
                    return Err(Fault::Version { ours: PROTOCOL_VERSION, theirs: vec![other] });
                }
                None => return Err(Fault::NotHypha),
            }
        } else {
            frame
        };
        let mut plain = [0; MAX_FRAME];
        let length = self
            .noise
            .read_message(body, &mut plain)
            .map_err(|_| Fault::Handshake { detail: "message not authentic, or about another connection" })?;
        let payload = plain.get(..length).unwrap_or_default();
        if first {
            if !payload.is_empty() {
                return Err(Fault::Handshake { detail: "first message has a payload" });
            }
            let nonce = self.nonce;
            let reply = self.write(true, &nonce)?;
            return Ok((Some(self), Step::Reply(reply)));
        }
        let theirs =
            payload.try_into().map_err(|_| Fault::Handshake { detail: "session nonce is not 16 bytes" })?;
        let reply = match self.role {
            Role::Initiator => {
                let nonce = self.nonce;
                Some(self.write(false, &nonce)?)
            }
            Role::Responder => None,
        };
        let secured = self.finish(theirs)?;
        Ok((None, Step::Done(reply, Box::new(secured))))
    }

    fn write(&mut self, headed: bool, payload: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut message = [0; 256];
        let length = self
            .noise
            .write_message(payload, &mut message)
            .map_err(|_| Fault::Handshake { detail: "the peer's key is unusable" })?;
        let mut frame = if headed { [MAGIC.as_slice(), &[PROTOCOL_VERSION]].concat() } else { Vec::new() };
        frame.extend_from_slice(message.get(..length).unwrap_or_default());
        Ok(frame)
    }

    fn finish(self, theirs: [u8; NONCE]) -> Result<Secured, Fault> {
        let broken = Fault::Handshake { detail: "not finished" };
        let remote: [u8; 32] =
            self.noise.get_remote_static().and_then(|key| key.try_into().ok()).ok_or(broken.clone())?;
        if remote == self.public || theirs == self.nonce {
            return Err(Fault::Myself);
        }
        let hash = self.noise.get_handshake_hash().try_into().map_err(|_| broken.clone())?;
        let (low, high) = if self.nonce < theirs { (self.nonce, theirs) } else { (theirs, self.nonce) };
        let mut id = [0; 32];
        for (to, from) in id.iter_mut().zip(low.into_iter().chain(high)) {
            *to = from;
        }
        let transport = self.noise.into_transport_mode().map_err(|_| broken)?;
        Ok(Secured { transport, hash: HandshakeHash(hash), remote, id })
    }
}
