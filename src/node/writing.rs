//! Writing entries, and drafts while waiting.

use zeroize::Zeroizing;

use super::{
    ErrorCode, Event, Found, Node, NodeError, Reply, State,
    drafts::{Draft, MAX_DRAFTS, open_drafts, seal_drafts},
};
use crate::space::{Expect, Item, Op, Version, WriteOp};

impl Node {
    /// Takes a write in; it is carried out when the turn ends, together with the others.
    pub(super) fn accept_write(&mut self, id: u32, ops: Vec<WriteOp>) -> Result<(), NodeError> {
        if ops.is_empty() {
            return Err(NodeError::bad_input("nothing to write: give at least one operation"));
        }
        if self.state() == State::Requesting {
            let drafted = self.draft(&ops)?;
            self.reply(id, Ok(Reply::Found(drafted)));
            return Ok(());
        }
        self.require_writer()?;
        self.writes.push_back((id, ops));
        Ok(())
    }

    /// Carries out the writes of this turn: one entry each, one signature and one commit for all.
    pub(super) fn flush_writes(&mut self) {
        let writes = core::mem::take(&mut self.writes);
        let Some(home) = self.home.as_mut().filter(|_| self.secrets.is_some()) else {
            for (id, _) in writes {
                self.reply(
                    id,
                    Err(NodeError::new(ErrorCode::Locked, "this device was locked before it wrote")),
                );
            }
            return;
        };
        let (ids, entries): (Vec<_>, Vec<_>) = writes.into_iter().unzip();
        let results = home.write_many(&mut self.files, self.now, self.entropy.as_mut(), entries);
        self.own_writes = true;
        for (id, result) in ids.into_iter().zip(results) {
            let result = result
                .map(|items| Reply::Found(items.into_iter().map(|item| self.found_item(item)).collect()));
            self.reply(id, result.map_err(NodeError::from));
        }
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
    pub(super) fn draft_items(&self, draft: &Draft) -> Vec<Found> {
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
                };
                Some(Found { item, device: Some(device.name.clone()), mine: true, draft: true })
            })
            .collect()
    }

    /// What was written while waiting is appended now.
    pub(super) fn append_drafts(&mut self) {
        let Some(home) = &mut self.home else { return };
        let drafts = core::mem::take(&mut self.drafts);
        for draft in drafts {
            let put = |op: Op, private: bool| match op {
                Op::Put { key, value } => Some(WriteOp::Put { key, value, private, expect: Expect::Any }),
                Op::Delete { key } => Some(WriteOp::Delete { key, expect: Expect::Any }),
                _ => None,
            };
            let public = draft.public.iter().cloned().filter_map(|op| put(op, false));
            let ops = public.chain(draft.private.iter().cloned().filter_map(|op| put(op, true))).collect();
            match home.write(&mut self.files, draft.time, self.entropy.as_mut(), ops) {
                Ok(_) => self.own_writes = true,
                Err(error) => {
                    // Kept, and tried again at the next unlock.
                    self.drafts.push(draft);
                    self.durable.now(super::Output::Event(Event::Failed(error.into())));
                }
            }
        }
        self.save_drafts();
    }

    pub(super) fn load_drafts(&mut self) {
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

    fn save_drafts(&mut self) {
        let Some(key) = self.local_key() else { return };
        let sealed = if self.drafts.is_empty() {
            Vec::new()
        } else {
            seal_drafts(&self.drafts, &key, self.entropy.as_mut())
        };
        super::persist::replace(&mut self.files, DRAFTS, &sealed);
    }

    pub(super) fn drop_drafts(&mut self) {
        self.drafts.clear();
        super::persist::replace(&mut self.files, DRAFTS, &[]);
    }

    fn local_key(&self) -> Option<Zeroizing<[u8; 32]>> {
        Some(self.secrets.as_ref()?.install.local_key())
    }
}

const DRAFTS: &str = "node/drafts";
