// Writes down what a real hub says to the frames of a conversation: `node capture.mjs hhs.json ws://127.0.0.1:3002 "<which server>"`.
//
// Two kinds of hubs have no server that a test could install:
//   hhs        github.com/hyperhyperspace/signalling-server is no package on npm, and of what it stands on the version that it names
//              (@hyper-hyper-space/core 0.11.1) is not there either. Captured from its commit 8cdd9cf with core 0.12.0 and without
//              @hyper-hyper-space/node-env, which it only loads, and which needs a native WebRTC library that npm cannot fetch.
//   ws-relay   @trystero-p2p/ws-relay, whose `/server` it is, answers 404 on npm. Captured from github.com/dmotz/trystero,
//              commit dfdba65, packages/ws-relay/src/server.ts, as TypeScript compiles it.
// It needs the package `ws`, which the end-to-end tests have: NODE_PATH does not serve modules, so run it from a folder that has it.

import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const { WebSocket } = createRequire(path.join(process.cwd(), "x.js"))("ws");
const [file, url, server] = process.argv.slice(2);
const conversation = JSON.parse(readFileSync(file, "utf8"));

/** For whatever is said to have arrived. */
const quiet = () => new Promise((resolve) => setTimeout(resolve, 500));

const heard = { a: [], b: [] };
const sockets = {};
for (const { who } of conversation.steps) {
  if (sockets[who]) continue;
  sockets[who] = new WebSocket(url);
  sockets[who].on("message", (data) => heard[who].push(data.toString()));
}
await Promise.all(Object.values(sockets).map((socket) => new Promise((resolve, reject) => socket.on("open", resolve).on("error", reject))));
for (const step of conversation.steps) {
  for (const frame of step.sent) sockets[step.who].send(frame);
  await quiet();
  step.heard = { a: heard.a.splice(0), b: heard.b.splice(0) };
}
writeFileSync(file, `${JSON.stringify({ server, steps: conversation.steps }, null, 1)}\n`);
process.exit(0);
