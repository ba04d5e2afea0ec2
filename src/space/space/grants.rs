//! Who let whom in, and who cut whom: what a page shows of a device that was removed, and who goes with it if all that it let in goes.

use super::Space;
use crate::{
    collections::{Map, Set, sort_by},
    crypto::PublicKey,
    space::{CutState, CutVerdict, GrantSource, PersonId, Role, WriterStanding},
};

/// A grant that counts, made by an entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GrantInfo {
    /// The key that it lets in.
    pub writer: PublicKey,
    /// Whose key it is.
    pub person: PersonId,
    /// What it may do.
    pub role: Role,
    /// Index of the entry in its author's feed.
    pub index: u64,
    /// Wall time of that entry by its author's clock, ms since 1970.
    pub time: Option<u64>,
}

impl Space {
    /// The grants of a writer that count, in the order it made them. Those that it made before it was cut stand, and somebody should look at them.
    pub fn grants_by(&self, author: &PublicKey) -> Vec<GrantInfo> {
        let mut made = Vec::new();
        for grant in self.access.grants() {
            let GrantSource::Entry { writer, index, .. } = grant.source else { continue };
            if writer == *author {
                let (writer, person, role) = (grant.writer, grant.person, grant.role);
                made.push(GrantInfo { writer, person, role, index, time: self.grant_time(author, index) });
            }
        }
        sort_by(&mut made, |a, b| (a.index, a.writer).cmp(&(b.index, b.writer)));
        made
    }

    /// The cuts of a writer by devices that take effect, also of one that the root closed.
    pub fn cuts_of(&self, writer: &PublicKey) -> Vec<CutState> {
        let mut cuts = self.access.cuts();
        cuts.retain(|cut| cut.target == *writer && cut.verdict == CutVerdict::Effective);
        cuts
    }

    /// All that only a writer let in, transitively, ascending by key: those with a counted grant who do not stand without
    /// it. A key stands if the root granted it, or a key that stands granted it, whichever was first; this device stands in
    /// any case, and so do those that it granted. Keys that the root has closed already are left out.
    ///
    /// Whom they let in without anybody here having heard of it is not among them.
    pub fn descendants(&self, writer: &PublicKey) -> Vec<PublicKey> {
        let (mut granted, mut todo) = (Set::new(), Vec::new());
        let mut by_author: Map<PublicKey, Vec<PublicKey>> = Map::new();
        for grant in self.access.grants() {
            granted.insert(grant.writer);
            match grant.source {
                GrantSource::Root { .. } => todo.push(grant.writer),
                GrantSource::Entry { writer: author, .. } => {
                    by_author.entry(author).or_default().push(grant.writer);
                }
            }
        }
        todo.extend(self.writer());
        let mut stands = Set::from([*writer]);
        while let Some(key) = todo.pop() {
            if stands.insert(key) {
                todo.extend(by_author.get(&key).into_iter().flatten());
            }
        }
        let closed = |key: &PublicKey| {
            self.access.writer(key).is_none_or(|state| state.standing == WriterStanding::RootCut)
        };
        granted.iter().filter(|key| !stands.contains(*key) && !closed(key)).copied().collect()
    }

    /// Wall time of an entry with a grant; `None` if it is not here.
    pub(super) fn grant_time(&self, author: &PublicKey, index: u64) -> Option<u64> {
        let times = &self.tails.get(author)?.grants;
        let at = times.partition_point(|(at, _)| *at < index);
        times.get(at).filter(|(at, _)| *at == index).map(|(_, time)| *time)
    }
}
