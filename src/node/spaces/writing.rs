//! Writing entries, and drafts while waiting.

use std::collections::VecDeque;

use zeroize::Zeroizing;

use crate::node::{
    ErrorCode, Event, Found, Node, NodeError, Reply, State,
    accounts::drafts::{Draft, MAX_DRAFTS, open_drafts, seal_drafts},
    spaces::reading::not_here,
};
use crate::{
    crypto::PublicKey,
    space::{Expect, Item, Op, Version, WriteOp},
};

/// A write that waits for the end of the turn.
pub(in crate::node) struct Writing {
    pub(in crate::node) id: u32,
    pub(in crate::node) space: PublicKey,
    ops: Vec<WriteOp>,
}

impl Node {
    /// Takes a write in; it is carried out when the turn ends, together with the others.
    pub(in crate::node) fn accept_write(
        &mut self,
        id: u32,
        space: PublicKey,
        ops: Vec<WriteOp>,
    ) -> Result<Option<Reply>, NodeError> {
        if ops.is_empty() {
            return Err(NodeError::bad_input("nothing to write: give at least one operation"));
        }
        if self.state() == State::Requesting && self.spaces.home_key() == Some(space) {
            return Ok(Some(Reply::Found(self.draft(&ops)?)));
        }
        self.require_writer()?;
        self.writes.push(Writing { id, space, ops });
        Ok(None)
    }

    /// Carries out the writes of this turn: one entry each, one signature and one commit for all of a space.
    pub(in crate::node) fn flush_writes(&mut self) {
        let mut waiting = core::mem::take(&mut self.writes);
        while let Some(space) = waiting.first().map(|first| first.space) {
            let (now, rest) = waiting.into_iter().partition(|write| write.space == space);
            waiting = rest;
            self.write_all(space, now);
        }
    }

    fn write_all(&mut self, space: PublicKey, writes: Vec<Writing>) {
        let (ids, entries): (Vec<_>, Vec<_>) = writes.into_iter().map(|write| (write.id, write.ops)).unzip();
        let locked = || NodeError::new(ErrorCode::Locked, "this device was locked before it wrote");
        let unlocked = self.secrets.is_some();
        let results: Vec<Result<Vec<Item>, NodeError>> = match self.spaces.get_mut(&space) {
            Some(joined) if unlocked => {
                self.own_writes = true;
                let space = &mut joined.space;
                let results = space.write_many(&mut self.files, self.now, self.entropy.as_mut(), entries);
                results.into_iter().map(|result| result.map_err(NodeError::from)).collect()
            }
            Some(_) => entries.iter().map(|_| Err(locked())).collect(),
            None => entries.iter().map(|_| Err(not_here(&space))).collect(),
        };
        let Ok(joined) = self.joined(Some(space)) else {
            ids.into_iter().zip(results).for_each(|(id, result)| {
                self.reply(id, result.map(|_| Reply::Done));
            });
            return;
        };
        let found = |items| Reply::Found(self.found_items(joined, items));
        let replies: Vec<_> = results.into_iter().map(|result| result.map(found)).collect();
        ids.into_iter().zip(replies).for_each(|(id, result)| self.reply(id, result));
    }

    fn draft(&mut self, ops: &[WriteOp]) -> Result<Vec<Found>, NodeError> {
        if self.drafts.len() >= MAX_DRAFTS {
            return Err(NodeError::new(
                ErrorCode::TooLarge,
                format!("at most {MAX_DRAFTS} drafts wait on a device that is not let in yet"),
            ));
        }
        let id = self.drafts.last().map_or(0, |draft| draft.id + 1);
        let mut draft = Draft { id, time: self.now, public: Vec::new(), private: Vec::new() };
        for op in ops {
            op.check()?;
            if op.expect() != Expect::Any {
                return Err(NodeError::bad_input(
                    "what a key holds is not known before this device is let in: leave `expect` out until then",
                ));
            }
            // The last one stands, as in an entry; the two lists do not keep which came first.
            for list in [&mut draft.public, &mut draft.private] {
                list.retain(|other| drafted_key(other) != Some(op.key()));
            }
            match op.clone() {
                WriteOp::Put { key, value, private: true, .. } => draft.private.push(Op::Put { key, value }),
                WriteOp::Put { key, value, .. } => draft.public.push(Op::Put { key, value }),
                WriteOp::Delete { key, .. } => draft.public.push(Op::Delete { key }),
            }
        }
        self.drafts.push(draft.clone());
        self.save_drafts();
        self.drafted.extend(ops.iter().map(|op| op.key().to_owned()));
        Ok(self.draft_items(&draft))
    }

    /// What a draft will be, as the page sees it.
    pub(in crate::node) fn draft_items(&self, draft: &Draft) -> Vec<Found> {
        let Some(device) = self.device() else { return Vec::new() };
        let private = draft.private.iter().map(|op| (op, true));
        (0..)
            .zip(draft.public.iter().map(|op| (op, false)).chain(private))
            .filter_map(|(op_index, (op, private))| {
                let (key, value) = match op {
                    Op::Put { key, value } => (key.clone(), Some(value.clone())),
                    Op::Delete { key } => (key.clone(), None),
                    _ => return None,
                };
                let version = Version { writer: device.writer, index: draft.id, op: op_index };
                let item = Item {
                    key,
                    value,
                    conflicts: Vec::new(),
                    writer: device.writer,
                    time: draft.time,
                    version,
                    private,
                    adopted: None,
                };
                Some(Found { item, device: Some(device.name.clone()), mine: true, draft: true })
            })
            .collect()
    }

    /// What was written while waiting is appended now, or when the pages that this reads have come.
    pub(in crate::node) fn append_drafts(&mut self) {
        let Some(home) = self.spaces.home_mut() else { return };
        let mut drafts: VecDeque<Draft> = core::mem::take(&mut self.drafts).into();
        let writes: Vec<Vec<WriteOp>> = drafts.iter().map(write_ops).collect();
        writes.iter().for_each(|ops| home.touch(&self.files, ops, None));
        home.touch_deps(&self.files);
        if self.ask_for_missed() {
            self.drafts = drafts.into();
            self.loading.drafts = true;
            return;
        }
        let Some(home) = self.spaces.home_mut() else { return };
        for ops in writes {
            let Some(draft) = drafts.front() else { break };
            match home.write(&mut self.files, draft.time, self.entropy.as_mut(), ops) {
                Ok(_) => self.own_writes = true,
                Err(error) => {
                    // Kept with all that came after it, and tried again at the next unlock.
                    self.durable.now(crate::node::Output::Event(Event::Failed(error.into())));
                    break;
                }
            }
            drafts.pop_front();
        }
        self.drafts = drafts.into();
        self.save_drafts();
    }

    pub(in crate::node) fn load_drafts(&mut self) {
        let Some(key) = self.local_key() else { return };
        let file = self.files.file(DRAFTS);
        let length = usize::try_from(self.files.len(file)).unwrap_or_default();
        if length == 0 {
            return;
        }
        let opened = self.files.read(file, 0, length).map_err(NodeError::from).and_then(|sealed| {
            open_drafts(&sealed, &key).map_err(|error| NodeError::new(ErrorCode::Corrupt, error))
        });
        match opened {
            Ok(drafts) => self.drafts = drafts,
            Err(error) => self.event(Event::Failed(error)),
        }
        if self.state() == State::Writer && !self.drafts.is_empty() {
            self.append_drafts();
        }
    }

    pub(in crate::node) fn save_drafts(&mut self) {
        let Some(key) = self.local_key() else { return };
        let sealed = if self.drafts.is_empty() {
            Vec::new()
        } else {
            seal_drafts(&self.drafts, &key, self.entropy.as_mut())
        };
        crate::node::persist::replace(&mut self.files, DRAFTS, &sealed);
    }

    /// Drops what is kept at rest for keys that come back no more: drafts, and the stored views of sealed parts.
    pub(in crate::node) fn drop_drafts(&mut self) {
        self.drafts.clear();
        crate::node::persist::replace(&mut self.files, DRAFTS, &[]);
        self.spaces.iter_mut().for_each(|joined| joined.space.drop_sealed(&mut self.files));
    }

    fn local_key(&self) -> Option<Zeroizing<[u8; 32]>> {
        Some(self.secrets.as_ref()?.install.local_key())
    }
}

const DRAFTS: &str = "node/drafts";

fn drafted_key(op: &Op) -> Option<&str> {
    match op {
        Op::Put { key, .. } | Op::Delete { key } => Some(key),
        _ => None,
    }
}

/// What a draft becomes.
fn write_ops(draft: &Draft) -> Vec<WriteOp> {
    let put = |op: &Op, private: bool| match op.clone() {
        Op::Put { key, value } => Some(WriteOp::Put { key, value, private, expect: Expect::Any }),
        Op::Delete { key } => Some(WriteOp::Delete { key, expect: Expect::Any }),
        _ => None,
    };
    let public = draft.public.iter().filter_map(|op| put(op, false));
    public.chain(draft.private.iter().filter_map(|op| put(op, true))).collect()
}
