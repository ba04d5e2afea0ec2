//! Golden vectors: what this program computes is what `tests-wasm/vectors/*.json` says.
//!
//! Each file is built from the implementation with fixed inputs and compared with what is stored. The same files
//! are recomputed by `tests-wasm/vectors/js` with libraries that know nothing of this program, and read by browser
//! tests. `HYPHA_WRITE_VECTORS=1 cargo test --lib vectors` writes them anew: only when the protocol text changes.

#![allow(clippy::as_conversions, reason = "counts in tests, far below any limit")]

mod cbor;
mod channel;
mod entries;
mod keys;
mod messages;
mod notation;
mod pairing;
mod proofs;
mod records;
mod relay;
mod replicas;
mod seal;
mod session;
mod sign_in;
mod snapshot;
mod space;
mod spaces;
mod uniform;
mod wire;

use std::{env, fs, path::Path};

use serde_json::Value;

use crate::crypto::Entropy;

/// Compares vectors with their file, or writes it.
fn check(name: &str, vectors: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests-wasm/vectors").join(name);
    let text = lines(vectors);
    if env::var("HYPHA_WRITE_VECTORS").is_ok_and(|value| value == "1") {
        fs::write(&path, &text).unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap();
    let line = stored.lines().zip(text.lines()).position(|(stored, built)| stored != built);
    if let Some(line) = line {
        let show =
            |text: &str| text.lines().nth(line).unwrap_or_default().chars().take(200).collect::<String>();
        panic!("{name}, line {}: stored {}, built {}", line + 1, show(&stored), show(&text));
    }
    assert_eq!(stored.len(), text.len(), "{name}: one is longer");
}

/// One vector per line, so that a change is seen where it is.
fn lines(vectors: &Value) -> String {
    let field = |(name, value): (&String, &Value)| match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| format!("  {item}")).collect();
            format!("{}: [\n{}\n]", Value::from(name.as_str()), items.join(",\n"))
        }
        value => format!("{}: {value}", Value::from(name.as_str())),
    };
    let fields: Vec<String> = vectors.as_object().unwrap().iter().map(field).collect();
    format!("{{\n{}\n}}\n", fields.join(",\n"))
}

/// Hands out given bytes in order, and panics when they are used up: for ephemeral keys and nonces that are stated.
struct Given<'a>(&'a [u8]);

impl Entropy for Given<'_> {
    fn fill(&mut self, out: &mut [u8]) {
        let (head, tail) = self.0.split_at(out.len());
        out.copy_from_slice(head);
        self.0 = tail;
    }
}

/// A byte of an encoding and what it becomes: for telling apart what is refused and what is not.
fn mutations(length: usize, count: usize, entropy: &mut dyn Entropy) -> Vec<(usize, u8)> {
    let length = u32::try_from(length).unwrap();
    let bits = |entropy: &mut dyn Entropy| match entropy.below(2) {
        0 => 1 << entropy.below(8),
        _ => u8::try_from(entropy.below(255) + 1).unwrap(),
    };
    (0..count).map(|_| (usize::try_from(entropy.below(length)).unwrap(), bits(entropy))).collect()
}
