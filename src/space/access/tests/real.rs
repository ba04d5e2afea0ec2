//! A history made real: keys, blocks, leaf and tree hashes, signed heads, signed root records.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    dice::Dice,
    world::{Entry as Abstract, Op as AbstractOp, RootOp, World, tree_hash as abstract_tree_hash},
};
use crate::{
    codec::{Value, encode_value},
    crypto::{Hash, Namespace, PublicKey, Signature, Signer, blake2b},
    space::{AccessOp, Cut, Dep, Entry, Grant, Op, PersonId, Role, RootItem, RootRecord, Seal},
};

pub(crate) struct Real {
    signers: BTreeMap<String, Signer>,
    pub(crate) keys: BTreeMap<String, PublicKey>,
    pub(crate) names: BTreeMap<PublicKey, String>,
    roots: BTreeMap<String, Signer>,
    pub(crate) persons: BTreeMap<PersonId, String>,
    /// By abstract hash: block and leaf hash.
    pub(crate) blocks: BTreeMap<String, (Vec<u8>, Hash)>,
    /// Abstract names of real hashes.
    pub(crate) entry_names: BTreeMap<Hash, String>,
    pub(crate) record_names: BTreeMap<Hash, String>,
    pub(crate) epoch_names: BTreeMap<Hash, String>,
    /// By abstract record hash: as it is sent.
    pub(crate) records: BTreeMap<String, Vec<u8>>,
    pub(crate) record_hashes: BTreeMap<String, Hash>,
    heads: BTreeMap<Vec<String>, (Hash, Signature)>,
    dice: Dice,
}

impl Real {
    pub(crate) fn build(world: &World, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let (names, roots) = named(world);
        let mut signers: Vec<Signer> = names.iter().map(|_| Signer::from_seed(&dice.bytes())).collect();
        signers.sort_by_key(Signer::public);
        let signers: BTreeMap<String, Signer> = names.into_iter().zip(signers).collect();
        let keys: BTreeMap<String, PublicKey> =
            signers.iter().map(|(n, s)| (n.clone(), s.public())).collect();
        let roots = roots.into_iter().map(|name| (name, Signer::from_seed(&dice.bytes()))).collect();
        let persons = keys.iter().map(|(n, key)| (PersonId::founded_by(key), format!("p:{n}"))).collect();
        let names = keys.iter().map(|(n, key)| (*key, n.clone())).collect();
        let mut real = Self {
            signers,
            keys,
            names,
            roots,
            persons,
            blocks: BTreeMap::new(),
            entry_names: BTreeMap::new(),
            record_names: BTreeMap::new(),
            epoch_names: BTreeMap::new(),
            records: BTreeMap::new(),
            record_hashes: BTreeMap::new(),
            heads: BTreeMap::new(),
            dice,
        };
        let plan = Plan::new(world);
        let mut all: Vec<&String> = world.trees.iter().flat_map(|t| &t.leaves).collect();
        all.extend(plan.entries.keys());
        for hash in all {
            real.block(&plan, hash);
        }
        real.sign_records(world, &plan);
        real
    }

    pub(crate) fn root(&self, name: &str) -> PublicKey {
        self.roots[name].public()
    }

    pub(crate) fn root_name(&self, key: &PublicKey) -> String {
        self.roots.iter().find(|(_, root)| root.public() == *key).unwrap().0.clone()
    }

    /// Tree hash and signature of a writer's feed with these leaves. Signed once, verified once.
    pub(crate) fn head(&mut self, writer: &str, leaves: &[String]) -> Hash {
        if let Some((hash, _)) = self.heads.get(leaves) {
            return *hash;
        }
        let sizes: Vec<(Hash, u64)> = leaves
            .iter()
            .map(|leaf| {
                let (block, hash) = &self.blocks[leaf];
                (*hash, u64::try_from(block.len()).unwrap())
            })
            .collect();
        let hash = tree_hash(&sizes);
        let key = self.keys[writer];
        let length = u64::try_from(leaves.len()).unwrap().to_le_bytes();
        let message = [&Namespace::Feed.bytes()[..], &key.0, &hash.0, &length, &0_u64.to_le_bytes()].concat();
        let signature = self.signers[writer].sign(&message);
        key.verify(&message, &signature).unwrap();
        self.heads.insert(leaves.to_vec(), (hash, signature));
        hash
    }

    fn person(&self, name: &str) -> PersonId {
        PersonId::founded_by(&self.keys[name.strip_prefix("p:").unwrap()])
    }

    fn grant(&mut self, key: &str, person: &str, role: &str) -> Grant {
        let mut install_id = [0; 16];
        install_id.copy_from_slice(&self.dice.bytes()[..16]);
        Grant {
            writer: self.keys[key],
            person: self.person(person),
            role: if role == "admin" { Role::Admin } else { Role::Writer },
            from_now_on: false,
            install_id,
            name: None,
            invite: None,
        }
    }

    fn cut(&mut self, plan: &Plan, target: &str, n: usize, hash: Option<&String>) -> Cut {
        let (mut head, mut tree_hash) = (Vec::new(), Hash::default());
        if let Some(hash) = hash {
            tree_hash = self.named_tree(plan, hash);
            // A head that nobody signed shows noise for a signature.
            head = match plan.trees.get(hash) {
                Some((_, leaves)) => self.heads[leaves].1.0.to_vec(),
                None => self.dice.bytes().repeat(2),
            };
        }
        Cut {
            writer: self.keys[target],
            length: u64::try_from(n).unwrap(),
            tree_hash,
            head,
            proof: Vec::new(),
        }
    }

    /// The real tree hash of an abstract one; noise if it belongs to nothing.
    fn named_tree(&mut self, plan: &Plan, hash: &str) -> Hash {
        let Some((writer, leaves)) = plan.trees.get(hash) else { return Hash(self.dice.bytes()) };
        for leaf in leaves {
            self.block(plan, leaf);
        }
        self.head(writer, leaves)
    }

    fn block(&mut self, plan: &Plan, hash: &str) {
        if self.blocks.contains_key(hash) {
            return;
        }
        let time = self.dice.next() >> 20;
        let mut entry = Entry {
            deps: Vec::new(),
            full_clock: false,
            previous_access: None,
            time,
            access: Vec::new(),
            public: Vec::new(),
            sealed: None,
        };
        if let Some(e) = plan.entries.get(hash) {
            for (writer, (n, tree)) in &e.deps {
                let tree_hash = self.named_tree(plan, tree);
                entry.deps.push(Dep {
                    writer: self.keys[writer],
                    length: u64::try_from(*n).unwrap(),
                    tree_hash,
                });
            }
            entry.full_clock = e.has_access();
            for op in &e.ops {
                self.op(plan, op, &mut entry);
            }
        }
        let block = entry.encode();
        assert_eq!(Entry::decode(&block).unwrap(), entry);
        let size = u64::try_from(block.len()).unwrap().to_le_bytes();
        let leaf = blake2b(&[&[0], &size, &block]);
        self.entry_names.insert(leaf, hash.to_owned());
        self.blocks.insert(hash.to_owned(), (block, leaf));
    }

    fn op(&mut self, plan: &Plan, op: &AbstractOp, entry: &mut Entry) {
        let access = match op {
            AbstractOp::Put { key, value } => {
                let value = encode_value(&Value::Integer(i128::from(*value))).unwrap();
                return entry.public.push(Op::Put { key: key.clone(), value });
            }
            AbstractOp::Grant { key, person, role } => AccessOp::Grant(self.grant(key, person, role)),
            AbstractOp::Cut { target, n, hash } => AccessOp::Cut(self.cut(plan, target, *n, hash.as_ref())),
            AbstractOp::Hide { target, from } => AccessOp::Hide { writer: self.keys[target], from: *from },
            AbstractOp::Unhide { target } => AccessOp::Unhide { writer: self.keys[target] },
            AbstractOp::Epoch { id, to } => {
                let epoch = blake2b(&[id.as_bytes()]);
                self.epoch_names.insert(epoch, id.clone());
                let seals = to.iter().map(|name| Seal { writer: self.keys[name], key: [0; 80] }).collect();
                AccessOp::Epoch { id: epoch, seals, root: [0; 80] }
            }
        };
        entry.access.push(access);
    }

    fn sign_records(&mut self, world: &World, plan: &Plan) {
        let space = self.root(&world.space);
        let mut left: Vec<_> = world.records.iter().collect();
        let ours: BTreeSet<String> = world.records.iter().map(|r| r.hash()).collect();
        while !left.is_empty() {
            let before = left.len();
            left.retain(|record| {
                // The same statement again is the same record.
                if self.record_hashes.contains_key(&record.hash()) {
                    return false;
                }
                if record
                    .links
                    .iter()
                    .any(|link| ours.contains(link) && !self.record_hashes.contains_key(link))
                {
                    return true;
                }
                let mut voided = |hashes: &[String]| -> Vec<Hash> {
                    hashes
                        .iter()
                        .map(|h| self.blocks.get(h).map_or(Hash(self.dice.bytes()), |b| b.1))
                        .collect()
                };
                let item = match &record.op {
                    RootOp::Grant { key, person, role } => RootItem::Grant(self.grant(key, person, role)),
                    RootOp::Cut { target, n, hash, voids } => {
                        let voids = voided(voids);
                        RootItem::Cut { cut: self.cut(plan, target, *n, hash.as_ref()), voids }
                    }
                    RootOp::Voids(voids) => RootItem::Void(voided(voids)),
                    RootOp::Successor(root) => RootItem::Successor(self.root(root)),
                };
                let links = record
                    .links
                    .iter()
                    .map(|link| self.record_hashes.get(link).copied().unwrap_or(Hash(self.dice.bytes())))
                    .collect();
                let signed = RootRecord::sign(&space, &self.roots[&record.root], links, vec![item]).unwrap();
                let name = record.hash();
                self.record_names.insert(signed.hash(), name.clone());
                self.record_hashes.insert(name.clone(), signed.hash());
                self.records.insert(name, signed.as_bytes().to_vec());
                false
            });
            assert!(left.len() < before, "links go round");
        }
    }
}

/// What abstract hashes stand for.
struct Plan {
    entries: BTreeMap<String, Abstract>,
    trees: BTreeMap<String, (String, Vec<String>)>,
}

impl Plan {
    fn new(world: &World) -> Self {
        let mut trees = BTreeMap::new();
        for tree in &world.trees {
            for n in 1..=tree.leaves.len() {
                let leaves = tree.leaves[..n].to_vec();
                trees.insert(abstract_tree_hash(&leaves), (tree.writer.clone(), leaves));
            }
        }
        Self { entries: world.entries.iter().map(|e| (e.hash(), e.clone())).collect(), trees }
    }
}

/// All names: (writers, roots).
fn named(world: &World) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut names, mut roots) = (BTreeSet::new(), BTreeSet::from([world.space.clone()]));
    let person = |p: &String| p.strip_prefix("p:").unwrap().to_owned();
    names.extend(world.trees.iter().map(|t| t.writer.clone()));
    for e in &world.entries {
        names.insert(e.writer.clone());
        names.extend(e.deps.keys().cloned());
        for op in &e.ops {
            match op {
                AbstractOp::Put { .. } => {}
                AbstractOp::Grant { key, person: p, .. } => names.extend([key.clone(), person(p)]),
                AbstractOp::Cut { target, .. }
                | AbstractOp::Hide { target, .. }
                | AbstractOp::Unhide { target } => {
                    names.insert(target.clone());
                }
                AbstractOp::Epoch { to, .. } => names.extend(to.iter().cloned()),
            }
        }
    }
    for record in &world.records {
        roots.insert(record.root.clone());
        match &record.op {
            RootOp::Grant { key, person: p, .. } => names.extend([key.clone(), person(p)]),
            RootOp::Cut { target, .. } => {
                names.insert(target.clone());
            }
            RootOp::Voids(_) => {}
            RootOp::Successor(root) => {
                roots.insert(root.clone());
            }
        }
    }
    (names, roots)
}

/// Tree hash of leaves (hash, size), as a feed computes it.
pub(crate) fn tree_hash(leaves: &[(Hash, u64)]) -> Hash {
    let mut hasher = crate::crypto::Hasher::new().with(&[2]);
    let (mut start, mut left) = (0_u64, leaves);
    while !left.is_empty() {
        let size = 1 << left.len().ilog2();
        let (tree, rest) = left.split_at(size);
        let (hash, bytes) = subtree(tree);
        let width = u64::try_from(size).unwrap();
        let index = 2 * start + width - 1;
        hasher = hasher.with(&hash.0).with(&index.to_le_bytes()).with(&bytes.to_le_bytes());
        (start, left) = (start + width, rest);
    }
    hasher.finish()
}

fn subtree(leaves: &[(Hash, u64)]) -> (Hash, u64) {
    if let [leaf] = leaves {
        return *leaf;
    }
    let (left, right) = leaves.split_at(leaves.len() / 2);
    let ((left, a), (right, b)) = (subtree(left), subtree(right));
    (blake2b(&[&[1], &(a + b).to_le_bytes(), &left.0, &right.0]), a + b)
}
