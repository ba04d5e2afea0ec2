//! What a page asks of one space, or of the spaces beside the domain's.

use js_sys::{Promise, Uint8Array};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};

use super::argument::{flag, optional_count, text, time};
use super::core::{Core, bad_link, public_key, secret};
use super::error::{bad_input, to_js};
use super::ops;
use crate::node::{Call, ErrorCode, NodeError, SpaceCall};
use crate::space::{Destination, Role};

#[wasm_bindgen]
impl Core {
    /// Removes a device: for good with the root secret, else provisionally.
    pub fn cut(
        &self,
        space: &JsValue,
        writer: &JsValue,
        root: &JsValue,
        descendants: bool,
    ) -> Result<Promise, JsValue> {
        let writer = public_key("writer", writer)?;
        let secret = if root.is_undefined() { None } else { Some(secret(root)?) };
        self.act(space, SpaceCall::Cut { writer, secret, descendants })
    }

    /// Shows nothing that a writer wrote since a time, unix milliseconds.
    pub fn hide(&self, space: &JsValue, writer: &JsValue, since: &JsValue) -> Result<Promise, JsValue> {
        let (writer, since) = (public_key("writer", writer)?, time("since", since)?);
        self.act(space, SpaceCall::Hide { writer, since })
    }

    /// Shows again what was hidden of a writer.
    pub fn unhide(&self, space: &JsValue, writer: &JsValue) -> Result<Promise, JsValue> {
        self.act(space, SpaceCall::Unhide { writer: public_key("writer", writer)? })
    }

    /// Writes again what is in the quarantine; the new entry.
    /// `other_branch`: of what `otherBranches` lists.
    pub fn adopt(&self, space: &JsValue, version: &JsValue, other_branch: bool) -> Result<Promise, JsValue> {
        let version = ops::read_version(&text("version", version)?)?;
        self.act(space, SpaceCall::Adopt { version, other_branch })
    }

    /// Makes a space of this person's own; its key.
    #[wasm_bindgen(js_name = createSpace)]
    pub fn create_space(&self, title: &JsValue) -> Result<Promise, JsValue> {
        Ok(self.call(Call::CreateSpace { title: text("title", title)? }))
    }

    /// Reads the space of a link beside the domain's; with the text of an invite, asks to be let in. Its key.
    pub fn join(&self, link: &JsValue) -> Result<Promise, JsValue> {
        let (space, invite) = match Destination::parse(&text("link", link)?).map_err(bad_link)? {
            Destination::Code(_) => {
                let why =
                    "six words are read out to compare spaces; to join one, its link or an invite is needed";
                return Err(to_js(&NodeError::new(ErrorCode::Unsupported, why)));
            }
            Destination::Invite(invite) => (invite.space(), Some(invite)),
            Destination::Space(space) => (space, None),
        };
        Ok(self.call(Call::Join { space, invite }))
    }

    /// Reads a space no more.
    pub fn leave(&self, space: &JsValue) -> Result<Promise, JsValue> {
        self.act(space, SpaceCall::Leave)
    }

    /// Announces an invite; its text. `uses` 0: any number; `expires`: unix milliseconds, or undefined for never.
    pub fn invite(
        &self,
        space: &JsValue,
        admin: bool,
        uses: &JsValue,
        expires: &JsValue,
    ) -> Result<Promise, JsValue> {
        let role = if admin { Role::Admin } else { Role::Writer };
        let uses = optional_count("uses", uses)?.unwrap_or_default();
        let uses = u64::try_from(uses).unwrap_or_default();
        let expires = if expires.is_undefined() { 0 } else { time("expires", expires)? };
        self.act(space, SpaceCall::Invite { role, uses, expires })
    }

    /// Takes an invite back.
    #[wasm_bindgen(js_name = revokeInvite)]
    pub fn revoke_invite(&self, space: &JsValue, invite: &JsValue) -> Result<Promise, JsValue> {
        self.act(space, SpaceCall::RevokeInvite { key: public_key("invite", invite)? })
    }

    /// Gives a space a title; an empty one takes it away.
    #[wasm_bindgen(js_name = setTitle)]
    pub fn set_title(&self, space: &JsValue, title: &JsValue) -> Result<Promise, JsValue> {
        self.act(space, SpaceCall::SetTitle { title: text("title", title)? })
    }

    /// Sends a value, encoded, over the ephemeral channel of a space: to one key, to devices (`true`), to
    /// everybody (`false`), or to devices where this is one of several (undefined).
    pub fn send(
        &self,
        space: &JsValue,
        data: &JsValue,
        to: &JsValue,
        private: &JsValue,
    ) -> Result<Promise, JsValue> {
        let to = if to.is_undefined() { None } else { Some(public_key("to", to)?) };
        let private = if private.is_undefined() { None } else { Some(flag("private", private)?) };
        self.act(space, SpaceCall::Send { data: encoded("a message", data)?, to, private })
    }

    /// Says this value of the node in a space, until another is said; undefined: nothing any more.
    #[wasm_bindgen(js_name = setPresence)]
    pub fn set_presence(&self, space: &JsValue, state: &JsValue) -> Result<Promise, JsValue> {
        let state = if state.is_undefined() { None } else { Some(encoded("a presence", state)?) };
        self.act(space, SpaceCall::SetPresence { state })
    }
}

fn encoded(what: &str, value: &JsValue) -> Result<Vec<u8>, JsValue> {
    let bytes = value.dyn_ref::<Uint8Array>().map(Uint8Array::to_vec);
    bytes.ok_or_else(|| bad_input(format!("{what} must be an encoded value")))
}
