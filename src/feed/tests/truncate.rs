//! Feeds that stand alone: cut back by their author, followed by their readers.

use super::*;
use crate::storage::MemoryBackend;

#[derive(Clone, Debug)]
enum Action {
    Append(Vec<Vec<u8>>),
    /// To this part of the length.
    Truncate(prop::sample::Index),
    /// The reader follows to the writer's head, and asks for a range of what is new.
    Follow {
        wanted: prop::sample::Index,
        less: prop::sample::Index,
    },
    Reopen,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => blocks(1..20).prop_map(Action::Append),
        2 => any::<prop::sample::Index>().prop_map(Action::Truncate),
        4 => (any::<prop::sample::Index>(), any::<prop::sample::Index>())
            .prop_map(|(wanted, less)| Action::Follow { wanted, less }),
        1 => Just(Action::Reopen),
    ]
}

fn reopened(files: &mut Files, backend: &mut MemoryBackend, key: crate::crypto::PublicKey) -> (Files, Feed) {
    if let Some(checkpoint) = files.checkpoint() {
        backend.compact(&checkpoint);
    }
    let mut again = Files::load(backend.snapshot()).unwrap();
    assert!(again.damage().is_empty());
    let feed = Feed::open_alone(&mut again, key).unwrap();
    (again, feed)
}

proptest! {
    #![proptest_config(crate::testing::cases(128))]

    /// Against a list that is appended to and truncated, and a reader that looks in now and then.
    #[test]
    fn a_feed_that_is_cut_back_is_a_list_that_is(actions in prop::collection::vec(action(), 1..30)) {
        let signer = signer(9);
        let key = signer.public();
        let (mut theirs, mut ours) = (Files::new(), Files::new());
        let (mut their_disk, mut our_disk) = (MemoryBackend::new(), MemoryBackend::new());
        let mut writer = Feed::open_alone(&mut theirs, key).unwrap();
        let mut reader = Feed::open_alone(&mut ours, key).unwrap();
        let mut list: Vec<Vec<u8>> = Vec::new();
        let mut forks = 0;
        // What the reader knows: the list as it was, and which of it is held.
        let mut known: Vec<Vec<u8>> = Vec::new();
        let mut held = std::collections::BTreeSet::new();
        for action in actions {
            match action {
                Action::Append(more) => {
                    writer.append(&mut theirs, &signer, &more).unwrap();
                    list.extend(more);
                }
                Action::Truncate(part) => {
                    let length = part.index(list.len() + 1);
                    let head = writer.truncate(&mut theirs, &signer, length as u64).unwrap();
                    list.truncate(length);
                    forks += 1;
                    prop_assert_eq!((head.length, head.fork, head.tree_hash), (length as u64, forks, naive_tree(&list)));
                    head.verify(&key).unwrap();
                }
                Action::Follow { wanted, less } => {
                    let Some(head) = writer.head().copied() else { continue };
                    if head.fork == reader.fork() {
                        if head.length > reader.length() {
                            let request = ProofRequest { blocks: 0..0, from: reader.length(), to: head.length };
                            let proof = writer.prove(&theirs, &request).unwrap();
                            reader.accept(&mut ours, &proof, &[] as &[Vec<u8>]).unwrap();
                            known = list.clone();
                        }
                        continue;
                    }
                    // Any length up to which both are the same will do, if the reader knows its roots.
                    let same = list.iter().zip(&known).take_while(|(a, b)| a == b).count() as u64;
                    let lengths: Vec<u64> = (0..=same)
                        .filter(|length| reader.roots_at(&ours, *length).unwrap().is_some()).collect();
                    let from = if less.index(3) > 0 { *lengths.last().unwrap() } else { *less.get(&lengths) };
                    let new = from..list.len() as u64;
                    let start = if new.is_empty() { from } else { from + wanted.index(new.clone().count()) as u64 };
                    let range = start..(start + 3).min(new.end);
                    let proof = writer.prove_fork(&theirs, from, range.clone()).unwrap();
                    let proof = Proof::decode(&proof.encode()).unwrap();
                    let blocks = &list[range.start as usize..range.end as usize];
                    ours.take_batch().iter().for_each(|batch| our_disk.commit(batch));
                    let mut wrong = vec![(Proof { head: None, ..proof.clone() }, blocks.to_vec())];
                    let mut older = proof.clone();
                    older.head.as_mut().unwrap().fork = reader.fork();
                    wrong.push((older, blocks.to_vec()));
                    for node in 0..proof.nodes.len() {
                        let mut changed = proof.clone();
                        changed.nodes[node].hash.0[7] ^= 1;
                        wrong.push((changed, blocks.to_vec()));
                    }
                    if !blocks.is_empty() {
                        let mut changed = blocks.to_vec();
                        changed[0].push(1);
                        wrong.push((proof.clone(), changed));
                    }
                    for (proof, blocks) in wrong {
                        prop_assert!(reader.accept_fork(&mut ours, &proof, &blocks).is_err());
                        prop_assert!(!ours.has_pending(), "nothing is stored");
                    }
                    // Whoever did not opt in follows nobody back.
                    let mut strict = Feed::open(&mut ours, key).unwrap();
                    prop_assert_eq!(strict.accept_fork(&mut ours, &proof, blocks), Err(FeedError::OnlyGrows));
                    reader.accept_fork(&mut ours, &proof, blocks).unwrap();
                    prop_assert_eq!(reader.fork(), forks);
                    known = list.clone();
                    held.retain(|index| *index < from);
                    held.extend(range);
                }
                Action::Reopen => {
                    (theirs, writer) = reopened(&mut theirs, &mut their_disk, key);
                    (ours, reader) = reopened(&mut ours, &mut our_disk, key);
                }
            }
            assert_is(&theirs, &writer, &list, |index| index < list.len() as u64);
            assert_is(&ours, &reader, &known, |index| held.contains(&index));
            for (files, feed) in [(&theirs, &writer), (&ours, &reader)] {
                prop_assert!(feed.audit(files).unwrap().damaged.is_empty());
            }
        }
    }

    /// A byte is found in a feed of which nothing but the head is held, and nowhere else.
    #[test]
    fn a_byte_is_found_by_its_proof(list in blocks(1..90), at: prop::sample::Index, upgrade: bool) {
        let mut theirs = Files::new();
        let writer = written(&mut theirs, 5, &list, &[]);
        let (to, bytes) = (writer.length(), writer.byte_length());
        prop_assert_eq!(writer.prove_byte(&theirs, bytes, 0, to).unwrap(), None);
        prop_assume!(bytes > 0);
        let mut ours = Files::new();
        let mut reader = Feed::open(&mut ours, writer.key()).unwrap();
        if !upgrade {
            let proof = writer.prove(&theirs, &ProofRequest { blocks: 0..0, from: 0, to }).unwrap();
            reader.accept(&mut ours, &proof, &[] as &[Vec<u8>]).unwrap();
        }
        let byte = at.index(bytes as usize) as u64;
        let (block, proof) = writer.prove_byte(&theirs, byte, reader.length(), to).unwrap().unwrap();
        // The naive way: adding up.
        let ends: Vec<u64> = list.iter().scan(0, |end, block| { *end += block.len() as u64; Some(*end) }).collect();
        let expected = ends.iter().position(|end| byte < *end).unwrap();
        prop_assert_eq!(block, expected as u64);
        let begin = ends[expected] - list[expected].len() as u64;
        ours.take_batch();
        for other in [begin.checked_sub(1), Some(ends[expected])].into_iter().flatten() {
            let refused = reader.accept_byte(&mut ours, other, &proof, &list[expected]);
            prop_assert_eq!(refused, Err(FeedError::BadProof { index: 2 * block }));
            prop_assert!(!ours.has_pending(), "nothing is stored");
        }
        let (accepted, inside) = reader.accept_byte(&mut ours, byte, &proof, &list[expected]).unwrap();
        prop_assert_eq!((accepted.blocks, inside), (block..block + 1, byte - begin));
        assert_is(&ours, &reader, &list, |index| index == block);
        prop_assert_eq!(reader.seek(&ours, byte).unwrap(), Some((block, inside)));
    }
}

#[test]
fn only_a_feed_that_stands_alone_is_cut_back() {
    let list: Vec<_> = (0..10_u8).map(|n| vec![n; 3]).collect();
    let mut files = Files::new();
    let mut feed = written(&mut files, 9, &list, &[]);
    assert_eq!(feed.truncate(&mut files, &signer(9), 3), Err(FeedError::OnlyGrows));
    let mut feed = Feed::open_alone(&mut files, feed.key()).unwrap();
    assert_eq!(feed.truncate(&mut files, &signer(8), 3), Err(FeedError::NotOurs));
    let beyond = feed.truncate(&mut files, &signer(9), 11);
    assert_eq!(beyond, Err(FeedError::Stale { length: 10, got: 11 }));
    let old = *feed.head().unwrap();
    feed.truncate(&mut files, &signer(9), 3).unwrap();
    // Heads of the old fork are no longer given to anybody, nor taken.
    assert_eq!((feed.head_at(7), feed.checkout(&old.tree_hash)), (None, None));
    let refused = feed.keep_head(&mut files, &old);
    assert_eq!(refused, Err(FeedError::ForkNumber { expected: 1, got: 0 }));
}
