//! The ephemeral channels of the spaces, plugged in: what the page sends and hears, what devices tell each other.

use crate::node::{
    Event, KnownHead, Node, NodeError, Present, Refused,
    accounts::{account::Stage, approving::no_space},
    links::ephemeral::{Ephemeral, Party, Told},
    spaces::Joined,
};
use crate::{
    codec::decode_value,
    crypto::{Entropy, PublicKey},
    sync::{Envelope, PeerId},
};

impl Node {
    /// Sends a value to whoever is there.
    pub(in crate::node) fn send_message(
        &mut self,
        space: PublicKey,
        data: Vec<u8>,
        to: Option<PublicKey>,
        private: Option<bool>,
    ) -> Result<(), NodeError> {
        check_value(&data)?;
        self.channel(space, |channel, party, _, _| channel.send(data, to, private, party))
            .ok_or_else(no_space)?
    }

    /// Says of this node who or what it is, until something else is said.
    pub(in crate::node) fn set_presence(
        &mut self,
        space: PublicKey,
        state: Option<Vec<u8>>,
    ) -> Result<(), NodeError> {
        state.as_deref().map_or(Ok(()), check_value)?;
        self.channel(space, |channel, party, _, now| channel.set_presence(state, party, now))
            .ok_or_else(no_space)?
    }

    /// Who else is here.
    pub fn presence(&self, space: Option<PublicKey>) -> Vec<Present> {
        self.joined(space).map(|joined| joined.channel.presence(self.now)).unwrap_or_default()
    }

    /// The longest head of a writer that another device told of.
    pub fn known_head(&self, space: Option<PublicKey>, writer: &PublicKey) -> Option<KnownHead> {
        self.joined(space).ok()?.channel.known_head(writer).copied()
    }

    /// Ephemeral messages that were shown to nobody.
    pub fn refused_messages(&self, space: Option<PublicKey>) -> Refused {
        self.joined(space).map(|joined| joined.channel.refused()).unwrap_or_default()
    }

    /// The page is about to close: others see at once that nobody is here any more.
    pub fn say_goodbye(&mut self, now: u64) {
        self.now = now;
        self.leave_channels();
        self.settle();
        self.checkpoint_now();
        self.settle();
        // The next opening reads pages, not what became them.
        self.chores.fold_at = None;
        self.compact();
    }

    /// Seals a sign-in message and sends it to every peer of the home.
    pub(in crate::node) fn send_sign_in_message(&mut self, plain: &[u8]) {
        if let Some(home) = self.spaces.home_key() {
            self.channel(home, |channel, party, entropy, now| {
                channel.send_sign_in(plain, party, entropy, now)
            });
        }
    }

    /// Sends a join request to the admins of a space.
    pub(in crate::node) fn send_join_request(&mut self, space: PublicKey, request: &[u8]) {
        self.channel(space, |channel, party, _, _| {
            let mut admins = party.space.active_admins();
            // One that is there is enough, and the request is sent again.
            admins.truncate(MAX_ASKED);
            // Refused only while too much waits.
            let _ = channel.send_join(request, &admins);
        });
    }

    /// An ephemeral message came.
    pub(in crate::node) fn envelope(&mut self, space: PublicKey, from: PeerId, envelope: &Envelope) {
        self.channel(space, |channel, party, _, now| channel.receive(from, envelope, party, now));
    }

    /// Says what is due.
    pub(in crate::node) fn pump_channels(&mut self) {
        for space in self.spaces.keys() {
            let clocks: Vec<_> = self.links.clocks(space).collect();
            self.channel(space, |channel, party, entropy, now| {
                clocks.into_iter().for_each(|(peer, offset)| channel.peer_clock(peer, offset));
                channel.pump(party, entropy, now);
            });
            if let Some(joined) = self.spaces.get_mut(&space) {
                joined.channel.save(&mut self.files, self.now);
                joined.channel.save_heads(&joined.space, &mut self.files);
            }
        }
    }

    /// The keys of this device go, or the page does.
    pub(in crate::node) fn leave_channels(&mut self) {
        for space in self.spaces.keys() {
            self.channel(space, |channel, party, entropy, now| channel.leave(party, entropy, now));
        }
    }

    /// Whether a device told of entries of a space that are not all here.
    pub(in crate::node) fn is_lacking(&self, space: &PublicKey) -> bool {
        self.spaces.get(space).is_some_and(|joined| joined.channel.is_lacking(&joined.space))
    }

    /// Does something with the channel of a space, and what follows from it.
    fn channel<T>(
        &mut self,
        space: PublicKey,
        act: impl FnOnce(&mut Ephemeral, &Party<'_>, &mut dyn Entropy, u64) -> T,
    ) -> Option<T> {
        let device = match self.device().map(|device| device.stage) {
            Some(Stage::Granted) if self.secrets.is_some() => self.spaces.home_key() == Some(space),
            Some(Stage::Granted | Stage::Locked) => true,
            _ => false,
        };
        let Joined { space: view, channel, .. } = self.spaces.get_mut(&space)?;
        let party = Party { space: view, files: &self.files, secrets: self.secrets.as_ref(), device };
        let done = act(channel, &party, self.entropy.as_mut(), self.now);
        while let Some(told) = self.spaces.get_mut(&space).and_then(|joined| joined.channel.poll()) {
            match told {
                Told::Send { envelope, but } => self.forward(space, &envelope, but),
                // Nobody signs in but to a home.
                Told::SignIn { plain, via } if self.spaces.home_key() == Some(space) => {
                    self.sign_in_message(via, &plain);
                }
                Told::SignIn { .. } => {}
                Told::Message(message) => self.event(Event::Message { space, message }),
                Told::Join { sender, payload } => self.join_requested(space, &sender, &payload),
                Told::Presence => self.event(Event::Presence(space)),
                Told::Heads => self.event(Event::Writers),
                Told::Forked { writer } => self.event(Event::Equivocation { space, writer }),
            }
        }
        Some(done)
    }
}

/// Most admins who are asked at a time to let somebody in.
const MAX_ASKED: usize = 8;

fn check_value(data: &[u8]) -> Result<(), NodeError> {
    decode_value(data).map(drop).map_err(NodeError::bad_input)
}
