// Loro, which brings neither transport nor storage: version vectors and updates over a channel of ours, updates of its
// own in one IndexedDB store.

import init, { LoroDoc, VersionVector } from "loro-crdt/web";
import { dial } from "../lib/dial.js";
import { openDb, write } from "../lib/idb.js";
import { changed, offer } from "../lib/network-page.js";
import { sum } from "../lib/page.js";

const [VERSION, UPDATE] = [0, 1];
let db;
let doc;
let log;
let saved;
let leave;

function save() {
  const update = doc.export({ mode: "update", from: saved });
  saved = doc.version();
  return write(db, "updates", (store) => store.put(update));
}

offer({
  async open(name) {
    await init({ module_or_path: "/wasm/loro.wasm" });
    db = await openDb(name, { updates: { autoIncrement: true } });
    doc = new LoroDoc();
    log = doc.getList("log");
    saved = doc.version();
    doc.subscribe(() => changed());
  },
  async append(batches) {
    for (const batch of batches) {
      for (const entry of batch) log.push(entry);
      doc.commit();
    }
    await save();
  },
  async loose(entries) {
    for (const entry of entries) {
      log.push(entry);
      doc.commit();
    }
    await save();
  },
  write(entry) {
    log.push(entry);
    doc.commit();
    save();
  },
  count: () => log.length,
  check: () => [log.length, sum(log.toArray())],
  async connect(role, hub, topic) {
    const line = await dial(role, hub, topic);
    const say = (kind, bytes) => {
      const message = new Uint8Array(1 + bytes.length);
      message[0] = kind;
      message.set(bytes, 1);
      line.send(message);
    };
    const silence = doc.subscribeLocalUpdates((update) => say(UPDATE, update));
    say(VERSION, doc.version().encode());
    line.onmessage = (message) => {
      const body = message.slice(1);
      if (message[0] === UPDATE) doc.import(body);
      else say(UPDATE, doc.export({ mode: "update", from: VersionVector.decode(body) }));
    };
    leave = () => {
      silence();
      line.close();
    };
  },
  disconnect: () => leave(),
});
