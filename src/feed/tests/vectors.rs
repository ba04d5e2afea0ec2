//! Hashes, indexes and heads computed by others.

use super::*;
use crate::{
    crypto::hex,
    feed::{flat, node},
};

fn block(index: usize, size: usize) -> Vec<u8> {
    (0..size).map(|j| ((index * 31 + j * 7 + 3) & 255) as u8).collect()
}

fn vectors() -> serde_json::Value {
    serde_json::from_str(include_str!("../../../tests-wasm/vectors/feed.json")).unwrap()
}

fn number(value: &serde_json::Value) -> u64 {
    value.as_u64().unwrap()
}

#[test]
fn leaves_and_trees_are_those_of_hypercore_crypto() {
    let vectors = vectors();
    for leaf in vectors["leaves"].as_array().unwrap() {
        let bytes = match leaf["text"].as_str() {
            Some(text) => text.as_bytes().to_vec(),
            None => block(number(&leaf["seed"]) as usize, number(&leaf["size"]) as usize),
        };
        assert_eq!(hex(&Node::leaf(0, &bytes).hash.0), leaf["hash"]);
    }
    for feed in vectors["feeds"].as_array().unwrap() {
        let blocks: Vec<_> =
            (0..number(&feed["length"]) as usize).map(|i| block(i, (i * 37) % 251)).collect();
        let mut files = Files::new();
        let written = written(&mut files, 1, &blocks, &[]);
        assert_eq!(hex(&written.id().0), feed["tree"]);
        assert_eq!(hex(&naive_tree(&blocks).0), feed["tree"]);
        for (root, expected) in written.roots.iter().zip(feed["roots"].as_array().unwrap()) {
            assert_eq!(root.index, number(&expected["index"]));
            assert_eq!(root.size, number(&expected["size"]));
            assert_eq!(hex(&root.hash.0), expected["hash"]);
        }
    }
    assert_eq!(hex(&node::tree_hash(&[]).0), vectors["feeds"][0]["tree"]);
}

#[test]
fn indexes_are_those_of_flat_tree() {
    let vectors = vectors();
    for case in vectors["tree"].as_array().unwrap() {
        let index = number(&case["index"]);
        assert_eq!(u64::from(flat::depth(index)), number(&case["depth"]), "{case}");
        assert_eq!(flat::offset(index), number(&case["offset"]), "{case}");
        assert_eq!(flat::index(flat::depth(index), flat::offset(index)), index, "{case}");
        assert_eq!(flat::parent(index), number(&case["parent"]), "{case}");
        assert_eq!(flat::sibling(index), number(&case["sibling"]), "{case}");
        let children = case["children"].as_array().map(|pair| (number(&pair[0]), number(&pair[1])));
        assert_eq!(flat::children(index), children, "{case}");
        let (first, past) = flat::span(index);
        let spans = (number(&case["spans"][0]), number(&case["spans"][1]));
        assert_eq!((flat::leaf(first), flat::leaf(past - 1)), spans, "{case}");
    }
    for case in vectors["fullRoots"].as_array().unwrap() {
        let roots: Vec<_> = case["roots"].as_array().unwrap().iter().map(number).collect();
        assert_eq!(flat::roots(number(&case["length"])).collect::<Vec<_>>(), roots);
    }
}

/// The cases by which flat-tree tests itself.
#[test]
fn the_published_cases_of_flat_tree_hold() {
    for ((depth, offset), index) in
        [((0, 0), 0), ((0, 1), 2), ((0, 2), 4), ((1, 0), 1), ((1, 1), 5), ((2, 0), 3)]
    {
        assert_eq!(flat::index(depth, offset), index);
    }
    for (index, parent) in [(0, 1), (2, 1), (1, 3), (10_000_000_000, 10_000_000_001)] {
        assert_eq!(flat::parent(index), parent);
    }
    for (index, children) in
        [(0, None), (1, Some((0, 2))), (3, Some((1, 5))), (9, Some((8, 10))), (7, Some((3, 11)))]
    {
        assert_eq!(flat::children(index), children);
    }
    for (index, sibling) in [(0, 2), (2, 0), (1, 5), (5, 1)] {
        assert_eq!(flat::sibling(index), sibling);
    }
    // There, twice the length stands for it.
    let roots: [(u64, &[u64]); 7] =
        [(0, &[]), (1, &[0]), (4, &[3]), (10, &[7, 17]), (9, &[7, 16]), (8, &[7]), (11, &[7, 17, 20])];
    for (length, expected) in roots {
        assert_eq!(flat::roots(length).collect::<Vec<_>>(), expected);
    }
    for (index, depth) in [(0, 0), (1, 1), (2, 0), (3, 2), (4, 0)] {
        assert_eq!(flat::depth(index), depth);
    }
    for (index, offset) in [(0, 0), (1, 0), (2, 1), (3, 0), (4, 2)] {
        assert_eq!(flat::offset(index), offset);
    }
    for (index, spans, count) in [
        (0, (0, 0), 1),
        (1, (0, 2), 3),
        (3, (0, 6), 7),
        (5, (4, 6), 3),
        (23, (16, 30), 15),
        (27, (24, 30), 7),
    ] {
        let (first, past) = flat::span(index);
        assert_eq!((flat::leaf(first), flat::leaf(past - 1)), spans);
        assert_eq!(2 * (past - first) - 1, count);
    }
    let top = (0..50).fold(0, |index, _| flat::parent(index));
    assert_eq!(top, 1_125_899_906_842_623);
    assert_eq!((0..50).fold(top, |index, _| flat::children(index).unwrap().0), 0);
}

#[test]
fn heads_are_signed_as_the_protocol_says() {
    for case in vectors()["heads"].as_array().unwrap() {
        let bytes =
            |name: &str| data_encoding::HEXLOWER.decode(case[name].as_str().unwrap().as_bytes()).unwrap();
        let signer = Signer::from_seed(&bytes("seed").try_into().unwrap());
        let tree_hash = Hash(bytes("tree").try_into().unwrap());
        let head = SignedHead::sign(&signer, number(&case["length"]), number(&case["fork"]), tree_hash);
        assert_eq!(hex(&head.signature.0), case["signature"]);
        assert_eq!(SignedHead::decode(&head.encode()).unwrap(), head);
        head.verify(&signer.public()).unwrap();
    }
}
