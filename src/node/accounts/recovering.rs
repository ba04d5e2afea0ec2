//! With the passphrase alone: begin again when all devices are lost, or put another passphrase in its place.

use crate::node::{
    ErrorCode, Event, Node, NodeError, State,
    accounts::account::{Device, Stage},
    accounts::approving::no_space,
    accounts::device_name::device_name,
    secrets::Secrets,
};
use crate::{
    crypto::{PublicKey, RootSecret},
    space::{DeviceGrant, Install, RootItem, RootRecord},
};

impl Node {
    /// The root grants this device, and cuts the others if wished. No other device is asked.
    pub(in crate::node) fn recover(
        &mut self,
        secret: &RootSecret,
        device: &str,
        remember: bool,
        cut_others: bool,
    ) -> Result<(), NodeError> {
        let name = device_name(device)?;
        if matches!(self.state(), State::Writer | State::Locked) {
            return Err(NodeError::new(
                ErrorCode::Conflict,
                "this device is already one of yours; there is nothing to recover",
            ));
        }
        self.choose_root(&secret.root().public())?;
        self.check_root(&secret.root().public())?;
        if self.spaces.home().is_none_or(|home| home.records().next().is_none()) {
            return Err(NodeError::new(
                ErrorCode::NotAuthorised,
                "nothing of this space has reached this browser yet; leave the page open until a device, a visitor or a replica that has a copy is there",
            ));
        }
        let (device, secrets) = self.new_install(secret, name, remember)?;
        let grant = grant_of(&device);
        let home = self.spaces.home_mut().ok_or_else(no_space)?;
        let keys = secrets.keys(&home.key());
        let (root, message) = (secret.root(), secret.message_key());
        let install = Install { grant: &grant, keys, message_key: Some(&message) };
        home.recover(&mut self.files, self.now, self.entropy.as_mut(), &root, install, cut_others)?;
        self.give_up_asking();
        self.become_writer(device, secrets);
        self.reclaim_spaces(&root, cut_others);
        Ok(())
    }

    /// The old root hands over to the new one, which cuts every other device; this one goes on with a new install.
    pub(in crate::node) fn change_passphrase(
        &mut self,
        old: &RootSecret,
        new: &RootSecret,
    ) -> Result<(), NodeError> {
        self.require_writer()?;
        self.check_root(&old.root().public())?;
        if old.root().public() == new.root().public() {
            return Err(NodeError::bad_input("the new passphrase is the old one; draw another"));
        }
        let before = self.device().cloned().ok_or_else(no_space)?;
        let (device, secrets) = self.new_install(new, before.name, before.remember)?;
        let (grant, name) = (grant_of(&device), device.name.clone());
        let home = self.spaces.home_mut().ok_or_else(no_space)?;
        if home.is_former_root(&new.root().public()) {
            return Err(NodeError::bad_input("this passphrase was used before; draw another"));
        }
        let keys = secrets.keys(&home.key());
        let (old, root, message) = (old.root(), new.root(), new.message_key());
        let install = Install { grant: &grant, keys, message_key: Some(&message) };
        home.change_root(&mut self.files, self.now, self.entropy.as_mut(), (&old, &root), install)?;
        let last = self.secrets.take();
        // Whoever asked by the old passphrase may be why it was changed; no device that has the new one asked yet.
        self.requests.clear();
        self.event(Event::Requests);
        self.become_writer(device, secrets);
        let spaces = self.spaces.keys();
        if let Some(last) = last {
            // The passphrase is changed by now, whatever becomes of a single space.
            if let Err(error) = self.hand_spaces_over(&old, &last, &name) {
                self.event(Event::Failed(error));
            }
        }
        for space in spaces {
            if self.spaces.home_key() != Some(space)
                && let Err(error) = self.announce_membership(space, false)
            {
                self.event(Event::Failed(error));
            }
        }
        Ok(())
    }

    /// Tells the page when there are rivals among new passphrases: nobody is followed until the person decides.
    pub(in crate::node) fn notice_rivals(&mut self) {
        let rivals = self.rivals().len();
        if rivals > self.rivals_told {
            self.event(Event::Failed(NodeError::new(
                ErrorCode::Pinned,
                "this space was handed over to more than one new passphrase; sign in or unlock with the one that is yours, or choose one of them",
            )));
        }
        self.rivals_told = rivals;
    }

    /// Root keys of rival new passphrases, among which the person has to choose.
    pub fn rivals(&self) -> Vec<PublicKey> {
        let rivals = self.spaces.home().map(crate::space::Space::rivals).unwrap_or_default();
        rivals.into_iter().map(|(.., heir)| heir).collect()
    }

    /// The person has chosen, by naming a root or by having its passphrase.
    pub(in crate::node) fn choose_root(&mut self, root: &PublicKey) -> Result<bool, NodeError> {
        let Some(home) = self.spaces.home_mut() else { return Ok(false) };
        let Some((old, record, _)) = home.rivals().into_iter().find(|(.., heir)| heir == root) else {
            return Ok(false);
        };
        home.pin(&mut self.files, old, record)?;
        Ok(true)
    }

    /// Tells the page when the passphrase let a device in that no other device did.
    pub(in crate::node) fn notice_recovery(&mut self) {
        let Some(home) = self.spaces.home() else { return };
        let granted = |bytes: &[u8]| -> Vec<PublicKey> {
            let items = RootRecord::decode(&home.key(), bytes).map(|record| record.items).unwrap_or_default();
            items
                .into_iter()
                .filter_map(|item| if let RootItem::Grant(grant) = item { Some(grant.writer) } else { None })
                .collect()
        };
        let by_root: Vec<PublicKey> = home.records().flat_map(granted).collect();
        let own = self.own_writer();
        let fresh = by_root.iter().any(|writer| !self.by_root.contains(writer) && Some(*writer) != own);
        // The first one began the space: it is no news.
        if fresh && !self.by_root.is_empty() {
            self.event(Event::Recovered);
        }
        self.by_root = by_root;
    }

    fn new_install(
        &mut self,
        secret: &RootSecret,
        name: String,
        remember: bool,
    ) -> Result<(Device, Secrets), NodeError> {
        let install_id = self.entropy.array16();
        let install = secret.writer_base().install(&install_id, &name);
        let secrets = Secrets::new(install, Some(secret.message_key()));
        let writer = secrets.keys(&self.home_key()?).signer.public();
        let device =
            Device { install_id, writer, name, stage: Stage::Granted, remember, request: ([0; 16], 0, 0) };
        Ok((device, secrets))
    }

    fn become_writer(&mut self, device: Device, secrets: Secrets) {
        self.own_writes = true;
        if device.remember {
            self.remember(Some(secrets.remembered()));
        } else {
            self.remember(None);
        }
        self.account.device = Some(device);
        self.save_account();
        self.secrets = Some(secrets);
        self.unlock_others();
        self.learn_names();
        // What was written while waiting lies sealed under the key of the install that ends here.
        self.append_drafts();
        self.event(Event::Writers);
        self.tell_state();
    }
}

fn grant_of(device: &Device) -> DeviceGrant {
    DeviceGrant { writer: device.writer, install_id: device.install_id, name: device.name.clone() }
}
