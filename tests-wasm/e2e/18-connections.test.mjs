// Guards the ways between two browsers: over the hub at once, directly when that is proven, through a TURN server when nothing
// else passes; and that they come back to each other when a network dies, changes or sleeps. Each browser is in a network of
// its own (lib/networks.mjs), which needs root; without it this file fails and says what is missing.

import assert from "node:assert/strict";
import test from "node:test";
import { scenario } from "./harness.mjs";
import { startNetworks } from "./lib/networks.mjs";
import { until } from "./lib/wait.mjs";

const CHROMIUM = process.env.HYPHA_CHROMIUM ?? "/usr/bin/chromium";

/** Entries that are still to come when a way is cut, at least: ten seconds of the narrow way. */
const MIDDLE = 6_000;

/** Two networks, each with a Chrome on an empty page of the same server. */
async function twoNetworks(w) {
  const networks = w.keep(await startNetworks());
  const server = await w.server();
  const open = async (node) => {
    await networks.open(node, server.port);
    const browser = await w.browser("chrome", { program: networks.program(node, CHROMIUM) });
    const tab = await browser.open(new URL("/icon.svg", server.url).href);
    // Else Chrome names its addresses by multicast now and then, whatever its flags say, and nothing answers beyond a router.
    await tab.page.browserContext().overridePermissions(new URL(server.url).origin, ["camera", "microphone"]);
    return { browser, tab };
  };
  const [a, b] = await Promise.all([open("a"), open("b")]);
  return { networks, hub: `${server.hub}#relay=1`, plain: server.hub, a: a.tab, b: b.tab, browsers: { a: a.browser, b: b.browser } };
}

/** A node with an account. */
const origin = (tab, options) => tab.run(async (options) => {
  const { Hypha } = await import("/pkg/index.js");
  globalThis.hypha = await Hypha.open({ storage: "memory", ...options });
  await hypha.signUp(await Hypha.generatePassphrase(), { device: "origin" });
  return hypha.home.link;
}, options);

const write = (tab, from, count) => tab.run(async (from, count) => {
  const key = (n) => `entries/${String(n).padStart(5, "0")}`;
  await Promise.all(Array.from({ length: count }, (_, at) => hypha.home.put(key(from + at), { n: from + at, text: "x".repeat(300) })));
}, from, count);

/** A reader that notes when the first entry came, and which ways its messages went. */
const reader = (tab, options) => tab.run(async (options) => {
  const { Hypha } = await import("/pkg/index.js");
  const start = performance.now();
  globalThis.hypha = await Hypha.open({ storage: "memory", ...options });
  globalThis.paths = [];
  globalThis.first = undefined;
  globalThis.held = () => Object.values(hypha.home?.clock() ?? {}).reduce((sum, length) => sum + length, 0);
  const look = () => {
    const peer = hypha.peers().find(({ state }) => state === "open");
    if (peer && paths.at(-1) !== peer.path) paths.push(peer.path);
    if (held() > 1) first ??= performance.now() - start;
  };
  hypha.addEventListener("peer", look);
  // One looks at a time: the one before would measure from its own start.
  clearInterval(globalThis.looking);
  globalThis.looking = setInterval(look, 5);
}, options);

const held = (tab) => tab.run(() => held());
const path = (tab) => tab.run(() => hypha.peers().find(({ state }) => state === "open")?.path);
const frames = (tab) => tab.run(() => hypha.peers().find(({ state }) => state === "open")?.frames);
const peers = (tab) => tab.run(() => JSON.stringify(hypha.peers().map(({ path, state, frames }) => ({ path, state, frames }))));

const comes = (tab, what, timeout = 120_000) => until(`the path ${what}`, async () => (await path(tab)) === what, { timeout, told: () => peers(tab) });
const has = (tab, count, timeout = 120_000) => until(`${count} entries`, async () => (await held(tab)) >= count, { timeout, told: async () => `${await held(tab)} and ${await peers(tab)}` });

/** Every entry once and in order, and both ends have counted the same frames. */
async function whole(a, b, count) {
  const numbers = await b.run(async () => {
    await hypha.home.sync();
    const numbers = [];
    for await (const { value } of hypha.home.list({ prefix: "entries/" })) numbers.push(value.n);
    return numbers;
  });
  assert.equal(numbers.length, count);
  assert.ok(numbers.every((n, at) => n === at), "in order");
  return until("the same frames at both ends", async () => {
    const [one, two] = [await frames(a), await frames(b)];
    return one?.sent === two?.received && two?.sent === one?.received && { one, two };
  }, { told: async () => JSON.stringify([await frames(a), await frames(b)]) });
}

test("a sync of 10,000 entries begins on the hub, goes direct, survives blocked UDP and goes direct again", scenario(async (w, t) => {
  const { networks, hub, plain, a, b } = await twoNetworks(w);
  const link = await origin(a, { hubs: [hub] });
  await write(a, 0, 10_000);

  // On the hub alone at first, then on a narrow way: so that each is under way when the next begins, on a fast machine too.
  networks.cut();
  await reader(b, { hubs: [hub], link });
  await has(b, 2);
  networks.narrow(300);
  await comes(b, "direct");
  const wentDirect = await held(b);
  // Whatever the hub has brought by then, much is still to come.
  let total = 10_000;
  if (total < wentDirect + MIDDLE) {
    const more = wentDirect + MIDDLE - total;
    await write(a, total, more);
    total += more;
  }
  await has(b, wentDirect + 200);
  networks.cut();
  const cutAt = Date.now();
  const before = await held(b);
  assert.ok(before < total, `cut in the middle, not after ${before} entries`);
  await comes(b, "relay");
  const fellBack = Date.now() - cutAt;
  await has(b, total);
  const [overRelay, firstOverRelay, paths] = [Date.now() - cutAt, await b.run(() => first), await b.run(() => paths)];
  // A machine that stalls for seconds may go to and fro once more; no other way is ever taken.
  assert.match(paths.join(" "), /^relay( direct relay)+$/);

  networks.direct();
  const opened = Date.now();
  await Promise.all([comes(a, "direct"), comes(b, "direct")]);
  const back = Date.now() - opened;
  await write(a, total, 50);
  await has(b, total + 51);
  const { one, two } = await whole(a, b, total + 50);
  assert.ok(one.moves >= 3 && two.repeated <= one.resent, JSON.stringify({ one, two }));

  // How long the first entry takes: over a hub that carries data, and over one that does not.
  const took = {};
  for (const [name, url] of [["over the hub", hub], ["without it", plain]]) {
    await b.run(() => hypha.close());
    await a.run(() => hypha.close());
    const other = await origin(a, { hubs: [url] });
    await write(a, 0, 10);
    await reader(b, { hubs: [url], link: other });
    await has(b, 11);
    assert.equal((await b.run(() => paths))[0], name === "without it" ? "direct" : "relay");
    took[name] = `${Math.round(await b.run(() => first))} ms ${name}`;
  }
  t.diagnostic(`first entry: ${Object.values(took).join(", ")}; of the ${total} after ${Math.round(firstOverRelay)} ms`);
  t.diagnostic(`direct after ${wentDirect} entries, cut after ${before}: on the hub again ${fellBack} ms later, all there ${overRelay} ms later; direct ${back} ms after UDP passed again`);
  t.diagnostic(`frames: ${JSON.stringify({ sent: one.sent, resent: one.resent, moves: one.moves, repeated: two.repeated })}`);
}));

test("a TURN server connects what two address translators keep apart", scenario(async (w, t) => {
  const { networks, plain, a, b } = await twoNetworks(w);
  networks.nat();
  const iceServers = await networks.turn();
  const link = await origin(a, { hubs: [plain] });
  await write(a, 0, 20);
  // Without it they do not meet.
  await reader(b, { hubs: [plain], link });
  await until("a try", () => b.run(() => hypha.peers().length > 0), { told: () => peers(b) });
  await new Promise((resolve) => setTimeout(resolve, 4_000));
  assert.equal(await held(b), 0);
  assert.equal(await path(b), undefined);
  await b.run(() => hypha.close());
  await a.run(() => hypha.close());

  const again = await origin(a, { hubs: [plain], iceServers });
  await write(a, 0, 20);
  await reader(b, { hubs: [plain], link: again, iceServers });
  await has(b, 21);
  await Promise.all([comes(a, "turn"), comes(b, "turn")]);
  await whole(a, b, 20);
  t.diagnostic(`first entry through TURN after ${Math.round(await b.run(() => first))} ms`);
}));

test("a network that goes away and comes back, and a browser that sleeps", scenario(async (w, t) => {
  const { networks, hub, plain, a, b, browsers } = await twoNetworks(w);
  const link = await origin(a, { hubs: [plain] });
  await reader(b, { hubs: [plain], link });
  await write(a, 0, 5);
  await has(b, 5);
  await comes(b, "direct");
  const session = await frames(b);

  // The cable is out for a moment, then for longer than ICE bears: what was written meanwhile comes.
  networks.cable("b", false);
  await write(a, 5, 5);
  await new Promise((resolve) => setTimeout(resolve, 7_000));
  assert.ok((await held(b)) < 11, "nothing came meanwhile");
  networks.cable("b", true);
  const plugged = Date.now();
  await has(b, 11, 40_000);
  const after = Date.now() - plugged;
  assert.ok((await frames(b)).received > session.received, "the same session: nothing was torn down");

  // Stopped by the machine, as a closed lid does.
  browsers.b.signal("SIGSTOP");
  await write(a, 10, 5);
  await new Promise((resolve) => setTimeout(resolve, 4_000));
  browsers.b.signal("SIGCONT");
  const woke = Date.now();
  await has(b, 16);
  t.diagnostic(`entries ${after} ms after the cable was back, ${Date.now() - woke} ms after the browser woke up`);

  // A page that the browser freezes.
  const devtools = await b.page.createCDPSession();
  await devtools.send("Page.setWebLifecycleState", { state: "frozen" });
  await write(a, 15, 5);
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  await devtools.send("Page.setWebLifecycleState", { state: "active" });
  await has(b, 21);
  await whole(a, b, 20);

  // And over a hub that carries data, with WebRTC switched off, the hub is the way for good.
  await b.run(() => hypha.close());
  await a.run(() => hypha.close());
  const other = await origin(a, { hubs: [hub], transports: { webrtc: false } });
  await write(a, 0, 200);
  await reader(b, { hubs: [hub], link: other });
  await has(b, 201);
  assert.equal(await path(b), "relay");
  await whole(a, b, 200);
}));
