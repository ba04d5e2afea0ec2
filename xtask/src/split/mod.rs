//! The module in two: what runs until the first write, and the rest, which a page loads later.
//!
//! ```text
//! module   one module, read          names    functions by the names that people gave them
//! record   tells what runs           cut      writes the two parts
//! cold     takes what does not run out of functions that do
//! glue     wasm-bindgen's script, for each of these modules
//! ```
//! ```text
//!            first                                        rest
//! memory, tables, globals, data  ── exported ─▶  imported
//! function that stays            ── by table slot ─▶  imported; called directly
//! stub of a function that moved  ◀─ its slot is overwritten ──  the function
//! ```
//! A stub makes sure that the rest is there (else it asks the page for it, which has to give it at once), then calls
//! through its slot. All that is called by name or by number from outside keeps its name and its number.

mod cold;
mod cut;
mod data;
mod glue;
mod liveness;
mod module;
mod names;
mod plan;
mod record;
mod stretch;
mod types;

pub use cold::{places, take_out};
pub use cut::cut;
pub use data::Statics;
pub use glue::{glue, glue_of_record, glue_of_whole};
pub use module::Module;
pub use names::Names;
pub use record::record;
