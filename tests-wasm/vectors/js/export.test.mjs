// A node as a file, read as the protocol text says: checksums by libsodium, trees by hypercore-crypto, heads by libsodium.

import assert from "node:assert/strict";
import { test } from "node:test";
import hypercore from "hypercore-crypto";
import { Reader, hex, text, u64, unhex } from "./bytes.mjs";
import { H128, ns, same, verify } from "./crypto.mjs";
import { read } from "./vectors.mjs";

const vector = read("export.json");
const sync = read("sync.json");

/** The parts of a file: checksums hold, the last one counts them, nothing stands behind it. */
function* partsOf(content, magic) {
  const file = new Reader(content);
  assert.equal(text(file.raw(12)), magic);
  file.version();
  for (let parts = 0; ; parts++) {
    const size = Buffer.from(file.raw(4)).readUInt32LE();
    const sum = file.raw(16);
    const body = file.raw(size);
    same(assert, sum, hex(H128(body)));
    if (body[0] === 4) {
      same(assert, body.slice(1), hex(u64(parts)));
      assert.equal(file.left, 0);
      return;
    }
    yield new Reader(body);
  }
}

/** The blocks that a sync file of the one feed here brings, and its head. */
function brought(name, have) {
  const kinds = [];
  const blocks = [];
  let head;
  for (const body of partsOf(unhex(sync[name]), "hypha synced")) {
    kinds.push(body.u8());
    same(assert, body.raw(32), sync.space);
    if (kinds.at(-1) === 6) body.end();
    if (kinds.at(-1) !== 3) continue;
    const feed = body.raw(32);
    const proof = new Reader(body.bytes());
    proof.version();
    assert.equal(proof.u8(), 1, "it has a head");
    head = { length: proof.varint(), fork: proof.varint(), tree: proof.raw(32), signature: proof.raw(64) };
    assert.ok(verify(feed, head.signature, ns("feed"), feed, head.tree, u64(head.length), u64(head.fork)));
    assert.equal(proof.varint(), 0, "each part can be verified by itself");
    assert.equal(proof.varint(), have + blocks.length, "where the other's clock ends, and on without a gap");
    for (let n = body.varint(); n > 0; n--) blocks.push(Buffer.from(body.bytes()));
    body.end();
  }
  assert.equal(kinds[0], 6);
  assert.ok(kinds.includes(2) && kinds.slice(1).every((kind) => kind === 2 || kind === 3));
  return { blocks, head };
}

test("sync files: all, and what who has the first one lacks", () => {
  const early = brought("early", 0);
  const later = brought("later", early.blocks.length);
  const all = brought("all", 0);
  assert.deepEqual([...early.blocks, ...later.blocks], all.blocks);
  assert.ok(later.blocks.length > 0);
  for (const [{ head }, blocks] of [[early, early.blocks], [later, all.blocks], [all, all.blocks]]) {
    assert.equal(head.length, blocks.length);
    same(assert, head.tree, hex(treeOf(blocks)));
  }
});

test("a file: every part stands alone, and all of it is signed", () => {
  const file = new Reader(unhex(vector.file));
  assert.equal(text(file.raw(12)), "hypha export");
  file.version();
  let parts = 0;
  let last = false;
  const kinds = [];
  const feeds = new Map();
  while (file.left > 0) {
    assert.ok(!last, "nothing stands behind the last part");
    const size = Buffer.from(file.raw(4)).readUInt32LE();
    const sum = file.raw(16);
    const content = file.raw(size);
    same(assert, sum, hex(H128(content)));
    const body = new Reader(content);
    const kind = body.u8();
    kinds.push(kind);
    if (kind === 4) {
      same(assert, body.rest(), hex(u64(parts)));
      last = true;
      continue;
    }
    parts++;
    same(assert, body.raw(32), vector.space);
    if (kind === 1) assert.equal(body.u8(), 1);
    if (kind === 2) assert.ok(body.u8() <= 2 && body.rest().length > 96);
    if (kind === 3) {
      const feed = hex(body.raw(32));
      const proof = new Reader(body.bytes());
      proof.version();
      assert.equal(proof.u8(), 1, "it has a head");
      const head = { length: proof.varint(), fork: proof.varint(), tree: proof.raw(32), signature: proof.raw(64) };
      assert.equal(proof.varint(), 0, "from");
      const first = proof.varint();
      const known = feeds.get(feed) ?? [];
      assert.equal(first, known.length);
      for (let n = body.varint(); n > 0; n--) known.push(Buffer.from(body.bytes()));
      body.end();
      feeds.set(feed, known);
      assert.ok(verify(unhex(feed), head.signature, ns("feed"), unhex(feed), head.tree, u64(head.length), u64(head.fork)));
      if (known.length === head.length) same(assert, head.tree, hex(treeOf(known)));
    }
  }
  assert.ok(last);
  assert.deepEqual([kinds[0], kinds.includes(2), kinds.at(-2), feeds.size], [1, true, 3, 1]);
  assert.equal([...feeds.values()][0].length >= 20, true);
});

/** Tree hash of all blocks of a feed. */
function treeOf(blocks) {
  const roots = [];
  for (let start = 0; start < blocks.length;) {
    const size = 2 ** Math.floor(Math.log2(blocks.length - start));
    roots.push(node(blocks, start, size));
    start += size;
  }
  return hypercore.tree(roots);
}

function node(blocks, start, size) {
  const index = 2 * start + size - 1;
  if (size === 1) return { index, size: blocks[start].length, hash: hypercore.data(blocks[start]) };
  const [left, right] = [node(blocks, start, size / 2), node(blocks, start + size / 2, size / 2)];
  return { index, size: left.size + right.size, hash: hypercore.parent(left, right) };
}
