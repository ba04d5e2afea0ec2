// The page of a replica, and what it costs the browser.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { CHROME } from "./browser.mjs";
import { within } from "./wait.mjs";

/** The line of the README: Chromium alone, on a profile. `start()`, `kill()` as a crash does it, `stop()` at the end. */
export function oneLine(url, profile) {
  let child;
  const line = {
    async start() {
      child = spawn(CHROME.executablePath, [...CHROME.args, "--headless=new", `--user-data-dir=${profile}`, url], { detached: true, stdio: "ignore" });
      await within(60_000, "the start of Chromium", new Promise((resolve, reject) => child.once("spawn", resolve).once("error", reject)));
    },
    async kill() {
      if (!child || child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((resolve) => child.once("exit", resolve));
      process.kill(-child.pid, "SIGKILL"); // It leads a process group of its own.
      await within(60_000, "the end of Chromium", ended);
    },
    stop: () => line.kill(),
  };
  return line;
}

/** Opens the page of a replica as its one line does: with what it holds in the address, or with nothing. */
export async function replicaAt(browser, server, link, query = {}) {
  const url = new URL("/replica.html", server.url);
  url.searchParams.set("hub", server.hub);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  if (link) url.hash = `hold=${link}`;
  const tab = await browser.open(url.href);
  await tab.waitAttribute("state", "data-state", "replica", { timeout: 120_000 });
  return tab;
}

/** A replica, and `sample()`: heap and wasm memory in bytes, and handles that are open, after a collection. */
export async function watched(browser, server, link) {
  const tab = await browser.open(new URL("/icon.svg", server.url).href);
  await tab.page.evaluateOnNewDocument(() => {
    const open = (globalThis.handles = { connections: new Set(), sockets: new Set(), databases: new Set() });
    for (const [name, set] of [["RTCPeerConnection", open.connections], ["WebSocket", open.sockets]]) {
      const Real = globalThis[name];
      globalThis[name] = class extends Real {
        constructor(...given) {
          super(...given);
          set.add(new WeakRef(this));
        }
      };
    }
    const real = IDBFactory.prototype.open;
    IDBFactory.prototype.open = function (...given) {
      const request = real.apply(this, given);
      request.addEventListener("success", () => open.databases.add(new WeakRef(request.result)));
      return request;
    };
    const close = IDBDatabase.prototype.close;
    IDBDatabase.prototype.close = function () {
      this.isClosed = true;
      return close.call(this);
    };
  });
  const url = new URL("/replica.html", server.url);
  url.searchParams.set("hub", server.hub);
  url.hash = `hold=${link}`;
  await tab.goto(url.href);
  await tab.waitAttribute("state", "data-state", "replica", { timeout: 120_000 });
  const session = await tab.page.createCDPSession();
  await session.send("Performance.enable");
  return { tab, sample };

  async function sample() {
    await session.send("HeapProfiler.collectGarbage");
    const { usedSize } = await session.send("Runtime.getHeapUsage");
    const { metrics } = await session.send("Performance.getMetrics");
    const metric = (name) => metrics.find((one) => one.name === name)?.value;
    const counted = await tab.run(async () => {
      const { connections, sockets, databases } = globalThis.handles;
      const count = (set, isOpen) => [...set].filter((one) => {
        const thing = one.deref();
        if (!thing) set.delete(one);
        return thing && isOpen(thing);
      }).length;
      return {
        // Closed ones that something still holds count too: those are the leak.
        connections: count(connections, () => true),
        sockets: count(sockets, () => true),
        databases: count(databases, (database) => !database.isClosed),
        memory: globalThis.hyphaReplica.memory(),
        held: globalThis.hyphaReplica.used(),
      };
    });
    assert.ok(usedSize > 0 && counted.memory > 0);
    return { heap: usedSize, listeners: metric("JSEventListeners"), nodes: metric("Nodes"), ...counted };
  }
}
