// Feeds and signed values: hashes by hypercore-crypto, signatures by libsodium and noble, proofs by the rule of the text.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ed25519 } from "@noble/curves/ed25519.js";
import hypercore from "hypercore-crypto";
import { concat, hex, u64, unhex, varint } from "./bytes.mjs";
import { H, ns, same, signer, verify } from "./crypto.mjs";
import { read } from "./vectors.mjs";

const feeds = read("feed.json");
const values = read("value.json");
const proofs = read("proofs.json");

const content = (index, size) => Buffer.from(Array.from({ length: size }, (_, j) => (31 * index + 7 * j + 3) % 256));
const block = (index) => content(index, (37 * index) % 251);

// ── the flat tree, from the text ──

const depth = (index) => {
  let levels = 0;
  for (let rest = BigInt(index); rest & 1n; rest >>= 1n) levels++;
  return levels;
};
const span = (index) => {
  const size = 2 ** depth(index);
  const first = Math.floor(index / (2 * size)) * size;
  return [first, first + size];
};
const children = (index) => {
  const half = 2 ** (depth(index) - 1);
  return [index - half, index + half];
};
const roots = (length) => {
  const out = [];
  for (let start = 0; start < length; ) {
    const size = 2 ** Math.floor(Math.log2(length - start));
    out.push(2 * start + size - 1);
    start += size;
  }
  return out;
};

/** Nodes of a feed by index, made by hypercore-crypto. */
const tree = (blocks) => {
  const known = new Map();
  const node = (index) => {
    if (!known.has(index)) {
      if (index % 2 === 0) {
        const bytes = blocks[index / 2];
        known.set(index, { index, size: bytes.length, hash: hypercore.data(bytes) });
      } else {
        const [left, right] = children(index).map(node);
        known.set(index, { index, size: left.size + right.size, hash: hypercore.parent(left, right) });
      }
    }
    return known.get(index);
  };
  return node;
};

test("leaves, roots and tree hashes: hypercore-crypto", () => {
  for (const v of feeds.leaves) {
    const bytes = v.text === undefined ? content(v.seed, v.size) : Buffer.from(v.text);
    same(assert, hypercore.data(bytes), v.hash);
    same(assert, H([0], u64(bytes.length), bytes), v.hash);
  }
  for (const v of feeds.feeds) {
    const node = tree(Array.from({ length: v.length }, (_, i) => block(i)));
    const found = roots(v.length).map(node);
    assert.deepEqual(found.map((root) => ({ ...root, hash: hex(root.hash) })), v.roots.map(({ index, size, hash }) => ({ index, size, hash })));
    same(assert, hypercore.tree(found), v.tree);
    same(assert, H([2], ...found.flatMap((root) => [root.hash, u64(root.index), u64(root.size)])), v.tree);
  }
});

test("the flat tree's numbers", () => {
  for (const v of feeds.tree) {
    assert.equal(depth(v.index), v.depth);
    assert.deepEqual(span(v.index), [v.spans[0] / 2, v.spans[1] / 2 + 1]);
    assert.deepEqual(depth(v.index) ? children(v.index) : null, v.children);
  }
  for (const v of feeds.fullRoots) assert.deepEqual(roots(v.length), v.roots);
});

const headBytes = (key, treeHash, length, fork) => concat(ns("feed"), key, treeHash, u64(length), u64(fork));

test("signed heads: libsodium, noble", () => {
  for (const v of feeds.heads) {
    const signed = headBytes(unhex(v.key), unhex(v.tree), v.length, v.fork);
    same(assert, signer(unhex(v.seed)).public, v.key);
    same(assert, signer(unhex(v.seed)).sign(signed), v.signature);
    same(assert, ed25519.sign(signed, unhex(v.seed)), v.signature);
    assert.ok(verify(unhex(v.key), unhex(v.signature), signed));
  }
});

// ── proofs ──

const author = signer(new Uint8Array(32).fill(1));
const head = (node, length) => {
  const treeHash = hypercore.tree(roots(length).map(node));
  return concat(varint(length), varint(0), treeHash, author.sign(headBytes(author.public, treeHash, length, 0)));
};
const writeNode = (node) => concat(varint(node.index), node.hash, varint(node.size));
const writeNodes = (nodes) => concat(varint(nodes.length), ...nodes.map(writeNode));

/** Indexes of the nodes of a proof, in its order. */
const given = (from, to, start, end) => {
  const out = [];
  const meets = (index) => span(index)[0] < end && start < span(index)[1];
  const inner = (index) => {
    if (!meets(index)) out.push(index);
    else if (index % 2) children(index).forEach(inner);
  };
  const outer = (index) => {
    const [first, past] = span(index);
    if (past <= from) {
      if (meets(index)) inner(index);
    } else if (first >= from) inner(index);
    else children(index).forEach(outer);
  };
  roots(to).forEach(outer);
  return out;
};

test("proofs of blocks and upgrades", () => {
  const node = tree(Array.from({ length: 100 }, (_, i) => block(i)));
  for (const v of proofs.proofs) {
    const indexes = given(v.from, v.to, v.start, v.end);
    assert.deepEqual(indexes, v.nodes);
    const front = v.from === v.to ? [0] : concat([1], head(node, v.to));
    same(assert, concat([1], front, varint(v.from), varint(v.start), writeNodes(indexes.map(node))), v.hex);
  }
});

test("proofs of equivocation", () => {
  for (const v of proofs.equivocations) {
    const trees = [
      tree(Array.from({ length: v.lengths[0] }, (_, i) => block(i))),
      tree(Array.from({ length: v.lengths[1] }, (_, i) => block(i < v.index ? i : i + 1000))),
    ];
    const prefix = concat(varint(v.index), writeNodes(roots(v.index).map(trees[0])));
    const sides = trees.map((node, i) => {
      const nodes = given(v.index, v.lengths[i], v.index, v.index + 1).map(node);
      const side = concat(head(node, v.lengths[i]), writeNode(node(2 * v.index)), writeNodes(nodes));
      same(assert, concat([1], prefix, side), v.branches[i]);
      return { side, tree: hypercore.tree(roots(v.lengths[i]).map(node)) };
    });
    sides.sort((a, b) => Buffer.compare(a.tree, b.tree));
    const proof = concat([1], author.public, prefix, ...sides.map((s) => s.side));
    same(assert, proof, v.hex);
    same(assert, H(proof), v.id);
  }
});

// ── signed values ──

const valueBytes = (type, key, salt, seq, value) => {
  const lengths = [Uint8Array.from([salt.length & 255, salt.length >> 8]), new Uint8Array(4)];
  new DataView(lengths[1].buffer).setUint32(0, value.length, true);
  return concat(ns("value"), [type], key, lengths[0], salt, u64(seq), lengths[1], value);
};

test("signed values: libsodium, noble, hypercore-crypto", () => {
  for (const v of values.values) {
    const [seed, key, salt, value] = [v.seed, v.key, v.salt, v.value].map(unhex);
    const signed = valueBytes(1, key, salt, v.seq, value);
    same(assert, signer(seed).public, v.key);
    same(assert, signer(seed).sign(signed), v.signature);
    same(assert, ed25519.sign(signed, seed), v.signature);
    const pair = hypercore.keyPair(Buffer.from(seed));
    same(assert, hypercore.sign(Buffer.from(signed), pair.secretKey), v.signature);
  }
  const keys = values.group.seeds.map((byte) => signer(new Uint8Array(32).fill(byte)).public);
  keys.sort(Buffer.compare);
  same(assert, H(ns("value"), [2, 2, keys.length], ...keys), values.group.key);
});
