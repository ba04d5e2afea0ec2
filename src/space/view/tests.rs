use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// A naive history: each entry lists the entries in its past.
struct History {
    /// Writer, index, past.
    entries: Vec<(u32, u64, Past)>,
}

/// Entries by writer and index.
type Past = BTreeSet<(u32, u64)>;

impl History {
    /// `picks`: for each entry its writer, and how many of the entries so far it had seen of each writer.
    fn new(picks: &[(u32, Vec<prop::sample::Index>)]) -> Self {
        let mut history = Self { entries: Vec::new() };
        for (writer, seen) in picks {
            let index = history.entries.iter().filter(|(w, ..)| w == writer).count();
            let index = u64::try_from(index).unwrap();
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

    fn find(&self, writer: u32, index: u64) -> &Past {
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
        (u64::try_from(self.find(writer, index).len()).unwrap(), [u8::try_from(writer).unwrap(); 32])
    }
}

/// Stores what is public in a view, and what is not if it has a base for that.
fn store(view: &mut View, files: &mut Files, history: &History) {
    let planned = view.plan(files, true).unwrap();
    let covered: Map<u32, u64> = (0..4).map(|writer| (writer, u64::MAX)).collect();
    view.write(files, &PublicKey([7; 32]), planned, &covered, history).unwrap();
    if view.has_sealed() {
        assert!(view.overlay.iter().next().is_none());
        let (note, keys) = view.sealed_note();
        let keys = (SecretKey32([3; 32]), keys.cloned().collect());
        assert!(view.open_sealed(files, &PublicKey([7; 32]), &note, covered, keys));
    }
    // What is opened from the note says the same.
    let mut covered = Map::new();
    covered.extend((0..4).map(|writer| (writer, u64::MAX)));
    let note = view.note();
    assert!(view.open_base(files, &PublicKey([7; 32]), &note, covered));
    assert_eq!(view.note(), note);
}

/// Thousands of keys in several writings: blocks are split, runs are merged and stay few, and whatever is asked for in
/// either direction is what a map holds.
#[test]
fn many_keys_in_many_runs_are_all_found() {
    let history = History::new(&[(0, Vec::new())]);
    let (mut view, mut files) = (View::default(), Files::new());
    let mut model = BTreeSet::new();
    for round in 0..30_u32 {
        for at in 0..(300 * (round % 4) + 10) {
            let key = format!("key/{:05}", at.wrapping_mul(769).wrapping_add(round * 31) % 5000);
            let place = Place { writer: 0, index: 0, op: round, private: false, delete: false };
            if round % 5 == 4 {
                view.remove(&key, &place, &history);
                model.remove(&key);
            } else if model.insert(key.clone()) {
                view.insert(&key, place, &history);
            }
        }
        store(&mut view, &mut files, &history);
    }
    let runs = view.note().runs.len();
    assert!(runs < 8, "{runs} runs");
    assert_eq!(files.names("space/").len(), runs, "merged runs are deleted");
    assert!(model.len() > 2000);
    for at in 0..5000 {
        let key = format!("key/{at:05}");
        assert_eq!(view.slot(&files, &key, &history).unwrap().is_some(), model.contains(&key), "{key}");
    }
    for reverse in [false, true] {
        let gte = Some("key/00777".to_owned());
        let range = Range { gte, lt: Some("key/03".to_owned()), reverse, ..Range::default() };
        let mut expected: Vec<&String> = model.iter().filter(|key| range.contains(key)).collect();
        if reverse {
            expected.reverse();
        }
        let mut got = Vec::new();
        view.each(&files, &range, &history, &mut |key, _| {
            got.push(key.to_owned());
            Ok(true)
        })
        .unwrap();
        assert!(got.iter().eq(expected));
    }
}

proptest! {
    #[test]
    fn heads_are_what_nobody_has_seen(
        picks in prop::collection::vec((0..4_u32, prop::collection::vec(any::<prop::sample::Index>(), 0..3)), 1..25),
        keys in prop::collection::vec((0..3_usize, any::<bool>(), any::<bool>()), 25),
        steps in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>(), 0..5_u8), 1..60),
        sealed: bool,
    ) {
        let history = History::new(&picks);
        let (mut view, mut files) = (View::default(), Files::new());
        if sealed {
            view.begin_sealed(SecretKey32([3; 32]));
        }
        let mut counted = [BTreeSet::new(), BTreeSet::new(), BTreeSet::new()];
        for (at, remove, act) in steps {
            let at = at.index(history.entries.len());
            let (writer, index, _) = history.entries[at];
            let (key, private, delete) = keys[at];
            let name = key.to_string();
            let place = Place { writer, index, op: 0, private, delete };
            view.remove(&name, &place, &history);
            counted[key].retain(|p: &Place| (p.writer, p.index) != (writer, index));
            if !remove {
                for op in 0..2 {
                    let place = Place { writer, index, op, private, delete };
                    view.insert(&name, place, &history);
                    counted[key].insert(place);
                }
            }
            if act == 0 {
                store(&mut view, &mut files, &history);
            }
            for (key, counted) in counted.iter().enumerate() {
                let slot = view.slot(&files, &key.to_string(), &history).unwrap();
                let got = slot.as_ref().map(|slot| slot.heads(&history)).unwrap_or_default();
                prop_assert_eq!(&got, &history.heads(counted));
                let public: BTreeSet<Place> = counted.iter().filter(|p| !p.private).copied().collect();
                let got = slot.as_ref().map(|slot| slot.heads_among(|p| !p.private, &history)).unwrap_or_default();
                prop_assert_eq!(got, history.heads(&public));
            }
        }
        view.take_touched();
        view.remove_private(&history);
        for (key, counted) in counted.iter_mut().enumerate() {
            counted.retain(|p| !p.private);
            let got = view.slot(&files, &key.to_string(), &history).unwrap().map(|slot| slot.heads(&history)).unwrap_or_default();
            prop_assert_eq!(got, history.heads(counted));
        }
    }

    #[test]
    fn ranges_are_filters(
        names in prop::collection::btree_set("[ab/]{1,3}", 0..12),
        prefix in prop::option::of("[ab/]{0,2}"), gt in prop::option::of("[ab/]{0,3}"), gte in prop::option::of("[ab/]{0,3}"),
        lt in prop::option::of("[ab/]{0,3}"), lte in prop::option::of("[ab/]{0,3}"), reverse: bool,
        stored in 0..4_usize, removed in prop::collection::btree_set("[ab/]{1,3}", 0..6),
    ) {
        let history = History::new(&[(0, Vec::new())]);
        let (mut view, mut files) = (View::default(), Files::new());
        let place = Place { writer: 0, index: 0, op: 0, private: false, delete: false };
        for (at, name) in names.iter().enumerate() {
            view.insert(name, place, &history);
            if at % 3 == stored {
                store(&mut view, &mut files, &history);
            }
        }
        for name in &removed {
            view.remove(name, &place, &history);
        }
        let names: BTreeSet<String> = names.difference(&removed).cloned().collect();
        let range = Range { prefix, gt, gte, lt, lte, reverse, limit: None };
        let mut expected: Vec<&str> = names.iter().map(String::as_str).filter(|key| range.contains(key)).collect();
        if reverse {
            expected.reverse();
        }
        let mut got: Vec<String> = Vec::new();
        view.each(&files, &range, &history, &mut |key, _| {
            got.push(key.to_owned());
            Ok(true)
        }).unwrap();
        prop_assert_eq!(got, expected);
    }
}
