//! The module in parts: what runs until a set-up is confirmed, what the set-up runs, and so on; a page loads each later.
//!
//! ```text
//! module   one module, read          names      functions by the names that people gave them
//! record   tells what runs           data       which static and which slot of the table belongs to which part
//! cold     takes what does not run out of functions that do: stretch by stretch, with the locals that liveness says
//! plan     where everything goes     alike      in which order, so that it compresses well
//! cut      writes the parts by it
//! glue     wasm-bindgen's script, for each of these modules
//! ```
//! ```text
//!            first                                        others
//! memory, tables, globals        ── exported ─▶  imported
//! function of an earlier part    ── by table slot ─▶  imported; called directly
//! stub of a function that moved  ◀─ its slot is overwritten ──  the function
//! ```
//! A stub makes sure that the part is there (else it asks the page for it, which has to give it at once), then calls
//! through its slot. All that is called by name or by number from outside keeps its name and its number. Bytes of the
//! memory come with the first part that may look at them.

mod alike;
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
#[cfg(test)]
mod tests;
mod types;

pub use cold::{places, take_out};
pub use cut::cut;
#[cfg(test)]
use data::Layout;
pub use data::Statics;
pub use glue::{glue, glue_of_record, glue_of_whole};
pub use module::Module;
pub use names::Names;
pub use record::record;
