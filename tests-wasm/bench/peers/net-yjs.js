// Yjs with y-indexeddb. `?transport=y-webrtc` takes its own transport; else its sync messages ride a channel of ours in
// pieces, since y-webrtc sends a document as one message.

import * as Y from "yjs";
import { IndexeddbPersistence } from "y-indexeddb";
import { WebrtcProvider } from "y-webrtc";
import * as sync from "y-protocols/sync";
import * as encoding from "lib0/encoding";
import * as decoding from "lib0/decoding";
import { dial } from "../lib/dial.js";
import { settled } from "../lib/idb.js";
import { changed, offer } from "../lib/network-page.js";
import { sum } from "../lib/page.js";

const own = new URLSearchParams(location.search).get("transport") === "y-webrtc";
let doc;
let log;
let stored;
let leave;

const durable = () => settled(stored.db, "updates");

function message(write) {
  const encoder = encoding.createEncoder();
  write(encoder);
  return encoding.toUint8Array(encoder);
}

async function ride(role, hub, topic) {
  const line = await dial(role, hub, topic);
  const update = (bytes, origin) => origin !== line && line.send(message((encoder) => sync.writeUpdate(encoder, bytes)));
  doc.on("update", update);
  line.send(message((encoder) => sync.writeSyncStep1(encoder, doc)));
  line.onmessage = (given) => {
    const answer = message((encoder) => sync.readSyncMessage(decoding.createDecoder(given), encoder, doc, line));
    if (answer.length > 0) line.send(answer);
  };
  return () => {
    doc.off("update", update);
    line.close();
  };
}

offer({
  async open(name) {
    doc = new Y.Doc();
    log = doc.getArray("log");
    stored = new IndexeddbPersistence(name, doc);
    await stored.whenSynced;
    log.observe(() => changed());
  },
  async append(batches) {
    for (const batch of batches) log.push(batch);
    await durable();
  },
  async loose(entries) {
    for (const entry of entries) log.push([entry]);
    await durable();
  },
  write: (entry) => log.push([entry]),
  count: () => log.length,
  check: () => [log.length, sum(log.toArray())],
  async connect(role, hub, topic) {
    if (!own) return void (leave = await ride(role, hub, topic));
    const provider = new WebrtcProvider(topic, doc, { signaling: [hub], peerOpts: { config: { iceServers: [] } } });
    leave = () => provider.destroy();
  },
  disconnect: () => leave(),
});
