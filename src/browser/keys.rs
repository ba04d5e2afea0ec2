//! What "stay signed in" keeps: sealed under a key that no script can read out.
//!
//! AES-256-GCM by WebCrypto. The key is made here, is not extractable, and lies in IndexedDB as an opaque object;
//! the sealed bytes lie beside it: `iv 12 │ ciphertext and tag`. Whoever has the browser profile has both, which the
//! page says; whoever has only a copy of the sealed bytes has nothing.

use futures_util::future::join;
use js_sys::{Array, Object, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{CryptoKey, SubtleCrypto};
use zeroize::Zeroizing;

use super::idb::{Database, IdbError, words};

/// Seals `bytes` and keeps them, in place of what was kept before.
pub async fn remember(database: &Database, bytes: &[u8]) -> Result<(), KeysError> {
    let subtle = subtle()?;
    let stored = database.key(KEY).await?;
    let key = match stored.dyn_into::<CryptoKey>() {
        Ok(key) => key,
        Err(_) => {
            let key = generate(&subtle).await?;
            database.set_key(KEY, Some(&key)).await?;
            key
        }
    };
    let mut iv = [0; IV_LENGTH];
    super::random::fill(&mut iv);
    let sealed = subtle
        .encrypt_with_object_and_u8_array(&algorithm(&iv)?, &key, bytes)
        .map_err(|thrown| KeysError::of(&thrown))?;
    let sealed = JsFuture::from(sealed).await.map_err(|thrown| KeysError::of(&thrown))?;
    let mut kept = iv.to_vec();
    kept.extend_from_slice(&Uint8Array::new(&sealed).to_vec());
    database.set_key(KEPT, Some(&Uint8Array::from(kept.as_slice()))).await?;
    Ok(())
}

/// What was kept; `None` if nothing was, or if it does not open (then it is of no more use).
pub async fn recall(database: &Database) -> Result<Option<Zeroizing<Vec<u8>>>, KeysError> {
    // One answer is not waited for before the other is asked for.
    let (kept, key) = join(database.key(KEPT), database.key(KEY)).await;
    let (kept, key) = (kept?, key?.dyn_into::<CryptoKey>());
    let (Some(kept), Ok(key)) = (kept.dyn_ref::<Uint8Array>(), key) else {
        return Ok(None);
    };
    let kept = kept.to_vec();
    let Some((iv, sealed)) = kept.split_at_checked(IV_LENGTH) else { return Ok(None) };
    let opened = subtle()?
        .decrypt_with_object_and_u8_array(&algorithm(iv)?, &key, sealed)
        .map_err(|thrown| KeysError::of(&thrown))?;
    let Ok(opened) = JsFuture::from(opened).await else { return Ok(None) };
    let opened = Uint8Array::new(&opened);
    let plain = Zeroizing::new(opened.to_vec());
    opened.fill(0, 0, opened.length());
    Ok(Some(plain))
}

/// Deletes what was kept, and the key.
pub async fn forget(database: &Database) -> Result<(), KeysError> {
    database.set_key(KEPT, None).await?;
    database.set_key(KEY, None).await?;
    Ok(())
}

async fn generate(subtle: &SubtleCrypto) -> Result<CryptoKey, KeysError> {
    let algorithm = Object::new();
    let uses = Array::of2(&"encrypt".into(), &"decrypt".into());
    let key = Reflect::set(&algorithm, &"name".into(), &"AES-GCM".into())
        .and_then(|_| Reflect::set(&algorithm, &"length".into(), &256.into()))
        .and_then(|_| subtle.generate_key_with_object(&algorithm, false, &uses))
        .map_err(|thrown| KeysError::of(&thrown))?;
    let key = JsFuture::from(key).await.map_err(|thrown| KeysError::of(&thrown))?;
    key.dyn_into().map_err(|_| KeysError::Failed { why: "no key came".to_owned() })
}

fn algorithm(iv: &[u8]) -> Result<Object, KeysError> {
    let algorithm = Object::new();
    Reflect::set(&algorithm, &"name".into(), &"AES-GCM".into())
        .and_then(|_| Reflect::set(&algorithm, &"iv".into(), &Uint8Array::from(iv)))
        .map_err(|thrown| KeysError::of(&thrown))?;
    Ok(algorithm)
}

fn subtle() -> Result<SubtleCrypto, KeysError> {
    // Absent, not null, where a page came over plain http.
    let crypto = Reflect::get(&js_sys::global(), &"crypto".into());
    crypto
        .and_then(|crypto| Reflect::get(&crypto, &"subtle".into()))
        .ok()
        .and_then(|subtle| subtle.dyn_into().ok())
        .ok_or(KeysError::Insecure)
}

/// Why nothing is remembered.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeysError {
    /// WebCrypto refused.
    #[error("the browser could not seal the key that keeps you signed in: {why}")]
    Failed {
        /// The browser's words.
        why: String,
    },
    /// The page did not come over https.
    #[error(
        "this page cannot keep you signed in because it was not loaded over https; open it with https, or sign in anew each time"
    )]
    Insecure,
    /// The database.
    #[error(transparent)]
    Storage(#[from] IdbError),
}

impl KeysError {
    fn of(thrown: &JsValue) -> Self {
        Self::Failed { why: words(thrown) }
    }
}

const IV_LENGTH: usize = 12;
const KEY: &str = "seal";
const KEPT: &str = "remembered";
