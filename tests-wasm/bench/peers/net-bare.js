// The channel by itself: entries end to end, in messages of 64 KiB at most, kept nowhere.

import { dial } from "../lib/dial.js";
import { changed, offer } from "../lib/network-page.js";

const SIZE = 100;
let count = 0;
let unsent = [];
let line;

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
  async open() {},
  append: (batches) => batches.forEach(add),
  loose: add,
  write(entry) {
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
