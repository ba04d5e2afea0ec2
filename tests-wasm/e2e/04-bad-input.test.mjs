// Guards that whatever is wrong, a person's typing, a host, a hub, another tab, is said clearly where it was met, and
// that nothing is lost and nothing else stops.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import test from "node:test";
import { WebSocketServer } from "ws";
import { scenario } from "./harness.mjs";
import { address, fillSignIn, inState, post, reads, setUp } from "./lib/person.mjs";
import { until } from "./lib/wait.mjs";

/** A server on a free port that ends with the test. */
async function listening(w, server, close) {
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  w.keep({ stop: () => new Promise((resolve) => close(resolve)) });
  return server.address().port;
}

test("what a person types wrong is said where it was typed", scenario(async (w) => {
  const server = await w.server();
  const tab = await (await w.browser("firefox")).open(server.url);
  await inState(tab, "uninitialised");

  // A damaged link.
  await tab.click("open-link");
  await tab.type("link-input", "hypha://0123");
  await tab.click("link-submit");
  await tab.byId("trouble");
  await tab.waitSeen(/64/);
  await tab.click("without-link");
  await inState(tab, "uninitialised");

  // A name of 10,000 emoji; the words stay, and a shorter name is taken.
  await tab.click("start");
  const words = (await tab.waitText("passphrase", (text) => text.split(" ").length === 8)).split(" ");
  for (const id of ["confirm-word-1", "confirm-word-2"]) {
    await tab.type(id, words[Number(await tab.attribute(id, "data-index")) - 1]);
  }
  await tab.run(() => {
    const name = document.querySelector("[data-testid=device-name]");
    name.value = "😀".repeat(10_000);
    name.dispatchEvent(new Event("input", { bubbles: true }));
  });
  await tab.click("create");
  await tab.waitSeen(/at most 64|shorter/i);
  assert.deepEqual((await tab.textOf("passphrase")).split(" "), words);
  await tab.type("device-name", "a short name");
  await tab.click("create");
  await inState(tab, "writer", { timeout: 120_000 });
}));

test("a passphrase with a typo names the word", scenario(async (w) => {
  const server = await w.server();
  const origin = await (await w.browser("chrome")).open(server.claim);
  const words = await setUp(origin, { device: "first" });
  const visitor = await (await w.browser("firefox")).open(server.url);
  await inState(visitor, "visitor");
  await fillSignIn(visitor, ["abacuss", ...words.slice(1)], "second");
  await visitor.waitSeen(/abacuss.*abacus/s);
  await fillSignIn(visitor, words.slice(2), "second");
  await visitor.waitSeen(/8/);
  await inState(visitor, "visitor");
}));

test("a host that answers with a web page is said to, and the link opens all the same", scenario(async (w) => {
  const server = await w.server();
  const origin = await (await w.browser("chrome")).open(address(server.url, { hub: server.hub }));
  await inState(origin, "uninitialised");
  await setUp(origin, { device: "first" });
  await post(origin, "read me");
  const link = await origin.textOf("link");

  const browser = await w.browser("chrome");
  const tab = await browser.open("about:blank");
  await tab.page.setRequestInterception(true);
  tab.page.on("request", (request) => (request.url().endsWith("/.well-known/dat")
    ? request.respond({ status: 200, contentType: "text/html", body: "<!doctype html><title>Not found</title>" })
    : request.continue()));
  await tab.goto(server.url);
  await tab.waitSeen(/web page/);
  await tab.goto(address(server.url, { link, hub: server.hub }));
  await inState(tab, "visitor");
  await reads(tab, ["read me"]);
}));

test("a host that names another diary later is not followed until the person says so", scenario(async (w) => {
  const server = await w.server();
  const query = { hub: server.hub };
  const links = [];
  for (const text of ["the one that was here first", "the other one"]) {
    const origin = await (await w.browser("chrome")).open(address(server.url, query));
    await setUp(origin, { device: "first" });
    await post(origin, text);
    links.push(await origin.textOf("link"));
  }
  const tab = await (await w.browser("chrome")).open("about:blank");
  let named = links[0];
  await tab.page.setRequestInterception(true);
  tab.page.on("request", (request) => (request.url().endsWith("/.well-known/dat")
    ? request.respond({ status: 200, contentType: "text/plain", body: `${named}\nTTL=0\n` })
    : request.continue()));
  await tab.goto(address(server.url, query));
  await reads(tab, ["the one that was here first"]);
  named = links[1];
  await tab.reload();
  await tab.byId("changed");
  await reads(tab, ["the one that was here first"]);
  await tab.click("keep-pinned");
  await tab.waitGone("changed");
  await tab.reload();
  await tab.click("take-new");
  await tab.waitText("post-item", "the other one");
  await reads(tab, ["the other one"]);
  await tab.waitGone("changed");
}));

test("values that cannot be stored are refused with their place, and the others stand", scenario(async (w) => {
  const server = await w.server();
  const tab = await (await w.browser("chrome")).open(server.url);
  await inState(tab, "uninitialised");
  const results = await tab.run(async () => {
    const { Hypha, HyphaError } = await import("/pkg/index.js");
    const hypha = await Hypha.open({ name: "values", storage: "memory", hubs: [] });
    await hypha.signUp(await Hypha.generatePassphrase(), { device: "values" });
    const cycle = { deep: [] };
    cycle.deep.push(cycle);
    let nested = null;
    for (let i = 0; i < 100; i++) nested = [nested];
    const bad = { function: { a: [1, () => 1] }, cycle, large: "x".repeat(2 * 1024 * 1024), symbol: Symbol("s"), surrogate: "\ud800",
      nested, huge: 2n ** 70n, undefined };
    const said = {};
    for (const [name, value] of Object.entries(bad)) {
      said[name] = await hypha.home.put("bad", value).then(() => "stored", (error) =>
        error instanceof HyphaError ? `${error.code}: ${error.message}` : `not ours: ${error}`);
    }
    const good = { text: "ä", list: [1, -0, 1.5, 2n ** 60n, null, true], when: new Date(5), bytes: new Uint8Array([1, 2]) };
    await hypha.home.put("good", good);
    said.good = (await hypha.home.get("good")).value;
    said.goodOk = JSON.stringify(said.good, (_, v) => (typeof v === "bigint" ? `${v}n` : v instanceof Uint8Array ? [...v] : v));
    delete said.good;
    said.bad = (await hypha.home.get("bad")) === undefined;
    await hypha.close();
    return said;
  });
  for (const name of ["function", "cycle", "symbol", "surrogate", "nested", "huge", "undefined"]) {
    assert.match(results[name], /^BAD_INPUT: /, name);
  }
  assert.match(results.function, /a\[1\]/, "the message names the place");
  assert.match(results.large, /^TOO_LARGE: /);
  assert.equal(results.bad, true);
  assert.deepEqual(JSON.parse(results.goodOk), { text: "ä", list: [1, 0, 1.5, `${2n ** 60n}n`, null, true], when: new Date(5).toJSON(), bytes: [1, 2] });
}));

test("what a program gives wrong is refused, and never read as something else", scenario(async (w) => {
  const server = await w.server();
  const tab = await (await w.browser("chrome")).open(server.url);
  const said = await tab.run(async () => {
    const { Hypha, HyphaError } = await import("/pkg/index.js");
    const hypha = await Hypha.open({ name: "wrong", storage: "memory", hubs: [] });
    await hypha.signUp(await Hypha.generatePassphrase(), { device: "wrong" });
    const { home } = hypha;
    await home.put("post/1", 1);
    const all = async (list) => {
      const found = [];
      for await (const { key } of list()) found.push(key);
      return `found ${found}`;
    };
    const soon = Date.now() + 3600e3;
    const tries = {
      "a prefix by itself": () => all(() => home.list("post/")),
      "no range": () => all(() => home.list(null)),
      "no limit": () => all(() => home.list({ limit: null })),
      "a limit below nothing": () => all(() => home.list({ limit: -1 })),
      "a limit as text": () => all(() => home.list({ limit: "500" })),
      "a limit in an old view": () => all(() => home.checkout(home.clock()).list({ limit: 0.5 })),
      "a time as a number": () => home.invite({ expires: soon }),
      "a time as text": () => home.invite({ expires: new Date(soon).toJSON() }),
      "a time that is none": () => home.invite({ expires: null }),
      "a wait as text": () => home.sync({ timeout: "x" }),
    };
    const said = {};
    for (const [name, attempt] of Object.entries(tries)) {
      said[name] = await attempt().then((found) => `taken: ${found}`, (error) => (error instanceof HyphaError ? `${error.code} ${error.message}` : `not ours: ${error}`));
    }
    const good = [await all(() => home.list()), await all(() => home.list({ limit: 1 })), await all(() => home.list({ limit: 0 })), await all(() => home.list({ limit: Infinity }))];
    await home.invite({ expires: new Date(soon) });
    await home.invite();
    good.push(home.invites().map(({ expires }) => expires - soon).sort());
    await home.sync({ timeout: -1 }).catch(() => {});
    const detail = new Promise((resolve) => hypha.addEventListener("spaces", (event) => resolve(event.detail), { once: true }));
    await hypha.createSpace();
    good.push(await detail);
    await hypha.close();
    return { said, good };
  });
  for (const [name, text] of Object.entries(said.said)) {
    assert.match(text, /^BAD_INPUT .*(list takes an object|limit must be a whole number|expires must be a date|timeout must be a number)/, name);
  }
  assert.deepEqual(said.good, ["found post/1", "found post/1", "found ", "found post/1", [0, null], null]);
}));

test("a write answers with what was written, as a copy that whoever wrote it cannot change any more", scenario(async (w) => {
  const server = await w.server();
  const tab = await (await w.browser("chrome")).open(server.url);
  await inState(tab, "uninitialised");
  const results = await tab.run(async () => {
    const { Hypha } = await import("/pkg/index.js");
    const hypha = await Hypha.open({ name: "answers", storage: "memory", hubs: [] });
    await hypha.signUp(await Hypha.generatePassphrase(), { device: "answers" });
    const plain = (_, v) => (v instanceof Uint8Array ? [...v] : v);
    const same = async (entries) => {
      for (const entry of entries) {
        const read = await hypha.home.get(entry.key);
        if (JSON.stringify(entry, plain) !== JSON.stringify(read, plain)) return JSON.stringify([entry, read], plain);
      }
      return "same";
    };
    // In one turn: batches that need not come back, and some that must; very many, so that there are several buffers.
    const given = Array.from({ length: 3000 }, (_, n) => new Uint8Array(400).fill(n));
    const values = ["ä😀", "", "x".repeat(300), new Uint8Array(0), 1.5, null, { b: "2", a: given[5] }, ["x"]];
    const writes = [
      ...given.map((value, n) => hypha.home.put(`bytes/${n}`, value).then((entry) => [entry])),
      ...values.map((value, n) => hypha.home.put(`one/ö${n}`, value).then((entry) => [entry])),
      hypha.home.batch(values.slice(0, 4).map((value, n) => ({ type: "put", key: `kept/${n}`, value, private: n === 1 }))),
      hypha.home.batch(values.map((value, n) => ({ type: "put", key: `mixed/${n}`, value }))),
      hypha.home.put("", "refused").catch(({ code }) => code),
      hypha.home.put("last", "of all").then((entry) => [entry]),
    ];
    for (const value of given) value.fill(0xff);
    const answers = await Promise.all(writes);
    const refused = answers.splice(-2, 1)[0];
    const equal = await same(answers.flat().filter((_, n) => n % 100 < 3 || n >= 2900));
    const bytes = answers.slice(0, 3000).map(([{ value }]) => value);
    const own = bytes.every((value, n) => value.length === 400 && value.every((byte) => byte === (n & 255)) && value.buffer.byteLength === 400);
    // Of two values of one key the last stands; a removal has none.
    const twice = await hypha.home.batch([{ type: "put", key: "t", value: "first" }, { type: "put", key: "t", value: "second" }, { type: "delete", key: "last" }]);
    const read = await hypha.home.get("t");
    await hypha.close();
    return { refused, equal, own, twice: twice.map(({ key, value }) => [key, value ?? null]), versions: twice.slice(0, 2).every(({ version }) => version === read.version), stands: read.value };
  });
  assert.deepEqual(results, { refused: "BAD_INPUT", equal: "same", own: true, twice: [["t", "first"], ["t", "second"], ["last", null]], versions: true, stands: "second" });
}));

test("a hub that is down, one that talks garbage and one that is none do no harm", scenario(async (w) => {
  const server = await w.server();
  const good = await w.hub("embedded");
  const garbage = new WebSocketServer({ noServer: true });
  garbage.on("connection", (socket) => {
    socket.on("message", () => {
      for (const text of ["<html>", "{", "null", '{"type":"publish"}', '{"type":"publish","topic":7,"d":"!!"}', "\u0000".repeat(1000)]) socket.send(text);
      socket.send(Buffer.from([0, 255, 1, 2, 3]));
    });
  });
  const garbageServer = createServer();
  garbageServer.on("upgrade", (request, socket, head) => garbage.handleUpgrade(request, socket, head, (ws) => garbage.emit("connection", ws)));
  const garbagePort = await listening(w, garbageServer, (done) => {
    garbage.clients.forEach((client) => client.terminate());
    garbageServer.close(done);
  });
  const nothing = createServer((_, answer) => answer.end("hello"));
  const nothingPort = await listening(w, nothing, (done) => nothing.close(done));
  const hub = [`ws://127.0.0.1:${garbagePort}`, `ws://127.0.0.1:${nothingPort}`, "ws://127.0.0.1:9", good.url];

  const origin = await (await w.browser("chrome")).open(address(server.claim, { hub }));
  await setUp(origin, { device: "first" });
  await post(origin, "in spite of all");
  const visitor = await (await w.browser("firefox")).open(address(server.url, { hub }));
  await inState(visitor, "visitor");
  await reads(visitor, ["in spite of all"]);
  // Each hub is shown as what it is.
  const states = await until("the good hub to be open", async () => {
    const states = await origin.run(() => Object.fromEntries([...document.querySelectorAll("[data-testid=hubs] > [data-url]")].map((hub) => [hub.dataset.url, hub.dataset.state])));
    return states[good.url] === "open" && states;
  }, { told: () => origin.seen() });
  for (const url of hub.slice(0, 3)) assert.notEqual(states[url], undefined, url);
  assert.notEqual(states["ws://127.0.0.1:9"], "open");
}));

test("a hub that repeats, alters and invents messages is not believed", scenario(async (w) => {
  const server = await w.server();
  // The y-webrtc protocol with a liar in it: it sees topics, and sends each of them old, altered and made-up messages.
  const topics = new Map();
  const liar = new WebSocketServer({ noServer: true });
  const seen = [];
  liar.on("connection", (socket) => socket.on("message", (data) => {
    const message = JSON.parse(data);
    if (message.type === "ping") socket.send('{"type":"pong"}');
    for (const topic of message.type === "subscribe" ? message.topics : []) topics.set(topic, (topics.get(topic) ?? new Set()).add(socket));
    if (message.type !== "publish") return;
    seen.push(message);
    const altered = Object.fromEntries(Object.entries(message).map(([name, value]) => [name, typeof value === "string" && value.length > 40 && name !== "topic" ? value.slice(0, -9) + "AAAAAAAAA" : value]));
    for (const peer of topics.get(message.topic) ?? []) {
      for (const one of [altered, ...seen.slice(-20), { ...message, topic: message.topic, d: "AAAA" }, message]) peer.send(JSON.stringify(one));
    }
  }));
  const http = createServer();
  http.on("upgrade", (request, socket, head) => liar.handleUpgrade(request, socket, head, (ws) => liar.emit("connection", ws)));
  const port = await listening(w, http, (done) => {
    liar.clients.forEach((client) => client.terminate());
    http.close(done);
  });
  const hub = `y-webrtc+ws://127.0.0.1:${port}`;
  const origin = await (await w.browser("chrome")).open(address(server.claim, { hub }));
  await setUp(origin, { device: "first" });
  await post(origin, "unharmed");
  const visitor = await (await w.browser("chrome")).open(address(server.url, { hub }));
  await reads(visitor, ["unharmed"]);
  await post(origin, "still there");
  await reads(visitor, ["unharmed", "still there"]);
  assert.ok(seen.length > 2);
}));

test("a tab that shouts nonsense at the others is not heard", scenario(async (w) => {
  const server = await w.server();
  const browser = await w.browser("chrome");
  const tab = await browser.open(server.claim);
  await setUp(tab, { device: "first" });
  const other = await browser.open(new URL("/pkg/package.json", server.url).href);
  const channels = await other.run(async () => {
    // The channel of all nodes of this browser, and those on which tabs of one database call each other.
    const names = ["hypha/v1", ...(await indexedDB.databases()).map(({ name }) => `hypha/node/${name}`)];
    for (const name of names) {
      const channel = new BroadcastChannel(name);
      for (let i = 0; i < 200; i++) {
        channel.postMessage(crypto.getRandomValues(new Uint8Array(i * 3)));
        channel.postMessage({ nonsense: i, id: "x", call: "put" });
        channel.postMessage(null);
        channel.postMessage("text");
      }
    }
    return names.length;
  });
  assert.ok(channels > 1);
  await tab.page.bringToFront(); // a tab behind another one does not paint, so nothing in it can be clicked
  await post(tab, "as if nothing were");
  await tab.reload();
  await reads(tab, ["as if nothing were"]);
}));

for (const [what, code] of [
  ["is not there", () => Object.defineProperty(globalThis, "indexedDB", { get: () => undefined })],
  ["cannot be opened", () => {
    IDBFactory.prototype.open = () => {
      throw new DOMException("A mutation operation was attempted on a database that did not allow mutations.", "InvalidStateError");
    };
  }],
]) {
  test(`IndexedDB ${what} (a private window): the page says so and goes on in memory`, scenario(async (w) => {
    const server = await w.server();
    const tab = await (await w.browser("chrome")).open("about:blank");
    await tab.page.evaluateOnNewDocument(code);
    await tab.goto(server.claim);
    assert.equal(await tab.attribute("trouble", "data-code"), "STORAGE");
    await tab.waitSeen(/private window/);
    await tab.click("use-memory");
    await inState(tab, "uninitialised");
    await setUp(tab, { device: "for now" });
    await post(tab, "gone when this tab is");
  }));
}
