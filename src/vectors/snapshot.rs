//! A static snapshot of a small space: every file of it, and the beacon of a node that holds the same.

use serde_json::{Value as Json, json};

use super::check;
use crate::{
    codec::{Value, encode_value},
    crypto::{MessageKey, PublicKey, Signer, blake2b, hex},
    feed::{Feed, ProofRequest},
    space::{DeviceGrant, Expect, Install, Keys, Role, Space, WriteOp, snapshot::SnapshotReader},
    storage::{Files, MemoryBackend},
    sync::{FeedStatus, ItemKind, digest_of},
    testing::Seeded,
};

/// A device with its copy.
struct Device {
    files: Files,
    space: Space,
    entropy: Seeded,
    seed: u8,
    now: u64,
}

impl Device {
    fn new(seed: u8) -> Self {
        let mut files = Files::load(MemoryBackend::new().snapshot()).unwrap();
        let space = Space::open(&mut files, root().public()).unwrap();
        Self { files, space, entropy: Seeded::new(u64::from(seed)), seed, now: NOW }
    }

    fn signer(&self) -> Signer {
        Signer::from_seed(&[self.seed; 32])
    }

    fn grant(&self) -> DeviceGrant {
        let name = format!("device {}", self.seed);
        DeviceGrant { writer: self.signer().public(), install_id: [self.seed; 16], name }
    }

    fn write(&mut self, ops: Vec<WriteOp>) {
        self.now += 1;
        self.space.write(&mut self.files, self.now, &mut self.entropy, ops).unwrap();
    }

    fn pull(&mut self, from: &Self) {
        for record in from.space.records() {
            self.space.add_record(&mut self.files, record).unwrap();
        }
        self.space.pin_followed(&mut self.files).unwrap();
        if let Some(manifest) = from.space.manifest_bytes() {
            self.space.add_manifest(&mut self.files, &manifest).unwrap();
        }
        // Who grants comes before who is granted.
        for _ in 0..2 {
            let feeds: Vec<PublicKey> = from.space.feeds().map(Feed::key).collect();
            for key in feeds {
                let theirs = from.space.feed(&key).unwrap();
                let Some(start) = self.space.feed(&key).map(Feed::length) else { continue };
                let to = theirs.length();
                if start < to {
                    let request = ProofRequest { blocks: start..to, from: start, to };
                    let proof = theirs.prove(&from.files, &request).unwrap();
                    let blocks: Vec<_> =
                        (start..to).map(|at| theirs.get(&from.files, at).unwrap().unwrap()).collect();
                    self.space.accept(&mut self.files, &key, &proof, &blocks).unwrap();
                }
            }
        }
    }
}

fn root() -> Signer {
    Signer::from_seed(&[200; 32])
}

fn put(key: &str, value: &str, private: bool) -> WriteOp {
    let value = encode_value(&Value::Text(value.to_owned())).unwrap();
    WriteOp::Put { key: key.to_owned(), value, private, expect: Expect::Any }
}

#[test]
fn snapshot() {
    let (mut one, mut two) = (Device::new(1), Device::new(2));
    let (grant, keys) = (one.grant(), Keys { signer: one.signer() });
    let message = MessageKey::from_bytes([9; 32]);
    let install = Install { grant: &grant, keys, message_key: Some(&message) };
    one.space.found(&mut one.files, NOW, &mut one.entropy, &root(), install, "example.org").unwrap();
    // More than a group, more than a page.
    for at in 0..300 {
        one.write(vec![put(&format!("posts/{at:03}"), "a post", false)]);
    }
    let keys = Keys { signer: two.signer() };
    two.space.unlock(&mut two.files, keys).unwrap();
    let key = two.signer().public();
    two.space.follow(&mut two.files, key).unwrap();
    one.space.grant(&mut one.files, NOW, &mut one.entropy, &two.grant(), Role::Admin).unwrap();
    two.pull(&one);
    // Written anew, in conflict, taken away, and what is nobody's concern.
    two.write(vec![put("posts/000", "anew", false), put("both", "two", false)]);
    one.write(vec![put("both", "one", false), put("private", "of nobody's concern", true)]);
    two.write(vec![WriteOp::Delete { key: "posts/001".to_owned(), expect: Expect::Any }]);
    one.pull(&two);

    let plan = one.space.plan_snapshot(&one.files).unwrap();
    let mut files: Vec<Vec<u8>> = (0..plan.segments())
        .map(|number| one.space.snapshot_segment(&one.files, &plan, number).unwrap())
        .collect();
    let names: Vec<_> = files.iter().map(|bytes| blake2b(&[bytes])).collect();
    let mut rest = one.space.finish_snapshot(&one.files, NOW + 5000, &plan, &names).unwrap();
    let head = rest.pop().unwrap();
    files.append(&mut rest);
    assert!(SnapshotReader::open(root().public(), &head, &[]).is_ok());
    let refused: Vec<Json> = [
        ("nothing", vec![]),
        ("version 2", [&[2], &head[1..]].concat()),
        ("a byte too many", [head.as_slice(), &[0]].concat()),
        ("cut off", head[..head.len() - 1].to_vec()),
        ("another time", {
            let mut other = head.clone();
            other[33] ^= 1;
            other
        }),
        ("another signature", {
            let mut other = head.clone();
            *other.last_mut().unwrap() ^= 1;
            other
        }),
    ]
    .iter()
    .map(|(why, bytes)| {
        assert!(SnapshotReader::open(root().public(), bytes, &[]).is_err(), "{why}");
        json!({ "why": why, "hex": hex(bytes) })
    })
    .collect();
    check(
        "snapshot.json",
        &json!({
            "source": "Rust: HYPHA_WRITE_VECTORS=1 cargo test --lib vectors. JavaScript: node --test tests-wasm/vectors/js/snapshot.test.mjs (libsodium-wrappers-sumo, hypercore-crypto).",
            "space": root().public().to_string(),
            "signer_seed": hex(&[1; 32]), "head": hex(&head),
            "files": files.iter().map(|bytes| json!({ "name": blake2b(&[bytes]).to_string(), "hex": hex(bytes) })).collect::<Vec<_>>(),
            "refused": refused,
            "refused_means": "bytes that are no head",
            "beacon": beacon(&one),
            "beacon_means": "message 24 of a node that holds all that the snapshot names",
        }),
    );
}

fn beacon(device: &Device) -> String {
    let status = |feed: &Feed| {
        feed.head().map(|head| FeedStatus { feed: feed.key(), contiguous: feed.contiguous(), head: *head })
    };
    let items = |kind| match kind {
        ItemKind::Record => device.space.records().map(|record| blake2b(&[record])).collect(),
        ItemKind::Manifest => device.space.manifest_bytes().iter().map(|bytes| blake2b(&[bytes])).collect(),
        ItemKind::Evidence | ItemKind::Value => Vec::new(),
    };
    digest_of(device.space.feeds().filter_map(status).collect(), &items).to_string()
}

const NOW: u64 = 1_800_000_000_000;
