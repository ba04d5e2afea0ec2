//! One feed copied by proofs.

use super::*;

#[derive(Clone, Debug)]
struct Ask {
    start: u64,
    count: u64,
    /// Which of the writer's heads to go to; `None`: blocks alone.
    head: Option<prop::sample::Index>,
    from: prop::sample::Index,
    tamper: u64,
}

fn ask() -> impl Strategy<Value = Ask> {
    (
        0_u64..130,
        0_u64..40,
        prop::option::of(any::<prop::sample::Index>()),
        any::<prop::sample::Index>(),
        any::<u64>(),
    )
        .prop_map(|(start, count, head, from, tamper)| Ask { start, count, head, from, tamper })
}

/// Every way to change one thing in a proof that must not be accepted.
fn tampered(proof: &Proof, blocks: &[Vec<u8>], seed: u64) -> Vec<(Proof, Vec<Vec<u8>>)> {
    let bit = 1 << (seed % 8);
    let byte = (seed / 8) as usize;
    let mut all = Vec::new();
    let mut change = |edit: &dyn Fn(&mut Proof, &mut Vec<Vec<u8>>)| {
        let (mut proof, mut blocks) = (proof.clone(), blocks.to_vec());
        edit(&mut proof, &mut blocks);
        all.push((proof, blocks));
    };
    for node in 0..proof.nodes.len() {
        change(&|proof, _| proof.nodes[node].hash.0[byte % 32] ^= bit);
        change(&|proof, _| proof.nodes[node].hash = Hash([0; 32]));
        change(&|proof, _| proof.nodes[node].size ^= u64::from(bit));
        change(&|proof, _| proof.nodes[node].index ^= u64::from(bit));
        change(&|proof, _| {
            proof.nodes.remove(node);
        });
        change(&|proof, _| proof.nodes.swap(node, 0));
    }
    change(&|proof, _| proof.nodes.push(Node { index: 0, hash: Hash([1; 32]), size: 1 }));
    if proof.head.is_some() {
        let head = |edit: &dyn Fn(&mut SignedHead)| {
            let mut changed = proof.clone();
            edit(changed.head.as_mut().unwrap());
            (changed, blocks.to_vec())
        };
        all.push(head(&|head| head.length += u64::from(bit)));
        all.push(head(&|head| head.length -= 1));
        all.push(head(&|head| head.fork ^= u64::from(bit)));
        all.push(head(&|head| head.tree_hash.0[byte % 32] ^= bit));
        all.push(head(&|head| head.signature.0[byte % 64] ^= bit));
    }
    for block in 0..blocks.len() {
        let with = |edit: &dyn Fn(&mut Vec<u8>)| {
            let mut changed = blocks.to_vec();
            edit(&mut changed[block]);
            (proof.clone(), changed)
        };
        all.push(with(&|block| block.push(0)));
        if !blocks[block].is_empty() {
            all.push(with(&|block| {
                block.pop();
            }));
            all.push(with(&|block| {
                let at = byte % block.len();
                block[at] ^= bit;
            }));
        }
    }
    // Unchanged ones are no tampering: node 0 swapped with itself, or two equal ones.
    all.retain(|(changed, changed_blocks)| (changed, changed_blocks.as_slice()) != (proof, blocks));
    all
}

proptest! {
    #![proptest_config(crate::testing::cases(48))]

    /// Random ranges under random heads in any order give the same feed; no changed proof is accepted or leaves a trace.
    #[test]
    fn random_requests_copy_a_feed(list in blocks(1..130), batches in prop::collection::vec(1_usize..40, 0..20), asks in prop::collection::vec(ask(), 1..30)) {
        let mut theirs = Files::new();
        let writer = written(&mut theirs, 5, &list, &batches);
        let lengths: Vec<u64> = (1..=writer.length()).filter(|length| writer.head_at(*length).is_some()).collect();
        let mut ours = Files::new();
        let mut reader = Feed::open(&mut ours, writer.key()).unwrap();
        let mut held = std::collections::BTreeSet::new();
        for ask in asks {
            let to = ask.head.map_or(reader.length(), |head| *head.get(&lengths));
            let (from, to) = match to > reader.length() {
                true => (reader.length(), to),
                // Blocks alone, against any length at which the reader knows the roots.
                false => {
                    let known: Vec<_> = (0..=reader.length())
                        .filter(|length| reader.roots_at(&ours, *length).unwrap().is_some()).collect();
                    let from = *ask.from.get(&known);
                    (from, from)
                }
            };
            let start = ask.start.min(to);
            let range = start..(start + ask.count).min(to);
            if range.is_empty() && from == to {
                continue;
            }
            let request = ProofRequest { blocks: range.clone(), from, to };
            let proof = writer.prove(&theirs, &request).unwrap();
            let encoded = proof.encode();
            prop_assert!(encoded.len() <= Proof::MAX_ENCODED && proof.nodes.len() <= MAX_PROOF_NODES);
            prop_assert_eq!(&Proof::decode(&encoded).unwrap(), &proof);
            let blocks = &list[range.start as usize..range.end as usize];
            ours.take_batch();
            for (changed, changed_blocks) in tampered(&proof, blocks, ask.tamper) {
                let result = reader.accept(&mut ours, &changed, &changed_blocks);
                prop_assert!(result.is_err(), "{changed:?} {changed_blocks:?}");
                prop_assert!(!ours.has_pending(), "nothing is stored");
                prop_assert_eq!(reader.length(), from.max(reader.length()));
            }
            let longer = to > reader.length();
            let accepted = reader.accept(&mut ours, &proof, blocks).unwrap();
            prop_assert_eq!(accepted, Accepted { new_length: longer.then_some(to), blocks: range.clone() });
            held.extend(range);
            let length = reader.length() as usize;
            assert_is(&ours, &reader, &list[..length], |index| held.contains(&index));
            reader = Feed::open(&mut ours, writer.key()).unwrap();
            assert_is(&ours, &reader, &list[..length], |index| held.contains(&index));
            prop_assert!(reader.audit(&ours).unwrap().damaged.is_empty());
        }
    }

    /// A proof whose place was changed is refused, or brings what is right all the same.
    #[test]
    fn a_moved_proof_never_brings_wrong_blocks(list in blocks(2..60), range in (0_u64..60, 1_u64..20), flip: prop::sample::Index, bit in 0_u8..8) {
        let mut theirs = Files::new();
        let writer = written(&mut theirs, 5, &list, &[]);
        let to = writer.length();
        let mut ours = Files::new();
        let mut reader = Feed::open(&mut ours, writer.key()).unwrap();
        let upgrade = writer.prove(&theirs, &ProofRequest { blocks: 0..0, from: 0, to }).unwrap();
        reader.accept(&mut ours, &upgrade, &[] as &[Vec<u8>]).unwrap();
        let start = range.0.min(to - 1);
        let blocks = start..(start + range.1).min(to);
        let proof = writer.prove(&theirs, &ProofRequest { blocks: blocks.clone(), from: to, to }).unwrap();
        let mut bytes = proof.encode();
        let at = flip.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(proof) = Proof::decode(&bytes) {
            let result = reader.accept(&mut ours, &proof, &list[blocks.start as usize..blocks.end as usize]);
            let held = result.map_or(0..0, |accepted| accepted.blocks);
            prop_assert!(held.is_empty() || held == blocks);
            assert_is(&ours, &reader, &list, |index| held.contains(&index));
        }
    }

    #[test]
    fn any_bytes_never_panic(bytes: Vec<u8>) {
        let mut versioned = vec![1];
        versioned.extend(&bytes);
        for bytes in [&bytes, &versioned] {
            let mut files = Files::new();
            let mut feed = Feed::open(&mut files, signer(1).public()).unwrap();
            if let Ok(proof) = Proof::decode(bytes) {
                assert_eq!(&proof.encode(), bytes);
                assert!(feed.accept(&mut files, &proof, &[b"x"]).is_err());
            }
            let _ = SignedHead::decode(bytes).map(|head| assert_eq!(&head.encode(), bytes));
            let _ = Branch::decode(bytes).map(|branch| assert_eq!(&branch.encode(), bytes));
            let _ = EquivocationProof::decode(bytes).map(|proof| assert!(proof.verify().is_err()));
        }
    }
}

#[test]
fn a_stream_costs_few_nodes_and_one_signature() {
    let list: Vec<_> = (0..3000_u32).map(|n| n.to_le_bytes().repeat(25)).collect();
    let mut theirs = Files::new();
    let writer = written(&mut theirs, 5, &list, &[3000]);
    let mut ours = Files::new();
    let mut reader = Feed::open(&mut ours, writer.key()).unwrap();
    let mut overhead = 0;
    while reader.contiguous() < writer.length() {
        let chunk = writer.data_range(&theirs, reader.contiguous()..u64::MAX, 64 * 1024).unwrap();
        let request =
            ProofRequest { blocks: chunk.start..chunk.end(), from: reader.length(), to: writer.length() };
        let proof = writer.prove(&theirs, &request).unwrap();
        assert_eq!(proof.head.is_some(), chunk.start == 0);
        overhead += proof.encode().len();
        let blocks: Vec<_> = chunk.blocks().collect();
        reader.accept(&mut ours, &proof, &blocks).unwrap();
    }
    assert_is(&ours, &reader, &list, |_| true);
    assert!(overhead < 300_000 / 50, "{overhead} bytes of proof for 300,000");
}

#[test]
fn an_empty_block_can_be_read_though_nothing_before_it_is_held() {
    let list = vec![vec![7; 470], Vec::new(), vec![8; 3]];
    let mut theirs = Files::new();
    let writer = written(&mut theirs, 5, &list, &[3]);
    let mut ours = Files::new();
    let mut reader = Feed::open(&mut ours, writer.key()).unwrap();
    let proof = writer.prove(&theirs, &ProofRequest { blocks: 1..2, from: 0, to: 3 }).unwrap();
    reader.accept(&mut ours, &proof, &list[1..2]).unwrap();
    assert_is(&ours, &reader, &list, |index| index == 1);
    assert_eq!(reader.data_range(&ours, 1..2, 100).unwrap().blocks().collect::<Vec<_>>(), [b""]);
}

#[test]
fn a_passed_head_still_brings_blocks_and_a_stale_one_says_so() {
    let list: Vec<_> = (0..30_u8).map(|n| vec![n; 3]).collect();
    let mut theirs = Files::new();
    let writer = written(&mut theirs, 5, &list, &[10, 10, 10]);
    let mut ours = Files::new();
    let mut reader = Feed::open(&mut ours, writer.key()).unwrap();
    let proof = |blocks, from, to| writer.prove(&theirs, &ProofRequest { blocks, from, to }).unwrap();
    let early = proof(0..5, 0, 10);
    reader.accept(&mut ours, &proof(0..0, 0, 10), &[] as &[Vec<u8>]).unwrap();
    reader.accept(&mut ours, &proof(0..0, 10, 20), &[] as &[Vec<u8>]).unwrap();
    // Sent before the longer head came: the head is known by now, the blocks are new.
    assert_eq!(reader.accept(&mut ours, &early, &list[..5]).unwrap().new_length, None);
    assert_eq!(reader.contiguous(), 5);
    let mut jumped = Feed::open_branch(&mut ours, writer.key(), &writer.id()).unwrap();
    jumped.accept(&mut ours, &proof(0..0, 0, 20), &[] as &[Vec<u8>]).unwrap();
    let uncomparable = jumped.accept(&mut ours, &early, &list[..5]);
    assert!(matches!(uncomparable, Err(FeedError::Stale { length: 20, got: 0 })));
    let from_ten = proof(10..12, 10, 30);
    assert!(matches!(reader.accept(&mut ours, &from_ten, &list[10..12]), Err(FeedError::Stale { .. })));
    let ahead = proof(0..1, 25, 25);
    assert!(matches!(reader.accept(&mut ours, &ahead, &list[..1]), Err(FeedError::Stale { .. })));
    assert!(matches!(
        writer.prove(&theirs, &ProofRequest { blocks: 0..1, from: 3, to: 15 }),
        Err(FeedError::NotHeld { what: "head", .. })
    ));
}

#[test]
fn the_writer_restored_from_a_peer_goes_on_where_it_was() {
    let list: Vec<_> = (0..30_u8).map(|n| vec![n; 3]).collect();
    let mut theirs = Files::new();
    let copy = written(&mut theirs, 5, &list, &[]);
    let mut ours = Files::new();
    let mut restored = Feed::open(&mut ours, copy.key()).unwrap();
    let proof = copy.prove(&theirs, &ProofRequest { blocks: 29..30, from: 0, to: 30 }).unwrap();
    restored.accept(&mut ours, &proof, &list[29..]).unwrap();
    restored.append(&mut ours, &signer(5), &[[9; 9]]).unwrap();
    let longer: Vec<_> = list.iter().cloned().chain([vec![9; 9]]).collect();
    assert_is(&ours, &restored, &longer, |index| (29..31).contains(&index));
}
