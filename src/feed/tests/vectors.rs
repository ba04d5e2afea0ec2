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
