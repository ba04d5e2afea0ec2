// Guards what tabs of one node tell each other: each knows what came of its own calls, none misses what happened while
// another one ran the node, and whatever waits ends when the node does.

import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import test from "node:test";
import { scenario } from "./harness.mjs";
import { leads, opened, signUp, tabs } from "./lib/shared.mjs";

const HANG_MS = 6000; // until another tab has taken over for certain

/** That many tabs without hubs on a bare page, each with the options that `of(n)` adds; the first one leads. `before` runs in each. */
async function bare(w, count, of = () => ({}), before = () => {}) {
  const server = await w.server();
  const browser = await w.browser("chrome");
  const all = [];
  for (let n = 0; n < count; n++) {
    const tab = await browser.open(new URL("/icon.svg", server.url).href);
    await tab.run(before);
    all.push(await opened(tab, { name: "handed over", hubs: [], snapshot: false, transports: { tabs: false }, ...of(n) }));
  }
  return all;
}

/** Has a tab stand still, and then do something. */
const hang = (tab, then = "") => tab.run((ms, then) => {
  for (const end = performance.now() + ms; performance.now() < end;);
  return eval(then);
}, HANG_MS, then);

/** Run in a tab: the browser says late that it was robbed. */
function lateLoss() {
  const real = LockManager.prototype.request;
  LockManager.prototype.request = (...given) => real.apply(navigator.locks, given).catch(async (error) => {
    await new Promise((resolve) => setTimeout(resolve, 500));
    throw error;
  });
}

test("what a tab wrote last stays, also when it was robbed in the middle", scenario(async (w) => {
  const { all: [one, two] } = await tabs(w, 2);
  await signUp(one);
  await two.page.bringToFront();
  // The first finds out by the database, the second once the browser has said so.
  await hang(one, `Promise.all([node.home.put("k", 1), new Promise((done) => setTimeout(() => done(node.home.put("k", 2))))])`);
  assert.deepEqual([await leads(one), await leads(two)], [false, true]);
  assert.equal(await two.run(async () => (await node.home.get("k")).value), 2);
  assert.equal(await one.run(async () => (await node.home.get("k")).value), 2);
}));

test("a tab that was robbed to and fro finds the one that leads", scenario(async (w) => {
  const { all: [one, two] } = await tabs(w, 2);
  await signUp(one);
  // By then the other has said that it leads.
  await two.run(lateLoss);
  await two.page.bringToFront();
  await hang(one);
  await one.run(() => until("following", async () => !(await leads()) && node.home.put("one", 1)));
  assert.equal(await leads(two), true);
  await one.page.bringToFront();
  await hang(two);
  const outcome = await two.run(() => Promise.race([
    node.home.put("two", 2).then(() => "written", ({ code }) => code),
    new Promise((resolve) => setTimeout(() => resolve("never answered"), 20_000)),
  ]));
  assert.equal(outcome, "written");
  assert.deepEqual([await leads(one), await leads(two)], [true, false]);
}));

test("what a tab was asked for that had been robbed is done by the one that robbed it", scenario(async (w) => {
  // The one finds out by the database first, and the third hears late who leads now.
  const [one, two, three] = await bare(w, 3, () => ({}), lateLoss);
  await signUp(one);
  await three.run(() => until("a writer", () => node.state === "writer"));
  await two.run((ms) => {
    const say = BroadcastChannel.prototype.postMessage;
    BroadcastChannel.prototype.postMessage = function (message) {
      setTimeout(() => say.call(this, message), message.type === "lead" ? ms : 0);
    };
  }, 2 * HANG_MS);
  await two.page.bringToFront();
  const hanging = hang(one);
  const put = three.run(() => node.home.put("asked", 1).then(() => "written", ({ code }) => code));
  await hanging;
  assert.equal(await put, "written");
  assert.deepEqual([await leads(one), await leads(two)], [false, true]);
}));

test("what a call brought about is known in the tab that made it, and in the others", scenario(async (w) => {
  const [one, two, three] = await bare(w, 3);
  for (const tab of [one, three]) {
    await tab.run(() => {
      window.told = [];
      node.addEventListener("request", () => told.push(node.signingIn?.words.length));
    });
  }
  assert.equal(await two.run(async () => (await node.signIn(await Hypha.generatePassphrase(), { device: "Second" })).words.length), 4);
  for (const tab of [one, three]) await tab.run(() => until("told of the words", () => told.includes(4)));
  const known = await two.run(async () => {
    await node.addHub("ws://127.0.0.1:9/");
    return hubs();
  });
  assert.deepEqual(known, ["ws://127.0.0.1:9/"]);
}));

test("what waits for something to come ends when its space is left, and with the node", scenario(async (w) => {
  const [one, two] = await bare(w, 2);
  await signUp(one);
  await one.run(async () => {
    window.ended = [];
    const wait = async (name, space) => {
      for await (const { key } of space.history({ live: true })) void key;
      ended.push(name);
    };
    const other = await node.createSpace({ title: "other" });
    wait("other", other);
    wait("home", node.home);
    await other.put("k", 1);
  });
  await two.run(async () => {
    await until("the other", () => node.spaces().length === 2);
    await node.spaces().find(({ key }) => key !== node.home.key).leave();
  });
  await one.run(() => until(`ended: ${ended}`, () => ended.includes("other")));
  assert.deepEqual(await one.run(() => ended), ["other"]);
  await one.run(() => node.close());
  await one.run(() => until("ended", () => ended.includes("home")));
  // A node in one tab alone, too.
  const alone = await two.run(async () => {
    const alone = await Hypha.open({ storage: "memory", hubs: [] });
    await alone.signUp(await Hypha.generatePassphrase(), { device: "Alone" });
    const live = alone.home.history({ live: true });
    const next = (async () => {
      for await (const one of live) void one;
      return "ended";
    })();
    await alone.home.put("k", 1);
    await alone.close();
    return Promise.race([next, new Promise((resolve) => setTimeout(() => resolve("waits"), 5000))]);
  });
  assert.equal(alone, "ended");
}));

test("a node that another tab destroys ends what waits in this one", scenario(async (w) => {
  const [one, two] = await bare(w, 2);
  await one.run(async () => void await node.signIn(await Hypha.generatePassphrase(), { device: "Waits" }));
  for (const tab of [one, two]) {
    await tab.run(async () => {
      await until("asking", () => node.signingIn);
      window.ended = node.signingIn.granted.then(() => "granted", ({ code }) => code);
    });
  }
  await two.run(() => node.destroy());
  for (const tab of [one, two]) {
    assert.equal(await tab.run(() => Promise.race([ended, new Promise((resolve) => setTimeout(() => resolve("waits"), 5000))])), "CLOSED");
  }
}));

const [X, Y, Z] = Array.from("XYZ", () => `hypha://${Buffer.from(generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" }).x, "base64url").toString("hex")}`);

test("options are checked in every tab, and do not come back when another one takes over", scenario(async (w) => {
  const [one, two] = await bare(w, 2, () => ({ link: X }));
  const codes = await two.run(async () => {
    const code = (options) => Hypha.open({ name: "handed over", hubs: [], ...options }).then((node) => node.close().then(() => "none"), ({ code }) => code);
    return Promise.all([{ link: "hypha://0123" }, { maxPeers: 1.5 }, { quota: -1 }, { hubs: [7] }, {}].map(code));
  });
  assert.deepEqual(codes, ["BAD_LINK", "BAD_INPUT", "BAD_INPUT", "BAD_INPUT", "none"]);
  assert.equal(await two.run(async (link) => (await node.pin(link)).link, Y), Y);
  await one.run(() => node.close());
  await two.run(() => until("taken over", leads));
  assert.equal(await two.run(() => node.home.link), Y);
}));

test("a link that is given in another tab counts as in the first one", scenario(async (w) => {
  const [one, two] = await bare(w, 2, (n) => ({ link: [X, Z][n] }));
  for (const tab of [two, one]) await tab.run((link) => until("the other space", () => node.home.link === link), Z);
  // A device stays what it is, and says so.
  const [first] = await bare(w, 1);
  await signUp(first);
  const told = await first.run(async (link) => {
    const home = node.home.link;
    const other = await Hypha.open({ name: "handed over", hubs: [], link });
    const error = await new Promise((resolve) => other.addEventListener("error", ({ detail }) => resolve(detail.code), { once: true }));
    return [error, other.home.link === home];
  }, X);
  assert.deepEqual(told, ["PINNED", true]);
}));

test("a tab that runs another version is said to be the one to reload", scenario(async (w) => {
  const [, two] = await bare(w, 2, () => ({}), () => {
    const real = fetch;
    window.fetch = async (...given) => (/core_rest/.test(String(given[0])) ? new Response("", { status: 404 }) : real(...given));
  });
  const refused = await two.run(() => node.createSpace().then(() => "done", ({ code, message }) => `${code} ${message}`));
  assert.match(refused, /^UPDATE another tab of this site runs another version/);
}));
