//! Other spaces than the domain's: making them, joining them, leaving them, and keeping this person's devices in them.
//!
//! ```text
//! join(link)      opens the space and reads it
//! join(invite)    … and asks its admins, again and again, until a grant comes
//! createSpace     a random root, used once; its secret stays sealed to the root of the domain's space
//! ```
//! A device announces in private which spaces it takes part in, and with which key. This person's other devices join
//! by themselves; any of them that may write there lets the others' keys in, and takes them out when they are removed
//! at home.

use crate::node::{
    ErrorCode, Event, Node, NodeError, Reply, State, accounts::approving::no_space,
    spaces::memberships::MAX_SPACES,
};
use crate::{
    crypto::{PublicKey, Signer},
    space::{DeviceGrant, Install, InviteLink, JoinRequest, Role, to_cut, to_grant},
};

impl Node {
    /// Opens the spaces that were joined before.
    pub(in crate::node) fn open_memberships(&mut self) -> Result<(), NodeError> {
        let here = self.memberships.list.iter().filter(|membership| !membership.gone);
        let keys: Vec<PublicKey> = here.map(|membership| membership.space).collect();
        let mut opened = Ok(());
        for key in keys {
            match self.open_space(key) {
                // It reads pages that are not in memory: the node is opened again when they are, and those of the others.
                Err(error) if error.code == ErrorCode::Storage => opened = Err(error),
                Err(error) => self.event(Event::Failed(error)),
                Ok(()) => {}
            }
        }
        opened
    }

    /// Reads a space from now on; with an invite, asks to be let in.
    pub(in crate::node) fn join(
        &mut self,
        space: PublicKey,
        invite: Option<&InviteLink>,
    ) -> Result<Reply, NodeError> {
        if self.spaces.home_key() == Some(space) {
            return Ok(Reply::Space(space));
        }
        if let Some(secrets) = &mut self.secrets {
            secrets.generations = self.memberships.generations();
        }
        let request = match (invite, &self.secrets, self.device()) {
            (None, ..) => Vec::new(),
            (Some(link), Some(secrets), Some(device)) if self.state() == State::Writer => {
                let signer = secrets.keys(&space).signer;
                JoinRequest::sign(link, &signer, [0; 16], &device.name).map_err(NodeError::bad_input)?
            }
            (Some(_), ..) => {
                self.require_writer()?;
                return Err(no_space());
            }
        };
        let membership = self.memberships.add(space).ok_or_else(too_many)?;
        (membership.leaving, membership.gone) = (false, false);
        if !request.is_empty() {
            membership.request = request;
            membership.due = Some(self.now);
            membership.pause = FIRST_PAUSE_MS;
        } else if membership.request.is_empty() {
            // It may have been about to go.
            membership.due = None;
        }
        self.save_memberships();
        self.open_space(space)?;
        // One that was left and is still here has the key that took itself out.
        self.unlock_others();
        self.announce_membership(space, false)?;
        self.event(Event::Spaces);
        Ok(Reply::Space(space))
    }

    /// Makes a space of this person's own.
    pub(in crate::node) fn create_space(&mut self, title: &str) -> Result<Reply, NodeError> {
        self.require_writer()?;
        let seed = zeroize::Zeroizing::new(self.entropy.array32());
        let root = Signer::from_seed(&seed);
        let key = root.public();
        self.memberships.add(key).ok_or_else(too_many)?;
        let (Some(secrets), Some(device)) = (&self.secrets, self.account.device.as_ref()) else {
            return Err(no_space());
        };
        let keys = secrets.keys(&key);
        // The install id would tie this person's spaces together for everybody.
        let grant =
            DeviceGrant { writer: keys.signer.public(), install_id: [0; 16], name: device.name.clone() };
        // First of all the secret: a space whose root nobody has could never be mended.
        let home = self.spaces.home_mut().ok_or_else(no_space)?;
        home.keep_space_secret(&mut self.files, self.now, self.entropy.as_mut(), key, &seed)?;
        self.own_writes = true;
        self.save_memberships();
        self.open_space(key)?;
        let joined = self.spaces.get_mut(&key).ok_or_else(no_space)?;
        let (files, now, entropy) = (&mut self.files, self.now, self.entropy.as_mut());
        joined.space.create(
            files,
            now,
            entropy,
            &root,
            Install { grant: &grant, keys, message_key: None },
        )?;
        if !title.is_empty() {
            joined.space.set_title(files, now, entropy, title)?;
        }
        joined.learn_names();
        self.announce_membership(key, false)?;
        self.event(Event::Spaces);
        Ok(Reply::Space(key))
    }

    /// Reads a space no more: this device takes itself out, and what is stored goes.
    pub(in crate::node) fn leave(&mut self, space: PublicKey) -> Result<Reply, NodeError> {
        if self.spaces.home_key() == Some(space) {
            return Err(NodeError::bad_input("the domain's own space is not left; sign out with forget()"));
        }
        let joined = self.spaces.get_mut(&space).ok_or_else(no_space)?;
        let mut wrote = false;
        if let (true, Some(own)) = (joined.space.is_writable(), joined.space.writer()) {
            joined.space.cut(&mut self.files, self.now, self.entropy.as_mut(), own, false)?;
            self.own_writes = true;
            wrote = true;
        }
        self.announce_membership(space, true)?;
        if let Some(membership) = self.memberships.get_mut(&space) {
            membership.leaving = true;
            membership.generation += u64::from(wrote);
            membership.request.clear();
            membership.due = None;
        }
        self.save_memberships();
        if !wrote {
            self.drop_space(space);
        }
        self.event(Event::Spaces);
        Ok(Reply::Done)
    }

    /// Does what is due for joined spaces: sends requests, drops what was left, lets own devices in and out.
    pub(in crate::node) fn tend_spaces(&mut self) {
        for space in self.spaces.keys() {
            self.tend_membership(space);
        }
        self.reclaim_ready();
        if self.chores.members_at.take_if(|at| *at <= self.now).is_some() && self.state() == State::Writer {
            self.follow_own_devices();
        }
    }

    pub(in crate::node) fn memberships_deadline(&self) -> Option<u64> {
        self.memberships.list.iter().filter_map(|membership| membership.due).min()
    }

    fn tend_membership(&mut self, space: PublicKey) {
        let peers = self.has_peer_of(&space);
        let granted = self.spaces.get(&space).is_some_and(|joined| joined.space.is_writable());
        let Some(membership) = self.memberships.get_mut(&space) else { return };
        if membership.leaving && peers && membership.due.is_none() {
            membership.due = Some(self.now.saturating_add(LEAVE_MS));
        }
        if granted && !membership.request.is_empty() {
            membership.request.clear();
            membership.due = None;
            self.save_memberships();
            self.event(Event::Spaces);
            return;
        }
        if !membership.request.is_empty() && membership.due.is_none() {
            (membership.due, membership.pause) = (Some(self.now), FIRST_PAUSE_MS);
        }
        if membership.due.is_none_or(|due| due > self.now) {
            return;
        }
        if membership.leaving {
            self.drop_space(space);
            return;
        }
        if membership.request.is_empty() {
            membership.due = None;
            return;
        }
        membership.due = Some(self.now.saturating_add(membership.pause));
        membership.pause = membership.pause.saturating_mul(2).min(LAST_PAUSE_MS);
        let request = membership.request.clone();
        self.send_join_request(space, &request);
    }

    /// Somebody with an invite asks to be let into a space; answered by a grant.
    pub(in crate::node) fn join_requested(&mut self, space: PublicKey, sender: &PublicKey, bytes: &[u8]) {
        let Ok(request) = JoinRequest::decode(bytes) else { return };
        let Some(joined) = self.spaces.get_mut(&space) else { return };
        let before = joined.space.role(sender);
        let asked = request.space == space && request.device.writer == *sender;
        if !asked || !joined.space.is_writable() {
            return;
        }
        let (files, now, entropy) = (&mut self.files, self.now, self.entropy.as_mut());
        // What is refused here is refused silently: whoever asks may be anybody.
        let done = joined.space.accept_invite(files, now, entropy, &request.device, &request.invite);
        if done.is_ok() && joined.space.role(sender) != before {
            self.own_writes = true;
            self.event(Event::Granted { space, writer: request.device.writer, own: false });
        }
    }

    /// Which of this person's devices are in which spaces has changed, or may have.
    pub(in crate::node) fn members_later(&mut self) {
        let jitter = u64::from(self.entropy.below(1500));
        self.chores.members_at.get_or_insert(self.now.saturating_add(500 + jitter));
    }

    fn follow_own_devices(&mut self) {
        let Some(home) = self.spaces.home() else { return };
        let mut unknown: Vec<PublicKey> = Vec::new();
        for membership in home.memberships() {
            let left = self.memberships.list.iter().any(|own| own.space == membership.space);
            if !membership.left && !left && !unknown.contains(&membership.space) {
                unknown.push(membership.space);
            }
        }
        for space in unknown {
            if let Err(error) = self.join(space, None) {
                self.event(Event::Failed(error));
            }
        }
        // A device that signed in anew has another key in each.
        let stays: Vec<PublicKey> = self
            .memberships
            .list
            .iter()
            .filter(|own| !own.leaving && !own.gone)
            .map(|own| own.space)
            .collect();
        for space in stays {
            let done = self.announce_membership(space, false).and_then(|()| self.admit_own_devices(space));
            if let Err(error) = done {
                self.event(Event::Failed(error));
            }
        }
    }

    fn admit_own_devices(&mut self, space: PublicKey) -> Result<(), NodeError> {
        let (Some(home), Some(joined)) = (self.spaces.home(), self.spaces.get(&space)) else { return Ok(()) };
        if !joined.space.is_writable() {
            return Ok(());
        }
        let grants = to_grant(home, &joined.space);
        let cuts = to_cut(&self.files, home, &joined.space)?;
        let own = joined.space.writer();
        let role = own.and_then(|own| joined.space.role(&own)).unwrap_or(Role::Writer);
        let Some(joined) = self.spaces.get_mut(&space) else { return Ok(()) };
        let (files, now, entropy) = (&mut self.files, self.now, self.entropy.as_mut());
        for device in &grants {
            joined.space.grant(files, now, entropy, device, role)?;
        }
        for writer in cuts.iter().filter(|writer| Some(**writer) != own) {
            joined.space.cut(files, now, entropy, *writer, false)?;
        }
        self.own_writes |= !grants.is_empty() || !cuts.is_empty();
        Ok(())
    }

    /// Tells this person's other devices that this one takes part, and with which key.
    pub(in crate::node) fn announce_membership(
        &mut self,
        space: PublicKey,
        left: bool,
    ) -> Result<(), NodeError> {
        if self.state() != State::Writer {
            return Ok(());
        }
        let Some(secrets) = &self.secrets else { return Ok(()) };
        let writer = secrets.keys(&space).signer.public();
        let home = self.spaces.home_mut().ok_or_else(no_space)?;
        let (files, now, entropy) = (&mut self.files, self.now, self.entropy.as_mut());
        self.own_writes |= home.announce_membership(files, now, entropy, space, writer, left)?;
        Ok(())
    }

    fn drop_space(&mut self, space: PublicKey) {
        if let Some(membership) = self.memberships.get_mut(&space) {
            (membership.leaving, membership.gone, membership.due) = (false, true, None);
        }
        self.save_memberships();
        if let Some(joined) = self.close_space(&space) {
            let own: Vec<PublicKey> = joined.space.writer().into_iter().collect();
            if let Err(error) = joined.space.remove(&mut self.files, &own) {
                self.event(Event::Failed(error.into()));
            }
        }
        self.event(Event::Spaces);
    }
}

fn too_many() -> NodeError {
    NodeError::new(
        ErrorCode::TooLarge,
        format!("a browser takes part in at most {MAX_SPACES} spaces; leave one first"),
    )
}

/// A join request is sent again after this long, then twice as long and so on, in ms.
const FIRST_PAUSE_MS: u64 = 2000;
/// At most this long, in ms.
const LAST_PAUSE_MS: u64 = 60_000;
/// A space that was left stays this long beside a peer that is to hear of it, in ms.
const LEAVE_MS: u64 = 10_000;
