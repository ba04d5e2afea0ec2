//! Locking, signing out, removing devices.

use zeroize::Zeroizing;

use crate::node::{
    ErrorCode, Event, Node, NodeError, Output, Reply, State,
    accounts::account::{Device, Stage},
    accounts::approving::no_space,
    spaces::Joined,
};
use crate::{
    crypto::{PublicKey, Purpose, RootSecret},
    space::{Role, Space, WriterStanding},
};

/// A lock that is being stored.
pub(in crate::node) struct Locking {
    /// Who asked for it.
    calls: Vec<u32>,
    /// The batch that holds it.
    pub(in crate::node) after: Option<u64>,
}

impl Node {
    /// Drops all keys from memory, and what "stay signed in" kept. The page is told once that is stored: what says
    /// "locked" must be so after a reload that comes at once.
    pub(in crate::node) fn lock(&mut self, id: u32) -> Result<(), NodeError> {
        self.require_writer()?;
        if let Some(locking) = &mut self.locking {
            locking.calls.push(id);
            return Ok(());
        }
        // What was opened of sealed parts is not to be opened again when it is unlocked.
        self.checkpoint_now();
        if let Some(device) = &mut self.account.device {
            device.remember = false;
            // Counts whatever the browser still remembers.
            device.stage = Stage::Locked;
        }
        self.remember(None);
        self.save_account();
        self.locking = Some(Locking { calls: vec![id], after: None });
        Ok(())
    }

    /// Completes a lock that is stored by now, or that never will be.
    pub(in crate::node) fn finish_lock(&mut self) {
        let broken = self.broken.clone();
        let done = |locking: &mut Locking| {
            broken.is_some() || locking.after.is_some_and(|seq| self.durable.is_stored(seq))
        };
        let Some(locking) = self.locking.take_if(done) else { return };
        self.wipe_secrets();
        self.tell_state();
        for id in locking.calls {
            match &broken {
                // Nothing is stored any more, so there is nothing to wait for.
                Some(error) => self.durable.now(Output::Reply { id, result: Err(error.clone()) }),
                None => self.reply(id, Ok(Reply::Done)),
            }
        }
    }

    pub(in crate::node) fn unlock(&mut self, secret: &RootSecret) -> Result<(), NodeError> {
        self.choose_root(&secret.root().public())?;
        self.check_root(&secret.root().public())?;
        let Some(device) = self.account.device.clone().filter(Device::is_granted) else {
            return Err(NodeError::bad_input("this device is not signed in; sign in with the passphrase"));
        };
        let install = secret.writer_base().install(&device.install_id, &device.name);
        let home = self.spaces.home_mut().ok_or_else(no_space)?;
        if install.signer(Purpose::Entries, &home.key(), "").public() != device.writer {
            return Err(NodeError::new(
                ErrorCode::WrongPassphrase,
                "this passphrase does not give this device's keys",
            ));
        }
        let secrets = crate::node::secrets::Secrets::new(install, None);
        home.unlock(&mut self.files, secrets.keys(&home.key()))?;
        self.secrets = Some(secrets);
        self.unlock_others();
        if let Some(device) = &mut self.account.device {
            device.stage = Stage::Granted;
        }
        self.reclaim_spaces(&secret.root(), false);
        self.save_account();
        self.learn_names();
        self.load_drafts();
        self.seal_later();
        self.tell_state();
        Ok(())
    }

    /// Signs out: cuts itself, wipes keys, keeps public data. Who cannot write any more cannot cut itself, and must be
    /// rid of the keys all the same: then the page is told, and another device has to remove this one.
    pub(in crate::node) fn forget(&mut self) -> Result<(), NodeError> {
        let device = self
            .account
            .device
            .clone()
            .ok_or_else(|| NodeError::bad_input("this device is not signed in"))?;
        if device.is_granted()
            && self.secrets.is_some()
            && let Some(home) = self.spaces.home_mut()
        {
            match home.cut(&mut self.files, self.now, self.entropy.as_mut(), device.writer, false) {
                Ok(()) => {
                    self.own_writes = true;
                    self.departed.push(device.writer);
                }
                Err(error) => {
                    let NodeError { code, message } = error.into();
                    let told = format!(
                        "signed out here, but this device could not say so to the others ({message}); remove it on one of them"
                    );
                    self.event(Event::Failed(NodeError::new(code, told)));
                }
            }
        }
        self.account.device = None;
        self.give_up_asking();
        self.save_account();
        self.wipe_secrets();
        self.drop_drafts();
        self.tell_state();
        Ok(())
    }

    /// Removes a device: for good with the passphrase, provisionally without.
    pub(in crate::node) fn cut(
        &mut self,
        space: PublicKey,
        writer: PublicKey,
        secret: Option<RootSecret>,
        descendants: bool,
    ) -> Result<(), NodeError> {
        let root = secret.map(|secret| secret.root());
        match &root {
            Some(root) if self.spaces.home_key() == Some(space) => self.check_root(&root.public())?,
            Some(_) => {
                return Err(NodeError::bad_input(
                    "the passphrase decides in the space of its domain only; cut without it here",
                ));
            }
            None => self.require_writer()?,
        }
        let joined = self.spaces.get_mut(&space).ok_or_else(no_space)?;
        let space = &mut joined.space;
        let known = space.writers().into_iter().find(|known| known.key == writer);
        if space.role(&writer).is_none() && known.is_none() {
            return Err(NodeError::bad_input("no device of this space has that key"));
        }
        // What it did since another device cut it, cuts of its own above all, goes with it.
        let length = known.filter(|known| known.state == WriterStanding::Cut).and_then(|known| known.cut_at);
        let (files, now, entropy) = (&mut self.files, self.now, self.entropy.as_mut());
        match &root {
            Some(root) => {
                space.root_cut(files, now, entropy, root, writer, length, Vec::new(), descendants)?
            }
            None => space.cut(files, now, entropy, writer, descendants)?,
        }
        self.own_writes = true;
        Ok(())
    }

    /// Reads the names of devices anew.
    pub(in crate::node) fn learn_names(&mut self) {
        self.spaces.iter_mut().for_each(Joined::learn_names);
    }

    /// What follows from a change of who may write: let in, removed, requests that are settled.
    pub(in crate::node) fn writers_changed(&mut self) {
        let Some(device) = self.account.device.clone() else { return };
        let Some(home) = self.spaces.home() else { return };
        let granted = home.role(&device.writer).is_some();
        let cut = home.writers().iter().any(|writer| {
            writer.key == device.writer
                && matches!(
                    writer.state,
                    WriterStanding::Cut | WriterStanding::RootCut | WriterStanding::Forked
                )
        });
        match device.stage {
            Stage::Requesting if granted && !cut => self.let_in(),
            #[cfg(any(test, feature = "hostile"))]
            _ if home.hostile().ignores_cut => {}
            Stage::Granted | Stage::Locked | Stage::Requesting if cut => self.removed(),
            // The root took the cut back: the passphrase gives it its keys again.
            Stage::Revoked if granted && !cut => self.restored(),
            _ => {}
        }
        self.notice_changed_passphrase();
        self.drop_granted_requests();
    }

    fn restored(&mut self) {
        if let Some(device) = &mut self.account.device {
            device.stage = Stage::Locked;
        }
        self.save_account();
        self.tell_state();
    }

    fn removed(&mut self) {
        if let Some(device) = &mut self.account.device {
            device.stage = Stage::Revoked;
        }
        self.give_up_asking();
        self.save_account();
        self.wipe_secrets();
        self.drop_drafts();
        self.event(Event::Revoked);
        self.tell_state();
    }

    pub(in crate::node) fn wipe_secrets(&mut self) {
        self.leave_channels();
        self.secrets = None;
        self.drafts.clear();
        self.requests.clear();
        // The passphrase opens them again.
        self.reclaims.clear();
        self.spaces.iter_mut().for_each(|joined| joined.space.lock());
        self.learn_names();
        self.remember(None);
        self.event(Event::Requests);
    }

    pub(in crate::node) fn remember(&mut self, bytes: Option<Zeroizing<Vec<u8>>>) {
        self.durable.now(Output::Remember(bytes));
    }

    /// The keys are here: other spaces are unlocked with theirs.
    pub(in crate::node) fn unlock_others(&mut self) {
        let Some(secrets) = &mut self.secrets else { return };
        secrets.generations = self.memberships.generations();
        let mut failed = None;
        for joined in self.spaces.iter_mut() {
            let keys = secrets.keys(&joined.space.key());
            if joined.space.writer() != Some(keys.signer.public()) {
                failed = joined.space.unlock(&mut self.files, keys).err().or(failed);
            }
        }
        if let Some(error) = failed {
            self.event(Event::Failed(error.into()));
        }
    }

    pub(in crate::node) fn own_role(&self) -> Option<Role> {
        self.spaces.home()?.role(&self.device()?.writer)
    }

    pub(in crate::node) fn home_key(&self) -> Result<PublicKey, NodeError> {
        self.spaces.home().map(Space::key).ok_or_else(no_space)
    }

    pub(in crate::node) fn require_writer(&self) -> Result<(), NodeError> {
        match self.state() {
            State::Writer => Ok(()),
            State::Locked => Err(NodeError::new(
                ErrorCode::Locked,
                "this device is locked; unlock it with the passphrase first",
            )),
            State::Revoked => {
                Err(NodeError::new(ErrorCode::Revoked, "this device was removed; sign in again to write"))
            }
            State::Uninitialised => Err(no_space()),
            State::Requesting | State::Replica | State::Visitor => Err(NodeError::new(
                ErrorCode::NotAuthorised,
                "this device only reads; sign in with the passphrase to write",
            )),
        }
    }
}
