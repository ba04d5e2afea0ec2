// Guards one node for all tabs: every tab has the whole API, and whatever happens to the tab that runs the node,
// nothing is lost, doubled or asked twice.

import assert from "node:assert/strict";
import test from "node:test";
import { scenario } from "./harness.mjs";
import { leads, length, opened, signUp, tabs } from "./lib/shared.mjs";

const MANY = 100;

/** Ends the process of a tab. */
async function crash(tab) {
  const session = await tab.page.createCDPSession();
  session.send("Page.crash").catch(() => {});
}

/** How long this machine takes now, on the average, to open a node on an empty database, in ms: what a take-over is measured by where many run. */
const opening = (tab) => tab.run(async () => {
  let took = 0;
  const times = 5;
  for (let i = 0; i < times; i++) {
    const start = performance.now();
    const other = await Hypha.open({ name: "measured" });
    took += performance.now() - start;
    await other.destroy();
  }
  return took / times;
});

/** Writes `count` values one after another under a prefix; the versions that the promises gave. */
const write = (tab, prefix, count) => tab.run(async (prefix, count) => {
  const versions = [];
  for (let i = 0; i < count; i++) versions.push((await node.home.put(`${prefix}/${i}`, i)).version);
  return versions;
}, prefix, count);

/** That each of `versions` is one entry and each entry one of them. */
async function whole(tab, prefix, versions, before) {
  assert.equal(new Set(versions).size, versions.length, "a promise gave what another had given");
  const found = await tab.run(async (prefix) => {
    const found = [];
    for await (const { version, key, value } of node.home.list({ prefix: `${prefix}/` })) found.push({ version, right: key.endsWith(`/${value}`) });
    return found;
  }, prefix);
  assert.deepEqual(found.map(({ version }) => version).sort(), [...versions].sort());
  assert.ok(found.every(({ right }) => right));
  assert.equal(await length(tab), before + versions.length, "entries in the feed");
}

test("every tab sees the same and may do everything", scenario(async (w) => {
  const { all: [one, two] } = await tabs(w, 2);
  assert.deepEqual([await leads(one), await leads(two)], [true, false]);
  await signUp(two);
  for (const tab of [one, two]) {
    await tab.run(() => until("a writer", () => node.state === "writer"));
    await tab.run(() => {
      window.seen = [];
      node.home.watch("a/", (changes) => seen.push(...changes.map(({ key, value }) => `${key} ${typeof value}`)));
    });
  }
  const kinds = await two.run(async () => {
    const { value, time, mine } = await node.home.put("a/1", { big: 2n ** 60n, bytes: new Uint8Array([1]), when: new Date(3) });
    await node.home.delete("a/1");
    return [typeof value.big, value.bytes instanceof Uint8Array, value.when.getTime(), time instanceof Date, mine];
  });
  assert.deepEqual(kinds, ["bigint", true, 3, true, true]);
  for (const tab of [one, two]) await tab.run(() => until("the removal", () => seen.at(-1) === "a/1 undefined"));
  const codes = await two.run(async () => {
    const code = (work) => work().then(() => "none", ({ constructor, code }) => `${constructor.name} ${code}`);
    return [await code(() => node.home.put("f", { f() {} })), await code(() => node.home.put("", 1)), await code(() => node.unlock("abacus"))];
  });
  assert.deepEqual(codes, Array(3).fill("HyphaError BAD_INPUT"));
}));

test("ten tabs that write at once make one feed with every write in it", scenario(async (w) => {
  const { all } = await tabs(w, 10);
  await signUp(all[4]);
  for (const tab of all) await tab.run(() => until("a writer", () => node.state === "writer"));
  const before = await length(all[9]);
  // All of them, the one that leads too; it goes away in the middle, and the next one after it.
  const each = 40;
  const writing = all.map((tab, at) => tab.run(async (at, each) => {
    const versions = await Promise.all(Array.from({ length: each }, (_, n) => node.home.put(`ten/${at}/${n}`, n).then(({ version }) => version)));
    for (let n = each; n < 2 * each; n++) versions.push((await node.home.put(`ten/${at}/${n}`, n)).version);
    return versions;
  }, at, each).catch((error) => (at < 2 ? [] : Promise.reject(error))));
  for (const leader of [0, 1]) {
    await all[9].run((key) => until("some", async () => (await node.home.get(key)) !== undefined), `ten/${5 + leader}/${each + 3}`);
    await all[leader].close();
  }
  const versions = (await Promise.all(writing.slice(2))).flat();
  assert.equal(new Set(versions).size, 8 * 2 * each, "a promise gave what another had given");
  const found = await all[9].run(async () => {
    const found = [];
    for await (const { version, key, value } of node.home.list({ prefix: "ten/" })) found.push({ version, tab: Number(key.split("/")[1]), right: key.endsWith(`/${value}`) });
    return { found, writers: node.home.writers().length };
  });
  assert.equal(found.writers, 1);
  assert.ok(found.found.every(({ right }) => right));
  // Of the two that went away all is there that they had been told of; nobody is left to say what that was.
  assert.deepEqual(found.found.filter(({ tab }) => tab > 1).map(({ version }) => version).sort(), versions.sort());
  assert.equal(await length(all[9]), before + found.found.length, "one entry for each write, and none twice");
}));

test("a tab that closes hands the node on, unlocked, in the middle of writes", scenario(async (w) => {
  const { all: [one, two, three] } = await tabs(w, 3);
  await signUp(one);
  await two.run(() => until("a writer", () => node.state === "writer"));
  const before = await length(two);
  const writing = write(three, "closed", MANY);
  await three.run(() => until("some", async () => (await node.home.get("closed/10")) !== undefined));
  await one.close();
  await whole(two, "closed", await writing, before);
  assert.equal(await two.run(() => node.state), "writer");
  assert.equal((await Promise.all([two, three].map(leads))).filter(Boolean).length, 1);
}));

/** Of several rounds one has to stay within its limit, and none may lose anything: other work of the machine only ever adds. */
async function within(t, what, round) {
  const rounds = [];
  do {
    rounds.push(await round());
    const { took, limit } = rounds.at(-1);
    t.diagnostic(`${what} ${Math.round(took)} ms of ${Math.round(limit)}`);
    if (took < limit) return;
  } while (rounds.length < 6);
  assert.fail(`${what} ${rounds.map(({ took, limit }) => `${Math.round(took)} ms of ${Math.round(limit)}`).join(", ")}`);
}

test("a tab that crashes is followed by another within a second", scenario((w, t) => within(t, "writing stood still for", async () => {
  const { all: [one, two] } = await tabs(w, 2);
  await signUp(one);
  await two.run(() => until("a writer", () => node.state === "writer"));
  const limit = Math.max(1000, 10 * (await opening(two)));
  const before = await length(two);
  const writing = two.run(async (count) => {
    const versions = [];
    let longest = 0;
    for (let i = 0; i < count; i++) {
      const start = performance.now();
      versions.push((await node.home.put(`crashed/${i}`, i)).version);
      longest = Math.max(longest, performance.now() - start);
    }
    return { versions, longest };
  }, MANY);
  await two.run(() => until("some", async () => (await node.home.get("crashed/10")) !== undefined));
  await crash(one);
  const { versions, longest } = await writing;
  await whole(two, "crashed", versions, before);
  return { took: longest, limit };
})));

test("a tab that hangs is replaced, and its own writes go through the one that took over", scenario((w, t) => within(t, "taken over after", async () => {
  const { all: [one, two] } = await tabs(w, 2);
  await signUp(one);
  await two.page.bringToFront();
  const before = await length(two);
  const measured = await opening(two);
  const hanging = one.run(async (ms) => {
    window.seen = [];
    node.home.watch("hung/", (changes) => seen.push(...changes.map(({ key }) => key)));
    (async () => {
      for await (const { key } of node.home.history({ live: true })) seen.push(`live ${key}`);
    })();
    await node.home.get("hung/0");
    localStorage.setItem("hung", "now");
    const end = performance.now() + ms;
    while (performance.now() < end);
    return (await node.home.put("hung/1", 1)).version;
  }, Math.max(6000, 30 * measured));
  const [first, took] = await two.run(async () => {
    await until("the hang", () => localStorage.getItem("hung") !== null);
    const start = performance.now();
    return [(await node.home.put("hung/0", 0)).version, performance.now() - start];
  });
  await whole(two, "hung", [first, await hanging], before);
  // What was written while it hung it never heard of: it looks anew.
  await one.run(() => until(`heard in ${seen}`, () => ["hung/0", "hung/1", "live hung/0", "live hung/1"].every((key) => seen.includes(key))));
  assert.deepEqual([await leads(one), await leads(two)], [false, true]);
  return { took, limit: Math.max(4000, 20 * measured) };
})));

test("a tab whose disk is slow opens the node all the same, and does not rob itself", scenario(async (w) => {
  const server = await w.server();
  const browser = await w.browser("chrome");
  const tab = await browser.open(new URL("/icon.svg", server.url).href);
  await tab.page.bringToFront();
  const { took, stolen } = await tab.run(async () => {
    const real = IDBFactory.prototype.open;
    IDBFactory.prototype.open = function (...given) {
      const asked = real.apply(this, given);
      let heard;
      Object.defineProperty(asked, "onsuccess", { set: (listener) => (heard = listener) });
      asked.addEventListener("success", (event) => setTimeout(() => heard?.call(asked, event), 4000));
      return asked;
    };
    let stolen = 0;
    const request = LockManager.prototype.request;
    LockManager.prototype.request = function (name, how, ...rest) {
      if (how?.steal) stolen++;
      return request.call(this, name, how, ...rest);
    };
    const { Hypha } = await import("/pkg/index.js");
    const start = performance.now();
    const node = await Hypha.open({ name: "slow disk" });
    const took = performance.now() - start;
    await node.close();
    return { took, stolen };
  });
  assert.equal(stolen, 0);
  assert.ok(took >= 4000, `${took} ms: it was not slow`);
}));

test("a tab that was robbed while it opened the node does not shut out the one that took over", scenario(async (w) => {
  const server = await w.server();
  const browser = await w.browser("chrome");
  const blank = new URL("/icon.svg", server.url).href;
  let last = await opened(await browser.open(blank), { name: "robbed" });
  const passphrase = await signUp(last);
  // It has the lock and is slow, at either of two places: what it needs does not come, or comes when it is too late.
  for (const stalls of ["the module", "the database"]) {
    await crash(last);
    const slow = await browser.open(blank);
    await slow.run(async (stalls) => {
      const { Hypha } = await import("/pkg/index.js");
      // As if frozen: it does not say that it is at it.
      const say = BroadcastChannel.prototype.postMessage;
      BroadcastChannel.prototype.postMessage = () => {};
      const until = new Promise((resolve) => (window.goOn = () => {
        BroadcastChannel.prototype.postMessage = say;
        resolve();
      }));
      if (stalls === "the module") {
        const real = fetch;
        window.fetch = async (...given) => (/core_(posts|rest|setup)/.test(String(given[0])) && (window.stalled = true, await until), real(...given));
      } else {
        const real = IDBFactory.prototype.open;
        IDBFactory.prototype.open = function (...given) {
          const asked = real.apply(this, given);
          let heard;
          Object.defineProperty(asked, "onsuccess", { set: (listener) => (heard = listener) });
          asked.addEventListener("success", async (event) => {
            window.stalled = true;
            await until;
            heard?.call(asked, event);
          });
          return asked;
        };
      }
      window.opening = Hypha.open({ name: "robbed" }).then((node) => (window.node = node, "open"), ({ code }) => code);
      while (!window.stalled) await new Promise((resolve) => setTimeout(resolve, 20));
    }, stalls);
    const next = await opened(await browser.open(blank), { name: "robbed" });
    await next.run((passphrase) => node.unlock(passphrase), passphrase);
    const before = await length(next);
    await slow.run(() => void goOn());
    assert.equal(await slow.run(() => opening), "open", "it reads through the other");
    const versions = await write(next, stalls, 3);
    await whole(next, stalls, versions, before);
    assert.deepEqual([await leads(slow), await leads(next)], [false, true]);
    await slow.close();
    last = next;
  }
}));

test("locking locks every tab, and nobody is let in by a take-over", scenario(async (w) => {
  const { all: [one, two] } = await tabs(w, 2);
  const passphrase = await signUp(one);
  await two.run(() => node.lock());
  for (const tab of [one, two]) await tab.run(() => until("locked", () => node.state === "locked"));
  await one.close();
  await two.run(() => until("the node here", async () => (await node.stats()).memory > 0));
  assert.equal(await two.run(() => node.state), "locked");
  await two.run((passphrase) => node.unlock(passphrase), passphrase);
  assert.equal(await two.run(() => node.state), "writer");
  assert.ok((await two.run(() => states)).every((state, at, all) => state !== all[at - 1]), "no state is told twice");
}));

test("what a tab says of the node while it is open is said again by the next tab that runs it", scenario(async (w) => {
  const server = await w.server();
  const blank = new URL("/icon.svg", server.url).href;
  const home = await opened(await (await w.browser("firefox")).open(blank), { hubs: [server.hub] });
  await signUp(home);
  const link = await home.run(() => node.home.link);
  const browser = await w.browser("chrome");
  const visitor = { name: "said", hubs: [server.hub], link };
  const [first, second] = [await opened(await browser.open(blank), visitor), await opened(await browser.open(blank), visitor)];
  await home.run(() => {
    window.sizes = [];
    node.home.presence.onchange = (map) => sizes.push(map.size);
  });
  await second.run(() => node.home.presence.set({ reads: "page 7" }));
  const shown = () => home.run(() => until("said", () => [...node.home.presence.get().values()].some((state) => state?.reads === "page 7")));
  await shown();
  // It says goodbye, and what it said is gone with it.
  await first.run(() => node.close());
  await second.run(() => until("taken over", leads));
  await home.run(() => until("gone", () => sizes.includes(0)));
  await shown();
}));

test("hubs that were joined or left stay so when another tab runs the node", scenario(async (w) => {
  const server = await w.server();
  const added = await w.hub("embedded");
  const browser = await w.browser("chrome");
  const blank = new URL("/icon.svg", server.url).href;
  const mine = { name: "hubs", hubs: [server.hub] };
  const [first, second] = [await opened(await browser.open(blank), mine), await opened(await browser.open(blank), mine)];
  await first.run(async (left, added) => {
    await node.addHub(added);
    await node.removeHub(left);
  }, server.hub, added.url);
  await second.run((url) => until("known", async () => `${await hubs()}` === url), added.url);
  await first.run(() => node.close());
  await second.run(() => until("taken over", leads));
  assert.deepEqual(await second.run(() => hubs()), [added.url]);
}));

test("what a device said to devices is not said to everybody when it is locked, nor by the tab that runs it then", scenario(async (w) => {
  const server = await w.server();
  const blank = new URL("/icon.svg", server.url).href;
  const browser = await w.browser("chrome");
  const mine = { name: "said in private", hubs: [server.hub] };
  const [first, second] = [await opened(await browser.open(blank), mine), await opened(await browser.open(blank), mine)];
  await signUp(first);
  const link = await first.run(() => node.home.link);
  const visitor = await opened(await (await w.browser("firefox")).open(blank), { hubs: [server.hub], link });
  await visitor.run(() => {
    window.seen = [];
    window.heard = new Set();
    node.home.presence.onchange = (map) => seen.push(...map.values());
    node.home.messages.onmessage = ({ data }) => heard.add(data);
  });
  for (const tab of [first, second]) {
    await tab.run(() => until("writer", () => node.state === "writer" && node.home).then(() => node.home.presence.set({ writes: "in private" })));
  }
  // What is said comes in order: whoever heard so many messages would have heard of it before.
  const talk = async (tab, from) => {
    for (let n = from; n < from + 12; n++) {
      await visitor.run((n) => until("a round trip", () => node.peers().length > 0), n);
      await tab.run((n) => until("said", async () => (await node.home.messages.send(n, { private: false }), true)), n);
      await tab.run(() => new Promise((resolve) => setTimeout(resolve, 300)));
    }
    await visitor.run((last) => until("heard", () => heard.has(last)), from + 11);
  };
  await first.run(() => node.lock());
  await second.run(() => until("locked", () => node.state === "locked"));
  await talk(first, 0);
  await first.run(() => node.close());
  await second.run(() => until("taken over", leads));
  await second.run(() => until("a peer", () => node.peers().length > 0));
  await talk(second, 100);
  assert.deepEqual(await visitor.run(() => seen), []);
}));
