// Guards that a first sync arrives whole, whatever its size: 10,000 entries written before the other browser comes.

import assert from "node:assert/strict";
import test from "node:test";
import { scenario } from "./harness.mjs";

for (const [from, to] of [["chrome", "firefox"], ["firefox", "chrome"]]) {
  test(`10,000 entries from ${from} to ${to}`, scenario(async (w) => {
    const server = await w.server();
    const blank = new URL("/icon.svg", server.url).href;
    const origin = await (await w.browser(from)).open(blank);
    const link = await origin.run(async (hub) => {
      const { Hypha } = await import("/pkg/index.js");
      const hypha = (globalThis.hypha = await Hypha.open({ name: "many", hubs: [hub] }));
      await hypha.signUp(await Hypha.generatePassphrase(), { device: "origin" });
      const key = (n) => `entries/${String(n).padStart(5, "0")}`;
      await Promise.all(Array.from({ length: 10_000 }, (_, n) => hypha.home.put(key(n), { n, text: "x".repeat(60) })));
      return hypha.home.link;
    }, server.hub);
    const reader = await (await w.browser(to)).open(blank);
    const seen = await reader.run(async ([hub, link]) => {
      const { Hypha } = await import("/pkg/index.js");
      const hypha = await Hypha.open({ name: "many", hubs: [hub], link });
      const held = () => Object.values(hypha.home.clock()).reduce((sum, length) => sum + length, 0);
      await new Promise((resolve) => {
        const stop = hypha.home.watch("entries/", () => held() > 10_000 && (stop(), resolve()));
      });
      await hypha.home.sync();
      const numbers = [];
      for await (const { value } of hypha.home.list({ prefix: "entries/" })) numbers.push(value.n);
      await hypha.close();
      return { count: numbers.length, inOrder: numbers.every((n, at) => n === at) };
    }, [server.hub, link]);
    assert.deepEqual(seen, { count: 10_000, inOrder: true });
  }));
}
