//! Static snapshots: a node makes one, and [`SnapshotReader`] reads one without a node.

use core::cell::RefCell;

use js_sys::{Array, Object, Uint8Array};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};

use super::argument::read_range;
use super::core::{Core, public_key, space_key};
use super::error::{bad_input, to_js};
use super::item;
use super::value::object;
use crate::crypto::{Hash, PublicKey, blake2b, hex, parse_hex32};
use crate::node::{ErrorCode, Found, NodeError};
use crate::space::snapshot::{self, Listing, Piece, SnapshotError, SnapshotPlan};

#[wasm_bindgen]
impl Core {
    /// Begins a snapshot of a space: `{ plan, segments }`.
    #[wasm_bindgen(js_name = planSnapshot)]
    pub fn plan_snapshot(&self, space: &JsValue) -> Result<JsValue, JsValue> {
        let space = space_key(space)?;
        self.look(Box::new(move |node| {
            let plan = node.plan_snapshot(space)?;
            let segments = u32::try_from(plan.segments()).unwrap_or(u32::MAX);
            Ok(object([("plan", array(&plan.encode())), ("segments", segments.into())]))
        }))
    }

    /// One segment of it: `{ name, bytes }`.
    #[wasm_bindgen(js_name = snapshotSegment)]
    pub fn snapshot_segment(&self, space: &JsValue, plan: &[u8], number: u32) -> Result<JsValue, JsValue> {
        let (space, plan) = (space_key(space)?, read_plan(plan)?);
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        self.look(Box::new(move |node| Ok(file(&node.snapshot_segment(space, &plan, number)?))))
    }

    /// The other files, each `{ name, bytes }`; the last one is the head. `names` of the segments, 32 bytes each.
    #[wasm_bindgen(js_name = finishSnapshot)]
    pub fn finish_snapshot(&self, space: &JsValue, plan: &[u8], names: &[u8]) -> Result<JsValue, JsValue> {
        let (space, plan) = (space_key(space)?, read_plan(plan)?);
        let names: Vec<Hash> = names.as_chunks::<32>().0.iter().map(|name| Hash(*name)).collect();
        self.look(Box::new(move |node| {
            let files = node.finish_snapshot(space, &plan, &names)?;
            Ok(files.iter().map(|bytes| file(bytes)).collect::<Array>().into())
        }))
    }
}

/// Reads a snapshot: asked for keys, it answers or says what is to be fetched first.
#[wasm_bindgen]
pub struct SnapshotReader(RefCell<snapshot::SnapshotReader>);

#[wasm_bindgen]
impl SnapshotReader {
    /// Begins with the head file. `known`: `{ [writer]: length }` as earlier snapshots had it.
    #[wasm_bindgen(constructor)]
    pub fn new(space: &JsValue, head: &[u8], known: &JsValue) -> Result<SnapshotReader, JsValue> {
        let space = public_key("space", space)?;
        let known: Vec<(PublicKey, u64)> = known.dyn_ref::<Object>().map_or_else(Vec::new, |known| {
            let entry = |entry: JsValue| {
                let entry = Array::from(&entry);
                let writer = PublicKey(parse_hex32(&entry.get(0).as_string()?).ok()?);
                #[expect(clippy::as_conversions, reason = "saturates; lengths are below 2^53")]
                let length = entry.get(1).as_f64()? as u64;
                Some((writer, length))
            };
            Object::entries(known).iter().filter_map(entry).collect()
        });
        let reader = snapshot::SnapshotReader::open(space, head, &known).map_err(|error| refused(&error))?;
        Ok(Self(RefCell::new(reader)))
    }

    /// `{ time, signer, lengths: { [writer]: length } }`.
    pub fn about(&self) -> JsValue {
        let reader = self.0.borrow();
        let head = reader.head();
        let lengths = Array::new();
        for (feed, signed) in &head.feeds {
            lengths.push(&Array::of2(&hex(feed.as_bytes()).into(), &item::number(signed.length)));
        }
        let lengths = Object::from_entries(&lengths).map_or(JsValue::UNDEFINED, Into::into);
        object([
            ("time", item::number(head.time)),
            ("signer", hex(head.signer.as_bytes()).into()),
            ("lengths", lengths),
        ])
    }

    /// The entries of a range of keys, as `Core.list` takes it: `{ entries }`, or first
    /// `{ fetch: [{ file, start, end }] }`.
    pub fn list(&self, range: &JsValue) -> Result<JsValue, JsValue> {
        let listing = self.0.borrow_mut().list(&read_range(range)?).map_err(|error| refused(&error))?;
        Ok(match listing {
            Listing::Fetch(pieces) => {
                object([("fetch", pieces.iter().map(piece_to_js).collect::<Array>().into())])
            }
            Listing::Items(items) => {
                let found = |item| Found { item, device: None, mine: false, draft: false };
                let found: Vec<Found> = items.into_iter().map(found).collect();
                object([("entries", item::all_found(&found))])
            }
        })
    }

    /// Takes a piece that was asked for. What is wrong is refused, and not asked for again.
    pub fn take(&self, file: &JsValue, start: f64, end: f64, bytes: &[u8]) -> Result<(), JsValue> {
        let file = file.as_string().and_then(|file| parse_hex32(&file).ok());
        let file = Hash(file.ok_or_else(|| bad_input("a file of a snapshot has 64 hexadecimal digits"))?);
        #[expect(clippy::as_conversions, reason = "they were given out as such; others are not found")]
        let piece = Piece { file, start: start as u64, end: end as u64 };
        self.0.borrow_mut().take(&piece, bytes).map_err(|error| refused(&error))
    }
}

fn read_plan(plan: &[u8]) -> Result<SnapshotPlan, JsValue> {
    SnapshotPlan::decode(plan).map_err(bad_input)
}

fn array(bytes: &[u8]) -> JsValue {
    Uint8Array::from(bytes).into()
}

fn file(bytes: &[u8]) -> JsValue {
    object([("name", blake2b(&[bytes]).to_string().into()), ("bytes", array(bytes))])
}

fn piece_to_js(piece: &Piece) -> JsValue {
    object([
        ("file", piece.file.to_string().into()),
        ("start", item::number(piece.start)),
        ("end", item::number(piece.end)),
    ])
}

fn refused(error: &SnapshotError) -> JsValue {
    let code = match error {
        SnapshotError::OtherSpace { .. } => ErrorCode::BadLink,
        SnapshotError::Space(_) => ErrorCode::Storage,
        _ => ErrorCode::Corrupt,
    };
    to_js(&NodeError::new(code, error))
}
