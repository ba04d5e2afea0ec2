// This package, as a page uses it: a space of one device. Every write is signed, and durable means strict.

import { Hypha } from "/pkg/index.js";
import { offer, sum } from "../lib/page.js";

const DEVICE = { device: "bench", remember: true };
let hypha;
let written = 0;

// As other systems' code, it comes with the page.
await Hypha.init();

const key = (number) => `log/${String(number).padStart(9, "0")}`;
const op = (value) => ({ type: "put", key: key(written++), value });

offer({
  async open(name) {
    hypha = await Hypha.open({ name, domain: "bench.example" });
  },
  async append(batches) {
    await Promise.all(batches.map((batch) => hypha.home.batch(batch.map(op))));
  },
  async loose(entries) {
    await Promise.all(entries.map((value) => hypha.home.put(key(written++), value)));
  },
  async each(entries) {
    for (const value of entries) await hypha.home.put(key(written++), value);
  },
  async newest(count) {
    const found = [];
    for await (const { value } of hypha.home.list({ prefix: "log/", reverse: true, limit: count })) found.push(value);
    return sum(found);
  },
  async readAll() {
    let count = 0;
    let bytes = 0;
    for await (const { value } of hypha.home.list({ prefix: "log/" })) {
      count += 1;
      bytes += value.length;
    }
    return [count, bytes];
  },
  close: () => hypha.close(),
});

/** Begins a space, before the first write and outside of what is timed: nearly all of it is Argon2id. */
globalThis.bench.prepare = async () => {
  await hypha.signUp(await Hypha.generatePassphrase(), DEVICE);
};
