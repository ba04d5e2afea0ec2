// automerge-repo with its IndexedDB storage: a list in a document. It signs nothing; durable is relaxed.

import { initializeWasm } from "@automerge/automerge/slim";
import { Repo } from "@automerge/automerge-repo/slim";
import { IndexedDBStorageAdapter } from "@automerge/automerge-repo-storage-indexeddb";
import { offer, sum } from "../lib/page.js";

let repo;
let handle;

const durable = () => repo.flush([handle.documentId]);
const log = () => handle.doc().log;

// As other systems' code, it comes with the page.
await initializeWasm(fetch("/wasm/automerge.wasm"));

offer({
  async open(name) {
    repo = new Repo({ storage: new IndexedDBStorageAdapter(name) });
    const url = localStorage.getItem(name);
    if (url) {
      handle = await repo.find(url);
      await handle.whenReady();
    } else {
      handle = repo.create({ log: [] });
      localStorage.setItem(name, handle.url);
    }
  },
  async append(batches) {
    for (const batch of batches) handle.change((document) => void document.log.push(...batch));
    await durable();
  },
  async loose(entries) {
    for (const entry of entries) handle.change((document) => void document.log.push(entry));
    await durable();
  },
  async each(entries) {
    for (const entry of entries) {
      handle.change((document) => void document.log.push(entry));
      await durable();
    }
  },
  newest: (count) => sum(log().slice(-count)),
  readAll: () => [log().length, sum([...log()])],
});
