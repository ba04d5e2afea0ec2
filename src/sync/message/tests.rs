use super::*;
use crate::feed::{MAX_PROOF_NODES, Node, Side};
use crate::sync::limits::{
    MAX_ANNOUNCED, MAX_BLOCK, MAX_BLOCKS, MAX_CHALLENGED, MAX_EXTENSION_NAME, MAX_ITEM, MAX_REQUEST_BLOCKS,
};
use proptest::prelude::*;

fn samples() -> Vec<Message> {
    let (hash, key) = (Hash([3; 32]), PublicKey([4; 32]));
    let head = SignedHead { length: 9, fork: 0, tree_hash: hash, signature: Signature([5; 64]) };
    let proof = Proof { head: Some(head), from: 1, blocks_start: 2, nodes: Vec::new() };
    vec![
        Message::Open { number: 1, answers: 2, discovery: hash, tag: hash },
        Message::Refuse { discovery: hash },
        Message::CloseChannel,
        Message::Prove { key, signature: Signature([5; 64]) },
        Message::Announce { more: true, feeds: vec![Announcement { feed: key, contiguous: 9, head }] },
        Message::Have { feed: key, ranges: vec![0..3, 4..5] },
        Message::Request { id: 7, feed: key, blocks: 2..5, from: 1 },
        Message::Data { answers: Answers::Request(7), proof: proof.clone(), blocks: vec![vec![], vec![2]] },
        Message::Data { answers: Answers::Tail(key), proof: proof.clone(), blocks: vec![] },
        Message::Data {
            answers: Answers::Request(7),
            proof,
            blocks: vec![vec![], vec![1; 9], vec![1; 10], vec![1; 5], vec![2; 5]],
        },
        Message::Cancel { id: 7 },
        Message::Lack { id: 7 },
        Message::Items { kind: ItemKind::Evidence, more: true, hashes: vec![Hash([1; 32]), hash] },
        Message::Item { kind: ItemKind::Record, bytes: vec![8] },
        Message::Envelope(Envelope::sample()),
        Message::Peers(vec![vec![1], vec![]]),
        Message::Extension { name: "x".into(), bytes: vec![1] },
        Message::AskHead { id: 7, feed: key, from: 1, to: 2 },
        Message::AskBranch { id: 7, feed: key, index: 3 },
        Message::Branch { id: 7, bytes: vec![1, 2] },
        Message::AskSide { id: 7, feed: key, index: 3, leaf: hash, start: 4, from: 4 },
        Message::AskReceipt { feed: key, length: 9, tree_hash: hash },
        Message::Receipt(Receipt {
            feed: key,
            length: 9,
            tree_hash: hash,
            expires: 1_800_000_000_000,
            signer: PublicKey([6; 32]),
            signature: Signature([7; 64]),
        }),
        Message::Challenge { id: 7, feed: key, nonce: [8; 32], blocks: vec![8, 0, 8] },
        Message::Answer { id: 7, hash },
        Message::Decline { feed: key, why: Declined::Full },
        Message::Decline { feed: key, why: Declined::NotHeld },
    ]
}

#[test]
fn every_kind_round_trips_and_loses_nothing_when_cut() {
    for (byte, kind) in Kind::ALL.iter().enumerate() {
        assert_eq!(usize::from(kind.byte()), byte);
    }
    for message in samples() {
        let bytes = message.encode(3);
        assert_eq!(Message::decode(&bytes), Ok((3, message.clone())));
        for end in 0..bytes.len() {
            assert!(Message::decode(&bytes[..end]).is_err(), "{message:?} cut at {end}");
        }
        assert!(Message::decode(&[bytes.as_slice(), &[0]].concat()).is_err());
    }
}

#[test]
fn whatever_is_kept_can_be_sent() {
    use crate::{feed::EquivocationProof, space::MAX_ENTRY, sync::limits::MAX_MESSAGE, value::SignedValue};
    let most = crate::codec::MAX_SAFE;
    let nodes = |count| vec![Node { index: most, hash: Hash([1; 32]), size: most }; count];
    let head =
        SignedHead { length: most, fork: most, tree_hash: Hash([2; 32]), signature: Signature([5; 64]) };
    // The largest entry, with the largest proof; beside the smallest message it is the only block.
    let proof = Proof { head: Some(head), from: most, blocks_start: most, nodes: nodes(MAX_PROOF_NODES) };
    assert!(proof.encode().len() <= Proof::MAX_ENCODED);
    let blocks = vec![vec![1; MAX_ENTRY]];
    assert_eq!(MAX_ENTRY, MAX_BLOCK);
    let largest = Message::Data { answers: Answers::Request(most), proof, blocks };
    let bytes = largest.encode(most);
    assert!(bytes.len() <= MAX_MESSAGE);
    assert_eq!(Message::decode(&bytes), Ok((most, largest)));
    // Items: a root record is measured by the same limit; a manifest is a signed value.
    assert_eq!(MAX_ITEM, crate::space::MAX_RECORD);
    const { assert!(SignedValue::MAX_ENCODED <= MAX_ITEM) };
    let side = Side { head, leaf: nodes(1)[0], nodes: nodes(MAX_PROOF_NODES) };
    let (key, roots) = (PublicKey([4; 32]), nodes(MAX_PROOF_NODES));
    let evidence = EquivocationProof { key, index: most, roots, sides: [side.clone(), side] };
    assert!(evidence.encode().len() <= MAX_ITEM);
    for (bytes, taken) in [(vec![1; MAX_ITEM], true), (vec![1; MAX_ITEM + 1], false)] {
        let message = Message::Item { kind: ItemKind::Record, bytes };
        assert_eq!(Message::decode(&message.encode(1)).is_ok(), taken);
    }
}

#[test]
fn counts_past_the_limit_are_refused_by_name() {
    let proof = Proof { head: None, from: 1, blocks_start: 0, nodes: Vec::new() }.encode();
    let refused = |kind: Kind, write: &dyn Fn(&mut Writer)| {
        let mut out = Writer::new();
        out.varint(1).u8(kind.byte());
        write(&mut out);
        matches!(Message::decode(out.as_slice()), Err(DecodeError::TooLarge { .. }))
    };
    assert!(refused(Kind::Announce, &|out| {
        out.u8(0).count(MAX_ANNOUNCED + 1);
    }));
    assert!(refused(Kind::Data, &|out| {
        out.varint(1).count(Proof::MAX_ENCODED + 1);
    }));
    assert!(refused(Kind::Data, &|out| {
        out.varint(1).bytes(&proof).count(MAX_BLOCKS + 1);
    }));
    assert!(refused(Kind::Data, &|out| {
        out.varint(1).bytes(&proof).count(1).count(MAX_BLOCK + 1);
    }));
    assert!(refused(Kind::Request, &|out| {
        out.varint(1).raw(&[0; 32]).varint(0).varint(MAX_REQUEST_BLOCKS + 1).varint(0);
    }));
    assert!(refused(Kind::Item, &|out| {
        out.u8(0).count(MAX_ITEM + 1);
    }));
    assert!(refused(Kind::Extension, &|out| {
        out.count(MAX_EXTENSION_NAME + 1);
    }));
    assert!(refused(Kind::Challenge, &|out| {
        out.varint(1).raw(&[0; 64]).count(MAX_CHALLENGED + 1);
    }));
    assert_eq!(Message::decode(&[1, 27]), Err(DecodeError::Unknown { what: "message", got: 27 }));
}

/// Writes that follow one another cost hardly more than what is new in them, and few bytes never make many.
#[test]
fn blocks_that_begin_alike_are_sent_packed() {
    let proof = Proof { head: None, from: 300, blocks_start: 0, nodes: Vec::new() };
    let entry = |n: usize| {
        let value: Vec<u8> =
            (0..100).map(|at| u8::try_from((n * 7_919 + at * 104_729) % 251).unwrap()).collect();
        [b"version, flags, time".as_slice(), format!("log/a{n:08}").as_bytes(), &value].concat()
    };
    let blocks: Vec<Vec<u8>> = (0..500).map(entry).collect();
    let plain: usize = blocks.iter().map(|block| block.len() + 2).sum();
    let message = Message::Data { answers: Answers::Request(7), proof: proof.clone(), blocks };
    let bytes = message.encode(3);
    assert_eq!((bytes[1], Message::decode(&bytes)), (26, Ok((3, message))));
    assert!(bytes.len() + 500 * 25 < plain, "{} of {plain}", bytes.len());

    let packed = |rest: &dyn Fn(&mut Writer)| {
        let mut out = Writer::new();
        out.varint(1).u8(26).varint(7).bytes(&proof.encode());
        rest(&mut out);
        Message::decode(out.as_slice()).map(drop)
    };
    let canonical = |what| Err(DecodeError::NotCanonical { what });
    let more = packed(&|out| {
        out.count(1).count(1).bytes(&[1; 9]);
    });
    assert_eq!(more, canonical("more shared than there is"));
    let less = packed(&|out| {
        out.count(2).count(0).bytes(&[1; 9]).count(8).bytes(&[1, 2]);
    });
    assert_eq!(less, canonical("less shared than there is"));
    let vain = packed(&|out| {
        out.count(2).count(0).bytes(&[1; 9]).count(0).bytes(&[2]);
    });
    assert_eq!(vain, canonical("packed in vain"));
    // Each is a copy of the first: three of those are more than a message may be.
    let bomb = packed(&|out| {
        out.count(4_000).count(0).bytes(&vec![1; MAX_BLOCK - 1]);
        for _ in 0..3_999 {
            out.count(MAX_BLOCK - 1).count(0);
        }
    });
    assert!(matches!(bomb, Err(DecodeError::TooLarge { what: "block", .. })), "{bomb:?}");
}

proptest! {
    #[test]
    fn packing_is_undone(blocks: Vec<Vec<bool>>) {
        let blocks: Vec<Vec<u8>> =
            blocks.into_iter().map(|block| block.into_iter().map(u8::from).collect()).collect();
        let proof = Proof { head: None, from: 300, blocks_start: 0, nodes: Vec::new() };
        let message = Message::Data { answers: Answers::Request(7), proof, blocks };
        prop_assert_eq!(Message::decode(&message.encode(3)), Ok((3, message)));
    }

    #[test]
    fn any_bytes_never_panic(kind in 0_u8..28, bytes: Vec<u8>) {
        let bytes = [&[1, kind], bytes.as_slice()].concat();
        if let Ok((channel, message)) = Message::decode(&bytes) {
            prop_assert_eq!(message.encode(channel), bytes);
        }
    }
}
