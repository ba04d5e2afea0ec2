//! Which space this domain is, and through which hubs its peers are found.

use crate::node::{ErrorCode, Event, Lookup, Node, NodeError, WellKnown, accounts::lookup::MISSING_TTL_MS};
use crate::{crypto::PublicKey, mesh::HubUrl};

impl Node {
    /// The host has answered.
    pub(in crate::node) fn looked_up(&mut self, answer: Lookup) {
        if let Err(error) = self.take_answer(answer) {
            self.event(Event::Failed(error));
        }
        self.save_account();
        self.tell_state();
    }

    fn take_answer(&mut self, answer: Lookup) -> Result<(), NodeError> {
        match answer {
            Lookup::Missing => self.account.asked = Some((self.now, MISSING_TTL_MS)),
            Lookup::Failed(reason) => {
                let domain = &self.options.domain;
                return Err(NodeError::new(
                    ErrorCode::BadLink,
                    format!(
                        "could not ask {domain} which space it names ({reason}); what is on this device works all the same"
                    ),
                ));
            }
            Lookup::Found(text) => {
                let WellKnown { key, ttl_ms } = WellKnown::parse(&text)?;
                self.account.asked = Some((self.now, ttl_ms));
                match self.account.pinned {
                    // A set-up under way has its own key; the host's is another.
                    None if self.beginning.is_none() => {
                        self.account.pinned = Some(key);
                        self.open_home(key)?;
                    }
                    Some(pinned) if pinned == key => self.account.other = None,
                    _ => {
                        self.account.other = Some(key);
                        return Err(self.pinned_error());
                    }
                }
            }
        }
        Ok(())
    }

    /// The person says which space this domain is.
    pub(in crate::node) fn pin(&mut self, key: PublicKey) -> Result<(), NodeError> {
        if self.account.pinned == Some(key) {
            self.account.other = None;
            self.save_account();
            return Ok(());
        }
        if self.account.device.is_some() {
            return Err(NodeError::new(
                ErrorCode::Pinned,
                "this device is signed in to the space that was here before; sign out first",
            ));
        }
        if let Some(old) = self.spaces.home_key() {
            self.close_space(&old);
        }
        self.account.pinned = Some(key);
        self.account.other = None;
        self.open_home(key)?;
        self.save_account();
        self.tell_state();
        self.event(Event::Changed { space: key, keys: Vec::new() });
        Ok(())
    }

    pub(in crate::node) fn pinned_error(&self) -> NodeError {
        let show = |key: Option<PublicKey>| key.map(|key| format!("hypha://{key}")).unwrap_or_default();
        NodeError::new(
            ErrorCode::Pinned,
            format!(
                "{} now names {}, but on this device it was {} before; the old one is kept until you decide",
                self.options.domain,
                show(self.account.other),
                show(self.account.pinned)
            ),
        )
    }

    pub(in crate::node) fn add_hub(&mut self, url: &str) -> Result<(), NodeError> {
        let failed =
            |error: &dyn core::fmt::Display| NodeError::new(ErrorCode::Hub, format!("{url}: {error}"));
        let parsed = HubUrl::parse(url).map_err(|error| failed(&error))?;
        self.mesh.add_hub(parsed, self.now, self.entropy.as_mut()).map(|_| ()).map_err(|error| failed(&error))
    }

    pub(in crate::node) fn remove_hub(&mut self, url: &str) -> Result<(), NodeError> {
        let hub = self.mesh.hubs().into_iter().find(|hub| hub.url == url).map(|hub| hub.hub);
        let hub = hub
            .ok_or_else(|| NodeError::new(ErrorCode::Hub, format!("{url} is not one of this node's hubs")))?;
        self.mesh.remove_hub(hub).map_err(|error| NodeError::new(ErrorCode::Hub, error))?;
        self.event(Event::Hubs);
        Ok(())
    }
}
