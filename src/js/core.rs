//! The node as JavaScript holds it.
//!
//! Thin: arguments in, node, plain objects out. Every export takes `&self` and borrows nothing while JavaScript runs,
//! so a callback may call anything. Keys, ids and hashes are hexadecimal text, secrets are `Uint8Array`s that the
//! caller wipes, times are `Date`s, lengths are numbers.

use core::cell::Cell;
use std::rc::Rc;

use js_sys::{Array, Function, Object, Promise, Uint8Array};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, future_to_promise};
use zeroize::Zeroizing;

use super::argument::{bytes, flag, optional_count, optional_text, property, read_range, text};
use super::error::{bad_input, to_js};
use super::replicas::optional_bytes;
use super::value::object;
use super::{event, item, ops, snapshot};
use crate::browser::driver::{Config, Driver, Looked, Page, Pending, Reading};
use crate::crypto::{
    Hash, Host, KdfError, Link, PublicKey, RootSecret, hex, index_of, parse_hex, parse_hex32, word,
};
use crate::node::{
    Call, CallId, ErrorCode, Event, ExportCursor, Imported, Lookup, Node, NodeError, Options, Reply,
    SpaceCall, Words,
};
use crate::space::Clock;

/// A running node.
#[wasm_bindgen]
pub struct Core {
    pub(super) driver: Rc<Driver>,
    /// The id of the next call.
    once: Cell<Option<(CallId, bool)>>,
}

#[wasm_bindgen]
impl Core {
    /// Opens a node. `options`: `{ domain, link?, hubs, webrtc, relay?, tabs, relaxed?, replica, quota?, spaceQuota?,
    /// maxPeers?, database?, iceServers?,
    /// keys?, takesOver? }`; `page`:
    /// `{ event(name, detail), deriveWords(hash) → Promise<string[]>, lookUp(domain) → Promise<{ found?, missing?, failed? }>,
    /// rest() → Promise, or undefined once the rest of the module is there }`.
    #[wasm_bindgen]
    pub async fn open(options: JsValue, page: JsValue) -> Result<Core, JsValue> {
        let config = read_config(&options)?;
        let driver = Driver::open(config, Box::new(JsPage(page))).await.map_err(|error| to_js(&error))?;
        Ok(Self { driver, once: Cell::new(None) })
    }

    /// The keys of the unlocked node, for other tabs of this browser; undefined while it has none. The caller wipes them.
    pub fn keys(&self) -> Result<JsValue, JsValue> {
        let keys = self.driver.read(Node::session_keys).map_err(|error| to_js(&error))?;
        Ok(keys.map_or(JsValue::UNDEFINED, |keys| Uint8Array::from(keys.as_slice()).into()))
    }

    /// Names the call that is made next, now: its tab, 8 bytes, and its number there. `again`: it may have been done by a
    /// node that could not say so; then it is answered, not done, if it was.
    pub fn once(&self, tab: &[u8], number: u32, again: bool) {
        let id = tab.first_chunk().map(|tab| CallId { tab: *tab, number: u64::from(number) });
        self.once.set(id.map(|id| (id, again)));
    }

    /// All that can be known without waiting: state, home, devices, requests, peers, hubs…
    pub fn snapshot(&self) -> Result<JsValue, JsValue> {
        self.driver.read(snapshot::snapshot).map_err(|error| to_js(&error))
    }

    /// The key of the domain's space, if one is known: what a page asks for at each turn, without all the rest.
    pub fn home(&self) -> Result<JsValue, JsValue> {
        let home = self.driver.read(Node::home).map_err(|error| to_js(&error))?;
        Ok(home.map_or(JsValue::UNDEFINED, |key| hex(key.as_bytes()).into()))
    }

    /// The entry under a key of a space (the domain's if it is undefined, here and below), if there is one, packed as all
    /// entries are (`item.rs`); as of a clock `{ [writer]: length }`, if one is given.
    pub fn get(&self, space: &JsValue, key: &JsValue, clock: &JsValue) -> Result<JsValue, JsValue> {
        let (space, key, clock) = (space_key(space)?, text("key", key)?, optional_clock(clock)?);
        self.look(Box::new(move |node| {
            let found: Option<_> = match &clock {
                Some(clock) => node.get_at(space, clock, &key)?,
                None => node.get(space, &key)?,
            };
            Ok(item::all_found(&found))
        }))
    }

    /// The entries of `{ prefix?, gt?, gte?, lt?, lte?, reverse?, limit? }`; as of a clock, if one is given.
    pub fn list(&self, space: &JsValue, range: &JsValue, clock: &JsValue) -> Result<JsValue, JsValue> {
        let (space, clock) = (space_key(space)?, optional_clock(clock)?);
        let range = read_range(range)?;
        self.look(Box::new(move |node| {
            let found = match &clock {
                Some(clock) => node.list_at(space, clock, &range)?,
                None => node.list(space, &range)?,
            };
            Ok(item::all_found(&found))
        }))
    }

    /// Every operation that counts, of one key or of all, in order: those after a version, at most so many.
    pub fn history(
        &self,
        space: &JsValue,
        key: &JsValue,
        after: &JsValue,
        limit: &JsValue,
    ) -> Result<JsValue, JsValue> {
        let (space, key) = (space_key(space)?, optional_text("key", key)?);
        let after = optional_text("after", after)?.as_deref().map(ops::read_version).transpose()?;
        let limit = optional_count("limit", limit)?;
        self.look(Box::new(move |node| {
            Ok(item::all_found(&node.history(space, key.as_deref(), after.as_ref(), limit)?))
        }))
    }

    /// The next piece of the whole node as a file: `{ bytes, next }`; `next` is what to give the next time, undefined behind the
    /// last piece. Nothing is given the first time.
    #[wasm_bindgen(js_name = exportPiece)]
    pub fn export_piece(&self, cursor: &JsValue) -> Result<JsValue, JsValue> {
        let cursor = cursor.dyn_ref::<Uint8Array>().map(Uint8Array::to_vec);
        let cursor = cursor.map(|bytes| ExportCursor::decode(&bytes)).transpose().map_err(bad_input)?;
        let cursor = cursor.unwrap_or_default();
        self.look(Box::new(move |node| {
            let (bytes, next) = node.export(&cursor);
            let next = next.map(|next| Uint8Array::from(next.encode().as_slice()).into());
            let next = next.unwrap_or(JsValue::UNDEFINED);
            Ok(object([("bytes", Uint8Array::from(bytes.as_slice()).into()), ("next", next)]))
        }))
    }

    /// Takes in one part of such a file, its checksum and its body: "new", "known", or "later" if it rests on others.
    #[wasm_bindgen(js_name = importPart)]
    pub fn import_part(&self, part: &[u8]) -> Promise {
        self.call(Call::Import { part: part.to_vec() })
    }

    /// Writes what `encodeOps` made; the entries once they are durable.
    pub fn write(&self, space: &JsValue, ops: &Array) -> Result<Promise, JsValue> {
        self.act(space, SpaceCall::Write { ops: ops::read_ops(ops)? })
    }

    /// Begins a space; `{ key, claim? }`, where `claim` is the signature over the host's nonce.
    #[wasm_bindgen(js_name = signUp)]
    pub fn sign_up(
        &self,
        root: &JsValue,
        device: &JsValue,
        remember: bool,
        nonce: &JsValue,
    ) -> Result<Promise, JsValue> {
        let claim = if nonce.is_undefined() { None } else { Some(bytes("nonce", nonce)?) };
        Ok(self.call(Call::SignUp {
            secret: secret(root)?,
            device: text("device", device)?,
            remember,
            claim,
        }))
    }

    /// Asks to be let in; the four words to show.
    #[wasm_bindgen(js_name = signIn)]
    pub fn sign_in(&self, root: &JsValue, device: &JsValue, remember: bool) -> Result<Promise, JsValue> {
        Ok(self.call(Call::SignIn { secret: secret(root)?, device: text("device", device)?, remember }))
    }

    /// Stops asking.
    #[wasm_bindgen(js_name = cancelSignIn)]
    pub fn cancel_sign_in(&self) -> Promise {
        self.call(Call::CancelSignIn)
    }

    /// Lets this device in by the passphrase alone.
    pub fn recover(
        &self,
        root: &JsValue,
        device: &JsValue,
        remember: bool,
        cut_others: bool,
    ) -> Result<Promise, JsValue> {
        let (secret, device) = (secret(root)?, text("device", device)?);
        Ok(self.call(Call::Recover { secret, device, remember, cut_others }))
    }

    /// Puts another passphrase in the place of the old one.
    #[wasm_bindgen(js_name = changePassphrase)]
    pub fn change_passphrase(&self, old: &JsValue, new: &JsValue) -> Result<Promise, JsValue> {
        Ok(self.call(Call::ChangePassphrase { old: secret(old)?, new: secret(new)? }))
    }

    /// Chooses among rival new passphrases: the root key of one.
    #[wasm_bindgen(js_name = chooseRoot)]
    pub fn choose_root(&self, root: &JsValue) -> Result<Promise, JsValue> {
        Ok(self.call(Call::ChooseRoot { root: public_key("root", root)? }))
    }

    /// Takes this device's keys into memory.
    pub fn unlock(&self, root: &JsValue) -> Result<Promise, JsValue> {
        Ok(self.call(Call::Unlock { secret: secret(root)? }))
    }

    /// Drops all keys from memory.
    pub fn lock(&self) -> Promise {
        self.call(Call::Lock)
    }

    /// Signs out.
    pub fn forget(&self) -> Promise {
        self.call(Call::Forget)
    }

    /// Reads the space of this link on this domain from now on.
    pub fn pin(&self, link: &JsValue) -> Result<Promise, JsValue> {
        Ok(self.call(Call::Pin { key: parse_link(&text("link", link)?)? }))
    }

    /// Lets a device in.
    pub fn approve(&self, request: &str, words: &JsValue) -> Result<Promise, JsValue> {
        let words = if words.is_undefined() { None } else { Some(read_picked(words)?) };
        Ok(self.call(Call::Approve { request: request_id(request)?, words }))
    }

    /// Does not let a device in.
    pub fn deny(&self, request: &str, block: bool) -> Result<Promise, JsValue> {
        Ok(self.call(Call::Deny { request: request_id(request)?, block }))
    }

    /// What stands on other branches of forked feeds than the ones held.
    #[wasm_bindgen(js_name = otherBranches)]
    pub fn other_branches(&self, space: &JsValue) -> Result<JsValue, JsValue> {
        let space = space_key(space)?;
        self.look(Box::new(move |node| Ok(item::taken(&node.other_branches(space)?))))
    }

    /// What was taken away, of one writer or of all: those after a version, at most so many.
    pub fn quarantine(
        &self,
        space: &JsValue,
        writer: &JsValue,
        after: &JsValue,
        limit: &JsValue,
    ) -> Result<JsValue, JsValue> {
        let space = space_key(space)?;
        let writer = if writer.is_undefined() { None } else { Some(public_key("writer", writer)?) };
        let after = optional_text("after", after)?.as_deref().map(ops::read_version).transpose()?;
        let limit = optional_count("limit", limit)?;
        self.look(Box::new(move |node| {
            Ok(item::taken(&node.quarantine(space, writer.as_ref(), after.as_ref(), limit)?))
        }))
    }

    /// Joins one more hub.
    #[wasm_bindgen(js_name = addHub)]
    pub fn add_hub(&self, url: &JsValue) -> Result<Promise, JsValue> {
        Ok(self.call(Call::AddHub { url: text("hub", url)? }))
    }

    /// Leaves a hub.
    #[wasm_bindgen(js_name = removeHub)]
    pub fn remove_hub(&self, url: &JsValue) -> Result<Promise, JsValue> {
        Ok(self.call(Call::RemoveHub { url: text("hub", url)? }))
    }

    /// Resolves when level with every connected peer.
    pub fn sync(&self, space: &JsValue, timeout_ms: u32) -> Result<Promise, JsValue> {
        self.act(space, SpaceCall::Sync { timeout_ms: u64::from(timeout_ms) })
    }

    /// Lets go of everything, once all is stored; or of what is not stored too, if `robbed`: another node has the database.
    pub fn close(&self, robbed: bool) -> Promise {
        let driver = Rc::clone(&self.driver);
        future_to_promise(async move {
            driver.close(robbed).await;
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Reads the node: a value, or a promise of it while the disk is asked.
    pub(super) fn look(&self, read: Reading) -> Result<JsValue, JsValue> {
        match self.driver.look(read) {
            Looked::Now(found) => found.map_err(|error| to_js(&error)),
            Looked::Later(found) => {
                Ok(future_to_promise(async move { found.await.map_err(|error| to_js(&error)) }).into())
            }
        }
    }

    pub(super) fn act(&self, space: &JsValue, act: SpaceCall) -> Result<Promise, JsValue> {
        Ok(self.call(Call::In { space: space_key(space)?, act }))
    }

    pub(super) fn call(&self, call: Call) -> Promise {
        let call = match self.once.take() {
            Some((id, again)) => Call::Once { id, again, call: Box::new(call) },
            None => call,
        };
        let reply = self.driver.call(call);
        future_to_promise(
            async move { reply.await.map(|reply| to_value(&reply)).map_err(|error| to_js(&error)) },
        )
    }
}

fn to_value(reply: &Reply) -> JsValue {
    match reply {
        Reply::Done => JsValue::UNDEFINED,
        Reply::Found(found) => item::all_found(found),
        Reply::Imported(what) => match what {
            Imported::Known => "known",
            Imported::Later => "later",
            Imported::New => "new",
        }
        .into(),
        Reply::Paired { pairing, text } => super::offline::paired(*pairing, text),
        Reply::Invite(text) => text.as_str().into(),
        Reply::Space(key) => hex(key.as_bytes()).into(),
        Reply::SignedUp { key, claim } => snapshot::signed_up(key, claim.as_ref()),
        Reply::Words(words) => item::words(words),
    }
}

/// The page's object: its methods are called, what they throw is reported and stops nothing.
struct JsPage(JsValue);

impl JsPage {
    fn method(&self, name: &str, arguments: &[JsValue]) -> Result<JsValue, JsValue> {
        let function: Function = property(&self.0, name).dyn_into()?;
        function.apply(&self.0, &arguments.iter().collect::<Array>())
    }

    fn promise(&self, name: &str, argument: JsValue) -> Pending<Result<JsValue, JsValue>> {
        let promise = self.method(name, &[argument]).map(|value| Promise::resolve(&value));
        Box::pin(async move { JsFuture::from(promise?).await })
    }
}

impl Page for JsPage {
    fn derive_words(&self, hash: Hash) -> Pending<Result<Words, KdfError>> {
        let words = self.promise("deriveWords", Uint8Array::from(hash.0.as_slice()).into());
        Box::pin(async move {
            let words = words.await.ok().and_then(|words| read_words(&words));
            // Nothing else than memory can be missing: the input is 32 bytes.
            words.ok_or(KdfError { mib: WORDS_MIB })
        })
    }

    fn event(&self, event: Event) {
        let (name, detail) = event::to_js(&event);
        if let Err(thrown) = self.method("event", &[name.into(), detail]) {
            web_sys::console::error_1(&thrown);
        }
    }

    fn look_up(&self, domain: Host) -> Pending<Lookup> {
        let answer = self.promise("lookUp", domain.as_str().into());
        Box::pin(async move {
            let answer = answer.await.unwrap_or(JsValue::UNDEFINED);
            if let Some(found) = property(&answer, "found").as_string() {
                return Lookup::Found(found);
            }
            if property(&answer, "missing").is_truthy() {
                return Lookup::Missing;
            }
            let why = property(&answer, "failed").as_string();
            Lookup::Failed(why.unwrap_or_else(|| "the look-up gave no answer".to_owned()))
        })
    }

    fn rest(&self) -> Option<Pending<()>> {
        let promise: Promise = self.method("rest", &[]).ok()?.dyn_into().ok()?;
        Some(Box::pin(async move { drop(JsFuture::from(promise).await) }))
    }
}

/// Checks what a node would be opened with, also in a tab that calls through another one; the canonical form of its domain.
#[wasm_bindgen(js_name = checkOptions)]
pub fn check_options(options: &JsValue) -> Result<String, JsValue> {
    Ok(read_config(options)?.options.domain.to_string())
}

fn read_config(options: &JsValue) -> Result<Config, JsValue> {
    let field = |name: &str| property(options, name);
    let domain = Host::parse(&text("domain", &field("domain"))?).map_err(bad_input)?;
    let link = optional_text("link", &field("link"))?.as_deref().map(parse_link).transpose()?;
    let hubs = field("hubs");
    let hubs = hubs.dyn_ref::<Array>().ok_or_else(|| bad_input("hubs must be an array of addresses"))?;
    let hubs = hubs.iter().map(|hub| text("hubs", &hub)).collect::<Result<Vec<_>, _>>()?;
    let options = Options {
        domain,
        link,
        hubs,
        replica: flag("replica", &field("replica"))?,
        quota: optional_bytes("quota", &field("quota"))?,
        space_quota: optional_bytes("spaceQuota", &field("spaceQuota"))?,
        max_links: optional_count("maxPeers", &field("maxPeers"))?,
        relaxed: flag("relaxed", &field("relaxed"))?,
        tabs: flag("tabs", &field("tabs"))?,
        webrtc: flag("webrtc", &field("webrtc"))?,
        relay: match field("relay") {
            said if said.is_undefined() => None,
            said => Some(flag("relay", &said)?),
        },
    };
    let database = optional_text("name", &field("database"))?;
    let keys = field("keys").dyn_ref::<Uint8Array>().map(|keys| Zeroizing::new(keys.to_vec()));
    let takes_over = flag("takesOver", &field("takesOver"))?;
    Ok(Config { database, ice_servers: field("iceServers"), keys, takes_over, options })
}

pub(super) fn parse_link(link: &str) -> Result<PublicKey, JsValue> {
    Link::parse(link).map(|link| link.0).map_err(bad_link)
}

pub(super) fn bad_link(error: impl core::fmt::Display) -> JsValue {
    to_js(&NodeError::new(ErrorCode::BadLink, error))
}

pub(super) fn public_key(name: &'static str, key: &JsValue) -> Result<PublicKey, JsValue> {
    Ok(PublicKey(parse_hex32(&text(name, key)?).map_err(bad_input)?))
}

pub(super) fn space_key(key: &JsValue) -> Result<Option<PublicKey>, JsValue> {
    if key.is_undefined() { Ok(None) } else { public_key("space", key).map(Some) }
}

pub(super) fn optional_clock(clock: &JsValue) -> Result<Option<Clock>, JsValue> {
    if clock.is_undefined() {
        return Ok(None);
    }
    let object = clock.dyn_ref::<Object>().ok_or_else(|| bad_input("a clock is what clock() gives"))?;
    let length = |entry: JsValue| {
        let entry = Array::from(&entry);
        let length = optional_count("the length of a clock", &entry.get(1))?.unwrap_or_default();
        Ok((public_key("the writer of a clock", &entry.get(0))?, u64::try_from(length).unwrap_or(u64::MAX)))
    };
    Object::entries(object).iter().map(length).collect::<Result<Clock, JsValue>>().map(Some)
}

pub(super) fn secret(root: &JsValue) -> Result<RootSecret, JsValue> {
    let root = Zeroizing::new(bytes::<32>("root secret", root)?);
    Ok(RootSecret::from_bytes(*root))
}

fn request_id(request: &str) -> Result<[u8; 16], JsValue> {
    parse_hex(request).ok_or_else(|| bad_input("a request's id is 32 hexadecimal digits"))
}

/// Words of the list, as a worker found them.
fn read_words(words: &JsValue) -> Option<Words> {
    let words = words.dyn_ref::<Array>()?;
    let mut found: Words = [""; 4];
    if words.length() != 4 {
        return None;
    }
    for (slot, given) in found.iter_mut().zip(words.iter()) {
        *slot = word(index_of(&given.as_string()?)?)?;
    }
    Some(found)
}

/// Words that a person picked.
fn read_picked(words: &JsValue) -> Result<[String; 4], JsValue> {
    let words: Vec<String> = words
        .dyn_ref::<Array>()
        .map(|words| words.iter().filter_map(|word| word.as_string()).collect())
        .unwrap_or_default();
    words.try_into().map_err(|_| bad_input("words must be the four words that the person picked"))
}

/// What Argon2id needs for the words of a request.
const WORDS_MIB: u32 = 19;
