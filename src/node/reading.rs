//! What a page reads: values, devices, requests, peers, hubs.

use super::{Found, Node, NodeError, RequestInfo, State, approving::no_space};
use crate::{
    collections::sort_by,
    crypto::PublicKey,
    mesh::HubInfo,
    space::{Clock, Item, Range, Space},
};

impl Node {
    /// The space of this domain.
    pub fn home(&self) -> Option<PublicKey> {
        self.home.as_ref().filter(|_| self.state() != State::Uninitialised).map(Space::key)
    }

    /// The value under a key, with the conflicts; drafts first.
    pub fn get(&self, key: &str) -> Result<Option<Found>, NodeError> {
        let home = self.home.as_ref().ok_or_else(no_space)?;
        let draft = self
            .drafts
            .iter()
            .rev()
            .flat_map(|draft| self.draft_items(draft))
            .find(|found| found.item.key == key);
        if let Some(found) = draft {
            return Ok(found.item.value.is_some().then_some(found));
        }
        Ok(home.get(&self.files, key)?.map(|item| self.found_item(item)))
    }

    /// The values of a range of keys; drafts among them.
    pub fn list(&self, range: &Range) -> Result<Vec<Found>, NodeError> {
        let home = self.home.as_ref().ok_or_else(no_space)?;
        let mut found: Vec<Found> =
            home.list(&self.files, range)?.into_iter().map(|item| self.found_item(item)).collect();
        if !self.drafts.is_empty() {
            for draft in self.drafts.iter().flat_map(|draft| self.draft_items(draft)) {
                if range.contains(&draft.item.key) {
                    found.retain(|other| other.item.key != draft.item.key);
                    if draft.item.value.is_some() {
                        found.push(draft);
                    }
                }
            }
            sort_by(&mut found, |a, b| a.item.key.cmp(&b.item.key));
            if range.reverse {
                found.reverse();
            }
            found.truncate(range.limit.unwrap_or(usize::MAX));
        }
        Ok(found)
    }

    /// Requests that wait for this person's decision, in order of arrival.
    pub fn requests(&self) -> Vec<RequestInfo> {
        let suspect = self.home.as_ref().is_some_and(Space::is_known_to_removed);
        self.requests.list(self.now, suspect)
    }

    /// Hubs, as they were given.
    pub fn hubs(&self) -> Vec<HubInfo> {
        self.mesh.hubs()
    }

    /// How far each writer's feed is held.
    pub fn clock(&self) -> Clock {
        self.home.as_ref().map(|home| home.clock()).unwrap_or_default()
    }

    /// The key of this device, if it has one.
    pub fn own_writer(&self) -> Option<PublicKey> {
        self.device().map(|device| device.writer)
    }

    /// The name of this device, if it has one.
    pub fn device_name(&self) -> Option<&str> {
        self.device().map(|device| device.name.as_str())
    }

    /// Keys of the unlocked node, for the memory of the other tabs that share it: what [`Node::open`] takes.
    pub fn session_keys(&self) -> Option<zeroize::Zeroizing<Vec<u8>>> {
        self.secrets.as_ref().map(super::node::Secrets::remembered)
    }

    /// Another key that the host named, where one was pinned before.
    pub const fn other_key(&self) -> Option<PublicKey> {
        self.account.other
    }

    /// Name of a device, where it is known and may be read.
    pub(super) fn found_item(&self, item: Item) -> Found {
        let own = self.device().filter(|device| device.writer == item.writer);
        let device = own.map(|device| device.name.clone()).or_else(|| self.names.get(&item.writer).cloned());
        Found { mine: own.is_some(), device, item, draft: false }
    }
}
