// Messages between nodes: reader and writer from the protocol text.

import { bytes, compare, concat, hex, Reader, text, unhex, utf8, varint } from "./bytes.mjs";

const check = (condition, what) => {
  if (!condition) throw new Error(what);
};
const list = (items, write) => concat(varint(items.length), ...items.map(write));
const readList = (reader, most, read) => {
  const items = [];
  for (let left = reader.varint(most); left > 0; left--) items.push(read());
  return items;
};
const key = (reader) => hex(reader.raw(32));
const flag = (reader) => {
  const byte = reader.u8();
  check(byte < 2, "flag");
  return byte === 1;
};
const number = (reader) => {
  const got = reader.varint();
  check(got > 0, "number zero");
  return got;
};
const itemKind = (reader) => {
  const byte = reader.u8();
  check(byte < 4, "kind of item");
  return byte;
};

const writeHead = (head) => concat(varint(head.length), varint(head.fork), unhex(head.tree_hash), unhex(head.signature));
const readHead = (reader) => ({ length: reader.varint(), fork: reader.varint(), tree_hash: key(reader), signature: hex(reader.raw(64)) });

const writeProof = ({ head, from, start, nodes }) =>
  concat(
    [1, head ? 1 : 0],
    head ? writeHead(head) : [],
    varint(from),
    varint(start),
    list(nodes, (node) => concat(varint(node.index), unhex(node.hash), varint(node.size))),
  );
const readProof = (content) => {
  const reader = new Reader(content);
  reader.version();
  const proof = { head: flag(reader) ? readHead(reader) : null, from: reader.varint(), start: reader.varint() };
  proof.nodes = readList(reader, 188, () => ({ index: reader.varint(), hash: key(reader), size: reader.varint() }));
  reader.end();
  return proof;
};
// The head has at most 113 bytes with the byte in front, a node 48.
const LONGEST_PROOF = 2 + 113 + 8 + 8 + 2 + 188 * 48;
const LONGEST_BRANCH = 1 + 8 + 113 + 48 + 2 * (2 + 188 * 48);

const readEnvelope = (reader) => {
  const from = reader.at;
  reader.version();
  check(reader.u8() < 4, "kind of envelope");
  reader.raw(32 + 8);
  check(reader.u8() <= 8, "hops");
  reader.raw(24);
  reader.bytes(16 * 1024);
  return hex(reader.data.subarray(from, reader.at));
};

const readRanges = (reader) => {
  let free = 0;
  return readList(reader, 64, () => {
    const [start, length] = [reader.varint(), reader.varint()];
    check(length > 0 && start >= free, "ranges");
    free = start + length + 1;
    return [start, length];
  });
};

// How many bytes at the front are the same.
const sharedBy = (before, block) => {
  let shared = 0;
  while (shared < Math.min(before.length, block.length) && before[shared] === block[shared]) shared++;
  return shared;
};

const writePacked = (blocks) => {
  let before = [];
  return list(blocks, (block) => {
    const shared = sharedBy(before, block);
    before = block;
    return concat(varint(shared), bytes(block.slice(shared)));
  });
};

const readPacked = (reader) => {
  const from = reader.at;
  let before = new Uint8Array();
  let total = 0;
  const blocks = readList(reader, 4096, () => {
    const [shared, rest] = [reader.varint(), reader.bytes(1 << 20)];
    total += shared + rest.length;
    check(shared <= before.length && shared + rest.length <= 1 << 20 && total <= 1 << 21, "packed blocks");
    const block = Uint8Array.from([...before.slice(0, shared), ...rest]);
    check(sharedBy(before, block) === shared, "less shared than there is");
    before = block;
    return block;
  });
  check(reader.at - from < concat(list(blocks, (block) => bytes(block))).length, "packed in vain");
  return blocks;
};

/** [name, write(fields), read(reader)], in the order of their numbers. */
const KINDS = [
  [
    "open",
    (m) => concat(varint(m.number), varint(m.answers), unhex(m.discovery), unhex(m.tag)),
    (r) => ({ number: number(r), answers: r.varint(), discovery: key(r), tag: key(r) }),
  ],
  ["refuse", (m) => unhex(m.discovery), (r) => ({ discovery: key(r) })],
  ["close", () => [], () => ({})],
  ["prove", (m) => concat(unhex(m.key), unhex(m.signature)), (r) => ({ key: key(r), signature: hex(r.raw(64)) })],
  [
    "announce",
    (m) => concat([m.more ? 1 : 0], list(m.feeds, (one) => concat(unhex(one.feed), varint(one.contiguous), writeHead(one.head)))),
    (r) => ({ more: flag(r), feeds: readList(r, 256, () => ({ feed: key(r), contiguous: r.varint(), head: readHead(r) })) }),
  ],
  [
    "have",
    (m) => concat(unhex(m.feed), list(m.ranges, ([start, end]) => concat(varint(start), varint(end - start)))),
    (r) => ({ feed: key(r), ranges: readRanges(r).map(([start, length]) => [start, start + length]) }),
  ],
  [
    "request",
    (m) => concat(varint(m.id), unhex(m.feed), varint(m.start), varint(m.end), varint(m.from)),
    (r) => {
      const m = { id: number(r), feed: key(r), start: r.varint(), end: r.varint(), from: r.varint() };
      check(m.end > m.start && m.end - m.start <= 65_536, "range");
      return m;
    },
  ],
  [
    "data",
    (m) => concat(varint(m.id), m.id ? [] : unhex(m.feed), bytes(writeProof(m.proof)), list(m.blocks, (block) => bytes(unhex(block)))),
    (r) => {
      const id = r.varint();
      const front = id ? { id } : { id, feed: key(r) };
      const proof = readProof(r.bytes(LONGEST_PROOF));
      return { ...front, proof, blocks: readList(r, 4096, () => hex(r.bytes(1 << 20))) };
    },
  ],
  ["cancel", (m) => varint(m.id), (r) => ({ id: number(r) })],
  ["lack", (m) => varint(m.id), (r) => ({ id: number(r) })],
  [
    "items",
    (m) => concat([m.item, m.more ? 1 : 0], list(m.hashes, unhex)),
    (r) => {
      const m = { item: itemKind(r), more: flag(r), hashes: readList(r, 4096, () => key(r)) };
      for (let i = 1; i < m.hashes.length; i++) check(compare(unhex(m.hashes[i - 1]), unhex(m.hashes[i])) < 0, "hashes out of order");
      return m;
    },
  ],
  ["item", (m) => concat([m.item], bytes(unhex(m.bytes))), (r) => ({ item: itemKind(r), bytes: hex(r.bytes(256 * 1024)) })],
  ["envelope", (m) => unhex(m.envelope), (r) => ({ envelope: readEnvelope(r) })],
  ["peers", (m) => list(m.peers, (peer) => bytes(unhex(peer))), (r) => ({ peers: readList(r, 64, () => hex(r.bytes(512))) })],
  [
    "extension",
    (m) => concat(bytes(utf8(m.name)), bytes(unhex(m.bytes))),
    (r) => ({ name: text(r.bytes(64)), bytes: hex(r.bytes(64 * 1024)) }),
  ],
  [
    "ask head",
    (m) => concat(varint(m.id), unhex(m.feed), varint(m.from), varint(m.to)),
    (r) => {
      const m = { id: number(r), feed: key(r), from: r.varint(), to: r.varint() };
      check(m.from < m.to, "head not beyond");
      return m;
    },
  ],
  [
    "ask branch",
    (m) => concat(varint(m.id), unhex(m.feed), varint(m.index)),
    (r) => ({ id: number(r), feed: key(r), index: r.varint() }),
  ],
  ["branch", (m) => concat(varint(m.id), bytes(unhex(m.bytes))), (r) => ({ id: number(r), bytes: hex(r.bytes(LONGEST_BRANCH)) })],
  [
    "ask side",
    (m) => concat(varint(m.id), unhex(m.feed), varint(m.index), unhex(m.leaf), varint(m.start), varint(m.from)),
    (r) => {
      const m = { id: number(r), feed: key(r), index: r.varint(), leaf: key(r), start: r.varint(), from: r.varint() };
      check(m.from === 0 || m.start <= m.from, "past what is verified");
      return m;
    },
  ],
  [
    "ask receipt",
    (m) => concat(unhex(m.feed), varint(m.length), unhex(m.tree_hash)),
    (r) => ({ feed: key(r), length: r.varint(), tree_hash: key(r) }),
  ],
  [
    "receipt",
    (m) => concat(unhex(m.feed), varint(m.length), unhex(m.tree_hash), varint(m.expires), unhex(m.signer), unhex(m.signature)),
    (r) => ({ feed: key(r), length: r.varint(), tree_hash: key(r), expires: r.varint(), signer: key(r), signature: hex(r.raw(64)) }),
  ],
  [
    "challenge",
    (m) => concat(varint(m.id), unhex(m.feed), unhex(m.nonce), list(m.blocks, varint)),
    (r) => {
      const m = { id: number(r), feed: key(r), nonce: key(r), blocks: readList(r, 8, () => r.varint()) };
      check(m.blocks.length > 0, "about nothing");
      return m;
    },
  ],
  ["answer", (m) => concat(varint(m.id), unhex(m.hash)), (r) => ({ id: number(r), hash: key(r) })],
  ["decline", (m) => concat(unhex(m.feed), [m.why]), (r) => ({ feed: key(r), why: flag(r) ? 1 : 0 })],
  ["beacon", (m) => unhex(m.hash), (r) => ({ hash: key(r) })],
  ["relist", () => [], () => ({})],
  [
    "packed",
    (m) => concat(varint(m.id), m.id ? [] : unhex(m.feed), bytes(writeProof(m.proof)), writePacked(m.blocks.map(unhex))),
    (r) => {
      const id = r.varint();
      const front = id ? { id } : { id, feed: key(r) };
      return { ...front, proof: readProof(r.bytes(LONGEST_PROOF)), blocks: readPacked(r).map(hex) };
    },
  ],
];

export const KIND_NAMES = KINDS.map(([name]) => name);

export const writeMessage = ({ channel, kind, fields }) => {
  const at = KIND_NAMES.indexOf(kind);
  return concat(varint(channel), [at], KINDS[at][1](fields));
};

export const readMessage = (message) => {
  const reader = new Reader(message);
  const channel = reader.varint();
  const [kind, , read] = KINDS[reader.u8()];
  const fields = read(reader);
  reader.end();
  return { channel, kind, fields };
};
