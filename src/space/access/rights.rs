//! Grants and cuts in a past: who holds what, who may grant or cut, which right grants are dead.

use super::{
    Access,
    acts::{Act, Id},
};
use crate::collections::{Map, Set};
use crate::space::{Grant, PersonId, Role};

/// Every grant that was right when made and every effective device cut, of all judged entries.
#[derive(Default)]
pub(super) struct Rights {
    /// Root grants by key: they lie in every past.
    pub(super) root: Map<Id, Vec<(PersonId, Role)>>,
    /// Right grants by the granted key.
    pub(super) granted: Map<Id, Vec<RightGrant>>,
    /// Effective cuts by (target, author): (index of the entry, lowest cut up to there), ascending.
    pub(super) cuts: Map<(Id, Id), Vec<(u64, u64)>>,
    /// Keys that may have made right grants at or past a cut of theirs. May hold too many.
    pub(super) overhang: Set<Id>,
    /// Entries that hide or unhide.
    pub(super) hiders: Set<(Id, u64)>,
}

/// A grant that was right when made.
#[derive(Clone, Copy)]
pub(super) struct RightGrant {
    pub(super) author: Id,
    pub(super) index: u64,
    /// Place among the entry's acts.
    pub(super) act: usize,
    pub(super) person: PersonId,
    pub(super) role: Role,
}

/// Names a grant: author, index, place among the acts.
pub(super) type GrantRef = (Id, u64, usize);

/// Right grants that do not count in a state.
pub(super) type Dead = Set<GrantRef>;

/// A set of entries closed under "in the past of".
#[derive(Clone, Copy)]
pub(super) enum Past {
    /// Of this entry.
    Of(Id, u64),
    /// Everything judged.
    All,
}

/// What a key holds by the grants that count in a state.
#[derive(Default)]
pub(super) struct Holding {
    pub(super) role: Option<Role>,
    pub(super) persons: Vec<PersonId>,
}

impl Rights {
    /// Some grant of the key was right when made.
    pub(super) fn is_granted(&self, key: Id) -> bool {
        self.root.contains_key(&key) || self.granted.contains_key(&key)
    }

    /// Every such key.
    pub(super) fn granted_keys(&self) -> impl Iterator<Item = Id> {
        let by_entries = self.granted.keys().filter(|key| !self.root.contains_key(key));
        self.root.keys().chain(by_entries).copied()
    }

    pub(super) fn right_grants(&self, key: Id) -> &[RightGrant] {
        self.granted.get(&key).map_or(&[], Vec::as_slice)
    }

    fn cuts_of(&self, target: Id) -> impl Iterator<Item = (Id, &Vec<(u64, u64)>)> {
        self.cuts.range((target, Id::MIN)..=(target, Id::MAX)).map(|((_, author), cuts)| (*author, cuts))
    }

    /// Lowest effective cut of a key at all.
    pub(super) fn lowest_cut(&self, target: Id) -> Option<u64> {
        self.cuts_of(target).filter_map(|(_, cuts)| cuts.last()).map(|(_, lowest)| *lowest).min()
    }
}

impl Holding {
    fn add(&mut self, person: PersonId, role: Role) {
        self.role = self.role.max(Some(role));
        if !self.persons.contains(&person) {
            self.persons.push(person);
        }
    }
}

impl Access {
    /// Length of a feed in a past.
    pub(super) fn length_in(&self, past: Past, writer: Id) -> u64 {
        match past {
            Past::All => u64::MAX,
            Past::Of(author, index) if author == writer => index,
            Past::Of(author, index) => self.logs.get(author).other_at(writer, index),
        }
    }

    /// Lowest effective device cut of a key in a past.
    pub(super) fn cut_in(&self, past: Past, target: Id) -> Option<u64> {
        let lowest = |(author, cuts): (Id, &Vec<(u64, u64)>)| {
            let length = self.length_in(past, author);
            let after = cuts.partition_point(|(index, _)| *index < length);
            cuts.get(after.checked_sub(1)?).map(|(_, lowest)| *lowest)
        };
        self.rights.cuts_of(target).filter_map(lowest).min()
    }

    /// What a key holds by the grants in a past, the dead ones of a state taken out.
    pub(super) fn holding(&self, key: Id, past: Past, dead: &Dead) -> Holding {
        let mut holding = Holding::default();
        for (person, role) in self.rights.root.get(&key).into_iter().flatten() {
            holding.add(*person, *role);
        }
        for grant in self.rights.right_grants(key) {
            if grant.index < self.length_in(past, grant.author)
                && !dead.contains(&(grant.author, grant.index, grant.act))
            {
                holding.add(grant.person, grant.role);
            }
        }
        holding
    }

    /// Whether an author that holds `mine` may make this grant in an entry with that past.
    pub(super) fn may_grant(&self, mine: &Holding, key: Id, grant: &Grant, past: Past, dead: &Dead) -> bool {
        let Some(role) = mine.role else { return false };
        if grant.role > role {
            return false;
        }
        mine.persons.contains(&grant.person)
            || role == Role::Admin
                && (self.holding(key, past, dead).persons.contains(&grant.person)
                    || grant.person == PersonId::founded_by(&self.logs.get(key).key))
    }

    /// Right grants within a past that do not count in its state.
    pub(super) fn dead_in(&self, past: Past) -> Dead {
        let (mut dead, mut queue) = (Dead::new(), Set::new());
        let order = |author: Id, index: u64| (self.logs.get(author).order(index), author);
        for author in &self.rights.overhang {
            let Some(cut) = self.cut_in(past, *author) else { continue };
            let granted = &self.logs.get(*author).granted;
            let length = self.length_in(past, *author);
            let from = granted.partition_point(|(index, _)| *index < cut);
            for (index, act) in granted.iter().skip(from).take_while(|(index, _)| *index < length) {
                queue.insert((order(*author, *index), *index, *act));
            }
        }
        // A grant rests on grants of lower order only, so each is settled when it is taken out.
        while let Some(((_, author), index, act)) = queue.pop_first() {
            let Some((key, grant)) = self.grant_act(author, index, act) else { continue };
            let here = Past::Of(author, index);
            if self.cut_in(past, author).is_none_or(|cut| index < cut) {
                let mine = self.holding(author, here, &dead);
                if self.may_grant(&mine, key, grant, here, &dead) {
                    continue;
                }
            }
            if !dead.insert((author, index, act)) {
                continue;
            }
            let by_it = self.logs.get(key).granted.iter().map(|(index, act)| (key, *index, *act));
            let of_it =
                self.rights.right_grants(key).iter().map(|grant| (grant.author, grant.index, grant.act));
            for (next, at, act) in by_it.chain(of_it) {
                if at < self.length_in(past, next) && index < self.length_in(Past::Of(next, at), author) {
                    queue.insert((order(next, at), at, act));
                }
            }
        }
        dead
    }

    /// The grant at a place of an entry's acts.
    pub(super) fn grant_act(&self, author: Id, index: u64, act: usize) -> Option<(Id, &Grant)> {
        match self.logs.get(author).fact_at(index)?.acts.get(act)? {
            Act::Grant { key, grant } => Some((*key, grant)),
            _ => None,
        }
    }
}

/// Whether `me`, holding `mine`, may cut, hide or unhide `target`, which holds `theirs`.
pub(super) fn may_cut(me: Id, mine: &Holding, target: Id, theirs: &Holding) -> bool {
    theirs.role.is_some()
        && (me == target
            || mine.role == Some(Role::Admin)
            || (theirs.role <= mine.role
                && theirs.persons.iter().all(|person| mine.persons.contains(person))))
}
