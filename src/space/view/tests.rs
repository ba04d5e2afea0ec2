use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// A naive history: each entry lists the entries in its past.
struct History {
    /// (writer, index, past)
    entries: Vec<(u32, u64, BTreeSet<(u32, u64)>)>,
}

impl History {
    /// `picks`: for each entry its writer, and how many of the entries so far it had seen of each writer.
    fn new(picks: &[(u32, Vec<prop::sample::Index>)]) -> Self {
        let mut history = Self { entries: Vec::new() };
        for (writer, seen) in picks {
            let index = history.entries.iter().filter(|(w, ..)| w == writer).count() as u64;
            let mut past = BTreeSet::new();
            let own = history.entries.iter().filter(|(w, i, _)| w == writer && i + 1 == index);
            let named = seen.iter().filter(|_| !history.entries.is_empty()).map(|s| s.get(&history.entries));
            for (w, i, p) in own.chain(named) {
                past.extend(p.iter().copied());
                past.insert((*w, *i));
            }
            // A past is downward closed per writer by itself: each entry has its predecessor.
            past.retain(|(w, i)| w != writer || *i < index);
            history.entries.push((*writer, index, past));
        }
        history
    }

    fn find(&self, writer: u32, index: u64) -> &BTreeSet<(u32, u64)> {
        &self.entries.iter().find(|(w, i, _)| (*w, *i) == (writer, index)).unwrap().2
    }

    /// Heads by the definition: operations in nobody's past, best first.
    fn heads(&self, counted: &BTreeSet<Place>) -> Vec<Place> {
        let seen = |a: &Place, b: &Place| {
            self.find(b.writer, b.index).contains(&(a.writer, a.index))
                || ((a.writer, a.index) == (b.writer, b.index) && a.op < b.op)
        };
        let mut heads: Vec<Place> =
            counted.iter().filter(|a| !counted.iter().any(|b| seen(a, b))).copied().collect();
        heads.sort_by_key(|p| core::cmp::Reverse((self.find(p.writer, p.index).len(), p.writer, p.op)));
        heads
    }
}

impl Causality for History {
    fn precedes(&self, entry: (u32, u64), other: (u32, u64)) -> bool {
        self.find(other.0, other.1).contains(&entry)
    }

    fn rank(&self, writer: u32, index: u64) -> (u64, [u8; 32]) {
        (self.find(writer, index).len() as u64, [writer as u8; 32])
    }
}

proptest! {
    #[test]
    fn heads_are_what_nobody_has_seen(
        picks in prop::collection::vec((0..4_u32, prop::collection::vec(any::<prop::sample::Index>(), 0..3)), 1..25),
        keys in prop::collection::vec((0..3_usize, any::<bool>(), any::<bool>()), 25),
        steps in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 1..60),
    ) {
        let history = History::new(&picks);
        let mut view = View::default();
        let mut counted = [BTreeSet::new(), BTreeSet::new(), BTreeSet::new()];
        for (at, remove) in steps {
            let at = at.index(history.entries.len());
            let (writer, index, _) = history.entries[at];
            let (key, private, delete) = keys[at];
            let name = key.to_string();
            view.remove(&name, writer, index, &history);
            counted[key].retain(|p: &Place| (p.writer, p.index) != (writer, index));
            if !remove {
                for op in 0..2 {
                    let place = Place { writer, index, op, private, delete };
                    view.insert(&name, place, &history);
                    counted[key].insert(place);
                }
            }
            for (key, counted) in counted.iter().enumerate() {
                let slot = view.slot(&key.to_string());
                let got = slot.map(|slot| slot.heads(&history)).unwrap_or_default();
                prop_assert_eq!(&got, &history.heads(counted));
                let public: BTreeSet<Place> = counted.iter().filter(|p| !p.private).copied().collect();
                let got = slot.map(|slot| slot.heads_among(|p| !p.private, &history)).unwrap_or_default();
                prop_assert_eq!(got, history.heads(&public));
            }
        }
        view.take_touched();
        view.remove_private(&history);
        for (key, counted) in counted.iter_mut().enumerate() {
            counted.retain(|p| !p.private);
            let got = view.slot(&key.to_string()).map(|slot| slot.heads(&history)).unwrap_or_default();
            prop_assert_eq!(got, history.heads(counted));
        }
    }

    #[test]
    fn ranges_are_filters(
        names in prop::collection::btree_set("[ab/]{1,3}", 0..12),
        prefix in prop::option::of("[ab/]{0,2}"), gt in prop::option::of("[ab/]{0,3}"), gte in prop::option::of("[ab/]{0,3}"),
        lt in prop::option::of("[ab/]{0,3}"), lte in prop::option::of("[ab/]{0,3}"), reverse: bool,
    ) {
        let history = History::new(&[(0, Vec::new())]);
        let mut view = View::default();
        for name in &names {
            view.insert(name, Place { writer: 0, index: 0, op: 0, private: false, delete: false }, &history);
        }
        let range = Range { prefix, gt, gte, lt, lte, reverse, limit: None };
        let mut expected: Vec<&str> = names.iter().map(String::as_str).filter(|key| range.contains(key)).collect();
        if reverse {
            expected.reverse();
        }
        let got: Vec<&str> = view.range(&range).map(|(key, _)| key).collect();
        prop_assert_eq!(got, expected);
    }
}
