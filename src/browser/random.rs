//! The browser's randomness.

use crate::crypto::Entropy;

/// `crypto.getRandomValues`.
pub struct BrowserEntropy;

impl Entropy for BrowserEntropy {
    fn fill(&mut self, out: &mut [u8]) {
        fill(out);
    }
}

/// Fills `out` with random bytes.
pub(crate) fn fill(out: &mut [u8]) {
    if getrandom::fill(out).is_err() {
        // No key may ever be made of anything else. Every browser that runs this has it.
        wasm_bindgen::throw_str("this browser has no secure randomness");
    }
}
