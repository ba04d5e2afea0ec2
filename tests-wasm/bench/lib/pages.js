// random-access-storage in pages of IndexedDB, writes that meet sharing a transaction, for hypercore: the published
// random-access-idb cannot truncate, which hypercore 10 needs.

import RandomAccessStorage from "random-access-storage";
import { openDb } from "./idb.js";

const PAGE = 4096;
const databases = new Map();

/** One database: what waits to be stored goes together in the next transaction. */
class Group {
  static of(name) {
    if (!databases.has(name)) databases.set(name, new Group(openDb(name, { pages: {}, lengths: {} })));
    return databases.get(name);
  }

  #dirty = new Map();
  #lengths = new Set();
  #waiting = [];
  #busy = false;

  constructor(opening) {
    this.opening = opening;
  }

  add(file, pages, request) {
    for (const page of pages) this.#dirty.set(`${file.name}\0${page}`, [file, page]);
    this.#lengths.add(file);
    this.#waiting.push(request);
    if (this.#busy) return;
    this.#busy = true;
    queueMicrotask(() => this.#commit());
  }

  async #commit() {
    const db = await this.opening;
    const [dirty, lengths, waiting] = [this.#dirty, this.#lengths, this.#waiting];
    [this.#dirty, this.#lengths, this.#waiting] = [new Map(), new Set(), []];
    const transaction = db.transaction(["pages", "lengths"], "readwrite", { durability: "relaxed" });
    const store = transaction.objectStore("pages");
    for (const [file, page] of dirty.values()) store.put(file.pages.get(page), [file.name, page]);
    for (const file of lengths) transaction.objectStore("lengths").put(file.length, file.name);
    const end = (error) => {
      for (const request of waiting) request.callback(error);
      if (this.#waiting.length > 0) this.#commit();
      else this.#busy = false;
    };
    transaction.oncomplete = () => end(null);
    transaction.onabort = () => end(transaction.error);
  }
}

/** One file. All its pages are in memory once it is open. */
export class Pages extends RandomAccessStorage {
  pages = new Map();
  length = 0;

  constructor(database, name) {
    super();
    this.name = name;
    this.group = Group.of(database);
  }

  async _open(request) {
    const db = await this.group.opening;
    const transaction = db.transaction(["pages", "lengths"]);
    const store = transaction.objectStore("pages");
    const range = IDBKeyRange.bound([this.name, 0], [this.name, Infinity]);
    const [values, keys] = [store.getAll(range), store.getAllKeys(range)];
    const length = transaction.objectStore("lengths").get(this.name);
    transaction.oncomplete = () => {
      keys.result.forEach(([, page], n) => this.pages.set(page, values.result[n]));
      this.length = length.result ?? 0;
      request.callback(null);
    };
    transaction.onabort = () => request.callback(transaction.error);
  }

  _read(request) {
    if (request.offset + request.size > this.length) return request.callback(new Error("Could not satisfy length"));
    const out = new Uint8Array(request.size);
    for (const [page, start, size, at] of pieces(request.offset, request.size)) {
      const bytes = this.pages.get(page);
      if (bytes) out.set(bytes.subarray(start, start + size), at);
    }
    request.callback(null, out);
  }

  _write(request) {
    const touched = [];
    for (const [page, start, size, at] of pieces(request.offset, request.data.length)) {
      if (!this.pages.has(page)) this.pages.set(page, new Uint8Array(PAGE));
      this.pages.get(page).set(request.data.subarray(at, at + size), start);
      touched.push(page);
    }
    this.length = Math.max(this.length, request.offset + request.data.length);
    this.group.add(this, touched, request);
  }

  _del(request) {
    if (request.offset + request.size >= this.length) return this._truncate(request);
    const touched = [];
    for (const [page, start, size] of pieces(request.offset, request.size)) {
      if (this.pages.get(page)?.fill(0, start, start + size)) touched.push(page);
    }
    this.group.add(this, touched, request);
  }

  _truncate(request) {
    this.length = Math.min(this.length, request.offset);
    this.group.add(this, [], request);
  }

  _stat(request) {
    request.callback(null, { size: this.length });
  }

  _close(request) {
    request.callback(null);
  }
}

// [page, start in it, bytes, place among all of them]
function* pieces(offset, length) {
  for (let at = 0; at < length; ) {
    const place = offset + at;
    const size = Math.min(PAGE - (place % PAGE), length - at);
    yield [Math.floor(place / PAGE), place % PAGE, size, at];
    at += size;
  }
}
