//! The wasm-bindgen face: [`core::Core`] is the node, [`words`] what needs none.
//!
//! Everything here is thin: JavaScript in, a call on the layers below, plain objects out.

mod acts;
mod argument;
pub mod core;
mod error;
mod event;
#[cfg(feature = "hostile")]
mod hostile;
mod item;
mod names;
mod offline;
mod ops;
mod pages;
mod packed;
mod replicas;
mod snapshot;
mod static_snapshot;
pub mod value;
pub mod words;
mod writes;
