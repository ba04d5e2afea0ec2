//! Letting devices in, or not.

use crate::node::{
    ErrorCode, Event, Node, NodeError, Output, State, Words,
    accounts::request_queue::{Added, Via},
    accounts::sign_in_message::{Answer, Request, SignInMessage, Verdict},
};
use crate::{
    crypto::Hash,
    space::{DeviceGrant, Role},
};

impl Node {
    pub(in crate::node) fn approve(
        &mut self,
        id: [u8; 16],
        picked: Option<[String; 4]>,
    ) -> Result<(), NodeError> {
        let (request, words) = self.decidable(&id)?;
        if picked.is_some_and(|picked| !same(&picked, &words)) {
            return Err(NodeError::bad_input(
                "these are not the words of this request; look at the other device again, and deny the request if it shows none of the three",
            ));
        }
        let home = self.spaces.home_mut().ok_or_else(no_space)?;
        if home.role(&request.writer).is_none() {
            let grant = DeviceGrant {
                writer: request.writer,
                install_id: request.install_id,
                name: request.device.clone(),
            };
            home.grant(&mut self.files, self.now, self.entropy.as_mut(), &grant, Role::Admin)?;
            self.own_writes = true;
        }
        let space = home.key();
        self.event(Event::Granted { space, writer: request.writer, own: false });
        self.answer(&request, Verdict::Granted);
        Ok(())
    }

    pub(in crate::node) fn deny(&mut self, id: [u8; 16], block: bool) -> Result<(), NodeError> {
        let (request, _) = self.decidable(&id)?;
        if block {
            self.account.block(request.writer);
            self.save_account();
        }
        self.answer(&request, if block { Verdict::Blocked } else { Verdict::Denied });
        Ok(())
    }

    /// A request came out of an envelope.
    pub(in crate::node) fn requested(&mut self, via: Via, request: Request, hash: Hash) {
        let Some(home) = self.spaces.home() else { return };
        let may_decide = self.state() == State::Writer && self.own_role() == Some(Role::Admin);
        let granted = home.role(&request.writer).is_some();
        if !may_decide || granted {
            return;
        }
        if self.account.blocked.contains(&request.writer) {
            // Nobody is asked; but a device that was not there when the key was blocked learns it so.
            if self.requests.may_tell_blocked(self.now) {
                self.send_answer(&request, Verdict::Blocked);
            }
            return;
        }
        match self.requests.add(self.now, via, request.clone(), hash) {
            Added::New => self.durable.now(Output::DeriveWords { hash }),
            // It was not there when it was answered. A grant would have reached it by itself.
            Added::Answered => self.send_answer(&request, Verdict::Denied),
            Added::Nothing => {}
        }
    }

    /// A sealed sign-in message came from a peer.
    pub(in crate::node) fn sign_in_message(&mut self, via: Via, plain: &[u8]) {
        let Ok(key) = self.home_key() else { return };
        match SignInMessage::decode(&key.discovery_key(), plain) {
            Ok(SignInMessage::Request { request, hash }) => self.requested(via, request, hash),
            Ok(SignInMessage::Answer(answer)) => self.answered(&answer),
            // Sealed with the right key and still wrong: whoever made it has the passphrase, or another version.
            Err(_) => {}
        }
    }

    /// Requests of devices that were let in meanwhile fall away on every device.
    pub(in crate::node) fn drop_granted_requests(&mut self) {
        let Some(home) = self.spaces.home() else { return };
        if self.requests.retain(self.now, |writer| home.role(writer).is_some()) {
            self.event(Event::Requests);
        }
    }

    fn decidable(&self, id: &[u8; 16]) -> Result<(Request, Words), NodeError> {
        self.require_writer()?;
        if self.own_role() != Some(Role::Admin) {
            return Err(NodeError::new(
                ErrorCode::NotAuthorised,
                "this device may write, but not let others in",
            ));
        }
        self.requests
            .get(id, self.now)
            .ok_or_else(|| NodeError::bad_input("this request was answered, has expired, or never was"))
    }

    fn answer(&mut self, request: &Request, verdict: Verdict) {
        self.requests.answered(request.id, self.now);
        self.save_requests();
        self.event(Event::Requests);
        self.send_answer(request, verdict);
    }

    fn send_answer(&mut self, request: &Request, verdict: Verdict) {
        let (Some(secrets), Ok(key)) = (&self.secrets, self.home_key()) else { return };
        let signer = secrets.keys(&key).signer;
        let answer = Answer {
            request: request.id,
            writer: request.writer,
            verdict,
            time: self.now,
            admin: signer.public(),
        };
        let message = answer.sign(&key.discovery_key(), &signer);
        self.send_sign_in_message(&message);
    }
}

fn same(picked: &[String; 4], words: &Words) -> bool {
    picked.iter().zip(words).all(|(picked, word)| picked == word)
}

pub(in crate::node) fn no_space() -> NodeError {
    NodeError::new(ErrorCode::NotAuthorised, "no space is known for this domain yet; set one up or sign in")
}
