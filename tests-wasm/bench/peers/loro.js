// Loro, which brings no storage: updates as they come in one IndexedDB store, folded into a snapshot on closing. It
// signs nothing; durable is relaxed.

import init, { LoroDoc } from "loro-crdt/web";
import { all, openDb, write } from "../lib/idb.js";
import { offer, sum } from "../lib/page.js";

let db;
let doc;
let log;
let saved;

function save() {
  const update = doc.export({ mode: "update", from: saved });
  saved = doc.version();
  return write(db, "updates", (store) => store.put(update));
}

// As other systems' code, it comes with the page.
await init({ module_or_path: "/wasm/loro.wasm" });

offer({
  async open(name) {
    db = await openDb(name, { updates: { autoIncrement: true } });
    doc = new LoroDoc();
    const stored = await all(db, "updates");
    if (stored.length > 0) doc.importBatch(stored);
    log = doc.getList("log");
    saved = doc.version();
  },
  async append(batches) {
    const writes = batches.map((batch) => {
      for (const entry of batch) log.push(entry);
      doc.commit();
      return save();
    });
    await Promise.all(writes);
  },
  async loose(entries) {
    for (const entry of entries) {
      log.push(entry);
      doc.commit();
    }
    await save();
  },
  async each(entries) {
    for (const entry of entries) {
      log.push(entry);
      doc.commit();
      await save();
    }
  },
  newest(count) {
    const from = Math.max(0, log.length - count);
    return sum(Array.from({ length: log.length - from }, (_, n) => log.get(from + n)));
  },
  readAll: () => [log.length, sum(log.toArray())],
  async close() {
    const snapshot = doc.export({ mode: "snapshot" });
    await write(db, "updates", (store) => (store.clear(), store.put(snapshot)));
  },
});
