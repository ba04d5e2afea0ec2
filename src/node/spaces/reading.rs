//! What a page reads: values, devices, requests, peers, hubs.

use crate::node::{
    Found, Node, NodeError, Present, RequestInfo, State, accounts::approving::no_space,
    accounts::drafts::Draft, spaces::Joined, spaces::memberships::Membership,
};
use crate::{
    collections::sort_by,
    crypto::PublicKey,
    mesh::HubInfo,
    space::{Clock, Item, Range, Space, Version, Why, WriterInfo},
};

impl Node {
    /// The space of this domain.
    pub fn home(&self) -> Option<PublicKey> {
        self.spaces.home().filter(|_| self.state() != State::Uninitialised).map(Space::key)
    }

    /// The value under a key of a space (the domain's if none is named), with the conflicts; drafts first.
    pub fn get(&self, space: Option<PublicKey>, key: &str) -> Result<Option<Found>, NodeError> {
        let joined = self.joined(space)?;
        let draft = self
            .drafts_of(&joined.space)
            .iter()
            .rev()
            .flat_map(|draft| self.draft_items(draft))
            .find(|found| found.item.key == key);
        if let Some(found) = draft {
            return Ok(found.item.value.is_some().then_some(found));
        }
        Ok(joined.space.get(&self.files, key)?.map(|item| self.found_item(joined, item)))
    }

    /// The values of a range of keys; drafts among them.
    pub fn list(&self, space: Option<PublicKey>, range: &Range) -> Result<Vec<Found>, NodeError> {
        let joined = self.joined(space)?;
        let drafts = self.drafts_of(&joined.space).iter().flat_map(|draft| self.draft_items(draft));
        let drafts: Vec<_> = drafts.filter(|draft| range.contains(&draft.item.key)).collect();
        // Each may take the place of one that is found, and a page that is short says that nothing follows.
        let limit = range.limit.map(|limit| limit.saturating_add(drafts.len()));
        let mut found =
            self.found_items(joined, joined.space.list(&self.files, &Range { limit, ..range.clone() })?);
        if !drafts.is_empty() {
            for draft in drafts {
                found.retain(|other| other.item.key != draft.item.key);
                if draft.item.value.is_some() {
                    found.push(draft);
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

    /// The value under a key as of a clock (and of all that is in its past), under today's cuts.
    pub fn get_at(
        &self,
        space: Option<PublicKey>,
        clock: &Clock,
        key: &str,
    ) -> Result<Option<Found>, NodeError> {
        let joined = self.joined(space)?;
        let item = joined.space.get_at(&self.files, clock, key)?;
        Ok(item.map(|item| self.found_item(joined, item)))
    }

    /// The values of a range of keys as of a clock.
    pub fn list_at(
        &self,
        space: Option<PublicKey>,
        clock: &Clock,
        range: &Range,
    ) -> Result<Vec<Found>, NodeError> {
        let joined = self.joined(space)?;
        Ok(self.found_items(joined, joined.space.list_at(&self.files, clock, range)?))
    }

    /// Every operation that counts, of one key or of all, in order; those after `after`, at most `limit`.
    pub fn history(
        &self,
        space: Option<PublicKey>,
        key: Option<&str>,
        after: Option<&Version>,
        limit: Option<usize>,
    ) -> Result<Vec<Found>, NodeError> {
        let joined = self.joined(space)?;
        Ok(self.found_items(joined, joined.space.history(&self.files, key, after, limit)?))
    }

    /// What was taken away by a cut, a fork or a hide, of one writer or of all: those after `after`, at most `limit`.
    pub fn quarantine(
        &self,
        space: Option<PublicKey>,
        writer: Option<&PublicKey>,
        after: Option<&Version>,
        limit: Option<usize>,
    ) -> Result<Vec<(Found, Why)>, NodeError> {
        let joined = self.joined(space)?;
        let taken = joined.space.quarantine(&self.files, writer, after, limit)?;
        Ok(taken.into_iter().map(|taken| (self.found_item(joined, taken.item), taken.why)).collect())
    }

    /// What stands on other branches of forked feeds than the ones held.
    pub fn other_branches(&self, space: Option<PublicKey>) -> Result<Vec<(Found, Why)>, NodeError> {
        let joined = self.joined(space)?;
        let taken = joined.space.other_branches(&self.files)?;
        Ok(taken.into_iter().map(|taken| (self.found_item(joined, taken.item), taken.why)).collect())
    }

    /// Requests that wait for this person's decision, in order of arrival.
    pub fn requests(&self) -> Vec<RequestInfo> {
        let suspect = self.spaces.home().is_some_and(Space::is_known_to_removed);
        self.requests.list(self.now, suspect)
    }

    /// Hubs, as they were given.
    pub fn hubs(&self) -> Vec<HubInfo> {
        self.mesh.hubs()
    }

    /// How far each writer's feed of a space is held.
    pub fn clock(&self, space: Option<PublicKey>) -> Clock {
        self.joined(space).map(|joined| joined.space.clock()).unwrap_or_default()
    }

    /// The devices of a space.
    pub fn writers(&self, space: Option<PublicKey>) -> Vec<WriterInfo> {
        self.joined(space).map(|joined| joined.space.writers()).unwrap_or_default()
    }

    /// The spaces of this node: the domain's first.
    pub fn spaces(&self) -> Vec<SpaceView<'_>> {
        let home = self.home();
        let gone =
            |key: &PublicKey| self.memberships.list.iter().any(|other| other.space == *key && other.leaving);
        let others = self.spaces.keys().into_iter();
        let others = others.filter(|key| Some(*key) != self.spaces.home_key() && !gone(key));
        let view = |key: PublicKey| {
            let space = &self.spaces.get(&key)?.space;
            let writable = match Some(key) == home {
                true => matches!(self.state(), State::Writer | State::Requesting),
                false => space.is_writable(),
            };
            let asking = |membership: &Membership| membership.space == key && !membership.request.is_empty();
            Some(SpaceView {
                space,
                title: self.spaces.get(&key)?.title(&self.files),
                writable,
                asking: self.memberships.list.iter().any(asking),
                level: self.is_level(&key),
                presence: self.presence(Some(key)),
            })
        };
        home.into_iter().chain(others).filter_map(view).collect()
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
        self.secrets.as_ref().map(crate::node::secrets::Secrets::remembered)
    }

    /// Another key that the host named, where one was pinned before.
    pub const fn other_key(&self) -> Option<PublicKey> {
        self.account.other
    }

    /// A space that is read here; the domain's if none is named.
    pub(in crate::node) fn joined(&self, space: Option<PublicKey>) -> Result<&Joined, NodeError> {
        match space {
            Some(key) => self.spaces.get(&key).ok_or_else(|| not_here(&key)),
            None => self.spaces.home_key().and_then(|key| self.spaces.get(&key)).ok_or_else(no_space),
        }
    }

    /// Drafts are of the domain's space only: whoever waits there writes nowhere.
    fn drafts_of(&self, space: &Space) -> &[Draft] {
        if self.spaces.home_key() == Some(space.key()) { &self.drafts } else { &[] }
    }

    pub(in crate::node) fn found_items(&self, joined: &Joined, items: Vec<Item>) -> Vec<Found> {
        items.into_iter().map(|item| self.found_item(joined, item)).collect()
    }

    pub(in crate::node) fn found_item(&self, joined: &Joined, item: Item) -> Found {
        let mine = match joined.space.writer() {
            Some(own) => own == item.writer,
            None => self.own_writer() == Some(item.writer),
        };
        let own = if mine { self.device_name().map(str::to_owned) } else { None };
        let device = own.or_else(|| joined.names.get(&item.writer).cloned());
        Found { mine, device, item, draft: false }
    }
}

/// A space as a page sees it.
pub struct SpaceView<'a> {
    /// What is read of it.
    pub space: &'a Space,
    /// What its admins call it.
    pub title: Option<String>,
    /// Whether this device writes to it, or drafts for it.
    pub writable: bool,
    /// Whether it asks, with an invite, to be let in.
    pub asking: bool,
    /// Whether nothing that a connected peer has of it is missing.
    pub level: bool,
    /// Who else is here.
    pub presence: Vec<Present>,
}

pub(in crate::node) fn not_here(space: &PublicKey) -> NodeError {
    NodeError::bad_input(format!(
        "the space hypha://{space} is not among those of this browser; join it first"
    ))
}
