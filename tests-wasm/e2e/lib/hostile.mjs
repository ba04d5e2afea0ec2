// Tabs that hold real keys and do what an honest page never does, and what is asked of the honest ones meanwhile.
//
// The adversary runs the package over a library built with the feature `hostile` (`cargo xtask build --hostile`), on
// a site of its own under the same host name, so that the same passphrase gives the same keys. What it does in a turn is
// given as a function of its window: `hypha` is its node, `core` the node's insides, `ops(key, text)` a post of its.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { MEETING } from "./person.mjs";
import { until } from "./wait.mjs";

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../..");
const PACKAGE = process.env.HYPHA_HOSTILE ?? path.join(path.resolve(ROOT, process.env.CARGO_TARGET_DIR ?? "target"), "hostile-pkg");
const TYPES = { ".js": "text/javascript", ".wasm": "application/wasm" };
const BLANK = "<!doctype html><meta charset=\"utf-8\"><title>adversary</title><link rel=\"icon\" href=\"data:,\">";

/** An empty page with the adversary's package beside it; its address. */
export async function hostileSite(w) {
  assert.ok(existsSync(PACKAGE), `${PACKAGE} is missing; run \`cargo xtask build --hostile\``);
  const server = createServer(async ({ url }, answer) => {
    const file = path.join(PACKAGE, path.normalize(new URL(url, "http://localhost").pathname));
    const type = TYPES[path.extname(file)];
    const bytes = type && await readFile(file).catch(() => undefined);
    if (type && !bytes) return answer.writeHead(404).end();
    answer.writeHead(200, { "content-type": type ?? "text/html" }).end(bytes ?? BLANK);
  });
  await new Promise((resolve) => server.listen(0, "localhost", resolve));
  w.keep({ stop: () => (server.closeAllConnections(), new Promise((resolve) => server.close(resolve))) });
  return `http://localhost:${server.address().port}/`;
}

/** A hostile node of its own in a new tab, reading the space of a link through a hub. */
export async function hostile(browser, site, { link, hub }, name) {
  const tab = await browser.open(site);
  await tab.run(async (link, hub, name) => {
    // Every channel that the node opens or is given.
    window.channels = new Set();
    const send = RTCDataChannel.prototype.send;
    RTCDataChannel.prototype.send = function (data) {
      channels.add(this);
      send.call(this, window.garble ? garble(data) : data);
    };
    window.sendRaw = (channel, data) => send.call(channel, data);
    const { wasm, encodedOps } = await import("/wasm.js");
    const { core: module } = await wasm();
    const { Core } = module;
    const open = Core.open;
    Core.open = async (...given) => (window.core = await open(...given));
    window.ops = (key, text) => encodedOps(module, [{ type: "put", key, value: { text } }]);
    const { Hypha } = await import("/index.js");
    window.hypha = await Hypha.open({ name, link, hubs: [hub], transports: { tabs: false } });
  }, link, hub, name);
  return tab;
}

/** A hostile device of the person: let in by `approver`, seen by all honest tabs. Its writer key is in `tab.writer`. */
export async function insider(browser, site, place, name, { words, approver, honest }) {
  const tab = await hostile(browser, site, place, name);
  await until(`${name} reads`, () => tab.run(() => hypha.home?.writers().length > 0), MEETING);
  await tab.run(async (passphrase, device) => void (await hypha.signIn(passphrase, { device, remember: true })), words.join(" "), name);
  await admit(approver, name);
  await until(`${name} is let in`, () => tab.run(() => hypha.state === "writer"), MEETING);
  tab.writer = await tab.run(() => hypha.home.writers().find(({ self }) => self).key);
  await level(`all know ${name}`, [...honest, tab]);
  return tab;
}

/** Lets in the device of a name, as whoever has compared the words does. */
export async function admit(tab, device) {
  await until(`the request of ${device}`, () => tab.run((device) => hypha.requests().some((one) => one.device === device && one.words), device), MEETING);
  await tab.run((device) => {
    const request = hypha.requests().find((one) => one.device === device);
    return request.approve(request.words);
  }, device);
}

/** Opens the node of a page for the test too, and notes what it says from now on. */
export async function listen(tab) {
  await tab.run(async () => {
    const { Hypha } = await import("/pkg/index.js");
    window.hypha = await Hypha.open({});
    window.heard = [];
    for (const name of ["equivocation", "error", "retracted", "revoked", "storage"]) {
      hypha.addEventListener(name, ({ detail }) => heard.push({ name, writer: detail?.writer, keys: detail?.keys, entries: detail?.entries, code: detail?.code }));
    }
    hypha.home?.addEventListener("message", ({ detail: { data } }) => heard.push({ name: "message", data }));
  });
}

/** What a node shows in public: values, and who counts. */
export const view = (tab) => tab.run(async () => {
  const items = [];
  for await (const { key, value, version, private: secret } of hypha.home.list()) if (!secret) items.push([key, value?.text, version]);
  const writers = hypha.home.writers().filter(({ role, state }) => role || state !== "pending");
  return JSON.stringify({ items, writers: writers.map(({ key, role, state, cutAt }) => [key, role, state, cutAt]).sort() });
});

/** Waits until these nodes show the same, and it fits. Returns what they show. */
export async function level(what, tabs, fits = () => true) {
  let views = [];
  return until(`the same on all: ${what}`, async () => {
    views = await Promise.all(tabs.map(view));
    return views.every((one) => one === views[0]) && (await fits()) && views[0];
  }, { ...MEETING, told: () => views.join("\n") });
}

/** What a node knows of a writer. */
export const standing = (tab, writer) => tab.run((writer) => hypha.home.writers().find(({ key }) => key === writer), writer);

/** Texts of the posts in the quarantine, of one writer or of all, sorted, with why. */
export const quarantine = (tab, writer) => tab.run(async (writer) => {
  const found = [];
  for await (const { value, why } of hypha.home.quarantine({ writer: writer ?? undefined })) found.push(`${value?.text}: ${why}`);
  return found.sort();
}, writer ?? null);
