//! Signing in: a new device asks the old ones, and waits.

use crate::node::{
    ErrorCode, Event, Node, NodeError, Reply, Words,
    accounts::account::{Device, Stage},
    accounts::device_name::device_name,
    accounts::request_queue::MAX_LIFE_MS,
    accounts::sign_in_message::{Answer, Request, Verdict},
    secrets::Secrets,
};
use crate::{
    crypto::{Hash, KdfError, PublicKey, RootSecret},
    space::{Role, Space},
};

/// A request that is out.
pub(in crate::node) struct Asking {
    /// The signed request.
    message: Vec<u8>,
    hash: Hash,
    /// The root whose passphrase it was made with.
    root: PublicKey,
    pub(in crate::node) words: Option<Words>,
    /// The call that waits for the words.
    call: Option<u32>,
    expires: u64,
    /// When it is sent again, ms since 1970.
    pub(in crate::node) next: u64,
    /// Doubles with every sending.
    pause: u64,
}

impl Node {
    pub(in crate::node) fn sign_in(
        &mut self,
        id: u32,
        secret: &RootSecret,
        device: &str,
        remember: bool,
    ) -> Result<(), NodeError> {
        let name = device_name(device)?;
        let outdated = self.device().is_some_and(Device::is_outdated);
        match self.device().map(|device| device.stage) {
            Some(Stage::Requesting) if !outdated => {
                return Err(NodeError::new(
                    ErrorCode::Conflict,
                    "this device is already asking to be let in; cancel that first",
                ));
            }
            Some(Stage::Granted | Stage::Locked) => {
                return Err(NodeError::new(
                    ErrorCode::Conflict,
                    "this device is already one of yours; unlock it instead",
                ));
            }
            // One that asked with the old passphrase asks with the new one, and keeps its drafts.
            Some(Stage::Requesting | Stage::Revoked) | None => {}
        }
        let root = secret.root().public();
        if self.spaces.home().is_none() {
            // Nothing is known of this domain: the passphrase itself says which space it is.
            self.account.pinned = Some(root);
            self.open_home(root)?;
        }
        self.choose_root(&root)?;
        self.check_root(&root)?;
        let key = self.home_key()?;
        let install_id = self.entropy.array16();
        let secrets =
            Secrets::new(secret.writer_base().install(&install_id, &name), Some(secret.message_key()));
        let writer = secrets.keys(&key).signer.public();
        let request = (self.entropy.array16(), self.now, self.now.saturating_add(MAX_LIFE_MS));
        let device = Device { install_id, writer, name, stage: Stage::Requesting, remember, request };
        // Until the answer comes they must survive a reload, whatever the person chose for later.
        self.remember(Some(secrets.remembered()));
        self.secrets = Some(secrets);
        self.account.device = Some(device.clone());
        self.save_account();
        self.save_drafts();
        self.ask(&device);
        if let Some(asking) = &mut self.asking {
            asking.call = Some(id);
        }
        self.tell_state();
        Ok(())
    }

    /// Whether a root key is the last one of this space's chain.
    pub(in crate::node) fn check_root(&self, root: &PublicKey) -> Result<(), NodeError> {
        let Some(home) = self.spaces.home() else {
            return Err(NodeError::new(ErrorCode::NotAuthorised, "no space is known for this domain yet"));
        };
        if *root == home.root() {
            return Ok(());
        }
        let message = if home.is_former_root(root) {
            "this passphrase was changed; use the new one".to_owned()
        } else {
            format!("wrong passphrase for {}: each domain has its own", self.options.domain)
        };
        Err(NodeError::new(ErrorCode::WrongPassphrase, message))
    }

    /// Sends the device's request, now and again until it is answered.
    pub(in crate::node) fn ask(&mut self, device: &Device) {
        let (Some(secrets), Some(home)) = (&self.secrets, self.spaces.home()) else { return };
        if device.is_outdated() {
            return;
        }
        let (key, root) = (home.key(), home.root());
        let (id, time, expires) = device.request;
        let Device { install_id, writer, name, .. } = device.clone();
        let request = Request { id, writer, install_id, time, expires, device: name };
        let discovery = key.discovery_key();
        let hash = request.hash(&discovery);
        let message = request.sign(&discovery, &secrets.keys(&key).signer);
        self.asking = Some(Asking {
            message,
            hash,
            root,
            words: None,
            call: None,
            expires,
            next: self.now,
            pause: FIRST_PAUSE_MS,
        });
        self.durable.now(crate::node::Output::DeriveWords { hash });
    }

    /// Words of our own request, or of one that waits for a decision.
    pub(in crate::node) fn words_derived(&mut self, hash: &Hash, words: Result<Words, KdfError>) {
        if let Some(asking) = self.asking.as_mut().filter(|asking| asking.hash == *hash) {
            let call = asking.call.take();
            asking.words = words.as_ref().ok().copied();
            let result =
                words.map(Reply::Words).map_err(|error| NodeError::new(ErrorCode::Unsupported, error));
            match (&result, call) {
                // Also where a call waits: other tabs show them, too.
                (Ok(_), _) => self.event(Event::Requests),
                (Err(error), None) => self.event(Event::Failed(error.clone())),
                (Err(_), Some(_)) => {}
            }
            if let Some(id) = call {
                self.reply(id, result);
            }
        } else if let Ok(words) = words
            && self.requests.words(hash, words, self.entropy.as_mut())
        {
            self.event(Event::Requests);
        }
    }

    /// Sends the request if it is time; a new one in place of one that expired.
    pub(in crate::node) fn send_request(&mut self) {
        let Some(asking) = &mut self.asking else { return };
        if self.now < asking.next {
            return;
        }
        if self.now >= asking.expires {
            if let Some(mut device) = self.account.device.take() {
                device.request = (self.entropy.array16(), self.now, self.now.saturating_add(MAX_LIFE_MS));
                self.account.device = Some(device.clone());
                self.save_account();
                self.ask(&device);
            }
            return;
        }
        asking.next = self.now.saturating_add(asking.pause);
        asking.pause = asking.pause.saturating_mul(2).min(LAST_PAUSE_MS);
        let message = asking.message.clone();
        self.send_sign_in_message(&message);
    }

    /// A peer came: it may not have heard.
    pub(in crate::node) fn ask_again_soon(&mut self) {
        if let Some(asking) = &mut self.asking {
            asking.next = self.now;
            asking.pause = FIRST_PAUSE_MS;
        }
    }

    /// An admin's answer to a request, ours or another device's.
    pub(in crate::node) fn answered(&mut self, answer: &Answer) {
        // A removed device keeps the role that it was given, and decides nothing any more.
        let decides =
            |home: &Space| home.is_active(&answer.admin) && home.role(&answer.admin) == Some(Role::Admin);
        if !self.spaces.home().is_some_and(decides) {
            return;
        }
        let own = self.device().is_some_and(|device| {
            device.stage == Stage::Requesting
                && device.request.0 == answer.request
                && device.writer == answer.writer
        });
        if own {
            // A grant speaks for itself when it arrives. What comes late for a request that is out no more says nothing.
            if answer.verdict != Verdict::Granted && self.asking.is_some() {
                self.stop_asking();
                self.event(Event::Denied);
            }
            return;
        }
        if answer.verdict == Verdict::Blocked {
            self.account.block(answer.writer);
            self.save_account();
        }
        let waited = match answer.verdict {
            // It is no decision of this device until the grant is here: if that never comes, the device asks again.
            Verdict::Granted => self.requests.forget(&answer.request),
            Verdict::Denied | Verdict::Blocked => self.requests.answered(answer.request, self.now),
        };
        if waited {
            self.event(Event::Requests);
        }
        self.save_requests();
    }

    pub(in crate::node) fn cancel_sign_in(&mut self) -> Result<(), NodeError> {
        if self.device().is_none_or(|device| device.stage != Stage::Requesting) {
            return Err(NodeError::new(ErrorCode::BadInput, "this device is not asking to be let in"));
        }
        self.stop_asking();
        Ok(())
    }

    /// The passphrase that this device asked with may have been changed: then nobody hears it any more. It stops asking,
    /// and keeps what was written here until the person comes with the new one.
    pub(in crate::node) fn notice_changed_passphrase(&mut self) {
        let root = self.asking.as_ref().map(|asking| asking.root);
        let former = |home: &Space| root.is_some_and(|root| home.is_former_root(&root));
        if !self.spaces.home().is_some_and(former) {
            return;
        }
        let error = NodeError::new(
            ErrorCode::WrongPassphrase,
            "the passphrase was changed while this device waited to be let in; use the new one: what was written here is kept until then",
        );
        if let Some(id) = self.asking.take().and_then(|asking| asking.call) {
            self.reply(id, Err(error.clone()));
        }
        if let Some(device) = &mut self.account.device {
            device.request.2 = 0;
        }
        self.save_account();
        self.event(Event::Failed(error));
        // There are no words to show any more.
        self.event(Event::Requests);
    }

    /// No request is out any more.
    pub(in crate::node) fn give_up_asking(&mut self) {
        if let Some(id) = self.asking.take().and_then(|asking| asking.call) {
            self.reply(id, Err(NodeError::new(ErrorCode::Closed, "the sign-in was given up")));
        }
    }

    fn stop_asking(&mut self) {
        self.give_up_asking();
        self.account.device = None;
        self.save_account();
        self.wipe_secrets();
        self.drop_drafts();
        self.tell_state();
    }

    /// The grant has come.
    pub(in crate::node) fn let_in(&mut self) {
        let Some(device) = &mut self.account.device else { return };
        device.stage = Stage::Granted;
        let (writer, remember) = (device.writer, device.remember);
        if let Some(id) = self.asking.take().and_then(|asking| asking.call) {
            // An admin was faster than Argon2id: there is nothing to compare any more.
            self.reply(id, Ok(Reply::Done));
        }
        self.save_account();
        if !remember {
            self.remember(None);
        }
        if let (Some(secrets), Some(home)) = (&self.secrets, self.spaces.home_mut()) {
            let keys = secrets.keys(&home.key());
            if let Err(error) = home.unlock(&mut self.files, keys) {
                self.event(Event::Failed(error.into()));
            }
        }
        self.unlock_others();
        self.learn_names();
        self.append_drafts();
        if let Some(space) = self.spaces.home_key() {
            self.event(Event::Granted { space, writer, own: true });
        }
        self.tell_state();
    }
}

/// A request is sent again after this long, then twice as long and so on, in ms.
const FIRST_PAUSE_MS: u64 = 2000;
/// At most this long, in ms.
const LAST_PAUSE_MS: u64 = 60_000;
