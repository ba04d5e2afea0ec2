// Pairing without a hub: one text each way, by QR code, paste or file. What is in it is in src/mesh/ticket.rs.

import { HyphaError } from "./errors.js";

const CONNECT_MS = 45_000;

/** Begins: `{ offer, accept(answer), cancel() }`. `accept` resolves when the two are connected. */
export async function pair(node, space) {
  const { pairing, text } = await node.call("pair", space, undefined);
  return { offer: text, accept: (answer) => connect(node, pairing, String(answer)), cancel: () => node.call("unpair", pairing) };
}

/**
 * Answers an offer: `{ answer, connect(), cancel() }`. Browsers try for seconds only, so `connect` is called once the other
 * side has the answer; it resolves when the two are connected.
 */
export async function answer(node, offer, space) {
  const { pairing, text } = await node.call("pair", space, String(offer));
  return { answer: text, connect: () => connect(node, pairing, undefined), cancel: () => node.call("unpair", pairing) };
}

async function connect(node, pairing, answer) {
  const { text: id } = await node.call("pairWith", pairing, answer);
  const until = Date.now() + CONNECT_MS;
  while (Date.now() < until) {
    const peer = node.snapshot.peers.find((peer) => peer.id === id);
    if (peer?.state === "open") return peer;
    if (!peer) break;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new HyphaError("TIMEOUT", "the two could not connect: begin anew, and press connect on both sides within half a minute; if they are in different networks, a TURN server is needed");
}
