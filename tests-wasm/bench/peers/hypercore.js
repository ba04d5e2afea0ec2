// hypercore 10 on pages of IndexedDB. It signs once per append; durable is relaxed.

import Hypercore from "hypercore";
import b4a from "b4a";
import { Pages } from "../lib/pages.js";
import { offer, sum } from "../lib/page.js";

let core;

const block = (entry) => b4a.from(entry.buffer, entry.byteOffset, entry.length);

offer({
  async open(name) {
    core = new Hypercore((file) => new Pages(name, file));
    await core.ready();
  },
  async append(batches) {
    await Promise.all(batches.map((batch) => core.append(batch.map(block))));
  },
  async loose(entries) {
    await Promise.all(entries.map((entry) => core.append(block(entry))));
  },
  async each(entries) {
    for (const entry of entries) await core.append(block(entry));
  },
  async newest(count) {
    const found = [];
    for (let index = Math.max(0, core.length - count); index < core.length; index++) found.push(await core.get(index));
    return sum(found);
  },
  async readAll() {
    let bytes = 0;
    for (let index = 0; index < core.length; index++) bytes += (await core.get(index)).length;
    return [core.length, bytes];
  },
});
