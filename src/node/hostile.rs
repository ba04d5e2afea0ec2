//! What an honest node never does, with the real keys of its device: for tests with whole nodes and with browsers.
//!
//! Exists in tests and under the feature `hostile` only. Each act is one turn: it ends as every input does, so what was
//! written is stored and goes to the peers.

use super::{
    Node, NodeError, accounts::approving::no_space, accounts::request_queue::MAX_LIFE_MS,
    accounts::sign_in_message::Request,
};
use crate::{
    crypto::{PublicKey, SecretKey32, Signer},
    space::{Space, SpaceError, WriteOp},
    storage::Files,
    sync::{Envelope, EnvelopeKind, Message},
};

impl Node {
    /// Goes on after it was removed: keeps its keys, and says nothing of it to its page.
    pub fn hostile_ignore_cut(&mut self) -> Result<(), NodeError> {
        self.spaces.home_mut().ok_or_else(no_space)?.hostile_mut().ignores_cut = true;
        Ok(())
    }

    /// Takes its keys into the space though nobody let it in.
    pub fn hostile_unlock(&mut self) -> Result<(), NodeError> {
        let key = self.home_key()?;
        let keys = self.secrets.as_ref().ok_or_else(no_space)?.keys(&key);
        self.spaces.home_mut().ok_or_else(no_space)?.unlock(&mut self.files, keys)?;
        Ok(())
    }

    /// What it writes from now on claims to be of this moment (ms), and to have seen nothing later.
    pub fn hostile_freeze(&mut self, now: u64) -> Result<(), NodeError> {
        self.spaces.home_mut().ok_or_else(no_space)?.hostile_freeze(now);
        Ok(())
    }

    /// Adds the first `length` entries of a writer to what it claims to have seen at the frozen moment.
    pub fn hostile_also_seen(&mut self, writer: PublicKey, length: u64) -> Result<(), NodeError> {
        self.spaces.home_mut().ok_or_else(no_space)?.hostile_also_seen(writer, length);
        Ok(())
    }

    /// Writes in public, whoever may write. Returns the index of the entry.
    pub fn hostile_append(&mut self, now: u64, ops: Vec<WriteOp>) -> Result<u64, NodeError> {
        self.hostile_act(now, |home, files| home.hostile_write(files, now, ops))
    }

    /// Appends a block of any bytes to its feed. Returns its index.
    pub fn hostile_block(&mut self, now: u64, block: Vec<u8>) -> Result<u64, NodeError> {
        self.hostile_act(now, |home, files| home.hostile_block(files, block))
    }

    /// Grants a key as admin. Returns the index of the entry.
    pub fn hostile_grant(&mut self, now: u64, writer: PublicKey) -> Result<u64, NodeError> {
        self.hostile_act(now, |home, files| home.hostile_grant(files, now, writer))
    }

    /// Cuts keys in one entry. Returns its index.
    pub fn hostile_cut(&mut self, now: u64, writers: &[PublicKey]) -> Result<u64, NodeError> {
        self.hostile_act(now, |home, files| home.hostile_cut(files, now, writers))
    }

    /// Signs another history from block `at` of its feed on, with one entry that writes `ops`; forgets the first one.
    /// Peers that are connected are told at the next connection. Returns the index of the entry.
    pub fn hostile_fork(&mut self, now: u64, at: u64, ops: Vec<WriteOp>) -> Result<u64, NodeError> {
        self.hostile_act(now, |home, files| home.hostile_fork(files, now, at, ops))
    }

    /// Gives peers no more than the first `length` blocks of a feed, though it shows them the latest head.
    pub fn hostile_withhold(&mut self, feed: PublicKey, length: u64) -> Result<(), NodeError> {
        self.spaces.home_mut().ok_or_else(no_space)?.hostile_mut().withheld.insert(feed, length);
        Ok(())
    }

    /// Sends `count` sign-in requests at once, each of another made-up device, sealed with the real sign-in key.
    pub fn hostile_requests(&mut self, now: u64, count: u32) -> Result<(), NodeError> {
        let discovery = self.home_key()?.discovery_key();
        for _ in 0..count {
            let signer = Signer::from_seed(&self.entropy.array32());
            let request = Request {
                id: self.entropy.array16(),
                writer: signer.public(),
                install_id: self.entropy.array16(),
                time: now,
                expires: now.saturating_add(MAX_LIFE_MS),
                device: "Kitchen tablet".to_owned(),
            };
            let message = request.sign(&discovery, &signer);
            self.send_sign_in_message(&message);
        }
        self.settle();
        Ok(())
    }

    /// Sends `count` envelopes of `bytes` bytes that nobody can open.
    pub fn hostile_envelopes(&mut self, now: u64, count: u32, bytes: usize) -> Result<(), NodeError> {
        let discovery = self.home_key()?.discovery_key();
        let expiry = now.saturating_add(60_000);
        for _ in 0..count {
            let key = SecretKey32(self.entropy.array32());
            let mut plain = vec![0; bytes];
            self.entropy.fill(&mut plain);
            let kind = EnvelopeKind::SignIn;
            let sealed = Envelope::seal(kind, discovery, expiry, &key, &plain, self.entropy.as_mut());
            self.hostile_send(&Message::Envelope(sealed.map_err(NodeError::bad_input)?));
        }
        self.settle();
        Ok(())
    }

    /// Sends a message of the exchange to every peer of the space.
    pub fn hostile_message(&mut self, message: &Message) {
        self.hostile_send(message);
        self.settle();
    }

    fn hostile_act<T>(
        &mut self,
        now: u64,
        act: impl FnOnce(&mut Space, &mut Files) -> Result<T, SpaceError>,
    ) -> Result<T, NodeError> {
        self.now = now;
        let done = act(self.spaces.home_mut().ok_or_else(no_space)?, &mut self.files)?;
        self.own_writes = true;
        self.settle();
        Ok(done)
    }
}
