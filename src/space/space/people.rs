//! The people of a space: writers by the person whose they are.

use super::Space;
use crate::{
    collections::Map,
    crypto::PublicKey,
    space::{PersonId, Role, WriterStanding},
};

/// A person and its devices here.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Member {
    /// Who.
    pub person: PersonId,
    /// Highest role of its devices that can write; `None` if none can.
    pub role: Option<Role>,
    /// Its devices, ascending; removed ones too.
    pub writers: Vec<PublicKey>,
    /// Whether this device is one of them.
    pub mine: bool,
}

impl Space {
    /// Everybody who was ever let in, ascending by person. A key that was granted under two persons' ids is with both.
    pub fn members(&self) -> Vec<Member> {
        let me = self.writer();
        let mut members: Map<PersonId, Member> = Map::new();
        for state in self.access.writers() {
            for person in state.persons {
                let nobody = || Member { person, role: None, writers: Vec::new(), mine: false };
                let member = members.entry(person).or_insert_with(nobody);
                member.writers.push(state.key);
                member.mine |= me == Some(state.key);
                if state.standing == WriterStanding::Active {
                    member.role = member.role.max(state.role);
                }
            }
        }
        members.into_values().collect()
    }
}
