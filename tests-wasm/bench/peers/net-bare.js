// The channel by itself: entries end to end, in messages of 64 KiB at most, kept nowhere. With `?durability=strict` each
// single entry is first committed to IndexedDB, strictly: nobody who lets nothing leave that might be lost is faster.

import { dial } from "../lib/dial.js";
import { openDb, write } from "../lib/idb.js";
import { changed, offer } from "../lib/network-page.js";

const SIZE = 100;
let count = 0;
let unsent = [];
let line;
const durability = new URLSearchParams(location.search).get("durability");
let db;

function send() {
  const bytes = new Uint8Array(unsent.length * SIZE);
  unsent.forEach((entry, n) => bytes.set(entry, n * SIZE));
  unsent = [];
  line.send(bytes);
}

function add(entries) {
  unsent.push(...entries);
  count += entries.length;
}

let partial = 0;

offer({
  async open(name) {
    if (durability) db = await openDb(name, { entries: { autoIncrement: true } });
  },
  append: (batches) => batches.forEach(add),
  loose: add,
  async write(entry) {
    if (db) await write(db, "entries", (store) => store.put(entry), durability);
    add([entry]);
    send();
  },
  count: () => count,
  check: () => [count, count * SIZE],
  async connect(role, hub, topic) {
    line = await dial(role, hub, topic);
    // Piece by piece, as they come.
    line.channel.addEventListener("message", ({ data }) => {
      partial += data.byteLength - 1;
      count += Math.floor(partial / SIZE);
      partial %= SIZE;
      changed();
    });
    line.onmessage = () => {};
    // An empty one says nothing but that the channel works.
    send();
  },
  disconnect: () => line.close(),
});
