// Yjs with y-indexeddb: an array in a document. It signs nothing; durable is what IndexedDB calls relaxed.

import * as Y from "yjs";
import { IndexeddbPersistence } from "y-indexeddb";
import { settled } from "../lib/idb.js";
import { offer, sum } from "../lib/page.js";

let doc;
let log;
let stored;

// It gives no promise for a write: a transaction that queues behind them tells.
const durable = () => settled(stored.db, "updates");

offer({
  async open(name) {
    doc = new Y.Doc();
    log = doc.getArray("log");
    stored = new IndexeddbPersistence(name, doc);
    await stored.whenSynced;
  },
  async append(batches) {
    for (const batch of batches) log.push(batch);
    await durable();
  },
  async loose(entries) {
    for (const entry of entries) log.push([entry]);
    await durable();
  },
  async each(entries) {
    for (const entry of entries) {
      log.push([entry]);
      await durable();
    }
  },
  newest: (count) => sum(log.slice(-count)),
  readAll: () => [log.length, sum(log.toArray())],
});
