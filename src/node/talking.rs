//! The ephemeral channel of the domain's space, plugged in: what the page sends and hears, what devices tell each other.

use super::{
    Event, KnownHead, Node, NodeError, Present, Refused,
    approving::no_space,
    ephemeral::{Party, Told},
};
use crate::{
    codec::decode_value,
    crypto::PublicKey,
    sync::{Envelope, PeerId},
};

impl Node {
    /// Sends a value to whoever is there.
    pub(super) fn send_message(
        &mut self,
        data: Vec<u8>,
        to: Option<PublicKey>,
        private: Option<bool>,
    ) -> Result<(), NodeError> {
        check_value(&data)?;
        let (Some(channel), Some(home)) = (&mut self.links.channel, &self.home) else {
            return Err(no_space());
        };
        channel.send(
            data,
            to,
            private,
            &Party { space: home, files: &self.files, secrets: self.secrets.as_ref() },
        )
    }

    /// Says of this node who or what it is, until something else is said.
    pub(super) fn set_presence(&mut self, state: Option<Vec<u8>>) -> Result<(), NodeError> {
        state.as_deref().map_or(Ok(()), check_value)?;
        self.links.channel.as_mut().ok_or_else(no_space)?.set_presence(state, self.now)
    }

    /// Who else is here.
    pub fn presence(&self) -> Vec<Present> {
        self.links.channel.as_ref().map(|channel| channel.presence(self.now)).unwrap_or_default()
    }

    /// The longest head of a writer that another device told of.
    pub fn known_head(&self, writer: &PublicKey) -> Option<KnownHead> {
        self.links.channel.as_ref()?.known_head(writer).copied()
    }

    /// Ephemeral messages that were shown to nobody.
    pub fn refused_messages(&self) -> Refused {
        self.links.channel.as_ref().map(|channel| channel.refused()).unwrap_or_default()
    }

    /// The page is about to close: others see at once that nobody is here any more.
    pub fn say_goodbye(&mut self, now: u64) {
        self.now = now;
        self.leave_channel();
        self.settle();
    }

    /// Seals a sign-in message and sends it to every peer of the space.
    pub(super) fn send_sign_in_message(&mut self, plain: &[u8]) {
        if let (Some(channel), Some(home)) = (&mut self.links.channel, &self.home) {
            let party = Party { space: home, files: &self.files, secrets: self.secrets.as_ref() };
            channel.send_sign_in(plain, &party, self.entropy.as_mut(), self.now);
        }
        self.do_told();
    }

    /// An ephemeral message came.
    pub(super) fn envelope(&mut self, from: PeerId, envelope: &Envelope) {
        if let (Some(channel), Some(home)) = (&mut self.links.channel, &self.home) {
            channel.receive(
                from,
                envelope,
                &Party { space: home, files: &self.files, secrets: self.secrets.as_ref() },
                self.now,
            );
        }
        self.do_told();
    }

    /// Says what is due.
    pub(super) fn pump_channel(&mut self) {
        let clocks = self.links.clocks();
        if let (Some(channel), Some(home)) = (&mut self.links.channel, &self.home) {
            clocks.into_iter().for_each(|(peer, offset)| channel.peer_clock(peer, offset));
            let party = Party { space: home, files: &self.files, secrets: self.secrets.as_ref() };
            channel.pump(&party, self.entropy.as_mut(), self.now);
            channel.save(&mut self.files, self.now);
        }
        self.do_told();
    }

    /// The keys of this device go, or the page does.
    pub(super) fn leave_channel(&mut self) {
        if let (Some(channel), Some(home)) = (&mut self.links.channel, &self.home) {
            let party = Party { space: home, files: &self.files, secrets: self.secrets.as_ref() };
            channel.leave(&party, self.entropy.as_mut(), self.now);
        }
        self.do_told();
    }

    /// A peer does not share the space any more.
    pub(super) fn channel_peer_gone(&mut self, peer: PeerId) {
        self.requests.peer_gone(peer);
        if let Some(channel) = &mut self.links.channel {
            channel.peer_gone(peer);
        }
    }

    /// Whether a device told of entries that are not all here.
    pub(super) fn is_lacking(&self) -> bool {
        let both = self.links.channel.as_ref().zip(self.home.as_ref());
        both.is_some_and(|(channel, home)| channel.is_lacking(home))
    }

    fn do_told(&mut self) {
        while let Some(told) = self.links.channel.as_mut().and_then(|channel| channel.poll()) {
            match told {
                Told::Send { envelope, but } => self.forward(&envelope, but),
                Told::SignIn { plain, from } => self.sign_in_message(from, &plain),
                Told::Message(message) => self.event(Event::Message(message)),
                // Nobody is let into a home space by an invite.
                Told::Join { .. } => {}
                Told::Presence => self.event(Event::Presence),
                Told::Heads => self.event(Event::Writers),
                Told::Forked { writer } => self.event(Event::Equivocation { writer }),
            }
        }
    }
}

fn check_value(data: &[u8]) -> Result<(), NodeError> {
    decode_value(data).map(drop).map_err(NodeError::bad_input)
}
