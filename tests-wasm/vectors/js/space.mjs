// Entries, operations and root records: the second implementation of their layouts, from the protocol text alone.
// JSON on one side (the vectors' notation), bytes on the other.

import * as cbor from "./cbor.mjs";
import { bytes, compare, concat, hex, Reader, text, u64, unhex, utf8, varint } from "./bytes.mjs";
import { H, ns, signer, verify } from "./crypto.mjs";

const check = (right, what) => {
  if (!right) throw new Error(what);
};
const list = (items, write) => concat(varint(items.length), ...items.map(write));
const readList = (reader, most, read) => {
  const items = [];
  for (let left = reader.varint(most); left > 0; left--) items.push(read(reader));
  return items;
};
const typed = (kind, ...parts) => concat([kind], bytes(concat(...parts)));
const id = (reader) => hex(reader.raw(32));
const oneOf = (numbers, got) => {
  check(numbers.includes(got), `${got} is not one of ${numbers}`);
  return got;
};

// ── operations on data ──

const key = (content) => {
  check(content.length >= 1 && content.length <= 1024, "key");
  return text(content);
};

export const writeOps = (ops) =>
  list(ops, (op) => {
    switch (op.op) {
      case "put":
        return typed(1, bytes(utf8(op.key)), cbor.encode(op.value));
      case "delete":
        return typed(2, utf8(op.key));
      case "message key":
        return typed(3, unhex(op.key));
      case "adopted put": {
        const [writer, index, at] = op.original.split("/");
        const place = concat(unhex(writer), varint(Number(index)), varint(Number(at)));
        return typed(4, place, bytes(utf8(op.key)), cbor.encode(op.value));
      }
      case "membership":
        return typed(5, unhex(op.space), unhex(op.writer), [op.left ? 1 : 0]);
      case "space secret":
        return typed(6, unhex(op.space), unhex(op.sealed));
      default:
        return typed(op.kind, unhex(op.body));
    }
  });

/** An operation whose body is not this layout is one of a later version. */
const orLater = (kind, body, read) => {
  const content = body.rest();
  try {
    const reader = new Reader(content);
    const op = read(reader);
    reader.end();
    return op;
  } catch {
    return { op: "unknown", kind, body: hex(content) };
  }
};

const readMembership = (body) => ({
  op: "membership",
  space: id(body),
  writer: id(body),
  left: oneOf([0, 1], body.u8()) === 1,
});
const readSecret = (body) => ({ op: "space secret", space: id(body), sealed: hex(body.raw(80)) });

export const readOps = (reader) =>
  readList(reader, 100_000, () => {
    const kind = reader.u8();
    const body = new Reader(reader.bytes(1 << 20));
    switch (kind) {
      case 1:
        return { op: "put", key: key(body.bytes(1024)), value: cbor.decode(body.rest()) };
      case 2:
        return { op: "delete", key: key(body.rest()) };
      case 3:
        check(body.left === 32, "message key");
        return { op: "message key", key: id(body) };
      case 4: {
        const original = [id(body), body.varint(), body.varint(2 ** 32 - 1)].join("/");
        return { op: "adopted put", original, key: key(body.bytes(1024)), value: cbor.decode(body.rest()) };
      }
      case 5:
      case 6:
        return orLater(kind, body, kind === 5 ? readMembership : readSecret);
      default:
        return { op: "unknown", kind, body: hex(body.rest()) };
    }
  });

// ── access operations ──

const role = (from) => (from.role === "admin" ? 2 : 1);
const readRole = (body) => (oneOf([1, 2], body.u8()) === 2 ? "admin" : "writer");

const writeGrant = (grant) => {
  const name = grant.name
    ? concat(unhex(grant.name.epoch), unhex(grant.name.nonce), bytes(unhex(grant.name.ciphertext)))
    : new Uint8Array(0);
  const invite = grant.invite ? concat(unhex(grant.invite.key), unhex(grant.invite.signature)) : new Uint8Array(0);
  const flags = (grant.from_now_on ? 1 : 0) | (grant.name ? 2 : 0) | (grant.invite ? 4 : 0);
  return concat(unhex(grant.writer), unhex(grant.person), [role(grant), flags], unhex(grant.install_id), name, invite);
};

const readGrant = (body) => {
  const [writer, person] = [id(body), id(body)];
  const role = readRole(body);
  const flags = oneOf([0, 1, 2, 3, 4, 5, 6, 7], body.u8());
  const install_id = hex(body.raw(16));
  const name =
    flags & 2 ? { epoch: id(body), nonce: hex(body.raw(24)), ciphertext: hex(body.bytes(1024)) } : null;
  const grant = { op: "grant", writer, person, role, from_now_on: Boolean(flags & 1), install_id, name };
  return flags & 4 ? { ...grant, invite: { key: id(body), signature: hex(body.raw(64)) } } : grant;
};

const writeCut = (cut) => {
  const front = concat(unhex(cut.writer), varint(cut.length));
  return cut.length ? concat(front, unhex(cut.tree_hash), bytes(unhex(cut.head)), bytes(unhex(cut.proof))) : front;
};

const readCut = (body) => {
  const [writer, length] = [id(body), body.varint()];
  if (length === 0) return { op: "cut", writer, length, tree_hash: "0".repeat(64), head: "", proof: "" };
  return { op: "cut", writer, length, tree_hash: id(body), head: hex(body.bytes(256)), proof: hex(body.bytes(16384)) };
};

const writeSeals = (op) => concat(unhex(op.id), list(op.seals, (seal) => concat(unhex(seal.writer), unhex(seal.key))));
const readSeals = (body) => ({
  id: id(body),
  seals: readList(body, 400, () => ({ writer: id(body), key: hex(body.raw(80)) })),
});

const writeAccess = (op) => {
  switch (op.op) {
    case "grant":
      return typed(1, writeGrant(op));
    case "cut":
      return typed(2, writeCut(op));
    case "hide":
      return typed(3, unhex(op.writer), varint(op.from));
    case "unhide":
      return typed(4, unhex(op.writer));
    case "epoch":
      return typed(5, writeSeals(op), unhex(op.root));
    case "seal":
      return typed(6, writeSeals(op), op.root ? concat([1], unhex(op.root)) : [0]);
    case "invite":
      return typed(7, unhex(op.key), [role(op)], varint(op.uses), varint(op.expires));
    case "pin":
      return typed(8, unhex(op.replica), bytes(utf8(op.label)));
    case "unpin":
      return typed(9, unhex(op.replica));
    default:
      return typed(op.kind, unhex(op.body));
  }
};

const readAccess = (reader) => {
  const kind = reader.u8();
  const body = new Reader(reader.bytes(64 * 1024));
  const op = readAccessBody(kind, body);
  body.end();
  return op;
};

const readAccessBody = (kind, body) => {
  switch (kind) {
    case 1:
      return readGrant(body);
    case 2:
      return readCut(body);
    case 3:
      return { op: "hide", writer: id(body), from: body.varint() };
    case 4:
      return { op: "unhide", writer: id(body) };
    case 5:
      return { op: "epoch", ...readSeals(body), root: hex(body.raw(80)) };
    case 6: {
      const seals = readSeals(body);
      return { op: "seal", ...seals, root: oneOf([0, 1], body.u8()) ? hex(body.raw(80)) : null };
    }
    case 7:
      return orLater(kind, body, (invite) => ({
        op: "invite",
        key: id(invite),
        role: readRole(invite),
        uses: invite.varint(),
        expires: invite.varint(),
      }));
    case 8:
      return orLater(kind, body, (pin) => ({ op: "pin", replica: id(pin), label: text(pin.bytes(64)) }));
    case 9:
      return orLater(kind, body, (unpin) => ({ op: "unpin", replica: id(unpin) }));
    default:
      return { op: "unknown", kind, body: hex(body.rest()) };
  }
};

// ── entries ──

export const writeClear = (entry) =>
  concat(
    [1, (entry.full_clock ? 1 : 0) | (entry.sealed ? 2 : 0)],
    list(entry.deps, (dep) => concat(unhex(dep.writer), varint(dep.length), unhex(dep.tree_hash))),
    varint(entry.previous_access === null ? 0 : entry.previous_access + 1),
    varint(entry.time),
    list(entry.access, writeAccess),
    writeOps(entry.public),
  );

export const writeEntry = (entry) => {
  const sealed = entry.sealed;
  const clear = writeClear(entry);
  return sealed ? concat(clear, unhex(sealed.epoch), unhex(sealed.nonce), unhex(sealed.ciphertext)) : clear;
};

/** The entry and the length of its clear part. */
export const readEntry = (block) => {
  check(block.length <= 1 << 20, "longer than 1 MiB");
  const reader = new Reader(block);
  reader.version();
  const flags = oneOf([0, 1, 2, 3], reader.u8());
  const deps = readList(reader, 10_000, () => ({ writer: id(reader), length: reader.varint(), tree_hash: id(reader) }));
  for (let i = 1; i < deps.length; i++) check(deps[i - 1].writer < deps[i].writer, "deps out of order");
  const previous = reader.varint();
  const time = reader.varint();
  const access = readList(reader, 1_000, readAccess);
  const operations = readOps(reader);
  const clear = reader.at;
  const sealed =
    flags & 2 ? { epoch: id(reader), nonce: hex(reader.raw(24)), ciphertext: hex(reader.rest()) } : null;
  reader.end();
  const entry = {
    full_clock: Boolean(flags & 1),
    deps,
    previous_access: previous === 0 ? null : previous - 1,
    time,
    access,
    public: operations,
    sealed,
  };
  return { entry, clear };
};

export const sealedPartAd = (feed, index, clear) => concat(feed, u64(index), H(clear));

// ── root records ──

const hashes = (items) => list(items, unhex);
const readHashes = (reader, most) => readList(reader, most, id);

const writeItem = (item) => {
  switch (item.op) {
    case "grant":
      return typed(1, writeGrant(item));
    case "cut":
      return typed(2, writeCut(item), hashes(item.voids));
    case "void":
      return typed(3, hashes(item.voids));
    case "successor":
      return typed(4, unhex(item.root));
    default:
      return typed(item.kind, unhex(item.body));
  }
};

const readItem = (reader) => {
  const kind = reader.u8();
  const body = new Reader(reader.bytes(1 << 20));
  const item = readItemBody(kind, body);
  body.end();
  return item;
};

const readItemBody = (kind, body) => {
  switch (kind) {
    case 1:
      return readGrant(body);
    case 2:
      return { ...readCut(body), voids: readHashes(body, 1_000) };
    case 3:
      return { op: "void", voids: readHashes(body, 1_000) };
    case 4:
      return { op: "successor", root: id(body) };
    default:
      return { op: "unknown", kind, body: hex(body.rest()) };
  }
};

export const recordHash = (space, body) => H(ns("root"), space, body);

export const signRecord = (space, seed, links, items) => {
  const root = signer(seed);
  const body = concat([1], root.public, hashes(links), list(items, writeItem));
  return concat(body, root.sign(ns("root"), space, body));
};

export const readRecord = (space, record) => {
  check(record.length <= 256 * 1024 && record.length > 64, "length");
  const [body, signature] = [record.slice(0, -64), record.slice(-64)];
  const reader = new Reader(body);
  reader.version();
  const root = reader.raw(32);
  const links = readHashes(reader, 1_000);
  for (let i = 1; i < links.length; i++) check(compare(unhex(links[i - 1]), unhex(links[i])) < 0, "links out of order");
  const items = readList(reader, 200, readItem);
  reader.end();
  check(verify(root, signature, ns("root"), space, body), "signature");
  return { root: hex(root), links, items, hash: hex(recordHash(space, body)) };
};
