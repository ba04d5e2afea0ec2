//! What waits until the rest of the module is there.
//!
//! A page loads the module in parts, and the last only once it is of use. Whatever comes from other nodes needs it: the
//! first such input asks for it, and all that comes meanwhile from hubs, tabs and peers waits, in its order. A hub that
//! says no more than that it is there, or that nobody else is, has to wait for nothing.

use std::collections::VecDeque;

use crate::collections::split_text;
use crate::mesh::{HubFrame, MeshInput};
use crate::node::Input;

/// Inputs that wait, while some do.
#[derive(Default)]
pub(super) struct Later(Option<VecDeque<Input>>);

/// What became of an input.
pub(super) enum Held {
    /// It is to be taken in now.
    No(Input),
    /// It waits, and is the first one: the rest has to be asked for.
    First,
    /// It waits.
    Too,
}

impl Later {
    /// Keeps `input` if it has to wait; `missing` says whether the rest is.
    pub(super) fn hold(&mut self, input: Input, missing: impl FnOnce() -> bool) -> Held {
        let Input::Mesh(heard) = &input else { return Held::No(input) };
        match &mut self.0 {
            // A peer that was not heard says it again, or another does.
            Some(waiting) if waiting.len() >= MOST => Held::Too,
            Some(waiting) => {
                waiting.push_back(input);
                Held::Too
            }
            None if is_plain(heard) || !missing() => Held::No(input),
            None => {
                self.0 = Some(VecDeque::from([input]));
                Held::First
            }
        }
    }

    /// The rest is there: all that waited, and nothing waits any more.
    pub(super) fn release(&mut self) -> VecDeque<Input> {
        self.0.take().unwrap_or_default()
    }
}

/// Whether the first part does for it: nobody else is in it.
fn is_plain(heard: &MeshInput) -> bool {
    match heard {
        MeshInput::HubOpened { .. } | MeshInput::Awake => true,
        MeshInput::HubFrame { frame: HubFrame::Text(text), .. } => text == PONG || is_alone(text),
        _ => false,
    }
}

/// Whether a y-webrtc hub gives back what this node said, and nobody else is there to have said it.
fn is_alone(text: &str) -> bool {
    let after = split_text(text, ALONE).and_then(|(_, after)| after.bytes().next());
    after.is_some_and(|byte| !byte.is_ascii_digit())
}

/// How many hear a publication, its author among them.
const ALONE: &str = r#""clients":1"#;
/// What a y-webrtc hub answers when it is asked whether it is there.
const PONG: &str = r#"{"type":"pong"}"#;
/// Most inputs that wait.
const MOST: usize = 4096;
