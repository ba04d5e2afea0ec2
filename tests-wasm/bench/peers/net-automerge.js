// automerge-repo with its IndexedDB storage; the CBOR messages of its WebSocket transport, over a channel of ours: it has
// none for WebRTC that is maintained.

import { initializeWasm } from "@automerge/automerge/slim";
import { NetworkAdapter, Repo } from "@automerge/automerge-repo/slim";
import { IndexedDBStorageAdapter } from "@automerge/automerge-repo-storage-indexeddb";
import { decode, encode } from "cbor-x";
import { dial } from "../lib/dial.js";
import { changed, offer } from "../lib/network-page.js";
import { sum } from "../lib/page.js";

class Line extends NetworkAdapter {
  #line;
  #remote;

  isReady = () => true;
  whenReady = () => Promise.resolve();

  connect(peerId, metadata) {
    this.peerId = peerId;
    this.metadata = metadata;
  }

  attach(line) {
    this.#line = line;
    line.send(encode({ type: "hello", peerId: this.peerId, metadata: this.metadata }));
    line.onmessage = (bytes) => {
      const message = decode(bytes);
      if (message.type !== "hello") return void this.emit("message", message);
      this.#remote = message.peerId;
      this.emit("peer-candidate", { peerId: message.peerId, peerMetadata: message.metadata });
    };
  }

  send(message) {
    this.#line?.send(encode(message));
  }

  disconnect() {
    this.#line?.close();
    this.#line = undefined;
    this.emit("peer-disconnected", { peerId: this.#remote });
  }
}

const network = new Line();
let repo;
let handle;
let count = 0;

const durable = () => repo.flush([handle.documentId]);

function hold(found) {
  handle = found;
  const look = () => {
    count = handle.doc().log.length;
    changed();
  };
  handle.on("change", look);
  look();
}

offer({
  async open(name, role) {
    await initializeWasm(fetch("/wasm/automerge.wasm"));
    repo = new Repo({ storage: new IndexedDBStorageAdapter(name), network: [network] });
    if (role === "A") hold(repo.create({ log: [] }));
  },
  about: () => handle?.url,
  async append(batches) {
    for (const batch of batches) handle.change((document) => void document.log.push(...batch));
    await durable();
  },
  async loose(entries) {
    for (const entry of entries) handle.change((document) => void document.log.push(entry));
    await durable();
  },
  write: (entry) => handle.change((document) => void document.log.push(entry)),
  count: () => count,
  check: () => [handle.doc().log.length, sum([...handle.doc().log])],
  async connect(role, hub, topic, url) {
    network.attach(await dial(role, hub, topic));
    if (!handle) repo.find(url).then(hold);
  },
  disconnect: () => network.disconnect(),
});
