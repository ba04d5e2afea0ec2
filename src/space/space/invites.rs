//! Inviting, and letting in who comes with an invite. What an invite is: `invite.rs`.
//!
//! Rights do not know of invites: a grant that cites one is judged like any other. Whether to make that grant is the
//! accepting node's decision, by what it knows. Of all announcements of a key in counted entries of admins the last one
//! holds, and only while its author is there: one of a removed device lets in nobody, and takes no other's place back.

use super::{DeviceGrant, Space, author::Draft, trees::Judge};
use crate::{
    codec::MAX_SAFE,
    collections::{Map, Set, sort_by},
    crypto::{Entropy, PublicKey},
    space::{
        AccessOp, Citation, GrantSource, Invite, InviteFault, InviteLink, PersonId, Role, SpaceError, Status,
        view::Causality,
    },
    storage::Files,
};

/// An invite that an admin has announced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InviteInfo {
    /// Public half of its key.
    pub key: PublicKey,
    /// What those who come by it may do.
    pub role: Role,
    /// How many it lets in; 0: any number.
    pub uses: u64,
    /// How many came by it, as far as is known here.
    pub used: u64,
    /// From when on it lets in nobody, ms since 1970; 0: never.
    pub expires: u64,
    /// The device that announced it.
    pub author: PublicKey,
}

/// Invites in entries, whether they count or not: writer number, index.
pub(super) type Announced = Map<(u32, u64), Vec<Invite>>;

impl Space {
    /// Announces a new invite and returns it. Only an admin may: others are [`SpaceError::NotAuthorised`]. `uses` 0: any
    /// number; `expires` in ms since 1970, 0: never.
    pub fn invite(
        &mut self,
        files: &mut Files,
        now: u64,
        entropy: &mut dyn Entropy,
        role: Role,
        uses: u64,
        expires: u64,
    ) -> Result<InviteLink, SpaceError> {
        let link = InviteLink::generate(self.key, entropy);
        let (uses, expires) = (uses.min(MAX_SAFE), expires.min(MAX_SAFE));
        self.announce(files, now, entropy, Invite { key: link.key(), role, uses, expires })?;
        Ok(link)
    }

    /// Takes an invite back, by announcing it as expired. [`SpaceError::Invite`] if none of this key is known.
    pub fn revoke_invite(
        &mut self,
        files: &mut Files,
        now: u64,
        entropy: &mut dyn Entropy,
        invite: PublicKey,
    ) -> Result<(), SpaceError> {
        let unknown = SpaceError::Invite { invite, fault: InviteFault::Unknown };
        let (_, known) = self.last_announced().remove(&invite).ok_or(unknown)?;
        if known.expires == Invite::TAKEN_BACK {
            return Ok(());
        }
        self.announce(files, now, entropy, Invite { expires: Invite::TAKEN_BACK, ..known })
    }

    /// Invites of admins that are still there, ascending by key; expired and used-up ones too, but none that was taken
    /// back.
    pub fn invites(&self) -> Vec<InviteInfo> {
        let (mut infos, counted) = (Vec::new(), self.counted_uses());
        for (key, (author, invite)) in self.last_announced().iter() {
            if self.is_active(author) && invite.expires != Invite::TAKEN_BACK {
                let Invite { role, uses, expires, .. } = *invite;
                let used = used(&counted, key);
                infos.push(InviteInfo { key: *key, role, uses, used, expires, author: *author });
            }
        }
        infos
    }

    /// Lets in who comes with an invite: grants the writer as a new person with the invite's role, and seals the content
    /// keys to it. Nothing is done if it has that role already. [`SpaceError::Invite`] says why an invite does not do,
    /// [`SpaceError::NotAuthorised`] that this device may not let others in, or that the writer was removed before.
    pub fn accept_invite(
        &mut self,
        files: &mut Files,
        now: u64,
        entropy: &mut dyn Entropy,
        joiner: &DeviceGrant,
        citation: &Citation,
    ) -> Result<(), SpaceError> {
        self.admin()?;
        let fault = |fault| SpaceError::Invite { invite: citation.invite, fault };
        citation.verify(&self.key, &joiner.writer).map_err(|_| fault(InviteFault::Signature))?;
        let last = self.last_announced();
        let (_, invite) = last
            .get(&citation.invite)
            .filter(|(author, _)| self.is_active(author))
            .ok_or(fault(InviteFault::Unknown))?;
        if self.is_admitted(&joiner.writer, invite.role)? {
            return Ok(());
        }
        if invite.is_expired(now) {
            return Err(fault(InviteFault::Expired));
        }
        if invite.uses > 0 && used(&self.counted_uses(), &invite.key) >= invite.uses {
            return Err(fault(InviteFault::Used));
        }
        // Who is known already and is raised stays the same person.
        let known = self.access.writer(&joiner.writer).and_then(|state| state.persons.first().copied());
        let person = known.unwrap_or_else(|| PersonId::founded_by(&joiner.writer));
        self.admit(files, now, entropy, joiner, person, invite.role, Some(*citation), false)
    }

    /// Notes the invites of an entry that is given; those of another branch at its place go.
    pub(super) fn note_invites(&mut self, writer: &PublicKey, index: u64, access: &[AccessOp]) {
        let invite = |op: &AccessOp| if let AccessOp::Invite(invite) = op { Some(*invite) } else { None };
        let invites: Vec<Invite> = access.iter().filter_map(invite).collect();
        if self.invites.is_empty() && invites.is_empty() {
            return;
        }
        let at = (self.numbers.number(writer), index);
        if invites.is_empty() {
            self.invites.remove(&at);
        } else {
            self.invites.insert(at, invites);
        }
    }

    fn announce(
        &mut self,
        files: &mut Files,
        now: u64,
        entropy: &mut dyn Entropy,
        invite: Invite,
    ) -> Result<(), SpaceError> {
        self.admin()?;
        self.append(files, now, entropy, vec![Draft::access(vec![AccessOp::Invite(invite)])])?;
        Ok(())
    }

    /// Fails unless this device may let other persons in.
    pub(super) fn admin(&self) -> Result<PublicKey, SpaceError> {
        let writer = self.author()?;
        match self.role(&writer) {
            Some(Role::Admin) => Ok(writer),
            _ => Err(SpaceError::NotAuthorised { writer, why: "it is not an admin" }),
        }
    }

    /// The last announcement of each key by (order, author's key, place), and its author.
    fn last_announced(&self) -> Map<PublicKey, (PublicKey, Invite)> {
        let judge = Judge { access: &self.access, numbers: &self.numbers };
        let mut ranked = Vec::new();
        for ((number, index), invites) in self.invites.iter() {
            let author = self.numbers.key(*number);
            let counts =
                matches!(self.access.status(&author, *index), Some(Status::Counted | Status::Hidden));
            if counts && self.role(&author) == Some(Role::Admin) {
                let rank = judge.rank(*number, *index);
                ranked
                    .extend(invites.iter().enumerate().map(|(place, invite)| (rank, place, author, *invite)));
            }
        }
        sort_by(&mut ranked, |a, b| (a.0, a.1).cmp(&(b.0, b.1)));
        ranked.into_iter().map(|(.., author, invite)| (invite.key, (author, invite))).collect()
    }

    /// By invite: writers that an admin let in by it. What others cite says nothing, or they could use it up.
    fn counted_uses(&self) -> Map<PublicKey, Set<PublicKey>> {
        let mut writers: Map<PublicKey, Set<PublicKey>> = Map::new();
        for grant in self.access.grants() {
            let (GrantSource::Entry { writer: author, .. }, Some(cited)) = (grant.source, grant.invite)
            else {
                continue;
            };
            if self.role(&author) == Some(Role::Admin) {
                writers.entry(cited.invite).or_default().insert(grant.writer);
            }
        }
        writers
    }
}

/// How many writers were let in by an invite.
fn used(counted: &Map<PublicKey, Set<PublicKey>>, invite: &PublicKey) -> u64 {
    counted.get(invite).map_or(0, |writers| u64::try_from(writers.len()).unwrap_or(u64::MAX))
}
