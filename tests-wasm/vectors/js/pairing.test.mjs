// Pairing codes, written and read from the protocol text, with libsodium.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Reader, bytes, concat, hex, text, u64, unhex, utf8, varint } from "./bytes.mjs";
import { H128, MAC, ns, open, same, seal } from "./crypto.mjs";
import { read } from "./vectors.mjs";

const vectors = read("pairing.json");
const key = MAC(unhex(vectors.space), ns("pair"));
const VERSION = Uint8Array.of(1);
const TYPES = ["host", "srflx", "relay"];
const number = (value, size) => u64(value).slice(0, size);

/** Candidates of component 1 over UDP, of the types that there are numbers for, at most twelve, none twice. */
const routes = (lines) =>
  lines
    .map((line) => line.split(" "))
    .filter(([, component, protocol, , , , , type]) => component === "1" && protocol.toLowerCase() === "udp" && TYPES.includes(type))
    .map(([, , , priority, address, port, , type]) => ({ type: TYPES.indexOf(type), priority: Number(priority), port: Number(port), address }))
    .slice(0, 12);

const write = (v, answers) => {
  const list = routes(v.lines);
  const ticket = concat(
    [v.kind],
    u64(v.expires),
    unhex(v.key),
    varint(v.attempt),
    v.kind === 2 ? H128(utf8(answers)) : [],
    unhex(v.certificate),
    bytes(utf8(v.ufrag)),
    bytes(utf8(v.pwd)),
    [list.length],
    ...list.map((one) => concat([one.type], number(one.priority, 4), number(one.port, 2), bytes(utf8(one.address)))),
  );
  const nonce = unhex(v.nonce);
  return `hypha:${Buffer.from(concat([1], nonce, seal(key, nonce, VERSION, ticket))).toString("base64url")}`;
};

const little = (content) => Number(Buffer.from(content).readUIntLE(0, content.length));

const readTicket = (code) => {
  const plain = code.replace(/\s/gu, "");
  if (!plain.startsWith("hypha:")) throw new Error("no ticket");
  const content = Uint8Array.from(Buffer.from(plain.slice(6), "base64url"));
  if (Buffer.from(content).toString("base64url") !== plain.slice(6)) throw new Error("not base64url");
  const outer = new Reader(content);
  outer.version();
  const nonce = outer.raw(24);
  const ticket = new Reader(open(key, nonce, VERSION, outer.rest()));
  const kind = ticket.u8();
  if (kind !== 1 && kind !== 2) throw new Error("kind");
  const expires = Number(Buffer.from(ticket.raw(8)).readBigUInt64LE());
  const got = { kind, expires, key: hex(ticket.raw(32)), attempt: ticket.varint() };
  if (kind === 2) got.answers = hex(ticket.raw(16));
  got.certificate = hex(ticket.raw(32));
  [got.ufrag, got.pwd] = [text(ticket.bytes(256)), text(ticket.bytes(256))];
  if (/[^A-Za-z0-9+/]/.test(got.ufrag + got.pwd)) throw new Error("ICE credentials");
  got.routes = [];
  for (let left = ticket.u8(); left > 0; left--) {
    const route = { type: ticket.u8(), priority: little(ticket.raw(4)), port: little(ticket.raw(2)), address: text(ticket.bytes(64)) };
    if (route.type > 2 || !/^[A-Za-z0-9.:-]+$/.test(route.address)) throw new Error("candidate");
    got.routes.push(route);
  }
  ticket.end();
  return got;
};

test("tickets have these texts", () => {
  let before;
  for (const v of vectors.tickets) {
    assert.equal(write(v, before), v.text);
    const { routes: got, answers, ...rest } = readTicket(`\n ${v.text.slice(0, 50)} ${v.text.slice(50)}`);
    const { kind, expires, key: session, attempt, certificate, ufrag, pwd } = v;
    assert.deepEqual(rest, { kind, expires, key: session, attempt, certificate, ufrag, pwd });
    assert.deepEqual(got, routes(v.lines));
    if (kind === 2) same(assert, H128(utf8(before)), answers);
    before = v.text;
  }
  assert.deepEqual(vectors.tickets.map((v) => [v.kind, routes(v.lines).length]), [[1, 2], [2, 3], [1, 0]]);
});

test("what a browser is given says what the ticket does", () => {
  for (const v of vectors.tickets) {
    const lines = v.sdp.split("\r\n");
    const print = v.certificate.match(/../g).join(":").toUpperCase();
    const expected = [
      `a=ice-ufrag:${v.ufrag}`,
      `a=ice-pwd:${v.pwd}`,
      `a=fingerprint:sha-256 ${print}`,
      `a=setup:${v.kind === 2 ? "active" : "passive"}`,
      "a=mid:0",
      "a=sctp-port:5000",
    ];
    for (const line of expected) assert.ok(lines.includes(line), line);
    const candidates = lines.filter((line) => line.startsWith("a=candidate:")).map((line) => line.slice(2));
    assert.deepEqual(routes(candidates), routes(v.lines));
  }
});

test("codes that are refused", () => {
  for (const { why, text: code } of vectors.refused) assert.throws(() => readTicket(code), undefined, why);
});
