//! The title of a space: an ordinary public value, of which only what an admin wrote last counts.

use super::{Space, trees::Judge};
use crate::{
    codec::{Value, decode_value, encode_value},
    crypto::Entropy,
    space::{Expect, Op, Role, SpaceError, WriteOp, is_invisible, view::Place},
    storage::Files,
};

/// The key of the title. Keys that begin with `hypha/` are the protocol's.
pub const TITLE_KEY: &str = "hypha/title";
/// Most bytes of a title.
pub const MAX_TITLE: usize = 256;

impl Space {
    /// The title; `None` if no admin gave one, or the last one is none that can be shown.
    pub fn title(&self, files: &Files) -> Result<Option<String>, SpaceError> {
        let judge = Judge { access: &self.access, numbers: &self.numbers };
        let ranked = || {
            let slot = self.view.slot(files, TITLE_KEY, &judge)?;
            Ok(slot.map_or_else(Vec::new, |slot| slot.ranked(&judge)))
        };
        let places = self.surely(files, &ranked)?;
        let by_admin = |place: &Place| self.role(&self.numbers.key(place.writer)) == Some(Role::Admin);
        let Some(place) = places.into_iter().find(by_admin).filter(|place| !place.delete) else {
            return Ok(None);
        };
        let writer = self.numbers.key(place.writer);
        let Some(mut entry) = self.entry(files, &writer, place.index)? else { return Ok(None) };
        let mut private = self.content.open_ops(&entry, &writer, place.index);
        entry.public.append(&mut private);
        let op = entry.public.get(usize::try_from(place.op).unwrap_or(usize::MAX));
        let Some(Op::Put { value, .. }) = op else { return Ok(None) };
        Ok(match decode_value(value) {
            Ok(Value::Text(text)) => Some(shown(&text)).filter(|text| !text.is_empty()),
            _ => None,
        })
    }

    /// Gives the space a title, in clear; an empty one takes it away. Only an admin may: others are
    /// [`SpaceError::NotAuthorised`]; one above [`MAX_TITLE`] is [`SpaceError::TooLarge`].
    pub fn set_title(
        &mut self,
        files: &mut Files,
        now: u64,
        entropy: &mut dyn Entropy,
        title: &str,
    ) -> Result<(), SpaceError> {
        self.admin()?;
        let title = title.trim();
        if title.len() > MAX_TITLE {
            return Err(SpaceError::TooLarge { what: "title", max: MAX_TITLE, got: title.len() });
        }
        let (key, expect) = (TITLE_KEY.to_owned(), Expect::Any);
        let text = shown(title);
        let op = if text.is_empty() {
            WriteOp::Delete { key, expect }
        } else {
            let value = encode_value(&Value::Text(text)).map_err(SpaceError::Value)?;
            WriteOp::Put { key, value, private: false, expect }
        };
        self.write(files, now, entropy, vec![op])?;
        Ok(())
    }
}

/// A title as it is shown: without white space around it and what cannot be seen, and no longer than a title may be.
fn shown(text: &str) -> String {
    let mut title: String = text.trim().chars().filter(|character| !is_invisible(*character)).collect();
    title.truncate(title.floor_char_boundary(MAX_TITLE));
    title
}
