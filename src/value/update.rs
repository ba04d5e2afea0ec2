//! Which of two values stands.

use super::{SignedValue, ValueError};
use crate::codec::MAX_SAFE;

/// How a value relates to another of the same place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Precedence {
    /// Higher sequence, or same sequence with other bytes and the higher hash.
    Wins,
    /// Same sequence, same bytes.
    Same,
    /// Lower sequence, or same sequence with other bytes and the lower hash.
    Loses,
}

/// What taking a value came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Update {
    /// Whether it replaces the held one.
    pub precedence: Precedence,
    /// Both have the same sequence and other bytes: the owner signed two. To be reported.
    pub equivocation: bool,
}

impl SignedValue {
    /// Compares with another of the same place; says nothing of signatures.
    pub fn compare(&self, held: &Self) -> Result<Update, ValueError> {
        if !self.same_place(held) {
            return Err(ValueError::Other { what: "owner or salt" });
        }
        let equivocation = self.seq() == held.seq() && self.value() != held.value();
        let order = self.seq().cmp(&held.seq()).then_with(|| match equivocation {
            // Other bytes have another hash.
            true => self.hash().cmp(&held.hash()),
            false => core::cmp::Ordering::Equal,
        });
        let precedence = match order {
            core::cmp::Ordering::Greater => Precedence::Wins,
            core::cmp::Ordering::Equal => Precedence::Same,
            core::cmp::Ordering::Less => Precedence::Loses,
        };
        Ok(Update { precedence, equivocation })
    }

    /// Whether this value, which is verified here, replaces what is held.
    ///
    /// `swap` is the sequence the caller believes to be held (0: none); another one is [`ValueError::Swap`].
    pub fn replaces(&self, held: Option<&Self>, swap: Option<u64>) -> Result<Update, ValueError> {
        let got = held.map_or(0, Self::seq);
        if let Some(expected) = swap.filter(|expected| *expected != got) {
            return Err(ValueError::Swap { expected, got });
        }
        self.verify()?;
        match held {
            Some(held) => self.compare(held),
            None => Ok(Update { precedence: Precedence::Wins, equivocation: false }),
        }
    }
}

/// The sequence of the next value after the one that is held: one more, 1 for the first.
pub fn next_seq(held: Option<&SignedValue>) -> Result<u64, ValueError> {
    let next = held.map_or(0, SignedValue::seq).saturating_add(1);
    if next > MAX_SAFE {
        return Err(ValueError::TooLarge { what: "sequence", max: MAX_SAFE, got: next });
    }
    Ok(next)
}
