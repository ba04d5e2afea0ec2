//! Set-up: the first device of a space.

use crate::node::{
    ErrorCode, Event, Node, NodeError, Reply,
    accounts::account::{Device, Stage},
    accounts::device_name::device_name,
    secrets::Secrets,
};
use crate::{
    codec::Writer,
    crypto::{Namespace, RootSecret, Signature, Signer},
    space::{DeviceGrant, Install, Space},
};

/// A set-up that asks hubs and peers first whether there is a space under this key already.
pub(in crate::node) struct Beginning {
    id: u32,
    secret: RootSecret,
    name: String,
    remember: bool,
    claim: Option<[u8; 32]>,
    /// ms since 1970.
    pub(in crate::node) until: u64,
}

impl Node {
    pub(in crate::node) fn sign_up(
        &mut self,
        id: u32,
        secret: RootSecret,
        device: &str,
        remember: bool,
        claim: Option<[u8; 32]>,
    ) -> Result<(), NodeError> {
        if let Some(home) = self.spaces.home() {
            return Err(NodeError::new(
                ErrorCode::Conflict,
                format!(
                    "this browser already has a space for this domain (hypha://{}); sign in with its passphrase instead",
                    home.key()
                ),
            ));
        }
        let name = device_name(device)?;
        let wait = if self.mesh.hubs().is_empty() { ASK_TABS_MS } else { ASK_HUBS_MS };
        self.open_home(secret.root().public())?;
        let until = self.now.saturating_add(wait);
        self.beginning = Some(Beginning { id, secret, name, remember, claim, until });
        Ok(())
    }

    /// Goes on with a set-up when nobody spoke up, or gives it up when somebody did.
    pub(in crate::node) fn go_on_beginning(&mut self) {
        let known = self.spaces.home().is_some_and(|home| home.records().next().is_some());
        let due = self.beginning.as_ref().is_some_and(|beginning| known || self.now >= beginning.until);
        let Some(beginning) = self.beginning.take_if(|_| due) else { return };
        let id = beginning.id;
        let result = if known { Err(self.already_begun()) } else { self.found(beginning) };
        self.tell_state();
        self.reply(id, result);
    }

    /// The person has the passphrase of a space that exists: read it from now on.
    fn already_begun(&mut self) -> NodeError {
        self.account.pinned = self.spaces.home().map(Space::key);
        self.save_account();
        NodeError::new(
            ErrorCode::Conflict,
            "there is already a space under this passphrase; sign in with it instead of starting anew",
        )
    }

    fn found(&mut self, beginning: Beginning) -> Result<Reply, NodeError> {
        let Beginning { secret, name, remember, claim, .. } = beginning;
        let home = self
            .spaces
            .home_mut()
            .ok_or_else(|| NodeError::new(ErrorCode::Closed, "the set-up was given up"))?;
        let key = home.key();
        let root = secret.root();
        let install_id = self.entropy.array16();
        let secrets =
            Secrets::new(secret.writer_base().install(&install_id, &name), Some(secret.message_key()));
        let keys = secrets.keys(&key);
        let writer = keys.signer.public();
        let grant = DeviceGrant { writer, install_id, name: name.clone() };
        let domain = self.options.domain.clone();
        home.found(
            &mut self.files,
            self.now,
            self.entropy.as_mut(),
            &root,
            Install { grant: &grant, keys, message_key: Some(&secret.message_key()) },
            domain.as_str(),
        )?;
        self.own_writes = true;
        self.account.pinned = Some(key);
        self.account.device = Some(Device {
            install_id,
            writer,
            name,
            stage: Stage::Granted,
            remember,
            request: ([0; 16], 0, 0),
        });
        self.save_account();
        if remember {
            self.remember(Some(secrets.remembered()));
        }
        self.secrets = Some(secrets);
        let claim = claim.map(|nonce| sign_claim(&root, domain.as_str(), &nonce));
        self.event(Event::Writers);
        Ok(Reply::SignedUp { key, claim })
    }
}

/// What the host checks before it takes `.well-known/dat`.
pub(crate) fn sign_claim(root: &Signer, domain: &str, nonce: &[u8; 32]) -> Signature {
    let mut signed = Writer::new();
    signed.raw(&Namespace::Claim.bytes()).raw(&root.public().0);
    signed.u16(u16::try_from(domain.len()).unwrap_or(u16::MAX)).raw(domain.as_bytes()).raw(nonce);
    root.sign(signed.as_slice())
}

/// For how long peers behind hubs are asked for root records of a fresh key, in ms.
const ASK_HUBS_MS: u64 = 1500;
/// For how long other tabs are, in ms.
const ASK_TABS_MS: u64 = 300;
