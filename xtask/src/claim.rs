//! The claim: who opens the printed link first may say, once, which space this host's page shows.
//!
//! ```text
//! GET /.well-known/dat           404 until claimed, then  hypha://<64 hex>⏎TTL=3600⏎
//! GET /.well-known/hypha-claim   {"nonce": <64 hex>}      404 once claimed
//! PUT /.well-known/dat           {"token", "key", "domain", "nonce", "signature"}, all but the domain in hex
//!
//! signature = Ed25519 by key over  ns("hypha/v1/claim") ‖ key (32) ‖ u16le length ‖ domain ‖ nonce (32)
//! ns(s)     = BLAKE2b-256(s)
//! ```
//! The token proves that the claimant saw what the server printed, the signature that it holds the space's key, the
//! nonce that it does so now. Token and nonce are fresh at each start; the claimed key is kept in a file.

use crate::http::{Request, Response};
use anyhow::{Context, Result};
use blake2::{Blake2b, Digest, digest::consts::U32};
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use subtle::ConstantTimeEq;

/// Longest domain name, bytes.
const MAX_DOMAIN: usize = 253;

/// State of the claim.
pub struct Claim {
    file: PathBuf,
    token: [u8; 32],
    nonce: [u8; 32],
    /// What `/.well-known/dat` says; none until claimed.
    dat: Mutex<Option<String>>,
}

impl Claim {
    /// Reads what was claimed before from `dir`, which is created; draws a fresh token and nonce.
    pub fn open(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let file = dir.join("dat");
        let dat = match fs::read_to_string(&file) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
        };
        Ok(Self { file, token: random()?, nonce: random()?, dat: Mutex::new(dat) })
    }

    /// The one-time token, in hex; none if there is nothing to claim any more.
    pub fn token(&self) -> Option<String> {
        self.dat().is_none().then(|| HEXLOWER.encode(&self.token))
    }

    /// Answers `/.well-known/dat`.
    pub fn dat_file(&self, request: &Request) -> Response {
        let response = match request.method.as_str() {
            "GET" | "HEAD" => match self.dat().as_ref() {
                Some(text) => Response::new(200, "text/plain; charset=utf-8", text.as_str()),
                None => Response::text(404, "nobody has claimed this host yet"),
            },
            "PUT" => match self.put(&request.body) {
                Ok(()) => Response::text(201, "claimed"),
                Err((status, reason)) => Response::text(status, reason),
            },
            _ => Response::text(405, "GET or PUT").with("Allow", "GET, HEAD, PUT"),
        };
        response.with("Access-Control-Allow-Origin", "*").with("Cache-Control", "no-cache")
    }

    /// Answers `/.well-known/hypha-claim`.
    pub fn nonce(&self, request: &Request) -> Response {
        match (request.method.as_str(), self.dat().is_some()) {
            ("GET" | "HEAD", false) => {
                let body = json!({ "nonce": HEXLOWER.encode(&self.nonce) });
                Response::new(200, "application/json", body.to_string()).with("Cache-Control", "no-store")
            }
            ("GET" | "HEAD", true) => {
                Response::text(404, "this host is claimed").with("Cache-Control", "no-store")
            }
            _ => Response::text(405, "GET").with("Allow", "GET, HEAD"),
        }
    }

    fn put(&self, body: &[u8]) -> Result<(), (u16, &'static str)> {
        let body: Value = serde_json::from_slice(body).map_err(|_| (400, "the body is not JSON"))?;
        let token: [u8; 32] = hex(&body, "token").ok_or((400, "token: 64 hex digits expected"))?;
        let key: [u8; 32] = hex(&body, "key").ok_or((400, "key: 64 hex digits expected"))?;
        let nonce: [u8; 32] = hex(&body, "nonce").ok_or((400, "nonce: 64 hex digits expected"))?;
        let signature: [u8; 64] =
            hex(&body, "signature").ok_or((400, "signature: 128 hex digits expected"))?;
        let domain = body.get("domain").and_then(Value::as_str).ok_or((400, "domain: text expected"))?;
        if domain.is_empty() || domain.len() > MAX_DOMAIN {
            return Err((400, "domain: 1 to 253 bytes expected"));
        }
        // held to the end: of two claims at once, one is second
        let mut dat = self.dat();
        if dat.is_some() {
            return Err((409, "this host is claimed already"));
        }
        if !bool::from(token.ct_eq(&self.token)) {
            return Err((403, "not the token that the server printed"));
        }
        if nonce != self.nonce {
            return Err((403, "not the nonce of this server"));
        }
        let signed = message(&key, domain, &nonce).ok_or((400, "domain: too long"))?;
        VerifyingKey::from_bytes(&key)
            .and_then(|key| key.verify_strict(&signed, &Signature::from_bytes(&signature)))
            .map_err(|_| (403, "the signature does not fit the key, domain and nonce"))?;
        let text = format!("hypha://{}\nTTL=3600\n", HEXLOWER.encode(&key));
        self.keep(&text).map_err(|_| (500, "the server cannot write its file"))?;
        *dat = Some(text);
        Ok(())
    }

    /// Whole or not at all: a crash leaves no half of a key.
    fn keep(&self, text: &str) -> std::io::Result<()> {
        let fresh = self.file.with_extension("new");
        fs::write(&fresh, text)?;
        fs::rename(fresh, &self.file)
    }

    fn dat(&self) -> MutexGuard<'_, Option<String>> {
        self.dat.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The signed bytes; none if the domain's length does not fit.
fn message(key: &[u8; 32], domain: &str, nonce: &[u8; 32]) -> Option<Vec<u8>> {
    let length = u16::try_from(domain.len()).ok()?;
    let ns = Blake2b::<U32>::digest("hypha/v1/claim");
    Some([ns.as_slice(), key, &length.to_le_bytes(), domain.as_bytes(), nonce].concat())
}

fn hex<const N: usize>(body: &Value, name: &str) -> Option<[u8; N]> {
    let text = body.get(name)?.as_str()?;
    HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?.try_into().ok()
}

fn random() -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::{Signer, SigningKey};

    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            let name = format!("hypha-claim-{}", HEXLOWER.encode(&random().unwrap()));
            Self(std::env::temp_dir().join(name))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// The body that the holder of `key` sends.
    fn body(claim: &Claim, key: &SigningKey, domain: &str) -> Value {
        let public = key.verifying_key().to_bytes();
        let signature = key.sign(&message(&public, domain, &claim.nonce).unwrap());
        json!({
            "token": HEXLOWER.encode(&claim.token), "key": HEXLOWER.encode(&public), "domain": domain,
            "nonce": HEXLOWER.encode(&claim.nonce), "signature": HEXLOWER.encode(&signature.to_bytes()),
        })
    }

    fn put(claim: &Claim, body: &Value) -> u16 {
        let mut request = Request::bare("PUT", "/.well-known/dat");
        request.body = body.to_string().into_bytes();
        claim.dat_file(&request).status
    }

    fn get(claim: &Claim) -> (u16, String) {
        let response = claim.dat_file(&Request::bare("GET", "/.well-known/dat"));
        (response.status, String::from_utf8(response.body).unwrap())
    }

    #[test]
    fn the_signed_bytes_are_as_drawn() {
        let bytes = message(&[1; 32], "a.b", &[2; 32]).unwrap();
        assert_eq!(bytes.len(), 32 + 32 + 2 + 3 + 32);
        assert_eq!(&bytes[64..69], b"\x03\x00a.b");
    }

    #[test]
    fn a_claim_holds_and_survives_a_restart() {
        let folder = Folder::new();
        let claim = Claim::open(&folder.0).unwrap();
        let key = SigningKey::from_bytes(&[7; 32]);
        assert_eq!(get(&claim).0, 404);
        assert_eq!(claim.nonce(&Request::bare("GET", "/")).status, 200);
        assert_eq!(put(&claim, &body(&claim, &key, "localhost")), 201);
        let expected = format!("hypha://{}\nTTL=3600\n", HEXLOWER.encode(key.verifying_key().as_bytes()));
        assert_eq!(get(&claim), (200, expected.clone()));
        assert_eq!((claim.token(), claim.nonce(&Request::bare("GET", "/")).status), (None, 404));
        let again = Claim::open(&folder.0).unwrap();
        assert_eq!(get(&again), (200, expected));
        assert_eq!(again.token(), None);
    }

    #[test]
    fn a_second_claim_is_refused_and_changes_nothing() {
        let folder = Folder::new();
        let claim = Claim::open(&folder.0).unwrap();
        assert_eq!(put(&claim, &body(&claim, &SigningKey::from_bytes(&[7; 32]), "localhost")), 201);
        let before = get(&claim);
        assert_eq!(put(&claim, &body(&claim, &SigningKey::from_bytes(&[8; 32]), "localhost")), 409);
        assert_eq!(put(&claim, &body(&claim, &SigningKey::from_bytes(&[7; 32]), "localhost")), 409);
        assert_eq!(get(&claim), before);
    }

    #[test]
    fn whatever_does_not_fit_is_refused() {
        let folder = Folder::new();
        let claim = Claim::open(&folder.0).unwrap();
        let good = body(&claim, &SigningKey::from_bytes(&[7; 32]), "localhost");
        let with = |name: &str, value: Value| {
            let mut body = good.clone();
            body[name] = value;
            body
        };
        let other = SigningKey::from_bytes(&[8; 32]).verifying_key();
        assert_eq!(put(&claim, &with("token", "00".repeat(32).into())), 403, "bad token");
        assert_eq!(put(&claim, &with("nonce", "00".repeat(32).into())), 403, "bad nonce");
        assert_eq!(put(&claim, &with("signature", "00".repeat(64).into())), 403, "bad signature");
        assert_eq!(put(&claim, &with("key", HEXLOWER.encode(other.as_bytes()).into())), 403, "another key");
        assert_eq!(put(&claim, &with("domain", "example.org".into())), 403, "another domain");
        for (name, value) in [
            ("token", json!("zz")),
            ("token", json!(7)),
            ("key", json!("00".repeat(31))),
            ("domain", json!("")),
            ("domain", json!("d".repeat(254))),
            ("domain", json!(null)),
            ("signature", json!("00".repeat(65))),
        ] {
            assert_eq!(put(&claim, &with(name, value)), 400, "{name}");
        }
        let mut request = Request::bare("PUT", "/");
        request.body = b"not JSON".to_vec();
        assert_eq!(claim.dat_file(&request).status, 400);
        assert_eq!(claim.dat_file(&Request::bare("DELETE", "/")).status, 405);
        assert_eq!(get(&claim).0, 404);
    }
}
