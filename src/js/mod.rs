//! The wasm-bindgen face.

pub mod value;
