// A static snapshot: every file is read, and written anew from the blocks in it. Trees by hypercore-crypto, signatures by libsodium.

import assert from "node:assert/strict";
import { test } from "node:test";
import hypercore from "hypercore-crypto";
import { Reader, bytes, compare, concat, hex, text, u64, unhex, utf8, varint } from "./bytes.mjs";
import { H, H128, ns, same, signer, verify } from "./crypto.mjs";
import { readEntry } from "./space.mjs";
import { read } from "./vectors.mjs";

const vectors = read("snapshot.json");
const files = new Map(vectors.files.map(({ name, hex: content }) => [name, unhex(content)]));
const list = (items, write) => concat(varint(items.length), ...items.map(write));
const readList = (reader, one) => Array.from({ length: reader.varint() }, one);

// ── reading ──

const readHead = (content) => {
  const reader = new Reader(content);
  reader.version();
  const head = { space: hex(reader.raw(32)), time: reader.varint(), map: hex(reader.raw(32)), mapBytes: reader.varint() };
  head.records = readList(reader, () => reader.bytes(256 << 10));
  head.manifest = reader.bytes();
  head.evidence = readList(reader, () => reader.bytes(32 << 10));
  head.feeds = readList(reader, () => ({
    feed: reader.raw(32),
    length: reader.varint(),
    fork: reader.varint(),
    tree: reader.raw(32),
    signature: reader.raw(64),
  }));
  for (let i = 1; i < head.feeds.length; i++) assert.ok(compare(head.feeds[i - 1].feed, head.feeds[i].feed) < 0);
  head.signer = reader.raw(32);
  const signed = content.slice(0, reader.at);
  const signature = reader.raw(64);
  reader.end();
  if (!verify(head.signer, signature, ns("snapshot"), H(signed))) throw new Error("signature");
  return { ...head, signed, signature };
};

const readMap = (content, feeds) => {
  const reader = new Reader(content);
  reader.version();
  const map = { feeds: [] };
  for (const { length } of feeds) {
    const segments = readList(reader, () => ({ name: hex(reader.raw(32)), groups: reader.varint() }));
    const groups = Array.from({ length: Math.ceil(length / 256) }, () => ({ hash: hex(reader.raw(32)), size: reader.varint() }));
    let last = 0;
    map.feeds.push({ segments, groups, access: readList(reader, () => (last += reader.varint())) });
  }
  map.runs = readList(reader, () => ({
    name: hex(reader.raw(32)),
    pages: readList(reader, () => ({ first: text(reader.bytes(1024)), size: reader.varint(), sum: hex(reader.raw(16)) })),
  }));
  reader.end();
  return map;
};

// ── trees ──

const node = (blocks, start, size) => {
  const index = 2 * start + size - 1;
  if (size === 1) return { index, size: blocks[start].length, hash: hypercore.data(Buffer.from(blocks[start])) };
  const [left, right] = [node(blocks, start, size / 2), node(blocks, start + size / 2, size / 2)];
  return { index, size: left.size + right.size, hash: hypercore.parent(left, right) };
};
/** The roots over blocks from a multiple of 256 to an end, by their places in the feed. */
const roots = (blocks, start, end) => {
  const out = [];
  while (start < end) {
    const size = 2 ** Math.floor(Math.log2(end - start));
    out.push(node(blocks, start, size));
    start += size;
  }
  return out;
};
const group = (blocks, number) => {
  const [start, end] = [256 * number, Math.min(256 * (number + 1), blocks.length)];
  const found = roots(blocks, start, end);
  const hash = end - start === 256 ? found[0].hash : hypercore.tree(found);
  return { hash: hex(hash), size: found.reduce((sum, root) => sum + root.size, 0) };
};

// ── the whole of it ──

const head = readHead(unhex(vectors.head));
const map = readMap(files.get(head.map), head.feeds);

/** Blocks of each feed, out of its segments. */
const blocks = head.feeds.map(({ length }, at) => {
  const found = [];
  for (const { name, groups } of map.feeds[at].segments) {
    const count = Math.min(256 * groups, length - found.length);
    const reader = new Reader(files.get(name));
    const leaves = Array.from({ length: count }, () => ({ hash: hex(reader.raw(32)), size: Buffer.from(reader.raw(4)).readUInt32LE() }));
    for (const { hash, size } of leaves) {
      found.push(reader.raw(size));
      same(assert, hypercore.data(Buffer.from(found.at(-1))), hash);
    }
    reader.end();
  }
  return found;
});
const entries = blocks.map((feed) => feed.map((block) => readEntry(block).entry));

test("every file is what its name says, and what the map and the head say of it", () => {
  for (const [name, content] of files) same(assert, H(content), name);
  assert.equal(head.space, vectors.space);
  assert.equal(files.get(head.map).length, head.mapBytes);
  head.feeds.forEach((v, at) => {
    assert.equal(blocks[at].length, v.length);
    const tree = hypercore.tree(roots(blocks[at], 0, v.length));
    same(assert, tree, hex(v.tree));
    assert.ok(verify(v.feed, v.signature, ns("feed"), v.feed, tree, u64(v.length), u64(v.fork)));
    assert.deepEqual(map.feeds[at].groups, map.feeds[at].groups.map((_, number) => group(blocks[at], number)));
    assert.deepEqual(map.feeds[at].access, entries[at].flatMap(({ access }, index) => (access.length ? [index] : [])));
  });
  assert.ok(map.feeds.some(({ groups }) => groups.length > 1), "a feed of more than one group");
  const named = [head.map, ...map.feeds.flatMap(({ segments }) => segments.map(({ name }) => name)), ...map.runs.map(({ name }) => name)];
  assert.deepEqual(new Set(named), new Set(files.keys()), "and nothing else is there");
});

/** For each entry, how much of every feed is in its past. */
const pasts = () => {
  const known = entries.map(() => []);
  const place = new Map(head.feeds.map(({ feed }, at) => [hex(feed), at]));
  const past = (at, index) => {
    if (known[at][index]) return known[at][index];
    const clock = index ? [...past(at, index - 1)] : head.feeds.map(() => 0);
    for (const { writer, length } of entries[at][index].deps) {
      const from = place.get(writer);
      const theirs = past(from, length - 1);
      theirs.forEach((value, feed) => (clock[feed] = Math.max(clock[feed], value)));
    }
    clock[at] = index + 1;
    return (known[at][index] = clock);
  };
  entries.forEach((feed, at) => feed.forEach((_, index) => past(at, index)));
  return known;
};

test("the index has every key that stands, in pages that end where the text says", () => {
  const clocks = pasts();
  const holding = new Map();
  entries.forEach((feed, at) =>
    feed.forEach((entry, index) => {
      for (const { op, key } of entry.public) {
        if (op !== "put" && op !== "delete") continue;
        const before = (holding.get(key) ?? []).filter((one) => one.at !== at || one.index !== index);
        // The order of an entry is the number of entries in its past.
        const order = clocks[at][index].reduce((sum, length) => sum + length) - 1;
        holding.set(key, [...before, { at, index, order, puts: op === "put" }]);
      }
    }),
  );
  const records = [...holding]
    .map(([key, all]) => {
      const isBefore = (one, other) => one !== other && clocks[other.at][other.index][one.at] > one.index;
      const heads = all.filter((one) => !all.some((other) => isBefore(one, other)));
      return [key, heads.sort((one, other) => other.order - one.order || other.at - one.at)];
    })
    .filter(([, heads]) => heads.some(({ puts }) => puts))
    .sort(([one], [two]) => compare(utf8(one), utf8(two)));
  assert.equal(records.find(([key]) => key === "both")[1].length, 2, "a conflict");
  assert.ok(records.every(([key]) => key !== "private" && key !== "posts/001"), "sealed, and taken away");
  const runs = [];
  let run = [];
  let page = [];
  const endPage = (endRun) => {
    if (page.length) run.push(page);
    page = [];
    if (run.length && (endRun || concat(...run.flat().map(({ content }) => content)).length >= 1 << 20)) runs.push(run.splice(0));
  };
  for (const [key, heads] of records) {
    page.push({ key, content: concat(bytes(utf8(key)), list(heads, ({ at, index }) => concat(varint(at), varint(index)))) });
    const size = page.reduce((sum, { content }) => sum + content.length, 0);
    let mixed = 0x811c9dc5;
    for (const byte of utf8(key)) mixed = Math.imul(mixed ^ byte, 0x01000193) >>> 0;
    const ends = size >= 2048 && ((mixed >>> 8) & 31) === 0;
    if (ends || size >= 16384) endPage(ends && ((mixed >>> 16) & 31) === 0);
  }
  endPage(true);
  const written = runs.map((pages) => {
    const contents = pages.map((page) => concat(...page.map(({ content }) => content)));
    const file = concat(...contents);
    same(assert, file, hex(files.get(hex(H(file))) ?? NONE), "a run");
    return { name: hex(H(file)), pages: pages.map((page, at) => ({ first: page[0].key, size: contents[at].length, sum: hex(H128(contents[at])) })) };
  });
  assert.deepEqual(written, map.runs);
  assert.ok(written.flatMap(({ pages }) => pages).length > 1, "more than one page");
});

const NONE = new Uint8Array(0);

test("map and head are written so", () => {
  const content = concat(
    [1],
    ...map.feeds.map(({ segments, groups, access }) =>
      concat(
        list(segments, (one) => concat(unhex(one.name), varint(one.groups))),
        ...groups.map(({ hash, size }) => concat(unhex(hash), varint(size))),
        list(access, (index) => varint(index - (access[access.indexOf(index) - 1] ?? 0))),
      ),
    ),
    list(map.runs, ({ name, pages }) => concat(unhex(name), list(pages, (one) => concat(bytes(utf8(one.first)), varint(one.size), unhex(one.sum))))),
  );
  same(assert, content, hex(files.get(head.map)));
  const own = signer(unhex(vectors.signer_seed));
  const unsigned = concat(
    [1],
    unhex(head.space),
    varint(head.time),
    H(content),
    varint(content.length),
    list(head.records, bytes),
    bytes(head.manifest),
    list(head.evidence, bytes),
    list(head.feeds, (v) => concat(v.feed, varint(v.length), varint(v.fork), v.tree, v.signature)),
    own.public,
  );
  same(assert, concat(unsigned, own.sign(ns("snapshot"), H(unsigned))), vectors.head);
});

test("heads that are refused", () => {
  for (const { why, hex: content } of vectors.refused) assert.throws(() => readHead(unhex(content)), undefined, why);
});

test("the beacon of who holds all this", () => {
  const items = [...head.records.map((record) => [0, H(record)]), [1, H(head.manifest)], ...head.evidence.map((proof) => [2, H(proof)])];
  items.sort(([a, one], [b, two]) => a - b || compare(one, two));
  const feeds = head.feeds.map(({ feed, length, tree }) => concat(feed, u64(length), u64(length), tree));
  same(assert, H(...feeds, ...items.map(([kind, hash]) => concat([kind], hash))), vectors.beacon);
});
